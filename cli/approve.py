"""`cityid approve`: say yes to what another clerk prepared."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from . import talk
from .options import Force, Json, PassphraseFd, Yes, named
from .registers import By, ClerkFd

BATCH = re.compile(r"B-[0-9]+")


def register(app: typer.Typer) -> None:
    app.command("approve")(approve)


def approve(
    number: Annotated[
        str, typer.Argument(metavar="NUMBER", help="What `cityid issue` said, such as R-2026-004711 or B-12.")
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", callback=named, help="Where the offer goes.")
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            "--list",
            metavar="FILE",
            callback=named,
            help="Of a batch: write what all of its cards would say, and approve nothing.",
        ),
    ] = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    yes: Yes = False,
    passphrase_fd: PassphraseFd = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Approve what another clerk prepared: a card, whose offer goes out, or a table's cards under the number of their
    batch, which that clerk then issues."""
    from cityid.clerks import Right
    from cityid.edge import clock, files
    from cityid.errors import Misuse

    from . import bulk_asked, registers
    from .issue import give, show
    from .office import issuer_of

    batch = BATCH.fullmatch(number) is not None
    if output is not None and batch:
        raise Misuse("approve.batch_output", number=number)
    if into is not None and not batch:
        raise Misuse("approve.only_batches", number=number)
    if output is not None:
        files.check_free(output, force=force)
    here = registers.home_of()
    opened = registers.register_of(here)
    clerk = registers.acting(opened, Right.APPROVE, by, clerk_fd)
    if batch:
        bulk_asked.approve(here, opened, clerk, number, into, yes=yes, json_=json_)
        return
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
