"""The two ciphersuites (draft-irtf-cfrg-bbs-signatures-09 §6), and the interfaces that stand on each (§3.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, cast

from cityid.bbs import hash_to_curve
from cityid.bbs.curve import Backend, Point, R, blst

_EXPANDED: Final = 48
"""Octets from which a scalar is made, so that it is as good as uniform."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A ciphersuite on a backend. `id` ends in an underscore; `p1` is its fixed point of G1."""

    id: str
    xof: bool
    p1: bytes
    backend: Callable[[], Backend] = blst

    def expand(self, message: bytes, dst: bytes, length: int = _EXPANDED) -> bytes:
        """Raises Misuse `bbs.dst`."""
        if self.xof:
            return hash_to_curve.expand_message_xof(message, dst, length)
        return hash_to_curve.expand_message_xmd(message, dst, length)

    def hash_to_scalar(self, message: bytes, dst: bytes) -> int:
        """hash_to_scalar (§4.3.1). Raises Misuse `bbs.dst`."""
        return int.from_bytes(self.expand(message, dst), "big") % R

    def hash_to_g1(self, message: bytes, dst: bytes) -> Point:
        """hash_to_curve_g1. Raises Misuse `bbs.dst`, Unavailable `install.extra`."""
        backend = self.backend()
        if not self.xof:
            return backend.hash_to_g1(message, dst)
        # With its cofactor cleared the point is always one that `g1` reads.
        return cast("Point", backend.g1(hash_to_curve.point_of(self.expand(message, dst, 128))))


SHA_256: Final = Suite(
    "BBS_BLS12381G1_XMD:SHA-256_SSWU_RO_",
    False,
    bytes.fromhex("a8ce256102840821a3e94ea9025e4662b205762f9776b3a766c872b948f1fd225e7c59698588e70d11406d161b4e28c9"),
)
"""What bbs-2023 uses."""
SHAKE_256: Final = Suite(
    "BBS_BLS12381G1_XOF:SHAKE-256_SSWU_RO_",
    True,
    bytes.fromhex("8929dfbc7e6642c4ed9cba0856e493f8b9d7d5fcb0c31ef8fdcd34d50648a56c795e106e9eada6e0bda386b414150755"),
)


@dataclass(frozen=True, slots=True)
class Interface:
    """How messages become scalars, and which generators they get: a suite under one of the names below."""

    suite: Suite
    name: str

    @property
    def api_id(self) -> bytes:
        return (self.suite.id + self.name).encode("ascii")

    def hash_to_scalar(self, message: bytes) -> int:
        return self.suite.hash_to_scalar(message, self.api_id + b"H2S_")

    def scalars(self, messages: Sequence[bytes]) -> list[int]:
        """messages_to_scalars (§4.1.2)."""
        dst = self.api_id + b"MAP_MSG_TO_SCALAR_AS_HASH_"
        hash_to_scalar = self.suite.hash_to_scalar
        return [hash_to_scalar(message, dst) for message in messages]


CORE: Final = "H2G_HM2S_"
BLIND: Final = "BLIND_H2G_HM2S_"
PSEUDONYM: Final = "H2G_HM2S_PSEUDONYM_"
