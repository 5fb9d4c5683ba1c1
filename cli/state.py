"""The options that stand before the verb, and what a command opened."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class State:
    home: Path | None = None
    debug: bool = False
    clerk_keys: str = ""
    opened: ExitStack = field(default_factory=ExitStack)
    """Stores are entered here; the end of the command closes them, however it ends."""
    known: dict[str, Any] = field(default_factory=dict)
    """What was opened, or asked for, once a command."""


STATE = State()
