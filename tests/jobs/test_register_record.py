"""What an action remembers of new cards is made from what was written: it is what is in the tables, whatever else the
batch did, or was done to the entries before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cityid.credential import StatusRef
from cityid.edge import register_actions, register_marks
from cityid.edge.database import SqliteRegister, StoredRegister
from cityid.edge.register_audit import audit
from cityid.errors import Misuse
from cityid.register import IssuedCopy, State, Status, copies_of
from tests.logs import AT, TYPE, entry, opened


@pytest.fixture
def register() -> Any:
    with opened() as found:
        yield found


def content(register: StoredRegister) -> bool:
    return audit(register).findings == ()


def cards_read(register: SqliteRegister, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The cards whose rows were read again."""
    seen: list[int] = []
    really = register_marks.rows_about

    def rows_about(link: Any, table: str, things: Any) -> Any:
        seen.extend(things if table == "cards" else ())
        return really(link, table, things)

    monkeypatch.setattr(register_actions, "rows_about", rows_about)
    return seen


def test_cards_are_known_as_they_were_written(register: SqliteRegister, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = cards_read(register, monkeypatch)
    with register.batch("maria", "many", AT) as batch:
        refs = batch.allot(TYPE, 6)
        batch.record([
            entry(refs[:2], key="ü", subject="pseudonym", department='a "quoted" one', claims=b'{"a":1}'),
            replace(entry(refs[2:4]), copies=(IssuedCopy('hol"der', refs[2:3]), IssuedCopy("", refs[3:4]))),
            entry(refs[4:5], state=State.ISSUED, deadline=AT, digest="d"),
            entry((), type="n\u00f6 status"),
        ])  # fmt: skip
    assert seen == []
    assert content(register)
    assert register.statistics()["lists"] == {"total": 1, "entries": 6, "burnt": 1}


def test_what_more_is_done_to_them_is_read(register: SqliteRegister, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = cards_read(register, monkeypatch)
    with register.batch("maria", "both", AT) as batch:
        one, _ = batch.record([entry(batch.allot(TYPE, 2)), entry(batch.allot(TYPE, 2))])
        batch.issue(one.number, ["holder"])
        batch.set_status(one.status, Status.SUSPENDED, "lost", "maria")
    assert seen == [1]
    assert content(register)
    assert register.find(one.number).standing == Status.SUSPENDED


def test_entries_of_another_batch(register: SqliteRegister, monkeypatch: pytest.MonkeyPatch) -> None:
    with register.batch("maria", "allot", AT) as batch:
        refs = batch.allot(TYPE, 2)
    with register.batch("maria", "suspend", AT) as batch:
        batch.set_status(refs[:1], Status.SUSPENDED, "early", "maria")
    with register.batch("maria", "restore", AT) as batch:
        batch.set_status(refs[:1], Status.VALID, "late", "maria")
    seen = cards_read(register, monkeypatch)
    with register.batch("maria", "record", AT) as batch:
        batch.record([entry(refs)])
    # Its entries have a past, which only the tables tell.
    assert seen == [1]
    assert content(register)


def test_entries_that_somebody_looked_at_in_between(register: SqliteRegister) -> None:
    with register.batch("maria", "all", AT) as batch:
        refs = batch.allot(TYPE, 3)
        batch.set_status(refs[2:], Status.SUSPENDED, "burnt", "maria")
        batch.record([entry(refs[:2])])
    assert content(register)
    with pytest.raises(Misuse) as no, register.batch("maria", "again", AT) as batch:
        batch.record([entry(refs[2:])])
    assert no.value.code == "register.not_allotted"
    assert no.value.problem.facts["index"] == refs[2].index


def test_an_index_is_drawn_once_in_a_batch_and_bound_once(register: SqliteRegister) -> None:
    with register.batch("maria", "draw", AT) as batch:
        refs = [ref for _ in range(8) for ref in batch.allot(TYPE, 7)]
        assert len({(ref.uri, ref.index) for ref in refs}) == 56
    with pytest.raises(Misuse) as no, register.batch("maria", "twice", AT) as batch:
        batch.record([entry(batch.allot(TYPE, 1) * 2)])
    assert no.value.code == "register.not_allotted"
    with pytest.raises(Misuse), register.batch("maria", "nobody's", AT) as batch:
        batch.record([replace(entry(), copies=copies_of([StatusRef("status_list", "https://x.example/9", 1)], 1))])
    assert content(register)
