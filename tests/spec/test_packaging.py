"""The wheel holds what the tree holds, under one top-level name, and its command works from anywhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.paths import TREE

pytestmark = pytest.mark.slow
SHIPPED_DATA = {".json", ".toml", ".csv"}


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The file names in a wheel built from a copy of the tree (a build leaves things behind)."""
    copy = tmp_path_factory.mktemp("tree") / "cityid"
    copy.mkdir()
    for name in ("cityid", "cli", "schemas"):
        shutil.copytree(TREE / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(TREE / name, copy)
    build = "from setuptools import build_meta; build_meta.build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=copy, check=True, capture_output=True)
    (wheel,) = copy.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


def in_tree(folder: str, suffixes: set[str]) -> set[str]:
    root = TREE / folder
    return {
        str(file.relative_to(root))
        for file in root.rglob("*")
        if file.is_file() and file.suffix in suffixes and "__pycache__" not in file.parts
    }


def test_the_wheel_holds_the_tree(names: set[str]) -> None:
    expected = (
        {f"cityid/{name}" for name in in_tree("cityid", {".py", ".typed", ".sql"})}
        | {f"cityid/_cli/{name}" for name in in_tree("cli", {".py"})}
        | {f"cityid/_schemas/{name}" for name in in_tree("schemas", {".py"} | SHIPPED_DATA)}
    )
    pages = {name for name in names if name.startswith("cityid/edge/pages/")}
    packaged = {name for name in names if ".dist-info/" not in name}
    assert packaged - pages == expected - pages
    assert "cityid/py.typed" in packaged


def test_one_top_level_name(names: set[str]) -> None:
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"cityid"}


def test_folders_of_the_library_are_packages() -> None:
    for folder in ("cityid", "cli", "schemas"):
        for file in (TREE / folder).rglob("*.py"):
            assert (file.parent / "__init__.py").exists(), f"{file.parent} is no package and would not be shipped"


def test_the_command_works_from_the_root(tmp_path: Path) -> None:
    command = Path(sys.executable).parent / "cityid"
    if not command.exists():
        pytest.skip("cityid is not installed beside this interpreter")
    done = subprocess.run(
        [command, "--help"],
        cwd="/",
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"issue" in done.stdout


def test_no_name_of_ours_beside_the_package() -> None:
    script = "import importlib.util as u; print(u.find_spec('cli'), u.find_spec('schemas'))"
    done = subprocess.run([sys.executable, "-P", "-c", script], cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "None"]


def test_no_file_is_longer_than_a_reader() -> None:
    """HOUSE 2: nothing over 500 lines; the only exemption is a reason in its first lines (`long because ...`)."""
    for folder in ("cityid", "cli"):
        for file in (TREE / folder).rglob("*.py"):
            lines = file.read_text(encoding="utf-8").splitlines()
            assert len(lines) <= 500 or "long because" in "\n".join(lines[:20]), f"{file}: {len(lines)} lines"
