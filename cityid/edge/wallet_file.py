"""The resident's wallet in one file under a passphrase, with the holder's keys in it."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cityid import wallet
from cityid.credential import Credential, Window
from cityid.credential import Path as ClaimPath
from cityid.edge import software_keys
from cityid.edge.sealed import Entropy
from cityid.edge.sqlite import Store
from cityid.edge.wallet_records import NOBODY, Change, Record, Records, Sort
from cityid.encoding import base64url, json
from cityid.encoding.times import numeric, read_numeric
from cityid.errors import Misuse, Refused
from cityid.formats import FORMATS, Format
from cityid.keys import Algorithm, KeyAgreement, PublicKey, Signer
from cityid.wallet import ME, Card, Copy, Offered, Shown

__all__ = ["WalletFile", "WalletKeyring"]

_REMEMBERED: Final = 4096
"""Credentials that stay read while the wallet is open."""
_NEXT: Final = "sort = ? AND parent = ? ORDER BY state, seq LIMIT 1"


class WalletFile(Store):
    """A Wallet in one SQLite file of sealed records (`cityid.edge.wallet_records`). Safe to share between threads, and
    between processes that each open it."""

    def __init__(self, records: Records, formats: Mapping[str, Format]) -> None:
        self._records = records
        self._formats = formats
        self._read: OrderedDict[bytes, Credential] = OrderedDict()
        self._cards: dict[bytes, dict[str, Any]] = {}
        self._keyring = WalletKeyring(records)

    @classmethod
    def create(
        cls,
        path: str | Path,
        passphrase: str | bytes,
        *,
        formats: Mapping[str, Format] = FORMATS,
        entropy: Entropy = secrets.token_bytes,
    ) -> WalletFile:
        """A new, empty wallet. Raises as `Records.create`."""
        return cls(Records.create(Path(path), passphrase, entropy), formats)

    @classmethod
    def open(
        cls,
        path: str | Path,
        passphrase: str | bytes,
        *,
        formats: Mapping[str, Format] = FORMATS,
        entropy: Entropy = secrets.token_bytes,
    ) -> WalletFile:
        """A wallet that is there. Raises as `Records.unlock`."""
        return cls(Records.unlock(Path(path), passphrase, entropy), formats)

    def close(self) -> None:
        """Forget the keys and what was read."""
        self._records.close()
        self._read.clear()
        self._cards.clear()

    def __repr__(self) -> str:
        return "WalletFile()"

    @property
    def keyring(self) -> WalletKeyring:
        return self._keyring

    def add(
        self,
        copies: Sequence[Credential],
        at: datetime,
        *,
        issuer_name: str = "",
        person: str = ME,
        offer: str = "",
    ) -> Card:
        wallet.check_copies(copies)
        first = copies[0]
        about = {
            "type": first.types[0] if first.types else "",
            "issuer": first.issuer,
            "issuer_name": issuer_name,
            "format": first.format,
            "start": None if first.window.start is None else numeric(first.window.start),
            "end": None if first.window.end is None else numeric(first.window.end),
            "person": person,
            "added": numeric(at),
        }
        with self._records.change() as change:
            for copy in copies:
                if copy.holder is not None and not self._keyring.has(copy.holder, change):
                    raise Refused("wallet.key_missing", thumbprint=copy.holder.thumbprint)
            if offer:
                change.remove(self._offer(change, offer))
            card = change.add(Sort.CARD, json.write(about))
            for copy in copies:
                change.add(Sort.COPY, copy.raw, parent=card.id)
        return self._card(card, len(copies), len(copies))

    def held(self, *, person: str | None = None) -> tuple[Card, ...]:
        with self._records.database.read() as rows:
            counts = {
                parent: (left, total)
                for parent, left, total in rows.execute(
                    "SELECT parent, sum(state = 0), count(*) FROM records WHERE sort = ? GROUP BY parent", (Sort.COPY,)
                )
            }
        # A card that another process added after the counting has no counts yet: it comes with the next look.
        found = [record for record in self._records.select("sort = ?", (Sort.CARD,)) if record.id in counts]
        cards = [self._card(record, *counts[record.id]) for record in found]
        return tuple(card for card in cards if person is None or card.person == person)

    def card(self, id: str) -> Card:
        record = self._records.find(_id(id))
        if record is None or record.sort != Sort.CARD:
            raise Refused("wallet.unknown_card", card=id)
        with self._records.database.read() as rows:
            left, total = rows.execute(
                "SELECT sum(state = 0), count(*) FROM records WHERE sort = ? AND parent = ?", (Sort.COPY, record.id)
            ).fetchone()
        return self._card(record, left, total)

    def _card(self, record: Record, left: int, total: int) -> Card:
        about = self._cards.get(record.id)
        if about is None:
            about = self._cards[record.id] = json.read_object(self._records.content(record))
        name, start, end = about["format"], about["start"], about["end"]
        return Card(
            id=record.id.hex(),
            type=about["type"],
            issuer=about["issuer"],
            issuer_name=about["issuer_name"],
            format=name,
            window=Window(None if start is None else read_numeric(start), None if end is None else read_numeric(end)),
            copies_left=left,
            copies_total=total,
            person=about["person"],
            added=read_numeric(about["added"]),
            read=lambda: self._credential(name, self._records.select(_NEXT, (Sort.COPY, record.id))[0]),
        )

    def _credential(self, name: str, copy: Record) -> Credential:
        known = self._read.get(copy.id)
        if known is not None:
            return known
        form = self._formats.get(name)
        if form is None:
            raise Misuse("format.unknown", format=name)
        credential = form.read(self._records.content(copy))
        self._read[copy.id] = credential
        while len(self._read) > _REMEMBERED:
            self._read.popitem(last=False)
        return credential

    def reserve(self, card: str, at: datetime, *, allow_reuse: bool = False) -> Copy:
        known = self.card(card)
        with self._records.change() as change:
            copy = change.select(_NEXT, (Sort.COPY, _id(card)))[0]
            if copy.state and not allow_reuse:
                raise Refused("wallet.no_copy_left", total=known.copies_total)
            credential = self._credential(known.format, copy)  # before it counts as used: it must be readable
            change.use(copy)
        return Copy(card, copy.id.hex(), credential, again=copy.state > 0)

    def shown(self, copy: Copy, to: str, claims: Iterable[ClaimPath], at: datetime) -> None:
        about = {"copy": copy.id, "to": to, "claims": [list(path) for path in claims], "at": numeric(at)}
        with self._records.change() as change:
            change.add(Sort.SHOWN, json.write(about), parent=_id(copy.card))

    def history(self) -> tuple[Shown, ...]:
        found = []
        for record in self._records.select("sort = ?", (Sort.SHOWN,)):
            about = json.read_object(self._records.content(record))
            claims = tuple(tuple(path) for path in about["claims"])
            found.append(Shown(record.parent.hex(), about["copy"], about["to"], claims, read_numeric(about["at"])))
        return tuple(found)

    def remember_offer(self, id: str, value: bytes, at: datetime) -> None:
        about = {"id": id, "value": base64url.encode(value), "at": numeric(at)}
        name = self._records.name(Sort.OFFER, id)
        with self._records.change() as change:
            if change.select("id = ?", (name,)):
                raise Refused("wallet.offer_begun")
            change.add(Sort.OFFER, json.write(about), id=name)

    def pending(self) -> tuple[Offered, ...]:
        found = []
        for record in self._records.select("sort = ?", (Sort.OFFER,)):
            about = json.read_object(self._records.content(record))
            found.append(Offered(about["id"], base64url.decode(about["value"]), read_numeric(about["at"])))
        return tuple(found)

    def forget_offer(self, id: str) -> None:
        with self._records.change() as change:
            change.remove(self._offer(change, id))

    def _offer(self, change: Change, id: str) -> Record:
        found = change.select("id = ?", (self._records.name(Sort.OFFER, id),))
        if not found:
            raise Refused("wallet.unknown_offer")
        return found[0]


class WalletKeyring:
    """The holder's keys, sealed records of the same file. A key is durable before its public half is known."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def create(self, algorithm: Algorithm) -> PublicKey:
        secret = software_keys.new_secret(algorithm, self._records.entropy)
        key = software_keys.load(algorithm, secret).public_key
        about = {
            "algorithm": algorithm.value,
            "public": base64url.encode(key.raw),
            "secret": base64url.encode(secret),
        }
        with self._records.change() as change:
            change.add(Sort.KEY, json.write(about), id=self._records.name(Sort.KEY, key.thumbprint))
        return key

    def signer(self, key: PublicKey) -> Signer:
        """Raises Misuse: `keys.unknown`, `keys.wrong_kind` (a key that only agrees on secrets)."""
        held = self._load(key)
        if not isinstance(held, Signer):
            raise Misuse("keys.wrong_kind", algorithm=key.algorithm.value)
        return held

    def agreement(self, key: PublicKey) -> KeyAgreement:
        """Raises Misuse: `keys.unknown`, `keys.wrong_kind` (a key that only signs)."""
        held = self._load(key)
        if not isinstance(held, KeyAgreement):
            raise Misuse("keys.wrong_kind", algorithm=key.algorithm.value)
        return held

    def keys(self) -> tuple[PublicKey, ...]:
        found = [json.read_object(self._records.content(r)) for r in self._records.select("sort = ?", (Sort.KEY,))]
        return tuple(PublicKey(Algorithm(about["algorithm"]), base64url.decode(about["public"])) for about in found)

    def has(self, key: PublicKey, change: Change) -> bool:
        """Whether the private half of `key` is here."""
        return bool(change.select("id = ?", (self._records.name(Sort.KEY, key.thumbprint),)))

    def _load(self, key: PublicKey) -> Signer | KeyAgreement:
        record = self._records.find(self._records.name(Sort.KEY, key.thumbprint))
        if record is None:
            raise Misuse("keys.unknown", thumbprint=key.thumbprint)
        about = json.read_object(self._records.content(record))
        return software_keys.load(Algorithm(about["algorithm"]), base64url.decode(about["secret"]))

    def __repr__(self) -> str:
        return "WalletKeyring()"


def _id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return NOBODY
