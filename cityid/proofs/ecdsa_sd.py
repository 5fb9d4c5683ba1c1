"""ecdsa-sd-2023 (DI ECDSA 1.0 §3.4 to §3.6): each statement that may be hidden has a signature of its own, made with a
key of this one proof, and the issuer signs that key with the statements that may not.

The base signature is checked with the issuer's key. The text of §3.6.7 checks it with the key that stands in the proof
value, by which everybody could sign for everybody (decision 241). Whoever shows one credential twice can be recognised
by its signatures.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from cityid.encoding import base64url
from cityid.encoding.jsonld import Loader
from cityid.errors import Malformed, Refused
from cityid.keys import Algorithm, PublicKey, Signer, once
from cityid.proofs import components, members, selective
from cityid.proofs.members import Proof

SUITE: Final = "ecdsa-sd-2023"
_SUITES: Final[members.Suites] = MappingProxyType({SUITE: MappingProxyType({Algorithm.ES256: hashlib.sha256})})
_BASE: Final = b"\xd9\x5d\x00"
_DERIVED: Final = b"\xd9\x5d\x01"
_P256: Final = b"\x80\x24"
_SIGNATURE: Final = 64
_KEY: Final = 32
_COUNT: Final = 5
_SPEC: Final = "DI ECDSA 1.0 §3.6.7"
Entropy = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Base:
    """A base proof value (§3.5.3). `key` is the key of this proof, with its two bytes of Multikey."""

    signature: bytes
    key: bytes
    hmac_key: bytes
    signatures: tuple[bytes, ...]
    mandatory: tuple[str, ...]

    def __repr__(self) -> str:
        return "Base()"

    def write(self) -> str:
        return components.write(
            _BASE, [self.signature, self.key, self.hmac_key, list(self.signatures), list(self.mandatory)]
        )


@dataclass(frozen=True, slots=True)
class Derived:
    """A derived proof value (§3.5.8). `labels` are the issuer's labels, by the number of the canonical one."""

    signature: bytes
    key: bytes
    signatures: tuple[bytes, ...]
    labels: Mapping[int, str]
    mandatory: tuple[int, ...]

    def write(self) -> str:
        labels = {number: base64url.decode(label[1:]) for number, label in self.labels.items()}
        return components.write(
            _DERIVED, [self.signature, self.key, list(self.signatures), labels, list(self.mandatory)]
        )


def create_base(
    document: Mapping[str, Any],
    options: Mapping[str, Any],
    signer: Signer,
    *,
    mandatory: Sequence[str],
    load: Loader,
    entropy: Entropy = secrets.token_bytes,
) -> dict[str, Any]:
    """The issuer's proof over `document`, for its holder alone (§3.6.1). What is at the JSON pointers `mandatory` can
    not be hidden. `options` are the proof less `proofValue`.

    Raises:
        Misuse: `di.key`. Unavailable: `keys.entropy`, and what the signer raises.
        Malformed: those of `members.read` for the options, and of `selective.group`.
    """
    read = members.read({**options, "proofValue": "u"}, "$.options")
    members.to_sign(_SUITES, read.suite, signer.public_key.algorithm)
    hmac_key = once.drawn(_KEY, entropy)
    key = once.Signer(entropy)
    found = selective.group(document, [mandatory], selective.keyed(hmac_key), load)
    public = _P256 + key.public
    signed = signer.sign(_base_data(document, options, public, [found.lines[at] for at in found.groups[0]], load))
    signatures = tuple(key.sign(found.lines[at].encode("utf-8")) for at in found.rest(0))
    return {**options, "proofValue": Base(signed, public, hmac_key, signatures, tuple(mandatory)).write()}


def _base_data(
    document: Mapping[str, Any], proof: Mapping[str, Any], public: bytes, mandatory: Sequence[str], load: Loader
) -> bytes:
    """What the issuer signs (§3.5.1)."""
    return selective.config_hash(document, proof, load) + public + selective.lines_hash(mandatory)


def check_base(
    document: Mapping[str, Any],
    proof: Mapping[str, Any],
    key: PublicKey,
    *,
    purpose: str = "assertionMethod",
    load: Loader,
    where: str = "$.proof",
) -> None:
    """Check what the issuer signed, for the holder who got it: every statement.

    Raises:
        Malformed: those of `members.read`, of `read_base` and of `selective.group`; `di.suite`; `sd.signature_count`.
        Refused: `di.purpose`, `di.key_of_other_suite`, `di.context`, `signature.invalid`.
    """
    read = _read(document, proof, key, purpose, where)
    base = read_base(read)
    found = selective.group(document, [base.mandatory], selective.keyed(base.hmac_key), load)
    lines = [found.lines[at] for at in found.groups[0]]
    key.verify(base.signature, _base_data(document, proof, base.key, lines, load))
    _check_each(base.key, base.signatures, [found.lines[at] for at in found.rest(0)], where)


def derive(
    document: Mapping[str, Any],
    proof: Mapping[str, Any],
    *,
    selective: Sequence[str],
    load: Loader,
    where: str = "$.proof",
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a holder shows (§3.6.4): the part of `document` at the JSON pointers `selective` and at the mandatory ones,
    and its proof. The base proof is not checked: the wallet did that when it took it.

    Raises:
        Malformed: those of `members.read`, `read_base`, `selective.group` and `selective.reveal`.
    """
    return _derive(document, proof, selective, load, where)


def _derive(
    document: Mapping[str, Any], proof: Mapping[str, Any], asked: Sequence[str], load: Loader, where: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    base = read_base(members.read(proof, where))
    pointers = [*base.mandatory, *asked]
    found = selective.group(document, [base.mandatory, pointers], selective.keyed(base.hmac_key), load)
    shown, labels = selective.reveal(document, pointers, found, 1, load)
    mandatory, combined = found.groups
    rest = found.rest(0)
    if len(rest) != len(base.signatures):
        raise _miscounted(len(rest), len(base.signatures), where)
    told, fixed = frozenset(combined), frozenset(mandatory)
    derived = Derived(
        base.signature,
        base.key,
        tuple(signature for at, signature in zip(rest, base.signatures, strict=True) if at in told),
        labels,
        tuple(place for place, at in enumerate(combined) if at in fixed),
    )
    return shown, {**proof, "proofValue": derived.write()}


def check(
    document: Mapping[str, Any],
    proof: Mapping[str, Any],
    key: PublicKey,
    *,
    purpose: str = "assertionMethod",
    load: Loader,
    where: str = "$.proof",
) -> None:
    """Check what a holder shows (§3.6.7) with the issuer's `key`.

    Raises:
        Malformed: those of `members.read` and `read_derived`; `di.suite`; `sd.label_map`, `sd.indexes`,
            `sd.signature_count`, `sd.proof_key`; `json.*`, `jsonld.*`, `rdf.*`, and what `load` raises.
        Refused: `di.purpose`, `di.key_of_other_suite`, `di.context`, `sd.base_proof`, `signature.invalid`.
    """
    read = _read(document, proof, key, purpose, where)
    derived = read_derived(read)
    lines = selective.shown_lines(document, derived.labels, load, where)
    mandatory, rest = selective.divide(lines, derived.mandatory, where)
    # The issuer's word first: until then the key in the proof value is anybody's.
    key.verify(derived.signature, _base_data(document, proof, derived.key, mandatory, load))
    _check_each(derived.key, derived.signatures, rest, where)


def mandatory_of(proof: Mapping[str, Any], where: str = "$.proof") -> tuple[str, ...]:
    """The mandatory JSON pointers of a base proof. Raises Malformed: those of `members.read` and `read_base`."""
    return read_base(members.read(proof, where)).mandatory


def _read(document: Mapping[str, Any], proof: Mapping[str, Any], key: PublicKey, purpose: str, where: str) -> Proof:
    read = members.read(proof, where)
    members.check(read, (SUITE,), purpose)
    members.to_check(_SUITES, read, key.algorithm)
    selective.check_context(document, proof, where)
    return read


def read_base(proof: Proof) -> Base:
    """Raises Malformed: `sd.not_a_base_proof`, `sd.encoding`, `sd.components`, `sd.not_canonical`, `sd.component`;
    `base64url.*`, `cbor.*`."""
    head, data = components.read(proof)
    if head != _BASE:
        raise Malformed("sd.not_a_base_proof", where=proof.where, spec="DI ECDSA 1.0 §3.5.3", head=head.hex())
    place = f"{proof.where}.proofValue"
    signature, key, hmac_key, signatures, mandatory = components.parts(data, _COUNT, place)
    return Base(
        components.octets(signature, "baseSignature", _SIGNATURE, place),
        _key(key, place),
        components.octets(hmac_key, "hmacKey", _KEY, place),
        _signatures(signatures, place),
        tuple(components.listed(mandatory, "mandatoryPointers", str, place)),
    )


def read_derived(proof: Proof) -> Derived:
    """Raises:
    Malformed: `sd.not_derived`, `sd.encoding`, `sd.components`, `sd.not_canonical`, `sd.component`;
        `base64url.*`, `cbor.*`.
    Refused: `sd.base_proof`, for what only the holder should have.
    """
    head, data = components.read(proof)
    if head == _BASE:
        raise Refused("sd.base_proof", where=proof.where, spec="DI ECDSA 1.0 §3.5.8")
    if head != _DERIVED:
        raise Malformed("sd.not_derived", where=proof.where, spec="DI ECDSA 1.0 §3.5.8", head=head.hex())
    place = f"{proof.where}.proofValue"
    signature, key, signatures, labels, mandatory = components.parts(data, _COUNT, place)
    read = components.label_map(labels, bytes, _KEY, place)
    return Derived(
        components.octets(signature, "baseSignature", _SIGNATURE, place),
        _key(key, place),
        _signatures(signatures, place),
        {number: "u" + base64url.encode(label) for number, label in read.items()},
        tuple(components.listed(mandatory, "mandatoryIndexes", int, place)),
    )


def _key(value: Any, where: str) -> bytes:
    key = components.octets(value, "publicKey", 35, where)
    if not key.startswith(_P256):
        raise Malformed("sd.component", where=where, spec="DI ECDSA 1.0 §3.5", name="publicKey")
    return key


def _signatures(value: Any, where: str) -> tuple[bytes, ...]:
    found = components.listed(value, "signatures", bytes, where)
    return tuple(components.octets(each, "signatures", _SIGNATURE, where) for each in found)


def _check_each(public: bytes, signatures: Sequence[bytes], lines: Sequence[str], where: str) -> None:
    if len(signatures) != len(lines):
        raise _miscounted(len(lines), len(signatures), where)
    verify = once.verifier(public[2:], where)
    for signature, text in zip(signatures, lines, strict=True):
        verify(signature, text.encode("utf-8"))


def _miscounted(expected: int, found: int, where: str) -> Malformed:
    return Malformed("sd.signature_count", where=where, spec=_SPEC, expected=expected, found=found)
