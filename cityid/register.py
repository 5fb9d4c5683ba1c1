"""City hall's memory: what was issued, under which numbers, and what became of it. No claim value is in it.

Everything that changes it happens in a `Batch`, which is one transaction: after it was left without an error it is
durable, and only then may an offer, a card or a list leave the house.

    with register.batch(clerk, key, at) as batch:
        if batch.repeats:                                    # the same key was here before
            return batch.rows
        refs = batch.allot(type, type.copies)
        row, = batch.record([Entry(type.id, "dc+sd-jwt", window, copies_of(refs, type.copies), deadline=until)])
    ...                                                      # committed: the offer may go out
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final, Protocol, runtime_checkable

from cityid.credential import CredentialType, StatusRef, Window
from cityid.errors import Fact, Refused

__all__ = [
    "Batch",
    "Bits",
    "Entry",
    "Event",
    "Issued",
    "IssuedCopy",
    "Register",
    "State",
    "Status",
    "StatusChange",
    "check_change",
    "check_step",
    "copies_of",
]

NUMBER: Final = re.compile(r"R-[0-9]{4}-[0-9]{6,12}")
"""A row's number: `R-2026-004711`, counted within the year of its making."""
_NO_FACTS: Final[Mapping[str, Fact]] = MappingProxyType({})


class State(StrEnum):
    """How far a row has come. Only the steps of `check_step` exist."""

    PENDING = "pending"
    """Waits for a second clerk's approval; nothing may go out."""
    OFFERED = "offered"
    """A code is out; nothing is signed."""
    ISSUED = "issued"
    """Signed for the holder's keys."""
    WITHDRAWN = "withdrawn"
    """Taken back before it was signed."""


_STEPS: Final[Mapping[State, frozenset[State]]] = MappingProxyType(
    {
        State.PENDING: frozenset({State.OFFERED, State.WITHDRAWN}),
        State.OFFERED: frozenset({State.ISSUED, State.WITHDRAWN}),
        State.ISSUED: frozenset(),
        State.WITHDRAWN: frozenset(),
    }
)


class Status(IntEnum):
    """Token Status List §7.1. Values above 2 belong to the application and are not issued here."""

    VALID = 0
    INVALID = 1
    SUSPENDED = 2


def check_step(number: str, now: State, then: State) -> None:
    """A row may go from `now` to `then`.

    Raises:
        Refused: `register.wrong_state`.
    """
    if then not in _STEPS[now]:
        raise Refused("register.wrong_state", number=number, state=now.value, wanted=then.value)


def check_change(now: int, then: int) -> None:
    """An entry may change from `now` to `then`: what was revoked stays revoked (Token Status List §7.1).

    Raises:
        Refused: `register.revoked_for_good`.
    """
    if now == Status.INVALID and then != Status.INVALID:
        raise Refused("register.revoked_for_good", spec="Token Status List §7.1")


@dataclass(frozen=True, slots=True)
class IssuedCopy:
    """One copy of a card: the thumbprint of the key it is bound to ("" until its wallet has proved one, and for ever
    where fewer keys came than copies were prepared) and its status entries."""

    holder: str = ""
    status: tuple[StatusRef, ...] = ()


def copies_of(refs: Sequence[StatusRef], count: int) -> tuple[IssuedCopy, ...]:
    """`count` copies without holders, one status entry each where entries were allotted."""
    return tuple(IssuedCopy("", tuple(refs[index : index + 1])) for index in range(count))


@dataclass(frozen=True, slots=True)
class Entry:
    """What is about to be recorded. `type` is the id of a credential type, `deadline` when its offer lapses."""

    type: str
    format: str
    window: Window
    copies: tuple[IssuedCopy, ...]
    state: State = State.OFFERED
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """One row: a card that was offered or issued, with all of its copies. `batch` names the batch that made it."""

    number: str
    type: str
    format: str
    window: Window
    copies: tuple[IssuedCopy, ...]
    state: State
    deadline: datetime | None
    batch: str
    clerk: str
    at: datetime
    why: str = ""
    """Why it was withdrawn."""

    @property
    def holders(self) -> tuple[str, ...]:
        return tuple(copy.holder for copy in self.copies if copy.holder)

    @property
    def status(self) -> tuple[StatusRef, ...]:
        return tuple(ref for copy in self.copies for ref in copy.status)


@dataclass(frozen=True, slots=True)
class StatusChange:
    """What somebody did to one status entry, and why."""

    ref: StatusRef
    value: int
    why: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One action under a name: `offer`, `issue`, `approve`, `withdraw`, `status`, and what callers add (`key`, `type`,
    `clerk`). Facts hold nothing personal."""

    id: int
    kind: str
    by: str
    at: datetime
    facts: Mapping[str, Fact] = field(default_factory=lambda: _NO_FACTS)


@dataclass(frozen=True, slots=True)
class Bits:
    """One status list as it stands: `values` holds the entries that are not 0, by index. `version` grows with every
    change, so that a list made from an older reading can be told from a newer."""

    uri: str
    bits: int
    size: int
    version: int
    values: Mapping[int, int]


class Batch(Protocol):
    """One transaction. All methods but the properties raise Misuse `register.key_used` when `repeats`, and
    `register.batch_over` after the transaction ended."""

    @property
    def repeats(self) -> bool:
        """A batch with this key was committed before: nothing may be changed, `rows` holds what it recorded."""
        ...

    @property
    def rows(self) -> tuple[Issued, ...]:
        """What this batch, or the first with its key, recorded or moved on, as it is now."""
        ...

    def allot(self, type: CredentialType, n: int) -> tuple[StatusRef, ...]:
        """`n` status entries that nobody had before and nobody will have again, drawn at random within the current
        list; () for a type whose status is `none`. Lists roll over.

        Raises:
            Misuse: `register.no_status_base`, when the register was not told where lists will be published.
        """
        ...

    def record(self, rows: Iterable[Entry]) -> tuple[Issued, ...]:
        """Give each entry a number and write it, with its event.

        Raises:
            Misuse: `register.not_allotted`, for a status entry that was not allotted, or to another row.
        """
        ...

    def approve(self, number: str, by: str) -> Issued:
        """A second clerk's yes to a pending row: it counts as offered from now on.

        Raises:
            Refused: `register.same_clerk`, `register.wrong_state`, `register.unknown_number`.
        """
        ...

    def issue(self, number: str, holders: Sequence[str], window: Window | None = None) -> Issued:
        """An offered row was taken: its copies are bound to `holders` (thumbprints) in their order, at most as many as
        were prepared. `window` replaces the planned one.

        Raises:
            Refused: `register.wrong_state`, `register.unknown_number`.
            Misuse: `register.holder_count`, when none came or more than copies were prepared.
        """
        ...

    def withdraw(self, number: str, why: str) -> Issued:
        """Take back what was not signed yet.

        Raises:
            Refused: `register.wrong_state`, `register.unknown_number`.
        """
        ...

    def set_status(self, refs: Iterable[StatusRef], value: int, why: str, by: str) -> int:
        """Set entries and say how many changed; all or none.

        Raises:
            Refused: `register.revoked_for_good`, `register.unknown_entry`.
            Misuse: `register.status_value`, when a list has too few bits for `value`.
        """
        ...

    def event(self, kind: str, facts: Mapping[str, Fact]) -> None:
        """Record any other action under the clerk's name."""
        ...


@runtime_checkable
class Register(Protocol):
    """The register. Every method may raise Unavailable `store.*`."""

    def batch(self, clerk: str, key: str, at: datetime) -> AbstractContextManager[Batch]:
        """One transaction by `clerk`. `key` makes it idempotent: a second batch with a committed key changes nothing
        and is told the first one's rows.

        Raises:
            Misuse: `register.no_clerk`, because every action is somebody's.
        """
        ...

    def find(self, number: str) -> Issued:
        """Raises Refused `register.unknown_number`."""
        ...

    def rows(
        self,
        *,
        type: str | None = None,
        state: State | None = None,
        holder: str | None = None,
        after: str = "",
    ) -> Iterator[Issued]:
        """Rows in the order of their making, read a page at a time, so that any number of them takes little memory.
        `holder` is a key's thumbprint; `after` continues behind a number (Refused `register.unknown_number`)."""
        ...

    def history(self, ref: StatusRef) -> tuple[StatusChange, ...]:
        """What was done to one status entry, oldest first."""
        ...

    def events(self, *, after: int = 0) -> Iterator[Event]:
        """Actions in their order, read a page at a time."""
        ...

    def lists(self) -> tuple[str, ...]:
        """The URIs of all status lists, oldest first."""
        ...

    def bits(self, uri: str) -> Bits:
        """Raises Refused `register.unknown_list`."""
        ...
