"""The four exceptions of cityid, each carrying a Problem: a stable code and facts, never a sentence.

What a stranger did wrong while we judge is data (`cityid.checks`); what cannot be read, must not be done or cannot be
had is one of these. Sentences are made from `schemas/messages/` at the edge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

Fact = str | int
_NOTHING: Mapping[str, Fact] = MappingProxyType({})
_NO_SECRET: Mapping[str, str] = MappingProxyType({})
FIELD_LENGTH = 500

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def _escape(found: re.Match[str]) -> str:
    number = ord(found.group())
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def one_line(text: str) -> str:
    """`text` as one printable line of at most 500 characters: control characters escaped, the rest cut with `…`.

    Every fact goes through here, because facts quote strangers.
    """
    if len(text) > FIELD_LENGTH:
        text = text[: FIELD_LENGTH - 1] + "…"
    text = _CONTROL.sub(_escape, text)
    return text if len(text) <= FIELD_LENGTH else text[: FIELD_LENGTH - 1] + "…"


def _tame(value: Fact) -> Fact:
    if isinstance(value, str):
        return one_line(value)
    # An int fact comes from our own counting; a foreign integer may be too long to print.
    return value if -(10**30) < value < 10**30 else "a very large number"


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong: `code` is stable and documented, `facts` fill its sentence, `where` points into the input
    (a JSON path such as `$.cnf.jwk`), `spec` names the rule. `private` facts are shown only to the person who typed
    them, and are never logged, sent or written to JSON."""

    code: str
    facts: Mapping[str, Fact] = field(default_factory=lambda: _NOTHING)
    where: str = ""
    spec: str = ""
    private: Mapping[str, str] = field(default_factory=lambda: _NO_SECRET, repr=False)

    def __post_init__(self) -> None:
        if self.facts:
            tamed = {name: _tame(value) for name, value in self.facts.items()}
            object.__setattr__(self, "facts", MappingProxyType(tamed))
        if self.where:
            object.__setattr__(self, "where", one_line(self.where))
        if self.private:
            tamed_private = {name: one_line(value) for name, value in self.private.items()}
            object.__setattr__(self, "private", MappingProxyType(tamed_private))

    def __reduce__(self) -> tuple[type[Problem], tuple[object, ...]]:
        # The views over `facts` cannot be pickled, and an exception must get out of a worker process as itself.
        return Problem, (self.code, dict(self.facts), self.where, self.spec, dict(self.private))


class CityIdError(Exception):
    """Base of the four. `str()` gives the code and the place; sentences come from `cityid.edge.messages`."""

    def __init__(
        self,
        problem: Problem | str,
        /,
        *,
        where: str = "",
        spec: str = "",
        private: Mapping[str, str] | None = None,
        **facts: Fact,
    ) -> None:
        if isinstance(problem, str):
            problem = Problem(problem, facts, where, spec, private or _NO_SECRET)
        super().__init__(problem)
        self.problem = problem

    @property
    def code(self) -> str:
        return self.problem.code

    def __str__(self) -> str:
        told = ", ".join(f"{name}={value}" for name, value in self.problem.facts.items())
        at = f" at {self.problem.where}" if self.problem.where else ""
        return f"{self.problem.code}{at}" + (f" ({told})" if told else "")


class Malformed(CityIdError):
    """Bytes from outside that are not what they claim to be."""


class Refused(CityIdError):
    """Understood, and the answer is no."""


class Unavailable(CityIdError):
    """No answer can be had now: a network, a store, a token or an extra is missing."""


class Misuse(CityIdError):
    """The caller's code, the command line or a file of this home is wrong."""
