"""Who may do what at city hall. Pure rules: signing in, and where clerks are kept, is others' work."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from cityid.encoding import times
from cityid.errors import Misuse, Refused

__all__ = ["NAME", "Clerk", "Right", "check", "check_name"]

NAME: Final = re.compile(r"[^\W\d_][\w.@-]{0,63}")
"""A clerk's name: a letter, then letters, digits, `_.@-`; at most 64 characters."""


class Right(StrEnum):
    """What a clerk may be allowed to do."""

    ISSUE = "issue"
    """Prepare cards and sign them for the wallet's keys."""
    APPROVE = "approve"
    """Say yes to what another clerk prepared."""
    REVOKE = "revoke"
    """Revoke, suspend and restore."""
    READ = "read"
    """See the register's rows."""
    PUBLISH = "publish"
    """Sign and publish status lists and the log of actions."""
    ADMINISTER = "administer"
    """Add and remove clerks and keys, reconcile and copy the register."""


@dataclass(frozen=True, slots=True)
class Clerk:
    """A person of city hall. Without `types` all types are meant, without a `department` all departments' records; what
    they issue is their department's. From `until` on they may do nothing, and stay known."""

    name: str
    rights: frozenset[Right]
    types: frozenset[str] = frozenset()
    department: str = ""
    since: datetime | None = None
    until: datetime | None = None


def check_name(name: str) -> str:
    """A name that a new clerk can have.

    Raises:
        Misuse: `clerk.name`.
    """
    if not NAME.fullmatch(name):
        raise Misuse("clerk.name", name=name)
    return name


def check(clerk: Clerk, right: Right, at: datetime, *, type: str | None = None, department: str | None = None) -> None:
    """`clerk` may do this now, to a record of this type and department where one is meant.

    Raises:
        Refused: `clerk.ended`, `clerk.may_not`, `clerk.other_type`, `clerk.other_department`.
    """
    if clerk.until is not None and clerk.until <= at:
        raise Refused("clerk.ended", clerk=clerk.name, end=times.stamp(clerk.until))
    if right not in clerk.rights:
        raise Refused("clerk.may_not", clerk=clerk.name, right=right.value)
    if type is not None and clerk.types and type not in clerk.types:
        raise Refused("clerk.other_type", clerk=clerk.name, type=type)
    if department is not None and clerk.department and department != clerk.department:
        raise Refused("clerk.other_department", clerk=clerk.name, department=department or "no department")
