"""`cityid key rotate`: another key, while what the old one signed goes on being good."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import talk
from .did_changes import Proposal
from .did_history import DidFd
from .options import Json, PassphraseFd, PinFd, plain
from .registers import By, ClerkFd

if TYPE_CHECKING:
    from cityid.clerks import Clerk
    from cityid.edge.database import StoredRegister
    from cityid.edge.software_keys import Record
    from cityid.keys import PublicKey

    from .did_history import Pen
    from .home import Home
    from .keys import CityKeyring

_NUMBERED = re.compile(r"(.*?)-?([0-9]*)")


@dataclass(frozen=True, slots=True)
class Change:
    """A change of keys that is under way: whose, by whom, from which key to which label; and into which keyring, which
    may be another that `place` names."""

    here: Home
    register: StoredRegister
    clerk: Clerk
    ring: CityKeyring
    old: Record
    label: str
    at: datetime
    into: CityKeyring
    place: str = ""

    def next(self) -> Record | None:
        """The next key, where it was prepared."""
        return next((one for one in self.into.records() if one.label == self.label and one.uses == self.old.uses), None)

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
            # Only where the last signed lists of messages may the next one do so.
            lists = not self.old.key.algorithm.signs
            kind = keys.algorithm_named(algorithm, lists=lists) if algorithm else self.old.key.algorithm
            self.into.create(kind, label=self.label, uses=self.old.uses, created=self.at)
            found = self.into.find(self.label)
        keys.recorded(self.register, self.clerk, found, self.at)
        return found

    def finish(self, new: Record, members: dict[str, str | None]) -> None:
        """The new key is in force; the old one signs no more."""
        from . import home, keys

        keys.recorded(self.register, self.clerk, new, self.at)
        keys.recorded(self.register, self.clerk, self.old, self.at)  # one that the register had not heard of
        keys.recorded(self.register, self.clerk, self.old, self.at, until=self.at, why=keys.ROTATED)
        home.set_members(self.here, members | ({"keys": self.place} if self.place else {}))
        self.ring.end(self.old.key, self.at)


def rotate(
    switch: Annotated[
        bool, typer.Option("--switch", help="Sign with the next key from now on; when it has been published.")
    ] = False,
    use: Annotated[
        Literal["issuer", "unlinkable", "log"],
        typer.Option("--use", help="Which key: for cards, for cards that nobody can link (bbs_key), or for the log."),
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
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="URI", callback=plain, help="Make the next key in this token: pkcs11:token=LABEL."
        ),
    ] = "",
    passphrase_fd: PassphraseFd = None,
    pin_fd: PinFd = None,
    did_fd: DidFd = None,
    output: Proposal = None,
    by: By = None,
    clerk_fd: ClerkFd = None,
    json_: Json = False,
) -> None:
    """Change a key in two steps. First the next key is made, and written beside the others into did.json (or the
    issuer's metadata), which is to be published; or certified by the city's own root; or a request for a certificate
    is written. Then, with --switch, new cards are signed with it.

    Keys that signed cards which are still good stay published. The log's key: both sign until --switch. With --to, in
    both steps, the city's keys are in the token from --switch on; no token has a key for unlinkable cards.
    """
    from cityid.clerks import Right
    from cityid.edge import clock
    from cityid.errors import Misuse

    from . import did_history, key_certificates, key_log, keys, registers

    here, at = registers.home_of(), clock.now()
    mechanism = str(here.config.get("mechanism", "did"))
    if use == "unlinkable":
        _check_unlinkable(here, mechanism, algorithm)
    if use != "log" and mechanism == "did" and not here.text("did").startswith(("did:web:", "did:webvh:")):
        raise Misuse("key.cannot_rotate", mechanism=here.text("did"))
    register = registers.register_of(here)
    clerk = registers.acting(register, Right.ADMINISTER, by, clerk_fd)
    ring = keys.opened(here, passphrase_fd)
    member = "bbs_key" if use == "unlinkable" else "issuer_key"
    old = key_log.last(ring) if use == "log" else ring.find(here.text(member))
    if to and use == "log":
        raise Misuse("key.log_follows")
    if to and "bbs_key" in here.config:
        raise Misuse("key.bbs_in_file")
    into = keys.token(to, pin_fd) if to else ring
    ended = {record.label for one in (ring, into) for record in one.records() if record.not_after is not None}
    pen = lambda: did_history.pen(here, register, clerk, at, passphrase_fd, did_fd)  # noqa: E731
    change = Change(here, register, clerk, ring, old, _next(old.label, ended), at, into, to)
    if use == "log":
        key_log.rotate(change, switch=switch)
    elif mechanism == "x5c" and switch:
        key_certificates.switch(change, certificates)
    elif mechanism == "x5c":
        key_certificates.prepare(change, algorithm, root, root_key)
    elif switch and mechanism == "did" and did_history.is_webvh(here):
        did_history.check_published(here, change.prepared(), at)
        change.finish(change.prepared(), {member: change.label})
        talk.say(
            f"New cards are signed with {talk.clean(change.label)}; {talk.clean(old.label)} signs no more. What it "
            "signed stays good: the history says that it was the city's."
        )
    elif switch:
        change.finish(change.prepared(), {member: change.label})
        talk.say(
            f"New cards are signed with {talk.clean(change.label)}; {talk.clean(old.label)} signs no more, and stays "
            "published."
        )
    else:
        change.prepare(algorithm)
        document = published(here, register, ring, at, into, pen=pen, output=output)
        again = "cityid key rotate --use unlinkable" if use == "unlinkable" else "cityid key rotate"
        talk.say(f"Publish {talk.clean(document)}; when everybody can see it: {again} --switch")
    if to and switch:
        talk.say(
            "The city's keys are in the token from now on. The log of actions gets another key there, too, at the next "
            "publication. Keep the old keyring until nothing in it is needed, then destroy it and its copies."
        )
    if json_:
        thumbprint = into.find(change.label).key.thumbprint
        talk.give({"key": change.label, "last": old.label, "switched": switch, "thumbprint": thumbprint})
    else:
        talk.out(change.label)


def _check_unlinkable(here: Home, mechanism: str, algorithm: str) -> None:
    """Raises Misuse: `key.no_bbs_key`, `keys.algorithm`."""
    from cityid.errors import Misuse
    from cityid.keys import Algorithm

    from . import keys

    if "bbs_key" not in here.config or mechanism != "did":
        raise Misuse("key.no_bbs_key")
    if algorithm and keys.algorithm_named(algorithm, lists=True) is not Algorithm.BBS:
        raise Misuse("keys.algorithm", algorithm=algorithm, known=Algorithm.BBS.value)


def _next(label: str, ended: set[str]) -> str:
    """The next label that no key had which has ended."""
    found = _NUMBERED.fullmatch(label)
    name, number = found.groups() if found else (label, "")
    count = int(number or 1) + 1
    while f"{name}-{count}" in ended:
        count += 1
    return f"{name}-{count}"


def published(
    here: Home,
    register: StoredRegister,
    ring: CityKeyring,
    at: datetime,
    more: CityKeyring | None = None,
    *,
    pen: Callable[[], Pen] | None = None,
    output: Path | None = None,
) -> str:
    """Write the document with every issuer key that is believed and whose cards may still be good; its name. Keys that
    lie in no keyring any more are taken from the document as it was. A did:webvh, for which `pen` writes, keeps those
    that signed of late: for the others there is its history."""
    from cityid.did import web
    from cityid.edge import files
    from cityid.edge.software_keys import Use
    from cityid.encoding import json
    from cityid.keys import jwk

    from . import did_history, keys, kinds

    history = _by_did(here) and did_history.is_webvh(here)
    longest = max((kind.lifetime for kind in kinds.known(here)[0].values()), default=timedelta())
    if history:
        longest = did_history.LINGER
    rows = register.keys()
    known = {row.thumbprint: row for row in rows}

    def believed(key: PublicKey, end: datetime | None) -> bool:
        row = known.get(key.thumbprint)
        retired = row is not None and row.until is not None and row.why != keys.ROTATED
        return not retired and (end is None or end + longest >= at)

    before = listed(here)
    live = {
        label: key
        for label, key in before.items()
        if key.thumbprint in known and believed(key, known[key.thumbprint].until)
    }
    for one in (ring, *([more] if more is not None else [])):
        for record in one.records():
            if Use.ISSUER in record.uses:
                live.pop(record.label, None)
                # One that was taken out of a history by hand does not come back.
                if believed(record.key, record.not_after) and not (
                    history and record.not_after is not None and record.label not in before
                ):
                    live[record.label] = record.key
    if history and pen is not None:
        former = frozenset(row.label for row in rows if row.label not in live)
        return did_history.update_issuer_keys(here, pen, at, live, former, output)
    if _by_did(here):
        whole = web.document(here.text("did"), live)
    else:
        jwks = [{**jwk.write(key), "kid": label, "use": "sig"} for label, key in live.items() if key.algorithm.signs]
        whole = {"issuer": here.text("issuer"), "jwks": {"keys": jwks}}
    files.write(_file(here), json.write(whole) + b"\n", force=True)
    return _file(here).name


def beside(here: Home, register: StoredRegister, ring: CityKeyring, at: datetime) -> None:
    """Write a key that was made into the document of a did:web, beside those that are there; a history has its own
    command (`cityid did update`)."""
    from . import did_history

    if _by_did(here) and not did_history.is_webvh(here) and _file(here).exists():
        talk.say(f"Publish {talk.clean(here.path(published(here, register, ring, at)))} again before issuing with it.")


def _by_did(here: Home) -> bool:
    return bool(here.config.get("mechanism", "did") == "did")


def _file(here: Home) -> Path:
    return here.path("did.json" if _by_did(here) else "jwt-vc-issuer.json")


def listed(here: Home) -> dict[str, PublicKey]:
    """The issuer's keys in the document of this home, by their labels.

    Raises:
        Misuse: `issue.document`.
    """
    from cityid.credential import Purpose
    from cityid.did import read_document
    from cityid.edge import clock, files
    from cityid.encoding import json
    from cityid.errors import CityIdError, Misuse
    from cityid.keys import jwk

    from . import did_history

    history = _by_did(here) and did_history.is_webvh(here)
    file = _file(here)
    if not history and not file.exists():
        return {}
    data = b"" if history else files.read_home_file(file)
    try:
        if _by_did(here):
            document = did_history.document(here, clock.now()) if history else read_document(data, here.text("did"))
            labels = [method.partition("#")[2] for method in document.relationships[Purpose.ASSERTION]]
            return {label: document.key(label, Purpose.ASSERTION) for label in labels}
        return dict(jwk.read_set(json.Fields(json.read_object(data)).object("jwks")))
    except CityIdError as error:
        raise Misuse("issue.document", file=str(file), reason=error.code) from None
