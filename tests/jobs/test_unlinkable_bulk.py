"""Many cards at once that nobody can link: offered, taken and shown as one at a time; or signed at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cityid import accepting, did
from cityid.bulk import Bulk
from cityid.credential import DidUrl, KeyRef
from cityid.formats import FORMATS
from cityid.keys import Algorithm
from cityid.register import State
from tests.jobs.offices import NOW, TYPES
from tests.jobs.test_bulk import UNTIL, Hall
from tests.memory import MemoryWallet

QUIET = replace(TYPES["age"], unlinkable=True, status="none", window=(None, None))


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    with ExitStack() as opened:
        made = Hall(tmp_path, opened)
        key = made.office.keyring.create(Algorithm.BBS)
        own = did.key.create(key)
        ref = KeyRef(DidUrl(own, own.removeprefix("did:key:")))
        bbs = (ref, made.office.keyring.bbs_signer(key))
        types = {**TYPES, "age": QUIET}
        made.issuer = replace(made.issuer, id=own, signed_by=ref, types=types, bbs=bbs)
        yield made


def bulk(hall: Hall) -> Bulk:
    return Bulk(
        hall.issuer, hall.sessions, "age", by="clerk-1", until=UNTIL, name="run-1", seed=bytes(32), format="ldp_vc"
    )


class TestOffers:
    def test_one_copy_without_a_key(self, hall: Hall) -> None:
        made = bulk(hall).offer(hall.people(days=("1990-12-10", "1980-01-02")), 0, NOW)
        assert len(made) == 2
        for number, (_, _, offer) in enumerate(made):
            later = NOW + timedelta(days=number)
            wallet = MemoryWallet()
            cards = hall.issuer.answer(accepting.begin(offer, wallet, later), at=later)
            (raw,) = cards.credentials
            card = FORMATS["ldp_vc"].read(raw)
            assert (card.proves, card.holder, card.status) == (True, None, ())
            # Valid for the same month, whenever they were taken.
            assert card.claims["validFrom"] == "2026-11-01T00:00:00Z"
        assert [row.state for row in hall.register.rows()] == [State.ISSUED] * 2


class TestSigned:
    def test_at_once(self, hall: Hall) -> None:
        done = bulk(hall).sign(hall.people(signed=True, days=("1990-12-10", "1980-01-02")), 0, NOW)
        cards = [FORMATS["ldp_vc"].read(one.raw) for one in done]
        assert [(card.proves, card.holder) for card in cards] == [(True, None)] * 2
        assert cards[0].raw != cards[1].raw
