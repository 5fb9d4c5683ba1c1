"""Writes what in docs/reference/ follows from the source; `--check` only says whether it is up to date (`make check`).

problems.md   from schemas/messages/en.toml: every code, what it means, what to do
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parents[1]
REFERENCE = TREE / "docs" / "reference"
Messages = Mapping[str, Mapping[str, Any]]


def messages() -> Messages:
    """The entries of en.toml that belong to a problem: `area.what`."""
    found = tomllib.loads((TREE / "schemas" / "messages" / "en.toml").read_text(encoding="utf-8"))
    return {code: entry for code, entry in found.items() if "." in code and "text" in entry}


def _cell(text: str) -> str:
    return re.sub(r"\{(\w+)\}", r"*\1*", text).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ").strip()


def _sentence(text: str) -> str:
    said = _cell(text)
    return said[:1].upper() + said[1:] + ("" if said.endswith((".", "?", "!")) else ".")


def problems() -> str:
    """One heading an area, one an entry, so that a code is an anchor that a message can link to."""
    lines = [
        "# Problem codes",
        "",
        "Every *no* of cityid has a code. Codes are stable; sentences may be translated and improved.",
        "Words in *italics* are facts that the sentence is given. Programs find the code in `problem.code`,",
        "and in `--json` output as `code`.",
        "",
    ]
    for area, codes in groupby(sorted(messages().items()), key=lambda item: item[0].split(".")[0]):
        lines += [f"## {area}", ""]
        for code, entry in codes:
            lines += [f"### `{code}` {{ #{code.replace('.', '-')} }}", "", _sentence(entry["text"]), ""]
            if meaning := entry.get("meaning"):
                lines += [str(meaning).strip(), ""]
            if spec := entry.get("spec"):
                lines += [f"Rule: {_cell(spec)}.", ""]
            if hint := entry.get("hint"):
                lines += [f"What to do: {_cell(hint)}", ""]
    return "\n".join(lines).rstrip() + "\n"


GENERATED: Mapping[str, Callable[[], str]] = {"problems.md": problems}


def main() -> int:
    stale: list[str] = []
    for name, write in GENERATED.items():
        file = REFERENCE / name
        text = write()
        if file.exists() and file.read_text(encoding="utf-8") == text:
            continue
        stale.append(f"docs/reference/{name}")
        if "--check" not in sys.argv:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    if stale:
        print("out of date, write with `make docs`:" if "--check" in sys.argv else "written:", *stale)
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
