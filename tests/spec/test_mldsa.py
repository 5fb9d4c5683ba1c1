"""ML-DSA for JOSE and COSE (RFC 9964), read in its late draft; FIPS 204."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import mldsa

from cityid.edge.key_import import read_jwk
from cityid.edge.signers import SoftwareSigner, load
from cityid.encoding import base64url
from cityid.errors import Malformed, Refused
from cityid.jose import jws
from cityid.keys import Algorithm, PublicKey, cose_key, jwk, multikey

SIZES = {Algorithm.ML_DSA_44: (1312, 2420), Algorithm.ML_DSA_65: (1952, 3309)}
both = pytest.mark.parametrize("algorithm", list(SIZES))


def signer(algorithm: Algorithm, seed: bytes = bytes(32)) -> SoftwareSigner:
    made = load(algorithm, seed)
    assert isinstance(made, SoftwareSigner)
    return made


def private(algorithm: Algorithm, **changes: Any) -> dict[str, Any]:
    return jwk.write(signer(algorithm).public_key) | {"priv": base64url.encode(bytes(32))} | changes


def refused(key: dict[str, Any]) -> str:
    with pytest.raises(Malformed) as refusal:
        jwk.read(key)
    return refusal.value.code


def import_refused(key: dict[str, Any]) -> str:
    with pytest.raises(Malformed) as refusal:
        read_jwk(key)
    return refusal.value.code


@pytest.mark.spec("RFC 9964 §2")
class TestAlgorithms:
    @both
    def test_sizes(self, algorithm: Algorithm) -> None:
        public, signature = SIZES[algorithm]
        assert len(signer(algorithm).public_key.raw) == public
        assert len(signer(algorithm).sign(b"message")) == signature

    @both
    def test_pure_with_empty_context(self, algorithm: Algorithm) -> None:
        """What another implementation signs without context verifies; with a context, or hashed first, it does not."""
        kind = mldsa.MLDSA44PrivateKey if algorithm is Algorithm.ML_DSA_44 else mldsa.MLDSA65PrivateKey
        other = kind.from_seed_bytes(bytes(32))
        key = signer(algorithm).public_key
        key.verify(other.sign(b"message"), b"message")
        for signature in (other.sign(b"message", b"ctx"), other.sign(hashlib.sha256(b"message").digest())):
            with pytest.raises(Refused, match=r"signature\.invalid"):
                key.verify(signature, b"message")

    @both
    @pytest.mark.parametrize("cut", [slice(0, -1), slice(1, None), slice(0, 0)])
    def test_signature_length(self, algorithm: Algorithm, cut: slice) -> None:
        made = signer(algorithm)
        signature = made.sign(b"message")
        made.public_key.verify(signature, b"message")
        with pytest.raises(Refused, match=r"signature\.invalid"):
            made.public_key.verify(signature[cut], b"message")
        with pytest.raises(Refused, match=r"signature\.invalid"):
            made.public_key.verify(signature + b"\0", b"message")

    def test_signing_is_hedged(self) -> None:
        made = signer(Algorithm.ML_DSA_44)
        assert made.sign(b"message") != made.sign(b"message")


@pytest.mark.spec("RFC 9964 §3")
class TestAlgorithmKeyPair:
    def test_seed_of_zeros(self) -> None:
        """The example of the text: seed all zero, kid = thumbprint."""
        assert signer(Algorithm.ML_DSA_44).public_key.thumbprint == "T4xl70S7MT6Zeq6r9V9fPJGVn76wfnXJ21-gyo0Gu6o"

    @both
    def test_round_trip(self, algorithm: Algorithm) -> None:
        key = signer(algorithm).public_key
        written = jwk.write(key)
        assert set(written) == {"kty", "alg", "pub"}
        assert written["kty"] == "AKP"
        assert jwk.read(written) == key
        assert multikey.read(multikey.write(key)) == key
        assert cose_key.read(cose_key.write(key)) == key

    @both
    def test_thumbprint_counts_the_algorithm(self, algorithm: Algorithm) -> None:
        key = signer(algorithm).public_key
        pub = base64url.encode(key.raw)
        with_alg = f'{{"alg":"{algorithm.value}","kty":"AKP","pub":"{pub}"}}'.encode()
        without = f'{{"kty":"AKP","pub":"{pub}"}}'.encode()
        assert key.thumbprint == base64url.encode(hashlib.sha256(with_alg).digest())
        assert key.thumbprint != base64url.encode(hashlib.sha256(without).digest())

    def test_refused(self) -> None:
        good = jwk.write(signer(Algorithm.ML_DSA_44).public_key)
        pub = base64url.decode(good["pub"])
        jwk.read(good)
        assert refused({name: good[name] for name in ("kty", "pub")}) == "json.missing"
        assert refused(good | {"alg": "ML-DSA-65"}) == "key.length"
        assert refused(good | {"alg": "ML-DSA-87"}) == "key.unsupported"
        assert refused(good | {"alg": "ES256"}) == "key.unsupported"
        assert refused(good | {"pub": base64url.encode(pub[:-1])}) == "key.length"
        assert refused(good | {"pub": base64url.encode(pub + b"\0")}) == "key.length"
        assert refused(good | {"priv": base64url.encode(bytes(32))}) == "key.private"
        with pytest.raises(Malformed, match=r"key\.unsupported"):
            jwk.read(good, agreement=True)

    def test_private(self) -> None:
        assert read_jwk(private(Algorithm.ML_DSA_44)) == (Algorithm.ML_DSA_44, bytes(32))
        for length in (31, 33, 2560):
            changed = private(Algorithm.ML_DSA_44, priv=base64url.encode(bytes(length)))
            assert import_refused(changed) == "key.secret_length"
        other = base64url.encode(b"\1" + bytes(31))
        assert import_refused(private(Algorithm.ML_DSA_44, priv=other)) == "key.halves_differ"

    @both
    def test_header_must_agree(self, algorithm: Algorithm) -> None:
        token = jws.sign({}, b"{}", signer(algorithm))
        jws.check(jws.read_compact(token, typ=None), signer(algorithm).public_key)
        es256 = load(Algorithm.ES256, b"\1" * 32).public_key
        with pytest.raises(Refused):
            jws.check(jws.read_compact(token, typ=None), es256)


class TestMultikey:
    """Our extension: the codes of the multicodec table."""

    @pytest.mark.parametrize(("code", "size"), [("9024", 1312), ("9124", 1952)])
    def test_codes(self, code: str, size: int) -> None:
        key = signer(next(name for name, sizes in SIZES.items() if sizes[0] == size)).public_key
        import base58

        assert base58.b58decode(multikey.write(key)[1:]) == bytes.fromhex(code) + key.raw

    @pytest.mark.parametrize("code", ["9a26", "9b26", "9c26", "9726", "9826", "9926"])
    def test_secrets(self, code: str) -> None:
        import base58

        with pytest.raises(Malformed, match=r"key\.private"):
            multikey.read("z" + base58.b58encode(bytes.fromhex(code) + bytes(32)).decode())

    def test_ml_dsa_87(self) -> None:
        import base58

        with pytest.raises(Malformed, match=r"multibase\.too_long"):
            multikey.read("z" + base58.b58encode(b"\x92\x24" + bytes(2592)).decode())
        with pytest.raises(Malformed, match=r"key\.unsupported"):
            multikey.read("z" + base58.b58encode(b"\x92\x24" + bytes(32)).decode())


class TestCose:
    def test_labels(self) -> None:
        key = signer(Algorithm.ML_DSA_65).public_key
        assert cose_key.write(key) == {1: 7, 3: -49, -1: key.raw}
        encoded = b"\xa3\x01\x07\x03\x38\x30\x20\x59" + (1952).to_bytes(2, "big") + key.raw
        assert cose_key.thumbprint(key) == hashlib.sha256(encoded).digest()

    def test_refused(self) -> None:
        good: dict[int, Any] = dict(cose_key.write(signer(Algorithm.ML_DSA_44).public_key))
        for change, code in (
            ({3: -50}, "key.unsupported"),
            ({3: -49}, "key.length"),
            ({-2: bytes(32)}, "key.private"),
            ({-1: "text"}, "key.cose_member"),
        ):
            with pytest.raises(Malformed) as refusal:
                cose_key.read(good | change)
            assert refusal.value.code == code


def test_jwk_public_key_is_plain_base64url() -> None:
    key = signer(Algorithm.ML_DSA_44).public_key
    assert base64.urlsafe_b64decode(jwk.write(key)["pub"] + "==") == key.raw
    assert PublicKey(Algorithm.ML_DSA_44, key.raw) == key
