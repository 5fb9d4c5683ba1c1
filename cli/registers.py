"""What a city's home remembers: its register, its open offers, and the secret beside them; and who acts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from . import talk
from .options import plain
from .state import STATE

if TYPE_CHECKING:
    from cityid.clerks import Clerk, Right
    from cityid.edge.city_secret import CitySecret
    from cityid.edge.database import StoredRegister, StoredSessions

    from .home import Home

T = TypeVar("T")

By = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", callback=plain, help="The clerk who acts; by default who is logged in."),
]
ClerkFd = Annotated[
    int | None,
    typer.Option("--clerk-fd", metavar="N", help="Read the clerk's passphrase or PIN from file descriptor N."),
]


def home_of() -> Home:
    """The city's home to work in."""
    from . import home

    return home.find(STATE.home, "city")


def where(home: Home) -> str:
    """The name of the register's database, or "" for the file in the home.

    Raises:
        Misuse: `home.member`.
    """
    return home.text("register") if "register" in home.config else ""


def status_base(home: Home) -> str:
    return home.text("status") if "status" in home.config else ""


def flag(home: Home, name: str) -> bool:
    """Raises Misuse `home.member`."""
    from cityid.errors import Misuse

    value = home.config.get(name, False)
    if not isinstance(value, bool):
        raise Misuse("home.member", name=name, file=str(home.file))
    return value


def names(home: Home, member: str) -> frozenset[str]:
    """Raises Misuse `home.member`."""
    from cityid.errors import Misuse

    value = home.config.get(member, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Misuse("home.member", name=member, file=str(home.file))
    return frozenset(value)


def secret_of(home: Home) -> CitySecret:
    from cityid.edge.city_secret import CitySecret

    return CitySecret(home.path("register.key"))


def password(name: str) -> str:
    return str(_once("password", lambda: talk.secret(f"Password for {talk.clean(name)}", None)))


def register_of(home: Home, *, new: bool = False) -> StoredRegister:
    """The register of a city's home, open until the command ends; made only where the home is `new`.

    Raises:
        Unavailable: `store.missing` and the other `store.*`.
    """
    from cityid.edge.database import PostgresRegister, SqliteRegister

    def opened() -> StoredRegister:
        settings: dict[str, Any] = {"status_base": status_base(home)}
        if flag(home, "keep_claims"):
            settings["claims_key"] = secret_of(home).claims_key
        if name := where(home):
            return STATE.opened.enter_context(PostgresRegister(name, password=lambda: password(name), **settings))
        return STATE.opened.enter_context(SqliteRegister(home.path("register.sqlite"), must_exist=not new, **settings))

    return _once("register", opened)


def sessions_of(home: Home, *, new: bool = False) -> StoredSessions:
    """The open offers of a city's home, open until the command ends; made only where the home is `new`.

    Raises:
        Unavailable: `store.missing` and the other `store.*`.
    """
    from cityid.edge.database import PostgresSessions, SqliteSessions

    def opened() -> StoredSessions:
        if name := where(home):
            return STATE.opened.enter_context(PostgresSessions(name, password=lambda: password(name)))
        return STATE.opened.enter_context(SqliteSessions(home.path("offers.sqlite"), must_exist=not new))

    return _once("sessions", opened)


def _once(name: str, make: Callable[[], T]) -> T:
    if name not in STATE.known:
        STATE.opened.callback(STATE.known.clear)
        STATE.known[name] = make()
    return STATE.known[name]  # type: ignore[no-any-return]


def remember(home: Home, folder: Path, number: int) -> None:
    """Where was published last, so that every command can see whether the register was restored since."""
    from cityid.edge import files
    from cityid.encoding import json

    text = json.write({"folder": str(folder.resolve()), "publication": number})
    files.write(home.path("published.json"), text + b"\n", force=True)


def check_current(home: Home, register: StoredRegister) -> None:
    """The register is not older than what was published.

    Raises:
        Unavailable: `register.behind`.
    """
    from cityid.edge import files, status_files
    from cityid.encoding import json
    from cityid.errors import Malformed, Unavailable

    path = home.path("published.json")
    if not path.exists():
        return
    try:
        last = json.Fields(json.read_object(files.read_home_file(path)))
        folder, number = Path(last.text("folder")), last.integer("publication")
    except Malformed:
        raise Unavailable("store.damaged", kind="publication") from None
    status_files.check_current(register, max(number, status_files.publication(folder)))


def login() -> str:
    """Who is logged in."""
    import os
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def acting(
    register: StoredRegister, right: Right, by: str | None, fd: int | None, *, type_: str | None = None
) -> Clerk:
    """Who acts. Where the register has clerks, they sign in and must have the right; what is refused is recorded. Where
    it has none yet, whoever can open the home may do everything, under the name given or that of the login.

    Raises:
        Refused: `clerk.*`, `passphrase.wrong`, `key.*`. Misuse: `clerk.no_keys`, `keys.*`. Unavailable: `keys.*`.
    """
    from cityid import clerks
    from cityid.edge import sign_in
    from cityid.errors import Refused

    from . import clerk_keys

    known = register.clerks()
    name = by or login()
    if not known:
        return clerks.Clerk(name, frozenset(clerks.Right))
    if name not in known:
        raise Refused("clerk.unknown", clerk=name)
    clerk, kept = known[name]
    own = sign_in.key_of(kept)
    if own is not None:
        clerk_keys.prove(register, name, own, fd)
    else:
        sign_in.check_passphrase(kept, talk.secret(f"Passphrase of clerk {talk.clean(name)}", fd))
    allowed(register, clerk, right, type_=type_)
    return clerk


def allowed(
    register: StoredRegister, clerk: Clerk, right: Right, *, type_: str | None = None, department: str | None = None
) -> None:
    """Raises Refused `clerk.*`, which is recorded."""
    from cityid import clerks
    from cityid.edge import clock
    from cityid.errors import Refused

    at = clock.now()
    try:
        clerks.check(clerk, right, at, type=type_, department=department)
    except Refused as error:
        with register.batch(clerk.name, key(), at) as batch:
            batch.event("refused", {"right": right.value, "code": error.code, "type": type_ or ""})
        raise


def key() -> str:
    """A key for a batch that is not to be repeated."""
    from cityid.sessions import new_key

    return new_key()
