"""Four eyes over a table: its rows wait under one number, another clerk approves all of them, and only then are they
offered or signed. Nothing is signed and no code is made before, whatever is stopped in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cityid import accepting
from cityid.bulk import Bulk, Person
from cityid.bulk_approval import Asked, Waiting
from cityid.errors import CityIdError, Unavailable
from cityid.formats import FORMATS
from cityid.issuing import APPROVAL_AGE
from cityid.register import State
from tests.jobs.offices import NOW
from tests.jobs.test_bulk import UNTIL, Hall
from tests.memory import MemoryWallet

LATER = NOW + timedelta(days=2)


class Desk:
    """A city hall in which ages need four eyes, and what maria asked for in it."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self.hall = Hall(folder, opened)
        self.hall.issuer = replace(self.hall.issuer, four_eyes=frozenset({"age"}))
        self.register, self.sessions = self.hall.register, self.hall.sessions
        self.waiting = Waiting(self.register, self.sessions, self.hall.secret.waiting)
        self.parts: list[int] = []

    def bulk(self, **more: Any) -> Bulk:
        return self.hall.bulk(four_eyes=True, **more)

    def ask_part(self, people: list[Person], part: int, *, signed: bool = False) -> list[Any]:
        made = self.bulk().request(people, part, NOW, signed=signed)
        self.waiting.keep_part("run-1", part, made, NOW)
        return made

    def ask(self, *parts: list[Person], signed: bool = False) -> Asked:
        made = [self.ask_part(people, part, signed=signed) for part, people in enumerate(parts)]
        asked = Asked(
            made[0][0][1].batch, "run-1", "age", "clerk-1", "", "people.csv", signed, UNTIL, sum(map(len, made)),
            tuple(range(len(parts))),
        )  # fmt: skip
        self.waiting.keep(asked, NOW)
        return asked

    def states(self) -> list[State]:
        return [row.state for row in self.register.rows()]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with ExitStack() as opened:
        yield Desk(tmp_path, opened)


def code(work: Callable[[], Any]) -> str:
    with pytest.raises(CityIdError) as error:
        work()
    return error.value.code


class TestOffers:
    def test_all_wait_under_one_number_and_are_offered_after_the_yes(self, desk: Desk) -> None:
        people = desk.hall.people()
        asked = desk.ask(people[:3], people[3:])
        assert desk.states() == [State.PENDING] * 5
        assert {row.deadline for row in desk.register.rows()} == {(NOW + APPROVAL_AGE).replace(microsecond=0)}
        assert desk.waiting.find(asked.number, NOW) == asked
        cards = list(desk.waiting.cards(asked, NOW))
        assert [card["line"] for card in cards] == [2, 3, 4, 5, 6]
        assert cards[0]["claims"] == people[0].prepared.claims
        assert desk.waiting.approve(asked, by="jo", at=LATER) == 5
        assert {(row.state, row.approved_by, row.deadline) for row in desk.register.rows()} == {
            (State.OFFERED, "jo", UNTIL.replace(microsecond=0))
        }
        ((person, number, offer), *_) = desk.bulk().offer(people[:3], 0, LATER)
        assert person is people[0]
        wallet = MemoryWallet()
        cards_ = desk.hall.issuer.answer(accepting.begin(offer, wallet, LATER), at=LATER)
        assert FORMATS["dc+sd-jwt"].read(cards_.credentials[0]).claims["age_over_18"] is True
        assert desk.register.find(number).state is State.ISSUED
        # Stopped and done again: the taken one is left alone, the others have the offers that they had.
        again = desk.bulk().offer(people[:3], 0, LATER)
        assert [person.line for person, _, _ in again] == [3, 4]

    def test_nothing_is_offered_or_signed_before(self, desk: Desk) -> None:
        people = desk.hall.people(signed=True)
        desk.ask(people, signed=True)
        assert code(lambda: desk.bulk().offer(people, 0, NOW)) == "bulk.not_approved"
        assert code(lambda: desk.bulk().sign(people, 0, NOW)) == "bulk.not_approved"
        assert code(lambda: desk.hall.bulk().sign(people, 0, NOW)) == "issue.needs_approval"
        assert desk.states() == [State.PENDING] * 5

    def test_what_was_not_asked_for_is_not_offered(self, desk: Desk) -> None:
        people = desk.hall.people()
        asked = desk.ask(people[:3])
        desk.waiting.approve(asked, by="jo", at=NOW)
        assert len(desk.bulk().offer(people, 0, NOW)) == 3
        assert desk.bulk().offer(people, 1, NOW) == []
        assert desk.bulk().sign(people, 1, NOW) == []
        # Another run over the same table has nothing to ask for, and takes nothing over.
        assert desk.bulk(name="run-2").request(people[:3], 0, NOW, signed=False) == []
        assert desk.bulk(name="run-2").offer(people[:3], 0, NOW) == []

    def test_a_withdrawn_card_stays_withdrawn(self, desk: Desk) -> None:
        people = desk.hall.people()
        asked = desk.ask(people)
        with desk.register.batch("jo", "withdraw", NOW) as batch:
            batch.withdraw(next(desk.register.rows()).number, "moved away")
        assert desk.waiting.approve(asked, by="jo", at=NOW) == 4
        assert [person.line for person, _, _ in desk.bulk().offer(people, 0, NOW)] == [3, 4, 5, 6]


class TestSigned:
    def test_signed_after_the_yes_once(self, desk: Desk) -> None:
        people = desk.hall.people(signed=True)
        asked = desk.ask(people, signed=True)
        assert [card["holder"] for card in desk.waiting.cards(asked, NOW)] == [
            person.holder.thumbprint for person in people if person.holder
        ]
        desk.waiting.approve(asked, by="jo", at=NOW)
        first, again = (desk.bulk().sign(people, 0, LATER) for _ in range(2))
        assert [one.number for one in first] == [one.number for one in again]
        assert desk.states() == [State.ISSUED] * 5
        for one, row in zip(first, desk.register.rows(), strict=True):
            read = FORMATS["dc+sd-jwt"].read(one.raw)
            assert (read.holder, read.window) == (one.person.holder, row.window)
            assert row.holders == (one.person.holder.thumbprint,) if one.person.holder else False

    def test_nothing_left_to_sign(self, desk: Desk) -> None:
        people = desk.hall.people(signed=True)
        asked = desk.ask(people, signed=True)
        with desk.register.batch("jo", "withdraw", NOW) as batch:
            for row in list(desk.register.rows()):
                batch.withdraw(row.number, "no")
        assert desk.waiting.approve(asked, by="jo", at=NOW) == 0
        assert desk.bulk().sign(people, 0, NOW) == []

    def test_only_what_was_approved(self, desk: Desk) -> None:
        """Whoever asked has the table and the run's file: they help to no other values, people, keys or formats."""
        people = desk.hall.people(signed=True)
        asked = desk.ask(people, signed=True)
        desk.waiting.approve(asked, by="jo", at=NOW)
        others: list[dict[str, Any]] = [
            {"digest": "x"},
            {"subject": "x"},
            {"holder": people[1].holder},
            {"holder": None},
        ]
        for other in others:
            changed = [replace(people[0], **other), *people[1:]]
            assert code(partial(desk.bulk().sign, changed, 0, NOW)) == "bulk.not_as_approved"
            assert code(partial(desk.bulk().offer, changed, 0, NOW)) == "bulk.not_as_approved"
        assert code(lambda: desk.bulk(format="vc+jwt").sign(people, 0, NOW)) == "bulk.not_as_approved"
        assert desk.states() == [State.OFFERED] * 5
        assert len(desk.bulk().sign(people, 0, NOW)) == 5


class TestApproving:
    def test_by_another_clerk(self, desk: Desk) -> None:
        asked = desk.ask(desk.hall.people())
        assert code(lambda: desk.waiting.approve(asked, by="clerk-1", at=NOW)) == "register.same_clerk"
        # The rows say it too, whatever is written beside them.
        assert code(lambda: desk.waiting.approve(replace(asked, by="x"), by="clerk-1", at=NOW)) == "register.same_clerk"
        assert desk.states() == [State.PENDING] * 5
        assert desk.waiting.approve(asked, by="jo", at=NOW) == 5

    def test_once_and_only_what_waits(self, desk: Desk) -> None:
        asked = desk.ask(desk.hall.people())
        assert code(lambda: desk.waiting.find("B-77", NOW)) == "approve.nothing_waits"
        desk.waiting.approve(asked, by="jo", at=NOW)
        assert code(lambda: desk.waiting.find(asked.number, NOW)) == "approve.nothing_waits"
        assert code(lambda: desk.waiting.approve(asked, by="jo", at=NOW)) == "approve.nothing_waits"

    def test_for_seven_days(self, desk: Desk) -> None:
        asked = desk.ask(desk.hall.people())
        late = NOW + APPROVAL_AGE
        assert desk.waiting.find(asked.number, late - timedelta(seconds=2)) == asked
        assert code(lambda: desk.waiting.find(asked.number, late)) == "approve.nothing_waits"

    def test_stopped_in_between_it_goes_on(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        people = desk.hall.people()
        asked = desk.ask(people[:2], people[2:])
        rows = Waiting._rows

        def stop(self: Waiting, asked: Asked, part: int, at: Any) -> Any:
            if part:
                raise Unavailable("store.full", path="x")
            return rows(self, asked, part, at)

        with monkeypatch.context() as patched:
            patched.setattr(Waiting, "_rows", stop)
            assert code(lambda: desk.waiting.approve(asked, by="jo", at=NOW)) == "store.full"
        assert desk.states() == [State.OFFERED] * 2 + [State.PENDING] * 3
        assert desk.waiting.find(asked.number, NOW) == asked
        assert code(lambda: desk.bulk().offer(people[2:], 1, NOW)) == "bulk.not_approved"
        assert desk.waiting.approve(asked, by="kim", at=NOW) == 5
        assert [row.approved_by for row in desk.register.rows()] == ["jo"] * 2 + ["kim"] * 3

    def test_a_part_that_is_asked_for_again_waits_once(self, desk: Desk) -> None:
        people = desk.hall.people()
        first, again = desk.ask_part(people, 0), desk.ask_part(people, 0)
        assert [row.number for _, row in first] == [row.number for _, row in again]
        assert len(desk.states()) == 5

    def test_nothing_of_it_is_readable_without_the_secret(self, desk: Desk, tmp_path: Path) -> None:
        desk.ask(desk.hall.people())
        with desk.sessions.sql.read() as link:
            kept = link.execute("SELECT sealed FROM sessions").fetchall()
        assert len(kept) == 2
        assert not any(b"1990" in bytes(sealed) or b"birthdate" in bytes(sealed) for (sealed,) in kept)
