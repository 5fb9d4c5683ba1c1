"""`cityid issue --from`, stopped anywhere: what was recorded is made again, what was made is left, nothing twice."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cityid.edge.database import SqliteRegister
from cityid.edge.signers import load, new_secret
from cityid.errors import CityIdError, Malformed, Misuse, Unavailable
from cityid.formats import FORMATS
from cityid.keys import Algorithm, jwk
from cityid.register import State
from tests import transcripts

pytestmark = pytest.mark.kdf
PASSPHRASE = "correct horse battery staple"


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> transcripts.Shell:
    made = transcripts.new_shell(tmp_path_factory.mktemp("bulk"))
    (made.folder / "pass").write_text(PASSPHRASE + "\n")
    command = "cityid init city city --did did:web:id.lindau.example --status-url https://x.example/s"
    output, status = made.run(f"{command} --passphrase-fd 3 3<pass")
    assert status == 0, output
    # Ages have no status by themselves; here an index that came twice would be seen.
    definition = json.loads(made.run("cityid type show age --as definition")[0])
    (made.folder / "city" / "types").mkdir()
    (made.folder / "city" / "types" / "age.json").write_text(json.dumps({**definition, "status": "required"}))
    return made


def people(path: Path, count: int) -> Path:
    with path.open("w") as file:
        for number in range(count):
            key = jwk.write(load(Algorithm.ES256, new_secret(Algorithm.ES256, secrets.token_bytes)).public_key)
            born = f"19{number % 90 + 10}-0{number % 9 + 1}-1{number % 10}"
            file.write(json.dumps({"nr": f"{path.stem}-{number}", "birthdate": born, "holder_jwk": key}) + "\n")
    return path


def start(shell: transcripts.Shell, *words: str) -> subprocess.Popen[bytes]:
    base = "cityid._cli" if _installed() else "cli"
    # Small parts: a run of them is killed in its midst, and does not take long.
    main = f"from {base} import bulk_check; bulk_check.ROWS = 100; from {base}.main import main; main()"
    command = [sys.executable, "-c", main, "--home", "city", "issue", "age"]
    read, write = os.pipe()
    os.write(write, PASSPHRASE.encode() + b"\n")
    os.close(write)
    env = {**os.environ, **shell.env}
    try:
        return subprocess.Popen(
            [*command, *words, "--passphrase-fd", str(read)], cwd=shell.folder, env=env, pass_fds=[read],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(read)


def _installed() -> bool:
    import importlib.util

    return importlib.util.find_spec("cityid._cli") is not None


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    for _ in range(6_000):
        if path.exists():
            return
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.005)
    raise AssertionError(f"{path} did not come")


def finish(process: subprocess.Popen[bytes]) -> str:
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return said.decode()


def check(shell: transcripts.Shell, folder: str, name: str, count: int) -> None:
    """The register holds exactly the rows, no index is there twice, and the output is whole and says the same."""
    lines = (shell.folder / folder / "cards.jsonl").read_text().splitlines()
    cards = [json.loads(line) for line in lines]
    assert [card["line"] for card in cards] == list(range(1, count + 1))
    with SqliteRegister(shell.folder / "city" / "register.sqlite") as register:
        rows = {row.number: row for row in register.rows(state=State.ISSUED)}
    ours = {card["number"]: card for card in cards}
    assert len(ours) == count
    assert ours.keys() <= rows.keys()
    indices = [(ref.uri, ref.index) for row in rows.values() for ref in row.status]
    assert len(set(indices)) == len(indices) == len(rows)
    for number, card in ours.items():
        assert rows[number].holders == (card["holder"],)
        if card["line"] % 50 == 1:
            read = FORMATS["dc+sd-jwt"].read(card["credential"].encode())
            assert [(ref.uri, ref.index) for ref in read.status] == [
                (ref.uri, ref.index) for ref in rows[number].status
            ]
    assert sorted(path.name for path in (shell.folder / folder).iterdir()) == ["cards.jsonl"]


@pytest.mark.slow
def test_r03_killed_three_times_and_gone_on(shell: transcripts.Shell) -> None:
    people(shell.folder / "many.jsonl", 2_000)
    words = ("--from", "many.jsonl", "--key", "nr", "--signed", "-o", "killed")
    for part in range(3):
        process = start(shell, *words)
        wait_for(shell.folder / "killed" / ".cityid-run" / f"done-{part:09d}.json", process)
        time.sleep(part * 0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert not (shell.folder / "killed" / "cards.jsonl").exists()
    assert "Going on with the run of" in finish(start(shell, *words))
    check(shell, "killed", "many", 2_000)
    output, status = shell.run(
        "cityid --home city issue age --from many.jsonl --key nr --signed --dry-run --passphrase-fd 3 3<pass"
    )
    assert (status, output.strip()) == (0, "Nothing was done. 0 new, 2000 issued before, 0 changed since.")


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_a_killed_parent_ends_its_workers(shell: transcripts.Shell) -> None:
    people(shell.folder / "pool.jsonl", 1_000)
    words = ("--from", "pool.jsonl", "--key", "nr", "--signed", "--workers", "2", "-o", "pool")
    process = start(shell, *words)
    wait_for(shell.folder / "pool" / ".cityid-run" / "done-000000000.json", process)
    os.kill(_workers(process.pid)[0], signal.SIGKILL)
    said = finish(process)
    assert "A worker process was killed" in said
    check(shell, "pool", "pool", 1_000)
    people(shell.folder / "parent.jsonl", 1_000)
    words = ("--from", "parent.jsonl", "--key", "nr", "--signed", "--workers", "2", "-o", "parent")
    process = start(shell, *words)
    wait_for(shell.folder / "parent" / ".cityid-run" / "done-000000000.json", process)
    workers = _workers(process.pid)
    process.kill()
    process.communicate()
    for _ in range(400):
        if not any(Path(f"/proc/{worker}").exists() for worker in workers):
            break
        time.sleep(0.025)
    assert not any(_running(worker) for worker in workers)
    finish(start(shell, *words))
    check(shell, "parent", "parent", 1_000)


def test_two_processes_check_what_one_does(shell: transcripts.Shell) -> None:
    """Bad rows, rows that repeat others in their own and in another part, and a part of which nothing is good; the
    eighth row says nothing of anybody."""
    rows = people(shell.folder / "mixed.jsonl", 450).read_text().splitlines()
    rows[7] = "{}"
    rows[20] = rows[3]
    rows[150] = '{"nr": "x", "birthdate": "2999-01-01"}'
    rows[200:300] = ["[]"] * 100
    rows[310], rows[320] = rows[3], rows[160]
    (shell.folder / "mixed.jsonl").write_text("\n".join(rows) + "\n")
    found = []
    for workers in ("1", "2"):
        words = ("--from", "mixed.jsonl", "--key", "nr", "--round", workers, "--signed", "--workers", workers)
        process = start(shell, *words, "-o", f"mixed-{workers}")
        _, said = process.communicate(timeout=120)
        assert process.returncode == 1, said
        folder = shell.folder / f"mixed-{workers}"
        cards = [json.loads(line) for line in (folder / "cards.jsonl").read_text().splitlines()]
        found.append(((folder / "refused.csv").read_text(), [(card["line"], card["holder"]) for card in cards]))
        assert sorted(path.name for path in folder.iterdir()) == ["cards.jsonl", "refused.csv"]
    assert found[0] == found[1]
    refused_lines = {int(line.split(",")[0]) for line in found[0][0].splitlines()[1:]}
    assert refused_lines == {21, 151, *range(201, 301), 311, 321}
    assert [line for line, _ in found[0][1]] == [n for n in range(1, 451) if n not in refused_lines | {8}]


def _workers(parent: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def _running(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


def refused(*words: Any, shell: transcripts.Shell) -> str:
    """The code of what a command line says no with."""
    line = " ".join(map(str, words))
    output, status = shell.run(f"cityid --home city issue age {line} --json --passphrase-fd 3 3<pass 2>/dev/null")
    assert status != 0
    code: str = json.loads(output)["error"]["code"]
    return code


class TestRuns:
    def begun(self, shell: transcripts.Shell, name: str) -> Path:
        """A run that was killed after its first part."""
        people(shell.folder / f"{name}.jsonl", 2_000)
        process = start(shell, "--from", f"{name}.jsonl", "--signed", "--key", "nr", "-o", name)
        wait_for(shell.folder / name / ".cityid-run" / "done-000000000.json", process)
        process.kill()
        process.communicate()
        return shell.folder / name

    def test_another_run_does_not_go_on_with_it(self, shell: transcripts.Shell) -> None:
        self.begun(shell, "other")
        assert refused("--from other.jsonl --signed -o other", shell=shell) == "bulk.other_run"
        assert refused("--from other.jsonl --signed --key nr --round 2 -o other", shell=shell) == "bulk.other_run"
        with (shell.folder / "other.jsonl").open("a") as file:
            file.write("{}\n")
        assert refused("--from other.jsonl --signed --key nr -o other", shell=shell) == "bulk.other_run"

    def test_one_at_a_time(self, shell: transcripts.Shell) -> None:
        from cityid.edge import outputs

        folder = self.begun(shell, "lock")
        with outputs.locked(folder / ".cityid-run" / "lock"):
            assert refused("--from lock.jsonl --signed --key nr -o lock", shell=shell) == "bulk.running"

    def test_offers_are_the_same_after_a_stop(self, shell: transcripts.Shell) -> None:
        (shell.folder / "o.csv").write_text("birthdate\n" + "".join(f"{1900 + n % 100}-01-01\n" for n in range(100)))
        assert shell.run("cityid --home city issue age --from o.csv --round o -o o --passphrase-fd 3 3<pass")[1] == 0
        codes = [json.loads(path.read_bytes())["grants"] for path in (shell.folder / "o").glob("*.offer")]
        assert len({json.dumps(code) for code in codes}) == 100


class TestBounds:
    def run(self, shell: transcripts.Shell, table: str, monkeypatch: pytest.MonkeyPatch, **bounds: int) -> CityIdError:
        modules = modules_of_the_command()
        for name, value in bounds.items():
            monkeypatch.setattr(modules["check"] if hasattr(modules["check"], name) else modules["limits"], name, value)
        home = modules["home"].find(shell.folder / "city", "city")
        from cityid.clerks import Clerk

        wanted = modules["bulk"].Wanted("age", shell.folder / table, None, Clerk("clerk-1", frozenset()), dry_run=True)
        opened = modules["state"].STATE.opened
        with modules["work"].given(PASSPHRASE) as number, opened, pytest.raises(CityIdError) as no:
            modules["bulk"].many(home, wanted, number, json_=False)
        return no.value

    def test_rows(self, shell: transcripts.Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        (shell.folder / "rows.csv").write_text("birthdate\n1990-12-10\n1990-12-11\n")
        found = self.run(shell, "rows.csv", monkeypatch, TABLE_ROWS=1)
        assert isinstance(found, Malformed)
        assert found.code == "table.too_many_rows"

    def test_rows_of_several_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        modules = modules_of_the_command()
        begun, many = SimpleNamespace(offset=0, line=2), modules["check"].ROWS
        table = SimpleNamespace(blocks=lambda rows: [(begun, rows, None), (begun, 1, None)])
        monkeypatch.setattr(modules["limits"], "TABLE_ROWS", many + 1)
        assert len(list(modules["check"]._blocks(table))) == 2
        monkeypatch.setattr(modules["limits"], "TABLE_ROWS", many)
        with pytest.raises(Malformed) as no:
            list(modules["check"]._blocks(table))
        assert no.value.code == "table.too_many_rows"

    def test_rows_that_repeat_others(self, shell: transcripts.Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        (shell.folder / "twice.csv").write_text("birthdate\n" + "1990-12-10\n" * 3)
        found = self.run(shell, "twice.csv", monkeypatch, TWICE=1)
        assert isinstance(found, Malformed)
        assert found.code == "table.too_many_twice"


def modules_of_the_command() -> dict[str, Any]:
    import importlib

    from cityid import limits

    base = "cityid._cli" if _installed() else "cli"
    names = {
        "bulk": "bulk", "rows": "bulk_rows", "work": "bulk_work", "check": "bulk_check", "pool": "bulk_pool",
        "home": "home", "state": "state",
    }  # fmt: skip
    return {"limits": limits, **{name: importlib.import_module(f"{base}.{module}") for name, module in names.items()}}


def test_a_table_that_changes_under_the_reader(shell: transcripts.Shell) -> None:
    modules = modules_of_the_command()
    work = modules["work"]
    from cityid.clerks import Clerk

    (shell.folder / "moves.csv").write_text("birthdate\n1990-12-10\n1990-12-11\n")
    wanted = modules["bulk"].Wanted("age", shell.folder / "moves.csv", shell.folder / "moves", Clerk("c", frozenset()))
    run = modules["bulk"]._new(wanted, shell.folder / "moves")
    home = modules["home"].find(shell.folder / "city", "city")
    with modules["state"].STATE.opened:
        worker = work.Worker(home, run, PASSPHRASE)
        (chunk,) = modules["check"].check(worker, None, print).chunks
        (shell.folder / "moves.csv").write_text("birthdate\n1990-12-10\n1990-02-31\n")
        with pytest.raises(Misuse) as no:
            worker.do(chunk)
    assert no.value.code == "bulk.table_changed"


def test_what_was_checked_is_what_is_issued(shell: transcripts.Shell) -> None:
    modules = modules_of_the_command()
    work = modules["work"]
    from cityid.clerks import Clerk

    (shell.folder / "kept.csv").write_text("birthdate\n1990-12-10\n1990-12-11\n")
    (shell.folder / "kept" / ".cityid-run").mkdir(parents=True)
    wanted = modules["bulk"].Wanted("age", shell.folder / "kept.csv", shell.folder / "kept", Clerk("c", frozenset()))
    run = modules["bulk"]._new(wanted, shell.folder / "kept")
    home = modules["home"].find(shell.folder / "city", "city")
    with modules["state"].STATE.opened:
        worker = work.Worker(home, run, PASSPHRASE)
        (chunk,) = modules["check"].check(worker, None, print, keep=True).chunks
        read, _ = worker.people(chunk)
        (shell.folder / "kept.csv").write_text("birthdate\n1990-12-10\n1990-02-31\n")
        kept, _ = worker.people(chunk)
        assert [one.typed for one in kept] == [b'{"birthdate":"1990-12-10"}', b'{"birthdate":"1990-12-11"}']
        assert kept == read
        assert worker.do(chunk) == {"made": 2, "known": 0}
        # Done, nothing of it is left; and what is done is not kept again.
        assert not run.rows(chunk.number).exists()
        (shell.folder / "kept.csv").write_text("birthdate\n1990-12-10\n1990-12-11\n")
        modules["check"].check(worker, None, print, keep=True)
        assert not run.rows(chunk.number).exists()
        (shell.folder / "kept.csv").write_text("birthdate\n1990-12-10\n1990-02-31\n")
        with pytest.raises(Misuse) as no:
            worker.people(chunk)
    assert no.value.code == "bulk.table_changed"


def test_workers_that_are_always_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures.process import BrokenProcessPool

    class Broken:
        def __init__(self, *given: Any) -> None:
            pass

        def submit(self, *given: Any) -> Any:
            raise BrokenProcessPool

        def shutdown(self, **how: bool) -> None:
            pass

    pool = modules_of_the_command()["pool"]
    monkeypatch.setattr(pool, "ProcessPoolExecutor", Broken)
    with pytest.raises(Unavailable) as no, pool.Pool(None, None, "", 2) as made:
        list(made.each(pool.do, [1]))
    assert no.value.code == "bulk.workers"


@pytest.mark.parametrize("name", ["pipe", "folder", "/dev/zero"])
def test_u06_a_table_that_is_no_file(shell: transcripts.Shell, name: str) -> None:
    if name == "pipe" and not (shell.folder / name).exists():
        os.mkfifo(shell.folder / name)
    (shell.folder / "folder").mkdir(exist_ok=True)
    assert refused(f"--from {name} --dry-run", shell=shell) == "file.not_regular"


def test_u01_what_a_cell_says_is_not_obeyed(shell: transcripts.Shell) -> None:
    (shell.folder / "bad.csv").write_text("birthdate\n\x1b]52;c;x\x07\n\u202e1990\n=1+1\n")
    output, status = shell.run("cityid --home city issue age --from bad.csv -o bad --passphrase-fd 3 3<pass")
    assert status == 1
    assert not {"\x1b", "\x07", "\u202e"} & set(output)
    assert "line 2" in output
    refused_rows = (shell.folder / "bad" / "refused.csv").read_text()
    assert not {"\x1b", "\x07", "\u202e"} & set(refused_rows)


def test_u07_rows_name_no_files(shell: transcripts.Shell) -> None:
    (shell.folder / "names.csv").write_text("nr,birthdate\n../../x,1990-12-10\n-rf,1990-12-11\n")
    _, status = shell.run("cityid --home city issue age --from names.csv --key nr -o names --passphrase-fd 3 3<pass")
    assert status == 0
    assert sorted(path.name for path in (shell.folder / "names").iterdir()) == [
        "line-000002.offer",
        "line-000003.offer",
    ]
