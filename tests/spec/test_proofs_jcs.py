"""Data Integrity proofs over canonical JSON: eddsa-jcs-2022 and ecdsa-jcs-2019, with the official vectors."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from cityid.encoding import jcs, json, multibase
from cityid.errors import CityIdError, Malformed, Misuse, Refused
from cityid.keys import Algorithm, PublicKey, multikey
from cityid.proofs import jcs as suite
from tests.proofs import Curve, seeded
from tests.proofs import options as made
from tests.vectors import load, vectors
from tests.webvh import A, B

DOCUMENT = {"@context": ["https://a.example/v1", "https://a.example/v2"], "id": "urn:x", "n": 1.5}
CASES = {
    "eddsa-jcs-2022": (vectors("di-eddsa") / "eddsa-jcs-2022", "", "keyPair.json"),
    "ecdsa-jcs-2019": (vectors("di-ecdsa") / "ecdsa-jcs-2019-p256", "ECDSAP256", "p256KeyPair.json"),
}


def options(cryptosuite: str | None = "eddsa-jcs-2022", **more: Any) -> dict[str, Any]:
    return made("", **more, cryptosuite=cryptosuite)


def code(document: Any, proof: Any, key: PublicKey = A.public_key, **more: Any) -> str:
    try:
        suite.check(document, proof, key, **more)
    except (Malformed, Refused) as error:
        return error.code
    return ""


@pytest.mark.parametrize("name", CASES)
class TestOfficialVectors:
    def file(self, name: str, stem: str) -> Path:
        folder, _, _ = CASES[name]
        (found,) = [path for path in folder.iterdir() if path.name.startswith(stem)]
        return found

    def text(self, name: str, stem: str) -> str:
        return self.file(name, stem).read_text("utf-8").strip()

    def key(self, name: str) -> PublicKey:
        folder, _, pair = CASES[name]
        return multikey.read(load(folder.parent / pair)["publicKeyMultibase"])

    def test_every_file_is_used(self, name: str) -> None:
        stems = (
            "canonDoc",
            "docHash",
            "proofConfig",
            "proofCanon",
            "proofHash",
            "combinedHash",
            "sigHex",
            "sigBTC58",
            "signed",
        )
        folder, _, _ = CASES[name]
        assert {self.file(name, stem) for stem in stems} == set(folder.iterdir())

    def test_each_step(self, name: str) -> None:
        folder, _, _ = CASES[name]
        document = load(folder.parent / "unsigned.json")
        config = load(self.file(name, "proofConfig"))
        assert jcs.canonical(document).decode() == self.text(name, "canonDoc")
        assert jcs.canonical(config).decode() == self.text(name, "proofCanon")
        assert hashlib.sha256(jcs.canonical(document)).hexdigest() == self.text(name, "docHash")
        assert hashlib.sha256(jcs.canonical(config)).hexdigest() == self.text(name, "proofHash")
        combined = suite.hash_data(jcs.canonical(document), jcs.canonical(config))
        assert combined.hex() == self.text(name, "combinedHash")
        signature = bytes.fromhex(self.text(name, "sigHex"))
        assert multibase.encode(signature) == self.text(name, "sigBTC58")
        self.key(name).verify(signature, combined)

    def test_the_signed_document(self, name: str) -> None:
        signed = json.read_object(self.file(name, "signed").read_bytes())
        proof = signed.pop("proof")
        assert code(signed, proof, self.key(name)) == ""
        assert code({**signed, "name": "x"}, proof, self.key(name)) == "signature.invalid"
        assert code(signed, {**proof, "created": "2023-02-24T23:36:39Z"}, self.key(name)) == "signature.invalid"
        assert code(signed, proof, self.key(name), suites=()) == "di.suite"


def test_signing_as_the_official_signer_did() -> None:
    """Ed25519 has no chance in it."""
    folder, _, pair = CASES["eddsa-jcs-2022"]
    signed = load(folder / "signedJCS.json")
    config = {name: value for name, value in signed["proof"].items() if name not in ("@context", "proofValue")}
    signer = seeded(load(folder.parent / pair)["privateKeyMultibase"])
    assert suite.create(load(folder.parent / "unsigned.json"), config, signer) == signed["proof"]


class TestCreateAndCheck:
    @pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.ES384])
    def test_ecdsa(self, algorithm: Algorithm) -> None:
        signer = Curve(algorithm)
        made = suite.create(DOCUMENT, options(cryptosuite="ecdsa-jcs-2019"), signer)
        assert code(DOCUMENT, made, signer.public_key) == ""
        assert code({**DOCUMENT, "n": 2}, made, signer.public_key) == "signature.invalid"
        assert code(DOCUMENT, made, A.public_key) == "di.key_of_other_suite"

    def test_eddsa(self) -> None:
        made = suite.create(DOCUMENT, options(), A)
        assert made["@context"] == DOCUMENT["@context"]
        assert code(DOCUMENT, made) == ""
        assert code(DOCUMENT, made, B.public_key) == "signature.invalid"
        assert code(DOCUMENT, made, Curve(Algorithm.ES256).public_key) == "di.key_of_other_suite"
        assert "@context" not in suite.create({"a": 1}, options(), A)

    @pytest.mark.parametrize("name", ["ecdsa-jcs-2019", "none", None])
    def test_key_and_suite(self, name: str | None) -> None:
        with pytest.raises(Misuse) as error:
            suite.create(DOCUMENT, options(cryptosuite=name), A)
        assert error.value.code == "di.key"

    def test_contexts(self) -> None:
        made = suite.create(DOCUMENT, options(), A)
        longer = {**DOCUMENT, "@context": [*DOCUMENT["@context"], "https://a.example/v3"]}  # type: ignore[misc]
        assert code(longer, made) == ""
        for other in (["https://a.example/v2", "https://a.example/v1"], ["https://a.example/v1"], None, "x"):
            assert code({**DOCUMENT, "@context": other}, made) == "di.context"
        single = suite.create({"@context": "https://a.example/v1"}, options(), A)
        assert code({"@context": "https://a.example/v1"}, single) == ""
        assert code({"@context": ["https://a.example/v1", "x"]}, single) == ""
        assert code({}, single) == "di.context"
        assert code(b"{}", single) == "di.context"
        assert code(b"{}", suite.create({}, options(), A)) == ""

    def test_a_proof_without_context_over_a_document_with_one(self) -> None:
        data = suite.hash_data(jcs.canonical(DOCUMENT), jcs.canonical(options()))
        made = {**options(), "proofValue": multibase.encode(A.sign(data))}
        assert code(DOCUMENT, made) == ""

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"type": "Ed25519Signature2020"}, "di.type"),
            ({"cryptosuite": "eddsa-rdfc-2022"}, "di.suite"),
            ({"cryptosuite": 1}, "json.wrong_type"),
            ({"proofPurpose": "authentication"}, "di.purpose"),
            ({"created": "today"}, "time.not_a_stamp"),
            ({"expires": 1}, "json.wrong_type"),
            ({"proofValue": "x"}, "multibase.base"),
            ({"proofValue": "z" + "2" * 133}, "signature.invalid"),
            ({"proofValue": "z" + "2" * 134}, "multibase.too_long"),
            ({"created": "2026-01-01T00:00:00Z"}, "signature.invalid"),
        ],
    )
    def test_members(self, change: dict[str, Any], expected: str) -> None:
        made = suite.create(DOCUMENT, options(), A)
        assert code(DOCUMENT, made) == ""
        assert code(DOCUMENT, made | change) == expected
        for plain in (False, True):
            assert code(DOCUMENT, made, plain=plain) == ""

    def test_another_purpose(self) -> None:
        made = suite.create(DOCUMENT, options(proofPurpose="authentication"), A)
        assert code(DOCUMENT, made, purpose="authentication") == ""
        assert code(DOCUMENT, made) == "di.purpose"

    def test_where(self) -> None:
        with pytest.raises(CityIdError) as error:
            suite.check(DOCUMENT, options(), A.public_key, where="$.x")
        assert error.value.problem.where == "$.x.proofValue"
        assert suite.TYPE == "DataIntegrityProof"
