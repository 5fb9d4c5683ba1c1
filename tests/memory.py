"""Register, sessions and wallet that live in memory: the shapes of `cityid.register`, `.sessions` and `.wallet`, for
walks that are not about storage. They can be told to fail."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from cityid.cards import Device
from cityid.clerks import Clerk
from cityid.credential import Credential, CredentialType, Path, StatusRef, Window
from cityid.edge.software_keys import MemoryKeyring
from cityid.encoding import base64url
from cityid.errors import Fact, Refused, Unavailable
from cityid.log import Tile
from cityid.register import Bits, Checkpoint, Entry, Event, Filter, Issued, Key, State, StatusChange, Voice, check_step
from cityid.sessions import TRIES, Kind, check_key
from cityid.wallet import ME, Card, Copy, Offered, Shown, check_copies


@dataclass
class _Kept:
    value: bytes | None
    until: datetime
    tries: int
    taken: bool = False


@dataclass
class MemorySessions:
    kept: dict[tuple[Kind, str], _Kept] = field(default_factory=dict)
    broken: bool = False

    def put(self, key: str, value: bytes, until: datetime, *, kind: Kind = Kind.SESSION, tries: int = TRIES) -> None:
        check_key(key)
        if self.broken:
            raise Unavailable("store.full", path="memory")
        assert (kind, key) not in self.kept
        self.kept[kind, key] = _Kept(value, until, tries)

    def take(self, key: str, at: datetime, *, kind: Kind = Kind.SESSION) -> bytes:
        kept = self.kept.get((kind, key))
        if kept is None:
            raise Refused("session.unknown")
        if kept.taken or kept.value is None:
            raise Refused("session.spent")
        if at >= kept.until:
            raise Refused("session.expired")
        kept.taken = True
        return kept.value

    def give_back(self, key: str, *, kind: Kind = Kind.SESSION, fault: bool = False) -> bool:
        kept = self.kept.get((kind, key))
        if kept is None or not kept.taken or kept.value is None:
            return False
        if fault and kept.tries < 1:
            kept.value = None
            return False
        kept.tries -= fault
        kept.taken = False
        return True

    def spend(self, key: str, *, kind: Kind = Kind.SESSION) -> None:
        if (kind, key) in self.kept:
            self.kept[kind, key].value = None

    def forget(self, at: datetime) -> int:
        return 0


@dataclass
class MemoryBatch:
    register: MemoryRegister
    by: str
    name: str
    at: datetime
    repeats: bool = False
    rows: tuple[Issued, ...] = ()

    def allot(self, type: CredentialType, n: int) -> tuple[StatusRef, ...]:
        if type.status == "none":
            return ()
        first = self.register.allotted
        self.register.allotted += n
        # far apart, as if drawn: indices next to each other would link the copies of a batch
        return tuple(
            StatusRef("status_list", "https://id.lindau.example/status/1", (first + i) * 7919 % 100_003)
            for i in range(n)
        )

    def record(self, rows: Iterable[Entry]) -> tuple[Issued, ...]:
        made = []
        for row in rows:
            number = f"R-{self.at.year}-{len(self.register.issued) + 1:06}"
            made.append(Issued(
                number, row.type, row.format, row.window, row.copies, row.state, row.deadline, self.name, self.by,
                self.at,
            ))  # fmt: skip
            self.register.issued[number] = made[-1]
            self.event(row.state.value, {"number": number})
        self.rows += tuple(made)
        return tuple(made)

    def _step(self, number: str, state: State, **changes: object) -> Issued:
        row = self.register.find(number)
        check_step(number, row.state, state)
        self.register.issued[number] = replace(row, state=state, **changes)  # type: ignore[arg-type]
        self.event(state.value, {"number": number})
        return self.register.issued[number]

    def approve(self, number: str, by: str, deadline: datetime | None = None) -> Issued:
        return self._step(number, State.OFFERED, approved_by=by, deadline=deadline)

    def issue(self, number: str, holders: Sequence[str], window: Window | None = None, *, device: str = "") -> Issued:
        copies = self.register.find(number).copies
        bound = tuple(replace(copy, holder=h) for copy, h in zip(copies, holders, strict=False))
        return self._step(number, State.ISSUED, copies=bound + copies[len(bound) :])

    def withdraw(self, number: str, why: str) -> Issued:
        return self._step(number, State.WITHDRAWN)

    def set_status(self, refs: Iterable[StatusRef], value: int, why: str, by: str) -> int:
        raise NotImplementedError

    def key(self, key: Key) -> None:
        raise NotImplementedError

    def clerk(self, clerk: Clerk, secret: str = "") -> None:
        raise NotImplementedError

    def voice(self, person: str, secret: str) -> Voice | None:
        raise NotImplementedError

    def enrol(self, voice: Voice, how: str) -> None:
        raise NotImplementedError

    def restored_since(self, at: datetime) -> bool:
        raise NotImplementedError

    def published(self, uri: str, version: int) -> None:
        raise NotImplementedError

    def publication(self, least: int = 0) -> int:
        raise NotImplementedError

    def take_over(self, uri: str, values: Mapping[int, int], why: str) -> int:
        raise NotImplementedError

    def adopt(self, uri: str, bits: int, size: int) -> None:
        raise NotImplementedError

    def restart(self) -> int:
        raise NotImplementedError

    def erase_salts(self, before: datetime) -> int:
        raise NotImplementedError

    def lose(self, start: int, entries: Sequence[bytes]) -> None:
        raise NotImplementedError

    def checkpoint(self, size: int, root: bytes, note: str) -> None:
        raise NotImplementedError

    def event(self, kind: str, facts: Mapping[str, Fact]) -> None:
        self.register.log.append(Event(len(self.register.log) + 1, kind, self.by, self.at, facts))


@dataclass
class MemoryRegister:
    issued: dict[str, Issued] = field(default_factory=dict)
    log: list[Event] = field(default_factory=list)
    batches: dict[str, tuple[str, ...]] = field(default_factory=dict)
    allotted: int = 1
    broken: bool = False

    @contextmanager
    def batch(self, clerk: str, key: str, at: datetime) -> Iterator[MemoryBatch]:
        if self.broken:
            raise Unavailable("store.busy", path="memory")
        before = dict(self.issued), list(self.log), self.allotted
        known = self.batches.get(key)
        batch = MemoryBatch(self, clerk, key, at, known is not None, tuple(map(self.find, known or ())))
        try:
            yield batch
        except BaseException:
            self.issued, self.log, self.allotted = before
            raise
        self.batches[key] = tuple(row.number for row in batch.rows)

    def find(self, number: str) -> Issued:
        if number not in self.issued:
            raise Refused("register.unknown_number", number=number)
        return self.issued[number]

    def rows(
        self,
        *,
        type: str | None = None,
        state: State | None = None,
        holder: str | None = None,
        after: str = "",
        where: Filter | None = None,
    ) -> Iterator[Issued]:
        return (
            row for number, row in self.issued.items()
            if number > after and type in (None, row.type) and state in (None, row.state)
            and (holder is None or holder in row.holders)
        )  # fmt: skip

    def known(self, keys: Iterable[str]) -> Mapping[str, str]:
        return {}

    def claims(self, number: str) -> bytes:
        return b""

    def actions(self, number: str) -> tuple[Event, ...]:
        raise NotImplementedError

    def sequence(self) -> int:
        raise NotImplementedError

    def log_size(self) -> int:
        raise NotImplementedError

    def tile(self, tile: Tile) -> bytes:
        raise NotImplementedError

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        raise NotImplementedError

    def sequenced(self, start: int, end: int) -> Iterator[Event]:
        raise NotImplementedError

    def checkpoint(self) -> Checkpoint | None:
        return None

    def clerks(self) -> Mapping[str, tuple[Clerk, str]]:
        return {}

    def keys(self) -> tuple[Key, ...]:
        return ()

    def publication(self) -> int:
        return 0

    def statistics(self) -> Mapping[str, Mapping[str, int]]:
        return {}

    def history(self, ref: StatusRef) -> tuple[StatusChange, ...]:
        return ()

    def events(self, *, after: int = 0) -> Iterator[Event]:
        return iter(self.log[after:])

    def voice(self, person: str, secret: str) -> Voice | None:
        return None

    def restored_since(self, at: datetime) -> bool:
        return False

    def lists(self) -> tuple[str, ...]:
        return ()

    def bits(self, uri: str) -> Bits:
        raise Refused("register.unknown_list", uri=uri)


@dataclass
class MemoryWallet:
    keyring: MemoryKeyring = field(default_factory=MemoryKeyring)
    cards: dict[str, tuple[Card, list[Credential]]] = field(default_factory=dict)
    used: dict[str, list[Copy]] = field(default_factory=dict)
    offers: dict[str, Offered] = field(default_factory=dict)
    showings: list[Shown] = field(default_factory=list)
    people: list[str] = field(default_factory=lambda: [ME])

    def add(
        self, copies: Sequence[Credential], at: datetime, *, issuer_name: str = "", person: str = ME, offer: str = ""
    ) -> Card:
        check_copies(copies)
        if offer and offer not in self.offers:
            raise Refused("wallet.unknown_offer")
        if person not in self.people:
            raise Refused("wallet.unknown_person", person=person)
        held = self.keyring.keys()
        if any(copy.holder not in held and not copy.proves for copy in copies):
            raise Refused("wallet.key_missing")
        first, kept = copies[0], list(copies)
        made = f"card-{len(self.cards) + 1}"
        self.cards[made] = (
            Card(
                made, first.types[0], first.issuer, issuer_name, first.format, first.window, len(kept), len(kept),
                person, at, lambda: kept[0] if kept else first, offer,
            ),
            kept,
        )  # fmt: skip
        self.offers.pop(offer, None)
        return self.card(made)

    def held(self, *, person: str | None = None) -> Iterable[Card]:
        return [self.card(name) for name in self.cards if person in (None, self.cards[name][0].person)]

    def card(self, id: str) -> Card:
        if id not in self.cards:
            raise Refused("wallet.unknown_card")
        card, kept = self.cards[id]
        return replace(card, copies_left=len(kept))

    def reserve(self, card: str, at: datetime, *, allow_reuse: bool = False) -> Copy:
        if card not in self.cards:
            raise Refused("wallet.unknown_card")
        kept, used = self.cards[card][1], self.used.setdefault(card, [])
        if kept and kept[0].proves:
            return Copy(card, "0", kept[0])
        if not kept and not allow_reuse:
            raise Refused("wallet.no_copy_left", total=len(used))
        copy = Copy(card, str(len(kept)), kept.pop(0)) if kept else replace(used.pop(0), again=True)
        used.append(copy)
        return copy

    def shown(
        self, copy: Copy, to: str, claims: Iterable[Path], at: datetime, *, name: str = "", purpose: str = ""
    ) -> None:
        card = self.card(copy.card)
        self.showings.append(Shown(
            copy.card, copy.id, to, tuple(claims), at, str(len(self.showings)), card.type, card.person, name, purpose,
            copy.again,
        ))  # fmt: skip

    def history(self) -> Iterable[Shown]:
        return self.showings

    def forget(self, card: str) -> int:
        self.card(card)
        del self.cards[card]
        return 0

    def forget_shown(self, id: str) -> None:
        self.showings = [shown for shown in self.showings if shown.id != id]

    def forget_history(self, before: datetime) -> int:
        kept = [shown for shown in self.showings if shown.at >= before]
        gone = len(self.showings) - len(kept)
        self.showings = kept
        return gone

    def persons(self) -> tuple[str, ...]:
        return tuple(self.people)

    def add_person(self, name: str, at: datetime) -> None:
        self.people.append(name)

    def remove_person(self, name: str) -> None:
        self.people.remove(name)

    def device(self, issuer: str, person: str = ME) -> Device:
        return Device("memory", base64url.encode(hashlib.sha256(f"{issuer} {person}".encode()).digest()[:16]))

    def remember_offer(self, id: str, value: bytes, at: datetime) -> None:
        if id in self.offers:
            raise Refused("wallet.offer_begun")
        self.offers[id] = Offered(id, value, at)

    def pending(self) -> Iterable[Offered]:
        return tuple(self.offers.values())

    def forget_offer(self, id: str) -> None:
        if id not in self.offers:
            raise Refused("wallet.unknown_offer")
        del self.offers[id]
