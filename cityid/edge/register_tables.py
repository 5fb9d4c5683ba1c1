"""The tables of the register in SQLite, version by version, and how rows are read from them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from cityid.credential import StatusRef, Window
from cityid.encoding.times import numeric
from cityid.errors import Refused
from cityid.register import Issued, IssuedCopy, State

KIND: Final = "status_list"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

MIGRATIONS: Final = (
    (
        """CREATE TABLE lists (
            id INTEGER PRIMARY KEY, uri TEXT NOT NULL UNIQUE, bits INTEGER NOT NULL, size INTEGER NOT NULL,
            used INTEGER NOT NULL DEFAULT 0, version INTEGER NOT NULL DEFAULT 0, open INTEGER NOT NULL DEFAULT 1
        )""",
        "CREATE UNIQUE INDEX lists_open ON lists(open) WHERE open = 1",
        "CREATE TABLE batches (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, clerk TEXT NOT NULL, at INTEGER)",
        """CREATE TABLE cards (
            id INTEGER PRIMARY KEY, number TEXT NOT NULL UNIQUE, type TEXT NOT NULL, format TEXT NOT NULL,
            starts INTEGER, ends INTEGER, state TEXT NOT NULL, deadline INTEGER,
            why TEXT NOT NULL DEFAULT '',
            batch INTEGER NOT NULL REFERENCES batches(id), clerk TEXT NOT NULL, at INTEGER NOT NULL
        )""",
        "CREATE INDEX cards_type ON cards(type)",
        "CREATE INDEX cards_state ON cards(state)",
        """CREATE TABLE copies (
            card INTEGER NOT NULL REFERENCES cards(id), position INTEGER NOT NULL, holder TEXT NOT NULL,
            PRIMARY KEY (card, position)
        ) WITHOUT ROWID""",
        "CREATE INDEX copies_holder ON copies(holder) WHERE holder <> ''",
        # An entry without a card is burnt: it was allotted, and is nobody's.
        """CREATE TABLE entries (
            list INTEGER NOT NULL REFERENCES lists(id), idx INTEGER NOT NULL, value INTEGER NOT NULL DEFAULT 0,
            card INTEGER, position INTEGER, PRIMARY KEY (list, idx), FOREIGN KEY (card, position) REFERENCES copies
        ) WITHOUT ROWID""",
        "CREATE INDEX entries_card ON entries(card, position) WHERE card IS NOT NULL",
        "CREATE INDEX entries_set ON entries(list, idx, value) WHERE value <> 0",
        """CREATE TRIGGER entries_stay BEFORE DELETE ON entries BEGIN
            SELECT RAISE(ABORT, 'an entry that was allotted is never allotted again');
        END""",
        "CREATE TABLE moved (batch INTEGER NOT NULL, card INTEGER NOT NULL, PRIMARY KEY (batch, card)) WITHOUT ROWID",
        """CREATE TABLE changes (
            id INTEGER PRIMARY KEY, list INTEGER NOT NULL, idx INTEGER NOT NULL, value INTEGER NOT NULL,
            why TEXT NOT NULL, clerk TEXT NOT NULL, at INTEGER NOT NULL, FOREIGN KEY (list, idx) REFERENCES entries
        )""",
        "CREATE INDEX changes_entry ON changes(list, idx)",
        # The salt is for the leaf that an event becomes in the log of actions; erasing it makes the leaf say nothing.
        """CREATE TABLE events (
            id INTEGER PRIMARY KEY, kind TEXT NOT NULL, clerk TEXT NOT NULL, at INTEGER NOT NULL, facts TEXT NOT NULL,
            salt BLOB
        )""",
        "CREATE TABLE counters (name TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID",
    ),
)


def time_of(value: int | None) -> datetime | None:
    return None if value is None else EPOCH + timedelta(seconds=value)


def seconds(at: datetime | None) -> int | None:
    return None if at is None else numeric(at)


def card_of(connection: sqlite3.Connection, number: str) -> int:
    found = connection.execute("SELECT id FROM cards WHERE number = ?", (number,)).fetchone()
    if found is None:
        raise Refused("register.unknown_number", number=number)
    return int(found[0])


def read_rows(connection: sqlite3.Connection, cards: Sequence[int]) -> list[Issued]:
    """The rows of `cards`, in their order."""
    marks = ",".join("?" * len(cards))
    status: dict[tuple[int, int], list[StatusRef]] = {}
    for card, position, uri, index in connection.execute(
        f"SELECT card, position, uri, idx FROM entries JOIN lists ON lists.id = list WHERE card IN ({marks}) "  # noqa: S608
        "ORDER BY list, idx",
        cards,
    ):
        status.setdefault((card, position), []).append(StatusRef(KIND, uri, index))
    copies: dict[int, list[IssuedCopy]] = {}
    for card, position, holder in connection.execute(
        f"SELECT card, position, holder FROM copies WHERE card IN ({marks}) ORDER BY card, position",  # noqa: S608
        cards,
    ):
        copies.setdefault(card, []).append(IssuedCopy(holder, tuple(status.get((card, position), ()))))
    found = connection.execute(
        "SELECT id, number, type, format, starts, ends, state, deadline, batch, clerk, at, why FROM cards "  # noqa: S608
        f"WHERE id IN ({marks}) ORDER BY id",
        cards,
    )
    return [
        Issued(
            row[1],
            row[2],
            row[3],
            Window(time_of(row[4]), time_of(row[5])),
            tuple(copies.get(row[0], ())),
            State(row[6]),
            time_of(row[7]),
            f"B-{row[8]}",
            row[9],
            EPOCH + timedelta(seconds=row[10]),
            row[11],
        )
        for row in found
    ]
