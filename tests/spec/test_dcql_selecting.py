"""OpenID4VP 1.0 §6.4 to §8: which claims and credentials answer a query, and how answers are judged."""

from __future__ import annotations

from typing import Any

import pytest

from cityid import query
from cityid.credential import Path, Window
from cityid.errors import Malformed
from cityid.formats.sd_jwt_vc import SD_JWT_VC
from cityid.query import Answerable, Index, Unanswerable, read
from tests.spec.test_dcql import HIDDEN, NOW, RESIDENCY, VCT, ask, codes, held, one, refused, several


@pytest.mark.spec("OpenID4VP 1.0 §6.4.1")
class TestSelectingClaims:
    @pytest.mark.parametrize(
        ("claims", "disclose"),
        [
            ([], []),
            ([["vct"]], []),
            ([["family_name"]], [("family_name",)]),
            ([["address", "locality"]], [("address",), ("address", "locality")]),
            ([["address"]], [("address",), ("address", "locality"), ("address", "street_address")]),
            ([["nationalities", 1]], [("nationalities", 1)]),
            ([["nationalities", None]], [("nationalities", 0), ("nationalities", 1)]),
            ([["nationalities"]], [("nationalities", 0), ("nationalities", 1)]),
            ([{"path": ["nationalities", None], "values": ["TR"]}], [("nationalities", 1)]),
            ([["degrees", None, "type"]], [("degrees", 0), ("degrees", 0, "type"), ("degrees", 1)]),
            ([["degrees", None, "year"]], [("degrees", 0)]),
            ([["degrees"]], [("degrees", 0), ("degrees", 0, "type"), ("degrees", 1)]),
            ([["degrees", 0], ["degrees", 0, "type"]], [("degrees", 0), ("degrees", 0, "type")]),
        ],
    )
    def test_what_is_opened_is_what_was_asked(self, claims: list[Any], disclose: list[Path]) -> None:
        match = one(*claims).match(held())
        assert match is not None
        assert match.disclose == frozenset(disclose) == match.disclose
        assert match.claim_set is None

    def test_all_claims_or_none(self) -> None:
        asked = one(["family_name"], ["shoe_size"], ["hat_size"])
        assert asked.match(held()) is None
        assert [problem.facts["path"] for problem in asked.why_not(held())] == ["shoe_size", "hat_size"]
        assert codes(asked.why_not(held())) == ["query.claim_missing"] * 2

    def test_the_first_claim_set_that_can_be_satisfied(self) -> None:
        claims = [{"id": name, "path": [name]} for name in ("family_name", "age_over_18", "shoe_size", "hat_size")]
        asked = one(*claims, claim_sets=[["age_over_18", "shoe_size"], ["family_name"], ["age_over_18", "family_name"]])
        match = asked.match(held())
        assert match is not None
        assert match.claim_set == 1
        assert match.disclose == {("family_name",)}
        assert [found.claim_set for found in asked.alternatives(held())] == [1, 2]
        assert asked.alternatives(held())[0].claims == {"family_name": "Öztürk"}
        nobody = held({"vct": VCT})
        assert [match.credential for match in asked.matches([nobody, held()])] == [held()]
        lacking = one(*claims, claim_sets=[["shoe_size", "hat_size"], ["family_name", "hat_size"]])
        assert lacking.match(held()) is None
        assert lacking.matches([held()], at=NOW) == []
        assert [match.claim_set for match in asked.matches([held()], at=NOW)] == [1]
        assert lacking.alternatives(held()) == ()
        assert [problem.facts["path"] for problem in lacking.why_not(held())] == ["hat_size"]

    def test_a_claim_of_every_claim_set_that_is_missing_rules_all_out(self) -> None:
        claims = [{"id": name, "path": [name]} for name in ("shoe_size", "age_over_18", "family_name")]
        asked = one(*claims, claim_sets=[["shoe_size", "age_over_18"], ["shoe_size", "family_name"]])
        assert asked.match(held()) is None
        assert asked.alternatives(held()) == ()

    def test_a_match_tells_what_will_be_seen(self) -> None:
        claims = {"vct": VCT, "a": 1, "o": {"x": 1, "y": 2}, "l": [1, 2]}
        hidden: frozenset[Path] = frozenset({("a",), ("o",), ("o", "y"), ("l", 1)})
        match = one(["o", "x"]).match(held(claims, hidden=hidden))
        assert match is not None
        assert match.id == "c"
        assert match.claims == {"o": {"x": 1}}
        assert match.shown == 3 == match.shown  # vct, o.x and l[0]
        assert repr(match) == "Match('c', disclose=1, claim_set=None)"


@pytest.mark.spec("OpenID4VP 1.0 §6.4.2")
class TestSelectingCredentials:
    def test_without_sets_all_are_needed(self) -> None:
        asked = several(a="family_name", b="age_over_18")
        answer = asked.options([held()])
        assert isinstance(answer, Answerable)
        assert answer
        assert answer.ids == ("a", "b")
        assert [match.id for match in answer.best] == ["a", "b"]
        assert answer.choices == ()
        assert repr(answer) == "Answerable(a: 1, b: 1)"
        lacking = several(a="family_name", b="shoe_size").options([held()])
        assert isinstance(lacking, Unanswerable)
        assert not lacking
        assert codes(lacking.reasons["b"]) == ["query.claim_missing"]
        assert (list(lacking.reasons), lacking.sets) == (["b"], ())

    def test_each_required_set_needs_one_option_and_optional_sets_none(self) -> None:
        sets: list[Any] = [{"options": [["x"], ["a", "b"]]}, {"options": [["x"], ["c"]], "required": False}]
        answer = several(sets, x="shoe_size", a="family_name", b="age_over_18", c="half").options([held()])
        assert isinstance(answer, Answerable)
        assert answer.ids == ("a", "b")
        assert answer.choices == (query.Choice(0, True, (("a", "b"),)), query.Choice(1, False, (("c",),)))
        answer = several([sets[1], {"options": [["a"]]}], x="shoe_size", a="family_name", c="hat_size").options(
            [held()]
        )
        assert isinstance(answer, Answerable)
        assert answer.choices == (query.Choice(1, True, (("a",),)),)

    def test_a_required_set_that_cannot_be_met_means_nothing_is_shown(self) -> None:
        sets = [{"options": [["a", "x"], ["y"]]}, {"options": [["a"]]}, {"options": [["z"]], "required": False}]
        answer = several(sets, a="family_name", x="shoe_size", y="hat_size", z="glove_size").options([held()])
        assert isinstance(answer, Unanswerable)
        assert (list(answer.reasons), answer.sets) == (["x", "y"], (0,))

    def test_the_least_disclosing_option_comes_first_and_no_id_is_needless(self) -> None:
        asked = read(
            {
                "credentials": [ask(["address"], id="whole"), ask(["address", "locality"], id="town"), ask(id="bare")],
                "credential_sets": [{"options": [["whole"], ["town"]]}, {"options": [["whole"]]}],
            }
        )
        answer = asked.options([held()])
        assert isinstance(answer, Answerable)
        assert answer.choices[0].options == (("town",), ("whole",))
        assert answer.ids == ("whole",)
        free = read(asked.to_json() | {"credential_sets": [{"options": [["whole"], ["town"]]}]}).options([held()])
        assert isinstance(free, Answerable)
        assert free.ids == ("town",)

    def test_equal_options_keep_the_order_of_the_verifier(self) -> None:
        answer = several([{"options": [["b"], ["a"]]}], a="family_name", b="age_over_18").options([held()])
        assert isinstance(answer, Answerable)
        assert answer.choices[0].options == (("b",), ("a",))
        assert answer.ids == ("b",)

    def test_candidates_come_least_disclosing_first(self) -> None:
        asked = several(a="family_name")
        open_ = held(hidden=frozenset())
        lean = held({"family_name": "Öztürk", "pin": 4711}, hidden=frozenset({("family_name",), ("pin",)}))
        answer = asked.options(card for card in (open_, held(), lean))
        assert isinstance(answer, Answerable)
        assert [match.credential for match in answer.candidates["a"]] == [lean, held(), open_]
        assert answer.candidates is answer.candidates
        assert answer.choices is answer.choices

    def test_equal_candidates_prefer_the_earlier_claim_set_then_the_wallet(self) -> None:
        both = held({"a": 1, "b": 2}, hidden=frozenset({("a",), ("b",)}))
        later = held({"b": 2}, hidden=frozenset({("b",)}))
        asked = ask({"id": "a", "path": ["a"]}, {"id": "b", "path": ["b"]}, claim_sets=[["a"], ["b"]])
        answer = read({"credentials": [asked]}).options([later, both, both])
        assert isinstance(answer, Answerable)
        assert [match.claim_set for match in answer.candidates["c"]] == [0, 0, 1]

    def test_the_closest_credential_tells_why(self) -> None:
        far = held({"vct": VCT})
        asked = read({"credentials": [ask(["family_name"], ["shoe_size"])]})
        for wallet in ([far, held()], [held(), far], [held(types=("other",)), *[far] * 5, held()]):
            answer = asked.options(wallet)
            assert isinstance(answer, Unanswerable)
            assert [problem.facts["path"] for problem in answer.reasons["c"]] == ["shoe_size"]
        for wallet in ([], [held(types=("other",)), held(format="mso_mdoc")]):
            answer = asked.options(wallet)
            assert isinstance(answer, Unanswerable)
            assert codes(answer.reasons["c"]) == ["query.nothing_held"]
        late = asked.options([*[far] * 20, held()])
        assert isinstance(late, Unanswerable)
        assert len(late.reasons["c"]) == 2

    def test_time_is_heeded(self) -> None:
        old = held(window=Window(None, NOW))
        assert isinstance(several(a="family_name").options([old]), Answerable)
        answer = several(a="family_name").options([old], at=NOW)
        assert isinstance(answer, Unanswerable)
        assert codes(answer.reasons["a"]) == ["query.out_of_window"]


class TestIndex:
    def test_an_index_answers_as_its_wallet_does(self) -> None:
        wallet = [held(), held(types=("other",)), held(types=(VCT, "other")), held(format="mso_mdoc")]
        index = Index(wallet)
        assert (list(index), len(index)) == (wallet, 4)
        for types in ([VCT], ["other"], [VCT, "other"], ["none"]):
            asked = read({"credentials": [ask(["family_name"], meta={"vct_values": types})]})
            plain, indexed = asked.options(wallet), asked.options(index)
            assert type(plain) is type(indexed)
            if isinstance(plain, Answerable) and isinstance(indexed, Answerable):
                assert len(indexed.candidates["c"]) == len(plain.candidates["c"])
        assert isinstance(several(a="family_name").options(index, answers=lambda *_: True), Answerable)


@pytest.mark.spec("OpenID4VP 1.0 §7.1")
class TestClaimsPathPointer:
    @pytest.mark.parametrize(
        ("path", "kept"),
        [
            (["address", "locality"], {"address": {"locality": "Lindau"}}),
            (["nationalities", 0], {"nationalities": ["DE"]}),
            (["nationalities", None], {"nationalities": ["DE", "TR"]}),
            (["degrees", None, "year"], {"degrees": [{"year": 2001}]}),
            (["degrees", 1], {"degrees": [{"type": "MSc"}]}),
            (["degrees", None, "type"], {"degrees": [{"type": "BSc"}, {"type": "MSc"}]}),
            (["nothing"], {"nothing": None}),
            (["address", "nowhere"], {}), (["nationalities", 2], {}), (["nationalities", 10**9], {}),
            (["family_name", "x"], {}), (["family_name", None], {}), (["family_name", 0], {}), (["address", 0], {}),
            (["address", None], {}), (["nationalities", "0"], {}), (["degrees", 0, "type", "x"], {}), ([0], {}),
            ([None], {}),
            (["address", "locality", "x"], {}), (["nowhere", "x"], {}), (["degrees", None, None], {}),
            (["nowhere", "x", "y"], {}), (["vct", "x", "y"], {}), (["vct", "x"], {}), (["nowhere", None], {}),
        ],
    )  # fmt: skip
    def test_processing(self, path: list[Any], kept: dict[str, Any]) -> None:
        asked = one(path)
        assert asked.only(RESIDENCY) == kept
        assert (asked.match(held()) is not None) is bool(kept)
        assert codes(asked.why_not(held())) == ([] if kept else ["query.claim_missing"])

    def test_an_empty_array_selects_nothing(self) -> None:
        assert one(["l", None]).match(held({"l": []})) is None
        assert one(["l", None]).match(held({"l": [0]})) is not None
        assert one(["l", None, 0]).match(held({"l": [[]]})) is None

    def test_a_wrong_container_anywhere_aborts(self) -> None:
        assert one(["l", None, "a"]).match(held({"l": [{"a": 1}, 2]})) is None
        assert one(["l", None, "a"]).match(held({"l": [{"a": 1}, {"b": 2}]})) is not None

    def test_an_index_is_the_issued_one_on_both_sides(self) -> None:
        shown = held(
            {"nationalities": ["TR"]}, positions={("nationalities",): (1,)}, hidden=frozenset({("nationalities", 1)})
        )
        assert one(["nationalities", 1]).satisfied(shown) == ()
        assert one(["nationalities", 1]).only(shown.claims, shown.positions) == {"nationalities": ["TR"]}
        assert codes(one(["nationalities", 0]).satisfied(shown)) == ["query.claim_missing"]
        match = one(["nationalities", None]).match(shown)
        assert match is not None
        assert match.disclose == {("nationalities", 1)}

    def test_positions_hold_at_every_depth(self) -> None:
        claims = {"l": [{"m": ["a", "b"], "n": 1}]}
        positions: dict[Path, tuple[int, ...]] = {("l",): (3,), ("l", 3, "m"): (1, 4)}
        shown = held(claims, positions=positions, hidden=frozenset({("l", 3), ("l", 3, "m", 4)}))
        asked = one(["l", 3, "m", 4])
        assert asked.only(claims, positions) == {"l": [{"m": ["b"]}]}
        match = asked.match(shown)
        assert match is not None
        assert match.disclose == {("l", 3), ("l", 3, "m", 4)}
        assert match.shown == 3
        whole = one(["l"]).match(shown)
        assert whole is not None
        assert whole.disclose == shown.hidden


@pytest.mark.spec("OpenID4VP 1.0 §7.2")
class TestMdocPaths:
    @pytest.mark.parametrize("path", [["ns"], ["ns", "e", "x"], ["ns", None], ["ns", 0], [0, "e"]])
    def test_exactly_two_strings(self, path: list[Any]) -> None:
        meta = {"doctype_value": "d"}
        assert refused({"credentials": [ask(path, format="mso_mdoc", meta=meta)]}).code == "query.path_not_mdoc"
        asked = one(["ns", "e"], format="mso_mdoc", meta=meta)
        card = held(
            {"ns": {"e": 1, "f": 2}}, hidden=frozenset({("ns", "e"), ("ns", "f")}), types=("d",), format="mso_mdoc"
        )
        match = asked.match(card)
        assert match is not None
        assert match.disclose == {("ns", "e")}
        assert match.claims == {"ns": {"e": 1}}


@pytest.mark.spec("OpenID4VP 1.0 Annex B")
class TestMeta:
    @pytest.mark.parametrize(
        ("format", "meta", "code"),
        [
            ("dc+sd-jwt", {}, "json.missing"), ("dc+sd-jwt", {"vct_values": []}, "query.empty"),
            ("dc+sd-jwt", {"vct_values": "x"}, "json.wrong_type"),
            ("dc+sd-jwt", {"vct_values": [1]}, "json.wrong_type"),
            ("mso_mdoc", {}, "json.missing"), ("mso_mdoc", {"doctype_value": ["d"]}, "json.wrong_type"),
            ("ldp_vc", {}, "json.missing"), ("ldp_vc", {"type_values": []}, "query.empty"),
            ("ldp_vc", {"type_values": ["x"]}, "json.wrong_type"),
            ("jwt_vc_json", {"type_values": [[]]}, "query.empty"),
            ("jwt_vc_json", {"type_values": [[1]]}, "json.wrong_type"),
        ],
    )  # fmt: skip
    def test_each_format_requires_its_member(self, format: str, meta: Any, code: str) -> None:
        assert refused({"credentials": [ask(format=format, meta=meta)]}).code == code

    @pytest.mark.parametrize("format", ["dc+sd-jwt", "mso_mdoc", "ldp_vc", "jwt_vc_json"])
    def test_a_wallet_takes_an_empty_meta_for_any_type(self, format: str) -> None:
        """§6.1: "If empty, no specific constraints are placed"."""
        query = read({"credentials": [ask(format=format, meta={})]}, answering=True)
        (asked,) = query.credentials
        assert query.to_json()["credentials"][0]["meta"] == {}
        other = "ldp_vc" if format != "ldp_vc" else "dc+sd-jwt"
        for types in (("a",), ("b", "c"), ()):
            card, foreign = held(types=types, format=format), held(types=types, format=other)
            assert asked.match(card) is not None
            assert codes(asked.why_not(foreign)) == ["query.wrong_format"]
            for wallet in ([foreign, card], Index([foreign, card])):
                answer = query.options(wallet)
                assert isinstance(answer, Answerable)
                assert [match.credential for match in answer.best] == [card]
        with pytest.raises(Malformed, match=r"json\.missing"):
            read({"credentials": [ask(format=format, meta={"other": 1})]}, answering=True)
        assert SD_JWT_VC.answers(held(types=("b",)), {})

    def test_an_empty_meta_beside_another(self) -> None:
        asked = [ask(id="any", meta={}), ask(id="a", meta={"vct_values": ["a"]})]
        query = read({"credentials": asked}, answering=True)
        for wallet in ([held(types=("b",))], Index([held(types=("b",))])):
            answer = query.options(wallet)
            assert isinstance(answer, Unanswerable)
            assert set(answer.reasons) == {"a"}
        both = query.options([held(types=("b",)), held(types=("a",))])
        assert isinstance(both, Answerable)
        assert [len(both.candidates[name]) for name in ("any", "a")] == [2, 1]

    def test_formats_that_are_not_known_are_kept_and_match_nothing(self) -> None:
        assert one(format="x", meta={}).match(held(format="x")) is None

    @pytest.mark.parametrize(
        ("types", "fits"),
        [(("A",), False), (("A", "B"), True), (("C",), True), (("B", "D", "A"), True), (("D",), False), ((), False)],
    )
    def test_w3c_types_must_all_be_there_for_one_alternative(self, types: tuple[str, ...], fits: bool) -> None:
        asked = one(format="ldp_vc", meta={"type_values": [["A", "B"], ["C"]]})
        assert asked.admits_type(types) is fits
        assert (asked.match(held(types=types, format="ldp_vc")) is not None) is fits
        both = read({"credentials": [asked.to_json()]})
        for wallet in ([held(types=types, format="ldp_vc")], Index([held(types=types, format="ldp_vc")])):
            assert bool(both.options(wallet)) is fits

    def test_any_vct_will_do(self) -> None:
        asked = one(meta={"vct_values": ["a", "b"]})
        assert [asked.match(held(types=types)) is not None for types in (("b",), ("c", "a"), ("c",))] == [
            True,
            True,
            False,
        ]


@pytest.mark.spec("OpenID4VP 1.0 §8.1, §8.6")
class TestVerifying:
    def test_unasked_claims_are_dropped_and_counted(self) -> None:
        asked = one(["address", "locality"], ["degrees", 0], ["degrees", None, "type"])
        assert asked.only(RESIDENCY) == {
            "address": {"locality": "Lindau"},
            "degrees": [{"type": "BSc", "year": 2001}, {"type": "MSc"}],
        }
        assert asked.extra(held()) == len(HIDDEN) - 5
        exact = held(
            hidden=frozenset(
                {("address",), ("address", "locality"), ("degrees", 0), ("degrees", 0, "type"), ("degrees", 1)}
            )
        )
        assert asked.extra(exact) == 0
        assert asked.extra(held({})) == 0
        assert one().only(RESIDENCY) == {}

    def test_whole_objects_win_over_their_parts_in_either_order(self) -> None:
        for paths in ((["address"], ["address", "locality"]), (["address", "locality"], ["address"])):
            assert one(*paths).only(RESIDENCY) == {"address": RESIDENCY["address"]}

    def test_elements_that_were_not_asked_for_by_value_are_dropped(self) -> None:
        asked = one({"path": ["nationalities", None], "values": ["TR", "NL"]})
        assert asked.only(RESIDENCY) == {"nationalities": ["TR"]}

    def test_only_one_claim_set_is_kept(self) -> None:
        claims = [{"id": name, "path": [name]} for name in ("shoe_size", "age_over_18", "family_name")]
        asked = one(*claims, claim_sets=[["shoe_size"], ["age_over_18"], ["family_name"]])
        assert asked.satisfied(held()) == ()
        assert asked.only(RESIDENCY) == {"age_over_18": True}
        assert asked.only({}) == {}

    @pytest.mark.parametrize(
        ("presented", "found"),
        [
            ({"a": 1, "b": 1}, []),
            ({"a": 1, "b": 2}, []),
            ({"a": 2, "b": 1}, ["query.answer_several"]),
            ({"a": 0, "b": 1}, ["query.answer_empty", "query.answer_missing"]),
            ({"b": 1}, ["query.answer_missing"]),
            ({"a": 1, "b": 1, "z": 1}, ["query.answer_unknown_id"]),
            ({}, ["query.answer_missing", "query.answer_missing"]),
        ],
    )
    def test_without_sets(self, presented: dict[str, int], found: list[str]) -> None:
        asked = read({"credentials": [ask(id="a"), ask(id="b", multiple=True)]})
        assert codes(asked.judge(presented)) == found

    @pytest.mark.parametrize(
        ("presented", "accepted", "found"),
        [
            ({"a": 1}, None, []),
            ({"b": 1, "c": 1}, None, []),
            ({"a": 1, "d": 1}, None, []),
            ({"b": 1}, None, ["query.answer_set_unmet", "query.answer_unasked"]),
            ({"a": 1, "b": 1}, None, ["query.answer_unasked"]),
            ({"a": 1, "e": 1}, None, ["query.answer_unasked"]),
            ({"d": 1}, None, ["query.answer_set_unmet"]),
            ({"a": 1, "d": 1}, {"a": 1}, []),
            ({"a": 1, "d": 1}, {"d": 1, "a": 0}, ["query.answer_set_unmet"]),
            ({"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 1}, []),
            ({"a": 1, "z": 1}, None, ["query.answer_unknown_id"]),
        ],
    )
    def test_with_sets(self, presented: dict[str, int], accepted: dict[str, int] | None, found: list[str]) -> None:
        sets: list[Any] = [{"options": [["a"], ["b", "c"]]}, {"options": [["d"]], "required": False}]
        asked = several(sets, a="x", b="x", c="x", d="x", e="x")
        problems = asked.judge(presented, accepted)
        assert codes(problems) == found
        if "query.answer_set_unmet" in found:
            assert problems[0].facts["set"] == 0
