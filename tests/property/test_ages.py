"""Ages: the one comparison that tells them says what birthdays say."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cityid.credential_type.derived import birthday, latest_birth

pytestmark = pytest.mark.property
BORN = st.dates(date(1850, 1, 1), date(2100, 12, 31))


@given(BORN, st.dates(date(1970, 1, 1), date(2100, 12, 31)), st.integers(0, 99))
@example(date(2004, 2, 29), date(2022, 2, 28), 18)
@example(date(2004, 2, 29), date(2022, 3, 1), 18)
@example(date(2004, 2, 28), date(2024, 2, 29), 20)
@example(date(2003, 3, 1), date(2024, 2, 29), 21)
@example(date(2003, 2, 28), date(2024, 2, 29), 21)
@example(date(2004, 2, 29), date(2024, 2, 29), 20)
def test_the_latest_birth_tells_an_age(born: date, today: date, years: int) -> None:
    assert (born <= latest_birth(today, years)) is (birthday(born, years) <= today)


@given(BORN, st.integers(0, 99))
def test_the_day_itself(born: date, years: int) -> None:
    day = birthday(born, years)
    assert born <= latest_birth(day, years)
    assert born > latest_birth(date.fromordinal(day.toordinal() - 1), years)
