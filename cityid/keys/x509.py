"""Certificate chains of credential issuers (RFC 5280 §6, HAIP 1.0 §6.1.1): validated against configured roots only.

`cryptography.x509.verification` does signatures, names, constraints and criticality; the rules about shape and use are
here, so that each has its own code. A validated path is remembered, its time is not: every call compares `at` with
every certificate of the path.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from cityid import limits
from cityid.errors import Malformed, Refused
from cityid.keys.algorithms import Algorithm, PublicKey
from cityid.keys.jwk import made

if TYPE_CHECKING:
    from cryptography import x509

MEMO: Final = 256
OID: Final = re.compile(r"[0-2](\.(0|[1-9][0-9]{0,17})){1,19}")
"""An object identifier as it is written: numbers with dots between them."""
CERTIFICATE: Final = 16 << 10
"""Bytes of one certificate."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a leaf must be beyond RFC 5280: `extended_key_usage`, when given, is an OID that the leaf must carry."""

    extended_key_usage: str = ""


DOCUMENT_SIGNER: Final = Profile()
"""Signs credentials; whatever extended key usage it has."""


@dataclass(frozen=True, slots=True)
class ValidatedChain:
    """A chain that ends in a configured root, at the time that was asked for.

    `subject` is the leaf's name (RFC 4514); `authority_key_ids` are the key identifiers of every certificate of the
    chain, for DCQL `aki`; `not_after` is the first moment at which something in the path expires; `root` is its DER.
    """

    public_key: PublicKey
    subject: str
    san_uris: tuple[str, ...]
    san_dns: tuple[str, ...]
    authority_key_ids: tuple[bytes, ...]
    not_after: datetime
    root: bytes


@dataclass(frozen=True, slots=True)
class Certificate:
    """What we read from one certificate, once."""

    der: bytes
    loaded: x509.Certificate
    subject: bytes
    issuer: bytes
    name: str
    not_before: datetime
    not_after: datetime
    san_uris: tuple[str, ...]
    san_dns: tuple[str, ...]
    authority_key_id: bytes | None
    is_ca: bool
    signs: bool
    extended_key_usages: tuple[str, ...]


@lru_cache(maxsize=MEMO)
def read(der: bytes) -> Certificate:
    """One certificate in DER.

    Raises:
        Malformed: `x509.too_large`, `x509.der` (no certificate, trailing bytes, or an extension that cannot be read).
    """
    from cryptography import x509

    if len(der) > CERTIFICATE:
        raise Malformed("x509.too_large", limit=CERTIFICATE, size=len(der))
    try:
        loaded = x509.load_der_x509_certificate(der)
        extensions = loaded.extensions
        # Everything is looked at here, because cryptography parses on access.
        alternatives = _extension(extensions, x509.SubjectAlternativeName)
        authority = _extension(extensions, x509.AuthorityKeyIdentifier)
        constraints = _extension(extensions, x509.BasicConstraints)
        usage = _extension(extensions, x509.KeyUsage)
        purposes = _extension(extensions, x509.ExtendedKeyUsage)
        return Certificate(
            der=der,
            loaded=loaded,
            subject=loaded.subject.public_bytes(),
            issuer=loaded.issuer.public_bytes(),
            name=loaded.subject.rfc4514_string(),
            not_before=loaded.not_valid_before_utc,
            not_after=loaded.not_valid_after_utc,
            san_uris=tuple(alternatives.get_values_for_type(x509.UniformResourceIdentifier)) if alternatives else (),
            san_dns=tuple(alternatives.get_values_for_type(x509.DNSName)) if alternatives else (),
            authority_key_id=authority.key_identifier if authority else None,
            is_ca=bool(constraints and constraints.ca),
            # Without the extension a key may be used for anything (RFC 5280 §4.2.1.3).
            signs=usage is None or usage.digital_signature,
            extended_key_usages=tuple(purpose.dotted_string for purpose in purposes or ()),
        )
    except Exception as error:  # whatever the parser thinks of hostile DER, warnings turned to errors included
        raise Malformed("x509.der", spec="RFC 5280 §4.1", reason=type(error).__name__) from None


def _extension(extensions: x509.Extensions, kind: Any) -> Any:
    from cryptography import x509

    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


@lru_cache(maxsize=MEMO)
def public_key(der: bytes) -> PublicKey:
    """The certificate's key, which must be ECDSA on a named curve P-256 or P-384 (attack K08: no explicit parameters).

    Raises:
        Malformed: `x509.key`, `key.*`, and what `read` raises.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    certificate = read(der)
    try:
        loaded = certificate.loaded.public_key()
        if not isinstance(loaded, ec.EllipticCurvePublicKey):
            raise TypeError
        algorithm = {"secp256r1": Algorithm.ES256, "secp384r1": Algorithm.ES384}[loaded.curve.name]
    except Exception as error:  # another kind, another curve, a bad point
        raise Malformed("x509.key", spec="RFC 5480 §2.1.1", reason=type(error).__name__) from None
    # cryptography also takes parameters spelled out, and compressed points; the one form of RFC 5480 is what it writes.
    spelled = loaded.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if spelled not in certificate.loaded.tbs_certificate_bytes:
        raise Malformed("x509.key", spec="RFC 5480 §2.1.1", reason="explicit parameters")
    raw = loaded.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return made(algorithm, raw, "")


def validate(
    certificates: Sequence[bytes], roots: Sequence[bytes], at: datetime, profile: Profile = DOCUMENT_SIGNER
) -> ValidatedChain:
    """Validate a chain, leaf first, root not included (HAIP 1.0 §6.1.1), against the DER of the configured roots.

    Raises:
        Malformed: `x509.*`, `key.*`; `x509.chain_length` (1 to 5 certificates).
        Refused: `trust.chain_anchor_included`, `trust.leaf_self_signed`, `trust.leaf_is_ca`, `trust.leaf_key_usage`,
            `trust.leaf_extended_key_usage`, `trust.chain_order`, `trust.chain_expired`, `trust.chain_not_yet_valid`,
            `trust.chain_unknown_root`, `trust.chain_invalid`.
    """
    if not 0 < len(certificates) <= limits.CHAIN:
        raise Malformed("x509.chain_length", limit=limits.CHAIN, count=len(certificates))
    chain = tuple(read(der) for der in certificates)
    leaf = chain[0]
    _check_shape(chain, roots, profile)
    key = public_key(leaf.der)
    for certificate in chain:
        _check_time(certificate, at)
    candidates = [root for root in map(read, roots) if root.subject == chain[-1].issuer]
    if not candidates:
        raise Refused("trust.chain_unknown_root", spec="RFC 5280 §6.1", issuer=chain[-1].loaded.issuer.rfc4514_string())
    root = _anchor(chain, candidates, at)
    identifiers = (certificate.authority_key_id for certificate in chain)
    return ValidatedChain(
        public_key=key,
        subject=leaf.name,
        san_uris=leaf.san_uris,
        san_dns=leaf.san_dns,
        authority_key_ids=tuple(identifier for identifier in identifiers if identifier is not None),
        not_after=min(certificate.not_after for certificate in (*chain, root)),
        root=root.der,
    )


def _check_shape(chain: tuple[Certificate, ...], roots: Sequence[bytes], profile: Profile) -> None:
    leaf = chain[0]
    if any(certificate.der in roots for certificate in chain):
        raise Refused("trust.chain_anchor_included", spec="HAIP 1.0 §6.1.1")
    if leaf.subject == leaf.issuer:
        raise Refused("trust.leaf_self_signed", spec="HAIP 1.0 §6.1.1", subject=leaf.name)
    if leaf.is_ca:
        raise Refused("trust.leaf_is_ca", spec="RFC 5280 §4.2.1.9", subject=leaf.name)
    if not leaf.signs:
        raise Refused("trust.leaf_key_usage", spec="RFC 5280 §4.2.1.3", subject=leaf.name)
    wanted = profile.extended_key_usage
    if wanted and wanted not in leaf.extended_key_usages:
        raise Refused("trust.leaf_extended_key_usage", spec="RFC 5280 §4.2.1.12", subject=leaf.name, wanted=wanted)
    for lower, upper in pairwise(chain):
        if lower.issuer != upper.subject:
            raise Refused("trust.chain_order", spec="RFC 7515 §4.1.6", subject=lower.name, next=upper.name)


def _check_time(certificate: Certificate, at: datetime) -> None:
    if at < certificate.not_before:
        raise Refused(
            "trust.chain_not_yet_valid",
            spec="RFC 5280 §6.1.3",
            subject=certificate.name,
            not_before=certificate.not_before.isoformat(),
        )
    if at > certificate.not_after:
        raise Refused(
            "trust.chain_expired",
            spec="RFC 5280 §6.1.3",
            subject=certificate.name,
            not_after=certificate.not_after.isoformat(),
        )


def _anchor(chain: tuple[Certificate, ...], candidates: list[Certificate], at: datetime) -> Certificate:
    """The first of the roots with the right name that holds at `at`: a renewed root has its name twice."""
    refusals: list[Refused] = []
    for root in candidates:
        try:
            _check_time(root, at)
            _check_path(tuple(certificate.der for certificate in chain), root.der)
        except Refused as refusal:
            refusals.append(refusal)
        else:
            return root
    raise refusals[0]


@lru_cache(maxsize=MEMO)
def _check_path(chain: tuple[bytes, ...], root: bytes) -> None:
    """The time-free part. All of the path is valid at `at`, therefore at the latest of its beginnings too, and that
    moment depends on the path alone: what is remembered holds for every `at` that passed `_check_time`."""
    from cryptography.x509 import verification

    certificates = [read(der) for der in (*chain, root)]
    moment = max(certificate.not_before for certificate in certificates)
    leaf, *above = [certificate.loaded for certificate in certificates[:-1]]
    try:
        verifier = (
            verification.PolicyBuilder()
            .store(verification.Store([certificates[-1].loaded]))
            .time(moment)
            .max_chain_depth(limits.CHAIN)
            .extension_policies(ca_policy=_ca_policy(), ee_policy=verification.ExtensionPolicy.permit_all())
            .build_client_verifier()
        )
        path = verifier.verify(leaf, above).chain
    except Exception as error:  # VerificationError, and ValueError for what only shows on a second look
        raise Refused("trust.chain_invalid", spec="RFC 5280 §6.1", reason=str(error)) from None
    if len(path) != len(certificates):
        raise Refused("trust.chain_order", spec="RFC 7515 §4.1.6", subject=leaf.subject.rfc4514_string(), next="")


def _ca_policy() -> Any:
    """The library's rules for authorities, without its rule that their extended key usage must be a web client's."""
    from cryptography import x509
    from cryptography.x509 import verification

    return verification.ExtensionPolicy.webpki_defaults_ca().may_be_present(
        x509.ExtendedKeyUsage, verification.Criticality.AGNOSTIC, None
    )
