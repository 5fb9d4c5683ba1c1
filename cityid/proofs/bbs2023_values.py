"""The proof values of bbs-2023, base and derived, for each feature (DI BBS, editor's draft of 3 April 2025, §3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from cityid.errors import Malformed, Refused
from cityid.proofs import components
from cityid.proofs.members import Proof

_PREFIX: Final = b"\xd9\x5d"
_SIGNATURE: Final = 80
_HEADER: Final = 64
_PUBLIC: Final = 96
_KEY: Final = 32
_PSEUDONYM: Final = 48
_SPEC: Final = "DI BBS §3.3"


class Feature(Enum):
    """What a credential can do besides hiding. The caller says which before anything is read: a proof never does."""

    BASELINE = "baseline"
    HOLDER_BINDING = "anonymous_holder_binding"
    PSEUDONYM = "pseudonym"
    HOLDER_BINDING_PSEUDONYM = "holder_binding_pseudonym"

    @property
    def base(self) -> bytes:
        return _PREFIX + bytes([2 + 2 * _ORDER[self]])

    @property
    def derived(self) -> bytes:
        return _PREFIX + bytes([3 + 2 * _ORDER[self]])

    @property
    def bound(self) -> bool:
        """Has the holder a secret that is signed?"""
        return self in (Feature.HOLDER_BINDING, Feature.HOLDER_BINDING_PSEUDONYM)

    @property
    def named(self) -> bool:
        """Does the holder show pseudonyms?"""
        return self in (Feature.PSEUDONYM, Feature.HOLDER_BINDING_PSEUDONYM)


_ORDER: Final = {feature: place for place, feature in enumerate(Feature)}
_BASES: Final = {feature.base: feature for feature in Feature}
_DERIVED: Final = {feature.derived: feature for feature in Feature}


@dataclass(frozen=True, slots=True)
class Base:
    """What only the holder has. `nym_entropy` is empty where the feature has no pseudonyms."""

    signature: bytes
    header: bytes
    public_key: bytes
    hmac_key: bytes
    mandatory: tuple[str, ...]
    nym_entropy: bytes

    def __repr__(self) -> str:
        return "Base()"

    def write(self, feature: Feature) -> str:
        parts = [self.signature, self.header, self.public_key, self.hmac_key, list(self.mandatory)]
        return components.write(feature.base, [*parts, self.nym_entropy] if feature.named else parts)


@dataclass(frozen=True, slots=True)
class Derived:
    """What a holder shows. `labels` are the issuer's labels by the number of the canonical one; `length` is the number
    of statements that are not mandatory, 0 where the feature does not say it."""

    proof: bytes
    labels: Mapping[int, str]
    mandatory: tuple[int, ...]
    selective: tuple[int, ...]
    presentation_header: bytes
    nym_domain: str = ""
    pseudonym: bytes = b""
    length: int = 0

    def write(self, feature: Feature) -> str:
        labels = {number: int(label[1:]) for number, label in self.labels.items()}
        parts: list[Any] = [self.proof, labels, list(self.mandatory), list(self.selective), self.presentation_header]
        if feature.named:
            parts += [self.nym_domain, self.pseudonym]
        if feature is not Feature.BASELINE:
            parts.append(self.length)
        return components.write(feature.derived, parts)


def read_base(proof: Proof, feature: Feature) -> Base:
    """The base proof value of a proof.

    Raises:
        Malformed: `sd.not_a_base_proof`, `sd.encoding`, `sd.components`, `sd.not_canonical`, `sd.component`;
            `base64url.*`, `cbor.*`.
        Refused: `bbs2023.feature`.
    """
    head, data = components.read(proof)
    if head not in _BASES:
        raise Malformed("sd.not_a_base_proof", where=proof.where, spec=_SPEC, head=head.hex())
    _check(feature, _BASES[head], proof.where)
    place = f"{proof.where}.proofValue"
    signature, header, public_key, hmac_key, mandatory, *more = components.parts(data, 5 + feature.named, place)
    return Base(
        components.octets(signature, "bbsSignature", _SIGNATURE, place),
        components.octets(header, "bbsHeader", _HEADER, place),
        components.octets(public_key, "publicKey", _PUBLIC, place),
        components.octets(hmac_key, "hmacKey", _KEY, place),
        tuple(components.listed(mandatory, "mandatoryPointers", str, place)),
        components.octets(more[0], "signer_nym_entropy", _KEY, place) if more else b"",
    )


def read_derived(proof: Proof, feature: Feature) -> Derived:
    """The derived proof value of a proof.

    Raises:
        Malformed: `sd.not_derived`, `sd.encoding`, `sd.components`, `sd.not_canonical`, `sd.component`;
            `base64url.*`, `cbor.*`.
        Refused: `sd.base_proof`, for what only the holder should have; `bbs2023.feature`.
    """
    head, data = components.read(proof)
    if head in _BASES:
        raise Refused("sd.base_proof", where=proof.where, spec=_SPEC)
    if head not in _DERIVED:
        raise Malformed("sd.not_derived", where=proof.where, spec=_SPEC, head=head.hex())
    _check(feature, _DERIVED[head], proof.where)
    place = f"{proof.where}.proofValue"
    count = 5 + 2 * feature.named + (feature is not Feature.BASELINE)
    shown, labels, mandatory, selective, header, *more = components.parts(data, count, place)
    nym_domain, pseudonym = (
        (components.text(more[0], "nym_domain", place), components.octets(more[1], "pseudonym", _PSEUDONYM, place))
        if feature.named
        else ("", b"")
    )
    return Derived(
        components.octets(shown, "bbsProof", None, place),
        {number: f"b{label}" for number, label in components.label_map(labels, int, None, place).items()},
        tuple(components.listed(mandatory, "mandatoryIndexes", int, place)),
        tuple(components.listed(selective, "selectiveIndexes", int, place)),
        components.octets(header, "presentationHeader", None, place),
        nym_domain,
        pseudonym,
        components.number(more[-1], "lengthBBSMessages", place) if more else 0,
    )


def _check(expected: Feature, found: Feature, where: str) -> None:
    if found is not expected:
        raise Refused("bbs2023.feature", where=where, spec=_SPEC, expected=expected.value, found=found.value)
