"""What arrives as octets, read strictly (draft-irtf-cfrg-bbs-signatures-09 §4.4): lengths, canonical scalars in
1..r-1, canonical points of the subgroup that are not the identity. Nothing is read twice in two ways."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from cityid import limits
from cityid.bbs.curve import G1_OCTETS, G2_OCTETS, IDENTITY_FLAG, SCALAR_OCTETS, Backend, Point, R
from cityid.errors import Malformed

SIGNATURE_OCTETS: Final = G1_OCTETS + SCALAR_OCTETS
PROOF_FLOOR: Final = 3 * G1_OCTETS + 4 * SCALAR_OCTETS
COMMITMENT_FLOOR: Final = G1_OCTETS + 2 * SCALAR_OCTETS
KEYS: Final = 1024
"""Public keys that are remembered as points."""


class Signature(NamedTuple):
    a: Point
    e: int


class Proof(NamedTuple):
    """`points` are Abar || Bbar || D as they arrived."""

    abar: Point
    bbar: Point
    d: Point
    e: int
    r1: int
    r3: int
    m: tuple[int, ...]
    challenge: int
    points: bytes


class Commitment(NamedTuple):
    c: Point
    s: int
    m: tuple[int, ...]
    challenge: int
    point: bytes


def g1(octets: bytes, what: str, backend: Backend) -> Point:
    """A point of G1. Raises Malformed `bbs.point`, `bbs.identity`."""
    return _point(backend.g1(octets), octets, what)


def _point(point: Point | None, octets: bytes, what: str) -> Point:
    if point is None:
        raise Malformed("bbs.point", spec="BBS draft 9 §4.2.4", what=what)
    if octets[0] & IDENTITY_FLAG:
        raise Malformed("bbs.identity", spec="BBS draft 9 §4.2.4", what=what)
    return point


@lru_cache(maxsize=KEYS)
def public_key(octets: bytes, backend: Backend) -> Point:
    """octets_to_pubkey. Keys are checked once and remembered; refusals are not.

    Raises:
        Malformed: `bbs.length`, `bbs.point`, `bbs.identity`.
    """
    _length(octets, G2_OCTETS, "public key")
    return _point(backend.g2(octets), octets, "public key")


def _length(octets: bytes, expected: int, what: str) -> None:
    if len(octets) != expected:
        raise Malformed("bbs.length", spec="BBS draft 9 §4.2.4", what=what, expected=expected, length=len(octets))


def scalar(octets: bytes, what: str) -> int:
    """A scalar in 1..r-1. Raises Malformed `bbs.length`, `bbs.scalar`."""
    _length(octets, SCALAR_OCTETS, what)
    value = int.from_bytes(octets, "big")
    if not 0 < value < R:
        raise Malformed("bbs.scalar", spec="BBS draft 9 §4.2.4", what=what)
    return value


def _scalars(octets: bytes, what: str) -> tuple[int, ...]:
    return tuple(scalar(octets[start : start + SCALAR_OCTETS], what) for start in range(0, len(octets), SCALAR_OCTETS))


def from_scalar(value: int) -> bytes:
    return value.to_bytes(SCALAR_OCTETS, "big")


def signature(octets: bytes, backend: Backend) -> Signature:
    """octets_to_signature. Raises Malformed `bbs.length`, `bbs.point`, `bbs.identity`, `bbs.scalar`."""
    _length(octets, SIGNATURE_OCTETS, "signature")
    e = scalar(octets[G1_OCTETS:], "signature")
    return Signature(g1(octets[:G1_OCTETS], "signature", backend), e)


def hidden_count(octets: bytes, floor: int, what: str) -> int:
    """How many messages a proof or a commitment says that it hides: counted before anything is decoded.

    Raises:
        Malformed: `bbs.length`, `bbs.too_many`.
    """
    count, rest = divmod(len(octets) - floor, SCALAR_OCTETS)
    if count < 0 or rest:
        expected = floor + max(count, 0) * SCALAR_OCTETS
        raise Malformed("bbs.length", spec="BBS draft 9 §4.2.4", what=what, expected=expected, length=len(octets))
    check_count(count)
    return count


def check_count(count: int) -> None:
    """Raises Malformed `bbs.too_many`, for more messages than we make generators for."""
    if count > limits.BBS_MESSAGES:
        raise Malformed("bbs.too_many", limit=limits.BBS_MESSAGES, count=count)


def proof(octets: bytes, backend: Backend) -> Proof:
    """octets_to_proof. Raises Malformed `bbs.length`, `bbs.too_many`, `bbs.scalar`, `bbs.point`, `bbs.identity`."""
    hidden_count(octets, PROOF_FLOOR, "proof")
    points, size = octets[: 3 * G1_OCTETS], G1_OCTETS
    e, r1, r3, *m, challenge = _scalars(octets[3 * G1_OCTETS :], "proof")
    abar, bbar, d = (g1(points[start : start + size], "proof", backend) for start in (0, size, 2 * size))
    return Proof(abar, bbar, d, e, r1, r3, tuple(m), challenge, points)


def commitment(octets: bytes, backend: Backend) -> Commitment:
    """octets_to_commitment_with_proof (blind draft 2, "Octets to Commitment with Proof").

    Raises:
        Malformed: `bbs.length`, `bbs.too_many`, `bbs.scalar`, `bbs.point`, `bbs.identity`.
    """
    hidden_count(octets, COMMITMENT_FLOOR, "commitment")
    s, *m, challenge = _scalars(octets[G1_OCTETS:], "commitment")
    point = octets[:G1_OCTETS]
    return Commitment(g1(point, "commitment", backend), s, tuple(m), challenge, point)


def check_indexes(indexes: Sequence[int], total: int) -> None:
    """Are these indexes of `total` messages: ascending, each once, in range? Raises Malformed `bbs.index`."""
    last = -1
    for index in indexes:
        if not last < index < total:
            raise Malformed("bbs.index", spec="BBS draft 9 §3.6.4", index=index, messages=total)
        last = index


def check_shown(indexes: Sequence[int], messages: Sequence[bytes]) -> None:
    """One message for each index? Raises Malformed `bbs.index_count`."""
    if len(indexes) != len(messages):
        raise Malformed("bbs.index_count", spec="BBS draft 9 §3.6.4", indexes=len(indexes), messages=len(messages))
