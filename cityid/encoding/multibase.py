"""Multibase `z` (base58btc) and the unsigned varints of multicodec, strict. Other bases are refused by name."""

from __future__ import annotations

from cityid import limits
from cityid.encoding import base58
from cityid.errors import Malformed


def decode(text: str, where: str = "", *, limit: int = limits.DID_KEY_MLDSA) -> bytes:
    """The bytes of a multibase string, which must be base58btc. Length is checked before base58 (quadratic) runs.

    Raises:
        Malformed: `multibase.too_long`, `multibase.base`, `multibase.alphabet`.
    """
    if len(text) > limit:
        raise Malformed("multibase.too_long", where=where, limit=limit, length=len(text))
    if not text.startswith("z"):
        raise Malformed("multibase.base", where=where, spec="CID 1.0 §2.4", base=text[:1])
    return base58.decode(text[1:], where)


def encode(data: bytes) -> str:
    return "z" + base58.encode(data)


def read_varint(data: bytes, where: str = "") -> tuple[int, bytes]:
    """The leading unsigned varint and the rest. Only the shortest form, at most two bytes: all our codes fit.

    Raises:
        Malformed: `multibase.varint`.
    """
    if data and data[0] < 0x80:
        return data[0], data[1:]
    if len(data) >= 2 and 0 < data[1] < 0x80:
        return (data[0] & 0x7F) | (data[1] << 7), data[2:]
    raise Malformed("multibase.varint", where=where, spec="multiformats unsigned-varint")


def varint(code: int) -> bytes:
    """`code` as an unsigned varint, for codes below 2^14."""
    return bytes([code]) if code < 0x80 else bytes([(code & 0x7F) | 0x80, code >> 7])
