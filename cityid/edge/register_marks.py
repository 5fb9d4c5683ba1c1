"""The rows that belong to a thing of the register, each with a mark: how an action remembers what it left, and how an
audit finds the row that was changed since.

A thing is a card (its row, copies, entries, changes and batches), a list (its row and the entries that are nobody's),
a key, a clerk, a voice, a batch, a checkpoint. Every column of every table is in one of them, but for those of the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cityid.edge.register_rows import marks, pages
from cityid.edge.sql import Link
from cityid.encoding import base64url, json
from cityid.errors import Malformed
from cityid.register.leaves import MARK, marks_of, row_of

__all__ = [
    "COLUMNS",
    "KEYS",
    "LETTERS",
    "NAMED",
    "Known",
    "Row",
    "facts_of",
    "facts_of_known",
    "named",
    "rows_about",
    "single",
]

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "lists": ("id", "uri", "bits", "size", "used", "version", "open", "published", "published_at"),
    "batches": ("id", "key", "clerk", "at"),
    "cards": (
        "id", "number", "type", "format", "starts", "ends", "state", "deadline", "why", "batch", "clerk", "at",
        "row_key", "subject", "digest", "department", "device", "approved_by", "claims",
    ),
    "copies": ("card", "position", "holder"),
    "entries": ("list", "idx", "value", "card", "position"),
    "moved": ("batch", "card"),
    "changes": ("id", "list", "idx", "value", "why", "clerk", "at"),
    "counters": ("name", "last"),
    "checkpoints": ("size", "root", "at", "note"),
    "keys": ("thumbprint", "label", "algorithm", "since", "until", "why"),
    "clerks": ("name", "department", "rights", "types", "secret", "since", "until"),
    "voices": ("id", "person", "secret", "commitment", "entropy", "since"),
}  # fmt: skip
"""What is marked of each table: all of it."""
_BLOBS: Final = {"batches": (2,), "cards": (13, 19), "checkpoints": (2,), "voices": (4, 5)}
"""Where bytes are, behind the name of the table."""
KEYS: Final = {
    "lists": "id", "batches": "id", "checkpoints": "size", "keys": "thumbprint", "clerks": "name", "voices": "id",
}  # fmt: skip
"""What tells the things of a table apart, where each is one row, or has one row of it."""
LETTERS: Final = {
    "batches": "b", "cards": "c", "changes": "h", "checkpoints": "t", "clerks": "k", "copies": "p", "entries": "e",
    "keys": "y", "lists": "l", "moved": "m", "voices": "v",
}  # fmt: skip
NAMED: Final = 1 + MARK * 4 // 3
"""Characters of a mark in the fact `marks`."""
_MOST: Final = 64
"""Rows about one thing whose marks are kept one by one: the changes of a card that is suspended daily are not."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: `name` is how people find it, `data` is all of it."""

    table: str
    name: str
    data: bytes

    @classmethod
    def of(cls, table: str, values: Sequence[Any], name: object) -> Row:
        cells = [table, *values]
        for at in _BLOBS.get(table, ()):
            cells[at] = _plain(cells[at])
        try:
            return cls(table, str(name), json.write(cells))
        except Malformed:  # somebody put bytes where there were none
            return cls(table, str(name), json.write([*map(_plain, cells)]))


@dataclass(frozen=True, slots=True)
class Known:
    """Rows that need not be read: the letter of each one's table, and its data, in the order of `rows_about`."""

    letters: str
    data: Sequence[bytes]


def _plain(value: Any) -> Any:
    return base64url.encode(bytes(value)) if isinstance(value, bytes | bytearray | memoryview) else value


def _columns(table: str, prefix: str = "") -> str:
    return ", ".join(prefix + name for name in COLUMNS[table])


def rows_about(link: Link, table: str, things: Iterable[Any]) -> dict[Any, list[Row]]:
    """The rows about each of `things`, which are keys of `table`; none for what is not there."""
    if table == "cards":
        return {card: rows for page in pages(things) for card, rows in _cards(link, page).items()}
    if table == "lists":
        return {one: _list(link, one) for one in things}
    return {one: found for one in things if (found := single(link, table, one))}


def single(link: Link, table: str, thing: Any) -> list[Row]:
    """The row of a table whose things are one row each."""
    found = link.execute(
        f"SELECT {_columns(table)} FROM {table} WHERE {KEYS[table]} = ?",  # noqa: S608  # our own words
        (thing,),
    ).fetchone()
    return [Row.of(table, found, thing)] if found else []


def _cards(link: Link, page: list[int]) -> dict[int, list[Row]]:
    some = marks(page)
    found: dict[int, list[Row]] = {}
    numbers: dict[int, str] = {}
    for row in link.execute(f"SELECT {_columns('cards')} FROM cards WHERE id IN ({some})", page):  # noqa: S608  # our own words, values are bound
        numbers[row[0]] = row[1]
        found[row[0]] = [Row.of("cards", row, row[1])]
    for row in link.execute(
        f"SELECT {_columns('copies')} FROM copies WHERE card IN ({some}) ORDER BY card, position",  # noqa: S608  # our own words, values are bound
        page,
    ):
        _add(found, row[0], Row.of("copies", row, f"{numbers.get(row[0], row[0])} copy {row[1] + 1}"))
    for row in link.execute(
        f"SELECT {_columns('entries')} FROM entries WHERE card IN ({some}) ORDER BY list, idx",  # noqa: S608  # our own words, values are bound
        page,
    ):
        _add(found, row[3], Row.of("entries", row, f"list {row[0]} entry {row[1]}"))
    for card, *row in link.execute(
        f"SELECT card, {_columns('changes', 'c.')} FROM entries e JOIN changes c ON c.list = e.list AND c.idx = e.idx "  # noqa: S608  # our own words, values are bound
        f"WHERE card IN ({some}) ORDER BY c.id",
        page,
    ):
        _add(found, card, Row.of("changes", row, row[0]))
    for row in link.execute(
        f"SELECT {_columns('moved')} FROM moved WHERE card IN ({some}) ORDER BY batch",  # noqa: S608  # our own words, values are bound
        page,
    ):
        _add(found, row[1], Row.of("moved", row, f"batch {row[0]} card {row[1]}"))
    return found


def _add(found: dict[int, list[Row]], card: int, row: Row) -> None:
    found.setdefault(card, []).append(row)


def _list(link: Link, list_id: int) -> list[Row]:
    rows = single(link, "lists", list_id)
    # The plus keeps SQLite from reading the whole list by its key: few entries are nobody's, and they have an index.
    for row in link.execute(
        f"SELECT {_columns('entries')} FROM entries WHERE +list = ? AND card IS NULL ORDER BY idx",  # noqa: S608  # our own words, values are bound
        (list_id,),
    ):
        rows.append(Row.of("entries", row, f"list {row[0]} entry {row[1]}"))
    for row in link.execute(
        # CROSS: from the few entries to their changes, and not through all changes of the list.
        f"SELECT {_columns('changes', 'c.')} FROM entries e CROSS JOIN changes c "  # noqa: S608  # our own words, values are bound
        "WHERE c.list = e.list AND c.idx = e.idx AND e.list = ? AND e.card IS NULL ORDER BY c.id",
        (list_id,),
    ):
        rows.append(Row.of("changes", row, row[0]))
    return rows


def facts_of(salt: bytes, rows: Sequence[Row], prefix: str = "") -> dict[str, str]:
    """What an action remembers of rows: `row` over all of them, and `marks` to tell them apart."""
    found = marks_of(salt, [row.data for row in rows])
    facts = {f"{prefix}row": row_of(found)}
    if len(found) <= _MOST:
        facts[f"{prefix}marks"] = "".join(_named(rows, found))
    return facts


def facts_of_known(salt: bytes, rows: Known) -> dict[str, str]:
    """`facts_of` rows that are known."""
    found = marks_of(salt, rows.data)
    if len(found) > _MOST:
        return {"row": row_of(found)}
    return {"marks": "".join(_lettered(rows.letters, found)), "row": row_of(found)}


def named(salt: bytes, rows: Sequence[Row]) -> list[str]:
    """The marks as the fact `marks` has them: each NAMED characters, the first a letter for its table."""
    return _named(rows, marks_of(salt, [row.data for row in rows]))


def _named(rows: Sequence[Row], found: Sequence[bytes]) -> list[str]:
    return _lettered([LETTERS[row.table] for row in rows], found)


def _lettered(letters: Sequence[str], found: Sequence[bytes]) -> list[str]:
    text = base64url.encode(b"".join([one[:MARK] for one in found]))
    length = NAMED - 1
    return [letter + text[at : at + length] for at, letter in zip(range(0, len(text), length), letters, strict=True)]
