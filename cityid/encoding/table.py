"""Tables as city halls keep them, read a row at a time: CSV (RFC 4180) and JSON Lines, in UTF-8.

A CSV file may begin with a byte order mark and be separated by commas, semicolons or tabs, as spreadsheets write it:
its first line, which names the columns, says which. Every row has as many cells as there are columns. Cells are taken
as they are: a formula is text. Reading can begin again behind any row, so that many can share a file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal, TypeAlias

from cityid import limits
from cityid.encoding import json
from cityid.errors import Malformed, Problem

__all__ = ["Form", "Place", "Row", "Table"]

Form: TypeAlias = Literal["csv", "jsonl"]
_MARK: Final = b"\xef\xbb\xbf"
_SEPARATORS: Final = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class Place:
    """Between two rows: bytes from the start of the file, and how many lines are before it."""

    offset: int
    line: int


@dataclass(frozen=True, slots=True)
class Row:
    """One row, and the line it ends in: the cells in the order of the columns, or a JSON object; `problem` is why it is
    neither. `end` is where the next row begins."""

    line: int
    data: list[str] | dict[str, json.Json]
    end: Place
    problem: Problem | None = None


class _Lines:
    """The lines of a file as text, and how far they were taken."""

    __slots__ = ("file", "line", "offset", "since")

    def __init__(self, file: BinaryIO, at: Place) -> None:
        self.file, self.offset, self.line, self.since = file, at.offset, at.line, at.offset
        file.seek(at.offset)

    def raw(self) -> bytes:
        found = self.file.readline(limits.TABLE_ROW + 1)
        self.offset += len(found)
        self.line += 1
        # A quote that is never closed would make one row of all that follows.
        if self.offset - self.since > limits.TABLE_ROW:
            raise Malformed("table.row_too_long", where=f"line {self.line}", limit=limits.TABLE_ROW)
        return found

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        found = self.raw()
        if not found:
            raise StopIteration
        try:
            return found.decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("table.not_utf8", where=f"line {self.line}") from None

    def place(self) -> Place:
        return Place(self.offset, self.line)


class Table:
    """A table in an open file that can be sought in.

    Raises:
        Malformed: `table.columns`, `table.row`, `table.row_too_long`, `table.not_utf8`.
    """

    def __init__(self, file: BinaryIO, form: Form) -> None:
        self._file, self.form = file, form
        self.columns: tuple[str, ...] = ()
        self.separator = ","
        self.start = Place(0, 0)
        if form == "csv":
            self._head()

    def _head(self) -> None:
        lines = _Lines(self._file, Place(0, 0))
        if self._file.read(len(_MARK)) == _MARK:
            lines.offset = lines.since = len(_MARK)
        self._file.seek(lines.offset)
        first = next(lines, "")
        self.separator = next((each for each in _SEPARATORS if each in first), ",")
        try:
            names = next(csv.reader([first], delimiter=self.separator, strict=True), [])
        except csv.Error:
            raise Malformed("table.columns", where="line 1") from None
        if not names or len(set(names)) != len(names) or "" in names or len(names) > limits.TABLE_COLUMNS:
            raise Malformed("table.columns", where="line 1")
        self.columns = tuple(names)
        self.start = lines.place()

    def rows(self, at: Place | None = None) -> Iterator[Row]:
        """The rows from `at` on (by default all); lines without anything are passed over.

        Raises:
            Malformed: `table.row` (a quote that is wrong: nothing after it can be trusted), `table.row_too_long`,
                `table.not_utf8`.
        """
        lines = _Lines(self._file, at or self.start)
        return self._cells(lines) if self.form == "csv" else self._objects(lines)

    def blocks(self, size: int) -> Iterator[tuple[Place, int, Place]]:
        """Where each block of `size` rows begins, how many rows it has, and where it ends: what `rows` counts, without
        looking at what is in them.

        Raises:
            As `rows`.
        """
        lines = _Lines(self._file, self.start)
        begun, count, end = self.start, 0, self.start
        for _ in self._counted(lines):
            count, end = count + 1, lines.place()
            if count == size:
                yield begun, count, end
                begun, count = end, 0
        if count:
            yield begun, count, end

    def _counted(self, lines: _Lines) -> Iterator[object]:
        if self.form == "jsonl":
            while found := lines.raw():
                lines.since = lines.offset
                if found.strip(b" \t\r\n"):
                    yield found
            return
        reader = csv.reader(lines, delimiter=self.separator, strict=True)
        first = lines.line + 1
        try:
            for cells in reader:
                lines.since, first = lines.offset, lines.line + 1
                if cells:
                    yield cells
        except csv.Error:
            raise Malformed("table.row", where=f"line {first}") from None

    def _cells(self, lines: _Lines) -> Iterator[Row]:
        width = len(self.columns)
        reader = csv.reader(lines, delimiter=self.separator, strict=True)
        while True:
            first = lines.line + 1
            try:
                cells = next(reader, None)
            except csv.Error:
                raise Malformed("table.row", where=f"line {first}") from None
            if cells is None:
                return
            lines.since = lines.offset
            if len(cells) == width:
                yield Row(lines.line, cells, lines.place())
            elif cells:
                yield Row(lines.line, [], lines.place(), Problem("table.row"))

    @staticmethod
    def _objects(lines: _Lines) -> Iterator[Row]:
        while found := lines.raw():
            lines.since = lines.offset
            if not found.strip(b" \t\r\n"):
                continue
            problem = None
            data: dict[str, json.Json] = {}
            try:
                data = json.read_object(found)
            except Malformed as error:
                problem = error.problem
            yield Row(lines.line, data, lines.place(), problem)
