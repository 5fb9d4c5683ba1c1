"""Attack group J: JSON, text, base64 and numbers, against every place of the package that reads JSON from outside.

Not here: J11 and J12, which are vectors of RFC 8785 (`tests/spec`). The header of a sealed file (keyring, wallet) is
JSON too, and none of a stranger's: whatever is wrong with it is `store.damaged` (`test_sealed_headers`).
"""

from __future__ import annotations

import base64
import json
import re
import resource
import subprocess
import sys
import time
import traceback
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from cityid import accepting, credential_type, query, trust
from cityid.cards import CardRequest, Cards, Offer, check_proofs
from cityid.credential import KeyRef, WebIssuer
from cityid.did import document as did_document
from cityid.did import jwk as did_jwk
from cityid.did import parse
from cityid.edge.recorded import Record, read_record
from cityid.edge.resources import schemas
from cityid.edge.sealed import read_header
from cityid.encoding import times
from cityid.errors import FIELD_LENGTH, CityIdError, Malformed, Unavailable
from cityid.formats import FORMATS, type_metadata
from cityid.jose import jws
from cityid.keys import Algorithm, jwk
from cityid.plan import Response
from cityid.presenting import read_request
from cityid.register import leaves
from cityid.status import token_status_list
from tests import w3c
from tests.city import AUDIENCE, NOW, TYPES, Town
from tests.memory import MemoryWallet
from tests.paths import TREE
from tests.sd_jwts import AUDIENCE as HERE
from tests.sd_jwts import HOLDER, ISSUER, NONCE, b64, digest, raw_jws

SECRET = "Lovelace-0815"
VC = FORMATS["dc+sd-jwt"]


@dataclass(frozen=True)
class Entry:
    """A place that reads JSON: what it reads when all is well, and how `data` gets there."""

    good: Callable[[], bytes]
    read: Callable[[bytes], Any]


def _payload() -> bytes:
    claims = {"iss": "https://id.lindau.example", "vct": "urn:cityid:residency:1", "exp": 4_000_000_000,
              "cnf": {"jwk": jwk.write(HOLDER.public_key)}}  # fmt: skip
    return json.dumps(claims).encode()


def _card(payload: bytes, *disclosures: str) -> bytes:
    header = {"typ": "dc+sd-jwt", "kid": "key-1"}
    return "~".join([raw_jws({"alg": "ES256", **header}, payload), *disclosures, ""]).encode()


def _disclosed(data: bytes) -> Any:
    shown = b64(data)
    return VC.read(_card(json.dumps({**json.loads(_payload()), "_sd": [digest(shown)]}).encode(), shown))


def _bound(header: bytes, payload: bytes) -> Any:
    card = _card(_payload()).decode()
    return VC.read_presentation((card + raw_jws(header, payload, HOLDER)).encode())


def _w3c(name: str, typ: str, data: bytes) -> Any:
    return FORMATS[name].read(raw_jws({"alg": "ES256", "typ": typ, "kid": "issuer-1"}, data).encode())


_KB_HEADER = b'{"alg":"ES256","typ":"kb+jwt"}'


def _kb_payload() -> bytes:
    sd_hash = digest(_card(_payload()).decode())
    return json.dumps({"iat": 1_795_339_812, "aud": HERE, "nonce": NONCE, "sd_hash": sd_hash}).encode()


def _did(data: bytes) -> Any:
    return did_document.read_document(data, "did:web:id.lindau.example")


def _document() -> bytes:
    method = {"id": "did:web:id.lindau.example#key-1", "type": "JsonWebKey", "controller": "did:web:id.lindau.example",
              "publicKeyJwk": jwk.write(ISSUER.public_key)}  # fmt: skip
    return json.dumps({"id": "did:web:id.lindau.example", "verificationMethod": [method],
                       "assertionMethod": [method["id"]]}).encode()  # fmt: skip


def _metadata() -> bytes:
    keys = {"keys": [{**jwk.write(ISSUER.public_key), "kid": "key-1"}]}
    return json.dumps({"issuer": "https://id.lindau.example", "jwks": keys}).encode()


def _published(data: bytes) -> Any:
    answer = Response(200, {"content-type": "application/json"}, data, NOW)
    return trust.key(KeyRef(WebIssuer("https://id.lindau.example", "key-1")), None, NOW).run(lambda request: answer)


def _by_link(data: bytes) -> Any:
    bodies = iter([b'{"issuer":"https://id.lindau.example","jwks_uri":"https://id.lindau.example/jwks"}', data])
    ref = KeyRef(WebIssuer("https://id.lindau.example", "key-1"))
    return trust.key(ref, None, NOW).run(
        lambda request: Response(200, {"content-type": "application/json"}, next(bodies), NOW)
    )


def _request() -> bytes:
    asked = {"credentials": [{"id": "card", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:x"]},
                              "claims": [{"path": ["age_over_18"]}]}]}  # fmt: skip
    return json.dumps(
        {"response_type": "vp_token", "client_id": AUDIENCE, "nonce": NONCE, "dcql_query": asked}
    ).encode()


@cache
def _messages() -> tuple[bytes, bytes, bytes]:
    town, pocket = Town(), MemoryWallet()
    offer = town.office.offer()
    request = accepting.begin(offer, pocket, NOW)
    return offer.write(), request.write(), town.office.issuer.answer(request, at=NOW).write()


def _proof(header: bytes, payload: bytes) -> Any:
    return check_proofs([raw_jws(header, payload, HOLDER)], issuer="https://id.lindau.example", nonce=NONCE, copies=1,
                        algorithms=[Algorithm.ES256], at=NOW)  # fmt: skip


def _proof_header() -> bytes:
    return json.dumps({"alg": "ES256", "typ": "openid4vci-proof+jwt", "jwk": jwk.write(HOLDER.public_key)}).encode()


def _proof_payload() -> bytes:
    return json.dumps({"aud": "https://id.lindau.example", "iat": int(NOW.timestamp()), "nonce": NONCE}).encode()


_STATUS_HEADER = b'{"alg":"ES256","typ":"statuslist+jwt","kid":"key-1"}'


def _status_list() -> bytes:
    inside = {"bits": 1, "lst": b64(zlib.compress(bytes(8)))}
    return json.dumps({"sub": "https://id.lindau.example/1", "iat": 1_795_339_812, "status_list": inside}).encode()


_PROOF = {
    "type": "DataIntegrityProof", "cryptosuite": "ecdsa-jcs-2019", "proofPurpose": "assertionMethod",
    "verificationMethod": "did:web:id.lindau.example#key-1", "proofValue": "z1",
}  # fmt: skip


def _with_proof() -> bytes:
    return json.dumps({
        "@context": [w3c.V2], "type": ["VerifiableCredential"], "issuer": "did:web:id.lindau.example",
        "credentialSubject": {"id": "urn:x:1"}, "proof": _PROOF,
    }).encode()  # fmt: skip


def _presented() -> bytes:
    return json.dumps({
        "@context": [w3c.V2], "type": "VerifiablePresentation", "verifiableCredential": [json.loads(_with_proof())],
        "proof": {**_PROOF, "proofPurpose": "authentication"},
    }).encode()  # fmt: skip


def _as_json() -> bytes:
    protected, payload, signature = raw_jws({"alg": "ES256", "typ": "dc+sd-jwt", "kid": "key-1"}, _payload()).split(".")
    return json.dumps({"payload": payload, "protected": protected, "signature": signature,
                       "header": {"disclosures": []}}).encode()  # fmt: skip


ENTRIES = {
    "jose header": Entry(
        lambda: b'{"alg":"ES256","typ":"dc+sd-jwt","kid":"key-1"}',
        lambda data: VC.read((raw_jws(data, _payload()) + "~").encode()),
    ),
    "any jws header": Entry(
        lambda: b'{"alg":"ES256","typ":"x+jwt"}', lambda data: jws.read_compact(raw_jws(data), typ="x+jwt")
    ),
    "jwt payload": Entry(_payload, lambda data: VC.read(_card(data))),
    "disclosure of a claim": Entry(lambda: b'["2GLC42sKQveCfGfryNRN9w", "given_name", {"a": "Ada"}]', _disclosed),
    "kb-jwt header": Entry(lambda: _KB_HEADER, lambda data: _bound(data, _kb_payload())),
    "kb-jwt payload": Entry(_kb_payload, lambda data: _bound(_KB_HEADER, data)),
    "sd-jwt in json": Entry(_as_json, VC.read),
    "did document": Entry(_document, _did),
    "did:jwk": Entry(
        lambda: json.dumps(jwk.write(ISSUER.public_key)).encode(),
        lambda data: did_jwk.read(parse(f"did:jwk:{b64(data)}")),
    ),
    "issuer metadata": Entry(_metadata, _published),
    "jwk set": Entry(lambda: json.dumps(json.loads(_metadata())["jwks"]).encode(), _by_link),
    "type metadata": Entry(
        lambda: type_metadata.generate(TYPES["age"]), lambda data: type_metadata.read(data, "urn:cityid:age:1")
    ),
    "type definition": Entry((schemas() / "types" / "age.json").read_bytes, credential_type.read),
    "dcql": Entry(lambda: json.dumps(json.loads(_request())["dcql_query"]).encode(), query.read),
    "request": Entry(_request, read_request),
    "offer": Entry(lambda: _messages()[0], Offer.read),
    "request for cards": Entry(lambda: _messages()[1], CardRequest.read),
    "cards": Entry(lambda: _messages()[2], Cards.read),
    "proof header": Entry(_proof_header, lambda data: _proof(data, _proof_payload())),
    "proof payload": Entry(_proof_payload, lambda data: _proof(_proof_header(), data)),
    "w3c jwt payload": Entry(lambda: json.dumps(w3c.bound()).encode(), lambda data: _w3c("vc+jwt", "vc+jwt", data)),
    "w3c old jwt payload": Entry(lambda: json.dumps(w3c.old()).encode(), lambda data: _w3c("jwt_vc_json", "JWT", data)),
    "w3c cose payload": Entry(
        lambda: json.dumps(w3c.document()).encode(), lambda data: FORMATS["vc+cose"].read(w3c.cose(data))
    ),
    "w3c credential": Entry(_with_proof, FORMATS["ldp_vc"].read),
    "w3c presentation": Entry(_presented, FORMATS["ldp_vc"].read_presentation),
    "status list": Entry(
        _status_list, lambda data: token_status_list.read(raw_jws(_STATUS_HEADER, data).encode(), "jwt")
    ),
    "status list header": Entry(
        lambda: _STATUS_HEADER, lambda data: token_status_list.read(raw_jws(data, _status_list()).encode(), "jwt")
    ),
    "status list aggregation": Entry(
        lambda: b'{"status_lists":["https://id.lindau.example/1"]}', token_status_list.read_aggregation
    ),
    "opening of the log": Entry(
        lambda: json.dumps({"event": {"kind": "issue"}, "key": b64(bytes(32))}).encode(), leaves.read_opening
    ),
    "record": Entry(lambda: Record(NOW, ()).write(), read_record),
}
everywhere = pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES.keys())

# An entry that bounds its input before it looks may say so instead; then the bound is what refuses.
BOUNDS = {
    "json.too_large", "jws.too_large", "cbor.too_large", "jws.header_too_large", "offer.too_large", "did.too_long",
    "sd_jwt.too_large", "proof.too_large",
}  # fmt: skip


def put(good: bytes, evil: bytes) -> bytes:
    """`good` with one more value, `evil`, and all else as it was."""
    text = good.strip()
    if text.startswith(b"["):
        return text[: text.index(b"{") + 1] + b'"zz":' + evil + b"," + text[text.index(b"{") + 1 :]
    return b'{"zz":' + evil + b"," + text[1:]


def refused(entry: Entry, data: bytes, *codes: str) -> Malformed:
    """Malformed with one of the codes, within the time, telling nothing but what one may."""
    start = time.process_time()
    with pytest.raises(Malformed) as caught:
        entry.read(data)
    # the catalogue allows 250 ms; the machine that measures may be busy or slow, and coverage traces every line
    assert time.process_time() - start < (1.0 if sys.gettrace() is None else 8.0)
    error = caught.value
    assert error.code in codes, error
    tells_nothing(error)
    return error


def tells_nothing(error: CityIdError) -> None:
    problem = error.problem
    for field in (error.code, problem.where, problem.spec, str(problem), *map(str, problem.facts.values())):
        assert "\n" not in field
        assert field.isprintable()
    for field in (problem.where, problem.spec, *map(str, problem.facts.values())):
        assert len(field) <= FIELD_LENGTH
    told = str(error) + repr(error) + "".join(traceback.format_exception_only(error))
    assert SECRET not in told


@everywhere
def test_twin_each_entry_reads_what_is_right(entry: Entry) -> None:
    entry.read(entry.good())


@everywhere
@pytest.mark.parametrize("evil", [b"1,1", b"[1"], ids=["trailing", "open"])
def test_what_is_no_json_is_refused(entry: Entry, evil: bytes) -> None:
    refused(entry, put(entry.good(), b'"%s",' % SECRET.encode() + evil), "json.syntax", "json.duplicate")


@everywhere
@pytest.mark.parametrize("depth", [0, 1, 5])
def test_j01_duplicate_members(entry: Entry, depth: int) -> None:
    twice = b'{"iss":"https://good","iss":"%s"}' % SECRET.encode()
    evil = b'{"a":' * depth + twice + b"}" * depth
    assert refused(entry, put(entry.good(), evil), "json.duplicate").problem.facts["name"] == "iss"


@everywhere
def test_j01_duplicates_of_what_is_there(entry: Entry) -> None:
    good = entry.good().strip()
    inside = good.index(b"{")
    name = json.loads(good[good.index(b'"', inside) : good.index(b":", inside)])
    evil = good[: inside + 1] + json.dumps(name).encode() + b":1," + good[inside + 1 :]
    refused(entry, evil, "json.duplicate")


def test_j02_two_algorithms_in_a_signed_header() -> None:
    entry = ENTRIES["jose header"]
    refused(entry, b'{"alg":"none","alg":"ES256","typ":"dc+sd-jwt","kid":"key-1"}', "json.duplicate")


@everywhere
@pytest.mark.parametrize("evil", [b"NaN", b"Infinity", b"-Infinity"])
def test_j03_what_is_not_a_number(entry: Entry, evil: bytes) -> None:
    refused(entry, put(entry.good(), evil), "json.not_finite")


@everywhere
@pytest.mark.parametrize("evil", [b"1e400", b"-1e999", b"[1.0e+4000]"])
def test_j04_numbers_beyond_all_bounds(entry: Entry, evil: bytes) -> None:
    refused(entry, put(entry.good(), evil), "json.not_finite")


@everywhere
@pytest.mark.parametrize("digits", [17, 5_000, 700_000, 1_000_000])
def test_j05_long_numbers(entry: Entry, digits: int) -> None:
    before = sys.get_int_max_str_digits()
    refused(entry, put(entry.good(), b"9" * digits), "json.integer_too_large", *BOUNDS)
    refused(entry, put(entry.good(), b"0." + b"9" * (digits + 60)), "json.number_too_long", *BOUNDS)
    assert sys.get_int_max_str_digits() == before


def test_j05_twin_the_greatest_integer() -> None:
    assert VC.read(_card(put(_payload(), b"9007199254740991"))).claims["zz"] == 2**53 - 1
    refused(ENTRIES["jwt payload"], put(_payload(), b"9007199254740992"), "json.integer_too_large")


@everywhere
@pytest.mark.parametrize(("open_", "close", "times_"), [
    (b"[", b"]", 65), (b'{"a":', b"}", 65), (b"[", b"]", 3_000), (b"[", b"]", 100_000), (b'{"a":', b"}", 100_000),
])  # fmt: skip
def test_j06_nesting(entry: Entry, open_: bytes, close: bytes, times_: int) -> None:
    evil = open_ * times_ + b"1" + close * times_
    refused(entry, put(entry.good(), evil), "json.too_deep", *BOUNDS)


def test_j06_depth_is_counted_through_disclosures() -> None:
    inner = b64(b'["%s", "deep", %s]' % (b"s" * 22, b"[" * 40 + b"1" + b"]" * 40))
    outer = b64(
        b'["%s", "outer", %s]' % (b"s" * 22, b'{"a":' * 30 + b'{"_sd":["%s"]}' % digest(inner).encode() + b"}" * 30)
    )
    payload = json.dumps({**json.loads(_payload()), "_sd": [digest(outer)]}).encode()
    with pytest.raises(Malformed) as caught:
        VC.read(_card(payload, outer, inner))
    assert caught.value.code == "json.too_deep"


@everywhere
@pytest.mark.parametrize("evil", [rb'"\ud800"', rb'{"\udfff":1}', rb'["a\ud83dz"]'])
def test_j07_lone_surrogates(entry: Entry, evil: bytes) -> None:
    refused(entry, put(entry.good(), evil), "json.surrogate")


@everywhere
@pytest.mark.parametrize("form", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1"])
def test_j08_other_encodings(entry: Entry, form: str) -> None:
    data = put(entry.good(), '"é"'.encode()).decode().encode(form, "replace")
    # a message that may also be a link or compact text has a first-byte rule, and says that instead
    refused(entry, data, "json.not_utf8", "json.syntax", "offer.not_an_offer", "jws.segments", "sd_jwt.no_tilde",
            "json.bom")  # fmt: skip


def test_j09_names_are_not_normalised() -> None:
    payload = put(_payload(), '1,"caf\u00e9":1,"cafe\u0301":2,"a":3,"a\u200d":4'.encode())
    claims = VC.read(_card(payload)).claims
    assert (claims["caf\u00e9"], claims["cafe\u0301"], claims["a"], claims["a\u200d"]) == (1, 2, 3, 4)


_HEAD = b64('{"alg":"ES256","typ":"x"}')
SEGMENTS: dict[str, Callable[[str], Any]] = {
    "header": lambda text: jws.read_compact(f"{text}.e30.{'A' * 86}", typ="x"),
    "payload": lambda text: VC.read(f"{_card(_payload()).decode().split('.')[0]}.{text}.{'A' * 86}~".encode()),
    "signature": lambda text: jws.read_compact(f"{_HEAD}.e30.{text}", typ="x"),
    "did:jwk": lambda text: did_jwk.read(parse(f"did:jwk:{text}")),
    "coordinate": lambda text: jwk.read({**jwk.write(ISSUER.public_key), "x": text}),
}
GOOD = {
    "header": b64(b'{"alg":"ES256","typ":"x","a":1}'),
    "payload": b64(_payload()),
    "signature": "A" * 86,
    "did:jwk": b64(json.dumps(jwk.write(ISSUER.public_key))),
    "coordinate": jwk.write(ISSUER.public_key)["x"],
}


@pytest.mark.parametrize("place", SEGMENTS)
class TestJ14J15:
    def test_j14_strict_alphabet(self, place: str) -> None:
        good = GOOD[place]
        SEGMENTS[place](good)
        for evil in (good + "=", good + "==", good[:4] + "\n" + good[4:], good + " ", good[:5] + "!" + good[5:],
                     good[:-1] + "+", good[:-1] + "/", good + "=A"):  # fmt: skip
            with pytest.raises(Malformed) as caught:
                SEGMENTS[place](evil)
            assert caught.value.code.startswith(("base64url.", "did.", "jws."))

    def test_j15_bits_left_over(self, place: str) -> None:
        good = GOOD[place]
        if len(good) % 4 == 0:
            pytest.skip("this text has no bits left over")
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        evil = good[:-1] + alphabet[alphabet.index(good[-1]) ^ 1]
        assert base64.urlsafe_b64decode(evil + "===") == base64.urlsafe_b64decode(good + "===")
        with pytest.raises(Malformed) as caught:
            SEGMENTS[place](evil)
        assert caught.value.code == "base64url.tail"


def test_j14_j15_a_disclosure() -> None:
    """Each text is what the issuer signed: nothing but its base64url is wrong."""

    def read(text: str) -> str:
        payload = json.dumps({**json.loads(_payload()), "_sd": [digest(text)]}).encode()
        try:
            return str(VC.read(_card(payload, text)).claims["given_name"])
        except Malformed as error:
            return error.code

    good = b64(b'["2GLC42sKQveCfGfryNRN9w", "given_name", "Ada"]')
    assert read(good) == "Ada"
    assert good[-1] == "0"
    others = [good[:4] + char + good[5:] for char in "!+/ "]
    for evil in (good + "=", good + "\n", good + "=A", *others):
        assert read(evil) in ("base64url.alphabet", "base64url.length"), evil
    for bits in "123":
        assert base64.urlsafe_b64decode(good[:-1] + bits + "=") == base64.urlsafe_b64decode(good + "=")
        assert read(good[:-1] + bits) == "base64url.tail"


@everywhere
@pytest.mark.parametrize("control", ["\x00", "\n", "\x1f", "\t"])
def test_j17_raw_control_characters(entry: Entry, control: str) -> None:
    refused(entry, put(entry.good(), f'"a{control}b"'.encode()), "json.syntax")


def test_j17_an_escaped_nul_is_no_identifier() -> None:
    offer = json.loads(_messages()[0])
    offer["credential_issuer"] += "\x00"
    with pytest.raises(Malformed) as caught:
        Offer.read(json.dumps(offer).encode())
    assert caught.value.code == "cards.text"
    with pytest.raises(Malformed):
        parse("did:web:id.lindau.example\x00")


@everywhere
@pytest.mark.parametrize("evil", [
    b" " * (10 << 20) + b"1", b'"' + b"x" * (5 << 20) + b'"', b"[" + b"0," * 1_000_000 + b"0]",
    b"{" + b",".join(b'"%d":0' % number for number in range(1_000_000)) + b"}",
], ids=["whitespace", "one string", "elements", "keys"])  # fmt: skip
def test_j18_size(entry: Entry, evil: bytes) -> None:
    larger = entry is ENTRIES["cards"] or entry is ENTRIES["status list"]
    if entry is ENTRIES["record"] or (larger and not evil.startswith((b"[", b"{"))):
        pytest.skip(
            "these may be larger: 64 MiB, a file that one has recorded oneself; 4 MiB of cards; 8 MiB of a list"
        )
    refused(entry, put(entry.good(), evil), "json.too_many_values", *BOUNDS)


@everywhere
def test_j18_number_of_values(entry: Entry) -> None:
    refused(entry, put(entry.good(), b"[" + b"0," * 60_000 + b"0]"), "json.too_many_values", *BOUNDS)


@pytest.mark.parametrize("text", [
    "2025-W01-1", "20250101T000000Z", "2025-01-01 00:00:00Z", "2025-01-01T00:00:00", "2025-01-01T00:00:00,5Z",
    "2025-01-01T24:00:00Z", "2025-01-01T23:59:60Z", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z",
    "2025-01-01T00:00:00z", "2025-01-01T00:00:00+24:00", "2025-02-30T00:00:00Z", "2025-01-01", "",
])  # fmt: skip
def test_j19_times(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        times.read_stamp(text)
    assert caught.value.code == "time.not_a_stamp"
    record = json.loads(Record(NOW, ()).write())
    with pytest.raises(Malformed):
        read_record(json.dumps({**record, "at": text}).encode())


def test_j19_twin() -> None:
    assert times.read_stamp("2025-01-01T00:00:00Z") == datetime(2025, 1, 1, tzinfo=UTC)
    assert times.read_stamp("2025-01-01T01:00:00.5+01:00") == datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=0.5)


@pytest.mark.parametrize("member", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("evil", ["1e20", "-62135596801", '"9999999999"', "[]", "null", "9999999999.5e9", "true",
                                  "4000000000.0", "4e9",
                                  "253402300800"])  # fmt: skip
def test_j20_numeric_dates(member: str, evil: str) -> None:
    payload = {name: value for name, value in json.loads(_payload()).items() if name != member}
    text = json.dumps(payload)[:-1] + f', "{member}": {evil}}}'
    with pytest.raises(Malformed) as caught:
        VC.read(_card(text.encode()))
    assert caught.value.code in ("time.not_numeric", "json.wrong_type")
    VC.read(_card((json.dumps(payload)[:-1] + f', "{member}": 1795339812}}').encode()))


UNKNOWN = {"vc_jose.undefined", "json.unknown_member", "jws.header_member", "disclosure.form", "query.unknown_member",
           "type.unknown_member", "did.too_long", "log.opening", "vcdm.url"}  # fmt: skip


@everywhere
def test_j22_j24_unknown_members_bind_nothing(entry: Entry) -> None:
    """Refused where only known members may stand; otherwise what is read is what it was without them."""
    evil = b'1,"trust_anchor":true,"holder":"x","raw":"x","__class__":"x","ISS":"x","Exp":1,"_SD":["x"],"Cnf":{"jwk":1}'
    try:
        found = entry.read(put(entry.good(), evil))
    except Malformed as error:
        found = error.code
    if isinstance(found, str):
        assert found in UNKNOWN
        return
    plain = entry.read(entry.good())
    assert type(found) is type(plain)
    for name in ("issuer", "holder", "id", "audience", "nonce", "code", "copies"):
        assert getattr(found, name, None) == getattr(plain, name, None)
    assert not hasattr(found, "trust_anchor")


def test_j24_case_makes_another_name() -> None:
    found = VC.read(_card(put(_payload(), b'1,"ISS":"https://evil","Exp":1,"_SD":["x"],"Cnf":{}')))
    assert found.issuer == "https://id.lindau.example"
    assert found.window.end == datetime.fromtimestamp(4_000_000_000, UTC)
    assert found.claims["ISS"] == "https://evil"


@everywhere
def test_j23_keys_that_collide(entry: Entry) -> None:
    # all of them fall on one place of a table of integers
    evil = b"{" + b",".join(b'"%d":0' % (number * (2**61 - 1)) for number in range(20_000)) + b"}"
    data = put(entry.good(), evil + b"," + b'"yy":' + evil + b',"xx":' + evil)
    refused(entry, data, "json.too_many_values", *BOUNDS)


@pytest.mark.kdf
def test_sealed_headers(tmp_path: Any) -> None:
    """A keyring's header is this home's: anything else than what was written is damage, exit 3."""
    from cityid.edge.software_keys import FileKeyring

    FileKeyring.new(tmp_path / "keys.sealed", "correct horse battery staple")
    lines = (tmp_path / "keys.sealed").read_bytes().splitlines()
    assert read_header(lines[0], "keyring").kind == "keyring"
    for evil in (b"NaN", b'{"a":1,"a":1}', b"9" * 5000, b"[" * 70 + b"]" * 70, rb'"\ud800"', b" " * 70_000 + b"1"):
        with pytest.raises(Unavailable) as caught:
            read_header(put(lines[0], evil), "keyring")
        assert caught.value.code == "store.damaged"


HOSTILE_MEMORY = """
import resource, sys
sys.path[:0] = {path!r}
from tests.attacks.test_j import ENTRIES, put
entries = list(ENTRIES.values())
for entry in entries:
    entry.read(entry.good())
evil = {evil}
data = [put(entry.good(), evil) for entry in entries]
idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for entry, one in zip(entries, data):
    try:
        entry.read(one)
    except Exception as error:
        assert type(error).__name__ in ("Malformed",), error
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle)
"""


@pytest.mark.slow
@pytest.mark.parametrize("evil", [
    'b"[" + b"0," * 330_000 + b"0]"', 'b"[" + b"[]," * 300_000 + b"0]"',
    "b'{' + b','.join(b'\"%d\":0' % n for n in range(90_000)) + b'}'",
    "b'\"' + b'x' * 700_000 + b'\"'", 'b"[" * 500_000',
], ids=["numbers", "lists", "keys", "string", "open"])  # fmt: skip
def test_memory_above_idle_is_bounded(evil: str) -> None:
    assert resource.RUSAGE_SELF == 0
    done = subprocess.run([sys.executable, "-c", HOSTILE_MEMORY.format(path=sys.path, evil=evil)], capture_output=True,
                          text=True, timeout=100, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 64 << 10  # kibibytes


READERS = {
    "accepting.py": "the wallet's own sealed note of an offer",
    "cards.py": "offer, request for cards, cards, proof payload",
    "credential_type/definition.py": "type definition",
    "bulk.py": "a clerk's own file of many rows",
    "bulk_approval.py": "what a clerk asked for, in the city's own register",
    "credential_type/claims.py": "cells of a clerk's table",
    "did/document.py": "did document",
    "did/jwk.py": "did:jwk",
    "did/webvh/log.py": "did:webvh log; tests/attacks/test_d_webvh.py",
    "did/webvh/witness.py": "proofs of a did:webvh log's witnesses; tests/attacks/test_d_webvh.py",
    "did/webvh/writing.py": "entries that we have just written ourselves",
    "edge/conformance.py": "a suite's documents and keys; tests/spec/test_vc_jose_cose_suite.py",
    "edge/cluster_worker.py": "a sealed part of a queued table",
    "json_schemas.py": "schemas of the service's own, and what they judge; tests/spec/test_vc_json_schema.py",
    "edge/http_kept.py": "the service's own folder of answers",
    "edge/recorded.py": "record",
    "edge/register_audit.py": "the city's own register",
    "edge/register_rows.py": "the city's own register",
    "edge/pkcs11.py": "what a key ring wrote into its token",
    "edge/sealed.py": "sealed headers",
    "edge/sign_in.py": "the city's own register",
    "edge/software_keys.py": "inside a sealed keyring",
    "edge/status_files.py": "the city's own folder of lists",
    "edge/wallet_backup.py": "inside a sealed backup",
    "edge/wallet_keyring.py": "inside a sealed wallet",
    "edge/wallet_file.py": "inside a sealed wallet",
    "edge/wallet_records.py": "inside a sealed wallet",
    "encoding/table.py": "rows of a clerk's table",
    "formats/_vcdm.py": "contexts and types that were read already",
    "formats/data_integrity/ldp_vc.py": "w3c credential, w3c presentation",
    "formats/wire.py": "what is only looked at, and what we have made ourselves",
    "formats/_w3c.py": "contexts that were read already",
    "formats/jwt_vc_json.py": "w3c old jwt payload",
    "formats/type_metadata.py": "type metadata",
    "formats/vc_jose/heads.py": "as the next; tests/property/test_heads.py",
    "formats/vc_jose/secured.py": "w3c jwt payload, w3c cose payload",
    "issuing.py": "the city's own sealed prepared card",
    "jose/jws.py": "any jws header",
    "jose/sd_jwt.py": "jwt payload, disclosure, kb-jwt payload, sd-jwt in json",
    "jose/transaction_data.py": "transaction data of a service's own question",
    "presenting.py": "request",
    "query/parse.py": "dcql",
    "register/leaves.py": "opening of the log",
    "status/list_credential.py": "what `formats/vc_jose` or `formats/data_integrity` reads again",
    "status/token_status_list.py": "status list, status list header, status list aggregation",
    "trust/file.py": "jwk set that is pinned",
    "trust/keys.py": "issuer metadata, jwk set",
    "vc_api/service.py": "bodies of requests; tests/spec/test_vc_api_http.py",
    "observing.py": "showings that are compared; tests/jobs/test_observing.py",
    "polls/ballots.py": "ballots and published lists; tests/spec/test_polls.py",
    "polls/voice.py": "a commitment; tests/spec/test_polls.py",
    "polls/poll.py": "a poll; tests/spec/test_polls.py",
}


def test_every_reader_of_json_is_an_entry() -> None:
    """A new place that reads JSON belongs into ENTRIES, or here with a reason."""
    package = TREE / "cityid"
    calls = re.compile(r"(?<!def )\b(json\.read|json\.read_object|json\.read_plain|read_object)\(")
    found = {str(file.relative_to(package)) for file in package.rglob("*.py") if calls.search(file.read_text("utf-8"))}
    assert found - {"encoding/json.py"} <= set(READERS)
