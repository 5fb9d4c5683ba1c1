"""`cityid verify`: judge an answer, and say why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import talk
from .options import Force, Json, Record, Replay
from .state import STATE

if TYPE_CHECKING:
    from cityid.verifying import AnswerVerdict


def register(app: typer.Typer) -> None:
    app.command("verify")(verify)


def verify(
    answer: Annotated[
        list[Path] | None, typer.Argument(metavar="ANSWER...", help="The wallet's answer; several are judged in turn.")
    ] = None,
    session: Annotated[
        str | None, typer.Option("--session", metavar="REQUEST", help="The request file, session file or session name.")
    ] = None,
    policy: Annotated[str | None, typer.Option("--policy", hidden=True)] = None,
    given: Annotated[
        list[str] | None, typer.Option("--given", metavar="NAME=VALUE", help="A value that the policy compares with.")
    ] = None,
    record: Record = None,
    replay: Replay = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Judge an answer against the request it answers: accepted, refused or undecided, and why.

    Exit status 0 is accepted, 1 refused, 3 no answer could be had.
    """
    from cityid.errors import Misuse

    if policy is not None:
        raise Misuse("verify.policy_beside_session")
    if replay is not None:
        if answer or session or given or record:
            raise Misuse("verify.replay_alone")
        raise talk.Stop(_replay(replay, json_=json_))
    if not answer:
        raise Misuse("verify.no_answer")
    if session is None:
        raise Misuse("verify.no_session")
    if record is not None and len(answer) > 1:
        raise Misuse("verify.record_one")
    values = _given(given or [])
    worst = talk.DONE
    for path in answer:
        status = _one(path, session, values, record, force=force, json_=json_)
        worst = status if worst == talk.DONE or status == talk.NO else worst
    raise talk.Stop(worst)


def _given(pairs: list[str]) -> dict[str, str]:
    from cityid.errors import Misuse

    values = {}
    for pair in pairs:
        name, found, value = pair.partition("=")
        if not found or not name:
            raise Misuse("verify.given", text=pair)
        values[name] = value
    return values


def _one(path: Path, session: str, given: dict[str, str], record: Path | None, *, force: bool, json_: bool) -> int:
    from cityid.edge import clock, files
    from cityid.edge.recorded import Recorder
    from cityid.encoding import json
    from cityid.errors import Malformed, Refused
    from cityid.verifying import not_open, verify_answer

    from . import home, service
    from .verdicts import show

    here = home.find(STATE.home, "service")
    raw = files.read(path, 1 << 20)
    at = clock.now()
    name = service.session_name(session)
    store = service.sessions(here)
    try:
        sent = json.read_object(raw)
        token = json.Fields(sent).object("vp_token")
    except Malformed as error:
        # Nothing was judged, so the question stays open.
        return _unread(error.problem, json_=json_)
    try:
        question = service.Question.read(json.read_object(store.take(name, at), limit=16 << 20))
    except Refused as error:
        return show(not_open(error.problem), None, token, at, json_=json_)
    exchange = Recorder(service.network())
    try:
        asked = question.asked(name, given)
    except BaseException:
        store.give_back(name)
        raise
    verdict = verify_answer(token, asked, at, sessions=service.Taken(store)).run(exchange)
    if record is not None:
        context = {"session": name, "question": question.write(), "answer": sent, "given": given}
        files.write(record, exchange.record(at, context).write(), force=force, private=True)
        talk.say(f"Kept in {talk.clean(record)}. It may hold personal data.")
    return show(verdict, asked, token, at, json_=json_)


def _unread(problem: Any, *, json_: bool) -> int:
    if json_:
        talk.give({"verdict": "refused", "problems": [talk.as_json(problem)]})
    else:
        talk.out("refused    an answer that cannot be read")
    talk.problem(problem)
    return talk.NO


def _replay(path: Path, *, json_: bool) -> int:
    from cityid.edge import files
    from cityid.edge.recorded import SIZE, Replay, read_record
    from cityid.encoding import json
    from cityid.verifying import verify_answer

    from . import service
    from .verdicts import show

    kept = read_record(files.read(path, SIZE))
    context = json.Fields(dict(kept.context), "$.context")
    question = service.Question.read(context.object("question"))
    given = {name: str(value) for name, value in context.object("given").items()}
    asked = question.asked(context.text("session"), given)
    token = json.Fields(context.object("answer"), "$.context.answer").object("vp_token")
    verdict: AnswerVerdict = verify_answer(token, asked, kept.at, sessions=service.Taken(None)).run(Replay(kept))
    return show(verdict, asked, token, kept.at, json_=json_, replayed=True)
