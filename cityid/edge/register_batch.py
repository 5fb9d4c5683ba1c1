"""One transaction on the register (`cityid.register.Batch`), in SQLite as in PostgreSQL.

Its caller holds the one right to write, so what is read here is still true when it is written; UNIQUE constraints stand
behind that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from cityid.clerks import Clerk
from cityid.credential import CredentialType, StatusRef, Window
from cityid.edge.register_actions import Actions
from cityid.edge.register_log import erase, lose
from cityid.edge.register_record import Free, Settings, check, key_of, record
from cityid.edge.register_rows import (
    KIND,
    RESTORED,
    VOICE,
    card_of,
    marks,
    pages,
    read_rows,
    restored_since,
    seconds,
    voice_of,
)
from cityid.edge.sql import Link
from cityid.encoding.times import numeric
from cityid.errors import Fact, Misuse, Refused, Unavailable
from cityid.register import Entry, Issued, Key, State, Voice, check_change, check_step, check_text

_DRAWS: Final = 400
"""Rounds of drawing: one index in eight is free at least, so this many fail together once in 10^23."""
_GAP: Final = 1_000_000
"""Numbers that are left out after a restore: more than a lost register can have given out since its backup, and than
one gives out in a minute."""


class StoredBatch:
    """One transaction on a stored register."""

    def __init__(self, link: Link, clerk: str, key: str, at: datetime, settings: Settings) -> None:
        self._link: Link | None = link
        self._clerk = clerk
        self._at = at
        self._now = numeric(at)
        self._settings = settings
        digest = key_of(key)
        found = link.execute("SELECT id FROM batches WHERE key = ?", (digest,)).fetchone()
        self.repeats = found is not None
        self._id: int = found[0] if found else self._last(link, "batches") + 1
        if found is None:
            link.execute(
                "INSERT INTO batches (id, key, clerk, at) VALUES (?, ?, ?, ?)", (self._id, digest, clerk, self._now)
            )
        self._actions = Actions(self._id, clerk, self._now, settings.entropy)
        self._free: Free = {}

    def finish(self) -> None:
        """Write what was done, before the transaction is committed."""
        if not self.repeats:
            self._burn(self._reading())
            self._actions.write(self._reading())

    def _burn(self, link: Link) -> None:
        """Write the entries that were drawn and are nobody's yet."""
        link.add("entries", ("list", "idx"), list(self._free))
        self._free.clear()

    def end(self) -> None:
        self._link = None

    def _reading(self) -> Link:
        if self._link is None:
            raise Misuse("register.batch_over")
        return self._link

    def _writing(self) -> Link:
        if self.repeats:
            raise Misuse("register.key_used")
        return self._reading()

    @staticmethod
    def _last(link: Link, table: str) -> int:
        (last,) = link.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()  # noqa: S608  # our own words
        return int(last)

    @property
    def rows(self) -> tuple[Issued, ...]:
        link = self._reading()
        found = link.execute("SELECT card FROM moved WHERE batch = ? ORDER BY card", (self._id,)).fetchall()
        return tuple(row for page in pages(card for (card,) in found) for row in read_rows(link, page))

    # -- status entries --

    def allot(self, type: CredentialType, n: int) -> tuple[StatusRef, ...]:
        link = self._writing()
        if type.status == "none":
            return ()
        if not self._settings.status_base:
            raise Misuse("register.no_status_base")
        refs: list[StatusRef] = []
        while len(refs) < n:
            list_id, uri, size, used = self._open_list(link)
            self._actions.lists[list_id] = None
            room = size - size // 8 - used
            if room <= 0:
                # The last eighth stays empty: free indices are found quickly, and a full list tells nothing.
                link.execute("UPDATE lists SET open = 0 WHERE id = ?", (list_id,))
                continue
            wanted = min(room, n - len(refs))
            refs += [StatusRef(KIND, uri, index) for index in self._draw(link, list_id, size, wanted)]
            link.execute("UPDATE lists SET used = used + ? WHERE id = ?", (wanted, list_id))
        return tuple(refs)

    def _open_list(self, link: Link) -> tuple[int, str, int, int]:
        wanted = "SELECT id, uri, size, used FROM lists WHERE open = 1"
        found = link.execute(wanted).fetchone()
        if found is None:
            last = self._last(link, "lists")
            epoch = link.execute("SELECT last FROM counters WHERE name = 'epoch'").fetchone()
            name = f"{last + 1}-{epoch[0]:08x}" if epoch else str(last + 1)
            link.execute(
                "INSERT INTO lists (id, uri, bits, size) VALUES (?, ?, ?, ?)",
                (last + 1, f"{self._settings.status_base}/{name}", self._settings.bits, self._settings.size),
            )
            found = link.execute(wanted).fetchone()
        return found  # type: ignore[no-any-return]  # the four columns

    def _draw(self, link: Link, list_id: int, size: int, wanted: int) -> list[int]:
        """As many free indices, each equally likely."""
        drawn: list[int] = []
        for _ in range(_DRAWS):
            missing = wanted - len(drawn)
            tries = dict.fromkeys(int.from_bytes(self._settings.entropy(8), "big") % size for _ in range(missing))
            for page in pages(tries):
                taken = {
                    index
                    for (index,) in link.execute(
                        f"SELECT idx FROM entries WHERE list = ? AND idx IN ({marks(page)})",  # noqa: S608  # our own words, values are bound
                        (list_id, *page),
                    )
                }
                free = [index for index in page if index not in taken and (list_id, index) not in self._free]
                # They are written with their cards; the primary key says no where this went wrong.
                self._free.update(dict.fromkeys((list_id, index) for index in free))
                drawn += free
            if len(drawn) == wanted:
                return drawn
        raise Unavailable("register.no_chance", draws=_DRAWS)

    def set_status(self, refs: Iterable[StatusRef], value: int, why: str, by: str) -> int:
        link = self._writing()
        self._burn(link)
        check_text("why", why)
        check_text("clerk", by)
        wanted: dict[str, dict[int, None]] = {}
        for ref in refs:
            wanted.setdefault(ref.uri, {})[ref.index] = None
        # All are judged before the first is written: half a revocation must not be.
        changes: dict[tuple[int, str], list[int]] = {}
        cards: dict[int, int] = {}
        for uri, indices in wanted.items():
            found = link.execute("SELECT id, bits FROM lists WHERE uri = ?", (uri,)).fetchone()
            if found is None:
                raise Refused("register.unknown_entry", uri=uri, index=next(iter(indices)))
            list_id, bits = found
            if not 0 <= value < 1 << bits:
                raise Misuse("register.status_value", value=value, bits=bits)
            for page in pages(indices):
                known = {
                    index: (now, card)
                    for index, now, card in link.execute(
                        f"SELECT idx, value, card FROM entries WHERE list = ? AND idx IN ({marks(page)})",  # noqa: S608  # our own words, values are bound
                        (list_id, *page),
                    )
                }
                for index in page:
                    if index not in known:
                        raise Refused("register.unknown_entry", uri=uri, index=index)
                    now, card = known[index]
                    check_change(now, value)
                    if now != value:
                        changes.setdefault((list_id, uri), []).append(index)
                        if card is not None:
                            cards[card] = cards.get(card, 0) + 1
        for (list_id, _), changed in changes.items():
            self._change(link, list_id, changed, value, why, by)
        for page in pages(cards):
            for card, row in zip(sorted(page), read_rows(link, sorted(page)), strict=True):
                facts: dict[str, Fact] = {"number": row.number, "value": value, "changed": cards[card], "by": by}
                self._actions.add("status", facts, "cards", card)
        return sum(map(len, changes.values()))

    def _change(self, link: Link, list_id: int, indices: Sequence[int], value: int, why: str, by: str) -> None:
        last = self._last(link, "changes")
        self._actions.lists[list_id] = None
        link.many(
            "UPDATE entries SET value = ? WHERE list = ? AND idx = ?", [(value, list_id, index) for index in indices]
        )
        link.execute("UPDATE lists SET version = version + ? WHERE id = ?", (len(indices), list_id))
        link.many(
            "INSERT INTO changes (id, list, idx, value, why, clerk, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(last + n, list_id, index, value, why, by, self._now) for n, index in enumerate(indices, 1)],
        )

    # -- rows --

    def record(self, rows: Iterable[Entry]) -> tuple[Issued, ...]:
        link = self._writing()
        entries = list(rows)
        check(link, entries)
        year = f"{self._at.astimezone(UTC).year:04d}"
        found = link.execute("SELECT last FROM counters WHERE name = ?", (year,)).fetchone()
        last = found[0] if found else 0
        self._count(link, year, last + len(entries))
        first = self._last(link, "cards") + 1
        return record(link, self._settings, self._actions, self._at, entries, last, first, self._free)

    def approve(self, number: str, by: str, deadline: datetime | None = None) -> Issued:
        card, row = self._find(number)
        check_step(row.number, row.state, State.OFFERED)
        if row.clerk == by:
            raise Refused("register.same_clerk", number=number, clerk=by)
        kept = row.deadline if deadline is None else deadline
        self._writing().execute(
            "UPDATE cards SET approved_by = ?, deadline = ? WHERE id = ?",
            (check_text("clerk", by), seconds(kept), card),
        )
        return self._move(card, row, State.OFFERED, "approve", by=by)

    def issue(self, number: str, holders: Sequence[str], window: Window | None = None, *, device: str = "") -> Issued:
        card, row = self._find(number)
        if not 1 <= len(holders) <= len(row.copies):
            raise Misuse("register.holder_count", number=number, count=len(holders), prepared=len(row.copies))
        check_step(row.number, row.state, State.ISSUED)
        link = self._writing()
        link.many(
            "UPDATE copies SET holder = ? WHERE card = ? AND position = ?",
            [(holder, card, position) for position, holder in enumerate(holders)],
        )
        kept = window or row.window
        link.execute(
            "UPDATE cards SET starts = ?, ends = ?, device = ? WHERE id = ?",
            (seconds(kept.start), seconds(kept.end), check_text("device", device), card),
        )
        return self._move(card, row, State.ISSUED, "issue", copies=len(holders))

    def withdraw(self, number: str, why: str) -> Issued:
        card, row = self._find(number)
        check_step(row.number, row.state, State.WITHDRAWN)
        self._writing().execute("UPDATE cards SET why = ? WHERE id = ?", (check_text("why", why), card))
        return self._move(card, row, State.WITHDRAWN, "withdraw")

    def _find(self, number: str) -> tuple[int, Issued]:
        link = self._writing()
        card = card_of(link, number)
        return card, read_rows(link, [card])[0]

    def _move(self, card: int, row: Issued, then: State, kind: str, **facts: Fact) -> Issued:
        link = self._writing()
        link.execute("UPDATE cards SET state = ? WHERE id = ?", (then.value, card))
        link.execute("INSERT INTO moved (batch, card) VALUES (?, ?) ON CONFLICT DO NOTHING", (self._id, card))
        self._actions.add(kind, {"number": row.number, **facts}, "cards", card)
        return read_rows(link, [card])[0]

    # -- actions --

    def event(self, kind: str, facts: Mapping[str, Fact]) -> None:
        self._writing()
        self._actions.add(kind, dict(facts))

    def checkpoint(self, size: int, root: bytes, note: str) -> None:
        link = self._writing()
        found = link.execute("SELECT size, root FROM checkpoints ORDER BY size DESC LIMIT 1").fetchone()
        if found is not None and (size < found[0] or (size == found[0] and root != bytes(found[1]))):
            raise Refused("register.checkpoint_conflict", size=size, last=found[0])
        link.execute(
            "INSERT INTO checkpoints (size, root, at, note) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (size) DO UPDATE SET at = excluded.at, note = excluded.note",
            (size, root, self._now, note),
        )
        self._actions.add("checkpoint", {"size": size}, "checkpoints", size)

    def erase_salts(self, before: datetime) -> int:
        link = self._writing()
        self._actions.remember(link)
        count = erase(link, numeric(before))
        self._actions.add("erase", {"before": numeric(before), "count": count})
        return count

    def lose(self, start: int, entries: Sequence[bytes]) -> None:
        link = self._writing()
        lose(link, start, entries)
        self._actions.add("lost", {"start": start, "count": len(entries)})

    # -- the city's keys and clerks --

    def key(self, key: Key) -> None:
        link = self._writing()
        for name in ("thumbprint", "label", "algorithm", "why"):
            check_text(name, getattr(key, name))
        link.execute(
            "INSERT INTO keys (thumbprint, label, algorithm, since, until, why) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (thumbprint) DO UPDATE SET until = excluded.until, why = excluded.why",
            (key.thumbprint, key.label, key.algorithm, numeric(key.since), seconds(key.until), key.why),
        )
        until = seconds(key.until)
        facts: dict[str, Fact] = {"thumbprint": key.thumbprint, "since": numeric(key.since)}
        facts |= {"until": until} if until is not None else {}
        self._actions.add("key", facts, "keys", key.thumbprint)

    def clerk(self, clerk: Clerk, secret: str = "") -> None:
        link = self._writing()
        check_text("department", clerk.department)
        rights, types = " ".join(sorted(clerk.rights)), " ".join(sorted(clerk.types))
        link.execute(
            "INSERT INTO clerks (name, department, rights, types, secret, since, until) VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET department = excluded.department, rights = excluded.rights, "
            "types = excluded.types, until = excluded.until, "
            "secret = CASE WHEN excluded.secret = '' THEN clerks.secret ELSE excluded.secret END",
            (
                check_text("clerk", clerk.name), clerk.department, rights, types, secret,
                numeric(clerk.since or self._at), seconds(clerk.until),
            ),
        )  # fmt: skip
        until = seconds(clerk.until)
        facts: dict[str, Fact] = {
            "clerk": clerk.name, "department": clerk.department, "rights": rights, "types": types,
        }  # fmt: skip
        facts |= {"until": until} if until is not None else {}
        self._actions.add("clerk", facts, "clerks", clerk.name)

    # -- the roll of voices --

    def voice(self, person: str, secret: str) -> Voice | None:
        return voice_of(self._writing(), person, secret)

    def enrol(self, voice: Voice, how: str) -> None:
        link = self._writing()
        found = link.execute("SELECT id FROM voices WHERE person = ?", (voice.person,)).fetchone()
        number = found[0] if found else self._last(link, "voices") + 1
        link.execute(
            f"INSERT INTO voices (id, {VOICE}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "  # noqa: S608  # our own words, values are bound
            "commitment = excluded.commitment, entropy = excluded.entropy, since = excluded.since",
            (
                number, check_text("person", voice.person), check_text("secret", voice.secret), voice.commitment,
                voice.entropy, voice.since.isoformat(),
            ),
        )  # fmt: skip
        self._actions.add("voice", {"how": how, "since": voice.since.isoformat()}, "voices", number)

    def restored_since(self, at: datetime) -> bool:
        return restored_since(self._writing(), at)

    # -- publishing, and what a restore lost --

    def published(self, uri: str, version: int) -> None:
        link = self._writing()
        found = link.execute("SELECT published, id FROM lists WHERE uri = ?", (uri,)).fetchone()
        if found is None:
            raise Refused("register.unknown_list", uri=uri)
        if found[0] > version:
            raise Refused("register.published_newer", uri=uri, version=version, published=found[0])
        self._actions.lists[found[1]] = None
        link.execute("UPDATE lists SET published = ?, published_at = ? WHERE uri = ?", (version, self._now, uri))

    def publication(self, least: int = 0) -> int:
        link = self._writing()
        found = link.execute("SELECT last FROM counters WHERE name = 'publication'").fetchone()
        number = max(least, found[0] if found else 0) + 1
        self._count(link, "publication", number)
        return number

    def take_over(self, uri: str, values: Mapping[int, int], why: str) -> int:
        link = self._writing()
        found = link.execute("SELECT id FROM lists WHERE uri = ?", (uri,)).fetchone()
        if found is None:
            raise Refused("register.unknown_list", uri=uri)
        (list_id,) = found
        self._burn(link)
        self._actions.lists[list_id] = None
        changed = 0
        known = dict(link.execute("SELECT idx, value FROM entries WHERE list = ?", (list_id,)).fetchall())
        unknown = [index for index in values if index not in known]
        link.many("INSERT INTO entries (list, idx) VALUES (?, ?)", [(list_id, index) for index in unknown])
        for value in sorted(set(values.values())):
            # What the register knows as revoked stays so, whatever an older list said.
            wanted = [
                index for index, then in values.items() if then == value and known.get(index, 0) not in (1, value)
            ]
            refs = [StatusRef(KIND, uri, index) for index in wanted]
            changed += self.set_status(refs, value, why, self._clerk)
        return changed

    def adopt(self, uri: str, bits: int, size: int) -> None:
        link = self._writing()
        list_id = self._last(link, "lists") + 1
        self._actions.lists[list_id] = None
        link.execute(
            "INSERT INTO lists (id, uri, bits, size, used, open) VALUES (?, ?, ?, ?, ?, 0)",
            (list_id, check_text("uri", uri), bits, size, size - size // 8),
        )

    def restart(self) -> int:
        link = self._writing()
        self._count(link, "epoch", int.from_bytes(self._settings.entropy(4), "big"))
        self._count(link, RESTORED, self._now)
        years = {name: last for name, last in link.execute("SELECT name, last FROM counters") if name.isdecimal()}
        then = self._at.astimezone(UTC)
        years.setdefault(f"{then.year:04d}", 0)
        # By the minute, because the same backup may be restored again: what went out since the first time is lost, too.
        minutes = (then - datetime(then.year, 1, 1, tzinfo=UTC)) // timedelta(minutes=1)
        for year, last in years.items():
            least = minutes if int(year) == then.year else 0
            self._count(link, year, max(last // _GAP + 1, least) * _GAP)
        self._actions.lists |= dict.fromkeys(one for (one,) in link.execute("SELECT id FROM lists WHERE open = 1"))
        return link.execute("UPDATE lists SET open = 0 WHERE open = 1").rowcount

    def _count(self, link: Link, name: str, last: int) -> None:
        self._actions.counters[name] = last
        link.execute(
            "INSERT INTO counters (name, last) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET last = excluded.last",
            (name, last),
        )
