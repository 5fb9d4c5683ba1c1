"""What a service asks and what it accepts: one TOML file is the source of both, so that a service can neither check
what it did not ask nor ask what it does not check.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from cityid import query as dcql
from cityid import trust as trust_file
from cityid.checks import Step
from cityid.credential import CredentialType, Path
from cityid.credential_type import possible
from cityid.encoding import json, paths, texts, times
from cityid.errors import Malformed, Misuse, Problem
from cityid.json_schemas import Schemas
from cityid.query import CredentialQuery, Query
from cityid.query.select import NO_POSITIONS, Budget, Positions, TooMuchWork, select
from cityid.status import Freshness
from cityid.trust import TrustList

__all__ = ["Condition", "Policy", "read"]

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
WAIVABLE: Final = frozenset({Step.STATUS})
"""Only a status may be waived: every other step waived would make the verdict a lie."""

_TODAY: Final = re.compile(r"today(?:([+-])([0-9]{1,5})d)?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DURATION: Final = re.compile(r"([0-9]{1,6})(s|m|h|d)")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Condition:
    """What one claim must be. Exactly one of `one_of`, a range (`least`, `most`: numbers, dates as text, or `today`
    with `+30d` or `-1d`), or `given` (the name of a value handed in at verification) is set."""

    claim: Path
    one_of: tuple[Any, ...] = ()
    least: Any = None
    most: Any = None
    given: str = ""

    def judge(
        self,
        claims: Mapping[str, Any],
        at: datetime,
        given: Mapping[str, str],
        positions: Positions = NO_POSITIONS,
    ) -> Problem | None:
        """None where the condition holds for some value at the claim's place; else why not. Facts name the claim,
        never its value. `positions` are the credential's, so that an index means the element that the query asked for.

        Raises:
            Misuse: `policy.not_given`, when the value to compare with was not handed in.
        """
        if self.given and self.given not in given:
            raise Misuse("policy.not_given", name=self.given, claim=paths.write(self.claim))
        found = _values(claims, self.claim, positions)
        if not found:
            return Problem("conditions.claim_missing", {"claim": paths.write(self.claim)})
        if self.given:
            wanted: tuple[Any, ...] = (given[self.given],)
        elif self.one_of:
            wanted = self.one_of
        else:
            if any(self._within(value, at) for value in found):
                return None
            return Problem("conditions.out_of_range", {"claim": paths.write(self.claim)})
        for value in found:
            for want in wanted:
                if _same(value, want):
                    return None
        return Problem("conditions.not_met", {"claim": paths.write(self.claim)})

    def _within(self, value: Any, at: datetime) -> bool:
        low, high = _bound(self.least, at), _bound(self.most, at)
        return (low is None or _ordered(low, value)) and (high is None or _ordered(value, high))


def _same(value: Any, wanted: Any) -> bool:
    # `True == 1` in Python; only the boolean true is true (a card saying age_over_18: 1 says nothing).
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return type(value) in _COMPARABLE and value == wanted


_COMPARABLE: Final = (str, int, float)


def _bound(bound: Any, at: datetime) -> Any:
    if isinstance(bound, str) and (found := _TODAY.fullmatch(bound)):
        return (at.date() + timedelta(days=_days(found))).isoformat()
    return bound


def _ordered(low: Any, high: Any) -> bool:
    if isinstance(low, str) and isinstance(high, str):
        return bool(_DAY.fullmatch(low) and _DAY.fullmatch(high)) and low <= high
    numbers = all(isinstance(side, int | float) and not isinstance(side, bool) for side in (low, high))
    return numbers and low <= high


def _values(claims: Mapping[str, Any], path: Path, positions: Positions) -> list[Any]:
    """What the card says at `path`, by the rules of the query: indices count what was issued, not what is shown."""
    value: Any = claims
    for part in path:
        if type(part) is not str or type(value) is not dict:
            break
        if part not in value:
            return []
        value = value[part]
    else:
        return [value]
    try:
        return [value for _, value in select(claims, path, positions, Budget())]
    except TooMuchWork:
        return []


@dataclass(frozen=True, slots=True)
class Policy:
    """What a service asks (`query`) and accepts. `conditions` are by the id of the credential query they judge; `given`
    are the values handed in at verification; `schemas` are those that W3C credentials are judged by."""

    purpose: str
    query: Query
    types: Mapping[str, CredentialType]
    conditions: Mapping[str, tuple[Condition, ...]]
    trust: TrustList
    freshness: Freshness = field(default_factory=Freshness)
    waive: frozenset[Step] = frozenset()
    given: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    schemas: Schemas = field(default_factory=Schemas)

    def with_given(self, given: Mapping[str, str]) -> Policy:
        """The policy with the values of this moment filled in, such as the plate at the kerb.

        Raises:
            Misuse: `policy.given_unknown` for a name that no condition uses.
        """
        used = {condition.given for group in self.conditions.values() for condition in group if condition.given}
        for name in given:
            if name not in used:
                raise Misuse("policy.given_unknown", name=name)
        return replace(self, given=MappingProxyType(dict(given)))


_MEMBERS: Final = frozenset({"purpose", "ask", "any_of", "dcql", "accept", "waive", "freshness", "schemas", "trust"})
_ASK: Final = frozenset({"id", "type", "formats", "claims", "multiple"})


def read(
    text: bytes,
    *,
    types: Mapping[str, CredentialType],
    load: Callable[[str], bytes],
    formats: Collection[str],
) -> Policy:
    """The policy written in a TOML file (`schemas/policy.schema.json`).

    `load` reads the files that it names (`trust.list`, `dcql`), `types` are the home's credential types, `formats` the
    names of the formats that can be judged: an ask is not sent for others.

    Raises:
        Misuse: `policy.*`, `trust_file.*`: the file is the service's own.
    """
    try:
        data = tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misuse("policy.syntax", detail=str(error)) from None
    try:
        return _read(data, types, load, formats)
    except Malformed as error:
        # A file of this home that people write: the same finding, and theirs to mend.
        raise Misuse(error.problem) from None


def _read(
    data: dict[str, Any], types: Mapping[str, CredentialType], load: Callable[[str], bytes], formats: Collection[str]
) -> Policy:
    top = json.Fields(data)
    top.only(_MEMBERS)
    if ("ask" in top) == ("dcql" in top):
        raise Misuse("policy.ask_or_dcql")
    if "any_of" in top and "ask" not in top:
        raise Misuse("policy.any_of_without_ask", where="$.any_of")
    if "dcql" in top:
        query = dcql.read(load(top.text("dcql")))
        labels: Labels = {item.id: {item.id: _NOTHING} for item in query.credentials}
        kinds: Kinds = {item.id: _kind_of(item, types) for item in query.credentials}
    else:
        asked, labels, kinds = _asked(top, types, formats)
        query = dcql.read(asked)
    trust = json.Fields(data.get("trust"), "$.trust") if "trust" in top else None
    if trust is None:
        raise Misuse("policy.no_trust")
    trust.only(("list",))
    names = {name: _wire_names(kind) for name, kind in types.items()}
    listed = trust.text("list")
    folder = listed.rpartition("/")[0]
    return Policy(
        purpose=texts.label(top.text("purpose"), "purpose", where=top.at("purpose")),
        query=query,
        types=types,
        conditions=_conditions(top.optional_object("accept") or {}, query, labels, kinds),
        trust=trust_file.read(
            load(listed), lambda name: load(f"{folder}/{name}" if folder else name), names, title=listed
        ),
        freshness=_freshness(top.optional_object("freshness") or {}),
        waive=_waived(top.optional_texts("waive") or []),
        schemas=_schemas(top.optional_object("schemas") or {}, load),
    )


def _kind_of(item: CredentialQuery, types: Mapping[str, CredentialType]) -> CredentialType | None:
    """The type that a query of a DCQL file asks for, where it asks for one that is known here under its own paths."""
    wanted = item.meta.get("vct_values", ())
    return next((kind for kind in types.values() if list(wanted) == [kind.names.get(item.format, {}).get("vct")]), None)


def _wire_names(kind: CredentialType) -> tuple[str, ...]:
    return tuple(dict.fromkeys(kind.wire_name(form) for form in kind.names))


Labels: TypeAlias = dict[str, dict[str, Mapping[str, Any]]]
"""For each ask the credential queries that stand for it, one a format, with the names that the format gives."""
Kinds: TypeAlias = Mapping[str, "CredentialType | None"]
"""The type of each ask; None where a DCQL file asks for one that is not known here."""


def _asked(
    top: json.Fields, types: Mapping[str, CredentialType], formats: Collection[str]
) -> tuple[dict[str, Any], Labels, Kinds]:
    """The DCQL query of `[ask]` or `[[ask]]`; several formats of one ask become alternatives of a credential set."""
    asks = top.value["ask"] if isinstance(top.value["ask"], list) else [top.value["ask"]]
    credentials: list[dict[str, Any]] = []
    forms: Labels = {}
    kinds: dict[str, CredentialType | None] = {}
    for index, item in enumerate(asks):
        ask = json.Fields(item, f"$.ask[{index}]")
        ask.only(_ASK)
        if len(asks) > 1 and "id" not in ask:
            raise Misuse("policy.ask_without_id", where=ask.where)
        name = ask.optional_text("id") or "card"
        if name in forms:
            raise Misuse("policy.ask_twice", where=ask.where, id=name)
        forms[name] = {}
        kind = types.get(ask.text("type"))
        if kind is None:
            raise Misuse("policy.unknown_type", where=ask.at("type"), type=ask.text("type"))
        kinds[name] = kind
        named = ask.optional_texts("formats")
        usable = [form for form in named or kind.names if form in formats and form in kind.names]
        if not named:
            del usable[1:]  # another format may show more of a person, so that somebody has to want it
        if not usable:
            raise Misuse("policy.no_format", where=ask.at("formats"), id=name)
        for form in usable:
            label = name if form == usable[0] else f"{name}-{re.sub('[^A-Za-z0-9]', '_', form)}"
            forms[name][label] = kind.names[form]
            credentials.append(_credential_query(label, form, kind, ask))
    query: dict[str, Any] = {"credentials": credentials}
    any_of = top.optional_array("any_of")
    groups = [[name] for name in forms] if any_of is None else []
    if any_of is not None:
        query["credential_sets"] = [{"options": _options(top, any_of, forms)}]
    elif any(len(labels) > 1 for labels in forms.values()):
        query["credential_sets"] = [{"options": [[label] for label in forms[name]]} for (name,) in groups]
    return query, forms, kinds


def _options(top: json.Fields, any_of: list[Any], forms: Labels) -> list[list[str]]:
    options: list[list[str]] = []
    for index, group in enumerate(any_of):
        names = json.Fields({"any_of": group}, f"$.any_of[{index}]").texts("any_of")
        for name in names:
            if name not in forms:
                raise Misuse("policy.any_of_unknown", where=f"{top.at('any_of')}[{index}]", id=name)
        combined: list[list[str]] = [[]]
        for name in names:
            combined = [[*chosen, label] for chosen in combined for label in forms[name]]
        options.extend(combined)
    return options


def _credential_query(label: str, form: str, kind: CredentialType, ask: json.Fields) -> dict[str, Any]:
    names = kind.names[form]
    meta: dict[str, Any]
    if "vct" in names:
        meta = {"vct_values": [names["vct"]]}
    elif "doctype" in names:
        meta = {"doctype_value": names["doctype"]}
    else:
        meta = {"type_values": [list(names["types"])]}
    query: dict[str, Any] = {"id": label, "format": form, "meta": meta}
    claims: list[dict[str, Any]] = []
    for text in ask.texts("claims"):
        path = paths.read(text, ask.at("claims"))
        if not any(rule[: len(path)] == path for rule in kind.claims):
            raise Misuse("policy.unknown_claim", where=ask.at("claims"), claim=text, type=kind.id)
        claims.append({"path": list(_on_the_wire(names, path))})
    if claims:
        query["claims"] = claims
    if ask.optional_boolean("multiple"):
        query["multiple"] = True
    return query


def _on_the_wire(names: Mapping[str, Any], path: Path) -> Path:
    """Where a format puts a claim of the type: an mdoc has flat elements in a namespace, a W3C credential a subject."""
    if "namespace" in names:
        text = paths.write(path)
        return (names["namespace"], names.get("elements", {}).get(text, text.replace(".", "_")))
    return ("credentialSubject", *path) if "type" in names else path


def _conditions(
    accept: dict[str, Any], query: Query, labels: Labels, kinds: Kinds
) -> Mapping[str, tuple[Condition, ...]]:
    """Conditions by credential query. `[accept]` judges every ask that asks the claim, `[accept.ID]` only that one;
    both judge each of an ask's formats, under the name that the format gives to the claim."""
    asked = {item.id: {claim.path for claim in item.claims} for item in query.credentials}
    found: dict[str, list[Condition]] = {}

    def add(condition: Condition, ask: str, where: str) -> bool:
        for label, names in labels[ask].items():
            wire = replace(condition, claim=_on_the_wire(names, condition.claim))
            if wire.claim not in asked[label]:
                return False
            found.setdefault(label, []).append(wire)
        kind = kinds[ask]
        _can_hold(condition, possible.schema_at(kind, condition.claim) if kind is not None else None, where)
        return True

    for key, value in accept.items():
        if key in labels and isinstance(value, dict):
            for text, inner in value.items():
                if not add(_condition(text, inner, f"$.accept.{key}"), key, f"$.accept.{key}"):
                    raise Misuse("policy.unasked", where=f"$.accept.{key}", claim=text)
            continue
        condition = _condition(key, value, "$.accept")
        judging = [ask for ask in labels if add(condition, ask, "$.accept")]
        if not judging:
            raise Misuse("policy.unasked", where="$.accept", claim=key)
    return MappingProxyType({name: tuple(group) for name, group in found.items()})


def _condition(text: str, value: Any, where: str) -> Condition:
    claim = paths.read(text, where)
    if isinstance(value, list) and all(type(item) in (*_COMPARABLE, bool) for item in value):
        return Condition(claim, one_of=tuple(value))
    if type(value) in (*_COMPARABLE, bool):
        return Condition(claim, one_of=(value,))
    if isinstance(value, dict) and set(value) == {"given"} and isinstance(value["given"], str) and value["given"]:
        return Condition(claim, given=value["given"])
    if isinstance(value, dict) and value and set(value) <= {"min", "max"}:
        return Condition(claim, least=_limit(value.get("min"), text), most=_limit(value.get("max"), text))
    raise Misuse("policy.condition", where=where, claim=text)


def _limit(value: Any, text: str) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and not (_TODAY.fullmatch(value) or _is_day(value)):
        raise Misuse("policy.condition", where="$.accept", claim=text)
    if value is not None and (isinstance(value, bool) or not isinstance(value, str | int | float)):
        raise Misuse("policy.condition", where="$.accept", claim=text)
    return value


def _is_day(text: str) -> bool:
    try:
        times.read_date(text)
    except Malformed:
        return False
    return True


# -- conditions that no card can meet (docs/decisions/0082) --


def _can_hold(condition: Condition, schema: Mapping[str, Any] | None, where: str) -> None:
    """Refuse a condition that refuses everybody. Without a schema only what the condition itself says is judged."""
    claim = paths.write(condition.claim)
    told = "something" if schema is None else possible.expected(schema)
    if condition.given:
        if schema is not None and schema["type"] != "string":
            raise Misuse("policy.never_given", where=where, claim=claim, expected=told)
    elif condition.least is not None or condition.most is not None:
        _range_can_hold(condition, schema, claim, told, where)
    elif not condition.one_of:
        raise Misuse("policy.never_empty", where=where, claim=claim, expected=told)
    elif schema is not None:
        for value in condition.one_of:
            _of_kind(value, schema, claim, where)
            if not possible.possible(schema, value):
                raise Misuse(
                    "policy.never_value", where=where, claim=claim, expected=told, found=possible.written(value)
                )


def _of_kind(value: Any, schema: Mapping[str, Any], claim: str, where: str) -> None:
    if not possible.of_kind(schema, value):
        expected, found = possible.expected(schema), possible.written(value)
        raise Misuse("policy.never_type", where=where, claim=claim, expected=expected, found=found)


def _range_can_hold(condition: Condition, schema: Mapping[str, Any] | None, claim: str, told: str, where: str) -> None:
    bounds = [bound for bound in (condition.least, condition.most) if bound is not None]
    if schema is not None:
        if schema["type"] != "integer" and schema.get("format") != "date":
            raise Misuse("policy.never_ordered", where=where, claim=claim, expected=told)
        for bound in bounds:
            if isinstance(bound, str) != (schema["type"] == "string"):
                found = possible.written(bound)
                raise Misuse("policy.never_type", where=where, claim=claim, expected=told, found=found)
    if _nothing_between(condition.least, condition.most, schema or _NOTHING):
        words = [f"from {condition.least}"] if condition.least is not None else []
        words += [f"to {condition.most}"] if condition.most is not None else []
        raise Misuse("policy.never_range", where=where, claim=claim, expected=told, range=" ".join(words))


def _nothing_between(least: Any, most: Any, schema: Mapping[str, Any]) -> bool:
    if any(isinstance(bound, float) and math.isnan(bound) for bound in (least, most)):
        return True
    if schema.get("type") == "integer":
        low = max(schema.get("minimum", -math.inf), -math.inf if least is None else least)
        high = min(schema.get("maximum", math.inf), math.inf if most is None else most)
        options = schema.get("enum") or ([schema["const"]] if "const" in schema else None)
        if options is not None:
            return not any(low <= one <= high for one in options)
        if math.isinf(low) or math.isinf(high):
            return bool(low == math.inf or high == -math.inf)
        return bool(math.ceil(low) > math.floor(high))
    if least is None or most is None:
        return False
    if isinstance(least, str) and isinstance(most, str):
        first, last = _TODAY.fullmatch(least), _TODAY.fullmatch(most)
        if first and last:
            return _days(first) > _days(last)
        # Whether a day of the calendar comes before today changes with the day.
        return not first and not last and least > most
    return isinstance(least, str) or isinstance(most, str) or bool(least > most)


def _days(found: re.Match[str]) -> int:
    return int(f"{found[1] or '+'}{found[2] or 0}")


def _freshness(data: dict[str, Any]) -> Freshness:
    fields = json.Fields(data, "$.freshness")
    fields.only(("max_age", "grace", "offline"))
    return Freshness(**{name: _duration(fields.text(name), fields.at(name)) for name in data})


def _schemas(data: dict[str, Any], load: Callable[[str], bytes]) -> Schemas:
    fields = json.Fields(data, "$.schemas")
    fields.only(("demand", "files"))
    files = json.Fields(fields.value.get("files", {}), fields.at("files"))
    at_hand = {url: load(files.text(url)) for url in files.value}
    return Schemas(MappingProxyType(at_hand), demanded=bool(fields.optional_boolean("demand")))


def _duration(text: str, where: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise Misuse("policy.duration", where=where, text=text)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _waived(names: list[str]) -> frozenset[Step]:
    for name in names:
        if name not in WAIVABLE:
            raise Misuse("policy.cannot_waive", where="$.waive", step=name)
    return frozenset(Step(name) for name in names)
