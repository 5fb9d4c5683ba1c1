"""Credentials, certificates and trust entries for tests: right ones, and what our own issuing would never write."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cityid.checks import Check, Outcome
from cityid.credential import Challenge, DidUrl, Draft, KeyRef, StatusRef, WebIssuer, Window
from cityid.credential_type import ClaimRule, CredentialType, Path
from cityid.errors import CityIdError
from cityid.keys import PublicKey, Signer, jwk
from cityid.plan import Request, Response
from tests import sd_jwts
from tests.sd_jwts import AUDIENCE, HOLDER, ISSUER, NONCE, NOW, b64, digest, disclosure

WEB = "https://id.lindau.example"
DID = "did:web:id.lindau.example"
VCT = "urn:cityid:residency:1"
START, END = datetime(2026, 5, 4, tzinfo=UTC), datetime(2026, 5, 5, tzinfo=UTC)
REF = KeyRef(WebIssuer(WEB, "issuer-1"))
KEYS = {REF: ISSUER.public_key}
ASKED = Challenge(AUDIENCE, NONCE)
HIDEABLE: tuple[Path, ...] = (
    ("given_name",), ("address", "locality"), ("address", "postal_code"), ("nationalities", None), ("age_over_18",),
)  # fmt: skip


def credential_type(*hideable: Path, shown: tuple[Path, ...] = (("municipality",),), **changed: Any) -> CredentialType:
    rules = {
        path: ClaimRule(path, {"type": "string"}, path not in shown, path in shown, {"en": str(path[-1]), "de": "x"})
        for path in (*(hideable or HIDEABLE), *shown)
    }
    members: dict[str, Any] = {
        "id": "residency",
        "title": {"en": "Residency", "de": "Wohnsitz"},
        "claims": rules,
        "lifetime": timedelta(days=1),
        "copies": 3,
        "status": "none",
        "names": {"dc+sd-jwt": {"vct": VCT}},
    }
    return CredentialType(**{**members, **changed})


CLAIMS = {
    "given_name": "Ada",
    "address": {"locality": "Lindau", "postal_code": "88131"},
    "nationalities": ["DE", "FR"],
    "age_over_18": True,
    "municipality": "Lindau",
}


def draft(
    claims: Mapping[str, Any] = CLAIMS,
    *,
    type: CredentialType | None = None,
    issuer: str = WEB,
    signed_by: KeyRef = REF,
    holder: PublicKey | None = HOLDER.public_key,
    window: Window = Window(START, END),  # noqa: B008  # frozen
    status: tuple[StatusRef, ...] = (),
    suite: str = "",
) -> Draft:
    return Draft(type or credential_type(), issuer, signed_by, claims, holder, window, status, suite)


def payload(**changed: Any) -> dict[str, Any]:
    """What every good payload has; None leaves a member out."""
    made = {
        "iss": WEB,
        "vct": VCT,
        "nbf": int(START.timestamp()),
        "exp": int(END.timestamp()),
        "cnf": {"jwk": jwk.write(HOLDER.public_key)},
        **{name.replace("__", "#"): value for name, value in changed.items()},
    }
    return {name: value for name, value in made.items() if value is not None}


def vc(
    content: Mapping[str, Any], *disclosures: str, by: Signer = ISSUER, typ: str = "dc+sd-jwt", **header: Any
) -> bytes:
    """A signed SD-JWT VC; a header member None is left out."""
    header = {"kid": "issuer-1", **header}
    kept = {name: value for name, value in header.items() if value is not None}
    return "~".join([sd_jwts.signed(dict(content), by, typ, **kept), *disclosures, ""]).encode()


def hidden(name: str, value: Any) -> tuple[str, str]:
    """A disclosure and its digest."""
    text = disclosure("c2FsdHNhbHRzYWx0c2FsdA", name, value)
    return text, digest(text)


def did_document(signer: Signer, did: str = DID, fragment: str = "issuer-1", **changed: Any) -> bytes:
    method = {
        "id": f"{did}#{fragment}",
        "type": "JsonWebKey",
        "controller": did,
        "publicKeyJwk": jwk.write(signer.public_key),
        **changed,
    }
    return json.dumps({"id": did, "verificationMethod": [method], "assertionMethod": [method["id"]]}).encode()


def jwks(signer: Signer, kid: str = "issuer-1") -> bytes:
    return json.dumps({"keys": [{"kid": kid, **jwk.write(signer.public_key)}]}).encode()


def did_ref(fragment: str = "issuer-1", did: str = DID) -> KeyRef:
    return KeyRef(DidUrl(did, fragment))


class Net:
    """Answers from a table of URL -> body or Response, and remembers what was asked."""

    def __init__(self, answers: Mapping[str, bytes | Response] | None = None) -> None:
        self.answers = answers or {}
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        answer = self.answers[request.url]
        if isinstance(answer, Response):
            return answer
        return Response(200, {"content-type": "application/json"}, answer, NOW)


def outcome(check: Check) -> str:
    """`passed`, or the code of the refusal."""
    if check.outcome is Outcome.PASSED:
        return "passed"
    assert check.problem is not None
    return check.problem.code


def code_of(act: Callable[[], object]) -> str:
    """`passed`, or the code of what is raised."""
    try:
        act()
    except CityIdError as error:
        return error.code
    return "passed"


__all__ = [
    "ASKED", "AUDIENCE", "CLAIMS", "DID", "END", "HIDEABLE", "HOLDER", "ISSUER", "KEYS", "NONCE", "NOW", "REF", "START",
    "VCT", "WEB", "Net", "b64", "code_of", "credential_type", "did_document", "did_ref", "digest", "disclosure",
    "draft", "hidden", "jwks", "outcome", "payload", "vc",
]  # fmt: skip
