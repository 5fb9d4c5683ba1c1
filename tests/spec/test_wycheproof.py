"""Wycheproof and CCTV for keys and bare signatures. Every case of every file runs, or is listed with its reason."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from cityid.edge.key_import import read_jwk
from cityid.edge.signers import SoftwareAgreement, load
from cityid.encoding import json
from cityid.errors import CityIdError, Malformed, Refused
from cityid.jose import jws
from cityid.keys import Algorithm, PublicKey, jwk
from cityid.keys.algorithms import ORDERS
from cityid.keys.multikey import expand
from tests import vectors

ELSEWHERE = {
    "json_web_signature_test.json": "tests/spec/test_jws.py",
    "json_web_crypto_test.json": "tests/spec/test_jws.py",
    "json_web_encryption_test.json": "tests/spec/test_jws.py: JWE is refused by kind",
}
NOT_BUILT = {
    "a128cbc_hs256_test.json": "content encryption of JWE: comes with encrypted responses",
    "a256cbc_hs512_test.json": "content encryption of JWE: comes with encrypted responses",
    "aes_gcm_test.json": "content encryption of JWE: comes with encrypted responses",
    "aes_wrap_test.json": "key wrap of JWE: comes with encrypted responses",
    "hkdf_sha256_test.json": "HKDF is cryptography's, with no code of ours around it",
    "hkdf_sha384_test.json": "HKDF is cryptography's, with no code of ours around it",
    "hmac_sha256_test.json": "no symmetric algorithm verifies anything here",
    "rsa_pss_2048_sha256_mgf1_32_test.json": "RSA is not offered",
    "rsa_signature_2048_sha256_test.json": "RSA is not offered",
}
P1363 = {
    "ecdsa_secp256r1_sha256_p1363_test.json": Algorithm.ES256,
    "ecdsa_secp384r1_sha384_p1363_test.json": Algorithm.ES384,
    "ecdsa_secp521r1_sha512_p1363_test.json": Algorithm.ES512,
    "ecdsa_secp256k1_sha256_p1363_test.json": Algorithm.ES256K,
}
DER = {
    "ecdsa_secp256r1_sha256_test.json": Algorithm.ES256,
    "ecdsa_secp384r1_sha384_test.json": Algorithm.ES384,
    "ecdsa_secp256k1_sha256_test.json": Algorithm.ES256K,
}
HERE = {
    *P1363,
    *DER,
    "ed25519_test.json",
    "x25519_test.json",
    "x25519_jwk_test.json",
    "ecdh_secp256r1_ecpoint_test.json",
    "ecdh_secp256r1_webcrypto_test.json",
    "json_web_key_test.json",
}


def cases(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    document = vectors.load(vectors.vectors("wycheproof") / name)
    found = [(group, test) for group in document["testGroups"] for test in group["tests"]]
    assert len(found) == document["numberOfTests"] > 0
    return found


def accepts(key: PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except Refused as refusal:
        if refusal.code != "signature.invalid":
            raise
        return False
    return True


def judge(name: str, outcomes: list[tuple[dict[str, Any], bool]]) -> None:
    """Valid passed, invalid failed; some of each, so that neither answer can be given blindly."""
    wrong = [
        test["tcId"]
        for test, passed in outcomes
        if test["result"] != "acceptable" and passed is not (test["result"] == "valid")
    ]
    assert not wrong, (name, wrong)
    assert len({passed for _, passed in outcomes}) == 2


def test_every_file_is_run_or_listed() -> None:
    present = {path.name for path in vectors.vectors("wycheproof").glob("*.json")}
    assert present == HERE | set(ELSEWHERE) | set(NOT_BUILT)
    assert not (HERE & set(ELSEWHERE)) | (HERE & set(NOT_BUILT))


@pytest.mark.parametrize("name", sorted(P1363))
def test_ecdsa_raw(name: str) -> None:
    outcomes = []
    for group, test in cases(name):
        key = PublicKey(P1363[name], bytes.fromhex(group["publicKey"]["uncompressed"]))
        outcomes.append((test, accepts(key, bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]))))
    judge(name, outcomes)


def raw_of(der: bytes, algorithm: Algorithm) -> bytes | None:
    """r||s of a strict DER signature whose integers fit; JOSE has no other form."""
    size = (ORDERS[algorithm].bit_length() + 7) // 8
    try:
        return b"".join(number.to_bytes(size, "big") for number in decode_dss_signature(der))
    except (ValueError, OverflowError):
        return None


@pytest.mark.parametrize("name", sorted(DER))
def test_ecdsa_der(name: str) -> None:
    outcomes = []
    for group, test in cases(name):
        key = PublicKey(DER[name], bytes.fromhex(group["publicKey"]["uncompressed"]))
        raw = raw_of(bytes.fromhex(test["sig"]), DER[name])
        outcomes.append((test, raw is not None and accepts(key, raw, bytes.fromhex(test["msg"]))))
        # the DER itself is no JOSE signature, valid or not
        assert not accepts(key, bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]))
    judge(name, outcomes)


def test_ed25519() -> None:
    outcomes = []
    for group, test in cases("ed25519_test.json"):
        key = jwk.read(group["publicKeyJwk"])
        assert key.raw.hex() == group["publicKey"]["pk"]
        outcomes.append((test, accepts(key, bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]))))
    judge("ed25519", outcomes)


def shared(algorithm: Algorithm, secret: bytes, peer: PublicKey) -> bytes:
    mine = load(algorithm, secret)
    assert isinstance(mine, SoftwareAgreement)
    return mine.shared(peer)


def agreed(secret: tuple[Algorithm, bytes], peer: PublicKey, test: dict[str, Any]) -> bool:
    """A wrong secret is a failure whatever the file says; an all-zero one is refused (K10)."""
    try:
        found = shared(*secret, peer)
    except Refused as refusal:
        if refusal.code != "key.no_secret" or set(test["shared"]) != {"0"}:
            raise
        return False
    assert found.hex() == test["shared"]
    return True


def test_x25519() -> None:
    zero = 0
    for _, test in cases("x25519_test.json"):
        peer = PublicKey(Algorithm.X25519, bytes.fromhex(test["public"]))
        passed = agreed((Algorithm.X25519, bytes.fromhex(test["private"])), peer, test)
        assert passed or "ZeroSharedSecret" in test["flags"]
        zero += not passed
    assert zero > 10


def test_x25519_jwk() -> None:
    outcomes = []
    for _, test in cases("x25519_jwk_test.json"):
        try:
            peer = jwk.read(test["public"], agreement=True)
            # a peer on another curve is for the caller to tell from the key's algorithm
            passed = peer.algorithm is Algorithm.X25519 and agreed(
                read_jwk(test["private"], agreement=True), peer, test
            )
        except Malformed as refusal:
            if refusal.code not in X25519_REFUSED:
                raise
            passed = False
        outcomes.append((test, passed))
    judge("x25519_jwk", outcomes)


X25519_REFUSED = {
    "key.length",
    "key.unsupported",
    "json.missing",
    "base64url.length",
    "base64url.alphabet",
    "key.coordinate",
    "key.halves_differ",
}


def test_ecdh_points() -> None:
    outcomes = []
    for _, test in cases("ecdh_secp256r1_ecpoint_test.json"):
        point = bytes.fromhex(test["public"])
        secret = int(test["private"], 16).to_bytes(32, "big")
        try:
            if len(point) == 33:
                point = expand(Algorithm.ECDH_P256, point, "")
            peer = PublicKey(Algorithm.ECDH_P256, point)
        except Malformed as refusal:
            if refusal.code not in {"key.length", "key.point_form", "key.not_on_curve"}:
                raise
            outcomes.append((test, False))
            continue
        outcomes.append((test, agreed((Algorithm.ECDH_P256, secret), peer, test)))
    judge("ecpoint", outcomes)


def test_ecdh_jwk() -> None:
    outcomes = []
    for _, test in cases("ecdh_secp256r1_webcrypto_test.json"):
        try:
            peer = jwk.read(test["public"], agreement=True)
            passed = agreed(read_jwk(test["private"], agreement=True), peer, test)
        except Malformed as refusal:
            if refusal.code not in {"key.coordinate", "key.not_on_curve", "key.unsupported", "json.missing"}:
                raise
            passed = False
        outcomes.append((test, passed))
    judge("webcrypto", outcomes)


NOT_OFFERED = {"HS256", "HS384", "HS512", "RS256"}
VALID_BUT_NOT_OFFERED = {2, 5, 14, 15}
"""json_web_key_test, by tcId: valid signatures with algorithms that are not offered."""


def test_json_web_keys() -> None:
    """The key decides: what the sets of this file hold is refused as a whole, passed over, or has no such name."""
    ours = 0
    refused = []
    for group, test in cases("json_web_key_test.json"):
        listed = json.read_object(json.write(group.get("public") or group["private"]))
        try:
            token = jws.read_compact(test["jws"], typ=None)
            keys = jwk.read_set(listed)
            jws.check(token, keys[str(token.header.get("kid"))])
            ours += 1
            assert test["result"] == "valid", test["tcId"]
        except (CityIdError, KeyError):
            refused.append(test)
    assert {test["tcId"] for test in refused if test["result"] == "valid"} == VALID_BUT_NOT_OFFERED
    assert ours + len(refused) == len(cases("json_web_key_test.json"))


class TestCctv:
    """C2SP/CCTV ed25519. The policy: keys are canonical points of the prime-order group, R is compared byte by byte
    (cofactorless, RFC 8032 §5.1.7 without the factor 8). Every case of the file strays from it somewhere."""

    @staticmethod
    def told(case: dict[str, Any]) -> str:
        try:
            key = PublicKey(Algorithm.EDDSA, bytes.fromhex(case["key"]))
        except Malformed as refusal:
            return refusal.code
        return "accepted" if accepts(key, bytes.fromhex(case["sig"]), case["msg"].encode()) else "signature.invalid"

    def test_policy(self) -> None:
        found = vectors.load(vectors.vectors("ed25519-edge") / "cctv-ed25519.json")
        counted: Counter[str] = Counter()
        for case in found:
            flags = set(case["flags"] or ())
            if "low_order_A" in flags:
                expected = "key.low_order"
            elif "non_canonical_A" in flags:
                expected = "key.not_canonical"
            elif "low_order_component_A" in flags:
                expected = "key.not_on_curve"
            elif flags & {"low_order_R", "low_order_component_R", "non_canonical_R", "low_order_residue"}:
                expected = "signature.invalid"
            else:
                expected = "accepted"
            assert self.told(case) == expected, case["number"]
            counted[expected] += 1
        assert counted.total() == len(found) > 0
        assert set(counted) >= {"key.low_order", "key.not_on_curve", "signature.invalid"}
        assert not counted["accepted"]
