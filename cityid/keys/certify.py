"""Certificates of a small city (RFC 5280): its root, leaves for issuers; and requests to a real authority (RFC 2986).

The key that signs may lie in a token, so nothing here asks for a private key: the part to be signed is built by
`cryptography` under a throw-away key of the same algorithm (it holds no trace of that key), then signed by the Signer.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from cityid.errors import Misuse
from cityid.keys import Signer, x509
from cityid.keys.algorithms import CURVES, Algorithm, PublicKey, der_signature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509 import CertificateBuilder, ExtendedKeyUsage, GeneralName, KeyUsage, SubjectKeyIdentifier
    from cryptography.x509 import Name as _Name

ROOT_LIFETIME: Final = timedelta(days=3653)
ISSUER_LIFETIME: Final = timedelta(days=397)
_SIGNS: Final = (Algorithm.ES256, Algorithm.ES384)


@dataclass(frozen=True, slots=True)
class Name:
    """The name in a certificate; `country` is two capital letters (ISO 3166-1)."""

    common_name: str
    organization: str = ""
    country: str = ""


def certify_root(
    signer: Signer,
    name: Name,
    *,
    at: datetime,
    lifetime: timedelta = ROOT_LIFETIME,
    path_length: int = 0,
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> bytes:
    """A self-signed root in DER, for `signer`'s own key. `path_length` is the number of authorities below it: 0 or 1.

    Raises:
        Misuse: `x509.algorithm` (ES256 and ES384 only), `x509.name`, `x509.path_length`.
    """
    from cryptography import x509 as lib

    if path_length not in (0, 1):
        raise Misuse("x509.path_length", length=path_length)
    subject = _name(name)
    builder = _builder(signer.public_key, subject, subject, at, at + lifetime, entropy)
    builder = builder.add_extension(lib.BasicConstraints(ca=True, path_length=path_length), critical=True)
    builder = builder.add_extension(_usage(authority=True), critical=True)
    builder = builder.add_extension(_key_identifier(signer.public_key), critical=False)
    return _signed(builder, signer)


def certify_issuer(
    key: PublicKey,
    name: Name,
    *,
    root: bytes,
    signer: Signer,
    at: datetime,
    uris: Sequence[str] = (),
    dns: Sequence[str] = (),
    usages: Sequence[str] = (),
    lifetime: timedelta = ISSUER_LIFETIME,
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> bytes:
    """A leaf certificate in DER for an issuer's `key`, under `root` (DER), whose key `signer` holds. `uris` and `dns`
    are the issuer's names; there must be one. `usages` are OIDs of extended key usages (RFC 5280 §4.2.1.12), such as
    that of a key which signs status lists.

    Raises:
        Misuse: `x509.algorithm`, `x509.name`, `x509.alternative_name`, `x509.outlives_root`, `x509.not_the_roots_key`.
    """
    from cryptography import x509 as lib

    above = x509.read(root)
    if x509.public_key(root) != signer.public_key:
        raise Misuse("x509.not_the_roots_key", thumbprint=signer.public_key.thumbprint)
    if not above.not_before <= at or at + lifetime > above.not_after:
        raise Misuse("x509.outlives_root", not_after=above.not_after.isoformat())
    builder = _builder(key, _name(name), above.loaded.subject, at, at + lifetime, entropy)
    builder = builder.add_extension(lib.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(authority=False), critical=True)
    builder = builder.add_extension(_key_identifier(key), critical=False)
    identifier = above.loaded.extensions.get_extension_for_class(lib.SubjectKeyIdentifier).value
    builder = builder.add_extension(
        lib.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
    )
    if usages:
        builder = builder.add_extension(_extended(usages), critical=False)
    alternatives = lib.SubjectAlternativeName(_alternatives(uris, dns))
    return _signed(builder.add_extension(alternatives, critical=False), signer)


def csr(
    signer: Signer, name: Name, *, uris: Sequence[str] = (), dns: Sequence[str] = (), usages: Sequence[str] = ()
) -> bytes:
    """A PKCS#10 request in DER for `signer`'s key (RFC 2986 §4), with the alternative names and extended key usages as
    extensionRequest.

    Raises:
        Misuse: `x509.algorithm`, `x509.name`, `x509.alternative_name`.
    """
    from cryptography import x509 as lib
    from cryptography.hazmat.primitives import serialization

    alternatives = lib.SubjectAlternativeName(_alternatives(uris, dns)).public_bytes()
    extensions = _der(0x30, _SUBJECT_ALTERNATIVE_NAME, _der(0x04, alternatives))
    if usages:
        extensions += _der(0x30, _EXTENDED_KEY_USAGE, _der(0x04, _extended(usages).public_bytes()))
    request = _der(0x30, _EXTENSION_REQUEST, _der(0x31, _der(0x30, extensions)))
    key = _loaded(signer.public_key).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    information = _der(0x30, b"\x02\x01\x00", _name(name).public_bytes(), key, _der(0xA0, request))
    return _wrapped(information, signer)


def pem(der: bytes, label: str) -> str:
    """`der` in textual form (RFC 7468): `CERTIFICATE` or `CERTIFICATE REQUEST`."""
    import base64

    text = base64.b64encode(der).decode("ascii")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


_SUBJECT_ALTERNATIVE_NAME: Final = bytes.fromhex("0603551d11")
_EXTENDED_KEY_USAGE: Final = bytes.fromhex("0603551d25")
_EXTENSION_REQUEST: Final = bytes.fromhex("06092a864886f70d01090e")
_ECDSA_WITH: Final = {
    Algorithm.ES256: bytes.fromhex("300a06082a8648ce3d040302"),
    Algorithm.ES384: bytes.fromhex("300a06082a8648ce3d040303"),
}
"""AlgorithmIdentifier of ecdsa-with-SHA256 and -SHA384 (RFC 5758 §3.2)."""


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + content


def _wrapped(information: bytes, signer: Signer) -> bytes:
    """SEQUENCE { information, algorithm, signature }: the outside of certificates and requests alike."""
    signature = der_signature(signer.sign(information))
    return _der(0x30, information, _ECDSA_WITH[signer.public_key.algorithm], _der(0x03, b"\0", signature))


def _signed(builder: CertificateBuilder, signer: Signer) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec

    algorithm = signer.public_key.algorithm
    _loaded(signer.public_key)
    throw_away = ec.generate_private_key(CURVES[algorithm])
    return _wrapped(builder.sign(throw_away, _hash(algorithm)).tbs_certificate_bytes, signer)


def _hash(algorithm: Algorithm) -> hashes.SHA256 | hashes.SHA384:
    from cryptography.hazmat.primitives import hashes

    return hashes.SHA384() if algorithm is Algorithm.ES384 else hashes.SHA256()


def _loaded(key: PublicKey) -> ec.EllipticCurvePublicKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    if key.algorithm not in _SIGNS:
        raise Misuse("x509.algorithm", algorithm=key.algorithm.value)
    return ec.EllipticCurvePublicKey.from_encoded_point(CURVES[key.algorithm], key.raw)


def _builder(
    key: PublicKey, subject: _Name, issuer: _Name, begin: datetime, end: datetime, entropy: Callable[[int], bytes]
) -> CertificateBuilder:
    from cryptography import x509 as lib

    # A positive number of 121 bits, 120 of them drawn (RFC 5280 §4.1.2.2).
    serial = int.from_bytes(b"\1" + entropy(15), "big")
    builder = lib.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=_loaded(key))
    return builder.serial_number(serial).not_valid_before(begin).not_valid_after(end)


def _name(name: Name) -> _Name:
    from cryptography import x509 as lib
    from cryptography.x509.oid import NameOID

    parts = (
        (NameOID.COUNTRY_NAME, name.country),
        (NameOID.ORGANIZATION_NAME, name.organization),
        (NameOID.COMMON_NAME, name.common_name),
    )
    try:
        return lib.Name([lib.NameAttribute(oid, text) for oid, text in parts if text or oid == NameOID.COMMON_NAME])
    except ValueError:
        raise Misuse("x509.name", spec="RFC 5280 §4.1.2.4", name=name.common_name) from None


def _alternatives(uris: Sequence[str], dns: Sequence[str]) -> list[GeneralName]:
    from cryptography import x509 as lib

    try:
        names: list[GeneralName] = [lib.UniformResourceIdentifier(uri) for uri in uris]
        names += [lib.DNSName(host) for host in dns]
    except ValueError:
        raise Misuse("x509.alternative_name", spec="RFC 5280 §4.2.1.6", names=" ".join((*uris, *dns))) from None
    if not names:
        raise Misuse("x509.alternative_name", spec="RFC 5280 §4.2.1.6", names="")
    return names


def _usage(*, authority: bool) -> KeyUsage:
    from cryptography import x509 as lib

    return lib.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _extended(usages: Sequence[str]) -> ExtendedKeyUsage:
    from cryptography import x509 as lib

    return lib.ExtendedKeyUsage([lib.ObjectIdentifier(usage) for usage in usages])


def _key_identifier(key: PublicKey) -> SubjectKeyIdentifier:
    from cryptography import x509 as lib

    return lib.SubjectKeyIdentifier.from_public_key(_loaded(key))
