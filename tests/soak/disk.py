"""E5: a disk that is full or breaks, at each write of a wallet's life and of a city hall's day. What fails is told as
an error of ours, nothing that was there is lost, and it is done when there is room again, without a restart."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.soak import wallet_faults as wallet
from tests.soak.core import HERE, Place, Tally, environment

ERRORS = {
    "pwrite64": ("ENOSPC", "EIO", "EDQUOT", "EROFS"),
    "write": ("ENOSPC", "EIO", "EDQUOT", "EROFS"),
    "fdatasync": ("EIO",), "fsync": ("EIO",), "ftruncate": ("EIO",), "rename": ("EIO", "EROFS"),
    "unlink": ("EIO", "EROFS"), "linkat": ("EIO", "ENOSPC", "EPERM"),
}  # fmt: skip
"""Each call meets one of its errors, the next call the next; from round to round they move on by one, so that after
four rounds each call has met each error."""
WALLET = ("pwrite64", "fdatasync", "ftruncate")
REGISTER = ("pwrite64", "fdatasync", "ftruncate", "write", "fsync", "rename", "unlink", "linkat")


def run(tally: Tally, place: Place) -> None:
    if lacking := wallet.traces():
        tally.lack(lacking)
        return
    with wallet.lived(place.sub("life")) as life:
        (events,) = wallet.traced(place.sub("trace"), life)
        for which, errors in _shares(wallet.counts(events), place):
            for call, numbers in which.items():
                tally.ask(f"wallet: {call} fails", len(numbers))
            for call, found in wallet.faults(place, life, which, errors):
                tally.did(f"wallet: {call} fails")
                tally.wrong(found)
    for which, errors in _shares(counted(place), place):
        for call, numbers in which.items():
            tally.ask(f"register: {call} fails", len(numbers))
        for job, found_ in failing(place.sub("register"), which, errors).items():
            call = job.partition("-")[0]
            tally.did(f"register: {call} fails")
            tally.wrong(*(f"{job}, {errors[call]}: {one}" for one in found_))
    small_disk(tally, place)


def _shares(counts: Mapping[str, int], place: Place) -> Iterator[tuple[dict[str, Sequence[int]], dict[str, str]]]:
    """Which of each call fail in one run of strace, and how; in the next run, the next error of each."""
    for run in range(max(map(len, ERRORS.values()))):
        which: dict[str, Sequence[int]] = {}
        how = {}
        for call, count in counts.items():
            errors = ERRORS[call]
            numbers = range(1 + (run + place.seed) % len(errors), count + 1, len(errors))
            if run < len(errors) and numbers:
                which[call], how[call] = numbers, f"error={errors[run]}"
        if which:
            yield which, how


def counted(place: Place) -> dict[str, int]:
    """How often a day makes each system call: the second of two, when everything is loaded."""
    folder = place.sub("counting")
    log = folder / "strace"
    command = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-y",
        "-o",
        str(log),
        "-e",
        f"trace={','.join(REGISTER)},renameat2,renameat",
    ]
    wallet.run_under(command, "tests.soak.register_life", str(folder), "none-0-0")
    assert not (folder / "none-0-0.found").read_text()
    lines = [line for line in log.read_text().splitlines() if f"{folder}/none-0-0/" in line]
    return {call: sum(f" {call}(" in line for line in lines) for call in REGISTER}


def failing(
    folder: Path, which: Mapping[str, Sequence[int]], how: Mapping[str, str], ways: Sequence[str] = ("",)
) -> dict[str, list[str]]:
    """What is wrong after each day whose Kth call failed; a day for each way in which a city hall can be wrong."""
    command, jobs = wallet.strace(which, how)
    jobs = [f"{job}-{wrong}" for job in jobs for wrong in ways]
    wallet.run_under(command, "tests.soak.register_life", str(folder), *jobs)
    return {job: (folder / f"{job}.found").read_text().splitlines() for job in jobs}


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
    ways = ("forgetful", "harmed")
    days = failing(place.sub("wrong"), {"pwrite64": range(20, 26)}, {"pwrite64": "error=ENOSPC"}, ways)
    return [
        f"a city hall that is {wrong}"
        for wrong in ways
        if not any(found for job, found in days.items() if job.endswith(wrong))
    ]
