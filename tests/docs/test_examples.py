"""Every example in README.md and docs/ runs.

On each page, from top to bottom, in one empty directory:

- ```console blocks are transcripts (see tests/transcripts.py);
- ```python blocks are programs of their own, run with warnings as errors;
- a block of any language with `title="path"` is written to that file, and run only where the page later types it;
- `<!-- run` ... `-->` is a transcript that readers are not shown (what an earlier page left behind).

A block is left out only with a reason that stands in the page: ```console skip="needs a smart card".
Other languages (`text`, `json`, `toml` ...) are to be read, unless they have a title.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import transcripts
from tests.paths import TREE

PAGES = [TREE / "README.md", *sorted((TREE / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})\s*(?P<language>[\w+-]*)(?P<info>[^`]*)$")
_RUN = re.compile(r"^<!-- run\s*$")


@dataclass
class Block:
    language: str
    text: str
    line: int
    title: str = ""
    skip: str | None = None


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, and its `<!-- run` comments."""
    lines = page.splitlines()
    at = 0
    while at < len(lines):
        line, start = lines[at], at + 1
        at += 1
        body: list[str] = []
        if _RUN.match(line):
            while lines[at].strip() != "-->":
                body.append(lines[at])
                at += 1
            at += 1
            yield Block("console", "\n".join(body), start + 1)
        elif found := _FENCE.match(line):
            indent = len(found["indent"])
            while lines[at].strip() != found["fence"]:
                body.append(lines[at][indent:] if lines[at][:indent].isspace() else lines[at])
                at += 1
            at += 1
            title = re.search(r'\btitle="([^"]*)"', found["info"])
            skip = re.search(r'\bskip="([^"]*)"', found["info"])
            yield Block(
                found["language"],
                "\n".join(body) + "\n",
                start + 1,
                title.group(1) if title else "",
                skip.group(1) if skip else None,
            )


def test_a_page_is_cut_into_blocks() -> None:
    page = '```toml title="a.toml"\nx = 1\n```\n- item\n\n  ```console skip="no card"\n  $ ls\n  ```\n'
    page += "<!-- run\n$ true\n-->\n"
    assert list(blocks(page)) == [
        Block("toml", "x = 1\n", 2, title="a.toml"),
        Block("console", "$ ls\n", 7, skip="no card"),
        Block("console", "$ true", 10),
    ]


def _params() -> Iterator[object]:
    for page in PAGES:
        derives = "--passphrase-fd" in "".join(block.text for block in blocks(page.read_text(encoding="utf-8")))
        yield pytest.param(page, id=str(page.relative_to(TREE)), marks=[pytest.mark.kdf] if derives else [])


@pytest.mark.parametrize("page", list(_params()))
def test_page(page: Path, tmp_path: Path) -> None:
    source = str(page.relative_to(TREE))
    shell = transcripts.new_shell(tmp_path)
    names: dict[str, str] = {}
    for number, block in enumerate(blocks(page.read_text(encoding="utf-8"))):
        if block.skip is not None:
            assert block.skip.strip(), f"{source}:{block.line}: a block is left out without a reason"
        elif block.title:
            target = (shell.folder / block.title).resolve()
            assert target.is_relative_to(shell.folder.resolve()), f"{source}:{block.line}: {block.title}"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            for step in transcripts.parse(block.text, block.line).steps:
                transcripts.check(step, shell, names, source)
        elif block.language in ("python", "py"):
            script = tmp_path / f"block_{number}.py"
            script.write_text(block.text, encoding="utf-8")
            done = subprocess.run(
                [sys.executable, "-W", "error", script],
                cwd=shell.folder,
                env=shell.env,
                capture_output=True,
                text=True,
                timeout=transcripts.SECONDS,
                check=False,
            )
            assert done.returncode == 0, f"{source}:{block.line}\n{done.stdout}{done.stderr}"


def test_titled_programs_are_run_by_their_page() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in blocks(text):
            if block.title.endswith(".py") and block.skip is None:
                typed = re.search(rf"^ *\$ .*\b{re.escape(Path(block.title).name)}\b", text, re.MULTILINE)
                assert typed, f"{page.name}:{block.line}: {block.title} is written, but the page never runs it"


def test_the_embedding_examples_of_the_readme_are_ten_lines_and_say_yes() -> None:
    programs = [
        block for block in blocks((TREE / "README.md").read_text(encoding="utf-8")) if block.language == "python"
    ]
    assert [("run(" in block.text, "run_async(" in block.text) for block in programs] == [(True, False), (True, True)]
    for block in programs:
        done = subprocess.run([sys.executable, "-c", block.text], capture_output=True, text=True, check=True)
        assert done.stdout == "{'age_over_18': True, 'address': {'locality': 'Lindau'}}\n"
        assert sum(bool(line.strip()) for line in block.text.splitlines()) <= 10
