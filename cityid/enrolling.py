"""City hall's job of giving voices (`cityid.polls`): who comes with a wallet's commitment gets this month's voice.

roll = Roll(register, secret, kind, signer, issuer=did, method=key_id)
roll.enrol(person, commitment, claims, by="clerk-1", at=at)

What the register keeps is durable before anything is signed; who heard no answer comes again with the same commitment
and gets the same voice, so an end at any moment loses nothing and gives nobody two.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from typing import Any, Final

from cityid import polls
from cityid.credential_type import CredentialType, Prepared
from cityid.encoding import times
from cityid.keys import BbsSigner
from cityid.polls import Enrolment
from cityid.register import Batch, Register, Voice, in_batch
from cityid.register import Roll as Reads
from cityid.sessions import new_key

__all__ = ["TYPE", "Enrolled", "Roll"]

TYPE: Final = "voice"
"""The id of the shipped type."""
Entropy = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A voice for its resident, and what it says."""

    card: Mapping[str, Any]
    enrolment: Enrolment
    prepared: Prepared


@dataclass(frozen=True, slots=True)
class Roll:
    """The roll of a city. `secret` tells under which secret persons have their pseudonyms; `kind` is the type `voice`;
    `method` is the DID URL of the signer's key; ages are those of the day in `timezone`."""

    register: Register
    secret: str
    kind: CredentialType
    signer: BbsSigner
    issuer: str
    method: str
    timezone: tzinfo = UTC

    def prepare(
        self, person: str, commitment: bytes, claims: Mapping[str, Any], *, at: datetime, lost: bool = False
    ) -> Prepared:
        """What the voice would say, to be shown to the clerk. Nothing is kept. Raises as `enrol`, less the signer."""
        _, made = self._judged(self.register, person, commitment, claims, at, lost, secrets.token_bytes)
        return self._said(claims, made, at)

    def enrol(
        self,
        person: str,
        commitment: bytes,
        claims: Mapping[str, Any],
        *,
        by: str,
        at: datetime,
        lost: bool = False,
        entropy: Entropy = secrets.token_bytes,
    ) -> Enrolled:
        """The voice of `person` (a pseudonym of the register's) for the month of `at`. Where anything is wrong, nothing
        is kept. Who is new to a register that was restored from a backup since the last roll day may have been on it,
        and is heard from the next one on, as who has `lost` the secret.

        Raises:
            Malformed: `claim.*`, `polls.commitment`, `bbs.*`.
            Refused: `polls.other_secret`, `bbs.commitment`.
            Misuse: `polls.other_type`, `time.naive`.
            Unavailable: `register.other_secret`, `store.*`, `bbs.entropy`, and what the signer raises.
        """

        def work(batch: Batch) -> Enrolment:
            kept, made = self._judged(batch, person, commitment, claims, at, lost, entropy)
            how = "first" if kept is None else "again" if made == kept else "lost"
            batch.enrol(Voice(person, self.secret, made.commitment, made.nym_entropy, made.since), how)
            return made

        times.check_aware(at)
        made = in_batch(self.register, by, new_key(entropy), at, work)
        prepared = self._said(claims, made, at)
        card = polls.issue(prepared, made, self.signer, issuer=self.issuer, method=self.method, entropy=entropy)
        return Enrolled(card, made, prepared)

    def _judged(
        self,
        roll: Reads,
        person: str,
        commitment: bytes,
        claims: Mapping[str, Any],
        at: datetime,
        lost: bool,
        entropy: Entropy,
    ) -> tuple[Enrolment | None, Enrolment]:
        """What the roll has of a person, and what it will have."""
        known = roll.voice(person, self.secret)
        kept = None if known is None else Enrolment(known.commitment, known.entropy, known.since)
        start = datetime.combine(polls.roll_day(at), time(), UTC)
        forgotten = roll.restored_since(start)
        made = polls.enrol(kept, commitment, at=at, lost=lost, forgotten=forgotten, entropy=entropy)
        self._said(claims, made, at)  # wrong claims are told before anything is kept
        return kept, made

    def _said(self, claims: Mapping[str, Any], made: Enrolment, at: datetime) -> Prepared:
        return polls.prepare(self.kind, claims, made.since, at=at, timezone=self.timezone)
