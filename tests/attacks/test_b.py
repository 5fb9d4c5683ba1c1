"""Group B, as far as it is about the BBS scheme itself (B01 to B09, B11, B17); bbs-2023 comes with its cryptosuite."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cityid import limits
from cityid.bbs import batch, blind, core, generators, hash_to_curve, keys, pseudonym
from cityid.bbs import octets as strict
from cityid.bbs.curve import BP2, R
from cityid.bbs.suites import BLIND, CORE, PSEUDONYM, SHA_256, SHAKE_256, Interface
from cityid.errors import CityIdError, Malformed
from tests.bbs import arkworks

KEY = keys.key_gen(b"B" * 32)
OTHER = keys.key_gen(b"O" * 32)
HEADER, PH = b"header", b"nonce and audience"
MESSAGES = [b"Ada", b"Lovelace", b"1815", b"London"]
SIGNATURE = core.sign(KEY, HEADER, MESSAGES)
DISCLOSED, SHOWN = [0, 2], [b"Ada", b"1815"]
PROOF = core.proof_gen(KEY.public, SIGNATURE, HEADER, PH, MESSAGES, DISCLOSED)
IDENTITY, IDENTITY_2 = b"\xc0" + bytes(47), b"\xc0" + bytes(95)


def code(call: Callable[..., object], *args: Any, **named: Any) -> str:
    with pytest.raises(CityIdError) as caught:
        call(*args, **named)
    return caught.value.code


def check(
    proof: bytes = PROOF, disclosed: Any = DISCLOSED, messages: Any = SHOWN, *, public: bytes = KEY.public,
    header: bytes = HEADER, ph: bytes = PH, **named: Any,
) -> None:  # fmt: skip
    core.proof_verify(public, proof, header, ph, disclosed, messages, **named)


def outside_g1() -> bytes:
    """On the curve, and not in the subgroup: a point whose cofactor was not cleared."""
    return hash_to_curve.compress(hash_to_curve.map_to_curve(7))


def outside_g2() -> bytes:
    """Likewise: x is counted up until one has a y; hardly any is in the subgroup."""
    ark = arkworks().lib
    for number in range(1, 200):
        octets = b"\x80" + bytes(94) + bytes([number])
        try:
            ark.G2Point.from_compressed_bytes_unchecked(octets)
        except ValueError:
            continue
        return octets
    raise AssertionError


def off_the_curve() -> bytes:
    """An x without a y."""
    q = hash_to_curve.Q
    x = next(x for x in range(1, 200) if pow(x**3 + 4, (q - 1) // 2, q) != 1)
    return b"\x80" + x.to_bytes(47, "big")


Q_OCTETS = hash_to_curve.Q.to_bytes(48, "big")
BAD_POINTS = {
    "identity": (IDENTITY, "bbs.identity"),
    "not in the subgroup": (outside_g1(), "bbs.point"),
    "not on the curve": (off_the_curve(), "bbs.point"),
    "x is the order of the field": (bytes([Q_OCTETS[0] | 0x80]) + Q_OCTETS[1:], "bbs.point"),
    "infinity with a sign": (b"\xe0" + bytes(47), "bbs.point"),
    "infinity with an x": (b"\xc0" + bytes(46) + b"\1", "bbs.point"),
    "infinity, all ones": (b"\xff" * 48, "bbs.point"),
    "infinity, not compressed": (b"\x40" + bytes(47), "bbs.point"),
    "not compressed": (bytes([PROOF[0] & 0x7F]) + PROOF[1:48], "bbs.point"),
}


class TestB01PublicKeys:
    def test_b01_bad_keys(self) -> None:
        for good in (KEY.public, OTHER.public, BP2):
            keys.check_public_key(good)
        bad = [
            (IDENTITY_2, "bbs.identity"), (outside_g2(), "bbs.point"), (KEY.public[:-1], "bbs.length"),
            (b"", "bbs.length"),
            (KEY.public + b"\0", "bbs.length"), (KEY.public[:48], "bbs.length"),
            (bytes([KEY.public[0] & 0x7F]) + KEY.public[1:], "bbs.point"),
            (b"\xff" * 96, "bbs.point"), (b"\xe0" + bytes(95), "bbs.point"), (b"\xc0" + bytes(94) + b"\1", "bbs.point"),
            (bytes(96), "bbs.point"), (bytes([Q_OCTETS[0] | 0x80]) + Q_OCTETS[1:] + KEY.public[48:], "bbs.point"),
        ]  # fmt: skip
        for public, expected in bad:
            assert code(keys.check_public_key, public) == expected
            assert code(check, public=public) == expected
            assert code(core.verify, public, SIGNATURE, HEADER, MESSAGES) == expected
            assert code(core.proof_gen, public, SIGNATURE, HEADER, PH, MESSAGES, DISCLOSED) == expected
            assert code(batch.proof_verify, public, []) == expected
        core.verify(KEY.public, SIGNATURE, HEADER, MESSAGES)
        assert batch.proof_verify(KEY.public, []) == ()

    def test_b01_the_sign_of_y(self) -> None:
        """One bit away: the other point of the same x is a key, but not this one's."""
        other = bytes([KEY.public[0] ^ 0x20]) + KEY.public[1:]
        keys.check_public_key(other)
        assert code(check, public=other) == "bbs.proof"
        check()


class TestB02Points:
    @pytest.mark.parametrize("name", BAD_POINTS)
    def test_b02_points_of_proofs_and_signatures(self, name: str) -> None:
        point, expected = BAD_POINTS[name]
        for start in (0, 48, 96):
            assert code(check, PROOF[:start] + point + PROOF[start + 48 :]) == expected
        assert code(core.verify, KEY.public, point + SIGNATURE[48:], HEADER, MESSAGES) == expected
        commitment, _ = blind.commit([b"x"])
        blind.sign(KEY, commitment, b"", [])
        assert code(blind.sign, KEY, point + commitment[48:], b"", []) == expected
        check()

    def test_b02_good_points_of_somebody_else(self) -> None:
        other = core.proof_gen(KEY.public, SIGNATURE, HEADER, PH, MESSAGES, DISCLOSED)
        for start in (0, 48, 96):
            assert code(check, PROOF[:start] + other[start : start + 48] + PROOF[start + 48 :]) == "bbs.proof"
            flipped = bytes([PROOF[start] ^ 0x20])
            assert code(check, PROOF[:start] + flipped + PROOF[start + 1 :]) == "bbs.proof"
        check(other)

    def test_b02_a_signature_that_nobody_made(self) -> None:
        """A = B / e, for which the Schnorr part of a proof holds: only the pairing knows that the key is not in it."""
        interface = Interface(SHA_256, CORE)
        bases = generators.create_generators(len(MESSAGES) + 1, interface)
        domain = core.calculate_domain(KEY.public, bases, HEADER, interface)
        b = core.signed_point(SHA_256, bases, domain, interface.scalars(MESSAGES))
        backend = SHA_256.backend()
        for e in (1, 2, 5):
            forged = backend.octets(backend.mul(b, pow(e, -1, R))) + strict.from_scalar(e)
            assert code(core.verify, KEY.public, forged, HEADER, MESSAGES) == "bbs.signature"
        unsigned = backend.octets(b) + strict.from_scalar(77)
        proof = core.proof_gen(KEY.public, unsigned, HEADER, PH, MESSAGES, DISCLOSED)
        core.check_proof(KEY.public, proof, HEADER, PH, DISCLOSED, SHOWN, SHA_256)
        assert code(check, proof) == "bbs.proof"
        shown = [batch.Shown(each, HEADER, PH, tuple(DISCLOSED), tuple(SHOWN)) for each in (PROOF, proof, PROOF)]
        good, bad, also = batch.proof_verify(KEY.public, shown)
        assert (good, bad is None, also) == (None, False, None)
        assert bad is not None
        assert bad.code == "bbs.proof"
        check()


class TestB03Scalars:
    def test_b03_scalars_out_of_range(self) -> None:
        scalars = (len(PROOF) - 144) // 32
        for place in range(scalars):
            start = 144 + 32 * place
            for value in (0, R, R + 1, 2**256 - 1):
                bad = PROOF[:start] + value.to_bytes(32, "big") + PROOF[start + 32 :]
                assert code(check, bad) == "bbs.scalar"
            for value in (1, R - 1):
                bad = PROOF[:start] + value.to_bytes(32, "big") + PROOF[start + 32 :]
                assert code(check, bad) == "bbs.proof"
            # the same scalar modulo r, written another way
            again = int.from_bytes(PROOF[start : start + 32], "big") + R
            assert (
                again >= 2**256
                or code(check, PROOF[:start] + again.to_bytes(32, "big") + PROOF[start + 32 :]) == "bbs.scalar"
            )
        for value in (0, R, 2**256 - 1):
            bad = SIGNATURE[:48] + value.to_bytes(32, "big")
            assert code(core.verify, KEY.public, bad, HEADER, MESSAGES) == "bbs.scalar"
        core.verify(KEY.public, SIGNATURE, HEADER, MESSAGES)
        check()

    def test_b03_lengths(self) -> None:
        for bad in (PROOF[:-1], PROOF + b"\1", PROOF[:271], PROOF[:-31], b"", PROOF[:240], PROOF[:144]):
            with pytest.raises(Malformed) as caught:
                check(bad)
            # seen for the whole, before any part of it is read
            assert (caught.value.code, caught.value.problem.facts["length"]) == ("bbs.length", len(bad))
        # one scalar more or less is a proof about another number of messages
        one = strict.from_scalar(1)
        for bad in (PROOF + one, PROOF[:-64] + PROOF[-32:], PROOF[:-32] + one + PROOF[-32:], PROOF[:-32]):
            assert code(check, bad) == "bbs.proof"
        for bad in (SIGNATURE[:-1], SIGNATURE + b"\0", b"", SIGNATURE[:48]):
            assert code(core.verify, KEY.public, bad, HEADER, MESSAGES) == "bbs.length"
        check()

    def test_b03_every_bit_counts(self) -> None:
        for place in range(0, len(PROOF), 7):
            bad = PROOF[:place] + bytes([PROOF[place] ^ 1]) + PROOF[place + 1 :]
            assert code(check, bad) in ("bbs.proof", "bbs.point")
        check()


class TestB04Indexes:
    def test_b04_lists_that_are_none(self) -> None:
        changed = [
            ([0, 0], SHOWN, "bbs.index"), ([2, 0], SHOWN, "bbs.index"), ([2, 0], SHOWN[::-1], "bbs.index"),
            ([0, 4], SHOWN, "bbs.index"), ([-1, 2], SHOWN, "bbs.index"), ([0, 2**33], SHOWN, "bbs.index"),
            ([0, 2**64], SHOWN, "bbs.index"), ([0], SHOWN, "bbs.index_count"), ([0, 2], SHOWN[:1], "bbs.index_count"),
            ([0, 1, 2], SHOWN, "bbs.index_count"), ([], SHOWN, "bbs.index_count"),
        ]  # fmt: skip
        for disclosed, messages, expected in changed:
            assert code(check, PROOF, disclosed, messages) == expected
        check(PROOF, (0, 2), tuple(SHOWN))

    def test_b04_lists_that_are_others(self) -> None:
        for disclosed, messages in (
            ([1, 3], SHOWN), ([0, 3], SHOWN), ([0, 1], SHOWN), ([0, 2], SHOWN[::-1]), ([0], SHOWN[:1]), ([], []),
            ([0, 1, 2], [b"Ada", b"Lovelace", b"1815"]),
        ):  # fmt: skip
            assert code(check, PROOF, disclosed, messages) == "bbs.proof"
        check()

    def test_b04_refused_before_any_work(self, monkeypatch: pytest.MonkeyPatch) -> None:
        check()
        monkeypatch.setattr(core, "create_generators", None)
        monkeypatch.setattr(strict, "proof", None)
        assert code(check, PROOF, [0, 0], SHOWN) == "bbs.index"

    def test_b04_the_holder_asks_for_indexes_too(self) -> None:
        held = core.hold(KEY.public, SIGNATURE, HEADER, MESSAGES)
        for bad in ([0, 0], [2, 0], [4], [-1]):
            assert code(core.proof_gen, KEY.public, SIGNATURE, HEADER, PH, MESSAGES, bad) == "bbs.index"
            assert code(core.show, held, PH, bad) == "bbs.index"
        made = core.proof_gen(KEY.public, SIGNATURE, HEADER, PH, MESSAGES, [0, 1, 2, 3])
        check(made, [0, 1, 2, 3], MESSAGES)
        check(core.show(held, PH, [0, 2]))


def test_b05_the_same_message_at_another_place() -> None:
    for disclosed in ([0, 1], [0, 3], [1, 2], [2, 3]):
        assert code(check, PROOF, disclosed, SHOWN) == "bbs.proof"
    swapped = core.proof_gen(KEY.public, SIGNATURE, HEADER, PH, MESSAGES, [0, 1])
    assert code(check, swapped, [0, 1], [b"Lovelace", b"Ada"]) == "bbs.proof"
    check(swapped, [0, 1], [b"Ada", b"Lovelace"])


def test_b06_header() -> None:
    other = core.sign(KEY, b"another card", MESSAGES)
    for header in (b"Header", b"", HEADER + b"\0", HEADER[:-1], b"another card"):
        assert code(check, header=header) == "bbs.proof"
        assert code(core.verify, KEY.public, SIGNATURE, header, MESSAGES) == "bbs.signature"
    core.verify(KEY.public, other, b"another card", MESSAGES)
    empty = core.sign(KEY, b"", MESSAGES)
    core.verify(KEY.public, empty, b"", MESSAGES)
    assert code(core.verify, KEY.public, empty, HEADER, MESSAGES) == "bbs.signature"
    # a header cannot reach into what stands beside it
    assert code(core.proof_verify, KEY.public, PROOF, HEADER + PH, b"", DISCLOSED, SHOWN) == "bbs.proof"
    check()


def test_b07_presentation_header() -> None:
    for ph in (b"", b"nonce and audiencf", PH + b"\0", b"another nonce"):
        assert code(check, ph=ph) == "bbs.proof"
    without = core.proof_gen(KEY.public, SIGNATURE, HEADER, b"", MESSAGES, DISCLOSED)
    assert code(check, without) == "bbs.proof"
    check(without, ph=b"")
    check()
    with pytest.raises(TypeError):  # nobody verifies without having said what it is bound to
        core.proof_verify(KEY.public, PROOF, HEADER, disclosed=DISCLOSED, messages=SHOWN)  # type: ignore[call-arg]


class TestB08Suites:
    def test_b08_the_other_ciphersuite(self) -> None:
        assert code(check, suite=SHAKE_256) == "bbs.proof"
        assert code(core.verify, KEY.public, SIGNATURE, HEADER, MESSAGES, suite=SHAKE_256) == "bbs.signature"
        signature = core.sign(KEY, HEADER, MESSAGES, suite=SHAKE_256)
        core.verify(KEY.public, signature, HEADER, MESSAGES, suite=SHAKE_256)
        assert code(core.verify, KEY.public, signature, HEADER, MESSAGES) == "bbs.signature"
        proof = core.proof_gen(KEY.public, signature, HEADER, PH, MESSAGES, DISCLOSED, suite=SHAKE_256)
        check(proof, suite=SHAKE_256)
        assert code(check, proof) == "bbs.proof"

    def test_b08_p1_of_the_other(self) -> None:
        assert code(check, suite=replace(SHA_256, p1=SHAKE_256.p1)) == "bbs.proof"
        check(suite=replace(SHA_256, backend=arkworks))

    def test_b08_another_interface(self) -> None:
        """The same messages under the same key, with the names of the interfaces swapped, or without one."""
        suite = SHA_256
        for name in ("", BLIND, PSEUDONYM, CORE):
            interface = Interface(suite, name)
            bases = generators.create_generators(len(MESSAGES) + 1, interface)
            args = (KEY.public, SIGNATURE, bases, HEADER, interface.scalars(MESSAGES), interface)
            if name == CORE:
                core.core_verify(*args)
            else:
                assert code(core.core_verify, *args) == "bbs.signature"
        firsts = {
            generators.create_generators(1, Interface(each, name), prefix)[0].octets
            for each in (SHA_256, SHAKE_256) for name in ("", CORE, BLIND, PSEUDONYM) for prefix in (b"", blind.PREFIX)
        }  # fmt: skip
        assert len(firsts) == 16

    def test_b08_a_blind_proof_is_no_plain_one(self) -> None:
        commitment, factor = blind.commit([])
        signature = blind.sign(KEY, commitment, HEADER, MESSAGES)
        proof = blind.proof_gen(KEY.public, signature, HEADER, PH, MESSAGES, [], DISCLOSED, [], factor)
        blind.proof_verify(KEY.public, proof, HEADER, PH, 4, DISCLOSED, SHOWN, [], [])
        assert code(check, proof) == "bbs.proof"
        nyms = pseudonym.prover_nyms()
        assert code(
            pseudonym.proof_verify, KEY.public, proof, HEADER, PH, pseudonym.pseudonym(nyms, b""), b"", 1, 3, DISCLOSED,
            SHOWN, [], [],
        ) == "bbs.proof"  # fmt: skip


class TestB09HowMany:
    def test_b09_counts_of_strangers(self) -> None:
        limit = limits.BBS_MESSAGES
        one = strict.from_scalar(1)
        too_long = PROOF[:-32] + one * (limit - 1) + PROOF[-32:]
        tracemalloc.start()
        begun = time.perf_counter()
        for count in (2**24, 2**63, limit + 1):
            assert code(blind.proof_verify, KEY.public, PROOF, b"", b"", count, [], [], [], []) == "bbs.too_many"
        assert code(check, too_long) == "bbs.too_many"
        assert code(check, PROOF[:-32] + one * 2**16 + PROOF[-32:]) == "bbs.too_many"
        assert code(check, PROOF, list(range(limit + 1)), [b""] * (limit + 1)) == "bbs.too_many"
        took, (_, peak) = time.perf_counter() - begun, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert took < 0.25
        assert peak < 64 << 20
        check()

    def test_b09_as_many_as_there_may_be(self) -> None:
        messages = [bytes([index % 251]) for index in range(limits.BBS_MESSAGES)]
        signature = core.sign(KEY, b"", messages)
        proof = core.proof_gen(KEY.public, signature, b"", PH, messages, list(range(1, limits.BBS_MESSAGES)))
        core.proof_verify(KEY.public, proof, b"", PH, list(range(1, limits.BBS_MESSAGES)), messages[1:])


class TestB11Randomness:
    """B11: a source of randomness that fails, gives too little or repeats itself."""

    def test_b11_nothing_is_made(self) -> None:
        def fails(length: int) -> bytes:
            raise OSError("no entropy")

        sources: list[Callable[[int], bytes]] = [
            fails, bytes, lambda length: b"\1" * length, lambda length: b"", lambda length: bytes(range(1, length)),
        ]  # fmt: skip
        commitment, factor = blind.commit([b"c"])
        signature = blind.sign(KEY, commitment, b"", [b"m"])
        nym, held = pseudonym.prover_nyms(), core.hold(KEY.public, SIGNATURE, HEADER, MESSAGES)
        for entropy in sources:
            proofs = (KEY.public, SIGNATURE, HEADER, PH, MESSAGES, DISCLOSED)
            assert code(core.proof_gen, *proofs, entropy=entropy) == "bbs.entropy"
            assert code(core.show, held, PH, DISCLOSED, entropy=entropy) == "bbs.entropy"
            assert code(blind.commit, [b"c"], entropy=entropy) == "bbs.entropy"
            assert code(pseudonym.commit, [], nym, entropy=entropy) == "bbs.entropy"
            blinds: Any = (KEY.public, signature, b"", PH, [b"m"], [b"c"], [], [], factor)
            assert code(blind.proof_gen, *blinds, entropy=entropy) == "bbs.entropy"
            assert code(pseudonym.prover_nyms, 2, entropy=entropy) == "bbs.entropy"
        short: list[Callable[[int], bytes]] = [
            fails, lambda length: b"", lambda length: b"\1" * (length - 1), lambda length: b"\1" * (length + 1),
        ]  # fmt: skip
        for entropy in short:
            assert code(core.sign, KEY, HEADER, MESSAGES, entropy=entropy) == "bbs.entropy"
            assert code(pseudonym.signer_entropy, entropy=entropy) == "bbs.entropy"
            shown = [batch.Shown(PROOF, HEADER, PH, tuple(DISCLOSED), tuple(SHOWN))]
            assert code(batch.proof_verify, KEY.public, shown, entropy=entropy) == "bbs.entropy"
        assert core.sign(KEY, HEADER, MESSAGES) == SIGNATURE

    def test_b11_two_proofs_share_nothing(self) -> None:
        """Neither a point nor a scalar of one proof is in another of the same messages."""
        made = [core.proof_gen(KEY.public, SIGNATURE, HEADER, PH, MESSAGES, DISCLOSED) for _ in range(4)]
        cuts = [(0, 48), (48, 96), (96, 144), *((at, at + 32) for at in range(144, len(made[0]), 32))]
        parts = [proof[start:end] for proof in made for start, end in cuts]
        assert len(set(parts)) == len(parts)
        assert SIGNATURE[:48] not in b"".join(made)
        assert SIGNATURE[48:] not in b"".join(made)


class TestB17ManyProofs:
    def test_b17_work_is_counted_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A proof that is too long costs nothing: no point of it is decoded, no generator made."""
        too_long = PROOF + strict.from_scalar(1) * limits.BBS_MESSAGES
        monkeypatch.setattr(core, "create_generators", None)
        monkeypatch.setattr(strict, "g1", None)
        assert code(check, too_long) == "bbs.too_many"
        with pytest.raises(TypeError):
            check()

    def test_b17_batches_answer_each_proof(self) -> None:
        good = batch.Shown(PROOF, HEADER, PH, tuple(DISCLOSED), tuple(SHOWN))
        bad = [
            (replace(good, presentation_header=b"other"), "bbs.proof"), (replace(good, proof=PROOF[:-1]), "bbs.length"),
            (replace(good, disclosed=(0, 0)), "bbs.index"),
            (replace(good, proof=IDENTITY + PROOF[48:]), "bbs.identity"),
        ]  # fmt: skip
        answers = batch.proof_verify(KEY.public, [good, *(each for each, _ in bad), good])
        assert [answer and answer.code for answer in answers] == [None, *(expected for _, expected in bad), None]
        assert batch.proof_verify(KEY.public, [each for each, _ in bad][:1])[0] is not None
        wrong_key = batch.proof_verify(OTHER.public, [good, good])
        assert [answer and answer.code for answer in wrong_key] == ["bbs.proof", "bbs.proof"]

    def test_b17_proofs_that_cancel_each_other_out(self) -> None:
        """Without random weights, two forgeries whose errors add up to nothing would pass together."""
        backend = SHA_256.backend()
        error = backend.mul(generators.p1(SHA_256).point, 5)
        points = [core.check_proof(KEY.public, PROOF, HEADER, PH, DISCLOSED, SHOWN, SHA_256) for _ in range(2)]
        (a, b), (c, d) = points
        forged = [(a + error, b), (c + -error, d)]
        assert core.pairing_holds(KEY.public, a + c, b + d, SHA_256)
        assert core.pairing_holds(KEY.public, forged[0][0] + forged[1][0], b + d, SHA_256)
        assert not batch.together(KEY.public, forged, SHA_256)
        assert batch.together(KEY.public, points, SHA_256)
