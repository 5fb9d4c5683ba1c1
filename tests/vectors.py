"""Where the official test vectors lie. They are read in place and never copied into the tree."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(os.environ.get("CITYID_VECTORS") or Path(__file__).resolve().parents[2] / "shared" / "vectors")


def vectors(topic: str) -> Path:
    """The folder of one topic; skips the test where the vectors are absent."""
    folder = ROOT / topic
    if not folder.is_dir():
        pytest.skip(f"official vectors are not here ({topic}); set CITYID_VECTORS", allow_module_level=True)
    return folder


def load(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))
