"""What people are told: a code and its facts become a sentence, in the reader's language and for the reader's part.

The person at the counter hears the reason; the officer also its rule; the developer all of it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from cityid.checks import Check
from cityid.edge.resources import schemas
from cityid.errors import Misuse, Problem

DEFAULT = "en"


class Audience(StrEnum):
    PERSON = "person"
    OFFICER = "officer"
    DEVELOPER = "developer"


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence without capital or full stop, the rule behind it (code, specification, place) and what to do next."""

    text: str
    rule: str = ""
    hint: str = ""


@cache
def catalogue(locale: str = DEFAULT) -> Mapping[str, Mapping[str, str]]:
    """Every message of one locale by code.

    Raises:
        Misuse: `locale.unknown`.
    """
    file = schemas() / "messages" / f"{locale}.toml"
    if not locale.isalpha() or not file.is_file():
        raise Misuse("locale.unknown", locale=locale)
    return MappingProxyType(tomllib.loads(file.read_text("utf-8")))


def locales() -> tuple[str, ...]:
    """The locales that are shipped."""
    folder = schemas() / "messages"
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")))


def explain(
    problem: Problem | Check,
    locale: str = DEFAULT,
    audience: Audience = Audience.OFFICER,
    *,
    private: bool = False,
) -> Said:
    """The sentence for a problem. `private=True` adds what the reader typed themselves, and is only for that reader.

    A code without a message is still told, by its code: an unknown sentence must not hide a no.
    """
    if isinstance(problem, Check):
        if problem.problem is None:
            return Said(problem.outcome.value)
        problem = problem.problem
    entry = catalogue(locale).get(problem.code, {})
    facts: dict[str, str | int] = {**problem.facts}
    text = _fill(entry.get("text", problem.code), facts)
    if private and problem.private:
        text = _fill(entry.get("private", text), {**facts, **problem.private})
    hint = _fill(entry.get("hint", ""), facts)
    if audience is Audience.PERSON:
        return Said(text, "", hint)
    spec = problem.spec or entry.get("spec", "")
    rule = ", ".join(part for part in (problem.where, problem.code if not spec else f"{problem.code}, {spec}") if part)
    if audience is Audience.DEVELOPER and problem.facts:
        rule += " " + ", ".join(f"{name}={value}" for name, value in problem.facts.items())
    return Said(text, rule, hint)


def _fill(text: str, facts: Mapping[str, str | int]) -> str:
    # Not str.format: a message is data, and `{x.__class__}` in one must stay text.
    for name, value in facts.items():
        text = text.replace("{" + name + "}", str(value))
    return text
