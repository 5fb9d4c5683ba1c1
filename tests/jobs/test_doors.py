"""What our own caller hands in wrongly is told at the door, before anything is taken, reserved or written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from cityid import accepting
from cityid.errors import Misuse
from cityid.presenting import Consent, present
from cityid.verifying import verify, verify_answer
from tests.city import NOW, Town
from tests.jobs.offices import ADA, Office, changed, no_network
from tests.memory import MemoryWallet

NAIVE = NOW.replace(tzinfo=None)


@pytest.fixture
def town() -> Town:
    town = Town()
    town.takes()
    return town


def misuse(call: Callable[[], Any]) -> Misuse:
    with pytest.raises(Misuse) as caught:
        call()
    return caught.value


class TestWhatIsJudged:
    @pytest.mark.parametrize("kind", [bytearray, memoryview, lambda raw: raw.decode("ascii")])
    def test_bytes_and_nothing_else(self, town: Town, kind: Callable[[bytes], Any]) -> None:
        desk = town.desk()
        asked = desk.ask()
        raw = town.shows_one(asked).encode("ascii")

        def judged(shown: Any) -> Any:
            return verify(shown, "dc+sd-jwt", asked.challenge, asked.policy, NOW).run(no_network)

        error = misuse(lambda: judged(kind(raw)))
        assert error.code == "verify.not_bytes"
        assert error.problem.facts == {"found": type(kind(raw)).__name__}
        assert judged(raw)


class TestTimes:
    def test_verify(self, town: Town) -> None:
        desk = town.desk()
        asked = desk.ask()
        raw = town.shows_one(asked).encode("ascii")

        def judged(at: datetime) -> Any:
            return verify(raw, "dc+sd-jwt", asked.challenge, asked.policy, at).run(no_network)

        assert misuse(lambda: judged(NAIVE)).code == "time.naive"
        assert judged(NOW)

    def test_verify_answer_takes_no_session(self, town: Town) -> None:
        desk = town.desk()
        asked = desk.ask()
        shown = town.shows(asked)

        def judged(at: datetime) -> Any:
            return verify_answer(shown, asked, at, sessions=desk.sessions).run(no_network)

        assert misuse(lambda: judged(NAIVE)).code == "time.naive"
        assert judged(NOW)

    def test_present_reserves_no_copy(self, town: Town) -> None:
        asked = town.desk().ask()
        found = town.options(asked)
        left = found.best[0].card.copies_left

        def shown(at: datetime) -> Any:
            return present(Consent(found.best, NOW), asked.challenge, town.pocket, at)

        assert misuse(lambda: shown(NAIVE)).code == "time.naive"
        assert town.options(asked).best[0].card.copies_left == left
        shown(NOW)
        assert town.options(asked).best[0].card.copies_left == left - 1

    def test_issuing_and_accepting(self) -> None:
        office, wallet = Office(), MemoryWallet()

        def offered(at: datetime) -> Any:
            return office.issuer.offer("residency", ADA, by="clerk", at=at)

        assert misuse(lambda: offered(NAIVE)).code == "time.naive"
        assert not office.register.issued
        offer = offered(NOW)
        assert misuse(lambda: accepting.begin(offer, wallet, NAIVE)).code == "time.naive"
        assert not wallet.offers
        request = accepting.begin(offer, wallet, NOW)
        assert misuse(lambda: office.issuer.answer(request, at=NAIVE)).code == "time.naive"
        cards = office.issuer.answer(request, at=NOW)
        assert misuse(lambda: office.accept(cards, wallet, NAIVE)).code == "time.naive"
        assert office.accept(cards, wallet, NOW).copies_left

    def test_approving(self) -> None:
        office = Office()
        changed(office, four_eyes=frozenset({"residency"}), waiting=lambda number: f"waiting for approval {number}")

        def asked(at: datetime) -> Any:
            return office.issuer.request("residency", ADA, by="clerk", at=at)

        assert misuse(lambda: asked(NAIVE)).code == "time.naive"
        assert not office.register.issued
        number = asked(NOW).number
        assert misuse(lambda: office.issuer.approve(number, by="another", at=NAIVE)).code == "time.naive"
        assert office.issuer.approve(number, by="another", at=NOW).code
