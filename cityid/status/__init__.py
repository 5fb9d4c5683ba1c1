"""Is the credential still good? One door for every kind of status list, and how fresh an answer must be.

A kind that is not built is UNDECIDED, never passed: a status that nobody can read is not a yes. The three answers about
a list are fresh, stale and unknown; a verdict says which, as of when, and what the policy would have accepted.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from cityid.checks import Check, Outcome, Step, failed, passed, undecided
from cityid.credential import KeyRef, StatusRef
from cityid.encoding import times
from cityid.errors import Malformed, Problem, Refused, Unavailable
from cityid.plan import Steps, plan
from cityid.status import names
from cityid.status.lists import KINDS, Freshness, Known, historical, known
from cityid.trust import TrustList

if TYPE_CHECKING:
    from cityid.status.bitstring_status_list import Bitstring

__all__ = ["Freshness", "check", "check_then", "problem_type"]

_NONE: Final = passed(Step.STATUS, status="none")
_WORST: Final = (Outcome.PASSED, Outcome.UNDECIDED, Outcome.FAILED)
VALID, INVALID, SUSPENDED = 0, 1, 2
APPLICATION: Final = frozenset({3, 0x0C, 0x0D, 0x0E, 0x0F})
"""Values whose meaning an application gives (Token Status List §7.1); all others are reserved."""


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
    """The STATUS check over all entries of one credential; the worst of them wins.

    `issuer` is the key that signed the credential, which was checked before: nothing is asked for on behalf of a
    stranger. `required` says whether the issuer's trust entry demands a status. Without entries the answer is
    `status.missing` or, where none is demanded, passed.

    A passed check has the facts `list`, `index`, `status_as_of`, `known_until`, `ttl` and `bound` (seconds; the list's
    time to live, and the greatest staleness that the policy accepts here), `met` and `freshness` (`fresh` or `stale`).
    FAILED: `status.invalid`, `status.suspended`, `status.application`, `status.reserved`, `status.index`, or a list of
    somebody else's. UNDECIDED: `status.kind_not_built`, or no list that may be relied on could be had.
    """
    found: Check | None = None
    for ref in refs:
        each = yield from _entry(ref, issuer, trust, freshness, at)
        if found is None or _worse(each, found):
            found = each
    if found is not None:
        return found
    return failed(Step.STATUS, "status.missing", where="$.status") if required else _NONE


@plan
def check_then(ref: StatusRef, issuer: KeyRef, trust: TrustList, moment: datetime) -> Steps[Check]:
    """The STATUS check of one entry as it was at `moment` (Token Status List §8.4), for lists whose host keeps history.

    As `check`; `status.no_history` where the answer was not in force then.
    """
    kind = KINDS.get(ref.kind)
    if kind is None:
        return undecided(Step.STATUS, "status.kind_not_built", kind=ref.kind)
    problem = _malformed(ref)
    if problem is not None:
        return failed(Step.STATUS, problem)
    try:
        return _judged(ref, (yield from historical(kind, ref.uri, issuer, trust, moment)))
    except (Unavailable, Malformed) as error:
        return undecided(Step.STATUS, error.problem)
    except Refused as error:
        return failed(Step.STATUS, error.problem)


def _worse(one: Check, other: Check) -> bool:
    """Is `one` the worse answer? Among entries that passed, it is the one that is known for the shorter time."""
    a, b = _WORST.index(one.outcome), _WORST.index(other.outcome)
    return a > b or (a == b and str(one.facts.get("known_until")) < str(other.facts.get("known_until")))


def _entry(ref: StatusRef, issuer: KeyRef, trust: TrustList, freshness: Freshness, at: datetime) -> Steps[Check]:
    kind = KINDS.get(ref.kind)
    if kind is None:
        return undecided(Step.STATUS, "status.kind_not_built", kind=ref.kind)
    problem = _malformed(ref)
    if problem is not None:
        return failed(Step.STATUS, problem)
    try:
        return _judged(ref, (yield from known(kind, ref.uri, issuer, trust, freshness, at)))
    except (Unavailable, Malformed) as error:
        return undecided(Step.STATUS, error.problem)
    except Refused as error:
        return failed(Step.STATUS, error.problem)


def _malformed(ref: StatusRef) -> Problem | None:
    """What is wrong with an entry of a W3C list, which its issuer has signed: nothing is asked for on its behalf."""
    if ref.kind == names.BITSTRING:
        from cityid.status.bitstring_status_list import read_entry

        try:
            read_entry(ref.facts)
        except Malformed as error:
            return error.problem
    return None


def _judged(ref: StatusRef, known: Known) -> Check:
    """Raises Refused `status.index` and `bitstring.*`, Malformed `bitstring.*`."""
    if ref.kind == names.BITSTRING:
        return _judged_for_a_purpose(ref, cast("Bitstring", known.entries), known)
    value = known.entries[ref.index]
    if value == VALID:
        return _passed(ref, known, "valid")
    as_of = times.stamp(known.as_of)
    if value == INVALID:
        return failed(Step.STATUS, "status.invalid", spec=_SPEC, list=ref.uri, index=ref.index, as_of=as_of)
    if value == SUSPENDED:
        return failed(Step.STATUS, "status.suspended", spec=_SPEC, list=ref.uri, index=ref.index, as_of=as_of)
    code = "status.application" if value in APPLICATION else "status.reserved"
    return failed(Step.STATUS, code, spec=_SPEC, list=ref.uri, index=ref.index, value=value)


def _judged_for_a_purpose(ref: StatusRef, found: Bitstring, known: Known) -> Check:
    """Bitstring Status List 1.0 §3.2, from step 5 on, and what each purpose means (§2.1)."""
    from cityid.status.bitstring_status_list import LEAST, read_entry

    entry = read_entry(ref.facts)
    if entry.purpose not in found.purposes:
        told = ", ".join(found.purposes)
        raise Refused("bitstring.purpose", spec=_BITSTRING, list=ref.uri, expected=entry.purpose, found=told)
    if found.bits is not None and found.bits != entry.bits:
        raise Refused("bitstring.other_size", spec=_BITSTRING, list=ref.uri, expected=entry.bits, found=found.bits)
    if (size := found.nbytes * 8 // entry.bits) < LEAST:
        raise Refused("bitstring.too_short", spec=_BITSTRING, list=ref.uri, size=size, least=LEAST)
    value, as_of = found.value(entry.index, entry.bits), times.stamp(known.as_of)
    if value == VALID:
        return _passed(ref, known, "valid")
    if entry.purpose == "refresh":
        # A newer card is to be had; this one is as good as it was.
        return _passed(ref, known, "refresh")
    if entry.purpose == "revocation":
        return failed(Step.STATUS, "status.invalid", spec=_BITSTRING, list=ref.uri, index=ref.index, as_of=as_of)
    if entry.purpose == "suspension":
        return failed(Step.STATUS, "status.suspended", spec=_BITSTRING, list=ref.uri, index=ref.index, as_of=as_of)
    message = entry.messages.get(value) or found.messages.get(value) or ""
    return failed(
        Step.STATUS, "status.message", spec=_BITSTRING, list=ref.uri, index=ref.index, purpose=entry.purpose,
        value=value, message=message,
    )  # fmt: skip


def _passed(ref: StatusRef, known: Known, status: str) -> Check:
    return passed(
        Step.STATUS,
        status=status,
        list=ref.uri,
        index=ref.index,
        status_as_of=times.stamp(known.as_of),
        known_until=times.stamp(known.until),
        ttl=0 if known.ttl is None else int(known.ttl.total_seconds()),
        bound=int(known.bound.total_seconds()),
        met="yes",
        freshness="stale" if known.late else "fresh",
    )


_BITSTRING: Final = "Bitstring Status List 1.0 §3.2"
_SPEC: Final = "Token Status List §7.1"

# -- problem types --

_LIST_ERRORS: Final = "https://www.w3.org/ns/credentials/status-list#"
_VALUE_ERRORS: Final = "https://www.w3.org/TR/vc-data-model#"
_RETRIEVAL: Final = ("net.", "status.http", "status.media_type", "status.stale", "status.no_history")
_MALFORMED: Final = (
    "json.", "base64url.", "bitstring.entry_", "bitstring.message", "bitstring.multibase", "bitstring.not_gzip",
    "bitstring.truncated", "bitstring.trailing", "bitstring.too_large", "bitstring.ttl",
)  # fmt: skip
_ANSWERS: Final = frozenset({"status.invalid", "status.suspended", "status.message", "status.application"})


def problem_type(code: str) -> str:
    """The problem type of Bitstring Status List 1.0 §3.5 for a code of ours: a URL; "" where the code is no error but
    the list's own answer."""
    if code in _ANSWERS:
        return ""
    if code == "bitstring.too_short":
        return f"{_LIST_ERRORS}STATUS_LIST_LENGTH_ERROR"
    if code == "status.index":
        return f"{_VALUE_ERRORS}RANGE_ERROR"
    if code.startswith(_MALFORMED):
        return f"{_VALUE_ERRORS}MALFORMED_VALUE_ERROR"
    return f"{_LIST_ERRORS}{'STATUS_RETRIEVAL_ERROR' if code.startswith(_RETRIEVAL) else 'STATUS_VERIFICATION_ERROR'}"
