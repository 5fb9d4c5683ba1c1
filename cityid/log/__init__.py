"""A log that can only grow: RFC 6962 Merkle trees, and the C2SP formats that publish them as plain files.

`merkle` hashes, makes proofs and checks them; `note` and `checkpoint` are what a log signs, `cosignature` what its
witnesses add; `tiles` is how its hashes
and entries lie in files; `proof` is one entry's proof in one file. Nothing here knows what the entries mean.
"""

from __future__ import annotations

from cityid.log.checkpoint import Checkpoint
from cityid.log.cosignature import Witness
from cityid.log.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash
from cityid.log.note import Note, Verifier
from cityid.log.proof import Proof
from cityid.log.tiles import Tile

__all__ = [
    "EMPTY_ROOT",
    "Checkpoint",
    "Frontier",
    "Note",
    "Proof",
    "Tile",
    "Verifier",
    "Witness",
    "leaf_hash",
    "node_hash",
]
