"""One resident, one voice: polls in which city hall and the platform together cannot tell who voted how.

A resident holds a `voice` credential (bbs-2023 with pseudonyms) over a secret that nobody else knows. In one poll it
has one pseudonym; pseudonyms of two polls cannot be linked. `voice` issues it, `poll` says what is asked and who may
answer, `ballots` makes votes, judges them and counts them again. Needs the extra `bbs`.
"""

from __future__ import annotations

from cityid.polls.ballots import Vote, cast, check, publish, recount
from cityid.polls.poll import Poll
from cityid.polls.voice import Enrolment, Voice, accept, begin, enrol, issue, month, next_roll_day, roll_day
from cityid.proofs.bbs2023 import Holder

__all__ = [
    "Enrolment", "Holder", "Poll", "Voice", "Vote", "accept", "begin", "cast", "check", "enrol", "issue", "month",
    "next_roll_day", "publish", "recount", "roll_day",
]  # fmt: skip
