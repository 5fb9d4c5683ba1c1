"""W3C Verifiable Credentials Data Model 2.0 (and 1.1): what a credential and a presentation must be."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cityid import contexts, limits
from cityid.encoding import json, jsonld
from cityid.errors import Malformed
from cityid.formats import _vcdm
from tests.vectors import vectors

EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
VC: dict[str, Any] = {
    "@context": [_vcdm.V2, EXAMPLES],
    "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
    "type": ["VerifiableCredential", "ExampleDegreeCredential"],
    "issuer": {"id": "did:example:issuer", "name": "University"},
    "validFrom": "2025-01-01T00:00:00Z",
    "validUntil": "2030-01-01T00:00:00+01:00",
    "credentialSubject": {"id": "did:example:subject", "degree": {"type": "ExampleBachelorDegree"}},
    "credentialStatus": {"id": "urn:x:status", "type": "BitstringStatusListEntry"},
    "credentialSchema": {"id": "https://example.org/schema", "type": "JsonSchema"},
    "relatedResource": {"id": "https://example.org/image", "digestSRI": "sha256-x"},
    "refreshService": {"type": "x"},
    "termsOfUse": [{"type": "x"}],
    "evidence": {"type": ["x"]},
    "name": "Degree",
    "description": [{"@value": "Grad", "@language": "de", "@direction": "ltr"}, {"@value": "Degree"}],
}
VC1: dict[str, Any] = {
    "@context": [_vcdm.V1],
    "type": ["VerifiableCredential"],
    "issuer": "did:example:issuer",
    "issuanceDate": "2020-01-01T00:00:00Z",
    "expirationDate": "2030-01-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:subject"},
}
VP: dict[str, Any] = {
    "@context": [_vcdm.V2],
    "id": "urn:uuid:313801ba-24b7-11ee-be02-ff560265cf9b",
    "type": "VerifiablePresentation",
    "holder": {"id": "did:example:holder"},
    "verifiableCredential": [{**VC, "proof": {}}],
}
ENVELOPED = {
    "@context": _vcdm.V2,
    "id": "data:application/vc+jwt,eyJ.eyJ.c2ln",
    "type": "EnvelopedVerifiableCredential",
}
FILES = sorted((Path(str(vectors("vcdm2")))).rglob("*.json"))
NOT_READ = ("proof", "verifiableCredential")


def judge(document: dict[str, Any]) -> None:
    """As an issuer or a verifier does: rules of the model, then safe JSON-LD. Proofs are judged elsewhere."""
    if "VerifiablePresentation" in document.get("type", []):
        _vcdm.read_presentation(document)
        inside = document.get("verifiableCredential", [])
        for one in inside if isinstance(inside, list) else [inside]:
            if "VerifiableCredential" in one["type"]:
                judge(one)
    elif "EnvelopedVerifiablePresentation" in document.get("type", []):
        _vcdm.data_of(document, "EnvelopedVerifiablePresentation")
    else:
        _vcdm.read_credential(document)
    jsonld.expand({name: value for name, value in document.items() if name not in NOT_READ}, contexts.load)


def prepared(document: dict[str, Any], secured: bool) -> dict[str, Any]:
    """The input as the suite hands it on: dates filled in, issuers named, and credentials secured."""
    found = (
        {"issuer": "did:example:issuer", **document} if "VerifiablePresentation" not in document["type"] else document
    )
    if isinstance(found.get("issuer"), dict):
        found["issuer"].setdefault("id", "did:example:issuer")
    inside = found.get("verifiableCredential", [])
    for one in (inside if isinstance(inside, list) else [inside]) if secured else []:
        if isinstance(one, dict):
            one.setdefault("proof", {})
    return found


def code(document: dict[str, Any], read: Callable[[dict[str, Any]], Any] = _vcdm.read_credential) -> str:
    try:
        read(document)
    except Malformed as error:
        return error.code
    return ""


class TestVectors:
    @pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
    def test_every_file(self, file: Path) -> None:
        text = (
            file.read_text().replace("PAST DATE", "2001-01-01T00:00:00Z").replace("FUTURE DATE", "2099-01-01T00:00:00Z")
        )
        document: Any = json.read_object(text.encode())
        try:
            judge(prepared(document, "self-asserted" not in file.stem) if "type" in document else document)
            refused = ""
        except Malformed as error:
            refused = error.code
        assert bool(refused) is not file.stem.endswith("-ok"), refused

    def test_there_are_files(self) -> None:
        assert len(FILES) == 82


class TestCredential:
    def test_what_is_read(self) -> None:
        facts = _vcdm.read_credential(VC)
        assert (facts.version, facts.id, facts.types) == (2, VC["id"], tuple(VC["type"]))
        assert facts.issuer == "did:example:issuer"
        assert facts.valid_from is not None
        assert facts.valid_until is not None
        assert [len(found) for found in (facts.subjects, facts.schemas, facts.resources)] == [1, 1, 1]
        first = _vcdm.read_credential(VC1)
        assert (first.version, first.id, first.issuer) == (1, None, "did:example:issuer")
        assert first.valid_until is not None

    @pytest.mark.parametrize(
        ("change", "found"),
        [
            ({"@context": []}, "vcdm.context"),
            ({"@context": _vcdm.V2}, "json.wrong_type"),
            ({"@context": [EXAMPLES, _vcdm.V2]}, "vcdm.context"),
            ({"@context": [_vcdm.V2, _vcdm.V1]}, "vcdm.context"),
            ({"@context": [_vcdm.V2, _vcdm.V2]}, "vcdm.context"),
            ({"@context": [_vcdm.V2, 7]}, "vcdm.context"),
            ({"@context": [_vcdm.V2, "not a url"]}, "vcdm.url"),
            ({"id": "no url"}, "vcdm.url"),
            ({"id": ["urn:x:1"]}, "json.wrong_type"),
            ({"type": "ExampleDegreeCredential"}, "vcdm.type"),
            ({"type": ["VerifiableCredential", ""]}, "vcdm.type"),
            ({"type": ["VerifiableCredential", 7]}, "json.wrong_type"),
            ({"issuer": None}, "vcdm.missing"),
            ({"issuer": "no url"}, "vcdm.url"),
            ({"issuer": {"name": "x"}}, "json.missing"),
            ({"issuer": {"id": "urn:x:1", "name": 7}}, "json.not_an_object"),
            ({"credentialSubject": None}, "vcdm.missing"),
            ({"credentialSubject": []}, "vcdm.missing"),
            ({"credentialSubject": {}}, "vcdm.empty_subject"),
            ({"credentialSubject": [{"id": "urn:x:1"}, {}]}, "vcdm.empty_subject"),
            ({"credentialSubject": "urn:x:1"}, "json.not_an_object"),
            ({"credentialSubject": {"id": "x"}}, "vcdm.url"),
            ({"credentialSubject": [{"a": 1}] * 101}, "vcdm.too_many"),
            ({"validFrom": "2025-01-01T00:00:00"}, "time.not_a_stamp"),
            ({"validUntil": 7}, "json.wrong_type"),
            ({"validUntil": "2024-12-31T23:59:59Z"}, "vcdm.dates_reversed"),
            ({"issuanceDate": "2025-01-01T00:00:00Z"}, "vcdm.other_version"),
            ({"credentialStatus": {"id": "urn:x:1"}}, "json.missing"),
            ({"credentialStatus": [{"type": "x", "id": "y"}]}, "vcdm.url"),
            ({"credentialStatus": {"type": [""]}}, "vcdm.type"),
            ({"credentialStatus": {"type": []}}, "vcdm.type"),
            ({"credentialSchema": {"id": "https://x.example"}}, "json.missing"),
            ({"credentialSchema": {"type": "JsonSchema"}}, "json.missing"),
            ({"credentialSchema": {"type": "JsonSchema", "id": "x"}}, "vcdm.url"),
            ({"relatedResource": {"digestSRI": "x"}}, "json.missing"),
            ({"relatedResource": {"id": "https://x.example"}}, "vcdm.no_digest"),
            ({"relatedResource": [{"id": "https://x.example", "digestSRI": "sha256-AAAA"}] * 2}, "vcdm.resource_twice"),
            ({"relatedResource": {"id": "https://x.example", "digestMultibase": 7}}, "json.wrong_type"),
            ({"relatedResource": {"id": "https://x.example", "digestSRI": "x"}}, "vcdm.digest"),
            ({"relatedResource": {"id": "https://x.example", "digestSRI": "md5-AAAA"}}, "vcdm.digest"),
            ({"relatedResource": {"id": "https://x.example", "digestSRI": "sha256-AAAA sha384-"}}, "vcdm.digest"),
            ({"relatedResource": {"id": "https://x.example", "digestMultibase": "AAAA"}}, "vcdm.digest"),
            ({"relatedResource": {"id": "https://x.example", "digestMultibase": "z0"}}, "vcdm.digest"),
            ({"validFrom": "2025-01-01T24:00:01Z"}, "time.not_a_stamp"),
            ({"validUntil": "9999-12-31T24:00:00Z"}, "time.not_a_stamp"),
            (
                {"relatedResource": {"id": "https://x.example", "digestSRI": "sha256-AAAA", "mediaType": 7}},
                "json.wrong_type",
            ),
            ({"evidence": {"id": "urn:x:1"}}, "json.missing"),
            ({"termsOfUse": "urn:x:1"}, "json.not_an_object"),
            ({"refreshService": {}}, "json.missing"),
            ({"renderMethod": {}}, "json.missing"),
            ({"confidenceMethod": {}}, "json.missing"),
            ({"name": 7}, "json.not_an_object"),
            ({"name": {"@language": "de"}}, "json.missing"),
            ({"name": {"@value": "x", "@type": "y"}}, "vcdm.language"),
            ({"description": {"@value": "x", "@direction": "up"}}, "vcdm.language"),
            ({"description": {"@value": "x", "@language": "no language"}}, "vcdm.language"),
        ],
    )
    def test_what_is_wrong(self, change: dict[str, Any], found: str) -> None:
        assert code(VC) == ""
        changed = {name: value for name, value in {**VC, **change}.items() if value is not None}
        assert code(changed) == found

    @pytest.mark.parametrize(
        "change",
        [
            {"validUntil": VC["validFrom"]},
            {"credentialSubject": [{"a": 1}] * limits.CREDENTIAL_OBJECTS},
            {"relatedResource": {"id": "https://x.example", "digestMultibase": "uAAAA"}},
            {"relatedResource": {"id": "https://x.example", "digestMultibase": "zQm"}},
            {"relatedResource": {"id": "https://x.example", "digestSRI": "sha256-AA== sha512-A/+?x=y"}},
            {"validUntil": "2025-12-31T24:00:00.000Z"},
            {"name": {"@value": "x", "@language": "de-DE", "@direction": "rtl"}},
            {"id": None, "validFrom": None, "validUntil": None},
        ],
    )
    def test_what_is_just_right(self, change: dict[str, Any]) -> None:
        assert code({name: value for name, value in {**VC, **change}.items() if value is not None}) == ""

    def test_the_end_of_a_day(self) -> None:
        """XSD 1.1 §3.4.28: 24:00 of one day is 00:00 of the next."""
        for text in ("2025-12-31T24:00:00Z", "2025-12-31T24:00:00.0Z", "2026-01-01T02:00:00+02:00"):
            facts = _vcdm.read_credential({**VC, "validUntil": text})
            assert facts.valid_until == datetime(2026, 1, 1, tzinfo=UTC)

    def test_version_1_1(self) -> None:
        assert code(VC1) == ""
        for change, found in (
            ({"issuanceDate": None}, "vcdm.missing"),
            ({"validFrom": "2020-01-01T00:00:00Z"}, "vcdm.other_version"),
            ({"expirationDate": "2019-01-01T00:00:00Z"}, "vcdm.dates_reversed"),
            ({"@context": [_vcdm.V1, _vcdm.V2]}, "vcdm.context"),
        ):
            changed = {name: value for name, value in {**VC1, **change}.items() if value is not None}
            assert code(changed) == found

    def test_what_types_mean(self) -> None:
        base = "https://www.w3.org/2018/credentials#VerifiableCredential"
        assert _vcdm.types_of(VC, contexts.load) == (
            "https://www.w3.org/ns/credentials/examples#ExampleDegreeCredential",
            base,
        )
        with pytest.raises(Malformed) as caught:
            _vcdm.types_of({**VC, "@context": [_vcdm.V2]}, contexts.load)
        assert caught.value.code.startswith("jsonld.")


class TestPresentation:
    def test_what_is_read(self) -> None:
        found = _vcdm.read_presentation(VP)
        assert (found.version, found.holder, found.types) == (2, "did:example:holder", ("VerifiablePresentation",))
        assert [one["id"] for one in found.credentials] == [VC["id"]]
        assert _vcdm.read_presentation({**VP, "verifiableCredential": ENVELOPED}).credentials == (ENVELOPED,)
        bare = _vcdm.read_presentation({"@context": [_vcdm.V2], "type": "VerifiablePresentation"})
        assert (bare.holder, bare.credentials, bare.id) == (None, (), None)

    @pytest.mark.parametrize(
        ("change", "found"),
        [
            ({"type": "Presentation"}, "vcdm.type"),
            ({"holder": "x"}, "vcdm.url"),
            ({"holder": {"name": "x"}}, "json.missing"),
            ({"id": "x"}, "vcdm.url"),
            ({"verifiableCredential": ["eyJ"]}, "json.not_an_object"),
            ({"verifiableCredential": [{"type": "Other"}]}, "vcdm.type"),
            ({"verifiableCredential": [VC]}, "vcdm.self_asserted"),
            ({"verifiableCredential": [{**VC, "issuer": "did:example:holder"}]}, ""),
            ({"verifiableCredential": [{**VC, "issuer": "did:example:holder"}], "holder": None}, "vcdm.self_asserted"),
            ({"verifiableCredential": [{**ENVELOPED, "@context": [_vcdm.V2]}]}, ""),
            ({"verifiableCredential": [{**ENVELOPED, "@context": _vcdm.V1}]}, "vcdm.context"),
            ({"verifiableCredential": [{**ENVELOPED, "id": "https://x.example"}]}, "vcdm.envelope"),
            ({"verifiableCredential": [{**ENVELOPED, "id": "date:application/vc+jwt,x"}]}, "vcdm.envelope"),
            ({"verifiableCredential": [{**ENVELOPED, "id": "data:application/vc+jwt,x"}]}, ""),
            ({"verifiableCredential": [{**ENVELOPED, "id": "data:application/vc+jwt"}]}, "vcdm.envelope"),
            ({"verifiableCredential": [{**ENVELOPED, "id": "data:application/vc+jwt,"}]}, "vcdm.envelope"),
            ({"verifiableCredential": [{**ENVELOPED, "id": "data:application/vp+jwt,x"}]}, "vcdm.envelope"),
            ({"termsOfUse": {}}, "json.missing"),
            ({"refreshService": {}}, "json.missing"),
        ],
    )
    def test_what_is_wrong(self, change: dict[str, Any], found: str) -> None:
        changed = {name: value for name, value in {**copy.deepcopy(VP), **change}.items() if value is not None}
        assert code(changed, _vcdm.read_presentation) == found

    def test_an_envelope(self) -> None:
        kind = "EnvelopedVerifiableCredential"
        assert _vcdm.data_of(ENVELOPED, kind) == ("application/vc+jwt", "eyJ.eyJ.c2ln")
        assert code(ENVELOPED, lambda document: _vcdm.data_of(document, "EnvelopedVerifiablePresentation")) == (
            "vcdm.envelope"
        )

    def test_version_1_1_may_hold_texts(self) -> None:
        old = {"@context": [_vcdm.V1], "type": ["VerifiablePresentation"], "verifiableCredential": ["eyJ", VC1]}
        assert [one["type"] for one in _vcdm.read_presentation(old).credentials] == [["VerifiableCredential"]]


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        ("json.duplicate", "PARSING_ERROR"),
        ("json.missing", "MALFORMED_VALUE_ERROR"),
        ("vcdm.type", "MALFORMED_VALUE_ERROR"),
        ("jsonld.dropped", "MALFORMED_VALUE_ERROR"),
        ("vcdm.dates_reversed", "RANGE_ERROR"),
        ("signature.invalid", "CRYPTOGRAPHIC_SECURITY_ERROR"),
        ("di.purpose", "CRYPTOGRAPHIC_SECURITY_ERROR"),
    ],
)
def test_problem_types(found: str, kind: str) -> None:
    """VCDM 2.0 §7.2."""
    assert _vcdm.problem_type(found) == f"https://www.w3.org/TR/vc-data-model#{kind}"
