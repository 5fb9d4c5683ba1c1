"""New cards in the tables, many in a few statements, and what the action that made each of them remembers of its rows:
known from what was written, so that nothing is read again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from cityid.edge.register_actions import Actions
from cityid.edge.register_marks import Known
from cityid.edge.register_rows import marks, pages, read_rows, seconds
from cityid.edge.sealed import seal
from cityid.edge.sql import Link
from cityid.encoding import base64url, json
from cityid.errors import Fact, Misuse, Refused
from cityid.register import Entry, Issued, State, check_text

__all__ = ["Entropy", "Free", "Settings", "key_of", "place_of", "record"]

Entropy: TypeAlias = Callable[[int], bytes]
Free: TypeAlias = dict[tuple[int, int], None]
"""Entries (list, index) that a batch has drawn and not written yet."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a register was opened with."""

    status_base: str
    bits: int
    size: int
    claims_key: bytes | None
    entropy: Entropy


def key_of(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def place_of(number: str) -> bytes:
    """What sealed claims are bound to."""
    return b"claims " + number.encode("ascii")


@dataclass(frozen=True, slots=True)
class _Made:
    """A card on its way: `values` are its row in `cards`, `refs` its entries as (list, index, position); `fresh` says
    that all of these were drawn in this batch and that nobody has looked at them."""

    card: int
    number: str
    entry: Entry
    values: tuple[Any, ...]
    refs: list[tuple[int, int, int]]
    fresh: bool


def record(
    link: Link, settings: Settings, actions: Actions, at: datetime, entries: Sequence[Entry], last: int, first: int,
    free: Free,
) -> tuple[Issued, ...]:  # fmt: skip
    """Cards from id `first` on, whose numbers go on from `last`.

    Raises:
        As `cityid.register.Batch.record`.
    """
    lists = _lists(link, actions, entries)
    year = f"{at.astimezone(UTC).year:04d}"
    made = []
    for count, entry in enumerate(entries):
        number = f"R-{year}-{last + count + 1:06d}"
        refs = [(lists.get(r.uri, 0), r.index, place) for place, copy in enumerate(entry.copies) for r in copy.status]
        values = (
            first + count, number, entry.type, entry.format, seconds(entry.window.start), seconds(entry.window.end),
            entry.state.value, seconds(entry.deadline), "", actions.batch, actions.clerk, actions.now,
            key_of(entry.key) if entry.key else None, entry.subject, entry.digest, entry.department, "", "",
            _sealed(settings, number, entry.claims),
        )  # fmt: skip
        fresh = all((one, index) in free for one, index, _ in refs)
        made.append(_Made(first + count, number, entry, values, refs, fresh))
    link.add("cards", _COLUMNS, [_given(one.values) for one in made])
    link.add(
        "copies", ("card", "position", "holder"),
        [(one.card, place, copy.holder) for one in made for place, copy in enumerate(one.entry.copies)],
    )  # fmt: skip
    _bind(link, made, free)
    link.add("moved", ("batch", "card"), [(actions.batch, one.card) for one in made])
    for one in made:
        facts: dict[str, Fact] = {
            "copies": len(one.entry.copies), "format": one.entry.format, "number": one.number,
            "state": one.entry.state.value, "type": one.entry.type,
        }  # fmt: skip
        kind = "issue" if one.entry.state is State.ISSUED else "offer"
        actions.add(kind, facts, "cards", one.card, _known(one, actions.batch) if one.fresh else None)
    if any(len(copy.status) > 1 for one in made for copy in one.entry.copies):
        # As they will be read: the entries of a copy come in the order of their lists.
        return tuple(row for page in pages(one.card for one in made) for row in read_rows(link, page))
    return tuple(_issued(one, actions, at) for one in made)


_COLUMNS: Final = (
    "id", "number", "type", "format", "starts", "ends", "state", "deadline", "batch", "clerk", "at", "row_key",
    "subject", "digest", "department", "claims",
)  # fmt: skip


_BYTES: Final = (12, 18)
"""Where bytes are in a row of `cards`: its key, and sealed claims."""


def _given(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row of `cards` without the columns that are empty at first."""
    return (*values[:8], *values[9:16], values[18])


def check(link: Link, entries: Sequence[Entry]) -> None:
    """Texts that can be kept, and keys of rows that nobody has used.

    Raises:
        Refused: `register.row_key_used`. Misuse: `register.row_key_twice`. Malformed: `text.*`.
    """
    for name in ("subject", "department"):
        for text in dict.fromkeys(getattr(entry, name) for entry in entries):
            check_text(name, text)
    keys = [key_of(entry.key) for entry in entries if entry.key]
    for page in pages(keys):
        found = link.execute(
            f"SELECT number FROM cards WHERE row_key IN ({marks(page)}) ORDER BY id",  # noqa: S608  # our own words, values are bound
            page,
        ).fetchone()
        if found is not None:
            raise Refused("register.row_key_used", number=found[0])
    if len(set(keys)) != len(keys):
        raise Misuse("register.row_key_twice")


def _lists(link: Link, actions: Actions, entries: Sequence[Entry]) -> dict[str, int]:
    uris = {ref.uri for entry in entries for copy in entry.copies for ref in copy.status}
    if not uris:
        return {}
    lists = dict(link.execute("SELECT uri, id FROM lists").fetchall())
    # Entries that were nobody's are somebody's now.
    actions.lists |= dict.fromkeys(lists[uri] for uri in sorted(uris & lists.keys()))
    return lists


def _sealed(settings: Settings, number: str, claims: bytes) -> bytes | None:
    if not claims:
        return None
    if settings.claims_key is None:
        raise Misuse("register.keeps_no_claims")
    return seal(settings.claims_key, claims, place_of(number), settings.entropy)


def _bind(link: Link, made: Sequence[_Made], free: Free) -> None:
    """Entries become those of copies: drawn ones are written now, others were nobody's until now."""
    drawn, others = [], []
    for one in made:
        for list_id, index, place in one.refs:
            if (list_id, index) in free:
                del free[list_id, index]
                drawn.append((list_id, index, one.card, place))
            else:
                others.append((one.card, place, list_id, index))
    link.add("entries", ("list", "idx", "card", "position"), drawn)
    bind = "UPDATE entries SET card = ?, position = ? WHERE list = ? AND idx = ? AND card IS NULL AND value = 0"
    if link.many(bind, others) == len(others):
        return
    for card, place, list_id, index in others:
        found = link.execute(
            "SELECT card, position FROM entries WHERE list = ? AND idx = ?", (list_id, index)
        ).fetchone()
        if found is None or tuple(found) != (card, place):
            copies = next(one.entry.copies for one in made if one.card == card)
            uri = next(ref.uri for ref in copies[place].status if ref.index == index)
            raise Misuse("register.not_allotted", uri=uri, index=index)


def _known(one: _Made, batch: int) -> Known:
    """The rows about a card that was just made, as `register_marks.rows_about` reads them."""
    values = list(one.values)
    for at in _BYTES:
        if values[at] is not None:
            values[at] = base64url.encode(values[at])
    card, copies = one.card, one.entry.copies
    rows = [json.write(["cards", *values])]
    for place, copy in enumerate(copies):
        rows.append(json.write(["copies", card, place, copy.holder]) if copy.holder else
                    b'["copies",%d,%d,""]' % (card, place))  # fmt: skip
    rows += [b'["entries",%d,%d,0,%d,%d]' % (list_id, index, card, place) for list_id, index, place in sorted(one.refs)]
    rows.append(b'["moved",%d,%d]' % (batch, card))
    return Known("c" + "p" * len(copies) + "e" * len(one.refs) + "m", rows)


def _issued(one: _Made, actions: Actions, at: datetime) -> Issued:
    entry = one.entry
    return Issued(
        one.number, entry.type, entry.format, entry.window, entry.copies, entry.state, entry.deadline,
        f"B-{actions.batch}", actions.clerk, at, "", (0,) * len(one.refs), entry.subject, entry.digest,
        entry.department,
    )  # fmt: skip
