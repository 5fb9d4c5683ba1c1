"""SD-JWT by shape: what is made from a shape that came before says the same as what is made by walking the claims."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cityid import limits
from cityid.errors import Malformed
from cityid.jose import jws, sd_jwt, sd_jwt_issue, sd_jwt_shape
from tests.property.test_sd_jwt import NAMES, places
from tests.sd_jwts import CNF, ISSUER, TYP

pytestmark = pytest.mark.property

Path = tuple[Any, ...]
LEAVES = st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8)
CLAIMS = st.dictionaries(
    NAMES.filter(lambda name: name not in sd_jwt_issue.UNHIDEABLE),
    st.recursive(
        LEAVES | st.lists(LEAVES, max_size=3), lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
    ),
    max_size=5,
)
PROTECTED = jws.protected({"typ": TYP}, ISSUER.public_key)


def made(claims: dict[str, Any], frame: sd_jwt_issue.Frame, registered: dict[str, Any]) -> sd_jwt.SdJwt:
    issued = sd_jwt_issue.issue(claims, frame, ISSUER, protected=PROTECTED, registered=registered)
    found = sd_jwt.read_issued(issued.text, typ=TYP)
    assert issued.hidden == set(found.processed.hidden)
    return found


def others(value: Any) -> Any:
    """Claims of the same shape that say something else."""
    if isinstance(value, dict):
        return {name: others(item) for name, item in value.items()}
    if isinstance(value, list):
        return [others(item) for item in value]
    return f"{value}ü" if isinstance(value, str) else not value if isinstance(value, bool) else 7


def digests(value: Any) -> list[int]:
    """How many digests there are in each object and array of a payload."""
    if isinstance(value, list):
        return [sum(isinstance(item, dict) and item.keys() == {"..."} for item in value)]
    if not isinstance(value, dict):
        return []
    own = [len(value["_sd"])] if "_sd" in value else []
    return own + [count for name, item in value.items() if name != "_sd" for count in digests(item)]


@given(CLAIMS, st.data(), st.integers(0, 2), st.booleans(), st.booleans())
def test_the_same_as_by_walking(
    claims: dict[str, Any], data: st.DataObject, decoys: int, padded: bool, bare: bool
) -> None:
    everywhere = places(claims)
    hidden = set(data.draw(st.lists(st.sampled_from(everywhere), max_size=8))) if everywhere else set()
    registered = {} if bare else {"iss": "x", "cnf": CNF}
    before = deepcopy(claims)
    frame, walked = (sd_jwt_issue.frame(hidden, decoys=decoys, padded=padded) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sd_jwt_shape, "flat", lambda claims: None)
        plain = made(claims, walked, registered)
    assert not walked.shapes
    first = made(claims, frame, registered)
    assert claims == before
    assert first.payload == plain.payload == {**registered, **claims}
    assert set(first.processed.hidden) == set(plain.processed.hidden) == hidden
    assert digests(json.loads(first.jws.payload)) == digests(json.loads(plain.jws.payload))
    assert len(frame.shapes) == 1
    again = made(others(claims), frame, registered)
    assert len(frame.shapes) == 1
    assert again.payload == {**registered, **others(claims)}
    assert set(again.processed.hidden) == hidden
    assume(first.disclosures)
    assert set(first.disclosures).isdisjoint(plain.disclosures)


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"a": {"_sd": "x"}}, "sd_jwt.claim_name"),
        ({"a": {1: "x"}}, "sd_jwt.claim_name"),
        ({"a": 2**53}, "json.integer_too_large"),
        ({"a": "\ud800"}, "json.surrogate"),
        ({"\ud800": "a"}, "json.surrogate"),
        ({"h": "\ud800"}, "json.surrogate"),
        ({"a": float("nan")}, "json.not_finite"),
        ({"o": "no object"}, "sd_jwt.frame_mismatch"),
        ({"a": b"bytes"}, "json.not_json"),
        ({"l": [2**53]}, "json.integer_too_large"),
        ({"l": ["\ud800"]}, "json.surrogate"),
        ({"a": [b"bytes"]}, "json.not_json"),
        ({"o": ["no object"]}, "sd_jwt.frame_mismatch"),
        ({"l": {"no": "array"}}, "sd_jwt.frame_mismatch"),
    ],
)
def test_what_has_no_shape_is_refused_as_ever(claims: dict[str, Any], code: str) -> None:
    frame = sd_jwt_issue.frame([("h",), ("o", "inner"), ("l", None)])
    with pytest.raises(Malformed) as no:
        made(claims, frame, {})
    assert no.value.code == code
    assert made({"a": {"b": 2**53 - 1}, "h": "ü", "o": {"inner": True}}, frame, {}).payload["h"] == "ü"


@pytest.mark.parametrize("hidden", [[("l", None)], [("l", 1)], [("o",), ("o", "l", None)], [("l",), ("l", None)]])
def test_arrays_keep_their_order(hidden: list[Path]) -> None:
    """Also where it is hidden as a whole; one with more inside than values is walked through."""
    claims = {"l": ["ü", 2, True], "o": {"l": ["x"], "m": []}}
    frame = sd_jwt_issue.frame(hidden, decoys=1)
    for _ in range(2):
        found = made(claims, frame, {})
        assert found.payload == claims
        assert None not in frame.shapes.values()
    assert made({"l": [{"a": 1}]}, frame, {}).payload == {"l": [{"a": 1}]}


def test_as_deep_as_is_read_and_no_deeper() -> None:
    claims: dict[str, Any] = {"a": 1}
    for _ in range(limits.DEPTH):
        claims = {"a": claims}
    with pytest.raises(Malformed) as no:
        made(claims, sd_jwt_issue.frame([]), {})
    assert no.value.code == "json.too_deep"
    frame = sd_jwt_issue.frame([])
    assert made(claims["a"], frame, {}).payload == claims["a"]
    assert not frame.shapes


def test_what_stands_in_registered_too_is_not_said_twice() -> None:
    frame = sd_jwt_issue.frame([])
    assert made({"iss": "claims"}, frame, {"iss": "registered"}).payload == {"iss": "claims"}
    assert not frame.shapes
