"""VC-API: `POST /credentials/verify` and `/presentations/verify`, as the public suites ask."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import Any

import pytest

from cityid.errors import Unavailable
from cityid.plan import Response
from cityid.vc_api import StatusList
from tests.vc_api import (
    CHALLENGE,
    DOMAIN,
    HOLDER_DID,
    INSIDE,
    NOW,
    V1,
    V2,
    WHOLE,
    Server,
    configured,
    credential,
    presentation,
    signed,
    tampered,
)  # fmt: skip

SECURITY = "https://w3id.org/security#"
VCDM = "https://www.w3.org/TR/vc-data-model#"
NAME = "eddsa-rdfc-2022"


@pytest.fixture(scope="module")
def server() -> Server:
    return Server()


@pytest.fixture(scope="module")
def issued(server: Server) -> dict[str, Any]:
    """A credential of each issuer."""
    return {name: server.issued(name, credential(server.issuer(name), name="A card")) for name in WHOLE}


class TestCredentials:
    @pytest.mark.parametrize("name", WHOLE)
    def test_verified(self, server: Server, issued: dict[str, Any], name: str) -> None:
        answer = server.verify(issued[name])
        assert answer.status == 200, answer.body
        assert answer.body["verified"] is True
        assert answer.body["credential"] == issued[name]
        assert (answer.body["errors"], answer.body["warnings"]) == ([], [])
        if name != "jwt":
            assert answer.body["controller"] == server.issuer(name)

    @pytest.mark.parametrize("name", INSIDE)
    def test_another_signature(self, server: Server, issued: dict[str, Any], name: str) -> None:
        answer = server.verify(tampered(issued[name]))
        assert (answer.status, answer.body["verified"]) == (400, False)
        assert answer.code in ("signature.invalid", "multibase.alphabet")
        assert answer.body["errors"] == answer.body["problemDetails"]

    def test_another_signature_in_an_envelope(self, server: Server, issued: dict[str, Any]) -> None:
        made = issued["jwt"]
        head, _, last = made["id"].rpartition(".")
        answer = server.verify({**made, "id": f"{head}.{'A' * len(last)}"})
        assert (answer.status, answer.code) == (400, "signature.invalid")
        assert answer.body["type"] == VCDM + "CRYPTOGRAPHIC_SECURITY_ERROR"

    @pytest.mark.parametrize("name", INSIDE)
    def test_another_word_in_the_document(self, server: Server, issued: dict[str, Any], name: str) -> None:
        answer = server.verify({**issued[name], "name": "Another card"})
        assert (answer.status, answer.code) == (400, "signature.invalid")

    @pytest.mark.parametrize("name", INSIDE)
    @pytest.mark.parametrize(
        ("member", "value", "code"),
        [
            ("type", None, "json.missing"),
            ("type", "Ed25519Signature2018", "di.type"),
            ("cryptosuite", None, "json.missing"),
            ("cryptosuite", "eddsa-2022", "di.suite"),
            ("cryptosuite", "json-eddsa-2022", "di.suite"),
            ("cryptosuite", 1, "json.wrong_type"),
            ("proofPurpose", None, "json.missing"),
            ("proofPurpose", "authentication", "di.purpose"),
            ("verificationMethod", None, "json.missing"),
            ("verificationMethod", "did:example:nobody#key", "trust.key_of_other"),
            ("verificationMethod", "did:key:z6Mk#z6Mk", "trust.key_of_other"),
            ("verificationMethod", "did:key:z6Mk", "did.url_fragment"),
            ("verificationMethod", "https://city.example/keys#1", "did.url_not_plain"),
            ("proofValue", None, "json.missing"),
            ("proofValue", "", "multibase.base"),
            ("proofValue", "u" + "A" * 86, "multibase.base"),
            ("proofValue", 1, "json.wrong_type"),
            ("created", "yesterday", "time.not_a_stamp"),
            ("created", "2026-01-01T00:00:01Z", "signature.invalid"),
        ],
    )
    def test_proofs_that_are_wrong(
        self, server: Server, issued: dict[str, Any], name: str, member: str, value: Any, code: str
    ) -> None:
        made = copy.deepcopy(issued[name])
        if value is None:
            del made["proof"][member]
        else:
            made["proof"][member] = value
        answer = server.verify(made)
        assert (answer.status, answer.code) == (400, code)
        if code in ("json.missing", "multibase.base"):
            assert answer.body["type"] == SECURITY + "PROOF_VERIFICATION_ERROR"
        if code.startswith("did.url"):
            assert answer.body["type"] == SECURITY + "INVALID_VERIFICATION_METHOD_URL"

    def test_expired_proofs(self, server: Server) -> None:
        document = credential(HOLDER_DID)
        for expires, code in (("2026-11-22T00:00:00Z", "di.expired"), ("2026-11-24T00:00:00Z", "")):
            made = signed(
                document, proofPurpose="assertionMethod", created="2026-11-21T00:00:00Z", expires=expires
            )  # fmt: skip
            answer = server.verify(made)
            assert (answer.code if answer.status == 400 else "") == code

    @pytest.mark.parametrize(
        ("options", "code"),
        [({}, ""), ({"challenge": CHALLENGE, "domain": DOMAIN}, ""), ({"domain": [DOMAIN]}, ""),
         ({"challenge": "another"}, "di.challenge"), ({"domain": "another.example"}, "di.domain"),
         ({"domain": [DOMAIN, "another.example"]}, "di.domain")],
    )  # fmt: skip
    def test_for_another_occasion(self, server: Server, issued: dict[str, Any], options: Any, code: str) -> None:
        """Data Integrity 1.0 §4.4, steps 4 and 5: of credentials as of presentations."""
        answer = server.verify(signed(credential(HOLDER_DID), proofPurpose="assertionMethod"), **options)
        assert (answer.code if answer.status == 400 else "") == code
        if options:
            assert server.verify(issued[NAME], **options).code in ("di.challenge", "di.domain")
            assert server.verify(issued["jwt"], **options).status == 200

    @pytest.mark.parametrize("proof", [None, [], {}, "x", [None], [{}]])
    def test_no_proof(self, server: Server, proof: Any) -> None:
        assert server.verify({**credential(HOLDER_DID), "proof": proof}).status == 400
        assert server.verify(credential(HOLDER_DID)).status == 400

    @pytest.mark.parametrize("document", [None, [], "text", 1, {}])
    def test_no_credential(self, server: Server, document: Any) -> None:
        assert server.verify(document).status == 400

    def test_outside_of_its_time(self, server: Server) -> None:
        made = server.issued(NAME, credential(server.issuer(NAME), validFrom="2026-11-23T12:00:00Z",
                                              validUntil="2026-11-24T12:00:00Z"))  # fmt: skip
        assert server.verify(made).status == 200
        for days, code in ((-1, "validity.not_yet"), (2, "validity.expired")):
            answer = Server(at=NOW + timedelta(days=days)).verify(made)
            # Before it begins, its proof is from the future as well.
            assert (answer.status, answer.code) in ((400, code), (400, "di.not_yet"))
        assert Server(at=NOW + timedelta(days=2)).verify(made).body["type"] == VCDM + "RANGE_ERROR"

    def test_a_status_of_an_unknown_type(self, server: Server) -> None:
        status = {"id": "https://city.example/status/1", "type": "https://city.example/StatusOfOurs"}
        made = server.issued(NAME, credential(server.issuer(NAME), credentialStatus=status))
        answer = server.verify(made)
        assert (answer.status, answer.code) == (400, "status.kind_not_built")
        assert Server(configured(unknown_status='"ignore"')).verify(made).status == 200

    def test_keys_that_cannot_be_had(self, server: Server) -> None:
        did = "did:web:id.lindau.example"
        made = signed(credential(did), proofPurpose="assertionMethod", verificationMethod=f"{did}#key-1")
        answer = server.verify(made)
        assert (answer.status, answer.code, answer.body["title"]) == (400, "net.offline", "MALFORMED_VALUE_ERROR")
        shown = signed(presentation(holder=did), verificationMethod=f"{did}#key-1")
        assert server.verify_presentation(shown).code == "net.offline"
        document = {
            "id": did, "assertionMethod": [f"{did}#key-1"],
            "verificationMethod": [{
                "id": f"{did}#key-1", "type": "Multikey", "controller": did,
                "publicKeyMultibase": HOLDER_DID.removeprefix("did:key:"),
            }],
        }  # fmt: skip
        body = json.dumps(document).encode()
        online = Server(exchange=lambda request: Response(200, {"content-type": "application/did"}, body, NOW))
        assert online.verify(made).status == 200

    def test_a_status_list_that_cannot_be_had(self, server: Server) -> None:
        entry = {
            "type": "BitstringStatusListEntry", "statusPurpose": "revocation", "statusListIndex": "7",
            "statusListCredential": "https://city.example/status/1",
        }  # fmt: skip
        answer = server.verify(signed(credential(HOLDER_DID, credentialStatus=entry), proofPurpose="assertionMethod"))
        assert (answer.status, answer.code, answer.body["title"]) == (400, "net.offline", "STATUS_RETRIEVAL_ERROR")


class TestSeveralProofs:
    """Data Integrity 1.0 §4.3, §4.5: sets and chains."""

    def test_a_set(self, server: Server) -> None:
        bare = credential(HOLDER_DID)
        one, other = (
            signed(bare, proofPurpose="assertionMethod", cryptosuite=suite)["proof"]
            for suite in ("eddsa-rdfc-2022", "eddsa-jcs-2022")
        )
        assert server.verify({**bare, "proof": [one, other]}).status == 200
        answer = server.verify({**bare, "proof": [one, tampered({"proof": other})["proof"]]})
        assert answer.status == 400

    def test_a_chain(self, server: Server) -> None:
        bare = credential(HOLDER_DID)
        first = signed(bare, proofPurpose="assertionMethod", id="urn:uuid:1")["proof"]
        over = {**bare, "proof": [first]}
        second = signed(over, proofPurpose="assertionMethod", previousProof="urn:uuid:1")["proof"]
        assert server.verify({**bare, "proof": [first, second]}).status == 200
        for proofs, code in (
            ([second], "di.no_such_proof"),
            ([{**first, "previousProof": "urn:uuid:1"}, second], "di.cycle"),
            ([first, first], "di.duplicate_id"),
        ):
            answer = server.verify({**bare, "proof": proofs})
            assert (answer.status, answer.code) == (400, code)


class TestEnvelopes:
    """VCDM 2.0 §4.12.1."""

    @pytest.mark.parametrize(
        "url",
        ["not-a-credential", "data:application/vc+jwt", "data:application/jwt,a.b.c", "data:application/vp+jwt,a.b.c",
         "data:text/plain,x"],
    )  # fmt: skip
    def test_what_holds_no_credential(self, server: Server, url: str) -> None:
        answer = server.verify({"@context": V2, "type": "EnvelopedVerifiableCredential", "id": url})
        assert (answer.status, answer.code, answer.body["title"]) == (400, "vcdm.envelope", "MALFORMED_VALUE_ERROR")

    def test_what_holds_no_jwt(self, server: Server) -> None:
        url = "data:application/vc+jwt,a.b.c"
        assert server.verify({"@context": V2, "type": "EnvelopedVerifiableCredential", "id": url}).status == 400

    def test_no_id(self, server: Server) -> None:
        answer = server.verify({"@context": V2, "type": ["EnvelopedVerifiableCredential"]})
        assert (answer.status, answer.code) == (400, "json.missing")


class TestPresentations:
    @pytest.mark.parametrize("name", WHOLE)
    def test_verified(self, server: Server, issued: dict[str, Any], name: str) -> None:
        answer = server.verify_presentation(signed(presentation(issued[name])), challenge=CHALLENGE, domain=DOMAIN)
        assert answer.status == 200, answer.body
        assert (answer.body["verified"], answer.body["controller"]) == (True, HOLDER_DID)

    def test_several_and_none(self, server: Server, issued: dict[str, Any]) -> None:
        for inside in (list(issued.values()), []):
            answer = server.verify_presentation(signed(presentation(*inside)), challenge=CHALLENGE, domain=DOMAIN)
            assert answer.status == 200, answer.body
        answer = server.verify_presentation(signed(presentation(verifiableCredential=None)))
        assert answer.status == 200, answer.body

    def test_of_vcdm_11(self, server: Server) -> None:
        contexts = [V1, "https://w3id.org/security/data-integrity/v2"]
        inside = server.issued(
            NAME, credential(server.issuer(NAME), __context=[V1], issuanceDate="2026-01-01T00:00:00Z")
        )
        assert server.verify_presentation(signed(presentation(inside, **{"@context": contexts}))).status == 200

    @pytest.mark.parametrize(
        ("options", "code", "kind"),
        [
            ({"challenge": "another"}, "di.challenge", "INVALID_CHALLENGE_ERROR"),
            ({"challenge": CHALLENGE + "x", "domain": DOMAIN}, "di.challenge", "INVALID_CHALLENGE_ERROR"),
            ({"challenge": CHALLENGE, "domain": "another.example"}, "di.domain", "INVALID_DOMAIN_ERROR"),
            ({"domain": [DOMAIN, "another.example"]}, "di.domain", "INVALID_DOMAIN_ERROR"),
        ],
    )
    def test_for_another_occasion(self, server: Server, options: Any, code: str, kind: str) -> None:
        made = signed(presentation())
        answer = server.verify_presentation(made, **options)
        assert (answer.status, answer.code, answer.body["type"]) == (400, code, SECURITY + kind)
        for good in ({}, {"challenge": CHALLENGE}, {"domain": DOMAIN}, {"domain": [DOMAIN]}):
            assert server.verify_presentation(made, **good).status == 200

    def test_for_no_occasion(self, server: Server) -> None:
        made = signed(presentation(), challenge=None, domain=None)
        assert server.verify_presentation(made).status == 200
        assert server.verify_presentation(made, challenge=CHALLENGE).code == "di.challenge"
        assert server.verify_presentation(made, challenge="").code == "di.challenge"
        assert server.verify_presentation(made, domain=DOMAIN).code == "di.domain"

    @pytest.mark.parametrize("options", [{"challenge": 1}, {"domain": 1}, {"domain": [1]}])
    def test_options_of_wrong_types(self, server: Server, options: Any) -> None:
        answer = server.verify_presentation(signed(presentation()), **options)
        assert (answer.status, answer.code) == (400, "json.wrong_type")

    def test_another_purpose(self, server: Server) -> None:
        answer = server.verify_presentation(signed(presentation(), proofPurpose="assertionMethod"))
        assert (answer.status, answer.code) == (400, "di.purpose")

    def test_another_signature(self, server: Server) -> None:
        answer = server.verify_presentation(tampered(signed(presentation())))
        assert answer.status == 400
        assert answer.code in ("signature.invalid", "multibase.alphabet")

    def test_another_holder(self, server: Server) -> None:
        for holder in ("did:example:else", {"id": "did:example:else"}):
            made = signed(presentation(holder=holder))
            answer = server.verify_presentation(made)
            assert (answer.status, answer.code) == (400, "vc_api.holder")
            assert Server(configured(controller='"any"')).verify_presentation(made).status == 200
        for same in (None, HOLDER_DID, {"id": HOLDER_DID}):
            assert server.verify_presentation(signed(presentation(holder=same))).status == 200

    def test_an_old_proof(self, server: Server) -> None:
        made = signed(presentation(), created="2026-11-20T00:00:00Z", expires="2026-11-21T00:00:00Z")
        assert server.verify_presentation(made).code == "di.expired"

    def test_a_credential_in_it_that_is_bad(self, server: Server, issued: dict[str, Any]) -> None:
        bad = {**issued[NAME], "name": "Another card"}
        answer = server.verify_presentation(signed(presentation(issued["jwt"], bad)))
        assert (answer.status, answer.code) == (400, "signature.invalid")

    @pytest.mark.parametrize("inside", ["text", 1, None, {}])
    def test_what_is_in_it_is_no_credential(self, server: Server, inside: Any) -> None:
        made = presentation(verifiableCredential=[inside])
        assert server.verify_presentation({**made, "proof": signed(presentation())["proof"]}).status == 400

    def test_what_the_holder_says_of_themselves(self, server: Server) -> None:
        """VCDM 2.0 §4.13.2: secured by the presentation's proof alone."""
        assert server.verify_presentation(signed(presentation(credential(HOLDER_DID)))).status == 200
        assert server.verify_presentation(signed(presentation(credential("did:example:else")))).status == 400
        odd = credential(HOLDER_DID, __context=[V2, {"a": "https://city.example/a"}])
        assert server.verify_presentation(signed(presentation(odd))).code == "vc_api.context"
        lenient = Server(configured(unsecured_presentations="true"))
        assert lenient.verify_presentation(presentation(credential(HOLDER_DID))).status == 400
        older = credential(HOLDER_DID, __context=[V1], issuanceDate="2026-01-01T00:00:00Z")
        assert server.verify_presentation(signed(presentation(older))).status == 400

    def test_all_that_is_wrong_is_told(self, server: Server, issued: dict[str, Any]) -> None:
        made = signed(presentation({**issued[NAME], "name": "x"}, {**issued["bitstring"], "name": "x"}))
        answer = server.verify_presentation(made, challenge="another")
        codes = [one["code"] for one in answer.body["problemDetails"]]
        assert codes == ["di.challenge", "signature.invalid", "signature.invalid"]

    def test_too_many(self, server: Server, issued: dict[str, Any]) -> None:
        for count, code in ((20, "signature.invalid"), (21, "vc_api.too_many")):
            made = presentation(*[issued["jwt"]] * count)
            answer = server.verify_presentation({**made, "proof": signed(presentation())["proof"]})
            assert (answer.status, answer.code) == (400, code)

    def test_unsecured(self, server: Server, issued: dict[str, Any]) -> None:
        bare = presentation(issued[NAME])
        answer = server.verify_presentation(bare)
        assert (answer.status, answer.code) == (400, "vc_api.unsecured")
        lenient = Server(configured(unsecured_presentations="true"))
        assert lenient.verify_presentation(bare).status == 200
        assert lenient.verify_presentation(bare, challenge=CHALLENGE).code == "vc_api.unsecured"
        assert lenient.verify_presentation(presentation({**issued[NAME], "name": "x"})).status == 400

    @pytest.mark.parametrize("document", [None, [], "text", {}, {"type": "VerifiablePresentation"}])
    def test_no_presentation(self, server: Server, document: Any) -> None:
        assert server.verify_presentation(document).status == 400


class TestStatus:
    """Bitstring Status List 1.0 over the VC-API: the entry, the list, and what is taken back."""

    def test_an_entry_is_added(self, server: Server, issued: dict[str, Any]) -> None:
        entry = issued["bitstring"]["credentialStatus"]
        uri = "https://localhost:40443/status/bitstring"
        assert entry == {
            "id": f"{uri}#{entry['statusListIndex']}",
            "type": "BitstringStatusListEntry",
            "statusPurpose": "revocation",
            "statusListIndex": entry["statusListIndex"],
            "statusListCredential": uri,
        }
        assert 0 <= int(entry["statusListIndex"]) < 131_072

    def test_not_where_there_is_one(self, server: Server) -> None:
        own = {"type": "https://city.example/StatusOfOurs", "id": "https://city.example/status/1"}
        made = server.issued("bitstring", credential(server.issuer("bitstring"), credentialStatus=own))
        assert made["credentialStatus"] == own

    @pytest.mark.parametrize("accept", ["application/json", "application/vc", "application/ld+json", "*/*", ""])
    def test_the_list(self, server: Server, accept: str) -> None:
        answer = server("GET", "/status/bitstring", accept=accept)
        assert answer.status == 200
        assert answer.headers["content-type"] == (accept if accept not in ("*/*", "") else "application/json")
        assert answer.body["type"] == ["VerifiableCredential", "BitstringStatusListCredential"]
        assert answer.body["id"] == "https://localhost:40443/status/bitstring"
        assert answer.body["credentialSubject"]["type"] == "BitstringStatusList"
        assert server.verify(answer.body).status == 200

    def test_a_form_that_there_is_not(self, server: Server) -> None:
        answer = server("GET", "/status/bitstring", accept="text/html")
        assert (answer.status, answer.code) == (406, "vc_api.not_acceptable")

    def test_only_of_issuers_that_have_one(self, server: Server) -> None:
        assert server("GET", "/status/jwt").status == 404

    def test_revoked_and_restored(self) -> None:
        server = Server()
        made = server.issued("bitstring", credential(server.issuer("bitstring")))
        other = server.issued("bitstring", credential(server.issuer("bitstring")))
        entry = made["credentialStatus"]
        for revoked in (True, False):
            answer = server("POST", "/credentials/status", {"credentialStatus": entry, "status": revoked})
            assert answer.status == 200
            server.at += timedelta(hours=1)  # a list is believed for a while, as its `ttl` says
            judged = server.verify(made)
            assert judged.status == (400 if revoked else 200), judged.body
            if revoked:
                assert judged.code == "status.invalid"
        assert server.verify(other).status == 200

    def test_the_list_is_full_one_day(self, server: Server) -> None:
        found = StatusList("https://city.example/status/1", most=3)
        drawn = iter([0, 0, 1, 131_072 + 2])
        entries = [found.allot(lambda size: next(drawn).to_bytes(size, "big")) for _ in range(3)]
        assert [entry["statusListIndex"] for entry in entries] == ["0", "1", "2"]
        with pytest.raises(Unavailable, match=r"vc_api\.list_full"):
            found.allot(bytes)

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"statusListIndex": "x"}, "bitstring.entry_index"),
            ({"statusListIndex": "131071"}, "vc_api.no_such_entry"),
            ({"statusPurpose": "suspension"}, "vc_api.no_such_entry"),
            ({"statusListCredential": "https://city.example/status/1"}, "vc_api.no_such_entry"),
        ],
    )
    def test_entries_that_are_not_of_this_server(
        self, server: Server, issued: dict[str, Any], changed: Any, code: str
    ) -> None:
        entry = {**issued["bitstring"]["credentialStatus"], "id": "urn:uuid:1", **changed}
        answer = server("POST", "/credentials/status", {"credentialStatus": entry, "status": True})
        assert (answer.status, answer.code) == (400, code)
