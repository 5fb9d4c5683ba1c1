"""The wallet's file, put back from a copy: said when it is opened, and nothing in it is shown as if it were fresh."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cityid.edge.messages import explain
from cityid.errors import Problem
from tests.cli.towns import SHOW, Town

pytestmark = pytest.mark.kdf


@pytest.fixture
def town(tmp_path: Path) -> Town:
    made = Town(tmp_path / "town").found()
    made.takes()
    return made


def shown(town: Town, name: str, more: str = "") -> tuple[str, int]:
    return town.type(f"--home ada present {name}.json {SHOW} -o {name}.answer {more}", secret=True)


def test_an_old_copy_of_the_file(town: Town) -> None:
    home = Path(town.shell.env["HOME"])
    file = town.here / "ada" / "wallet.sqlite"
    shown(town, town.asks())
    shutil.copy(file, town.here / "kept.sqlite")
    assert shown(town, town.asks())[1] == 0
    marks = sorted(home.rglob("marks/*"))
    assert [mark.relative_to(home).parts[:-1] for mark in marks] == [
        (".cache", "cityid", "marks"), (".local", "state", "cityid", "marks"),
    ]  # fmt: skip
    shutil.copy(town.here / "kept.sqlite", file)
    marks[0].unlink()  # one place will do
    said = town.must("--home ada wallet list", secret=True)
    told = explain(Problem("wallet.rolled_back", {"uses": 1}))
    assert f"warning: {told.text}\nhint: {told.hint}\n" in said
    assert "0 of 10 copies left" in said
    name = town.asks()
    said, status = shown(town, name)
    assert (status, "wallet.no_copy_left" in said, "warning" in said) == (1, True, False), said
    said, status = shown(town, name, "--again")
    assert (status, "LINKABLE" in said) == (0, True), said
    assert town.judge(name)[1] == 0


def test_where_nothing_can_be_kept(town: Town) -> None:
    home = Path(town.shell.env["HOME"])
    for folder in (".cache", ".local"):
        shutil.rmtree(home / folder)
        (home / folder).write_bytes(b"")
    said = town.must("--home ada wallet list", secret=True)
    assert f"note: {explain(Problem('wallet.unmarked', {'why': 'store.write'})).text}\n" in said
    env, elsewhere = dict(town.shell.env), town.here / "elsewhere"
    town.shell.env["XDG_STATE_HOME"] = str(elsewhere)
    assert "note:" not in town.must("--home ada wallet list", secret=True)
    assert len(list(elsewhere.rglob("marks/*"))) == 1
    town.shell.env.clear()
    town.shell.env.update(env | {"XDG_STATE_HOME": "relative"})
    assert "note:" in town.must("--home ada wallet list", secret=True)
    assert not (town.here / "relative").exists()
