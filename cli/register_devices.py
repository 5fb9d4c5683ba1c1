"""`cityid register devices`: on which devices a person keeps cards, so that a lost one can be taken out alone."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from . import talk
from .options import Json, plain
from .registers import By, ClerkFd

Whose = Annotated[
    str | None, typer.Option("--person", metavar="ID", callback=plain, help="Of this person, as the city knows them.")
]
WithKey = Annotated[
    str | None, typer.Option("--holder", metavar="KEY", callback=plain, help="Of the person who has this key.")
]
SHORT = 8
"""Characters of a device's id that tell it from others of the same person."""


def devices(
    person: Whose = None,
    holder: WithKey = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    json_: Json = False,
) -> None:
    """List the devices of a person, and how many cards are on each: what their wallets called themselves."""
    from cityid.clerks import Right
    from cityid.errors import Misuse, Refused
    from cityid.register import Filter, Status, standing

    from . import registers

    if bool(person) == bool(holder):
        raise Misuse("register.whose_devices")
    here = registers.home_of()
    register = registers.register_of(here)
    reader = registers.acting(register, Right.READ, by, clerk_fd)
    if holder:
        rows = standing.of_holder(register, holder)
    else:
        subject = registers.secret_of(here).pseudonym(str(person))
        rows = tuple(register.rows(where=Filter(subject=subject)))
        if not rows:
            raise Refused("register.unknown_person")
    for row in rows:
        registers.allowed(register, reader, Right.READ, type_=row.type, department=row.department)
    found: list[dict[str, Any]] = [
        {
            "device": one.device.name if one.device else None, "id": one.device.id if one.device else None,
            "cards": [row.number for row in one.rows if row.standing != Status.INVALID],
            "revoked": [row.number for row in one.rows if row.standing == Status.INVALID],
        }
        for one in standing.devices(rows)
    ]  # fmt: skip
    if json_:
        talk.give(found)
        return
    for line in talk.columns([
        (
            talk.clean(one["device"] or "unknown"), talk.clean((one["id"] or "")[:SHORT]),
            f"{len(one['cards'])} {'card' if len(one['cards']) == 1 else 'cards'}",
            f"{len(one['revoked'])} revoked" if one["revoked"] else "",
        )
        for one in found
    ]):  # fmt: skip
        talk.out(line)
    if not found:
        talk.say("No wallet took a card of this person yet.")
