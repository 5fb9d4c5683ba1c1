"""What a register holds, and which steps its rows may take. No claim value is in them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final

from cityid.credential import StatusRef, Window
from cityid.encoding import texts
from cityid.errors import Fact, Refused

__all__ = [
    "NUMBER",
    "Bits",
    "Checkpoint",
    "Entry",
    "Event",
    "Filter",
    "Issued",
    "IssuedCopy",
    "Key",
    "State",
    "Status",
    "StatusChange",
    "check_change",
    "check_step",
    "check_text",
    "copies_of",
]

NUMBER: Final = re.compile(r"R-[0-9]{4}-[0-9]{6,12}")
"""A row's number: `R-2026-004711`, counted within the year of its making."""
LONGEST: Final = 500
"""Characters of a text that a clerk gives: a name, a reason."""
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


def check_text(field: str, text: str) -> str:
    """A text that is fit to be kept and shown on one line.

    Raises:
        Malformed: `text.too_long`, `text.control`.
    """
    return texts.label(text, field, LONGEST)


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
    key: str = ""
    """Names the row for ever, such as a line of a file that is issued from: it is recorded once."""
    subject: str = ""
    """A pseudonym of the person, which groups their cards."""
    digest: str = ""
    """Of the claims, under a secret of the city: tells whether they changed."""
    department: str = ""
    claims: bytes = b""
    """The claim values as JSON, for a register that keeps them."""


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
    values: tuple[int, ...] = ()
    """What each entry of `status` says now."""
    subject: str = ""
    digest: str = ""
    department: str = ""
    device: str = ""
    """The wallet that took it, as it calls itself to this city."""
    approved_by: str = ""

    @property
    def standing(self) -> int:
        """The worst of its status values: revoked, else suspended, else another that is not 0, else valid."""
        for value in (Status.INVALID, Status.SUSPENDED):
            if value in self.values:
                return value
        return max(self.values, default=Status.VALID)

    @property
    def holders(self) -> tuple[str, ...]:
        return tuple(copy.holder for copy in self.copies if copy.holder)

    @property
    def status(self) -> tuple[StatusRef, ...]:
        return tuple(ref for copy in self.copies for ref in copy.status)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are meant: all of what is given must hold. `holder` is the thumbprint of a key, `standing` a status
    value that one of a row's entries has, `text` a part of the number, or the beginning of a key's thumbprint; `since`
    (inclusive) and `until` (exclusive) bound when the row was made."""

    type: str | None = None
    state: State | None = None
    holder: str | None = None
    standing: int | None = None
    clerk: str | None = None
    department: str | None = None
    subject: str | None = None
    device: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    types: frozenset[str] = frozenset()
    """Any of these, where there are some."""


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
    """One action under a name: `offer`, `issue`, `approve`, `withdraw`, `status`, `key`, `clerk`, `publish`,
    `reconcile`, `copy` and what callers add. Facts hold nothing personal; `row` and `marks` are over the rows that it
    is about, as it left them (`cityid.register.leaves`).

    `leaf` is what the log has of it, at `position` from when the sequencer saw it. Of an action whose `salt` was erased
    (kind `erased`) or that a restore lost (kind `lost`) only these two are left.
    """

    id: int
    kind: str
    by: str
    at: datetime
    facts: Mapping[str, Fact] = field(default_factory=lambda: _NO_FACTS)
    salt: bytes = b""
    leaf: bytes = b""
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log of actions as it was signed last: how many leaves, under which root."""

    size: int
    root: bytes
    at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the city and its period: cards signed before `since` or after `until` are not its cards."""

    thumbprint: str
    label: str
    algorithm: str
    since: datetime
    until: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Voice:
    """What the roll has of one person, who has one voice in polls (`cityid.polls.Enrolment`). `person` is a pseudonym,
    and `secret` tells under which secret of the city."""

    person: str
    secret: str
    commitment: bytes
    entropy: bytes = field(repr=False)
    since: date


@dataclass(frozen=True, slots=True)
class Bits:
    """One status list as it stands: `values` holds the entries that are not 0, by index. `version` grows with every
    change, so that a list made from an older reading can be told from a newer."""

    uri: str
    bits: int
    size: int
    version: int
    values: Mapping[int, int]
    published: int = -1
    """The version that was published last; -1 before the first."""
    published_at: datetime | None = None
