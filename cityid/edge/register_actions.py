"""The actions of one batch, written when it is over: each with a salt, with what it left of the rows that it is about,
and with its leaf in the log.

The first action of a batch also tells of the batch itself, of the counters it moved and of the list it drew from, so
that no row of the register is without an action that remembers it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from cityid.edge.register_marks import facts_of, rows_about, single
from cityid.edge.register_rows import EPOCH
from cityid.edge.sql import Link
from cityid.encoding import json
from cityid.errors import Fact
from cityid.register import Event, check_text
from cityid.register.leaves import commitment

__all__ = ["SALT", "Actions"]

SALT: Final = 32
"""Bytes of an action's salt."""


@dataclass(slots=True)
class _Action:
    kind: str
    facts: Mapping[str, Fact]
    table: str
    thing: Any


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

    def add(self, kind: str, facts: Mapping[str, Fact], table: str = "", thing: Any = None) -> None:
        """An action, about one thing of `table` where there is one."""
        self._done.append(_Action(check_text("kind", kind), facts, table, thing))

    def remember(self, link: Link) -> None:
        """Say again what lists, keys, clerks and counters are, where what remembered them is forgotten."""
        self.lists |= dict.fromkeys(one for (one,) in link.execute("SELECT id FROM lists ORDER BY id"))
        self.counters |= dict(link.execute("SELECT name, last FROM counters").fetchall())
        for table, key in (("keys", "thumbprint"), ("clerks", "name")):
            for (thing,) in link.execute(f"SELECT {key} FROM {table} ORDER BY {key}").fetchall():  # noqa: S608
                self.add("remember", {}, table, thing)

    def write(self, link: Link) -> None:
        """Write all of them, inside the batch's transaction and at its end."""
        done = self._done or [_Action("batch", {}, "", None)]
        lists = {one: rows for one, rows in rows_about(link, "lists", self.lists).items() if rows}
        done += [_Action("list", {}, "lists", one) for one in list(lists)[1:]]
        cards = rows_about(link, "cards", dict.fromkeys(one.thing for one in done if one.table == "cards"))
        (last,) = link.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()
        at = EPOCH + timedelta(seconds=self.now)
        written = []
        for number, one in enumerate(done, last + 1):
            salt = self.entropy(SALT)
            facts: dict[str, Fact] = {**one.facts}
            if one.table == "cards":
                facts |= facts_of(salt, cards[one.thing])
            elif one.table == "lists":
                facts |= self._list(salt, lists[one.thing])
            elif one.table:
                facts |= {"of": one.table, "thing": str(one.thing)} | facts_of(salt, single(link, one.table, one.thing))
            if number == last + 1:
                facts |= self._first(link, salt)
                if lists:
                    facts |= self._list(salt, next(iter(lists.values())))
            written.append(self._row(Event(number, one.kind, self.clerk, at, facts, salt), one))
        link.many(
            "INSERT INTO events (id, kind, clerk, at, facts, salt, leaf, card) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", written
        )

    def _row(self, event: Event, one: _Action) -> tuple[Any, ...]:
        return (
            event.id, event.kind, event.by, self.now, json.write(dict(event.facts)).decode("utf-8"), event.salt,
            commitment(event), one.thing if one.table == "cards" else None,
        )  # fmt: skip

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
