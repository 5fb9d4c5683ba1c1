"""Proof sets and chains (Data Integrity 1.0 §4.3, §4.5), by the published vectors and by our own cases."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from cityid import limits, proofs
from cityid.encoding import json
from cityid.errors import Malformed, Refused
from cityid.keys import Algorithm, PublicKey, multikey
from cityid.proofs import legacy, rdfc, sets
from tests.proofs import contexts, credential, options, seeded, signer
from tests.vectors import load, vectors

ROOT = vectors("di-eddsa")
CHAIN = ROOT / "proof-set-chain"
PREVIOUS = sorted((ROOT / "previousProof").iterdir())
KEYS = {number: signer(Algorithm.EDDSA, number) for number in range(1, 13)}


def of_did(proof: proofs.Proof) -> PublicKey:
    return multikey.read(proof.method.split("#")[1])


def of_number(proof: proofs.Proof) -> PublicKey:
    return KEYS[int(proof.method.split("-")[1])].public_key


def code(document: Any, keys: Any = of_number, **more: Any) -> str:
    try:
        sets.check(document, keys, load=contexts, **more)
    except (Malformed, Refused) as error:
        return error.code
    return ""


class TestOfficialChain:
    FILES = (
        "multiKeyPairs",
        "unsigned",
        "proofSetConfig1",
        "proofSetConfigSigned1",
        "signedProofSet1",
        "proofChainConfig1",
        "proofChainTempDoc1",
        "proofChainConfigSigned1",
        "signedProofChain1",
    )

    def file(self, name: str) -> Any:
        return json.read((CHAIN / f"{name}.json").read_bytes())

    def key(self, number: int) -> Any:
        return seeded(self.file("multiKeyPairs")[f"keyPair{number}"]["privateKeyMultibase"])

    def test_every_file_is_used(self) -> None:
        assert {path.stem for path in CHAIN.iterdir()} == set(self.FILES)

    def test_keys(self) -> None:
        for number in range(1, 5):
            public = self.file("multiKeyPairs")[f"keyPair{number}"]["publicKeyMultibase"]
            assert multikey.write(self.key(number).public_key) == public

    def test_the_first_of_a_set(self) -> None:
        made = sets.add(self.file("unsigned"), self.file("proofSetConfig1"), self.key(1), load=contexts)
        assert made == self.file("signedProofSet1")
        assert made["proof"] == self.file("proofSetConfigSigned1")
        assert code(made, of_did) == ""

    def test_a_second_of_the_set(self) -> None:
        second = self.file("proofChainTempDoc1")["proof"][1]
        config = {name: value for name, value in second.items() if name != "proofValue"}
        made = sets.add(self.file("signedProofSet1"), config, self.key(2), load=contexts)
        assert made == self.file("proofChainTempDoc1")
        assert code(made, of_did) == ""

    def test_one_that_follows_both(self) -> None:
        made = sets.add(self.file("proofChainTempDoc1"), self.file("proofChainConfig1"), self.key(3), load=contexts)
        assert made == self.file("signedProofChain1")
        assert made["proof"][2] == self.file("proofChainConfigSigned1")
        assert code(made, of_did) == ""

    def test_what_each_is_made_over(self) -> None:
        first, second, third = sets.split(self.file("signedProofChain1"))
        assert first.document == second.document == self.file("unsigned")
        assert third.document == self.file("proofChainTempDoc1")
        assert third.proof == self.file("proofChainConfigSigned1")


@pytest.mark.parametrize("path", PREVIOUS, ids=lambda path: path.stem)
def test_official_previous_proofs(path: Path) -> None:
    found = code(json.read_object(path.read_bytes()), of_did)
    # The number that is meant as an id is none wherever it stands.
    expected = "di.url" if "NotString" in path.name else "di.no_such_proof"
    assert found == ("" if "Ok" in path.name else expected)
    assert ("Ok" in path.name) != ("Fail" in path.name)


class TestLegacy:
    """Ed25519Signature2020 (DI EdDSA 1.0 §A), in a module that nobody else reaches."""

    FOLDER = ROOT / "Ed25519Signature2020"

    def text(self, stem: str) -> str:
        return (self.FOLDER / f"{stem}EdSig.txt").read_text("utf-8")

    def signed(self) -> tuple[Any, Any]:
        document = json.read_object((self.FOLDER / "signedEdSig.json").read_bytes())
        return document, document.pop("proof")

    def check(self, document: Any, proof: Any, **more: Any) -> str:
        key = multikey.read(load(ROOT / "keyPair.json")["publicKeyMultibase"])
        try:
            legacy.check(document, proof, more.pop("key", key), load=contexts, **more)
        except (Malformed, Refused) as error:
            return error.code
        return ""

    def test_every_file_is_used(self) -> None:
        stems = ("canonDoc", "combinedHash", "docHash", "proofCanon", "proofHash", "sigBTC58", "sigHex")
        names = {f"{stem}EdSig.txt" for stem in stems} | {"proofConfigEdSig.json", "signedEdSig.json"}
        assert {path.name for path in self.FOLDER.iterdir()} == names

    def test_each_step(self) -> None:
        document, proof = self.signed()
        config = json.read_object((self.FOLDER / "proofConfigEdSig.json").read_bytes())
        assert rdfc.canonical(document, contexts).decode() == self.text("canonDoc")
        assert rdfc.canonical(config, contexts).decode() == self.text("proofCanon")
        hashed = [hashlib.sha256(self.text(stem).encode()).hexdigest() for stem in ("proofCanon", "canonDoc")]
        assert hashed == [self.text("proofHash").strip(), self.text("docHash").strip()]
        del config["@context"]
        combined = rdfc.hash_data(document, config, hashlib.sha256, contexts)
        assert combined.hex() == self.text("combinedHash").strip() == "".join(hashed)
        assert proof["proofValue"] == self.text("sigBTC58").strip()
        key = multikey.read(load(ROOT / "keyPair.json")["publicKeyMultibase"])
        key.verify(bytes.fromhex(self.text("sigHex").strip()), combined)

    def test_the_signed_document(self) -> None:
        document, proof = self.signed()
        assert self.check(document, proof) == ""
        assert self.check({**document, "name": "x"}, proof) == "signature.invalid"
        assert self.check(document, {**proof, "created": "2023-02-24T23:36:39Z"}) == "signature.invalid"
        assert self.check(document, proof, purpose="authentication") == "di.purpose"
        assert self.check(document, proof, key=signer(Algorithm.ES256).public_key) == "di.key_of_other_suite"
        assert self.check(document, {**proof, "type": "Ed25519Signature2018"}) == "di.type"
        assert self.check(document, {**proof, "type": "DataIntegrityProof"}) == "di.type"

    def test_nobody_else_takes_it(self) -> None:
        document, proof = self.signed()
        assert code({**document, "proof": proof}, of_did) == "di.type"
        with pytest.raises(Malformed) as error:
            proofs.check(document, proof, KEYS[1].public_key, load=contexts)
        assert error.value.code == "di.type"


def chained(count: int = 3, suite: str = "eddsa-rdfc-2022") -> dict[str, Any]:
    """A document with a proof of each key from 1 to `count`, each of which follows the one before."""
    made = credential()
    for number in range(1, count + 1):
        made = sets.add(made, config(number, suite), KEYS[number], load=contexts)
    return made


def config(number: int, suite: str = "eddsa-rdfc-2022", **more: Any) -> dict[str, Any]:
    before = f"urn:proof:{number - 1}" if number > 1 else None
    method = f"did:example:a#key-{number}"
    return options(
        suite, **({"id": f"urn:proof:{number}", "verificationMethod": method, "previousProof": before} | more)
    )


@pytest.mark.parametrize("suite", ["eddsa-rdfc-2022", "eddsa-jcs-2022"])
class TestChains:
    def test_whole(self, suite: str) -> None:
        made = chained(3, suite)
        assert code(made) == ""
        assert [each.id for each in sets.check(made, of_number, load=contexts)] == [
            "urn:proof:1",
            "urn:proof:2",
            "urn:proof:3",
        ]

    def test_order_does_not_matter(self, suite: str) -> None:
        made = chained(3, suite)
        assert code({**made, "proof": made["proof"][::-1]}) == ""

    def test_an_earlier_proof_is_signed_by_a_later_one(self, suite: str) -> None:
        """Exchanged for another by the same key, good in itself."""
        made = chained(2, suite)
        other = sets.add(credential(), config(1, suite, nonce="x"), KEYS[1], load=contexts)
        assert code(other) == ""
        assert code({**made, "proof": [other["proof"], made["proof"][1]]}) == "signature.invalid"

    @pytest.mark.parametrize("number", [0, 1])
    def test_without_an_earlier_proof(self, suite: str, number: int) -> None:
        made = chained(3, suite)
        rest = [proof for place, proof in enumerate(made["proof"]) if place != number]
        assert code({**made, "proof": rest}) == "di.no_such_proof"
        assert code({**made, "proof": made["proof"][:2]}) == ""

    def test_one_of_several_is_wrong(self, suite: str) -> None:
        made = chained(3, suite)
        for number in range(3):
            changed = list(made["proof"])
            changed[number] = {**changed[number], "proofValue": made["proof"][number - 1]["proofValue"]}
            assert code({**made, "proof": changed}) == "signature.invalid"

    def test_a_link_taken_out(self, suite: str) -> None:
        made = chained(2, suite)
        loose = {name: value for name, value in made["proof"][1].items() if name != "previousProof"}
        assert code({**made, "proof": [made["proof"][0], loose]}) == "signature.invalid"


class TestShape:
    def where(self, document: dict[str, Any], expected: str) -> str:
        with pytest.raises(Malformed) as error:
            sets.split(document)
        assert error.value.code == expected
        return error.value.problem.where

    def test_none(self) -> None:
        assert self.where(credential(), "json.missing") == "$.proof"
        assert self.where(credential(proof=[]), "di.empty") == "$.proof"
        assert self.where(credential(proof="x"), "json.wrong_type") == "$.proof"
        assert self.where(credential(proof=[options(proofValue="z"), "x"]), "json.not_an_object") == "$.proof[1]"

    def test_one_alone_or_in_a_list(self) -> None:
        made = chained(1)
        assert isinstance(made["proof"], dict)
        assert code(made) == code({**made, "proof": [made["proof"]]}) == ""
        broken = {**made["proof"], "proofPurpose": 1}
        assert self.where({**made, "proof": broken}, "json.wrong_type") == "$.proof.proofPurpose"
        assert self.where({**made, "proof": [broken]}, "json.wrong_type") == "$.proof[0].proofPurpose"

    def test_how_many(self) -> None:
        one = chained(1)["proof"]
        loose = [{name: value for name, value in one.items() if name != "id"}] * (limits.DATA_PROOFS + 1)
        assert len(sets.split(credential(proof=loose[:-1]))) == limits.DATA_PROOFS
        assert self.where(credential(proof=loose), "di.too_many_proofs") == "$.proof"

    def test_how_many_of_a_large_document(self) -> None:
        one = chained(1)["proof"]
        loose = [{name: value for name, value in one.items() if name != "id"}] * 2
        large = credential(proof=loose, evidence=[{"id": "urn:x"}] * (limits.JSONLD_WORK // 4))
        assert self.where(large, "di.too_many_proofs") == "$.proof"
        larger = {**large, "evidence": large["evidence"] * 4, "proof": one}
        assert len(sets.split(larger)) == len(sets.split({**large, "proof": one})) == 1
        assert len(sets.split({**large, "evidence": large["evidence"][:-20]})) == 2

    def test_ids(self) -> None:
        made = chained(2)
        first, second = made["proof"]
        twice = {**made, "proof": [first, {**second, "id": "urn:proof:1"}]}
        assert self.where(twice, "di.duplicate_id") == "$.proof[1].id"
        assert self.where({**made, "proof": [first, {**second, "previousProof": "urn:x"}]}, "di.no_such_proof") == (
            "$.proof[1].previousProof"
        )

    @pytest.mark.parametrize("links", [("1",), ("2", "1"), ("2", "3", "1"), ("3", None, "1"), (["2", "1"], None)])
    def test_circles(self, links: tuple[Any, ...]) -> None:
        def named(link: Any) -> Any:
            return [f"urn:proof:{each}" for each in link] if isinstance(link, list | str) else None

        given = [config(number, previousProof=named(link), proofValue="z2") for number, link in enumerate(links, 1)]
        assert self.where(credential(proof=given), "di.cycle").endswith(".previousProof")
        straight = [{name: value for name, value in given[0].items() if name != "previousProof"}, *given[1:]]
        assert len(sets.split(credential(proof=straight))) == len(links)


class TestAdd:
    def test_to_a_set(self) -> None:
        made = sets.add(chained(1), config(2, previousProof=None), KEYS[2], load=contexts)
        assert code(made) == ""
        assert code({**made, "proof": made["proof"][1]}) == ""

    def test_of_two_suites(self) -> None:
        made = sets.add(chained(1), config(2, "eddsa-jcs-2022"), KEYS[2], load=contexts)
        assert code(made) == ""

    def test_following_what_is_not_there(self) -> None:
        for document in (credential(), chained(1)):
            with pytest.raises(Malformed) as error:
                sets.add(document, config(3), KEYS[3], load=contexts)
            assert error.value.code == "di.no_such_proof"
        assert code(sets.add(chained(2), config(3), KEYS[3], load=contexts)) == ""

    def test_under_a_name_that_is_taken(self) -> None:
        with pytest.raises(Malformed) as error:
            sets.add(chained(1), config(1), KEYS[1], load=contexts)
        assert error.value.code == "di.duplicate_id"

    def test_links_of_another_type(self) -> None:
        with pytest.raises(Malformed) as error:
            sets.add(chained(1), config(2, previousProof=7), KEYS[2], load=contexts)
        assert error.value.code == "json.wrong_type"
        assert error.value.problem.where == "$.options.previousProof"

    def test_purpose(self) -> None:
        made = sets.add(credential(), config(1, proofPurpose="authentication"), KEYS[1], load=contexts)
        assert code(made, purpose="authentication") == ""
        assert code(made) == "di.purpose"
        assert code({**made, "proof": [made["proof"], chained(1)["proof"] | {"id": "urn:x"}]}) == "di.purpose"
