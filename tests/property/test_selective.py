"""Properties of selection: the remembered way and the plain one agree, and whatever is shown verifies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityid.encoding import rdfc
from cityid.errors import Malformed
from cityid.proofs import bbs2023, ecdsa_sd, selective
from tests.proofs import contexts
from tests.sd import HMAC, BbsIssuer, card, issuer, options

pytestmark = [pytest.mark.property, pytest.mark.slow]

NAMES = st.sampled_from(["a", "b", "c", "a/b", "~", "0", "name"])
LEAVES = st.one_of(st.sampled_from(["x", "y", "", "é\n", "_:b0"]), st.integers(-3, 3), st.booleans(), st.just(2.5))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.dictionaries(NAMES, inner, min_size=1, max_size=3),
        st.lists(LEAVES, min_size=1, max_size=3),
        st.lists(st.dictionaries(NAMES, inner, min_size=1, max_size=2), min_size=1, max_size=3),
    ),
    max_leaves=8,
)
SUBJECTS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=4)


def document(subject: dict[str, Any]) -> dict[str, Any]:
    made = card()
    return {**made, "credentialSubject": subject}


def pointers(value: Any, above: str = "") -> list[str]:
    """Every place of a document but its context."""
    found = [above]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        if name != "@context":
            found += pointers(inner, f"{above}/{str(name).replace('~', '~0').replace('/', '~1')}")
    return found


CASES = st.tuples(SUBJECTS, st.lists(st.integers(0, 10**6), min_size=1, max_size=4), st.integers(0, 10**6))


def chosen(case: tuple[Any, list[int], int]) -> tuple[dict[str, Any], list[str], list[str]]:
    subject, numbers, first = case
    made = document(subject)
    places = pointers(made)
    return made, [places[1:][first % (len(places) - 1)]], [places[number % len(places)] for number in numbers]


@given(CASES)
@settings(max_examples=20)
def test_both_ways_agree(case: tuple[Any, list[int], int]) -> None:
    made, mandatory, asked = chosen(case)
    relabel = selective.keyed(HMAC)
    try:
        found = selective.group(made, [mandatory, asked], relabel, contexts)
    except Malformed as error:
        # Two of a kind that nothing tells apart, as the plain way finds too.
        with pytest.raises(Malformed, match=error.code.replace(".", r"\.")):
            selective._plain(selective._told_apart(made), [mandatory, asked], contexts, {})
        return
    quads, places = selective._plain(selective._told_apart(made), [mandatory, asked], contexts, {})
    plain = selective.arrange(selective.Located(quads, places, rdfc.canonicalize(quads).labels), relabel)
    assert found.lines == plain.lines
    again = selective.group(json.loads(json.dumps(made)), [mandatory, asked], relabel, contexts)
    assert again == found
    for ours, theirs in zip(found.sets, plain.sets, strict=True):
        assert rdfc.canonicalize(ours).nquads == rdfc.canonicalize(theirs).nquads
    assert [len(group) for group in found.groups] == [len(group) for group in plain.groups]


ES256, BBS = issuer(3), BbsIssuer()


@given(CASES)
@settings(max_examples=8)
def test_what_is_shown_verifies(case: tuple[Any, list[int], int]) -> None:
    made, mandatory, asked = chosen(case)
    base = ecdsa_sd.create_base(made, options("ecdsa-sd-2023"), ES256, mandatory=mandatory, load=contexts)
    ecdsa_sd.check_base(made, base, ES256.public_key, load=contexts)
    shown, proof = ecdsa_sd.derive(made, base, selective=asked, load=contexts)
    ecdsa_sd.check(shown, proof, ES256.public_key, load=contexts)


@given(CASES)
@settings(max_examples=8)
def test_what_is_shown_by_bbs_verifies(case: tuple[Any, list[int], int]) -> None:
    pytest.importorskip("pyblst", reason="the extra `bbs` is not installed")
    made, mandatory, asked = chosen(case)
    base = bbs2023.create_base(made, options("bbs-2023"), BBS, mandatory=mandatory, load=contexts)
    bbs2023.check_base(made, base, BBS.public_key, load=contexts)
    shown, proof = bbs2023.derive(made, base, selective=asked, load=contexts, presentation_header=b"n")
    bbs2023.check(shown, proof, BBS.public_key, load=contexts, presentation_header=b"n")
