"""Status lists as files: whole, never back in time; a register restored from a backup learns what is lost."""

from __future__ import annotations

import shutil
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cityid.credential import DidUrl
from cityid.edge import files, status_files
from cityid.edge.database import SqliteRegister, StoredRegister
from cityid.edge.software_keys import MemoryKeyring
from cityid.errors import CityIdError, Misuse, Refused, Unavailable
from cityid.keys import Algorithm
from cityid.register import Issued, Status
from cityid.register.standing import set_standing
from cityid.status import list_credential
from cityid.status import token_status_list as lists
from tests.jobs.test_register import AT, code, offered
from tests.jobs.test_register_keeps import does
from tests.jobs.test_standing import issued
from tests.registers import BASE

RING = MemoryKeyring()
KEY = RING.create(Algorithm.ES256)
OTHER = RING.create(Algorithm.ES256)
PLACE = DidUrl("did:web:id.lindau.example", "issuer-1")


def published(register: Any, folder: Path, at: datetime = AT, **more: Any) -> status_files.Published:
    return status_files.publish(register, RING.signer(KEY), PLACE, folder, base=BASE, by="jo", at=at, **more)


def reconciled(register: StoredRegister, folder: Path, key: Any = KEY) -> status_files.Reconciled:
    return status_files.reconcile(register, key, folder, by="jo", at=AT)


def token(folder: Path, name: str, form: lists.Form = "jwt") -> lists.Token:
    found = lists.read((folder / name).read_bytes(), form)
    found.check(KEY)
    return found


def refused(work: Any, kind: type[CityIdError] = Refused) -> str:
    with pytest.raises(kind) as error:
        work()
    return code(error)


def revoke(register: StoredRegister, row: Issued, value: Status = Status.INVALID) -> None:
    does(register, lambda batch: set_standing(batch, [row], value, "why", "jo"))


class TestForW3cCredentials:
    """Each list in the W3C's form, one for each purpose (Bitstring Status List 1.0)."""

    def test_what_the_register_says(self, register: StoredRegister, tmp_path: Path) -> None:
        one, two = issued(register, ["a"]), issued(register, ["b"])
        revoke(register, one)
        revoke(register, two, Status.SUSPENDED)
        published(register, tmp_path, issuer=PLACE.did)
        for name, row, other in (("revocation", one, two), ("suspension", two, one)):
            found = list_credential.read((tmp_path / f"1.{name}").read_bytes(), "vc+jwt")
            found.check(KEY)
            assert (found.uri, found.purposes, found.iss, found.kid) == (
                f"{BASE}/1.{name}", (name,), PLACE.did, str(PLACE),
            )  # fmt: skip
            assert (found.iat, found.exp, found.ttl) == (AT, AT + status_files.LIFETIME, status_files.TTL)
            entries = found.entries()
            assert [entries[ref.index] for ref in row.status] == [1] * len(row.status)
            assert [entries[ref.index] for ref in other.status] == [0] * len(other.status)
            assert sum(entries[index] for index in range(len(entries))) == len(row.status)

    def test_a_register_that_was_restored_learns_from_the_others(
        self, register: StoredRegister, tmp_path: Path
    ) -> None:
        """The W3C's lists lie beside the token lists and are not taken for them."""
        issued(register, ["a"])
        published(register, tmp_path, issuer=PLACE.did)
        assert refused(lambda: reconciled(register, tmp_path)) == "register.not_behind"


class TestPublish:
    def test_what_the_register_says(self, register: StoredRegister, tmp_path: Path) -> None:
        one, two = issued(register, ["a"]), issued(register, ["b"])
        revoke(register, one)
        revoke(register, two, Status.SUSPENDED)
        done = published(register, tmp_path / "www" / "status")
        folder = tmp_path / "www" / "status"
        assert done == status_files.Published(1, (f"{BASE}/1",), AT + status_files.TTL)
        assert sorted(path.name for path in folder.iterdir()) == [
            ".publish.lock", "1", "1.cwt", "aggregation.json", "latest.json",
        ]  # fmt: skip
        for name, form in (("1", "jwt"), ("1.cwt", "cwt")):
            found = token(folder, name, form)  # type: ignore[arg-type]
            assert (found.uri, found.iat, found.ttl) == (f"{BASE}/1", AT, status_files.TTL)
            assert found.exp == AT + status_files.LIFETIME
            assert found.aggregation_uri == f"{BASE}/aggregation.json"
            entries = found.entries()
            assert {i: entries[i] for i in range(64) if entries[i]} == register.bits(f"{BASE}/1").values
            assert [entries[ref.index] for ref in one.status + two.status] == [1, 1, 2, 2]
        assert lists.read_aggregation((folder / "aggregation.json").read_bytes()) == (f"{BASE}/1",)
        assert [event.facts["publication"] for event in register.events() if event.kind == "publish"] == [1]
        for name in ("1", "1.cwt", "aggregation.json", "latest.json"):
            assert (folder / name).stat().st_mode & 0o444 == 0o444

    def test_every_list_and_again(self, register: StoredRegister, tmp_path: Path) -> None:
        for number in range(40):
            offered(register, str(number))
        assert len(published(register, tmp_path).uris) == 2
        later = AT + timedelta(minutes=5)
        assert published(register, tmp_path, later).number == register.publication() == 2
        assert token(tmp_path, "2").iat == later
        assert register.bits(f"{BASE}/2").published_at == later

    @pytest.mark.parametrize("algorithm", [one for one in Algorithm if one.signs])
    def test_every_algorithm(self, tmp_path: Path, algorithm: Algorithm) -> None:
        key = RING.create(algorithm)
        with SqliteRegister(status_base=BASE, list_size=64) as register:
            offered(register)
            status_files.publish(register, RING.signer(key), PLACE, tmp_path, base=BASE, by="jo", at=AT)
        for name, form in (("1", "jwt"), ("1.cwt", "cwt")):
            lists.read((tmp_path / name).read_bytes(), form).check(key)  # type: ignore[arg-type]

    def test_e6_never_back_in_time(self, register: StoredRegister, tmp_path: Path) -> None:
        folder = tmp_path / "status"
        offered(register)
        published(register, folder)
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        earlier = lambda: published(register, folder, AT - timedelta(seconds=1))  # noqa: E731  # said once, called where it is checked
        assert refused(earlier) == "register.published_later"
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        assert published(register, folder, AT).number == 2

    def test_r08_a_slow_publisher_does_not_undo_a_fast_one(self, register: StoredRegister, tmp_path: Path) -> None:
        """While one signs what it has read, another publishes a newer state."""
        row = issued(register, ["a"])

        class Slow:
            def __getattr__(self, name: str) -> Any:
                return getattr(register, name)

            def bits(self, uri: str) -> Any:
                found = register.bits(uri)
                revoke(register, row)
                does(register, lambda batch: batch.published(uri, found.version + 2))
                return found

        published(register, tmp_path)
        assert refused(lambda: published(Slow(), tmp_path)) == "register.published_newer"
        published(register, tmp_path)
        assert token(tmp_path, "1").entries()[row.status[0].index] == 1

    def test_r09_readers_see_whole_files(self, tmp_path: Path) -> None:
        with SqliteRegister(tmp_path / "r.db", status_base=BASE) as register:
            row = issued(register, ["a"])
            folder = tmp_path / "status"
            published(register, folder)
            over, seen, wrong = threading.Event(), [AT], []

            def poll() -> None:
                while not over.is_set():
                    found = token(folder, "1")
                    if found.iat < seen[-1] or len(found.entries()) != 1 << 20:
                        wrong.append(found)
                    seen.append(found.iat)

            reader = threading.Thread(target=poll)
            reader.start()
            for minute in range(1, 8):
                published(register, folder, AT + timedelta(minutes=minute))
            over.set()
            reader.join()
            assert not wrong
            assert len(seen) > 5
            assert row.number

    def test_leftovers_are_cleaned(self, register: StoredRegister, tmp_path: Path) -> None:
        (tmp_path / ".cityid-0011223344556677.tmp").write_bytes(b"half a to")
        published(register, tmp_path)
        assert not list(tmp_path.glob("*.tmp"))

    def test_a_folder_that_cannot_be(self, register: StoredRegister, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises((Misuse, Unavailable)):
            published(register, tmp_path / "file" / "status")
        assert register.publication() == 0

    def test_a_damaged_number(self, register: StoredRegister, tmp_path: Path) -> None:
        for text in (b"", b"{}", b'{"publication": "1"}', b"[1]"):
            (tmp_path / "latest.json").write_bytes(text)
            assert refused(lambda: published(register, tmp_path), Unavailable) == "store.damaged"
        (tmp_path / "latest.json").write_bytes(b'{"publication": 0}')
        published(register, tmp_path)

    def test_a_number_that_cannot_be_read(self, register: StoredRegister, tmp_path: Path) -> None:
        (tmp_path / "latest.json").mkdir()
        with pytest.raises((Misuse, Unavailable)):
            status_files.publication(tmp_path)

    def test_a_name_that_leads_elsewhere(self, register: StoredRegister, tmp_path: Path) -> None:
        offered(register)
        with register.sql.write() as link:
            link.execute("UPDATE lists SET uri = ?", (f"{BASE}/../../etc/passwd",))
        assert refused(lambda: published(register, tmp_path), Unavailable) == "store.damaged"


class TestReconcile:
    """A register is copied (the backup), goes on, and is lost: the copy takes its place."""

    @pytest.fixture
    def restored(self, tmp_path: Path) -> Any:
        with SqliteRegister(tmp_path / "r.db", status_base=BASE, list_size=64) as before:
            kept = issued(before, ["a"], subject="ada")
            suspended = issued(before, ["b"])
            revoke(before, suspended, Status.SUSPENDED)
            published(before, tmp_path / "status")
            before.close()
            shutil.copy(tmp_path / "r.db", tmp_path / "backup.db")
        with SqliteRegister(tmp_path / "r.db", status_base=BASE, list_size=64) as lost:
            revoke(lost, kept)
            gone = [issued(lost, [f"c{number}"]) for number in range(30)]
            revoke(lost, gone[0])
            revoke(lost, gone[-1])
            published(lost, tmp_path / "status", AT + timedelta(minutes=1))
        with SqliteRegister(tmp_path / "backup.db", status_base=BASE, list_size=64) as register:
            yield register, tmp_path / "status", kept, suspended, gone

    def test_it_is_found_out(self, restored: Any) -> None:
        register, folder, *_ = restored
        assert status_files.publication(folder) == 2
        assert refused(lambda: status_files.check_current(register, 2), Unavailable) == "register.behind"
        later = AT + timedelta(hours=1)
        assert refused(lambda: published(register, folder, later), Unavailable) == "register.behind"
        status_files.check_current(register, 1)
        reconciled(register, folder)
        status_files.check_current(register, 2)
        assert published(register, folder, later).number == 4

    def test_published_revocations_are_taken_over(self, restored: Any) -> None:
        register, folder, kept, suspended, gone = restored
        uris = {ref.uri for row in gone for ref in row.status}
        assert uris == {f"{BASE}/1", f"{BASE}/2"}
        assert reconciled(register, folder) == status_files.Reconciled(6, 1, 1)
        assert register.find(kept.number).standing == Status.INVALID
        assert register.find(suspended.number).standing == Status.SUSPENDED
        for ref in gone[0].status + gone[-1].status:
            assert register.bits(ref.uri).values[ref.index] == 1
        assert register.history(gone[0].status[0])[0].why == status_files.WHY
        assert "reconcile" in [event.kind for event in register.events()]

    def test_what_was_allotted_since_is_never_allotted_again(self, restored: Any) -> None:
        register, folder, *_, gone = restored
        reconciled(register, folder)
        taken = {(ref.uri, ref.index) for row in gone for ref in row.status}
        numbers = {row.number for row in gone}
        for number in range(60):
            row = offered(register, f"new {number}")
            assert row.number not in numbers
            assert not taken & {(ref.uri, ref.index) for ref in row.status}

    def test_only_what_is_behind(self, restored: Any) -> None:
        register, folder, *_ = restored
        reconciled(register, folder)
        assert refused(lambda: reconciled(register, folder)) == "register.not_behind"

    def test_only_what_the_city_signed(self, restored: Any) -> None:
        register, folder, *_ = restored
        before = register.publication(), list(register.events())
        assert refused(lambda: reconciled(register, folder, OTHER)) == "signature.invalid"
        shutil.copy(folder / "1", folder / "2")
        assert refused(lambda: reconciled(register, folder)) == "register.published_forged"
        assert (register.publication(), list(register.events())) == before
        shutil.copy(folder / "1", folder / "safe")
        (folder / "2").unlink()
        reconciled(register, folder)

    def test_files_of_others_are_left_alone(self, restored: Any) -> None:
        register, folder, *_ = restored
        files.write(folder / "index.html", b"hello")
        assert reconciled(register, folder).lists == 1
