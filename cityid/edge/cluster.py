"""Work that many machines share, in the register's PostgreSQL: runs over tables, cut into parts.

Rows and results lie here sealed under a key that the city's machines have and the database has not. Who does which part
when is the business of procrastinate (extra `[cluster]`), whose tables stand in a schema of their own; it is told the
name of a run and the number of a part, and nothing else.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cityid.edge import sealed
from cityid.edge.city_secret import CitySecret
from cityid.edge.postgres import PostgresSql
from cityid.edge.sqlite import Store
from cityid.encoding.times import numeric, read_numeric
from cityid.errors import Misuse, Unavailable

if TYPE_CHECKING:
    from procrastinate import App
    from psycopg import Connection

__all__ = [
    "DONE",
    "FAILED",
    "KEPT",
    "LEASE",
    "QUEUE",
    "TASK",
    "TRIES",
    "WAITING",
    "Part",
    "Queued",
    "WorkStore",
    "installed",
]

QUEUE: Final = "cityid"
TASK: Final = "cityid part"
SCHEMA: Final = "cityid_work"
LEASE: Final = 30
"""Seconds without a sign of life after which another worker takes over."""
TRIES: Final = 5
"""How often a part is begun: one that kills whoever takes it must not kill them all for ever."""
KEPT: Final = timedelta(days=90)
"""How long a run waits for whoever queued it to come back for what was made: as long as an offer may wait."""
WAITING, DONE, FAILED = "waiting", "done", "failed"


@dataclass(frozen=True, slots=True)
class Part:
    """A part that somebody is to do now, for the `tries`-th time. `about` describes its run, `rows` is the part."""

    run: str
    number: int
    tries: int
    about: bytes = field(repr=False)
    rows: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Queued:
    """A run, and how many of its parts wait (or are in somebody's hands), are done and not collected yet, or have
    failed. `about` is None where another home's secret seals it."""

    name: str
    at: datetime
    about: bytes | None = field(repr=False)
    waiting: int = 0
    done: int = 0
    failed: int = 0


def installed() -> Any:
    """procrastinate, which has nothing to say to a terminal: its log would repeat what is told in our words.

    Raises:
        Unavailable: `install.extra`.
    """
    import logging
    from importlib.util import find_spec

    if find_spec("procrastinate") is None or find_spec("psycopg_pool") is None:
        raise Unavailable("install.extra", extra="cluster")
    import procrastinate

    for name in ("procrastinate", "psycopg.pool"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    return procrastinate


class _WorkSql(PostgresSql):
    """Our tables, and those of procrastinate beside them."""

    schema = SCHEMA

    def _migrate(self, connection: Connection[Any]) -> None:
        super()._migrate(connection)
        (own,) = connection.execute("SELECT current_schema()").fetchone() or (None,)
        self.schema = SCHEMA if own == "public" else f"{own}_{SCHEMA}"
        if self._scripts(connection):
            with self._writing(connection):
                self._install(connection, self._scripts(connection))

    def _scripts(self, connection: Connection[Any]) -> Sequence[Path]:
        """The migrations of procrastinate that were not applied yet.

        Raises:
            Unavailable: `store.newer`.
        """
        found = connection.execute("SELECT name FROM work_scripts").fetchall()
        applied = {name for (name,) in found}
        shipped = sorted(Path(installed().schema.SchemaManager.get_migrations_path()).glob("*.sql"))
        if unknown := applied - {script.name for script in shipped}:
            raise Unavailable("store.newer", path=self.name, version=len(shipped) + len(unknown), known=len(shipped))
        return [script for script in shipped if script.name not in applied]

    def _install(self, connection: Connection[Any], scripts: Sequence[Path]) -> None:
        from psycopg import sql

        if not scripts:
            return  # somebody else was quicker
        (count,) = connection.execute("SELECT count(*) FROM work_scripts").fetchone() or (0,)
        (path,) = connection.execute("SELECT current_setting('search_path')").fetchone() or ("",)
        schema = sql.Identifier(self.schema)
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
        connection.execute(sql.SQL("SET LOCAL search_path = {}").format(schema))
        if count:
            for script in scripts:
                connection.execute(script.read_bytes())
        else:
            connection.execute(installed().schema.SchemaManager.get_schema().encode("utf-8"))
        connection.execute("SELECT set_config('search_path', %s, true)", (path,))
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO work_scripts (name) VALUES (%s)", [(script.name,) for script in scripts])

    def settings(self, schema: str) -> dict[str, Any]:
        given = {**self._given, "options": f"{self._given.get('options', '')} -csearch_path={schema}".lstrip()}
        known = {"password": self._password} if self._password else {}
        return {"application_name": "cityid", "keepalives_idle": "10", **given, **known}

    @contextmanager
    def queueing(self) -> Iterator[tuple[Connection[Any], App]]:
        """A transaction in which parts are written and their jobs deferred: both, or neither."""
        from psycopg import sql

        library = installed()
        app = library.App(connector=library.SyncPsycopgConnector())
        with self._told(), self._connection() as connection, self._transaction(connection, "BEGIN"):
            (path,) = connection.execute("SELECT current_setting('search_path')").fetchone() or ("",)
            # What we call by name is found where it always is; only what is not there is procrastinate's.
            wider = sql.SQL("SET LOCAL search_path = {}, {}").format(sql.SQL(path), sql.Identifier(self.schema))
            connection.execute(wider)
            yield connection, app


class WorkStore(Store):
    """Runs and their parts, opened with the secret of a city's home. Raises as `cityid.edge.postgres.PostgresSql`,
    Unavailable `install.extra` and, for what was sealed under another secret, Misuse `work.other_secret`."""

    def __init__(
        self,
        name: str,
        secret: CitySecret,
        *,
        password: Callable[[], str] | None = None,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        installed()
        self.name, self._key, self._mark, self._entropy = name, secret.work_key, secret.work_mark, entropy
        self.sql = _WorkSql(name, "work", password=password)

    @property
    def schema(self) -> str:
        """Where procrastinate's tables are."""
        return self.sql.schema

    def close(self) -> None:
        self.sql.close()

    def _seal(self, data: bytes, run: str, number: int, state: str) -> bytes:
        return sealed.seal(self._key, data, _place(run, number, state), self._entropy)

    def _open(self, data: Any, run: str, number: int, state: str) -> bytes:
        return sealed.open_sealed(self._key, bytes(data), _place(run, number, state), kind="work")

    # -- whoever queues --

    def begin(self, run: str, about: bytes, at: datetime) -> None:
        """A run, unless it is there already; whoever stopped it is overruled."""
        with self.sql.write() as link:
            link.execute(
                "INSERT INTO work_runs (name, secret, at, sealed) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET stopped = NULL",
                (run, self._mark, numeric(at), self._seal(about, run, -1, "")),
            )

    def states(self, run: str) -> Mapping[int, str]:
        """The parts of a run that are queued or over."""
        with self.sql.read() as link:
            return dict(link.execute("SELECT number, state FROM work_parts WHERE run = ?", (run,)).fetchall())

    def queue(self, run: str, number: int, rows: bytes) -> None:
        """Hand over a part, anew where it failed; nothing where it waits or is done. Of a run that was stopped it has
        failed at once."""
        from procrastinate.jobs import Job

        with self.sql.queueing() as (connection, app):
            # FOR SHARE: whoever stops the run at this moment comes before or after, and is heard either way.
            (no,) = connection.execute(
                "SELECT stopped FROM work_runs WHERE name = %s FOR SHARE", (run,)
            ).fetchone() or (None,)
            state, data = (WAITING, rows) if no is None else (FAILED, self._open(no, run, -1, FAILED))
            added = connection.execute(
                "INSERT INTO work_parts (run, number, state, sealed) VALUES (%s, %s, %s, %s) "
                "ON CONFLICT (run, number) DO UPDATE SET sealed = excluded.sealed, state = excluded.state, tries = 0 "
                "WHERE work_parts.state = 'failed'",
                (run, number, state, self._seal(data, run, number, state)),
            )
            if added.rowcount and state == WAITING:
                job = Job(
                    queue=QUEUE, lock=None, queueing_lock=None, task_name=TASK,
                    task_kwargs={"run": run, "number": number},
                )  # fmt: skip
                app.job_manager.batch_defer_jobs([job], connection=connection)

    def over(self, run: str, without: Sequence[int] = ()) -> Iterator[tuple[int, str, bytes]]:
        """What came of the parts that are over, one at a time: number, `done` or `failed`, and what whoever did it
        left. Those `without` are passed over."""
        with self.sql.read() as link:
            found = link.execute(
                "SELECT number FROM work_parts WHERE run = ? AND state <> 'waiting' ORDER BY number", (run,)
            ).fetchall()
        for (number,) in found:
            if number in without:
                continue
            with self.sql.read() as link:
                state, data = link.execute(
                    "SELECT state, sealed FROM work_parts WHERE run = ? AND number = ?", (run, number)
                ).fetchone()
            yield number, state, self._open(data, run, number, state)

    def collected(self, run: str, number: int) -> None:
        """A part whose result is in good hands is forgotten."""
        with self.sql.write() as link:
            link.execute("DELETE FROM work_parts WHERE run = ? AND number = ?", (run, number))

    def end(self, run: str) -> None:
        with self.sql.write() as link:
            link.execute("DELETE FROM work_runs WHERE name = ?", (run,))

    def runs(self) -> list[Queued]:
        """All runs that are queued or not collected yet, in the order in which they came."""
        with self.sql.read() as link:
            found = link.execute("SELECT name, secret, at, sealed FROM work_runs ORDER BY at, name").fetchall()
            counts = link.execute("SELECT run, state, count(*) FROM work_parts GROUP BY run, state").fetchall()
        parts = {(run, state): count for run, state, count in counts}
        return [
            Queued(
                name, read_numeric(at), self._open(about, name, -1, "") if mark == self._mark else None,
                *(parts.get((name, state), 0) for state in (WAITING, DONE, FAILED)),
            )
            for name, mark, at, about in found
        ]  # fmt: skip

    def workers(self, lease: float) -> int:
        """How many workers gave a sign of life lately."""
        from psycopg import sql

        count = sql.SQL(
            "SELECT count(*) FROM {}.procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => %s)"
        ).format(sql.Identifier(self.schema))
        with self.sql.queueing() as (connection, _):
            (found,) = connection.execute(count, (lease,)).fetchone() or (0,)
        return int(found)

    # -- whoever works --

    def take(self, run: str, number: int) -> Part | None:
        """A part to be done, counted as begun; None where it is over, or nobody waits for it any more.

        Raises:
            Misuse: `work.other_secret`. Unavailable: `store.*`.
        """
        with self.sql.write() as link:
            found = link.execute(
                "SELECT r.secret, r.sealed, p.sealed, p.tries FROM work_parts p JOIN work_runs r ON r.name = p.run "
                "WHERE p.run = ? AND p.number = ? AND p.state = 'waiting'",
                (run, number),
            ).fetchone()
            if found is None:
                return None
            mark, about, rows, tries = found
            if mark != self._mark:
                raise Misuse("work.other_secret")
            link.execute("UPDATE work_parts SET tries = tries + 1 WHERE run = ? AND number = ?", (run, number))
        return Part(run, number, tries + 1, self._open(about, run, -1, ""), self._open(rows, run, number, WAITING))

    def put_back(self, part: Part) -> None:
        """A part that was not begun after all."""
        with self.sql.write() as link:
            link.execute(
                "UPDATE work_parts SET tries = tries - 1 WHERE run = ? AND number = ? AND state = 'waiting'",
                (part.run, part.number),
            )

    def finish(self, run: str, number: int, state: str, data: bytes) -> None:
        """What came of a part. Whoever did it twice says the same twice, and the first one counts."""
        with self.sql.write() as link:
            link.execute(
                "UPDATE work_parts SET state = ?, sealed = ? WHERE run = ? AND number = ? AND state = 'waiting'",
                (state, self._seal(data, run, number, state), run, number),
            )

    def stop(self, run: str, data: bytes) -> int:
        """Say no to all parts that wait, in anybody's hands or in nobody's, and to those that are queued until the run
        is begun again. How many waited."""
        with self.sql.write() as link:
            no = self._seal(data, run, -1, FAILED)
            link.execute("UPDATE work_runs SET stopped = ? WHERE name = ?", (no, run))
        with self.sql.read() as link:
            found = link.execute("SELECT number FROM work_parts WHERE run = ? AND state = 'waiting'", (run,)).fetchall()
        for (number,) in found:
            self.finish(run, number, FAILED, data)
        return len(found)

    def connection(self) -> dict[str, Any]:
        """How procrastinate connects: as we do, and to its own schema."""
        return self.sql.settings(self.schema)

    def forget(self, at: datetime) -> int:
        """Runs for which nobody came back: what was made is in the register, and lapses there."""
        with self.sql.write() as link:
            return link.execute("DELETE FROM work_runs WHERE at <= ?", (numeric(at - KEPT),)).rowcount


def _place(run: str, number: int, state: str) -> bytes:
    return f"work\0{run}\0{number}\0{state}".encode()
