"""`cityid trust`: whose word counts, in a file that can be reviewed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import talk
from .options import Json, one_line, plain
from .state import STATE

if TYPE_CHECKING:
    from cityid.trust import TrustList

    from .home import Home

ListFile = Annotated[
    Path | None, typer.Option("--list", metavar="FILE", help="The trust list; the home's own by default.")
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Whose word counts.", no_args_is_help=True, rich_markup_mode=None)
    group.command("list")(list_)
    group.command("add")(add)
    group.command("remove")(remove)
    from .sync import sync

    group.command("sync")(sync)
    app.add_typer(group, name="trust")


def default_file(here: Home) -> Path:
    return here.path("trust", "issuers.toml")


def load(here: Home, file: Path | None = None) -> TrustList:
    """The trust list of a home; empty where it has none yet.

    Raises:
        Misuse: `trust_file.*`, `file.*`.
    """
    from cityid import trust
    from cityid.edge import files

    from . import kinds, papers, seen

    path = file or default_file(here)
    if not path.exists() and file is None:
        return trust.TrustList((), remembered=seen.load(here))
    types, _ = kinds.known(here)
    names = {name: tuple({kind.wire_name(form): None for form in kind.names}) for name, kind in types.items()}
    title = str(path.relative_to(here.folder)) if path.is_relative_to(here.folder) else str(path)
    data = files.read_home_file(path)
    with papers.expected(data, "trust list"):
        found = trust.read(data, files.beside(path.parent), names, title=title)
    return replace(found, remembered=seen.load(here))


def list_(file: ListFile = None, json_: Json = False) -> None:
    """List the issuers that are trusted, and for what."""
    from . import home

    found = load(home.find(STATE.home), file)
    if json_:
        talk.give([
            {
                "issuer": entry.subject, "mechanism": entry.mechanism, "types": list(entry.types), "name": entry.name,
                "since": entry.since, "until": entry.until, "status": entry.status,
                "status_issuer": entry.status_issuer, "status_lists": list(entry.status_lists),
                "seen": next(reversed(found.seen(entry.did)), ""),
            }
            for entry in found.entries
        ])  # fmt: skip
        return
    rows = [
        (talk.named(entry.name, entry.subject), entry.mechanism, talk.clean(", ".join(entry.types)))
        for entry in found.entries
    ]
    for line in talk.columns(rows):
        talk.out(line)
    if not rows:
        talk.say(
            "Nobody is trusted yet.\n"
            "hint: cityid trust add --did DID --type TYPE, and --status none where its cards carry no status"
        )


def add(
    types: Annotated[
        list[str], typer.Option("--type", metavar="TYPE", callback=one_line, help="What it may issue; may be repeated.")
    ],
    did: Annotated[str | None, typer.Option("--did", callback=one_line, help="The issuer's DID.")] = None,
    root: Annotated[Path | None, typer.Option("--root", metavar="FILE", help="A root certificate, PEM or DER.")] = None,
    web: Annotated[
        str | None, typer.Option("--web", metavar="URL", callback=one_line, help="An https issuer with published keys.")
    ] = None,
    issuer: Annotated[
        str | None,
        typer.Option(
            "--issuer", metavar="NAME", callback=one_line, help="With --root: only certificates of this issuer."
        ),
    ] = None,
    document: Annotated[
        Path | None,
        typer.Option("--document", metavar="FILE", help="With --did: its document, so that none is fetched."),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option("--log", metavar="FILE", help="With a did:webvh: its did.jsonl, so that none is fetched."),
    ] = None,
    witness_proofs: Annotated[
        Path | None, typer.Option("--witness-proofs", metavar="FILE", help="With --log: its did-witness.json.")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option("--keys", metavar="FILE", help="With --web: its JWK Set, so that none is fetched.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", callback=plain, help="How people call it.")] = None,
    status: Annotated[str, typer.Option("--status", help="required, or none for types that live a day.")] = "required",
    status_list: Annotated[
        list[str] | None,
        typer.Option(
            "--status-list",
            metavar="URL",
            callback=one_line,
            help="A status list of its cards, or a document that names its lists, to fetch ahead; may be repeated.",
        ),
    ] = None,
    status_issuer: Annotated[
        str | None,
        typer.Option(
            "--status-issuer",
            metavar="NAME",
            callback=one_line,
            help="Who else may sign its status lists: a DID or URL.",
        ),
    ] = None,
    status_eku: Annotated[
        str | None,
        typer.Option(
            "--status-eku",
            metavar="OID",
            callback=one_line,
            help="With --root: the extended key usage of certificates that sign its status lists.",
        ),
    ] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="DATE", help="Trusted from this day.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="DATE", help="Trusted until this day.")] = None,
    file: ListFile = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name beside the list.")] = False,
    json_: Json = False,
) -> None:
    """Trust an issuer for the types named. The files named are copied beside the list."""
    from cityid import trust
    from cityid.edge import files
    from cityid.errors import Misuse

    from . import home, kinds, papers, seen

    here = home.find(STATE.home)
    path = file or default_file(here)
    path.parent.mkdir(parents=True, exist_ok=True)
    entry: dict[str, Any] = {
        "mechanism": "did" if did else "web" if web else "x5c", "types": types, "status": status,
    }  # fmt: skip
    for member, value in (
        ("did", did), ("web", web), ("issuer", issuer), ("name", name), ("status_issuer", status_issuer),
        ("status_eku", status_eku), ("status_lists", status_list),
    ):  # fmt: skip
        if value is not None:
            entry[member] = value
    for member, day in (("since", since), ("until", until)):
        if day is not None:
            entry[member] = _date(day)
    copies: dict[Path, bytes] = {}
    for member, source, sort in (
        ("root", root, "certificate"), ("document", document, "document"), ("keys", keys, "key set"),
    ):  # fmt: skip
        if source is not None:
            entry[member] = source.name
            copies[path.parent / source.name] = data = files.read(source)
            if (problem := papers.misplaced(data, sort)) is not None:
                raise Misuse(problem)
    histories = histories_of(path.parent, did or "", log, witness_proofs)
    entry |= {member: file_.name for member, (file_, _) in histories.items()}
    copies |= dict(histories.values())
    old = files.read_home_file(path).decode("utf-8") if path.exists() else ""
    changed = trust.add(old, entry)
    beside = files.beside(path.parent)
    # Read as it will stand before anything is written: a list that cannot be read trusts nobody.
    named = Counter[str]()

    def load_(wanted: str) -> bytes:
        named[wanted] += 1
        return copies.get(path.parent / wanted) or beside(wanted)

    read = trust.read(changed, load_)
    logs = [one.history for one in read.entries if one.did == did and one.history is not None]
    trusted = replace(read, remembered=seen.load(here))
    for history in logs:
        for last in trusted.seen(did or ""):
            history.continues(last)
    known = kinds.known(here)[0]  # asked before anything is written: a type of this home may be broken
    _keep(copies, {place for place, _ in histories.values()}, named, force=force)
    files.write(path, changed.encode("utf-8"), force=True)
    seen.remember(here, logs)
    subject = did or web or issuer or str(root)
    talk.say(f"{talk.named(name or '', subject)} is trusted for {talk.clean(', '.join(types))} ({talk.clean(path)}).")
    for strange in [one for one in types if ":" not in one and "/" not in one and one not in known]:
        # it may be a type of that issuer's own; a slip of the pen would trust it for nothing
        talk.say(f"note: {talk.clean(strange)} is not a type that is known here; `cityid type show` lists them")
    bare = [one for one in types if one in known and known[one].status == "none"]
    if status == "required" and bare:
        talk.say(
            f"note: cards of the type {talk.clean(', '.join(bare))} carry no status as they are defined here, and "
            "without one they are refused; if that is so there, remove the issuer and add it with --status none"
        )
    if json_:
        talk.give({"issuer": subject, "mechanism": entry["mechanism"], "types": types, "file": str(path)})


def _keep(copies: dict[Path, bytes], histories: set[Path], named: Counter[str], *, force: bool) -> None:
    """Write what entries name beside the list. `named` says how many entries name it; a history goes on by itself.

    Raises:
        Misuse: `trust_file.kept_for_another`, `file.*`.
    """
    from cityid import limits
    from cityid.edge import files
    from cityid.errors import Misuse

    for target, data in copies.items():
        there = target.exists()
        if there and files.read_home_file(target, limits.WEBVH_LOG) == data:
            continue
        history = target in histories
        if there and not history and named[target.name] > 1:
            raise Misuse("trust_file.kept_for_another", file=str(target))
        files.write(target, data, force=force or history)


def histories_of(folder: Path, did: str, log: Path | None, proofs: Path | None) -> dict[str, tuple[Path, bytes]]:
    """By member of an entry, where the history of `did` is kept beside the list, and what it is.

    Raises:
        Misuse: `trust_file.no_history`, `file.*`.
    """
    from cityid import limits
    from cityid.did.webvh.identifier import scid_of
    from cityid.edge import files
    from cityid.errors import Misuse

    from . import papers

    found = {}
    for member, source, sort, ending in (
        ("log", log, "history", ".jsonl"), ("witness_proofs", proofs, "witness proof", "-witness.json"),
    ):  # fmt: skip
        if source is None:
            continue
        if not did.startswith("did:webvh:"):
            raise Misuse("trust_file.no_history", member=member)
        data = files.read(source, limits.WEBVH_LOG)
        if (problem := papers.misplaced(data, sort)) is not None:
            raise Misuse(problem)
        found[member] = (folder / f"{scid_of(did)}{ending}", data)
    return found


def _date(text: str) -> date:
    from cityid.encoding import times

    return times.read_date(text)


def remove(
    issuer: Annotated[str, typer.Argument(metavar="ISSUER", help="Its DID, URL, name in certificates or root file.")],
    file: ListFile = None,
    json_: Json = False,
) -> None:
    """Trust an issuer no longer."""
    from cityid import trust
    from cityid.edge import files

    from . import home

    here = home.find(STATE.home)
    path = file or default_file(here)
    text = files.read_home_file(path).decode("utf-8")
    files.write(path, trust.remove(text, issuer).encode("utf-8"), force=True)
    talk.say(f"{talk.clean(issuer)} is no longer trusted ({talk.clean(path)}).")
    if json_:
        talk.give({"issuer": issuer, "file": str(path)})
