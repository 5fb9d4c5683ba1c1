"""The resident's half of issuing: keys of their own, proved; and a hard look at what came back, before it is stored.

request = begin(offer, wallet, at)                       makes and proves a key for each copy, remembers the offer
card = accept(cards, wallet, trust, at).run(exchange)    all copies are good and stored, or nothing is
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cityid import trust
from cityid.cards import CardRequest, Cards, Offer, configuration, prove
from cityid.checks import Check, Outcome
from cityid.credential import Credential
from cityid.encoding import json, times
from cityid.errors import Problem, Refused
from cityid.formats import FORMATS, Format
from cityid.keys import PublicKey, jwk
from cityid.plan import Steps, plan
from cityid.trust import TrustList
from cityid.wallet import ME, Card, Wallet

__all__ = ["accept", "begin"]


@dataclass(frozen=True, slots=True)
class _Pending:
    """An offer that was begun, as the wallet remembers it."""

    issuer: str
    type: str
    format: str
    wire_type: str
    keys: tuple[PublicKey, ...]
    person: str = ME

    def write(self) -> bytes:
        return json.write({
            "issuer": self.issuer, "type": self.type, "format": self.format, "wire_type": self.wire_type,
            "keys": [jwk.write(key) for key in self.keys], "person": self.person,
        })  # fmt: skip

    @classmethod
    def read(cls, data: bytes) -> _Pending:
        fields = json.Fields(json.read(data))
        keys = tuple(jwk.read(item, f"$.keys[{index}]") for index, item in enumerate(fields.array("keys")))
        names = [fields.text(name) for name in ("issuer", "type", "format", "wire_type")]
        return cls(names[0], names[1], names[2], names[3], keys, fields.optional_text("person") or ME)


def begin(
    offer: Offer, wallet: Wallet, at: datetime, *, person: str = ME, formats: Mapping[str, Format] = FORMATS
) -> CardRequest:
    """Answer an offer: a fresh key for each copy, proved for this issuer and this offer. Beginning the same offer again
    proves the same keys again, because the first request may have been lost. The cards will be `person`'s.

    Raises:
        Refused: `offer.expired`, `accept.already`, `accept.format`, `accept.algorithm`, `accept.other_person`,
            `wallet.unknown_person`.
        Misuse: `time.naive`.
        Unavailable: `store.*`.
    """
    times.check_aware(at)
    if at >= offer.expires:
        raise Refused("offer.expired")
    if offer.format not in formats:
        raise Refused("accept.format", format=offer.format)
    if person not in wallet.persons():
        raise Refused("wallet.unknown_person", person=person)
    pending = _find(wallet, offer.id)
    if pending is not None and pending.person != person:
        raise Refused("accept.other_person", person=pending.person)
    if pending is None:
        _check_new(wallet, offer.id)
        if not offer.algorithms:
            raise Refused("accept.algorithm")
        keys = tuple(wallet.keyring.create(offer.algorithms[0]) for _ in range(offer.copies))
        pending = _Pending(offer.issuer, offer.type, offer.format, offer.wire_type, keys, person)
        wallet.remember_offer(offer.id, pending.write(), at)
    proofs = (prove(wallet.keyring.signer(key), issuer=offer.issuer, nonce=offer.nonce, at=at) for key in pending.keys)
    named = configuration(offer.type, offer.format)
    return CardRequest(offer.issuer, named, offer.code, tuple(proofs), wallet.device(offer.issuer, person))


def _find(wallet: Wallet, id: str) -> _Pending | None:
    return next((_Pending.read(offered.value) for offered in wallet.pending() if offered.id == id), None)


def _check_new(wallet: Wallet, offer: str) -> None:
    """The card of this offer is not in the wallet already."""
    for card in wallet.held():
        if card.offer == offer:
            raise Refused("accept.already", card=card.id, type=card.type)


@plan
def accept(
    cards: Cards,
    wallet: Wallet,
    trusted: TrustList,
    at: datetime,
    *,
    formats: Mapping[str, Format] = FORMATS,
) -> Steps[Card]:
    """Judge every copy, then store them as one card: believed issuer, its key, its signature, of the type and issuer
    asked, each bound to another of the keys that were proved for this offer, valid now or later, equal to each other.

    They are the person's for whom the offer was begun. An issuer that is not trusted causes no traffic. Where
    anything is wrong nothing is stored, and the offer stays pending.

    Raises (when run):
        Refused: `accept.*`; `trust.*`, `did.*`, `jws.alg`, `signature.invalid`.
        Malformed: a card that cannot be read.
        Misuse: `time.naive`.
        Unavailable: `net.*`, `did.*`, `trust.*`, `store.*`.
    """
    times.check_aware(at)
    pending = _find(wallet, cards.offer)
    if pending is None:
        _check_new(wallet, cards.offer)
        raise Refused("accept.not_asked")
    if cards.issuer != pending.issuer:
        raise Refused("accept.other_issuer", issuer=cards.issuer, expected=pending.issuer)
    if cards.configuration != configuration(pending.type, pending.format):
        raise Refused("accept.other_type", type=cards.configuration, expected=pending.wire_type)
    if len(cards.credentials) > len(pending.keys):
        raise Refused("accept.too_many", count=len(cards.credentials), limit=len(pending.keys))
    form = formats[pending.format]
    copies = [form.read(raw) for raw in cards.credentials]
    issuer_name = ""
    for index, copy in enumerate(copies):
        where = f"$.credentials[{index}]"
        _check_asked(copy, pending, at, where)
        issuer_name = yield from _believed(copy, form, trusted, at)
    _check_batch(copies)
    return wallet.add(copies, at, issuer_name=issuer_name or pending.issuer, person=pending.person, offer=cards.offer)


def _check_asked(copy: Credential, pending: _Pending, at: datetime, where: str) -> None:
    if copy.issuer != pending.issuer:
        raise Refused("accept.other_issuer", where=where, issuer=copy.issuer, expected=pending.issuer)
    if copy.types[:1] != (pending.wire_type,):
        raise Refused("accept.other_type", where=where, type=", ".join(copy.types), expected=pending.wire_type)
    # What is proved afresh at each showing is bound to no key: the keys of the offer stay unused.
    if copy.holder not in pending.keys and not copy.proves:
        raise Refused("accept.not_my_key", where=where, spec="OpenID4VCI §8.3")
    start, end = copy.window.start, copy.window.end
    if end is not None and (at >= end or (start is not None and start >= end)):
        raise Refused("accept.expired", where=where, end=times.stamp(end))
    if end is None and not copy.status:
        raise Refused("accept.no_end", where=where)


def _believed(copy: Credential, form: Format, trusted: TrustList, at: datetime) -> Steps[str]:
    """The issuer's name in the trust list, once its word, its key and its signature have been found good."""
    if not copy.signed_by:
        raise Refused("accept.unsigned")
    keys, name = {}, ""
    for ref in copy.signed_by:
        check = trusted.check(ref, copy.issuer, copy.types, at)
        _require(check)
        name = str(check.facts.get("name", ""))
        keys[ref] = yield from trust.key(ref, trusted, at)
    for check in form.check_issued(copy, keys, at):
        _require(check)
    return name


def _require(check: Check) -> None:
    if check.outcome is not Outcome.PASSED:
        raise Refused(check.problem or Problem("accept.unsigned"))


def _said(copy: Credential) -> Mapping[str, Any]:
    """The claims of a copy, less those by which a W3C credential names its holder's key and its place in a list."""
    if "@context" not in copy.claims:
        return copy.claims
    said = {name: value for name, value in copy.claims.items() if name != "credentialStatus"}
    subject = said.get("credentialSubject")
    if isinstance(subject, Mapping):
        said["credentialSubject"] = {name: value for name, value in subject.items() if name != "id"}
    return said


def _check_batch(copies: list[Credential]) -> None:
    """Copies that differ in anything but key, salts and status entry can be told apart where they are shown."""
    first = copies[0]
    said = _said(first)
    for copy in copies[1:]:
        if (_said(copy), copy.hidden, copy.window) != (said, first.hidden, first.window):
            raise Refused("accept.unequal_copies", spec="RFC 9901 §10.1")
    if len({copy.holder for copy in copies}) != len(copies):
        raise Refused("accept.same_key", spec="OpenID4VCI §8.3")
    entries = [(ref.kind, ref.uri, ref.index) for copy in copies for ref in copy.status]
    if len(set(entries)) != len(entries):
        raise Refused("accept.same_status", spec="Token Status List §12.5")
