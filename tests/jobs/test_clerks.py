"""Who may do what at city hall: rights, types, departments, and the end of a clerk's time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cityid.clerks import Clerk, Right, check, check_name
from cityid.errors import Misuse, Refused

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
MARIA = Clerk("maria", frozenset({Right.ISSUE, Right.READ}), frozenset({"residency"}), "registry", AT, AT)
CHIEF = Clerk("chief", frozenset(Right))
BEFORE = AT - timedelta(seconds=1)


def refusal(clerk: Clerk, right: Right, at: datetime, **about: str) -> str:
    with pytest.raises(Refused) as error:
        check(clerk, right, at, **about)
    return error.value.code


def test_rights() -> None:
    for right in Right:
        check(CHIEF, right, AT)
        if right in MARIA.rights:
            check(MARIA, right, BEFORE)
        else:
            assert refusal(MARIA, right, BEFORE) == "clerk.may_not"


def test_types() -> None:
    check(MARIA, Right.ISSUE, BEFORE, type="residency")
    assert refusal(MARIA, Right.ISSUE, BEFORE, type="age") == "clerk.other_type"
    check(CHIEF, Right.ISSUE, AT, type="age")


def test_departments() -> None:
    check(MARIA, Right.READ, BEFORE, department="registry")
    for other in ("parking", ""):
        assert refusal(MARIA, Right.READ, BEFORE, department=other) == "clerk.other_department"
        check(CHIEF, Right.READ, AT, department=other)


def test_the_end() -> None:
    check(MARIA, Right.ISSUE, BEFORE)
    assert refusal(MARIA, Right.ISSUE, AT) == "clerk.ended"


@pytest.mark.parametrize("name", ["m", "maria", "Jürgen", "m.k", "a@lindau.example", "x" * 64])
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "1", "-m", " m", "m ", "a b", "a\nb", "x" * 65, "a;b", "_a"])
def test_other_names(name: str) -> None:
    with pytest.raises(Misuse) as error:
        check_name(name)
    assert error.value.code == "clerk.name"
