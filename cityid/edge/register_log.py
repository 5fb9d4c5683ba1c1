"""The log of actions as the register keeps it: positions, the tree's nodes, and what is left of what was erased."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from cityid.edge.register_rows import EVENT, event_of, pages
from cityid.edge.sql import Link
from cityid.errors import Refused, Unavailable
from cityid.log import Frontier, Tile, leaf_hash
from cityid.log.tiles import nodes_of
from cityid.register.leaves import commitment

__all__ = ["BLANK", "entries_of", "erase", "log_size", "lose", "sequence", "tile_of"]

SLICE: Final = 2_000
"""Actions that get their positions in one transaction."""
BLANK: Final = "clerk = '', at = 0, facts = '{}', salt = NULL, card = NULL"
"""What an action is of which only its leaf is left."""


def log_size(link: Link) -> int:
    """How many actions have a position."""
    (last,) = link.execute("SELECT coalesce(max(position), -1) FROM events").fetchone()
    return int(last) + 1


def sequence(link: Link) -> tuple[int, bool]:
    """Give positions to a slice of the actions that have none. The log's size, and whether there may be more."""
    size = log_size(link)
    waiting = link.execute(
        f"SELECT {EVENT} FROM events WHERE position IS NULL ORDER BY id LIMIT {SLICE}"  # noqa: S608  # our own words
    ).fetchall()
    events = list(map(event_of, waiting))
    # Actions that an older program wrote have no leaf yet.
    leaves = [event.leaf or commitment(event) for event in events]
    link.many(
        "UPDATE events SET leaf = ?, position = ? WHERE id = ?",
        [(leaf, place, event.id) for place, (leaf, event) in enumerate(zip(leaves, events, strict=True), size)],
    )
    _grow(link, size, leaves)
    return size + len(events), len(events) == SLICE


def _grow(link: Link, size: int, entries: Sequence[bytes]) -> None:
    frontier = Frontier.at(size, nodes_of(partial(tile_of, link), size))
    link.many(
        "INSERT INTO log_nodes (level, idx, hash) VALUES (?, ?, ?)",
        [(node.level, node.index, node.hash) for node in frontier.append(map(leaf_hash, entries))],
    )


def entries_of(link: Link, start: int, end: int) -> list[bytes]:
    """Raises Unavailable `store.damaged`, when one is missing."""
    found = link.execute(
        "SELECT leaf FROM events WHERE position >= ? AND position < ? ORDER BY position", (start, end)
    ).fetchall()
    if len(found) != end - start:
        raise Unavailable("store.damaged", kind="register")
    return [bytes(leaf) for (leaf,) in found]


def tile_of(link: Link, tile: Tile) -> bytes:
    """Raises Unavailable `store.damaged`, when a hash is missing."""
    start = tile.index * 256
    if tile.level == 0:
        return b"".join(map(leaf_hash, entries_of(link, start, start + tile.width)))
    found = link.execute(
        "SELECT hash FROM log_nodes WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx",
        (tile.level, start, start + tile.width),
    ).fetchall()
    if len(found) != tile.width:
        raise Unavailable("store.damaged", kind="register")
    return b"".join(bytes(one) for (one,) in found)


def erase(link: Link, before: int) -> int:
    """Forget actions before then but for their leaves: not those that have none yet, and not the last about a card that
    had not ended by then."""
    return link.execute(
        f"UPDATE events SET kind = 'erased', {BLANK} "  # noqa: S608  # our own words, values are bound
        "WHERE position IS NOT NULL AND salt IS NOT NULL AND at < ? AND (card IS NULL "
        "OR EXISTS (SELECT 1 FROM events later WHERE later.card = events.card AND later.id > events.id) "
        "OR EXISTS (SELECT 1 FROM cards WHERE cards.id = events.card AND cards.ends < ?))",
        (before, before),
    ).rowcount


def lose(link: Link, start: int, entries: Sequence[bytes]) -> None:
    """Raises Refused `register.checkpoint_conflict`."""
    size = log_size(link)
    if size != start:
        raise Refused("register.checkpoint_conflict", size=start, last=size)
    (last,) = link.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()
    for page in pages(enumerate(entries)):
        link.many(
            "INSERT INTO events (id, kind, clerk, at, facts, leaf, position) VALUES (?, 'lost', '', 0, '{}', ?, ?)",
            [(last + 1 + count, entry, start + count) for count, entry in page],
        )
    _grow(link, size, entries)
