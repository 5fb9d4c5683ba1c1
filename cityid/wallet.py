"""The resident's memory: cards with their single-use copies, the keys they are bound to, offers not yet taken, and what
was shown to whom.

A copy that was reserved is used, whether or not anything was sent: a lost copy is better than one that links two
showings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol, runtime_checkable

from cityid.cards import Device
from cityid.credential import Credential, Path, Window
from cityid.encoding import times
from cityid.errors import Misuse, Problem
from cityid.keys import Keyring, PublicKey

__all__ = ["DEVICE", "ME", "Card", "Copy", "Offered", "Shown", "Wallet", "check_copies", "hints"]

ME: Final = "me"
"""The person whose wallet it is; a represented person has another name."""
DEVICE: Final = "wallet"
"""What a device is called whose owner gave it no name."""
_FEW: Final = 5
"""One in so many copies left is few."""
_NEAR: Final = 10
"""The last of so many parts of a card's life is near its end."""
_NEAR_AT_LEAST: Final = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Copy:
    """One reserved copy of a card. `again` says that it was used before, so two services could compare notes."""

    card: str
    id: str
    credential: Credential
    again: bool = False

    @property
    def raw(self) -> bytes:
        return self.credential.raw

    @property
    def key(self) -> PublicKey:
        """The holder's key that this copy is bound to; its signer is in `Wallet.keyring`.

        Raises:
            Misuse: `wallet.not_bound`, for a card that was stored without a holder's key.
        """
        if self.credential.holder is None:
            raise Misuse("wallet.not_bound")
        return self.credential.holder


@dataclass(frozen=True, slots=True)
class Card:
    """A card in the wallet: equal copies of one credential. `type` is its wire name (vct), `issuer_name` what the trust
    list called the issuer when the card was accepted. Reading `credential` reads the copy that is next in line."""

    id: str
    type: str
    issuer: str
    issuer_name: str
    format: str
    window: Window
    copies_left: int
    copies_total: int
    person: str
    added: datetime
    read: Callable[[], Credential] = field(repr=False, compare=False)
    offer: str = ""
    """The offer that it was made for, where that is known."""

    @property
    def credential(self) -> Credential:
        return self.read()


@dataclass(frozen=True, slots=True)
class Offered:
    """An offer that was begun and not yet taken. `value` is what accepting wants to remember, in its own form."""

    id: str
    value: bytes = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """What left the wallet: the paths of the claims, never their values, and to whom. `name` and `purpose` are what
    the service said of itself; `type` and `person` outlive the card, which may be forgotten. `again`: the copy had been
    shown before."""

    card: str
    copy: str
    to: str
    claims: tuple[Path, ...]
    at: datetime
    id: str = ""
    type: str = ""
    person: str = ME
    name: str = ""
    purpose: str = ""
    again: bool = False


def hints(card: Card, at: datetime) -> tuple[Problem, ...]:
    """What the holder should know of a card before it lets them down: `wallet.ended`, or `wallet.ends_soon` in the last
    tenth of its life; `wallet.none_left`, or `wallet.few_left` at a fifth of its copies."""
    found = []
    start, end = card.window.start or card.added, card.window.end
    if end is not None and at >= end:
        found.append(Problem("wallet.ended", {"end": times.stamp(end)}))
    elif end is not None and end - at <= max((end - start) / _NEAR, min(_NEAR_AT_LEAST, (end - start) / 2)):
        found.append(Problem("wallet.ends_soon", {"end": times.stamp(end)}))
    if not card.copies_left:
        found.append(Problem("wallet.none_left", {"total": card.copies_total}))
    elif card.copies_left * _FEW <= card.copies_total:
        found.append(Problem("wallet.few_left", {"left": card.copies_left, "total": card.copies_total}))
    return tuple(found)


def check_copies(copies: Sequence[Credential]) -> None:
    """The copies make one card: same format, types, issuer and window, each bound to a key of its own.

    Raises:
        Misuse: `wallet.no_copies`, `wallet.unequal_copies`.
    """
    if not copies:
        raise Misuse("wallet.no_copies")
    first = copies[0]
    for copy in copies[1:]:
        same = (copy.format, copy.types, copy.issuer, copy.window) == (
            first.format,
            first.types,
            first.issuer,
            first.window,
        )
        if not same:
            raise Misuse("wallet.unequal_copies")
    if len({copy.holder for copy in copies}) != len(copies):
        raise Misuse("wallet.unequal_copies")


@runtime_checkable
class Wallet(Protocol):
    """The wallet. What a method has returned from is durable. Every method may raise Unavailable `store.*`."""

    @property
    def keyring(self) -> Keyring:
        """The holder's keys. A key that was created is durable before it is returned, so its proof can be sent."""
        ...

    def add(
        self,
        copies: Sequence[Credential],
        at: datetime,
        *,
        issuer_name: str = "",
        person: str = ME,
        offer: str = "",
    ) -> Card:
        """Store equal copies as one card, all or none. They were verified before (`cityid.accepting`). `offer` is the
        pending offer that they answer: it is forgotten in the same step, so it is answered once.

        Raises:
            Misuse: `wallet.no_copies`, `wallet.unequal_copies`.
            Refused: `wallet.unknown_offer`, when `offer` is not pending; `wallet.key_missing`, when a copy is bound to
                a key that is not in the keyring; `wallet.unknown_person`.
        """
        ...

    def held(self, *, person: str | None = None) -> Iterable[Card]:
        """The cards, oldest first."""
        ...

    def card(self, id: str) -> Card:
        """Raises Refused `wallet.unknown_card`."""
        ...

    def reserve(self, card: str, at: datetime, *, allow_reuse: bool = False) -> Copy:
        """A copy to be shown now: counted as used, durably, before this returns. With `allow_reuse`, when none is left,
        the copy that was used least and longest ago comes again (`Copy.again`). A copy of which each showing is a
        proof of its own (`Credential.proves`) is never used up.

        Raises:
            Refused: `wallet.no_copy_left`, `wallet.unknown_card`.
        """
        ...

    def shown(
        self, copy: Copy, to: str, claims: Iterable[Path], at: datetime, *, name: str = "", purpose: str = ""
    ) -> None:
        """Remember that `copy` was shown to `to`, which claims, and what the service said of itself."""
        ...

    def history(self) -> Iterable[Shown]:
        """What was shown, oldest first."""
        ...

    def forget(self, card: str) -> int:
        """Erase a card, its copies and their keys; how many keys are still in a token that could not be asked. What was
        shown of it stays in the history.

        Raises:
            Refused: `wallet.unknown_card`.
        """
        ...

    def forget_shown(self, id: str) -> None:
        """Erase one entry of the history. Raises Refused `wallet.unknown_entry`."""
        ...

    def forget_history(self, before: datetime) -> int:
        """Erase the history before a moment; how many entries that were."""
        ...

    def persons(self) -> tuple[str, ...]:
        """Whose cards are kept here: `ME` first, then those who are represented, in the order they were added."""
        ...

    def add_person(self, name: str, at: datetime) -> None:
        """Raises:
        Refused: `wallet.person_known`. Malformed: `text.*`, for what is no name."""
        ...

    def remove_person(self, name: str) -> None:
        """Raises Refused `wallet.unknown_person`, `wallet.person_has_cards`."""
        ...

    def device(self, issuer: str, person: str = ME) -> Device:
        """This wallet on this device, as one issuer knows it for one person: the same each time, and another for every
        other issuer and person, so that nobody can compare."""
        ...

    def remember_offer(self, id: str, value: bytes, at: datetime) -> None:
        """Keep an offer that was begun until its cards come.

        Raises:
            Refused: `wallet.offer_begun`, when it is pending already.
        """
        ...

    def pending(self) -> Iterable[Offered]:
        """The offers that were begun, oldest first."""
        ...

    def forget_offer(self, id: str) -> None:
        """Raises Refused `wallet.unknown_offer`."""
        ...
