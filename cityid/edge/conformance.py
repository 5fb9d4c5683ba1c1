"""What the command lines of the public suites for VC-JOSE-COSE and VC JSON Schema ask for: one document, one key or
schema, one of three outcomes. The keys are given, so whose they are is not asked, nor whether anything holds *now*.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, cast

from cityid import contexts, limits
from cityid.edge.key_import import read_jwk
from cityid.edge.messages import Audience, explain
from cityid.edge.signers import SoftwareSigner, load
from cityid.encoding import base64url, json, jsonld, paths
from cityid.encoding.json import Fields
from cityid.errors import CityIdError, Malformed, Misuse, Refused, Unavailable
from cityid.formats.vc_jose import documents, secured
from cityid.json_schemas import NO_ANSWER
from cityid.keys import jwk

FEATURES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "credential_jose": "vc+jwt",
        "credential_sdjwt": "vc+sd-jwt",
        "credential_cose": "vc+cose",
        "presentation_jose": "vp+jwt",
        "presentation_sdjwt": "vp+sd-jwt",
        "presentation_cose": "vp+cose",
    }
)
"""What a suite calls a media type."""
_QUOTED: Final = re.compile(r"\[\s*'[^'\"\\]*'(?:\s*,\s*'[^'\"\\]*')*\s*\]")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a suite is told; `data` is what was made, or read, or why not."""

    result: Literal["success", "failure", "indeterminate"]
    data: Any = field(repr=False)

    def write(self) -> bytes:
        return json.write({"result": self.result, "data": self.data}) + b"\n"


def outcome(work: Callable[[], Any]) -> Outcome:
    """What `work` gives is a success, what it finds wrong a failure; a schema in a language that we do not have, or
    that leads elsewhere, is neither.

    Raises:
        Misuse: what is wrong with the command line.
    """
    try:
        return Outcome("success", work())
    except (Malformed, Refused) as error:
        return Outcome("indeterminate" if error.code in NO_ANSWER else "failure", said(error))
    except Unavailable as error:
        return Outcome("indeterminate", said(error))


def said(error: CityIdError) -> dict[str, Any]:
    """A problem, for a developer."""
    told = explain(error.problem, audience=Audience.DEVELOPER)
    return {"code": error.code, "detail": told.text, **({"where": error.problem.where} if error.problem.where else {})}


# --- VC-JOSE-COSE -----------------------------------------------------------------------------------------------------


def issue(document: bytes, method: bytes, feature: str, hide: str = "") -> str:
    """`document` secured as `feature` says with the key of the verification method: text for JOSE, base64 for COSE.
    `hide` is a JSON array of what an SD-JWT can hide: `credentialSubject.firstName`.

    Raises:
        Malformed: what is wrong with the document or the key. Misuse: what is wrong with `hide`.
    """
    media = FEATURES[feature]
    found = json.read_object(document, where="$")
    if media.startswith("vc"):
        documents.credential(found)
    else:
        documents.presentation(found)
    _expand(found)
    fields = _method(method)
    algorithm, secret = read_jwk(fields.object("secretKeyJwk"), fields.at("secretKeyJwk"))
    signer = cast("SoftwareSigner", load(algorithm, secret))
    made = secured.sign(found, media, signer, kid=fields.text("id"), hide=_hidden(hide))
    return base64.b64encode(made).decode("ascii") if media.endswith("cose") else made.decode("ascii")


def verify(data: bytes, method: bytes, feature: str) -> dict[str, Any]:
    """The document that was secured as `feature` says, with the key of the verification method.

    Raises:
        Malformed, Refused: whatever is wrong with it.
    """
    media = FEATURES[feature]
    fields = _method(method)
    key = jwk.read(fields.object("publicKeyJwk"), fields.at("publicKeyJwk"))
    text = data.strip()
    found = secured.read(_base64(text) if media.endswith("cose") else text, media)
    found.check(key)
    documents.facts_of(found)
    _expand(found.document)
    for index, one in enumerate(_inside(found.document) if media.startswith("vp") else ()):
        # What is in the envelope has a key of its own, which is not given here.
        secured.opened(one, f"$.verifiableCredential[{index}]")
    return found.document


def _method(data: bytes) -> Fields:
    return Fields(json.read_object(data, where="key"), "key")


def _base64(text: bytes) -> bytes:
    """COSE as text: base64, with or without its padding."""
    padded = text.rstrip(b"=") + b"=" * (-len(text.rstrip(b"=")) % 4)
    return base64url.decode_standard(padded.decode("utf-8", "backslashreplace"), "$")


def _expand(document: Mapping[str, Any]) -> None:
    """No word in the document is undefined; what is inside of envelopes has contexts of its own."""
    bare = {name: value for name, value in document.items() if name != "verifiableCredential"}
    jsonld.expand(bare, contexts.load)


def _inside(document: Mapping[str, Any]) -> list[Any]:
    found = document.get("verifiableCredential", [])
    return found if isinstance(found, list) else [found]


def _hidden(text: str) -> list[tuple[str | int | None, ...]]:
    if not text:
        return []
    # The suite's own list of cases writes it with single quotes.
    text = text.replace("'", '"') if _QUOTED.fullmatch(text) else text
    try:
        listed = Fields({"sd": json.read(text, limit=limits.DOCUMENT)}, "--sd").texts("sd")
        return [paths.read(one, "--sd") for one in listed]
    except Malformed as error:
        raise Misuse(error.problem) from None
