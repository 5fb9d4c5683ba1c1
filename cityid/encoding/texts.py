"""Short texts that people type and others are shown: names, purposes, titles."""

from __future__ import annotations

import unicodedata
from typing import Final

from cityid import limits
from cityid.errors import Malformed

_KINDS: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
_JOINERS: Final = "\u200c\u200d"
"""Format characters without which Persian, Indic scripts and some emoji cannot be written."""


def label(text: str, name: str, limit: int = limits.LABEL, where: str = "") -> str:
    """`text`, which is one line that reads as it is stored: at most `limit` characters, no control characters, none
    that reorder or hide what stands around them (Unicode UAX #9, UTS #39), none that everybody may draw as they like.
    `name` is what it is called.

    Raises:
        Malformed: `text.too_long`, `text.control`.
    """
    if len(text) > limit:
        raise Malformed("text.too_long", where=where, name=name, limit=limit)
    if text.isascii() and text.isprintable():
        return text
    for place, char in enumerate(text, 1):
        if unicodedata.category(char) in _KINDS and char not in _JOINERS:
            raise Malformed("text.control", where=where, name=name, character=f"U+{ord(char):04X}", place=place)
    return text
