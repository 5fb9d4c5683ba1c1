"""W3C credentials secured with JOSE and COSE: the formats `vc+jwt`, `vc+sd-jwt` and `vc+cose`.

A card of ours says its claims in `credentialSubject` and its holder's key in `cnf`. The first and the last are shown
whole, inside a presentation that the holder signs for one asker and one question; of the second the holder shows what
was chosen, with key binding (RFC 9901 §4.3). The mechanism is `secured`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, cast

from cityid import limits
from cityid.checks import Check, Step, failed
from cityid.credential import (
    Challenge,
    Credential,
    CredentialType,
    Draft,
    Keys,
    Path,
    Presentation,
    Unbound,
)  # fmt: skip
from cityid.errors import Malformed, Misuse, Problem, Refused
from cityid.formats import _contexts, _w3c
from cityid.formats._vcdm import Facts
from cityid.formats.vc_jose import documents, secured
from cityid.formats.vc_jose.secured import Secured
from cityid.jose import key_binding, sd_jwt, sd_jwt_issue
from cityid.jose.sd_jwt import SdJwt
from cityid.jose.sd_jwt_issue import Frame
from cityid.keys import PublicKey, Signer, jwk

__all__ = ["VC_COSE", "VC_JWT", "VC_SD_JWT", "in_any_context"]

_SUBJECT: Final = "credentialSubject"
_MEMO: Final = 64


class _VcJose:
    """What the three formats have in common: those that are shown whole need nothing else."""

    media: str = ""
    presented: str = ""
    any_context: bool = False

    @property
    def NAME(self) -> str:  # noqa: N802  # the protocol's constant
        return self.media

    def issue(self, draft: Draft, signer: Signer, *, at: datetime, entropy: Callable[[int], bytes]) -> Credential:
        """Sign `draft`.

        Raises:
            Misuse: `w3c.suite`, `w3c.wrong_issuer`, `w3c.wrong_certificate`, `sd_jwt.unhideable`.
            Malformed: `json.*`, `sd_jwt.*`: claims that cannot be issued.
            Unavailable: `keys.unavailable`.
        """
        return self.read(self._sign(draft, signer, entropy))

    def issue_many(
        self, drafts: Iterable[Draft], signer: Signer, *, at: datetime, entropy: Callable[[int], bytes]
    ) -> list[bytes]:  # fmt: skip
        """The raw form of what `issue` makes of each draft, in their order. Raises as it."""
        return [self._sign(draft, signer, entropy) for draft in drafts]

    def _sign(self, draft: Draft, signer: Signer, entropy: Callable[[int], bytes]) -> bytes:
        key = signer.public_key
        if draft.suite and draft.suite != jwk.name(key):
            raise Misuse("w3c.suite", suite=draft.suite, algorithm=jwk.name(key))
        kid, chain = _w3c.named(draft.signed_by.at, draft.issuer, key)
        # A key that is named by more than the issuer's own name says whose it is; any other needs `iss` for that.
        claims: dict[str, Any] = {} if kid.startswith("did:") else {"iss": draft.issuer}
        if draft.holder is not None:
            claims["cnf"] = self._confirmation(draft.holder)
        return self._secure(draft, claims, kid, chain, signer, entropy)

    def _confirmation(self, holder: PublicKey) -> Any:
        return {"jwk": jwk.write(holder)}

    def _secure(
        self, draft: Draft, claims: dict[str, Any], kid: str, chain: tuple[bytes, ...], signer: Signer,
        entropy: Callable[[int], bytes],
    ) -> bytes:  # fmt: skip
        document = _w3c.document_of(draft, self.media)
        return secured.sign(document, self.media, signer, kid=kid, chain=chain, claims=claims)

    def read(self, raw: bytes, *, limit: int = limits.DOCUMENT) -> Credential:
        """A credential as an issuer hands it out; `limit` is in bytes.

        Raises:
            Malformed: `vcdm.*`, `vc_jose.*`, `w3c.*`, `jws.*`, `sd_jwt.*`, `cose.*`, `json.*`, `cbor.*`, `key.*`,
                `time.*`, `did.*`, and more of the kind.
        """
        return self._credential(secured.read(raw, self.media, limit=limit), raw)

    def _credential(self, found: Secured, raw: bytes) -> Credential:
        document, claims = found.document, found.claims
        if type(found.signed) is SdJwt:
            facts = cast("Facts", documents.facts_of(found, any_context=self.any_context))
            meaning = _w3c.meaning_of(document, any_context=self.any_context)
        else:
            facts, meaning = documents.meant(document, found.head, any_context=self.any_context)
        shown = {**document, "aud": claims["aud"]} if "aud" in claims else document
        token = found.signed if isinstance(found.signed, SdJwt) else None
        return Credential(
            self.media,
            facts.issuer,
            meaning.types,
            shown,
            frozenset() if token is None else frozenset(token.processed.hidden),
            _w3c.holder_of(claims, document.get(_SUBJECT)),
            _w3c.window_of(facts, claims),
            _w3c.statuses_of(document, claims),
            (_w3c.reference(facts.issuer, found.kid, found.chain),),
            raw,
            _w3c.NO_POSITIONS if token is None else token.processed.positions,  # type: ignore[arg-type]  # a key of `positions` holds no None
            found,
        )

    def check_issued(self, credential: Credential, keys: Keys, at: datetime) -> Iterable[Check]:
        """ISSUER_SIGNATURE: `jws.alg`, `cose.alg`, `signature.invalid`."""
        problem = self._signature(credential, keys)
        return _w3c.SIGNED if problem is None else (failed(Step.ISSUER_SIGNATURE, problem),)

    def _signature(self, credential: Credential, keys: Keys) -> Problem | None:
        key = keys.get(credential.signed_by[0])
        if key is None:
            raise Misuse("keys.not_given", key=str(credential.signed_by[0].at))
        try:
            self._secured(credential).check(key)
        except Refused as error:
            return error.problem
        return None

    def _secured(self, credential: Credential) -> Secured:
        """The parsed form, read again where only the bytes were kept."""
        state = credential.state
        return state if type(state) is Secured else secured.read(credential.raw, self.media)

    def present(
        self, credential: Credential, disclose: Collection[Path], challenge: Challenge | Unbound, holder: Signer | None,
        *, at: datetime, entropy: Callable[[int], bytes],
    ) -> bytes:  # fmt: skip
        """The credential, whole, in a presentation that its holder signs; unasked, the credential alone.

        Raises:
            Misuse: `binding.no_signer`, `binding.wrong_signer`.
            Refused: `binding.no_key`: the credential is bound to nobody; `binding.transaction_data_format`.
            Unavailable: `keys.unavailable`.
        """
        if isinstance(challenge, Unbound):
            return credential.raw
        signer = _w3c.signer_for(holder, credential.holder)
        key = signer.public_key
        document = {
            "@context": [_w3c.V2],
            "type": [_w3c.PRESENTATION],
            "holder": _w3c.did_of(key),
            "verifiableCredential": [secured.envelope(credential.raw, self.media)],
        }
        claims = _w3c.shown_claims(challenge, at)
        return secured.sign(document, self.presented, signer, kid=_w3c.method_of(key), claims=claims)

    def read_presentation(self, raw: bytes) -> tuple[Presentation, ...]:
        """A presentation with one credential of this format in it, or the credential alone; `typ` says which.

        Raises:
            Malformed: as `read`; `vc_jose.other_format`, `presentation.nothing`.
        """
        found = secured.read(raw, self.media, self.presented)
        if found.media == self.media:
            return (Presentation(self._credential(found, raw), (), raw),)
        document = found.document
        shown = []
        for index, one in enumerate(documents.presentation(document).credentials):
            media, data = secured.opened(one, f"$.verifiableCredential[{index}]")
            if media != self.media:
                raise Malformed("vc_jose.other_format", where=f"$.verifiableCredential[{index}]", found=media)
            shown.append(Presentation(self.read(data), (), raw, found))
        return tuple(shown)

    def check(
        self, presentation: Presentation, keys: Keys, challenge: Challenge | Unbound, at: datetime
    ) -> Iterable[Check]:
        """ISSUER_SIGNATURE (`jws.alg`, `cose.alg`, `signature.invalid`), then HOLDER_BINDING (`binding.*`, `jws.alg`,
        `cose.alg`).

        Raises:
            Misuse: `keys.not_given`.
        """
        credential = presentation.credential
        problem = self._signature(credential, keys)
        if problem is not None:
            return (failed(Step.ISSUER_SIGNATURE, problem),)
        try:
            return self._bound(presentation, challenge, at)
        except Refused as error:
            return _w3c.judged(error)

    def _bound(self, presentation: Presentation, challenge: Challenge | Unbound, at: datetime) -> tuple[Check, ...]:
        shown, holder = presentation.state, presentation.credential.holder
        asked = isinstance(challenge, Challenge)
        if shown is None:
            if asked:
                raise Refused("binding.missing", spec="VC-JOSE-COSE §3.1.2")
            return _w3c.UNBOUND
        if holder is None:
            raise Refused("binding.no_key", spec="VCDM 2.0 §4.13")
        if isinstance(challenge, Challenge):
            _w3c.check_shown(shown.claims, challenge, at)
        for name in (shown.document.get("holder"), shown.claims.get("iss")):
            _w3c.check_holder(name, holder, presentation.credential.claims.get(_SUBJECT))
        shown.check(holder)
        return _w3c.BOTH if asked else _w3c.UNASKED

    def answers(self, credential: Credential, meta: Mapping[str, Any]) -> bool:
        """DCQL `type_values` (OpenID4VP B.1.1): all types of one of them are the credential's, expanded."""
        return _w3c.answers(credential.types, meta)

    def describe(self, type: CredentialType) -> Mapping[str, Any]:
        """The names by which metadata speaks of this type, and the algorithms (OpenID4VCI A.1.1)."""
        return _w3c.described(type.names[self.media])


class _VcJwt(_VcJose):
    media = "vc+jwt"
    presented = "vp+jwt"

    def _secure(
        self, draft: Draft, claims: dict[str, Any], kid: str, chain: tuple[bytes, ...], signer: Signer,
        entropy: Callable[[int], bytes],
    ) -> bytes:  # fmt: skip
        document, contexts = _w3c.members_of(draft, self.media), _contexts.written(draft.type, self.media)
        return secured.sign(document, self.media, signer, kid=kid, chain=chain, claims=claims, contexts=contexts)


class _VcCose(_VcJose):
    """As bytes; the holder's key and what a presentation is for stand in the header, as claims of a CWT."""

    media = "vc+cose"
    presented = "vp+cose"

    def _confirmation(self, holder: PublicKey) -> Any:
        return holder


class _VcSdJwt(_VcJose):
    """Claims can be hidden each by itself; it is shown as SD-JWT with key binding, never inside a presentation."""

    media = "vc+sd-jwt"

    def __init__(self) -> None:
        self._frames: dict[int, tuple[CredentialType, Frame]] = {}

    def _secure(
        self, draft: Draft, claims: dict[str, Any], kid: str, chain: tuple[bytes, ...], signer: Signer,
        entropy: Callable[[int], bytes],
    ) -> bytes:  # fmt: skip
        document = _w3c.document_of(draft, self.media)
        subject = {_SUBJECT: document.pop(_SUBJECT)}
        header = secured.protected(self.media, kid, chain, signer.public_key)
        return sd_jwt_issue.issue(
            subject, self._frame(draft.type), signer, protected=header, registered={**document, **claims},
            entropy=entropy,
        ).text  # fmt: skip

    def _frame(self, type: CredentialType) -> Frame:
        """What all credentials of a type hide, compiled once. A type never changes, and while it is in the memo its id
        is its own."""
        found = self._frames.get(id(type))
        if found is None:
            hideable = ((_SUBJECT, *path) for path, rule in type.claims.items() if rule.hideable)
            found = type, sd_jwt_issue.frame(hideable, decoys=type.decoys, padded=True)
            if len(self._frames) >= _MEMO:
                self._frames.clear()
            self._frames[id(type)] = found
        return found[1]

    def read(self, raw: bytes, *, limit: int = limits.DOCUMENT) -> Credential:
        """As the others; without key binding: that would be somebody's presentation (RFC 9901 §7.2)."""
        found = secured.read(raw, self.media, limit=limit)
        if _token(found).binding is not None:
            raise Malformed("sd_jwt.bound_by_issuer", where="vc", spec="RFC 9901 §7.2")
        return self._credential(found, raw)

    def present(
        self, credential: Credential, disclose: Collection[Path], challenge: Challenge | Unbound, holder: Signer | None,
        *, at: datetime, entropy: Callable[[int], bytes],
    ) -> bytes:  # fmt: skip
        """What `disclose` names (paths as issued, None for every element of an array) and the claims around it, bound
        to the question.

        Raises:
            Misuse: `sd_jwt.no_such_claim`, `binding.no_signer`, `binding.wrong_signer`.
            Refused: `binding.no_key`, `binding.transaction_data_format`. Unavailable: `keys.unavailable`.
        """
        token = _token(self._secured(credential))
        prefix = sd_jwt.select(token, disclose)
        if isinstance(challenge, Unbound):
            return prefix
        signer = _w3c.signer_for(holder, credential.holder)
        shown = _w3c.shown_claims(challenge, at)
        return prefix + key_binding.bind(
            prefix, signer, hash=token.processed.hash, audience=shown["aud"], nonce=shown["nonce"], at=at
        )

    def read_presentation(self, raw: bytes) -> tuple[Presentation, ...]:
        """One credential, with or without key binding. Raises Malformed as `read`."""
        return (Presentation(self._credential(secured.read(raw, self.media), raw), (), raw),)

    def _bound(self, presentation: Presentation, challenge: Challenge | Unbound, at: datetime) -> tuple[Check, ...]:
        credential = presentation.credential
        token = _token(self._secured(credential))
        if isinstance(challenge, Challenge):
            if challenge.transaction_data:
                raise Refused("binding.transaction_data_format", spec="OpenID4VP B.1")
            key_binding.check(
                token.binding, token.prefix, credential.holder, hash=token.processed.hash,
                audience=challenge.audience, nonce=challenge.nonce, at=at, max_age=challenge.max_age,
            )  # fmt: skip
            return _w3c.BOTH
        if token.binding is None:
            return _w3c.UNBOUND
        key_binding.check_unasked(token.binding, token.prefix, credential.holder, hash=token.processed.hash)
        return _w3c.UNASKED


def _token(found: Secured) -> SdJwt:
    return cast("SdJwt", found.signed)


VC_JWT: Final[_VcJwt] = _VcJwt()
VC_SD_JWT: Final[_VcSdJwt] = _VcSdJwt()
VC_COSE: Final[_VcCose] = _VcCose()


def in_any_context(media: str) -> _VcJose:
    """The format `media` for documents with contexts inside of themselves: for the conformance server, where its
    configuration says so, and for nothing else."""
    found = {"vc+jwt": _VcJwt, "vc+sd-jwt": _VcSdJwt, "vc+cose": _VcCose}[media]()
    found.any_context = True
    return found
