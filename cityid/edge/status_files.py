"""Status lists as plain files that any web server or object store can serve, and how a register that was restored from
a backup learns from them what it has lost.

    FOLDER/latest.json         which publication this is: never lower than before
    FOLDER/<list>              the status list token as JWT (application/statuslist+jwt)
    FOLDER/<list>.cwt          the same as CWT (application/statuslist+cwt)
    FOLDER/<list>.revocation   what is revoked in it, for W3C credentials (application/vc+jwt)
    FOLDER/<list>.suspension   what is suspended in it, likewise
    FOLDER/aggregation.json    which lists there are (Token Status List §9.3)

Each file is replaced whole. `latest.json` goes first: once a list is out that a register does not know, its number is
out too, so that a register restored from a backup is found to be behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cityid.credential import KeyPlace
from cityid.edge import files, private_file
from cityid.encoding import json, times
from cityid.errors import Malformed, Misuse, Refused, Unavailable
from cityid.keys import PublicKey, Signer
from cityid.register import Batch, Bits, Register, Status, in_batch
from cityid.sessions import new_key
from cityid.status import bitstring_status_list, list_credential
from cityid.status import token_status_list as lists

__all__ = ["LIFETIME", "TTL", "Published", "Reconciled", "check_current", "publication", "publish", "reconcile"]

TTL: Final = timedelta(minutes=15)
"""How long services may rely on a list before they ask again."""
LIFETIME: Final = timedelta(days=1)
"""How long a list is good at all, should publishing stop."""
WHY: Final = "published before the register was restored"
_LATEST: Final = "latest.json"
_NAME: Final = re.compile(r"[0-9]+(-[0-9a-f]{8})?")


@dataclass(frozen=True, slots=True)
class Published:
    """What went out: the number of the publication, the lists, and until when what was fetched now is fresh."""

    number: int
    uris: tuple[str, ...]
    fresh_until: datetime


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was taken over: entries that changed, lists that were unknown, and how many lists were closed."""

    entries: int
    lists: int
    closed: int


def publication(folder: Path) -> int:
    """The number of what is published in `folder`; 0 before the first.

    Raises:
        Unavailable: `store.damaged`.
    """
    try:
        return json.Fields(json.read_object(files.read(folder / _LATEST))).integer("publication")
    except Misuse as error:
        if error.code == "file.not_found":
            return 0
        raise
    except Malformed:
        raise Unavailable("store.damaged", kind="publication") from None


def check_current(register: Register, published: int) -> None:
    """The register knows of the publication with this number, so it was not restored from an older backup.

    Raises:
        Unavailable: `register.behind`.
    """
    known = register.publication()
    if known < published:
        raise Unavailable("register.behind", known=known, published=published)


def publish(
    register: Register,
    signer: Signer,
    place: KeyPlace,
    folder: Path,
    *,
    base: str,
    by: str,
    at: datetime,
    ttl: timedelta = TTL,
    lifetime: timedelta = LIFETIME,
    issuer: str = "",
) -> Published:
    """Sign every list as it stands and put it into `folder`, which is served at `base`. One publisher works at a time.
    With `issuer`, the city's name, each list is also published for W3C credentials.

    Raises:
        Unavailable: `register.behind`, `store.*`, `file.*`, `keys.unavailable`.
        Refused: `register.published_newer`, `register.published_later`, when the clock went back.
        Misuse: `file.*`, `status_list.window`.
    """
    _prepare(folder)
    with private_file.locked(folder / ".publish"):
        _clean(folder)
        before = publication(folder)
        check_current(register, before)
        uris = register.lists()
        for uri in uris:
            _not_before(folder / _name(uri), at)

        def numbered(batch: Batch) -> int:
            if batch.repeats:
                # The connection broke at the commit, which was done all the same.
                return register.publication()
            number = batch.publication(before)
            batch.event("publish", {"publication": number, "lists": len(uris)})
            return number

        number = in_batch(register, by, new_key(), at, numbered)
        latest = {"publication": number, "at": times.stamp(at)}
        files.write(folder / _LATEST, json.write(latest) + b"\n", force=True)
        for uri in uris:
            aggregation = f"{base}/aggregation.json"
            _publish_list(register, uri, signer, place, folder, aggregation, by, at, ttl, lifetime, issuer)
        files.write(folder / "aggregation.json", lists.write_aggregation(uris) + b"\n", force=True)
    return Published(number, uris, at + ttl)


def _publish_list(
    register: Register,
    uri: str,
    signer: Signer,
    place: KeyPlace,
    folder: Path,
    aggregation: str,
    by: str,
    at: datetime,
    ttl: timedelta,
    lifetime: timedelta,
    issuer: str,
) -> None:
    bits = register.bits(uri)
    packed = lists.build(bits.values, bits=bits.bits, size=bits.size)
    forms: tuple[tuple[lists.Form, str], ...] = (("jwt", ""), ("cwt", ".cwt"))
    tokens = [
        (
            folder / (_name(uri) + end),
            lists.issue(
                packed, uri, signer, signed_by=place, at=at, lifetime=lifetime, ttl=ttl, form=form,
                aggregation_uri=aggregation,
            ),
        )
        for form, end in forms
    ]  # fmt: skip
    if issuer:
        tokens += [
            (
                folder / f"{_name(uri)}.{purpose}",
                _for_w3c(bits, purpose, value, signer, place, at, ttl, lifetime, issuer),
            )
            for purpose, value in (("revocation", Status.INVALID), ("suspension", Status.SUSPENDED))
        ]
    # Recorded first: the folder never holds what the register does not know of.
    in_batch(register, by, new_key(), at, lambda batch: None if batch.repeats else batch.published(uri, bits.version))
    for path, token in tokens:
        files.write(path, token, force=True)


def _for_w3c(
    bits: Bits, purpose: str, value: int, signer: Signer, place: KeyPlace, at: datetime, ttl: timedelta,
    lifetime: timedelta, issuer: str,
) -> bytes:  # fmt: skip
    """The entries of a list that have one value, as a Bitstring Status List of one bit each."""
    packed = bitstring_status_list.build({at: 1 for at, found in bits.values.items() if found == value}, size=bits.size)
    document = bitstring_status_list.credential(
        packed, f"{bits.uri}.{purpose}", issuer=issuer, at=at, lifetime=lifetime, ttl=ttl, purposes=(purpose,)
    )
    return list_credential.issue(document, signer, place)


def reconcile(register: Register, key: PublicKey, folder: Path, *, by: str, at: datetime) -> Reconciled:
    """Teach a register that was restored from a backup what `folder` shows that it published since: what is set there
    is set here too, lists that it does not know are known and closed, and new lists and numbers cannot meet lost ones.
    All of it or nothing. What is published must be signed by `key`.

    Raises:
        Refused: `register.not_behind`, `register.published_forged`, `signature.invalid`, `jws.alg`.
        Unavailable: `store.*`, `file.*`.
        Malformed: `status_list.*` and the rest of `token_status_list.read`.
    """
    published = publication(folder)
    if register.publication() >= published:
        raise Refused("register.not_behind", known=register.publication(), published=published)
    tokens = list(_tokens(folder, key))

    def take_over(batch: Batch) -> Reconciled:
        known, entries, adopted = set(register.lists()), 0, 0
        for token in tokens:
            found = token.entries()
            if token.uri not in known:
                batch.adopt(token.uri, found.bits, len(found))
                adopted += 1
            entries += batch.take_over(token.uri, found.nonzero(), WHY)
        closed = batch.restart()
        number = batch.publication(published)
        batch.event("reconcile", {"publication": number, "entries": entries, "lists": adopted, "closed": closed})
        return Reconciled(entries, adopted, closed)

    return in_batch(
        register, by, new_key(), at, lambda batch: Reconciled(0, 0, 0) if batch.repeats else take_over(batch)
    )


def _tokens(folder: Path, key: PublicKey) -> Iterator[lists.Token]:
    for path in sorted(folder.iterdir()):
        if _NAME.fullmatch(path.name):
            token = lists.read(files.read(path, 16 << 20), "jwt")
            token.check(key)
            if _name(token.uri) != path.name:
                raise Refused("register.published_forged", file=str(path), uri=token.uri)
            yield token


def _name(uri: str) -> str:
    name = uri.rpartition("/")[2]
    if not _NAME.fullmatch(name):
        raise Unavailable("store.damaged", kind="register")
    return name


def _not_before(path: Path, at: datetime) -> None:
    """What is out is not newer than `at`: services would see time go backwards."""
    try:
        found = lists.read(files.read(path, 16 << 20), "jwt").iat
    except (Misuse, Malformed):
        return  # nothing there yet, or nothing that anybody could read
    if found > at:
        raise Refused("register.published_later", file=str(path), then=times.stamp(found))


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise files.of_the_system(error, folder) from None


def _clean(folder: Path) -> None:
    """Away with what a publisher that was killed left half-written."""
    for leftover in folder.glob(".cityid-*.tmp"):
        with suppress(OSError):
            leftover.unlink()
