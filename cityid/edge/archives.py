"""Zip archives of very many small files, made in parts that become one without being unpacked (PKWARE APPNOTE 6.3.3).

Entries are stored as they are: letters are compressed already, and offers are mostly chance. The same entries make the
same archive, byte for byte.
"""

from __future__ import annotations

import struct
import tempfile
import zlib
from collections.abc import Iterable
from typing import BinaryIO, Final, Self

from cityid.errors import Unavailable

__all__ = ["join", "pack"]

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR: Final = struct.Struct("<4sLQL")
_PLACE64: Final = struct.Struct("<2HQ")
_VERSION, _VERSION64, _UNIX = 20, 45, 3 << 8
_DATE: Final = 1 << 5 | 1  # 1 January 1980: when an entry was made says nothing about it
_PRIVATE: Final = 0o100600 << 16
_UTF8: Final = 1 << 11
_MOST: Final = 0xFFFFFFFF
_MANY: Final = 0xFFFF
_COPY: Final = 1 << 20
_IN_MEMORY: Final = 1 << 23


class _Directory:
    """What stands at the end of an archive: each entry and where it is. Longer than memory should be, perhaps."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # closed in `__exit__`
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *how: object) -> None:
        self._file.close()

    def add(self, name: bytes, flags: int, crc: int, size: int, place: int) -> None:
        extra = b"" if place < _MOST else _PLACE64.pack(1, 8, place)
        version = _VERSION64 if extra else _VERSION
        entry = _CENTRAL.pack(
            b"PK\1\2", _UNIX | version, version, flags, 0, 0, _DATE, crc, size, size, len(name), len(extra), 0, 0, 0,
            _PRIVATE, min(place, _MOST),
        )  # fmt: skip
        self._file.write(entry + name + extra)
        self._count += 1

    def write(self, into: BinaryIO, place: int) -> None:
        size = self._file.tell()
        self._file.seek(0)
        while data := self._file.read(_COPY):
            into.write(data)
        count = self._count
        if count >= _MANY or place >= _MOST or size >= _MOST:
            into.write(
                _END64.pack(b"PK\6\6", 44, _UNIX | _VERSION64, _VERSION64, 0, 0, count, count, size, place)
                + _LOCATOR.pack(b"PK\6\7", 0, place + size, 1)
            )
        count = min(count, _MANY)
        into.write(_END.pack(b"PK\5\6", 0, 0, count, count, min(size, _MOST), min(place, _MOST), 0))


def pack(into: BinaryIO, made: Iterable[tuple[str, bytes]]) -> None:
    """An archive of files by name, each less than 4 GiB."""
    with _Directory() as directory:
        place = 0
        for name_, data in made:
            name = name_.encode("utf-8")
            flags, crc, size = 0 if name_.isascii() else _UTF8, zlib.crc32(data), len(data)
            head = _LOCAL.pack(b"PK\3\4", _VERSION, flags, 0, 0, _DATE, crc, size, size, len(name), 0)
            into.write(head + name + data)
            directory.add(name, flags, crc, size, place)
            place += len(head) + len(name) + size
        directory.write(into, place)


def join(into: BinaryIO, parts: Iterable[BinaryIO]) -> None:
    """One archive of what `pack` made, entry after entry.

    Raises:
        Unavailable: `store.damaged`.
    """
    with _Directory() as directory:
        place = 0
        for part in parts:
            place += _take(part, into, directory, place)
        directory.write(into, place)


def _take(part: BinaryIO, into: BinaryIO, directory: _Directory, place: int) -> int:
    """Copy the entries of a part, which come to stand at `place`; how long they are."""
    part.seek(-_END.size, 2)
    mark, _, _, count, _, size, start, _ = _END.unpack(part.read(_END.size))
    if mark != b"PK\5\6" or count == _MANY or part.tell() != start + size + _END.size:
        raise Unavailable("store.damaged", kind="archive")
    part.seek(start)
    entries, at = part.read(size), 0
    for _ in range(count):
        _, _, _, flags, _, _, _, crc, length, _, named, _, _, _, _, _, where = _CENTRAL.unpack_from(entries, at)
        at += _CENTRAL.size
        directory.add(entries[at : at + named], flags, crc, length, place + where)
        at += named
    part.seek(0)
    left: int = start
    while left and (data := part.read(min(left, _COPY))):
        into.write(data)
        left -= len(data)
    return int(start)
