"""The command `cityid`: jobs are verbs, housekeeping is noun and verb.

The first screen needs nothing but this file, so that it comes at once; the tree of commands and the library are loaded
when a command runs. Here is also the last door: what leaves a command becomes an exit status.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from . import talk
from .state import STATE
from .words import FIRST_SCREEN, wanted


def run(argv: Sequence[str]) -> int:
    """Run one command line and give its exit status (docs/reference/cli.md)."""
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
    except BrokenPipeError:
        # Whoever read us has gone; that is no fault, and no yes either. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return talk.UNHEARD
    except Exception as error:
        return _said(error, argv)


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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    status = run(sys.argv[1:] if argv is None else argv)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    leave(status)


if __name__ == "__main__":
    main()
