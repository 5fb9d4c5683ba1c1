"""What a credential type is once its definition has been read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from cityid.errors import Problem

Path: TypeAlias = tuple[str | int | None, ...]
"""A claims path pointer: member names, array indices, None for every element (SD-JWT VC §"Claim Path", DCQL §7)."""

ENROLMENT: Final = "enrolment since"
"""The rule of a claim that says from which roll day polls hear a resident: only the roll of voices knows."""
_NONE: Final[Mapping[Any, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """One claim of a type. `schema` is JSON Schema for the value; `derived` names the rule that computes it at issuing
    (a derived claim is never typed by a clerk); `labels` are by locale. `plausible` (`birth`, `past`, `future`) and
    `not_before` (another date claim) are what JSON Schema cannot say about a date."""

    path: Path
    schema: Mapping[str, Any]
    hideable: bool
    required: bool
    labels: Mapping[str, str]
    derived: str | None = None
    plausible: str | None = None
    not_before: Path | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """What one card will say and from when (inclusive) until when (exclusive); equal for all copies of a batch."""

    claims: Mapping[str, Any] = field(repr=False)
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class CredentialType:
    """What can be issued. `names[format]` holds the wire names of a format: `names["dc+sd-jwt"]["vct"]`; for W3C
    formats the terms in `type`, and in `types` the IRIs that they mean, the type's own first.

    `inputs` are what a clerk types and no card says: age_over_18 needs a birth date, and the age card has none.
    `window` names the date claims that bound a card's validity, where the type has such.
    """

    id: str
    title: Mapping[str, str]
    claims: Mapping[Path, ClaimRule]
    lifetime: timedelta
    copies: int
    status: Literal["required", "none"]
    names: Mapping[str, Mapping[str, Any]]
    unlinkable: bool = False
    decoys: int = 0
    inputs: Mapping[Path, ClaimRule] = field(default_factory=lambda: _NONE)
    window: tuple[Path | None, Path | None] = (None, None)

    def wire_name(self, format: str) -> str:
        """The first of the wire names that a credential of this type has in `format`: vct, doctype, or type IRI."""
        names = self.names[format]
        return str(names.get("vct") or names.get("doctype") or names["types"][0])

    @property
    def enrolled(self) -> bool:
        """Is it issued by enrolling (`cityid.enrolling`) and no other way? Something in it only the roll knows."""
        return any(rule.derived == ENROLMENT for rule in self.claims.values())

    def typed(self) -> Mapping[Path, ClaimRule]:
        """The claims that a clerk types: all that are not derived, inputs first."""
        return {path: rule for path, rule in (*self.inputs.items(), *self.claims.items()) if rule.derived is None}

    def read(
        self, claims: Mapping[str, Any], *, at: datetime, timezone: tzinfo = UTC, city: Mapping[str, str] = _NONE
    ) -> Mapping[str, Any]:
        """What a clerk typed, checked, with the derived claims computed for the issuer's local day (`timezone`) and
        from the city's own facts (`authority`, `country`, `jurisdiction`).

        Raises:
            Malformed: `claim.*`, the first problem.
        """
        return self.prepare(claims, at=at, timezone=timezone, city=city).claims

    def prepare(
        self, claims: Mapping[str, Any], *, at: datetime, timezone: tzinfo = UTC, city: Mapping[str, str] = _NONE
    ) -> Prepared:
        """`read`, with the validity window.

        Raises:
            Malformed: `claim.*`, the first problem.
        """
        from cityid.credential_type.claims import prepare

        return prepare(self, claims, at=at, timezone=timezone, city=city)

    def problems(self, claims: Mapping[str, Any], *, at: datetime, timezone: tzinfo = UTC) -> tuple[Problem, ...]:
        """All that is wrong with what a clerk typed; empty where `read` would accept it."""
        from cityid.credential_type.claims import problems

        return problems(self, claims, at=at, timezone=timezone)


def text_in(texts: Mapping[str, str], locale: str = "en") -> str:
    """The text for a locale: itself, its language, English, or the first there is."""
    for wanted in (locale, locale.partition("-")[0], "en"):
        if wanted in texts:
            return texts[wanted]
    return next(iter(texts.values()))
