"""The resident's wallet in one file under a passphrase: cards, history, the people it holds cards for, and keys."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cityid import limits, wallet
from cityid.cards import DEVICE_ID, Device, device_name
from cityid.credential import Credential, Window
from cityid.credential import Path as ClaimPath
from cityid.edge.sealed import KEY, Entropy
from cityid.edge.sqlite import Store
from cityid.edge.wallet_keyring import WalletKeyring
from cityid.edge.wallet_mark import Marks
from cityid.edge.wallet_records import NOBODY, Change, Record, Records, Sort
from cityid.encoding import base64url, json, texts
from cityid.encoding.times import numeric, read_numeric
from cityid.errors import CityIdError, Misuse, Refused
from cityid.formats import FORMATS, Format
from cityid.keys import Keyring, PublicKey
from cityid.wallet import DEVICE, ME, Card, Copy, Offered, Shown

__all__ = ["WalletFile", "WalletKeyring"]

_REMEMBERED: Final = 4096
"""Credentials that stay read while the wallet is open."""
_NEXT: Final = "sort = ? AND parent = ? ORDER BY state, seq LIMIT 1"


class WalletFile(Store):
    """A Wallet in one SQLite file of sealed records (`cityid.edge.wallet_records`). Safe to share between threads, and
    between processes that each open it."""

    def __init__(self, records: Records, formats: Mapping[str, Format], token: Keyring | None = None) -> None:
        self._records = records
        self._formats = formats
        self._read: OrderedDict[bytes, Credential] = OrderedDict()
        self._cards: dict[bytes, dict[str, Any]] = {}
        self._keyring = WalletKeyring(records, token)

    @classmethod
    def create(
        cls,
        path: str | Path,
        passphrase: str | bytes,
        *,
        formats: Mapping[str, Format] = FORMATS,
        token: Keyring | None = None,
        entropy: Entropy = secrets.token_bytes,
        fill: Callable[[Change], None] = lambda _: None,
        device: str = DEVICE,
        marks: Marks | None = None,
    ) -> WalletFile:
        """A new wallet, empty unless `fill` puts records into it (a restored backup). With a `token`, fresh keys are
        made there. `device` is how issuers will know it; `marks`: `cityid.edge.wallet_mark`.

        Raises:
            As `Records.create`. Malformed: `device.name`, `text.*`.
        """
        name = device_name(device)

        def begin(change: Change) -> None:
            fill(change)
            _add_device(change, name, entropy)

        return cls(Records.create(Path(path), passphrase, entropy, begin, marks), formats, token)

    @classmethod
    def open(
        cls,
        path: str | Path,
        passphrase: str | bytes,
        *,
        formats: Mapping[str, Format] = FORMATS,
        token: Keyring | None = None,
        entropy: Entropy = secrets.token_bytes,
        marks: Marks | None = None,
    ) -> WalletFile:
        """A wallet that is there. Raises as `Records.unlock`."""
        return cls(Records.unlock(Path(path), passphrase, entropy, marks), formats, token)

    @classmethod
    def open_with(
        cls,
        path: str | Path,
        secret: bytes,
        *,
        formats: Mapping[str, Format] = FORMATS,
        token: Keyring | None = None,
        entropy: Entropy = secrets.token_bytes,
        marks: Marks | None = None,
    ) -> WalletFile:
        """A wallet that is there, with the secret of `keep_for`. Raises as `Records.unlock_with`."""
        return cls(Records.unlock_with(Path(path), secret, entropy, marks), formats, token)

    def change_passphrase(self, passphrase: str | bytes) -> None:
        """Open with `passphrase` from now on. Nothing but the wrapped data key is written, and secrets that were given
        out open nothing any more.

        Raises:
            Misuse: `passphrase.*`. Unavailable: `store.*`.
        """
        self._records.change_passphrase(passphrase)

    def keep_for(self, secret: bytes | None) -> None:
        """Open also with this secret of 32 bytes, which the operating system's keyring may keep; None ends that."""
        self._records.keep_for(secret)

    def close(self) -> None:
        """Forget the keys and what was read."""
        self._records.close()
        self._read.clear()
        self._cards.clear()

    def __repr__(self) -> str:
        return "WalletFile()"

    @property
    def lost_uses(self) -> int:
        """Uses of copies that the file did not know of when it was opened: an old copy of it was put back, and every
        copy in it counts as used now."""
        return self._records.lost_uses

    @property
    def unmarked(self) -> CityIdError | None:
        """Why an old copy of this file could not be noticed, where marks were asked for and could not be kept."""
        return self._records.unmarked

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
            "offer": offer,
        }
        with self._records.change() as change:
            for copy in copies:
                if copy.holder is not None and not self._keyring.has(copy.holder, change):
                    raise Refused("wallet.key_missing", thumbprint=copy.holder.thumbprint)
            self._check_person(change, person)
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
            offer=about.get("offer", ""),  # a wallet of the first version did not say
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
            credential = self._credential(known.format, copy)  # before it counts as used: it must be readable
            if credential.proves:
                return Copy(card, copy.id.hex(), credential)
            if copy.state and not allow_reuse:
                raise Refused("wallet.no_copy_left", total=known.copies_total)
            change.use(copy)
        return Copy(card, copy.id.hex(), credential, again=copy.state > 0)

    def shown(
        self, copy: Copy, to: str, claims: Iterable[ClaimPath], at: datetime, *, name: str = "", purpose: str = ""
    ) -> None:
        card = self.card(copy.card)
        about = {
            "copy": copy.id, "to": to, "claims": [list(path) for path in claims], "at": numeric(at),
            "type": card.type, "person": card.person, "name": name, "purpose": purpose, "again": copy.again,
        }  # fmt: skip
        with self._records.change() as change:
            change.add(Sort.SHOWN, json.write(about), parent=_id(copy.card))

    def history(self) -> tuple[Shown, ...]:
        return tuple(self._shown(record) for record in self._records.select("sort = ?", (Sort.SHOWN,)))

    def _shown(self, record: Record) -> Shown:
        about = json.read_object(self._records.content(record))
        return Shown(
            card=record.parent.hex(),
            copy=about["copy"],
            to=about["to"],
            claims=tuple(tuple(path) for path in about["claims"]),
            at=read_numeric(about["at"]),
            id=record.id.hex(),
            type=about.get("type", ""),  # a wallet of the first version did not say
            person=about.get("person", ME),
            name=about.get("name", ""),
            purpose=about.get("purpose", ""),
            again=about.get("again", False),
        )

    def forget(self, card: str) -> int:
        """As `Wallet.forget`; how many keys of the card are still in a token, which could not be asked."""
        known = self.card(card)
        elsewhere: list[PublicKey] = []
        form = self._formats.get(known.format)
        with self._records.change() as change:
            for copy in change.select("sort = ? AND parent = ?", (Sort.COPY, _id(card))):
                credential = form.read(self._records.content(copy)) if form is not None else None
                if credential is not None and credential.holder is not None:
                    if not self._keyring.is_here(credential.holder):
                        elsewhere.append(credential.holder)
                    self._keyring.remove(credential.holder, change)
                self._read.pop(copy.id, None)
                change.remove(copy)
            for record in change.select("id = ? AND sort = ?", (_id(card), Sort.CARD)):
                change.remove(record)
        self._records.erase()
        return self._keyring.remove_in_token(elsewhere)  # when the card is gone: half of it would sign nothing

    def forget_shown(self, id: str) -> None:
        with self._records.change() as change:
            found = change.select("id = ? AND sort = ?", (_id(id), Sort.SHOWN))
            if not found:
                raise Refused("wallet.unknown_entry", entry=id)
            change.remove(found[0])
        self._records.erase()

    def forget_history(self, before: datetime) -> int:
        with self._records.change() as change:
            found = [record for record in change.select("sort = ?", (Sort.SHOWN,)) if self._shown(record).at < before]
            for record in found:
                change.remove(record)
        self._records.erase()
        return len(found)

    def persons(self) -> tuple[str, ...]:
        found = [json.read_object(self._records.content(r)) for r in self._records.select("sort = ?", (Sort.PERSON,))]
        return (ME, *(about["name"] for about in found))

    def add_person(self, name: str, at: datetime) -> None:
        texts.label(name, "$.person", limits.LABEL)
        place = self._records.name(Sort.PERSON, name)
        with self._records.change() as change:
            if name == ME or change.select("id = ?", (place,)):
                raise Refused("wallet.person_known", person=name)
            change.add(Sort.PERSON, json.write({"name": name, "added": numeric(at)}), id=place)

    def remove_person(self, name: str) -> None:
        with self._records.change() as change:
            found = change.select("id = ?", (self._records.name(Sort.PERSON, name),))
            if not found:
                raise Refused("wallet.unknown_person", person=name)
            cards = [json.read_object(self._records.content(r)) for r in change.select("sort = ?", (Sort.CARD,))]
            count = sum(about["person"] == name for about in cards)
            if count:
                raise Refused("wallet.person_has_cards", person=name, count=count)
            change.remove(found[0])
        self._records.erase()

    def _check_person(self, change: Change, name: str) -> None:
        if name != ME and not change.select("id = ?", (self._records.name(Sort.PERSON, name),)):
            raise Refused("wallet.unknown_person", person=name)

    def everything(self) -> Iterator[tuple[Record, bytes]]:
        """All records with their contents, as they are at one moment: what a backup is made of."""
        for record in self._records.select("sort <> ?", (Sort.DEVICE,)):
            yield record, self._records.content(record)

    def bound_elsewhere(self) -> tuple[Card, ...]:
        """The cards that no key of this file signs for: theirs lie in a token."""
        return tuple(card for card in self.held() if self._elsewhere(card))

    def _elsewhere(self, card: Card) -> bool:
        holder = card.credential.holder
        return holder is not None and not self._keyring.is_here(holder)

    def device(self, issuer: str, person: str = ME) -> Device:
        found = self._records.select("sort = ?", (Sort.DEVICE,))
        if not found:  # a wallet of the first versions
            with self._records.change() as change:
                found = change.select("sort = ?", (Sort.DEVICE,)) or [
                    _add_device(change, DEVICE, self._records.entropy)
                ]
        about = json.read_object(self._records.content(found[0]))
        key, whom = base64url.decode(about["secret"]), json.write([issuer, person])
        id_ = hashlib.blake2b(whom, key=key, digest_size=DEVICE_ID).digest()
        return Device(about["name"], base64url.encode(id_))

    def voice(self, issuer: str, person: str = ME, *, make: Callable[[], bytes] | None = None) -> bytes:
        """The secret of a person's voice at `issuer`, in the form of `polls`; what `make` gives where there is none.

        Raises:
            Refused: `polls.no_secret`, without `make`; `wallet.unknown_person`.
        """
        named = json.write([issuer, person]).decode("utf-8")
        with self._records.change() as change:
            self._check_person(change, person)
            found = change.select("id = ?", (self._records.name(Sort.VOICE, named),))
            if found:
                return base64url.decode(json.read_object(self._records.content(found[0]))["value"])
            if make is None:
                raise Refused("polls.no_secret", issuer=issuer)
            value = make()
            change.add(Sort.VOICE, json.write({"name": named, "value": base64url.encode(value)}), id=named)
        return value

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


def _add_device(change: Change, name: str, entropy: Entropy) -> Record:
    about = {"name": name, "secret": base64url.encode(entropy(KEY))}
    return change.add(Sort.DEVICE, json.write(about))


def _id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return NOBODY
