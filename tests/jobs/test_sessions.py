"""Sessions, whatever keeps them: taken once, given back until the deadline, spent for ever."""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from cityid.edge.database import PostgresSessions, SqliteSessions, StoredSessions
from cityid.errors import CityIdError, Misuse, Refused, Unavailable
from cityid.sessions import KEY_BITS, KEY_LENGTH, Kind, Sessions, check_key, new_key

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
UNTIL = AT + timedelta(minutes=10)
KEY = "a-name-drawn-by-chance"
SECOND = timedelta(seconds=1)


@pytest.fixture(params=["file", "memory", "postgres"])
def sessions(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoredSessions]:
    made: StoredSessions
    if request.param == "postgres":
        made = PostgresSessions(request.getfixturevalue("postgres").name())
    else:
        made = SqliteSessions(tmp_path / "sessions.db" if request.param == "file" else None)
    with made:
        yield made


def code(error: pytest.ExceptionInfo[CityIdError]) -> str:
    return error.value.code


def refusal(sessions: Sessions, key: str = KEY, at: datetime = AT, kind: Kind = Kind.SESSION) -> str:
    with pytest.raises(Refused) as error:
        sessions.take(key, at, kind=kind)
    return code(error)


def test_it_is_a_sessions(sessions: StoredSessions) -> None:
    assert isinstance(sessions, Sessions)


class TestTake:
    def test_once(self, sessions: StoredSessions) -> None:
        sessions.put(KEY, b"value", UNTIL)
        assert sessions.take(KEY, AT) == b"value"
        assert refusal(sessions) == "session.spent"

    def test_unknown(self, sessions: StoredSessions) -> None:
        sessions.put(KEY, b"value", UNTIL)
        assert refusal(sessions, KEY + "x") == "session.unknown"
        assert sessions.take(KEY, AT) == b"value"

    def test_until_the_deadline_exclusive(self, sessions: StoredSessions) -> None:
        other = new_key()
        for key in (KEY, other):
            sessions.put(key, b"value", UNTIL)
        assert sessions.take(KEY, UNTIL - SECOND) == b"value"
        assert refusal(sessions, other, UNTIL) == "session.expired"

    def test_what_was_taken_is_spent_even_after_its_deadline(self, sessions: StoredSessions) -> None:
        sessions.put(KEY, b"value", UNTIL)
        sessions.take(KEY, AT)
        assert refusal(sessions, at=UNTIL + SECOND) == "session.spent"

    def test_kinds_are_apart(self, sessions: StoredSessions) -> None:
        sessions.put(KEY, b"card", UNTIL, kind=Kind.OFFER)
        assert refusal(sessions) == "session.unknown"
        assert refusal(sessions, kind=Kind.CHALLENGE) == "session.unknown"
        sessions.put(KEY, b"question", UNTIL)
        assert sessions.take(KEY, AT, kind=Kind.OFFER) == b"card"
        assert sessions.take(KEY, AT) == b"question"

    def test_tombstones_are_buried_in_the_end(self, sessions: StoredSessions) -> None:
        sessions.put(KEY, b"v", UNTIL)
        sessions.put(KEY, b"v", UNTIL, kind=Kind.OFFER)
        sessions.take(KEY, AT)
        sessions.take(KEY, AT, kind=Kind.OFFER)
        sessions.forget(UNTIL + timedelta(hours=23))
        assert refusal(sessions) == "session.spent"
        sessions.forget(UNTIL + timedelta(days=1))
        assert refusal(sessions) == "session.unknown"
        assert refusal(sessions, kind=Kind.OFFER) == "session.spent"


class TestGiveBack:
    def test_opens_it_again(self, sessions: StoredSessions) -> None:
        sessions.put(KEY, b"value", UNTIL)
        for _ in range(10):
            assert sessions.take(KEY, AT) == b"value"
            assert sessions.give_back(KEY)
        assert refusal(sessions, at=UNTIL) == "session.expired"

    def test_a_fault_uses_up_a_try(self, sessions: StoredSessions) -> None:
        sessions.put(KEY, b"value", UNTIL, tries=2)
        for _ in range(2):
            sessions.take(KEY, AT)
            assert sessions.give_back(KEY, fault=True)
        sessions.take(KEY, AT)
        assert sessions.give_back(KEY)
        sessions.take(KEY, AT)
        assert not sessions.give_back(KEY, fault=True)
        assert not sessions.give_back(KEY)
        assert refusal(sessions) == "session.spent"

    def test_five_tries_are_usual(self, sessions: StoredSessions) -> None:
        sessions.put(KEY, b"value", UNTIL)
        answers = []
        for _ in range(6):
            sessions.take(KEY, AT)
            answers.append(sessions.give_back(KEY, fault=True))
        assert answers == [True] * 5 + [False]

    @pytest.mark.parametrize("fault", [False, True])
    def test_only_what_is_taken(self, sessions: StoredSessions, fault: bool) -> None:
        assert not sessions.give_back(KEY, fault=fault)
        sessions.put(KEY, b"value", UNTIL, tries=0)
        assert not sessions.give_back(KEY, fault=fault)
        assert sessions.take(KEY, AT) == b"value"

    def test_not_after_it_was_erased(self, sessions: StoredSessions) -> None:
        sessions.put(KEY, b"value", UNTIL)
        sessions.take(KEY, AT)
        assert sessions.forget(UNTIL) == 1
        assert not sessions.give_back(KEY)
        assert refusal(sessions) == "session.spent"


class TestErasing:
    def test_spend(self, sessions: StoredSessions) -> None:
        sessions.put(KEY, b"value", UNTIL)
        sessions.take(KEY, AT)
        sessions.spend(KEY)
        sessions.spend(KEY)
        assert not sessions.give_back(KEY)
        assert refusal(sessions) == "session.spent"
        sessions.spend("nothing-has-this-name")

    def test_spending_what_is_open(self, sessions: StoredSessions) -> None:
        sessions.put(KEY, b"value", UNTIL)
        sessions.spend(KEY)
        assert refusal(sessions) == "session.spent"

    def test_forget_erases_what_is_due_and_nothing_else(self, sessions: StoredSessions) -> None:
        sessions.put(KEY, b"value", UNTIL)
        sessions.put(later := new_key(), b"later", UNTIL + SECOND)
        assert sessions.forget(UNTIL - SECOND) == 0
        assert sessions.forget(UNTIL) == 1
        assert refusal(sessions, at=UNTIL) == "session.expired"
        assert refusal(sessions, at=AT) == "session.expired"  # also when the clock goes back
        assert sessions.take(later, UNTIL) == b"later"

    def test_taking_anything_erases_what_is_due(self, tmp_path: Path) -> None:
        sessions = SqliteSessions(tmp_path / "s.db")
        sessions.put(KEY, b"value", UNTIL)
        assert refusal(sessions, "another-name-altogether", UNTIL) == "session.unknown"
        sessions.close()
        with sqlite3.connect(tmp_path / "s.db") as rows:
            assert rows.execute("SELECT sealed FROM sessions").fetchall() == [(None,)]
        rows.close()


class TestKeys:
    def test_new_keys_are_long_and_differ(self) -> None:
        assert len({new_key() for _ in range(100)}) == 100
        assert len(new_key()) == KEY_BITS // 6

    def test_a_key_is_put_once(self, sessions: StoredSessions) -> None:
        sessions.put(KEY, b"1", UNTIL)
        with pytest.raises(Misuse) as error:
            sessions.put(KEY, b"2", UNTIL)
        assert code(error) == "session.exists"
        assert sessions.take(KEY, AT) == b"1"
        with pytest.raises(Misuse) as error:
            sessions.put(KEY, b"3", UNTIL)
        assert code(error) == "session.exists"

    def test_weak_keys(self, sessions: StoredSessions) -> None:
        for bad in ("x" * (KEY_LENGTH - 1), "", "x" * 513):
            with pytest.raises(Misuse) as error:
                sessions.put(bad, b"value", UNTIL)
            assert code(error) == "session.weak_key"
        assert check_key("x" * KEY_LENGTH) == b"x" * KEY_LENGTH
        sessions.put("x" * 512, b"value", UNTIL)


class TestFile:
    def test_what_an_older_program_kept_is_found(self, tmp_path: Path) -> None:
        """The first layout, where rows lay in the order of their keys."""
        from cityid.edge import sql, sqlite
        from cityid.edge.sessions_store import _APPLICATION

        path, key = tmp_path / "sessions.sqlite", new_key()
        first = tuple(sql.statements(script) for script in sql.migrations("sessions", "sqlite")[:1])
        with SqliteSessions() as made:
            made.put(key, b"value", UNTIL)
            made.put(spent := new_key(), b"value", UNTIL)
            made.take(spent, AT)
            with made.sql.read() as link:
                rows = link.execute("SELECT id, until, buried, taken, tries, sealed FROM sessions").fetchall()
        old = sqlite.Database(path, "sessions", _APPLICATION, first)
        with old.write() as connection:
            connection.executemany("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)", rows)
        old.close()
        with SqliteSessions(path) as now:
            assert now.take(key, AT) == b"value"
            with pytest.raises(Refused) as no:
                now.take(spent, AT)
            assert no.value.code == "session.spent"
            with now.sql.read() as link:
                assert link.execute("SELECT count(rowid) FROM sessions").fetchone() == (2,)

    def test_names_and_secrets_are_those_of_hkdf(self) -> None:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        from cityid.edge.sessions_store import _derive

        for kind in Kind:
            both = HKDF(SHA256(), 64, None, b"cityid " + kind.value.encode("ascii")).derive(b"a session's own key")
            assert b"".join(_derive(b"a session's own key", kind)) == both

    def test_nothing_is_in_clear_and_the_file_opens_nothing(self, tmp_path: Path) -> None:
        sessions = SqliteSessions(tmp_path / "s.db")
        sessions.put(KEY, b"Ada Lovelace", UNTIL)
        everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert b"Lovelace" not in everything
        assert KEY.encode() not in everything
        sessions.close()

    def test_a_changed_value_or_deadline_is_damage(self, tmp_path: Path) -> None:
        for column, change in (("sealed", "zeroblob(45)"), ("until", "until + 1000")):
            path = tmp_path / f"{column}.db"
            sessions = SqliteSessions(path)
            sessions.put(KEY, b"value", UNTIL)
            with sqlite3.connect(path) as rows:
                rows.execute(f"UPDATE sessions SET {column} = {change}")
            rows.close()
            with pytest.raises(Unavailable) as error:
                sessions.take(KEY, AT)
            assert code(error) == "store.damaged"
            sessions.close()

    def test_it_outlives_its_process(self, tmp_path: Path) -> None:
        first = SqliteSessions(tmp_path / "s.db")
        first.put(KEY, b"value", UNTIL)
        first.close()
        second = SqliteSessions(tmp_path / "s.db")
        assert second.take(KEY, AT) == b"value"
        second.close()


def _take(path: Path | None, sessions: StoredSessions | None, key: str) -> int:
    """1 for a taking that worked."""
    mine = sessions or SqliteSessions(path)
    try:
        mine.take(key, AT)
    except Refused as error:
        return 0 if error.code == "session.spent" else 1000
    finally:
        if sessions is None:
            mine.close()
    return 1


class TestAtomic:
    def test_p18_fifty_threads_take_once(self, sessions: StoredSessions) -> None:
        keys = [new_key() for _ in range(5)]
        for key in keys:
            sessions.put(key, b"value", UNTIL)
        with ThreadPoolExecutor(16) as pool:
            for key in keys:
                assert sum(pool.map(partial(_take, None, sessions), [key] * 50)) == 1

    @pytest.mark.slow
    def test_p18_processes_take_once(self, tmp_path: Path) -> None:
        sessions = SqliteSessions(tmp_path / "s.db")
        keys = [new_key() for _ in range(10)]
        for key in keys:
            sessions.put(key, b"value", UNTIL)
        sessions.close()
        with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as pool:
            taken = list(pool.map(partial(_take, tmp_path / "s.db", None), [key for key in keys for _ in range(6)]))
        assert [sum(taken[start : start + 6]) for start in range(0, 60, 6)] == [1] * 10
