"""Any bytes into the messages of issuing and into type definitions give a value or Malformed; good ones come back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityid import accepting, credential_type
from cityid.cards import CardRequest, Cards, Offer, check_proofs
from cityid.credential_type import check, from_row
from cityid.errors import Malformed, Refused
from cityid.keys import Algorithm
from tests.jobs.offices import ADA, NOW, TYPES, Office
from tests.memory import MemoryWallet

pytestmark = pytest.mark.property

OFFER = Office().offer()
REQUEST = accepting.begin(OFFER, MemoryWallet(), NOW)
CARDS = Cards(OFFER.issuer, "residency.dc+sd-jwt", OFFER.id, (b"a~b~",))
GOOD = [OFFER.write(), OFFER.link().encode(), REQUEST.write(), CARDS.write(), credential_type.new("dog-tag", "Dog tag")]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def read_all(data: bytes) -> None:
    for read in (Offer.read, CardRequest.read, Cards.read, credential_type.read):
        try:
            value = read(data)
        except Malformed:
            continue
        if isinstance(value, Offer | CardRequest | Cards):
            assert type(value).read(value.write()) == value
    check(data)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    read_all(data)


@given(st.sampled_from(GOOD), st.integers(0, 2000), st.binary(max_size=4), st.integers(0, 4))
def test_damaged_ones(good: bytes, at: int, bytes_: bytes, cut: int) -> None:
    at %= len(good)
    read_all(good[:at] + bytes_ + good[at + cut :])


@given(st.sampled_from([good for good in GOOD if good.startswith(b"{")]), st.data())
def test_any_member_may_be_anything(good: bytes, data: st.DataObject) -> None:
    document = json.loads(good)
    place: Any = document
    while True:
        name = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[name], dict) or not place[name] or data.draw(st.booleans()):
            place[name] = data.draw(JSON)
            break
        place = place[name]
    read_all(json.dumps(document).encode("utf-8", "surrogatepass"))


@given(st.text(max_size=60) | st.sampled_from(REQUEST.proofs), st.integers(0, 400), st.text(max_size=3))
def test_any_proof(proof: str, at: int, text: str) -> None:
    damaged = proof[:at] + text + proof[at + 1 :]
    try:
        keys = check_proofs(
            [damaged], issuer=OFFER.issuer, nonce=OFFER.nonce, copies=1, algorithms=tuple(Algorithm), at=NOW
        )
    except (Malformed, Refused):
        return
    assert damaged == proof
    assert len(keys) == 1


@given(st.sampled_from(sorted(TYPES)), JSON)
def test_any_claims(type: str, claims: Any) -> None:
    problems = TYPES[type].problems(claims, at=NOW)
    if not problems:
        TYPES[type].read(claims, at=NOW)
        return
    with pytest.raises(Malformed) as caught:
        TYPES[type].read(claims, at=NOW)
    assert caught.value.problem == problems[0]


@given(st.sampled_from(["given_name", "birthdate", "address", "municipality", "resident_since", "age_over_18"]), JSON)
def test_one_claim_of_a_good_card_may_be_anything(name: str, value: Any) -> None:
    claims = {**ADA, name: value}
    problems = TYPES["residency"].problems(claims, at=NOW)
    if not problems:
        said = TYPES["residency"].prepare(claims, at=NOW)
        assert said.end > NOW
        assert json.dumps(dict(said.claims)).encode()


@given(
    st.sampled_from(sorted(TYPES)),
    st.dictionaries(st.sampled_from([*ADA, "zone", "x", "address.locality", "primary", ""]), st.text(max_size=8)),
)
def test_any_row(type: str, row: dict[str, str]) -> None:
    TYPES[type].problems(from_row(TYPES[type], row), at=NOW)


@given(st.datetimes(datetime(1971, 1, 1), datetime(2300, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  # hypothesis adds the zone
def test_any_time(at: datetime) -> None:
    for name, claims in (("age", {"birthdate": "1990-12-10"}), ("residency", ADA)):
        problems = TYPES[name].problems(claims, at=at)
        assert {problem.code for problem in problems} <= {"claim.not_plausible"}
