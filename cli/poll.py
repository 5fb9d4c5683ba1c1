"""`cityid poll`: one resident, one voice. Nobody learns who voted how, city hall and platform together neither."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import talk
from .options import For, Force, Json, PassphraseFd, Yes, named, plain
from .registers import By, ClerkFd
from .state import STATE

if TYPE_CHECKING:
    from cityid.edge.database import StoredRegister
    from cityid.enrolling import Roll
    from cityid.polls import Poll

    from .home import Home

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
    claims: Annotated[
        Path,
        typer.Option("--claims", metavar="FILE", help="What the type voice asks for, as JSON; - reads standard input."),
    ],
    person: Annotated[
        str,
        typer.Option(
            "--person", metavar="ID", callback=plain, help="Who it is, as the city knows them; kept as a pseudonym."
        ),
    ],
    output: Output,
    key: Key = "voice",
    lost: Annotated[
        bool, typer.Option("--lost", help="The old secret is lost: a new one, heard from the next roll day.")
    ] = False,
    by: By = None,
    clerk_fd: ClerkFd = None,
    yes: Yes = False,
    passphrase_fd: PassphraseFd = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Put a resident on the roll of voices, once, and give them this month's voice."""
    from cityid import limits, polls
    from cityid.clerks import Right
    from cityid.edge import clock, files
    from cityid.encoding import json
    from cityid.enrolling import TYPE

    from . import papers, registers
    from .issue import show_card

    files.check_free(output, force=force)
    here = registers.home_of()
    data = files.read(commitment)
    with papers.expected(data, "commitment"):
        committed = polls.read_commitment(data)
    register_ = registers.register_of(here)
    clerk = registers.acting(register_, Right.ISSUE, by, clerk_fd, type_=TYPE)
    data = files.read(claims, limits.DOCUMENT)
    at = clock.now()
    roll = _roll(here, register_, key, passphrase_fd)
    with papers.expected(data, "claims"):
        given = json.read_object(data)
    voter = registers.secret_of(here).voter(person)
    with papers.expected(data, "claims"):
        prepared = roll.prepare(voter, committed, given, at=at, lost=lost)
    show_card(roll.kind, prepared)
    if not yes:
        talk.agree("Give out this voice?", flag="--yes")
    made = roll.enrol(voter, committed, given, by=clerk.name, at=at, lost=lost)
    files.write(output, json.write(dict(made.card)) + b"\n", force=force, private=True)
    until, since = made.prepared.end, made.enrolment.since
    talk.say(
        f"Voice written to {talk.clean(output)}: good until {until:%d %b %Y}, heard in polls with a roll day from "
        f"{since:%d %b %Y}. Give it to this resident alone."
    )
    if json_:
        talk.give({"voice": str(output), "until": until, "heard_from": since.isoformat()})


def _roll(here: Home, register_: StoredRegister, key: str, passphrase_fd: int | None) -> Roll:
    """The roll of a city's home.

    Raises:
        Unavailable: `register.behind`, `store.*`.
        Misuse: `polls.four_eyes`, `keys.*`, `home.member`, `file.*`.
    """
    from zoneinfo import ZoneInfo

    from cityid.enrolling import TYPE, Roll
    from cityid.errors import Misuse

    from . import keys, kinds, registers

    registers.check_current(here, register_)
    if TYPE in registers.names(here, "four_eyes"):
        raise Misuse("polls.four_eyes", type=TYPE)
    types, _ = kinds.known(here)
    did = here.text("did")
    signer = keys.bbs_signer(here, key, passphrase_fd)
    mark = registers.secret_of(here).voter_mark
    return Roll(register_, mark, types[TYPE], signer, did, f"{did}#{key}", ZoneInfo(here.text("timezone")))


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
    output: Output,
    choice: Annotated[
        Path | None,
        typer.Option(
            "--choice-from", metavar="FILE", help="Your answer, in a file; - reads standard input. Else it is asked."
        ),
    ] = None,
    person: For = "me",
    yes: Yes = False,
    passphrase_fd: PassphraseFd = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Vote: a ballot that says your choice, what the poll asks for, and nothing by which you are known elsewhere."""
    from cityid import polls
    from cityid.edge import clock, files
    from cityid.encoding import json

    from . import home, papers, purse

    files.check_free(output, force=force)
    asked = _poll(poll)
    data = files.read(voice)
    with papers.expected(data, "voice"):
        card = json.read_object(data)
        key = polls.key_of(asked, card)
    wallet = purse.opened(home.find(STATE.home, "wallet"), passphrase_fd)
    holder = polls.read_secret(wallet.voice(asked.issuer, person))[1]
    with papers.expected(data, "voice"):
        held = polls.accept(card, holder, key)
    said = _said(choice) if choice else talk.choose(asked.question, asked.options, flag="--choice-from FILE")
    ballot = polls.cast(asked, held, said, at=clock.now())
    talk.say("This ballot says, to everybody:")
    rows = [(f"  {name}", talk.value(held.document["credentialSubject"][name])) for name in asked.claims]
    for line in talk.columns([("  your answer", talk.clean(said)), *rows]):
        talk.say(line)
    if not yes:
        talk.agree("Write it?", flag="--yes")
    files.write(output, ballot + b"\n", force=force, private=True)
    talk.say(f"Ballot written to {talk.clean(output)}. Keep it to find your vote in the list.")
    if json_:
        talk.give({"ballot": str(output), "shows": list(asked.claims)})


def _said(path: Path) -> str:
    """An answer in a file; one that is no text is no choice of any poll."""
    from cityid.edge import files

    return files.read(path).removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "replace")


def _poll(path: Path) -> Poll:
    from cityid import polls
    from cityid.edge import files

    from . import papers

    data = files.read(path)
    with papers.expected(data, "poll"):
        return polls.read(data)


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

    from . import papers

    files.check_free(output, force=force)
    asked = _poll(poll)
    with Box(box) as kept:
        for ballot in ballots or ():
            data = files.read(ballot)
            with papers.expected(data, "ballot"):
                vote_ = polls.check(asked, data, at=clock.now())
            kept.put(asked, vote_)
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

    from . import papers

    data, mine = files.read(listed, polls.LIST), None if ballot is None else files.read(ballot)
    with papers.expected(data, "ballots"), papers.expected(mine or b"", "ballot"):
        counts = polls.recount(data, mine=mine)
    _counted(counts, json_=json_)


def _counted(counts: Mapping[str, int], *, json_: bool) -> None:
    if json_:
        talk.give(dict(counts))
        return
    for line in talk.columns([(talk.clean(option), str(count)) for option, count in counts.items()]):
        talk.out(line)
