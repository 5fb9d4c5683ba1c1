"""PostgreSQL: names without passwords, what its errors become, durable settings, migrations, lost connections."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from cityid.edge import postgres as module
from cityid.edge import sql
from cityid.edge.database import PostgresRegister, PostgresSessions
from cityid.edge.postgres import PostgresSql, is_postgres
from cityid.errors import CityIdError, Misuse, Unavailable
from cityid.sessions import new_key
from tests.postgres import Server

AT = datetime(2026, 11, 22, tzinfo=UTC)


def code(error: pytest.ExceptionInfo[CityIdError]) -> str:
    return error.value.code


@pytest.fixture
def database(postgres: Server) -> Iterator[PostgresSql]:
    with PostgresSql(postgres.name(), "sessions") as made:
        yield made


def sql_of(name: str, statement: str) -> list[Any]:
    with psycopg.connect(name, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


class TestNames:
    def test_which_are_ours(self) -> None:
        assert is_postgres("postgresql://host/db")
        assert is_postgres("postgres://host/db")
        assert not is_postgres("register.sqlite")

    @pytest.mark.parametrize("name", [
        "postgresql://maria:secret@host/db", "postgresql://host/db?password=secret", "postgresql://host/db?sslpassword=s",
    ])  # fmt: skip
    def test_no_password_in_a_name(self, name: str) -> None:
        with pytest.raises(Misuse) as error:
            PostgresSql(name, "sessions")
        assert code(error) == "store.password_in_name"
        assert "secret" not in str(error.value.problem)

    def test_a_name_that_is_none(self) -> None:
        with pytest.raises(Misuse) as error:
            PostgresSql("postgresql://host/db?no_such=secret", "sessions")
        assert code(error) == "store.name"
        assert "secret" not in str(error.value.problem)

    def test_nobody_there(self) -> None:
        with pytest.raises(Unavailable) as error:
            PostgresSql("postgresql:///db?host=/nonexistent", "sessions")
        assert code(error) == "store.unreachable"


class TestPasswords:
    @pytest.fixture
    def guarded(self, postgres: Server) -> Iterator[str]:
        """A user whom the server asks for a password."""
        rules = postgres.folder / "data" / "pg_hba.conf"
        before = rules.read_text("utf-8")
        name = postgres.name()
        schema = name.rpartition("%3D")[2]
        sql_of(name, "DROP ROLE IF EXISTS maria")
        sql_of(name, "CREATE ROLE maria LOGIN PASSWORD 'open sesame'")
        sql_of(name, f"GRANT ALL ON SCHEMA {schema} TO maria")
        rules.write_text("local all maria scram-sha-256\n" + before, "utf-8")
        sql_of(name, "SELECT pg_reload_conf()")
        yield postgres.at(schema, user="maria")
        rules.write_text(before, "utf-8")
        sql_of(name, "SELECT pg_reload_conf()")
        sql_of(name, "DROP OWNED BY maria")

    def test_asked_once_and_only_where_wanted(self, guarded: str, postgres: Server) -> None:
        asked = []

        def ask() -> str:
            asked.append(1)
            return "open sesame"

        with PostgresSql(guarded, "sessions", password=ask) as made, made.read() as one, made.read() as two:
            assert one.execute("SELECT 1").fetchone() == two.execute("SELECT 1").fetchone()
        assert asked == [1]
        PostgresSql(postgres.name(), "sessions", password=ask).close()
        assert asked == [1]

    def test_a_wrong_one(self, guarded: str) -> None:
        for ask in (None, lambda: "open barley", lambda: ""):
            with pytest.raises(Misuse) as error:
                PostgresSql(guarded, "sessions", password=ask)
            assert code(error) == "store.sign_in"

    def test_of_a_file(self, guarded: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        file = tmp_path / "pgpass"
        file.write_text("*:*:*:maria:open sesame\n", "utf-8")
        file.chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(file))
        PostgresSql(guarded, "sessions").close()


class TestDurable:
    def test_r10_commits_are_synchronous(self, postgres: Server) -> None:
        for setting, kept in (("off", "on"), ("local", "on"), ("on", "on"), ("remote_apply", "remote_apply")):
            name = postgres.name(more=f"%20-csynchronous_commit%3D{setting}")
            with PostgresSql(name, "sessions") as made, made.read() as link:
                assert link.execute("SHOW synchronous_commit").fetchone() == (kept,)

    @pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
    def test_r10_a_server_that_forgets_is_not_used(self, postgres: Server, setting: str) -> None:
        name = postgres.name()
        PostgresSql(name, "sessions").close()
        sql_of(name, f"ALTER SYSTEM SET {setting} = off")
        sql_of(name, "SELECT pg_reload_conf(), pg_sleep(0.2)")
        try:
            with pytest.raises(Unavailable) as error:
                PostgresSql(name, "sessions")
        finally:
            sql_of(name, f"ALTER SYSTEM RESET {setting}")
            sql_of(name, "SELECT pg_reload_conf(), pg_sleep(0.2)")
        assert code(error) == "store.not_durable"
        assert error.value.problem.facts["setting"] == setting
        PostgresSql(name, "sessions").close()


class TestMigrations:
    def test_newer(self, postgres: Server) -> None:
        name = postgres.name()
        PostgresRegister(name).close()
        sql_of(name, "UPDATE cityid_versions SET version = 99")
        with pytest.raises(Unavailable) as error:
            PostgresRegister(name)
        assert code(error) == "store.newer"
        assert sql_of(name, "SELECT version FROM cityid_versions") == [(99,)]

    def test_e18_a_program_that_runs_still_writes_nothing_into_a_newer_database(self, postgres: Server) -> None:
        name = postgres.name()
        with PostgresSessions(name) as sessions:
            (now,) = sql_of(name, "SELECT version FROM cityid_versions")[0]
            sessions.forget(AT)
            sql_of(name, "UPDATE cityid_versions SET version = version + 1")
            with pytest.raises(Unavailable) as error:
                sessions.forget(AT)
            assert code(error) == "store.newer"
            assert error.value.problem.facts == {"path": name, "version": now + 1, "known": now}
            sql_of(name, "UPDATE cityid_versions SET version = version - 1")
            sessions.forget(AT)

    def test_forward_from_the_first(self, postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        name = postgres.name()
        with monkeypatch.context() as patch:
            patch.setattr(module, "migrations", lambda kind, dialect: sql.migrations(kind, dialect)[:1])
            PostgresSql(name, "register").close()
        assert sql_of(name, "SELECT kind, version FROM cityid_versions") == [("register", 1)]
        sql_of(name, "INSERT INTO batches VALUES (1, 'k', 'maria', 1)")
        sql_of(
            name, "INSERT INTO cards VALUES (1, 'R-2026-000001', 'age', 'dc+sd-jwt', 1, 2, 'issued', 3, '', 1, 'm', 1)"
        )
        with PostgresRegister(name) as register, PostgresSessions(name):
            assert register.find("R-2026-000001").subject == ""
        assert dict(sql_of(name, "SELECT kind, version FROM cityid_versions"))["register"] > 1

    def test_r16_all_of_it_or_nothing(self, postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        name = postgres.name()
        with monkeypatch.context() as patch:
            patch.setattr(module, "migrations", lambda kind, dialect: ("CREATE TABLE one (x INT)", "not SQL"))
            with pytest.raises(Unavailable) as error:
                PostgresSql(name, "sessions")
        assert code(error) == "store.failed"
        assert sql_of(name, "SELECT to_regclass('one'), to_regclass('cityid_versions')") == [(None, None)]
        PostgresSessions(name).close()


class TestTrouble:
    def test_busy(self, database: PostgresSql, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "PATIENCE", 0.1)
        monkeypatch.setattr(database, "_given", {**database._given, "connect_timeout": "10"})
        with database.write(), pytest.raises(Unavailable) as error, database.write():
            pass
        assert code(error) == "store.busy"
        with database.write() as link:
            assert link.execute("SELECT 1").fetchone() == (1,)

    @pytest.mark.parametrize(("state", "wanted"), [
        ("53100", "store.full"), ("25006", "store.read_only"), ("40P01", "store.busy"), ("40001", "store.busy"),
        ("XX001", "store.damaged"), ("08006", "store.lost"), ("22012", "store.failed"),
    ])  # fmt: skip
    def test_what_its_errors_become(self, database: PostgresSql, state: str, wanted: str) -> None:
        with pytest.raises(Unavailable) as error, database.write() as link:
            link.execute(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$")
        assert code(error) == wanted
        if wanted == "store.failed":
            assert error.value.problem.facts["reason"] == state

    def test_a_failure_that_was_caught_is_no_commit(self, database: PostgresSql) -> None:
        with pytest.raises(Unavailable) as error, database.write() as link:  # noqa: PT012  # the block is what fails
            link.execute("INSERT INTO sessions VALUES ('a', 1, 1, 0, 1, NULL)")
            with pytest.raises(psycopg.Error):
                link.execute("not SQL")
        assert code(error) == "store.failed"
        with database.read() as link:
            assert link.execute("SELECT count(*) FROM sessions").fetchone() == (0,)

    def test_r11_a_connection_that_breaks(self, postgres: Server) -> None:
        name, key = postgres.name(), new_key()
        with PostgresSessions(name) as sessions:
            with pytest.raises(Unavailable) as error, sessions.sql.write() as link:  # noqa: PT012  # the block is what fails
                (pid,) = link.execute("SELECT pg_backend_pid()").fetchone()
                sql_of(name, f"SELECT pg_terminate_backend({pid}), pg_sleep(0.1)")
                link.execute("SELECT 1")
            assert code(error) == "store.lost"
            sessions.put(key, b"value", AT + timedelta(minutes=1))
            # one that was idle when it broke is not even noticed
            ours = "FROM pg_stat_activity WHERE application_name = 'cityid'"
            sql_of(name, f"SELECT pg_terminate_backend(pid), pg_sleep(0.2) {ours}")
            assert sessions.take(key, AT) == b"value"

    def test_a_child_opens_its_own(self, postgres: Server) -> None:
        with PostgresSessions(postgres.name()) as sessions:
            key = new_key()
            sessions.put(key, b"value", AT + timedelta(minutes=1))
            child = os.fork()
            if child == 0:
                try:
                    status = 0 if sessions.take(key, AT) == b"value" else 1
                except BaseException:
                    status = 2
                os._exit(status)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            assert not sessions.give_back("x" * 20)

    def test_closed_while_in_use(self, postgres: Server) -> None:
        made = PostgresSql(postgres.name(), "sessions")
        with made.read() as link:
            made.close()
            assert link.execute("SELECT 1").fetchone() == (1,)
        assert made._idle == []

    def test_a_snapshot_is_of_one_moment(self, database: PostgresSql) -> None:
        with database.snapshot() as link:
            assert link.execute("SELECT count(*) FROM sessions").fetchone() == (0,)
            with database.write() as other:
                other.execute("INSERT INTO sessions VALUES ('a', 1, 1, 0, 1, NULL)")
            assert link.execute("SELECT count(*) FROM sessions").fetchone() == (0,)
        with database.snapshot() as link:
            assert link.execute("SELECT count(*) FROM sessions").fetchone() == (1,)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(Unavailable) as error:
        PostgresSql("postgresql:///db", "sessions")
    assert code(error) == "install.extra"
