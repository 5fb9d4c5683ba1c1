"""JSON Web Signature: RFC 7515, RFC 7797 (refused), the JOSE cookbook (RFC 7520, 8037) and Wycheproof."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cityid import limits
from cityid.edge.software_keys import MemoryKeyring
from cityid.encoding import base64url
from cityid.errors import CityIdError, Malformed, Misuse, Refused
from cityid.jose import jws
from cityid.keys import Algorithm, PublicKey, jwk
from tests.sd_jwts import ISSUER, OTHER, b64, raw_jws, signed, signer
from tests.vectors import load, vectors


def code(call: Any, *args: Any, **named: Any) -> str:
    with pytest.raises(CityIdError) as caught:
        call(*args, **named)
    return caught.value.code


class TestSection4Header:
    @pytest.mark.parametrize("alg", [None, 7, ["ES256"], {}, True])
    def test_alg_is_a_string(self, alg: Any) -> None:
        assert code(jws.read_compact, raw_jws({"alg": alg}), typ=None) == "jws.alg_missing"
        assert code(jws.read_compact, raw_jws({"typ": "x"}), typ=None) == "jws.alg_missing"
        assert jws.read_compact(raw_jws({"alg": "ES256"}), typ=None).header == {"alg": "ES256"}

    @pytest.mark.parametrize("alg", ["none", "None", "nOnE", "NONE", ""])
    def test_alg_none(self, alg: str) -> None:
        assert code(jws.read_compact, raw_jws({"alg": alg}), typ=None) == "jws.alg_none"

    def test_typ_is_compared_exactly(self) -> None:
        token = signed({}, typ="kb+jwt")
        assert jws.read_compact(token, typ="kb+jwt").header["typ"] == "kb+jwt"
        assert jws.read_compact(token, typ=("vp+jwt", "kb+jwt")).header["typ"] == "kb+jwt"
        assert code(jws.read_compact, token, typ="KB+JWT") == "jws.typ"
        assert code(jws.read_compact, token, typ=("vp+jwt", "vc+jwt")) == "jws.typ"
        assert code(jws.read_compact, raw_jws({"alg": "ES256", "typ": ["kb+jwt"]}), typ="kb+jwt") == "jws.typ_missing"

    def test_typ_tells_what_is_expected(self) -> None:
        with pytest.raises(Malformed) as caught:
            jws.read_compact(signed({}, typ="JWT"), typ=("b+jwt", "a+jwt"))
        assert caught.value.problem.facts == {"expected": "a+jwt, b+jwt", "found": "JWT"}

    def test_crit_is_never_understood(self) -> None:
        assert jws.read_compact(raw_jws({"alg": "ES256", "exp": 1}), typ=None).header["exp"] == 1
        assert code(jws.read_compact, raw_jws({"alg": "ES256", "crit": ["exp"], "exp": 1}), typ=None) == "jws.crit"

    def test_duplicate_members(self) -> None:
        assert code(jws.read_compact, raw_jws(b'{"alg":"none","alg":"ES256"}'), typ=None) == "json.duplicate"

    def test_the_header_is_an_object(self) -> None:
        assert code(jws.read_compact, raw_jws([]), typ=None) == "json.not_an_object"

    def test_size_of_the_header_is_checked_before_it_is_decoded(self) -> None:
        fits = "!" * limits.JOSE_HEADER
        assert code(jws.read_compact, f"{fits}.e30.e30", typ=None) == "base64url.alphabet"
        assert code(jws.read_compact, f"{fits}!.e30.e30", typ=None) == "jws.header_too_large"

    def test_members_are_counted(self) -> None:
        header = {"alg": "ES256", **{f"m{n}": n for n in range(limits.HEADER_MEMBERS - 1)}}
        assert len(jws.read_compact(raw_jws(header), typ=None).header) == limits.HEADER_MEMBERS
        assert code(jws.read_compact, raw_jws({**header, "more": 1}), typ=None) == "jws.header_members"


class TestSection5Consuming:
    @pytest.mark.parametrize("algorithm", [a for a in Algorithm if a.signs])
    def test_each_algorithm(self, algorithm: Algorithm) -> None:
        keyring = MemoryKeyring()
        key = keyring.create(algorithm)
        token = jws.sign({"typ": "x"}, b"payload", keyring.signer(key))
        found = jws.read_compact(token, typ="x")
        assert found.payload == b"payload"
        jws.check(found, key)
        broken = jws.read_compact(jws.sign({"typ": "x"}, b"Payload", keyring.signer(key)), typ="x")
        mixed = jws.Jws(found.header, found.payload, broken.signature, found.signing_input)
        assert code(jws.check, mixed, key) == "signature.invalid"

    def test_the_algorithm_is_the_keys(self) -> None:
        found = jws.read_compact(signed({}), typ=None)
        with pytest.raises(Refused) as caught:
            jws.check(found, signer(1, Algorithm.ES384).public_key)
        assert caught.value.code == "jws.alg"
        assert caught.value.problem.facts == {"expected": "ES384", "found": "ES256"}
        jws.check(found, ISSUER.public_key)

    def test_ed25519_under_both_names(self) -> None:
        key = signer(4, Algorithm.EDDSA)
        for name in ("EdDSA", "Ed25519"):
            jws.check(jws.read_compact(raw_jws({"alg": name}, by=key), typ=None), key.public_key)
        assert (
            code(jws.check, jws.read_compact(raw_jws({"alg": "Ed448"}, by=key), typ=None), key.public_key) == "jws.alg"
        )

    def test_a_key_that_only_agrees_checks_nothing(self) -> None:
        keyring = MemoryKeyring()
        found = jws.read_compact(signed({}), typ=None)
        assert code(jws.check, found, keyring.create(Algorithm.X25519)) == "jws.alg"

    def test_another_key(self) -> None:
        assert code(jws.check, jws.read_compact(signed({}), typ=None), OTHER.public_key) == "signature.invalid"

    def test_no_key_is_misuse(self) -> None:
        with pytest.raises(Misuse, match=r"jws\.no_key"):
            jws.check(jws.read_compact(signed({}), typ=None), None)  # type: ignore[arg-type]


class TestSection7Compact:
    @pytest.mark.parametrize(("text", "found"), [("", 1), ("a", 1), ("a.b", 2), ("a.b.c.d", 4), ("a.b.c.d.e.f.g", 7)])
    def test_three_segments(self, text: str, found: int) -> None:
        with pytest.raises(Malformed) as caught:
            jws.read_compact(text, typ=None)
        assert caught.value.code == "jws.segments"
        assert caught.value.problem.facts == {"found": found}

    def test_a_jwe_is_refused_by_name(self) -> None:
        assert code(jws.read_compact, "a.b.c.d.e", typ=None) == "jws.is_jwe"
        assert code(jws.read_compact, '{"ciphertext":"a.b.c"}', typ=None) == "jws.is_jwe"
        assert code(jws.read_json, '{"ciphertext":"abc"}', typ=None) == "jws.is_jwe"

    def test_size_is_checked_first(self) -> None:
        assert code(jws.read_compact, "." * 10, typ=None, limit=9) == "jws.too_large"
        assert code(jws.read_compact, "." * 10, typ=None, limit=10) == "jws.segments"

    @pytest.mark.parametrize("part", [0, 1, 2])
    @pytest.mark.parametrize("damage", ["{}=", "{} ", "{}\n", "{}!", "é{}", "{}\ud800", "+{}", "/{}"])
    def test_base64url_is_strict(self, part: int, damage: str) -> None:
        parts = signed({"a": 1}).split(".")
        parts[part] = damage.format(parts[part])
        assert code(jws.read_compact, ".".join(parts), typ=None) in ("base64url.alphabet", "base64url.length")

    def test_text_and_bytes_are_read_alike(self) -> None:
        token = signed({})
        assert jws.read_compact(token, typ=None) == jws.read_compact(token.encode(), typ=None)
        assert jws.read_compact(token, typ=None).compact == token.encode()


class TestSection7Json:
    def test_flattened_and_general(self) -> None:
        found = jws.read_compact(signed({"a": 1}, kid="k"), typ=None)
        for write in (jws.flattened, jws.general):
            again = jws.read_json(json.dumps(write(found)), typ=None)
            assert again == found
            assert again.unprotected == {}
            assert jws.read_json(write(found, {"x": 1}), typ=None).unprotected == {"x": 1}

    def test_both_forms_at_once(self) -> None:
        found = jws.read_compact(signed({}), typ=None)
        document = {**jws.general(found), "signature": b64(found.signature)}
        assert code(jws.read_json, document, typ=None) == "jws.both_forms"

    def test_exactly_one_signature(self) -> None:
        found = jws.read_compact(signed({}), typ=None)
        document = jws.general(found)
        counts: list[list[Any]] = [[], document["signatures"] * 2]
        for signatures in counts:
            changed = {**document, "signatures": signatures}
            assert code(jws.read_json, changed, typ=None) == "jws.signatures"
        assert code(jws.read_json, {**document, "signatures": []}, typ=None, first_of_several=True) == "jws.signatures"
        two = {**document, "signatures": document["signatures"] * 2}
        assert jws.read_json(two, typ=None, first_of_several=True) == found

    def test_a_member_in_both_headers(self) -> None:
        found = jws.read_compact(signed({}, kid="k"), typ=None)
        assert code(jws.read_json, jws.flattened(found, {"kid": "k"}), typ=None) == "jws.header_twice"
        assert jws.read_json(jws.flattened(found, {"kit": "k"}), typ=None).header == found.header

    @pytest.mark.parametrize(("name", "expected"), [("crit", "jws.crit"), ("b64", "jws.b64")])
    def test_extensions_in_the_unprotected_header(self, name: str, expected: str) -> None:
        found = jws.read_compact(signed({}), typ=None)
        assert code(jws.read_json, jws.flattened(found, {name: []}), typ=None) == expected

    def test_the_algorithm_must_be_protected(self) -> None:
        document = jws.flattened(jws.read_compact(signed({}), typ=None))
        assert code(jws.read_json, {**document, "protected": b64("{}"), "header": {"alg": "ES256"}}, typ=None) == (
            "jws.alg_missing"
        )

    def test_typ_is_asked_for_here_too(self) -> None:
        document = jws.flattened(jws.read_compact(signed({}, typ="a"), typ=None))
        assert jws.read_json(document, typ="a").header["typ"] == "a"
        assert code(jws.read_json, document, typ="b") == "jws.typ"

    def test_what_is_missing(self) -> None:
        document = jws.flattened(jws.read_compact(signed({}), typ=None))
        for name in document:
            cut = {key: value for key, value in document.items() if key != name}
            assert code(jws.read_json, cut, typ=None) == "json.missing"


class TestSigning:
    def test_the_same_header_gives_the_same_bytes(self) -> None:
        key = ISSUER.public_key
        assert jws.protected({"typ": "a", "kid": "b"}, key) == b64('{"alg":"ES256","typ":"a","kid":"b"}').encode()

    @pytest.mark.parametrize("name", ["alg", "b64", "crit"])
    def test_what_no_caller_sets(self, name: str) -> None:
        with pytest.raises(Misuse, match=r"jws\.header_member"):
            jws.sign({name: "ES256"}, b"", ISSUER)


COOKBOOK_REFUSED = {
    "jws/4_1.rsa_v15_signature.json": ("RSA is not offered", "key.unsupported", None),
    "jws/4_4.hmac-sha2_integrity_protection.json": ("MACs are not signatures", "key.private", None),
    "jws/4_5.signature_with_detached_content.json": ("a MAC, and without its payload", "key.private", "json.missing"),
    "jws/4_7.protecting_content_only.json": ("a MAC, and an unprotected algorithm", "key.private", "json.missing"),
    "rfc7797/hmac-sha2_b64_false.json": ("unencoded payload", "key.private", "jws.b64"),
}
"""Cookbook cases that are refused: the reason, the code for the key, the code for the JSON forms (None: they read)."""


class TestCookbook:
    """RFC 7520 §4, RFC 8037 A.4, RFC 7797 §4: what we offer is read and written, the rest is refused by name."""

    def test_every_file_is_here(self) -> None:
        root = vectors("jose") / "cookbook"
        files = {str(file.relative_to(root)) for file in root.rglob("*.json")}
        ours = {name for name in files if name.startswith(("jws/", "rfc7797/")) or name == "curve25519/jws.json"}
        assert ours == set(COOKBOOK_REFUSED) | {"curve25519/jws.json", "jws/4_3.ecdsa_signature.json"}
        # jwk/ is run with the keys; JWE is not built, and a JWE is refused by name (below)
        encrypted = {name for name in files if name.startswith("jwe/")} | {
            "curve25519/ecdh-es.json",
            "6.nesting_signatures_and_encryption.json",
        }
        assert files - ours - encrypted == {name for name in files if name.startswith("jwk/")}
        assert len(encrypted) == 10

    def test_ed25519(self) -> None:
        case = load(vectors("jose") / "cookbook" / "curve25519" / "jws.json")
        key = jwk.read({name: value for name, value in case["input"]["key"].items() if name != "d"})
        forms = [jws.read_compact(case["output"]["compact"], typ=None)]
        forms += [jws.read_json(case["output"][form], typ=None) for form in ("json", "json_flat")]
        for found in forms:
            jws.check(found, key)
            assert found.payload.decode() == case["input"]["payload"]
        # it is reproducible, so it is also made
        keyring = MemoryKeyring()
        own = keyring.add(Algorithm.EDDSA, base64url.decode(case["input"]["key"]["d"]))
        made = jws.make({}, case["input"]["payload"].encode(), keyring.signer(own))
        assert made.compact.decode() == case["output"]["compact"]
        assert jws.flattened(made) == case["output"]["json_flat"]
        assert jws.general(made) == case["output"]["json"]

    def test_p521(self) -> None:
        """RFC 7520 §4.3: ES512. A signature by chance, so it is read and not made."""
        case = load(vectors("jose") / "cookbook" / "jws" / "4_3.ecdsa_signature.json")
        key = jwk.read({name: value for name, value in case["input"]["key"].items() if name != "d"})
        forms = [jws.read_compact(case["output"]["compact"], typ=None)]
        forms += [jws.read_json(case["output"][form], typ=None) for form in ("json", "json_flat")]
        for found in forms:
            jws.check(found, key)
            assert found.payload.decode() == case["input"]["payload"]
            assert code(jws.check, found, ISSUER.public_key) == "jws.alg"
        keyring = MemoryKeyring()
        own = keyring.add(Algorithm.ES512, base64url.decode(case["input"]["key"]["d"]))
        assert own == key
        made = jws.make({"kid": "k"}, b"x", keyring.signer(own))
        jws.check(jws.read_compact(made.compact, typ=None), key)

    @pytest.mark.parametrize("name", sorted(COOKBOOK_REFUSED))
    def test_refused(self, name: str) -> None:
        case = load(vectors("jose") / "cookbook" / name)
        _, key_code, json_code = COOKBOOK_REFUSED[name]
        key = {member: value for member, value in case["input"]["key"].items() if member not in ("d", "p", "q")}
        key = {member: value for member, value in key.items() if member not in ("dp", "dq", "qi")}
        assert code(jwk.read, key) == key_code
        for form in ("json", "json_flat"):
            if json_code is not None:
                assert code(jws.read_json, case["output"][form], typ=None) == json_code
            else:
                found = jws.read_json(case["output"][form], typ=None)
                assert code(jws.check, found, ISSUER.public_key) == "jws.alg"
        if json_code is None:
            found = jws.read_compact(case["output"]["compact"], typ=None)
            assert code(jws.check, found, ISSUER.public_key) == "jws.alg"

    def test_b64_false_in_compact_form(self) -> None:
        case = load(vectors("jose") / "cookbook" / "rfc7797" / "hmac-sha2_b64_false.json")
        assert code(jws.read_compact, case["output"]["compact"], typ=None) == "jws.b64"

    def test_every_jwe_is_refused_by_name(self) -> None:
        root = vectors("jose") / "cookbook"
        count = 0
        for file in sorted([*(root / "jwe").glob("*.json"), root / "curve25519" / "ecdh-es.json"]):
            output = load(file)["output"]
            for form in ("json", "json_flat"):
                if form in output:
                    assert code(jws.read_json, output[form], typ=None) == "jws.is_jwe"
                    assert code(jws.read_compact, json.dumps(output[form]), typ=None) == "jws.is_jwe"
                    count += 1
            if "compact" in output:
                assert code(jws.read_compact, output["compact"], typ=None) == "jws.is_jwe"
                count += 1
        nested = load(root / "6.nesting_signatures_and_encryption.json")["encrypt"]["output"]
        assert code(jws.read_compact, nested["compact"], typ=None) == "jws.is_jwe"
        assert count >= 20


def _wycheproof_key(group: dict[str, Any]) -> PublicKey | str:
    """The group's key, or the code with which it is refused."""
    shown = group.get("public") or group["private"]
    try:
        if "keys" in shown:
            found = jwk.read_set(shown)
            return next(iter(found.values())) if found else "key.private"
        return jwk.read(shown)
    except Malformed as refusal:
        return refusal.code


def _accepts(token: str | dict[str, Any], key: PublicKey) -> bool:
    if isinstance(token, dict):
        token = json.dumps(token)
    try:
        jws.check(jws.read_compact(token, typ=None), key)
    except (Malformed, Refused):
        return False
    return True


NOT_OFFERED = {"oct": "key.private", "RSA": "key.unsupported"}


class TestWycheproof:
    """Groups whose key is not offered (MAC, RSA, keys for encryption) are listed by the refusal of that key."""

    @pytest.mark.parametrize(
        ("file", "total", "run"), [("json_web_signature_test", 269, 27), ("json_web_crypto_test", 58, 12)]
    )
    def test_every_case_is_run_or_listed(self, file: str, total: int, run: int) -> None:
        tested = listed = encrypted = 0
        document = load(vectors("wycheproof") / f"{file}.json")
        for group in document["testGroups"]:
            key = _wycheproof_key(group)
            for case in group["tests"]:
                if "jwe" in case:
                    encrypted += 1
                    assert not isinstance(key, PublicKey)
                    text = case["jwe"] if isinstance(case["jwe"], str) else json.dumps(case["jwe"])
                    if text.count(".") == 4 or isinstance(case["jwe"], dict):
                        assert code(jws.read_compact, text, typ=None) == "jws.is_jwe"
                elif isinstance(key, str):
                    listed += 1
                    shown = group.get("public") or group["private"]
                    kty = shown.get("kty", "oct")
                    reasons = {NOT_OFFERED.get(kty), "key.use", "key.operations"}
                    assert key in reasons or shown["crv"] == "P-521", group["comment"]
                    # whatever the key, nothing of ours takes the token for one of another key
                    assert not _accepts(case["jws"], ISSUER.public_key)
                else:
                    tested += 1
                    assert _accepts(case["jws"], key) is (case["result"] == "valid"), case
        assert tested == run
        assert tested + listed + encrypted == document["numberOfTests"] == total

    def test_every_jwe_is_refused_by_name(self) -> None:
        document = load(vectors("wycheproof") / "json_web_encryption_test.json")
        count = 0
        for group in document["testGroups"]:
            for case in group["tests"]:
                count += 1
                expected = "jws.is_jwe" if case["jwe"].count(".") == 4 and case["jwe"][:1] != "{" else None
                found = code(jws.read_compact, case["jwe"], typ=None)
                assert expected is None or found == expected
                assert found.startswith("jws.")
        assert count == document["numberOfTests"] == 96
