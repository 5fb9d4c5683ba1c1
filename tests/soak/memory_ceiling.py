"""E10: each kind of case of the attack catalogue in a child of its own, with 512 MiB of address space and 5 s of
processor, `-X dev` and warnings as errors. It ends as its test says, and takes 64 MiB more than before at most; what
derives keys with Argon2id, or walks through the command line, has that much for the derivation too, and 60 s.

    python -X dev -W error -m tests.soak.memory_ceiling FOLDER SEED COUNT [TEST...]
"""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.soak.core import HERE, Place, Tally, environment

MIB = 1 << 20
SPACE, SECONDS, DELTA = 512 * MIB, 5, 64 * MIB
DERIVING = 64 * MIB + 8 * MIB
SEEDED = "tests/soak/seeded_cases.py"
COUNT = {True: 100, False: 8}
"""Kinds of cases in one round; each test function is one kind, with parameters drawn."""


def run(tally: Tally, place: Place) -> None:
    count = COUNT[place.long]
    groups = sorted(str(file.relative_to(HERE)) for file in (HERE / "tests" / "attacks").glob("test_*.py"))
    # in the short form one group of the catalogue: to collect all of them takes longer than to run these
    found = cases(place, place.seed, count, groups if place.long else place.chance.sample(groups, 1))
    tally.ask("cases", count if place.long else 1)
    tally.did("cases", len(found))
    tally.worst("most memory of a case, MiB", max((one["delta"] for one in found), default=0) / MIB)
    tally.wrong(*(f"seed {place.seed}: {one['test']}: {one['wrong']}" for one in found if one["wrong"]))


def cases(place: Place, seed: int, count: int, tests: Sequence[str]) -> list[dict[str, Any]]:
    folder = place.sub("memory")
    command = [sys.executable, "-X", "dev", "-W", "error", "-m", "tests.soak.memory_ceiling", str(folder), str(seed)]
    done = subprocess.run(
        [*command, str(count), *tests], cwd=HERE, env=environment(), capture_output=True, text=True, check=False
    )
    found = folder / "found"
    if done.returncode or not found.exists():
        return [{"test": "all", "delta": 0, "wrong": f"they did not run: {done.stdout[-800:]}{done.stderr[-800:]}"}]
    return [json.loads(line) for line in found.read_text("utf-8").splitlines()]


class InChildren:
    """A plugin of pytest: a sample of tests, each in a child with limits, which tells how it went."""

    def __init__(self, folder: Path, seed: int, count: int) -> None:
        self.folder, self.seed, self.count = folder, seed, count

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        kinds: dict[str, list[pytest.Item]] = {}
        for item in items:
            kinds.setdefault(item.nodeid.partition("[")[0], []).append(item)
        chance = Random(self.seed)
        drawn = chance.sample(sorted(kinds), min(self.count, len(kinds)))
        items[:] = [chance.choice(kinds[kind]) for kind in drawn]

    def pytest_runtest_protocol(self, item: pytest.Item) -> bool:
        gc.collect()
        child = os.fork()
        if child == 0:
            os._exit(self._child(item))
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code:
            self._tell(item, 0, f"its process ended with {code}")
        return True

    def _child(self, item: pytest.Item) -> int:
        from _pytest.runner import runtestprotocol

        deriving = item.get_closest_marker("kdf") or "town" in getattr(item, "fixturenames", ())
        seconds = 60 if deriving else SECONDS
        resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
        before = _peak()
        reports = runtestprotocol(item, log=False, nextitem=None)
        delta = _peak() - before
        wrong = next((str(report.longrepr)[-600:] for report in reports if report.failed), "")
        if not wrong and delta > DELTA + (DERIVING if deriving else 0):
            wrong = f"it takes {delta // MIB} MiB"
        self._tell(item, delta, wrong)
        return 0

    def _tell(self, item: pytest.Item, delta: int, wrong: str) -> None:
        with (self.folder / "found").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"test": item.nodeid, "delta": delta, "wrong": wrong}) + "\n")


def _peak() -> int:
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise AssertionError(line)


def catches(place: Place) -> list[str]:
    """A case that takes too much memory, one that needs more than there is, one that never ends, one that leaves a file
    open, one that fails with an error of no kind of ours."""
    found = {one["test"].partition("::")[2]: one["wrong"] for one in cases(place, 0, 9, [SEEDED])}
    missed = [name for name, wrong in found.items() if not wrong and name != "test_well"]
    return missed + (["that all is well"] if found.get("test_well") != "" or len(found) != 6 else [])


if __name__ == "__main__":
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov"]
    plugin = InChildren(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    sys.exit(pytest.main([*options, *sys.argv[4:]], plugins=[plugin]) not in (0, 5))
