"""Securing Verifiable Credentials using JOSE and COSE (W3C Recommendation, 15 May 2025), and the formats on it."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from cityid.checks import Outcome, Step
from cityid.cose import sign1
from cityid.credential import CertificateChain, Challenge, Credential, DidUrl, KeyRef, StatusRef, Unbound, WebIssuer
from cityid.did import jwk as did_jwk
from cityid.did import key as did_key
from cityid.edge.signers import load
from cityid.edge.software_keys import MemoryKeyring
from cityid.encoding import base64url
from cityid.errors import CityIdError, Malformed, Misuse
from cityid.formats import FORMATS
from cityid.formats.vc_jose import documents, secured
from cityid.keys import Algorithm, Signer, cose_key, jwk
from tests import credentials, vectors, w3c
from tests.credentials import code_of
from tests.sd_jwts import AUDIENCE, HOLDER, ISSUER, NONCE, NOW
from tests.w3c import ASKED, KEYS, V2, VC, WEB

SUITE = vectors.vectors("vc-jose-cose") / "suite"
CASES = vectors.load(SUITE / "expected.json")
MEDIA = {"jose": "jwt", "sdjwt": "sd-jwt", "cose": "cose"}
KEY_FILES = {"didEd25519": "did-ed25519"}
NEW = ("vc+jwt", "vc+sd-jwt", "vc+cose")
STRANGER = MemoryKeyring()
OTHER = STRANGER.signer(STRANGER.create(Algorithm.ES256))


# -- the W3C's own cases --


def _run(case: dict[str, Any]) -> str:
    kind, how = case["feature"].split("_")
    media = ("vc+" if kind == "credential" else "vp+") + MEDIA[how]
    name = KEY_FILES.get(case["key_file"], case["key_file"])
    method = vectors.load(SUITE / f"vm-{name}.json")
    data = (SUITE / case["input_file"]).read_bytes().strip()
    try:
        key = jwk.read(method["publicKeyJwk"])
        if case["fn"] == "issue":
            signer = load(key.algorithm, base64url.decode(method["secretKeyJwk"]["d"]))
            assert isinstance(signer, Signer)
            paths = json.loads(case.get("disclosure_paths", "[]").replace("'", '"'))
            hide = [tuple(_step(part) for part in path.replace("[", ".").split(".")) for path in paths]
            kid = method["publicKeyJwk"]["kid"]
            data = documents.secure(json.loads(data), media, signer, kid=kid, hide=hide, entropy=w3c.entropy)
        elif how == "cose" and not data.startswith(b"{"):
            data = base64.b64decode(data + b"==")
        documents.unsecure(data, media).check(key)
    except CityIdError as error:
        return error.code
    return "success"


def _step(part: str) -> str | int:
    return int(part.rstrip("]")) if part.endswith("]") else part


EXPECTED = {5: "key.unsupported", 9: "jws.alg", 10: "jws.is_json", 11: "jws.is_json", 12: "signature.invalid",
            13: "jws.typ", 16: "vcdm.envelope", 23: "signature.invalid", 25: "jws.typ", 33: "cose.typ",
            34: "cose.typ"}  # fmt: skip
"""Why what must fail fails. P-521 (5, 9) is no key of ours; `test_extensions` has the same with one that is."""


class TestSuite:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["number"]))
    def test_case(self, case: dict[str, Any]) -> None:
        found = _run(case)
        assert found == EXPECTED.get(case["number"], "success")
        assert (found == "success") is (case["expected_result"] == "success")

    def test_every_file_is_used(self) -> None:
        used = {case["input_file"] for case in CASES}
        used |= {f"vm-{KEY_FILES.get(case['key_file'], case['key_file'])}.json" for case in CASES} | {"expected.json"}
        assert {path.name for path in SUITE.iterdir()} == used

    @pytest.mark.parametrize("how", MEDIA)
    def test_extensions(self, how: str) -> None:
        """Case 5 in all forms, with a key of ours: a member that no context defines by name is refused."""
        text = json.loads((SUITE / "credential-unknown-extensions.json").read_text("utf-8"))
        media = f"vc+{MEDIA[how]}"
        assert code_of(lambda: documents.secure(text, media, ISSUER)) == "vc_jose.undefined"
        good = {name: value for name, value in text.items() if name not in ("badExtension", "anotherBadOne")}
        documents.unsecure(documents.secure(good, media, ISSUER), media).check(ISSUER.public_key)


# -- the mechanism --


class TestMediaTypes:
    """§3.1.1, §3.2.1, §3.3.1."""

    def test_what_is_written(self) -> None:
        for media in sorted(secured.MEDIA):
            text = w3c.document() if media[:2] == "vc" else w3c.presentation(aud=None, nonce=None, iat=None)
            found = documents.unsecure(documents.secure(text, media, ISSUER, kid="k"), media)
            assert (found.media, found.document, found.kid) == (media, text, "k")
            if isinstance(found.signed, sign1.Sign1):
                assert found.signed.protected[16] == f"application/{media}"
                assert found.signed.protected[3] == f"application/{media[:2]}"
            assert repr(found) == f"Secured({media})"

    @pytest.mark.parametrize("typ", ["vp+jwt", "JWT", "dc+sd-jwt", "application/vc+jwt", "VC+JWT", "vc+jwt ", None])
    def test_typ(self, typ: str | None) -> None:
        code = "jws.typ_missing" if typ is None else "jws.typ"
        assert code_of(lambda: secured.read(w3c.token(w3c.document(), typ), "vc+jwt")) == code
        secured.read(w3c.token(w3c.document()), "vc+jwt")

    @pytest.mark.parametrize("cty", ["vp", "application/vc", "VC", "", 1])
    def test_cty(self, cty: Any) -> None:
        assert code_of(lambda: secured.read(w3c.token(w3c.document(), cty=cty), "vc+jwt")) == "vc_jose.cty"
        for good in ("vc", None):
            secured.read(w3c.token(w3c.document(), cty=good), "vc+jwt")

    @pytest.mark.parametrize("content", ["application/vp", "vc", 50, b"application/vc"])
    def test_cose_content_type(self, content: Any) -> None:
        assert code_of(lambda: secured.read(w3c.cose(w3c.document(), h3=content), "vc+cose")) == "vc_jose.cty"
        secured.read(w3c.cose(w3c.document(), h3=None), "vc+cose")

    @pytest.mark.parametrize("typ", ["application/vp+cose", "vc+cose", "application/vc+jwt", 16])
    def test_cose_typ(self, typ: Any) -> None:
        assert code_of(lambda: secured.read(w3c.cose(w3c.document(), typ), "vc+cose")) == "cose.typ"

    def test_others_are_the_caller_s_mistake(self) -> None:
        for media in ("vc+ld+json", "dc+sd-jwt", ""):
            assert code_of(lambda: secured.read(b"", media)) == "vc_jose.media"  # noqa: B023
            assert code_of(lambda: secured.sign({}, media, ISSUER)) == "vc_jose.media"  # noqa: B023
        for media in ("vc+jwt", "vp+cose"):
            assert code_of(lambda: secured.sign({}, media, ISSUER, hide=[("a",)])) == "vc_jose.not_sd_jwt"  # noqa: B023


class TestClaims:
    """§3.1.3: the payload is the document; what is said twice is said alike."""

    @pytest.mark.parametrize("name", ["vc", "vp"])
    def test_no_vc_claim(self, name: str) -> None:
        assert code_of(lambda: secured.read(w3c.token(w3c.document(**{name: {}})), "vc+jwt")) == "vc_jose.vc_claim"
        assert code_of(lambda: secured.sign(w3c.document(**{name: {}}), "vc+jwt", ISSUER)) == "vc_jose.vc_claim"

    @pytest.mark.parametrize("issuer", [WEB, {"id": WEB, "name": "Lindau"}])
    def test_iss(self, issuer: Any) -> None:
        for name in (WEB, None):
            secured.read(w3c.token(w3c.document(issuer=issuer, iss=name)), "vc+jwt")
            secured.read(w3c.token(w3c.document(issuer=issuer), iss=name), "vc+jwt")
        for wrong in (w3c.token(w3c.document(issuer=issuer, iss=WEB + "/")),
                      w3c.token(w3c.document(issuer=issuer), iss=WEB + "/"),
                      w3c.token(w3c.document(issuer=issuer, iss=WEB), iss=WEB + "/")):  # fmt: skip
            assert code_of(lambda: secured.read(wrong, "vc+jwt")) == "vc_jose.differs"  # noqa: B023

    @pytest.mark.parametrize(("claim", "member", "good", "bad"), [
        ("jti", "id", "urn:x:1", "urn:x:2"), ("sub", "credentialSubject", "did:x:1", "did:x:2"),
    ])  # fmt: skip
    def test_jti_and_sub(self, claim: str, member: str, good: str, bad: str) -> None:
        value: Any = {"id": good} if claim == "sub" else good
        secured.read(w3c.token(w3c.document(**{claim: good, member: value})), "vc+jwt")
        assert code_of(lambda: secured.read(w3c.token(w3c.document(**{claim: bad, member: value})), "vc+jwt")) == (
            "vc_jose.differs"
        )

    def test_what_has_no_second_place_contradicts_nothing(self) -> None:
        for subject in ({"given_name": "Ada"}, [{"id": "did:x:1"}, {"id": "did:x:2"}]):
            secured.read(w3c.token(w3c.document(sub="did:x:1", credentialSubject=subject)), "vc+jwt")
        secured.read(w3c.token(w3c.document(jti="urn:x:1")), "vc+jwt")

    def test_times_of_the_signature_are_numbers(self) -> None:
        for name in ("exp", "nbf"):
            for value in ("2026-05-04T00:00:00Z", 1.5, -1):
                token = w3c.token(w3c.document(**{name: value}))
                assert code_of(lambda: secured.read(token, "vc+jwt")) == "time.not_numeric"  # noqa: B023
        # The W3C's own cases write `iat` as a text; nothing here depends on it.
        found = secured.read(w3c.token(w3c.document(iat="2026-05-04T00:00:00Z", exp=1, nbf=0)), "vc+jwt")
        assert "iat" not in found.document

    def test_kid(self) -> None:
        assert code_of(lambda: secured.read(w3c.token(w3c.document(), kid=1), "vc+jwt")) == "json.wrong_type"
        assert code_of(lambda: secured.read(w3c.cose(w3c.document(), kid="k"), "vc+cose")) == "vc_jose.kid"
        assert secured.read(w3c.cose(w3c.document(), kid=None), "vc+cose").kid == ""


class TestSdJwt:
    """§3.2.1."""

    @pytest.mark.parametrize("name", sorted(secured.NEVER_HIDDEN))
    def test_what_cannot_be_hidden(self, name: str) -> None:
        text, digest = credentials.hidden(name, "x")
        made = w3c.document(**{name.replace("@", "__"): None}, _sd=[digest])
        raw = w3c.token(made, "vc+sd-jwt") + b"~" + text.encode() + b"~"
        assert code_of(lambda: secured.read(raw, "vc+sd-jwt")) == "vc_jose.hidden"
        assert code_of(
            lambda: secured.sign(w3c.document(), "vc+sd-jwt", ISSUER, hide=[(name,)], entropy=w3c.entropy)
        ) == "sd_jwt.unhideable"  # fmt: skip

    def test_nor_anything_inside(self) -> None:
        made = w3c.document(credentialStatus={"type": "X", "_sd": [credentials.hidden("a", 1)[1]]})
        raw = w3c.token(made, "vc+sd-jwt") + b"~"
        assert code_of(lambda: secured.read(raw, "vc+sd-jwt")) == "vc_jose.hidden"
        made["credentialStatus"] = {"type": "X"}
        secured.read(w3c.token(made, "vc+sd-jwt") + b"~", "vc+sd-jwt")

    def test_all_of_the_subject(self) -> None:
        """Nothing of it is told, and the credential is as good as one of which all is."""
        raw = documents.secure(
            w3c.document(), "vc+sd-jwt", ISSUER, hide=[("credentialSubject", "given_name")], entropy=w3c.entropy
        )
        told = documents.unsecure(raw, "vc+sd-jwt")
        untold = documents.unsecure(raw.split(b"~")[0] + b"~", "vc+sd-jwt")
        assert told.document["credentialSubject"] == {"given_name": "Ada"}
        assert untold.document["credentialSubject"] == {}
        empty = w3c.token(w3c.document(credentialSubject={}), "vc+sd-jwt") + b"~"
        assert code_of(lambda: documents.unsecure(empty, "vc+sd-jwt")) == "vcdm.empty_subject"

    def test_a_presentation_s_members_can_be_hidden(self) -> None:
        text = w3c.presentation(aud=None, nonce=None, iat=None, holder=WEB)
        raw = documents.secure(text, "vp+sd-jwt", ISSUER, hide=[("holder",)], entropy=w3c.entropy)
        assert documents.unsecure(raw, "vp+sd-jwt").document["holder"] == WEB
        assert "holder" not in documents.unsecure(raw.split(b"~")[0] + b"~", "vp+sd-jwt").document


class TestCose:
    """§3.3: registered claims stand in the header (RFC 9597)."""

    def test_cwt_claims(self) -> None:
        claims = {"iss": WEB, "cnf": HOLDER.public_key, "exp": 1, "nonce": "n", "aud": "a"}
        found = secured.read(secured.sign(w3c.document(), "vc+cose", ISSUER, claims=claims), "vc+cose")
        assert found.claims == claims
        assert found.document == w3c.document()
        found = secured.read(w3c.cose(w3c.document(), h15={1: WEB, 99: "x"}), "vc+cose")
        assert found.claims == {"iss": WEB}

    @pytest.mark.parametrize(("claims", "code"), [
        ([], "vc_jose.cwt_claims"), ({8: []}, "vc_jose.cwt_claims"), ({8: {2: {}}}, "vc_jose.cwt_claims"),
        ({8: {1: {1: 2, -4: b"d"}}}, "key.private"), ({1: WEB + "/"}, "vc_jose.differs"),
        ({4: "x"}, "time.not_numeric"),
    ])  # fmt: skip
    def test_wrong_claims(self, claims: Any, code: str) -> None:
        assert code_of(lambda: secured.read(w3c.cose(w3c.document(), h15=claims), "vc+cose")) == code

    def test_a_key_of_another_kind_is_no_holder(self) -> None:
        raw = w3c.cose(w3c.document(), h15={8: {1: {1: 1, -1: 7, -2: b"x" * 57}}})
        assert FORMATS["vc+cose"].read(raw).holder is None
        good = {8: {1: cose_key.write(HOLDER.public_key)}}
        assert FORMATS["vc+cose"].read(w3c.cose(w3c.document(), h15=good)).holder == HOLDER.public_key

    def test_payload(self) -> None:
        for payload in (b"", b"\xa0", b"[]"):
            assert code_of(lambda: secured.read(w3c.cose(payload), "vc+cose")).startswith("json.")  # noqa: B023
        text = secured.sign(w3c.document(), "vc+cose", ISSUER)
        assert code_of(lambda: secured.read(base64.b64encode(text).decode(), "vc+cose")).startswith(("cbor.", "cose."))


class TestEnvelopes:
    """VCDM 2.0 §4.13.1, §4.13.3."""

    @pytest.mark.parametrize("media", sorted(secured.MEDIA))
    def test_there_and_back(self, media: str) -> None:
        text = w3c.document() if media[:2] == "vc" else w3c.presentation(aud=None, nonce=None, iat=None)
        raw = documents.secure(text, media, ISSUER, entropy=w3c.entropy)
        closed = secured.envelope(raw, media)
        assert secured.opened(closed) == (media, raw)
        assert secured.opened({**closed, "type": [closed["type"]]}) == (media, raw)

    @pytest.mark.parametrize("changed", [
        {"id": "not-a-credential"}, {"id": "data:application/vc+jwt"}, {"id": "data:application/vc+jwt,"},
        {"id": "data:application/vc+jwt;base64,eyJ9"}, {"id": "data:application/vc+cose,0oQ="},
        {"id": "data:application/dc+sd-jwt,x"}, {"id": "data:text/plain,x"}, {"id": "data:application/vp+jwt,x"},
        {"type": "EnvelopedVerifiablePresentation"}, {"type": "VerifiableCredential"}, {"type": []},
    ])  # fmt: skip
    def test_what_is_none(self, changed: dict[str, Any]) -> None:
        good = secured.envelope(w3c.token(w3c.document()), "vc+jwt")
        assert code_of(lambda: secured.opened({**good, **changed})) == "vc_jose.envelope"
        secured.opened(good)
        assert code_of(lambda: secured.opened("data:application/vc+jwt,x")) == "json.not_an_object"

    def test_base64(self) -> None:
        good = secured.envelope(b"\xff\xfe", "vc+cose")
        assert good["id"] == "data:application/vc+cose;base64,//4="
        assert code_of(lambda: secured.opened({**good, "id": good["id"][:-1]})) == "base64.alphabet"


class TestDocuments:
    """What is secured is a good document of VCDM 2.0."""

    @pytest.mark.parametrize(("changed", "code"), [
        ({"__context": [w3c.V1]}, "vcdm.other_version"), ({"extra": 1}, "vc_jose.undefined"),
        ({"__context": [V2, "https://x.example/c"]}, "context.unknown"),
        ({"__context": [V2, {"@vocab": "urn:x:"}]}, "context.inline"),
        ({"credentialSubject": {"@context": {}, "a": 1}}, "context.nested"),
        ({"issuer": None}, "vcdm.missing"), ({"type": ["Residency"]}, "vcdm.type"),
        ({"validFrom": "2026-05-04T00:00:00"}, "time.not_a_stamp"),
    ])  # fmt: skip
    def test_wrong_credentials(self, changed: dict[str, Any], code: str) -> None:
        assert code_of(lambda: documents.secure(w3c.document(**changed), "vc+jwt", ISSUER)) == code
        assert code_of(lambda: documents.unsecure(w3c.token(w3c.document(**changed)), "vc+jwt")) == code
        documents.unsecure(w3c.token(w3c.document()), "vc+jwt")

    def test_version(self) -> None:
        first = w3c.document(__context=[w3c.V1], validFrom=None, validUntil=None, issuanceDate="2026-05-04T00:00:00Z")
        assert code_of(lambda: documents.secure(first, "vc+jwt", ISSUER)) == "vc_jose.version"
        assert code_of(lambda: documents.presentation(w3c.presentation(__context=[w3c.V1]))) == "vc_jose.version"

    def test_members_with_a_name_of_their_own(self) -> None:
        """What one of the contexts defines by name is no unknown extension."""
        kind = w3c.issued("vc+jwt")
        text = {**kind.claims, "given_name": "Ada"}
        documents.credential(text)
        assert code_of(lambda: documents.credential({**text, "given_names": "Ada"})) == "vc_jose.undefined"

    def test_credentials_in_a_presentation_are_secured(self) -> None:
        """§3.1.2. A self-asserted one is the holder's own word, which VCDM 2.0 §4.13.2 has; here it is not enough."""

        def holding(one: Any) -> dict[str, Any]:
            return w3c.presentation(one, aud=None, nonce=None, iat=None, holder=WEB)

        assert code_of(lambda: documents.presentation(holding(w3c.document()))) == "vc_jose.unsecured"
        documents.presentation(holding(w3c.document(proof={"type": "DataIntegrityProof"})))
        good = secured.envelope(w3c.token(w3c.document()), "vc+jwt")
        documents.presentation(holding(good))
        wrong = {**good, "id": "data:application/vc+jose,x"}
        assert code_of(lambda: documents.presentation(holding(wrong))) == "vc_jose.envelope"
        assert code_of(lambda: documents.presentation(holding("data:application/vc+jwt,x"))) == "json.not_an_object"


# -- the formats --


class TestIssued:
    @pytest.mark.parametrize("name", NEW)
    def test_a_card(self, name: str) -> None:
        card = w3c.issued(name)
        assert card.format == FORMATS[name].NAME == name
        assert (card.issuer, card.types, card.holder) == (WEB, (w3c.IRI, VC), HOLDER.public_key)
        assert card.claims["credentialSubject"] == credentials.CLAIMS
        assert (card.window.start, card.window.end) == (credentials.START, credentials.END)
        assert card.signed_by == (w3c.REF,)
        assert [credentials.outcome(one) for one in FORMATS[name].check_issued(card, KEYS, NOW)] == ["passed"]
        assert FORMATS[name].read(card.raw) == card

    def test_only_sd_jwt_hides(self) -> None:
        assert [len(w3c.issued(name).hidden) for name in NEW] == [0, 6, 0]
        assert ("credentialSubject", "address", "locality") in w3c.issued("vc+sd-jwt").hidden

    @pytest.mark.parametrize("name", NEW)
    def test_without_holder_or_dates(self, name: str) -> None:
        from cityid.credential import Window

        card = w3c.issued(name, holder=None, window=Window())
        assert (card.holder, card.window) == (None, Window())

    @pytest.mark.parametrize("name", NEW)
    def test_many(self, name: str) -> None:
        drafts = [credentials.draft(type=w3c.TYPE) for _ in range(3)]
        raws = FORMATS[name].issue_many(drafts, ISSUER, at=NOW, entropy=w3c.entropy)
        assert [FORMATS[name].read(raw).claims for raw in raws] == [w3c.issued(name).claims] * 3

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_keys_are_named_as_they_are_found(self, name: str) -> None:
        did = did_key.create(ISSUER.public_key)
        ref = KeyRef(DidUrl(did, did.removeprefix("did:key:")))
        assert w3c.issued(name, issuer=did, signed_by=ref).signed_by == (ref,)
        bare = KeyRef(DidUrl(did, ""))
        assert w3c.issued(name, issuer=did, signed_by=bare).signed_by == (bare,)

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_drafts_that_nobody_would_believe(self, name: str) -> None:
        for changed, code in (
            ({"suite": "ES384"}, "w3c.suite"),
            ({"issuer": "https://x.example"}, "w3c.wrong_issuer"),
            ({"signed_by": KeyRef(CertificateChain(()))}, "w3c.wrong_certificate"),
            ({"status": (StatusRef("status_list", "https://x.example/1", 1),) * 2}, "w3c.two_statuses"),
        ):
            assert code_of(lambda: w3c.issued(name, **changed)) == code  # noqa: B023
        w3c.issued(name, suite="ES256")

    def test_types_are_few_and_frames_are_dropped(self) -> None:
        for _ in range(70):
            w3c.issued("vc+sd-jwt", type=credentials.credential_type(names=w3c.NAMES))

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_status(self, name: str) -> None:
        """An entry of the register's list is one of each of the W3C's lists beside it."""
        card = w3c.issued(name, status=(StatusRef("status_list", "https://id.example/status/1", 7),))
        assert [(ref.kind, ref.uri, ref.index, ref.facts["statusPurpose"]) for ref in card.status] == [
            ("BitstringStatusListEntry", "https://id.example/status/1.revocation", 7, "revocation"),
            ("BitstringStatusListEntry", "https://id.example/status/1.suspension", 7, "suspension"),
        ]
        own = StatusRef("BitstringStatusListEntry", "https://x.example/l", 9, {"statusPurpose": "refresh"})
        (ref,) = w3c.issued(name, status=(own,)).status
        assert (ref.uri, ref.index, ref.facts["statusPurpose"]) == ("https://x.example/l", 9, "refresh")

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_description(self, name: str) -> None:
        told = FORMATS[name].describe(w3c.TYPE)
        assert told["credential_definition"]["type"] == ["VerifiableCredential", "ResidencyCredential"]
        assert "ES256" in told["alg_values"]


class TestRead:
    @pytest.mark.parametrize(("changed", "place"), [
        ({}, WebIssuer(WEB, "issuer-1")), ({"kid": None}, WebIssuer(WEB, "")),
        ({"kid": "did:x:y#z"}, DidUrl("did:x:y", "z")),
    ])  # fmt: skip
    def test_where_the_key_is(self, changed: dict[str, Any], place: Any) -> None:
        assert FORMATS["vc+jwt"].read(w3c.token(w3c.document(), **changed)).signed_by[0].at == place

    def test_where_no_key_is(self) -> None:
        """`http:` and other schemes say of no key where it is."""
        for issuer in ("http://x.example", "urn:x:y"):
            raw = w3c.token(w3c.document(issuer=issuer))
            assert code_of(lambda: FORMATS["vc+jwt"].read(raw)) == "w3c.no_key_mechanism"  # noqa: B023
        did = w3c.token(w3c.document(issuer="did:x:y"), kid="#z")
        assert FORMATS["vc+jwt"].read(did).signed_by[0].at == DidUrl("did:x:y", "z")
        assert code_of(lambda: FORMATS["vc+jwt"].read(w3c.token(w3c.document(issuer="did:x:")))) == "did.syntax"

    @pytest.mark.parametrize("x5c", [[], "MA==", [1], ["MA=="] * 6])
    def test_wrong_chains(self, x5c: Any) -> None:
        raw = w3c.token(w3c.document(), x5c=x5c)
        assert code_of(lambda: FORMATS["vc+jwt"].read(raw)) == "w3c.x5c"
        good = FORMATS["vc+jwt"].read(w3c.token(w3c.document(), x5c=["MA=="]))
        assert good.signed_by[0].at == CertificateChain((b"0",))

    def test_chains_in_cose(self) -> None:
        for x5chain in ([], [b"0"] * 6, ["MA=="], 1):
            raw = w3c.cose(w3c.document(), h33=x5chain)
            assert code_of(lambda: FORMATS["vc+cose"].read(raw)) == "w3c.x5c"  # noqa: B023
        for one in (b"0", [b"0"]):
            good = FORMATS["vc+cose"].read(w3c.cose(w3c.document(), h33=one))
            assert good.signed_by[0].at == CertificateChain((b"0",))

    def test_both_windows_count(self) -> None:
        day = timedelta(days=1)
        raw = w3c.token(w3c.document(nbf=int((credentials.START + day / 2).timestamp()),
                                     exp=int((credentials.END + day).timestamp())))  # fmt: skip
        window = FORMATS["vc+jwt"].read(raw).window
        assert (window.start, window.end) == (credentials.START + day / 2, credentials.END)
        raw = w3c.token(w3c.document(nbf=0, exp=int((credentials.END - day / 2).timestamp())))
        window = FORMATS["vc+jwt"].read(raw).window
        assert (window.start, window.end) == (credentials.START, credentials.END - day / 2)
        raw = w3c.token(w3c.document(validFrom=None, validUntil=None, nbf=5, exp=6))
        assert FORMATS["vc+jwt"].read(raw).window.end is not None

    @pytest.mark.parametrize(("status", "code"), [
        ([], "passed"), ([{"type": ["BitstringStatusListEntry"]}], "passed"), ({"type": []}, "vcdm.type"),
        ({"type": ["A", "B"]}, "w3c.status"),
    ])  # fmt: skip
    def test_status_entries(self, status: Any, code: str) -> None:
        raw = w3c.token(w3c.document(credentialStatus=status))
        assert code_of(lambda: FORMATS["vc+jwt"].read(raw)) == code

    @pytest.mark.parametrize(("index", "found"), [
        ("7", 7), ("0", 0), ("07", -1), (7, -1), ("-1", -1), ("1e3", -1), ("１２", -1), ("9" * 17, -1), (None, -1),
    ])  # fmt: skip
    def test_index_of_an_entry(self, index: Any, found: int) -> None:
        raw = w3c.token(w3c.document(credentialStatus={"type": "X", "statusListIndex": index}))
        (ref,) = FORMATS["vc+jwt"].read(raw).status
        assert (ref.kind, ref.uri, ref.index) == ("X", "", found)

    def test_a_jwt_s_own_status(self) -> None:
        """Token Status List §6.2 works in every JWT."""
        status = {"status_list": {"uri": "https://x.example/1", "idx": 5}, "other": 3, "odd": {"idx": -4}}
        refs = FORMATS["vc+jwt"].read(w3c.token(w3c.document(status=status))).status
        assert [(ref.kind, ref.uri, ref.index) for ref in refs] == [
            ("status_list", "https://x.example/1", 5), ("other", "", -1), ("odd", "", -1),
        ]  # fmt: skip
        assert code_of(lambda: FORMATS["vc+jwt"].read(w3c.token(w3c.document(status=[])))) == "json.wrong_type"

    def test_audience(self) -> None:
        assert FORMATS["vc+jwt"].read(w3c.token(w3c.document(aud="x"))).claims["aud"] == "x"

    def test_answers(self) -> None:
        for name in w3c.FORMS:
            card, ask = w3c.issued(name), FORMATS[name].answers
            assert ask(card, {})
            assert ask(card, {"type_values": [["urn:x"], [w3c.IRI, VC]]})
            assert ask(card, {"type_values": [[w3c.IRI]]})
            assert not ask(card, {"type_values": [[w3c.IRI, "urn:x"], ["ResidencyCredential"]]})


class TestHolder:
    """Whose card it is: `cnf`, or a subject whose DID is a key (§4.1.3)."""

    @pytest.mark.parametrize("create", [did_jwk.create, did_key.create])
    def test_subject(self, create: Any) -> None:
        raw = w3c.token(w3c.document(credentialSubject={"id": create(HOLDER.public_key)}))
        assert FORMATS["vc+jwt"].read(raw).holder == HOLDER.public_key

    @pytest.mark.parametrize("subject", [
        {"id": "did:web:x.example"}, {"id": "did:key:z6Mk"}, {"id": "did:jwk:e30"}, {"id": "urn:x:y"}, {"a": 1},
        [{"id": did_key.create(HOLDER.public_key)}],
    ])  # fmt: skip
    def test_subjects_that_are_no_key(self, subject: Any) -> None:
        assert FORMATS["vc+jwt"].read(w3c.token(w3c.document(credentialSubject=subject))).holder is None

    @pytest.mark.parametrize(("cnf", "code"), [
        ({"jwk": jwk.write(HOLDER.public_key)}, "passed"), ({"kid": "x"}, "passed"), ([], "binding.cnf"),
        ({"jwk": {"kty": "EC", "crv": "P-521", "x": "", "y": ""}}, "passed"),
        ({"jwk": {**jwk.write(HOLDER.public_key), "d": "x"}}, "key.private"),
    ])  # fmt: skip
    def test_cnf(self, cnf: Any, code: str) -> None:
        """`cnf` counts before the subject, also where its key cannot be used."""
        made = w3c.document(cnf=cnf, credentialSubject={"id": did_key.create(OTHER.public_key)})
        assert code_of(lambda: FORMATS["vc+jwt"].read(w3c.token(made))) == code
        if code == "passed":
            expected = HOLDER.public_key if cnf == {"jwk": jwk.write(HOLDER.public_key)} else None
            assert FORMATS["vc+jwt"].read(w3c.token(made)).holder == expected

    def test_an_enc_key_is_no_holder(self) -> None:
        value = {**jwk.write(HOLDER.public_key), "use": "enc"}
        did = f"did:jwk:{base64url.encode(json.dumps(value).encode())}"
        assert FORMATS["vc+jwt"].read(w3c.token(w3c.document(credentialSubject={"id": did}))).holder is None


class TestPresented:
    """OpenID4VP B.1.3: one asker, one question, one holder."""

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_shown(self, name: str) -> None:
        raw = w3c.shown(name, ("credentialSubject", "given_name")) if name == "vc+sd-jwt" else w3c.shown(name)
        assert w3c.codes(name, raw) == ["passed", "passed"]
        (one,) = FORMATS[name].read_presentation(raw)
        assert one.credential.claims["credentialSubject"]["given_name"] == "Ada"
        assert ("locality" in one.credential.claims["credentialSubject"]["address"]) is (name != "vc+sd-jwt")

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_unbound(self, name: str) -> None:
        raw = w3c.shown(name, challenge=Unbound(), holder=None)
        assert w3c.codes(name, raw, Unbound()) == ["passed", "passed"]
        assert w3c.codes(name, raw) == ["passed", "binding.missing"]
        # Bound without being asked for: checked as far as it can be.
        assert w3c.codes(name, w3c.shown(name), Unbound()) == ["passed", "passed"]

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_for_somebody_else(self, name: str) -> None:
        raw = w3c.shown(name)
        assert w3c.codes(name, raw, Challenge("x509_san_dns:other", NONCE)) == ["passed", "binding.audience"]
        assert w3c.codes(name, raw, Challenge(AUDIENCE, "another-nonce-of-today")) == ["passed", "binding.nonce"]

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_in_its_time(self, name: str) -> None:
        raw, second = w3c.shown(name), timedelta(seconds=1)
        for at, code in ((NOW + timedelta(seconds=300), "passed"), (NOW + timedelta(seconds=301), "binding.too_old"),
                         (NOW - 60 * second, "passed"), (NOW - 61 * second, "binding.ahead")):  # fmt: skip
            assert w3c.codes(name, raw, at=at) == ["passed", code]

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_with_the_right_key(self, name: str) -> None:
        assert code_of(lambda: w3c.shown(name, holder=OTHER)) == "binding.wrong_signer"
        assert code_of(lambda: w3c.shown(name, holder=None)) == "binding.no_signer"
        card = w3c.issued(name, holder=None)
        assert code_of(lambda: FORMATS[name].present(card, (), ASKED, HOLDER, at=NOW, entropy=w3c.entropy)) == (
            "binding.no_key"
        )

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_keys(self, name: str) -> None:
        (one,) = FORMATS[name].read_presentation(w3c.shown(name))
        for act in (lambda: FORMATS[name].check(one, {}, ASKED, NOW),
                    lambda: FORMATS[name].check_issued(one.credential, {}, NOW)):  # fmt: skip
            assert code_of(act) == "keys.not_given"
        wrong = {w3c.REF: OTHER.public_key}
        assert w3c.codes(name, w3c.shown(name), keys=wrong) == ["signature.invalid"]
        assert [credentials.outcome(check) for check in FORMATS[name].check_issued(one.credential, wrong, NOW)] == [
            "signature.invalid"
        ]

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_transaction_data(self, name: str) -> None:
        asked = Challenge(AUDIENCE, NONCE, transaction_data=("e30",))
        assert code_of(lambda: w3c.shown(name, challenge=asked)) == "binding.transaction_data_format"
        assert w3c.codes(name, w3c.shown(name), asked) == ["passed", "binding.transaction_data_format"]

    @pytest.mark.parametrize("name", w3c.FORMS)
    def test_what_was_kept_as_bytes(self, name: str) -> None:
        """A wallet keeps the bytes; they are read again."""
        from dataclasses import replace

        card = replace(w3c.issued(name), state=None)
        raw = FORMATS[name].present(card, (), ASKED, HOLDER, at=NOW, entropy=w3c.entropy)
        assert w3c.codes(name, raw) == ["passed", "passed"]

    @pytest.mark.parametrize(("changed", "code"), [
        ({}, "passed"), ({"iat": None}, "passed"), ({"aud": None}, "binding.claim"), ({"nonce": None}, "binding.claim"),
        ({"aud": [AUDIENCE]}, "binding.claim"), ({"iat": "now"}, "binding.claim"),
        ({"exp": int(NOW.timestamp()) - 60}, "binding.expired"), ({"exp": int(NOW.timestamp()) - 59}, "passed"),
        ({"nbf": int(NOW.timestamp()) + 61}, "binding.not_yet"), ({"nbf": int(NOW.timestamp()) + 60}, "passed"),
        ({"holder": did_key.create(HOLDER.public_key)}, "passed"),
        ({"iss": did_jwk.create(HOLDER.public_key)}, "passed"),
        ({"holder": did_key.create(OTHER.public_key)}, "binding.other_holder"),
        ({"iss": "https://x.example"}, "binding.other_holder"),
    ])  # fmt: skip
    def test_what_the_holder_signs(self, changed: dict[str, Any], code: str) -> None:
        inside = secured.envelope(w3c.token(w3c.bound()), "vc+jwt")
        raw = w3c.token(w3c.presentation(inside, **changed), "vp+jwt", HOLDER)
        assert w3c.codes("vc+jwt", raw) == ["passed", code]

    def test_whose_signature(self) -> None:
        inside = secured.envelope(w3c.token(w3c.bound()), "vc+jwt")
        raw = w3c.token(w3c.presentation(inside), "vp+jwt", OTHER)
        assert w3c.codes("vc+jwt", raw) == ["passed", "binding.signature"]
        nobody = secured.envelope(w3c.token(w3c.document()), "vc+jwt")
        raw = w3c.token(w3c.presentation(nobody), "vp+jwt", HOLDER)
        assert w3c.codes("vc+jwt", raw) == ["passed", "binding.no_key"]

    def test_the_subject_itself_is_the_holder(self) -> None:
        """`cnf` says with which key somebody who is called otherwise shows the card."""
        inside = w3c.token(w3c.bound(credentialSubject={"id": "did:web:ada.example"}))
        for name, code in (("did:web:ada.example", "passed"), ("did:web:bob.example", "binding.other_holder")):
            text = w3c.presentation(secured.envelope(inside, "vc+jwt"), holder=name)
            assert w3c.codes("vc+jwt", w3c.token(text, "vp+jwt", HOLDER)) == ["passed", code]

    def test_one_credential_of_this_format(self) -> None:
        one = secured.envelope(w3c.token(w3c.bound()), "vc+jwt")
        shown = FORMATS["vc+jwt"].read_presentation(w3c.token(w3c.presentation(one, one), "vp+jwt", HOLDER))
        assert len(shown) == 2
        for other in ("vc+sd-jwt", "vc+cose"):
            inside = secured.envelope(w3c.issued(other).raw, other)
            raw = w3c.token(w3c.presentation(inside), "vp+jwt", HOLDER)
            assert code_of(lambda: FORMATS["vc+jwt"].read_presentation(raw)) == "vc_jose.other_format"  # noqa: B023

    def test_nothing_hides_behind_an_issuer_s_binding(self) -> None:
        raw = w3c.shown("vc+sd-jwt")
        assert code_of(lambda: FORMATS["vc+sd-jwt"].read(raw)) == "sd_jwt.bound_by_issuer"
        FORMATS["vc+sd-jwt"].read(w3c.issued("vc+sd-jwt").raw)


class TestUnits:
    def test_states(self) -> None:
        card = w3c.issued("vc+jwt")
        assert isinstance(card, Credential)
        assert FORMATS["vc+jwt"].check_issued(card, KEYS, NOW) == FORMATS["vc+cose"].check_issued(
            w3c.issued("vc+cose"), KEYS, NOW
        )
        (check,) = FORMATS["vc+jwt"].check_issued(card, KEYS, NOW)
        assert (check.step, check.outcome) == (Step.ISSUER_SIGNATURE, Outcome.PASSED)

    def test_too_long(self) -> None:
        with pytest.raises(Malformed, match=r"jws\.too_large"):
            secured.read(w3c.token(w3c.document()), "vc+jwt", limit=100)
        with pytest.raises(Misuse):
            secured.read(b"", "x")
