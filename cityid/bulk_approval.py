"""A table's cards that wait for a second clerk, under one number: what is kept of them until then, and the yes.

Each part of the table waits as one sealed value, and one more says which parts there are. That one is kept when all
others are, and erased when all are approved: while it is there, somebody has still to say yes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from cityid.bulk import ManySessions, Person
from cityid.encoding import json, times
from cityid.errors import Refused, Unavailable
from cityid.issuing import APPROVAL_AGE
from cityid.register import Batch, Issued, Register, State, in_batch
from cityid.sessions import Kind, Sessions

__all__ = ["Asked", "Desk", "Waiting"]


class Desk(ManySessions, Sessions, Protocol):
    """Sessions that take one value, or many."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one clerk asks another for. `number` is the batch of the first part; `run` names the run over the table,
    `parts` are the numbers of its parts, `count` is how many cards are in all of them. `until` is when offers lapse."""

    number: str
    run: str
    type: str
    by: str
    department: str
    table: str
    signed: bool
    until: datetime
    count: int
    parts: tuple[int, ...]

    def write(self) -> bytes:
        return json.write({
            "number": self.number, "run": self.run, "type": self.type, "by": self.by, "department": self.department,
            "table": self.table, "signed": self.signed, "until": times.numeric(self.until), "count": self.count,
            "parts": list(self.parts),
        })  # fmt: skip

    @classmethod
    def read(cls, data: bytes) -> Asked:
        found = json.read_object(data)
        return cls(**{**found, "until": times.read_numeric(found["until"]), "parts": tuple(found["parts"])})


@dataclass(frozen=True, slots=True)
class Waiting:
    """The cards that wait, of any run."""

    register: Register
    sessions: Desk
    place: Callable[[str], str]
    """The name of the session in which something waits (`Issuer.waiting`)."""

    def keep_part(self, run: str, part: int, made: Sequence[tuple[Person, Issued]], at: datetime) -> None:
        """What the cards of a part would say; once, however often it is kept."""
        rows = [
            {
                "number": row.number, "line": person.line, "claims": person.prepared.claims,
                "holder": person.holder.thumbprint if person.holder else "",
                "start": times.numeric(person.prepared.start), "end": times.numeric(person.prepared.end),
            }
            for person, row in made
        ]  # fmt: skip
        self._put(_part(run, part), json.write(rows), at)

    def keep(self, asked: Asked, at: datetime) -> None:
        """From now on another clerk can say yes: all parts are kept."""
        self._put(asked.number, asked.write(), at)

    def _put(self, name: str, value: bytes, at: datetime) -> None:
        self.sessions.put_many([(self.place(name), value)], at + APPROVAL_AGE, kind=Kind.WAITING)

    def find(self, number: str, at: datetime) -> Asked:
        """Raises Refused `approve.nothing_waits`."""
        return Asked.read(self._look(number, number, at))

    def cards(self, asked: Asked, at: datetime) -> Iterator[Mapping[str, Any]]:
        """What each card would say: `number`, `line` in the table, `claims`, `start` and `end` (seconds), and the
        thumbprint of its `holder` where it is known. Raises Refused `approve.nothing_waits`."""
        for part in asked.parts:
            yield from self._rows(asked, part, at)

    def _rows(self, asked: Asked, part: int, at: datetime) -> list[Mapping[str, Any]]:
        data = self._look(_part(asked.run, part), asked.number, at)
        return json.read(data, limit=len(data), nodes=False)  # type: ignore[no-any-return]  # as it was kept

    def _look(self, name: str, number: str, at: datetime) -> bytes:
        place = self.place(name)
        try:
            value = self.sessions.take(place, at, kind=Kind.WAITING)
        except Refused:
            raise Refused("approve.nothing_waits", number=number) from None
        self.sessions.give_back(place, kind=Kind.WAITING)
        return value

    def approve(self, asked: Asked, *, by: str, at: datetime) -> int:
        """The second clerk's yes to all cards, a part at a time: when it was stopped in between, it goes on with those
        that are left. Cards that were withdrawn meanwhile stay withdrawn. How many were approved.

        Raises:
            Refused: `register.same_clerk`, `approve.nothing_waits`. Unavailable: `store.*`.
        """
        if asked.by == by:
            raise Refused("register.same_clerk", number=asked.number, clerk=by)
        count = 0
        for part in asked.parts:
            numbers = [str(row["number"]) for row in self._rows(asked, part, at)]

            def work(batch: Batch, numbers: Sequence[str] = numbers) -> int:
                if batch.repeats:
                    return len(batch.rows)
                return sum(_approved(batch, number, by, asked.until) for number in numbers)

            count += in_batch(self.register, by, f"approve:{asked.run}:{part}", at, work)
        # The one that names all others goes first: without it nobody asks for them.
        for name in (asked.number, *(_part(asked.run, part) for part in asked.parts)):
            with suppress(Unavailable):
                self.sessions.spend(self.place(name), kind=Kind.WAITING)
        return count


def _part(run: str, part: int) -> str:
    return f"{run} {part}"


def _approved(batch: Batch, number: str, by: str, until: datetime) -> bool:
    try:
        return batch.approve(number, by, until).state is State.OFFERED
    except Refused as error:
        if error.code != "register.wrong_state":
            raise
        return False
