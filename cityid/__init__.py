"""Digital identity for a city: issue, hold and verify credentials of residency, age and permits.

    from cityid import Challenge, load_policy, verify

    verdict = verify(card, "dc+sd-jwt", challenge, policy, at).run(exchange)
    if verdict:
        print(verdict.claims)

Everything public is here, and is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cityid import lazily

if TYPE_CHECKING:
    from cityid.accepting import accept, begin
    from cityid.checks import Accepted, Check, Outcome, Rejected, Step, Verdict
    from cityid.credential import Challenge, Credential, CredentialType, Unbound
    from cityid.edge.files import load_policy
    from cityid.edge.messages import explain
    from cityid.errors import CityIdError, Malformed, Misuse, Problem, Refused, Unavailable
    from cityid.formats import FORMATS
    from cityid.issuing import Issuer
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
    "begin": "accepting",
    "Consent": "presenting",
    "options": "presenting",
    "present": "presenting",
    "Asked": "verifying",
    "verify": "verifying",
    "verify_answer": "verifying",
    "explain": "edge.messages",
}

# Written out, because type checkers cannot sort; tests/spec/test_front_door.py holds it against _PLACES.
__all__ = [
    "FORMATS", "Accepted", "Asked", "Challenge", "Check", "CityIdError", "Consent", "Credential", "CredentialType",
    "Issuer", "Malformed", "Misuse", "Outcome", "Plan", "Policy", "Problem", "Refused", "Rejected", "Request",
    "Response", "Step", "Unavailable", "Unbound", "Verdict", "accept", "begin", "explain", "load_policy", "options",
    "present", "verify", "verify_answer",
]  # fmt: skip


if not TYPE_CHECKING:  # who checks types sees the names above, and no others
    __getattr__ = lazily.attributes(__name__, globals(), _PLACES)


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))
