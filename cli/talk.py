"""The rules of talking.

1. Results go to stdout, talk goes to stderr. `--json` gives the same result in one JSON document.
2. Everything foreign is cleaned before it reaches a terminal: control and direction characters are shown, not obeyed.
3. Not a terminal: no questions. What would be asked must be given, and the error says how.
4. Show before doing; the default answer is no.
5. `error:` one sentence in lower case, the thing that is wrong in it; then the rule; then `hint:` something to paste.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

DONE, NO, WRONG, NO_ANSWER, PERSON_SAID_NO, FAULT, INTERRUPTED, UNHEARD = 0, 1, 2, 3, 4, 70, 130, 141

_LONGEST = 400
_STACK = 4
# Format characters are escaped, but for the one that Persian and Indic names are written with.
_KEPT = "\u200c"


class PersonSaidNo(Exception):
    """The person did not say yes, or what they had allowed beforehand does not cover it: then `problem` says what."""

    def __init__(self, problem: Any = None) -> None:
        super().__init__()
        self.problem = problem


class Unheard(Exception):
    """Standard output took nothing more: the system's name for why. `some`: it may have taken a part."""

    def __init__(self, reason: str, *, some: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.some = some


class Stop(Exception):
    """A command ends with this exit status; what had to be said has been said."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def clean(text: object, longest: int = _LONGEST) -> str:
    """`text` as one line that a terminal shows as it is: control, format, private and unassigned characters become
    escapes, towers of combining marks are cut down, and what is too long ends in `…`."""
    out: list[str] = []
    stacked = 0
    for char in str(text)[: longest + 1]:
        kind = unicodedata.category(char)
        if kind == "Mn" or kind == "Me":
            stacked += 1
        else:
            stacked = 0
        if (kind[0] == "C" and char not in _KEPT) or kind in ("Zl", "Zp") or stacked > _STACK:
            number = ord(char)
            out.append(
                f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
            )
        else:
            out.append(char)
    line = "".join(out)
    return line if len(str(text)) <= longest else line + "…"


_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "HEBREW", "ARABIC")


def mixed(name: str) -> bool:
    """Does a word of `name` mix alphabets that look alike (UTS 39)? Then it may imitate another name."""
    for word in name.split():
        found = {script for char in word for script in _SCRIPTS if unicodedata.name(char, "").startswith(script)}
        if len(found) > 1:
            return True
    return False


def named(name: str, identifier: str) -> str:
    """A display name is never shown without the identifier that was verified; a name that mixes alphabets is marked."""
    if not name or name == identifier:
        return clean(identifier)
    mark = ", mixes alphabets" if mixed(name) else ""
    return f"{clean(name, 80)} ({clean(identifier)}{mark})"


def value(found: Any) -> str:
    """A claim's value on one line."""
    if isinstance(found, list | tuple) and not any(isinstance(one, list | tuple | Mapping) for one in found):
        return clean(", ".join(value(one) for one in found))
    if isinstance(found, bool) or found is None or isinstance(found, list | tuple | Mapping):
        import json

        return clean(json.dumps(found, ensure_ascii=False, default=str))
    return clean(found)


@dataclass(slots=True)
class Held:
    """What a command has to say, until all of it is known."""

    lines: list[tuple[bool, str]] = field(default_factory=list)

    def release(self) -> None:
        """Say it, in its order. Raises Unheard: then `some` is False only where stdout took not a byte."""
        lines, self.lines = self.lines, []
        some = False
        for result, group in groupby(lines, key=itemgetter(0)):
            text = "".join(line for _, line in group)
            if not result:
                say(text.removesuffix("\n"))
                continue
            try:
                _write_all(text)
            except Unheard as unheard_:
                raise Unheard(unheard_.reason, some=some or unheard_.some) from None
            some = True


_HELD: list[Held] = []


@contextmanager
def held() -> Iterator[Held]:
    """Hold back what is said inside, results and talk, for whoever must know whether a result was heard."""
    holding = Held()
    _HELD.append(holding)
    try:
        yield holding
    finally:
        _HELD.remove(holding)


def _write_all(text: str) -> None:
    """Raises Unheard; `some` says whether any byte was taken."""
    stream = sys.stdout
    buffer = getattr(stream, "buffer", None)
    raw = buffer if isinstance(buffer, io.RawIOBase) else getattr(buffer, "raw", None)
    if not isinstance(raw, io.RawIOBase):  # no file of the system's
        out(text.removesuffix("\n"))
        flush()
        return
    rest = memoryview(text.encode(stream.encoding, stream.errors or "strict"))
    whole = len(rest)
    try:
        stream.flush()
        while rest:
            rest = rest[raw.write(rest) or 0 :]
    except OSError as error:
        raise Unheard(unheard(error).reason, some=len(rest) < whole) from None


def out(text: str = "") -> None:
    """A result, on stdout. The caller has cleaned what is foreign in it. Raises Unheard."""
    if _HELD:
        _HELD[-1].lines.append((True, text + "\n"))
        return
    with _heard():
        sys.stdout.write(text + "\n")


def flush() -> None:
    """Raises Unheard where stdout does not take what was written."""
    if sys.stdout is not None:
        with _heard():
            sys.stdout.flush()


@contextmanager
def _heard() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unheard(error) from None


def unheard(error: OSError) -> Unheard:
    return Unheard(errno.errorcode.get(error.errno or 0, "EIO"))


def say(text: str = "") -> None:
    """Talk, on stderr. Where nobody can hear it, the exit status still says the same."""
    if _HELD:
        _HELD[-1].lines.append((False, text + "\n"))
        return
    with suppress(OSError):
        sys.stderr.write(text + "\n")


def give(value: Any) -> None:
    """A result as JSON, on stdout: strict JSON that a terminal may show (everything but ASCII is escaped).
    Raises Unheard."""
    import json

    def written(one: Any) -> str:
        return str(one.isoformat()) if hasattr(one, "isoformat") else str(one)

    out(json.dumps(value, ensure_ascii=True, allow_nan=False, indent=2, default=written))


def strong(text: str) -> str:
    return _dressed(text, "1")


def good(text: str) -> str:
    return _dressed(text, "32")


def bad(text: str) -> str:
    return _dressed(text, "31")


def _dressed(text: str, code: str) -> str:
    # Colour is decoration: every line is understandable without it.
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty():
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def on_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def error(text: str, rule: str = "", hint: str = "") -> None:
    say(f"error: {clean(text)}")
    if rule:
        say(f"  {clean(rule)}")
    if hint:
        say(f"hint: {clean(hint)}")


def agree(question: str, *, flag: str) -> None:
    """Ask; anything but yes raises PersonSaidNo. Without a terminal nobody can say yes: `flag` says how to.

    Raises:
        Misuse: `talk.not_a_terminal`.
    """
    from cityid.errors import Misuse

    if not on_terminal():
        raise Misuse("talk.not_a_terminal", flag=flag)
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer:
        sys.stderr.write("\n")
    if answer.strip().lower() not in ("y", "yes"):
        raise PersonSaidNo


def choose(question: str, options: Sequence[str], *, flag: str) -> str:
    """The option whose number is typed; what is typed, where it is none of them.

    Raises:
        Misuse: `talk.not_a_terminal`, where there is none: `flag` says how to do without one.
    """
    on_terminal_only(flag)
    say(clean(question))
    for number, option in enumerate(options, 1):
        say(f"  {number}  {clean(option)}")
    sys.stderr.write("Number: ")
    sys.stderr.flush()
    typed = sys.stdin.readline()
    if not typed:
        say()
        raise PersonSaidNo
    typed = typed.strip()
    known = {str(number): option for number, option in enumerate(options, 1)}
    return known.get(typed, typed)


def on_terminal_only(flag: str) -> None:
    """Raises Misuse `talk.not_a_terminal`: `flag` says how to do without one."""
    from cityid.errors import Misuse

    if not on_terminal():
        raise Misuse("talk.not_a_terminal", flag=flag)


class Secret(str):
    """A text that a traceback with local variables does not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(...)"


def secret(prompt: str, fd: int | None, *, again: bool = False) -> Secret:
    """A passphrase, from file descriptor `fd` where one is given (its first line), else asked on the terminal without
    echo; `again` is for a new one, which is asked twice and judged before anything is made for it.

    Raises:
        Misuse: `talk.no_passphrase`, `talk.bad_descriptor`, `talk.passphrases_differ`, `passphrase.*`.
    """
    from cityid.edge import sealed

    found = Secret(_of_descriptor(fd) if fd is not None else _typed(prompt, again=again))
    if again:
        sealed.check_new(found)
    return found


def _of_descriptor(fd: int) -> str:
    from cityid import limits
    from cityid.errors import Misuse

    if fd < 3 and fd != 0:
        raise Misuse("talk.bad_descriptor", fd=fd)
    try:
        with os.fdopen(os.dup(fd), "rb") as stream:
            line = stream.readline(limits.PASSPHRASE + 3)
    except OSError:
        raise Misuse("talk.bad_descriptor", fd=fd) from None
    line = line.removesuffix(b"\n").removesuffix(b"\r")
    if len(line) > limits.PASSPHRASE:  # before it is decoded: the cut may go through a character
        raise Misuse("passphrase.too_long", limit=limits.PASSPHRASE)
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise Misuse("passphrase.not_utf8") from None


def _typed(prompt: str, *, again: bool) -> str:
    from cityid.errors import Misuse

    if not on_terminal():
        raise Misuse("talk.no_passphrase")
    import getpass

    try:
        first = getpass.getpass(f"{prompt}: ", stream=sys.stderr)
        if again and getpass.getpass("Once more: ", stream=sys.stderr) != first:
            raise Misuse("talk.passphrases_differ")
    except EOFError:
        say()
        raise PersonSaidNo from None
    return first


def columns(rows: Sequence[tuple[str, ...]], gap: int = 2) -> list[str]:
    """Rows of cleaned text as aligned lines."""
    if not rows:
        return []
    widths = [max(_width(row[index]) for row in rows) for index in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [cell + " " * (width - _width(cell) + gap) for cell, width in zip(row, widths, strict=False)]
        lines.append(("".join(cells) + row[-1]).rstrip())
    return lines


def _width(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def problem(found: Any, *, private: bool = True) -> None:
    """Tell a Problem as an error. What the person typed may be shown back to them."""
    from cityid.edge.messages import Audience, explain

    told = explain(found, audience=Audience.OFFICER, private=private)
    error(told.text, f"{told.rule}" if told.rule else "", told.hint)


def as_json(found: Any) -> Mapping[str, Any]:
    """A Problem as JSON, without its private facts."""
    shown: dict[str, Any] = {"code": found.code, "facts": dict(found.facts)}
    if found.where:
        shown["where"] = found.where
    if found.spec:
        shown["spec"] = found.spec
    return shown


def fault(error_: BaseException, *, debug: bool) -> None:
    """A fault of ours: one line, and how to say more."""
    say(f"error: this is a fault of cityid ({type(error_).__name__})")
    say(
        "hint: report it with the output of the same command and --debug, after reading what that output says of people"
    )
    if debug:
        import traceback

        # Without locals and without the exception's text: both may hold what must not be logged.
        for frame in traceback.extract_tb(error_.__traceback__):
            say(f"  {frame.filename}:{frame.lineno} in {frame.name}")
