"""Decentralized identifiers: did:key, did:jwk and did:web, behind one `resolve` (DID Core 1.0, DID Resolution v1).

A method is a module that knows nothing of the others. did:key and did:jwk are read where they stand; did:web is one
Request of the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from cityid.did import jwk, key, web
from cityid.did.document import DidDocument, VerificationMethod, read_document
from cityid.did.syntax import Did, parse, parse_url
from cityid.errors import CityIdError, Malformed, Refused
from cityid.plan import Steps, plan

__all__ = [
    "Did", "DidDocument", "VerificationMethod", "dereference", "error_type", "parse", "parse_url", "read_document",
    "resolution_result", "resolve",
]  # fmt: skip

_HERE: Final[Mapping[str, Callable[[Did], DidDocument]]] = MappingProxyType({"key": key.read, "jwk": jwk.read})
_FETCHED: Final[Mapping[str, Callable[[Did], Steps[DidDocument]]]] = MappingProxyType({"web": web.resolve})
METHODS: Final = (*_HERE, *_FETCHED)


@plan
def resolve(did: str) -> Steps[DidDocument]:
    """The document of `did`.

    Raises (when run):
        Malformed: `did.*` and what the method's own reader finds wrong.
        Refused: `did.method_not_supported`; `did.document_id`, `did.content_type`.
        Unavailable: `did.not_found`, `did.http_status`; what the exchange raises (`net.*`).
    """
    parsed = parse(did)
    here = _HERE.get(parsed.method)
    if here is not None:
        return here(parsed)
    fetched = _FETCHED.get(parsed.method)
    if fetched is None:
        raise Refused("did.method_not_supported", spec="DID Resolution §4", method=parsed.method)
    return (yield from fetched(parsed))


@plan
def dereference(url: str) -> Steps[VerificationMethod]:
    """The verification method that a DID URL with a fragment names (DID Resolution §5.2).

    Raises (when run):
        Malformed: `did.url_not_plain`, `did.url_fragment`; as `resolve`.
        Refused: `did.no_such_key`; as `resolve`.
        Unavailable: as `resolve`.
    """
    did, fragment = parse_url(url)
    if not fragment:
        raise Malformed("did.url_fragment", spec="DID Core §3.2", found=fragment)
    document = yield from resolve(str(did))
    return document.method(fragment)


_TYPE: Final = "https://www.w3.org/ns/did#"
_ERRORS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "did.syntax": "INVALID_DID",
        "did.too_long": "INVALID_DID",
        "did.method": "INVALID_DID",
        "did.web_host": "INVALID_DID",
        "did.web_port": "INVALID_DID",
        "did.web_path": "INVALID_DID",
        "did.url_not_plain": "INVALID_DID_URL",
        "did.url_fragment": "INVALID_DID_URL",
        "did.method_not_supported": "METHOD_NOT_SUPPORTED",
        "did.not_found": "NOT_FOUND",
        "did.no_such_key": "NOT_FOUND",
        "did.content_type": "REPRESENTATION_NOT_SUPPORTED",
    }
)


def error_type(error: CityIdError, did: str) -> str:
    """The error type URL of DID Resolution v1 §10 for what resolving `did` raised. Where the key is in the DID, a bad
    key is a bad DID; otherwise it is a bad document."""
    name = _ERRORS.get(error.code)
    if name is None and isinstance(error, Malformed | Refused):
        inside = did.startswith(tuple(f"did:{method}:" for method in _HERE))
        name = "INVALID_DID" if inside else "INVALID_DID_DOCUMENT"
    return _TYPE + (name or "INTERNAL_ERROR")


def resolution_result(did: str, outcome: DidDocument | CityIdError) -> dict[str, Any]:
    """What DID Resolution v1 §4 calls the result: `didDocument`, `didResolutionMetadata`, `didDocumentMetadata`. The
    error's `title` is our code."""
    if isinstance(outcome, CityIdError):
        error = {"type": error_type(outcome, did), "title": outcome.code}
        return {"didResolutionMetadata": {"error": error}, "didDocument": None, "didDocumentMetadata": {}}
    return {
        "didResolutionMetadata": {"contentType": "application/did"},
        "didDocument": dict(outcome.raw),
        "didDocumentMetadata": {},
    }
