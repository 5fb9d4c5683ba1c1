"""`cityid conformance jose-cose`: the cases of the public suite for VC-JOSE-COSE, and what its command line is told."""

from __future__ import annotations

import ast
import base64
import json
from typing import Any

import pytest

from cityid.edge import conformance
from cityid.edge.conformance import FEATURES, Outcome
from cityid.errors import Misuse
from tests.vectors import load, vectors

SUITE = vectors("vc-jose-cose") / "suite"
CASES = load(SUITE / "expected.json")
FILES = {"p256": "vm-p256.json", "p384": "vm-p384.json", "p521": "vm-p521.json", "ed25519": "vm-ed25519.json",
         "didEd25519": "vm-did-ed25519.json"}  # fmt: skip


def run(case: dict[str, Any]) -> Outcome:
    data, key = (SUITE / case["input_file"]).read_bytes(), (SUITE / FILES[case["key_file"]]).read_bytes()
    if case["fn"] == "verify":
        return conformance.outcome(lambda: conformance.verify(data, key, case["feature"]))
    return conformance.outcome(lambda: conformance.issue(data, key, case["feature"], case.get("disclosure_paths", "")))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_official(case: dict[str, Any]) -> None:
    found = run(case)
    assert found.result == case["expected_result"], found.data
    if case["fn"] == "issue" and found.result == "success":
        key = (SUITE / FILES[case["key_file"]]).read_bytes()
        document = conformance.verify(str(found.data).encode(), key, case["feature"])
        assert document == load(SUITE / case["input_file"])


def test_every_file_is_used() -> None:
    used = {case["input_file"] for case in CASES} | {FILES[case["key_file"]] for case in CASES} | {"expected.json"}
    assert {file.name for file in SUITE.iterdir()} == used


KEY = (SUITE / "vm-ed25519.json").read_bytes()
CREDENTIAL = (SUITE / "credential-minimal.json").read_bytes()


def made(feature: str, document: bytes = CREDENTIAL, key: bytes = KEY, hide: str = "") -> bytes:
    return conformance.issue(document, key, feature, hide).encode()


class TestVerifying:
    @pytest.mark.parametrize("feature", FEATURES)
    def test_another_feature(self, feature: str) -> None:
        presentation = json.dumps({"@context": ["https://www.w3.org/ns/credentials/v2"],
                                   "type": "VerifiablePresentation"}).encode()  # fmt: skip
        data = made(feature, CREDENTIAL if feature.startswith("cred") else presentation)
        for other in FEATURES:
            found = conformance.outcome(lambda other=other: conformance.verify(data, KEY, other))  # type: ignore[misc]
            assert found.result == ("success" if other == feature else "failure"), (other, found)

    def test_another_key(self) -> None:
        other = (SUITE / "vm-did-ed25519.json").read_bytes()
        different = json.loads(other)["publicKeyJwk"]["x"] != json.loads(KEY)["publicKeyJwk"]["x"]
        key = other if different else (SUITE / "vm-p256.json").read_bytes()
        found = conformance.outcome(lambda: conformance.verify(made("credential_jose"), key, "credential_jose"))
        assert found.result == "failure"

    def test_cose_with_and_without_padding(self) -> None:
        data = made("credential_cose")
        for text in (data, data.rstrip(b"="), data.rstrip(b"=") + b"\n"):
            assert conformance.verify(text, KEY, "credential_cose")["type"]
        assert conformance.outcome(lambda: conformance.verify(b"!", KEY, "credential_cose")).result == "failure"
        assert base64.b64decode(data)

    def test_what_could_be_hidden_comes_back(self) -> None:
        document = (SUITE / "credential-selective.json").read_bytes()
        for hide in ('["credentialSubject.firstName"]', "['credentialSubject.firstName']", "[]", ""):
            data = made("credential_sdjwt", document, hide=hide)
            assert conformance.verify(data, KEY, "credential_sdjwt") == json.loads(document)
            assert data.count(b"~") == (2 if "first" in hide else 1)

    def test_a_presentation_of_a_credential(self) -> None:
        for media, result in (("vc+jwt", "success"), ("vc+xml", ""), ("vp+jwt", ""), ("text", "")):
            inside = {"@context": "https://www.w3.org/ns/credentials/v2", "type": "EnvelopedVerifiableCredential",
                      "id": f"data:application/{media},{made('credential_jose').decode()}"}  # fmt: skip
            document = {"@context": ["https://www.w3.org/ns/credentials/v2"], "type": ["VerifiablePresentation"],
                        "verifiableCredential": inside}  # fmt: skip
            raw = json.dumps(document).encode()
            issued = conformance.outcome(lambda raw=raw: made("presentation_jose", raw))  # type: ignore[misc]
            assert issued.result == ("success" if result else "failure"), issued.data
            if result:
                data = issued.data
                found = conformance.outcome(lambda data=data: conformance.verify(data, KEY, "presentation_jose"))  # type: ignore[misc]
                assert found.result == result, found.data


class TestOutcomes:
    def test_a_key_that_is_none_of_ours(self) -> None:
        key = json.loads((SUITE / "vm-p521.json").read_text())
        key["secretKeyJwk"]["crv"] = "brainpoolP256r1"
        raw = json.dumps(key).encode()
        found = conformance.outcome(lambda: conformance.issue(CREDENTIAL, raw, "credential_jose"))
        assert found.result == "failure"
        assert found.data["code"] == "key.unsupported"

    @pytest.mark.parametrize("feature", [name for name in FEATURES if name.startswith("credential")])
    def test_p521(self, feature: str) -> None:
        key = (SUITE / "vm-p521.json").read_bytes()
        assert conformance.verify(made(feature, key=key), key, feature) == json.loads(CREDENTIAL)

    def test_as_written(self) -> None:
        found = conformance.outcome(lambda: conformance.verify(CREDENTIAL, KEY, "credential_jose"))
        told = json.loads(found.write())
        assert (told["result"], set(told["data"])) == ("failure", {"code", "detail", "where"})
        assert Outcome("success", "x").write() == b'{"result":"success","data":"x"}\n'

    @pytest.mark.parametrize(
        ("hide", "code"), [("x", "json.syntax"), ("[1]", "json.wrong_type"), ('["a..b"]', "path.syntax")]
    )
    def test_what_is_wrong_with_the_command_line(self, hide: str, code: str) -> None:
        with pytest.raises(Misuse) as no:
            conformance.issue(CREDENTIAL, KEY, "credential_sdjwt", hide)
        assert no.value.code == code

    def test_the_suite_s_own_form_of_a_list(self) -> None:
        listed = [case["disclosure_paths"] for case in CASES if "disclosure_paths" in case]
        assert listed
        for text in listed:
            assert len(conformance._hidden(text)) == len(ast.literal_eval(text))
