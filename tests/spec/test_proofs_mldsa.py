"""Quantum-Resistant Cryptosuites 1.0 (Working Draft, 16 June 2026) §3.3: mldsa44-rdfc-2024 and mldsa44-jcs-2024.

Creating and checking, member by member, is in test_proofs with the other suites."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from cityid import proofs
from cityid.encoding import base64url, multibase
from cityid.encoding import jcs as canonical_json
from cityid.errors import Malformed, Refused
from cityid.keys import Algorithm
from cityid.proofs import mldsa, rdfc
from tests.proofs import EXAMPLES, V2, contexts, credential, options, signer

KEY = signer(Algorithm.ML_DSA_44)
both = pytest.mark.parametrize("suite", [mldsa.RDFC, mldsa.JCS])


def made(suite: str, document: dict[str, Any] | None = None) -> dict[str, Any]:
    return proofs.create(document or credential(), options(suite), KEY, load=contexts)


def code(document: Any, proof: Any, key: Any = KEY) -> str:
    try:
        proofs.check(document, proof, key.public_key, load=contexts)
    except (Malformed, Refused) as error:
        return error.code
    return ""


def test_names() -> None:
    assert set(mldsa.SUITES) == {"mldsa44-rdfc-2024", "mldsa44-jcs-2024"} < set(proofs.SUITES)


@both
class TestProofs:
    def test_what_is_signed(self, suite: str) -> None:
        """The options take the document's context, in both suites, and the proof does not repeat it."""
        proof = made(suite)
        assert proof.keys() == {*options(suite), "proofValue"}
        config = {**options(suite), "@context": [V2, EXAMPLES]}
        if suite == mldsa.RDFC:
            hashed = [hashlib.sha256(rdfc.canonical(each, contexts)).digest() for each in (config, credential())]
        else:
            hashed = [hashlib.sha256(canonical_json.canonical(each)).digest() for each in (config, credential())]
        KEY.public_key.verify(base64url.decode(proof["proofValue"][1:]), b"".join(hashed))

    def test_the_signature_s_form(self, suite: str) -> None:
        proof = made(suite)
        raw = base64url.decode(proof["proofValue"][1:])
        assert len(raw) == 2420
        assert code(credential(), proof) == ""
        for value, expected in (
            (base64url.encode(raw), "di.encoding"),
            (multibase.encode(raw[:64]), "di.encoding"),
            ("", "di.encoding"),
            ("u", "signature.invalid"),
            ("u" + base64url.encode(raw) + "=", "base64url.alphabet"),
            ("u" + base64url.encode(raw[:-1]), "signature.invalid"),
            ("u" + base64url.encode(raw + b"\0"), "signature.invalid"),
            ("u" + base64url.encode(bytes([raw[0] ^ 1]) + raw[1:]), "signature.invalid"),
        ):
            assert code(credential(), {**proof, "proofValue": value}) == expected, value[:9]

    def test_contexts(self, suite: str) -> None:
        proof = made(suite)
        assert code(credential(), {**proof, "@context": [V2, EXAMPLES]}) == ""
        assert code(credential(), {**proof, "@context": [V2]}) == "di.context"

    def test_keys(self, suite: str) -> None:
        proof = made(suite)
        assert code(credential(), proof, signer(Algorithm.ML_DSA_44, 8)) == "signature.invalid"
        assert code(credential(), proof, signer(Algorithm.EDDSA)) == "di.key_of_other_suite"


def test_a_document_without_contexts() -> None:
    document = {"a": 1}
    proof = made(mldsa.JCS, document)
    assert code(document, proof) == ""
    assert code({"a": 2}, proof) == "signature.invalid"
    assert code({"a": 1, "@context": V2}, proof) == "signature.invalid"
