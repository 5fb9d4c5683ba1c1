"""`cityid type`: what can be issued; a city adds a type by writing a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from . import talk
from .options import Force, Json, Out
from .state import STATE


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="What can be issued.", no_args_is_help=True, rich_markup_mode=None)
    group.command("new")(new)
    group.command("check")(check)
    group.command("show")(show)
    group.command("template")(template)
    app.add_typer(group, name="type")


def new(
    name: Annotated[str, typer.Argument(metavar="ID", help="What it is called, such as library-card.")],
    title: Annotated[str, typer.Option("--title", help="What people read.")] = "",
    output: Out = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Write a definition to start from: into the home's types/ folder, or to -o FILE."""
    from cityid import credential_type
    from cityid.edge import files

    from . import home

    text = credential_type.new(name, title or name)
    if output is None:
        output = home.find(STATE.home).path("types", f"{name}.json")
        output.parent.mkdir(exist_ok=True)
    files.write(output, text, force=force)
    talk.say(f"Written to {talk.clean(output)}. Next: cityid type check {talk.clean(output)}")
    if json_:
        talk.give({"type": name, "file": str(output)})


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The definition.")],
    json_: Json = False,
) -> None:
    """Check a definition and tell all that is wrong with it."""
    from cityid import credential_type
    from cityid.edge import files
    from cityid.edge.messages import explain
    from cityid.errors import Misuse

    from . import papers

    data = files.read_home_file(file)
    problems = credential_type.check(data)
    if problems and (problem := papers.misplaced(data, "type")) is not None:
        raise Misuse(problem)
    if json_:
        talk.give({"ok": not problems, "problems": [talk.as_json(problem) for problem in problems]})
    for problem in problems:
        told = explain(problem)
        talk.error(told.text, told.rule, told.hint)
    if problems:
        raise talk.Stop(talk.WRONG)
    if not json_:
        talk.out(f"{talk.clean(file)} is in order.")


def show(
    name: Annotated[str | None, typer.Argument(metavar="TYPE", help="Which; without it all are listed.")] = None,
    form: Annotated[
        Literal["text", "metadata", "definition"], typer.Option("--as", help="For people, for wallets, or as written.")
    ] = "text",
    locale: Annotated[str, typer.Option("--locale", help="Language of titles and labels.")] = "en",
    json_: Json = False,
) -> None:
    """Show a type: its claims, which can be hidden, which are computed; or its SD-JWT VC type metadata."""
    from cityid.credential_type import text_in
    from cityid.encoding import json, paths
    from cityid.formats import type_metadata

    from . import home, kinds

    here = home.maybe(STATE.home)
    types, sources = kinds.known(here)
    if name is None:
        if json_:
            talk.give({key: dict(kind.title) for key, kind in types.items()})
            return
        for line in talk.columns([(key, talk.clean(text_in(kind.title, locale))) for key, kind in types.items()]):
            talk.out(line)
        return
    kind = kinds.one(here, name)
    if form == "metadata":
        talk.out(type_metadata.generate(kind).decode("utf-8"))
        return
    if json_:
        talk.give(json.read(sources[name]))
        return
    if form == "definition":
        talk.out(sources[name].decode("utf-8").rstrip("\n"))
        return
    talk.out(f"{talk.clean(text_in(kind.title, locale))} ({name})")
    days, copies = kind.lifetime.days, kind.copies
    talk.out(f"lives {days} {'day' if days == 1 else 'days'}, {copies} copies in a batch, status {kind.status}")
    for format_, names in kind.names.items():
        wire = names.get("vct") or names.get("doctype") or " ".join(names.get("type", ()))
        talk.out(f"{format_}: {talk.clean(wire)}")
    rows = [
        (f"  {talk.clean(paths.write(path))}", talk.clean(text_in(rule.labels, locale)),
         "can be hidden" if rule.hideable else "always shown",
         "computed" if rule.derived else "must be there" if rule.required else "")
        for path, rule in kind.claims.items()
    ]  # fmt: skip
    for line in talk.columns(rows):
        talk.out(line)


def template(
    name: Annotated[str, typer.Argument(metavar="TYPE", help="Which type.")],
    form: Annotated[Literal["csv", "json"], typer.Option("--as", help="A table of many, or one person.")] = "csv",
    output: Out = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Write an empty table (or object) with the columns that a clerk fills in."""
    from cityid import credential_type
    from cityid.edge import files

    from . import home, kinds

    text = credential_type.template(kinds.one(home.maybe(STATE.home), name), form)
    if output is not None:
        files.write(output, text, force=force)
        talk.say(f"Written to {talk.clean(output)}.")
    if json_:
        talk.give({"type": name, "template": text.decode("utf-8"), "file": str(output) if output else None})
    elif output is None:
        talk.out(text.decode("utf-8").rstrip("\n"))
