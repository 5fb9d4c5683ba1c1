"""A city, a pocket and a service in memory: whole walks without files or network."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from cityid import limits, policy, query
from cityid.checks import Step, Verdict
from cityid.credential import Challenge, Credential, StatusRef
from cityid.edge.software_keys import MemoryKeyring
from cityid.formats import FORMATS
from cityid.issuing import Issuer
from cityid.keys import Algorithm
from cityid.plan import Request, Response
from cityid.policy import Policy
from cityid.presenting import Consent, Options, options, present
from cityid.trust import TrustList
from cityid.verifying import AnswerVerdict, Asked, verify, verify_answer
from tests.jobs.offices import ADA, NOW, TYPES, WIRE, Office, no_network
from tests.memory import MemorySessions, MemoryWallet

AUDIENCE = "x509_san_dns:library.lindau.example"
LIBRARY = b"""
purpose = "library card"
[ask]
type = "residency"
claims = ["age_over_18", "address.locality"]
[accept]
"age_over_18" = true
"address.locality" = ["Lindau", "Bregenz"]
[trust]
list = "region.toml"
"""


@dataclass
class Desk:
    """A service: its policy, its open questions. `given` are its files."""

    office: Office
    text: bytes = LIBRARY
    trusted: TrustList | None = None
    sessions: MemorySessions = field(default_factory=MemorySessions)
    asked_so_far: int = 0

    @cached_property
    def policy(self) -> Policy:
        read = policy.read(self.text, types=TYPES, load=lambda name: b"", formats=FORMATS)
        return replace(read, trust=self.trusted or self.office.trusted)

    def ask(self, at: datetime = NOW, audience: str = AUDIENCE) -> Asked:
        self.asked_so_far += 1
        asked = Asked(
            f"session-{self.asked_so_far:08}", self.policy.query, Challenge(audience, f"nonce-{self.asked_so_far:016}"),
            self.policy,
        )  # fmt: skip
        self.sessions.put(asked.id, b"asked", at + limits.SESSION_AGE)
        return asked

    def judge(
        self, token: Any, asked: Asked, at: datetime = NOW, exchange: Callable[[Request], Response] = no_network
    ) -> AnswerVerdict:
        return verify_answer(token, asked, at, sessions=self.sessions).run(exchange)

    def judge_one(
        self,
        raw: str | bytes,
        asked: Asked,
        at: datetime = NOW,
        exchange: Callable[[Request], Response] = no_network,
        **more: Any,
    ) -> Verdict:
        data = raw if isinstance(raw, bytes) else raw.encode()
        return verify(data, "dc+sd-jwt", asked.challenge, self.policy, at, **more).run(exchange)


@dataclass
class Town:
    """The three of them, with a card in the pocket."""

    office: Office = field(default_factory=Office)
    pocket: MemoryWallet = field(default_factory=MemoryWallet)

    def takes(self, type: str = "residency", claims: Any = ADA, at: datetime = NOW) -> None:
        self.office.accept(self.office.cards(self.office.offer(type, claims, at), self.pocket, at), self.pocket, at)

    def desk(self, text: bytes = LIBRARY, **more: Any) -> Desk:
        return Desk(self.office, text, **more)

    def options(self, asked: Asked, at: datetime = NOW) -> Options:
        found = options(self.pocket, asked.query, at)
        assert isinstance(found, Options)
        return found

    def shows(self, asked: Asked, at: datetime = NOW) -> dict[str, list[Any]]:
        return dict(present(Consent(self.options(asked, at).best, at), asked.challenge, self.pocket, at).vp_token)

    def shows_one(self, asked: Asked, at: datetime = NOW) -> str:
        (group,) = self.shows(asked, at).values()
        (raw,) = group
        return str(raw)


def codes(verdict: Verdict) -> dict[Step, str]:
    """Outcome of each step, or the code of its problem."""
    return {check.step: check.problem.code if check.problem else check.outcome.value for check in verdict.checks}


def issued_with(issuer: Issuer, holder: MemoryKeyring, status: Iterable[StatusRef] = (), **changed: Any) -> Credential:
    """A card as this city signs it, with what its own walk would not write."""
    from cityid.credential import Draft, Window

    prepared = issuer.prepare("residency", ADA, at=NOW)
    draft = Draft(
        TYPES["residency"], issuer.id, issuer.signed_by, prepared.claims, holder.create(Algorithm.ES256),
        Window(prepared.start, prepared.end), tuple(status),
    )  # fmt: skip
    return FORMATS["dc+sd-jwt"].issue(replace(draft, **changed), issuer.signer, at=NOW, entropy=secrets.token_bytes)


__all__ = [
    "ADA", "AUDIENCE", "LIBRARY", "NOW", "TYPES", "WIRE", "Desk", "Office", "Town", "codes", "issued_with",
    "no_network", "query", "timedelta",
]  # fmt: skip
