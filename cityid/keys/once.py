"""P-256 keys that sign one document and are forgotten: what ecdsa-sd-2023 calls proof-scoped keys, and the holder's
key of a showing that must be like no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from cityid.errors import Malformed, Unavailable
from cityid.keys.algorithms import CURVES, ORDERS, Algorithm, PublicKey, Verify, ecdsa

_CURVE: Final = CURVES[Algorithm.ES256]
_ORDER: Final = ORDERS[Algorithm.ES256]
_SCHEME: Final = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_DRAWN: Final = 48
_COORDINATE: Final = 32


def drawn(length: int, entropy: Callable[[int], bytes]) -> bytes:
    """`length` random bytes.

    Raises:
        Unavailable: `keys.entropy`, for a source that gives too little.
    """
    found = entropy(length)
    if len(found) != length:
        raise Unavailable("keys.entropy", spec="FIPS 186-5 §A.2.1")
    return found


class Signer:
    """A fresh key, from 48 bytes of `entropy` (FIPS 186-5 §A.2.1). `public` is its point, compressed.

    Raises:
        Unavailable: `keys.entropy`.
    """

    __slots__ = ("_point", "_sign", "public")

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        number = int.from_bytes(drawn(_DRAWN, entropy), "big")
        private = ec.derive_private_key(number % (_ORDER - 1) + 1, _CURVE)
        self._sign = private.sign
        self._point = private.public_key()
        self.public = self._point.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)

    @property
    def public_key(self) -> PublicKey:
        encoding, form = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        return PublicKey(Algorithm.ES256, self._point.public_bytes(encoding, form))

    def sign(self, message: bytes) -> bytes:
        """r || s (ES256, RFC 6979)."""
        r, s = decode_dss_signature(self._sign(message, _SCHEME))
        return r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")


def verifier(point: bytes, where: str) -> Verify:
    """What checks signatures (ES256) with a compressed point. Nothing of it is remembered: nobody comes back with it.

    Raises:
        Malformed: `key.not_on_curve`.
    """
    try:
        loaded = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point)
    except ValueError:
        algorithm = Algorithm.ES256
        raise Malformed("key.not_on_curve", where=where, spec="SEC 1 §2.3.4", algorithm=algorithm.value) from None
    return ecdsa(Algorithm.ES256, loaded)
