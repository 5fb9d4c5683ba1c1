"""did:web (CCG draft of 2024): the document lies on the web server that the DID names.

Hosts are names, never addresses; Unicode names stand in their A-label form. What a DID spells in two ways has one URL,
so a cache has one entry, and the document's own `id` must repeat the DID's spelling.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from cityid.did.document import DidDocument, read_document
from cityid.did.syntax import Did, parse, parse_url
from cityid.errors import Malformed, Refused, Unavailable
from cityid.keys import PublicKey, jwk
from cityid.plan import Request, Steps

CONTEXT: Final = "https://www.w3.org/ns/did/v1.1"
TYPES: Final = ("application/did", "application/did+json", "application/did+ld+json", "application/json")
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# As URL parsers see it (WHATWG URL §3.5): a last label that is a number makes the host an IPv4 address.
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f/\\?#%@:]")
_PATH: Final = "-._~!$&'()*+,;="


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
    place, *segments = did.id.split(":")
    host, port = _host(place)
    if not segments:
        return f"https://{host}{port}/.well-known/did.json"
    return f"https://{host}{port}/{'/'.join(map(_segment, segments))}/did.json"


def _host(place: str) -> tuple[str, str]:
    # Decoded once; what is encoded twice keeps its % and is no host name. Neither are bytes beyond ASCII.
    name, colon, port = unquote_to_bytes(place).decode("latin-1").partition(":")
    host = name.lower()
    labels = host.split(".")
    if (
        len(host) > 253
        or len(labels) < 2
        or not all(map(_LABEL.fullmatch, labels))
        or _NUMBER.fullmatch(labels[-1])
        or labels[-1] == "localhost"
    ):
        raise Malformed("did.web_host", spec="did:web, Method-specific identifier", found=place)
    if not colon:
        return host, ""
    if not _PORT.fullmatch(port) or int(port) > 65535:
        raise Malformed("did.web_port", spec="did:web, Method-specific identifier", found=port)
    return host, "" if port == "443" else f":{port}"


def _segment(segment: str) -> str:
    try:
        text = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if text in ("", ".", "..") or _FORBIDDEN.search(text):
        raise Malformed("did.web_path", spec="did:web, Read (Resolve)", found=segment)
    return quote(text, safe=_PATH)


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
        methods.append({"id": name, "type": "JsonWebKey", "controller": did, "publicKeyJwk": jwk.write(key)})
        for purpose in ("authentication", "assertionMethod") if key.algorithm.signs else ("keyAgreement",):
            purposes.setdefault(purpose, []).append(name)
    return {"@context": [CONTEXT], "id": did, "verificationMethod": methods, **purposes}
