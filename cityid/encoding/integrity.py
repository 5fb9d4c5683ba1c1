"""Integrity values as SD-JWT VC writes them (§6): the syntax of W3C Subresource Integrity over the bytes of a document.

Of several expressions only those of the strongest supported algorithm count, and one of them must match: an attacker
who can break the weaker one gains nothing by adding it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from cityid.encoding import base64url
from cityid.errors import Malformed, Refused

_ALGORITHMS: Final = ("sha512", "sha384", "sha256")
_SPEC: Final = "SD-JWT VC §6"


def check_integrity(document: bytes, integrity: str, where: str = "") -> None:
    """Do the bytes match? Expressions that are no digest (unknown algorithm, wrong length, not base64) say nothing.

    Raises:
        Refused: `integrity.unsupported`, when no expression can be used; `integrity.mismatch`.
    """
    expected: dict[str, list[bytes]] = {}
    for expression in integrity.split():
        algorithm, _, rest = expression.partition("-")
        digest = _digest(rest.partition("?")[0])
        if algorithm in _ALGORITHMS and digest is not None and len(digest) == hashlib.new(algorithm).digest_size:
            expected.setdefault(algorithm, []).append(digest)
    strongest = next((algorithm for algorithm in _ALGORITHMS if algorithm in expected), None)
    if strongest is None:
        raise Refused("integrity.unsupported", where=where, spec=_SPEC, integrity=integrity)
    found = hashlib.new(strongest, document).digest()
    if not any(hmac.compare_digest(found, digest) for digest in expected[strongest]):
        raise Refused("integrity.mismatch", where=where, spec=_SPEC, algorithm=strongest)


def _digest(text: str) -> bytes | None:
    try:
        return base64url.decode_standard(text)
    except Malformed:
        return None


def integrity_of(document: bytes) -> str:
    """The integrity value that we write for a document."""
    return f"sha256-{base64.b64encode(hashlib.sha256(document).digest()).decode('ascii')}"
