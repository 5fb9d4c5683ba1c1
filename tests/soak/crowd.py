"""E4: many clerks at once at one register, in every database and under every isolation that is a server's default. No
index twice, nothing lost, no illegal change, no issue that failed because somebody else was at it.

Each transaction waits its turn, so how long a clerk waits grows with the crowd: told, and not judged, because these
clerks never think. How long an allocation takes once it is its turn is judged where there is a core for each clerk and
nothing else is going on; elsewhere it says how the machine shares its cores out. A crowd of a hundred operations is
over the mark when a disk pauses twice, so one that was slow is tried again: what is slow each time is slow."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

from tests.soak.clerks import Crew, harmed, judge, opened
from tests.soak.core import Place, Tally

SHORT = ((8, 500),)
LONG = ((1, 100), (8, 20), (32, 5), (64, 3))
"""Clerks, and what each of them does, in one round."""
HELD = {"sqlite": 0.25, "postgresql": 0.05}
"""Seconds, for 99 of 100."""
ATTEMPTS = 6
TRIES = 3
SERIALIZABLE = "-cdefault_transaction_isolation=serializable"


def stores(tally: Tally, place: Place) -> Iterator[tuple[str, str, Callable[[], str]]]:
    """Kind, what is said of it, and how to have a new register."""
    yield "sqlite", "SQLite FULL", lambda: str(place.sub("sqlite") / "register.sqlite")
    server = place.server()
    if server is None:
        tally.lack("a PostgreSQL server")
        return
    yield "postgresql", "PostgreSQL read committed", server.name
    if place.long:
        yield "postgresql", "PostgreSQL serializable", partial(server.name, options=SERIALIZABLE)


def run(tally: Tally, place: Place) -> None:
    for clerks, operations in LONG if place.long else SHORT:
        names = [f"clerk-{place.seed}-{number}" for number in range(clerks)]
        begun: list[tuple[str, str, str, Crew]] = []
        for kind, title, new in stores(tally, place):
            # In the long form one crowd at a time, so that how long it takes means something.
            for tries in range(1, TRIES + 1):
                tally.ask(f"operations of {clerks} clerks on {title}", clerks * operations)
                store = new()
                begun.append((kind, title, store, Crew(store, names, operations, place.sub("said"), seed=place.seed)))
                if not place.long or not judged(tally, place, *begun.pop(), last=tries == TRIES):
                    break
        for each in begun:
            judged(tally, place, *each)


def judged(tally: Tally, place: Place, kind: str, title: str, store: str, crew: Crew, *, last: bool = True) -> bool:
    """What a crowd has done, when it is done. Was it slow? That is wrong only of the last try."""
    from cityid.edge.register_audit import audit

    slow, clerks, lines = False, len(crew.names), crew.end()
    what = f"operations of {clerks} clerks on {title}"
    tally.did(what, sum(line.startswith("done") for said in lines.values() for line in said))
    waited, held, attempts = took(lines.values())
    with opened(store) as register:
        found = judge(register, lines.values())
        found += [f"audit: {problem}" for problem in audit(register).findings]
        numbers = sorted(row.number for row in register.rows())
    if set(crew.statuses().values()) != {0}:
        found.append(crew.errors)
    if numbers != [f"R-2026-{count:06d}" for count in range(1, len(numbers) + 1)]:
        found.append("numbers are missing, or there twice")
    if max(attempts, default=0) > ATTEMPTS:
        found.append(f"{max(attempts)} attempts at one operation")
    if place.long:
        tally.worst(f"{title}: p99 waited by {clerks}, s", _p99(waited))
        tally.worst(f"{title}: p99 held by {clerks}, s", _p99(held))
        tally.worst(f"{title}: most attempts", max(attempts, default=0))
        cores = os.cpu_count() or 1
        if os.getloadavg()[0] > cores:
            tally.lack("a machine with nothing else to do: how long an allocation takes is told, not judged")
        elif slow := clerks <= cores and _p99(held) > HELD[kind]:
            found += [f"an allocation takes {_p99(held):.3f} s"] * last
    tally.wrong(*(f"seed {place.seed}: {what}: {one}" for one in found))
    return slow


def took(clerks: Iterable[Sequence[str]]) -> tuple[list[float], list[float], list[int]]:
    """How long each operation waited and was at it, and how often it began."""
    lines = [line.split() for said in clerks for line in said if line.startswith("took")]
    return [float(line[1]) for line in lines], [float(line[2]) for line in lines], [int(line[3]) for line in lines]


def _p99(values: Sequence[float]) -> float:
    return sorted(values)[len(values) * 99 // 100] if values else 0.0


def catches(place: Place) -> list[str]:
    """The judge's faults, and whether a crowd is close enough together to break a register that counts badly."""
    missed = harmed(place.sub("harmed"))
    # A small crowd on few cores may be lucky once, not twenty times.
    if not any(naive(place.sub(f"naive-{number}")) for number in range(20)):
        missed.append("an allocation by max + 1 without a lock")
    return missed


def naive(folder: Path) -> int:
    """How many indices eight processes give twice by `select max + 1`, in autocommit."""
    path = folder / "naive.sqlite"
    with sqlite3.connect(path) as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("CREATE TABLE entries (idx INTEGER)")
    made.close()
    context = get_context("fork")
    together = context.Barrier(8)
    processes = [context.Process(target=_allot, args=(path, together)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    with sqlite3.connect(path) as made:
        (twice,) = made.execute("SELECT count(idx) - count(DISTINCT idx) FROM entries").fetchone()
    made.close()
    return int(twice)


def _allot(path: Path, together: Barrier) -> None:
    connection = sqlite3.connect(path, timeout=10, isolation_level=None)
    together.wait(30)
    for _ in range(60):
        (last,) = connection.execute("SELECT coalesce(max(idx), 0) FROM entries").fetchone()
        connection.execute("INSERT INTO entries VALUES (?)", (last + 1,))
    connection.close()
