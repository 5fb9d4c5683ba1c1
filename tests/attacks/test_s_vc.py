"""SD-JWT VC under attack (S23-S29, S31-S35), and what of J, O and D strikes the same readers. Each case by its id, with
its twin one bit away."""

from __future__ import annotations

import base64
import functools
import json
import secrets
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from cityid import trust
from cityid.credential import CertificateChain, KeyRef, WebIssuer
from cityid.edge.recorded import offline
from cityid.errors import CityIdError, Malformed, Unavailable
from cityid.formats import type_metadata
from cityid.formats.sd_jwt_vc import SD_JWT_VC
from cityid.formats.svg_template import render
from cityid.jose import jws, sd_jwt
from cityid.keys import jwk
from cityid.keys.certify import Name, certify_issuer, certify_root
from cityid.trust import TrustEntry, TrustList
from tests.credentials import (
    ASKED,
    DID,
    KEYS,
    NOW,
    REF,
    VCT,
    WEB,
    Net,
    code_of,
    did_document,
    did_ref,
    draft,
    hidden,
    jwks,
    outcome,
    payload,
    vc,
)  # fmt: skip
from tests.sd_jwts import HOLDER, ISSUER, OTHER, bound, signer

Entropy = secrets.token_bytes
NAMES = {"residency": (VCT,)}


def card() -> str:
    return SD_JWT_VC.issue(draft(), ISSUER, at=NOW, entropy=Entropy).raw.decode()


def verdict(text: str | bytes) -> str:
    """`passed`, or the code of the first refusal, at whichever step."""
    raw = text.encode() if isinstance(text, str) else text
    try:
        (presentation,) = SD_JWT_VC.read_presentation(raw)
    except Malformed as error:
        return error.code
    return next(
        (code for check in SD_JWT_VC.check(presentation, KEYS, ASKED, NOW) if (code := outcome(check)) != "passed"),
        "passed",
    )


class TestHolderBinding:
    def test_s23_signed_by_the_issuer(self) -> None:
        assert verdict(bound(card(), ISSUER)) == "binding.signature"
        assert verdict(bound(card(), HOLDER)) == "passed"

    def test_s23_key_in_the_header(self) -> None:
        header = {"typ": "kb+jwt", "jwk": jwk.write(OTHER.public_key)}
        assert verdict(bound(card(), OTHER, header=header)) == "binding.signature"
        header["jwk"] = jwk.write(HOLDER.public_key)
        assert verdict(bound(card(), HOLDER, header=header)) == "passed"

    def test_s23_cnf_of_another_credential(self) -> None:
        theirs = SD_JWT_VC.issue(draft(holder=OTHER.public_key), ISSUER, at=NOW, entropy=Entropy).raw.decode()
        assert verdict(bound(theirs, HOLDER)) == "binding.signature"
        assert verdict(bound(theirs, OTHER)) == "passed"

    @pytest.mark.parametrize(
        ("cnf", "code"),
        [
            (None, "binding.no_key"),
            ({}, "binding.cnf_method"),
            ({"kid": "did:web:evil.example#k"}, "binding.cnf_method"),
            ({"jku": "https://evil.example/jwks"}, "binding.cnf_method"),
            ({"x5t#S256": "AAAA"}, "binding.cnf_method"),
            ({"jwk": jwk.write(HOLDER.public_key), "kid": "x"}, "binding.cnf_method"),
            ("x", "binding.cnf"),
            ({"jwk": {**jwk.write(HOLDER.public_key), "d": "AAAA"}}, "key.private"),
            ({"jwk": jwk.write(HOLDER.public_key)}, "passed"),
        ],
    )
    def test_s24_confirmation_methods(self, cnf: Any, code: str) -> None:
        assert verdict(bound(vc(payload(cnf=cnf)).decode())) == code

    def test_s25_cnf_inside_a_disclosure(self) -> None:
        text, digest = hidden("cnf", {"jwk": jwk.write(OTHER.public_key)})
        assert (
            verdict(bound(vc({**payload(cnf=None), "_sd": [digest]}, text).decode(), OTHER)) == "sd_jwt_vc.hidden_claim"
        )
        text, digest = hidden("confirmation", {"jwk": jwk.write(OTHER.public_key)})
        assert verdict(bound(vc({**payload(), "_sd": [digest]}, text).decode())) == "passed"

    @pytest.mark.parametrize("name", ["exp", "nbf", "status", "vct", "iss"])
    def test_s26_what_decides_validity_as_a_disclosure(self, name: str) -> None:
        value = {"exp": 1, "nbf": 1, "status": {}, "vct": VCT, "iss": WEB}[name]
        text, digest = hidden(name, value)
        content = {**payload(**{name: None}), "_sd": [digest]}
        assert verdict(bound(vc(content, text).decode())) == "sd_jwt_vc.hidden_claim"
        text, digest = hidden(f"{name}_", value)
        assert verdict(bound(vc({**payload(), "_sd": [digest]}, text).decode())) == "passed"

    def test_s26_withheld_and_required(self) -> None:
        for name, code in (("vct", "sd_jwt_vc.no_vct"), ("iss", "sd_jwt_vc.no_key_mechanism")):
            _, digest = hidden(name, "x")
            assert verdict(bound(vc({**payload(**{name: None}), "_sd": [digest]}).decode())) == code


class TestSerialisation:
    def test_s27_tildes(self) -> None:
        whole = bound(card())
        bare = card().split("~")[0]
        assert verdict(whole) == "passed"
        for broken in (bare, card()[:-1], f"~{whole}", f"{whole}~", whole.replace("~", "~~", 1), f"{whole}~~"):
            assert verdict(broken) != "passed"
        assert verdict(bare) == "sd_jwt.no_tilde"
        with pytest.raises(Malformed):
            SD_JWT_VC.read(bare.encode())
        assert SD_JWT_VC.read(card().encode()).issuer == WEB

    def test_s28_import_of_a_bound_one(self) -> None:
        with pytest.raises(Malformed, match=r"sd_jwt\.bound_by_issuer"):
            SD_JWT_VC.read(bound(card()).encode())
        assert SD_JWT_VC.read(card().encode()).issuer == WEB

    def test_s29_disclosures_in_other_places(self) -> None:
        token = sd_jwt.read(bound(card()), typ="dc+sd-jwt")
        form = sd_jwt.general(token)
        assert verdict(json.dumps(form)) == "passed"
        second = {**form["signatures"][0], "header": {"disclosures": []}}
        assert verdict(json.dumps({**form, "signatures": [*form["signatures"], second]})) == "sd_jwt.misplaced"
        second["header"] = {"kb_jwt": form["signatures"][0]["header"]["kb_jwt"]}
        assert verdict(json.dumps({**form, "signatures": [*form["signatures"], second]})) == "sd_jwt.misplaced"
        assert verdict(json.dumps({**form, "signatures": [*form["signatures"], {**second, "header": {}}]})) == "passed"
        signed = vc(payload(), disclosures=[]).split(b"~")[0]
        flat = sd_jwt.flattened(
            token._replace(jws=jws.read_compact(signed, typ="dc+sd-jwt"), disclosures=(), binding=None)
        )
        flat.pop("header")
        assert verdict(json.dumps(flat)) == "sd_jwt.misplaced"


URL = f"{WEB}/.well-known/jwt-vc-issuer"


def web_key(net: Net, issuer: str = WEB) -> str:
    return code_of(lambda: trust.key(KeyRef(WebIssuer(issuer, "issuer-1"))).run(net))


class TestMetadata:
    def test_s31_issuer_metadata(self) -> None:
        keys = json.loads(jwks(ISSUER))
        assert web_key(Net({URL: json.dumps({"issuer": WEB, "jwks": keys}).encode()})) == "passed"
        for changed, code in (
            ({"issuer": "https://evil.example"}, "trust.metadata_issuer"),
            ({"jwks_uri": "https://id.lindau.example/jwks"}, "trust.metadata_keys"),
        ):
            assert web_key(Net({URL: json.dumps({"issuer": WEB, "jwks": keys, **changed}).encode()})) == code

    @pytest.mark.parametrize("tail", ["?x=1", "#x", "/../x", "/./x"])
    def test_s31_issuers_that_are_no_address(self, tail: str) -> None:
        net = Net()
        assert web_key(net, WEB + tail) == "trust.web_issuer"
        assert web_key(net, "https://user:pw@id.lindau.example") == "trust.web_issuer"
        assert net.asked == []

    def test_o04_a_key_in_the_header_under_an_unknown_kid(self) -> None:
        """The key is the issuer's own by name, or there is none; what the header brings is not looked at."""
        net = Net({URL: json.dumps({"issuer": WEB, "jwks": json.loads(jwks(ISSUER))}).encode()})
        for kid, code in (
            ("issuer-2", "trust.no_such_key"),
            ("../issuer-1", "trust.no_such_key"),
            ("issuer-1", "passed"),
        ):
            text = jws.sign({"typ": "dc+sd-jwt", "kid": kid, "jwk": jwk.write(OTHER.public_key)},
                            json.dumps(payload()).encode(), OTHER)  # fmt: skip
            credential = SD_JWT_VC.read(f"{text}~".encode())
            assert code_of(functools.partial(trust.key(credential.signed_by[0]).run, net)) == code
            (check,) = SD_JWT_VC.check_issued(credential, {credential.signed_by[0]: ISSUER.public_key}, NOW)
            assert outcome(check) == "signature.invalid"

    def test_s31_path_with_trailing_slash(self) -> None:
        issuer = f"{WEB}/tenant/"
        net = Net(
            {
                f"{WEB}/.well-known/jwt-vc-issuer/tenant": json.dumps(
                    {"issuer": f"{WEB}/tenant", "jwks": {"keys": []}}
                ).encode()
            }
        )
        assert web_key(net, issuer) == "trust.metadata_issuer"
        net.answers = {net.asked[0].url: json.dumps({"issuer": issuer, "jwks": json.loads(jwks(ISSUER))}).encode()}
        assert web_key(net, issuer) == "passed"

    @pytest.mark.parametrize("vct", [VCT + " ", VCT.upper(), VCT + "#", [VCT], " " + VCT])
    def test_s32_another_type_that_looks_alike(self, vct: Any) -> None:
        meta = {"vct_values": [VCT]}
        raw = vc(payload(vct=vct))
        if isinstance(vct, str):
            assert not SD_JWT_VC.answers(SD_JWT_VC.read(raw), meta)
        else:
            assert code_of(lambda: SD_JWT_VC.read(raw)) == "json.wrong_type"
        assert SD_JWT_VC.answers(SD_JWT_VC.read(vc(payload())), meta)

    def test_s33_integrity(self) -> None:
        from tests.spec.test_type_metadata import A, document
        from tests.spec.test_type_metadata_use import sri

        raw = document(A)
        for value, code in (
            (sri(raw), "passed"),
            (sri(b"x"), "integrity.mismatch"),
            ("md5-AAAA", "integrity.unsupported"),
            (f"{sri(b'x', 'sha512')} {sri(raw)}", "integrity.mismatch"),
            (f"{sri(raw, 'sha512')} {sri(b'x')}", "passed"),
        ):
            plan = type_metadata.fetch(A, value, {A: raw})
            assert code_of(functools.partial(plan.run, offline)) == code

    def test_s34_chains_of_types(self) -> None:
        from tests.spec.test_type_metadata import A, B, document

        def fetched(known: dict[str, bytes]) -> str:
            return code_of(lambda: type_metadata.fetch(A, known=known).run(offline))

        names = [A, *[f"https://types.example/{n}" for n in range(1000)]]
        ladder = {name: document(name, extends=above) for name, above in pairwise(names)}
        assert fetched({A: document(A, extends=B), B: document(B)}) == "passed"
        assert fetched({A: document(A, extends=B), B: document(B, extends=A)}) == "type_metadata.cycle"
        assert fetched({A: document(A, extends=A)}) == "type_metadata.cycle"
        assert fetched(ladder) == "type_metadata.too_deep"
        with pytest.raises(Unavailable, match=r"type_metadata\.no_place"):
            type_metadata.fetch(A, known={A: document(A, extends="http://[::1]/")}).run(Net())


def svg(inside: str = "", outer: str = "", head: str = "") -> bytes:
    return f'{head}<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"{outer}>{inside}</svg>'.encode()


def drawn(template: bytes, **values: str) -> str:
    try:
        return render(template, values)
    except CityIdError as error:
        return error.code


class TestTemplates:
    """S35: nothing runs, nothing fetches, values are text."""

    @pytest.mark.parametrize(
        ("template", "code"),
        [
            (svg("<script>alert(1)</script>"), "svg.element"),
            (svg("<foreignObject/>"), "svg.element"),
            (svg("<style>@import 'https://evil.example'</style>"), "svg.element"),
            (svg("<animate attributeName='href' values='javascript:x'/>"), "svg.element"),
            (svg("<a href='https://evil.example'><text>x</text></a>"), "svg.element"),
            (svg("<x:script xmlns:x='http://www.w3.org/1999/xhtml'/>"), "svg.element"),
            (svg("<x:rect xmlns:x='urn:x'/>"), "svg.element"),
            (svg(outer=' onload="alert(1)"'), "svg.script"),
            (svg("<rect ONCLICK='x'/>"), "svg.script"),
            (svg("<image href='https://evil.example/p.png'/>"), "svg.external"),
            (svg("<image xlink:href='https://evil.example/p.png'/>"), "svg.external"),
            (svg("<image href='data:image/svg+xml;base64,AAAA'/>"), "svg.external"),
            (svg("<use href='data:image/png;base64,AAAA'/>"), "svg.external"),
            (svg("<use href='other.svg#x'/>"), "svg.external"),
            (svg("<rect fill='url(https://evil.example/#x)'/>"), "svg.external"),
            (svg("<rect style='fill: url( //evil.example )'/>"), "svg.external"),
            (svg("<rect style='fill: u\\72l(x)'/>"), "svg.external"),
            (svg("<rect style='fill: image-set(\"x\" 1x)'/>"), "svg.external"),
            (svg("<rect fill='URL(x)'/>"), "svg.external"),
            (svg("<text>&x;</text>", head='<!DOCTYPE svg [<!ENTITY x "y">]>'), "svg.doctype"),
            (svg(head='<!DOCTYPE svg SYSTEM "https://evil.example">'), "svg.doctype"),
            (svg(head='<?xml-stylesheet href="https://evil.example"?>'), "svg.instruction"),
            (svg("<text>&undefined;</text>"), "svg.syntax"),
            (svg("<text>"), "svg.syntax"),
            (b"", "svg.syntax"),
            (svg().decode().encode("utf-16"), "svg.syntax"),
            (svg("<rect x='{{name}}'/>"), "svg.placeholder_place"),
            (svg("<!-- {{name}} -->"), "svg.placeholder_place"),
            (svg("<text>{{other}}</text>"), "svg.placeholder_unknown"),
            (svg("<text>{{ name }}</text>"), "svg.placeholder_form"),
            (svg("<text>{{name}</text>"), "svg.placeholder_form"),
            (b"<html/>", "svg.not_svg"),
            (b"<svg/>", "svg.not_svg"),
            (svg("<g>" * 64 + "</g>" * 64), "svg.too_deep"),
            (svg("x" * (1 << 20)), "svg.too_large"),
        ],
    )  # fmt: skip
    def test_s35_refused(self, template: bytes, code: str) -> None:
        assert drawn(template, name="Ada") == code

    @pytest.mark.parametrize(
        ("inside", "expected"),
        [
            ("<text x='1'>{{name}}</text>", '<text x="1">Ada</text>'),
            ("<!-- gone --><text>{<!-- gone --></text>", None),
            ("<use href='#a'/>", '<use href="#a"></use>'),
            ("<use xlink:href='#a'/>", '<use href="#a"></use>'),
            ("<use xlink:href='#b' href='#a'/>", '<use href="#a"></use>'),
            ("<image href='data:image/png;base64,AAAA'/>", '<image href="data:image/png;base64,AAAA"></image>'),
            ("<rect style='fill:url(#a)' fill='url(#b)'/>", '<rect style="fill:url(#a)" fill="url(#b)"></rect>'),
            ("<rect data-x='1' xml:lang='de'/>", '<rect xml:lang="de"></rect>'),
            ("<text><![CDATA[<b>&amp;]]></text>", "<text>&lt;b&gt;&amp;amp;</text>"),
            ("<text>&lt;script&gt;</text>", "<text>&lt;script&gt;</text>"),
            ("<g>" * 63 + "</g>" * 63, "<g>" * 63 + "</g>" * 63),
        ],
    )  # fmt: skip
    def test_s35_written_anew(self, inside: str, expected: str | None) -> None:
        made = drawn(svg(inside), name="Ada")
        if expected is None:
            assert made == "svg.placeholder_place"
        else:
            assert made == f'<svg xmlns="http://www.w3.org/2000/svg">{expected}</svg>'

    def test_s35_values_are_text(self) -> None:
        value = "\"><script>alert('1')&</script>{{other}}\x00"
        made = drawn(svg("<text>{{name}}</text>"), name=value)
        assert "&quot;&gt;&lt;script&gt;alert(&apos;1&apos;)&amp;&lt;/script&gt;{{other}}\ufffd" in made


ROOT_KEY = signer(41)
ROOT = certify_root(ROOT_KEY, Name("Root"), at=datetime(2026, 1, 1, tzinfo=UTC))
LEAF = certify_issuer(
    ISSUER.public_key, Name("City"), root=ROOT, signer=ROOT_KEY, at=datetime(2026, 1, 1, tzinfo=UTC), uris=[WEB]
)


def trusted(*certificates: bytes) -> str:
    """Read a credential with this chain, then ask the trust list."""
    x5c = [base64.b64encode(der).decode() for der in certificates]
    credential = SD_JWT_VC.read(vc(payload(), x5c=x5c))
    entries = (TrustEntry(mechanism="x5c", roots=(ROOT,), types=("residency",), source="ca.pem"),)
    return outcome(TrustList(entries, NAMES).check(credential.signed_by[0], credential.issuer, credential.types, NOW))


class TestOthersThatStrikeHere:
    def test_o06_chain_of_the_attackers_own(self) -> None:
        evil_key = signer(42)
        evil_root = certify_root(evil_key, Name("Root"), at=datetime(2026, 1, 1, tzinfo=UTC))
        evil = certify_issuer(
            OTHER.public_key,
            Name("City"),
            root=evil_root,
            signer=evil_key,
            at=datetime(2026, 1, 1, tzinfo=UTC),
            uris=[WEB],
        )
        assert trusted(evil) == "trust.chain_invalid"
        assert trusted(evil, evil_root) == "trust.chain_invalid"
        assert trusted(evil_root) == "trust.leaf_self_signed"
        assert trusted(LEAF, ROOT) == "trust.chain_anchor_included"
        assert trusted(LEAF) == "passed"

    @pytest.mark.parametrize(
        "issuer",
        [f"{WEB}/", "https://ID.lindau.example", f"{WEB}:443", "https://x@id.lindau.example", f"{WEB}.evil", WEB[:-1]],
    )
    def test_o25_issuers_are_compared_as_they_are(self, issuer: str) -> None:
        listed = TrustList((TrustEntry(mechanism="web", web=WEB, types=("residency",)),), NAMES)
        credential = SD_JWT_VC.read(vc(payload(iss=issuer)))
        check = listed.check(credential.signed_by[0], credential.issuer, credential.types, NOW)
        assert outcome(check) == "trust.unknown_issuer"
        credential = SD_JWT_VC.read(vc(payload()))
        assert outcome(listed.check(credential.signed_by[0], credential.issuer, credential.types, NOW)) == "passed"

    def test_o27_issued_in_the_future(self) -> None:
        """The window begins where nbf and iat both allow it; VALIDITY judges it."""
        later = int(NOW.timestamp()) + 31_536_000
        assert SD_JWT_VC.read(vc(payload(iat=later))).window.start == datetime.fromtimestamp(later, UTC)
        assert SD_JWT_VC.read(vc(payload(iat=int(NOW.timestamp())))).window.start == NOW.replace(microsecond=0)

    @pytest.mark.parametrize("text", ["1.0", "1e0", "1E0", "10e-1"])
    def test_j12_an_index_that_is_a_float(self, text: str) -> None:
        def read(number: str) -> str:
            content = json.dumps(payload(status={"status_list": {"uri": "u", "idx": "@"}})).replace('"@"', number)
            signed = jws.sign({"typ": "dc+sd-jwt"}, content.encode(), ISSUER)
            try:
                return str(SD_JWT_VC.read(f"{signed}~".encode()).status[0].index)
            except Malformed as error:
                return error.code

        assert read(text) == "json.wrong_type"
        assert read("1") == "1"

    @pytest.mark.parametrize("text", ["1e20", "-62135596801", '"9999999999"', "[]", "null", "9999999999.5", "1e999"])
    @pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
    def test_j20_times_that_are_none(self, name: str, text: str) -> None:
        def read(number: str) -> str:
            content = json.dumps({**payload(), name: "@"}).replace('"@"', number)
            signed = jws.sign({"typ": "dc+sd-jwt"}, content.encode(), ISSUER)
            try:
                SD_JWT_VC.read(f"{signed}~".encode())
            except Malformed as error:
                return error.code
            return "passed"

        assert read(text) == ("json.not_finite" if text == "1e999" else "time.not_numeric")
        assert read("9999999999") == "passed"

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (did_document(OTHER, "did:web:evil.example"), "did.document_id"),
            (did_document(OTHER, "did:web:ID.lindau.example"), "did.document_id"),
            (did_document(OTHER, f"{DID}#x"), "did.document_id"),
            (did_document(OTHER, controller="did:web:evil.example"), "did.foreign_controller"),
            (b"[]", "json.not_an_object"),
            (b'{"id":"a","id":"b"}', "json.duplicate"),
            (did_document(ISSUER), "passed"),
        ],
    )
    def test_d16_a_document_of_somebody_else(self, body: bytes, code: str) -> None:
        listed = TrustList((TrustEntry(mechanism="did", did=DID, types=("residency",)),), NAMES)
        net = Net({f"{WEB}/.well-known/did.json": body})
        assert code_of(lambda: trust.key(did_ref(), listed, NOW).run(net)) == code

    def test_no_network_before_trust(self) -> None:
        """The list is asked first and asks nobody."""
        listed = TrustList((), NAMES)
        for ref, issuer in ((REF, WEB), (did_ref(), DID), (KeyRef(CertificateChain((LEAF,))), WEB)):
            assert outcome(listed.check(ref, issuer, (VCT,), NOW)) in ("trust.unknown_issuer", "trust.chain_no_roots")
