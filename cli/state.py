"""The options that stand before the verb, and what a command opened."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class State:
    home: Path | None = None
    debug: bool = False
    opened: ExitStack = field(default_factory=ExitStack)
    """Stores are entered here; the end of the command closes them, however it ends."""


STATE = State()
