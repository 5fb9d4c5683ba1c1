"""Secret and public keys (draft-irtf-cfrg-bbs-signatures-09 §3.4), and where random scalars come from (§4.2.1)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cityid.bbs import octets
from cityid.bbs.curve import BP2, R
from cityid.bbs.suites import SHA_256, Suite
from cityid.errors import Malformed, Misuse, Unavailable

_RANDOM: Final = 48
_MATERIAL: Final = 32
_INFO: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A secret key with its public one: `public` is 96 octets. Made by `key_gen` and `secret_key`."""

    public: bytes
    _scalar: int = field(repr=False)

    def octets(self) -> bytes:
        """The 32 octets that `secret_key` reads: for a keyring that seals them, and for nobody else."""
        return octets.from_scalar(self._scalar)

    @property
    def scalar(self) -> int:
        return self._scalar


def _with_public(scalar: int, suite: Suite) -> SecretKey:
    backend = suite.backend()
    return SecretKey(backend.octets(backend.mul(octets.public_key(BP2, backend), scalar)), scalar)


def secret_key(data: bytes, *, suite: Suite = SHA_256) -> SecretKey:
    """The secret key in 32 octets, big-endian.

    Raises:
        Malformed: `bbs.length`, `bbs.scalar`.
        Unavailable: `install.extra`.
    """
    return _with_public(octets.scalar(data, "secret key"), suite)


def key_gen(material: bytes, info: bytes = b"", *, suite: Suite = SHA_256, dst: bytes | None = None) -> SecretKey:
    """KeyGen (§3.4.1): a key from at least 32 secret octets, such as `secrets.token_bytes(32)`, and public `info`.

    Raises:
        Misuse: `bbs.key_material`, `bbs.key_info`, `bbs.dst`.
        Unavailable: `install.extra`.
    """
    if len(material) < _MATERIAL:
        raise Misuse("bbs.key_material", spec="BBS draft 9 §3.4.1", least=_MATERIAL, length=len(material))
    if len(info) > _INFO:
        raise Misuse("bbs.key_info", spec="BBS draft 9 §3.4.1", limit=_INFO, length=len(info))
    if dst is None:
        dst = suite.id.encode("ascii") + b"H2G_HM2S_KEYGEN_DST_"
    scalar = suite.hash_to_scalar(material + len(info).to_bytes(2, "big") + info, dst)
    return _with_public(scalar, suite)


def check_public_key(data: bytes, *, suite: Suite = SHA_256) -> None:
    """Is it a public key: 96 octets, canonical, in the subgroup, not the identity? Signing and verifying ask this too.

    Raises:
        Malformed: `bbs.length`, `bbs.point`, `bbs.identity`.
        Unavailable: `install.extra`.
    """
    octets.public_key(data, suite.backend())


def random_scalars(count: int, entropy: Callable[[int], bytes] = secrets.token_bytes) -> list[int]:
    """calculate_random_scalars (§4.2.1): `count` scalars of 48 random octets each, none 0 and no two alike.

    Raises:
        Unavailable: `bbs.entropy`, for a source that fails, gives too little or repeats itself.
    """
    found = [draw(_RANDOM, entropy) % R for _ in range(count)]
    if len({0, *found}) != count + 1:
        raise Unavailable("bbs.entropy", spec="BBS draft 9 §4.2.1")
    return found


def draw(length: int, entropy: Callable[[int], bytes]) -> int:
    """`length` random octets as a number. Raises Unavailable `bbs.entropy`."""
    try:
        raw = entropy(length)
    except OSError:
        raw = b""
    if len(raw) != length:
        raise Unavailable("bbs.entropy", spec="BBS draft 9 §4.2.1")
    return int.from_bytes(raw, "big")


def inverse(value: int, blind: int) -> int:
    """1 / value. Python's inversion takes a time that depends on what is inverted: it gets a product with `blind`,
    a random scalar that nothing else uses.

    Raises:
        Malformed: `bbs.scalar`, for 0.
    """
    product = value * blind % R
    if not product:
        raise Malformed("bbs.scalar", spec="BBS draft 9 §3.6.1", what="signature")
    return blind * pow(product, -1, R) % R
