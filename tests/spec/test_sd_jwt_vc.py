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

from cityid.checks import Step
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
from cityid.errors import Malformed, Misuse
from cityid.formats.sd_jwt_vc import NEVER_HIDDEN, SD_JWT_VC
from cityid.jose import sd_jwt
from cityid.keys import jwk
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
from tests.sd_jwts import HOLDER, ISSUER, b64, digest, disclosure, raw_jws, signer

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
