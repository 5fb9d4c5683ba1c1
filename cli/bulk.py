"""`cityid issue TYPE --from FILE`: many people's cards from one table, which is read twice, a row at a time.

The first reading checks every row and does nothing; the second works in chunks, here or in worker processes. What is
needed to go on after a crash stands in the folder that the results go to, until the run is over.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import bulk_asked, registers, talk
from .bulk_check import LISTED, Checked, check, several
from .bulk_work import RUN, Chunk, Counts, Run, Worker, expected, opened

if TYPE_CHECKING:
    from cityid.bulk import Person
    from cityid.clerks import Clerk

    from .bulk_pool import Pool
    from .home import Home

TOLD = 20


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
    format: str = ""


def many(here: Home, wanted: Wanted, passphrase_fd: int | None, *, json_: bool) -> int:
    """Check every row, then offer or sign for the good ones; the others are listed in `refused.csv`."""
    from cityid.edge import files, outputs
    from cityid.errors import Misuse

    if wanted.letters and wanted.signed:
        raise Misuse("bulk.letters_signed")
    four_eyes = wanted.type in registers.names(here, "four_eyes")
    if wanted.dry_run:
        run = _new(wanted, Path(os.devnull), four_eyes=four_eyes)
        return _dry(Worker(here, run, _passphrase(here, passphrase_fd)), json_=json_)
    if wanted.folder is None:
        raise Misuse("issue.no_folder")
    folder, place = wanted.folder, wanted.folder / RUN
    if folder.exists() and not place.exists() and any(folder.iterdir()):
        raise Misuse("issue.folder_not_empty", folder=str(folder))
    run = _new(wanted, folder, four_eyes=four_eyes)
    if wanted.queue:
        from .bulk_queue import store_of

        store_of(here).close()  # that there is one, before all rows are checked
    passphrase = _passphrase(here, passphrase_fd)
    with _folder(folder), outputs.locked(place / "lock"):
        run = _begun(run)
        if run.asked:
            run = bulk_asked.approved(here, run)
        worker = Worker(here, run, passphrase)
        with _pool(here, worker, passphrase, wanted.workers) as pool:
            with _progress("checked", os.path.getsize(run.table)) as step:
                checked = check(worker, place / "refused.csv", step, pool=pool, keep=not wanted.queue)
            if not (place / "run.json").exists():
                files.write(place / "run.json", run.write(), private=True)
            counts = _work(here, worker, checked, pool, queue=wanted.queue)
        if run.asks:
            return _asked(here, run, wanted, checked, counts, json_=json_)
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


def _new(wanted: Wanted, folder: Path, *, four_eyes: bool = False) -> Run:
    import secrets

    from cityid.edge import clock
    from cityid.encoding import times
    from cityid.issuing import APPROVAL_AGE

    from .registers import key

    at = clock.now()
    # Whoever approves has their time, and then the offers wait as long as they were to.
    until = at + timedelta(days=wanted.days) + (APPROVAL_AGE if four_eyes else timedelta())
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
        round=wanted.round, at=times.numeric(at), until=times.numeric(until),
        by=wanted.clerk.name, department=wanted.clerk.department, four_eyes=four_eyes,
        format=wanted.format,
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


# -- the second reading --


def _pool(here: Home, worker: Worker, passphrase: str, workers: int) -> AbstractContextManager[Pool | None]:
    """None for a table that one process has done before others have begun."""
    if workers == 1 or not several(worker):
        return nullcontext()
    from .bulk_pool import Pool

    return Pool(here, worker.run, passphrase, workers)


def _work(here: Home, worker: Worker, checked: Checked, pool: Pool | None, *, queue: bool) -> Counts:
    from cityid.edge import files
    from cityid.encoding import json

    run, counts = worker.run, {"made": 0, "known": 0}
    left, batches = [], {}
    doing = "asked for" if run.asks else "signed" if run.signed else "offered"
    with _progress(doing, checked.good, "rows") as step:
        so_far = 0

        def add(chunk: Chunk, found: Counts) -> None:
            nonlocal so_far
            so_far += chunk.good
            for name in counts:
                counts[name] += found[name]
            if found.get("batch"):
                batches[chunk.number] = found["batch"]
            step(so_far)

        for chunk in checked.chunks:
            if run.done(chunk.number).exists():
                add(chunk, json.read_object(files.read_home_file(run.done(chunk.number))))
            else:
                left.append(chunk)
        if queue:
            from .bulk_queue import in_cluster

            in_cluster(here, worker, left, add)
        elif pool is None or len(left) < 2:
            for chunk in left:
                add(chunk, worker.do(chunk))
        else:
            from .bulk_pool import do

            for chunk, found in pool.each(do, left):
                add(chunk, found)
    return {**counts, "batches": batches}


def _finish(run: Run, checked: Checked) -> None:
    """Parts become one file; then nothing is left that could make codes again."""
    from cityid.edge import outputs

    folder = Path(run.folder)
    _tell_refused(run, checked)
    parts = (run.part(chunk.number) for chunk in checked.chunks)
    if run.signed:
        outputs.together(folder / "cards.jsonl", parts)
    elif run.archive:
        outputs.together(folder / ("letters.zip" if run.letters else "offers.zip"), parts)
    _over(run)


def _tell_refused(run: Run, checked: Checked) -> None:
    if checked.bad:
        (run.place / "refused.csv").replace(Path(run.folder) / "refused.csv")


def _over(run: Run) -> None:
    (run.place / "run.json").unlink()
    shutil.rmtree(run.place)


def _asked(here: Home, run: Run, wanted: Wanted, checked: Checked, counts: Counts, *, json_: bool) -> int:
    """Another clerk is asked for what was recorded."""
    number = bulk_asked.ask(here, run, wanted.table.name, counts) if counts["made"] else ""
    _tell_refused(run, checked)
    if not number:
        _over(run)
    if json_:
        talk.give({
            "number": number, "asked": counts["made"], "known": counts["known"], "refused_rows": checked.bad,
            "refused": _listed(checked),
        })  # fmt: skip
    if number:
        talk.say(f"Nothing is signed. Another clerk must say yes to {counts['made']} cards: cityid approve {number}")
        talk.say("Then type the same command again.")
    else:
        talk.say("Nothing new is asked for.")
    _told(run, checked, counts["known"])
    if number and not json_:
        talk.out(number)
    return talk.NO if checked.bad else talk.DONE


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

    with _progress("checked", os.path.getsize(worker.run.table)) as step:
        checked = check(worker, None, step, look)
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


def _report(run: Run, checked: Checked, counts: Counts, *, json_: bool) -> int:
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
    _told(run, checked, known)
    return talk.NO if checked.bad else talk.DONE


def _told(run: Run, checked: Checked, known: int) -> None:
    shown = talk.clean(os.path.relpath(run.folder))
    if known:
        before = "issued before or not approved" if run.approved else "issued before"
        talk.say(f"{known} {before}, left alone")
    if checked.bad:
        talk.say(f"{checked.bad} refused, listed in {shown}/refused.csv, which holds personal data")
        _tell(checked)


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
