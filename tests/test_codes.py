"""Every problem code in the source has its sentence, uses exactly its facts, is documented, and is raised by a test."""

from __future__ import annotations

import ast
import re
import string
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.paths import TREE

MAKERS = {"Problem", "Malformed", "Refused", "Unavailable", "Misuse", "malformed", "refused", "failed", "undecided"}
NOT_FACTS = {"where", "spec", "private", "facts"}
CODE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


@dataclass(frozen=True)
class Use:
    """One place in the source that makes a problem; `facts` is None where they cannot be read off (`**facts`)."""

    code: str
    facts: frozenset[str] | None
    private: frozenset[str]
    where: str


def _name(call: ast.Call) -> str:
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _keys(node: ast.expr | None) -> frozenset[str] | None:
    if node is None:
        return frozenset()
    if isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
        return frozenset(str(key.value) for key in node.keys if isinstance(key, ast.Constant))
    return None


def _use(call: ast.Call, file: str) -> Iterator[Use]:
    position = 1 if _name(call) in ("failed", "undecided") else 0
    if len(call.args) <= position:
        return
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    private = _keys(named.get("private"))
    facts: frozenset[str] | None
    if _name(call) == "Problem":
        facts = _keys(call.args[1] if len(call.args) > 1 else named.get("facts"))
    else:
        facts = None if None in named else frozenset(name for name in named if name and name not in NOT_FACTS)
    where = f"{file}:{call.lineno}"
    for node in ast.walk(call.args[position]):  # also `"a.b" if x else "a.c"`
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
            yield Use(node.value, facts if private is not None else None, private or frozenset(), where)


@cache
def uses() -> dict[str, list[Use]]:
    found: dict[str, list[Use]] = defaultdict(list)
    for folder in ("cityid", "cli"):
        for file in sorted((TREE / folder).rglob("*.py")):
            name = str(file.relative_to(TREE))
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and _name(node) in MAKERS:
                    for use in _use(node, name):
                        found[use.code].append(use)
    return dict(found)


@cache
def literals() -> frozenset[str]:
    """Every string in the source that looks like a code: some are handed to a helper that makes the problem."""
    found: set[str] = set()
    for folder in ("cityid", "cli"):
        for file in (TREE / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                    found.add(node.value)
    return frozenset(found)


@cache
def messages() -> dict[str, dict[str, str]]:
    found = tomllib.loads((TREE / "schemas" / "messages" / "en.toml").read_text(encoding="utf-8"))
    return {code: entry for code, entry in found.items() if CODE.fullmatch(code)}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@cache
def test_sources() -> str:
    here = Path(__file__).parent
    files = [file for file in here.rglob("*") if file.suffix in {".py", ".txt", ".md"} and file != Path(__file__)]
    docs = [TREE / "README.md", *(TREE / "docs").rglob("*.md")]
    texts = [file.read_text(encoding="utf-8") for file in files if "node_modules" not in file.parts]
    texts += [file.read_text(encoding="utf-8") for file in docs if file.name != "problems.md"]
    # `match=r"jws\.alg"` names a code too
    return "\n".join(texts).replace("\\.", ".")


test_sources.__test__ = False  # type: ignore[attr-defined]


def test_the_source_is_read() -> None:
    assert len(uses()) > 20


def test_every_code_has_its_text() -> None:
    missing = {code: places[0].where for code, places in uses().items() if "text" not in messages().get(code, {})}
    assert not missing


def test_every_text_has_its_code() -> None:
    assert not set(messages()) - literals()


def test_texts_use_exactly_the_facts() -> None:
    wrong: list[str] = []
    for code, places in sorted(uses().items()):
        entry = messages().get(code, {})
        used = placeholders(entry.get("text", "")) | placeholders(entry.get("hint", ""))
        for use in places:
            if entry and use.facts is not None and used - {"where", "spec"} != use.facts | use.private:
                given = ", ".join(sorted(use.facts | use.private)) or "nothing"
                wrong.append(
                    f"{use.where}: {code} is given {given}; text and hint use {', '.join(sorted(used)) or 'nothing'}"
                )
    assert not wrong, "\n".join(wrong)


def test_texts_are_one_lower_case_sentence_without_full_stop() -> None:
    for code, entry in messages().items():
        text = entry.get("text", "")
        assert "\n" not in text, code
        assert not text.endswith("."), code


def test_every_code_is_documented() -> None:
    page = (TREE / "docs" / "reference" / "problems.md").read_text(encoding="utf-8")
    assert [code for code in messages() if f"### `{code}`" not in page] == []


def test_every_code_is_raised_by_a_test() -> None:
    words = set(re.findall(r"[\w.]+", test_sources()))
    assert [code for code in sorted(uses()) if code not in words] == []
