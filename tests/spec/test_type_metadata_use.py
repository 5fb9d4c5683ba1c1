"""SD-JWT VC type metadata: fetched, pinned and held against a credential; ours, and the official documents."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import replace
from typing import Any

import pytest

from cityid import trust
from cityid.credential import KeyRef, WebIssuer
from cityid.edge.recorded import offline
from cityid.encoding.integrity import check_integrity, integrity_of
from cityid.errors import Malformed, Refused, Unavailable
from cityid.formats import type_metadata
from cityid.formats.sd_jwt_vc import SD_JWT_VC
from cityid.formats.svg_template import render
from cityid.plan import Response
from tests.credentials import NOW, VCT, Net, credential_type, disclosure, draft, hidden, payload, vc
from tests.sd_jwts import ISSUER, digest
from tests.spec.test_type_metadata import FOLDER, A, B, claim, document, read
from tests.vectors import load


class TestRetrieving:
    """§3, §5.3, §7.4, §7.5."""

    def test_from_the_vct_as_it_is(self) -> None:
        net = Net({A: document(A, extends=B), B: document(B, claims=[claim("a")])})
        whole = type_metadata.fetch(A).run(net)
        assert (whole.chain, [item.path for item in whole.claims]) == ((A, B), [("a",)])
        assert [(item.method, item.url, item.redirects, item.limit) for item in net.asked] == [
            ("GET", A, 3, 1 << 20), ("GET", B, 3, 1 << 20),
        ]  # fmt: skip

    def test_known_documents_need_no_network(self) -> None:
        known = {VCT: document(VCT, extends=B), B: document(B)}
        assert type_metadata.fetch(VCT, known=known).run(offline).chain == (VCT, B)

    @pytest.mark.parametrize("uri", [VCT, "http://[::1]/", "http://types.example/b", "HTTPS://types.example/b", ""])
    def test_what_is_no_https_address_is_nowhere(self, uri: str) -> None:
        with pytest.raises(Unavailable, match=r"type_metadata\.no_place"):
            type_metadata.fetch(A, known={A: document(A, extends=uri)}).run(offline)

    @pytest.mark.parametrize("status", [204, 302, 404, 500])
    def test_an_errors_body_is_never_used(self, status: int) -> None:
        with pytest.raises(Unavailable, match=r"type_metadata\.status"):
            type_metadata.fetch(A).run(Net({A: Response(status, {}, document(A), NOW)}))

    def test_every_integrity_of_a_chain(self) -> None:
        parent = document(B)
        good, bad = (document(A, extends=B, extends__integrity=integrity_of(raw)) for raw in (parent, parent + b" "))
        assert type_metadata.fetch(A, integrity_of(good), {A: good, B: parent}).run(offline).chain == (A, B)
        with pytest.raises(Refused, match=r"integrity\.mismatch at https://types\.example/b"):
            type_metadata.fetch(A, integrity_of(bad), {A: bad, B: parent}).run(offline)
        with pytest.raises(Refused, match=r"integrity\.mismatch at https://types\.example/a"):
            type_metadata.fetch(A, integrity_of(bad), {A: good, B: parent}).run(offline)

    def test_circles(self) -> None:
        for documents in ({A: document(A, extends=A)}, {A: document(A, extends=B), B: document(B, extends=A)}):
            with pytest.raises(Malformed, match=r"type_metadata\.cycle"):
                type_metadata.fetch(A, known=documents).run(offline)

    def test_depth(self) -> None:
        def ladder(count: int) -> dict[str, bytes]:
            names = [f"https://types.example/{n}" for n in range(count)]
            ends = [{"extends": name} for name in names[1:]] + [{}]
            return {name: document(name, **end) for name, end in zip(names, ends, strict=True)}

        assert len(type_metadata.fetch("https://types.example/0", known=ladder(8)).run(offline).chain) == 8
        with pytest.raises(Malformed, match=r"type_metadata\.too_deep"):
            type_metadata.fetch("https://types.example/0", known=ladder(9)).run(offline)


def sri(data: bytes, name: str = "sha256") -> str:
    return f"{name}-{base64.b64encode(hashlib.new(name, data).digest()).decode()}"


class TestIntegrity:
    """§6."""

    DATA = b"{}"

    @pytest.mark.parametrize(
        "value",
        [
            sri(DATA), sri(DATA, "sha384"), sri(DATA, "sha512"), f"{sri(DATA)} {sri(DATA, 'sha512')}",
            f"{sri(b'x')} {sri(DATA)}", f"{sri(b'x')} {sri(DATA, 'sha384')}", f"md5-x  {sri(DATA)}",
            f"{sri(DATA)}?ct=x",
            f"{sri(DATA)} sha512-AAAA", f"{sri(DATA)} sha512-!",
        ],
    )  # fmt: skip
    def test_matches(self, value: str) -> None:
        check_integrity(self.DATA, value)

    @pytest.mark.parametrize(
        ("value", "code"),
        [
            (sri(b"x"), "integrity.mismatch"),
            # only the strongest counts, however right the weaker
            (f"{sri(DATA)} {sri(b'x', 'sha512')}", "integrity.mismatch"),
            (f"{sri(DATA, 'sha384')} {sri(b'x', 'sha512')}", "integrity.mismatch"),
            (f"{sri(DATA)} {sri(b'x', 'sha384')}", "integrity.mismatch"),
            ("", "integrity.unsupported"),
            ("md5-x", "integrity.unsupported"),
            ("sha256", "integrity.unsupported"),
            ("sha1-" + base64.b64encode(hashlib.sha1(DATA).digest()).decode(), "integrity.unsupported"),
            (sri(DATA).rstrip("="), "integrity.unsupported"),
            (sri(DATA).upper(), "integrity.unsupported"),
            ("sha256-" + base64.b64encode(hashlib.sha512(DATA).digest()).decode(), "integrity.unsupported"),
        ],
    )
    def test_does_not(self, value: str, code: str) -> None:
        with pytest.raises(Refused) as caught:
            check_integrity(self.DATA, value)
        assert caught.value.code == code

    def test_base64url_is_not_base64(self) -> None:
        data = next(raw for n in range(99) if "+" in sri(raw := str(n).encode()) or "/" in sri(raw))
        check_integrity(data, sri(data))
        with pytest.raises(Refused, match=r"integrity\.unsupported"):
            check_integrity(data, sri(data).replace("+", "-").replace("/", "_"))


REDUCED = load(FOLDER / "draft/type-metadata-and-issuer-metadata.json")["reducedCredential5.6.1.1"]


def reduced() -> Any:
    return SD_JWT_VC.read(vc({**payload(), **REDUCED}))


class TestPath:
    """§5.6.1."""

    @pytest.mark.parametrize(
        ("path", "found"),
        [
            (("name",), {("name",): "Arthur Dent"}),
            (("address",), {("address",): REDUCED["address"]}),
            (("address", "street_address"), {("address", "street_address"): "42 Market Street"}),
            (
                ("degrees", None, "type"),
                {("degrees", 0, "type"): "Bachelor of Science", ("degrees", 1, "type"): "Master of Science"},
            ),
            (("nationalities", 1), {("nationalities", 1): "Betelgeusian"}),
            (("nationalities", 2), {}),
            (("nobody",), {}),
            (("degrees", None, "grade"), {}),
            (("address", "planet", "moon"), {}),
        ],
    )
    def test_selects(self, path: Any, found: Any) -> None:
        assert dict(type_metadata.select(reduced(), path)) == found

    @pytest.mark.parametrize(
        "path",
        [
            ("name", "x"),
            ("name", None),
            ("name", 0),
            ("address", 0),
            ("address", None),
            ("degrees", "x"),
            ("degrees", None, None),
        ],
    )
    def test_errors(self, path: Any) -> None:
        with pytest.raises(Refused, match=r"type_metadata\.path"):
            type_metadata.select(reduced(), path)

    def test_indices_count_elements_that_are_not_shown(self) -> None:
        texts = [disclosure(f"salt-salt-salt-salt-{n}", name) for n, name in enumerate(("British", "Betelgeusian"))]
        content = {**payload(), "nationalities": [{"...": digest(text)} for text in texts]}
        credential = SD_JWT_VC.read(vc(content, texts[1]))
        assert type_metadata.select(credential, ("nationalities", 1)) == ((("nationalities", 1), "Betelgeusian"),)
        assert type_metadata.select(credential, ("nationalities", 0)) == ()
        assert type_metadata.select(credential, ("nationalities", None)) == ((("nationalities", 1), "Betelgeusian"),)


def found(credential: Any, *claims: dict[str, Any], all_disclosed: bool = False) -> list[str]:
    problems = type_metadata.violations(read(claims=list(claims)), credential, all_disclosed=all_disclosed)
    return [problem.code for problem in problems]


class TestValidation:
    """§5.6, §5.6.3, §5.6.4."""

    def test_sd(self) -> None:
        text, found_ = hidden("name", "Ada")
        credential = SD_JWT_VC.read(vc({**payload(), "plain": 1, "_sd": [found_]}, text))
        assert found(credential, claim("name", sd="always"), claim("plain", sd="never"), claim("x")) == []
        assert found(credential, claim("name", sd="never")) == ["type_metadata.hideable"]
        assert found(credential, claim("plain", sd="always")) == ["type_metadata.not_hideable"]
        assert found(credential, claim("absent", sd="always"), claim("absent_too", sd="never")) == []

    def test_below_a_hidden_claim_is_not_hidden_itself(self) -> None:
        text, found_ = hidden("address", {"locality": "Lindau"})
        credential = SD_JWT_VC.read(vc({**payload(), "_sd": [found_]}, text))
        assert found(credential, claim("address", "locality", sd="always")) == ["type_metadata.not_hideable"]
        assert found(credential, claim("address", "locality", sd="never"), claim("address", sd="always")) == []

    def test_a_path_that_does_not_fit_the_credential(self) -> None:
        assert found(reduced(), claim("name", 0)) == ["type_metadata.path"]

    @pytest.mark.parametrize("name", ["cnf", "status", "vct", "iss"])
    def test_claims_that_are_no_attributes(self, name: str) -> None:
        """A type may say of any claim of the payload that it must be there."""
        credential = SD_JWT_VC.read(vc(payload(status={"x": {}})))
        assert found(credential, claim(name, mandatory=True, sd="never"), all_disclosed=True) == []
        assert found(credential, claim(name, sd="always")) == ["type_metadata.not_hideable"]
        assert found(reduced(), claim("status", mandatory=True)) == ["type_metadata.mandatory"]

    def test_mandatory_for_the_holder(self) -> None:
        assert found(reduced(), claim("name", mandatory=True), all_disclosed=True) == []
        assert found(reduced(), claim("email", mandatory=True), all_disclosed=True) == ["type_metadata.mandatory"]

    def test_what_a_verifier_can_know_of_absence(self) -> None:
        absent = claim("email", mandatory=True)
        assert found(reduced(), absent) == ["type_metadata.mandatory"]  # nothing hidden anywhere
        _, unknown = hidden("email", "x")
        maybe = SD_JWT_VC.read(vc({**payload(), "_sd": [unknown]}))
        assert found(maybe, absent) == []
        assert found(maybe, absent, all_disclosed=True) == ["type_metadata.mandatory"]
        elsewhere = SD_JWT_VC.read(vc({**payload(), "address": {"_sd": [unknown]}}))
        assert found(elsewhere, absent) == ["type_metadata.mandatory"]
        assert found(elsewhere, claim("address", "email", mandatory=True)) == []
        assert found(elsewhere, claim("other", "email", mandatory=True)) == ["type_metadata.mandatory"]
        assert found(replace(reduced(), state=None), absent) == []

    def test_elements_that_are_kept_back(self) -> None:
        texts = [disclosure(f"salt-salt-salt-salt-{n}", name) for n, name in enumerate("abc")]
        content = {**payload(), "list": [{"...": digest(text)} for text in texts]}
        credential = SD_JWT_VC.read(vc(content, texts[1]))
        assert found(credential, claim("list", 0, sd="never")) == ["type_metadata.hideable"]
        assert found(credential, claim("list", None, sd="never")) == ["type_metadata.hideable"]
        assert found(credential, claim("list", 0, sd="always", mandatory=True)) == []
        assert found(credential, claim("list", 2, sd="never")) == []  # nobody can tell that there is a third
        assert found(credential, claim("list", 1, sd="never")) == ["type_metadata.hideable"]
        assert found(credential, claim("list", sd="never")) == []
        assert found(credential, claim("list", 0, sd="never"), all_disclosed=True) == []
        nothing = SD_JWT_VC.read(vc(content))
        assert found(nothing, claim("list", 0, sd="never")) == []
        assert found(nothing, claim("list", None, sd="never")) == ["type_metadata.hideable"]


class TestOurs:
    def test_generated_metadata_describes_what_we_issue(self) -> None:
        kind = credential_type()
        raw = type_metadata.generate(kind)
        made = type_metadata.read(raw, VCT)
        credential = SD_JWT_VC.issue(draft(type=kind), ISSUER, at=NOW, entropy=secrets.token_bytes)
        assert type_metadata.violations(made, credential, all_disclosed=True) == ()
        assert [(item.locale, item.name) for item in made.display or ()] == [("en", "Residency"), ("de", "Wohnsitz")]
        by_path = {item.path: item for item in made.claims}
        assert by_path[("address", "locality")].sd == "always"
        assert by_path[("municipality",)].sd == "never"
        assert (by_path[("municipality",)].mandatory, by_path[("given_name",)].mandatory) == (True, False)
        assert by_path[("address", "locality")].svg_id == "address_locality"
        assert by_path[("nationalities", None)].svg_id is None
        assert [item.locale for item in by_path[("given_name",)].display] == ["en", "de"]

    def test_colours_and_a_type_without_english(self) -> None:
        names = {"dc+sd-jwt": {"vct": VCT, "background_color": "#123456"}}
        made = json.loads(type_metadata.generate(credential_type(("a-b",), names=names, title={"de": "Wohnsitz"})))
        assert made["name"] == "residency"
        assert made["display"][0]["rendering"]["simple"] == {"background_color": "#123456", "text_color": "#ffffff"}
        assert "svg_id" not in made["claims"][0]

    def test_values_for_a_template(self) -> None:
        made = read(
            claims=[
                claim("name", svg_id="name"), claim("nationalities", svg_id="all"),
                claim("nationalities", None, svg_id="each"), claim("address", svg_id="address"),
                claim("email", svg_id="email"), claim("degrees", None, "type", svg_id="t"),
                claim("exp", svg_id="exp"), claim("vct"),
            ]
        )  # fmt: skip
        assert dict(type_metadata.svg_values(made, reduced(), absent="-")) == {
            "name": "Arthur Dent", "all": "British, Betelgeusian", "each": "British, Betelgeusian", "address": "-",
            "email": "-", "t": "Bachelor of Science, Master of Science", "exp": str(payload()["exp"]),
        }  # fmt: skip


class TestOfficialDocuments:
    """Every case of the topic that is about metadata."""

    FULL = load(FOLDER / "draft/type-metadata-full.json")
    SHORT = load(FOLDER / "draft/type-metadata-and-issuer-metadata.json")

    def test_the_long_example(self) -> None:
        given = self.FULL["typeMetadata"]
        made = type_metadata.read(json.dumps(given).encode(), given["vct"])
        assert [item.locale for item in made.display or ()] == ["en-US", "de-DE"]
        assert len(made.claims) == len(given["claims"]) == 7
        shown = type_metadata.display(made, ["de"])
        assert shown is not None
        assert shown.name == "Betelgeuse-Bildungsnachweis"
        assert made.extends == given["extends"]

    def test_its_payload_without_hiding_breaks_its_rules(self) -> None:
        given = self.FULL["typeMetadata"]
        made = type_metadata.read(json.dumps(given).encode(), given["vct"])
        credential = SD_JWT_VC.read(vc({**payload(), **self.FULL["payload"]}))
        codes = {(p.code, p.facts["path"]) for p in type_metadata.violations(made, credential, all_disclosed=True)}
        assert codes == {
            ("type_metadata.not_hideable", path)
            for path in ("name", "address", "address.street_address", "degrees[]", "degrees[].date_awarded")
        }

    def test_the_example_template(self) -> None:
        given = self.FULL["typeMetadata"]
        made = type_metadata.read(json.dumps(given).encode(), given["vct"])
        credential = SD_JWT_VC.read(vc({**payload(), **self.FULL["payload"]}))
        template = (
            b'<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100">\n'
            b'  <text x="10" y="20">Street address: {{address_street_address}}</text>\n</svg>'
        )
        assert "Street address: 42 Galaxy Way</text>" in render(template, type_metadata.svg_values(made, credential))

    def test_the_short_example(self) -> None:
        given = self.SHORT["typeMetadata"]
        made = type_metadata.read(json.dumps(given).encode(), given["vct"])
        assert (made.extends, made.extends_integrity) == (given["extends"], given["extends#integrity"])
        assert json.dumps(given["vct"]) in self.SHORT["vctOnly"]

    def test_the_issuer_metadata(self) -> None:
        urls = [trust.metadata_url(issuer) for issuer in ("https://example.com", "https://example.com/tenant/1234")]
        lines = [request.split("\n")[0].split(" ")[1] for request in self.SHORT["issuerMetadataRequests"]]
        assert urls == [f"https://example.com{line}" for line in lines]
        head, _, body = self.SHORT["issuerMetadataResponse"].partition("\n\n")
        assert "200" in head
        net = Net({urls[0]: body.encode()})
        keys = {trust.key(KeyRef(WebIssuer("https://example.com", kid))).run(net)
                for kid in ("doc-signer-05-25-2022", "doc-signer-06-05-2025")}  # fmt: skip
        assert len(keys) == 2
        by_reference = self.SHORT["issuerMetadataJwksUri"]
        jwks = json.dumps(json.loads(body)["jwks"]).encode()
        net = Net({urls[0]: json.dumps(by_reference).encode(), by_reference["jwks_uri"]: jwks})
        assert trust.key(KeyRef(WebIssuer("https://example.com", "doc-signer-05-25-2022"))).run(net) in keys

    def test_the_large_real_one(self) -> None:
        raw = (FOLDER / "eudi/pid_arf_v18_type_metadata.json").read_bytes()
        made = type_metadata.read(raw, "urn:eudi:pid:1")
        assert len(made.claims) == len(json.loads(raw)["claims"])
        assert type_metadata.fetch("urn:eudi:pid:1", integrity_of(raw), {"urn:eudi:pid:1": raw}).run(offline) == made
