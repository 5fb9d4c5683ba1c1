"""A policy is the source of both the request and the judgement: what it says, and what is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cityid import credential_type, policy
from cityid.checks import Step
from cityid.credential_type import CredentialType, Path, possible
from cityid.edge.messages import explain
from cityid.errors import Misuse
from cityid.policy import Condition, Policy
from cityid.status import Freshness
from tests.jobs.offices import TYPES

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
HEAD = 'purpose = "x"\n'
ASK = '[ask]\ntype = "residency"\nclaims = ["age_over_18", "address.locality", "resident_since_year"]\n'
TRUST = '[trust]\nlist = "trust/region.toml"\n'
DID = "did:web:id.lindau.example"
FILES = {
    "trust/region.toml": f'[[issuer]]\ndid = "{DID}"\nmechanism = "did"\ntypes = ["residency"]\n'.encode(),
    "query.json": b'{"credentials":[{"id":"q","format":"dc+sd-jwt","meta":{"vct_values":["urn:x"]},'
    b'"claims":[{"path":["age_over_18"]}]}]}',
}


def read(text: str, files: Mapping[str, bytes] = FILES, types: Mapping[str, CredentialType] = TYPES) -> Policy:
    return policy.read(text.encode(), types=types, load=files.__getitem__, formats=("dc+sd-jwt",))


def wrong(text: str, **more: Any) -> str:
    with pytest.raises(Misuse) as found:
        read(text, **more)
    return found.value.code


class TestAsking:
    def test_one_ask(self) -> None:
        found = read(HEAD + ASK + TRUST)
        assert found.query.to_json() == {
            "credentials": [{
                "id": "card", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:cityid:residency:1"]},
                "claims": [
                    {"path": ["age_over_18"]}, {"path": ["address", "locality"]}, {"path": ["resident_since_year"]},
                ],
            }]
        }  # fmt: skip
        assert found.purpose == "x"
        assert found.trust.entries[0].did == DID
        assert found.trust.title == "trust/region.toml"
        assert found.freshness == Freshness()
        assert found.waive == frozenset()

    def test_any_of_belongs_to_asks(self) -> None:
        """A DCQL file says its alternatives itself; a member without effect would mislead a reviewer."""
        assert read(HEAD + 'dcql = "query.json"\n' + TRUST).query.credentials[0].id == "q"
        assert wrong(HEAD + 'dcql = "query.json"\nany_of = [["q"]]\n' + TRUST) == "policy.any_of_without_ask"

    def test_formats_that_cannot_be_judged_are_not_asked_for(self) -> None:
        both = ASK.replace("claims", 'formats = ["dc+sd-jwt", "mso_mdoc"]\nclaims')
        assert len(read(HEAD + both + TRUST).query.credentials) == 1
        none = ASK.replace("claims", 'formats = ["mso_mdoc"]\nclaims')
        assert wrong(HEAD + none + TRUST) == "policy.no_format"

    def test_several_formats_are_alternatives(self) -> None:
        every = ("dc+sd-jwt", "mso_mdoc", "ldp_vc")
        first = policy.read((HEAD + ASK + TRUST).encode(), types=TYPES, load=FILES.__getitem__, formats=every)
        assert [item.format for item in first.query.credentials] == ["dc+sd-jwt"]
        text = (HEAD + ASK.replace("claims", f"formats = {list(every)}\nclaims") + TRUST).encode()
        found = policy.read(text, types=TYPES, load=FILES.__getitem__, formats=every)
        formats = [(item.id, item.format) for item in found.query.credentials]
        assert formats == [("card", "dc+sd-jwt"), ("card-mso_mdoc", "mso_mdoc"), ("card-ldp_vc", "ldp_vc")]
        (chosen,) = found.query.sets
        assert chosen.options == (("card",), ("card-mso_mdoc",), ("card-ldp_vc",))
        assert found.query.credentials[1].meta == {"doctype_value": TYPES["residency"].names["mso_mdoc"]["doctype"]}
        space = TYPES["residency"].names["mso_mdoc"]["namespace"]
        elements = [(space, "age_over_18"), (space, "resident_city"), (space, "resident_since_year")]
        assert [claim.path for claim in found.query.credentials[1].claims] == elements
        assert found.query.credentials[2].claims[1].path == ("credentialSubject", "address", "locality")

    def test_several_asks(self) -> None:
        text = (
            HEAD + 'any_of = [["home", "permit"], ["home"]]\n'
            '[[ask]]\nid = "home"\ntype = "residency"\nclaims = ["address.locality"]\n'
            '[[ask]]\nid = "permit"\ntype = "parking-permit"\nclaims = []\nmultiple = true\n' + TRUST
        )
        found = read(text)
        assert [item.id for item in found.query.credentials] == ["home", "permit"]
        assert found.query.sets[0].options == (("home", "permit"), ("home",))
        assert found.query.credentials[1].multiple
        assert found.query.credentials[1].claims == ()
        all_of = read(text.replace('any_of = [["home", "permit"], ["home"]]\n', ""))
        assert all_of.query.sets == ()
        assert wrong(text.replace('["home"]]', '["house"]]')) == "policy.any_of_unknown"
        assert wrong(text.replace('id = "permit"', 'id = "home"')) == "policy.ask_twice"
        assert wrong(text.replace('id = "permit"\n', "")) == "policy.ask_without_id"
        assert wrong(text.replace('["home"]]', '"home"]')) == "json.wrong_type"

    def test_dcql_file(self) -> None:
        found = read(HEAD + 'dcql = "query.json"\n' + TRUST)
        assert found.query.credentials[0].id == "q"
        assert wrong(HEAD + 'dcql = "query.json"\n' + ASK + TRUST) == "policy.ask_or_dcql"
        assert wrong(HEAD + TRUST) == "policy.ask_or_dcql"

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("purpose = ", "policy.syntax"),
            (HEAD + ASK, "policy.no_trust"),
            (ASK + TRUST, "json.missing"),
            (HEAD + "purpos = 1\n" + ASK + TRUST, "json.unknown_member"),
            (HEAD + ASK + "claim = 1\n" + TRUST, "json.unknown_member"),
            (HEAD + ASK + TRUST + "lists = 1\n", "json.unknown_member"),
            (HEAD + ASK.replace("residency", "residence") + TRUST, "policy.unknown_type"),
            (HEAD + ASK.replace("age_over_18", "age_over_19") + TRUST, "policy.unknown_claim"),
            (HEAD + ASK.replace("age_over_18", "age..18") + TRUST, "path.syntax"),
            (HEAD + 'waive = ["issuer_trusted"]\n' + ASK + TRUST, "policy.cannot_waive"),
            (HEAD + 'waive = ["statu"]\n' + ASK + TRUST, "policy.cannot_waive"),
            (HEAD + ASK + "[freshness]\nmax_age = 15\n" + TRUST, "json.wrong_type"),
            (HEAD + ASK + '[freshness]\nmax_age = "15 minutes"\n' + TRUST, "policy.duration"),
            (HEAD + ASK + '[freshness]\nmaxage = "15m"\n' + TRUST, "json.unknown_member"),
        ],
    )
    def test_wrong_files(self, text: str, code: str) -> None:
        assert wrong(text) == code
        read(HEAD + ASK + TRUST)

    def test_a_purpose_is_one_line(self) -> None:
        """It is sent, and the resident reads it."""
        at = json.dumps
        assert read(f"purpose = {at('ü' * 200)}\n" + ASK + TRUST).purpose == "ü" * 200
        assert wrong(f"purpose = {at('ü' * 201)}\n" + ASK + TRUST) == "text.too_long"
        assert read(f"purpose = {at('می‌خواهم')}\n" + ASK + TRUST).purpose == "می‌خواهم"
        with pytest.raises(Misuse) as found:
            read(f"purpose = {at('ab' + chr(0x202E))}\n" + ASK + TRUST)
        assert found.value.problem.facts == {"name": "purpose", "character": "U+202E", "place": 3}
        for char in (0x7F, 0x9B, 0x200B, 0x2029, 0x2066, 0xE000, 0xE0041):
            assert wrong(f'purpose = "\\U{char:08x}"\n' + ASK + TRUST) == "text.control"

    def test_not_utf8(self) -> None:
        with pytest.raises(Misuse) as found:
            policy.read(b"\xff", types=TYPES, load=FILES.__getitem__, formats=())
        assert found.value.code == "policy.syntax"

    def test_freshness_and_waiving(self) -> None:
        text = (
            'waive = ["status"]\n' + HEAD + ASK + '[freshness]\nmax_age = "30s"\ngrace = "2h"\noffline = "1d"\n' + TRUST
        )
        found = read(text)
        assert found.waive == {Step.STATUS}
        assert found.freshness == Freshness(timedelta(seconds=30), timedelta(hours=2), timedelta(days=1))

    def test_the_files_of_a_trust_list_lie_beside_it(self) -> None:
        document = b'{"id":"did:web:id.lindau.example"}'
        pinned = FILES["trust/region.toml"] + b'document = "did.json"\n'
        files = {"trust/region.toml": pinned, "trust/did.json": document}
        assert read(HEAD + ASK + TRUST, files).trust.entries[0].document is not None
        flat = {"region.toml": pinned, "did.json": document}
        assert read(HEAD + ASK + TRUST.replace("trust/", ""), flat).trust.entries[0].document is not None


ALL = '[ask]\ntype = "residency"\nclaims = ["age_over_18", "address", "resident_since_year", "birthdate"]\n'
ALL = ALL.replace('"address"', '"address.locality", "address.country", "address"')


def condition(value: str, claim: str = "resident_since_year") -> Condition:
    found = read(HEAD + ALL + f'[accept]\n"{claim}" = {value}\n' + TRUST)
    ((only,),) = found.conditions.values()
    return only


def judged(value: str, claims: Any, claim: str = "resident_since_year", **given: str) -> str:
    problem = condition(value, claim).judge(claims, AT, given)
    return problem.code if problem else "met"


class TestConditions:
    def test_a_literal(self) -> None:
        assert judged("2011", {"resident_since_year": 2011}) == "met"
        assert judged("2011", {"resident_since_year": 2012}) == "conditions.not_met"
        assert judged("2011", {"resident_since_year": "2011"}) == "conditions.not_met"
        assert judged("2011", {}) == "conditions.claim_missing"

    @pytest.mark.parametrize("other", [1, "true", 1.0, [True], {"a": 1}, None, False])
    def test_only_true_is_true(self, other: Any) -> None:
        """Profiles §7.3: `1`, `"true"` and a missing claim are not true."""
        assert judged("true", {"age_over_18": True}, "age_over_18") == "met"
        assert judged("true", {"age_over_18": other}, "age_over_18") == "conditions.not_met"
        assert Condition(("age_over_18",), one_of=(1,)).judge({"age_over_18": True}, AT, {}) is not None
        assert judged("false", {"age_over_18": 0}, "age_over_18") == "conditions.not_met"

    def test_a_list(self) -> None:
        places = '["Lindau", "Bregenz"]'
        assert judged(places, {"address": {"locality": "Bregenz"}}, "address.locality") == "met"
        assert judged(places, {"address": {"locality": "lindau"}}, "address.locality") == "conditions.not_met"
        assert judged(places, {"address": "Lindau"}, "address.locality") == "conditions.claim_missing"

    @pytest.mark.parametrize(
        ("value", "found", "expected"),
        [
            ("{ min = 2000 }", 2000, "met"),
            ("{ min = 2000 }", 1999, "conditions.out_of_range"),
            ("{ max = 2000 }", 2000, "met"),
            ("{ max = 2000 }", 2001, "conditions.out_of_range"),
            ("{ min = 2000.5, max = 2002 }", 2001.75, "met"),
            ("{ min = 2000 }", True, "conditions.out_of_range"),
            ("{ min = 0 }", True, "conditions.out_of_range"),
            ("{ min = 2000 }", "2001", "conditions.out_of_range"),
            ('{ min = "today" }', "2026-11-22", "met"),
            ('{ min = "today" }', "2026-11-21", "conditions.out_of_range"),
            ('{ min = "today+30d" }', "2026-12-22", "met"),
            ('{ min = "today+30d" }', "2026-12-21", "conditions.out_of_range"),
            ('{ max = "today-1d" }', "2026-11-21", "met"),
            ('{ max = "today-1d" }', "2026-11-22", "conditions.out_of_range"),
            ("{ min = 2026-01-01 }", "2026-01-01", "met"),
            ('{ min = "2026-01-01" }', "2025-12-31", "conditions.out_of_range"),
            ('{ min = "today" }', "tomorrow", "conditions.out_of_range"),
            ('{ min = "today" }', "9999", "conditions.out_of_range"),
            ('{ min = "today" }', 20261122, "conditions.out_of_range"),
        ],
    )
    def test_a_range(self, value: str, found: Any, expected: str) -> None:
        claim = "resident_since_year" if re.search(r" = [0-9.]+[ ,]", value) else "birthdate"
        assert judged(value, {claim: found}, claim) == expected

    def test_a_given_value(self) -> None:
        given, claim = '{ given = "day" }', "birthdate"
        assert judged(given, {claim: "2011-01-01"}, claim, day="2011-01-01") == "met"
        assert judged(given, {claim: "2012-01-01"}, claim, day="2011-01-01") == "conditions.not_met"
        with pytest.raises(Misuse) as found:
            judged(given, {claim: "2011-01-01"}, claim)
        assert found.value.code == "policy.not_given"

    def test_any_element_of_an_array(self) -> None:
        only = Condition(("nationalities", None), one_of=("DE",))
        assert only.judge({"nationalities": ["FR", "DE"]}, AT, {}) is None
        assert only.judge({"nationalities": ["FR"]}, AT, {}) is not None
        assert only.judge({"nationalities": "DE"}, AT, {}) is not None
        first = Condition(("nationalities", 0), one_of=("DE",))
        assert first.judge({"nationalities": ["DE"]}, AT, {}) is None
        assert first.judge({"nationalities": []}, AT, {}) is not None

    def test_an_index_means_the_issued_element(self) -> None:
        """The query counts issued positions; a condition must not look at another element than was asked for."""
        second = Condition(("ranks", 1), one_of=("AT",))
        shown = {"ranks": ["DE", "AT"]}  # of FR, DE, AT the first is hidden
        positions: dict[Path, tuple[int, ...]] = {("ranks",): (1, 2)}
        problem = second.judge(shown, AT, {}, positions)
        assert problem is not None
        assert problem.code == "conditions.not_met"
        assert Condition(("ranks", 1), one_of=("DE",)).judge(shown, AT, {}, positions) is None
        missing = Condition(("ranks", 0), one_of=("DE",)).judge(shown, AT, {}, positions)
        assert missing is not None
        assert missing.code == "conditions.claim_missing"

    def test_work_is_bounded(self) -> None:
        nested = {"a": [[0] * 300] * 300}
        problem = Condition(("a", None, None), one_of=(1,)).judge(nested, AT, {})
        assert problem is not None
        assert problem.code == "conditions.claim_missing"
        assert Condition(("a", 0, None), one_of=(0,)).judge(nested, AT, {}) is None

    def test_every_format_of_an_ask_is_judged(self) -> None:
        both = ASK.replace("claims", 'formats = ["dc+sd-jwt", "mso_mdoc"]\nclaims')
        text = (HEAD + both + "[accept.card]\nage_over_18 = true\n" + TRUST).encode()
        found = policy.read(text, types=TYPES, load=FILES.__getitem__, formats=("dc+sd-jwt", "mso_mdoc"))
        space = TYPES["residency"].names["mso_mdoc"]["namespace"]
        assert found.conditions["card"][0].claim == ("age_over_18",)
        assert found.conditions["card-mso_mdoc"][0].claim == (space, "age_over_18")
        plain = policy.read(
            text.replace(b".card]", b"]"), types=TYPES, load=FILES.__getitem__, formats=("dc+sd-jwt", "mso_mdoc")
        )
        assert plain.conditions == found.conditions

    @pytest.mark.parametrize(
        "value",
        ['{ min = "2026-02-31" }', "{}", "{ min = true }",
         '{ min = "soon" }', '{ given = "" }', "{ given = 1 }", '{ give = "x" }',
         "[[1]]", "2026-01-01T00:00:00Z", "{ min = 1, maximum = 2 }", '{ min = [1] }', "[2026-01-01]"],
    )  # fmt: skip
    def test_what_cannot_be_judged(self, value: str) -> None:
        assert wrong(HEAD + ASK + f"[accept]\nresident_since_year = {value}\n" + TRUST) == "policy.condition"

    def test_unasked(self) -> None:
        assert wrong(HEAD + ASK + "[accept]\nbirthdate = 1\n" + TRUST) == "policy.unasked"
        assert wrong(HEAD + ASK + "[accept.card]\nbirthdate = 1\n" + TRUST) == "policy.unasked"
        assert read(HEAD + ASK + "[accept.card]\nage_over_18 = true\n" + TRUST).conditions.keys() == {"card"}

    def test_the_table_of_one_ask(self) -> None:
        text = (
            HEAD + '[[ask]]\nid = "a"\ntype = "age"\nclaims = ["age_over_18"]\n'
            '[[ask]]\nid = "b"\ntype = "residency"\nclaims = ["age_over_18"]\n'
        )
        both = read(text + "[accept]\nage_over_18 = true\n" + TRUST).conditions
        assert both.keys() == {"a", "b"}
        one = read(text + "[accept.b]\nage_over_18 = true\n" + TRUST).conditions
        assert one.keys() == {"b"}


SMALL = {
    "id": "small", "title": {"en": "Small"}, "lifetime": "1 day", "copies": 1, "status": "none",
    "names": {"dc+sd-jwt": {"vct": "urn:small"}},
    "claims": {
        "level": {"schema": {"type": "integer", "enum": [2, 4]}, "shown": "choice", "labels": {"en": "l"}},
        "one": {"schema": {"type": "integer", "const": 1}, "shown": "choice", "labels": {"en": "l"}},
        "free": {"schema": {"type": "integer"}, "shown": "choice", "labels": {"en": "l"}},
        "tags": {"schema": {"type": "array", "items": {"type": "string", "maxLength": 3}}, "shown": "choice",
                 "labels": {"en": "l"}},
        "tags[]": {"schema": {"type": "string", "maxLength": 3}, "shown": "choice", "labels": {"en": "l"}},
        "yes": {"schema": {"type": "boolean", "const": True}, "shown": "choice", "labels": {"en": "l"}},
        "site": {"schema": {"type": "string", "format": "uri"}, "shown": "choice", "labels": {"en": "l"}},
        "note": {"schema": {"type": "string"}, "shown": "choice", "labels": {"en": "l"}},
    },
}  # fmt: skip
ASK_SMALL = '[ask]\ntype = "small"\nclaims = ["level", "one", "free", "tags", "tags[]", "yes", "site", "note"]\n'


class TestConditionsThatCanNeverHold:
    """Each with the value beside it that can."""

    @staticmethod
    def code(claim: str, value: str, ask: str = HEAD + ALL, **more: Any) -> str:
        try:
            read(f'{ask}[accept]\n"{claim}" = {value}\n{TRUST}', **more)
        except Misuse as error:
            return error.code
        return "can hold"

    @pytest.mark.parametrize(
        ("claim", "never", "code", "possible"),
        [
            ("age_over_18", '"true"', "policy.never_type", "true"),
            ("age_over_18", "1", "policy.never_type", "false"),
            ("age_over_18", '[true, "true"]', "policy.never_type", "[true, false]"),
            ("resident_since_year", '"2011"', "policy.never_type", "2011"),
            ("resident_since_year", "true", "policy.never_type", "1850"),
            ("resident_since_year", "2011.5", "policy.never_type", "2011.0"),
            ("resident_since_year", "nan", "policy.never_type", "2200"),
            ("resident_since_year", "1849", "policy.never_value", "1850"),
            ("resident_since_year", "2201", "policy.never_value", "2200"),
            ("address.locality", "88131", "policy.never_type", '"88131"'),
            ("address.locality", '""', "policy.never_value", '"L"'),
            ("address.locality", '"' + "x" * 151 + '"', "policy.never_value", '"' + "x" * 150 + '"'),
            ("address.country", '["DE", "at"]', "policy.never_value", '["DE", "AT"]'),
            ("address", '"Lindau"', "policy.never_type", None),
            ("birthdate", '"1990-02-31"', "policy.never_value", '"1990-02-28"'),
            ("birthdate", '"31.12.1990"', "policy.never_value", '"1990-12-31"'),
            ("age_over_18", "[]", "policy.never_empty", "[true]"),
            ("birthdate", "[]", "policy.never_empty", '["1990-12-31"]'),
            ("age_over_18", "{ min = 18 }", "policy.never_ordered", "true"),
            ("address.locality", '{ min = "today" }', "policy.never_ordered", '"Lindau"'),
            ("address", "{ max = 3 }", "policy.never_ordered", None),
            ("birthdate", "{ min = 1990 }", "policy.never_type", "{ min = 1990-01-01 }"),
            ("resident_since_year", '{ min = "today" }', "policy.never_type", "{ min = 2026 }"),
            ("resident_since_year", '{ min = 2000, max = "today" }', "policy.never_type", "{ min = 2000, max = 2026 }"),
            ("resident_since_year", "{ min = 2001, max = 2000 }", "policy.never_range", "{ min = 2000, max = 2000 }"),
            ("resident_since_year", "{ min = 2201 }", "policy.never_range", "{ min = 2200 }"),
            ("resident_since_year", "{ max = 1849 }", "policy.never_range", "{ max = 1850 }"),
            ("resident_since_year", "{ min = 2000.2, max = 2000.8 }", "policy.never_range",
             "{ min = 1999.2, max = 2000.8 }"),
            ("resident_since_year", "{ min = nan }", "policy.never_range", "{ min = 1900 }"),
            ("resident_since_year", "{ max = nan }", "policy.never_range", "{ max = 1900 }"),
            ("resident_since_year", "{ min = inf }", "policy.never_range", "{ min = -inf, max = inf }"),
            ("birthdate", "{ min = 1990-01-02, max = 1990-01-01 }", "policy.never_range",
             "{ min = 1990-01-01, max = 1990-01-01 }"),
            ("birthdate", '{ min = "today", max = "today-1d" }', "policy.never_range",
             '{ min = "today", max = "today" }'),
            ("birthdate", '{ min = "today+2d", max = "today+1d" }', "policy.never_range",
             '{ min = "today-2d", max = "today-1d" }'),
            ("age_over_18", '{ given = "age" }', "policy.never_given", "true"),
            ("resident_since_year", '{ given = "year" }', "policy.never_given", "2000"),
        ],
    )  # fmt: skip
    def test_against_the_type(self, claim: str, never: str, code: str, possible: str | None) -> None:
        assert self.code(claim, never) == code
        if possible is not None:
            assert self.code(claim, possible) == "can hold"

    @pytest.mark.parametrize(
        ("claim", "never", "code", "possible"),
        [
            ("level", "3", "policy.never_value", "4"),
            ("level", "{ min = 3, max = 3 }", "policy.never_range", "{ min = 3, max = 4 }"),
            ("level", "{ min = 5 }", "policy.never_range", "{ min = 4 }"),
            ("level", "{ max = 1 }", "policy.never_range", "{ max = 2 }"),
            ("one", "2", "policy.never_value", "1"),
            ("one", "{ min = 2, max = 3 }", "policy.never_range", "{ min = 1, max = 3 }"),
            ("free", "{ min = 3, max = 2 }", "policy.never_range", "{ min = 2 }"),
            ("free", "{ max = -inf }", "policy.never_range", "{ max = -5 }"),
            ("free", "2.5", "policy.never_type", "-3"),
            ("tags[]", '"long"', "policy.never_value", '"tag"'),
            ("tags", '"tag"', "policy.never_type", None),
            ("tags", '{ given = "tag" }', "policy.never_given", None),
            ("tags[]", "{ max = 3 }", "policy.never_ordered", '{ given = "tag" }'),
            ("yes", "false", "policy.never_value", "true"),
            ("site", '"lindau"', "policy.never_value", '"https://lindau.example"'),
            ("note", "1", "policy.never_type", '"anything"'),
        ],
    )
    def test_every_keyword(self, claim: str, never: str, code: str, possible: str | None) -> None:
        types = {"small": credential_type.read(json.dumps(SMALL))}
        assert self.code(claim, never, HEAD + ASK_SMALL, types=types) == code
        if possible is not None:
            assert self.code(claim, possible, HEAD + ASK_SMALL, types=types) == "can hold"

    def test_what_is_said(self) -> None:
        with pytest.raises(Misuse) as found:
            read(HEAD + ALL + '[accept.card]\nage_over_18 = "true"\n' + TRUST)
        assert found.value.problem.where == "$.accept.card"
        assert found.value.problem.facts == {"claim": "age_over_18", "expected": "true or false", "found": '"true"'}
        with pytest.raises(Misuse) as found:
            read(HEAD + ALL + "[accept]\nresident_since_year = { min = 2001, max = 2000 }\n" + TRUST)
        said = explain(found.value.problem)
        assert said.text == (
            "the condition on resident_since_year can never hold: "
            "nothing from 2001 to 2000 is a whole number, 1850 to 2200"
        )
        assert said.hint

    def test_what_is_expected(self) -> None:
        kind = credential_type.read(json.dumps(SMALL))
        said = {name: possible.expected(rule.schema) for (name, *_), rule in kind.claims.items()}
        said["tags"] = possible.expected(kind.claims[("tags",)].schema)
        assert said == {
            "level": "one of 2, 4", "one": "only 1", "free": "a whole number", "tags": "a list", "yes": "only true",
            "site": "an absolute URI", "note": "text",
        }  # fmt: skip
        assert possible.schema_at(kind, ("tags", 0)) == {"type": "string", "maxLength": 3}
        assert possible.schema_at(kind, ("tags", "x")) is possible.schema_at(kind, ("more",)) is None
        assert possible.schema_at(kind, ("note", None)) is None
        assert possible.expected({"type": "string", "minLength": 3}) == "text of at least 3 characters"
        assert possible.expected({"type": "string", "maxLength": 3}) == "text of at most 3 characters"

    def test_every_ask_and_each_of_several_is_judged(self) -> None:
        asks = (
            HEAD + '[[ask]]\nid = "a"\ntype = "age"\nclaims = ["age_over_18"]\n'
            '[[ask]]\nid = "b"\ntype = "residency"\nclaims = ["age_over_18", "birthdate"]\n'
        )
        assert self.code("birthdate", "[]", asks) == "policy.never_empty"
        assert self.code("birthdate", '"1990-12-10"', asks) == "can hold"

    def test_of_a_dcql_file(self) -> None:
        """Where it asks for a type that is known; for others only what contradicts itself is noticed."""
        known = {**FILES, "query.json": FILES["query.json"].replace(b"urn:x", b"urn:cityid:residency:1")}
        ask = HEAD + 'dcql = "query.json"\n'
        assert self.code("age_over_18", '"true"', ask, files=known) == "policy.never_type"
        assert self.code("age_over_18", "true", ask, files=known) == "can hold"
        assert self.code("age_over_18", '"true"', ask) == "can hold"
        assert self.code("age_over_18", "[]", ask) == "policy.never_empty"
        assert self.code("age_over_18", '["true"]', ask) == "can hold"
        for never in ("{ min = 2, max = 1 }", '{ min = 2, max = "today" }', "{ min = nan }"):
            assert self.code("age_over_18", never, ask) == "policy.never_range"
        for fine in ("{ min = 1, max = 2 }", '{ min = "today", max = 2020-01-01 }', '{ given = "x" }', "{ min = 2 }"):
            assert self.code("age_over_18", fine, ask) == "can hold"


class TestGiven:
    def test_filled_in(self) -> None:
        found = read(HEAD + ASK + '[accept]\n"address.locality" = { given = "town" }\n' + TRUST)
        assert found.with_given({"town": "Lindau"}).given == {"town": "Lindau"}
        with pytest.raises(Misuse) as unknown:
            found.with_given({"towns": "Lindau"})
        assert unknown.value.code == "policy.given_unknown"
        assert replace(found).given == {}
