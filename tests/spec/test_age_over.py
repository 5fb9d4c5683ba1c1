"""age_over_NN (ISO/IEC 18013-5 §13.4.6 of the 2nd edition): true or false for the card's whole life, by local date."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityid.credential_type.derived import birthday
from tests.jobs.offices import NOW, TYPES

AGE = TYPES["age"]
BERLIN = timezone(timedelta(hours=1))  # in winter
HONOLULU = timezone(timedelta(hours=-10))


def ages(born: str, at: datetime, zone: tzinfo = UTC) -> dict[int, bool]:
    said = AGE.read({"birthdate": born}, at=at, timezone=zone)
    return {int(name.removeprefix("age_over_")): value for name, value in said.items()}


def end(born: str, at: datetime, zone: tzinfo = UTC) -> datetime:
    return AGE.prepare({"birthdate": born}, at=at, timezone=zone).end


class TestBirthdays:
    @pytest.mark.parametrize(("born", "years", "day"), [
        (date(2004, 2, 29), 18, date(2022, 3, 1)),   # a common year: 1 March
        (date(2004, 2, 29), 16, date(2020, 2, 29)),  # a leap year has the day itself
        (date(1900, 2, 28), 18, date(1918, 2, 28)),
        (date(2004, 3, 1), 18, date(2022, 3, 1)),
        (date(2000, 2, 29), 100, date(2100, 3, 1)),  # 2100 is none
        (date(2008, 12, 31), 18, date(2026, 12, 31)),
    ])  # fmt: skip
    def test_birthday(self, born: date, years: int, day: date) -> None:
        assert birthday(born, years) == day

    def test_a_leap_day_child_is_18_on_1_march(self) -> None:
        assert ages("2004-02-29", datetime(2022, 2, 28, 23, 59, 59, tzinfo=UTC))[18] is False
        assert ages("2004-02-29", datetime(2022, 3, 1, tzinfo=UTC))[18] is True

    def test_a_leap_day_child_is_16_on_29_february(self) -> None:
        assert ages("2004-02-29", datetime(2020, 2, 28, 23, 59, 59, tzinfo=UTC))[16] is False
        assert ages("2004-02-29", datetime(2020, 2, 29, tzinfo=UTC))[16] is True


class TestMidnight:
    def test_the_second_before_and_the_second_of_the_birthday(self) -> None:
        assert ages("2008-11-23", datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC))[18] is False
        assert ages("2008-11-23", datetime(2026, 11, 23, 0, 0, 0, tzinfo=UTC))[18] is True

    def test_the_issuers_local_date_counts(self) -> None:
        late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)  # in Berlin it is the 23rd
        assert ages("2008-11-23", late)[18] is False
        assert ages("2008-11-23", late, BERLIN)[18] is True
        early = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)  # in Honolulu it is still the 22nd
        assert ages("2008-11-23", early)[18] is True
        assert ages("2008-11-23", early, HONOLULU)[18] is False

    def test_a_fresh_true_is_true_from_the_cards_first_second(self) -> None:
        late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
        start = AGE.prepare({"birthdate": "2008-11-23"}, at=late, timezone=BERLIN).start
        assert start.astimezone(BERLIN).date() == date(2026, 11, 23)

    def test_zones_with_half_hours(self) -> None:
        kathmandu = timezone(timedelta(hours=5, minutes=45))
        at = datetime(2026, 11, 22, 18, 20, tzinfo=UTC)  # 00:05 on the 23rd
        prepared = AGE.prepare({"birthdate": "2008-11-23"}, at=at, timezone=kathmandu)
        assert prepared.claims["age_over_18"] is True
        assert prepared.start == datetime(2026, 11, 22, 18, 15, tzinfo=UTC)


class TestFalseEnds:
    """A TRUE never becomes false; a FALSE ends before the birthday that flips it (profile §6.3)."""

    def test_a_card_with_a_false_ends_at_the_birthdays_midnight(self) -> None:
        assert end("2008-11-23", NOW) == datetime(2026, 11, 23, tzinfo=UTC)
        assert end("2008-11-24", NOW) == datetime(2026, 11, 23, 9, tzinfo=UTC)  # its natural end

    def test_in_local_time(self) -> None:
        assert end("2008-11-23", NOW, BERLIN) == datetime(2026, 11, 22, 23, tzinfo=UTC)
        assert end("2008-11-23", NOW, HONOLULU) == datetime(2026, 11, 23, 9, tzinfo=UTC)

    @pytest.mark.parametrize("years", [12, 14, 16, 18, 21, 65])
    def test_whichever_age_flips_first(self, years: int) -> None:
        assert end(f"{2026 - years}-11-23", NOW) == datetime(2026, 11, 23, tzinfo=UTC)

    def test_an_age_that_is_not_on_the_card_ends_nothing(self) -> None:
        assert end("2006-11-23", NOW) == datetime(2026, 11, 23, 9, tzinfo=UTC)

    def test_the_residency_card_too(self) -> None:
        claims: dict[str, Any] = {
            "given_name": "A", "family_name": "B", "birthdate": "2008-11-23", "resident_since": "2020-01-01",
            "municipality": {"code": "1", "name": "X"},
        }  # fmt: skip
        assert TYPES["residency"].prepare(claims, at=NOW).end == datetime(2026, 11, 23, tzinfo=UTC)

    @pytest.mark.property
    @given(
        born=st.dates(date(1900, 1, 1), date(2026, 11, 20)),
        at=st.datetimes(datetime(2026, 11, 22), datetime(2029, 3, 3), timezones=st.just(UTC)),  # noqa: DTZ001  # hypothesis adds the zone
        minutes=st.integers(-12 * 60, 14 * 60),
    )
    def test_every_age_is_right_at_every_moment_of_the_card(self, born: date, at: datetime, minutes: int) -> None:
        zone = timezone(timedelta(minutes=minutes))
        prepared = AGE.prepare({"birthdate": born.isoformat()}, at=at, timezone=zone)
        assert prepared.start <= at < prepared.end
        for moment in (prepared.start, at, prepared.end - timedelta(seconds=1)):
            day = moment.astimezone(zone).date()
            # counted another way: by months and days, where 29 February sorts before 1 March by itself
            age = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
            for name, value in prepared.claims.items():
                assert value is (age >= int(name[-2:])), (name, moment)
