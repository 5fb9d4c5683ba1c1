"""What a credential of one of our types has as its `@context`: shared by the W3C formats."""

from __future__ import annotations

from typing import Any, Final

from cityid import contexts
from cityid.credential_type import CredentialType
from cityid.encoding import json

_MEMO: Final = 64
_known: dict[tuple[int, str], tuple[CredentialType, bytes]] = {}


def of_type(type: CredentialType, format: str, base: str = contexts.V2) -> list[Any]:
    """`base`, then the contexts that the type's definition names, or the type's own."""
    names = type.names[format]
    return [base, *(names.get("context") or [own(type, format)])]


def own(type: CredentialType, format: str) -> dict[str, Any]:
    """The context that a type has of its own."""
    names = type.names[format]
    claims = [
        (tuple(str(part) for part in path), rule.schema.get("type") == "array")
        for path, rule in type.claims.items()
        if None not in path
    ]
    return contexts.of_claims(names["type"][1], names["types"][0], claims)


def written(type: CredentialType, format: str) -> bytes:
    """`of_type` as JSON, made once. A type never changes, and while it is in the memo its id is its own.

    Raises:
        Malformed: `json.*`.
    """
    found = _known.get((id(type), format))
    if found is None:
        found = type, json.write(of_type(type, format))
        if len(_known) >= _MEMO:
            _known.clear()
        _known[id(type), format] = found
    return found[1]
