"""E2: clerks are killed (kill -9) at any moment, so is the server's process for one of them, and the whole server is
stopped without being asked. What was acknowledged is there and published, nothing is there twice, the log is whole."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tests.soak.clerks import AT, BASE, Crew, harmed, judge, opened
from tests.soak.core import Place, Tally

if TYPE_CHECKING:
    from cityid.edge.database import StoredRegister

KILLS = 25
FOREVER = 1_000_000


def run(tally: Tally, place: Place) -> None:
    for kind, store in place.stores(tally):
        tally.ask(f"kills, {kind}", KILLS)
        tally.wrong(*(f"seed {place.seed}: {kind}: {found}" for found in killed(tally, place, kind, store)))
    server = place.server()
    if server is not None:
        for what, times in (("backends killed", 5 if place.long else 1), ("immediate stops", 1)):
            tally.ask(what, times)
            for _ in range(times):
                tally.wrong(*(f"seed {place.seed}: {what}: {found}" for found in stopped(place, what)))
                tally.did(what)


def killed(tally: Tally, place: Place, kind: str, store: str) -> list[str]:
    """Five clerks at a time issue, change and publish; each is killed at a random moment."""
    from cityid.edge.register_audit import audit

    said: list[list[str]] = []
    www = place.sub("www")
    for turn in range(KILLS // 5):
        names = [f"clerk-{place.seed}-{turn}-{number}" for number in range(5)]
        crew = Crew(store, names, FOREVER, place.sub("said"), str(www), place.seed)
        crew.wait_until("done")
        for name in names:
            time.sleep(place.chance.random() / 25)
            crew.kill(name)
        said += crew.end().values()
        tally.did(f"kills, {kind}", sum(status == -9 for status in crew.statuses().values()))
        with opened(store) as register:
            if found := judge(register, said):
                return found
    # what was acknowledged is in the next list, and no half-written file is left
    last = Crew(store, [f"last-{place.seed}"], 12, place.sub("said"), str(www), place.seed)
    said += last.end().values()
    with opened(store) as register:
        found = judge(register, said) + [str(problem) for problem in audit(register).findings]
        return found + ([last.errors] if last.statuses()[last.names[0]] else []) + published(register, www)


def published(register: StoredRegister, www: Path) -> list[str]:
    """Whether what is published next is what the register says."""
    from cityid.credential import DidUrl
    from cityid.edge import status_files
    from cityid.edge.software_keys import MemoryKeyring
    from cityid.keys import Algorithm
    from cityid.status import token_status_list as lists

    ring = MemoryKeyring()
    signer = ring.signer(ring.create(Algorithm.ES256))
    later = AT + timedelta(days=3650)
    status_files.publish(
        register, signer, DidUrl("did:web:id.lindau.example", "k"), www, base=BASE, by="jo", at=later
    )  # fmt: skip
    found = []
    for uri in register.lists():
        entries = lists.read((www / uri.rpartition("/")[2]).read_bytes(), "jwt").entries()
        if {i: entries[i] for i in range(len(entries)) if entries[i]} != register.bits(uri).values:
            found.append(f"published otherwise: {uri}")
    return found + [f"left behind: {path.name}" for path in www.glob("*.tmp")]


def stopped(place: Place, what: str) -> list[str]:
    """The server's process for one clerk is killed, which makes the server start anew; or all of it stops as in a
    crash. It recovers from its log."""
    import psycopg

    from cityid.edge.register_audit import audit
    from cityid.errors import Unavailable

    server = place.server()
    assert server is not None
    store = server.name()
    names = [f"clerk-{place.seed}-{number}" for number in range(3)]
    crew = Crew(store, names, FOREVER, place.sub("said"), seed=place.seed)
    crew.wait_until("done")
    found: list[str] = []
    if what == "immediate stops":
        server.stop("immediate")
        try:
            opened(store).close()
        except Unavailable as error:
            if error.code != "store.unreachable":
                found.append(f"a server that is gone is {error.code}")
        else:
            found.append("a server that is gone was reached")
        said = crew.end()  # their connections are gone, and they say so
        server.begin()
    else:
        import os
        import signal

        with psycopg.connect(server.at("public"), autocommit=True) as link:
            backends = [
                pid
                for (pid,) in link.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'cityid'")
            ]  # fmt: skip
        with suppress(ProcessLookupError):
            os.kill(place.chance.choice(backends), signal.SIGKILL)
        time.sleep(0.5)
        said = crew.end(kill=True)
        _wait(server.at("public"))
    with opened(store) as register:
        found += judge(register, said.values()) + [str(problem) for problem in audit(register).findings]
    if sum(line.startswith("done") for lines in said.values() for line in lines) < 3:
        found.append("nothing had been done")
    return found


def _wait(name: str) -> None:
    import psycopg

    for _ in range(600):
        with suppress(psycopg.OperationalError), psycopg.connect(name):
            return
        time.sleep(0.05)
    raise TimeoutError("the server did not recover")


def catches(place: Place) -> list[str]:
    return harmed(place.sub("harmed"))
