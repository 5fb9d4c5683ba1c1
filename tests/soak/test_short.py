"""The experiments in their short form: every injected fault point of E1 and E5 once, 25 random kills a store, eight
processes with 500 operations each; fewer than asked fails. CITYID_RECORDS=FOLDER keeps a record of each; CITYID_SEED=N
repeats what a record tells."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom

import pytest

from tests.soak.__main__ import left, one, record, table
from tests.soak.core import Place, Tally, memory_folder
from tests.soak.experiments import EXPERIMENTS

pytestmark = pytest.mark.slow
SEED = int(os.environ.get("CITYID_SEED") or SystemRandom().randrange(1 << 32))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiment(name: str, request: pytest.FixtureRequest) -> None:
    try:
        servers = [request.getfixturevalue("postgres")] if name in ("E2", "E4", "E18") else []
    except pytest.skip.Exception:
        servers = [None]
    tally = Tally(name, SEED)
    one(EXPERIMENTS[name], tally, SEED, long=False, servers=servers)
    if folder := os.environ.get("CITYID_RECORDS"):
        record([tally], Path(folder), datetime.now(UTC), long=False)
    assert tally.content, table([tally])
    assert tally.asked, table([tally])


def test_fewer_than_asked_is_no_success() -> None:
    tally = Tally("E1", 1)
    tally.ask("kills", 25)
    tally.did("kills", 24)
    assert tally.fewer == ["kills: 24 of 25"]
    states = [tally.content]
    tally.did("kills")
    states.append(tally.content)
    tally.wrong("", "lost")
    assert tally.violations == ["lost"]
    assert [*states, tally.content] == [False, True, False]


def test_a_whole_run_is_not_over_before_all_was_done() -> None:
    tally = Tally("E2", 1)
    tally.did("kills, sqlite", 999)
    tally.did("kills, postgresql", 1_000)
    tally.did("backends killed", 100)
    tally.did("immediate stops", 20)
    assert left(tally) == {"kills, sqlite": 1}
    tally.did("kills, sqlite")
    assert left(tally) == {}
    assert left(Tally("E3", 1)) == {}
    broken = Tally("E1", 1)
    assert left(broken) == {"kills at random": 2_000}
    broken.wrong("lost")
    assert left(broken) == {}


def test_an_experiment_that_breaks_and_a_blind_checker_are_violations(tmp_path: Path) -> None:
    class Broken:
        title = "broken"

        def catches(self, place: Place) -> list[str]:
            return ["a seeded fault"]

        def run(self, tally: Tally, place: Place) -> None:
            raise ZeroDivisionError

    tally = Tally("E1", 5)
    one(Broken(), tally, 5, long=False, servers=[])  # type: ignore[arg-type]
    void, broke = tally.violations
    assert void == "void: its checker does not notice a seeded fault"
    assert broke.startswith("seed 5: it broke: Traceback")
    path = record([tally], tmp_path, datetime.now(UTC), long=False)
    assert '"content": false' in path.read_text()
    assert "ZeroDivisionError" in path.read_text()


def test_a_folder_in_memory_goes_when_it_is_left() -> None:
    with memory_folder() as folder:
        assert folder.is_dir()
    assert not folder.exists()
