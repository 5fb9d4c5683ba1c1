"""Where a platform keeps the ballots of polls, in SQLite. City hall's roll of voices is in its register."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cityid.edge.sql import SqliteSql
from cityid.edge.sqlite import Store
from cityid.errors import Refused
from cityid.polls import Poll, Vote

_APPLICATION: Final = 0x63695056  # "ciPV"


class Box(Store):
    """The ballots of polls. Which of two votes of one pseudonym came first is decided by the database, once. In memory
    where `path` is None. Raises as `cityid.edge.sqlite.Database`."""

    def __init__(self, path: str | Path | None = None, *, must_exist: bool = False) -> None:
        self._sql = SqliteSql(path, "polls", _APPLICATION, must_exist=must_exist)

    def close(self) -> None:
        self._sql.close()

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
