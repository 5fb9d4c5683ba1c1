"""Bitstring Status List 1.0: lists with their proof inside, and the official names of what can be wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cityid import contexts, proofs, status
from cityid.credential import DidUrl, KeyRef
from cityid.did import key as did_key
from cityid.status import problem_type
from cityid.status.bitstring_status_list import encode
from cityid.trust import TrustEntry, TrustList
from tests import w3c
from tests.credentials import outcome
from tests.sd_jwts import ISSUER
from tests.spec.test_bitstring_status_list import AT, FRESH, document, ref, served


class TestDataIntegrity:
    """A list may have its proof inside (§2.2 says: the same mechanism as the card's)."""

    def proved(self, proofs_: int = 1, **options: Any) -> bytes:
        did = did_key.create(ISSUER.public_key)
        text = {**document({7: 1}), "issuer": did}
        made = {
            "type": "DataIntegrityProof", "cryptosuite": "ecdsa-rdfc-2019", "proofPurpose": "assertionMethod",
            "verificationMethod": f"{did}#{did.removeprefix('did:key:')}", **options,
        }  # fmt: skip
        proof = proofs.create(text, made, ISSUER, load=contexts.load)
        return json.dumps({**text, "proof": proof if proofs_ == 1 else [proof] * proofs_}).encode()

    @pytest.mark.parametrize("media", ["application/vc", "application/vc+ld+json", "application/json"])
    def test_signed(self, media: str) -> None:
        assert self.verdict(self.proved(), media) == "status.invalid"
        assert self.verdict(self.proved().replace(b"DataIntegrityProof", b"OtherProof"), media) != "status.invalid"
        tampered = json.loads(self.proved())
        tampered["credentialSubject"]["encodedList"] = encode(bytes(16384))
        assert self.verdict(json.dumps(tampered).encode(), media) == "signature.invalid"

    @pytest.mark.parametrize(("options", "code"), [
        ({"created": "2026-11-23T08:59:00Z"}, "status.invalid"),
        ({"created": "2026-11-23T09:00:30Z"}, "status.invalid"),
        ({"expires": "2026-11-23T09:00:01Z"}, "status.invalid"),
        ({"expires": "2026-11-23T09:00:00Z"}, "status.expired"),
    ])  # fmt: skip
    def test_times_of_the_proof(self, options: dict[str, Any], code: str) -> None:
        assert self.verdict(self.proved(**options)) == code

    def test_one_proof(self) -> None:
        assert self.verdict(self.proved(2)) == "bitstring.signers"

    def verdict(self, body: bytes, media: str = "application/vc") -> str:
        did = did_key.create(ISSUER.public_key)
        trust = TrustList((TrustEntry("did", ("residency",), did=did),), {"residency": (w3c.IRI,)})
        signed_by = KeyRef(DidUrl(did, did.removeprefix("did:key:")))
        plan = status.check((ref(),), signed_by, trust, FRESH, AT, required=True)
        return outcome(plan.run(served(body, media)))


class TestProblemTypes:
    """§3.5, and of VCDM 2.0 those that it borrows."""

    @pytest.mark.parametrize(("code", "name"), [
        ("net.offline", "STATUS_RETRIEVAL_ERROR"), ("status.http", "STATUS_RETRIEVAL_ERROR"),
        ("status.media_type", "STATUS_RETRIEVAL_ERROR"), ("status.stale", "STATUS_RETRIEVAL_ERROR"),
        ("signature.invalid", "STATUS_VERIFICATION_ERROR"), ("bitstring.purpose", "STATUS_VERIFICATION_ERROR"),
        ("status.expired", "STATUS_VERIFICATION_ERROR"), ("status.subject", "STATUS_VERIFICATION_ERROR"),
        ("status.other_signer", "STATUS_VERIFICATION_ERROR"), ("bitstring.not_a_list", "STATUS_VERIFICATION_ERROR"),
        ("bitstring.too_short", "STATUS_LIST_LENGTH_ERROR"),
    ])  # fmt: skip
    def test_of_lists(self, code: str, name: str) -> None:
        assert problem_type(code) == f"https://www.w3.org/ns/credentials/status-list#{name}"

    @pytest.mark.parametrize(("code", "name"), [
        ("status.index", "RANGE_ERROR"), ("bitstring.entry_index", "MALFORMED_VALUE_ERROR"),
        ("bitstring.messages", "MALFORMED_VALUE_ERROR"), ("bitstring.not_gzip", "MALFORMED_VALUE_ERROR"),
        ("json.missing", "MALFORMED_VALUE_ERROR"), ("base64url.alphabet", "MALFORMED_VALUE_ERROR"),
    ])  # fmt: skip
    def test_of_values(self, code: str, name: str) -> None:
        assert problem_type(code) == f"https://www.w3.org/TR/vc-data-model#{name}"

    @pytest.mark.parametrize("code", ["status.invalid", "status.suspended", "status.message"])
    def test_an_answer_is_no_error(self, code: str) -> None:
        assert problem_type(code) == ""
