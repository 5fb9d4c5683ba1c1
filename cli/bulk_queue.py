"""A run over a table that other machines work on: what is handed to them, what they do with it, what comes back.

The rows of a part travel sealed through the register's PostgreSQL, and so do the cards or offers that are made of them:
machines share nothing else, and each has the city's home. Whoever queued a run puts its parts into the run's folder,
and can be stopped and come back as with any run.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import talk
from .bulk_work import Chunk, Counts, Reading, Run, Worker, given, opened, unswept

if TYPE_CHECKING:
    from cityid.edge.cluster import Part, WorkStore
    from cityid.issuing import Issuer

    from .home import Home

LOOK = 0.5
"""Seconds between two looks at what has come back."""
ALONE = 10
"""Seconds after which whoever waits is told that nobody is at work."""
RUNS = 4
"""Runs whose reader a worker keeps: what it remembers is most of its speed."""


def store_of(here: Home) -> WorkStore:
    """The queue beside the register.

    Raises:
        Misuse: `work.needs_postgres`. Unavailable: `install.extra`, `store.*`.
    """
    from cityid.edge.cluster import WorkStore
    from cityid.edge.postgres import is_postgres
    from cityid.errors import Misuse

    from . import registers

    name = registers.where(here)
    if not is_postgres(name):
        raise Misuse("work.needs_postgres")
    return WorkStore(name, registers.secret_of(here), password=lambda: registers.password(name))


def _home(here: Home, issuer: Issuer, type_: str) -> dict[str, str]:
    """What the homes of all who work on a run must have in common, by name."""
    import hashlib

    from cityid.encoding import base64url

    from . import kinds

    return {
        "issuer": issuer.id,
        "key": issuer.signer.public_key.thumbprint,
        "type": base64url.encode(hashlib.sha256(kinds.known(here)[1][type_]).digest()),
        "facts": str(sorted(issuer.city.items())),
        "timezone": str(issuer.timezone),
    }


# -- whoever queues --


def in_cluster(here: Home, worker: Worker, left: Sequence[Chunk], add: Callable[[Chunk, Counts], None]) -> None:
    """Hand over the chunks, and put what comes back where it belongs.

    Raises:
        Unavailable: `work.parts_failed`, `install.extra`, `store.*`. Misuse: `work.needs_postgres`.
    """
    from cityid.edge import clock
    from cityid.encoding import base64url, json

    run = worker.run
    with store_of(here) as store:
        if left:
            about = {
                "run": asdict(run), "head": base64url.encode(_head(run)), "home": _home(here, worker.issuer, run.type),
            }  # fmt: skip
            store.begin(run.job, json.write(about), clock.now())
            states = store.states(run.job)
            for chunk, rows in _rows(run, left):
                if states.get(chunk.number, "failed") == "failed":
                    store.queue(run.job, chunk.number, json.write(asdict(chunk)) + b"\n" + rows)
            _collect(store, run, left, add)
        store.end(run.job)


def _head(run: Run) -> bytes:
    """What stands before the first row."""
    from cityid.encoding.table import Table

    with opened(run.table) as file:
        start = Table(file, "jsonl" if run.form == "jsonl" else "csv").start
        file.seek(0)
        return file.read(start.offset)


def _rows(run: Run, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, bytes]]:
    """The bytes of each chunk's rows; its place is then in those.

    Raises:
        Malformed: `work.part_too_long`, `table.*`.
    """
    from cityid import limits
    from cityid.encoding.table import Place, Table
    from cityid.errors import Malformed

    with opened(run.table) as file:
        table = Table(file, "jsonl" if run.form == "jsonl" else "csv")
        for chunk in chunks:
            for count, row in enumerate(table.rows(Place(chunk.offset, chunk.line)), 1):
                if row.end.offset - chunk.offset > limits.WORK_PART:
                    raise Malformed("work.part_too_long", where=f"line {row.line}", limit=limits.WORK_PART)
                if count == chunk.rows:
                    break
            else:
                row = None
            end = row.end.offset if row is not None else chunk.offset
            file.seek(chunk.offset)
            yield replace(chunk, offset=table.start.offset), file.read(end - chunk.offset)


def _collect(store: WorkStore, run: Run, left: Sequence[Chunk], add: Callable[[Chunk, Counts], None]) -> None:
    from cityid.edge.cluster import DONE, LEASE
    from cityid.edge.cluster_worker import read_no
    from cityid.errors import Unavailable

    waiting = {chunk.number: chunk for chunk in left}
    failed: list[Chunk] = []
    since, told = time.monotonic(), False
    while waiting:
        for number, state, data in store.over(run.job, [chunk.number for chunk in failed]):
            chunk = waiting.pop(number, None)
            since = time.monotonic()
            if state == DONE:
                if chunk is not None:
                    add(chunk, _put(run, chunk, data))
                store.collected(run.job, number)
            elif chunk is not None:
                failed.append(chunk)
                _tell(chunk, read_no(data))
        if waiting:
            time.sleep(LOOK)
            if not told and time.monotonic() - since > ALONE and not store.workers(LEASE):
                talk.say("Nobody is at work: start `cityid work` here or on other machines.")
                told = True
    if failed:
        raise Unavailable("work.parts_failed", count=len(failed), folder=run.folder)


def _put(run: Run, chunk: Chunk, data: bytes) -> Counts:
    """What was made of a chunk, into the run's folder; durable when this returns."""
    from cityid.edge import files, outputs
    from cityid.encoding import json

    counts, _, made = data.partition(b"\n")
    if run.asks:
        pass  # nothing was made
    elif run.signed or run.archive:
        files.write(run.part(chunk.number), made, force=True, private=True)
    else:
        outputs.write_all(Path(run.folder), outputs.unpacked(io.BytesIO(made)))
    files.write(run.done(chunk.number), counts, force=True, private=True)
    return json.read_object(counts)


def _tell(chunk: Chunk, wrong: Any) -> None:
    from cityid.edge.messages import explain

    text = talk.clean(explain(wrong.problem).text)
    talk.say(f"  part {chunk.number}, {chunk.rows} rows from line {chunk.line + 1} on: {text} ({wrong.code})")


# -- whoever works --


class _Held(Worker):
    """A worker whose rows are at hand, not in a file."""

    head = b""
    rows = b""

    @contextmanager
    def table(self) -> Iterator[Reading]:
        from cityid.encoding.table import Table

        yield Reading(self, Table(io.BytesIO(self.head + self.rows), "jsonl" if self.run.form == "jsonl" else "csv"))


class Doer:
    """Does parts of any run, in a home whose key is at hand."""

    def __init__(self, here: Home, passphrase: str) -> None:
        from .office import issuer_of

        self.here, self._passphrase = here, passphrase
        with given(passphrase) as number:
            self.issuer = issuer_of(here, number)
        self._workers: dict[str, _Held] = {}

    def do(self, part: Part) -> bytes:
        """What came of it: counts in one line, then the cards, or an archive of offers or letters.

        Raises:
            AllParts, Unfit; as `cityid.bulk.Bulk.offer` and `sign`.
        """
        from cityid.edge import clock, outputs
        from cityid.encoding import json

        head, _, rows = part.rows.partition(b"\n")
        chunk, worker = Chunk(**json.read_object(head)), self._worker(part)
        self._check_clerk(worker.run)
        worker.rows = rows
        people, addresses = worker.people(chunk)
        with unswept():
            if worker.run.asks:
                return json.write(worker.ask(chunk, people, clock.now())) + b"\n"
            if worker.run.signed:
                cards = worker.bulk.sign(people, chunk.number, clock.now())
                made, data = len(cards), b"".join(map(worker.card, cards))
            else:
                offers = worker.bulk.offer(people, chunk.number, clock.now())
                file = io.BytesIO()
                outputs.pack(file, worker.files(offers, addresses))
                made, data = len(offers), file.getvalue()
        return json.write({"made": made, "known": len(people) - made}) + b"\n" + data

    def _worker(self, part: Part) -> _Held:
        from cityid.edge.cluster_worker import Unfit
        from cityid.encoding import base64url, json
        from cityid.errors import Misuse

        found = self._workers.get(part.run)
        if found is None:
            about = json.read_object(part.about)
            run = Run(**about["run"])
            try:
                ours = _home(self.here, self.issuer, run.type)
            except KeyError:
                ours = {}
            for name, theirs in about["home"].items():
                if ours.get(name) != theirs:
                    raise Unfit(Misuse("work.other_home", what=name))
            while len(self._workers) >= RUNS:
                del self._workers[next(iter(self._workers))]
            found = _Held(self.here, run, self._passphrase)
            found.head = base64url.decode(about["head"])
            self._workers[part.run] = found
        return found

    def _check_clerk(self, run: Run) -> None:
        """Whoever queued the run may still issue what it issues."""
        from cityid.clerks import Right
        from cityid.edge.cluster_worker import AllParts
        from cityid.errors import Refused

        from .registers import allowed, register_of

        register = register_of(self.here)
        known = register.clerks()
        if not known:
            return
        try:
            if run.by not in known:
                raise Refused("clerk.unknown", clerk=run.by)
            allowed(register, known[run.by][0], Right.ISSUE, type_=run.type)
        except Refused as no:
            raise AllParts(no) from None
