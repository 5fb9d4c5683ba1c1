"""One dialect over SQLite and PostgreSQL, small enough that every statement of ours means the same in both.

Statements are written with `?`; what one of the two does not know (RETURNING, WITHOUT ROWID) is not used. Migrations
are numbered files, `NNNN.sql` or one a dialect, that are applied in one transaction and only forward.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from cityid.edge import resources
from cityid.edge.sqlite import Database, Store, snapshot

__all__ = ["Cursor", "Link", "Sql", "SqliteSql", "migrations"]


class Cursor(Protocol):
    """What both drivers give back."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class Link(Protocol):
    """A connection for the length of one reading or one transaction."""

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Cursor: ...

    def many(self, statement: str, rows: Sequence[Sequence[Any]]) -> int:
        """The statement once a row; how many rows it changed in all."""
        ...

    def add(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """New rows of a table, by whatever is quickest."""
        ...


class Sql(Protocol):
    """A database with tables of one kind. Every method raises Unavailable `store.*`."""

    name: str
    kind: str

    def read(self) -> AbstractContextManager[Link]:
        """Statements that each see the newest state."""
        ...

    def snapshot(self) -> AbstractContextManager[Link]:
        """Statements that all see the state of one moment."""
        ...

    def write(self) -> AbstractContextManager[Link]:
        """A transaction that no other writer of this kind runs beside; durable when left without an error."""
        ...

    def close(self) -> None: ...


@cache
def migrations(kind: str, dialect: str) -> tuple[str, ...]:
    """The shipped migrations of one kind of store, in their order."""
    found: dict[int, str] = {}
    for entry in resources.folder("cityid.edge", "migrations", kind).iterdir():
        parts = re.fullmatch(r"([0-9]{4})(?:\.(sqlite|postgresql))?\.sql", entry.name)
        if parts and parts[2] in (None, dialect):
            found[int(parts[1])] = entry.read_text("utf-8")
    return tuple(found[number] for number in range(1, len(found) + 1))


def statements(script: str) -> tuple[str, ...]:
    """The statements of a script, which a semicolon ends at the end of a line."""
    found, open_ = [], ""
    for line in script.splitlines(keepends=True):
        open_ += line
        if sqlite3.complete_statement(open_):
            found.append(open_.strip())
            open_ = ""
    return tuple(found)


def _marks(columns: Sequence[str]) -> str:
    return ",".join("?" * len(columns))


class _SqliteLink:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Cursor:
        return self._connection.execute(statement, values)

    def many(self, statement: str, rows: Sequence[Sequence[Any]]) -> int:
        return self._connection.executemany(statement, rows).rowcount if rows else 0

    def add(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({_marks(columns)})"  # noqa: S608  # our own words, values are bound
        self.many(statement, rows)


class SqliteSql(Store):
    """Tables in one SQLite file, or in memory where `path` is None (`cityid.edge.sqlite.Database`)."""

    def __init__(self, path: str | Path | None, kind: str, application_id: int, *, must_exist: bool = False) -> None:
        groups = tuple(statements(script) for script in migrations(kind, "sqlite"))
        self._database = Database(path, kind, application_id, groups, must_exist=must_exist)
        self.name, self.kind = self._database.name, kind

    @contextmanager
    def read(self) -> Iterator[Link]:
        with self._database.read() as connection:
            yield _SqliteLink(connection)

    @contextmanager
    def snapshot(self) -> Iterator[Link]:
        with self._database.read() as connection, snapshot(connection):
            yield _SqliteLink(connection)

    @contextmanager
    def write(self) -> Iterator[Link]:
        with self._database.write() as connection:
            yield _SqliteLink(connection)

    def close(self) -> None:
        self._database.close()
