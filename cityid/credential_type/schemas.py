"""The JSON Schema that a claim may use: a closed set of keywords without references.

A pattern is a row of characters and character classes with bounded counts: matching one takes at most `TRIES`
attempts, whatever the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from cityid.encoding import json
from cityid.errors import Malformed

TRIES: Final = 10_000

_KEYWORDS: Final[Mapping[str, frozenset[str]]] = {
    "string": frozenset({"enum", "const", "format", "pattern", "minLength", "maxLength"}),
    "integer": frozenset({"enum", "const", "minimum", "maximum"}),
    "boolean": frozenset({"const"}),
    "array": frozenset({"items", "minItems", "maxItems", "uniqueItems"}),
    "object": frozenset(),
}
_NOTES: Final = frozenset({"type", "title", "description", "examples"})
_COUNTS: Final = frozenset({"minLength", "maxLength", "minItems", "maxItems"})
_ATOM: Final = re.compile(
    r"(?:\\[-.\\/()+*?\[\]{}|^$]|\[(?:[^\\\[\]^]|\\[-\\\[\]^])+\]|[^\\.\[\](){}|^$*+?])(?:\{([0-9]{1,3})(?:,([0-9]{1,3}))?\}|(\?))?"
)


def read(schema: json.Fields, *, inside: bool = False) -> dict[str, Any]:
    """A claim's schema, or (`inside`) that of an array's elements.

    Raises:
        Malformed: `type.schema_*`, `type.pattern`.
    """
    kind = schema.text("type")
    if kind not in _KEYWORDS or (inside and kind in ("array", "object")):
        raise Malformed("type.schema_type", where=schema.at("type"), found=kind)
    for keyword, value in schema.value.items():
        where = schema.at(keyword)
        if keyword not in _KEYWORDS[kind] | _NOTES:
            raise Malformed("type.schema_keyword", where=where, keyword=keyword, type=kind)
        good = True
        if keyword in _COUNTS:
            good = type(value) is int and value >= 0
        elif keyword in ("minimum", "maximum"):
            good = type(value) is int
        elif keyword in ("enum", "const"):
            options = value if keyword == "enum" else [value]
            good = isinstance(options, list) and bool(options) and all(json.kind(o) == _KIND[kind] for o in options)
        elif keyword == "format":
            good = value in ("date", "uri")
        elif keyword == "uniqueItems":
            good = isinstance(value, bool)
        elif keyword == "items":
            read(schema.fields("items"), inside=True)
        elif keyword == "pattern" and not (isinstance(value, str) and bounded(value)):
            raise Malformed("type.pattern", where=where)
        if not good:
            raise Malformed("type.schema_value", where=where, keyword=keyword)
    return schema.value


_KIND: Final = {"string": "string", "integer": "number", "boolean": "boolean"}


def bounded(pattern: str) -> bool:
    """Is this a whole-text pattern that backtracking cannot make slow? No groups, no alternatives, no `*` or `+`, and
    the choices of all counts multiply to at most TRIES."""
    if len(pattern) > 200 or not (pattern.startswith("^") and pattern.endswith("$")) or pattern.endswith("\\$"):
        return False
    inner, at, tries = pattern[1:-1], 0, 1
    while at < len(inner):
        atom = _ATOM.match(inner, at)
        if atom is None:
            return False
        low, high = (0, 1) if atom[3] else (int(atom[1] or 1), int(atom[2] or atom[1] or 1))
        tries *= max(high - low, 0) + 1
        if high < low or tries > TRIES:
            return False
        at = atom.end()
    if any(twice in pattern for twice in ("--", "&&", "||", "~~")):  # set operations, one day
        return False
    try:
        re.compile(pattern)
    except re.error:  # a range such as [z-a]
        return False
    return True
