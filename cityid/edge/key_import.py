"""Private keys that come from elsewhere: JWK (RFC 7517, 8037, 9964) and PEM (PKCS#8, SEC 1).

One whole key whose halves belong together; anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from cityid.edge.signers import load, secret_length
from cityid.encoding import base64url
from cityid.encoding.json import Fields
from cityid.errors import Malformed, Refused
from cityid.keys import jwk
from cityid.keys.algorithms import Algorithm

_ONE_PEM: Final = re.compile(
    rb"\s*-----BEGIN (?P<label>[A-Z ]{0,20}PRIVATE KEY)-----\r?\n"
    rb"(?:(?!-----)[A-Za-z0-9+/=\r\n:, -])+\n-----END (?P=label)-----\s*"
)
PEM: Final = 16 << 10
"""Bytes of a PEM file."""


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
        curves = {"secp256r1": Algorithm.ES256, "secp384r1": Algorithm.ES384, "secp256k1": Algorithm.ES256K}
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
