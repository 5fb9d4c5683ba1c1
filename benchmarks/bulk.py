"""Issuing from a table: rows a second of `--signed` and `--offers` with the register, letters a second, peak memory.

Ratios to the floor are of processor time: the register, the table and the keys are one process's work, and other
processes on the machine must not count. Rates of several processes are by the clock.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import alone
from processes import TREE

PASSPHRASE = "correct horse battery staple"
FLOOR = "sdjwt.issue.es256"
COLUMNS = (
    "given_name", "family_name", "birthdate", "address.street_address", "address.house_number", "address.postal_code",
    "address.locality", "address.country", "municipality.code", "municipality.name", "resident_since", "holder_jwk",
)  # fmt: skip
NAMES = ("Ada", "İbrahim", "Zoë", "Max", "Ana María", "Jürgen", "Li", "Noor")


def table(path: Path, rows: int, *, keys: bool) -> None:
    from cityid.edge.signers import load, new_secret
    from cityid.keys import Algorithm, jwk

    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS if keys else COLUMNS[:-1])
        for n in range(rows):
            born = date(1935, 1, 1) + timedelta(days=secrets.randbelow(26_000))
            cells = [
                NAMES[n % 8], f"Name{n}", born, f"Weg {n % 700}", n % 90, "88131", "Lindau", "DE", "09776116", "Lindau",
                "2011-02-03",
            ]  # fmt: skip
            if keys:
                key = load(Algorithm.ES256, new_secret(Algorithm.ES256, secrets.token_bytes)).public_key
                cells.append(json.dumps(jwk.write(key)))
            writer.writerow(cells)


def city(folder: Path, register: str = "") -> None:
    command = [
        sys.executable, "-m", "cli", "init", "city", str(folder), "--did", "did:web:id.lindau.example",
        "--status-url", "https://id.lindau.example/status", *(["--register", register] if register else []),
    ]  # fmt: skip
    read, write = os.pipe()
    os.write(write, PASSPHRASE.encode() + b"\n")
    os.close(write)
    env = {**os.environ, "PYTHONPATH": str(TREE)}
    subprocess.run([*command, "--passphrase-fd", str(read)], check=True, capture_output=True, pass_fds=[read], env=env)
    os.close(read)


def run(home: Path, source: Path, out: Path, **more: Any) -> tuple[float, float]:
    """Seconds by the clock and of this process, for one run over the table."""
    from cityid.clerks import Clerk
    from cli import bulk, bulk_work
    from cli import home as homes
    from cli.state import STATE

    wanted = bulk.Wanted("residency", source, out, Clerk("clerk-1", frozenset()), round=out.name, **more)
    with bulk_work.given(PASSPHRASE) as number, STATE.opened:
        clock, used = time.perf_counter(), time.process_time()
        bulk.many(homes.find(home, "city"), wanted, number, json_=False)
        return time.perf_counter() - clock, time.process_time() - used


def _of_workers() -> float:
    """Processor time of the processes that have ended: how much more a table takes than its rows is theirs too."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def floor() -> float:
    op: Callable[[], Any] = alone._floors()[FLOOR]
    used = time.process_time()
    for _ in range(8_000):
        op()
    return (time.process_time() - used) / 8_000


def letters(count: int) -> float:
    """Seconds of this process for a letter."""
    from cityid.bulk import show_code
    from cityid.edge.letters import Letters

    made = Letters("Stadt Lindau")
    link = f"openid-credential-offer://?credential_offer={'%22abcdef%22%3A' * 45}"
    facts = {"type": "Residency", "until": "1 Jan 2027", "number": "R-2026-000001"}
    made.pdf(["Ada"], link, show_code("A" * 30), facts)
    used = time.process_time()
    for n in range(count):
        made.pdf([f"Ada {n}", "Weg 7", "88131 Lindau"], f"{link}{n}", show_code("A" * 30), facts)
    return (time.process_time() - used) / count


def figures(rows: int, postgres: str = "") -> None:
    folder = Path(tempfile.mkdtemp(prefix="cityid-bulk."))
    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  # what the command says to people
    try:
        table(folder / "keys.csv", rows, keys=True)
        table(folder / "people.csv", rows, keys=False)
        print(f"\n{f'from a table of {rows:,} rows':44}{'rows/s':>10}{'found':>12}{'asked':>12}")
        for name, register, least in (("SQLite", "", 0.35), ("PostgreSQL", postgres, 0.25)):
            if name == "PostgreSQL" and not register:
                print(f"{'--signed, PostgreSQL':44}{'':>10}{'not asked for: --postgres NAME':>24}")
                continue
            city(folder / name, register)
            before = floor()
            _, used = run(folder / name, folder / "keys.csv", folder / f"signed-{name}", signed=True)
            bare = min(before, floor())
            ratio = bare * rows / used
            print(
                f"{f'--signed, {name}, one process':44}{rows / used:>10,.0f}{ratio:>12.2f}{f'>= {least:.2f}':>12}"
                f"{'' if ratio >= least else '  BELOW'}"
            )
        for name, source, least, more in (
            ("--signed", "keys.csv", 0, {"signed": True}), ("--offers", "people.csv", 10_000, {"archive": True}),
        ):  # fmt: skip
            before = _of_workers()
            clock, alone_ = run(folder / "SQLite", folder / source, folder / f"two{name}", workers=2, **more)
            rate, used = rows / clock, (_of_workers() - before + alone_) / rows * 1e6
            asked, mark = (f">= {least:,}" if least else ""), ("  BELOW" if rate < least else "")
            title = f"{name}, SQLite, two workers, by the clock"
            print(f"{title:44}{rate:>10,.0f}{f'{used:.0f} us':>12}{asked:>12}{mark}")
        rate = 1 / letters(200)
        print(f"{'letters, one process':44}{rate:>10,.0f}{'':>12}{'>= 200':>12}{'' if rate >= 200 else '  BELOW'}")
        for title, who in (("this process", resource.RUSAGE_SELF), ("a worker", resource.RUSAGE_CHILDREN)):
            peak = resource.getrusage(who).ru_maxrss / 1024
            mark = "" if peak <= 200 else "  ABOVE"
            print(f"{f'peak memory of {title}':44}{'':>10}{f'{peak:.0f} MiB':>12}{'<= 200 MiB':>12}{mark}")
    finally:
        sys.stderr = sys.__stderr__
        shutil.rmtree(folder)
