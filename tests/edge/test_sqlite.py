"""SQLite: what it says becomes Unavailable `store.*`, nothing is half done, and files last."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cityid.edge import sqlite
from cityid.edge.database import SqliteRegister, SqliteSessions
from cityid.edge.sqlite import Database
from cityid.errors import CityIdError, Misuse, Unavailable
from cityid.sessions import new_key

KIND = 0x63697878
ONE = (("CREATE TABLE one (x)",),)
TWO = (*ONE, ("CREATE TABLE two (x)", "INSERT INTO two VALUES (2)"))
AT = datetime(2026, 11, 22, tzinfo=UTC)


def code(error: pytest.ExceptionInfo[CityIdError]) -> str:
    return error.value.code


class TestMigrations:
    def test_forward_and_never_back(self, tmp_path: Path) -> None:
        Database(tmp_path / "d.db", "register", KIND, ONE).close()
        newer = Database(tmp_path / "d.db", "register", KIND, TWO)
        with newer.read() as rows:
            assert rows.execute("SELECT x FROM two").fetchall() == [(2,)]
        newer.close()
        with pytest.raises(Unavailable) as error:
            Database(tmp_path / "d.db", "register", KIND, ONE)
        assert code(error) == "store.newer"

    def test_e18_a_program_that_runs_still_writes_nothing_into_a_newer_file(self, tmp_path: Path) -> None:
        with Database(tmp_path / "d.db", "register", KIND, ONE) as older:
            with older.write() as rows:
                rows.execute("INSERT INTO one VALUES (7)")
            with Database(tmp_path / "d.db", "register", KIND, TWO) as newer, newer.write():
                pass
            with pytest.raises(Unavailable) as error, older.write():
                pass
            assert code(error) == "store.newer"
            assert error.value.problem.facts == {"path": str(tmp_path / "d.db"), "version": 2, "known": 1}

    def test_a_damaged_schema_whose_name_is_no_text(self, tmp_path: Path) -> None:
        """SQLite quotes the name in what it says, which Python cannot read then."""
        path = tmp_path / "d.db"
        Database(path, "register", KIND, TWO).close()
        content = path.read_bytes()
        assert content.count(b"tabletwotwo") == 1
        path.write_bytes(content.replace(b"tabletwotwo\x03CREATE", b"tabletwotwo\x03CR\x9bATE").replace(
            b"tabletwotwo", b"table\x9b\x9b\x9b\x9b\x9b\x9b"))  # fmt: skip
        with pytest.raises(Unavailable) as error:
            Database(path, "register", KIND, TWO)
        assert code(error) == "store.damaged"

    def test_all_of_it_or_nothing(self, tmp_path: Path) -> None:
        Database(tmp_path / "d.db", "register", KIND, ONE).close()
        broken = (*ONE, ("CREATE TABLE two (x)", "not SQL"))
        with pytest.raises(Unavailable) as error:
            Database(tmp_path / "d.db", "register", KIND, broken)
        assert code(error) == "store.failed"
        Database(tmp_path / "d.db", "register", KIND, TWO).close()

    def test_another_kind(self, tmp_path: Path) -> None:
        SqliteSessions(tmp_path / "d.db").close()
        with pytest.raises(Misuse) as error:
            SqliteRegister(tmp_path / "d.db")
        assert code(error) == "store.wrong_kind"


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """Every connection that is made, kept so that it can be asked whether it was closed."""
    made: list[sqlite3.Connection] = []
    connect = sqlite.connect

    def keep(uri: str) -> sqlite3.Connection:
        made.append(connect(uri))
        return made[-1]

    monkeypatch.setattr(sqlite, "connect", keep)
    return made


def is_open(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return False
    return True


class TestClosing:
    @pytest.mark.parametrize("store", [SqliteRegister, SqliteSessions])
    @pytest.mark.parametrize("name", ["d.db", None])
    def test_at_the_end_of_a_block(
        self,
        store: type[SqliteRegister | SqliteSessions],
        name: str | None,
        tmp_path: Path,
        connections: list[sqlite3.Connection],
    ) -> None:
        with store(name and tmp_path / name):
            assert [is_open(each) for each in connections] == [True]
        assert [is_open(each) for each in connections] == [False]

    def test_an_error_is_passed_on(self, connections: list[sqlite3.Connection]) -> None:
        with pytest.raises(KeyError), SqliteSessions():
            raise KeyError
        assert [is_open(each) for each in connections] == [False]

    def test_what_could_not_be_opened_is_closed(self, tmp_path: Path, connections: list[sqlite3.Connection]) -> None:
        SqliteSessions(tmp_path / "d.db").close()
        with pytest.raises(Misuse) as error:
            SqliteRegister(tmp_path / "d.db")
        assert code(error) == "store.wrong_kind"
        assert [is_open(each) for each in connections] == [False, False]


class TestLost:
    """A store that was there is never begun anew in silence."""

    @pytest.mark.parametrize("store", [SqliteRegister, SqliteSessions])
    def test_missing(self, store: type[SqliteRegister | SqliteSessions], tmp_path: Path) -> None:
        with pytest.raises(Unavailable) as error:
            store(tmp_path / "d.db", must_exist=True)
        assert code(error) == "store.missing"
        assert list(tmp_path.iterdir()) == []
        store(tmp_path / "d.db").close()
        store(tmp_path / "d.db", must_exist=True).close()

    @pytest.mark.parametrize("store", [SqliteRegister, SqliteSessions])
    def test_emptied(self, store: type[SqliteRegister | SqliteSessions], tmp_path: Path) -> None:
        store(tmp_path / "d.db").close()
        (tmp_path / "d.db").write_bytes(b"")
        with pytest.raises(Unavailable) as error:
            store(tmp_path / "d.db", must_exist=True)
        assert code(error) == "store.damaged"
        store(tmp_path / "d.db").close()  # as one that was begun, and killed before its tables were made


class TestTogether:
    """Several processes come to one file at the same moment."""

    def test_what_it_is_is_read_in_one_moment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path, reading = tmp_path / "d.db", sqlite.versions
        others = [lambda: Database(path, "register", KIND, ONE)]

        class Slow:
            """A connection on which somebody else is quicker, after the first thing that was read."""

            def __init__(self, connection: sqlite3.Connection) -> None:
                self.connection = connection

            def execute(self, statement: str) -> sqlite3.Cursor:
                found = self.connection.execute(statement)
                if "application_id" in statement and others:
                    others.pop()().close()
                return found

        monkeypatch.setattr(sqlite, "versions", lambda rows, *more: reading(Slow(rows), *more))  # type: ignore[arg-type]
        with Database(path, "register", KIND, ONE) as database, database.read() as rows:
            assert rows.execute("SELECT count(*) FROM one").fetchone() == (0,)
        assert not others

    @pytest.mark.parametrize("attempts", [1, 100])
    def test_a_file_that_others_make_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attempts: int) -> None:
        monkeypatch.setattr(sqlite, "ATTEMPTS", attempts)
        path = tmp_path / "d.db"
        sqlite.create(path)
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(time, "sleep", lambda _: other.rollback())
        if attempts == 1:
            with pytest.raises(Unavailable) as error:
                Database(path, "register", KIND, ONE)
            assert code(error) == "store.busy"
        else:
            Database(path, "register", KIND, ONE).close()
        other.close()


class TestTrouble:
    def test_busy(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite, "BUSY", 0.05)
        database = Database(tmp_path / "d.db", "register", KIND, ONE)
        with database.write(), pytest.raises(Unavailable) as error, database.write():
            pass
        assert code(error) == "store.busy"
        with database.write() as rows:
            rows.execute("INSERT INTO one VALUES (1)")
        database.close()

    def test_full(self, tmp_path: Path) -> None:
        database = Database(tmp_path / "d.db", "register", KIND, ONE)
        with pytest.raises(Unavailable) as error, database.write() as rows:  # noqa: PT012
            rows.execute("PRAGMA max_page_count = 1")
            rows.execute("INSERT INTO one VALUES (zeroblob(100000))")
        assert code(error) == "store.full"
        with database.write() as rows:
            rows.execute("PRAGMA max_page_count = 1000000")
            rows.execute("INSERT INTO one VALUES (zeroblob(100000))")
        database.close()

    def test_damaged(self, tmp_path: Path) -> None:
        file = tmp_path / "d.db"
        file.write_bytes(b"this is no database at all" * 100)
        file.chmod(0o600)
        with pytest.raises(Unavailable) as error:
            Database(file, "register", KIND, ONE)
        assert code(error) == "store.damaged"
        assert file.read_bytes() == b"this is no database at all" * 100

    def test_told(self) -> None:
        for number, wanted in (
            (sqlite3.SQLITE_READONLY, "store.read_only"), (sqlite3.SQLITE_CANTOPEN, "store.cannot_open"),
            (sqlite3.SQLITE_IOERR_WRITE, "store.failed"),
        ):  # fmt: skip
            trouble = sqlite3.OperationalError("x")
            trouble.sqlite_errorcode = number
            trouble.sqlite_errorname = "SQLITE_X"
            with pytest.raises(Unavailable) as error, sqlite.told("d.db", "register"):
                raise trouble
            assert code(error) == wanted

    def test_an_error_undoes(self, tmp_path: Path) -> None:
        database = Database(tmp_path / "d.db", "register", KIND, ONE)
        with pytest.raises(KeyboardInterrupt), database.write() as rows:  # noqa: PT012
            rows.execute("INSERT INTO one VALUES (1)")
            raise KeyboardInterrupt
        with database.read() as rows:
            assert rows.execute("SELECT count(*) FROM one").fetchone() == (0,)
        database.close()

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        for path in (tmp_path / "file" / "d.db", tmp_path / ("x" * 300)):
            with pytest.raises(Unavailable) as error:
                Database(path, "register", KIND, ONE)
            assert code(error) == "store.write"
        with pytest.raises(Unavailable) as error:
            sqlite.check(tmp_path / "file" / "d.db")
        assert code(error) == "store.unreadable"


class TestSettings:
    def test_r10_durable(self, tmp_path: Path) -> None:
        database = Database(tmp_path / "d.db", "register", KIND, ONE)
        with database.read() as rows:
            found = {
                name: rows.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "trusted_schema")
            }
        database.close()
        assert found == {
            "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "trusted_schema": 0,
        }  # fmt: skip

    @pytest.mark.skipif(not hasattr(os, "fork") or sys.version_info >= (3, 12), reason="forking warns from 3.12 on")
    def test_a_child_opens_its_own(self, tmp_path: Path) -> None:
        sessions = SqliteSessions(tmp_path / "s.db")
        key, until = new_key(), AT + timedelta(minutes=1)
        child = os.fork()
        if child == 0:
            try:
                sessions.put(key, b"from the child", until)
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        assert sessions.take(key, AT) == b"from the child"
        sessions.close()

    def test_closing_waits_for_who_is_inside(self, tmp_path: Path) -> None:
        database = Database(tmp_path / "d.db", "register", KIND, ONE)
        with database.write() as rows:
            database.close()
            rows.execute("INSERT INTO one VALUES (1)")
        assert [entry.name for entry in tmp_path.iterdir()] == ["d.db"]


def test_stores_are_loaded_when_they_are_used() -> None:
    from cityid.edge import database

    assert database.SqliteSessions.__name__ in database.__all__
    assert not hasattr(database, "MysqlSessions")
    code = "import sys; from cityid.edge.database import SqliteSessions; sys.exit('cityid.register' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
