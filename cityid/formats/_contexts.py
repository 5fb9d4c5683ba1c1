"""What a credential of one of our types has as its `@context`: shared by the W3C formats."""

from __future__ import annotations

from typing import Any

from cityid import contexts
from cityid.credential_type import CredentialType


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
