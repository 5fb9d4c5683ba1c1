"""Who may do what at city hall. Pure rules: signing in, and where clerks are kept, is others' work."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from cityid.encoding import base64url, json, times
from cityid.errors import Misuse, Refused
from cityid.keys import PublicKey

__all__ = ["ANSWER_TIME", "NAME", "Challenge", "Clerk", "Right", "check", "check_name"]

NAME: Final = re.compile(r"[^\W\d_][\w.@-]{0,63}")
"""A clerk's name: a letter, then letters, digits, `_.@-`; at most 64 characters."""


ANSWER_TIME: Final = timedelta(minutes=2)
"""How long a clerk who signs in with a key has for it: time to type a PIN."""


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


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a clerk signs in order to come in: fresh, and good for nobody else, in no other register, at no other time.
    `register` is what `cityid.register.identity` says of the register."""

    register: bytes
    clerk: str
    at: datetime
    nonce: bytes

    @classmethod
    def new(
        cls, register: bytes, clerk: str, at: datetime, *, entropy: Callable[[int], bytes] = secrets.token_bytes
    ) -> Challenge:
        return cls(register, clerk, at, entropy(32))

    @property
    def message(self) -> bytes:
        """The bytes to be signed. They begin as nothing else that is signed here, and name all that they are for."""
        return b"cityid clerk sign-in 1\n" + json.write(
            {
                "register": base64url.encode(self.register),
                "clerk": self.clerk,
                "at": times.stamp(self.at),
                "nonce": base64url.encode(self.nonce),
            }
        )

    def check(self, signature: bytes, key: PublicKey, at: datetime) -> None:
        """`signature` over this challenge is by `key`, and came in time.

        Raises:
            Refused: `clerk.too_late`, `clerk.other_key`.
        """
        if not self.at <= at <= self.at + ANSWER_TIME:
            raise Refused("clerk.too_late", clerk=self.clerk)
        try:
            key.verify(signature, self.message)
        except Refused:
            raise Refused("clerk.other_key", clerk=self.clerk) from None
