"""From one database to another: a city that outgrows its SQLite file takes its whole register to PostgreSQL, with its
open offers. Row by row as it stands, so every number, entry, salt and leaf is the same."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cityid.edge.database import StoredRegister, StoredSessions
from cityid.edge.register_rows import marks, pages
from cityid.edge.sql import Link, Sql
from cityid.errors import Misuse, Unavailable
from cityid.sessions import new_key

__all__ = ["SESSION_TABLES", "TABLES", "copy"]

TABLES: Final = (
    "lists", "batches", "cards", "copies", "entries", "moved", "changes", "events", "counters", "checkpoints", "keys",
    "clerks", "log_nodes", "voices",
)  # fmt: skip
"""In an order that foreign keys allow."""
SESSION_TABLES: Final = ("sessions",)
_SLICE: Final = 1000


def copy(
    source: StoredRegister,
    target: StoredRegister,
    offers: tuple[StoredSessions, StoredSessions] | None = None,
    *,
    by: str,
    at: datetime,
) -> dict[str, int]:
    """Copy a register into an empty one, and the open offers with it; the rows of each table. All or nothing in each
    database; nobody writes to the source meanwhile.

    Raises:
        Misuse: `register.copy_not_empty`.
        Unavailable: `store.*`.
    """
    counts = _copy(source.sql, target.sql, TABLES, "batches")
    if offers is not None:
        counts |= _copy(offers[0].sql, offers[1].sql, SESSION_TABLES, "sessions")
    with target.batch(by, new_key(), at) as batch:
        batch.event("copy", {"rows": counts["cards"], "events": counts["events"]})
    return counts


def _copy(source: Sql, target: Sql, tables: tuple[str, ...], sign_of_life: str) -> dict[str, int]:
    counts = {}
    with source.write() as old, target.write() as new:
        if new.execute(f"SELECT count(*) FROM {sign_of_life}").fetchone()[0]:  # noqa: S608  # our own words
            raise Misuse("register.copy_not_empty", path=target.name)
        for table in tables:
            counts[table] = _table(old, new, table)
            (there,) = new.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608  # our own words, values are bound
            if there != counts[table]:
                raise Unavailable("store.failed", path=target.name, reason=f"{there} of {counts[table]} rows")
    return counts


def _table(old: Link, new: Link, table: str) -> int:
    columns = [row[0] for row in old.execute("SELECT name FROM pragma_table_info(?) ORDER BY cid", (table,))]
    names, count = ", ".join(columns), 0
    for page in pages(old.execute(f"SELECT {names} FROM {table}"), _SLICE):  # noqa: S608  # our own words, values are bound
        new.many(f"INSERT INTO {table} ({names}) VALUES ({marks(columns)})", page)  # noqa: S608  # our own words, values are bound
        count += len(page)
    return count
