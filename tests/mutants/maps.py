"""Which tests ran which lines, as a coverage data file says."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.finding import TREE, Mutant

FEW = 40


@dataclass
class Map:
    """file -> line -> the tests that ran it; and how much each test runs, as a measure of how quick it is."""

    lines: dict[str, dict[int, set[str]]]
    weight: dict[str, int]

    def tests(self, file: str, lines: frozenset[int]) -> list[str]:
        found = set().union(*(self.lines.get(file, {}).get(line, set()) for line in lines))
        return sorted(found, key=lambda test: (self.weight[test], test))

    def rounds(self, mutant: Mutant) -> list[list[str]]:
        """The tests to ask, a few at a time: collecting thousands for a mutant that the first one notices is waste."""
        near, all_ = self.tests(mutant.file, mutant.no), self.tests(mutant.file, mutant.lines)
        near = near[:FEW]
        far = [test for test in all_ if test not in set(near)]
        return [tests for tests in (near, far[:FEW], far[FEW : 8 * FEW], far[8 * FEW :]) if tests]


def read_map(data: Path) -> Map:
    """A coverage data file written with --cov-context=test."""
    from coverage import CoverageData
    from coverage.numbits import numbits_to_nums

    CoverageData(str(data)).read()
    lines: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    weight: dict[str, int] = defaultdict(int)
    with contextlib.closing(sqlite3.connect(data)) as connection:
        names = {number: _test(name) for number, name in connection.execute("select id, context from context")}
        paths = {number: _in_tree(path) for number, path in connection.execute("select id, path from file")}
        for table in ("line_bits", "arc"):
            if table == "line_bits":
                rows = [
                    (file, context, set(numbits_to_nums(bits)))
                    for file, context, bits in connection.execute("select file_id, context_id, numbits from line_bits")
                ]
            else:
                grouped: dict[tuple[int, int], set[int]] = defaultdict(set)
                for file, context, start, end in connection.execute(
                    "select file_id, context_id, fromno, tono from arc"
                ):
                    grouped[file, context] |= {number for number in (start, end) if number > 0}
                rows = [(file, context, numbers) for (file, context), numbers in grouped.items()]
            for file, context, numbers in rows:
                test, path = names[context], paths[file]
                if not test or not path:
                    continue
                weight[test] += len(numbers)
                for number in numbers:
                    lines[path][number].add(test)
    return Map({file: dict(found) for file, found in lines.items()}, dict(weight))


def _test(context: str) -> str:
    return context.partition("|")[0]


def _in_tree(path: str) -> str:
    """The file of the tree that was measured, also where it was installed; "" for another."""
    for folder, place in (("/_cli/", "cli/"), ("/cli/", "cli/"), ("/cityid/", "cityid/")):
        _, found, rest = f"/{path}".rpartition(folder)
        if found:
            return place + rest
    return ""


def fresh(data: Path) -> bool:
    if not data.exists():
        return False
    sources = [*(TREE / "cityid").rglob("*.py"), *(TREE / "tests").rglob("*.py")]
    return all(source.stat().st_mtime <= data.stat().st_mtime for source in sources)


def make_map(slot: Path, environment: Mapping[str, str], jobs: int) -> Path:
    print("no coverage map that is newer than the source: running the tests once", flush=True)
    data = TREE / ".mutants" / "coverage"
    data.parent.mkdir(exist_ok=True)
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "pytest", "-n", str(jobs), "-q", "-p", "no:cacheprovider"),
            *("-m", "not interop", "--cov", "--cov-context=test", "--cov-report="),
            # these judge how the tree is laid out, which a slot is not
            *("--ignore=tests/spec/test_packaging.py", "--ignore=tests/test_contracts.py"),
        ],
        cwd=slot,
        env={**environment, "COVERAGE_FILE": str(data)},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(done.stdout[-1500:])
    if done.returncode != 0:
        data.unlink(missing_ok=True)
        sys.exit("mutants: the tests do not pass as they are")
    return data
