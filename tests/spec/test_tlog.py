"""The log: RFC 6962 and RFC 9162 trees, C2SP signed-note, tlog-checkpoint, tlog-tiles, tlog-proof."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from cityid import limits
from cityid.edge.software_keys import MemoryKeyring
from cityid.errors import CityIdError, Malformed, Misuse, Refused
from cityid.keys import Algorithm
from cityid.log import (
    EMPTY_ROOT,
    Checkpoint,
    Frontier,
    Proof,
    Tile,
    Verifier,
    leaf_hash,
    merkle,
    node_hash,
    note,
    tiles,
)
from cityid.log.checkpoint import open_signed
from tests.vectors import load, vectors

LEAVES = tuple(leaf_hash(b"entry %d" % number) for number in range(70))
RING = MemoryKeyring()
SIGNER = RING.signer(RING.create(Algorithm.EDDSA))
NAME = "id.lindau.example/log"
LOG = Verifier(NAME, SIGNER.public_key)
SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
TESSERA = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"


def code(call: Callable[..., Any], *args: Any, **named: Any) -> str:
    with pytest.raises(CityIdError) as caught:
        call(*args, **named)
    return caught.value.code


def plain_root(leaves: tuple[bytes, ...]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + plain_root(leaves[:k]) + plain_root(leaves[k:])).digest()


def nodes(level: int, index: int) -> bytes:
    found = LEAVES[index << level : (index + 1) << level]
    assert len(found) == 1 << level, "a proof needs complete subtrees only"
    return plain_root(found)


ROOTS = tuple(plain_root(LEAVES[:size]) for size in range(71))


class TestRfc6962Section21Hashing:
    def test_leaf_and_node_differ_in_their_first_byte(self) -> None:
        assert leaf_hash(b"") == hashlib.sha256(b"\x00").digest()
        assert node_hash(b"l" * 32, b"r" * 32) == hashlib.sha256(b"\x01" + b"l" * 32 + b"r" * 32).digest()
        assert leaf_hash(b"l" * 32 + b"r" * 32) != node_hash(b"l" * 32, b"r" * 32)
        assert hashlib.sha256(b"").digest() == EMPTY_ROOT == ROOTS[0]

    def test_a_tree_that_grows_is_the_tree(self) -> None:
        frontier = Frontier()
        for size in range(70):
            assert frontier.root == ROOTS[size]
            assert Frontier.at(size, nodes).peaks == frontier.peaks
            assert list(frontier.append([LEAVES[size]])) == []  # 256 leaves make the first node of a tile
            assert merkle.root_of(LEAVES[:size]) == ROOTS[size]

    def test_what_becomes_complete_is_told(self) -> None:
        leaves = [leaf_hash(number.to_bytes(4, "big")) for number in range(66_000)]
        found = list(Frontier().append(leaves))
        first = [node for node in found if node.level == 1]
        assert [node.index for node in first] == list(range(66_000 // 256))
        assert first[3].hash == plain_root(tuple(leaves[768:1024]))
        (second,) = [node for node in found if node.level == 2]
        assert (second.index, second.hash) == (0, merkle.root_of(leaves[:65536]))

    @pytest.mark.parametrize(("size", "peaks"), [(1, 0), (2, 2), (3, 1), (0, 1), (-1, 1)])
    def test_a_frontier_has_a_hash_a_bit(self, size: int, peaks: int) -> None:
        assert code(Frontier, size, [EMPTY_ROOT] * peaks) == "merkle.frontier"
        assert Frontier(3, LEAVES[:2]).root == node_hash(LEAVES[0], LEAVES[1])


class TestRfc9162Section213Inclusion:
    def test_every_leaf_of_every_tree(self) -> None:
        for size in range(1, 71):
            for index in range(size):
                proof = merkle.inclusion(nodes, index, size)
                merkle.verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size])

    def test_a_path_that_is_cut_or_longer(self) -> None:
        for index, size in ((0, 1), (2, 3), (5, 8), (6, 7), (69, 70)):
            proof, root = merkle.inclusion(nodes, index, size), ROOTS[size]
            check = merkle.verify_inclusion
            assert code(check, LEAVES[index], index, size, (*proof, EMPTY_ROOT), root) == "merkle.proof_length"
            if proof:
                assert code(check, LEAVES[index], index, size, proof[:-1], root) == "merkle.proof_length"
            check(LEAVES[index], index, size, proof, root)

    def test_another_leaf_place_or_root(self) -> None:
        proof = merkle.inclusion(nodes, 5, 8)
        check = merkle.verify_inclusion
        assert code(check, LEAVES[4], 5, 8, proof, ROOTS[8]) == "merkle.not_included"
        assert code(check, LEAVES[5], 4, 8, proof, ROOTS[8]) == "merkle.not_included"
        assert code(check, LEAVES[5], 5, 8, proof, ROOTS[7]) == "merkle.not_included"
        assert code(check, LEAVES[5], 8, 8, proof, ROOTS[8]) == "merkle.no_such_leaf"
        assert code(check, LEAVES[5], -1, 8, proof, ROOTS[8]) == "merkle.no_such_leaf"
        assert code(merkle.inclusion, nodes, 8, 8) == "merkle.no_such_leaf"
        check(LEAVES[5], 5, 8, proof, ROOTS[8])

    @pytest.mark.parametrize("length", [0, 31, 33])
    def test_hashes_have_32_bytes(self, length: int) -> None:
        proof = merkle.inclusion(nodes, 5, 8)
        bad = bytes(length)
        assert code(merkle.verify_inclusion, bad, 5, 8, proof, ROOTS[8]) == "merkle.hash_length"
        assert code(merkle.verify_inclusion, LEAVES[5], 5, 8, proof, bad) == "merkle.hash_length"
        assert code(merkle.verify_inclusion, LEAVES[5], 5, 8, (bad, *proof[1:]), ROOTS[8]) == "merkle.hash_length"

    def test_an_entry_like_a_node_is_no_node(self) -> None:
        """What a node hashes, given as an entry: the leaf is another hash, so the shorter tree is not this one."""
        entry = LEAVES[0] + LEAVES[1]
        assert code(merkle.verify_inclusion, leaf_hash(entry), 0, 1, (), ROOTS[2]) == "merkle.not_included"
        merkle.verify_inclusion(leaf_hash(entry), 0, 1, (), leaf_hash(entry))

    def test_official_vectors(self) -> None:
        cases = load(vectors("merkle-tlog") / "proofs" / "inclusion.json")
        for case in cases:
            proof = [unb64(one) for one in case["proof"] or ()]
            judge(case, merkle.verify_inclusion, unb64(case["leafHash"]), case["leafIdx"], case["treeSize"], proof,
                  unb64(case["root"]))  # fmt: skip
        assert {case["wantErr"] for case in cases} == {True, False}

    def test_official_vectors_of_subtrees(self) -> None:
        cases = load(vectors("merkle-tlog") / "proofs" / "subtreeinclusion.json")
        for case in cases:
            proof = [unb64(one) for one in case["proof"] or ()]
            judge(case, merkle.verify_subtree_inclusion, unb64(case["leafHash"]), case["leafIdx"], case["start"],
                  case["end"], proof, unb64(case["root"]))  # fmt: skip
        assert {case["wantErr"] for case in cases} == {True, False}


class TestRfc9162Section214Consistency:
    def test_every_pair_of_trees(self) -> None:
        for second in range(1, 71):
            for first in range(1, second + 1):
                proof = merkle.consistency(nodes, first, second)
                merkle.verify_consistency(first, second, proof, ROOTS[first], ROOTS[second])

    def test_a_path_that_is_cut_or_longer(self) -> None:
        check = merkle.verify_consistency
        for first, second in ((1, 2), (3, 7), (4, 8), (6, 8), (69, 70), (7, 7)):
            proof = merkle.consistency(nodes, first, second)
            roots = ROOTS[first], ROOTS[second]
            assert code(check, first, second, (*proof, EMPTY_ROOT), *roots) == "merkle.proof_length"
            if proof:
                assert code(check, first, second, proof[:-1], *roots) in ("merkle.proof_length", "merkle.inconsistent")
                assert code(check, first, second, (), *roots) == "merkle.proof_length"
            check(first, second, proof, *roots)

    def test_another_history(self) -> None:
        check = merkle.verify_consistency
        proof = merkle.consistency(nodes, 5, 8)
        other = plain_root((*LEAVES[:4], LEAVES[9]))
        assert code(check, 5, 8, proof, other, ROOTS[8]) == "merkle.inconsistent"
        assert code(check, 5, 8, proof, ROOTS[5], ROOTS[9]) == "merkle.inconsistent"
        assert code(check, 5, 5, (), other, ROOTS[5]) == "merkle.inconsistent"
        check(5, 8, proof, ROOTS[5], ROOTS[8])
        check(5, 5, (), ROOTS[5], ROOTS[5])

    @pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 8), (8, 7), (-1, 8)])
    def test_sizes_that_prove_nothing(self, first: int, second: int) -> None:
        assert code(merkle.consistency, nodes, first, second) == "merkle.sizes"
        assert code(merkle.verify_consistency, first, second, (), EMPTY_ROOT, EMPTY_ROOT) == "merkle.sizes"

    def test_hashes_have_32_bytes(self) -> None:
        check, proof = merkle.verify_consistency, merkle.consistency(nodes, 5, 8)
        assert code(check, 5, 8, proof, ROOTS[5][:31], ROOTS[8]) == "merkle.hash_length"
        assert code(check, 5, 8, proof, ROOTS[5], ROOTS[8] + b"\0") == "merkle.hash_length"
        assert code(check, 5, 8, (b"", *proof[1:]), ROOTS[5], ROOTS[8]) == "merkle.hash_length"
        assert code(merkle.verify_subtree_consistency, 0, 5, 8, proof, ROOTS[5], b"") == "merkle.hash_length"

    def test_official_vectors(self) -> None:
        cases = load(vectors("merkle-tlog") / "proofs" / "consistency.json")
        for case in cases:
            proof = [unb64(one) for one in case["proof"] or ()]
            judge(case, merkle.verify_consistency, case["size1"], case["size2"], proof, unb64(case["root1"]),
                  unb64(case["root2"]))  # fmt: skip
        assert {case["wantErr"] for case in cases} == {True, False}

    def test_subtrees_of_trees(self) -> None:
        """Every subtree of every tree up to 20 leaves, with a proof made from its definition."""
        check = merkle.verify_subtree_consistency
        for size in range(1, 21):
            for start in range(size + 1):
                for end in range(start, size + 1):
                    width = 1 << max(end - start - 1, 0).bit_length()
                    if start % width:
                        assert code(check, start, end, size, (), EMPTY_ROOT, ROOTS[size]) == "merkle.not_a_subtree"
                        continue
                    proof = subtree_proof(start, end, size)
                    check(start, end, size, proof, plain_root(LEAVES[start:end]), ROOTS[size])
                    told = code(
                        check, start, end, size, (*proof, EMPTY_ROOT), plain_root(LEAVES[start:end]), ROOTS[size]
                    )
                    assert told == "merkle.proof_length"

    def test_what_is_no_subtree(self) -> None:
        check = merkle.verify_subtree_consistency
        assert code(check, 0, 9, 8, (), ROOTS[8], ROOTS[8]) == "merkle.not_a_subtree"
        assert code(check, 3, 2, 8, (), ROOTS[8], ROOTS[8]) == "merkle.not_a_subtree"
        assert code(check, -1, 0, 8, (), EMPTY_ROOT, ROOTS[8]) == "merkle.not_a_subtree"
        assert code(check, 4, 4, 8, (), ROOTS[1], ROOTS[8]) == "merkle.inconsistent"
        assert code(check, 4, 4, 8, (EMPTY_ROOT,), EMPTY_ROOT, ROOTS[8]) == "merkle.proof_length"
        check(4, 4, 8, (), EMPTY_ROOT, ROOTS[8])

    def test_official_vectors_of_subtrees(self) -> None:
        cases = load(vectors("merkle-tlog") / "proofs" / "subtreeconsistency.json")
        for case in cases:
            proof = [unb64(one) for one in case["proof"] or ()]
            judge(case, merkle.verify_subtree_consistency, case["start"], case["end"], case["size"], proof,
                  unb64(case["root1"]), unb64(case["root2"]))  # fmt: skip
        assert {case["wantErr"] for case in cases} == {True, False}

    def test_every_file_is_run(self) -> None:
        run = {"inclusion.json", "consistency.json", "subtreeinclusion.json", "subtreeconsistency.json"}
        assert {path.name for path in (vectors("merkle-tlog") / "proofs").iterdir()} == run
        assert {path.name for path in vectors("merkle-tlog").iterdir()} == {"README.md", "proofs", "tessera-log.json"}


def unb64(text: str) -> bytes:
    return base64.b64decode(text)


def judge(case: dict[str, Any], check: Callable[..., None], *args: Any) -> None:
    if case["wantErr"]:
        with pytest.raises((Refused, Malformed)):
            check(*args)
    else:
        check(*args)


def subtree_proof(start: int, end: int, size: int) -> tuple[bytes, ...]:
    """SUBTREE_SUBPROOF of the draft, from its recursive definition."""

    def proof(low: int, high: int, first: int, last: int, whole: bool) -> list[bytes]:
        if (first, last) == (low, high):
            return [] if whole else [plain_root(LEAVES[low:high])]
        k = low + (1 << (high - low - 1).bit_length() - 1)
        if last <= k:
            return [*proof(low, k, first, last, whole), plain_root(LEAVES[k:high])]
        if first >= k:
            return [*proof(k, high, first, last, whole), plain_root(LEAVES[low:k])]
        return [*proof(k, high, k, last, False), plain_root(LEAVES[low:k])]

    return tuple(proof(0, size, start, end, True)) if start < end else ()


class TestSignedNote:
    TEXT = "This is an example message.\n"

    def test_what_is_signed_is_read(self) -> None:
        data = note.sign(self.TEXT, NAME, SIGNER)
        found = note.read(data)
        assert found.text == self.TEXT
        assert found.check([LOG]) == (LOG,)
        assert data.startswith(b"This is an example message.\n\n\xe2\x80\x94 id.lindau.example/log ")
        assert data.endswith(b"\n")

    def test_the_key_of_the_specification(self) -> None:
        found = Verifier.read(SPEC_KEY)
        assert (found.name, found.id.hex(), found.write()) == ("example.com/foo", "530d903a", SPEC_KEY)

    def test_a_key_may_have_a_plus_in_its_base64(self) -> None:
        key = Verifier.read(TESSERA)
        assert "+" in TESSERA.split("+", 2)[2]
        assert key.write() == TESSERA

    @pytest.mark.parametrize(
        ("vkey", "told"),
        [
            ("example.com/foo", "note.vkey"),
            ("example.com/foo+530d903a", "note.vkey"),
            (SPEC_KEY.replace("530d903a", "530D903A"), "note.vkey"),
            (SPEC_KEY.replace("530d903a", "530d903"), "note.vkey"),
            (SPEC_KEY.replace("530d903a", "530d903b"), "note.vkey_hash"),
            (SPEC_KEY.replace("foo", "fop"), "note.vkey_hash"),
            (SPEC_KEY.replace("foo", "f o"), "note.name"),
            ("+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "note.name"),
            ("a+b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "note.vkey"),
            (SPEC_KEY[:-1], "base64.alphabet"),
            (SPEC_KEY.replace("+Aeky", "+Beky"), "note.key_type"),
            ("example.com/foo+530d903a+", "note.key_type"),
            ("example.com/foo+530d903a+AekyeRrm", "key.length"),
        ],
    )
    def test_keys_that_are_none(self, vkey: str, told: str) -> None:
        assert code(Verifier.read, vkey) == told

    @pytest.mark.parametrize("name", ["", "a b", "a\u00a0b", "a\u2003b", "a+b", "a\nb", "a\u2028b", "x" * 201])
    def test_names_that_are_none(self, name: str) -> None:
        assert code(Verifier, name, SIGNER.public_key) == "note.name"
        assert Verifier("x" * 200, SIGNER.public_key).name == "x" * 200
        assert Verifier("städte/λ", SIGNER.public_key).name == "städte/λ"

    def test_only_ed25519_signs(self) -> None:
        other = RING.signer(RING.create(Algorithm.ES256))
        assert code(note.sign, self.TEXT, NAME, other) == "keys.wrong_kind"
        assert code(Verifier, NAME, other.public_key) == "note.key_type"

    @pytest.mark.parametrize("text", ["", "no end", "a\ttab\n", "a\rreturn\n"])
    def test_texts_that_cannot_be_signed(self, text: str) -> None:
        with pytest.raises(Misuse, match=r"note\.text"):
            note.sign(text, NAME, SIGNER)

    def test_the_text_may_have_empty_lines(self) -> None:
        text = "one\n\n\ntwo\n"
        found = note.read(note.sign(text, NAME, SIGNER))
        assert found.text == text
        found.check([LOG])

    @pytest.mark.parametrize("at", range(0, 180, 7))
    def test_every_changed_byte_is_noticed(self, at: int) -> None:
        data = bytearray(note.sign(self.TEXT * 3, NAME, SIGNER))
        data[at] ^= 1
        with pytest.raises((Malformed, Refused)):
            note.read(bytes(data)).check([LOG])

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (lambda data: data.replace(b"\n", b"\r\n"), "note.control"),
            (lambda data: data.replace(b"example", b"exa\tple"), "note.control"),
            (lambda data: data.replace(b"example", b"exa\x00ple"), "note.control"),
            (lambda data: data.replace(b"example", b"ex\xffmple"), "note.not_utf8"),
            (lambda data: data[:-1], "note.shape"),
            (lambda data: data.replace(b"\n\n", b"\n"), "note.shape"),
            (lambda data: data + b"\n", "note.shape"),
            (lambda data: b"", "note.shape"),
            (lambda data: data.replace(b"\xe2\x80\x94", b"\xe2\x80\x93"), "note.signature_line"),
            (lambda data: data.replace(b"\xe2\x80\x94", b"-"), "note.signature_line"),
            (lambda data: data.replace(b"\xe2\x80\x94 ", b""), "note.signature_line"),
            (lambda data: data.replace(b"\xe2\x80\x94 id", b"\xe2\x80\x94  id"), "note.name"),
            (lambda data: data.replace(b"/log ", b"/log"), "note.signature_line"),
            (lambda data: data.replace(b"/log ", b"/l+g"), "note.signature_line"),
            (lambda data: data.replace(b"/log ", b"/l+g "), "note.name"),
            (lambda data: data[:-2] + b"\n", "note.signature_line"),
            (lambda data: data.rstrip(b"\n").rstrip(b"=") + b"\n", "note.signature_line"),
            (lambda data: data[: data.index(b"/log ") + 5] + b"AAAAAA==\n", "note.signature_line"),
            (lambda data: data.replace(b"This", b"That"), "note.signature_invalid"),
        ],
    )
    def test_notes_that_are_none(self, change: Callable[[bytes], bytes], told: str) -> None:
        data = note.sign(self.TEXT, NAME, SIGNER)
        assert code(lambda: note.read(change(data)).check([LOG])) == told
        note.read(data).check([LOG])

    def test_an_unknown_key_says_nothing(self) -> None:
        other = RING.signer(RING.create(Algorithm.EDDSA))
        data = note.sign(self.TEXT, NAME, SIGNER)
        same_name = note.sign(self.TEXT, NAME, other)
        assert code(note.read(same_name).check, [LOG]) == "note.unsigned"
        assert code(note.read(data).check, []) == "note.unsigned"
        both = data + same_name.split(b"\n\n")[1]
        assert note.read(both).check([LOG]) == (LOG,)
        assert note.read(both).check([Verifier(NAME, other.public_key), LOG]) == (LOG, Verifier(NAME, other.public_key))

    def test_the_id_of_a_known_key_under_another_name(self) -> None:
        data = note.sign(self.TEXT, NAME, SIGNER).replace(b"\xe2\x80\x94 id.", b"\xe2\x80\x94 ib.")
        assert code(note.read(data).check, [LOG]) == "note.unsigned"

    def test_other_types_of_signature_are_passed_over(self) -> None:
        """A timestamped cosignature (0x04) by the same name has another id."""
        id_ = hashlib.sha256(NAME.encode() + b"\n\x04" + SIGNER.public_key.raw).digest()[:4]
        line = b"\xe2\x80\x94 " + NAME.encode() + b" " + base64.b64encode(id_ + bytes(72)) + b"\n"
        assert note.read(note.sign(self.TEXT, NAME, SIGNER) + line).check([LOG]) == (LOG,)
        assert code(note.read(self.TEXT.encode() + b"\n" + line).check, [LOG]) == "note.unsigned"

    def test_one_bad_signature_by_a_known_key_condemns_the_note(self) -> None:
        data = note.sign(self.TEXT, NAME, SIGNER)
        bad = b"\xe2\x80\x94 " + NAME.encode() + b" " + base64.b64encode(LOG.id + bytes(64)) + b"\n"
        assert code(note.read(data + bad).check, [LOG]) == "note.signature_invalid"
        assert code(note.read(data.split(b"\n\n")[0] + b"\n\n" + bad + data.split(b"\n\n")[1]).check, [LOG]) == (
            "note.signature_invalid"
        )
        note.read(data + data.split(b"\n\n")[1]).check([LOG])

    def test_how_many_and_how_large(self) -> None:
        data = note.sign(self.TEXT, NAME, SIGNER)
        line = data.split(b"\n\n")[1]
        assert note.read(data + line * (limits.NOTE_SIGNATURES - 1)).check([LOG]) == (LOG,)
        assert code(note.read, data + line * limits.NOTE_SIGNATURES) == "note.too_many"
        room = limits.NOTE - len(data)
        note.read(note.sign("x" * room + self.TEXT, NAME, SIGNER)).check([LOG])
        assert code(note.read, note.sign("x" * (room + 1) + self.TEXT, NAME, SIGNER)) == "note.too_large"


class TestCheckpoint:
    GOOD = Checkpoint(NAME, 7, ROOTS[7])

    def test_what_is_signed_is_read(self) -> None:
        data = self.GOOD.sign(SIGNER)
        assert open_signed(data, LOG) == self.GOOD
        assert data.split(b"\n")[:2] == [NAME.encode(), b"7"]

    def test_the_empty_tree(self) -> None:
        empty = Checkpoint(NAME, 0, EMPTY_ROOT)
        assert open_signed(empty.sign(SIGNER), LOG) == empty
        assert code(Checkpoint.read, Checkpoint(NAME, 0, ROOTS[1]).write()) == "checkpoint.root"

    def test_lines_of_others_are_kept(self) -> None:
        extended = Checkpoint(NAME, 7, ROOTS[7], ("time 12", "x"))
        assert open_signed(extended.sign(SIGNER), LOG) == extended

    @pytest.mark.parametrize(
        ("line", "value", "told"),
        [
            (0, "", "checkpoint.lines"),
            (1, "007", "checkpoint.size"),
            (1, "+5", "checkpoint.size"),
            (1, "-1", "checkpoint.size"),
            (1, "7 ", "checkpoint.size"),
            (1, "７", "checkpoint.size"),
            (1, "", "checkpoint.lines"),
            (1, str(1 << 63), "checkpoint.size"),
            (1, "9" * 20, "checkpoint.size"),
            (2, base64.b64encode(bytes(31)).decode(), "checkpoint.root"),
            (2, base64.b64encode(bytes(33)).decode(), "checkpoint.root"),
            (2, base64.b64encode(ROOTS[7]).decode().rstrip("="), "checkpoint.root"),
            (2, base64.urlsafe_b64encode(b"\xff" * 32).decode(), "checkpoint.root"),
            (3, "\n", "checkpoint.lines"),
        ],
    )
    def test_checkpoints_that_are_none(self, line: int, value: str, told: str) -> None:
        lines = self.GOOD.write().split("\n")
        lines[line] = value
        assert code(Checkpoint.read, "\n".join(lines)) == told
        assert Checkpoint.read(self.GOOD.write()) == self.GOOD

    def test_too_few_lines(self) -> None:
        assert code(Checkpoint.read, f"{NAME}\n7\n") == "checkpoint.lines"
        assert code(Checkpoint.read, self.GOOD.write()[:-1]) == "checkpoint.lines"
        assert Checkpoint.read(Checkpoint(NAME, (1 << 63) - 1, ROOTS[7]).write()).size == (1 << 63) - 1

    def test_a_key_signs_for_the_log_of_its_name(self) -> None:
        data = note.sign(Checkpoint("other.example/log", 7, ROOTS[7]).write(), NAME, SIGNER)
        assert code(open_signed, data, LOG) == "checkpoint.other_log"
        assert code(open_signed, self.GOOD.sign(SIGNER).replace(b"\n7\n", b"\n8\n"), LOG) == "note.signature_invalid"
        assert code(open_signed, self.GOOD.sign(SIGNER), Verifier("x.example", SIGNER.public_key)) == "note.unsigned"
        open_signed(self.GOOD.sign(SIGNER), LOG)

    def test_a_real_log_growing(self) -> None:
        """transparency-dev/tessera: each checkpoint, its tile, its entries, and consistency between all of them."""
        log = Verifier.read(TESSERA)
        cases = load(vectors("merkle-tlog") / "tessera-log.json")
        leaves: tuple[bytes, ...] = ()
        roots: dict[int, bytes] = {}
        for case in cases:
            found = open_signed(case["checkpoint"].encode(), log)
            assert found.size == case["size"]
            if found.size:
                leaves = tiles.read_tile(bytes.fromhex(case["tile_0_000_hex"]), found.size)
                entries = tiles.read_bundle(bytes.fromhex(case["entries_000_hex"]), found.size)
                assert tuple(map(leaf_hash, entries)) == leaves
                assert tiles.write_bundle(entries).hex() == case["entries_000_hex"]
            assert merkle.root_of(leaves) == found.root
            roots[found.size] = found.root
        assert len(roots) == len(cases) == 11

        def node(level: int, index: int) -> bytes:
            return plain_root(leaves[index << level : (index + 1) << level])

        for first in roots.keys() - {0}:
            for second in roots.keys() - {0}:
                if first <= second:
                    proof = merkle.consistency(node, first, second)
                    merkle.verify_consistency(first, second, proof, roots[first], roots[second])


class TestTiles:
    @pytest.mark.parametrize(
        ("tile", "path"),
        [
            (Tile(0, 0), "tile/0/000"),
            (Tile(0, 0, 1), "tile/0/000.p/1"),
            (Tile(1, 999, 255), "tile/1/999.p/255"),
            (Tile(2, 1000), "tile/2/x001/000"),
            (Tile(0, 1234067), "tile/0/x001/x234/067"),
            (Tile(0, 1234067, 8), "tile/0/x001/x234/067.p/8"),
        ],
    )
    def test_paths(self, tile: Tile, path: str) -> None:
        assert tile.path == path
        assert tile.bundle == path.replace(f"tile/{tile.level}/", "tile/entries/")
        assert tile.full.path == path.split(".p/")[0]

    def test_the_example_of_the_specification(self) -> None:
        assert [(tile.level, tile.index, tile.width) for tile in tiles.fresh(0, 256)] == [(0, 0, 256), (1, 0, 1)]
        found = list(tiles.fresh(0, 70_000))
        assert found[:273] == [Tile(0, index) for index in range(273)]
        assert found[273:] == [Tile(0, 273, 112), Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]

    def test_what_is_new_is_what_was_not_there(self) -> None:
        for old in (0, 1, 255, 256, 257, 65_535, 65_536):
            for new in (old, old + 1, old + 255, old + 256, old + 1000):
                assert set(tiles.fresh(old, new)) == set(tiles.fresh(0, new)) - set(tiles.fresh(0, old))
        assert list(tiles.fresh(0, 0)) == []

    def test_widths(self) -> None:
        assert [tiles.width_at(0, index, 600) for index in range(4)] == [256, 256, 88, 0]
        assert [tiles.width_at(1, index, 600) for index in range(2)] == [2, 0]

    def test_a_tile_has_whole_hashes(self) -> None:
        data = b"".join(LEAVES)
        assert tiles.read_tile(data, 70) == LEAVES
        assert tiles.read_tile(data, 3) == LEAVES[:3]  # the tile that it grew into will do
        assert code(tiles.read_tile, data, 71) == "tile.length"
        assert code(tiles.read_tile, data + b"\0", 70) == "tile.length"
        assert len(tiles.read_tile(bytes(256 * 32), 1)) == 1
        assert code(tiles.read_tile, bytes(257 * 32), 1) == "tile.length"

    def test_entries_stand_behind_their_length(self) -> None:
        entries = (b"", b"one", b"x" * 65_535)
        data = tiles.write_bundle(entries)
        assert data[:7] == b"\x00\x00\x00\x03one"
        assert tiles.read_bundle(data, 3) == entries
        assert tiles.read_bundle(data, 2) == entries[:2]
        assert code(tiles.read_bundle, data, 4) == "tile.bundle"
        assert code(tiles.read_bundle, data[:-1], 3) == "tile.bundle"
        assert code(tiles.read_bundle, data[:6], 1) == "tile.bundle"
        assert code(tiles.read_bundle, data + b"\0", 3) == "tile.bundle"
        assert len(tiles.read_bundle(b"\0\0" * 256, 256)) == 256
        assert code(tiles.read_bundle, b"\0\0" * 257, 256) == "tile.bundle"
        with pytest.raises(Misuse, match=r"tile\.entry_too_long"):
            tiles.write_bundle([b"x" * 65_536])

    def test_proofs_out_of_tiles(self) -> None:
        size = 66_000
        leaves = [leaf_hash(number.to_bytes(4, "big")) for number in range(size)]
        rows: dict[int, list[bytes]] = {0: leaves, 1: [], 2: []}
        frontier = Frontier()
        for found in frontier.append(leaves):
            rows[found.level].append(found.hash)
        asked: list[Tile] = []

        def tile(wanted: Tile) -> bytes:
            asked.append(wanted)
            at = wanted.index * 256
            return b"".join(rows[wanted.level][at : at + wanted.width])

        read = tiles.nodes_of(tile, size)
        for index in (0, 255, 256, 65_535, 65_536, 65_999):
            merkle.verify_inclusion(leaves[index], index, size, merkle.inclusion(read, index, size), frontier.root)
        for first in (1, 256, 65_535, 65_536, 65_999):
            proof = merkle.consistency(read, first, size)
            merkle.verify_consistency(first, size, proof, merkle.root_of(leaves[:first]), frontier.root)
        assert set(asked) <= set(tiles.fresh(0, size))
        short = tiles.nodes_of(lambda wanted: tile(wanted)[:-32], size)
        assert code(merkle.inclusion, short, 0, size) == "tile.length"


class TestProofFile:
    CHECKPOINT = Checkpoint(NAME, 7, ROOTS[7]).sign(SIGNER)
    GOOD = Proof(5, merkle.inclusion(nodes, 5, 7), CHECKPOINT)

    def test_what_is_written_is_read(self) -> None:
        data = self.GOOD.write()
        assert data.startswith(b"c2sp.org/tlog-proof@v1\nindex 5\n")
        assert Proof.read(data) == self.GOOD
        assert self.GOOD.verify(LEAVES[5], LOG) == Checkpoint(NAME, 7, ROOTS[7])
        with_more = Proof(5, self.GOOD.path, self.CHECKPOINT, b"salt and event")
        assert with_more.write().split(b"\n")[1] == b"extra " + base64.b64encode(b"salt and event")
        assert Proof.read(with_more.write()) == with_more
        alone = Proof(0, (), Checkpoint(NAME, 1, ROOTS[1]).sign(SIGNER))
        assert Proof.read(alone.write()).verify(LEAVES[0], LOG).size == 1

    @pytest.mark.parametrize(
        ("old", "new", "told"),
        [
            (b"@v1", b"@v2", "tlog_proof.shape"),
            (b"c2sp", b"c2s\xff", "tlog_proof.shape"),
            (b"\n\n", b"\n", "tlog_proof.hash"),
            (b"index 5\n", b"", "tlog_proof.index"),
            (b"index 5", b"index 05", "tlog_proof.index"),
            (b"index 5", b"index +5", "tlog_proof.index"),
            (b"index 5", b"extra !\nindex 5", "tlog_proof.extra"),
            (b"index 5", b"index 5\nAAAA", "tlog_proof.hash"),
            (b"index 5", b"index 5\n=", "tlog_proof.hash"),
            (b"index 5", b"index 5" + 61 * (b"\n" + base64.b64encode(EMPTY_ROOT)), "tlog_proof.hash"),
            (b"index 5", b"index 5" + (limits.NOTE // 8) * b"\n       ", "tlog_proof.too_large"),
        ],
    )
    def test_proofs_that_are_none(self, old: bytes, new: bytes, told: str) -> None:
        assert code(Proof.read, self.GOOD.write().replace(old, new, 1)) == told

    def test_nothing_behind_the_name(self) -> None:
        assert code(Proof.read, b"c2sp.org/tlog-proof@v1\n\n" + self.CHECKPOINT) == "tlog_proof.shape"
        assert code(Proof.read, b"c2sp.org/tlog-proof@v1\nextra AA==\n\n" + self.CHECKPOINT) == "tlog_proof.index"
        assert code(Proof.read, b"c2sp.org/tlog-proof@v1\nindex 0\n") == "tlog_proof.shape"

    def test_limits_are_met_exactly(self) -> None:
        longest = Proof(5, (EMPTY_ROOT,) * 63, self.CHECKPOINT)
        assert Proof.read(longest.write()) == longest
        data = self.GOOD.write()
        assert Proof.read(data + b" " * (limits.NOTE - len(data))).index == 5

    def test_of_another_entry_or_log(self) -> None:
        assert code(self.GOOD.verify, LEAVES[4], LOG) == "merkle.not_included"
        assert code(Proof(4, self.GOOD.path, self.CHECKPOINT).verify, LEAVES[5], LOG) == "merkle.not_included"
        assert code(self.GOOD.verify, LEAVES[5], Verifier.read(SPEC_KEY)) == "note.unsigned"
        self.GOOD.verify(LEAVES[5], LOG)


def test_an_independent_program_agrees() -> None:
    """aics-tlog reads what we sign, and makes the proofs that we make: in `.ci/run`, on Python 3.12 and later."""
    tlog = pytest.importorskip("aics_tlog", reason="aics-tlog is not installed (it needs Python 3.12)")
    entries = [b"entry %d" % number for number in range(70)]
    tree = tlog.MerkleTree(entries)
    for size in range(1, 71):
        assert tree.root(size) == ROOTS[size]
        assert tuple(tree.inclusion_proof(size // 2, size)) == merkle.inclusion(nodes, size // 2, size)
        assert tuple(tree.consistency_proof((size + 1) // 2, size)) == merkle.consistency(nodes, (size + 1) // 2, size)
    signed = tlog.parse_note(Checkpoint(NAME, 70, ROOTS[70]).sign(SIGNER))
    assert tlog.verify_checkpoint(signed, tlog.parse_vkey(LOG.write()), [], quorum=0).ok
