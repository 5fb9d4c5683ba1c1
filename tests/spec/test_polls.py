"""One resident, one voice (decisions 250 to 254): each refusal beside a twin that is one step away and good."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cityid import contexts, credential_type, polls
from cityid.credential_type.derived import month
from cityid.edge.resources import schemas
from cityid.errors import CityIdError
from cityid.polls import ballots
from cityid.polls import poll as files
from cityid.polls.voice import MANDATORY
from cityid.proofs import bbs2023, members
from cityid.proofs.bbs2023 import Feature
from cityid.proofs.bbs2023_values import Derived, read_derived
from tests.polls import (
    CHILD,
    CLAIMS,
    KIND,
    NOW,
    YOUNG,
    ballot,
    card,
    city,
    enrolment,
    issuer,
    poll,
    secret,
    usual,
    voice,
)

DECEMBER = datetime(2026, 12, 10, tzinfo=UTC)


def code(act: Callable[..., Any], *args: Any, **named: Any) -> str:
    try:
        act(*args, **named)
    except CityIdError as error:
        return error.code
    return ""


def changed(data: bytes, **more: Any) -> bytes:
    return json.dumps({**json.loads(data), **more}).encode()


def judged(data: bytes, **more: Any) -> str:
    return code(polls.check, poll(), data, at=more.get("at", NOW))


@cache
def votes() -> tuple[polls.Vote, ...]:
    return tuple(
        polls.check(poll(), ballot(who, choice), at=NOW) for who, choice in ((0, "yes"), (1, "no"), (2, "yes"))
    )


@cache
def published() -> bytes:
    return polls.publish(poll(), votes())


class TestDays:
    @pytest.mark.parametrize(
        ("day", "last", "next_"),
        [
            ("2026-01-01", "2026-01-01", "2026-04-01"),
            ("2026-03-31", "2026-01-01", "2026-04-01"),
            ("2026-11-23", "2026-10-01", "2027-01-01"),
            ("2026-12-31", "2026-10-01", "2027-01-01"),
        ],
    )
    def test_roll_days(self, day: str, last: str, next_: str) -> None:
        at = datetime.fromisoformat(f"{day}T23:59:59+00:00")
        assert (polls.roll_day(at).isoformat(), polls.next_roll_day(at).isoformat()) == (last, next_)


class TestEnrolling:
    def test_the_same_secret_is_the_same_voice(self) -> None:
        kept = enrolment(0)
        assert polls.enrol(kept, kept.commitment, at=DECEMBER) == kept
        assert polls.enrol(kept, kept.commitment, at=DECEMBER, lost=True) == kept
        assert kept.since == date(2026, 10, 1)

    def test_a_new_phone_gives_no_second_voice(self) -> None:
        kept, other = enrolment(0), secret(1)[0]
        assert code(polls.enrol, kept, other, at=NOW) == "polls.other_secret"
        renewed = polls.enrol(kept, other, at=NOW, lost=True)
        assert renewed.since == date(2027, 1, 1)
        assert renewed.nym_entropy != kept.nym_entropy

    def test_the_new_secret_is_heard_when_the_old_one_has_ended(self) -> None:
        """There is no moment and no poll in which both are heard."""
        renewed = polls.enrol(enrolment(0), secret(1)[0], at=NOW, lost=True)
        late = datetime.combine(renewed.since, datetime.min.time(), UTC)
        assert month(NOW)[1] <= late
        assert code(voice, 0) == ""
        fresh = voice(0, since=renewed.since)
        assert code(polls.cast, poll(), fresh, "yes", at=NOW) == "polls.too_new"
        next_poll = poll(roll_day=renewed.since, opens=late, closes=late + timedelta(days=9))
        assert code(polls.cast, next_poll, voice(0, since=renewed.since, at=late), "yes", at=late) == ""
        assert code(polls.cast, next_poll, usual(0), "yes", at=late) == "polls.ended"

    def test_a_commitment_to_one_secret(self) -> None:
        good = secret(0)[0]
        assert code(polls.enrol, None, good, at=NOW) == ""
        two, _ = bbs2023.commit(Feature.HOLDER_BINDING_PSEUDONYM, secret=b"more", nym=secret(0)[1].nym)
        assert code(polls.enrol, None, two, at=NOW) == "polls.commitment"

    def test_a_forged_commitment_is_neither_kept_nor_signed(self) -> None:
        did, method = issuer()
        good = enrolment(0)
        bad = replace(good, commitment=good.commitment[:-1] + bytes([good.commitment[-1] ^ 1]))
        prepared = polls.prepare(KIND, CLAIMS, good.since, at=NOW, timezone=UTC)
        for kept, expected in ((good, ""), (bad, "bbs.commitment")):
            assert code(polls.enrol, None, kept.commitment, at=NOW) == expected
            assert code(polls.enrol, enrolment(1), kept.commitment, at=NOW, lost=True) == expected
            assert code(polls.issue, prepared, kept, city(), issuer=did, method=method) == expected

    def test_who_may_have_been_forgotten(self) -> None:
        """A register that was restored does not know who came after its backup."""
        assert polls.enrol(None, secret(0)[0], at=NOW, forgotten=True).since == date(2027, 1, 1)
        assert polls.enrol(enrolment(0), secret(0)[0], at=NOW, forgotten=True).since == date(2026, 10, 1)


class TestIssuing:
    def test_a_voice_has_nothing_of_its_own(self) -> None:
        document = card()
        assert "id" not in document
        assert "credentialStatus" not in document
        assert document["credentialSubject"] == {
            "municipality_code": "0344", "district_code": "07", "age_over_16": True, "age_over_18": True,
            "voice_since": "2026-10-01",
        }  # fmt: skip
        assert (document["validFrom"], document["validUntil"]) == ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")

    @pytest.mark.parametrize(
        ("more", "expected"),
        [
            ({"district_code": "x" * 30}, ""),
            ({"district_code": ""}, "claim.not_allowed"),
            ({"district_code": "x" * 31}, "claim.not_allowed"),
            ({"district_code": "ü"}, "claim.not_allowed"),
            ({"birthdate": "31.02.1985"}, "claim.not_a_date"),
            ({"age_over_18": True}, "claim.derived"),
            ({"voice_since": "2026-10-01"}, "claim.derived"),
            ({"name": "Ada"}, "claim.unknown"),
        ],
    )
    def test_claims_are_read_by_the_type(self, more: dict[str, Any], expected: str) -> None:
        assert code(card, **more) == expected

    def test_ages_are_those_of_the_city_s_day(self) -> None:
        """It is 00:30 of the 16th birthday in Lindau, and the day before in UTC."""
        at = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
        claims = {**CLAIMS, "birthdate": "2010-11-23"}
        ages = [
            polls.prepare(KIND, claims, date(2026, 10, 1), at=at, timezone=zone).claims["age_over_16"]
            for zone in (UTC, ZoneInfo("Europe/Berlin"))
        ]
        assert ages == [False, True]

    def test_a_type_by_which_voices_would_differ(self) -> None:
        """The shipped type says what `polls` takes for a voice; one of a city's own may have other labels, no more."""
        given = json.loads((schemas() / "types" / "voice.json").read_text("utf-8"))

        def of(**more: Any) -> str:
            kind = credential_type.read(json.dumps({**given, **more}).encode())
            return code(polls.prepare, kind, CLAIMS, date(2026, 10, 1), at=NOW, timezone=UTC)

        assert of() == of(title={"en": "Say"}) == ""
        names = {"type": ["VerifiableCredential", "VoiceCredential"], "iri": "urn:lindau:voice:1"}
        assert of(names={"ldp_vc": names}) == "polls.other_type"
        turned = dict(reversed(given["claims"].items()))
        assert of(claims=turned) == "polls.other_type"
        plain = dict(given["claims"]["voice_since"])
        del plain["derived"]
        assert of(claims={**given["claims"], "voice_since": plain}) == "polls.other_type"

    def test_what_the_resident_checks(self) -> None:
        made, holder, key = card(), secret(0)[1], city().public_key
        assert code(polls.accept, made, holder, key) == ""
        assert code(polls.accept, made, holder, city(1).public_key) == "bbs2023.public_key"
        assert code(polls.accept, made, secret(1)[1], key) == "bbs.signature"
        assert code(polls.accept, {**made, "id": "urn:x"}, holder, key) == "polls.marked"
        created = {**made["proof"], "created": "2026-11-23T12:00:00Z"}
        assert code(polls.accept, {**made, "proof": created}, holder, key) == "polls.marked"

    @pytest.mark.parametrize("marked", ["pointers", "labels"])
    def test_marks_in_the_proof(self, marked: str) -> None:
        """What city hall could do to know a voice again, and the resident's wallet refuses."""
        made, kept = card(), enrolment(0)
        document = {name: value for name, value in made.items() if name != "proof"}
        options = {name: value for name, value in made["proof"].items() if name != "proofValue"}
        mandatory = [*MANDATORY, "/credentialSubject/district_code"] if marked == "pointers" else list(MANDATORY)

        def again() -> dict[str, Any]:
            proof = bbs2023.create_base(
                document, options, city(), mandatory=mandatory, load=contexts.load, feature=Feature.PSEUDONYM,
                commitment=kept.commitment, nym_entropy=kept.nym_entropy, alike=False,
            )  # fmt: skip
            return {**document, "proof": proof}

        seen = {code(polls.accept, again(), secret(0)[1], city().public_key) for _ in range(12)}
        assert seen == ({"polls.marked"} if marked == "pointers" else {"", "polls.marked"})


class TestPolls:
    def test_a_file(self) -> None:
        for made in (poll(), poll(district="07", age=0)):
            assert files.read(made.write()) == made
            assert made.domain == f"urn:cityid:poll:{made.id}"
        assert poll().id != poll(question="Another tree?").id

    @pytest.mark.parametrize(
        ("more", "expected"),
        [
            ({"options": ("yes",)}, "polls.options"),
            ({"options": ("yes", "yes")}, "polls.options"),
            ({"options": ("yes", "")}, "polls.options"),
            ({"options": tuple(map(str, range(101)))}, "polls.options"),
            ({"options": tuple(map(str, range(100)))}, ""),
            ({"question": "a\nb"}, "polls.options"),
            ({"age": 17}, "polls.age"),
            ({"age": 18}, ""),
            ({"closes": datetime(2026, 11, 1, tzinfo=UTC)}, "polls.period"),
            ({"closes": datetime(2026, 11, 1, 0, 0, 1, tzinfo=UTC)}, ""),
            ({"roll_day": date(2026, 10, 2)}, "polls.roll_day"),
            ({"roll_day": date(2027, 1, 1)}, "polls.roll_day"),
            ({"roll_day": date(2026, 7, 1)}, ""),
            ({"opens": datetime(2026, 10, 1, tzinfo=UTC)}, ""),
            ({"keys": {}}, "polls.keys"),
            ({"issuer": "did:web:other.example"}, "polls.keys"),
        ],
    )
    def test_what_a_poll_may_say(self, more: dict[str, Any], expected: str) -> None:
        assert code(poll, **more) == expected

    def test_what_a_file_may_say(self) -> None:
        assert code(files.read, changed(poll().write(), secret=1)) == "json.unknown_member"


class TestVoting:
    def test_one_voice(self) -> None:
        again = polls.cast(poll(), usual(), "no", at=NOW)
        assert again != ballot()
        assert polls.check(poll(), again, at=NOW).pseudonym == votes()[0].pseudonym
        assert len({vote.pseudonym for vote in votes()}) == 3

    def test_the_next_month_has_the_same_voice(self) -> None:
        again = polls.cast(poll(), voice(0, at=DECEMBER), "no", at=DECEMBER)
        assert polls.check(poll(), again, at=DECEMBER).pseudonym == votes()[0].pseudonym

    def test_another_poll_has_another_pseudonym(self) -> None:
        other = poll(question="Another tree?")
        assert polls.check(other, polls.cast(other, usual(), "yes", at=NOW), at=NOW).pseudonym != votes()[0].pseudonym

    def test_for_another_poll(self) -> None:
        other = poll(question="Another tree?")
        assert code(polls.check, other, ballot(), at=NOW) == "polls.other_poll"
        assert code(polls.check, other, changed(ballot(), poll=other.id), at=NOW) == "bbs2023.presentation_header"

    def test_another_choice(self) -> None:
        assert judged(ballot()) == ""
        assert judged(changed(ballot(), choice="no")) == "bbs2023.presentation_header"
        assert judged(changed(ballot(), choice="maybe")) == "polls.no_such_choice"
        assert code(polls.cast, poll(), usual(), "maybe", at=NOW) == "polls.no_such_choice"

    @pytest.mark.parametrize(
        ("more", "terms", "expected"),
        [
            ({"municipality_code": "0363"}, {}, "polls.not_eligible"),
            (CHILD, {}, "polls.not_eligible"),
            (CHILD, {"age": 0}, ""),
            (YOUNG, {}, ""),
            (YOUNG, {"age": 18}, "polls.not_eligible"),
            ({"district_code": "08"}, {}, ""),
            ({"district_code": "08"}, {"district": "07"}, "polls.not_eligible"),
            ({"since": date(2027, 1, 1)}, {}, "polls.too_new"),
            ({"at": datetime(2026, 10, 31, tzinfo=UTC)}, {}, "polls.ended"),
            ({"at": DECEMBER}, {}, "polls.ended"),
            ({"by": 1}, {}, "polls.other_issuer"),
        ],
    )
    def test_who_may_vote(self, more: dict[str, Any], terms: dict[str, Any], expected: str) -> None:
        assert code(polls.cast, poll(**terms), voice(**more), "yes", at=NOW) == expected

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("municipality_code", "0363", "polls.not_eligible"),
            ("age_over_16", 1, "polls.not_eligible"),
            ("voice_since", "2027-01-01", "polls.too_new"),
            ("voice_since", "2026-07-01", "bbs.proof"),
            ("voice_since", "2026-10-01", ""),
        ],
    )
    def test_claims_that_were_changed(self, name: str, value: Any, expected: str) -> None:
        given = json.loads(ballot())
        given["voice"]["credentialSubject"][name] = value
        assert judged(json.dumps(given).encode()) == expected

    def test_the_platform_judges_by_itself(self) -> None:
        """A wallet that does not refuse its owner changes nothing."""
        given = json.loads(ballot())
        given["voice"]["issuer"] = "did:web:other.example"
        assert judged(json.dumps(given).encode()) == "polls.other_issuer"
        given = json.loads(ballot())
        given["voice"]["proof"]["verificationMethod"] += "x"
        assert judged(json.dumps(given).encode()) == "polls.unknown_key"

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (("id",), "urn:uuid:1"),
            (("credentialSubject", "age_over_18"), True),
            (("validUntil",), "2026-12-02T00:00:00Z"),
            (("type",), ["VerifiableCredential"]),
            (("proof", "created"), "2026-11-23T12:00:00Z"),
        ],
    )
    def test_nothing_tells_voters_apart(self, path: tuple[str, ...], value: Any) -> None:
        given = json.loads(ballot())
        inside = given["voice"]
        for name in path[:-1]:
            inside = inside[name]
        inside[path[-1]] = value
        assert judged(json.dumps(given).encode()) == "polls.marked"

    @pytest.mark.parametrize(
        ("at", "expected"),
        [
            (datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC), "polls.closed"),
            (datetime(2026, 11, 1, tzinfo=UTC), ""),
            (datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), ""),
            (datetime(2026, 12, 1, tzinfo=UTC), "polls.ended"),
            (datetime(2026, 12, 15, tzinfo=UTC), "polls.closed"),
        ],
    )
    def test_when(self, at: datetime, expected: str) -> None:
        assert judged(ballot(), at=at) == expected
        assert code(polls.cast, poll(), usual(), "yes", at=at) == expected

    def test_forged_by_another_city(self) -> None:
        """A key that the poll does not name signs under the name of one that it does."""
        did, method = issuer()
        prepared = polls.prepare(KIND, CLAIMS, date(2026, 10, 1), at=NOW, timezone=UTC)
        forged = polls.issue(prepared, enrolment(0), city(1), issuer=did, method=method)
        made = polls.accept(forged, secret(0)[1], city(1).public_key)
        assert judged(polls.cast(poll(), made, "yes", at=NOW)) == "bbs.proof"

    def test_another_pseudonym(self) -> None:
        given, theirs = json.loads(ballot()), json.loads(ballot(1))

        def parts(of: dict[str, Any]) -> Derived:
            return read_derived(members.read(of["voice"]["proof"]), Feature.PSEUDONYM)

        swapped = replace(parts(given), pseudonym=parts(theirs).pseudonym)
        given["voice"]["proof"]["proofValue"] = swapped.write(Feature.PSEUDONYM)
        assert judged(json.dumps(given).encode()) == "bbs.proof"
        given["voice"]["proof"]["proofValue"] = parts(json.loads(ballot())).write(Feature.PSEUDONYM)
        assert judged(json.dumps(given).encode()) == ""


class TestCountingAgain:
    def test_counts(self) -> None:
        assert polls.recount(published()) == {"yes": 2, "no": 1}
        assert polls.recount(published(), mine=ballot(1, "no")) == {"yes": 2, "no": 1}

    def test_the_order_says_nothing(self) -> None:
        assert polls.publish(poll(), reversed(votes())) == published()

    def test_dropped(self) -> None:
        given = json.loads(published())
        given["ballots"].pop()
        assert code(polls.recount, json.dumps(given).encode()) == "polls.counts_differ"
        without = polls.publish(poll(), [vote for vote in votes() if vote.choice == "yes"])
        assert code(polls.recount, without) == ""
        assert code(polls.recount, without, mine=ballot(1, "no")) == "polls.missing"
        assert code(polls.recount, without, mine=ballot(0)) == ""

    def test_added(self) -> None:
        given = json.loads(published())
        assert code(polls.recount, json.dumps(given).encode()) == ""
        given["ballots"].append(given["ballots"][-1])
        assert code(polls.recount, json.dumps(given).encode()) == "polls.second_vote"
        twice = polls.publish(
            poll(), [votes()[0], polls.check(poll(), polls.cast(poll(), usual(), "no", at=NOW), at=NOW)]
        )
        assert code(polls.recount, twice) == "polls.second_vote"

    def test_named_or_placed_otherwise(self) -> None:
        given = json.loads(published())
        given["ballots"].reverse()
        assert code(polls.recount, json.dumps(given).encode()) == "polls.order"
        given = json.loads(published())
        given["ballots"][0]["pseudonym"] = "0" * 96
        assert code(polls.recount, json.dumps(given).encode()) == "polls.pseudonym"

    def test_a_voice_of_another_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A list cannot hold votes with voices that had ended before the poll, or began after it."""
        short = poll(opens=datetime(2026, 12, 1, tzinfo=UTC))
        good = polls.cast(short, voice(0, at=DECEMBER), "yes", at=DECEMBER)
        monkeypatch.setattr(ballots, "_check_current", lambda *_: None)  # wallet and platform look away
        early = polls.cast(short, usual(), "yes", at=DECEMBER)
        late = polls.cast(short, voice(0, at=datetime(2027, 1, 1, tzinfo=UTC)), "yes", at=DECEMBER)
        outcomes = [
            code(polls.recount, polls.publish(short, [polls.check(short, each, at=DECEMBER)]))
            for each in (good, early, late)
        ]
        assert outcomes == ["", "polls.ended", "polls.ended"]


class TestFiles:
    def test_a_commitment(self) -> None:
        commitment, holder = secret(0)
        assert polls.read_commitment(polls.write_commitment(commitment)) == commitment
        assert polls.read_secret(polls.write_secret(commitment, holder)) == (commitment, holder)
        assert code(polls.read_commitment, b'{"commitment":"AA","more":1}') == "json.unknown_member"

    def test_the_key_of_a_voice(self) -> None:
        assert polls.key_of(poll(), card()) == city().public_key
        assert code(polls.key_of, poll(), card(by=1)) == "polls.unknown_key"


class TestNobodyCanLink:
    """Must-show 2: what k showings of one voice share, they share with everybody's."""

    @staticmethod
    def traits(data: bytes) -> dict[str, Any]:
        given = json.loads(data)
        found = read_derived(members.read(given["voice"]["proof"]), Feature.PSEUDONYM)
        shown = {name: value for name, value in given["voice"].items() if name != "proof"}
        return {
            "document": json.dumps(shown, sort_keys=True),
            "labels": dict(found.labels),
            "mandatory": found.mandatory,
            "selective": found.selective,
            "length": found.length,
            "proof length": len(found.proof),
            "options": {name: value for name, value in given["voice"]["proof"].items() if name != "proofValue"},
        }

    @staticmethod
    def pieces(data: bytes) -> set[bytes]:
        """The points and scalars of a proof, and its pseudonym."""
        found = read_derived(members.read(json.loads(data)["voice"]["proof"]), Feature.PSEUDONYM)
        points, scalars = found.proof[:144], found.proof[144:]
        cut = [points[at : at + 48] for at in range(0, 144, 48)]
        return {found.pseudonym, *cut, *(scalars[at : at + 32] for at in range(0, len(scalars), 32))}

    def test_showings_of_one_voice_and_of_many(self) -> None:
        asked = [poll(question=f"Question {number}?") for number in range(4)]
        mine = [polls.cast(each, usual(0), "yes", at=NOW) for each in asked]
        theirs = [polls.cast(each, voice(who), "yes", at=NOW) for who, each in enumerate(asked, 1)]
        traits = [self.traits(each) for each in (*mine, *theirs)]
        assert all(each == traits[0] for each in traits)
        pieces = [self.pieces(each) for each in mine]
        for number, first in enumerate(pieces):
            for second in pieces[number + 1 :]:
                assert not first & second
        twin = polls.cast(asked[0], usual(0), "yes", at=NOW)
        assert len(self.pieces(twin) & pieces[0]) == 1  # the measurement sees a pseudonym where there is one

    def test_not_even_the_city_that_kept_all(self) -> None:
        """What city hall has of a resident (commitment, its part of the secret, the base proof) is in no showing."""
        kept = enrolment(0)
        value = ballot()
        for known in (kept.commitment[:48], kept.nym_entropy):
            assert known not in b"".join(self.pieces(value))
