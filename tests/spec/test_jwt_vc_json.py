"""The JWT encoding of VCDM 1.1 (W3C Recommendation, 3 March 2022, §6.3.1), which OpenID4VP B.1.3.1 calls `jwt_vc_json`.

What it has in common with the other W3C formats is tested beside them (`test_vc_jose_cose`).
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from cityid.credential import CertificateChain, DidUrl, Unbound
from cityid.did import jwk as did_jwk
from cityid.did import key as did_key
from cityid.edge.software_keys import MemoryKeyring
from cityid.encoding import base64url, times
from cityid.formats import FORMATS
from cityid.keys import Algorithm, jwk
from tests import credentials, w3c
from tests.credentials import code_of
from tests.sd_jwts import AUDIENCE, HOLDER, ISSUER, NONCE, NOW
from tests.w3c import KEYS, V1, V2, VC, WEB

FORM = FORMATS["jwt_vc_json"]
SUB = did_key.create(HOLDER.public_key)
STRANGER = MemoryKeyring()
OTHER = STRANGER.signer(STRANGER.create(Algorithm.ES256))
START, END = "2026-05-04T00:00:00Z", "2026-05-05T00:00:00Z"


def token(payload: dict[str, Any], typ: str | None = "JWT", **more: Any) -> bytes:
    return w3c.token(payload, typ, **more)


def vp(*cards: Any, **changed: Any) -> dict[str, Any]:
    made = {
        "iss": SUB, "aud": AUDIENCE, "nonce": NONCE, "iat": int(NOW.timestamp()),
        "vp": {"@context": [V1], "type": ["VerifiablePresentation"], "verifiableCredential": list(cards)}, **changed,
    }  # fmt: skip
    return {name: value for name, value in made.items() if value is not None}


class TestEncoding:
    """§6.3.1.1: which properties become claims."""

    def test_a_card(self) -> None:
        card = w3c.issued("jwt_vc_json")
        header, payload = (json.loads(base64url.decode(part)) for part in card.raw.split(b".")[:2])
        assert header["typ"] == "JWT"
        assert (payload["iss"], payload["sub"]) == (WEB, SUB)
        assert (payload["nbf"], payload["exp"]) == (times.numeric(credentials.START), times.numeric(credentials.END))
        assert set(payload["vc"]) == {"@context", "type", "credentialSubject"}
        assert payload["vc"]["@context"][0] == V1
        assert card.types == (w3c.IRI, VC)
        assert (card.window.start, card.window.end) == (credentials.START, credentials.END)

    def test_what_is_read_is_the_credential(self) -> None:
        """§6.3.1.2: the properties that were claims stand in the credential again; DCQL's paths begin at its root."""
        card = FORM.read(token(w3c.old(jti="urn:x:1")))
        assert card.claims == {
            **w3c.old_document(), "issuer": WEB, "id": "urn:x:1", "issuanceDate": START, "expirationDate": END,
            "credentialSubject": {"given_name": "Ada", "id": SUB},
        }  # fmt: skip
        assert (card.holder, card.issuer, card.signed_by) == (HOLDER.public_key, WEB, (w3c.REF,))

    @pytest.mark.parametrize(("claim", "member", "good", "bad"), [
        ("iss", "issuer", WEB, WEB + "/"), ("iss", "issuer", {"id": WEB, "name": "Lindau"}, {"id": WEB + "/"}),
        ("jti", "id", "urn:x:1", "urn:x:2"), ("sub", "credentialSubject", {"id": SUB}, {"id": SUB + "x"}),
        ("nbf", "issuanceDate", START, "2026-05-04T00:00:01Z"), ("exp", "expirationDate", END, "2026-05-05T00:00:01Z"),
    ])  # fmt: skip
    def test_what_is_said_twice(self, claim: str, member: str, good: Any, bad: Any) -> None:
        def read(value: Any) -> Any:
            return FORM.read(token(w3c.old(jti="urn:x:1", vc=w3c.old_document(**{member: value}))))

        assert read(good).issuer == WEB
        assert code_of(lambda: read(bad)) == "jwt_vc.differs"

    def test_an_issuer_keeps_its_other_members(self) -> None:
        card = FORM.read(token(w3c.old(vc=w3c.old_document(issuer={"name": "Lindau"}))))
        assert card.claims["issuer"] == {"name": "Lindau", "id": WEB}

    def test_what_is_said_once(self) -> None:
        """In either place."""
        made = w3c.old_document(issuer=WEB, issuanceDate=START, expirationDate=END, credentialSubject={"id": SUB})
        card = FORM.read(token({"vc": made}))
        assert (card.issuer, card.holder, card.window.end) == (WEB, HOLDER.public_key, credentials.END)
        raw = FORM.present(card, (), w3c.ASKED, HOLDER, at=NOW, entropy=w3c.entropy)
        assert w3c.codes("jwt_vc_json", raw) == ["passed", "passed"]

    def test_fractions_of_a_second_agree(self) -> None:
        made = w3c.old_document(issuanceDate="2026-05-04T00:00:00.25Z")
        assert FORM.read(token(w3c.old(vc=made))).claims["issuanceDate"] == "2026-05-04T00:00:00.25Z"

    @pytest.mark.parametrize(("changed", "code"), [
        ({"iss": 1}, "json.wrong_type"), ({"sub": 1}, "json.wrong_type"), ({"jti": 1}, "json.wrong_type"),
        ({"nbf": "x"}, "time.not_numeric"), ({"exp": 1.5}, "time.not_numeric"), ({"iss": None}, "vcdm.missing"),
        ({"nbf": None}, "vcdm.missing"), ({"vc": []}, "json.wrong_type"), ({"vc": None}, "jwt_vc.not_one"),
        ({"vp": {}}, "jwt_vc.not_one"), ({"vc": None, "vp": {}}, "jwt_vc.not_one"),
    ])  # fmt: skip
    def test_wrong_claims(self, changed: dict[str, Any], code: str) -> None:
        assert code_of(lambda: FORM.read(token(w3c.old(**changed)))) == code
        FORM.read(token(w3c.old()))

    @pytest.mark.parametrize("subject", [None, [], [{"a": 1}, {"b": 2}], "x"])
    def test_one_subject(self, subject: Any) -> None:
        made = w3c.old_document(credentialSubject=subject)
        assert code_of(lambda: FORM.read(token(w3c.old(vc=made)))) == "jwt_vc.one_subject"
        FORM.read(token(w3c.old(vc=w3c.old_document(credentialSubject=[{"a": 1}]))))


class TestApart:
    """It is another format than `vc+jwt`, and neither is tried for the other."""

    @pytest.mark.parametrize("typ", ["vc+jwt", "vp+jwt", "dc+sd-jwt", "jwt", "kb+jwt", 1])
    def test_typ(self, typ: Any) -> None:
        assert code_of(lambda: FORM.read(token(w3c.old(), typ))) == "jwt_vc.typ"
        for good in ("JWT", None):
            FORM.read(token(w3c.old(), good))

    def test_neither_is_the_other(self) -> None:
        assert code_of(lambda: FORM.read(w3c.token(w3c.bound()))) == "jwt_vc.typ"
        assert code_of(lambda: FORM.read(token(w3c.bound()))) == "jwt_vc.not_one"
        assert code_of(lambda: FORMATS["vc+jwt"].read(token(w3c.old()))) == "jws.typ"
        assert code_of(lambda: FORMATS["vc+jwt"].read(w3c.token(w3c.old()))) == "vc_jose.vc_claim"

    @pytest.mark.parametrize(("changed", "code"), [
        ({"__context": [V2]}, "vcdm.other_version"), ({"validFrom": START}, "vcdm.other_version"),
        ({"relatedResource": {}}, "jwt_vc.version"), ({"__context": ["https://x.example"]}, "vcdm.context"),
        ({"__context": [V1, {"a": "urn:b"}]}, "context.inline"),
        ({"credentialSubject": {"@context": []}}, "context.nested"),
    ])  # fmt: skip
    def test_the_first_version_of_the_data_model(self, changed: dict[str, Any], code: str) -> None:
        assert code_of(lambda: FORM.read(token(w3c.old(vc=w3c.old_document(**changed))))) == code

    def test_of_the_second_version_as_a_whole(self) -> None:
        made = w3c.document()
        assert code_of(lambda: FORM.read(token({"iss": WEB, "vc": made}))) == "jwt_vc.version"

    def test_a_type_that_no_context_defines(self) -> None:
        """OpenID4VP B.1.1: it stays as it is written."""
        card = FORM.read(token(w3c.old(vc=w3c.old_document(type=["VerifiableCredential", "IDCredential"]))))
        assert card.types == ("IDCredential", VC)
        assert FORM.answers(card, {"type_values": [["IDCredential"]]})

    def test_keys(self) -> None:
        card = FORM.read(token(w3c.old(), x5c=["MA=="]))
        assert card.signed_by[0].at == CertificateChain((b"0",))
        card = FORM.read(token(w3c.old(iss="did:x:y"), kid="did:x:y#z"))
        assert card.signed_by[0].at == DidUrl("did:x:y", "z")


class TestPresentation:
    """§6.3.1, OpenID4VP B.1.3.1.4."""

    @pytest.mark.parametrize(("changed", "code"), [
        ({}, "passed"), ({"iss": None}, "binding.other_holder"), ({"iss": "did:x:y"}, "binding.other_holder"),
        ({"iss": did_jwk.create(HOLDER.public_key)}, "passed"), ({"aud": "x"}, "binding.audience"),
        ({"nonce": "x"}, "binding.nonce"),
    ])  # fmt: skip
    def test_of_whom(self, changed: dict[str, Any], code: str) -> None:
        raw = token(vp(token(w3c.old()).decode(), **changed), by=HOLDER)
        assert w3c.codes("jwt_vc_json", raw) == ["passed", code]

    def test_with_cnf(self) -> None:
        """The key of `cnf` may show a card about somebody else (a parent, a child)."""
        cnf = {"jwk": jwk.write(HOLDER.public_key)}
        for sub, iss, code in (("did:x:child", None, "passed"), ("did:x:child", "did:x:child", "passed"),
                               (None, SUB, "passed"), (None, "did:x:other", "binding.other_holder")):  # fmt: skip
            raw = token(vp(token(w3c.old(sub=sub, cnf=cnf)).decode(), iss=iss), by=HOLDER)
            assert w3c.codes("jwt_vc_json", raw) == ["passed", code]

    def test_whose_signature(self) -> None:
        card = token(w3c.old()).decode()
        assert w3c.codes("jwt_vc_json", token(vp(card), by=OTHER)) == ["passed", "binding.signature"]
        bearer = token(w3c.old(sub=None)).decode()
        assert w3c.codes("jwt_vc_json", token(vp(bearer), by=HOLDER)) == ["passed", "binding.no_key"]
        assert w3c.codes("jwt_vc_json", token(vp(card), by=OTHER), Unbound()) == ["passed", "binding.signature"]

    @pytest.mark.parametrize(("inside", "code"), [
        ({}, "json.missing"), ("x", "jwt_vc.credentials"), ([1], "json.not_an_object"),
        ([w3c.document()], "jwt_vc.credentials"), (["x"], "jws.segments"),
    ])  # fmt: skip
    def test_what_is_inside(self, inside: Any, code: str) -> None:
        text = vp()
        text["vp"]["verifiableCredential"] = inside
        assert code_of(lambda: FORM.read_presentation(token(text, by=HOLDER))) == code
        assert len(FORM.read_presentation(token(vp(*[token(w3c.old()).decode()] * 2), by=HOLDER))) == 2

    def test_a_credential_is_not_shown_as_one_inside(self) -> None:
        inside = w3c.token(w3c.bound()).decode()
        assert code_of(lambda: FORM.read_presentation(token(vp(inside), by=HOLDER))) == "jwt_vc.typ"

    def test_audience_of_the_card(self) -> None:
        assert FORM.read(token(w3c.old(aud="x"))).claims["aud"] == "x"

    def test_issuer(self) -> None:
        card = FORM.read(token(w3c.old()))
        (check,) = FORM.check_issued(card, KEYS, NOW)
        assert credentials.outcome(check) == "passed"
        assert "Ada" not in repr(card.state)
        assert FORM.NAME == "jwt_vc_json"
        assert ISSUER.public_key in KEYS.values()
