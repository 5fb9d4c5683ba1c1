"""Group O: JOSE. O10, O11 and more of O12 and O24 are in test_o_keys.py; JWE (O15, O17 to O20) is not built."""

from __future__ import annotations

import ast
import base64
import hashlib
import hmac
import inspect
import json
import re
import socket
import time
import zlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cityid import limits
from cityid.cards import check_proofs
from cityid.edge.software_keys import MemoryKeyring
from cityid.errors import CityIdError, Misuse
from cityid.formats.sd_jwt_vc import SD_JWT_VC
from cityid.jose import jws, key_binding, sd_jwt
from cityid.keys import Algorithm, PublicKey, jwk
from cityid.keys.algorithms import ORDERS, der_signature
from cityid.status import token_status_list
from tests.paths import TREE
from tests.sd_jwts import (
    AUDIENCE,
    CNF,
    HOLDER,
    ISSUER,
    NONCE,
    NOW,
    OTHER,
    TYP,
    b64,
    bound,
    check,
    one,
    raw_jws,
    signed,
    token,
)  # fmt: skip

ORDER = ORDERS[Algorithm.ES256]


def code(call: Callable[..., object], *args: Any, **named: Any) -> str:
    with pytest.raises(CityIdError) as caught:
        call(*args, **named)
    return caught.value.code


def accept(text: str, key: PublicKey = ISSUER.public_key) -> jws.Jws:
    found = jws.read_compact(text, typ=None)
    jws.check(found, key)
    return found


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"alg": "none"}, "jws.alg_none"), ({"alg": "None"}, "jws.alg_none"), ({"alg": "nOnE"}, "jws.alg_none"),
        ({"alg": ""}, "jws.alg_none"), ({}, "jws.alg_missing"), ({"alg": None}, "jws.alg_missing"),
        ({"alg": ["ES256"]}, "jws.alg_missing"), ({"alg": {}}, "jws.alg_missing"),
    ],
)  # fmt: skip
def test_o01_alg_none(header: dict[str, Any], expected: str) -> None:
    whole = raw_jws(header)
    assert code(accept, whole) == expected
    assert code(accept, whole[: whole.rindex(".") + 1]) == expected
    accept(raw_jws({"alg": "ES256"}))


def _public_forms() -> list[bytes]:
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), ISSUER.public_key.raw)
    forms = [key.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo) for encoding in (Encoding.PEM, Encoding.DER)]
    raw = ISSUER.public_key.raw
    return [*forms, raw, raw[1:33], json.dumps(jwk.write(ISSUER.public_key)).encode(), b""]


@pytest.mark.parametrize("number", range(6))
def test_o02_hs256_with_the_public_key_as_secret(number: int) -> None:
    signing_input = b64('{"alg":"HS256"}') + "." + b64("{}")
    mac = hmac.new(_public_forms()[number], signing_input.encode(), hashlib.sha256).digest()
    assert code(accept, f"{signing_input}.{b64(mac)}") == "jws.alg"
    accept(raw_jws({"alg": "ES256"}))


def test_o03_no_symmetric_keys() -> None:
    assert not [algorithm for algorithm in Algorithm if algorithm.value.startswith("HS")]
    assert code(jwk.read, {"kty": "oct", "k": ""}) == "key.private"
    assert code(accept, raw_jws({"alg": "HS256"})) == "jws.alg"
    assert jwk.read(jwk.write(ISSUER.public_key)) == ISSUER.public_key


def test_o04_a_key_in_the_header_is_data() -> None:
    attack = signed({}, OTHER, jwk=jwk.write(OTHER.public_key))
    assert code(accept, attack) == "signature.invalid"
    with pytest.raises(Misuse, match=r"jws\.no_key"):
        accept(attack, None)  # type: ignore[arg-type]
    accept(signed({}, ISSUER, jwk=jwk.write(OTHER.public_key)))


@pytest.mark.parametrize("url", ["https://evil.example/jwks", "http://169.254.169.254/"])
@pytest.mark.parametrize("name", ["jku", "x5u"])
def test_o05_addresses_in_the_header_are_not_visited(name: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def spy(*args: Any, **named: Any) -> NoReturn:
        raise AssertionError("a packet")

    monkeypatch.setattr(socket, "socket", spy)
    monkeypatch.setattr(socket, "getaddrinfo", spy)
    assert code(accept, signed({}, OTHER, **{name: url})) == "signature.invalid"
    accept(signed({}, ISSUER, **{name: url}))


def test_o06_a_chain_in_the_header_is_data() -> None:
    chain = [base64.b64encode(b"certificate").decode()]
    assert code(accept, signed({}, OTHER, x5c=chain)) == "signature.invalid"
    accept(signed({}, ISSUER, x5c=chain))


@pytest.mark.parametrize("crit", [["exp"], ["x"], [], "b64", ["exp", "exp"], ["alg"], None, {}])
def test_o07_crit(crit: Any) -> None:
    assert code(accept, raw_jws({"alg": "ES256", "exp": 1, "crit": crit})) == "jws.crit"
    accept(raw_jws({"alg": "ES256", "exp": 1}))


def test_o07_crit_in_the_unprotected_header() -> None:
    found = jws.read_compact(signed({}), typ=None)
    assert code(jws.read_json, jws.flattened(found, {"crit": ["x"], "x": 1}), typ=None) == "jws.crit"
    assert jws.read_json(jws.flattened(found, {"x": 1}), typ=None) == jws.read_json(
        json.dumps(jws.general(found, {"x": 1})), typ=None
    )


@pytest.mark.parametrize("value", [False, True, None])
def test_o08_b64(value: Any) -> None:
    assert code(accept, raw_jws({"alg": "ES256", "b64": value})) == "jws.b64"
    assert code(accept, raw_jws({"alg": "ES256", "b64": value, "crit": ["b64"]})) == "jws.b64"
    accept(raw_jws({"alg": "ES256", "b65": value}))


def test_o09_algorithm_key_and_curve_agree() -> None:
    keyring = MemoryKeyring()
    makers = {algorithm: keyring.signer(keyring.create(algorithm)) for algorithm in Algorithm if algorithm.signs}
    for algorithm, maker in makers.items():
        for named in makers:
            text = raw_jws({"alg": named.value}, by=maker)
            if named is algorithm:
                accept(text, maker.public_key)
            else:
                assert code(accept, text, maker.public_key) == "jws.alg"
    for kind in (Algorithm.X25519, Algorithm.ECDH_P256):
        assert code(accept, raw_jws({"alg": "EdDSA"}), keyring.create(kind)) == "jws.alg"


@pytest.mark.parametrize("kid", ["../../etc/passwd", "' OR 1=1--", "a\x00b", "https://evil.example/", "x" * 40_000])
def test_o12_a_kid_is_only_a_name(kid: str) -> None:
    found = jwk.read_set({"keys": [{**jwk.write(ISSUER.public_key), "kid": "a"}]})
    assert found.get(accept(signed({}, ISSUER, kid=kid)).header["kid"]) is None
    assert found.get(accept(signed({}, ISSUER, kid="a")).header["kid"]) == ISSUER.public_key


def test_o12_a_kid_of_a_megabyte() -> None:
    assert code(accept, raw_jws({"alg": "ES256", "kid": "x" * 1_000_000})) == "jws.too_large"
    assert code(accept, raw_jws({"alg": "ES256", "kid": "x" * 100_000})) == "jws.header_too_large"


def _with_signature(signature: bytes) -> str:
    whole = signed({})
    return f"{whole[: whole.rindex('.')]}.{b64(signature)}"


def test_o13_signatures_of_another_form() -> None:
    good = accept(signed({})).signature
    r, s = good[:32], good[32:]
    n = ORDER.to_bytes(32, "big")
    bad = [
        der_signature(good), good[:-1], good + b"\0", good + good, b"", bytes(64), bytes(32) + s, r + bytes(32),
        n + s, r + n, b"\xff" * 64,
    ]  # fmt: skip
    for signature in bad:
        assert code(accept, _with_signature(signature)) == "signature.invalid"
    accept(_with_signature(good))


def test_o14_another_serialisation() -> None:
    found = jws.read_compact(signed({}), typ=None)
    other = jws.read_compact(signed({}, OTHER), typ=None)
    two = jws.general(found)
    two["signatures"] += jws.general(other)["signatures"]
    assert code(jws.read_json, two, typ=None) == "jws.signatures"
    assert code(jws.read_compact, json.dumps(jws.flattened(found)), typ=None) == "jws.is_json"
    assert code(jws.read_compact, "e30.e30", typ=None) == "jws.segments"
    assert code(jws.read_compact, "e30.e30.e30.e30", typ=None) == "jws.segments"
    assert code(jws.read_compact, "e30.e30.e30.e30.e30", typ=None) == "jws.is_jwe"
    assert jws.read_json(jws.general(found), typ=None) == found


def test_o14_never_any_signature() -> None:
    """RFC 9901 §8.1 lets an SD-JWT carry several signatures: the first is judged, whatever the others are."""
    ours, theirs = (jws.general(jws.read_compact(signed({}, by, TYP), typ=TYP)) for by in (ISSUER, OTHER))
    for first, second, expected in ((theirs, ours, "signature.invalid"), (ours, theirs, "")):
        read = sd_jwt.read_json({**first, "signatures": first["signatures"] + second["signatures"]}, typ=TYP)
        if expected:
            assert code(jws.check, read.jws, ISSUER.public_key) == expected
        else:
            jws.check(read.jws, ISSUER.public_key)


def test_o16_a_polyglot() -> None:
    found = jws.read_compact(signed({}), typ=None)
    document = json.dumps(jws.flattened(found))
    for text in (document + found.compact.decode(), '{"a":"' + found.compact.decode() + '"}', "{" + signed({})):
        assert code(jws.read_compact, text, typ=None) == "jws.is_json"
        assert code(jws.read_json, found.compact + text.encode(), typ=None).startswith("json.")
        assert code(sd_jwt.read, text + "~", typ=None) == "jws.is_json"
    assert jws.read_json(document, typ=None) == found


TYPES = (
    "dc+sd-jwt", "kb+jwt", "openid4vci-proof+jwt", "statuslist+jwt", "oauth-authz-req+jwt", "key-attestation+jwt",
    "vp+jwt", "vc+jwt", TYP,
)  # fmt: skip


def _signed(typ: str) -> Callable[[str], object]:
    return lambda text: jws.read_compact(text, typ=typ)


def _issued(typ: str) -> Callable[[str], object]:
    return lambda text: sd_jwt.read_issued(text + "~", typ=typ)


BODY, TEXT = one("salt", "a", 1)
WHOLE = token({**BODY, "cnf": CNF}, TEXT)


ENTRY_POINTS: dict[str, tuple[str, Callable[[str], object]]] = {
    **{f"jws {typ}": (typ, _signed(typ)) for typ in TYPES},
    "sd_jwt dc+sd-jwt": ("dc+sd-jwt", _issued("dc+sd-jwt")),
    f"sd_jwt {TYP}": (TYP, _issued(TYP)),
    "key binding": ("kb+jwt", lambda text: check(WHOLE + text)),
    "card": ("dc+sd-jwt", lambda text: SD_JWT_VC.read(f"{text}~".encode())),
    "shown card": ("dc+sd-jwt", lambda text: SD_JWT_VC.read_presentation(f"{text}~".encode())),
    "key proof": (
        "openid4vci-proof+jwt",
        lambda text: check_proofs([text], issuer=AUDIENCE, nonce=NONCE, copies=1, algorithms=tuple(Algorithm), at=NOW),
    ),
    "status list": ("statuslist+jwt", lambda text: token_status_list.read(text.encode(), "jwt")),
}
"""Everything that takes a signed token, with the one `typ` it takes; later kinds are added here."""


def _token_of(typ: str | None, entry: str) -> str:
    """A token that every entry point would take, were it not for its `typ`."""
    header: dict[str, Any] = {"jwk": jwk.write(HOLDER.public_key), **({} if typ is None else {"typ": typ})}
    packed = {"bits": 1, "lst": b64(zlib.compress(bytes(8)))}
    claims: dict[str, Any] = {"vct": "urn:x", "sub": "https://id.lindau.example/1", "status_list": packed}
    if entry != "key proof":  # which says who the client is by `iss`, and here is none
        claims["iss"] = "https://id.lindau.example"
    return bound(WHOLE, header=header, **claims)[len(WHOLE) :]


@pytest.mark.parametrize("entry", sorted(ENTRY_POINTS))
@pytest.mark.parametrize("typ", [*TYPES, None])
def test_o21_only_the_diagonal_accepts(entry: str, typ: str | None) -> None:
    wanted, take = ENTRY_POINTS[entry]
    text = _token_of(typ, entry)
    if typ == wanted:
        assert take(text)
    else:
        assert code(take, text) in ("jws.typ", "jws.typ_missing", "binding.typ")


@pytest.mark.parametrize("typ", ["application/kb+jwt", "KB+JWT", "kb+jwt ", " kb+jwt", "kb+jwt\u0000", "kb"])
def test_o22_typ_is_the_short_form_exactly(typ: str) -> None:
    """RFC 7515 §4.1.9 lets a reader add `application/`; each specification that we read says what typ MUST be."""
    text = signed({}, typ=typ)
    assert code(jws.read_compact, text, typ="kb+jwt") == "jws.typ"
    assert jws.read_compact(signed({}, typ="kb+jwt"), typ="kb+jwt").payload == b"{}"


@pytest.mark.parametrize("place", ["cnf", "set"])
def test_o24_a_private_key_in_a_public_place(place: str) -> None:
    burnt = {**jwk.write(HOLDER.public_key), "d": "c2VjcmV0"}
    with pytest.raises(CityIdError) as caught:
        sd_jwt.holder_key({"cnf": {"jwk": burnt}}) if place == "cnf" else jwk.read_set({"keys": [burnt]})
    assert caught.value.code == "key.private"
    assert "c2VjcmV0" not in f"{caught.value} {caught.value.problem!r} {caught.value.args!r}"
    assert sd_jwt.holder_key({"cnf": CNF}) == HOLDER.public_key


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("https://good.example", "https://good.example/"), ("https://good.example", "https://GOOD.example"),
        ("https://good.example", "https://good.example:443"), ("https://good.example", "https://user@good.example"),
        ("https://good.example", "https://good.example.evil"), ("https://good.example", "https://good"),
    ],
)  # fmt: skip
def test_o25_names_are_compared_exactly(ours: str, theirs: str) -> None:
    assert code(check, bound(WHOLE, aud=theirs), audience=ours) == "binding.audience"
    assert check(bound(WHOLE, aud=ours), audience=ours)


@pytest.mark.parametrize("aud", [[AUDIENCE], [AUDIENCE, "https://other.example"], {"a": AUDIENCE}])
def test_o26_the_audience_is_one_string(aud: Any) -> None:
    assert code(check, bound(WHOLE, aud=aud)) == "binding.claim"
    assert check(bound(WHOLE, aud=AUDIENCE))


@pytest.mark.parametrize(
    ("claim", "seconds", "expected"),
    [
        ("nbf", 600, "binding.not_yet"), ("nbf", 61, "binding.not_yet"), ("nbf", 60, None),
        ("iat", 365 * 86400, "binding.ahead"), ("iat", 61, "binding.ahead"), ("iat", 60, None),
        ("exp", -60, "binding.expired"), ("exp", -59, None), ("exp", 0, None),
    ],
)  # fmt: skip
def test_o27_times_of_a_key_binding(claim: str, seconds: int, expected: str | None) -> None:
    changed: dict[str, Any] = {claim: int(NOW.timestamp()) + seconds}
    text = bound(WHOLE, **changed)
    if expected is None:
        assert check(text)
    else:
        assert code(check, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{'A' * 1_000_000}.e30.e30", "jws.header_too_large"), ("A" * 100_000_000, "jws.too_large"),
        ("." * 1_000_000, "jws.segments"), ("~" * 1_000_000, "jws.segments"),
    ],
    ids=["header", "segment", "dots", "tildes"],
)  # fmt: skip
def test_o28_size(text: str, expected: str) -> None:
    start = time.process_time()
    assert code(sd_jwt.read, text, typ=None) == expected
    assert time.process_time() - start < 0.25


def test_o28_members() -> None:
    header = {"alg": "ES256", **{f"m{number}": 1 for number in range(10_000)}}
    assert code(accept, raw_jws(header)).startswith("jws.header_")
    few = {"alg": "ES256", **{f"m{number}": 1 for number in range(limits.HEADER_MEMBERS)}}
    assert code(accept, raw_jws(few)) == "jws.header_members"
    few.pop("m0")
    accept(raw_jws(few))


def test_o29_there_is_no_list_of_algorithms_to_forget() -> None:
    for function in (jws.check, jws.read_compact, jws.read_json, key_binding.check):
        assert not [name for name in inspect.signature(function).parameters if "alg" in name]
    assert inspect.signature(jws.check).parameters["key"].default is inspect.Parameter.empty
    nothings: list[Any] = [None, "", b"", [], "none"]
    for nothing in nothings:
        assert code(accept, signed({}), nothing) == "jws.no_key"
    accept(signed({}), ISSUER.public_key)


SECRET = re.compile(r"\b(nonce|passphrase|pre.authorized_code)\b")


def test_o30_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    real = hmac.compare_digest

    def spy(first: bytes, second: bytes) -> bool:
        compared.append(first)
        return real(first, second)

    monkeypatch.setattr(hmac, "compare_digest", spy)
    assert check(bound(WHOLE))
    assert NONCE.encode() in compared
    proof = _token_of("openid4vci-proof+jwt", "key proof")
    compared.clear()
    assert ENTRY_POINTS["key proof"][1](proof)
    assert NONCE.encode() in compared
    # and never with == as well, here or anywhere
    for path in [*(TREE / "cityid").rglob("*.py"), *(TREE / "cli").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
                assert not SECRET.search(ast.unparse(node)), (path, ast.unparse(node))
    assert code(check, bound(WHOLE, nonce="x" + NONCE[1:])) == "binding.nonce"


def test_o27_windows_are_the_documented_ones() -> None:
    assert tuple(timedelta(seconds=n) for n in (300, 60, 60)) == (limits.KB_AGE, limits.KB_AHEAD, limits.SKEW)
