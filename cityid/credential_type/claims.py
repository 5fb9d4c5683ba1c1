"""Checking what a clerk typed against a type: every problem of a row with its own code and place.

Facts name claims, never their values; a value is in `private`, for the one who typed it.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date, datetime, tzinfo
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from cityid import limits
from cityid.credential_type import derived
from cityid.credential_type.definition import BIDI, NEVER, RESERVED
from cityid.credential_type.model import ClaimRule, CredentialType, Path, Prepared
from cityid.encoding import json, paths, times
from cityid.errors import Malformed, Problem

TEXT: Final = 1_000
"""Characters of any text claim, whatever its schema says."""
OLDEST: Final = 130
"""Years of a life; Jeanne Calment reached 122."""
FARTHEST: Final = 200
"""Years that any date may lie from today."""

_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_KINDS: Final = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}:[!-~]+")


def prepare(
    type: CredentialType, claims: Mapping[str, Any], *, at: datetime, timezone: tzinfo, city: Mapping[str, str] = _NONE
) -> Prepared:
    """The claims of one card and its window. Raises Malformed `claim.*`."""
    typed, found = _check(type, claims, _today(at, timezone))
    if found:
        raise Malformed(found[0])
    computed = derived.compute(derived.rules(type), typed, _today(at, timezone), city)
    start, end = derived.window(type, typed, computed, at, timezone)
    if end <= max(start, at):
        raise Malformed("claim.window_empty", type=type.id)
    for path, value in computed.items():
        for problem in _value_problems(type.claims[path], value, _today(at, timezone)):
            raise Malformed(problem)  # the city's own facts are written by people, too
    values = {path: derived.get(typed, path) for path in type.claims if path[-1] is not None} | computed
    said: dict[str, Any] = {}
    for path in type.claims:  # in the definition's order, whoever typed them in which
        value = values.get(path)
        if value is not None and not isinstance(value, dict):
            _put(said, path, value)
    return Prepared(said, start, end)


def problems(type: CredentialType, claims: Mapping[str, Any], *, at: datetime, timezone: tzinfo) -> tuple[Problem, ...]:
    """All problems, unknown members first, then in the order of the type's claims."""
    today = _today(at, timezone)
    typed, found = _check(type, claims, today)
    if not found:
        start, end = derived.window(
            type, typed, derived.compute(derived.rules(type), typed, today, _NONE), at, timezone
        )
        if end <= max(start, at):
            found.append(Problem("claim.window_empty", {"type": type.id}))
    return tuple(found)


def _today(at: datetime, timezone: tzinfo) -> date:
    return at.astimezone(timezone).date()


def _put(into: dict[str, Any], path: Path, value: Any) -> None:
    for part in path[:-1]:
        into = into.setdefault(str(part), {})
    into[str(path[-1])] = value


def _check(type: CredentialType, claims: Any, today: date) -> tuple[dict[str, Any], list[Problem]]:
    rules = {**type.inputs, **type.claims}
    if not isinstance(claims, Mapping):
        return {}, [_wrong_type((), "object", claims)]
    found: list[Problem] = []
    values: dict[Path, Any] = {}
    _walk(type, rules, claims, (), values, found)
    for path, rule in rules.items():
        if path[-1] is None or rule.derived:
            continue
        if path not in values:
            if rule.required and not _excused(path, rules, values):
                found.append(Problem("claim.missing", {"claim": paths.write(path)}, _where(path)))
            continue
        values[path] = _normal(values[path])
        found.extend(_value_problems(rule, values[path], today))
    wrong = {problem.where for problem in found}
    typed: dict[str, Any] = {}
    for path, value in values.items():
        if not isinstance(value, dict):
            _put(typed, path, value)
    found.extend(_order_problems(rules, values, wrong))
    return typed, found


def _where(path: Path) -> str:
    return f"$.{paths.write(path)}"


def _walk(
    type: CredentialType,
    rules: Mapping[Path, ClaimRule],
    value: Any,
    at: Path,
    values: dict[Path, Any],
    found: list[Problem],
) -> None:
    """Sort what was typed under the rules; what has none is told."""
    if not isinstance(value, Mapping):
        found.append(_wrong_type(at, "object", value))
        return
    if at and not value:
        found.append(_not_allowed(at, "at least one member", ""))
    for name, inner in value.items():
        path = (*at, name) if isinstance(name, str) else (*at, "?")
        rule = rules.get(path)
        if rule is not None and rule.derived:
            found.append(Problem("claim.derived", {"claim": _name(path), "type": type.id}, _place(path)))
        elif any(
            other[: len(path)] == path and other[len(path)] is not None for other in rules if len(other) > len(path)
        ):
            if isinstance(inner, Mapping):
                values[path] = {}
            _walk(type, rules, inner, path, values, found)
        elif rule is not None:
            values[path] = inner
        elif _reserved(path):
            found.append(Problem("claim.reserved", {"claim": _name(path)}, _place(path), "RFC 9901 §4.1"))
        else:
            known = [paths.write(other) for other, rule in rules.items() if not rule.derived and other[-1] is not None]
            near = difflib.get_close_matches(_name(path)[:100], known, 1, 0.0)
            facts = {"claim": _name(path), "type": type.id, "suggestion": (near or [type.id])[0]}
            found.append(Problem("claim.unknown", facts, _place(path)))


def _reserved(path: Path) -> bool:
    return path[-1] in NEVER or str(path[-1]).startswith("@") or (len(path) == 1 and path[0] in RESERVED)


def _name(path: Path) -> str:
    return ".".join(str(part) for part in path)


def _place(path: Path) -> str:
    return f"$.{_name(path)}"


def _excused(path: Path, rules: Mapping[Path, ClaimRule], values: Mapping[Path, Any]) -> bool:
    """A member of an optional object is only required where the object is there."""
    return any(
        (rule := rules.get(path[:length])) is not None and not rule.required and path[:length] not in values
        for length in range(1, len(path))
    )


def _normal(value: Any) -> Any:
    """Text in Unicode NFC: a name typed on another keyboard must still compare equal."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    return [_normal(item) for item in value] if isinstance(value, list) else value


def check_value(rule: ClaimRule, value: Any, today: date) -> tuple[Any, tuple[Problem, ...]]:
    """One value as a card would say it, and what is wrong with it."""
    value = _normal(value)
    return value, tuple(_value_problems(rule, value, today))


def _wrong_type(path: Path, expected: str, value: Any) -> Problem:
    facts = {"claim": _name(path) or "the whole", "expected": expected, "found": json.kind(value)}
    return Problem("claim.wrong_type", facts, _place(path) if path else "$")


def _not_allowed(path: Path, rule: str, value: Any) -> Problem:
    shown = {"value": str(value)} if value != "" else {}
    return Problem("claim.not_allowed", {"claim": _name(path), "rule": rule}, _place(path), private=shown)


def _value_problems(rule: ClaimRule, given: Any, today: date) -> Iterator[Problem]:
    path, schema = rule.path, rule.schema
    kind = schema["type"]
    if type(given) is not _KINDS[kind]:
        yield _wrong_type(path, kind, given)
        return
    value: Any = given
    if kind == "object":
        return
    texts = (
        [value] if kind == "string" else [item for item in value if isinstance(item, str)] if kind == "array" else []
    )
    for text in texts:
        if len(text) > TEXT:
            yield _not_allowed(path, f"at most {TEXT} characters", "")
            return
        if text != text.strip():
            yield _not_allowed(path, "no space at its ends", text)
            return
        if text.isascii() and text.isprintable():
            continue
        if any(char in BIDI or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text):
            yield _not_allowed(path, "no control characters", text)
            return
    if schema.get("format") == "date":
        yield from _date_problems(rule, value, today)
        return
    if schema.get("format") == "uri" and not _URI.fullmatch(value):
        yield _not_allowed(path, "an absolute URI", value)
        return
    if kind == "integer" and abs(value) > limits.INTEGER:
        yield _not_allowed(path, "an integer that JSON can carry", value)
        return
    for error in _validator(json.write(dict(schema))).iter_errors(value):
        yield _not_allowed(path, _rule(str(error.validator), error.validator_value), value)
        return


def _rule(keyword: str, limit: Any) -> str:
    if keyword == "enum":
        return "one of " + ", ".join(str(item) for item in limit)
    if keyword == "type":
        return f"every element a {limit}"
    words = {
        "const": f"exactly {limit}",
        "pattern": f"the pattern {limit}",
        "minimum": f"at least {limit}",
        "maximum": f"at most {limit}",
        "minLength": f"at least {limit} characters",
        "maxLength": f"at most {limit} characters",
        "minItems": f"at least {limit} elements",
        "maxItems": f"at most {limit} elements",
    }
    return words.get(keyword, "no element twice")


def _date_problems(rule: ClaimRule, value: str, today: date) -> Iterator[Problem]:
    try:
        day = times.read_date(value)
    except Malformed:
        facts = {"claim": paths.write(rule.path)}
        yield Problem("claim.not_a_date", facts, _where(rule.path), "RFC 3339 §5.6", {"value": value})
        return
    reason = ""
    if day > today and rule.plausible in ("birth", "past"):
        reason = "in the future"
    elif day < today and rule.plausible == "future":
        reason = "in the past"
    elif rule.plausible == "birth" and today.year - day.year > OLDEST:
        reason = f"more than {OLDEST} years ago"
    elif abs(today.year - day.year) > FARTHEST:
        reason = f"more than {FARTHEST} years away"
    if reason:
        told = {"claim": paths.write(rule.path), "reason": reason}
        yield Problem("claim.not_plausible", told, _where(rule.path), private={"value": value})


def _order_problems(rules: Mapping[Path, ClaimRule], values: Mapping[Path, Any], wrong: set[str]) -> Iterator[Problem]:
    for path, rule in rules.items():
        other = rule.not_before
        if other is None or path not in values or other not in values or {_where(path), _where(other)} & wrong:
            continue
        if values[path] < values[other]:  # dates as text, checked above: the order of text is the order of days
            facts = {"claim": paths.write(path), "other": paths.write(other)}
            yield Problem("claim.out_of_order", facts, _where(path))


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Any:
    # An empty registry: a schema that refers elsewhere finds nothing, and nothing is fetched.
    from jsonschema import Draft202012Validator
    from referencing import Registry

    return Draft202012Validator(json.read(schema), registry=Registry())
