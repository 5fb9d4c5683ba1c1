"""E5: a disk that is full or breaks, at each write of a wallet's life and of a city hall's day. What fails is told as
an error of ours, nothing that was there is lost, and it is done when there is room again, without a restart."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.soak import wallet_faults as wallet
from tests.soak.core import HERE, Place, Tally, environment
from tests.soak.register_life import SHIFT

ERRORS = {
    "pwrite64": ("ENOSPC", "EIO", "EDQUOT", "EROFS"),
    "write": ("ENOSPC", "EIO", "EDQUOT", "EROFS"),
    "fdatasync": ("EIO",), "fsync": ("EIO",), "ftruncate": ("EIO",), "rename": ("EIO", "EROFS"),
}  # fmt: skip
"""Each call meets one of its errors, the next call the next; from round to round they move on by one, so that after
four rounds each call has met each error."""
WALLET = ("pwrite64", "fdatasync", "ftruncate")
REGISTER = ("pwrite64", "fdatasync", "ftruncate", "write", "fsync", "rename")


def run(tally: Tally, place: Place) -> None:
    if lacking := wallet.traces():
        tally.lack(lacking)
        return
    with wallet.lived(place.sub("life")) as life:
        counts = wallet.counted(place.sub("count"), life)
        for call in WALLET:
            for error, which in _shares(call, counts[call], place):
                tally.ask(f"wallet: {call} fails", len(which))
                for _, found in wallet.faults(place, life, call, f"error={error}", which):
                    tally.did(f"wallet: {call} fails")
                    tally.wrong(found)
    for call, count in counted(place).items():
        for error, which in _shares(call, count, place):
            tally.ask(f"register: {call} fails", len(which))
            days = failing(place.sub("register"), call, error, which)
            tally.did(f"register: {call} fails", len(days))
            tally.wrong(*(f"{call} {number}, {error}: {one}" for number, text in days.items() for one in text))
    small_disk(tally, place)


def _shares(call: str, count: int, place: Place) -> list[tuple[str, Sequence[int]]]:
    errors = ERRORS[call]
    turn = place.seed % len(errors)
    return [
        (error, range(1 + (number + turn) % len(errors), count + 1, len(errors)))
        for number, error in enumerate(errors)
        if 1 + (number + turn) % len(errors) <= count
    ]


def counted(place: Place) -> dict[str, int]:
    """How often a day makes each system call: the second of two, when everything is loaded."""
    folder = place.sub("counting")
    log = folder / "strace"
    command = ["strace", "-f", "-qq", "-y", "-o", str(log), "-e", f"trace={','.join(REGISTER)},renameat2,renameat"]
    command += [sys.executable, "-m", "tests.soak.register_life", str(folder), "none", "1"]
    done = subprocess.run(command, cwd=HERE, env=environment(), capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert not (folder / "1.found").read_text()
    lines = [line for line in log.read_text().splitlines() if f"{folder}/1/" in line]
    return {call: sum(f" {call}(" in line for line in lines) for call in REGISTER}


def failing(folder: Path, call: str, error: str, which: Sequence[int], wrong: str = "") -> dict[int, list[str]]:
    """What is wrong after each day whose Kth call failed."""
    assert max(which) < SHIFT
    numbers = ",".join(map(str, which))
    command = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", f"trace={call}"]
    command += ["-e", f"inject={call}:error={error}:when={SHIFT}"]
    command += [sys.executable, "-m", "tests.soak.register_life", str(folder), call, numbers, *filter(None, [wrong])]
    done = subprocess.run(command, cwd=HERE, env=environment(), capture_output=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return {number: (folder / f"{number}.found").read_text().splitlines() for number in which}


def small_disk(tally: Tally, place: Place) -> None:
    """4 MiB, mounted where nobody else sees it."""
    folder = place.sub("disk")
    script = f'mount -t tmpfs -o size=4m,mode=700 none "{folder}" && exec "$@"'
    unshare = ["unshare", "--mount", "--map-root-user"]
    mounts = [*unshare, "sh", "-c", script, "sh"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*mounts, "true"], capture_output=True, check=False).returncode
    ):
        tally.lack("leave to mount a small tmpfs")
        return
    tally.ask("days on a disk of 4 MiB", 8)
    command = [*mounts, sys.executable, "-m", "tests.soak.register_life", str(folder), "full"]
    done = subprocess.run(
        command, cwd=HERE, env=environment(), capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        tally.wrong(f"disk of 4 MiB: {done.stderr[-1000:]}")
        return
    hits, *found = done.stdout.splitlines()
    tally.did("days on a disk of 4 MiB", 8 if int(hits.split()[1]) >= 16 else 0)
    tally.wrong(*(f"disk of 4 MiB: {one}" for one in found if one))


def catches(place: Place) -> list[str]:
    """A city hall that does not try again, and one that tells what it did not do."""
    if wallet.traces():
        return []
    missed = []
    for wrong in ("forgetful", "harmed"):
        if not any(failing(place.sub(wrong), "pwrite64", "ENOSPC", range(20, 26), wrong).values()):
            missed.append(f"a city hall that is {wrong}")
    return missed
