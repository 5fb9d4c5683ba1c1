"""`cityid approve`: say yes to what another clerk prepared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import talk
from .options import Force, Json, PassphraseFd, Yes, named
from .registers import By, ClerkFd


def register(app: typer.Typer) -> None:
    app.command("approve")(approve)


def approve(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="What `cityid issue` said, such as R-2026-004711.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", callback=named, help="Where the offer goes.")
    ] = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    yes: Yes = False,
    passphrase_fd: PassphraseFd = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Approve a card that another clerk prepared: its offer goes out."""
    from cityid.clerks import Right
    from cityid.edge import clock, files

    from . import registers
    from .issue import give, show
    from .office import issuer_of

    if output is not None:
        files.check_free(output, force=force)
    here = registers.home_of()
    opened = registers.register_of(here)
    clerk = registers.acting(opened, Right.APPROVE, by, clerk_fd)
    row = opened.find(number)
    registers.allowed(opened, clerk, Right.APPROVE, type_=row.type, department=row.department)
    issuer = issuer_of(here, passphrase_fd)
    at = clock.now()
    prepared = issuer.waits(number, at)
    talk.say(f"Prepared by {talk.clean(row.clerk)}:")
    show(issuer, row.type, prepared)
    if not yes:
        talk.agree("Approve this card?", flag="--yes")
    give(issuer.approve(number, by=clerk.name, at=clock.now()), output, force=force, json_=json_)
