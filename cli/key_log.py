"""The key that signs the log of actions: which it is, and how it is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import talk

if TYPE_CHECKING:
    from cityid.edge.software_keys import Record

    from .key_rotate import Change
    from .keys import CityKeyring


def records(ring: CityKeyring) -> list[Record]:
    """The log's keys, oldest first."""
    from cityid.edge.software_keys import Use

    found = [record for record in ring.records() if Use.LOG in record.uses]
    return sorted(found, key=lambda record: record.age)


def in_force(ring: CityKeyring) -> list[str]:
    """The labels of those that sign: one, and while they are changed two."""
    return [record.label for record in records(ring) if record.not_after is None]


def last(ring: CityKeyring) -> Record:
    """The key that is to be changed: the oldest in force.

    Raises:
        Misuse: `key.no_log`.
    """
    from cityid.errors import Misuse

    labels = in_force(ring)
    if not labels:
        raise Misuse("key.no_log")
    return ring.find(labels[0])


def rotate(change: Change, *, switch: bool) -> None:
    """First both keys sign; with `switch` only the new one."""
    if switch:
        change.finish(change.prepared(), {})
        talk.say(
            f"From the next publication on {talk.clean(change.label)} alone signs the log. Whoever kept a checkpoint "
            "from before goes on with both keys: register audit --key NEW --key OLD --since FILE"
        )
    else:
        change.prepare("EdDSA")
        talk.say(
            f"From the next publication on {talk.clean(change.old.label)} and {talk.clean(change.label)} sign the log "
            "together. Publish it, give auditors and witnesses the new key, which is in log.key; when all have it: "
            "cityid key rotate --use log --switch"
        )
