"""Group K: keys and primitive signatures. K06 is tests/spec/test_wycheproof.py; K09 is moot, RSA is not offered."""

from __future__ import annotations

import ast
import base64
import copy
import hashlib
import json
import logging
import pickle
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from cityid.edge.key_import import read_pem
from cityid.edge.signers import load
from cityid.edge.software_keys import FileKeyring, MemoryKeyring, Use
from cityid.encoding import base64url, multibase
from cityid.errors import CityIdError, Malformed, Misuse, Refused
from cityid.keys import Algorithm, PublicKey, cose_key, jwk, multikey, x509
from tests.paths import TREE

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIELD = 2**255 - 19
EIGHT = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
SIGN = 1 << 255


def code(call: Callable[..., Any], *args: Any, **named: Any) -> str:
    with pytest.raises(CityIdError) as refusal:
        call(*args, **named)
    return refusal.value.code


def ed(number: int) -> PublicKey:
    return PublicKey(Algorithm.EDDSA, number.to_bytes(32, "little"))


LOW_ORDER = [
    number | sign
    for y in (0, 1, FIELD - 1, EIGHT, FIELD - EIGHT, FIELD, FIELD + 1)
    for number, sign in ((y, 0), (y, SIGN))
]


@pytest.mark.parametrize("number", LOW_ORDER)
def test_k01_low_order_key(number: int) -> None:
    """All fourteen encodings; the identity verifies one signature for every message in laxer libraries."""
    assert len(LOW_ORDER) == 14
    forged = (1).to_bytes(32, "little") + bytes(32)
    ed25519.Ed25519PublicKey.from_public_bytes((1).to_bytes(32, "little")).verify(forged, b"any")
    assert code(ed, number) == "key.low_order"
    raw = number.to_bytes(32, "little")
    good = jwk.write(load(Algorithm.EDDSA, bytes(32)).public_key)
    jwk.read(good)
    assert code(jwk.read, good | {"x": base64url.encode(raw)}) == "key.low_order"
    assert code(multikey.read, multibase.encode(b"\xed\x01" + raw)) == "key.low_order"
    assert code(cose_key.read, {1: 1, -1: 6, -2: raw}) == "key.low_order"


def test_k03_s_plus_order() -> None:
    keyring = MemoryKeyring()
    signer = keyring.signer(keyring.create(Algorithm.EDDSA))
    signature = signer.sign(b"message")
    signer.public_key.verify(signature, b"message")
    order = 2**252 + 27742317777372353535851937790883648493
    s_value = int.from_bytes(signature[32:], "little") + order
    malleable = signature[:32] + s_value.to_bytes(32, "little")
    assert code(signer.public_key.verify, malleable, b"message") == "signature.invalid"


def test_k04_no_point() -> None:
    ed25519.Ed25519PublicKey.from_public_bytes((2).to_bytes(32, "little"))  # the laxer library takes it
    assert code(ed, 2) == "key.not_on_curve"
    good = load(Algorithm.EDDSA, bytes(32)).public_key
    assert ed(int.from_bytes(good.raw, "little")) == good


def test_k04_second_spelling() -> None:
    """y + p names the same point as y, and only y below p is read."""
    assert code(ed, FIELD + 3) == "key.not_canonical"
    assert code(ed, FIELD + 2) == "key.not_canonical"
    assert code(ed, SIGN | (FIELD + 3)) == "key.not_canonical"


@pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.ES384, Algorithm.ES256K, Algorithm.ECDH_P256])
def test_k07_points(algorithm: Algorithm) -> None:
    size = 48 if algorithm is Algorithm.ES384 else 32
    raw = load(algorithm, b"\1" * size).public_key.raw
    PublicKey(algorithm, raw)
    flipped = raw[:-1] + bytes([raw[-1] ^ 1])
    assert code(PublicKey, algorithm, flipped) == "key.not_on_curve"
    assert code(PublicKey, algorithm, b"\4" + bytes(2 * size)) == "key.not_on_curve"
    assert code(PublicKey, algorithm, b"\4" + b"\xff" * 2 * size) == "key.not_on_curve"
    for hybrid in (6, 7, 2, 0):
        assert code(PublicKey, algorithm, bytes([hybrid]) + raw[1:]) == "key.point_form"
    for other in (b"\0", raw[:-1], raw[: size + 1], b""):
        assert code(PublicKey, algorithm, other) == "key.length"


def test_k08_explicit_parameters() -> None:
    """A certificate whose key spells out P-256 instead of naming it; and curves that nobody offers."""
    from tests.spec.test_x509 import LEAF, LEAF_KEY

    named = bytes.fromhex("06082a8648ce3d030107")
    assert x509.public_key(LEAF) == LEAF_KEY.public_key
    other = bytes.fromhex("06082a8648ce3d030106")  # prime239v3
    assert code(x509.public_key, LEAF.replace(named, other)) == "x509.key"
    explicit = base64.b64decode(EXPLICIT)
    assert x509.read(explicit).name == "CN=Explicit"
    assert code(x509.public_key, explicit) == "x509.key"
    for crv in (3, 9, 256, "sect233k1"):
        with pytest.raises(Malformed):
            cose_key.read({1: 2, -1: crv, -2: bytes(32), -3: bytes(32)})
    assert code(jwk.read, {"kty": "EC", "crv": "sect233k1", "x": "", "y": ""}) == "key.unsupported"


EXPLICIT = (
    "MIICcDCCAhWgAwIBAgIUQIxiBtUkCWtgxGHIvolTRoEOsIEwCgYIKoZIzj0EAwIwEzERMA8GA1UEAwwIRXhwbGljaXQwHhcNMjYx"
    "MTIyMjMxMjQ4WhcNMzYxMTE5MjMxMjQ4WjATMREwDwYDVQQDDAhFeHBsaWNpdDCCAUswggEDBgcqhkjOPQIBMIH3AgEBMCwGByqG"
    "SM49AQECIQD/////AAAAAQAAAAAAAAAAAAAAAP///////////////zBbBCD/////AAAAAQAAAAAAAAAAAAAAAP//////////////"
    "/AQgWsY12Ko6k+ez671VdpiGvGUdBrDMU7D2O848PifSYEsDFQDEnTYIhucEk2pmeOETnSa3gZ9+kARBBGsX0fLhLEJH+Lzm5WOk"
    "QPJ3A32BLeszoPShOUXYmMKWT+NC4v4af5uO5+tKfA+eFivOM1drMV7Oy7ZAaDe/UfUCIQD/////AAAAAP//////////vOb6racX"
    "noTzucrC/GMlUQIBAQNCAATf81+Uq8z5zkXC8igB0AG/D6VchkOPGNF3jdkZ7+06jqVFj2dnD8rcfFz/JBL/gyKjr4EJotQ3KuJg"
    "BrkvaecIo1MwUTAdBgNVHQ4EFgQUnnLaR+e586EmShVuIAvF/mFSbf4wHwYDVR0jBBgwFoAUnnLaR+e586EmShVuIAvF/mFSbf4w"
    "DwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEA48ATFoB1GM2IT+YtKzdkxckFhG1Nce+2PELfaiz8+2UCIQCeGoo9"
    "JcLKzZ4osFAavd66Lh8HoAVYLgtMgMlxZ7T9vg=="
)
"""A certificate by OpenSSL with `ecparam -param_enc explicit`."""


def test_k09_rsa() -> None:
    assert code(jwk.read, {"kty": "RSA", "n": "AQAB", "e": "AQ"}) == "key.unsupported"


U_OF_ORDER_EIGHT = (
    0x00B8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0,
    0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F,
)


@pytest.mark.parametrize("number", [0, 1, FIELD, FIELD + 1, FIELD - 1, *U_OF_ORDER_EIGHT])
def test_k10_zero_secret(number: int) -> None:
    keyring = MemoryKeyring()
    mine = keyring.agreement(keyring.create(Algorithm.X25519))
    assert mine.shared(keyring.create(Algorithm.X25519))
    assert code(mine.shared, PublicKey(Algorithm.X25519, number.to_bytes(32, "little"))) == "key.no_secret"


def test_k11_chance() -> None:
    """Nothing but the operating system's randomness, and none of it twice."""
    for path in [*(TREE / "cityid").rglob("*.py"), *(TREE / "cli").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {"random", "uuid", "numpy"} & {name.split(".")[0] for name in names}, path
    keyring = MemoryKeyring()
    assert len({keyring.create(Algorithm.EDDSA) for _ in range(1000)}) == 1000


FORKED = """
import os, sys
sys.path[:0] = {path!r}
from cityid.edge.software_keys import MemoryKeyring
from cityid.jose import sd_jwt_issue
from cityid.keys import Algorithm
from tests.sd_jwts import ISSUER, issue
frame = sd_jwt_issue.frame([("a",), ("b",)], decoys=2)
def drawn():
    made = issue({{"a": 1, "b": 2}}, frame, ISSUER, header={{"typ": "x"}})
    return [*made.disclosures, MemoryKeyring().create(Algorithm.ES256).thumbprint.encode()]
for text in drawn():  # before the fork, so that a state would be shared
    os.write(1, text + b"\\n")
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        os.write(1, b"".join(text + b"\\n" for _ in range(50) for text in drawn()))
        os._exit(0)
    children.append(child)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""


def test_k11_workers_that_were_forked_draw_nothing_twice() -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", FORKED.format(path=sys.path)], capture_output=True,
                          timeout=60, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(set(lines)) == 3 + 4 * 50 * 3


class TestK12Import:
    KEY = ec.derive_private_key(5, ec.SECP256R1())
    PEM = KEY.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())

    def test_k12_one_key(self) -> None:
        assert read_pem(self.PEM) == (Algorithm.ES256, (5).to_bytes(32, "big"))

    def test_k12_two_keys(self) -> None:
        assert code(read_pem, self.PEM + self.PEM) == "key.pem"

    @pytest.mark.parametrize("around", [b"%sjunk", b"junk\n%s", b"%s\n-----BEGIN X-----\n", b"%s\0"])
    def test_k12_text_around(self, around: bytes) -> None:
        assert code(read_pem, around % self.PEM) == "key.pem"

    def test_k12_large(self) -> None:
        assert read_pem(self.PEM + b" " * (16_384 - len(self.PEM)))
        assert code(read_pem, self.PEM + b" " * (16_385 - len(self.PEM))) == "key.pem"

    def test_k12_encrypted_without_passphrase(self) -> None:
        locked = self.KEY.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"x"))
        assert code(read_pem, locked) == "passphrase.needed"
        assert read_pem(locked, b"x")

    def test_k12_public_key(self) -> None:
        public = self.KEY.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
        assert code(read_pem, public) == "key.pem"

    @pytest.mark.parametrize("form", [s.PrivateFormat.PKCS8, s.PrivateFormat.TraditionalOpenSSL])
    def test_k12_der(self, form: s.PrivateFormat) -> None:
        der = self.KEY.private_bytes(s.Encoding.DER, form, s.NoEncryption())
        label = b"PRIVATE KEY" if form is s.PrivateFormat.PKCS8 else b"EC PRIVATE KEY"

        def wrap(content: bytes) -> bytes:
            return b"-----BEGIN %s-----\n%s-----END %s-----\n" % (label, base64.encodebytes(content), label)

        def point(key: ec.EllipticCurvePrivateKey) -> bytes:
            return key.public_key().public_bytes(s.Encoding.X962, s.PublicFormat.UncompressedPoint)

        assert read_pem(wrap(der)) == read_pem(self.PEM)
        other = der.replace(point(self.KEY), point(ec.derive_private_key(6, ec.SECP256R1())))
        for bad in (der + b"\0", der[:-1], other, b"\x30\x00"):
            assert bad != der
            assert code(read_pem, wrap(bad)) == "key.pem_unreadable"


class TestK13NothingShows:
    SECRET = b"\5" + hashlib.sha256(b"canary").digest()[1:]  # less than the order of every group
    FORMS = (
        SECRET,
        SECRET.hex().encode(),
        base64.b64encode(SECRET),
        base64url.encode(SECRET).encode(),
        repr(SECRET)[2:-1].encode(),
        str(int.from_bytes(SECRET, "big")).encode(),
    )

    def things(self, algorithm: Algorithm) -> list[Any]:
        keyring = MemoryKeyring()
        key = keyring.add(algorithm, self.SECRET)
        if algorithm is Algorithm.BBS:
            return [keyring, keyring.bbs_signer(key)]
        return [keyring, keyring.signer(key) if algorithm.signs else keyring.agreement(key)]

    @pytest.mark.parametrize(
        "algorithm", [name for name in Algorithm if name not in (Algorithm.ES384, Algorithm.ES512)]
    )
    def test_k13_shown(self, algorithm: Algorithm, caplog: pytest.LogCaptureFixture) -> None:
        for thing in self.things(algorithm):
            with caplog.at_level(logging.DEBUG):
                logging.getLogger("cityid").debug("%r %s", thing, thing)
            shown = [
                repr(thing),
                str(thing),
                f"{thing}",
                f"{thing!r}",
                caplog.text,
                str(Misuse("x.y", thing=repr(thing))),
            ]
            for form in self.FORMS:
                assert all(form not in text.encode() for text in shown)
            with pytest.raises(TypeError):
                vars(thing)
            with pytest.raises(TypeError):
                json.dumps(thing)

    def test_k13_thumbprint(self) -> None:
        _, signer = self.things(Algorithm.ES256)
        assert repr(signer) == f"SoftwareSigner(ES256, {signer.public_key.thumbprint})"

    @pytest.mark.parametrize("act", [pickle.dumps, copy.copy, copy.deepcopy])
    def test_k13_copied(self, act: Callable[[Any], Any]) -> None:
        for thing in self.things(Algorithm.ES256):
            assert code(act, thing) == "keys.not_copied"
        assert act(load(Algorithm.ES256, self.SECRET).public_key)

    @pytest.mark.kdf
    def test_k13_file(self, tmp_path: Path) -> None:
        keyring = FileKeyring.new(tmp_path / "keys", "canary passphrase")
        key = keyring.add(Algorithm.ES256, self.SECRET)
        for form in (*self.FORMS, b"canary passphrase"):
            assert form not in (tmp_path / "keys").read_bytes()
            assert form not in f"{keyring} {keyring!r} {keyring.records()} {keyring.signer(key)}".encode()
        for act in (pickle.dumps, copy.copy, copy.deepcopy):
            assert code(act, keyring) == "keys.not_copied"
        with pytest.raises(TypeError):
            vars(keyring)


@pytest.mark.kdf
def test_k14_one_key_one_use(tmp_path: Path) -> None:
    keyring = FileKeyring.new(tmp_path / "keys", "a passphrase")
    before = (tmp_path / "keys").read_bytes()
    assert code(keyring.create, Algorithm.EDDSA, uses=[Use.ISSUER, Use.STATUS]) == "key.several_uses"
    assert (tmp_path / "keys").read_bytes() == before
    key = keyring.create(Algorithm.EDDSA, uses=[Use.ISSUER])
    keyring.signer_for(key, Use.ISSUER, AT)
    assert code(keyring.signer_for, key, Use.STATUS, AT) == "key.other_use"
    shared = keyring.create(Algorithm.EDDSA, uses=[Use.ISSUER, Use.STATUS], shared=True)
    keyring.signer_for(shared, Use.STATUS, AT)


@pytest.mark.kdf
def test_k15_ended_key(tmp_path: Path) -> None:
    keyring = FileKeyring.new(tmp_path / "keys", "a passphrase")
    key = keyring.create(Algorithm.EDDSA, uses=[Use.ISSUER])
    keyring.signer_for(key, Use.ISSUER, AT)
    keyring.end(key, AT)
    keyring.signer_for(key, Use.ISSUER, AT)
    with pytest.raises(Refused, match=r"key\.ended"):
        keyring.signer_for(key, Use.ISSUER, AT + timedelta(seconds=1))
