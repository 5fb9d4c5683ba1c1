"""The command `cityid`: jobs are verbs, housekeeping is noun and verb.

The first screen needs nothing but this file, so that it comes at once; the tree of commands and the library are loaded
when a command runs. Here is also the last door: what leaves a command becomes an exit status.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from . import talk
from .state import STATE
from .words import FIRST_SCREEN, wanted


def run(argv: Sequence[str]) -> int:
    """Run one command line and give its exit status (docs/reference/cli.md)."""
    try:
        return _run(argv)
    except talk.Unheard as unheard:  # also while an error was told as JSON
        return _unheard(unheard.reason)


def _run(argv: Sequence[str]) -> int:
    if sys.stdout is None:
        # Before anything is done: what is spent for a result that nobody can read is lost.
        raise talk.Unheard("EBADF")
    try:
        if wanted(argv) is None and (not argv or any(word in ("-h", "--help") for word in argv)):
            talk.out(FIRST_SCREEN)
            return talk.DONE
        if list(argv) == ["--version"]:
            from importlib.metadata import version

            talk.out(f"cityid {version('cityid')}")
            return talk.DONE
        from .app import run as run_command

        return run_command(argv)
    except talk.Stop as stop:
        return stop.status
    except talk.PersonSaidNo as no:
        return _no(no, argv)
    except KeyboardInterrupt:
        talk.say("")
        return talk.INTERRUPTED
    except talk.Unheard:
        raise
    except BrokenPipeError:
        raise talk.Unheard("EPIPE") from None
    except Exception as error:
        return _said(error, argv)


def _unheard(reason: str) -> int:
    """The exit status where stdout takes nothing: whatever the answer was, nobody has it."""
    with suppress(OSError, ValueError, AttributeError):
        # Python would try to write the rest at exit, and complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if reason == "EPIPE":  # whoever read us has gone; that is no fault, and no yes either
        return talk.UNHEARD
    from cityid.errors import Problem

    talk.problem(Problem("talk.no_output", {"reason": reason}))
    return talk.NO_ANSWER


def _no(no: talk.PersonSaidNo, argv: Sequence[str]) -> int:
    if "--json" in argv:
        talk.give({"error": talk.as_json(no.problem) if no.problem else {"code": "talk.said_no", "facts": {}}})
    if no.problem is not None:
        talk.problem(no.problem)
    talk.say("Nothing was done.")
    return talk.PERSON_SAID_NO


def _said(error: Exception, argv: Sequence[str]) -> int:
    from cityid.errors import CityIdError, Malformed, Misuse, Refused, Unavailable

    statuses: dict[type[CityIdError], int] = {
        Malformed: talk.NO, Refused: talk.NO, Misuse: talk.WRONG, Unavailable: talk.NO_ANSWER,
    }  # fmt: skip
    if isinstance(error, OSError) and error.filename is not None:
        from cityid.edge.files import of_the_system

        error = of_the_system(error, os.fsdecode(error.filename))
    if isinstance(error, CityIdError):
        if "--json" in argv:
            talk.give({"error": talk.as_json(error.problem)})
        talk.problem(error.problem)
        return statuses[type(error)]
    if "--json" in argv:
        talk.give({"error": {"code": "talk.fault", "facts": {"exception": type(error).__name__}}})
    talk.fault(error, debug=STATE.debug)
    return talk.FAULT


def main(argv: Sequence[str] | None = None, leave: Callable[[int], Any] = sys.exit) -> None:
    """The entry point of the command."""
    _occupy()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # for as long as the command lasts
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    status = run(sys.argv[1:] if argv is None else argv)
    try:
        talk.flush()
    except talk.Unheard as unheard:
        status = _unheard(unheard.reason)
    try:
        sys.stderr.flush()
    except OSError:  # what cannot be said is not said, and the exit status stays what it is
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    leave(status)


def _occupy() -> None:
    """Keep the first three descriptors taken: a store that is opened as number 2 would be given what we say."""
    for number, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):  # 0 and 1 stay unusable
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest number that is free


if __name__ == "__main__":
    main()
