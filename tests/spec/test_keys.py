"""Keys: RFC 7517, 7518, 7638, 8037, 8812, 9864 (JWK), RFC 9052/9053, 9679 (COSE_Key), Multikey, RFC 7748, RFC 6979."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any

import base58
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jwcrypto.jwk import JWK  # an oracle

from cityid.edge.key_import import read_jwk
from cityid.edge.sessions_store import _derive
from cityid.edge.signers import SoftwareAgreement, SoftwareSigner, load
from cityid.edge.software_keys import MemoryKeyring
from cityid.encoding import base64url, multibase
from cityid.errors import Malformed, Misuse, Refused
from cityid.keys import Algorithm, KeyAgreement, Keyring, PublicKey, Signer, cose_key, jwk, multikey
from cityid.keys.algorithms import ORDERS, RAW_LENGTH
from cityid.sessions import Kind
from tests import vectors

SIGNING = [algorithm for algorithm in Algorithm if algorithm.signs]
AGREEING = [algorithm for algorithm in Algorithm if algorithm.agrees]
CURVES = [Algorithm.ES256, Algorithm.ES384, Algorithm.ES512, Algorithm.ES256K]
SIZES = {Algorithm.ES384: 48, Algorithm.ES512: 66}
ED25519 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


def key_of(algorithm: Algorithm) -> PublicKey:
    return load(algorithm, b"\1" * SIZES.get(algorithm, 32)).public_key


def code(call: Any, *args: Any, **named: Any) -> str:
    with pytest.raises((Malformed, Refused, Misuse)) as refusal:
        call(*args, **named)
    return refusal.value.code


def refused(key: dict[str, Any], **changes: Any) -> str:
    return code(jwk.read, key | changes)


class TestAlgorithm:
    def test_who_signs(self) -> None:
        assert set(AGREEING) == {Algorithm.X25519, Algorithm.ECDH_P256}

    @pytest.mark.parametrize("algorithm", AGREEING)
    def test_agreement_keys_verify_nothing(self, algorithm: Algorithm) -> None:
        assert code(key_of(algorithm).verify, bytes(64), b"") == "keys.wrong_kind"

    @pytest.mark.parametrize("algorithm", SIGNING)
    def test_signatures(self, algorithm: Algorithm) -> None:
        keyring = MemoryKeyring()
        signer = keyring.signer(keyring.create(algorithm))
        signature = signer.sign(b"message")
        signer.public_key.verify(signature, b"message")
        assert code(signer.public_key.verify, signature, b"massage") == "signature.invalid"
        assert code(signer.public_key.verify, signature + b"\0", b"message") == "signature.invalid"
        assert code(signer.public_key.verify, signature[:-1], b"message") == "signature.invalid"
        other = keyring.create(algorithm)
        assert code(other.verify, signature, b"message") == "signature.invalid"

    @pytest.mark.parametrize("algorithm", CURVES)
    def test_short_integers(self, algorithm: Algorithm) -> None:
        """r or s with leading zero bytes takes the slow way to DER; some thousand signatures have each shape."""
        signer = load(algorithm, b"\1" * SIZES.get(algorithm, 32))
        assert isinstance(signer, SoftwareSigner)
        half = RAW_LENGTH[algorithm] // 2
        shapes = set()
        for number in range(600 if algorithm is Algorithm.ES256 else 300):
            message = number.to_bytes(2, "big")
            signature = signer.sign(message)
            assert len(signature) == 2 * half
            signer.public_key.verify(signature, message)
            shapes.add(tuple(0 if not part else 1 if part < 0x80 else 2 for part in (signature[0], signature[half])))
        # The first of the 66 bytes of P-521 has one bit.
        assert {(0, 0), (0, 1), (1, 0), (1, 1)} <= shapes or {(1, 1), (1, 2), (2, 1), (2, 2)} <= shapes
        if algorithm in (Algorithm.ES256, Algorithm.ES512):
            assert any(0 in shape for shape in shapes)

    @pytest.mark.parametrize("algorithm", CURVES)
    def test_integers_out_of_range(self, algorithm: Algorithm) -> None:
        """r and s are 1 to n-1 (SEC 1 §4.1.4), whatever the rest says."""
        half = RAW_LENGTH[algorithm] // 2
        signer = load(algorithm, b"\1" * half)
        assert isinstance(signer, SoftwareSigner)
        signature = signer.sign(b"m")
        signer.public_key.verify(signature, b"m")
        r, s = signature[:half], signature[half:]
        order, zero, most = ORDERS[algorithm].to_bytes(half, "big"), bytes(half), b"\xff" * half
        for bad in (zero, order, most):
            assert code(signer.public_key.verify, bad + s, b"m") == "signature.invalid"
            assert code(signer.public_key.verify, r + bad, b"m") == "signature.invalid"
        assert code(signer.public_key.verify, zero + zero, b"m") == "signature.invalid"
        for long in (r + b"\0" + s, b"\0" + r + b"\0" + s, b"\0" + r + s):
            assert code(signer.public_key.verify, long, b"m") == "signature.invalid"

    def test_ed25519_ends_where_the_message_begins(self) -> None:
        signer = load(Algorithm.EDDSA, bytes(32))
        assert isinstance(signer, SoftwareSigner)
        signature = signer.sign(b"message")
        signer.public_key.verify(signature, b"message")
        assert code(signer.public_key.verify, signature + b"m", b"essage") == "signature.invalid"
        assert code(signer.public_key.verify, signature[:-1], signature[-1:] + b"message") == "signature.invalid"

    def test_equal_keys_are_equal_values(self) -> None:
        first, second = key_of(Algorithm.ES256), jwk.read(jwk.write(key_of(Algorithm.ES256)))
        assert first == second
        assert len({first, second}) == 1

    def test_lengths_are_facts(self) -> None:
        with pytest.raises(Malformed) as refusal:
            PublicKey(Algorithm.EDDSA, bytes(31))
        assert dict(refusal.value.problem.facts) == {"algorithm": "EdDSA", "expected": 32, "length": 31}


@pytest.mark.spec("RFC 6979 §A.2.5")
class TestDeterministicEcdsa:
    def test_p256_sample(self) -> None:
        secret = bytes.fromhex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
        signer = load(Algorithm.ES256, secret)
        assert isinstance(signer, SoftwareSigner)
        assert signer.sign(b"sample").hex().upper() == (
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
            "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
        )


def hkdf(key: bytes, salt: bytes, info: bytes, length: int) -> tuple[bytes, bytes]:
    """RFC 5869 §2, word for word, with SHA-256: PRK and OKM."""
    prk = hmac.digest(salt or bytes(32), key, "sha256")
    done, block = b"", b""
    for count in range(1, -(-length // 32) + 1):
        block = hmac.digest(prk, block + info + bytes([count]), "sha256")
        done += block
    return prk, done[:length]


@pytest.mark.spec("RFC 5869")
class TestHkdf:
    """What seals an open session is derived with HKDF; `cryptography` does it."""

    def test_official(self) -> None:
        text = (vectors.vectors("rfc-keys") / "rfc-5869-HKDF-SHA256.txt").read_text()
        cases = [
            dict(re.findall(r"^(\w+)[ ]*=[ ]*(\S*)[ ]*$", part, re.MULTILINE)) for part in text.split("COUNT =")[1:]
        ]
        ran = 0
        for case in cases:
            assert case["Hash"] == "SHA-256"
            key, salt, info = (bytes.fromhex(case[name]) for name in ("IKM", "salt", "info"))
            wanted = bytes.fromhex(case["PRK"]), bytes.fromhex(case["OKM"])
            assert hkdf(key, salt, info, int(case["L"])) == wanted
            assert HKDF(SHA256(), int(case["L"]), salt or None, info).derive(key) == wanted[1]
            ran += 1
        assert ran == len(cases) == text.count("OKM") > 0

    def test_of_a_session(self) -> None:
        key = bytes(range(32))
        assert b"".join(_derive(key, Kind.OFFER)) == hkdf(key, b"", b"cityid offer", 64)[1]

    def test_every_file_is_run(self) -> None:
        names = {path.name for path in vectors.vectors("rfc-keys").glob("*.txt")}
        assert names == {"rfc7748.txt", "rfc-5869-HKDF-SHA256.txt"}


@pytest.mark.spec("RFC 7748")
class TestX25519:
    def test_official(self) -> None:
        text = (vectors.vectors("rfc-keys") / "rfc7748.txt").read_text()
        records: list[dict[str, str]] = [{}]
        for line in text.splitlines():
            if "=" in line and not line.startswith("#"):
                name, value = (part.strip() for part in line.split("=", 1))
                if name in records[-1]:
                    records.append({})
                records[-1][name] = value
        records = [record for record in records if record]
        ran = 0
        for record in records:
            fields = {name.lower(): bytes.fromhex(value) for name, value in record.items() if name.lower() != "count"}
            mine, peer, expected = self.parts(fields)
            key = load(Algorithm.X25519, mine)
            assert isinstance(key, SoftwareAgreement)
            assert key.shared(PublicKey(Algorithm.X25519, peer)) == expected
            ran += 1
        assert ran == len(records) > 0

    @staticmethod
    def parts(fields: dict[str, bytes]) -> tuple[bytes, bytes, bytes]:
        values = list(fields.values())
        assert len(values) == 3, fields.keys()
        return values[0], values[1], values[2]

    @pytest.mark.parametrize("algorithm", AGREEING)
    def test_both_sides_agree(self, algorithm: Algorithm) -> None:
        keyring = MemoryKeyring()
        one, two = (keyring.agreement(keyring.create(algorithm)) for _ in range(2))
        assert one.shared(two.public_key) == two.shared(one.public_key)
        assert isinstance(one, KeyAgreement)

    def test_kinds_do_not_mix(self) -> None:
        keyring = MemoryKeyring()
        mine = keyring.agreement(keyring.create(Algorithm.X25519))
        assert code(mine.shared, keyring.create(Algorithm.ECDH_P256)) == "keys.wrong_kind"
        assert code(keyring.agreement, keyring.create(Algorithm.ES256)) == "keys.wrong_kind"
        assert code(keyring.signer, mine.public_key) == "keys.wrong_kind"
        assert isinstance(keyring, Keyring)
        assert isinstance(keyring.signer(keyring.create(Algorithm.ES256)), Signer)


@pytest.mark.spec("RFC 7517, 7518 §6.2, 8037, 8812")
class TestJwk:
    @pytest.mark.parametrize("algorithm", SIGNING)
    def test_round_trip(self, algorithm: Algorithm) -> None:
        key = key_of(algorithm)
        assert jwk.read(jwk.write(key)) == key
        for name in jwk.names(key):
            full = jwk.write(key) | {"alg": name, "use": "sig", "key_ops": ["verify"], "kid": "1"}
            assert jwk.read(full) == key

    @pytest.mark.parametrize("algorithm", AGREEING)
    def test_agreement(self, algorithm: Algorithm) -> None:
        key = key_of(algorithm)
        fine: tuple[dict[str, Any], ...] = (
            {},
            {"use": "enc"},
            {"key_ops": []},
            {"key_ops": ["deriveBits"]},
            {"alg": "ECDH-ES"},
        )
        for extra in fine:
            assert jwk.read(jwk.write(key) | extra, agreement=True) == key
        assert jwk.read(jwk.write(key) | {"use": "enc"}, agreement=None) == key
        assert refused(jwk.write(key), use="enc") == "key.use"
        for change, expected in (
            ({"use": "sig"}, "key.use"),
            ({"key_ops": ["verify"]}, "key.operations"),
            ({"alg": "ES256"}, "key.algorithm_mismatch"),
        ):
            assert code(jwk.read, jwk.write(key) | change, agreement=True) == expected

    def test_either(self) -> None:
        assert jwk.read(jwk.write(key_of(Algorithm.X25519)), agreement=None) == key_of(Algorithm.X25519)
        assert jwk.read(jwk.write(key_of(Algorithm.ES256)), agreement=None) == key_of(Algorithm.ES256)
        assert jwk.read(ED25519, agreement=None) == jwk.read(ED25519)
        assert refused(jwk.write(key_of(Algorithm.X25519))) == "key.unsupported"

    def test_rfc7517_a1(self) -> None:
        """The first key of RFC 7517 §A.1, for signatures with its use changed from enc."""
        key = {
            "kty": "EC",
            "crv": "P-256",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        }
        assert jwk.read(key).algorithm is Algorithm.ES256
        assert jwk.write(jwk.read(key)) == key
        assert refused(key, use="enc") == "key.use"

    @pytest.mark.parametrize("algorithm", CURVES)
    def test_coordinates(self, algorithm: Algorithm) -> None:
        good = jwk.write(key_of(algorithm))
        for member in ("x", "y"):
            raw = base64url.decode(good[member])
            for changed in (raw[1:], b"\0" + raw, b""):
                assert refused(good, **{member: base64url.encode(changed)}) == "key.coordinate"
            assert refused({name: value for name, value in good.items() if name != member}) == "json.missing"
            assert refused(good, **{member: 1}) == "json.wrong_type"
        flipped = bytearray(base64url.decode(good["y"]))
        flipped[-1] ^= 1
        assert refused(good, y=base64url.encode(bytes(flipped))) == "key.not_on_curve"

    def test_coordinates_are_below_the_field(self) -> None:
        """The same point modulo p is another key to whoever compares bytes (SEC 1 §2.3.4)."""
        field = 2**256 - 2**224 + 2**192 + 2**96 - 1

        def point(x: int, y: int) -> dict[str, str]:
            coordinates = {"x": x, "y": y}
            return {"kty": "EC", "crv": "P-256"} | {
                name: base64url.encode(value.to_bytes(32, "big")) for name, value in coordinates.items()
            }

        root_of_b = 0x66485C780E2F83D72433BD5D84A06BB6541C2AF31DAE871728BF856A174F93F4
        with_y_5 = 0xD7325D7646CD60D80A92738CEB345F844CFFAF35841022CAB176F692DE8DE1D7
        for x, y in ((0, root_of_b), (with_y_5, 5)):
            assert jwk.write(jwk.read(point(x, y))) == point(x, y)
        for x, y in ((field, root_of_b), (with_y_5, field + 5)):
            with pytest.raises(Malformed) as no:
                jwk.read(point(x, y))
            assert no.value.code == "key.not_on_curve"

    def test_not_offered(self) -> None:
        for key in (
            {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
            {"kty": "OKP", "crv": "Ed448", "x": "AA"},
            {"kty": "EC", "crv": "brainpoolP256r1", "x": "AA", "y": "AA"},
            {"kty": "oct"},
        ):
            assert refused(key) == "key.unsupported"

    def test_where(self) -> None:
        with pytest.raises(Malformed) as refusal:
            jwk.read(ED25519 | {"x": base64url.encode(bytes(31))}, "$.cnf.jwk")
        assert refusal.value.problem.where == "$.cnf.jwk"

    @pytest.mark.parametrize(
        "operations", [["sign"], ["encrypt"], ["sign", "verify"], ["verify", "verify"], [], ["verify", "deriveKey"]]
    )
    def test_operations(self, operations: list[str]) -> None:
        jwk.read(ED25519 | {"key_ops": ["verify"]})
        assert refused(ED25519, key_ops=operations) == "key.operations"

    def test_cookbook(self) -> None:
        """RFC 7520 §3: a key on P-521, and what is no public key, each of which says why."""
        folder = vectors.vectors("jose") / "cookbook" / "jwk"
        expected = {
            "3_2.ec_private_key.json": "key.private",
            "3_5.symmetric_key_mac_computation.json": "key.private",
            "3_6.symmetric_key_encryption.json": "key.private",
        }
        assert {path.name for path in folder.glob("*.json")} == {*expected, "3_1.ec_public_key.json"}
        shown = vectors.load(folder / "3_1.ec_public_key.json")
        assert jwk.write(jwk.read(shown)) == {name: shown[name] for name in ("kty", "crv", "x", "y")}
        for name, told in expected.items():
            assert code(jwk.read, vectors.load(folder / name)) == told

    def test_cookbook_curve25519(self) -> None:
        folder = vectors.vectors("jose") / "cookbook" / "curve25519"
        signing = vectors.load(folder / "jws.json")["input"]["key"]
        algorithm, secret = read_jwk(signing)
        assert load(algorithm, secret).public_key == jwk.read({name: signing[name] for name in ("kty", "crv", "x")})
        exchange = vectors.load(folder / "ecdh-es.json")
        bob = load(*read_jwk(exchange["input"]["key"], agreement=True))
        # The cookbook's own epk has halves that do not belong together; the x it sent is the right one.
        printed, sent = exchange["encrypting_key"]["epk"], exchange["encrypting_content"]["protected"]["epk"]
        assert code(read_jwk, printed, agreement=True) == "key.halves_differ"
        ephemeral = load(*read_jwk(printed | sent, agreement=True))
        assert isinstance(bob, SoftwareAgreement)
        assert isinstance(ephemeral, SoftwareAgreement)
        assert bob.shared(ephemeral.public_key) == ephemeral.shared(bob.public_key)
        assert {path.name for path in folder.glob("*.json")} == {"jws.json", "ecdh-es.json"}


@pytest.mark.spec("RFC 7638")
class TestThumbprint:
    def test_rfc8037_a3(self) -> None:
        assert jwk.thumbprint(jwk.read(ED25519)) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

    @pytest.mark.parametrize("algorithm", [*AGREEING, *(name for name in SIGNING if not name.value.startswith("ML"))])
    def test_another_implementation(self, algorithm: Algorithm) -> None:
        key = key_of(algorithm)
        assert key.thumbprint == JWK(**jwk.write(key)).thumbprint()

    def test_other_members_do_not_count(self) -> None:
        full = ED25519 | {"kid": "1", "use": "sig", "alg": "EdDSA"}
        assert jwk.read(full).thumbprint == jwk.read(ED25519).thumbprint


@pytest.mark.spec("RFC 9864")
class TestFullySpecified:
    def test_ed25519_has_two_names(self) -> None:
        key = jwk.read(ED25519)
        assert jwk.names(key) == ("EdDSA", "Ed25519")
        assert jwk.name(key) == "EdDSA"
        assert jwk.read(ED25519 | {"alg": "Ed25519"}) == jwk.read(ED25519 | {"alg": "EdDSA"}) == key
        assert refused(ED25519, alg="Ed448") == "key.algorithm_mismatch"

    def test_others_have_one(self) -> None:
        for algorithm in set(SIGNING) - {Algorithm.EDDSA}:
            assert jwk.names(key_of(algorithm)) == (algorithm.value,) == (jwk.name(key_of(algorithm)),)
        assert jwk.names(key_of(Algorithm.X25519)) == ()

    def test_cose(self) -> None:
        key = jwk.read(ED25519)
        for alg in (-8, -19):
            assert cose_key.read({**cose_key.write(key), 3: alg}) == key


@pytest.mark.spec("RFC 7517 §5")
class TestJwkSet:
    def test_by_kid(self) -> None:
        found = jwk.read_set({"keys": [jwk.write(key_of(name)) | {"kid": name.value} for name in CURVES]})
        assert dict(found) == {name.value: key_of(name) for name in CURVES}

    def test_passed_over(self) -> None:
        others = [
            {"kty": "oct", "kid": "a", "k": "AA"},
            {"kty": "RSA", "kid": "b", "n": "AQAB", "e": "AQAB"},
            jwk.write(key_of(Algorithm.ES256)) | {"kid": "c", "use": "enc"},
            jwk.write(key_of(Algorithm.ES256)) | {"kid": "d", "key_ops": ["encrypt"]},
        ]
        assert jwk.read_set({"keys": [*others, ED25519 | {"kid": "e"}]}) == {"e": jwk.read(ED25519)}
        assert jwk.read_set({"keys": others}) == {}

    def test_agreement(self) -> None:
        key = key_of(Algorithm.X25519)
        both = {"keys": [jwk.write(key) | {"kid": "x", "use": "enc"}, ED25519 | {"kid": "e"}]}
        assert jwk.read_set(both, agreement=True) == {"x": key}

    def test_for_other_uses_by_algorithm(self) -> None:
        """`alg` without `use` says as much (RFC 7517 §4.4)."""
        encrypts = jwk.write(key_of(Algorithm.ES256)) | {"kid": "a", "alg": "ECDH-ES+A256KW"}
        assert jwk.read_set({"keys": [encrypts, ED25519 | {"kid": "e"}]}) == {"e": jwk.read(ED25519)}
        assert jwk.read(encrypts, agreement=None).algorithm is Algorithm.ECDH_P256
        assert jwk.read(encrypts | {"alg": "ES256"}, agreement=None).algorithm is Algorithm.ES256

    def test_nameless(self) -> None:
        own, other = ED25519, jwk.write(key_of(Algorithm.ES256))
        assert jwk.read_set({"keys": [own]}) == {"": jwk.read(own)}
        assert code(jwk.read_set, {"keys": [own, other]}) == "key.no_kid"

    def test_nameless_beside_named(self) -> None:
        """A `kid` is optional: what has one is found all the same."""
        own, other, third = ED25519, jwk.write(key_of(Algorithm.ES256)), jwk.write(key_of(Algorithm.ES384))
        for keys in ([own | {"kid": "1"}, other], [other, own | {"kid": "1"}]):
            assert jwk.read_set({"keys": keys}) == {"1": jwk.read(own), "": jwk.read(other)}
        assert jwk.read_set({"keys": [own | {"kid": "1"}, other, third]}) == {"1": jwk.read(own)}

    @pytest.mark.parametrize(
        "broken",
        [
            {"x": base64url.encode(bytes(31))}, {"x": "A"}, {"x": 1}, {"crv": None}, {"kty": "EC"}, {"kty": 1},
            {"alg": "ES256"}, {"alg": 1}, {"kid": 1}, {"kid": None},
        ],
    )  # fmt: skip
    def test_broken_keys_are_passed_over(self, broken: dict[str, Any]) -> None:
        good = jwk.write(key_of(Algorithm.ES256)) | {"kid": "0"}
        assert set(jwk.read_set({"keys": [ED25519 | {"kid": "1"} | broken, good]})) == {"0"}
        assert set(jwk.read_set({"keys": [ED25519 | {"kid": "1"}, good]})) == {"0", "1"}
        assert set(jwk.read_set({"keys": [{"kid": "2"}, good]})) == {"0"}

    def test_a_secret_is_seen_behind_a_broken_name(self) -> None:
        burnt = ED25519 | {"kid": 1, "d": "AA"}
        assert code(jwk.read_set, {"keys": [burnt]}) == "key.private"
        assert jwk.read_set({"keys": [{name: value for name, value in burnt.items() if name != "d"}]}) == {}

    def test_what_is_no_set(self) -> None:
        assert code(jwk.read_set, {"keys": {}}) == "json.wrong_type"
        assert code(jwk.read_set, {"keys": ["key"]}) == "json.not_an_object"
        assert code(jwk.read_set, {}) == "json.missing"


class TestMultikey:
    """CID 1.0 §2.2.2 and did:key v0.9."""

    CASES = (
        (Algorithm.EDDSA, "ed01", "z6Mk"),
        (Algorithm.ES256K, "e701", "zQ3s"),
        (Algorithm.ES256, "8024", "zDn"),
        (Algorithm.ES384, "8124", "z82"),
        (Algorithm.X25519, "ec01", "z6LS"),
        (Algorithm.ECDH_P256, "8024", "zDn"),
    )

    @pytest.mark.parametrize(("algorithm", "codec", "start"), CASES)
    def test_codes(self, algorithm: Algorithm, codec: str, start: str) -> None:
        key = key_of(algorithm)
        text = multikey.write(key)
        assert text.startswith(start)
        assert base58.b58decode(text[1:])[:2].hex() == codec
        assert multikey.read(text, agreement=not algorithm.signs) == key

    def test_agreement(self) -> None:
        p256 = multikey.write(key_of(Algorithm.ES256))
        x25519 = multikey.write(key_of(Algorithm.X25519))
        assert multikey.read(p256, agreement=None) == key_of(Algorithm.ES256)
        assert multikey.read(x25519, agreement=None) == key_of(Algorithm.X25519)
        assert code(multikey.read, x25519) == "key.unsupported"
        assert code(multikey.read, multikey.write(jwk.read(ED25519)), agreement=True) == "key.unsupported"

    def test_official_did_keys(self) -> None:
        """The Multikeys of the did:key examples that name a kind of ours read, and write back the same."""
        import re

        text = (vectors.vectors("did-key") / "did-key-spec-examples.json").read_text()
        read = 0
        for name in set(re.findall(r"did:key:(z[1-9A-HJ-NP-Za-km-z]+)", text)):
            try:
                key = multikey.read(name, agreement=None)
            except Malformed as refusal:
                if refusal.code not in {"key.unsupported", "multibase.too_long", "key.length", "key.not_on_curve"}:
                    raise
                continue
            assert multikey.write(key) == name
            read += 1
        assert read >= 4

    @staticmethod
    def encoded(codec: bytes, raw: bytes) -> str:
        return multibase.encode(codec + raw)

    def test_refused(self) -> None:
        point = multikey.compress(key_of(Algorithm.ES256))
        good = b"\x80\x24"
        assert multikey.read(self.encoded(good, point)) == key_of(Algorithm.ES256)
        x_off_curve = next(
            bytes([2]) + number.to_bytes(32, "big") for number in range(1, 20) if not self.on_curve(number)
        )
        for codec, raw, expected in (
            (good, point[:-1], "key.length"),
            (good, point + b"\0", "key.length"),
            (good, key_of(Algorithm.ES256).raw, "key.length"),
            (good, b"\x04" + point[1:], "key.point_form"),
            (good, b"\x06" + point[1:], "key.point_form"),
            (good, b"\x00" + point[1:], "key.point_form"),
            (good, x_off_curve, "key.not_on_curve"),
            (b"\x80\xa4\x00", point, "multibase.varint"),  # 0x1200 in three bytes
            (b"\xed\x81\x00", key_of(Algorithm.EDDSA).raw, "multibase.varint"),
            (b"\xed\x01", key_of(Algorithm.EDDSA).raw[:-1], "key.length"),
            (b"\xea\x01", bytes(48), "key.unsupported"),
            (b"\x85\x24", bytes(64), "key.unsupported"),
        ):
            assert code(multikey.read, self.encoded(codec, raw), "$.k") == expected

    @staticmethod
    def on_curve(number: int) -> bool:
        try:
            multikey.expand(Algorithm.ES256, b"\2" + number.to_bytes(32, "big"), "")
        except Malformed:
            return False
        return True

    @pytest.mark.parametrize("codec", ["8026", "8126", "8226", "8626", "8726", "8826", "8e26", "9026"])
    def test_secrets(self, codec: str) -> None:
        assert code(multikey.read, self.encoded(bytes.fromhex(codec), bytes(32))) == "key.private"

    @pytest.mark.parametrize("codec", ["8c26", "8d26", "9d26"])
    def test_neighbours_are_no_secrets(self, codec: str) -> None:
        assert code(multikey.read, self.encoded(bytes.fromhex(codec), bytes(32))) == "key.unsupported"

    def test_length_comes_first(self) -> None:
        assert code(multikey.read, "z6Mk" + "1" * 509) == "multibase.too_long"
        assert code(multikey.read, "z6Mk" + "1" * 508) != "multibase.too_long"
        assert multikey.limit("z4sd") == multikey.limit("z5Fb") == 3072
        assert multikey.limit("z6Mk") == multikey.limit("z5fh") == 512


@pytest.mark.spec("RFC 9052 §7, 9053 §7, 9679")
class TestCoseKey:
    @pytest.mark.parametrize("algorithm", [*SIGNING, *AGREEING])
    def test_round_trip(self, algorithm: Algorithm) -> None:
        key = key_of(algorithm)
        assert cose_key.read(cose_key.write(key), agreement=not algorithm.signs) == key

    def test_rfc9679_example(self) -> None:
        key = {
            1: 2,
            -1: 1,
            -2: bytes.fromhex("65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d"),
            -3: bytes.fromhex("1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c"),
        }
        assert cose_key.thumbprint(cose_key.read(key)).hex() == (
            "496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec"
        )

    def test_thumbprint_of_okp(self) -> None:
        key = jwk.read(ED25519)
        assert cose_key.thumbprint(key) == hashlib.sha256(b"\xa3\x01\x01\x20\x06\x21\x58\x20" + key.raw).digest()

    def test_sign_bit(self) -> None:
        """RFC 9053 §7.1.1: y may be a bool, the parity of the point's y."""
        for algorithm in CURVES:
            key = key_of(algorithm)
            full: dict[int, Any] = dict(cose_key.write(key))
            parity = bool(key.raw[-1] & 1)
            assert cose_key.read(full | {-3: parity}) == key
            assert cose_key.read(full | {-3: not parity}) != key

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({1: None}, "key.cose_member"),
            ({1: True}, "key.cose_member"),
            ({1: 3}, "key.unsupported"),
            ({1: 4, -1: b"secret"}, "key.private"),
            ({-4: bytes(32)}, "key.private"),
            ({-1: 3}, "key.coordinate"),
            ({-1: 4}, "key.unsupported"),
            ({-1: "P-256"}, "key.cose_member"),
            ({3: -35}, "key.algorithm_mismatch"),
            ({3: "ES256"}, "key.algorithm_mismatch"),
            ({4: [1]}, "key.operations"),
            ({4: [1, 2]}, "key.operations"),
            ({4: 2}, "key.operations"),
            ({4: [True]}, "key.operations"),
            ({-2: "text"}, "key.cose_member"),
            ({-2: bytes(31)}, "key.coordinate"),
            ({-3: bytes(33)}, "key.coordinate"),
            ({-3: None}, "key.cose_member"),
            ({-3: bytes(32)}, "key.not_on_curve"),
        ],
    )
    def test_refused(self, change: dict[int, Any], expected: str) -> None:
        good: dict[int, Any] = dict(cose_key.write(key_of(Algorithm.ES256)))
        assert cose_key.read(good | {3: -7, 4: [2], 2: b"kid"}) == cose_key.read(good | {3: -9})
        assert code(cose_key.read, good | change) == expected

    def test_agreement(self) -> None:
        good: dict[int, Any] = dict(cose_key.write(key_of(Algorithm.X25519)))
        assert cose_key.read(good | {4: [7, 8], 3: -25}, agreement=True) == key_of(Algorithm.X25519)
        assert code(cose_key.read, good | {4: [2]}, agreement=True) == "key.operations"
        assert code(cose_key.read, good) == "key.unsupported"
        ml_dsa: dict[int, Any] = dict(cose_key.write(key_of(Algorithm.ML_DSA_44)))
        assert code(cose_key.read, ml_dsa, agreement=True) == "key.unsupported"
