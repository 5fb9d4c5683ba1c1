"""One resident, one voice: polls in which city hall and the platform together cannot tell who voted how.

A resident holds a `voice` credential (bbs-2023 with pseudonyms) over a secret that nobody else knows. In one poll it
has one pseudonym; pseudonyms of two polls cannot be linked. `voice` issues it, `poll` says what is asked and who may
answer, `ballots` makes votes, judges them and counts them again. Needs the extra `bbs`.
"""

from __future__ import annotations

from cityid.polls.ballots import LIST, Vote, cast, check, key_of, publish, recount
from cityid.polls.poll import Poll, read
from cityid.polls.voice import (
    Enrolment,
    Voice,
    accept,
    begin,
    enrol,
    issue,
    next_roll_day,
    prepare,
    read_commitment,
    read_secret,
    roll_day,
    write_commitment,
    write_secret,
)  # fmt: skip
from cityid.proofs.bbs2023 import Holder

__all__ = [
    "LIST", "Enrolment", "Holder", "Poll", "Voice", "Vote", "accept", "begin", "cast", "check", "enrol", "issue",
    "key_of", "next_roll_day", "prepare", "publish", "read", "read_commitment", "read_secret", "recount", "roll_day",
    "write_commitment", "write_secret",
]  # fmt: skip
