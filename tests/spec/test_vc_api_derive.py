"""VC-API: `mandatoryPointers` and `POST /credentials/derive`, for the suites whose holders can hide."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cityid.plan import Response
from cityid.vc_api import hiding
from tests.vc_api import (
    HIDING,
    HOLDER_DID,
    NOW,
    V1,
    V2,
    Server,
    configured,
    contexts,
    credential,
    entropy,
    presentation,
    signed,
    tampered,
)

pytestmark = pytest.mark.parametrize("name", HIDING)
EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
COUNTED = ("sd.signature_count", "bbs.index_count")
"""What a statement more than was proved comes to."""


@pytest.fixture(scope="module")
def server() -> Server:
    return Server()


def card(server: Server, name: str) -> dict[str, Any]:
    return credential(
        server.issuer(name),
        __context=[V2, EXAMPLES],
        type=["VerifiableCredential", "ExampleAlumniCredential"],
        id="urn:uuid:7d0a8f8c-7e1b-4b60-9ed1-0c6a2ab34b1d",
        validFrom="2026-01-01T00:00:00Z",
        credentialSubject={"id": "did:example:s", "alumniOf": "The University", "name": "Ada"},
    )


def issued(server: Server, name: str) -> dict[str, Any]:
    made: dict[str, Any] = server.issued(name, card(server, name), mandatoryPointers=["/issuer", "/validFrom"])
    return made


class TestIssuing:
    def test_a_base_proof(self, server: Server, name: str) -> None:
        made = issued(server, name)
        assert made["proof"]["cryptosuite"] == name
        assert made["proof"]["proofValue"][0] == "u"

    def test_without_pointers(self, server: Server, name: str) -> None:
        assert server.issue(name, card(server, name)).status == 201
        assert server.issue(name, card(server, name), mandatoryPointers=[]).status == 201

    @pytest.mark.parametrize("pointers", [["/nowhere"], ["issuer"], ["/issuer/~2"], ["/credentialSubject/9"]])
    def test_pointers_to_nothing(self, server: Server, name: str, pointers: list[str]) -> None:
        answer = server.issue(name, card(server, name), mandatoryPointers=pointers)
        assert answer.status == 400

    @pytest.mark.parametrize("pointers", ["/issuer", [1], {"a": 1}])
    def test_pointers_of_a_wrong_type(self, server: Server, name: str, pointers: Any) -> None:
        answer = server.issue(name, card(server, name), mandatoryPointers=pointers)
        assert (answer.status, answer.code) == (400, "json.wrong_type")

    def test_a_base_proof_is_not_for_verifiers(self, server: Server, name: str) -> None:
        assert server.verify(issued(server, name)).status == 400


class TestDeriving:
    def test_what_is_chosen_and_what_is_mandatory(self, server: Server, name: str) -> None:
        answer = server.derive(issued(server, name), "/credentialSubject/alumniOf")
        assert answer.status == 201, answer.body
        made = answer.body["verifiableCredential"]
        assert made["credentialSubject"]["alumniOf"] == "The University"
        assert "name" not in made["credentialSubject"]
        assert (made["issuer"], made["validFrom"]) == (server.issuer(name), "2026-01-01T00:00:00Z")
        assert server.verify(made).status == 200
        shown = signed(presentation(made))
        assert server.verify_presentation(shown).status == 200

    def test_nothing_but_what_is_mandatory(self, server: Server, name: str) -> None:
        made = server.derive(issued(server, name)).body["verifiableCredential"]
        assert "alumniOf" not in str(made)

    def test_changed_afterwards(self, server: Server, name: str) -> None:
        made = server.derive(issued(server, name), "/credentialSubject/alumniOf").body["verifiableCredential"]
        subject = {**made["credentialSubject"], "alumniOf": "Another University"}
        assert server.verify({**made, "credentialSubject": subject}).status == 400
        assert server.verify({**made, "validFrom": "2025-01-01T00:00:00Z"}).status == 400
        assert server.verify(tampered(made)).status == 400

    @pytest.mark.parametrize("pointer", ["/nowhere", "nowhere", "/credentialSubject/3"])
    def test_pointers_to_nothing(self, server: Server, name: str, pointer: str) -> None:
        assert server.derive(issued(server, name), pointer).status == 400

    def test_what_the_issuer_did_not_sign(self, server: Server, name: str) -> None:
        made = issued(server, name)
        answer = server.derive({**made, "validFrom": "2025-01-01T00:00:00Z"}, "/validFrom")
        assert answer.status == 400
        assert answer.code in ("signature.invalid", "bbs2023.header")

    def test_what_is_derived_already(self, server: Server, name: str) -> None:
        made = server.derive(issued(server, name), "/id").body["verifiableCredential"]
        assert server.derive(made, "/id").status == 400

    def test_what_cannot_hide(self, server: Server, name: str) -> None:
        whole = server.issued("eddsa-rdfc-2022", credential(server.issuer("eddsa-rdfc-2022")))
        answer = server.derive(whole, "/issuer")
        assert (answer.status, answer.code) == (400, "vc_api.not_derivable")
        made = issued(server, name)
        answer = server.derive({**made, "proof": [made["proof"], made["proof"]]}, "/issuer")
        assert (answer.status, answer.code) == (400, "vc_api.not_derivable")

    @pytest.mark.parametrize("found", [None, [], "x", 1])
    def test_what_is_no_credential(self, server: Server, name: str, found: Any) -> None:
        assert server.derive(found).code == "json.wrong_type"


class TestSets:
    """Data Integrity 1.0 §4.3: beside a proof that a holder has derived may stand one that hides nothing."""

    DID = "did:web:issuer.example"

    def city(self, server: Server, name: str) -> Server:
        """A server that reaches an issuer with two keys: that of the issuer called `name`, and another."""
        keys = {"hiding": server.issuer(name), "whole": HOLDER_DID}
        document = {
            "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
            "id": self.DID,
            "verificationMethod": [
                {"id": f"{self.DID}#{key}", "type": "Multikey", "controller": self.DID, "publicKeyMultibase": did[8:]}
                for key, did in keys.items()
            ],
            "assertionMethod": [f"{self.DID}#{key}" for key in keys],
        }
        found = Response(200, {"content-type": "application/did+json"}, json.dumps(document).encode(), NOW)
        return Server(exchange=lambda _: found)

    def proof(self, document: dict[str, Any]) -> Any:
        """One that hides nothing."""
        whole = {"proofPurpose": "assertionMethod", "verificationMethod": f"{self.DID}#whole"}
        return signed(document, challenge=None, domain=None, **whole)["proof"]

    def test_a_whole_proof_beside_a_derived_one(self, server: Server, name: str) -> None:
        city, issuer = self.city(server, name), server.service.issuers[name]
        options = {
            "type": "DataIntegrityProof",
            "cryptosuite": name,
            "created": "2026-11-23T12:00:00Z",
            "verificationMethod": f"{self.DID}#hiding",
            "proofPurpose": "assertionMethod",
        }
        bare = {**card(server, name), "issuer": self.DID}
        base = hiding.create(bare, options, issuer.signer, ["/issuer"], load=contexts(), entropy=entropy())
        made = city.derive({**bare, "proof": base}, "/credentialSubject/alumniOf").body["verifiableCredential"]
        derived = made.pop("proof")
        assert city.verify({**made, "proof": [derived, self.proof(made)]}).status == 200
        assert city.verify({**made, "proof": [self.proof(made), derived]}).status == 200
        for proof in (self.proof({**made, "id": "urn:uuid:1"}), tampered({"proof": self.proof(made)})["proof"]):
            answer = city.verify({**made, "proof": [derived, proof]})
            assert (answer.status, answer.code) == (400, "signature.invalid")


class TestParts:
    """`revealed`: what is shown need not be a whole credential where the options say so."""

    def shown(self, server: Server, name: str, *pointers: str, **changed: Any) -> dict[str, Any]:
        document = {**card(server, name), **changed}
        made = server.issued(name, {key: value for key, value in document.items() if value is not None})
        answer = server.derive(made, *pointers)
        assert answer.status == 201, answer.body
        found: dict[str, Any] = answer.body["verifiableCredential"]
        return found

    @pytest.mark.parametrize("pointers", [["/credentialSubject/name"], ["/id"], ["/issuer"], ["/validFrom", "/issuer"]])
    def test_without_issuer_or_subject(self, server: Server, name: str, pointers: list[str]) -> None:
        made = self.shown(server, name, *pointers)
        assert server.verify(made).code == "vcdm.missing"
        lenient = Server(configured(revealed='"part"'))
        answer = lenient.verify(made)
        assert (answer.status, answer.body["credential"]) == (200, made)
        assert lenient.verify({**made, "validUntil": "2030-01-01T00:00:00Z"}).code in COUNTED
        assert lenient.verify({**made, "issuer": "did:example:else"}).status == 400

    def test_of_vcdm_11(self, server: Server, name: str) -> None:
        older = {"@context": [V1], "validFrom": None,
                 "issuanceDate": "2026-01-01T00:00:00Z", "type": ["VerifiableCredential"],
                 "credentialSubject": {"id": "did:example:s"}}  # fmt: skip
        made = self.shown(server, name, "/issuer", **older)
        assert server.verify(made).code == "vcdm.missing"
        assert Server(configured(revealed='"part"')).verify(made).status == 200

    def test_whole_ones_stay_whole(self, server: Server, name: str) -> None:
        """What is not derived is a credential."""
        lenient = Server(configured(revealed='"part"'))
        bare = credential(HOLDER_DID)
        del bare["credentialSubject"]
        made = signed(bare, proofPurpose="assertionMethod")
        assert lenient.verify(made).code == "vcdm.missing"
        assert lenient.verify(signed(credential(HOLDER_DID), proofPurpose="assertionMethod")).status == 200
        assert lenient.verify(issued(server, name)).code == "sd.base_proof"
        assert lenient.verify({"@context": 7, "proof": made["proof"]}).status == 400
