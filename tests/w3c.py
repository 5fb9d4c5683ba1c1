"""W3C credentials for tests: right ones, and what our own issuing would never write."""

from __future__ import annotations

import json
from typing import Any

from cityid.cose import sign1
from cityid.credential import Challenge, Credential, KeyRef, Keys, WebIssuer
from cityid.encoding import base64url
from cityid.formats import FORMATS, Format
from cityid.jose import jws
from cityid.keys import Signer, jwk
from tests import credentials
from tests.sd_jwts import AUDIENCE, HOLDER, ISSUER, NONCE, NOW

V1, V2 = "https://www.w3.org/2018/credentials/v1", "https://www.w3.org/ns/credentials/v2"
EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
VC = "https://www.w3.org/2018/credentials#VerifiableCredential"
IRI = "urn:cityid:residency:1"
FORMS = ("vc+jwt", "vc+sd-jwt", "vc+cose", "jwt_vc_json")
NAMES = {form: {"type": ["VerifiableCredential", "ResidencyCredential"], "types": (IRI, VC)} for form in FORMS}
TYPE = credentials.credential_type(names=NAMES)
WEB, REF = credentials.WEB, KeyRef(WebIssuer(credentials.WEB, "issuer-1"))
KEYS: Keys = {REF: ISSUER.public_key}
ASKED = Challenge(AUDIENCE, NONCE)


def entropy(length: int) -> bytes:
    import secrets

    return secrets.token_bytes(length)


def form(name: str) -> Format:
    return FORMATS[name]


def issued(name: str, **changed: Any) -> Credential:
    """A card as we issue it."""
    draft = credentials.draft(**{"type": TYPE, **changed})
    return form(name).issue(draft, ISSUER, at=NOW, entropy=entropy)


def shown(name: str, *paths: tuple[Any, ...], challenge: Any = ASKED, holder: Any = HOLDER, **changed: Any) -> bytes:
    """A card as its holder shows it."""
    return form(name).present(issued(name, **changed), paths, challenge, holder, at=NOW, entropy=entropy)


def codes(name: str, raw: bytes, challenge: Any = ASKED, keys: Keys = KEYS, at: Any = NOW) -> list[str]:
    """What judging a presentation comes to: `passed` or a code, for each check."""
    (one,) = form(name).read_presentation(raw)
    return [credentials.outcome(check) for check in form(name).check(one, keys, challenge, at)]


def document(**changed: Any) -> dict[str, Any]:
    """A credential of VCDM 2.0; None leaves a member out, `__` stands for `@`."""
    made = {
        "@context": [V2, EXAMPLES],
        "type": ["VerifiableCredential", "ResidencyCredential"],
        "issuer": WEB,
        "validFrom": "2026-05-04T00:00:00Z",
        "validUntil": "2026-05-05T00:00:00Z",
        "credentialSubject": {"given_name": "Ada"},
        **{name.replace("__", "@"): value for name, value in changed.items()},
    }
    return {name: value for name, value in made.items() if value is not None}


def token(payload: dict[str, Any] | bytes, typ: str | None = "vc+jwt", by: Signer = ISSUER, **header: Any) -> bytes:
    """A signed JWT; a header member None is left out."""
    members = {"typ": typ, "kid": "issuer-1", **header}
    kept = {name: value for name, value in members.items() if value is not None}
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return jws.sign(kept, data, by).encode()


def presentation(*credentials_: Any, **changed: Any) -> dict[str, Any]:
    made = {
        "@context": [V2],
        "type": ["VerifiablePresentation"],
        "verifiableCredential": list(credentials_),
        "aud": AUDIENCE,
        "nonce": NONCE,
        "iat": int(NOW.timestamp()),
        **{name.replace("__", "@"): value for name, value in changed.items()},
    }
    return {name: value for name, value in made.items() if value is not None}


def bound(**changed: Any) -> dict[str, Any]:
    """The payload of a card that is bound to HOLDER, with `iss`."""
    return document(**{"iss": WEB, "cnf": {"jwk": jwk.write(HOLDER.public_key)}, **changed})


def cose(
    content: dict[str, Any] | bytes, typ: Any = "application/vc+cose", by: Signer = ISSUER, kid: Any = b"issuer-1",
    **header: Any,
) -> bytes:  # fmt: skip
    """A signed COSE_Sign1; `h15=...` sets header 15."""
    members: dict[int, Any] = {16: typ, 3: "application/vc", 4: kid}
    members |= {int(name[1:]): value for name, value in header.items()}
    kept = {label: value for label, value in members.items() if value is not None}
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return sign1.sign(data, by, kept)


def old(**changed: Any) -> dict[str, Any]:
    """The payload of a `jwt_vc_json` whose `vc` is bound to HOLDER."""
    from cityid.did import key as did_key

    made = {
        "iss": WEB,
        "sub": did_key.create(HOLDER.public_key),
        "nbf": 1_777_852_800,
        "exp": 1_777_939_200,
        "vc": old_document(),
        **changed,
    }
    return {name: value for name, value in made.items() if value is not None}


def old_document(**changed: Any) -> dict[str, Any]:
    made = {
        "@context": [V1],
        "type": ["VerifiableCredential", "ResidencyCredential"],
        "credentialSubject": {"given_name": "Ada"},
        **{name.replace("__", "@"): value for name, value in changed.items()},
    }
    return {name: value for name, value in made.items() if value is not None}


def b64(data: bytes) -> str:
    return base64url.encode(data)
