"""Checkpoints (C2SP tlog-checkpoint): what a log signs of its tree, as the text of a note."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

from cityid.encoding import base64url
from cityid.errors import Malformed, Refused
from cityid.keys import Signer
from cityid.log import note
from cityid.log.merkle import EMPTY_ROOT, HASH
from cityid.log.note import Verifier

__all__ = ["Checkpoint", "open_signed"]

SPEC: Final = "C2SP tlog-checkpoint"
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
LARGEST: Final = (1 << 63) - 1
"""The greatest size: other programs count leaves in 64 bits with a sign."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree of `size` leaves under `root`, in the log that calls itself `origin`. `extensions` are lines that others
    may add; this log writes none."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def write(self) -> str:
        """The text of the note."""
        root = base64.b64encode(self.root).decode("ascii")
        return "".join(f"{line}\n" for line in (self.origin, str(self.size), root, *self.extensions))

    def sign(self, signer: Signer, *more: Signer) -> bytes:
        """The signed note, by the key, or keys, that have the log's name.

        Raises:
            As `note.sign`.
        """
        return note.sign(self.write(), self.origin, signer, *more)

    @classmethod
    def read(cls, text: str) -> Checkpoint:
        """The text of a note as a checkpoint.

        Raises:
            Malformed: `checkpoint.lines`, `checkpoint.size`, `checkpoint.root`.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise Malformed("checkpoint.lines", spec=SPEC)
        origin, size, root, *extensions = lines
        if not _SIZE.fullmatch(size) or int(size) > LARGEST:
            raise Malformed("checkpoint.size", spec=SPEC, found=size)
        try:
            digest = base64url.decode_standard(root)
        except Malformed:
            raise Malformed("checkpoint.root", spec=SPEC) from None
        if len(digest) != HASH or (size == "0" and digest != EMPTY_ROOT):
            raise Malformed("checkpoint.root", spec=SPEC)
        return cls(origin, int(size), digest, tuple(extensions))


def open_signed(data: bytes, verifier: Verifier, *former: Verifier) -> Checkpoint:
    """The checkpoint in a note that the log of this key signed, or of one of its `former` keys; the key's name is the
    log's.

    Raises:
        Malformed: `note.*`, `checkpoint.*`.
        Refused: `note.unsigned`, `note.signature_invalid`, `checkpoint.other_log`.
    """
    found = note.read(data)
    (signed, *_) = found.check([verifier, *former])
    checkpoint = Checkpoint.read(found.text)
    if checkpoint.origin != signed.name:
        raise Refused("checkpoint.other_log", spec=SPEC, origin=checkpoint.origin, expected=signed.name)
    return checkpoint
