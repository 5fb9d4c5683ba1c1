"""E18: a store of an older program is taken over by ours, which is killed at each statement of every migration. It is
the old store or the new one, with all that was in it; the old program then refuses it, and leaves it as it is, be it
started anew or running still. (A wallet's migration is part of the life that E1 and E5 disturb.)"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from cityid.edge import sql
from cityid.edge.database import SqliteRegister
from cityid.errors import CityIdError
from tests.soak.clerks import AT, BASE, opened
from tests.soak.core import Place, Tally

NUMBERS = [f"R-2026-{number:06d}" for number in range(1, 41)]


@contextmanager
def version(number: int) -> Iterator[None]:
    """The program as it was when there were so many migrations of the register."""
    now = sql.migrations
    with mock.patch.object(sql, "migrations", lambda kind, dialect: now(kind, dialect)[:number]):
        if "cityid.edge.postgres" in __import__("sys").modules:
            import cityid.edge.postgres as postgres

            with mock.patch.object(postgres, "migrations", sql.migrations):
                yield
        else:
            yield


def latest() -> int:
    return len(sql.migrations("register", "sqlite"))


def fill(store: str, number: int) -> None:
    """A register as that version left it: its tables, with forty cards. Written as that program wrote, a statement at a
    time, because its code is gone."""
    with version(number), opened(store) as register, register.sql.write() as link:
        link.execute(
            "INSERT INTO batches (id, key, clerk, at) VALUES (1, ?, 'maria', 1)", (hashlib.sha256(b"").digest(),)
        )
        link.execute("INSERT INTO lists (id, uri, bits, size, used) VALUES (1, ?, 2, 256, 40)", (f"{BASE}/1",))
        link.execute("INSERT INTO counters (name, last) VALUES ('2026', 40)")
        for card, name in enumerate(NUMBERS, 1):
            link.execute(
                "INSERT INTO cards (id, number, type, format, starts, ends, state, batch, clerk, at) "
                "VALUES (?, ?, 'residency', 'dc+sd-jwt', 1, 2, 'issued', 1, 'maria', 1)",
                (card, name),
            )
            link.execute("INSERT INTO copies (card, position, holder) VALUES (?, 0, ?)", (card, name))
            link.execute("INSERT INTO entries (list, idx, value, card, position) VALUES (1, ?, ?, ?, 0)",
                         (card, card % 3, card))  # fmt: skip


def held(store: str) -> list[str]:
    """What is not as it was."""
    with opened(store) as register:
        rows = {row.number: row for row in register.rows()}
        found = [] if sorted(rows) == NUMBERS else [f"rows are missing: {len(rows)} of {len(NUMBERS)}"]
        found += [f"{name} changed" for card, name in enumerate(NUMBERS, 1)
                  if name in rows and (rows[name].holders, rows[name].standing) != ((name,), card % 3)]  # fmt: skip
        return found


def run(tally: Tally, place: Place) -> None:
    for kind, store in place.stores(tally):
        for before in range(1, latest()):
            # the server takes its time with new tables
            stride = 1 if place.long else 8 if kind == "postgresql" else 3
            first = place.seed % stride
            steps = first
            while killed_at(place, kind, before, steps, tally):
                steps += stride
            if steps < 4:
                tally.wrong(f"{kind}: from version {before}: only {steps} statements")
        fill(store, latest() - 1)
        tally.ask(f"{kind}: old programs that run still")
        if (found := running(store, latest() - 1)) != "store.newer":
            tally.wrong(f"{kind}: an old program that runs still: {found}")
        tally.did(f"{kind}: old programs that run still")


def killed_at(place: Place, kind: str, before: int, step: int, tally: Tally) -> bool:
    """Whether there was such a statement to be killed at."""
    server = place.server()
    store = str(place.sub("upgrade") / "register.sqlite") if kind == "sqlite" or server is None else server.name()
    fill(store, before)
    tally.ask(f"{kind}: kills at a statement of a migration")
    killed = _killed(lambda: opened(store).close(), step)
    what = f"{kind}: from version {before}, killed at statement {step}"
    tally.wrong(*(f"{what}: {found}" for found in held(store)))
    tally.wrong(*(f"{what}: {found}" for found in refused(store, before)))
    tally.did(f"{kind}: kills at a statement of a migration")
    if kind == "sqlite":
        shutil.rmtree(Path(store).parent)
    return killed


def _killed(work: Callable[[], object], step: int) -> bool:
    """Do it in a process that kills itself before its statement number `step`, all kinds of statements counted."""
    child = os.fork()
    if child == 0:
        try:
            _count(step)
            work()
        finally:
            os._exit(0)
    _, ended = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(ended) == -signal.SIGKILL


def _count(step: int) -> None:
    left = [step]

    def next_(*_: object) -> None:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1

    class Connection(sqlite3.Connection):
        def execute(self, *given: Any) -> Any:
            next_()
            return super().execute(*given)

    connect = sqlite3.connect
    sqlite3.connect = lambda *given, **named: connect(*given, **named, factory=Connection)  # type: ignore[assignment]
    try:
        import psycopg
    except ImportError:
        return
    execute = psycopg.Connection.execute

    def counted(self: Any, statement: Any, *given: Any, **named: Any) -> Any:
        # a script is one thing to say: it is taken apart, so that the end may come between its statements
        parts = sql.statements(statement.decode()) if isinstance(statement, bytes) and b"CREATE" in statement else ()
        for part in parts[:-1]:
            next_()
            execute(self, part.encode())
        next_()
        return execute(self, parts[-1].encode() if parts else statement, *given, **named)

    psycopg.Connection.execute = counted  # type: ignore[method-assign,assignment]


def refused(store: str, before: int) -> list[str]:
    """What an older program does with a register that is ours now."""
    found, path = [], Path(store)
    content = path.read_bytes() if path.exists() else b""
    with version(before):
        try:
            opened(store).close()
        except CityIdError as error:
            if error.code != "store.newer":
                found.append(f"the old program says {error.code}")
        else:
            found.append("the old program opens it")
    if content and path.read_bytes() != content:
        found.append("the old program changed it")
    return found


def running(store: str, before: int) -> str:
    """What an older program that has it open does next, after ours has taken the register over."""
    with version(before):
        old = opened(store)
    with old:
        opened(store).close()
        try:
            with old.batch("maria", "running", AT) as batch:
                batch.event("x", {})
        except CityIdError as error:
            return error.code
        return "it writes on"


def catches(place: Place) -> list[str]:
    """A migration that loses something of a row, and an old program that opens what is not its own."""
    missed = []
    path = place.sub("wrong") / "register.sqlite"
    fill(str(path), 1)
    with SqliteRegister(path, status_base=BASE) as register, register.sql.write() as link:
        link.execute("UPDATE copies SET holder = '' WHERE card = 7")
    if not held(str(path)):
        missed.append("a holder that is lost")
    fill(str(other := place.sub("wrong") / "register.sqlite"), 1)
    if not refused(str(other), 1):
        missed.append("an old program that opens it")
    return missed
