"""Per-verifier pseudonyms (draft-irtf-cfrg-bbs-per-verifier-linkability of 29 June 2026): every published case."""

from __future__ import annotations

from typing import Any

import pytest

from cityid import limits
from cityid.bbs import blind, core, generators, keys, pseudonym
from cityid.bbs import octets as strict
from cityid.bbs.curve import R
from cityid.bbs.suites import PSEUDONYM, Interface
from cityid.errors import CityIdError
from tests.bbs import all_octets, beside, cases, mocked_for, named, octets, scalar, scalars_of
from tests.spec.test_bbs_blind import revealed

TOPIC = "bbs-pseudonym"
KEY = keys.key_gen(bytes(32))
CONTEXT = b"poll 7"
DAMAGED = {"bls12-381-sha-256/nymSignature/nymSignature001": "trace.B ends in a letter that is no hex digit"}
"""Values that cannot be what they are said to be; the rest of the case is run."""


def code(call: Any, *args: Any, **named: Any) -> str:
    with pytest.raises(CityIdError) as caught:
        call(*args, **named)
    return caught.value.code


def nyms(case: Any, name: str) -> list[bytes]:
    return [scalar(text) for text in case[name]]


@pytest.mark.parametrize("name", named(TOPIC, "generators"))
def test_generators(name: str) -> None:
    suite, case = cases(TOPIC)[name]
    for each in (suite, beside(suite)):
        interface = Interface(each, PSEUDONYM)
        for part, prefix in (("generators", b""), ("blindGenerators", blind.PREFIX)):
            expected = case[part]
            assert prefix + interface.api_id == expected["api_id"].encode()
            found = generators.create_generators(1 + len(expected["MsgGenerators"]), interface, prefix)
            assert [base.octets.hex() for base in found] == [expected["Q1"], *expected["MsgGenerators"]]


class TestCommitment:
    @pytest.mark.parametrize("name", named(TOPIC, "nymCommit"))
    def test_official(self, name: str) -> None:
        suite, case = cases(TOPIC)[name]
        messages, secrets, traced = all_octets(case["committedMessages"]), nyms(case, "proverNyms"), case["trace"]
        count = len(messages) + len(secrets) + 2
        drawn = keys.random_scalars(count, mocked_for(case, "commit", suite, count))
        random = traced["random_scalars"]
        in_order = [case["proverBlind"], random["s_tilde"], *random["m_tildes"]]
        assert [strict.from_scalar(each).hex() for each in drawn] == [text.zfill(64) for text in in_order]
        for each in (suite, beside(suite)):
            made = pseudonym.commit(messages, secrets, suite=each, entropy=mocked_for(case, "commit", suite, count))
            assert made == (octets(case["commitmentWithProof"]), scalar(case["proverBlind"]))

    def test_how_many(self) -> None:
        one = pseudonym.prover_nyms()
        assert len(one) == 1
        assert len(pseudonym.commit([], one)[0]) == strict.COMMITMENT_FLOOR + 32
        assert code(pseudonym.commit, [], []) == "bbs.nym_length"
        assert code(pseudonym.commit, [b""] * limits.BBS_MESSAGES, one) == "bbs.too_many"
        assert code(pseudonym.commit, [], [bytes(32)]) == "bbs.scalar"
        assert code(pseudonym.commit, [], [b"\1" * 31]) == "bbs.length"


class TestSignatures:
    @pytest.mark.parametrize("name", named(TOPIC, "nymSignature"))
    def test_official(self, name: str) -> None:
        suite, case = cases(TOPIC)[name]
        key = keys.secret_key(octets(case["signerKeyPair"]["secretKey"]), suite=suite)
        assert key.public.hex() == case["signerKeyPair"]["publicKey"]
        header, messages, committed = (
            octets(case["header"]),
            all_octets(case["messages"]),
            all_octets(case["committedMessages"]),
        )
        secrets, added, factor = (
            nyms(case, "proverNyms"),
            scalar(case["signer_nym_entropy"]),
            scalar(case["proverBlind"]),
        )
        commitment = octets(case["commitmentWithProof"])
        signed = nyms(case, "nym_secrets")
        interface = Interface(suite, PSEUDONYM)
        as_scalars = [int.from_bytes(each, "big") for each in signed]
        bases, scalars = blind.parameters(messages, committed, factor, as_scalars, interface)
        combined = header + len(secrets).to_bytes(8, "big")
        domain = core.calculate_domain(key.public, bases, combined, interface)
        assert strict.from_scalar(domain).hex() == case["trace"]["domain"]
        b = suite.backend().octets(core.signed_point(suite, bases, domain, scalars)).hex()
        assert b == (case["trace"]["B"][:96] if name in DAMAGED else case["trace"]["B"])
        for each in (suite, beside(suite)):
            made = pseudonym.sign(key, commitment, len(secrets), added, header, messages, suite=each)
            assert made == octets(case["signature"])
            found = pseudonym.finalize(
                key.public, made, header, messages, committed, secrets, added, factor, suite=each
            )
            assert found == tuple(signed)

    def test_lengths(self) -> None:
        commitment, _ = pseudonym.commit([], pseudonym.prover_nyms(2))
        added = pseudonym.signer_entropy()
        for length in (1, 2):
            assert len(pseudonym.sign(KEY, commitment, length, added, b"", [])) == 80
        for length in (-1, 0, 3, limits.BBS_MESSAGES + 1):
            assert code(pseudonym.sign, KEY, commitment, length, added, b"", []) == "bbs.nym_length"
        assert code(pseudonym.sign, KEY, b"", 1, added, b"", []) == "bbs.length"
        assert code(pseudonym.sign, KEY, commitment, 1, bytes(32), b"", []) == "bbs.scalar"
        many = [b""] * (limits.BBS_MESSAGES + 1)
        assert code(pseudonym.sign, KEY, commitment, 1, added, b"", many) == "bbs.too_many"
        without, _ = blind.commit([])
        assert code(pseudonym.sign, KEY, without, 1, added, b"", []) == "bbs.nym_length"

    def test_a_commitment_is_proved(self) -> None:
        commitment, _ = pseudonym.commit([], pseudonym.prover_nyms())
        other, _ = pseudonym.commit([], pseudonym.prover_nyms())
        added = pseudonym.signer_entropy()
        assert len(pseudonym.sign(KEY, commitment, 1, added, b"", [])) == 80
        assert code(pseudonym.sign, KEY, other[:48] + commitment[48:], 1, added, b"", []) == "bbs.commitment"

    def test_a_commitment_that_is_kept_before_it_is_signed(self) -> None:
        good, _ = pseudonym.commit([], pseudonym.prover_nyms())
        pseudonym.check_commitment(good)
        assert code(pseudonym.check_commitment, b"") == "bbs.length"
        assert code(pseudonym.check_commitment, good[:-1] + bytes([good[-1] ^ 1])) == "bbs.commitment"
        blindly, _ = blind.commit([b"m"])
        assert code(pseudonym.check_commitment, blindly) == "bbs.commitment"

    def test_what_must_not_verify(self) -> None:
        card = Card()
        good: list[Any] = [KEY.public, card.signature, b"h", [b"m"], [b"c"], card.nyms, card.added, card.factor]
        assert pseudonym.finalize(*good) == card.secrets
        other = strict.from_scalar(9)
        for place, bad in ((2, b"H"), (3, [b"M"]), (4, [b"C"]), (5, [other, other]), (6, other), (7, other),
                           (5, [*card.nyms, other]), (5, card.nyms[:1])):  # fmt: skip
            assert code(pseudonym.finalize, *good[:place], bad, *good[place + 1 :]) == "bbs.signature"
        assert code(pseudonym.finalize, *good[:5], [], *good[6:]) == "bbs.nym_length"


class Card:
    """A signature over one message, one committed message and two nyms."""

    def __init__(self, nyms: tuple[bytes, ...] | None = None) -> None:
        self.nyms = nyms or pseudonym.prover_nyms(2)
        self.added = pseudonym.signer_entropy()
        commitment, self.factor = pseudonym.commit([b"c"], self.nyms)
        self.signature = pseudonym.sign(KEY, commitment, 2, self.added, b"h", [b"m"])
        self.secrets = pseudonym.finalize(
            KEY.public, self.signature, b"h", [b"m"], [b"c"], self.nyms, self.added, self.factor
        )

    def show(self, context: bytes = CONTEXT, **other: Any) -> tuple[bytes, bytes]:
        return pseudonym.proof_gen(
            KEY.public, self.signature, b"h", b"p", other.get("secrets", self.secrets), context,
            [b"m"], [b"c"], [0], [0], self.factor,
        )  # fmt: skip


class TestProofs:
    @pytest.mark.parametrize("name", named(TOPIC, "nymProof"))
    def test_official(self, name: str) -> None:
        suite, case = cases(TOPIC)[name]
        public, signature, header, shown, context = (
            octets(case[each])
            for each in ("signerPublicKey", "signature", "header", "presentationHeader", "context_id")
        )
        disclosed, told = revealed(case, "revealedMessages")
        disclosed_committed, told_committed = revealed(case, "revealedCommittedMessages")
        messages, committed, factor = (
            all_octets(case["messages"]),
            all_octets(case["committedMessages"]),
            scalar(case["proverBlind"]),
        )
        secrets = nyms(case, "nym_secrets")
        *first, last = nyms(case, "proverNyms")
        added = int(case["signer_nym_entropy"], 16)
        assert secrets == [*first, strict.from_scalar((int.from_bytes(last, "big") + added) % R)]
        expected, interface = case["trace"], Interface(suite, PSEUDONYM)
        random = scalars_of(expected.get("random_scalars") or expected["randomScalars"])
        count = len(random)

        as_scalars = [int.from_bytes(each, "big") for each in secrets]
        bases, scalars = blind.parameters(messages, committed, factor, as_scalars, interface)
        indexes = blind.indexes(disclosed, len(messages), disclosed_committed, len(committed))
        combined = header + len(secrets).to_bytes(8, "big")
        held = core.take(public, signature, bases, combined, scalars, interface, indexes)
        begun = core.begin(held, indexes, mocked_for(case, "proof", suite, count))
        assert [strict.from_scalar(each).hex() for each in begun.scalars] == random
        assert begun.points.hex() == expected["Abar"] + expected["Bbar"] + expected["D"]
        assert begun.commitments.hex() == expected["T1"] + expected["T2"]
        assert strict.from_scalar(begun.domain).hex() == expected["domain"]
        place = pseudonym.Context(context, interface)
        encode = suite.backend().octets
        randoms = begun.hidden_random[-len(secrets) :]
        found = {"pseudonym": encode(place.times(as_scalars)).hex(), "Ut": encode(place.times(randoms)).hex()}
        if "OP" in expected:
            found |= {
                "OP": encode(place.point).hex(),
                "poly_eval_pseudo": strict.from_scalar(place.value(as_scalars)).hex(),
                "poly_eval_proof": strict.from_scalar(place.value(randoms)).hex(),
            }
        assert found == {each: expected[each] for each in found}
        on_the_way = {"Abar", "Bbar", "D", "T1", "T2", "domain", "challenge"}
        assert expected.keys() - {"random_scalars", "randomScalars"} == found.keys() | on_the_way
        assert expected["challenge"] == case["proof"][-64:]

        for each in (suite, beside(suite)):
            assert pseudonym.pseudonym(secrets, context, suite=each) == octets(case["pseudonym"])
            made = pseudonym.proof_gen(
                public, signature, header, shown, secrets, context, messages, committed, disclosed,
                disclosed_committed, factor, suite=each, entropy=mocked_for(case, "proof", suite, count),
            )  # fmt: skip
            assert made == (octets(case["proof"]), octets(case["pseudonym"]))
            assert case["result"]["valid"]
            pseudonym.proof_verify(
                public, made[0], header, shown, made[1], context, len(secrets), case["L"], disclosed, told,
                disclosed_committed, told_committed, suite=each,
            )  # fmt: skip

    def test_what_must_not_verify(self) -> None:
        card = Card()
        proof, found = card.show()
        good: list[Any] = [KEY.public, proof, b"h", b"p", found, CONTEXT, 2, 1, [0], [b"m"], [0], [b"c"]]
        pseudonym.proof_verify(*good)
        other = Card()
        changed = [
            (1, other.show()[0], "bbs.proof"), (2, b"H", "bbs.proof"), (3, b"P", "bbs.proof"),
            (4, other.show()[1], "bbs.proof"), (4, card.show(b"poll 8")[1], "bbs.proof"), (5, b"poll 8", "bbs.proof"),
            (6, 1, "bbs.proof"), (6, 3, "bbs.index"), (6, 4, "bbs.too_few"), (6, 0, "bbs.nym_length"),
            (6, limits.BBS_MESSAGES + 1, "bbs.nym_length"), (7, 0, "bbs.index"), (7, 2, "bbs.index"),
            (8, [1], "bbs.index"), (9, [b"M"], "bbs.proof"), (10, [1], "bbs.index"), (11, [b"C"], "bbs.proof"),
            (4, found[:-1], "bbs.point"), (4, b"\xc0" + bytes(47), "bbs.identity"),
        ]  # fmt: skip
        for place, bad, expected in changed:
            assert code(pseudonym.proof_verify, *good[:place], bad, *good[place + 1 :]) == expected, (place, bad)

    def test_secrets_that_were_not_signed(self) -> None:
        card, other = Card(), Card()
        proof, found = card.show(secrets=other.secrets)
        args = (b"h", b"p", found, CONTEXT, 2, 1, [0], [b"m"], [0], [b"c"])
        assert code(pseudonym.proof_verify, KEY.public, proof, *args) == "bbs.proof"
        proof, found = card.show()
        pseudonym.proof_verify(KEY.public, proof, b"h", b"p", found, *args[3:])

    def test_one_holder_one_pseudonym_in_a_context(self) -> None:
        card = Card()
        first, again, elsewhere = card.show(), card.show(), card.show(b"poll 8")
        assert first[1] == again[1] == pseudonym.pseudonym(card.secrets, CONTEXT)
        assert first[0] != again[0]
        assert elsewhere[1] != first[1]
        assert Card(card.nyms).show()[1] != first[1]  # the signer's entropy is another

    def test_nyms_cannot_be_shown(self) -> None:
        card = Card()
        args = (KEY.public, card.signature, b"h", b"p", card.secrets, CONTEXT, [b"m"], [b"c"])
        pseudonym.proof_gen(*args, [], [0], card.factor)
        for index in (1, 2, 3):
            assert code(pseudonym.proof_gen, *args, [], [index], card.factor) == "bbs.index"

    def test_no_nym(self) -> None:
        assert code(pseudonym.pseudonym, [], CONTEXT) == "bbs.nym_length"
        assert len(pseudonym.pseudonym([strict.from_scalar(1)], b"")) == 48


def test_run_and_listed_are_all_that_is_present() -> None:
    parts = ("nymCommit", "nymSignature", "nymProof", "generators")
    run = [name for part in parts for name in named(TOPIC, part)]
    assert sorted([*run, "messages"]) == sorted(cases(TOPIC))
    assert DAMAGED.keys() <= set(run)
