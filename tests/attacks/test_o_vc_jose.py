"""Attack group O, JOSE, against W3C credentials (VC-JOSE-COSE, and the JWT encoding of VCDM 1.1).

O15 and O17 to O20 are about encrypted tokens. None is decrypted here yet (that comes with OpenID4VP): a JWE is refused
by its form, before anything in it is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cityid.credential import Unbound
from cityid.encoding import base64url
from cityid.formats import FORMATS
from cityid.formats.vc_jose import secured
from tests import w3c
from tests.credentials import code_of
from tests.sd_jwts import HOLDER, ISSUER, raw_jws
from tests.w3c import KEYS

JWTS = ("vc+jwt", "vc+sd-jwt", "jwt_vc_json")


def payload(name: str) -> bytes:
    return json.dumps(w3c.old() if name == "jwt_vc_json" else w3c.bound()).encode()


def typ(name: str) -> str:
    return "JWT" if name == "jwt_vc_json" else name


def made(name: str, header: Any, signature: bytes | None = None) -> bytes:
    """A card of the form with whatever header."""
    text = raw_jws(header, payload(name))
    if signature is not None:
        text = f"{text.rpartition('.')[0]}.{base64url.encode(signature)}"
    return (text + ("~" if name == "vc+sd-jwt" else "")).encode()


def good(name: str) -> bytes:
    return made(name, {"alg": "ES256", "typ": typ(name), "kid": "issuer-1"})


def read(name: str, raw: bytes) -> str:
    return code_of(lambda: FORMATS[name].read_presentation(raw))


def judged(name: str, raw: bytes) -> list[str]:
    return w3c.codes(name, raw, Unbound())


@pytest.mark.parametrize("name", JWTS)
class TestO:
    @pytest.mark.parametrize("alg", ["none", "None", "nOnE", "", None, ["ES256"], {}])
    @pytest.mark.parametrize("signature", [b"", b"x" * 64])
    def test_o01_none(self, name: str, alg: Any, signature: bytes) -> None:
        code = read(name, made(name, {"alg": alg, "typ": typ(name)}, signature))
        assert code in ("jws.alg_none", "jws.alg_missing")
        assert judged(name, good(name)) == ["passed", "passed"]

    @pytest.mark.parametrize("alg", ["HS256", "ES384", "EdDSA", "RS256", "ES256K"])
    def test_o02_o09_other_algorithms(self, name: str, alg: str) -> None:
        assert judged(name, made(name, {"alg": alg, "typ": typ(name), "kid": "issuer-1"})) == ["jws.alg"]

    def test_o04_o05_keys_in_the_header(self, name: str) -> None:
        """`jwk`, `jku` and `x5u` say nothing here."""
        from cityid.keys import jwk

        header = {"alg": "ES256", "typ": typ(name), "kid": "issuer-1", "jwk": jwk.write(HOLDER.public_key),
                  "jku": "http://169.254.169.254/", "x5u": "http://169.254.169.254/"}  # fmt: skip
        text = raw_jws(header, payload(name), HOLDER) + ("~" if name == "vc+sd-jwt" else "")
        assert judged(name, text.encode()) == ["signature.invalid"]

    @pytest.mark.parametrize(
        "member", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}, {"b64": False, "crit": ["b64"]}]
    )
    def test_o07_o08_extensions(self, name: str, member: dict[str, Any]) -> None:
        code = read(name, made(name, {"alg": "ES256", "typ": typ(name), **member}))
        assert code == ("jws.b64" if "b64" in member else "jws.crit")

    @pytest.mark.parametrize("signature", [bytes(64), bytes(63), bytes(65), b"\x30" * 70, b""])
    def test_o13_signatures(self, name: str, signature: bytes) -> None:
        header = {"alg": "ES256", "typ": typ(name), "kid": "issuer-1"}
        assert judged(name, made(name, header, signature)) == ["signature.invalid"]

    def test_o14_o16_other_serialisations(self, name: str) -> None:
        text = good(name).rstrip(b"~").decode().split(".")
        flat = {"protected": text[0], "payload": text[1], "signature": text[2]}
        for data in (flat, {"payload": text[1], "signatures": [flat]}):
            assert read(name, json.dumps(data).encode()) == "jws.is_json"
        for segments in (text[:2], [*text, ""]):
            tail = "~" if name == "vc+sd-jwt" else ""
            assert read(name, (".".join(segments) + tail).encode()) == "jws.segments"

    @pytest.mark.parametrize("header", [
        {"alg": "RSA-OAEP", "enc": "A128GCM"}, {"alg": "ECDH-ES", "enc": "A256GCM", "zip": "DEF"},
        {"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 10**9}, {"alg": "dir", "enc": "A128GCM"},
        {"alg": "ECDH-ES", "enc": "A128GCM", "epk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}},
        {"alg": "RSA1_5", "enc": "A128GCM"},
    ])  # fmt: skip
    def test_o15_o17_o18_o19_o20_jwe(self, name: str, header: dict[str, Any]) -> None:
        """Compact with a short tag or none, and as JSON."""
        first = base64url.encode(json.dumps(header).encode())
        for tag in ("", "AAAA", base64url.encode(bytes(16))):
            raw = ".".join([first, "", base64url.encode(bytes(12)), base64url.encode(bytes(300_000)), tag])
            assert read(name, raw.encode()) == "jws.is_jwe"
        assert read(name, json.dumps({"protected": first, "ciphertext": "AA"}).encode()) == "jws.is_jwe"

    def test_o21_types(self, name: str) -> None:
        """Exactly the diagonal: no token of another type, and none without one that needs it."""
        types = ("dc+sd-jwt", "kb+jwt", "openid4vci-proof+jwt", "statuslist+jwt", "oauth-authz-req+jwt",
                 "key-attestation+jwt", "vp+jwt", "vp+sd-jwt", "vc+jwt", "vc+sd-jwt", "JWT", "at+jwt")  # fmt: skip
        for other in types:
            raw = made(name, {"alg": "ES256", "typ": other, "kid": "issuer-1"})
            code = code_of(lambda: FORMATS[name].read(raw))  # noqa: B023
            assert code == ("passed" if other == typ(name) else "jwt_vc.typ" if name == "jwt_vc_json" else "jws.typ")
        assert code_of(lambda: FORMATS[name].read(made(name, {"alg": "ES256"}))) == (
            "passed" if name == "jwt_vc_json" else "jws.typ_missing"
        )

    def test_o22_spelling(self, name: str) -> None:
        for spelt in (f"application/{typ(name)}", typ(name).swapcase(), f"{typ(name)} "):
            assert read(name, made(name, {"alg": "ES256", "typ": spelt})) in ("jws.typ", "jwt_vc.typ")

    def test_o24_private_members(self, name: str) -> None:
        from cityid.keys import jwk

        text = {**json.loads(payload(name)), "cnf": {"jwk": {**jwk.write(HOLDER.public_key), "d": "AA"}}}
        raw = raw_jws({"alg": "ES256", "typ": typ(name)}, json.dumps(text).encode())
        assert read(name, (raw + ("~" if name == "vc+sd-jwt" else "")).encode()) == "key.private"

    def test_o25_iss(self, name: str) -> None:
        for wrong in ("https://id.lindau.example/", "https://ID.lindau.example", "https://id.lindau.example:443"):
            text = json.loads(payload(name))
            if name == "jwt_vc_json":
                text["vc"]["issuer"] = wrong
            else:
                text["iss"] = wrong
            raw = raw_jws({"alg": "ES256", "typ": typ(name)}, json.dumps(text).encode())
            code = read(name, (raw + ("~" if name == "vc+sd-jwt" else "")).encode())
            assert code in ("jwt_vc.differs", "vc_jose.differs")


@pytest.mark.parametrize("name", w3c.FORMS)
def test_o26_audience(name: str) -> None:
    """One string, ours: an array of which we are one could be somebody else's answer as well."""
    from tests.sd_jwts import AUDIENCE, NONCE, NOW

    if name in ("vc+jwt", "jwt_vc_json"):
        inside: Any = secured.envelope(w3c.token(w3c.bound()), "vc+jwt")
        text = w3c.presentation(inside, aud=[AUDIENCE])
        raw = w3c.token(text, "vp+jwt", HOLDER)
        if name == "jwt_vc_json":
            vp = {"@context": [w3c.V1], "type": ["VerifiablePresentation"],
                  "verifiableCredential": [w3c.token(w3c.old(), "JWT").decode()]}  # fmt: skip
            iss = w3c.old()["sub"]
            claims = {"iss": iss, "aud": [AUDIENCE], "nonce": NONCE, "iat": int(NOW.timestamp()), "vp": vp}
            raw = w3c.token(claims, "JWT", HOLDER)
        assert w3c.codes(name, raw) == ["passed", "binding.claim"]
    assert w3c.codes(name, w3c.shown(name)) == ["passed", "passed"]


def test_o28_sizes() -> None:
    acts: list[Callable[[], object]] = [
        lambda: secured.read(b"x" * (2 << 20), "vc+jwt"),
        lambda: secured.read(b"x" * 100_000 + b".x.x", "vc+jwt"),
        lambda: secured.read(b"\xd2" * (2 << 20), "vc+cose"),
    ]
    assert [code_of(act) for act in acts] == ["jws.too_large", "jws.header_too_large", "cbor.too_large"]
    assert KEYS[w3c.REF] == ISSUER.public_key
