"""The resident's memory: cards with their single-use copies, the keys they are bound to, offers not yet taken, and what
was shown to whom.

A copy that was reserved is used, whether or not anything was sent: a lost copy is better than one that links two
showings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, runtime_checkable

from cityid.credential import Credential, Path, Window
from cityid.errors import Misuse
from cityid.keys import Keyring, PublicKey

__all__ = ["ME", "Card", "Copy", "Offered", "Shown", "Wallet", "check_copies"]

ME: Final = "me"
"""The person whose wallet it is; a represented person has another name."""


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
    """What left the wallet: the paths of the claims, never their values, and to whom."""

    card: str
    copy: str
    to: str
    claims: tuple[Path, ...]
    at: datetime


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
                a key that is not in the keyring.
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
        the copy that was used least and longest ago comes again (`Copy.again`).

        Raises:
            Refused: `wallet.no_copy_left`, `wallet.unknown_card`.
        """
        ...

    def shown(self, copy: Copy, to: str, claims: Iterable[Path], at: datetime) -> None:
        """Remember that `copy` was shown to `to`, and which claims."""
        ...

    def history(self) -> Iterable[Shown]:
        """What was shown, oldest first."""
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
