"""A wallet's life under strace: which system calls it makes, faults at chosen ones, and what a power cut leaves of it.
Shared by E1 (kills) and E5 (failing disks)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from cityid.edge import sealed
from cityid.errors import CityIdError
from tests.edge import wallet_crashes
from tests.edge.wallet_crashes import NAME, held
from tests.soak.core import HERE, Place, environment

CANARIES = (
    b"Lindau",
    b"given_name",
    b"residency",
    b"library.example",
    wallet_crashes.PASSPHRASE.encode(),
    b"dc+sd-jwt",
)
"""What is in the wallet, and must be nowhere in clear."""


@cache
def traces() -> str:
    """What is lacking for strace; '' where it works."""
    if shutil.which("strace") is None:
        return "strace"
    tried = subprocess.run(["strace", "-e", "trace=none", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "leave to trace with strace"


@dataclass(frozen=True)
class Life:
    """A wallet of the first version, its data key, and what it holds after each number of steps."""

    path: Path
    key: bytes
    states: list[Any]


@contextmanager
def lived(folder: Path) -> Iterator[Life]:
    """With a derivation that costs nothing, for as long as it is looked at."""
    with mock.patch.object(sealed, "derive", wallet_crashes.cheap):
        made = folder / "made"
        made.mkdir(mode=0o700)
        key = wallet_crashes.template(made / NAME)
        wallet_crashes.prepare()
        states: list[Any] = []
        (folder / "states").mkdir(mode=0o700)
        path = Path(shutil.copy(made / NAME, folder / "states" / NAME))

        def look() -> None:
            copy = folder / "states" / "copy"
            copy.mkdir(mode=0o700)
            for file in path.parent.glob(NAME + "*"):
                if not file.name.endswith("-shm"):
                    shutil.copy(file, copy)
            states.append(held(copy / NAME, key))
            shutil.rmtree(copy)

        look()
        for step in wallet_crashes.steps(path, key):
            step()
            look()
        assert len({str(state) for state in states}) > 9  # nearly every step changes something
        yield Life(made / NAME, key, states)


def wrong_state(path: Path, life: Life, acknowledged: int) -> str:
    """Why the wallet is not in the state before or after the step that was not acknowledged; '' when it is."""
    for file in path.parent.iterdir():
        content = file.read_bytes()
        if any(canary in content for canary in CANARIES):
            return f"{file.name} says something in clear"
    try:
        found = held(path, life.key)
    except CityIdError as error:
        return f"it does not open: {error.code}"
    if found not in life.states[acknowledged : acknowledged + 2]:
        return f"after {acknowledged} acknowledged steps it is in no state that was"
    left = [entry.name for entry in path.parent.iterdir() if entry.name != path.name]
    return f"left behind: {left}" if left else ""


SPARE = 32
"""So many calls more than in an undisturbed life are made by what is tried again, at most: they must meet no fault."""


def strace(which: Mapping[str, Sequence[int]], faults: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The command under which the call of a thread with a certain number meets its fault, for each call in `which`;
    and the jobs for its program, which make it the Kth. One command does for all calls: it loads our program once."""
    # strace 6.1 counts no signals when it filters by seccomp, which is four times as fast
    filtered = ["--seccomp-bpf"] if all(fault.startswith("error") for fault in faults.values()) else []
    command = ["strace", "-f", *filtered, "-qq", "-o", "/dev/null", "-e", f"trace={','.join(which)}"]
    jobs = []
    for call, numbers in which.items():
        when = max(numbers) + SPARE
        command += ["-e", f"inject={call}:{faults[call]}:when={when}"]
        jobs += [f"{call}-{number}-{when - number}" for number in numbers]
    return command, jobs


def run_under(command: Sequence[str], *program: str) -> None:
    command = [*command, sys.executable, "-m", *program]
    done = subprocess.run(command, cwd=HERE, env=environment(), capture_output=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr.decode()[-2000:]


def wallets(folder: Path, life: Life, jobs: Sequence[str]) -> None:
    (folder / "key").write_text(life.key.hex())
    for job in jobs:
        (folder / job).mkdir(mode=0o700)
        shutil.copy(life.path, folder / job / NAME)


def counts(events: Sequence[Event]) -> dict[str, int]:
    """How often one life makes each system call."""
    return {name: sum(event[0] == name for event in events) for name in ("pwrite64", "fdatasync", "ftruncate")}


_LINE = re.compile(r'^\d+ +(\w+)\((\d+)<([^>]*)>(?:, "((?:\\x[0-9a-f]{2})*)")?(?:, (\d+))?(?:, (\d+))?\) += (\d+)')
_OPENED = re.compile(r"^\d+ +openat\(.*O_CREAT.*\) += \d+<([^>]*)>")
Event = tuple[str, str, bytes, int]
"""The call, the file, and what was written where; an acknowledged step is the call `write`."""


def traced(folder: Path, life: Life, ways: Sequence[str] = ("",)) -> Iterator[list[Event]]:
    """What an undisturbed life does to the disk, in order, and when each step was acknowledged; one life for each way
    in which a wallet can be wrong."""
    log = folder / "strace"
    jobs = [f"none-0-0-{wrong}" for wrong in ways]
    wallets(folder, life, jobs)
    calls = "pwrite64,ftruncate,fdatasync,fsync,openat,write,unlink"
    command = ["strace", "-f", "--seccomp-bpf", "-y", "-xx", "-s", "70000", "-o", str(log), "-e", f"trace={calls}"]
    run_under([*command, "-qq", "-e", "signal=none"], "tests.edge.wallet_crashes", "fork", str(folder), *jobs)
    events = _events(log)
    for job in jobs:
        yield [one for one in events if Path(one[1]).is_relative_to(folder / job) or one[1] == f"{folder / job}.acks"]


def _events(log: Path) -> list[Event]:
    found: list[Event] = []
    for line in log.read_text().splitlines():
        if opened := _OPENED.match(line):
            found.append(("create", _plain(opened[1]), b"", 0))
        elif event := _LINE.match(line):
            call, name = event[1], _plain(event[3])
            data = bytes.fromhex((event[4] or "").replace("\\x", ""))
            if call == "ftruncate":
                found.append((call, name, b"", int(event[5])))
            elif call == "pwrite64":
                found.append((call, name, data, int(event[6])))
            elif call != "write" or name.endswith(".acks"):
                found.append((call, name, b"", 0))
    return found


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


def lost_in_power_cuts(folder: Path, life: Life, events: list[Event], keep: Callable[[], bool]) -> list[str]:
    """What is wrong after a cut at each point of the trace; '' for each that is well."""
    found = []
    seen: set[tuple[int, int]] = set()
    for number, (acks, image) in enumerate(after_power_cut(events, life.path.read_bytes(), keep)):
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
        found.append(wrong_state(place / NAME, life, acks))
        shutil.rmtree(place)
    return found


def faults(
    place: Place, life: Life, which: Mapping[str, Sequence[int]], how: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """What is wrong with each wallet whose Kth call met its fault, and the call; '' where nothing is."""
    folder = place.sub("faults")
    command, jobs = strace(which, how)
    wallets(folder, life, jobs)
    kills = any("KILL" in fault for fault in how.values())
    run_under(command, "tests.edge.wallet_crashes", "fork" if kills else "thread", str(folder), *jobs)
    for job in jobs:
        call = job.partition("-")[0]
        acks, status = len((folder / f"{job}.acks").read_bytes()), int((folder / f"{job}.status").read_text())
        found = wrong_state(folder / job / NAME, life, acks)
        if "KILL" in how[call] and status != -9:
            found = found or f"it was not killed: {status}"
        if "KILL" not in how[call] and (status, acks) != (0, len(life.states) - 1):
            found = found or f"it ended with {status} after {acks} steps, and was not done when tried again"
        yield call, found and f"{job}, {how[call]}: {found}"
    shutil.rmtree(folder)
