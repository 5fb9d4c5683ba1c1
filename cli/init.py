"""`cityid init`: make a home for one role."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import talk
from .did_history import DidFd
from .options import Device, Json, PassphraseFd, one_line, plain
from .state import STATE

Folder = Annotated[Path | None, typer.Argument(metavar="FOLDER", help="Where; --home or this folder by default.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Make a home: city, wallet or service.", no_args_is_help=True, rich_markup_mode=None)
    group.command("city")(city)
    group.command("wallet")(wallet)
    group.command("service")(service)
    app.add_typer(group, name="init")


def _place(folder: Path | None) -> Path:
    from cityid.errors import Misuse

    from .home import ROLES

    place = folder or STATE.home or Path.cwd()
    for role in ROLES:
        if (place / f"{role}.toml").exists():
            raise Misuse("home.exists", role=role, folder=str(place))
    return place


def _keep(place: Path, name: str, text: str) -> None:
    from cityid.edge import files

    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.write(place / name, text.encode("utf-8"))


def _quoted(text: str) -> str:
    from cityid.encoding import json

    return json.write(text).decode("utf-8").replace("\x7f", "\\u007f")


def city(
    folder: Folder = None,
    did: Annotated[
        str,
        typer.Option(
            "--did",
            help="The city's DID: did:web:HOST; did:webvh:HOST for one with a history; or jwk for one that is its key.",
        ),
    ] = "jwk",
    name: Annotated[str, typer.Option("--name", callback=plain, help="How people call the city.")] = "",
    country: Annotated[
        str, typer.Option("--country", metavar="XX", callback=plain, help="Two letters, for what cards say.")
    ] = "",
    jurisdiction: Annotated[
        str, typer.Option("--jurisdiction", metavar="XX-YY", callback=plain, help="ISO 3166-2, for what cards say.")
    ] = "",
    timezone: Annotated[str, typer.Option("--timezone", help="Whose midnight ends a day.")] = "UTC",
    algorithm: Annotated[
        str, typer.Option("--algorithm", help="Of the issuer's key: ES256, ES384, EdDSA, ML-DSA-44, ...")
    ] = "ES256",
    keys: Annotated[
        str, typer.Option("--keys", callback=plain, help="Where keys are kept: file:NAME, or pkcs11:token=LABEL.")
    ] = "file:keys.sealed",
    register_: Annotated[
        str,
        typer.Option(
            "--register", metavar="NAME", help="Where the register is kept: postgresql://HOST/DB, or here in a file."
        ),
    ] = "",
    status_url: Annotated[
        str,
        typer.Option(
            "--status-url", metavar="URL", callback=one_line, help="Where status lists will be published: https://..."
        ),
    ] = "",
    did_keys: Annotated[
        str,
        typer.Option(
            "--did-keys", callback=plain, help="For did:webvh: a keyring of their own for the keys of its history."
        ),
    ] = "",
    pre_rotation: Annotated[
        bool, typer.Option("--pre-rotation/--no-pre-rotation", help="For did:webvh: fix the next keys beforehand.")
    ] = True,
    portable: Annotated[
        bool, typer.Option("--portable/--stay", help="For did:webvh: may it move to another host?")
    ] = True,
    passphrase_fd: PassphraseFd = None,
    did_fd: DidFd = None,
    json_: Json = False,
) -> None:
    """Make a city's home: its first issuer key, its DID, its register."""
    from cityid.clerks import Clerk, Right
    from cityid.did import jwk, parse, web, webvh
    from cityid.edge import clock, files
    from cityid.edge.city_secret import CitySecret
    from cityid.edge.postgres import is_postgres
    from cityid.edge.private_file import make_directory
    from cityid.edge.software_keys import Use
    from cityid.encoding import json
    from cityid.errors import Malformed, Misuse
    from cityid.register import Key

    from . import did_changes, did_history, registers
    from .home import Home
    from .keys import FIRST, algorithm_named, make

    place = _place(folder)
    kind = algorithm_named(algorithm)
    # A did:webvh gets its first part when it is made: until then only its host can be given.
    history = did.removeprefix("did:webvh:").removeprefix("{SCID}:") if did.startswith("did:webvh:") else ""
    try:
        if history:
            webvh.template(history)
        elif did != "jwk":
            if parse(did).method != "web":
                raise Misuse("init.did_method", did=did)
            web.url(did)
    except Malformed as error:
        raise Misuse(error.problem) from None
    _zone(timezone)
    if status_url and not status_url.startswith("https://"):
        raise Misuse("init.status_url", url=status_url)
    if register_ and not is_postgres(register_):
        raise Misuse("store.name")
    config = {
        **({"register": register_} if register_ else {}),
        **({"status": status_url.rstrip("/")} if status_url else {}),
        **({"did_keys": did_keys} if did_keys else {}),
    }
    # Opened first: a database that does not answer should leave no half of a home behind.
    opened = registers.register_of(Home(place, "city", config), new=True) if register_ else None
    ring = make(place, keys, passphrase_fd)
    make_directory(place)  # with a token and a server there is no file of keys or rows that would make it
    at = clock.now()
    key = ring.create(kind, label=FIRST, uses=(Use.ISSUER,), created=at)
    opened = opened or registers.register_of(Home(place, "city", config), new=True)
    first: Any = None
    if history:
        clerk = Clerk(registers.login(), frozenset(Right))
        writes = make(place, did_keys, did_fd) if did_keys else ring
        pen = did_history.Pen(writes, opened, clerk, at)
        first = did_changes.new(
            pen, history, {FIRST: key}, pre_rotation=pre_rotation, portable=portable, witnesses=None
        )
        made = first.did
    else:
        made = jwk.create(key) if did == "jwk" else did
    lines = [
        "# A city's home. Keys lie encrypted in the keyring; the register holds no claim values.",
        f"did = {_quoted(made)}",
        f"name = {_quoted(name or made)}",
        f"timezone = {_quoted(timezone)}",
        f"keys = {_quoted(keys)}",
        'mechanism = "did"                  # or "x5c", with certificates = "issuer.pem"',
        f"issuer_key = {_quoted(FIRST)}",
        *(f"{member} = {_quoted(value)}" for member, value in config.items()),
        "",
        "[facts]                            # what cards say about who issued them",
        f"authority = {_quoted(name or made)}",
    ]
    lines += [f"country = {_quoted(country)}"] if country else []
    lines += [f"jurisdiction = {_quoted(jurisdiction)}"] if jurisdiction else []
    registers.sessions_of(Home(place, "city", config), new=True)
    with opened.batch(registers.login(), registers.key(), at) as batch:
        batch.key(Key(key.thumbprint, FIRST, kind.value, at))
    CitySecret(place / "register.key")
    _keep(place, "city.toml", "\n".join(lines) + "\n")
    talk.say(f"Made {talk.clean(place / 'city.toml')} and key {FIRST} ({kind.value}, in {talk.clean(keys)}).")
    if first is not None:
        did_history.settle(Home(place, "city", {"did": made}), first.log, b"", at)
    elif did != "jwk":
        files.write(place / "did.json", json.write(web.document(made, {FIRST: key})) + b"\n")
        talk.say(f"Publish {talk.clean(place / 'did.json')} at {web.url(made)} before issuing.")
    if json_:
        talk.give({"home": str(place), "role": "city", "did": made, "key": FIRST, "algorithm": kind.value})
    else:
        talk.out(made)


def _zone(name: str) -> None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from cityid.errors import Misuse

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Misuse("init.timezone", timezone=name) from None


def wallet(
    folder: Folder = None,
    keys: Annotated[
        str, typer.Option("--keys", callback=plain, help="Where keys are made: in the wallet, or pkcs11:token=LABEL.")
    ] = "",
    device: Device = "wallet",
    passphrase_fd: PassphraseFd = None,
    json_: Json = False,
) -> None:
    """Make a wallet: one encrypted file for cards and keys."""
    from cityid.edge.pkcs11 import read_uri
    from cityid.edge.wallet_file import WalletFile

    place = _place(folder)
    if keys:
        read_uri(keys)
    check_device(device)
    passphrase = talk.secret("Passphrase for the wallet", passphrase_fd, again=True)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    WalletFile.create(place / "wallet.sqlite", passphrase, device=device).close()
    keep_wallet(place, keys)
    talk.say(
        f"Made {talk.clean(place / 'wallet.toml')}. Without its passphrase nobody can open it, and nobody can help."
    )
    if json_:
        talk.give({"home": str(place), "role": "wallet"})


def check_device(name: str) -> None:
    from cityid.cards import device_name
    from cityid.errors import Malformed, Misuse

    try:
        device_name(name)
    except Malformed as error:
        raise Misuse(error.problem) from None


def keep_wallet(place: Path, keys: str) -> None:
    """Write the file of a wallet's home; `keys` is the token where fresh keys are made, or ""."""
    where = f"keys = {_quoted(keys)}\n" if keys else ""
    _keep(place, "wallet.toml", f"# A wallet. Cards and keys lie encrypted in wallet.sqlite.\n{where}")


def service(
    folder: Folder = None,
    audience: Annotated[
        str,
        typer.Option(
            "--audience",
            metavar="NAME",
            callback=one_line,
            help="What answers are bound to, such as x509_san_dns:library.example.",
        ),
    ] = "",
    name: Annotated[str, typer.Option("--name", callback=plain, help="How people call the service.")] = "",
    json_: Json = False,
) -> None:
    """Make a service's home: its policies, its trust list, its open questions."""
    from cityid.edge.database import SqliteSessions
    from cityid.errors import Misuse

    place = _place(folder)
    if not audience or audience.startswith("origin:"):
        raise Misuse("init.audience", audience=audience or "an empty name")
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    (place / "policies").mkdir(exist_ok=True)
    (place / "trust").mkdir(exist_ok=True)
    SqliteSessions(place / "sessions.sqlite").close()
    lines = [
        "# A service's home.",
        f"audience = {_quoted(audience)}        # answers are bound to this name",
        f"name = {_quoted(name or audience)}",
    ]
    _keep(place, "service.toml", "\n".join(lines) + "\n")
    talk.say(f"Made {talk.clean(place / 'service.toml')}. Next: cityid trust add, then cityid policy new.")
    if json_:
        talk.give({"home": str(place), "role": "service", "audience": audience})
