"""The JWT encoding of VCDM 1.1 (W3C Recommendation, 3 March 2022) §6.3.1, which OpenID4VP 1.0 B.1.3.1 names
`jwt_vc_json`: the credential stands in the claim `vc`, a presentation in `vp`, and some of their properties are claims.

Strictly apart from `vc+jwt`: a payload is of one format or of the other, and neither is tried for the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from cityid import contexts
from cityid.checks import Check, Step, failed
from cityid.credential import (
    Challenge,
    Credential,
    CredentialType,
    Draft,
    KeyRef,
    Keys,
    Path,
    Presentation,
    Unbound,
)  # fmt: skip
from cityid.encoding import json, times
from cityid.errors import Malformed, Misuse, Problem, Refused
from cityid.formats import _vcdm, _w3c
from cityid.jose import jws
from cityid.jose.jws import Jws
from cityid.keys import PublicKey, Signer, jwk

__all__ = ["JWT_VC_JSON"]

NAME: Final = "jwt_vc_json"
TYP: Final = "JWT"
_SPEC: Final = "VCDM 1.1 §6.3.1"
_DATES: Final = (("nbf", "issuanceDate"), ("exp", "expirationDate"))
_V2: Final = frozenset({"relatedResource"})
_SUBJECT: Final = "credentialSubject"


class _Token(NamedTuple):
    """A JWT as read: `claims` are all of its payload, `document` what its `vc` or `vp` stands for, with the properties
    that were claims put back."""

    claims: Mapping[str, Any]
    document: dict[str, Any]
    signed: Jws

    def __repr__(self) -> str:
        return "Token(jwt_vc_json)"


class _JwtVcJson:
    """The format object; it has no state."""

    @property
    def NAME(self) -> str:  # noqa: N802  # the protocol's constant
        return NAME

    def issue(self, draft: Draft, signer: Signer, *, at: datetime, entropy: Callable[[int], bytes]) -> Credential:
        """Sign `draft`; the subject is named by its key.

        Raises:
            Misuse: `w3c.suite`, `w3c.wrong_issuer`, `w3c.wrong_certificate`.
            Malformed: `json.*`: claims that cannot be issued. Unavailable: `keys.unavailable`.
        """
        return self.read(self._sign(draft, signer))

    def issue_many(
        self, drafts: Iterable[Draft], signer: Signer, *, at: datetime, entropy: Callable[[int], bytes]
    ) -> list[bytes]:  # fmt: skip
        """The raw form of what `issue` makes of each draft, in their order. Raises as it."""
        return [self._sign(draft, signer) for draft in drafts]

    def _sign(self, draft: Draft, signer: Signer) -> bytes:
        key = signer.public_key
        if draft.suite and draft.suite != jwk.name(key):
            raise Misuse("w3c.suite", suite=draft.suite, algorithm=jwk.name(key))
        kid, chain = _w3c.named(draft.signed_by.at, draft.issuer, key)
        document = _w3c.document_of(draft, NAME, _w3c.V1)
        claims: dict[str, Any] = {"iss": document.pop("issuer")}
        if draft.holder is not None:
            claims["sub"] = _w3c.did_of(draft.holder)
        for name, member in _DATES:
            if member in document:
                claims[name] = times.numeric(times.read_stamp(document.pop(member)))
        payload = json.write({**claims, "vc": document})
        return jws.sign_segments(_protected(kid, chain, key), payload, signer)

    def read(self, raw: bytes) -> Credential:
        """A credential as an issuer hands it out.

        Raises:
            Malformed: `jwt_vc.*`, `vcdm.*`, `w3c.*`, `jws.*`, `json.*`, `key.*`, `time.*`, `did.*` and more.
        """
        token = _read(raw, "vc")
        document, header = token.document, token.signed.header
        facts = _vcdm.read_credential(document, "$.vc")
        if facts.version != 1 or not _V2.isdisjoint(document):
            raise Malformed("jwt_vc.version", where="$.vc", spec=_SPEC)
        contexts.check_nested(document, "$.vc")
        chain = _w3c.chain_of(header["x5c"]) if "x5c" in header else None
        return Credential(
            NAME,
            facts.issuer,
            _w3c.meaning_of(document).types,
            {**document, "aud": token.claims["aud"]} if "aud" in token.claims else document,
            frozenset(),
            _w3c.holder_of(token.claims, document.get(_SUBJECT)),
            _w3c.window_of(facts, {}),
            _w3c.statuses_of(document, token.claims),
            (KeyRef(_w3c.place_of(facts.issuer, header.get("kid", ""), chain)),),
            raw,
            _w3c.NO_POSITIONS,
            token,
        )

    def check_issued(self, credential: Credential, keys: Keys, at: datetime) -> Iterable[Check]:
        """ISSUER_SIGNATURE: `jws.alg`, `signature.invalid`."""
        problem = _signature(credential, keys)
        return _w3c.SIGNED if problem is None else (failed(Step.ISSUER_SIGNATURE, problem),)

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
        token = _token(credential)
        vp = {
            "@context": [_w3c.V1],
            "type": [_w3c.PRESENTATION],
            "verifiableCredential": [credential.raw.decode("ascii")],
        }
        subject = token.document.get(_SUBJECT)
        owner = subject.get("id") if type(subject) is dict else None
        named = {"iss": owner or _w3c.did_of(key), **_w3c.shown_claims(challenge, at), "vp": vp}
        return jws.sign_segments(_protected(_w3c.method_of(key), (), key), json.write(named), signer)

    def read_presentation(self, raw: bytes) -> tuple[Presentation, ...]:
        """A presentation with one credential in it, or the credential alone; the payload says which.

        Raises:
            Malformed: as `read`; `jwt_vc.credentials`.
        """
        token = _read(raw, "")
        if "vc" in token.claims:
            return (Presentation(self.read(raw), (), raw),)
        _vcdm.read_presentation(token.document, "$.vp")
        inside = token.document.get("verifiableCredential")
        if type(inside) is not list or not all(type(one) is str for one in inside):
            raise Malformed("jwt_vc.credentials", where="$.vp.verifiableCredential", spec="OpenID4VP B.1.3.1")
        return tuple(Presentation(self.read(one.encode("utf-8", "surrogatepass")), (), raw, token) for one in inside)

    def check(
        self, presentation: Presentation, keys: Keys, challenge: Challenge | Unbound, at: datetime
    ) -> Iterable[Check]:
        """ISSUER_SIGNATURE (`jws.alg`, `signature.invalid`), then HOLDER_BINDING (`binding.*`, `jws.alg`).

        Raises:
            Misuse: `keys.not_given`.
        """
        problem = _signature(presentation.credential, keys)
        if problem is not None:
            return (failed(Step.ISSUER_SIGNATURE, problem),)
        try:
            return _bound(presentation, challenge, at)
        except Refused as error:
            return _w3c.judged(error)

    def answers(self, credential: Credential, meta: Mapping[str, Any]) -> bool:
        """DCQL `type_values` (OpenID4VP B.1.1): all types of one of them are the credential's, expanded."""
        return _w3c.answers(credential.types, meta)

    def describe(self, type: CredentialType) -> Mapping[str, Any]:
        """The names by which metadata speaks of this type, and the algorithms (OpenID4VCI A.1.1)."""
        return _w3c.described(type.names[NAME])


JWT_VC_JSON: Final[_JwtVcJson] = _JwtVcJson()


@lru_cache(maxsize=64)
def _protected(kid: str, chain: tuple[bytes, ...], key: PublicKey) -> bytes:
    return _w3c.protected({"typ": TYP}, kid, chain, key)


# -- reading --


def _read(raw: bytes, wanted: str) -> _Token:
    """The token; `wanted` is the member that must be in it (`vc`), or "" where both will do."""
    signed = jws.read_compact(raw, typ=None, where="vc")
    typ = signed.header.get("typ", TYP)
    if typ != TYP:
        found = typ if type(typ) is str else json.kind(typ)
        raise Malformed("jwt_vc.typ", where="$.typ", spec=_SPEC, found=found)
    claims = json.read_object(signed.payload, where="$")
    present = [name for name in ("vc", "vp") if name in claims]
    if len(present) != 1 or wanted not in ("", present[0]):
        raise Malformed("jwt_vc.not_one", where="$", spec=_SPEC, found=", ".join(present) or "neither")
    name = present[0]
    document = dict(json.Fields(claims, "$").object(name))
    _put_back(document, claims, "issuer" if name == "vc" else "holder", "iss", f"$.{name}")
    _put_back(document, claims, "id", "jti", f"$.{name}")
    if name == "vc":
        if "sub" in claims:
            document[_SUBJECT] = _subject(document, claims)
        for claim, member in _DATES:
            _date(document, claims, claim, member)
    return _Token(claims, document, signed)


def _put_back(document: dict[str, Any], claims: Mapping[str, Any], member: str, claim: str, where: str) -> None:
    """The property `member`, which is the claim `claim`; an object keeps its other members."""
    if claim not in claims:
        return
    text = json.Fields(claims, "$").text(claim)
    value = document.get(member, text)
    if type(value) is dict:
        if value.get("id", text) != text:
            raise _differs(claim, member, where)
        document[member] = {**value, "id": text}
    elif value != text:
        raise _differs(claim, member, where)
    else:
        document[member] = text


def _subject(document: Mapping[str, Any], claims: Mapping[str, Any]) -> dict[str, Any]:
    subject = document.get(_SUBJECT)
    if type(subject) is list and len(subject) == 1:
        subject = subject[0]
    if type(subject) is not dict:
        raise Malformed("jwt_vc.one_subject", where=f"$.vc.{_SUBJECT}", spec=_SPEC)
    found = {_SUBJECT: subject}
    _put_back(found, claims, _SUBJECT, "sub", "$.vc")
    return found[_SUBJECT]


def _date(document: dict[str, Any], claims: Mapping[str, Any], claim: str, member: str) -> None:
    if claim not in claims:
        return
    moment = times.read_numeric(claims[claim], f"$.{claim}")
    if member not in document:
        document[member] = times.stamp(moment)
    elif times.numeric(times.read_stamp(json.Fields(document, "$.vc").text(member), f"$.vc.{member}")) != claims[claim]:
        raise _differs(claim, member, "$.vc")


def _differs(claim: str, member: str, where: str) -> Malformed:
    return Malformed("jwt_vc.differs", where=f"{where}.{member}", spec=_SPEC, claim=claim, member=member)


def _token(credential: Credential) -> _Token:
    """The parsed form, read again where only the bytes were kept."""
    state = credential.state
    return state if type(state) is _Token else _read(credential.raw, "vc")


# -- judging --


def _signature(credential: Credential, keys: Keys) -> Problem | None:
    key = keys.get(credential.signed_by[0])
    if key is None:
        raise Misuse("keys.not_given", key=str(credential.signed_by[0].at))
    try:
        jws.check(_token(credential).signed, key)
    except Refused as error:
        return error.problem
    return None


def _bound(presentation: Presentation, challenge: Challenge | Unbound, at: datetime) -> tuple[Check, ...]:
    shown, holder = presentation.state, presentation.credential.holder
    if shown is None:
        if isinstance(challenge, Challenge):
            raise Refused("binding.missing", spec="OpenID4VP B.1.3.1")
        return _w3c.UNBOUND
    if holder is None:
        raise Refused("binding.no_key", spec="OpenID4VP B.1.3.1")
    if isinstance(challenge, Challenge):
        _w3c.check_shown(shown.claims, challenge, at)
    card = _token(presentation.credential)
    subject, named = card.document.get(_SUBJECT), shown.document.get("holder")
    if named is None and "cnf" not in card.claims:
        raise Refused("binding.other_holder", spec="OpenID4VP B.1.3.1")
    _w3c.check_holder(named, holder, subject)
    jws.check(shown.signed, holder)
    return _w3c.BOTH if isinstance(challenge, Challenge) else _w3c.UNASKED
