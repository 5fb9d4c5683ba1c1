"""Files: U05 and U06 of the catalogue, and what the command line reads and writes."""

from __future__ import annotations

import errno
import io
import os
import socket
import stat
from itertools import count
from pathlib import Path

import pytest

from cityid.edge import files
from cityid.edge.resources import schemas
from cityid.errors import CityIdError, Malformed, Misuse, Unavailable


def code(error: pytest.ExceptionInfo[CityIdError]) -> str:
    return error.value.code


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(b"12345")
    return made


class TestRead:
    def test_a_file_up_to_its_limit(self, file: Path) -> None:
        assert files.read(file, 5) == files.read(str(file)) == b"12345"
        with pytest.raises(Malformed) as error:
            files.read(file, 4)
        assert code(error) == "file.too_large"
        (file.parent / "link").symlink_to(file)
        assert files.read(file.parent / "link") == b"12345"

    def test_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert files.read("-", 5, stdin=io.BytesIO(b"12345")) == b"12345"
        with pytest.raises(Malformed) as error:
            files.read("-", 4, stdin=io.BytesIO(b"12345"))
        assert code(error) == "file.too_large"
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"typed")))
        assert files.read("-") == b"typed"

    @pytest.mark.parametrize("name", ["none", "file/below", "x" * 255, "a\x00b"])
    def test_what_is_not_there(self, file: Path, name: str) -> None:
        with pytest.raises(Misuse) as error:
            files.read(file.parent / name)
        assert code(error) == "file.not_found"

    def test_what_can_be_no_name(self, file: Path) -> None:
        with pytest.raises(Misuse) as error:
            files.read("x" * 256)
        assert code(error) == "file.name_too_long"
        assert error.value.problem.facts == {"start": "x" * 40, "length": 256}

    def test_u06_pipes_devices_and_folders(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "socket"))
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        names: list[Path | str] = [
            tmp_path,
            tmp_path / "pipe",
            tmp_path / "socket",
            tmp_path / "loop",
            "/dev/zero",
            "/dev/null",
        ]
        for name in names:
            with pytest.raises(Misuse) as error:
                files.read(name)
            assert code(error) == "file.not_regular", name
        listener.close()

    def test_u06_large_ones(self, tmp_path: Path) -> None:
        with (tmp_path / "sparse").open("wb") as sparse:
            sparse.truncate(10 << 30)
        with pytest.raises(Malformed) as error:
            files.read(tmp_path / "sparse")
        assert code(error) == "file.too_large"

    @pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no /proc here")
    def test_u06_proc(self) -> None:
        with pytest.raises(Misuse) as error:
            files.read("/proc/self/mem")
        assert code(error) == "file.not_regular"
        with pytest.raises(Malformed) as malformed:
            files.read("/proc/self/smaps", 100)  # says that it has no size
        assert code(malformed) == "file.too_large"

    def test_what_the_system_says(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for number, kind, wanted in (
            (errno.EACCES, Misuse, "file.not_allowed"), (errno.EIO, Unavailable, "file.failed"),
            (errno.ENOSPC, Unavailable, "file.disk_full"),
        ):  # fmt: skip
            with monkeypatch.context() as patch:
                patch.setattr(os, "open", _raise(number))
                with pytest.raises(kind) as error:
                    files.read(file)
            assert code(error) == wanted

    def test_a_file_of_this_home(self, file: Path) -> None:
        assert files.read_home_file(file, 5) == b"12345"
        with pytest.raises(Misuse) as error:
            files.read_home_file(file, 4)
        assert code(error) == "file.too_large"


def _raise(number: int) -> object:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


class TestWrite:
    def test_new(self, tmp_path: Path) -> None:
        before = os.umask(0o022)
        try:
            files.write(tmp_path / "new", b"data")
            files.write(str(tmp_path / "private"), b"data", private=True)
        finally:
            os.umask(before)
        assert (tmp_path / "new").read_bytes() == (tmp_path / "private").read_bytes() == b"data"
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o644
        assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o600
        assert (tmp_path / "new").stat().st_nlink == 1
        assert len(list(tmp_path.iterdir())) == 2

    @pytest.mark.parametrize("umask", [0o000, 0o777])
    def test_private_whatever_the_umask(self, tmp_path: Path, umask: int) -> None:
        before = os.umask(umask)
        try:
            files.write(tmp_path / "private", b"data", private=True)
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o600

    def test_u05_what_is_there_stays_unless_forced(self, file: Path) -> None:
        with pytest.raises(Misuse) as error:
            files.write(file, b"new")
        assert code(error) == "file.exists"
        assert file.read_bytes() == b"12345"
        files.write(file, b"new", force=True)
        assert file.read_bytes() == b"new"
        assert list(file.parent.iterdir()) == [file]

    @pytest.mark.parametrize("force", [False, True])
    def test_u05_links_folders_and_devices(self, file: Path, force: bool) -> None:
        link, folder, pipe, nowhere = (file.parent / name for name in ("link", "folder", "pipe", "nowhere"))
        link.symlink_to(file)
        folder.mkdir()
        os.mkfifo(pipe)
        nowhere.symlink_to(file.parent / "not-there")
        for name in (link, folder, pipe, nowhere, "/dev/null", "/dev/stdout"):
            with pytest.raises(Misuse) as error:
                files.write(name, b"new", force=force)
            assert code(error) == "file.not_regular", name
        assert file.read_bytes() == b"12345"
        assert not (file.parent / "not-there").exists()

    def test_u05_no_such_folder(self, tmp_path: Path) -> None:
        with pytest.raises(Misuse) as error:
            files.write(tmp_path / "none" / "file", b"data")
        assert code(error) == "file.not_found"

    @pytest.mark.parametrize("linkless", [False, True])
    def test_u05_a_race_for_the_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linkless: bool) -> None:
        target = tmp_path / "file"
        link = _raise(errno.EPERM) if linkless else os.link

        def late(*arguments: object, **options: object) -> None:
            target.write_bytes(b"theirs")
            link(*arguments, **options)  # type: ignore[operator]

        monkeypatch.setattr(os, "link", late)
        with pytest.raises(Misuse) as error:
            files.write(target, b"ours")
        assert code(error) == "file.exists"
        assert target.read_bytes() == b"theirs"
        assert list(tmp_path.iterdir()) == [target]

    def test_a_disk_without_hard_links(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "link", _raise(errno.EPERM))
        files.write(tmp_path / "file", b"data", private=True)
        assert (tmp_path / "file").read_bytes() == b"data"
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
        assert len(list(tmp_path.iterdir())) == 1

    @pytest.mark.parametrize("call", ["fsync", "link"])
    def test_w08_a_full_disk_leaves_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(os, call, _raise(errno.ENOSPC))
            with pytest.raises(Unavailable) as error:
                files.write(tmp_path / "file", b"data")
        assert code(error) == "file.disk_full"
        assert list(tmp_path.iterdir()) == []
        files.write(tmp_path / "file", b"data")

    @pytest.mark.parametrize("linkless", [False, True])
    @pytest.mark.parametrize(("call", "nth"), [("fsync", 2), ("replace", 1)])
    def test_w08_a_name_that_was_given_too_early_is_free_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, nth: int, linkless: bool
    ) -> None:
        """What is told as not written can be written again: neither the file nor an empty one stands in the way."""
        calls, real = count(1), getattr(os, call)

        def fails(*arguments: object, **options: object) -> None:
            if next(calls) == nth:
                raise OSError(errno.EIO, "EIO")
            real(*arguments, **options)

        if linkless:
            monkeypatch.setattr(os, "link", _raise(errno.EPERM))
        with monkeypatch.context() as patch:
            patch.setattr(os, call, fails)
            if call == "fsync" or linkless:
                with pytest.raises(Unavailable) as error:
                    files.write(tmp_path / "file", b"data")
                assert code(error) == "file.failed"
                assert list(tmp_path.iterdir()) == []
            files.write(tmp_path / "file", b"data")
        assert [path.name for path in tmp_path.iterdir()] == ["file"]

    def test_w08_what_cannot_be_removed_at_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The file has its name; the other name goes at the second try."""
        calls, real = count(1), os.unlink

        def fails(path: Path) -> None:
            if next(calls) == 1:
                raise OSError(errno.EIO, "EIO")
            real(path)

        with monkeypatch.context() as patch:
            patch.setattr(os, "unlink", fails)
            files.write(tmp_path / "file", b"data")
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
        assert next(calls) == 3


class TestFree:
    def test_what_write_would_say(self, file: Path) -> None:
        files.check_free(file.parent / "new")
        files.check_free(file, force=True)
        for name, wanted in (("file", "file.exists"), ("none/new", "file.not_found"), ("", "file.not_regular")):
            with pytest.raises(Misuse) as error:
                files.check_free(file.parent / name)
            assert code(error) == wanted

    def test_a_folder_that_is_not_ours(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(Misuse) as error:
            files.check_free(tmp_path / "new")
        assert code(error) == "file.not_allowed"


class TestTypes:
    def test_shipped_and_own(self, tmp_path: Path) -> None:
        shipped = files.types()
        assert {"residency", "age", "parking-permit"} <= set(shipped)
        assert files.types(tmp_path) == files.types(tmp_path / "none") == shipped
        text = (schemas() / "types" / "age.json").read_bytes()
        (tmp_path / "mine.json").write_bytes(text.replace(b'"id": "age"', b'"id": "dog-licence"'))
        (tmp_path / "notes.txt").write_bytes(b"not a type")
        assert set(files.types(tmp_path)) == {*shipped, "dog-licence"}

    def test_a_wrong_one(self, tmp_path: Path) -> None:
        (tmp_path / "mine.json").write_bytes(b"{}")
        with pytest.raises(Misuse):
            files.types(tmp_path)


def test_what_a_file_names_lies_beside_it_or_above(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "list.toml").write_bytes(b"above")
    load = files.beside(tmp_path / "policies")
    assert load("list.toml") == b"above"
    (tmp_path / "policies" / "list.toml").write_bytes(b"beside")
    assert load("list.toml") == b"beside"
    with pytest.raises(Misuse) as error:
        load("none.toml")
    assert code(error) == "file.not_found"
