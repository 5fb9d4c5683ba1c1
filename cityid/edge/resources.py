"""What the package ships beside its code: credential types, schemas and messages."""

from __future__ import annotations

from functools import cache
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

from cityid.errors import Misuse

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


def folder(package: str, *inside: str) -> Traversable:
    """The folder of an installed package, or one inside it."""
    spec = util.find_spec(package)
    for place in (spec and spec.submodule_search_locations) or ():
        if (found := Path(place, *inside)).is_dir():
            return found
    from importlib import resources  # for a package in an archive; it takes a while to import

    return resources.files(package).joinpath(*inside)


@cache
def schemas() -> Traversable:
    """The shipped `schemas` folder: inside the installed package, or beside it in a checkout that was not installed."""
    if util.find_spec("cityid._schemas") is not None:
        return folder("cityid._schemas")
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
