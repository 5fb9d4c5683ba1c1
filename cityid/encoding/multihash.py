"""Multihash of SHA-256 in base58btc, without a multibase letter, as did:webvh writes its hashes."""

from __future__ import annotations

import hashlib

from cityid.encoding import base58

_SHA_256 = b"\x12\x20"
_LENGTH = 46


def sha256(data: bytes) -> str:
    """The multihash of `data`: 46 characters, of which the first two are `Qm`."""
    return base58.encode(_SHA_256 + hashlib.sha256(data).digest())


def is_sha256(text: str, data: bytes) -> bool:
    """Whether `text`, of the alphabet of base58, is `sha256(data)`; in half the time."""
    digest = hashlib.sha256(data).digest()
    return len(text) == _LENGTH and base58.number(text) == int.from_bytes(_SHA_256 + digest, "big")
