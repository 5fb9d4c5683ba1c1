"""Cards that name a JSON Schema: a policy has those at hand by which its service judges, and nothing is fetched."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cityid import policy, verifying
from cityid.checks import Check, Outcome, Step
from cityid.credential import Unbound
from cityid.edge.recorded import offline
from cityid.errors import Misuse
from cityid.formats import FORMATS
from cityid.json_schemas import Schemas
from cityid.trust import TrustEntry, TrustList
from tests import w3c
from tests.credentials import START
from tests.sd_jwts import ISSUER

URL = "https://university.example/degree.json"
NEW = "https://json-schema.org/draft/2020-12/schema"
SCHEMA = {"$schema": NEW, "properties": {"credentialSubject": {"required": ["given_name"]}}}
OTHER = {"$schema": NEW, "properties": {"credentialSubject": {"required": ["family_name"]}}}
ENTRY = {"type": "JsonSchema", "id": URL}
QUERY = {"credentials": [{"id": "a", "format": "vc+jwt", "meta": {"type_values": [[w3c.VC]]},
                          "require_cryptographic_holder_binding": False}]}  # fmt: skip


def read(schemas: str = "", **files: Any) -> policy.Policy:
    def load(name: str) -> bytes:
        return json.dumps({"q": QUERY, **files}[name]).encode() if name != "t" else b""

    text = f'purpose = "x"\ndcql = "q"\n{schemas}\n[trust]\nlist = "t"'
    found = policy.read(text.encode(), types={}, formats=FORMATS, load=load)
    entry = TrustEntry("web", ("age",), web=w3c.WEB, keys={"issuer-1": ISSUER.public_key}, status="none")
    return replace(
        found,
        trust=TrustList((entry,), {"age": ("https://www.w3.org/ns/credentials/examples#ResidencyCredential", w3c.VC)}),
    )


def judged(asked: policy.Policy, **changed: Any) -> Check:
    """The step that a schema is asked about in."""
    made = w3c.document(**{"credentialSchema": ENTRY, "aud": None, **changed})
    raw = w3c.token(made)
    verdict = verifying.verify(raw, "vc+jwt", Unbound(), asked, START).run(offline)
    checks = {check.step: check for check in verdict.checks}
    assert bool(verdict) is (checks[Step.CONDITIONS].outcome is Outcome.PASSED), verdict
    return checks[Step.CONDITIONS]


AT_HAND = f'[schemas]\nfiles = {{ "{URL}" = "s" }}'


class TestJudged:
    def test_met(self) -> None:
        check = judged(read(AT_HAND, s=SCHEMA))
        assert (check.outcome, dict(check.facts)) == (Outcome.PASSED, {"schema": "met"})
        assert not judged(read(AT_HAND, s=SCHEMA), credentialSchema=None).facts

    @pytest.mark.parametrize("demand", ["", "\ndemand = true"])
    def test_violated(self, demand: str) -> None:
        check = judged(read(AT_HAND + demand, s=OTHER))
        assert check.problem is not None
        assert (check.outcome, check.problem.code) == (Outcome.FAILED, "schema.violated")

    def test_all_of_them(self) -> None:
        text = f'[schemas]\nfiles = {{ "{URL}" = "s", "{URL}x" = "o" }}'
        both = [ENTRY, {**ENTRY, "id": f"{URL}x"}]
        assert judged(read(text, s=SCHEMA, o=SCHEMA), credentialSchema=both).facts == {"schema": "met"}
        check = judged(read(text, s=SCHEMA, o=OTHER), credentialSchema=both)
        assert check.outcome is Outcome.FAILED

    @pytest.mark.parametrize(
        ("entry", "code"),
        [({"id": "https://else.example"}, "schema.not_at_hand"), ({"type": "XmlSchema"}, "schema.kind"),
         ({"type": ["XmlSchema", "ZkpSchema"]}, "schema.kind")],
    )  # fmt: skip
    def test_no_answer(self, entry: dict[str, Any], code: str) -> None:
        """Never a silent yes: by default it is said, by the policy's word it is no."""
        named = {**ENTRY, **entry}
        check = judged(read(AT_HAND, s=SCHEMA), credentialSchema=named)
        assert (check.outcome, dict(check.facts)) == (Outcome.PASSED, {"schema": "not judged", "reason": code})
        check = judged(read(AT_HAND + "\ndemand = true", s=SCHEMA), credentialSchema=named)
        assert check.problem is not None
        assert (check.outcome, check.problem.code) == (Outcome.UNDECIDED, code)
        assert judged(read(AT_HAND + "\ndemand = true", s=SCHEMA)).facts == {"schema": "met"}

    def test_schemas_in_a_language_that_is_not_known(self) -> None:
        check = judged(read(AT_HAND, s={"$schema": "https://else.example"}))
        assert check.facts == {"schema": "not judged", "reason": "schema.version"}

    def test_one_of_several_types(self) -> None:
        named = {**ENTRY, "type": ["XmlSchema", "JsonSchema"]}
        assert judged(read(AT_HAND, s=SCHEMA), credentialSchema=named).facts == {"schema": "met"}

    def test_whom_a_signature_is_for_is_no_part_of_the_card(self) -> None:
        exact = {**SCHEMA, "not": {"required": ["aud"]}}
        found = read(AT_HAND, s=exact)
        assert judged(found).facts == {"schema": "met"}
        document = {**w3c.document(credentialSchema=ENTRY), "aud": "x"}
        assert Schemas({URL: json.dumps(exact).encode()}).check(document).outcome is Outcome.FAILED


class TestPolicyFile:
    def test_read(self) -> None:
        found = read(AT_HAND, s=SCHEMA).schemas
        assert (dict(found.at_hand), found.demanded) == ({URL: json.dumps(SCHEMA).encode()}, False)
        assert read("[schemas]\ndemand = true").schemas == Schemas({}, demanded=True)
        assert read().schemas == Schemas()

    @pytest.mark.parametrize(
        ("text", "code"),
        [("[schemas]\nfile = {}", "json.unknown_member"), ("[schemas]\nfiles = []", "json.not_an_object"),
         ("[schemas]\nfiles = { a = 1 }", "json.wrong_type"), ("[schemas]\ndemand = 1", "json.wrong_type"),
         ("schemas = 1", "json.wrong_type")],
    )  # fmt: skip
    def test_refused(self, text: str, code: str) -> None:
        with pytest.raises(Misuse) as no:
            read(text)
        assert no.value.code == code
