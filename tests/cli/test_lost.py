"""Files of a home that were lost or emptied: told, and never made anew in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.towns import Town

pytestmark = pytest.mark.kdf

STORES = {
    "city/register.sqlite": ("--home city issue residency --claims ada.json --yes --force -o new.offer", True),
    "city/offers.sqlite": ("--home city issue residency --claims ada.json --yes --force -o new.offer", True),
    "library/sessions.sqlite": ("--home library request --policy library/policies/card.toml --force -o new.r", False),
    "ada/wallet.sqlite": ("--home ada wallet list", True),
    "city/keys.sealed": ("--home city key list", True),
}


@pytest.fixture
def away(town: Town) -> Callable[[str], Path]:
    """Puts a file away; where to."""

    def put(name: str) -> Path:
        kept = town.here / f"{name}.kept"
        (town.here / name).rename(kept)
        for beside in town.here.glob(f"{name}-*"):
            beside.unlink()
        return kept

    return put


@pytest.mark.parametrize("name", STORES)
def test_lost(town: Town, away: Callable[[str], Path], name: str) -> None:
    command, secret = STORES[name]
    kept = away(name)
    try:
        said, status = town.type(command, secret=secret)
        assert status == 3, said
        assert f"error: {name} is not there" in said
        assert "store.missing" in said
        assert not (town.here / name).exists()
    finally:
        kept.rename(town.here / name)
    said, status = town.type(command, secret=secret)
    assert status == 0, said


def test_no_key_signs_without_the_document(town: Town, away: Callable[[str], Path]) -> None:
    kept = away("city/did.json")
    command = "--home city issue residency --claims ada.json --yes --force -o new.offer"
    try:
        said, status = town.type(command, secret=True)
        assert (said.splitlines()[:2], status) == (
            [
                "error: city/did.json, the DID document that this city publishes, is not there",
                "  issue.no_document",
            ],
            2,
        )
        said, status = town.type("--home city issue --answer residency.request -o late.cards", secret=True)
        assert status == 2, said
        assert "issue.no_document" in said
        assert not (town.here / "late.cards").exists()
    finally:
        kept.rename(town.here / "city/did.json")
    town.must(command, secret=True)


@pytest.mark.parametrize("name", [name for name in STORES if name.endswith(".sqlite")])
def test_emptied(town: Town, away: Callable[[str], Path], name: str) -> None:
    command, secret = STORES[name]
    kept = away(name)
    try:
        (town.here / name).touch(0o600)
        said, status = town.type(command, secret=secret)
        assert status == 3, said
        assert "store.damaged" in said
    finally:
        kept.replace(town.here / name)
