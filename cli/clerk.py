"""`cityid clerk`: who may do what at city hall."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import talk
from .clerk_keys import key as make_key
from .options import Json, PassphraseFd, Yes, plain
from .registers import By, ClerkFd

if TYPE_CHECKING:
    from cityid.clerks import Clerk
    from cityid.keys import PublicKey

Name = Annotated[str, typer.Argument(metavar="NAME", callback=plain, help="The clerk.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Who may do what at city hall.", no_args_is_help=True, rich_markup_mode=None)
    group.command("add")(add)
    group.command("list")(list_)
    group.command("remove")(remove)
    group.command("key")(make_key)
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
    own: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="The clerk signs in with this key, as `cityid clerk key` wrote it."),
    ] = None,
    passphrase_fd: PassphraseFd = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    json_: Json = False,
) -> None:
    """Add a clerk, or give one other rights and a new passphrase or key. The first one may administer; from then on
    every clerk signs in with their own passphrase or key."""
    from cityid.clerks import Clerk, Right, check_name
    from cityid.edge import clock, sign_in
    from cityid.errors import Misuse

    from . import clerk_keys, kinds, registers

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
    if own is not None and passphrase_fd is not None:
        raise Misuse("clerk.one_way_in")
    key = None if own is None else _read(own)
    for other, (_, theirs) in opened.clerks().items():
        if key is not None and other != name and sign_in.key_of(theirs) == key:
            raise Misuse("clerk.key_taken", clerk=other)
    if first and key is not None:
        clerk_keys.prove(opened, name, key, clerk_fd)
    who = clerk if first else registers.acting(opened, Right.ADMINISTER, by, clerk_fd)
    if key is not None:
        kept = sign_in.of_key(key)
    else:
        prompt = f"New passphrase of clerk {talk.clean(name)}"
        kept = sign_in.of_passphrase(talk.secret(prompt, passphrase_fd, again=True))
    with opened.batch(who.name, registers.key(), at) as batch:
        batch.clerk(clerk, kept)
    talk.say(f"{talk.clean(name)} may {', '.join(sorted(clerk.rights))}.")
    if json_:
        talk.give(_as_json(clerk, key))


def _read(file: Path) -> PublicKey:
    """Raises Malformed `json.*`, `key.*`, `base64url.*`; Misuse `file.*`."""
    from cityid.edge import files
    from cityid.encoding import json
    from cityid.keys import jwk

    from . import papers

    data = files.read(file)
    with papers.expected(data, "key"):
        return jwk.read(json.read_object(data))


def list_(json_: Json = False) -> None:
    """List the clerks of this home."""
    from cityid.edge import sign_in

    from . import registers

    known = registers.register_of(registers.home_of()).clerks().values()
    found = [(clerk, sign_in.key_of(kept)) for clerk, kept in known]
    if json_:
        talk.give([_as_json(clerk, key) for clerk, key in found])
        return
    for line in talk.columns([
        (
            talk.clean(clerk.name),
            ", ".join(sorted(clerk.rights)) if clerk.until is None else f"until {clerk.until:%d %b %Y}",
            talk.clean(", ".join(sorted(clerk.types)) or "all types"),
            talk.clean(clerk.department or "all departments"),
            "passphrase" if key is None else f"key {key.thumbprint}",
        )
        for clerk, key in found
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
    from cityid.edge import clock, sign_in
    from cityid.errors import Misuse, Refused

    from . import registers

    opened = registers.register_of(registers.home_of())
    who = registers.acting(opened, Right.ADMINISTER, by, clerk_fd)
    known = opened.clerks()
    if name not in known:
        raise Refused("clerk.unknown", clerk=name)
    at = clock.now()
    one, kept = known[name]
    gone = replace(one, until=at)
    others = [
        other
        for other, _ in known.values()
        if other.name != name and Right.ADMINISTER in other.rights and not other.until
    ]
    if not others:
        raise Misuse("clerk.last_administrator", clerk=name)
    if not yes:
        talk.agree(f"End the time of {talk.clean(name)} as a clerk?", flag="--yes")
    with opened.batch(who.name, registers.key(), at) as batch:
        batch.clerk(gone)
    talk.say(f"{talk.clean(name)} is no clerk any more.")
    if json_:
        talk.give(_as_json(gone, sign_in.key_of(kept)))


def _as_json(clerk: Clerk, key: PublicKey | None) -> dict[str, Any]:
    return {
        "name": clerk.name, "may": sorted(right.value for right in clerk.rights), "types": sorted(clerk.types),
        "department": clerk.department, "since": clerk.since.isoformat() if clerk.since else None,
        "until": clerk.until.isoformat() if clerk.until else None, "key": key.thumbprint if key else None,
    }  # fmt: skip
