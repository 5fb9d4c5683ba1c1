"""did:web (CCG draft of 2024): the document lies on the web server that the DID names.

Hosts are names, never addresses; Unicode names stand in their A-label form. What a DID spells in two ways has one URL,
so a cache has one entry, and the document's own `id` must repeat the DID's spelling.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cityid.did import location
from cityid.did.document import DidDocument, read_document
from cityid.did.syntax import Did, parse, parse_url
from cityid.errors import Malformed, Refused, Unavailable
from cityid.keys import Algorithm, PublicKey, jwk, multikey
from cityid.plan import Request, Steps

CONTEXT: Final = "https://www.w3.org/ns/did/v1.1"
TYPES: Final = ("application/did", "application/did+json", "application/did+ld+json", "application/json")


def url(did: str) -> str:
    """The https URL of the document of a did:web.

    Raises:
        Malformed: `did.too_long`, `did.syntax`; `did.method` for another method; `did.web_host`, `did.web_port`,
            `did.web_path`.
    """
    parsed = parse(did)
    if parsed.method != "web":
        raise Malformed("did.method", found=parsed.method, expected="web")
    return _url(parsed)


def _url(did: Did) -> str:
    return location.folder(did.id) + "/did.json"


def resolve(did: Did) -> Steps[DidDocument]:
    """The document of a did:web: one request, no redirects.

    Raises:
        Malformed: as `url`; as `read_document`.
        Refused: `did.content_type`; as `read_document`.
        Unavailable: `did.not_found`, `did.http_status`; what the exchange raises.
    """
    response = yield Request("GET", _url(did), {"accept": ", ".join(TYPES)})
    if response.status in (404, 410):
        raise Unavailable("did.not_found", did=str(did), status=response.status)
    if response.status != 200:
        raise Unavailable("did.http_status", did=str(did), status=response.status)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in TYPES:
        raise Refused("did.content_type", spec="did:web, Read (Resolve)", did=str(did), found=kind)
    return read_document(response.body, str(did))


def document(did: str, keys: Mapping[str, PublicKey]) -> dict[str, Any]:
    """A DID document for `did` to be put at `url(did)`. `keys` are by fragment, without `#`. Keys that sign stand under
    authentication and assertionMethod, the others under keyAgreement.

    Raises:
        Malformed: as `url`; `did.url_fragment`.
    """
    url(did)
    methods = []
    purposes: dict[str, list[str]] = {}
    for fragment, key in keys.items():
        name = f"{did}#{fragment}"
        parse_url(name)
        methods.append(_method(name, did, key))
        for purpose in ("keyAgreement",) if key.algorithm.agrees else ("authentication", "assertionMethod"):
            purposes.setdefault(purpose, []).append(name)
    return {"@context": [CONTEXT], "id": did, "verificationMethod": methods, **purposes}


def _method(name: str, did: str, key: PublicKey) -> dict[str, Any]:
    """A key as a JWK, which every reader knows; one that has none as a Multikey."""
    if key.algorithm is Algorithm.BBS:
        return {"id": name, "type": "Multikey", "controller": did, "publicKeyMultibase": multikey.write(key)}
    return {"id": name, "type": "JsonWebKey", "controller": did, "publicKeyJwk": jwk.write(key)}
