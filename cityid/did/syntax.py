"""DIDs and DID URLs as text (DID Core 1.0 §3), strict. A DID URL of ours has a fragment and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from cityid import limits
from cityid.errors import Malformed

_DID: Final = re.compile(r"did:([a-z0-9]+):((?:[A-Za-z0-9._:-]|%[0-9A-Fa-f]{2})+)")
_FRAGMENT: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})+")
# did:key and did:jwk carry their key in themselves: the limits count the body, for both.
_LONGEST: Final = {"key": limits.DID_KEY_MLDSA + len("did:key:"), "jwk": limits.DID_JWK + len("did:jwk:")}


@dataclass(frozen=True, slots=True)
class Did:
    """`did:` + method + `:` + id. The text is kept as it came: DIDs are compared character by character."""

    method: str
    id: str

    def __str__(self) -> str:
        return f"did:{self.method}:{self.id}"


def parse(text: str) -> Did:
    """The DID written in `text`. The method need not be one of ours.

    Raises:
        Malformed: `did.too_long` (before anything else is done with it), `did.syntax`.
    """
    limit = _LONGEST.get(text[4:7], limits.DID) if text.startswith("did:") and text[7:8] == ":" else limits.DID
    if len(text) > limit:
        raise Malformed("did.too_long", limit=limit, length=len(text))
    found = _DID.fullmatch(text)
    if found is None or text.endswith(":"):
        raise Malformed("did.syntax", spec="DID Core §3.1", found=text)
    return Did(found[1], found[2])


def parse_url(text: str) -> tuple[Did, str]:
    """The DID and the fragment ("" where there is none) of a DID URL.

    Paths, queries and their parameters (`service`, `relativeRef`, `versionTime` and the like) are refused: they make
    a resolver fetch what a stranger wrote.

    Raises:
        Malformed: `did.too_long`, `did.syntax`; `did.url_not_plain`, `did.url_fragment`.
    """
    did, mark, fragment = text.partition("#")
    if "?" in did or "/" in did:
        raise Malformed("did.url_not_plain", spec="DID Core §3.2", found=text)
    parsed = parse(did)
    if mark and (len(fragment) > limits.DID or not _FRAGMENT.fullmatch(fragment)):
        raise Malformed("did.url_fragment", spec="DID Core §3.2", found=fragment)
    return parsed, fragment
