"""Pseudonyms that are the same within one context and cannot be linked between contexts
(draft-irtf-cfrg-bbs-per-verifier-linkability, editor's copy of 29 June 2026, on blind signatures of draft 02).

The holder has a vector of nym secrets that the signer signed unseen, after adding entropy of its own to the last one.
They stand at the end of all messages and are never shown. A verifier brings the context, and the length of the vector,
itself: both are never taken from the holder.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from cityid import limits
from cityid.bbs import blind, core, octets
from cityid.bbs.curve import Point, R
from cityid.bbs.keys import SecretKey, random_scalars
from cityid.bbs.octets import from_scalar
from cityid.bbs.suites import PSEUDONYM, SHA_256, Interface, Suite
from cityid.errors import Malformed


def prover_nyms(count: int = 1, *, entropy: core.Entropy = secrets.token_bytes) -> tuple[bytes, ...]:
    """Fresh secrets of a holder, 32 octets each. Raises Unavailable `bbs.entropy`."""
    return tuple(map(from_scalar, random_scalars(count, entropy)))


def signer_entropy(*, entropy: core.Entropy = secrets.token_bytes) -> bytes:
    """The signer's part of a nym, 32 octets: fresh for each holder, the same again only to re-issue to one.

    Raises:
        Unavailable: `bbs.entropy`.
    """
    return from_scalar(random_scalars(1, entropy)[0])


def _nyms(nyms: Sequence[bytes], what: str) -> list[int]:
    _check_length(len(nyms))
    return [octets.scalar(each, what) for each in nyms]


def _check_length(length: int) -> None:
    if not 1 <= length <= limits.BBS_MESSAGES:
        raise Malformed("bbs.nym_length", spec="BBS pseudonyms, BlindSignWithNym", length=length)


def _header(header: bytes, length: int) -> bytes:
    # The length is signed: a holder cannot take a secret for a message, and so have two pseudonyms.
    return header + length.to_bytes(8, "big")


def commit(
    messages: Sequence[bytes],
    nyms: Sequence[bytes],
    *,
    suite: Suite = SHA_256,
    entropy: core.Entropy = secrets.token_bytes,
) -> tuple[bytes, bytes]:
    """CommitWithNym: the commitment with its proof, and the secret blind factor. `nyms` are `prover_nyms`.

    Raises:
        Malformed: `bbs.too_many`, `bbs.nym_length`, `bbs.length`, `bbs.scalar`.
        Unavailable: `install.extra`, `bbs.entropy`.
    """
    octets.check_count(len(messages) + len(nyms))
    interface = Interface(suite, PSEUDONYM)
    return blind.core_commit([*interface.scalars(messages), *_nyms(nyms, "nym")], interface, entropy)


def check_commitment(commitment: bytes, *, suite: Suite = SHA_256) -> None:
    """Does its maker know what it commits to? `sign` asks the same; this is for who keeps a commitment before that.

    Raises:
        Refused: `bbs.commitment`.
        Malformed: `bbs.length`, `bbs.point`, `bbs.identity`, `bbs.scalar`, `bbs.too_many`.
        Unavailable: `install.extra`.
    """
    octets.hidden_count(commitment, octets.COMMITMENT_FLOOR, "commitment")
    blind.check_commitment(commitment, Interface(suite, PSEUDONYM))


def sign(
    key: SecretKey,
    commitment: bytes,
    length: int,
    signer_nym_entropy: bytes,
    header: bytes,
    messages: Sequence[bytes],
    *,
    suite: Suite = SHA_256,
    entropy: core.Entropy = secrets.token_bytes,
) -> bytes:
    """BlindSignWithNym: 80 octets. `length` is the number of nyms that the holder says are last in `commitment`.

    Raises:
        Refused: `bbs.commitment`.
        Malformed: `bbs.nym_length`, and `bbs.*` for the commitment and the entropy.
        Unavailable: `install.extra`, `bbs.entropy`.
    """
    _check_length(length)
    interface, backend = Interface(suite, PSEUDONYM), suite.backend()
    octets.check_count(len(messages))
    committed = octets.hidden_count(commitment, octets.COMMITMENT_FLOOR, "commitment")
    if length > committed:
        raise Malformed("bbs.nym_length", spec="BBS pseudonyms, BlindSignWithNym", length=length)
    added = octets.scalar(signer_nym_entropy, "nym entropy")
    c, bases = blind.check_commitment(commitment, interface)
    point = backend.mul(bases[-1].point, added) + c
    return blind.core_sign(key, point, bases, _header(header, length), messages, interface, entropy)


def finalize(
    public_key: bytes,
    signature: bytes,
    header: bytes,
    messages: Sequence[bytes],
    committed: Sequence[bytes],
    nyms: Sequence[bytes],
    signer_nym_entropy: bytes,
    secret_blind: bytes,
    *,
    suite: Suite = SHA_256,
) -> tuple[bytes, ...]:
    """VerifyFinalizeWithNym: the nym secrets that are signed, 32 octets each, for the holder to keep.

    Raises:
        Refused: `bbs.signature`.
        Malformed: `bbs.length`, `bbs.point`, `bbs.identity`, `bbs.scalar`, `bbs.too_many`, `bbs.nym_length`.
        Unavailable: `install.extra`.
    """
    held = hold(public_key, signature, header, messages, committed, nyms, signer_nym_entropy, secret_blind, suite=suite)
    return tuple(map(from_scalar, held.scalars[-len(nyms) :]))


def hold(
    public_key: bytes,
    signature: bytes,
    header: bytes,
    messages: Sequence[bytes],
    committed: Sequence[bytes],
    nyms: Sequence[bytes],
    signer_nym_entropy: bytes,
    secret_blind: bytes,
    *,
    suite: Suite = SHA_256,
) -> core.Held:
    """`finalize`, and what `show` makes proofs from.

    Raises:
        Those of `finalize`.
    """
    interface = Interface(suite, PSEUDONYM)
    *first, last = _nyms(nyms, "nym")
    signed = [*first, (last + octets.scalar(signer_nym_entropy, "nym entropy")) % R]
    bases, scalars = blind.parameters(messages, committed, secret_blind, signed, interface)
    return core.core_verify(public_key, signature, bases, _header(header, len(nyms)), scalars, interface)


class Context:
    """The point that stands for a context, and the place at which the polynomial of nyms is taken."""

    __slots__ = ("_backend", "_z", "point")

    def __init__(self, context: bytes, interface: Interface) -> None:
        self._backend = interface.suite.backend()
        self.point = interface.suite.hash_to_g1(context, interface.api_id)
        self._z = interface.suite.hash_to_scalar(context, interface.api_id + b"VECT_NYM_SECRETS")

    def value(self, scalars: Sequence[int]) -> int:
        value = 0
        for scalar in reversed(scalars):
            value = (value * self._z + scalar) % R
        return value

    def times(self, scalars: Sequence[int]) -> Point:
        return self._backend.mul(self.point, self.value(scalars))


def pseudonym(nym_secrets: Sequence[bytes], context: bytes, *, suite: Suite = SHA_256) -> bytes:
    """The pseudonym in `context`, 48 octets: the same for the same secrets and the same context.

    Raises:
        Malformed: `bbs.nym_length`, `bbs.length`, `bbs.scalar`.
        Unavailable: `install.extra`.
    """
    found = Context(context, Interface(suite, PSEUDONYM)).times(_nyms(nym_secrets, "nym"))
    return suite.backend().octets(found)


def proof_gen(
    public_key: bytes,
    signature: bytes,
    header: bytes,
    presentation_header: bytes,
    nym_secrets: Sequence[bytes],
    context: bytes,
    messages: Sequence[bytes],
    committed: Sequence[bytes],
    disclosed: Sequence[int],
    disclosed_committed: Sequence[int],
    secret_blind: bytes,
    *,
    suite: Suite = SHA_256,
    entropy: core.Entropy = secrets.token_bytes,
) -> tuple[bytes, bytes]:
    """ProofGenWithNym: the proof, and the pseudonym in `context`. `nym_secrets` are those that `finalize` gave.

    Raises:
        Malformed: `bbs.index`, and `bbs.*` for what else cannot be read.
        Unavailable: `install.extra`, `bbs.entropy`.
    """
    interface = Interface(suite, PSEUDONYM)
    nyms = _nyms(nym_secrets, "nym")
    bases, scalars = blind.parameters(messages, committed, secret_blind, nyms, interface)
    shown = blind.indexes(disclosed, len(messages), disclosed_committed, len(committed))
    held = core.take(public_key, signature, bases, _header(header, len(nyms)), scalars, interface, shown)
    return show(held, presentation_header, context, len(nyms), shown, entropy=entropy)


def show(
    held: core.Held,
    presentation_header: bytes,
    context: bytes,
    length: int,
    disclosed: Sequence[int],
    *,
    entropy: core.Entropy = secrets.token_bytes,
) -> tuple[bytes, bytes]:
    """`proof_gen` for a signature that is held, under `length` nyms; `disclosed` are indexes of messages.

    Raises:
        Malformed: `bbs.index`. Unavailable: `bbs.entropy`.
    """
    octets.check_indexes(disclosed, len(held.scalars) - length)
    backend, place = held.interface.suite.backend(), Context(context, held.interface)
    begun = core.begin(held, disclosed, entropy)
    found = backend.octets(place.times(held.scalars[-length:]))
    random = backend.octets(place.times(begun.hidden_random[-length:]))
    more = found + random, _counted(context)
    challenge = core.calculate_challenge(begun, disclosed, held, presentation_header, more)
    return core.finalize(begun, challenge), found


def _counted(context: bytes) -> bytes:
    return len(context).to_bytes(8, "big") + context


def proof_verify(
    public_key: bytes,
    proof: bytes,
    header: bytes,
    presentation_header: bytes,
    found: bytes,
    context: bytes,
    length: int,
    count: int,
    disclosed: Sequence[int],
    messages: Sequence[bytes],
    disclosed_committed: Sequence[int],
    committed: Sequence[bytes],
    *,
    suite: Suite = SHA_256,
) -> None:
    """ProofVerifyWithNym: is `found` the pseudonym of the proof's holder in `context`? `length` (of the nym vector)
    and `count` (of messages that the signer knew) are the verifier's own knowledge, like `context`.

    Raises:
        Refused: `bbs.proof`.
        Malformed: `bbs.length`, `bbs.point`, `bbs.identity`, `bbs.scalar`, `bbs.too_many`, `bbs.too_few`, `bbs.index`,
            `bbs.index_count`, `bbs.nym_length`.
        Unavailable: `install.extra`.
    """
    _check_length(length)
    interface, backend = Interface(suite, PSEUDONYM), suite.backend()
    others = blind.committed_count(proof, count, disclosed, messages, disclosed_committed, committed, length)
    shown = blind.indexes(disclosed, count, disclosed_committed, others)
    read = octets.proof(proof, backend)
    nym = octets.g1(found, "pseudonym", backend)
    answered = Context(context, interface).times(read.m[-length:])
    random = backend.octets(answered + backend.mul(nym, R - read.challenge))
    bases = blind.all_generators(count, others + length, interface)
    points = core.check_challenge(
        public_key,
        read,
        bases,
        _header(header, length),
        presentation_header,
        shown,
        [*interface.scalars(messages), *interface.scalars(committed)],
        interface,
        (found + random, _counted(context)),
    )
    core.check_pairing(public_key, *points, suite)
