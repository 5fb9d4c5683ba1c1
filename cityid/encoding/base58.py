"""Base58 with Bitcoin's alphabet, by tens of characters rather than one by one (draft-msporny-base58-03)."""

from __future__ import annotations

from struct import Struct
from typing import Final

from cityid.errors import Malformed

ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = bytes(ALPHABET.find(chr(code)) % 256 for code in range(256))
_PAIRS: Final = tuple(first + second for first in ALPHABET for second in ALPHABET)
_FOURS: Final = Struct(">4H")
_4, _8, _10 = 58**4, 58**8, 58**10
_PAIR_VALUES: Final = tuple(high * 58 + low for high in range(58) for low in range(256))
"""What two digits are worth, by 256 times the first and the second; between 58 and 256 no digit is."""


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
    values = bytes(-len(digits) % 8) + digits
    pairs = _PAIR_VALUES
    value = 0
    for a, b, c, d in _FOURS.iter_unpack(values):
        value = value * _8 + (pairs[a] * 3364 + pairs[b]) * _4 + pairs[c] * 3364 + pairs[d]
    return value
