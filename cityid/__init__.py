"""Digital identity for a city: issue, hold and verify credentials of residency, age and permits.

    from cityid import Challenge, load_policy, verify

    verdict = verify(card, "dc+sd-jwt", challenge, policy, at).run(exchange)
    if verdict:
        print(verdict.claims)

Everything public is here, and is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cityid.checks import Accepted, Check, Outcome, Rejected, Step, Verdict
    from cityid.credential import Challenge, Credential, CredentialType, Unbound
    from cityid.edge.files import load_policy
    from cityid.errors import CityIdError, Malformed, Misuse, Problem, Refused, Unavailable
    from cityid.formats import FORMATS
    from cityid.plan import Plan, Request, Response
    from cityid.policy import Policy
    from cityid.presenting import Consent, options, present
    from cityid.verifying import Asked, verify, verify_answer

_PLACES = {
    "Accepted": "checks",
    "Check": "checks",
    "Outcome": "checks",
    "Rejected": "checks",
    "Step": "checks",
    "Verdict": "checks",
    "Challenge": "credential",
    "Credential": "credential",
    "CredentialType": "credential",
    "Unbound": "credential",
    "CityIdError": "errors",
    "Malformed": "errors",
    "Misuse": "errors",
    "Problem": "errors",
    "Refused": "errors",
    "Unavailable": "errors",
    "FORMATS": "formats",
    "Plan": "plan",
    "Request": "plan",
    "Response": "plan",
    "Policy": "policy",
    "load_policy": "edge.files",
    "Issuer": "issuing",
    "accept": "accepting",
    "Consent": "presenting",
    "options": "presenting",
    "present": "presenting",
    "Asked": "verifying",
    "verify": "verifying",
    "verify_answer": "verifying",
    "explain": "edge.messages",
}

__all__ = tuple(sorted(_PLACES))


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'cityid' has no attribute {name!r}")
    value = getattr(import_module(f"cityid.{place}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))
