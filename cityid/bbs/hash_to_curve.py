"""Hashing to scalars and to points of G1 (RFC 9380), in Python: pyblst hashes with SHA-256 alone.

What is hashed here is public (generators, contexts), so that Python's integers may take the time they take.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cityid.bbs import isogeny
from cityid.errors import Misuse

Q: Final = int("1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab", 16)
"""The order of the field of coordinates."""
DST_OCTETS: Final = 255
_BLOCK: Final = bytes(64)
_COFACTOR: Final = 0xD201000000010001
_FIELD_OCTETS: Final = 64

Affine = tuple[int, int]


def expand_message_xmd(message: bytes, dst: bytes, length: int) -> bytes:
    """RFC 9380 §5.3.1, with SHA-256; `length` is at most 8,160.

    Raises:
        Misuse: `bbs.dst`, for a domain separation tag longer than 255 octets.
    """
    prime = _prime(dst)
    first = hashlib.sha256(_BLOCK + message + length.to_bytes(2, "big") + b"\0" + prime).digest()
    block = hashlib.sha256(first + b"\1" + prime).digest()
    found, mask = block, int.from_bytes(first, "big")
    for number in range(2, -(-length // 32) + 1):
        mixed = mask ^ int.from_bytes(block, "big")
        block = hashlib.sha256(mixed.to_bytes(32, "big") + bytes([number]) + prime).digest()
        found += block
    return found[:length]


def expand_message_xof(message: bytes, dst: bytes, length: int) -> bytes:
    """RFC 9380 §5.3.2, with SHAKE-256. Raises Misuse `bbs.dst`."""
    return hashlib.shake_256(message + length.to_bytes(2, "big") + _prime(dst)).digest(length)


def _prime(dst: bytes) -> bytes:
    if len(dst) > DST_OCTETS:
        raise Misuse("bbs.dst", limit=DST_OCTETS, length=len(dst))
    return dst + bytes([len(dst)])


def field_elements(uniform: bytes) -> tuple[int, int]:
    """The two field elements in 128 uniform octets (RFC 9380 §5.2)."""
    return (
        int.from_bytes(uniform[:_FIELD_OCTETS], "big") % Q,
        int.from_bytes(uniform[_FIELD_OCTETS:], "big") % Q,
    )


def point_of(uniform: bytes) -> bytes:
    """The point of G1 that 128 uniform octets stand for, compressed (RFC 9380 §3, §8.8.1)."""
    u0, u1 = field_elements(uniform)
    return compress(clear_cofactor(add(map_to_curve(u0), map_to_curve(u1))))


def map_to_curve(u: int) -> Affine:
    """Simplified SWU on E', then the isogeny (RFC 9380 §6.6.2, §6.6.3). The point may lie outside the subgroup."""
    x, y = _swu(u)
    x_den, y_den = _horner(isogeny.X_DEN, x), _horner(isogeny.Y_DEN, x)
    inverse = pow(x_den * y_den, -1, Q)
    found_x = _horner(isogeny.X_NUM, x) * y_den % Q * inverse % Q
    found_y = y * _horner(isogeny.Y_NUM, x) % Q * x_den % Q * inverse % Q
    return found_x, found_y


def _swu(u: int) -> Affine:
    a, b, z = isogeny.A, isogeny.B, isogeny.Z
    zu2 = z * u * u % Q
    tv = (zu2 * zu2 + zu2) % Q
    # §6.6.2(4): where tv is 0 (u = 0, as -1/Z is no square here), x1 is the exceptional value.
    x = -b * (1 + pow(tv, -1, Q)) * pow(a, -1, Q) % Q if tv else b * pow(z * a, -1, Q) % Q
    gx = (x * x * x + a * x + b) % Q
    y = pow(gx, (Q + 1) // 4, Q)
    if y * y % Q != gx:
        x = zu2 * x % Q
        gx = (x * x * x + a * x + b) % Q
        y = pow(gx, (Q + 1) // 4, Q)
    return (x, y) if y % 2 == u % 2 else (x, Q - y)


def _horner(coefficients: tuple[int, ...], x: int) -> int:
    value = 0
    for each in reversed(coefficients):
        value = (value * x + each) % Q
    return value


def add(one: Affine, other: Affine) -> Affine:
    """The sum of two points neither of which is the other's negative."""
    (x1, y1), (x2, y2) = one, other
    if one == other:
        slope = 3 * x1 * x1 * pow(2 * y1, -1, Q) % Q
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, Q) % Q
    x = (slope * slope - x1 - x2) % Q
    return x, (slope * (x1 - x) - y1) % Q


def clear_cofactor(point: Affine) -> Affine:
    """`point` times h_eff (RFC 9380 §8.8.1)."""
    found = point
    for bit in bin(_COFACTOR)[3:]:
        found = add(found, found)
        if bit == "1":
            found = add(found, point)
    return found


def compress(point: Affine) -> bytes:
    """The encoding of pairing-friendly curves (draft-irtf-cfrg-pairing-friendly-curves §C)."""
    x, y = point
    octets = bytearray(x.to_bytes(48, "big"))
    octets[0] |= 0xA0 if y > Q - y else 0x80
    return bytes(octets)
