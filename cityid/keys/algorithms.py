"""Algorithms and public keys (RFC 7518 §3.4, 8037, 8812, 9864, 9964). The algorithm belongs to the key.

A PublicKey that exists is a usable one: length, curve and order were checked when it was made. Ed25519 has the strict
semantics of libsodium: keys must be canonical points of the prime-order group. ML-DSA is pure, with empty context.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from cityid.encoding import base64url
from cityid.errors import Malformed, Misuse, Refused, Unavailable

MEMO: Final = 1024
"""Loaded key objects that are remembered; one costs some kilobytes."""


class Algorithm(StrEnum):
    """What a key does, under the name that JOSE headers carry (`EdDSA` is Ed25519 here and nothing else)."""

    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"
    EDDSA = "EdDSA"
    ES256K = "ES256K"
    ML_DSA_44 = "ML-DSA-44"
    ML_DSA_65 = "ML-DSA-65"
    BBS = "BBS"
    X25519 = "X25519"
    ECDH_P256 = "ECDH-P256"

    @property
    def signs(self) -> bool:
        """Does it sign messages, as JOSE and COSE want it? BBS signs lists of them (`BbsSigner`)."""
        return self not in _AGREEMENT and self is not Algorithm.BBS

    @property
    def agrees(self) -> bool:
        """True for the two that only agree on secrets."""
        return self in _AGREEMENT


_AGREEMENT: Final = frozenset({Algorithm.X25519, Algorithm.ECDH_P256})

RAW_LENGTH: Final = {
    Algorithm.ES256: 65,
    Algorithm.ES384: 97,
    Algorithm.ES512: 133,
    Algorithm.EDDSA: 32,
    Algorithm.ES256K: 65,
    Algorithm.ML_DSA_44: 1312,
    Algorithm.ML_DSA_65: 1952,
    Algorithm.BBS: 96,
    Algorithm.X25519: 32,
    Algorithm.ECDH_P256: 65,
}
"""Bytes of a public key: 0x04 || x || y for elliptic curves, the key's own encoding otherwise."""

CURVES: Final[dict[Algorithm, ec.EllipticCurve]] = {
    Algorithm.ES256: ec.SECP256R1(),
    Algorithm.ES384: ec.SECP384R1(),
    Algorithm.ES512: ec.SECP521R1(),
    Algorithm.ES256K: ec.SECP256K1(),
    Algorithm.ECDH_P256: ec.SECP256R1(),
}
CURVE_NAMES: Final = {
    Algorithm.ES256: "P-256",
    Algorithm.ES384: "P-384",
    Algorithm.ES512: "P-521",
    Algorithm.ES256K: "secp256k1",
    Algorithm.ECDH_P256: "P-256",
    Algorithm.EDDSA: "Ed25519",
    Algorithm.X25519: "X25519",
}
"""The JWK `crv` of each (RFC 7518 §6.2.1.1, 8037 §2, 8812 §3.1)."""

ORDERS: Final = {
    Algorithm.ES256: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    Algorithm.ES384: int(
        "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16
    ),
    Algorithm.ES512: int(
        "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa"
        "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
        16,
    ),
    Algorithm.ES256K: 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    Algorithm.ECDH_P256: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
}
"""The order of each curve's group: ECDSA integers and private scalars are 1 to order - 1."""

ECDSA_HASHES: Final[dict[Algorithm, hashes.HashAlgorithm]] = {
    Algorithm.ES256: hashes.SHA256(),
    Algorithm.ES384: hashes.SHA384(),
    Algorithm.ES512: hashes.SHA512(),
    Algorithm.ES256K: hashes.SHA256(),
}
"""What each hashes a message with (RFC 7518 §3.4, 8812 §3.2)."""

Verify = Callable[[bytes, bytes], None]


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key, checked when made. `raw` is 0x04||x||y (EC), 32 bytes (Ed25519, X25519), the ML-DSA
    encoding, or the compressed point of G2 (BBS on BLS12-381).

    Raises:
        Malformed: `key.length`, `key.point_form`, `key.not_on_curve`, `key.not_canonical`, `key.low_order`.
        Unavailable: `install.extra` for a BBS key without the extra `bbs`.
    """

    algorithm: Algorithm
    raw: bytes
    _verify: Verify = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_verify", _verifier(self.raw, self.algorithm))

    def __reduce__(self) -> tuple[type[PublicKey], tuple[Algorithm, bytes]]:
        return PublicKey, (self.algorithm, self.raw)  # checked again where it is unpickled

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check a signature in its JOSE form (RFC 7518 §3.4: raw r||s for ECDSA).

        Raises:
            Refused: `signature.invalid`.
            Misuse: `keys.wrong_kind` for a key that only agrees on secrets.
        """
        self._verify(signature, message)

    @property
    def thumbprint(self) -> str:
        """RFC 7638: base64url of SHA-256 over the required members of the JWK."""
        return _thumbprint(self.raw, self.algorithm)


def members(key: PublicKey) -> dict[str, str]:
    """The required members of the key's JWK, in the order in which RFC 7638 §3.3 hashes them."""
    return _members(key.raw, key.algorithm)


def _members(raw: bytes, algorithm: Algorithm) -> dict[str, str]:
    if algorithm is Algorithm.ES256:
        # What most holders have. A NUL behind each coordinate makes threes of bytes, so one base64 does for both.
        both = base64url.encode(b"%b\0%b\0" % (raw[1:33], raw[33:]))
        return {"crv": CURVE_NAMES[algorithm], "kty": "EC", "x": both[:43], "y": both[44:87]}
    if algorithm in CURVES:
        half = len(raw) // 2
        x, y = raw[1 : 1 + half], raw[1 + half :]
        return {"crv": CURVE_NAMES[algorithm], "kty": "EC", "x": base64url.encode(x), "y": base64url.encode(y)}
    if algorithm in CURVE_NAMES:
        return {"crv": CURVE_NAMES[algorithm], "kty": "OKP", "x": base64url.encode(raw)}
    return {"alg": algorithm.value, "kty": "AKP", "pub": base64url.encode(raw)}


@lru_cache(maxsize=MEMO)
def _thumbprint(raw: bytes, algorithm: Algorithm) -> str:
    inside = ",".join([f'"{name}":"{value}"' for name, value in _members(raw, algorithm).items()])
    return base64url.encode(hashlib.sha256(f"{{{inside}}}".encode("ascii")).digest())


@lru_cache(maxsize=MEMO)
def _verifier(raw: bytes, algorithm: Algorithm) -> Verify:
    """Check and load the key once; errors are not remembered, so junk fills no memory."""
    if len(raw) != RAW_LENGTH[algorithm]:
        raise Malformed("key.length", algorithm=algorithm.value, expected=RAW_LENGTH[algorithm], length=len(raw))
    if algorithm in CURVES:
        if raw[0] != 4:
            raise Malformed("key.point_form", spec="SEC 1 §2.3.4", algorithm=algorithm.value)
        if algorithm is Algorithm.ES256:
            # Of many keys nothing is ever verified; this is a tenth of loading one.
            if not _on_p256(raw):
                raise Malformed("key.not_on_curve", spec="SEC 1 §3.2.2.1", algorithm=algorithm.value)
            return _ecdsa_later(algorithm, raw)
        try:
            loaded = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[algorithm], raw)
        except ValueError:
            raise Malformed("key.not_on_curve", spec="SEC 1 §3.2.2.1", algorithm=algorithm.value) from None
        return _agrees_only(algorithm) if algorithm is Algorithm.ECDH_P256 else ecdsa(algorithm, loaded)
    if algorithm is Algorithm.EDDSA:
        _check_ed25519(raw)
        return _ed25519(raw)
    if algorithm is Algorithm.X25519:
        return _agrees_only(algorithm)
    if algorithm is Algorithm.BBS:
        return _bbs(raw)
    return _ml_dsa(algorithm, raw)


_P256_FIELD: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
_P256_B: Final = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


def _on_p256(raw: bytes) -> bool:
    """Is 0x04||x||y a point of P-256 (SEC 1 §3.2.2.1)? Its cofactor is 1, so no other group has it."""
    x, y = int.from_bytes(raw[1:33], "big"), int.from_bytes(raw[33:], "big")
    return x < _P256_FIELD and y < _P256_FIELD and (y * y - x * (x * x - 3) - _P256_B) % _P256_FIELD == 0


def _ecdsa_later(algorithm: Algorithm, raw: bytes) -> Verify:
    """`_ecdsa` of a point of the curve, which is loaded when it is first asked for."""
    made: list[Verify] = []

    def verify(signature: bytes, message: bytes) -> None:
        if not made:
            made.append(ecdsa(algorithm, ec.EllipticCurvePublicKey.from_encoded_point(CURVES[algorithm], raw)))
        made[0](signature, message)

    return verify


def _agrees_only(algorithm: Algorithm) -> Verify:
    def verify(signature: bytes, message: bytes) -> None:
        raise Misuse("keys.wrong_kind", algorithm=algorithm.value)

    return verify


def _bbs(raw: bytes) -> Verify:
    """A BBS key verifies lists of messages (`cityid.bbs`). No signature of one message is by it, and a stranger's
    document can name it anywhere, so that asking is no mistake of the program."""
    try:
        from pyblst import BlstP2Element
    except ImportError:
        raise Unavailable("install.extra", extra="bbs") from None
    try:
        point = BlstP2Element().uncompress(raw)  # canonical, on the curve and in the subgroup, or ValueError
    except ValueError:
        raise Malformed("key.not_on_curve", spec="BBS draft 9 §3.4.2", algorithm=Algorithm.BBS.value) from None
    if bytes(point.compress())[0] & 0x40:
        raise Malformed("key.low_order", spec="BBS draft 9 §3.4.2")

    def verify(signature: bytes, message: bytes) -> None:
        raise Refused("signature.invalid")

    return verify


def ecdsa(algorithm: Algorithm, key: ec.EllipticCurvePublicKey) -> Verify:
    size = RAW_LENGTH[algorithm] // 2
    twice = 2 * size
    # Equal length makes the order of bytes the order of the integers they stand for.
    zero, order = bytes(size), ORDERS[algorithm].to_bytes(size, "big")
    scheme = ec.ECDSA(ECDSA_HASHES[algorithm])
    check, shapes = key.verify, _shapes(size)

    def verify(signature: bytes, message: bytes) -> None:
        if len(signature) != twice:
            raise Refused("signature.invalid")
        r, s = signature[:size], signature[size:]
        if not (zero < r < order and zero < s < order):
            raise Refused("signature.invalid")
        first, second = r[0], s[0]
        if first and second:
            head, middle = shapes[(first >> 7) << 1 | second >> 7]
            der = head + r + middle + s
        else:
            der = _der(r, s)
        try:
            check(der, message, scheme)
        except InvalidSignature:
            raise Refused("signature.invalid") from None

    return verify


@cache
def _shapes(size: int) -> tuple[tuple[bytes, bytes], ...]:
    """DER of two integers of full size: four shapes, by which of the two needs a zero in front."""
    return tuple(
        (_sequence(4 + 2 * size + r + s) + bytes([2, size + r]) + bytes(r), bytes([2, size + s]) + bytes(s))
        for r in (0, 1)
        for s in (0, 1)
    )


def _sequence(length: int) -> bytes:
    """The head of a DER sequence; that of P-521 needs a byte that says how long its length is."""
    return bytes([0x30, length]) if length < 128 else bytes([0x30, 0x81, length])


def _der_integer(number: bytes) -> bytes:
    short = number.lstrip(b"\0")
    if short[0] & 0x80:
        short = b"\0" + short
    return bytes([2, len(short)]) + short


def _der(r: bytes, s: bytes) -> bytes:
    body = _der_integer(r) + _der_integer(s)
    return _sequence(len(body)) + body


def der_signature(raw: bytes) -> bytes:
    """An ECDSA signature r||s as X.509 has it (RFC 3279 §2.2.3)."""
    half = len(raw) // 2
    return _der(raw[:half], raw[half:])


_FIELD_25519: Final = 2**255 - 19
_ORDER_EIGHT_Y: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER_Y: Final = frozenset({0, 1, _FIELD_25519 - 1, _ORDER_EIGHT_Y, _FIELD_25519 - _ORDER_EIGHT_Y})
"""The y of the eight points whose order divides eight."""


def _check_ed25519(raw: bytes) -> None:
    from nacl.bindings import crypto_core_ed25519_is_valid_point

    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y % _FIELD_25519 in _SMALL_ORDER_Y:
        raise Malformed("key.low_order", spec="RFC 8032 §5.1.7")
    if y >= _FIELD_25519:
        raise Malformed("key.not_canonical", spec="RFC 8032 §5.1.3")
    # Also refuses what no holder of a private key can have: a point outside the prime-order group.
    if not crypto_core_ed25519_is_valid_point(raw):
        raise Malformed("key.not_on_curve", spec="RFC 8032 §5.1.3", algorithm=Algorithm.EDDSA.value)


def _ed25519(raw: bytes) -> Verify:
    from nacl.bindings import crypto_sign_open
    from nacl.exceptions import BadSignatureError

    def verify(signature: bytes, message: bytes) -> None:
        if len(signature) != 64:
            raise Refused("signature.invalid")
        try:
            crypto_sign_open(signature + message, raw)
        except BadSignatureError:
            raise Refused("signature.invalid") from None

    return verify


def _ml_dsa(algorithm: Algorithm, raw: bytes) -> Verify:
    from cryptography.hazmat.primitives.asymmetric import mldsa

    small = algorithm is Algorithm.ML_DSA_44
    check = (mldsa.MLDSA44PublicKey if small else mldsa.MLDSA65PublicKey).from_public_bytes(raw).verify

    def verify(signature: bytes, message: bytes) -> None:
        try:
            check(signature, message)  # looks at the length first
        except InvalidSignature:
            raise Refused("signature.invalid") from None

    return verify
