"""`cityid trust sync`: fetch ahead what verifying needs where there is no network."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from . import talk
from .options import Json
from .state import STATE
from .trust import ListFile, load

if TYPE_CHECKING:
    from cityid.plan import Request, Response
    from cityid.status.ahead import Fetched

_AGAIN = timedelta(minutes=5)


def sync(file: ListFile = None, json_: Json = False) -> None:
    """Fetch the keys and status lists of the trusted issuers, for verifying without a network.

    How long they may then be used says the policy (`[freshness]`, `offline`). Exit status 3 if something is missing.
    """
    from cityid.edge import clock
    from cityid.edge.http import Http
    from cityid.edge.http_kept import KeptFolder
    from cityid.status.ahead import fetch_ahead

    from . import home, service

    here = home.find(STATE.home)
    trusted = load(here, file)
    http = Http(cache=KeptFolder(service.kept(here), ahead=True))
    asked: set[str] = set()

    def exchange(request: Request) -> Response:
        # Everything anew, and nothing twice: an issuer's keys are needed for each of its lists.
        max_age = _AGAIN if request.url in asked else timedelta(0)
        asked.add(request.url)
        return http(replace(request, max_age=max_age))

    found = fetch_ahead(trusted, clock.now()).run(exchange)
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
