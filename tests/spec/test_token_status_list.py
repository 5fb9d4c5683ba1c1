"""Token Status List, draft-ietf-oauth-status-list-20. One class a section."""

from __future__ import annotations

import json
import random
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cityid import limits
from cityid.checks import Outcome
from cityid.cose import sign1
from cityid.credential import CertificateChain, DidUrl, KeyRef, WebIssuer
from cityid.encoding import base64url, cbor
from cityid.errors import CityIdError, Unavailable
from cityid.keys import Algorithm, Signer, certify, jwk
from cityid.plan import Request, Response
from cityid.status import Freshness, check, check_then
from cityid.status import token_status_list as lists
from cityid.status.lists import readable
from cityid.status.memo import Memo
from cityid.status.token_status_list import CWT, JWT, Packed, StatusList, build, read
from cityid.trust import TrustEntry, TrustList
from tests.jobs.offices import NOW, Office
from tests.lists import HOUR, MINUTE, URI, Host, code, forged, judge, of, ref, token
from tests.vectors import load, vectors

OFFICE = Office()
FORMS: tuple[lists.Form, ...] = ("jwt", "cwt")
SIGNER = OFFICE.issuer.signer


def raised(call: Callable[..., object], *args: Any, **named: Any) -> str:
    with pytest.raises(CityIdError) as caught:
        call(*args, **named)
    return caught.value.code


def topic(name: str) -> Any:
    return load(vectors("token-status-list") / f"{name}.json")


class TestOfficialCases:
    """Every file of the folder; those of lists by every entry that they name."""

    FILES = (
        "aggregation", "example-key.jwk", "referenced-token-jose", "status-list-1bit", "status-list-2bit",
        "status-list-8bit", "status-list-small", "status-list-token-cwt", "status-list-token-jwt",
    )  # fmt: skip

    def test_all_files_are_run(self) -> None:
        """By a test of its own, or, of whatever width, by `test_the_large_lists`."""
        found = [file.name.removesuffix(".json") for file in vectors("token-status-list").glob("*.json")]
        wide = [name for name in found if re.fullmatch(r"status-list-[0-9]+bit", name)]
        named = [name for name in found if name in self.FILES and name not in wide]
        assert len(wide) + len(named) == len(found)
        assert len(self.lists()) == len(wide) > 0

    def key(self) -> Any:
        members = topic("example-key.jwk")
        members.pop("d")
        return jwk.read(members)

    def lists(self) -> list[dict[str, Any]]:
        files = sorted(vectors("token-status-list").glob("status-list-*bit.json"))
        return [load(file) for file in files]

    def test_the_small_lists(self) -> None:
        for case in topic("status-list-small")["lists"]:
            values = {int(index): value for index, value in case["statuses"].items()}
            for smallest in (False, True):
                packed = build(values, bits=case["bits"], size=len(values), smallest=smallest)
                assert packed.unpack().data.hex() == case["byteArrayHex"]
                if smallest:
                    assert base64url.encode(packed.lst) == case["json"]["lst"]
            for given in (base64url.decode(case["json"]["lst"]), cbor.read(bytes.fromhex(case["cborHex"]))["lst"]):
                found = Packed(case["bits"], given).unpack()
                assert [found[index] for index in range(len(found))][: len(values)] == list(values.values())

    def test_the_large_lists(self) -> None:
        for case in self.lists():
            values = {int(index): value for index, value in case["nonZeroStatuses"].items()}
            inside = cbor.read(bytes.fromhex(case["cborHex"]))
            assert inside["bits"] == case["bits"] == case["json"]["bits"]
            found = Packed(case["bits"], base64url.decode(case["json"]["lst"])).unpack()
            assert Packed(case["bits"], inside["lst"]).unpack() == found
            assert len(found) == 2**20
            assert {index: found[index] for index in values} == values
            others = bytearray(found.data)
            for index in values:
                place = index * case["bits"]
                others[place >> 3] &= ~(((1 << case["bits"]) - 1) << (place & 7)) & 0xFF
            assert not any(others)
            assert build(values, bits=case["bits"], size=2**20).unpack() == found

    def test_the_tokens(self) -> None:
        """§5.1, §5.2"""
        case = topic("status-list-token-jwt")
        token = read(case["jwt_from_8.2_response"].encode(), "jwt")
        token.check(self.key())
        other = read(bytes.fromhex(topic("status-list-token-cwt")["cwtHex"]), "cwt")
        other.check(self.key())
        for found in (token, other):
            assert found.uri == case["payload"]["sub"]
            assert found.iat == datetime.fromtimestamp(case["payload"]["iat"], UTC)
            assert found.exp == datetime.fromtimestamp(case["payload"]["exp"], UTC)
            assert found.ttl == timedelta(seconds=43200)
            assert found.kid == "12"
            assert found.entries() == StatusList(1, bytes.fromhex("b9a3"))
        assert (token.iss, other.iss) == ("https://example.com", "")

    def test_the_referenced_token(self) -> None:
        """§6.2"""
        from cityid.formats.sd_jwt_vc import _statuses

        (found,) = _statuses(topic("referenced-token-jose")["payload"]["status"])
        assert (found.kind, found.index, found.uri) == ("status_list", 0, "https://example.com/statuslists/1")

    def test_the_aggregation(self) -> None:
        """§9.3"""
        case = topic("aggregation")["aggregation"]
        assert list(lists.read_aggregation(json.dumps(case).encode())) == case["status_lists"]
        assert json.loads(lists.write_aggregation(case["status_lists"])) == case


class TestCompressedByteArray:
    """§4.1"""

    def test_the_least_significant_bit_comes_first(self) -> None:
        assert StatusList(1, b"\x01\x80")[0] == 1
        assert StatusList(1, b"\x01\x80")[15] == 1
        assert StatusList(1, b"\x01\x80")[7] == 0
        assert [StatusList(2, b"\xe4")[index] for index in range(4)] == [0, 1, 2, 3]
        assert [StatusList(4, b"\xa5")[index] for index in range(2)] == [5, 10]
        assert StatusList(8, b"\x00\xff")[1] == 255

    @pytest.mark.parametrize("bits", [1, 2, 4, 8])
    @pytest.mark.parametrize("smallest", [False, True])
    def test_what_was_set_is_read(self, bits: int, smallest: bool) -> None:
        size = 1000
        values = {index: index % (1 << bits) for index in range(0, size, 7)}
        packed = build(values, bits=bits, size=size, smallest=smallest)
        found = packed.unpack()
        assert len(found) == size
        assert found.nbytes == size * bits // 8
        assert {index: found[index] for index in range(size)} == {index: values.get(index, 0) for index in range(size)}
        assert found.nonzero() == {index: value for index, value in values.items() if value}
        assert zlib.decompress(packed.lst) == found.data
        assert packed.lst[0] == 0x78
        assert str(found.data) not in repr((found, packed))

    def test_sizes(self) -> None:
        assert build({}, bits=1, size=9).unpack().data == b"\0\0"
        assert build({8: 1}, bits=1, size=9).unpack().data == b"\0\1"
        most = limits.STATUS_LIST * 8
        assert len(build({most - 1: 1}, bits=1, size=most).unpack()) == most
        for size in (0, -1, most + 1):
            assert raised(build, {}, bits=1, size=size) == "status_list.size"
        assert raised(build, {}, bits=8, size=limits.STATUS_LIST + 1) == "status_list.size"

    def test_what_does_not_fit(self) -> None:
        assert build({9: 3}, bits=2, size=10).unpack()[9] == 3
        for bits, size in ((2, 10), (2, 12), (1, 10), (1, 16), (8, 4)):
            assert build({size - 1: 1, 0: 1}, bits=bits, size=size).unpack()[size - 1] == 1
            for value in (0, 1):
                for index in (size, size + 1, 10**9, -1, -size, -(10**9)):
                    with pytest.raises(CityIdError) as caught:
                        build({index: value, 2: 1}, bits=bits, size=size)
                    assert caught.value.code == "status_list.entry"
                    assert caught.value.problem.facts == {"index": index, "value": value}
        for value in (4, -1):
            with pytest.raises(CityIdError) as caught:
                build({1: 0, 9: value, 2: 3}, bits=2, size=10)
            assert caught.value.problem.facts == {"index": 9, "value": value}
        for bits in (0, 3, 16, -1):
            assert raised(build, {}, bits=bits, size=10) == "status_list.bits_unknown"

    def test_the_run_lengths_cost_little(self) -> None:
        """Within a tenth of the highest level's size, where indices are drawn at random as the register draws them."""
        drawn = random.Random(7)
        for count in (100, 1000, 5000, 20_000):
            values = dict.fromkeys(drawn.sample(range(100_000), count), 1)
            small, quick = (len(build(values, bits=1, size=100_000, smallest=how).lst) for how in (True, False))
            assert quick <= small * 1.1

    def test_only_zlib(self) -> None:
        data = bytes(1000)
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        raw = packer.compress(data) + packer.flush()
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        gzip = packer.compress(data) + packer.flush()
        good = zlib.compress(data)
        assert Packed(1, good).unpack().data == data
        for wrong in (raw, gzip, b"", good[:-5] + bytes([good[-5] ^ 1]) + good[-4:], data):
            assert raised(Packed(1, wrong).unpack) in ("status_list.not_zlib", "status_list.truncated")
        assert raised(Packed(1, gzip).unpack) == "status_list.not_zlib"
        assert raised(Packed(1, good[:-1]).unpack) == "status_list.truncated"
        assert raised(Packed(1, good + b"\0").unpack) == "status_list.trailing"
        assert raised(Packed(1, good + good).unpack) == "status_list.trailing"

    def test_an_index_outside(self) -> None:
        found = build({}, bits=2, size=8).unpack()
        assert found[7] == 0
        for index in (8, 9, 2**31, 2**63, -1):
            assert raised(found.__getitem__, index) == "status.index"


class TestStatusListToken:
    """§5"""

    @pytest.mark.parametrize("form", FORMS)
    def test_issued_is_read(self, form: lists.Form) -> None:
        made = token(OFFICE, form=form, aggregation_uri="https://id.lindau.example/status")
        found = read(made, form)
        found.check(SIGNER.public_key)
        assert (found.form, found.uri, found.iss) == (form, URI, OFFICE.issuer.id)
        assert (found.iat, found.exp) == (NOW, NOW + 24 * HOUR)
        assert found.ttl == 15 * MINUTE
        assert found.aggregation_uri == "https://id.lindau.example/status"
        assert found.kid == str(OFFICE.issuer.signed_by.at)
        assert found.chain is None
        assert found.entries()[1] == 1
        assert read(token(OFFICE, form=form), form).aggregation_uri == ""
        assert raised(found.check, Office().issuer.signer.public_key) == "signature.invalid"
        assert "lst" not in repr(found)

    def test_headers_as_the_draft_has_them(self) -> None:
        head = json.loads(base64url.decode(token(OFFICE).split(b".")[0]))
        assert head == {"alg": "ES256", "typ": "statuslist+jwt", "kid": str(OFFICE.issuer.signed_by.at)}
        signed = sign1.read(token(OFFICE, form="cwt"), tagged=True)
        assert signed.protected[16] == "application/statuslist+cwt"
        assert list(cbor.read(signed.payload or b"")) == [1, 2, 4, 6, 65533, 65534]

    def test_whole_seconds(self) -> None:
        found = read(token(OFFICE, at=NOW + timedelta(milliseconds=900)), "jwt")
        assert (found.iat, found.exp) == (NOW, NOW + 24 * HOUR)

    def test_times_that_make_no_sense(self) -> None:
        assert token(OFFICE, ttl=HOUR, lifetime=HOUR)
        for ttl in (timedelta(0), -HOUR, timedelta(milliseconds=500), HOUR + timedelta(seconds=1)):
            assert raised(token, OFFICE, ttl=ttl, lifetime=HOUR) == "status_list.window"

    def test_e6_the_end_of_the_calendar(self) -> None:
        last = datetime(9999, 12, 31, 22, 59, 59, tzinfo=UTC)
        made = read(token(OFFICE, at=last, ttl=HOUR, lifetime=HOUR), "jwt")
        assert made.exp == last + HOUR
        later = last + timedelta(seconds=1)
        assert raised(token, OFFICE, at=later, ttl=HOUR, lifetime=HOUR) == "status_list.window"

    @pytest.mark.parametrize("form", FORMS)
    def test_members_that_must_be_there(self, form: lists.Form) -> None:
        made = token(OFFICE, form=form)
        assert read(forged(made, SIGNER, form, exp=None, ttl=None, iss=None), form).ttl is None
        missing = "json.missing" if form == "jwt" else "cbor.missing"
        wrong = "json.wrong_type" if form == "jwt" else "cbor.wrong_type"
        for name in ("sub", "iat", "status_list"):
            assert raised(read, forged(made, SIGNER, form, **{name: None}), form) == missing
        for name in ("bits", "lst"):
            assert raised(read, forged(made, SIGNER, form, inside={name: None}), form) == missing
        claims: tuple[tuple[str, Any], ...] = (("sub", 7), ("iat", "7"), ("exp", "7"), ("ttl", "7"), ("iss", 7))
        for name, value in claims:
            assert raised(read, forged(made, SIGNER, form, **{name: value}), form) == wrong
        for name, other in (("bits", "1"), ("bits", True), ("lst", 7), ("aggregation_uri", 7)):
            assert raised(read, forged(made, SIGNER, form, inside={name: other}), form) == wrong
        for name in ("iat", "exp"):
            assert raised(read, forged(made, SIGNER, form, **{name: -1}), form) == "time.not_numeric"
        for ttl in (0, -1):
            assert raised(read, forged(made, SIGNER, form, ttl=ttl), form) == "status_list.ttl"
        assert read(forged(made, SIGNER, form, ttl=1), form).ttl == timedelta(seconds=1)
        assert read(forged(made, SIGNER, form, ttl=10**12), form).ttl == timedelta(seconds=10**9)
        for bits in (0, 3, 16):
            assert raised(read, forged(made, SIGNER, form, inside={"bits": bits}), form) == "status_list.bits"

    def test_ttl_may_be_a_fraction_in_json(self) -> None:
        assert read(forged(token(OFFICE), SIGNER, ttl=0.5), "jwt").ttl == timedelta(seconds=0.5)

    def test_typ(self) -> None:
        made = token(OFFICE)
        assert raised(read, forged(made, SIGNER, header={"typ": None}), "jwt") == "jws.typ_missing"
        for typ in ("JWT", "application/statuslist+jwt", "statuslist+JWT", "statuslist+cwt", "dc+sd-jwt"):
            assert raised(read, forged(made, SIGNER, header={"typ": typ}), "jwt") == "jws.typ"
        made = token(OFFICE, form="cwt")
        for label in (None, "statuslist+cwt", "application/statuslist+jwt", 61):
            assert raised(read, forged(made, SIGNER, "cwt", header={16: label}), "cwt") == "cose.typ"

    def test_the_cwt_tag_is_forbidden(self) -> None:
        """§5.2"""
        made = token(OFFICE, form="cwt")
        assert read(made, "cwt").uri == URI
        wrapped = bytes.fromhex("d83d") + made
        assert raised(read, wrapped, "cwt") == "cose.not_sign1"
        assert raised(read, made[1:], "cwt") == "cose.tag"

    def test_a_cwt_without_claims(self) -> None:
        for payload in (cbor.write([]), b"\0"):
            made = sign1.sign(payload, SIGNER, {16: CWT})
            assert raised(read, made, "cwt") == "status_list.no_claims"
        detached = cbor.read(token(OFFICE, form="cwt"))
        detached.value[2] = None
        assert raised(read, cbor.write(detached), "cwt") == "cbor.truncated"

    def test_keys_by_certificate(self) -> None:
        chain, leaf = certified()
        for form in FORMS:
            for length in (1, 2):
                place = CertificateChain(chain.certificates[:length] if length == 1 else chain.certificates * 2)
                found = read(token(OFFICE, form=form, signed_by=place, signer=leaf), form)
                assert found.chain == place
                assert (found.kid, found.iss) == ("", "")
            assert raised(token, OFFICE, form=form, signed_by=chain) == "status_list.wrong_key"
            assert raised(token, OFFICE, form=form, signed_by=CertificateChain(())) == "status_list.wrong_key"

    def test_chains_that_are_none(self) -> None:
        made = token(OFFICE)
        der = "MAA="
        assert raised(read, forged(made, SIGNER, header={"x5c": []}), "jwt") == "status_list.chain"
        assert raised(read, forged(made, SIGNER, header={"x5c": [der] * 6}), "jwt") == "status_list.chain"
        assert raised(read, forged(made, SIGNER, header={"x5c": ["!"]}), "jwt") == "base64.alphabet"
        assert raised(read, forged(made, SIGNER, header={"x5c": [7]}), "jwt") == "json.wrong_type"
        assert read(forged(made, SIGNER, header={"x5c": [der] * 5}), "jwt").chain is not None
        made = token(OFFICE, form="cwt")
        for value in ([], [b"x"] * 6, "x", [b"x", "x"], 7):
            assert raised(read, forged(made, SIGNER, "cwt", header={33: value}), "cwt") == "status_list.chain"
        assert read(forged(made, SIGNER, "cwt", header={33: b"x"}), "cwt").chain == CertificateChain((b"x",))

    def test_kid(self) -> None:
        assert raised(read, forged(token(OFFICE), SIGNER, header={"kid": 7}), "jwt") == "json.wrong_type"
        made = token(OFFICE, form="cwt")
        assert read(forged(made, SIGNER, "cwt", header={4: "text"}), "cwt").kid == ""
        assert read(forged(made, SIGNER, "cwt", header={4: b"\xff"}), "cwt").kid == "\ufffd"

    def test_size(self) -> None:
        assert raised(read, b"x" * (limits.STATUS_TOKEN + 1), "jwt") == "jws.too_large"
        assert raised(read, b"x" * (limits.STATUS_TOKEN + 1), "cwt") == "cbor.too_large"

    def test_by_did_web_and_kid(self) -> None:
        place = DidUrl("did:web:id.lindau.example", "")
        assert read(token(OFFICE, signed_by=place), "jwt").kid == ""
        for form in FORMS:
            found = read(token(OFFICE, form=form, signed_by=WebIssuer("https://id.lindau.example", "k")), form)
            assert (found.kid, found.iss) == ("k", "https://id.lindau.example")


ROOT_SIGNER = OFFICE.keyring.signer(OFFICE.keyring.create(Algorithm.ES256))
ROOT = certify.certify_root(ROOT_SIGNER, certify.Name("Region"), at=NOW - HOUR)
BREGENZ = "https://id.bregenz.example"


def certified(
    name: str = BREGENZ, *, root: bytes = ROOT, root_signer: Signer = ROOT_SIGNER
) -> tuple[CertificateChain, Signer]:
    """A chain of one certificate, for `name`, and the signer of its key."""
    signer = OFFICE.keyring.signer(OFFICE.keyring.create(Algorithm.ES256))
    leaf = certify.certify_issuer(
        signer.public_key, certify.Name("Issuer"), root=root, signer=root_signer, at=NOW - HOUR, uris=[name]
    )
    return CertificateChain((leaf,)), signer


class TestStatusTypes:
    """§7.1"""

    def test_values(self) -> None:
        values = {1: 1, 2: 2, 3: 3, 4: 4, 10: 0x0A, 11: 0x0B, 12: 0x0C, 15: 0x0F}
        made = token(OFFICE, values, bits=4, size=64)
        wanted = {
            0: "passed", 1: "status.invalid", 2: "status.suspended", 3: "status.application", 4: "status.reserved",
            10: "status.reserved", 11: "status.reserved", 12: "status.application", 15: "status.application",
        }  # fmt: skip
        for index, expected in wanted.items():
            found = judge(Host({URI: made}), OFFICE, ref(index))
            assert code(found) == expected
            assert found.outcome is (Outcome.PASSED if index == 0 else Outcome.FAILED)
        eight = token(OFFICE, {1: 255, 2: 16}, bits=8, size=64)
        assert of(eight, OFFICE, ref(1)) == of(eight, OFFICE, ref(2)) == "status.reserved"

    def test_what_is_told_of_a_bad_one(self) -> None:
        host = Host({URI: token(OFFICE)})
        for index, bad in ((1, "status.invalid"), (2, "status.suspended")):
            problem = judge(host, OFFICE, ref(index)).problem
            assert problem is not None
            assert (problem.code, dict(problem.facts)) == (
                bad, {"list": URI, "index": index, "as_of": "2026-11-22T09:30:12Z"},
            )  # fmt: skip
        problem = judge(host, OFFICE, ref(3)).problem
        assert problem is not None
        assert dict(problem.facts) == {"list": URI, "index": 3, "value": 3}


class TestRequest:
    """§8.1, §8.2"""

    def test_what_is_asked(self) -> None:
        host = Host({URI: token(OFFICE)})
        assert code(judge(host, OFFICE)) == "passed"
        (request,) = host.asked
        assert (request.method, request.url, request.body) == ("GET", URI, b"")
        assert dict(request.headers) == {"accept": f"{JWT}, {CWT};q=0.9"}
        assert (request.redirects, request.limit) == (limits.REDIRECTS, limits.STATUS_TOKEN)
        assert request.max_age == Freshness().max_age
        assert not request.kept

    def answer(self, status: int = 200, media: str = JWT, body: bytes | None = None) -> Response:
        return Response(status, {"content-type": media}, token(OFFICE) if body is None else body, NOW)

    def test_both_forms(self) -> None:
        assert of(self.answer(), OFFICE) == "passed"
        assert of(self.answer(media="Application/StatusList+JWT; charset=us-ascii"), OFFICE) == "passed"
        assert of(self.answer(media=CWT, body=token(OFFICE, form="cwt")), OFFICE) == "passed"
        assert of(self.answer(media=CWT), OFFICE).startswith("cbor.")
        assert of(self.answer(body=b"\xd2" * 9), OFFICE) == "jws.segments"

    def test_other_answers(self) -> None:
        for status in (201, 206, 301, 404, 500):
            assert of(self.answer(status), OFFICE) == "status.http"
        for media in ("text/html", "application/jwt", "", "application/statuslist+jwt+x"):
            assert of(self.answer(media=media), OFFICE) == "status.media_type"
        assert of(Response(200, {}, token(OFFICE), NOW), OFFICE) == "status.media_type"


class TestValidation:
    """§8.3"""

    def test_a_passed_check_says_how_fresh_it_is(self) -> None:
        host = Host({URI: token(OFFICE)})
        found = judge(host, OFFICE, ref(1023))
        assert dict(found.facts) == {
            "status": "valid", "list": URI, "index": 1023, "status_as_of": "2026-11-22T09:30:12Z",
            "known_until": "2026-11-22T09:45:12Z", "ttl": 900, "bound": 900, "met": "yes", "freshness": "fresh",
        }  # fmt: skip

    def test_no_entries(self) -> None:
        empty = Host()
        missing = check((), OFFICE.issuer.signed_by, OFFICE.trusted, Freshness(), NOW, required=True).run(empty)
        assert code(missing) == "status.missing"
        none = check((), OFFICE.issuer.signed_by, OFFICE.trusted, Freshness(), NOW, required=False).run(empty)
        assert dict(none.facts) == {"status": "none"}
        assert empty.asked == []

    def test_an_entry_counts_where_none_is_demanded(self) -> None:
        host = Host({URI: token(OFFICE)})
        assert code(judge(host, OFFICE, ref(1), required=False)) == "status.invalid"

    def test_subject(self) -> None:
        made = token(OFFICE)
        assert of(made, OFFICE) == "passed"
        for uri in (URI + "/", URI.upper(), URI + "?", "https://id.lindau.example/status/4"):
            assert of(token(OFFICE, uri=uri), OFFICE) == "status.subject"
        # the address that a redirect led to is not the subject
        assert of(made, OFFICE, ref(uri=URI)) == "passed"

    def test_index(self) -> None:
        assert of(token(OFFICE), OFFICE, ref(1023)) == "passed"
        found = judge(Host({URI: token(OFFICE)}), OFFICE, ref(1024))
        assert (code(found), found.outcome) == ("status.index", Outcome.FAILED)

    def test_the_signature(self) -> None:
        other = Office().issuer.signer
        for form in FORMS:
            made = token(OFFICE, form=form)
            assert of(made, OFFICE) == "passed"
            found = judge(Host({URI: forged(made, other, form)}), OFFICE)
            assert (code(found), found.outcome) == ("signature.invalid", Outcome.FAILED)

    def test_times(self) -> None:
        made = token(OFFICE, lifetime=HOUR)
        for moment, expected in (
            (NOW, "passed"), (NOW + HOUR - timedelta(seconds=1), "passed"), (NOW + HOUR, "status.expired"),
            (NOW - limits.SKEW, "passed"), (NOW - limits.SKEW - timedelta(seconds=1), "status.not_yet"),
        ):  # fmt: skip
            found = judge(Host({URI: made}, now=moment), OFFICE)
            assert code(found) == expected
            assert found.outcome is (Outcome.PASSED if expected == "passed" else Outcome.UNDECIDED)
        assert of(forged(made, SIGNER, exp=None), OFFICE) == "passed"

    def test_several_entries_the_worst_wins(self) -> None:
        other = "https://id.lindau.example/status/4"
        host = Host({URI: token(OFFICE), other: token(OFFICE, {0: 2}, uri=other, ttl=5 * MINUTE)})
        assert code(judge(host, OFFICE, ref(0), ref(0, other))) == "status.suspended"
        assert code(judge(host, OFFICE, ref(0, other), ref(0))) == "status.suspended"
        assert code(judge(host, OFFICE, ref(0), ref(1, other))) == "passed"
        gone = ref(0, "https://id.lindau.example/status/5")
        assert code(judge(host, OFFICE, ref(0), gone)) == "net.connect"
        assert code(judge(host, OFFICE, gone, ref(0))) == "net.connect"
        assert code(judge(host, OFFICE, gone, ref(1))) == "status.invalid"
        assert code(judge(host, OFFICE, ref(1), gone)) == "status.invalid"
        assert code(judge(host, OFFICE, ref(1), ref(2))) == "status.invalid"
        assert code(judge(host, OFFICE, ref(0), ref(kind="other"))) == "status.kind_not_built"
        # what is told is how long all of it is known
        for refs in ((ref(0), ref(5, other)), (ref(5, other), ref(0))):
            assert judge(host, OFFICE, *refs).facts["known_until"] == "2026-11-22T09:35:12Z"

    def test_no_list_is_fetched_twice_for_two_entries(self) -> None:
        host = Host({URI: token(OFFICE)})
        assert code(judge(host, OFFICE, ref(0), ref(5))) == "passed"
        assert len(host.asked) == 1

    def test_unpacked_only_when_signed(self) -> None:
        made = forged(token(OFFICE), SIGNER, inside={"lst": base64url.encode(b"no zlib")})
        assert of(made, OFFICE) == "status_list.not_zlib"
        assert of(forged(made, Office().issuer.signer), OFFICE) == "signature.invalid"


class TestHistory:
    """§8.4"""

    THEN = NOW - 48 * HOUR

    def asked(self, answer: Any, moment: datetime = THEN, index: int = 0, uri: str = URI) -> str:
        seconds = int(moment.timestamp())
        host = Host({f"{uri}{'&' if '?' in uri else '?'}time={seconds}": answer})
        plan = check_then(ref(index, uri), OFFICE.issuer.signed_by, OFFICE.trusted, moment)
        return code(plan.run(host))

    def test_a_list_of_that_time(self) -> None:
        made = token(OFFICE, {1: 1}, at=self.THEN - HOUR, lifetime=2 * HOUR)
        assert self.asked(made) == "passed"
        assert self.asked(made, index=1) == "status.invalid"
        assert self.asked(made, self.THEN - HOUR) == "passed"
        assert self.asked(made, self.THEN - HOUR - timedelta(seconds=1)) == "status.no_history"
        assert self.asked(made, self.THEN + HOUR - timedelta(seconds=1)) == "passed"
        assert self.asked(made, self.THEN + HOUR) == "status.expired"
        query = "https://id.lindau.example/status?list=3"
        assert self.asked(token(OFFICE, at=self.THEN, uri=query), uri=query) == "passed"

    def test_a_host_that_knows_no_history(self) -> None:
        assert self.asked(token(OFFICE)) == "status.not_yet"
        endless = forged(token(OFFICE, at=self.THEN), SIGNER, exp=None)
        assert self.asked(endless) == "status.no_history"
        for status in (404, 501):
            assert self.asked(Response(status, {}, b"", NOW)) == "status.http"

    def test_refused(self) -> None:
        made = token(OFFICE, at=self.THEN)
        assert self.asked(made) == "passed"
        assert self.asked(forged(made, Office().issuer.signer)) == "signature.invalid"
        plan = check_then(ref(kind="other"), OFFICE.issuer.signed_by, OFFICE.trusted, self.THEN)
        assert code(plan.run(Host())) == "status.kind_not_built"


class TestAggregation:
    """§9"""

    def test_read(self) -> None:
        assert lists.read_aggregation(b'{"status_lists":["a","b","a"],"more":1}') == ("a", "b")
        assert lists.read_aggregation(b'{"status_lists":[]}') == ()
        for wrong, expected in (
            (b"[]", "json.not_an_object"), (b"{}", "json.missing"), (b'{"status_lists":"a"}', "json.wrong_type"),
            (b'{"status_lists":[1]}', "json.wrong_type"),
        ):  # fmt: skip
            assert raised(lists.read_aggregation, wrong) == expected

    def test_how_many(self) -> None:
        most = lists.write_aggregation(map(str, range(limits.STATUS_LISTS)))
        assert len(lists.read_aggregation(most)) == limits.STATUS_LISTS
        more = lists.write_aggregation(map(str, range(limits.STATUS_LISTS + 1)))
        assert raised(lists.read_aggregation, more) == "status_list.aggregation_too_long"


class TestKeyResolution:
    """§11.3"""

    def test_of_a_did(self) -> None:
        made = token(OFFICE)
        own = OFFICE.issuer.id
        fragment = own.removeprefix("did:key:")
        for kid in (f"{own}#{fragment}", f"#{fragment}", fragment, None):
            assert of(forged(made, SIGNER, header={"kid": kid}), OFFICE) == "passed"
            assert of(forged(made, SIGNER, header={"kid": kid}, iss=None), OFFICE) == "passed"
        other = Office().issuer.id
        other_url = f"{other}#{other.removeprefix('did:key:')}"
        assert of(forged(made, SIGNER, header={"kid": other_url}), OFFICE) == "status.other_iss"
        assert of(forged(made, SIGNER, header={"kid": other_url}, iss=None), OFFICE) == "status.other_signer"
        for iss in (other, "https://id.lindau.example", own + "#"):
            assert of(forged(made, SIGNER, header={"kid": None}, iss=iss), OFFICE) == "status.other_signer"
        assert of(forged(made, SIGNER, header={"kid": "#elsewhere"}), OFFICE) == "did.no_such_key"
        assert of(forged(made, SIGNER, header={"kid": "did:"}), OFFICE).startswith("did.")
        chain, leaf = certified()
        assert of(token(OFFICE, signed_by=chain, signer=leaf), OFFICE) == "status.other_signer"

    def test_of_an_https_issuer(self) -> None:
        web = "https://id.wangen.example"
        keys = {"a": SIGNER.public_key, "b": ROOT_SIGNER.public_key}
        trusted = TrustList((TrustEntry(web=web, mechanism="web", types=("x",), keys=keys),))

        def found(made: bytes) -> str:
            return of(made, OFFICE, trusted=trusted, issuer=KeyRef(WebIssuer(web, "a")))

        for form in FORMS:
            assert found(token(OFFICE, form=form, signed_by=WebIssuer(web, "a"))) == "passed"
            assert found(token(OFFICE, form=form, signed_by=WebIssuer(web, "b"), signer=ROOT_SIGNER)) == "passed"
            assert found(token(OFFICE, form=form, signed_by=WebIssuer(web, "b"))) == "signature.invalid"
            assert found(token(OFFICE, form=form, signed_by=WebIssuer(web, ""))) == "passed"
            assert found(token(OFFICE, form=form, signed_by=WebIssuer(web, "c"))) == "trust.no_such_key"
            assert found(token(OFFICE, form=form, signed_by=WebIssuer(web + "/x", "a"))) == "status.other_signer"
            assert found(token(OFFICE, form=form)) == "status.other_signer"

    def test_of_a_certificate(self) -> None:
        chain, leaf = certified()
        trusted = TrustList((TrustEntry(roots=(ROOT,), mechanism="x5c", types=("x",)),))

        def found(made: bytes) -> str:
            return of(made, OFFICE, trusted=trusted, issuer=KeyRef(chain))

        for form in FORMS:
            good = token(OFFICE, form=form, signed_by=chain, signer=leaf)
            assert found(good) == "passed"
            without = {"header": {"x5c": None} if form == "jwt" else {33: None}}
            assert found(forged(good, leaf, form, **without)) == "passed"
            assert found(forged(good, leaf, form, **without, iss=BREGENZ)) == "passed"
            assert found(forged(good, leaf, form, **without, iss="https://elsewhere.example")) == "status.other_signer"
            assert found(forged(good, SIGNER, form)) == "signature.invalid"
            # another certificate of the same authority, even under the same name, is not the issuer's key
            twin, twin_signer = certified()
            assert found(token(OFFICE, form=form, signed_by=twin, signer=twin_signer)) == "status.other_signer"
        # the same key under another authority, or renewed by its own
        elsewhere = certify.certify_root(ROOT_SIGNER, certify.Name("Elsewhere"), at=NOW - HOUR)
        again = certify.certify_issuer(
            leaf.public_key, certify.Name("Issuer"), root=ROOT, signer=ROOT_SIGNER, at=NOW - HOUR, uris=[BREGENZ]
        )
        strange = certify.certify_issuer(
            leaf.public_key, certify.Name("Issuer"), root=elsewhere, signer=ROOT_SIGNER, at=NOW - HOUR, uris=[BREGENZ]
        )
        assert found(token(OFFICE, signed_by=CertificateChain((again,)), signer=leaf)) == "passed"
        assert found(token(OFFICE, signed_by=CertificateChain((strange,)), signer=leaf)).startswith("trust.chain")
        nonsense = forged(token(OFFICE), SIGNER, header={"x5c": ["MAA="]})
        assert found(nonsense).startswith("x509.")

    def test_somebody_whom_the_trust_list_names(self) -> None:
        """A status list signed by another key adds one exchange, for that signer's document."""
        other = Office()
        made = token(OFFICE, signer=other.issuer.signer, signed_by=other.issuer.signed_by.at)
        assert of(made, OFFICE) == "status.other_signer"
        entry = TrustEntry(did=OFFICE.issuer.id, mechanism="did", types=("x",), status_issuer=other.issuer.id)
        assert of(made, OFFICE, trusted=TrustList((entry,))) == "passed"
        assert of(token(OFFICE), OFFICE, trusted=TrustList((entry,))) == "passed"
        assert of(forged(made, SIGNER), OFFICE, trusted=TrustList((entry,))) == "signature.invalid"
        over = TrustList((replace(entry, until=NOW),))
        assert of(made, OFFICE, trusted=over) == "status.other_signer"
        early = TrustList((replace(entry, since=NOW + HOUR),))
        assert of(made, OFFICE, trusted=early) == "status.other_signer"
        assert of(made, OFFICE, trusted=TrustList((replace(entry, since=NOW, until=NOW + HOUR),))) == "passed"
        elsewhere = TrustList((replace(entry, did="did:web:elsewhere.example"),))
        assert of(made, OFFICE, trusted=elsewhere) == "status.other_signer"

    def test_an_https_signer_whom_the_trust_list_names(self) -> None:
        web = "https://status.example"
        entry = TrustEntry(did=OFFICE.issuer.id, mechanism="did", types=("x",), status_issuer=web)
        keys = json.dumps({"issuer": web, "jwks": {"keys": [{**jwk.write(ROOT_SIGNER.public_key), "kid": "s"}]}})
        url = "https://status.example/.well-known/jwt-vc-issuer"
        made = token(OFFICE, signer=ROOT_SIGNER, signed_by=WebIssuer(web, "s"))
        host = Host({URI: made, url: Response(200, {"content-type": "application/json"}, keys.encode(), NOW)})
        assert code(judge(host, OFFICE, trusted=TrustList((entry,)))) == "passed"
        assert [request.url for request in host.asked] == [URI, url]

    def test_a_signer_beside_a_certificate(self) -> None:
        chain, _ = certified()
        other = Office()
        made = token(OFFICE, signer=other.issuer.signer, signed_by=other.issuer.signed_by.at)
        entry = TrustEntry(roots=(ROOT,), mechanism="x5c", types=("x",), status_issuer=other.issuer.id)

        def found(entry: TrustEntry) -> str:
            return of(made, OFFICE, trusted=TrustList((entry,)), issuer=KeyRef(chain))

        assert found(entry) == "passed"
        assert found(replace(entry, issuer=BREGENZ)) == "passed"
        assert found(replace(entry, issuer="https://elsewhere.example")) == "status.other_signer"
        assert found(replace(entry, status_issuer="did:web:other.example")) == "status.other_signer"
        two = certify.certify_root(SIGNER, certify.Name("Two"), at=NOW - HOUR)
        other_root = TrustEntry(roots=(two,), mechanism="x5c", types=("x",), status_issuer=other.issuer.id)
        plain = replace(entry, status_issuer="")
        both = TrustList((other_root, plain))
        assert of(made, OFFICE, trusted=both, issuer=KeyRef(chain)) == "status.other_signer"


class TestCaching:
    """§13.7: three answers, fresh, stale and unknown; never silently an old one."""

    def host(self, **more: Any) -> Host:
        host = Host({URI: token(OFFICE, **more)})
        assert code(judge(host, OFFICE)) == "passed"
        return host

    def test_kept_while_it_is_fresh(self) -> None:
        host = self.host()
        host.now += 15 * MINUTE - timedelta(seconds=1)
        found = judge(host, OFFICE)
        assert len(host.asked) == 1
        assert found.facts["status_as_of"] == "2026-11-22T09:30:12Z"
        assert found.facts["known_until"] == "2026-11-22T09:45:12Z"

    def test_asked_again_past_its_time_to_live(self) -> None:
        host = self.host(ttl=5 * MINUTE)
        host.now += 5 * MINUTE
        assert code(judge(host, OFFICE)) == "passed"
        assert len(host.asked) == 1
        host.now += timedelta(seconds=1)
        host.answers[URI] = token(OFFICE, {0: 2}, at=host.now)
        found = judge(host, OFFICE)
        assert len(host.asked) == 2
        assert host.asked[1].max_age == timedelta(0)
        assert code(found) == "status.suspended"

    def test_asked_again_past_its_end(self) -> None:
        host = self.host(lifetime=5 * MINUTE, ttl=5 * MINUTE)
        host.now += 5 * MINUTE
        assert code(judge(host, OFFICE)) == "status.expired"
        assert len(host.asked) == 2
        host.now += timedelta(seconds=1)
        host.answers[URI] = token(OFFICE, at=host.now)
        assert code(judge(host, OFFICE)) == "passed"

    def test_the_policy_bounds_it_as_well(self) -> None:
        host = self.host(ttl=HOUR)
        host.now += 3 * MINUTE
        strict = Freshness(max_age=2 * MINUTE)
        found = judge(host, OFFICE, freshness=strict)
        assert len(host.asked) == 2
        assert (found.facts["ttl"], found.facts["bound"]) == (3600, 120)
        lax = Freshness(max_age=2 * HOUR)
        assert judge(host, OFFICE, freshness=lax).facts["bound"] == 3600

    def test_without_a_time_to_live(self) -> None:
        host = Host({URI: forged(token(OFFICE), SIGNER, ttl=None)})
        found = judge(host, OFFICE, freshness=Freshness(max_age=2 * HOUR))
        assert (found.facts["ttl"], found.facts["bound"]) == (0, 7200)
        assert found.facts["known_until"] == "2026-11-22T11:30:12Z"

    def test_clamped(self) -> None:
        """However an issuer would like it: at least a minute, at most a day."""
        lax = Freshness(max_age=timedelta(days=5))
        for ttl, bound in ((1, 60), (59, 60), (60, 60), (61, 61), (86_400, 86_400), (86_401, 86_400), (10**9, 86_400)):
            made = forged(token(OFFICE), SIGNER, ttl=ttl)
            assert judge(Host({URI: made}), OFFICE, freshness=lax).facts["bound"] == bound

    def test_known_no_longer_than_it_lives(self) -> None:
        host = Host({URI: token(OFFICE, lifetime=5 * MINUTE, ttl=5 * MINUTE)})
        assert judge(host, OFFICE).facts["known_until"] == "2026-11-22T09:35:12Z"

    def test_an_edge_that_gives_old_answers_is_not_believed(self) -> None:
        old = Response(200, {"content-type": JWT}, token(OFFICE), NOW)
        asked = []

        def edge(request: Request) -> Response:
            asked.append(request.max_age)
            return old

        found = judge(edge, OFFICE, at=NOW + HOUR)
        assert code(found) == "status.stale"
        assert found.outcome is Outcome.UNDECIDED
        assert found.problem is not None
        assert dict(found.problem.facts) == {"list": URI, "until": "2026-11-22 09:45 UTC"}
        assert asked == [Freshness().max_age, timedelta(0)]

    def test_a_kept_list_that_is_refused_is_asked_for_again(self) -> None:
        host = Host({URI: forged(token(OFFICE), Office().issuer.signer)})
        assert code(judge(host, OFFICE)) == "signature.invalid"
        assert len(host.asked) == 1
        host.now += MINUTE
        host.answers[URI] = token(OFFICE)
        assert code(judge(host, OFFICE)) == "passed"

    def test_grace(self) -> None:
        host = self.host(ttl=5 * MINUTE)
        del host.answers[URI]
        host.now += 10 * MINUTE
        assert code(judge(host, OFFICE)) == "net.connect"
        grace = Freshness(grace=HOUR)
        found = judge(host, OFFICE, freshness=grace)
        assert dict(found.facts) == {
            "status": "valid", "list": URI, "index": 0, "status_as_of": "2026-11-22T09:30:12Z",
            "known_until": "2026-11-22T10:30:12Z", "ttl": 300, "bound": 3600, "met": "yes", "freshness": "stale",
        }  # fmt: skip
        host.now = NOW + HOUR
        assert code(judge(host, OFFICE, freshness=grace)) == "passed"
        host.now += timedelta(seconds=1)
        late = judge(host, OFFICE, freshness=grace)
        assert (code(late), late.outcome) == ("status.stale", Outcome.UNDECIDED)
        assert late.problem is not None
        assert late.problem.facts["until"] == "2026-11-22 10:30 UTC"

    def test_grace_never_outlives_the_list(self) -> None:
        host = self.host(lifetime=30 * MINUTE)
        del host.answers[URI]
        grace = Freshness(grace=HOUR)
        host.now = NOW + 30 * MINUTE - timedelta(seconds=1)
        assert judge(host, OFFICE, freshness=grace).facts["known_until"] == "2026-11-22T10:00:12Z"
        host.now = NOW + 30 * MINUTE
        assert code(judge(host, OFFICE, freshness=grace)) == "status.expired"

    def test_what_is_kept_says_no_as_well(self) -> None:
        host = self.host()
        del host.answers[URI]
        host.now += 30 * MINUTE
        assert code(judge(host, OFFICE, ref(1), freshness=Freshness(grace=HOUR))) == "status.invalid"

    def test_a_refusal_is_no_outage(self) -> None:
        """Somebody else's list where the right one was is no reason for mercy."""
        host = self.host()
        host.now += 30 * MINUTE
        host.answers[URI] = forged(token(OFFICE), Office().issuer.signer)
        assert code(judge(host, OFFICE, freshness=Freshness(grace=HOUR))) == "signature.invalid"

    def test_offline_counts_only_for_what_was_fetched_ahead(self) -> None:
        offline = Freshness(grace=HOUR, offline=8 * HOUR)
        for ahead, hours, expected in (
            (True, 8, "passed"), (True, 9, "status.stale"), (False, 1, "passed"), (False, 2, "status.stale"),
        ):  # fmt: skip
            kept = Response(200, {"content-type": JWT}, token(OFFICE), NOW, ahead=ahead)

            def edge(request: Request, kept: Response = kept) -> Response:
                if not request.kept:
                    raise Unavailable("net.name", host="id.lindau.example")
                assert request.max_age == limits.STATUS_KEPT
                return kept

            found = judge(edge, OFFICE, freshness=offline, at=NOW + hours * HOUR)
            assert code(found) == expected
            if expected == "passed":
                assert found.facts["freshness"] == "stale"
                assert found.facts["bound"] == (8 if ahead else 1) * 3600

    def test_nothing_kept(self) -> None:
        host = Host()
        assert code(judge(host, OFFICE, freshness=Freshness(grace=HOUR))) == "net.connect"

    def test_what_is_worth_keeping(self) -> None:
        accept = f"{JWT}, {CWT};q=0.9"
        assert readable(accept, JWT, token(OFFICE))
        assert readable(accept, CWT, token(OFFICE, form="cwt"))
        assert not readable(accept, CWT, token(OFFICE))
        assert not readable(accept, "text/html", token(OFFICE))
        assert readable("application/json", "text/html", b"")


class TestMemo:
    """Decoded lists are remembered by the hash of their bytes, bounded by bytes."""

    def test_the_work_is_done_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        count: list[int] = []
        inflate = lists._inflate

        def counted(data: bytes) -> bytes:
            count.append(1)
            return inflate(data)

        monkeypatch.setattr(lists, "_inflate", counted)
        host = Host({URI: token(OFFICE, {7: 1})})
        for _ in range(3):
            assert code(judge(host, OFFICE)) == "passed"
        assert len(count) == 1

    def test_a_key_is_checked_for_itself(self) -> None:
        memo: Memo[lists.Token] = Memo(1 << 20)
        made = token(OFFICE)
        reading = memo.read(made, JWT, lambda body: read(body, "jwt"))
        assert len(memo) == 0
        reading.checked(SIGNER.public_key)
        again = memo.read(made, JWT, lambda body: read(body, "jwt"))
        assert again is reading
        assert raised(again.checked, Office().issuer.signer.public_key) == "signature.invalid"
        assert again.checked(SIGNER.public_key) is reading.checked(SIGNER.public_key)

    def test_bounded_by_bytes(self) -> None:
        bodies = [token(OFFICE, {n: 1}, size=1 << 16) for n in range(4)]
        weight = (1 << 14) + 3 * len(bodies[0])
        memo: Memo[lists.Token] = Memo(2 * weight + 200)

        def use(body: bytes) -> Any:
            reading = memo.read(body, JWT, lambda data: read(data, "jwt"))
            reading.checked(SIGNER.public_key)
            return reading

        first, second = use(bodies[0]), use(bodies[1])
        assert use(bodies[0]) is first  # used last, so the other goes
        use(bodies[2])
        assert len(memo) == 2
        assert use(bodies[0]) is first
        assert use(bodies[1]) is not second
        use(token(OFFICE, size=1 << 20))
        assert len(memo) == 2  # too large to be kept, and drives nothing out

    def test_two_readings_at_once(self) -> None:
        memo: Memo[lists.Token] = Memo(1 << 20)
        made = token(OFFICE)
        readings = [memo.read(made, JWT, lambda body: read(body, "jwt")) for _ in range(2)]
        for reading in readings:
            reading.checked(SIGNER.public_key)
        assert len(memo) == 1

    def test_the_media_type_is_part_of_the_name(self) -> None:
        host = Host({URI: token(OFFICE)})
        assert code(judge(host, OFFICE)) == "passed"
        wrong = Response(200, {"content-type": CWT}, token(OFFICE), NOW)
        assert of(wrong, OFFICE).startswith("cbor.")
