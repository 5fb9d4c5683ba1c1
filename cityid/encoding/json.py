"""Strict reading of JSON (RFC 8259, RFC 7493 I-JSON), and typed access to what was read.

Refused: duplicate members, NaN and infinities, lone surrogates, byte order marks, anything but UTF-8, integers beyond
2^53-1, long numbers, and documents deeper, larger or with more values than `cityid.limits` allows. The rule of this
house is to ask for types (`Fields`), never to catch what falls out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NoReturn, TypeAlias, TypeVar, cast

from cityid import limits
from cityid.errors import Malformed, Problem

Json: TypeAlias = Any
"""What `read` returns: dict, list, str, int, float, bool or None, and nothing else."""

T = TypeVar("T")


class _Stop(Exception):  # a signal between the scanner's hooks and read(); it never leaves this module
    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    def at(self, where: str) -> Malformed:
        return Malformed(replace(self.problem, where=where))


def _pairs(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Stop(Problem("json.duplicate", {"name": name}, spec="RFC 7493 §2.3"))
            seen.add(name)
    return found


def _constant(name: str) -> NoReturn:
    raise _Stop(Problem("json.not_finite", {"value": name}, spec="RFC 8259 §6"))


def _float(text: str) -> float:
    if len(text) > limits.NUMBER_CHARS:
        raise _Stop(Problem("json.number_too_long", {"length": len(text)}, spec="RFC 7493 §2.2"))
    value = float(text)
    if value in _INFINITE:
        raise _Stop(Problem("json.not_finite", {"value": text}, spec="RFC 7493 §2.2"))
    return value


def _int(text: str) -> int:
    # Length first: int() of a long literal is quadratic and raises ValueError past the interpreter's own limit.
    if len(text) > 17 or not -limits.INTEGER <= (value := int(text)) <= limits.INTEGER:
        raise _Stop(Problem("json.integer_too_large", {"length": len(text)}, spec="RFC 7493 §2.2"))
    return value


_INFINITE: Final = (float("inf"), float("-inf"))


def _fraction(text: str) -> NoReturn:
    raise ValueError(text)


def _scanner(parse_float: Callable[[str], float]) -> Callable[[str, int], tuple[Json, int]]:
    decoder = json.JSONDecoder(
        object_pairs_hook=_pairs, parse_constant=_constant, parse_float=parse_float, parse_int=_int
    )
    scan: Callable[[str, int], tuple[Json, int]] = decoder.scan_once  # type: ignore[attr-defined]  # undocumented; tests/spec/test_json.py pins its behaviour
    return scan


_SCAN: Final = _scanner(_float)
_SCAN_INTEGERS: Final = _scanner(_fraction)
_ASTRAL: Final = re.compile("[\U00010000-\U0010ffff]")
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_WHITE: Final = " \t\n\r"
_SHORT: Final = 2 * limits.DEPTH
"""Characters that it takes to be too deep: each bracket that is opened is closed again."""


def read(data: bytes | str, *, where: str = "", limit: int = limits.DOCUMENT, nodes: bool = True) -> Json:
    """The value written in `data`.

    `limit` is in bytes; `nodes=False` leaves counting of values and depth to a caller that walks the value anyway
    (depth is then bounded by the scanner itself).

    Raises:
        Malformed: `json.*`.
    """
    if len(data) > limit:
        raise Malformed("json.too_large", where=where, limit=limit, size=len(data))
    if isinstance(data, str):
        text = data
        if not text.isascii() and _SURROGATE.search(text):
            raise Malformed("json.surrogate", where=where, spec="RFC 7493 §2.1")
    else:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed("json.not_utf8", where=where, spec="RFC 8259 §8.1", offset=error.start) from None
    try:
        value, end = _SCAN(text, 0)
        if end != len(text):
            value, end = _slow(text, where)
    except _Stop as stop:
        raise stop.at(where) from None
    except StopIteration:
        value, end = _slow(text, where)
    except RecursionError:
        raise Malformed("json.too_deep", where=where, limit=limits.DEPTH) from None
    except ValueError as error:
        raise _syntax(error, where) from None
    if "\\" in text and _SURROGATE_ESCAPE.search(text):
        _refuse_surrogates(value, where)
    # A text this short cannot hold too many values, nor one with so few brackets too deep ones.
    if nodes and len(text) > _SHORT and (len(text) > limits.NODES or text.count("[") + text.count("{") > limits.DEPTH):
        _count(value, where)
    return value


def scan(data: bytes, where: str = "") -> Json:
    """`read` with `nodes=False`, for the many small texts of one token, whose caller has bounded the whole: what is
    written as everybody writes it is read at once, all else, right or wrong, by `read`.

    Raises:
        Malformed: `json.*`.
    """
    try:
        text = data.decode()
        value, end = _SCAN(text, 0)
        if end == len(text) and "\\" not in text:
            return value
    except (ValueError, StopIteration, RecursionError, _Stop):
        pass
    return read(data, where=where, nodes=False)


def read_plain(data: bytes, where: str = "") -> tuple[Json, bool]:
    """`read`, and whether `jcs.plain` writes the value as `jcs.canonical` does. False may mean that nobody looked:
    there is a backslash or much else.

    Raises:
        Malformed: `json.*`.
    """
    try:
        text = data.decode()
        value, end = _SCAN_INTEGERS(text, 0)
        few = len(text) <= limits.NODES and text.count("[") + text.count("{") <= limits.DEPTH
        if end == len(text) and few and "\\" not in text and (text.isascii() or not _ASTRAL.search(text)):
            return value, True
    except (ValueError, StopIteration, RecursionError, _Stop):
        pass
    return read(data, where=where), False


def _slow(text: str, where: str) -> tuple[Json, int]:
    """The path of texts with white space around the value, and of those that are no JSON at all."""
    start = len(text) - len(text.lstrip(_WHITE))
    try:
        value, end = _SCAN(text, start)
    except StopIteration as stop:
        raise Malformed("json.syntax", where=where, spec="RFC 8259 §2", offset=cast("int", stop.value)) from None
    except _Stop as stop:
        raise stop.at(where) from None
    except RecursionError:
        raise Malformed("json.too_deep", where=where, limit=limits.DEPTH) from None
    except ValueError as error:
        raise _syntax(error, where) from None
    if text[end:].strip(_WHITE):
        raise Malformed("json.trailing", where=where, spec="RFC 8259 §2", offset=end)
    return value, len(text)


def _syntax(error: ValueError, where: str) -> Malformed:
    offset = getattr(error, "pos", 0)
    return Malformed("json.syntax", where=where, spec="RFC 8259 §2", offset=offset)


def _refuse_surrogates(value: Json, where: str) -> None:
    for text in _strings(value):
        if _SURROGATE.search(text):
            raise Malformed("json.surrogate", where=where, spec="RFC 7493 §2.1")


def _strings(value: Json) -> Iterator[str]:
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            yield from item
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)


def _count(value: Json, where: str) -> None:
    """Level by level, so that depth costs no stack."""
    level: list[Json] = [value]
    depth = total = 0
    while level:
        depth += 1
        total += len(level)
        if depth > limits.DEPTH + 1:
            raise Malformed("json.too_deep", where=where, limit=limits.DEPTH)
        if total > limits.NODES:
            raise Malformed("json.too_many_values", where=where, limit=limits.NODES)
        below: list[Json] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        level = below


def read_object(
    data: bytes | str, *, where: str = "", limit: int = limits.DOCUMENT, nodes: bool = True
) -> dict[str, Json]:
    """`read`, and the value must be an object.

    Raises:
        Malformed: `json.*`; `json.not_an_object`.
    """
    value = read(data, where=where, limit=limit, nodes=nodes)
    if not isinstance(value, dict):
        raise Malformed("json.not_an_object", where=where, found=kind(value))
    return value


# A value that contains itself ends in the RecursionError that `write` turns into json.not_json.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False)


def chunks(encoder: json.JSONEncoder) -> Callable[[Json, int], Iterable[str]]:
    """What `encode` of this encoder makes anew for each value, made once (half the time of a small value)."""
    from json import encoder as library

    made = getattr(library, "c_make_encoder", None)
    if made is None:
        return lambda value, _level: (encoder.encode(value),)
    found: Callable[[Json, int], Iterable[str]] = made(
        None, encoder.default, library.encode_basestring, None, encoder.key_separator, encoder.item_separator,
        encoder.sort_keys, False, False,
    )  # fmt: skip
    return found


_CHUNKS: Final = chunks(_ENCODER)


def write(value: Json) -> bytes:
    """Compact JSON in UTF-8. Strings must be free of lone surrogates, numbers finite: ours always are.

    Raises:
        Malformed: `json.not_finite`, `json.surrogate`; `json.not_json` for a value that JSON has no form for.
    """
    try:
        return "".join(_CHUNKS(value, 0)).encode("utf-8")
    except UnicodeEncodeError:
        raise Malformed("json.surrogate", spec="RFC 7493 §2.1") from None
    except ValueError:
        raise Malformed("json.not_finite", spec="RFC 8259 §6", value="") from None
    except (TypeError, RecursionError):
        raise Malformed("json.not_json") from None


_KINDS: Final[Mapping[type, str]] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    type(None): "null",
}


def kind(value: Json) -> str:
    """The JSON name of a value's type."""
    return _KINDS.get(type(value), "unknown")


class Fields:
    """Typed access to one JSON object: ask for what must be there, and of which type.

    fields = Fields(document, "$.cnf")
    jwk = fields.object("jwk")
    alg = fields.optional_text("alg")
    """

    __slots__ = ("value", "where")

    def __init__(self, value: Json, where: str = "$") -> None:
        if not isinstance(value, dict):
            raise Malformed("json.not_an_object", where=where, found=kind(value))
        self.value: dict[str, Json] = value
        self.where = where

    def at(self, name: str) -> str:
        return f"{self.where}.{name}"

    def __contains__(self, name: str) -> bool:
        return name in self.value

    def _get(self, name: str, kinds: tuple[type, ...], expected: str) -> Json:
        if name not in self.value:
            raise Malformed("json.missing", where=self.at(name), name=name)
        value = self.value[name]
        # bool is an int in Python and is not one in JSON.
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise Malformed("json.wrong_type", where=self.at(name), expected=expected, found=kind(value))
        return value

    def text(self, name: str) -> str:
        value = self.value.get(name)
        return value if type(value) is str else cast("str", self._get(name, (str,), "string"))

    def integer(self, name: str) -> int:
        return cast("int", self._get(name, (int,), "integer"))

    def number(self, name: str) -> int | float:
        return cast("int | float", self._get(name, (int, float), "number"))

    def boolean(self, name: str) -> bool:
        return cast("bool", self._get(name, (bool,), "boolean"))

    def object(self, name: str) -> dict[str, Json]:
        value = self.value.get(name)
        return value if type(value) is dict else cast("dict[str, Json]", self._get(name, (dict,), "object"))

    def fields(self, name: str) -> Fields:
        return Fields(self.object(name), self.at(name))

    def array(self, name: str) -> list[Json]:
        return cast("list[Json]", self._get(name, (list,), "array"))

    def texts(self, name: str) -> list[str]:
        """An array of strings."""
        items = self.array(name)
        for index, item in enumerate(items):
            if not isinstance(item, str):
                raise Malformed(
                    "json.wrong_type", where=f"{self.at(name)}[{index}]", expected="string", found=kind(item)
                )
        return cast("list[str]", items)

    def text_or_object(self, name: str) -> str | dict[str, Json]:
        return cast("str | dict[str, Json]", self._get(name, (str, dict), "string or object"))

    def optional_text(self, name: str) -> str | None:
        return self.text(name) if name in self.value else None

    def optional_integer(self, name: str) -> int | None:
        return self.integer(name) if name in self.value else None

    def optional_boolean(self, name: str) -> bool | None:
        return self.boolean(name) if name in self.value else None

    def optional_object(self, name: str) -> dict[str, Json] | None:
        return self.object(name) if name in self.value else None

    def optional_array(self, name: str) -> list[Json] | None:
        return self.array(name) if name in self.value else None

    def optional_texts(self, name: str) -> list[str] | None:
        return self.texts(name) if name in self.value else None

    def only(self, names: Sequence[str] | frozenset[str]) -> None:
        """Refuse members that are not in `names` (for files that people write, where a typo must not pass)."""
        for name in self.value:
            if name not in names:
                raise Malformed("json.unknown_member", where=self.at(name), name=name)
