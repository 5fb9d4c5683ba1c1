"""COSE_Sign1: RFC 9052 §3, §4; algorithms of RFC 9053 §2, 9864, 9964; header 16 of RFC 9596; CWT (RFC 8392)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cityid import limits
from cityid.cose import sign1
from cityid.edge.software_keys import MemoryKeyring
from cityid.encoding import base64url, cbor
from cityid.encoding.cbor import Tag
from cityid.errors import CityIdError, Malformed, Misuse, Refused
from cityid.keys import Algorithm, PublicKey, Signer, cose_key, jwk
from tests.vectors import load, vectors

RING = MemoryKeyring()
SIGNER = RING.signer(RING.create(Algorithm.ES256))
OTHER = RING.signer(RING.create(Algorithm.ES256))
KEY = SIGNER.public_key
CONTENT = b"This is the content."


def code(call: Callable[..., object], *args: Any, **named: Any) -> str:
    with pytest.raises(CityIdError) as caught:
        call(*args, **named)
    return caught.value.code


def made(
    protected: Any = None,
    unprotected: Any = None,
    payload: Any = CONTENT,
    *,
    tag: int | None = 18,
    signer: Signer = SIGNER,
) -> bytes:
    """A COSE_Sign1 as somebody else might write it, signed over what it says."""
    header = {1: -7} if protected is None else protected
    raw = header if isinstance(header, bytes) else cbor.write(header)
    signature = signer.sign(cbor.write(["Signature1", b"" if raw == b"\xa0" else raw, b"", payload or b""]))
    item = [raw, {} if unprotected is None else unprotected, payload, signature]
    return cbor.write(item if tag is None else Tag(tag, item))


def accepted(data: bytes, key: PublicKey = KEY, **more: Any) -> sign1.Sign1:
    found = sign1.read(data, **more)
    sign1.check(found, key)
    return found


class TestOfficialCases:
    """cose-wg/Examples and gluecose/test-vectors: each is run, or listed by the reason for which it is not ours."""

    LISTED: ClassVar[dict[str, str]] = {
        r"cose-wg/(aes-gcm-examples|encrypted-tests|ecdh-direct-examples|X25519-tests)/.*": "encryption: no list is",
        r"cose-wg/(hmac-examples|mac0-tests)/.*": "a MAC is no signature: Token Status List §13.1, our profile",
        r"cose-wg/(sign-tests|rsa-pss-examples|x509-examples)/.*": "COSE_Sign, with several signers",
        r"cose-wg/(ecdsa|eddsa)-examples/(ecdsa|eddsa)-[0-9]+.*": "COSE_Sign, with several signers",
        r"cose-wg/(ecdsa|eddsa)-examples/.*": "P-256 with another hash, or Ed448: no key of ours",
        r"cose-wg/countersign1/(?!signed1-).*": "COSE_Encrypt, COSE_Mac or COSE_Sign",
        r"cose-wg/RFC8152/.*": "appendix C but for C.2: COSE_Sign, COSE_Encrypt, COSE_Mac",
        r"cose-wg/CWT/.*": "MAC and encryption",
        r"cose-wg/sign1-tests/sign-pass-01.*": "alg is unprotected, so nobody signed it: refused (attack M07)",
        r"gluecose/.*": "RSA: no key of ours",
    }  # fmt: skip
    CODES: ClassVar[dict[str, str]] = {
        "sign-fail-01": "cbor.tag", "sign-fail-02": "signature.invalid", "sign-fail-03": "cose.alg",
        "sign-fail-04": "cose.alg", "sign-fail-06": "signature.invalid", "sign-fail-07": "signature.invalid",
    }  # fmt: skip

    def files(self) -> Iterator[Path]:
        yield from sorted(vectors("cose").rglob("*.json"))

    def key(self, given: dict[str, str]) -> PublicKey | None:
        members = {
            name.removesuffix("_hex"): value for name, value in given.items() if name not in ("d", "d_hex", "kid")
        }
        for name in ("x", "y"):
            if f"{name}_hex" in given:
                members[name] = base64url.encode(bytes.fromhex(given[f"{name}_hex"]))
        try:
            return jwk.read({name: members[name] for name in ("kty", "crv", "x", "y") if name in members})
        except (Malformed, KeyError):
            return None

    def case(self, file: Path) -> tuple[bytes, PublicKey, bytes, bool, str] | None:
        """(bytes, key, external data, whether it is good, Sig_structure in hex) of a COSE_Sign1 with a key of ours."""
        data = load(file)
        if "key" in data:  # gluecose
            part = data.get("sign1::verify") or data["sign1::sign"]
            made = part.get("taggedCOSESign1") or part["expectedOutput"]
            key = self.key(data["key"])
            if key is None or data["alg"] not in ("ES256", "ES384", "ES512", "EdDSA"):
                return None
            tbs = part.get("tbsHex", {}).get("cborHex", "")
            good = part.get("shouldVerify", True)
            return bytes.fromhex(made["cborHex"]), key, bytes.fromhex(part.get("external", "")), good, tbs
        asked = data["input"].get("sign0")
        key = self.key(asked["key"]) if asked else None
        if asked is None or key is None or (key.algorithm, asked["alg"]) not in (
            (Algorithm.ES256, "ES256"), (Algorithm.ES384, "ES384"), (Algorithm.ES512, "ES512"),
            (Algorithm.EDDSA, "EdDSA"),
        ):  # fmt: skip
            return None
        good = not data.get("fail", False) and file.stem != "sign-pass-01"
        tbs = data["intermediates"]["ToBeSign_hex"]
        return bytes.fromhex(data["output"]["cbor"]), key, bytes.fromhex(asked.get("external", "")), good, tbs

    def test_every_case(self) -> None:
        run, listed = [], []
        folder = vectors("cose")
        for file in self.files():
            name = str(file.relative_to(folder))
            case = self.case(file)
            if case is None or file.stem == "sign-pass-01":
                assert any(re.fullmatch(pattern, name) for pattern in self.LISTED), name
                listed.append(name)
            if case is None:
                continue
            data, key, external, good, tbs = case
            if good:
                found = sign1.read(data)
                sign1.check(found, key, external=external)
                assert found.payload is not None
                assert sign1._structure(found.protected_bytes, external, found.payload).hex() == tbs.lower() or not tbs
                assert code(sign1.check, found, key, external=external + b"x") == "signature.invalid"
            elif file.stem == "sign-pass-01":
                assert code(sign1.read, data) == "cose.alg_missing"
            else:
                assert (
                    code(lambda d, k, e: sign1.check(sign1.read(d), k, external=e), data, key, external)
                    == self.CODES[file.stem]
                )
            if name not in listed:
                run.append(name)
        assert len(run) + len(listed) == len(list(self.files()))
        assert len(run) >= 8


class TestHeaders:
    """RFC 9052 §3"""

    def test_empty_protected_header(self) -> None:
        for raw in (b"", b"\xa0"):
            assert code(sign1.read, made(raw)) == "cose.alg_missing"

    @pytest.mark.parametrize("alg", [None, True, 1.5, b"\x26", [-7]])
    def test_alg_is_a_number_or_text(self, alg: Any) -> None:
        assert code(sign1.read, made({1: alg})) == "cose.alg_missing"
        assert code(accepted, made({1: "ES256"})) == "cose.alg"

    def test_labels(self) -> None:
        assert accepted(made({1: -7, "x": 1}, {"y": 2})).header("y") == 2
        assert code(sign1.read, made({1: -7, b"x": 1})) == "cose.label"
        assert code(sign1.read, made(None, {b"x": 1})) == "cose.label"

    def test_each_label_once(self) -> None:
        assert accepted(made({1: -7, 4: b"a"})).header(4) == b"a"
        assert accepted(made(None, {4: b"a"})).header(4) == b"a"
        assert accepted(made()).header(4) is None
        assert code(sign1.read, made({1: -7, 4: b"a"}, {4: b"a"})) == "cose.header_twice"
        assert code(sign1.read, made(cbor.write({1: -7, 4: b""}) + b"\0")) == "cbor.trailing"

    def test_how_many(self) -> None:
        most = {1: -7, **{100 + n: n for n in range(limits.HEADER_MEMBERS - 1)}}
        assert accepted(made(most))
        assert accepted(made(None, dict.fromkeys(range(100, 100 + limits.HEADER_MEMBERS), 0)))
        assert code(sign1.read, made({**most, 99: 0})) == "cose.header_members"
        assert (
            code(sign1.read, made(None, dict.fromkeys(range(100, 101 + limits.HEADER_MEMBERS), 0)))
            == "cose.header_members"
        )

    def test_crit(self) -> None:
        assert accepted(made({1: -7, 2: [16, 4], 16: "x", 4: b"k"}))
        for wrong in ([], 16, "x", [99], [16, 99], [True], ["x"], [16.0], [[16]]):
            header = {1: -7, 2: wrong, 16: "x", 99: 1, "x": 1}
            assert code(sign1.read, made(header)) == "cose.crit", wrong
        assert code(sign1.read, made({1: -7, 2: [4]}, {4: b"k"})) == "cose.crit"  # must be protected itself
        assert code(sign1.read, made({1: -7, 4: b""}, {2: [4]})) == "cose.crit_unprotected"

    def test_the_type(self) -> None:
        """RFC 9596 §2: protected, and compared exactly."""
        good = made({1: -7, 16: "application/x+cwt"})
        assert accepted(good, typ="application/x+cwt")
        assert accepted(good, typ={"application/x+cwt", 7})
        assert accepted(made({1: -7, 16: 7}), typ={"application/x+cwt", 7})
        assert accepted(good)
        for wrong in (made(), made(None, {16: "application/x+cwt"}), made({1: -7, 16: "x+cwt"}), made({1: -7, 16: 7}),
                      made({1: -7, 16: ["application/x+cwt"]}), made({1: -7, 16: True})):  # fmt: skip
            assert code(sign1.read, wrong, typ="application/x+cwt") == "cose.typ"
        assert code(sign1.read, made({1: -7, 16: True}), typ=1) == "cose.typ"


class TestStructure:
    """§2, §4.2"""

    def test_tag(self) -> None:
        tagged, bare = made(), made(tag=None)
        assert accepted(tagged) == accepted(bare)._replace(signature=accepted(tagged).signature)
        assert accepted(tagged, tagged=True)
        assert accepted(bare, tagged=False)
        assert code(sign1.read, bare, tagged=True) == "cose.tag"
        assert code(sign1.read, tagged, tagged=False) == "cose.tag"

    @pytest.mark.parametrize("tag", [16, 17, 61, 96, 97, 98, 24])
    def test_other_kinds(self, tag: int) -> None:
        assert code(sign1.read, made(tag=tag)) == "cose.not_sign1"

    @pytest.mark.parametrize("item", [
        0, {}, [], [b"", {}, b""], [b"\xa1\1\x26", {}, b"", b"", b""], [{1: -7}, {}, b"", b""],
        [b"\xa1\1\x26", b"", b"", b""], [b"\xa1\1\x26", {}, "", b""], [b"\xa1\1\x26", {}, b"", None],
        [b"\x80", {}, b"", b""],
    ])  # fmt: skip
    def test_four_parts(self, item: Any) -> None:
        assert code(sign1.read, cbor.write(Tag(18, item))) == "cose.structure"
        assert accepted(made())

    def test_nothing_signed_is_shown(self) -> None:
        assert "content" not in repr(sign1.read(made()))

    def test_where(self) -> None:
        with pytest.raises(Malformed) as caught:
            sign1.read(b"\xa0", where="list")
        assert caught.value.problem.where == "list"

    def test_limit(self) -> None:
        data = made()
        assert sign1.read(data, limit=len(data))
        assert code(sign1.read, data, limit=len(data) - 1) == "cbor.too_large"


class TestSigning:
    """§4.4"""

    @pytest.mark.parametrize("algorithm", [one for one in Algorithm if one.signs])
    def test_each_algorithm(self, algorithm: Algorithm) -> None:
        signer = RING.signer(RING.create(algorithm))
        data = sign1.sign(CONTENT, signer, {16: "x"}, {4: b"k"})
        found = accepted(data, signer.public_key, typ="x", tagged=True)
        assert (found.payload, found.header(4), found.unprotected) == (CONTENT, b"k", {4: b"k"})
        assert found.protected == {1: cose_key.name(signer.public_key), 16: "x"}
        assert cose_key.read({**cose_key.write(signer.public_key), 3: found.protected[1]}) == signer.public_key

    def test_untagged_and_external(self) -> None:
        data = sign1.sign(CONTENT, SIGNER, external=b"aad", tagged=False)
        found = sign1.read(data, tagged=False)
        sign1.check(found, KEY, external=b"aad")
        assert code(sign1.check, found, KEY) == "signature.invalid"

    @pytest.mark.parametrize("label", [1, 2])
    def test_what_the_key_knows(self, label: int) -> None:
        given = {label: -7}
        assert code(sign1.sign, CONTENT, SIGNER, given) == "cose.header_member"
        assert code(sign1.sign, CONTENT, SIGNER, {}, given) == "cose.header_member"

    def test_other_algorithms_of_the_key(self) -> None:
        """RFC 9864: ESP256 is ES256 with a P-256 key."""
        assert accepted(made({1: -9}))
        for alg in (-35, -8, -37, 5, -47):
            assert code(accepted, made({1: alg})) == "cose.alg"

    def test_another_key(self) -> None:
        assert code(accepted, made(), OTHER.public_key) == "signature.invalid"
        assert code(accepted, made(signer=OTHER)) == "signature.invalid"

    def test_no_key(self) -> None:
        with pytest.raises(Misuse) as caught:
            sign1.check(sign1.read(made()), None)  # type: ignore[arg-type]
        assert caught.value.code == "cose.no_key"

    def test_keys_that_sign_nothing(self) -> None:
        agreeing = RING.create(Algorithm.X25519)
        assert cose_key.names(agreeing) == ()
        assert code(cose_key.name, agreeing) == "keys.wrong_kind"
        assert code(sign1.check, sign1.read(made()), agreeing) == "cose.alg"

    def test_detached(self) -> None:
        data = cbor.read(made())
        signature = data.value[3]
        data.value[2] = None
        found = sign1.read(cbor.write(data))
        assert found.payload is None
        assert found.signature == signature
        sign1.check(found, KEY, detached=CONTENT)
        with pytest.raises(Refused) as caught:
            sign1.check(found, KEY)
        assert caught.value.code == "cose.detached"
        assert code(sign1.check, found, KEY, detached=CONTENT + b"!") == "signature.invalid"
        assert code(sign1.check, sign1.read(made()), KEY, detached=CONTENT) == "cose.detached"
