"""`cityid revoke`: take a card back for good."""

from __future__ import annotations

import typer

from .options import Json, Yes
from .registers import By, ClerkFd
from .standings import Device, From, Holder, Numbers, Person, Why, change


def register(app: typer.Typer) -> None:
    app.command("revoke")(revoke)


def revoke(
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
    """Take cards back for good: issued ones become invalid, offered ones are withdrawn."""
    from cityid.register import Status

    change(Status.INVALID, numbers, holder, person, device, from_, why, by, clerk_fd, yes=yes, json_=json_)
