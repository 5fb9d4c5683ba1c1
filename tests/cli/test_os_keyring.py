"""The operating system's keyring at the command line: it opens a wallet, is locked, is lost, is not there.

The backend is one in memory that passes for the system's, as the package `keyring` would find it; what the package
finds by itself is tried in processes of their own.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

from tests.cli.terminal import Terminal
from tests.cli.towns import PASSPHRASE, Town

pytestmark = pytest.mark.kdf


class InMemory(KeyringBackend):
    priority = 1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def _open(self) -> dict[tuple[str, str], str]:
        if self.locked:
            raise KeyringLocked("Failed to unlock the collection of Ada")
        return self.kept

    def get_password(self, service: str, username: str) -> str | None:
        return self._open().get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._open()[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if (service, username) not in self._open():
            raise PasswordDeleteError(username)
        del self.kept[service, username]


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemory]:
    monkeypatch.setattr(InMemory, "__module__", "keyring.backends.SecretService")
    before, made = keyring.get_keyring(), InMemory()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.fixture
def town(tmp_path: Path) -> Town:
    made = Town(tmp_path / "town")
    made.must("init wallet ada", secret=True)
    return made


LIST = "--home ada wallet list"
EMPTY = "The wallet is empty.\nhint: cityid accept OFFER\n"


def wallets(ring: InMemory) -> list[str]:
    return [name for _, name in ring.kept if name.startswith("wallet ")]


def lets(town: Town) -> None:
    said = town.must("--home ada wallet passphrase --keyring", secret=True)
    assert "The keyring of this system opens the wallet from now on" in said


class TestOpening:
    def test_without_a_passphrase_and_after_its_end_with_one(self, town: Town, ring: InMemory) -> None:
        said, status = town.type(LIST)
        assert (status, "talk.no_passphrase" in said) == (2, True)
        lets(town)
        assert wallets(ring) == [f"wallet {town.here.resolve()}/ada/wallet.sqlite"]
        assert 'unlock = "keyring"' in (town.here / "ada/wallet.toml").read_text()
        assert town.type(LIST) == (EMPTY, 0)
        assert town.type(LIST, secret=True) == (EMPTY, 0)
        (secret,) = [text for (_, name), text in ring.kept.items() if name.startswith("wallet ")]
        for file in (town.here / "ada").iterdir():
            assert secret.encode() not in file.read_bytes()
        assert "Only the passphrase opens the wallet" in town.must(
            "--home ada wallet passphrase --no-keyring", secret=True
        )
        assert wallets(ring) == []
        assert "unlock" not in (town.here / "ada/wallet.toml").read_text()
        said, status = town.type(LIST)
        assert (status, "talk.no_passphrase" in said) == (2, True)
        with closing(sqlite3.connect(town.here / "ada/wallet.sqlite")) as rows:
            assert rows.execute("SELECT count(*) FROM slots").fetchone() == (0,)

    def test_the_switch_itself_asks_for_the_passphrase(self, town: Town, ring: InMemory) -> None:
        """Whoever sits at an open screen has the keyring."""
        lets(town)
        for more in ("--keyring", "--no-keyring", ""):
            said, status = town.type(f"--home ada wallet passphrase {more}")
            assert (status, "talk.no_passphrase" in said) == (2, True)
        assert town.type(LIST) == (EMPTY, 0)

    def test_a_changed_passphrase_ends_it(self, town: Town, ring: InMemory) -> None:
        lets(town)
        town.write("new", "another horse battery\n")
        said = town.must("--home ada wallet passphrase --new-fd 4 4<new", secret=True)
        assert "The keyring of this system does not open it any more" in said
        assert town.type(LIST)[1] == 2
        assert town.type(f"{LIST} --passphrase-fd 4 4<new") == (EMPTY, 0)

    def test_another_wallet_is_not_opened_by_it(self, town: Town, ring: InMemory) -> None:
        lets(town)
        (entry,) = [key for key in ring.kept if key[1].startswith("wallet ")]
        town.must("init wallet eve", secret=True)
        home = town.here / "eve/wallet.toml"
        home.write_text(home.read_text() + 'unlock = "keyring"\n')
        assert town.type("--home eve wallet list")[1] == 2
        ring.kept[entry[0], entry[1].replace("/ada/", "/eve/")] = ring.kept[entry]  # Ada's secret, under Eve's name
        said, status = town.type("--home eve wallet list")
        assert (status, "talk.no_passphrase" in said) == (2, True)
        assert town.type("--home eve wallet list", secret=True) == (EMPTY, 0)


class TestWhatGoesWrong:
    def test_a_locked_keyring(self, town: Town, ring: InMemory) -> None:
        lets(town)
        ring.locked = True
        said, status = town.type(LIST)
        assert (status, "keyring.failed" in said, "talk.no_passphrase" in said) == (2, True, True)
        assert "Ada" not in said.replace("ada", "")
        assert town.type(LIST, secret=True) == (EMPTY, 0)  # a passphrase asks no keyring
        said, status = town.type("--home ada wallet passphrase --no-keyring", secret=True)
        assert (status, "keyring.failed" in said) == (3, True)
        ring.locked = False
        town.must("--home ada wallet passphrase --no-keyring", secret=True)
        ring.locked = True
        said, status = town.type("--home ada wallet passphrase --keyring", secret=True)
        assert (status, "keyring.failed" in said) == (3, True)
        assert "unlock" not in (town.here / "ada/wallet.toml").read_text()

    def test_at_a_terminal_the_passphrase_is_asked_instead(self, town: Town, ring: InMemory) -> None:
        lets(town)
        town.shell.env["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
        terminal = Terminal.start(["--home", "ada", "wallet", "list"], town.here, town.shell.env)
        try:
            terminal.expect("Passphrase of this wallet: ")
            terminal.wait_for_silence(echo=False)
            terminal.type(PASSPHRASE + "\n")
            assert terminal.end() == 0
            assert "keyring.none" in terminal.seen
            assert "The wallet is empty." in terminal.seen
        finally:
            terminal.close()

    @pytest.mark.parametrize("damage", ["", "no base64!", "AAAA", None])
    def test_an_entry_that_is_lost_or_damaged(self, town: Town, ring: InMemory, damage: str | None) -> None:
        lets(town)
        (entry,) = [key for key in ring.kept if key[1].startswith("wallet ")]
        kept = ring.kept.pop(entry)
        if damage is not None:
            ring.kept[entry] = damage
        said, status = town.type(LIST)
        assert (status, "talk.no_passphrase" in said) == (2, True)
        ring.kept[entry] = kept
        assert town.type(LIST) == (EMPTY, 0)

    @pytest.mark.parametrize(
        "backend", ["keyring.backends.fail.Keyring", "keyring.backends.null.Keyring", "mine.Keyring"]
    )
    def test_no_keyring_of_the_system(self, town: Town, backend: str) -> None:
        """What only the environment names is not believed: it may be a plain file."""
        (town.here / "mine.py").write_text(
            "from keyring.backend import KeyringBackend\nclass Keyring(KeyringBackend):\n    priority = 9\n"
            "    def get_password(self, service, name): return None\n"
            "    def set_password(self, service, name, text): open('stolen', 'w').write(text)\n"
            "    def delete_password(self, service, name): pass\n"
        )
        town.shell.subprocess_only = True
        town.shell.env |= {"PYTHON_KEYRING_BACKEND": backend, "PYTHONPATH": f"{town.here}:{':'.join(sys.path)}"}
        said, status = town.type("--home ada wallet passphrase --keyring", secret=True)
        assert (status, "keyring.none" in said) == (3, True), said
        assert not (town.here / "stolen").exists()
        assert "unlock" not in (town.here / "ada/wallet.toml").read_text()

    def test_without_the_package(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "keyring", None)
        said, status = town.type("--home ada wallet passphrase --keyring", secret=True)
        assert (status, "install.extra" in said, "cityid[keyring]" in said) == (3, True, True), said


@pytest.mark.slow
def test_an_old_copy_is_noticed_by_the_keyring(tmp_path: Path, ring: InMemory) -> None:
    """The marks of the folders are gone with the home folder; the keyring knows better (decision 176)."""
    town = Town(tmp_path / "town").found()
    town.takes()
    lets(town)
    file = town.here / "ada/wallet.sqlite"
    shutil.copy(file, town.here / "kept.sqlite")
    town.shows(town.asks())
    assert len([name for _, name in ring.kept if name.startswith("mark ")]) == 1
    shutil.copy(town.here / "kept.sqlite", file)
    for place in (".cache", ".local"):
        for mark in (Path(town.shell.env["HOME"]) / place).rglob("marks/*"):
            mark.unlink()
    said, status = town.type(LIST)
    assert (status, "warning: this is an old copy" in said, "0 of 10 copies left" in said) == (0, True, True), said
