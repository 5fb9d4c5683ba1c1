"""Where polls are kept, in SQLite: a platform's box of ballots, and city hall's roll of voices."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from cityid.edge.sql import SqliteSql
from cityid.edge.sqlite import Store
from cityid.encoding import base64url, times
from cityid.errors import Refused
from cityid.polls import Enrolment, Poll, Vote, enrol

_APPLICATION: Final = 0x63695056  # "ciPV"


class _Polls(Store):
    def __init__(self, path: str | Path | None = None, *, must_exist: bool = False) -> None:
        """In memory where `path` is None. Raises as `cityid.edge.sqlite.Database`."""
        self._sql = SqliteSql(path, "polls", _APPLICATION, must_exist=must_exist)

    def close(self) -> None:
        self._sql.close()


class Box(_Polls):
    """The ballots of polls. Which of two votes of one pseudonym came first is decided by the database, once."""

    def put(self, poll: Poll, vote: Vote) -> None:
        """Keep a vote that `polls.check` found good. The same ballot again changes nothing, so that a voter who heard
        no answer may send it again.

        Raises:
            Refused: `polls.second_vote`. Unavailable: `store.*`.
        """
        row = (poll.id, vote.pseudonym, vote.choice, vote.ballot.decode("utf-8"))
        with self._sql.write() as link:
            link.execute(
                "INSERT INTO ballots (poll, pseudonym, choice, ballot) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", row
            )
            kept = link.execute("SELECT ballot FROM ballots WHERE poll = ? AND pseudonym = ?", row[:2]).fetchone()
        if kept[0] != row[3]:
            raise Refused("polls.second_vote", pseudonym=vote.pseudonym)

    def votes(self, poll: Poll) -> tuple[Vote, ...]:
        """All votes in a poll, by pseudonym."""
        with self._sql.read() as link:
            rows = link.execute(
                "SELECT pseudonym, choice, ballot FROM ballots WHERE poll = ? ORDER BY pseudonym", (poll.id,)
            ).fetchall()
        return tuple(Vote(pseudonym, choice, ballot.encode("utf-8")) for pseudonym, choice, ballot in rows)


class Roll(_Polls):
    """Each resident's commitment: what makes that a new phone gives no second voice."""

    def enrol(
        self,
        person: str,
        commitment: bytes,
        *,
        at: datetime,
        lost: bool = False,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> Enrolment:
        """`polls.enrol` for a person of the register, in one transaction. Raises as it; Unavailable `store.*`."""
        with self._sql.write() as link:
            row = link.execute(
                "SELECT committed, nym_entropy, since FROM voices WHERE person = ?", (person,)
            ).fetchone()
            kept = row and Enrolment(base64url.decode(row[0]), base64url.decode(row[1]), times.read_date(row[2]))
            found = enrol(kept, commitment, at=at, lost=lost, entropy=entropy)
            if found != kept:
                link.execute("DELETE FROM voices WHERE person = ?", (person,))
                values = (
                    base64url.encode(found.commitment),
                    base64url.encode(found.nym_entropy),
                    found.since.isoformat(),
                )
                link.execute(
                    "INSERT INTO voices (person, committed, nym_entropy, since) VALUES (?, ?, ?, ?)", (person, *values)
                )
        return found
