"""Revoked, suspended, restored: which rows are meant, and what each may become."""

from __future__ import annotations

from typing import Any

import pytest

from cityid.cards import Device
from cityid.edge.database import StoredRegister
from cityid.errors import Refused
from cityid.register import Issued, State, Status
from cityid.register.standing import OnDevice, check, devices, of_device, of_holder, on_device, set_standing
from tests.jobs.test_register import AT, TYPE, code, entry, offered
from tests.jobs.test_register_keeps import does


def issued(register: StoredRegister, holders: list[str], device: str = "", **more: Any) -> Issued:
    def work(batch: Any) -> Issued:
        (row,) = batch.record([entry(batch.allot(TYPE, 2), **more)])
        return batch.issue(row.number, holders, device=device)  # type: ignore[no-any-return]

    return does(register, work)  # type: ignore[no-any-return]


def changed(register: StoredRegister, rows: list[Issued], value: Status) -> Any:
    return does(register, lambda batch: set_standing(batch, rows, value, "why", "jo"))


def refused(register: StoredRegister, rows: list[Issued], value: Status) -> str:
    with pytest.raises(Refused) as error:
        changed(register, rows, value)
    return code(error)


class TestWhich:
    def test_a_holder_is_a_person(self, register: StoredRegister) -> None:
        phone = issued(register, ["a", "b"], "phone", subject="ada")
        tablet = issued(register, ["c"], "tablet", subject="ada")
        again = issued(register, ["d"], "phone", subject="ada")
        bob = issued(register, ["e"], "phone", subject="bob")
        nobody = issued(register, ["f"])
        assert of_holder(register, "b") == (phone, tablet, again)
        assert of_device(register, "b") == (phone, again)
        assert of_device(register, "c") == (tablet,)
        assert of_holder(register, "e") == of_device(register, "e") == (bob,)
        assert of_holder(register, "f") == of_device(register, "f") == (nobody,)
        for which in (of_holder, of_device):
            with pytest.raises(Refused) as error:
                which(register, "g")
            assert code(error) == "register.unknown_holder"


class TestDevices:
    def test_one_of_several(self, register: StoredRegister) -> None:
        phone, tablet = Device("phone", "AAAA1"), Device("my tablet", "BBBB2")
        first = issued(register, ["a"], str(phone), subject="ada")
        second = issued(register, ["b"], str(tablet), subject="ada")
        third = issued(register, ["c"], str(phone), subject="ada")
        older = issued(register, ["d"], subject="ada")
        rows = of_holder(register, "a")
        assert devices(rows) == (OnDevice(phone, (first, third)), OnDevice(tablet, (second,)), OnDevice(None, (older,)))
        for named in ("phone", "AAAA1", "AA"):
            assert on_device(rows, named) == (first, third)
        assert on_device(rows, "my tablet") == (second,)
        with pytest.raises(Refused) as error:
            on_device(rows, "laptop")
        assert code(error) == "register.unknown_device"
        assert error.value.problem.facts["known"] == "phone, my tablet"

    def test_two_of_one_name_are_told_by_their_ids(self, register: StoredRegister) -> None:
        rows = [issued(register, [name], f"phone {name * 4}", subject="ada") for name in ("A", "B")]
        with pytest.raises(Refused) as error:
            on_device(rows, "phone")
        assert code(error) == "register.several_devices"
        assert on_device(rows, "BB") == (rows[1],)

    def test_what_nobody_took_is_on_no_device(self, register: StoredRegister) -> None:
        rows = [offered(register)]
        assert devices(rows) == ()
        with pytest.raises(Refused) as error:
            on_device(rows, "")
        assert error.value.problem.facts["known"] == "none"


class TestWhat:
    def test_r18_suspended_restored_revoked(self, register: StoredRegister) -> None:
        row = issued(register, ["a"])
        for value in (Status.SUSPENDED, Status.VALID, Status.SUSPENDED, Status.INVALID):
            assert changed(register, [row], value) == ((row.number,), ())
            row = register.find(row.number)
            assert row.values == (value, value)
            if value is not Status.VALID:
                assert changed(register, [row], value) == ((), (row.number,))
        for value in (Status.SUSPENDED, Status.VALID):
            assert refused(register, [row], value) == "register.revoked_for_good"
        assert register.find(row.number).standing == Status.INVALID

    def test_only_what_is_suspended_is_restored(self, register: StoredRegister) -> None:
        row = issued(register, ["a"])
        assert refused(register, [row], Status.VALID) == "register.not_suspended"
        changed(register, [row], Status.SUSPENDED)
        changed(register, [register.find(row.number)], Status.VALID)

    def test_what_was_not_signed_is_withdrawn(self, register: StoredRegister) -> None:
        row = offered(register)
        for value in (Status.SUSPENDED, Status.VALID):
            assert refused(register, [row], value) == "register.wrong_state"
        assert changed(register, [row], Status.INVALID) == ((row.number,), ())
        row = register.find(row.number)
        assert (row.state, row.why, row.values) == (State.WITHDRAWN, "why", (0, 0))
        assert refused(register, [row], Status.INVALID) == "register.wrong_state"
        with pytest.raises(Refused, match=r"register\.wrong_state"):
            check(row, Status.INVALID)  # before anybody is asked

    def test_what_has_no_status(self, register: StoredRegister) -> None:
        def work(batch: Any) -> Any:
            (row,) = batch.record([entry(copies=1)])
            return batch.issue(row.number, ["t"])

        row = does(register, work)
        assert refused(register, [row], Status.INVALID) == "register.no_status"

    def test_all_or_none(self, register: StoredRegister) -> None:
        one, two = issued(register, ["a"]), issued(register, ["b"])
        waiting = offered(register)
        assert refused(register, [one, two, waiting], Status.SUSPENDED) == "register.wrong_state"
        assert [register.find(row.number).standing for row in (one, two)] == [0, 0]
        assert changed(register, [one, two, waiting], Status.INVALID)[0] == (one.number, two.number, waiting.number)

    def test_when_somebody_was_faster(self, register: StoredRegister) -> None:
        """The rows were read before the batch: what counts is what stands when it is written."""
        row = issued(register, ["a"])
        changed(register, [row], Status.INVALID)
        assert refused(register, [row], Status.SUSPENDED) == "register.revoked_for_good"
        changed(register, [row], Status.INVALID)
        assert register.find(row.number).at == AT
