"""City hall's job: prepare a card, offer it, and sign it for the keys that the wallet proves. Nothing is signed before.

issuer.offer("residency", claims, by="clerk-1", at=at)      checks, allots, records, keeps the card under a code
issuer.answer(request, at)                                  takes the code once, checks the proofs, signs the batch
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Any, Final, cast

from cityid import limits
from cityid.cards import CardRequest, Cards, Offer, check_proofs, configuration, offer_id
from cityid.credential import CertificateChain, CredentialType, DidUrl, Draft, KeyRef, StatusRef, Window
from cityid.credential_type import Prepared
from cityid.did.document import DidDocument
from cityid.encoding import base64url, json, times
from cityid.errors import CityIdError, Malformed, Misuse, Refused, Unavailable
from cityid.formats import FORMATS, Format
from cityid.keys import Algorithm, BbsSigner, PublicKey, Signer, x509
from cityid.register import Entry, Issued, Register, State, copies_of
from cityid.sessions import TRIES, Kind, Sessions, new_key

__all__ = ["HOLDER_ALGORITHMS", "HeldCard", "Issuer"]

HOLDER_ALGORITHMS: Final = (Algorithm.ES256, Algorithm.EDDSA, Algorithm.ES384)
"""What a holder's key may be; ES256 is what phones keep in hardware."""
APPROVAL_AGE: Final = timedelta(days=7)
"""How long a card waits for a second clerk."""
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_UNLINKABLE: Final = "ldp_vc"
_TAKEN: Final = {
    "session.unknown": "offer.unknown", "session.spent": "offer.spent", "session.expired": "offer.expired",
}  # fmt: skip

Entropy = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class HeldCard:
    """A prepared card, as it waits under its code. With `typed` (JSON) it is made when it is taken, from what the clerk
    typed: a letter may wait for longer than an age stays true."""

    number: str
    by: str
    type: str
    format: str
    copies: int
    nonce: str
    prepared: Prepared
    status: tuple[StatusRef, ...]
    typed: str = field(default="", repr=False)

    def write(self) -> bytes:
        return json.write({
            "number": self.number, "by": self.by, "type": self.type, "format": self.format, "copies": self.copies,
            "nonce": self.nonce, **({"typed": self.typed} if self.typed else {"claims": self.prepared.claims}),
            "start": times.numeric(self.prepared.start), "end": times.numeric(self.prepared.end),
            "status": [{"kind": r.kind, "uri": r.uri, "index": r.index, "facts": dict(r.facts)} for r in self.status],
        })  # fmt: skip

    @classmethod
    def read(cls, data: bytes) -> HeldCard:
        fields = json.Fields(json.read(data))
        window = [times.read_numeric(fields.integer(name)) for name in ("start", "end")]
        status = [json.Fields(item) for item in fields.array("status")]
        return cls(
            fields.text("number"), fields.text("by"), fields.text("type"), fields.text("format"),
            fields.integer("copies"), fields.text("nonce"),
            Prepared(fields.optional_object("claims") or {}, window[0], window[1]),
            tuple(StatusRef(s.text("kind"), s.text("uri"), s.integer("index"), s.object("facts")) for s in status),
            fields.optional_text("typed") or "",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Issuer:
    """City hall. `id` is its identifier (`iss`), `signed_by` how signatures name the key of `signer`.

    `city` are its own facts for cards (`authority`, `country`, `jurisdiction`); `timezone` says when its day begins.
    `document` is the DID document that the city publishes; with it, a key that was rotated out signs nothing.
    `publishes_status` says that the city publishes its status lists: without that, a type that requires a status is not
    issued. `four_eyes` are the types for which a second clerk must approve before an offer goes out; `waiting` names,
    for a row's number, the session in which its card waits until then. `keeps_claims` wants claims in the register.
    `bbs` signs what can be shown without being linked (`unlinkable` types in ldp_vc).
    """

    id: str
    name: str
    signed_by: KeyRef
    signer: Signer
    register: Register
    sessions: Sessions
    types: Mapping[str, CredentialType]
    formats: Mapping[str, Format] = field(default_factory=lambda: FORMATS)
    city: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    timezone: tzinfo = UTC
    document: DidDocument | None = None
    publishes_status: bool = False
    algorithms: tuple[Algorithm, ...] = HOLDER_ALGORITHMS
    four_eyes: frozenset[str] = frozenset()
    waiting: Callable[[str], str] | None = None
    keeps_claims: bool = False
    bbs: tuple[KeyRef, BbsSigner] | None = None

    def prepare(self, type: str, claims: Mapping[str, Any], *, at: datetime) -> Prepared:
        """What the card would say, to be shown to the clerk before it is offered.

        Raises:
            Misuse: `issue.unknown_type`.
            Malformed: `claim.*`.
        """
        return self._type(type).prepare(claims, at=at, timezone=self.timezone, city=self.city)

    def offer(
        self,
        type: str,
        claims: Mapping[str, Any],
        *,
        by: str,
        at: datetime,
        format: str = "dc+sd-jwt",
        key: str = "",
        subject: str = "",
        digest: str = "",
        department: str = "",
        entropy: Entropy = secrets.token_bytes,
    ) -> Offer:
        """Check `claims`, allot status entries, record the row and keep the prepared card under a single-use code;
        nothing is signed and, where anything is wrong, nothing is written. `by` is the clerk; `key` makes the call
        idempotent: the same key twice makes one card. `subject`, `digest` and `department`: `cityid.register.Entry`.

        Raises:
            Malformed: `claim.*`.
            Misuse: `issue.unknown_type`, `issue.unknown_format`, `issue.wrong_signer`, `time.naive`.
            Refused: `issue.needs_approval`, `issue.key_expired`, `issue.key_rotated`, `issue.repeated`.
            Unavailable: `issue.status_not_published`, `store.*`.
        """
        times.check_aware(at)
        if type in self.four_eyes:
            raise Refused("issue.needs_approval", type=type)
        expires = times.read_numeric(times.numeric(at + limits.OFFER_AGE))
        entry = Entry(
            type, format, Window(), (), State.OFFERED, expires, subject=subject, digest=digest, department=department
        )
        card, _ = self._record(entry, claims, by, at, key, entropy)
        return self._out(card, expires, at, entropy)

    def request(
        self,
        type: str,
        claims: Mapping[str, Any],
        *,
        by: str,
        at: datetime,
        format: str = "dc+sd-jwt",
        key: str = "",
        subject: str = "",
        digest: str = "",
        department: str = "",
        entropy: Entropy = secrets.token_bytes,
    ) -> Issued:
        """As `offer`, for a second clerk to approve: the card waits, sealed, and no code is out. Raises as `offer`,
        less `issue.needs_approval`; Misuse `issue.nowhere_to_wait`."""
        if self.waiting is None:
            raise Misuse("issue.nowhere_to_wait")
        times.check_aware(at)
        lapses = times.read_numeric(times.numeric(at + APPROVAL_AGE))
        entry = Entry(
            type, format, Window(), (), State.PENDING, lapses, subject=subject, digest=digest, department=department
        )
        card, row = self._record(entry, claims, by, at, key, entropy)
        self._keep(row.number, self.waiting(row.number), card, lapses, at, Kind.WAITING, by)
        return row

    def waits(self, number: str, at: datetime) -> Prepared:
        """What the card that waits under this number would say, to be shown to the second clerk.

        Raises:
            Refused: `approve.nothing_waits`.
        """
        card = self._waiting(number, at)
        self.sessions.give_back(self._place(number), kind=Kind.WAITING)
        return card.prepared

    def approve(self, number: str, *, by: str, at: datetime, entropy: Entropy = secrets.token_bytes) -> Offer:
        """The second clerk's yes: the offer goes out, for its ordinary time.

        Raises:
            Refused: `approve.nothing_waits`, `register.same_clerk`, `register.wrong_state`, `issue.key_*`.
            Unavailable: `store.*`.
        """
        times.check_aware(at)
        card = self._waiting(number, at)
        expires = times.read_numeric(times.numeric(at + limits.OFFER_AGE))
        try:
            self._check_key(at)
            with self.register.batch(by, f"approve:{number}", at) as batch:
                batch.approve(number, by, expires)
        except BaseException:
            self.sessions.give_back(self._place(number), kind=Kind.WAITING)
            raise
        offer = self._out(card, expires, at, entropy)
        with suppress(Unavailable):
            self.sessions.spend(self._place(number), kind=Kind.WAITING)
        return offer

    def _place(self, number: str) -> str:
        if self.waiting is None:
            raise Misuse("issue.nowhere_to_wait")
        return self.waiting(number)

    def _waiting(self, number: str, at: datetime) -> HeldCard:
        try:
            return HeldCard.read(self.sessions.take(self._place(number), at, kind=Kind.WAITING))
        except Refused:
            raise Refused("approve.nothing_waits", number=number) from None

    def _record(
        self, entry: Entry, claims: Mapping[str, Any], by: str, at: datetime, key: str, entropy: Entropy
    ) -> tuple[HeldCard, Issued]:
        """Check, allot and record: `entry` without its window and copies."""
        kind = self._type(entry.type)
        self._check_format(kind, entry.format)
        prepared = self.prepare(entry.type, claims, at=at)
        self._check_able(kind, at)
        kept = json.write(prepared.claims) if self.keeps_claims else b""
        with self.register.batch(by, key or f"offer:{base64url.encode(entropy(18))}", at) as batch:
            if batch.repeats:
                raise Refused("issue.repeated", number=batch.rows[0].number)
            copies = self.copies(kind, entry.format)
            refs = batch.allot(kind, copies)
            window = Window(prepared.start, prepared.end)
            (row,) = batch.record([replace(entry, window=window, copies=copies_of(refs, copies), claims=kept)])
        nonce = new_key(entropy)
        return HeldCard(row.number, by, entry.type, entry.format, copies, nonce, prepared, tuple(refs)), row

    def _out(self, card: HeldCard, expires: datetime, at: datetime, entropy: Entropy) -> Offer:
        """Keep the card under a new code and make the offer that names it."""
        code = new_key(entropy)
        self._keep(card.number, code, card, expires, at, Kind.OFFER, card.by)
        return self.offer_of(card, code, expires)

    def _keep(self, number: str, name: str, card: HeldCard, until: datetime, at: datetime, kind: Kind, by: str) -> None:
        try:
            self.sessions.put(name, card.write(), until, kind=kind, tries=TRIES - 1)
        except CityIdError:
            # No code, no card: the row says so, or lapses at its deadline where not even that can be written.
            with suppress(CityIdError), self.register.batch(by, f"withdraw:{number}", at) as batch:
                batch.withdraw(number, "the offer could not be kept")
            raise

    def answer(
        self, request: CardRequest, *, at: datetime, by: str = "", entropy: Entropy = secrets.token_bytes
    ) -> Cards:
        """Take the code, check the proofs, sign a card for each key. A wrong request gives the code back, but the
        fifth (`cityid.sessions.TRIES`) and a right one spend it. `by` is who did it, by default who offered.

        Raises:
            Refused: `offer.*`, `proof.*`, `request.other_card`, `jws.alg`, `signature.invalid`, `register.wrong_state`
                (withdrawn), `issue.key_expired`, `issue.key_rotated`.
            Malformed: as `cards.check_proofs`.
            Misuse: `time.naive`.
            Unavailable: `keys.unavailable`, `store.*`; the code is given back.
        """
        times.check_aware(at)
        if request.issuer != self.id:
            raise Refused("offer.other_issuer", issuer=request.issuer)
        try:
            value = self.sessions.take(request.code, at, kind=Kind.OFFER)
        except Refused as error:
            raise Refused(_TAKEN.get(error.code, error.code)) from None
        try:
            card = self._current(HeldCard.read(value), at)
            keys = self._check(request, card, at)
        except (Malformed, Refused):
            self.sessions.give_back(request.code, kind=Kind.OFFER, fault=True)
            raise
        try:
            raw = self._sign(card, keys, at, entropy)
            with self.register.batch(by or card.by, f"issue:{offer_id(request.code)}", at) as batch:
                window = Window(card.prepared.start, card.prepared.end)
                device = str(request.device or "")
                batch.issue(card.number, [key.thumbprint for key in keys], window, device=device)
        except BaseException:
            self.sessions.give_back(request.code, kind=Kind.OFFER)
            raise
        with suppress(Unavailable):  # what was taken stays taken; spending only erases it early
            self.sessions.spend(request.code, kind=Kind.OFFER)
        return Cards(self.id, request.configuration, offer_id(request.code), raw)

    def check(self, type: str, format: str, at: datetime) -> CredentialType:
        """The type, which can be issued in this format now, without a second clerk.

        Raises:
            Misuse: `issue.unknown_type`, `issue.unknown_format`, `issue.wrong_signer`.
            Refused: `issue.needs_approval`, `issue.key_expired`, `issue.key_rotated`.
            Unavailable: `issue.status_not_published`.
        """
        kind = self._type(type)
        self._check_format(kind, format)
        if type in self.four_eyes:
            raise Refused("issue.needs_approval", type=type)
        self._check_able(kind, at)
        return kind

    def offer_of(self, card: HeldCard, code: str, expires: datetime) -> Offer:
        """The offer of a card that is kept under `code`."""
        # Of a card that is kept its type was checked; tables make offers by the ten thousand.
        wire_name = (self.types.get(card.type) or self._type(card.type)).wire_name(card.format)
        return Offer(
            self.id, self.name, card.type, card.format, wire_name, card.copies, card.nonce, code, expires,
            self.algorithms,
        )  # fmt: skip

    def again(self, code: str, at: datetime) -> Offer:
        """The offer that a code belongs to, for somebody who has only its letters. The code stays good.

        Raises:
            Refused: `offer.unknown`, `offer.spent`, `offer.expired`.
            Unavailable: `store.*`.
        """
        try:
            card = HeldCard.read(self.sessions.take(code, at, kind=Kind.OFFER))
        except Refused as error:
            raise Refused(_TAKEN.get(error.code, error.code)) from None
        self.sessions.give_back(code, kind=Kind.OFFER)
        return self.offer_of(card, code, self.register.find(card.number).deadline or at)

    def _check_format(self, kind: CredentialType, format: str) -> None:
        if format not in self.formats or format not in kind.names:
            raise Misuse("issue.unknown_format", type=kind.id, format=format)
        if self._proves(kind, format) and self.bbs is None:
            raise Misuse("issue.no_bbs_key", type=kind.id)

    def copies(self, kind: CredentialType, format: str) -> int:
        """How many copies make a card."""
        return 1 if self._proves(kind, format) else kind.copies

    def draft(
        self,
        kind: CredentialType,
        format: str,
        claims: Mapping[str, Any],
        key: PublicKey | None,
        window: Window,
        status: tuple[StatusRef, ...],
    ) -> Draft:
        """What one copy says, for `key`. What is proved afresh at each showing is bound to no key."""
        if self.bbs is not None and self._proves(kind, format):
            return Draft(kind, self.id, self.bbs[0], claims, None, window, status)
        suite = str(kind.names[format].get("suite", ""))
        return Draft(kind, self.id, self.signed_by, claims, key, window, status, suite)

    def pen(self, kind: CredentialType, format: str) -> Signer:
        """What signs `draft`."""
        if self.bbs is not None and self._proves(kind, format):
            return cast("Signer", self.bbs[1])  # ldp_vc signs with both kinds of keys
        return self.signer

    def _proves(self, kind: CredentialType, format: str) -> bool:
        """Is each showing of such a card a proof of its own, so that one copy is enough and no key is in it?"""
        return kind.unlinkable and format == _UNLINKABLE

    def _check_able(self, kind: CredentialType, at: datetime) -> None:
        self._check_key(at)
        if kind.status == "required" and not self.publishes_status:
            raise Unavailable("issue.status_not_published", type=kind.id)

    def _type(self, type: str) -> CredentialType:
        if type not in self.types:
            raise Misuse("issue.unknown_type", type=type)
        if self.types[type].enrolled:
            raise Misuse("issue.by_enrolment", type=type)
        return self.types[type]

    def _check(self, request: CardRequest, card: HeldCard, at: datetime) -> tuple[PublicKey, ...]:
        if request.configuration != configuration(card.type, card.format):
            raise Refused("request.other_card", spec="OpenID4VCI §8.2", asked=request.configuration)
        if card.prepared.end <= at:
            raise Refused("offer.outdated")
        keys = check_proofs(
            request.proofs, issuer=self.id, nonce=card.nonce, copies=card.copies, algorithms=self.algorithms, at=at
        )
        if self.signer.public_key in keys:
            raise Refused("proof.issuer_key")
        return keys

    def _current(self, card: HeldCard, at: datetime) -> HeldCard:
        if not card.typed:
            return card
        try:
            return replace(card, prepared=self.prepare(card.type, json.read_object(card.typed), at=at))
        except Malformed:  # it could be prepared when it was offered: its time has passed
            raise Refused("offer.outdated") from None

    def _sign(self, card: HeldCard, keys: tuple[PublicKey, ...], at: datetime, entropy: Entropy) -> tuple[bytes, ...]:
        self._check_key(at)
        window = Window(card.prepared.start, card.prepared.end)
        form = self.formats[card.format]
        cards: list[bytes] = []
        kind = self._type(card.type)
        pen = self.pen(kind, card.format)
        for index, key in enumerate(keys):
            status = card.status[index : index + 1]
            draft = self.draft(kind, card.format, card.prepared.claims, key, window, status)
            cards.append(form.issue(draft, pen, at=at, entropy=entropy).raw)
        return tuple(cards)

    def _check_key(self, at: datetime) -> None:
        """The signing key is still the city's: what it signed otherwise, nobody would believe."""
        place = self.signed_by.at
        if isinstance(place, CertificateChain):
            if x509.public_key(place.certificates[0]) != self.signer.public_key:
                raise Misuse("issue.wrong_signer", thumbprint=self.signer.public_key.thumbprint)
            for certificate in map(x509.read, place.certificates):
                if not certificate.not_before <= at <= certificate.not_after:
                    raise Refused("issue.key_expired", name=certificate.name, end=times.stamp(certificate.not_after))
        elif self.document is not None and isinstance(place, DidUrl):
            try:
                published = self.document.key(place.fragment, self.signed_by.purpose)
            except CityIdError:
                raise Refused("issue.key_rotated", key=str(place)) from None
            if published != self.signer.public_key:
                raise Refused("issue.key_rotated", key=str(place))
