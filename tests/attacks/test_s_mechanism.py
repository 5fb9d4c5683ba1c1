"""Group S, the part of the mechanism (RFC 9901): S01 to S29, S37 to S40. What SD-JWT VC adds is in test_s.py."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from cityid import limits
from cityid.errors import CityIdError, Malformed
from cityid.jose import jws, sd_jwt, sd_jwt_issue
from cityid.keys import jwk
from tests.sd_jwts import (
    AUDIENCE,
    CNF,
    HOLDER,
    ISSUER,
    NONCE,
    NOW,
    OTHER,
    TYP,
    b64,
    bound,
    check,
    digest,
    disclosure,
    issue,
    one,
    signed,
    token,
)  # fmt: skip

BODY, TEXT = one("salt", "a", 1)
BODY = {**BODY, "cnf": CNF}
WHOLE = token(BODY, TEXT)
SECOND = int(NOW.timestamp())


def code(text: str, **named: Any) -> str:
    """Why `text` is refused by a verifier that requires key binding."""
    with pytest.raises(CityIdError) as caught:
        check(text, **named)
    return caught.value.code


def read(text: str) -> dict[str, Any]:
    return sd_jwt.read(text, typ=TYP).payload


def refusal(text: str) -> str:
    with pytest.raises(Malformed) as caught:
        sd_jwt.read(text, typ=TYP)
    return caught.value.code


def test_the_twin_of_all_bindings() -> None:
    assert check(bound(WHOLE))["a"] == 1


def test_s01_a_disclosure_of_the_senders_own() -> None:
    assert refusal(WHOLE + disclosure("s", "admin", True) + "~") == "sd_jwt.unreferenced"
    assert read(WHOLE)


def test_s02_one_digest_twice() -> None:
    text = disclosure("s", "b", 1)
    found = digest(text)
    inside = disclosure("s", "c", {"_sd": [found]})
    for body, sent in (
        ({"_sd": [found, found]}, [text]),
        ({"_sd": [found], "n": [{"...": found}]}, []),
        ({"_sd": [found, digest(inside)]}, [text, inside]),
    ):
        assert refusal(token(body, *sent)) == "sd_jwt.digest_twice"
    assert read(token({"_sd": [found]}, text)) == {"b": 1}


def test_s03_one_disclosure_twice() -> None:
    assert refusal(token(BODY, TEXT, TEXT)) == "sd_jwt.disclosure_twice"
    assert read(token(BODY, TEXT))


@pytest.mark.parametrize("name", ["_sd", "...", "_sd_alg"])
def test_s04_s05_s10_a_claim_called_like_the_mechanism(name: str) -> None:
    assert refusal(token(*one("s", name, []))) == "sd_jwt.reserved_name"
    assert read(token(*one("s", name + "x", [])))[name + "x"] == []


@pytest.mark.parametrize("name", ["iss", "cnf"])
def test_s06_never_overwritten(name: str) -> None:
    text = disclosure("s", name, "evil")
    body = {**BODY, "_sd": [digest(text)]}
    assert refusal(token(body, text)) == "sd_jwt.name_taken"
    assert read(token({"_sd": [digest(text)]}, text)) == {name: "evil"}


def test_s07_two_disclosures_for_one_name() -> None:
    first, second = disclosure("1", "a", 1), disclosure("2", "a", 2)
    body = {"_sd": [digest(first), digest(second)]}
    assert refusal(token(body, first, second)) == "sd_jwt.name_taken"
    assert read(token(body, first)) == {"a": 1}


ARITY, SHAPE = "sd_jwt.arity", "sd_jwt.disclosure_types"


@pytest.mark.parametrize(
    ("content", "in_object", "in_array"),
    [
        ('["s","a",1]', None, ARITY), ('["s",1]', ARITY, None),
        ("[]", ARITY, ARITY), ('["s"]', ARITY, ARITY),
        ('["s","a",1,2]', ARITY, ARITY), ('{"s":1}', SHAPE, SHAPE),
        ('"sa1"', SHAPE, SHAPE), ('["s",2,1]', SHAPE, ARITY),
        ('[{},"a",1]', SHAPE, ARITY), ("[{},1]", ARITY, SHAPE),
    ],
)  # fmt: skip
def test_s08_a_disclosure_of_the_wrong_shape(content: str, in_object: str | None, in_array: str | None) -> None:
    text = b64(content)
    for body, expected in (({"_sd": [digest(text)]}, in_object), ({"n": [{"...": digest(text)}]}, in_array)):
        if expected is None:
            assert read(token(body, text)) in ({"a": 1}, {"n": [1]})
        else:
            assert refusal(token(body, text)) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"n": [{"...": "d", "x": 1}]}, "sd_jwt.placeholder"), ({"n": [{"...": 123}]}, "sd_jwt.placeholder"),
        ({"_sd": "d"}, "sd_jwt.digests"), ({"_sd": [1]}, "sd_jwt.digests"), ({"_sd": [None]}, "sd_jwt.digests"),
        ({"_sd": None}, "sd_jwt.digests"), ({"...": "d"}, "sd_jwt.reserved_name"),
    ],
)  # fmt: skip
def test_s09_reserved_names_for_something_else(body: dict[str, Any], expected: str) -> None:
    assert refusal(token(body)) == expected
    assert read(token({"n": [{"...": "d"}], "_sd": ["e"]})) == {"n": []}


@pytest.mark.parametrize("name", ["md5", "sha-1", "SHA-256", "sha-256-32", "unknown", 256])
def test_s10_hash_functions(name: Any) -> None:
    assert refusal(token({**BODY, "_sd_alg": name}, TEXT)) == "sd_jwt.hash"
    assert refusal(token({**BODY, "x": {"_sd_alg": "sha-256"}}, TEXT)) == "sd_jwt.reserved_name"
    assert read(token({**BODY, "_sd_alg": "sha-256"}, TEXT))


@pytest.mark.parametrize(
    "content",
    ['["salt","a",1]', '[ "salt", "a", 1]', '["salt", "\\u0061", 1]', '["salt", "a", 1] ', '["salt", "a", 1.0]'],
)
def test_s11_a_disclosure_encoded_again(content: str) -> None:
    original = b64('["salt", "a", 1]')
    assert original == TEXT
    assert refusal(token(BODY, b64(content))) == "sd_jwt.unreferenced"
    assert refusal(token(BODY, original + "=")) == "sd_jwt.unreferenced"
    assert read(token(BODY, original))


def test_s12_a_chain_of_disclosures() -> None:
    texts = [disclosure("s", "a", 1)]
    for _ in range(900):
        texts.append(disclosure("s", "a", {"_sd": [digest(texts[-1])]}))
    deep, many = (token({"_sd": [digest(texts[-1])]}, *sent) for sent in (texts, (texts * 6)[:5000]))
    start = time.process_time()
    assert refusal(deep) == "sd_jwt.disclosure_depth"
    assert refusal(many) == "sd_jwt.disclosures"
    assert time.process_time() - start < 0.25
    assert read(token({"_sd": [digest(texts[9])]}, *texts[:10]))


def test_s13_many_decoys_and_disclosures() -> None:
    assert refusal(token({"_sd": [str(number) for number in range(50_000)]})) == "sd_jwt.digest_count"
    assert refusal(token({"_sd": [f"decoy {number}" for number in range(100_000)]})) == "jws.too_large"
    assert refusal(signed({}) + "~" + "e30~" * 10_000) == "sd_jwt.disclosures"
    texts = [disclosure("s", f"a{number}", 1) for number in range(limits.DISCLOSURES)]
    decoys = [str(number) for number in range(15_000)]
    whole = token({"_sd": [*decoys, *map(digest, texts)]}, *texts)
    start = time.process_time()
    assert len(read(whole)) == limits.DISCLOSURES
    assert time.process_time() - start < 0.5


def test_s14_kb_stripped() -> None:
    assert code(WHOLE) == "binding.missing"
    assert code(WHOLE + "..") in ("json.syntax", "jws.alg_missing")
    kb = bound(WHOLE)[len(WHOLE) :]
    assert code(WHOLE + kb + "~") == "sd_jwt.unreferenced"
    assert check(WHOLE + kb)


def test_s15_an_invalid_kb_is_never_silent() -> None:
    """What nobody asked for is still there to be judged: the reader of an unbound presentation sees it."""
    found = sd_jwt.read(bound(WHOLE, OTHER), typ=TYP)
    assert found.binding is not None
    assert code(bound(WHOLE, OTHER)) == "signature.invalid"
    assert refusal(WHOLE + "x.y.z").startswith(("base64url.", "json."))
    assert sd_jwt.read(WHOLE, typ=TYP).binding is None


def test_s16_audience_and_nonce_cannot_be_forgotten() -> None:
    assert code(bound(WHOLE, aud=""), audience="") == "binding.no_audience"
    assert code(bound(WHOLE, nonce=""), nonce="") == "binding.no_nonce"
    from cityid.jose import key_binding

    with pytest.raises(TypeError):
        key_binding.check(None, b"", None)  # type: ignore[call-arg]


@pytest.mark.parametrize("nonce", ["another session's", NONCE[:-1], NONCE + "1", NONCE.swapcase(), " " + NONCE])
def test_s17_another_nonce(nonce: str) -> None:
    assert code(bound(WHOLE, nonce=nonce)) == "binding.nonce"
    assert code(bound(WHOLE), nonce=nonce) == "binding.nonce"
    assert code(bound(WHOLE, nonce=123)) == "binding.claim"


@pytest.mark.parametrize(
    "aud",
    ["x509_san_dns:evil.example", "library.lindau.example", AUDIENCE.upper(), "origin:https://library.lindau.example"],
)
def test_s18_another_audience(aud: str) -> None:
    assert code(bound(WHOLE, aud=aud)) == "binding.audience"
    assert code(bound(WHOLE, aud=[AUDIENCE])) == "binding.claim"
    assert code(bound(WHOLE), audience=aud) == "binding.audience"


def test_s19_sd_hash_over_something_else() -> None:
    first, second = disclosure("1", "b", 1), disclosure("2", "c", 2)
    body = {"cnf": CNF, "_sd": [digest(first), digest(second)]}
    issued = signed(body)
    ours = f"{issued}~{first}~{second}~"
    for other in (f"{issued}~{second}~{first}~", f"{issued}~{first}~", f"{issued}~", ours[:-1], ours + "~"):
        assert code(ours + bound(other)[len(other) :]) == "binding.sd_hash"
    assert check(bound(ours))
    text = disclosure("s", "b", 1)
    long = token({"cnf": CNF, "_sd_alg": "sha-512", "_sd": [digest(text, "sha512")]}, text)
    assert code(bound(long)) == "binding.sd_hash"
    assert check(bound(long, sd_hash=digest(long, "sha512")))


def test_s20_a_disclosure_removed_on_the_way() -> None:
    shown = bound(WHOLE)
    assert code(shown.replace(f"~{TEXT}~", "~")) == "binding.sd_hash"
    assert check(shown)


@pytest.mark.parametrize(
    ("iat", "expected"),
    [
        (SECOND - 10 * 365 * 86400, "binding.too_old"), (SECOND - 301, "binding.too_old"), (SECOND - 300, None),
        (SECOND + 600, "binding.ahead"), (SECOND + 61, "binding.ahead"), (SECOND + 60, None), (None, "binding.claim"),
        (str(SECOND), "binding.claim"), (float(SECOND), "binding.claim"), (True, "binding.claim"),
    ],
)  # fmt: skip
def test_s21_age(iat: Any, expected: str | None) -> None:
    if expected is None:
        assert check(bound(WHOLE, iat=iat))
    else:
        assert code(bound(WHOLE, iat=iat)) == expected


def test_s22_typ() -> None:
    assert code(bound(WHOLE, header={"typ": "JWT"})) == "binding.typ"
    assert code(bound(WHOLE, header={})) == "binding.typ"
    issued = signed(BODY, ISSUER, "kb+jwt")
    assert refusal(f"{issued}~{TEXT}~") == "jws.typ"


def test_s23_signed_by_the_wrong_key() -> None:
    for by in (ISSUER, OTHER):
        assert code(bound(WHOLE, by)) == "signature.invalid"
        assert code(bound(WHOLE, by, header={"typ": "kb+jwt", "jwk": jwk.write(by.public_key)})) == "signature.invalid"
    assert check(bound(WHOLE, HOLDER))


@pytest.mark.parametrize(
    ("cnf", "expected"),
    [
        (None, "binding.cnf"), ({}, "binding.cnf_method"), ({"kid": "x"}, "binding.cnf_method"),
        ({"jku": "https://evil.example"}, "binding.cnf_method"), ({"x5t#S256": "x"}, "binding.cnf_method"),
        ({**CNF, "kid": "x"}, "binding.cnf_method"), (CNF, None),
    ],
)  # fmt: skip
def test_s24_cnf(cnf: Any, expected: str | None) -> None:
    text = bound(token({**BODY, "cnf": cnf}, TEXT))
    if expected is None:
        assert check(text)
    else:
        assert code(text) == expected
    without = {name: value for name, value in BODY.items() if name != "cnf"}
    assert code(bound(token(without, TEXT))) == "binding.no_key"


@pytest.mark.parametrize("name", ["cnf", "exp", "nbf", "status", "vct", "iss"])
def test_s25_s26_what_came_out_of_a_disclosure_is_told(name: str) -> None:
    """The mechanism says which claims were hidden, and where; a format refuses those that must not be."""
    text = disclosure("s", name, CNF)
    found = sd_jwt.read(token({"_sd": [digest(text)]}, text), typ=TYP).processed
    assert set(found.hidden) == {(name,)}
    assert found.carriers == ((),)
    inside = disclosure("s", "jwk", CNF["jwk"])
    nested = token({name: {"_sd": [digest(inside)]}}, inside)
    assert set(sd_jwt.read(nested, typ=TYP).processed.hidden) == {(name, "jwk")}
    withheld = sd_jwt.read(token({name: {"_sd": [digest(inside)]}}), typ=TYP).processed
    assert (withheld.hidden, withheld.carriers) == ({}, ((name,),))


def test_s27_tildes() -> None:
    assert refusal(signed(BODY)) == "sd_jwt.no_tilde"
    assert refusal(WHOLE[:-1]) == "jws.segments"  # the last disclosure is no KB-JWT
    assert refusal(WHOLE + "~") == "sd_jwt.empty_disclosure"
    assert refusal("~" + WHOLE) == "jws.segments"
    assert refusal(bound(WHOLE) + "~") == "sd_jwt.unreferenced"
    assert read(WHOLE)


def test_s28_an_issuer_that_binds() -> None:
    with pytest.raises(Malformed, match=r"sd_jwt\.bound_by_issuer"):
        sd_jwt.read_issued(bound(WHOLE), typ=TYP)
    assert sd_jwt.read_issued(WHOLE, typ=TYP).binding is None


@pytest.mark.parametrize("member", [{"disclosures": [TEXT]}, {"kb_jwt": "x"}])
def test_s29_disclosures_in_the_wrong_header(member: dict[str, Any]) -> None:
    card = sd_jwt.read(WHOLE, typ=TYP)
    general = sd_jwt.general(card)
    second = {**general["signatures"][0], "header": member}
    with pytest.raises(Malformed, match=r"sd_jwt\.misplaced"):
        sd_jwt.read_json({**general, "signatures": [*general["signatures"], second]}, typ=TYP)
    protected = jws.read_compact(signed(BODY, ISSUER, **member), typ=TYP)
    with pytest.raises(Malformed, match=r"sd_jwt\.misplaced"):
        sd_jwt.read_json(jws.flattened(protected), typ=TYP)
    with pytest.raises(Malformed, match=r"sd_jwt\.misplaced|jws\.header_twice"):
        sd_jwt.read_json({**jws.flattened(card.jws, member), **member}, typ=TYP)
    text = json.dumps(sd_jwt.flattened(card)).replace('"disclosures":', '"disclosures": [], "disclosures":')
    with pytest.raises(Malformed, match=r"json\.duplicate"):
        sd_jwt.read_json(text, typ=TYP)
    assert sd_jwt.read_json(general, typ=TYP).payload == card.payload


def test_s37_salts_decoys_and_order() -> None:
    names = [f"claim_{number:02}" for number in range(20)]
    frame = sd_jwt_issue.frame([(name,) for name in names], decoys=3)
    salts: set[str] = set()
    ordered = 0
    for _ in range(200):
        made = issue({name: name for name in names}, frame, ISSUER, header={"typ": TYP})
        contents = [json.loads(_decoded(text)) for text in made.disclosures]
        salts.update(salt for salt, _, _ in contents)
        assert all(len(salt) >= 22 for salt, _, _ in contents)
        listed = json.loads(made.jws.payload)["_sd"]
        assert {len(found) for found in listed} == {43}
        assert len(listed) == 23
        claims = [digest(text.decode()) for text in made.disclosures]
        ordered += [found for found in listed if found in claims] == claims
    assert len(salts) == 200 * 20
    assert ordered == 0


def _decoded(text: bytes) -> bytes:
    from cityid.encoding import base64url

    return base64url.decode(text)


class _Unused:
    """A signer that must not be asked."""

    public_key = ISSUER.public_key

    def sign(self, message: bytes) -> bytes:
        raise AssertionError("signed")


@pytest.mark.parametrize("name", ["_sd", "...", "_sd_alg"])
@pytest.mark.parametrize("where", ["top", "object", "array", "hidden"])
def test_s38_a_claim_that_cannot_be_issued(name: str, where: str) -> None:
    bad: dict[str, dict[str, Any]] = {
        "top": {name: 1},
        "object": {"x": {name: 1}},
        "array": {"x": [[{name: 1}]]},
        "hidden": {"h": {"y": {name: 1}}},
    }
    frame = sd_jwt_issue.frame([("h",)])
    with pytest.raises(Malformed, match=r"sd_jwt\.claim_name"):
        issue(bad[where], frame, _Unused(), header={"typ": TYP})
    good: dict[str, Any] = {"x": {name + "x": 1}, "h": {"y": [{name + "x": name}]}}
    assert read(issue(good, frame, ISSUER, header={"typ": TYP}).prefix.decode()) == good


def test_s38_a_frame_that_hides_the_key() -> None:
    with pytest.raises(CityIdError, match=r"sd_jwt\.unhideable"):
        sd_jwt_issue.frame([("cnf",)])


def test_s39_a_child_brings_its_parent() -> None:
    frame = sd_jwt_issue.frame([("address",), ("address", "locality"), ("name",)])
    claims = {"address": {"locality": "Lindau"}, "name": "Anna"}
    card = issue(claims, frame, ISSUER, header={"typ": TYP})
    shown = sd_jwt.select(card, [("address", "locality")])
    assert read(shown.decode()) == {"address": {"locality": "Lindau"}}
    assert shown.count(b"~") == 3


def test_s40_only_the_processed_payload_is_offered() -> None:
    found = sd_jwt.read(WHOLE, typ=TYP)
    assert found.payload is found.processed.payload
    assert "_sd" not in found.payload
    assert found.payload["a"] == 1


@pytest.mark.parametrize("number", range(3))
def test_j14_j15_every_segment_is_strict(number: int) -> None:
    shown = bound(WHOLE)
    issued, text, kb = shown.split("~")
    for part, frame in ((issued, "{}~" + f"{text}~{kb}"), (kb, f"{issued}~{text}~" + "{}")):
        segments = part.split(".")
        for damage in ("=", " ", "\n", "!", "+", "/", "=\n", "AAAA="):
            damaged = [*segments]
            damaged[number] += damage
            assert code(frame.format(".".join(damaged))) in ("base64url.alphabet", "base64url.length", "base64url.tail")
        # the same bytes, in characters whose unused bits are set
        last = segments[number][-1]
        if len(segments[number]) % 4:
            damaged = [*segments]
            damaged[number] = segments[number][:-1] + chr(ord(last) + 1)
            assert code(frame.format(".".join(damaged))) in ("base64url.tail", "base64url.alphabet")
    assert check(shown)
