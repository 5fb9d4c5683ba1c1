"""Trees of any size: every proof that is made holds, and none that was damaged does; files are read or refused."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityid.errors import Malformed, Refused
from cityid.log import Checkpoint, Frontier, Proof, Verifier, leaf_hash, merkle, node_hash, note, tiles
from tests.logs import LOG, ORIGIN, SIGNER

pytestmark = pytest.mark.property

SIZES = st.integers(1, 1_000)


def root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(root(leaves[:k]), root(leaves[k:]))


LEAVES = [leaf_hash(number.to_bytes(2, "big")) for number in range(1_000)]
_ROOTS: dict[tuple[int, int], bytes] = {}


def nodes(level: int, index: int) -> bytes:
    if (level, index) not in _ROOTS:
        _ROOTS[level, index] = root(LEAVES[index << level : (index + 1) << level])
    return _ROOTS[level, index]


def tree(size: int) -> bytes:
    return Frontier.at(size, nodes).root


def damaged(draw: st.DrawFn, proof: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The proof with a hash dropped, added, swapped for another, or with a bit turned round."""
    found = list(proof)
    how = draw(st.sampled_from(["add", "drop", "turn", "swap"] if found else ["add"]))
    at = draw(st.integers(0, max(len(found) - 1, 0)))
    if how == "add":
        found.insert(at, draw(st.binary(min_size=32, max_size=32)))
    elif how == "drop":
        found.pop(at)
    elif how == "turn":
        bit = draw(st.integers(0, 255))
        found[at] = (int.from_bytes(found[at], "big") ^ 1 << bit).to_bytes(32, "big")
    else:
        found[at] = draw(st.binary(max_size=40).filter(lambda other: other != found[at]))
    return tuple(found)


@given(st.data(), SIZES)
def test_inclusion(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion(nodes, index, size)
    merkle.verify_inclusion(LEAVES[index], index, size, proof, tree(size))
    bad = data.draw(st.composite(damaged)(proof))
    with pytest.raises((Refused, Malformed)):
        merkle.verify_inclusion(LEAVES[index], index, size, bad, tree(size))
    elsewhere = data.draw(st.integers(-3, size + 3).filter(lambda other: other != index))
    with pytest.raises(Refused):
        merkle.verify_inclusion(LEAVES[index], elsewhere, size, proof, tree(size))


@given(st.data(), SIZES)
def test_consistency(data: st.DataObject, second: int) -> None:
    first = data.draw(st.integers(1, second))
    proof = merkle.consistency(nodes, first, second)
    merkle.verify_consistency(first, second, proof, tree(first), tree(second))
    bad = data.draw(st.composite(damaged)(proof))
    with pytest.raises((Refused, Malformed)):
        merkle.verify_consistency(first, second, bad, tree(first), tree(second))
    other = data.draw(st.integers(1, 1_000).filter(lambda size: size != first))
    with pytest.raises(Refused):
        merkle.verify_consistency(first, second, proof, tree(other), tree(second))


def test_consistency_of_all_pairs() -> None:
    for second in range(1, 65):
        for first in range(1, second + 1):
            proof = merkle.consistency(nodes, first, second)
            merkle.verify_consistency(first, second, proof, tree(first), tree(second))


@given(SIZES, SIZES)
def test_growing_is_building(first: int, more: int) -> None:
    frontier = Frontier.at(first, nodes)
    list(frontier.append(LEAVES[first : first + more]))
    assert frontier.root == tree(min(first + more, 1_000))


@given(st.binary(max_size=300))
def test_anything_is_read_or_malformed(data: bytes) -> None:
    for read in (note.read, Proof.read):
        with suppress(Malformed):
            read(data)
    for width in (0, 1, 8):
        with suppress(Malformed):
            tiles.read_bundle(data, width)
        with suppress(Malformed):
            tiles.read_tile(data, width)


@given(st.text(max_size=200))
def test_any_text_is_a_checkpoint_or_a_key_or_malformed(text: str) -> None:
    for read in (Checkpoint.read, Verifier.read):
        with suppress(Malformed):
            read(text)


@given(st.integers(0, 1 << 63 - 1), st.binary(min_size=32, max_size=32), st.data())
def test_every_byte_of_a_checkpoint_counts(size: int, digest: bytes, data: st.DataObject) -> None:
    signed = Checkpoint(ORIGIN, size or 1, digest).sign(SIGNER)
    assert note.read(signed).check([LOG]) == (LOG,)
    at = data.draw(st.integers(0, len(signed) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != signed[at]))
    with pytest.raises((Malformed, Refused)):
        note.read(signed[:at] + bytes([byte]) + signed[at + 1 :]).check([LOG])


@given(st.lists(st.binary(max_size=70), max_size=256))
def test_bundles(entries: list[bytes]) -> None:
    assert list(tiles.read_bundle(tiles.write_bundle(entries), len(entries))) == entries
