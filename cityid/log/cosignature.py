"""Cosignatures of witnesses (C2SP tlog-cosignature): somebody else saw this checkpoint, at this time, and never saw one
that contradicts it. A city that shows two people two logs needs its witnesses' help for that."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cityid.errors import Malformed, Refused
from cityid.keys import Algorithm, PublicKey, Signer
from cityid.log.checkpoint import Checkpoint
from cityid.log.note import DASH, ID, Note, check_name, read, read_vkey

__all__ = ["COSIGNATURE", "Witness", "cosign"]

COSIGNATURE: Final = 0x04
"""The type of a timestamped Ed25519 cosignature."""
SPEC: Final = "C2SP tlog-cosignature"
_LATEST: Final = 253_402_300_799
"""The last second of the year 9999."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness under its name. Its key is for cosigning alone, because a cosignature does not say who made it."""

    name: str
    key: PublicKey

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.key.algorithm is not Algorithm.EDDSA:
            raise Malformed("note.key_type", spec=SPEC, kind=self.key.algorithm.value)

    @property
    def id(self) -> bytes:
        """SHA-256(name || 0x0A || type || key), its first four bytes."""
        return hashlib.sha256(self.name.encode("utf-8") + b"\n" + bytes([COSIGNATURE]) + self.key.raw).digest()[:ID]

    def write(self) -> str:
        """The vkey."""
        key = base64.b64encode(bytes([COSIGNATURE]) + self.key.raw).decode("ascii")
        return f"{self.name}+{self.id.hex()}+{key}"

    @classmethod
    def read(cls, text: str, where: str = "") -> Witness:
        """A vkey. Raises Malformed as `Verifier.read`."""
        name, id_, key = read_vkey(text, COSIGNATURE, where)
        found = cls(name, PublicKey(Algorithm.EDDSA, key))
        if found.id != id_:
            raise Malformed("note.vkey_hash", where=where, spec=SPEC, found=id_.hex(), expected=found.id.hex())
        return found

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
