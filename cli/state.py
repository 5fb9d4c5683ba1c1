"""The options that stand before the verb."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class State:
    home: Path | None = None
    debug: bool = False


STATE = State()
