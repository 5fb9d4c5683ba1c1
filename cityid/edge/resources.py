"""What the package ships beside its code: credential types, schemas and messages."""

from __future__ import annotations

from functools import cache
from importlib import resources, util
from importlib.resources.abc import Traversable
from pathlib import Path


@cache
def schemas() -> Traversable:
    """The shipped `schemas` folder: inside the installed package, or beside it in a checkout that was not installed."""
    if util.find_spec("cityid._schemas") is not None:
        return resources.files("cityid._schemas")
    return Path(__file__).resolve().parents[2] / "schemas"
