"""City hall's job for many: a chunk of a table, offered or signed in a few statements, once however often it is done.

A row has a key, which the register keeps for ever, and a chunk has a name: a chunk that is done again, because whoever
did it was killed, finds what it recorded and makes the same offers and cards for the same status entries. Recorded is
before anything leaves the house. Codes come from the seed of a run, so that they can be made again until it is over.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import product
from typing import Final, Protocol

from cityid.cards import Offer
from cityid.credential import CredentialType, Window
from cityid.credential_type import Prepared
from cityid.encoding import base64url, json
from cityid.errors import Malformed, Problem, Refused
from cityid.issuing import APPROVAL_AGE, HeldCard, Issuer
from cityid.keys import PublicKey, jwk
from cityid.register import Batch, Entry, Issued, IssuedCopy, State, copies_of, in_batch
from cityid.sessions import TRIES, Kind

__all__ = ["Bulk", "ManySessions", "Person", "Signed", "code_of", "differs", "holder_of", "read_code", "show_code"]

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: nothing in it is taken for something else, and it is read back in either case."""
_PAIRS: Final = [low + high for high, low in product(_LETTERS, repeat=2)]
_TYPED: Final = str.maketrans("OIL", "011", " -\u2010\u2013")
_CODE: Final = 26
"""Characters of a code: 130 bits; four more tell whether it was typed wrong."""
_CHECK: Final = 4
_GROUP: Final = 5
_AGAIN: Final = 5
"""How often a chunk is begun again when another run records the same rows at the same time."""

Entropy = Callable[[int], bytes]


class ManySessions(Protocol):
    """Sessions that take many values in one transaction (`cityid.edge.database.StoredSessions`)."""

    def put_many(
        self, values: Iterable[tuple[str, bytes]], until: datetime, *, kind: Kind = Kind.SESSION, tries: int = TRIES
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Person:
    """A row that was checked. `key` names it for ever (`CitySecret.row`); `typed` is what was typed, as canonical JSON;
    `digest` and `subject` are those of `cityid.register.Entry`; `holder` is the key to sign for, where there is one."""

    line: int
    key: str
    prepared: Prepared
    typed: bytes = field(repr=False)
    digest: str = ""
    subject: str = ""
    holder: PublicKey | None = None

    @property
    def window(self) -> Window:
        return Window(self.prepared.start, self.prepared.end)


@dataclass(frozen=True, slots=True)
class Signed:
    """A card that was signed for a row."""

    person: Person
    number: str
    raw: bytes = field(repr=False)


class _NothingNew(Exception):  # ends a transaction without a trace
    pass


@dataclass(frozen=True, slots=True)
class Bulk:
    """One run over a table. `name` is drawn for it, as is `seed` (32 bytes), which nobody keeps when the run is over.
    `until` is when its offers lapse, `department` whose records they are. With `four_eyes` the rows are first asked for
    (`request`), and only those that another clerk has approved since are offered or signed."""

    issuer: Issuer
    sessions: ManySessions
    type: str
    name: str
    by: str
    until: datetime
    seed: bytes = field(repr=False)
    department: str = ""
    format: str = "dc+sd-jwt"
    four_eyes: bool = False

    def check(self, at: datetime) -> CredentialType:
        """`Issuer.check`; that a second clerk must approve is seen to here with `four_eyes`. Raises as it."""
        issuer = replace(self.issuer, four_eyes=frozenset()) if self.four_eyes else self.issuer
        return issuer.check(self.type, self.format, at)

    def request(
        self, people: Sequence[Person], chunk: int, at: datetime, *, signed: bool
    ) -> list[tuple[Person, Issued]]:
        """The row of each of `people` that this run records, or has recorded in this chunk: it waits for a second
        clerk. Nothing is signed and no code is made. With `signed` it is for one copy, for the holder's key. Raises as
        `offer`."""
        copies = 1 if signed else self.issuer.copies(self.check(at), self.format)
        return self._record(people, chunk, at, State.PENDING, copies)

    def offer(self, people: Sequence[Person], chunk: int, at: datetime) -> list[tuple[Person, str, Offer]]:
        """An offer and its number for each of `people` that this run records, or has recorded in this chunk; nothing
        for those that were issued before, or whose offer was taken meanwhile.

        Raises:
            As `Issuer.check`; with `four_eyes` Refused `bulk.not_approved`, `bulk.not_as_approved`; Unavailable:
            `store.*`.
        """
        kind = self.check(at)
        made = []
        kept = []
        copies = self.issuer.copies(kind, self.format)
        if self.four_eyes:
            recorded = self._approved(people, chunk, at)
        else:
            recorded = self._record(people, chunk, at, State.OFFERED, copies)
        for person, row in recorded:
            if row.state is not State.OFFERED:
                continue
            code = code_of(self.seed, person.key)
            nonce = base64url.encode(hmac.digest(self.seed, b"nonce\0" + person.key.encode(), "sha256")[:18])
            card = HeldCard(
                row.number, self.by, self.type, self.format, copies, nonce, person.prepared, row.status,
                person.typed.decode("utf-8"),
            )  # fmt: skip
            kept.append((code, card.write()))
            made.append((person, row.number, self.issuer.offer_of(card, code, self.until)))
        if kept:
            self.sessions.put_many(kept, self.until, kind=Kind.OFFER, tries=TRIES - 1)
        return made

    def sign(
        self, people: Sequence[Person], chunk: int, at: datetime, *, entropy: Entropy = secrets.token_bytes
    ) -> list[Signed]:
        """A card for the key of each of `people`, one copy, as `offer` has it.

        Raises:
            As `offer`; Unavailable: `keys.unavailable`.
        """
        kind = self.check(at)
        form, issuer = self.issuer.formats[self.format], self.issuer
        if self.four_eyes:
            recorded = self._issue(self._approved(people, chunk, at), chunk, at)
        else:
            recorded = self._record(people, chunk, at, State.ISSUED, 1)
        drafts = [
            issuer.draft(kind, self.format, person.prepared.claims, person.holder, row.window, row.status[:1])
            for person, row in recorded
        ]
        signed = form.issue_many(drafts, issuer.pen(kind, self.format), at=at, entropy=entropy)
        return [Signed(person, row.number, raw) for (person, row), raw in zip(recorded, signed, strict=True)]

    def _approved(self, people: Sequence[Person], chunk: int, at: datetime) -> list[tuple[Person, Issued]]:
        """The rows of this chunk as they stand, those that were asked for. What they would say now must be what was
        approved: whoever asked has the table, and could change it."""

        def work(batch: Batch) -> tuple[Issued, ...]:
            if not batch.repeats:
                raise _NothingNew
            return batch.rows

        try:
            recorded = in_batch(self.issuer.register, self.by, self._key(chunk), at, work)
        except _NothingNew:
            return []
        found = self._of(people, recorded)
        for person, row in found:
            if row.state is State.PENDING:
                raise Refused("bulk.not_approved", number=row.number)
            holders = (person.holder.thumbprint,) if person.holder else ()
            # An offer that was taken meanwhile is for keys that nobody knew before.
            same = row.holders == holders or (row.state is State.ISSUED and not holders)
            if not same or (row.digest, row.subject, row.format) != (person.digest, person.subject, self.format):
                raise Refused("bulk.not_as_approved", number=row.number, line=person.line)
        return found

    def _issue(
        self, approved: Sequence[tuple[Person, Issued]], chunk: int, at: datetime
    ) -> list[tuple[Person, Issued]]:
        """Approved rows become issued ones, for the keys that were approved."""
        waiting = [(person, row) for person, row in approved if row.state is State.OFFERED]

        def work(batch: Batch) -> tuple[Issued, ...]:
            if batch.repeats:
                return batch.rows
            if not waiting:
                raise _NothingNew
            return tuple(batch.issue(row.number, row.holders, person.window) for person, row in waiting)

        try:
            issued = in_batch(self.issuer.register, self.by, f"{self._key(chunk)}:signed", at, work)
        except _NothingNew:
            return []
        rows = {row.number: row for row in issued}
        return [(person, rows[row.number]) for person, row in approved if row.number in rows]

    def _key(self, chunk: int) -> str:
        return f"bulk:{self.name}:{chunk}"

    def _of(self, people: Sequence[Person], recorded: Sequence[Issued]) -> list[tuple[Person, Issued]]:
        """Which of all those that are known are in `recorded`."""
        rows = {row.number: row for row in recorded}
        known = self.issuer.register.known(person.key for person in people)
        return [(person, rows[known[person.key]]) for person in people if known.get(person.key, "") in rows]

    def _record(
        self, people: Sequence[Person], chunk: int, at: datetime, state: State, copies: int
    ) -> list[tuple[Person, Issued]]:
        """The rows that this chunk records, or recorded when it was done before."""
        fresh = people
        for _ in range(_AGAIN):
            try:
                recorded, first = self._batch(fresh, chunk, at, state, copies)
            except _NothingNew:
                return []
            except Refused as error:
                if error.code != "register.row_key_used":
                    raise
                # Recorded before, or by another run at this moment: only the others are new.
                known = self.issuer.register.known(person.key for person in people)
                fresh = [person for person in people if person.key not in known]
                continue
            if not first:  # done before
                return self._of(people, recorded)
            return list(zip(fresh, recorded, strict=True))
        raise Refused("bulk.contended", chunk=chunk)

    def _batch(
        self, fresh: Sequence[Person], chunk: int, at: datetime, state: State, copies: int
    ) -> tuple[tuple[Issued, ...], bool]:
        kind, keeps = self.issuer.types[self.type], self.issuer.keeps_claims
        deadline = {State.OFFERED: self.until, State.PENDING: at + APPROVAL_AGE}.get(state)

        def work(batch: Batch) -> tuple[tuple[Issued, ...], bool]:
            if batch.repeats:
                return batch.rows, False
            if not fresh:
                raise _NothingNew
            refs = batch.allot(kind, copies * len(fresh))
            none = copies_of((), copies)
            entries = []
            for place, person in enumerate(fresh):
                own, holder = refs[place * copies : (place + 1) * copies], person.holder
                if holder is not None:
                    made: tuple[IssuedCopy, ...] = (IssuedCopy(holder.thumbprint, own),)
                else:
                    made = copies_of(own, copies) if own else none
                entries.append(
                    Entry(
                        self.type, self.format, person.window, made, state, deadline, person.key, person.subject,
                        person.digest, self.department, json.write(person.prepared.claims) if keeps else b"",
                    )
                )  # fmt: skip
            return batch.record(entries), True

        return in_batch(self.issuer.register, self.by, self._key(chunk), at, work)


def holder_of(value: json.Json, issuer: Issuer, where: str = "$.holder_jwk") -> PublicKey | Problem:
    """The key that a row says its card is for, as JSON or as the text of a cell; or what is wrong with it."""
    try:
        found = json.read_object(value, where=where) if isinstance(value, str) else json.Fields(value, where).value
        key = jwk.read(found, where)
    except Malformed as error:
        return error.problem
    if key.algorithm not in issuer.algorithms:
        return Problem("table.holder_algorithm", {"algorithm": key.algorithm.value}, where)
    if key == issuer.signer.public_key:
        return Problem("table.holder_is_issuer", where=where)
    return key


def code_of(seed: bytes, key: str) -> str:
    """The code of a row's offer, in letters that can be typed."""
    number = int.from_bytes(hmac.digest(seed, b"code\0" + key.encode(), "sha256"), "big")
    code = _letters(number, _CODE)
    return code + _check(code)


def _check(code: str) -> str:
    return _letters(int.from_bytes(hashlib.sha256(code.encode()).digest(), "big"), _CHECK)


def _letters(number: int, count: int) -> str:
    """Five bits a letter, the lowest first, two letters at a time."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(0, 5 * count, 10)])


def show_code(code: str) -> str:
    """A code as it is printed, in groups."""
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))


def read_code(typed: str) -> str:
    """The code that somebody typed from a letter.

    Raises:
        Malformed: `offer.code`.
    """
    code = typed.upper().translate(_TYPED)
    # One of another length has something else behind its first letters than the four that check them.
    if not set(code) <= set(_LETTERS) or _check(code[:_CODE]) != code[_CODE:]:
        raise Malformed("offer.code")
    return code


def differs(people: Sequence[Person], issuer: Issuer) -> Mapping[str, list[Person]]:
    """How rows stand to the register: `new`, `same` (issued under this key, with these values) or `changed`."""
    found: dict[str, list[Person]] = {"new": [], "same": [], "changed": []}
    known = issuer.register.known(person.key for person in people)
    for person in people:
        number = known.get(person.key)
        if number is None:
            found["new"].append(person)
        else:
            found["same" if issuer.register.find(number).digest == person.digest else "changed"].append(person)
    return found
