"""PostgreSQL as our stores use it (psycopg 3, extra `[postgres]`): one writer at a time for each kind of store, as
SQLite has it, held by an advisory lock for the length of a transaction; synchronous commits; migrations forward.

The name of a database (`postgresql://host/db`) never holds a password: it comes from a pgpass or service file, or is
asked for. A connection serves one thread at a time and is kept for the next one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from cityid.edge.sql import Cursor, Link, migrations
from cityid.edge.sqlite import Store
from cityid.errors import Misuse, Unavailable

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg import Cursor as PostgresCursor

__all__ = ["PostgresSql", "is_postgres"]

PATIENCE: Final = 10
"""Seconds that a writer waits for another, and a connection for its server."""
IDLE: Final = 60
"""Seconds after which the server ends a transaction whose client has gone silent, so that it keeps nobody waiting."""
_VERSIONS: Final = "; SELECT kind, version FROM cityid_versions"
_STATES: Final = {
    "55P03": "store.busy", "40001": "store.busy", "40P01": "store.busy", "57014": "store.busy", "53300": "store.busy",
    "53100": "store.full", "25006": "store.read_only",
    "25P03": "store.lost", "57P01": "store.lost", "57P02": "store.lost", "57P03": "store.lost",
}  # fmt: skip
"""SQLSTATE -> code (PostgreSQL, Appendix A)."""


def is_postgres(name: str) -> bool:
    return name.startswith(("postgresql://", "postgres://"))


def _parts(name: str) -> dict[str, Any]:
    """Raises Misuse `store.name`, `store.password_in_name`; Unavailable `install.extra`."""
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise Unavailable("install.extra", extra="postgres") from None
    try:
        parts = conninfo_to_dict(name)
    except (ProgrammingError, ValueError):
        # The name itself may hold a password, so it is not repeated.
        raise Misuse("store.name") from None
    if parts.get("password") or parts.get("sslpassword"):
        raise Misuse("store.password_in_name")
    return parts


class _Link:
    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Cursor:
        return self._connection.execute(statement.replace("?", "%s").encode("utf-8"), values)

    def many(self, statement: str, rows: Sequence[Sequence[Any]]) -> int:
        if not rows:
            return 0
        with self._connection.cursor() as cursor:
            cursor.executemany(statement.replace("?", "%s").encode("utf-8"), rows)
            return cursor.rowcount

    def add(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        if not rows:
            return
        into = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        with self._connection.cursor() as cursor, cursor.copy(into.encode("utf-8")) as copy:
            for row in rows:
                copy.write_row(row)


class PostgresSql(Store):
    """Tables of one `kind` in the database that `name` says. `password` is asked where the server wants one and no file
    gives it.

    Raises:
        Misuse: `store.name`, `store.password_in_name`, `store.sign_in`.
        Unavailable: `store.unreachable`, `store.not_durable`, `store.newer`, `install.extra` and the other `store.*`.
    """

    def __init__(self, name: str, kind: str, *, password: Callable[[], str] | None = None) -> None:
        self.name, self.kind = name, kind
        self._given = _parts(name)
        self._ask = password
        self._password: str | None = None
        self._idle: list[Connection[Any]] = []
        self._lost: list[Connection[Any]] = []
        self._process = os.getpid()
        self._closed = False
        self._known = len(migrations(kind, "postgresql"))
        self._lock = int.from_bytes(hashlib.sha256(b"cityid " + kind.encode()).digest()[:8], "big", signed=True)
        try:
            with self._told(), self._connection() as connection:
                self._migrate(connection)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def read(self) -> Iterator[Link]:
        with self._told(), self._connection() as connection:
            yield _Link(connection)

    @contextmanager
    def snapshot(self) -> Iterator[Link]:
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        with self._told(), self._connection() as connection, self._transaction(connection, begin):
            yield _Link(connection)

    @contextmanager
    def write(self) -> Iterator[Link]:
        with self._told(), self._connection() as connection, self._writing(connection, _VERSIONS) as begun:
            # A newer program may have taken the tables over since they were opened: they are not written to then.
            while begun.nextset():
                pass
            found = dict(begun.fetchall()).get(self.kind, 0)
            if found > self._known:
                raise Unavailable("store.newer", path=self.name, version=found, known=self._known)
            yield _Link(connection)

    def close(self) -> None:
        """Close what is idle, and every connection in use as soon as it is given back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _writing(self, connection: Connection[Any], ask: str = "") -> Iterator[PostgresCursor[Any]]:
        """`ask` is said in the same breath, and answered last."""
        # READ COMMITTED by name: what is read inside must be what the writer before us has left.
        begin = f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({self._lock}){ask}"
        with self._transaction(connection, begin) as begun:
            yield begun

    @contextmanager
    def _transaction(self, connection: Connection[Any], begin: str) -> Iterator[PostgresCursor[Any]]:
        try:
            yield connection.execute(begin.encode())
            # After a failed statement that somebody caught, COMMIT means ROLLBACK and raises nothing.
            if (ended := connection.execute("COMMIT").statusmessage) != "COMMIT":
                raise Unavailable("store.failed", path=self.name, reason=str(ended))
        except BaseException:
            import psycopg

            with suppress(psycopg.Error):
                connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _connection(self) -> Iterator[Connection[Any]]:
        from psycopg.pq import TransactionStatus

        if self._process != os.getpid():
            # A child must not speak on, nor politely end, the connections of its parent.
            self._lost, self._idle, self._process = [*self._lost, *self._idle], [], os.getpid()
        connection = None
        while self._idle and connection is None:
            with suppress(IndexError):
                connection = self._alive(self._idle.pop())
        connection = connection or self._connect()
        try:
            yield connection
        finally:
            if self._closed or connection.info.transaction_status is not TransactionStatus.IDLE:
                connection.close()
            else:
                self._idle.append(connection)

    def _alive(self, connection: Connection[Any]) -> Connection[Any] | None:
        """A connection that was kept, unless its server has gone since."""
        import select

        if not connection.closed and select.select([connection.fileno()], [], [], 0)[0]:
            connection.close()  # the server says something unasked: that it is leaving
        return None if connection.closed else connection

    def _connect(self) -> Connection[Any]:
        import psycopg

        settings = {"connect_timeout": str(PATIENCE), "keepalives_idle": "10", "application_name": "cityid"}

        def connect(password: str | None) -> Connection[Any]:
            # An empty password given by name would hide the one of a service file.
            known = {"password": password} if password else {}
            name = psycopg.conninfo.make_conninfo("", **{**settings, **self._given, **known})
            return psycopg.connect(name, autocommit=True)

        try:
            try:
                connection = connect(self._password)
            except psycopg.OperationalError as error:
                if not (error.pgconn and error.pgconn.needs_password and self._ask):
                    raise
                self._password = self._ask()
                connection = connect(self._password)
        except psycopg.OperationalError as error:
            if error.pgconn and (error.pgconn.needs_password or error.pgconn.used_password):
                raise Misuse("store.sign_in", path=self.name) from None
            raise Unavailable("store.unreachable", path=self.name) from None
        try:
            connection.execute(f"SET lock_timeout = '{PATIENCE}s'".encode())
            connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE}s'".encode())
            self._durable(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _durable(self, connection: Connection[Any]) -> None:
        """What was acknowledged survives a power cut: a server that gives that up is not used."""
        found = connection.execute(
            "SELECT current_setting('fsync'), current_setting('full_page_writes'), "
            "current_setting('synchronous_commit')"
        ).fetchone()
        fsync, pages, commit = found or ("", "", "")
        for setting, value in (("fsync", fsync), ("full_page_writes", pages)):
            if value != "on":
                raise Unavailable("store.not_durable", path=self.name, setting=setting)
        if commit not in ("on", "remote_apply"):
            connection.execute("SET synchronous_commit = on")

    def _migrate(self, connection: Connection[Any]) -> None:
        scripts = migrations(self.kind, "postgresql")
        if self._version(connection, len(scripts)) == len(scripts):
            return
        with self._writing(connection):
            connection.execute(
                "CREATE TABLE IF NOT EXISTS cityid_versions (kind TEXT PRIMARY KEY, version INTEGER NOT NULL)"
            )
            for script in scripts[self._version(connection, len(scripts)) :]:
                connection.execute(script.encode("utf-8"))
            connection.execute(
                "INSERT INTO cityid_versions (kind, version) VALUES (%s, %s) "
                "ON CONFLICT (kind) DO UPDATE SET version = excluded.version",
                (self.kind, len(scripts)),
            )

    def _version(self, connection: Connection[Any], known: int) -> int:
        there = connection.execute("SELECT to_regclass('cityid_versions')").fetchone()
        if there is None or there[0] is None:
            return 0
        found = connection.execute("SELECT version FROM cityid_versions WHERE kind = %s", (self.kind,)).fetchone()
        version = int(found[0]) if found else 0
        if version > known:
            raise Unavailable("store.newer", path=self.name, version=version, known=known)
        return version

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what PostgreSQL says into Unavailable `store.*`."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            state = error.sqlstate or ""
            code = _STATES.get(state)
            if state.startswith("XX00"):
                raise Unavailable("store.damaged", kind=self.kind) from None
            if code is None and (state.startswith("08") or (not state and isinstance(error, psycopg.OperationalError))):
                code = "store.lost"
            if code is not None:
                raise Unavailable(code, path=self.name) from None
            raise Unavailable("store.failed", path=self.name, reason=state or type(error).__name__) from error
