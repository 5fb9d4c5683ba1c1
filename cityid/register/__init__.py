"""City hall's memory: what was issued, under which numbers, and what became of it. No claim value is in it.

Everything that changes it happens in a `Batch`, which is one transaction: after it was left without an error it is
durable, and only then may an offer, a card or a list leave the house.

    with register.batch(clerk, key, at) as batch:
        if batch.repeats:                                    # the same key was here before
            return batch.rows
        refs = batch.allot(type, type.copies)
        row, = batch.record([Entry(type.id, "dc+sd-jwt", window, copies_of(refs, type.copies), deadline=until)])
    ...                                                      # committed: the offer may go out
"""

from __future__ import annotations

from cityid.register.protocol import Batch, Register, Roll, in_batch
from cityid.register.rows import (
    NUMBER,
    Bits,
    Checkpoint,
    Entry,
    Event,
    Filter,
    Issued,
    IssuedCopy,
    Key,
    State,
    Status,
    StatusChange,
    Voice,
    check_change,
    check_step,
    check_text,
    copies_of,
)

__all__ = [
    "NUMBER",
    "Batch",
    "Bits",
    "Checkpoint",
    "Entry",
    "Event",
    "Filter",
    "Issued",
    "IssuedCopy",
    "Key",
    "Register",
    "Roll",
    "State",
    "Status",
    "StatusChange",
    "Voice",
    "check_change",
    "check_step",
    "check_text",
    "copies_of",
    "in_batch",
]
