"""The box of ballots, in SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest

from cityid import polls
from cityid.edge.polls_store import Box
from cityid.errors import Refused
from tests.polls import NOW, ballot, poll, usual


def vote(data: bytes) -> polls.Vote:
    return polls.check(poll(), data, at=NOW)


class TestBox:
    def test_a_second_vote_is_refused(self, tmp_path: Path) -> None:
        with Box(tmp_path / "box.sqlite") as box:
            box.put(poll(), vote(ballot(0)))
            box.put(poll(), vote(ballot(1)))
        with Box(tmp_path / "box.sqlite", must_exist=True) as box:
            for choice in ("yes", "no"):
                with pytest.raises(Refused) as refusal:
                    box.put(poll(), vote(polls.cast(poll(), usual(0), choice, at=NOW)))
                assert refusal.value.code == "polls.second_vote"
            assert polls.recount(polls.publish(poll(), box.votes(poll()))) == {"yes": 2, "no": 0}

    def test_the_same_ballot_again_changes_nothing(self) -> None:
        with Box() as box:
            box.put(poll(), vote(ballot(0)))
            box.put(poll(), vote(ballot(0)))
            assert len(box.votes(poll())) == 1

    def test_polls_are_apart(self) -> None:
        other = poll(question="Another tree?")
        with Box() as box:
            box.put(poll(), vote(ballot(0)))
            box.put(other, polls.check(other, polls.cast(other, usual(0), "no", at=NOW), at=NOW))
            assert [each.choice for each in box.votes(other)] == ["no"]
            assert box.votes(poll())[0].pseudonym != box.votes(other)[0].pseudonym
