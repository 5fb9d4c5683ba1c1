"""`cityid demo`: every step ends as it says, or the demo stops; nothing that is there is touched."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from cityid._cli import demo

from cityid.edge import messages
from cityid.errors import Misuse, Unavailable


def code(folder: Path) -> str:
    with pytest.raises(Misuse) as wrong:
        demo.demo(folder, "town")
    return wrong.value.code


def test_a_folder_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("x")
    assert code(tmp_path) == "demo.exists"
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]


def test_a_fresh_folder_each_time(tmp_path: Path) -> None:
    wanted = tmp_path / "cityid-demo"
    assert demo._fresh(wanted) == wanted
    wanted.mkdir()
    (tmp_path / "cityid-demo-2").mkdir()
    assert demo._fresh(wanted) == tmp_path / "cityid-demo-3"


@pytest.mark.parametrize(("status", "expected"), [(0, True), (1, False)])
def test_a_step_that_ends_otherwise_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], status: int, expected: bool
) -> None:
    steps = [demo.Step("A step."), demo.Step(f"exit {status}", 0), demo.Step("echo after", 0)]
    monkeypatch.setattr(demo, "story", lambda table: steps)
    if expected:
        demo.demo(tmp_path / "town", "town")
    else:
        assert code(tmp_path / "town") == "demo.differs"
    assert ("\nafter\n" in capfd.readouterr().out) is expected
    assert (tmp_path / "town").is_dir()


def test_its_last_lines_say_where_the_command_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bin_ = tmp_path / "a venv" / "bin"
    bin_.mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", str(bin_ / "python"))
    monkeypatch.setattr(demo, "story", lambda table: [demo.Step("true", 0)])
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    demo.demo(tmp_path / "none", "town")
    assert capsys.readouterr().out.rstrip().endswith("type any of them yourself there.")
    for name in ("cityid", "activate"):
        (bin_ / name).write_text("#!/bin/sh\n")
        (bin_ / name).chmod(0o755)
    demo.demo(tmp_path / "both", "town")
    assert capsys.readouterr().out.splitlines()[-2:] == [
        f"There, `cityid` is '{bin_}/cityid'",
        f"or, once you have typed `. '{bin_}/activate'`, just `cityid`.",
    ]
    monkeypatch.setenv("PATH", f"{bin_}:/usr/bin:/bin")
    demo.demo(tmp_path / "found", "town")
    assert "There, `cityid` is" not in capsys.readouterr().out


def test_the_story_is_made_of_commands() -> None:
    """All scenes are played by `make demo`, in the stage demo of .ci/run."""
    scenes = {name: demo._steps(name, "table.csv") for name in ("town", "unlinkable", "poll", "all")}
    commands = {name: [step for step in steps if step.status is not None] for name, steps in scenes.items()}
    assert len(commands["town"]) > 40
    assert {step.status for step in commands["all"]} == {0, 1, 2, 4}
    # Alone, the two scenes play in the homes of the town; together, in the town.
    played = commands["unlinkable"] + commands["poll"]
    assert set(commands["all"]) == {*commands["town"], *played}
    for name in ("unlinkable", "poll"):
        homes = [step for step in commands[name] if step in commands["town"]]
        assert len(homes) == 8
        assert commands[name][:8] == homes


def test_without_the_extra_for_bbs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The main job is played all the same; a scene that needs it makes nothing."""
    monkeypatch.setattr(demo, "story", lambda table: [demo.Step("true", 0)])
    with monkeypatch.context() as patch:
        patch.setattr(demo, "find_spec", lambda name: None)
        with pytest.raises(Unavailable) as missing:
            demo.demo(tmp_path / "poll", "poll")
        assert missing.value.code == "install.extra"
        assert not (tmp_path / "poll").exists()
        demo.demo(tmp_path / "all")
        assert "need: pip install 'cityid[bbs]'" in capsys.readouterr().out
        demo.demo(tmp_path / "town", "town")
        assert "cityid[bbs]" not in capsys.readouterr().out
    monkeypatch.setattr(demo, "_steps", lambda scene, table: [demo.Step(f"echo {scene}", 0)])
    demo.demo(tmp_path / "more")
    assert "$ echo all" in capsys.readouterr().out


def test_a_language_that_is_not_shipped() -> None:
    assert "en" in messages.locales()
    for wrong in ("xx", "../en", ""):
        with pytest.raises(Misuse) as unknown:
            messages.catalogue(wrong)
        assert unknown.value.code == "locale.unknown"
    assert messages.catalogue("en")


@pytest.mark.slow
def test_the_scene_of_a_history(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A card from before two rotations verifies, under a witness; a history that was cut short, and a fork, do not."""
    demo.demo(tmp_path / "scene", "history")
    heard = capfd.readouterr()
    said = heard.out + heard.err
    assert said.count("did.webvh_truncated") >= 2
    assert said.count("accepted   residency") == 1
