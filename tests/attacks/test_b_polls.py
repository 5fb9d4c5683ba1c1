"""Group B of the catalogue where it strikes polls: pseudonyms used again, proofs spliced; each beside its twin."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from cityid import contexts, polls
from cityid.edge.database import SqliteRegister
from cityid.edge.polls_store import Box
from cityid.errors import CityIdError
from cityid.polls.voice import MANDATORY
from cityid.proofs import bbs2023, members
from cityid.proofs.bbs2023 import Feature
from cityid.proofs.bbs2023_values import Derived, read_derived
from tests.jobs.test_enrolling import give
from tests.polls import NOW, ballot, card, city, enrolment, issuer, poll, secret, usual

DECEMBER = datetime(2026, 12, 10, tzinfo=UTC)
P = Feature.PSEUDONYM


def code(act: Callable[..., Any], *args: Any, **named: Any) -> str:
    try:
        act(*args, **named)
    except CityIdError as error:
        return error.code
    return ""


def judged(given: dict[str, Any], asked: polls.Poll | None = None) -> str:
    return code(polls.check, asked or poll(), json.dumps(given).encode(), at=NOW)


def parts(given: dict[str, Any]) -> Derived:
    return read_derived(members.read(given["voice"]["proof"]), P)


def with_parts(given: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The ballot with some parts of its proof exchanged; with none it is the same ballot."""
    proof = {**given["voice"]["proof"], "proofValue": replace(parts(given), **more).write(P)}
    return {**given, "voice": {**given["voice"], "proof": proof}}


def mine(resident: int = 0, choice: str = "yes") -> dict[str, Any]:
    return json.loads(ballot(resident, choice))  # type: ignore[no-any-return]


class TestPseudonymsUsedAgain:
    """What would be a second vote, in all ways in which a resident comes to one."""

    def test_b07_the_same_voice_votes_again(self) -> None:
        with Box() as box:
            for resident, choice, expected in ((0, "yes", ""), (0, "no", "polls.second_vote"), (1, "no", "")):
                vote = polls.check(poll(), ballot(resident, choice), at=NOW)
                assert code(box.put, poll(), vote) == expected

    @pytest.mark.parametrize("how", ["next month", "after a cut-off", "another resident"])
    def test_b07_a_voice_that_was_given_again(self, how: str) -> None:
        with SqliteRegister() as register, Box() as box:
            first = give(register)
            at = DECEMBER if how == "next month" else NOW
            person, resident = ("bob", 1) if how == "another resident" else ("ada", 0)
            again = give(register, person, resident, at=at)
            outcomes = []
            for given, who, moment in ((first, 0, NOW), (again, resident, at)):
                held = polls.accept(given.card, secret(who)[1], city().public_key)
                vote = polls.check(poll(), polls.cast(poll(), held, "yes", at=moment), at=moment)
                outcomes.append(code(box.put, poll(), vote))
            assert outcomes == ["", "" if how == "another resident" else "polls.second_vote"]

    def test_b07_another_s_pseudonym(self) -> None:
        """To take a vote away from somebody, or to hide behind them."""
        taken = parts(mine(1)).pseudonym
        assert judged(with_parts(mine())) == ""
        assert judged(with_parts(mine(), pseudonym=taken)) == "bbs.proof"
        assert judged(with_parts(mine(), pseudonym=b"\xc0" + bytes(47))) == "bbs.identity"

    def test_b07_the_pseudonym_of_another_poll(self) -> None:
        other = poll(question="Another tree?")
        before = json.loads(polls.cast(other, usual(), "yes", at=NOW))
        assert judged(before, other) == ""
        assert judged(with_parts(mine(), pseudonym=parts(before).pseudonym)) == "bbs.proof"
        assert judged(with_parts(mine(), nym_domain=other.domain)) == "bbs2023.nym_domain"

    def test_b08_a_voice_without_pseudonym(self) -> None:
        """An ordinary card with a voice's words, by the city's own key: it could vote as often as one likes."""
        document = {name: value for name, value in card().items() if name != "proof"}
        _, method = issuer()
        options = {
            "type": "DataIntegrityProof", "cryptosuite": "bbs-2023", "verificationMethod": method,
            "proofPurpose": "assertionMethod",
        }  # fmt: skip

        def shown(feature: Feature) -> str:
            more: dict[str, Any] = {"feature": feature, "load": contexts.load}
            kept = enrolment(0)
            named: dict[str, Any] = (
                {"commitment": kept.commitment, "nym_entropy": kept.nym_entropy} if feature is P else {}
            )
            base = bbs2023.create_base(document, options, city(), mandatory=MANDATORY, **named, **more)
            header = parts(mine()).presentation_header
            holder: dict[str, Any] = {"holder": secret(0)[1], "nym_domain": poll().domain} if feature is P else {}
            pointers = [f"/credentialSubject/{name}" for name in poll().claims]
            told, proof = bbs2023.derive(
                document, base, selective=pointers, presentation_header=header, **holder, **more
            )
            return judged({**mine(), "voice": {**told, "proof": proof}})

        assert shown(P) == ""
        assert shown(Feature.BASELINE) == "bbs2023.feature"


class TestSplicedProofs:
    def test_b05_the_voice_of_one_and_the_proof_of_another(self) -> None:
        """Two residents of one district say the same; what tells them apart is in the proof alone."""
        ada, bob = mine(), mine(1)
        assert {**ada["voice"], "proof": 0} == {**bob["voice"], "proof": 0}
        swapped = {**ada, "voice": {**ada["voice"], "proof": bob["voice"]["proof"]}}
        assert judged(swapped) == judged(bob) == ""
        assert polls.check(poll(), json.dumps(swapped).encode(), at=NOW).pseudonym == parts(bob).pseudonym.hex()
        for name in ("proof", "pseudonym"):
            assert judged(with_parts(ada, **{name: getattr(parts(bob), name)})) == "bbs.proof"

    def test_b05_the_month_of_another_voice(self) -> None:
        held = polls.accept(card(at=DECEMBER), secret(0)[1], city().public_key)
        given = mine()
        later = json.loads(polls.cast(poll(), held, "yes", at=DECEMBER))
        assert code(polls.check, poll(), json.dumps(later).encode(), at=DECEMBER) == ""
        spliced = {**later, "voice": {**later["voice"], "proof": given["voice"]["proof"]}}
        assert code(polls.check, poll(), json.dumps(spliced).encode(), at=DECEMBER) == "bbs.proof"

    def test_b05_an_older_voice_s_day(self) -> None:
        """A new secret shown with the roll day of the old one."""
        late = replace(enrolment(1), since=date(2027, 1, 1))
        prepared = card(1, since=late.since)
        held = polls.accept(prepared, secret(1)[1], city().public_key)
        assert code(polls.cast, poll(), held, "yes", at=NOW) == "polls.too_new"
        asked = poll(roll_day=date(2026, 10, 1))
        forced = bbs2023.derive(
            held.document, held.proof, selective=[f"/credentialSubject/{name}" for name in asked.claims],
            load=contexts.load, presentation_header=parts(mine()).presentation_header, feature=P, holder=held.holder,
            nym_domain=asked.domain,
        )  # fmt: skip
        given = {**mine(), "voice": {**forced[0], "proof": forced[1]}}
        assert judged(given) == "polls.too_new"
        given["voice"]["credentialSubject"]["voice_since"] = "2026-10-01"
        assert judged(given) == "bbs.proof"

    def test_b04_indexes(self) -> None:
        found = parts(mine())
        wrong = (found.selective[::-1], found.selective[:-1], (*found.selective[:-1], 99))
        outcomes = [judged(with_parts(mine(), selective=each)) for each in wrong]
        assert outcomes == ["bbs.index", "bbs.index_count", "bbs.index"]
        assert judged(with_parts(mine(), selective=found.selective)) == ""

    def test_b15_what_cannot_be_hidden(self) -> None:
        """The holder hides when the voice ends."""
        given = mine()
        del given["voice"]["validUntil"]
        assert judged(given) == "polls.marked"
        assert judged(mine()) == ""

    def test_b14_the_base_proof_as_a_ballot(self) -> None:
        """A wallet that showed all of it would show who it is."""
        whole = card()
        claims = {name: whole["credentialSubject"][name] for name in poll().claims}
        assert judged({**mine(), "voice": {**whole, "credentialSubject": claims}}) == "sd.base_proof"

    def test_b07_for_another_choice_or_nothing(self) -> None:
        header = parts(mine(0, "no")).presentation_header
        assert judged(with_parts(mine(), presentation_header=header)) == "bbs2023.presentation_header"
        assert judged({**with_parts(mine(), presentation_header=header), "choice": "no"}) == "bbs.proof"
        assert judged(with_parts(mine(), presentation_header=b"")) == "bbs2023.presentation_header"


class TestListsThatWereSpliced:
    def listed(self) -> dict[str, Any]:
        votes = [polls.check(poll(), ballot(who, "yes"), at=NOW) for who in (0, 1)]
        return json.loads(polls.publish(poll(), votes))  # type: ignore[no-any-return]

    def counted(self, given: dict[str, Any]) -> str:
        return code(polls.recount, json.dumps(given).encode())

    def test_b05_a_ballot_under_two_names(self) -> None:
        given = self.listed()
        assert self.counted(given) == ""
        first, second = given["ballots"]
        assert (
            self.counted({**given, "ballots": [first, {**first, "pseudonym": second["pseudonym"]}]})
            == "polls.pseudonym"
        )

    def test_b05_a_poll_in_place_of_another(self) -> None:
        """The same ballots, counted for a question that nobody asked."""
        given = self.listed()
        asked = {**given["poll"], "question": "No tree in any street?"}
        assert self.counted({**given, "poll": asked}) == "polls.other_poll"

    def test_b01_a_poll_with_a_key_of_the_platform(self) -> None:
        """Only keys of the city's may be in it; one that signs for nobody changes the poll, and so all pseudonyms."""
        given = self.listed()
        did, _ = issuer(1)
        keys = {**given["poll"]["keys"], f"{did}#x": next(iter(given["poll"]["keys"].values()))}
        assert self.counted({**given, "poll": {**given["poll"], "keys": keys}}) == "polls.keys"
