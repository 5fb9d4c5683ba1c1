"""A register in which everything happened, and its log."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cityid.clerks import Clerk, Right
from cityid.credential import Window
from cityid.edge.database import SqliteRegister, StoredRegister
from cityid.edge.software_keys import MemoryKeyring
from cityid.keys import Algorithm
from cityid.log import Verifier
from cityid.register import Entry, Key, State, Status, Voice, copies_of
from cityid.register.sequencer import sequence
from tests.credentials import credential_type
from tests.registers import BASE

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = AT + timedelta(days=400)
WINDOW = Window(AT, AT + timedelta(days=365))
TYPE = replace(credential_type(), status="required")
RING = MemoryKeyring()
SIGNER = RING.signer(RING.create(Algorithm.EDDSA))
ORIGIN = "id.lindau.example/log"
LOG = Verifier(ORIGIN, SIGNER.public_key)


def entry(register_refs: tuple[object, ...] = (), **more: object) -> Entry:
    return replace(Entry("residency", "dc+sd-jwt", WINDOW, copies_of(register_refs, 2)), **more)  # type: ignore[arg-type]


def lived(register: StoredRegister, start: int = 0) -> None:
    """Cards in every state, in several lists, and whatever else a register remembers."""

    def step(number: int) -> str:
        return f"step {start + number}"

    with register.batch("maria", step(1), AT) as batch:
        batch.clerk(Clerk("maria", frozenset({Right.ISSUE})), "secret header")
        batch.clerk(Clerk("jo", frozenset(Right), department="registry"))
        batch.key(Key(f"thumbprint-{start}", "issuer", "ES256", AT))
    with register.batch(
        "maria",
        step(2),
        AT,
    ) as batch:
        batch.record(
            [entry(batch.allot(TYPE, 2), key=f"line {start + number}", subject="pseudonym") for number in range(9)]
        )
    with register.batch("maria", step(3), AT) as batch:
        (one,) = batch.record([entry(batch.allot(TYPE, 2), state=State.PENDING, deadline=AT, claims=b"{}")])
    with register.batch("jo", step(4), AT) as batch:
        batch.approve(one.number, "jo", AT + timedelta(days=1))
    with register.batch("maria", step(5), AT) as batch:
        batch.issue(one.number, ["holder-1", "holder-2"], device="phone")
    with register.batch("jo", step(6), AT) as batch:
        batch.set_status(one.status, Status.SUSPENDED, "lost", "jo")
    with register.batch("jo", step(7), AT) as batch:
        batch.set_status(one.status[:1], Status.INVALID, "stolen", "jo")
        batch.published(one.status[0].uri, 3)
        batch.publication()
    with register.batch("maria", step(8), AT) as batch:
        (two,) = batch.record([entry(batch.allot(TYPE, 2))])
        burnt = batch.allot(TYPE, 2)
    with register.batch("maria", step(9), AT) as batch:
        batch.withdraw(two.number, "mistake")
    with register.batch("maria", step(10), AT) as batch:
        batch.set_status(burnt[:1], Status.SUSPENDED, "burnt", "maria")
        batch.event("publish", {"files": 3})
        batch.enrol(Voice(f"pseudonym-{start}", "secret", b"commitment", b"entropy", date(2026, 10, 1)), "first")


def sign(register: StoredRegister, at: datetime = AT) -> bytes:
    return sequence(register, SIGNER, ORIGIN, "maria", at)


def opened(path: Path | None = None) -> SqliteRegister:
    return SqliteRegister(path, status_base=BASE, list_size=64, claims_key=bytes(32))
