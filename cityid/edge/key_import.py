"""Private keys that come from elsewhere: JWK (RFC 7517, 8037, 9964), PEM (PKCS#8, SEC 1) and Multikey (CID 1.0).

One whole key whose halves belong together; anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from cityid.edge.signers import load, secret_length
from cityid.encoding import base64url, multibase
from cityid.encoding.json import Fields
from cityid.errors import Malformed, Refused
from cityid.keys import jwk, multikey
from cityid.keys.algorithms import Algorithm

_ONE_PEM: Final = re.compile(
    rb"\s*-----BEGIN (?P<label>[A-Z ]{0,20}PRIVATE KEY)-----\r?\n"
    rb"(?:(?!-----)[A-Za-z0-9+/=\r\n:, -])+\n-----END (?P=label)-----\s*"
)
PEM: Final = 16 << 10
"""Bytes of a PEM file."""
_MULTIKEY: Final = 100
"""Characters of a secret Multikey: the longest, of P-521, has 94."""
_SECRET_CODES: Final = {
    0x1300: Algorithm.EDDSA,
    0x1306: Algorithm.ES256,
    0x1307: Algorithm.ES384,
    0x1308: Algorithm.ES512,
    0x130A: Algorithm.BBS,
}
"""Of the multicodec table. (CID 1.0 prints 80 30 for the secret keys of BLS12-381; that is another code.)"""


def read_jwk(private: Mapping[str, Any], where: str = "$", *, agreement: bool = False) -> tuple[Algorithm, bytes]:
    """Algorithm and private key of a private JWK, in the form of `software_keys.new_secret`.

    Raises:
        Malformed: `key.secret_length`, `key.secret_range`, `key.halves_differ`, and what `jwk.read` raises.
    """
    public = jwk.read_members(private, where, agreement=agreement, private=True)
    member = "priv" if private.get("kty") == "AKP" else "d"
    fields = Fields(private, where)
    secret = base64url.decode(fields.text(member), fields.at(member))
    expected = secret_length(public.algorithm)
    if len(secret) != expected:
        raise Malformed(
            "key.secret_length", where=where, algorithm=public.algorithm.value, expected=expected, length=len(secret)
        )
    if load(public.algorithm, secret).public_key != public:
        raise Malformed("key.halves_differ", where=where, algorithm=public.algorithm.value)
    return public.algorithm, secret


def read_multikey(text: str, where: str = "$") -> tuple[Algorithm, bytes]:
    """Algorithm and private key of a `secretKeyMultibase` (CID 1.0 §2.2.2).

    Raises:
        Malformed: `key.not_secret` (a public key stands there), `key.unsupported`, `key.secret_length`,
            `key.secret_range`; `multibase.*`.
    """
    code, secret = multibase.read_varint(multibase.decode(text, where, limit=_MULTIKEY), where)
    algorithm = _SECRET_CODES.get(code)
    if algorithm is None:
        if code in multikey.CODES:
            raise Malformed("key.not_secret", where=where, spec="CID 1.0 §2.2.2")
        raise Malformed("key.unsupported", where=where, kind=f"multicodec 0x{code:x}")
    load(algorithm, secret)
    return algorithm, secret


def write_multikey(algorithm: Algorithm, secret: bytes) -> str:
    """The `secretKeyMultibase` of a private key in the form of `software_keys.new_secret`."""
    codes = {known: code for code, known in _SECRET_CODES.items()}
    return multibase.encode(multibase.varint(codes[algorithm]) + secret)


def read_pem(data: bytes, passphrase: bytes | None = None, *, agreement: bool = False) -> tuple[Algorithm, bytes]:
    """Algorithm and private key of a PEM file that holds one private key and nothing else.

    Raises:
        Malformed: `key.pem` (no key, several, or text around it), `key.pem_unreadable` (DER with trailing bytes, halves
            that differ), `key.unsupported`.
        Refused: `passphrase.needed`, `passphrase.wrong`.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    found = _ONE_PEM.fullmatch(data) if len(data) <= PEM else None
    if found is None:
        raise Malformed("key.pem", spec="RFC 7468 §2")
    encrypted = found["label"].startswith(b"ENCRYPTED") or b"ENCRYPTED" in data.split(b"\n", 2)[1]
    if encrypted and not passphrase:
        raise Refused("passphrase.needed")
    try:
        loaded = serialization.load_pem_private_key(data, passphrase if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if encrypted:
            raise Refused("passphrase.wrong") from None
        raise Malformed("key.pem_unreadable", spec="RFC 5958 §2") from None
    return _secret(loaded, agreement=agreement)


def _secret(loaded: Any, *, agreement: bool) -> tuple[Algorithm, bytes]:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, x25519

    if isinstance(loaded, ec.EllipticCurvePrivateKey):
        curves = {
            "secp256r1": Algorithm.ES256,
            "secp384r1": Algorithm.ES384,
            "secp521r1": Algorithm.ES512,
            "secp256k1": Algorithm.ES256K,
        }
        algorithm = curves.get(loaded.curve.name)
        if agreement:
            algorithm = Algorithm.ECDH_P256 if algorithm is Algorithm.ES256 else None
        if algorithm is not None:
            scalar = loaded.private_numbers().private_value
            return algorithm, scalar.to_bytes(secret_length(algorithm), "big")
    for kind, other in ((ed25519.Ed25519PrivateKey, Algorithm.EDDSA), (x25519.X25519PrivateKey, Algorithm.X25519)):
        if isinstance(loaded, kind) and other.signs is not agreement:
            return other, loaded.private_bytes_raw()
    for seeded, ml in ((mldsa.MLDSA44PrivateKey, Algorithm.ML_DSA_44), (mldsa.MLDSA65PrivateKey, Algorithm.ML_DSA_65)):
        if isinstance(loaded, seeded) and not agreement:
            return ml, loaded.private_bytes_raw()
    raise Malformed("key.unsupported", kind=type(loaded).__name__)
