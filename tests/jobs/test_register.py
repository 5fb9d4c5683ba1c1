"""The register, whatever keeps it: batches that happen once, entries that are given once, steps that exist."""

from __future__ import annotations

import multiprocessing
import sqlite3
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cityid.credential import StatusRef, Window
from cityid.edge.database import SqliteRegister, StoredRegister
from cityid.errors import CityIdError, Misuse, Refused, Unavailable
from cityid.register import (
    NUMBER,
    Bits,
    Entry,
    Issued,
    Register,
    State,
    Status,
    check_change,
    check_step,
    copies_of,
)  # fmt: skip
from tests.credentials import credential_type
from tests.registers import BASE, OpenRegister

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
WINDOW = Window(AT, AT + timedelta(days=1))
TYPE = replace(credential_type(), status="required")
NO_STATUS = credential_type()


def code(error: pytest.ExceptionInfo[CityIdError]) -> str:
    return error.value.code


def entry(refs: tuple[StatusRef, ...] = (), copies: int = 2, **changed: Any) -> Entry:
    return replace(Entry("residency", "dc+sd-jwt", WINDOW, copies_of(refs, copies)), **changed)


def offered(register: StoredRegister, key: str = "first", clerk: str = "maria", **changed: Any) -> Issued:
    with register.batch(clerk, key, AT) as batch:
        (row,) = batch.record([entry(batch.allot(TYPE, 2), **changed)])
    return row


def test_it_is_a_register(register: StoredRegister) -> None:
    assert isinstance(register, Register)


class TestBatch:
    def test_what_was_recorded_is_found(self, register: StoredRegister) -> None:
        row = offered(register, deadline=AT + timedelta(minutes=10))
        assert NUMBER.fullmatch(row.number)
        assert row.number == "R-2026-000001"
        assert register.find(row.number) == row
        assert row.state is State.OFFERED
        assert row.holders == ()
        assert len(row.status) == 2
        assert (row.clerk, row.at, row.window, row.batch) == ("maria", AT, WINDOW, "B-1")

    def test_an_error_undoes_all_of_it(self, register: StoredRegister) -> None:
        with pytest.raises(ZeroDivisionError), register.batch("maria", "first", AT) as batch:  # noqa: PT012  # the block is what fails
            batch.record([entry(batch.allot(TYPE, 2))])
            raise ZeroDivisionError
        assert list(register.rows()) == []
        assert list(register.events()) == []
        assert register.lists() == ()
        assert offered(register).number == "R-2026-000001"

    def test_the_same_key_is_the_first_result(self, register: StoredRegister) -> None:
        row = offered(register)
        with register.batch("maria", "first", AT) as batch:
            assert batch.repeats
            assert batch.rows == (row,)
            for change in (
                lambda: batch.allot(TYPE, 1), lambda: batch.record([entry()]), lambda: batch.event("key", {}),
                lambda: batch.issue(row.number, ["t"]), lambda: batch.approve(row.number, "x"),
                lambda: batch.withdraw(row.number, "x"), lambda: batch.set_status(row.status, 1, "x", "x"),
            ):  # fmt: skip
                with pytest.raises(Misuse) as error:
                    change()
                assert code(error) == "register.key_used"
        assert list(register.rows()) == [row]
        with register.batch("maria", "second", AT) as batch:
            assert not batch.repeats
            assert batch.rows == ()

    def test_a_batch_knows_what_it_moved(self, register: StoredRegister) -> None:
        row = offered(register)
        with register.batch("maria", "second", AT) as batch:
            moved = batch.issue(row.number, ["thumb-1"])
        with register.batch("maria", "second", AT) as batch:
            assert batch.rows == (moved,)

    def test_after_its_end(self, register: StoredRegister) -> None:
        with register.batch("maria", "first", AT) as batch:
            pass
        with pytest.raises(Misuse) as error:
            batch.record([entry()])
        assert code(error) == "register.batch_over"

    def test_somebody_does_it(self, register: StoredRegister) -> None:
        with pytest.raises(Misuse) as error, register.batch("", "first", AT):
            pass
        assert code(error) == "register.no_clerk"

    def test_numbers_count_within_a_year(self, register: StoredRegister) -> None:
        with register.batch("maria", "1", AT) as batch:
            first = batch.record([entry(), entry()])
        with register.batch("maria", "2", AT.replace(year=2027)) as batch:
            second = batch.record([entry()])
        assert [row.number for row in (*first, *second)] == ["R-2026-000001", "R-2026-000002", "R-2027-000001"]


class TestAllot:
    def test_lists_roll_over_and_nothing_comes_twice(self, register: StoredRegister) -> None:
        refs: list[StatusRef] = []
        for key in range(15):
            with register.batch("maria", str(key), AT) as batch:
                refs += batch.allot(TYPE, 10)
        assert len({(ref.uri, ref.index) for ref in refs}) == 150
        assert all(0 <= ref.index < 64 and ref.kind == "status_list" for ref in refs)
        assert register.lists() == (f"{BASE}/1", f"{BASE}/2", f"{BASE}/3")
        # seven eighths of 64, and no more
        assert [sum(ref.uri == uri for ref in refs) for uri in register.lists()] == [56, 56, 38]

    def test_r22_not_in_order(self, open_register: OpenRegister) -> None:
        register = open_register()
        with register.batch("maria", "1", AT) as batch:
            found = [ref.index for ref in batch.allot(TYPE, 50)]
        assert sorted(found) != found
        assert max(found) - min(found) > 1000

    def test_a_type_without_status(self, register: StoredRegister) -> None:
        with register.batch("maria", "1", AT) as batch:
            assert batch.allot(NO_STATUS, 3) == ()
            (row,) = batch.record([entry((), 3)])
        assert register.find(row.number).status == ()
        assert len(register.find(row.number).copies) == 3

    def test_without_a_place_for_lists(self, open_register: OpenRegister) -> None:
        register = open_register(status_base="")
        with register.batch("maria", "1", AT) as batch:
            assert batch.allot(NO_STATUS, 1) == ()
            with pytest.raises(Misuse) as error:
                batch.allot(TYPE, 1)
        assert code(error) == "register.no_status_base"

    def test_broken_chance_is_noticed(self, open_register: OpenRegister) -> None:
        register = open_register(entropy=bytes)
        with register.batch("maria", "1", AT) as batch:
            assert batch.allot(TYPE, 1)[0].index == 0
        with pytest.raises(Unavailable) as error, register.batch("maria", "2", AT) as batch:
            batch.allot(TYPE, 1)
        assert code(error) == "register.no_chance"

    @pytest.mark.parametrize(("size", "bits"), [(60, 2), (0, 2), (64, 3), (64, 0)])
    def test_shapes(self, size: int, bits: int) -> None:
        with pytest.raises(Misuse) as error:
            SqliteRegister(list_size=size, list_bits=bits)
        assert code(error) == "register.list_shape"
        SqliteRegister(list_size=64, list_bits=8).close()

    def test_an_entry_belongs_to_one_row(self, register: StoredRegister) -> None:
        row = offered(register)
        for refs in (row.status, (StatusRef("status_list", f"{BASE}/1", 999),), (StatusRef("status_list", "x", 1),)):
            with pytest.raises(Misuse) as error, register.batch("maria", "again", AT) as batch:
                batch.record([entry(refs)])
            assert code(error) == "register.not_allotted"
        assert list(register.rows()) == [row]

    def test_entries_are_never_deleted(self, tmp_path: Path) -> None:
        register = SqliteRegister(tmp_path / "r.db", status_base=BASE)
        offered(register)
        register.close()
        with sqlite3.connect(tmp_path / "r.db") as rows, pytest.raises(sqlite3.IntegrityError):
            rows.execute("DELETE FROM entries")
        rows.close()


class TestSteps:
    def test_issue_binds_the_copies_in_order(self, register: StoredRegister) -> None:
        row = offered(register)
        window = Window(AT, AT + timedelta(days=2))
        with register.batch("maria", "answer", AT) as batch:
            issued = batch.issue(row.number, ["thumb-1"], window)
        assert issued == register.find(row.number)
        assert issued.state is State.ISSUED
        assert issued.window == window
        assert [copy.holder for copy in issued.copies] == ["thumb-1", ""]
        assert issued.holders == ("thumb-1",)
        assert issued.status == row.status

    @pytest.mark.parametrize("count", [0, 3])
    def test_as_many_keys_as_copies(self, register: StoredRegister, count: int) -> None:
        row = offered(register)
        with pytest.raises(Misuse) as error, register.batch("maria", "answer", AT) as batch:
            batch.issue(row.number, ["t"] * count)
        assert code(error) == "register.holder_count"
        assert register.find(row.number) == row

    def test_four_eyes(self, register: StoredRegister) -> None:
        row = offered(register, state=State.PENDING)
        with pytest.raises(Refused) as error, register.batch("maria", "alone", AT) as batch:
            batch.approve(row.number, "maria")
        assert code(error) == "register.same_clerk"
        with pytest.raises(Refused) as error, register.batch("maria", "early", AT) as batch:
            batch.issue(row.number, ["t"])
        assert code(error) == "register.wrong_state"
        with register.batch("jo", "yes", AT) as batch:
            assert batch.approve(row.number, "jo").state is State.OFFERED
        assert [event.kind for event in register.events()] == ["offer", "approve"]

    def test_withdraw(self, register: StoredRegister) -> None:
        row = offered(register)
        with register.batch("maria", "back", AT) as batch:
            gone = batch.withdraw(row.number, "typed wrongly")
        assert (gone.state, gone.why) == (State.WITHDRAWN, "typed wrongly")
        with pytest.raises(Refused) as error, register.batch("maria", "answer", AT) as batch:
            batch.issue(row.number, ["t"])
        assert code(error) == "register.wrong_state"

    def test_the_whole_table(self) -> None:
        allowed = {
            (State.PENDING, State.OFFERED), (State.PENDING, State.WITHDRAWN), (State.OFFERED, State.ISSUED),
            (State.OFFERED, State.WITHDRAWN),
        }  # fmt: skip
        for now in State:
            for then in State:
                if (now, then) in allowed:
                    check_step("R", now, then)
                else:
                    with pytest.raises(Refused):
                        check_step("R", now, then)

    def test_unknown_numbers(self, register: StoredRegister) -> None:
        offered(register)
        with pytest.raises(Refused) as error:
            register.find("R-2026-000002")
        assert code(error) == "register.unknown_number"
        with pytest.raises(Refused) as error, register.batch("maria", "x", AT) as batch:
            batch.issue("R-2026-' OR 1=1", ["t"])
        assert code(error) == "register.unknown_number"
        with pytest.raises(Refused) as error:
            list(register.rows(after="R-2026-000002"))
        assert code(error) == "register.unknown_number"


class TestStatus:
    def test_set_and_told(self, register: StoredRegister) -> None:
        row = offered(register)
        one, two = row.status
        with register.batch("jo", "lost", AT) as batch:
            assert batch.set_status([one, one], Status.SUSPENDED, "lost phone", "jo") == 1
            assert batch.set_status([one], Status.SUSPENDED, "lost phone", "jo") == 0
        with register.batch("jo", "found", AT + timedelta(hours=1)) as batch:
            assert batch.set_status([one], Status.VALID, "found", "jo") == 1
            assert batch.set_status([two], Status.INVALID, "moved", "jo") == 1
        assert register.bits(two.uri) == Bits(two.uri, 2, 64, 3, {two.index: 1})
        changes = register.history(one)
        assert [(change.value, change.why, change.by) for change in changes] == [
            (2, "lost phone", "jo"), (0, "found", "jo"),
        ]  # fmt: skip
        assert changes[1].at == AT + timedelta(hours=1)
        assert [event.kind for event in register.events()] == ["offer", "status", "status", "status"]

    def test_r18_revoked_stays_revoked_and_all_or_none(self, register: StoredRegister) -> None:
        one, two = offered(register).status
        with register.batch("jo", "1", AT) as batch:
            batch.set_status([one], Status.INVALID, "x", "jo")
        for value in (Status.VALID, Status.SUSPENDED):
            with register.batch("jo", f"2{value}", AT) as batch, pytest.raises(Refused) as error:
                batch.set_status([two, one], value, "x", "jo")
            assert code(error) == "register.revoked_for_good"
        assert register.bits(one.uri).values == {one.index: 1}
        check_change(Status.INVALID, Status.INVALID)
        check_change(Status.SUSPENDED, Status.VALID)

    def test_what_cannot_be_set(self, register: StoredRegister) -> None:
        one, two = offered(register).status
        with register.batch("jo", "1", AT) as batch:
            with pytest.raises(Refused) as error:
                batch.set_status([replace(one, index=(one.index + 1) % 64, uri="https://x")], 1, "x", "jo")
            assert code(error) == "register.unknown_entry"
            taken = {one.index, two.index}
            with pytest.raises(Refused) as error:
                batch.set_status([replace(one, index=min(set(range(64)) - taken))], 1, "x", "jo")
            assert code(error) == "register.unknown_entry"
            for value in (4, -1):
                with pytest.raises(Misuse) as misuse:
                    batch.set_status([one], value, "x", "jo")
                assert code(misuse) == "register.status_value"
            assert batch.set_status([one], 3, "x", "jo") == 1
        with pytest.raises(Refused) as error:
            register.bits("https://x")
        assert code(error) == "register.unknown_list"


class TestReading:
    def test_rows(self, register: StoredRegister) -> None:
        with register.batch("maria", "1", AT) as batch:
            rows = batch.record([entry(type="age" if number % 3 else "residency") for number in range(450)])
            last = batch.issue(rows[-1].number, ["thumb-1"])
        rows = (*rows[:-1], last)
        assert tuple(register.rows()) == rows
        assert len(list(register.rows(type="residency"))) == 150
        assert list(register.rows(state=State.ISSUED)) == [last]
        assert list(register.rows(holder="thumb-1")) == [last]
        assert list(register.rows(holder="thumb-1", type="x")) == []
        assert list(register.rows(holder="")) == []
        assert tuple(register.rows(after=rows[220].number)) == rows[221:]

    def test_events_are_whose(self, register: StoredRegister) -> None:
        with register.batch("maria", "1", AT) as batch:
            for number in range(250):
                batch.event("key", {"number": number, "name": "Ä"})
        events = list(register.events())
        assert [event.facts["number"] for event in events] == list(range(250))
        assert (events[7].by, events[7].at, events[7].facts["name"]) == ("maria", AT, "Ä")
        assert list(register.events(after=events[240].id)) == events[241:]


def _work(path: Path | None, register: StoredRegister | None, worker: int) -> list[tuple[str, int]]:
    mine = register or SqliteRegister(path, status_base=BASE, list_size=512)
    found = []
    for number in range(8):
        with mine.batch(f"clerk {worker}", f"{worker}/{number}", AT) as batch:
            (row,) = batch.record([entry(batch.allot(TYPE, 5), 5)])
            batch.set_status(row.status[:1], 1, "why", "clerk")
        found += [(ref.uri, ref.index) for ref in row.status]
    if register is None:
        mine.close()
    return found


class TestTogether:
    def test_r01_r02_r07_threads(self, register: StoredRegister) -> None:
        with ThreadPoolExecutor(8) as pool:
            found = [ref for part in pool.map(partial(_work, None, register), range(8)) for ref in part]
        self.judge(register, found, 320)

    @pytest.mark.slow
    def test_r01_r02_r07_processes(self, tmp_path: Path) -> None:
        with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as pool:
            parts = list(pool.map(partial(_work, tmp_path / "r.db", None), range(3)))
        register = SqliteRegister(tmp_path / "r.db")
        self.judge(register, [ref for part in parts for ref in part], 120)
        register.close()

    @staticmethod
    def judge(register: StoredRegister, found: list[tuple[str, int]], count: int) -> None:
        assert len(set(found)) == len(found) == count
        rows = list(register.rows())
        assert len({row.number for row in rows}) == len(rows) == count // 5
        assert {(ref.uri, ref.index) for row in rows for ref in row.status} == set(found)
        assert sum(len(register.bits(uri).values) for uri in register.lists()) == count // 5

    def test_one_key_in_many_threads_happens_once(self, register: StoredRegister) -> None:
        def once(_: int) -> str:
            with register.batch("maria", "the same", AT) as batch:
                return (batch.rows or batch.record([entry()]))[0].number

        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(once, range(24)))) == 1
        assert len(list(register.rows())) == 1
