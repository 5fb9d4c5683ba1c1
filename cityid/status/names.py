"""What each kind of status list is called, and as what it comes: all that is needed of a list before there is one."""

from __future__ import annotations

from typing import Final

TOKEN: Final = "status_list"
"""The member of `status` that names an entry of a token status list (Token Status List §6.1)."""
JWT: Final = "application/statuslist+jwt"
CWT: Final = "application/statuslist+cwt"

BITSTRING: Final = "BitstringStatusListEntry"
"""The `type` of an entry in `credentialStatus` (Bitstring Status List 1.0 §2.1)."""
CREDENTIALS: Final = (
    "application/vc+jwt", "application/vc+cose", "application/vc", "application/vc+ld+json", "application/ld+json",
    "application/json",
)  # fmt: skip
"""As what a list's credential may come; with its proof inside it was plain JSON before it had a media type."""
ACCEPT_CREDENTIALS: Final = (
    "application/vc+jwt, application/vc;q=0.9, application/vc+cose;q=0.8, application/json;q=0.5"
)
