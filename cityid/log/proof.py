"""One entry's proof in one file (C2SP tlog-proof): its place, the path to the root, and the signed checkpoint."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

from cityid import limits
from cityid.encoding import base64url
from cityid.errors import Malformed
from cityid.log.checkpoint import Checkpoint, open_signed
from cityid.log.merkle import HASH, verify_inclusion
from cityid.log.note import Verifier

__all__ = ["Proof"]

SPEC: Final = "C2SP tlog-proof"
HEAD: Final = "c2sp.org/tlog-proof@v1"
_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,18})")
_LONGEST_PATH: Final = 63


@dataclass(frozen=True, slots=True)
class Proof:
    """`path` goes from the leaf's sibling upwards, `checkpoint` is the signed note; `extra` is whatever the writer
    wanted to add, and nobody vouches for it."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""

    def write(self) -> bytes:
        lines = [HEAD]
        if self.extra:
            lines.append(f"extra {base64.b64encode(self.extra).decode('ascii')}")
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(one).decode("ascii") for one in self.path]
        return "".join(f"{line}\n" for line in [*lines, ""]).encode("ascii") + self.checkpoint

    @classmethod
    def read(cls, data: bytes) -> Proof:
        """Raises Malformed `tlog_proof.shape`, `tlog_proof.index`, `tlog_proof.hash`, `tlog_proof.extra`,
        `tlog_proof.too_large`."""
        if len(data) > limits.NOTE:
            raise Malformed("tlog_proof.too_large", spec=SPEC, limit=limits.NOTE)
        head, gap, checkpoint = data.partition(b"\n\n")
        try:
            first, *lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise Malformed("tlog_proof.shape", spec=SPEC) from None
        if first != HEAD or not gap or not lines:
            raise Malformed("tlog_proof.shape", spec=SPEC)
        extra = b""
        if lines[0].startswith("extra "):
            extra = _decoded(lines.pop(0)[6:], "tlog_proof.extra")
        index = _INDEX.fullmatch(lines[0]) if lines else None
        if index is None:
            raise Malformed("tlog_proof.index", spec=SPEC)
        path = tuple(_decoded(line, "tlog_proof.hash") for line in lines[1:])
        if len(path) > _LONGEST_PATH or any(len(one) != HASH for one in path):
            raise Malformed("tlog_proof.hash", spec=SPEC)
        return cls(int(index[1]), path, checkpoint, extra)

    def verify(self, leaf: bytes, log: Verifier) -> Checkpoint:
        """The leaf with this hash is in the log of this key, at `index`; under which checkpoint.

        Raises:
            Malformed, Refused: as `open_signed` and `merkle.verify_inclusion`.
        """
        checkpoint = open_signed(self.checkpoint, log)
        verify_inclusion(leaf, self.index, checkpoint.size, self.path, checkpoint.root)
        return checkpoint


def _decoded(text: str, code: str) -> bytes:
    try:
        return base64url.decode_standard(text)
    except Malformed:
        raise Malformed(code, spec=SPEC) from None
