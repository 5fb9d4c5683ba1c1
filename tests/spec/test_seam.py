"""The seam and the two kinds of no: plans, checks, verdicts, problems."""

from __future__ import annotations

import asyncio
import copy
import pickle
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest

from cityid.checks import (
    NOT_REACHED,
    PASSED,
    Accepted,
    Outcome,
    Rejected,
    Step,
    failed,
    passed,
    undecided,
    waived,
)
from cityid.errors import Malformed, Misuse, Problem, Refused, Unavailable, one_line
from cityid.plan import Plan, Request, Response, Steps, plan

AT = datetime(2026, 1, 1, tzinfo=UTC)


def echo(request: Request) -> Response:
    return Response(200, {}, request.url.encode(), AT)


async def echo_async(request: Request) -> Response:
    await asyncio.sleep(0)
    return echo(request)


@plan
def ask(url: str) -> Steps[str]:
    response = yield Request("GET", url)
    return response.body.decode()


@plan
def ask_twice(url: str) -> Steps[str]:
    first = yield from ask(url + "/1")
    second = yield from ask(url + "/2")
    return f"{first} {second}"


@plan
def forgiving(url: str) -> Steps[str]:
    try:
        return (yield from ask(url))
    except Unavailable as error:
        return error.code


@plan
def asks_nothing() -> Steps[int]:
    yield from ()
    return 1


class TestPlan:
    def test_both_drivers(self) -> None:
        assert ask_twice("u").run(echo) == "u/1 u/2"
        assert asyncio.run(ask_twice("u").run_async(echo_async)) == "u/1 u/2"

    def test_a_plan_may_ask_nothing(self) -> None:
        def never(request: Request) -> Response:
            raise AssertionError(request)

        assert asks_nothing().run(never) == 1

    def test_it_runs_once(self) -> None:
        question = ask("u")
        question.run(echo)
        with pytest.raises(TypeError, match="run already"):
            question.run(echo)
        with pytest.raises(TypeError, match="run already"):
            iter(question)

    def test_it_is_no_answer(self) -> None:
        with pytest.raises(TypeError, match="run it first"):
            bool(ask("u"))

    def test_failures_reach_the_plan(self) -> None:
        def down(request: Request) -> Response:
            raise Unavailable("net.unreachable", host="x")

        async def down_async(request: Request) -> Response:
            return down(request)

        assert forgiving("u").run(down) == "net.unreachable"
        assert asyncio.run(forgiving("u").run_async(down_async)) == "net.unreachable"
        with pytest.raises(Unavailable):
            ask("u").run(down)
        with pytest.raises(Unavailable):
            asyncio.run(ask("u").run_async(down_async))

    def test_the_name_stays(self) -> None:
        assert ask.__name__ == "ask"
        assert isinstance(ask("u"), Plan)


class TestChecks:
    def test_a_check_is_not_a_boolean(self) -> None:
        with pytest.raises(TypeError, match="outcome"):
            bool(passed(Step.STATUS))

    def test_what_they_carry(self) -> None:
        assert passed(Step.QUERY) is PASSED[Step.QUERY]
        assert passed(Step.STATUS, ttl=5).facts == {"ttl": 5}
        no = failed(Step.VALIDITY, "validity.expired", end="2026", spec="RFC 7519 §4.1.4", where="$.exp")
        assert no.outcome is Outcome.FAILED
        assert no.problem == Problem("validity.expired", {"end": "2026"}, "$.exp", "RFC 7519 §4.1.4")
        assert failed(Step.VALIDITY, Problem("x")).problem == Problem("x")
        assert undecided(Step.STATUS, "status.x").outcome is Outcome.UNDECIDED
        assert undecided(Step.STATUS, Problem("x")).problem == Problem("x")
        assert waived(Step.STATUS).outcome is Outcome.WAIVED

    def test_nine_steps(self) -> None:
        assert len(Step) == len(PASSED) == len(NOT_REACHED) == 9


class TestVerdicts:
    def test_truth(self) -> None:
        yes = Accepted(tuple(PASSED.values()), {}, "did:web:x")
        no = Rejected((failed(Step.STATUS, "status.revoked"),))
        assert yes
        assert not no
        assert yes.require() is yes
        with pytest.raises(Refused) as refused:
            no.require()
        assert refused.value.code == "status.revoked"
        assert not hasattr(no, "claims")

    def test_undecided(self) -> None:
        open_ = undecided(Step.STATUS, "net.unreachable")
        assert Rejected((open_,)).undecided
        assert Rejected((open_,)).reason.code == "net.unreachable"
        assert not Rejected((failed(Step.QUERY, "x.y"), open_)).undecided
        assert Rejected((open_, failed(Step.QUERY, "x.y"))).reason.code == "x.y"
        assert Rejected((NOT_REACHED[Step.QUERY],)).reason.code == "verdict.without_reason"


class TestProblems:
    def test_frozen(self) -> None:
        problem = Problem("a.b", {"n": 1})
        with pytest.raises(FrozenInstanceError):
            problem.code = "c.d"  # type: ignore[misc]
        with pytest.raises(TypeError):
            problem.facts["n"] = 2  # type: ignore[index]

    def test_fields_are_one_line(self) -> None:
        problem = Problem(
            "a.b", {"x": "a\nb\x1b[2J\u2028" + "y" * 600, "n": 10**400}, where="$.\r", private={"v": "\x00"}
        )
        text = str(problem.facts["x"])
        assert text.startswith("a\\x0ab\\x1b[2J\\u2028")
        assert len(text) <= 500
        assert problem.facts["n"] == "a very large number"
        assert problem.where == "$.\\x0d"
        assert problem.private == {"v": "\\x00"}
        assert len(one_line("\x00" * 499)) == 500

    def test_private_facts_are_not_printed(self) -> None:
        error = Malformed("claim.not_a_date", where="$.birthdate", private={"value": "canary"}, name="birthdate")
        assert "canary" not in f"{error} {error!r} {error.problem!r} {error.args}"
        assert str(error) == "claim.not_a_date at $.birthdate (name=birthdate)"

    def test_they_travel_between_processes(self) -> None:
        problem = Problem("a.b", {"n": 1}, "$.x", "RFC 1 §2", {"value": "v"})
        for kind in (Malformed, Refused, Unavailable, Misuse):
            there = pickle.loads(pickle.dumps(kind(problem)))
            assert type(there) is kind
            assert there.problem == problem == copy.deepcopy(problem)
            with pytest.raises(TypeError):
                there.problem.facts["n"] = 2  # type: ignore[index]

    def test_the_four(self) -> None:
        for kind in (Malformed, Refused, Unavailable, Misuse):
            error = kind(Problem("a.b"))
            assert error.code == "a.b"
            assert str(error) == "a.b"
