"""What an action becomes in the log: a commitment, and what opens it (docs/explanation/the-log.md).

    commitment = SHA-256(leaf key || JCS({at, by, facts, id, kind}))

Every action has a salt of its own, and three keys derived from it. One opens the commitment, so whoever is shown it and
the action can check the leaf; one makes the pseudonyms of clerks, and one the marks of rows, so neither can be guessed
from what an auditor is shown. Without its salt a commitment is a random number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final

from cityid.encoding import base64url, jcs, json, times
from cityid.errors import Fact, Malformed
from cityid.register.rows import Event

__all__ = ["MARK", "commitment", "marks_of", "opening", "pseudonym", "read_opening", "row_of", "written"]

NAMES: Final = frozenset({"by", "clerk"})
"""Facts that name a clerk."""
MARK: Final = 6
"""Bytes of a row's mark that are kept. They only tell which row of several was changed; `row` is over all of them."""
_LEAF, _CLERK, _ROW = b"leaf", b"clerk", b"row"


def _key(salt: bytes, use: bytes) -> bytes:
    return hashlib.sha256(use + b"\x00" + salt).digest()


def pseudonym(salt: bytes, clerk: str) -> str:
    """Who acted, as the log has it: another text for each action, which only the city can tell."""
    return base64url.encode(hashlib.sha256(_key(salt, _CLERK) + clerk.encode("utf-8")).digest()[:16])


def marks_of(salt: bytes, rows: Iterable[bytes]) -> list[bytes]:
    """What an action remembers of rows of tables, each given as its bytes."""
    key = _key(salt, _ROW)
    return [hashlib.sha256(key + row).digest() for row in rows]


def row_of(marks: Iterable[bytes]) -> str:
    """The fact `row`: what all rows about a thing were when the action was over."""
    return base64url.encode(hashlib.sha256(b"".join(marks)).digest())


def _canonical(event: Event) -> bytes:
    facts: Mapping[str, Fact] = {
        name: pseudonym(event.salt, str(value)) if name in NAMES else value
        for name, value in sorted(event.facts.items())
    }
    action = {
        "at": _stamp(event.at), "by": pseudonym(event.salt, event.by), "facts": facts, "id": event.id,
        "kind": event.kind,
    }  # fmt: skip
    # Of texts and integers under sorted names in ASCII, compact JSON is the canonical one, and six times faster made.
    return json.write(action) if all(map(str.isascii, facts)) else jcs.canonical(action)


@lru_cache(maxsize=64)
def _said(text: str) -> bytes:
    """A text as JSON, remembered because there are few kinds of actions and those of a batch have one time."""
    return json.write(text)


@lru_cache(maxsize=64)
def _stamp(at: datetime) -> str:
    """Remembered, because the actions of a batch have one time."""
    return times.stamp(at)


def commitment(event: Event) -> bytes:
    """The entry of the log: 32 bytes that say nothing without the action's salt, which it must have."""
    return hashlib.sha256(_key(event.salt, _LEAF) + _canonical(event)).digest()


def written(event: Event) -> tuple[bytes, bytes]:
    """The facts of an action as JSON, as they are kept, and its `commitment`, made in one go."""
    facts, salt = event.facts, event.salt
    if not NAMES.isdisjoint(facts) or not all(map(str.isascii, facts)):
        return json.write(dict(facts)), commitment(event)
    kept = json.write({name: facts[name] for name in sorted(facts)})
    kind, at = _said(event.kind), _said(_stamp(event.at))
    canonical = b'{"at":%b,"by":"%b","facts":%b,"id":%d,"kind":%b}' % (
        at, pseudonym(salt, event.by).encode("ascii"), kept, event.id, kind,
    )  # fmt: skip
    return kept, hashlib.sha256(_key(salt, _LEAF) + canonical).digest()


def opening(event: Event) -> bytes:
    """What an auditor is shown of an action: the key that opens its commitment, and the action without names."""
    return json.write({"key": base64url.encode(_key(event.salt, _LEAF)), "event": json.read(_canonical(event))})


def read_opening(data: bytes) -> tuple[bytes, Mapping[str, object]]:
    """The commitment that an opening opens, and the action as it says.

    Raises:
        Malformed: `json.*`, `log.opening`.
    """
    found = json.read_object(data)
    key, event = found.get("key"), found.get("event")
    if set(found) != {"key", "event"} or not isinstance(key, str) or not isinstance(event, dict):
        raise Malformed("log.opening")
    if len(raw := base64url.decode(key, "$.key")) != hashlib.sha256().digest_size:
        raise Malformed("log.opening")
    return hashlib.sha256(raw + jcs.canonical(event)).digest(), event
