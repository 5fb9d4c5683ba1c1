"""Experiments E2 and E4 in their short form: many clerks at once, and clerks that are killed (kill -9) at any moment.
What was acknowledged is there; nothing is there twice. The long form: CITYID_SOAK=N does N times as much."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cityid.edge.database import StoredRegister
from cityid.edge.register_audit import audit
from cityid.errors import Unavailable
from cityid.status import token_status_list as lists
from tests.postgres import Server
from tests.register_worker import Clerk, judge, opened

SOAK = int(os.environ.get("CITYID_SOAK", "1"))
KILLS = 25 * SOAK
CLERKS, OPERATIONS = 8, 500 * SOAK


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where there is room: kill -9 loses nothing that was written, be it on a disk or not."""
    made = Path(tempfile.mkdtemp(prefix="cityid-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    yield made
    shutil.rmtree(made)


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "sqlite":
        return str(folder / "register.sqlite")
    name: str = request.getfixturevalue("postgres").name()
    return name


class TestTheJudge:
    """A judge that lets everybody go would pass any test: each kind of harm is done once, and told."""

    @pytest.fixture
    def case(self, folder: Path) -> Iterator[tuple[StoredRegister, list[str]]]:
        store = str(folder / "register.sqlite")
        clerk = Clerk(store, "maria", 40)
        clerk.wait_until("ready")
        lines = clerk.end()
        with opened(store) as register:
            assert judge(register, [lines]) == []
            yield register, lines

    @staticmethod
    def harm(register: StoredRegister, statement: str) -> None:
        with register.sql.write() as link:
            link.execute(statement)

    def test_a_lost_revocation(self, case: tuple[StoredRegister, list[str]]) -> None:
        register, lines = case
        self.harm(register, "UPDATE entries SET value = 0 WHERE value = 1")
        assert any(found.startswith("lost: ") for found in judge(register, [lines]))

    def test_half_a_revocation(self, case: tuple[StoredRegister, list[str]]) -> None:
        register, lines = case
        self.harm(register, "UPDATE entries SET value = 0 WHERE value = 1 AND position = 1")
        assert any(found.startswith("lost: ") for found in judge(register, [lines]))

    def test_a_lost_card(self, case: tuple[StoredRegister, list[str]]) -> None:
        register, lines = case
        assert judge(register, [[*lines, "done issue R-2026-999999 x#1 x#2\n"]]) == [
            "not as told: R-2026-999999", "lost: R-2026-999999 is [], told [0]",
        ]  # fmt: skip

    def test_an_index_that_two_were_told(self, case: tuple[StoredRegister, list[str]]) -> None:
        register, lines = case
        issued = next(line for line in lines if line.startswith("done issue"))
        assert any(found.startswith("told twice") for found in judge(register, [lines, [issued]]))

    def test_a_clerk_who_says_done_too_early(self, case: tuple[StoredRegister, list[str]]) -> None:
        register, lines = case
        good = next(row.number for row in register.rows() if row.standing == 0)
        assert judge(register, [[*lines, f"try revoke {good}\n"]]) == []
        assert judge(register, [[*lines, f"try revoke {good}\n", f"done revoke {good}\n"]])


@pytest.mark.slow
class TestTogether:
    def test_e4_r01_r02_r07_r18_eight_clerks(self, store: str) -> None:
        clerks = [Clerk(store, f"clerk-{number}", OPERATIONS) for number in range(CLERKS)]
        lines = [clerk.end() for clerk in clerks]
        assert sum(line.startswith("done") for said in lines for line in said) == CLERKS * OPERATIONS
        with opened(store) as register:
            assert judge(register, lines) == []
            assert audit(register).findings == ()
            assert len(register.lists()) >= 2
            assert len(list(register.rows())) > CLERKS * OPERATIONS // 4
            numbers = sorted(row.number for row in register.rows())
            assert numbers == [f"R-2026-{count:06d}" for count in range(1, len(numbers) + 1)]


@pytest.mark.slow
class TestKilled:
    def test_e2_r03_r09_kill_at_any_moment(self, store: str, folder: Path) -> None:
        """Clerks issue, change and publish; five work at a time, each is killed at a random moment."""
        chance, said, www = random.Random(2), [], folder / "www"
        for turn in range(KILLS // 5):
            clerks = [Clerk(store, f"clerk-{turn}-{number}", 100_000, str(www)) for number in range(5)]
            for clerk in clerks:
                clerk.wait_until("done")
            for clerk in chance.sample(clerks, 5):
                time.sleep(chance.random() / 10)
                said.append(clerk.end(kill=True))
            with opened(store) as register:
                assert judge(register, said) == []
        assert sum(line.startswith("done") for lines in said for line in lines) >= KILLS
        # what was acknowledged is in the next list, and no half-written file is left
        last = Clerk(store, "last", 12, str(www))
        last.wait_until("ready")
        said.append(last.end())
        with opened(store) as register:
            assert judge(register, said) == []
            assert audit(register).findings == ()
            self.published(register, www)

    @staticmethod
    def published(register: StoredRegister, www: Path) -> None:
        from datetime import timedelta

        from cityid.credential import DidUrl
        from cityid.edge import status_files
        from cityid.edge.software_keys import MemoryKeyring
        from cityid.keys import Algorithm
        from tests.register_worker import AT, BASE

        ring = MemoryKeyring()
        key = ring.create(Algorithm.ES256)
        status_files.publish(
            register, ring.signer(key), DidUrl("did:web:id.lindau.example", "k"), www, base=BASE, by="jo",
            at=AT + timedelta(days=3650),
        )  # fmt: skip
        for uri in register.lists():
            entries = lists.read((www / uri.rpartition("/")[2]).read_bytes(), "jwt").entries()
            values = {index: entries[index] for index in range(len(entries)) if entries[index]}
            assert values == register.bits(uri).values
        assert not list(www.glob("*.tmp"))

    def test_e2_the_server_is_killed(self, postgres: Server) -> None:
        """`pg_ctl stop -m immediate`, as a crash: the server recovers from its log."""
        store = postgres.name()
        said = []
        for turn in range(2 * SOAK):
            clerks = [Clerk(store, f"clerk-{turn}-{number}", 100_000) for number in range(3)]
            for clerk in clerks:
                clerk.wait_until("done")
            postgres.stop("immediate")
            for clerk in clerks:
                clerk.process.wait(60)  # its connection is gone, and it says so
                said.append(clerk.end(kill=True))
                assert clerk.process.returncode == 1
            with pytest.raises(Unavailable) as error:
                opened(store)
            assert error.value.code == "store.unreachable"
            postgres.begin()
            with opened(store) as register:
                assert judge(register, said) == []
                assert audit(register).findings == ()
        assert sum(line.startswith("done") for lines in said for line in lines) >= 6 * SOAK
