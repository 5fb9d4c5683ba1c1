"""did:webvh 1.0, section by section."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cityid import did as dids
from cityid import limits
from cityid.did import webvh
from cityid.did.webvh import history, identifier, witness
from cityid.did.webvh import log as logs
from cityid.did.webvh.parameters import Witnesses
from cityid.encoding import jcs, json, multihash
from cityid.errors import CityIdError, Malformed, Misuse, Refused, Unavailable
from cityid.keys import Algorithm, PublicKey, multikey
from cityid.keys.algorithms import CURVES
from cityid.plan import Request, Response
from tests.webvh import (
    NOW,
    PLACE,
    THIEF,
    W1,
    W2,
    W3,
    A,
    B,
    C,
    Seeded,
    code,
    created,
    day,
    entries,
    forged,
    judge,
    later,
    lines,
    served,
    word,
)  # fmt: skip

SCID = "QmXhVjFG6EBTosDastaaHMRypm2qSv4SMGctADsx878Yux"
TWO = Witnesses(2, (W1.name, W2.name, W3.name))


def refusal(function: Any, *arguments: Any, **more: Any) -> str:
    with pytest.raises(CityIdError) as error:
        function(*arguments, **more)
    return error.value.code


def p256() -> PublicKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    point = ec.derive_private_key(7, CURVES[Algorithm.ES256]).public_key()
    form = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return PublicKey(Algorithm.ES256, point.public_bytes(*form))


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
        return dids.resolution(url, NOW, **more).run(served(files, asked))

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
        kind = dids.error_type(error.value, made.did).rpartition("#")[2]
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
        result = dids.resolution_result(log.last.did, resolved)
        assert result["didDocument"] == log.last.state
        assert result["didResolutionMetadata"] == {"contentType": "application/did"}
        assert result["didDocumentMetadata"] == resolved.metadata
        gone = dids.resolution_result(log.last.did, webvh.Resolution(None, {"deactivated": True}))
        assert gone == {
            "didDocument": None,
            "didResolutionMetadata": {},
            "didDocumentMetadata": {"deactivated": True},
        }

    def test_error_names(self) -> None:
        kind = "https://www.w3.org/ns/did#"
        for expected, error in (
            ("INVALID_DID", Refused("did.webvh_scid")),
            ("INVALID_DID", Malformed("json.syntax")),
            ("NOT_FOUND", Refused("did.version_not_found")),
            ("INVALID_DID_URL", Malformed("did.url_query")),
        ):
            assert dids.error_type(error, f"did:webvh:{SCID}:a.example") == kind + expected


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
        assert dids.resolution(did).run(served({})).document is not None
        with pytest.raises(Malformed) as error:
            dids.resolution(f"{did}?versionNumber=1").run(served({}))
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


class TestUpdate:
    def test_document_keys_and_parameters(self) -> None:
        made = created(watchers=["https://a.example"])
        new = webvh.document(made.did, {"key-2": B.public_key})
        log = later(made.log, state=new, update_keys=[B.public_key], ttl=5)
        last = judge(log).last
        assert last.state == new
        assert (last.parameters.update_keys, last.parameters.ttl) == ((B.name,), 5)
        assert last.parameters.watchers == ("https://a.example",)
        assert entries(log)[1]["parameters"] == {"updateKeys": [B.name], "ttl": 5}
        last = judge(later(log, 3, B, watchers=[])).last
        assert last.parameters.watchers == ()
        assert last.state == new

    def test_nothing_said_nothing_written(self) -> None:
        assert entries(later(created().log))[1]["parameters"] == {}

    def test_a_broken_log_is_not_continued(self) -> None:
        found = entries(later(created().log))
        found[1]["proof"] = []
        assert refusal(later, lines(found), 3) == "did.webvh_no_proof"

    def test_what_others_would_refuse_is_not_written(self) -> None:
        log = created().log
        assert refusal(later, log, 2, THIEF) == "did.webvh_key_not_authorised"
        assert refusal(later, log, 1) == "did.webvh_time_order"
        assert refusal(later, log, 2, portable=True) == "did.webvh_portable"
        assert refusal(later, log, 2, ttl=-1) == "did.webvh_ttl"

    def test_method_may_be_said_again(self) -> None:
        log = later(created().log)
        assert code(forged(log, lambda entry: entry["parameters"].update(method="did:webvh:1.0"))) == ""
        assert code(forged(log, lambda entry: entry["parameters"].update(method="did:webvh:0.5"))) == "did.webvh_method"


class TestParameters:
    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("ttl", 2**31, ""),
            ("ttl", 2**31 + 1, "did.webvh_ttl"),
            ("ttl", 0, ""),
            ("ttl", -1, "did.webvh_ttl"),
            ("ttl", "60", "json.wrong_type"),
            ("portable", None, "json.wrong_type"),
            ("deactivated", None, "json.wrong_type"),
            ("method", None, "json.wrong_type"),
            ("watchers", ["https://a.example"] * limits.WEBVH_KEYS, ""),
            ("watchers", ["https://a.example"] * (limits.WEBVH_KEYS + 1), "did.webvh_too_many"),
            ("watchers", "https://a.example", "json.wrong_type"),
            ("updateKeys", [A.name] * (limits.WEBVH_KEYS + 1), "did.webvh_too_many"),
            ("nextKeyHashes", ["x"] * (limits.WEBVH_KEYS + 1), "did.webvh_too_many"),
            ("witness", None, ""),
            ("witness", {}, ""),
            ("witness", [], "json.wrong_type"),
            ("nextKeyHashes", None, ""),
            ("portable", True, ""),
            ("nonsense", 1, "json.unknown_member"),
        ],
    )
    def test_first_entry(self, name: str, value: Any, expected: str) -> None:
        assert code(forged(created().log, lambda entry: entry["parameters"].update({name: value}))) == expected

    @pytest.mark.parametrize("name", ["method", "updateKeys", "scid"])
    def test_what_the_first_entry_must_have(self, name: str) -> None:
        assert code(forged(created().log, lambda entry: entry["parameters"].pop(name))) == "json.missing"

    def test_update_keys_of_the_first_entry_are_not_null(self) -> None:
        log = forged(created().log, lambda entry: entry["parameters"].update(updateKeys=None))
        assert code(log) == "did.webvh_key_not_authorised"

    def test_scid_is_said_once(self) -> None:
        log = later(created().log)
        scid = judge(log).scid
        assert code(forged(log, lambda entry: entry["parameters"].update(scid=scid))) == "did.webvh_scid_again"
        assert code(forged(log, lambda entry: entry["parameters"].update(scid="x"))) == "did.webvh_scid_again"

    def test_witness_list_ceiling(self) -> None:
        keys = [Seeded(number).name for number in range(1, limits.WEBVH_KEYS + 2)]
        fit = Witnesses(1, tuple(keys[:-1])).write()
        assert code(forged(created().log, lambda e: e["parameters"].update(witness=fit))) == "did.webvh_unwitnessed"
        many = Witnesses(1, tuple(keys)).write()
        assert code(forged(created().log, lambda e: e["parameters"].update(witness=many))) == "did.webvh_too_many"


class TestDeactivate:
    def test_closed(self) -> None:
        made = created()
        log = webvh.deactivate(made.log, A, day(2))
        last = judge(log).last
        assert last.parameters.deactivated
        assert last.parameters.update_keys == ()
        found = webvh.resolution(judge(log), webvh.asked(""))
        assert found.document is None
        assert found.metadata["deactivated"] is True
        earlier = webvh.resolution(judge(log), webvh.asked("versionNumber=1"))
        assert earlier.document is not None
        assert earlier.metadata["deactivated"] is True

    def test_closed_under_commitment(self) -> None:
        made = created(next_keys=[B.public_key])
        log = webvh.deactivate(made.log, B, day(2))
        last = judge(log).last.parameters
        assert (last.update_keys, last.next_key_hashes, last.deactivated) == ((B.name,), (), True)
        assert refusal(webvh.deactivate, made.log, A, day(2)) == "did.webvh_key_not_committed"

    def test_nothing_follows(self) -> None:
        log = later(created().log, deactivated=True)
        assert refusal(later, log, 3) == "did.webvh_after_deactivation"

    def test_no_more_updates_without_closing(self) -> None:
        log = later(created().log, update_keys=[])
        assert webvh.resolution(judge(log), webvh.asked("")).document is not None
        assert refusal(later, log, 3) == "did.webvh_key_not_authorised"


class TestAuthorizedKeys:
    def test_the_entry_before_says_who_writes(self) -> None:
        log = later(created().log, update_keys=[B.public_key])
        assert code(log) == ""
        assert refusal(later, log, 3, A) == "did.webvh_key_not_authorised"
        assert code(later(log, 3, B)) == ""

    def test_several_proofs_must_all_be_right(self) -> None:
        log = created(update_keys=[B.public_key]).log
        (entry,) = entries(log)
        (other,) = entries(forged(log, lambda _: None, B))
        assert other["versionId"] == entry["versionId"]
        both = {**entry, "proof": entry["proof"] + other["proof"]}
        assert code(lines([both])) == ""
        both["proof"][1]["proofValue"] = entry["proof"][0]["proofValue"]
        assert code(lines([both])) == "signature.invalid"

    def test_one_proof_need_not_be_in_an_array(self) -> None:
        (entry,) = entries(created().log)
        assert code(lines([{**entry, "proof": entry["proof"][0]}])) == ""
        assert code(lines([{**entry, "proof": "x"}])) == "json.not_an_object"

    def test_keys_of_other_kinds(self) -> None:
        name = multikey.write(p256())
        log = forged(
            created().log,
            lambda entry: entry["parameters"].update(updateKeys=[name]),
            verificationMethod=f"did:key:{name}#{name}",
        )
        assert code(log) == "did.webvh_key_kind"


class TestPortability:
    def test_moved(self) -> None:
        made = created(portable=True)
        log = webvh.move(made.log, "new.lindau.example:city", A, day(2))
        last = judge(log).last
        assert last.did == f"did:webvh:{judge(log).scid}:new.lindau.example:city"
        assert last.state["alsoKnownAs"] == [made.did]
        assert last.state["verificationMethod"][0] == {
            "id": f"{last.did}#key-1",
            "type": "Multikey",
            "controller": last.did,
            "publicKeyMultibase": C.name,
        }
        assert code(log, did=made.did) == ""
        again = judge(webvh.move(log, PLACE, A, day(3))).last
        assert again.did == made.did
        assert again.state["alsoKnownAs"] == [made.did, last.did]

    def test_names_that_only_begin_alike_stay(self) -> None:
        made = created(portable=True)
        state = dict(judge(made.log).last.state) | {
            "service": [{"id": f"{made.did}/a", "x": f"{made.did}2", "y": f"{made.did}?a", "n": 1}]
        }
        log = webvh.move(later(made.log, state=state), "n.example", A, day(3))
        (service,) = judge(log).last.state["service"]
        new = judge(log).last.did
        assert service == {"id": f"{new}/a", "x": f"{made.did}2", "y": f"{new}?a", "n": 1}

    def test_only_where_the_first_entry_allows_it(self) -> None:
        assert refusal(webvh.move, created().log, "new.example", A, day(2)) == "did.webvh_moved"
        ended = later(created(portable=True).log, portable=False)
        assert refusal(webvh.move, ended, "new.example", A, day(3)) == "did.webvh_moved"

    def test_under_commitment(self) -> None:
        made = created(portable=True, next_keys=[B.public_key])
        log = webvh.move(made.log, "new.example", B, day(2), update_keys=[B.public_key], next_keys=[C.public_key])
        assert judge(log).last.parameters.next_key_hashes == (webvh.key_hash(C.public_key),)


class TestPreRotation:
    def test_the_hash_is_of_the_text(self) -> None:
        assert webvh.key_hash(B.public_key) == multihash.sha256(B.name.encode())

    def test_committed_keys_come_and_sign_at_once(self) -> None:
        log = created(next_keys=[B.public_key, THIEF.public_key]).log
        log = later(log, 2, B, update_keys=[B.public_key], next_keys=[C.public_key])
        log = later(log, 3, C, update_keys=[C.public_key], next_keys=[])
        assert judge(log).last.parameters.next_key_hashes == ()
        # Given up: from the next entry on, the entry before says who writes, and new keys need no commitment.
        assert code(later(log, 4, C, update_keys=[A.public_key])) == ""
        assert refusal(later, log, 4, A, update_keys=[A.public_key]) == "did.webvh_key_not_authorised"

    def test_the_key_before_does_not_sign(self) -> None:
        log = created(next_keys=[B.public_key]).log
        more: dict[str, Any] = {"update_keys": [B.public_key], "next_keys": []}
        assert refusal(later, log, 2, A, **more) == "did.webvh_key_not_authorised"
        assert code(later(log, 2, B, **more)) == ""

    @pytest.mark.parametrize("missing", ["update_keys", "next_keys"])
    def test_both_must_be_stated(self, missing: str) -> None:
        log = created(next_keys=[B.public_key]).log
        more: dict[str, Any] = {"update_keys": [B.public_key], "next_keys": [C.public_key]}
        assert code(later(log, 2, B, **more)) == ""
        del more[missing]
        assert refusal(later, log, 2, B, **more) == "did.webvh_not_committed"


class TestWitnesses:
    def test_threshold(self) -> None:
        log = created(witnesses=TWO).log
        assert code(log, word(log, W1, W2)) == ""
        assert code(log, word(log, W1, W2, W3)) == ""
        assert code(log, word(log, W1)) == "did.webvh_unwitnessed"
        assert code(log) == "did.webvh_unwitnessed"

    def test_a_later_word_covers_what_came_before(self) -> None:
        log = later(created(witnesses=TWO).log)
        assert code(log, word(log, W1, W2)) == ""
        first = word(lines(entries(log)[:1]), W1, W2, number=2)
        assert code(log, first) == "did.webvh_unwitnessed"
        assert code(log, word(log, W2, proofs=first)) == "did.webvh_unwitnessed"
        assert code(log, word(log, W2, W1, proofs=first)) == ""
        versions = witness.judge(logs.read(log, NOW), first)
        assert len(versions.versions) == 1
        assert versions.broken is not None

    def test_the_first_list_counts_at_once_and_the_next_one_later(self) -> None:
        log = later(created().log, witnesses=Witnesses(1, (W1.name,)))
        assert code(log) == "did.webvh_unwitnessed"
        proofs = word(log, W1)
        assert code(log, proofs) == ""
        log = later(log, 3, witnesses=Witnesses(1, (W2.name,)))
        assert refusal(word, log, W2, proofs=proofs) == "did.webvh_not_a_witness"
        proofs = word(log, W1, proofs=proofs)
        assert code(log, proofs) == ""
        log = later(log, 4)
        assert refusal(word, log, W1, proofs=proofs) == "did.webvh_not_a_witness"
        assert code(log, word(log, W2, proofs=proofs)) == ""

    def test_going_without_needs_their_word_too(self) -> None:
        log = later(created(witnesses=TWO).log, no_witnesses=True)
        assert judge(log, word(log, W1, W2)).last.parameters.witness is None
        first = word(lines(entries(log)[:1]), W1, W2, number=2)
        assert code(log, first) == "did.webvh_unwitnessed"
        log = later(log, 3)
        proofs = word(lines(entries(log)[:2]), W1, W2, number=3)
        assert code(log, proofs) == ""
        assert refusal(word, log, W1) == "did.webvh_not_a_witness"

    def test_a_proof_without_a_file_is_an_empty_file(self) -> None:
        log = created().log
        assert code(log, b"not even JSON") == ""  # nobody is asked, nothing is looked at
        assert code(created(witnesses=TWO).log, b"not even JSON") == "json.syntax"

    def test_the_file(self) -> None:
        log = created(witnesses=TWO).log
        good = json.read(word(log, W1, W2))
        assert witness.read(json.write(good))[0][0] == judge(log, json.write(good)).last.id
        for found, expected in (
            (b"{}", "json.wrong_type"),
            (b"[1]", "json.not_an_object"),
            (b'[{"proof":[]}]', "json.missing"),
            (b'[{"versionId":"x","proof":{}}]', "json.wrong_type"),
            (bytes(limits.WEBVH_LOG + 1), "did.webvh_log_size"),
        ):
            assert code(log, found) == expected
        good[0]["proof"] *= limits.WEBVH_PROOFS // 2
        assert code(log, json.write(good)) == ""
        good[0]["proof"].append(1)
        assert code(log, json.write(good)) == "did.webvh_too_many"
        assert code(log, b'[{"versionId":"x"}]') == "did.webvh_unwitnessed"

    def test_what_counts_for_nothing(self) -> None:
        log = created(witnesses=TWO).log
        good = json.read(word(log, W1, W2))
        for wrong in (1, {}, {**good[0]["proof"][0], "proofValue": good[0]["proof"][1]["proofValue"]}):
            assert code(log, json.write([{**good[0], "proof": [wrong, *good[0]["proof"]]}])) == ""
            assert (
                code(log, json.write([{**good[0], "proof": [wrong, good[0]["proof"][1]]}])) == "did.webvh_unwitnessed"
            )

    def test_ids_without_did_key(self) -> None:
        parameter = {"threshold": 1, "witnesses": [{"id": W1.name}]}
        log = forged(created().log, lambda entry: entry["parameters"].update(witness=parameter))
        assert code(log, word(log, W1)) == ""
        twice = {"threshold": 1, "witnesses": [{"id": W1.name}, {"id": f"did:key:{W1.name}"}]}
        log = forged(created().log, lambda entry: entry["parameters"].update(witness=twice))
        assert code(log) == "did.webvh_witness_twice"

    def test_a_witness_is_an_ed25519_key(self) -> None:
        parameter = {"threshold": 1, "witnesses": [{"id": f"did:key:{multikey.write(p256())}"}]}
        log = forged(created().log, lambda entry: entry["parameters"].update(witness=parameter))
        assert code(log) == "did.webvh_key_kind"

    def test_members_of_the_parameter(self) -> None:
        for value, expected in (
            ({"threshold": 1, "witnesses": [{"id": W1.name, "weight": 1}]}, "did.webvh_unwitnessed"),
            ({"threshold": 1, "witnesses": [{"id": W1.name}], "selfWeight": 1}, "json.unknown_member"),
            ({"threshold": 1}, "json.missing"),
            ({"witnesses": [{"id": W1.name}]}, "json.missing"),
            ({"threshold": 1, "witnesses": []}, "did.webvh_witness_threshold"),
        ):
            log = forged(created().log, lambda entry, value=value: entry["parameters"].update(witness=value))  # type: ignore[misc]
            assert code(log) == expected


class TestWitnessing:
    def test_word_for_the_log_that_was_seen(self) -> None:
        log = created(witnesses=TWO).log
        seen = judge(log, word(log, W1, W2)).last.id
        longer = later(log)
        given = webvh.approve(longer, W1, day(2), seen=seen)
        assert given["versionId"] == entries(longer)[1]["versionId"]
        other = later(log, 3)
        assert refusal(webvh.approve, other, W1, day(4), seen=given["versionId"]) == "did.webvh_forked"
        assert refusal(webvh.approve, log, W1, day(4), seen=given["versionId"]) == "did.webvh_truncated"
        assert refusal(webvh.approve, log, W1, day(4), seen="1") == "did.webvh_version_id"
        assert refusal(webvh.approve, log, THIEF, day(4), seen="") == "did.webvh_not_a_witness"
        assert refusal(webvh.approve, created().log, W1, day(4), seen="") == "did.webvh_not_a_witness"

    def test_a_word_of_no_use(self) -> None:
        log = created(witnesses=TWO).log
        longer = later(log)
        old = json.write(webvh.approve(log, W1, day(1), seen=""))
        assert json.read(webvh.with_proof(b"", old, log, day(2)))
        assert refusal(webvh.with_proof, b"", old, longer, day(2)) == "did.webvh_proof_unused"
        spoiled = old.replace(b"assertionMethod", b"authentication")
        assert refusal(webvh.with_proof, b"", spoiled, log, day(2)) == "did.webvh_proof_unused"

    def test_the_file_keeps_two_of_each(self) -> None:
        log, proofs = created(witnesses=TWO).log, b""
        for number in range(2, 6):
            log = later(log, number)
            proofs = word(log, W1, W1, W2, proofs=proofs)
        kept = json.read(proofs)
        assert [len(item["proof"]) for item in kept] == [2, 2]
        assert [item["versionId"][:1] for item in kept] == ["4", "5"]
        assert code(log, proofs) == ""


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
