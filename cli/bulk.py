"""`cityid issue TYPE --from FILE`: many people's cards from one table, which is read twice, a row at a time.

The first reading checks every row and does nothing; the second works in chunks, here or in worker processes. What is
needed to go on after a crash stands in the folder that the results go to, until the run is over.
"""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import bulk_rows, talk
from .bulk_work import RUN, Chunk, Run, Worker, begin, do, expected, opened, unswept

if TYPE_CHECKING:
    from cityid.bulk import Person
    from cityid.clerks import Clerk
    from cityid.errors import Problem

    from .home import Home

Look = Callable[["Chunk", "Sequence[Person]", "Mapping[int, Sequence[str]]"], None]
"""Is shown a part, its people, and whom their letters are for."""
ROWS = 1_000
"""Rows of a chunk."""
TOLD = 20
LISTED = 1_000
"""Refused rows that --json lists; all are in refused.csv."""
TWICE = 10_000
"""Rows of a table that may repeat others: more is another table than was meant."""
KILLED = 20
"""Times that the pool is made again after a worker was killed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    type: str
    table: Path
    folder: Path | None
    clerk: Clerk
    signed: bool = False
    letters: bool = False
    archive: bool = False
    dry_run: bool = False
    key: str = ""
    person: str = ""
    round: str = ""
    days: int = 28
    workers: int = 1
    queue: bool = False


@dataclass(slots=True)
class Checked:
    """What the first reading found."""

    good: int = 0
    bad: int = 0
    told: list[tuple[int, Problem]] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)


def many(here: Home, wanted: Wanted, passphrase_fd: int | None, *, json_: bool) -> int:
    """Check every row, then offer or sign for the good ones; the others are listed in `refused.csv`."""
    from cityid.edge import files, outputs
    from cityid.errors import Misuse

    if wanted.letters and wanted.signed:
        raise Misuse("bulk.letters_signed")
    if wanted.dry_run:
        run = _new(wanted, Path(os.devnull))
        return _dry(Worker(here, run, _passphrase(here, passphrase_fd)), json_=json_)
    if wanted.folder is None:
        raise Misuse("issue.no_folder")
    folder, place = wanted.folder, wanted.folder / RUN
    if folder.exists() and not place.exists() and any(folder.iterdir()):
        raise Misuse("issue.folder_not_empty", folder=str(folder))
    run = _new(wanted, folder)
    if wanted.queue:
        from .bulk_queue import store_of

        store_of(here).close()  # that there is one, before all rows are checked
    passphrase = _passphrase(here, passphrase_fd)
    with _folder(folder), outputs.locked(place / "lock"):
        run = _begun(run)
        worker = Worker(here, run, passphrase)
        checked = _check(worker, place / "refused.csv", None if wanted.queue else worker.keep)
        if not (place / "run.json").exists():
            files.write(place / "run.json", run.write(), private=True)
        counts = _work(here, worker, checked, passphrase, wanted)
        _finish(run, checked)
    return _report(run, checked, counts, json_=json_)


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """The folder of a run. Until one has begun, nothing stays of it."""
    from cityid.edge.files import of_the_system

    place = folder / RUN
    made = not folder.exists()
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        place.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise of_the_system(error, folder) from None
    try:
        yield
    finally:
        if place.exists() and not (place / "run.json").exists():
            shutil.rmtree(place)
            if made and not any(folder.iterdir()):
                folder.rmdir()


def _passphrase(here: Home, fd: int | None) -> str:
    return talk.secret(f"Passphrase for {here.text('keys')}", fd)


def _new(wanted: Wanted, folder: Path) -> Run:
    import secrets

    from cityid.edge import clock
    from cityid.encoding import times

    from .registers import key

    at = clock.now()
    digest = hashlib.sha256()
    with opened(str(wanted.table)) as file:
        expected(file)
        while data := file.read(1 << 20):
            digest.update(data)
    return Run(
        name=key(), seed=_text(secrets.token_bytes(32)), table=str(wanted.table.resolve()),
        digest=_text(digest.digest()),
        form="jsonl" if wanted.table.suffix == ".jsonl" else "csv", folder=str(folder.resolve()), type=wanted.type,
        signed=wanted.signed, letters=wanted.letters, archive=wanted.archive, key=wanted.key, person=wanted.person,
        round=wanted.round, at=times.numeric(at), until=times.numeric(at + timedelta(days=wanted.days)),
        by=wanted.clerk.name, department=wanted.clerk.department,
    )  # fmt: skip


def _text(data: bytes) -> str:
    from cityid.encoding import base64url

    return base64url.encode(data)


def _begun(run: Run) -> Run:
    """The run that was begun in this folder, or this one.

    Raises:
        Misuse: `bulk.other_run`.
    """
    from cityid.edge import files
    from cityid.encoding import times
    from cityid.errors import Misuse

    path = run.place / "run.json"
    if not path.exists():
        return run
    found = Run.read(files.read_home_file(path))
    if not found.same(run):
        raise Misuse("bulk.other_run", folder=run.folder)
    done = len(list(found.place.glob("done-*.json")))
    talk.say(f"Going on with the run of {times.read_numeric(found.at):%d %b %Y %H:%M} UTC; parts done before: {done}.")
    # The table may have been moved since; that it is the same was just compared.
    return replace(found, table=run.table)


# -- the first reading --


def _check(worker: Worker, errors: Path | None, look: Look | None = None) -> Checked:
    """Every row checked; what is wrong goes to the file `errors`. `look` is shown the good ones, a chunk at a time."""
    from cityid import limits
    from cityid.errors import Malformed

    checked = Checked()
    people: list[Person] = []
    addresses: dict[int, Sequence[str]] = {}
    rows, without = 0, []
    size = os.path.getsize(worker.run.table)
    with unswept(), bulk_rows.Seen() as seen, worker.table() as reading, _progress("checked", size) as step:
        reading.check_columns()
        begun = last = reading.table.start
        with _errors(errors) as wrong:
            for row, found, address in reading.people():
                rows += 1
                if rows > limits.TABLE_ROWS:
                    raise Malformed("table.too_many_rows", limit=limits.TABLE_ROWS)
                problems = found if isinstance(found, tuple) else _of_letter(worker, row.line, address)
                if not isinstance(found, tuple):
                    if problems:
                        without.append(row.line)
                    else:
                        people.append(found)
                        addresses[found.line] = address
                for problem in problems:
                    _note(checked, wrong, row.line, problem)
                checked.bad += bool(problems)
                last = row.end
                if rows % ROWS == 0:
                    _close(checked, wrong, seen, people, addresses, without, begun, rows, look)
                    people, addresses, without, begun = [], {}, [], row.end
                    step(row.end.offset)
            left = rows % ROWS
            if left:
                _close(checked, wrong, seen, people, addresses, without, begun, left, look)
        step(last.offset)
    return checked


def _close(
    checked: Checked, wrong: Any, seen: bulk_rows.Seen, people: list[Person], addresses: Mapping[int, Sequence[str]],
    without: list[int], begun: Any, rows: int, look: Look | None,
) -> None:  # fmt: skip
    """The end of a chunk: rows that repeat an earlier one are refused."""
    from cityid.errors import Malformed, Problem

    for person, first in seen.repeated(people):
        without.append(person.line)
        checked.bad += 1
        _note(checked, wrong, person.line, Problem("table.row_twice", {"first": first}))
        if (found := seen.count) > TWICE:
            raise Malformed("table.too_many_twice", limit=TWICE, found=found)
    people = [person for person in people if person.line not in without] if without else people
    checked.good += len(people)
    if people:
        rows = ROWS if rows % ROWS == 0 else rows
        chunk = Chunk(len(checked.chunks), begun.offset, begun.line, rows, len(people), tuple(without))
        checked.chunks.append(chunk)
        if look is not None:
            look(chunk, people, addresses)


def _of_letter(worker: Worker, line: int, address: Sequence[str]) -> tuple[Problem, ...]:
    from cityid.errors import Problem

    if worker.letters is None:
        return ()
    missing = worker.letters.missing("".join(address))
    return (Problem("letter.character", {"character": f"U+{ord(missing):04X}"}, f"line {line}"),) if missing else ()


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


# -- the second reading --


def _work(here: Home, worker: Worker, checked: Checked, passphrase: str, wanted: Wanted) -> Mapping[str, int]:
    from cityid.edge import files
    from cityid.encoding import json

    run, counts = worker.run, {"made": 0, "known": 0}
    left = []
    with _progress("signed" if run.signed else "offered", checked.good, "rows") as step:
        so_far = 0

        def add(chunk: Chunk, found: Mapping[str, int]) -> None:
            nonlocal so_far
            so_far += chunk.good
            for name in counts:
                counts[name] += found[name]
            step(so_far)

        for chunk in checked.chunks:
            if run.done(chunk.number).exists():
                add(chunk, json.read_object(files.read_home_file(run.done(chunk.number))))
            else:
                left.append(chunk)
        if wanted.queue:
            from .bulk_queue import in_cluster

            in_cluster(here, worker, left, add)
        elif wanted.workers == 1 or len(left) < 2:
            for chunk in left:
                add(chunk, worker.do(chunk))
        else:
            _in_processes(here, run, left, passphrase, wanted.workers, add)
    return counts


def _in_processes(
    here: Home, run: Run, left: Sequence[Chunk], passphrase: str, workers: int,
    add: Callable[[Chunk, Mapping[str, int]], None],
) -> None:  # fmt: skip
    """The chunks in a pool of processes, which is made again when one of them was killed: what it had done is done."""
    from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    from cityid.errors import Unavailable

    from .state import STATE

    todo = {chunk.number: chunk for chunk in left}
    given = (here, run, passphrase, STATE.known.get("password"))
    for _ in range(KILLED):
        pool = ProcessPoolExecutor(workers, get_context("spawn"), begin, given)
        try:
            waiting: set[Future[Any]] = set()
            coming = iter(list(todo.values()))
            while todo:
                for chunk in coming:
                    waiting.add(pool.submit(do, chunk))
                    if len(waiting) >= 2 * workers:
                        break
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    chunk, found, wrong = future.result()
                    if wrong is not None:
                        raise _again(wrong)
                    del todo[chunk.number]
                    add(chunk, found)
            return
        except BrokenProcessPool:
            talk.say("A worker process was killed; going on with another.")
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    raise Unavailable("bulk.workers", count=KILLED)


def _again(wrong: tuple[str, Mapping[str, Any]]) -> Exception:
    from cityid import errors

    kind, said = wrong
    problem = errors.Problem(said["code"], said["facts"], said["where"], said["spec"])
    made: Exception = getattr(errors, kind)(problem)
    return made


def _finish(run: Run, checked: Checked) -> None:
    """Parts become one file; then nothing is left that could make codes again."""
    from cityid.edge import outputs

    folder = Path(run.folder)
    parts = (run.part(chunk.number) for chunk in checked.chunks)
    if run.signed:
        outputs.together(folder / "cards.jsonl", parts)
    elif run.archive:
        outputs.together(folder / ("letters.zip" if run.letters else "offers.zip"), parts)
    if checked.bad:
        (run.place / "refused.csv").replace(folder / "refused.csv")
    (run.place / "run.json").unlink()
    shutil.rmtree(run.place)


# -- what is said --


def _dry(worker: Worker, *, json_: bool) -> int:
    from cityid.bulk import differs

    counts = {"new": 0, "same": 0, "changed": 0}
    changed: list[int] = []

    def look(chunk: Chunk, people: Sequence[Person], addresses: Mapping[int, Sequence[str]]) -> None:
        found = differs(people, worker.issuer)
        for name in counts:
            counts[name] += len(found[name])
        changed.extend(person.line for person in found["changed"][: LISTED - len(changed)])

    checked = _check(worker, None, look)
    if json_:
        talk.give({
            "dry_run": True, **counts, "changed_lines": changed, "refused_rows": checked.bad,
            "refused": _listed(checked),
        })  # fmt: skip
    talk.say(
        f"Nothing was done. {counts['new']} new, {counts['same']} issued before, {counts['changed']} changed since."
    )
    if changed:
        talk.say(f"  changed: line {', '.join(map(str, changed[:TOLD]))}{' ...' if len(changed) > TOLD else ''}")
    if checked.bad:
        talk.say(f"{checked.bad} would be refused")
        _tell(checked)
    return talk.NO if checked.bad else talk.DONE


def _report(run: Run, checked: Checked, counts: Mapping[str, int], *, json_: bool) -> int:
    from cityid.encoding import times

    folder = Path(run.folder)
    made, known = counts["made"], counts["known"]
    what = "cards" if run.signed else "offers"
    if json_:
        talk.give({what: made, "known": known, "refused_rows": checked.bad, "refused": _listed(checked)})
    shown = talk.clean(os.path.relpath(folder))
    noun = what.removesuffix("s") if made == 1 else what
    if run.signed:
        talk.say(f"{made} {noun} written to {shown}/cards.jsonl. They hold personal data.")
    else:
        until = times.read_numeric(run.until)
        talk.say(f"{made} {noun} written to {shown}/, good until {until:%d %b %Y}. They are as good as the cards.")
    if known:
        talk.say(f"{known} issued before, left alone")
    if checked.bad:
        talk.say(f"{checked.bad} refused, listed in {shown}/refused.csv, which holds personal data")
        _tell(checked)
    return talk.NO if checked.bad else talk.DONE


def _listed(checked: Checked) -> list[dict[str, Any]]:
    return [{"line": line, **talk.as_json(problem)} for line, problem in checked.told]


def _tell(checked: Checked) -> None:
    from cityid.edge.messages import explain

    rows = [
        (f"  line {line}", talk.clean(explain(problem, private=True).text), f"({talk.clean(problem.code)})")
        for line, problem in checked.told[:TOLD]
    ]
    for text in talk.columns(rows):
        talk.say(text)
    if len(checked.told) > TOLD:
        talk.say("  and more")


@contextmanager
def _progress(what: str, total: int, unit: str = "bytes") -> Iterator[Callable[[int], None]]:
    """A bar with rate and time left, where somebody looks."""
    if not talk.on_terminal():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(what), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total or 1, rate="")

        def step(done: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, completed=done, rate=f"{speed:,.0f} {unit}/s" if speed else "")

        yield step
