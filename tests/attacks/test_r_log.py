"""R14: whoever can write to the database changes, adds or removes a row behind the register's back."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cityid.edge.register_audit import audit
from cityid.edge.register_marks import COLUMNS
from cityid.errors import Refused
from tests.logs import AT, LATER, LOG, lived, opened, sign

TABLES = {
    **COLUMNS,
    "events": ("id", "kind", "clerk", "at", "facts", "salt", "leaf", "position", "card"),
    "log_nodes": ("level", "idx", "hash"),
}
PLACE = {
    "copies": "(card * 1000 + position)", "entries": "(list * 1000 + idx)", "moved": "(batch * 10000 + card)",
    "counters": "name", "log_nodes": "(level * 1000 + idx)",
}  # fmt: skip
"""What tells the rows of a table apart, where it has no rowid."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A register that was signed three times, lost the salts of what was old, and has an action that waits."""
    path = tmp_path_factory.mktemp("kept") / "register.sqlite"
    with opened(path) as register:
        lived(register)
        sign(register)
        lived(register, 100)
        with register.batch("maria", "many", AT) as batch:
            for number in range(300):
                batch.event("type", {"count": number})
        sign(register)
        with register.batch("jo", "erasing", AT + timedelta(days=1)) as batch:
            assert batch.erase_salts(AT - timedelta(days=1)) == 0
        sign(register, LATER)
        with register.batch("maria", "waiting", LATER) as batch:
            batch.event("type", {})
        assert audit(register, LOG).findings == ()
    return path


def changed(kept: Path, folder: Path, *statements: tuple[str, tuple[Any, ...]]) -> Path:
    """A copy of the register with what somebody did to it; each statement changes one row."""
    path = folder / "register.sqlite"
    shutil.copy(kept, path)
    path.chmod(0o600)
    folder.chmod(0o700)
    with sqlite3.connect(path) as plain:
        plain.execute("DROP TRIGGER IF EXISTS entries_stay")
        for statement, values in statements:
            assert plain.execute(statement, values).rowcount == 1
    plain.close()
    return path


def found(path: Path) -> list[tuple[Any, ...]]:
    with opened(path) as register:
        return [(problem.code, *problem.facts.values()) for problem in audit(register, LOG).findings]


def rows(path: Path, table: str, column: str = "NULL") -> list[tuple[Any, Any]]:
    """Three rows of a table: the first, the last, and one between."""
    plain = sqlite3.connect(path)
    every = plain.execute(f"SELECT {PLACE.get(table, 'rowid')}, {column} FROM {table} ORDER BY 1").fetchall()
    plain.close()
    assert every, f"nothing is in {table}"
    return [every[at] for at in sorted({0, len(every) // 2, len(every) - 1})]


def other(value: Any) -> Any:
    if isinstance(value, int):
        return value + 7000
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    return 7000 if value is None else f"{value}x"


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table, columns in TABLES.items() for column in columns]
)
def test_r14_one_column_of_one_row(kept: Path, tmp_path: Path, table: str, column: str) -> None:
    for place, value in rows(kept, table, column):
        statement = f"UPDATE {table} SET {column} = ? WHERE {PLACE.get(table, 'rowid')} = ?"
        problems = found(changed(kept, tmp_path, (statement, (other(value), place))))
        assert table in {problem[1] for problem in problems}, (place, value, problems)
        # An entry that moved is missing in one list and one too many in another, and so are its changes.
        assert len(problems) <= 6
        assert found(changed(kept, tmp_path, (statement, (value, place)))) == []  # as it was


@pytest.mark.parametrize("table", TABLES)
def test_r14_one_row_is_removed(kept: Path, tmp_path: Path, table: str) -> None:
    for place, _ in rows(kept, table):
        problems = found(
            changed(kept, tmp_path, (f"DELETE FROM {table} WHERE {PLACE.get(table, 'rowid')} = ?", (place,)))
        )
        if (table, place) == ("events", rows(kept, "events")[-1][0]):
            # The newest, which nobody signed yet: what is left is a batch without an action.
            assert problems == [("audit.added", "batches", "26")]
        else:
            assert table in {problem[1] for problem in problems}, problems
            assert "audit.missing" in {problem[0] for problem in problems} or table == "log_nodes"


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("lists", (7, "https://id.lindau.example/status/7", 2, 64, 0, 0, 0, -1, None)),
        ("batches", (7000, b"key", "maria", 0)),
        ("cards", (99, "R-2026-000099", "t", "f", None, None, "issued", None, "", 1, "x", 0, None, *("",) * 5, None)),
        ("copies", (1, 2, "mine")),
        ("entries", (1, 5000, 0, None, None)),
        ("moved", (1, 1)),
        ("changes", (99, 1, 0, 0, "", "x", 0)),
        ("counters", ("2031", 5)),
        ("checkpoints", (1, b"x" * 32, 0, "note")),
        ("keys", ("mine", "issuer", "ES256", 0, None, "")),
        ("clerks", ("mallory", "", "issue", "", "", 0, None)),
        ("log_nodes", (1, 77, b"x" * 32)),
        ("voices", (99, "p", "s", b"c", b"e", "2026-10-01")),
    ],
)
def test_r14_one_row_is_added(kept: Path, tmp_path: Path, table: str, values: tuple[Any, ...]) -> None:
    if table == "changes":
        plain = sqlite3.connect(kept)
        (values,) = [(99, *row, 0, "", "x", 0) for row in plain.execute("SELECT list, idx FROM entries LIMIT 1")]
        plain.close()
    marks = ", ".join("?" * len(values))
    names = ", ".join(TABLES[table])
    path = changed(kept, tmp_path, (f"INSERT INTO {table} ({names}) VALUES ({marks})", values))
    problems = found(path)
    assert table in {problem[1] for problem in problems}, problems


class TestWholeStories:
    def test_r14_a_revocation_is_undone(self, kept: Path, tmp_path: Path) -> None:
        plain = sqlite3.connect(kept)
        list_id, index = plain.execute("SELECT list, idx FROM entries WHERE value = 1 LIMIT 1").fetchone()
        plain.close()
        path = changed(kept, tmp_path, ("UPDATE entries SET value = 0 WHERE list = ? AND idx = ?", (list_id, index)))
        assert found(path) == [("audit.changed", "entries", f"list {list_id} entry {index}")]

    def test_r14_a_card_becomes_another_type(self, kept: Path, tmp_path: Path) -> None:
        path = changed(kept, tmp_path, ("UPDATE cards SET type = 'business-permit' WHERE id = 3", ()))
        assert found(path) == [("audit.changed", "cards", "R-2026-000003")]

    def test_r14_somebody_elses_name(self, kept: Path, tmp_path: Path) -> None:
        path = changed(kept, tmp_path, ("UPDATE events SET clerk = 'jo' WHERE id = 5", ()))
        assert found(path) == [("audit.changed", "events", "5")]

    def test_r14_two_actions_change_places(self, kept: Path, tmp_path: Path) -> None:
        path = changed(
            kept,
            tmp_path,
            ("UPDATE events SET position = 7000 WHERE id = 2", ()),
            ("UPDATE events SET position = 1 WHERE id = 3", ()),
            ("UPDATE events SET position = 2 WHERE id = 2", ()),
        )
        assert found(path) == [("audit.other_tree", 0, 20)]

    def test_r14_the_end_is_cut_off(self, kept: Path, tmp_path: Path) -> None:
        """All that is newer than some action, with every trace: only what was signed tells."""
        path = tmp_path / "register.sqlite"
        shutil.copy(kept, path)
        with sqlite3.connect(path) as plain:
            (most,) = plain.execute("SELECT max(size) FROM checkpoints").fetchone()
            plain.execute("DELETE FROM events WHERE position >= ?", (most - 3,))
        plain.close()
        path.chmod(0o600)
        assert ("audit.truncated", most - 3, most) in found(path)

    def test_r14_a_new_history_is_signed(self, kept: Path, tmp_path: Path) -> None:
        """The sequencer will not sign what does not begin with what it signed last."""
        path = changed(kept, tmp_path, ("UPDATE events SET leaf = zeroblob(32) WHERE id = 300", ()))
        with opened(path) as register, pytest.raises(Refused, match=r"log\.forked"):
            sign(register, LATER)
        with opened(changed(kept, tmp_path, ("UPDATE events SET leaf = leaf WHERE id = 300", ()))) as register:
            sign(register, LATER)


@pytest.fixture(scope="module")
def erased(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("erased") / "register.sqlite"
    shutil.copy(kept, path)
    path.chmod(0o600)
    with opened(path) as register:
        with register.batch("jo", "erase", LATER) as batch:
            assert batch.erase_salts(AT + timedelta(days=1)) > 300
        sign(register, LATER)
        report = audit(register, LOG)
        assert report.findings == ()
        assert report.erased > 300
        assert report.unremembered > 10  # batches and checkpoints from then
    return path


class TestErased:
    """What was erased leaves leaves; what they bound is still bound to the tree."""

    @pytest.mark.parametrize("column", ["kind", "clerk", "at", "facts", "salt", "position", "card"])
    def test_r14_what_is_blank_stays_blank(self, erased: Path, tmp_path: Path, column: str) -> None:
        statement = f"UPDATE events SET {column} = ? WHERE id = 1"
        plain = sqlite3.connect(erased)
        (value,) = plain.execute(f"SELECT {column} FROM events WHERE id = 1").fetchone()
        plain.close()
        new = b"salt" if column == "salt" else other(value)
        assert ("audit.changed", "events", "1") in found(changed(erased, tmp_path, (statement, (new,))))
        assert found(changed(erased, tmp_path, (statement, (value,)))) == []

    def test_r14_a_leaf_is_another(self, erased: Path, tmp_path: Path) -> None:
        path = changed(erased, tmp_path, ("UPDATE events SET leaf = zeroblob(32) WHERE id = 1", ()))
        assert found(path) == [("audit.other_tree", 0, 20)]
        path = changed(erased, tmp_path, ("UPDATE events SET leaf = zeroblob(32) WHERE id = 100", ()))
        assert found(path) == [("audit.other_tree", 0, 255)]

    def test_r14_a_node_is_another(self, erased: Path, tmp_path: Path) -> None:
        path = changed(erased, tmp_path, ("UPDATE log_nodes SET hash = zeroblob(32)", ()))
        assert found(path) == [("audit.changed", "log_nodes", "level 1 node 0")]

    def test_r14_cards_that_are_over(self, erased: Path, tmp_path: Path, kept: Path) -> None:
        """Their last action is kept until they are over; then nothing is known of them, and nothing may say more."""
        path = tmp_path / "register.sqlite"
        shutil.copy(erased, path)
        path.chmod(0o600)
        with opened(path) as register:
            with register.batch("jo", "all", LATER + timedelta(days=1)) as batch:
                batch.erase_salts(LATER + timedelta(days=1))
            sign(register, LATER)
            assert audit(register, LOG).findings == ()
        assert found(changed(path, tmp_path / "..", ("UPDATE cards SET why = 'x' WHERE id = 3", ()))) == []
        with sqlite3.connect(path) as plain:
            plain.execute("UPDATE cards SET ends = NULL WHERE id = 3")
        plain.close()
        assert found(path) == [("audit.added", "cards", "R-2026-000003")]


def test_every_column_is_remembered(kept: Path) -> None:
    """A column that is added to the register has to be added to what actions remember."""
    plain = sqlite3.connect(kept)
    names = [name for (name,) in plain.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    there = {name: tuple(row[1] for row in plain.execute(f"PRAGMA table_info({name})")) for name in names}
    plain.close()
    assert {table: set(columns) for table, columns in there.items()} == {
        table: set(columns) for table, columns in TABLES.items()
    }


Change = Callable[[sqlite3.Connection], Any]


@pytest.mark.parametrize("facts", ["", "[]", "{", "7", None, b"\xff", '{"a":1,"a":2}'])
def test_r14_facts_that_cannot_be_read(kept: Path, tmp_path: Path, facts: Any) -> None:
    plain = sqlite3.connect(kept)
    strict = plain.execute("SELECT sql FROM sqlite_schema WHERE name = 'events'").fetchone()
    plain.close()
    assert "facts TEXT NOT NULL" in strict[0]
    if facts is None:
        with pytest.raises(sqlite3.IntegrityError):
            changed(kept, tmp_path, ("UPDATE events SET facts = ? WHERE id = 5", (facts,)))
        return
    path = changed(kept, tmp_path, ("UPDATE events SET facts = ? WHERE id = 5", (facts,)))
    assert found(path) == [("audit.changed", "events", "5")]
