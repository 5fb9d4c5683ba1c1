"""Securing Verifiable Credentials using JOSE and COSE (W3C Recommendation, 15 May 2025), and the formats on it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from cityid import contexts
from cityid.cose import sign1
from cityid.edge.signers import load
from cityid.encoding import base64url
from cityid.errors import CityIdError
from cityid.formats import FORMATS
from cityid.formats.vc_jose import documents, secured
from cityid.keys import Signer, cose_key, jwk
from tests import credentials, vectors, w3c
from tests.credentials import code_of
from tests.sd_jwts import HOLDER, ISSUER
from tests.w3c import V2, WEB

SUITE = vectors.vectors("vc-jose-cose") / "suite"
CASES = vectors.load(SUITE / "expected.json")
MEDIA = {"jose": "jwt", "sdjwt": "sd-jwt", "cose": "cose"}
KEY_FILES = {"didEd25519": "did-ed25519"}


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


EXPECTED = {5: "vc_jose.undefined", 9: "jws.alg", 10: "jws.is_json", 11: "jws.is_json", 12: "signature.invalid",
            13: "jws.typ", 16: "vcdm.envelope", 23: "signature.invalid", 25: "jws.typ", 33: "cose.typ",
            34: "cose.typ"}  # fmt: skip
"""Why what must fail fails. (Of 9 the key has another algorithm; `test_extensions` has the same with the right one.)"""


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

    def test_what_may_be_hidden_beside_it(self) -> None:
        raw = secured.sign(w3c.document(name="A"), "vc+sd-jwt", ISSUER, hide=[("name",)], entropy=w3c.entropy)
        assert secured.read(raw, "vc+sd-jwt").document["name"] == "A"
        assert "name" not in secured.read(raw.split(b"~")[0] + b"~", "vc+sd-jwt").document

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
        {"id": "not-a-credential"}, {"id": "vc+jwt,x"}, {"id": "data:application/vc+jwt"},
        {"id": "data:application/vc+jwt,"},
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


NESTING = contexts.of_claims("NestingCredential", "https://city.example/nesting", [(("address", "locality"), False)])
"""A context of a type's own, with one inside of it."""


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

    @pytest.mark.parametrize("inside", [b'"@context"', b'"\\u0040context"'])
    def test_contexts_inside_of_what_is_signed(self, inside: bytes) -> None:
        text = json.dumps(w3c.document()).encode().replace(b'"given_name": "Ada"', inside + b": []")
        assert code_of(lambda: FORMATS["vc+jwt"].read(w3c.token(text))) == "context.nested"
        FORMATS["vc+jwt"].read(w3c.token(json.dumps(w3c.document()).encode()))

    @pytest.mark.parametrize("inside", [b'"@context"', b'"\\u0040context"', b'"a@context"'])
    def test_contexts_inside_of_a_card_whose_own_context_has_some(self, inside: bytes) -> None:
        document = {**w3c.document(), "@context": [V2, NESTING], "type": ["VerifiableCredential", "NestingCredential"]}
        text = json.dumps(document).encode()
        assert FORMATS["vc+jwt"].read(w3c.token(text)).types[0] == NESTING["NestingCredential"]
        changed = text.replace(b'"given_name": "Ada"', inside + b": []")
        assert changed != text
        if b"a@" in inside:  # a name that only looks like it
            FORMATS["vc+jwt"].read(w3c.token(changed))
        else:
            assert code_of(lambda: FORMATS["vc+jwt"].read(w3c.token(changed))) == "context.nested"

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
