"""A whole wallet in one encrypted file of the age format (age-encryption.org/v1, scrypt), opened by the recovery code;
so `age --decrypt` opens it too.

A backup does not know what was shown since it was made. So every copy of a restored card counts as used: it can be
shown again with a yes to being recognised, or city hall issues new ones.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from cityid.edge import recovery_code
from cityid.edge.sealed import Entropy
from cityid.edge.wallet_file import WalletFile
from cityid.edge.wallet_records import Change, Sort
from cityid.encoding import base64url, json, times
from cityid.encoding.json import Fields
from cityid.errors import Malformed, Refused, Unavailable
from cityid.formats import FORMATS, Format
from cityid.keys import Algorithm, Keyring, PublicKey
from cityid.wallet import DEVICE, Card

__all__ = ["SIZE", "Restored", "restore", "write"]

SIZE: Final = 64 << 20
"""Bytes of a backup."""
_VERSION: Final = 1
_FORM: Final = "cityid-wallet-backup"
_HEAD: Final = re.compile(rb"age-encryption\.org/v1\n-> scrypt [A-Za-z0-9+/]{22} ([1-9][0-9]?)\n")
_WORK: Final = 22
"""More scrypt work than 2^22 (4 GiB) is refused before any memory is taken."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A wallet out of a backup made at `made`. `rebind` are the cards whose keys lie in a token and did not move."""

    wallet: WalletFile
    made: datetime
    rebind: tuple[Card, ...]


def write(wallet: WalletFile, code: str, at: datetime) -> bytes:
    """The backup of an open wallet, for the recovery code `code`. Takes about a second, on purpose.

    Raises:
        Malformed: `recovery.*`.
        Unavailable: `install.extra`, `store.*`.
    """
    age, code = _age(), recovery_code.read(code)
    entries: list[Any] = [
        {
            "sort": record.sort, "id": record.id.hex(), "parent": record.parent.hex(), "used": record.state,
            "content": base64url.encode(content),
        }
        for record, content in wallet.everything()
    ]  # fmt: skip
    whole = json.write({"format": _FORM, "version": _VERSION, "made": times.stamp(at), "records": entries})
    sealed: bytes = age.passphrase.encrypt(whole, code)
    return sealed


def restore(
    path: str | Path,
    passphrase: str | bytes,
    data: bytes,
    code: str,
    *,
    formats: Mapping[str, Format] = FORMATS,
    token: Keyring | None = None,
    entropy: Entropy = secrets.token_bytes,
    device: str = DEVICE,
) -> Restored:
    """A new wallet at `path` with what the backup holds, under a passphrase of its own; all of it, or no file. Nothing
    is ever restored into a wallet that is there. To issuers it is another device than the one that was backed up.

    Raises:
        Malformed: `recovery.*`, `backup.not_age`, `backup.costly_kdf`, `backup.content`.
        Refused: `backup.not_opened` (another code, or a changed file).
        Misuse: `store.exists`, `passphrase.*`. Unavailable: `backup.newer`, `install.extra`, `store.*`.
    """
    age, code = _age(), recovery_code.read(code)
    head = _HEAD.match(data)
    if head is None:
        raise Malformed("backup.not_age", spec="age-encryption.org/v1")
    if int(head[1]) > _WORK:
        raise Malformed("backup.costly_kdf", work=int(head[1]), limit=_WORK)
    try:
        whole: bytes = age.passphrase.decrypt(data, code)
    except age.DecryptError:
        raise Refused("backup.not_opened") from None
    made, records = _read(whole)

    def fill(change: Change) -> None:
        for record in records:
            change.add(record.sort, record.content, id=record.id, parent=record.parent, state=record.state)

    wallet = WalletFile.create(
        path, passphrase, formats=formats, token=token, entropy=entropy, fill=fill, device=device
    )
    return Restored(wallet, made, wallet.bound_elsewhere())


@dataclass(frozen=True, slots=True)
class _Entry:
    sort: Sort
    id: bytes | str
    parent: bytes
    state: int
    content: bytes


def _read(whole: bytes) -> tuple[datetime, list[_Entry]]:
    try:
        fields = Fields(json.read(whole, limit=SIZE, nodes=False))
        if fields.text("format") != _FORM:
            raise Malformed("backup.content")
        version = fields.integer("version")
        if version > _VERSION:
            raise Unavailable("backup.newer", version=version, known=_VERSION)
        entries = [_entry(Fields(entry)) for entry in fields.array("records")]
        return times.read_stamp(fields.text("made")), entries
    except (Malformed, ValueError):
        raise Malformed("backup.content") from None


def _entry(fields: Fields) -> _Entry:
    sort, content = Sort(fields.integer("sort")), base64url.decode(fields.text("content"))
    name: bytes | str = bytes.fromhex(fields.text("id"))
    state = fields.integer("used")
    if sort is Sort.DEVICE:  # two machines would pass for one
        raise Malformed("backup.content")
    about = json.Fields(json.read_object(content)) if sort is not Sort.COPY else None
    # What is found by a name has another one under another key.
    if about is not None and sort is Sort.KEY:
        name = PublicKey(Algorithm(about.text("algorithm")), base64url.decode(about.text("public"))).thumbprint
    elif about is not None and sort in _NAMED:
        name = about.text(_NAMED[sort])
    return _Entry(sort, name, bytes.fromhex(fields.text("parent")), max(state, sort is Sort.COPY), content)


_NAMED: Final = {Sort.OFFER: "id", Sort.PERSON: "name", Sort.VOICE: "name"}


def _age() -> ModuleType:
    try:
        return import_module("pyrage")
    except ImportError:
        raise Unavailable("install.extra", extra="backup") from None
