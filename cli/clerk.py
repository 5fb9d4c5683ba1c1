"""`cityid clerk`: who may do what at city hall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import talk
from .options import Json, PassphraseFd, Yes, plain
from .registers import By, ClerkFd

if TYPE_CHECKING:
    from cityid.clerks import Clerk

Name = Annotated[str, typer.Argument(metavar="NAME", callback=plain, help="The clerk.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Who may do what at city hall.", no_args_is_help=True, rich_markup_mode=None)
    group.command("add")(add)
    group.command("list")(list_)
    group.command("remove")(remove)
    app.add_typer(group, name="clerk")


def add(
    name: Name,
    may: Annotated[
        list[str] | None,
        typer.Option("--may", metavar="RIGHT", help="issue, approve, revoke, read, publish or administer; repeatable."),
    ] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", metavar="TYPE", help="Only this type; repeatable. Without it, all.")
    ] = None,
    department: Annotated[
        str, typer.Option("--department", metavar="NAME", callback=plain, help="Only this department's records.")
    ] = "",
    passphrase_fd: PassphraseFd = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    json_: Json = False,
) -> None:
    """Add a clerk, or give one other rights and a new passphrase. The first one may administer; from then on every
    clerk signs in with their own passphrase."""
    from cityid.clerks import Clerk, Right, check_name
    from cityid.edge import clock, sealed
    from cityid.errors import Misuse

    from . import kinds, registers

    here = registers.home_of()
    opened = registers.register_of(here)
    check_name(name)
    wrong = sorted(set(may or ()) - {right.value for right in Right})
    if wrong or not may:
        raise Misuse("clerk.right", right=", ".join(wrong) or "none", known=", ".join(Right))
    for type_ in types or ():
        kinds.one(here, type_)
    at = clock.now()
    clerk = Clerk(name, frozenset(map(Right, may)), frozenset(types or ()), department, at)
    # The first clerk brings themselves in, so that nobody locks the home up without a key to it.
    first = not opened.clerks()
    if first and Right.ADMINISTER not in clerk.rights:
        raise Misuse("clerk.first_administers")
    who = clerk if first else registers.acting(opened, Right.ADMINISTER, by, clerk_fd)
    passphrase = talk.secret(f"New passphrase of clerk {talk.clean(name)}", passphrase_fd, again=True)
    header, _ = sealed.create("clerk", passphrase)
    with opened.batch(who.name, registers.key(), at) as batch:
        batch.clerk(clerk, header.write().decode("ascii"))
    talk.say(f"{talk.clean(name)} may {', '.join(sorted(clerk.rights))}.")
    if json_:
        talk.give(_as_json(clerk))


def list_(json_: Json = False) -> None:
    """List the clerks of this home."""
    from . import registers

    found = [clerk for clerk, _ in registers.register_of(registers.home_of()).clerks().values()]
    if json_:
        talk.give([_as_json(clerk) for clerk in found])
        return
    for line in talk.columns([
        (
            talk.clean(clerk.name),
            ", ".join(sorted(clerk.rights)) if clerk.until is None else f"until {clerk.until:%d %b %Y}",
            talk.clean(", ".join(sorted(clerk.types)) or "all types"),
            talk.clean(clerk.department or "all departments"),
        )
        for clerk in found
    ]):  # fmt: skip
        talk.out(line)
    if not found:
        talk.say(
            "No clerks: whoever can open this home may do everything.\nhint: cityid clerk add NAME --may administer"
        )


def remove(
    name: Name,
    by: By = None,
    clerk_fd: ClerkFd = None,
    yes: Yes = False,
    json_: Json = False,
) -> None:
    """End a clerk's time. What they did stays under their name."""
    from dataclasses import replace

    from cityid.clerks import Right
    from cityid.edge import clock
    from cityid.errors import Misuse, Refused

    from . import registers

    opened = registers.register_of(registers.home_of())
    who = registers.acting(opened, Right.ADMINISTER, by, clerk_fd)
    known = opened.clerks()
    if name not in known:
        raise Refused("clerk.unknown", clerk=name)
    at = clock.now()
    gone = replace(known[name][0], until=at)
    others = [one for one, _ in known.values() if one.name != name and Right.ADMINISTER in one.rights and not one.until]
    if not others:
        raise Misuse("clerk.last_administrator", clerk=name)
    if not yes:
        talk.agree(f"End the time of {talk.clean(name)} as a clerk?", flag="--yes")
    with opened.batch(who.name, registers.key(), at) as batch:
        batch.clerk(gone)
    talk.say(f"{talk.clean(name)} is no clerk any more.")
    if json_:
        talk.give(_as_json(gone))


def _as_json(clerk: Clerk) -> dict[str, Any]:
    return {
        "name": clerk.name, "may": sorted(right.value for right in clerk.rights), "types": sorted(clerk.types),
        "department": clerk.department, "since": clerk.since.isoformat() if clerk.since else None,
        "until": clerk.until.isoformat() if clerk.until else None,
    }  # fmt: skip
