"""Credential types: one definition (`schemas/types/*.json`) says what a city can issue, in every format."""

from __future__ import annotations

from cityid.credential_type.definition import check, new, read
from cityid.credential_type.model import ENROLMENT, ClaimRule, CredentialType, Path, Prepared, text_in
from cityid.credential_type.table import canonical, columns, from_row, template

__all__ = [
    "ENROLMENT",
    "ClaimRule",
    "CredentialType",
    "Path",
    "Prepared",
    "canonical",
    "check",
    "columns",
    "from_row",
    "new",
    "read",
    "template",
    "text_in",
]
