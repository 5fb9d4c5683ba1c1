"""What `revoke`, `suspend` and `restore` share: which cards are meant, showing them, doing it, and saying when services
see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import talk
from .options import Json, Yes, plain
from .registers import By, ClerkFd
from .state import STATE

if TYPE_CHECKING:
    from cityid.edge.database import StoredRegister
    from cityid.register import Issued, Status

    from .home import Home

Numbers = Annotated[
    list[str] | None, typer.Argument(metavar="[NUMBER]...", help="Numbers in the register, such as R-2026-004711.")
]
Holder = Annotated[
    str | None,
    typer.Option("--holder", metavar="KEY", callback=plain, help="All cards of the person who has this key."),
]
Person = Annotated[
    str | None,
    typer.Option("--person", metavar="ID", callback=plain, help="All cards of this person, as the city knows them."),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="DEVICE",
        callback=plain,
        help="All cards on the device with this key; with --person or --holder, on the device of theirs that has this "
        "name, or whose id begins so.",
    ),
]
From = Annotated[
    Path | None, typer.Option("--from", metavar="FILE", help="A file of numbers, one a line; - reads standard input.")
]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", callback=plain, help="The reason, for the register.")]

DONE = {"INVALID": "revoked", "SUSPENDED": "suspended", "VALID": "restored"}
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Meant:
    """Which cards are meant, as it was typed."""

    numbers: Sequence[str] | None
    holder: str | None
    person: str | None
    device: str | None
    from_: Path | None

    def check(self) -> None:
        """Raises Misuse `standing.which`."""
        from cityid.errors import Misuse

        named = sum(map(bool, (self.numbers, self.holder, self.person, self.from_)))
        if named + bool(self.device) != 1 and not (self.device and (self.holder or self.person) and named == 1):
            raise Misuse("standing.which")

    def rows(self, here: Home, register: StoredRegister) -> tuple[Issued, ...]:
        from cityid.errors import Refused
        from cityid.register import Filter, State, standing

        from . import registers

        if self.holder:
            found = standing.of_holder(register, self.holder)
        elif self.person:
            found = tuple(register.rows(where=Filter(subject=registers.secret_of(here).pseudonym(self.person))))
            if not found:
                raise Refused("register.unknown_person")
        elif self.device:
            found = standing.of_device(register, self.device)
        else:
            return tuple(register.find(number) for number in dict.fromkeys(self.numbers or _listed(self.from_)))
        if self.device and (self.holder or self.person):
            found = standing.on_device(found, self.device)
        # Of a person, only what can still change is meant: cards that were withdrawn or have no status end by
        # themselves.
        return tuple(
            row for row in found if row.state is not State.WITHDRAWN and (row.status or row.state is not State.ISSUED)
        )


def verb(value: str, about: str) -> Callable[..., None]:
    """The command that gives cards the status named `value`."""

    def command(
        numbers: Numbers = None,
        holder: Holder = None,
        person: Person = None,
        device: Device = None,
        from_: From = None,
        why: Why = "",
        by: By = None,
        clerk_fd: ClerkFd = None,
        yes: Yes = False,
        json_: Json = False,
    ) -> None:
        from cityid.register import Status

        meant = Meant(numbers, holder, person, device, from_)
        _change(Status[value], meant, why, by, clerk_fd, yes=yes, json_=json_)

    command.__doc__ = about
    return command


def _change(
    value: Status, meant: Meant, why: str, by: str | None, clerk_fd: int | None, *, yes: bool, json_: bool
) -> None:
    from cityid.clerks import Right
    from cityid.edge import clock
    from cityid.errors import Misuse
    from cityid.register import in_batch, standing

    from . import home, registers

    meant.check()
    if not why:
        raise Misuse("standing.why")
    here = home.find(STATE.home, "city")
    register = registers.register_of(here)
    clerk = registers.acting(register, Right.REVOKE, by, clerk_fd)
    rows = meant.rows(here, register)
    for row in rows:
        registers.allowed(register, clerk, Right.REVOKE, type_=row.type, department=row.department)
        standing.check(row, value)
    _show(rows)
    done = DONE[value.name]
    if not yes:
        if done == "revoked":
            talk.say("Revoking cannot be undone; to pause instead, use `cityid suspend`.")
        talk.agree({"revoked": "Revoke?", "suspended": "Suspend?", "restored": "Restore?"}[done], flag="--yes")
    at = clock.now()
    changed, had = in_batch(
        register, clerk.name, registers.key(), at,
        lambda batch: ((), ()) if batch.repeats else standing.set_standing(batch, rows, value, why, clerk.name),
    )  # fmt: skip
    if json_:
        talk.give({"status": done, "changed": list(changed), "unchanged": list(had)})
    _said(register, rows, done, len(changed), len(had))


def _listed(path: Path | None) -> list[str]:
    from cityid.edge import files
    from cityid.errors import Malformed

    text = files.read(str(path), 64 << 20).decode("utf-8-sig", "replace")
    found = [line.split(",")[0].strip().strip('"') for line in text.splitlines()]
    found = [number for number in found if number and number != "number"]
    if not found:
        raise Malformed("standing.nothing_listed", file=str(path))
    return found


def _show(rows: Sequence[Issued]) -> None:
    for row in rows[:SHOWN]:
        on = f", on {talk.clean(row.device.rpartition(' ')[0])}" if row.device else ""
        talk.say(f"{talk.clean(row.type)} {row.number}, {row.state.value} {row.at:%d %b %Y}{on}")
    if len(rows) > SHOWN:
        talk.say(f"and {len(rows) - SHOWN} more")


def _said(register: StoredRegister, rows: Sequence[Issued], done: str, changed: int, had: int) -> None:
    from cityid.edge import status_files

    if len(rows) == 1:
        talk.say(done.capitalize() + "." if changed else f"It was {done} already.")
    else:
        already = f", {had} were so already" if had else ""
        talk.say(f"{changed} {done}{already}.")
    uris = sorted({ref.uri for row in rows for ref in row.status})
    if not uris or not changed:
        return
    out = max((found for uri in uris if (found := register.bits(uri).published_at)), default=None)
    fresh = f"; what they have now is fresh until {out + status_files.TTL:%H:%M} UTC" if out else ""
    talk.say(f"Services see it when the lists are published: cityid register publish DIR{fresh}")
