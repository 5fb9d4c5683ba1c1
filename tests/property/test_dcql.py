"""DCQL against an oracle that tries everything: the same answers, and nothing shown that could be left out."""

from __future__ import annotations

from itertools import chain, combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityid.credential import Credential, Path
from cityid.errors import Malformed
from cityid.query import Answerable, Index, read
from tests.spec.test_dcql import held

NAMES = st.sampled_from(["a", "b"])
SCALARS = st.sampled_from([0, 1, True, False, "x", None])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2), max_leaves=5
)
CLAIMS = st.dictionaries(NAMES, VALUES, max_size=2)
PATHS = st.tuples(NAMES, st.lists(NAMES | st.sampled_from([None, 0, 1]), max_size=2)).map(lambda p: (p[0], *p[1]))


def places(value: Any, at: Path = ()) -> list[Path]:
    """Every path inside a value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for part, item in pairs for found in ((*at, part), *places(item, (*at, part)))]


@st.composite
def cards(draw: st.DrawFn) -> Credential:
    claims = draw(CLAIMS)
    everywhere = places(claims)
    hidden = draw(st.sets(st.sampled_from(everywhere))) if everywhere else set()
    return held(claims, hidden=frozenset(hidden), types=(draw(st.sampled_from(["T", "U"])),))


@st.composite
def queries(draw: st.DrawFn) -> dict[str, Any]:
    credentials = []
    for number in range(draw(st.integers(1, 3))):
        meta = {"vct_values": [draw(st.sampled_from("TU"))]}
        asked: dict[str, Any] = {"id": f"q{number}", "format": "dc+sd-jwt", "meta": meta}
        paths = draw(st.lists(PATHS, max_size=3, unique=True))
        if paths:
            asked["claims"] = [{"id": f"c{n}", "path": list(path)} for n, path in enumerate(paths)]
            for claim in asked["claims"]:
                if draw(st.integers(0, 3)) == 0:
                    claim["values"] = draw(st.lists(st.sampled_from([0, 1, True, "x"]), min_size=1, max_size=2))
            if draw(st.booleans()):
                ids = st.sampled_from([claim["id"] for claim in asked["claims"]])
                claim_set = st.lists(ids, min_size=1, max_size=2, unique=True)
                asked["claim_sets"] = draw(st.lists(claim_set, min_size=1, max_size=3))
        credentials.append(asked)
    dcql: dict[str, Any] = {"credentials": credentials}
    if draw(st.booleans()):
        ids = st.sampled_from([asked["id"] for asked in credentials])
        option = st.lists(ids, min_size=1, max_size=2, unique=True)
        known = st.fixed_dictionaries({"options": st.lists(option, min_size=1, max_size=3), "required": st.booleans()})
        dcql["credential_sets"] = draw(st.lists(known, min_size=1, max_size=3))
    return dcql


# --- the oracle: OpenID4VP 1.0 read literally, and slowly -----------------------------------------------------------


def process(path: list[Any], claims: Any) -> list[Any] | None:
    """§7.1.1, on values only."""
    selected = [claims]
    for part in path:
        kind = dict if isinstance(part, str) else list
        if any(type(value) is not kind for value in selected):
            return None
        if part is None:
            selected = [item for value in selected for item in value]
        elif isinstance(part, str):
            selected = [value[part] for value in selected if part in value]
        else:
            selected = [value[part] for value in selected if part < len(value)]
    return selected or None


def has(claim: dict[str, Any], claims: Any) -> bool:
    found = process(claim["path"], claims)
    if found is None or "values" not in claim:
        return found is not None
    return any(type(value) is type(wish) and value == wish for value in found for wish in claim["values"])


def choice(asked: dict[str, Any], card: Credential, claims: Any) -> list[str] | None:
    """The ids of the claims that are sent; None where the credential does not match."""
    if card.types[0] not in asked["meta"]["vct_values"]:
        return None
    by_id = {claim["id"]: claim for claim in asked.get("claims", [])}
    for ids in asked.get("claim_sets", [list(by_id)]):
        if all(has(by_id[name], claims) for name in ids):
            return list(ids)
    return None


def shown(claims: Any, opened: frozenset[Path], hidden: frozenset[Path], at: Path = ()) -> Any:
    """What a verifier sees, with a mark in place of each array element that stays hidden."""
    if isinstance(claims, dict):
        return {
            name: shown(item, opened, hidden, (*at, name))
            for name, item in claims.items()
            if (*at, name) not in hidden or (*at, name) in opened
        }
    if isinstance(claims, list):
        kept = [
            (n, shown(item, opened, hidden, (*at, n)))
            for n, item in enumerate(claims)
            if (*at, n) not in hidden or (*at, n) in opened
        ]
        return Seen(kept)
    return claims


class Seen(list[Any]):
    """An array as seen: elements with their issued index."""


def expand(seen: Any) -> tuple[Any, dict[Path, tuple[int, ...]]]:
    """Claims and positions as a verifier's reader gives them."""
    positions: dict[Path, tuple[int, ...]] = {}

    def walk(value: Any, at: Path) -> Any:
        if isinstance(value, Seen):
            positions[at] = tuple(n for n, _ in value)
            return [walk(item, (*at, n)) for n, item in value]
        if isinstance(value, dict):
            return {name: walk(item, (*at, name)) for name, item in value.items()}
        return value

    return walk(seen, ()), positions


def satisfiable(dcql: dict[str, Any], met: set[str]) -> bool:
    if "credential_sets" not in dcql:
        return met == {asked["id"] for asked in dcql["credentials"]}
    return all(any(met >= set(o) for o in s["options"]) for s in dcql["credential_sets"] if s["required"])


# --- the properties -------------------------------------------------------------------------------------------------


@pytest.mark.property
@given(dcql=queries(), wallet=st.lists(cards(), max_size=3))
def test_the_same_answers_as_the_oracle(dcql: dict[str, Any], wallet: list[Credential]) -> None:
    query = read(dcql)
    matching = {
        asked["id"]: [card for card in wallet if choice(asked, card, card.claims) is not None]
        for asked in dcql["credentials"]
    }
    met = {name for name, found in matching.items() if found}
    answer, indexed = query.options(wallet), query.options(Index(wallet))
    assert isinstance(answer, Answerable) == isinstance(indexed, Answerable) == satisfiable(dcql, met)
    if not isinstance(answer, Answerable):
        return
    for asked in dcql["credentials"]:
        found = answer.candidates.get(asked["id"], ())
        assert len(found) == len(matching[asked["id"]])
        assert [match.shown for match in found] == sorted(match.shown for match in found)
        for match in found:
            sent = choice(asked, match.credential, match.credential.claims)
            ids = asked.get("claim_sets", [[claim["id"] for claim in asked.get("claims", [])]])
            assert ids[match.claim_set or 0] == sent
    chosen = set(answer.ids)
    assert satisfiable(dcql, chosen)
    for fewer in chain.from_iterable(combinations(chosen, size) for size in range(len(chosen))):
        if len(fewer) == len(chosen) - 1:
            assert not satisfiable(dcql, set(fewer))
    assert query.judge(dict.fromkeys(answer.ids, 1)) == ()


@pytest.mark.property
@given(dcql=queries(), card=cards())
def test_what_is_opened_is_enough_and_nothing_of_it_can_be_left_out(dcql: dict[str, Any], card: Credential) -> None:
    for asked in read(dcql).credentials:
        match = asked.match(card)
        if match is None:
            assert asked.why_not(card)
            assert asked.alternatives(card) == ()
            continue
        assert asked.why_not(card) == ()
        assert match.disclose <= card.hidden
        wanted = match.claims
        for opened in (match.disclose, *(match.disclose - {path} for path in match.disclose)):
            claims, positions = expand(shown(card.claims, opened, card.hidden))
            seen = held(claims, types=card.types, hidden=opened, positions=positions)
            whole = asked.satisfied(seen) == () and asked.only(claims, positions) == wanted
            assert whole is (opened == match.disclose)


MEMBERS = ["credentials", "id", "format", "meta", "claims", "path", "values", "claim_sets", "vct_values"]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(MEMBERS) | st.text(), inner), max_leaves=20
)


@pytest.mark.property
@given(value=JSON)
def test_nothing_but_malformed_comes_out_of_reading(value: Any) -> None:
    asked = {"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": ["x"]}, "claims": value}
    for dcql in (value, {"credentials": value}, {"credentials": [asked]}):
        try:
            read(dcql)
        except Malformed:
            continue
