"""What the register keeps beside rows and status: whose a row is, keys of rows, claims, the city's keys and clerks, its
log of actions, what was published, and what a restore lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from cityid.clerks import Clerk, Right
from cityid.credential import StatusRef
from cityid.edge.database import SqliteRegister, StoredRegister
from cityid.errors import CityIdError, Malformed, Misuse, Refused, Unavailable
from cityid.register import Batch, Checkpoint, Filter, Key, State, Status, check_text, in_batch
from cityid.register.leaves import commitment
from tests.jobs.test_register import AT, TYPE, code, entry, offered
from tests.registers import BASE, OpenRegister

KEY = bytes(range(32))
KEYS = count()
FIRST, SECOND = "R-2026-468720000001", "R-2026-468721000001"
"""The first numbers after a restore at AT, in the year's 468,720th minute, and after another one."""


def does(register: StoredRegister, work: Callable[[Batch], Any], key: str = "", clerk: str = "jo") -> Any:
    with register.batch(clerk, key or f"does {next(KEYS)}", AT) as batch:
        return work(batch)


def refused(kind: type[CityIdError], work: Callable[[], Any]) -> str:
    with pytest.raises(kind) as error:
        work()
    return code(error)


class TestWhose:
    def test_a_row_is_somebodys(self, register: StoredRegister) -> None:
        row = offered(register, subject="pseudonym", digest="d", department="registry")
        assert (row.subject, row.digest, row.department, row.device) == ("pseudonym", "d", "registry", "")
        taken = does(register, lambda batch: batch.issue(row.number, ["t"], device="phone"))
        assert taken.device == "phone"
        assert register.find(row.number) == taken

    def test_the_name_of_an_approver_stays(self, register: StoredRegister) -> None:
        row = offered(register, state=State.PENDING, deadline=AT)
        later = AT + timedelta(minutes=10)
        assert does(register, lambda batch: batch.approve(row.number, "jo", later)).approved_by == "jo"
        assert register.find(row.number).deadline == later

    @pytest.mark.parametrize("text", ["a\nb", "\0", "\x1b[2J", "\ud800", "\u202e", "x" * 501])
    def test_one_line(self, register: StoredRegister, text: str) -> None:
        row = offered(register)
        for work in (
            lambda: does(register, lambda batch: batch.withdraw(row.number, text)),
            lambda: does(register, lambda batch: batch.set_status(row.status, 1, text, "jo")),
            lambda: does(register, lambda batch: batch.set_status(row.status, 1, "x", text)),
            lambda: does(register, lambda batch: batch.issue(row.number, ["t"], device=text)),
            lambda: does(register, lambda batch: batch.event("key", {}), clerk=text),
            lambda: does(register, lambda batch: batch.record([entry(subject=text)])),
            lambda: list(register.rows(where=Filter(text=text))),
            lambda: list(register.rows(type=text)),
            lambda: register.bits(text),
        ):
            assert refused(Malformed, work) == ("text.too_long" if len(text) > 500 else "text.control")
        assert register.find(row.number) == row

    def test_other_texts(self) -> None:
        for text in ("", "x" * 500, "Müller & Söhne, № 7", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"):
            assert check_text("why", text) == text


class TestRowKeys:
    def test_a_row_is_recorded_once(self, register: StoredRegister) -> None:
        def keyed(key: str) -> Any:
            return does(register, lambda batch: batch.record([entry(key=key)])[0])

        first = keyed("file 1, line 2")
        assert refused(Refused, lambda: keyed("file 1, line 2")) == "register.row_key_used"
        other = keyed("file 1, line 3")
        assert register.known(["file 1, line 3", "file 1, line 2", "x"]) == {
            "file 1, line 2": first.number, "file 1, line 3": other.number,
        }  # fmt: skip
        assert register.known(f"no {n}" for n in range(500)) == {}

    def test_two_in_one_batch(self, register: StoredRegister) -> None:
        work = lambda batch: batch.record([entry(key="a"), entry(key="a")])  # noqa: E731  # said once, called where it is checked
        assert refused(Misuse, lambda: does(register, work)) == "register.row_key_twice"
        assert len(does(register, lambda batch: batch.record([entry(key="a"), entry(key="b"), entry(), entry()]))) == 4


class TestClaims:
    def test_sealed_and_bound_to_their_row(self, open_register: OpenRegister) -> None:
        register = open_register(claims_key=KEY)
        one = offered(register, "1", claims=b'{"given_name":"Ada"}')
        two = offered(register, "2", claims=b'{"given_name":"Bob"}')
        assert register.claims(one.number) == b'{"given_name":"Ada"}'
        assert register.claims(offered(register, "3").number) == b""
        with register.sql.write() as link:
            sealed = [bytes(found) for (found,) in link.execute("SELECT claims FROM cards WHERE id < 3 ORDER BY id")]
            assert b"Ada" not in sealed[0]
            link.execute("UPDATE cards SET claims = ? WHERE number = ?", (sealed[0], two.number))
        assert refused(Unavailable, lambda: register.claims(two.number)) == "store.damaged"

    def test_only_with_a_key(self, open_register: OpenRegister) -> None:
        register = open_register()
        assert refused(Misuse, lambda: offered(register, claims=b"{}")) == "register.keeps_no_claims"
        row = offered(register)
        assert register.claims(row.number) == b""
        with register.sql.write() as link:
            link.execute("UPDATE cards SET claims = ?", (b"sealed",))
        assert refused(Misuse, lambda: register.claims(row.number)) == "register.keeps_no_claims"


class TestFilters:
    def test_all_of_what_is_given(self, register: StoredRegister) -> None:
        one = offered(register, "1", subject="s", department="registry")
        with register.batch("jo", "2", AT + timedelta(hours=1)) as batch:
            (two,) = batch.record([entry(batch.allot(TYPE, 2))])
            two = batch.issue(two.number, ["aGVsbG8_1", "other"], device="phone")
        does(register, lambda batch: batch.set_status(one.status[:1], Status.SUSPENDED, "x", "jo"))
        one = register.find(one.number)

        def found(**given: Any) -> list[str]:
            return [row.number for row in register.rows(where=Filter(**given))]

        for given in (
            {"clerk": "maria"}, {"department": "registry"}, {"subject": "s"}, {"standing": 2}, {"until": two.at},
            {"text": "000001"}, {"state": State.OFFERED},
        ):  # fmt: skip
            assert found(**given) == [one.number], given
        for given in (
            {"clerk": "jo"}, {"department": ""}, {"device": "phone"}, {"standing": 0}, {"since": two.at},
            {"text": "aGVsbG8_"}, {"holder": "other"}, {"clerk": "jo", "device": "phone"},
        ):  # fmt: skip
            assert found(**given) == [two.number], given
        assert found(standing=1) == found(clerk="jo", state=State.OFFERED) == found(since=AT + timedelta(days=1)) == []
        assert found(text="R-2026") == found() == [one.number, two.number]

    @pytest.mark.parametrize("text", ["%", "_", "!", "R%1", "R_2026", "aGVsbG8!_1", "'; DROP TABLE cards; --", ""])
    def test_r12_no_wildcards(self, register: StoredRegister, text: str) -> None:
        row = offered(register)
        does(register, lambda batch: batch.issue(row.number, ["aGVsbG8x1"]))
        assert [found.number for found in register.rows(where=Filter(text=text))] == ([row.number] if not text else [])

    def test_standing(self, register: StoredRegister) -> None:
        row = offered(register)
        assert (row.standing, replace(row, values=()).standing) == (0, 0)
        for values, wanted in (((2, 0), 2), ((2, 1), 1), ((0, 3), 3), ((3, 2), 2)):
            assert replace(row, values=values).standing == wanted

    def test_statistics(self, register: StoredRegister) -> None:
        row = offered(register, "1")
        offered(register, "2", clerk="jo", state=State.PENDING)
        does(register, lambda batch: batch.allot(TYPE, 3))
        does(register, lambda batch: batch.set_status(row.status, 1, "x", "jo"))
        assert register.statistics() == {
            "type": {"residency": 2}, "state": {"offered": 1, "pending": 1}, "clerk": {"jo": 1, "maria": 1},
            "status": {"1": 1}, "lists": {"total": 1, "entries": 7, "burnt": 3}, "voices": {},
        }  # fmt: skip


class TestActions:
    def test_positions_are_given_in_order(self, register: StoredRegister) -> None:
        for number in range(3):
            does(register, lambda batch: batch.event("key", {"number": number}))  # noqa: B023  # called at once
        before = list(register.events())
        assert all(len(event.salt) == 32 and event.position is None for event in before)
        assert len({event.salt for event in before}) == 3
        assert [event.leaf for event in before] == [commitment(event) for event in before]
        assert register.sequence() == 3
        with register.batch("jo", "many", AT) as batch:
            for number in range(450):
                batch.event("key", {"number": number})
        assert list(register.sequenced(0, 450)) == list(register.events())[:3]
        assert register.sequence() == register.sequence() == 453
        found = list(register.sequenced(0, 453))
        assert [event.position for event in found] == list(range(453))
        assert [event.id for event in found] == list(range(1, 454))
        assert [event.position for event in register.sequenced(2, 5)] == [2, 3, 4]
        assert list(register.entries(2, 400)) == [event.leaf for event in found[2:400]]

    def test_checkpoints(self, register: StoredRegister) -> None:
        assert register.checkpoint() is None
        does(register, lambda batch: batch.checkpoint(3, b"root", "note"))
        does(register, lambda batch: batch.checkpoint(3, b"root", "again"))
        for size, root in ((2, b"root"), (3, b"other")):
            work = lambda batch: batch.checkpoint(size, root, "")  # noqa: B023, E731  # called at once
            assert refused(Refused, lambda: does(register, work)) == "register.checkpoint_conflict"  # noqa: B023  # called at once
        assert register.checkpoint() == Checkpoint(3, b"root", AT, "again")
        does(register, lambda batch: batch.checkpoint(4, b"other", "note"))
        assert register.checkpoint() == Checkpoint(4, b"other", AT, "note")


class TestKeysAndClerks:
    def test_keys(self, register: StoredRegister) -> None:
        key = Key("thumb", "issuer-1", "ES256", AT)
        does(register, lambda batch: batch.key(key))
        does(register, lambda batch: batch.key(replace(key, thumbprint="other", since=AT + timedelta(1))))
        ended = replace(key, until=AT + timedelta(days=2), why="rotated")
        does(register, lambda batch: batch.key(ended))
        found_keys = register.keys()
        assert [found.thumbprint for found in found_keys] == ["thumb", "other"]
        assert found_keys[0] == ended
        assert [event.kind for event in register.events()] == ["key"] * 3
        assert "until" in list(register.events())[2].facts

    def test_clerks(self, register: StoredRegister) -> None:
        maria = Clerk("maria", frozenset({Right.ISSUE, Right.READ}), frozenset({"age"}), "registry", AT)
        does(register, lambda batch: batch.clerk(maria, "secret 1"))
        does(register, lambda batch: batch.clerk(Clerk("jo", frozenset(Right))))
        assert register.clerks() == {
            "jo": (Clerk("jo", frozenset(Right), frozenset(), "", AT), ""), "maria": (maria, "secret 1"),
        }  # fmt: skip
        gone = replace(maria, rights=frozenset({Right.READ}), until=AT + timedelta(days=1))
        does(register, lambda batch: batch.clerk(gone))
        assert register.clerks()["maria"] == (gone, "secret 1")
        does(register, lambda batch: batch.clerk(gone, "secret 2"))
        assert register.clerks()["maria"] == (gone, "secret 2")
        facts = list(register.events())[-1].facts
        assert facts["clerk"] == "maria"
        assert "secret" not in str(facts)

    def test_a_right_of_a_newer_program(self, register: StoredRegister) -> None:
        does(register, lambda batch: batch.clerk(Clerk("jo", frozenset(Right))))
        with register.sql.write() as link:
            link.execute("UPDATE clerks SET rights = 'fly'")
        assert refused(Unavailable, register.clerks) == "store.damaged"


class TestPublishing:
    def test_r08_never_back(self, register: StoredRegister) -> None:
        uri = offered(register).status[0].uri
        assert (register.bits(uri).published, register.bits(uri).published_at) == (-1, None)
        for version in (0, 3, 3):
            does(register, lambda batch: batch.published(uri, version))  # noqa: B023  # called at once
            assert (register.bits(uri).published, register.bits(uri).published_at) == (version, AT)
        older = lambda: does(register, lambda batch: batch.published(uri, 2))  # noqa: E731  # said once, called where it is checked
        assert refused(Refused, older) == "register.published_newer"
        unknown = lambda: does(register, lambda batch: batch.published("x", 2))  # noqa: E731  # said once, called where it is checked
        assert refused(Refused, unknown) == "register.unknown_list"

    def test_publications_are_counted(self, register: StoredRegister) -> None:
        assert register.publication() == 0
        assert does(register, lambda batch: batch.publication()) == 1
        assert does(register, lambda batch: batch.publication()) == register.publication() == 2
        assert does(register, lambda batch: batch.publication(7)) == register.publication() == 8
        assert does(register, lambda batch: batch.publication(3)) == 9


class TestAfterARestore:
    def test_published_revocations_are_taken_over(self, register: StoredRegister) -> None:
        row = offered(register)
        one, two = row.status
        lost = next(index for index in range(64) if index not in (one.index, two.index))
        does(register, lambda batch: batch.set_status([two], Status.INVALID, "x", "jo"))
        then = {one.index: 2, two.index: 2, lost: 1}
        assert does(register, lambda batch: batch.take_over(one.uri, then, "restored")) == 2
        assert register.bits(one.uri).values == {one.index: 2, two.index: 1, lost: 1}
        assert does(register, lambda batch: batch.take_over(one.uri, then, "restored")) == 0
        assert register.history(StatusRef("status_list", one.uri, lost))[0].why == "restored"
        unknown = lambda: does(register, lambda batch: batch.take_over("x", {}, ""))  # noqa: E731  # said once, called where it is checked
        assert refused(Refused, unknown) == "register.unknown_list"

    def test_nothing_meets_what_was_lost(self, register: StoredRegister) -> None:
        offered(register)
        assert does(register, lambda batch: batch.restart()) == 1
        row = offered(register, "2")
        assert row.number == FIRST
        assert row.status[0].uri.startswith(f"{BASE}/2-")
        assert len(row.status[0].uri) == len(f"{BASE}/2-") + 8
        assert does(register, lambda batch: batch.restart()) == 1
        assert offered(register, "3").number == SECOND

    def test_the_same_backup_again(self) -> None:
        """What went out since the first time is lost with the second: its numbers are not given out again."""
        for later, number in ((0, FIRST), (1, SECOND)):
            with SqliteRegister(None, status_base=BASE, list_size=64) as backup:
                offered(backup)
                with backup.batch("jo", "restored", AT + timedelta(minutes=later)) as batch:
                    batch.restart()
                assert offered(backup, "2").number == number

    def test_another_year_goes_on_at_the_next_million(self, register: StoredRegister) -> None:
        offered(register)
        with register.batch("jo", "in the new year", datetime(2027, 1, 1, 0, 1, tzinfo=UTC)) as batch:
            batch.restart()
        assert offered(register, "2").number == "R-2026-1000001"

    def test_a_year_that_was_lost_altogether(self, register: StoredRegister) -> None:
        does(register, lambda batch: batch.restart())
        assert offered(register).number == FIRST

    def test_a_list_that_was_lost_altogether(self, register: StoredRegister) -> None:
        offered(register)
        does(register, lambda batch: batch.adopt(f"{BASE}/2", 2, 64))
        does(register, lambda batch: batch.take_over(f"{BASE}/2", {5: 1}, "restored"))
        assert register.bits(f"{BASE}/2").values == {5: 1}
        assert offered(register, "2").status[0].uri == f"{BASE}/1"
        does(register, lambda batch: batch.restart())
        assert offered(register, "3").status[0].uri.startswith(f"{BASE}/3-")


class TestInBatch:
    class Flaky:
        def __init__(self, register: StoredRegister, codes: list[str]) -> None:
            self.register, self.codes = register, codes

        def batch(self, *arguments: Any) -> Any:
            if self.codes:
                raise Unavailable(self.codes.pop(0), path="x")
            return self.register.batch(*arguments)

    @pytest.mark.parametrize("broken", [[], ["store.busy"], ["store.lost", "store.busy", "store.lost"]])
    def test_r11_again(self, register: StoredRegister, broken: list[str]) -> None:
        flaky: Any = self.Flaky(register, broken)
        (row,) = in_batch(flaky, "jo", "k", AT, lambda batch: batch.rows or batch.record([entry()]))
        assert in_batch(flaky, "jo", "k", AT, lambda batch: batch.rows) == (row,)

    @pytest.mark.parametrize("broken", [["store.full"], ["store.busy"] * 4])
    def test_r11_not_for_ever(self, register: StoredRegister, broken: list[str]) -> None:
        flaky: Any = self.Flaky(register, list(broken))
        assert refused(Unavailable, lambda: in_batch(flaky, "jo", "k", AT, lambda batch: 1)) == broken[0]
        assert flaky.codes == []
        assert in_batch(flaky, "jo", "k", AT, lambda batch: 1) == 1
