"""SD-JWT payloads by shape: credentials of one type differ in what their claims say, hardly ever in which there are.

For each set of claims that came before, it is known which disclosures there will be, which of them wait for others, and
what stands around the values. Only objects of texts, integers, truth values and arrays of these have a shape; whatever
else there is, `sd_jwt_issue` walks through as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any, Final, TypeAlias

from cityid import limits
from cityid.encoding import json
from cityid.errors import Malformed
from cityid.jose.sd_jwt import RESERVED, Path

__all__ = ["MOST", "Shape", "flat", "say", "shape"]

MOST: Final = 256
"""Shapes that are remembered of a frame."""
_DEEP: Final = 8
_OPEN: Final = object()
_CLOSE: Final = object()
_ARRAY: Final = object()
_HOLE: Final = None
_PLAIN: Final = frozenset({str, bool, int})
_SAID: Final = {True: "true", False: "false"}
_quote: Final = encode_basestring

Key: TypeAlias = tuple[Any, ...]
Texts: TypeAlias = Callable[[list[bytes]], list[str]]


@dataclass(frozen=True, slots=True)
class _Object:
    """An object or array as it will be signed: `plain` are texts, numbers of values and numbers of objects (below 0) in
    turn, and holes where the digests of elements go; `own` the slice of the first generation that is hidden in it,
    `decoys` that of the decoys, and `hides` whether it has an `_sd`."""

    plain: tuple[str | int | None, ...]
    own: slice
    decoys: slice
    hides: bool
    array: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """`tails` are the numbers of hidden values, each with what stands between salt and value; `waits` are generations
    of hidden objects, likewise, with the object that each is hidden in. The last of `objects` is the payload."""

    tails: tuple[tuple[int, str], ...]
    waits: tuple[tuple[tuple[int, str, int], ...], ...]
    objects: tuple[_Object, ...]
    decoys: int
    disclosures: int
    hidden: frozenset[Path]

    def first(self, values: list[Any]) -> list[str]:
        """The disclosures that wait for nothing, without what is before the value."""
        return [
            f"{middle}{_quote(value)}]" if type(value := values[number]) is str else f"{middle}{say(value)}]"
            for number, middle in self.tails
        ]

    def text(self, number: int, values: list[Any], digests: list[list[str]]) -> str:
        """`whole` of an object, without its last brace."""
        out = ["{"]
        for part in self.objects[number].plain:
            if type(part) is str:
                out.append(part)
            elif part < 0:  # type: ignore[operator]
                out.append(self.whole(~part, values, digests))  # type: ignore[operator]
            else:
                value = values[part]  # type: ignore[index]
                out.append(_quote(value) if type(value) is str else say(value))
        if self.objects[number].hides:
            comma = "," if len(out) > 1 else ""
            found = '","'.join(sorted(digests[number]))
            out.append(f'{comma}"_sd":["{found}"]' if found else f'{comma}"_sd":[]')
        return "".join(out)

    def whole(self, number: int, values: list[Any], digests: list[list[str]]) -> str:
        """An object or array, when the digests of all that is hidden in it are known."""
        if self.objects[number].array:
            return self._elements(number, values, digests)
        return self.text(number, values, digests) + "}"

    def _elements(self, number: int, values: list[Any], digests: list[list[str]]) -> str:
        """An array: its elements, shown or hidden, in their order, and then the decoys."""
        found = iter(digests[number])
        out = []
        for part in self.objects[number].plain:
            if part is _HOLE:
                out.append(f'{{"...":"{next(found)}"}}')
            else:
                value = values[part]  # type: ignore[index]
                out.append(_quote(value) if type(value) is str else say(value))
        out += [f'{{"...":"{decoy}"}}' for decoy in found]
        return f"[{','.join(out)}]"


def say(value: Any) -> str:
    return _SAID[value] if type(value) is bool else str(value)


def flat(claims: Mapping[str, Any]) -> tuple[Key, list[Any]] | None:
    """What names the shape of `claims`, and their values in its order; None where they have no shape."""
    names: list[Any] = []
    values: list[Any] = []
    if not _flatten(claims, names, values, _DEEP):
        return None
    kinds = set(map(type, values))
    if not kinds <= _PLAIN:
        return None
    if int in kinds and not all(-limits.INTEGER <= value <= limits.INTEGER for value in values if type(value) is int):
        return None
    return tuple(names), values


def _flatten(claims: Mapping[str, Any], names: list[Any], values: list[Any], room: int) -> bool:
    for name, value in claims.items():
        names.append(name)
        if type(value) is dict:
            names.append(_OPEN)
            if not room or not _flatten(value, names, values, room - 1):
                return False
            names.append(_CLOSE)
        elif type(value) is list:
            names += (_ARRAY, len(value))
            values += value
        else:
            values.append(value)
    return True


class _Unshaped(Exception):
    pass


def shape(claims: Mapping[str, Any], node: Any, decoys: int, *, padded: bool) -> Shape | None:
    """The shape of `claims` under the node of a frame; None where anything is wrong with it, or more is hidden than we
    would read ourselves: whoever walks through the whole says what."""
    try:
        return _Compiler(decoys, padded).shape(claims, node)
    except (_Unshaped, Malformed):
        return None


class _Compiler:
    def __init__(self, decoys: int, padded: bool) -> None:
        self.each, self.padded = decoys, padded
        self.values = self.decoys = 0
        self.tails: list[tuple[int, str]] = []
        self.waits: list[list[tuple[int, str, int]]] = []
        self.objects: list[_Object] = []
        self.hidden: set[Path] = set()

    def shape(self, claims: Mapping[str, Any], node: Any) -> Shape:
        self.object(claims, node, ())
        count = len(self.hidden)
        # Disclosures inside disclosures are no more than the objects that `flat` lets through.
        if count > limits.DISCLOSURES or count + self.decoys > limits.DIGESTS:
            raise _Unshaped
        return Shape(
            tuple(self.tails), tuple(map(tuple, self.waits)), tuple(self.objects), self.decoys, count,
            frozenset(self.hidden),
        )  # fmt: skip

    def object(self, claims: Mapping[str, Any], node: Any, path: Path) -> tuple[int, int]:
        """The number of an object and how many generations it waits for."""
        if (node is not None and node.array) or not all(type(name) is str for name in claims):
            raise _Unshaped
        if not RESERVED.isdisjoint(claims):
            raise _Unshaped
        hide, inside = (node.hide, node.inside) if node is not None else ({}, {})
        plain: list[str | int] = []
        own: list[tuple[int, str]] = []
        later: list[tuple[int, str, int]] = []
        height = hides = 0
        for name, value in claims.items():
            middle, below = hide.get(name), inside.get(name)
            at = (*path, name)
            if middle is not None:
                hides += 1
                self.hidden.add(at)
            else:
                plain.append(f"{',' if plain else ''}{json.write(name).decode('utf-8')}:")
            if type(value) is dict or type(value) is list:
                number, inner = self.inside(value, below, at)
                if middle is None:
                    plain.append(~number)
                else:
                    inner = max(inner, 1)
                    later.append((number, middle, inner))
                    inner += 1
            else:
                if below is not None:
                    raise _Unshaped
                number, inner = self.values, 0
                self.values += 1
                if middle is None:
                    plain.append(number)
                else:
                    own.append((number, middle))
                    inner = 1
            height = max(height, inner)
        extra = self.each + (len(hide) - hides if self.padded else 0) if hide else 0
        start, before, number = len(self.tails), self.decoys, len(self.objects)
        self.tails += own
        self.decoys += extra
        own_slice, decoys = slice(start, len(self.tails)), slice(before, self.decoys)
        self.objects.append(_Object(tuple(plain), own_slice, decoys, bool(hides or extra)))
        for child, middle, wait in later:
            while len(self.waits) < wait:
                self.waits.append([])
            self.waits[wait - 1].append((child, middle, number))
        return number, height

    def inside(self, value: Any, node: Any, path: Path) -> tuple[int, int]:
        return self.array(value, node, path) if type(value) is list else self.object(value, node, path)

    def array(self, value: list[Any], node: Any, path: Path) -> tuple[int, int]:
        """The number of an array of values, and how many generations it waits for."""
        if node is not None and (not node.array or node.inside):
            raise _Unshaped
        plain: list[int | None] = []
        start, before, number = len(self.tails), self.decoys, len(self.objects)
        for index in range(len(value)):
            middle = None if node is None else node.hide.get(index) or node.hide.get(None)
            if middle is None:
                plain.append(self.values)
            else:
                plain.append(_HOLE)
                self.hidden.add((*path, index))
                self.tails.append((self.values, middle))
            self.values += 1
        if node is not None and node.hide:
            self.decoys += self.each
        own, decoys = slice(start, len(self.tails)), slice(before, self.decoys)
        self.objects.append(_Object(tuple(plain), own, decoys, hides=False, array=True))
        return number, min(len(self.tails) - start, 1)
