"""What a judgement fetched, kept in a file and judged again without network.

    recorder = Recorder(Http())
    verdict = verify(...).run(recorder)
    data = recorder.record(at, {"challenge": ...}).write()

    record = read_record(data)
    verdict = verify(..., at=record.at).run(Replay(record))

A record holds whatever the servers said, failures included; it may hold personal data.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NoReturn

from cityid.encoding import base64url, json, times
from cityid.encoding.json import Fields
from cityid.errors import Malformed, Unavailable
from cityid.plan import Exchange, Request, Response

FORMAT: Final = "cityid-record-1"
SIZE: Final = 8 << 20
"""Greatest record in bytes: a handful of the greatest documents."""
_NO_CONTEXT: Final[Mapping[str, Any]] = {}


def offline(request: Request) -> NoReturn:
    """The exchange of those who are not connected, for `Plan.run` and `Plan.run_async` alike.

    Raises:
        Unavailable: `net.offline`, always.
    """
    raise Unavailable("net.offline", url=request.url)


@dataclass(frozen=True, slots=True)
class Exchanged:
    """One request and what came of it: a response, or the code and facts of what made it unavailable."""

    method: str
    url: str
    outcome: Response | Unavailable


@dataclass(frozen=True, slots=True)
class Record:
    """The time of a judgement, its exchanges in order, and what else its caller needs to judge again (`context`)."""

    at: datetime
    exchanges: tuple[Exchanged, ...]
    context: Mapping[str, Any] = field(default_factory=lambda: _NO_CONTEXT, repr=False)

    def write(self) -> bytes:
        """The record as JSON."""
        exchanges = [_write(exchanged) for exchanged in self.exchanges]
        return json.write(
            {
                "format": FORMAT,
                "at": self.at.isoformat(),
                "context": dict(self.context),
                "exchanges": exchanges,
            }
        )


def _write(exchanged: Exchanged) -> dict[str, Any]:
    written: dict[str, Any] = {"method": exchanged.method, "url": exchanged.url}
    outcome = exchanged.outcome
    if isinstance(outcome, Response):
        written["response"] = {
            "status": outcome.status,
            "headers": dict(outcome.headers),
            "received": outcome.received.isoformat(),
            "body": b64encode(outcome.body).decode("ascii"),
            **({"ahead": True} if outcome.ahead else {}),
        }
    else:
        written["unavailable"] = {"code": outcome.code, "facts": dict(outcome.problem.facts)}
    return written


def read_record(data: bytes) -> Record:
    """The record in `data`.

    Raises:
        Malformed: `record.format`, `record.fact`; `json.*`, `time.*`, `base64.*`.
    """
    fields = Fields(json.read_object(data, where="$", limit=SIZE))
    if fields.text("format") != FORMAT:
        raise Malformed("record.format", where="$.format", expected=FORMAT, found=fields.text("format"))
    exchanges = []
    for index, item in enumerate(fields.array("exchanges")):
        entry = Fields(item, f"$.exchanges[{index}]")
        outcome = _response(entry.fields("response")) if "response" in entry else _failure(entry.fields("unavailable"))
        exchanges.append(Exchanged(entry.text("method"), entry.text("url"), outcome))
    return Record(times.read_stamp(fields.text("at"), "$.at"), tuple(exchanges), fields.object("context"))


def _response(fields: Fields) -> Response:
    headers = fields.fields("headers")
    return Response(
        fields.integer("status"),
        {name: headers.text(name) for name in headers.value},
        base64url.decode_standard(fields.text("body"), fields.at("body")),
        times.read_stamp(fields.text("received"), fields.at("received")),
        fields.optional_boolean("ahead") or False,
    )


def _failure(fields: Fields) -> Unavailable:
    facts = fields.object("facts")
    for name, value in facts.items():
        if not isinstance(value, str | int) or isinstance(value, bool) or name in ("where", "spec", "private"):
            raise Malformed("record.fact", where=fields.at("facts"), name=name)
    return Unavailable(fields.text("code"), **facts)


class Recorder:
    """An Exchange that remembers what another one said."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._exchanges: list[Exchanged] = []

    def __call__(self, request: Request) -> Response:
        try:
            response = self._exchange(request)
        except Unavailable as missing:
            self._exchanges.append(Exchanged(request.method, request.url, missing))
            raise
        self._exchanges.append(Exchanged(request.method, request.url, response))
        return response

    def record(self, at: datetime, context: Mapping[str, Any] | None = None) -> Record:
        """All that was exchanged so far, for a judgement at `at`."""
        return Record(at, tuple(self._exchanges), context or {})


class Replay:
    """An Exchange that says again, in the same order, what was recorded; nothing leaves this machine."""

    def __init__(self, record: Record) -> None:
        self._left = list(reversed(record.exchanges))

    @property
    def finished(self) -> bool:
        """Whether everything recorded was asked for again."""
        return not self._left

    def __call__(self, request: Request) -> Response:
        """Raises Unavailable: `replay.ended`, `replay.differs`; and what was recorded as unavailable."""
        if not self._left:
            raise Unavailable("replay.ended", method=request.method, url=request.url)
        exchanged = self._left[-1]
        if (exchanged.method, exchanged.url) != (request.method, request.url):
            raise Unavailable("replay.differs", method=request.method, url=request.url, recorded=exchanged.url)
        self._left.pop()
        if isinstance(exchanged.outcome, Unavailable):
            raise Unavailable(exchanged.outcome.problem)
        return exchanged.outcome
