"""A clerk as a process: issues, revokes, suspends, restores and publishes until it is done or killed, and says so on
stdout: `try ...` before each action, `done ...` after its commit. And the judge of what such clerks left behind.

    python -m tests.register_worker STORE NAME OPERATIONS [FOLDER]
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cityid.edge.database import StoredRegister

BASE = "https://id.lindau.example/status"
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
TREE = Path(__file__).resolve().parents[1]
SIZE = 1024
VALUES = {"revoke": 1, "suspend": 2, "restore": 0}


def opened(store: str) -> StoredRegister:
    from cityid.edge.database import PostgresRegister, SqliteRegister

    if store.startswith("postgresql:"):
        return PostgresRegister(store, status_base=BASE, list_size=SIZE)
    return SqliteRegister(store, status_base=BASE, list_size=SIZE)


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def work(store: str, name: str, operations: int, folder: str) -> None:
    from dataclasses import replace

    from cityid.credential import Window
    from cityid.register import Batch, Entry, Status, copies_of, in_batch
    from cityid.register.standing import set_standing
    from tests.credentials import credential_type

    chance, type_ = random.Random(name), replace(credential_type(), status="required")
    register, mine = opened(store), dict[str, int]()
    publisher = _publisher(register, name, folder) if folder else None
    say("ready")
    for count in range(operations):
        good = [number for number, value in mine.items() if value != Status.INVALID]
        kind = chance.choice(["issue", "issue", "revoke", "suspend", "restore", *(["publish"] if publisher else [])])
        if kind == "restore":
            good = [number for number, value in mine.items() if value == Status.SUSPENDED]
        if kind == "publish" and publisher:
            say("try publish")
            publisher(AT + timedelta(minutes=count))
            say("done publish")
        elif kind == "issue" or not good:
            say("try issue")

            def issue(batch: Batch) -> Any:
                if batch.repeats:
                    return batch.rows[0]
                refs = batch.allot(type_, 2)
                entry = Entry("residency", "dc+sd-jwt", Window(AT, AT + timedelta(days=1)), copies_of(refs, 2))
                return batch.issue(batch.record([entry])[0].number, [f"{name}-{count}"])  # noqa: B023

            row = in_batch(register, name, f"{name} {count}", AT, issue)
            mine[row.number] = 0
            say("done issue", row.number, *(f"{ref.uri}#{ref.index}" for ref in row.status))
        else:
            number = chance.choice(good)
            say("try", kind, number)
            row, value = register.find(number), Status(VALUES[kind])
            in_batch(
                register, name, f"{name} {count}", AT,
                lambda batch: None if batch.repeats else set_standing(batch, [row], value, "why", name),  # noqa: B023
            )  # fmt: skip
            mine[number] = value
            say("done", kind, number)
    register.close()


def _publisher(register: StoredRegister, name: str, folder: str) -> Any:
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
                register, signer, DidUrl("did:web:id.lindau.example", "k"), Path(folder), base=BASE, by=name, at=at
            )
        except CityIdError as error:  # another was faster, or is at it
            if error.code not in ("register.published_later", "register.published_newer", "store.locked"):
                raise

    return publish


@dataclass
class Clerk:
    """One such process, and what it has said."""

    store: str
    name: str
    operations: int
    folder: str = ""
    process: subprocess.Popen[bytes] = field(init=False)
    read: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.register_worker", self.store, self.name, str(self.operations), self.folder],
            bufsize=0,  # what was read ahead would be lost to `communicate`
            cwd=TREE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(TREE)},
        )  # fmt: skip

    def wait_until(self, word: str) -> None:
        """Until it is `ready`, or has `done` something, however slow the machine is."""
        assert self.process.stdout is not None
        while not self.read or not self.read[-1].startswith(word):
            line = self.process.stdout.readline().decode()
            assert line, self.process.communicate()[1].decode()
            self.read.append(line)

    def end(self, *, kill: bool = False) -> list[str]:
        if kill:
            self.process.kill()
        out, errors = self.process.communicate(timeout=600)
        assert kill or self.process.returncode == 0, errors.decode()
        # a line that was cut is none
        return self.read + [line for line in out.decode().splitlines(keepends=True) if line.endswith("\n")]


def judge(register: StoredRegister, clerks: Iterable[Sequence[str]]) -> list[str]:
    """What went wrong; nothing, where all is well."""
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
        for index, value in list(values.items())[:500]:
            last = register.history(_ref(uri, index))[-1:]
            if not last or last[0].value != value:
                wrong.append(f"no history: {index} of {uri}")
    return wrong


def _ref(uri: str, index: int) -> Any:
    from cityid.credential import StatusRef

    return StatusRef("status_list", uri, index)


if __name__ == "__main__":
    work(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else "")
