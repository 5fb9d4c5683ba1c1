"""One chunk of a table, in this process or in a worker: read its rows, offer or sign them, write what came of it.

A chunk can be done any number of times, by anybody, at the same time: the register records its rows once, and its files
are the same each time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from . import bulk_rows
from .home import Home

if TYPE_CHECKING:
    from cityid.bulk import Person, Signed
    from cityid.cards import Offer
    from cityid.credential_type.reader import Reader
    from cityid.edge.letters import Letters
    from cityid.encoding.table import Row
    from cityid.errors import Problem

RUN = ".cityid-run"
HOLDER = "holder_jwk"
_OWN = frozenset({"name", "seed", "at", "until", "by", "table", "four_eyes", "asked", "approved"})


@dataclass(frozen=True, slots=True)
class Run:
    """What a run does, as it is kept in its folder until it is over. `seed` makes codes; times are in seconds."""

    name: str
    seed: str
    table: str
    digest: str
    form: str
    folder: str
    type: str
    signed: bool
    letters: bool
    archive: bool
    key: str
    person: str
    round: str
    at: int
    until: int
    by: str
    department: str
    four_eyes: bool = False
    asked: str = ""
    """The number under which another clerk is asked for all cards of the run."""
    approved: bool = False
    format: str = ""
    """Of the cards; the type's first where none is named."""

    def write(self) -> bytes:
        from cityid.encoding import json

        return json.write(asdict(self))

    @classmethod
    def read(cls, data: bytes) -> Run:
        from cityid.encoding import json

        return cls(**json.read_object(data))

    def same(self, other: Run) -> bool:
        """Does the other want the same? Names, times and clerks may differ, and how far it has come."""
        mine, theirs = asdict(self), asdict(other)
        return all(mine[name] == theirs[name] for name in mine if name not in _OWN)

    @property
    def asks(self) -> bool:
        """Are its cards still to be asked for?"""
        return self.four_eyes and not self.approved

    @property
    def job(self) -> str:
        """What it is called among those that `cityid work` does."""
        return f"{self.name}-approved" if self.approved else self.name

    @property
    def place(self) -> Path:
        return Path(self.folder) / RUN

    def part(self, chunk: int) -> Path:
        suffix = "jsonl" if self.signed else "zip"
        return self.place / f"part-{chunk:09d}.{suffix}"

    def done(self, chunk: int) -> Path:
        return self.place / f"{'asked' if self.asks else 'done'}-{chunk:09d}.json"

    def rows(self, chunk: int) -> Path:
        return self.place / f"rows-{chunk:09d}.json"

    def block(self, number: int) -> Path:
        """The rows of a block, until it is known which chunk they are."""
        return self.place / f"block-{number:09d}.json"


Counts = Mapping[str, Any]
"""What came of a chunk: `made` and `known` rows, and the `batch` in which they are asked for."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """`rows` rows of the table from a place on: with those in lines `without` left out, `good` people."""

    number: int
    offset: int
    line: int
    rows: int
    good: int
    without: tuple[int, ...] = ()


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """A table: a regular file, however long.

    Raises:
        Misuse: `file.*`.
    """
    import stat

    from cityid.edge.files import of_the_system
    from cityid.errors import Misuse

    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise of_the_system(error, path) from None
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise Misuse("file.not_regular", file=path)
    with os.fdopen(number, "rb") as file:
        yield file


def expected(file: BinaryIO) -> None:
    """The file is a table: one line of JSON would pass for one that has columns and no rows.

    Raises:
        Malformed: `file.misplaced`.
    """
    from cityid.errors import Malformed

    from . import papers

    if (problem := papers.misplaced(file.read(1 << 20), "table")) is not None:
        raise Malformed(problem)
    file.seek(0)


@contextmanager
def unswept() -> Iterator[None]:
    """Without the search for cycles: rows by the thousand make none, and it would look at all of them again and
    again."""
    import gc

    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class Worker:
    """Does chunks of one run, in a home whose key is at hand."""

    def __init__(self, here: Home, run: Run, passphrase: str) -> None:
        from cityid.bulk import Bulk
        from cityid.credential_type import columns
        from cityid.encoding import base64url, times

        from . import registers
        from .office import issuer_of

        self.here, self.run = here, run
        with given(passphrase) as number:
            self.issuer = issuer_of(here, number)
        self.secret = registers.secret_of(here)
        self.at = times.read_numeric(run.at)
        self.until = times.read_numeric(run.until)
        kind = self.issuer.types.get(run.type)
        form = run.format or (next(iter(kind.names)) if kind is not None else "")
        self.bulk = Bulk(
            self.issuer, registers.sessions_of(here), run.type, run.name, run.by, self.until,
            base64url.decode(run.seed), run.department, format=form, four_eyes=run.four_eyes,
        )  # fmt: skip
        self.type = self.bulk.check(self.at)
        others = {name for kind in self.issuer.types.values() for name in columns(kind)}
        own = set(columns(self.type))
        self.ours = {name for name in (run.key, run.person, HOLDER if run.signed else "") if name}
        self.ignore = frozenset(others | self.ours) - own
        self.extra = self.ours - own
        self.letters = self._letters(here) if run.letters else None
        self._reader: Reader | None = None

    def _letters(self, here: Home) -> Letters:
        from cityid.edge.letters import Letters, text_of

        fonts = [here.path(name) for name in here.texts("letter_font")]
        letters = Letters(self.issuer.name, fonts=fonts, text=text_of(here.path("letter.txt")))
        letters.check(self._facts("R-0000-000000", self.until))
        return letters

    def _facts(self, number: str, until: datetime) -> dict[str, str]:
        from cityid.credential_type import text_in

        return {"type": text_in(self.type.title), "number": number, "until": f"{until:%d %b %Y %H:%M} UTC"}

    def reader(self, columns: Sequence[str]) -> Reader:
        """One for all chunks: what it remembers of values is most of its speed."""
        from cityid.credential_type.reader import Reader

        if self._reader is None or self._reader.header != tuple(columns):
            issuer = self.issuer
            self._reader = Reader(
                self.type, columns, at=self.at, timezone=issuer.timezone, city=issuer.city, ignore=self.ignore
            )
        return self._reader

    @contextmanager
    def table(self) -> Iterator[Reading]:
        from cityid.encoding.table import Table

        with opened(self.run.table) as file:
            yield Reading(self, Table(file, "jsonl" if self.run.form == "jsonl" else "csv"))

    def do(self, chunk: Chunk) -> Counts:
        """Do it, and say how many were made and how many were there before."""
        from cityid.edge import clock, files
        from cityid.encoding import json

        people, addresses = self.people(chunk)
        counts: Counts = {}
        with unswept():
            if self.run.asks:
                counts = self.ask(chunk, people, clock.now())
                made = int(counts["made"])
            elif self.run.signed:
                made = self._sign(chunk, people, clock.now())
            else:
                made = self._offer(chunk, people, addresses, clock.now())
        counts = {**counts, "made": made, "known": len(people) - made}
        files.write(self.run.done(chunk.number), json.write(counts), force=True, private=True)
        self.run.rows(chunk.number).unlink(missing_ok=True)
        return counts

    def keep(self, path: Path, people: Sequence[Person], addresses: Mapping[int, Sequence[str]]) -> None:
        """Keep what `people` will be asked for."""
        signed = self.run.signed
        claims = signed or self.run.asks or self.issuer.keeps_claims
        bulk_rows.write(path, people, addresses, typed=not signed, claims=claims)

    def people(self, chunk: Chunk) -> tuple[list[Person], Mapping[int, Sequence[str]]]:
        """The rows of a chunk that were good when all were checked, and whom their letters are for, by line.

        Raises:
            Misuse: `bulk.table_changed`.
        """
        from cityid.errors import Misuse

        with unswept():
            kept = bulk_rows.read(self.run.rows(chunk.number))
        if kept is not None and len(kept[0]) == chunk.good:
            return kept
        people, addresses = [], {}
        with unswept(), self.table() as reading:
            for _row, found, address in reading.people(chunk):
                if not isinstance(found, tuple) and found.line not in chunk.without:
                    people.append(found)
                    addresses[found.line] = address
        if len(people) != chunk.good:
            raise Misuse("bulk.table_changed", file=self.run.table)
        return people, addresses

    def ask(self, chunk: Chunk, people: Sequence[Person], at: datetime) -> Counts:
        """Ask for the cards of a chunk: how many, and the batch that they are."""
        from .bulk_asked import waiting

        made = self.bulk.request(people, chunk.number, at, signed=self.run.signed)
        if made:
            waiting(self.here).keep_part(self.run.name, chunk.number, made, at)
        return {"made": len(made), "known": len(people) - len(made), "batch": made[0][1].batch if made else ""}

    def _sign(self, chunk: Chunk, people: Sequence[Person], at: datetime) -> int:
        from cityid.edge import files

        signed = self.bulk.sign(people, chunk.number, at)
        with files.writing(self.run.part(chunk.number), force=True, private=True) as file:
            for one in signed:
                file.write(self.card(one))
        return len(signed)

    def card(self, one: Signed) -> bytes:
        """A line of `cards.jsonl`: numbers, names of formats, thumbprints and tokens are ASCII without anything that
        JSON would escape."""
        person = one.person
        return b'{"line":%d,"number":"%b","holder":"%b","format":"%b","credential":"%b"}\n' % (
            person.line, one.number.encode(), person.holder.thumbprint.encode() if person.holder else b"",
            self.bulk.format.encode(), one.raw,
        )  # fmt: skip

    def _offer(
        self, chunk: Chunk, people: Sequence[Person], addresses: Mapping[int, Sequence[str]], at: datetime
    ) -> int:
        from cityid.edge import outputs

        offers = self.bulk.offer(people, chunk.number, at)
        files = self.files(offers, addresses)
        if self.run.archive:
            outputs.archive(self.run.part(chunk.number), files)
        else:
            outputs.write_all(Path(self.run.folder), files)
        return len(offers)

    def files(
        self, offers: Iterable[tuple[Person, str, Offer]], addresses: Mapping[int, Sequence[str]]
    ) -> Iterator[tuple[str, bytes]]:
        """An offer's file, or its letter, by name."""
        for person, number, offer in offers:
            yield self._file(person.line, number, offer, addresses.get(person.line, ()))

    def _file(self, line: int, number: str, offer: Offer, address: Sequence[str]) -> tuple[str, bytes]:
        if self.letters is None:
            return f"line-{line:06d}.offer", offer.write() + b"\n"
        from cityid.bulk import show_code

        facts = self._facts(number, offer.expires)
        return f"line-{line:06d}.pdf", self.letters.pdf(address, offer.link(), show_code(offer.code), facts)


class Reading:
    """The rows of an open table, checked."""

    def __init__(self, worker: Worker, table: Any) -> None:
        from cityid.bulk import Person, holder_of
        from cityid.errors import Problem

        self.made, self.holder_of, self.problem = Person, holder_of, Problem
        self.worker, self.table = worker, table
        self.names = [name for name in (worker.run.key, worker.run.person) if name]
        self.head = f"{worker.run.type}\0{worker.run.round}\0"
        self.reader = worker.reader(table.columns)
        self.columns = {name: place for place, name in enumerate(table.columns)}

    def check_columns(self) -> None:
        """Raises Malformed `table.no_column`."""
        from cityid.errors import Malformed

        for name in sorted(self.worker.ours) if self.table.form == "csv" else ():
            if name not in self.columns:
                raise Malformed("table.no_column", where="line 1", column=name)

    def people(self, chunk: Chunk | None = None) -> Iterator[tuple[Row, Person | tuple[Problem, ...], Sequence[str]]]:
        """Each row, what it is, and the address in it; the whole table, or a chunk of it."""
        from cityid.encoding.table import Place

        rows = self.table.rows(Place(chunk.offset, chunk.line) if chunk else None)
        for count, row in enumerate(rows, 1):
            yield row, (row.problem,) if row.problem else self.person(row), self._address(row)
            if chunk and count == chunk.rows:
                return

    def _said(self, row: Row, name: str) -> Any:
        if isinstance(row.data, dict):
            return row.data.get(name, "")
        return row.data[self.columns[name]].strip()

    def person(self, row: Row) -> Person | tuple[Problem, ...]:
        run, secret, data = self.worker.run, self.worker.secret, row.data
        if isinstance(data, dict):
            taken = self.reader.claims({k: v for k, v in data.items() if k not in self.worker.extra})
        else:
            taken = self.reader.row(data)
        if isinstance(taken, tuple):
            return taken
        holder = None
        if run.signed:
            found = self.holder_of(self._said(row, HOLDER), self.worker.issuer)
            if isinstance(found, self.problem):
                return (found,)
            holder = found
        for name in self.names:
            value = self._said(row, name)
            if not isinstance(value, str) or not value:
                return (self.problem("table.no_name", {"column": name}, f"$.{name}"),)
        digest = secret.digest_of(taken.typed)
        if run.key:
            what = f"key\0{self._said(row, run.key)}"
        else:
            what = f"row\0{digest}\0{holder.thumbprint if holder else ''}"
        return self.made(
            row.line, secret.row(f"{self.head}{what}"), taken.prepared, taken.typed, digest,
            secret.pseudonym(self._said(row, run.person)) if run.person else "", holder,
        )  # fmt: skip

    def _address(self, row: Row) -> Sequence[str]:
        """Whom a letter is for: from the columns that usually say it, whatever the type takes of them."""
        if not self.worker.run.letters:
            return ()

        def said(*names: str) -> str:
            found = []
            for name in names:
                if isinstance(row.data, dict):
                    value: Any = row.data
                    for part in name.split("."):
                        value = value.get(part, "") if isinstance(value, dict) else ""
                else:
                    place = self.columns.get(name)
                    value = row.data[place].strip() if place is not None and row.data else ""
                found.append(str(value))
            return " ".join(filter(None, found))

        lines = (
            said("given_name", "family_name"),
            said("address.street_address", "address.house_number") or said("address.formatted"),
            said("address.postal_code", "address.locality"),
            said("address.country"),
        )
        return [line for line in lines if line]


@contextmanager
def given(passphrase: str) -> Iterator[int]:
    """A file descriptor that a passphrase can be read from: it is asked for once, whoever needs it afterwards."""
    read, write = os.pipe()
    try:
        os.write(write, passphrase.encode("utf-8") + b"\n")
        os.close(write)
        yield read
    finally:
        os.close(read)
