"""SD-JWT VC: the credential format `dc+sd-jwt` (draft-ietf-oauth-sd-jwt-vc on RFC 9901).

The mechanism is `cityid.jose.sd_jwt`. Here is what the draft adds: names and types of the registered claims, which of
them may never be hidden, and where the issuer's key is said to be. Reading believes nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from cityid.checks import PASSED, Check, Step, failed, passed
from cityid.credential import (
    CertificateChain,
    Challenge,
    Credential,
    CredentialType,
    DidUrl,
    Draft,
    KeyPlace,
    KeyRef,
    Keys,
    Path,
    Presentation,
    Unbound,
    WebIssuer,
    Window,
)  # fmt: skip
from cityid.encoding import json, times
from cityid.errors import Malformed, Misuse, Problem, Refused
from cityid.formats._sd_jwt_vc_payload import check_unregistered, issuer_of, statuses_of, types_of, window_of
from cityid.jose import jws, key_binding, sd_jwt, sd_jwt_issue, sd_jwt_many, transaction_data
from cityid.jose.sd_jwt import SdJwt
from cityid.jose.sd_jwt_issue import Frame
from cityid.keys import PublicKey, Signer, jwk, x509

REVISION: Final = "draft-ietf-oauth-sd-jwt-vc-19"
"""The draft moves; every rule of it that this house keeps is in this file and in `type_metadata`."""

TYP: Final = "dc+sd-jwt"
NEVER_HIDDEN: Final = frozenset({"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"})
"""Neither these nor anything inside them may come out of a disclosure (§2.2.2.3)."""

_TOPS: Final = frozenset((name,) for name in NEVER_HIDDEN)
_OURS: Final = frozenset({*NEVER_HIDDEN, "iat"})
_NOT_OURS: Final = frozenset({"binding.cnf_method", "key.unsupported"})
_TYPE_NAMES: Final = ("vct", "vct#integrity", "aka_vcts")
_MEMO: Final = 64
_ALGORITHMS: Final = ("ES256", "ES384", "ES512", "EdDSA", "ES256K", "ML-DSA-44", "ML-DSA-65")
_SIGNED: Final = (PASSED[Step.ISSUER_SIGNATURE],)
_BOTH: Final = (PASSED[Step.ISSUER_SIGNATURE], PASSED[Step.HOLDER_BINDING])
_UNBOUND: Final = (PASSED[Step.ISSUER_SIGNATURE], passed(Step.HOLDER_BINDING, key_binding="absent"))
_UNASKED: Final = (PASSED[Step.ISSUER_SIGNATURE], passed(Step.HOLDER_BINDING, key_binding="valid, not asked for"))
_Prepared: TypeAlias = tuple[sd_jwt_issue.Unsigned, Mapping[str, Any], tuple[Any, ...]]
_Form: TypeAlias = tuple[Frame, tuple[str, ...], Mapping[str, Any]]
"""Of a credential type: its frame, its names, and the members that tell them."""


@dataclass(frozen=True, slots=True)
class _SdJwtVc:
    """The format object; it has no state but a memo of compiled frames."""

    _frames: dict[int, tuple[CredentialType, _Form]]

    @property
    def NAME(self) -> str:  # noqa: N802  # the protocol's constant
        return TYP

    def issue(self, draft: Draft, signer: Signer, *, at: datetime, entropy: Callable[[int], bytes]) -> Credential:
        """Sign `draft` with all its disclosures.

        Raises:
            Misuse: `sd_jwt_vc.suite`, `sd_jwt_vc.wrong_issuer`, `sd_jwt_vc.wrong_certificate`,
                `sd_jwt_vc.reserved_claim`, `sd_jwt_vc.two_statuses`, `sd_jwt.unhideable`.
            Malformed: `sd_jwt.claim_name`, `sd_jwt.frame_mismatch`, `json.*`: claims that cannot be issued.
            Unavailable: `keys.unavailable`.
        """
        made, claims, (issuer, types, shown, window, signed_by) = self._prepare(draft, signer.public_key, entropy)
        status = statuses_of(claims["status"]) if draft.status else ()
        raw = made.signed(signer.sign(made.input)).text
        return Credential(TYP, issuer, types, shown, made.hidden, draft.holder, window, status, signed_by, raw)

    def issue_many(
        self, drafts: Iterable[Draft], signer: Signer, *, at: datetime, entropy: Callable[[int], bytes]
    ) -> list[bytes]:  # fmt: skip
        """What `issue` makes of each draft, in their order. Raises as it."""
        given, key = list(drafts), signer.public_key
        made = self._prepare_many(given, key, entropy)
        signatures = [signer.sign(one.input) for one in made]
        return [one.signed(signature).text for one, signature in zip(made, signatures, strict=True)]

    def _prepare_many(
        self, drafts: list[Draft], key: PublicKey, entropy: Callable[[int], bytes]
    ) -> list[sd_jwt_issue.Unsigned]:
        """`_prepare` for each: together where they are of one type and issuer."""
        first = drafts[0] if drafts else None
        if first is None or not all(
            one.type is first.type and one.issuer == first.issuer and one.signed_by is first.signed_by
            and not one.suite and _OURS.isdisjoint(one.claims) for one in drafts
        ):  # fmt: skip
            return [self._prepare(one, key, entropy)[0] for one in drafts]
        header, named, _, _ = _letterhead(first.signed_by.at, first.issuer, key)
        frame, _, names = self._frame(first.type)
        heads: dict[Window, bytes] = {}
        cards = []
        for one in drafts:
            head = heads.get(one.window)
            if head is None:
                head = heads[one.window] = json.write({**named, **names, **_times(one.window)[0]})[1:-1]
            if one.holder is not None:
                head = b'%b,"cnf":{"jwk":%b}' % (head, json.write(jwk.write(one.holder)))
            check_unregistered(one.claims)
            cards.append(({**one.claims, "status": _status(one)} if one.status else one.claims, head))
        made = sd_jwt_many.prepare_many(cards, frame, protected=header, entropy=entropy)
        return [
            sd_jwt_issue.Unsigned(*found, frozenset()) if found else self._prepare(one, key, entropy)[0]
            for one, found in zip(drafts, made, strict=True)
        ]

    def _prepare(self, draft: Draft, key: PublicKey, entropy: Callable[[int], bytes]) -> _Prepared:
        claims = draft.claims
        if draft.suite and draft.suite != jwk.name(key):
            raise Misuse("sd_jwt_vc.suite", suite=draft.suite, algorithm=jwk.name(key))
        header, named, issuer, signed_by = _letterhead(draft.signed_by.at, draft.issuer, key)
        for name in _OURS.intersection(claims):
            raise Misuse("sd_jwt_vc.reserved_claim", spec="SD-JWT VC §2.2.2", name=name)
        frame, types, names = self._frame(draft.type)
        times_, window = _times(draft.window)
        registered = {**named, **names, **times_}
        known = issuer, types, {**registered, **claims}, window, signed_by
        check_unregistered(claims)
        if draft.holder is not None:
            registered["cnf"] = {"jwk": jwk.write(draft.holder)}
        if draft.status:
            claims = {**claims, "status": _status(draft)}
        made = sd_jwt_issue.prepare(claims, frame, protected=header, registered=registered, entropy=entropy)
        return made, claims, known

    def _frame(self, type: CredentialType) -> _Form:
        """What all credentials of a type share, made once. A type never changes, and while it is in the memo its id is
        its own."""
        found = self._frames.get(id(type))
        if found is None:
            hideable = (path for path, rule in type.claims.items() if rule.hideable)
            frame = sd_jwt_issue.frame(
                hideable, decoys=type.decoys, unhideable=sd_jwt_issue.UNHIDEABLE | NEVER_HIDDEN, padded=True
            )
            names = {name: value for name, value in type.names[TYP].items() if name in _TYPE_NAMES}
            found = type, (frame, types_of(names), names)
            if len(self._frames) >= _MEMO:
                self._frames.clear()
            self._frames[id(type)] = found
        return found[1]

    def read(self, raw: bytes) -> Credential:
        """A credential as an issuer hands it out, compact or in a JSON serialisation. Without key binding: that would
        be somebody's presentation (RFC 9901 §7.2).

        Raises:
            Malformed: `sd_jwt_vc.*`, `sd_jwt.*`, `jws.*`, `binding.cnf*`, `key.*`, `time.*`, `json.*`, `base64url.*`,
                `base64.*`, `x509.*`, `did.*`.
        """
        token = _parse(raw)
        if token.binding is not None:
            raise Malformed("sd_jwt.bound_by_issuer", where="sd_jwt", spec="RFC 9901 §7.2")
        return _credential(token, raw)

    def check_issued(self, credential: Credential, keys: Keys, at: datetime) -> Iterable[Check]:
        """ISSUER_SIGNATURE: `jws.alg`, `signature.invalid`."""
        problem = _signature(credential, keys)
        return _SIGNED if problem is None else (failed(Step.ISSUER_SIGNATURE, problem),)

    def present(
        self, credential: Credential, disclose: Collection[Path], challenge: Challenge | Unbound, holder: Signer | None,
        *, at: datetime, entropy: Callable[[int], bytes],
    ) -> bytes:  # fmt: skip
        """The compact presentation that shows `disclose` (paths as issued, None for every element of an array) and the
        claims around them.

        Raises:
            Misuse: `sd_jwt.no_such_claim`; `binding.no_signer`, `binding.wrong_signer`.
            Refused: `binding.no_key`: the credential is bound to nobody; `binding.transaction_data_alg`.
            Malformed: transaction data that cannot be read. Unavailable: `keys.unavailable`.
        """
        token = _token(credential)
        prefix = sd_jwt.select(token, disclose)
        if isinstance(challenge, Unbound):
            return prefix
        if credential.holder is None:
            raise Refused("binding.no_key", spec="RFC 9901 §7.3")
        if holder is None:
            raise Misuse("binding.no_signer")
        if holder.public_key != credential.holder:
            raise Misuse(
                "binding.wrong_signer", expected=credential.holder.thumbprint, found=holder.public_key.thumbprint
            )
        extra = transaction_data.digests_of(challenge.transaction_data) if challenge.transaction_data else None
        return prefix + key_binding.bind(
            prefix,
            holder,
            hash=token.processed.hash,
            audience=challenge.audience,
            nonce=challenge.nonce,
            at=at,
            extra=extra,
        )

    def read_presentation(self, raw: bytes) -> tuple[Presentation, ...]:
        """One presentation, compact or in a JSON serialisation, with or without key binding.

        Raises:
            Malformed: as `read`.
        """
        token = _parse(raw)
        return (Presentation(_credential(token, raw), (), raw, token),)

    def check(
        self, presentation: Presentation, keys: Keys, challenge: Challenge | Unbound, at: datetime
    ) -> Iterable[Check]:
        """ISSUER_SIGNATURE (`jws.alg`, `signature.invalid`), then HOLDER_BINDING (`binding.*`, `jws.alg`).

        Whether binding is asked for is the caller's word alone. Binding that nobody asked for is checked as far as it
        can be: its form, what it covers, and its signature.

        Raises:
            Misuse: `keys.not_given`, `binding.no_audience`, `binding.no_nonce`.
        """
        credential = presentation.credential
        problem = _signature(credential, keys)
        if problem is not None:
            return (failed(Step.ISSUER_SIGNATURE, problem),)
        token = _token(credential)
        try:
            holder = _holder(credential, token)
            if isinstance(challenge, Challenge):
                key_binding.check(
                    token.binding, token.prefix, holder, hash=token.processed.hash,
                    audience=challenge.audience, nonce=challenge.nonce, at=at, max_age=challenge.max_age,
                )  # fmt: skip
                if challenge.transaction_data and token.binding is not None:
                    transaction_data.check(token.binding.claims, challenge.transaction_data)
                return _BOTH
            if token.binding is None:
                return _UNBOUND
            key_binding.check_unasked(token.binding, token.prefix, holder, hash=token.processed.hash)
        except Refused as error:
            found = error.problem
            if found.code == "signature.invalid":
                found = Problem("binding.signature", spec="RFC 9901 §7.3")
            return (PASSED[Step.ISSUER_SIGNATURE], failed(Step.HOLDER_BINDING, found))
        return _UNASKED

    def answers(self, credential: Credential, meta: Mapping[str, Any]) -> bool:
        """DCQL `vct_values` (OpenID4VP B.3.5): one of them is the credential's `vct` or among its `aka_vcts`, character
        by character."""
        wanted = meta.get("vct_values")
        return wanted is None or credential.types[0] in wanted or not set(credential.types).isdisjoint(wanted)

    def describe(self, type: CredentialType) -> Mapping[str, Any]:
        """The names by which metadata speaks of this type, and the algorithms (OpenID4VP B.3.4, OpenID4VCI A.3)."""
        return MappingProxyType(
            {
                "vct": type.names[TYP]["vct"],
                "sd-jwt_alg_values": list(_ALGORITHMS),
                "kb-jwt_alg_values": list(_ALGORITHMS),
            }
        )


SD_JWT_VC: Final[_SdJwtVc] = _SdJwtVc({})


# -- reading --


def _credential(token: SdJwt, raw: bytes, holder: PublicKey | None = None) -> Credential:
    """The credential in `token`; `holder` is its key where it is known already."""
    processed = token.processed
    payload = processed.payload
    hidden = frozenset(processed.hidden)
    # Whatever comes out of a disclosure further inside has a carrier around it.
    if not hidden.isdisjoint(_TOPS):
        raise _hidden(next(iter(hidden & _TOPS)))
    for path in processed.carriers:
        if path and path[0] in NEVER_HIDDEN:
            raise _hidden(path)
    types = types_of(payload)
    issuer, place = issuer_of(token.jws.header, payload)
    claims = payload.copy()
    claims.pop("cnf", None)
    status = claims.pop("status", None)
    check_unregistered(payload)
    return Credential(
        TYP,
        issuer,
        types,
        claims,
        hidden,
        _bound_to(payload) if holder is None else holder,
        window_of(payload),
        () if status is None else statuses_of(status),
        (KeyRef(place),),
        raw,
        processed.positions,  # type: ignore[arg-type]  # a key of `positions` holds no None
        token,
    )


def _hidden(path: Path) -> Malformed:
    return Malformed("sd_jwt_vc.hidden_claim", where="$", spec="SD-JWT VC §2.2.2.3", name=str(path[0]))


def _bound_to(payload: Mapping[str, Any]) -> PublicKey | None:
    """The holder's key. A method or a kind of key that is not ours is none: it matters only to who asks for binding,
    and `check` says so then."""
    try:
        return sd_jwt.holder_key(payload, "$.cnf")
    except Malformed as error:
        if error.code not in _NOT_OURS:
            raise
        return None


def _token(credential: Credential) -> SdJwt:
    """The parsed form, read again where only the bytes were kept."""
    state = credential.state
    if type(state) is SdJwt:
        return state
    return _parse(credential.raw)


def _parse(raw: bytes) -> SdJwt:
    # White space may stand before a JSON text (RFC 8259 §2), never in the compact form.
    return sd_jwt.read_json(raw, typ=TYP) if raw.lstrip(b" \t\r\n")[:1] == b"{" else sd_jwt.read(raw, typ=TYP)


# -- judging --


def _signature(credential: Credential, keys: Keys) -> Problem | None:
    key = keys.get(credential.signed_by[0])
    if key is None:
        raise Misuse("keys.not_given", key=str(credential.signed_by[0].at))
    try:
        jws.check(_token(credential).jws, key)
    except Refused as error:
        return error.problem
    return None


def _holder(credential: Credential, token: SdJwt) -> PublicKey | None:
    """The key that must have signed the binding.

    Raises:
        Refused: `binding.cnf_method`, `key.unsupported`.
    """
    if credential.holder is not None or token.binding is None:
        return credential.holder
    try:
        return sd_jwt.holder_key(token.payload, "$.cnf")
    except Malformed as error:
        raise Refused(error.problem) from None


# -- issuing --


_Letterhead: TypeAlias = tuple[bytes, Mapping[str, Any], str, tuple[KeyRef, ...]]
"""The protected header, the members that name the issuer, the issuer's name and its key as a reader finds them."""


@lru_cache(_MEMO)
def _letterhead(place: KeyPlace, issuer: str, key: PublicKey) -> _Letterhead:
    """What all credentials of one issuer's key share."""
    header: dict[str, Any] = {"typ": TYP}
    named = {"iss": issuer}
    if isinstance(place, CertificateChain):
        if not place.certificates or x509.public_key(place.certificates[0]) != key:
            raise Misuse("sd_jwt_vc.wrong_certificate", thumbprint=key.thumbprint)
        header["x5c"] = [base64.b64encode(der).decode("ascii") for der in place.certificates]
        # An issuer that is the leaf's subject is named by the certificate alone (§2.5).
        if x509.read(place.certificates[0]).name == issuer:
            named = {}
    else:
        owner = place.did if isinstance(place, DidUrl) else place.issuer
        if owner != issuer:
            raise Misuse("sd_jwt_vc.wrong_issuer", issuer=issuer, owner=owner)
        kid = place.kid if isinstance(place, WebIssuer) else str(place) if place.fragment else ""
        if kid:
            header["kid"] = kid
    found, where = issuer_of(header, named)
    return jws.protected(header, key), named, found, (KeyRef(where),)


@lru_cache(_MEMO)
def _times(window: Window) -> tuple[Mapping[str, int], Window]:
    """The window's own times, which a batch shares, and the window as a reader finds it: in whole seconds."""
    written: dict[str, int] = {}
    if window.start is not None:
        written["iat"] = written["nbf"] = times.numeric(window.start)
    if window.end is not None:
        written["exp"] = times.numeric(window.end)
    return written, window_of(written)


def _status(draft: Draft) -> dict[str, Any]:
    status: dict[str, Any] = {}
    for ref in draft.status:
        if ref.kind in status:
            raise Misuse("sd_jwt_vc.two_statuses", kind=ref.kind)
        status[ref.kind] = {**ref.facts, "idx": ref.index, "uri": ref.uri}
    return status
