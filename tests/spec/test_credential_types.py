"""Credential types: definitions (`schemas/type.schema.json`), what a clerk may type, tables."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cityid import credential_type
from cityid.credential_type import check, new, read, text_in
from cityid.credential_type.schemas import bounded
from cityid.edge.resources import schemas
from cityid.errors import Malformed
from tests.jobs.offices import ADA, FACTS, NOW, TYPES

SCHEMA = json.loads((schemas() / "type.schema.json").read_text("utf-8"))
LOCALES = {"en", "es", "de", "fr", "ar"}
DATE = {"type": "string", "format": "date"}


def definition(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(new("pool-pass", "Pool pass"))
    document.update(changes)
    return {name: value for name, value in document.items() if value is not None}


def claim(schema: Any = None, **more: Any) -> dict[str, Any]:
    rule = {"schema": schema or {"type": "string"}, "shown": "choice", "labels": {"en": "X"}, **more}
    return {name: value for name, value in rule.items() if value is not None}


def with_claims(**claims: Any) -> dict[str, Any]:
    return definition(claims={name.replace("__", "."): rule for name, rule in claims.items()})


def codes(document: Any) -> list[str]:
    data = json.dumps(document).encode()
    found = [problem.code for problem in check(data)]
    if found:
        with pytest.raises(Malformed) as caught:
            read(data)
        assert caught.value.code == found[0]
    else:
        read(data)
    return found


def made(document: dict[str, Any]) -> credential_type.CredentialType:
    return read(json.dumps(document))


def wrong(claims: Any, type: str | credential_type.CredentialType = "residency") -> list[tuple[str, str]]:
    kind = TYPES[type] if isinstance(type, str) else type
    found = kind.problems(claims, at=NOW)
    if found:
        with pytest.raises(Malformed) as caught:
            kind.read(claims, at=NOW)
        assert caught.value.problem == found[0]
    else:
        kind.read(claims, at=NOW)
    return [(problem.code, problem.where) for problem in found]


def ada(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**ADA, **changes}.items() if value is not None}


class TestShippedTypes:
    def test_they_are_the_eight(self) -> None:
        assert set(TYPES) == {
            "residency", "resident-of", "age", "parking-permit", "business-permit", "building-permit", "event-permit",
            "voice",
        }  # fmt: skip

    @pytest.mark.parametrize("id", sorted(TYPES))
    def test_each_meets_the_schema_and_speaks_five_languages(self, id: str) -> None:
        document = json.loads((schemas() / "types" / f"{id}.json").read_text("utf-8"))
        Draft202012Validator(SCHEMA).validate(document)
        assert set(document["title"]) == LOCALES
        assert all(set(rule["labels"]) == LOCALES for rule in document["claims"].values())
        linkable = {"dc+sd-jwt", "mso_mdoc", "vc+jwt"}
        assert set(document["names"]) & {*linkable, "ldp_vc"} == {"ldp_vc"} | (set() if id == "voice" else linkable)

    def test_the_examples_of_the_schema_are_definitions(self) -> None:
        Draft202012Validator.check_schema(SCHEMA)
        assert len(SCHEMA["examples"]) > 1
        for example in SCHEMA["examples"]:
            Draft202012Validator(SCHEMA).validate(example)
            assert codes(example) == []

    def test_residency_has_the_names_of_the_pid(self) -> None:
        claims = TYPES["residency"].claims
        address = ("formatted", "street_address", "house_number", "postal_code", "locality", "region", "country")
        for path in [("given_name",), ("family_name",), ("birthdate",), *(("address", name) for name in address)]:
            assert claims[path].hideable
        # hidden as a whole, too: that somebody has no address is nobody's business
        assert claims[("address",)].hideable
        shown = {path for path, rule in claims.items() if not rule.hideable}
        assert shown == {("issuing_authority",), ("issuing_country",), ("issuing_jurisdiction",)}

    def test_resident_of_says_where_and_nothing_else(self) -> None:
        kind = TYPES["resident-of"]
        leaves = {path for path, rule in kind.claims.items() if rule.schema["type"] != "object"}
        assert leaves == {
            ("municipality", "code"), ("municipality", "name"), ("district", "code"), ("district", "name"),
            ("resident_since_year",),
        }  # fmt: skip
        said = kind.read({"municipality": ADA["municipality"], "resident_since": "2011-02-03"}, at=NOW, city=FACTS)
        assert said == {"municipality": ADA["municipality"], "resident_since_year": 2011}

    def test_age_says_ages_and_nothing_else(self) -> None:
        said = TYPES["age"].read({"birthdate": "1990-12-10"}, at=NOW, city=FACTS)
        assert set(said) == {f"age_over_{years}" for years in (12, 14, 16, 18, 21, 65)}

    def test_mdoc_elements_are_flat_and_each_their_own(self) -> None:
        elements = TYPES["residency"].names["mso_mdoc"]["elements"]
        assert elements["birthdate"] == "birth_date"
        assert elements["address.locality"] == "resident_city"
        assert elements["municipality.code"] == "municipality_code"
        assert "address" not in elements

    def test_no_type_wears_a_name_of_the_eu(self) -> None:
        for kind in TYPES.values():
            for form in kind.names:
                assert not kind.wire_name(form).startswith(("urn:eudi:", "eu.europa.ec."))


class TestDefinition:
    def test_a_new_one_is_good(self) -> None:
        data = new("dog-tag", "Dog tag")
        assert check(data) == ()
        Draft202012Validator(SCHEMA).validate(json.loads(data))
        kind = read(data)
        assert kind.read({"name": "Rex"}, at=NOW, city=FACTS) == {"authority": "Stadt Lindau", "name": "Rex"}

    def test_a_new_one_with_a_bad_name_is_not_made(self) -> None:
        for name in ("Dog", "", "1dog", "a/b", "../x", "a" * 64):
            with pytest.raises(Malformed) as caught:
                new(name, "Dog")
            assert caught.value.code == "type.id"
        with pytest.raises(Malformed) as caught:
            new("dog", " ")
        assert caught.value.code == "type.text"

    @pytest.mark.parametrize(("changes", "code"), [
        ({"id": "Pool"}, "type.id"),
        ({"id": 7}, "json.wrong_type"),
        ({"title": {}}, "type.no_text"),
        ({"title": {"English": "x"}}, "type.locale"),
        ({"title": {"en": "a\u202eb"}}, "type.text"),
        ({"title": {"en": "x" * 201}}, "type.text"),
        ({"title": {"en": "a\nb"}}, "type.text"),
        ({"lifetime": "1 month"}, "type.lifetime"),
        ({"lifetime": "0 days"}, "type.lifetime"),
        ({"lifetime": "11 years"}, "type.lifetime"),
        ({"copies": 0}, "type.copies"),
        ({"copies": 101}, "type.copies"),
        ({"copies": True}, "json.wrong_type"),
        ({"status": "maybe"}, "type.status"),
        ({"decoys": 101}, "type.decoys"),
        ({"decoys": -1}, "type.decoys"),
        ({"unlinkable": 1}, "json.wrong_type"),
        ({"claims": {}}, "type.no_claims"),
        ({"names": {}}, "type.no_names"),
        ({"names": {"dc+sd-jwt": {"vct": ""}}}, "type.wire_name"),
        ({"names": {"dc+sd-jwt": {"vct": " urn:x"}}}, "type.wire_name"),
        ({"names": {"dc+sd-jwt": {"vct": "urn:eudi:pid:1"}}}, "type.wire_name"),
        ({"names": {"mso_mdoc": {"doctype": "eu.europa.ec.eudi.pid.1", "namespace": "x"}}}, "type.wire_name"),
        ({"names": {"ldp_vc": {"type": []}}}, "type.w3c_type"),
        ({"names": {"ldp_vc": {"type": ["VerifiableCredential"]}}}, "type.w3c_type"),
        ({"names": {"ldp_vc": {"type": ["DogCredential", "VerifiableCredential"]}}}, "type.w3c_type"),
        ({"names": {"ldp_vc": {"type": ["VerifiableCredential", "Dog", "Pet"]}}}, "type.w3c_type"),
        ({"names": {"ldp_vc": {"type": ["VerifiableCredential", "x:y"]}}}, "type.w3c_type"),
        ({"names": {"ldp_vc": {"type": ["VerifiableCredential", "Dog"], "iri": ""}}}, "type.wire_name"),
        ({"names": {"ldp_vc": {"type": ["VerifiableCredential", "Dog"], "iri": "dog"}}}, "type.wire_name"),
        ({"names": {"ldp_vc": {"type": ["VerifiableCredential", "Dog"], "iri": "urn:a b"}}}, "type.wire_name"),
        ({"names": {"dc+sd-jwt": {"vct": "urn:x", "doctype": "y"}}}, "type.unknown_member"),
        ({"names": {"mso_mdoc": {"doctype": "x", "namespace": "x", "elements": {"nme": "y"}}}}, "type.unknown_member"),
        ({"names": {"mso_mdoc": {"doctype": "x", "namespace": "x", "elements": {"name": "authority"}}}},
         "type.element_twice"),
        ({"lifetme": "1 day"}, "type.unknown_member"),
        ({"window": {"begin": "x"}}, "type.unknown_member"),
        ({"window": {"start": "name"}}, "type.needs_date"),
        ({"window": {"end": "nowhere"}}, "type.needs_date"),
    ])  # fmt: skip
    def test_what_is_wrong_is_told(self, changes: dict[str, Any], code: str) -> None:
        assert codes(definition()) == []
        assert codes(definition(**changes)) == [code]

    @pytest.mark.parametrize(("names", "iri"), [
        ({"dc+sd-jwt": {"vct": "urn:x:dog"}}, "urn:x:dog"),
        ({"dc+sd-jwt": {"vct": "dog"}}, "urn:cityid:pool-pass:1"),
        ({}, "urn:cityid:pool-pass:1"),
    ])  # fmt: skip
    def test_what_a_w3c_type_means(self, names: dict[str, Any], iri: str) -> None:
        """Its own IRI comes first; unless it is given, it is the name that the type has as an SD-JWT VC."""
        base = "https://www.w3.org/2018/credentials#VerifiableCredential"
        w3c = {"type": ["VerifiableCredential", "Dog"]}
        forms = names | {"ldp_vc": w3c, "vc+jwt": w3c | {"iri": "https://x.example/#Dog"}}
        kind = read(json.dumps(definition(names=forms)))
        assert kind.names["ldp_vc"]["types"] == (iri, base)
        assert kind.names["vc+jwt"]["types"] == ("https://x.example/#Dog", base)
        assert [kind.wire_name(form) for form in kind.names] == [*([names["dc+sd-jwt"]["vct"]] if names else []), iri,
                                                                 "https://x.example/#Dog"]  # fmt: skip

    @pytest.mark.parametrize(("limit", "value"), [
        ("lifetime", "10 years"), ("lifetime", "12 hours"), ("copies", 1), ("copies", 100), ("decoys", 0),
        ("decoys", 100), ("status", "required"),
    ])  # fmt: skip
    def test_what_is_just_right_is_taken(self, limit: str, value: Any) -> None:
        assert codes(definition(**{limit: value})) == []

    @pytest.mark.parametrize(("rule", "code"), [
        (claim(shown="sometimes"), "type.shown"),
        (claim(labels={}), "type.no_text"),
        (claim(colour="red"), "type.unknown_member"),
        (claim({"type": "number"}), "type.schema_type"),
        (claim({"type": ["string"]}), "json.wrong_type"),
        (claim({"type": "string", "$ref": "https://x.example/"}), "type.schema_keyword"),
        (claim({"type": "string", "minimum": 1}), "type.schema_keyword"),
        (claim({"type": "string", "minLength": -1}), "type.schema_value"),
        (claim({"type": "string", "maxLength": True}), "type.schema_value"),
        (claim({"type": "string", "enum": []}), "type.schema_value"),
        (claim({"type": "string", "enum": [1]}), "type.schema_value"),
        (claim({"type": "string", "format": "email"}), "type.schema_value"),
        (claim({"type": "integer", "minimum": 1.5}), "type.schema_value"),
        (claim({"type": "boolean", "const": 1}), "type.schema_value"),
        (claim({"type": "array", "uniqueItems": "yes"}), "type.schema_value"),
        (claim({"type": "array", "items": {"type": "object"}}), "type.schema_type"),
        (claim({"type": "string", "pattern": "^(a+)+$"}), "type.pattern"),
        (claim({"type": "string", "pattern": 5}), "type.pattern"),
        (claim({"type": "object"}), "type.object_empty"),
        (claim(plausible="birth"), "type.needs_date"),
        (claim(DATE, plausible="soon"), "type.plausible"),
        (claim(DATE, not_before="other"), "type.needs_date"),
        (claim(derived="shout name"), "type.derived"),
        (claim(derived="city name"), "type.derived"),
        (claim({"type": "integer"}, derived="city authority"), "type.derived"),
        (claim({"type": "integer"}, derived="year name"), "type.derived"),
        (claim(derived="city authority", required=True), "type.derived_required"),
        (claim(derived="city authority", shown="never"), "type.derived_required"),
    ])  # fmt: skip
    def test_what_is_wrong_with_a_claim_is_told(self, rule: Any, code: str) -> None:
        assert codes(with_claims(x=rule)) == [code]

    @pytest.mark.parametrize("name", ["_sd", "...", "_sd_alg", "a._sd", "@type", "iss", "cnf", "status", "vct", "id"])
    def test_reserved_names(self, name: str) -> None:
        found = codes(definition(claims={name: claim()}))
        assert found in (["type.reserved_claim"], ["path.syntax"])
        assert codes(definition(claims={f"x{name.replace('.', '')}": claim()})) == []

    @pytest.mark.parametrize("name", ["", "a.", "a..b", "a[0]", "a[].b", "a b", "a\u0007", "a" * 101])
    def test_paths(self, name: str) -> None:
        assert codes(definition(claims={name: claim()})) == ["path.syntax"]

    def test_only_dates_come_after_dates(self) -> None:
        start = claim(DATE)
        assert codes(with_claims(start=start, end=claim(DATE, not_before="start"))) == []
        assert codes(with_claims(start=start, end=claim(not_before="start"))) == ["type.needs_date"]

    def test_all_problems_are_told(self) -> None:
        document = definition(id="X", copies=0, claims={"a": claim(shown="no"), "iss": claim(), "b": claim()})
        assert codes(document) == ["type.id", "type.copies", "type.shown", "type.reserved_claim"]

    @pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"id":1,"id":2}', b"\xff"])
    def test_not_even_json(self, data: bytes) -> None:
        assert [problem.code.split(".")[0] for problem in check(data)] == ["json"]

    def test_parents(self) -> None:
        assert codes(with_claims(a__b=claim())) == []
        assert codes(with_claims(a=claim({"type": "object"}), a__b=claim())) == []
        assert codes(with_claims(a=claim(), a__b=claim())) == ["type.parent"]
        assert codes(definition(claims={"a[]": claim()})) == ["type.parent"]
        assert codes(definition(claims={"a": claim({"type": "array"}), "a[]": claim()})) == []

    def test_ages_say_what_their_name_says(self) -> None:
        born = claim(DATE, shown="never")
        age = claim({"type": "boolean"}, derived="age_over born 18")
        assert codes(with_claims(born=born, age_over_18=age)) == []
        assert codes(with_claims(born=born, age_over_21=age)) == ["type.derived"]
        assert codes(with_claims(born=claim(shown="never"), age_over_18=age)) == ["type.derived"]
        assert codes(with_claims(born=born, age_over_18=claim(derived="age_over born 18"))) == ["type.derived"]

    def test_what_only_the_roll_knows_cannot_be_linked(self) -> None:
        """A type that is issued by enrolling is unlinkable, and issued in no format in which it could be linked."""
        bbs = {"ldp_vc": {"type": ["VerifiableCredential", "SayCredential"]}}
        both = {**bbs, "dc+sd-jwt": {"vct": "urn:x:1"}}

        def of(rule: Any, **more: Any) -> list[str]:
            return codes(definition(**{"claims": {"since": rule}, "names": bbs, "unlinkable": True, **more}))

        since = claim(DATE, derived="enrolment since")
        assert of(since) == []
        assert of(since, unlinkable=False) == of(since, names=both) == ["type.enrolment"]
        assert of(claim(DATE), unlinkable=False) == of(claim(DATE), names=both) == []
        for wrong in (claim(derived="enrolment since"), claim(DATE, derived="enrolment until")):
            assert of(wrong) == ["type.derived"]
        assert of(claim({"type": "integer"}, derived="enrolment since")) == ["type.derived"]

    def test_texts_fall_back(self) -> None:
        texts = {"de": "Ausweis", "en": "Card"}
        assert [text_in(texts, locale) for locale in ("de-AT", "de", "fr")] == ["Ausweis", "Ausweis", "Card"]
        assert text_in({"fr": "Carte"}, "de") == "Carte"


class TestPatterns:
    @pytest.mark.parametrize("pattern", [
        "^[A-Z]{1,3}-[0-9]{1,4}$", "^abc$", "^\\.\\-$", "^[a-z]{5}$", "^a?b?$", "^$",
    ])  # fmt: skip
    def test_taken(self, pattern: str) -> None:
        assert bounded(pattern)

    @pytest.mark.parametrize("pattern", [
        "abc", "^abc", "abc$", "^abc\\$", "^a*$", "^a+$", "^a{1,}$", "^(a)$", "^a|b$", "^.$", "^\\d$", "^[^a]$",
        "^[z-a]$", "^[a--b]$", "^a{3,2}$", "^[a-z]{0,100}[a-z]{0,100}$", "^" + "a?" * 14 + "$", "^[[a]$", "^a{1}{2}$",
        "^" + "a" * 200 + "$",
    ])  # fmt: skip
    def test_refused(self, pattern: str) -> None:
        assert not bounded(pattern)

    def test_the_slowest_one_that_is_taken_is_fast(self) -> None:
        pattern = "^" + "[a-z]{0,9}" * 4 + "0$"
        assert bounded(pattern)
        kind = made(with_claims(x=claim({"type": "string", "pattern": pattern})))
        began = time.perf_counter()
        assert wrong({"x": "a" * 1000}, kind) == [("claim.not_allowed", "$.x")]
        assert time.perf_counter() - began < 0.25


class TestTypedClaims:
    def test_a_good_one(self) -> None:
        assert wrong(ADA) == []
        said = TYPES["residency"].read(ADA, at=NOW, city=FACTS)
        assert said["issuing_authority"] == "Stadt Lindau"
        assert said["address"] == ADA["address"]
        assert list(said)[:3] == ["given_name", "family_name", "birthdate"]

    def test_without_city_facts_nothing_is_made_up(self) -> None:
        assert "issuing_authority" not in TYPES["residency"].read(ADA, at=NOW)

    def test_the_citys_own_facts_are_checked_too(self) -> None:
        with pytest.raises(Malformed) as caught:
            TYPES["residency"].read(ADA, at=NOW, city={"country": "Germany"})
        assert caught.value.code == "claim.not_allowed"

    @pytest.mark.parametrize(("changes", "code", "where"), [
        ({"family_name": None}, "claim.missing", "$.family_name"),
        ({"municipality": {"name": "Lindau"}}, "claim.missing", "$.municipality.code"),
        ({"address": {"street_address": "X"}}, "claim.missing", "$.address.locality"),
        ({"famly_name": "X"}, "claim.unknown", "$.famly_name"),
        ({"address": {**ADA["address"], "zip": "1"}}, "claim.unknown", "$.address.zip"),
        ({"age_over_18": True}, "claim.derived", "$.age_over_18"),
        ({"issuing_authority": "Me"}, "claim.derived", "$.issuing_authority"),
        ({"birthdate": "31.02.1985"}, "claim.not_a_date", "$.birthdate"),
        ({"birthdate": "1985-02-31"}, "claim.not_a_date", "$.birthdate"),
        ({"birthdate": "1985"}, "claim.not_a_date", "$.birthdate"),
        ({"birthdate": "1985-02-03T00:00:00Z"}, "claim.not_a_date", "$.birthdate"),
        ({"birthdate": "2026-11-23"}, "claim.not_plausible", "$.birthdate"),
        ({"birthdate": "1895-12-31"}, "claim.not_plausible", "$.birthdate"),
        ({"resident_since": "2026-11-23"}, "claim.not_plausible", "$.resident_since"),
        ({"resident_since": "1990-12-09"}, "claim.out_of_order", "$.resident_since"),
        ({"birthdate": 19901210}, "claim.wrong_type", "$.birthdate"),
        ({"given_name": None, "family_name": ""}, "claim.missing", "$.given_name"),
        ({"given_name": ""}, "claim.not_allowed", "$.given_name"),
        ({"given_name": "x" * 151}, "claim.not_allowed", "$.given_name"),
        ({"given_name": "x" * 1001}, "claim.not_allowed", "$.given_name"),
        ({"given_name": " Ada"}, "claim.not_allowed", "$.given_name"),
        ({"given_name": "A\u202eda"}, "claim.not_allowed", "$.given_name"),
        ({"given_name": "A\nda"}, "claim.not_allowed", "$.given_name"),
        ({"given_name": "A\ud800"}, "claim.not_allowed", "$.given_name"),
        ({"given_name": ["Ada"]}, "claim.wrong_type", "$.given_name"),
        ({"address": "Lindau"}, "claim.wrong_type", "$.address"),
        ({"address": {}}, "claim.not_allowed", "$.address"),
        ({"address": {**ADA["address"], "country": "Germany"}}, "claim.not_allowed", "$.address.country"),
        ({"address": {**ADA["address"], "country": "DE\n"}}, "claim.not_allowed", "$.address.country"),
        ({"_sd": ["x"]}, "claim.reserved", "$._sd"),
        ({"...": "x"}, "claim.reserved", "$...."),
        ({"cnf": {}}, "claim.reserved", "$.cnf"),
        ({"address": {**ADA["address"], "_sd": []}}, "claim.reserved", "$.address._sd"),
    ])  # fmt: skip
    def test_each_violation_has_its_code_and_place(self, changes: dict[str, Any], code: str, where: str) -> None:
        assert wrong(ada(**changes))[0] == (code, where)

    @pytest.mark.parametrize("changes", [
        {"birthdate": "2010-12-10", "resident_since": "2026-11-22"}, {"birthdate": "1896-01-01"},
        {"resident_since": "1990-12-10"}, {"given_name": "x" * 150}, {"address": None},
        {"given_name": "مريم"}, {"given_name": "می\u200cنا"}, {"given_name": "小龙"},
    ])  # fmt: skip
    def test_and_its_neighbour_is_fine(self, changes: dict[str, Any]) -> None:
        assert wrong(ada(**changes)) == []

    def test_not_even_an_object(self) -> None:
        assert wrong(["x"]) == [("claim.wrong_type", "$")]
        assert wrong({1: "x"})[0] == ("claim.unknown", "$.?")

    def test_all_problems_of_a_row(self) -> None:
        found = wrong(ada(family_name=None, birthdate="x", zip="1", age_over_18=True))
        assert [code for code, _ in found] == [
            "claim.unknown", "claim.derived", "claim.missing", "claim.not_a_date",
        ]  # fmt: skip

    def test_did_you_mean(self) -> None:
        (problem,) = TYPES["residency"].problems(ada(famly_name="X"), at=NOW)
        assert problem.facts["suggestion"] == "family_name"

    def test_values_are_private(self) -> None:
        claims = ada(given_name="S3CRET\t", birthdate="S3CRET", family_name=5, resident_since="9999-09-09")
        problems = TYPES["residency"].problems(claims, at=NOW)
        assert len(problems) == 4
        for problem in problems:
            assert "S3CRET" not in repr(problem) + str(Malformed(problem))
            assert "9999" not in repr(problem)
        assert {problem.private.get("value") for problem in problems} == {"S3CRET\\x09", "S3CRET", None, "9999-09-09"}

    def test_names_are_normalised(self) -> None:
        said = TYPES["residency"].read(ada(given_name="Zoe\u0308"), at=NOW)
        assert said["given_name"] == "Zoë"

    def test_schemas_of_every_kind(self) -> None:
        kind = made(with_claims(
            n=claim({"type": "integer", "minimum": 1, "maximum": 9}),
            big=claim({"type": "integer"}),
            c=claim({"type": "string", "const": "x"}),
            u=claim({"type": "string", "format": "uri"}),
            l=claim({"type": "array", "items": {"type": "string", "minLength": 2}, "maxItems": 2, "minItems": 1,
                     "uniqueItems": True}),
            yes=claim({"type": "boolean", "const": True}),
        ))  # fmt: skip
        good: dict[str, Any] = {"n": 9, "big": 2**53 - 1, "c": "x", "u": "urn:x:y", "l": ["aa", "bb"], "yes": True}
        assert wrong(good, kind) == []
        bad: list[tuple[str, Any, str]] = [
            ("n", 0, "at least 1"), ("n", 10, "at most 9"), ("big", 2**53, "an integer that JSON can carry"),
            ("c", "y", "exactly x"), ("u", "no uri", "an absolute URI"), ("l", [], "at least 1 elements"),
            ("l", ["aa", "bb", "cc"], "at most 2 elements"), ("l", ["aa", "aa"], "no element twice"),
            ("l", ["a"], "at least 2 characters"), ("l", [5], "every element a string"), ("yes", False, "exactly True"),
            ("l", ["a\u202ea"], "no control characters"),
        ]  # fmt: skip
        for name, value, rule in bad:
            (problem,) = kind.problems({**good, name: value}, at=NOW)
            assert (problem.code, problem.facts["rule"]) == ("claim.not_allowed", rule)
        for name, value in [("n", True), ("n", 1.0), ("yes", 1), ("l", "aa"), ("c", None)]:
            assert wrong({**good, name: value}, kind) == [("claim.wrong_type", f"$.{name}")]

    def test_enums_tell_what_is_allowed(self) -> None:
        (problem,) = TYPES["parking-permit"].problems({**PERMIT, "permit_type": "VIP"}, at=NOW)
        assert problem.facts == {"claim": "permit_type", "rule": "one of resident, company"}

    def test_a_type_that_nothing_is_typed_for(self) -> None:
        kind = made(with_claims(a=claim(derived="city authority")))
        assert kind.read({}, at=NOW, city=FACTS) == {"a": "Stadt Lindau"}
        assert wrong({"b": "x"}, kind) == [("claim.unknown", "$.b")]


PERMIT = {
    "permit_type": "resident", "permit_number": "P-7Q4M", "zone": "A1", "valid_from": "2026-01-01",
    "valid_until": "2027-06-30", "vehicle": {"registration_number": "LI-AB 123"},
}  # fmt: skip


class TestWindow:
    def test_a_days_card_begins_at_the_full_hour(self) -> None:
        prepared = TYPES["age"].prepare({"birthdate": "1990-12-10"}, at=NOW)
        assert (prepared.start, prepared.end) == (
            NOW.replace(minute=0, second=0),
            NOW.replace(minute=0, second=0, day=23),
        )

    def test_a_years_card_begins_at_the_full_local_day(self) -> None:
        kind = made(definition(lifetime="1 year"))
        zone = timezone(timedelta(hours=1))
        prepared = kind.prepare({"name": "x"}, at=datetime(2026, 11, 22, 23, 30, tzinfo=UTC), timezone=zone)
        assert prepared.start == datetime(2026, 11, 22, 23, 0, tzinfo=UTC)
        assert prepared.end - prepared.start == timedelta(days=365)

    def test_a_permit_ends_with_its_last_day(self) -> None:
        kind = TYPES["parking-permit"]
        assert kind.prepare(PERMIT, at=NOW).end == NOW.replace(day=23, minute=0, second=0)
        last = kind.prepare({**PERMIT, "valid_until": "2026-11-22"}, at=NOW)
        assert last.end == datetime(2026, 11, 23, tzinfo=UTC)

    def test_a_permit_begins_with_its_first_day(self) -> None:
        prepared = TYPES["parking-permit"].prepare({**PERMIT, "valid_from": "2027-01-01"}, at=NOW)
        assert prepared.start == datetime(2027, 1, 1, tzinfo=UTC)
        assert prepared.end == datetime(2027, 1, 2, tzinfo=UTC)

    def test_permits_of_the_past_and_the_wrong_way_round(self) -> None:
        assert wrong({**PERMIT, "valid_until": "2026-11-21"}, "parking-permit") == [
            ("claim.not_plausible", "$.valid_until")
        ]
        assert wrong({**PERMIT, "valid_from": "2027-07-01"}, "parking-permit") == [
            ("claim.out_of_order", "$.valid_until")
        ]
        assert wrong({**PERMIT, "valid_from": "2027-06-30"}, "parking-permit") == []

    def test_no_time_left(self) -> None:
        kind = made({**with_claims(until=claim(DATE)), "window": {"end": "until"}})
        assert wrong({"until": "2026-11-22"}, kind) == []
        assert wrong({"until": "2026-11-21"}, kind) == [("claim.window_empty", "")]

    def test_dates_that_no_calendar_reaches(self) -> None:
        kind = made({**with_claims(until=claim(DATE)), "window": {"start": "until", "end": "until"}})
        assert wrong({"until": "9999-12-31"}, kind) == [("claim.not_plausible", "$.until")]
        assert wrong({"until": "0001-01-01"}, kind) == [("claim.not_plausible", "$.until")]
        assert wrong({"until": "2226-01-01"}, kind) == []
