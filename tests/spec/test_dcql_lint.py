"""The over-asking linter: each rule with the question that asks just enough beside it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cityid.credential_type import ClaimRule, CredentialType
from cityid.query import lint, read
from tests.spec.test_dcql import ask, codes


def found(*claims: Any, describe: Any = None, **more: Any) -> list[str]:
    return codes(lint(read({"credentials": [ask(*claims, **more)]}), describe))


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ([["birthdate"], ["age_over_18"]], "query.over_asking_birthdate"),
        ([["age_equal_or_over", "18"], ["birth_date"]], "query.over_asking_birthdate"),
        ([["age_over_12"], ["age_over_18"], ["age_over_65"]], "query.over_asking_ages"),
        ([["address", "formatted"], ["address", "locality"]], "query.over_asking_address"),
        ([["address", "street_address"], ["municipality", "code"]], "query.over_asking_address"),
        ([["address"]], "query.over_asking_object"),
        ([["age_equal_or_over"]], "query.over_asking_object"),
        ([{"path": ["family_name"], "intent_to_retain": True}], "query.over_asking_retention"),
    ],
)
def test_over_asking_is_found(claims: list[Any], code: str) -> None:
    assert found(*claims) == [code]


@pytest.mark.parametrize(
    "claims",
    [
        [["birthdate"]],
        [["age_over_18"]],
        [["age_over_18"], ["age_over_65"]],
        [["address", "street_address"], ["address", "locality"], ["address", "postal_code"]],
        [["address", "formatted"]],
        [["municipality"], ["district"]],
        [["age_equal_or_over", "18"]],
        [["nationalities", None]],
        [[0, None]],
        [{"path": ["family_name"], "intent_to_retain": False}],
        [["family_name"], ["age_over_18"]],
    ],
)
def test_asking_just_enough_is_not(claims: list[Any]) -> None:
    assert found(*claims) == []


def test_facts_name_the_claims() -> None:
    (problem,) = lint(read({"credentials": [ask(["birthdate"], ["age_over_18"])]}))
    assert dict(problem.facts) == {"claim": "birthdate", "instead": "age_over_18"}
    (problem,) = lint(read({"credentials": [ask(["age_over_12"], ["age_over_18"], ["age_over_65"])]}))
    assert dict(problem.facts) == {"count": 3, "limit": 2}
    (problem,) = lint(read({"credentials": [ask(["address", "formatted"], ["address", "locality"])]}))
    assert dict(problem.facts) == {"claim": "address.formatted", "instead": "address.locality"}


def test_alternatives_are_not_asked_together() -> None:
    age, birth = {"id": "a", "path": ["age_over_18"]}, {"id": "b", "path": ["birthdate"]}
    assert found(age, birth, claim_sets=[["a"], ["b"]]) == []
    assert found(age, birth, claim_sets=[["b"], ["a"]]) == ["query.over_asking_order"]
    assert found(age, birth, claim_sets=[["a", "b"], ["a"]]) == ["query.over_asking_birthdate"]
    other = {"id": "c", "path": ["birth_date"]}
    assert found(age, birth, other, claim_sets=[["b"], ["c"], ["a"]]) == ["query.over_asking_order"]
    assert found(birth, other, claim_sets=[["b"], ["c"]]) == []
    assert found(birth, {"id": "n", "path": ["family_name"]}, claim_sets=[["b"], ["n"]]) == []
    assert found(age, birth, claim_sets=[["b"], ["a", "b"]]) == ["query.over_asking_birthdate"]


def test_mdoc_elements_cannot_be_divided() -> None:
    assert found(["ns", "address"], format="mso_mdoc", meta={"doctype_value": "d"}) == []


def test_a_whole_credential_that_hides_nothing() -> None:
    meta = {"type_values": [["IDCredential"]]}
    assert found(format="ldp_vc", meta=meta) == ["query.over_asking_everything"]
    assert found(["credentialSubject", "family_name"], format="ldp_vc", meta=meta) == []
    assert found() == []


def rule(*path: str | int | None, hideable: bool = True) -> ClaimRule:
    return ClaimRule(path=path, schema={}, hideable=hideable, required=False, labels={})


def kind(name: str, *rules: ClaimRule) -> CredentialType:
    return CredentialType(
        id=name, title={}, claims={known.path: known for known in rules}, lifetime=timedelta(1), copies=1,
        status="none",
        names={},
    )  # fmt: skip


def test_with_the_type_an_object_is_divisible_where_its_members_can_be_hidden() -> None:
    known = kind(
        "x", rule("plate", "number"), rule("plate", "country", hideable=False), rule("zones", None), rule("fee")
    )
    fixed = kind("x", rule("address", "locality", hideable=False), rule("address"))
    assert found(["plate"], describe=lambda _: known) == ["query.over_asking_object"]
    assert found(["plate", "number"], ["zones"], ["fee"], describe=lambda _: known) == []
    assert found(["address"], describe=lambda _: fixed) == []
    assert found(["address"], describe=lambda _: None) == ["query.over_asking_object"]


def together(sets: list[Any] | None, **credentials: Any) -> list[str]:
    dcql: dict[str, Any] = {"credentials": [ask(*claims, id=name) for name, claims in credentials.items()]}
    return codes(lint(read(dcql | ({} if sets is None else {"credential_sets": sets}))))


def test_credentials_of_one_answer_are_seen_together() -> None:
    asked: dict[str, Any] = {"pid": [["birthdate"]], "age": [["age_over_18"]]}
    assert together(None, **asked) == ["query.over_asking_birthdate"]
    assert together([{"options": [["age"], ["pid"]]}], **asked) == []
    assert together([{"options": [["age", "pid"]]}], **asked) == ["query.over_asking_birthdate"]
    assert together([{"options": [["pid"]]}, {"options": [["age"]], "required": False}], **asked) == [
        "query.over_asking_birthdate"
    ]
    optional = [{"options": [["pid"]], "required": False}, {"options": [["age"]], "required": False}]
    assert together(optional, **asked) == []


def test_a_name_beside_a_proof_of_residence_without_one() -> None:
    anonymous = ask(["municipality", "code"], id="r", meta={"vct_values": ["https://x.example/vct/resident-of/1"]})
    named = ask(["family_name"], id="n")
    assert codes(lint(read({"credentials": [anonymous, named]}))) == ["query.over_asking_name"]
    either = [{"options": [["r"], ["n"]]}]
    assert lint(read({"credentials": [anonymous, named], "credential_sets": either})) == ()
    assert lint(read({"credentials": [ask(["municipality", "code"], id="r"), named]})) == ()
    foreign = ask(id="r", format="x", meta={})
    assert lint(read({"credentials": [foreign, named]})) == ()

    def describe(asked: Any) -> CredentialType:
        return kind("resident-of" if asked.id == "r" else "residency")

    plain = {"credentials": [ask(["municipality", "code"], id="r"), named]}
    assert codes(lint(read(plain), describe)) == ["query.over_asking_name"]


def test_each_finding_is_told_once() -> None:
    claims = [{"id": "a", "path": ["age_over_18"]}, {"id": "b", "path": ["birthdate"]}]
    assert found(*claims, claim_sets=[["a", "b"], ["b", "a"]]) == ["query.over_asking_birthdate"]
