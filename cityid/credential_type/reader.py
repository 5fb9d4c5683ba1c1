"""Reading many rows of one table for one type: what `problems` and `prepare` do, with what rows share done once.

The rules stay where they are (`claims`, `derived`, `table`): they are asked once for each value of a column, for each
set of filled columns and for each date that something is computed from, and what they found is remembered. A row of
which anything is unusual is read by them as a whole.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from json.encoder import encode_basestring
from types import MappingProxyType
from typing import Any, Final

from cityid.credential_type import derived
from cityid.credential_type.claims import TEXT, check_value, prepare, problems
from cityid.credential_type.model import CredentialType, Path, Prepared
from cityid.credential_type.table import canonical, columns, convert, from_row
from cityid.encoding import paths
from cityid.errors import Malformed, Problem

__all__ = ["Reader", "Taken"]

_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_MEMO: Final = 1 << 15
"""Values that are remembered of each column, and of each date."""
_BARE: Final = frozenset({"type", "minLength", "maxLength", "labels", "title", "description"})
_WRONG: Final = object()


@dataclass(frozen=True, slots=True)
class Taken:
    """One person: what the card would say now, and what was typed, as canonical JSON: a card that is signed later is
    made from it then."""

    prepared: Prepared
    typed: bytes = field(repr=False)


@dataclass(slots=True)
class _Plan:
    """What rows with the same filled columns share. `written` is their canonical JSON in pieces, between which the
    values of the columns `slots` stand; `said` are the claims of the card in their order, each from a column or (None)
    computed; `order` are pairs of columns of which the first is not before the second."""

    written: list[str]
    slots: list[int]
    said: list[tuple[tuple[str, ...], int | None]]
    order: list[tuple[int, int]]
    sources: list[int]


class Reader:
    """Reads rows whose cells are in the order of `header`. `ignore` are columns of other types; other arguments are
    those of `CredentialType.prepare`."""

    def __init__(
        self,
        type: CredentialType,
        header: Sequence[str],
        *,
        at: datetime,
        timezone: tzinfo,
        city: Mapping[str, str] = _NONE,
        ignore: Collection[str] = (),
    ) -> None:
        self.type, self.header = type, tuple(header)
        self._at, self._zone, self._city, self._ignore = at, timezone, city, frozenset(ignore)
        self._today: date = at.astimezone(timezone).date()
        typed = type.typed()
        own = columns(type)
        self._rules = {index: typed[paths.read(name)] for index, name in enumerate(self.header) if name in own}
        self._others = [index for index, name in enumerate(self.header) if name not in own and name not in self._ignore]
        self._read = sorted(self._rules)
        self._quick = {index: _bare(rule.schema) for index, rule in self._rules.items()}
        self._values: dict[int, dict[str, Any]] = {index: {} for index in self._rules}
        self._plans: dict[tuple[int, ...], _Plan | None] = {}
        self._computed: dict[tuple[int, ...], dict[tuple[str, ...], Any]] = {}
        self._fine: dict[tuple[Path, Any], bool] = {}
        self._derived = derived.rules(type)
        self._names = {rule.path: tuple(map(str, rule.path)) for rule in self._derived}
        self._paths = {index: paths.read(self.header[index]) for index in self._rules}
        self._where = {path: index for index, path in self._paths.items()}

    def row(self, cells: Sequence[str]) -> Taken | tuple[Problem, ...]:
        """The person in a row, or all that is wrong with it; () for a row that has nothing for this type."""
        texts = [cell.strip() for cell in cells]
        filled = tuple([index for index in self._read if texts[index]])
        if not filled:
            return ()
        if not any(texts[index] for index in self._others):
            if filled not in self._plans:
                self._plans[filled] = self._plan(filled, texts)
            if (plan := self._plans[filled]) is not None and (taken := self._quickly(plan, filled, texts)) is not None:
                return taken
        claims = from_row(self.type, dict(zip(self.header, cells, strict=True)), ignore=self._ignore)
        return self.claims(claims)

    def claims(self, claims: Mapping[str, Any]) -> Taken | tuple[Problem, ...]:
        """The same for claims that came as JSON."""
        if not claims:
            return ()
        if found := problems(self.type, claims, at=self._at, timezone=self._zone):
            return found
        try:
            prepared = prepare(self.type, claims, at=self._at, timezone=self._zone, city=self._city)
        except Malformed as error:
            return (error.problem,)
        return Taken(prepared, canonical(claims))

    def _quickly(self, plan: _Plan, filled: tuple[int, ...], texts: list[str]) -> Taken | None:
        """A row of which every part is as it should be; None where the whole must be looked at."""
        values: dict[int, Any] = {}
        for index in filled:
            known = self._values[index]
            value = known.get(texts[index])
            if value is None:
                value = self._value(index, texts[index])
                if len(known) >= _MEMO:
                    known.clear()
                known[texts[index]] = value
            if value is _WRONG:
                return None
            values[index] = value
        for first, second in plan.order:
            if values[first] < values[second]:
                return None
        key = tuple([texts[index] for index in plan.sources])
        memo = self._computed.setdefault(filled, {})
        shared = memo.get(key)
        if shared is None:
            shared = self._compute(plan, values)
            if len(memo) >= _MEMO:
                memo.clear()
            memo[key] = shared
        if shared is _WRONG:
            return None
        return Taken(_prepared(plan, values, *shared), _written(plan, texts))

    def _value(self, index: int, text: str) -> Any:
        """What a cell says, as it will be on the card; `_WRONG` where anything is wrong with it."""
        quick = self._quick[index]
        bounded = quick is not None and quick[0] <= len(text) <= quick[1] and text.isprintable()
        if bounded and (text.isascii() or unicodedata.is_normalized("NFC", text)):
            return text
        rule = self._rules[index]
        value, found = check_value(rule, convert(text, rule.schema), self._today)
        return _WRONG if found or value is None else value

    def _plan(self, filled: tuple[int, ...], texts: list[str]) -> _Plan | None:
        """None where rows filled like this lack something, or where a value is no text (its JSON is not its cell)."""
        rules = self._rules
        if any(rules[index].schema["type"] != "string" for index in filled):
            return None
        example = from_row(self.type, {self.header[index]: texts[index] for index in filled})
        found = problems(self.type, example, at=self._at, timezone=self._zone)
        if any(
            problem.code in ("claim.missing", "claim.unknown", "claim.derived", "claim.reserved") for problem in found
        ):
            return None
        marks = {index: f"\x00{index}\x00" for index in filled}
        marked: dict[str, Any] = {}
        for index in filled:
            _put(marked, paths.read(self.header[index]), marks[index])
        pieces, slots = _cut(canonical(marked).decode("utf-8"))
        said: list[tuple[tuple[str, ...], int | None]] = []
        for path, rule in self.type.claims.items():
            if path[-1] is None or rule.schema["type"] == "object":
                continue
            names = tuple(map(str, path))
            if rule.derived is not None:
                said.append((names, None))
            elif self._where.get(path) in filled:
                said.append((names, self._where[path]))
        pairs = [
            (self._where[path], self._where[rule.not_before])
            for path, rule in self.type.typed().items()
            if rule.not_before is not None
            and self._where.get(path) in filled
            and self._where.get(rule.not_before) in filled
        ]
        wanted = {tuple(rule.derived.split(" ")[1].split(".")) for rule in self.type.claims.values() if rule.derived}
        wanted |= {path for path in self.type.window if path}  # type: ignore[misc]
        return _Plan(
            pieces, slots, said, pairs, [index for index in filled if paths.read(self.header[index]) in wanted]
        )

    def _compute(self, plan: _Plan, values: Mapping[int, Any]) -> Any:
        """What is computed, and the window, from the columns that they depend on."""
        typed: dict[str, Any] = {}
        for index in plan.sources:
            _put(typed, self._paths[index], values[index])
        computed = derived.compute(self._derived, typed, self._today, self._city)
        start, end = derived.window(self.type, typed, computed, self._at, self._zone)
        if end <= max(start, self._at):
            return _WRONG
        fine = self._fine
        for path, value in computed.items():
            if not (fine[path, value] if (path, value) in fine else self._is_fine(path, value)):
                return _WRONG
        return {self._names[path]: value for path, value in computed.items()}, start, end

    def _is_fine(self, path: Path, value: Any) -> bool:
        found = self._fine[path, value] = not check_value(self.type.claims[path], value, self._today)[1]
        return found


def _put(into: dict[str, Any], path: Path, value: Any) -> None:
    for part in path[:-1]:
        into = into.setdefault(str(part), {})
    into[str(path[-1])] = value


def _prepared(
    plan: _Plan, values: Mapping[int, Any], computed: Mapping[tuple[str, ...], Any], start: datetime, end: datetime
) -> Prepared:
    said: dict[str, Any] = {}
    for path, column in plan.said:
        if column is not None:
            value = values[column]
        elif (value := computed.get(path)) is None:
            continue
        if len(path) == 1:
            said[path[0]] = value
        elif len(path) == 2:
            outer, inner = path
            if outer in said:
                said[outer][inner] = value
            else:
                said[outer] = {inner: value}
        else:
            _put(said, path, value)
    return Prepared(said, start, end)


def _written(plan: _Plan, texts: list[str]) -> bytes:
    pieces = plan.written
    out = [pieces[0]]
    for index, piece in zip(plan.slots, pieces[1:], strict=True):
        out += (encode_basestring(texts[index]), piece)
    return "".join(out).encode("utf-8")


def _cut(text: str) -> tuple[list[str], list[int]]:
    # json.write has made \u0000 of each mark's ends, and no name of a claim has one.
    parts = text.replace('"\\u0000', "\x00").replace('\\u0000"', "\x00").split("\x00")
    return parts[0::2], [int(part) for part in parts[1::2]]


def _bare(schema: Mapping[str, Any]) -> tuple[int, int] | None:
    """The lengths that a text may have, where its schema says nothing else."""
    if schema["type"] != "string" or not _BARE.issuperset(schema):
        return None
    return schema.get("minLength", 0), min(schema.get("maxLength", TEXT), TEXT)
