"""The rows of a part, as the first reading found them, in the folder of the run: whoever does the part takes them from
there and reads nothing twice. Where they are missing the table is read again."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from cityid.bulk import Person

Addresses = Mapping[int, Sequence[str]]


def write(path: Path, people: Sequence[Person], addresses: Addresses, *, typed: bool, claims: bool) -> None:
    """Keep them until their part is done: what was typed, the claims, or both. Not durably: what a crash takes is read
    again."""
    from cityid.edge.files import of_the_system
    from cityid.encoding import base64url, json, times

    rows = []
    for one in people:
        made, holder = one.prepared, one.holder
        rows.append([
            one.line, one.key, one.digest, one.subject,
            [holder.algorithm.value, base64url.encode(holder.raw)] if holder else None,
            times.numeric(made.start), times.numeric(made.end), one.typed.decode("utf-8") if typed else "",
            made.claims if claims else None, addresses.get(one.line, ()),
        ])  # fmt: skip
    try:
        path.unlink(missing_ok=True)
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(json.write(rows))
    except OSError as error:
        raise of_the_system(error, path) from None


def read(path: Path) -> tuple[list[Person], Addresses] | None:
    """None where they are not there, or not whole."""
    from cityid.bulk import Person
    from cityid.credential_type import Prepared
    from cityid.encoding import base64url, json, times
    from cityid.errors import CityIdError
    from cityid.keys import Algorithm, PublicKey

    people, addresses = [], {}
    try:
        data = path.read_bytes()
        rows = json.read(data, limit=len(data), nodes=False)
        for line, key, digest, subject, holder, start, end, typed, claims, address in rows:
            made = Prepared(claims or {}, times.read_numeric(start), times.read_numeric(end))
            bound = PublicKey(Algorithm(holder[0]), base64url.decode(holder[1])) if holder else None
            people.append(Person(line, key, made, typed.encode("utf-8"), digest, subject, bound))
            addresses[line] = address
    except (OSError, CityIdError, TypeError, ValueError, AttributeError):
        return None
    return people, addresses


class Seen:
    """Keys of rows that came before, on disk: the memory of a long table stays flat."""

    def __init__(self) -> None:
        import sqlite3

        self._link = sqlite3.connect("", isolation_level=None)
        self._link.execute("PRAGMA journal_mode = OFF")
        self._link.execute("CREATE TABLE seen (key TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *how: object) -> None:
        self._link.close()

    def repeated(self, keys: Sequence[tuple[str, int]]) -> list[tuple[int, int]]:
        """Of keys and their lines: the lines of those that were there before, each with the line of the first."""
        before = self._link.total_changes
        self._link.executemany("INSERT INTO seen VALUES (?, ?) ON CONFLICT DO NOTHING", keys)
        if self._link.total_changes - before == len(keys):
            return []
        found = []
        for key, line in keys:
            (first,) = self._link.execute("SELECT line FROM seen WHERE key = ?", (key,)).fetchone()
            if first != line:
                found.append((line, int(first)))
        self.count += len(found)
        return found
