"""`cityid trust sync`: fetch ahead what verifying needs where there is no network."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import talk
from .options import Json
from .state import STATE
from .trust import ListFile, default_file, histories_of, load

if TYPE_CHECKING:
    from cityid.plan import Request, Response
    from cityid.status.ahead import Fetched
    from cityid.trust import TrustList

    from .home import Home

_AGAIN = timedelta(minutes=5)


def sync(
    file: ListFile = None,
    log: Annotated[
        Path | None,
        typer.Option("--log", metavar="FILE", help="Take the newer did.jsonl of a pinned did:webvh from here instead."),
    ] = None,
    witness_proofs: Annotated[
        Path | None, typer.Option("--witness-proofs", metavar="FILE", help="With --log: its did-witness.json.")
    ] = None,
    json_: Json = False,
) -> None:
    """Fetch the keys and status lists of the trusted issuers, for verifying without a network.

    How long they may then be used says the policy (`[freshness]`, `offline`). Exit status 3 if something is missing.
    """
    from cityid.edge import clock
    from cityid.edge.http import Http
    from cityid.edge.http_kept import KeptFolder
    from cityid.status.ahead import fetch_ahead

    from . import home, seen, service

    here = home.find(STATE.home)
    trusted = load(here, file)
    if log is not None:
        _renew(here, file or default_file(here), trusted, log, witness_proofs)
        return
    http = Http(cache=KeptFolder(service.kept(here), ahead=True))
    asked: set[str] = set()

    def exchange(request: Request) -> Response:
        # Everything anew, and nothing twice: an issuer's keys are needed for each of its lists.
        max_age = _AGAIN if request.url in asked else timedelta(0)
        asked.add(request.url)
        return http(replace(request, max_age=max_age))

    at = clock.now()
    watch = seen.Watch(exchange)
    found = fetch_ahead(trusted, at).run(watch)
    watch.remember(here, trusted, at)
    if json_:
        talk.give([_as_json(one) for one in found])
    else:
        for line in talk.columns([_row(one) for one in found]):
            talk.out(line)
    if not found:
        talk.say(
            "Nothing is to be fetched: the list pins all keys and names no status lists.\n"
            "hint: cityid trust add --status-list URL"
        )
    if any(one.problem is not None for one in found):
        raise talk.Stop(talk.NO_ANSWER)


def _renew(here: Home, path: Path, trusted: TrustList, log: Path, proofs: Path | None) -> None:
    """A newer history for those issuers of the list whose history is pinned."""
    from cityid import limits
    from cityid.did import webvh
    from cityid.did.webvh import history, identifier
    from cityid.edge import clock, files
    from cityid.errors import Misuse

    from . import papers, seen

    data = files.read(log, limits.WEBVH_LOG)
    with papers.expected(data, "history"):
        read = webvh.read_log(data, clock.now())
    pinned = [one for one in trusted.entries if one.history is not None and one.history.scid == read.scid]
    if not pinned:
        raise Misuse("trust_file.no_such_issuer", issuer=read.last.did)
    kept = histories_of(path.parent, pinned[0].did, log, proofs)
    whole = history.approved(read, kept["witness_proofs"][1] if proofs else None).whole()
    for entry in pinned:
        history.belonging(whole, identifier.read(entry.did))
        for last in (*trusted.seen(entry.did), *([entry.history.last.id] if entry.history else [])):
            whole.continues(last)
    for target, content in (kept[member] for member in ("witness_proofs", "log") if member in kept):
        files.write(target, content, force=True)
    seen.remember(here, [whole])
    talk.say(f"{talk.clean(whole.last.did)}: {whole.last.number} entries, the last of {whole.last.written}.")


def _row(one: Fetched) -> tuple[str, str, str, str]:
    from cityid.edge.messages import explain

    if one.problem is not None:
        told = explain(one.problem)
        return "  ??  ", one.what, talk.clean(one.place), f"{talk.clean(told.text)}    ({talk.clean(told.rule)})"
    until = f"holds until {one.until:%d %b %Y %H:%M} UTC" if one.until is not None else ""
    return "  ok  ", one.what, talk.clean(one.place), until


def _as_json(one: Fetched) -> dict[str, object]:
    shown: dict[str, object] = {"issuer": one.issuer, "what": one.what, "place": one.place}
    if one.until is not None:
        shown["until"] = one.until
    if one.problem is not None:
        shown["problem"] = talk.as_json(one.problem)
    return shown
