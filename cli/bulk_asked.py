"""A table whose cards another clerk must approve: a run over it asks, waits, and goes on when they have said yes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import talk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cityid.bulk_approval import Asked, Waiting
    from cityid.clerks import Clerk
    from cityid.edge.database import StoredRegister

    from .bulk_work import Counts, Run
    from .home import Home

SHOWN = 3
"""Cards that are shown of all."""


def waiting(here: Home) -> Waiting:
    from cityid.bulk_approval import Waiting

    from . import registers

    return Waiting(registers.register_of(here), registers.sessions_of(here), registers.secret_of(here).waiting)


# -- whoever asks --


def ask(here: Home, run: Run, table: str, counts: Counts) -> str:
    """Ask for all that was recorded, and remember under which number."""
    from cityid.bulk_approval import Asked
    from cityid.edge import clock
    from cityid.encoding import times

    batches = counts["batches"]
    parts = tuple(sorted(batches))
    asked = Asked(
        batches[parts[0]], run.name, run.type, run.by, run.department, table, run.signed,
        times.read_numeric(run.until), counts["made"], parts,
    )  # fmt: skip
    waiting(here).keep(asked, clock.now())
    _keep(replace(run, asked=asked.number))
    return asked.number


def approved(here: Home, run: Run) -> Run:
    """The run, which goes on: cards are made as of the time at which it did.

    Raises:
        Refused: `bulk.not_approved`.
    """
    from cityid.edge import clock
    from cityid.encoding import times
    from cityid.errors import Refused

    if run.approved:
        return run
    at = clock.now()
    try:
        waiting(here).find(run.asked, at)
    except Refused:
        # Approved, or it has lapsed: each row says which.
        found = replace(run, approved=True, at=times.numeric(at))
        _keep(found)
        return found
    raise Refused("bulk.not_approved", number=run.asked)


def _keep(run: Run) -> None:
    from cityid.edge import files

    files.write(run.place / "run.json", run.write(), force=True, private=True)


# -- whoever approves --


def approve(
    here: Home, register: StoredRegister, clerk: Clerk, number: str, into: Path | None, *, yes: bool, json_: bool
) -> None:
    """Show what waits under the number of a batch, and approve it; or only write what all of its cards would say."""
    from cityid.clerks import Right
    from cityid.edge import clock

    from .registers import allowed, check_current

    check_current(here, register)
    desk, at = waiting(here), clock.now()
    asked = desk.find(number, at)
    allowed(register, clerk, Right.APPROVE, type_=asked.type, department=asked.department)
    if into is not None:
        _write(into, desk, asked)
        return
    _show(desk, asked)
    if not yes:
        talk.agree(f"Approve these {asked.count} cards?", flag="--yes")
    count = desk.approve(asked, by=clerk.name, at=clock.now())
    if json_:
        talk.give({"number": number, "type": asked.type, "approved": count, "by": asked.by})
    talk.say(f"{count} cards approved. {talk.clean(asked.by)} types the same command again, which goes on.")


def _show(desk: Waiting, asked: Asked) -> None:
    from itertools import islice

    from cityid.edge import clock

    how = "signed for the keys in the table" if asked.signed else f"offered until {asked.until:%d %b %Y %H:%M} UTC"
    talk.say(
        f"Prepared by {talk.clean(asked.by)}: {asked.count} cards ({talk.clean(asked.type)}) from "
        f"{talk.clean(asked.table)}, to be {how}."
    )
    for card in islice(desk.cards(asked, clock.now()), SHOWN):
        said = talk.columns([(f"  {name}", text) for name, text in _flat(card["claims"])])
        talk.say(f"{card['number']}, line {card['line']}")
        for line in said:
            talk.say(line)
    if asked.count > SHOWN:
        talk.say(f"... and {asked.count - SHOWN} more: --list FILE writes all of them.")


def _flat(claims: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    found = []
    for name, value in claims.items():
        if isinstance(value, dict):
            found += _flat(value, f"{before}{name}.")
        else:
            found.append((talk.clean(before + name), talk.value(value)))
    return found


def _write(path: Path, desk: Waiting, asked: Asked) -> None:
    from cityid.edge import clock, files
    from cityid.encoding import json, times

    with files.writing(path, private=True) as file:
        for card in desk.cards(asked, clock.now()):
            window = {name: times.stamp(times.read_numeric(card[name])) for name in ("start", "end")}
            file.write(json.write({**card, **window}) + b"\n")
    talk.say(f"{asked.count} cards written to {talk.clean(path)}, nothing approved. They are personal data.")
