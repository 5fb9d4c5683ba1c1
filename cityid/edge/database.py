"""Sessions and the register, each in a SQLite file of its own, or together in one PostgreSQL database.

Imported when they are first used: a service that only keeps sessions does not load a register.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cityid.edge.register_store import PostgresRegister, SqliteRegister, StoredRegister
    from cityid.edge.sessions_store import PostgresSessions, SqliteSessions, StoredSessions

__all__ = [
    "PostgresRegister",
    "PostgresSessions",
    "SqliteRegister",
    "SqliteSessions",
    "StoredRegister",
    "StoredSessions",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(name)
    place = "sessions_store" if name.endswith("Sessions") else "register_store"
    return getattr(import_module(f"cityid.edge.{place}"), name)
