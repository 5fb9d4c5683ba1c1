"""`make bench`: our figures beside the bare cryptography and beside our peers, in one run, as ratios.

With the shared harness (CITYID_BENCH, ../shared/bench) each case is measured in interleaved rounds, one process each;
without it our own figures and floor are. A ratio is the median of the ratios round by round.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TREE = HERE.parent
sys.path[:0] = [str(TREE), str(HERE)]

import alone  # noqa: E402  # found by the path above
import bulk  # noqa: E402  # found by the path above
import processes  # noqa: E402  # found by the path above

HARNESS = Path(os.environ.get("CITYID_BENCH") or TREE.parent / "shared" / "bench")
HOME = Path(os.environ.get("CITYID_BENCH_HOME") or Path.home() / ".cache" / "cityid-bench")
PEERS = (
    "floor", "floor-too", "cityid", "sd-jwt", "sd-jwt-js", "openvc", "vouchkit", "dcql-js", "digitalbazaar", "didkit",
    "acapy", "jsonld-js", "pyld", "did-webvh", "didwebvh-ts",
)  # fmt: skip
# Whose fixtures are the shared harness's alone.
SHARED = ("di.", "vcjwt.", "rdfc.", "did.webvh", "bsl.")
# case: (least ratio to the floor, least operations a second)
CASES: dict[str, tuple[float, float]] = {
    "sdjwt.issue.es256": (0.43, 0),
    "sdjwt.issue.eddsa": (0, 0),
    "sdjwt.present.es256": (0.22, 0),
    "sdjwt.present-held.es256": (0.75, 0),
    "sdjwt.verify.es256": (0.67, 0),
    "sdjwt.verify-strangers.es256": (0, 0),
    "sdjwt.verify.eddsa": (0, 0),
    "di.eddsa-rdfc-2022.issue": (0, 2_500),
    "di.eddsa-rdfc-2022.verify": (0, 2_500),
    "di.eddsa-jcs-2022.issue": (0, 0),
    "di.eddsa-jcs-2022.verify": (0.50, 0),
    "di.ecdsa-sd-2023.issue": (0, 0),
    "di.ecdsa-sd-2023.derive": (0, 0),
    "di.ecdsa-sd-2023.verify": (0, 0),
    "di.bbs-2023.issue": (0.60, 0),
    "di.bbs-2023.derive": (0.75, 0),
    "di.bbs-2023.verify": (0.75, 0),
    "vcjwt.issue": (0, 0),
    "vcjwt.verify": (0.55, 0),
    "rdfc.canonize": (0, 10_000),
    "dcql.match": (0, 3_000),
    "dcql.match-indexed": (0, 8_000),
    "did.key": (0, 0),
    "did.web": (0, 0),
    "did.webvh": (0.50, 0),
    "did.webvh-seen": (0, 10_000),
    "tsl.build": (2.5, 0),
    "tsl.verify": (0.45, 0),
    "tsl.lookup": (0, 1_000_000),
    "tsl.check": (0, 0),
    "bsl.build": (0, 0),
    "bsl.verify": (0, 0),
    "bsl.lookup": (0, 1_000_000),
}


def shared(cases: list[str], seconds: float, rounds: int) -> list[dict[str, Any]] | None:
    """The lines of the shared harness; None where it is not installed."""
    python = HOME / "venvs" / "main" / "bin" / "python"
    if not (HARNESS / "run.py").is_file() or not python.exists():
        return None
    path = os.pathsep.join(filter(None, (str(TREE), os.environ.get("PYTHONPATH"))))
    environment = {
        **os.environ, "CITYID_BENCH_HOME": str(HOME), "CITYID_BENCH_PEERS": str(HERE / "peers"),
        "CITYID_BENCH_RUN_CITYID": sys.executable, "PYTHONPATH": path,
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="cityid-bench.") as folder:
        out = Path(folder) / "results.jsonl"
        command = [
            sys.executable, str(HARNESS / "run.py"), "--case", ",".join(cases), "--peer", ",".join(PEERS),
            "--seconds", str(seconds), "--rounds", str(rounds), "--out", str(out),
        ]  # fmt: skip
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def ratios(ours: dict[str, Any], other: dict[str, Any]) -> list[float]:
    return sorted(a / b for a, b in zip(ours["round_ops"], other["round_ops"], strict=False))


def table(lines: list[dict[str, Any]]) -> None:
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for line in lines:
        found[line["case"]]["floor" if line["peer"] == "floor-too" else line["peer"]] = line
    print(f"{'case':29}{'ours/s':>10}{'floor/s':>10}  {'ours/floor':24}{'asked':>7}  best peer")
    notes = []
    for case, (least, fewest) in CASES.items():
        if case not in found:
            continue
        peers = found[case]
        ours, floor = peers.pop("cityid"), peers.pop("floor", None)
        if "skipped" in ours:
            print(f"{case:29}not measured: {ours['skipped']}")
            continue
        rate = ours["ops_per_s"]
        text, asked, good = "", "", rate >= fewest
        if floor is not None and "skipped" not in floor:
            each = ratios(ours, floor)
            ratio = statistics.median(each)
            text, good = f"{ratio:.2f} ({each[0]:.2f} to {each[-1]:.2f})", good and ratio >= least
            asked = f"{least:.2f}" if least else ""
        if fewest:
            asked = f"{fewest:,.0f}/s"
        mark = "" if good else "  BELOW"
        full = {name: line for name, line in peers.items() if "skipped" not in line and not line.get("less")}
        beside = ""
        if full:
            name = max(full, key=lambda each: full[each]["ops_per_s"])
            beside = (
                f"{name} {full[name]['ops_per_s']:,.0f}/s (ours x {statistics.median(ratios(ours, full[name])):.2f})"
            )
        per = "" if floor is None else f"{floor.get('ops_per_s', 0):,.0f}"
        print(f"{case:29}{rate:>10,.0f}{per:>10}  {text:24}{asked:>7}  {beside}{mark}")
        notes += [f"  {case}, {name}: {line['skipped'][:150]}" for name, line in peers.items() if "skipped" in line]
        notes += [
            f"  {case}, {name}: {line['note']}" for name, line in (("cityid", ours), *peers.items()) if "note" in line
        ]
    if notes:
        print("\nnotes\n" + "\n".join(notes))


def whole_processes(runs: int) -> None:
    times = processes.start_up(runs)
    bare = processes.median(times["bare"])
    over = processes.median([a - b for a, b in zip(times["import"], times["bare"], strict=True)])
    times_bare = processes.median([a / b for a, b in zip(times["help"], times["bare"], strict=True)])
    help_, verify = processes.median(times["help"]), processes.median(times["verify"])
    print(f"\n{'whole processes (median)':44}{'found':>12}{'asked':>12}")
    for what, text, asked, good in (
        ("bare interpreter", f"{bare:.0f} ms", "", True),
        ("import cityid, above bare", f"{over:.0f} ms", "<= 60 ms", over <= 60),
        ("cityid --help", f"{help_:.0f} ms", "<= 150 ms", help_ <= 150),
        ("cityid --help, bare interpreters", f"{times_bare:.1f}", "<= 10", times_bare <= 10),
        ("cityid verify of a file", f"{verify:.0f} ms", "<= 350 ms", verify <= 350),
    ):
        print(f"{what:44}{text:>12}{asked:>12}{'' if good else '  ABOVE'}")


def memory() -> None:
    found = processes.hostile()
    most = max(found, key=lambda kind: found[kind][0])
    size = found[most][0]
    print(f"\n{'hostile 1 MiB, peak above idle (' + most + ')':44}{size:>8.1f} MiB{'<= 64 MiB':>12}", end="")
    print("" if size <= 64 else "  ABOVE")
    for kind, (each, code) in sorted(found.items(), key=lambda item: -item[1][0]):
        print(f"  {kind:42}{each:>8.1f} MiB  {code}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--case", default=",".join(CASES), help="cases, comma-separated; '' for none")
    parser.add_argument("--seconds", type=float, default=1.8, help="measured time for each case and peer")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--runs", type=int, default=7, help="whole processes of each kind; 0 for none")
    parser.add_argument("--rows", type=int, default=20_000, help="rows of the table that is issued from; 0 for none")
    parser.add_argument("--postgres", default="", help="a PostgreSQL database for the register, beside SQLite")
    parser.add_argument("--alone", action="store_true", help="without the shared harness")
    given = parser.parse_args()
    cases = [case for case in given.case.split(",") if case]
    for case in cases:
        if case not in CASES:
            parser.error(f"no case {case!r}; there are: {', '.join(CASES)}")
    if cases:
        lines = None if given.alone else shared(cases, given.seconds, given.rounds)
        if lines is None:
            print("without the shared harness: our own figures and floor\n")
            lines = alone.run([case for case in cases if not case.startswith(SHARED)], given.seconds, given.rounds)
        table(lines)
    if given.runs:
        whole_processes(given.runs)
        memory()
    if given.rows:
        bulk.figures(given.rows, given.postgres)
    return 0


if __name__ == "__main__":
    sys.exit(main())
