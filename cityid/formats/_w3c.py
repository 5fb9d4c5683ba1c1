"""What the W3C formats on JOSE and COSE share: who signs, from when until when, whose card it is, and what its types
mean. Reading believes nothing."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from cityid import contexts, limits
from cityid.checks import PASSED, Check, Step, failed, passed
from cityid.credential import (
    CertificateChain,
    Challenge,
    DidUrl,
    Draft,
    KeyPlace,
    KeyRef,
    Path,
    StatusRef,
    WebIssuer,
    Window,
)
from cityid.did import jwk as did_jwk
from cityid.did import key as did_key
from cityid.did import parse, parse_url
from cityid.encoding import base64url, json, times
from cityid.encoding.jsonld.context import Contexts
from cityid.encoding.jsonld.model import UNSET, Context
from cityid.errors import Malformed, Misuse, Problem, Refused
from cityid.formats import _contexts
from cityid.formats._vcdm import Facts
from cityid.jose import jws, sd_jwt
from cityid.keys import PublicKey, Signer, x509

V1: Final = "https://www.w3.org/2018/credentials/v1"
V2: Final = "https://www.w3.org/ns/credentials/v2"
CREDENTIAL: Final = "VerifiableCredential"
VERIFIABLE_CREDENTIAL: Final = "https://www.w3.org/2018/credentials#VerifiableCredential"
PRESENTATION: Final = "VerifiablePresentation"
ENTRY: Final = "BitstringStatusListEntry"
TOKEN_STATUS: Final = "status_list"
PURPOSES: Final = ("revocation", "suspension")
"""What the W3C's lists of a register are for, each a list of its own."""
ALGORITHMS: Final = ("ES256", "ES384", "ES512", "EdDSA", "ES256K", "ML-DSA-44", "ML-DSA-65")
SIGNED: Final = (PASSED[Step.ISSUER_SIGNATURE],)
BOTH: Final = (PASSED[Step.ISSUER_SIGNATURE], PASSED[Step.HOLDER_BINDING])
UNBOUND: Final = (PASSED[Step.ISSUER_SIGNATURE], passed(Step.HOLDER_BINDING, key_binding="absent"))
UNASKED: Final = (PASSED[Step.ISSUER_SIGNATURE], passed(Step.HOLDER_BINDING, key_binding="valid, not asked for"))
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,15}")
_NOT_OURS: Final = frozenset({"binding.cnf_method", "key.unsupported"})
_AHEAD: Final = limits.KB_AHEAD.total_seconds()
_SKEW: Final = limits.SKEW.total_seconds()
_MEMO: Final = 64
_SHORT: Final = 512
"""Characters of an issuer's name and a key's that are worth remembering."""
NO_POSITIONS: Final[Mapping[Path, tuple[int, ...]]] = MappingProxyType({})


# -- who signs --


def place_of(issuer: str, kid: Any, chain: CertificateChain | None) -> KeyPlace:
    """Where the key of `issuer` is said to be. Whether the issuer uses that mechanism is for the trust list to say.

    Raises:
        Malformed: `json.wrong_type`, `w3c.no_key_mechanism`, `did.*`.
    """
    if chain is not None:
        return chain
    if type(kid) is not str:
        raise Malformed("json.wrong_type", where="$.kid", expected="string", found=json.kind(kid))
    if kid.startswith("did:"):
        # A DID URL of another DID stays what it is: the trust list refuses it.
        did, fragment = parse_url(kid)
        return DidUrl(str(did), fragment)
    if issuer.startswith("did:"):
        parse(issuer)
        return DidUrl(issuer, kid.removeprefix("#"))
    if issuer.startswith("https://"):
        return WebIssuer(issuer, kid)
    raise Malformed("w3c.no_key_mechanism", where="$.issuer", spec="VC-JOSE-COSE §4.1", issuer=issuer)


def reference(issuer: str, kid: str, chain: CertificateChain | None) -> KeyRef:
    """The key at `place_of` these. Raises as it."""
    if chain is None and len(issuer) + len(kid) < _SHORT:
        return _reference(issuer, kid)
    return KeyRef(place_of(issuer, kid, chain))


@lru_cache(maxsize=_MEMO)
def _reference(issuer: str, kid: str) -> KeyRef:
    """Remembered, because all cards of an issuer have them alike; what was refused is not."""
    return KeyRef(place_of(issuer, kid, None))


def chain_of(x5c: Any) -> CertificateChain | None:
    """The chain in `x5c`.

    Raises:
        Malformed: `w3c.x5c`, `base64.*`.
    """
    if x5c is None:
        return None
    if type(x5c) is not list or not 0 < len(x5c) <= limits.CHAIN or not all(type(text) is str for text in x5c):
        raise Malformed("w3c.x5c", where="$.x5c", spec="RFC 7515 §4.1.6", limit=limits.CHAIN)
    return CertificateChain(tuple(base64url.decode_standard(text, f"$.x5c[{n}]") for n, text in enumerate(x5c)))


def named(place: KeyPlace, issuer: str, key: PublicKey) -> tuple[str, tuple[bytes, ...]]:
    """How a signature by `key` names it: `kid`, or certificates.

    Raises:
        Misuse: `w3c.wrong_issuer`, `w3c.wrong_certificate`.
    """
    if isinstance(place, CertificateChain):
        if not place.certificates or x509.public_key(place.certificates[0]) != key:
            raise Misuse("w3c.wrong_certificate", thumbprint=key.thumbprint)
        return "", place.certificates
    owner = place.did if isinstance(place, DidUrl) else place.issuer
    if owner != issuer:
        raise Misuse("w3c.wrong_issuer", issuer=issuer, owner=owner)
    return place.kid if isinstance(place, WebIssuer) else str(place) if place.fragment else "", ()


def protected(members: Mapping[str, Any], kid: str, chain: tuple[bytes, ...], key: PublicKey) -> bytes:
    """A JOSE header that says whose key it is.

    Raises:
        Malformed: `json.*`.
    """
    if chain:
        return jws.protected({**members, "x5c": [base64.b64encode(der).decode("ascii") for der in chain]}, key)
    return jws.protected({**members, "kid": kid} if kid else members, key)


# -- what its types mean --


class Meaning(NamedTuple):
    """What the names of a document mean: its `types`, the credential's own first and VerifiableCredential last, a name
    that no context defines as it is written (OpenID4VP B.1.1); and the names of members that are `defined`."""

    types: tuple[str, ...]
    defined: frozenset[str]


def meaning_of(document: Mapping[str, Any], written: bytes | None = None, *, any_context: bool = False) -> Meaning:
    """What `@context`, which is `written` so, and `type` say, of a document that the data model has read.

    Raises:
        Malformed: `context.*`, `jsonld.*`.
    """
    names = document["type"]
    if written is None:
        written = json.write(document["@context"])
    return _meaning(written, tuple(names) if type(names) is list else (names,), any_context)


@lru_cache(maxsize=_MEMO)
def _meaning(written: bytes, names: tuple[str, ...], any_context: bool) -> Meaning:
    """Remembered, because all cards of a type have them alike; what was refused is not."""
    entries = json.read(written)
    if not any_context:
        contexts.check(entries)
    processed = Contexts(contexts.load)
    active = processed.process(Context.initial(""), entries, "")
    meant = [processed.expand_iri(active, name, vocab=True) or name for name in names]
    for name in sorted(names):
        scoped = active.terms.get(name)
        if scoped is not None and scoped.context is not UNSET:
            active = processed.scoped(active, scoped, propagate=False)
    defined = frozenset(name for name, term in active.terms.items() if term.iri is not None) | {"@context"}
    types = tuple(sorted(dict.fromkeys(meant), key=lambda name: name == VERIFIABLE_CREDENTIAL))
    return Meaning(types, defined)


# -- whose card it is --


@lru_cache(maxsize=_MEMO)
def did_of(key: PublicKey) -> str:
    """The DID that a key is, by which a holder is named."""
    return did_key.create(key)


def method_of(key: PublicKey) -> str:
    """The verification method of `did_of`."""
    did = did_of(key)
    return f"{did}#{did.removeprefix('did:key:')}"


def key_of(did: Any) -> PublicKey | None:
    """The key that a DID is; None where it is none that says its own key, or one of a kind that is not ours."""
    if type(did) is not str or not did.startswith(("did:jwk:", "did:key:")):
        return None
    try:
        parsed = parse(did)
        document = did_jwk.read(parsed) if parsed.method == "jwk" else did_key.read(parsed)
        return document.key("", "authentication")
    except (Malformed, Refused):
        return None


def holder_of(claims: Mapping[str, Any], subject: Any) -> PublicKey | None:
    """The holder's key: the one in `cnf`, else the one that the subject's DID is. A method or a kind of key that is not
    ours is none: it matters only to who asks for binding.

    Raises:
        Malformed: `binding.cnf`, `jwk.*`, `key.*`.
    """
    if "cnf" in claims:
        if claims["cnf"] is None or isinstance(claims["cnf"], PublicKey):
            return claims["cnf"]  # of COSE: read already
        try:
            return sd_jwt.holder_key(claims, "$.cnf")
        except Malformed as error:
            if error.code not in _NOT_OURS:
                raise
            return None
    return key_of(subject.get("id")) if type(subject) is dict else None


def shown_claims(challenge: Challenge, at: datetime) -> dict[str, Any]:
    """What a holder signs besides the presentation: for whom, in answer to what, and when.

    Raises:
        Refused: `binding.transaction_data_format`: OpenID4VP has no place for it in these formats.
    """
    if challenge.transaction_data:
        raise Refused("binding.transaction_data_format", spec="OpenID4VP B.1")
    return {"aud": challenge.audience, "nonce": challenge.nonce, "iat": times.numeric(at)}


def signer_for(holder: Signer | None, key: PublicKey | None) -> Signer:
    """The signer of a presentation, which must be the one to whom the credential was issued.

    Raises:
        Refused: `binding.no_key`.
        Misuse: `binding.no_signer`, `binding.wrong_signer`.
    """
    if key is None:
        raise Refused("binding.no_key", spec="OpenID4VP B.1")
    if holder is None:
        raise Misuse("binding.no_signer")
    if holder.public_key != key:
        raise Misuse("binding.wrong_signer", expected=key.thumbprint, found=holder.public_key.thumbprint)
    return holder


def check_shown(claims: Mapping[str, Any], challenge: Challenge, at: datetime) -> None:
    """A presentation's claims: made for this asker and this question, now. Its signature is checked after that.

    Raises:
        Refused: `binding.*`.
    """
    if challenge.transaction_data:
        raise Refused("binding.transaction_data_format", spec="OpenID4VP B.1")
    aud, nonce = claims.get("aud"), claims.get("nonce")
    if type(aud) is not str or type(nonce) is not str:
        name = "nonce" if type(aud) is str else "aud"
        raise _wrong(claims, name, "string")
    if aud != challenge.audience:
        raise Refused("binding.audience", spec="OpenID4VP B.1.3", expected=challenge.audience, found=aud)
    if not hmac.compare_digest(nonce.encode("utf-8"), challenge.nonce.encode("utf-8")):
        raise Refused("binding.nonce", spec="OpenID4VP B.1.3")
    now, limit = at.timestamp(), challenge.max_age.total_seconds()
    if "iat" in claims:
        age = now - _seconds(claims, "iat")
        if age > limit:
            raise Refused("binding.too_old", spec="OpenID4VP §14.1", seconds=int(age), limit=int(limit))
        if -age > _AHEAD:
            raise Refused("binding.ahead", spec="OpenID4VP §14.1", seconds=int(-age), limit=int(_AHEAD))
    check_times(claims, at)


def check_times(claims: Mapping[str, Any], at: datetime) -> None:
    """Whether a signature's own claims say that it holds at `at`.

    Raises:
        Refused: `binding.expired`, `binding.not_yet`, `binding.claim`.
    """
    now = at.timestamp()
    if "exp" in claims and now - _SKEW >= _seconds(claims, "exp"):
        raise Refused("binding.expired", spec="RFC 7519 §4.1.4")
    if "nbf" in claims and now + _SKEW < _seconds(claims, "nbf"):
        raise Refused("binding.not_yet", spec="RFC 7519 §4.1.5")


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims[name]
    if type(value) is not int:
        raise _wrong(claims, name, "integer")
    return value


def _wrong(claims: Mapping[str, Any], name: str, expected: str) -> Refused:
    found = json.kind(claims[name]) if name in claims else "nothing"
    return Refused("binding.claim", spec="RFC 7519 §4.1", name=name, expected=expected, found=found)


def check_holder(name: Any, key: PublicKey, subject: Any) -> None:
    """Whom a presentation names as its holder, where it names one, is the one who signed it: the DID of the `key`, or
    the subject to whom the credential binds the key.

    Raises:
        Refused: `binding.other_holder`.
    """
    if name is None or (type(subject) is dict and subject.get("id") == name):
        return
    if key_of(name) != key:
        raise Refused("binding.other_holder", spec="VCDM 2.0 §4.13")


def judged(error: Refused) -> tuple[Check, ...]:
    """The checks of a credential whose issuer's signature is good, and whose holder's binding is not."""
    found = error.problem
    if found.code == "signature.invalid":
        found = Problem("binding.signature", spec="OpenID4VP B.1.3")
    return (PASSED[Step.ISSUER_SIGNATURE], failed(Step.HOLDER_BINDING, found))


# -- from when until when --


def window_of(facts: Facts, claims: Mapping[str, Any]) -> Window:
    """From when until when: the credential's own dates, and its signature's (`nbf`, `exp`) where there are any. Both
    must hold.

    Raises:
        Malformed: `time.not_numeric`.
    """
    start, end = facts.valid_from, facts.valid_until
    if "nbf" in claims:
        signed = times.read_numeric(claims["nbf"], "$.nbf")
        start = signed if start is None else max(start, signed)
    if "exp" in claims:
        signed = times.read_numeric(claims["exp"], "$.exp")
        end = signed if end is None else min(end, signed)
    return Window(start, end)


# -- status --


def statuses_of(document: Mapping[str, Any], claims: Mapping[str, Any]) -> tuple[StatusRef, ...]:
    """One reference for each entry of `credentialStatus`, and for each mechanism in the JWT claim `status` (Token
    Status List §6.2). Whether an entry is well formed is for whoever can read its kind to say.

    Raises:
        Malformed: `json.wrong_type`, `w3c.status`.
    """
    found: list[StatusRef] = []
    if "credentialStatus" in document:
        value = document["credentialStatus"]
        for entry in value if type(value) is list else [value]:
            kind = entry.get("type") if type(entry) is dict else None
            if type(kind) is list and len(kind) == 1:
                kind = kind[0]
            if type(kind) is not str:
                raise Malformed("w3c.status", where="$.credentialStatus", spec="VCDM 2.0 §4.10")
            uri, index = entry.get("statusListCredential"), entry.get("statusListIndex")
            number = int(index) if type(index) is str and _INDEX.fullmatch(index) else -1
            found.append(StatusRef(kind, uri if type(uri) is str else "", number, MappingProxyType(entry)))
    if "status" in claims:
        for kind, value in json.Fields(claims, "$").object("status").items():
            facts = value if type(value) is dict else {}
            uri, idx = facts.get("uri"), facts.get("idx")
            number = idx if type(idx) is int and idx >= 0 else -1
            found.append(StatusRef(kind, uri if type(uri) is str else "", number, MappingProxyType(facts)))
    return tuple(found)


def entries_of(refs: tuple[StatusRef, ...]) -> list[dict[str, Any]]:
    """`credentialStatus` for a draft's references. An entry of a Token Status List stands for one in each of the W3C's
    lists that are published beside it: they have one purpose each.

    Raises:
        Misuse: `w3c.two_statuses`, for two entries of one kind that are no W3C entries.
    """
    entries: list[dict[str, Any]] = []
    if sum(ref.kind == TOKEN_STATUS for ref in refs) > 1:
        raise Misuse("w3c.two_statuses", kind=TOKEN_STATUS)
    for ref in refs:
        for purpose in PURPOSES if ref.kind == TOKEN_STATUS else (ref.facts.get("statusPurpose", PURPOSES[0]),):
            uri = f"{ref.uri}.{purpose}" if ref.kind == TOKEN_STATUS else ref.uri
            entries.append({
                **ref.facts, "type": ENTRY, "statusPurpose": purpose, "statusListIndex": str(ref.index),
                "statusListCredential": uri,
            })  # fmt: skip
    return entries


# -- issuing --


def document_of(draft: Draft, form: str, base: str = V2) -> dict[str, Any]:
    """The credential that a draft becomes, unsecured; its claims are those of its subject."""
    return {"@context": _contexts.of_type(draft.type, form, base), **members_of(draft, form, base)}


def members_of(draft: Draft, form: str, base: str = V2) -> dict[str, Any]:
    """`document_of`, less its contexts."""
    document: dict[str, Any] = {"type": list(draft.type.names[form]["type"]), "issuer": draft.issuer}
    start, end = draft.window.start, draft.window.end
    dates = ("validFrom", "validUntil") if base == V2 else ("issuanceDate", "expirationDate")
    for name, moment in zip(dates, (start, end), strict=True):
        if moment is not None:
            document[name] = times.stamp(moment)
    if draft.status:
        entries = entries_of(draft.status)
        document["credentialStatus"] = entries[0] if len(entries) == 1 else entries
    document["credentialSubject"] = draft.claims
    return document


# -- what is asked and told --


def answers(types: tuple[str, ...], meta: Mapping[str, Any]) -> bool:
    """DCQL `type_values`: all types of one of them are among `types`."""
    wanted = meta.get("type_values")
    return wanted is None or any(set(names).issubset(types) for names in wanted)


def described(names: Mapping[str, Any]) -> Mapping[str, Any]:
    """The names by which metadata speaks of a type, and the algorithms (OpenID4VP B.1.3, OpenID4VCI A.1.1)."""
    return MappingProxyType({"credential_definition": {"type": list(names["type"])}, "alg_values": list(ALGORITHMS)})
