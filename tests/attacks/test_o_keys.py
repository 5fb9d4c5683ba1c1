"""Group O, the cases that a key answers: O09, O10, O11, O12, O24."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cityid.edge.signers import load
from cityid.encoding import base64url, multibase
from cityid.errors import CityIdError
from cityid.keys import Algorithm, cose_key, jwk, multikey

P256 = jwk.write(load(Algorithm.ES256, b"\1" * 32).public_key)
P384 = jwk.write(load(Algorithm.ES384, b"\1" * 48).public_key)
ED25519 = jwk.write(load(Algorithm.EDDSA, b"\1" * 32).public_key)
X25519 = jwk.write(load(Algorithm.X25519, b"\1" * 32).public_key)


def code(call: Callable[..., Any], *args: Any, **named: Any) -> str:
    with pytest.raises(CityIdError) as refusal:
        call(*args, **named)
    return refusal.value.code


@pytest.mark.parametrize(
    ("key", "right", "wrong"),
    [
        (P256, "ES256", ["ES384", "ES256K", "HS256", "none", "", "es256", "EdDSA", "ECDH-ES"]),
        (P384, "ES384", ["ES256"]),
        (ED25519, "EdDSA", ["ES256", "Ed448", "eddsa"]),
    ],
)
def test_o09_key_names_another_algorithm(key: dict[str, str], right: str, wrong: list[str]) -> None:
    jwk.read(key | {"alg": right})
    for alg in wrong:
        assert code(jwk.read, key | {"alg": alg}) == "key.algorithm_mismatch"


def test_o09_eddsa_means_ed25519() -> None:
    assert code(jwk.read, X25519) == "key.unsupported"
    assert code(jwk.read, {"kty": "OKP", "crv": "Ed448", "x": base64url.encode(bytes(57))}) == "key.unsupported"
    assert code(jwk.read, P256 | {"crv": "secp256k1"}) == "key.not_on_curve"
    assert code(jwk.read, P256 | {"crv": "P-384"}) == "key.coordinate"
    assert code(jwk.read, ED25519 | {"kty": "EC"}) == "key.unsupported"


def test_o10_use() -> None:
    jwk.read(P256 | {"use": "sig", "key_ops": ["verify"]})
    assert code(jwk.read, P256 | {"use": "enc"}) == "key.use"
    assert code(jwk.read, P256 | {"use": ""}) == "key.use"
    for operations in (["encrypt"], ["sign"], ["wrapKey", "verify"]):
        assert code(jwk.read, P256 | {"key_ops": operations}) == "key.operations"


def test_o11_sets() -> None:
    named = [P256 | {"kid": "a"}, ED25519 | {"kid": "b"}]
    assert set(jwk.read_set({"keys": named})) == {"a", "b"}
    assert code(jwk.read_set, {"keys": [*named, P384 | {"kid": "a"}]}) == "key.duplicate_kid"
    assert code(jwk.read_set, {"keys": [*named, {"kty": "oct", "kid": "a", "k": "AA"}]}) == "key.duplicate_kid"
    assert code(jwk.read_set, {"keys": [P256] * 50}) == "key.no_kid"
    assert set(jwk.read_set({"keys": [*named, {"kty": "oct", "kid": "c", "k": "AA"}]})) == {"a", "b"}
    assert len(jwk.read_set({"keys": [P256 | {"kid": str(number)} for number in range(100)]})) == 100
    for many in (101, 100_000):
        assert code(jwk.read_set, {"keys": [P256] * many}) == "key.set_too_large"


@pytest.mark.parametrize("kid", ["../../etc/passwd", "' OR 1=1--", "x" * 1_000_000, "\0", "https://evil.example/"])
def test_o12_kid_is_only_a_name(kid: str) -> None:
    found = jwk.read_set({"keys": [P256 | {"kid": kid}]})
    assert found[kid] == jwk.read(P256)
    assert kid + "x" not in found
    with pytest.raises(CityIdError) as refusal:
        jwk.read_set({"keys": [P256 | {"kid": kid}] * 2})
    assert all(len(str(fact)) <= 500 and "\0" not in str(fact) for fact in refusal.value.problem.facts.values())


@pytest.mark.parametrize("kid", [1, None, ["a"], {}])
def test_o12_kid_is_text(kid: Any) -> None:
    assert code(jwk.read, P256 | {"kid": kid}) == "json.wrong_type"
    # In a set it is a broken key, which is nobody's (RFC 7517 §5), and takes no other with it.
    assert jwk.read_set({"keys": [P256 | {"kid": kid}, ED25519 | {"kid": "1"}]}) == {"1": jwk.read(ED25519)}


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"])
@pytest.mark.parametrize("key", [P256, ED25519, X25519, {"kty": "RSA", "n": "AQAB", "e": "AQAB"}])
@pytest.mark.parametrize("value", ["c2VjcmV0LWNhbmFyeQ", "", None, 7])
def test_o24_private_member(key: dict[str, str], member: str, value: Any) -> None:
    with pytest.raises(CityIdError) as refusal:
        jwk.read(key | {member: value}, "$.cnf.jwk", agreement=None)
    problem = refusal.value.problem
    assert (problem.code, problem.where, dict(problem.facts)) == ("key.private", "$.cnf.jwk", {"member": member})
    assert "c2VjcmV0" not in repr(problem)
    assert code(jwk.read_set, {"keys": [key | {member: value, "kid": "1"}]}) == "key.private"


def test_o24_elsewhere() -> None:
    good: dict[int, Any] = dict(cose_key.write(jwk.read(P256)))
    cose_key.read(good)
    assert code(cose_key.read, good | {-4: b"secret"}) == "key.private"
    secret = multibase.encode(b"\x80\x26" + bytes(32))
    assert code(multikey.read, secret) == "key.private"
