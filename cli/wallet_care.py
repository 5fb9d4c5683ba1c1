"""`cityid wallet passphrase`, `code`, `backup` and `restore`: what keeps a wallet safe, and brings it back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import talk
from .options import Device, Force, Json, PassphraseFd, named, plain
from .state import STATE

CodeFd = Annotated[
    int | None,
    typer.Option("--code-fd", metavar="N", help="Read the recovery code from file descriptor N instead of asking."),
]


def register(group: typer.Typer) -> None:
    group.command("passphrase")(passphrase)
    group.command("code")(code)
    group.command("backup")(backup)
    group.command("restore")(restore)


def passphrase(
    keyring: Annotated[
        bool | None,
        typer.Option(
            "--keyring/--no-keyring",
            help="Do not change it: let the system's keyring open this wallet from now on, or end that.",
        ),
    ] = None,
    new_fd: Annotated[
        int | None, typer.Option("--new-fd", metavar="N", help="Read the new passphrase from file descriptor N.")
    ] = None,
    passphrase_fd: PassphraseFd = None,
    json_: Json = False,
) -> None:
    """Change the wallet's passphrase; only the key's wrapping is written anew. Copies of the file that were made before
    still open with the old one.
    """
    from cityid.edge import os_keyring

    from . import home, purse

    here = home.find(STATE.home, "wallet")
    path = here.path("wallet.sqlite")
    # Whoever sits at an open screen has the keyring, but not the passphrase.
    wallet = purse.opened(here, passphrase_fd, typed=True)
    if keyring:
        secret = os_keyring.keep(purse.kept_as(path))
        wallet.keep_for(secret)
        home.set_member(here, "unlock", "keyring")
        talk.say("The keyring of this system opens the wallet from now on; the passphrase does too.")
    elif keyring is False:
        wallet.keep_for(None)
        os_keyring.forget(purse.kept_as(path))
        home.set_member(here, "unlock", None)
        talk.say("Only the passphrase opens the wallet from now on.")
    else:
        new = talk.secret("New passphrase", new_fd, again=True)
        wallet.change_passphrase(new)
        if here.config.get("unlock") == "keyring":
            home.set_member(here, "unlock", None)
            talk.say("The keyring of this system does not open it any more; --keyring lets it again.")
        talk.say("The passphrase is changed. Older copies of the file, and backups, keep theirs.")
    if json_:
        talk.give({"keyring": bool(keyring), "changed": keyring is None})


def code(json_: Json = False) -> None:
    """Make a recovery code, to be written on paper: 32 characters that open a backup. Nothing remembers it.

    For scripts and print shops; `wallet backup` at a terminal makes one by itself.
    """
    from cityid.edge import recovery_code

    made = recovery_code.new()
    if json_:
        talk.give({"code": made})
    else:
        talk.out(made)


def backup(
    output: Annotated[Path, typer.Argument(metavar="FILE", callback=named, help="The encrypted file to write.")],
    code_fd: CodeFd = None,
    passphrase_fd: PassphraseFd = None,
    force: Force = False,
    json_: Json = False,
) -> None:
    """Write the whole wallet into one encrypted file (age format), opened by a recovery code alone.

    At a terminal a fresh code is shown, to be written on paper, and asked back. With --code-fd it is one you have.
    """
    from cityid.edge import clock, files, recovery_code, wallet_backup
    from cityid.errors import Refused

    from . import home, purse

    here = home.find(STATE.home, "wallet")
    files.check_free(output, force=force)
    known = None if code_fd is None else recovery_code.read(talk.secret("Recovery code", code_fd))
    wallet = purse.opened(here, passphrase_fd)
    if known is None:
        known = recovery_code.new()
        talk.on_terminal_only("--code-fd")
        talk.say(f"Write this recovery code on paper, and keep it apart from the file:\n\n    {known}\n")
        if recovery_code.read(talk.secret("The code, from the paper", None)) != known:
            raise Refused("recovery.other")
    files.write(output, wallet_backup.write(wallet, known, clock.now()), force=force, private=True)
    elsewhere = len(wallet.bound_elsewhere())
    talk.say(f"Written to {talk.clean(output)}. Only the recovery code opens it.")
    if elsewhere:
        talk.say(f"note: the keys of {elsewhere} cards lie in a token and are not in the backup")
    if json_:
        talk.give({"file": str(output), "cards": len(wallet.held()), "keys_in_token": elsewhere})


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="Where; --home or this folder by default.")
    ] = None,
    keys: Annotated[
        str,
        typer.Option("--keys", callback=plain, help="Where fresh keys are made: in the wallet, or pkcs11:token=LABEL."),
    ] = "",
    device: Device = "wallet",
    code_fd: CodeFd = None,
    passphrase_fd: PassphraseFd = None,
    json_: Json = False,
) -> None:
    """Make a new wallet out of a backup, under a passphrase of its own.

    What was shown since the backup is not known, so every copy counts as used: ask city hall for new ones. To city hall
    this is another device, so what is on a lost one can be revoked alone.
    """
    from cityid.edge import files, wallet_backup
    from cityid.edge.pkcs11 import read_uri

    from . import kinds
    from .home import Home
    from .init import _place, check_device, keep_wallet

    place = _place(folder)
    if keys:
        read_uri(keys)
    check_device(device)
    data = files.read(file, wallet_backup.SIZE)
    known = talk.secret("Recovery code", code_fd)
    chosen = talk.secret("Passphrase for the wallet", passphrase_fd, again=True)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    done = wallet_backup.restore(place / "wallet.sqlite", chosen, data, known, device=device)
    with done.wallet as wallet:
        keep_wallet(place, keys)
        cards = wallet.held()
        types, _ = kinds.known(Home(place, "wallet", {}))
        talk.say(f"Restored {len(cards)} cards, as of {done.made:%d %b %Y %H:%M} UTC, into {talk.clean(place)}.")
        talk.say("Their copies count as used: ask city hall for new ones, or show them with --again.")
        for card in done.rebind:
            name = talk.clean(kinds.label(types, card.type))
            talk.say(f"note: {name} is bound to keys in a token, which did not move: ask for it anew")
        if json_:
            talk.give({
                "home": str(place), "made": done.made, "cards": len(cards), "rebind": [card.id for card in done.rebind],
            })  # fmt: skip
