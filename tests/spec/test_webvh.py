"""did:webvh 1.0, section by section: identifiers, logs, reading, resolution."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cityid import did as dids
from cityid import limits
from cityid.did import resolution, webvh
from cityid.did.webvh import history, identifier
from cityid.did.webvh import log as logs
from cityid.encoding import jcs, json
from cityid.errors import CityIdError, Malformed, Misuse, Refused, Unavailable
from cityid.keys import Algorithm, PublicKey, multikey
from cityid.plan import Request, Response
from tests.webvh import (
    NOW,
    PLACE,
    TWO,
    W1,
    W2,
    W3,
    A,
    B,
    C,
    code,
    created,
    day,
    entries,
    forged,
    judge,
    later,
    lines,
    p256,
    refusal,
    served,
    word,
)  # fmt: skip

SCID = "QmXhVjFG6EBTosDastaaHMRypm2qSv4SMGctADsx878Yux"


class TestMethodSpecificIdentifier:
    @pytest.mark.parametrize(
        ("place", "log"),
        [
            ("example.com", "https://example.com/.well-known/did.jsonl"),
            ("issuer.example.com", "https://issuer.example.com/.well-known/did.jsonl"),
            ("example.com:dids:issuer", "https://example.com/dids/issuer/did.jsonl"),
            ("example.com%3A3000:dids:issuer", "https://example.com:3000/dids/issuer/did.jsonl"),
            ("xn--jp-cd2fp15c.xn--fsq.jp:%E7%94%A8%E6%88%B7", "https://xn--jp-cd2fp15c.xn--fsq.jp/%E7%94%A8%E6%88%B7/did.jsonl"),
        ],
    )  # fmt: skip
    def test_did_to_https(self, place: str, log: str) -> None:
        found = identifier.read(f"did:webvh:{SCID}:{place}")
        assert (found.log, found.scid) == (log, SCID)
        assert found.proofs == log.replace("did.jsonl", "did-witness.json")

    @pytest.mark.parametrize(
        ("did", "expected"),
        [
            (f"did:web:{SCID}:example.com", "did.method"),
            (f"did:webvh:{SCID}", "did.web_host"),
            ("did:webvh:example.com", "did.webvh_scid_form"),
            (f"did:webvh:{SCID[:-1]}:example.com", "did.webvh_scid_form"),
            (f"did:webvh:{SCID}x:example.com", "did.webvh_scid_form"),
            (f"did:webvh:{SCID[:-1]}0:example.com", "did.webvh_scid_form"),
            (f"did:webvh:{SCID}:localhost", "did.web_host"),
            (f"did:webvh:{SCID}:example.com%3A0", "did.web_port"),
            (f"did:webvh:{SCID}:example.com:..", "did.web_path"),
        ],
    )
    def test_refused(self, did: str, expected: str) -> None:
        assert refusal(identifier.read, did) == expected

    def test_template(self) -> None:
        assert webvh.template("example.com:a") == "did:webvh:{SCID}:example.com:a"
        assert webvh.template("{SCID}.example.com") == "did:webvh:{SCID}:{SCID}.example.com"
        assert refusal(webvh.template, "127.0.0.1") == "did.web_host"


class TestLogFile:
    def test_two_entries(self) -> None:
        log = later(created().log)
        whole = judge(log)
        assert [version.number for version in whole.versions] == [1, 2]
        assert whole.last.id.startswith("2-Qm")
        assert whole.scid == whole.last.did.split(":")[2]
        assert judge(log.rstrip(b"\n")).last == whole.last
        assert judge(log.replace(b"\n", b"\r\n")).last == whole.last

    def test_members(self) -> None:
        log = created().log
        assert code(forged(log, lambda entry: entry.update(extra=1))) == "json.unknown_member"
        for name in ("versionTime", "parameters", "state", "versionId"):
            (entry,) = entries(log)
            del entry[name]
            assert refusal(logs.read, lines([entry]), NOW) == "json.missing"

    def test_ceilings(self) -> None:
        log = created().log
        assert refusal(logs.read, b"", NOW) == "did.webvh_empty"
        assert refusal(logs.read, b"\n", NOW) == "did.webvh_empty"
        assert refusal(logs.read, bytes(limits.WEBVH_LOG + 1), NOW) == "did.webvh_log_size"
        assert refusal(logs.read, b" " * limits.WEBVH_LOG, NOW) == "json.too_large"
        assert refusal(logs.read, log + b"\n" * limits.WEBVH_ENTRIES, NOW) == "did.webvh_too_many"
        assert logs.read(log + b"\n" * (limits.WEBVH_ENTRIES - 1), NOW).broken is not None
        (entry,) = entries(log)
        entry["proof"] *= limits.WEBVH_ENTRIES
        assert judge(lines([entry])).last.number == 1
        entry["proof"].append(entry["proof"][0])
        assert refusal(logs.read, lines([entry]), NOW) == "did.webvh_too_many"


class TestCreate:
    def test_a_log_of_one_entry(self) -> None:
        made = created(update_keys=[A.public_key, B.public_key], watchers=["https://watch.example"], ttl=60)
        (version,) = judge(made.log, did=made.did).versions
        in_force = version.parameters
        assert in_force.update_keys == (A.name, B.name)
        assert (in_force.watchers, in_force.ttl, in_force.portable) == (("https://watch.example",), 60, False)
        assert version.state["verificationMethod"][0]["id"] == f"{made.did}#key-1"
        assert made.log.endswith(b"\n")
        assert made.log.count(b"\n") == 1

    def test_scid_in_the_host_and_in_names_of_members(self) -> None:
        assert code(created(place="{SCID}.example.com").log) == ""
        state = webvh.document(webvh.template("example.com:{SCID}"), {"key-1": C.public_key})
        for more in ({"{SCID}": 1, "Z": 2, "z": 3, "{": 4}, {'a"{SCID}': 1}, {"z": 'x"'}, {"a{SCID}z": "ü"}):
            made = webvh.create(state | more, A, day(1))
            assert code(made.log, did=made.did) == ""
            assert made.did.endswith(f":{judge(made.log).scid}")

    def test_only_ed25519_writes(self) -> None:
        assert refusal(created, update_keys=[p256()]) == "did.update_key"
        with pytest.raises(Misuse):
            created(next_keys=[p256()])
        with pytest.raises(Misuse) as error:
            webvh.create({}, A, day(1).replace(tzinfo=None))
        assert error.value.code == "time.naive"
        assert code(created().log) == ""

    def test_a_document(self) -> None:
        agreement = PublicKey(Algorithm.X25519, C.public_key.raw)
        made = webvh.document("did:webvh:x:y", {"sign": p256(), "agree": agreement})
        assert made["assertionMethod"] == made["authentication"] == ["did:webvh:x:y#sign"]
        assert made["keyAgreement"] == ["did:webvh:x:y#agree"]
        assert made["verificationMethod"][0]["publicKeyMultibase"] == multikey.write(p256())
        assert refusal(webvh.document, "did:webvh:x:y", {"a b": p256()}) == "did.url_fragment"


class TestRead:
    def resolve(self, url: str, files: dict[str, bytes], asked: list[str] | None = None, **more: Any) -> Any:
        return dids.look_up(url, NOW, **more).run(served(files, asked))

    def test_one_request_or_two(self) -> None:
        made = created()
        place = identifier.read(made.did)
        asked: list[str] = []
        assert self.resolve(made.did, {place.log: made.log}, asked).document["id"] == made.did
        assert asked == [place.log]
        made = created(witnesses=TWO)
        place, asked = identifier.read(made.did), []
        proofs = word(made.log, W1, W3)
        assert self.resolve(made.did, {place.log: made.log, place.proofs: proofs}, asked).document["id"] == made.did
        assert asked == [place.log, place.proofs]
        with pytest.raises(Refused) as error:
            self.resolve(made.did, {place.log: made.log})
        assert error.value.code == "did.webvh_unwitnessed"

    def test_requests(self) -> None:
        made = created(witnesses=TWO)
        found: list[Request] = []

        def exchange(request: Request) -> Response:
            found.append(request)
            return Response(200, {}, made.log if request.url.endswith("l") else word(made.log, W1, W2), NOW)

        dids.resolve(made.did, NOW).run(exchange)
        assert {(one.method, one.redirects, one.limit) for one in found} == {("GET", 0, limits.WEBVH_LOG)}

    @pytest.mark.parametrize("status", [404, 410, 500, 301, 204])
    def test_status(self, status: int) -> None:
        made = created(witnesses=TWO)
        answers = [Response(200, {}, made.log, NOW), Response(status, {}, made.log, NOW)]
        gone = status in (404, 410)
        with pytest.raises(Unavailable) as error:
            dids.resolve(made.did, NOW).run(lambda request: answers[1])
        assert error.value.code == ("did.not_found" if gone else "did.http_status")
        kind = resolution.fault_of(error.value, made.did).name
        assert kind == ("NOT_FOUND" if gone else "INTERNAL_ERROR")
        with pytest.raises(Refused if gone else Unavailable) as second:
            dids.resolve(made.did, NOW).run(lambda request: answers["witness" in request.url])
        assert second.value.code == ("did.webvh_unwitnessed" if gone else "did.http_status")

    def test_time_is_needed(self) -> None:
        made = created()
        exchange = served({identifier.read(made.did).log: made.log})
        assert dids.resolve(made.did, NOW).run(exchange).did == made.did
        with pytest.raises(Misuse) as error:
            dids.resolve(made.did).run(exchange)
        assert error.value.code == "did.no_time"
        with pytest.raises(Misuse) as naive:
            dids.resolve(made.did, NOW.replace(tzinfo=None)).run(exchange)
        assert naive.value.code == "time.naive"

    def test_dereference(self) -> None:
        made = created()
        exchange = served({identifier.read(made.did).log: made.log})
        assert dids.dereference(f"{made.did}#key-1", NOW).run(exchange).key() == C.public_key

    def test_a_log_of_another(self) -> None:
        made, other = created(), created(B)
        assert code(made.log, did=made.did) == ""
        assert code(made.log, did=other.did) == "did.webvh_other_scid"
        assert code(made.log, did=f"{made.did}:elsewhere") == "did.webvh_not_this_did"

    def test_a_log_that_is_broken_before_the_name(self) -> None:
        made = created(portable=True)
        moved = webvh.move(made.log, "new.example", A, day(2))
        new = judge(moved).last.did
        found = entries(moved)
        found[1]["proof"] = []
        with pytest.raises(Malformed) as error:
            judge(lines(found), did=new)
        assert error.value.code == "did.webvh_no_proof"
        assert code(moved, did=new) == ""

    def test_tolerance(self) -> None:
        log = created().log
        assert code(log, at=day(1) - limits.WEBVH_AHEAD) == ""
        assert code(log, at=day(1) - limits.WEBVH_AHEAD - timedelta(seconds=1)) == "did.webvh_future"

    def test_texts_of_all_kinds(self) -> None:
        """Numbers that JCS writes in its own way, characters beyond the BMP, escapes."""
        for value in (1.5, 1e21, 10.0, "1.5", "ü", "\U0001f3db", "\ufb33", 'a\\"1.5', "\u2028", [1, 2.5], -0.0):
            made = webvh.create(
                webvh.document(webvh.template(PLACE), {"k": C.public_key}) | {"n": value, "\ufb33": 1, "\U0001f3db": 2},
                A,
                day(1),
            )
            assert code(made.log) == ""
            escaped = b"\n".join(__import__("json").dumps(entry).encode() for entry in entries(made.log))
            assert code(escaped) == ""


class TestResolutionMetadata:
    def whole(self) -> webvh.Log:
        made = created(witnesses=TWO, watchers=["https://watch.example"], portable=True)
        log = later(made.log, ttl=0, portable=False)
        return judge(log, word(log, W1, W2))

    def test_current(self) -> None:
        log = self.whole()
        found = webvh.resolution(log, webvh.asked(""))
        assert found.document == log.last.state
        assert found.metadata == {
            "versionId": log.last.id,
            "versionNumber": 2,
            "versionTime": "2026-01-03T00:00:00Z",
            "created": "2026-01-02T00:00:00Z",
            "updated": "2026-01-03T00:00:00Z",
            "scid": log.scid,
            "portable": False,
            "deactivated": False,
            "ttl": "0",
            "witness": {"threshold": "2", "witnesses": [{"id": f"did:key:{one.name}"} for one in (W1, W2, W3)]},
            "watchers": ["https://watch.example"],
        }

    def test_earlier(self) -> None:
        log = self.whole()
        found = webvh.resolution(log, webvh.asked("versionNumber=1")).metadata
        assert found["versionId"] == log.versions[0].id
        assert (found["nextVersionId"], found["nextUpdate"]) == (log.last.id, "2026-01-03T00:00:00Z")
        assert found["updated"] == "2026-01-03T00:00:00Z"

    def test_result(self) -> None:
        log = self.whole()
        resolved = webvh.resolution(log, webvh.asked(""))
        result = resolution.of(log.last.did, resolved).write()
        assert result["didDocument"] == log.last.state
        assert result["didResolutionMetadata"] == {"contentType": "application/did"}
        assert result["didDocumentMetadata"] == resolved.metadata
        gone = resolution.of(log.last.did, webvh.Resolution(None, {"deactivated": True})).write()
        assert gone == {
            "didDocument": None,
            "didResolutionMetadata": {},
            "didDocumentMetadata": {"deactivated": True},
        }


class TestDidUrls:
    def log(self) -> webvh.Log:
        made = created()
        return judge(later(later(made.log, 10), 20))

    @pytest.mark.parametrize(
        ("query", "number"),
        [
            ("versionNumber=2", 2),
            ("versionTime=2026-01-02T00:00:00Z", 1),
            ("versionTime=2026-01-10T23:59:59Z", 1),
            ("versionTime=2026-01-11T00:00:00Z", 2),
            ("versionTime=2026-01-11T01:00:00+01:00", 2),
            ("versionTime=2026-01-11T01:00:00%2B01:00", 2),
            ("versionTime=2027-01-01T00:00:00Z", 3),
            ("versionNumber=1&versionTime=2026-01-05T00:00:00Z", 1),
            ("", 3),
            ("versionTime=2026-01-01T23:59:59Z", 0),
            ("versionNumber=4", 0),
            ("versionNumber=0", 0),
            ("versionId=1-Qm", 0),
            ("versionId=", 0),
            ("versionNumber=2&versionTime=2026-01-05T00:00:00Z", 0),
        ],
    )
    def test_versions(self, query: str, number: int) -> None:
        if number:
            assert webvh.resolution(self.log(), webvh.asked(query)).metadata["versionNumber"] == number
        else:
            assert refusal(webvh.resolution, self.log(), webvh.asked(query)) == "did.version_not_found"

    def test_version_id(self) -> None:
        log = self.log()
        second = log.versions[1]
        assert history.find(log, webvh.asked(f"versionId={second.id}")) is second
        assert history.find(log, webvh.asked(f"versionId={second.id}&versionNumber=2")) is second
        assert (
            refusal(history.find, log, webvh.asked(f"versionId={second.id}&versionNumber=1")) == "did.version_not_found"
        )

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("versionNumber=x", "did.url_query"),
            ("versionNumber=1&versionNumber=1", "did.url_query"),
            ("versionNumber=-1", "did.url_query"),
            ("versionNumber=1234567890", "did.url_query"),
            ("service=files", "did.url_query"),
            ("versionTime=2026-01-05", "time.not_a_stamp"),
            ("versionTime=2026-01-05T00:00:00", "time.not_a_stamp"),
        ],
    )
    def test_queries_that_are_none(self, query: str, expected: str) -> None:
        assert refusal(webvh.asked, query) == expected

    def test_other_methods_have_no_versions(self) -> None:
        did = f"did:key:{A.name}"
        assert dids.look_up(did).run(served({})).document is not None
        with pytest.raises(Malformed) as error:
            dids.look_up(f"{did}?versionNumber=1").run(served({}))
        assert error.value.code == "did.url_not_plain"

    def test_what_stands_before_a_wrong_entry(self) -> None:
        found = entries(later(later(created().log, 10), 20))
        found[2]["proof"] = []
        log = logs.read(lines(found), NOW)
        assert len(log.versions) == 2
        for query in ("versionNumber=1", "versionTime=2026-01-05T00:00:00Z", f"versionId={log.last.id}"):
            assert webvh.resolution(log, webvh.asked(query)).document is not None
        # What was in force at a time after the last good entry depends on the wrong one.
        for query in ("", "versionNumber=3", "versionTime=2026-01-12T00:00:00Z", "versionId=x"):
            assert refusal(webvh.resolution, log, webvh.asked(query)) == "did.webvh_no_proof"


class TestHistoryOfKeys:
    """Which key was there when."""

    def log(self) -> tuple[str, bytes]:
        made = created()
        log = later(made.log, 10, state=webvh.document(made.did, {"key-2": B.public_key}))
        return made.did, later(log, 20, state=webvh.document(made.did, {"key-3": A.public_key}))

    def key(self, fragment: str, signed: int | None) -> str:
        did, log = self.log()
        exchange = served({identifier.read(did).log: log})
        at = None if signed is None else day(signed)
        try:
            found = dids.key_at(did, fragment, "assertionMethod", NOW, at).run(exchange)
        except CityIdError as error:
            return error.code
        return multikey.write(found)

    @pytest.mark.parametrize(
        ("fragment", "signed", "expected"),
        [
            ("key-1", 5, C.name),
            ("key-1", 9, C.name),
            ("key-1", 10, "did.no_such_key"),
            ("key-1", None, "did.no_such_key"),
            ("key-1", 0, C.name),  # dated a little before the DID was there
            ("key-2", 10, B.name),
            ("key-2", 5, B.name),  # dates are coarse: signed after a rotation, dated before it
            ("key-2", 20, "did.no_such_key"),
            ("key-3", None, A.name),
            ("key-3", 30, A.name),
            ("key-3", 1, A.name),
            ("", 12, B.name),
            ("", None, A.name),
            ("key-4", 1, "did.no_such_key"),
        ],
    )
    def test_key(self, fragment: str, signed: int | None, expected: str) -> None:
        assert self.key(fragment, signed) == expected

    def test_a_closed_did_has_no_keys(self) -> None:
        _did, log = self.log()
        assert webvh.key(judge(log), "key-1", "assertionMethod", day(5)) == C.public_key
        closed = judge(webvh.deactivate(log, A, day(30)))
        assert refusal(webvh.key, closed, "key-1", "assertionMethod", day(5)) == "did.deactivated"
        assert refusal(webvh.current, closed) == "did.deactivated"

    def test_a_broken_log_has_no_keys(self) -> None:
        _, log = self.log()
        found = entries(log)
        found[2]["proof"] = []
        broken = logs.read(lines(found), NOW)
        assert refusal(webvh.key, broken, "key-1", "assertionMethod", day(5)) == "did.webvh_no_proof"
        assert refusal(webvh.current, broken) == "did.webvh_no_proof"

    def test_other_methods_have_only_now(self) -> None:
        did = f"did:key:{A.name}"
        assert dids.key_at(did, A.name, "assertionMethod", signed=day(1)).run(served({})) == A.public_key


class TestCanonicalText:
    """What is written quickly is what RFC 8785 says."""

    @pytest.mark.parametrize(
        ("text", "plain"),
        [
            ('{"b":1,"a":"1.5"}', True),
            ('{"a":1.5}', False),
            ('{"a": -1e5}', False),
            ("[1,2E3]", False),
            ("[1.0]", False),
            ('{"a":"\\"1.5"}', False),  # perhaps a number: looked at slowly
            ('{"\\u0061":true,"e":false}', True),
            ('{"ü":1}', True),
            ('{"\U0001f3db":1,"\ufb33":2}', False),
            ('{"\\ud83c\\udfdb":1,"\\ufb33":2}', False),
            ('{"\\uFB33":2}', True),
        ],
    )
    def test_plain(self, text: str, plain: bool) -> None:
        assert jcs.is_plain(text) is plain
        value = json.read(text)
        if plain:
            assert jcs.plain(value) == jcs.canonical(value)
