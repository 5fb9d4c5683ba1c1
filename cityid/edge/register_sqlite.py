"""The register in one SQLite file. It holds no key and no claim value: what a thief of it learns is who was issued what
kind of card when, by key thumbprint."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cityid.credential import CredentialType, StatusRef, Window
from cityid.edge.register_tables import EPOCH, KIND, MIGRATIONS, card_of, read_rows, seconds
from cityid.edge.sqlite import Database, Store
from cityid.encoding import json
from cityid.encoding.times import numeric
from cityid.errors import Fact, Misuse, Refused, Unavailable
from cityid.register import (
    Bits,
    Entry,
    Event,
    Issued,
    State,
    StatusChange,
    check_change,
    check_step,
)

__all__ = ["SqliteRegister"]

LIST_SIZE: Final = 1 << 20
"""Entries of a new list: a large one hides its cards among each other."""
LIST_BITS: Final = 2
"""Bits of an entry: with two, a card can be suspended as well as revoked (Token Status List §7.1)."""
_DRAWS: Final = 400
"""Attempts at a free index: one in eight is free at least, so this many fail together once in 10^23."""
_PAGE: Final = 200
_APPLICATION: Final = 0x63695265  # "ciRe"


class SqliteRegister(Store):
    """The register in one SQLite file; in memory where `path` is None. Safe to share between threads and processes.

    `status_base` is where status lists will be published (`https://id.lindau.example/status`); `list_size` and
    `list_bits` shape the lists that are begun from now on. Raises as `cityid.edge.sqlite.Database`.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        status_base: str = "",
        list_size: int = LIST_SIZE,
        list_bits: int = LIST_BITS,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        if list_bits not in (1, 2, 4, 8) or list_size < 8 or list_size % 8:
            raise Misuse("register.list_shape", size=list_size, bits=list_bits)
        self._status_base = status_base.rstrip("/")
        self._shape = (list_bits, list_size)
        self._entropy = entropy
        self._database = Database(path, "register", _APPLICATION, MIGRATIONS)

    @contextmanager
    def batch(self, clerk: str, key: str, at: datetime) -> Iterator[SqliteBatch]:
        if not clerk:
            raise Misuse("register.no_clerk")
        with self._database.write() as connection:
            batch = SqliteBatch(connection, clerk, key, at, self._status_base, self._shape, self._entropy)
            try:
                yield batch
            finally:
                batch.end()

    def find(self, number: str) -> Issued:
        with self._database.read() as connection:
            return read_rows(connection, [card_of(connection, number)])[0]

    def rows(
        self, *, type: str | None = None, state: State | None = None, holder: str | None = None, after: str = ""
    ) -> Iterator[Issued]:
        wanted: list[tuple[str, Any]] = []
        if type is not None:
            wanted.append(("type = ?", type))
        if state is not None:
            wanted.append(("state = ?", state.value))
        if holder is not None:
            wanted.append(("id IN (SELECT card FROM copies WHERE holder = ? AND holder <> '')", holder))
        with self._database.read() as connection:
            last = card_of(connection, after) if after else 0
        while True:
            # A page is a reading of its own: an open cursor would keep the file from ever being checkpointed.
            with self._database.read() as connection:
                where = " AND ".join(["id > ?", *(condition for condition, _ in wanted)])
                found = connection.execute(
                    f"SELECT id FROM cards WHERE {where} ORDER BY id LIMIT {_PAGE}",  # noqa: S608  # our own words
                    (last, *(value for _, value in wanted)),
                ).fetchall()
                page = read_rows(connection, [card for (card,) in found])
            if not page:
                return
            yield from page
            last = found[-1][0]

    def history(self, ref: StatusRef) -> tuple[StatusChange, ...]:
        with self._database.read() as connection:
            found = connection.execute(
                "SELECT value, why, clerk, changes.at FROM changes JOIN lists ON lists.id = list "
                "WHERE uri = ? AND idx = ? ORDER BY changes.id",
                (ref.uri, ref.index),
            ).fetchall()
        return tuple(StatusChange(ref, value, why, by, EPOCH + timedelta(seconds=at)) for value, why, by, at in found)

    def events(self, *, after: int = 0) -> Iterator[Event]:
        while True:
            with self._database.read() as connection:
                page = connection.execute(
                    "SELECT id, kind, clerk, at, facts FROM events WHERE id > ? ORDER BY id LIMIT ?", (after, _PAGE)
                ).fetchall()
            if not page:
                return
            for number, kind, by, at, facts in page:
                yield Event(number, kind, by, EPOCH + timedelta(seconds=at), json.read_object(facts))
                after = number

    def lists(self) -> tuple[str, ...]:
        with self._database.read() as connection:
            return tuple(uri for (uri,) in connection.execute("SELECT uri FROM lists ORDER BY id"))

    def bits(self, uri: str) -> Bits:
        with self._database.read() as connection:
            connection.execute("BEGIN")  # version and values of one moment
            try:
                found = connection.execute("SELECT id, bits, size, version FROM lists WHERE uri = ?", (uri,)).fetchone()
                if found is None:
                    raise Refused("register.unknown_list", uri=uri)
                list_id, bits, size, version = found
                values = dict(
                    connection.execute(
                        "SELECT idx, value FROM entries WHERE list = ? AND value <> 0", (list_id,)
                    ).fetchall()
                )
            finally:
                connection.execute("ROLLBACK")
        return Bits(uri, bits, size, version, values)

    def close(self) -> None:
        self._database.close()


class SqliteBatch:
    """One transaction on a SqliteRegister (`cityid.register.Batch`)."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        clerk: str,
        key: str,
        at: datetime,
        status_base: str,
        shape: tuple[int, int],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._connection: sqlite3.Connection | None = connection
        self._clerk = clerk
        self._at = at
        self._now = numeric(at)
        self._status_base = status_base
        self._shape = shape
        self._entropy = entropy
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        found = connection.execute("SELECT id FROM batches WHERE key = ?", (digest,)).fetchone()
        self.repeats = found is not None
        if found is None:
            self._id = connection.execute(
                "INSERT INTO batches (key, clerk, at) VALUES (?, ?, ?)", (digest, clerk, self._now)
            ).lastrowid
        else:
            self._id = found[0]

    def end(self) -> None:
        self._connection = None

    def _reading(self) -> sqlite3.Connection:
        if self._connection is None:
            raise Misuse("register.batch_over")
        return self._connection

    def _writing(self) -> sqlite3.Connection:
        if self.repeats:
            raise Misuse("register.key_used")
        return self._reading()

    @property
    def rows(self) -> tuple[Issued, ...]:
        connection = self._reading()
        found = connection.execute("SELECT card FROM moved WHERE batch = ? ORDER BY card", (self._id,)).fetchall()
        return tuple(read_rows(connection, [card for (card,) in found]))

    def allot(self, type: CredentialType, n: int) -> tuple[StatusRef, ...]:
        connection = self._writing()
        if type.status == "none":
            return ()
        if not self._status_base:
            raise Misuse("register.no_status_base")
        refs: list[StatusRef] = []
        while len(refs) < n:
            list_id, uri, size, used = self._open_list(connection)
            room = size - size // 8 - used
            if room <= 0:
                # The last eighth stays empty: free indices are found quickly, and a full list tells nothing.
                connection.execute("UPDATE lists SET open = 0 WHERE id = ?", (list_id,))
                continue
            wanted = min(room, n - len(refs))
            refs += [StatusRef(KIND, uri, self._draw(connection, list_id, size)) for _ in range(wanted)]
            connection.execute("UPDATE lists SET used = used + ? WHERE id = ?", (wanted, list_id))
        return tuple(refs)

    def _open_list(self, connection: sqlite3.Connection) -> tuple[int, str, int, int]:
        wanted = "SELECT id, uri, size, used FROM lists WHERE open = 1"
        found = connection.execute(wanted).fetchone()
        if found is None:
            (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM lists").fetchone()
            connection.execute(
                "INSERT INTO lists (id, uri, bits, size) VALUES (?, ?, ?, ?)",
                (last + 1, f"{self._status_base}/{last + 1}", *self._shape),
            )
            found = connection.execute(wanted).fetchone()
        return found  # type: ignore[no-any-return]  # the four columns

    def _draw(self, connection: sqlite3.Connection, list_id: int, size: int) -> int:
        for _ in range(_DRAWS):
            index = int.from_bytes(self._entropy(8), "big") % size
            done = connection.execute("INSERT OR IGNORE INTO entries (list, idx) VALUES (?, ?)", (list_id, index))
            if done.rowcount == 1:
                return index
        raise Unavailable("register.no_chance", draws=_DRAWS)

    def record(self, rows: Iterable[Entry]) -> tuple[Issued, ...]:
        connection = self._writing()
        entries = list(rows)
        year = f"{self._at.astimezone(UTC).year:04d}"
        found = connection.execute("SELECT last FROM counters WHERE name = ?", (year,)).fetchone()
        last = found[0] if found else 0
        connection.execute("INSERT OR REPLACE INTO counters (name, last) VALUES (?, ?)", (year, last + len(entries)))
        made = [
            self._write(connection, entry, f"R-{year}-{last + count:06d}") for count, entry in enumerate(entries, 1)
        ]
        return tuple(made)

    def _write(self, connection: sqlite3.Connection, entry: Entry, number: str) -> Issued:
        window = entry.window
        card = connection.execute(
            "INSERT INTO cards (number, type, format, starts, ends, state, deadline, batch, clerk, at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number,
                entry.type,
                entry.format,
                seconds(window.start),
                seconds(window.end),
                entry.state.value,
                seconds(entry.deadline),
                self._id,
                self._clerk,
                self._now,
            ),
        ).lastrowid
        connection.executemany(
            "INSERT INTO copies (card, position, holder) VALUES (?, ?, ?)",
            [(card, position, copy.holder) for position, copy in enumerate(entry.copies)],
        )
        for position, copy in enumerate(entry.copies):
            for ref in copy.status:
                done = connection.execute(
                    "UPDATE entries SET card = ?, position = ? WHERE idx = ? AND card IS NULL "
                    "AND list = (SELECT id FROM lists WHERE uri = ?)",
                    (card, position, ref.index, ref.uri),
                )
                if done.rowcount != 1:
                    raise Misuse("register.not_allotted", uri=ref.uri, index=ref.index)
        connection.execute("INSERT INTO moved (batch, card) VALUES (?, ?)", (self._id, card))
        kind = "issue" if entry.state is State.ISSUED else "offer"
        facts: dict[str, Fact] = {
            "number": number,
            "type": entry.type,
            "format": entry.format,
            "copies": len(entry.copies),
        }
        self.event(kind, {**facts, "state": entry.state.value})
        return Issued(
            number,
            entry.type,
            entry.format,
            window,
            entry.copies,
            entry.state,
            entry.deadline,
            f"B-{self._id}",
            self._clerk,
            self._at,
        )

    def approve(self, number: str, by: str) -> Issued:
        card, row = self._find(number)
        if row.clerk == by:
            raise Refused("register.same_clerk", number=number, clerk=by)
        return self._move(card, row, State.OFFERED, "approve", by=by)

    def issue(self, number: str, holders: Sequence[str], window: Window | None = None) -> Issued:
        card, row = self._find(number)
        if not 1 <= len(holders) <= len(row.copies):
            raise Misuse("register.holder_count", number=number, count=len(holders), prepared=len(row.copies))
        connection = self._writing()
        self._move(card, row, State.ISSUED, "issue", copies=len(holders))
        connection.executemany(
            "UPDATE copies SET holder = ? WHERE card = ? AND position = ?",
            [(holder, card, position) for position, holder in enumerate(holders)],
        )
        if window is not None:
            connection.execute(
                "UPDATE cards SET starts = ?, ends = ? WHERE id = ?",
                (seconds(window.start), seconds(window.end), card),
            )
        return read_rows(connection, [card])[0]

    def withdraw(self, number: str, why: str) -> Issued:
        card, row = self._find(number)
        connection = self._writing()
        self._move(card, row, State.WITHDRAWN, "withdraw")
        connection.execute("UPDATE cards SET why = ? WHERE id = ?", (why, card))
        return read_rows(connection, [card])[0]

    def _find(self, number: str) -> tuple[int, Issued]:
        connection = self._writing()
        card = card_of(connection, number)
        return card, read_rows(connection, [card])[0]

    def _move(self, card: int, row: Issued, then: State, kind: str, **facts: Fact) -> Issued:
        check_step(row.number, row.state, then)
        connection = self._writing()
        connection.execute("UPDATE cards SET state = ? WHERE id = ?", (then.value, card))
        connection.execute("INSERT OR IGNORE INTO moved (batch, card) VALUES (?, ?)", (self._id, card))
        self.event(kind, {"number": row.number, **facts})
        return read_rows(connection, [card])[0]

    def set_status(self, refs: Iterable[StatusRef], value: int, why: str, by: str) -> int:
        connection = self._writing()
        # All are judged before the first is written: half a revocation must not be.
        changes = {}
        for ref in refs:
            found = connection.execute(
                "SELECT list, bits, value FROM entries JOIN lists ON lists.id = list WHERE uri = ? AND idx = ?",
                (ref.uri, ref.index),
            ).fetchone()
            if found is None:
                raise Refused("register.unknown_entry", uri=ref.uri, index=ref.index)
            list_id, bits, now = found
            if not 0 <= value < 1 << bits:
                raise Misuse("register.status_value", value=value, bits=bits)
            check_change(now, value)
            if now != value:
                changes[list_id, ref.index] = ref.uri
        for (list_id, index), uri in changes.items():
            connection.execute("UPDATE entries SET value = ? WHERE list = ? AND idx = ?", (value, list_id, index))
            connection.execute("UPDATE lists SET version = version + 1 WHERE id = ?", (list_id,))
            connection.execute(
                "INSERT INTO changes (list, idx, value, why, clerk, at) VALUES (?, ?, ?, ?, ?, ?)",
                (list_id, index, value, why, by, self._now),
            )
            self.event("status", {"list": uri, "index": index, "value": value, "by": by})
        return len(changes)

    def event(self, kind: str, facts: Mapping[str, Fact]) -> None:
        self._writing().execute(
            "INSERT INTO events (kind, clerk, at, facts, salt) VALUES (?, ?, ?, ?, ?)",
            (kind, self._clerk, self._now, json.write(dict(facts)).decode("utf-8"), self._entropy(16)),
        )
