"""Many proofs under one public key with one pairing (draft-irtf-cfrg-bbs-signatures-09 §3.6.4, its last equation)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cityid.bbs import core, octets
from cityid.bbs.curve import Point
from cityid.bbs.keys import draw
from cityid.bbs.suites import SHA_256, Suite
from cityid.errors import Malformed, Problem, Refused

_WEIGHT: Final = 16


@dataclass(frozen=True, slots=True)
class Shown:
    """What `core.proof_verify` is asked, less the key."""

    proof: bytes
    header: bytes
    presentation_header: bytes
    disclosed: tuple[int, ...]
    messages: tuple[bytes, ...]


def proof_verify(
    public_key: bytes,
    shown: Sequence[Shown],
    *,
    suite: Suite = SHA_256,
    entropy: core.Entropy = secrets.token_bytes,
) -> tuple[Problem | None, ...]:
    """For each proof None, or why not: the same answers as `core.proof_verify`, but for a chance of 2^-128.

    The pairings of those that hold so far are checked as one sum under random weights; where the sum fails, each
    is checked alone.

    Raises:
        Malformed: `bbs.length`, `bbs.point`, `bbs.identity`, for the public key.
        Unavailable: `install.extra`, `bbs.entropy`.
    """
    backend = suite.backend()
    octets.public_key(public_key, backend)
    answers: list[Problem | None] = []
    points: dict[int, tuple[Point, Point]] = {}
    for number, each in enumerate(shown):
        try:
            points[number] = core.check_proof(
                public_key, each.proof, each.header, each.presentation_header, each.disclosed, each.messages, suite
            )
        except (Malformed, Refused) as error:
            answers.append(error.problem)
        else:
            answers.append(None)
    if points and not together(public_key, list(points.values()), suite, entropy):
        for number, (abar, bbar) in points.items():
            try:
                core.check_pairing(public_key, abar, bbar, suite)
            except Refused as error:
                answers[number] = error.problem
    return tuple(answers)


def together(
    public_key: bytes,
    points: Sequence[tuple[Point, Point]],
    suite: Suite = SHA_256,
    entropy: core.Entropy = secrets.token_bytes,
) -> bool:
    """Do all pairings hold? Random weights keep errors of several from adding up to nothing."""
    backend = suite.backend()
    abar, bbar = backend.zero(), backend.zero()
    for one, other in points:
        weight = draw(_WEIGHT, entropy) or 1
        abar = abar + backend.mul(one, weight)
        bbar = bbar + backend.mul(other, weight)
    return core.pairing_holds(public_key, abar, bbar, suite)
