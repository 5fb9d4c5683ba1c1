"""What a city, a resident and a service do at the time that this machine shows; run under libfaketime.

    LD_PRELOAD=libfaketime.so.1 FAKETIME_TIMESTAMP_FILE=FILE python -m tests.soak.clock_life FOLDER MOMENT [STEP]

With STEP (in seconds), the clock is moved by it between the question and the answer, and before a second publication.
Prints what happened as JSON: a code, or what was said; never a traceback.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cityid.checks import Accepted
from cityid.credential import DidUrl, Window
from cityid.edge import clock, status_files
from cityid.edge.database import SqliteRegister, SqliteSessions
from cityid.edge.software_keys import MemoryKeyring
from cityid.errors import CityIdError
from cityid.formats import FORMATS
from cityid.keys import Algorithm
from cityid.sessions import new_key
from cityid.status import token_status_list as lists
from tests.city import Desk, Office, issued_with
from tests.jobs.test_register import TYPE, entry
from tests.soak.clerks import BASE


def told(work: Callable[[], Any]) -> str:
    """What came of it: a code of ours, or a fault."""
    try:
        return str(work())
    except CityIdError as error:
        return error.code
    except Exception as error:
        return f"FAULT {type(error).__name__}: {error}"


def set_clock(moment: datetime) -> None:
    if moment.year > 2261:  # libfaketime counts nanoseconds, in 64 bits
        clock.now = lambda: moment
        return
    file = Path(os.environ["FAKETIME_TIMESTAMP_FILE"])
    (file.parent / "next").write_text(said(moment))
    (file.parent / "next").replace(file)  # whole at any moment: it is read at every look at the clock


def said(moment: datetime) -> str:
    """As libfaketime reads it, in the machine's own time zone; from then on it runs."""
    return f"@{moment.astimezone():%Y-%m-%d %H:%M:%S}\n"


def verdict(start: datetime, step: int) -> str:
    """A card that is good for a day from `start`, shown and judged now."""
    office, ring = Office(), MemoryKeyring()
    card = issued_with(office.issuer, ring, window=Window(start, start + timedelta(days=1)))
    desk = Desk(office)
    asked = desk.ask(at=clock.now())
    match = asked.query.credentials[0].match(card)
    assert match is not None
    (key,) = ring.keys()
    raw = FORMATS["dc+sd-jwt"].present(
        card, match.disclose, asked.challenge, ring.signer(key), at=clock.now(), entropy=secrets.token_bytes
    )
    if step:
        set_clock(clock.now() + timedelta(seconds=step))
    found = desk.judge_one(raw, asked, at=clock.now())
    return "accepted" if isinstance(found, Accepted) else found.reason.code


def walk(step: int) -> str:
    """A card that is issued, accepted, shown and judged now."""
    from tests.city import Town

    town, at = Town(), clock.now()
    town.takes(at=at)
    desk = town.desk()
    asked = desk.ask(at=at)
    token = town.shows(asked, at=at)
    if step:
        set_clock(clock.now() + timedelta(seconds=step))
    return "accepted" if desk.judge(token, asked, at=clock.now()) else "refused"


def issued(register: SqliteRegister) -> str:
    at = clock.now()
    with register.batch("maria", "x", at) as batch:
        (row,) = batch.record([entry(batch.allot(TYPE, 2), deadline=at + timedelta(minutes=10))])
    return register.find(row.number).number


def stores(folder: Path, step: int) -> dict[str, str]:
    ring = MemoryKeyring()
    signer = ring.signer(ring.create(Algorithm.ES256))
    www = folder / "www"

    def publish() -> str:
        status_files.publish(
            register, signer, DidUrl("did:web:id.lindau.example", "k"), www, base=BASE, by="jo", at=clock.now()
        )  # fmt: skip
        return f"{lists.read((www / '1').read_bytes(), 'jwt').iat:%Y-%m-%dT%H:%M}"

    found = {}
    with SqliteRegister(folder / "r.sqlite", status_base=BASE, list_size=64) as register:
        found["issue"] = told(lambda: issued(register))
        found["publish"] = told(publish)
        with SqliteSessions(folder / "s.sqlite") as sessions:
            key = new_key()
            found["put"] = told(lambda: sessions.put(key, b"value", clock.now() + timedelta(minutes=10)))
            if step:
                set_clock(clock.now() + timedelta(seconds=step))
            found["take"] = told(lambda: sessions.take(key, clock.now()).decode())
        found["again"] = told(publish)
    return found


def main(folder: Path, moment: datetime, step: int) -> None:
    set_clock(moment)
    shown = clock.now()
    found = {"clock": f"{shown:%Y-%m-%dT%H:%M}"}
    start = datetime.fromisoformat("2026-11-22T00:00:00+00:00")
    found["verdict"] = told(lambda: verdict(start, step))
    set_clock(moment)
    found["walk"] = told(lambda: walk(step))
    set_clock(moment)
    found |= stores(folder, step)
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
