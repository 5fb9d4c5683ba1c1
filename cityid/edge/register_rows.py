"""How rows of the register are read from its tables (`migrations/register`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, Final, TypeVar

from cityid.credential import StatusRef, Window
from cityid.edge.sql import Link
from cityid.encoding import json
from cityid.encoding.times import numeric
from cityid.errors import Refused, Unavailable
from cityid.register import NUMBER, Event, Filter, Issued, IssuedCopy, State, Voice, check_text

KIND: Final = "status_list"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
PAGE: Final = 200
"""Rows read at once; SQLite takes at most 999 values in a statement."""

T = TypeVar("T")


def time_of(value: int | None) -> datetime | None:
    return None if value is None else EPOCH + timedelta(seconds=value)


def seconds(at: datetime | None) -> int | None:
    return None if at is None else numeric(at)


def marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def pages(values: Iterable[T], length: int = PAGE) -> Iterator[list[T]]:
    rest = iter(values)
    while page := list(islice(rest, length)):
        yield page


def card_of(link: Link, number: str) -> int:
    """Raises Refused `register.unknown_number`."""
    found = None
    if NUMBER.fullmatch(number):
        found = link.execute("SELECT id FROM cards WHERE number = ?", (number,)).fetchone()
    if found is None:
        raise Refused("register.unknown_number", number=number)
    return int(found[0])


def read_rows(link: Link, cards: Sequence[int]) -> list[Issued]:
    """The rows of `cards` (at most PAGE), in the order of their making."""
    if not cards:
        return []
    some = marks(cards)
    status: dict[tuple[int, int], list[StatusRef]] = {}
    values: dict[int, list[int]] = {}
    for card, position, uri, index, value in link.execute(
        f"SELECT card, position, uri, idx, value FROM entries JOIN lists ON lists.id = list WHERE card IN ({some}) "  # noqa: S608  # our own words, values are bound
        "ORDER BY card, position, list, idx",
        cards,
    ):
        status.setdefault((card, position), []).append(StatusRef(KIND, uri, index))
        values.setdefault(card, []).append(value)
    copies: dict[int, list[IssuedCopy]] = {}
    for card, position, holder in link.execute(
        f"SELECT card, position, holder FROM copies WHERE card IN ({some}) ORDER BY card, position",  # noqa: S608  # our own words, values are bound
        cards,
    ):
        copies.setdefault(card, []).append(IssuedCopy(holder, tuple(status.get((card, position), ()))))
    found = link.execute(
        "SELECT id, number, type, format, starts, ends, state, deadline, batch, clerk, at, why, subject, digest, "  # noqa: S608  # our own words, values are bound
        f"department, device, approved_by FROM cards WHERE id IN ({some}) ORDER BY id",
        cards,
    )
    return [
        Issued(
            row[1], row[2], row[3], Window(time_of(row[4]), time_of(row[5])), tuple(copies.get(row[0], ())),
            State(row[6]), time_of(row[7]), f"B-{row[8]}", row[9], EPOCH + timedelta(seconds=row[10]), row[11],
            tuple(values.get(row[0], ())), *row[12:17],
        )
        for row in found
    ]  # fmt: skip


def conditions(where: Filter) -> tuple[list[str], list[Any]]:
    """A filter as SQL. Values are bound, and what `LIKE` gives a meaning is escaped."""
    plain = {
        "type": where.type, "state": where.state.value if where.state else None, "clerk": where.clerk,
        "department": where.department, "subject": where.subject, "device": where.device,
    }  # fmt: skip
    texts = [f"{name} = ?" for name, value in plain.items() if value is not None]
    values: list[Any] = [check_text(name, value) for name, value in plain.items() if value is not None]
    if where.types:
        texts.append(f"type IN ({marks(tuple(where.types))})")
        values += [check_text("type", one) for one in sorted(where.types)]
    if where.holder is not None:
        texts.append("id IN (SELECT card FROM copies WHERE holder = ? AND holder <> '')")
        values.append(check_text("holder", where.holder))
    if where.standing is not None:
        texts.append("id IN (SELECT card FROM entries WHERE value = ? AND value <> 0)" if where.standing else
                     "id NOT IN (SELECT card FROM entries WHERE value <> ? AND card IS NOT NULL)")  # fmt: skip
        values.append(where.standing)
    if where.text is not None:
        text = check_text("text", where.text).replace("!", "!!").replace("%", "!%").replace("_", "!_")
        texts.append("(number LIKE ? ESCAPE '!' OR id IN (SELECT card FROM copies WHERE holder LIKE ? ESCAPE '!'))")
        values += [f"%{text}%", f"{text}%" if text else "-"]
    for sign, at in ((">=", where.since), ("<", where.until)):
        if at is not None:
            texts.append(f"at {sign} ?")
            values.append(numeric(at))
    return texts, values


VOICE: Final = "person, secret, commitment, entropy, since"
RESTORED: Final = "restored"
"""The counter that says when the register was restored from a backup, in seconds since 1970."""


def voice_of(link: Link, person: str, secret: str) -> Voice | None:
    """`cityid.register.Roll.voice`. Raises Unavailable `register.other_secret`, `store.damaged`."""
    if link.execute("SELECT 1 FROM voices WHERE secret <> ? LIMIT 1", (secret,)).fetchone():
        raise Unavailable("register.other_secret")
    found = link.execute(f"SELECT {VOICE} FROM voices WHERE person = ?", (person,)).fetchone()  # noqa: S608  # our own words, values are bound
    if found is None:
        return None
    commitment, entropy, since = found[2:]
    try:
        return Voice(person, secret, bytes(commitment), bytes(entropy), date.fromisoformat(since))
    except (TypeError, ValueError):
        raise Unavailable("store.damaged", kind="register") from None


def restored_since(link: Link, at: datetime) -> bool:
    """`cityid.register.Roll.restored_since`."""
    found = link.execute("SELECT last FROM counters WHERE name = ?", (RESTORED,)).fetchone()
    return found is not None and found[0] >= numeric(at)


EVENT: Final = "id, kind, clerk, at, facts, salt, leaf, position"


def event_of(row: Sequence[Any]) -> Event:
    number, kind, by, at, facts, salt, leaf, position = row
    return Event(
        number, kind, by, EPOCH + timedelta(seconds=at), json.read_object(facts), bytes(salt or b""),
        bytes(leaf or b""), position,
    )  # fmt: skip
