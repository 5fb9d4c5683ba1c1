"""`cityid verify`: judge an answer, and say why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import talk
from .options import Force, Json, Record, Replay
from .state import STATE

if TYPE_CHECKING:
    from cityid.edge.recorded import Recorder
    from cityid.plan import Exchange
    from cityid.verifying import AnswerVerdict

    from .service import Taken


def register(app: typer.Typer) -> None:
    app.command("verify")(verify)


def verify(
    answer: Annotated[
        list[Path] | None, typer.Argument(metavar="ANSWER...", help="The wallet's answer; several are judged in turn.")
    ] = None,
    session: Annotated[
        list[str] | None,
        typer.Option(
            "--session",
            metavar="REQUEST",
            help="The request file, session file or session name; once for each answer, in their order.",
        ),
    ] = None,
    policy: Annotated[str | None, typer.Option("--policy", hidden=True)] = None,
    given: Annotated[
        list[str] | None, typer.Option("--given", metavar="NAME=VALUE", help="A value that the policy compares with.")
    ] = None,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline", help="Ask nobody: use what `cityid trust sync` fetched, for as long as the policy says."
        ),
    ] = False,
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
        if answer or session or given or record or offline:
            raise Misuse("verify.replay_alone")
        status, result = _replay(replay, json_=json_)
        if json_:
            talk.give(result)
        raise talk.Stop(status)
    if not answer:
        raise Misuse("verify.no_answer")
    if not session:
        raise Misuse("verify.no_session")
    if len(session) != len(answer):
        raise Misuse("verify.sessions", answers=len(answer), sessions=len(session))
    if record is not None:
        from cityid.edge import files

        if len(answer) > 1:
            raise Misuse("verify.record_one")
        # Before the session is taken: a question that was spent cannot be judged and recorded again.
        files.check_free(record, force=force)
    from . import home, service

    values = _given(given or [])
    taken = service.Taken(service.sessions(home.find(STATE.home, "service")))
    heard = False
    try:
        with talk.held() as said:
            results = [
                _one(path, named, values, record, taken, offline=offline, force=force, json_=json_)
                for path, named in zip(answer, session, strict=True)
            ]
            if json_:
                shown = [result for _, result in results]
                several = [{"file": str(a), **r} for a, r in zip(answer, shown, strict=True)]
                talk.give(several if len(shown) > 1 else shown[0])
        heard = True
        said.release()
    except talk.Unheard as unheard:
        heard = unheard.some  # a part of it may have been acted upon
        raise
    finally:
        taken.end(heard=heard)
    statuses = {status for status, _ in results}
    raise talk.Stop(next(one for one in (talk.NO, talk.NO_ANSWER, talk.DONE) if one in statuses))


def _given(pairs: list[str]) -> dict[str, str]:
    from cityid.errors import Misuse

    values = {}
    for pair in pairs:
        name, found, value = pair.partition("=")
        if not found or not name:
            raise Misuse("verify.given", text=pair)
        values[name] = value
    return values


def _one(
    path: Path,
    session: str,
    given: dict[str, str],
    record: Path | None,
    taken: Taken,
    *,
    offline: bool,
    force: bool,
    json_: bool,
) -> tuple[int, dict[str, Any]]:
    """Judge one answer and tell the verdict, but for JSON: exit status and result."""
    from cityid.edge import clock, files
    from cityid.encoding import json
    from cityid.errors import Malformed, Refused
    from cityid.verifying import not_open, verify_answer

    from . import home, papers, seen, service
    from .verdicts import show

    raw = files.read(path, 1 << 20)
    at = clock.now()
    name = service.session_name(session)
    try:
        sent = json.read_object(raw)
        token = json.Fields(sent).object("vp_token")
    except Malformed as error:
        # Nothing was judged, so the question stays open.
        return talk.NO, _unread(papers.misplaced(raw, "answer") or error.problem, json_=json_)
    try:
        question = service.Question.read(json.read_object(taken.begin(name, at), limit=16 << 20))
    except Refused as error:
        return show(not_open(error.problem), None, token, at, json_=json_)
    try:
        here = home.find(STATE.home, "service")
        known = seen.load(here)
        asked = question.asked(name, given, known)
    except BaseException:
        taken.give_back(name)
        raise
    watch = seen.Watch(service.network(here, asked.policy.freshness.offline, away=offline))
    recorder = None if record is None else _recorder(watch)
    verdict = verify_answer(token, asked, at, sessions=taken).run(watch if recorder is None else recorder)
    watch.remember(here, asked.policy.trust, at)
    if record is not None and recorder is not None:
        context = {"session": name, "question": question.write(), "answer": sent, "given": given, "seen": dict(known)}
        files.write(record, recorder.record(at, context).write(), force=force, private=True)
        talk.say(f"Kept in {talk.clean(record)}. It may hold personal data.")
    return show(verdict, asked, token, at, json_=json_)


def _recorder(exchange: Exchange) -> Recorder:
    from cityid.edge.recorded import Recorder

    return Recorder(exchange)


def _unread(problem: Any, *, json_: bool) -> dict[str, Any]:
    if not json_:
        talk.out("refused    an answer that cannot be read")
    talk.problem(problem)
    from .verdicts import why

    return {"verdict": "refused", "reason": why(problem), "problems": [talk.as_json(problem)]}


def _replay(path: Path, *, json_: bool) -> tuple[int, dict[str, Any]]:
    from cityid.edge import files
    from cityid.edge.recorded import SIZE, Replay, read_record
    from cityid.encoding import json
    from cityid.verifying import verify_answer

    from . import papers, service
    from .verdicts import show

    data = files.read(path, SIZE)
    with papers.expected(data, "record"):
        kept = read_record(data)
    context = json.Fields(dict(kept.context), "$.context")
    question = service.Question.read(context.object("question"))
    given = {name: str(value) for name, value in context.object("given").items()}
    known = {scid: str(last) for scid, last in (context.optional_object("seen") or {}).items()}
    asked = question.asked(context.text("session"), given, known)
    token = json.Fields(context.object("answer"), "$.context.answer").object("vp_token")
    verdict: AnswerVerdict = verify_answer(token, asked, kept.at, sessions=service.Taken(None)).run(Replay(kept))
    return show(verdict, asked, token, kept.at, json_=json_, replayed=True)
