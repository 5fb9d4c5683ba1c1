"""Token Status List, draft-ietf-oauth-status-list-20. One class a section."""

from __future__ import annotations

import json
import random
import re
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cityid import limits
from cityid.cose import sign1
from cityid.credential import CertificateChain, DidUrl, WebIssuer
from cityid.encoding import base64url, cbor
from cityid.errors import CityIdError
from cityid.keys import Algorithm, Signer, certify, jwk
from cityid.status import token_status_list as lists
from cityid.status.token_status_list import CWT, Packed, StatusList, build, read
from tests.jobs.offices import NOW, Office
from tests.lists import HOUR, MINUTE, URI, forged, token
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
        from cityid.formats._sd_jwt_vc_payload import statuses_of

        (found,) = statuses_of(topic("referenced-token-jose")["payload"]["status"])
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
        claims: tuple[tuple[str, Any], ...] = (
            ("sub", 7),
            ("iat", "7"),
            ("nbf", "7"),
            ("exp", "7"),
            ("ttl", "7"),
            ("iss", 7),
        )
        for name, value in claims:
            assert raised(read, forged(made, SIGNER, form, **{name: value}), form) == wrong
        for name, other in (("bits", "1"), ("bits", True), ("lst", 7), ("aggregation_uri", 7)):
            assert raised(read, forged(made, SIGNER, form, inside={name: other}), form) == wrong
        for name in ("iat", "nbf", "exp"):
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
