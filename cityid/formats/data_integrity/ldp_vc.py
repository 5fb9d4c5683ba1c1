"""The format object `ldp_vc`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from cityid import contexts
from cityid.checks import PASSED, Check, Step, failed
from cityid.credential import (
    Challenge,
    Credential,
    CredentialType,
    DidUrl,
    Draft,
    Keys,
    Path,
    Presentation,
    Unbound,
    Window,
)  # fmt: skip
from cityid.encoding import json, times
from cityid.errors import Malformed, Misuse, Problem, Refused
from cityid.formats import _contexts, _vcdm, _w3c
from cityid.formats.data_integrity import presentations, suites
from cityid.keys import BbsSigner, Signer, once
from cityid.proofs import sets
from cityid.proofs.sets import Secured

NAME: Final = "ldp_vc"
_SIGNED: Final = (PASSED[Step.ISSUER_SIGNATURE],)


@dataclass(frozen=True, slots=True)
class _Read:
    """A credential's parts. `shown` is the presentation around it; None where it stands by itself."""

    document: Mapping[str, Any]
    secured: tuple[Secured, ...]
    shown: presentations.Shown | None = None


@dataclass(frozen=True, slots=True)
class _LdpVc:
    """The format object; it has no state. `any_context` reads also what has contexts inside of itself."""

    any_context: bool = False

    @property
    def NAME(self) -> str:  # noqa: N802  # the protocol's constant
        return NAME

    def issue(
        self, draft: Draft, signer: Signer | BbsSigner, *, at: datetime, entropy: Callable[[int], bytes]
    ) -> Credential:
        """Sign `draft` with the suite that it names, or with the one that is usual for the signer's key.

        Raises:
            Misuse: `ldp.needs_did`, `ldp.suite`, `w3c.wrong_issuer`, `w3c.two_statuses`, `di.key`.
            Malformed: `json.*`, `jsonld.*`: claims that cannot be issued.
            Unavailable: `keys.unavailable`, `install.extra`.
        """
        return self.read(self._issue(draft, signer, entropy))

    def issue_many(
        self, drafts: Iterable[Draft], signer: Signer | BbsSigner, *, at: datetime, entropy: Callable[[int], bytes]
    ) -> list[bytes]:
        """What `issue` makes of each draft, in their order. Raises as it."""
        return [self._issue(draft, signer, entropy) for draft in drafts]

    def _issue(self, draft: Draft, signer: Signer | BbsSigner, entropy: Callable[[int], bytes]) -> bytes:
        document = document_of(draft)
        place = draft.signed_by.at
        if not isinstance(place, DidUrl):
            raise Misuse("ldp.needs_did", issuer=draft.issuer)
        if place.did != draft.issuer:
            raise Misuse("w3c.wrong_issuer", issuer=draft.issuer, owner=place.did)
        options = {
            "type": "DataIntegrityProof",
            "cryptosuite": draft.suite or suites.usual(signer.public_key),
            "verificationMethod": str(place),
            "proofPurpose": "assertionMethod",
        }
        proof = suites.sign(document, options, signer, mandatory_of(draft, document), entropy)
        return json.write({**document, "proof": proof})

    def read(self, raw: bytes) -> Credential:
        """An issued credential: a JSON object with its proofs inside.

        Raises:
            Malformed: `json.*`, `vcdm.*`, `context.*`, `jsonld.*`, `di.*`, `did.*`, `time.*`.
        """
        return _credential(json.read_object(raw), raw, None, any_context=self.any_context, held=True)

    def check_issued(self, credential: Credential, keys: Keys, at: datetime) -> Iterable[Check]:
        """ISSUER_SIGNATURE, of all proofs, as a wallet checks it that can hide from now on."""
        problem = _signatures(credential, keys, at, suites.check_issued)
        return _SIGNED if problem is None else (failed(Step.ISSUER_SIGNATURE, problem),)

    def present(
        self, credential: Credential, disclose: Collection[Path], challenge: Challenge | Unbound, holder: Signer | None,
        *, at: datetime, entropy: Callable[[int], bytes],
    ) -> bytes:  # fmt: skip
        """A presentation of what `disclose` and the claims that cannot be hidden say, signed by the holder; the
        credential by itself where no binding is asked for. What is proved afresh for each question is signed
        around by a key that is made for it and forgotten.

        Raises:
            Misuse: `binding.no_signer`, `binding.wrong_signer`, `ldp.no_such_claim`.
            Refused: `binding.no_key`, `binding.transaction_data_format`.
            Unavailable: `keys.unavailable`, `keys.entropy`, `install.extra`.
        """
        read = _parts(credential)
        header = presentations.header_of(challenge)
        document = suites.shown(read.document, read.secured, credential.hidden, disclose, header, entropy)
        if isinstance(challenge, Unbound):
            return json.write(document)
        if credential.proves:
            return presentations.sign(document, challenge, once.Signer(entropy), at)
        signer = _w3c.signer_for(holder, credential.holder)
        return presentations.sign(document, challenge, signer, at)

    def read_presentation(self, raw: bytes) -> tuple[Presentation, ...]:
        """A verifiable presentation, or a credential by itself.

        Raises:
            Malformed: as `read`; `vcdm.*`, `ldp.*`.
        """
        document = json.read_object(raw)
        if not _is_presentation(document):
            alone = _credential(document, raw, None, any_context=self.any_context)
            return (Presentation(alone, (), raw),)
        contexts.check(document.get("@context"))
        _vcdm.read_presentation(document)
        shown = presentations.Shown(document)
        inside = document.get("verifiableCredential", [])  # VCDM 2.0 §4.13 lets a presentation have none
        found = []
        for index, one in enumerate(inside if type(inside) is list else [inside]):
            where = f"$.verifiableCredential[{index}]"
            if type(one) is not dict or "proof" not in one:
                raise Malformed("ldp.not_embedded", where=where, spec="OpenID4VP B.1.3.2")
            credential = _credential(one, json.write(one), shown, any_context=self.any_context)
            found.append(Presentation(credential, shown.signed_by, raw))
        if not found:
            raise Malformed("ldp.empty", where="$.verifiableCredential", spec="OpenID4VP B.1.3.2")
        return tuple(found)

    def check(
        self, presentation: Presentation, keys: Keys, challenge: Challenge | Unbound, at: datetime
    ) -> Iterable[Check]:
        """ISSUER_SIGNATURE of all proofs, as they are shown, then HOLDER_BINDING (`binding.*`).

        Raises:
            Misuse: `keys.not_given`.
        """
        credential = presentation.credential
        problem = _signatures(credential, keys, at, suites.check_shown)
        if problem is not None:
            return (failed(Step.ISSUER_SIGNATURE, problem),)
        key = keys.get(presentation.shown_by[0]) if presentation.shown_by else None
        read = _parts(credential)
        header = suites.header_of(read.secured) if credential.proves else None
        return presentations.check(read.shown, credential.holder, key, challenge, at, header)

    def answers(self, credential: Credential, meta: Mapping[str, Any]) -> bool:
        """DCQL `type_values` (OpenID4VP B.1.1): the credential has all types of one of them."""
        wanted = meta.get("type_values")
        return wanted is None or any(set(names).issubset(credential.types) for names in wanted)

    def describe(self, type: CredentialType) -> Mapping[str, Any]:
        """The names by which metadata speaks of this type (OpenID4VCI A.1.2, OpenID4VP B.1.3.2)."""
        return MappingProxyType(
            {
                "credential_definition": {"@context": contexts_for(type), "type": list(type.names[NAME]["type"])},
                "proof_type_values": ["DataIntegrityProof"],
                "cryptosuite_values": list(suites.NAMES),
            }
        )


LDP_VC: Final[_LdpVc] = _LdpVc()
LDP_VC_ANY_CONTEXT: Final = _LdpVc(any_context=True)
"""For the conformance server, where its configuration says so, and for nothing else."""


# -- issuing --


def contexts_for(type: CredentialType) -> list[Any]:
    """What a credential of this type has as its `@context`."""
    return _contexts.of_type(type, NAME)


def document_of(draft: Draft) -> dict[str, Any]:
    """The credential that a draft is, without its proof."""
    subject = dict(draft.claims)
    if draft.holder is not None:
        subject = {"id": presentations.did_of(draft.holder), **subject}
    document: dict[str, Any] = {
        "@context": contexts_for(draft.type),
        "type": list(draft.type.names[NAME]["type"]),
        "issuer": draft.issuer,
    }
    for name, moment in (("validFrom", draft.window.start), ("validUntil", draft.window.end)):
        if moment is not None:
            document[name] = times.stamp(moment)
    if draft.status:
        document["credentialStatus"] = _w3c.entries_of(draft.status)
    return {**document, "credentialSubject": subject}


def mandatory_of(draft: Draft, document: Mapping[str, Any]) -> tuple[Path, ...]:
    """What no holder can hide: the credential's own members, whose it is, and what its type always shows."""
    own = tuple((name,) for name in document if name not in ("@context", "type", "credentialSubject"))
    bound = (("credentialSubject", "id"),) if draft.holder is not None else ()
    always = [("credentialSubject", *path) for path, rule in draft.type.claims.items() if not rule.hideable]
    return (*own, *bound, *(path for path in always if suites.is_leaf(document, path)))


# -- reading --


def _is_presentation(document: Mapping[str, Any]) -> bool:
    names = document.get("type")
    return _w3c.PRESENTATION in names if type(names) is list else names == _w3c.PRESENTATION


def _credential(
    document: Mapping[str, Any],
    raw: bytes,
    shown: presentations.Shown | None,
    *,
    any_context: bool,
    held: bool = False,
) -> Credential:
    """The credential in `document`. Only who holds it could hide something."""
    claims = {name: value for name, value in document.items() if name != "proof"}
    if not any_context:
        contexts.check(document.get("@context"))
        contexts.check_nested(claims)
    facts = _vcdm.read_credential(document)
    types = _vcdm.types_of(document, contexts.load)
    secured = sets.split(document)
    subject = claims["credentialSubject"]
    holder = _w3c.key_of(subject.get("id")) if type(subject) is dict else None
    return Credential(
        NAME,
        facts.issuer,
        types,
        claims,
        suites.hidden(claims, secured) if held else frozenset(),
        holder,
        Window(facts.valid_from, facts.valid_until),
        _w3c.statuses_of(claims, {}),
        tuple(presentations.method_of(each.members) for each in secured),
        raw,
        state=_Read(document, secured, shown),
        proves=holder is None and suites.proves(secured),
    )


def _parts(credential: Credential) -> _Read:
    """The parsed form, read again where only the bytes were kept."""
    state = credential.state
    if type(state) is _Read:
        return state
    document = json.read_object(credential.raw)
    return _Read(document, sets.split(document))


# -- judging --


def _signatures(
    credential: Credential, keys: Keys, at: datetime, check: Callable[[Secured, Any], None]
) -> Problem | None:
    """The first proof that does not hold; None where all do."""
    for each, ref in zip(_parts(credential).secured, credential.signed_by, strict=True):
        key = keys.get(ref)
        if key is None:
            raise Misuse("keys.not_given", key=str(ref.at))
        try:
            each.members.check_time(at)
            check(each, key)
        except (Refused, Malformed) as error:
            return error.problem
    return None
