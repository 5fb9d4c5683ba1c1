"""Group R: the city's register. R14 (a row changed behind its back) is in test_r_log.py; kills and crowds (R01, R02,
R03, R07, R09, R18) are also E2 and E4 of tests/soak."""

from __future__ import annotations

import ast
import re
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cityid import accepting
from cityid.clerks import Clerk, Right, check
from cityid.credential import StatusRef, Window
from cityid.edge import sql as sql_module
from cityid.edge import sqlite as sqlite_module
from cityid.edge.database import PostgresRegister, SqliteRegister, StoredRegister
from cityid.edge.sqlite import Database
from cityid.errors import CityIdError, Refused, Unavailable
from cityid.register import Entry, Filter, State, Status, copies_of, in_batch
from cityid.register.standing import set_standing
from tests.jobs.offices import ADA, NOW, Office, changed
from tests.jobs.test_register import AT, TYPE, WINDOW, code, entry, offered
from tests.jobs.test_register_keeps import does
from tests.jobs.test_standing import issued
from tests.memory import MemoryWallet
from tests.paths import TREE
from tests.postgres import Server
from tests.registers import BASE, OpenRegister


def refused(work: Any, kind: type[CityIdError] = Refused) -> str:
    with pytest.raises(kind) as error:
        work()
    return code(error)


class TestAllocation:
    def test_r01_no_index_twice_even_where_the_code_is_wrong(self, register: StoredRegister) -> None:
        """The naive way, which the UNIQUE key stops: two write the index that both have read as free."""
        offered(register)
        with register.sql.read() as link:
            (list_id, index) = link.execute("SELECT list, idx FROM entries ORDER BY idx").fetchone()
        again = lambda: self._insert(register, list_id, index)  # noqa: E731  # said once, called where it is checked
        assert refused(again, Unavailable) == "store.failed"
        free = next(i for i in range(64) if (list_id, i) not in self._taken(register))
        self._insert(register, list_id, free)

    @staticmethod
    def _insert(register: StoredRegister, list_id: int, index: int) -> None:
        with register.sql.write() as link:
            link.execute("INSERT INTO entries (list, idx) VALUES (?, ?)", (list_id, index))

    @staticmethod
    def _taken(register: StoredRegister) -> set[tuple[int, int]]:
        with register.sql.read() as link:
            return set(map(tuple, link.execute("SELECT list, idx FROM entries").fetchall()))

    def test_r02_no_revocation_is_lost(self, register: StoredRegister) -> None:
        rows = [issued(register, [f"k{number}"]) for number in range(16)]

        def revoke(number: int) -> None:
            in_batch(
                register, f"clerk {number}", f"r{number}", AT,
                lambda batch: set_standing(batch, [rows[number]], Status.INVALID, "why", "jo"),
            )  # fmt: skip

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(revoke, range(16)))
        assert all(register.find(row.number).values == (1, 1) for row in rows)
        assert sum(register.bits(uri).version for uri in register.lists()) == 32

    def test_r03_what_was_rolled_back_was_nobodys_and_what_was_committed_is_burnt(
        self, register: StoredRegister
    ) -> None:
        with pytest.raises(ZeroDivisionError), register.batch("jo", "dies", AT) as batch:  # noqa: PT012  # the block is what fails
            batch.allot(TYPE, 5)
            raise ZeroDivisionError  # between allocation and signing
        with register.sql.read() as link:
            assert link.execute("SELECT count(*) FROM entries").fetchone() == (0,)
        burnt = {(ref.uri, ref.index) for ref in does(register, lambda batch: batch.allot(TYPE, 5))}
        for number in range(40):
            assert not burnt & {(ref.uri, ref.index) for ref in offered(register, str(number)).status}

    def test_r03_r11_a_retry_with_the_same_key_is_the_same_card(self, register: StoredRegister) -> None:
        """The answer was lost after the commit: whoever asks again gets the same row, and no second index."""
        row = offered(register, "key")
        with register.batch("maria", "key", AT) as batch:
            assert batch.rows == (row,)
        assert offered(register, "another key") != row

    def test_r04_an_outcome_nobody_knows_leaves_one_live_card(self, register: StoredRegister) -> None:
        """The signer timed out. What may have been signed is revoked at once; then another card is made."""
        first = issued(register, ["a"])
        does(register, lambda batch: set_standing(batch, [first], Status.INVALID, "the signer timed out", "jo"))
        second = issued(register, ["a"])
        live = [row.number for row in register.rows(holder="a") if row.standing == Status.VALID]
        assert live == [second.number]

    def test_r07_one_open_list(self, register: StoredRegister) -> None:
        def allot(number: int) -> list[StatusRef]:
            with register.batch("jo", str(number), AT) as batch:
                return list(batch.allot(TYPE, 20))

        with ThreadPoolExecutor(8) as pool:
            found = [ref for refs in pool.map(allot, range(16)) for ref in refs]
        assert len({(ref.uri, ref.index) for ref in found}) == 320
        assert len(register.lists()) == len(set(register.lists())) == 6
        second = lambda: self._open_second(register)  # noqa: E731  # said once, called where it is checked
        assert refused(second, Unavailable) == "store.failed"

    @staticmethod
    def _open_second(register: StoredRegister) -> None:
        with register.sql.write() as link:
            link.execute("INSERT INTO lists (id, uri, bits, size) VALUES (99, 'x', 2, 64)")

    def test_r20_near_a_full_list(self, open_register: OpenRegister) -> None:
        register = open_register(list_size=512)
        does(register, lambda batch: batch.allot(TYPE, 447))
        refs = does(register, lambda batch: batch.allot(TYPE, 2))
        assert [ref.uri for ref in refs] == [f"{BASE}/1", f"{BASE}/2"]

    def test_r21_a_renewal_shares_nothing(self, register: StoredRegister) -> None:
        first, second = issued(register, ["a"], subject="s"), issued(register, ["b"], subject="s")
        assert not {(r.uri, r.index) for r in first.status} & {(r.uri, r.index) for r in second.status}
        assert first.number != second.number
        office, wallet = Office(), MemoryWallet()
        cards = [office.cards(office.offer(), wallet) for _ in range(2)]
        disclosures = [set(raw.split(b"~")[1:]) for pair in cards for raw in pair.credentials]
        assert all(not one & other for i, one in enumerate(disclosures) for other in disclosures[:i] if b"" not in one)


class TestDurability:
    def test_r10_sqlite_is_synchronous(self, tmp_path: Path) -> None:
        with SqliteRegister(tmp_path / "r.db") as register, register.sql.read() as link:
            assert link.execute("PRAGMA synchronous").fetchone() == (2,)
            assert link.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    def test_r10_postgresql_is_synchronous(self, postgres: Server) -> None:
        name = postgres.name(more="%20-csynchronous_commit%3Doff")
        with PostgresRegister(name) as register, register.sql.read() as link:
            assert link.execute("SHOW synchronous_commit").fetchone() == ("on",)

    def test_r11_a_database_that_is_locked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite_module, "BUSY", 0.02)
        with SqliteRegister(tmp_path / "r.db") as register, SqliteRegister(tmp_path / "r.db") as other:
            with other.batch("jo", "long", AT):
                assert refused(lambda: self._event(register), Unavailable) == "store.busy"
            self._event(register)

    @staticmethod
    def _event(register: StoredRegister) -> None:
        in_batch(register, "jo", "k", AT, lambda batch: batch.event("key", {}))

    def test_r16_killed_within_a_migration(self, tmp_path: Path) -> None:
        """The whole is one transaction: a kill leaves the version before, and the next start goes on."""
        path = tmp_path / "r.db"
        groups = tuple(sql_module.statements(script) for script in sql_module.migrations("register", "sqlite"))
        Database(path, "register", 0x63695265, groups[:1]).close()
        for count in range(1, len(groups[1]) + 1):
            connection = sqlite3.connect(path, isolation_level=None)
            connection.execute("BEGIN IMMEDIATE")
            for statement in groups[1][:count]:
                connection.execute(statement)
            connection.close()  # as a kill does: nothing is committed
        with SqliteRegister(path, status_base=BASE) as register:
            offered(register)

    def test_r16_an_older_program_refuses(self, tmp_path: Path) -> None:
        path = tmp_path / "r.db"
        SqliteRegister(path).close()
        before = path.read_bytes()
        groups = tuple(sql_module.statements(script) for script in sql_module.migrations("register", "sqlite"))
        older = lambda: Database(path, "register", 0x63695265, groups[:-1]).close()  # noqa: E731  # said once, called where it is checked
        assert refused(older, Unavailable) == "store.newer"
        assert path.read_bytes() == before
        Database(path, "register", 0x63695265, groups).close()

    def test_e18_what_the_first_version_wrote_is_opened(self, tmp_path: Path) -> None:
        path = tmp_path / "r.db"
        groups = tuple(sql_module.statements(script) for script in sql_module.migrations("register", "sqlite"))
        Database(path, "register", 0x63695265, groups[:1]).close()
        with sqlite3.connect(path) as old:
            old.execute("INSERT INTO batches VALUES (1, x'00', 'maria', 1)")
            old.execute("INSERT INTO lists VALUES (1, ?, 2, 64, 1, 0, 1)", (f"{BASE}/1",))
            old.execute(
                "INSERT INTO cards VALUES "
                "(1, 'R-2026-000001', 'age', 'dc+sd-jwt', 1, 2, 'issued', 3, '', 1, 'maria', 1)"
            )
            old.execute("INSERT INTO copies VALUES (1, 0, 'thumb')")
            old.execute("INSERT INTO entries VALUES (1, 7, 0, 1, 0)")
            old.execute("INSERT INTO counters VALUES ('2026', 1)")
        old.close()
        with SqliteRegister(path, status_base=BASE, list_size=64) as register:
            row = register.find("R-2026-000001")
            assert (row.holders, row.status[0].index, row.department) == (("thumb",), 7, "")
            does(register, lambda batch: set_standing(batch, [row], Status.INVALID, "x", "jo"))
            assert offered(register).number == "R-2026-000002"

    def test_r19_clients_that_hold_on(self, register: StoredRegister) -> None:
        """Readers that never finish keep no writer waiting, and nothing open behind them."""
        for number in range(3):
            offered(register, str(number))
        slow = [register.rows() for _ in range(50)]
        for rows in slow:
            next(rows)
        begun = threading.Event()
        offered(register, "meanwhile")
        begun.set()
        for rows in slow:
            rows.close()  # type: ignore[attr-defined]
        assert len(list(register.rows())) == 4


class TestInjection:
    NASTY = ("' OR 1=1 --", "x'; DROP TABLE cards; --", "%", "_", 'R-2026-000001" --', "\\", "?", "%s", "${x}", "{0}")

    @pytest.mark.parametrize("text", NASTY)
    def test_r12_names_are_values(self, register: StoredRegister, text: str) -> None:
        with register.batch(text, text, AT) as batch:
            made = Entry(text, text, WINDOW, copies_of((), 1), key=text, subject=text, digest=text, department=text)
            (row,) = batch.record([made])
            batch.issue(row.number, [text], device=text)
            batch.event("key", {text: text})
        (row,) = register.rows()
        assert (row.type, row.format, row.clerk, row.subject, row.department, row.device) == (text,) * 6
        assert row.holders == (text,)
        assert register.known([text]) == {text: row.number}
        for where in (
            Filter(type=text), Filter(clerk=text), Filter(department=text), Filter(subject=text), Filter(device=text),
            Filter(holder=text), Filter(text=text), Filter(types=frozenset({text})),
        ):  # fmt: skip
            assert [found.number for found in register.rows(where=where)] == [row.number], where
            assert list(register.rows(where=replace(where, department=text + "x"))) == []

    @pytest.mark.parametrize("text", NASTY)
    def test_r12_numbers_are_numbers(self, register: StoredRegister, text: str) -> None:
        row = offered(register)
        assert refused(lambda: register.find(text)) == "register.unknown_number"
        assert refused(lambda: list(register.rows(after=text))) == "register.unknown_number"
        assert register.find(row.number) == row

    def test_r12_statements_are_made_of_our_own_words(self) -> None:
        """No statement takes a value into its text: an f-string in one may hold only names from this list."""
        own = {
            "some", "wanted", "condition", "order", "table", "name", "EVENT", "PAGE", "marks", "columns", "key",
            "over", "in_list", "_columns", "ordered", "names", "sign_of_life",
        }  # fmt: skip
        wrong = []
        for file in sorted((TREE / "cityid" / "edge").glob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr) and re.search(
                    r"\b(SELECT|INSERT|UPDATE|DELETE)\b .*\b(FROM|INTO|SET)\b", ast.unparse(node)
                ):
                    for part in node.values:
                        if isinstance(part, ast.FormattedValue):
                            names = {n.id for n in ast.walk(part.value) if isinstance(n, ast.Name)}
                            calls = {n.func.id for n in ast.walk(part.value)
                                     if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}  # fmt: skip
                            if not ((names | calls) & own or all(name.isupper() for name in names)):
                                wrong.append(f"{file.name}:{node.lineno} {ast.unparse(part.value)}")
        assert not wrong


class TestWhoMay:
    def test_r13_another_departments_records(self) -> None:
        clerk = Clerk("maria", frozenset(Right), frozenset(), "registry")
        for right in (Right.READ, Right.REVOKE, Right.APPROVE):
            with pytest.raises(Refused, match=r"clerk\.other_department"):
                check(clerk, right, AT, department="parking")
            check(clerk, right, AT, department="registry")

    def test_r13_two_yeses_at_one_time_make_one_offer(self, tmp_path: Path) -> None:
        from cityid.edge.database import SqliteSessions

        with SqliteRegister(tmp_path / "r.db") as register, SqliteSessions(tmp_path / "s.db") as sessions:
            stores: Any = {"register": register, "sessions": sessions}
            office = Office(**stores)
            changed(office, four_eyes=frozenset({"residency"}), waiting=lambda number: f"waiting for {number}")
            number = office.issuer.request("residency", ADA, by="maria", at=NOW).number

            def approve(by: str) -> str:
                try:
                    return office.issuer.approve(number, by=by, at=NOW).code
                except Refused as error:
                    return error.code

            with ThreadPoolExecutor(4) as pool:
                found = list(pool.map(approve, ["jo", "kim", "maria", "lee"]))
            offers = [one for one in found if "." not in one]
            assert len(offers) == 1
            assert register.find(number).approved_by in {"jo", "kim", "lee"}

    def test_r13_nobody_approves_their_own(self, register: StoredRegister) -> None:
        row = offered(register, state=State.PENDING)
        own = lambda: does(register, lambda batch: batch.approve(row.number, "maria"))  # noqa: E731  # said once, called where it is checked
        assert refused(own) == "register.same_clerk"
        assert does(register, lambda batch: batch.approve(row.number, "jo")).state is State.OFFERED


class TestMass:
    def test_r15_a_key_is_lost_and_all_its_cards_are_revoked(self, register: StoredRegister) -> None:
        with register.batch("jo", "many", AT) as batch:
            refs = batch.allot(TYPE, 1000)
            rows = batch.record(
                Entry("age", "dc+sd-jwt", WINDOW, copies_of(refs[n : n + 1], 1), State.ISSUED) for n in range(1000)
            )
        changed_, had = does(register, lambda batch: set_standing(batch, rows, Status.INVALID, "key lost", "jo"))
        assert (len(changed_), had) == (1000, ())
        assert sum(len(register.bits(uri).values) for uri in register.lists()) == 1000

    def test_r18_no_way_back_however_they_meet(self, register: StoredRegister) -> None:
        row = issued(register, ["a"])

        def one(value: Status) -> str:
            try:
                does(register, lambda batch: set_standing(batch, [register_row()], value, "x", "jo"))
            except Refused as error:
                return error.code
            return "done"

        def register_row() -> Any:
            return replace(row, values=(2, 2))  # what each of them believes

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(one, [Status.SUSPENDED, Status.INVALID, Status.VALID, Status.SUSPENDED] * 3))
        assert "done" in found
        assert register.find(row.number).values == (1, 1)
        assert one(Status.VALID) == "register.revoked_for_good"


class TestThief:
    def test_r22_a_copy_of_the_database(self, tmp_path: Path) -> None:
        """No key, no name, no claim: not in the register, nor in what waits to be taken or approved."""
        from cityid.edge.city_secret import CitySecret
        from cityid.edge.database import SqliteSessions

        secret = CitySecret(tmp_path / "register.key")
        folder = tmp_path / "databases"
        folder.mkdir(mode=0o700)
        with (
            SqliteRegister(folder / "r.db", claims_key=secret.claims_key) as register,
            SqliteSessions(folder / "s.db") as sessions,
        ):
            stores: Any = {"register": register, "sessions": sessions}
            office, wallet = Office(**stores), MemoryWallet()
            changed(office, keeps_claims=True, four_eyes=frozenset({"age"}), waiting=secret.waiting)
            who = secret.pseudonym("citizen 4711")
            offer = office.offer(subject=who, digest=secret.digest(ADA))
            office.issuer.answer(accepting.begin(offer, wallet, NOW), at=NOW)
            office.issuer.request("age", {"birthdate": "1990-12-10"}, by="maria", at=NOW)
            row = next(register.rows())
            assert b"Lovelace" in register.claims(row.number)
            stolen = b"".join(file.read_bytes() for file in folder.iterdir())
        for canary in (b"Lovelace", b"1990-12-10", b"4711", b"Maximilianstra", secret.claims_key):
            assert canary not in stolen
        assert row.holders[0].encode() in stolen  # what the thief does learn: key thumbprints

    def test_r22_a_backup_is_no_key(self, tmp_path: Path) -> None:
        with SqliteRegister(tmp_path / "r.db", claims_key=bytes(32)) as register:
            with register.batch("jo", "k", AT) as batch:
                (row,) = batch.record([replace(entry(copies=1), claims=b"{}", window=Window(AT, AT + timedelta(1)))])
            assert register.claims(row.number) == b"{}"
        with SqliteRegister(tmp_path / "r.db", claims_key=b"\1" * 32) as register:
            assert refused(lambda: register.claims(row.number), Unavailable) == "store.damaged"
