"""`cityid did`: identifiers, and the history of those that have one."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from . import talk
from .did_changes import deactivate, move, rotate, update
from .did_history import DidFd
from .did_log import log
from .did_resolve import resolve
from .did_witness import witness
from .options import Force, Json, Out, PassphraseFd, Yes, one_line
from .registers import By, ClerkFd
from .state import STATE


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Decentralised identifiers.", no_args_is_help=True, rich_markup_mode=None)
    group.command("create")(create)
    group.command("resolve")(resolve)
    group.command("log")(log)
    group.command("update")(update)
    group.command("rotate")(rotate)
    group.command("witness")(witness)
    group.command("move")(move)
    group.command("deactivate")(deactivate)
    app.add_typer(group, name="did")


def create(
    method: Annotated[
        Literal["key", "jwk", "web", "webvh"], typer.Argument(metavar="key|jwk|web|webvh", help="The DID method.")
    ],
    label: Annotated[list[str], typer.Option("--key", metavar="LABEL", help="A key of the city's keyring.")],
    host: Annotated[
        str, typer.Option("--host", help="For web and webvh: host, optional port and path, as in did:web.")
    ] = "",
    witnesses: Annotated[
        list[str] | None,
        typer.Option(
            "--witness", metavar="DID", callback=one_line, help="For webvh: a did:key that must sign; may be repeated."
        ),
    ] = None,
    threshold: Annotated[
        int | None, typer.Option("--threshold", metavar="N", min=1, help="How many witnesses suffice; all by default.")
    ] = None,
    pre_rotation: Annotated[
        bool, typer.Option("--pre-rotation/--no-pre-rotation", help="For webvh: fix the next keys beforehand.")
    ] = True,
    portable: Annotated[bool, typer.Option("--portable/--stay", help="For webvh: may it move to another host?")] = True,
    output: Out = None,
    force: Force = False,
    passphrase_fd: PassphraseFd = None,
    did_fd: DidFd = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    yes: Yes = False,
    json_: Json = False,
) -> None:
    """Make a DID of keys in the city's keyring; for web also its document, to be published; for webvh its history,
    and the city then issues under it."""
    from cityid.did import jwk, key, web
    from cityid.edge import files
    from cityid.encoding import json
    from cityid.errors import Misuse

    from . import did_changes, home, keys

    if method == "webvh":
        if output is not None:
            files.check_free(output, force=force)
        did_changes.create(
            host, label, witnesses, threshold, passphrase_fd, did_fd, by, clerk_fd, output,
            pre_rotation=pre_rotation, portable=portable, yes=yes, json_=json_,
        )  # fmt: skip
        return
    ring = keys.opened(home.find(STATE.home, "city"), passphrase_fd)
    found = {name: ring.find(name).key for name in label}
    if method != "web":
        if len(found) != 1:
            raise Misuse("did.one_key", method=method)
        (only,) = found.values()
        made = key.create(only) if method == "key" else jwk.create(only)
        if json_:
            talk.give({"did": made})
        else:
            talk.out(made)
        return
    did = f"did:web:{host}"
    whole = web.document(did, found)
    document = json.write(whole) + b"\n"
    if output is not None:
        files.write(output, document, force=force)
    if json_:
        talk.give({"did": did, "url": web.url(did), "document": whole})
    elif output is None:
        talk.out(document.decode("utf-8").rstrip("\n"))
    else:
        talk.out(did)
    talk.say(f"Publish it at {web.url(did)}.")
