"""All experiments in their long form, round after round until the time is over, and at least once each.

    python -m tests.soak MINUTES [--seed N] [--only E2,E4] [--record FOLDER] [--short | --whole]

Prints a table, writes one JSON record, and ends with 1 where anything was violated or less was done than asked for. A
round is repeated with the seed that stands in the record. With --whole it goes on, however long it takes, until each
harm of E1 and E2 was done as often as a whole run asks (2,000 killed wallets; 1,000 killed clerks on either database).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom

from tests.postgres import Server
from tests.soak.core import Place, Tally, memory_folder
from tests.soak.experiments import EXPERIMENTS, Experiment


def one(experiment: Experiment, tally: Tally, seed: int, *, long: bool, servers: list[Server | None]) -> None:
    """One round."""
    begun = time.monotonic()
    with memory_folder() as folder:
        place = Place(folder, seed, long, servers)
        try:
            if not tally.rounds:
                tally.wrong(*(f"void: its checker does not notice {fault}" for fault in experiment.catches(place)))
            experiment.run(tally, place)
        except Exception:  # an experiment that breaks has shown nothing
            tally.wrong(f"seed {seed}: it broke: {traceback.format_exc()}")
    tally.rounds += 1
    tally.seconds += time.monotonic() - begun


def table(tallies: Sequence[Tally]) -> str:
    lines = [f"{'':4} {'experiment':34} {'rounds':>6} {'done':>9} {'of asked':>9} {'violations':>10} {'s':>6}"]
    for tally in tallies:
        title = EXPERIMENTS[tally.name].title
        done = sum(min(tally.done[what], count) for what, count in tally.asked.items())
        lines.append(
            f"{tally.name:4} {title:34} {tally.rounds:6} {done:9} {tally.asked.total():9} {len(tally.violations):10} "
            f"{tally.seconds:6.0f}"
        )
        lines += [f"     {what}: {value:g}" for what, value in tally.measured.items()]
        lines += [f"     lacks {what}" for what in tally.lacks]
        lines += [f"     FEWER  {what}" for what in tally.fewer]
        lines += [f"     WRONG  {what[:300]}" for what in tally.violations[:5]]
    return "\n".join(lines)


def record(tallies: Sequence[Tally], folder: Path, begun: datetime, *, long: bool) -> Path:
    """The run as one JSON file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"soak-{begun:%Y%m%dT%H%M%SZ}-{os.getpid()}.json"
    path.write_text(json.dumps({
        "begun": begun.isoformat(), "form": "long" if long else "short", "python": platform.python_version(),
        "system": platform.platform(), "cores": os.cpu_count(), "content": all(tally.content for tally in tallies),
        "experiments": [tally.record() for tally in tallies],
    }, indent=1) + "\n", encoding="utf-8")  # fmt: skip
    return path


def left(tally: Tally) -> dict[str, int]:
    """What of a whole run was not done yet. A run that is not content, and what this machine lacks, is not waited for:
    the table says so."""
    if not tally.content or tally.lacks:
        return {}
    asked = EXPERIMENTS[tally.name].whole
    return {what: count - tally.done[what] for what, count in asked.items() if tally.done[what] < count}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("minutes", type=float)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", default=",".join(EXPERIMENTS))
    parser.add_argument("--record", type=Path, default=Path("build/soak"))
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--short", action="store_true")
    form.add_argument("--whole", action="store_true")
    given = parser.parse_args(arguments)
    seed = SystemRandom().randrange(1 << 32) if given.seed is None else given.seed
    begun, end = datetime.now(UTC), time.monotonic() + 60 * given.minutes
    tallies = [Tally(name, seed) for name in given.only.split(",")]
    servers: list[Server | None] = []
    print(f"soaking for {given.minutes:g} minutes, seed {seed}", flush=True)
    try:
        # Whatever had the least time so far is next.
        while (tally := min(tallies, key=lambda one: (one.rounds > 0, one.seconds))).rounds == 0 or (
            time.monotonic() < end
        ):
            one(EXPERIMENTS[tally.name], tally, seed + tally.rounds, long=not given.short, servers=servers)
            state = "content" if tally.content else "NOT CONTENT"
            print(f"  {tally.name}: round {tally.rounds}, {tally.seconds:.0f} s, {state}", flush=True)
        while given.whole and (behind := [one for one in tallies if left(one)]):
            tally = min(behind, key=lambda one: one.seconds)
            one(EXPERIMENTS[tally.name], tally, seed + tally.rounds, long=True, servers=servers)
            print(f"  {tally.name}: round {tally.rounds}, {tally.seconds:.0f} s, left {left(tally)}", flush=True)
        if given.whole:
            for tally in tallies:
                tally.asked |= EXPERIMENTS[tally.name].whole  # the greater of both
    finally:
        for server in servers:
            if server is not None:
                server.end()
    print(table(tallies))
    print(f"record: {record(tallies, given.record, begun, long=not given.short)}")
    return int(not all(tally.content for tally in tallies))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
