"""SQLite as all our stores use it: durable (WAL, synchronous=FULL), one writer at a time, numbered migrations forward.

A connection serves one thread at a time and is kept for the next one. What SQLite says becomes Unavailable `store.*`.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias

from cityid.edge.atomic import sync_directory
from cityid.edge.private_file import make_directory
from cityid.errors import Misuse, Unavailable

Migrations: TypeAlias = Sequence[Sequence[str]]
"""Statements by version: the first group makes version 1 out of an empty file. A group that shipped never changes."""

BUSY: Final = 10.0
"""Seconds that a writer waits for another."""
ATTEMPTS: Final = 100
PAUSE: Final = 0.05
"""Seconds between attempts at what SQLite does not wait for."""
BESIDE: Final = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a file, under its name."""
_CODES: Final = {
    sqlite3.SQLITE_BUSY: "store.busy",
    sqlite3.SQLITE_LOCKED: "store.busy",
    sqlite3.SQLITE_FULL: "store.full",
    sqlite3.SQLITE_READONLY: "store.read_only",
    sqlite3.SQLITE_CORRUPT: "store.damaged",
    sqlite3.SQLITE_NOTADB: "store.damaged",
    sqlite3.SQLITE_CANTOPEN: "store.cannot_open",
    sqlite3.SQLITE_PERM: "store.cannot_open",
}


@contextmanager
def told(store: str, kind: str) -> Iterator[None]:
    """Turn what SQLite says into Unavailable `store.*`."""
    try:
        yield
    except sqlite3.Error as error:
        code = _CODES.get((getattr(error, "sqlite_errorcode", None) or 0) & 0xFF)
        if code == "store.damaged":
            raise Unavailable("store.damaged", kind=kind) from None
        if code is not None:
            raise Unavailable(code, path=store) from None
        reason = getattr(error, "sqlite_errorname", None) or type(error).__name__
        raise Unavailable("store.failed", path=store, reason=reason) from error
    except UnicodeDecodeError:  # SQLite's own words about a damaged schema, which quote it
        raise Unavailable("store.damaged", kind=kind) from None


def create(path: Path) -> None:
    """An empty file that only its owner can use, whatever the umask. Missing folders are made as 0700.

    Raises:
        FileExistsError: something has this name; nothing was followed or changed.
        Unavailable: `store.write`.
    """
    make_directory(path.parent)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
        sync_directory(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise Unavailable("store.write", path=str(path), reason=errno.errorcode.get(error.errno or 0, "EIO")) from None


def check(path: Path) -> None:
    """A file that only its owner can read, replace or redirect.

    By name, not by descriptor: closing any descriptor of a file drops all locks that this process has on it, SQLite's
    too. Nobody else can swap the name, because the folder is not everybody's.

    Raises:
        Misuse: `store.permissions`.
        Unavailable: `store.missing`, `store.not_a_file` (a link, a pipe, a second name), `store.unreadable`.
    """
    try:
        found, folder = path.lstat(), path.parent.stat()
    except FileNotFoundError:
        raise Unavailable("store.missing", path=str(path)) from None
    except OSError as error:
        reason = errno.errorcode.get(error.errno or 0, "EIO")
        raise Unavailable("store.unreadable", path=str(path), reason=reason) from None
    for beside in (f"{path}{end}" for end in BESIDE):
        with suppress(OSError):
            if not stat.S_ISREG(os.lstat(beside).st_mode):
                raise Unavailable("store.not_a_file", path=beside)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise Unavailable("store.not_a_file", path=str(path))
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise Misuse("store.permissions", path=str(path), mode=f"{stat.S_IMODE(found.st_mode):04o}")
    if folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
        raise Misuse("store.permissions", path=str(path.parent), mode=f"{stat.S_IMODE(folder.st_mode):04o}")


class Store:
    """What keeps files open until it is closed, at the end of a `with` block at the latest."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Database(Store):
    """One SQLite file of one `kind`, which `application_id` marks, or a database in memory where `path` is None. A file
    that `must_exist` is never made: one that was lost, or emptied, would come back with nothing in it.

    Raises:
        Misuse: `store.permissions` for a file that others can read or replace, `store.wrong_kind`.
        Unavailable: `store.missing`, `store.newer`, `store.damaged`, `store.not_a_file` and the other `store.*`.
    """

    def __init__(
        self,
        path: str | Path | None,
        kind: str,
        application_id: int,
        migrations: Migrations,
        *,
        must_exist: bool = False,
    ) -> None:
        self.name = "memory" if path is None else str(path)
        self.kind = kind
        self._path = None if path is None else Path(path)
        self._idle: list[sqlite3.Connection] = []
        self._lost: list[sqlite3.Connection] = []
        self._process = os.getpid()
        self._closed = False
        self._known = len(migrations)
        # A database in memory is its one connection, which its threads share by turns.
        self._turns = threading.RLock() if path is None else None
        if self._path is not None:
            if not must_exist:
                with suppress(FileExistsError):
                    create(self._path)
            check(self._path)
        try:
            with told(self.name, self.kind), self._connection() as connection:
                with snapshot(connection):
                    version = versions(connection, self.name, application_id, len(migrations))
                if must_exist and not version:
                    raise Unavailable("store.damaged", kind=kind)
                if version != len(migrations):
                    _migrate(connection, self.name, application_id, migrations)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with."""
        with told(self.name, self.kind), self._connection() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a transaction that holds the right to write; committed, durably, when left without an
        error. A newer program may have taken the file over since it was opened: it is not written to then."""
        with told(self.name, self.kind), self._connection() as connection, transaction(connection):
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > self._known:
                raise Unavailable("store.newer", path=self.name, version=version, known=self._known)
            yield connection

    def close(self) -> None:
        """Close what is idle, and every connection in use as soon as it is given back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        if self._turns is not None:
            with self._turns:
                if not self._idle:
                    self._idle.append(connect(":memory:"))
                yield self._idle[0]
            return
        if self._process != os.getpid():
            # SQLite forbids a child to use, or even close, the connections of its parent.
            self._lost, self._idle, self._process = [*self._lost, *self._idle], [], os.getpid()
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = connect(f"{self._path.absolute().as_uri()}?mode=rw")  # type: ignore[union-attr]
        try:
            yield connection
        finally:
            if self._closed or connection.in_transaction:  # in a transaction still: the rollback itself failed
                connection.close()
            else:
                self._idle.append(connection)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """BEGIN IMMEDIATE, so that what is read inside is still true when it is written; COMMIT, or ROLLBACK on error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """What is read inside is of one moment, whoever writes meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def connect(uri: str) -> sqlite3.Connection:
    """A connection with our settings. Autocommit: transactions are begun by name."""
    connection = sqlite3.connect(uri, timeout=BUSY, isolation_level=None, check_same_thread=False, uri=True)
    try:
        for setting in (
            "trusted_schema = OFF",
            "foreign_keys = ON",
            "secure_delete = ON",
            "cell_size_check = ON",
        ):
            connection.execute(f"PRAGMA {setting}").fetchall()
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """SQLite waits for nobody while it changes how a new file is kept, and somebody may be at the same."""
    for left in reversed(range(ATTEMPTS)):
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError as error:
            if not left or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(PAUSE)
        else:
            return


def _migrate(connection: sqlite3.Connection, store: str, application_id: int, migrations: Migrations) -> None:
    with transaction(connection):
        version = versions(connection, store, application_id, len(migrations))
        for group in migrations[version:]:
            for statement in group:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {application_id}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")


def versions(connection: sqlite3.Connection, store: str, application_id: int, known: int) -> int:
    """The version of the tables in a file of the right kind; 0 where there are none yet.

    Raises:
        Misuse: `store.wrong_kind`.
        Unavailable: `store.newer`.
    """
    (kind,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if kind != application_id and (kind or tables):
        raise Misuse("store.wrong_kind", path=store)
    if version > known:
        raise Unavailable("store.newer", path=store, version=version, known=known)
    return int(version)
