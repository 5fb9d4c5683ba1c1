"""Merkle trees as RFC 6962 hashes them (RFC 9162 §2.1 spells the checks out); subtree proofs as in Merkle Tree
Certificates (draft-ietf-plants-merkle-tree-certs).

Leaves and nodes are told apart by their first byte, and an odd leaf is never doubled, so two different lists of entries
have different roots.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from cityid.errors import Malformed, Refused

__all__ = [
    "EMPTY_ROOT",
    "HASH",
    "Frontier",
    "Node",
    "Nodes",
    "consistency",
    "inclusion",
    "leaf_hash",
    "node_hash",
    "root_of",
    "verify_consistency",
    "verify_inclusion",
    "verify_subtree_consistency",
    "verify_subtree_inclusion",
]

HASH: Final = 32
"""Bytes of a hash: SHA-256."""
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""The root over no leaves (RFC 6962 §2.1)."""
STEP: Final = 8
"""Levels that a tile spans: the nodes of every eighth level are what tiles hold."""
_sha256: Final = hashlib.sha256

Nodes: TypeAlias = Callable[[int, int], bytes]
"""The hash of the complete subtree over the leaves from `index * 2^level` to `(index + 1) * 2^level`, exclusive."""


@dataclass(frozen=True, slots=True)
class Node:
    """The hash of a complete subtree of 256^level leaves, the `index`-th of them."""

    level: int
    index: int
    hash: bytes


def leaf_hash(entry: bytes) -> bytes:
    """RFC 6962 §2.1: SHA-256(0x00 || entry)."""
    return _sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 §2.1: SHA-256(0x01 || left || right)."""
    return _sha256(b"\x01" + left + right).digest()


class Frontier:
    """What is needed of a tree to let it grow: the hashes of the complete subtrees that its leaves fall into, the
    largest first, one a bit that is set in `size` (RFC 9162 §2.1.2).

    Raises:
        Malformed: `merkle.frontier`, when there are not as many hashes as that.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self._peaks = list(peaks)
        if size < 0 or len(self._peaks) != size.bit_count():
            raise Malformed("merkle.frontier", spec="RFC 9162 §2.1.2", size=size, count=len(self._peaks))

    @classmethod
    def at(cls, size: int, nodes: Nodes) -> Frontier:
        """The frontier of the first `size` leaves of a tree."""
        peaks, start = [], 0
        for level in reversed(range(size.bit_length())):
            if size >> level & 1:
                peaks.append(nodes(level, start >> level))
                start += 1 << level
        return cls(size, peaks)

    @property
    def peaks(self) -> tuple[bytes, ...]:
        return tuple(self._peaks)

    @property
    def root(self) -> bytes:
        """The root over all leaves so far (RFC 6962 §2.1)."""
        if not self._peaks:
            return EMPTY_ROOT
        found = self._peaks[-1]
        for peak in self._peaks[-2::-1]:
            found = node_hash(peak, found)
        return found

    def append(self, leaves: Iterable[bytes]) -> Iterator[Node]:
        """Add leaf hashes; yields each node of tile levels that becomes complete on the way (level 1 and above), so it
        has to be iterated."""
        peaks = self._peaks
        for leaf in leaves:
            found, merges, level = leaf, self.size, 0
            while merges & 1:
                found = node_hash(peaks.pop(), found)
                merges >>= 1
                level += 1
                if level % STEP == 0:
                    yield Node(level // STEP, self.size >> level, found)
            peaks.append(found)
            self.size += 1


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes."""
    frontier = Frontier()
    for _ in frontier.append(leaves):
        pass
    return frontier.root


# --- proofs, made --------------------------------------------------------------------------------------------------


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def _hash(nodes: Nodes, start: int, end: int) -> bytes:
    count = end - start
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return nodes(level, start >> level)
    middle = start + _split(count)
    return node_hash(_hash(nodes, start, middle), _hash(nodes, middle, end))


def inclusion(nodes: Nodes, index: int, size: int) -> tuple[bytes, ...]:
    """The path from a leaf to the root of the first `size` leaves (RFC 6962 §2.1.1).

    Raises:
        Refused: `merkle.no_such_leaf`.
    """
    _check_index(index, size)
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_hash(nodes, middle, end))
            end = middle
        else:
            path.append(_hash(nodes, start, middle))
            start = middle
    return tuple(reversed(path))


def consistency(nodes: Nodes, first: int, second: int) -> tuple[bytes, ...]:
    """That the first `second` leaves begin with the first `first` (RFC 6962 §2.1.2).

    Raises:
        Refused: `merkle.sizes`.
    """
    _check_sizes(first, second)
    path: list[bytes] = []
    start, end, whole = 0, second, True
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(_hash(nodes, middle, end))
            end = middle
        else:
            path.append(_hash(nodes, start, middle))
            start, whole = middle, False
    if not whole:
        path.append(_hash(nodes, start, end))
    return tuple(reversed(path))


# --- proofs, checked -----------------------------------------------------------------------------------------------


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """The leaf with this hash is the `index`-th of the `size` under `root` (RFC 9162 §2.1.3.2).

    Raises:
        Malformed: `merkle.hash_length`.
        Refused: `merkle.no_such_leaf`, `merkle.proof_length`, `merkle.not_included`.
    """
    _check_hashes(leaf, root, *proof)
    _check_index(index, size)
    fn, sn, found = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            raise Refused("merkle.proof_length", spec="RFC 9162 §2.1.3.2", count=len(proof))
        if fn & 1 or fn == sn:
            found = node_hash(sibling, found)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            found = node_hash(found, sibling)
        fn >>= 1
        sn >>= 1
    if sn != 0:
        raise Refused("merkle.proof_length", spec="RFC 9162 §2.1.3.2", count=len(proof))
    if found != root:
        raise Refused("merkle.not_included", spec="RFC 9162 §2.1.3.2", index=index, size=size)


def verify_consistency(first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes) -> None:
    """The `second` leaves under `second_root` begin with the `first` under `first_root` (RFC 9162 §2.1.4.2). Every tree
    begins with the empty one, so there is nothing to prove, and to be asked is an error.

    Raises:
        Malformed: `merkle.hash_length`.
        Refused: `merkle.sizes`, `merkle.proof_length`, `merkle.inconsistent`.
    """
    _check_hashes(first_root, second_root, *proof)
    _check_sizes(first, second)
    if first == second:
        if proof:
            raise Refused("merkle.proof_length", spec="RFC 9162 §2.1.4.2", count=len(proof))
        if first_root != second_root:
            raise _inconsistent(first, second)
        return
    verify_subtree_consistency(0, first, second, proof, first_root, second_root)


def verify_subtree_inclusion(
    leaf: bytes, index: int, start: int, end: int, proof: Sequence[bytes], root: bytes
) -> None:
    """The leaf is the `index`-th of its tree, and `root` is that of the subtree over the leaves from `start` to `end`
    (exclusive), which it is in.

    Raises:
        As `verify_inclusion`; Refused `merkle.not_a_subtree`.
    """
    _check_subtree(start, end, end)
    verify_inclusion(leaf, index - start, end - start, proof, root)


def verify_subtree_consistency(
    start: int, end: int, size: int, proof: Sequence[bytes], subtree_root: bytes, root: bytes
) -> None:
    """The `size` leaves under `root` have those under `subtree_root` from `start` to `end` (exclusive). The empty
    subtree is in every tree.

    Raises:
        Malformed: `merkle.hash_length`.
        Refused: `merkle.not_a_subtree`, `merkle.proof_length`, `merkle.inconsistent`.
    """
    _check_hashes(subtree_root, *proof)
    _check_subtree(start, end, size)
    if start == end:
        if proof:
            raise Refused("merkle.proof_length", count=len(proof))
        if subtree_root != EMPTY_ROOT:
            raise _inconsistent(end, size)
        return
    _check_hashes(root)
    fn, sn, tn = start, end - 1, size - 1
    while fn != sn and (sn & 1 or sn == tn):
        fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    rest = iter(proof)
    # Without a proof there is nothing to begin with, and too little to come to an end.
    old = new = subtree_root if fn == sn else next(rest, EMPTY_ROOT)
    for sibling in rest:
        if tn == 0:
            raise Refused("merkle.proof_length", spec="RFC 9162 §2.1.4.2", count=len(proof))
        if sn & 1 or sn == tn:
            if fn < sn:
                old = node_hash(sibling, old)
            new = node_hash(sibling, new)
            while not sn & 1 and sn:
                fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
        else:
            new = node_hash(new, sibling)
        fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    if tn != 0:
        raise Refused("merkle.proof_length", spec="RFC 9162 §2.1.4.2", count=len(proof))
    if old != subtree_root or new != root:
        raise _inconsistent(end, size)


def _check_hashes(*hashes: bytes) -> None:
    for one in hashes:
        if len(one) != HASH:
            raise Malformed("merkle.hash_length", spec="RFC 6962 §2.1", expected=HASH, length=len(one))


def _check_index(index: int, size: int) -> None:
    if not 0 <= index < size:
        raise Refused("merkle.no_such_leaf", spec="RFC 9162 §2.1.3.2", index=index, size=size)


def _check_sizes(first: int, second: int) -> None:
    if not 0 < first <= second:
        raise Refused("merkle.sizes", spec="RFC 9162 §2.1.4", first=first, second=second)


def _check_subtree(start: int, end: int, size: int) -> None:
    """A subtree begins at a multiple of the power of two that it fits into."""
    if not 0 <= start <= end <= size or start & ((1 << max(end - start - 1, 0).bit_length()) - 1):
        raise Refused("merkle.not_a_subtree", start=start, end=end, size=size)


def _inconsistent(first: int, second: int) -> Refused:
    return Refused("merkle.inconsistent", spec="RFC 9162 §2.1.4.2", first=first, second=second)
