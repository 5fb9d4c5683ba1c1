"""CBOR (RFC 8949), read strictly and written deterministically (§4.2.1).

What cannot be understood in one way only is refused: duplicate keys, trailing bytes, tags that nobody here knows, keys
that are not integers or strings. Indefinite lengths and long forms of numbers are legal and are read; whoever hashes or
verifies does so over the bytes as received, never over what `write` makes of a value.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeAlias

from cityid import limits
from cityid.errors import Malformed

__all__ = ["TAGS", "UNDEFINED", "Cbor", "Simple", "Tag", "member", "read", "write"]

Cbor: TypeAlias = Any
"""int, float, bytes, str, bool, None, list, dict, Tag, Simple."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag and its content, which is not interpreted (§3.4)."""

    number: int
    value: Cbor


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple value that has no meaning here (§3.3)."""

    number: int


UNDEFINED: Final = Simple(23)
TAGS: Final = frozenset({0, 2, 3, 18, 24, 1004})
"""Tags that are read where the caller names none: date-time text, integers of any size, COSE_Sign1, embedded CBOR,
full-date."""

_BREAK: Final = object()
_CONSTANTS: Final[Mapping[int, Cbor]] = {20: False, 21: True, 22: None, 23: UNDEFINED}
_FLOATS: Final = {25: struct.Struct(">e"), 26: struct.Struct(">f"), 27: struct.Struct(">d")}
_WIDTHS: Final = {24: 1, 25: 2, 26: 4, 27: 8}
_KEYS: Final = (int, str, bytes)
_INDEFINITE: Final = -1


def read(data: bytes, *, where: str = "", tags: frozenset[int] = TAGS, limit: int = limits.DOCUMENT) -> Cbor:
    """The one item in `data`. Integers of any written size are ints, tags 2 and 3 included; maps are dicts.

    Raises:
        Malformed: `cbor.*`, with the offset in bytes.
    """
    if len(data) > limit:
        raise Malformed("cbor.too_large", where=where, limit=limit, size=len(data))
    reader = _Reader(data, tags, where)
    value = reader.item(0)
    if value is _BREAK:
        reader.wrong(0)
    if reader.at != len(data):
        raise Malformed("cbor.trailing", where=where, spec="RFC 8949 §5.1", offset=reader.at)
    return value


class _Reader:
    """One pass over the bytes. No length that is announced is believed: strings are cut from what is there, and
    containers grow by what was read."""

    __slots__ = ("at", "data", "nodes", "tags", "where")

    def __init__(self, data: bytes, tags: frozenset[int], where: str) -> None:
        self.data = data
        self.tags = tags
        self.where = where
        self.at = 0
        self.nodes = 0

    def wrong(self, offset: int) -> NoReturn:
        raise Malformed("cbor.syntax", where=self.where, spec="RFC 8949 §3", offset=offset)

    def truncated(self) -> NoReturn:
        raise Malformed("cbor.truncated", where=self.where, spec="RFC 8949 §3", offset=len(self.data))

    def item(self, depth: int) -> Cbor:
        """The next item, or _BREAK."""
        start = self.at
        self.nodes += 1
        if self.nodes > limits.NODES:
            raise Malformed("cbor.too_many_values", where=self.where, limit=limits.NODES)
        if depth > limits.DEPTH:
            raise Malformed("cbor.too_deep", where=self.where, limit=limits.DEPTH)
        major, info, argument = self.head()
        if major == 0:
            return argument
        if major == 1:
            return -1 - argument
        if major <= 3:
            return self.string(major, argument, start)
        if major == 4:
            return self.array(argument, depth)
        if major == 5:
            return self.map(argument, depth)
        if major == 6:
            return self.tag(argument, depth, start)
        return self.simple(info, argument, start)

    def head(self) -> tuple[int, int, int]:
        """Major type, additional information and argument (§3): _INDEFINITE where the length is not announced."""
        start = self.at
        if start >= len(self.data):
            self.truncated()
        first = self.data[start]
        major, info = first >> 5, first & 31
        self.at = start + 1
        if info < 24:
            return major, info, info
        width = _WIDTHS.get(info)
        if width is None:
            if info != 31 or major in (0, 1, 6):
                self.wrong(start)
            return major, info, _INDEFINITE
        return major, info, int.from_bytes(self.take(width), "big")

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            self.truncated()
        part = self.data[self.at : end]
        self.at = end
        return part

    def string(self, major: int, length: int, start: int) -> bytes | str:
        if length != _INDEFINITE:
            part = self.take(length)
            return part if major == 2 else self.text(part, start)
        parts = []
        while True:
            at = self.at
            chunk, info, size = self.head()
            if (chunk, info) == (7, 31):
                break
            if chunk != major or size == _INDEFINITE:  # §3.2.3: chunks of the same type and of definite length
                self.wrong(at)
            parts.append(self.string(major, size, at))
        return b"".join(parts) if major == 2 else "".join(parts)  # type: ignore[arg-type]  # all parts are of one type

    def text(self, part: bytes, start: int) -> str:
        try:
            return part.decode("utf-8")
        except UnicodeDecodeError as error:
            offset = start + error.start
            raise Malformed("cbor.not_utf8", where=self.where, spec="RFC 8949 §3.1", offset=offset) from None

    def array(self, count: int, depth: int) -> list[Cbor]:
        items: list[Cbor] = []
        while count:
            at = self.at
            value = self.item(depth + 1)
            if value is _BREAK:
                if count > 0:
                    self.wrong(at)
                break
            items.append(value)
            count -= 1
        return items

    def map(self, count: int, depth: int) -> dict[Cbor, Cbor]:
        members: dict[Cbor, Cbor] = {}
        while count:
            at = self.at
            key = self.item(depth + 1)
            if key is _BREAK:
                if count > 0:
                    self.wrong(at)
                break
            # A float or a boolean would be the same key as an integer, here and in other languages.
            if type(key) not in _KEYS:
                raise Malformed("cbor.key", where=self.where, spec="RFC 8949 §5.6", offset=at)
            if key in members:
                raise Malformed("cbor.duplicate", where=self.where, spec="RFC 8949 §5.6", offset=at)
            at = self.at
            value = self.item(depth + 1)
            if value is _BREAK:
                self.wrong(at)
            members[key] = value
            count -= 1
        return members

    def tag(self, number: int, depth: int, start: int) -> Cbor:
        if number not in self.tags:
            raise Malformed("cbor.tag", where=self.where, spec="RFC 8949 §3.4", tag=number, offset=start)
        at = self.at
        value = self.item(depth + 1)
        if value is _BREAK:
            self.wrong(at)
        if number not in (2, 3):
            return Tag(number, value)
        if type(value) is not bytes:
            raise Malformed("cbor.big_integer", where=self.where, spec="RFC 8949 §3.4.3", offset=at)
        if len(value) > limits.BIG_INTEGER:
            raise Malformed("cbor.integer_too_large", where=self.where, limit=limits.BIG_INTEGER, size=len(value))
        big = int.from_bytes(value, "big")
        return big if number == 2 else -1 - big

    def simple(self, info: int, argument: int, start: int) -> Cbor:
        if info == 31:
            return _BREAK
        if info in _FLOATS:
            width = _FLOATS[info].size
            return _FLOATS[info].unpack(argument.to_bytes(width, "big"))[0]
        if info == 24 and argument < 32:  # §3.3: no second form of what one byte says
            self.wrong(start)
        return _CONSTANTS[argument] if argument in _CONSTANTS else Simple(argument)


_TYPES: Final[Mapping[type, str]] = {
    int: "integer", bytes: "byte string", str: "text string", list: "array", dict: "map", float: "float",
    bool: "boolean", type(None): "null", Tag: "tag", Simple: "simple value",
}  # fmt: skip


def member(members: Mapping[Cbor, Cbor], key: int | str, kind: type, where: str) -> Any:
    """The member `key`, which must be there and of type `kind`.

    Raises:
        Malformed: `cbor.missing`, `cbor.wrong_type`.
    """
    place = f"{where}.{key}"
    if key not in members:
        raise Malformed("cbor.missing", where=place, name=key)
    value = members[key]
    if type(value) is not kind:
        raise Malformed("cbor.wrong_type", where=place, expected=_TYPES[kind], found=_TYPES[type(value)])
    return value


# -- writing --


def write(value: Cbor) -> bytes:
    """Deterministic CBOR: shortest forms, definite lengths, keys in the order of their encoded bytes (§4.2.1).

    Raises:
        Malformed: `cbor.not_cbor`, for a value that has no form here.
    """
    parts: list[bytes] = []
    try:
        _write(value, parts.append)
    except RecursionError:
        raise Malformed("cbor.not_cbor", found="nested too deeply") from None
    return b"".join(parts)


def head(major: int, argument: int) -> bytes:
    """The first bytes of an item, in their shortest form."""
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, width in _WIDTHS.items():
        if argument < 1 << (8 * width):
            return bytes([major << 5 | info]) + argument.to_bytes(width, "big")
    raise Malformed("cbor.not_cbor", found="a number over 64 bits")


def _write(value: Cbor, put: Callable[[bytes], None]) -> None:
    kind = type(value)
    writer = _WRITERS.get(kind)
    if writer is None:
        raise Malformed("cbor.not_cbor", found=kind.__name__)
    writer(value, put)


def _write_integer(value: int, put: Callable[[bytes], None]) -> None:
    major, argument = (0, value) if value >= 0 else (1, -1 - value)
    if argument >> 64:  # §3.4.3
        put(b"\xc2" if value >= 0 else b"\xc3")
        _write(argument.to_bytes((argument.bit_length() + 7) // 8, "big"), put)
    else:
        put(head(major, argument))


def _write_bytes(value: bytes, put: Callable[[bytes], None]) -> None:
    put(head(2, len(value)))
    put(value)


def _write_text(value: str, put: Callable[[bytes], None]) -> None:
    try:
        text = value.encode("utf-8")
    except UnicodeEncodeError:
        raise Malformed("cbor.not_cbor", found="a lone surrogate") from None
    put(head(3, len(text)))
    put(text)


def _write_array(value: Sequence[Cbor], put: Callable[[bytes], None]) -> None:
    put(head(4, len(value)))
    for item in value:
        _write(item, put)


def _write_map(value: Mapping[Cbor, Cbor], put: Callable[[bytes], None]) -> None:
    put(head(5, len(value)))
    for key, item in sorted(((write(key), item) for key, item in value.items()), key=lambda pair: pair[0]):
        put(key)
        _write(item, put)


def _write_float(value: float, put: Callable[[bytes], None]) -> None:
    """The shortest form that keeps the value (§4.1); there is one NaN."""
    if math.isnan(value):
        put(b"\xf9\x7e\x00")
        return
    for info, form in _FLOATS.items():
        try:
            packed = form.pack(value)
        except OverflowError:
            continue
        if form.unpack(packed)[0] == value:
            put(bytes([7 << 5 | info]) + packed)
            return


def _write_tag(value: Tag, put: Callable[[bytes], None]) -> None:
    put(head(6, value.number))
    _write(value.value, put)


_WRITERS: Final[Mapping[type, Callable[[Any, Callable[[bytes], None]], None]]] = {
    int: _write_integer,
    bytes: _write_bytes,
    str: _write_text,
    list: _write_array,
    tuple: _write_array,
    dict: _write_map,
    float: _write_float,
    bool: lambda value, put: put(b"\xf5" if value else b"\xf4"),
    type(None): lambda _, put: put(b"\xf6"),
    Tag: _write_tag,
    Simple: lambda value, put: put(head(7, value.number)),
}
