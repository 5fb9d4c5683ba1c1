"""Blind BBS signatures (draft-irtf-cfrg-bbs-blind-signatures-02): every published case, with the values on the way."""

from __future__ import annotations

from typing import Any

import pytest

from cityid import limits
from cityid.bbs import blind, core, generators, keys
from cityid.bbs import octets as strict
from cityid.bbs.suites import BLIND, Interface
from cityid.errors import CityIdError
from tests.bbs import all_octets, beside, cases, mocked_for, named, octets, scalar, scalars_of

TOPIC = "bbs-blind"
KEY = keys.key_gen(bytes(32))


def code(call: Any, *args: Any, **named: Any) -> str:
    with pytest.raises(CityIdError) as caught:
        call(*args, **named)
    return caught.value.code


def secret_blind(case: Any) -> bytes | None:
    return scalar(case["proverBlind"]) if case["proverBlind"] else None


@pytest.mark.parametrize("name", named(TOPIC, "generators"))
def test_generators(name: str) -> None:
    suite, case = cases(TOPIC)[name]
    for each in (suite, beside(suite)):
        interface = Interface(each, BLIND)
        for part, prefix in (("generators", b""), ("blindGenerators", blind.PREFIX)):
            expected = case[part]
            assert prefix + interface.api_id == expected["api_id"].encode()
            found = generators.create_generators(1 + len(expected["MsgGenerators"]), interface, prefix)
            assert [base.octets.hex() for base in found] == [expected["Q1"], *expected["MsgGenerators"]]
            assert suite.p1.hex() == expected.get("P1", suite.p1.hex())


class TestCommit:
    @pytest.mark.parametrize("name", named(TOPIC, "commit"))
    def test_official(self, name: str) -> None:
        suite, case = cases(TOPIC)[name]
        messages, traced = all_octets(case["committedMessages"]), case["trace"]["random_scalars"]
        count = len(messages) + 2
        drawn = keys.random_scalars(count, mocked_for(case, "commit", suite, count))
        in_order = [case["proverBlind"], traced["s_tilde"], *traced["m_tildes"]]
        assert [strict.from_scalar(each).hex() for each in drawn] == [text.zfill(64) for text in in_order]
        for each in (suite, beside(suite)):
            made = blind.commit(messages, suite=each, entropy=mocked_for(case, "commit", suite, count))
            assert made == (octets(case["commitmentWithProof"]), secret_blind(case))
            point, bases = blind.check_commitment(made[0], Interface(each, BLIND))
            assert point is not None
            assert each.backend().octets(point) == made[0][:48]
            assert len(bases) == len(messages) + 1

    def test_every_answer_counts(self) -> None:
        made, _ = blind.commit([b"a", b"b"])
        blind.sign(KEY, made, b"", [])
        for place in (79, 111, 143, 175):
            bad = made[:place] + bytes([made[place] ^ 1]) + made[place + 1 :]
            assert code(blind.sign, KEY, bad, b"", []) == "bbs.commitment"
        other, _ = blind.commit([b"a", b"b"])
        assert code(blind.sign, KEY, other[:48] + made[48:], b"", []) == "bbs.commitment"

    def test_lengths(self) -> None:
        made, _ = blind.commit([])
        assert len(made) == strict.COMMITMENT_FLOOR
        blind.sign(KEY, made, b"", [])
        for bad in (made[:-1], made + b"\1", made[:-32]):
            assert code(blind.sign, KEY, bad, b"", []) == "bbs.length"
        for bad in (made + bytes(32), made[:48] + bytes(32) + made[80:]):
            assert code(blind.sign, KEY, bad, b"", []) == "bbs.scalar"
        # another count of messages: the challenge is over the generators
        assert code(blind.sign, KEY, made[:-32] + made[-64:], b"", []) == "bbs.commitment"

    def test_how_many(self) -> None:
        many = [b""] * (limits.BBS_MESSAGES + 1)
        assert code(blind.commit, many) == "bbs.too_many"
        assert code(blind.sign, KEY, b"", b"", many) == "bbs.too_many"
        assert code(blind.verify, KEY.public, bytes(80), b"", many[2:], [b""], None) == "bbs.too_many"
        assert code(blind.verify, KEY.public, bytes(80), b"", many[2:], [], None) == "bbs.scalar"
        too_long = bytes(strict.COMMITMENT_FLOOR + 32 * (limits.BBS_MESSAGES + 1))
        assert code(blind.sign, KEY, too_long, b"", []) == "bbs.too_many"
        assert code(blind.sign, KEY, too_long[32:], b"", []) == "bbs.scalar"


class TestSignatures:
    @pytest.mark.parametrize("name", named(TOPIC, "signature"))
    def test_official(self, name: str) -> None:
        suite, case = cases(TOPIC)[name]
        key = keys.secret_key(octets(case["signerKeyPair"]["secretKey"]), suite=suite)
        assert key.public.hex() == case["signerKeyPair"]["publicKey"]
        commitment = octets(case["commitmentWithProof"] or "")
        header, messages, committed = (
            octets(case["header"]),
            all_octets(case["messages"]),
            all_octets(case["committedMessages"]),
        )
        interface, factor = Interface(suite, BLIND), secret_blind(case)
        bases, scalars = blind.parameters(messages, committed, factor, (), interface)
        domain = core.calculate_domain(key.public, bases, header, interface)
        b = core.signed_point(suite, bases, domain, scalars)
        assert case["trace"] == {"B": suite.backend().octets(b).hex(), "domain": strict.from_scalar(domain).hex()}
        for each in (suite, beside(suite)):
            made = blind.sign(key, commitment, header, messages, suite=each)
            assert made == octets(case["signature"])
            blind.verify(key.public, made, header, messages, committed, factor, suite=each)
        if commitment:
            assert (
                commitment
                == blind.commit(committed, suite=suite, entropy=mocked_for(case, "commit", suite, len(committed) + 2))[
                    0
                ]
            )

    def test_what_must_not_verify(self) -> None:
        commitment, factor = blind.commit([b"c"])
        signature = blind.sign(KEY, commitment, b"h", [b"m"])
        good: list[Any] = [KEY.public, signature, b"h", [b"m"], [b"c"], factor]
        blind.verify(*good)
        for place, bad in ((2, b"H"), (3, [b"M"]), (4, [b"C"]), (4, []), (5, None), (5, strict.from_scalar(1))):
            assert code(blind.verify, *good[:place], bad, *good[place + 1 :]) == "bbs.signature"
        # the same messages, none of them committed: another interface has other generators
        assert code(core.verify, KEY.public, signature, b"h", [b"m", b"c"]) == "bbs.signature"
        assert code(blind.verify, *good[:5], bytes(32)) == "bbs.scalar"


def revealed(case: Any, name: str) -> tuple[list[int], list[bytes]]:
    given = case[name] or {}
    return [int(index) for index in given], all_octets(list(given.values()))


class TestProofs:
    @pytest.mark.parametrize("name", named(TOPIC, "proof"))
    def test_official(self, name: str) -> None:
        suite, case = cases(TOPIC)[name]
        public, signature, header, shown = (
            octets(case[each]) for each in ("signerPublicKey", "signature", "header", "presentationHeader")
        )
        disclosed, told = revealed(case, "revealedMessages")
        disclosed_committed, told_committed = revealed(case, "revealedCommittedMessages")
        _, lists = cases(TOPIC)["messages"]
        messages = all_octets(lists["messages"])[: case["L"]]
        # an absent commitment is no list of messages; an empty one was committed to
        committed = all_octets(lists["committedMessages"])
        expected, interface = case["trace"], Interface(suite, BLIND)
        random = scalars_of(expected["random_scalars"])
        hidden = len(random) - 5 - (len(messages) - len(disclosed)) - 1
        committed = committed[: hidden + len(disclosed_committed)]

        bases, scalars = blind.parameters(messages, committed, secret_blind(case), (), interface)
        indexes = blind.indexes(disclosed, len(messages), disclosed_committed, len(committed))
        held = core.take(public, signature, bases, header, scalars, interface, indexes)
        begun = core.begin(held, indexes, mocked_for(case, "proof", suite, len(random)))
        assert [strict.from_scalar(each).hex() for each in begun.scalars] == random
        assert begun.points.hex() == expected["Abar"] + expected["Bbar"] + expected["D"]
        assert begun.commitments.hex() == expected["T1"] + expected["T2"]
        assert strict.from_scalar(begun.domain).hex() == expected["domain"]
        b = core.signed_point(suite, bases, begun.domain, scalars, indexes)
        assert suite.backend().octets(b).hex() == expected["B"]
        challenge = core.calculate_challenge(begun, indexes, held, shown)
        assert strict.from_scalar(challenge).hex() == expected["challenge"]

        for each in (suite, beside(suite)):
            proof = blind.proof_gen(
                public, signature, header, shown, messages, committed, disclosed, disclosed_committed,
                secret_blind(case), suite=each, entropy=mocked_for(case, "proof", suite, len(random)),
            )  # fmt: skip
            assert proof == octets(case["proof"])
            assert case["result"]["valid"]
            blind.proof_verify(
                public,
                proof,
                header,
                shown,
                case["L"],
                disclosed,
                told,
                disclosed_committed,
                told_committed,
                suite=each,
            )

    def test_what_must_not_verify(self) -> None:
        commitment, factor = blind.commit([b"c", b"d"])
        messages, committed = [b"m", b"n"], [b"c", b"d"]
        signature = blind.sign(KEY, commitment, b"h", messages)
        made = blind.proof_gen(KEY.public, signature, b"h", b"p", messages, committed, [1], [0], factor)
        good: list[Any] = [KEY.public, made, b"h", b"p", 2, [1], [b"n"], [0], [b"c"]]
        blind.proof_verify(*good)
        changed = [
            (2, b"H", "bbs.proof"), (3, b"P", "bbs.proof"), (4, 1, "bbs.index"), (4, 3, "bbs.proof"),
            (4, 5, "bbs.too_few"), (4, limits.BBS_MESSAGES + 1, "bbs.too_many"), (5, [0], "bbs.proof"),
            (5, [2], "bbs.index"), (6, [b"m"], "bbs.proof"), (6, [], "bbs.index_count"), (7, [1], "bbs.proof"),
            (7, [2], "bbs.index"), (7, [-1], "bbs.index"), (8, [b"d"], "bbs.proof"), (8, [], "bbs.index_count"),
        ]  # fmt: skip
        for place, bad, expected in changed:
            assert code(blind.proof_verify, *good[:place], bad, *good[place + 1 :]) == expected, (place, bad)

    def test_the_blind_factor_is_needed(self) -> None:
        commitment, factor = blind.commit([b"c"])
        signature = blind.sign(KEY, commitment, b"", [])
        for given, expected in ((factor, None), (None, "bbs.proof"), (strict.from_scalar(7), "bbs.proof")):
            made = blind.proof_gen(KEY.public, signature, b"", b"", [], [b"c"], [], [], given)
            args: Any = (KEY.public, made, b"", b"", 0, [], [], [], [])
            if expected is None:
                blind.proof_verify(*args)
            else:
                assert code(blind.proof_verify, *args) == expected

    def test_the_index_of_the_blind_factor_cannot_be_named(self) -> None:
        commitment, factor = blind.commit([b"c"])
        signature = blind.sign(KEY, commitment, b"", [b"m"])
        good = (KEY.public, signature, b"", b"", [b"m"], [b"c"])
        blind.proof_gen(*good, [0], [0], factor)
        for disclosed, committed in (([1], []), ([0, 1], [0]), ([], [-1]), ([], [1])):
            assert code(blind.proof_gen, *good, disclosed, committed, factor) == "bbs.index"

    def test_nothing_but_a_blind_factor(self) -> None:
        commitment, factor = blind.commit([])
        signature = blind.sign(KEY, commitment, b"", [])
        made = blind.proof_gen(KEY.public, signature, b"", b"", [], [], [], [], factor)
        blind.proof_verify(KEY.public, made, b"", b"", 0, [], [], [], [])
        assert code(blind.proof_verify, KEY.public, made, b"", b"", 1, [], [], [], []) == "bbs.too_few"


def test_run_and_listed_are_all_that_is_present() -> None:
    parts = [name for part in ("commit", "signature", "proof", "generators") for name in named(TOPIC, part)]
    assert sorted([*parts, "messages"]) == sorted(cases(TOPIC))
