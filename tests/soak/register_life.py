"""A register, its sessions and what it publishes, on a disk that fails; run as a program.

    strace -f -e inject=CALL:error=WHAT:when=N python -m tests.soak.register_life FOLDER CALL-K-SKIP[-WRONG]...
    python -m tests.soak.register_life FOLDER full

For each CALL-K-SKIP a thread, whose calls strace counts by themselves, lives a day in the folder of that name, after it
has made SKIP such calls on another file: N - K, so that the fault strikes its Kth. What fails must fail as an error of
ours, and is done when it is tried again; with `full`, the disk (4 MiB) is filled by somebody else, and there is room
again later. What is wrong is printed, a line each.
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

from cityid.credential import DidUrl, Window
from cityid.edge import files, status_files
from cityid.edge.database import SqliteRegister, SqliteSessions
from cityid.edge.register_audit import audit
from cityid.edge.software_keys import MemoryKeyring
from cityid.errors import CityIdError
from cityid.keys import Algorithm
from cityid.register import Entry, Status, copies_of, in_batch
from cityid.register.standing import set_standing
from cityid.status import token_status_list as lists
from tests.credentials import credential_type
from tests.soak.clerks import AT, BASE

TYPE = replace(credential_type(), status="required")
RING = MemoryKeyring()
SIGNER = RING.signer(RING.create(Algorithm.ES256))
CODES = ("store.", "file.")


class Day:
    """What a city hall does in a day, one acknowledged action each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: dict[str, int] = {}
        self.codes: list[str] = []
        self.tried: set[str] = set()
        self.files: dict[str, bytes] = {}

    def begin(self) -> None:
        self.register = SqliteRegister(self.folder / "register.sqlite", status_base=BASE, list_size=256)

    def begin_sessions(self) -> None:
        self.sessions = SqliteSessions(self.folder / "sessions.sqlite")

    def issue(self, name: str) -> None:
        def work(batch: Any) -> Any:
            if batch.repeats:
                return batch.rows[0]
            copies = copies_of(batch.allot(TYPE, 2), 2)
            window = Window(AT, AT + timedelta(days=1))
            return batch.issue(batch.record([Entry("residency", "dc+sd-jwt", window, copies)])[0].number, [name])

        self.rows[in_batch(self.register, "maria", name, AT, work).number] = 0

    def change(self, place: int, value: Status) -> None:
        number = sorted(self.rows)[place]
        row = self.register.find(number)

        def work(batch: Any) -> None:
            if not batch.repeats:
                set_standing(batch, [row], value, "why", "maria")

        in_batch(self.register, "maria", f"{number} {value}", AT, work)
        self.rows[number] = value

    def publish(self, minutes: int) -> None:
        status_files.publish(
            self.register, SIGNER, DidUrl("did:web:id.lindau.example", "k"), self.folder / "www", base=BASE, by="maria",
            at=AT + timedelta(minutes=minutes),
        )  # fmt: skip

    def hand_out(self, name: str, data: bytes) -> None:
        """An offer, in a file of its own: never over one that is there."""
        files.write(self.folder / name, data, private=True)
        self.files[name] = data

    def put(self, name: str) -> None:
        if name in self.tried:  # it may have been kept, although we were told otherwise: keys are not used again
            name += "+"
        self.tried.add(name)
        self.sessions.put(name.ljust(32, "x"), b"value", AT + timedelta(hours=1))

    def end(self) -> None:
        self.register.close()
        self.sessions.close()

    def steps(self) -> Iterator[Callable[[], object]]:
        yield self.begin
        yield self.begin_sessions
        yield lambda: self.issue("a")
        yield lambda: self.put("one")
        yield lambda: self.hand_out("one.offer", b"offer")
        yield lambda: self.change(0, Status.SUSPENDED)
        yield lambda: self.publish(1)
        yield lambda: self.change(0, Status.INVALID)
        yield lambda: self.publish(2)
        yield self.end

    def wrong(self) -> list[str]:
        """What is not as it was acknowledged."""
        found = [f"an error that is not of the disk: {code}" for code in self.codes if not code.startswith(CODES)]
        with SqliteRegister(self.folder / "register.sqlite", status_base=BASE, must_exist=True) as register:
            rows = {row.number: row.standing for row in register.rows()}
            if rows != self.rows:
                found.append(f"the register says {rows}, told {self.rows}")
            found += [f"audit: {problem}" for problem in audit(register).findings]
            for uri in register.lists():
                for name, form in (("", "jwt"), (".cwt", "cwt")):
                    path = self.folder / "www" / (uri.rpartition("/")[2] + name)
                    entries = lists.read(path.read_bytes(), form).entries()  # type: ignore[arg-type]
                    if {i: entries[i] for i in range(len(entries)) if entries[i]} != register.bits(uri).values:
                        found.append(f"published otherwise: {path.name}")
        for name, data in self.files.items():
            if (self.folder / name).read_bytes() != data:
                found.append(f"{name} is not what was written")
        return found + [f"left behind: {path}" for path in self.folder.rglob("*.tmp")]


def live(folder: Path, *, wrong: str = "") -> list[str]:
    """A day on which one call fails; what is wrong after it."""
    day = Day(folder)
    for step in day.steps():
        try:
            step()
        except CityIdError as error:
            day.codes.append(error.code)
            if wrong != "forgetful":
                step()
    if wrong == "harmed":
        day.rows[next(iter(day.rows))] ^= 1
    try:
        return day.wrong()
    except CityIdError:  # the fault struck the look itself
        return day.wrong()


def full(folder: Path) -> list[str]:
    """A day on which the disk is full before each step, to the last block, or with a little room left."""
    found: list[str] = []
    hits = 0
    for room in (0, 1, 2, 4, 8, 16, 32, 64):
        place = folder / f"room-{room}"
        place.mkdir(mode=0o700)
        day, ballast = Day(place), folder / "ballast"
        for step in day.steps():
            _fill(ballast, folder, room << 10)
            try:
                step()
            except CityIdError as error:
                hits += 1
                day.codes.append(error.code)
                ballast.unlink()  # there is room again: no restart is needed
                step()
            ballast.unlink(missing_ok=True)
        found += [f"{room} KiB left: {one}" for one in day.wrong()]
        for file in sorted(place.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
    print("hits", hits)
    return found


def _fill(ballast: Path, folder: Path, room: int) -> None:
    with ballast.open("wb", buffering=0) as file:
        system = os.statvfs(folder)
        free = system.f_bavail * system.f_frsize - room
        file.write(bytes(max(0, free)))


def main(folder: Path, jobs: Sequence[str]) -> None:
    import cityid.edge.letters  # noqa: F401  # no imports, and so no system calls of theirs, in the threads

    warm, before = folder / "warm", folder / "before"
    for each in (warm, before):
        each.mkdir(mode=0o700)
    live(warm)
    first = Day(before)  # the stores are there already: that they can be made on a bad disk is seen when it is full
    first.begin()
    first.begin_sessions()
    first.end()
    gc.freeze()  # what is loaded stays: it need not be looked through again and again
    for job in jobs:
        shutil.copytree(before, folder / job)
        day = Thread(target=_live, args=(folder, job))
        day.start()
        day.join()
        gc.collect()  # nothing is left for the next one to close


def _live(folder: Path, job: str) -> None:
    call, _, skip, wrong = [*job.split("-"), ""][:4]
    try:
        spare = os.open(folder / "spare", os.O_RDWR | os.O_CREAT, 0o600)
        for _ in range(int(skip)):
            _call(call, spare, folder)
        os.close(spare)
        found = live(folder / job, wrong=wrong)
    except BaseException:  # whatever it is, it is told
        found = [traceback.format_exc().replace("\n", " | ")]
    (folder / f"{job}.found").write_text("".join(f"{one}\n" for one in found))


def _call(call: str, spare: int, folder: Path) -> None:
    if call == "pwrite64":
        os.pwrite(spare, b"x", 0)
    elif call == "fdatasync":
        os.fdatasync(spare)
    elif call == "fsync":
        os.fsync(spare)
    elif call == "ftruncate":
        os.ftruncate(spare, 1)
    elif call == "write":
        os.write(spare, b"x")
    elif call == "rename":
        (folder / "spare").rename(folder / "spare")
    elif call == "unlink":
        spare_name = folder / f"spare-{os.getpid()}"
        spare_name.touch()
        spare_name.unlink()
    elif call == "linkat":
        os.link(folder / "spare", folder / f"spare-{os.getpid()}", follow_symlinks=False)
        (folder / f"spare-{os.getpid()}").unlink()


if __name__ == "__main__":
    if sys.argv[2] == "full":
        print(*full(Path(sys.argv[1])), sep="\n")
    else:
        main(Path(sys.argv[1]), sys.argv[2:])
