"""DID documents (DID Core 1.0 §5, Controlled Identifiers 1.0 §2), read strictly; and the keys in them.

A document may hold what we do not know: other methods, other key types, services. It is judged only where it is used:
`key` answers for one verification method and one purpose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cityid import limits
from cityid.did.syntax import parse_url
from cityid.encoding import json
from cityid.encoding.json import Fields
from cityid.errors import Malformed, Refused
from cityid.keys import Algorithm, PublicKey, jwk, multikey

RELATIONSHIPS: Final = (
    "authentication",
    "assertionMethod",
    "keyAgreement",
    "capabilityInvocation",
    "capabilityDelegation",
)
_BY_JWK: Final = frozenset({"JsonWebKey", "JsonWebKey2020"})
_BY_MULTIBASE: Final = frozenset({"Multikey", "Ed25519VerificationKey2020"})


@dataclass(frozen=True, slots=True)
class VerificationMethod:
    """One key of a document, as written; `key()` reads it."""

    id: str
    type: str
    controller: str
    public_key_jwk: Mapping[str, Any] | None
    public_key_multibase: str | None
    where: str = field(repr=False)

    def key(self, *, agreement: bool = False) -> PublicKey:
        """The key, read now: for signatures, or for key agreement.

        Raises:
            Refused: `did.key_unsupported` for a type, curve or algorithm that is none of ours.
            Malformed: `did.key_missing`, `did.key_type`; what the readers of keys find wrong.
        """
        try:
            return self._by_jwk(agreement) if self.type in _BY_JWK else self._by_multibase(agreement)
        except Malformed as refusal:
            if refusal.code != "key.unsupported":
                raise
            raise self._unsupported(str(refusal.problem.facts["kind"])) from None

    def _unsupported(self, kind: str) -> Refused:
        return Refused("did.key_unsupported", where=self.where, kind=kind)

    def _by_jwk(self, agreement: bool) -> PublicKey:
        if self.public_key_jwk is None:
            raise Malformed("did.key_missing", where=self.where, spec="CID 1.0 §2.2", name="publicKeyJwk")
        return jwk.read(self.public_key_jwk, f"{self.where}.publicKeyJwk", agreement=agreement)

    def _by_multibase(self, agreement: bool) -> PublicKey:
        if self.type not in _BY_MULTIBASE:
            raise self._unsupported(self.type)
        if self.public_key_multibase is None:
            raise Malformed("did.key_missing", where=self.where, spec="CID 1.0 §2.2", name="publicKeyMultibase")
        key = multikey.read(self.public_key_multibase, f"{self.where}.publicKeyMultibase", agreement=agreement)
        if self.type != "Multikey" and key.algorithm is not Algorithm.EDDSA:
            raise Malformed("did.key_type", where=self.where, type=self.type, algorithm=key.algorithm.value)
        return key


@dataclass(frozen=True, slots=True)
class DidDocument:
    """A document that says of itself that it is `did`'s. `methods` are by absolute id; `relationships` name ids."""

    did: str
    methods: Mapping[str, VerificationMethod]
    relationships: Mapping[str, tuple[str, ...]]
    raw: Mapping[str, Any] = field(repr=False)

    def method(self, fragment: str) -> VerificationMethod:
        """The verification method `#fragment`, whatever it is for.

        Raises:
            Refused: `did.no_such_key`.
        """
        found = self.methods.get(f"{self.did}#{fragment}")
        if found is None:
            raise Refused("did.no_such_key", did=self.did, fragment=fragment)
        return found

    def key(self, fragment: str, purpose: str) -> PublicKey:
        """The key `#fragment`, which must stand under `purpose` (a `Purpose`, or another relationship of DID Core
        §5.3). Fragment "" asks for the only key of that purpose.

        Raises:
            Refused: `did.no_such_key`, `did.wrong_purpose`; for "", `did.no_key` and `did.several_keys`;
                `did.foreign_controller`; `did.key_unsupported`, also for a key that cannot serve the purpose.
            Malformed: `did.key_missing`, `did.key_type`, and what the readers of keys find wrong.
        """
        fit = self.relationships.get(purpose, ())
        if fragment:
            method = self.method(fragment)
            if method.id not in fit:
                raise Refused(
                    "did.wrong_purpose",
                    where=method.where,
                    spec="DID Core §5.3",
                    fragment=fragment,
                    purpose=str(purpose),
                )
        else:
            own = [name for name in fit if name in self.methods and name.startswith(f"{self.did}#")]
            if not own:
                raise Refused("did.no_key", spec="DID Core §5.3", did=self.did, purpose=str(purpose))
            if len(own) > 1:
                raise Refused("did.several_keys", did=self.did, purpose=str(purpose), count=len(own))
            method = self.methods[own[0]]
        if method.controller != self.did:
            raise Refused(
                "did.foreign_controller",
                where=method.where,
                spec="CID 1.0 §2.2",
                did=self.did,
                controller=method.controller,
            )
        return method.key(agreement=purpose == "keyAgreement")


def read_document(data: bytes, did: str) -> DidDocument:
    """The document in `data`, which must be the one of `did`.

    Raises:
        Malformed: `json.*`; as `from_json`.
        Refused: as `from_json`.
    """
    return from_json(json.read_object(data, where="$"), did)


def from_json(value: Mapping[str, Any], did: str) -> DidDocument:
    """The document in a JSON object.

    Raises:
        Malformed: `json.missing`, `json.wrong_type`; `did.not_absolute`, `did.duplicate_method`, `did.two_keys`,
            `did.too_many_methods`.
        Refused: `did.document_id`, when the document is another subject's.
    """
    fields = Fields(value, "$")
    found = fields.text("id")
    if found != did:
        raise Refused("did.document_id", where="$.id", spec="DID Core §5.1.1", did=did, found=found)
    methods: dict[str, VerificationMethod] = {}
    for index, item in enumerate(fields.optional_array("verificationMethod") or ()):
        _add(methods, _method(item, f"$.verificationMethod[{index}]"))
    relationships = {}
    for name in RELATIONSHIPS:
        ids: dict[str, None] = {}
        for index, item in enumerate(fields.optional_array(name) or ()):
            where = f"$.{name}[{index}]"
            if isinstance(item, str):
                ids[_absolute(item, where)] = None
            else:
                method = _method(item, where)
                _add(methods, method)
                ids[method.id] = None
        relationships[name] = tuple(ids)
    return DidDocument(did, methods, relationships, value)


def _add(methods: dict[str, VerificationMethod], method: VerificationMethod) -> None:
    if len(methods) >= limits.VERIFICATION_METHODS:
        raise Malformed("did.too_many_methods", where=method.where, limit=limits.VERIFICATION_METHODS)
    if method.id in methods:
        raise Malformed("did.duplicate_method", where=method.where, spec="CID 1.0 §2.2", id=method.id)
    methods[method.id] = method


def _method(value: Any, where: str) -> VerificationMethod:
    fields = Fields(value, where)
    method = VerificationMethod(
        _absolute(fields.text("id"), f"{where}.id"),
        fields.text("type"),
        fields.text("controller"),
        fields.optional_object("publicKeyJwk"),
        fields.optional_text("publicKeyMultibase"),
        where,
    )
    # Even where both say the same: two readers could each believe another one.
    if method.public_key_jwk is not None and method.public_key_multibase is not None:
        raise Malformed("did.two_keys", where=where, spec="CID 1.0 §2.2", id=method.id)
    return method


def _absolute(url: str, where: str) -> str:
    """`url`, which must be a DID URL with its DID and a fragment."""
    try:
        _, fragment = parse_url(url)
    except Malformed:
        fragment = ""
    if not fragment:
        raise Malformed("did.not_absolute", where=where, spec="did:web, Method-specific identifier", found=url)
    return url
