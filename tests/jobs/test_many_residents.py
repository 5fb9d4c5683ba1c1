"""Many residents' cards from one table, while processes are killed: on PostgreSQL by three workers, two of whom die,
and on SQLite by one pool, a process of which dies and then all of it. The register holds exactly the rows, no index
twice, and its audit is content.

Some hundred rows as a test; `CITYID_ROWS=100000` makes it the long form (`make must-show`). What was found is written
as JSON to `CITYID_RECORDS/many-residents-DATABASE.json`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cityid.edge.database import PostgresRegister, SqliteRegister, StoredRegister
from cityid.edge.register_audit import audit
from cityid.edge.resources import schemas
from cityid.edge.signers import load, new_secret
from cityid.formats import FORMATS
from cityid.keys import Algorithm, jwk
from cityid.register import Issued, State
from tests.postgres import Server
from tests.transcripts import environment

pytestmark = [pytest.mark.kdf, pytest.mark.slow]
ROWS = int(os.environ.get("CITYID_ROWS", "240"))
PART = 1_000 if ROWS >= 10_000 else max(ROWS // 12, 1)
PASSPHRASE = "correct horse battery staple"
LEASE = 10 if ROWS >= 10_000 else 2
PATIENCE = 1_800 if ROWS >= 10_000 else 120
SAMPLE = max(ROWS // 500, 1)
"""Every so-manieth card is read and compared with the register."""
_BASE = "cityid._cli" if importlib.util.find_spec("cityid._cli") else "cli"
# Parts as small as the short form needs; nothing else differs from what people type.
_MAIN = f"from {_BASE} import bulk_check; bulk_check.ROWS = {PART}; from {_BASE}.main import main; main()"


@dataclass
class City:
    folder: Path
    name: str = ""

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        read, write = os.pipe()
        os.write(write, PASSPHRASE.encode() + b"\n")
        os.close(write)
        try:
            with (self.folder / f"said-{secrets.token_hex(4)}").open("wb") as said:
                return subprocess.Popen(
                    [sys.executable, "-c", _MAIN, *words, "--passphrase-fd", str(read)], cwd=self.folder,
                    env=environment(self.folder / "home"), pass_fds=[read], stdout=subprocess.DEVNULL, stderr=said,
                    start_new_session=True,
                )  # fmt: skip
        finally:
            os.close(read)

    def said(self) -> str:
        return "\n".join(path.read_text() for path in self.folder.glob("said-*"))

    def end(self, process: subprocess.Popen[bytes], patience: float = PATIENCE) -> None:
        assert process.wait(patience) == 0, self.said()

    @contextmanager
    def register(self) -> Iterator[StoredRegister]:
        with PostgresRegister(self.name) if self.name else SqliteRegister(self.folder / "city/register.sqlite") as one:
            yield one


def found(folder: Path, name: str = "") -> City:
    """A city whose age cards have a status: an index that came twice would be seen."""
    folder.mkdir()
    (folder / "home").mkdir()
    city = City(folder, name)
    given = ("--register", name) if name else ()
    words = ("--did", "did:web:id.lindau.example", "--status-url", "https://x.example/s")
    city.end(city.start("init", "city", "city", *words, *given))
    (folder / "city" / "types").mkdir()
    definition = json.loads((schemas() / "types" / "age.json").read_bytes())
    (folder / "city" / "types" / "age.json").write_text(json.dumps({**definition, "status": "required"}))
    return city


def people(path: Path, count: int) -> list[str]:
    """A table, and the thumbprints of its holders' keys, by row."""
    keys = []
    with path.open("w") as file:
        for number in range(count):
            key = load(Algorithm.ES256, new_secret(Algorithm.ES256, secrets.token_bytes)).public_key
            keys.append(key.thumbprint)
            born = f"19{number % 90 + 10}-0{number % 9 + 1}-1{number % 10}"
            file.write(json.dumps({"nr": str(number), "birthdate": born, "holder_jwk": jwk.write(key)}) + "\n")
    return keys


def violations(holders: Sequence[str], rows: Iterable[Issued], cards: Iterable[Mapping[str, Any]]) -> list[str]:
    """What is wrong with a register, and with the cards that came out, after a table of these `holders`."""
    wrong: list[str] = []
    wanted, issued, indices = Counter(holders), Counter[str](), Counter[tuple[str, int]]()
    by_number: dict[str, tuple[tuple[str, ...], tuple[tuple[str, int], ...]]] = {}
    for row in rows:
        by_number[row.number] = (row.holders, tuple((ref.uri, ref.index) for ref in row.status))
        issued.update(row.holders)
        indices.update((ref.uri, ref.index) for ref in row.status)
    wrong += [f"{count} rows for one holder" for count in issued.values() if count > 1]
    wrong += ["a row for nobody in the table"] * len(issued.keys() - wanted.keys())
    wrong += ["nobody's row"] * len(wanted.keys() - issued.keys())
    wrong += [f"index {index} of {uri} is there {count} times" for (uri, index), count in indices.items() if count > 1]
    wrong += ["rows without an index"] * sum(not status for _, status in by_number.values())
    lines = 0
    for lines, card in enumerate(cards, 1):
        holder = holders[lines - 1] if lines <= len(holders) else ""
        known, status = by_number.get(card["number"], ((), ()))
        if card["line"] != lines or known != (holder,) or card["holder"] != holder:
            wrong.append(f"the card of line {lines} is not that of its row")
        elif lines % SAMPLE == 0:
            read = FORMATS["dc+sd-jwt"].read(card["credential"].encode())
            if tuple((ref.uri, ref.index) for ref in read.status) != status:
                wrong.append(f"the card of line {lines} has another index than its row")
    if lines != len(holders):
        wrong.append(f"{lines} cards for {len(holders)} rows")
    return wrong


def judged(city: City, holders: Sequence[str]) -> list[str]:
    with city.register() as register, (city.folder / "out" / "cards.jsonl").open() as cards:
        rows = register.rows(state=State.ISSUED)
        return violations(holders, rows, map(json.loads, cards)) + [str(one) for one in audit(register).findings]


def wait_for_parts(city: City, count: int, *running: subprocess.Popen[bytes]) -> None:
    """Until so many parts are back."""
    end = time.monotonic() + PATIENCE
    place = city.folder / "out" / ".cityid-run"
    while len(list(place.glob("done-*"))) < count:
        assert time.monotonic() < end, city.said()
        assert all(process.poll() is None for process in running), city.said()
        time.sleep(0.02)


def kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def record(database: str, began: float, killed: int, wrong: Sequence[str]) -> None:
    seconds = round(time.monotonic() - began, 1)
    told = {
        "experiment": "many-residents", "database": database, "rows": ROWS, "part": PART, "killed": killed,
        "seconds": seconds, "rows_a_second": round(ROWS / seconds, 1), "violations": len(wrong), "first": wrong[:20],
    }  # fmt: skip
    text = json.dumps(told, indent=2)
    print(text)
    if folder := os.environ.get("CITYID_RECORDS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / f"many-residents-{database}.json").write_text(text + "\n")


TABLE = ("issue", "age", "--from", "people.jsonl", "--key", "nr", "--signed", "-o", "out")


def test_postgresql_three_workers_two_of_them_killed(tmp_path: Path, postgres: Server) -> None:
    city = found(tmp_path / "city", postgres.name())
    holders = people(city.folder / "people.jsonl", ROWS)
    began = time.monotonic()
    work = ("--home", "city", "work", "--lease", str(LEASE))
    workers = [city.start(*work) for _ in range(3)]
    queuer = city.start("--home", "city", *TABLE, "--queue")
    parts = -(-ROWS // PART)
    wait_for_parts(city, parts // 6, queuer, *workers)
    kill(workers[0])
    kill(queuer)  # whoever queued may be killed as well, and comes back
    queuer = city.start("--home", "city", *TABLE, "--queue")
    wait_for_parts(city, parts // 3, *workers[1:])
    kill(workers[1])
    city.end(queuer)
    workers[2].terminate()
    city.end(workers[2])
    wrong = judged(city, holders)
    record("postgresql", began, 3, wrong)
    assert wrong == []
    assert left(city.name) == (0, 0, 0)


def left(name: str) -> tuple[int, ...]:
    """What stays in the queue's tables: runs, parts, jobs."""
    import psycopg

    with psycopg.connect(name) as connection:
        (schema,) = connection.execute("SELECT current_schema()").fetchone() or ("",)
        tables = ("work_runs", "work_parts", f"{schema}_cityid_work.procrastinate_jobs")
        counts = [connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() for table in tables]
    return tuple(count for (count,) in filter(None, counts))


def test_sqlite_a_pool_of_which_one_is_killed_and_then_all(tmp_path: Path) -> None:
    city = found(tmp_path / "city")
    holders = people(city.folder / "people.jsonl", ROWS)
    began = time.monotonic()
    words = ("--home", "city", *TABLE, "--workers", "2")
    pool, parts = city.start(*words), -(-ROWS // PART)
    wait_for_parts(city, parts // 6, pool)
    os.kill(_workers(pool.pid)[0], signal.SIGKILL)
    wait_for_parts(city, parts // 3, pool)
    kill(pool)
    city.end(city.start(*words))
    wrong = judged(city, holders)
    record("sqlite", began, 3, wrong)
    assert wrong == []
    if ROWS < 10_000:
        seeded(city, holders)


def _workers(parent: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def seeded(city: City, holders: Sequence[str]) -> None:
    """The judge says no to what a wrong program would have left."""
    with city.register() as register:
        rows = list(register.rows(state=State.ISSUED))
    lines = (city.folder / "out" / "cards.jsonl").read_text().splitlines()
    cards = [json.loads(line) for line in lines]
    assert violations(holders, rows, cards) == []
    twin = replace(rows[1], copies=(replace(rows[1].copies[0], status=rows[0].copies[0].status),))
    assert any("times" in one for one in violations(holders, [rows[0], twin, *rows[2:]], cards))
    assert "nobody's row" in violations(holders, rows[1:], cards)
    assert "a row for nobody in the table" in violations(holders[1:], rows, cards)
    assert any("cards for" in one for one in violations(holders, rows, cards[:-1]))
    assert any("not that of its row" in one for one in violations(holders, rows, [cards[1], cards[0], *cards[2:]]))
    # A program that does not know what it has issued: the same table again, under names that nobody gave before.
    (city.folder / "out" / "cards.jsonl").rename(city.folder / "before.jsonl")
    (city.folder / "out").rmdir()
    city.end(city.start("--home", "city", *TABLE, "--round", "again"))
    assert "2 rows for one holder" in judged(city, holders)
    # And a row that was taken out behind the register's back.
    import sqlite3

    connection = sqlite3.connect(city.folder / "city" / "register.sqlite")
    with connection:
        connection.execute("UPDATE entries SET value = 1 WHERE card = (SELECT min(id) FROM cards)")
    connection.close()
    with city.register() as register:
        assert audit(register).findings != ()
