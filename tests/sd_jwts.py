"""SD-JWTs made by hand, right and wrong: what our own issuing would never write."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cityid.edge.software_keys import SoftwareSigner, load
from cityid.jose import jws, key_binding, sd_jwt, sd_jwt_issue
from cityid.keys import Algorithm, Signer, jwk

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
TYP = "example+sd-jwt"
AUDIENCE = "x509_san_dns:library.lindau.example"
NONCE = "n-0S6_WzA2Mj-7f3c91d2"


def signer(number: int, algorithm: Algorithm = Algorithm.ES256) -> SoftwareSigner:
    """A signer whose key is always the same."""
    made = load(algorithm, bytes([number]) * (48 if algorithm is Algorithm.ES384 else 32))
    assert isinstance(made, SoftwareSigner)
    return made


ISSUER, HOLDER, OTHER = signer(1), signer(2), signer(3)
CNF = {"jwk": jwk.write(HOLDER.public_key)}


def b64(data: bytes | str) -> str:
    data = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def issue(
    claims: dict[str, Any],
    frame: sd_jwt_issue.Frame,
    signer: Signer,
    *,
    header: dict[str, Any],
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> sd_jwt.SdJwt:
    """What our own issuing makes, read back."""
    protected = jws.protected(header, signer.public_key)
    issued = sd_jwt_issue.issue(claims, frame, signer, protected=protected, entropy=entropy)
    found = sd_jwt.read_issued(issued.text, typ=header["typ"])
    assert issued.hidden == set(found.processed.hidden)
    return found


def disclosure(*items: Any) -> str:
    return b64(json.dumps(list(items)))


def digest(text: str, hash: str = "sha256") -> str:
    return b64(hashlib.new(hash, text.encode()).digest())


def signed(payload: Any, by: Signer = ISSUER, typ: str = TYP, **header: Any) -> str:
    """A JWS; `payload` as it is if it is bytes, as JSON otherwise."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return jws.sign({"typ": typ, **header}, content, by)


def raw_jws(header: Any, payload: bytes = b"{}", by: Signer = ISSUER) -> str:
    """A rightly signed JWS with any header at all."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    signing_input = f"{b64(text)}.{b64(payload)}"
    return f"{signing_input}.{b64(by.sign(signing_input.encode()))}"


def token(payload: Any, *disclosures: str, by: Signer = ISSUER) -> str:
    return "~".join([signed(payload, by), *disclosures, ""])


def one(*items: Any) -> tuple[dict[str, Any], str]:
    """A payload with one digest, and the disclosure behind it."""
    text = disclosure(*items)
    return {"iss": "https://id.lindau.example", "_sd": [digest(text)]}, text


def bound(text: str, by: Signer = HOLDER, *, header: dict[str, Any] | None = None, **changed: Any) -> str:
    """`text` with a KB-JWT, some of whose claims are changed (None: left out)."""
    claims = {"iat": int(NOW.timestamp()), "aud": AUDIENCE, "nonce": NONCE, "sd_hash": digest(text), **changed}
    claims = {name: value for name, value in claims.items() if value is not None}
    kb = jws.sign({"typ": "kb+jwt"} if header is None else header, json.dumps(claims).encode(), by)
    return text + kb


def check(text: str | bytes, *, at: datetime = NOW, audience: str = AUDIENCE, nonce: str = NONCE) -> dict[str, Any]:
    """What a verifier that requires key binding does with `text`."""
    found = sd_jwt.read(text, typ=TYP)
    jws.check(found.jws, ISSUER.public_key)
    key = sd_jwt.holder_key(found.payload)
    key_binding.check(
        found.binding, found.prefix, key, hash=found.processed.hash, audience=audience, nonce=nonce, at=at
    )
    return found.payload
