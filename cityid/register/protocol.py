"""What a register does, whatever keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final, Protocol, TypeVar, runtime_checkable

from cityid.clerks import Clerk
from cityid.credential import CredentialType, StatusRef, Window
from cityid.errors import Fact, Unavailable
from cityid.log import Tile
from cityid.register.rows import Bits, Checkpoint, Entry, Event, Filter, Issued, Key, State, StatusChange, Voice

__all__ = ["Batch", "Register", "Roll", "in_batch"]

ATTEMPTS: Final = 4
"""How often `in_batch` tries, when a store is busy or its connection was lost."""
_AGAIN: Final = frozenset({"store.busy", "store.lost"})

T = TypeVar("T")


def in_batch(register: Register, clerk: str, key: str, at: datetime, work: Callable[[Batch], T]) -> T:
    """What `work` makes of a batch. Where the store is busy or the connection broke, even at the commit, it is begun
    again a few times: the key sees to it that `work` happens once (ask `batch.repeats` first).

    Raises:
        As `work` and `Register.batch`.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with register.batch(clerk, key, at) as batch:
                result = work(batch)
        except Unavailable as error:
            if error.code not in _AGAIN or attempt == ATTEMPTS:
                raise
        else:
            return result
    raise AssertionError  # the loop returns or raises


class Roll(Protocol):
    """The roll of voices, to be read. Every method may raise Unavailable `store.*`."""

    def voice(self, person: str, secret: str) -> Voice | None:
        """What it has of a person.

        Raises:
            Unavailable: `register.other_secret`, when it was kept under another secret than `secret`.
        """
        ...

    def restored_since(self, at: datetime) -> bool:
        """Was the register restored from a backup (`restart`) at `at` or later, so that it may not know who came?"""
        ...


class Batch(Roll, Protocol):
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
            Misuse: `register.not_allotted`, for a status entry that was not allotted, or to another row;
                `register.keeps_no_claims`.
            Refused: `register.row_key_used`.
        """
        ...

    def approve(self, number: str, by: str, deadline: datetime | None = None) -> Issued:
        """A second clerk's yes to a pending row: it counts as offered from now on, until `deadline`.

        Raises:
            Refused: `register.same_clerk`, `register.wrong_state`, `register.unknown_number`.
        """
        ...

    def issue(self, number: str, holders: Sequence[str], window: Window | None = None, *, device: str = "") -> Issued:
        """An offered row was taken: its copies are bound to `holders` (thumbprints) in their order, at most as many as
        were prepared. `window` replaces the planned one; `device` is what the wallet calls itself to this city.

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

    def key(self, key: Key) -> None:
        """Record a key of the city, or the end of its period, with its event."""
        ...

    def clerk(self, clerk: Clerk, secret: str = "") -> None:
        """Record a clerk, or what became of them, with its event. `secret` is what tells their passphrase, as the
        edge writes it; without one, what was recorded stays."""
        ...

    def enrol(self, voice: Voice, how: str) -> None:
        """Put a voice on the roll in place of what it had of this person, or say that it was given out once more;
        `how` (`first`, `again`, `lost`) goes into the event, and nothing that is personal."""
        ...

    def published(self, uri: str, version: int) -> None:
        """The list was published as it was at `version`.

        Raises:
            Refused: `register.published_newer`, `register.unknown_list`.
        """
        ...

    def publication(self, least: int = 0) -> int:
        """The next number of a publication, above `least` and all that were given before."""
        ...

    def take_over(self, uri: str, values: Mapping[int, int], why: str) -> int:
        """What was published before a restore holds: entries say at least what they said then, unknown ones are burnt.
        How many changed.

        Raises:
            Refused: `register.unknown_list`.
        """
        ...

    def adopt(self, uri: str, bits: int, size: int) -> None:
        """A list that was begun before a restore and is not known any more: known from now on, and closed."""
        ...

    def restart(self) -> int:
        """Close all open lists; those begun from now on, and row numbers, cannot meet any that a lost register gave
        out. How many were closed."""
        ...

    def erase_salts(self, before: datetime) -> int:
        """Make the leaves of actions before then say nothing for ever: only leaf and position stay of them. The last
        action about a card that has not ended before then is kept, because it remembers the card. How many."""
        ...

    def lose(self, start: int, entries: Sequence[bytes]) -> None:
        """Entries that the log had before a restore, from position `start` on: what they were is not known any more.

        Raises:
            Refused: `register.checkpoint_conflict`, where the log does not end at `start`.
        """
        ...

    def checkpoint(self, size: int, root: bytes, note: str) -> None:
        """The log of actions was signed: to be recorded before the signature leaves the house.

        Raises:
            Refused: `register.checkpoint_conflict`, for fewer leaves than before, or another root over as many.
        """
        ...


@runtime_checkable
class Register(Roll, Protocol):
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
        where: Filter | None = None,
    ) -> Iterator[Issued]:
        """Rows in the order of their making, read a page at a time, so that any number of them takes little memory.
        `where` says which; `type`, `state` and `holder` (a key's thumbprint) are short for it; `after` continues behind
        a number (Refused `register.unknown_number`)."""
        ...

    def known(self, keys: Iterable[str]) -> Mapping[str, str]:
        """The numbers of rows by their `Entry.key`, for those of `keys` that were recorded."""
        ...

    def claims(self, number: str) -> bytes:
        """The claim values of a row as JSON; empty where they are not kept. Unavailable `store.damaged`."""
        ...

    def history(self, ref: StatusRef) -> tuple[StatusChange, ...]:
        """What was done to one status entry, oldest first."""
        ...

    def events(self, *, after: int = 0) -> Iterator[Event]:
        """Actions in their order, read a page at a time."""
        ...

    def actions(self, number: str) -> tuple[Event, ...]:
        """What was done about one row, oldest first. Refused `register.unknown_number`."""
        ...

    def sequence(self) -> int:
        """Give each action that has none its position in the log, in their order. How many the log has."""
        ...

    def log_size(self) -> int:
        """How many actions have a position."""
        ...

    def tile(self, tile: Tile) -> bytes:
        """A tile of the log's tree. Unavailable `store.damaged`, where it is not whole."""
        ...

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """The log's entries by position, from `start` up to `end` (exclusive), read a page at a time."""
        ...

    def sequenced(self, start: int, end: int) -> Iterator[Event]:
        """Actions by their position in the log, from `start` up to `end` (exclusive), read a page at a time."""
        ...

    def checkpoint(self) -> Checkpoint | None:
        """The last."""
        ...

    def keys(self) -> tuple[Key, ...]:
        """The city's keys, oldest first."""
        ...

    def clerks(self) -> Mapping[str, tuple[Clerk, str]]:
        """Everybody who is, or was, a clerk, with what tells their passphrase."""
        ...

    def publication(self) -> int:
        """The number of the last publication; 0 before the first."""
        ...

    def statistics(self) -> Mapping[str, Mapping[str, int]]:
        """Counts by `type`, `state`, `status` and `clerk`; of `lists`: `total`, `entries`, `burnt`; `voices` on the
        roll, by the roll day since which polls hear them."""
        ...

    def lists(self) -> tuple[str, ...]:
        """The URIs of all status lists, oldest first."""
        ...

    def bits(self, uri: str) -> Bits:
        """Raises Refused `register.unknown_list`."""
        ...
