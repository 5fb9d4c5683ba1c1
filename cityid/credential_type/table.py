"""Claims as rows of a table: a column for each value that a clerk types, named by its dotted path."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal

from cityid.credential_type.model import CredentialType
from cityid.encoding import json, paths

SEPARATOR: Final = ";"
"""Between the elements of a list in one cell."""
_INTEGER: Final = re.compile(r"-?[0-9]{1,16}")
_WORDS: Final = {"true": True, "false": False}


def columns(type: CredentialType) -> tuple[str, ...]:
    """The columns of a type's table, in the definition's order."""
    return tuple(
        paths.write(path) for path, rule in type.typed().items() if rule.schema["type"] != "object" and None not in path
    )


def from_row(type: CredentialType, row: Mapping[str, str | None], *, ignore: Collection[str] = ()) -> dict[str, Any]:
    """The claims of one row, as a clerk might have typed them in JSON; nothing is checked yet.

    A blank cell is a claim not given. A cell that does not look like its type stays text, so that checking can say
    what was expected. `ignore` are columns meant for other types; a row that has nothing for this one gives `{}`.
    """
    typed = type.typed()
    known = {name: typed[paths.read(name)] for name in columns(type)}
    claims: dict[str, Any] = {}
    others: dict[str, str] = {}
    for name, cell in row.items():
        text = (cell or "").strip()
        if not text:
            continue
        rule = known.get(name)
        if rule is not None:
            _put(claims, name, convert(text, rule.schema))
        elif name not in ignore:
            others[name] = text
    # A column that is no claim is wrong in every row that fills it, but does not make a row out of nothing.
    return {**claims, **{name: text for name, text in others.items() if name not in claims}} if claims else {}


def _put(into: dict[str, Any], name: str, value: Any) -> None:
    *parents, last = name.split(".")
    for part in parents:
        into = into.setdefault(part, {})
    into[last] = value


def convert(text: str, schema: Mapping[str, Any]) -> Any:
    kind = schema["type"]
    if kind == "boolean":
        return _WORDS.get(text.lower(), text)
    if kind == "integer":
        return int(text) if _INTEGER.fullmatch(text) else text
    if kind == "array":
        return [convert(item.strip(), schema.get("items", {"type": "string"})) for item in text.split(SEPARATOR)]
    return text


def canonical(claims: Mapping[str, Any]) -> bytes:
    """Claims as JSON, the same in whatever order they came."""
    return json.write(_sorted(claims))


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list | tuple) else value


def template(type: CredentialType, form: Literal["csv", "json"] = "csv") -> bytes:
    """An empty table (the header), or one person's claims to fill in."""
    if form == "csv":
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerow(columns(type))
        return table.getvalue().encode("utf-8")
    import json as pretty  # indented for people; nothing foreign is read

    claims: dict[str, Any] = {}
    for name in columns(type):
        schema = type.typed()[paths.read(name)].schema
        blank = "YYYY-MM-DD" if schema.get("format") == "date" else _BLANK[schema["type"]]
        _put(claims, name, blank)
    return pretty.dumps(claims, ensure_ascii=False, indent=2).encode("utf-8") + b"\n"


_BLANK: Final[Mapping[str, Any]] = {"string": "", "integer": 0, "boolean": False, "array": []}
