"""Witnesses and changes of the log's key: C2SP tlog-cosignature, and notes with several signatures (signed-note)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cityid.edge.database import SqliteRegister
from cityid.edge.log_files import audit_files, publish, published
from cityid.edge.register_audit import audit
from cityid.edge.software_keys import MemoryKeyring
from cityid.errors import CityIdError, Refused
from cityid.keys import Algorithm
from cityid.log import Checkpoint, Verifier, Witness, note
from cityid.log.checkpoint import open_signed
from cityid.log.cosignature import cosign
from tests.logs import AT, LOG, ORIGIN, RING, SIGNER, lived
from tests.registers import BASE

WITNESS_RING = MemoryKeyring()
WITNESS_KEY = WITNESS_RING.signer(WITNESS_RING.create(Algorithm.EDDSA))
NAME = "witness.example/w1"
WITNESS = Witness(NAME, WITNESS_KEY.public_key)
ROOT = bytes(range(32))
SIGNED = Checkpoint(ORIGIN, 7, ROOT).sign(SIGNER)
SEEN = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
NEW = RING.signer(RING.create(Algorithm.EDDSA))
NEW_LOG = Verifier(ORIGIN, NEW.public_key)


def code(call: object, *args: object) -> str:
    with pytest.raises(CityIdError) as error:
        call(*args)  # type: ignore[operator]
    return error.value.code


def line(data: bytes) -> bytes:
    return data.splitlines(keepends=True)[-1]


class TestCosignature:
    def test_what_is_signed(self) -> None:
        """`cosignature/v1`, the time in seconds, the whole text of the note; u64 time before the signature."""
        data = cosign(SIGNED, NAME, WITNESS_KEY, SEEN)
        assert data.startswith(SIGNED)
        value = base64.b64decode(line(data).split()[-1])
        assert value[:4] == WITNESS.id
        seconds = int(SEEN.timestamp())
        assert int.from_bytes(value[4:12], "big") == seconds
        text = note.read(SIGNED).text
        WITNESS.key.verify(value[12:], f"cosignature/v1\ntime {seconds}\n{text}".encode())
        assert WITNESS.saw(note.read(data)) == SEEN
        # the log's own signature is not touched by it
        assert open_signed(data, LOG) == open_signed(SIGNED, LOG)

    def test_extension_lines_are_covered(self) -> None:
        data = cosign(Checkpoint(ORIGIN, 7, ROOT, ("more",)).sign(SIGNER), NAME, WITNESS_KEY, SEEN)
        assert WITNESS.saw(note.read(data)) == SEEN
        assert code(WITNESS.saw, note.read(data.replace(b"\nmore\n", b"\nless\n"))) == "witness.invalid"

    def test_nobody(self) -> None:
        assert code(WITNESS.saw, note.read(SIGNED)) == "witness.absent"

    def test_somebody_else(self) -> None:
        """A name alone, or an id alone, is somebody else."""
        data = cosign(SIGNED, NAME + "x", WITNESS_KEY, SEEN)
        assert code(WITNESS.saw, note.read(data)) == "witness.absent"
        other = WITNESS_RING.signer(WITNESS_RING.create(Algorithm.EDDSA))
        assert code(WITNESS.saw, note.read(cosign(SIGNED, NAME, other, SEEN))) == "witness.absent"

    def test_a_signature_that_is_wrong(self) -> None:
        data = cosign(SIGNED, NAME, WITNESS_KEY, SEEN)
        raw = base64.b64decode(line(data).split()[-1])
        for place in (4, 11, 12, 75):
            changed = bytearray(raw)
            changed[place] ^= 1
            forged = data.replace(base64.b64encode(raw), base64.b64encode(bytes(changed)))
            assert code(WITNESS.saw, note.read(forged)) == "witness.invalid", place
        short = data.replace(base64.b64encode(raw), base64.b64encode(raw[:-1]))
        assert code(WITNESS.saw, note.read(short)) == "witness.invalid"

    def test_of_another_checkpoint(self) -> None:
        data = cosign(SIGNED, NAME, WITNESS_KEY, SEEN)
        other = Checkpoint(ORIGIN, 8, ROOT).sign(SIGNER) + line(data)
        assert code(WITNESS.saw, note.read(other)) == "witness.invalid"

    def test_time_is_there(self) -> None:
        """A checkpoint's cosignature has a time that is not 0."""
        good = cosign(SIGNED, NAME, WITNESS_KEY, datetime.fromtimestamp(1, UTC))
        assert WITNESS.saw(note.read(good)).timestamp() == 1
        none = cosign(SIGNED, NAME, WITNESS_KEY, datetime.fromtimestamp(0, UTC))
        assert code(WITNESS.saw, note.read(none)) == "witness.invalid"

    def test_the_calendar_ends(self) -> None:
        last = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
        text = note.read(SIGNED).text
        for time, told in ((last, ""), (last + 1, "witness.invalid"), (2**63, "witness.invalid")):
            signature = WITNESS_KEY.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
            value = base64.b64encode(WITNESS.id + time.to_bytes(8, "big") + signature).decode()
            read = note.read(SIGNED + f"{note.DASH}{NAME} {value}\n".encode())
            if told:
                assert code(WITNESS.saw, read) == told
            else:
                assert WITNESS.saw(read).year == 9999

    def test_the_latest_of_several(self) -> None:
        data = cosign(cosign(SIGNED, NAME, WITNESS_KEY, SEEN), NAME, WITNESS_KEY, SEEN - timedelta(hours=1))
        assert WITNESS.saw(note.read(data)) == SEEN

    def test_no_checkpoint(self) -> None:
        text = note.sign("hello\n", ORIGIN, SIGNER)
        assert code(cosign, text, NAME, WITNESS_KEY, SEEN) == "checkpoint.lines"
        assert code(WITNESS.saw, note.read(text)) == "checkpoint.lines"

    def test_keys(self) -> None:
        """Type 0x04: another id than the same key has as a log's."""
        assert Witness.read(WITNESS.write()) == WITNESS
        assert Verifier(NAME, WITNESS.key).id != WITNESS.id
        assert code(Witness.read, Verifier(NAME, WITNESS.key).write()) == "note.key_type"
        assert code(Verifier.read, WITNESS.write()) == "note.key_type"
        name, id_, key = WITNESS.write().split("+", 2)
        assert code(Witness.read, f"{name}+{int(id_, 16) ^ 1:08x}+{key}") == "note.vkey_hash"
        ecdsa = WITNESS_RING.create(Algorithm.ES256)
        assert code(Witness, NAME, ecdsa) == "note.key_type"
        assert code(Witness, "a b", WITNESS.key) == "note.name"


class TestTwoKeys:
    """While a log's key is changed, both sign."""

    def test_either_opens_it(self) -> None:
        data = Checkpoint(ORIGIN, 7, ROOT).sign(NEW, SIGNER)
        for keys in ((LOG,), (NEW_LOG,), (NEW_LOG, LOG)):
            assert open_signed(data, *keys).size == 7
        assert code(open_signed, SIGNED, NEW_LOG) == "note.unsigned"
        assert open_signed(SIGNED, NEW_LOG, LOG).size == 7

    def test_none_may_be_wrong(self) -> None:
        data = Checkpoint(ORIGIN, 7, ROOT).sign(NEW, SIGNER)
        old = data.splitlines(keepends=True)[-1]
        raw = base64.b64decode(old.split()[-1])
        forged = data.replace(base64.b64encode(raw), base64.b64encode(raw[:-1] + bytes([raw[-1] ^ 1])))
        assert open_signed(forged, NEW_LOG).size == 7  # of somebody whom nobody here knows
        assert code(open_signed, forged, NEW_LOG, LOG) == "note.signature_invalid"

    def test_a_key_of_another_log(self) -> None:
        other = Verifier("elsewhere.example/log", NEW.public_key)
        data = Checkpoint(ORIGIN, 7, ROOT).sign(NEW)
        assert code(open_signed, data, other, LOG) == "note.unsigned"
        mixed = note.sign(Checkpoint(ORIGIN, 7, ROOT).write(), other.name, NEW)
        assert code(open_signed, mixed, LOG, other) == "checkpoint.other_log"

    def test_both_are_ed25519(self) -> None:
        ecdsa = RING.signer(RING.create(Algorithm.ES256))
        assert code(Checkpoint(ORIGIN, 7, ROOT).sign, SIGNER, ecdsa) == "keys.wrong_kind"


class TestChange:
    """A published log whose key is changed, with and without a publication in between."""

    def test_with_overlap(self, tmp_path: Path) -> None:
        with SqliteRegister(tmp_path / "r", status_base=BASE, claims_key=bytes(32)) as register:
            lived(register)
            publish(register, SIGNER, ORIGIN, tmp_path / "log", "maria", AT)
            kept = (tmp_path / "log" / "checkpoint").read_bytes()
            lived(register, 100)
            publish(register, NEW, ORIGIN, tmp_path / "log", "maria", AT + timedelta(hours=1), also=[SIGNER])
            for log in (LOG, NEW_LOG):
                assert audit_files(tmp_path / "log", log).content
            assert audit_files(tmp_path / "log", LOG, kept).content
            lived(register, 200)
            later = AT + timedelta(hours=2)
            publish(register, NEW, ORIGIN, tmp_path / "log", "maria", later, former=[LOG])
            assert code(published, tmp_path / "log", LOG) == "note.unsigned"
            assert audit_files(tmp_path / "log", NEW_LOG).content
            # what an auditor kept from before is by the former key, and counts for that alone
            with pytest.raises(Refused) as error:
                audit_files(tmp_path / "log", NEW_LOG, kept)
            assert error.value.code == "note.unsigned"
            assert audit_files(tmp_path / "log", NEW_LOG, kept, former=[LOG]).content
            with pytest.raises(Refused):
                audit_files(tmp_path / "log", LOG, kept, former=[NEW_LOG])
            # and the register knows its own checkpoints of all times
            assert audit(register, NEW_LOG, LOG).content
            assert {problem.code for problem in audit(register, NEW_LOG).findings} == {"audit.changed"}

    def test_without(self, tmp_path: Path) -> None:
        with SqliteRegister(tmp_path / "r", status_base=BASE, claims_key=bytes(32)) as register:
            lived(register)
            publish(register, SIGNER, ORIGIN, tmp_path / "log", "maria", AT)
            lived(register, 100)
            later = AT + timedelta(hours=2)
            with pytest.raises(Refused) as error:
                publish(register, NEW, ORIGIN, tmp_path / "log", "maria", later)
            assert error.value.code == "note.unsigned"
            publish(register, NEW, ORIGIN, tmp_path / "log", "maria", later, former=[LOG])
            assert audit_files(tmp_path / "log", NEW_LOG).content

    def test_witnesses_of_a_published_log(self, tmp_path: Path) -> None:
        with SqliteRegister(tmp_path / "r", status_base=BASE, claims_key=bytes(32)) as register:
            lived(register)
            publish(register, SIGNER, ORIGIN, tmp_path / "log", "maria", AT)
        file = tmp_path / "log" / "checkpoint"
        with pytest.raises(Refused) as error:
            audit_files(tmp_path / "log", LOG, witnesses=[WITNESS])
        assert error.value.code == "witness.absent"
        file.write_bytes(cosign(file.read_bytes(), NAME, WITNESS_KEY, SEEN))
        found = audit_files(tmp_path / "log", LOG, witnesses=[WITNESS])
        assert (found.content, found.seen) == (True, ((NAME, SEEN),))
        second = Witness("witness.example/w2", NEW.public_key)
        with pytest.raises(Refused):
            audit_files(tmp_path / "log", LOG, witnesses=[WITNESS, second])
