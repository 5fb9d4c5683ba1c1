"""The mutants: each check of the library, removed or turned round; found by AST."""

from __future__ import annotations

import ast
import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parents[2]
# The library, and what the command line decides about tables by itself.
SCOPES = ("cityid/**/*.py", "cli/bulk*.py")
# Where another exception says no as well: what the guarded fetcher will not do and what a damaged or downgraded file
# is, and what a service may not write into its own files.
ALSO = {"cityid/edge/": "Unavailable", "cityid/policy": "Misuse", "cityid/trust/file": "Misuse"}
NO = {"Malformed", "Refused", "malformed", "refused"}
FAILED = {"failed", "undecided", "Problem"}

# Mutants that behave exactly as the original: (file, the line as it stands, what was done) -> why no test can notice.
EQUIVALENT: Mapping[tuple[str, str, str], str] = {
    ("cityid/encoding/json.py", "if not text.isascii() and _SURROGATE.search(text):", "`not text.isascii()` removed"): (
        "the search alone decides; ASCII texts are spared it"
    ),
}


OWED = Path(__file__).with_name("owed.txt")


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


def files() -> list[str]:
    """In the order of their names; what lies behind a link is found where it lies."""
    found = {path for scope in SCOPES for path in TREE.glob(scope) if path.resolve() == path}
    return [str(path.relative_to(TREE)) for path in sorted(found)]


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
    helpers = _helpers([ast.parse(source) for source in sources.values()])
    found: list[Mutant] = []
    for file, source in sources.items():
        if only is None or file.startswith(only.removesuffix("/")):
            found += sorted(Finder(file, source, *helpers).find(), key=lambda mutant: (mutant.line, mutant.what))
    return found
