"""Does the register slow down as it grows? Preparing a card, revoking by number, reading a row and publishing one list,
at 10^4, 10^5 and 10^6 rows (more with --rows): `make bench-register`.

The rows are put there by plain statements, because only what happens afterwards is measured.

    python benchmarks/register.py [--rows N]... [--postgres NAME] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cityid.credential import DidUrl, Window
from cityid.edge import files
from cityid.edge.database import PostgresRegister, SqliteRegister, StoredRegister
from cityid.edge.software_keys import MemoryKeyring
from cityid.keys import Algorithm
from cityid.register import Batch, Entry, Issued, State, Status, copies_of
from cityid.register.standing import set_standing
from cityid.sessions import new_key
from cityid.status import token_status_list

BASE = "https://id.lindau.example/status"
AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
NOW = int(AT.timestamp())
SIZE = 1 << 20
FULL = SIZE - SIZE // 8
STRIDE = 524_287  # prime to the size of a list: indices far apart, as if drawn
TIMES = 60
SLICE = 5000


def fill(register: StoredRegister, end: int) -> None:
    """Cards of one copy, issued; one in fifty is revoked."""
    with register.sql.write() as link:
        link.execute("INSERT INTO batches (id, key, clerk, at) VALUES (1, ?, 'bench', ?)", (b"bench", NOW))
        for first in range(0, end, SLICE):
            cards = range(first + 1, min(first + SLICE, end) + 1)
            for list_id in {(card - 1) // FULL + 1 for card in cards}:
                link.execute("UPDATE lists SET open = 0 WHERE id < ?", (list_id,))
                link.execute(
                    "INSERT INTO lists (id, uri, bits, size) VALUES (?, ?, 2, ?) ON CONFLICT DO NOTHING",
                    (list_id, f"{BASE}/{list_id}", SIZE),
                )
            link.many(
                "INSERT INTO cards (id, number, type, format, starts, ends, state, batch, clerk, at) "
                "VALUES (?, ?, 'residency', 'dc+sd-jwt', ?, ?, 'issued', 1, 'bench', ?)",
                [(card, f"R-2026-{card:06d}", NOW, NOW + 86_400, NOW) for card in cards],
            )
            link.many(
                "INSERT INTO copies (card, position, holder) VALUES (?, 0, ?)",
                [(card, f"thumbprint-{card * 2_654_435_761 % (1 << 61):x}") for card in cards],
            )
            link.many(
                "INSERT INTO entries (list, idx, value, card, position) VALUES (?, ?, ?, ?, 0)",
                [
                    ((card - 1) // FULL + 1, (card - 1) % FULL * STRIDE % SIZE, int(card % 50 == 0), card)
                    for card in cards
                ],
            )
        link.execute("UPDATE lists SET used = (SELECT count(*) FROM entries WHERE list = lists.id)")
        link.execute("INSERT INTO counters (name, last) VALUES ('2026', ?)", (end,))


def once(register: StoredRegister, work: Callable[[Batch], object]) -> None:
    with register.batch("bench", new_key(), AT) as batch:
        work(batch)


def measured(work: Callable[[int], object], times: int = TIMES) -> float:
    """The median time of one, in milliseconds."""
    taken = []
    for number in range(times):
        begun = time.perf_counter()
        work(number)
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def figures(register: StoredRegister, rows: int) -> dict[str, float]:
    required, chance = replace(files.types()["residency"], status="required"), random.Random(rows)
    ring = MemoryKeyring()
    signer = ring.signer(ring.create(Algorithm.ES256))
    numbers = [f"R-2026-{n + 1:06d}" for n in chance.sample(range(rows), 3 * TIMES) if (n + 1) % 50]
    found: list[Issued] = []

    def prepare(_: int) -> None:
        def work(batch: Batch) -> None:
            refs = batch.allot(required, 1)
            window = Window(AT, AT + timedelta(days=1))
            batch.record([Entry("residency", "dc+sd-jwt", window, copies_of(refs, 1), State.OFFERED)])

        once(register, work)

    def revoke(number: int) -> None:
        row = register.find(numbers[number])
        once(register, lambda batch: set_standing(batch, [row], Status.INVALID, "bench", "bench"))

    def publish(number: int) -> None:
        bits = register.bits(register.lists()[0])
        packed = token_status_list.build(bits.values, bits=bits.bits, size=bits.size)
        token_status_list.issue(
            packed, bits.uri, signer, signed_by=DidUrl("did:web:id.lindau.example", "k"),
            at=AT + timedelta(minutes=number), lifetime=timedelta(days=1), ttl=timedelta(minutes=15),
        )  # fmt: skip

    return {
        "prepare": measured(prepare),
        "revoke": measured(revoke),
        "find": measured(lambda number: found.append(register.find(numbers[-1 - number]))),
        "publish": measured(publish, 5),
    }


def opened(folder: Path, postgres: str | None, rows: int) -> StoredRegister:
    if postgres is None:
        return SqliteRegister(folder / "register.sqlite", status_base=BASE)
    import psycopg

    # each size has a schema of its own
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA bench_{rows}".encode())
    mark = "&" if "?" in postgres else "?"
    return PostgresRegister(f"{postgres}{mark}options=-csearch_path%3Dbench_{rows}", status_base=BASE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, action="append", help="measure at so many rows; repeatable")
    parser.add_argument("--postgres", metavar="NAME", help="an empty PostgreSQL database, instead of a SQLite file")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    sizes = sorted(options.rows or [10**4, 10**5, 10**6])
    results: dict[int, dict[str, float]] = {}
    print(f"{'rows':>10}  {'prepare':>9}  {'revoke':>9}  {'find':>9}  {'publish one list':>16}   (ms, median)")
    for rows in sizes:
        with tempfile.TemporaryDirectory() as folder, opened(Path(folder), options.postgres, rows) as register:
            fill(register, rows)
            if options.postgres:
                with register.sql.read() as link:
                    link.execute("ANALYZE")  # as autovacuum does within a minute
            found = results[rows] = figures(register, rows)
        times = "  ".join(f"{found[name]:9.2f}" for name in ("prepare", "revoke", "find"))
        print(f"{rows:>10}  {times}  {found['publish']:16.1f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    first, last = results[sizes[0]], results[sizes[-1]]
    allowed = 2 * math.log(sizes[-1]) / math.log(sizes[0])
    slower = {name: last[name] / first[name] for name in ("prepare", "revoke", "find")}
    print(
        "growth: " + ", ".join(f"{name} x{value:.2f}" for name, value in slower.items()) + f" (allowed x{allowed:.1f})"
    )
    return 0 if all(value <= allowed for value in slower.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
