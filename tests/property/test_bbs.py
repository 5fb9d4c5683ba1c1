"""Properties of BBS: what was signed can be shown, in any selection; foreign octets are refused with a code."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityid.bbs import blind, core, curve, hash_to_curve, keys, pseudonym
from cityid.bbs import octets as strict
from cityid.bbs.suites import SHA_256, SHAKE_256
from cityid.errors import Malformed, Refused
from tests.bbs import arkworks, beside

pytestmark = pytest.mark.property
KEY = keys.key_gen(b"P" * 32)
FEWER = settings(max_examples=20)
"""For what signs, proves and verifies with each example."""
SUITES = st.sampled_from([SHA_256, SHAKE_256])
LISTS = st.lists(st.binary(max_size=40), max_size=5)


def chosen(draw: Any, total: int) -> list[int]:
    return [index for index in range(total) if draw(st.booleans())]


def parts(proof: bytes) -> set[bytes]:
    """The points and the scalars of a proof."""
    points, scalars = proof[:144], proof[144:]
    found = [points[at : at + 48] for at in range(0, 144, 48)]
    return {*found, *(scalars[at : at + 32] for at in range(0, len(scalars), 32))}


@FEWER
@given(suite=SUITES, messages=LISTS, header=st.binary(max_size=40), ph=st.binary(max_size=40), data=st.data())
def test_what_was_signed_can_be_shown(suite: Any, messages: list[bytes], header: bytes, ph: bytes, data: Any) -> None:
    signature = core.sign(KEY, header, messages, suite=suite)
    core.verify(KEY.public, signature, header, messages, suite=beside(suite))
    disclosed = chosen(data.draw, len(messages))
    proof = core.proof_gen(KEY.public, signature, header, ph, messages, disclosed, suite=suite)
    assert len(proof) == 272 + 32 * (len(messages) - len(disclosed))
    shown = [messages[index] for index in disclosed]
    core.proof_verify(KEY.public, proof, header, ph, disclosed, shown, suite=suite)
    again = core.proof_gen(KEY.public, signature, header, ph, messages, disclosed, suite=suite)
    assert parts(proof).isdisjoint(parts(again))
    assert parts(proof).isdisjoint({signature[:48], signature[48:]})
    for place, message in enumerate(shown):
        other = [*shown[:place], message + b"\0", *shown[place + 1 :]]
        with pytest.raises(Refused):
            core.proof_verify(KEY.public, proof, header, ph, disclosed, other, suite=suite)


@FEWER
@given(messages=LISTS, committed=LISTS, count=st.integers(1, 3), context=st.binary(max_size=20), data=st.data())
def test_what_was_committed_can_be_shown(
    messages: list[bytes], committed: list[bytes], count: int, context: bytes, data: Any
) -> None:
    nyms, added = pseudonym.prover_nyms(count), pseudonym.signer_entropy()
    commitment, factor = pseudonym.commit(committed, nyms)
    signature = pseudonym.sign(KEY, commitment, count, added, b"", messages)
    secrets = pseudonym.finalize(KEY.public, signature, b"", messages, committed, nyms, added, factor)
    assert (secrets[:-1], len(secrets)) == (nyms[:-1], count)
    one, two = chosen(data.draw, len(messages)), chosen(data.draw, len(committed))
    proof, found = pseudonym.proof_gen(
        KEY.public, signature, b"", b"", secrets, context, messages, committed, one, two, factor
    )
    assert found == pseudonym.pseudonym(secrets, context)
    shown, shown_committed = [messages[index] for index in one], [committed[index] for index in two]
    pseudonym.proof_verify(
        KEY.public, proof, b"", b"", found, context, count, len(messages), one, shown, two, shown_committed
    )
    with pytest.raises(Refused):
        pseudonym.proof_verify(
            KEY.public, proof, b"", b"", found, context + b"\0", count, len(messages), one, shown, two, shown_committed
        )


@given(data=st.binary(max_size=400), other=st.binary(max_size=120))
def test_foreign_octets_are_refused_with_a_code(data: bytes, other: bytes) -> None:
    for call in (
        lambda: core.proof_verify(KEY.public, data, b"", b"", [], []),
        lambda: core.verify(KEY.public, other, b"", []),
        lambda: core.verify(other, bytes(80), b"", []),
        lambda: blind.sign(KEY, data or b"\0", b"", []),
        lambda: pseudonym.pseudonym([other], b""),
        lambda: keys.secret_key(other),
    ):
        try:
            call()
        except (Malformed, Refused) as error:
            code = error.code
        else:
            code = "bbs.scalar" if len(other) == 32 else "accepted"  # 32 octets may well be a scalar
        assert code.startswith("bbs.")


@given(
    data=st.one_of(st.binary(min_size=48, max_size=48), st.binary(min_size=96, max_size=96)), flags=st.integers(0, 7)
)
def test_both_backends_read_the_same_points(data: bytes, flags: int) -> None:
    data = bytes([data[0] & 0x1F | flags << 5]) + data[1:]
    ours, theirs = SHA_256.backend(), arkworks()
    for one, other in ((ours.g1, theirs.g1), (ours.g2, theirs.g2)):
        found, expected = one(data), other(data)
        assert (found is None) == (expected is None)
        if found is not None:
            assert ours.octets(found) == data


@given(message=st.binary(max_size=200), dst=st.binary(min_size=1, max_size=255))
def test_hashing_to_the_curve_agrees(message: bytes, dst: bytes) -> None:
    uniform = hash_to_curve.expand_message_xmd(message, dst, 128)
    ours = hash_to_curve.point_of(uniform)
    for backend in (SHA_256.backend(), arkworks()):
        assert backend.octets(backend.hash_to_g1(message, dst)) == ours


@given(value=st.integers(1, curve.R - 1), blinding=st.integers(1, curve.R - 1))
def test_scalars(value: int, blinding: int) -> None:
    assert strict.scalar(strict.from_scalar(value), "") == value
    assert keys.inverse(value, blinding) * value % curve.R == 1
    assert keys.secret_key(strict.from_scalar(value)).octets() == strict.from_scalar(value)
