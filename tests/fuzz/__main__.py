"""Fuzz one target, or all in turn.

    python -m tests.fuzz [TARGET|all] [SECONDS]

With atheris (the dependency group `fuzz`) it looks for new paths through our code; without, it changes what is in the
corpus at random. What breaks a target is written to `build/fuzz/`, and belongs into the corpus once it is mended.
"""

from __future__ import annotations

import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from random import Random

FOUND = Path("build/fuzz")


def mutated(corpus: list[bytes], chance: Random) -> bytes:
    """One of them, changed in a few places."""
    data = bytearray(chance.choice(corpus))
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(data))
        match chance.randrange(5):
            case 0:
                data[at : at + chance.randint(1, 8)] = b""
            case 1:
                data[at:at] = chance.randbytes(chance.randint(1, 4))
            case 2 if data:
                data[at % len(data)] = chance.randrange(256)
            case 3:
                other = chance.choice(corpus)
                start = chance.randint(0, len(other))
                data[at:at] = other[start : start + chance.randint(1, 40)]
            case _:
                data[at:at] = chance.choice(
                    [b'"', b"{", b"[", b",", b"~", b".", b"\n", b"\\u0000", b"-0", b"1e9", b"$0"]
                )
    return bytes(data[: 1 << 14])


def without_atheris(name: str, seconds: float, seed: int) -> int:
    from tests.fuzz.targets import CORPUS, TARGETS

    corpus = [file.read_bytes() for file in sorted((CORPUS / name).iterdir())]
    chance, end, runs = Random(seed), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data = mutated(corpus, chance)
        runs += 1
        begun = time.monotonic()
        try:
            TARGETS[name](data)
        except BaseException:
            traceback.print_exc()
            return _found(name, data)
        if time.monotonic() - begun > 1:
            print("it took more than a second", file=sys.stderr)
            return _found(name, data)
    print(f"{name}: {runs} runs without a finding, seed {seed} (atheris is not installed)")
    return 0


def _found(name: str, data: bytes) -> int:
    FOUND.mkdir(parents=True, exist_ok=True)
    path = FOUND / f"{name}-{abs(hash(data)):016x}"
    path.write_bytes(data)
    print(f"{name}: found {path}", file=sys.stderr)
    return 1


def with_atheris(name: str, seconds: float) -> None:
    import atheris

    with atheris.instrument_imports(include=["cityid"]):
        from tests.fuzz import targets
    work = FOUND / f"{name}-corpus"
    work.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds:.0f}", "-timeout=5", "-rss_limit_mb=512", "-max_len=16384", "-verbosity=0"]
    options += ["-print_final_stats=1", f"-artifact_prefix={FOUND}/{name}-", str(work), str(targets.CORPUS / name)]
    atheris.Setup([sys.argv[0], *options], targets.TARGETS[name])
    atheris.Fuzz()


def main(name: str, seconds: float) -> int:
    import subprocess

    from tests.fuzz.targets import TARGETS

    if name == "all":  # each in a process of its own, because atheris ends it
        each = seconds / len(TARGETS)
        return max(
            subprocess.run([sys.executable, "-m", "tests.fuzz", one, str(each)], check=False).returncode != 0
            for one in TARGETS
        )
    return without_atheris(name, seconds, time.monotonic_ns() & 0xFFFFFFFF)


if __name__ == "__main__":
    wanted, given = sys.argv[1] if len(sys.argv) > 1 else "all", float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    if wanted != "all":
        with suppress(ImportError):
            with_atheris(wanted, given)
    sys.exit(main(wanted, given))
