"""Bitstring Status List 1.0 (W3C Recommendation, 15 May 2025), section by section, with its own examples."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cityid import limits, status
from cityid.checks import Check
from cityid.credential import DidUrl, KeyRef, StatusRef, WebIssuer
from cityid.encoding import base64url
from cityid.errors import Malformed
from cityid.plan import Request, Response
from cityid.status import bitstring_status_list as bitstring
from cityid.status import list_credential, names
from cityid.status.bitstring_status_list import KIND, LEAST, Bitstring, build, decode, encode, read_entry
from cityid.status.lists import Freshness, readable
from cityid.trust import TrustEntry, TrustList
from tests import vectors, w3c
from tests.credentials import code_of, jwks, outcome
from tests.sd_jwts import ISSUER
from tests.w3c import V2, WEB

FOLDER = vectors.vectors("bitstring-status-list")
EXAMPLES = {case["n"]: case for case in vectors.load(FOLDER / "spec-examples.json")["examples"]}
REFERENCE = vectors.load(FOLDER / "reference-encoded-lists.json")
URI = "https://id.lindau.example/status/1.revocation"
AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DAY, TTL = timedelta(days=1), timedelta(minutes=15)
PINNED = TrustList((
    TrustEntry("web", ("residency",), web=WEB, keys={"issuer-1": ISSUER.public_key}),
), {"residency": (w3c.IRI,)})  # fmt: skip
FRESH = Freshness(timedelta(hours=1))


def entry(**changed: Any) -> dict[str, Any]:
    made = {"type": KIND, "statusPurpose": "revocation", "statusListIndex": "7", "statusListCredential": URI, **changed}
    return {name: value for name, value in made.items() if value is not None}


def ref(**changed: Any) -> StatusRef:
    facts = entry(**changed)
    return StatusRef(KIND, str(facts.get("statusListCredential")), int(facts.get("statusListIndex", 0)), facts)


def document(values: Mapping[int, int] = {}, *, bits: int = 1, size: int = LEAST, **changed: Any) -> dict[str, Any]:
    """A list's credential; `subject__x` changes its subject, None leaves a member out."""
    made: dict[str, Any] = bitstring.credential(
        build(values, size=size, bits=bits), URI, issuer=WEB, at=AT, lifetime=DAY, ttl=TTL
    )
    for name, value in changed.items():
        inner = made["credentialSubject"] if name.startswith("subject__") else made
        member = name.removeprefix("subject__")
        if value is None:
            inner.pop(member, None)
        else:
            inner[member] = value
    return made


def served(body: bytes | dict[str, Any], media: str = "application/vc+jwt", code: int = 200) -> Any:
    data = w3c.token(body) if isinstance(body, dict) else body

    def net(request: Request) -> Response:
        if request.url == "https://id.lindau.example/.well-known/jwt-vc-issuer":
            meta = json.dumps({"issuer": WEB, "jwks": json.loads(jwks(ISSUER))}).encode()
            return Response(200, {"content-type": "application/json"}, meta, AT)
        return Response(code, {"content-type": media}, data, AT)

    return net


def judged(
    body: bytes | dict[str, Any], *refs: StatusRef, at: datetime = AT, trust: TrustList = PINNED, **more: Any
) -> Check:
    plan = status.check(refs or (ref(),), w3c.REF, trust, FRESH, at, required=True)
    return plan.run(served(body, **more))


def verdict(body: bytes | dict[str, Any], *refs: StatusRef, **more: Any) -> str:
    return outcome(judged(body, *refs, **more))


class TestVectors:
    """Every case of both files."""

    def test_all_are_known(self) -> None:
        assert {path.name for path in FOLDER.iterdir()} == {
            "README.md", "spec-examples.json", "reference-encoded-lists.json"
        }  # fmt: skip
        assert set(EXAMPLES) == {0, 2, 3, 4, 5}
        assert [len(REFERENCE[name]) for name in ("lists", "invalid")] == [1, 1]

    @pytest.mark.parametrize("number", [0, 3])
    def test_entries(self, number: int) -> None:
        found = EXAMPLES[number]["doc"]["credentialStatus"]
        entries = [read_entry(one) for one in (found if isinstance(found, list) else [found])]
        assert [(one.purpose, one.index, one.uri) for one in entries] == [
            ("revocation", 94567, "https://example.com/credentials/status/3"),
            ("suspension", 23452, "https://example.com/credentials/status/4"),
        ][: len(entries)]  # fmt: skip

    def test_entries_in_an_example_with_comments(self) -> None:
        """Example 5 is no JSON; without its comments it is."""
        text = "\n".join(line for line in EXAMPLES[5]["text"].splitlines() if not line.strip().startswith("//"))
        found = [read_entry(one) for one in json.loads(text)["credentialStatus"]]
        assert [(one.purpose, one.index) for one in found] == [("revocation", 94567), ("suspension", 12345)]

    @pytest.mark.parametrize("number", [2, 4])
    def test_lists(self, number: int) -> None:
        text = {**EXAMPLES[number]["doc"], "issuer": WEB}
        found = list_credential.read(w3c.token(text), "vc+jwt")
        assert (found.uri, found.purposes, found.ttl) == (text["id"], ("revocation",), None)
        assert (len(found.entries()), found.entries().data) == (LEAST, bytes(LEAST // 8))

    def test_reference_lists(self) -> None:
        (one,) = REFERENCE["lists"]
        data = decode(one["encodedList"])
        assert len(data) * 8 == one["length"]
        assert [at for at in range(one["length"]) if Bitstring(data)[at]] == one["setBits"]
        # Fewer entries than a list must have: it can be unpacked, and is not relied on.
        text = document(subject__encodedList=one["encodedList"])
        assert verdict(text, ref()) == "bitstring.too_short"

    def test_reference_lists_that_are_none(self) -> None:
        (one,) = REFERENCE["invalid"]
        assert code_of(lambda: decode(one["encodedList"])) == "bitstring.multibase"
        decode("u" + one["encodedList"])


class TestEntry:
    """§2.1."""

    @pytest.mark.parametrize(("changed", "code"), [
        ({}, "passed"), ({"type": [KIND]}, "passed"), ({"type": "StatusList2021Entry"}, "bitstring.entry_type"),
        ({"type": None}, "bitstring.entry_type"), ({"id": URI}, "bitstring.entry_id"), ({"id": URI + "#7"}, "passed"),
        ({"id": 1}, "json.wrong_type"), ({"statusPurpose": None}, "json.missing"),
        ({"statusPurpose": ["revocation"]}, "json.wrong_type"), ({"statusPurpose": ""}, "bitstring.entry_purpose"),
        ({"statusListIndex": 7}, "json.wrong_type"), ({"statusListIndex": None}, "json.missing"),
        ({"statusListIndex": "9" * 16}, "passed"), ({"statusListIndex": "0"}, "passed"),
        ({"statusListCredential": None}, "json.missing"),
        ({"statusListCredential": "/status/1"}, "bitstring.entry_url"),
        ({"statusListCredential": "https://x y"}, "bitstring.entry_url"),
        ({"statusSize": 1}, "passed"), ({"statusSize": 0}, "bitstring.entry_size"),
        ({"statusSize": 17}, "bitstring.entry_size"), ({"statusSize": 2**52}, "bitstring.entry_size"),
        ({"statusSize": "1"}, "json.wrong_type"), ({"statusSize": 2}, "bitstring.messages"),
        ({"statusReference": "https://x.example"}, "passed"), ({"statusReference": ["https://x.example"]}, "passed"),
        ({"statusReference": "x"}, "bitstring.entry_reference"),
        ({"statusReference": [1]}, "bitstring.entry_reference"),
    ])  # fmt: skip
    def test_members(self, changed: dict[str, Any], code: str) -> None:
        assert code_of(lambda: read_entry(entry(**changed))) == code

    @pytest.mark.parametrize(
        "text", ["-1", "+5", " 7", "7 ", "1.0", "1e3", "007", "1_0", "１２", "²", "0x1", "", "9" * 17]
    )
    def test_index_is_digits(self, text: str) -> None:
        assert code_of(lambda: read_entry(entry(statusListIndex=text))) == "bitstring.entry_index"

    def test_messages(self) -> None:
        texts = [{"status": f"0x{value:X}", "message": f"m{value}"} for value in range(16)]
        found = read_entry(entry(statusSize=4, statusMessage=texts, statusPurpose="message"))
        assert (found.bits, found.messages[10]) == (4, "m10")
        for wrong, code in (
            (texts[:-1], "bitstring.messages"), ([*texts, texts[0]], "bitstring.messages"),
            ([*texts[:-1], texts[0]], "bitstring.messages"),
            ([{"status": "15", "message": ""}, *texts[1:]], "bitstring.message_status"),
            ([{"status": 0, "message": ""}, *texts[1:]], "json.wrong_type"), ({}, "json.wrong_type"),
            ([{"status": "0x0"}, *texts[1:]], "json.missing"),
        ):  # fmt: skip
            assert code_of(lambda: read_entry(entry(statusSize=4, statusMessage=wrong))) == code  # noqa: B023
        assert code_of(lambda: read_entry(entry(statusMessage=texts))) == "bitstring.messages"

    def test_references(self) -> None:
        assert read_entry(entry(statusReference="https://x.example")).references == ("https://x.example",)


class TestListCredential:
    """§2.2."""

    def test_what_is_written(self) -> None:
        assert document() == {
            "@context": [V2], "id": URI, "type": ["VerifiableCredential", "BitstringStatusListCredential"],
            "issuer": WEB, "validFrom": "2026-11-23T09:00:00Z", "validUntil": "2026-11-24T09:00:00Z",
            "credentialSubject": {
                "id": f"{URI}#list", "type": "BitstringStatusList", "statusPurpose": "revocation",
                "encodedList": encode(bytes(16384)), "ttl": 900_000,
            },
        }  # fmt: skip
        made = bitstring.credential(
            build({}, size=LEAST, bits=2), URI, issuer=WEB, at=AT, lifetime=DAY, ttl=TTL, purposes=("message", "x"),
            messages={3: "c", 0: "", 1: "a", 2: "b"},
        )["credentialSubject"]  # fmt: skip
        assert (made["statusPurpose"], made["statusSize"]) == (["message", "x"], 2)
        assert made["statusMessages"][3] == {"status": "0x3", "message": "c"}

    @pytest.mark.parametrize(("changed", "code"), [
        ({"purposes": ()}, "bitstring.no_purpose"), ({"purposes": ("",)}, "bitstring.no_purpose"),
        ({"ttl": timedelta(0)}, "bitstring.window"), ({"ttl": DAY + timedelta(milliseconds=1)}, "bitstring.window"),
        ({"ttl": DAY}, "passed"),
    ])  # fmt: skip
    def test_what_nobody_could_use(self, changed: dict[str, Any], code: str) -> None:
        given: dict[str, Any] = {"issuer": WEB, "at": AT, "lifetime": DAY, "ttl": TTL, **changed}
        assert code_of(lambda: bitstring.credential(build({}, size=1), URI, **given)) == code

    def test_what_is_read(self) -> None:
        found = list_credential.read(w3c.token(document()), "vc+jwt")
        assert (found.uri, found.iat, found.exp, found.ttl) == (URI, AT, AT + DAY, TTL)
        assert (found.iss, found.kid, found.chain, found.aggregation_uri) == (WEB, "issuer-1", None, "")
        bare = list_credential.read(w3c.token(document(validFrom=None, validUntil=None, id=None)), "vc+jwt")
        assert (bare.uri, bare.iat.year, bare.exp) == (None, 1, None)
        chained = list_credential.read(w3c.token(document(), kid=None, x5c=["MA=="]), "vc+jwt")
        assert (chained.kid, chained.chain is None) == ("", False)
        did = list_credential.read(w3c.token(document(issuer="did:x:y"), kid="did:x:y#z"), "vc+jwt")
        assert did.kid == str(DidUrl("did:x:y", "z"))

    @pytest.mark.parametrize(("changed", "code"), [
        ({}, "passed"), ({"type": ["VerifiableCredential"]}, "bitstring.not_a_list"),
        ({"type": "VerifiableCredential"}, "bitstring.not_a_list"),
        ({"credentialStatus": entry()}, "bitstring.own_status"), ({"subject__type": "Person"}, "bitstring.not_a_list"),
        ({"subject__type": ["BitstringStatusList"]}, "passed"),
        ({"subject__statusPurpose": None}, "bitstring.no_purpose"),
        ({"subject__statusPurpose": []}, "bitstring.no_purpose"),
        ({"subject__statusPurpose": [1]}, "bitstring.no_purpose"),
        ({"subject__statusPurpose": ""}, "bitstring.no_purpose"),
        ({"subject__statusPurpose": ["revocation", 1]}, "bitstring.no_purpose"),
        ({"subject__statusPurpose": ["revocation", "suspension"]}, "passed"),
        ({"subject__encodedList": None}, "json.missing"), ({"subject__encodedList": 1}, "json.wrong_type"),
        ({"subject__ttl": 0}, "bitstring.ttl"), ({"subject__ttl": -1}, "bitstring.ttl"),
        ({"subject__ttl": "1"}, "json.wrong_type"), ({"subject__ttl": 0.5}, "passed"),
        ({"subject__ttl": None}, "passed"),
        ({"subject__statusSize": 0}, "bitstring.entry_size"), ({"subject__statusSize": 2}, "passed"),
        ({"subject__statusMessages": [{"status": "0x0", "message": ""}]}, "bitstring.messages"),
        ({"subject__statusMessage": [{"status": "0x0", "message": ""}, {"status": "0x1", "message": "x"}]}, "passed"),
        ({"credentialSubject": [{"type": "BitstringStatusList"}] * 2}, "json.wrong_type"),
    ])  # fmt: skip
    def test_members(self, changed: dict[str, Any], code: str) -> None:
        assert code_of(lambda: list_credential.read(w3c.token(document(**changed)), "vc+jwt")) == code

    def test_great_ttl(self) -> None:
        found = list_credential.read(w3c.token(document(subject__ttl=10**15)), "vc+jwt").ttl
        assert found == timedelta(milliseconds=10**12)


class TestBitstring:
    """§3.1, §3.3, §3.4: the first entry is the leftmost bit."""

    def test_bit_order(self) -> None:
        for index, first in ((0, 0x80), (7, 0x01), (8, 0x00)):
            data = decode(build({index: 1}, size=LEAST).encoded)
            assert data[0] == first
            assert [Bitstring(data)[at] for at in (0, 7, 8, LEAST - 1)] == [index == 0, index == 7, index == 8, 0]
        assert Bitstring(decode(build({LEAST - 1: 1}, size=LEAST).encoded))[LEAST - 1] == 1

    @pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 7, 8, 11, 16])
    def test_entries_of_several_bits(self, bits: int) -> None:
        most = (1 << bits) - 1
        values = {0: most, 1: 1, 5: most - 1 or 1, LEAST - 1: most}
        found = Bitstring(decode(build({**values, 9: 0}, size=LEAST, bits=bits).encoded), bits)
        assert {at: found[at] for at in (*values, 2, 9)} == {**values, 2: 0, 9: 0}
        whole = int.from_bytes(found.data, "big")
        total = found.nbytes * 8
        for at in (0, 1, 2, 5, LEAST - 1):
            assert found[at] == whole >> (total - (at + 1) * bits) & most

    def test_outside(self) -> None:
        found = Bitstring(bytes(LEAST // 8))
        for index in (-1, LEAST, LEAST + 1, 2**31, 2**63):
            assert code_of(lambda: found[index]) == "status.index"  # noqa: B023
        assert (found[LEAST - 1], len(found)) == (0, LEAST)
        assert code_of(lambda: found.value(LEAST // 2, 2)) == "status.index"
        assert found.value(LEAST // 2 - 1, 2) == 0

    def test_spec_s_list(self) -> None:
        text = EXAMPLES[2]["doc"]["credentialSubject"]["encodedList"]
        assert decode(text) == bytes(16384)
        assert decode(encode(bytes(16384))) == decode(encode(bytes(16384), smallest=True)) == bytes(16384)

    def test_at_least_so_many(self) -> None:
        assert len(decode(build({}, size=1).encoded)) == LEAST // 8
        assert len(decode(build({}, size=LEAST + 1, smallest=True).encoded)) == LEAST // 8 + 1

    @pytest.mark.parametrize(("given", "code"), [
        ({"bits": 0}, "bitstring.bits"), ({"bits": 17}, "bitstring.bits"), ({"size": 2**26 + 1}, "bitstring.size"),
        ({"size": 2**26, "bits": 2}, "bitstring.size"), ({"values": {-1: 1}}, "bitstring.value"),
        ({"values": {LEAST: 1}}, "bitstring.value"), ({"values": {0: 2}}, "bitstring.value"),
        ({"values": {0: -1}}, "bitstring.value"), ({"values": {0: 3}, "bits": 2}, "passed"),
    ])  # fmt: skip
    def test_what_cannot_be_built(self, given: dict[str, Any], code: str) -> None:
        made: dict[str, Any] = {"values": {}, "size": LEAST, **given}
        assert code_of(lambda: build(made.pop("values"), **made)) == code

    @pytest.mark.parametrize(("data", "code"), [
        (zlib.compress(bytes(16384)), "bitstring.not_gzip"), (bytes(16384), "bitstring.not_gzip"),
        (gzip.compress(bytes(16384), mtime=0)[:-1], "bitstring.truncated"),
        (gzip.compress(bytes(16384), mtime=0) + b"x", "bitstring.trailing"),
        (gzip.compress(bytes(16384), mtime=0) * 2, "bitstring.trailing"),
        (gzip.compress(bytes(limits.STATUS_LIST + 1), mtime=0), "bitstring.too_large"),
        (gzip.compress(bytes(limits.STATUS_LIST), mtime=0), "passed"), (gzip.compress(bytes(16384), mtime=0), "passed"),
        (gzip.compress(bytes(16384), mtime=0)[:-8] + bytes(8), "bitstring.not_gzip"), (b"", "bitstring.truncated"),
    ])  # fmt: skip
    def test_gzip_and_nothing_else(self, data: bytes, code: str) -> None:
        assert code_of(lambda: decode("u" + base64url.encode(data))) == code

    @pytest.mark.parametrize(("change", "code"), [
        (lambda text: text[1:], "bitstring.multibase"), (lambda text: "z" + text[1:], "bitstring.multibase"),
        (lambda text: "", "bitstring.multibase"), (lambda text: text + "==", "base64url.length"),
        (lambda text: text, "passed"),
    ])  # fmt: skip
    def test_multibase(self, change: Any, code: str) -> None:
        assert code_of(lambda: decode(change(encode(bytes(16384))))) == code


class TestValidate:
    """§3.2, and what each purpose means (§2.1)."""

    def test_good(self) -> None:
        check = judged(document({8: 1}))
        assert outcome(check) == "passed"
        assert check.facts == {
            "status": "valid", "list": URI, "index": 7, "status_as_of": "2026-11-23T09:00:00Z",
            "known_until": "2026-11-23T09:15:00Z", "ttl": 900, "bound": 900, "met": "yes", "freshness": "fresh",
        }  # fmt: skip

    @pytest.mark.parametrize(("purpose", "code"), [
        ("revocation", "status.invalid"), ("suspension", "status.suspended"), ("refresh", "passed"),
        ("message", "status.message"), ("fishing", "status.message"),
    ])  # fmt: skip
    def test_purposes(self, purpose: str, code: str) -> None:
        text = document({7: 1}, subject__statusPurpose=["x", purpose])
        check = judged(text, ref(statusPurpose=purpose))
        assert outcome(check) == code
        assert check.facts.get("status") == ("refresh" if code == "passed" else None)
        assert verdict(text, ref(statusPurpose=purpose, statusListIndex="6")) == "passed"

    def test_purpose_of_card_and_list_agree(self) -> None:
        for named in ("suspension", ["suspension", "message"], "Revocation"):
            assert verdict(document(subject__statusPurpose=named)) == "bitstring.purpose"
        assert verdict(document(subject__statusPurpose=["suspension", "revocation"])) == "passed"

    def test_messages(self) -> None:
        texts = [{"status": hex(value), "message": f"m{value}"} for value in range(4)]
        text = document({7: 2}, bits=2, subject__statusPurpose="message", subject__statusMessages=texts)
        asked = ref(statusPurpose="message", statusSize=2, statusMessage=texts)
        problem = judged(text, asked).problem
        assert problem is not None
        assert (problem.code, problem.facts["value"], problem.facts["message"]) == ("status.message", 2, "m2")
        own = [{"status": hex(value), "message": f"own {value}"} for value in range(4)]
        problem = judged(text, ref(statusPurpose="message", statusSize=2, statusMessage=own)).problem
        assert problem is not None
        assert problem.facts["message"] == "own 2"
        assert verdict(text, ref(statusPurpose="message")) == "bitstring.other_size"
        bare = document({7: 1}, subject__statusPurpose="message")
        problem = judged(bare, ref(statusPurpose="message")).problem
        assert problem is not None
        assert problem.facts["message"] == ""

    def test_size_of_entry(self) -> None:
        """Where the list does not say how many bits an entry has, the card does."""
        texts = [{"status": hex(value), "message": ""} for value in range(4)]
        text = document({7: 2}, bits=2, subject__statusSize=None)
        asked = ref(statusSize=2, statusMessage=texts)
        assert verdict(text, asked) == "status.invalid"
        assert verdict(text, ref(statusSize=2, statusMessage=texts, statusListIndex="6")) == "passed"

    def test_length_and_range(self) -> None:
        short = document(subject__encodedList=encode(bytes(LEAST // 8 - 1)))
        assert verdict(short) == "bitstring.too_short"
        texts = [{"status": hex(value), "message": ""} for value in range(4)]
        assert verdict(document(), ref(statusSize=2, statusMessage=texts)) == "bitstring.too_short"
        assert verdict(document(), ref(statusListIndex=str(LEAST))) == "status.index"
        assert verdict(document(), ref(statusListIndex=str(LEAST - 1))) == "passed"

    def test_nothing_is_asked_for_a_wrong_entry(self) -> None:
        def net(request: Request) -> Response:
            raise AssertionError(request.url)

        for kind in ("check", "then"):
            wrong = StatusRef(KIND, URI, -1, entry(statusListIndex="07"))
            if kind == "check":
                plan = status.check((wrong,), w3c.REF, PINNED, FRESH, AT, required=True)
            else:
                plan = status.check_then(wrong, w3c.REF, PINNED, AT)
            assert outcome(plan.run(net)) == "bitstring.entry_index"

    def test_all_entries(self) -> None:
        listed = {URI: document(), URI + "2": document({7: 1}, id=URI + "2", subject__statusPurpose="suspension")}
        other = ref(statusPurpose="suspension", statusListCredential=URI + "2")

        def net(request: Request) -> Response:
            return Response(200, {"content-type": "application/vc+jwt"}, w3c.token(listed[request.url]), AT)

        for refs, code in (
            ((ref(),), "passed"),
            ((ref(), other), "status.suspended"),
            ((other, ref()), "status.suspended"),
        ):
            assert outcome(status.check(refs, w3c.REF, PINNED, FRESH, AT, required=True).run(net)) == code

    def test_whose_list(self) -> None:
        from tests.sd_jwts import HOLDER

        assert verdict(w3c.token(document(), by=HOLDER)) == "signature.invalid"
        assert verdict(document(issuer="https://x.example")) == "status.other_signer"
        assert verdict(document(id=URI + "x")) == "status.subject"
        assert verdict(document(id=None)) == "passed"

    def test_when(self) -> None:
        assert verdict(document(), at=AT + timedelta(minutes=15)) == "passed"
        assert verdict(document(validUntil="2026-11-23T09:00:01Z")) == "passed"
        assert verdict(document(validUntil="2026-11-23T09:00:00Z", validFrom=None)) == "status.expired"
        assert verdict(document(validFrom="2026-11-23T09:01:01Z")) == "status.not_yet"
        assert verdict(document(validFrom="2026-11-23T09:01:00Z")) == "passed"

    def test_how_it_is_served(self) -> None:
        assert verdict(document(), media="text/html") == "status.media_type"
        assert verdict(document(), code=404) == "status.http"
        assert verdict(w3c.cose(document()), media="application/vc+cose") == "passed"
        closed = {"@context": V2, "type": "EnvelopedVerifiableCredential"}
        inside = {**closed, "id": f"data:application/vc+jwt,{w3c.token(document()).decode()}"}
        for kind in ("EnvelopedVerifiableCredential", ["EnvelopedVerifiableCredential"]):
            body = json.dumps({**inside, "type": kind}).encode()
            assert verdict(body, media="application/vc") == "passed"
        assert readable(names.ACCEPT_CREDENTIALS, "application/vc+jwt", w3c.token(document()))
        assert not readable(names.ACCEPT_CREDENTIALS, "application/vc+jwt", b"<html>")

    def test_too_few_words_of_an_issuer_elsewhere(self) -> None:
        """The list's key is found where the issuer's keys are."""
        plain = TrustList((TrustEntry("web", ("residency",), web=WEB),), {"residency": (w3c.IRI,)})
        assert verdict(document(), trust=plain) == "passed"
        issuer = KeyRef(WebIssuer(WEB, ""))
        plan = status.check((ref(),), issuer, PINNED, FRESH, AT, required=True)
        assert outcome(plan.run(served(document()))) == "passed"


class TestTimestamp:
    """§3.2: the list as it was, for hosts that keep history."""

    def test_then(self) -> None:
        asked: list[str] = []

        def net(request: Request) -> Response:
            asked.append(request.url)
            return Response(200, {"content-type": "application/vc+jwt"}, w3c.token(document({7: 1})), AT)

        moment = AT + timedelta(hours=2)
        assert outcome(status.check_then(ref(), w3c.REF, PINNED, moment).run(net)) == "status.invalid"
        assert asked == [f"{URI}?timestamp=2026-11-23T11%3A00%3A00Z"]

    @pytest.mark.parametrize(("changed", "code"), [
        ({}, "passed"), ({"validFrom": "2026-11-23T11:00:01Z"}, "status.no_history"),
        ({"validFrom": None}, "status.no_history"),
        ({"validUntil": None}, "status.no_history"), ({"validUntil": "2026-11-23T11:00:01Z"}, "passed"),
    ])  # fmt: skip
    def test_the_answer_was_in_force(self, changed: dict[str, Any], code: str) -> None:
        moment = AT + timedelta(hours=2)
        plan = status.check_then(ref(), w3c.REF, PINNED, moment)
        assert outcome(plan.run(served(document(**changed)))) == code


def test_what_fails_is_not_remembered() -> None:
    with pytest.raises(Malformed, match=r"bitstring\.multibase"):
        list_credential.read(w3c.token(document(subject__encodedList="x")), "vc+jwt").entries()
