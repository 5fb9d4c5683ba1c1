"""Tiles (C2SP tlog-tiles): a tree's hashes, 256 at a time, and its entries, as files that never change.

A tile of level L holds nodes over 256^L leaves each; the last of a level may be partial, under a name of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cityid.errors import Malformed, Misuse
from cityid.log.merkle import HASH, STEP, Nodes, node_hash

__all__ = ["CHECKPOINT", "FULL", "Tile", "fresh", "nodes_of", "read_bundle", "read_tile", "width_at", "write_bundle"]

SPEC: Final = "C2SP tlog-tiles"
CHECKPOINT: Final = "checkpoint"
"""Where the newest signed checkpoint lies."""
FULL: Final = 1 << STEP
"""Hashes of a full tile, entries of a full bundle."""
LONGEST: Final = (1 << 16) - 1
"""Bytes of an entry: its length is written in two."""


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """The `index`-th tile of a level, with the first `width` of its 256 hashes."""

    level: int
    index: int
    width: int = FULL

    @property
    def path(self) -> str:
        """`tile/<level>/<index>`, and `.p/<width>` behind it where it is partial."""
        return f"tile/{self.level}/{self._name}"

    @property
    def bundle(self) -> str:
        """Where the entries lie whose leaves this tile of level 0 has."""
        return f"tile/entries/{self._name}"

    @property
    def full(self) -> Tile:
        """The tile that this one grows into; its first hashes are the same."""
        return Tile(self.level, self.index)

    @property
    def _name(self) -> str:
        digits = str(self.index)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        return name if self.width == FULL else f"{name}.p/{self.width}"


def width_at(level: int, index: int, size: int) -> int:
    """How many hashes the tile has in a tree of `size` leaves; 0 where it is not there."""
    return max(0, min(FULL, (size >> STEP * level) - index * FULL))


def fresh(old: int, new: int) -> Iterator[Tile]:
    """The tiles that a tree of `new` leaves has and one of `old` had not, level by level; `fresh(0, n)` are all."""
    level = 0
    while now := new >> STEP * level:
        before = old >> STEP * level
        if now != before:
            for index in range(before // FULL, (now - 1) // FULL + 1):
                yield Tile(level, index, width_at(level, index, new))
        level += 1


def read_tile(data: bytes, width: int) -> tuple[bytes, ...]:
    """The first `width` hashes of a tile with at least as many.

    Raises:
        Malformed: `tile.length`.
    """
    if len(data) % HASH or not width * HASH <= len(data) <= FULL * HASH:
        raise Malformed("tile.length", spec=SPEC, length=len(data), expected=width * HASH)
    return tuple(data[at : at + HASH] for at in range(0, width * HASH, HASH))


def write_bundle(entries: Iterable[bytes]) -> bytes:
    """Entries, each behind its length in two bytes.

    Raises:
        Misuse: `tile.entry_too_long`.
    """
    out = bytearray()
    for entry in entries:
        if len(entry) > LONGEST:
            raise Misuse("tile.entry_too_long", limit=LONGEST, length=len(entry))
        out += len(entry).to_bytes(2, "big") + entry
    return bytes(out)


def read_bundle(data: bytes, width: int) -> tuple[bytes, ...]:
    """The first `width` entries of a bundle with at least as many, and at most 256.

    Raises:
        Malformed: `tile.bundle`.
    """
    found: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if len(data) < max(end, at + 2) or len(found) == FULL:
            raise Malformed("tile.bundle", spec=SPEC, expected=width)
        found.append(data[at + 2 : end])
        at = end
    if len(found) < width:
        raise Malformed("tile.bundle", spec=SPEC, expected=width)
    return tuple(found[:width])


def nodes_of(tile: Callable[[Tile], bytes], size: int) -> Nodes:
    """The nodes of a tree of `size` leaves, out of its tiles. What comes out is only worth as much as the root that it
    is checked against.

    Raises:
        Malformed: `tile.length`, when asked.
    """

    @lru_cache(maxsize=64)
    def hashes(level: int, index: int) -> tuple[bytes, ...]:
        width = width_at(level, index, size)
        return read_tile(tile(Tile(level, index, width)), width)

    def node(level: int, index: int) -> bytes:
        tile_level, above = divmod(level, STEP)
        start = index << above
        at = start % FULL
        row = hashes(tile_level, start // FULL)[at : at + (1 << above)]
        while len(row) > 1:
            row = tuple(node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2))
        return row[0]

    return node
