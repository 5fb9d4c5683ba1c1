"""What is computed at issuing: ages, years, the city's own names, and the validity window that keeps them true.

An age is judged by the issuer's local date. A TRUE never becomes false; a FALSE must end before the birthday that
flips it (ISO/IEC 18013-5 §13.4.6). Somebody born on 29 February has their birthday on 1 March in common years, so no
card says an age too early.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final

from cityid.credential_type.model import CredentialType, Path
from cityid.encoding import times

SHORT: Final = timedelta(days=7)
"""Cards that live less than this begin at a full hour, others at a full day: a day's card must last the evening."""

read_date: Final = lru_cache(1 << 12)(times.read_date)
"""A birth date is asked for by each age that is computed from it."""


def birthday(born: date, years: int) -> date:
    """The day on which somebody born on `born` turns `years`."""
    year = born.year + years
    if (born.month, born.day) == (2, 29) and not calendar.isleap(year):
        return date(year, 3, 1)
    return born.replace(year=year)


@lru_cache(1 << 10)
def latest_birth(today: date, years: int) -> date:
    """The latest day on which somebody was born who has turned `years` by `today`: whoever was born later has a later
    birthday, or the same, so one comparison tells an age."""
    year = today.year - years
    if (today.month, today.day) == (2, 29) and not calendar.isleap(year):
        return date(year, 2, 28)
    return today.replace(year=year)


def get(claims: Mapping[str, Any], path: Path) -> Any:
    """The value at a path of member names; None where there is none (JSON null is refused elsewhere)."""
    value: Any = claims
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


@dataclass(frozen=True, slots=True)
class Rule:
    """A derived claim: `how` it is made (`age_over`, `year`, `city`, `enrolment`), from which claim, fact of the city
    or of the roll, and for how many years."""

    path: Path
    how: str
    source: Path
    years: int


def rules(type: CredentialType) -> tuple[Rule, ...]:
    """What the derived claims of a type say."""
    found = []
    for path, rule in type.claims.items():
        if rule.derived is not None:
            how, source, *rest = rule.derived.split(" ")
            place = (rule.derived,) if how == "enrolment" else (source,) if how == "city" else tuple(source.split("."))
            found.append(Rule(path, how, place, int(rest[0]) if rest else 0))
    return tuple(found)


def compute(rules: Iterable[Rule], claims: Mapping[str, Any], today: date, city: Mapping[str, str]) -> dict[Path, Any]:
    """The derived claims by path; one whose source is absent is left out (absent never means false)."""
    found: dict[Path, Any] = {}
    for rule in rules:
        value = city.get(str(rule.source[0])) if rule.how in ("city", "enrolment") else get(claims, rule.source)
        if value is None:
            continue
        if rule.how == "age_over":
            value = read_date(value) <= latest_birth(today, rule.years)
        elif rule.how == "year":
            value = read_date(value).year
        found[rule.path] = value
    return found


def window(
    type: CredentialType, typed: Mapping[str, Any], computed: Mapping[Path, Any], at: datetime, zone: tzinfo
) -> tuple[datetime, datetime]:
    """From when (inclusive) until when (exclusive) a card made at `at` holds. Both are coarse, in the issuer's local
    time, so they do not tell one card of a day (or hour) from another. Those of an unlinkable type are the month's in
    UTC, whoever it is for: a false that becomes true in it stays false until the next card."""
    if type.unlinkable:
        return month(at)
    start = _opening(at, zone, type.lifetime < SHORT)
    opens, closes = (get(typed, path) if path else None for path in type.window)
    if opens is not None:
        start = max(start, midnight(read_date(opens), zone))
    end = start + type.lifetime
    if closes is not None:
        end = min(end, midnight(read_date(closes) + timedelta(days=1), zone))
    for path, value in computed.items():
        if value is False and (rule := type.claims[path].derived):
            _, source, years = rule.split(" ")
            born = read_date(get(typed, tuple(source.split("."))))
            end = min(end, midnight(birthday(born, int(years)), zone))
    return start, end


def month(at: datetime) -> tuple[datetime, datetime]:
    """The month of `at` in UTC, from its first moment to that of the next."""
    at = at.astimezone(UTC)
    start = datetime(at.year, at.month, 1, tzinfo=UTC)
    return start, datetime(at.year + at.month // 12, at.month % 12 + 1, 1, tzinfo=UTC)


@lru_cache(1 << 5)
def _opening(at: datetime, zone: tzinfo, hourly: bool) -> datetime:
    """The full hour or day that has begun. Remembered, because a table is read at one time."""
    local = at.astimezone(zone)
    return local.replace(hour=local.hour if hourly else 0, minute=0, second=0, microsecond=0).astimezone(UTC)


@lru_cache(1 << 12)
def midnight(day: date, zone: tzinfo) -> datetime:
    """The instant at which a local day begins, in UTC."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
