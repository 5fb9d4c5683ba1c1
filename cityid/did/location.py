"""Where did:web and did:webvh put their files: a host, perhaps a port, perhaps a path, as DIDs write them.

Hosts are names, never addresses; Unicode names stand in their A-label form. What is written in two ways has one URL.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from cityid.errors import Malformed

_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# As URL parsers see it (WHATWG URL §3.5): a last label that is a number makes the host an IPv4 address.
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f/\\?#%@:]")
_PATH: Final = "-._~!$&'()*+,;="


def folder(place: str) -> str:
    """The https URL, without a slash at its end, of the folder that `place` (`host[%3Aport][:path...]`) names.

    Raises:
        Malformed: `did.web_host`, `did.web_port`, `did.web_path`.
    """
    place, *segments = place.split(":")
    host, port = _host(place)
    path = "/".join(map(_segment, segments)) if segments else ".well-known"
    return f"https://{host}{port}/{path}"


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
