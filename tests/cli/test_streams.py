"""Standard streams that are closed, full or broken: never the exit status of another answer, never a traceback."""

from __future__ import annotations

import errno
import io
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cityid._cli import main, talk

from cityid.errors import Unavailable
from tests.cli.towns import SHOW, Town

pytestmark = pytest.mark.kdf


def bash(town: Town, command: str) -> tuple[str, str, int]:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=town.here,
        env=town.shell.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout, done.stderr, done.returncode


class Narrow(io.RawIOBase):
    """A file with room for so many bytes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.took = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        taken = bytes(data)[: self.room - len(self.took)]
        if not taken:
            raise OSError(errno.ENOSPC, "full")
        self.took += taken
        return len(taken)


def asks_and_shows(town: Town, name: str) -> str:
    """A question of the library's with Ada's answer: the command that judges it."""
    said, ended = town.type(f"--home library request --policy library/policies/card.toml -o {name}.request")
    assert ended == 0, said
    said, ended = town.type(f"--home ada present {name}.request -o {name}.answer --again {SHOW}", secret=True)
    assert ended == 0, said
    return f"cityid --home library verify {name}.answer --session {name}.request"


class TestNobodyCanHear:
    @pytest.mark.parametrize("options", ["", " --json"])
    def test_a_closed_stdout_is_seen_before_the_session_is_taken(self, town: Town, options: str) -> None:
        command = asks_and_shows(town, f"closed{len(options)}")
        said, error, status = bash(town, f"{command}{options} >&-")
        assert (said, status) == ("", talk.NO_ANSWER)
        assert error.startswith("error: standard output takes no result (EBADF)\n"), error
        assert "talk.no_output" in error
        assert "Traceback" not in error
        said, error, status = bash(town, command)
        assert (said.split()[0], status) == ("accepted", talk.DONE), error

    @pytest.mark.parametrize("options", ["", " --json"])
    @pytest.mark.parametrize("unbuffered", ["", "1"])
    def test_a_full_one_is_no_answer(self, town: Town, options: str, unbuffered: str) -> None:
        command = asks_and_shows(town, f"full{len(options)}{unbuffered}")
        _, error, status = bash(town, f"PYTHONUNBUFFERED={unbuffered} {command}{options} >/dev/full")
        assert status == talk.NO_ANSWER
        assert error.startswith("error: standard output takes no result (ENOSPC)\n"), error
        assert "Traceback" not in error
        assert "Exception ignored" not in error
        # not a byte of the verdict was heard: the question is open, and takes one answer
        said, error, status = bash(town, command)
        assert (said.split()[0], status) == ("accepted", talk.DONE), error
        said, error, status = bash(town, command)
        assert (said.split()[0], status) == ("refused", talk.NO), error

    def test_a_reader_who_left_before_the_verdict(self, town: Town) -> None:
        command = asks_and_shows(town, "left")
        _, error, status = bash(town, f"(sleep 0.5; exec {command}) | exec true; exit ${{PIPESTATUS[0]}}")
        assert (status, error) == (talk.UNHEARD, "")
        said, error, status = bash(town, command)
        assert (said.split()[0], status) == ("accepted", talk.DONE), error

    @pytest.mark.parametrize(("room", "then"), [(0, "accepted"), (8, "refused")])
    @pytest.mark.parametrize("unbuffered", [True, False])
    def test_one_who_heard_a_part_may_have_acted(
        self, town: Town, monkeypatch: pytest.MonkeyPatch, room: int, then: str, unbuffered: bool
    ) -> None:
        """Given back, the answer could be shown to this reader once more."""
        command = asks_and_shows(town, f"part{room}{unbuffered}")
        narrow = Narrow(room)
        # as Python makes it with PYTHONUNBUFFERED, and without
        buffer = narrow if unbuffered else io.BufferedWriter(narrow)
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", io.TextIOWrapper(buffer, "utf-8", write_through=unbuffered))  # type: ignore[type-var]
            patch.setattr("os.dup2", lambda *_: None)
            patch.chdir(town.here)
            assert main.run(command.split()[1:]) == talk.NO_ANSWER
        assert narrow.took == b"accepted"[:room]
        said, error, status = bash(town, command)
        assert said.split()[0] == then, error
        assert (status, "binding.spent" in said) == ((1, True) if room else (0, False))

    def test_a_record_that_cannot_be_written(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        import cityid.edge.files

        def full(path: Path, *_: object, **__: object) -> None:
            raise Unavailable("file.disk_full", file=str(path))

        command = asks_and_shows(town, "unrecorded")
        with monkeypatch.context() as patch:
            patch.setattr(cityid.edge.files, "write", full)
            said, status = town.type(f"{command.removeprefix('cityid ')} --record kept.json")
        assert (status, "file.disk_full" in said, "accepted" in said) == (talk.NO_ANSWER, True, False)
        said, error, status = bash(town, command)
        assert (said.split()[0], status) == ("accepted", talk.DONE), error

    def test_several_answers_are_told_together_or_not_at_all(self, town: Town) -> None:
        one, two = asks_and_shows(town, "one"), asks_and_shows(town, "two")
        wrong = "cityid --home library verify one.answer none.answer --session one.request --session two.request"
        said, error, status = bash(town, wrong)
        assert (said, status) == ("", talk.WRONG), error
        for command in (one, two):
            said, error, status = bash(town, command)
            assert (said.split()[0], status) == ("accepted", talk.DONE), error

    @pytest.mark.parametrize(
        ("command", "status"),
        [
            ("cityid >/dev/full", talk.NO_ANSWER),
            ("cityid --version >&-", talk.NO_ANSWER),
            ("cityid verify --help >/dev/full", talk.NO_ANSWER),
            ("cityid --home nowhere trust list --json >/dev/full", talk.NO_ANSWER),
            ("cityid --home nowhere trust list --json >&-", talk.NO_ANSWER),
            ("cityid no-such-verb >/dev/full", talk.WRONG),
        ],
    )
    def test_no_command_ends_by_accident(self, town: Town, command: str, status: int) -> None:
        _, error, ended = bash(town, command)
        assert ended == status, error
        assert "Traceback" not in error

    @pytest.mark.parametrize("command", ["cityid", "cityid verify --help", "cityid --home library trust list"])
    def test_a_reader_who_left_makes_no_no(self, town: Town, command: str) -> None:
        """Typer ends with status 1, which means refused."""
        _, error, status = bash(town, f"(sleep 0.5; exec {command}) | exec true; exit ${{PIPESTATUS[0]}}")
        assert status == talk.UNHEARD, error
        assert error == ""


class TestNobodyListens:
    @pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full"])
    @pytest.mark.parametrize(
        ("command", "status"),
        [
            ("trust list", talk.WRONG),
            ("no-such-verb", talk.WRONG),
            ("inspect ada.json", talk.DONE),
            ("--home library verify ada.json --session none", talk.NO),
        ],
    )
    def test_the_exit_status_stays_right(self, town: Town, command: str, redirected: str, status: int) -> None:
        assert bash(town, f"cityid {command}")[2] == status
        assert bash(town, f"cityid {command} {redirected}")[2] == status

    def test_a_store_is_never_told_what_is_said(self, town: Town) -> None:
        """A file that is opened while descriptor 2 is free would get its number."""
        _, _, status = bash(town, "cityid --home ada wallet show no-such-card --passphrase-fd 3 3<pass 0<&- 1>&- 2>&-")
        assert status == talk.NO_ANSWER
        _, _, status = bash(town, "cityid --home ada wallet show no-such-card --passphrase-fd 3 3<pass 0<&- 2>&-")
        assert status == talk.NO
        with closing(sqlite3.connect(town.here / "ada" / "wallet.sqlite")) as found:
            assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)


class TestNothingComesIn:
    @pytest.mark.parametrize("command", ["inspect -", "present -", "accept -"])
    def test_a_closed_stdin_is_the_command_s_mistake(self, town: Town, command: str) -> None:
        _, error, status = bash(town, f"cityid --home ada {command} <&-")
        assert status == talk.WRONG
        assert "file.no_input" in error
        assert "Traceback" not in error

    def test_an_open_one_is_read(self, town: Town) -> None:
        said, error, status = bash(town, "cityid inspect - <ada.json")
        assert status == talk.DONE, error
        assert "Lovelace" in said

    def test_no_passphrase_comes_from_a_closed_one(self, town: Town) -> None:
        _, error, status = bash(town, "cityid --home ada wallet list --passphrase-fd 0 <&-")
        assert status == talk.WRONG
        assert "talk.bad_descriptor" in error

    def test_nobody_is_asked(self, town: Town) -> None:
        _, error, status = bash(town, "cityid --home ada wallet list <&-")
        assert status == talk.WRONG
        assert "talk.no_passphrase" in error


class TestArguments:
    def test_a_text_instead_of_a_file_is_told_shortly(self, town: Town) -> None:
        said, status = town.type(f"inspect {'eyJ' * 2000}")
        assert status == talk.WRONG
        assert "file.name_too_long" in said
        assert "6000 characters" in said
        assert len(said) < 300
        said, status = town.type(f"inspect {'eyJ' * 80}")
        assert (status, "file.not_found" in said) == (talk.WRONG, True)

    def test_letters_that_the_locale_does_not_have(self, town: Town) -> None:
        command = "cityid init service zurich --audience x509_san_dns:a.example --name Zürich"
        _, error, status = bash(town, f"LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 {command}")
        assert status == talk.WRONG
        assert "error: --name has letters that this terminal's encoding, ascii, does not have\n  text.locale\n" in error
        assert not (town.here / "zurich").exists()
        assert bash(town, command)[2] == talk.DONE


def test_a_stream_of_another_kind_is_no_trap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Called from Python, with no stdout at all."""
    ended: list[int] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdout", None)
    main.main(["--version"], ended.append)
    assert ended == [talk.NO_ANSWER]
