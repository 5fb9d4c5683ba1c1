"""BBS signatures and proofs (draft-irtf-cfrg-bbs-signatures-09 §3.5, §3.6).

`header` is signed and always shown; `presentation_header` is bound to one proof and must come from what the verifier
chose (nonce, audience): neither has a default, so that nobody forgets them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cityid.bbs import octets
from cityid.bbs.curve import BP2, Point, R
from cityid.bbs.generators import Base, create_generators, p1, public_sum, secret_sum
from cityid.bbs.keys import SecretKey, inverse, random_scalars
from cityid.bbs.octets import from_scalar
from cityid.bbs.suites import CORE, SHA_256, Interface, Suite
from cityid.errors import Refused

Entropy = Callable[[int], bytes]
_SCALARS: Final = 5
"""Random scalars of a proof, besides one for each hidden message."""


def sign(
    key: SecretKey,
    header: bytes,
    messages: Sequence[bytes],
    *,
    suite: Suite = SHA_256,
    entropy: Entropy = secrets.token_bytes,
) -> bytes:
    """Sign (§3.5.1): 80 octets, the same for the same input (`entropy` only hides how long the inversion takes).

    Raises:
        Malformed: `bbs.too_many`, for more than `limits.BBS_MESSAGES` messages.
        Unavailable: `install.extra`, `bbs.entropy`.
    """
    octets.check_count(len(messages))
    interface = Interface(suite, CORE)
    bases = create_generators(len(messages) + 1, interface)
    scalars = interface.scalars(messages)
    domain = calculate_domain(key.public, bases, header, interface)
    e = interface.hash_to_scalar(b"".join(map(from_scalar, (key.scalar, *scalars, domain))))
    b = signed_point(suite, bases, domain, scalars)
    return finish(key, b, e, suite, entropy)


def finish(key: SecretKey, b: Point, e: int, suite: Suite, entropy: Entropy) -> bytes:
    """A = B / (SK + e), and e."""
    backend = suite.backend()
    (blind,) = random_scalars(1, entropy)
    return backend.octets(backend.mul(b, inverse(key.scalar + e, blind))) + from_scalar(e)


def calculate_domain(public_key: bytes, bases: Sequence[Base], header: bytes, interface: Interface) -> int:
    """calculate_domain (§4.2.3): what the signature is over besides the messages. `bases` begins with Q_1."""
    count = (len(bases) - 1).to_bytes(8, "big")
    generators = b"".join([base.octets for base in bases])
    length = len(header).to_bytes(8, "big")
    return interface.hash_to_scalar(public_key + count + generators + interface.api_id + length + header)


def signed_point(
    suite: Suite, bases: Sequence[Base], domain: int, scalars: Sequence[int], shown: Iterable[int] = ()
) -> Point:
    """B = P1 + Q_1 domain + sum of H_i msg_i. Only the messages that are `shown` may be multiplied by table."""
    backend, told = suite.backend(), frozenset(shown)
    start = p1(suite).point + public_sum([(bases[0], domain), *((bases[i + 1], scalars[i]) for i in told)], backend)
    hidden = ((bases[i + 1], scalars[i]) for i in range(len(scalars)) if i not in told)
    return secret_sum(hidden, backend, start)


def verify(
    public_key: bytes, signature: bytes, header: bytes, messages: Sequence[bytes], *, suite: Suite = SHA_256
) -> None:
    """Verify (§3.5.2): is this a signature over exactly these messages?

    Raises:
        Refused: `bbs.signature`.
        Malformed: `bbs.length`, `bbs.point`, `bbs.identity`, `bbs.scalar`, `bbs.too_many`.
        Unavailable: `install.extra`.
    """
    hold(public_key, signature, header, messages, suite=suite)


def core_verify(
    public_key: bytes,
    signature: bytes,
    bases: Sequence[Base],
    header: bytes,
    scalars: Sequence[int],
    interface: Interface,
) -> Held:
    """CoreVerify (§3.6.2). The holder does this with messages of its own, so that none is multiplied by table."""
    held = take(public_key, signature, bases, header, scalars, interface)
    if not pairing_holds(public_key, held.a, held.b + -interface.suite.backend().mul(held.a, held.e), interface.suite):
        raise Refused("bbs.signature", spec="BBS draft 9 §3.6.2")
    return held


@dataclass(frozen=True, slots=True)
class Held:
    """A signature with its messages, as proofs are made from them: what is the same for each proof is done."""

    a: Point
    e: int
    b: Point
    domain: int
    scalars: tuple[int, ...]
    bases: tuple[Base, ...]
    interface: Interface

    def __repr__(self) -> str:
        return "Held()"


def take(
    public_key: bytes,
    signature: bytes,
    bases: Sequence[Base],
    header: bytes,
    scalars: Sequence[int],
    interface: Interface,
    shown: Iterable[int] = (),
) -> Held:
    """A signature that is not verified here. Raises Malformed `bbs.*` for it and for the key."""
    backend = interface.suite.backend()
    octets.public_key(public_key, backend)
    a, e = octets.signature(signature, backend)
    domain = calculate_domain(public_key, bases, header, interface)
    b = signed_point(interface.suite, bases, domain, scalars, shown)
    return Held(a, e, b, domain, tuple(scalars), tuple(bases), interface)


def hold(
    public_key: bytes, signature: bytes, header: bytes, messages: Sequence[bytes], *, suite: Suite = SHA_256
) -> Held:
    """`verify`, and what `show` makes proofs from: half of a proof's work is then done for all of them.

    Raises:
        Refused: `bbs.signature`.
        Malformed: `bbs.length`, `bbs.point`, `bbs.identity`, `bbs.scalar`, `bbs.too_many`.
        Unavailable: `install.extra`.
    """
    octets.check_count(len(messages))
    interface = Interface(suite, CORE)
    bases = create_generators(len(messages) + 1, interface)
    return core_verify(public_key, signature, bases, header, interface.scalars(messages), interface)


def show(
    held: Held, presentation_header: bytes, disclosed: Sequence[int], *, entropy: Entropy = secrets.token_bytes
) -> bytes:
    """`proof_gen` for a signature that is held.

    Raises:
        Malformed: `bbs.index`.
        Unavailable: `bbs.entropy`.
    """
    octets.check_indexes(disclosed, len(held.scalars))
    begun = begin(held, disclosed, entropy)
    return finalize(begun, calculate_challenge(begun, disclosed, held, presentation_header))


def pairing_holds(public_key: bytes, one: Point, other: Point, suite: Suite) -> bool:
    """Is e(one, W) = e(other, BP2)?"""
    backend = suite.backend()
    w, base = octets.public_key(public_key, backend), octets.public_key(BP2, backend)
    return backend.same_pairing(one, w, other, base)


@dataclass(frozen=True, slots=True)
class Begun:
    """A proof before its challenge (ProofInit, §3.7.1)."""

    points: bytes  # Abar || Bbar || D
    commitments: bytes  # T1 || T2
    domain: int
    e: int
    scalars: tuple[int, ...]
    r3: int
    hidden: tuple[int, ...]

    def __repr__(self) -> str:
        return "Begun()"

    @property
    def hidden_random(self) -> tuple[int, ...]:
        """What hides each hidden message, in their order."""
        return self.scalars[_SCALARS:]


def proof_gen(
    public_key: bytes,
    signature: bytes,
    header: bytes,
    presentation_header: bytes,
    messages: Sequence[bytes],
    disclosed: Sequence[int],
    *,
    suite: Suite = SHA_256,
    entropy: Entropy = secrets.token_bytes,
) -> bytes:
    """ProofGen (§3.5.3): a proof that shows the messages at the indexes `disclosed` (from 0, ascending).

    The signature is not verified here: the wallet did that when it took it.

    Raises:
        Malformed: `bbs.index`, and `bbs.*` for the signature and the key.
        Unavailable: `install.extra`, `bbs.entropy`.
    """
    octets.check_count(len(messages))
    octets.check_indexes(disclosed, len(messages))
    interface = Interface(suite, CORE)
    bases = create_generators(len(messages) + 1, interface)
    scalars = interface.scalars(messages)
    held = take(public_key, signature, bases, header, scalars, interface, disclosed)
    return show(held, presentation_header, disclosed, entropy=entropy)


def begin(held: Held, disclosed: Sequence[int], entropy: Entropy) -> Begun:
    """ProofInit (§3.7.1) with fresh scalars. The caller has checked the indexes."""
    backend, bases, scalars = held.interface.suite.backend(), held.bases, held.scalars
    shown = frozenset(disclosed)
    undisclosed = [index for index in range(len(scalars)) if index not in shown]
    *drawn, blind = random_scalars(_SCALARS + len(undisclosed) + 1, entropy)
    r1, r2, e_random, r1_random, r3_random, *m_random = drawn
    mul, encode = backend.mul, backend.octets
    d = mul(held.b, r2)
    abar = mul(held.a, r1 * r2 % R)
    bbar = mul(d, r1) + -mul(abar, held.e)
    t1 = mul(abar, e_random) + mul(d, r1_random)
    randoms = ((bases[index + 1], random) for index, random in zip(undisclosed, m_random, strict=True))
    t2 = secret_sum(randoms, backend, mul(d, r3_random))
    return Begun(
        encode(abar) + encode(bbar) + encode(d),
        encode(t1) + encode(t2),
        held.domain,
        held.e,
        tuple(drawn),
        inverse(r2, blind),
        tuple(scalars[index] for index in undisclosed),
    )


def calculate_challenge(
    begun: Begun,
    disclosed: Sequence[int],
    held: Held,
    presentation_header: bytes,
    more: tuple[bytes, bytes] = (b"", b""),
) -> int:
    shown = [held.scalars[index] for index in disclosed]
    return challenge(
        begun.points + begun.commitments, begun.domain, disclosed, shown, presentation_header, held.interface, more
    )


def challenge(
    points: bytes,
    domain: int,
    disclosed: Sequence[int],
    shown: Sequence[int],
    presentation_header: bytes,
    interface: Interface,
    more: tuple[bytes, bytes] = (b"", b""),
) -> int:
    """ProofChallengeCalculate (§3.7.4). `more` is what pseudonyms add: points before the domain, octets at the end."""
    parts = [len(disclosed).to_bytes(8, "big")]
    for index, scalar in zip(disclosed, shown, strict=True):
        parts += [index.to_bytes(8, "big"), from_scalar(scalar)]
    parts += [points, more[0], from_scalar(domain)]
    parts += [len(presentation_header).to_bytes(8, "big"), presentation_header, more[1]]
    return interface.hash_to_scalar(b"".join(parts))


def finalize(begun: Begun, c: int) -> bytes:
    """ProofFinalize (§3.7.2)."""
    r1, _, e_random, r1_random, r3_random, *m_random = begun.scalars
    answers = [e_random + begun.e * c, r1_random - r1 * c, r3_random - begun.r3 * c]
    answers += [random + message * c for random, message in zip(m_random, begun.hidden, strict=True)]
    return begun.points + b"".join([from_scalar(answer % R) for answer in (*answers, c)])


def proof_verify(
    public_key: bytes,
    proof: bytes,
    header: bytes,
    presentation_header: bytes,
    disclosed: Sequence[int],
    messages: Sequence[bytes],
    *,
    suite: Suite = SHA_256,
) -> None:
    """ProofVerify (§3.5.4): `messages` are those shown, at the indexes `disclosed` (from 0, ascending).

    Raises:
        Refused: `bbs.proof`.
        Malformed: `bbs.length`, `bbs.point`, `bbs.identity`, `bbs.scalar`, `bbs.too_many`, `bbs.index`,
            `bbs.index_count`.
        Unavailable: `install.extra`.
    """
    abar, bbar = check_proof(public_key, proof, header, presentation_header, disclosed, messages, suite)
    check_pairing(public_key, abar, bbar, suite)


def check_pairing(public_key: bytes, abar: Point, bbar: Point, suite: Suite) -> None:
    if not pairing_holds(public_key, abar, bbar, suite):
        raise Refused("bbs.proof", spec="BBS draft 9 §3.6.4")


def check_proof(
    public_key: bytes,
    proof: bytes,
    header: bytes,
    presentation_header: bytes,
    disclosed: Sequence[int],
    messages: Sequence[bytes],
    suite: Suite,
) -> tuple[Point, Point]:
    """All of ProofVerify but the pairing, which may be shared: Abar and Bbar."""
    total = octets.hidden_count(proof, octets.PROOF_FLOOR, "proof") + len(disclosed)
    octets.check_count(total)
    octets.check_indexes(disclosed, total)
    octets.check_shown(disclosed, messages)
    interface = Interface(suite, CORE)
    bases = create_generators(total + 1, interface)
    shown = interface.scalars(messages)
    read = octets.proof(proof, suite.backend())
    return check_challenge(public_key, read, bases, header, presentation_header, disclosed, shown, interface)


def check_challenge(
    public_key: bytes,
    proof: octets.Proof,
    bases: Sequence[Base],
    header: bytes,
    presentation_header: bytes,
    disclosed: Sequence[int],
    shown: Sequence[int],
    interface: Interface,
    more: tuple[bytes, bytes] = (b"", b""),
) -> tuple[Point, Point]:
    """ProofVerifyInit and the challenge (§3.7.3, §3.6.4). Everything here is known to the verifier: tables serve.

    Raises:
        Refused: `bbs.proof`.
        Malformed: `bbs.length`, `bbs.point`, `bbs.identity`, for the key.
    """
    suite, backend, c = interface.suite, interface.suite.backend(), proof.challenge
    octets.public_key(public_key, backend)
    domain = calculate_domain(public_key, bases, header, interface)
    mul = backend.mul
    t1 = mul(proof.bbar, c) + mul(proof.abar, proof.e) + mul(proof.d, proof.r1)
    terms = [(p1(suite), c), (bases[0], domain * c)]
    terms += [(bases[index + 1], scalar * c) for index, scalar in zip(disclosed, shown, strict=True)]
    told = frozenset(disclosed)
    hidden = [index for index in range(len(bases) - 1) if index not in told]
    terms += [(bases[index + 1], scalar) for index, scalar in zip(hidden, proof.m, strict=True)]
    t2 = public_sum(terms, backend) + mul(proof.d, proof.r3)
    points = proof.points + backend.octets(t1) + backend.octets(t2)
    if challenge(points, domain, disclosed, shown, presentation_header, interface, more) != c:
        raise Refused("bbs.proof", spec="BBS draft 9 §3.6.4")
    return proof.abar, proof.bbar
