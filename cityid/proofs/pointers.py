"""Parts of a JSON-LD document, chosen by JSON pointers (RFC 6901; DI ECDSA 1.0 §3.4.11 and following).

What a pointer names is taken whole. Of what lies above it come the contexts, and the id and types of every object on
the way. Arrays close up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cityid.errors import Malformed

Tree = dict[str, Any]
"""What to take of an object or array, by name or index: a Tree, or None for all."""

_NAMES: Final = ("id", "@id", "type", "@type")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")
_ESCAPE: Final = re.compile(r"~[01]")
_SPEC: Final = "RFC 6901 §3"


def parse(pointer: Any) -> tuple[str, ...]:
    """The reference tokens of a pointer.

    Raises:
        Malformed: `sd.pointer`.
    """
    if not isinstance(pointer, str):
        raise Malformed("sd.pointer", spec=_SPEC, pointer=str(pointer))
    if not pointer:
        return ()
    first, *tokens = pointer.split("/")
    if first or "~" in _ESCAPE.sub("", pointer):
        raise Malformed("sd.pointer", spec=_SPEC, pointer=pointer)
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens)


def select(
    document: dict[str, Any], pointers: Iterable[str], numbers: dict[int, int] | None = None
) -> dict[str, Any] | None:
    """The part of `document` that `pointers` name; None where there are none. Ids that are blank nodes are left out on
    the way, unless the objects have `numbers`, by their id: then the new ones get those of the old.

    Raises:
        Malformed: `sd.pointer`; `sd.no_such_place`.
    """
    tree: Tree | None = {}
    for pointer in pointers:
        tokens = parse(pointer)
        _find(document, tokens, pointer)
        tree = _add(tree, tokens)
    if tree is None:
        return document
    if not tree:
        return None
    begun = {"@context": document["@context"]} if "@context" in document else {}
    return _object(document, tree, begun, numbers)


def _find(value: Any, tokens: tuple[str, ...], pointer: str) -> None:
    for token in tokens:
        if isinstance(value, Mapping) and token in value:
            value = value[token]
        elif isinstance(value, list) and _INDEX.fullmatch(token) and int(token) < len(value):
            value = value[int(token)]
        else:
            raise Malformed("sd.no_such_place", spec="DI ECDSA 1.0 §3.4.13", pointer=pointer)


def _add(tree: Tree | None, tokens: tuple[str, ...]) -> Tree | None:
    """`tree` with what `tokens` lead to: what is taken whole stays whole."""
    if not tokens or tree is None:
        return None
    at = tree
    for token in tokens[:-1]:
        below = at.setdefault(token, {})
        if below is None:
            return tree
        at = below
    at[tokens[-1]] = None
    return tree


def _part(value: Any, tree: Tree | None, numbers: dict[int, int] | None) -> Any:
    if tree is None:
        return value
    if isinstance(value, list):
        return [_part(value[int(index)], tree[index], numbers) for index in sorted(tree, key=int)]
    return _object(value, tree, {}, numbers)


def _object(
    value: Mapping[str, Any], tree: Tree, made: dict[str, Any], numbers: dict[int, int] | None
) -> dict[str, Any]:
    for name in _NAMES:
        if name in value and not (numbers is None and str(value[name]).startswith("_:")):
            made[name] = value[name]
    for name, below in tree.items():
        if name not in made:
            made[name] = _part(value[name], below, numbers)
    if numbers is not None:
        numbers[id(made)] = numbers[id(value)]
    return made
