"""Signing the log of actions: positions for what happened since, and a checkpoint over all of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cityid.errors import Refused
from cityid.keys import Signer
from cityid.log import Checkpoint, Frontier
from cityid.log.tiles import nodes_of
from cityid.register.leaves import commitment
from cityid.register.protocol import Register

__all__ = ["identity", "root_at", "sequence"]


def identity(register: Register) -> bytes:
    """32 bytes that name a register for ever, wherever it is copied to: the leaf of its first action, which a salt
    makes unlike any other. All zero for one without actions."""
    first = next(iter(register.events()), None)
    return bytes(32) if first is None else first.leaf or commitment(first)


def root_at(register: Register, size: int) -> bytes:
    """The root over the first `size` entries of the log."""
    return Frontier.at(size, nodes_of(register.tile, size)).root


def sequence(
    register: Register, signer: Signer, origin: str, clerk: str, at: datetime, also: Sequence[Signer] = ()
) -> bytes:
    """Sign the log as it is, and record that, before anybody sees it: the checkpoint, a signed note. Where nothing
    happened since the last one but that it was recorded, it is that one. While keys are changed, `also` sign.

    Raises:
        Refused: `log.forked`, when the log does not begin with what was signed last; `register.checkpoint_conflict`,
            when more was signed at the same time.
        Misuse: `keys.wrong_kind`.
        Unavailable: `store.*`, `keys.unavailable`.
    """
    size, last = register.sequence(), register.checkpoint()
    if last is not None:
        if size < last.size or root_at(register, last.size) != last.root:
            raise Refused("log.forked", size=last.size)
        if all(event.kind == "checkpoint" for event in register.sequenced(last.size, size)):
            return last.note.encode("utf-8")
    root = root_at(register, size)
    note = Checkpoint(origin, size, root).sign(signer, *also)
    with register.batch(clerk, f"checkpoint {size} {root.hex()}", at) as batch:
        if not batch.repeats:
            batch.checkpoint(size, root, note.decode("utf-8"))
    return note
