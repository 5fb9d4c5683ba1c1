"""An old copy of the wallet's file is put back: noticed by a mark that was kept elsewhere; its copies count as used."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from cityid.edge.wallet_file import WalletFile
from cityid.edge.wallet_mark import FolderMarks, KeyringMarks, Marks, SeveralMarks
from cityid.errors import Misuse, Refused, Unavailable
from tests.jobs import test_wallet_care as care
from tests.jobs.test_wallet_care import AT, NEW, PASSPHRASE, add, code

_cheap, path = care._cheap, care.path


class Ring(dict[tuple[str, str], str]):
    """A keyring of an operating system."""

    def set_password(self, service: str, name: str, text: str) -> None:
        self[service, name] = text

    def get_password(self, service: str, name: str) -> str | None:
        return self.get((service, name))

    def delete_password(self, service: str, name: str) -> None:
        del self[service, name]


class Broken:
    def read(self, name: str) -> Sequence[bytes]:
        raise Unavailable("store.unreadable", path="marks", reason="EIO")

    def write(self, name: str, data: bytes) -> None:
        raise Unavailable("store.write", path="marks", reason="EROFS")


@pytest.fixture(params=["folder", "keyring", "several"])
def marks(request: pytest.FixtureRequest, tmp_path: Path) -> Marks:
    folder = FolderMarks(tmp_path / "state" / "marks")
    kinds: dict[str, Marks] = {
        "folder": folder,
        "keyring": KeyringMarks(Ring()),
        "several": SeveralMarks([Broken(), folder]),
    }
    return kinds[request.param]


def opened(path: Path, marks: Marks | None) -> WalletFile:
    return WalletFile.open(path, PASSPHRASE, marks=marks)


@pytest.fixture
def old(path: Path, marks: Marks) -> Path:
    """A copy of a wallet that was used twice since; the wallet itself is as it should be."""
    with WalletFile.create(path, PASSPHRASE, marks=marks) as wallet:
        card = add(wallet, copies=4)
        wallet.reserve(card.id, AT)
    kept = Path(shutil.copy(path, path.with_name("old.db")))
    with opened(path, marks) as wallet:
        assert wallet.lost_uses == 0
        for _ in range(2):
            wallet.reserve(card.id, AT)
    with opened(path, marks) as wallet:
        assert (wallet.lost_uses, wallet.held()[0].copies_left) == (0, 1)
    return kept


def test_its_copies_count_as_used(path: Path, old: Path, marks: Marks) -> None:
    shutil.copy(old, path)
    with opened(path, marks) as wallet:
        assert wallet.lost_uses == 2
        (card,) = wallet.held()
        assert card.copies_left == 0
        with pytest.raises(Refused) as error:
            wallet.reserve(card.id, AT)
        assert code(error) == "wallet.no_copy_left"
        assert wallet.reserve(card.id, AT, allow_reuse=True).again
    with opened(path, marks) as wallet:  # said once: the file is as it should be again
        assert (wallet.lost_uses, wallet.unmarked) == (0, None)
        fresh = add(wallet)
        assert not wallet.reserve(fresh.id, AT).again
    shutil.copy(old, path)
    with opened(path, marks) as wallet:
        assert wallet.lost_uses > 0


def test_it_is_not_noticed_without_a_mark(path: Path, old: Path) -> None:
    """The twin: what the marks are for."""
    shutil.copy(old, path)
    with opened(path, None) as wallet:
        assert (wallet.lost_uses, wallet.held()[0].copies_left) == (0, 3)


def test_under_another_name_or_passphrase_it_is_the_same_wallet(old: Path, path: Path, marks: Marks) -> None:
    with opened(path, marks) as wallet:
        wallet.change_passphrase(NEW)
    with opened(old, marks) as wallet:
        assert wallet.lost_uses == 2


def test_a_file_that_is_ahead_of_its_mark(path: Path, old: Path, marks: Marks) -> None:
    """The machine went down between the two, or the mark itself was put back."""
    with opened(path, None) as wallet:
        wallet.reserve(wallet.held()[0].id, AT)
    with opened(path, marks) as wallet:
        assert wallet.lost_uses == 0
    shutil.copy(old, path)
    with opened(path, marks) as wallet:
        assert wallet.lost_uses == 3


def test_a_mark_that_somebody_else_wrote(path: Path, tmp_path: Path) -> None:
    places = FolderMarks(tmp_path / "state")
    with WalletFile.create(path, PASSPHRASE, marks=places) as wallet:
        card = add(wallet)
        wallet.reserve(card.id, AT)
    (mark,) = (tmp_path / "state").iterdir()
    assert mark.stat().st_mode & 0o777 == 0o600
    for junk in (b"", b"x" * 48, mark.read_bytes()[:-1], b"x" * 1000):
        mark.write_bytes(junk)
        with opened(path, places) as wallet:
            assert (wallet.lost_uses, wallet.held()[0].copies_left) == (0, 1)
    with WalletFile.create(path.with_name("other.db"), PASSPHRASE, marks=places):
        assert len(list((tmp_path / "state").iterdir())) == 2  # each wallet has its own


def test_where_none_can_be_kept(path: Path, tmp_path: Path) -> None:
    with WalletFile.create(path, PASSPHRASE, marks=Broken()) as wallet:
        assert wallet.unmarked is not None
        card = add(wallet)
        wallet.reserve(card.id, AT)
        assert wallet.card(card.id).copies_left == 1
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    with opened(path, FolderMarks(tmp_path / "file" / "marks")) as wallet:
        assert wallet.unmarked is not None
        assert wallet.unmarked.code.startswith("store.")
    with opened(path, FolderMarks(tmp_path / "shared")) as wallet:
        assert wallet.unmarked is None
    with opened(path, FolderMarks(tmp_path / "shared")) as wallet:  # whoever may write there may put an old one back
        assert wallet.unmarked is not None
        assert wallet.unmarked.code == "store.permissions"
    with pytest.raises(Unavailable):
        SeveralMarks([Broken(), Broken()]).write("name", b"data")
    SeveralMarks([Broken(), KeyringMarks(Ring())]).write("name", b"data")


def test_a_keyring_with_another_text(path: Path) -> None:
    ring = Ring()
    with WalletFile.create(path, PASSPHRASE, marks=KeyringMarks(ring)):
        pass
    for key in ring:
        ring[key] = "no base64"
    with opened(path, KeyringMarks(ring)) as wallet:
        assert wallet.lost_uses == 0


def test_one_at_a_time_is_no_old_copy(path: Path, marks: Marks) -> None:
    """Two programs have the wallet open: neither is behind."""
    with WalletFile.create(path, PASSPHRASE, marks=marks) as one:
        card = add(one, copies=3)
        with opened(path, marks) as two:
            two.reserve(card.id, AT)
            one.reserve(card.id, AT)
        with opened(path, marks) as three:
            assert three.lost_uses == 0
    with pytest.raises(Misuse):
        one.held()
