"""What verification says: nine Steps, each exactly once in each verdict, and claims only after yes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Any, Final, Literal, NoReturn, TypeAlias

from cityid.errors import Fact, Problem, Refused

_NO_FACTS: Final[Mapping[str, Fact]] = MappingProxyType({})


class Step(StrEnum):
    """The questions of a verification, in the order in which they are asked."""

    STRUCTURE = "structure"
    ISSUER_TRUSTED = "issuer_trusted"
    ISSUER_KEY = "issuer_key"
    ISSUER_SIGNATURE = "issuer_signature"
    HOLDER_BINDING = "holder_binding"
    VALIDITY = "validity"
    QUERY = "query"
    CONDITIONS = "conditions"
    STATUS = "status"


class Outcome(Enum):
    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"
    WAIVED = "waived"
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True)
class Check:
    """The answer to one Step. FAILED and UNDECIDED carry a Problem; the others may carry facts."""

    step: Step
    outcome: Outcome
    facts: Mapping[str, Fact] = field(default_factory=lambda: _NO_FACTS)
    problem: Problem | None = None

    def __bool__(self) -> NoReturn:
        raise TypeError("a check is not a yes or no: look at its outcome")


PASSED: Final[Mapping[Step, Check]] = MappingProxyType({step: Check(step, Outcome.PASSED, _NO_FACTS) for step in Step})
"""Passed checks without facts: constants, because success is the common case (a verify makes nine checks)."""

NOT_REACHED: Final[Mapping[Step, Check]] = MappingProxyType(
    {step: Check(step, Outcome.NOT_REACHED, _NO_FACTS) for step in Step}
)


def passed(step: Step, /, **facts: Fact) -> Check:
    return Check(step, Outcome.PASSED, facts) if facts else PASSED[step]


def failed(
    step: Step,
    problem: Problem | str,
    /,
    *,
    where: str = "",
    spec: str = "",
    **facts: Fact,
) -> Check:
    """A stranger's fault at `step`, e.g. `failed(Step.HOLDER_BINDING, "binding.nonce", spec="RFC 9901 §7.3")`."""
    if isinstance(problem, str):
        problem = Problem(problem, facts, where, spec)
    return Check(step, Outcome.FAILED, _NO_FACTS, problem)


def undecided(
    step: Step,
    problem: Problem | str,
    /,
    *,
    where: str = "",
    spec: str = "",
    **facts: Fact,
) -> Check:
    """No answer could be had at `step`."""
    if isinstance(problem, str):
        problem = Problem(problem, facts, where, spec)
    return Check(step, Outcome.UNDECIDED, _NO_FACTS, problem)


def waived(step: Step) -> Check:
    """The policy gave this step up; the verdict says so for ever."""
    return Check(step, Outcome.WAIVED, _NO_FACTS)


@dataclass(frozen=True, slots=True)
class Accepted:
    """Yes. `claims` holds what was asked for and nothing else; `issuer` is the name that the trust list vouches for."""

    checks: tuple[Check, ...]
    claims: Mapping[str, Any]
    issuer: str

    def __bool__(self) -> Literal[True]:
        return True

    def require(self) -> Accepted:
        return self


@dataclass(frozen=True, slots=True)
class Rejected:
    """No, or no answer (`undecided`: something could not be decided and nothing failed). There are no claims."""

    checks: tuple[Check, ...]

    @property
    def undecided(self) -> bool:
        outcomes = {check.outcome for check in self.checks}
        return Outcome.UNDECIDED in outcomes and Outcome.FAILED not in outcomes

    @property
    def reason(self) -> Problem:
        """The first reason: what the person is told."""
        for outcome in (Outcome.FAILED, Outcome.UNDECIDED):
            for check in self.checks:
                if check.outcome is outcome and check.problem is not None:
                    return check.problem
        return Problem("verdict.without_reason")

    def __bool__(self) -> Literal[False]:
        return False

    def require(self) -> Accepted:
        """Raises Refused with the first reason."""
        raise Refused(self.reason)


Verdict: TypeAlias = Accepted | Rejected
