"""`cityid restore`: make a suspended card good again."""

from __future__ import annotations

import typer

from .options import Json, Yes
from .registers import By, ClerkFd
from .standings import Device, From, Holder, Numbers, Person, Why, change


def register(app: typer.Typer) -> None:
    app.command("restore")(restore)


def restore(
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
    """Make suspended cards good again."""
    from cityid.register import Status

    change(Status.VALID, numbers, holder, person, device, from_, why, by, clerk_fd, yes=yes, json_=json_)
