"""Is the credential still good? One door for every kind of status list, and how fresh an answer must be.

A kind that is not built is UNDECIDED, never passed: a status that nobody can read is not a yes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cityid.checks import Check, Step, failed, passed, undecided
from cityid.credential import KeyRef, StatusRef
from cityid.plan import Steps, plan
from cityid.trust import TrustList

__all__ = ["Freshness", "check"]

_NONE: Final = passed(Step.STATUS, status="none")


@dataclass(frozen=True, slots=True)
class Freshness:
    """The greatest age of a status that a policy accepts: ordinarily, when the list cannot be had, and with a list
    fetched ahead."""

    max_age: timedelta = timedelta(minutes=15)
    grace: timedelta = timedelta(0)
    offline: timedelta = timedelta(0)


@plan
def check(
    refs: Iterable[StatusRef],
    issuer: KeyRef,
    trust: TrustList,
    freshness: Freshness,
    at: datetime,
    *,
    required: bool,
) -> Steps[Check]:
    """The STATUS check over all entries of one credential.

    `required` says whether the issuer's trust entry demands a status. Without entries the answer is `status.missing`
    or, where none is demanded, passed. No list kind is built yet, so each entry is `status.kind_not_built`.
    """
    yield from ()  # list kinds will ask the network here
    for ref in refs:
        return undecided(Step.STATUS, "status.kind_not_built", kind=ref.kind)
    if required:
        return failed(Step.STATUS, "status.missing", where="$.status")
    return _NONE
