"""Many SD-JWTs at once say what each of them says that is made alone."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cityid.encoding import base64url
from cityid.errors import CityIdError, Malformed, Misuse
from cityid.jose import jws, sd_jwt, sd_jwt_issue, sd_jwt_many
from cityid.jose.sd_jwt_issue import Unsigned
from tests.property.test_sd_jwt import places
from tests.property.test_shapes import CLAIMS, PROTECTED, digests, others
from tests.sd_jwts import CNF, ISSUER, TYP

pytestmark = pytest.mark.property
REGISTERED: dict[str, Any] = {"iss": "x", "cnf": CNF}
HEAD = json.dumps(REGISTERED, separators=(",", ":")).encode()[1:-1]


def many(
    claims: list[dict[str, Any]], frame: sd_jwt_issue.Frame, entropy: Callable[[int], bytes] = secrets.token_bytes
) -> list[sd_jwt.SdJwt | None]:
    made = sd_jwt_many.prepare_many([(one, HEAD) for one in claims], frame, protected=PROTECTED, entropy=entropy)
    return [
        None if one is None else
        sd_jwt.read_issued(Unsigned(*one, frozenset()).signed(ISSUER.sign(one[0])).text, typ=TYP) for one in made
    ]  # fmt: skip


def alone(claims: dict[str, Any], frame: sd_jwt_issue.Frame) -> sd_jwt.SdJwt:
    issued = sd_jwt_issue.issue(claims, frame, ISSUER, protected=PROTECTED, registered=REGISTERED)
    return sd_jwt.read_issued(issued.text, typ=TYP)


@given(st.lists(CLAIMS, min_size=1, max_size=3), st.data(), st.integers(0, 2), st.booleans())
def test_the_same_as_one_by_one(drawn: list[dict[str, Any]], data: st.DataObject, decoys: int, padded: bool) -> None:
    everywhere = places(drawn[0])
    hidden = set(data.draw(st.lists(st.sampled_from(everywhere), max_size=8))) if everywhere else set()
    try:
        frame = sd_jwt_issue.frame(hidden, decoys=decoys, padded=padded)
        claims = [kind(one) for one in drawn for kind in (dict, others, dict)]
        twins = [alone(one, frame) for one in claims]
    except CityIdError:
        assume(False)
    for one, found, twin in zip(claims, many(claims, frame), twins, strict=True):
        assert found is not None
        jws.check(found.jws, ISSUER.public_key)
        payload = dict(found.processed.payload)
        assert payload == twin.processed.payload
        assert {name: payload[name] for name in one} == one
        assert set(found.processed.hidden) == set(twin.processed.hidden)
        assert len(found.disclosures) == len(twin.disclosures)
        signed, other = (json.loads(token.jws.payload) for token in (found, twin))
        assert sorted(digests(signed)) == sorted(digests(other))
        assert list(signed)[:2] == ["iss", "cnf"]
        assert signed["_sd_alg"] == "sha-256"


FRAME = sd_jwt_issue.frame([("a",), ("b",), ("b", "c")])
ONE: dict[str, Any] = {"a": "x", "b": {"c": True}, "d": 7}


def test_none_of_what_has_no_shape() -> None:
    found = many([ONE, {"a": [["x"]]}, {**ONE, "_sd": "x"}, {"a": "x", "b": "y"}, ONE], FRAME)
    assert [one is None for one in found] == [False, True, True, True, False]
    assert many([], FRAME) == []


def test_one_and_true_are_two() -> None:
    columns: list[list[Any]] = [[1, True, "1", 0, False], [True, False, True, True, False], ["x", "x", "é", "", "x"]]
    for column in columns:
        found = many([{"a": value, "d": value} for value in column], FRAME)
        said = [(one.processed.payload["a"], one.processed.payload["d"]) for one in found if one]
        assert [tuple(map(repr, pair)) for pair in said] == [(repr(value), repr(value)) for value in column]


def test_salts_are_each_their_own_and_long_enough() -> None:
    found = many([{"a": "x" * count, "d": ""} for count in range(9)], FRAME)
    salts = [base64url.decode(one.disclosures[0]).split(b'"')[1] for one in found if one]
    assert len(set(salts)) == 9
    assert {len(salt) for salt in salts} == {22, 23, 24}


@pytest.mark.parametrize("where", ["a", "d"])
def test_surrogates(where: str) -> None:
    with pytest.raises(Malformed) as error:
        many([ONE, {**ONE, where: "\ud800"}], FRAME)
    assert error.value.code == "json.surrogate"


def test_surrogates_inside_what_is_hidden() -> None:
    frame = sd_jwt_issue.frame([("b",), ("b", "c")])
    with pytest.raises(Malformed) as error:
        many([{"b": {"c": "x", "e": "\ud800"}}], frame)
    assert error.value.code == "json.surrogate"


@pytest.mark.parametrize("entropy", [bytes, lambda size: secrets.token_bytes(size - 1)])
def test_chance_that_is_none(entropy: Callable[[int], bytes]) -> None:
    with pytest.raises(Misuse) as error:
        many([ONE, ONE], FRAME, entropy)
    assert error.value.code == "sd_jwt.entropy"


def test_nothing_to_hide_needs_no_chance() -> None:
    def none(size: int) -> bytes:
        raise AssertionError(size)

    (found,) = many([{"d": 7}], sd_jwt_issue.frame([]), none)
    assert found is not None
    assert found.processed.payload["d"] == 7
    (empty,) = many([{}], sd_jwt_issue.frame([]), none)
    assert empty is not None
    assert set(json.loads(empty.jws.payload)) == {"iss", "cnf", "_sd_alg"}
