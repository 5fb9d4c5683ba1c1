"""What all generated pages share."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parents[1]
Messages = Mapping[str, Mapping[str, Any]]
NOTE = "<!-- Written by docs/_generate.py: change the source, then `make docs`. -->"


def as_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return [*lines, *("| " + " | ".join(cell.replace("\n", " ") for cell in row) + " |" for row in rows), ""]


def as_text(lines: list[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"


def messages() -> Messages:
    """The entries of en.toml that belong to a problem: `area.what`."""
    found = tomllib.loads((TREE / "schemas" / "messages" / "en.toml").read_text(encoding="utf-8"))
    return {code: entry for code, entry in found.items() if "." in code and "text" in entry}


def cell(text: str) -> str:
    return re.sub(r"\{(\w+)\}", r"*\1*", text).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ").strip()


def sentence(text: str) -> str:
    said = cell(text)
    return said[:1].upper() + said[1:] + ("" if said.endswith((".", "?", "!")) else ".")
