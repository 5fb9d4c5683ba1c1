"""VC-API: credentials and presentations in envelopes (VCDM 2.0 §4.13.1, §4.13.3; VC-JOSE-COSE §3)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cityid.did import key as did_key
from cityid.edge.software_keys import MemoryKeyring
from cityid.formats.vc_jose import secured
from cityid.jose import jws
from cityid.keys import Algorithm
from tests.vc_api import (
    CHALLENGE,
    DOMAIN,
    HOLDER,
    HOLDER_DID,
    HOLDER_METHOD,
    NOW,
    V1,
    V2,
    Server,
    configured,
    credential,
    entropy,
    presentation,
    signed,
)  # fmt: skip

SECURITY = "https://w3id.org/security#"
AT = int(NOW.timestamp())
MEDIA = ("vp+jwt", "vp+sd-jwt", "vp+cose")
CITY = {"a": "https://city.example/terms#a"}
VOCABULARY = {"@vocab": "https://city.example/terms#"}


@pytest.fixture(scope="module")
def server() -> Server:
    return Server()


@pytest.fixture(scope="module")
def lenient() -> Server:
    return Server(configured(contexts='"inline"'))


@pytest.fixture(scope="module")
def issued(server: Server) -> Any:
    return server.issued("jwt", credential(server.issuer("jwt"), name="A card"))


def vc(document: Any = None, media: str = "vc+jwt", kid: str = HOLDER_METHOD, **more: Any) -> Any:
    """A credential of the holder's own making, in an envelope."""
    made = credential(HOLDER_DID) if document is None else document
    return secured.envelope(secured.sign(made, media, HOLDER, kid=kid, **more), media)


def vp(*inside: Any, media: str = "vp+jwt", kid: str = HOLDER_METHOD, claims: Any = None, **changed: Any) -> Any:
    """A presentation in an envelope, for one occasion."""
    said = {"aud": DOMAIN, "nonce": CHALLENGE, "iat": AT} if claims is None else claims
    data = secured.sign(presentation(*inside, **changed), media, HOLDER, kid=kid, claims=said)
    return secured.envelope(data, media)


OCCASION = {"challenge": CHALLENGE, "domain": DOMAIN}


class TestPresentations:
    @pytest.mark.parametrize("media", MEDIA)
    def test_verified(self, server: Server, issued: Any, media: str) -> None:
        answer = server.verify_presentation(vp(issued, vc(media="vc+cose"), media=media), **OCCASION)
        assert answer.status == 200, answer.body
        assert (answer.body["verified"], answer.body["controller"]) == (True, HOLDER_DID)
        assert answer.body["presentation"]["type"] == "EnvelopedVerifiablePresentation"

    def test_inside_may_be_proofs_or_nothing(self, server: Server) -> None:
        for name in ("eddsa-rdfc-2022", "ecdsa-jcs-2019-p384"):
            made = server.issued(name, credential(server.issuer(name)))
            assert server.verify_presentation(vp(made)).status == 200
            assert server.verify_presentation(vp({**made, "name": "x"})).code == "signature.invalid"
        assert server.verify_presentation(vp()).status == 200
        assert server.verify_presentation(vp(verifiableCredential=None)).status == 200

    @pytest.mark.parametrize("media", MEDIA)
    def test_another_signature(self, server: Server, issued: Any, media: str) -> None:
        made = vp(issued, media=media)
        at = made["id"].rindex("," if media == "vp+cose" else ".") - 20
        if media == "vp+cose":
            at = len(made["id"]) - 40
        swapped = "B" if made["id"][at] == "A" else "A"
        answer = server.verify_presentation({**made, "id": made["id"][:at] + swapped + made["id"][at + 1 :]})
        assert answer.status == 400
        assert server.verify_presentation(made).status == 200

    def test_another_key(self, server: Server, issued: Any) -> None:
        ring = MemoryKeyring(entropy=entropy("other"))
        other = did_key.create(ring.create(Algorithm.EDDSA))
        method = f"{other}#{other.removeprefix('did:key:')}"
        answer = server.verify_presentation(vp(issued, kid=method, holder=other))
        assert (answer.status, answer.code) == (400, "signature.invalid")
        answer = server.verify_presentation(vp(issued, kid=method))
        assert (answer.status, answer.code) == (400, "vc_api.holder")
        anybody = Server(configured(controller='"any"'))
        assert anybody.verify_presentation(vp(issued, holder="did:example:else")).status == 200
        assert server.verify_presentation(vp(issued, holder="did:example:else")).code == "vc_api.holder"

    def test_whose_key(self, server: Server, issued: Any) -> None:
        """By `kid`, else that of whoever is named as `iss` or holder."""
        for holder in (HOLDER_DID, {"id": HOLDER_DID}, None):
            assert server.verify_presentation(vp(issued, holder=holder)).status == 200
        assert server.verify_presentation(vp(issued, kid="")).status == 200
        assert server.verify_presentation(vp(issued, kid="", holder=None, claims={"iss": HOLDER_DID})).status == 200
        answer = server.verify_presentation(vp(issued, kid="", holder=None))
        assert (answer.status, answer.code) == (400, "w3c.no_key_mechanism")
        answer = server.verify_presentation(vp(issued, claims={"iss": "did:example:else"}, holder=None))
        assert (answer.status, answer.code) == (400, "vc_api.holder")
        body = json.dumps({**presentation(issued), "iss": "did:example:else"}).encode()
        token = jws.sign({"typ": "vp+jwt", "kid": HOLDER_METHOD}, body, HOLDER)
        answer = server.verify_presentation(secured.envelope(token.encode(), "vp+jwt"))
        assert (answer.status, answer.code) == (400, "vc_jose.differs")
        web = vp(issued, kid="key-1", holder="https://city.example/issuer")
        assert server.verify_presentation(web).code == "net.offline"

    def test_a_chain_of_certificates(self, server: Server, issued: Any) -> None:
        data = secured.sign(presentation(issued), "vp+jwt", HOLDER, chain=(b"\x30\x00",))
        answer = server.verify_presentation(secured.envelope(data, "vp+jwt"))
        assert (answer.status, answer.code) == (400, "trust.unknown_issuer")

    @pytest.mark.parametrize(
        ("claims", "asked", "code", "kind"),
        [
            ({"aud": DOMAIN, "nonce": "x"}, OCCASION, "binding.nonce", "INVALID_CHALLENGE_ERROR"),
            ({"aud": DOMAIN}, OCCASION, "binding.nonce", "INVALID_CHALLENGE_ERROR"),
            ({"aud": DOMAIN}, {"challenge": ""}, "binding.nonce", "INVALID_CHALLENGE_ERROR"),
            ({"nonce": CHALLENGE}, OCCASION, "binding.audience", "INVALID_DOMAIN_ERROR"),
            ({"aud": "x", "nonce": CHALLENGE}, OCCASION, "binding.audience", "INVALID_DOMAIN_ERROR"),
            ({"aud": [DOMAIN, "x"]}, {"domain": DOMAIN}, "binding.audience", "INVALID_DOMAIN_ERROR"),
            ({"aud": []}, {"domain": DOMAIN}, "binding.audience", "INVALID_DOMAIN_ERROR"),
        ],
    )
    def test_for_another_occasion(self, server: Server, claims: Any, asked: Any, code: str, kind: str) -> None:
        answer = server.verify_presentation(vp(claims=claims), **asked)
        assert (answer.status, answer.code, answer.body["type"]) == (400, code, SECURITY + kind)

    @pytest.mark.parametrize(
        ("claims", "asked"),
        [
            ({"aud": [DOMAIN, "x"]}, {"domain": ["x", DOMAIN]}), ({"aud": [DOMAIN]}, {"domain": DOMAIN}),
            ({}, {}), ({"nonce": CHALLENGE}, {"challenge": CHALLENGE}), ({"aud": "x", "nonce": "y"}, {}),
        ],
    )  # fmt: skip
    def test_for_this_occasion(self, server: Server, claims: Any, asked: Any) -> None:
        assert server.verify_presentation(vp(claims=claims), **asked).status == 200

    @pytest.mark.parametrize(("claims", "asked"), [({"aud": 1}, {"domain": DOMAIN}), ({"nonce": 1}, OCCASION),
                                                  ({"aud": [1]}, {"domain": DOMAIN})])  # fmt: skip
    def test_claims_of_wrong_types(self, server: Server, claims: Any, asked: Any) -> None:
        answer = server.verify_presentation(vp(claims={"aud": DOMAIN, **claims}), **asked)
        assert (answer.status, answer.code) == (400, "json.wrong_type")

    def test_outside_of_its_time(self, server: Server) -> None:
        for claims, code in (
            ({"exp": AT - 3600}, "binding.expired"), ({"nbf": AT + 3600}, "binding.not_yet"),
            ({"exp": AT + 3600, "nbf": AT - 3600}, ""),
        ):  # fmt: skip
            answer = server.verify_presentation(vp(claims=claims))
            assert (answer.code if answer.status == 400 else "") == code

    def test_what_is_in_it_is_secured(self, server: Server, issued: Any) -> None:
        assert server.verify_presentation(vp(credential(HOLDER_DID))).code == "vc_jose.unsecured"
        assert server.verify_presentation(vp(vp(issued))).status == 400
        bad = vc(credential("did:example:else"))
        assert server.verify_presentation(vp(issued, bad)).code == "trust.key_of_other"

    def test_presentations_inside_of_presentations(self, server: Server, issued: Any) -> None:
        """L23: what is in an envelope of the other kind is no credential."""
        assert server.verify_presentation(signed(presentation(vp(issued)))).status == 400
        assert server.verify_presentation(signed(presentation(issued))).status == 200
        assert server.verify(vp(issued)).status == 400
        assert server.verify_presentation(issued).status == 400


class TestEnvelopes:
    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"@context": None}, "vcdm.context"), ({"@context": "https://www.w3.org/ns/credentials/examples/v2"},
                                                   "vcdm.context"),
            ({"@context": [V1]}, "vcdm.context"), ({"@context": [V2, {}]}, "vcdm.context"),
            ({"@context": []}, "vcdm.context"), ({"id": "urn:x:y"}, "vcdm.envelope"), ({"id": 1}, "json.wrong_type"),
            ({"id": None}, "json.missing"), ({"id": "data:application/vc+xml,x"}, "vc_jose.envelope"),
            ({"type": ["EnvelopedVerifiableCredential", "VerifiableCredential"]}, "vc_jose.envelope"),
        ],
    )  # fmt: skip
    def test_what_is_no_envelope(self, server: Server, issued: Any, changed: Any, code: str) -> None:
        made = {name: value for name, value in {**issued, **changed}.items() if value is not None}
        answer = server.verify(made)
        assert (answer.status, answer.code) == (400, code)
        assert server.verify(issued).status == 200

    def test_more_contexts(self, server: Server, issued: Any) -> None:
        for contexts in (V2, [V2], [V2, "https://www.w3.org/ns/credentials/examples/v2"]):
            assert server.verify({**issued, "@context": contexts}).status == 200

    @pytest.mark.parametrize("media", ["vc+jwt", "vc+sd-jwt", "vc+cose"])
    def test_each_kind(self, server: Server, media: str) -> None:
        answer = server.verify(vc(media=media))
        assert (answer.status, answer.body["controller"]) == (200, HOLDER_DID)
        named = vc(media=media, kid="")
        assert server.verify(named).body["controller"] == HOLDER_DID
        held = credential({"id": HOLDER_DID, "name": "Lindau"})  # type: ignore[arg-type]
        assert server.verify(vc(held, media=media, kid="")).body["controller"] == HOLDER_DID

    def test_what_its_words_mean(self, server: Server) -> None:
        """A term that no context defines is lost in JSON-LD, in an envelope as anywhere else."""
        for subject, code in (({"id": "did:example:a", "admin": True}, "jsonld.dropped"), ({"name": "A"}, "")):
            answer = server.verify(vc(credential(HOLDER_DID, credentialSubject=subject)))
            assert (answer.code if answer.status == 400 else "") == code, answer.body

    def test_resources(self, server: Server) -> None:
        entry = {"id": V2, "digestSRI": "sha384-" + "A" * 64}
        answer = server.verify(vc(credential(HOLDER_DID, relatedResource=entry)))
        assert (answer.status, answer.code) == (400, "vc_api.resource_digest")

    def test_hidden_claims(self, server: Server) -> None:
        document = credential(HOLDER_DID, credentialSubject={"name": "Ada"})
        made = vc(document, "vc+sd-jwt", hide=[("credentialSubject", "name")])
        assert server.verify(made).status == 200
        bare = made["id"][: made["id"].index("~") + 1]
        assert server.verify({**made, "id": bare}).status == 200


class TestInlineContexts:
    """`contexts = "inline"`: as conformance input has them."""

    @pytest.mark.parametrize("media", ["vc+jwt", "vc+sd-jwt", "vc+cose"])
    @pytest.mark.parametrize("context", [CITY, VOCABULARY])
    def test_in_a_credential(self, server: Server, lenient: Server, media: str, context: Any) -> None:
        made = vc(credential(HOLDER_DID, __context=[V2, context], a="x"), media)
        assert lenient.verify(made).status == 200
        assert server.verify(made).code == "context.inline"

    def test_inside_of_the_subject(self, server: Server, lenient: Server) -> None:
        made = vc(credential(HOLDER_DID, credentialSubject={"@context": CITY, "a": "x"}))
        assert lenient.verify(made).status == 200
        assert server.verify(made).code == "context.nested"

    def test_undefined_all_the_same(self, lenient: Server) -> None:
        made = vc(credential(HOLDER_DID, __context=[V2, CITY], b="x"))
        assert lenient.verify(made).code == "jsonld.dropped"

    def test_in_a_presentation(self, server: Server, lenient: Server) -> None:
        changed: dict[str, Any] = {"@context": [V2, CITY], "a": "x"}
        made = vp(vc(), **changed)
        assert lenient.verify_presentation(made).status == 200
        assert server.verify_presentation(made).status == 400

    def test_issued_and_verified(self, server: Server, lenient: Server) -> None:
        for context in (CITY, VOCABULARY):
            bare = credential(lenient.issuer("jwt"), __context=[V2, context], a="x")
            assert lenient.verify(lenient.issued("jwt", bare)).status == 200
            assert server.issue("jwt", bare).status == 400
        examples = [V2, "https://www.w3.org/ns/credentials/examples/v2"]
        odd = credential(server.issuer("jwt"), __context=examples, badExtension={"huh": "what?"})
        assert server.issue("jwt", odd).code == "vc_jose.undefined"
