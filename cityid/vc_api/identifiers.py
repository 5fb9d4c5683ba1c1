"""DID resolution over HTTP (DID Resolution v1 §12.1): what stands in the path and the query, for `did.resolution`."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl, unquote_to_bytes

from cityid.did import resolution
from cityid.errors import Malformed
from cityid.plan import Response, Steps

_ENCODED: Final = re.compile(r"(?i)did%3A|%2[35F]|%3F")
_OPTIONS: Final = 20


def resolve(text: str, query: str, accept: str, at: datetime) -> Steps[Response]:
    """The answer to `GET .../1.0/identifiers/TEXT?QUERY`, both as they stand in the request.

    Raises:
        Malformed: `vc_api.options`.
    """
    found = yield from resolution.respond(did_url(text), accept, _options(query), at)
    return Response(found.status, {"content-type": found.content_type}, found.body, at)


def did_url(text: str) -> str:
    """The DID URL in a path. It may stand there as it is or percent-encoded; which, is told by what a DID never has in
    it otherwise: `did%3A`, `%25`, `%23`, `%2F`, `%3F`."""
    return unquote_to_bytes(text).decode("utf-8", "backslashreplace") if _ENCODED.search(text) else text


def _options(query: str) -> dict[str, str]:
    """Resolution options, each once.

    Raises:
        Malformed: `vc_api.options`.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_OPTIONS)
    except ValueError:
        raise Malformed("vc_api.options", spec="DID Resolution §12.1") from None
    if len(dict(pairs)) != len(pairs):
        raise Malformed("vc_api.options", spec="DID Resolution §12.1")
    return dict(pairs)
