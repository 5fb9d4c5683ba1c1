"""`cityid policy`: what to ask and what to accept, in a file that can be reviewed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import talk
from .options import Force, Json, Out, one_line, plain
from .state import STATE

if TYPE_CHECKING:
    from cityid.policy import Condition, Policy

_TEMPLATE = """\
# What this service asks, and what it accepts. Check it with: cityid policy check FILE
purpose = {purpose}

[ask]
type = {type}
claims = [{claims}]

[accept]
# "age_over_18" = true
# "address.locality" = ["Lindau", "Bregenz"]
# valid_until = {{ min = "today" }}
# "vehicle.registration_number" = {{ given = "plate" }}     # cityid verify ... --given plate=LI-AB-123

[freshness]
max_age = "15m"

[trust]
list = {trust}
"""


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="What to ask and what to accept.", no_args_is_help=True, rich_markup_mode=None)
    group.command("new")(new)
    group.command("show")(show)
    group.command("check")(check)
    app.add_typer(group, name="policy")


def new(
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="The credential type to ask for.")],
    claims: Annotated[list[str], typer.Option("--claim", metavar="CLAIM", help="A claim to ask for; may be repeated.")],
    purpose: Annotated[str, typer.Option("--purpose", callback=plain, help="What for; the resident reads it.")],
    trust: Annotated[
        str, typer.Option("--trust", metavar="FILE", callback=one_line, help="The trust list.")
    ] = "trust/issuers.toml",
    output: Out = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Write a policy to start from."""
    from cityid.edge import files
    from cityid.encoding import json, paths
    from cityid.errors import Misuse

    from . import home, kinds

    kind = kinds.one(home.maybe(STATE.home), type_)
    for claim in claims:
        path = paths.read(claim)
        if not any(rule[: len(path)] == path for rule in kind.claims):
            raise Misuse("policy.unknown_claim", claim=claim, type=kind.id)

    def quoted(text: str) -> str:
        return json.write(text).decode("utf-8")

    text = _TEMPLATE.format(
        purpose=quoted(purpose), type=quoted(type_), claims=", ".join(map(quoted, claims)), trust=quoted(trust)
    )
    if output is not None:
        files.write(output, text.encode("utf-8"), force=force)
        talk.say(f"Policy written to {talk.clean(output)}. Next: cityid policy check {talk.clean(output)}")
    if json_:
        talk.give({"policy": text, "file": str(output) if output else None})
    elif output is None:
        talk.out(text.rstrip("\n"))


def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy.")],
    json_: Json = False,
) -> None:
    """Show what a policy asks, accepts and trusts; with --json also its DCQL query."""
    judge = _load(file)
    query = judge.query.to_json()
    if json_:
        talk.give({
            "purpose": judge.purpose,
            "dcql_query": query,
            "conditions": {name: [_condition(one) for one in group] for name, group in judge.conditions.items()},
            "waive": sorted(step.value for step in judge.waive),
            "trust": [entry.subject for entry in judge.trust.entries],
        })  # fmt: skip
        return
    from cityid.credential import about
    from cityid.encoding import paths

    talk.out(f"purpose    {talk.clean(judge.purpose)}")
    for item in judge.query.credentials:
        talk.out(f"asks       {talk.clean(item.id)} ({talk.clean(item.format)})")
        for claim in item.claims:
            talk.out(f"  {talk.clean(paths.write(about(claim.path)))}")
    for choice in judge.query.sets:
        talk.out("needs      " + talk.clean(", or ".join(" and ".join(ids) for ids in choice.options)))
    several = len(judge.query.credentials) > 1
    for name, group in judge.conditions.items():
        for one in group:
            talk.out(f"accepts    {f'{talk.clean(name)}: ' if several else ''}{talk.clean(_condition(one))}")
    for step in sorted(judge.waive):
        talk.out(f"waives     {step.value}")
    for entry in judge.trust.entries:
        talk.out(f"trusts     {talk.named(entry.name, entry.subject)} for {talk.clean(', '.join(entry.types))}")


def _condition(condition: Condition) -> str:
    from cityid.credential import about
    from cityid.encoding import paths

    name = paths.write(about(condition.claim))
    if condition.given:
        return f"{name} is the given {condition.given}"
    if condition.one_of:
        return f"{name} is " + " or ".join(
            "true" if v is True else "false" if v is False else str(v) for v in condition.one_of
        )
    bounds = [f"from {condition.least}"] if condition.least is not None else []
    bounds += [f"to {condition.most}"] if condition.most is not None else []
    return f"{name} {' '.join(bounds)}"


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy.")],
    json_: Json = False,
) -> None:
    """Check a policy: that it can be read, asks what it judges, and does not ask for more than its purpose needs."""
    from cityid.edge.messages import explain
    from cityid.query import lint

    judge = _load(file)
    found = lint(judge.query)
    if json_:
        talk.give({"ok": not found, "problems": [talk.as_json(problem) for problem in found]})
    for problem in found:
        told = explain(problem)
        talk.error(told.text, told.rule, told.hint)
    if found:
        raise talk.Stop(talk.WRONG)
    if not json_:
        talk.out(f"{talk.clean(file)} is in order: it asks what it judges, and no more than it needs.")


def _load(file: Path) -> Policy:
    from cityid.edge import files

    from . import home, kinds, papers

    types, _ = kinds.known(home.maybe(STATE.home))
    with papers.expected(files.read_home_file(file), "policy"):
        return files.load_policy(file, types)
