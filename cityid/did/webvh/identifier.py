"""A did:webvh as text: the SCID, then where the log lies (did:webvh 1.0, Method-Specific Identifier)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cityid.did import location
from cityid.did.syntax import Did, parse
from cityid.errors import Malformed

METHOD: Final = "did:webvh:1.0"
PLACEHOLDER: Final = "{SCID}"
_SCID: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{46}")


@dataclass(frozen=True, slots=True)
class WebvhDid:
    """`text` is the DID as it came, `folder` the https URL of the folder of its files."""

    text: str
    scid: str
    folder: str

    @property
    def log(self) -> str:
        return f"{self.folder}/did.jsonl"

    @property
    def proofs(self) -> str:
        return f"{self.folder}/did-witness.json"


def read(did: Did | str) -> WebvhDid:
    """The parts of a did:webvh.

    Raises:
        Malformed: `did.too_long`, `did.syntax`; `did.method` for another method; `did.webvh_scid_form`;
            `did.web_host`, `did.web_port`, `did.web_path`.
    """
    return _read(did) if isinstance(did, str) else _parts(did)


@lru_cache(maxsize=64)
def _read(did: str) -> WebvhDid:
    """Remembered, because a DID is asked for and then stands in each entry of its log."""
    return _parts(parse(did))


def _parts(parsed: Did) -> WebvhDid:
    if parsed.method != "webvh":
        raise Malformed("did.method", found=parsed.method, expected="webvh")
    scid, _, place = parsed.id.partition(":")
    if not is_scid(scid):
        raise Malformed("did.webvh_scid_form", spec="did:webvh 1.0, Method-Specific Identifier", found=scid)
    return WebvhDid(str(parsed), scid, location.folder(place))


def scid_of(did: str) -> str:
    """The part of a did:webvh that stays the same when it is moved."""
    return did.removeprefix("did:webvh:").partition(":")[0]


def is_scid(text: str) -> bool:
    return _SCID.fullmatch(text) is not None


def template(place: str) -> str:
    """`did:webvh:{SCID}:` and `place` (`host[%3Aport][:path...]`), to be written into the first document of a DID.

    Raises:
        Malformed: `did.too_long`, `did.syntax`, `did.web_host`, `did.web_port`, `did.web_path`.
    """
    location.folder(parse(f"did:webvh:{place.replace(PLACEHOLDER, 'scid')}").id)
    return f"did:webvh:{PLACEHOLDER}:{place}"
