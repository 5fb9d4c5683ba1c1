"""The log of the register's actions: leaves that say nothing, a sequencer, tiles in a folder, and what outsiders see.

Digest of C2SP tlog-tiles and tlog-checkpoint, and docs/explanation/the-log.md.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cityid.edge import files
from cityid.edge.database import StoredRegister
from cityid.edge.log_files import audit_files, differences, publish, published, take_over
from cityid.edge.register_audit import audit
from cityid.encoding import jcs, json
from cityid.errors import CityIdError, Misuse, Unavailable
from cityid.log import EMPTY_ROOT, Checkpoint, Proof, Verifier, leaf_hash, merkle, note, tiles
from cityid.log.checkpoint import open_signed
from cityid.log.tiles import nodes_of
from cityid.register import Event
from cityid.register.leaves import commitment, opening, pseudonym, read_opening
from cityid.register.sequencer import root_at
from tests.logs import AT, LATER, LOG, ORIGIN, SIGNER, lived, opened, sign
from tests.registers import OpenRegister

EVENT = Event(7, "issue", "maria", AT, {"number": "R-2026-000001", "by": "jo", "copies": 2}, b"s" * 32)


def code(call: Any, *args: Any, **named: Any) -> str:
    with pytest.raises(CityIdError) as caught:
        call(*args, **named)
    return caught.value.code


def many(register: StoredRegister, count: int, key: str) -> None:
    with register.batch("maria", key, AT) as batch:
        for number in range(count):
            batch.event("type", {"count": number})


class TestLeaves:
    def test_a_commitment_is_over_all_of_an_action(self) -> None:
        changes: list[dict[str, Any]] = [
            {"id": 8}, {"kind": "offer"}, {"by": "jo"}, {"at": AT + timedelta(seconds=1)}, {"facts": {}},
            {"salt": b"t" * 32}, {"facts": {**EVENT.facts, "by": "maria"}},
        ]  # fmt: skip
        found = {commitment(replace(EVENT, **change)) for change in changes}
        assert len(found | {commitment(EVENT)}) == len(changes) + 1
        assert commitment(EVENT) == commitment(replace(EVENT, leaf=b"x", position=5))
        assert len(commitment(EVENT)) == 32

    def test_as_documented(self) -> None:
        salt = EVENT.salt
        key = hashlib.sha256(b"leaf\0" + salt).digest()
        clerk = hashlib.sha256(b"clerk\0" + salt).digest()

        def name(text: str) -> str:
            return json.write(hashlib.sha256(clerk + text.encode()).hexdigest()).decode()

        assert name("maria")
        event = {
            "at": "2026-11-22T12:00:00Z", "by": pseudonym(salt, "maria"), "id": 7, "kind": "issue",
            "facts": {"by": pseudonym(salt, "jo"), "copies": 2, "number": "R-2026-000001"},
        }  # fmt: skip
        assert commitment(EVENT) == hashlib.sha256(key + jcs.canonical(event)).digest()

    @pytest.mark.parametrize("name", ["plain", "umlaut ü", "astral \U0001f600", "private \ue000"])
    def test_canonical_whatever_facts_are_called(self, name: str) -> None:
        """RFC 8785 §3.2.3 sorts names by UTF-16 code units."""
        event = replace(EVENT, facts={name: 'a"\\\x7f\u2028\n', "\ufb33": 2, "z": -1})
        entry, shown = read_opening(opening(event))
        assert entry == commitment(event)
        assert shown["facts"] == event.facts

    def test_two_equal_actions_are_different_entries(self) -> None:
        with opened() as register:
            many(register, 2, "two")
            one, two = register.events()
        assert one.facts["count"] == 0
        same = replace(two, id=one.id, facts=one.facts)
        assert same.leaf != commitment(replace(same, salt=one.salt))

    def test_an_opening_opens_without_names(self) -> None:
        data = opening(EVENT)
        entry, event = read_opening(data)
        assert entry == commitment(EVENT)
        assert event["kind"] == "issue"
        for secret in (b"maria", b'"jo"', EVENT.salt):
            assert secret not in data
        assert pseudonym(b"1" * 32, "maria") != pseudonym(b"2" * 32, "maria")

    @pytest.mark.parametrize(
        ("data", "told"),
        [
            (b"{", "json.syntax"),
            (b"{}", "log.opening"),
            (b'{"event":{},"key":7}', "log.opening"),
            (b'{"event":7,"key":"AAAA"}', "log.opening"),
            (b'{"event":{},"key":"AAAA"}', "log.opening"),
            (b'{"event":7,"key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}', "log.opening"),
            (b'{"event":{},"key":"*"}', "base64url.length"),
            (opening(EVENT)[:-1] + b',"more":1}', "log.opening"),
        ],
    )
    def test_openings_that_are_none(self, data: bytes, told: str) -> None:
        assert code(read_opening, data) == told
        assert read_opening(opening(EVENT))[0] == commitment(EVENT)

    def test_an_opening_of_another_action(self) -> None:
        entry, _ = read_opening(opening(EVENT).replace(b'"issue"', b'"offer"'))
        assert entry != commitment(EVENT)


class TestSequencer:
    def test_the_tree_is_the_one_over_all_entries(self) -> None:
        with opened() as register:
            assert open_signed(sign(register), LOG) == Checkpoint(ORIGIN, 0, EMPTY_ROOT)
            for number in range(4):
                many(register, 137, str(number))
                signed = open_signed(sign(register), LOG)
                entries = list(register.entries(0, signed.size))
                assert signed.root == merkle.root_of(map(leaf_hash, entries))
                assert len(entries) == signed.size == register.log_size()
                for size in (0, 1, 255, 256, signed.size):
                    if size <= signed.size:
                        assert root_at(register, size) == merkle.root_of(map(leaf_hash, entries[:size]))

    def test_every_checkpoint_begins_with_the_one_before(self) -> None:
        with opened() as register:
            notes = []
            for number in range(5):
                many(register, 90, str(number))
                notes.append(open_signed(sign(register), LOG))
            nodes = nodes_of(register.tile, notes[-1].size)
            for first in notes:
                for second in notes:
                    if first.size <= second.size:
                        proof = merkle.consistency(nodes, first.size, second.size)
                        merkle.verify_consistency(first.size, second.size, proof, first.root, second.root)

    def test_nothing_new_is_nothing_to_sign(self) -> None:
        with opened() as register:
            many(register, 3, "a")
            first = sign(register)
            assert sign(register) == sign(register) == first
            assert register.log_size() == 4  # that it was signed is an action too
            many(register, 1, "b")
            assert open_signed(sign(register), LOG).size == 5

    def test_more_than_one_slice(self) -> None:
        with opened() as register:
            many(register, 4_001, "many")
            assert register.sequence() == 4_001
            assert root_at(register, 4_001) == merkle.root_of(map(leaf_hash, register.entries(0, 4_001)))

    def test_what_was_not_signed_before_is_not_signed_over(self, tmp_path: Path) -> None:
        with opened(tmp_path / "r.sqlite") as register:
            many(register, 20, "a")
            sign(register)
            with register.sql.write() as link:
                link.execute("UPDATE events SET leaf = ? WHERE position = 3", (b"x" * 32,))
            assert code(sign, register) == "log.forked"
            with register.sql.write() as link:
                link.execute("DELETE FROM events WHERE position > 10", ())
            assert code(sign, register) == "log.forked"

    def test_a_hole_is_damage(self, tmp_path: Path) -> None:
        with opened(tmp_path / "r.sqlite") as register:
            many(register, 300, "a")
            register.sequence()
            with register.sql.write() as link:
                link.execute("DELETE FROM log_nodes", ())
            assert code(root_at, register, 300) == "store.damaged"
            with register.sql.write() as link:
                link.execute("DELETE FROM events WHERE position = 270", ())
            with pytest.raises(Unavailable, match=r"store\.damaged"):
                list(register.entries(0, 300))

    def test_it_signs_with_ed25519_only(self) -> None:
        from cityid.edge.software_keys import MemoryKeyring
        from cityid.keys import Algorithm
        from cityid.register.sequencer import sequence

        ring = MemoryKeyring()
        other = ring.signer(ring.create(Algorithm.ES256))
        with opened() as register:
            assert code(sequence, register, other, ORIGIN, "maria", AT) == "keys.wrong_kind"
            assert register.checkpoint() is None

    def test_a_register_from_before_the_log(self, tmp_path: Path) -> None:
        """Actions that an older program wrote get their leaves now; what no action remembers is told."""
        path = tmp_path / "r.sqlite"
        with opened(path) as register:
            with register.sql.write() as link:
                link.execute("INSERT INTO batches (id, key, clerk, at) VALUES (1, ?, 'jo', 0)", (b"k",))
                link.execute(
                    "INSERT INTO cards (id, number, type, format, state, batch, clerk, at) "
                    "VALUES (1, 'R-2025-000001', 't', 'f', 'offered', 1, 'jo', 0)"
                )
                link.execute(
                    "INSERT INTO events (id, kind, clerk, at, facts, salt) VALUES (1, 'offer', 'jo', 0, ?, ?)",
                    ('{"number":"R-2025-000001"}', b"s" * 16),
                )
            assert audit(register, LOG).content
            sign(register)
            lived(register, 50)
            sign(register)
            report = audit(register, LOG)
            assert report.findings == ()
            assert report.unremembered == 2
            with register.sql.write() as link:
                link.execute("UPDATE events SET clerk = 'maria' WHERE id = 1", ())
            assert [problem.facts["row"] for problem in audit(register, LOG).findings] == ["1"]


class TestPublishing:
    def test_files_as_the_specification_names_them(self, tmp_path: Path) -> None:
        with opened() as register:
            many(register, 300, "a")
            signed = publish(register, SIGNER, ORIGIN, tmp_path, "maria", AT)
            assert signed.size == 300
            names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
            assert names == {
                "checkpoint", "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000",
                "tile/entries/001.p/44",
            }  # fmt: skip
            assert published(tmp_path, LOG) == signed
            entries = tiles.read_bundle((tmp_path / "tile/entries/000").read_bytes(), 256)
            assert list(entries) == list(register.entries(0, 256))
            assert (tmp_path / "tile/0/000").stat().st_size == 8192
            assert audit_files(tmp_path, LOG).content

    def test_a_folder_grows_with_the_log(self, tmp_path: Path) -> None:
        with opened() as register:
            assert published(tmp_path, LOG) is None
            kept = []
            for number in range(9):
                many(register, 61, str(number))
                publish(register, SIGNER, ORIGIN, tmp_path, "maria", AT)
                kept.append((tmp_path / "checkpoint").read_bytes())
                for before in kept:
                    assert audit_files(tmp_path, LOG, before).findings == ()
            assert not (tmp_path / "tile/0/000.p").exists()  # it is full
            assert list(differences(register, tmp_path, LOG)) == []
            same = publish(register, SIGNER, ORIGIN, tmp_path, "maria", AT)
            assert same == open_signed(kept[-1], LOG)
            assert audit(register, LOG).content

    def test_a_tile_that_grew_serves_for_what_it_was(self, tmp_path: Path) -> None:
        with opened() as register:
            many(register, 200, "a")
            publish(register, SIGNER, ORIGIN, tmp_path, "maria", AT)
            old = (tmp_path / "checkpoint").read_bytes()
            many(register, 200, "b")
            publish(register, SIGNER, ORIGIN, tmp_path, "maria", AT)
            (tmp_path / "checkpoint").write_bytes(old)  # what a slow mirror still has
            assert audit_files(tmp_path, LOG).findings == ()

    def test_r09_nothing_is_half_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whenever the publisher dies, what lies there is the old log or the new one."""
        with opened() as register:
            many(register, 300, "a")
            publish(register, SIGNER, ORIGIN, tmp_path, "maria", AT)
            many(register, 300, "b")
            real, left = files.write, [0]

            def dies(path: Path, data: bytes, **more: Any) -> None:
                if not left[0]:
                    raise Unavailable("file.disk_full", file=str(path))
                left[0] -= 1
                real(path, data, **more)

            monkeypatch.setattr(files, "write", dies)
            for steps in range(20):
                left[0] = steps
                with suppress(Unavailable):
                    publish(register, SIGNER, ORIGIN, tmp_path, "maria", AT)
                    break
                assert audit_files(tmp_path, LOG).checkpoint.size == 300
                assert audit_files(tmp_path, LOG).findings == ()
            assert steps > 5
            assert audit_files(tmp_path, LOG).checkpoint.size == 601
            assert audit_files(tmp_path, LOG).findings == ()

    def test_r08_an_older_register_publishes_nothing(self, tmp_path: Path) -> None:
        folder = tmp_path / "log"
        with opened(tmp_path / "r.sqlite") as register:
            many(register, 20, "a")
            publish(register, SIGNER, ORIGIN, folder, "maria", AT)
        shutil.copy(tmp_path / "r.sqlite", tmp_path / "backup.sqlite")
        with opened(tmp_path / "r.sqlite") as register:
            many(register, 20, "b")
            newest = publish(register, SIGNER, ORIGIN, folder, "maria", AT)
        with opened(tmp_path / "backup.sqlite") as restored:
            assert code(publish, restored, SIGNER, ORIGIN, folder, "maria", AT) == "log.behind"
            many(restored, 50, "c")
            assert code(publish, restored, SIGNER, ORIGIN, folder, "maria", AT) == "log.forked"
        assert published(folder, LOG) == newest

    def test_a_folder_of_somebody_else(self, tmp_path: Path) -> None:
        (tmp_path / "checkpoint").write_bytes(Checkpoint("other", 0, EMPTY_ROOT).write().encode() + b"\n")
        with opened() as register:
            assert code(publish, register, SIGNER, ORIGIN, tmp_path, "maria", AT) == "note.shape"
            (tmp_path / "checkpoint").write_bytes(note.sign("x\n", "other", SIGNER))
            assert code(publish, register, SIGNER, ORIGIN, tmp_path, "maria", AT) == "note.unsigned"
            (tmp_path / "checkpoint").unlink()
            (tmp_path / "checkpoint").mkdir()
            assert code(publish, register, SIGNER, ORIGIN, tmp_path, "maria", AT) == "file.not_regular"
            (tmp_path / "checkpoint").rmdir()
            (tmp_path / "tile").write_bytes(b"")
            many(register, 1, "x")
            assert code(publish, register, SIGNER, ORIGIN, tmp_path, "maria", AT) in ("file.exists", "file.not_found")


class TestOutsiders:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        with opened() as register:
            lived(register)
            many(register, 600, "a")
            publish(register, SIGNER, ORIGIN, tmp_path / "log", "maria", AT)
        return tmp_path / "log"

    def test_x06_nothing_of_anybody_is_in_it(self, folder: Path) -> None:
        """Names, numbers, holders, types, list names and the digits of indices: only hashes are published."""
        dump = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "checkpoint")
        for canary in (b"maria", b"R-2026", b"holder-1", b"residency", b"pseudonym", b"phone", b"lost", b"status"):
            assert canary not in dump
        entries = tiles.read_bundle((folder / "tile/entries/000").read_bytes(), 256)
        assert {len(one) for one in entries} == {32}
        assert len(set(entries)) == 256

    @pytest.mark.parametrize("name", ["tile/0/000", "tile/0/002.p", "tile/1/000.p", "tile/entries/001"])
    def test_a_changed_byte_is_found(self, folder: Path, name: str) -> None:
        path = folder / name if (folder / name).is_file() else next((folder / name).iterdir())
        good = path.read_bytes()
        bad = bytearray(good)
        bad[40] ^= 1
        path.write_bytes(bytes(bad))
        problems = audit_files(folder, LOG).findings
        told = {"tile/entries/001": "audit.entry", "tile/0/000": "audit.entry", "tile/0/002.p": "audit.entry"}
        assert problems[0].code == told.get(name, "audit.file")
        assert "audit.other_tree" not in {problem.code for problem in problems}  # what follows from it is not told
        path.write_bytes(good[:-1])
        assert audit_files(folder, LOG).findings[0].code == "audit.file"
        path.unlink()
        assert audit_files(folder, LOG).findings[0].code == "audit.file"
        path.write_bytes(good)
        assert audit_files(folder, LOG).findings == ()

    def test_where_the_entry_is(self, folder: Path) -> None:
        path = folder / "tile/entries/001"
        data = bytearray(path.read_bytes())
        data[34 * 5 + 2] ^= 1
        path.write_bytes(bytes(data))
        assert [dict(problem.facts) for problem in audit_files(folder, LOG).findings] == [{"position": 256 + 5}]

    def test_a_checkpoint_over_something_else(self, folder: Path) -> None:
        now = published(folder, LOG)
        assert now is not None
        (folder / "checkpoint").write_bytes(Checkpoint(ORIGIN, now.size, b"x" * 32).sign(SIGNER))
        assert [problem.code for problem in audit_files(folder, LOG).findings] == ["audit.other_tree"]

    def test_with_an_older_checkpoint(self, folder: Path) -> None:
        now = published(folder, LOG)
        assert now is not None
        newer = Checkpoint(ORIGIN, now.size + 1, b"x" * 32).sign(SIGNER)
        assert [problem.code for problem in audit_files(folder, LOG, newer).findings] == ["audit.truncated"]
        other = Checkpoint(ORIGIN, 5, b"x" * 32).sign(SIGNER)
        assert [problem.code for problem in audit_files(folder, LOG, other).findings] == ["audit.other_tree"]
        empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT).sign(SIGNER)
        assert audit_files(folder, LOG, empty).content
        same = now.sign(SIGNER)
        assert audit_files(folder, LOG, same).content

    def test_with_another_key(self, folder: Path) -> None:
        from cityid.edge.software_keys import MemoryKeyring
        from cityid.keys import Algorithm

        other = Verifier(ORIGIN, MemoryKeyring().create(Algorithm.EDDSA))
        assert code(audit_files, folder, other) == "note.unsigned"
        assert code(audit_files, folder / "tile", LOG) == "audit.nothing_published"
        with pytest.raises(Misuse):
            audit_files(folder / "nowhere", LOG)

    def test_an_action_is_shown_to_an_auditor(self, folder: Path) -> None:
        with opened() as register:
            many(register, 5, "a")
            signed = sign(register)
            size = open_signed(signed, LOG).size
            (event,) = register.sequenced(3, 4)
            path = merkle.inclusion(nodes_of(register.tile, size), 3, size)
            data = Proof(3, path, signed, opening(event)).write()
        proof = Proof.read(data)
        entry, shown = read_opening(proof.extra)
        assert proof.verify(leaf_hash(entry), LOG).size == size
        assert shown["facts"] == {"count": 3}
        other, _ = read_opening(proof.extra.replace(b'"count":3', b'"count":4'))
        assert code(proof.verify, leaf_hash(other), LOG) == "merkle.not_included"


class TestErasing:
    def test_an_erased_action_says_nothing_and_proofs_hold(self) -> None:
        with opened() as register:
            many(register, 5, "a")
            signed = sign(register)
            size = open_signed(signed, LOG).size
            before = list(register.sequenced(0, size))
            with register.batch("jo", "erase", LATER) as batch:
                assert batch.erase_salts(LATER) == 6 - 1 + 0 or size
            after = list(register.sequenced(0, size))
            assert [event.leaf for event in after] == [event.leaf for event in before]
            assert {(event.kind, event.by, event.salt, *event.facts) for event in after} == {("erased", "", b"")}
            nodes = nodes_of(register.tile, size)
            for index, event in enumerate(before):
                proof = merkle.inclusion(nodes, index, size)
                merkle.verify_inclusion(leaf_hash(event.leaf), index, size, proof, open_signed(signed, LOG).root)
            sign(register, LATER)
            assert audit(register, LOG).content

    def test_what_remembers_a_card_stays_until_it_is_over(self) -> None:
        with opened() as register:
            lived(register)
            sign(register)
            with register.batch("jo", "erase", AT) as batch:
                batch.erase_salts(AT + timedelta(days=1))
            left = [event for event in register.events() if event.kind in ("offer", "status", "withdraw")]
            assert len(left) == 11  # one for each card
            assert audit(register, LOG).content
            with register.batch("jo", "again", LATER) as batch:
                batch.erase_salts(LATER)
            assert not [event for event in register.events() if event.kind in ("offer", "status", "withdraw")]
            assert audit(register, LOG).content

    def test_what_waits_keeps_its_salt(self) -> None:
        with opened() as register:
            many(register, 5, "a")
            with register.batch("jo", "erase", LATER) as batch:
                assert batch.erase_salts(LATER) == 0
            assert all(event.salt for event in register.events())


class TestAfterARestore:
    def test_the_log_goes_on_without_a_fork(self, tmp_path: Path) -> None:
        folder = tmp_path / "log"
        with opened(tmp_path / "r.sqlite") as register:
            lived(register)
            publish(register, SIGNER, ORIGIN, folder, "maria", AT)
            many(register, 7, "waiting at the time of the backup")
        shutil.copy(tmp_path / "r.sqlite", tmp_path / "backup.sqlite")
        with opened(tmp_path / "r.sqlite") as register:
            many(register, 400, "b")
            publish(register, SIGNER, ORIGIN, folder, "maria", AT)
            old = (folder / "checkpoint").read_bytes()
        with opened(tmp_path / "backup.sqlite") as restored:
            before = restored.log_size()
            lost = take_over(restored, folder, LOG, "jo", LATER)
            assert lost == open_signed(old, LOG).size - before > 400
            assert take_over(restored, folder, LOG, "jo", LATER) == 0
            publish(restored, SIGNER, ORIGIN, folder, "jo", LATER)
            assert audit_files(folder, LOG, old).findings == ()
            report = audit(restored, LOG)
            assert report.findings == ()
            assert report.erased == lost
            many(restored, 400, "after")
            publish(restored, SIGNER, ORIGIN, folder, "jo", LATER)
            assert audit_files(folder, LOG, old).findings == ()

    def test_of_another_log_or_a_damaged_one_nothing_is_taken(self, tmp_path: Path) -> None:
        folder = tmp_path / "log"
        with opened() as register:
            many(register, 30, "a")
            publish(register, SIGNER, ORIGIN, folder, "maria", AT)
        with opened() as other:
            many(other, 10, "x")
            other.sequence()
            assert code(take_over, other, folder, LOG, "jo", AT) == "log.forked"
        with opened() as empty:
            assert list(differences(empty, folder, LOG))
            good = (folder / "tile/0/000.p/30").read_bytes()
            (folder / "tile/0/000.p/30").write_bytes(good[::-1])
            assert code(take_over, empty, folder, LOG, "jo", AT) == "log.damaged"
            (folder / "tile/0/000.p/30").write_bytes(good)
            assert take_over(empty, folder, LOG, "jo", AT) == 30

    def test_only_at_the_end(self) -> None:
        with opened() as register:
            many(register, 3, "a")
            register.sequence()
            with register.batch("jo", "lose", AT) as batch:
                assert code(batch.lose, 2, [b"x" * 32]) == "register.checkpoint_conflict"
                batch.lose(3, [b"x" * 32])
            assert register.log_size() == 4

    def test_where_the_register_differs_from_what_was_published(self, tmp_path: Path) -> None:
        folder = tmp_path / "log"
        with opened(tmp_path / "r.sqlite") as register:
            many(register, 300, "a")
            publish(register, SIGNER, ORIGIN, folder, "maria", AT)
            with register.sql.write() as link:
                link.execute("UPDATE events SET leaf = ? WHERE position = 260", (b"x" * 32,))
            (problem,) = differences(register, folder, LOG)
            assert (problem.code, dict(problem.facts)) == ("audit.other_entry", {"position": 260})
            assert list(differences(register, folder / "none", LOG)) == []


def test_e5_the_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with opened() as register:
        many(register, 1, "a")
        assert code(publish, register, SIGNER, ORIGIN, tmp_path / "file" / "below", "maria", AT) == "file.not_found"
        assert publish(register, SIGNER, ORIGIN, tmp_path / "below", "maria", AT).size == 1


class TestOnEveryDatabase:
    @pytest.mark.parametrize(
        ("statement", "told"),
        [
            ("UPDATE cards SET type = 'x' WHERE id = 3", ("cards", "R-2026-000003")),
            ("UPDATE copies SET holder = 'x' WHERE card = 10 AND position = 0", ("copies", "R-2026-000010 copy 1")),
            ("UPDATE entries SET value = 0 WHERE value = 1", ("entries", None)),
            ("UPDATE changes SET why = 'x' WHERE id = 1", ("changes", "1")),
            ("UPDATE lists SET used = 0 WHERE id = 1", ("lists", "1")),
            ("UPDATE batches SET clerk = 'x' WHERE id = 4", ("batches", "4")),
            ("UPDATE events SET clerk = 'jo' WHERE id = 4", ("events", "4")),
            ("UPDATE keys SET label = 'x'", ("keys", "thumbprint-0")),
            ("UPDATE clerks SET rights = 'administer' WHERE name = 'maria'", ("clerks", "maria")),
            ("UPDATE counters SET last = 3 WHERE name = '2026'", ("counters", "2026")),
            ("UPDATE checkpoints SET at = 3", ("checkpoints", None)),
            ("DELETE FROM clerks WHERE name = 'maria'", ("clerks", "maria")),
            ("DELETE FROM events WHERE id = 4", ("events", "4")),
        ],
    )
    def test_r14(self, open_register: OpenRegister, statement: str, told: tuple[str, str | None]) -> None:
        register = open_register(list_size=64, claims_key=bytes(32))
        lived(register)
        sign(register)
        assert audit(register, LOG).findings == ()
        with register.sql.write() as link:
            assert link.execute(statement).rowcount == 1
        problem, *more = audit(register, LOG).findings
        assert problem.facts["table"] == told[0]
        assert told[1] in (None, problem.facts["row"])
        assert not more or told[0] == "events"  # then also what it remembered

    def test_published_and_erased(self, open_register: OpenRegister, tmp_path: Path) -> None:
        register = open_register(list_size=64, claims_key=bytes(32))
        lived(register)
        many(register, 300, "many")
        publish(register, SIGNER, ORIGIN, tmp_path / "log", "maria", AT)
        assert audit_files(tmp_path / "log", LOG).content
        with register.batch("jo", "erase", LATER) as batch:
            assert batch.erase_salts(LATER) > 300
        publish(register, SIGNER, ORIGIN, tmp_path / "log", "maria", LATER)
        assert audit(register, LOG).findings == ()
        assert audit_files(tmp_path / "log", LOG).content
        assert [event.kind for event in register.actions("R-2026-000001")] == []
