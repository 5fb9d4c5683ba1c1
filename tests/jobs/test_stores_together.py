"""One card's way through the real stores: register, sessions and wallet in files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cityid.edge.database import SqliteRegister, SqliteSessions
from cityid.edge.wallet_file import WalletFile
from cityid.errors import CityIdError, Refused, Unavailable
from cityid.register import State
from tests.jobs.offices import NOW, Office

pytestmark = pytest.mark.kdf


@dataclass
class Town:
    office: Office
    register: SqliteRegister
    sessions: SqliteSessions
    wallet: Any  # the walks of tests.jobs.offices name the wallet in memory
    folder: Path


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    register, sessions = SqliteRegister(tmp_path / "register.db"), SqliteSessions(tmp_path / "sessions.db")
    stores: Any = {"register": register, "sessions": sessions}
    with WalletFile.create(tmp_path / "wallet.db", "a passphrase") as wallet:
        yield Town(Office(**stores), register, sessions, wallet, tmp_path)
    register.close()
    sessions.close()


def test_offered_taken_and_held(town: Town) -> None:
    offer = town.office.offer()
    (row,) = town.register.rows()
    assert row.state is State.OFFERED
    cards = town.office.cards(offer, town.wallet)
    card = town.office.accept(cards, town.wallet)
    assert town.wallet.held() == (card,)
    assert town.wallet.pending() == ()
    assert card.credential.claims["given_name"] == "Ada"
    row = town.register.find(row.number)
    assert row.state is State.ISSUED
    assert set(row.holders) == {key.thumbprint for key in town.wallet.keyring.keys()}  # noqa: SIM118  # a keyring's keys, no mapping's
    assert card.copies_left == len(row.holders)
    stored = b"".join(file.read_bytes() for file in town.folder.iterdir())
    assert b"Lovelace" not in stored
    assert "Maximilianstraße".encode() not in stored


def test_a_second_acceptance_stores_nothing(town: Town) -> None:
    cards = town.office.cards(town.office.offer(), town.wallet)
    town.office.accept(cards, town.wallet)
    with pytest.raises(Refused):
        town.office.accept(cards, town.wallet)
    assert len(town.wallet.held()) == 1


def test_an_offer_that_lapsed(town: Town) -> None:
    offer = town.office.offer()
    with pytest.raises(CityIdError):
        town.office.cards(offer, town.wallet, NOW + timedelta(days=400))
    assert [row.state for row in town.register.rows()] == [State.OFFERED]


def test_a_register_that_does_not_answer(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is signed and the code is not lost: the same request is answered when the register is back."""
    from cityid import accepting
    from cityid.edge import sqlite

    request = accepting.begin(town.office.offer(), town.wallet, NOW)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "BUSY", 0.05)
        blocker = SqliteRegister(town.folder / "register.db")
        town.register.close()  # so that its next connection has the short patience
        with blocker.batch("somebody", "long", NOW), pytest.raises(Unavailable) as error:
            town.office.issuer.answer(request, at=NOW)
        blocker.close()
    assert error.value.code == "store.busy"
    card = town.office.accept(town.office.issuer.answer(request, at=NOW), town.wallet)
    assert town.wallet.held() == (card,)
