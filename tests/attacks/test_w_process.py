"""Attack group W: what a process with an open wallet leaves behind, and to whom (W12, W15, W23)."""

from __future__ import annotations

import faulthandler
import io
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from cityid._cli import talk
from cityid._cli.state import STATE

from cityid.edge import sealed
from cityid.edge.wallet_file import WalletFile
from cityid.edge.wallet_records import Sort
from cityid.encoding import base64url, json
from cityid.errors import CityIdError, Misuse
from tests.cli.towns import PASSPHRASE, SHOW, Town

pytestmark = pytest.mark.kdf

CRASH = """
import os, sys
from cityid._cli import main
from cityid.edge import no_dumps
from cityid.edge.wallet_file import WalletFile
if sys.argv[1] == "unprotected":
    no_dumps.forbid = lambda: None
WalletFile.held = lambda *_, **__: os.abort()
main.run(["--home", "ada", "wallet", "list", "--passphrase-fd", "0"])
"""
STATES = """
import ctypes, resource
from cityid._cli import main
def state():
    return resource.getrlimit(resource.RLIMIT_CORE)[0] == 0, ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0
before = state()
main.run(["--home", "ada", "trust", "list", "--json"])
print(before, state(), file=__import__("sys").stderr)
"""


def python(town: Town, script: str, *words: str, before: str = "") -> subprocess.CompletedProcess[bytes]:
    env = {**town.shell.env, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = ["bash", "-c", f'{before or ":"}; exec "$@" <pass', "bash", sys.executable, "-c", script, *words]
    return subprocess.run(command, cwd=town.here, env=env, capture_output=True, timeout=60, check=False)


@pytest.fixture
def cores(town: Town) -> Iterator[Path]:
    yield town.here
    for core in town.here.glob("core*"):
        core.unlink()


@pytest.mark.skipif(sys.platform != "linux", reason="core dumps as Linux has them")
class TestW12:
    def test_w12_a_crash_leaves_no_core(self, town: Town, cores: Path) -> None:
        unlimited = "ulimit -c unlimited"
        done = python(town, CRASH, "protected", before=unlimited)
        assert done.returncode == -6, done.stderr
        assert not list(cores.glob("core*"))
        done = python(town, CRASH, "unprotected", before=unlimited)
        assert done.returncode == -6, done.stderr
        found = list(cores.glob("core*"))
        if not found:
            pytest.skip(
                "this system keeps no core dumps in the current folder: the twin is test_w12_both_ways_are_shut"
            )
        with found[0].open("rb") as core:
            assert core.read(4) == b"\x7fELF"

    def test_w12_both_ways_are_shut(self, town: Town) -> None:
        """A limit of zero, and not dumpable for programs that take dumps from the kernel."""
        done = python(town, STATES, before="ulimit -S -c $(ulimit -H -c)")
        before, after = done.stderr.decode().strip().splitlines()[-1].split(") (")
        assert after == "True, True)"
        assert before.endswith("False")


FAULTS = {
    "keys": "cityid.edge.signers:SoftwareSigner.sign",
    "sealing": "cityid.edge.sealed:seal",
    "derivation": "cityid.edge.sealed:derive",
    "the store": "cityid.edge.wallet_records:Records.open",
    "the wallet": "cityid.edge.wallet_file:WalletFile.reserve",
    "JSON": "cityid.encoding.json:write",
    "the job": "cityid.presenting:present",
}


@pytest.fixture(scope="module")
def canaries(town: Town) -> dict[str, str]:
    """What must be in no output, by what it is. The copies that are shown here are not those of other tests."""
    town.takes()
    with WalletFile.open(town.here / "ada" / "wallet.sqlite", PASSPHRASE) as wallet:
        return secrets_of(wallet)


def secrets_of(wallet: WalletFile) -> dict[str, str]:
    key = bytes(wallet._records._data_key)
    found = {
        "passphrase": PASSPHRASE, "data key": key.hex(), "data key, written": repr(key)[2:-1], "name": "Lovelace",
        "street": "Maximilianstra",
    }  # fmt: skip
    for number, record in enumerate(wallet._records.select("sort = ?", (Sort.KEY,))):
        secret = json.read_object(wallet._records.content(record))["secret"]
        found[f"key {number}"] = secret
        found[f"key {number}, written"] = repr(base64url.decode(secret))[2:-1]
    return found


def leaked(canaries: dict[str, str], said: str) -> list[str]:
    return [what for what, canary in canaries.items() if canary in said]


class TestW15:
    @pytest.mark.parametrize("layer", FAULTS)
    def test_w15_a_fault_tells_no_secret(
        self, town: Town, canaries: dict[str, str], layer: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """In each layer an exception whose text is all that it was given, with --debug, every log on, and a dump of
        all stacks."""
        logged = io.StringIO()
        handler = logging.StreamHandler(logged)
        logging.getLogger().addHandler(handler)
        monkeypatch.setattr(logging.getLogger(), "level", 0)
        module, _, name = FAULTS[layer].rpartition(":")
        *path, last = name.split(".")
        owner: Any = import_module(module)
        for part in path:
            owner = getattr(owner, part)

        def fault(*given: object, **named: object) -> None:
            with (tmp_path / "stacks").open("w") as stacks:
                faulthandler.dump_traceback(stacks)
            raise RuntimeError(
                f"{given} {named} {[bytes(one) for one in given if isinstance(one, bytes)]} {PASSPHRASE}"
            )

        question = town.asks()
        command = f"--debug --home ada present {question}.json --again {SHOW} -o {question}.answer"
        with monkeypatch.context() as patch:
            patch.setattr(owner, last, classmethod(fault) if layer == "the store" else fault)
            said, status = town.type(command, secret=True)
        assert status == 70
        assert "this is a fault of cityid (RuntimeError)" in said
        assert "in fault" in said
        stacks = (tmp_path / "stacks").read_text()
        assert "in fault" in stacks
        assert not leaked(canaries, said + stacks + logged.getvalue())
        # the twin: without the fault the answer goes out, and these canaries are where they belong
        said, status = town.type(command, secret=True)
        assert status == 0
        logging.getLogger().removeHandler(handler)
        assert not leaked(canaries, said + logged.getvalue())

    def test_w15_as_python_says_the_most(self, town: Town, canaries: dict[str, str]) -> None:
        done = subprocess.run(
            ["bash", "-c", "cityid --debug --home ada wallet show none --passphrase-fd 3 3<pass"],
            cwd=town.here,
            env={**town.shell.env, "PYTHONDEVMODE": "1", "PYTHONFAULTHANDLER": "1", "PYTHONVERBOSE": "1"},
            capture_output=True,
            timeout=60,
            check=False,
        )
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.returncode == 1
        assert "wallet.unknown_card" in said
        assert not leaked(canaries, said)

    def test_w15_a_monitor_that_keeps_local_variables(self, town: Town, canaries: dict[str, str], path: Path) -> None:
        """As error monitors do it: the frames of what leaves the library, with the values of their variables."""

        def kept(place: Path, typed: str) -> str:
            with pytest.raises(CityIdError) as error:
                WalletFile.open(place, typed)
            seen = traceback.TracebackException.from_exception(error.value, capture_locals=True)
            return "".join(str(frame.locals) for frame in seen.stack if "/edge/" in frame.filename)

        with closing(sqlite3.connect(path)) as damaged:
            damaged.execute("UPDATE records SET version = 7")
            damaged.commit()
        for place, typed in ((path, PASSPHRASE), (town.here / "ada" / "wallet.sqlite", PASSPHRASE + "x")):
            said = kept(place, talk.Secret(typed))
            assert "Secret(" in said
            assert not leaked(canaries, said)
            assert leaked(canaries, kept(place, typed)) == ["passphrase"]  # the twin: a plain text is shown


@pytest.fixture
def path(town: Town, tmp_path: Path) -> Path:
    return Path(shutil.copy(town.here / "ada" / "wallet.sqlite", tmp_path / "wallet.sqlite"))


class TestW23:
    def test_w23_a_command_forgets_what_it_opened(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        """An open wallet lives as long as its command: there is no agent, and no time after which it would close."""
        opened: list[WalletFile] = []
        enter = WalletFile.__enter__

        def seen(wallet: WalletFile) -> WalletFile:
            opened.append(wallet)
            assert len(wallet._records._data_key) == 32
            return enter(wallet)

        monkeypatch.setattr(WalletFile, "__enter__", seen)
        for command, status in (("wallet list", 0), ("wallet show none", 1)):
            assert town.type(f"--home ada {command}", secret=True)[1] == status
        assert len(opened) == 2
        for wallet in opened:
            records = wallet._records
            assert [records._key, records._mac_key, records._name_key, records._data_key] == [b""] * 4
            with pytest.raises(Misuse) as error:
                wallet.held()
            assert error.value.code == "wallet.closed"
        assert STATE.known == {}

    def test_w23_a_secret_does_not_show_itself(self) -> None:
        for secret in (sealed.Secret(b"canary"), sealed.normalise("canary canary"), talk.Secret("canary")):
            assert "canary" not in f"{secret!r} {[secret]}"
            assert secret[:6] in (b"canary", "canary")
        assert "canary" not in str(sealed.Secret(b"canary"))
