"""E6: clocks that are ten years off, are stepped by an hour in the middle, meet the end of summer time, of 2038's
seconds or of the calendar. What is judged is as the table says, nothing breaks, what is published never goes back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.soak.core import HERE, Place, Tally, environment

DURING, AFTER, BEFORE = "accepted", "validity.expired", "validity.not_yet"
"""The card is good on 2026-11-22."""
MOMENTS: Mapping[str, tuple[str, str]] = {
    "ten years back": ("2016-11-22T12:00:30", BEFORE),
    "the day before": ("2026-11-21T23:58:30", BEFORE),
    "a minute before, which is allowed for": ("2026-11-21T23:59:30", DURING),
    "the day": ("2026-11-22T12:00:30", DURING),
    "its last minute": ("2026-11-22T23:59:30", DURING),
    "the day after": ("2026-11-23T00:01:30", AFTER),
    "the end of summer time": ("2026-10-25T00:30:30", BEFORE),
    "the hour that comes twice": ("2026-10-25T01:30:30", BEFORE),
    "the beginning of summer time": ("2027-03-28T01:00:30", AFTER),
    "a leap day": ("2028-02-29T12:00:30", AFTER),
    "ten years on": ("2036-11-22T12:00:30", AFTER),
    "the last second of 32 bits": ("2038-01-19T03:14:30", AFTER),
    "the last second of 32 bits without a sign": ("2106-02-07T06:28:30", AFTER),
    "the year before the last": ("9998-06-01T12:00:30", AFTER),
}
LAST = "9999-12-31T12:00:30"
"""No window fits into what is left of the calendar: an error of ours, whichever."""
STEPS: Mapping[int, Mapping[str, str]] = {
    3600: {"verdict": "binding.too_old", "walk": "refused", "take": "session.expired", "again": "2026-11-22T13:00"},
    -3600: {"verdict": "binding.ahead", "walk": "refused", "take": "value", "again": "register.published_later"},
}
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Kiritimati")


def library() -> str:
    """libfaketime, for programs with threads; '' where it is not installed."""
    places = [*Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), *Path("/usr/lib/faketime").glob("*MT*.so.1")]
    return str(places[0]) if places else ""


def run(tally: Tally, place: Place) -> None:
    if not library():
        tally.lack("libfaketime")
        return
    names = list(MOMENTS) if place.long else place.chance.sample(list(MOMENTS), 1)
    tally.ask("clocks", len(names) + len(STEPS) + 1)
    for name in names:
        moment, verdict = MOMENTS[name]
        zone = place.chance.choice(ZONES)
        tally.wrong(*(f"{name}, {zone}: {one}" for one in wrong(lived(place, moment, zone), moment, verdict)))
        tally.did("clocks")
    for step, differs in STEPS.items():
        moment = MOMENTS["the day"][0]
        found = lived(place, moment, place.chance.choice(ZONES), step)
        wanted = {**expected(moment, DURING), **differs}
        tally.wrong(*(f"a step of {step} s: {one}" for one in _differences(found, wanted)))
        tally.did("clocks")
    found = lived(place, LAST, "UTC")
    tally.wrong(*(f"the last day: {key}: {said}" for key, said in found.items() if said.startswith("FAULT")))
    tally.did("clocks")


def lived(place: Place, moment: str, zone: str, step: int = 0) -> dict[str, str]:
    """What came of a life at that moment."""
    folder = place.sub("clock")
    (folder / "clock").write_text("@2026-11-22 12:00:00\n")
    command = [sys.executable, "-m", "tests.soak.clock_life", str(folder), f"{moment}+00:00", str(step)]
    fake = {"LD_PRELOAD": library(), "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"), "FAKETIME_NO_CACHE": "1"}
    done = subprocess.run(
        command, cwd=HERE, env=environment(TZ=zone, **fake), capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        return {"process": f"FAULT {done.stderr[-500:]}"}
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def expected(moment: str, verdict: str) -> dict[str, str]:
    minute = moment[:16]
    walk = "accepted" if moment < "22" else "claim.not_plausible"  # born in 1990
    return {
        "clock": minute, "verdict": verdict, "walk": walk, "issue": f"R-{moment[:4]}-000001", "publish": minute,
        "put": "None", "take": "value", "again": minute,
    }  # fmt: skip


def wrong(found: Mapping[str, str], moment: str, verdict: str) -> list[str]:
    return _differences(found, expected(moment, verdict))


def _differences(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    return [f"{key}: {found.get(key)}, expected {said}" for key, said in wanted.items() if found.get(key) != said] + [
        f"{key}: {said}" for key, said in found.items() if said.startswith("FAULT") and key not in wanted
    ]


def catches(place: Place) -> list[str]:
    """A judge that does not look at the clock, and a publisher that goes back."""
    if not library():
        return []
    missed = []
    moment, verdict = MOMENTS["ten years back"]
    right = expected(moment, verdict)
    for name, changed in (
        ("a judge without a clock", {"verdict": "accepted"}),
        ("a walk that breaks", {"walk": "FAULT OverflowError: x"}),
        ("a list that goes back", {"again": "2016-11-22T11:00"}),
    ):
        if not wrong({**right, **changed}, moment, verdict):
            missed.append(name)
    return missed if wrong(right, moment, verdict) == [] else [*missed, "that all is well"]
