"""The actions of one batch, written when it is over: each with a salt, with what it left of the rows that it is about,
and with its leaf in the log.

The first action of a batch also tells of the batch itself, of the counters it moved and of the list it drew from, so
that no row of the register is without an action that remembers it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from cityid.edge.register_marks import Known, facts_of, facts_of_known, rows_about, single
from cityid.edge.register_rows import EPOCH
from cityid.edge.sql import Link
from cityid.errors import Fact
from cityid.register import Event, check_text
from cityid.register.leaves import written

__all__ = ["SALT", "Actions"]

SALT: Final = 32
"""Bytes of an action's salt."""


@dataclass(slots=True)
class _Action:
    kind: str
    facts: Mapping[str, Fact]
    table: str
    thing: Any
    known: Known | None = None


@dataclass(slots=True)
class Actions:
    """What a batch did. `batch` is its id; its clerk and time are those of all of its actions."""

    batch: int
    clerk: str
    now: int
    entropy: Callable[[int], bytes]
    lists: dict[int, None] = field(default_factory=dict)
    """Lists that were touched."""
    counters: dict[str, int] = field(default_factory=dict)
    _done: list[_Action] = field(default_factory=list)

    def add(
        self, kind: str, facts: Mapping[str, Fact], table: str = "", thing: Any = None, known: Known | None = None
    ) -> None:
        """An action, about one thing of `table` where there is one. `known` are all rows about a card that was made
        just now; where more is done to it in this batch, they are read."""
        self._done.append(_Action(check_text("kind", kind), facts, table, thing, known))

    def remember(self, link: Link) -> None:
        """Say again what lists, keys, clerks, voices and counters are, where what remembered them is forgotten."""
        self.lists |= dict.fromkeys(one for (one,) in link.execute("SELECT id FROM lists ORDER BY id"))
        self.counters |= dict(link.execute("SELECT name, last FROM counters").fetchall())
        for table, key in (("keys", "thumbprint"), ("clerks", "name"), ("voices", "id")):
            for (thing,) in link.execute(f"SELECT {key} FROM {table} ORDER BY {key}").fetchall():  # noqa: S608  # our own words, values are bound
                self.add("remember", {}, table, thing)

    def write(self, link: Link) -> None:
        """Write all of them, inside the batch's transaction and at its end."""
        done = self._done or [_Action("batch", {}, "", None)]
        lists = {one: rows for one, rows in rows_about(link, "lists", self.lists).items() if rows}
        done += [_Action("list", {}, "lists", one) for one in list(lists)[1:]]
        often = Counter(one.thing for one in done if one.table == "cards")
        read = dict.fromkeys(
            one.thing for one in done if one.table == "cards" and (one.known is None or often[one.thing] > 1)
        )
        cards = rows_about(link, "cards", read)
        (last,) = link.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()
        at = EPOCH + timedelta(seconds=self.now)
        salts = self.entropy(SALT * len(done))
        rows = []
        for number, one in enumerate(done, last + 1):
            place = SALT * (number - last - 1)
            salt = salts[place : place + SALT]
            facts: dict[str, Fact] = {**one.facts}
            if one.table == "cards":
                known = one.known
                facts |= (
                    facts_of_known(salt, known)
                    if known and one.thing not in cards
                    else facts_of(salt, cards[one.thing])
                )
            elif one.table == "lists":
                facts |= self._list(salt, lists[one.thing])
            elif one.table:
                facts |= {"of": one.table, "thing": str(one.thing)} | facts_of(salt, single(link, one.table, one.thing))
            if number == last + 1:
                facts |= self._first(link, salt)
                if lists:
                    facts |= self._list(salt, next(iter(lists.values())))
            kept, leaf = written(Event(number, one.kind, self.clerk, at, facts, salt))
            card = one.thing if one.table == "cards" else None
            rows.append((number, one.kind, self.clerk, self.now, kept.decode("utf-8"), salt, leaf, card))
        link.add("events", ("id", "kind", "clerk", "at", "facts", "salt", "leaf", "card"), rows)

    def _first(self, link: Link, salt: bytes) -> dict[str, Fact]:
        facts: dict[str, Fact] = {
            "batch": self.batch, "batch_row": facts_of(salt, single(link, "batches", self.batch))["row"],
        }  # fmt: skip
        if self.counters:
            facts["counters"] = " ".join(f"{name}={last}" for name, last in sorted(self.counters.items()))
        return facts

    @staticmethod
    def _list(salt: bytes, rows: list[Any]) -> dict[str, Fact]:
        return {"list_id": rows[0].name, **facts_of(salt, rows, "list_")}
