"""SD-JWT VC (draft-ietf-oauth-sd-jwt-vc-19), section by section, on the official examples and on our own."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cityid.checks import Outcome, Step
from cityid.credential import (
    CertificateChain,
    Challenge,
    Credential,
    DidUrl,
    KeyRef,
    Presentation,
    StatusRef,
    Unbound,
    WebIssuer,
    Window,
)  # fmt: skip
from cityid.credential_type import ClaimRule
from cityid.errors import Malformed, Misuse, Refused
from cityid.formats import FORMATS
from cityid.formats.sd_jwt_vc import NEVER_HIDDEN, REVISION, SD_JWT_VC
from cityid.jose import digests, sd_jwt
from cityid.keys import Algorithm, PublicKey, jwk
from cityid.keys.certify import Name, certify_issuer, certify_root
from tests.credentials import (
    ASKED,
    CLAIMS,
    DID,
    END,
    KEYS,
    NOW,
    REF,
    START,
    VCT,
    WEB,
    credential_type,
    did_ref,
    draft,
    hidden,
    outcome,
    payload,
    vc,
)  # fmt: skip
from tests.sd_jwts import HOLDER, ISSUER, NONCE, OTHER, b64, bound, digest, disclosure, raw_jws, signer
from tests.vectors import load, vectors

_COUNT = itertools.count()


def entropy(size: int) -> bytes:
    """Different bytes each time, the same in each run."""
    return hashlib.shake_256(str(next(_COUNT)).encode()).digest(size)


ROOT_KEY = signer(21)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = certify_root(ROOT_KEY, Name("Root"), at=BEGIN)
LEAF = certify_issuer(ISSUER.public_key, Name("City of Lindau"), root=ROOT, signer=ROOT_KEY, at=BEGIN, uris=[WEB])
SUBJECT = "CN=City of Lindau"
X5C = [base64.b64encode(LEAF).decode()]


def issued(**changed: Any) -> Credential:
    return SD_JWT_VC.issue(draft(**changed), ISSUER, at=NOW, entropy=entropy)


def shown(
    credential: Credential, *paths: Any, challenge: Challenge | Unbound = ASKED, holder: Any = HOLDER
) -> Presentation:
    raw = SD_JWT_VC.present(credential, paths, challenge, holder, at=NOW, entropy=entropy)
    (presentation,) = SD_JWT_VC.read_presentation(raw)
    return presentation


def judged(
    presentation: Presentation, challenge: Challenge | Unbound = ASKED, *, keys: Any = KEYS, at: datetime = NOW
) -> list[str]:
    checks = list(SD_JWT_VC.check(presentation, keys, challenge, at))
    assert [check.step for check in checks] == [Step.ISSUER_SIGNATURE, Step.HOLDER_BINDING][: len(checks)]
    return [outcome(check) for check in checks]


def refused(raw: bytes, code: str, where: str | None = None) -> None:
    """Both readers refuse it, in the same way."""
    readers: tuple[Callable[[bytes], Any], ...] = (SD_JWT_VC.read, SD_JWT_VC.read_presentation)
    for read in readers:
        with pytest.raises(Malformed) as caught:
            read(raw)
        assert caught.value.code == code
        assert where is None or caught.value.problem.where == where


def good(raw: bytes) -> Credential:
    credential = SD_JWT_VC.read(raw)
    (presentation,) = SD_JWT_VC.read_presentation(raw)
    assert presentation.credential == credential
    return credential


class TestJoseHeader:
    """§2.2.1."""

    def test_typ(self) -> None:
        assert good(vc(payload())).format == SD_JWT_VC.NAME == "dc+sd-jwt"

    @pytest.mark.parametrize("typ", ["vc+sd-jwt", "JWT", "DC+SD-JWT", "application/dc+sd-jwt", "kb+jwt", ""])
    def test_another_typ(self, typ: str) -> None:
        refused(vc(payload(), typ=typ), "jws.typ")

    def test_no_typ(self) -> None:
        header = {"alg": "ES256", "kid": "issuer-1"}
        text = raw_jws(header, json.dumps(payload()).encode())
        refused(f"{text}~".encode(), "jws.typ_missing")


class TestVct:
    """§2.2.2.1."""

    def test_it_is_the_first_type(self) -> None:
        assert good(vc(payload())).types == (VCT,)

    @pytest.mark.parametrize(
        ("vct", "code"),
        [(None, "sd_jwt_vc.no_vct"), ("", "sd_jwt_vc.no_vct"), (1, "json.wrong_type"), ([VCT], "json.wrong_type")],
    )
    def test_it_is_required_and_text(self, vct: Any, code: str) -> None:
        refused(vc(payload(vct=vct)), code, "$.vct")

    def test_null(self) -> None:
        content = {**payload(), "vct": None}
        refused(vc(content), "json.wrong_type", "$.vct")

    def test_integrity_is_text(self) -> None:
        assert good(vc(payload(vct__integrity="sha256-x"))).claims["vct#integrity"] == "sha256-x"
        refused(vc(payload(vct__integrity=["sha256-x"])), "json.wrong_type", "$.vct#integrity")


class TestAkaVcts:
    """§2.2.2.2."""

    def test_they_are_further_types(self) -> None:
        assert good(vc(payload(aka_vcts=["urn:a", "urn:b"]))).types == (VCT, "urn:a", "urn:b")

    @pytest.mark.parametrize("aka", [[], [VCT], ["urn:a", VCT], "urn:a", [1], [""], {}, False])
    def test_forms_that_are_none(self, aka: Any) -> None:
        refused(vc(payload(aka_vcts=aka)), "sd_jwt_vc.aka_vcts", "$.aka_vcts")


VALUES: dict[str, Any] = {
    "iss": WEB, "nbf": 1, "exp": 2, "cnf": {"jwk": jwk.write(HOLDER.public_key)}, "vct": VCT, "vct#integrity": "x",
    "aka_vcts": ["urn:a"], "status": {"status_list": {"uri": "https://a.example", "idx": 1}},
}  # fmt: skip


class TestRegisteredClaims:
    """§2.2.2.3."""

    def test_the_list_is_the_drafts(self) -> None:
        assert set(VALUES) == NEVER_HIDDEN

    @pytest.mark.parametrize("name", sorted(VALUES))
    def test_never_disclosed(self, name: str) -> None:
        text, found = hidden(name, VALUES[name])
        content = {member: value for member, value in payload().items() if member != name}
        refused(vc({**content, "_sd": [found]}, text), "sd_jwt_vc.hidden_claim")

    @pytest.mark.parametrize("name", ["sub", "iat"])
    def test_may_be_disclosed(self, name: str) -> None:
        value = "ada" if name == "sub" else int(START.timestamp())
        text, found = hidden(name, value)
        assert (name,) in good(vc({**payload(), "_sd": [found]}, text)).hidden

    @pytest.mark.parametrize("name", ["cnf", "status"])
    def test_sub_claims_neither(self, name: str) -> None:
        (inner, value), *_ = VALUES[name].items()
        text, found = hidden(inner, value)
        for shown_ in ((text,), ()):  # a digest that stays undisclosed is refused just as well
            refused(vc({**payload(), name: {"_sd": [found]}}, *shown_), "sd_jwt_vc.hidden_claim")

    def test_deep_inside_a_status(self) -> None:
        text, found = hidden("idx", 1)
        status = {"status_list": {"uri": "https://a.example", "_sd": [found]}}
        refused(vc(payload(status=status), text), "sd_jwt_vc.hidden_claim")

    def test_elements_of_aka_vcts(self) -> None:
        text = disclosure("c2FsdHNhbHRzYWx0c2FsdA", "urn:b")
        refused(vc(payload(aka_vcts=["urn:a", {"...": digest(text)}]), text), "sd_jwt_vc.hidden_claim")
        refused(vc(payload(aka_vcts=["urn:a", {"...": digest(text)}])), "sd_jwt_vc.hidden_claim")

    def test_the_same_name_further_down_is_no_registered_claim(self) -> None:
        text, found = hidden("status", "married")
        credential = good(vc({**payload(), "civil": {"_sd": [found]}}, text))
        assert credential.claims["civil"] == {"status": "married"}

    def test_window(self) -> None:
        assert good(vc(payload())).window == Window(START, END)
        assert good(vc(payload(nbf=None, exp=None))).window == Window()
        late = int(START.timestamp()) + 60
        assert good(vc(payload(iat=late))).window.start == START + timedelta(minutes=1)
        assert good(vc(payload(iat=late - 120))).window.start == START
        assert good(vc(payload(nbf=None, iat=late))).window.start == START + timedelta(minutes=1)

    @pytest.mark.parametrize("name", ["nbf", "exp", "iat"])
    @pytest.mark.parametrize("value", ["1", 1.5, True, -1, [], 253402300800])
    def test_times_are_numeric(self, name: str, value: Any) -> None:
        refused(vc(payload(**{name: value})), "time.not_numeric", f"$.{name}")

    def test_cnf_is_the_holders_key_and_no_claim(self) -> None:
        credential = good(vc(payload()))
        assert credential.holder == HOLDER.public_key
        assert "cnf" not in credential.claims
        assert good(vc(payload(cnf=None))).holder is None

    def test_status(self) -> None:
        content = {"status_list": {"uri": "https://a.example/1", "idx": 7}, "other": {"uri": 1, "x": 2}}
        credential = good(vc(payload(status=content)))
        first, second = credential.status
        assert (first.kind, first.uri, first.index) == ("status_list", "https://a.example/1", 7)
        assert dict(first.facts) == content["status_list"]
        assert (second.kind, second.uri, second.index) == ("other", "", -1)
        assert "status" not in credential.claims
        (third,) = good(vc(payload(status={"x": {"uri": "u"}}))).status
        assert third.uri == "u"
        assert good(vc(payload(status={}))).status == ()

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            ("x", "json.not_an_object"),
            ({"status_list": []}, "json.wrong_type"),
            ({"status_list": {"idx": 1}}, "json.missing"),
            ({"status_list": {"uri": "u", "idx": "1"}}, "json.wrong_type"),
            ({"status_list": {"uri": "u", "idx": 1.0}}, "json.wrong_type"),
            ({"status_list": {"uri": "u", "idx": -1}}, "sd_jwt_vc.status_index"),
        ],
    )
    def test_status_that_is_none(self, status: Any, code: str) -> None:
        refused(vc(payload(status=status)), code)

    @pytest.mark.parametrize("value", ["x", 1, None, [], True])
    def test_a_mechanism_unknown_here_may_be_anything(self, value: Any) -> None:
        (ref,) = good(vc(payload(status={"x": value}))).status
        assert (ref.kind, ref.uri, ref.index, dict(ref.facts)) == ("x", "", -1, {})

    @pytest.mark.parametrize("aud", ["https://a.example", ["https://a.example", "b"], [], ""])
    def test_aud(self, aud: Any) -> None:
        """RFC 7519 §4.1.3."""
        assert good(vc(payload(aud=aud))).claims["aud"] == aud

    @pytest.mark.parametrize("aud", [1, {}, ["a", 1], [None], True])
    def test_aud_that_is_none(self, aud: Any) -> None:
        refused(vc(payload(aud=aud)), "json.wrong_type", "$.aud")
        refused(vc({**payload(), "aud": None}), "json.wrong_type", "$.aud")

    def test_elements_of_aud_may_be_hidden(self) -> None:
        """RFC 9901 §9.7."""
        text = disclosure("c2FsdHNhbHRzYWx0c2FsdA", "https://a.example")
        content = payload(aud=["https://b.example", {"...": digest(text)}])
        assert good(vc(content)).claims["aud"] == ["https://b.example"]
        assert good(vc(content, text)).claims["aud"] == ["https://b.example", "https://a.example"]

    def test_index_zero(self) -> None:
        (ref,) = good(vc(payload(status={"status_list": {"uri": "u", "idx": 0}}))).status
        assert ref.index == 0

    def test_sub_is_text(self) -> None:
        assert good(vc(payload(sub="ada"))).claims["sub"] == "ada"
        refused(vc(payload(sub=1)), "json.wrong_type", "$.sub")

    def test_neither_iss_nor_iat_is_required(self) -> None:
        assert good(vc(payload(iss=None), x5c=X5C)).issuer == SUBJECT


class TestDataFormat:
    """§2.2."""

    def test_no_claim_hidden(self) -> None:
        credential = good(vc(payload(name="Ada")))
        assert credential.hidden == frozenset()
        assert credential.raw.count(b"~") == 1

    def test_json_serialisations(self) -> None:
        token = sd_jwt.read(issued().raw, typ="dc+sd-jwt")
        for form in (sd_jwt.flattened(token), sd_jwt.general(token)):
            credential = good(json.dumps(form).encode())
            assert credential.claims == issued().claims
            assert outcome(*SD_JWT_VC.check_issued(credential, KEYS, NOW)) == "passed"
            assert judged(shown(credential, ("given_name",))) == ["passed", "passed"]
            spaced = good(b" \t\r\n" + json.dumps(form, indent=1).encode() + b"\n")
            assert spaced.claims == issued().claims
        refused(b"\n" + issued().raw, "base64url.alphabet")

    def test_a_json_presentation(self) -> None:
        token = sd_jwt.read(shown(issued(), ("given_name",)).raw, typ="dc+sd-jwt")
        raw = json.dumps(sd_jwt.flattened(token)).encode()
        (presentation,) = SD_JWT_VC.read_presentation(raw)
        assert judged(presentation) == ["passed", "passed"]
        with pytest.raises(Malformed, match=r"sd_jwt\.bound_by_issuer"):
            SD_JWT_VC.read(raw)

    def test_a_bound_one_is_not_issued(self) -> None:
        with pytest.raises(Malformed, match=r"sd_jwt\.bound_by_issuer"):
            SD_JWT_VC.read(shown(issued()).raw)

    def test_a_credential_kept_as_bytes_only(self) -> None:
        credential = replace(issued(), state=None)
        assert judged(shown(credential, ("given_name",))) == ["passed", "passed"]
        token = sd_jwt.read(credential.raw, typ="dc+sd-jwt")
        as_json = replace(credential, raw=json.dumps(sd_jwt.flattened(token)).encode())
        assert judged(shown(as_json, ("given_name",))) == ["passed", "passed"]


class TestKeyDiscovery:
    """§2.5: where the issuer's key is said to be."""

    @pytest.mark.parametrize(
        ("content", "header", "issuer", "place"),
        [
            ({}, {}, WEB, WebIssuer(WEB, "issuer-1")),
            ({}, {"kid": None}, WEB, WebIssuer(WEB, "")),
            ({}, {"kid": f"{DID}#k"}, WEB, WebIssuer(WEB, f"{DID}#k")),
            ({"iss": DID}, {"kid": f"{DID}#k"}, DID, DidUrl(DID, "k")),
            ({"iss": DID}, {"kid": "#k"}, DID, DidUrl(DID, "k")),
            ({"iss": DID}, {"kid": "k"}, DID, DidUrl(DID, "k")),
            ({"iss": DID}, {"kid": None}, DID, DidUrl(DID, "")),
            ({"iss": DID}, {"kid": DID}, DID, DidUrl(DID, "")),
            ({"iss": DID}, {"kid": "did:web:evil.example#k"}, DID, DidUrl("did:web:evil.example", "k")),
            ({}, {"x5c": X5C}, WEB, CertificateChain((LEAF,))),
            ({"iss": None}, {"x5c": X5C}, SUBJECT, CertificateChain((LEAF,))),
            ({"iss": "urn:x"}, {"x5c": X5C * 5}, "urn:x", CertificateChain((LEAF,) * 5)),
        ],
    )
    def test_where_the_key_is_said_to_be(self, content: Any, header: Any, issuer: str, place: Any) -> None:
        credential = good(vc(payload(**content), **header))
        assert (credential.issuer, credential.signed_by) == (issuer, (KeyRef(place),))

    @pytest.mark.parametrize(
        ("content", "header", "code"),
        [
            ({"iss": None}, {}, "sd_jwt_vc.no_key_mechanism"),
            ({"iss": "http://id.lindau.example"}, {}, "sd_jwt_vc.no_key_mechanism"),
            ({"iss": "urn:x"}, {}, "sd_jwt_vc.no_key_mechanism"),
            ({"iss": ""}, {}, "json.wrong_type"),
            ({"iss": 1}, {}, "json.wrong_type"),
            ({}, {"kid": 1}, "json.wrong_type"),
            ({"iss": DID}, {"kid": f"{DID}?x#k"}, "did.url_not_plain"),
            ({"iss": "did:web"}, {"kid": "k"}, "did.syntax"),
            ({}, {"x5c": []}, "sd_jwt_vc.x5c"),
            ({}, {"x5c": X5C[0]}, "sd_jwt_vc.x5c"),
            ({}, {"x5c": "AAAA"}, "sd_jwt_vc.x5c"),
            ({}, {"x5c": [1]}, "sd_jwt_vc.x5c"),
            ({}, {"x5c": X5C * 6}, "sd_jwt_vc.x5c"),
            ({}, {"x5c": [b64(LEAF)]}, "base64.alphabet"),
            ({"iss": None}, {"x5c": ["AAAA"]}, "x509.der"),
        ],
    )
    def test_forms_that_are_none(self, content: Any, header: Any, code: str) -> None:
        refused(vc(payload(**content), **header), code)

    def test_x5c_outside_the_protected_header_is_ignored(self) -> None:
        form = sd_jwt.flattened(sd_jwt.read(vc(payload()), typ="dc+sd-jwt"))
        form["header"]["x5c"] = X5C
        assert good(json.dumps(form).encode()).signed_by == (REF,)


class TestIssuing:
    def test_what_is_written(self) -> None:
        status = (StatusRef("status_list", "https://id.lindau.example/1", 5),)
        names = {"dc+sd-jwt": {"vct": VCT, "vct#integrity": "sha256-x", "aka_vcts": ["urn:a"]}}
        credential = issued(status=status, type=credential_type(names=names))
        signed = sd_jwt.read(credential.raw, typ="dc+sd-jwt")
        assert dict(signed.jws.header) == {"alg": "ES256", "typ": "dc+sd-jwt", "kid": "issuer-1"}
        written = json.loads(signed.jws.payload)
        assert {name: value for name, value in written.items() if name not in ("_sd", "address", "nationalities")} == {
            "iss": WEB, "vct": VCT, "vct#integrity": "sha256-x", "aka_vcts": ["urn:a"],
            "iat": 1777852800, "nbf": 1777852800, "exp": 1777939200,
            "cnf": {"jwk": jwk.write(HOLDER.public_key)}, "municipality": "Lindau", "_sd_alg": "sha-256",
            "status": {"status_list": {"idx": 5, "uri": "https://id.lindau.example/1"}},
        }  # fmt: skip
        assert len(written["_sd"]) == 2
        assert list(written["address"]) == ["_sd"]
        assert len(written["address"]["_sd"]) == 2
        assert [list(item) for item in written["nationalities"]] == [["..."], ["..."]]

    def test_what_is_issued_is_what_is_read(self) -> None:
        credential = issued(status=(StatusRef("status_list", "https://x.example", 5),))
        again = good(credential.raw)
        for name in (
            "format",
            "issuer",
            "types",
            "claims",
            "hidden",
            "holder",
            "window",
            "signed_by",
            "raw",
            "positions",
        ):
            assert getattr(again, name) == getattr(credential, name), name
        assert again.status[0].index == credential.status[0].index == 5

    def test_claims_without_what_has_its_own_field(self) -> None:
        credential = issued()
        assert {"cnf", "status"}.isdisjoint(credential.claims)
        assert {name: credential.claims[name] for name in CLAIMS} == CLAIMS

    def test_each_hideable_claim_on_its_own(self) -> None:
        assert issued().hidden == {
            ("given_name",), ("address", "locality"), ("address", "postal_code"), ("nationalities", 0),
            ("nationalities", 1), ("age_over_18",),
        }  # fmt: skip

    def test_decoys(self) -> None:
        plain, decoyed = issued(), issued(type=credential_type(decoys=3))
        count = [len(json.loads(sd_jwt.read(c.raw, typ="dc+sd-jwt").jws.payload)["_sd"]) for c in (plain, decoyed)]
        assert count == [2, 5]

    def test_open_window_and_no_holder(self) -> None:
        credential = issued(window=Window(), holder=None)
        assert (credential.window, credential.holder) == (Window(), None)

    def test_signed_by_a_did(self) -> None:
        credential = issued(issuer=DID, signed_by=did_ref())
        assert sd_jwt.read(credential.raw, typ="dc+sd-jwt").jws.header["kid"] == f"{DID}#issuer-1"
        assert credential.signed_by == (did_ref(),)
        assert "kid" not in sd_jwt.read(issued(issuer=DID, signed_by=did_ref("")).raw, typ="dc+sd-jwt").jws.header

    def test_signed_by_the_web_without_kid(self) -> None:
        credential = issued(signed_by=KeyRef(WebIssuer(WEB, "")))
        assert "kid" not in sd_jwt.read(credential.raw, typ="dc+sd-jwt").jws.header

    def test_signed_by_a_chain(self) -> None:
        named = issued(signed_by=KeyRef(CertificateChain((LEAF,))))
        assert named.claims["iss"] == WEB
        assert sd_jwt.read(named.raw, typ="dc+sd-jwt").jws.header["x5c"] == X5C
        unnamed = issued(signed_by=KeyRef(CertificateChain((LEAF,))), issuer=SUBJECT)
        assert "iss" not in unnamed.claims
        assert good(unnamed.raw).issuer == SUBJECT

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"issuer": "https://evil.example"}, "sd_jwt_vc.wrong_issuer"),
            ({"signed_by": did_ref()}, "sd_jwt_vc.wrong_issuer"),
            ({"signed_by": KeyRef(CertificateChain(()))}, "sd_jwt_vc.wrong_certificate"),
            ({"signed_by": KeyRef(CertificateChain((ROOT,)))}, "sd_jwt_vc.wrong_certificate"),
            ({"suite": "EdDSA"}, "sd_jwt_vc.suite"),
            ({"claims": {"iss": "x"}}, "sd_jwt_vc.reserved_claim"),
            ({"claims": {"iat": 1}}, "sd_jwt_vc.reserved_claim"),
            ({"status": (StatusRef("a", "u", 1), StatusRef("a", "u", 2))}, "sd_jwt_vc.two_statuses"),
            ({"type": credential_type(("status",))}, "sd_jwt.unhideable"),
            ({"type": credential_type(("cnf", "jwk"))}, "sd_jwt.unhideable"),
        ],
    )
    def test_what_is_not_issued(self, changed: Any, code: str) -> None:
        with pytest.raises(Misuse) as caught:
            issued(**changed)
        assert caught.value.code == code

    def test_the_suite_may_be_named(self) -> None:
        assert issued(suite="ES256").holder == HOLDER.public_key

    def test_frames_are_compiled_once_and_not_for_ever(self) -> None:
        SD_JWT_VC._frames.clear()
        mine = credential_type()
        first = SD_JWT_VC._frame(mine)
        assert SD_JWT_VC._frame(mine) is first
        kept = [credential_type() for _ in range(64)]
        for other in kept:
            SD_JWT_VC._frame(other)
        assert len(SD_JWT_VC._frames) <= 64
        assert SD_JWT_VC._frame(mine) == first


class TestCheckIssued:
    def test_good(self) -> None:
        (check,) = SD_JWT_VC.check_issued(issued(), KEYS, NOW)
        assert (check.step, check.outcome) == (Step.ISSUER_SIGNATURE, Outcome.PASSED)

    @pytest.mark.parametrize(
        ("key", "code"), [(OTHER.public_key, "signature.invalid"), (signer(5, Algorithm.EDDSA).public_key, "jws.alg")]
    )
    def test_another_key(self, key: PublicKey, code: str) -> None:
        (check,) = SD_JWT_VC.check_issued(issued(), {REF: key}, NOW)
        assert (check.step, outcome(check)) == (Step.ISSUER_SIGNATURE, code)

    def test_no_key(self) -> None:
        with pytest.raises(Misuse, match=r"keys\.not_given"):
            SD_JWT_VC.check_issued(issued(), {}, NOW)


class TestVerification:
    """§2.4: the nine steps' two that are the format's: who signed, and who shows."""

    def test_shown(self) -> None:
        presentation = shown(issued(), ("given_name",), ("nationalities", 1))
        credential = presentation.credential
        expected = {"given_name": "Ada", "nationalities": ["FR"], "municipality": "Lindau", "address": {}}
        assert {name: credential.claims.get(name) for name in (*CLAIMS, *expected)} == {"age_over_18": None, **expected}
        assert credential.positions == {("nationalities",): (1,)}
        assert credential.hidden == {("given_name",), ("nationalities", 1)}
        assert presentation.shown_by == ()
        assert judged(presentation) == ["passed", "passed"]

    def test_success_is_a_constant(self) -> None:
        presentation = shown(issued())
        assert SD_JWT_VC.check(presentation, KEYS, ASKED, NOW) is SD_JWT_VC.check(presentation, KEYS, ASKED, NOW)

    def test_a_bad_issuer_signature_ends_it(self) -> None:
        assert judged(shown(issued()), keys={REF: OTHER.public_key}) == ["signature.invalid"]

    @pytest.mark.parametrize(
        ("challenge", "at", "code"),
        [
            (replace(ASKED, audience="https://other.example"), NOW, "binding.audience"),
            (replace(ASKED, nonce=NONCE + "x"), NOW, "binding.nonce"),
            (ASKED, NOW + timedelta(seconds=301), "binding.too_old"),
            (ASKED, NOW - timedelta(seconds=61), "binding.ahead"),
            (replace(ASKED, max_age=timedelta(seconds=5)), NOW + timedelta(seconds=6), "binding.too_old"),
        ],
    )
    def test_bound_to_something_else(self, challenge: Challenge, at: datetime, code: str) -> None:
        assert judged(shown(issued()), challenge, at=at) == ["passed", code]

    def test_edges_of_time(self) -> None:
        presentation = shown(issued())
        for at in (NOW + timedelta(seconds=300), NOW - timedelta(seconds=60)):
            assert judged(presentation, at=at) == ["passed", "passed"]

    def test_binding_is_asked_for_and_absent(self) -> None:
        assert judged(shown(issued(), challenge=Unbound())) == ["passed", "binding.missing"]

    def test_binding_by_another_key(self) -> None:
        (presentation,) = SD_JWT_VC.read_presentation(bound(issued().raw.decode(), OTHER).encode())
        assert judged(presentation) == ["passed", "binding.signature"]
        (presentation,) = SD_JWT_VC.read_presentation(bound(issued().raw.decode(), HOLDER).encode())
        assert judged(presentation) == ["passed", "passed"]

    def test_a_credential_without_cnf(self) -> None:
        (presentation,) = SD_JWT_VC.read_presentation(bound(vc(payload(cnf=None)).decode()).encode())
        assert judged(presentation) == ["passed", "binding.no_key"]
        assert judged(presentation, Unbound()) == ["passed", "binding.no_key"]

    @pytest.mark.parametrize(
        ("cnf", "code"),
        [
            ({"kid": "x"}, "binding.cnf_method"),
            ({}, "binding.cnf_method"),
            ({"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}}, "key.unsupported"),
        ],
    )
    def test_bound_in_a_way_that_is_not_ours(self, cnf: Any, code: str) -> None:
        """RFC 9901 §4.1.2 allows other methods: they matter to nobody but who asks for binding."""
        text = vc(payload(cnf=cnf)).decode()
        assert good(text.encode()).holder is None
        (alone,) = SD_JWT_VC.read_presentation(text.encode())
        assert judged(alone, Unbound()) == ["passed", "passed"]
        assert judged(alone) == ["passed", "binding.missing"]
        (whole,) = SD_JWT_VC.read_presentation(bound(text).encode())
        assert judged(whole) == judged(whole, Unbound()) == ["passed", code]

    def test_unbound_and_absent(self) -> None:
        presentation = shown(issued(), challenge=Unbound())
        _, check = SD_JWT_VC.check(presentation, KEYS, Unbound(), NOW)
        assert dict(check.facts) == {"key_binding": "absent"}

    def test_unbound_and_there_all_the_same(self) -> None:
        _, check = SD_JWT_VC.check(shown(issued()), KEYS, Unbound(), NOW)
        assert dict(check.facts) == {"key_binding": "valid, not asked for"}

    @pytest.mark.parametrize(
        ("by", "changed", "code"),
        [
            (OTHER, {}, "binding.signature"),
            (HOLDER, {"sd_hash": "x"}, "binding.sd_hash"),
            (HOLDER, {"header": {"typ": "JWT"}}, "binding.typ"),
            (HOLDER, {"header": {}}, "binding.typ"),
        ],
    )
    def test_unbound_and_wrong(self, by: Any, changed: Any, code: str) -> None:
        (presentation,) = SD_JWT_VC.read_presentation(bound(issued().raw.decode(), by, **changed).encode())
        assert judged(presentation, Unbound()) == ["passed", code]


class TestPresenting:
    def test_without_binding_nobody_signs(self) -> None:
        raw = SD_JWT_VC.present(issued(), [("given_name",)], Unbound(), None, at=NOW, entropy=entropy)
        assert raw.endswith(b"~")

    @pytest.mark.parametrize(
        ("changed", "holder", "error", "code"),
        [
            ({}, None, Misuse, "binding.no_signer"),
            ({}, OTHER, Misuse, "binding.wrong_signer"),
            ({"holder": None}, HOLDER, Refused, "binding.no_key"),
        ],
    )
    def test_who_cannot(self, changed: Any, holder: Any, error: type[Exception], code: str) -> None:
        with pytest.raises(error, match=code.replace(".", r"\.")):
            shown(issued(**changed), holder=holder)

    def test_a_claim_that_is_not_there(self) -> None:
        with pytest.raises(Misuse, match=r"sd_jwt\.no_such_claim"):
            shown(issued(), ("family_name",))

    def test_every_element(self) -> None:
        assert shown(issued(), ("nationalities", None)).credential.claims["nationalities"] == ["DE", "FR"]


def transaction(**members: Any) -> str:
    return b64(json.dumps({"type": "payment", "credential_ids": ["card"], **members}))


def hashed(text: str, name: str = "sha-256") -> str:
    return digests.HASHES[name].texts([text.encode()])[0]


class TestTransactionData:
    """OpenID4VP §8.4, B.3.3.1: what is agreed to is in the holder's signature."""

    PLAIN, STRONG = transaction(), transaction(transaction_data_hashes_alg=["sha-512", "sha-256"])

    def asked(self, *data: str) -> Challenge:
        return replace(ASKED, transaction_data=data)

    def claims(self, presentation: Presentation) -> Any:
        return json.loads(presentation.state.binding.jws.payload)

    def test_the_received_characters_are_hashed(self) -> None:
        presentation = shown(issued(), challenge=self.asked(self.PLAIN))
        claims = self.claims(presentation)
        assert claims["transaction_data_hashes"] == [hashed(self.PLAIN)]
        assert "transaction_data_hashes_alg" not in claims
        assert judged(presentation, self.asked(self.PLAIN)) == ["passed", "passed"]

    def test_the_hash_function_asked_for_is_named(self) -> None:
        presentation = shown(issued(), challenge=self.asked(self.STRONG))
        claims = self.claims(presentation)
        assert claims["transaction_data_hashes_alg"] == "sha-512"
        assert claims["transaction_data_hashes"] == [hashed(self.STRONG, "sha-512")]
        assert judged(presentation, self.asked(self.STRONG)) == ["passed", "passed"]

    def test_one_for_all(self) -> None:
        presentation = shown(issued(), challenge=self.asked(self.STRONG, self.PLAIN))
        assert self.claims(presentation)["transaction_data_hashes_alg"] == "sha-256"
        assert judged(presentation, self.asked(self.STRONG, self.PLAIN)) == ["passed", "passed"]
        assert judged(presentation, self.asked(self.PLAIN, self.STRONG)) == ["passed", "passed"]

    def test_none_in_common(self) -> None:
        alien, strict = (transaction(transaction_data_hashes_alg=[name]) for name in ("md5", "sha-512"))
        for data in ((alien,), (strict, self.PLAIN)):
            with pytest.raises(Refused, match=r"binding\.transaction_data_alg"):
                shown(issued(), challenge=self.asked(*data))

    def test_data_that_cannot_be_read(self) -> None:
        with pytest.raises(Malformed):
            shown(issued(), challenge=self.asked("!"))

    def test_other_data(self) -> None:
        presentation = shown(issued(), challenge=self.asked(self.PLAIN))
        other = self.asked(transaction(amount=1))
        assert judged(presentation, other) == ["passed", "binding.transaction_data"]
        assert judged(presentation, self.asked(self.PLAIN, self.PLAIN)) == ["passed", "binding.transaction_data"]

    def test_no_data(self) -> None:
        assert judged(shown(issued()), self.asked(self.PLAIN)) == ["passed", "binding.transaction_data_missing"]

    @pytest.mark.parametrize(
        ("data", "claims", "code"),
        [
            (PLAIN, {"transaction_data_hashes": "x"}, "binding.transaction_data_missing"),
            (PLAIN, {"transaction_data_hashes": [1]}, "binding.transaction_data_missing"),
            (PLAIN, {"transaction_data_hashes": [hashed(PLAIN, "sha-512")], "transaction_data_hashes_alg": "sha-512"},
             "binding.transaction_data_alg"),
            (STRONG, {"transaction_data_hashes": [hashed(STRONG)]}, "binding.transaction_data_alg"),
            (STRONG, {"transaction_data_hashes": [hashed(STRONG)], "transaction_data_hashes_alg": []},
             "binding.transaction_data_alg"),
            (STRONG, {"transaction_data_hashes": [hashed(STRONG)], "transaction_data_hashes_alg": "sha-256"}, "passed"),
            (PLAIN, {"transaction_data_hashes": [hashed(PLAIN)], "transaction_data_hashes_alg": "sha-256"}, "passed"),
        ],
    )  # fmt: skip
    def test_what_the_binding_says(self, data: str, claims: Any, code: str) -> None:
        (presentation,) = SD_JWT_VC.read_presentation(bound(issued().raw.decode(), **claims).encode())
        assert judged(presentation, self.asked(data)) == ["passed", code]


class TestQueries:
    """OpenID4VP B.3.5."""

    @pytest.mark.parametrize(
        ("meta", "expected"),
        [
            ({"vct_values": [VCT]}, True), ({"vct_values": ["urn:a"]}, True), ({"vct_values": ["urn:x", VCT]}, True),
            ({"vct_values": ["urn:x"]}, False), ({"vct_values": []}, False), ({}, True),
        ],
    )  # fmt: skip
    def test_vct_values(self, meta: Any, expected: bool) -> None:
        assert SD_JWT_VC.answers(good(vc(payload(aka_vcts=["urn:a"]))), meta) is expected

    def test_describe(self) -> None:
        described = SD_JWT_VC.describe(credential_type())
        assert described["vct"] == VCT
        assert described["sd-jwt_alg_values"] == described["kb-jwt_alg_values"]
        assert set(described["kb-jwt_alg_values"]) == {"ES256", "ES384", "EdDSA", "ES256K", "ML-DSA-44", "ML-DSA-65"}
        assert FORMATS["dc+sd-jwt"] is SD_JWT_VC
        assert REVISION == "draft-ietf-oauth-sd-jwt-vc-19"


FOLDER = vectors("sd-jwt-vc")
SPEC_KEY = jwk.read({
    "kty": "EC", "crv": "P-256", "x": "b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ",
    "y": "Xv5zWwuoaTgdS6hV43yI6gBwTnjukmFQQnJ_kCxzqk8",
})  # fmt: skip
SPEC_ISSUER = "https://example.com/issuer"
SPEC_AT = datetime.fromtimestamp(1787325881, UTC)
SPEC_ASKED = Challenge("https://verifier.example.com", "1234567890")


class TestOfficialCredentials:
    """§2.3, Figures 4 to 11 of the draft."""

    def test_issuance(self) -> None:
        case = load(FOLDER / "draft/issuance-and-presentation.json")
        credential = good(case["sdJwt"].encode())
        assert credential.issuer == SPEC_ISSUER
        assert credential.signed_by == (KeyRef(WebIssuer(SPEC_ISSUER, "doc-signer-05-25-2022")),)
        token = credential.state
        assert json.loads(token.jws.payload) == case["sdJwtPayload"]
        for item in case["disclosures"]:
            assert credential.state.processed.hidden[(item["contents"][1],)].decode() == item["disclosure"]
            assert token.processed.hash.texts([item["disclosure"].encode()]) == [item["digest"]]
        registered = {"iss": SPEC_ISSUER, "iat": 1683000000, "exp": 1883000000}
        assert credential.claims == {**case["inputClaims"], **registered}
        (check,) = SD_JWT_VC.check_issued(credential, {credential.signed_by[0]: SPEC_KEY}, SPEC_AT)
        assert outcome(check) == "passed"

    def test_presentation(self) -> None:
        case = load(FOLDER / "draft/issuance-and-presentation.json")
        (presentation,) = SD_JWT_VC.read_presentation(case["presentation"].encode())
        credential = presentation.credential
        expected = dict(case["processedPayload"])
        assert jwk.write(credential.holder or SPEC_KEY) == expected.pop("cnf")["jwk"]
        assert credential.claims == expected
        asked = Challenge("https://example.com/verifier", "1234567890")
        keys = {credential.signed_by[0]: SPEC_KEY}
        assert judged(presentation, asked, keys=keys, at=SPEC_AT) == ["passed", "passed"]
        assert judged(presentation, replace(asked, nonce="1234567891"), keys=keys, at=SPEC_AT)[1] == "binding.nonce"

    def test_presentation_by_us(self) -> None:
        """The choice of the draft's holder gives the draft's bytes."""
        case = load(FOLDER / "draft/issuance-and-presentation.json")
        credential = SD_JWT_VC.read(case["sdJwt"].encode())
        raw = SD_JWT_VC.present(credential, [("address",), ("is_over_65",)], Unbound(), None, at=NOW, entropy=entropy)
        theirs = case["presentation"].rpartition("~")[0].split("~")
        assert sorted(raw.decode().rstrip("~").split("~")) == sorted(theirs)

    def test_presentation_without_key_binding(self) -> None:
        case = load(FOLDER / "draft/presentation-without-kb.json")
        (presentation,) = SD_JWT_VC.read_presentation(case["presentation"].encode())
        credential = presentation.credential
        assert credential.claims == case["processedPayload"]
        keys = {credential.signed_by[0]: SPEC_KEY}
        assert judged(presentation, Unbound(), keys=keys) == ["passed", "passed"]
        assert judged(presentation, SPEC_ASKED, keys=keys) == ["passed", "binding.missing"]

    @pytest.mark.parametrize("name", ["01", "02"])
    def test_inputs(self, name: str) -> None:
        """specs/: the same credential from the draft's own inputs, issued and shown by us."""
        import yaml

        class Loader(yaml.SafeLoader):
            pass

        hides: list[tuple[str, ...]] = []

        def tagged(loader: Any, node: Any) -> str:
            hides.append((node.value,))
            return str(node.value)

        Loader.add_constructor("!sd", tagged)
        given = yaml.load((FOLDER / "specs" / name / "specification.yml").read_text(), Loader)
        settings = yaml.safe_load((FOLDER / "specs/settings.yml").read_text())
        assert jwk.write(SPEC_KEY) == {k: v for k, v in settings["key_settings"]["issuer_key"].items() if k != "d"}
        claims = {k: v for k, v in given["user_claims"].items() if k != "vct"}
        rules = {path: ClaimRule(path, {}, True, False, {}) for path in hides}
        kind = credential_type(claims=rules, names={"dc+sd-jwt": {"vct": given["user_claims"]["vct"]}})
        credential = issued(claims=claims, type=kind)
        assert credential.hidden == set(hides)
        assert len(hides) == 9
        paths = [(claim,) for claim in given["holder_disclosed_claims"]]
        asked = ASKED if given["key_binding"] else Unbound()
        presentation = shown(credential, *paths, challenge=asked)
        assert judged(presentation, asked) == ["passed", "passed"]
        kept = {k: v for k, v in presentation.credential.claims.items() if k in claims}
        assert kept == {claim: claims[claim] for claim in given["holder_disclosed_claims"]}

    def test_the_payloads_of_section_2_2_2(self) -> None:
        first, second = load(FOLDER / "draft/type-metadata-and-issuer-metadata.json")["section2.2.2"]
        credential = good(vc({"iss": WEB, **first}))
        assert credential.claims["given_name"] == "Russ"
        assert credential.window.end == datetime.fromtimestamp(1777707000, UTC)
        assert good(vc({"iss": WEB, **second})).types == ("urn:example:eudi:pid:aendgard:1", "urn:example:eudi:pid")


def test_every_file_of_the_topic_is_run() -> None:
    """run (here and in test_type_metadata.py) + listed = present."""
    here = {
        "draft/issuance-and-presentation.json", "draft/presentation-without-kb.json", "specs/01/specification.yml",
        "specs/02/specification.yml", "specs/settings.yml", "draft/type-metadata-and-issuer-metadata.json",
    }  # fmt: skip
    there = {"draft/type-metadata-full.json", "eudi/pid_arf_v18_type_metadata.json"}
    listed = {"README.md": "says what the files are"}
    present = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()}
    assert here | there | set(listed) == present
    assert set(load(FOLDER / "draft/type-metadata-and-issuer-metadata.json")) == {
        "source", "vctOnly", "typeMetadata", "section2.2.2", "issuerMetadataRequests", "issuerMetadataResponse",
        "issuerMetadataJwksUri", "reducedCredential5.6.1.1",
    }  # fmt: skip
