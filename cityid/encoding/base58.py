"""Base58 with Bitcoin's alphabet, by tens of characters rather than one by one (draft-msporny-base58-03)."""

from __future__ import annotations

from typing import Final

from cityid.errors import Malformed

ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = bytes(ALPHABET.find(chr(code)) % 256 for code in range(256))
_PAIRS: Final = tuple(first + second for first in ALPHABET for second in ALPHABET)
_8, _10 = 58**8, 58**10


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
    digits = text.encode("utf-8", "surrogatepass").translate(_VALUES)
    if not digits or b"\xff" in digits:
        raise Malformed("multibase.alphabet", where=where, spec="CID 1.0 §2.4")
    values = bytes(-len(digits) % 8) + digits
    number = 0
    for at in range(0, len(values), 8):
        a, b, c, d, e, f, g, h = values[at : at + 8]
        number = number * _8 + (((((((a * 58 + b) * 58 + c) * 58 + d) * 58 + e) * 58 + f) * 58 + g) * 58 + h)
    return bytes(len(text) - len(text.lstrip("1"))) + number.to_bytes((number.bit_length() + 7) // 8, "big")
