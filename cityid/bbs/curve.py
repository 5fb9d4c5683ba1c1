"""BLS12-381 as the scheme needs it: points are opaque, and come from a Backend (here pyblst, extra `bbs`).

Scalars are integers modulo R. `mul` takes the same time for each scalar; nothing else here is asked to.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, Protocol, TypeVar

from cityid.errors import Unavailable

R: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
"""The order of both groups."""
G1_OCTETS: Final = 48
G2_OCTETS: Final = 96
SCALAR_OCTETS: Final = 32
BP2: Final = bytes.fromhex(
    "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
    "024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
)
"""The base point of G2, compressed."""
IDENTITY_FLAG: Final = 0x40
"""Set in the first octet of an encoding that says it is the point at infinity."""


class Point(Protocol):
    """A point of G1 or G2 (never mixed)."""

    def __add__(self, other: Any, /) -> Any: ...

    def __neg__(self) -> Any: ...


P = TypeVar("P", bound=Point)


class Backend(Protocol):
    """Arithmetic on the curve. Decoding is strict: canonical, on the curve, in the subgroup; None for anything else."""

    def __hash__(self) -> int: ...

    def g1(self, octets: bytes) -> Point | None: ...

    def g2(self, octets: bytes) -> Point | None: ...

    def zero(self) -> Point:
        """The identity of G1."""
        ...

    def octets(self, point: Point) -> bytes:
        """Compressed, in the form that `g1` or `g2` reads."""
        ...

    def mul(self, point: P, scalar: int) -> P:
        """Constant-time in the scalar, or said otherwise where the backend is chosen."""
        ...

    def hash_to_g1(self, message: bytes, dst: bytes) -> Point:
        """BLS12381G1_XMD:SHA-256_SSWU_RO_ (RFC 9380 §8.8.1)."""
        ...

    def same_pairing(self, a: Point, b: Point, c: Point, d: Point) -> bool:
        """Is e(a, b) = e(c, d)? None of them is the identity."""
        ...


class Blst:
    """pyblst: blst's constant-time multiplication and strict decoding."""

    def __init__(self, pyblst: Any) -> None:
        self._g1, self._g2 = pyblst.BlstP1Element, pyblst.BlstP2Element
        self._loop, self._same = pyblst.miller_loop, pyblst.final_verify

    def g1(self, octets: bytes) -> Point | None:
        return self._read(self._g1, octets)

    def g2(self, octets: bytes) -> Point | None:
        return self._read(self._g2, octets)

    @staticmethod
    def _read(group: Any, octets: bytes) -> Point | None:
        try:
            point: Point = group.uncompress(octets)
        except ValueError:
            return None
        return point

    def zero(self) -> Point:
        point: Point = self._g1()
        return point

    def octets(self, point: Any) -> bytes:
        return bytes(point.compress())

    def mul(self, point: Any, scalar: int) -> Any:
        return point.scalar_mul(scalar)

    def hash_to_g1(self, message: bytes, dst: bytes) -> Point:
        point: Point = self._g1.hash_to_group(message, dst)
        return point

    def same_pairing(self, a: Point, b: Point, c: Point, d: Point) -> bool:
        return bool(self._same(self._loop(a, b), self._loop(c, d)))


@cache
def blst() -> Backend:
    """The backend on pyblst.

    Raises:
        Unavailable: `install.extra`.
    """
    try:
        import pyblst
    except ImportError:
        raise Unavailable("install.extra", extra="bbs") from None
    return Blst(pyblst)
