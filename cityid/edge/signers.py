"""Private keys in this process: a Signer or KeyAgreement for each algorithm, and fresh keys.

ECDSA is deterministic (RFC 6979). A private key is loaded once, lives in the closure of its Signer, and shows in no
repr, copy, pickle or attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cityid.errors import Malformed, Misuse, Refused
from cityid.keys.algorithms import CURVES, ECDSA_HASHES, ORDERS, RAW_LENGTH, Algorithm, PublicKey

Entropy = Callable[[int], bytes]
_Act = Callable[[Any], bytes]


class _Held:
    """What a Signer and a KeyAgreement share: the public key in sight, the private one in a closure."""

    __slots__ = ("_act", "_public_key")

    def __init__(self, public_key: PublicKey, act: _Act) -> None:
        self._public_key = public_key
        self._act = act

    @property
    def public_key(self) -> PublicKey:
        return self._public_key

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._public_key.algorithm.value}, {self._public_key.thumbprint})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise Misuse("keys.not_copied")

    def __copy__(self) -> NoReturn:
        raise Misuse("keys.not_copied")

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise Misuse("keys.not_copied")


class SoftwareSigner(_Held):
    """A Signer whose key lies in this process."""

    __slots__ = ()

    def sign(self, message: bytes) -> bytes:
        """The signature in its JOSE form: r||s for ECDSA (RFC 7518 §3.4), 64 bytes for Ed25519, FIPS 204 for ML-DSA."""
        return self._act(message)


class SoftwareAgreement(_Held):
    """A KeyAgreement whose key lies in this process: X25519 (RFC 7748 §6.1) or ECDH on P-256 (SEC 1 §3.3.1)."""

    __slots__ = ()

    def shared(self, peer: PublicKey) -> bytes:
        """The shared secret, 32 bytes; to be put through a key derivation before use.

        Raises:
            Misuse: `keys.wrong_kind`, when `peer` is of another algorithm.
            Refused: `key.no_secret`, when the secret would be all zero (RFC 7748 §6.1).
        """
        if peer.algorithm is not self._public_key.algorithm:
            raise Misuse("keys.wrong_kind", algorithm=peer.algorithm.value)
        return self._act(peer.raw)


class SoftwareBbsSigner(_Held):
    """A BbsSigner whose key lies in this process."""

    __slots__ = ()

    def sign(self, header: bytes, messages: Sequence[bytes]) -> bytes:
        """80 bytes over `header` and `messages` (BBS draft 9 §3.5.1)."""
        from cityid.bbs import core

        return self._act(lambda key: core.sign(key, header, messages))

    def blind_sign(self, commitment: bytes, header: bytes, messages: Sequence[bytes]) -> bytes:
        """Raises Refused: `bbs.commitment`."""
        from cityid.bbs import blind

        return self._act(lambda key: blind.sign(key, commitment, header, messages))

    def sign_with_nym(
        self, commitment: bytes, length: int, nym_entropy: bytes, header: bytes, messages: Sequence[bytes]
    ) -> bytes:
        """Raises Refused: `bbs.commitment`."""
        from cityid.bbs import pseudonym

        return self._act(lambda key: pseudonym.sign(key, commitment, length, nym_entropy, header, messages))


def secret_length(algorithm: Algorithm) -> int:
    """Bytes of a private key: the scalar's (EC), the seed's or scalar's 32 otherwise (RFC 8032, 7748, 9964)."""
    return RAW_LENGTH[algorithm] // 2 if algorithm in CURVES else 32


def new_secret(algorithm: Algorithm, entropy: Entropy) -> bytes:
    """A fresh private key, drawn from `entropy`; scalars by rejection, so without bias (FIPS 186-5 §A.2.2)."""
    size = secret_length(algorithm)
    while True:
        secret = entropy(size)
        if algorithm is Algorithm.BBS:
            from cityid.bbs.keys import key_gen

            return key_gen(secret).octets()
        if algorithm not in ORDERS:
            return secret
        # Bits that no scalar has are dropped first, so that P-521 does not need a hundred tries.
        scalar = int.from_bytes(secret, "big") & ((1 << ORDERS[algorithm].bit_length()) - 1)
        if 0 < scalar < ORDERS[algorithm]:
            return scalar.to_bytes(size, "big")


def load(algorithm: Algorithm, secret: bytes) -> SoftwareSigner | SoftwareBbsSigner | SoftwareAgreement:
    """The Signer, BbsSigner or KeyAgreement of a private key in the form of `new_secret`.

    Raises:
        Malformed: `key.secret_length`, `key.secret_range`. Unavailable: `install.extra` (bbs).
    """
    if len(secret) != secret_length(algorithm):
        raise Malformed(
            "key.secret_length", algorithm=algorithm.value, expected=secret_length(algorithm), length=len(secret)
        )
    if algorithm in CURVES:
        return _load_curve(algorithm, secret)
    if algorithm is Algorithm.EDDSA:
        return _load_ed25519(secret)
    if algorithm is Algorithm.X25519:
        return _load_x25519(secret)
    if algorithm is Algorithm.BBS:
        return _load_bbs(secret)
    return _load_ml_dsa(algorithm, secret)


def _load_curve(algorithm: Algorithm, secret: bytes) -> SoftwareSigner | SoftwareAgreement:
    scalar = int.from_bytes(secret, "big")
    if not 0 < scalar < ORDERS[algorithm]:
        raise Malformed("key.secret_range", algorithm=algorithm.value, spec="SEC 1 §3.2.1")
    private = ec.derive_private_key(scalar, CURVES[algorithm])
    raw = private.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    public = PublicKey(algorithm, raw)
    if algorithm is Algorithm.ECDH_P256:
        curve = CURVES[algorithm]

        def agree(peer: bytes) -> bytes:
            return private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(curve, peer))

        return SoftwareAgreement(public, agree)
    size = secret_length(algorithm)
    scheme = ec.ECDSA(ECDSA_HASHES[algorithm], deterministic_signing=True)
    sign_der = private.sign

    def sign(message: bytes) -> bytes:
        return _raw_signature(sign_der(message, scheme), size)

    return SoftwareSigner(public, sign)


def _load_bbs(secret: bytes) -> SoftwareBbsSigner:
    from cityid.bbs.keys import SecretKey, secret_key

    try:
        held = secret_key(secret)
    except Malformed:
        raise Malformed("key.secret_range", algorithm=Algorithm.BBS.value, spec="BBS draft 9 §3.4.1") from None

    def act(sign: Callable[[SecretKey], bytes]) -> bytes:
        return sign(held)

    return SoftwareBbsSigner(PublicKey(Algorithm.BBS, held.public), act)


def _raw_signature(der: bytes, size: int) -> bytes:
    """r||s from the DER of OpenSSL, which is well-formed: SEQUENCE { INTEGER r, INTEGER s }, of at most 255 bytes."""
    der = der[der[1] == 0x81 :]
    end = 4 + der[3]
    r, s = der[4:end], der[end + 2 :]
    return r[-size:].rjust(size, b"\0") + s[-size:].rjust(size, b"\0")


def _load_ed25519(seed: bytes) -> SoftwareSigner:
    from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

    raw, expanded = crypto_sign_seed_keypair(seed)

    def sign(message: bytes) -> bytes:
        signature: bytes = crypto_sign(message, expanded)[:64]
        return signature

    return SoftwareSigner(PublicKey(Algorithm.EDDSA, raw), sign)


def _load_x25519(secret: bytes) -> SoftwareAgreement:
    from cryptography.hazmat.primitives.asymmetric import x25519

    private = x25519.X25519PrivateKey.from_private_bytes(secret)

    def agree(peer: bytes) -> bytes:
        try:
            return private.exchange(x25519.X25519PublicKey.from_public_bytes(peer))
        except ValueError:
            raise Refused("key.no_secret", spec="RFC 7748 §6.1") from None

    return SoftwareAgreement(PublicKey(Algorithm.X25519, private.public_key().public_bytes_raw()), agree)


def _load_ml_dsa(algorithm: Algorithm, seed: bytes) -> SoftwareSigner:
    from cryptography.hazmat.primitives.asymmetric import mldsa

    kind = mldsa.MLDSA44PrivateKey if algorithm is Algorithm.ML_DSA_44 else mldsa.MLDSA65PrivateKey
    private = kind.from_seed_bytes(seed)
    sign = private.sign

    def act(message: bytes) -> bytes:
        return sign(message)

    return SoftwareSigner(PublicKey(algorithm, private.public_key().public_bytes_raw()), act)
