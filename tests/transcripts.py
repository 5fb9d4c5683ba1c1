"""Runs transcripts of the command line: `tests/cli/*.txt`, and the ```console blocks of the documentation.

A transcript is what a reader would see, so it is also what a reader may type:

    # a comment
    $ cat > ada.json <<EOF
    {"given_name": "Ada"}
    EOF
    $ cityid issue residency --claims ada.json 3<pin
    residency for Ada ...
    ...
    [exit 1]

- A line `$ command` may be continued with a backslash, and take a here-document.
- What follows, up to the next command, is expected on stdout and stderr together, in the order written.
- `...` alone on a line stands for any lines, or none; inside a line for any text. Blank lines at the ends do not count.
- `[exit N]` is the exit status; without it, 0.
- `{{name}}` keeps the word that stands there; later it stands for that word, in commands and in expectations.
- `mode: subprocess` before the first command runs everything through bash. Otherwise a plain `cityid ...` is called in
  this process, which is about twenty times faster; redirections (`<f`, `>f`, `2>f`, `3<f`, `3<<<word`) and leading
  `NAME=value` are understood there, and `for NAME in WORD...; do cityid ...; done`; anything more goes to bash.

All commands of one transcript share one empty directory, an empty HOME and nothing else.
`python -m tests.transcripts FILE` prints FILE with the output that the commands really give.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple, TypeAlias

from tests.paths import TREE

SECONDS = 120
_NAME = re.compile(r"\{\{(\w+)\}\}")
_HERE = re.compile(r"<<(-?)\s*(['\"]?)(\w+)\2\s*(?:[12]?>.*)?$")
_LOOP = re.compile(r"for (\w+) in ([\w ]+); do (.+); done")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


@dataclass
class Step:
    """One command with its expectation; `line` is where it stands in its file."""

    command: str
    line: int
    expected: list[str] = field(default_factory=list)
    exit: int = 0


@dataclass
class Transcript:
    steps: list[Step]
    subprocess: bool = False


class Mismatch(AssertionError):
    """What came is not what the transcript says."""


# --- reading ------------------------------------------------------------------------------------------------------


def parse(text: str, first_line: int = 1) -> Transcript:
    lines = text.splitlines()
    transcript = Transcript([])
    at = 0
    while at < len(lines):
        line, number = lines[at], first_line + at
        at += 1
        if line.startswith("$ "):
            command = line[2:]
            while command.endswith("\\") and at < len(lines):
                command += "\n" + lines[at].removeprefix("> ")
                at += 1
            here = _HERE.search(command) if "<<<" not in command else None
            if here:
                word = here.group(3)
                while at < len(lines) and lines[at].strip() != word:
                    command += "\n" + lines[at].removeprefix("> ")
                    at += 1
                if at == len(lines):
                    raise ValueError(f"line {number}: the here-document has no end {word}")
                command += f"\n{word}\n"
                at += 1
            transcript.steps.append(Step(command, number))
        elif not transcript.steps:
            if line.strip() == "mode: subprocess":
                transcript.subprocess = True
            elif line.strip() and not line.startswith("#"):
                raise ValueError(f"line {number}: expected a command, `# comment` or `mode: subprocess`: {line!r}")
        elif found := re.fullmatch(r"\[exit (\d+)\]", line.strip()):
            transcript.steps[-1].exit = int(found.group(1))
        elif not line.startswith("# "):
            transcript.steps[-1].expected.append(line)
    return transcript


# --- running ------------------------------------------------------------------------------------------------------


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A small, known environment: nothing of the machine's own settings reaches a transcript."""
    path = os.pathsep.join(dict.fromkeys([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]))
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "PYTHONWARNINGS", "CITYID_VECTORS") if name in os.environ}
    return {
        "PATH": path,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "NO_COLOR": "1",
        "COLUMNS": "120",
        "TERM": "dumb",
        "PYTHONUNBUFFERED": "1",
        **kept,
        **(extra or {}),
    }


class Redirection(NamedTuple):
    fd: str
    kind: str
    word: str

    def __str__(self) -> str:
        return self.fd + self.kind + self.word


Word: TypeAlias = str | Redirection


@dataclass
class Shell:
    """Runs commands in one directory. `run` gives the combined output and the exit status."""

    folder: Path
    env: dict[str, str]
    subprocess_only: bool = False

    def run(self, command: str) -> tuple[str, int]:
        if not self.subprocess_only:
            commands = [plain(each) for each in rounds(command)]
            ran = [self._in_process(words) for words in commands if words is not None] if all(commands) else []
            if ran:
                return "".join(output for output, _ in ran), ran[-1][1]
        if re.search(r"\bcityid\b", command) and not shutil.which("cityid", path=self.env["PATH"]):
            raise Mismatch("the `cityid` script is not installed beside this interpreter")
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
        return done.stdout.decode("utf-8", "backslashreplace"), done.returncode

    def _in_process(self, words: list[Word]) -> tuple[str, int]:
        env = dict(self.env)
        while isinstance(first := words[0], str) and _ASSIGNMENT.match(first):
            name, _, value = first.partition("=")
            env[name] = value
            words = words[1:]
        with contextlib.ExitStack() as stack:
            streams: dict[str, io.TextIOWrapper] = {}
            arguments: list[str] = []
            numbers: dict[str, str] = {}
            for word in words[1:]:
                if isinstance(word, Redirection):
                    self._redirect(word, stack, streams, numbers)
                else:
                    arguments.append(word)
            arguments = [_renumbered(arguments, index, numbers) for index in range(len(arguments))]
            return _call_main(arguments, env, self.folder, streams)

    def _redirect(
        self,
        word: Redirection,
        stack: contextlib.ExitStack,
        streams: dict[str, io.TextIOWrapper],
        numbers: dict[str, str],
    ) -> None:
        target = self.folder / word.word
        if word.kind == "<<<":
            target = self.folder.parent / f"word-{len(numbers)}-{len(streams)}"
            target.write_text(word.word + "\n", encoding="utf-8")
        file: IO[bytes] = stack.enter_context(target.open("wb" if word.kind == ">" else "rb"))
        if word.fd in ("", "0", "1", "2"):
            name = {"": "stdin" if "<" in word.kind else "stdout", "0": "stdin", "1": "stdout", "2": "stderr"}[word.fd]
            streams[name] = io.TextIOWrapper(file, encoding="utf-8", write_through=True)
        else:
            # the number in the transcript may be taken in this process: the command is told another one
            number = os.dup(file.fileno())
            os.set_inheritable(number, True)
            stack.callback(_close_quietly, number)
            numbers[word.fd] = str(number)


def _close_quietly(number: int) -> None:
    with contextlib.suppress(OSError):
        os.close(number)


def _renumbered(arguments: Sequence[str], index: int, numbers: Mapping[str, str]) -> str:
    word = arguments[index]
    option, equals, value = word.partition("=")
    if equals and option.endswith("-fd") and value in numbers:
        return f"{option}={numbers[value]}"
    if index and arguments[index - 1].endswith("-fd") and word in numbers:
        return numbers[word]
    return word


def rounds(command: str) -> list[str]:
    """What a loop over words comes to; any other command is one."""
    loop = _LOOP.fullmatch(command)
    return [loop[3].replace(f"${loop[1]}", word) for word in loop[2].split()] if loop else [command]


def plain(command: str) -> list[Word] | None:
    """The words of a command that is nothing but `cityid`, arguments and redirections; None when bash must see it."""
    if "\n" in command.replace("\\\n", ""):
        return None
    command = command.replace("\\\n", "")
    lexer = shlex.shlex(command, posix=False, punctuation_chars="<>|&;()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError:
        return None
    words: list[Word] = []
    waiting: tuple[str, str] | None = None
    for index, token in enumerate(tokens):
        if token in ("<", ">", "<<<"):
            fd = ""
            before = words[-1] if words else ""
            if isinstance(before, str) and before.isdigit() and re.search(rf"(?<!\S){before}{token}", command):
                words.pop()
                fd = before
            if waiting or index + 1 == len(tokens):
                return None
            waiting = (fd, token)
            continue
        if re.fullmatch(r"[<>|&;()]+", token):
            return None
        unquoted = re.sub(r"'[^']*'|\"[^\"$`\\]*\"", "", token)
        if re.search(r"[$`*?~{}\\!#\"'\[\]]", unquoted):
            return None
        word = "".join(shlex.split(token)) if token else token
        if waiting:
            words.append(Redirection(*waiting, word))
            waiting = None
        else:
            words.append(word)
    command_word = next((word for word in words if not (isinstance(word, str) and _ASSIGNMENT.match(word))), "")
    return words if command_word == "cityid" else None


class _Merged(io.TextIOWrapper):
    """stdout and stderr of a command called in this process: text and bytes in the order written."""

    def __init__(self) -> None:
        self.bytes = io.BytesIO()
        super().__init__(self.bytes, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)


@contextlib.contextmanager
def _process_state(argv: list[str], env: Mapping[str, str], folder: Path) -> Iterator[None]:
    kept_env, kept_argv, kept_folder, kept_umask = dict(os.environ), sys.argv, Path.cwd(), os.umask(0o022)
    try:
        os.environ.clear()
        os.environ.update(env)
        os.chdir(folder)
        sys.argv = argv
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept_env)
        os.chdir(kept_folder)
        sys.argv = kept_argv
        os.umask(kept_umask)


def _call_main(
    arguments: list[str], env: Mapping[str, str], folder: Path, streams: Mapping[str, io.TextIOWrapper]
) -> tuple[str, int]:
    main = importlib.import_module("cityid._cli.main").main
    merged = _Merged()
    nothing = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    kept = sys.stdin, sys.stdout, sys.stderr
    status: object = 0
    try:
        with _process_state(["cityid", *arguments], env, folder):
            sys.stdin = streams.get("stdin", nothing)
            sys.stdout = streams.get("stdout", merged)
            sys.stderr = streams.get("stderr", merged)
            try:
                status = main()
            except SystemExit as left:
                status = left.code
            finally:
                for stream in (sys.stdout, sys.stderr):
                    stream.flush()
    finally:
        sys.stdin, sys.stdout, sys.stderr = kept
    gc.collect(0)
    if isinstance(status, str):
        merged.write(status + "\n")
        status = 1
    merged.flush()
    return merged.bytes.getvalue().decode("utf-8", "backslashreplace"), status if isinstance(status, int) else 0


# --- comparing ----------------------------------------------------------------------------------------------------


def _trimmed(lines: Sequence[str]) -> list[str]:
    found = [line.rstrip() for line in lines]
    while found and not found[0]:
        found.pop(0)
    while found and not found[-1]:
        found.pop()
    return found


def _line_pattern(line: str, names: dict[str, str]) -> str:
    """The regular expression of one expected line; `{{name}}` seen for the first time becomes a group."""
    pattern = ""
    for part in re.split(r"(\.\.\.|\{\{\w+\}\})", line.rstrip()):
        if part == "...":
            pattern += ".*?"
        elif found := _NAME.fullmatch(part):
            name = found.group(1)
            pattern += re.escape(names[name]) if name in names else rf"(?P<{name}>\S+?)"
        else:
            pattern += re.escape(part)
    return pattern


def matches(expected: Sequence[str], actual: Sequence[str], names: dict[str, str]) -> bool:
    """Whether the lines agree; new `{{name}}`s are put into `names`."""
    pattern = ""
    for line in _trimmed(expected):
        if line.strip() == "...":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += _line_pattern(line, names) + r"[ \t]*\n"
    text = "".join(line + "\n" for line in _trimmed(actual))
    found = re.fullmatch(pattern, text)
    if found:
        names.update({name: value for name, value in found.groupdict().items() if value is not None})
    return found is not None


def check(step: Step, shell: Shell, names: dict[str, str], source: str) -> None:
    """Run one step; raise `Mismatch`, with both sides, when it does not go as written."""
    command = _NAME.sub(lambda found: names.get(found.group(1), found.group()), step.command)
    output, status = shell.run(command)
    actual = output.splitlines()
    if status == step.exit and matches(step.expected, actual, names):
        return
    raise Mismatch(
        f"{source}:{step.line}: $ {command}\n"
        + "".join(f"  expected | {line}\n" for line in _trimmed(step.expected))
        + f"  expected | [exit {step.exit}]\n"
        + "".join(f"  came     | {line}\n" for line in _trimmed(actual))
        + f"  came     | [exit {status}]"
    )


def run(text: str, folder: Path, source: str) -> int:
    """Run a whole transcript in `folder`; returns how many commands ran."""
    transcript = parse(text)
    if not transcript.steps:
        raise Mismatch(f"{source}: a transcript without a command")
    shell = new_shell(folder, subprocess_only=transcript.subprocess)
    names: dict[str, str] = {}
    for step in transcript.steps:
        check(step, shell, names, source)
    return len(transcript.steps)


def new_shell(folder: Path, *, subprocess_only: bool = False) -> Shell:
    """A shell in `folder/here`, with the data files of `docs/` where a clone has them, and HOME in `folder/home`."""
    here, home = folder / "here", folder / "home"
    here.mkdir()
    home.mkdir()
    for file in (TREE / "docs").rglob("*"):
        if file.suffix in {".csv", ".json", ".toml", ".pem"} and file.is_file():
            target = here / file.relative_to(TREE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    return Shell(here, environment(home), subprocess_only)


def rewritten(text: str, folder: Path) -> str:
    """The transcript with what its commands really print, for an author to read and to put `...` into."""
    transcript = parse(text)
    shell = new_shell(folder, subprocess_only=transcript.subprocess)
    head = text.splitlines()[: transcript.steps[0].line - 1]
    written = "\n".join(head) + ("\n" if head else "")
    for step in transcript.steps:
        output, status = shell.run(step.command)
        written += f"$ {step.command.rstrip()}\n{output.rstrip()}\n" + (f"[exit {status}]\n" if status else "") + "\n"
    return written.replace("\n\n\n", "\n\n")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as temporary:
            print(rewritten(Path(name).read_text(encoding="utf-8"), Path(temporary)), end="")
