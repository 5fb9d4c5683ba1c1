"""`cityid request`: ask for a presentation. The question and its policy stay in the service's home."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from . import talk
from .options import Force, Json, Out
from .state import STATE


def register(app: typer.Typer) -> None:
    app.command("request")(request)


def request(
    policy: Annotated[Path, typer.Option("--policy", metavar="FILE", help="What to ask and what to accept.")],
    output: Out = None,
    session: Annotated[
        Path | None, typer.Option("--session", metavar="FILE", help="Also write the session's name to FILE.")
    ] = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Ask for a presentation: makes a request with a fresh nonce, good for ten minutes and one answer."""
    from cityid import limits
    from cityid import policy as policies
    from cityid.edge import clock, files
    from cityid.encoding import json, times
    from cityid.formats import FORMATS
    from cityid.sessions import new_key

    from . import home, kinds, papers, service

    here = home.find(STATE.home, "service")
    for path in (output, session):
        if path is not None:
            files.check_free(path, force=force)
    text = files.read(policy, limits.DOCUMENT)
    kept: dict[str, bytes] = {}
    types, sources = kinds.known(here)
    with papers.expected(text, "policy"):
        judge = policies.read(text, types=types, load=service.collecting(policy.parent, kept), formats=FORMATS)
    at = clock.now()
    until = at + limits.SESSION_AGE
    name, nonce = new_key(), new_key()
    used = {kind: data for kind, data in sources.items() if kind.encode() in text or b"dcql" in text}
    question = service.Question(here.text("audience"), nonce, text, kept, used)
    asked = {
        "response_type": "vp_token",
        "client_id": question.audience,
        "nonce": nonce,
        "state": name,
        "dcql_query": judge.query.to_json(),
        "cityid": {"purpose": judge.purpose, "expires": times.stamp(until), "by": here.config.get("name", "")},
    }
    data = json.write(asked) + b"\n"
    if output is not None:
        files.write(output, data, force=force)
    if session is not None:
        files.write(session, json.write({"session": name}) + b"\n", force=force, private=True)
    service.sessions(here).put(name, json.write(question.write()), until)
    if output is None or json_:
        talk.out(data.decode("utf-8").rstrip("\n"))
    if output is not None:
        minutes = int(limits.SESSION_AGE / timedelta(minutes=1))
        talk.say(
            f"Request for {talk.clean(judge.purpose)} written to {talk.clean(output)}, "
            f"good for {minutes} minutes and one answer."
        )
