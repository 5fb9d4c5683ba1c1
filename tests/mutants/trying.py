"""Mutants are tried, as many at a time as there are copies of the tree."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.finding import Mutant, files
from tests.mutants.maps import Map
from tests.mutants.slots import SECONDS, child


@dataclass
class Run:
    mutant: Mutant | None
    later: list[list[str]]
    slot: Path
    pid: int
    until: float
    log: Path


class Tries:
    """Runs mutants in as many slots as there are processors to use."""

    def __init__(self, slots: Sequence[Path], tests_of: Map) -> None:
        self.free = list(slots)
        self.sources = {file: (slots[0] / file).read_text(encoding="utf-8") for file in files()}
        self.map = tests_of
        self.running: list[Run] = []
        self.noticed: dict[str, int] = defaultdict(int)

    def start(self, mutant: Mutant | None, tests: Sequence[str], later: list[list[str]]) -> Run:
        slot = self.free.pop()
        if mutant is not None:
            (slot / mutant.file).write_text(mutant.source, encoding="utf-8")
        log = slot / "mutants.log"
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            child(slot, tests, log)
        run = Run(mutant, later, slot, pid, time.monotonic() + 20 * SECONDS, log)
        self.running.append(run)
        return run

    def finished(self) -> tuple[Run, int]:
        """Wait for one; returns its pytest status (9: a test took too long, -1: all together took too long)."""
        while True:
            for run in self.running:
                pid, raw = os.waitpid(run.pid, os.WNOHANG)
                late = time.monotonic() > run.until
                if not pid and not late:
                    continue
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(run.pid, signal.SIGKILL)
                if not pid:
                    os.waitpid(run.pid, 0)
                self.running.remove(run)
                if run.mutant is not None:
                    (run.slot / run.mutant.file).write_text(self.sources[run.mutant.file], encoding="utf-8")
                self.free.append(run.slot)
                return run, -1 if not pid else os.waitstatus_to_exitcode(raw)
            time.sleep(0.005)

    def all(self, wanted: Sequence[Mutant]) -> Iterator[tuple[Mutant, str]]:
        waiting = [(mutant, self.map.rounds(mutant)) for mutant in reversed(wanted)]
        while waiting or self.running:
            while waiting and self.free:
                mutant, rounds = waiting.pop()
                if not rounds:
                    yield mutant, "SURVIVED (no test runs the line)"
                    continue
                self.start(mutant, rounds[0], rounds[1:])
            if not self.running:
                continue
            run, status = self.finished()
            assert run.mutant is not None
            if status in (1, 2):
                with contextlib.suppress(FileNotFoundError):
                    self.noticed[run.log.with_suffix(".noticed").read_text(encoding="utf-8")] += 1
                yield run.mutant, "killed"
            elif status == 9 or status < -1:
                yield run.mutant, "killed (took too long)"
            elif status in (0, 5) and run.later:
                waiting.append((run.mutant, run.later))
            elif status in (0, 5):
                yield run.mutant, "SURVIVED"
            else:
                tail = run.log.read_text(encoding="utf-8", errors="replace")[-800:]
                yield run.mutant, f"SURVIVED (could not be tried, status {status})\n{tail}"


def unmutated_passes(tries: Tries, tests: Sequence[str]) -> None:
    """The way in which mutants are tried must not make tests fail by itself."""
    tries.start(None, tests, [])
    run, status = tries.finished()
    if status != 0:
        print(run.log.read_text(encoding="utf-8", errors="replace")[-3000:])
        sys.exit(f"mutants: tests fail on an unchanged copy, so nothing is proved (status {status})")
