"""E3: a publisher is killed (kill -9) at any moment while consumers look at what it has published, 200 times a second.
They see whole, rightly signed lists that never go back in time, and every revocation that was acknowledged before a
publication began is in it."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Self

from cityid.credential import DidUrl
from cityid.edge import files, status_files
from cityid.edge.database import SqliteRegister
from cityid.edge.software_keys import MemoryKeyring
from cityid.errors import CityIdError
from cityid.keys import Algorithm
from cityid.register import Issued, Status
from cityid.register.standing import set_standing
from cityid.status import token_status_list as lists
from tests.jobs.test_register_keeps import does
from tests.jobs.test_standing import issued
from tests.soak.clerks import AT, BASE
from tests.soak.core import Place, Tally

RING = MemoryKeyring()
KEY = RING.create(Algorithm.ES256)
KILLS = {True: 100, False: 25}
FORMS: tuple[tuple[str, lists.Form], ...] = (("1", "jwt"), ("1.cwt", "cwt"))
HZ = 200


class Consumer:
    """Looks at both forms of a list and at the number of the publication, over and over, in a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.looks, self.wrong = folder, 0, list[str]()
        self.last: dict[str, tuple[int, float]] = {}
        self._number = 0
        self._over = Event()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(1 / HZ):
            self.look()

    def look(self) -> None:
        for name, form in FORMS:
            try:
                found = lists.read((self.folder / name).read_bytes(), form)
                found.check(KEY)
                entries = found.entries()
                seen = (sum(entries[index] != 0 for index in range(len(entries))), found.iat.timestamp())
            except CityIdError as error:
                self.wrong.append(f"{name}: {error.code}")
                continue
            before = self.last.get(name, (0, 0.0))
            if seen[1] < before[1] or seen[0] < before[0]:
                self.wrong.append(f"{name} went back: {before} then {seen}")
            self.last[name] = seen
        number = status_files.publication(self.folder)
        if number < self._number:
            self.wrong.append(f"publication {self._number} then {number}")
        self._number = number
        self.looks += 1


def publish(path: Path, folder: Path, minute: int) -> None:
    with SqliteRegister(path, status_base=BASE, list_size=256) as register:
        status_files.publish(
            register, RING.signer(KEY), DidUrl("did:web:id.lindau.example", "k"), folder, base=BASE, by="jo",
            at=AT + timedelta(minutes=minute),
        )  # fmt: skip


def run(tally: Tally, place: Place) -> None:
    count = KILLS[place.long]
    tally.ask("kills", count)
    tally.ask("looks", count)
    tally.wrong(*(f"seed {place.seed}: {found}" for found in polled(tally, place, count, publish)))


def polled(
    tally: Tally, place: Place, count: int, publishing: Callable[[Path, Path, int], None], longest: float = 0.05
) -> list[str]:
    """What is wrong after so many kills, each after `longest` seconds at most."""
    home = place.sub("publisher")
    path, folder = home / "register.sqlite", home / "www"
    found: list[str] = []
    with SqliteRegister(path, status_base=BASE, list_size=256) as register:
        rows = [issued(register, [f"k{number}"]) for number in range(60)]
    publish(path, folder, 0)
    minute = revoked = 0
    killed = 0
    with Consumer(folder) as consumer:
        for turn in range(count):
            with SqliteRegister(path, status_base=BASE, list_size=256) as register:
                if turn < len(rows):
                    row = rows[turn]
                    _revoke(register, row)
                    revoked += len(row.status)
            first, minute = minute + 1, minute + 200
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    for each in range(first, minute):
                        publishing(path, folder, each)
                    status = 0
                finally:
                    os._exit(status)
            time.sleep(place.chance.uniform(0.1, 1.0) * longest)
            os.kill(child, signal.SIGKILL)
            _, ended = os.waitpid(child, 0)
            killed += os.waitstatus_to_exitcode(ended) == -signal.SIGKILL
            if os.waitstatus_to_exitcode(ended) == 1:
                found.append("a publisher ended with an error")
    tally.did("kills", killed)
    tally.did("looks", consumer.looks)
    found += consumer.wrong
    publishing(path, folder, minute + 1)
    for name, form in FORMS:
        entries = lists.read((folder / name).read_bytes(), form).entries()
        if sum(entries[index] == Status.INVALID for index in range(len(entries))) != revoked:
            found.append(f"{name}: not every acknowledged revocation is in the next list")
    found += [f"left behind: {file.name}" for file in folder.glob("*.tmp")]
    shutil.rmtree(home)
    return found


def _revoke(register: SqliteRegister, row: Issued) -> None:
    does(register, lambda batch: set_standing(batch, [row], Status.INVALID, "why", "jo"))


def catches(place: Place) -> list[str]:
    """A publisher that writes into the file that is served, and one whose clock jumps."""

    def torn(path: Path, folder: Path, minute: int) -> None:
        publish(path, folder, minute)
        content = (folder / "1").read_bytes()
        with (folder / "1").open("wb", buffering=0) as file:
            file.write(content[:100])
            time.sleep(0.02)
            file.write(content[100:])

    def back(path: Path, folder: Path, minute: int) -> None:
        with SqliteRegister(path, status_base=BASE, list_size=256) as register:
            bits = register.bits(f"{BASE}/1")
            made = lists.issue(
                lists.build(bits.values, bits=bits.bits, size=bits.size), f"{BASE}/1", RING.signer(KEY),
                signed_by=DidUrl("did:web:id.lindau.example", "k"), at=AT - timedelta(minutes=minute),
                lifetime=timedelta(days=1), ttl=timedelta(minutes=15), form="jwt",
            )  # fmt: skip
        files.write(folder / "1", made, force=True)

    missed = []
    for name, publishing in (("torn", torn), ("back", back)):
        for longest in (0.1, 0.3, 1.0, 3.0):  # on a machine that has more to do, it is looked at for longer
            found = polled(Tally("E3", 0), place, 3, publishing, longest)
            if any("went back" in one if name == "back" else one.startswith("1: ") for one in found):
                break
        else:
            missed.append(f"a publisher that is {name}")
    return missed
