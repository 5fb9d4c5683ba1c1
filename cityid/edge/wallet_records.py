"""Sealed records in one SQLite file: what a wallet is made of.

Each record is sealed on its own (XChaCha20-Poly1305, a fresh random nonce at every save), with its place, state and
version bound in, and padded, so that names and kinds of cards do not show by content or length. A sealed sum over all
records makes a missing, added or older record as visible as a changed one, and a mark that is kept elsewhere an older
file (`cityid.edge.wallet_mark`). What shows is how many records of which sort there are, and which copies were used.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from enum import IntEnum
from glob import escape
from itertools import chain
from pathlib import Path
from typing import Final

from cityid.edge import atomic, sealed
from cityid.edge.private_file import make_directory
from cityid.edge.sqlite import BESIDE, Database, check, snapshot, told, versions
from cityid.edge.wallet_mark import Marks
from cityid.errors import CityIdError, Misuse, Refused, Unavailable

KIND: Final = "wallet"
_APPLICATION: Final = 0x63695761  # "ciWa"
_MIGRATIONS: Final = (
    (
        "CREATE TABLE header (id INTEGER PRIMARY KEY CHECK (id = 1), header BLOB NOT NULL, total BLOB NOT NULL)",
        """CREATE TABLE records (
            seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, sort INTEGER NOT NULL, parent BLOB NOT NULL,
            state INTEGER NOT NULL, version INTEGER NOT NULL, sealed BLOB NOT NULL
        )""",
        "CREATE INDEX records_sort ON records(sort, parent, state)",
    ),
    ("CREATE TABLE slots (id INTEGER PRIMARY KEY CHECK (id = 1), wrapped BLOB NOT NULL)",),
    (),  # the sealed sum also counts uses
)
_SLOT: Final = b"cityid wallet slot 1"
_MARK: Final = b"cityid wallet mark 1"
ID: Final = 16
NOBODY: Final = bytes(ID)
"""The parent of a record that has none."""
BLOCK: Final = 256
"""Records are padded to multiples of this many bytes."""
_SUM: Final = 1 << 256
_ROW: Final = struct.Struct(">B16s16sQQQ")
"""A record's place and its number, as they are summed."""
_DEFINED: Final = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL"
_COLUMNS: Final = "seq, id, sort, parent, state, version, sealed"


class Sort(IntEnum):
    KEY = 1
    CARD = 2
    COPY = 3
    OFFER = 4
    SHOWN = 5
    PERSON = 6
    DEVICE = 7
    """One a file, and none in a backup: a wallet on another device is another one."""
    VOICE = 8
    """The secret of a voice, by its issuer: in each backup, since a new one is not heard at once."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row. `state` counts uses (of a copy), `version` its saves."""

    seq: int
    id: bytes
    sort: int
    parent: bytes
    state: int
    version: int
    sealed: bytes

    def place(self) -> bytes:
        """What its sealing authenticates."""
        return struct.pack(">B16s16sQQ", self.sort, self.id, self.parent, self.state, self.version)


class Records:
    """The records of one open file. Raises as `cityid.edge.sqlite.Database`."""

    def __init__(self, path: Path, key: bytes, entropy: sealed.Entropy, marks: Marks | None = None) -> None:
        self._key = hashlib.blake2b(b"records", key=key, digest_size=32).digest()
        self._mac_key = hashlib.blake2b(b"sum", key=key, digest_size=32).digest()
        self._name_key = hashlib.blake2b(b"names", key=key, digest_size=32).digest()
        self._mark = hashlib.blake2b(b"mark", key=key, digest_size=ID).hexdigest()
        self._marks = marks
        self._data_key = key
        self.entropy = entropy
        self._path = path
        self._database: Database | None = None
        self.lost_uses = 0
        """Uses of copies that this file did not know of when it was opened."""
        self.unmarked: CityIdError | None = None
        """Why no mark could be kept, where that was so."""

    @classmethod
    def create(
        cls,
        path: Path,
        passphrase: str | bytes,
        entropy: sealed.Entropy = secrets.token_bytes,
        fill: Callable[[Change], None] = lambda _: None,
        marks: Marks | None = None,
    ) -> Records:
        """A new file, which appears under its name when it is complete, with what `fill` puts into it.

        Raises:
            Misuse: `store.exists`; `passphrase.*`.
        """
        make_directory(path.parent)
        if path.is_symlink() or path.exists():
            raise Misuse("store.exists", path=str(path))
        header, key = sealed.create(KIND, passphrase, entropy=entropy)
        unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
        made = cls(unfinished, key, entropy)
        try:
            with closing(Database(unfinished, KIND, _APPLICATION, _MIGRATIONS)) as database, database.write() as rows:
                change = Change(made, rows, 0, 0, 0)
                fill(change)
                total = made.seal_total(change)
                rows.execute("INSERT INTO header VALUES (1, ?, ?)", (header.write(), total))
            try:
                atomic.give_name(unfinished, path)
            except (FileExistsError, FileNotFoundError):  # somebody was quicker, and may have tidied up after us
                raise Misuse("store.exists", path=str(path)) from None
        finally:
            _tidy(path, unfinished.name)
        return cls.open(path, key, entropy, marks)

    @classmethod
    def unlock(
        cls,
        path: Path,
        passphrase: str | bytes,
        entropy: sealed.Entropy = secrets.token_bytes,
        marks: Marks | None = None,
    ) -> Records:
        """Open a file. Nothing is derived from a header that is weak, costly or damaged.

        Raises:
            Refused: `passphrase.wrong`.
            Misuse: `store.wrong_kind`, `store.permissions`, `passphrase.*`.
            Malformed: `store.costly_kdf`.
            Unavailable: `store.missing`, `store.damaged`, `store.newer`, `store.weak_kdf` and the other `store.*`.
        """
        check(path)
        _tidy(path)
        with _looking(path) as rows:
            header = sealed.read_header(_header(rows)[0], KIND)
        return cls.open(path, sealed.unlock(header, passphrase), entropy, marks)

    @classmethod
    def unlock_with(
        cls, path: Path, secret: bytes, entropy: sealed.Entropy = secrets.token_bytes, marks: Marks | None = None
    ) -> Records:
        """Open a file with the secret of 32 bytes that `keep_for` gave out: no key is derived.

        Raises:
            Refused: `passphrase.wrong`, also where no secret was ever given out.
            Misuse, Unavailable: as `unlock`.
        """
        check(path)
        _tidy(path)
        with _looking(path) as rows:
            known = rows.execute("SELECT 1 FROM sqlite_schema WHERE name = 'slots'").fetchone()
            found = rows.execute("SELECT wrapped FROM slots").fetchone() if known else None
        if found is None or not isinstance(found[0], bytes):
            raise Refused("passphrase.wrong")
        try:
            key = sealed.Secret(sealed.open_sealed(secret, found[0], _SLOT, kind=KIND))
        except Unavailable:
            raise Refused("passphrase.wrong") from None
        return cls.open(path, key, entropy, marks)

    @classmethod
    def open(cls, path: Path, key: bytes, entropy: sealed.Entropy, marks: Marks | None = None) -> Records:
        """Look at all of the file before the first byte of it may change. In a file that is older than its mark, every
        copy counts as used: which ones were shown since, it does not know."""
        opened = cls(path, key, entropy, marks)
        seen = opened._marked()  # before the file, which may be ahead of it and never behind
        with _looking(path) as rows:
            uses = opened._check_all(rows)
        opened._database = Database(path, KIND, _APPLICATION, _MIGRATIONS, must_exist=True)
        if seen is not None and seen > uses:
            opened.lost_uses = seen - uses
            with opened.change() as change:
                for copy in change.select("sort = ? AND state = 0", (Sort.COPY,)):
                    change.use(copy)
                change.uses = max(change.uses, seen) + 1
        elif seen is None or seen < uses:
            opened._keep_mark(uses)
        return opened

    def _marked(self) -> int | None:
        """How many uses this wallet had when it was last seen here, as far as is known. A mark that it did not seal
        says nothing."""
        known: list[int] = []
        try:
            for found in self._marks.read(self._mark) if self._marks is not None else ():
                with suppress(Unavailable):
                    known.append(int.from_bytes(sealed.open_sealed(self._key, found, _MARK, kind=KIND), "big"))
        except CityIdError as error:
            self.unmarked = error
        return max(known, default=None)

    def _keep_mark(self, uses: int) -> None:
        if self._marks is not None:
            try:
                self._marks.write(self._mark, sealed.seal(self._key, uses.to_bytes(8, "big"), _MARK, self.entropy))
            except CityIdError as error:  # what was used is used; only an older file would not be noticed
                self.unmarked = error

    @property
    def database(self) -> Database:
        if self._database is None:
            raise Misuse("wallet.closed")
        return self._database

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
        self._database = None
        self._key = self._mac_key = self._name_key = self._data_key = b""

    def change_passphrase(self, passphrase: str | bytes) -> None:
        """Open with `passphrase` from now on, and with no secret that was given out before. The data key is wrapped
        anew; nothing else is sealed again. What the old passphrase opens is overwritten, in the file and its log.

        Raises:
            Misuse: `passphrase.*`.
        """
        header = sealed.rewrap(KIND, self._data_key, passphrase, entropy=self.entropy)
        with self.database.write() as rows:
            rows.execute("UPDATE header SET header = ?", (header.write(),))
            rows.execute("DELETE FROM slots")
        self.erase()

    def keep_for(self, secret: bytes | None) -> None:
        """Open also with this secret of 32 bytes; with None, with no secret any more."""
        with self.database.write() as rows:
            rows.execute("DELETE FROM slots")
            if secret is not None:
                rows.execute(
                    "INSERT INTO slots VALUES (1, ?)", (sealed.seal(secret, self._data_key, _SLOT, self.entropy),)
                )
        self.erase()

    def erase(self) -> None:
        """What was removed leaves SQLite's log too; in the file it is overwritten (secure_delete)."""
        with self.database.read() as rows:
            rows.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def name(self, sort: Sort, text: str) -> bytes:
        """The id of a record that is found by a text: opaque without the key."""
        named = hashlib.blake2b(bytes([sort]) + text.encode("utf-8", "surrogatepass"), key=self._name_key)
        return named.digest()[:ID]

    def content(self, record: Record) -> bytes:
        """What is sealed in a record.

        Raises:
            Unavailable: `store.damaged`.
        """
        padded = sealed.open_sealed(self._key, record.sealed, record.place(), kind=KIND)
        return padded[4 : 4 + int.from_bytes(padded[:4], "big")]

    def find(self, id: bytes) -> Record | None:
        found = self.select("id = ?", (id,))
        return found[0] if found else None

    def select(self, where: str, values: tuple[object, ...], rows: sqlite3.Connection | None = None) -> list[Record]:
        """The records that `where` (our own SQL) picks, in its order or by age."""
        ordered = where if "ORDER BY" in where else f"{where} ORDER BY seq"
        query = f"SELECT {_COLUMNS} FROM records WHERE {ordered}"  # noqa: S608  # our own words, values are bound
        if rows is not None:
            return [Record(*row) for row in rows.execute(query, values)]
        with self.database.read() as rows:
            return [Record(*row) for row in rows.execute(query, values)]

    @contextmanager
    def change(self) -> Iterator[Change]:
        """One transaction on records and their sum."""
        with self.database.write() as rows:
            change = Change(self, rows, *self.open_total(_header(rows)[1]))
            before = change.uses
            yield change
            rows.execute("UPDATE header SET total = ?", (self.seal_total(change),))
        if change.uses != before:
            self._keep_mark(change.uses)

    def seal(self, record: Record, content: bytes) -> Record:
        padded = len(content).to_bytes(4, "big") + content
        padded += bytes(-len(padded) % BLOCK)
        return replace(record, sealed=sealed.seal(self._key, padded, record.place(), self.entropy))

    def digest(self, record: Record) -> int:
        place = _ROW.pack(record.sort, record.id, record.parent, record.state, record.version, record.seq)
        return int.from_bytes(hashlib.blake2b(place + record.sealed, key=self._mac_key, digest_size=32).digest(), "big")

    def seal_total(self, change: Change) -> bytes:
        content = change.count.to_bytes(8, "big") + change.total.to_bytes(32, "big") + change.uses.to_bytes(8, "big")
        return sealed.seal(self._key, content, b"total", self.entropy)

    def open_total(self, total: bytes) -> tuple[int, int, int]:
        """How many records there are, their sum, and how often a copy was used; older files did not count that."""
        content = sealed.open_sealed(self._key, total, b"total", kind=KIND)
        count, total_, uses = content[:8], content[8:40], content[40:]
        return int.from_bytes(count, "big"), int.from_bytes(total_, "big"), int.from_bytes(uses, "big")

    def _check_all(self, rows: sqlite3.Connection) -> int:
        """The records are those that were written, all of them: how often a copy was used."""
        count = total = 0
        try:
            if rows.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]:
                raise Unavailable("store.damaged", kind=KIND)
            key, blake2b, number, pack = self._mac_key, hashlib.blake2b, int.from_bytes, _ROW.pack
            # `digest`, written out: this runs over all of the wallet before anything else is done
            for seq, name, *place, sealed_ in rows.execute(f"SELECT {_COLUMNS} FROM records"):  # noqa: S608  # our own words
                row = pack(place[0], name, *place[1:], seq)
                total += number(blake2b(row + sealed_, key=key, digest_size=32).digest(), "big")
                count += 1
        except (struct.error, TypeError):
            raise Unavailable("store.damaged", kind=KIND) from None
        known_count, known_total, uses = self.open_total(_header(rows)[1])
        if (count, total % _SUM) != (known_count, known_total):
            raise Unavailable("store.damaged", kind=KIND)
        return uses


class Change:
    """Changes to records, inside a transaction."""

    def __init__(self, records: Records, rows: sqlite3.Connection, count: int, total: int, uses: int) -> None:
        self._records = records
        self._rows = rows
        self.count = count
        self.total = total
        self.uses = uses

    def select(self, where: str, values: tuple[object, ...]) -> list[Record]:
        return self._records.select(where, values, self._rows)

    def add(
        self, sort: Sort, content: bytes, *, id: bytes | str = b"", parent: bytes = NOBODY, state: int = 0
    ) -> Record:
        """Raises sqlite3.IntegrityError for an id that is there already: look first. A text is the record's name."""
        place = self._records.name(sort, id) if isinstance(id, str) else id or self._records.entropy(ID)
        new = Record(0, place, sort, parent, state, 1, b"")
        new = self._records.seal(new, content)
        done = self._rows.execute(
            "INSERT INTO records (id, sort, parent, state, version, sealed) VALUES (?, ?, ?, ?, ?, ?)",
            (new.id, new.sort, new.parent, new.state, new.version, new.sealed),
        )
        new = replace(new, seq=int(done.lastrowid or 0))
        self._count(1, self._records.digest(new))
        return new

    def use(self, record: Record) -> Record:
        """Count one use: the record is saved again in its new state."""
        content = self._records.content(record)
        new = self._records.seal(replace(record, state=record.state + 1, version=record.version + 1), content)
        self._rows.execute(
            "UPDATE records SET state = ?, version = ?, sealed = ? WHERE seq = ?",
            (new.state, new.version, new.sealed, new.seq),
        )
        self._count(0, self._records.digest(new) - self._records.digest(record))
        self.uses += 1
        return new

    def remove(self, record: Record) -> None:
        self._rows.execute("DELETE FROM records WHERE seq = ?", (record.seq,))
        self._count(-1, -self._records.digest(record))

    def _count(self, count: int, total: int) -> None:
        self.count += count
        self.total = (self.total + total) % _SUM


@contextmanager
def _looking(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot change the file, which has the tables of a wallet and nothing else: a trigger that
    somebody added would act inside our transactions. What it sees is of one moment: records and their sum change
    together."""
    with (
        told(str(path), KIND),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as rows,
        snapshot(rows),
    ):
        rows.execute("PRAGMA trusted_schema = OFF")
        version = versions(rows, str(path), _APPLICATION, len(_MIGRATIONS))
        if not version or sorted(sql for (sql,) in rows.execute(_DEFINED)) != sorted(
            chain.from_iterable(_MIGRATIONS[:version])
        ):
            raise Unavailable("store.damaged", kind=KIND)
        yield rows


def _tidy(path: Path, name: str = "") -> None:
    """Remove `name` and what SQLite keeps beside it; without a name, what a killed maker of `path` left unfinished."""
    pattern = escape(name) if name else f".{escape(path.name)}.*.tmp"
    for found in (*path.parent.glob(pattern), *(each for end in BESIDE for each in path.parent.glob(pattern + end))):
        with suppress(OSError):
            found.unlink()


def _header(rows: sqlite3.Connection) -> tuple[bytes, bytes]:
    found = rows.execute("SELECT header, total FROM header WHERE id = 1").fetchone()
    if found is None or not all(isinstance(value, bytes) for value in found):
        raise Unavailable("store.damaged", kind=KIND)
    return found[0], found[1]
