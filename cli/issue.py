"""`cityid issue`: prepare a credential for a resident, then sign it for the wallet's keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import talk
from .options import Force, Json, PassphraseFd, Yes, named, plain
from .registers import By, ClerkFd
from .state import STATE

if TYPE_CHECKING:
    from cityid.cards import Offer
    from cityid.clerks import Clerk
    from cityid.credential_type import CredentialType, Prepared
    from cityid.issuing import Issuer

    from .home import Home


def register(app: typer.Typer) -> None:
    app.command("issue")(issue)


def issue(
    type_: Annotated[str | None, typer.Argument(metavar="TYPE", help="The credential type.")] = None,
    claims: Annotated[
        Path | None,
        typer.Option("--claims", metavar="FILE", help="One person's claims, as JSON; - reads standard input."),
    ] = None,
    answer: Annotated[
        Path | None, typer.Option("--answer", metavar="FILE", help="The wallet's request: sign the cards it asks for.")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Many people's claims, a row each (CSV or JSON Lines)."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", callback=named, help="Where the result goes; a folder with --from."
        ),
    ] = None,
    person: Annotated[
        str | None,
        typer.Option(
            "--person",
            metavar="ID",
            callback=plain,
            help="Who it is for, as the city knows them; kept as a pseudonym. With --from: the column that says it.",
        ),
    ] = None,
    format_: Annotated[
        str,
        typer.Option(
            "--format", metavar="FORMAT", callback=plain, help="With --claims or --from: dc+sd-jwt, ldp_vc or another."
        ),
    ] = "",
    signed: Annotated[
        bool,
        typer.Option(
            "--signed", help="With --from: sign now, for the keys in the column holder_jwk, instead of offering."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --from: check every row against the register, and do nothing.")
    ] = False,
    letters: Annotated[
        bool, typer.Option("--letters", help="With --from: a letter to print for each offer, as PDF with a QR code.")
    ] = False,
    archive: Annotated[
        bool, typer.Option("--archive", help="With --from: one zip file instead of many files.")
    ] = False,
    key: Annotated[
        str,
        typer.Option(
            "--key",
            metavar="COLUMN",
            callback=plain,
            help="With --from: the column that names a row; else all of it does.",
        ),
    ] = "",
    round_: Annotated[
        str,
        typer.Option(
            "--round",
            metavar="NAME",
            callback=plain,
            help="With --from: rows are issued once in a round, such as 2027.",
        ),
    ] = "",
    days: Annotated[
        int, typer.Option("--days", min=1, max=90, help="With --from: how long offers wait to be taken.")
    ] = 28,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=64, help="With --from: how many processes do it.")
    ] = 1,
    queue: Annotated[
        bool,
        typer.Option("--queue", help="With --from: let `cityid work` do it, on other machines too, and wait for it."),
    ] = False,
    code: Annotated[
        str | None,
        typer.Option(
            "--code", metavar="CODE", callback=plain, help="Make the offer again that a letter's code belongs to."
        ),
    ] = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    yes: Yes = False,
    passphrase_fd: PassphraseFd = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Issue a card in two steps: offer it (nothing is signed), then sign it for the keys that the wallet proves.

    cityid issue TYPE --claims FILE -o OFFER; the wallet answers with `cityid accept`;
    cityid issue --answer REQUEST -o CARDS
    """
    from cityid.errors import Misuse

    ways = {"--claims": claims, "--answer": answer, "--from": table, "--code": code}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) != 1:
        raise Misuse("issue.one_way", given=", ".join(given) or "none")
    if (type_ is None) is (answer is None and code is None):
        raise Misuse("issue.type_named", way=given[0])
    bulk = {
        "--signed": signed, "--dry-run": dry_run, "--letters": letters, "--archive": archive, "--key": key,
        "--round": round_, "--queue": queue,
    }  # fmt: skip
    if table is None and any(bulk.values()):
        raise Misuse("issue.only_tables", option=next(name for name, value in bulk.items() if value))
    if format_ and claims is None and table is None:
        raise Misuse("issue.format_of_one", way=given[0])
    from cityid.clerks import Right

    from . import home
    from .registers import acting, register_of

    here = home.find(STATE.home, "city")
    if answer is not None:
        clerk = acting(register_of(here), Right.ISSUE, by, clerk_fd)
        _answer(here, answer, output, clerk.name, passphrase_fd, force=force, json_=json_)
    elif claims is not None:
        clerk = acting(register_of(here), Right.ISSUE, by, clerk_fd, type_=type_)
        _one(here, str(type_), format_, claims, output, clerk, person, passphrase_fd, yes=yes, force=force, json_=json_)
    elif code is not None:
        acting(register_of(here), Right.ISSUE, by, clerk_fd)
        _again(here, code, output, passphrase_fd, force=force, json_=json_)
    elif table is not None:
        from .bulk import Wanted, many

        if output is None and not dry_run:
            raise Misuse("issue.no_folder")
        if queue and (workers > 1 or dry_run):
            raise Misuse("work.queued_alone", option="--dry-run" if dry_run else "--workers")
        clerk = acting(register_of(here), Right.ISSUE, by, clerk_fd, type_=type_)
        wanted = Wanted(
            str(type_),
            table,
            output,
            clerk,
            signed,
            letters,
            archive,
            dry_run,
            key,
            person or "",
            round_,
            days,
            workers,
            queue,
            format_,
        )
        raise talk.Stop(many(here, wanted, passphrase_fd, json_=json_))


def _free(path: Path | None, *, force: bool) -> None:
    """Nothing is offered or signed for a file that could not be written afterwards."""
    from cityid.edge import files

    if path is not None:
        files.check_free(path, force=force)


def _one(
    here: Home,
    kind: str,
    form: str,
    path: Path,
    output: Path | None,
    clerk: Clerk,
    person: str | None,
    passphrase_fd: int | None,
    *,
    yes: bool,
    force: bool,
    json_: bool,
) -> None:
    from cityid import limits
    from cityid.edge import clock, files
    from cityid.encoding import json

    from . import papers
    from .office import issuer_of
    from .registers import secret_of

    _free(output, force=force)
    data = files.read(path, limits.DOCUMENT)
    with papers.expected(data, "claims"):
        claims = json.read_object(data)
    at = clock.now()
    issuer = issuer_of(here, passphrase_fd)
    with papers.expected(data, "claims"):
        prepared = issuer.prepare(kind, claims, at=at)
    show(issuer, kind, prepared)
    form = form or next(iter(issuer.types[kind].names))
    waits = kind in issuer.four_eyes
    if not yes:
        talk.agree("Ask another clerk to approve this card?" if waits else "Offer this card?", flag="--yes")
    secret = secret_of(here)
    subject, digest = secret.pseudonym(person) if person else "", secret.digest(claims)
    department = clerk.department
    if waits:
        row = issuer.request(
            kind, claims, by=clerk.name, at=at, format=form, subject=subject, digest=digest, department=department
        )
        talk.say(f"Nothing is signed. Another clerk must say yes: cityid approve {row.number}")
        if json_:
            talk.give({"number": row.number, "state": row.state.value, "until": row.deadline})
        else:
            talk.out(row.number)
        return
    offer = issuer.offer(
        kind, claims, by=clerk.name, at=at, format=form, subject=subject, digest=digest, department=department
    )
    give(offer, output, force=force, json_=json_)


def _again(here: Home, typed: str, output: Path | None, passphrase_fd: int | None, *, force: bool, json_: bool) -> None:
    """The offer of a code that somebody typed from their letter."""
    from cityid.bulk import read_code
    from cityid.edge import clock

    from .office import issuer_of

    _free(output, force=force)
    offer = issuer_of(here, passphrase_fd).again(read_code(typed), clock.now())
    give(offer, output, force=force, json_=json_)


def give(offer: Offer, output: Path | None, *, force: bool, json_: bool) -> None:
    """An offer, to a file or as a link."""
    from cityid.edge import files
    from cityid.encoding import json

    if output is not None:
        files.write(output, offer.write() + b"\n", force=force, private=True)
        talk.say(
            f"Offer written to {talk.clean(output)}, {_good(offer)} and one wallet. Whoever has it can take the card."
        )
    if json_:
        talk.give({"offer": json.read(offer.write()), "link": offer.link(), "expires": offer.expires})
    elif output is None:
        talk.say(f"Offer for the resident ({_good(offer)}, usable once):")
        talk.out(offer.link())


def show(issuer: Issuer, kind: str, prepared: Prepared) -> None:
    show_card(issuer.types[kind], prepared)


def show_card(type_: CredentialType, prepared: Prepared) -> None:
    from cityid.credential_type import text_in
    from cityid.encoding import paths

    window = f"{prepared.start:%d %b %Y %H:%M} - {prepared.end:%d %b %Y %H:%M} UTC"
    talk.say(f"{talk.clean(text_in(type_.title))} ({type_.id}), valid {window}")
    rows = []
    for path, rule in type_.claims.items():
        value: Any = prepared.claims
        for part in path:
            value = value.get(part) if isinstance(value, Mapping) and isinstance(part, str) else None
        if value is None or isinstance(value, Mapping):
            continue
        rows.append(
            (
                f"  {talk.clean(paths.write(path))}",
                talk.value(value),
                "can be hidden" if rule.hideable else "always shown",
            )
        )
    for line in talk.columns(rows):
        talk.say(line)


def _answer(
    here: Home, path: Path, output: Path | None, by: str, passphrase_fd: int | None, *, force: bool, json_: bool
) -> None:
    from cityid import limits
    from cityid.cards import CardRequest
    from cityid.edge import clock, files

    from . import papers
    from .office import issuer_of

    _free(output, force=force)
    data = files.read(path, limits.DOCUMENT)
    with papers.expected(data, "card request"):
        request = CardRequest.read(data)
    cards = issuer_of(here, passphrase_fd).answer(request, at=clock.now(), by=by)
    data = cards.write() + b"\n"
    if output is None or json_:
        talk.out(data.decode("utf-8").rstrip("\n"))
    if output is None:
        return
    files.write(output, data, force=force, private=True)
    talk.say(f"{len(cards.credentials)} signed copies written to {talk.clean(output)}. They hold personal data.")


def safe(cell: str) -> str:
    # A spreadsheet takes these for a formula.
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t") else cell


def _rows(table: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows of a table, with the line each ends in.

    Raises:
        Malformed: `table.*`, `json.*`, `file.misplaced`.
        Misuse: `file.*`.
    """
    from cityid.encoding.table import Table
    from cityid.errors import Malformed

    from .bulk_work import expected, opened

    with opened(str(table)) as file:
        expected(file)
        read = Table(file, "jsonl" if table.suffix == ".jsonl" else "csv")
        for row in read.rows():
            if row.problem is not None:
                raise Malformed(row.problem)
            yield row.line, row.data if isinstance(row.data, dict) else dict(zip(read.columns, row.data, strict=True))


def _good(offer: Offer) -> str:
    from datetime import timedelta

    from cityid import limits
    from cityid.edge import clock

    if offer.expires - clock.now() <= limits.OFFER_AGE + timedelta(seconds=1):
        return "good for 10 minutes"
    return f"good until {offer.expires:%d %b %Y %H:%M} UTC"
