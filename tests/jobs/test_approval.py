"""Four eyes: a card waits, sealed, until a second clerk says yes; nothing is signed and no code is out before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cityid.errors import CityIdError, Misuse, Refused, Unavailable
from cityid.issuing import APPROVAL_AGE
from cityid.register import State
from cityid.sessions import Kind
from tests.jobs.offices import ADA, NOW, Office, changed, read
from tests.memory import MemoryWallet


def waiting(number: str) -> str:
    return f"waiting for approval {number}"


@pytest.fixture
def office() -> Office:
    made = Office()
    changed(made, four_eyes=frozenset({"residency"}), waiting=waiting)
    return made


def asked(office: Office, **more: Any) -> str:
    return office.issuer.request("residency", ADA, by="maria", at=NOW, **more).number


def code(work: Any, kind: type[CityIdError] = Refused) -> str:
    with pytest.raises(kind) as error:
        work()
    return error.value.code


def test_no_offer_without_a_second_clerk(office: Office) -> None:
    assert code(lambda: office.offer("residency")) == "issue.needs_approval"
    assert not office.register.issued
    office.offer("age", {"birthdate": "1990-12-10"})


def test_r13_another_clerk_approves(office: Office) -> None:
    number = asked(office, subject="s", digest="d", department="registry")
    row = office.register.find(number)
    assert row.state is State.PENDING
    assert row.deadline is not None
    assert row.deadline - NOW <= APPROVAL_AGE
    assert [kind for kind, _ in office.sessions.kept] == [Kind.WAITING]
    assert office.issuer.waits(number, NOW).claims["given_name"] == "Ada"
    offer = office.issuer.approve(number, by="jo", at=NOW)
    row = office.register.find(number)
    assert (row.state, row.approved_by) == (State.OFFERED, "jo")
    wallet = MemoryWallet()
    cards = office.cards(offer, wallet)
    assert read(cards)[0].claims["given_name"] == "Ada"
    assert office.register.find(number).state is State.ISSUED


def test_approved_once(office: Office) -> None:
    number = asked(office)
    office.issuer.approve(number, by="jo", at=NOW)
    assert code(lambda: office.issuer.approve(number, by="jo", at=NOW)) == "approve.nothing_waits"
    assert code(lambda: office.issuer.waits(number, NOW)) == "approve.nothing_waits"
    assert code(lambda: office.issuer.waits("R-2026-000077", NOW)) == "approve.nothing_waits"


def test_it_does_not_wait_for_ever(office: Office) -> None:
    number = asked(office)
    late = NOW + APPROVAL_AGE
    assert code(lambda: office.issuer.approve(number, by="jo", at=late)) == "approve.nothing_waits"
    office.issuer.approve(number, by="jo", at=late - timedelta(seconds=2))


def test_what_goes_wrong_leaves_it_waiting(office: Office) -> None:
    number = asked(office)
    office.register.broken = True
    assert code(lambda: office.issuer.approve(number, by="jo", at=NOW), Unavailable) == "store.busy"
    office.register.broken = False
    office.issuer.approve(number, by="jo", at=NOW)


def test_a_store_that_is_full(office: Office) -> None:
    office.sessions.broken = True
    assert code(lambda: asked(office), Unavailable) == "store.full"
    assert [row.state for row in office.register.issued.values()] == [State.WITHDRAWN]
    office.sessions.broken = False
    number = asked(office)
    office.sessions.broken = True
    assert code(lambda: office.issuer.approve(number, by="jo", at=NOW), Unavailable) == "store.full"
    assert office.register.find(number).state is State.WITHDRAWN


def test_nowhere_to_wait(office: Office) -> None:
    office.issuer = replace(office.issuer, waiting=None)
    assert code(lambda: asked(office), Misuse) == "issue.nowhere_to_wait"
    assert code(lambda: office.issuer.waits("R-2026-000001", NOW), Misuse) == "issue.nowhere_to_wait"
    assert not office.register.issued


def test_who_answers_is_recorded(office: Office) -> None:
    from cityid import accepting

    number = asked(office)
    offer = office.issuer.approve(number, by="jo", at=NOW)
    office.issuer.answer(accepting.begin(offer, MemoryWallet(), NOW), at=NOW, by="kim")
    assert [event.by for event in office.register.log] == ["maria", "jo", "kim"]
