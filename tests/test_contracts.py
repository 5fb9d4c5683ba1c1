"""The import contracts hold, and notice when they do not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import TREE

# (the room that gets a forbidden import, the import, the contract that must break)
FORBIDDEN = [
    ("cityid/keys/__init__.py", "import cityid.jose", "Layers of the house"),
    ("cityid/encoding/__init__.py", "import cityid.keys", "Layers of the house"),
    ("cityid/credential.py", "import socket", "Only the edge"),
    ("cityid/encoding/__init__.py", "def f():\n    import sqlite3", "Only the edge"),
    ("cityid/plan.py", "import asyncio", "Only the edge"),
    ("cityid/errors.py", "import typer", "does not know its command line"),
    ("cityid/errors.py", "import cli", "does not know its command line"),
    ("cityid/helpers.py", "", "Layers of the house"),
]


def lint(tree: Path) -> tuple[int, str]:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("cityid", "cli"):
        shutil.copytree(TREE / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TREE / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_house_stands(copy: Path) -> None:
    status, said = lint(copy)
    assert status == 0, said


@pytest.mark.parametrize(("file", "added", "contract"), FORBIDDEN, ids=lambda value: str(value).split("/")[-1][:40])
def test_a_forbidden_import_is_found(copy: Path, file: str, added: str, contract: str) -> None:
    with (copy / file).open("a", encoding="utf-8") as source:
        source.write(f"\n{added}\n")
    status, said = lint(copy)
    assert status != 0
    broken = [line for line in said.splitlines() if " BROKEN" in line]
    assert len(broken) == 1, said
    assert contract in broken[0], said
