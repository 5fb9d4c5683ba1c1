"""Attack group P, the DCQL part, and X11: each refusal with its twin that passes."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from cityid import limits
from cityid.errors import Malformed
from cityid.query import Answerable, Unanswerable, lint, read
from tests.spec.test_dcql import RESIDENCY, VCT, ask, codes, held, one, several


def refusal(dcql: Any) -> str:
    with pytest.raises(Malformed) as raised:
        read(dcql)
    return raised.value.code


class TestP20AnswerOfAnotherShape:
    ASKED = read({"credentials": [ask(id="a"), ask(id="b", multiple=True)]})

    def test_p20_whole_answer(self) -> None:
        assert self.ASKED.judge({"a": 1, "b": 2}) == ()

    @pytest.mark.parametrize(
        ("presented", "code"),
        [
            ({"a": 1, "b": 1, "c": 1}, "query.answer_unknown_id"),
            ({"a": 1}, "query.answer_missing"),
            ({"a": 2, "b": 1}, "query.answer_several"),
            ({"a": 1, "b": 1, "": 1}, "query.answer_unknown_id"),
        ],
    )
    def test_p20_extra_missing_or_several(self, presented: dict[str, int], code: str) -> None:
        assert codes(self.ASKED.judge(presented)) == [code]

    def test_p20_empty_array(self) -> None:
        assert "query.answer_empty" in codes(self.ASKED.judge({"a": 0, "b": 1}))


class TestP21RightIdWrongThing:
    ASKED = one(["age_over_18"], {"path": ["address", "locality"], "values": ["Lindau"]})

    def test_p21_right_thing(self) -> None:
        assert self.ASKED.satisfied(held()) == ()

    @pytest.mark.parametrize(
        ("shown", "code"),
        [
            (held(types=("https://id.lindau.example/vct/age/1",)), "query.wrong_type"),
            (held(format="mso_mdoc"), "query.wrong_format"),
            (held(RESIDENCY | {"address": {"locality": "Bregenz"}}), "query.value_differs"),
            (held({name: value for name, value in RESIDENCY.items() if name != "age_over_18"}), "query.claim_missing"),
        ],
    )
    def test_p21_wrong_thing(self, shown: Any, code: str) -> None:
        assert codes(self.ASKED.satisfied(shown)) == [code]

    def test_p21_other_authority(self) -> None:
        asked = one(trusted_authorities=[{"type": "aki", "values": ["s9tIpPmhxdiuNkHMEWNpYim8S8Y"]}])
        assert codes(asked.satisfied(held())) == ["query.authority_differs"]

    def test_p21_discarded_presentations_leave_the_query_unanswered(self) -> None:
        asked = several(c="age_over_18")
        assert asked.judge({"c": 1}, {"c": 1}) == ()
        assert codes(asked.judge({"c": 1}, {})) == ["query.answer_missing"]


def test_p23_binding_is_a_matter_of_the_query() -> None:
    bare = held(holder=None)
    assert codes(one().satisfied(bare)) == ["query.no_holder_key"]
    assert one(require_cryptographic_holder_binding=False).satisfied(bare) == ()
    # A misspelt member is unknown, therefore ignored, therefore binding stays required.
    assert codes(one(requires_cryptographic_holder_binding=False).satisfied(bare)) == ["query.no_holder_key"]
    assert refusal({"credentials": [ask(require_cryptographic_holder_binding="false")]}) == "json.wrong_type"


class TestP24Paths:
    @pytest.mark.parametrize("path", [["a", -1], ["a", -(10**9)], ["a", 1.0], ["a", True], ["a", ["b"]]])
    def test_p24_parts_of_another_kind(self, path: list[Any]) -> None:
        assert refusal({"credentials": [ask(path)]}) == "query.path_part"
        assert one(["a", 1]).claims[0].path == ("a", 1)

    def test_p24_empty_and_endless_paths(self) -> None:
        assert refusal({"credentials": [ask([])]}) == "query.empty"
        assert refusal({"credentials": [ask(["a"] * (limits.DCQL_PATH + 1))]}) == "query.too_many"
        assert len(one(["a"] * limits.DCQL_PATH).claims[0].path) == limits.DCQL_PATH

    def test_p24_an_index_beyond_everything(self) -> None:
        assert one(["nationalities", 10**9]).match(held()) is None
        assert one(["nationalities", 1]).match(held()) is not None
        assert (
            refusal(json.dumps({"credentials": [ask(["nationalities", 10**18])]}).encode()) == "json.integer_too_large"
        )

    def test_p24_wildcards_over_large_arrays_are_counted(self) -> None:
        # A credential of this size cannot be read; one made by hand shows that matching counts on its own.
        size = limits.DCQL_STEPS // 2
        asked, twice = one(["l", None, "x"]), one(["l", None, "x"], {"path": ["l", None], "values": [1]})
        large = held({"l": [{"x": 1}] * (size - 2)}, hidden=frozenset())
        assert asked.match(large) is not None
        assert codes(twice.why_not(large)) == ["query.too_much_work"]
        assert twice.match(large) is None
        assert twice.alternatives(large) == ()
        assert asked.only(large.claims) == large.claims
        assert twice.only(large.claims) == {}
        longer = held({"l": [{"x": 1}] * size}, hidden=frozenset())
        assert codes(asked.why_not(longer)) == ["query.too_much_work"]
        assert asked.why_not(longer)[0].facts["limit"] == limits.DCQL_STEPS
        plain = {"credentials": [ask(["l", None, "x"])]}
        answer = read(plain).options([longer])
        assert isinstance(answer, Unanswerable)
        assert isinstance(read(plain).options([longer, held({"l": [{"x": 1}]})]), Answerable)

    @pytest.mark.parametrize("name", ["_sd", "_sd_alg", "...", "cnf", "__class__", "__dict__", "keys", "status"])
    def test_p24_only_processed_claims_can_be_named(self, name: str) -> None:
        for path in ([name], ["address", name], ["nationalities", None, name], ["degrees", 0, name]):
            assert one(path).match(held()) is None
            assert one(path).only(RESIDENCY) == {}
        assert one([name]).match(held({name: 1})) is not None


class TestP25Bomb:
    def ceilings(self, over: int) -> list[tuple[dict[str, Any], str]]:
        def claims(count: int) -> list[Any]:
            return [{"id": f"c{n}", "path": [f"p{n}"]} for n in range(count)]

        def dcql(**more: Any) -> dict[str, Any]:
            return {"credentials": [ask(**more)]}

        names = [f"q{n}" for n in range(limits.DCQL_CREDENTIALS)]
        base: dict[str, Any] = {"credentials": [ask(id=name) for name in names]}
        values = ["x"] * (limits.DCQL_VALUES + over)
        return [
            ({"credentials": [ask(id=f"q{n}") for n in range(limits.DCQL_CREDENTIALS + over)]}, "credentials"),
            (dcql(claims=claims(limits.DCQL_CLAIMS + over)), "claims"),
            (dcql(claims=claims(1), claim_sets=[["c0"]] * (limits.DCQL_OPTIONS + over)), "claim_sets"),
            (dcql(claims=claims(1), claim_sets=[["c0"] * (limits.DCQL_CLAIMS + over)]), "claim_sets[0]"),
            (dcql(claims=[{"path": ["a"], "values": values}]), "values"),
            (dcql(meta={"vct_values": values}), "vct_values"),
            (dcql(format="ldp_vc", meta={"type_values": [values]}), "type_values[0]"),
            (dcql(trusted_authorities=[{"type": "etsi_tl", "values": values}]), "values"),
            (base | {"credential_sets": [{"options": [["q0"]]}] * (limits.DCQL_SETS + over)}, "credential_sets"),
            (base | {"credential_sets": [{"options": [["q0"]] * (limits.DCQL_OPTIONS + over)}]}, "options"),
            (base | {"credential_sets": [{"options": [["q0"] * (limits.DCQL_CREDENTIALS + over)]}]}, "options[0]"),
        ]

    @pytest.mark.parametrize("number", range(11))
    def test_p25_every_array_has_a_ceiling(self, number: int) -> None:
        dcql, name = self.ceilings(1)[number]
        with pytest.raises(Malformed) as raised:
            read(dcql)
        problem = raised.value.problem
        assert problem.code == "query.too_many"
        assert problem.where.endswith(name)
        assert problem.facts["count"] == int(problem.facts["limit"]) + 1
        assert read(self.ceilings(0)[number][0]).credentials

    def test_p25_a_thousand_of_each_is_refused_at_once(self) -> None:
        claims = [{"id": f"c{n}", "path": [f"p{n}"]} for n in range(1000)]
        one_of_them = ask(claims=claims, claim_sets=[[f"c{n}"] for n in range(1000)])
        bomb = [one_of_them | {"id": f"q{n}"} for n in range(1000)]
        start = time.process_time()
        assert refusal({"credentials": bomb}) == "query.too_many"
        assert time.process_time() - start < 0.1
        assert refusal({"credentials": bomb[:1]}) == "query.too_many"
        assert refusal(json.dumps({"credentials": bomb[:30]}).encode()) == "json.too_large"

    def test_p25_the_largest_query_takes_no_exponential_search(self) -> None:
        """Fifty ids, of which each set wants one of two: 2^25 combinations, none of which is tried."""
        names = [f"q{n}" for n in range(limits.DCQL_CREDENTIALS)]
        claims = [{"id": f"c{n}", "path": [f"p{n}"]} for n in range(20)]
        claim_sets = [[f"c{m}" for m in range(20) if m != n] for n in range(20)]
        options = [[first, second] for first in names for second in names if first < second][: limits.DCQL_OPTIONS]
        dcql = {
            "credentials": [ask(id=name, claims=claims, claim_sets=claim_sets) for name in names],
            "credential_sets": [{"options": options[n:]} for n in range(50)],
        }
        query = read(dcql)
        card = held({f"p{n}": n for n in range(19)}, hidden=frozenset((f"p{n}",) for n in range(19)))
        start = time.process_time()
        answer = query.options([card])
        assert isinstance(answer, Answerable)
        assert len(answer.best) == len(answer.ids) <= limits.DCQL_CREDENTIALS
        assert isinstance(query.options([held({"p0": 0, "vct": VCT})]), Unanswerable)
        assert query.judge(dict.fromkeys(answer.ids, 1)) == ()
        assert lint(query) == ()
        assert time.process_time() - start < 2

    def test_p25_overlapping_wildcards_open_each_element_once(self) -> None:
        deep: Any = [0] * 500
        for _ in range(6):
            deep = [deep]
        paths: list[list[Any]] = [["l"]]
        for _ in range(6):
            paths = [[*path, part] for path in paths for part in (0, None)]
        card = held({"l": deep}, hidden=frozenset({("l", *[0] * 6, n) for n in range(500)}))
        start = time.process_time()
        match = one(*paths).match(card)
        assert match is not None
        assert match.disclose == card.hidden
        assert time.process_time() - start < 0.25


def test_x11_the_order_of_claim_sets_is_kept_and_a_birth_date_first_is_marked() -> None:
    age, birth = {"id": "a", "path": ["age_over_18"]}, {"id": "b", "path": ["birthdate"]}
    card = held({"age_over_18": True, "birthdate": "2000-02-29"}, hidden=frozenset({("age_over_18",), ("birthdate",)}))
    good = read({"credentials": [ask(age, birth, claim_sets=[["a"], ["b"]])]})
    match = good.credentials[0].match(card)
    assert match is not None
    assert match.claims == {"age_over_18": True}
    assert lint(good) == ()
    greedy = read({"credentials": [ask(age, birth, claim_sets=[["b"], ["a"]])]})
    assert codes(lint(greedy)) == ["query.over_asking_order"]
    assert [found.claims for found in greedy.credentials[0].alternatives(card)] == [
        {"birthdate": "2000-02-29"}, {"age_over_18": True},
    ]  # fmt: skip
