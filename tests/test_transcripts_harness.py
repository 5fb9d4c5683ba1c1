"""The harness that runs transcripts is trusted by all of them, so it is tested first."""

from pathlib import Path

import pytest

from tests import transcripts
from tests.transcripts import Mismatch, matches


def test_wildcards() -> None:
    assert matches(["a ... c", "...", "z"], ["a b b c", "x", "y", "z"], {})
    assert matches(["..."], [], {})
    assert matches(["", "a", ""], ["a"], {})
    assert not matches(["a"], ["a", "b"], {})
    assert not matches(["a ... c"], ["a b", "c"], {})


def test_names_are_kept() -> None:
    names: dict[str, str] = {}
    assert matches(["made {{key}} (ES256)"], ["made k-17 (ES256)"], names)
    assert names == {"key": "k-17"}
    assert matches(["{{key}}"], ["k-17"], names)
    assert not matches(["{{key}}"], ["k-18"], names)


def test_shell_steps_share_a_directory(tmp_path: Path) -> None:
    text = "# setup\n$ cat > a <<EOF\none\nEOF\n$ cat a | tr o O\nOne\n"
    text += "\n$ ls \\\n  nothing-here\n...No such file...\n[exit 2]\n"
    assert transcripts.run(text, tmp_path, "test") == 3


@pytest.mark.parametrize(
    ("text", "told"), [("$ echo b\na\n", "came     [|] b"), ("$ false\n", r"came     [|] \[exit 1\]")]
)
def test_a_wrong_line_and_a_wrong_status_are_found(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(Mismatch, match=told):
        transcripts.run(text, tmp_path, "test")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("cityid --help", ["cityid", "--help"]),
        ("cityid x 'a b' 3<pin --passphrase-fd 3", ["cityid", "x", "a b", "3<pin", "--passphrase-fd", "3"]),
        ("CITYID_HOME=city cityid x >out 2>err", ["CITYID_HOME=city", "cityid", "x", ">out", "2>err"]),
        ("cityid x 3<<<'correct horse'", ["cityid", "x", "3<<<correct horse"]),
        ("cityid x | wc", None),
        ("cityid x $HOME", None),
        ("cityid x && cityid y", None),
        ("cityid x 'openid4vp://?a=b&c=d'", ["cityid", "x", "openid4vp://?a=b&c=d"]),
        ("ls", None),
    ],
)
def test_what_is_plain(command: str, words: list[str] | None) -> None:
    found = transcripts.plain(command)
    assert (None if found is None else [str(word) for word in found]) == words


def test_a_loop_over_words(tmp_path: Path) -> None:
    assert transcripts.rounds("for i in 1 b; do cityid $i >$i; done") == ["cityid 1 >1", "cityid b >b"]
    assert transcripts.rounds("cityid x") == ["cityid x"]
    text = "$ for i in 1 2; do cityid --version; done\ncityid ...\ncityid ...\n"
    assert transcripts.run(text, tmp_path, "test") == 1
    (tmp_path / "again").mkdir()
    with pytest.raises(Mismatch):
        transcripts.run(text + "cityid ...\n", tmp_path / "again", "test")
