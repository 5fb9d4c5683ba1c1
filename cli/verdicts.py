"""How a verdict is shown: a fixed template, foreign values quoted and cleaned, and the exit status is the truth."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cityid.checks import Accepted, Check, Outcome, Step
from cityid.credential import CertificateChain, DidUrl, Presentation
from cityid.encoding import base64url, json, paths
from cityid.errors import Malformed, Problem
from cityid.verifying import AnswerAccepted, AnswerRejected, AnswerVerdict, Asked

from . import talk

_NAMES = {
    Step.ISSUER_TRUSTED: "issuer trusted",
    Step.ISSUER_KEY: "issuer key",
    Step.ISSUER_SIGNATURE: "issuer signature",
    Step.HOLDER_BINDING: "holder binding",
}
JUST_NOW = 15
"""Seconds that one judgement may take."""
_MARKS = {
    Outcome.PASSED: "ok",
    Outcome.FAILED: "NO",
    Outcome.UNDECIDED: "??",
    Outcome.WAIVED: "--",
    Outcome.NOT_REACHED: "--",
}


def show(
    verdict: AnswerVerdict,
    asked: Asked | None,
    token: Mapping[str, Any],
    at: datetime,
    *,
    json_: bool,
    replayed: bool = False,
) -> tuple[int, dict[str, Any]]:
    """Show a verdict on an answer, but for JSON; the exit status that says the same, and the JSON."""
    word, status = _word(verdict)
    if not json_:
        _as_text(verdict, asked, token, word, at, replayed=replayed)
    return status, _as_json(verdict, word, at, replayed=replayed)


def _word(verdict: AnswerVerdict) -> tuple[str, int]:
    if isinstance(verdict, AnswerAccepted):
        return "accepted", talk.DONE
    return ("undecided", talk.NO_ANSWER) if verdict.undecided else ("refused", talk.NO)


# -- JSON (schemas/verdict.schema.json) --


def _as_json(verdict: AnswerVerdict, word: str, at: datetime, *, replayed: bool) -> dict[str, Any]:
    reason = None if isinstance(verdict, AnswerAccepted) else why(verdict.reason)
    shown: dict[str, Any] = {"verdict": word, "reason": reason, "at": at.isoformat()}
    if replayed:
        shown["replayed"] = True
    if isinstance(verdict, AnswerAccepted):
        answers = {name: [_accepted(one) for one in group] for name, group in verdict.accepted.items()}
        ignored = {name: [_checks(checks) for checks in group] for name, group in verdict.discarded.items()}
        if ignored:
            shown["discarded"] = ignored
    else:
        answers = {name: [{"checks": _checks(checks)} for checks in group] for name, group in verdict.checks.items()}
        shown["problems"] = [talk.as_json(problem) for problem in (*verdict.problems, verdict.reason)][:-1] or [
            talk.as_json(verdict.reason)
        ]
    single = [one for group in answers.values() for one in group]
    if len(single) == 1:
        shown.update(single[0])
    shown["answers"] = answers
    return shown


def why(problem: Problem) -> dict[str, str]:
    """The first reason, for programs that show it to a person."""
    from cityid.edge.messages import explain

    return {"code": problem.code, "text": explain(problem).text}


def _accepted(verdict: Accepted) -> dict[str, Any]:
    return {"issuer": verdict.issuer, "claims": verdict.claims, "checks": _checks(verdict.checks)}


def _checks(checks: tuple[Check, ...]) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for check in checks:
        one: dict[str, Any] = {"step": check.step.value, "outcome": check.outcome.value}
        if check.problem is not None:
            one.update(talk.as_json(check.problem))
        elif check.facts:
            one["facts"] = dict(check.facts)
        out.append(one)
    return out


# -- text --


def _as_text(
    verdict: AnswerVerdict, asked: Asked | None, token: Mapping[str, Any], word: str, at: datetime, *, replayed: bool
) -> None:
    again = "  (replayed)" if replayed else ""
    head = {"accepted": talk.good("accepted"), "refused": talk.bad("refused"), "undecided": "no answer"}[word]
    pad = " " * (11 - len("no answer" if word == "undecided" else word))
    if isinstance(verdict, AnswerAccepted):
        for name, group in verdict.accepted.items():
            for one in group:
                seen = _seen(asked, name, token)
                talk.out(f"{head}{pad}{_title(seen, one.checks)}{again}\n")
                _table(one.checks, seen, asked, name, one.claims, at)
                for line in talk.columns(_others(asked, name, one.claims) if asked is not None else []):
                    talk.out(line)
        for name in verdict.discarded:
            talk.say(f"One presentation for {talk.clean(name)} was refused, and was not needed.")
        return
    if not verdict.checks:
        talk.out(f"{head}{pad}{'an answer' if asked is None else talk.clean(asked.policy.purpose)}{again}")
    for name, checks in ((name, checks) for name, group in verdict.checks.items() for checks in group):
        seen = _seen(asked, name, token)
        talk.out(f"{head}{pad}{_title(seen, checks)}{again}\n")
        _table(checks, seen, asked, name, {}, at)
    if not verdict.checks:
        _say_why(verdict)
    else:
        _hint(verdict.reason)


def _say_why(verdict: AnswerRejected) -> None:
    from cityid.edge.messages import explain

    for problem in verdict.problems:
        told = explain(problem)
        talk.out(f"\n  NO       {talk.clean(told.text)}    ({talk.clean(told.rule)})")
    _hint(verdict.reason)


def _hint(problem: Problem) -> None:
    from cityid.edge.messages import explain

    told = explain(problem)
    if told.hint:
        talk.say(f"hint: {talk.clean(told.hint)}")


def _seen(asked: Asked | None, name: str, token: Mapping[str, Any]) -> Presentation | None:
    """The credential again, for the words beside a check; verdicts themselves carry no data of a refused one."""
    from cityid.formats import FORMATS, wire

    item = asked.query.credential(name) if asked is not None else None
    group = token.get(name)
    if item is None or item.format not in FORMATS or not isinstance(group, list) or len(group) != 1:
        return None
    try:
        return FORMATS[item.format].read_presentation(wire.read(group[0], item.format, "$"))[0]
    except Malformed:
        return None


def _title(seen: Presentation | None, checks: tuple[Check, ...]) -> str:
    if seen is None:
        return "a card that cannot be read"
    trusted = next((check for check in checks if check.step is Step.ISSUER_TRUSTED), None)
    if trusted is None or trusted.outcome is not Outcome.PASSED:
        return f"{talk.clean(seen.credential.types[0], 80)} by an issuer that is not trusted"
    kind = talk.clean(trusted.facts.get("type") or seen.credential.types[0], 80)
    return f"{kind} by {talk.named(str(trusted.facts.get('name', '')), seen.credential.issuer)}"


def _table(
    checks: tuple[Check, ...],
    seen: Presentation | None,
    asked: Asked | None,
    name: str,
    claims: Mapping[str, Any],
    at: datetime,
) -> None:
    stopped = next((check.step for check in checks if check.outcome in (Outcome.FAILED, Outcome.UNDECIDED)), None)
    rows = []
    for check in checks:
        label = _NAMES.get(check.step, check.step.value)
        if check.outcome is Outcome.PASSED:
            text = _passed(check, seen, asked, name, claims, at)
        elif check.outcome is Outcome.NOT_REACHED:
            text = f"not reached: {_NAMES.get(stopped, stopped.value)} did not pass" if stopped else "not reached"
        elif check.outcome is Outcome.WAIVED:
            text = "waived by policy"
        else:
            text = _refused(check)
        rows.append((_MARKS[check.outcome], label, text))
    for line in talk.columns([(f"  {mark:<7}", f"{label:<15}", text) for mark, label, text in rows]):
        talk.out(line)


def _refused(check: Check) -> str:
    from cityid.edge.messages import explain

    told = explain(check)
    return f"{talk.clean(told.text)}    ({talk.clean(told.rule)})"


def _passed(
    check: Check, seen: Presentation | None, asked: Asked | None, name: str, claims: Mapping[str, Any], at: datetime
) -> str:
    if seen is None or asked is None:
        return ""
    step = check.step
    if step is Step.ISSUER_KEY:
        return _key(seen)
    card = seen.credential
    if step is Step.STRUCTURE:
        return f"{card.format}, {_count(len(card.hidden), 'hideable claim')} shown"
    if step is Step.ISSUER_TRUSTED:
        source = check.facts.get("list")
        told = f"{talk.clean(card.issuer)} may issue {talk.clean(check.facts.get('type', card.types[0]), 80)}"
        return f"{told} ({talk.clean(source)})" if source else told
    if step is Step.HOLDER_BINDING:
        return f"to {talk.clean(asked.challenge.audience)}, with this request's nonce{_signed(seen, at)}"
    if step is Step.VALIDITY:
        end = card.window.end
        return f"until {end:%d %b %Y %H:%M} UTC" if end is not None else ""
    if step is Step.QUERY:
        item = asked.query.credential(name)
        count = len(item.claims) if item is not None else 0
        if count == 1:
            return "the one claim asked for is shown"
        return f"all {count} claims asked for are shown" if count else "nothing was asked for but the card"
    if step is Step.CONDITIONS:
        told_of = [_condition(condition.claim, claims) for condition in asked.policy.conditions.get(name, ())]
        if "schema" in check.facts:
            why = f" ({check.facts['reason']})" if "reason" in check.facts else ""
            told_of.append(f"the schema that the card names is {check.facts['schema']}{why}")
        return "; ".join(text for text in told_of if text)
    if step is Step.STATUS:
        return _status(check, at)
    return ""


def _status(check: Check, at: datetime) -> str:
    """Which entry of which list, and how fresh that is: fetched now, as of when, or until when it is known where the
    list cannot be had."""
    facts = check.facts
    if facts.get("status") != "valid":
        return "none needed"
    name = "/".join(str(facts["list"]).rstrip("/").split("/")[-2:])
    as_of, until = (datetime.fromisoformat(str(facts[each])) for each in ("status_as_of", "known_until"))
    if facts["freshness"] == "stale":
        when = f"known until {_clock(until, at)}"
    elif abs((at - as_of).total_seconds()) <= JUST_NOW:
        when = "fetched now"
    else:
        when = f"as of {_clock(as_of, at)}"
    return f"valid, entry {facts['index']} of {talk.clean(name, 80)}, {when}"


def _clock(moment: datetime, at: datetime) -> str:
    return f"{moment:%H:%M} UTC" if moment.date() == at.date() else f"{moment:%d %b %Y %H:%M} UTC"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _key(seen: Presentation) -> str:
    """The algorithm (as the header says, which the signature then has to bear out) and the name of the key."""
    place = seen.credential.signed_by[0].at
    if isinstance(place, DidUrl):
        name = f"#{place.fragment}" if place.fragment else "the only key"
    elif isinstance(place, CertificateChain):
        name = f"a chain of {_count(len(place.certificates), 'certificate')}"
    else:
        name = f"{place.kid} of {place.issuer}"
    algorithm = _part(seen.raw.partition(b".")[0]).get("alg", "")
    return ", ".join(talk.clean(text, 80) for text in (algorithm, name) if text)


def _signed(seen: Presentation, at: datetime) -> str:
    made = _part(([*seen.raw.rpartition(b"~")[2].split(b"."), b""])[1]).get("iat")
    if not isinstance(made, int):
        return ""
    seconds = int(at.timestamp()) - made
    return f", signed {seconds} s ago" if seconds >= 0 else f", signed {-seconds} s ahead of this clock"


def _part(text: bytes) -> dict[str, Any]:
    """A part of a compact token again, for words only: nothing is judged by it."""
    try:
        return json.read_object(base64url.decode(text.decode("ascii", "replace")))
    except Malformed:
        return {}


def _others(asked: Asked, name: str, claims: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The claims that were asked for and shown, and that no condition tells already."""
    from cityid.credential import about, leaves_of

    told = {condition.claim for condition in asked.policy.conditions.get(name, ())}
    return [
        ("  shows ", talk.clean(paths.write(about(path))), f"= {talk.value(value)}")
        for path, value in sorted(leaves_of(claims), key=lambda leaf: paths.write(about(leaf[0])))
        if path not in told
    ]


def _condition(path: Any, claims: Mapping[str, Any]) -> str:
    from cityid.credential import about

    value: Any = claims
    for part in path:
        if isinstance(part, str) and isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            return f"{paths.write(about(path))} fits"
    return f"{talk.clean(paths.write(about(path)))} is {talk.clean(talk.value(value), 60)}"
