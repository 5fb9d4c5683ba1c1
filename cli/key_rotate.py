"""`cityid key rotate`: another key, while what the old one signed goes on being good."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import talk
from .options import Json, PassphraseFd
from .registers import By, ClerkFd

if TYPE_CHECKING:
    from cityid.clerks import Clerk
    from cityid.edge.database import StoredRegister
    from cityid.edge.software_keys import Record

    from .home import Home
    from .keys import CityKeyring

_NUMBERED = re.compile(r"(.*?)-?([0-9]*)")


@dataclass(frozen=True, slots=True)
class Change:
    """A change of keys that is under way: whose, by whom, and from which key to which label."""

    here: Home
    register: StoredRegister
    clerk: Clerk
    ring: CityKeyring
    old: Record
    label: str
    at: datetime

    def next(self) -> Record | None:
        """The next key, where it was prepared."""
        return next((one for one in self.ring.records() if one.label == self.label and one.uses == self.old.uses), None)

    def prepared(self) -> Record:
        """Raises Misuse `key.not_prepared`."""
        from cityid.errors import Misuse

        found = self.next()
        if found is None:
            raise Misuse("key.not_prepared")
        return found

    def prepare(self, algorithm: str) -> Record:
        """The next key, which the register knows of; made where there is none yet."""
        from . import keys

        found = self.next()
        if found is None:
            kind = keys.algorithm_named(algorithm) if algorithm else self.old.key.algorithm
            self.ring.create(kind, label=self.label, uses=self.old.uses, created=self.at)
            found = self.ring.find(self.label)
        keys.recorded(self.register, self.clerk, found, self.at)
        return found

    def finish(self, new: Record, members: dict[str, str | None]) -> None:
        """The new key is in force; the old one signs no more."""
        from . import home, keys

        keys.recorded(self.register, self.clerk, new, self.at)
        keys.recorded(self.register, self.clerk, self.old, self.at)  # one that the register had not heard of
        keys.recorded(self.register, self.clerk, self.old, self.at, until=self.at, why=keys.ROTATED)
        home.set_members(self.here, members)
        self.ring.end(self.old.key, self.at)


def rotate(
    switch: Annotated[
        bool, typer.Option("--switch", help="Sign with the next key from now on; when it has been published.")
    ] = False,
    use: Annotated[
        Literal["issuer", "log"], typer.Option("--use", help="Which key: the one for cards, or the one for the log.")
    ] = "issuer",
    algorithm: Annotated[str, typer.Option("--algorithm", help="Of the next key; by default as the last.")] = "",
    root: Annotated[
        Path | None, typer.Option("--root", metavar="FILE", help="With certificates: the city's own root, which signs.")
    ] = None,
    root_key: Annotated[str, typer.Option("--root-key", metavar="LABEL", help="With --root: the root's key.")] = "root",
    certificates: Annotated[
        Path | None,
        typer.Option("--certificates", metavar="FILE", help="With --switch: what the authority sent for the next key."),
    ] = None,
    passphrase_fd: PassphraseFd = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    json_: Json = False,
) -> None:
    """Change a key in two steps. First the next key is made, and written beside the others into did.json (or the
    issuer's metadata), which is to be published; or certified by the city's own root; or a request for a certificate
    is written. Then, with --switch, new cards are signed with it.

    Keys that signed cards which are still good stay published. The log's key: both sign until --switch.
    """
    from cityid.clerks import Right
    from cityid.edge import clock
    from cityid.errors import Misuse

    from . import key_certificates, key_log, keys, registers

    here, at = registers.home_of(), clock.now()
    mechanism = str(here.config.get("mechanism", "did"))
    if use == "issuer" and mechanism == "did" and not here.text("did").startswith("did:web:"):
        raise Misuse("key.cannot_rotate", mechanism=here.text("did"))
    register = registers.register_of(here)
    clerk = registers.acting(register, Right.ADMINISTER, by, clerk_fd)
    ring = keys.opened(here, passphrase_fd)
    old = ring.find(here.text("issuer_key")) if use == "issuer" else key_log.last(ring)
    change = Change(here, register, clerk, ring, old, _next(old.label, ring), at)
    if use == "log":
        key_log.rotate(change, switch=switch)
    elif mechanism == "x5c" and switch:
        key_certificates.switch(change, certificates)
    elif mechanism == "x5c":
        key_certificates.prepare(change, algorithm, root, root_key)
    elif switch:
        change.finish(change.prepared(), {"issuer_key": change.label})
        talk.say(
            f"New cards are signed with {talk.clean(change.label)}; {talk.clean(old.label)} signs no more, and stays "
            "published."
        )
    else:
        change.prepare(algorithm)
        document = published(here, register, ring, at)
        talk.say(f"Publish {talk.clean(document)}; when everybody can see it: cityid key rotate --switch")
    if json_:
        thumbprint = ring.find(change.label).key.thumbprint
        talk.give({"key": change.label, "last": old.label, "switched": switch, "thumbprint": thumbprint})
    else:
        talk.out(change.label)


def _next(label: str, ring: CityKeyring) -> str:
    """The next label that no key had which has ended."""
    found = _NUMBERED.fullmatch(label)
    name, number = found.groups() if found else (label, "")
    ended = {record.label for record in ring.records() if record.not_after is not None}
    count = int(number or 1) + 1
    while f"{name}-{count}" in ended:
        count += 1
    return f"{name}-{count}"


def published(here: Home, register: StoredRegister, ring: CityKeyring, at: datetime) -> str:
    """Write the document with every issuer key that is believed and whose cards may still be good; its name."""
    from cityid.did import web
    from cityid.edge import files
    from cityid.edge.software_keys import Use
    from cityid.encoding import json
    from cityid.keys import jwk

    from . import keys, kinds

    longest = max((kind.lifetime for kind in kinds.known(here)[0].values()), default=timedelta())
    known = register.keys()
    retired = {key.thumbprint for key in known if key.until is not None and key.why != keys.ROTATED}
    live = {
        record.label: record.key
        for record in ring.records()
        if Use.ISSUER in record.uses
        and record.key.thumbprint not in retired
        and (record.not_after is None or record.not_after + longest >= at)
    }
    if here.config.get("mechanism", "did") == "did":
        name, whole = "did.json", web.document(here.text("did"), live)
    else:
        jwks = [{**jwk.write(key), "kid": label, "use": "sig"} for label, key in live.items()]
        name, whole = "jwt-vc-issuer.json", {"issuer": here.text("issuer"), "jwks": {"keys": jwks}}
    files.write(here.path(name), json.write(whole) + b"\n", force=True)
    return name
