"""`cityid issue --queue` and `cityid work`: parts that are handed over, done, refused, dropped and taken up again."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import psycopg
import pytest

from cityid import limits
from cityid.clerks import Clerk, Right
from cityid.edge import cluster, cluster_worker
from cityid.edge.city_secret import CitySecret
from cityid.edge.cluster import Part, WorkStore
from cityid.edge.cluster_worker import work
from cityid.edge.database import PostgresRegister
from cityid.errors import CityIdError, Malformed, Misuse, Unavailable
from tests import transcripts
from tests.postgres import Server

pytestmark = pytest.mark.kdf
PASSPHRASE = "correct horse battery staple"
BASE = "cityid._cli" if importlib.util.find_spec("cityid._cli") else "cli"
AT = datetime(2026, 11, 23, 9, tzinfo=UTC)
CANARY = "1907-05-04"


def module(name: str) -> Any:
    return importlib.import_module(f"{BASE}.{name}")


class City:
    """A city with a register in PostgreSQL, and what is typed there, in threads of this process."""

    def __init__(self, shell: transcripts.Shell, name: str) -> None:
        self.shell, self.name, self.folder = shell, name, shell.folder
        (self.folder / "pass").write_text(PASSPHRASE + "\n")
        words = f"--did did:web:id.lindau.example --status-url https://x.example/s --register '{name}'"
        self.run(f"init city city {words}", home="")

    def run(self, words: str, home: str = "--home city ", status: int = 0) -> str:
        output, found = self.shell.run(f"cityid {home}{words} --passphrase-fd 3 3<pass")
        assert found == status, output
        return output

    def home(self, folder: str = "city") -> Any:
        return module("home").find(self.folder / folder, "city")

    def table(self, name: str, count: int) -> Path:
        path = self.folder / f"{name}.csv"
        rows = "".join(f"{name}-{number},{CANARY}\n" for number in range(count))
        path.write_text("nr,birthdate\n" + rows)
        return path

    def store(self, folder: str = "city") -> WorkStore:
        return WorkStore(self.name, CitySecret(self.folder / folder / "register.key"))

    def doer(self, folder: str = "city") -> Callable[[Part], bytes]:
        do: Callable[[Part], bytes] = module("bulk_queue").Doer(self.home(folder), PASSPHRASE).do
        return do

    def work(self, do: Callable[[Part], bytes] | None = None, **how: Any) -> cluster_worker.Counts:
        with self.store() as store:
            return work(store, do or self.doer(), until_done=True, **{"lease": 1, **how})


class Queued:
    """Somebody who queued a table and waits for it, in a thread; `table` is cut into parts of ten rows."""

    def __init__(self, city: City, name: str, count: int = 30, clerk: str = "clerk-1", **wanted: Any) -> None:
        self.city, self.folder = city, city.folder / name
        bulk, given = module("bulk"), module("bulk_work").given
        asked = bulk.Wanted("age", city.table(name, count), self.folder, Clerk(clerk, frozenset()), key="nr",
                            queue=True, **wanted)  # fmt: skip
        self.status: int | None = None
        self.error: CityIdError | None = None

        def wait() -> None:
            try:
                with given(PASSPHRASE) as number:
                    self.status = bulk.many(city.home(), asked, number, json_=False)
            except CityIdError as error:
                self.error = error

        self._thread = threading.Thread(target=wait)
        self._thread.start()
        self.parts = -(-count // 10)

    def ready(self) -> str:
        """The name of the run, when all of it is queued."""
        with psycopg.connect(self.city.name, autocommit=True) as link:
            for _ in range(2_000):
                if link.execute("SELECT to_regclass('work_parts')").fetchone() != (None,):
                    found = link.execute(
                        "SELECT run FROM work_parts WHERE state = 'waiting' GROUP BY run HAVING count(*) >= %s",
                        (self.parts,),
                    ).fetchone()
                    if found:
                        return str(found[0])
                assert self._thread.is_alive(), self.error
                threading.Event().wait(0.01)
        raise AssertionError("nothing was queued")

    def over(self) -> int | None:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.status


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, postgres: Server) -> City:
    return City(transcripts.new_shell(tmp_path_factory.mktemp("work")), postgres.name())


@pytest.fixture
def city(made: City, monkeypatch: pytest.MonkeyPatch) -> Iterator[City]:
    monkeypatch.setattr(module("bulk_check"), "ROWS", 10)
    monkeypatch.setattr(module("bulk_queue"), "LOOK", 0.05)
    monkeypatch.setattr(cluster_worker, "PAUSE", 0)
    with module("state").STATE.opened:
        yield made
    with psycopg.connect(made.name, autocommit=True) as link:  # what a test left queued is not the next one's
        if link.execute("SELECT to_regclass('work_runs')").fetchone() != (None,):
            link.execute("DELETE FROM work_runs")


def counts(folder: Path) -> int:
    return len(list(folder.glob("*.offer")))


class TestQueued:
    def test_offers_come_back_as_files_and_nothing_stays(self, city: City) -> None:
        queued = Queued(city, "offers", 25)
        queued.ready()
        assert city.work().done == 3
        assert queued.over() == 0
        assert counts(queued.folder) == 25
        assert not (queued.folder / ".cityid-run").exists()
        with psycopg.connect(city.name) as link:
            assert link.execute("SELECT count(*) FROM work_runs").fetchone() == (0,)

    def test_archives(self, city: City) -> None:
        queued = Queued(city, "archive", 15, archive=True)
        queued.ready()
        city.work()
        assert queued.over() == 0
        assert len(ZipFile(queued.folder / "offers.zip").namelist()) == 15

    def test_a_clerk_s_name_is_on_the_actions(self, city: City) -> None:
        queued = Queued(city, "named", 5, clerk="clerk-7")
        queued.ready()
        city.work()
        assert queued.over() == 0
        with PostgresRegister(city.name) as register:
            assert sum(row.clerk == "clerk-7" for row in register.rows()) == 5

    def test_four_eyes(self, city: City) -> None:
        file = city.folder / "city" / "city.toml"
        before = file.read_text()
        file.write_text(before.replace("issuer_key", 'four_eyes = ["age"]\nissuer_key', 1))
        try:
            for left in (0, 10):
                queued = Queued(city, "eyes", 10)
                queued.ready()
                city.work()
                assert queued.over() == 0
                assert counts(queued.folder) == left
                if not left:
                    run = json.loads((queued.folder / ".cityid-run" / "run.json").read_text())
                    city.run(f"approve {run['asked']} --yes --by jo")
        finally:
            file.write_text(before)

    def test_nothing_personal_lies_in_clear(self, city: City) -> None:
        queued = Queued(city, "canary", 10)
        run = queued.ready()
        with city.store() as store, psycopg.connect(city.name) as link:
            tables = ["work_runs", "work_parts"]
            tables += [f"{store.schema}.procrastinate_{name}" for name in ("jobs", "events", "workers")]
            lying = b"".join(_dumped(link, table) for table in tables)
            assert len(lying) > 500
            for word in (CANARY, "1907", "birthdate", "canary-3", "clerk-1", str(city.folder)):
                assert word.encode() not in lying
            part = store.take(run, 0)
            assert part is not None
            assert CANARY.encode() in part.rows
            assert b"clerk-1" in part.about
            assert CANARY not in repr(part)
            store.put_back(part)
        city.work()
        queued.over()

    def test_parts_do_not_swap_places(self, city: City) -> None:
        """What was sealed for one place opens in no other: neither as another part, nor as what came of it."""
        queued = Queued(city, "places", 20)
        run = queued.ready()
        with city.store() as store, psycopg.connect(city.name, autocommit=True) as link:
            first = link.execute("SELECT sealed FROM work_parts WHERE run = %s AND number = 0", (run,)).fetchone()
            second = link.execute("SELECT sealed FROM work_parts WHERE run = %s AND number = 1", (run,)).fetchone()
            assert first
            assert second
            link.execute("UPDATE work_parts SET sealed = %s WHERE run = %s AND number = 1", (first[0], run))
            with pytest.raises(Unavailable) as no:
                store.take(run, 1)
            assert no.value.code == "store.damaged"
            link.execute("UPDATE work_parts SET sealed = %s WHERE run = %s AND number = 1", (second[0], run))
            assert store.take(run, 1) is not None
        city.work()
        assert queued.over() == 0

    def test_told_that_nobody_is_at_work(
        self, city: City, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(module("bulk_queue"), "ALONE", 0)
        queued = Queued(city, "alone", 5)
        queued.ready()
        said = ""
        for _ in range(200):
            if "Nobody is at work" in (said := capsys.readouterr().err):
                break
            threading.Event().wait(0.02)
        assert "Nobody is at work" in said
        city.work()
        assert queued.over() == 0


def _dumped(link: psycopg.Connection[Any], table: str) -> bytes:
    rows = link.execute(f"SELECT * FROM {table}".encode()).fetchall()
    return b"\n".join(
        value if isinstance(value, bytes) else json.dumps(value, default=str).encode() for row in rows for value in row
    )


class TestLeases:
    def in_the_hands_of(self, city: City, store: WorkStore, heartbeat: str) -> None:
        """All jobs are taken, by a worker whose last sign of life was then."""
        with psycopg.connect(city.name, options=f"-csearch_path={store.schema}", autocommit=True) as link:
            worker = link.execute(
                "INSERT INTO procrastinate_workers (last_heartbeat) "
                f"VALUES (now() + interval '{heartbeat}') RETURNING id".encode()
            ).fetchone()
            assert worker
            link.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", (worker[0],))

    def test_a_lease_that_ran_out(self, city: City) -> None:
        queued = Queued(city, "late", 20)
        queued.ready()
        with city.store() as store:
            self.in_the_hands_of(city, store, "-5 s")
        assert city.work().done == 2
        assert queued.over() == 0

    @pytest.mark.slow
    def test_a_lease_that_holds(self, city: City) -> None:
        queued = Queued(city, "held", 20)
        queued.ready()
        with city.store() as store:
            self.in_the_hands_of(city, store, "1 s")
            stop = threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGTERM))
            stop.start()
            assert work(store, city.doer(), lease=1).done == 0
            stop.join()
        assert city.work().done == 2  # it runs out in the end
        assert queued.over() == 0

    def test_sigterm_lets_the_part_in_hand_be_finished(self, city: City) -> None:
        queued = Queued(city, "called-off", 30)
        queued.ready()
        do = city.doer()

        def stopped(part: Part) -> bytes:
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(0.2)
            return do(part)

        assert city.work(stopped).done == 1
        assert city.work().done == 2
        assert queued.over() == 0

    def test_a_worker_that_slept(self, city: City) -> None:
        """Taken for dead, struck off, and its part given on and done by another: it goes on as a new one."""
        queued = Queued(city, "slept", 30)
        queued.ready()
        do = city.doer()
        slept: list[int] = []

        def sleeping(part: Part) -> bytes:
            made = do(part)
            if not slept:
                slept.append(part.number)
                with city.store() as store:
                    store.finish(part.run, part.number, cluster.DONE, made)
                    with psycopg.connect(city.name, options=f"-csearch_path={store.schema}") as link:
                        link.execute("DELETE FROM procrastinate_jobs WHERE status = 'doing'")
                        link.execute("DELETE FROM procrastinate_workers")
            return made

        assert city.work(sleeping).done == 3
        assert queued.over() == 0
        assert counts(queued.folder) == 30

    def test_connections_that_are_cut(self, city: City) -> None:
        queued = Queued(city, "cut", 30)
        queued.ready()
        do = city.doer()
        cut: list[int] = []

        def cutting(part: Part) -> bytes:
            made = do(part)
            if not cut:
                cut.append(part.number)
                with psycopg.connect(city.name) as link:
                    link.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE application_name = 'cityid' AND query LIKE '%procrastinate%'"
                    )
            return made

        city.work(cutting)
        assert queued.over() == 0
        assert counts(queued.folder) == 30
        with PostgresRegister(city.name) as register:
            assert sum(row.state.value == "offered" for row in register.rows()) >= 30


class TestRefused:
    def test_a_clerk_who_may_no_longer(self, city: City, capsys: pytest.CaptureFixture[str]) -> None:
        queued = Queued(city, "may", 10, clerk="maria")
        queued.ready()
        with _clerks(city, Clerk("maria", frozenset({Right.ISSUE}))):
            assert city.work().done == 1  # the twin
        assert queued.over() == 0
        queued = Queued(city, "may-not", 20, clerk="maria")
        queued.ready()
        with _clerks(city, Clerk("maria", frozenset({Right.REVOKE}))):
            city.work()
        queued.over()
        assert isinstance(queued.error, Unavailable)
        assert queued.error.code == "work.parts_failed"
        assert queued.error.problem.facts["count"] == 2
        assert "(clerk.may_not)" in capsys.readouterr().err
        with PostgresRegister(city.name) as register:
            assert [event.by for event in register.events() if event.kind == "refused"] == ["maria"]

    def test_a_clerk_who_is_not_known(self, city: City, capsys: pytest.CaptureFixture[str]) -> None:
        queued = Queued(city, "gone", 10, clerk="nobody")
        queued.ready()
        with _clerks(city, Clerk("maria", frozenset({Right.ISSUE}))):
            city.work()
        queued.over()
        assert queued.error is not None
        assert queued.error.code == "work.parts_failed"
        assert "(clerk.unknown)" in capsys.readouterr().err

    @pytest.mark.parametrize("what", ["secret", "timezone"])
    def test_another_home(self, city: City, what: str) -> None:
        other = city.folder / f"other-{what}"
        shutil.copytree(city.folder / "city", other)
        if what == "secret":
            (other / "register.key").write_text("A" * 43 + "\n")
        else:
            text = (other / "city.toml").read_text()
            (other / "city.toml").write_text(text.replace('timezone = "', 'timezone = "Asia/Tokyo" # "'))
        queued = Queued(city, f"home-{what}", 10)
        run = queued.ready()
        with city.store(other.name) as store, pytest.raises(Misuse) as no:
            work(store, city.doer(other.name), lease=2)
        assert no.value.code == {"secret": "work.other_secret", "timezone": "work.other_home"}[what]
        with psycopg.connect(city.name) as link:
            found = link.execute("SELECT state, tries FROM work_parts WHERE run = %s", (run,)).fetchall()
        assert found == [("waiting", 0)]
        assert city.work().done == 1  # nothing was lost by it
        assert queued.over() == 0

    @pytest.mark.parametrize(
        ("wrong", "code", "begun"),
        [
            (RuntimeError(), "work.fault", cluster.TRIES),
            (Unavailable("store.busy", path="x"), "store.busy", cluster.TRIES),
            (Malformed("offer.code"), "offer.code", 1),
        ],
    )
    def test_a_part_that_cannot_be_done(
        self, city: City, wrong: Exception, code: str, begun: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        name = f"poison-{code.replace('.', '-')}"
        queued = Queued(city, name, 30)
        queued.ready()
        do, tried = city.doer(), []

        def poisoned(part: Part) -> bytes:
            if part.number == 1:
                tried.append(part.tries)
                raise wrong
            return do(part)

        found = city.work(poisoned)
        assert (found.done, found.failed) == (2, 1)
        assert tried == list(range(1, begun + 1))
        queued.over()
        assert queued.error is not None
        assert queued.error.code == "work.parts_failed"
        said = capsys.readouterr().err
        assert "part 1, 10 rows from line 12 on" in said
        assert f"({code})" in said
        assert counts(queued.folder) == 20
        again = Queued(city, name, 30)  # the same command goes on where it was
        again.parts = 1
        again.ready()
        assert city.work().done == 1
        assert again.over() == 0
        assert counts(queued.folder) == 30

    def test_a_part_that_kills_whoever_takes_it(self, city: City, capsys: pytest.CaptureFixture[str]) -> None:
        queued = Queued(city, "killer", 20)
        run = queued.ready()
        with psycopg.connect(city.name) as link:
            for number, tries in ((0, cluster.TRIES - 1), (1, cluster.TRIES)):
                link.execute("UPDATE work_parts SET tries = %s WHERE run = %s AND number = %s", (tries, run, number))
        found = city.work()
        assert (found.done, found.failed) == (1, 1)
        queued.over()
        assert queued.error is not None
        assert "(work.given_up)" in capsys.readouterr().err

    def test_a_part_that_is_too_long(self, city: City, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "WORK_PART", 10 * len(f"long-0,{CANARY}\n"))
        queued = Queued(city, "long", 10)
        queued.ready()
        city.work()
        assert queued.over() == 0
        monkeypatch.setattr(limits, "WORK_PART", limits.WORK_PART - 1)
        queued = Queued(city, "more", 10)
        queued.over()
        assert isinstance(queued.error, Malformed)
        assert queued.error.code == "work.part_too_long"


@contextmanager
def _clerks(city: City, *clerks: Clerk) -> Iterator[None]:
    """The register has these clerks for a while."""
    register = module("registers").register_of(city.home())
    kept = type(register).clerks
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(register), "clerks", lambda self: {clerk.name: (clerk, "") for clerk in clerks})
        yield
    assert type(register).clerks is kept


class TestGone:
    @pytest.mark.parametrize("how", ["refused", "waited"])
    def test_a_database_that_does_not_come_back(self, city: City, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
        """The worker ends, and says why; its twin, whose database is there, has nothing to say."""
        from procrastinate.exceptions import ConnectorException
        from psycopg_pool import AsyncConnectionPool, PoolTimeout

        assert city.work(lambda part: b"").done == 0

        opened = []

        async def gone(self: Any, **given: Any) -> None:
            opened.append(how)
            raise ConnectorException if how == "refused" else PoolTimeout

        # a pool has waited already, and is not asked again
        monkeypatch.setattr(cluster_worker, "PATIENCE", 0 if how == "refused" else 1)
        monkeypatch.setattr(AsyncConnectionPool, "open", gone)
        with pytest.raises(Unavailable) as no:
            city.work(lambda part: b"")
        assert no.value.code == "store.lost"
        assert opened == [how]


class TestStopped:
    def test_nothing_that_waits_is_done(self, city: City, capsys: pytest.CaptureFixture[str]) -> None:
        queued = Queued(city, "stopped", 30)
        run = queued.ready()
        do, made = city.doer(), []

        def one(part: Part) -> bytes:
            made.append(part.number)
            data = do(part)
            if len(made) == 1:
                assert "work.which_run" in city.run("work --cancel other --by clerk-2", status=2)
                assert "3 parts will not be done" in city.run(f"work --cancel {run[:8]} --by clerk-2")
            return data

        assert city.work(one).done == 1
        queued.over()
        assert isinstance(queued.error, Unavailable)
        assert queued.error.code == "work.parts_failed"
        assert queued.error.problem.facts["count"] == 3
        # What is said while another command runs in this process is that command's.
        assert "clerk-2 stopped the run (work.cancelled)" in capsys.readouterr().err
        assert made == [0]
        with PostgresRegister(city.name) as register:
            (event,) = [event for event in register.events() if event.kind == "cancel"]
            assert (event.by, event.facts["run"], event.facts["type"]) == ("clerk-2", run, "age")
        # Typed again it goes on, and what was in hand when it was stopped is not issued twice.
        again = Queued(city, "stopped", 30)
        assert again.ready() == run
        assert city.work().done == 3
        assert again.over() == 0
        assert counts(again.folder) == 30

    def test_parts_that_are_queued_later(self, city: City) -> None:
        with city.store() as store:
            store.begin("run", b"{}", AT)
            store.queue("run", 0, b"rows")
            assert store.stop("run", b"no") == 1
            store.queue("run", 1, b"rows")
            assert list(store.over("run")) == [(0, "failed", b"no"), (1, "failed", b"no")]
            assert store.take("run", 1) is None
            store.begin("run", b"{}", AT)
            store.queue("run", 1, b"rows")
            part = store.take("run", 1)
            assert part is not None
            assert part.rows == b"rows"

    def test_what_is_queued_is_listed(self, city: City) -> None:
        assert "Nothing is queued." in city.run("work --list")
        queued = Queued(city, "listed", 20, clerk="clerk-5")
        run = queued.ready()
        (found,) = json.loads(city.run("work --list --json"))
        assert {name: found[name] for name in ("run", "type", "by", "waiting", "done", "failed")} == {
            "run": run, "type": "age", "by": "clerk-5", "waiting": 2, "done": 0, "failed": 0,
        }  # fmt: skip
        line = city.run("work --list")
        assert line.startswith(run[:8])
        assert "clerk-5" in line
        city.work()
        queued.over()

    def test_whoever_may_not_issue_stops_nothing(self, city: City, monkeypatch: pytest.MonkeyPatch) -> None:
        from cityid.edge import sign_in

        monkeypatch.setattr(sign_in, "key_of", lambda kept: None)
        monkeypatch.setattr(sign_in, "check_passphrase", lambda kept, given: None)
        queued = Queued(city, "kept-on", 10, clerk="maria")
        line = f"work --cancel {queued.ready()} --by maria --clerk-fd 4 4<pass"
        with _clerks(city, Clerk("maria", frozenset({Right.REVOKE}))):
            assert "clerk.may_not" in city.run(line, status=1)
        with city.store() as store:
            assert [one.waiting for one in store.runs()] == [1]
        with _clerks(city, Clerk("maria", frozenset({Right.ISSUE}))):
            city.run(line)
        queued.over()
        assert isinstance(queued.error, Unavailable)

    def test_a_run_of_another_home(self, city: City) -> None:
        queued = Queued(city, "foreign", 10)
        run = queued.ready()
        with psycopg.connect(city.name, autocommit=True) as link:
            link.execute("UPDATE work_runs SET secret = 'other'")
            assert "of another home" in city.run("work --list")
            assert "work.other_secret" in city.run(f"work --cancel {run}", status=2)
            with city.store() as store:
                mark = store.runs()[0]
                link.execute("UPDATE work_runs SET secret = %s", (store._mark,))
        assert mark.about is None
        city.work()
        assert queued.over() == 0


class TestTyped:
    def test_work(self, city: City) -> None:
        said = city.run("work --until-done --json")
        assert '"done": 0' in said
        assert "At work for did:web:id.lindau.example" in said
        queued = Queued(city, "typed", 20)
        queued.ready()
        said = city.run("work --until-done --lease 2")
        assert "2 parts done, 0 could not be done." in said
        assert queued.over() == 0

    @pytest.mark.parametrize("option", ["--workers 2", "--dry-run"])
    def test_queued_alone(self, city: City, option: str) -> None:
        city.table("both", 1)
        said = city.run(f"issue age --from both.csv --queue {option} -o both", status=2)
        assert "work.queued_alone" in said

    def test_needs_postgres(self, tmp_path: Path) -> None:
        shell = transcripts.new_shell(tmp_path)
        (shell.folder / "pass").write_text(PASSPHRASE + "\n")
        (shell.folder / "x.csv").write_text("birthdate\n1990-12-10\n")
        for words, status in (
            ("init city city --did did:web:id.lindau.example", 0),
            ("--home city work --until-done", 2),
            ("--home city issue age --from x.csv --queue -o x", 2),
        ):
            output, found = shell.run(f"cityid {words} --passphrase-fd 3 3<pass")
            assert found == status, output
            assert ("work.needs_postgres" in output) is (status == 2)

    def test_without_the_extra(self, city: City, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "procrastinate", None)
        said = city.run("work --until-done", status=3)
        assert "pip install 'cityid[cluster]'" in said


class TestStore:
    def test_its_own_schema(self, city: City, postgres: Server) -> None:
        """procrastinate's tables are not among ours, and ours are where they were."""
        with city.store() as store, psycopg.connect(city.name) as link:
            found = link.execute(
                "SELECT table_schema, table_name FROM information_schema.tables "
                "WHERE table_schema IN (current_schema(), %s)",
                (store.schema,),
            ).fetchall()
        ours = {name for schema, name in found if schema != store.schema}
        theirs = {name for schema, name in found if schema == store.schema}
        assert {"work_runs", "work_parts", "cards"} <= ours
        assert not any(name.startswith("procrastinate") for name in ours)
        assert theirs
        assert all(name.startswith("procrastinate") for name in theirs)

    def test_its_migrations(self, city: City, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        shipped = Path(cluster.installed().schema.SchemaManager.get_migrations_path())
        later = tmp_path / "later"
        shutil.copytree(shipped, later)
        (later / "99.00.00_01_later.sql").write_text("CREATE TABLE procrastinate_later (x INT);")
        manager = cluster.installed().schema.SchemaManager
        with monkeypatch.context() as patch:
            patch.setattr(manager, "get_migrations_path", staticmethod(lambda: str(later)))
            for _ in range(2):  # once, and only once
                with city.store() as store, psycopg.connect(city.name) as link:
                    there = link.execute("SELECT to_regclass(%s)", (f"{store.schema}.procrastinate_later",)).fetchone()
                    assert there != (None,)
        with pytest.raises(Unavailable) as no:
            city.store()
        assert no.value.code == "store.newer"
        with psycopg.connect(city.name) as link:
            link.execute("DELETE FROM work_scripts WHERE name LIKE '99%'")
        city.store().close()

    def test_its_password_goes_no_further(self, city: City, monkeypatch: pytest.MonkeyPatch) -> None:
        """procrastinate connects with the password that was asked for; nothing shows it."""
        with city.store() as store:
            assert "password" not in store.connection()
            monkeypatch.setattr(store.sql, "_password", "open sesame")
            assert store.connection()["password"] == "open sesame"
            assert f"search_path={store.schema}" in store.connection()["options"].split("-c")[-1]
            assert "sesame" not in repr(store) + repr(store.sql)

    def test_what_nobody_came_back_for_is_forgotten(self, city: City) -> None:
        with city.store() as store:
            store.begin("old", b"{}", AT)
            store.queue("old", 0, b"rows")
            assert store.forget(AT + cluster.KEPT - timedelta(seconds=1)) == 0
            assert store.forget(AT + cluster.KEPT) == 1
            assert store.take("old", 0) is None
            assert store.states("old") == {}
        assert city.work().done == 0  # its job has nothing to do, and goes

    def test_a_part_is_queued_once(self, city: City) -> None:
        with city.store() as store:
            store.begin("once", b"{}", AT)
            for _ in range(2):
                store.queue("once", 0, b"rows")
            with psycopg.connect(city.name, options=f"-csearch_path={store.schema}") as link:
                wanted = "SELECT count(*) FROM procrastinate_jobs WHERE args->>'run' = 'once'"
                assert link.execute(wanted).fetchone() == (1,)
            store.finish("once", 0, cluster.DONE, b"made")
            store.finish("once", 0, cluster.FAILED, b"too late")
            assert list(store.over("once")) == [(0, cluster.DONE, b"made")]
            store.queue("once", 0, b"rows")
            assert store.states("once") == {0: cluster.DONE}
            store.end("once")
            assert list(store.over("once")) == []
