"""The register in SQLite (one file) or PostgreSQL (a database). It holds no key, and claim values only where the city
wants them kept, sealed under a key that is elsewhere: what a thief of it learns is who was issued what kind of card
when, by key thumbprint."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from cityid.clerks import Clerk, Right
from cityid.credential import StatusRef
from cityid.edge.postgres import PostgresSql
from cityid.edge.register_batch import StoredBatch
from cityid.edge.register_log import entries_of, log_size, sequence, tile_of
from cityid.edge.register_record import Entropy, Settings, key_of, place_of
from cityid.edge.register_rows import (
    EPOCH,
    EVENT,
    PAGE,
    card_of,
    conditions,
    event_of,
    marks,
    pages,
    read_rows,
    restored_since,
    time_of,
    voice_of,
)
from cityid.edge.sealed import open_sealed
from cityid.edge.sql import Sql, SqliteSql
from cityid.edge.sqlite import Store
from cityid.errors import Misuse, Refused, Unavailable
from cityid.log.tiles import FULL, Tile
from cityid.register import Bits, Checkpoint, Event, Filter, Issued, Key, State, StatusChange, Voice, check_text

__all__ = ["PostgresRegister", "SqliteRegister", "StoredRegister"]

LIST_SIZE: Final = 1 << 20
"""Entries of a new list: a large one hides its cards among each other."""
LIST_BITS: Final = 2
"""Bits of an entry: with two, a card can be suspended as well as revoked (Token Status List §7.1)."""
APPLICATION: Final = 0x63695265  # "ciRe"


class StoredRegister(Store):
    """The register over a database. Safe to share between threads and processes.

    `status_base` is where status lists will be published (`https://id.lindau.example/status`); `list_size` and
    `list_bits` shape the lists that are begun from now on; with a `claims_key` (32 bytes) claim values can be kept.
    """

    def __init__(
        self, sql: Sql, status_base: str, list_size: int, list_bits: int, claims_key: bytes | None, entropy: Entropy
    ) -> None:
        self.sql = sql
        self._settings = Settings(status_base.rstrip("/"), list_bits, list_size, claims_key, entropy)

    @contextmanager
    def batch(self, clerk: str, key: str, at: datetime) -> Iterator[StoredBatch]:
        if not clerk:
            raise Misuse("register.no_clerk")
        check_text("clerk", clerk)
        with self.sql.write() as link:
            batch = StoredBatch(link, clerk, key, at, self._settings)
            try:
                yield batch
                batch.finish()
            finally:
                batch.end()

    # -- rows --

    def find(self, number: str) -> Issued:
        with self.sql.snapshot() as link:
            return read_rows(link, [card_of(link, number)])[0]

    def rows(
        self,
        *,
        type: str | None = None,
        state: State | None = None,
        holder: str | None = None,
        after: str = "",
        where: Filter | None = None,
    ) -> Iterator[Issued]:
        given = {"type": type, "state": state, "holder": holder}
        texts, values = conditions(
            replace(where or Filter(), **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
        )
        wanted = " AND ".join(["id > ?", *texts])
        last = 0
        if after:
            with self.sql.read() as link:
                last = card_of(link, after)
        while True:
            # A page is a reading of its own: an open cursor would keep a SQLite file from ever being checkpointed.
            with self.sql.snapshot() as link:
                found = link.execute(
                    f"SELECT id FROM cards WHERE {wanted} ORDER BY id LIMIT {PAGE}",  # noqa: S608  # our own words
                    (last, *values),
                ).fetchall()
                page = read_rows(link, [card for (card,) in found])
            if not page:
                return
            yield from page
            last = found[-1][0]

    def known(self, keys: Iterable[str]) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for page in pages(keys):
            names = {key_of(key): key for key in page}
            with self.sql.read() as link:
                rows = link.execute(
                    f"SELECT row_key, number FROM cards WHERE row_key IN ({marks(page)})",  # noqa: S608  # our own words, values are bound
                    [key_of(key) for key in page],
                ).fetchall()
            found |= {names[bytes(key)]: number for key, number in rows}
        return found

    def claims(self, number: str) -> bytes:
        with self.sql.read() as link:
            (sealed,) = link.execute("SELECT claims FROM cards WHERE id = ?", (card_of(link, number),)).fetchone()
        if sealed is None:
            return b""
        if self._settings.claims_key is None:
            raise Misuse("register.keeps_no_claims")
        return open_sealed(self._settings.claims_key, bytes(sealed), place_of(number), kind="register")

    def statistics(self) -> Mapping[str, Mapping[str, int]]:
        with self.sql.snapshot() as link:
            counted = {
                name: dict(link.execute(f"SELECT {name}, count(*) FROM cards GROUP BY 1 ORDER BY 1").fetchall())  # noqa: S608  # our own words, values are bound
                for name in ("type", "state", "clerk")
            }
            values = link.execute(
                "SELECT value, count(DISTINCT card) FROM entries WHERE value <> 0 AND card IS NOT NULL "
                "GROUP BY 1 ORDER BY 1"
            ).fetchall()
            (total, used) = link.execute("SELECT count(*), coalesce(sum(used), 0) FROM lists").fetchone()
            (bound,) = link.execute("SELECT count(*) FROM entries WHERE card IS NOT NULL").fetchone()
            voices = link.execute("SELECT since, count(*) FROM voices GROUP BY 1 ORDER BY 1").fetchall()
            (entries,) = link.execute("SELECT count(*) FROM entries").fetchone()
        return {
            **counted,
            "status": {str(value): count for value, count in values},
            "lists": {"total": total, "entries": int(used), "burnt": entries - bound},
            "voices": dict(voices),
        }

    # -- status lists --

    def history(self, ref: StatusRef) -> tuple[StatusChange, ...]:
        with self.sql.read() as link:
            found = link.execute(
                "SELECT value, why, clerk, changes.at FROM changes JOIN lists ON lists.id = list "
                "WHERE uri = ? AND idx = ? ORDER BY changes.id",
                (check_text("uri", ref.uri), ref.index),
            ).fetchall()
        return tuple(StatusChange(ref, value, why, by, time_of(at) or EPOCH) for value, why, by, at in found)

    def lists(self) -> tuple[str, ...]:
        with self.sql.read() as link:
            return tuple(uri for (uri,) in link.execute("SELECT uri FROM lists ORDER BY id"))

    def bits(self, uri: str) -> Bits:
        with self.sql.snapshot() as link:
            found = link.execute(
                "SELECT id, bits, size, version, published, published_at FROM lists WHERE uri = ?",
                (check_text("uri", uri),),
            ).fetchone()
            if found is None:
                raise Refused("register.unknown_list", uri=uri)
            list_id, bits, size, version, published, published_at = found
            values = dict(
                link.execute("SELECT idx, value FROM entries WHERE list = ? AND value <> 0", (list_id,)).fetchall()
            )
        return Bits(uri, bits, size, version, values, published, time_of(published_at))

    def publication(self) -> int:
        with self.sql.read() as link:
            found = link.execute("SELECT last FROM counters WHERE name = 'publication'").fetchone()
        return int(found[0]) if found else 0

    # -- actions --

    def events(self, *, after: int = 0) -> Iterator[Event]:
        return self._events("id > ?", "id", after)

    def sequenced(self, start: int, end: int) -> Iterator[Event]:
        for event in self._events("position > ?", "position", start - 1):
            if event.position is None or event.position >= end:
                return
            yield event

    def _events(self, condition: str, order: str, after: int) -> Iterator[Event]:
        while True:
            with self.sql.read() as link:
                page = link.execute(
                    f"SELECT {EVENT} FROM events WHERE {condition} ORDER BY {order} LIMIT {PAGE}",  # noqa: S608  # our own words, values are bound
                    (after,),
                ).fetchall()
            if not page:
                return
            yield from map(event_of, page)
            after = page[-1][0 if order == "id" else 7]

    def actions(self, number: str) -> tuple[Event, ...]:
        with self.sql.read() as link:
            found = link.execute(
                f"SELECT {EVENT} FROM events WHERE card = ? ORDER BY id",  # noqa: S608  # our own words, values are bound
                (card_of(link, number),),
            ).fetchall()
        return tuple(map(event_of, found))

    def sequence(self) -> int:
        while True:
            # In slices: nobody who issues waits long.
            with self.sql.write() as link:
                size, more = sequence(link)
            if not more:
                return size

    def log_size(self) -> int:
        with self.sql.read() as link:
            return log_size(link)

    def tile(self, tile: Tile) -> bytes:
        with self.sql.read() as link:
            return tile_of(link, tile)

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        for page in range(start, end, FULL):
            with self.sql.read() as link:
                found = entries_of(link, page, min(page + FULL, end))
            yield from found

    def checkpoint(self) -> Checkpoint | None:
        with self.sql.read() as link:
            found = link.execute("SELECT size, root, at, note FROM checkpoints ORDER BY size DESC LIMIT 1").fetchone()
        return Checkpoint(found[0], bytes(found[1]), time_of(found[2]) or EPOCH, found[3]) if found else None

    # -- the city's keys and clerks --

    def keys(self) -> tuple[Key, ...]:
        with self.sql.read() as link:
            found = link.execute(
                "SELECT thumbprint, label, algorithm, since, until, why FROM keys ORDER BY since, label"
            ).fetchall()
        return tuple(Key(row[0], row[1], row[2], time_of(row[3]) or EPOCH, time_of(row[4]), row[5]) for row in found)

    def clerks(self) -> Mapping[str, tuple[Clerk, str]]:
        with self.sql.read() as link:
            found = link.execute(
                "SELECT name, department, rights, types, secret, since, until FROM clerks ORDER BY name"
            ).fetchall()
        try:
            return {
                name: (
                    Clerk(
                        name, frozenset(map(Right, rights.split())), frozenset(types.split()), department,
                        time_of(since), time_of(until),
                    ),
                    secret,
                )
                for name, department, rights, types, secret, since, until in found
            }  # fmt: skip
        except ValueError:  # a right that this program does not know
            raise Unavailable("store.damaged", kind="register") from None

    # -- the roll of voices --

    def voice(self, person: str, secret: str) -> Voice | None:
        with self.sql.read() as link:
            return voice_of(link, person, secret)

    def restored_since(self, at: datetime) -> bool:
        with self.sql.read() as link:
            return restored_since(link, at)

    def close(self) -> None:
        self.sql.close()


def _shape(size: int, bits: int) -> None:
    if bits not in (1, 2, 4, 8) or size < 8 or size % 8:
        raise Misuse("register.list_shape", size=size, bits=bits)


class SqliteRegister(StoredRegister):
    """The register in one SQLite file; in memory where `path` is None. Raises as `cityid.edge.sqlite.Database`."""

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        must_exist: bool = False,
        status_base: str = "",
        list_size: int = LIST_SIZE,
        list_bits: int = LIST_BITS,
        claims_key: bytes | None = None,
        entropy: Entropy = secrets.token_bytes,
    ) -> None:
        _shape(list_size, list_bits)
        sql = SqliteSql(path, "register", APPLICATION, must_exist=must_exist)
        super().__init__(sql, status_base, list_size, list_bits, claims_key, entropy)


class PostgresRegister(StoredRegister):
    """The register in a PostgreSQL database, such as `postgresql://host/db`. `password` is asked where the server wants
    one that no file gives. Raises as `cityid.edge.postgres.PostgresSql`."""

    def __init__(
        self,
        name: str,
        *,
        status_base: str = "",
        list_size: int = LIST_SIZE,
        list_bits: int = LIST_BITS,
        claims_key: bytes | None = None,
        password: Callable[[], str] | None = None,
        entropy: Entropy = secrets.token_bytes,
    ) -> None:
        _shape(list_size, list_bits)
        sql = PostgresSql(name, "register", password=password)
        super().__init__(sql, status_base, list_size, list_bits, claims_key, entropy)
