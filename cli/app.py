"""The command line as a tree of commands. Only the file of the wanted verb is loaded, and nothing of the library."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.main import get_command

from . import talk
from .state import STATE
from .words import EXAMPLES, VERBS, wanted


def _new() -> typer.Typer:
    app = typer.Typer(
        name="cityid",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_before)
    return app


def _before(
    home: Annotated[Path | None, typer.Option("--home", metavar="FOLDER", help="The home to work in.")] = None,
    clerk_keys: Annotated[
        str, typer.Option("--clerk-keys", metavar="URI", help="Where a clerk's own key is: file:NAME, or pkcs11:...")
    ] = "",
    debug: Annotated[bool, typer.Option("--debug", help="Say more about a fault of ours.")] = False,
) -> None:
    STATE.home = home
    STATE.clerk_keys = clerk_keys
    STATE.debug = debug
    from cityid.edge import no_dumps

    no_dumps.forbid()


def run(argv: Sequence[str]) -> int:
    """Run one command line that has a verb; its exit status. Exceptions of the library pass through."""
    verb = wanted(argv)
    usage_error: type[Any] = typer.BadParameter.__mro__[1]
    try:
        with STATE.opened:
            status = _tree(verb if verb in VERBS else None)(list(argv), prog_name="cityid", standalone_mode=False)
        if status == talk.INTERRUPTED:  # Typer makes an exit status of Ctrl-C
            raise KeyboardInterrupt
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except SystemExit:  # so ends Typer, with status 1, when whoever read its help has gone
        raise talk.Unheard("EPIPE") from None
    except OSError as error:
        if error.filename is None and not {"-h", "--help"}.isdisjoint(argv):  # Typer writes its help itself
            raise talk.unheard(error) from None
        raise
    except usage_error as error:
        return _usage(error, verb, json_="--json" in argv)
    return status if isinstance(status, int) else talk.DONE


@cache
def _tree(verb: str | None) -> Any:
    """The command of one verb, or of all. Building it takes longer than most commands."""
    app = _new()
    for name in (verb,) if verb else VERBS:
        import_module(f".{name}", __package__).register(app)
    _give_examples(app)
    return get_command(app)


def _usage(error: Any, verb: str | None, *, json_: bool) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        talk.say(error.ctx.get_help())
        return talk.WRONG
    text = " ".join(error.format_message().split()).rstrip(".?")
    text, _, meant = text.partition(". Did you mean ")
    text = text[:1].lower() + text[1:]
    if json_:
        talk.give({"error": {"code": "talk.usage", "facts": {"text": talk.clean(text)}}})
    help_ = f"see `cityid {verb} --help`" if verb in VERBS else "see `cityid`"
    talk.error(text, hint=f"did you mean {meant}? {help_}" if meant else help_)
    return talk.WRONG


def _give_examples(app: typer.Typer) -> None:
    for command in app.registered_commands:
        command.epilog = _example(str(command.name))
    for group in app.registered_groups:
        for command in group.typer_instance.registered_commands if group.typer_instance else ():
            command.epilog = _example(f"{group.name} {command.name}")


def _example(name: str) -> str | None:
    # \b: the lines stand as they are
    return f"\b\nFor example:\n  cityid {EXAMPLES[name]}" if name in EXAMPLES else None
