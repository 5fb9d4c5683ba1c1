"""VC JSON Schema, as `cityid conformance json-schema` judges it: three outcomes, and nothing fetched."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any

import pytest

from cityid import json_schemas
from cityid.edge import conformance
from cityid.encoding import multibase
from cityid.formats.vc_jose import secured
from tests.vc_api import HOLDER, HOLDER_DID, HOLDER_METHOD, signed

NEW = "https://json-schema.org/draft/2020-12/schema"
DRAFTS = [NEW, "https://json-schema.org/draft/2019-09/schema", "http://json-schema.org/draft-07/schema#"]
CREDENTIAL: dict[str, Any] = {
    "@context": ["https://www.w3.org/ns/credentials/v2"],
    "type": ["VerifiableCredential"],
    "issuer": "did:example:issuer",
    "credentialSubject": {"id": "did:example:s", "emailAddress": "ada@lindau.example", "age": 36},
}


def schema(version: Any = NEW, **subject: Any) -> dict[str, Any]:
    made = {
        "$id": "https://city.example/schemas/email.json",
        "$schema": version,
        "type": "object",
        "properties": {
            "credentialSubject": {
                "type": "object",
                "properties": {"emailAddress": {"type": "string", "format": "email"}, **subject},
                "required": ["emailAddress"],
            }
        },
    }
    return {name: value for name, value in made.items() if value is not None}


def judged(found: Any, document: Any = CREDENTIAL, kind: str = "JsonSchema") -> tuple[str, str]:
    given = found if isinstance(found, bytes) else json.dumps(found).encode()
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    outcome = conformance.outcome(lambda: json_schemas.check(kind, given, data))
    return outcome.result, "" if outcome.data is None else outcome.data["code"]


def subject(**changed: Any) -> dict[str, Any]:
    return {**CREDENTIAL, "credentialSubject": {**CREDENTIAL["credentialSubject"], **changed}}


@pytest.mark.parametrize("version", DRAFTS)
class TestDrafts:
    def test_met(self, version: str) -> None:
        assert judged(schema(version, age={"minimum": 18})) == ("success", "")

    @pytest.mark.parametrize(
        "document",
        [subject(emailAddress=7), subject(age=17), subject(emailAddress="nobody"),
         {**CREDENTIAL, "credentialSubject": {"id": "did:example:s"}}],
    )  # fmt: skip
    def test_not_met(self, version: str, document: Any) -> None:
        assert judged(schema(version, age={"minimum": 18}), document) == ("failure", "schema.violated")

    def test_no_schema(self, version: str) -> None:
        assert judged(schema(version, age={"minimum": "x"})) == ("failure", "schema.not_a_schema")


class TestVersions:
    @pytest.mark.parametrize("version", [None, 7, "", "http://json-schema.org/draft-04/schema#", NEW + "x"])
    def test_others_are_no_answer(self, version: Any) -> None:
        assert judged(schema(version)) == ("indeterminate", "schema.version")


class TestReferences:
    def test_into_the_schema(self) -> None:
        found = schema(age={"$ref": "#/$defs/adult"}) | {"$defs": {"adult": {"minimum": 18}}}
        assert judged(found) == ("success", "")
        assert judged(found, subject(age=17)) == ("failure", "schema.violated")

    @pytest.mark.parametrize("url", ["https://city.example/age.json", "#/$defs/nowhere", "file:///etc/passwd"])
    def test_to_elsewhere(self, url: str) -> None:
        assert judged(schema(age={"$ref": url})) == ("indeterminate", "schema.reference")

    def test_in_a_circle(self) -> None:
        assert judged(schema(age={"$ref": "#/$defs/a"}) | {"$defs": {"a": {"$ref": "#/$defs/a"}}})[0] == "failure"


class TestPatterns:
    @pytest.mark.parametrize(
        "pattern", ["^[a-z]+@[a-z.]+$", "ada|bob", "(ada)@lindau", "^.*@.*[.]example$", "a{1,3}", "^(?=a)ada"]
    )
    def test_ordinary_ones(self, pattern: str) -> None:
        for rule in ("pattern", "patternProperties"):
            found: Any = {rule: pattern if rule == "pattern" else {pattern: {}}}
            assert judged(schema(emailAddress=found))[0] == "success"

    @pytest.mark.parametrize(
        "pattern",
        ["(a+)+$", "(a|a)*$", "(a*b?)*", "(.*)*", r"(a)\1", "[", "(?>a)", "a" * 1001, "a?" * 40 + "a" * 40],
    )
    def test_those_that_could_take_long(self, pattern: str) -> None:
        begun = time.process_time()
        found = judged(schema(emailAddress={"pattern": pattern}), subject(emailAddress="a" * 40 + "!"))
        assert found == ("indeterminate", "schema.pattern")
        assert time.process_time() - begun < 0.25

    def test_longer_texts_allow_fewer_repetitions(self) -> None:
        found = schema(emailAddress={"pattern": "^.*@.*$"})
        assert judged(found) == ("success", "")
        assert judged(found, subject(note="x" * 10_000)) == ("indeterminate", "schema.pattern")


class TestDigests:
    """VCDM 2.0 §5.3: over the very bytes."""

    def test_of_the_schema(self) -> None:
        data = json.dumps(schema()).encode()
        digest = b"\x12\x20" + hashlib.sha256(data).digest()
        entries = [
            {"digestSRI": f"{name}-{base64.b64encode(hashlib.new(name, data).digest()).decode()}"}
            for name in ("sha256", "sha384", "sha512")
        ]
        entries += [{"digestMultibase": multibase.encode(digest)},
                    {"digestMultibase": "u" + base64.urlsafe_b64encode(digest).decode().rstrip("=")}]  # fmt: skip
        for entry in entries:
            document = {**CREDENTIAL, "credentialSchema": {"type": "JsonSchema", "id": "https://x.example", **entry}}
            assert judged(data, document) == ("success", "")
            assert judged(data + b" ", document) == ("failure", "schema.digest")
            assert judged(data, {**document, "credentialSchema": [document["credentialSchema"]]})[0] == "success"

    @pytest.mark.parametrize(
        "entry", [{"digestSRI": "md5-AAAA"}, {"digestSRI": "md5-"}, {"digestSRI": "sha256"}, {"digestMultibase": "z"}]
    )
    def test_of_other_kinds(self, entry: Any) -> None:
        document = {**CREDENTIAL, "credentialSchema": entry}
        assert judged(schema(), document) == ("failure", "schema.digest")


class TestSchemaCredentials:
    def wrapped(self, **changed: Any) -> dict[str, Any]:
        return {
            "@context": ["https://www.w3.org/ns/credentials/v2"],
            "type": ["VerifiableCredential", "JsonSchemaCredential"],
            "issuer": "did:example:issuer",
            "credentialSubject": {"id": "https://city.example/s", "type": "JsonSchema", "jsonSchema": schema()},
            **changed,
        }

    def test_judged_by_what_is_in_it(self) -> None:
        assert judged(self.wrapped(), kind="JsonSchemaCredential") == ("success", "")
        bad = subject(emailAddress=7)
        assert judged(self.wrapped(), bad, "JsonSchemaCredential") == ("failure", "schema.violated")

    def test_its_proof_where_it_has_one(self) -> None:
        good = signed(self.wrapped(), proofPurpose="assertionMethod", cryptosuite="eddsa-jcs-2022")
        assert judged(good, kind="JsonSchemaCredential") == ("success", "")
        assert judged({**good, "issuer": "did:example:x"}, kind="JsonSchemaCredential")[1] == "signature.invalid"
        history = "did:webvh:QmfGEUAcMpzo25kF2Rhn8L5FAXysfGnkzjwdKoNPi615XQ:city.example"
        for did in ("did:web:city.example", history):
            elsewhere = {**good["proof"], "verificationMethod": f"{did}#key-1"}
            found = judged({**good, "proof": elsewhere}, kind="JsonSchemaCredential")
            assert found == ("indeterminate", "net.offline")

    @pytest.mark.parametrize("media", ["vc+jwt", "vc+sd-jwt", "vc+cose"])
    def test_secured_around(self, media: str) -> None:
        """VC JSON Schema §2.2, VCDM 2.0 §4.13.1: as JWT, and in an envelope."""
        raw = secured.sign(self.wrapped(issuer=HOLDER_DID), media, HOLDER, kid=HOLDER_METHOD)
        forms: list[Any] = [secured.envelope(raw, media), *([raw, raw + b"\n"] if media == "vc+jwt" else [])]
        for form in forms:
            assert judged(form, kind="JsonSchemaCredential") == ("success", "")
            bad = subject(emailAddress=7)
            assert judged(form, bad, "JsonSchemaCredential") == ("failure", "schema.violated")

    def test_whose_key(self) -> None:
        def told(issuer: Any, kid: str = HOLDER_METHOD, **more: Any) -> tuple[str, str]:
            raw = secured.sign(self.wrapped(issuer=issuer), "vc+jwt", HOLDER, kid=kid, **more)
            return judged(raw, kind="JsonSchemaCredential")

        other = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
        assert told({"id": HOLDER_DID}, "") == ("success", "")
        assert told(other, f"{other}#{other[8:]}") == ("failure", "signature.invalid")
        assert told(7, "") == ("failure", "w3c.no_key_mechanism")
        assert told("did:web:city.example", "did:web:city.example#1") == ("indeterminate", "net.offline")
        assert told(HOLDER_DID, "", chain=(b"0",)) == ("failure", "trust.unknown_issuer")

    def test_what_is_none(self) -> None:
        for changed in (
            {"type": ["VerifiableCredential"]},
            {"type": "JsonSchemaCredential"},
            {"credentialSubject": {"type": "Other", "jsonSchema": schema()}},
        ):
            wrapped = {**self.wrapped(), **changed}
            assert judged(wrapped, kind="JsonSchemaCredential") == ("failure", "schema.not_a_schema")
        found = judged(self.wrapped(credentialSubject={"type": "JsonSchema"}), kind="JsonSchemaCredential")
        assert found == ("failure", "json.missing")
        assert judged(schema(), kind="JsonSchemaCredential")[0] == "failure"


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"a":1,"a":1}'])
def test_no_json(data: bytes) -> None:
    assert judged(data)[0] == judged(schema(), data)[0] == "failure"
