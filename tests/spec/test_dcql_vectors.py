"""The DCQL part of the official OpenID4VP cases; what is not DCQL comes with OpenID4VP and is listed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cityid.errors import Malformed
from cityid.query import Answerable, Query, Unanswerable, read
from tests.spec.test_dcql import codes, held, one
from tests.vectors import vectors

FOLDER = vectors("openid4vp")

QUERIES: dict[str, tuple[str, ...]] = {
    # file: the ids of its credential queries
    "eudi-dcql/00-dcql.json": ("wa_driver_license",),
    "eudi-dcql/02-dcql.json": ("wa_driver_license",),
    "eudi-dcql/04-dcql.json": ("employment_input", "employment_input_2"),
    "eudi-dcql/07-ehicSdJwtVc-dcql.json": ("b7643d4c-3b2d-4072-a851-5e5c17ffd822",),
    "eudi-dcql/basic_example.json": ("my_credential",),
    "eudi-dcql/eudi_msomdoc_pid_dcql_query.json": ("query_0",),
    "eudi-dcql/mDL-example.json": ("query_0",),
    "eudi-example/mso_mdoc-pid-dcql-query.json": ("eu_europa_ec_eudi_pid_1",),
    "examples/query_lang/claims_alternatives.json": ("pid",),
    "examples/query_lang/complex_mdoc.json": ("mdl-id", "mdl-address", "photo_card-id", "photo_card-address"),
    "examples/query_lang/credentials_alternatives.json": (
        "pid", "other_pid", "pid_reduced_cred_1", "pid_reduced_cred_2", "nice_to_have",
    ),
    "examples/query_lang/multi_credentials.json": ("pid", "mdl"),
    "examples/query_lang/simple.json": ("my_credential",),
    "examples/query_lang/simple_mdoc.json": ("my_credential",),
    "examples/query_lang/value_matching_simple.json": ("my_credential",),
    "examples/request/dcql_jwt_vc.json": ("example_jwt_vc",),
    "examples/request/dcql_ldp_vc.json": ("example_ldp_vc",),
}  # fmt: skip
REFUSED = {
    # asks an mdoc by vct_values; doctype_value is REQUIRED (Annex B.2.3)
    "eudi-dcql/complex_example.json": "json.missing",
}
TOKENS = {
    # token: (its query, how many of its entries are presentations as text, is it whole?)
    "eudi-dcql/02-vpToken.json": ("eudi-dcql/02-dcql.json", {"wa_driver_license": 0}, False),
    "eudi-dcql/04-vpToken.json": ("eudi-dcql/04-dcql.json", {"employment_input": 1, "employment_input_2": 0}, False),
    "eudi-dcql/07-ehicSdJwtVc-vpToken.json": (
        "eudi-dcql/07-ehicSdJwtVc-dcql.json", {"b7643d4c-3b2d-4072-a851-5e5c17ffd822": 1}, True,
    ),
}  # fmt: skip
LATER = "comes with OpenID4VP"
LISTED = {
    "README.md": "says what is here",
    "session-transcript-redirect.json": "comes with mdoc",
    "conformance-mdoc/": "comes with mdoc",
    "eudi-example/mso_mdoc_pid-devicekey.json": "comes with mdoc",
    "eudi-example/mso_mdoc_pid-issuersigned.txt": "comes with mdoc",
    "examples/client_metadata/": LATER,
    "examples/credentials/": LATER,
    "examples/digital_credentials_api/": LATER,
    "examples/request/request_": LATER,
    "examples/response/": LATER,
    "examples/sd_jwt_vcld/": LATER,
}
SNIPPETS_RUN = frozenset({2, 9, 10, 11, 12, 14, 21, 25, 35, 36, 37, 38})
"""Snippets with a query, a part of one, or a credential that one matches; all others are messages of OpenID4VP."""


def load(name: str) -> Any:
    value = json.loads((FOLDER / name).read_text("utf-8"))
    return value.get("dcql_query", value) if name.endswith("dcql.json") else value


def snippet(number: int) -> Any:
    return json.loads((FOLDER / "spec-snippets.json").read_text("utf-8"))[number]


def test_run_and_listed_are_all_that_is_present() -> None:
    present = {file.relative_to(FOLDER).as_posix() for file in FOLDER.rglob("*") if file.is_file()}
    listed = {name for name in present if name.startswith(tuple(LISTED))}
    ran = QUERIES.keys() | REFUSED.keys() | TOKENS.keys() | {"spec-snippets.json"}
    assert not ran & listed
    assert len(ran) + len(listed) == len(present)
    assert ran | listed == present
    snippets = json.loads((FOLDER / "spec-snippets.json").read_text("utf-8"))
    assert len(SNIPPETS_RUN) + sum(number not in SNIPPETS_RUN for number in range(len(snippets))) == len(snippets) == 50
    assert not [
        n for n, s in enumerate(snippets) if n not in SNIPPETS_RUN and '"credentials"' in json.dumps(s.get("json"))
    ]


@pytest.mark.parametrize("name", QUERIES)
def test_queries_are_read_and_written_again(name: str) -> None:
    query = read(load(name))
    assert tuple(asked.id for asked in query.credentials) == QUERIES[name]
    assert query.to_json() == _without_defaults(load(name))
    assert read(json.dumps(query.to_json()).encode()) == query


def _without_defaults(dcql: Any) -> Any:
    for asked in dcql["credentials"]:
        for member, default in (("multiple", False), ("require_cryptographic_holder_binding", True)):
            if asked.get(member) is default:
                del asked[member]
    return dcql


@pytest.mark.parametrize("name", REFUSED)
def test_queries_that_break_a_rule(name: str) -> None:
    with pytest.raises(Malformed) as raised:
        read(load(name))
    assert raised.value.code == REFUSED[name]
    query = load(name)
    query["credentials"][1]["meta"] = {"doctype_value": "d"}
    assert len(read(query).credentials) == 2


@pytest.mark.parametrize("name", TOKENS)
def test_tokens_are_judged_as_wholes(name: str) -> None:
    dcql, texts, whole = TOKENS[name]
    token = load(name)
    assert {key: sum(isinstance(item, str) for item in items) for key, items in token.items()} == texts
    problems = read(load(dcql)).judge({key: len(items) for key, items in token.items()}, texts)
    assert (problems == ()) is whole


def _wallet(query: Query, *names: str) -> list[Any]:
    """For each credential query named a credential that just answers it."""
    wallet = []
    for asked in query.credentials:
        if asked.id not in names:
            continue
        claims: dict[str, Any] = {}
        for claim in asked.claims:
            inner = claims
            for part in claim.path[:-1]:
                inner = inner.setdefault(str(part), {})
            inner[str(claim.path[-1])] = claim.values[0] if claim.values else "x"
        assert asked.type_sets is not None
        hidden = frozenset(claim.path for claim in asked.claims)
        wallet.append(held(claims, hidden=hidden, types=tuple(asked.type_sets[0]), format=asked.format))
    return wallet


@pytest.mark.parametrize("name", QUERIES)
def test_queries_are_answered_by_what_they_ask_and_by_nothing_less(name: str) -> None:
    query = read(load(name))
    answer = query.options(_wallet(query, *QUERIES[name]))
    assert isinstance(answer, Answerable)
    for match in answer.best:
        assert (
            match.disclose == {claim.path for claim in match.query.claims if not match.query.claim_sets}
            or match.claim_set == 0
        )
    assert isinstance(query.options([]), Unanswerable)
    assert query.judge(dict.fromkeys(answer.ids, 1)) == ()


@pytest.mark.parametrize(
    ("names", "ids", "optional"),
    [
        (("pid",), ("pid",), False),
        (("other_pid", "nice_to_have"), ("other_pid",), True),
        (("pid_reduced_cred_1", "pid_reduced_cred_2"), ("pid_reduced_cred_1", "pid_reduced_cred_2"), False),
        (("pid_reduced_cred_1", "nice_to_have"), None, False),
    ],
)
def test_credentials_alternatives(names: tuple[str, ...], ids: tuple[str, ...] | None, optional: bool) -> None:
    query = read(load("examples/query_lang/credentials_alternatives.json"))
    answer = query.options(_wallet(query, *names))
    if ids is None:
        assert isinstance(answer, Unanswerable)
        assert set(answer.reasons) == {"pid", "other_pid", "pid_reduced_cred_2"}
    else:
        assert isinstance(answer, Answerable)
        assert (answer.ids, any(not choice.required for choice in answer.choices)) == (ids, optional)


def test_claims_alternatives() -> None:
    asked = read(load("examples/query_lang/claims_alternatives.json")).credentials[0]
    types = ("https://credentials.example.com/identity_credential",)
    claims = {"family_name": "x", "postal_code": "1", "locality": "y", "region": "z", "date_of_birth": "d"}
    for lacking, expected in (("", 0), ("locality", 1), ("postal_code", 0), ("family_name", None)):
        match = asked.match(held({name: v for name, v in claims.items() if name != lacking}, types=types))
        assert (None if match is None else match.claim_set) == expected


def test_value_matching() -> None:
    asked = read(load("examples/query_lang/value_matching_simple.json")).credentials[0]
    claims = {"family_name": "Doe", "given_name": "J", "address": {"street_address": "s"}, "postal_code": "90211"}
    types = ("https://credentials.example.com/identity_credential",)
    assert asked.match(held(claims, types=types)) is not None
    for name, value in (("postal_code", 90211), ("postal_code", "90212"), ("family_name", "doe")):
        assert codes(asked.why_not(held(claims | {name: value}, types=types))) == ["query.value_differs"]


class TestSnippets:
    @pytest.mark.parametrize("number", [2, 21])
    def test_requests(self, number: int) -> None:
        dcql = snippet(number)["json"]["dcql_query"]
        assert read(dcql).to_json() == dcql

    @pytest.mark.parametrize("number", [9, 10, 11])
    def test_trusted_authorities(self, number: int) -> None:
        entry = snippet(number)["json"]
        asked = one(trusted_authorities=[entry])
        assert asked.to_json()["trusted_authorities"] == [entry]
        assert asked.match(held()) is None

    @pytest.mark.parametrize(
        ("path", "kept"),
        [
            (["name"], {"name": "Arthur Dent"}),
            (["address", "street_address"], {"address": {"street_address": "42 Market Street"}}),
            (["degrees", None, "type"], {"degrees": [{"type": "Bachelor of Science"}, {"type": "Master of Science"}]}),
            (["nationalities", 1], {"nationalities": ["Betelgeusian"]}),
            (["address"], None),
        ],
    )
    def test_paths_of_section_7_3(self, path: list[Any], kept: Any) -> None:
        claims = snippet(12)["json"]
        assert one(path).only(claims) == (kept or {"address": claims["address"]})

    @pytest.mark.parametrize("number", [14, 25])
    def test_answers(self, number: int) -> None:
        token = snippet(number)["json"]
        token = token.get("vp_token", token)
        (name,) = token
        query = read({"credentials": [one(id=name).to_json()]})
        assert query.judge({name: len(token[name])}) == ()
        assert codes(query.judge({name: 2})) == ["query.answer_several"]

    @pytest.mark.parametrize(
        ("number", "base"), [(36, "https://example.org/examples#"), (37, "https://example.org/examples#"), (38, "")]
    )
    def test_type_values(self, number: int, base: str) -> None:
        asked = one(format="ldp_vc", meta=json.loads("{" + snippet(35)["text"] + "}"))
        first, *rest = snippet(number)["json"]["type"]
        types = (f"https://www.w3.org/2018/credentials#{first}", *(base + name for name in rest))
        assert asked.admits_type(types)
        assert not asked.admits_type(types[:1])
