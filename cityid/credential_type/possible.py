"""What a claim of a type can be at all: a policy that compares it with anything else would refuse everybody.

Only the type's own schema is asked. When a value is plausible is the issuer's affair and changes with the day.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from cityid.credential_type.model import CredentialType, Path
from cityid.encoding import times
from cityid.errors import Malformed

_OBJECT: Final[Mapping[str, Any]] = {"type": "object"}
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}:[!-~]+")


def schema_at(type: CredentialType, path: Path) -> Mapping[str, Any] | None:
    """The JSON Schema of what stands at `path`, an element of an array included; None where the type says nothing."""
    rule = type.claims.get(path)
    if rule is not None:
        return rule.schema
    if any(len(other) > len(path) and other[: len(path)] == path for other in type.claims):
        return _OBJECT
    array = type.claims.get(path[:-1])
    if array is None or isinstance(path[-1], str):
        return None
    items: Mapping[str, Any] | None = array.schema.get("items")
    return items


def of_kind(schema: Mapping[str, Any], value: Any) -> bool:
    """Is `value` of the schema's JSON type? A number without fraction is an integer, however it is written."""
    kind = schema["type"]
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "integer":
        return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value % 1 == 0))
    return kind == "string" and isinstance(value, str)


def possible(schema: Mapping[str, Any], value: Any) -> bool:
    """Can a claim of this schema be `value`, which is `of_kind`?"""
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if schema["type"] == "string":
        return _possible_text(schema, value)
    if schema["type"] == "integer":
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def _possible_text(schema: Mapping[str, Any], text: str) -> bool:
    if not schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text)):
        return False
    if "pattern" in schema and not re.search(schema["pattern"], text):
        return False
    if schema.get("format") == "date":
        try:
            times.read_date(text)
        except Malformed:
            return False
    return schema.get("format") != "uri" or _URI.fullmatch(text) is not None


def expected(schema: Mapping[str, Any]) -> str:
    """What a claim of this schema is, in words that follow `is`."""
    options = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    if options:
        return ("one of " if len(options) > 1 else "only ") + ", ".join(map(written, options))
    kind = schema["type"]
    if kind == "string":
        return _expected_text(schema)
    words = {"boolean": "true or false", "integer": "a whole number", "array": "a list", "object": "an object"}[kind]
    size = _size(schema.get("minimum"), schema.get("maximum"))
    return f"{words}, {size}" if size else words


def _expected_text(schema: Mapping[str, Any]) -> str:
    if "format" in schema:
        return {"date": "a date as YYYY-MM-DD", "uri": "an absolute URI"}[schema["format"]]
    if "pattern" in schema:
        return f"text of the pattern {schema['pattern']}"
    length = _size(schema.get("minLength"), schema.get("maxLength"))
    return f"text of {length} characters" if length else "text"


def _size(least: Any, most: Any) -> str:
    if least is None or most is None:
        return "" if least is most else f"at least {least}" if most is None else f"at most {most}"
    return f"{least} to {most}"


def written(value: Any) -> str:
    """A literal as a policy file writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
