"""Private keys from elsewhere: one key, whole, whose halves belong together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa, x25519

from cityid.edge.key_import import read_jwk, read_pem
from cityid.edge.signers import load
from cityid.encoding import base64url
from cityid.errors import CityIdError, Malformed
from cityid.keys import Algorithm, jwk

P256 = ec.derive_private_key(7, ec.SECP256R1())


def code(call: Callable[..., Any], *args: Any, **named: Any) -> str:
    with pytest.raises(CityIdError) as refusal:
        call(*args, **named)
    return refusal.value.code


def pem(key: Any, form: s.PrivateFormat = s.PrivateFormat.PKCS8, passphrase: bytes | None = None) -> bytes:
    encryption = s.BestAvailableEncryption(passphrase) if passphrase else s.NoEncryption()
    data: bytes = key.private_bytes(s.Encoding.PEM, form, encryption)
    return data


def private(algorithm: Algorithm, **changes: Any) -> dict[str, Any]:
    size = {Algorithm.ES384: 48, Algorithm.ES512: 66}.get(algorithm, 32)
    member = "priv" if algorithm.value.startswith("ML") else "d"
    return {**jwk.write(load(algorithm, b"\1" * size).public_key), member: base64url.encode(b"\1" * size)} | changes


class TestJwk:
    @pytest.mark.parametrize("algorithm", [name for name in Algorithm if name is not Algorithm.BBS])
    def test_reads(self, algorithm: Algorithm) -> None:
        found, secret = read_jwk(private(algorithm), agreement=not algorithm.signs)
        assert (found, set(secret)) == (algorithm, {1})

    def test_refused(self) -> None:
        assert read_jwk(private(Algorithm.ES256, use="sig", key_ops=["sign"]))
        assert read_jwk(private(Algorithm.ES256, key_ops=["sign", "verify"]))
        other = jwk.write(load(Algorithm.ES256, b"\2" * 32).public_key)
        for changes, expected in (
            ({"d": base64url.encode(b"\1" * 31)}, "key.secret_length"),
            ({"d": base64url.encode(bytes(32))}, "key.secret_range"),
            ({"d": base64url.encode(b"\xff" * 32)}, "key.secret_range"),
            ({"d": 1}, "json.wrong_type"),
            ({"use": "enc"}, "key.use"),
            ({"key_ops": ["verify"]}, "key.operations"),
            (other, "key.halves_differ"),
        ):
            assert code(read_jwk, private(Algorithm.ES256, **changes)) == expected
        assert code(read_jwk, jwk.write(load(Algorithm.ES256, b"\1" * 32).public_key)) == "json.missing"
        with pytest.raises(Malformed) as short:
            read_jwk(private(Algorithm.ES256, d=base64url.encode(b"\1" * 31)), "$.key")
        assert short.value.problem.where == "$.key"


class TestPem:
    @pytest.mark.parametrize(
        ("key", "algorithm"),
        [
            (P256, Algorithm.ES256),
            (ec.derive_private_key(7, ec.SECP384R1()), Algorithm.ES384),
            (ec.derive_private_key(7, ec.SECP256K1()), Algorithm.ES256K),
            (ed25519.Ed25519PrivateKey.from_private_bytes(b"\7" * 32), Algorithm.EDDSA),
            (mldsa.MLDSA44PrivateKey.from_seed_bytes(b"\7" * 32), Algorithm.ML_DSA_44),
            (mldsa.MLDSA65PrivateKey.from_seed_bytes(b"\7" * 32), Algorithm.ML_DSA_65),
        ],
    )
    def test_reads(self, key: Any, algorithm: Algorithm) -> None:
        found, secret = read_pem(pem(key))
        public = load(found, secret).public_key
        assert found is algorithm
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            assert public.raw == key.public_key().public_bytes_raw()
            assert code(read_pem, pem(key), agreement=True) == "key.unsupported"
        else:
            assert int.from_bytes(secret, "big") == 7

    def test_forms(self) -> None:
        same = read_pem(pem(P256))
        assert read_pem(pem(P256, s.PrivateFormat.TraditionalOpenSSL)) == same
        assert read_pem(b"\n" + pem(P256).replace(b"\n", b"\r\n") + b"\n\n") == same
        assert read_pem(pem(P256), agreement=True) == (Algorithm.ECDH_P256, same[1])
        x = x25519.X25519PrivateKey.from_private_bytes(b"\7" * 32)
        assert read_pem(pem(x), agreement=True) == (Algorithm.X25519, b"\7" * 32)
        assert code(read_pem, pem(x)) == "key.unsupported"
        assert read_pem(pem(ec.derive_private_key(7, ec.SECP521R1()))) == (Algorithm.ES512, bytes(65) + b"\7")
        p384 = pem(ec.derive_private_key(7, ec.SECP384R1()))
        assert code(read_pem, p384, agreement=True) == "key.unsupported"

    def test_not_offered(self) -> None:
        for key in (
            rsa.generate_private_key(public_exponent=65537, key_size=2048),
            ec.derive_private_key(7, ec.BrainpoolP256R1()),
            ed448.Ed448PrivateKey.from_private_bytes(b"\7" * 57),
            mldsa.MLDSA87PrivateKey.from_seed_bytes(b"\7" * 32),
        ):
            assert code(read_pem, pem(key)) == "key.unsupported"

    def test_passphrase(self) -> None:
        locked = pem(P256, passphrase=b"secret")
        old = pem(P256, s.PrivateFormat.TraditionalOpenSSL, b"secret")
        for data in (locked, old):
            assert read_pem(data, b"secret") == read_pem(pem(P256), b"not needed")
            assert code(read_pem, data) == code(read_pem, data, b"") == "passphrase.needed"
            assert code(read_pem, data, b"another") == "passphrase.wrong"
