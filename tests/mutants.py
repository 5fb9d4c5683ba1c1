"""Removes one check at a time, and expects a test to notice: `make mutants`.

What is removed, found by AST in the files of SCOPE:

- `raise Malformed|Refused(...)`, also through a helper that returns or raises one: the statement goes;
- `yield failed(...)`, `return failed(...)`, `found.append(failed(...))`, also of `undecided` and of a bare `Problem`,
  also through a helper that returns one: the statement goes; of an `if` expression the branch that does not fail stays;
- a comparison that decides over one of these (the test of its `if`): one operand of `and`/`or` goes, one link
  of `a < b < c` goes, a lone comparison is turned round.

Each mutant is tried on a copy of the tree, in a forked process that has pytest loaded already. Which tests are tried
comes from a coverage map (which test ran which line): `--map FILE`, else `.coverage` of `make coverage` if it is newer
than the source, else the suite is run once. First come the tests that ran the very line that says no, then the others
that ran the line of the mutant, the small ones before the large; a test that did not run the line cannot notice. A
mutant that all of them let live is a survivor. A test that takes `SECONDS` counts as having noticed.

    python -P tests/mutants.py    60 mutants: on lines changed since the last tag, the rest drawn by commit hash
    python -P tests/mutants.py --all | --changed-since REV | --only cityid/jose | --list

(-P, because tests/typing must not stand in for the library's typing.)
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parents[1]
SCOPE = (
    "cityid/encoding",
    "cityid/keys",
    "cityid/jose",
    "cityid/log",
    "cityid/cose",
    "cityid/did",
    "cityid/formats",
    "cityid/trust",
    "cityid/query",
    "cityid/presenting",
    "cityid/verifying",
    "cityid/status",
    "cityid/credential_type",
    "cityid/accepting",
    "cityid/cards",
    "cityid/issuing",
    "cityid/policy",
    "cityid/edge/log_files",
    "cityid/edge/register_log",
    "cityid/edge/http",
    "cityid/edge/http_async",
    "cityid/edge/http_cache",
    "cityid/edge/recorded",
    "cityid/edge/sealed",
    "cityid/clerks",
    "cityid/register",
    "cityid/edge/city_secret",
    "cityid/edge/database",
    "cityid/edge/postgres",
    "cityid/edge/register_batch",
    "cityid/edge/register_rows",
    "cityid/edge/register_store",
    "cityid/edge/sql",
    "cityid/edge/status_files",
    "cityid/edge/software_keys",
    "cityid/edge/wallet_file",
    "cityid/edge/wallet_records",
    "cityid/edge/wallet_keyring",
    "cityid/edge/wallet_backup",
    "cityid/edge/recovery_code",
    "cityid/edge/pkcs11",
)  # folders, or files without their .py
# Where another exception says no as well: what the guarded fetcher will not do and what a damaged or downgraded file
# is, and what a service may not write into its own files.
ALSO = {"cityid/edge/": "Unavailable", "cityid/policy": "Misuse", "cityid/trust/file": "Misuse"}
DRAWN = 60
SECONDS = 30
FEW = 40
NO = {"Malformed", "Refused", "malformed", "refused"}
FAILED = {"failed", "undecided", "Problem"}

# Mutants that behave exactly as the original: (file, the line as it stands, what was done) -> why no test can notice.
EQUIVALENT: Mapping[tuple[str, str, str], str] = {
    ("cityid/encoding/json.py", "if not text.isascii() and _SURROGATE.search(text):", "`not text.isascii()` removed"): (
        "the search alone decides; ASCII texts are spared it"
    ),
}


OWED = Path(__file__).with_name("mutants_owed.txt")


def known_to_survive() -> frozenset[tuple[str, str, str]]:
    """Mutants that live until somebody writes their test: listed, told in every run, and only new ones fail."""
    lines = OWED.read_text("utf-8").splitlines() if OWED.exists() else []
    found = (line.split(" | ", 2) for line in lines if line and not line.startswith("#"))
    return frozenset((file, what, code) for file, what, code in found)


@dataclass(frozen=True)
class Mutant:
    file: str
    line: int
    what: str
    source: str  # of the whole mutated file
    code: str  # the line as it stands
    lines: frozenset[int]  # whose tests are asked
    no: frozenset[int]  # the lines that say no, whose tests are asked first

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{self.file}|{self.code}|{self.what}".encode()).hexdigest()[:12]


# --- finding --------------------------------------------------------------------------------------------------------


def files() -> list[str]:
    found: list[Path] = []
    for name in SCOPE:
        path = TREE / name
        path = path if path.exists() else path.with_suffix(".py")
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.exists() else []
    return [str(path.relative_to(TREE)) for path in found]


def _called(node: ast.AST | None) -> str:
    if isinstance(node, ast.Call):
        return _called(node.func)
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _helpers(trees: Sequence[ast.Module]) -> tuple[set[str], set[str], set[str]]:
    """Names of functions that return one of the two exceptions, that always raise one, that return a failed check."""
    returning, raising, failing = set(NO), set(), set(FAILED)
    for tree in trees:
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef) or node.returns is None:
                continue
            returned = ast.unparse(node.returns).strip("'\"")
            if returned in ("Malformed", "Refused", "CityIdError", "Malformed | Refused"):
                returning.add(node.name)
            if returned == "NoReturn" and not node.name.startswith("__"):
                raising.add(node.name)
            if returned == "Problem" and not node.decorator_list:
                failing.add(node.name)
    return returning, raising, failing


class Finder:
    """The mutants of one file."""

    def __init__(self, file: str, source: str, returning: set[str], raising: set[str], failing: set[str]) -> None:
        self.file, self.source = file, source
        self.text = source.splitlines()
        self.raising, self.failing = raising, failing
        self.returning = returning | {name for place, name in ALSO.items() if file.startswith(place)}
        self.tree = ast.parse(source)
        self.original = ast.unparse(self.tree)
        self.seen: set[str] = {self.original}
        self.no: frozenset[int] = frozenset()

    def _is_failed(self, node: ast.AST | None) -> bool:
        if _called(node) in self.failing:
            return True
        return _called(node) == "Check" and "Outcome.FAILED" in ast.unparse(node or ast.Pass())

    def is_no(self, statement: ast.stmt) -> bool:
        """Whether the statement says no."""
        match statement:
            case ast.Raise(exc=exc):
                return _called(exc) in self.returning
            case ast.Expr(value=ast.Yield(value=value)) | ast.Return(value=value) | ast.Assign(value=value):
                return self._is_failed(value) or (isinstance(value, ast.IfExp) and self._branches(value) is not None)
            case ast.Expr(value=ast.Call() as call):
                return _called(call) in self.raising or any(self._is_failed(argument) for argument in call.args)
        return False

    def _branches(self, node: ast.IfExp) -> ast.expr | None:
        """The branch that does not fail, where the other does."""
        if self._is_failed(node.body) != self._is_failed(node.orelse):
            return node.orelse if self._is_failed(node.body) else node.body
        return None

    def find(self) -> Iterator[Mutant]:
        for path, owner, name, index in self._statements():
            statement = getattr(owner, name)[index]
            if self.is_no(statement):
                value = statement.value.value if isinstance(getattr(statement, "value", None), ast.Yield) else None
                value = value or getattr(statement, "value", None)
                if isinstance(value, ast.IfExp):
                    yield from self._replaced(
                        path, value, self._branches(value), "only the good branch stays", statement
                    )
                    yield from self._tests(path, value.test, statement)
                else:
                    yield from self._removed(path, owner, name, index)
            if isinstance(statement, ast.If) and (no := self._noes([*statement.body, *statement.orelse])):
                self.no = no
                yield from self._tests(path, statement.test, statement)
            if isinstance(statement, ast.Match):
                for case in statement.cases:
                    if case.guard is not None and (no := self._noes(case.body)):
                        self.no = no
                        yield from self._tests(path, case.guard, statement)
            self.no = frozenset()

    def _noes(self, body: Sequence[ast.stmt]) -> frozenset[int]:
        """The lines on which the body says no."""
        noes = [statement for statement in body if self.is_no(statement)]
        return frozenset(
            line for statement in noes for line in range(statement.lineno, (statement.end_lineno or 0) + 1)
        )

    def _statements(self) -> Iterator[tuple[str, Any, str, int]]:
        for owner in ast.walk(self.tree):
            for name in ("body", "orelse", "finalbody"):
                for index, _ in enumerate(found if isinstance(found := getattr(owner, name, None), list) else []):
                    yield self.file, owner, name, index

    def _mutant(self, node: ast.AST, what: str, near: ast.AST) -> Iterator[Mutant]:
        source = ast.unparse(ast.fix_missing_locations(self.tree))
        if source in self.seen:
            return
        self.seen.add(source)
        line = node.lineno  # type: ignore[attr-defined]
        first = near.lineno  # type: ignore[attr-defined]
        yield Mutant(
            self.file,
            line,
            what,
            source + "\n",
            self.text[line - 1].strip(),
            frozenset(range(min(first, line), line + 1)),
            self.no,
        )

    def _removed(self, _: str, owner: Any, name: str, index: int) -> Iterator[Mutant]:
        statements = getattr(owner, name)
        statement = statements[index]
        # a generator stays one when its only yield goes
        gone: ast.stmt = ast.Pass()
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Yield):
            gone = ast.If(ast.Constant(False), [ast.Expr(ast.Yield(None))], [])
        statements[index] = ast.copy_location(gone, statement)
        said = {"Raise": "raise", "Return": "return", "Assign": "assignment"}.get(type(statement).__name__, "statement")
        if isinstance(gone, ast.If):
            said = "yield"
        try:
            yield from self._mutant(statement, f"{said} removed", statement)
        finally:
            statements[index] = statement

    def _replaced(self, _: str, node: ast.expr, by: ast.expr | None, what: str, near: ast.AST) -> Iterator[Mutant]:
        """Put `by` where `node` stands, for the length of one mutant."""
        for owner in ast.walk(self.tree):
            for field, value in ast.iter_fields(owner):
                if value is node:
                    setattr(owner, field, by)
                    try:
                        yield from self._mutant(node, what, near)
                    finally:
                        setattr(owner, field, node)
                    return
                if isinstance(value, list) and any(item is node for item in value):
                    index = next(number for number, item in enumerate(value) if item is node)
                    value[index] = by
                    try:
                        yield from self._mutant(node, what, near)
                    finally:
                        value[index] = node
                    return

    def _tests(self, path: str, test: ast.expr, near: ast.AST) -> Iterator[Mutant]:
        """Each comparison that feeds a test."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) and isinstance(test.operand, ast.BoolOp):
            test = test.operand
        if isinstance(test, ast.BoolOp):
            neutral = isinstance(test.op, ast.And)
            for operand in list(test.values):
                said = ast.unparse(operand)
                short = said if len(said) <= 40 else said[:39] + "…"
                yield from self._replaced(path, operand, ast.Constant(neutral), f"`{short}` removed", near)
                inner = operand.operand if isinstance(operand, ast.UnaryOp) else operand
                if isinstance(inner, ast.BoolOp):
                    yield from self._tests(path, inner, near)
            return
        if isinstance(test, ast.Compare) and len(test.ops) > 1:
            terms = [test.left, *test.comparators]
            for index in range(len(test.ops)):
                links = [
                    ast.Compare(copy.deepcopy(terms[at]), [test.ops[at]], [copy.deepcopy(terms[at + 1])])
                    for at in range(len(test.ops))
                    if at != index
                ]
                rest: ast.expr = links[0] if len(links) == 1 else ast.BoolOp(ast.And(), list(links))
                yield from self._replaced(path, test, rest, f"link {index + 1} of the comparison removed", near)
            return
        turned = ast.UnaryOp(ast.Not(), test)
        yield from self._replaced(path, test, turned, "comparison turned round", near)


def mutants(only: str | None = None) -> list[Mutant]:
    sources = {file: (TREE / file).read_text(encoding="utf-8") for file in files()}
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in sorted((TREE / "cityid").rglob("*.py"))]
    helpers = _helpers(trees)
    found: list[Mutant] = []
    for file, source in sources.items():
        if only is None or file.startswith(only.removesuffix("/")):
            found += sorted(Finder(file, source, *helpers).find(), key=lambda mutant: (mutant.line, mutant.what))
    return found


# --- choosing ---------------------------------------------------------------------------------------------------------


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=TREE, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def changed_lines(since: str) -> dict[str, set[int]]:
    """The lines of the work tree that are not in `since`."""
    found: dict[str, set[int]] = defaultdict(set)
    file = ""
    for line in git("diff", "-U0", "--no-color", since, "--", *files()).splitlines():
        if line.startswith("+++ "):
            file = line[4:].removeprefix("b/")
        elif hunk := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            first, count = int(hunk.group(1)), int(hunk.group(2) or 1)
            found[file] |= set(range(first, first + count))
    return found


def chosen(found: list[Mutant], since: str | None) -> tuple[list[Mutant], str]:
    """Those on lines changed since the last tag (at most 60), filled up to 60 by a draw that the commit decides."""
    commit = git("rev-parse", "HEAD") or "no commit"
    since = since or git("describe", "--tags", "--abbrev=0")
    changed: list[Mutant] = []
    if since:
        lines = changed_lines(since)
        changed = [mutant for mutant in found if lines.get(mutant.file, set()) & mutant.lines]
    order = sorted(found, key=lambda mutant: hashlib.sha256((commit + mutant.key + str(mutant.line)).encode()).digest())
    wanted = {id(mutant) for mutant in changed}
    drawn = [mutant for mutant in order if id(mutant) in wanted][:DRAWN]
    drawn += [mutant for mutant in order if id(mutant) not in wanted][: max(0, DRAWN - len(drawn))]
    told = f"{len(changed)} on lines changed since {since}" if since else "no tag yet"
    return sorted(
        drawn, key=lambda mutant: (mutant.file, mutant.line)
    ), f"{told}; {len(drawn)} drawn by commit {commit[:10]}"


# --- which tests run which lines ------------------------------------------------------------------------------------


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
    if "_cli" in path or "/cli/" in path or "/cityid/" not in f"/{path}":
        return ""
    return "cityid/" + f"/{path}".rsplit("/cityid/", 1)[1]


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


# --- trying -----------------------------------------------------------------------------------------------------------


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
    import hypothesis  # noqa: F401
    import pytest  # noqa: F401

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


@dataclass
class Run:
    mutant: Mutant | None
    later: list[list[str]]
    slot: Path
    pid: int
    until: float
    log: Path


class Tries:
    """Runs mutants in as many slots as there are processors to use."""

    def __init__(self, slots: Sequence[Path], tests_of: Map) -> None:
        self.free = list(slots)
        self.sources = {file: (slots[0] / file).read_text(encoding="utf-8") for file in files()}
        self.map = tests_of
        self.running: list[Run] = []
        self.noticed: dict[str, int] = defaultdict(int)

    def start(self, mutant: Mutant | None, tests: Sequence[str], later: list[list[str]]) -> Run:
        slot = self.free.pop()
        if mutant is not None:
            (slot / mutant.file).write_text(mutant.source, encoding="utf-8")
        log = slot / "mutants.log"
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            child(slot, tests, log)
        run = Run(mutant, later, slot, pid, time.monotonic() + 20 * SECONDS, log)
        self.running.append(run)
        return run

    def finished(self) -> tuple[Run, int]:
        """Wait for one; returns its pytest status (9: a test took too long, -1: all together took too long)."""
        while True:
            for run in self.running:
                pid, raw = os.waitpid(run.pid, os.WNOHANG)
                late = time.monotonic() > run.until
                if not pid and not late:
                    continue
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(run.pid, signal.SIGKILL)
                if not pid:
                    os.waitpid(run.pid, 0)
                self.running.remove(run)
                if run.mutant is not None:
                    (run.slot / run.mutant.file).write_text(self.sources[run.mutant.file], encoding="utf-8")
                self.free.append(run.slot)
                return run, -1 if not pid else os.waitstatus_to_exitcode(raw)
            time.sleep(0.005)

    def all(self, wanted: Sequence[Mutant]) -> Iterator[tuple[Mutant, str]]:
        waiting = [(mutant, self.map.rounds(mutant)) for mutant in reversed(wanted)]
        while waiting or self.running:
            while waiting and self.free:
                mutant, rounds = waiting.pop()
                if not rounds:
                    yield mutant, "SURVIVED (no test runs the line)"
                    continue
                self.start(mutant, rounds[0], rounds[1:])
            if not self.running:
                continue
            run, status = self.finished()
            assert run.mutant is not None
            if status in (1, 2):
                with contextlib.suppress(FileNotFoundError):
                    self.noticed[run.log.with_suffix(".noticed").read_text(encoding="utf-8")] += 1
                yield run.mutant, "killed"
            elif status == 9 or status < -1:
                yield run.mutant, "killed (took too long)"
            elif status in (0, 5) and run.later:
                waiting.append((run.mutant, run.later))
            elif status in (0, 5):
                yield run.mutant, "SURVIVED"
            else:
                tail = run.log.read_text(encoding="utf-8", errors="replace")[-800:]
                yield run.mutant, f"SURVIVED (could not be tried, status {status})\n{tail}"


def unmutated_passes(tries: Tries, tests: Sequence[str]) -> None:
    """The way in which mutants are tried must not make tests fail by itself."""
    tries.start(None, tests, [])
    run, status = tries.finished()
    if status != 0:
        print(run.log.read_text(encoding="utf-8", errors="replace")[-3000:])
        sys.exit(f"mutants: tests fail on an unchanged copy, so nothing is proved (status {status})")


# --- the command ----------------------------------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="every mutant")
    parser.add_argument("--changed-since", metavar="REV", help="prefer lines changed since REV (default: the last tag)")
    parser.add_argument("--only", metavar="PATH", help="every mutant of the files under PATH")
    parser.add_argument("--list", action="store_true", help="say what would be tried, and try nothing")
    parser.add_argument("--map", metavar="FILE", type=Path, help="coverage data written with --cov-context=test")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the results there")
    options = parser.parse_args()

    found = mutants(options.only)
    told = "all"
    if not options.all and not options.only:
        found, told = chosen(found, options.changed_since)
    excused = [mutant for mutant in found if (mutant.file, mutant.code, mutant.what) in EQUIVALENT]
    found = [mutant for mutant in found if mutant not in excused]
    if options.list:
        for mutant in found:
            print(f"{mutant.place}: {mutant.what}: {mutant.code}")
        print(f"{len(found)} mutants ({told})")
        return 0
    if not found:
        print("mutants: nothing to try, and an empty run proves nothing")
        return 1

    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        slots = [make_slot(Path(temporary), number) for number in range(options.jobs)]
        data = options.map or next(
            (at for at in (TREE / ".coverage", TREE / ".mutants" / "coverage") if fresh(at)), None
        )
        data = data or make_map(slots[0], slot_environment(slots[0]), options.jobs)
        tries = Tries(slots, read_map(data))
        if not tries.map.weight:
            print("mutants: the coverage map names no tests")
            return 1
        preload()
        unmutated_passes(tries, sorted(tries.map.weight, key=lambda test: tries.map.weight[test])[:50])
        print(f"{len(found)} mutants ({told}); {len(tries.map.weight)} tests", flush=True)
        results: list[tuple[Mutant, str]] = []
        for mutant, result in tries.all(found):
            results.append((mutant, result))
            if result.startswith("SURVIVED"):
                print(f"{result:9} {mutant.place}: {mutant.what}: {mutant.code}", flush=True)
            if len(results) % 20 == 0:
                print(f"{len(results):5} of {len(found)} tried, {time.monotonic() - begun:.0f} s", flush=True)
        if tries.noticed:
            unmutated_passes(tries, list(tries.noticed))
    survivors = [mutant for mutant, result in results if result.startswith("SURVIVED")]
    for mutant in excused:
        reason = EQUIVALENT[mutant.file, mutant.code, mutant.what]
        print(f"excused   {mutant.place}: {mutant.what}: {mutant.code}  ({reason})")
    if options.json:
        rows = [{"place": mutant.place, "what": mutant.what, "result": result} for mutant, result in results]
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    owed = [mutant for mutant in survivors if (mutant.file, mutant.what, mutant.code) in known_to_survive()]
    for mutant in owed:
        print(f"owed      {mutant.place}: {mutant.what}: {mutant.code}")
    late = sum("too long" in result for _, result in results)
    print(
        f"{len(results)} mutants tried in {time.monotonic() - begun:.0f} s: {len(results) - len(survivors)} killed "
        f"({late} by taking too long), {len(survivors)} survived ({len(owed)} of them known and owed a test), "
        f"{len(excused)} excused as equivalent"
    )
    return 1 if len(survivors) > len(owed) else 0


if __name__ == "__main__":
    sys.exit(main())
