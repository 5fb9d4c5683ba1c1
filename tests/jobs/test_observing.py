"""What an observer has to compare (must-show 2): showings of one card share what all residents' showings share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from functools import cache

import pytest

from cityid import polls
from cityid.encoding import json as jsons
from cityid.errors import Malformed
from cityid.observing import Part, parts, shared
from tests.city import Town
from tests.jobs.offices import ADA, NOW, Office
from tests.jobs.test_unlinkable import CLUB, town
from tests.polls import NOW as POLLED
from tests.polls import ballot, poll, usual

BOB = {**ADA, "given_name": "Bob", "family_name": "Noyce", "birthdate": "1991-01-12"}


@cache
def showings() -> tuple[bytes, ...]:
    """Ada's and Bob's in turn, three each, to one service."""
    made = town()
    other = Town(made.office)
    made.office.accept(made.office.cards(made.office.offer(claims=BOB, format="ldp_vc"), other.pocket), other.pocket)
    desk = made.desk(CLUB)
    found = []
    for minute in range(3):
        at = NOW + timedelta(minutes=minute)
        found += [jsons.write({"vp_token": each.shows(desk.ask(at), at)}) for each in (made, other)]
    return tuple(found)


def between(groups: Mapping[tuple[int, ...], tuple[Part, ...]], count: int) -> list[tuple[int, ...]]:
    """The groups that tell some showings from others."""
    return [indices for indices in groups if 1 < len(indices) < count]


HEADER = "$.voice.proof.proofValue presentation header"


class TestUnlinkable:
    def test_k_showings_share_what_everybody_s_share(self) -> None:
        given = showings()
        groups = shared(given)
        everywhere = tuple(range(len(given)))
        # Ada's and Bob's showings of one minute are of one moment, which says nothing about who it was.
        moments = [indices for indices in between(groups, len(given)) if groups[indices][0].place.endswith(".created")]
        assert between(groups, len(given)) == moments
        assert all(first + 1 == second and first % 2 == 0 for first, second in moments)
        common = {part.place: part.value for part in groups[everywhere]}
        subject = "$.vp_token.card[].verifiableCredential[].credentialSubject"
        assert common[f"{subject}.address.locality"] == "Lindau"
        assert common[f"{subject}.age_over_18"] == "true"
        assert f"{subject}.given_name" not in common
        assert all(len(groups[index,]) > 10 for index in everywhere)

    def test_the_measurement_sees_a_linkable_card(self) -> None:
        """Two copies of an SD-JWT have what all such cards of the day have; one copy that is shown twice is known."""
        made = Town(Office())
        made.office.accept(made.office.cards(made.office.offer(), made.pocket), made.pocket)
        desk = made.desk()
        (first,), (second,) = (made.shows(desk.ask())["card"] for _ in range(2))
        copy = first.rsplit("~", 1)[0] + "~"
        groups = shared([first.encode(), second.encode(), copy.encode()])
        found = {part.place for part in groups[0, 2]}
        assert {"$~.cnf.jwk.x", "$~._sd[]"} <= found
        assert "$~.cnf.jwk.x" not in {part.place for part in groups.get((0, 1), ())}

    def test_a_claim_that_few_share(self) -> None:
        """The observer sees what is revealed: here that one of three lives in another town."""
        given = showings()[:3]
        moved = [given[0], given[1].replace(b'"Lindau"', b'"Bregenz"'), given[2]]
        assert [part.value for part in shared(moved)[0, 2]] == ["Lindau"]
        assert (0, 2) not in shared(given)


class TestPolls:
    def test_one_poll_knows_a_voice_again_and_two_polls_do_not(self) -> None:
        other = poll(question="Another tree?")
        mine, theirs = ballot(0), ballot(1)
        again = polls.cast(poll(), usual(0), "no", at=POLLED)
        elsewhere = polls.cast(other, usual(0), "yes", at=POLLED)
        (found,) = shared([mine, theirs, again])[0, 2]
        assert found.place == "$.voice.proof.proofValue pseudonym"
        assert found.value == polls.check(poll(), mine, at=POLLED).pseudonym
        groups = shared([mine, theirs, elsewhere])
        assert between(groups, 3) == [(0, 1)]
        assert {part.place for part in groups[0, 1]} == {"$.poll", "$.voice.proof.proofValue domain", HEADER}


class TestParts:
    def test_values_and_places(self) -> None:
        assert parts(b'{"a":[1,{"b":null}],"c":"x"}') == {
            ("$ members", "a c"), ("$.a length", "2"), ("$.a[]", "1"), ("$.a[] members", "b"), ("$.a[].b", "null"),
            ("$.c", "x"),
        }  # fmt: skip

    def test_short_values_are_compared_at_their_place_and_long_ones_anywhere(self) -> None:
        long = "a" * 16
        groups = shared([json.dumps({"a": each, "b": 1}).encode() for each in (long, "x")])
        assert [part.value for part in groups[0, 1]] == ["a b", "1"]
        one, two = ({"a": value} for value in (long, long[:-1]))
        assert (0, 1) in shared([json.dumps(one).encode(), json.dumps({"b": long}).encode()])
        assert (0, 1) not in shared([json.dumps(two).encode(), json.dumps({"b": long[:-1]}).encode()])

    def test_tokens_are_opened(self) -> None:
        token = b"eyJhIjoxfQ.eyJiIjoiYyJ9.c2ln~WyJzIiwiYSIsMV0~"
        found = parts(token)
        assert {("$~.a", "1"), ("$~.b", "c"), ("$", "c2ln"), ("$~ length", "3"), ("$~[]", "s")} <= found
        assert parts(json.dumps({"t": token.decode()}).encode()) >= {("$.t~.a", "1"), ("$.t", "c2ln")}

    def test_a_proof_that_is_none(self) -> None:
        """What cannot be read as a proof is compared as it stands."""
        given = jsons.read_object(ballot(0))
        proof = given["voice"]["proof"]
        broken = {**proof, "proofValue": proof["proofValue"][:-4]}
        other = {**proof, "cryptosuite": "eddsa-jcs-2022"}
        for wrong in (broken, other):
            found = parts(jsons.write({**given, "voice": {**given["voice"], "proof": wrong}}))
            assert ("$.voice.proof.proofValue", wrong["proofValue"]) in found
        assert "$.voice.proof.proofValue pseudonym" in {part.place for part in parts(ballot(0))}

    def test_what_cannot_be_read(self) -> None:
        with pytest.raises(Malformed):
            parts(b"{")
        assert parts(b"{}") == {("$ members", "")}
