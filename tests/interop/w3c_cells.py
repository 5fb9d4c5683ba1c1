"""What the cells of test_w3c.py are made of: one card and one question, our three roles, and damage."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cityid import query as dcql
from cityid.checks import Accepted, Outcome, Verdict
from cityid.credential import Challenge, DidUrl, Draft, KeyRef, Window
from cityid.credential_type import CredentialType, Path
from cityid.edge.recorded import offline
from cityid.encoding import base64url, json, multibase, times
from cityid.formats.data_integrity import LDP_VC, ldp_vc, presentations, suites
from cityid.keys import Algorithm
from cityid.policy import Policy
from cityid.trust import TrustEntry, TrustList
from cityid.verifying import verify
from tests.credentials import credential_type
from tests.interop.w3c_peers import BBS, EXAMPLES, SD, Key, Peer

AT = datetime.now(UTC).replace(microsecond=0)  # a peer takes the time from the clock
START, END = AT - timedelta(days=1), AT + timedelta(days=1)
AUDIENCE, NONCE = "x509_san_dns:library.lindau.example", "n-0S6_WzA2Mj-7f3c91d2"
ASKED = Challenge(AUDIENCE, NONCE)
HEADER = presentations.header_of(ASKED)
VC = "https://www.w3.org/2018/credentials#VerifiableCredential"

CLAIMS: dict[str, Any] = {
    "given_name": "Zoë 柳",
    "age_over_18": True,
    "address": {"locality": "Lindau (Bodensee)", "postal_code": "88131"},
    "nationalities": ["DE", "FR"],
    "municipality": "Lindau",
}
HIDEABLE: tuple[Path, ...] = (
    ("given_name",), ("family_name",), ("age_over_18",), ("address", "locality"), ("address", "postal_code"),
    ("nationalities", None),
)  # fmt: skip
PATHS: tuple[Path, ...] = (("given_name",), ("address", "locality"), ("nationalities", 1))
QUERY: list[list[Any]] = [["given_name"], ["address", "locality"], ["nationalities", None]]
SHOWN = {"given_name": "Zoë 柳", "address": {"locality": "Lindau (Bodensee)"}, "nationalities": ["FR"]}
WHOLE = {**SHOWN, "nationalities": ["DE", "FR"]}


def card_type(*, published: bool) -> CredentialType:
    """With a context of its own inside the credential, or with one that is published."""
    iri = f"{EXAMPLES.removesuffix('/v2')}#ResidencyCredential" if published else "urn:cityid:residency:1"
    names: dict[str, Any] = {"type": ["VerifiableCredential", "ResidencyCredential"], "types": (iri, VC)}
    if published:
        names["context"] = [EXAMPLES]
    rules = credential_type(*HIDEABLE).claims
    listed = {path: rule for path, rule in rules.items() if path != ("nationalities", None)}
    made = credential_type(*HIDEABLE, names={"ldp_vc": names})
    return made if published else made.__class__(**{**_members(made), "claims": {**listed, **_array(rules)}})


def _members(made: CredentialType) -> dict[str, Any]:
    return {name: getattr(made, name) for name in made.__dataclass_fields__}


def _array(rules: Mapping[Path, Any]) -> dict[Path, Any]:
    rule = rules["nationalities", None]
    whole = rule.__class__(("nationalities",), {"type": "array"}, True, False, rule.labels)
    return {("nationalities",): whole, ("nationalities", None): rule}


@dataclass(frozen=True)
class Case:
    """A suite with the keys of one city and one resident."""

    suite: str
    algorithm: Algorithm
    published: bool = False
    issuer: Key = field(init=False)
    holder: Key = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "issuer", Key.new(self.algorithm))
        holder = Algorithm.EDDSA if self.algorithm is Algorithm.BBS else self.algorithm
        object.__setattr__(self, "holder", Key.new(holder))

    @property
    def hides(self) -> bool:
        return self.suite in (SD, BBS)

    @property
    def header(self) -> bytes | None:
        return HEADER if self.suite == BBS else None

    @property
    def draft(self) -> Draft:
        ref = KeyRef(DidUrl(self.issuer.did, self.issuer.did.removeprefix("did:key:")))
        holder = None if self.suite == BBS else self.holder.signer.public_key
        kind = card_type(published=self.published)
        return Draft(kind, self.issuer.did, ref, CLAIMS, holder, Window(START, END), (), self.suite)

    @property
    def document(self) -> dict[str, Any]:
        return ldp_vc.document_of(self.draft)

    @property
    def mandatory(self) -> list[str]:
        return [suites.pointer(path) for path in ldp_vc.mandatory_of(self.draft, self.document)]

    @property
    def binds(self) -> str:
        """By which suite the holder signs."""
        return presentations.SUITES[self.holder.algorithm]

    @property
    def shown(self) -> dict[str, Any]:
        return SHOWN if self.hides else WHOLE


# -- our three roles --


def we_issue(case: Case) -> Any:
    return json.read_object(LDP_VC.issue(case.draft, case.issuer.signer, at=AT, entropy=secrets.token_bytes).raw)


def we_present(case: Case, card: Mapping[str, Any]) -> Any:
    """As a wallet does: the card is checked before it is kept, and read from what was kept."""
    held = LDP_VC.read(json.write(card))
    checks = LDP_VC.check_issued(held, {held.signed_by[0]: case.issuer.signer.public_key}, AT)
    assert [check.outcome for check in checks] == [Outcome.PASSED], checks
    paths = [("credentialSubject", *path) for path in PATHS] if case.hides else []
    holder = None if case.suite == BBS else case.holder.signer
    return json.read_object(LDP_VC.present(held, paths, ASKED, holder, at=AT, entropy=secrets.token_bytes))


def we_verify(case: Case, shown: Any, challenge: Challenge = ASKED, at: datetime = AT) -> Verdict:
    iri = case.draft.type.names["ldp_vc"]["types"][0]
    entry = TrustEntry("did", (iri,), did=case.issuer.did, status="none")
    claims = [{"path": ["credentialSubject", *path]} for path in QUERY]
    item = {"id": "card", "format": "ldp_vc", "meta": {"type_values": [[iri]]}, "claims": claims}
    policy = Policy("test", dcql.read({"credentials": [item]}), {}, {}, TrustList((entry,)))
    return verify(json.write(shown), "ldp_vc", challenge, policy, at).run(offline)


# -- their three roles --


def they_issue(peer: Peer, case: Case) -> Any:
    return peer.issue(case.document, case.suite, case.issuer, case.mandatory if case.hides else (), AT)


def they_present(peer: Peer, case: Case, card: Mapping[str, Any]) -> Any:
    if case.hides:
        pointers = [suites.pointer(("credentialSubject", *path)) for path in PATHS]
        card = peer.derive(card, case.suite, pointers, case.header or b"")
    return peer.present(card, case.binds, case.holder, NONCE, AUDIENCE, AT)


def they_verify(peer: Peer, case: Case, shown: Any, challenge: Challenge = ASKED, at: datetime = AT) -> None:
    binds = shown["proof"]["cryptosuite"] if "proof" in shown else case.binds
    peer.verify_presentation(shown, [case.suite, binds], challenge.nonce, challenge.audience, at, case.header)


def accepted(case: Case, verdict: Verdict) -> None:
    assert isinstance(verdict, Accepted), verdict
    assert verdict.claims == {"credentialSubject": case.shown}


# -- damage --

Damage = Callable[[dict[str, Any]], Any]


def flipped(value: str, at: int) -> str:
    """A proof value with another bit."""
    raw = bytearray(multibase.decode(value) if value[0] == "z" else base64url.decode(value[1:]))
    raw[at] ^= 1
    return multibase.encode(bytes(raw)) if value[0] == "z" else f"u{base64url.encode(bytes(raw))}"


def _signature(document: dict[str, Any]) -> None:
    proof = document["proof"]
    # inside a number: of the signature, of the base signature, or of the responses behind the points of a BBS proof
    at = {SD: 3 + 1 + 2 + 63, BBS: 3 + 1 + 3 + 3 * 48 + 31}.get(proof["cryptosuite"], 40)
    proof["proofValue"] = flipped(proof["proofValue"], at)


def _value(document: dict[str, Any]) -> None:
    document["credentialSubject"]["given_name"] = "Zoe 柳"


def _term(document: dict[str, Any]) -> None:
    subject = document["credentialSubject"]
    subject["family_name"] = subject.pop("given_name")


def _added(document: dict[str, Any]) -> None:
    document["credentialSubject"]["family_name"] = "Liu"


def _left_out(document: dict[str, Any]) -> None:
    del document["credentialSubject"]["address"]


def _longer(document: dict[str, Any]) -> None:
    document["validUntil"] = times.stamp(END + timedelta(days=1))


def _issuer(document: dict[str, Any]) -> None:
    document["issuer"] = Key.new(Algorithm.EDDSA).did


def _type(document: dict[str, Any]) -> None:
    document["type"] = ["VerifiableCredential"]


def _purpose(document: dict[str, Any]) -> None:
    document["proof"]["proofPurpose"] = "authentication"


def _method(document: dict[str, Any]) -> None:
    """Somebody else's key of the same kind."""
    suite, raw = document["proof"]["cryptosuite"], document["proof"]["verificationMethod"]
    kinds = {SD: Algorithm.ES256, BBS: Algorithm.BBS, "eddsa-rdfc-2022": Algorithm.EDDSA}
    kind = kinds.get(suite, Algorithm.ES384 if "did:key:z82" in raw else Algorithm.ES256)
    document["proof"]["verificationMethod"] = Key.new(kind).method


def _stripped(document: dict[str, Any]) -> None:
    del document["proof"]


CREDENTIAL: dict[str, Damage] = {
    "signature": _signature,
    "value": _value,
    "term": _term,
    "added": _added,
    "left out": _left_out,
    "longer": _longer,
    "issuer": _issuer,
    "type": _type,
    "purpose": _purpose,
    "method": _method,
    "stripped": _stripped,
}
"""Of the credential, in a presentation that is signed again by its holder."""


def _nonce(document: dict[str, Any]) -> None:
    document["proof"]["challenge"] = NONCE[:-1] + "3"


def _domain(document: dict[str, Any]) -> None:
    document["proof"]["domain"] = AUDIENCE.replace("library", "bibrary")


def _holder(document: dict[str, Any]) -> None:
    document["holder"] = Key.new(Algorithm.EDDSA).did


def _later(document: dict[str, Any]) -> None:
    document["proof"]["created"] = times.stamp(AT + timedelta(seconds=1))


PRESENTATION: dict[str, Damage] = {
    "signature": _signature,
    "nonce": _nonce,
    "domain": _domain,
    "holder": _holder,
    "created": _later,
    "purpose": lambda document: document["proof"].update(proofPurpose="assertionMethod"),
    "stripped": _stripped,
}
"""Of what the holder signed."""
EXPECTED: dict[str, dict[str, Any]] = {
    "another nonce": {"challenge": Challenge(AUDIENCE, NONCE[:-1] + "3")},
    "another audience": {"challenge": Challenge(AUDIENCE.replace("library", "bibrary"), NONCE)},
    "too late": {"at": AT + timedelta(days=3)},
    "too early": {"at": AT - timedelta(days=3)},
}
"""What the verifier expects instead."""


def changed(document: Any, damage: Damage) -> Any:
    made = copy.deepcopy(document)
    damage(made)
    return made


def signed_again(case: Case, shown: Any, damage: Damage) -> Any:
    """The presentation with a damaged credential, and with a right signature of its holder around it."""
    (credential,) = shown["verifiableCredential"]
    return json.read_object(presentations.sign(changed(credential, damage), ASKED, case.holder.signer, AT))


def signature_damage(document: Any) -> Any:
    return changed(document, CREDENTIAL["signature"])
