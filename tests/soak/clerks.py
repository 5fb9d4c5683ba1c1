"""A crowd of clerks at one register: processes that issue, revoke, suspend, restore and publish until they are done or
killed, and say so: `try ...` before each action, `done ...` after its commit. And the judge of what they left behind.

    python -m tests.soak.clerks STORE OPERATIONS FOLDER WWW SEED NAME...

forks a process for each name once everything is imported; what a clerk says goes to FOLDER/NAME, and how it ended to
FOLDER/NAME.end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from tests.soak.core import HERE, environment

if TYPE_CHECKING:
    from cityid.edge.database import StoredRegister

BASE = "https://id.lindau.example/status"
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
SIZE = 1024
VALUES = {"revoke": 1, "suspend": 2, "restore": 0}
KINDS = [*["issue"] * 12, "revoke", "suspend", "restore"]
"""Four cards are issued for each change, as in a year at city hall there are many more."""


def opened(store: str) -> StoredRegister:
    from cityid.edge.database import PostgresRegister, SqliteRegister

    if store.startswith("postgresql:"):
        return PostgresRegister(store, status_base=BASE, list_size=SIZE)
    return SqliteRegister(store, status_base=BASE, list_size=SIZE)


class _Counted:
    """A register that counts how often a transaction was begun."""

    def __init__(self, register: StoredRegister) -> None:
        self.register, self.begun = register, 0

    def batch(self, clerk: str, key: str, at: datetime) -> Any:
        self.begun += 1
        return self.register.batch(clerk, key, at)


def work(store: str, name: str, operations: int, www: str, seed: str, said: int) -> None:
    from dataclasses import replace

    from cityid.credential import Window
    from cityid.register import Batch, Entry, State, Status, copies_of, in_batch
    from cityid.register.standing import set_standing
    from tests.credentials import credential_type

    def say(*lines: Sequence[object]) -> None:
        os.write(said, "".join(" ".join(map(str, words)) + "\n" for words in lines).encode())

    chance, type_ = Random(f"{seed} {name}"), replace(credential_type(), status="required")
    register, mine = opened(store), dict[str, int]()
    counted: Any = _Counted(register)
    publisher = _publisher(register, name, www) if www else None
    kinds = [*KINDS, *(["publish"] * 3 if publisher else [])]
    say(["ready"])
    for count in range(operations):
        good = [number for number, value in mine.items() if value != Status.INVALID]
        kind = chance.choice(kinds)
        if kind == "restore":
            good = [number for number, value in mine.items() if value == Status.SUSPENDED]
        if kind == "publish" and publisher:
            say(["try", "publish"])
            publisher(AT + timedelta(minutes=count))
            say(["done", "publish"])
            continue
        began = had = time.perf_counter()
        counted.begun = 0
        if kind == "issue" or not good:
            say(["try", "issue"])

            def issue(batch: Batch) -> Any:
                nonlocal had
                had = time.perf_counter()
                if batch.repeats:
                    return batch.rows[0]
                copies = copies_of(batch.allot(type_, 2), 2)
                window = Window(AT, AT + timedelta(days=1))
                if chance.random() < 0.5:  # a card whose key is known, or one that is offered first
                    return batch.record([Entry("residency", "dc+sd-jwt", window, copies, State.ISSUED)])[0]
                row = batch.record([Entry("residency", "dc+sd-jwt", window, copies)])[0]
                return batch.issue(row.number, [f"{name}-{count}"])  # noqa: B023

            row = in_batch(counted, name, f"{name} {count}", AT, issue)
            mine[row.number] = 0
            done: list[object] = ["done", "issue", row.number, *(f"{ref.uri}#{ref.index}" for ref in row.status)]
        else:
            number = chance.choice(good)
            say(["try", kind, number])
            row, value = register.find(number), Status(VALUES[kind])

            def change(batch: Batch) -> None:
                nonlocal had
                had = time.perf_counter()
                if not batch.repeats:
                    set_standing(batch, [row], value, "why", name)  # noqa: B023

            in_batch(counted, name, f"{name} {count}", AT, change)
            mine[number] = value
            done = ["done", kind, number]
        ended = time.perf_counter()
        say(done, ["took", f"{ended - began:.6f}", f"{ended - had:.6f}", counted.begun])
    register.close()


def _publisher(register: StoredRegister, name: str, www: str) -> Any:
    from cityid.credential import DidUrl
    from cityid.edge import status_files
    from cityid.edge.software_keys import MemoryKeyring
    from cityid.errors import CityIdError
    from cityid.keys import Algorithm

    ring = MemoryKeyring()
    signer = ring.signer(ring.create(Algorithm.ES256))

    def publish(at: datetime) -> None:
        try:
            status_files.publish(
                register, signer, DidUrl("did:web:id.lindau.example", "k"), Path(www), base=BASE, by=name, at=at
            )
        except CityIdError as error:  # another was faster, or is at it
            if error.code not in ("register.published_later", "register.published_newer", "store.locked"):
                raise

    return publish


def main(store: str, operations: int, folder: Path, www: str, seed: str, names: Sequence[str]) -> None:
    """Fork the clerks, say who is who, and wait until the last has ended."""
    import cityid.edge.database
    import cityid.edge.register_store
    import cityid.edge.status_files
    import cityid.register.standing  # noqa: F401
    import tests.credentials  # noqa: F401

    if store.startswith("postgresql:"):
        import psycopg  # noqa: F401
    pids: dict[int, str] = {}
    for name in names:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(1)  # whoever listens hears the end of this program, not of its children
                work(store, name, operations, www, seed, os.open(folder / name, os.O_WRONLY | os.O_APPEND))
                status = 0
            except BaseException:  # told, and the process ends
                os.write(2, traceback.format_exc().encode())
            finally:
                os._exit(status)
        pids[pid] = name
    print(*pids, flush=True)
    while pids:
        pid, status = os.wait()
        (folder / f"{pids.pop(pid)}.end").write_text(str(os.waitstatus_to_exitcode(status)))


@dataclass
class Crew:
    """Such clerks, and what they have said."""

    store: str
    names: Sequence[str]
    operations: int
    folder: Path
    www: str = ""
    seed: int = 0
    process: subprocess.Popen[str] = field(init=False)
    pids: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        for name in self.names:
            (self.folder / name).touch()
        command = [sys.executable, "-m", "tests.soak.clerks", self.store, str(self.operations), str(self.folder)]
        with (self.folder / "errors").open("ab") as errors:
            self.process = subprocess.Popen(
                [*command, self.www, str(self.seed), *self.names], cwd=HERE, text=True, env=environment(),
                stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        assert self.process.stdout is not None
        said = self.process.stdout.readline().split()
        assert len(said) == len(self.names), self.errors
        self.pids = dict(zip(self.names, map(int, said), strict=True))

    @property
    def errors(self) -> str:
        return (self.folder / "errors").read_text("utf-8")[-2000:]

    def lines(self, name: str) -> list[str]:
        """What a clerk has said; a line that was cut is none."""
        said = (self.folder / name).read_text("utf-8").splitlines(keepends=True)
        return [line for line in said if line.endswith("\n")]

    def wait_until(self, word: str, names: Iterable[str] = ()) -> None:
        """Until each of them is `ready`, or has `done` something, however slow the machine is."""
        for name in names or self.names:
            while not any(line.startswith(word) for line in self.lines(name)):
                assert not (self.folder / f"{name}.end").exists(), self.errors
                time.sleep(0.002)

    def kill(self, name: str) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pids[name], signal.SIGKILL)

    def end(self, *, kill: bool = False) -> dict[str, list[str]]:
        """What each has said, when all have ended."""
        for name in self.names if kill else ():
            self.kill(name)
        self.process.communicate(timeout=1200)
        return {name: self.lines(name) for name in self.names}

    def statuses(self) -> dict[str, int]:
        """How each has ended."""
        return {name: int((self.folder / f"{name}.end").read_text()) for name in self.names}


def judge(register: StoredRegister, clerks: Iterable[Sequence[str]]) -> list[str]:
    """What went wrong; nothing, where all is well: a set of entries that were given once each, and the last that was
    done to each card."""
    wrong: list[str] = []
    rows = {row.number: row for row in register.rows()}
    entries = Counter((ref.uri, ref.index) for row in rows.values() for ref in row.status)
    wrong += [f"given twice: {entry}" for entry, count in entries.items() if count > 1]
    bits = {uri: register.bits(uri).values for uri in register.lists()}
    told: Counter[str] = Counter()
    for lines in clerks:
        owned: dict[str, set[int]] = {}
        for line in map(str.split, lines):
            if line[:2] == ["done", "issue"]:
                number, refs = line[2], line[3:]
                owned[number] = {0}
                told.update([number, *refs])
                row = rows.get(number)
                if row is None or [f"{ref.uri}#{ref.index}" for ref in row.status] != refs:
                    wrong.append(f"not as told: {number}")
            elif line[0] in ("try", "done") and len(line) == 3:
                # What was tried last may have happened, whoever was not told.
                then = VALUES[line[1]]
                owned[line[2]] = {then} if line[0] == "done" else owned.get(line[2], {0}) | {then}
        for number, may in owned.items():
            row = rows.get(number)
            found = {bits[ref.uri].get(ref.index, 0) for ref in row.status} if row else set()
            if len(found) != 1 or not found <= may:
                wrong.append(f"lost: {number} is {sorted(found)}, told {sorted(may)}")
    wrong += [f"told twice: {what}" for what, count in told.items() if count > 1]
    for uri, values in bits.items():
        for index, value in list(values.items())[:100]:
            last = register.history(_ref(uri, index))[-1:]
            if not last or last[0].value != value:
                wrong.append(f"no history: {index} of {uri}")
    return wrong


def _ref(uri: str, index: int) -> Any:
    from cityid.credential import StatusRef

    return StatusRef("status_list", uri, index)


def harmed(folder: Path) -> list[str]:
    """The harm that the judge does not notice: each kind is done once to a register that is well."""
    store = str(folder / "harmed.sqlite")
    crew = Crew(store, ["maria"], 40, folder)
    (lines,) = crew.end().values()
    issued = next(line for line in lines if line.startswith("done issue"))
    missed = []
    with opened(store) as register:
        good = next(row.number for row in register.rows() if row.standing == 0)
        early = [*lines, f"try revoke {good}\n"]
        if judge(register, [lines]) or judge(register, [early]):
            missed.append("that all is well")
        cases = {
            "a lost card": [[*lines, "done issue R-2026-999999 x#1 x#2\n"]],
            "an index that two were told": [lines, [issued]],
            "a clerk who says done too early": [[*early, f"done revoke {good}\n"]],
        }
        missed += [what for what, said in cases.items() if not judge(register, said)]
        for what, position in (("half a revocation", 1), ("a lost revocation", 0)):
            with register.sql.write() as link:
                link.execute("UPDATE entries SET value = 0 WHERE value = 1 AND position = ?", (position,))
            if not any(found.startswith("lost: ") for found in judge(register, [lines])):
                missed.append(what)
    return missed


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], sys.argv[5], sys.argv[6:])
