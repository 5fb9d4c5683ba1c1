"""Base58 with Bitcoin's alphabet, by many characters at once (draft-msporny-base58-03)."""

from __future__ import annotations

from typing import Final

from cityid.errors import Malformed

ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = bytes(ALPHABET.find(chr(code)) % 256 for code in range(256))
_PAIRS: Final = tuple(first + second for first in ALPHABET for second in ALPHABET)
_10: Final = 58**10
_LANES: Final = 128
_CHUNK: Final = 58**_LANES
_STEPS: Final = tuple(
    (width, int.from_bytes((bytes(width // 8) + b"\xff" * (width // 8)) * (8 * _LANES // (2 * width)), "big"), weight)
    for width, weight in ((8 << step, 58 ** (1 << step)) for step in range(7))
)
"""Bits of a lane, a mask of every other lane, and what the upper one of two lanes is worth."""


def encode(data: bytes) -> str:
    number = int.from_bytes(data, "big")
    out: list[str] = []
    while number:
        number, rest = divmod(number, _10)
        rest, a = divmod(rest, 3364)
        rest, b = divmod(rest, 3364)
        rest, c = divmod(rest, 3364)
        e, d = divmod(rest, 3364)
        out.append(_PAIRS[e] + _PAIRS[d] + _PAIRS[c] + _PAIRS[b] + _PAIRS[a])
    out.reverse()
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + "".join(out).lstrip("1")


def decode(text: str, where: str = "") -> bytes:
    """The bytes of a text that is not empty. Work grows with the square of its length: its caller limits that.

    Raises:
        Malformed: `multibase.alphabet`.
    """
    value = number(text, where)
    return bytes(len(text) - len(text.lstrip("1"))) + value.to_bytes((value.bit_length() + 7) // 8, "big")


def number(text: str, where: str = "") -> int:
    """The number that a text which is not empty stands for.

    Raises:
        Malformed: `multibase.alphabet`.
    """
    digits = text.encode("utf-8", "surrogatepass").translate(_VALUES)
    if not digits or b"\xff" in digits:
        raise Malformed("multibase.alphabet", where=where, spec="CID 1.0 §2.4")
    value = 0
    for start in range(-(-len(digits) % _LANES), len(digits), _LANES):
        # One long number with a digit in each byte, of which neighbours are added up until one is left: seven times
        # four operations, not four for each digit.
        lanes = int.from_bytes(digits[max(start, 0) : start + _LANES], "big")
        for width, mask, weight in _STEPS:
            lanes = (lanes & mask) + (lanes >> width & mask) * weight
        value = value * _CHUNK + lanes
    return value
