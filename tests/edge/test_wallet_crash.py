"""Experiments E1, E5 and E18: what a wallet acknowledged survives kills, power cuts and failing disks, step by step
through a wallet's life, from the migration of an older file on. The short form runs here; `make soak` runs the long.

Every checker is first shown a wallet that is wrong in the way it looks for."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cityid.edge import sealed
from cityid.edge.wallet_file import WalletFile
from cityid.errors import CityIdError, Misuse
from tests.edge import wallet_crashes
from tests.edge.wallet_crashes import NAME, SHIFT, held, work
from tests.paths import TREE

pytestmark = pytest.mark.slow

LONG = bool(os.environ.get("CITYID_LONG"))
KILLS = 2_000 if LONG else 25


def _traces() -> bool:
    if shutil.which("strace") is None:
        return False
    tried = subprocess.run(["strace", "-e", "trace=none", "true"], capture_output=True, check=False)
    return tried.returncode == 0


strace = pytest.mark.skipif(not _traces(), reason="strace is not installed, or not allowed to trace here")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, bytes]]:
    """A wallet of the first version, and its data key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed, "derive", wallet_crashes.cheap)
        path = tmp_path_factory.mktemp("made") / NAME
        yield path, wallet_crashes.template(path)


@pytest.fixture(scope="module")
def states(made: tuple[Path, bytes], tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What the wallet holds after each number of steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed, "derive", wallet_crashes.cheap)
        wallet_crashes.prepare()
        found: list[Any] = []
        folder = tmp_path_factory.mktemp("states")
        path = Path(shutil.copy(made[0], folder / NAME))

        def look() -> None:
            (folder / "copy").mkdir(mode=0o700)
            for file in folder.glob(NAME + "*"):
                if not file.name.endswith("-shm"):
                    shutil.copy(file, folder / "copy")
            found.append(held(folder / "copy" / NAME, made[1]))
            shutil.rmtree(folder / "copy")

        look()
        for step in wallet_crashes.steps(path, made[1]):
            step()
            look()
    assert len({str(state) for state in found}) > 9  # nearly every step changes something
    return found


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "derive", wallet_crashes.cheap)


def wrong_state(path: Path, key: bytes, acknowledged: int, states: list[Any]) -> str:
    """Why the wallet is not in the state before or after the step that was not acknowledged; '' when it is."""
    try:
        found = held(path, key)
    except CityIdError as error:
        return f"it does not open: {error.code}"
    if found not in states[acknowledged : acknowledged + 2]:
        return f"after {acknowledged} acknowledged steps it is in no state that was"
    left = [entry.name for entry in path.parent.iterdir() if entry.name != path.name]
    return f"left behind: {left}" if left else ""


def run(
    folder: Path, made: tuple[Path, bytes], which: Sequence[int], call: str, fault: str, wrong: str = ""
) -> Iterator[tuple[Path, int, int]]:
    """One wallet for each K: its path, the acknowledged steps, and how its process ended."""
    (folder / "key").write_text(made[1].hex())
    for number in which:
        (folder / str(number)).mkdir(mode=0o700)
        shutil.copy(made[0], folder / str(number) / NAME)
    # strace 6.1 counts no signals when it filters by seccomp, which is four times as fast
    filtered = ["--seccomp-bpf"] if fault.startswith("error") else []
    command = ["strace", "-f", *filtered, "-qq", "-o", "/dev/null", "-e", f"trace={call}"]
    command += ["-e", f"inject={call}:{fault}:when={SHIFT}"]
    numbers = ",".join(map(str, which))
    command += [sys.executable, "-m", "tests.edge.wallet_crashes", str(folder), numbers, call, wrong]
    done = subprocess.run(command, cwd=TREE, env=_environment(), capture_output=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    for number in which:
        acks = len((folder / f"{number}.acks").read_bytes())
        yield folder / str(number) / NAME, acks, int((folder / f"{number}.status").read_text())


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(TREE), "PYTHONDONTWRITEBYTECODE": "1"}


FAULTS = [("fdatasync", "signal=KILL", 6), ("pwrite64", "error=ENOSPC", 5), ("fdatasync", "error=EIO", 2)]
"""The call, what becomes of it, and every how many-th in the short form: kills are also replayed from the trace, at
every call."""
LONGER = [
    ("pwrite64", "signal=KILL", 1), ("ftruncate", "signal=KILL", 1), ("pwrite64", "error=EDQUOT", 1),
    ("pwrite64", "error=EIO", 1), ("pwrite64", "error=EROFS", 1), ("pwrite64", "error=EINTR", 1),
    ("ftruncate", "error=EIO", 1),
]  # fmt: skip


@strace
@pytest.mark.parametrize(("call", "fault", "every"), FAULTS + (LONGER if LONG else []))
def test_w07_w08_a_fault_at_system_calls(
    made: tuple[Path, bytes], states: list[Any], tmp_path: Path, call: str, fault: str, every: int
) -> None:
    numbers = range(1, counted(tmp_path / "count", made)[call] + 1, 1 if LONG else every)
    for path, acks, status in run(tmp_path, made, numbers, call, fault):
        assert wrong_state(path, made[1], acks, states) == ""
        if "KILL" in fault:
            assert status == -signal.SIGKILL
        else:  # told as an error of ours, and done when it was tried again
            assert (status, acks) == (0, len(states) - 1)


def counted(folder: Path, made: tuple[Path, bytes]) -> dict[str, int]:
    """How often one life makes each system call."""
    folder.mkdir(exist_ok=True)
    events = trace(folder, made)
    return {name: sum(event[0] == name for event in events) for name in ("pwrite64", "fdatasync", "ftruncate")}


LINE = re.compile(r'^\d+ +(\w+)\((\d+)<([^>]*)>(?:, "((?:\\x[0-9a-f]{2})*)")?(?:, (\d+))?(?:, (\d+))?\) += (\d+)')
OPENED = re.compile(r"^\d+ +openat\(.*O_CREAT.*\) += \d+<([^>]*)>")
Event = tuple[str, str, bytes, int]
"""The call, the file, and what was written where; an acknowledged step is the call `write`."""


def trace(folder: Path, made: tuple[Path, bytes], wrong: str = "") -> list[Event]:
    """What one undisturbed life does to the disk, in order, and when each step was acknowledged."""
    log = folder / "strace"
    (folder / "key").write_text(made[1].hex())
    (folder / "1").mkdir(mode=0o700, exist_ok=True)
    shutil.copy(made[0], folder / "1" / NAME)
    calls = "pwrite64,ftruncate,fdatasync,fsync,openat,write,unlink"
    command = ["strace", "-f", "-y", "-xx", "-s", "70000", "-o", str(log), "-e", f"trace={calls}", "-qq"]
    command += ["-e", "signal=none", sys.executable, "-m", "tests.edge.wallet_crashes", str(folder), "1", "none", wrong]
    done = subprocess.run(command, cwd=TREE, env=_environment(), capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    found: list[Event] = []
    for line in log.read_text().splitlines():
        if opened := OPENED.match(line):
            found.append(("create", _plain(opened[1]), b"", 0))
        elif event := LINE.match(line):
            call, name = event[1], _plain(event[3])
            data = bytes.fromhex((event[4] or "").replace("\\x", ""))
            if call == "ftruncate":
                found.append((call, name, b"", int(event[5])))
            elif call == "pwrite64":
                found.append((call, name, data, int(event[6])))
            elif call != "write" or name.endswith(".acks"):
                found.append((call, name, b"", 0))
    return [event for event in found if Path(event[1]).is_relative_to(folder)]


def _plain(name: str) -> str:
    return re.sub(r"\\x([0-9a-f]{2})", lambda byte: chr(int(byte[1], 16)), name)


def after_power_cut(
    events: list[Event], template: bytes, keep: Callable[[], bool]
) -> Iterator[tuple[int, dict[str, bytes]]]:
    """After each event: how many steps were acknowledged, and what the disk may hold when the power goes there. What
    was not synced stays where `keep` says so, write by write; a name lasts once its folder was synced."""
    files: dict[str, list[tuple[str, bytes, int]]] = {NAME: []}
    solid: dict[str, bytes] = {NAME: template}
    names, acks = {NAME}, 0
    for call, path, data, at in events:
        name = Path(path).name
        if call == "write":
            acks += 1
        elif call in ("fsync", "fdatasync") and name in files:
            solid[name] = _applied(solid.get(name, b""), files[name])
            files[name] = []
        elif call in ("fsync", "fdatasync"):  # of the folder
            names |= set(files)
        elif call == "create" and name.startswith(NAME):
            files.setdefault(name, [])
        elif name in files:
            files[name].append((call, data, at))
        image = {}
        for one in set(files) if keep is killed else names & set(files):
            kept = [change for change in files[one] if keep()]
            image[one] = _applied(solid.get(one, b""), kept)
        yield acks, image


def _applied(content: bytes, changes: list[tuple[str, bytes, int]]) -> bytes:
    image = bytearray(content)
    for call, data, at in changes:
        if call == "ftruncate":
            image[at:] = bytes(max(0, at - len(image)))
        else:
            image[len(image) :] = bytes(max(0, at - len(image)))
            image[at : at + len(data)] = data
    return bytes(image)


def nothing() -> bool:
    """Everything that was not synced is lost."""
    return False


def killed() -> bool:
    """The power stays, and only the process ends: everything that was written is there."""
    return True


def lost_in_power_cuts(
    folder: Path, made: tuple[Path, bytes], events: list[Event], states: list[Any], keep: Callable[[], bool]
) -> list[str]:
    found = []
    seen: set[tuple[int, int]] = set()
    for number, (acks, image) in enumerate(after_power_cut(events, made[0].read_bytes(), keep)):
        image.pop(NAME + "-shm", None)  # an index that SQLite makes anew
        looks = (acks, hash(tuple(sorted(image.items()))))
        if looks in seen:
            continue
        seen.add(looks)
        place = folder / f"cut-{number}"
        place.mkdir(mode=0o700)
        for name, content in image.items():
            (place / name).write_bytes(content)
            (place / name).chmod(0o600)
        found.append(wrong_state(place / NAME, made[1], acks, states))
        shutil.rmtree(place)
    return found


@strace
def test_w07_what_was_acknowledged_survives_a_power_cut(
    made: tuple[Path, bytes], states: list[Any], tmp_path: Path
) -> None:
    """At every point of the trace (property 10), with everything lost that was not synced, and with parts of it."""
    events = trace(tmp_path, made)
    chances = [partial(Random(seed).choice, (True, False)) for seed in range(20 if LONG else 1)]
    keeps: list[Callable[[], bool]] = [killed, nothing, *chances]
    for keep in keeps:
        found = lost_in_power_cuts(tmp_path, made, events, states, keep)
        assert len(found) > 20
        assert set(found) == {""}


@strace
@pytest.mark.parametrize("wrong", ["lazy", "early", "torn"])
def test_a_wallet_that_is_wrong_is_noticed(
    made: tuple[Path, bytes], states: list[Any], tmp_path: Path, wrong: str
) -> None:
    """One that does not sync, one that acknowledges too early, one that takes two transactions for one thing."""
    found = lost_in_power_cuts(tmp_path, made, trace(tmp_path, made, wrong), states, nothing)
    assert any(problem.startswith("after ") for problem in found)


def test_w07_killed_at_random(made: tuple[Path, bytes], states: list[Any], tmp_path: Path) -> None:
    """E1 (b): kill -9 after a time drawn at random."""
    random, cut = Random(1), 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed, "derive", wallet_crashes.cheap)
        for number in range(KILLS):
            (tmp_path / str(number)).mkdir(mode=0o700)
            path = Path(shutil.copy(made[0], tmp_path / str(number) / NAME))
            ready, told = os.pipe()
            child = os.fork()
            if child == 0:  # pragma: no cover - the child
                try:
                    work(path, made[1], told)
                finally:
                    os._exit(0)
            os.close(told)
            time.sleep(random.uniform(0, 0.06))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            acks = 0
            while more := os.read(ready, 100):
                acks += len(more)
            os.close(ready)
            cut += acks < len(states) - 1
            assert wrong_state(path, made[1], acks, states) == ""
            shutil.rmtree(path.parent)
    assert cut > KILLS // 3


@pytest.mark.kdf
def test_w07_a_wallet_that_was_never_finished(tmp_path: Path) -> None:
    """Killed while it is made: there is a whole wallet or none, and the next one tidies up."""
    random, finished = Random(2), 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed, "derive", wallet_crashes.cheap)
        for number in range(KILLS):
            folder = tmp_path / str(number)
            folder.mkdir(mode=0o700)
            child = os.fork()
            if child == 0:  # pragma: no cover - the child
                try:
                    WalletFile.create(folder / NAME, "correct horse battery").close()
                finally:
                    os._exit(0)
            time.sleep(random.uniform(0, 0.03))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            try:
                WalletFile.create(folder / NAME, "correct horse battery").close()
            except Misuse:
                finished += 1
            with WalletFile.open(folder / NAME, "correct horse battery") as wallet:
                assert wallet.held() == ()
            assert [entry.name for entry in folder.iterdir()] == [NAME]
    assert finished < KILLS
