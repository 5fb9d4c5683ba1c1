"""`cityid key retire`: a key that nobody shall believe any more."""

from __future__ import annotations

from typing import Annotated

import typer

from . import talk
from .did_history import DidFd
from .options import Json, PassphraseFd, Yes, plain
from .registers import By, ClerkFd


def retire(
    label: Annotated[str, typer.Argument(metavar="LABEL", callback=plain, help="What the key is called here.")],
    why: Annotated[str, typer.Option("--why", callback=plain, help="The reason, for the register.")] = "",
    passphrase_fd: PassphraseFd = None,
    did_fd: DidFd = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    yes: Yes = False,
    json_: Json = False,
) -> None:
    """End a key and withdraw it: it signs nothing more, and an issuer's key is taken out of did.json (or the issuer's
    metadata), so that cards which it signed are refused from when that is published.

    For a key that somebody else may have used, or that was prepared and is not wanted. A key that is in force is
    changed first: cityid key rotate.
    """
    from cityid.clerks import Right
    from cityid.edge import clock
    from cityid.edge.software_keys import Record, Use
    from cityid.errors import Misuse

    from . import did_history, key_log, keys, registers
    from .key_rotate import listed, published

    here, at = registers.home_of(), clock.now()
    register = registers.register_of(here)
    clerk = registers.acting(register, Right.ADMINISTER, by, clerk_fd)
    ring = keys.opened(here, passphrase_fd)
    held = [record for record in ring.records() if record.label == label]
    # One whose keyring the city has no more is in its document still.
    moved = [] if held else [Record(key, label, frozenset({Use.ISSUER})) for key in (listed(here).get(label),) if key]
    record = next(iter([*held, *moved]), None) or ring.find(label)
    named = (str(here.config.get(member, "")) for member in ("issuer_key", "status_key", "bbs_key"))
    in_force = {*named, *key_log.in_force(ring)}
    if label in in_force:
        raise Misuse("key.in_force", label=label)
    mechanism = str(here.config.get("mechanism", "did"))
    if not yes:
        talk.agree(f"Withdraw {talk.clean(label)}? What it signed will not be believed any more.", flag="--yes")
    keys.recorded(register, clerk, record, at)
    keys.recorded(register, clerk, record, at, until=at, why=f"retired: {why}" if why else "retired")
    if held and (record.not_after is None or record.not_after > at):
        ring.end(record.key, at)
    talk.say(f"{talk.clean(label)} is retired.")
    if Use.ISSUER in record.uses and mechanism == "x5c":
        talk.say(
            "What its certificate vouches for is believed until the certificate ends: ask the authority to revoke it, "
            "and services to end their trust in it (until, in the trust list); or revoke the cards."
        )
    elif Use.ISSUER in record.uses and mechanism == "did" and did_history.is_webvh(here):
        published(
            here, register, ring, at, pen=lambda: did_history.pen(here, register, clerk, at, passphrase_fd, did_fd)
        )
        talk.say(
            f"What says that {talk.clean(label)} signed it from now on is not believed any more. What is dated before "
            "still is, for the history says so: revoke the cards that it signed, or close the DID (cityid did "
            "deactivate)."
        )
    elif Use.ISSUER in record.uses and not here.text("did").startswith("did:jwk:"):
        document = published(here, register, ring, at)
        talk.say(f"Publish {talk.clean(document)}: from then on nobody believes what {talk.clean(label)} signed.")
    elif Use.ROOT in record.uses:
        talk.say("Services must take its certificate out of their trust lists: cityid trust remove FILE")
    if json_:
        talk.give({"key": label, "thumbprint": record.key.thumbprint, "until": at.isoformat()})
