"""COSE_Key, public half (RFC 9052 §7, 9053 §7, 9864, 9964), over plain maps of labels; and its thumbprint (RFC 9679).

Reading the CBOR is somebody else's work; here only ints, byte strings and lists arrive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from cityid.errors import Malformed, Misuse
from cityid.keys.algorithms import CURVES, RAW_LENGTH, Algorithm, PublicKey
from cityid.keys.jwk import made
from cityid.keys.multikey import expand

_KTY, _ALG, _OPS = 1, 3, 4
_OKP, _EC2, _AKP = 1, 2, 7
_SIGNATURE_CURVES: Final = {
    (_EC2, 1): Algorithm.ES256,
    (_EC2, 2): Algorithm.ES384,
    (_EC2, 3): Algorithm.ES512,
    (_EC2, 8): Algorithm.ES256K,
    (_OKP, 6): Algorithm.EDDSA,
}
_AGREEMENT_CURVES: Final = {(_EC2, 1): Algorithm.ECDH_P256, (_OKP, 4): Algorithm.X25519}
_ML_DSA: Final = {-48: Algorithm.ML_DSA_44, -49: Algorithm.ML_DSA_65}
_ECDH: Final = (-25, -27, -28, -29, -30, -31, -32, -33, -34)
"""ECDH-ES and ECDH-SS with HKDF or key wrap (RFC 9053 §6.3, §6.4)."""
_ALGORITHMS: Final[Mapping[Algorithm, tuple[int, ...]]] = {
    Algorithm.ES256: (-7, -9),
    Algorithm.ES384: (-35, -51),
    Algorithm.ES512: (-36, -52),
    Algorithm.EDDSA: (-8, -19),
    Algorithm.ES256K: (-47,),
    Algorithm.X25519: _ECDH,
    Algorithm.ECDH_P256: _ECDH,
}
_SIGNATURES: Final[Mapping[Algorithm, tuple[int, ...]]] = {
    **{algorithm: _ALGORITHMS[algorithm] for algorithm in _SIGNATURE_CURVES.values()},
    **{algorithm: (code,) for code, algorithm in _ML_DSA.items()},
}
_PRIVATE: Final = {_OKP: -4, _EC2: -4, _AKP: -2, 4: -1}
"""The label of the secret, by kty (4 is a symmetric key)."""

_Entry = int | bytes


def read(key: Mapping[Any, Any], where: str = "", *, agreement: bool = False) -> PublicKey:
    """The key behind a public COSE_Key: one for signatures, or with `agreement` one for key agreement.

    Raises:
        Malformed: `key.cose_member` (missing or of another CBOR type), `key.private` (burnt), `key.unsupported`,
            `key.algorithm_mismatch`, `key.operations`, `key.coordinate`, and `key.*` of PublicKey.
    """
    kty = _integer(key, _KTY, where)
    secret = _PRIVATE.get(kty, -4)
    if secret in key:
        raise Malformed("key.private", where=where, spec="RFC 9052 §7", member=f"label {secret}")
    _check_operations(key, where, agreement=agreement)
    if kty == _AKP:
        algorithm = None if agreement else _ML_DSA.get(_integer(key, _ALG, where))
        if algorithm is None:
            raise Malformed("key.unsupported", where=where, kind=f"COSE kty {kty}")
        return made(algorithm, _bytes(key, -1, where), where)
    crv = _integer(key, -1, where) if kty in (_OKP, _EC2) else 0
    algorithm = (_AGREEMENT_CURVES if agreement else _SIGNATURE_CURVES).get((kty, crv))
    if algorithm is None:
        raise Malformed("key.unsupported", where=where, kind=f"COSE kty {kty} crv {crv}")
    if _ALG in key and key[_ALG] not in _ALGORITHMS[algorithm]:
        alg = f"{key[_ALG]}"
        raise Malformed("key.algorithm_mismatch", where=where, spec="RFC 9052 §7.1", alg=alg, kind=algorithm.value)
    x = _bytes(key, -2, where)
    if kty == _OKP:
        return made(algorithm, x, where)
    return made(algorithm, _point(key, algorithm, x, where), where)


def _point(key: Mapping[Any, Any], algorithm: Algorithm, x: bytes, where: str) -> bytes:
    y = key.get(-3)
    if isinstance(y, bool):  # RFC 9053 §7.1.1: the sign bit of a compressed point
        return expand(algorithm, bytes([2 + y]) + x, where)
    size = RAW_LENGTH[algorithm] // 2
    raw = b"\x04"
    for coordinate in (x, _bytes(key, -3, where)):
        if len(coordinate) != size:
            raise Malformed(
                "key.coordinate", where=where, spec="RFC 9053 §7.1.1", expected=size, length=len(coordinate)
            )
        raw += coordinate
    return raw


def _check_operations(key: Mapping[Any, Any], where: str, *, agreement: bool) -> None:
    operations = key.get(_OPS)
    if operations is None:
        return
    verify, derive = 2, {7, 8}
    fits = isinstance(operations, list) and all(type(item) is int for item in operations)
    if fits:
        fits = set(operations) <= derive if agreement else operations == [verify]
    if not fits:
        raise Malformed("key.operations", where=where, spec="RFC 9052 §7.1", operations=str(operations)[:100])


def _integer(key: Mapping[Any, Any], label: int, where: str) -> int:
    value = key.get(label)
    if type(value) is not int:
        raise Malformed("key.cose_member", where=where, spec="RFC 9052 §7", label=label)
    return value


def _bytes(key: Mapping[Any, Any], label: int, where: str) -> bytes:
    value = key.get(label)
    if not isinstance(value, bytes):
        raise Malformed("key.cose_member", where=where, spec="RFC 9052 §7", label=label)
    return value


def write(key: PublicKey) -> dict[int, _Entry]:
    """The COSE_Key with its required members and nothing else, in the order of RFC 8949 §4.2.1."""
    for code, algorithm in _ML_DSA.items():
        if algorithm is key.algorithm:
            return {_KTY: _AKP, _ALG: code, -1: key.raw}
    table = _SIGNATURE_CURVES if key.algorithm.signs else _AGREEMENT_CURVES
    kty, crv = next(pair for pair, algorithm in table.items() if algorithm is key.algorithm)
    if key.algorithm not in CURVES:
        return {_KTY: kty, -1: crv, -2: key.raw}
    half = len(key.raw) // 2
    return {_KTY: kty, -1: crv, -2: key.raw[1 : 1 + half], -3: key.raw[1 + half :]}


def names(key: PublicKey) -> tuple[int, ...]:
    """The values of `alg` that mean this key's signatures (RFC 9053 §2, 9864 §2.2, 9964 §4); none where it only agrees
    on secrets."""
    return _SIGNATURES.get(key.algorithm, ())


def name(key: PublicKey) -> int:
    """The `alg` that we write for this key's signatures: the value that has been read everywhere for longest.

    Raises:
        Misuse: `keys.wrong_kind`.
    """
    if not key.algorithm.signs:
        raise Misuse("keys.wrong_kind", algorithm=key.algorithm.value)
    return _SIGNATURES[key.algorithm][0]


def thumbprint(key: PublicKey) -> bytes:
    """RFC 9679 §3: SHA-256 over the deterministic CBOR of the required members. 32 bytes."""
    entries = write(key)
    encoded = bytes([0xA0 + len(entries)]) + b"".join(_cbor(part) for entry in entries.items() for part in entry)
    return hashlib.sha256(encoded).digest()


def _cbor(value: _Entry) -> bytes:
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    return _head(0, value) if value >= 0 else _head(1, -1 - value)


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    if argument < 0x100:
        return bytes([major << 5 | 24, argument])
    return bytes([major << 5 | 25]) + argument.to_bytes(2, "big")
