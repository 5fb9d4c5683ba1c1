"""Claims path pointers as people write them: `address.locality`, `nationalities[]`, `nationalities[0]`."""

from __future__ import annotations

import re
from typing import Final

from cityid.errors import Malformed

_PART: Final = re.compile(r"([^.\[\]]+)((?:\[[0-9]{0,9}\])*)(?:\.|\Z)")
_INDEX: Final = re.compile(r"\[([0-9]*)\]")


def read(text: str, where: str = "") -> tuple[str | int | None, ...]:
    """The path behind `text`; `[]` is every element.

    Raises:
        Malformed: `path.syntax`.
    """
    path: list[str | int | None] = []
    at = 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            break
        path.append(part[1])
        path.extend(int(index) if index else None for index in _INDEX.findall(part[2]))
        at = part.end()
    if at != len(text) or not path or text.endswith("."):
        raise Malformed("path.syntax", where=where, text=text)
    return tuple(path)


def write(path: tuple[str | int | None, ...]) -> str:
    """`path` as people write it."""
    text = ""
    for part in path:
        if part is None:
            text += "[]"
        elif isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text
