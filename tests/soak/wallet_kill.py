"""E1: a wallet is killed at each of its system calls and at random moments, and the power goes at each point of its
trace (property 10). Its life begins with the migration of a file of the first version (E18)."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from unittest import mock

from cityid.edge import sealed
from cityid.edge.wallet_file import WalletFile
from cityid.errors import CityIdError, Misuse
from tests.edge import wallet_crashes
from tests.edge.wallet_crashes import NAME
from tests.soak import wallet_faults as wallet
from tests.soak.core import Place, Tally
from tests.soak.wallet_faults import Life

CALLS = ("pwrite64", "fdatasync", "ftruncate")
KILLS = {True: 100, False: 25}
CUTS = {True: 4, False: 1}
"""How many draws of what a power cut leaves, besides all and nothing."""


def run(tally: Tally, place: Place) -> None:
    with wallet.lived(place.sub("life")) as life:
        random_kills(tally, place, life)
        unfinished(tally, place)
        if lacking := wallet.traces():
            tally.lack(lacking)
            return
        folder = place.sub("trace")
        (events,) = wallet.traced(folder, life)
        which = {call: range(1, count + 1) for call, count in wallet.counts(events).items()}
        for call, numbers in which.items():
            tally.ask(f"kills at each {call}", len(numbers))
        for call, found in wallet.faults(place, life, which, dict.fromkeys(which, "signal=KILL")):
            tally.did(f"kills at each {call}")
            tally.wrong(found)
        power_cuts(tally, place, life, folder, events)


def power_cuts(tally: Tally, place: Place, life: Life, folder: Path, events: list[wallet.Event]) -> None:
    chances = [partial(Random(place.seed + n).choice, (True, False)) for n in range(CUTS[place.long])]
    keeps: list[Callable[[], bool]] = [wallet.killed, wallet.nothing, *chances]
    tally.ask("power cuts", 20 * len(keeps))
    for keep in keeps:
        found = wallet.lost_in_power_cuts(folder, life, events, keep)
        tally.did("power cuts", len(found))
        tally.wrong(*(f"seed {place.seed}: power cut: {one}" for one in found if one))


def random_kills(tally: Tally, place: Place, life: Life) -> None:
    count, cut = KILLS[place.long], 0
    tally.ask("kills at random", count)
    for _ in range(count):
        folder = place.sub("killed")
        path = Path(shutil.copy(life.path, folder / NAME))
        ready, told = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                wallet_crashes.work(path, life.key, told)
            finally:
                os._exit(0)
        os.close(told)
        time.sleep(place.chance.uniform(0, 0.04))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        acks = 0
        while more := os.read(ready, 100):
            acks += len(more)
        os.close(ready)
        cut += acks < len(life.states) - 1
        tally.did("kills at random")
        if found := wallet.wrong_state(path, life, acks):
            tally.wrong(f"seed {place.seed}: killed at random: {found}")
        shutil.rmtree(folder)
    if cut < count // 4:
        tally.wrong(f"seed {place.seed}: only {cut} of {count} were killed before they had done all")


def unfinished(tally: Tally, place: Place) -> None:
    """Killed while it is made: there is a whole wallet or none, and the next one tidies up."""
    count = KILLS[place.long]
    tally.ask("kills of a wallet that is made", count)
    with mock.patch.object(sealed, "derive", wallet_crashes.cheap):
        for _ in range(count):
            folder = place.sub("unfinished")
            child = os.fork()
            if child == 0:
                try:
                    WalletFile.create(folder / NAME, wallet_crashes.PASSPHRASE).close()
                finally:
                    os._exit(0)
            time.sleep(place.chance.uniform(0, 0.02))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            tally.did("kills of a wallet that is made")
            try:
                WalletFile.create(folder / NAME, wallet_crashes.PASSPHRASE).close()
            except Misuse:
                pass  # it was finished
            except CityIdError as error:
                tally.wrong(f"seed {place.seed}: a wallet begun and never finished: {error.code}")
                continue
            with WalletFile.open(folder / NAME, wallet_crashes.PASSPHRASE) as made:
                if made.held():
                    tally.wrong(f"seed {place.seed}: a new wallet holds something")
            if left := [entry.name for entry in folder.iterdir() if entry.name != NAME]:
                tally.wrong(f"seed {place.seed}: left behind by a wallet never finished: {left}")
            shutil.rmtree(folder)


def catches(place: Place) -> list[str]:
    """One wallet that does not sync, one that acknowledges too early, one that takes two transactions for one thing,
    and one that says something in clear."""
    if wallet.traces():
        return []
    missed = []
    with wallet.lived(place.sub("life")) as life:
        folder, ways = place.sub("wrong"), ("lazy", "early", "torn", "clear")
        for wrong, events in zip(ways, wallet.traced(folder, life, ways), strict=True):
            found = wallet.lost_in_power_cuts(folder, life, events, wallet.nothing)
            if not any("in clear" in one if wrong == "clear" else one.startswith("after ") for one in found):
                missed.append(f"a wallet that is {wrong}")
    return missed
