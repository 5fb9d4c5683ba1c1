"""Attack group T, status lists, against the W3C's (Bitstring Status List 1.0). The Token Status List has its own file
(`test_t`), and so have the network (T13, T14: what is fetched is fetched alike) and the register (T22, T25)."""

from __future__ import annotations

import gzip
import json
import resource
import time
from datetime import timedelta
from typing import Any

import pytest

from cityid import limits, status
from cityid.checks import Outcome
from cityid.credential import StatusRef
from cityid.encoding import base64url
from cityid.errors import Unavailable
from cityid.plan import Request, Response
from cityid.status import bitstring_status_list as bitstring
from cityid.status import problem_type, token_status_list
from cityid.status.bitstring_status_list import LEAST, Bitstring, build, decode, encode
from cityid.status.traces import traces
from tests import w3c
from tests.credentials import code_of, outcome
from tests.sd_jwts import HOLDER
from tests.spec.test_bitstring_status_list import AT, FRESH, PINNED, URI, document, entry, judged, ref, served, verdict

OFFICIAL = "https://www.w3.org/ns/credentials/status-list#"


def official(code: str) -> str:
    return problem_type(code).rpartition("#")[2]


class TestT01:
    @pytest.mark.parametrize("size", [limits.STATUS_LIST + 1, 256 << 20])
    def test_t01_bomb(self, size: int) -> None:
        packed = gzip.compress(bytes(size), 6) if size < 1 << 24 else gzip.compress(bytes(1 << 20), 6) * (size >> 20)
        text = "u" + base64url.encode(packed)
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        assert code_of(lambda: decode(text)) in ("bitstring.too_large", "bitstring.trailing")
        assert time.process_time() - start < 0.25
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
        assert len(decode(encode(bytes(1 << 20)))) == 1 << 20

    def test_t01_members(self) -> None:
        assert verdict(document(subject__encodedList="u" + base64url.encode(gzip.compress(bytes(16384)) * 2))) == (
            "bitstring.trailing"
        )
        assert verdict(document(subject__encodedList=encode(bytes(16384)))) == "passed"


class TestIndex:
    @pytest.mark.parametrize("index", ["1e3", "1.0", "１２", "1_0", " 7", "+5", "007", "²", "-1", "0x7"])
    def test_t04_index(self, index: str) -> None:
        found = StatusRef(bitstring.KIND, URI, -1, entry(statusListIndex=index))
        assert verdict(document(), found) == "bitstring.entry_index"
        assert official("bitstring.entry_index") == "MALFORMED_VALUE_ERROR"
        assert verdict(document(), ref(statusListIndex="7")) == "passed"

    @pytest.mark.parametrize("index", [LEAST, LEAST + 1, 2**31])
    def test_t04_range(self, index: int) -> None:
        assert verdict(document(), ref(statusListIndex=str(index))) == "status.index"
        assert official("status.index") == "RANGE_ERROR"

    def test_t05_bit_order(self) -> None:
        """Bytes that say "entry 0" in one list say "entry 7" in the other."""
        data = decode(build({0: 1}, size=LEAST).encoded)
        assert (Bitstring(data)[0], Bitstring(data)[7]) == (1, 0)
        ietf = token_status_list.StatusList(1, data)
        assert (ietf[0], ietf[7]) == (0, 1)

    @pytest.mark.parametrize("size", [0, -1, 17, 2**40])
    def test_t06_sizes(self, size: int) -> None:
        assert verdict(document(), ref(statusSize=size)) == "bitstring.entry_size"
        assert verdict(document(), ref(statusSize=1)) == "passed"

    def test_t06_unknown_values(self) -> None:
        text = document({7: 1}, subject__statusPurpose="permit-zone")
        assert verdict(text, ref(statusPurpose="permit-zone")) == "status.message"
        assert verdict(document(subject__statusPurpose="permit-zone"), ref(statusPurpose="permit-zone")) == "passed"


class TestPurpose:
    def test_t07_purpose(self) -> None:
        assert verdict(document(subject__statusPurpose="suspension")) == "bitstring.purpose"
        assert official("bitstring.purpose") == "STATUS_VERIFICATION_ERROR"
        assert verdict(document(subject__statusPurpose=["revocation", "revocation"])) == "passed"

    def test_t07_refresh_revokes_nothing(self) -> None:
        text = document({7: 1}, subject__statusPurpose="refresh")
        check = judged(text, ref(statusPurpose="refresh"))
        assert (outcome(check), check.facts["status"]) == ("passed", "refresh")
        revoking = document({7: 1})
        assert verdict(revoking) == "status.invalid"

    @pytest.mark.parametrize("order", [1, -1])
    def test_t08_all_entries_count(self, order: int) -> None:
        lists = {URI: document(), URI + "2": document({7: 1}, id=URI + "2", subject__statusPurpose="suspension")}

        def net(request: Request) -> Response:
            return Response(200, {"content-type": "application/vc+jwt"}, w3c.token(lists[request.url]), AT)

        refs = (ref(), ref(statusPurpose="suspension", statusListCredential=URI + "2"))[::order]
        found = status.check(refs, w3c.REF, PINNED, FRESH, AT, required=True).run(net)
        assert outcome(found) == "status.suspended"
        assert outcome(status.check((ref(),), w3c.REF, PINNED, FRESH, AT, required=True).run(net)) == "passed"

    def test_t09_short(self) -> None:
        assert verdict(document(subject__encodedList=encode(bytes(8192)))) == "bitstring.too_short"
        assert problem_type("bitstring.too_short") == OFFICIAL + "STATUS_LIST_LENGTH_ERROR"
        assert verdict(document(subject__encodedList=encode(bytes(16384)))) == "passed"


class TestWhose:
    @pytest.mark.parametrize(("body", "code"), [
        (lambda: w3c.token(document(), by=HOLDER), "signature.invalid"),
        (lambda: w3c.token(document(issuer="https://evil.example")), "status.other_signer"),
        (lambda: w3c.token(document(id=URI + "/other")), "status.subject"),
        (lambda: w3c.token(document(type=["VerifiableCredential"])), "bitstring.not_a_list"),
        (lambda: w3c.token(document(), "JWT"), "jws.typ"),
        (lambda: w3c.token(document()), "passed"),
    ])  # fmt: skip
    def test_t10_somebody_else_s_list(self, body: Any, code: str) -> None:
        assert verdict(body()) == code

    @pytest.mark.parametrize(("changed", "code"), [
        ({"validUntil": "2026-11-23T09:00:00Z", "validFrom": None}, "status.expired"),
        ({"validFrom": "2026-11-24T09:00:00Z", "validUntil": "2026-11-25T09:00:00Z"}, "status.not_yet"),
        ({"subject__ttl": 0}, "bitstring.ttl"), ({"subject__ttl": -5}, "bitstring.ttl"), ({}, "passed"),
    ])  # fmt: skip
    def test_t11_times(self, changed: dict[str, Any], code: str) -> None:
        assert verdict(document(**changed)) == code

    @pytest.mark.parametrize(("ttl", "bound"), [(1, 60), (10**12, 3600), (120_000, 120), (None, 3600)])
    def test_t11_ttl_is_milliseconds_and_clamped(self, ttl: int | None, bound: int) -> None:
        assert judged(document(subject__ttl=ttl)).facts["bound"] == bound

    @pytest.mark.parametrize(("media", "code", "body"), [
        ("text/html", 200, b"<html>"), ("application/vc+jwt", 404, b""), ("application/vc+jwt", 500, b"x"),
        ("application/vc+jwt", 200, b""), ("application/vc+jwt", 206, b"x"), ("application/vc", 200, b"{"),
    ])  # fmt: skip
    def test_t13_no_answer_is_no_yes(self, media: str, code: int, body: bytes) -> None:
        check = judged(body, media=media, code=code)
        assert check.outcome is Outcome.UNDECIDED
        assert judged(document()).outcome is Outcome.PASSED

    def test_t13_offline(self) -> None:
        def net(request: Request) -> Response:
            raise Unavailable("net.offline", host=request.url)

        found = status.check((ref(),), w3c.REF, PINNED, FRESH, AT, required=True).run(net)
        assert (outcome(found), found.outcome) == ("net.offline", Outcome.UNDECIDED)
        assert problem_type("net.offline") == OFFICIAL + "STATUS_RETRIEVAL_ERROR"

    def test_t16_history(self) -> None:
        """Today's list says nothing of another time."""
        for moment, code in ((AT - timedelta(days=1), "status.not_yet"), (AT + timedelta(hours=1), "passed")):
            assert outcome(status.check_then(ref(), w3c.REF, PINNED, moment).run(served(document()))) == code

    def test_t17_a_list_with_a_status(self) -> None:
        for uri in (URI, URI + "2"):
            assert verdict(document(credentialStatus=entry(statusListCredential=uri))) == "bitstring.own_status"
        assert verdict(document()) == "passed"

    def test_t18_no_status(self) -> None:
        for refs, code in (((), "status.missing"), ((ref(),), "passed")):
            plan = status.check(refs, w3c.REF, PINNED, FRESH, AT, required=True)
            assert outcome(plan.run(served(document()))) == code
        unknown = StatusRef("StatusList2021Entry", URI, 7, entry(type="StatusList2021Entry"))
        assert verdict(document(), unknown) == "status.kind_not_built"

    def test_t20_what_the_host_sees(self) -> None:
        asked: list[Request] = []

        def net(request: Request) -> Response:
            asked.append(request)
            return Response(200, {"content-type": "application/vc+jwt"}, w3c.token(document()), AT)

        status.check((ref(),), w3c.REF, PINNED, FRESH, AT, required=True).run(net)
        assert [(one.method, one.url, set(one.headers), one.body) for one in asked] == [("GET", URI, {"accept"}, b"")]

    def test_t21_lists_of_one_card(self) -> None:
        """An address with parameters is remarked on; the W3C's two lists of one register's list are not."""
        plain = StatusRef("status_list", "https://id.lindau.example/status/1", 7)
        copies = [w3c.issued("vc+jwt", status=(plain,)) for _ in range(3)]
        assert traces(copies) == ()
        marked = StatusRef(bitstring.KIND, URI + "?card=7", 7, {"statusPurpose": "revocation"})
        assert [one.code for one in traces([w3c.issued("vc+jwt", status=(marked,))])] == ["trace.address"]

    def test_t24_a_shared_key_signs_nothing(self) -> None:
        header = base64url.encode(b'{"alg":"HS256","typ":"vc+jwt","kid":"issuer-1"}')
        raw = f"{header}.{base64url.encode(json.dumps(document()).encode())}.{base64url.encode(bytes(32))}"
        assert verdict(raw.encode()) == "jws.alg"
        assert verdict(w3c.token(document())) == "passed"
