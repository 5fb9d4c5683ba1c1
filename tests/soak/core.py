"""What an experiment is given, and what it gives back: how much was asked, how much was done, and what went wrong."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.postgres import Server

HERE = Path(__file__).resolve().parents[2]
"""Where these tests lie, and nothing of the library when an installed wheel is tested."""
MANY = 20
"""So many violations of one kind are kept; all are counted."""


@dataclass
class Tally:
    """One experiment of one run. What was asked for and not done fails the run, as a violation does; what this machine
    lacks is said, and asks for nothing."""

    name: str
    seed: int
    asked: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    rounds: int = 0

    def ask(self, what: str, count: int = 1) -> None:
        self.asked[what] += count

    def did(self, what: str, count: int = 1) -> None:
        self.done[what] += count

    def wrong(self, *found: str) -> None:
        self.violations += [one for one in found if one]

    def lack(self, what: str) -> None:
        if what not in self.lacks:
            self.lacks.append(what)

    def worst(self, what: str, value: float) -> None:
        self.measured[what] = round(max(value, self.measured.get(what, value)), 6)

    @property
    def fewer(self) -> list[str]:
        """What was done less often than it was asked for."""
        return [
            f"{what}: {self.done[what]} of {count}" for what, count in self.asked.items() if self.done[what] < count
        ]

    @property
    def content(self) -> bool:
        return not self.violations and not self.fewer

    def record(self) -> dict[str, Any]:
        return {
            "experiment": self.name, "seed": self.seed, "rounds": self.rounds, "seconds": round(self.seconds, 1),
            "asked": dict(self.asked), "done": dict(self.done), "fewer": self.fewer, "lacks": self.lacks,
            "measured": self.measured, "violations": len(self.violations), "first": self.violations[:MANY],
        }  # fmt: skip


@dataclass
class Place:
    """Where one round of an experiment works: a folder in memory (what a killed process wrote is there, be it on a disk
    or not), chance, and a PostgreSQL server that begins when it is first asked for. The short form is not `long`."""

    folder: Path
    seed: int
    long: bool = False
    servers: list[Server | None] = field(default_factory=list[Server | None])
    given: Callable[[], Server] | None = None
    chance: Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)

    def server(self) -> Server | None:
        """The server of this run; None where there is none on this machine."""
        if not self.servers:
            try:
                self.servers.append((self.given or Server.start)())
            except BaseException as error:  # pytest's skip is no Exception
                if type(error).__name__ != "Skipped":
                    raise
                self.servers.append(None)
        return self.servers[0]

    def stores(self, tally: Tally) -> Iterator[tuple[str, str]]:
        """A new register's name in each kind of database, with the kind."""
        yield "sqlite", str(self.sub("sqlite") / "register.sqlite")
        server = self.server()
        if server is None:
            tally.lack("a PostgreSQL server")
        else:
            yield "postgresql", server.name()

    def sub(self, name: str) -> Path:
        """A new folder."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))


def environment(**more: str) -> dict[str, str]:
    """For a program of these experiments."""
    return {**os.environ, "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1", **more}


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A folder in memory, where there is one; on the disk otherwise."""
    made = Path(tempfile.mkdtemp(prefix="cityid-soak-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


Run = Callable[[Tally, Place], None]
Catches = Callable[[Place], "list[str]"]
"""Which seeded faults the experiment's checker let through."""
