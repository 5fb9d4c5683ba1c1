"""`cityid key rotate`: another issuer key, while what the old one signed goes on being good."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from . import talk
from .options import Json, PassphraseFd
from .state import STATE

if TYPE_CHECKING:
    from .home import Home
    from .keys import CityKeyring

_NUMBERED = re.compile(r"(.*?)-?([0-9]*)")


def rotate(
    switch: Annotated[
        bool, typer.Option("--switch", help="Sign with the next key from now on; when it has been published.")
    ] = False,
    algorithm: Annotated[str, typer.Option("--algorithm", help="Of the next key; by default as the last.")] = "",
    passphrase_fd: PassphraseFd = None,
    json_: Json = False,
) -> None:
    """Change the issuer's key in two steps. First the next key is made and written into did.json (or the issuer's
    metadata) beside the others, which is to be published. Then, with --switch, new cards are signed with it.

    Keys that signed cards which are still good stay published.
    """
    from cityid.edge import clock
    from cityid.edge.software_keys import Use
    from cityid.errors import Misuse
    from cityid.register import Key

    from . import home, keys, registers

    here, at = home.find(STATE.home, "city"), clock.now()
    mechanism = str(here.config.get("mechanism", "did"))
    if mechanism == "x5c" or (mechanism == "did" and not here.text("did").startswith("did:web:")):
        raise Misuse("key.cannot_rotate", mechanism="certificates" if mechanism == "x5c" else here.text("did"))
    ring, last = keys.opened(here, passphrase_fd), here.text("issuer_key")
    old, label = ring.find(last), _next(last)
    prepared = [record for record in ring.records() if record.label == label and Use.ISSUER in record.uses]
    if switch and not prepared:
        raise Misuse("key.not_prepared")
    register = registers.register_of(here)
    if not switch:
        if not prepared:
            kind = keys.algorithm_named(algorithm) if algorithm else old.key.algorithm
            ring.create(kind, label=label, uses=(Use.ISSUER,), created=at)
        document = _published(here, ring, at)
        talk.say(f"Publish {talk.clean(document)}; when everybody can see it: cityid key rotate --switch")
    else:
        new = prepared[0]
        with register.batch(registers.login(), f"key {new.key.thumbprint}", at) as batch:
            batch.key(Key(new.key.thumbprint, label, new.key.algorithm.value, at))
            since = old.created or at
            batch.key(Key(old.key.thumbprint, last, old.key.algorithm.value, since, at, "rotated"))
        home.set_member(here, "issuer_key", label)
        ring.end(old.key, at)
        talk.say(
            f"New cards are signed with {talk.clean(label)}; {talk.clean(last)} signs no more, and stays published."
        )
    if json_:
        talk.give({"key": label, "last": last, "switched": switch, "thumbprint": ring.find(label).key.thumbprint})
    else:
        talk.out(label)


def _next(label: str) -> str:
    found = _NUMBERED.fullmatch(label)
    name, number = found.groups() if found else (label, "")
    return f"{name}-{int(number or 1) + 1}"


def _published(here: Home, ring: CityKeyring, at: datetime) -> str:
    """Write the document with every issuer key whose cards may still be good; its name."""
    from cityid.did import web
    from cityid.edge import files
    from cityid.edge.software_keys import Use
    from cityid.encoding import json
    from cityid.keys import jwk

    from . import kinds

    longest = max((kind.lifetime for kind in kinds.known(here)[0].values()), default=timedelta())
    live = {
        record.label: record.key
        for record in ring.records()
        if Use.ISSUER in record.uses and (record.not_after is None or record.not_after + longest >= at)
    }
    if here.config.get("mechanism", "did") == "did":
        name, whole = "did.json", web.document(here.text("did"), live)
    else:
        jwks = [{**jwk.write(key), "kid": label, "use": "sig"} for label, key in live.items()]
        name, whole = "jwt-vc-issuer.json", {"issuer": here.text("issuer"), "jwks": {"keys": jwks}}
    files.write(here.path(name), json.write(whole) + b"\n", force=True)
    return name
