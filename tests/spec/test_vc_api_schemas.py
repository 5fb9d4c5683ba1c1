"""VC-API: credentials that name a JSON Schema (VC JSON Schema §2), judged by those that the configuration names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cityid.edge import vc_api_file
from cityid.errors import Misuse
from tests.vc_api import HOLDER_DID, Server, configured, contexts, credential, presentation, signed

URL = "https://university.example/degree.json"
NEW = "https://json-schema.org/draft/2020-12/schema"
SCHEMA = {"$schema": NEW, "properties": {"name": {"type": "string", "maxLength": 6}}}
IN_A_CREDENTIAL = {
    "@context": ["https://www.w3.org/ns/credentials/v2"], "type": ["VerifiableCredential", "JsonSchemaCredential"],
    "issuer": HOLDER_DID, "id": URL, "credentialSubject": {"type": "JsonSchema", "jsonSchema": SCHEMA},
}  # fmt: skip
NAME = "eddsa-jcs-2022"


def server(schema: Any, **options: str) -> Server:
    """One that has `schema` at hand."""
    text = configured(**options).replace("\n[options]", f'\n[schemas]\n"{URL}" = "degree.json"\n\n[options]')
    made = Server()
    files = {"degree.json": json.dumps(schema).encode()}
    made.service = vc_api_file.read(text.encode(), contexts(), beside=files.__getitem__).service
    return made


@pytest.fixture(scope="module")
def issued() -> dict[str, Any]:
    """The same credential in an envelope, and with its proof inside; each with a good and with a bad name."""
    plain = Server()
    made = {}
    for name in (NAME, "jwt"):
        for word in ("short", "too long"):
            entry = {"type": "JsonSchema", "id": URL}
            bare = credential(plain.issuer(name), name=word, credentialSchema=entry)
            made[f"{name} {word}"] = plain.issued(name, bare)
    return made


def codes(answer: Any, member: str) -> list[str]:
    return [one["code"] for one in answer.body[member]]


@pytest.mark.parametrize("name", [NAME, "jwt"])
class TestVerify:
    def test_judged(self, issued: dict[str, Any], name: str) -> None:
        found = server(SCHEMA)
        answer = found.verify(issued[f"{name} short"])
        assert (answer.status, answer.body["warnings"]) == (200, [])
        answer = found.verify(issued[f"{name} too long"])
        assert (answer.status, answer.code, answer.body["title"]) == (400, "schema.violated", "MALFORMED_VALUE_ERROR")

    def test_not_at_hand(self, issued: dict[str, Any], name: str) -> None:
        """A warning, or a *no*: as the options say."""
        answer = Server().verify(issued[f"{name} short"])
        assert (answer.status, codes(answer, "warnings")) == (200, ["schema.not_at_hand"])
        answer = Server(configured(schemas='"refuse"')).verify(issued[f"{name} short"])
        assert (answer.status, answer.code) == (400, "schema.not_at_hand")
        assert server(SCHEMA, schemas='"refuse"').verify(issued[f"{name} short"]).status == 200

    def test_in_a_presentation(self, issued: dict[str, Any], name: str) -> None:
        shown = signed(presentation(issued[f"{name} short"]))
        assert server(SCHEMA).verify_presentation(shown).body["warnings"] == []
        answer = Server().verify_presentation(shown)
        assert (answer.status, codes(answer, "warnings")) == (200, ["schema.not_at_hand"])
        bad = signed(presentation(issued[f"{name} too long"]))
        assert server(SCHEMA).verify_presentation(bad).code == "schema.violated"


class TestSchemaCredentials:
    def judged(self, at_hand: Any, word: str = "short") -> Any:
        entry = {"type": "JsonSchemaCredential", "id": URL}
        made = signed(credential(HOLDER_DID, name=word, credentialSchema=entry), proofPurpose="assertionMethod")
        return server(at_hand).verify(made)

    def test_judged(self) -> None:
        secured = signed(IN_A_CREDENTIAL, proofPurpose="assertionMethod")
        for at_hand in (IN_A_CREDENTIAL, secured):
            assert self.judged(at_hand).body["warnings"] == []
            assert self.judged(at_hand, "too long").code == "schema.violated"

    def test_one_whose_proof_is_bad(self) -> None:
        secured = signed(IN_A_CREDENTIAL, proofPurpose="assertionMethod")
        assert self.judged({**secured, "name": "x"}).code == "signature.invalid"
        assert self.judged(secured).status == 200

    def test_one_whose_key_cannot_be_had(self) -> None:
        method = "did:web:university.example#key-1"
        answer = self.judged(signed(IN_A_CREDENTIAL, proofPurpose="assertionMethod", verificationMethod=method))
        assert (answer.status, codes(answer, "warnings")) == (200, ["net.offline"])

    def test_a_schema_where_a_credential_should_be(self) -> None:
        assert self.judged(SCHEMA).status == 400


class TestConfiguration:
    def test_files_that_there_are_not(self) -> None:
        text = configured().replace("\n[options]", f'\n[schemas]\n"{URL}" = "degree.json"\n\n[options]')
        with pytest.raises(Misuse) as no:
            vc_api_file.read(text.encode(), contexts())
        assert no.value.code == "file.not_found"
        with pytest.raises(Misuse) as no:
            vc_api_file.read(text.replace('"degree.json"', "1").encode(), contexts())
        assert no.value.code == "json.wrong_type"
