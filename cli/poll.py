"""`cityid poll`: one resident, one voice. Nobody learns who voted how, city hall and platform together neither."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from . import talk
from .options import For, Force, Json, PassphraseFd, named, plain
from .registers import By, ClerkFd
from .state import STATE

Output = Annotated[
    Path, typer.Option("-o", "--output", metavar="FILE", callback=named, help="Write the result to FILE.")
]
PollFile = Annotated[Path, typer.Argument(metavar="POLL", help="The poll, as city hall opened it.")]
Key = Annotated[str, typer.Option("--key", metavar="LABEL", callback=plain, help="The city's BBS key for voices.")]
Municipality = Annotated[str, typer.Option("--municipality", metavar="CODE", callback=plain, help="Its official code.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Polls: one resident, one voice.", no_args_is_help=True, rich_markup_mode=None)
    for command in (join, enrol, open_, vote, tally, check):
        group.command(command.__name__.rstrip("_"))(command)
    app.add_typer(group, name="poll")


def join(
    issuer: Annotated[str, typer.Option("--issuer", metavar="DID", callback=plain, help="City hall's DID.")],
    output: Output,
    person: For = "me",
    passphrase_fd: PassphraseFd = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Make the secret of a voice in this wallet, once, and write the commitment to it for city hall."""
    from cityid import polls
    from cityid.edge import files

    from . import home, purse

    files.check_free(output, force=force)
    wallet = purse.opened(home.find(STATE.home, "wallet"), passphrase_fd)
    kept = wallet.voice(issuer, person, make=lambda: polls.write_secret(*polls.begin()))
    files.write(output, polls.write_commitment(polls.read_secret(kept)[0]) + b"\n", force=force)
    talk.say(
        f"Commitment written to {talk.clean(output)}. It tells nobody the secret; back up the wallet, which keeps it."
    )
    if json_:
        talk.give({"commitment": str(output)})


def enrol(
    commitment: Annotated[Path, typer.Argument(metavar="FILE", help="What `poll join` wrote.")],
    person: Annotated[
        str, typer.Option("--person", metavar="ID", callback=plain, help="Who it is, in your own records.")
    ],
    municipality: Municipality,
    district: Annotated[str, typer.Option("--district", metavar="CODE", callback=plain, help="Its official code.")],
    born: Annotated[datetime, typer.Option("--born", metavar="DATE", formats=["%Y-%m-%d"], help="The date of birth.")],
    output: Output,
    key: Key = "voice",
    lost: Annotated[
        bool, typer.Option("--lost", help="The old secret is lost: a new one, heard from the next roll day.")
    ] = False,
    passphrase_fd: PassphraseFd = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Give a resident this month's voice."""
    from cityid import polls
    from cityid.clerks import Right
    from cityid.edge import clock, files
    from cityid.edge.polls_store import Roll
    from cityid.encoding import json

    from . import keys, registers

    files.check_free(output, force=force)
    here = registers.home_of()
    committed = polls.read_commitment(files.read(commitment))
    registers.acting(registers.register_of(here), Right.ISSUE, by, clerk_fd)
    did = here.text("did")
    signer = keys.bbs_signer(here, key, passphrase_fd)
    at = clock.now()
    claims = {
        "municipality_code": municipality,
        "district_code": district,
        "age_over_16": _is(born.date(), 16, at.date()),
        "age_over_18": _is(born.date(), 18, at.date()),
    }
    with Roll(here.path("voices.sqlite")) as roll:
        enrolment = roll.enrol(person, committed, at=at, lost=lost)
    card = polls.issue(claims, enrolment, signer, issuer=did, method=f"{did}#{key}", at=at)
    files.write(output, json.write(card) + b"\n", force=force, private=True)
    talk.say(
        f"Voice for {talk.clean(person)} written to {talk.clean(output)}: good until {polls.month(at)[1]:%d %b %Y}, "
        f"heard in polls with a roll day from {enrolment.since:%d %b %Y}. Give it to this resident alone."
    )
    if json_:
        talk.give({"voice": str(output), "until": polls.month(at)[1], "heard_from": enrolment.since.isoformat()})


def _is(born: date, years: int, today: date) -> bool:
    return (today.year - born.year) - ((today.month, today.day) < (born.month, born.day)) >= years


def open_(
    question: Annotated[str, typer.Option("--question", metavar="TEXT", callback=plain, help="What is asked.")],
    choice: Annotated[
        list[str], typer.Option("--choice", metavar="TEXT", callback=plain, help="One answer; two or more.")
    ],
    municipality: Municipality,
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How long votes are taken, from now.")],
    output: Output,
    district: Annotated[
        str, typer.Option("--district", metavar="CODE", callback=plain, help="For one district alone.")
    ] = "",
    age: Annotated[int, typer.Option("--age", metavar="N", help="0, 16 or 18.")] = 16,
    key: Key = "voice",
    passphrase_fd: PassphraseFd = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Open a poll: a file for residents, for the platform, and for whoever counts again."""
    from datetime import timedelta

    from cityid import polls
    from cityid.edge import clock, files

    from . import keys, registers

    files.check_free(output, force=force)
    here = registers.home_of()
    did = here.text("did")
    public = keys.bbs_signer(here, key, passphrase_fd).public_key
    at = clock.now().replace(microsecond=0)
    made = polls.Poll(
        question, tuple(choice), did, municipality, district or None, age, polls.roll_day(at), at,
        at + timedelta(days=days), {f"{did}#{key}": public},
    )  # fmt: skip
    files.write(output, made.write() + b"\n", force=force)
    talk.say(f"Poll written to {talk.clean(output)}: open until {made.closes:%d %b %Y %H:%M} UTC.")
    if json_:
        talk.give({"poll": str(output), "closes": made.closes})


def vote(
    poll: PollFile,
    voice: Annotated[Path, typer.Option("--voice", metavar="FILE", help="This month's voice from city hall.")],
    choice: Annotated[str, typer.Option("--choice", metavar="TEXT", callback=plain, help="Your answer.")],
    output: Output,
    person: For = "me",
    passphrase_fd: PassphraseFd = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Vote: a ballot that says your choice, what the poll asks for, and nothing by which you are known elsewhere."""
    from cityid import polls
    from cityid.edge import clock, files
    from cityid.encoding import json

    from . import home, purse

    files.check_free(output, force=force)
    asked = polls.read(files.read(poll))
    card = json.read_object(files.read(voice))
    wallet = purse.opened(home.find(STATE.home, "wallet"), passphrase_fd)
    holder = polls.read_secret(wallet.voice(asked.issuer, person))[1]
    held = polls.accept(card, holder, polls.key_of(asked, card))
    files.write(output, polls.cast(asked, held, choice, at=clock.now()) + b"\n", force=force)
    talk.say(
        f"Ballot written to {talk.clean(output)}. It shows: {', '.join(asked.claims)}. "
        "Keep it to find your vote in the list."
    )
    if json_:
        talk.give({"ballot": str(output), "shows": list(asked.claims)})


def tally(
    poll: PollFile,
    output: Output,
    box: Annotated[
        Path, typer.Option("--box", metavar="FILE", help="Where ballots are kept; made where it is not there.")
    ],
    ballots: Annotated[list[Path] | None, typer.Argument(metavar="[BALLOT]...", help="Ballots that came.")] = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Judge ballots, refuse second votes, and write the list that anybody can count again."""
    from cityid import polls
    from cityid.edge import clock, files
    from cityid.edge.polls_store import Box

    files.check_free(output, force=force)
    asked = polls.read(files.read(poll))
    with Box(box) as kept:
        for ballot in ballots or ():
            kept.put(asked, polls.check(asked, files.read(ballot), at=clock.now()))
        votes = kept.votes(asked)
    listed = polls.publish(asked, votes)
    files.write(output, listed + b"\n", force=force)
    _counted({option: sum(vote.choice == option for vote in votes) for option in asked.options}, json_=json_)


def check(
    listed: Annotated[Path, typer.Argument(metavar="LIST", help="The published list.")],
    ballot: Annotated[
        Path | None, typer.Option("--ballot", metavar="FILE", help="A ballot that must be in it.")
    ] = None,
    json_: Json = False,
) -> None:
    """Judge and count every vote of a published list again. Needs no home, no secret and no network."""
    from cityid import polls
    from cityid.edge import files

    mine = None if ballot is None else files.read(ballot)
    _counted(polls.recount(files.read(listed, polls.LIST), mine=mine), json_=json_)


def _counted(counts: Mapping[str, int], *, json_: bool) -> None:
    if json_:
        talk.give(dict(counts))
        return
    for line in talk.columns([(talk.clean(option), str(count)) for option, count in counts.items()]):
        talk.out(line)
