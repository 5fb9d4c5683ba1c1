"""SD-JWT VC: what a holder shows and a verifier checks, and the official credentials."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cityid.checks import Outcome, Step
from cityid.credential import (
    Challenge,
    KeyRef,
    Presentation,
    Unbound,
    WebIssuer,
)  # fmt: skip
from cityid.credential_type import ClaimRule
from cityid.errors import Malformed, Misuse, Refused
from cityid.formats import FORMATS
from cityid.formats.sd_jwt_vc import REVISION, SD_JWT_VC
from cityid.jose import digests
from cityid.keys import Algorithm, PublicKey, jwk
from tests.credentials import (
    ASKED,
    CLAIMS,
    KEYS,
    NOW,
    REF,
    VCT,
    WEB,
    credential_type,
    outcome,
    payload,
    vc,
)  # fmt: skip
from tests.sd_jwts import HOLDER, NONCE, OTHER, b64, bound, signer
from tests.spec.test_sd_jwt_vc import entropy, good, issued, judged, shown
from tests.vectors import load, vectors


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
        ecdsa = {"ES256", "ES384", "ES512", "ES256K"}
        assert set(described["kb-jwt_alg_values"]) == {*ecdsa, "EdDSA", "ML-DSA-44", "ML-DSA-65"}
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
    """run (here and in test_type_metadata_use.py) + listed = present."""
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
