"""The recovery code of a backup: what stands on paper.

26 characters of chance (130 bits) and six that find mistakes: the checksum of BIP 173, which notices every four wrong
characters, in Crockford's alphabet, which has no I, L, O and U. It is written in eight groups of four, and is itself
the passphrase of the age file, as it is written.
"""

from __future__ import annotations

import secrets
from typing import Final

from cityid.edge.sealed import Entropy
from cityid.errors import Malformed

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKS: Final = str.maketrans("OIL", "011")
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHANCE: Final = 26
_CHECK: Final = 6
_GROUP: Final = 4
_DOMAIN: Final = tuple(ord(char) & 31 for char in "cityid")


def new(entropy: Entropy = secrets.token_bytes) -> str:
    """A fresh code: `XXXX-XXXX-...`, eight groups."""
    chance = int.from_bytes(entropy(17), "big")
    values = [chance >> 5 * place & 31 for place in range(_CHANCE)]
    rest = _polymod((*_DOMAIN, *values, *[0] * _CHECK)) ^ 1
    return _write([*values, *(rest >> 5 * (_CHECK - 1 - place) & 31 for place in range(_CHECK))])


def read(text: str) -> str:
    """The code as `new` wrote it, from how somebody typed it: in any case, with or without dashes and spaces, with O
    for 0, and I or L for 1.

    Raises:
        Malformed: `recovery.length`, `recovery.character`, `recovery.mistyped`.
    """
    plain = "".join(text.replace("-", "").split()).upper().translate(_LOOKS)
    if len(plain) != _CHANCE + _CHECK:
        raise Malformed("recovery.length", length=len(plain), expected=_CHANCE + _CHECK)
    for place, char in enumerate(plain, 1):
        if char not in _ALPHABET:
            raise Malformed("recovery.character", place=place)
    values = [_ALPHABET.index(char) for char in plain]
    if _polymod((*_DOMAIN, *values)) != 1:
        raise Malformed("recovery.mistyped")
    return _write(values)


def _write(values: list[int]) -> str:
    text = "".join(_ALPHABET[value] for value in values)
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))


def _polymod(values: tuple[int, ...]) -> int:
    rest = 1
    for value in values:
        top = rest >> 25
        rest = (rest & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            rest ^= generator if top >> bit & 1 else 0
    return rest
