"""Attack group U: exit statuses, JSON, secrets, where code comes from, interruptions at a terminal (U08 to U12)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Terminal
from tests.cli.towns import PASSPHRASE, SHOW, Town

pytestmark = pytest.mark.kdf


def strict(text: str) -> Any:
    """Strict JSON (RFC 8259), and nothing after it."""

    def refuse(name: str) -> Any:
        raise AssertionError(f"{name} is not JSON")

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({name for name, _ in found}) == len(found)
        return dict(found)

    assert text.isascii()
    return json.loads(text, parse_constant=refuse, object_pairs_hook=pairs)


class TestU08ExitStatus:
    def test_u08_accepted_is_0_and_every_no_is_1(self, town: Town) -> None:
        name = town.answered()
        assert town.judge(name)[1] == 0
        assert town.judge(name)[1] == 1  # spent
        name = town.answered()
        text = (town.here / f"{name}.answer").read_text()
        at = text.index("~") - 20
        town.write(f"{name}.answer", text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])
        assert town.judge(name)[1] == 1  # forged
        town.write("junk", b"\xff\xfe")
        assert town.type("inspect junk")[1] == 1

    def test_u08_one_bad_answer_among_good_ones(self, town: Town) -> None:
        good, other = town.answered(), town.answered()
        command = f"--home library verify {good}.answer {other}.answer --session {good}.json --session {{}}.json"
        wrong = town.asks()
        assert town.type(command.format(wrong))[1] == 1
        good, other = town.answered(), town.answered()
        command = f"--home library verify {good}.answer {other}.answer --session {good}.json --session {other}.json"
        assert town.type(command)[1] == 0

    def test_u08_some_rows_refused(self, town: Town) -> None:
        town.write("rows.csv", "given_name,birthdate\nAda,1990-01-01\nBob,1990-02-31\n")
        assert town.type("--home city issue age --from rows.csv -o rows", secret=True)[1] == 1
        town.write("rows.csv", "given_name,birthdate\nAda,1990-01-01\n")
        assert town.type("--home city issue age --from rows.csv -o rows-2", secret=True)[1] == 0

    def test_u08_a_wrong_command_line_or_file_of_this_home_is_2(self, town: Town) -> None:
        assert town.type("verify --bogus")[1] == 2
        town.write("broken.toml", "purpose = ")
        assert town.type("policy check broken.toml")[1] == 2
        assert town.type("policy check library/policies/card.toml")[1] == 0

    def test_u08_no_answer_is_3_and_the_question_stays_open(self, town: Town) -> None:
        town.write("library/trust/far.toml", '[[issuer]]\ndid = "did:web:id.lindau.example"\nmechanism = "did"\n'
                   'types = ["residency"]\nstatus = "none"\n')  # fmt: skip
        policy = (town.here / "library/policies/card.toml").read_text()
        town.write("library/policies/far.toml", policy.replace("issuers", "far"))
        name = town.answered("far")
        for _ in range(2):
            said, status = town.judge(name)
            assert status == 3, said
            assert said.startswith("no answer ")

    def test_u08_a_fault_of_ours_is_70(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        import cityid.edge.files

        def fault(*_: Any, **__: Any) -> Any:
            raise ZeroDivisionError("Lovelace")

        monkeypatch.setattr(cityid.edge.files, "read", fault)
        said, status = town.type("--debug inspect ada.json")
        assert status == 70
        assert said.startswith("error: this is a fault of cityid (ZeroDivisionError)\nhint: report it")
        assert "in fault" in said
        assert "Lovelace" not in said
        said, status = town.type("inspect ada.json --json")
        assert status == 70
        assert strict(said[: said.index("error: this")])["error"]["code"] == "talk.fault"
        monkeypatch.undo()
        assert town.type("inspect ada.json")[1] == 0

    def test_u08_a_broken_pipe_is_quiet(self, town: Town) -> None:
        said, status = town.shell.run("cityid type show residency --as definition 2>said | head -c 1; cat said")
        assert said == "{"
        assert status == 0

    def test_u08_a_verdict_that_nobody_heard_is_no_yes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was cut off in the middle must not end like an accepted card."""
        from cityid._cli import app, main

        def cut(argv: object) -> int:
            raise BrokenPipeError

        monkeypatch.setattr(app, "run", cut)
        monkeypatch.setattr("os.dup2", lambda *_: None)
        assert main.run(["verify", "x"]) == 141
        monkeypatch.setattr(app, "run", lambda argv: 0)
        assert main.run(["verify", "x"]) == 0


class TestU09Json:
    @pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": 1e999}', '{"a": "\\ud800"}', '{"a": 99999999999999999999}'])
    def test_u09_output_is_strict_json(self, town: Town, text: str) -> None:
        town.write("odd.json", text)
        said, _, status = town.apart("inspect odd.json --json")
        assert status == 1
        assert strict(said)["error"]["code"].startswith("json.")

    def test_u09_every_outcome_is_one_document(self, town: Town) -> None:
        name = town.answered()
        commands = [
            (f"--home library verify {name}.answer --session {name}.json --json", False),
            (f"--home library verify {name}.answer --session {name}.json --json", False),
            ("verify --json", False), ("verfy --json", False), ("--home nowhere trust list --json", False),
            ("--home ada wallet list --json", True), ("--home ada wallet show x --json", True),
            ("--home city key list --json", True), ("--home city key show issuer-1 --json", True),
            ("--home library trust list --json", False), ("type show --json", False), ("type show age --json", False),
            ("policy show library/policies/card.toml --json", False), ("did resolve did:key:z6Mk --json", False),
            ("policy check library/policies/card.toml --json", False), ("inspect residency.cards --json", False),
            ("did resolve did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK --json", False),
            (f"--home ada present {name}.json --yes --show age_over_18 --json", True),
            (f"--home ada present {name}.json {SHOW} --json", True),
            ("--home city issue residency --claims ada.json --yes --json", True),
            ("--home city issue --answer residency.request --json", True),
            ("type template age --json", False), ("type check ada.json --json", False),
            ("policy new age --claim age_over_18 --purpose x --json", False),
            ("--home city did create key --key issuer-1 --json", True), (f"inspect {name}.answer --json", False),
        ]  # fmt: skip
        for command, secret in commands:
            said, _, status = town.apart(command, secret=secret)
            try:
                found = strict(said)
            except ValueError:
                pytest.fail(f"{command} gives no JSON but {said!r}")
            if status in (1, 2, 4):
                assert isinstance(found, dict), command
                assert {"error", "verdict", "didResolutionMetadata", "problems"} & set(found), command

    def test_u09_every_command_has_json(self) -> None:
        for path, command in _commands().items():
            names = {name for option in command.params for name in option.opts}
            assert "--json" in names or path == "demo", path


def _commands() -> dict[str, Any]:
    from importlib import import_module

    import typer

    words = import_module("cityid._cli.words")
    app = typer.Typer()
    for name in words.VERBS:
        import_module(f"cityid._cli.{name}").register(app)
    root = typer.main.get_command(app)
    found: dict[str, Any] = {}
    for name, command in root.commands.items():  # type: ignore[attr-defined]  # a group
        inner = getattr(command, "commands", None)
        found.update({f"{name} {one}": leaf for one, leaf in inner.items()} if inner else {name: command})
    return found


class TestU10Secrets:
    def test_u10_no_secret_is_an_argument(self) -> None:
        for path, command in _commands().items():
            for option in command.params:
                words = " ".join(option.opts)
                assert not any(word in words for word in ("passphrase", "pin", "secret", "password")) or (
                    option.opts[0].endswith("-fd") and str(option.type.name).startswith("int")
                ), path

    def test_u10_debug_tells_no_secret(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        import cityid.edge.wallet_file

        def fault(path: Path, passphrase: str, **_: Any) -> Any:
            raise RuntimeError(passphrase)

        monkeypatch.setattr(cityid.edge.wallet_file.WalletFile, "open", fault)
        said, status = town.type("--debug --home ada wallet list", secret=True)
        assert status == 70
        assert PASSPHRASE not in said
        assert "in fault" in said

    def test_u10_every_help_has_an_example_that_is_understood(self, town: Town) -> None:
        from importlib import import_module

        examples = import_module("cityid._cli.words").EXAMPLES
        assert set(examples) == set(_commands())
        for name, example in examples.items():
            said, status = town.type(f"{name} --help")
            assert status == 0
            assert f"For example:\n    cityid {example}\n" in said
            # the command line is right: what fails is a file or a home that is not here
            assert f" {name} " in f" {example} "
            if name != "demo":
                said, status = town.type(f"--home nowhere {example}")
                assert "see `cityid" not in said, said


class TestU11WhereCodeComesFrom:
    def test_u11_nothing_is_imported_from_the_current_folder(self, town: Town) -> None:
        trap = town.here / "trap"
        trap.mkdir(exist_ok=True)
        for name in ("cityid.py", "json.py", "typer.py", "cli.py", "talk.py"):
            (trap / name).write_text("raise SystemExit('hijacked')\n")
        (trap / ".env").write_text("CITYID_HOME=/hijacked\nNO_COLOR=\n")
        said, status = town.shell.run("cd trap && env -u PYTHONPATH cityid type show age")
        assert status == 0, said
        assert "hijacked" not in said
        said, status = town.shell.run("cd trap && env -u PYTHONPATH cityid --home ../ada trust list")
        assert status == 0, said
        # the trap works: PYTHONPATH is the person's own choice, and is obeyed
        said, status = town.shell.run("cd trap && PYTHONPATH=. cityid type show age")
        assert "hijacked" in said

    def test_u11_a_home_above_must_be_one_s_own(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        assert town.shell.run("cd ada && cityid trust list")[1] == 0
        owner = (town.here / "ada/wallet.toml").stat().st_uid
        if owner == 0:
            os.chown(town.here / "ada/wallet.toml", 4242, -1)
        else:
            monkeypatch.setattr(os, "getuid", lambda: owner + 1)
        try:
            shell = town.shell.__class__(town.here / "ada", town.shell.env)
            said, status = shell.run("cityid trust list")
            assert status == 2
            assert "home.not_yours" in said
            assert town.type("--home ada trust list")[1] == 0
        finally:
            if owner == 0:
                os.chown(town.here / "ada/wallet.toml", 0, -1)


class TestU12Interrupted:
    @pytest.fixture
    def at(self, town: Town) -> Any:
        opened: list[Terminal] = []

        def start(*arguments: str) -> Terminal:
            opened.append(Terminal.start(arguments, town.here, town.shell.env))
            return opened[-1]

        yield start
        for terminal in opened:
            terminal.close()

    def test_u12_at_the_passphrase(self, town: Town, at: Callable[..., Terminal]) -> None:
        terminal = at("--home", "ada", "wallet", "list")
        terminal.expect("Passphrase of this wallet: ")
        terminal.wait_for_silence(echo=False)
        terminal.interrupt()
        assert terminal.end() == 130
        assert terminal.echo
        assert "Traceback" not in terminal.seen

    def test_u12_the_end_of_input_is_a_no(self, town: Town, at: Callable[..., Terminal]) -> None:
        terminal = at("--home", "ada", "wallet", "list")
        terminal.expect("Passphrase of this wallet: ")
        terminal.wait_for_silence(echo=False)
        terminal.type("\x04")
        assert terminal.end() == 4
        assert terminal.echo

    def test_u12_at_the_question_nothing_is_done(self, town: Town, at: Callable[..., Terminal]) -> None:
        name = town.asks()
        before = town.must("--home ada wallet list", secret=True)
        terminal = at("--home", "ada", "present", f"{name}.json", "-o", f"{name}.answer")
        self._pass(terminal)
        terminal.expect("[y/N] ")
        terminal.interrupt()
        assert terminal.end() == 130
        assert not (town.here / f"{name}.answer").exists()
        assert town.must("--home ada wallet list", secret=True) == before

    @pytest.mark.parametrize("answer", ["n", "", "maybe", "yy", "\x04"])
    def test_u12_a_plain_no_is_4(self, town: Town, at: Callable[..., Terminal], answer: str) -> None:
        name = town.asks()
        terminal = at("--home", "ada", "present", f"{name}.json", "-o", f"{name}.answer")
        self._pass(terminal)
        terminal.expect("[y/N] ")
        terminal.type(answer if answer == "\x04" else answer + "\n")
        assert terminal.end() == 4
        assert "Nothing was done." in terminal.seen
        assert not (town.here / f"{name}.answer").exists()

    def test_u12_a_yes_is_0(self, town: Town, at: Callable[..., Terminal]) -> None:
        name = town.asks()
        terminal = at("--home", "ada", "present", f"{name}.json", "-o", f"{name}.answer")
        self._pass(terminal)
        terminal.expect("[y/N] ")
        terminal.type("y\n")
        assert terminal.end() == 0
        assert PASSPHRASE not in terminal.seen
        assert town.judge(name)[1] == 0

    def test_u12_a_new_passphrase_is_asked_twice(self, town: Town, at: Callable[..., Terminal], tmp_path: Path) -> None:
        terminal = at("init", "wallet", str(tmp_path / "mistyped"))
        self._pass(terminal, "Passphrase for the wallet: ")
        self._pass(terminal, "Once more: ", PASSPHRASE + "x")
        assert terminal.end() == 2
        assert "talk.passphrases_differ" in terminal.seen
        assert not (tmp_path / "mistyped").exists()
        terminal = at("init", "wallet", str(tmp_path / "typed"))
        self._pass(terminal, "Passphrase for the wallet: ")
        self._pass(terminal, "Once more: ")
        assert terminal.end() == 0
        assert town.type(f"--home {tmp_path / 'typed'} wallet list", secret=True)[1] == 0

    def test_u12_colour_is_decoration(self, town: Town, at: Callable[..., Terminal]) -> None:
        name = town.answered()
        town.shell.env["TERM"], kept = "xterm", town.shell.env.pop("NO_COLOR")
        try:
            terminal = at("--home", "library", "verify", f"{name}.answer", "--session", f"{name}.json")
            assert terminal.end() == 0
        finally:
            town.shell.env.update(TERM="dumb", NO_COLOR=kept)
        assert terminal.seen.startswith("\x1b[32maccepted\x1b[0m")
        assert "\x1b" not in terminal.seen[len("\x1b[32maccepted\x1b[0m") :]

    @staticmethod
    def _pass(terminal: Terminal, prompt: str = "Passphrase of this wallet: ", text: str = PASSPHRASE) -> None:
        terminal.expect(prompt)
        terminal.wait_for_silence(echo=False)
        terminal.type(text + "\n")
