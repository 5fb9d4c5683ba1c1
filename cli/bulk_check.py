"""The first reading of a table, which checks every row and does nothing: here, or a block at a time in processes."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import bulk_rows, talk
from .bulk_work import Chunk, Worker, unswept

if TYPE_CHECKING:
    from cityid.bulk import Person
    from cityid.encoding.table import Place
    from cityid.errors import Problem

    from .bulk_pool import Pool, Said

Look = Callable[["Chunk", "Sequence[Person]", "Mapping[int, Sequence[str]]"], None]
"""Is shown a part, its people, and whom their letters are for."""
Step = Callable[[int], None]
ROWS = 1_000
"""Rows of a chunk."""
LISTED = 1_000
"""Refused rows that --json lists; all are in refused.csv."""
TWICE = 10_000
"""Rows of a table that may repeat others: more is another table than was meant."""


@dataclass(slots=True)
class Checked:
    """What the first reading found."""

    good: int = 0
    bad: int = 0
    told: list[tuple[int, Problem]] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)


@dataclass(slots=True)
class Found:
    """What a block of rows holds: the keys of good ones with their lines, what is wrong with others, and the lines that
    only their letters are wrong with. `people` and `addresses` stay in the process that read them."""

    block: Chunk
    end: int = 0
    keys: list[tuple[str, int]] = field(default_factory=list)
    wrong: list[tuple[int, Sequence[Problem]]] = field(default_factory=list)
    without: list[int] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    addresses: dict[int, Sequence[str]] = field(default_factory=dict)

    def take(self, worker: Worker, line: int, found: Person | tuple[Problem, ...], address: Sequence[str]) -> None:
        problems = found if isinstance(found, tuple) else _of_letter(worker, line, address)
        if problems:
            self.wrong.append((line, problems))
        if isinstance(found, tuple):
            return
        if problems:
            self.without.append(line)
        else:
            self.keys.append((found.key, line))
            self.people.append(found)
            self.addresses[line] = address


def check(
    worker: Worker, errors: Path | None, step: Step, look: Look | None = None, *, pool: Pool | None = None,
    keep: bool = False,
) -> Checked:  # fmt: skip
    """Every row checked; what is wrong goes to the file `errors`. `look` is shown the good ones, a chunk at a time, but
    for a pool. With `keep` the good rows are kept for whoever does their chunk."""
    checked = Checked()
    with unswept(), bulk_rows.Seen() as seen, _errors(errors) as wrong:
        for found in _here(worker) if pool is None else _apart(worker, pool, keep=keep):
            chunk = _close(checked, wrong, seen, found)
            if chunk is not None and pool is None:
                left = set(found.without)
                people = [person for person in found.people if person.line not in left] if left else found.people
                if look is not None:
                    look(chunk, people, found.addresses)
                if keep and not worker.run.done(chunk.number).exists():
                    worker.keep(worker.run.rows(chunk.number), people, found.addresses)
            elif keep:
                _take_over(worker, found, chunk)
            step(found.end)
    return checked


def _take_over(worker: Worker, found: Found, chunk: Chunk | None) -> None:
    """The rows that a process kept of a block are those of a chunk, which may have another number."""
    kept = worker.run.block(found.block.number)
    if chunk is not None and not worker.run.done(chunk.number).exists() and kept.exists():
        kept.replace(worker.run.rows(chunk.number))
    kept.unlink(missing_ok=True)


def _here(worker: Worker) -> Iterator[Found]:
    from cityid import limits
    from cityid.errors import Malformed

    with worker.table() as reading:
        reading.check_columns()
        last = reading.table.start
        rows, found = 0, _found(0, reading.table.start)
        for row, what, address in reading.people():
            rows += 1
            if rows > limits.TABLE_ROWS:
                raise Malformed("table.too_many_rows", limit=limits.TABLE_ROWS)
            found.take(worker, row.line, what, address)
            last = row.end
            if rows % ROWS == 0:
                found.end = last.offset
                yield found
                found = _found(rows // ROWS, last)
        if left := rows % ROWS:
            found.block, found.end = replace(found.block, rows=left), last.offset
            yield found


def _found(number: int, at: Place) -> Found:
    return Found(Chunk(number, at.offset, at.line, ROWS, 0))


def _apart(worker: Worker, pool: Pool, *, keep: bool) -> Iterator[Found]:
    """In the order of the table, whatever the order in which the processes have done with its blocks."""
    from . import bulk_pool

    with worker.table() as reading:
        reading.check_columns()
        ready: dict[int, Found] = {}
        number = 0
        for found in pool.each(partial(bulk_pool.check, keep=keep), _blocks(reading.table)):
            found.wrong = [(line, [bulk_pool.heard(one) for one in said]) for line, said in found.wrong]
            ready[found.block.number] = found
            while number in ready:
                yield ready.pop(number)
                number += 1


def several(worker: Worker) -> bool:
    """Has the table more than one block?"""
    with worker.table() as reading:
        return len(list(islice(reading.table.blocks(ROWS), 2))) == 2


def _blocks(table: Any) -> Iterator[Chunk]:
    from cityid import limits
    from cityid.errors import Malformed

    for number, (begun, rows, _) in enumerate(table.blocks(ROWS)):
        if number * ROWS + rows > limits.TABLE_ROWS:
            raise Malformed("table.too_many_rows", limit=limits.TABLE_ROWS)
        yield Chunk(number, begun.offset, begun.line, rows, 0)


def look_at(worker: Worker, block: Chunk, *, keep: bool) -> Found:
    """What is in a block, in a worker process: only keys and problems leave it, and good rows are kept on disk."""
    from .bulk_pool import said

    found = Found(block)
    with unswept(), worker.table() as reading:
        for row, what, address in reading.people(block):
            found.take(worker, row.line, what, address)
            found.end = row.end.offset
    if keep:
        worker.keep(worker.run.block(block.number), found.people, found.addresses)
    problems: list[tuple[int, list[Said]]] = [(line, [said(one) for one in wrong]) for line, wrong in found.wrong]
    found.people, found.addresses, found.wrong = [], {}, problems  # type: ignore[assignment]  # as they travel
    return found


def _close(checked: Checked, wrong: Any, seen: bulk_rows.Seen, found: Found) -> Chunk | None:
    """The end of a block: rows that repeat an earlier one are refused, and the others are a chunk."""
    from cityid.errors import Malformed, Problem

    for line, problems in found.wrong:
        checked.bad += 1
        for problem in problems:
            _note(checked, wrong, line, problem)
    repeated = seen.repeated(found.keys)
    for line, first in repeated:
        found.without.append(line)
        checked.bad += 1
        _note(checked, wrong, line, Problem("table.row_twice", {"first": first}))
    if seen.count > TWICE:
        raise Malformed("table.too_many_twice", limit=TWICE, found=seen.count)
    good, block = len(found.keys) - len(repeated), found.block
    checked.good += good
    if not good:
        return None
    # The block's number: with what is wrong on one day only, the others keep theirs.
    chunk = Chunk(block.number, block.offset, block.line, block.rows, good, tuple(found.without))
    checked.chunks.append(chunk)
    return chunk


def _of_letter(worker: Worker, line: int, address: Sequence[str]) -> tuple[Problem, ...]:
    refused = worker.letters.refused(address) if worker.letters else None
    return (replace(refused, where=f"line {line}"),) if refused else ()


@contextmanager
def _errors(path: Path | None) -> Iterator[Any]:
    if path is None:
        yield None
        return
    import io

    from cityid.edge import files

    with files.writing(path, force=True, private=True) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("line", "column", "rule", "what"))
        yield writer
        text.detach()


def _note(checked: Checked, wrong: Any, line: int, problem: Problem) -> None:
    if len(checked.told) < LISTED:
        checked.told.append((line, problem))
    if wrong is not None:
        from cityid.edge.messages import explain

        from .issue import safe

        told = explain(problem, private=True)
        wrong.writerow(
            (line, safe(talk.clean(problem.where.removeprefix("$."))), problem.code, safe(talk.clean(told.text)))
        )
