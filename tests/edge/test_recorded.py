"""A judgement's exchanges, kept and judged again: the same answers, the same failures, no network."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cityid.did import resolve
from cityid.edge.recorded import FORMAT, Exchanged, Record, Recorder, Replay, offline, read_record
from cityid.encoding import json
from cityid.errors import Malformed, Unavailable
from cityid.plan import Request, Response

AT = datetime(2026, 5, 1, 12, 30, 1, 5, tzinfo=UTC)
CITY = "did:web:id.lindau.example"
URL = "https://id.lindau.example/.well-known/did.json"
ANSWER = Response(
    200, {"content-type": "application/json", "x": "\x80é"}, b'{"id":"did:web:id.lindau.example"}\xff', AT
)
DOCUMENT = Response(200, {"content-type": "application/json"}, b'{"id":"did:web:id.lindau.example"}', AT)


def server(request: Request) -> Response:
    if request.url == URL:
        return DOCUMENT
    raise Unavailable("net.name", host="nobody.example")


def test_record_and_replay() -> None:
    recorder = Recorder(server)
    first = resolve(CITY).run(recorder)
    data = recorder.record(AT, {"challenge": {"nonce": "n"}}).write()
    record = read_record(data)
    assert record.at == AT
    assert record.context == {"challenge": {"nonce": "n"}}
    replay = Replay(record)
    assert not replay.finished
    assert resolve(CITY).run(replay) == first
    assert replay.finished


def test_failures_are_replayed() -> None:
    recorder = Recorder(server)
    with pytest.raises(Unavailable):
        resolve("did:web:nobody.example").run(recorder)
    record = read_record(recorder.record(AT).write())
    assert record.context == {}
    with pytest.raises(Unavailable) as error:
        resolve("did:web:nobody.example").run(Replay(record))
    assert (error.value.code, error.value.problem.facts) == ("net.name", {"host": "nobody.example"})


def test_what_was_fetched_ahead_stays_so() -> None:
    for ahead in (False, True):
        recorder = Recorder(lambda request, ahead=ahead: replace(DOCUMENT, ahead=ahead))  # type: ignore[misc]
        first = recorder(Request("GET", URL))
        data = recorder.record(AT).write()
        assert (b'"ahead"' in data) is ahead
        assert Replay(read_record(data))(Request("GET", URL)) == first


def test_any_bytes_survive() -> None:
    failed = Unavailable("net.timeout", host="a.example", seconds="10")
    record = Record(AT, (Exchanged("GET", URL, ANSWER), Exchanged("POST", URL + "?a", failed)))
    read = read_record(record.write())
    assert read.exchanges[0] == record.exchanges[0]
    other = read.exchanges[1].outcome
    assert isinstance(other, Unavailable)
    assert other.problem == failed.problem


def test_order_method_and_url() -> None:
    exchanges = (Exchanged("GET", URL, DOCUMENT), Exchanged("GET", URL + "2", DOCUMENT))
    for wrong in (Request("GET", URL + "2"), Request("POST", URL)):
        replay = Replay(Record(AT, exchanges))
        with pytest.raises(Unavailable) as error:
            replay(wrong)
        assert error.value.code == "replay.differs"
        assert replay(Request("GET", URL)) is DOCUMENT
        assert not replay.finished
        assert replay(Request("GET", URL + "2")) is DOCUMENT
        with pytest.raises(Unavailable) as error:
            replay(Request("GET", URL))
        assert error.value.code == "replay.ended"


def test_offline() -> None:
    with pytest.raises(Unavailable) as error:
        resolve(CITY).run(offline)
    assert error.value.code == "net.offline"
    assert error.value.problem.facts == {"url": URL}


def written(**changes: Any) -> bytes:
    entry = {
        "method": "GET",
        "url": URL,
        "response": {"status": 200, "headers": {}, "received": "2026-05-01T00:00:00Z", "body": ""},
    }
    whole = {"format": FORMAT, "at": "2026-05-01T00:00:00Z", "context": {}, "exchanges": [entry]} | changes
    return json.write({name: value for name, value in whole.items() if value is not None})


def test_the_form() -> None:
    record = read_record(written())
    assert record.at == datetime(2026, 5, 1, tzinfo=UTC)
    assert record.exchanges[0].outcome == Response(200, {}, b"", record.at)


def failure(**facts: Any) -> list[dict[str, Any]]:
    return [{"method": "GET", "url": URL, "unavailable": {"code": "net.name", "facts": facts}}]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"format": "x"}, "record.format"),
        ({"format": None}, "json.missing"),
        ({"at": "yesterday"}, "time.not_a_stamp"),
        ({"context": None}, "json.missing"),
        ({"exchanges": [{"method": "GET", "url": URL}]}, "json.missing"),
        ({"exchanges": {}}, "json.wrong_type"),
        ({"exchanges": failure(host=1.5)}, "record.fact"),
        ({"exchanges": failure(host=True)}, "record.fact"),
        ({"exchanges": failure(where="x")}, "record.fact"),
        ({"exchanges": failure(spec="x")}, "record.fact"),
        ({"exchanges": failure(private="x")}, "record.fact"),
    ],
)
def test_damaged_records(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Malformed) as error:
        read_record(written(**changes))
    assert error.value.code == code


def test_damaged_body() -> None:
    with pytest.raises(Malformed) as error:
        read_record(written().replace(b'"body":""', b'"body":"?"'))
    assert error.value.code == "base64.alphabet"


def test_facts_that_pass() -> None:
    outcome = read_record(written(exchanges=failure(host="a", count=3))).exchanges[0].outcome
    assert isinstance(outcome, Unavailable)
    assert outcome.problem.facts == {"host": "a", "count": 3}


def test_the_clock_is_in_utc() -> None:
    from cityid.edge.clock import now

    assert now().utcoffset() == timedelta(0)
    assert timedelta(0) <= now() - now() + timedelta(seconds=1)
