"""The credential of a voice: issued blindly over a secret of its holder, for one month, with nothing in it that two
residents of one district and age do not share.

The register keeps for each resident the commitment to that secret. It is the same at each issuing, so that nobody has
two voices; it hides the secret perfectly, so that keeping it links nothing.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from typing import Any, Final

from cityid import contexts
from cityid.bbs import pseudonym
from cityid.credential_type import ENROLMENT, CredentialType, Prepared
from cityid.credential_type.derived import month
from cityid.encoding import base64url, json, times
from cityid.encoding.json import Fields
from cityid.errors import Malformed, Misuse, Refused
from cityid.keys import BbsSigner, PublicKey
from cityid.proofs import bbs2023, members, selective
from cityid.proofs.bbs2023 import Feature, Holder
from cityid.proofs.bbs2023_values import read_base

Entropy = Callable[[int], bytes]

TYPE: Final = "VoiceCredential"
CLAIMS: Final = ("municipality_code", "district_code", "age_over_16", "age_over_18", "voice_since")
"""All of them are in each voice: an absent one would tell its holder from others. The type `voice` says the same (a
test compares them); what all voices look like is no city's choice."""
CONTEXT: Final[list[Any]] = [
    contexts.V2,
    contexts.of_claims(TYPE, "urn:cityid:voice:1", [((name,), False) for name in CLAIMS]),
]
FEATURE: Final = Feature.PSEUDONYM
MANDATORY: Final = ("/issuer", "/validFrom", "/validUntil")
_QUARTER: Final = 3
_COMMITMENT: Final = 48 + 3 * 32
"""Octets of a commitment to one secret: a point, and three scalars that prove it."""
_OPTIONS: Final = frozenset({"type", "cryptosuite", "verificationMethod", "proofPurpose", "proofValue"})


def roll_day(at: datetime) -> date:
    """The last roll day at or before `at`: the first day of a quarter of the year, in UTC."""
    day = at.astimezone(UTC).date()
    return date(day.year, (day.month - 1) // _QUARTER * _QUARTER + 1, 1)


def next_roll_day(at: datetime) -> date:
    """The first roll day after `at`."""
    day = roll_day(at)
    return date(day.year + (day.month + _QUARTER > 12), (day.month + _QUARTER - 1) % 12 + 1, 1)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the register keeps of one resident's voice: the commitment, the city's part of the secret, and the roll day
    from which polls hear it."""

    commitment: bytes
    nym_entropy: bytes = field(repr=False)
    since: date


@dataclass(frozen=True, slots=True)
class Voice:
    """What a resident holds: the credential with its base proof, which nobody else may see, and the secret."""

    document: Mapping[str, Any] = field(repr=False)
    proof: Mapping[str, Any] = field(repr=False)
    holder: Holder


def begin(*, entropy: Entropy = secrets.token_bytes) -> tuple[bytes, Holder]:
    """A fresh secret: the commitment for city hall, and what the holder keeps and backs up.

    Raises:
        Unavailable: `install.extra`, `bbs.entropy`.
    """
    return bbs2023.commit(FEATURE, nym=pseudonym.prover_nyms(entropy=entropy)[0], entropy=entropy)


def enrol(
    kept: Enrolment | None,
    commitment: bytes,
    *,
    at: datetime,
    lost: bool = False,
    forgotten: bool = False,
    entropy: Entropy = secrets.token_bytes,
) -> Enrolment:
    """What the register keeps from now on. `kept` is what it has of this resident. A first voice is heard since the
    last roll day, unless the register may have `forgotten` another that it had since then; who has `lost` the secret
    gets a new one. Both are heard from the next roll day on, when the last credential over the old secret has ended.

    Raises:
        Refused: `polls.other_secret`, for another commitment than before; `bbs.commitment`.
        Malformed: `polls.commitment`, `bbs.*`.
        Unavailable: `bbs.entropy`, `install.extra`.
    """
    times.check_aware(at)
    if len(commitment) != _COMMITMENT:
        raise Malformed("polls.commitment", expected=_COMMITMENT, length=len(commitment))
    if kept is not None and hmac.compare_digest(kept.commitment, commitment):
        return kept
    if kept is not None and not lost:
        raise Refused("polls.other_secret", next=next_roll_day(at).isoformat())
    # Before it is kept: over one that nobody can open, this resident would have no voice until the next roll day.
    pseudonym.check_commitment(commitment)
    since = roll_day(at) if kept is None and not forgotten else next_roll_day(at)
    return Enrolment(commitment, pseudonym.signer_entropy(entropy=entropy), since)


def prepare(
    kind: CredentialType, claims: Mapping[str, Any], since: date, *, at: datetime, timezone: tzinfo
) -> Prepared:
    """What a voice of the type `kind` would say of who has `claims` (as the type's reader takes them) and is heard
    `since`.

    Raises:
        Malformed: `claim.*`. Misuse: `polls.other_type`, for a type by which voices would not look like all others.
    """
    from cityid.formats.data_integrity.ldp_vc import contexts_for

    made = kind.prepare(claims, at=at, timezone=timezone, city={ENROLMENT: since.isoformat()})
    if not kind.enrolled or contexts_for(kind) != CONTEXT or (*made.claims,) != CLAIMS:
        raise Misuse("polls.other_type", type=kind.id)
    return made


def issue(
    prepared: Prepared,
    enrolment: Enrolment,
    signer: BbsSigner,
    *,
    issuer: str,
    method: str,
    entropy: Entropy = secrets.token_bytes,
) -> dict[str, Any]:
    """A voice that says what `prepare` made of claims; `method` is the DID URL of the signer's key.

    Raises:
        Refused: `bbs.commitment`. Malformed: `bbs.*`, for the commitment.
        Unavailable: what the signer raises; `keys.entropy`.
    """
    document = {**_form(issuer, prepared.start, prepared.end), "credentialSubject": dict(prepared.claims)}
    options = {
        "type": "DataIntegrityProof",
        "cryptosuite": bbs2023.SUITE,
        "verificationMethod": method,
        "proofPurpose": "assertionMethod",
    }
    proof = bbs2023.create_base(
        document, options, signer, mandatory=MANDATORY, load=contexts.load, entropy=entropy,
        feature=FEATURE, commitment=enrolment.commitment, nym_entropy=enrolment.nym_entropy,
    )  # fmt: skip
    return {**document, "proof": proof}


def _is_even(document: Mapping[str, Any], key: bytes) -> bool:
    """Are the labels of its nodes those that all voices have? Each showing says them."""
    found = selective.group(document, [MANDATORY], selective.shuffled(key), contexts.load)
    return all(found.lines[place].startswith("_:b0 ") for place in found.groups[0])


def accept(card: Mapping[str, Any], holder: Holder, key: PublicKey) -> Voice:
    """The resident's check of what came: it is signed by `key`, over the holder's own secret, and nothing in it tells
    its holder from others.

    Raises:
        Refused: `polls.marked`; `bbs.signature` and others of `bbs2023.check_base`. Malformed: as it.
    """
    proof = Fields(dict(card)).object("proof")
    document = {name: value for name, value in card.items() if name != "proof"}
    check_form(document, CLAIMS)
    check_options(proof)
    bbs2023.check_base(document, proof, key, load=contexts.load, feature=FEATURE, holder=holder)
    base = read_base(members.read(proof), FEATURE)
    if base.mandatory != MANDATORY or not _is_even(document, base.hmac_key):
        raise Refused("polls.marked", where="$.proof")
    return Voice(document, proof, holder)


def check_options(proof: Mapping[str, Any], where: str = "$.proof") -> None:
    """Raises Refused `polls.marked`, for a proof that says more than other voices' do."""
    if proof.keys() != _OPTIONS:
        raise Refused("polls.marked", where=where)


def check_form(document: Mapping[str, Any], claims: tuple[str, ...]) -> tuple[datetime, datetime]:
    """When a voice that says just `claims` is valid.

    Raises:
        Refused: `polls.marked`, for anything that other voices do not have.
        Malformed: `json.*`, `time.not_a_stamp`.
    """
    fields = Fields(dict(document))
    subject = fields.object("credentialSubject")
    start, end = month(times.read_stamp(fields.text("validFrom"), "$.validFrom"))
    like = {**_form(fields.text("issuer"), start, end), "credentialSubject": dict.fromkeys(claims)}
    if {**fields.value, "credentialSubject": dict.fromkeys(subject)} != like:
        raise Refused("polls.marked")
    return start, end


def _form(issuer: str, start: datetime, end: datetime) -> dict[str, Any]:
    """All voices of a month, less what they say."""
    return {
        "@context": CONTEXT,
        "type": ["VerifiableCredential", TYPE],
        "issuer": issuer,
        "validFrom": times.stamp(start),
        "validUntil": times.stamp(end),
    }


_SECRET: Final = 32


def write_secret(commitment: bytes, holder: Holder) -> bytes:
    """What a wallet keeps, and backs up: 208 octets."""
    return commitment + holder.blind + holder.nym


def read_secret(kept: bytes) -> tuple[bytes, Holder]:
    """What `write_secret` wrote."""
    return kept[:_COMMITMENT], Holder(kept[_COMMITMENT:-_SECRET], nym=kept[-_SECRET:])


def write_commitment(commitment: bytes) -> bytes:
    """The file that the wallet gives to city hall."""
    return json.write({"commitment": base64url.encode(commitment)})


def read_commitment(data: bytes) -> bytes:
    """Raises Malformed: `json.*`, `base64url.*`."""
    fields = Fields(json.read_object(data))
    fields.only(("commitment",))
    return base64url.decode(fields.text("commitment"), fields.at("commitment"))
