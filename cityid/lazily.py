"""Names of a package that are imported when they are first used (PEP 562), so that looking at it costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def attributes(package: str, names: dict[str, Any], places: Mapping[str, str]) -> Callable[[str], Any]:
    """A `__getattr__` for `package`, whose globals are `names`: `places` says which of its modules has which name,
    and where it is called otherwise there, `module:name`."""

    def found(name: str) -> Any:
        place, _, called = places.get(name, "").partition(":")
        if not place:
            what = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(what)
        names[name] = value = getattr(import_module(f"{package}.{place}"), called or name)
        return value

    return found
