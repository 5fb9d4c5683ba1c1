"""OpenID4VP 1.0 §6 and §7 (DCQL), the parts of §8.1 and §8.6 that judge answers, and Annex B as far as `meta` goes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest

from cityid import query
from cityid.credential import CertificateChain, Credential, DidUrl, KeyRef, Path, Window
from cityid.errors import Malformed, Problem
from cityid.keys import Algorithm, PublicKey
from cityid.query import Answerable, CredentialQuery, Query, Unanswerable, read

HOLDER = PublicKey(Algorithm.EDDSA, bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"))
ALWAYS = Window()
NOW = datetime(2026, 11, 22, tzinfo=UTC)
VCT = "https://id.lindau.example/vct/residency/1"
RESIDENCY: dict[str, Any] = {
    "vct": VCT,
    "family_name": "Öztürk",
    "age_over_18": True,
    "resident_since_year": 2011,
    "address": {"locality": "Lindau", "street_address": "Hafenweg 3"},
    "nationalities": ["DE", "TR"],
    "degrees": [{"type": "BSc", "year": 2001}, {"type": "MSc"}],
    "nothing": None,
    "half": 0.5,
}
HIDDEN: frozenset[Path] = frozenset(
    {
        ("family_name",), ("age_over_18",), ("resident_since_year",), ("address",), ("address", "locality"),
        ("address", "street_address"), ("nationalities", 0), ("nationalities", 1), ("degrees", 0),
        ("degrees", 0, "type"),
        ("degrees", 1), ("nothing",), ("half",),
    }
)  # fmt: skip


def held(
    claims: Mapping[str, Any] = RESIDENCY,
    *,
    hidden: frozenset[Path] = HIDDEN,
    types: tuple[str, ...] = (VCT,),
    format: str = "dc+sd-jwt",
    holder: PublicKey | None = HOLDER,
    window: Window = ALWAYS,
    signed_by: tuple[KeyRef, ...] = (),
    positions: Mapping[Path, tuple[int, ...]] = MappingProxyType({}),
) -> Credential:
    return Credential(format, "did:web:x", types, claims, hidden, holder, window, (), signed_by, b"", positions)


def ask(*claims: Any, **more: Any) -> dict[str, Any]:
    """A credential query; a claim is its path (a list), or the whole claim (a dict)."""
    asked: dict[str, Any] = {"id": "c", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}} | more
    if claims:
        asked["claims"] = [claim if isinstance(claim, dict) else {"path": claim} for claim in claims]
    return asked


def one(*claims: Any, **more: Any) -> CredentialQuery:
    return read({"credentials": [ask(*claims, **more)]}).credentials[0]


def several(sets: list[Any] | None = None, **claims: Any) -> Query:
    """One credential query for each name, asking one claim; `sets` are credential sets."""
    dcql: dict[str, Any] = {"credentials": [ask([claim], id=name) for name, claim in claims.items()]}
    return read(dcql | ({} if sets is None else {"credential_sets": sets}))


def codes(problems: tuple[Problem, ...]) -> list[str]:
    return [problem.code for problem in problems]


def refused(dcql: Any) -> Problem:
    with pytest.raises(Malformed) as raised:
        read(dcql)
    return raised.value.problem


def without(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key != name}


@pytest.mark.spec("OpenID4VP 1.0 §6")
class TestQuery:
    def test_text_and_object_are_read_alike_and_unknown_members_are_ignored(self) -> None:
        dcql = {"credentials": [ask(["a"], new=1)], "newer": {}}
        assert read(json.dumps(dcql).encode()) == read(dcql) == read({"credentials": [ask(["a"])]})
        assert read(dcql).raw == dcql

    def test_what_is_read_is_written(self) -> None:
        dcql = {
            "credentials": [
                ask(
                    {"id": "a", "path": ["x", None, 0], "values": ["s", 1, True]},
                    {"id": "b", "path": ["y"], "intent_to_retain": False},
                    claim_sets=[["a", "b"], ["b"]],
                    multiple=True,
                    require_cryptographic_holder_binding=False,
                    trusted_authorities=[{"type": "aki", "values": ["s9tIpPmhxdiuNkHMEWNpYim8S8Y"]}],
                ),
                ask(id="d"),
            ],
            "credential_sets": [{"options": [["c"], ["c", "d"]]}, {"options": [["d"]], "required": False}],
        }
        assert read(dcql).to_json() == dcql

    def test_a_credential_query_is_found_by_id(self) -> None:
        asked = several(a="x", b="y")
        assert asked.credential("b") is asked.credentials[1]
        assert asked.credential("c") is None

    @pytest.mark.parametrize(
        ("dcql", "code", "where"),
        [
            ({}, "json.missing", "$.credentials"),
            ({"credentials": []}, "query.empty", "$.credentials"),
            ({"credentials": {}}, "json.wrong_type", "$.credentials"),
            ({"credentials": ["c"]}, "json.not_an_object", "$.credentials[0]"),
            ({"credentials": [ask()], "credential_sets": []}, "query.empty", "$.credential_sets"),
            ({"credentials": [ask()] * 2}, "query.id_twice", "$.credentials[1].id"),
            (b"[]", "json.not_an_object", "$"),
            ([], "json.not_an_object", "$"),
            (b"{", "json.syntax", "$"),
        ],
    )
    def test_the_top_level_is_exact(self, dcql: Any, code: str, where: str) -> None:
        problem = refused(dcql)
        assert (problem.code, problem.where) == (code, where)

    def test_a_place_may_be_given(self) -> None:
        with pytest.raises(Malformed) as raised:
            read({}, "$.dcql_query")
        assert raised.value.problem.where == "$.dcql_query.credentials"


@pytest.mark.spec("OpenID4VP 1.0 §6.1")
class TestCredentialQuery:
    @pytest.mark.parametrize("name", ["id", "format", "meta"])
    def test_required_members(self, name: str) -> None:
        assert refused({"credentials": [without(ask(), name)]}).code == "json.missing"

    @pytest.mark.parametrize("name", ["", "a b", "a.b", "ä", "a\n"])
    def test_an_id_has_its_own_characters(self, name: str) -> None:
        assert refused({"credentials": [ask(id=name)]}).code == "query.id"
        assert one(id="aZ_9-").id == "aZ_9-"

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("multiple", "true"), ("multiple", None), ("require_cryptographic_holder_binding", 1), ("format", 1),
            ("meta", []), ("claims", {}), ("trusted_authorities", {}), ("id", 7),
        ],
    )  # fmt: skip
    def test_types_are_exact(self, member: str, value: Any) -> None:
        assert refused({"credentials": [ask(**{member: value})]}).code == "json.wrong_type"

    def test_defaults(self) -> None:
        asked = one()
        assert (asked.multiple, asked.holder_binding, asked.claims, asked.claim_sets) == (False, True, (), ())
        assert one(multiple=True).multiple
        assert not one(require_cryptographic_holder_binding=False).holder_binding
        assert one(require_cryptographic_holder_binding=True).holder_binding

    @pytest.mark.parametrize("member", ["claims", "trusted_authorities"])
    def test_arrays_are_not_empty(self, member: str) -> None:
        assert refused({"credentials": [ask(**{member: []})]}).code == "query.empty"

    def test_claim_sets_need_claims_with_ids(self) -> None:
        a = {"id": "a", "path": ["a"]}
        assert refused({"credentials": [ask(claim_sets=[["a"]])]}).code == "query.claim_sets_alone"
        problem = refused({"credentials": [ask(a, ["b"], claim_sets=[["a"]])]})
        assert (problem.code, problem.where) == ("query.claim_without_id", "$.credentials[0].claims[1]")
        assert one(a, claim_sets=[["a"]]).claim_sets == (("a",),)
        assert one(a, claim_sets=[["a", "a"]]).claim_sets == (("a",),)

    @pytest.mark.parametrize(
        ("claim_sets", "code", "where"),
        [
            ([], "query.empty", ""), ([[]], "query.empty", "[0]"), ([["a"], ["b"]], "query.unknown_claim", "[1][0]"),
            ([[1]], "json.wrong_type", "[0][0]"), (["a"], "json.wrong_type", "[0]"),
        ],
    )  # fmt: skip
    def test_claim_sets_are_exact(self, claim_sets: Any, code: str, where: str) -> None:
        problem = refused({"credentials": [ask({"id": "a", "path": ["a"]}, claim_sets=claim_sets)]})
        assert (problem.code, problem.where.rstrip(".")) == (code, f"$.credentials[0].claim_sets{where}")

    def test_format_type_key_and_window_must_fit(self) -> None:
        asked = one()
        assert asked.match(held()) is not None
        assert asked.why_not(held()) == asked.satisfied(held()) == ()
        for credential, code in (
            (held(format="mso_mdoc"), "query.wrong_format"),
            (held(types=(VCT + "0",)), "query.wrong_type"),
            (held(types=()), "query.wrong_type"),
            (held(holder=None), "query.no_holder_key"),
        ):
            assert asked.match(credential) is None
            assert asked.alternatives(credential) == ()
            assert codes(asked.why_not(credential)) == codes(asked.satisfied(credential)) == [code]
        assert one(require_cryptographic_holder_binding=False).match(held(holder=None)) is not None
        unbound = one(["shoe_size"], require_cryptographic_holder_binding=False)
        assert codes(unbound.why_not(held(holder=None))) == ["query.claim_missing"]
        assert codes(one(["shoe_size"]).why_not(held(holder=None))) == ["query.no_holder_key", "query.claim_missing"]

    def test_a_format_may_decide_meta_itself(self) -> None:
        foreign = one(format="vc+other", meta={"any": 1})
        credential = held(format="vc+other")
        assert foreign.match(credential) is None
        assert codes(foreign.why_not(credential)) == ["query.wrong_type"]
        assert foreign.match(credential, answers=lambda found, meta: meta["any"] == 1) is not None
        assert codes(one().why_not(held(), answers=lambda *_: False)) == ["query.wrong_type"]
        assert foreign.match(held(), answers=lambda *_: True) is None
        whole = read({"credentials": [foreign.to_json()]})
        assert isinstance(whole.options([credential], answers=lambda *_: True), Answerable)
        assert isinstance(whole.options([credential]), Unanswerable)

    def test_a_credential_outside_its_window_is_not_offered(self) -> None:
        second = timedelta(seconds=1)
        for window, fits in (
            (Window(NOW, NOW + second), True),
            (Window(NOW + second, None), False),
            (Window(None, NOW), False),
            (Window(None, NOW + second), True),
        ):
            match = one().match(held(window=window), at=NOW)
            assert (match is not None) is fits
            assert codes(one().why_not(held(window=window), at=NOW)) == ([] if fits else ["query.out_of_window"])
        assert one().match(held(window=Window(None, NOW))) is not None


@pytest.mark.spec("OpenID4VP 1.0 §6.1.1")
class TestTrustedAuthorities:
    @pytest.mark.parametrize(
        ("entry", "code"),
        [
            ("aki", "json.not_an_object"), ({"values": ["x"]}, "json.missing"), ({"type": "aki"}, "json.missing"),
            ({"type": "aki", "values": []}, "query.empty"), ({"type": "aki", "values": [1]}, "json.wrong_type"),
            ({"type": 1, "values": ["x"]}, "json.wrong_type"),
            ({"type": "aki", "values": ["a+b="]}, "base64url.alphabet"),
        ],
    )  # fmt: skip
    def test_entries_are_exact(self, entry: Any, code: str) -> None:
        assert refused({"credentials": [ask(trusted_authorities=[entry])]}).code == code

    def test_other_types_are_kept(self) -> None:
        asked = one(trusted_authorities=[{"type": "other", "values": ["a+b="]}])
        assert asked.trusted_authorities == (query.TrustedAuthority("other", ("a+b=",)),)

    def test_aki_compares_with_any_certificate_of_the_chain(self, chain: tuple[CertificateChain, str, str]) -> None:
        certificates, issuer, other = chain
        mine = held(signed_by=(KeyRef(certificates),))
        fits = one(trusted_authorities=[{"type": "aki", "values": [other, issuer]}])
        assert fits.match(mine) is not None
        for values, credential in (
            ([other], mine),
            ([issuer], held(signed_by=(KeyRef(DidUrl("did:web:x", "1")),))),
            ([issuer], held(signed_by=(KeyRef(CertificateChain((b"no certificate",))),))),
            ([issuer], held()),
        ):
            asked = one(trusted_authorities=[{"type": "aki", "values": values}])
            assert asked.match(credential) is None
            assert codes(asked.why_not(credential)) == ["query.authority_differs"]
        either = [{"type": "etsi_tl", "values": ["https://x.example"]}, {"type": "aki", "values": [issuer]}]
        assert one(trusted_authorities=either).match(mine) is not None

    @pytest.mark.parametrize("kind", ["etsi_tl", "openid_federation", "something_else"])
    def test_what_cannot_be_decided_here_does_not_match(self, kind: str) -> None:
        asked = one(trusted_authorities=[{"type": kind, "values": ["https://lotl.example.com"]}])
        (problem,) = asked.why_not(held())
        assert (problem.code, problem.facts["type"]) == ("query.authority_undecidable", kind)


@pytest.fixture(scope="module")
def chain() -> tuple[CertificateChain, str, str]:
    """A chain, the key identifier of its authority as base64url, and another."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from cityid.encoding import base64url

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Lindau")])
    found: list[bytes] = []
    for identifier in (None, b"authority"):
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        made = made.serial_number(7).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
        if identifier is not None:
            made = made.add_extension(x509.AuthorityKeyIdentifier(identifier, None, None), critical=False)
        found.append(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))
    return CertificateChain(tuple(found)), base64url.encode(b"authority"), base64url.encode(b"authoritz")


@pytest.mark.spec("OpenID4VP 1.0 §6.2")
class TestCredentialSets:
    @pytest.mark.parametrize(
        ("entry", "code"),
        [
            ([], "json.not_an_object"), ({}, "json.missing"), ({"options": []}, "query.empty"),
            ({"options": [[]]}, "query.empty"), ({"options": ["a"]}, "json.wrong_type"),
            ({"options": [["z"]]}, "query.unknown_credential"), ({"options": [[1]]}, "json.wrong_type"),
            ({"options": [["a"]], "required": "yes"}, "json.wrong_type"),
        ],
    )  # fmt: skip
    def test_entries_are_exact(self, entry: Any, code: str) -> None:
        assert refused({"credentials": [ask(id="a")], "credential_sets": [entry]}).code == code
        fine = {"options": [["a", "a"]], "required": False}
        assert read({"credentials": [ask(id="a")], "credential_sets": [fine]}).sets == (
            query.CredentialSet((("a",),), required=False),
        )


@pytest.mark.spec("OpenID4VP 1.0 §6.3")
class TestClaimsQuery:
    @pytest.mark.parametrize(
        ("claim", "code"),
        [
            ("a", "json.not_an_object"), ({}, "json.missing"), ({"path": []}, "query.empty"),
            ({"path": "a"}, "json.wrong_type"), ({"path": [-1]}, "query.path_part"),
            ({"path": [1.0]}, "query.path_part"),
            ({"path": [True]}, "query.path_part"), ({"path": [[]]}, "query.path_part"),
            ({"path": [{}]}, "query.path_part"),
            ({"path": ["a"], "values": []}, "query.empty"), ({"path": ["a"], "values": "x"}, "json.wrong_type"),
            ({"path": ["a"], "values": [None]}, "query.value_type"),
            ({"path": ["a"], "values": [1.5]}, "query.value_type"),
            ({"path": ["a"], "values": [{}]}, "query.value_type"), ({"path": ["a"], "id": "ö"}, "query.id"),
            ({"path": ["a"], "id": ""}, "query.id"), ({"path": ["a"], "intent_to_retain": 1}, "json.wrong_type"),
        ],
    )  # fmt: skip
    def test_entries_are_exact(self, claim: Any, code: str) -> None:
        assert refused({"credentials": [ask(claims=[claim])]}).code == code
        assert one({"path": ["a", 0, None], "values": ["", 0, False]}).claims[0].values == ("", 0, False)

    def test_ids_and_paths_are_unique(self) -> None:
        twice = [{"id": "a", "path": ["x"]}, {"id": "a", "path": ["y"]}]
        problem = refused({"credentials": [ask(*twice)]})
        assert (problem.code, problem.where) == ("query.id_twice", "$.credentials[0].claims[1].id")
        problem = refused({"credentials": [ask(["x", None], ["x", 0], ["x", None])]})
        assert (problem.code, problem.facts["path"]) == ("query.claim_twice", "x[]")
        assert refused({"credentials": [ask(["x"], {"path": ["x"], "values": [1]})]}).code == "query.claim_twice"
        assert len(one(["x"], ["y"]).claims) == 2

    def test_a_wallet_ignores_what_is_asked_again(self) -> None:
        """§6.1: "Wallets SHOULD ignore such duplicate claim queries"."""
        again = {"credentials": [ask(["x"], {"path": ["x"], "values": [1]}, ["y"])]}
        assert read(again, answering=True) == read({"credentials": [ask(["x"], ["y"])]})
        claims = [{"id": name, "path": [name[0]]} for name in ("x", "x2", "y", "y2")]
        sets = [["x2", "y"], ["x", "x2"], ["y2"]]
        found = read({"credentials": [ask(*claims, claim_sets=sets)]}, answering=True).credentials[0]
        assert [claim.id for claim in found.claims] == ["x", "y"]
        assert found.claim_sets == (("x", "y"), ("x",), ("y",))
        for claim, code in ((["x"], "query.claim_without_id"), ({"id": "x", "path": ["z"]}, "query.id_twice")):
            with pytest.raises(Malformed, match=code):
                read({"credentials": [ask(claim, *claims, claim_sets=sets)]}, answering=True)
        with pytest.raises(Malformed, match=r"query\.unknown_claim"):
            read({"credentials": [ask(*claims, claim_sets=[["z"]])]}, answering=True)

    @pytest.mark.parametrize(
        ("path", "values", "fits"),
        [
            (["family_name"], ["Öztürk"], True), (["family_name"], ["öztürk", "Ozturk"], False),
            (["age_over_18"], [True], True), (["age_over_18"], [1, "true"], False),
            (["resident_since_year"], [2010, 2011], True), (["resident_since_year"], ["2011"], False),
            (["nothing"], [False, ""], False), (["half"], [1], False), (["address"], ["Lindau"], False),
            (["address", "locality"], ["Lindau"], True), (["address", "locality"], ["Bregenz"], False),
            (["degrees", 0, "year"], [2001], True), (["degrees", 0, "year"], [True], False),
            (["nationalities", None], ["TR"], True), (["nationalities", None], ["NL"], False),
            (["nationalities", 1], ["DE"], False),
        ],
    )  # fmt: skip
    def test_type_and_value_match_exactly(self, path: list[Any], values: list[Any], fits: bool) -> None:
        asked = one({"path": path, "values": values})
        assert (asked.match(held()) is not None) is fits
        assert codes(asked.satisfied(held())) == ([] if fits else ["query.value_differs"])

    def test_a_value_inside_what_has_no_members(self) -> None:
        asked = one({"path": ["family_name", "first"], "values": ["Öztürk"]})
        assert asked.match(held()) is None
        assert codes(asked.why_not(held())) == ["query.claim_missing"]
        assert asked.match(held({"vct": VCT, "family_name": {"first": "Öztürk"}})) is not None

    def test_true_is_not_one(self) -> None:
        assert one({"path": ["n"], "values": [True]}).match(held({"n": 1})) is None
        assert one({"path": ["n"], "values": [1]}).match(held({"n": True})) is None
        assert one({"path": ["n"], "values": [1]}).match(held({"n": 1.0})) is None
        assert one({"path": ["n"], "values": [1]}).match(held({"n": 1})) is not None

    def test_a_problem_names_the_claim_and_no_value(self) -> None:
        (problem,) = one({"path": ["address", "locality"], "values": ["Bregenz"]}).why_not(held())
        assert dict(problem.facts) == {"path": "address.locality"}
