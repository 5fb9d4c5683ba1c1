"""The keyring file and its sealing: one passphrase, one cost, whole files, one writer at a time."""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cityid import limits
from cityid.edge import private_file, sealed
from cityid.edge.private_file import locked, make_directory
from cityid.edge.sealed import Header, check_new, normalise, open_sealed, read_header, rewrap, seal, unlock
from cityid.edge.software_keys import FileKeyring, MemoryKeyring, Record, Use, load, new_secret
from cityid.errors import CityIdError
from cityid.keys import Algorithm, Keyring

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASS = "Straße und Ufer"


def code(call: Callable[..., Any], *args: Any, **named: Any) -> str:
    with pytest.raises(CityIdError) as refusal:
        call(*args, **named)
    return refusal.value.code


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[FileKeyring, bytes]:
    """A keyring with one key, made once: each derivation costs 84 ms."""
    path = tmp_path_factory.mktemp("home") / "keys"
    keyring = FileKeyring.new(path, PASS)
    keyring.create(Algorithm.ES256, label="issuer-1", uses=[Use.ISSUER], created=AT, not_after=AT + timedelta(days=1))
    return keyring, path.read_bytes()


@pytest.fixture
def keyring(once: tuple[FileKeyring, bytes], tmp_path: Path) -> FileKeyring:
    """The same keyring in a file of its own, opened without deriving again."""
    made, data = once
    path = tmp_path / "keys"
    path.write_bytes(data)
    path.chmod(0o600)
    header, body = data.split(b"\n", 1)
    copy = FileKeyring(path, read_header(header, "keyring"), key_of(made), os.urandom)
    copy._take(body)
    return copy


def key_of(keyring: FileKeyring) -> bytes:
    """The data key, out of the closure: for tests that must not derive."""
    cells = dict(zip(keyring._unseal.__code__.co_freevars, keyring._unseal.__closure__ or (), strict=True))
    key: bytes = cells["key"].cell_contents
    return key


@pytest.mark.kdf
class TestFileKeyring:
    def test_round_trip(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "folder" / "keys"
        old = os.umask(0)
        try:
            keyring = FileKeyring.new(path, PASS)
        finally:
            os.umask(old)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        keys = [keyring.create(algorithm) for algorithm in Algorithm]
        opened = FileKeyring.open(path, PASS)
        assert opened.keys() == tuple(keys)
        for key in keys:
            if key.algorithm is Algorithm.BBS:
                assert opened.bbs_signer(key).public_key == key
            elif key.algorithm.signs:
                key.verify(opened.signer(key).sign(b"m"), b"m")
            else:
                assert opened.agreement(key).shared(key)
        assert isinstance(opened, Keyring)
        assert code(FileKeyring.open, path, "another") == "passphrase.wrong"
        assert code(FileKeyring.new, path, PASS) == "store.exists"
        assert len(FileKeyring.open(path, "Straße und Ufer".encode()).keys()) == len(keys)

    def test_two_programs(self, keyring: FileKeyring) -> None:
        other = FileKeyring.open(keyring._path, PASS)
        first = keyring.create(Algorithm.EDDSA)
        second = other.create(Algorithm.EDDSA)
        assert {first, second} <= set(other.keys())
        keyring.create(Algorithm.EDDSA)
        assert {second} <= set(keyring.keys())

    def test_new_passphrase(self, keyring: FileKeyring) -> None:
        before = keyring._path.read_bytes()
        keyring.change_passphrase("new Ufer")
        assert code(FileKeyring.open, keyring._path, PASS) == "passphrase.wrong"
        assert FileKeyring.open(keyring._path, "new Ufer").records() == keyring.records()
        keyring.create(Algorithm.EDDSA)
        assert FileKeyring.open(keyring._path, "new Ufer").keys() == keyring.keys()
        changed = keyring._path.read_bytes()
        assert changed.split(b"\n")[0] != before.split(b"\n")[0]
        assert code(keyring.change_passphrase, "old Ufe") == "passphrase.too_short"
        assert keyring._path.read_bytes() == changed

    def test_link(self, tmp_path: Path) -> None:
        link = tmp_path / "keys"
        link.symlink_to(tmp_path / "elsewhere")
        assert code(FileKeyring.new, link, PASS) == "store.exists"
        assert not (tmp_path / "elsewhere").exists()


class TestRecords:
    def test_what_is_known(self, keyring: FileKeyring) -> None:
        (record,) = keyring.records()
        assert (
            record
            == Record(record.key, "issuer-1", frozenset({Use.ISSUER}), AT, AT + timedelta(days=1))
            == keyring.find("issuer-1")
        )
        assert code(keyring.find, "issuer-2") == "keys.unknown_label"

    def test_use(self, keyring: FileKeyring) -> None:
        key = keyring.find("issuer-1").key
        end = AT + timedelta(days=1)
        for moment in (AT, end):
            key.verify(keyring.signer_for(key, Use.ISSUER, moment).sign(b"m"), b"m")
        assert code(keyring.signer_for, key, Use.STATUS, AT) == "key.other_use"
        assert code(keyring.signer_for, key, Use.ISSUER, end + timedelta(seconds=1)) == "key.ended"
        endless = keyring.create(Algorithm.EDDSA, uses=[Use.STATUS])
        keyring.signer_for(endless, Use.STATUS, AT + timedelta(days=9999))
        assert code(keyring.signer_for, keyring.create(Algorithm.EDDSA), Use.ISSUER, AT) == "key.other_use"

    def test_end(self, keyring: FileKeyring) -> None:
        key = keyring.create(Algorithm.EDDSA, uses=[Use.ISSUER])
        keyring.signer_for(key, Use.ISSUER, AT)
        keyring.end(key, AT - timedelta(days=1))
        assert code(keyring.signer_for, key, Use.ISSUER, AT) == "key.ended"
        keyring._reread()
        assert keyring.records()[-1].not_after == AT - timedelta(days=1)
        assert code(keyring.end, MemoryKeyring().create(Algorithm.EDDSA), AT) == "keys.unknown"

    def test_unknown(self, keyring: FileKeyring) -> None:
        other = MemoryKeyring().create(Algorithm.ES256)
        assert code(keyring.signer, other) == "keys.unknown"
        assert code(keyring.agreement, keyring.find("issuer-1").key) == "keys.wrong_kind"
        assert code(keyring.signer, keyring.create(Algorithm.X25519)) == "keys.wrong_kind"

    def test_taken(self, keyring: FileKeyring) -> None:
        before = keyring._path.read_bytes()
        assert code(keyring.create, Algorithm.EDDSA, label="issuer-1") == "keys.label_taken"
        keyring.create(Algorithm.EDDSA)
        key = keyring.add(Algorithm.EDDSA, bytes(32), label="zero")
        assert code(keyring.add, Algorithm.EDDSA, bytes(32), label="other") == "keys.held_already"
        assert keyring.find("zero").key == key
        assert keyring._path.read_bytes() != before


class TestSecrets:
    def test_lengths_and_ranges(self) -> None:
        order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
        load(Algorithm.ES256, (order - 1).to_bytes(32, "big"))
        load(Algorithm.ES256, (1).to_bytes(32, "big"))
        for number in (0, order, 2**256 - 1):
            assert code(load, Algorithm.ES256, number.to_bytes(32, "big")) == "key.secret_range"
        for algorithm in Algorithm:
            assert code(load, algorithm, b"\1" * 31) == "key.secret_length"

    def test_drawn_again(self) -> None:
        """A draw that is no scalar is thrown away, not bent into one."""
        draws = iter([bytes(32), b"\xff" * 32, b"\1" * 32])
        assert new_secret(Algorithm.ES256, lambda size: next(draws)) == b"\1" * 32
        assert new_secret(Algorithm.EDDSA, bytes) == bytes(32)

    def test_memory_keyring(self) -> None:
        keyring = MemoryKeyring(entropy=lambda size: b"\1" * size)
        key = keyring.create(Algorithm.ES384)
        assert keyring.keys() == (key,)
        assert keyring.add(Algorithm.ES384, b"\1" * 48) == key
        assert code(keyring.signer, MemoryKeyring().create(Algorithm.ES384)) == "keys.unknown"


class TestHeader:
    HEADER = Header("keyring", bytes(16), bytes(72))

    def test_round_trip(self) -> None:
        assert read_header(self.HEADER.write(), "keyring") == self.HEADER
        assert json.loads(self.HEADER.write())["memory"] == 64 << 20
        assert read_header(Header("keyring", bytes(16), bytes(72), 256 << 20, 8).write(), "keyring").passes == 8

    def test_parameters(self) -> None:
        for memory, passes in (((64 << 20) - 1, 3), (64 << 20, 2), (8 << 10, 1), (-1, 3)):
            weak = Header("keyring", bytes(16), bytes(72), memory, passes)
            assert code(read_header, weak.write(), "keyring") == "store.weak_kdf"
        for memory, passes in (((256 << 20) + 1, 3), (64 << 20, 9), (64 << 30, 3), (64 << 20, 2**31)):
            costly = Header("keyring", bytes(16), bytes(72), memory, passes)
            assert code(read_header, costly.write(), "keyring") == "store.costly_kdf"

    def test_every_flip_and_truncation(self) -> None:
        good = self.HEADER.write()
        for position in range(len(good)):
            assert code(read_header, good[:position], "keyring") == "store.damaged"
            for bit in range(8):
                flipped = good[:position] + bytes([good[position] ^ 1 << bit]) + good[position + 1 :]
                assert code(read_header, flipped, "keyring") in ("store.damaged", "store.other_version")

    def test_another_kind_or_version(self) -> None:
        assert code(read_header, self.HEADER.write(), "wallet") == "store.damaged"
        newer = self.HEADER.write().replace(b'"version":1', b'"version":2')
        assert code(read_header, newer, "keyring") == "store.other_version"
        assert code(read_header, newer, "wallet") == "store.damaged"

    def test_sizes(self) -> None:
        for header in (Header("keyring", bytes(15), bytes(72)), Header("keyring", bytes(16), bytes(71))):
            assert code(read_header, header.write(), "keyring") == "store.damaged"

    @pytest.mark.kdf
    def test_parameters_are_authenticated(self) -> None:
        """The checksum can be made anew by anybody; the wrapping cannot."""
        header = rewrap("keyring", bytes(32), PASS)
        assert unlock(header, PASS) == bytes(32)
        raised = Header("keyring", header.salt, header.wrapped, header.memory, 4)
        assert code(unlock, read_header(raised.write(), "keyring"), PASS) == "passphrase.wrong"

    @pytest.mark.kdf
    def test_no_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import nacl.bindings

        def full(*_: object) -> bytes:
            raise MemoryError

        assert len(sealed.derive(PASS, bytes(16))) == 32
        monkeypatch.setattr(nacl.bindings, "crypto_pwhash_alg", full)
        assert code(sealed.derive, PASS, b"another salt 16b") == "store.no_memory"

    @pytest.mark.kdf
    def test_argon2id(self) -> None:
        """The same bytes as another implementation of RFC 9106."""
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        other = Argon2id(salt=bytes(16), length=32, iterations=3, lanes=1, memory_cost=64 << 10)
        assert sealed.derive(PASS, bytes(16)) == other.derive(PASS.encode())


class TestSealing:
    def test_nonces_are_fresh(self) -> None:
        assert seal(bytes(32), b"text", b"aad") != seal(bytes(32), b"text", b"aad")
        assert seal(bytes(32), b"text", b"aad", bytes)[:24] == bytes(24)

    def test_bound(self) -> None:
        box = seal(bytes(32), b"text", b"aad")
        assert open_sealed(bytes(32), box, b"aad", kind="k") == b"text"
        for key, changed, aad in (
            (b"\1" * 32, box, b"aad"),
            (bytes(32), box, b"add"),
            (bytes(32), box[:-1], b"aad"),
            (bytes(32), box[:10], b"aad"),
            (bytes(32), b"", b"aad"),
        ):
            assert code(open_sealed, key, changed, aad, kind="k") == "store.damaged"
        for position in range(len(box)):
            flipped = box[:position] + bytes([box[position] ^ 1]) + box[position + 1 :]
            assert code(open_sealed, bytes(32), flipped, b"aad", kind="k") == "store.damaged"

    def test_passphrases(self) -> None:
        assert normalise("Stra\u00dfe") == normalise("Straße".encode())
        assert normalise("e\u0301") == normalise("\u00e9") == b"\xc3\xa9"
        assert normalise("x" * 1024) == b"x" * 1024
        assert code(normalise, "") == code(normalise, b"") == "passphrase.empty"
        assert code(normalise, "x" * 1025) == code(normalise, "é" * 513) == "passphrase.too_long"
        assert code(normalise, b"\xff") == code(normalise, "\ud800") == "passphrase.not_utf8"

    def test_new_passphrases_have_a_length(self) -> None:
        """Characters of the normal form are counted, not bytes or keystrokes."""
        check_new("12345678")
        check_new("ü" * 8)
        check_new(b"\xc3\xbc" * 8)
        for short in ("1234567", "ü" * 7, "u\u0308" * 7, b"\xc3\xbc" * 7):
            assert code(check_new, short) == code(rewrap, "keyring", bytes(32), short) == "passphrase.too_short"
        assert code(check_new, "") == "passphrase.empty"
        assert code(check_new, "x" * 1025) == "passphrase.too_long"
        assert code(check_new, b"\xff" * 8) == "passphrase.not_utf8"

    def test_what_a_short_one_closed_still_opens(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "keys"
        with monkeypatch.context() as earlier:
            earlier.setattr(limits, "NEW_PASSPHRASE", 1)
            keys = FileKeyring.new(path, "x").keys()
        assert FileKeyring.open(path, "x").keys() == keys
        assert code(FileKeyring.open, path, "y") == "passphrase.wrong"
        path.unlink()
        assert code(FileKeyring.new, path, "x") == "passphrase.too_short"
        assert not path.exists()


class TestDamage:
    def test_body(self, keyring: FileKeyring) -> None:
        good = keyring._path.read_bytes()
        start = good.index(b"\n") + 1
        for position in range(start, len(good), 7):
            damaged = good[:position] + bytes([good[position] ^ 4]) + good[position + 1 :]
            keyring._path.write_bytes(damaged)
            assert code(keyring.create, Algorithm.EDDSA) == "store.damaged"
            assert keyring._path.read_bytes() == damaged
        for end in (0, 10, start, start + 30, len(good) - 1):
            keyring._path.write_bytes(good[:end])
            assert code(keyring.create, Algorithm.EDDSA) == "store.damaged"
        keyring._path.write_bytes(good)
        keyring.create(Algorithm.EDDSA)

    @pytest.mark.parametrize(
        "body", [b"[]", b'{"keys":[{}]}', b'{"keys":[{"algorithm":"RSA","public":"","label":""}]}']
    )
    def test_contents(self, keyring: FileKeyring, body: bytes) -> None:
        assert code(keyring._take, keyring._seal(body)) == "store.damaged"


class TestPrivateFile:
    def test_permissions(self, keyring: FileKeyring) -> None:
        path = keyring._path
        for mode in (0o640, 0o604, 0o620, 0o610):
            path.chmod(mode)
            assert code(private_file.read, path) == "store.permissions"
        path.chmod(0o600)
        assert private_file.read(path)

    def test_owner(self, keyring: FileKeyring, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: os.stat(keyring._path).st_uid + 1)
        assert code(private_file.read, keyring._path) == "store.permissions"

    def test_directory(self, keyring: FileKeyring) -> None:
        folder = keyring._path.parent
        folder.chmod(0o777)
        assert code(private_file.read, keyring._path) == "store.permissions"
        folder.chmod(0o1777)
        assert private_file.read(keyring._path)

    def test_not_a_file(self, tmp_path: Path) -> None:
        real = tmp_path / "real"
        real.write_bytes(b"")
        real.chmod(0o600)
        assert private_file.read(real) == b""
        (tmp_path / "link").symlink_to(real)
        os.mkfifo(tmp_path / "pipe", 0o600)
        (tmp_path / "folder").mkdir()
        for name in ("link", "pipe", "folder"):
            assert code(private_file.read, tmp_path / name) == "store.not_a_file"
        os.link(real, tmp_path / "second")
        assert code(private_file.read, real) == "store.not_a_file"
        assert code(private_file.read, tmp_path / "none") == "store.missing"
        assert code(private_file.read, real / "below") == "store.unreadable"

    def test_failing_disk(self, keyring: FileKeyring, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OSError(errno.EIO, "no")

        with monkeypatch.context() as patched:
            patched.setattr(os, "fdopen", fail)
            assert code(private_file.read, keyring._path) == "store.unreadable"
        assert private_file.read(keyring._path)

    def test_size(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(private_file, "LIMIT", 4)
        path = tmp_path / "file"
        private_file.write(path, b"1234")
        assert private_file.read(path) == b"1234"
        private_file.write(path, b"12345")
        assert code(private_file.read, path) == "store.too_large"

    @pytest.mark.parametrize("step", ["open", "fsync", "replace", "fchmod"])
    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
    def test_trouble(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int) -> None:
        path = tmp_path / "file"
        private_file.write(path, b"old")

        def fail(*_: object, **__: object) -> None:
            raise OSError(number, "no")

        with monkeypatch.context() as patched:
            patched.setattr(os, step, fail)
            with pytest.raises(CityIdError) as refusal:
                private_file.write(path, b"new")
        assert refusal.value.code == "store.write"
        assert refusal.value.problem.facts["reason"] == errno.errorcode[number]
        assert path.read_bytes() == b"old"
        assert [entry.name for entry in tmp_path.iterdir()] == ["file"]

    def test_write_is_durable(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        synced: list[str] = []
        real = os.fsync

        def spy(number: int) -> None:
            synced.append(os.readlink(f"/proc/self/fd/{number}"))
            real(number)

        monkeypatch.setattr(os, "fsync", spy)
        private_file.write(tmp_path / "file", b"data")
        assert synced[0].endswith(".tmp")
        assert synced[1] == str(tmp_path)

    def test_lock(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "file"
        monkeypatch.setattr(private_file, "PAUSE", 0.001)
        with locked(path):
            assert code(locked(path).__enter__) == "store.locked"
        with locked(path):
            pass

    def test_lock_waits(self, tmp_path: Path) -> None:
        path, order = tmp_path / "file", []
        entered = threading.Event()

        def other() -> None:
            entered.wait(5)
            with locked(path):
                order.append("second")

        thread = threading.Thread(target=other)
        thread.start()
        with locked(path):
            entered.set()
            thread.join(0.1)
            order.append("first")
        thread.join(5)
        assert order == ["first", "second"]

    def test_lock_is_no_link(self, tmp_path: Path) -> None:
        target = tmp_path / "target"
        (tmp_path / "file.lock").symlink_to(target)
        assert code(locked(tmp_path / "file").__enter__) == "store.not_a_file"
        assert not target.exists()
        os.mkfifo(tmp_path / "pipe.lock", 0o600)
        assert code(locked(tmp_path / "pipe").__enter__) == "store.not_a_file"

    def test_lock_trouble(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import fcntl

        def fail(*_: object) -> None:
            raise OSError(errno.ENOLCK, "no")

        with locked(tmp_path / "file"):
            pass
        monkeypatch.setattr(fcntl, "flock", fail)
        assert code(locked(tmp_path / "file").__enter__) == "store.unreadable"

    def test_leftovers(self, tmp_path: Path) -> None:
        leftover, other = tmp_path / ".file.00.tmp", tmp_path / ".other.00.tmp"
        for path in (leftover, other):
            path.write_bytes(b"")
        with locked(tmp_path / "file"):
            assert not leftover.exists()
            assert other.exists()

    def test_directory_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        assert code(make_directory, tmp_path / "file" / "below") == "store.write"
        make_directory(tmp_path / "a" / "b")
        make_directory(tmp_path / "a" / "b")
        assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
