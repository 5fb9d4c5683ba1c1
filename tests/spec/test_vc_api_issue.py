"""VC-API: `POST /issuers/NAME/credentials/issue`, for each cryptosuite and kind of key, as the public suites ask."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from cityid.encoding import base64url
from tests.vc_api import (
    HIDING,
    HOLDER_DID,
    INSIDE,
    NOW,
    V1,
    V2,
    Server,
    configured,
    credential,
    names,
    signed,
    suites,
    tampered,
)  # fmt: skip

EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
DATA_INTEGRITY = "https://w3id.org/security/data-integrity/v2"
STATUS = "https://www.w3.org/ns/credentials/status/v1"


@pytest.fixture(scope="module")
def server() -> Server:
    return Server()


@pytest.fixture(scope="module")
def lenient() -> Server:
    return Server(configured(controller='"any"', contexts='"inline"'))


def v1(issuer: str, **changed: Any) -> dict[str, Any]:
    members = {"issuanceDate": "2026-01-01T00:00:00Z", "__context": [V1], **changed}
    return credential(issuer, **members)


class TestAnswers:
    @pytest.mark.parametrize("name", INSIDE)
    def test_a_credential_with_its_proof(self, server: Server, name: str) -> None:
        asked = credential(server.issuer(name), id="urn:uuid:7d0a8f8c-7e1b-4b60-9ed1-0c6a2ab34b1d")
        answer = server.issue(name, asked)
        assert (answer.status, list(answer.body)) == (201, ["verifiableCredential"])
        made = dict(answer.body["verifiableCredential"])
        proof = made.pop("proof")
        if name == "bitstring":
            made.pop("credentialStatus")
        assert made == asked
        did = server.issuer(name)
        assert proof["type"] == "DataIntegrityProof"
        assert proof["cryptosuite"] == suites()[name]
        assert proof["verificationMethod"] == f"{did}#{did.removeprefix('did:key:')}"
        assert proof["proofPurpose"] == "assertionMethod"
        assert proof["created"] == "2026-11-23T12:00:00Z"
        assert proof["proofValue"][0] == "z"

    def test_an_envelope(self, server: Server) -> None:
        made = server.issued("jwt", credential(server.issuer("jwt"), name="A card"))
        assert made["@context"] == V2
        assert made["type"] == "EnvelopedVerifiableCredential"
        head, _, body = made["id"].partition(",")
        header, payload, signature = body.split(".")
        assert head == "data:application/vc+jwt"
        read = json.loads(base64url.decode(header))
        assert (read["typ"], read["cty"], read["alg"]) == ("vc+jwt", "vc", "ES256")
        assert read["kid"].startswith(server.issuer("jwt") + "#")
        assert json.loads(base64url.decode(payload)) == credential(server.issuer("jwt"), name="A card")
        assert len(base64.urlsafe_b64decode(signature + "==")) == 64

    def test_bare_where_the_options_say_so(self) -> None:
        server = Server(configured(answer='"bare"'))
        answer = server.issue("eddsa-jcs-2022", credential(server.issuer("eddsa-jcs-2022")))
        assert (answer.status, answer.body["type"]) == (201, ["VerifiableCredential"])

    def test_without_options_or_id(self, server: Server) -> None:
        body = {"credential": credential(server.issuer("eddsa-rdfc-2022")), "options": {"unknown": [1]}}
        assert server("POST", "/issuers/eddsa-rdfc-2022/credentials/issue", body).status == 201
        assert "id" not in body["credential"]


@pytest.mark.parametrize("name", INSIDE)
class TestVcdm11:
    def test_the_context_of_the_proof_is_appended(self, server: Server, name: str) -> None:
        made = server.issued(name, v1(server.issuer(name)))
        assert made["@context"] == [V1, DATA_INTEGRITY, *([STATUS] if name == "bitstring" else [])]
        assert server.verify(made).status == 200

    def test_not_twice(self, server: Server, name: str) -> None:
        made = server.issued(name, v1(server.issuer(name), __context=[V1, DATA_INTEGRITY, STATUS]))
        assert made["@context"] == [V1, DATA_INTEGRITY, STATUS]


def test_vcdm_11_in_no_envelope(server: Server) -> None:
    answer = server.issue("jwt", v1(server.issuer("jwt")))
    assert (answer.status, answer.code) == (400, "vc_jose.version")


# What is wrong, with the member that is; each has a good twin in `GOOD`.
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no context": ({"__context": None}, ""),
    "an empty context": ({"__context": []}, ""),
    "another context first": ({"__context": [EXAMPLES, V2]}, ""),
    "a context that nobody knows": ({"__context": [V2, "https://example.org/unknown/v1"]}, "context.unknown"),
    "a relative context": ({"__context": [V2, "examples/v2"]}, ""),
    "an inline context": ({"__context": [V2, {"a": "https://example.org/a"}]}, "vc_api.context"),
    "no type": ({"type": None}, ""),
    "another type alone": ({"type": ["AlumniCredential"]}, ""),
    "an undefined type": ({"type": ["VerifiableCredential", "NobodyKnows"]}, "jsonld.relative"),
    "an undefined term": ({"nobodyKnows": "x"}, "jsonld.dropped"),
    "an undefined term inside": ({"credentialSubject": {"id": "did:example:s", "nobodyKnows": 1}}, "jsonld.dropped"),
    "no issuer": ({"issuer": None}, ""),
    "an issuer that is no URL": ({"issuer": "nobody"}, ""),
    "an issuer without id": ({"issuer": {"name": "Nobody"}}, ""),
    "an issuer of null": ({"issuer": {"id": None}}, ""),
    "somebody else": ({"issuer": "did:example:else"}, "vc_api.issuer"),
    "no subject": ({"credentialSubject": None}, ""),
    "an empty subject": ({"credentialSubject": {}}, ""),
    "no subjects": ({"credentialSubject": []}, ""),
    "a subject that is text": ({"credentialSubject": "did:example:s"}, ""),
    "an id that is no URL": ({"id": "not a url"}, ""),
    "several ids": ({"id": ["urn:a:1", "urn:a:2"]}, ""),
    "a date without time zone": ({"validFrom": "2026-01-01T00:00:00"}, ""),
    "a date that is none": ({"validUntil": "2026-02-30T00:00:00Z"}, ""),
    "an end before the beginning": ({"validFrom": "2026-02-01T00:00:00Z", "validUntil": "2026-01-01T00:00:00Z"}, ""),
    "a status without type": ({"credentialStatus": {"id": "https://city.example/status/1"}}, ""),
    "a schema without id": ({"credentialSchema": {"type": "JsonSchema"}}, ""),
    "a schema without type": ({"credentialSchema": {"id": "https://city.example/schema.json"}}, ""),
    "evidence without type": ({"evidence": {"id": "https://city.example/evidence"}}, ""),
    "terms of use without type": ({"termsOfUse": [{"id": "https://city.example/terms"}]}, ""),
    "a refresh service without type": ({"refreshService": {"id": "https://city.example/refresh"}}, ""),
    "a name that is a number": ({"name": 1}, ""),
    "a proof that is none": ({"proof": "z58DAdFfa9"}, ""),
    "proofs that are none": ({"proof": [{}]}, ""),
}
GOOD: dict[str, dict[str, Any]] = {
    "one type": {"type": "VerifiableCredential"},
    "the examples' context": {
        "__context": [V2, EXAMPLES], "type": ["VerifiableCredential", "ExampleAlumniCredential"],
        "credentialSubject": {"id": "did:example:s", "alumniOf": "The University"},
    },
    "several subjects": {"credentialSubject": [{"id": "did:example:a"}, {"id": "did:example:b"}]},
    "a subject without id": {"credentialSubject": {"name": "Ada"}},
    "dates": {"validFrom": "2026-01-01T00:00:00Z", "validUntil": "2027-01-01T00:00:00+01:00"},
    "an ended one": {"validUntil": "2020-01-01T00:00:00Z"},
    "a name in languages": {"name": [{"@value": "Karte", "@language": "de"}, {"@value": "Card", "@language": "en"}]},
    "an unknown status": {
        "__context": [V2, EXAMPLES],
        "credentialStatus": {"id": "https://city.example/status/1", "type": "https://city.example/StatusOfOurs"},
    },
    "evidence": {"evidence": {"id": "https://city.example/evidence", "type": "https://city.example/Evidence"}},
}  # fmt: skip


class TestDocuments:
    """VCDM 2.0 §4, as an issuer keeps it; the rules themselves are `test_vcdm`."""

    @pytest.mark.parametrize("name", ["eddsa-rdfc-2022", "eddsa-jcs-2022", "jwt"])
    @pytest.mark.parametrize("case", BAD)
    def test_refused(self, server: Server, case: str, name: str) -> None:
        changed, code = BAD[case]
        answer = server.issue(name, credential(server.issuer(name), **changed))
        assert answer.status == 400, answer.body
        assert code in ("", answer.code)

    @pytest.mark.parametrize("name", ["eddsa-rdfc-2022", "eddsa-jcs-2022", "jwt"])
    @pytest.mark.parametrize("case", GOOD)
    def test_issued(self, server: Server, case: str, name: str) -> None:
        server.issued(name, credential(server.issuer(name), **GOOD[case]))

    def test_an_issuer_that_is_an_object(self, server: Server) -> None:
        did = server.issuer("eddsa-rdfc-2022")
        made = server.issued("eddsa-rdfc-2022", credential("", issuer={"id": did, "name": "Lindau"}))
        assert made["issuer"] == {"id": did, "name": "Lindau"}

    @pytest.mark.parametrize("found", [None, [], "text", 1])
    def test_a_credential_that_is_no_object(self, server: Server, found: Any) -> None:
        answer = server("POST", "/issuers/jwt/credentials/issue", {"credential": found})
        assert (answer.status, answer.code) == (400, "json.wrong_type")

    @pytest.mark.parametrize("found", [None, [], "text", 1, {"mandatoryPointers": "/issuer"}])
    def test_options_that_are_none(self, server: Server, found: Any) -> None:
        body = {"credential": credential(server.issuer("jwt")), "options": found}
        answer = server("POST", "/issuers/jwt/credentials/issue", body)
        assert answer.status == 400
        assert answer.code in ("json.wrong_type", "json.not_an_object")


class TestCredentialsWithProofs:
    @pytest.mark.parametrize("name", ["eddsa-rdfc-2022", "ecdsa-jcs-2019-p256"])
    def test_another_is_added(self, lenient: Server, name: str) -> None:
        first = signed(credential(HOLDER_DID), proofPurpose="assertionMethod")
        made = lenient.issued(name, first)
        assert made["proof"][0] == first["proof"]
        assert [one["cryptosuite"] for one in made["proof"]] == ["eddsa-rdfc-2022", suites()[name]]
        assert lenient.verify(made).status == 200
        assert lenient.verify({**made, "proof": [tampered(first)["proof"], made["proof"][1]]}).status == 400

    @pytest.mark.parametrize("name", ["jwt", *HIDING])
    def test_not_beside_what_stands_alone(self, lenient: Server, name: str) -> None:
        answer = lenient.issue(name, signed(credential(HOLDER_DID), proofPurpose="assertionMethod"))
        assert (answer.status, answer.code) == (400, "vc_api.secured")


class TestOptionsOfTheServer:
    def test_an_issuer_that_is_somebody_else(self, lenient: Server) -> None:
        made = lenient.issued("eddsa-rdfc-2022", credential("https://university.example/issuers/14"))
        assert lenient.verify(made).status == 200
        assert Server().verify(made).code == "trust.key_of_other"

    def test_inline_contexts(self, lenient: Server) -> None:
        did = lenient.issuer("eddsa-rdfc-2022")
        contexts = [V2, {"plate": "https://city.example/plate"}]
        made = lenient.issued("eddsa-rdfc-2022", credential(did, __context=contexts, plate="LI-AB 123"))
        assert lenient.verify(made).status == 200
        assert Server().verify(made).code == "vc_api.context"

    def test_a_vocabulary_for_all_words(self, lenient: Server) -> None:
        did = lenient.issuer("eddsa-jcs-2022")
        contexts = [V2, {"@vocab": "https://city.example/words#"}]
        made = lenient.issued("eddsa-jcs-2022", credential(did, __context=contexts, nobodyKnows="x"))
        assert lenient.verify(made).status == 200

    def test_what_is_protected_stays_so(self, lenient: Server) -> None:
        contexts = [V2, {"name": "https://city.example/name"}]
        answer = lenient.issue("eddsa-rdfc-2022", credential("did:example:x", __context=contexts))
        assert (answer.status, answer.code) == (400, "jsonld.error")

    def test_a_context_inside_of_the_document(self, server: Server, lenient: Server) -> None:
        inside = {"@context": {"plate": "https://city.example/plate"}, "plate": "LI-AB 123"}
        did = lenient.issuer("eddsa-rdfc-2022")
        document = credential(did, credentialSubject=[{"id": "did:example:s"}, inside])
        assert server.issue("eddsa-rdfc-2022", document).code == "vc_api.context"
        assert lenient.issue("eddsa-rdfc-2022", document).status == 201


def test_every_issuer_is_tried() -> None:
    assert set(names()) - set(INSIDE) <= {"jwt", "ecdsa-sd-2023", "bbs-2023"}
    assert NOW.tzinfo is not None
