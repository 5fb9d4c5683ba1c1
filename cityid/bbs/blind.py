"""Blind BBS signatures (draft-irtf-cfrg-bbs-blind-signatures-02): some messages are signed unseen.

This is the layout of draft 02, in which the blind factor stands before the committed messages; the redesign of June
2026 does not interoperate with it. The blind factor sits at index L of a proof and is never shown.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from cityid.bbs import core, octets
from cityid.bbs.curve import Point, R
from cityid.bbs.generators import Base, create_generators, public_sum, secret_sum
from cityid.bbs.keys import SecretKey, random_scalars
from cityid.bbs.octets import from_scalar
from cityid.bbs.suites import BLIND, SHA_256, Interface, Suite
from cityid.errors import Malformed, Refused

PREFIX = b"BLIND_"


def commit(
    messages: Sequence[bytes], *, suite: Suite = SHA_256, entropy: core.Entropy = secrets.token_bytes
) -> tuple[bytes, bytes]:
    """Commit: the commitment with its proof, for the signer; and the secret blind factor (32 octets), for nobody.

    Raises:
        Malformed: `bbs.too_many`.
        Unavailable: `install.extra`, `bbs.entropy`.
    """
    octets.check_count(len(messages))
    interface = Interface(suite, BLIND)
    return core_commit(interface.scalars(messages), interface, entropy)


def core_commit(scalars: Sequence[int], interface: Interface, entropy: core.Entropy) -> tuple[bytes, bytes]:
    """CoreCommit."""
    backend = interface.suite.backend()
    bases = create_generators(len(scalars) + 1, interface, PREFIX)
    blind, *randoms = random_scalars(len(scalars) + 2, entropy)
    secret = (blind, *scalars)
    c = secret_sum(zip(bases, secret, strict=True), backend, backend.zero())
    c_random = secret_sum(zip(bases, randoms, strict=True), backend, backend.zero())
    point = backend.octets(c)
    challenge = _challenge(point, backend.octets(c_random), bases, interface)
    answers = [random + scalar * challenge for random, scalar in zip(randoms, secret, strict=True)]
    return point + b"".join([from_scalar(answer % R) for answer in (*answers, challenge)]), from_scalar(blind)


def _challenge(point: bytes, random: bytes, bases: Sequence[Base], interface: Interface) -> int:
    count = (len(bases) - 1).to_bytes(8, "big")
    return interface.hash_to_scalar(count + b"".join([base.octets for base in bases]) + point + random)


def check_commitment(commitment: bytes, interface: Interface) -> tuple[Point | None, list[Base]]:
    """deserialize_and_validate_commit: the point (None where there is no commitment) and the generators under it.

    Raises:
        Refused: `bbs.commitment`.
        Malformed: `bbs.length`, `bbs.point`, `bbs.identity`, `bbs.scalar`, `bbs.too_many`.
    """
    if not commitment:
        return None, create_generators(1, interface, PREFIX)
    backend = interface.suite.backend()
    c, s, m, challenge, point = octets.commitment(commitment, backend)
    bases = create_generators(len(m) + 1, interface, PREFIX)
    random = public_sum(list(zip(bases, (s, *m), strict=True)), backend) + backend.mul(c, R - challenge)
    if _challenge(point, backend.octets(random), bases, interface) != challenge:
        raise Refused("bbs.commitment", spec="BBS blind draft 2, CoreCommitVerify")
    return c, bases


def sign(
    key: SecretKey,
    commitment: bytes,
    header: bytes,
    messages: Sequence[bytes],
    *,
    suite: Suite = SHA_256,
    entropy: core.Entropy = secrets.token_bytes,
) -> bytes:
    """BlindSign: 80 octets over `messages` and what `commitment` commits to (b"" for nothing).

    Raises:
        Refused: `bbs.commitment`.
        Malformed: `bbs.length`, `bbs.point`, `bbs.identity`, `bbs.scalar`, `bbs.too_many`, for the commitment.
        Unavailable: `install.extra`, `bbs.entropy`.
    """
    interface = Interface(suite, BLIND)
    octets.check_count(len(messages))
    c, blind_bases = check_commitment(commitment, interface)
    return core_sign(key, c, blind_bases, header, messages, interface, entropy)


def core_sign(
    key: SecretKey,
    added: Point | None,
    blind_bases: Sequence[Base],
    header: bytes,
    messages: Sequence[bytes],
    interface: Interface,
    entropy: core.Entropy,
) -> bytes:
    """B_calculate and FinalizeBlindSign. The published vectors make e of SK and B alone; so do we (decision 191)."""
    suite = interface.suite
    bases = [*create_generators(len(messages) + 1, interface), *blind_bases]
    domain = core.calculate_domain(key.public, bases, header, interface)
    b = core.signed_point(suite, bases, domain, interface.scalars(messages))
    if added is not None:
        b = b + added
    e = interface.hash_to_scalar(from_scalar(key.scalar) + suite.backend().octets(b))
    return core.finish(key, b, e, suite, entropy)


def verify(
    public_key: bytes,
    signature: bytes,
    header: bytes,
    messages: Sequence[bytes],
    committed: Sequence[bytes],
    blind: bytes | None,
    *,
    suite: Suite = SHA_256,
) -> None:
    """VerifyBlindSign, by the holder: `committed` and `blind` are what `commit` was given and gave; `blind` is None
    where nothing was committed to.

    Raises:
        Refused: `bbs.signature`.
        Malformed: `bbs.length`, `bbs.point`, `bbs.identity`, `bbs.scalar`, `bbs.too_many`.
        Unavailable: `install.extra`.
    """
    hold(public_key, signature, header, messages, committed, blind, suite=suite)


def hold(
    public_key: bytes,
    signature: bytes,
    header: bytes,
    messages: Sequence[bytes],
    committed: Sequence[bytes],
    blind: bytes | None,
    *,
    suite: Suite = SHA_256,
) -> core.Held:
    """`verify`, and what `core.show` makes proofs from; its indexes are those of `messages`.

    Raises:
        Those of `verify`.
    """
    interface = Interface(suite, BLIND)
    bases, scalars = parameters(messages, committed, blind, (), interface)
    return core.core_verify(public_key, signature, bases, header, scalars, interface)


def parameters(
    messages: Sequence[bytes],
    committed: Sequence[bytes],
    blind: bytes | None,
    nyms: Sequence[int],
    interface: Interface,
) -> tuple[list[Base], list[int]]:
    """prepare_parameters: generators and scalars of messages, blind factor, committed messages, nyms, in that order."""
    factor = 0 if blind is None else octets.scalar(blind, "blind factor")
    octets.check_count(len(messages) + 1 + len(committed) + len(nyms))
    return all_generators(len(messages), len(committed) + len(nyms), interface), [
        *interface.scalars(messages),
        factor,
        *interface.scalars(committed),
        *nyms,
    ]


def all_generators(count: int, committed: int, interface: Interface) -> list[Base]:
    return [*create_generators(count + 1, interface), *create_generators(committed + 1, interface, PREFIX)]


def proof_gen(
    public_key: bytes,
    signature: bytes,
    header: bytes,
    presentation_header: bytes,
    messages: Sequence[bytes],
    committed: Sequence[bytes],
    disclosed: Sequence[int],
    disclosed_committed: Sequence[int],
    blind: bytes | None,
    *,
    suite: Suite = SHA_256,
    entropy: core.Entropy = secrets.token_bytes,
) -> bytes:
    """BlindProofGen: shows messages at `disclosed`, committed messages at `disclosed_committed` (each from 0).

    Raises:
        Malformed: `bbs.index`, and `bbs.*` for the signature, the key and the blind factor.
        Unavailable: `install.extra`, `bbs.entropy`.
    """
    interface = Interface(suite, BLIND)
    bases, scalars = parameters(messages, committed, blind, (), interface)
    shown = indexes(disclosed, len(messages), disclosed_committed, len(committed))
    held = core.take(public_key, signature, bases, header, scalars, interface, shown)
    begun = core.begin(held, shown, entropy)
    return core.finalize(begun, core.calculate_challenge(begun, shown, held, presentation_header))


def indexes(disclosed: Sequence[int], count: int, committed: Sequence[int], others: int) -> list[int]:
    """Indexes among all scalars. Raises Malformed `bbs.index`."""
    octets.check_indexes(disclosed, count)
    octets.check_indexes(committed, others)
    return [*disclosed, *(index + count + 1 for index in committed)]


def proof_verify(
    public_key: bytes,
    proof: bytes,
    header: bytes,
    presentation_header: bytes,
    count: int,
    disclosed: Sequence[int],
    messages: Sequence[bytes],
    disclosed_committed: Sequence[int],
    committed: Sequence[bytes],
    *,
    suite: Suite = SHA_256,
) -> None:
    """BlindProofVerify. `count` is the number of messages that the signer knew, which the verifier must know.

    Raises:
        Refused: `bbs.proof`.
        Malformed: `bbs.length`, `bbs.point`, `bbs.identity`, `bbs.scalar`, `bbs.too_many`, `bbs.index`,
            `bbs.index_count`, `bbs.too_few`.
        Unavailable: `install.extra`.
    """
    interface = Interface(suite, BLIND)
    others = committed_count(proof, count, disclosed, messages, disclosed_committed, committed, 0)
    shown = indexes(disclosed, count, disclosed_committed, others)
    read = octets.proof(proof, suite.backend())
    bases = all_generators(count, others, interface)
    scalars = [*interface.scalars(messages), *interface.scalars(committed)]
    points = core.check_challenge(public_key, read, bases, header, presentation_header, shown, scalars, interface)
    core.check_pairing(public_key, *points, suite)


def committed_count(
    proof: bytes,
    count: int,
    disclosed: Sequence[int],
    messages: Sequence[bytes],
    disclosed_committed: Sequence[int],
    committed: Sequence[bytes],
    nyms: int,
) -> int:
    """How many committed messages there are beside `count` others, the blind factor and `nyms` scalars.

    Raises:
        Malformed: `bbs.length`, `bbs.too_many`, `bbs.too_few`, `bbs.index_count`.
    """
    total = octets.hidden_count(proof, octets.PROOF_FLOOR, "proof") + len(disclosed) + len(disclosed_committed)
    octets.check_count(max(total, count))
    octets.check_shown(disclosed, messages)
    octets.check_shown(disclosed_committed, committed)
    found = total - count - 1 - nyms
    if found < 0:
        raise Malformed("bbs.too_few", spec="BBS blind draft 2, BlindProofVerify", least=count + 1 + nyms, count=total)
    return found
