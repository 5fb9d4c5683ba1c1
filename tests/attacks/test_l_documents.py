"""Attack group L where a document is judged as a whole: contexts (L06), keys (L11, L12), what a verdict is about (L19),
holders (L21), presentations (L23), issuers (L24), and URLs that nobody follows (L25)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cityid.errors import Unavailable
from cityid.formats.vc_jose import secured
from cityid.plan import Request, Response
from tests.vc_api import (
    HOLDER,
    HOLDER_DID,
    HOLDER_METHOD,
    NOW,
    V1,
    V2,
    Server,
    credential,
    presentation,
    signed,
)

CITY = "did:web:id.lindau.example"
KEY = HOLDER_DID.removeprefix("did:key:")


@pytest.fixture(scope="module")
def server() -> Server:
    return Server()


def vc(**changed: Any) -> dict[str, Any]:
    """A credential of the holder's own making, whose proof no context can spoil."""
    proof = {name: changed.pop(name) for name in ("verificationMethod",) if name in changed}
    document = credential(changed.pop("by", HOLDER_DID), **changed)
    return signed(document, proofPurpose="assertionMethod", cryptosuite="eddsa-jcs-2022", **proof)


def code(answer: Any) -> str:
    return "" if answer.status == 200 else str(answer.code)


EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"


class TestL06Contexts:
    @pytest.mark.parametrize(
        ("contexts", "found"),
        [
            ([EXAMPLES, V2], "vcdm.context"), ([V2, V1], "vcdm.context"), ([V1, V2], "vcdm.context"),
            ([V2, V2], "vcdm.context"), ([V2, [V2]], "vc_api.context"), (V2, "json.wrong_type"), ([], "vcdm.context"),
            (["http://www.w3.org/ns/credentials/v2"], "vcdm.context"), ([V2], ""), ([V2, EXAMPLES], ""),
        ],
    )  # fmt: skip
    def test_l06_order(self, server: Server, contexts: Any, found: str) -> None:
        assert code(server.verify(vc(__context=contexts))) == found


def document(**changed: Any) -> dict[str, Any]:
    """The city's DID document; a method is written relative or absolute as a test wants it."""
    method = {"id": f"{CITY}#k1", "type": "Multikey", "controller": CITY, "publicKeyMultibase": KEY}
    return {"id": CITY, "verificationMethod": [method], "assertionMethod": [f"{CITY}#k1"], **changed}


TITLES = {
    "did.wrong_purpose": "INVALID_RELATIONSHIP_FOR_VERIFICATION_METHOD",
    "did.foreign_controller": "INVALID_VERIFICATION_METHOD",
    "did.no_such_key": "INVALID_VERIFICATION_METHOD",
    "did.document_id": "INVALID_CONTROLLED_IDENTIFIER_DOCUMENT_ID",
}
"""Controlled Identifiers 1.0 §3.3."""


def by_web(found: Any) -> str:
    """What becomes of a credential that #k1 of the city signed, whose document is `found`."""
    body = json.dumps(found).encode()
    online = Server(exchange=lambda request: Response(200, {"content-type": "application/did"}, body, NOW))
    answer = online.verify(vc(by=CITY, verificationMethod=f"{CITY}#k1"))
    assert answer.status == 200 or answer.body["title"] == TITLES.get(answer.code, "MALFORMED_VALUE_ERROR")
    return code(answer)


METHOD = document()["verificationMethod"][0]
OTHER = {**METHOD, "publicKeyMultibase": "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"}


class TestL11WhoseKey:
    def test_l11_a_method_of_another_did(self, server: Server) -> None:
        made = vc(by="did:example:issuer")
        assert code(server.verify(made)) == "trust.key_of_other"
        assert code(server.verify(vc())) == ""

    @pytest.mark.parametrize(
        ("changed", "found"),
        [
            ({"assertionMethod": []}, "did.wrong_purpose"),
            ({"assertionMethod": [], "authentication": [f"{CITY}#k1"]}, "did.wrong_purpose"),
            ({"verificationMethod": [{**METHOD, "controller": "did:web:else.example"}]}, "did.foreign_controller"),
            ({"verificationMethod": []}, "did.no_such_key"),
            ({"id": "did:web:else.example"}, "did.document_id"),
            ({}, ""),
        ],
    )
    def test_l11_in_its_document(self, changed: dict[str, Any], found: str) -> None:
        assert by_web(document(**changed)) == found


class TestL12NamesOfKeys:
    @pytest.mark.parametrize(
        ("changed", "found"),
        [
            ({}, ""), ({"verificationMethod": [], "assertionMethod": [METHOD]}, ""),
            ({"verificationMethod": [{**METHOD, "id": "#k1"}]}, "did.not_absolute"),
            ({"assertionMethod": ["#k1"]}, "did.not_absolute"),
        ],
    )  # fmt: skip
    def test_l12_relative_absolute_embedded(self, changed: dict[str, Any], found: str) -> None:
        """did:web: all DID URLs in the document are absolute."""
        assert by_web(document(**changed)) == found

    @pytest.mark.parametrize(
        "changed",
        [{"verificationMethod": [METHOD, OTHER]}, {"verificationMethod": [OTHER, METHOD]},
         {"assertionMethod": [f"{CITY}#k1", OTHER]}],
    )  # fmt: skip
    def test_l12_two_keys_of_one_name(self, changed: dict[str, Any]) -> None:
        assert by_web(document(**changed)) == "did.duplicate_method"
        assert by_web(document()) == ""


class TestL19TheVerdictIsAboutWhatWasSigned:
    def enveloped(self) -> dict[str, Any]:
        return secured.envelope(secured.sign(credential(HOLDER_DID), "vc+jwt", HOLDER, kid=HOLDER_METHOD), "vc+jwt")

    def test_l19_members_beside_an_envelope(self, server: Server) -> None:
        made = self.enveloped()
        answer = server.verify({**made, "issuer": "did:web:id.lindau.example", "credentialSubject": {"id": "did:x:y"}})
        assert answer.status == 200
        assert answer.body["credential"] == made == server.verify(made).body["credential"]

    def test_l19_a_jwt_as_a_proof(self, server: Server) -> None:
        token = self.enveloped()["id"].partition(",")[2]
        made = {**credential("did:web:id.lindau.example"), "proof": {"type": "JwtProof2020", "jwt": token}}
        answer = server.verify(made)
        assert answer.status == 400
        assert "credential" not in answer.body
        assert code(server.verify(self.enveloped())) == ""


class TestL21Holders:
    def test_l21_another_than_the_signer(self, server: Server) -> None:
        assert code(server.verify_presentation(signed(presentation(holder="did:example:else")))) == "vc_api.holder"
        assert code(server.verify_presentation(signed(presentation()))) == ""


class TestL23Presentations:
    def judged(self, server: Server, *inside: Any) -> str:
        """The presentation's own signature is good, and vouches for nothing in it."""
        made = signed(presentation(*inside), cryptosuite="eddsa-jcs-2022")
        return code(server.verify_presentation(made))

    def test_l23_what_is_in_it(self, server: Server) -> None:
        good = vc(by=HOLDER_DID)
        assert self.judged(server, good) == ""
        assert self.judged(server, credential("did:example:else")) == "vcdm.self_asserted"
        assert self.judged(server, {**good, "proof": []}) == "di.empty"
        assert self.judged(server, good, {**good, "name": "x"}) == "signature.invalid"
        assert self.judged(server, signed(presentation(good))) == "vcdm.type"

    @pytest.mark.parametrize(
        ("media", "found"),
        [("vc+xml", "vc_jose.envelope"), ("vp+jwt", "vcdm.envelope"), ("jwt", "vcdm.envelope"),
         ("vc+cose", "vc_jose.envelope")],
    )  # fmt: skip
    def test_l23_envelopes_of_other_media_types(self, server: Server, media: str, found: str) -> None:
        data = secured.sign(credential(HOLDER_DID), "vc+jwt", HOLDER, kid=HOLDER_METHOD).decode()
        made = {"@context": V2, "type": "EnvelopedVerifiableCredential", "id": f"data:application/{media},{data}"}
        assert self.judged(server, made) == found
        assert self.judged(server, {**made, "id": f"data:application/vc+jwt,{data}"}) == ""

    def test_l23_a_thousand(self, server: Server) -> None:
        assert self.judged(server, *[{"type": "VerifiableCredential", "proof": {}}] * 1000) == "vc_api.too_many"


class TestL24Issuers:
    @pytest.mark.parametrize(
        ("issuer", "found"),
        [
            (HOLDER_DID, ""), ({"id": HOLDER_DID}, ""), ({"id": HOLDER_DID, "name": "Lindau"}, ""),
            ([HOLDER_DID], "json.wrong_type"), ({"name": "Lindau"}, "json.missing"),
            (HOLDER_METHOD, "trust.key_of_other"), ({"id": HOLDER_METHOD}, "trust.key_of_other"),
            (HOLDER_DID.upper(), "trust.key_of_other"), (f"{HOLDER_DID} ", "vcdm.url"),
        ],
    )  # fmt: skip
    def test_l24_forms(self, server: Server, issuer: Any, found: str) -> None:
        assert code(server.verify(vc(issuer=issuer))) == found


class TestL25UrlsThatNobodyFollows:
    @pytest.mark.parametrize(
        "name", ["credentialSchema", "termsOfUse", "refreshService", "evidence", "renderMethod", "relatedResource"]
    )
    def test_l25_no_packet(self, name: str) -> None:
        asked: list[str] = []

        def spy(request: Request) -> Response:
            asked.append(request.url)
            raise Unavailable("net.offline", url=request.url)

        entry: dict[str, Any] = {"id": "https://evil.example/for/you/alone", "type": "https://evil.example/Kind"}
        if name == "relatedResource":
            entry = {"id": entry["id"], "digestSRI": "sha256-" + "A" * 43 + "="}
        server = Server(exchange=spy)
        assert code(server.verify(vc(**{name: entry}))) == ""
        assert asked == []
        # Twin: what must be asked for is asked for, and only when all else is good.
        status = {
            "type": "BitstringStatusListEntry", "statusPurpose": "revocation", "statusListIndex": "7",
            "statusListCredential": "https://city.example/status/1",
        }  # fmt: skip
        assert code(server.verify(vc(**{name: entry, "credentialStatus": status}))) == "net.offline"
        assert asked == ["https://city.example/status/1"]
