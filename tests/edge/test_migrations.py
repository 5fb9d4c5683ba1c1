"""The migrations of SQLite and PostgreSQL, which are written apart where the two differ, make the same tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

from cityid.edge.database import PostgresRegister, PostgresSessions, SqliteRegister, SqliteSessions
from cityid.edge.sql import Link
from tests.postgres import Server

KINDS = {
    "INTEGER": "integer", "BIGINT": "integer", "integer": "integer", "bigint": "integer", "BLOB": "bytes",
    "BYTEA": "bytes", "bytea": "bytes", "TEXT": "text", "text": "text",
}  # fmt: skip
PAIRS = {"register": (SqliteRegister, PostgresRegister), "sessions": (SqliteSessions, PostgresSessions)}


class Column(NamedTuple):
    """What a column is; `key` is its place in the primary key, from 1."""

    kind: str
    needed: bool
    default: str | None
    key: int


Tables = dict[str, dict[str, Column]]


def plain(default: str | None) -> str | None:
    """PostgreSQL adds the type: `''::text`, `'-1'::integer`."""
    found = None if default is None else default.partition("::")[0].strip("()")
    return found.strip("'") if found and found.strip("'").lstrip("-").isdecimal() else found


def of_sqlite(link: Link) -> tuple[Tables, set[str]]:
    tables: Tables = {}
    for (name,) in link.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        tables[name] = {
            column: Column(KINDS[kind], bool(needed or key), plain(default), key)
            for _, column, kind, needed, default, key in link.execute(f"PRAGMA table_info({name})").fetchall()
        }
    indices = link.execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL").fetchall()
    return tables, {name for (name,) in indices}


def of_postgres(link: Link) -> tuple[Tables, set[str]]:
    tables: Tables = {}
    keys = {
        (table, column): place
        for table, column, place in link.execute(
            "SELECT table_name, column_name, ordinal_position FROM information_schema.key_column_usage "
            "JOIN information_schema.table_constraints USING (constraint_schema, constraint_name, table_name) "
            "WHERE constraint_schema = current_schema() AND constraint_type = 'PRIMARY KEY'"
        ).fetchall()
    }
    found = link.execute(
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns "
        "WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
    ).fetchall()
    for table, column, kind, nullable, default in found:
        key = keys.get((table, column), 0)
        tables.setdefault(table, {})[column] = Column(KINDS[kind], nullable == "NO", plain(default), key)
    indices = link.execute(
        "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND indexname NOT IN "
        "(SELECT constraint_name FROM information_schema.table_constraints WHERE table_schema = current_schema())"
    ).fetchall()
    return tables, {name for (name,) in indices}


@pytest.fixture(params=PAIRS)
def both(request: pytest.FixtureRequest, postgres: Server) -> Iterator[tuple[Any, Any]]:
    sqlite, postgresql = PAIRS[request.param]
    with ExitStack() as opened:
        lite: Any = opened.enter_context(sqlite())
        great: Any = opened.enter_context(postgresql(postgres.name()))
        with lite.sql.read() as one, great.sql.read() as two:
            yield of_sqlite(one), of_postgres(two)


def test_tables_columns_and_indices_are_the_same(both: Any) -> None:
    (tables, indices), (others, other_indices) = both
    others = {name: columns for name, columns in others.items() if name not in OF_POSTGRES}
    assert tables
    assert tables.keys() == others.keys()
    for name in tables:
        assert tables[name] == others[name], name
    assert indices == other_indices


OF_POSTGRES = {"cityid_versions"}
"""Where PostgreSQL keeps what SQLite has in its header."""


def test_a_difference_is_seen(postgres: Server) -> None:
    """The comparison itself: one column more, another default, another index."""
    with SqliteSessions() as lite:
        with lite.sql.read() as link:
            before = of_sqlite(link)
        with lite.sql.write() as link:
            link.execute("ALTER TABLE sessions ADD COLUMN more TEXT NOT NULL DEFAULT 'x'")
            link.execute("CREATE INDEX more ON sessions(more)")
            after = of_sqlite(link)
    assert after[0]["sessions"]["more"] == Column("text", True, "'x'", 0)
    assert (before[0] == after[0], after[1] - before[1]) == (False, {"more"})
