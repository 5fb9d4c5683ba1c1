"""Clerks who sign in with a key of their own: where it lies, and how it is shown to be there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import talk
from .options import Force, Json, named, plain
from .registers import ClerkFd
from .state import STATE

if TYPE_CHECKING:
    from cityid.edge.database import StoredRegister
    from cityid.keys import PublicKey

    from .keys import CityKeyring

WHERE = "CITYID_CLERK_KEYS"


def place() -> str:
    """Where the clerk's keys are: `--clerk-keys`, or the environment.

    Raises:
        Misuse: `clerk.no_keys`.
    """
    from cityid.errors import Misuse

    found = STATE.clerk_keys or os.environ.get(WHERE, "")
    if not found:
        raise Misuse("clerk.no_keys")
    return found


def opened(fd: int | None, *, new: bool = False) -> CityKeyring:
    """The clerk's keyring, opened with their passphrase or PIN until the command ends; a file that is not there is made
    where it may be `new`.

    Raises:
        Misuse: `clerk.no_keys`, `keys.*`, `talk.*`. Refused, Unavailable: `passphrase.wrong`, `keys.*`, `store.*`.
    """
    from cityid.edge.software_keys import FileKeyring

    from . import keys

    uri = place()
    if uri.startswith(keys.TOKEN):
        return keys.token(uri, fd)
    file = keys.file_of(Path(), uri)
    if new and not file.exists():
        return FileKeyring.new(file, talk.secret(f"New passphrase for {talk.clean(uri)}", fd, again=True))
    return FileKeyring.open(file, talk.secret(f"Passphrase for {talk.clean(uri)}", fd))


def prove(register: StoredRegister, clerk: str, key: PublicKey, fd: int | None) -> None:
    """The clerk who is here has this key: it signs a fresh challenge.

    Raises:
        Refused: `clerk.key_not_here`, `clerk.other_key`, `clerk.too_late`, `key.*`, and as `opened`.
        Misuse, Unavailable: as `opened`.
    """
    from cityid.edge import clock, sign_in
    from cityid.edge.software_keys import Use
    from cityid.errors import Refused
    from cityid.register.sequencer import identity

    ring = opened(fd)
    if key not in set(ring.keys()):
        raise Refused("clerk.key_not_here", clerk=clerk, thumbprint=key.thumbprint)
    signer = ring.signer_for(key, Use.CLERK, clock.now())
    sign_in.check_key(key, signer, identity(register), clerk, clock.now)


def key(
    name: Annotated[str, typer.Argument(metavar="NAME", callback=plain, help="The clerk.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", callback=named, help="Where the public half goes.")
    ],
    algorithm: Annotated[str, typer.Option("--algorithm", help="ES256, ES384, EdDSA, ...")] = "ES256",
    clerk_fd: ClerkFd = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Make a key to sign in with, in a file or a token of the clerk's own (--clerk-keys), and write its public half for
    `cityid clerk add --key`. Where there is one already, that is written."""
    from cityid.clerks import check_name
    from cityid.edge import clock, files
    from cityid.edge.software_keys import Use
    from cityid.encoding import json
    from cityid.keys import jwk

    from . import keys

    check_name(name)
    kind = keys.algorithm_named(algorithm)
    files.check_free(output, force=force)
    ring = opened(clerk_fd, new=True)
    known = [record.key for record in ring.records() if record.label == name and Use.CLERK in record.uses]
    made = known[0] if known else ring.create(kind, label=name, uses=(Use.CLERK,), created=clock.now())
    files.write(output, json.write(jwk.write(made)) + b"\n", force=force)
    talk.say(f"Written to {talk.clean(output)}. Give it to whoever adds clerks, and tell them {made.thumbprint}.")
    if json_:
        talk.give({"name": name, "thumbprint": made.thumbprint, "jwk": jwk.write(made), "file": str(output)})
