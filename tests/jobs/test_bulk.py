"""Many cards at once: a chunk is done once, however often it is done and wherever it was stopped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cityid import accepting, bulk
from cityid.bulk import Bulk, Person, code_of, differs, holder_of, read_code, show_code
from cityid.cards import CardRequest
from cityid.credential_type.reader import Reader, Taken
from cityid.edge.city_secret import CitySecret
from cityid.edge.database import SqliteRegister, SqliteSessions, StoredRegister
from cityid.edge.software_keys import MemoryKeyring
from cityid.errors import Malformed, Problem, Refused, Unavailable
from cityid.formats import FORMATS
from cityid.keys import Algorithm, PublicKey, jwk
from cityid.register import State
from tests.jobs.offices import FACTS, NOW, TYPES, Office
from tests.memory import MemoryWallet

UNTIL = NOW + timedelta(days=28)
BIRTHDAYS = ("1990-12-10", "1980-01-02", "2010-02-28", "1955-12-31", "1999-09-09")


class Hall:
    """A city hall whose memory is in files."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self.office = Office()
        self.register = opened.enter_context(SqliteRegister(folder / "r.db", status_base="https://x.example/s"))
        self.sessions = opened.enter_context(SqliteSessions(folder / "s.db"))
        self.secret = CitySecret(folder / "register.key")
        self.issuer = replace(
            self.office.issuer, register=self.register, sessions=self.sessions, publishes_status=True, types=TYPES
        )
        self.keyring = MemoryKeyring()

    def people(self, *, signed: bool = False, days: Iterable[str] = BIRTHDAYS) -> list[Person]:
        reader = Reader(TYPES["age"], ("birthdate",), at=NOW, timezone=self.issuer.timezone, city=FACTS)
        made = []
        for line, day in enumerate(days, 2):
            taken = reader.row([day])
            assert isinstance(taken, Taken)
            digest = self.secret.digest_of(taken.typed)
            holder = self.keyring.create(Algorithm.ES256) if signed else None
            made.append(Person(line, self.secret.row(day), taken.prepared, taken.typed, digest, holder=holder))
        return made

    def bulk(self, **more: Any) -> Bulk:
        given: dict[str, Any] = {"name": "run-1", "seed": bytes(32), **more}
        return Bulk(self.issuer, self.sessions, "age", by="clerk-1", until=UNTIL, **given)


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    with ExitStack() as opened:
        yield Hall(tmp_path, opened)


def rows(register: StoredRegister) -> int:
    return sum(1 for _ in register.rows())


class TestOffers:
    def test_offers_are_taken_as_any_other(self, hall: Hall) -> None:
        made = hall.bulk().offer(hall.people(), 0, NOW)
        assert [row.state for row in hall.register.rows()] == [State.OFFERED] * 5
        person, number, offer = made[0]
        wallet = MemoryWallet()
        later = NOW + timedelta(days=20)
        cards = hall.issuer.answer(accepting.begin(offer, wallet, later), at=later)
        card = FORMATS["dc+sd-jwt"].read(cards.credentials[0])
        # The card lives a day, and the letter lay for twenty: it is made when it is taken.
        assert card.window.start is not None
        assert person.prepared.end < card.window.start <= later
        row = hall.register.find(number)
        assert (row.state, row.window) == (State.ISSUED, card.window)

    def test_an_age_is_that_of_the_day_on_which_it_is_taken(self, hall: Hall) -> None:
        (born,) = hall.people(days=[f"{NOW.year - 18}-{(NOW + timedelta(days=5)):%m-%d}"])
        ((_, _, offer),) = hall.bulk().offer([born], 0, NOW)
        assert born.prepared.claims["age_over_18"] is False
        later = NOW + timedelta(days=6)
        cards = hall.issuer.answer(accepting.begin(offer, MemoryWallet(), later), at=later)
        read = FORMATS["dc+sd-jwt"].read(cards.credentials[0])
        assert read.claims["age_over_18"] is True

    def test_what_has_ended_while_the_letter_lay_is_not_signed(self, hall: Hall) -> None:
        typed = {
            "permit_type": "street-party", "permit_number": "E-1", "organiser": "Ada Lovelace",
            "event": {"name": "Sommerfest", "place": "Maximilianstra\u00dfe"}, "valid_from": f"{NOW:%Y-%m-%d}",
            "valid_until": f"{NOW + timedelta(days=5):%Y-%m-%d}",
        }  # fmt: skip
        prepared, text = hall.issuer.prepare("event-permit", typed, at=NOW), json.dumps(typed).encode()
        event = Person(2, hall.secret.row("E-1"), prepared, text, hall.secret.digest_of(text))
        bulk = Bulk(hall.issuer, hall.sessions, "event-permit", by="clerk-1", until=UNTIL, name="run-1", seed=bytes(32))
        ((_, _, offer),) = bulk.offer([event], 0, NOW)
        request = accepting.begin(offer, MemoryWallet(), NOW)
        over = NOW + timedelta(days=7)
        with pytest.raises(Refused) as refused:
            hall.issuer.answer(request, at=over)
        assert refused.value.code == "offer.outdated"
        in_time = NOW + timedelta(days=4)
        assert hall.issuer.answer(accepting.begin(offer, MemoryWallet(), in_time), at=in_time).credentials

    def test_done_again_it_is_the_same(self, hall: Hall) -> None:
        people = hall.people()
        first = hall.bulk().offer(people, 0, NOW)
        assert hall.bulk().offer(people, 0, NOW) == first
        assert rows(hall.register) == 5

    def test_codes_come_from_the_seed_and_the_row(self, hall: Hall) -> None:
        people = hall.people()
        codes = {offer.code for _, _, offer in hall.bulk().offer(people, 0, NOW)}
        assert len(codes) == 5
        assert code_of(bytes(32), people[0].key) in codes
        assert code_of(b"\x01" * 32, people[0].key) not in codes

    def test_another_run_issues_nothing_twice(self, hall: Hall) -> None:
        hall.bulk().offer(hall.people(), 0, NOW)
        assert hall.bulk(name="run-2").offer(hall.people(), 0, NOW) == []
        more = hall.bulk(name="run-2").offer(hall.people(days=[*BIRTHDAYS, "1960-06-06"]), 0, NOW)
        assert [person.line for person, _, _ in more] == [7]
        assert rows(hall.register) == 6

    def test_a_chunk_with_nothing_new_leaves_no_trace(self, hall: Hall) -> None:
        hall.bulk().offer(hall.people(), 0, NOW)
        events = len(list(hall.register.events()))
        hall.bulk(name="run-2").offer(hall.people(), 0, NOW)
        assert len(list(hall.register.events())) == events

    def test_stopped_between_register_and_codes(self, hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*args: object, **more: object) -> None:
            raise Unavailable("store.full", path="s.db")

        people = hall.people()
        with monkeypatch.context() as patched:
            patched.setattr(hall.sessions, "put_many", full)
            with pytest.raises(Unavailable):
                hall.bulk().offer(people, 0, NOW)
        assert rows(hall.register) == 5
        made = hall.bulk().offer(hall.people(), 0, NOW)
        assert len(made) == 5
        assert rows(hall.register) == 5
        hall.issuer.answer(accepting.begin(made[0][2], MemoryWallet(), NOW), at=NOW)

    def test_what_was_taken_meanwhile_is_not_offered_again(self, hall: Hall) -> None:
        people = hall.people()
        made = hall.bulk().offer(people, 0, NOW)
        request = accepting.begin(made[0][2], MemoryWallet(), NOW)
        hall.issuer.answer(request, at=NOW)
        assert [one[0].line for one in hall.bulk().offer(people, 0, NOW)] == [3, 4, 5, 6]
        with pytest.raises(Refused) as no:
            hall.issuer.answer(CardRequest.read(request.write()), at=NOW)
        assert no.value.code == "offer.spent"

    def test_two_runs_at_once(self, hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another run records the same rows between our look and our writing."""
        people = hall.people()
        hall.bulk(name="run-0").offer(people[:1], 0, NOW)
        known = type(hall.register).known
        calls = []

        def looked(register: StoredRegister, keys: Iterable[str]) -> object:
            calls.append(1)
            if len(calls) == 1:
                found = known(register, keys)
                hall.bulk(name="run-2").offer(people[1:2], 0, NOW)
                return found
            return known(register, keys)

        monkeypatch.setattr(type(hall.register), "known", looked)
        assert [one[0].line for one in hall.bulk().offer(people, 0, NOW)] == [4, 5, 6]
        assert rows(hall.register) == 5

    def test_a_run_that_never_gets_through(self, hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
        hall.bulk().offer(hall.people(), 0, NOW)
        monkeypatch.setattr(type(hall.register), "known", lambda register, keys: {})
        with pytest.raises(Refused) as no:
            hall.bulk(name="run-2").offer(hall.people(), 0, NOW)
        assert no.value.code == "bulk.contended"

    def test_an_offer_comes_again_from_its_code(self, hall: Hall) -> None:
        ((_, _, offer),) = hall.bulk().offer(hall.people(days=["1990-12-10"]), 0, NOW)
        assert hall.issuer.again(read_code(show_code(offer.code).lower()), NOW) == offer
        hall.issuer.answer(accepting.begin(offer, MemoryWallet(), NOW), at=NOW)
        for code, reason in ((offer.code, "offer.spent"), (code_of(b"x", "y"), "offer.unknown")):
            with pytest.raises(Refused) as no:
                hall.issuer.again(code, NOW)
            assert no.value.code == reason

    def test_a_type_for_two_clerks_is_not_offered_by_one(self, hall: Hall) -> None:
        hall.issuer = replace(hall.issuer, four_eyes=frozenset({"age"}))
        with pytest.raises(Refused) as no:
            hall.bulk().offer(hall.people(), 0, NOW)
        assert no.value.code == "issue.needs_approval"
        assert rows(hall.register) == 0


class TestSigned:
    def test_a_card_for_each_key(self, hall: Hall) -> None:
        people = hall.people(signed=True)
        made = hall.bulk().sign(people, 0, NOW)
        for person, one in zip(people, made, strict=True):
            assert FORMATS["dc+sd-jwt"].read(one.raw).holder == person.holder
            row = hall.register.find(one.number)
            assert person.holder is not None
            assert (row.state, row.holders) == (State.ISSUED, (person.holder.thumbprint,))

    def test_with_a_status_each_has_an_index_of_its_own_which_it_keeps(self, hall: Hall) -> None:
        kind = replace(TYPES["age"], status="required")
        hall.issuer = replace(hall.issuer, types={"age": kind})
        people = hall.people(signed=True)

        def indices() -> list[int]:
            made = hall.bulk().sign(people, 0, NOW)
            return [FORMATS["dc+sd-jwt"].read(one.raw).status[0].index for one in made]

        first = indices()
        assert len(set(first)) == 5
        assert indices() == first
        assert rows(hall.register) == 5

    def test_a_stopped_signer(self, hall: Hall) -> None:
        """What was recorded and not signed is signed when the run goes on."""
        people = hall.people(signed=True)
        signer = hall.issuer.signer
        hall.issuer = replace(hall.issuer, signer=Stubborn(signer.public_key))
        with pytest.raises(Unavailable):
            hall.bulk().sign(people, 0, NOW)
        hall.issuer = replace(hall.issuer, signer=signer)
        assert len(hall.bulk().sign(people, 0, NOW)) == 5
        assert rows(hall.register) == 5


class Stubborn:
    def __init__(self, key: PublicKey) -> None:
        self.public_key = key

    def sign(self, message: bytes) -> bytes:
        raise Unavailable("keys.unavailable", keyring="token")


class TestHolders:
    def test_a_key_as_text_or_object(self, hall: Hall) -> None:
        key = hall.keyring.create(Algorithm.ES256)
        assert holder_of(jwk.write(key), hall.issuer) == key
        assert holder_of(json.dumps(jwk.write(key)), hall.issuer) == key

    def test_what_is_no_key_is_told(self, hall: Hall) -> None:
        key = hall.keyring.create(Algorithm.ES256)
        odd = jwk.write(hall.keyring.create(Algorithm.ES256K))
        for value, code in (
            ("", "json.syntax"), ([], "json.not_an_object"), ({**jwk.write(key), "d": "AA"}, "key.private"),
            (odd, "table.holder_algorithm"), (jwk.write(hall.issuer.signer.public_key), "table.holder_is_issuer"),
        ):  # fmt: skip
            found = holder_of(value, hall.issuer)
            assert isinstance(found, Problem)
            assert found.code == code


class TestCodes:
    CODE = code_of(bytes(32), "row")

    @pytest.mark.parametrize("typed", [CODE, CODE.lower(), show_code(CODE), f" {show_code(CODE)} ".replace("-", " ")])
    def test_however_it_is_typed(self, typed: str) -> None:
        assert read_code(typed) == self.CODE

    def test_letters_that_look_like_digits(self) -> None:
        codes = (code_of(bytes(32), str(number)) for number in range(1000))
        code = next(code for code in codes if "0" in code and "1" in code)
        assert read_code(code.replace("0", "O").replace("1", "l")) == code

    def test_each_wrong_letter_is_noticed(self) -> None:
        for place, letter in enumerate(self.CODE):
            wrong = self.CODE[:place] + ("A" if letter != "A" else "B") + self.CODE[place + 1 :]
            with pytest.raises(Malformed) as no:
                read_code(wrong)
            assert no.value.code == "offer.code"
        for wrong in ("", self.CODE[:-1], self.CODE + "A", self.CODE[1:], "U" * 30, "U" * 26 + bulk._check("U" * 26)):
            with pytest.raises(Malformed):
                read_code(wrong)


class TestDifference:
    def test_new_same_and_changed(self, hall: Hall) -> None:
        people = hall.people()
        hall.bulk().offer(people[:2], 0, NOW)
        changed = replace(people[1], digest="another")
        found = differs([people[0], changed, *people[2:]], hall.issuer)
        assert found == {"new": people[2:], "same": [people[0]], "changed": [changed]}
