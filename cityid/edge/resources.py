"""What the package ships beside its code: credential types, schemas and messages."""

from __future__ import annotations

from functools import cache
from importlib import resources, util
from importlib.resources.abc import Traversable
from pathlib import Path

from cityid.errors import Misuse


@cache
def schemas() -> Traversable:
    """The shipped `schemas` folder: inside the installed package, or beside it in a checkout that was not installed."""
    if util.find_spec("cityid._schemas") is not None:
        return resources.files("cityid._schemas")
    return Path(__file__).resolve().parents[2] / "schemas"


def example(name: str) -> Path:
    """The folder of a worked example that is shipped, such as `library`: a policy, its trust list, a request and the
    answer of a fictional resident.

    Raises:
        Misuse: `file.not_found`.
    """
    folder = Path(str(schemas() / "examples" / name))
    if not folder.is_dir():
        raise Misuse("file.not_found", file=name)
    return folder
