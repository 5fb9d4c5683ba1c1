"""Attack group W: backups that somebody changed (W18), and what was deleted (W20)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cityid.edge import recovery_code, wallet_backup
from cityid.edge.wallet_file import WalletFile
from cityid.encoding import json
from cityid.errors import CityIdError, Misuse
from tests.jobs import test_wallet_care as care
from tests.jobs.test_wallet_care import NEW, add

AT = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
PAPER = recovery_code.new()

_cheap, path, quick_age, wallet = care._cheap, care.path, care.quick_age, care.wallet


def refused(folder: Path, data: bytes, paper: str = PAPER) -> str:
    """The code with which a backup is refused; nothing is left of it."""
    before = sorted(folder.iterdir())
    with pytest.raises(CityIdError) as error:
        wallet_backup.restore(folder / "new.db", NEW, data, paper)
    assert sorted(folder.iterdir()) == before
    return error.value.code


class TestW18:
    def test_w18_a_changed_backup_another_code_and_a_cut_one(
        self,
        wallet: WalletFile,
        path: Path,
        quick_age: Any,
    ) -> None:
        add(wallet)
        data = wallet_backup.write(wallet, PAPER, AT)
        for place in (70, len(data) // 2, len(data) - 1):
            changed = bytearray(data)
            changed[place] ^= 1
            assert refused(path.parent, bytes(changed)) == "backup.not_opened"
        assert refused(path.parent, data[:-1]) == "backup.not_opened"
        assert refused(path.parent, data, recovery_code.new()) == "backup.not_opened"
        assert refused(path.parent, b"SQLite format 3\0") == "backup.not_age"
        assert refused(path.parent, data.replace(b" 18\n", b" 23\n")) == "backup.costly_kdf"
        wallet_backup.restore(path.parent / "new.db", NEW, data, PAPER).wallet.close()

    def test_w18_never_over_a_wallet_that_is_there(
        self,
        wallet: WalletFile,
        path: Path,
        quick_age: Any,
    ) -> None:
        data = wallet_backup.write(wallet, PAPER, AT)
        add(wallet)
        assert refused(path.parent, data[:-1]) == "backup.not_opened"
        with pytest.raises(Misuse) as error:
            wallet_backup.restore(path, NEW, data, PAPER)
        assert error.value.code == "store.exists"
        assert len(wallet.held()) == 1

    @pytest.mark.parametrize(
        ("change", "wanted"),
        [
            (lambda whole: whole.update(version=2), "backup.newer"),
            (lambda whole: whole.update(format="other"), "backup.content"),
            (lambda whole: whole.update(made="yesterday"), "backup.content"),
            (lambda whole: whole["records"][0].update(sort=99), "backup.content"),
            (lambda whole: whole["records"][0].update(id="zz"), "backup.content"),
            (lambda whole: whole["records"][0].update(sort=7), "backup.content"),  # two machines as one
            (lambda whole: whole["records"][0].update(content="!"), "backup.content"),
            (lambda whole: whole.pop("records"), "backup.content"),
        ],
    )
    def test_w18_content_that_is_none(
        self,
        wallet: WalletFile,
        path: Path,
        quick_age: Any,
        change: Callable[[Any], None],
        wanted: str,
    ) -> None:
        add(wallet)
        whole = json.read(quick_age.passphrase.decrypt(wallet_backup.write(wallet, PAPER, AT), PAPER))
        change(whole)
        assert refused(path.parent, quick_age.passphrase.encrypt(json.write(whole), PAPER)) == wanted

    def test_w18_copies_are_never_fresh_again(
        self,
        wallet: WalletFile,
        path: Path,
        quick_age: Any,
    ) -> None:
        """Somebody restores an old backup to show the same copies to others: each counts as used."""
        card = add(wallet)
        data = wallet_backup.write(wallet, PAPER, AT)
        wallet.reserve(card.id, AT)
        for name in ("one.db", "two.db"):
            with wallet_backup.restore(path.parent / name, NEW, data, PAPER).wallet as restored:
                assert restored.card(card.id).copies_left == 0


def on_disk(path: Path, sealed: bytes) -> bool:
    return any(sealed[40:200] in file.read_bytes() for file in path.parent.iterdir())


def test_w20_what_was_forgotten_is_in_no_file(wallet: WalletFile, path: Path) -> None:
    card = add(wallet)
    wallet.shown(wallet.reserve(card.id, AT), "library.example", [], AT)
    gone = [record.sealed for record in wallet._records.select("sort IN (1, 2, 3)", ())]
    kept = [record.sealed for record in wallet._records.select("sort = 5", ())]
    assert all(on_disk(path, blob) for blob in gone)
    wallet.forget(card.id)
    assert not any(on_disk(path, blob) for blob in gone)
    assert all(on_disk(path, blob) for blob in kept)


def test_w20_the_state_before_a_use_is_overwritten_too(wallet: WalletFile, path: Path) -> None:
    card = add(wallet)
    old = wallet._records.select("sort = 3 AND state = 0", ())[0].sealed
    wallet.reserve(card.id, AT)
    wallet._records.erase()
    assert not on_disk(path, old)
