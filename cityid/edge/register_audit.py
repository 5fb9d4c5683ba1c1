"""The audit of a register: every row against the action that remembers it, every action against its leaf, the leaves
against the tree, the tree against every checkpoint that was signed (docs/explanation/the-log.md).

What a row says is compared with what the last action about it left. So one row that was changed, added or removed
behind the register's back is found, in any table, and named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from cityid.edge.register_actions import SALT
from cityid.edge.register_marks import COLUMNS, KEYS, LETTERS, NAMED, Row, facts_of, named, rows_about
from cityid.edge.register_rows import EPOCH, marks, pages
from cityid.edge.register_store import StoredRegister
from cityid.edge.sql import Link
from cityid.encoding import json
from cityid.errors import CityIdError, Fact, Problem
from cityid.log import Checkpoint, Frontier, Verifier, leaf_hash, merkle, note
from cityid.log.checkpoint import open_signed
from cityid.register import Event
from cityid.register.leaves import commitment

__all__ = ["Audited", "audit"]

PAGE: Final = 1_000
_LOWEST: Final = -(1 << 62)
_TABLES: Final = {letter: table for table, letter in LETTERS.items()}
_EMPTY: Final = ("", 0, "{}", None)
"""What `clerk`, `at`, `facts` and `card` are of an action that was erased or lost."""
_NO_CARD: Final = (
    "card IS NOT NULL AND card NOT IN (SELECT id FROM cards) "  # NULL is "not in" what is empty
    "AND card NOT IN (SELECT card FROM events WHERE card IS NOT NULL)"
)
_ORPHANS: Final = {
    "copies": ("'card ' || card || ' copy ' || (position + 1)", "0", _NO_CARD),
    "entries": (
        "'list ' || list || ' entry ' || idx",
        "list",
        f"list NOT IN (SELECT id FROM lists) OR ({_NO_CARD})",  # noqa: S608  # our own words
    ),
    "moved": ("'batch ' || batch || ' card ' || card", "0", _NO_CARD),
    "changes": (
        "id",
        "list",
        "NOT EXISTS (SELECT 1 FROM entries e WHERE e.list = changes.list AND e.idx = changes.idx)",
    ),
}
"""How rows that belong to nothing are named, in which list they are, and how they are found. Where what they belong to
is remembered, that it is missing is told instead."""


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit found. `unremembered` rows were made by a program that had no log, or the actions that remembered
    them were erased: nothing is known of them. `waiting` actions have no place in the log yet."""

    findings: tuple[Problem, ...]
    actions: int
    size: int
    waiting: int
    erased: int
    checkpoints: int
    unremembered: int

    @property
    def content(self) -> bool:
        return not self.findings


def audit(register: StoredRegister, log: Verifier | None = None, *former: Verifier) -> Audited:
    """Recheck the whole of a register, as it is at one moment; with the key of its log, and those that it had before,
    also every signature.

    Raises:
        Unavailable: `store.*`.
    """
    with register.sql.snapshot() as link:
        return _Audit(link, log, former).run()


def _changed(table: str, row: object) -> Problem:
    return Problem("audit.changed", {"table": table, "row": str(row)})


def _missing(table: str, row: object) -> Problem:
    return Problem("audit.missing", {"table": table, "row": str(row)})


def _added(table: str, row: object) -> Problem:
    return Problem("audit.added", {"table": table, "row": str(row)})


@dataclass(slots=True)
class _Last:
    """The last action that remembers a thing."""

    salt: bytes
    row: Fact
    marks: str


@dataclass(slots=True)
class _Audit:
    link: Link
    log: Verifier | None
    former: tuple[Verifier, ...] = ()
    found: dict[tuple[Any, ...], Problem] = field(default_factory=dict)
    things: dict[tuple[str, str], _Last] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)
    changed: set[int] = field(default_factory=set)
    """Actions that are not what their leaves commit to."""
    erased_before: int = -1
    """Rows from before then may have lost what remembered them."""
    before_the_log: bool = False
    """The register is older than its log: rows that no action remembers are from that time."""

    def run(self) -> Audited:
        self._events()
        size = self._tree()
        self._cards()
        for table in ("lists", "keys", "clerks", "voices", "checkpoints"):
            self._table(table, KEYS[table])
        self._orphans()
        self._counters()
        count = self.counted
        return Audited(
            tuple(self.found.values()), count["actions"], size, count["waiting"], count["erased"],
            count["checkpoints"], count["unremembered"],
        )  # fmt: skip

    def say(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self.found.setdefault((problem.code, *problem.facts.items()), problem)

    def paged(self, statement: str, after: int = _LOWEST) -> Iterator[Sequence[Any]]:
        """The rows of a statement that is given the first column of the last row, a page at a time."""
        while page := self._query(f"{statement} LIMIT {PAGE}", after):
            yield from page
            after = page[-1][0]

    def _query(self, statement: str, *values: Any) -> list[Any]:
        return self.link.execute(statement, values).fetchall()

    # -- actions --

    def _events(self) -> None:
        for (facts,) in self._query("SELECT facts FROM events WHERE kind = 'erase'"):
            with suppress(CityIdError, TypeError):
                self.erased_before = max(self.erased_before, json.Fields(json.read_object(facts)).integer("before"))
        for (facts,) in self._query("SELECT facts FROM events WHERE id = 1 AND kind NOT IN ('erased', 'lost')"):
            with suppress(CityIdError, TypeError):
                self.before_the_log = "batch" not in json.read_object(facts)
        batches = _Batches(self)
        expected = 1
        for row in self.paged(
            "SELECT e.id, kind, e.clerk, e.at, facts, salt, leaf, e.position, e.card, c.number FROM events e "
            "LEFT JOIN cards c ON c.id = e.card WHERE e.id > ? ORDER BY e.id"
        ):
            number = row[0]
            if number > expected:
                self.say([_missing("events", expected if number == expected + 1 else f"{expected} to {number - 1}")])
            expected = number + 1
            self.counted["actions"] += 1
            self.counted["waiting"] += row[7] is None
            event = self._event(row)
            if event is not None:
                self._remember(event, row[8], row[9])
                batches.see(event)
        batches.end()

    def _event(self, row: Sequence[Any]) -> Event | None:
        """The action as it is, if it is what its leaf commits to. Of one that was erased there is nothing to see."""
        number, kind, clerk, at, facts, salt, leaf, position, card, _ = row
        if kind in ("erased", "lost") and salt is None:
            self.counted["erased"] += 1
            if (clerk, at, facts, card) != _EMPTY or position is None or leaf is None:
                self._wrong(number)
            return None
        try:
            kept = json.read_object(facts)
            event = Event(number, kind, clerk, EPOCH + timedelta(seconds=at), kept, bytes(salt), bytes(leaf or b""))
            if commitment(event) == event.leaf:
                return event
            if leaf is None and position is None and len(salt) < SALT:
                return None  # it gets its leaf with its position
        except (CityIdError, TypeError, ValueError, OverflowError, AttributeError):
            pass  # whatever was written there, it is not what was
        self._wrong(number)
        return None

    def _wrong(self, number: int) -> None:
        self.changed.add(number)
        self.say([_changed("events", number)])

    def _remember(self, event: Event, card: Any, number: str | None) -> None:
        facts = event.facts
        about_card = "number" in facts and "row" in facts and "of" not in facts
        if (card is not None) != about_card or (card is not None and not self._is(card, number, facts["number"])):
            self._wrong(event.id)
        if "of" in facts:
            last = _Last(event.salt, facts["row"], str(facts.get("marks", "")))
            self.things[str(facts["of"]), str(facts["thing"])] = last
        if "list_id" in facts:
            last = _Last(event.salt, facts["list_row"], str(facts.get("list_marks", "")))
            self.things["lists", str(facts["list_id"])] = last
        for part in str(facts.get("counters", "")).split():
            name, _, counted = part.rpartition("=")
            self.counters[name] = int(counted)

    def _is(self, card: Any, number: str | None, told: Fact) -> bool:
        """An action names its card twice. Where the two differ, it was the card's row that changed unless there is
        another card with that number, and none that these rows were about."""
        if number == told or not self._query("SELECT 1 FROM cards WHERE number = ?", told):
            return True
        return number is None and bool(self._query("SELECT 1 FROM copies WHERE card = ?", card))

    # -- the tree --

    def _tree(self) -> int:
        signed = self._checkpoints()
        nodes = {
            (level, index): bytes(one) for level, index, one in self._query("SELECT level, idx, hash FROM log_nodes")
        }
        wrong: list[tuple[int, int]] = []
        frontier, good, bad = Frontier(), 0, 0
        for position, number, leaf in self.paged(
            "SELECT position, id, leaf FROM events WHERE position > ? ORDER BY position"
        ):
            if position != frontier.size or leaf is None or len(leaf) != merkle.HASH:
                self._misplaced(number)
                return frontier.size
            for node in frontier.append([leaf_hash(bytes(leaf))]):
                if nodes.pop((node.level, node.index), None) != node.hash:
                    wrong.append((node.level, node.index))
            if not bad and frontier.size in signed:
                if signed[frontier.size] == frontier.root:
                    good = frontier.size
                else:
                    bad = frontier.size
        self.say(_added("log_nodes", f"level {level} node {index}") for level, index in nodes)
        if not self.changed:
            self._judge(wrong, good, bad, frontier.size, signed)
        return frontier.size

    def _judge(self, wrong: list[tuple[int, int]], good: int, bad: int, size: int, signed: Mapping[int, bytes]) -> None:
        """Leaves or nodes are not what they were, and no action says which: where the root is right, it was a node."""
        self.say(
            Problem("audit.truncated", {"size": size, "signed": most})
            for most in [max(signed, default=0)]
            if most > size
        )
        if bad:
            first = next((index * 256 for level, index in wrong if level == 1), good)
            self.say([Problem("audit.other_tree", {"first": first, "last": min(bad, first + 256) - 1})])
        else:
            self.say(_changed("log_nodes", f"level {level} node {index}") for level, index in wrong)

    def _misplaced(self, number: int) -> None:
        """Positions have a gap: an action lost its position, or got another, unless one is missing altogether."""
        if any(problem.facts.get("table") == "events" for problem in self.found.values()):
            return
        early = self._query(
            "SELECT id FROM events WHERE position IS NULL "
            "AND id < (SELECT max(id) FROM events WHERE position IS NOT NULL AND kind <> 'lost')"
        )
        late = self._query(
            "SELECT id FROM events WHERE position >= (SELECT count(position) FROM events) OR position < 0"
        )
        for (one,) in early or late or [(number,)]:
            self._wrong(one)

    def _checkpoints(self) -> dict[int, bytes]:
        """The roots that were signed, by size, as their notes have them."""
        found: dict[int, bytes] = {}
        for size, root, text in self._query("SELECT size, root, note FROM checkpoints ORDER BY size"):
            self.counted["checkpoints"] += 1
            try:
                data = text.encode("utf-8")
                signed = (
                    open_signed(data, self.log, *self.former) if self.log else Checkpoint.read(note.read(data).text)
                )
            except (CityIdError, UnicodeEncodeError, AttributeError):
                self.say([_changed("checkpoints", size)])
                continue
            if (signed.size, signed.root) != (size, bytes(root)):
                self.say([_changed("checkpoints", size)])
            found[signed.size] = signed.root
        return found

    # -- rows --

    def _cards(self) -> None:
        """Every card against the last action about it, a page at a time; and actions about cards that are not there."""
        for page in pages(card for (card,) in self.paged("SELECT id FROM cards WHERE id > ? ORDER BY id")):
            last = {
                row[0]: row[1:]
                for row in self._query(
                    "SELECT card, id, facts, salt FROM events WHERE id IN "  # noqa: S608  # our own words
                    f"(SELECT max(id) FROM events WHERE card IN ({marks(page)}) GROUP BY card)",
                    *page,
                )
            }
            for card, rows in rows_about(self.link, "cards", page).items():
                if card in last:
                    self._card(rows, *last[card])
                else:
                    self.unknown("cards", rows[0].name, self._over(rows[0]))
        for (facts,) in self._query(
            "SELECT max(facts) FROM events WHERE card IS NOT NULL AND card NOT IN (SELECT id FROM cards) GROUP BY card"
        ):
            with suppress(CityIdError):
                self.say([_missing("cards", json.read_object(facts).get("number", ""))])

    def _over(self, card: Row) -> int | None:
        """When a card was over, if its number was ever given out."""
        _, year, count = f"{card.name}--".split("-")[:3]
        given = count.isdecimal() and 0 < int(count) <= self.counters.get(year, 0)
        ends = json.read(card.data)[1 + COLUMNS["cards"].index("ends")]
        return ends if given and isinstance(ends, int) else None

    def _card(self, rows: list[Row], event: int, facts: str, salt: Any) -> None:
        if event not in self.changed:
            found = json.read_object(facts)
            if "row" in found:
                self._compare(_Last(bytes(salt), found["row"], found.get("marks", "")), rows, f"of {rows[0].name}")

    def unknown(self, table: str, name: object, over: int | None) -> None:
        """A row that no action remembers: it was over at `over`, or was there before the log, or was added since."""
        if self.before_the_log or (over is not None and over < self.erased_before):
            self.counted["unremembered"] += 1
        else:
            self.say([_added(table, name)])

    def _compare(self, last: _Last, rows: list[Row], of: str) -> None:
        """The rows about a thing with what the last action remembers of them: by their marks the one that differs is
        found; one that is new while another is lost from its table was changed."""
        if facts_of(last.salt, rows)["row"] == last.row:
            return
        then = [last.marks[at : at + NAMED] for at in range(0, len(last.marks), NAMED)]
        now = named(last.salt, rows)
        lost = Counter(one[0] for one in (Counter(then) - Counter(now)).elements())
        new = [row for one, row in zip(now, rows, strict=True) if one not in then] if then else []
        for row in new:
            self.say([(_changed if lost[LETTERS[row.table]] else _added)(row.table, row.name)])
            lost[LETTERS[row.table]] -= 1
        gone = [letter for letter, count in lost.items() if count > 0]
        self.say(_missing(_TABLES[letter], of) for letter in gone)
        if not new and not gone:
            self.say([_changed(rows[0].table, of)])

    def _table(self, table: str, key: str) -> None:
        known = {thing: last for (kind, thing), last in self.things.items() if kind == table}
        over = "at" if table == "checkpoints" else "NULL"
        for thing, at in self._query(f"SELECT {key}, {over} FROM {table} ORDER BY 1"):  # noqa: S608
            last = known.pop(str(thing), None)
            if last is not None:
                self._compare(last, rows_about(self.link, table, [thing])[thing], f"of {table} {thing}")
            else:
                self.unknown(table, thing, at)
        self.say(_missing(table, thing) for thing in known)

    def _counters(self) -> None:
        table = dict(self._query("SELECT name, last FROM counters"))
        for name, last in table.items():
            if name not in self.counters:
                self.unknown("counters", name, None)
            elif last != self.counters[name]:
                self.say([_changed("counters", name)])
        self.say(_missing("counters", name) for name in self.counters.keys() - table.keys())

    def _orphans(self) -> None:
        """Rows that belong to nothing."""
        for table, (name, in_list, condition) in _ORPHANS.items():
            for row, list_id in self._query(f"SELECT {name}, {in_list} FROM {table} WHERE {condition}"):  # noqa: S608
                if not any(problem.facts == {"table": "lists", "row": str(list_id)} for problem in self.found.values()):
                    self.say([_added(table, row)])


class _Batches:
    """Batches and the first action of each, both in their order."""

    def __init__(self, audit: _Audit) -> None:
        self._audit = audit
        self._rest = audit.paged(f"SELECT {', '.join(COLUMNS['batches'])} FROM batches WHERE id > ? ORDER BY id")  # noqa: S608
        self._next = next(self._rest, None)

    def see(self, event: Event) -> None:
        """An action that tells of its batch: those between that and the last one told of are unknown."""
        if "batch" not in event.facts:
            return
        batch = int(event.facts["batch"])
        while self._next is not None and self._next[0] < batch:
            self._alone(self._next)
        if self._next is None or self._next[0] != batch:
            self._audit.say([_missing("batches", batch)])
            return
        if facts_of(event.salt, [Row.of("batches", self._next, batch)])["row"] != event.facts["batch_row"]:
            self._audit.say([_changed("batches", batch)])
        self._next = next(self._rest, None)

    def end(self) -> None:
        while self._next is not None:
            # Whatever was erased, the batch that erased it is newer.
            self._alone((*self._next[:3], None))

    def _alone(self, row: Sequence[Any]) -> None:
        number, _, _, at = row
        if not self._audit.changed:  # else one of these may have remembered it
            self._audit.unknown("batches", number, at if isinstance(at, int) and number > 0 else None)
        self._next = next(self._rest, None)
