"""Data Integrity proofs over canonical N-Quads, by the published vectors: each step of each, and the signed whole."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cityid import proofs
from cityid.encoding import json, multibase
from cityid.encoding.rdfc import HashName
from cityid.errors import Malformed, Refused
from cityid.keys import PublicKey, multikey
from cityid.proofs import rdfc
from tests.proofs import contexts, seeded
from tests.vectors import load, vectors

STEPS = [
    "canonDoc",
    "docHash",
    "proofConfig",
    "proofCanon",
    "proofHash",
    "combinedHash",
    "sigHex",
    "sigBTC58",
    "signed",
]


class Case(NamedTuple):
    topic: str
    folder: str
    pair: str
    hash: HashName = "sha256"

    def path(self, stem: str) -> Path:
        (found,) = [path for path in (vectors(self.topic) / self.folder).iterdir() if path.name.startswith(stem)]
        return found

    def text(self, stem: str) -> str:
        return self.path(stem).read_text("utf-8")

    def key(self) -> PublicKey:
        return multikey.read(load(vectors(self.topic) / self.pair)["publicKeyMultibase"])

    def unsigned(self) -> dict[str, Any]:
        found: dict[str, Any] = load(vectors(self.topic) / "unsigned.json")
        return found


OFFICIAL = (
    Case("di-eddsa", "eddsa-rdfc-2022", "keyPair.json"),
    Case("di-ecdsa", "ecdsa-rdfc-2019-p256", "p256KeyPair.json"),
    Case("di-ecdsa", "ecdsa-rdfc-2019-p384", "p384KeyPair.json", "sha384"),
)
CASES = [pytest.param(case, id=case.folder) for case in OFFICIAL]


def code(document: Any, proof: Any, key: PublicKey) -> str:
    try:
        proofs.check(document, proof, key, load=contexts)
    except (Malformed, Refused) as error:
        return error.code
    return ""


@pytest.mark.parametrize("case", CASES)
class TestOfficialVectors:
    def test_every_file_is_used(self, case: Case) -> None:
        assert {case.path(stem) for stem in STEPS} == set((vectors(case.topic) / case.folder).iterdir())

    def test_transformed(self, case: Case) -> None:
        assert rdfc.canonical(case.unsigned(), contexts, case.hash).decode() == case.text("canonDoc")
        config = json.read_object(case.path("proofConfig").read_bytes())
        assert config["@context"] == case.unsigned()["@context"]
        assert rdfc.canonical(config, contexts, case.hash).decode() == case.text("proofCanon")

    def test_hashed(self, case: Case) -> None:
        hashed = hashlib.new(case.hash, case.text("canonDoc").encode()).hexdigest()
        config = hashlib.new(case.hash, case.text("proofCanon").encode()).hexdigest()
        assert hashed == case.text("docHash").strip()
        assert config == case.text("proofHash").strip()
        assert config + hashed == case.text("combinedHash").strip()
        options = json.read_object(case.path("proofConfig").read_bytes())
        del options["@context"]
        found = rdfc.hash_data(case.unsigned(), options, getattr(hashlib, case.hash), contexts)
        assert found.hex() == case.text("combinedHash").strip()

    def test_signed(self, case: Case) -> None:
        signature = bytes.fromhex(case.text("sigHex").strip())
        assert multibase.encode(signature) == case.text("sigBTC58").strip()
        case.key().verify(signature, bytes.fromhex(case.text("combinedHash").strip()))

    def test_the_signed_document(self, case: Case) -> None:
        signed = json.read_object(case.path("signed").read_bytes())
        proof = signed.pop("proof")
        assert signed == case.unsigned()
        assert proof["proofValue"] == case.text("sigBTC58").strip()
        assert code(signed, proof, case.key()) == ""

    def test_every_change_of_it(self, case: Case) -> None:
        signed = json.read_object(case.path("signed").read_bytes())
        proof = signed.pop("proof")
        for name in set(signed) - {"@context"}:
            changed = {other: value for other, value in signed.items() if other != name}
            assert code(changed, proof, case.key()) == "signature.invalid", name
        for name, value in (("created", "2023-02-24T23:36:39Z"), ("verificationMethod", "did:key:z#z")):
            assert code(signed, {**proof, name: value}, case.key()) == "signature.invalid"


def test_every_folder_is_used() -> None:
    """Those of canonical JSON are in test_proofs_jcs, sets and what is older in test_proofs_sets, selective disclosure
    with its own suite."""
    elsewhere = {
        "di-eddsa": {"eddsa-jcs-2022", "Ed25519Signature2020", "previousProof", "proof-set-chain", "README.md"},
        "di-ecdsa": {"ecdsa-jcs-2019-p256", "ecdsa-sd-2023", "README.md"}
        | {f"prCred{name}.json" for name in ("Mandatory", "Selective", "Unsigned")},
    }
    for topic, others in elsewhere.items():
        used = {name for case in OFFICIAL if case.topic == topic for name in (case.folder, case.pair, "unsigned.json")}
        assert {path.name for path in vectors(topic).iterdir()} == used | others


def test_signing_as_the_official_signer_did() -> None:
    """Ed25519 has no chance in it; the ECDSA signatures of the vectors have."""
    folder = vectors("di-eddsa")
    signed = load(folder / "eddsa-rdfc-2022" / "signedDataInt.json")
    options = {name: value for name, value in signed["proof"].items() if name != "proofValue"}
    key = seeded(load(folder / "keyPair.json")["privateKeyMultibase"])
    assert proofs.create(load(folder / "unsigned.json"), options, key, load=contexts) == signed["proof"]
