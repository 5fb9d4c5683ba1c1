"""Cosignatures of witnesses (C2SP tlog-cosignature): somebody else saw this checkpoint, at this time, and never saw one
that contradicts it. A city that shows two people two logs needs its witnesses' help for that."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from cityid.errors import Misuse, Refused
from cityid.keys import Signer
from cityid.log.checkpoint import Checkpoint
from cityid.log.note import DASH, NamedKey, Note, read

__all__ = ["COSIGNATURE", "Witness", "cosign", "seen"]

COSIGNATURE: Final = 0x04
"""The type of a timestamped Ed25519 cosignature."""
SPEC: Final = "C2SP tlog-cosignature"
_LATEST: Final = 253_402_300_799
"""The last second of the year 9999."""


class Witness(NamedKey):
    """A witness under its name. Its key is for cosigning alone, because a cosignature does not say who made it."""

    __slots__ = ()
    KIND = COSIGNATURE

    def saw(self, note: Note) -> datetime:
        """When this witness cosigned the checkpoint in `note`; of several times the latest.

        Raises:
            Malformed: `checkpoint.*`, for a text that is no checkpoint.
            Refused: `witness.absent`, `witness.invalid`.
        """
        Checkpoint.read(note.text)
        times = [
            self._time(one.value, note.text) for one in note.signatures if (one.name, one.id) == (self.name, self.id)
        ]
        if not times:
            raise Refused("witness.absent", spec=SPEC, witness=self.name)
        return datetime.fromtimestamp(max(times), UTC)

    def _time(self, value: bytes, text: str) -> int:
        time = int.from_bytes(value[:8], "big")
        if not 0 < time <= _LATEST:
            raise Refused("witness.invalid", spec=SPEC, witness=self.name)
        try:
            self.key.verify(value[8:], _message(text, time))
        except Refused:
            raise Refused("witness.invalid", spec=SPEC, witness=self.name) from None
        return time


def _message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def seen(note: Note, witnesses: Sequence[Witness], quorum: int | None = None) -> tuple[tuple[str, datetime], ...]:
    """Who of `witnesses` cosigned, and when: all of them, or as many as `quorum` asks. A cosignature that is wrong is
    never passed over, and one key is one witness under whatever names.

    Raises:
        Malformed: `checkpoint.*`. Refused: `witness.absent`, `witness.quorum`, `witness.invalid`.
        Misuse: `witness.too_few`, when not so many are known.
    """
    known = len({one.key for one in witnesses})
    if quorum is not None and known < quorum:
        raise Misuse("witness.too_few", quorum=quorum, known=known)
    found: dict[Witness, datetime] = {}
    for one in witnesses:
        try:
            found[one] = one.saw(note)
        except Refused as error:
            if quorum is None or error.code != "witness.absent":
                raise
    count = len({one.key for one in found})
    if quorum is not None and count < quorum:
        raise Refused("witness.quorum", spec=SPEC, quorum=quorum, found=count)
    return tuple((one.name, at) for one, at in found.items())


def cosign(data: bytes, name: str, signer: Signer, at: datetime) -> bytes:
    """The signed checkpoint `data` with a cosignature more. Whoever cosigns has seen to it that the tree only grew
    since they did last.

    Raises:
        Malformed: `note.*`, `checkpoint.*`. Unavailable: `keys.unavailable`.
    """
    witness, found = Witness(name, signer.public_key), read(data)
    Checkpoint.read(found.text)
    time = int(at.timestamp())
    value = witness.id + time.to_bytes(8, "big") + signer.sign(_message(found.text, time))
    return data + f"{DASH}{name} {base64.b64encode(value).decode('ascii')}\n".encode()
