"""Sessions in a SQLite file of their own, or in the PostgreSQL database that keeps the register."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from cityid.edge.sealed import open_sealed, seal
from cityid.edge.sql import Link, Sql, SqliteSql
from cityid.edge.sqlite import Store
from cityid.encoding.times import numeric
from cityid.errors import Misuse, Refused
from cityid.sessions import TRIES, Kind, check_key

__all__ = ["PostgresSessions", "SqliteSessions", "StoredSessions"]

_APPLICATION: Final = 0x63695373  # "ciSs"
_NO_SALT: Final = bytes(32)
_DAY: Final = 86_400
_TOMBSTONE: Final = {Kind.SESSION: _DAY, Kind.CHALLENGE: _DAY, Kind.OFFER: 400 * _DAY, Kind.WAITING: _DAY}
"""How long a spent key is known as spent, after its deadline. Offers: whoever finds an old letter is told the truth."""


class StoredSessions(Store):
    """Sessions over a database. Safe to share between threads and processes.

    A value is sealed under a key that only the session's own key gives (HKDF-SHA256), and found by a hash of it: the
    database opens nothing.
    """

    def __init__(self, sql: Sql, entropy: Callable[[int], bytes]) -> None:
        self.sql = sql
        self._entropy = entropy

    def put(self, key: str, value: bytes, until: datetime, *, kind: Kind = Kind.SESSION, tries: int = TRIES) -> None:
        end = numeric(until)
        name, secret = _derive(check_key(key), kind)
        sealed = seal(secret, value, _place(name, end), self._entropy)
        with self.sql.write() as link:
            done = link.execute(
                "INSERT INTO sessions (id, until, buried, tries, sealed) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (name, end, end + _TOMBSTONE[kind], tries, sealed),
            )
            if done.rowcount != 1:
                raise Misuse("session.exists")

    def put_many(
        self, values: Iterable[tuple[str, bytes]], until: datetime, *, kind: Kind = Kind.SESSION, tries: int = TRIES
    ) -> None:
        """`put` for many in one transaction. A key that was used before keeps what it has: saying it again, after a
        crash, changes nothing."""
        end = numeric(until)
        rows = []
        for key, value in values:
            name, secret = _derive(check_key(key), kind)
            sealed = seal(secret, value, _place(name, end), self._entropy)
            rows.append((name, end, end + _TOMBSTONE[kind], tries, sealed))
        with self.sql.write() as link:
            link.many(
                "INSERT INTO sessions (id, until, buried, tries, sealed) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                rows,
            )

    def take(self, key: str, at: datetime, *, kind: Kind = Kind.SESSION) -> bytes:
        now = numeric(at)
        name, secret = _derive(key.encode("utf-8", "surrogatepass"), kind)
        with self.sql.write() as link:
            # The transaction holds the right to write, so nobody comes between the look and the taking.
            found = link.execute("SELECT taken, until, sealed FROM sessions WHERE id = ?", (name,)).fetchone()
            _forget(link, now)
            link.execute("UPDATE sessions SET taken = 1 WHERE id = ? AND sealed IS NOT NULL", (name,))
        if found is None:
            raise Refused("session.unknown")
        taken, until, sealed = found
        if taken:
            raise Refused("session.spent")
        if until <= now or sealed is None:  # erased already, when the clock was ahead
            raise Refused("session.expired")
        return open_sealed(secret, bytes(sealed), _place(name, until), kind="sessions")

    def give_back(self, key: str, *, kind: Kind = Kind.SESSION, fault: bool = False) -> bool:
        name, _ = _derive(key.encode("utf-8", "surrogatepass"), kind)
        with self.sql.write() as link:
            opened = link.execute(
                "UPDATE sessions SET taken = 0, tries = tries - ? "
                "WHERE id = ? AND taken = 1 AND sealed IS NOT NULL AND tries >= ?",
                (int(fault), name, int(fault)),
            ).rowcount
            if fault and not opened:
                link.execute("UPDATE sessions SET sealed = NULL WHERE id = ? AND taken = 1", (name,))
        return opened == 1

    def spend(self, key: str, *, kind: Kind = Kind.SESSION) -> None:
        name, _ = _derive(key.encode("utf-8", "surrogatepass"), kind)
        with self.sql.write() as link:
            link.execute("UPDATE sessions SET taken = 1, sealed = NULL WHERE id = ? AND sealed IS NOT NULL", (name,))

    def forget(self, at: datetime) -> int:
        with self.sql.write() as link:
            return _forget(link, numeric(at))

    def close(self) -> None:
        self.sql.close()


class SqliteSessions(StoredSessions):
    """Sessions in one SQLite file; in memory where `path` is None. Raises as `cityid.edge.sqlite.Database`."""

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        must_exist: bool = False,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        super().__init__(SqliteSql(path, "sessions", _APPLICATION, must_exist=must_exist), entropy)


class PostgresSessions(StoredSessions):
    """Sessions in a PostgreSQL database, beside the register or alone. Raises as `cityid.edge.postgres.PostgresSql`."""

    def __init__(
        self,
        name: str,
        *,
        password: Callable[[], str] | None = None,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        from cityid.edge.postgres import PostgresSql

        super().__init__(PostgresSql(name, "sessions", password=password), entropy)


def _forget(link: Link, now: int) -> int:
    erased = link.execute("UPDATE sessions SET sealed = NULL WHERE sealed IS NOT NULL AND until <= ?", (now,))
    link.execute("DELETE FROM sessions WHERE buried <= ?", (now,))
    return int(erased.rowcount)


def _derive(key: bytes, kind: Kind) -> tuple[bytes, bytes]:
    """The name under which a value is kept and the secret that seals it: two blocks of HKDF-SHA256 (RFC 5869), so that
    the name tells nothing about the secret. By hand: tables are offered from by the ten thousand."""
    about = b"cityid " + kind.value.encode("ascii")
    drawn = hmac.digest(_NO_SALT, key, "sha256")
    name = hmac.digest(drawn, about + b"\x01", "sha256")
    return name, hmac.digest(drawn, name + about + b"\x02", "sha256")


def _place(name: bytes, until: int) -> bytes:
    return name + until.to_bytes(8, "big", signed=True)
