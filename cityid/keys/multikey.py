"""Multikey: a public key as multibase base58btc of a multicodec and the key (CID 1.0 §2.2.2, did:key v0.9 §3.1).

ML-DSA is our extension, under the codes of the multicodec table (status draft); ML-DSA-87 is not offered.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cityid import limits
from cityid.encoding import multibase
from cityid.errors import Malformed
from cityid.keys.algorithms import CURVES, RAW_LENGTH, Algorithm, PublicKey
from cityid.keys.jwk import made

CODES: Final = {
    0xE7: Algorithm.ES256K,
    0xEC: Algorithm.X25519,
    0xEB: Algorithm.BBS,
    0xED: Algorithm.EDDSA,
    0x1200: Algorithm.ES256,
    0x1201: Algorithm.ES384,
    0x1202: Algorithm.ES512,
    0x1210: Algorithm.ML_DSA_44,
    0x1211: Algorithm.ML_DSA_65,
}
_CODE_OF: Final = {algorithm: code for code, algorithm in CODES.items()} | {Algorithm.ECDH_P256: 0x1200}
# The block of private keys in the multicodec table, less two public shares inside it.
_SECRET: Final = frozenset(range(0x1300, 0x131D)) - {0x130C, 0x130D}
_ML_DSA_HEADS: Final = ("z4sd", "z5Fb")
"""The first characters of every Multikey of ML-DSA-44 and -65, and of nothing else of that length."""


def read(text: str, where: str = "", *, agreement: bool | None = False) -> PublicKey:
    """The key behind a `publicKeyMultibase`: one for signatures; with `agreement` one for key agreement (X25519,
    P-256); with `agreement=None` whichever it is (a P-256 key then signs).

    Raises:
        Malformed: `key.private` (burnt), `key.unsupported`, `key.length`, `key.point_form`, `key.not_on_curve`,
            `key.not_canonical`, `key.low_order`, `multibase.*`.
    """
    code, raw = multibase.read_varint(multibase.decode(text, where, limit=limit(text)), where)
    if code in _SECRET:
        raise Malformed("key.private", where=where, spec="CID 1.0 §2.2.2", member=f"multicodec 0x{code:x}")
    algorithm = CODES.get(code)
    if agreement and algorithm is Algorithm.ES256:
        algorithm = Algorithm.ECDH_P256
    if algorithm is None or agreement not in (None, algorithm.agrees):
        raise Malformed("key.unsupported", where=where, kind=f"multicodec 0x{code:x}")
    if algorithm in CURVES:
        raw = expand(algorithm, raw, where)
    return made(algorithm, raw, where)


def write(key: PublicKey) -> str:
    """The `publicKeyMultibase` of a key; curve points compressed."""
    raw = compress(key) if key.algorithm in CURVES else key.raw
    return multibase.encode(multibase.varint(_CODE_OF[key.algorithm]) + raw)


def limit(text: str) -> int:
    """The greatest length that a text with these first characters may have: only ML-DSA keys need more than 512."""
    return limits.DID_KEY_MLDSA if text.startswith(_ML_DSA_HEADS) else limits.DID_KEY


def compress(key: PublicKey) -> bytes:
    """SEC 1 §2.3.3: 02 or 03 by the parity of y, then x."""
    half = len(key.raw) // 2
    return bytes([2 + (key.raw[-1] & 1)]) + key.raw[1 : 1 + half]


def expand(algorithm: Algorithm, point: bytes, where: str) -> bytes:
    """0x04||x||y of a compressed point.

    Raises:
        Malformed: `key.length`, `key.point_form`, `key.not_on_curve`.
    """
    expected = RAW_LENGTH[algorithm] // 2 + 1
    if len(point) != expected:
        raise Malformed("key.length", where=where, algorithm=algorithm.value, expected=expected, length=len(point))
    if point[0] not in (2, 3):
        raise Malformed("key.point_form", where=where, spec="SEC 1 §2.3.4", algorithm=algorithm.value)
    try:
        return _expanded(algorithm, point)
    except ValueError:
        raise Malformed("key.not_on_curve", where=where, spec="SEC 1 §2.3.4", algorithm=algorithm.value) from None


@lru_cache(maxsize=1024)
def _expanded(algorithm: Algorithm, point: bytes) -> bytes:
    loaded = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[algorithm], point)
    return loaded.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
