"""BBS keys among the others: Multikey (CID 1.0 §2.2.2), did:key, keyrings. They sign lists and nothing else."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from cityid import did
from cityid.bbs import core, keys
from cityid.edge.software_keys import FileKeyring, MemoryKeyring
from cityid.encoding import json, multibase
from cityid.errors import Malformed, Misuse, Refused
from cityid.keys import Algorithm, BbsSigner, PublicKey, Signer, jwk, multikey
from tests.vectors import vectors

SECRET = keys.key_gen(bytes(32))
KEY = PublicKey(Algorithm.BBS, SECRET.public)


class TestForms:
    def test_the_published_multikey(self) -> None:
        material = json.read_object((vectors("di-bbs") / "BBSKeyMaterial.json").read_bytes())
        public = bytes.fromhex(str(material["publicKeyHex"]))
        key = PublicKey(Algorithm.BBS, public)
        text = multikey.write(key)
        assert text.startswith("zUC7")
        assert multikey.read(text) == key
        assert did.key.create(key) == f"did:key:{text}"

    def test_a_did_key(self) -> None:
        document = did.key.read(did.parse(did.key.create(KEY)))
        assert document.key("", "assertionMethod") == KEY

    def test_a_did_web(self) -> None:
        """It has no JWK, and stands in a city's document as a Multikey."""
        made = did.web.document("did:web:id.lindau.example", {"unlinkable-1": KEY})
        assert made["verificationMethod"][0]["type"] == "Multikey"
        read = did.read_document(json.write(made), "did:web:id.lindau.example")
        assert read.key("unlinkable-1", "assertionMethod") == KEY

    @pytest.mark.parametrize(
        ("head", "code"),
        [
            (b"\xeb\x01", ""),
            (b"\x8a\x26", "key.private"),
            (b"\x80\x30", "key.unsupported"),
            (b"\xea\x01", "key.unsupported"),
        ],
    )
    def test_the_prefixes(self, head: bytes, code: str) -> None:
        """A secret key has 8a26; 8030, which the text prints, is another number."""
        raw = KEY.raw if head != b"\x8a\x26" else SECRET.octets()
        text = multibase.encode(head + raw)
        if not code:
            assert multikey.read(text) == KEY
            return
        with pytest.raises(Malformed) as caught:
            multikey.read(text)
        assert caught.value.code == code

    @pytest.mark.parametrize(
        ("raw", "code"),
        [
            (KEY.raw[:-1], "key.length"),
            (KEY.raw + b"\0", "key.length"),
            (bytes([KEY.raw[0] ^ 0x80]) + KEY.raw[1:], "key.not_on_curve"),
            (KEY.raw[:-1] + bytes([KEY.raw[-1] ^ 1]), "key.not_on_curve"),
            (bytes([0xC0]) + bytes(95), "key.low_order"),
        ],
    )
    def test_what_is_no_key(self, raw: bytes, code: str) -> None:
        with pytest.raises(Malformed) as caught:
            PublicKey(Algorithm.BBS, raw)
        assert caught.value.code == code

    def test_no_jwk_says_it(self) -> None:
        assert jwk.names(KEY) == ()
        with pytest.raises(Misuse) as none:
            jwk.write(KEY)
        assert none.value.code == "keys.no_jwk"
        with pytest.raises(Malformed):
            jwk.read({"kty": "AKP", "alg": "BBS", "pub": "x"})


class TestSigning:
    def test_lists_are_signed(self) -> None:
        ring = MemoryKeyring()
        key = ring.create(Algorithm.BBS)
        signer = ring.bbs_signer(key)
        assert isinstance(signer, BbsSigner)
        core.verify(key.raw, signer.sign(b"head", [b"a", b"b"]), b"head", [b"a", b"b"])
        with pytest.raises(Refused):
            core.verify(key.raw, signer.sign(b"head", [b"a", b"b"]), b"head", [b"a", b"c"])
        for act in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(Misuse):
                act(signer)
        assert KEY.thumbprint not in repr(signer)

    def test_single_messages_are_not(self) -> None:
        ring = MemoryKeyring()
        lists, single = ring.create(Algorithm.BBS), ring.create(Algorithm.ES256)
        assert isinstance(ring.signer(single), Signer)
        for wrong in (lambda: ring.signer(lists), lambda: ring.bbs_signer(single), lambda: ring.agreement(lists)):
            with pytest.raises(Misuse) as caught:
                wrong()
            assert caught.value.code == "keys.wrong_kind"
        with pytest.raises(Refused) as refused:
            lists.verify(b"x" * 80, b"message")
        assert refused.value.code == "signature.invalid"

    @pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32])
    def test_what_is_no_secret_key(self, secret: bytes) -> None:
        with pytest.raises(Malformed) as caught:
            MemoryKeyring().add(Algorithm.BBS, secret)
        assert caught.value.code == "key.secret_range"
        assert MemoryKeyring().add(Algorithm.BBS, SECRET.octets()) == KEY

    @pytest.mark.kdf
    def test_a_file_keeps_it(self, tmp_path: Path) -> None:
        ring = FileKeyring.new(tmp_path / "keys", "correct horse")
        key = ring.create(Algorithm.BBS, label="voice-1")
        again = FileKeyring.open(tmp_path / "keys", "correct horse")
        core.verify(key.raw, again.bbs_signer(key).sign(b"", [b"a"]), b"", [b"a"])
