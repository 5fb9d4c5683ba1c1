"""Where a mutant is tried: in a copy of the tree, in a forked process that has pytest loaded already."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.mutants.finding import TREE

SECONDS = 30


def make_slot(parent: Path, number: int) -> Path:
    """A copy of the tree, laid out so that `cityid._cli` and `cityid._schemas` are found without installing."""
    slot = parent / f"slot{number}"
    slot.mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=TREE,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in listed.split("\0"):
        if name and (TREE / name).is_file():
            (slot / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TREE / name, slot / name)
    (slot / "cityid" / "_cli").symlink_to("../cli")
    (slot / "cityid" / "_schemas").symlink_to("../schemas")
    # checked by content, so that a mutated file is never taken for its original
    subprocess.run(
        [
            sys.executable,
            "-m",
            "compileall",
            "-q",
            "--invalidation-mode",
            "checked-hash",
            slot / "cityid",
            slot / "cli",
        ],
        check=True,
    )
    return slot


def slot_environment(slot: Path) -> dict[str, str]:
    vectors = os.environ.get("CITYID_VECTORS") or str(TREE.parent / "shared" / "vectors")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE"))},
        "PYTHONPATH": str(slot),
        "PYTHONDONTWRITEBYTECODE": "1",
        "CITYID_VECTORS": vectors,
        # tests that read the source rather than run it must not find the mutant that way
        "CITYID_TREE": str(TREE),
        "HYPOTHESIS_PROFILE": "mutants",
    }


def preload() -> None:
    """Load once what every forked process needs, and nothing of ours."""
    import hypothesis  # noqa: F401  # to be in memory
    import pytest  # noqa: F401  # to be in memory

    for name in (
        "_pytest.assertion.rewrite",
        "cryptography.hazmat.primitives.asymmetric.ec",
        "cryptography.hazmat.primitives.serialization",
        "cryptography.x509",
        "nacl.bindings",
        "base58",
        "jsonschema",
        "referencing",
        "typer",
        "rich.console",
        "httpx2",
        "sqlite3",
        "rfc8785",
        "sd_jwt.issuer",
        "hypothesis.strategies",
        "hypothesis.internal.conjecture.engine",
    ):
        with contextlib.suppress(ImportError):
            __import__(name)
    assert not any(name == "cityid" or name.startswith("cityid.") for name in sys.modules)


class OneAtATime:
    """A pytest plugin: only the chosen tests, in the chosen order, each with an alarm."""

    def __init__(self, tests: Sequence[str], noticed: Path) -> None:
        self.order = {test: number for number, test in enumerate(tests)}
        self.noticed = noticed
        noticed.unlink(missing_ok=True)

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self.order), key=lambda item: self.order[item.nodeid]
        )

    def pytest_runtest_setup(self) -> None:
        signal.alarm(SECONDS)

    def pytest_runtest_teardown(self) -> None:
        signal.alarm(0)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.noticed.write_text(report.nodeid, encoding="utf-8")


def child(slot: Path, tests: Sequence[str], log: Path) -> None:
    """In a forked process: run the tests in the slot, leave with pytest's status."""
    status = 70
    try:
        os.setsid()
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        signal.signal(signal.SIGALRM, lambda *_: os._exit(9))
        os.environ.update(slot_environment(slot))
        os.chdir(slot)
        sys.path[:] = [str(slot), *(path for path in sys.path if path not in ("", str(TREE), str(TREE / "tests")))]
        sys.dont_write_bytecode = True
        for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
            del sys.modules[name]  # ours, not the slot's
        import pytest

        arguments = sorted({test.partition("::")[0] for test in tests})
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov", "--no-header", "--tb=line"]
        # hypothesis is loaded before pytest could rewrite its assertions, on purpose
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        status = int(pytest.main([*options, *arguments], plugins=[OneAtATime(tests, log.with_suffix(".noticed"))]))
    except BaseException as fault:  # a forked process must never return into its parent's code
        os.write(2, repr(fault).encode())
    finally:
        os._exit(status)
