"""The command `cityid`: jobs are verbs, housekeeping is noun and verb. Nothing here imports the library until a command
runs, so that the first screen comes at once."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from . import talk
from .state import STATE

FIRST_SCREEN = """\
Digital identity for a city.

City hall      issue      prepare a credential for a resident, then sign it for the wallet's keys

Resident       accept     take an offered credential into the wallet
               present    show a service what it asks for, and no more
               wallet     list, show                       what you hold

Service        request    ask for a presentation
               verify     judge an answer, and say why
               policy     new, show, check                 what to ask and what to accept
               trust      list, add, remove                whose word counts

Everyone       inspect    read any credential, request or key, believing nothing
               init       make a home: city, wallet or service
               key        create, list, show, certify
               did        create, resolve
               type       new, check, show, template
               demo       a city, three residents and three services, in a folder

First steps: cityid init wallet, then cityid accept OFFER
Each command explains itself: cityid verify --help"""

app = typer.Typer(
    name="cityid",
    no_args_is_help=False,
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

# Verb or noun -> the file that has it, and whether it is a group. A file's `register(app)` adds its commands.
_FILES = (
    "issue", "accept", "present", "wallet", "request", "verify", "policy", "trust", "inspect", "init", "key", "did",
    "type", "demo",
)  # fmt: skip


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        talk.out(f"cityid {version('cityid')}")
        raise typer.Exit


def _help(value: bool) -> None:
    if value:
        talk.out(FIRST_SCREEN)
        raise typer.Exit


@app.callback()
def _before(
    context: typer.Context,
    home: Annotated[Path | None, typer.Option("--home", metavar="FOLDER", help="The home to work in.")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Say more about a fault of ours.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    STATE.home = home
    STATE.debug = debug
    if context.invoked_subcommand is None:
        talk.out(FIRST_SCREEN)


def _wanted(argv: Sequence[str]) -> str | None:
    """The verb in a command line, if it is one of ours: only its file is loaded."""
    skip = False
    for word in argv:
        if skip:
            skip = False
        elif word == "--home":
            skip = True
        elif not word.startswith("-"):
            return word
    return None


def _load(verb: str | None) -> None:
    for name in (verb,) if verb in _FILES else _FILES if verb is not None else ():
        import_module(f".{name}", __package__).register(app)


def run(argv: Sequence[str]) -> int:
    """Run one command line and give its exit status (docs/reference/cli.md)."""
    verb = _wanted(argv)
    if verb is None and any(word in ("-h", "--help") for word in argv):
        talk.out(FIRST_SCREEN)
        return talk.DONE
    _load(verb)
    usage_error: type[Any] = typer.BadParameter.__mro__[1]
    try:
        app(list(argv), standalone_mode=False)
    except talk.Stop as stop:
        return stop.status
    except talk.PersonSaidNo:
        talk.say("Nothing was done.")
        return talk.PERSON_SAID_NO
    except (KeyboardInterrupt, typer.Abort):
        talk.say("")
        return talk.INTERRUPTED
    except typer.Exit as end:
        return end.exit_code
    except usage_error as error:
        talk.error(_sentence(error.format_message()), hint=_usage_hint(argv))
        return talk.WRONG
    except BrokenPipeError:
        # Whoever read us has gone; that is no fault. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return talk.DONE
    except Exception as error:  # noqa: BLE001  # the last door: a fault of ours must not become a traceback
        return _said(error)
    return talk.DONE


def _sentence(text: str) -> str:
    text = text.strip().rstrip(".")
    return text[:1].lower() + text[1:]


def _usage_hint(argv: Sequence[str]) -> str:
    verb = _wanted(argv)
    return f"see `cityid {verb} --help`" if verb in _FILES else "see `cityid`"


def _said(error: Exception) -> int:
    from cityid.errors import CityIdError, Malformed, Misuse, Refused, Unavailable

    statuses: dict[type[CityIdError], int] = {
        Malformed: talk.NO, Refused: talk.NO, Misuse: talk.WRONG, Unavailable: talk.NO_ANSWER,
    }  # fmt: skip
    if isinstance(error, CityIdError):
        if "--json" in sys.argv:
            talk.give({"error": talk.as_json(error.problem)})
        talk.problem(error.problem)
        return statuses[type(error)]
    try:
        talk.fault(error, debug=STATE.debug)
    except talk.Stop as stop:
        return stop.status


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
