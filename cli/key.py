"""`cityid key`: a city's own keys and certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import talk
from .key_certify import certify
from .key_retire import retire
from .key_rotate import rotate
from .options import Json, PassphraseFd, plain
from .registers import By, ClerkFd
from .state import STATE

if TYPE_CHECKING:
    from cityid.keys import PublicKey

Label = Annotated[str, typer.Argument(metavar="LABEL", callback=plain, help="What the key is called here.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="A city's keys and certificates.", no_args_is_help=True, rich_markup_mode=None)
    group.command("create")(create)
    group.command("list")(list_)
    group.command("show")(show)
    group.command("certify")(certify)
    group.command("rotate")(rotate)
    group.command("retire")(retire)
    app.add_typer(group, name="key")


def create(
    label: Label,
    algorithm: Annotated[
        str, typer.Option("--algorithm", help="ES256, ES384, ES512, EdDSA, ES256K, ML-DSA-44, ML-DSA-65, BBS.")
    ] = "ES256",
    use: Annotated[str, typer.Option("--use", help="issuer, status, root, service, log: one key, one use.")] = "issuer",
    passphrase_fd: PassphraseFd = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    json_: Json = False,
) -> None:
    """Make a key in the city's keyring. The private key never leaves it; the register knows of it."""
    from cityid.clerks import Right
    from cityid.edge import clock
    from cityid.edge.software_keys import Use
    from cityid.errors import Misuse
    from cityid.keys import Algorithm

    from . import key_rotate, keys, registers

    kind = keys.algorithm_named(algorithm, lists=True)
    # a clerk's own key is not the city's: cityid clerk key
    uses = [one.value for one in Use if one is not Use.CLERK]
    if use not in uses:
        raise Misuse("keys.use", use=use, known=", ".join(uses))
    here = registers.home_of()
    register = registers.register_of(here)
    clerk = registers.acting(register, Right.ADMINISTER, by, clerk_fd)
    ring = keys.opened(here, passphrase_fd)
    at = clock.now()
    key = ring.create(kind, label=label, uses=(Use(use),), created=at)
    keys.recorded(register, clerk, ring.find(label), at)
    if kind is Algorithm.BBS and use == Use.ISSUER:
        # It signs beside the key of the day, and not after it: nobody will rotate to it.
        key_rotate.beside(here, register, ring, at)
    if json_:
        talk.give({"label": label, "algorithm": kind.value, "thumbprint": key.thumbprint, **_forms(key)})
    else:
        talk.out(f"{talk.clean(label)}  {kind.value}  {key.thumbprint}")


def list_(passphrase_fd: PassphraseFd = None, json_: Json = False) -> None:
    """List the keys in the city's keyring."""
    from . import home, keys

    records = keys.opened(home.find(STATE.home, "city"), passphrase_fd).records()
    if json_:
        talk.give([
            {
                "label": record.label, "algorithm": record.key.algorithm.value, "thumbprint": record.key.thumbprint,
                "uses": sorted(record.uses), "created": record.created, "not_after": record.not_after,
            }
            for record in records
        ])  # fmt: skip
        return
    rows = [
        (
            talk.clean(record.label or "-"),
            record.key.algorithm.value,
            ", ".join(sorted(record.uses)),
            record.key.thumbprint,
        )
        for record in records
    ]
    for line in talk.columns(rows):
        talk.out(line)


def show(
    label: Label,
    form: Annotated[
        Literal["jwk", "multikey", "thumbprint"] | None,
        typer.Option("--as", help="In which form; by default jwk, and multikey for BBS."),
    ] = None,
    passphrase_fd: PassphraseFd = None,
    json_: Json = False,
) -> None:
    """Show the public half of a key."""
    from cityid.encoding import json
    from cityid.keys import Algorithm, jwk, multikey

    from . import home, keys

    key = keys.opened(home.find(STATE.home, "city"), passphrase_fd).find(label).key
    form = form or ("multikey" if key.algorithm is Algorithm.BBS else "jwk")
    if json_:
        talk.give({"label": label, "algorithm": key.algorithm.value, "thumbprint": key.thumbprint, **_forms(key)})
    elif form == "jwk":
        talk.out(json.write(jwk.write(key)).decode("utf-8"))
    else:
        talk.out(multikey.write(key) if form == "multikey" else key.thumbprint)


def _forms(key: PublicKey) -> dict[str, object]:
    """The public key as others read it. No specification has a JWK for keys that sign with BBS."""
    from cityid.keys import Algorithm, jwk, multikey

    found: dict[str, object] = {"multikey": multikey.write(key)}
    return found if key.algorithm is Algorithm.BBS else {"jwk": jwk.write(key), **found}
