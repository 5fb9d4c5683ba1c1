"""Credential types: one definition (`schemas/types/*.json`) says what a city can issue, in every format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeAlias

Path: TypeAlias = tuple[str | int | None, ...]
"""A claims path pointer: member names, array indices, None for every element (SD-JWT VC §"Claim Path", DCQL §7)."""


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """One claim of a type. `schema` is JSON Schema for the value; `derived` names the rule that computes it at issuing
    (a derived claim is never typed by a clerk); `labels` are by locale."""

    path: Path
    schema: Mapping[str, Any]
    hideable: bool
    required: bool
    labels: Mapping[str, str]
    derived: str | None = None


@dataclass(frozen=True, slots=True)
class CredentialType:
    """What can be issued. `names[format]` holds the wire names of a format: `names["dc+sd-jwt"]["vct"]`."""

    id: str
    title: Mapping[str, str]
    claims: Mapping[Path, ClaimRule]
    lifetime: timedelta
    copies: int
    status: Literal["required", "none"]
    names: Mapping[str, Mapping[str, Any]]
    unlinkable: bool = False
    decoys: int = 0
