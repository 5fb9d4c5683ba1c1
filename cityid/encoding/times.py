"""Times from outside: XSD dateTimeStamp and full-date as RFC 3339 writes them, NumericDate as JWT does. UTC inside."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from cityid.errors import Malformed, Misuse

_STAMP: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_USUAL: Final = re.compile(
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:[0-2][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"
)
"""Stamps as nearly everybody writes them: those the interpreter reads itself."""
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_LAST_SECOND: Final = 253402300799  # 9999-12-31T23:59:59Z
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def read_stamp(text: str, where: str = "") -> datetime:
    """A dateTimeStamp with its zone, in UTC. A leap second (`:60`) is refused: no clock here can name it.

    Raises:
        Malformed: `time.not_a_stamp`.
    """
    if _USUAL.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:  # a day that the month does not have
            raise Malformed("time.not_a_stamp", where=where, spec="XSD 1.1 §3.4.28", found=text) from None
    found = _STAMP.fullmatch(text)
    if found is None:
        raise Malformed("time.not_a_stamp", where=where, spec="XSD 1.1 §3.4.28", found=text)
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        local = datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second),
            int((fraction or "0")[:6].ljust(6, "0")),
            tzinfo=UTC,
        )
        if zone == "Z":
            return local
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        if minutes > 59 or hours * 60 + minutes > 14 * 60:
            raise ValueError(zone)
        offset = timedelta(hours=hours, minutes=minutes)
        return local - offset if zone[0] == "+" else local + offset
    except (ValueError, OverflowError):
        raise Malformed("time.not_a_stamp", where=where, spec="XSD 1.1 §3.4.28", found=text) from None


def read_date(text: str, where: str = "") -> date:
    """A full-date `YYYY-MM-DD` that exists in the calendar.

    Raises:
        Malformed: `time.not_a_date`.
    """
    found = _DATE.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        raise Malformed("time.not_a_date", where=where, spec="RFC 3339 §5.6", found=text) from None


def read_numeric(value: Any, where: str = "") -> datetime:
    """A NumericDate: an integer of seconds from 1970 to the year 9999. Fractions are refused: no issuer of ours writes
    them and two parsers round them differently.

    Raises:
        Malformed: `time.not_numeric`.
    """
    if type(value) is not int or not 0 <= value <= _LAST_SECOND:
        shown = str(value) if isinstance(value, str | float | bool) or value is None else type(value).__name__
        if type(value) is int:
            shown = str(value) if abs(value) < 10**20 else "a very large number"
        raise Malformed("time.not_numeric", where=where, spec="RFC 7519 §2", found=shown)
    return _moment(value)


@lru_cache(maxsize=256)
def _moment(seconds: int) -> datetime:
    """Remembered, because the dates of cards are coarse: those of one day's issuing have the same."""
    return _EPOCH + timedelta(seconds=seconds)


def numeric(at: datetime) -> int:
    """`at` as a NumericDate, fractions of a second dropped."""
    return int((at - _EPOCH).total_seconds() // 1)


def check_aware(at: datetime) -> None:
    """What our own caller gives as a time says which it is.

    Raises:
        Misuse: `time.naive`.
    """
    if at.tzinfo is None:
        raise Misuse("time.naive")


def stamp(at: datetime) -> str:
    """`at` as a dateTimeStamp in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at.year >= 1000 else at.astimezone(UTC).isoformat()
