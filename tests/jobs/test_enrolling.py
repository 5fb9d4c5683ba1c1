"""Giving voices: the roll lives in the register, over both databases, and an end at any moment gives nobody two."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from cityid import polls
from cityid.edge.database import SqliteRegister, StoredRegister
from cityid.edge.register_actions import Actions
from cityid.edge.register_audit import audit
from cityid.encoding import json
from cityid.enrolling import Enrolled, Roll
from cityid.errors import CityIdError, Unavailable
from cityid.keys import BbsSigner
from cityid.register import Voice
from tests.polls import CLAIMS, KIND, NOW, city, issuer, poll, secret
from tests.registers import BASE

DECEMBER = NOW + timedelta(days=14)
NEXT = datetime(2027, 1, 4, tzinfo=UTC)


def roll(register: StoredRegister, mark: str = "mark", signer: BbsSigner | None = None) -> Roll:
    did, method = issuer()
    return Roll(register, mark, KIND, signer or city(), did, method)


def give(register: StoredRegister, person: str = "ada", resident: int = 0, **more: Any) -> Enrolled:
    return roll(register).enrol(person, secret(resident)[0], CLAIMS, **{"by": "maria", "at": NOW, **more})


def code(act: Any, *args: Any, **named: Any) -> str:
    try:
        act(*args, **named)
    except CityIdError as error:
        return error.code
    return ""


def pseudonym(given: Enrolled, resident: int = 0, at: datetime = NOW) -> str:
    voice = polls.accept(given.card, secret(resident)[1], city().public_key)
    return polls.check(poll(), polls.cast(poll(), voice, "yes", at=at), at=at).pseudonym


def hows(register: StoredRegister) -> list[Any]:
    return [event.facts["how"] for event in register.events() if event.kind == "voice"]


class TestTheRoll:
    def test_a_new_phone_gives_no_second_voice(self, register: StoredRegister) -> None:
        first = give(register)
        assert first.enrolment.since == date(2026, 10, 1)
        assert first.prepared.claims["voice_since"] == "2026-10-01"
        assert code(give, register, resident=1) == "polls.other_secret"
        assert give(register, "bob", 1).enrolment.since == date(2026, 10, 1)
        late = give(register, resident=2, lost=True)
        assert late.card["credentialSubject"]["voice_since"] == "2027-01-01"
        assert code(give, register) == "polls.other_secret"
        assert hows(register) == ["first", "first", "lost"]
        assert register.statistics()["voices"] == {"2026-10-01": 1, "2027-01-01": 1}

    def test_the_next_month_is_the_same_voice(self, register: StoredRegister) -> None:
        first, again = give(register), give(register, at=DECEMBER)
        assert again.enrolment == first.enrolment
        assert pseudonym(again, at=DECEMBER) == pseudonym(first)
        assert hows(register) == ["first", "again"]
        assert register.statistics()["voices"] == {"2026-10-01": 1}

    def test_the_log_says_nothing_of_anybody(self, register: StoredRegister) -> None:
        give(register)
        (event,) = [event for event in register.events() if event.kind == "voice"]
        assert set(event.facts) == {"how", "since", "of", "thing", "row", "marks", "batch", "batch_row"}
        assert (event.facts["of"], event.facts["thing"], event.by) == ("voices", "1", "maria")
        told = json.write(dict(event.facts))
        for known in (b"ada", b"0344", b"1990", secret(0)[0][:9]):
            assert known not in told

    def test_where_anything_is_wrong_nothing_is_kept(self, register: StoredRegister) -> None:
        good = secret(0)[0]
        bad = good[:-1] + bytes([good[-1] ^ 1])
        assert code(roll(register).enrol, "ada", bad, CLAIMS, by="maria", at=NOW) == "bbs.commitment"
        child = {**CLAIMS, "birthdate": "31.02.1985"}
        assert code(roll(register).enrol, "ada", good, child, by="maria", at=NOW) == "claim.not_a_date"
        naive = NOW.replace(tzinfo=None)
        assert code(roll(register).enrol, "ada", good, CLAIMS, by="maria", at=naive) == "time.naive"
        assert list(register.events()) == []
        assert code(roll(register).enrol, "ada", good, CLAIMS, by="maria", at=NOW) == ""

    def test_the_clerk_sees_what_it_will_say(self, register: StoredRegister) -> None:
        """Nothing is kept by looking, and what was seen is what is given."""
        seen = roll(register).prepare("ada", secret(0)[0], CLAIMS, at=NOW)
        assert list(register.events()) == []
        assert give(register).prepared == seen
        lost = roll(register).prepare("ada", secret(1)[0], CLAIMS, at=NOW, lost=True)
        assert lost.claims["voice_since"] == "2027-01-01"
        assert code(roll(register).prepare, "ada", secret(1)[0], CLAIMS, at=NOW) == "polls.other_secret"
        assert code(roll(register, "other").prepare, "ada", secret(0)[0], CLAIMS, at=NOW) == "register.other_secret"

    def test_under_another_secret_nobody_is_new(self, register: StoredRegister) -> None:
        """With a lost register.key everybody would have another pseudonym, and a second voice."""
        give(register)
        other = roll(register, "other")
        assert code(other.enrol, "bob", secret(1)[0], CLAIMS, by="maria", at=NOW) == "register.other_secret"
        assert code(give, register, "bob", 1) == ""

    def test_a_restored_register_may_have_forgotten(self, register: StoredRegister) -> None:
        """Who came after the backup is not known; their voice of before is good until its month ends."""
        give(register, "bob", 1)
        with register.batch("maria", "restored", NOW) as batch:
            assert not batch.restored_since(NOW)
            batch.restart()
            assert batch.restored_since(NOW)
            assert not batch.restored_since(NOW + timedelta(seconds=1))
        assert give(register).enrolment.since == date(2027, 1, 1)
        assert give(register, "bob", 1).enrolment.since == date(2026, 10, 1)
        assert give(register, "eve", 2, at=NEXT).enrolment.since == date(2027, 1, 1)

    def test_a_damaged_row(self, register: StoredRegister) -> None:
        give(register)
        with register.sql.write() as link:
            link.execute("UPDATE voices SET since = ?", ("soon",))
        assert code(give, register) == "store.damaged"
        with register.sql.write() as link:
            link.execute("UPDATE voices SET since = ?", ("2026-10-01",))
        assert code(give, register) == ""

    def test_salts_are_erased(self, register: StoredRegister) -> None:
        """The roll is remembered by a newer action, so that an audit still finds a row that was changed."""
        give(register)
        register.sequence()
        with register.batch("maria", "erase", DECEMBER) as batch:
            assert batch.erase_salts(NOW + timedelta(days=1)) == 1
        assert audit(register).content
        with register.sql.write() as link:
            link.execute("UPDATE voices SET commitment = ?", (secret(1)[0],))
        assert [problem.facts["table"] for problem in audit(register).findings] == ["voices"]


class Killed(BaseException):
    """The end of the program."""


class _Ends:
    """A signer after which nothing comes."""

    public_key = city().public_key

    def sign_with_nym(self, *_: Any) -> bytes:
        raise Killed


class TestAnEndAtAnyMoment:
    def test_before_it_is_kept(self, register: StoredRegister, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Actions, "write", lambda *_: (_ for _ in ()).throw(Killed()))
            with pytest.raises(Killed):
                give(register)
        assert hows(register) == []
        assert give(register, resident=1).enrolment.since == date(2026, 10, 1)

    def test_between_keeping_and_giving_out(self, register: StoredRegister) -> None:
        """Nothing was given out. Who comes again, with the same wallet, has one voice; with another wallet, none."""
        with pytest.raises(Killed):
            roll(register, signer=_Ends()).enrol("ada", secret(0)[0], CLAIMS, by="maria", at=NOW)  # type: ignore[arg-type]
        assert code(give, register, resident=1) == "polls.other_secret"
        first, second = give(register), give(register)
        assert hows(register) == ["first", "again", "again"]
        assert first.card != second.card
        assert pseudonym(first) == pseudonym(second)

    def test_a_busy_store_is_asked_again(self, register: StoredRegister, monkeypatch: pytest.MonkeyPatch) -> None:
        real, busy = register.batch, iter([True, False])

        def batch(*given: Any) -> Any:
            if next(busy):
                raise Unavailable("store.busy", path="here")
            return real(*given)

        monkeypatch.setattr(register, "batch", batch)
        assert give(register).enrolment.since == date(2026, 10, 1)


def test_two_clerks_at_once(tmp_path: Any) -> None:
    """Which of two wallets of one resident came first is decided by the database, once."""
    path = tmp_path / "r.db"
    with SqliteRegister(path, status_base=BASE) as one, SqliteRegister(path, status_base=BASE) as two:
        assert code(give, one) == ""
        assert code(give, two, resident=1) == "polls.other_secret"
        assert code(give, two) == ""


def test_a_voice_tells_its_reader_nothing() -> None:
    assert "entropy" not in repr(Voice("p", "s", b"c", b"private", date(2026, 10, 1)))
