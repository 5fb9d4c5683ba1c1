"""SD-JWT: issue, show and read are one circle; any damage ends in a refusal, and nothing but our errors comes out."""

from __future__ import annotations

import contextlib
import itertools
import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cityid.errors import Malformed, Refused
from cityid.jose import digests, jws, key_binding, sd_jwt, sd_jwt_issue
from tests.sd_jwts import (
    AUDIENCE,
    CNF,
    HOLDER,
    ISSUER,
    NONCE,
    NOW,
    TYP,
    b64,
    bound,
    check,
    digest,
    disclosure,
    issue,
    one,
    token,
)

pytestmark = pytest.mark.property

Path = tuple[Any, ...]
NAMES = st.text(min_size=1, max_size=6).filter(lambda name: name not in sd_jwt.RESERVED)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=10
)
CLAIMS = st.dictionaries(NAMES.filter(lambda name: name not in sd_jwt_issue.UNHIDEABLE), VALUES, max_size=5)


def places(value: Any, at: Path = ()) -> list[Path]:
    """Every place that could be hidden."""
    steps: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        steps = list(value.items())
    elif isinstance(value, list):
        steps = list(enumerate(value))
    return [path for step, item in steps for path in ((*at, step), *places(item, (*at, step)))]


def shown(value: Any, hidden: set[Path], chosen: set[Path], at: Path = ()) -> Any:
    """What a verifier must see: the oracle, written without any digest."""
    if isinstance(value, dict):
        kept = {name: item for name, item in value.items() if (*at, name) not in hidden or (*at, name) in chosen}
        return {name: shown(item, hidden, chosen, (*at, name)) for name, item in kept.items()}
    if isinstance(value, list):
        return [
            shown(item, hidden, chosen, (*at, index))
            for index, item in enumerate(value)
            if (*at, index) not in hidden or (*at, index) in chosen
        ]
    return value


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Any], set[Path], set[Path], int, str]:
    claims = draw(CLAIMS)
    everywhere = places(claims)
    hidden = set(draw(st.lists(st.sampled_from(everywhere), max_size=8))) if everywhere else set()
    chosen = set(draw(st.lists(st.sampled_from(sorted(hidden, key=repr)), max_size=5))) if hidden else set()
    return claims, hidden, chosen, draw(st.integers(0, 3)), draw(st.sampled_from(sorted(digests.HASHES)))


@given(cases())
def test_1_what_was_chosen_is_shown_and_nothing_else(
    case: tuple[dict[str, Any], set[Path], set[Path], int, str],
) -> None:
    claims, hidden, chosen, decoys, function = case
    before = deepcopy(claims)
    frame = sd_jwt_issue.frame(hidden, decoys=decoys, hash=function, padded=bool(decoys % 2))
    card = issue({**claims, "cnf": CNF}, frame, ISSUER, header={"typ": TYP})
    assert claims == before
    assert card.payload == {**claims, "cnf": CNF}
    assert set(card.processed.hidden) == hidden
    prefix = sd_jwt.select(card, chosen)
    kb = key_binding.bind(prefix, HOLDER, hash=card.processed.hash, audience=AUDIENCE, nonce=NONCE, at=NOW)
    # the disclosures around a chosen one go along
    along = {path[:length] for path in chosen for length in range(1, len(path) + 1)} & hidden
    assert check((prefix + kb).decode()) == {**shown(claims, hidden, along), "cnf": CNF}
    seen = sd_jwt.read(prefix, typ=TYP).processed
    # the mechanism tells where each remaining array element stood
    for path, numbers in seen.positions.items():
        here: Any = seen.payload
        at: Path = ()
        for step in path:
            index = seen.positions[at].index(step) if at in seen.positions else step
            here, at = here[index], (*at, step)
        assert len(here) == len(numbers)
        assert list(numbers) == sorted(set(numbers))


BODY, TEXT = one("salt", "a", 1)
WHOLE = bound(token({**BODY, "cnf": CNF}, TEXT)).encode()


def test_2_every_single_byte_counts() -> None:
    """Exhaustive in places: each byte, by a few others each."""
    for place in range(len(WHOLE)):
        for other in {WHOLE[place] ^ 1, WHOLE[place] ^ 0x20, ord("~"), ord("."), ord("A"), 0, 0xFF} - {WHOLE[place]}:
            damaged = WHOLE[:place] + bytes([other]) + WHOLE[place + 1 :]
            with pytest.raises((Malformed, Refused)):
                check(damaged)
    assert check(WHOLE)["a"] == 1


@given(st.integers(0, len(WHOLE)), st.integers(0, 3), st.binary(max_size=3))
def test_2_cut_and_grown(place: int, cut: int, grown: bytes) -> None:
    damaged = WHOLE[:place] + grown + WHOLE[place + cut :]
    assume(damaged != WHOLE)
    with pytest.raises((Malformed, Refused)):
        check(damaged)


@given(st.permutations(range(4)), st.integers(0, 4))
def test_3_removed_added_or_moved_disclosures(order: list[int], count: int) -> None:
    claims = {"a": 1, "b": 2, "c": 3, "d": 4}
    frame = sd_jwt_issue.frame([(name,) for name in claims])
    card = issue({**claims, "cnf": CNF}, frame, ISSUER, header={"typ": TYP})
    prefix = sd_jwt.select(card, [("a",), ("b",), ("c",)])
    kb = key_binding.bind(prefix, HOLDER, hash=card.processed.hash, audience=AUDIENCE, nonce=NONCE, at=NOW)
    issued = prefix.split(b"~")[0]
    other = b"~".join([issued, *[card.disclosures[number] for number in order[:count]], b""])
    if other == prefix:
        assert check((other + kb).decode())
    else:
        with pytest.raises(Refused) as caught:
            check((other + kb).decode())
        assert caught.value.code == "binding.sd_hash"


@given(st.lists(st.sampled_from([" ", "\n", "\t", "\r"]), max_size=6), st.booleans())
def test_4_white_space_of_the_envelope_decides_nothing(space: list[str], flat: bool) -> None:
    found = sd_jwt.read(WHOLE, typ=TYP)
    document = (sd_jwt.flattened if flat else sd_jwt.general)(found)
    text = json.dumps(document, indent="".join(space) or None)
    again = sd_jwt.read_json("".join(space) + text + "".join(space), typ=TYP)
    assert again == sd_jwt.read_json(document, typ=TYP)
    jws.check(again.jws, ISSUER.public_key)
    named: dict[str, Any] = {"hash": again.processed.hash, "audience": AUDIENCE, "nonce": NONCE, "at": NOW}
    key_binding.check(again.binding, again.prefix, HOLDER.public_key, **named)


@given(st.binary(max_size=80) | st.text(max_size=80) | st.from_regex(rb"[a-zA-Z0-9_.~-]{0,60}"))
def test_nothing_but_malformed_leaves_a_reader(data: bytes | str) -> None:
    for reader in (sd_jwt.read, sd_jwt.read_issued, sd_jwt.read_json, jws.read_compact, jws.read_json):
        with pytest.raises(Malformed):
            reader(data, typ=None)


@given(VALUES, st.lists(VALUES, max_size=3))
def test_nothing_but_our_errors_leaves_a_signed_one(payload: Any, disclosed: list[Any]) -> None:
    texts = [disclosure(*item) if isinstance(item, list) else disclosure(item) for item in disclosed]
    body = payload if isinstance(payload, dict) else {"x": payload}
    body = {**body, "_sd": [digest(text) for text in texts]}
    with contextlib.suppress(Malformed):
        found = sd_jwt.read(token(body, *texts), typ=TYP)
        assert found.payload.keys() >= body.keys() - {"_sd"}


def _theirs(text: str) -> dict[str, Any] | None:
    """What the PyPI package sd-jwt makes of `text` (None: it refuses)."""
    from jwcrypto.jwk import JWK
    from sd_jwt.verifier import SDJWTVerifier

    from cityid.keys import jwk

    key = JWK.from_json(json.dumps(jwk.write(ISSUER.public_key)))
    try:
        payload: dict[str, Any] = SDJWTVerifier(text, lambda *_: key).get_verified_payload()
    except Exception:  # it raises everything
        return None
    return payload


STRUCTURES = st.recursive(
    st.sampled_from(["x", 1, None, True]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b", "_sd", "..."]), inner, max_size=2)
    ),
    max_leaves=6,
)  # fmt: skip


@given(st.lists(STRUCTURES, min_size=1, max_size=3), st.booleans())
def test_differential_ours_is_the_stricter_one(contents: list[Any], array: bool) -> None:
    """Random disclosures, rightly referenced: what we accept, the reference implementation reads the same way."""
    texts = [disclosure(f"salt {number}", f"n{number}", item) for number, item in enumerate(contents)]
    body: dict[str, Any] = {"iss": "x", "_sd": [digest(text) for text in texts]}
    if array:
        texts = [disclosure(f"salt {number}", item) for number, item in enumerate(contents)]
        body = {"iss": "x", "n": [{"...": digest(text)} for text in texts]}
    text = token(body, *texts)
    try:
        ours = sd_jwt.read(text, typ=TYP).payload
    except Malformed:
        return
    assert ours == _theirs(text)


@given(cases())
def test_differential_theirs_reads_what_we_issue(case: tuple[dict[str, Any], set[Path], set[Path], int, str]) -> None:
    claims, hidden, chosen, decoys, _ = case
    frame = sd_jwt_issue.frame(hidden, decoys=decoys)
    made = issue(claims, frame, ISSUER, header={"typ": TYP})
    prefix = sd_jwt.select(made, chosen)
    assert _theirs(prefix.decode()) == sd_jwt.read(prefix, typ=TYP).payload
    assert _theirs(made.prefix.decode()) == claims


def test_differential_what_they_let_through_is_refused_here() -> None:
    """Known findings about sd-jwt 0.10.4: an unreferenced disclosure, reserved names, a duplicate member."""
    extra = disclosure("s", "admin", True)
    named = disclosure("s", "_sd_alg", "x")
    double = b64('["s","a",{"b":1,"b":2}]')
    for text in (
        token({"iss": "x"}, extra),
        token({"iss": "x", "_sd": [digest(named)]}, named),
        token({"iss": "x", "_sd": [digest(double)]}, double),
    ):
        assert _theirs(text) is not None
        with pytest.raises(Malformed):
            sd_jwt.read(text, typ=TYP)


def test_18_cost_grows_with_size() -> None:
    """Counted work, not time: digests met, for n disclosures."""
    frame = sd_jwt_issue.frame([("a", None)])
    sizes = []
    for count in (1, 10, 100, 1000):
        card = issue({"a": list(range(count))}, frame, ISSUER, header={"typ": TYP})
        assert len(sd_jwt.read(card.prefix, typ=TYP).processed.hidden) == count
        sizes.append(len(card.prefix) / count)
    assert all(later <= earlier for earlier, later in itertools.pairwise(sizes))
