"""Properties 8, 9, 13 and 15 of the memories: allocation is a bijection, sealing is the identity and nothing else
opens, what is taken is taken at most once, and an error changes nothing."""

from __future__ import annotations

import secrets
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityid.credential import StatusRef
from cityid.edge import sealed
from cityid.edge.database import SqliteRegister, SqliteSessions
from cityid.edge.wallet_records import BLOCK, NOBODY, Record, Records
from cityid.errors import Refused, Unavailable
from cityid.sessions import Kind, new_key
from tests.credentials import credential_type

pytestmark = pytest.mark.property

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
TYPE = replace(credential_type(), status="required")
KEY = bytes(32)


@given(size=st.integers(1, 12).map(lambda n: n * 8), batches=st.lists(st.integers(0, 40), max_size=12))
def test_p8_allocation_is_a_bijection(size: int, batches: list[int]) -> None:
    """Over any batches, some of which fail: as many distinct entries as were asked for, all within their lists."""
    with SqliteRegister(status_base="https://x.example", list_size=size) as register:
        given_out: list[StatusRef] = []
        for number, count in enumerate(batches):
            fails = count % 5 == 4
            with suppress(ZeroDivisionError), register.batch("clerk", str(number), AT) as batch:
                refs = batch.allot(TYPE, count)
                assert len(refs) == count
                if fails:
                    raise ZeroDivisionError
                given_out += refs
        assert len({(ref.uri, ref.index) for ref in given_out}) == len(given_out)
        assert all(0 <= ref.index < size for ref in given_out)
        used = Counter(ref.uri for ref in given_out)
        assert all(count <= size - size // 8 for count in used.values())
        assert len(register.lists()) <= len(given_out) // (size - size // 8) + 1


@given(data=st.binary(max_size=2000), where=st.integers(0), bit=st.integers(0, 7))
def test_p9_sealing(data: bytes, where: int, bit: int) -> None:
    box = sealed.seal(KEY, data, b"place")
    assert sealed.open_sealed(KEY, box, b"place", kind="wallet") == data
    changed = bytearray(box)
    changed[where % len(box)] ^= 1 << bit
    for wrong in (bytes(changed), box[:-1], box[: where % len(box)], box + b"\0"):
        with pytest.raises(Unavailable):
            sealed.open_sealed(KEY, wrong, b"place", kind="wallet")
    for key, place in ((KEY, b"another place"), (b"\1" * 32, b"place")):
        with pytest.raises(Unavailable):
            sealed.open_sealed(key, box, place, kind="wallet")


@given(
    content=st.binary(max_size=1500),
    member=st.sampled_from(["id", "sort", "parent", "state", "version"]),
    sort=st.integers(1, 5),
)
def test_p9_records_open_in_their_place_alone(content: bytes, member: str, sort: int) -> None:
    records = Records.__new__(Records)
    records._key, records.entropy = KEY, secrets.token_bytes
    record = records.seal(Record(1, secrets.token_bytes(16), sort, NOBODY, 0, 1, b""), content)
    assert records.content(record) == content
    assert (len(record.sealed) - 40) % BLOCK == 0
    value = getattr(record, member)
    changed: dict[str, Any] = {member: value + 1 if isinstance(value, int) else b"\1" * 16}
    moved = replace(record, **changed)
    with pytest.raises(Unavailable):
        records.content(moved)


class Model:
    """What sessions are, in six lines."""

    def __init__(self) -> None:
        self.open: dict[tuple[str, Kind], bytes] = {}
        self.taken: dict[tuple[str, Kind], bytes] = {}


NAMES = [character * 24 for character in "abc"]
VERBS = ["put", "take", "give_back", "spend"]
STEPS = st.lists(
    st.tuples(st.sampled_from(VERBS), st.sampled_from(NAMES), st.sampled_from(list(Kind))),
    max_size=25,
)


@given(STEPS)
def test_p13_sessions_do_what_their_model_does(steps: list[tuple[str, str, Kind]]) -> None:
    model, until = Model(), AT + timedelta(minutes=5)
    with SqliteSessions() as sessions:
        used = set()
        for step, key, kind in steps:
            at = (key, kind)
            if step == "put" and at not in used:
                used.add(at)
                value = secrets.token_bytes(20)
                sessions.put(key, value, until, kind=kind)
                model.open[at] = value
            elif step == "take":
                if at in model.open:
                    model.taken[at] = model.open.pop(at)
                    assert sessions.take(key, AT, kind=kind) == model.taken[at]
                else:
                    with pytest.raises(Refused) as error:
                        sessions.take(key, AT, kind=kind)
                    assert error.value.code == ("session.spent" if at in used else "session.unknown")
            elif step == "give_back":
                assert sessions.give_back(key, kind=kind) is (at in model.taken)
                if at in model.taken:
                    model.open[at] = model.taken.pop(at)
            elif step == "spend":
                sessions.spend(key, kind=kind)
                model.open.pop(at, None)
                model.taken.pop(at, None)


@given(threads=st.integers(2, 8), takers=st.integers(2, 16), returned=st.integers(0, 2))
@settings(max_examples=10)
def test_p13_taken_once_under_any_interleaving(threads: int, takers: int, returned: int) -> None:
    """`returned` takers give it back: then one more may take it, for each."""
    key = new_key()
    with SqliteSessions() as sessions:
        sessions.put(key, b"value", AT + timedelta(minutes=5))
        gifts = list(range(returned))

        def take(_: int) -> str:
            try:
                sessions.take(key, AT)
            except Refused as error:
                return error.code
            try:
                gifts.pop()
            except IndexError:
                return "kept"
            assert sessions.give_back(key)
            return "given back"

        with ThreadPoolExecutor(threads) as pool:
            found = Counter(pool.map(take, range(takers)))
        assert set(found) <= {"kept", "given back", "session.spent"}
        assert found["kept"] <= 1
        assert found["kept"] + found["given back"] <= returned + 1
        assert found["kept"] == 1 or found["given back"] <= returned


@given(st.lists(st.sampled_from(["unknown", "state", "holders", "status"]), max_size=6))
def test_p15_an_error_changes_nothing(faults: list[str]) -> None:
    from tests.jobs.test_register import entry

    with SqliteRegister(status_base="https://x.example", list_size=64) as register:
        with register.batch("clerk", "first", AT) as batch:
            (row,) = batch.record([entry(batch.allot(TYPE, 2))])
            batch.set_status(row.status, 1, "why", "clerk")

        def state() -> object:
            uri = register.lists()[0]
            return list(register.rows()), list(register.events()), register.bits(uri), register.history(row.status[0])

        before = state()
        for number, fault in enumerate(faults):
            with pytest.raises(Exception) as error, register.batch("clerk", str(number), AT) as batch:  # noqa: PT011, PT012  # whatever it raises
                batch.record([entry(batch.allot(TYPE, 2))])
                if fault == "unknown":
                    batch.issue("R-2026-000777", ["t"])
                elif fault == "state":
                    batch.issue(row.number, ["t"])
                    batch.issue(row.number, ["t"])
                elif fault == "holders":
                    batch.issue(row.number, ["t"] * 3)
                else:
                    batch.set_status(row.status, 0, "why", "clerk")
            assert type(error.value).__module__ == "cityid.errors"
            assert state() == before
