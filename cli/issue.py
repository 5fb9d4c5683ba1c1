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
    from cityid.credential_type import Prepared
    from cityid.errors import Problem
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
            "--person", metavar="ID", callback=plain, help="Who it is for, as the city knows them; kept as a pseudonym."
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

    given = [
        name for name, value in (("--claims", claims), ("--answer", answer), ("--from", table)) if value is not None
    ]
    if len(given) != 1:
        raise Misuse("issue.one_way", given=", ".join(given) or "none")
    if (type_ is None) is (answer is None):
        raise Misuse("issue.type_named", way=given[0])
    from cityid.clerks import Right

    from . import home
    from .registers import acting, register_of

    here = home.find(STATE.home, "city")
    if answer is not None:
        clerk = acting(register_of(here), Right.ISSUE, by, clerk_fd)
        _answer(here, answer, output, clerk.name, passphrase_fd, force=force, json_=json_)
    elif claims is not None:
        clerk = acting(register_of(here), Right.ISSUE, by, clerk_fd, type_=type_)
        _one(here, str(type_), claims, output, clerk, person, passphrase_fd, yes=yes, force=force, json_=json_)
    elif table is not None:
        if output is None:
            raise Misuse("issue.no_folder")
        clerk = acting(register_of(here), Right.ISSUE, by, clerk_fd, type_=type_)
        raise talk.Stop(_many(here, str(type_), table, output, clerk.name, passphrase_fd, json_=json_))


def _free(path: Path | None, *, force: bool) -> None:
    """Nothing is offered or signed for a file that could not be written afterwards."""
    from cityid.edge import files

    if path is not None:
        files.check_free(path, force=force)


def _one(
    here: Home,
    kind: str,
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
        show(issuer, kind, issuer.prepare(kind, claims, at=at))
    waits = kind in issuer.four_eyes
    if not yes:
        talk.agree("Ask another clerk to approve this card?" if waits else "Offer this card?", flag="--yes")
    secret = secret_of(here)
    subject, digest = secret.pseudonym(person) if person else "", secret.digest(claims)
    department = clerk.department
    if waits:
        row = issuer.request(kind, claims, by=clerk.name, at=at, subject=subject, digest=digest, department=department)
        talk.say(f"Nothing is signed. Another clerk must say yes: cityid approve {row.number}")
        if json_:
            talk.give({"number": row.number, "state": row.state.value, "until": row.deadline})
        else:
            talk.out(row.number)
        return
    offer = issuer.offer(kind, claims, by=clerk.name, at=at, subject=subject, digest=digest, department=department)
    give(offer, output, force=force, json_=json_)


def give(offer: Offer, output: Path | None, *, force: bool, json_: bool) -> None:
    """An offer, to a file or as a link."""
    from cityid.edge import files
    from cityid.encoding import json

    if output is not None:
        files.write(output, offer.write() + b"\n", force=force, private=True)
        talk.say(
            f"Offer written to {talk.clean(output)}, good for 10 minutes and one wallet. "
            "Whoever has it can take the card."
        )
    if json_:
        talk.give({"offer": json.read(offer.write()), "link": offer.link(), "expires": offer.expires})
    elif output is None:
        talk.say("Offer for the resident (valid 10 minutes, usable once):")
        talk.out(offer.link())


def show(issuer: Issuer, kind: str, prepared: Prepared) -> None:
    from cityid.credential_type import text_in
    from cityid.encoding import paths

    type_ = issuer.types[kind]
    window = f"{prepared.start:%d %b %Y %H:%M} - {prepared.end:%d %b %Y %H:%M} UTC"
    talk.say(f"{talk.clean(text_in(type_.title))} ({kind}), valid {window}")
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


# -- many, from a file --


def _many(here: Home, kind: str, table: Path, folder: Path, by: str, passphrase_fd: int | None, *, json_: bool) -> int:
    """Check every row, then offer the good ones; the others are listed in `refused.csv`, with row, column and rule."""
    from cityid.credential_type import from_row
    from cityid.edge import clock, files
    from cityid.errors import Misuse

    from .office import issuer_of

    if folder.exists() and any(folder.iterdir()):
        raise Misuse("issue.folder_not_empty", folder=str(folder))
    issuer = issuer_of(here, passphrase_fd)
    if kind not in issuer.types:
        raise Misuse("issue.unknown_type", type=kind)
    type_ = issuer.types[kind]
    columns = _columns(issuer)
    at = clock.now()
    good: list[tuple[int, dict[str, Any]]] = []
    bad: list[tuple[int, Problem]] = []
    for number, row in _rows(table):
        claims = from_row(type_, row, ignore=columns) if table.suffix != ".jsonl" else dict(row)
        if not claims:
            continue
        problems = type_.problems(claims, at=at, timezone=issuer.timezone)
        bad.extend((number, problem) for problem in problems)
        if not problems:
            good.append((number, claims))
    folder.mkdir(mode=0o700, exist_ok=True)
    for number, claims in good:
        offer = issuer.offer(kind, claims, by=by, at=at)
        files.write(folder / f"line-{number:06d}.offer", offer.write() + b"\n", private=True)
    if bad:
        files.write(folder / "refused.csv", _refused(bad), private=True)
    if json_:
        talk.give({"offers": len(good), "refused": [{"line": n, **talk.as_json(p)} for n, p in bad]})
    talk.say(
        f"{len(good)} {'offer' if len(good) == 1 else 'offers'} written to {talk.clean(folder)}/, "
        "good for 10 minutes. They are as good as the cards."
    )
    if bad:
        lines = len({number for number, _ in bad})
        talk.say(f"{lines} refused, listed in {talk.clean(folder / 'refused.csv')}, which holds personal data")
        _tell(bad)
    return talk.NO if bad else talk.DONE


def _columns(issuer: Issuer) -> frozenset[str]:
    """Columns that belong to some type of this city: one table may serve several."""
    from cityid.credential_type import columns

    return frozenset(name for other in issuer.types.values() for name in columns(other))


def _rows(table: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows of a CSV file (its first line names the columns) or of JSON Lines, with the line each stands in."""
    import csv
    import io

    from cityid.edge import files
    from cityid.encoding import json
    from cityid.errors import Malformed

    from . import papers

    data = files.read(table, 256 << 20)
    # One line of JSON would pass for a table that has columns and no rows.
    if (problem := papers.misplaced(data[: 1 << 20], "table")) is not None:
        raise Malformed(problem)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed("json.not_utf8", where=str(table), offset=error.start) from None
    if table.suffix == ".jsonl":
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield number, json.read_object(line, where=f"line {number}")
        return
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, restkey="")
    try:
        names = reader.fieldnames or []
    except csv.Error:
        raise Malformed("table.row", where="line 1") from None
    if len(set(names)) != len(names) or "" in names:
        raise Malformed("table.columns", where=str(table))
    try:
        for row in reader:
            if "" in row or None in row.values():
                raise Malformed("table.row", where=f"line {reader.line_num}")
            yield reader.line_num, row
    except csv.Error:
        raise Malformed("table.row", where=f"line {reader.line_num}") from None


def _refused(bad: list[tuple[int, Problem]]) -> bytes:
    import csv
    import io

    from cityid.edge.messages import explain

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("line", "column", "rule", "what"))
    for number, problem in bad:
        told = explain(problem, private=True)
        writer.writerow((number, safe(problem.where.removeprefix("$.")), problem.code, safe(told.text)))
    return out.getvalue().encode("utf-8")


def safe(cell: str) -> str:
    # A spreadsheet takes these for a formula.
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t") else cell


def _tell(bad: list[tuple[int, Problem]]) -> None:
    from cityid.edge.messages import explain

    rows = [
        (f"  line {number}", talk.clean(explain(problem, private=True).text), f"({talk.clean(problem.code)})")
        for number, problem in bad[:20]
    ]
    for line in talk.columns(rows):
        talk.say(line)
    if len(bad) > 20:
        talk.say(f"  and {len(bad) - 20} more")
