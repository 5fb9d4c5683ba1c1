"""`cityid did update, rotate, move, deactivate`: the next entry of the log of a city's did:webvh."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import talk
from .did_history import DidFd
from .options import Force, Json, PassphraseFd, Yes, one_line, plain
from .registers import By, ClerkFd

if TYPE_CHECKING:
    from .did_history import History, Pen

Proposal = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="FILE", help="Where there are witnesses: write what they are to sign here, too."
    ),
]


def _begin(passphrase_fd: int | None, by: str | None, clerk_fd: int | None, did_fd: int | None) -> tuple[History, Pen]:
    from cityid.clerks import Right
    from cityid.edge import clock

    from . import did_history, registers

    here, at = registers.home_of(), clock.now()
    history = did_history.read(here, at)
    register = registers.register_of(here)
    clerk = registers.acting(register, Right.ADMINISTER, by, clerk_fd)
    return history, did_history.pen(history.here, register, clerk, at, passphrase_fd, did_fd)


def _end(history: History, pen: Pen, log: bytes, output: Path | None, *, force: bool, json_: bool) -> None:
    from cityid.did.webvh.log import judged
    from cityid.edge import files

    from . import did_history, did_words

    if output is not None:
        files.check_free(output, force=force)
    new = judged(log).last
    said = did_words.changes(new, history.judged.last)
    done = did_history.settle(history.here, log, history.proofs, pen.at, output)
    if json_:
        talk.give({
            "did": new.did, "versionId": new.id, "changes": said, "published": done,
            "folder": str(history.folder),
        })  # fmt: skip
    else:
        talk.out(f"{new.id}  {'; '.join(said)}")


def update(
    key: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="LABEL", callback=plain, help="Add a key of the city's keyring to the document."),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="LABEL", callback=plain, help="Take a key out of the document."),
    ] = None,
    document: Annotated[
        Path | None, typer.Option("--document", metavar="FILE", help="A whole new document, with the DID as its id.")
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(
            "--witness", metavar="DID", callback=one_line, help="A did:key that must sign from now on; may be repeated."
        ),
    ] = None,
    threshold: Annotated[
        int | None, typer.Option("--threshold", metavar="N", min=1, help="How many witnesses suffice; all by default.")
    ] = None,
    no_witnesses: Annotated[bool, typer.Option("--no-witnesses", help="Nobody need sign from then on.")] = False,
    watcher: Annotated[
        list[str] | None,
        typer.Option("--watcher", metavar="URL", callback=one_line, help="Who watches the history; may be repeated."),
    ] = None,
    ttl: Annotated[
        int | None, typer.Option("--ttl", metavar="SECONDS", min=0, help="How long others may keep an answer.")
    ] = None,
    stay: Annotated[bool, typer.Option("--stay", help="Never move the DID any more.")] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Forget the change that waits for witnesses.")] = False,
    output: Proposal = None,
    force: Force = False,
    passphrase_fd: PassphraseFd = None,
    did_fd: DidFd = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    yes: Yes = False,
    json_: Json = False,
) -> None:
    """Change the document of the city's did:webvh, or who must witness its changes."""
    from cityid.did import webvh
    from cityid.did.webvh import Witnesses
    from cityid.edge import files
    from cityid.encoding import json
    from cityid.errors import Misuse

    from . import did_history, keys, papers

    history, pen = _begin(passphrase_fd, by, clerk_fd, did_fd)
    if withdraw:
        _withdraw(history, yes=yes, json_=json_)
        return
    more: dict[str, Any] = {}
    state = dict(history.judged.last.state)
    if document is not None:
        data = files.read(document)
        with papers.expected(data, "document"):
            state = json.read_object(data)
    if key or without:
        ring = keys.opened(history.here, passphrase_fd)
        state = webvh.with_keys(state, {label: ring.find(label).key for label in key or ()}, without or ())
    if state != dict(history.judged.last.state):
        more["state"] = state
    if witness:
        names = tuple(_witness(one) for one in witness)
        more["witnesses"] = Witnesses(threshold or len(names), names)
    elif threshold is not None:
        raise Misuse("did.threshold_alone")
    elif no_witnesses:
        more["no_witnesses"] = True
    if watcher is not None:
        more["watchers"] = watcher
    if ttl is not None:
        more["ttl"] = ttl
    if stay:
        more["portable"] = False
    if not more:
        raise Misuse("did.nothing")
    _end(history, pen, did_history.change(history, pen, **more), output, force=force, json_=json_)


def _witness(did: str) -> str:
    from cityid.did import parse
    from cityid.errors import Misuse

    parsed = parse(did)
    if parsed.method != "key":
        raise Misuse("did.witness_key", found=did)
    return parsed.id


def _withdraw(history: History, *, yes: bool, json_: bool) -> None:
    from cityid.errors import Misuse

    file = history.folder / "proposed.jsonl"
    if not file.exists():
        raise Misuse("did.nothing_waits")
    if not yes:
        talk.agree("Forget it? A witness that has signed it will sign nothing else in its place.", flag="--yes")
    file.unlink()
    talk.say("Forgotten. The history is as it was.")
    if json_:
        talk.give({"did": history.did, "versionId": history.judged.last.id, "withdrawn": True})


def rotate(
    pre_rotation: Annotated[
        bool | None,
        typer.Option(
            "--pre-rotation/--no-pre-rotation",
            help="Fix the keys after the next ones beforehand, or stop doing so; by default as it is.",
        ),
    ] = None,
    output: Proposal = None,
    force: Force = False,
    passphrase_fd: PassphraseFd = None,
    did_fd: DidFd = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    json_: Json = False,
) -> None:
    """Change the key that writes the history of the city's did:webvh. (The key that signs cards: cityid key rotate.)"""
    from . import did_history

    history, pen = _begin(passphrase_fd, by, clerk_fd, did_fd)
    log = history.judged
    more: dict[str, Any] = {}
    taken: tuple[Any, ...] = ()
    if log.last.parameters.next_key_hashes:
        taken = (pen.writer(log),)
        if pre_rotation is False:
            more["next_keys"] = ()
    else:
        taken = (pen.spare(log),)
        more["update_keys"] = (taken[0].key,)
        if pre_rotation:
            more["next_keys"] = (pen.spare(log, taken).key,)
    _end(history, pen, did_history.change(history, pen, **more), output, force=force, json_=json_)


def move(
    place: Annotated[
        str, typer.Argument(metavar="HOST", callback=one_line, help="Where it will lie: host, optional port and path.")
    ],
    output: Proposal = None,
    force: Force = False,
    passphrase_fd: PassphraseFd = None,
    did_fd: DidFd = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    yes: Yes = False,
    json_: Json = False,
) -> None:
    """Move the city's did:webvh to another host. Its history goes along, and old cards go on verifying for whoever
    trusts the DID under its new name; go on serving the history at the old place as well."""
    from . import did_history

    history, pen = _begin(passphrase_fd, by, clerk_fd, did_fd)
    if not yes:
        talk.say(f"New cards will be issued under another name than {talk.clean(history.did)}.")
        talk.agree("Services must be told of it before. Move?", flag="--yes")
    _end(history, pen, did_history.change(history, pen, place=place), output, force=force, json_=json_)


def deactivate(
    output: Proposal = None,
    force: Force = False,
    passphrase_fd: PassphraseFd = None,
    did_fd: DidFd = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    yes: Yes = False,
    json_: Json = False,
) -> None:
    """Close the city's did:webvh for good. Nothing that was ever signed with it is believed any more: this is for
    stolen keys. A city that moves or merges moves its DID."""

    from . import did_history

    history, pen = _begin(passphrase_fd, by, clerk_fd, did_fd)
    if not yes:
        talk.say(f"All cards ever issued under {talk.clean(history.did)} will be refused everywhere.")
        talk.agree("This cannot be undone. Close it?", flag="--yes")
    more: dict[str, Any] = {"deactivated": True}
    if history.judged.last.parameters.next_key_hashes:
        more["next_keys"] = ()
    _end(history, pen, did_history.change(history, pen, **more), output, force=force, json_=json_)


def create(
    place: str,
    label: list[str],
    witness: list[str] | None,
    threshold: int | None,
    passphrase_fd: int | None,
    did_fd: int | None,
    by: str | None,
    clerk_fd: int | None,
    output: Path | None,
    *,
    pre_rotation: bool,
    portable: bool,
    yes: bool,
    json_: bool,
) -> None:
    """`cityid did create webvh`: for a city that has another DID so far, and issues under the new one from then on."""
    from cityid.clerks import Right
    from cityid.did.webvh import Witnesses
    from cityid.edge import clock
    from cityid.errors import Misuse

    from . import did_history, keys, registers

    here, at = registers.home_of(), clock.now()
    if here.path("did", "did.jsonl").exists() or here.path("did", "proposed.jsonl").exists():
        raise Misuse("did.has_history", folder=str(here.path("did")))
    register = registers.register_of(here)
    clerk = registers.acting(register, Right.ADMINISTER, by, clerk_fd)
    if not yes:
        talk.say(f"From then on cards are issued under it, and not under {talk.clean(here.config.get('did', ''))}.")
        talk.agree("Services must be told of it before. Make it?", flag="--yes")
    ring = keys.opened(here, passphrase_fd)
    found = {name: ring.find(name).key for name in label}
    pen = did_history.pen(here, register, clerk, at, passphrase_fd, did_fd)
    names = tuple(_witness(one) for one in witness or ())
    witnesses = Witnesses(threshold or len(names), names) if names else None
    made = new(pen, place, found, pre_rotation=pre_rotation, portable=portable, witnesses=witnesses)
    done = did_history.settle(here, made.log, b"", at, output)
    if json_:
        talk.give({"did": made.did, "published": done, "folder": str(here.path("did"))})
    else:
        talk.out(made.did)


def new(pen: Pen, place: str, found: dict[str, Any], *, pre_rotation: bool, portable: bool, witnesses: Any) -> Any:
    """The first entry: `webvh.Created`.

    Raises:
        Malformed: `did.web_*`.
    """
    from cityid.did import webvh
    from cityid.edge.software_keys import Use

    state = webvh.document(webvh.template(place), found)
    first = pen.spare(None)
    next_keys = (pen.spare(None, (first,)).key,) if pre_rotation else ()
    signer = pen.ring.signer_for(first.key, Use.DID_UPDATE, pen.at)
    return webvh.create(state, signer, pen.at, next_keys=next_keys, portable=portable, witnesses=witnesses)
