"""SD-JWT, RFC 9901, section by section; its printed examples; the cases of the reference implementation."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from cityid import limits
from cityid.encoding.json import kind
from cityid.errors import CityIdError, Malformed, Misuse, Refused
from cityid.jose import digests, jws, key_binding, sd_jwt, sd_jwt_issue
from cityid.keys import Algorithm, PublicKey, jwk
from tests.sd_jwts import (
    AUDIENCE,
    CNF,
    HOLDER,
    ISSUER,
    NONCE,
    NOW,
    TYP,
    b64,
    bound,
    check,
    digest,
    disclosure,
    issue,
    one,
    raw_jws,
    signed,
    signer,
    token,
)
from tests.vectors import load, vectors

HEADER = {"typ": TYP}
UNBOUND, TEXT = one("salt", "a", 1)
BODY = {**UNBOUND, "cnf": CNF}
WHOLE = token(BODY, TEXT)


def code(call: Any, *args: Any, **named: Any) -> str:
    with pytest.raises(CityIdError) as caught:
        call(*args, **named)
    return caught.value.code


def not_issued(claims: dict[str, Any], frame: sd_jwt_issue.Frame) -> str:
    """Why our own issuing says no; reading the result back, which would say it too, is not reached."""
    protected = jws.protected(HEADER, ISSUER.public_key)
    with pytest.raises(Malformed) as caught:
        sd_jwt_issue.issue(claims, frame, ISSUER, protected=protected)
    return caught.value.code


def refusal(text: str) -> str:
    with pytest.raises(Malformed) as caught:
        sd_jwt.read(text, typ=TYP)
    return caught.value.code


def payload(text: str) -> dict[str, Any]:
    return sd_jwt.read(text, typ=TYP).payload


class TestSection4Form:
    def test_no_disclosures(self) -> None:
        assert payload(signed({"a": 1}) + "~") == {"a": 1}

    def test_a_plain_jwt_is_none(self) -> None:
        assert refusal(signed({"a": 1})) == "sd_jwt.no_tilde"

    def test_nothing_between_tildes(self) -> None:
        assert refusal(signed({"a": 1}) + "~~") == "sd_jwt.empty_disclosure"
        assert refusal(signed({"a": 1}) + "~~~") == "sd_jwt.empty_disclosure"

    def test_nothing_before_the_first_tilde(self) -> None:
        assert refusal("~" + token({"a": 1})) == "jws.segments"

    def test_text_after_the_last_tilde_is_a_kb_jwt(self) -> None:
        body, text = one("salt", "a", 1)
        assert refusal(signed(body) + "~" + text) == "jws.segments"
        assert sd_jwt.read(token(body, text), typ=TYP).binding is None
        found = sd_jwt.read(bound(token(body, text)), typ=TYP)
        assert found.binding is not None
        assert found.prefix.decode() == token(body, text)

    def test_the_kb_jwt_holds_an_object(self) -> None:
        assert refusal(token({"a": 1}) + signed([], HOLDER, "kb+jwt")) == "json.not_an_object"

    def test_size(self) -> None:
        text = token({"a": 1})
        assert code(sd_jwt.read, text, typ=TYP, limit=len(text) - 1) == "jws.too_large"
        assert sd_jwt.read(text, typ=TYP, limit=len(text)).payload == {"a": 1}

    def test_typ(self) -> None:
        assert code(sd_jwt.read, token({"a": 1}), typ="dc+sd-jwt") == "jws.typ"

    def test_bytes_and_text(self) -> None:
        text = token({"a": 1})
        assert sd_jwt.read(text, typ=TYP) == sd_jwt.read(text.encode(), typ=TYP)
        assert refusal(text + "\ud800") == "jws.segments"


class TestSection41IssuerSignedJwt:
    def test_the_payload_is_an_object(self) -> None:
        assert refusal(token([])) == "json.not_an_object"

    @pytest.mark.parametrize("name", ["sha-256", "sha-384", "sha-512", "sha3-256", "sha3-384", "sha3-512"])
    def test_hash_functions(self, name: str) -> None:
        text = disclosure("salt", "a", 1)
        python = name.replace("sha-", "sha").replace("sha3-", "sha3_")
        body = {"_sd_alg": name, "_sd": [digest(text, python)]}
        found = sd_jwt.read(token(body, text), typ=TYP)
        assert found.payload == {"a": 1}
        assert found.processed.hash.name == name

    @pytest.mark.parametrize(
        "name", ["md5", "sha-1", "SHA-256", "sha256", "sha-256-32", "sha-224", "", 256, None, ["sha-256"], True]
    )
    def test_other_hash_functions(self, name: Any) -> None:
        assert refusal(token({"_sd_alg": name})) == "sd_jwt.hash"

    def test_sha_256_is_the_default(self) -> None:
        body, text = one("salt", "a", 1)
        assert sd_jwt.read(token(body, text), typ=TYP).processed.hash is digests.HASHES["sha-256"]

    def test_sd_alg_stands_at_the_top(self) -> None:
        assert refusal(token({"a": {"_sd_alg": "sha-256"}})) == "sd_jwt.reserved_name"
        assert refusal(token({"a": [{"_sd_alg": "sha-256"}]})) == "sd_jwt.reserved_name"

    def test_three_dots_are_no_name_of_a_claim(self) -> None:
        for body in ({"...": "x"}, {"a": {"...": "x"}}, {"a": {"b": {"...": 1}}}):
            with pytest.raises(Malformed) as caught:
                sd_jwt.read(token(body), typ=TYP)
            assert caught.value.code == "sd_jwt.reserved_name"
            assert caught.value.problem.facts == {"name": "..."}

    @pytest.mark.parametrize("found", ["x", None, 1, {}, {"a": 1}, [1], [None], ["a", 1], [["a"]]])
    def test_sd_is_an_array_of_strings(self, found: Any) -> None:
        assert refusal(token({"_sd": found})) == "sd_jwt.digests"
        assert refusal(token({"a": {"_sd": found}})) == "sd_jwt.digests"

    def test_an_empty_sd(self) -> None:
        assert payload(token({"a": {"_sd": []}})) == {"a": {}}


class TestSection42Disclosures:
    def test_property(self) -> None:
        body, text = one("salt", "a", {"b": [1, None]})
        assert payload(token(body, text)) == {"iss": "https://id.lindau.example", "a": {"b": [1, None]}}

    def test_array_elements_and_their_positions(self) -> None:
        first, second = disclosure("s1", "FR"), disclosure("s2", None)
        body = {"n": ["DE", {"...": digest(first)}, {"...": "decoy"}, {"...": digest(second)}, "US"]}
        found = sd_jwt.read(token(body, first, second), typ=TYP)
        assert found.payload == {"n": ["DE", "FR", None, "US"]}
        assert found.processed.positions == {("n",): (0, 1, 3, 4)}
        assert found.processed.hidden == {("n", 1): first.encode(), ("n", 3): second.encode()}
        assert found.processed.carriers == (("n",),)

    def test_positions_are_given_only_where_something_was_dropped(self) -> None:
        text = disclosure("s", "FR")
        assert sd_jwt.read(token({"n": [{"...": digest(text)}]}, text), typ=TYP).processed.positions == {}

    def test_recursive(self) -> None:
        inner = disclosure("s1", "FR")
        middle = disclosure("s2", "nationalities", ["DE", {"...": digest(inner)}])
        body = {"person": {"_sd": [digest(middle)]}}
        found = sd_jwt.read(token(body, inner, middle), typ=TYP)
        assert found.payload == {"person": {"nationalities": ["DE", "FR"]}}
        assert set(found.processed.hidden) == {("person", "nationalities"), ("person", "nationalities", 1)}
        assert sd_jwt.select(found, [("person", "nationalities", 1)]).count(b"~") == 3
        assert sd_jwt.select(found, [("person", "nationalities")]).count(b"~") == 2
        alone = sd_jwt.read(token(body, middle), typ=TYP)
        assert alone.payload == {"person": {"nationalities": ["DE"]}}
        assert alone.processed.positions == {("person", "nationalities"): (0,)}

    def test_recursive_in_an_object_and_in_an_array(self) -> None:
        leaf = disclosure("s1", "locality", "Lindau")
        element = disclosure("s2", {"_sd": [digest(leaf)], "open": 1})
        array = disclosure("s3", [{"...": digest(element)}])
        found = sd_jwt.read(token({"a": [[{"...": digest(array)}]]}, leaf, element, array), typ=TYP)
        assert found.payload == {"a": [[[{"open": 1, "locality": "Lindau"}]]]}
        assert set(found.processed.hidden) == {("a", 0, 0), ("a", 0, 0, 0), ("a", 0, 0, 0, "locality")}
        assert sd_jwt.select(found, [("a", 0, 0, 0, "locality")]).count(b"~") == 4
        assert found.processed.carriers[0] == ("a", 0, 0, 0)

    def test_white_space_and_escapes_give_other_disclosures(self) -> None:
        for text in ('["s","a",1]', '[ "s", "a", 1 ]', '["s","\\u0061",1]', '\n["s","a",1]\n'):
            assert payload(token({"_sd": [digest(b64(text))]}, b64(text))) == {"a": 1}

    def test_the_digest_is_over_the_text_received(self) -> None:
        first, second = b64('["s","a",1]'), b64('["s", "a",1]')
        assert refusal(token({"_sd": [digest(first)]}, second)) == "sd_jwt.unreferenced"

    def test_names_of_the_mechanism(self) -> None:
        for name in ("_sd", "...", "_sd_alg"):
            assert refusal(token(*one("s", name, 1))) == "sd_jwt.reserved_name"
        assert payload(token(*one("s", "_sd_", 1)))["_sd_"] == 1

    def test_a_name_that_is_there(self) -> None:
        assert refusal(token(*one("s", "iss", "https://evil.example"))) == "sd_jwt.name_taken"

    @pytest.mark.parametrize("text", ["W10", "WyJzIl0", b64('["s","a",1,2]'), b64('["s",1]')])
    def test_three_parts_in_an_object(self, text: str) -> None:
        assert refusal(token({"_sd": [digest(text)]}, text)) == "sd_jwt.arity"

    @pytest.mark.parametrize("text", ["W10", "WyJzIl0", b64('["s","a",1]')])
    def test_two_parts_in_an_array(self, text: str) -> None:
        assert refusal(token({"a": [{"...": digest(text)}]}, text)) == "sd_jwt.arity"

    @pytest.mark.parametrize(
        "text", ["{}", '"s"', "1", "null", '{"s":1,"a":2,"b":3}', '[1,"a",1]', '[{},"a",1]', '["s",1,1]']
    )
    def test_types_in_an_object(self, text: str) -> None:
        assert refusal(token({"_sd": [digest(b64(text))]}, b64(text))) == "sd_jwt.disclosure_types"

    @pytest.mark.parametrize("text", ["{}", '"ss"', '{"a":1,"b":2}', "[1,1]", "[null,1]", "[[],1]"])
    def test_types_in_an_array(self, text: str) -> None:
        assert refusal(token({"a": [{"...": digest(b64(text))}]}, b64(text))) == "sd_jwt.disclosure_types"

    @pytest.mark.parametrize(
        "item", [{"...": 1}, {"...": None}, {"...": ["x"]}, {"...": "x", "y": 1}, {"...": "x", "_sd": []}]
    )
    def test_placeholders(self, item: dict[str, Any]) -> None:
        assert refusal(token({"a": [item]})) == "sd_jwt.placeholder"
        assert payload(token({"a": [{"...": "x"}]})) == {"a": []}

    def test_a_disclosed_element_is_no_placeholder(self) -> None:
        text = disclosure("s", {"...": "x"})
        assert refusal(token({"a": [{"...": digest(text)}]}, text)) == "sd_jwt.reserved_name"

    @pytest.mark.parametrize("name", ["sha-256", "sha-384", "sha-512", "sha3-256", "sha3-384", "sha3-512"])
    @pytest.mark.parametrize("count", [1, 2, 3, 17])
    def test_many_digests_at_once(self, name: str, count: int) -> None:
        python = name.replace("sha-", "sha").replace("sha3-", "sha3_")
        messages = [f"message {number}" for number in range(count)]
        expected = [digest(message, python) for message in messages]
        assert digests.HASHES[name].texts([message.encode() for message in messages]) == expected

    def test_the_snippets_of_the_section(self) -> None:
        snippets = load(vectors("sd-jwt") / "rfc9901" / "section4-snippets.json")
        # the texts printed in §4.2.1, §4.2.2 and §4.2.3
        family = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0"
        element = "WyJsa2x4RjVqTVlsR1RQVW92TU5JdkNBIiwgIkZSIl0"
        assert [json.loads(_decoded(family))] == [item["contents"] for item in snippets["disclosureEncodings"]]
        assert json.loads(_decoded(element)) == snippets["4.2.2-array-element"]["elementDisclosureContents"]
        assert payload(token(snippets["4.2.4.1-payload"], family)) == {"given_name": "Alice", "family_name": "Möbius"}
        assert payload(token(snippets["4.2.4.2-payload"], element)) == snippets["4.2.2-array-element"]["claims"]
        found = sd_jwt.read(token(snippets["4.2.4.2-payload"]), typ=TYP)
        assert found.payload == {"nationalities": ["DE", "US"]}
        # §4.2.6 prints contents, not the characters that were hashed; what it shows is that nesting works
        for step in ("4.2.6-step1", "4.2.6-step2"):
            assert isinstance(snippets[step], str)
        frame = sd_jwt_issue.frame([("nationalities",), ("nationalities", None)])
        made = issue(snippets["4.2.6-input"], frame, ISSUER, header=HEADER)
        assert payload(made.prefix.decode()) == snippets["4.2.6-input"]
        assert {("nationalities",), ("nationalities", 2)} <= set(made.processed.hidden)
        assert set(snippets) == {
            "source", "disclosureEncodings", "4.2.2-array-element", "4.2.4.1-payload", "4.2.4.2-payload",
            "4.2.6-input", "4.2.6-step1", "4.2.6-step2",
        }  # fmt: skip


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


CLAIMS: dict[str, Any] = {
    "iss": "https://id.lindau.example", "cnf": CNF, "given_name": "Zoë \"Z\" 李", "age_over_18": True, "minor": False,
    "address": {"locality": "Lindau", "country": "DE"}, "nationalities": ["DE", "FR"], "floors": 3, "height": 1.5,
    "nothing": None, "nested": {"deep": [{"x": [1, {"y": "z"}]}]},
}  # fmt: skip
PATHS: list[tuple[str | int | None, ...]] = [
    ("given_name",), ("age_over_18",), ("minor",), ("address",), ("address", "locality"), ("nationalities", None),
    ("floors",), ("height",), ("nothing",), ("nested", "deep", None, "x"), ("nested", "deep"), ("absent",),
]  # fmt: skip


class TestSection42Issuing:
    def test_what_is_issued_reads_back(self) -> None:
        for name in digests.HASHES:
            frame = sd_jwt_issue.frame(PATHS, hash=name, decoys=2)
            made = issue(CLAIMS, frame, ISSUER, header={"typ": TYP, "kid": "one"})
            jws.check(made.jws, ISSUER.public_key)
            assert made.jws.header == {"alg": "ES256", "typ": TYP, "kid": "one"}
            assert made.payload == CLAIMS
            assert set(made.processed.carriers) == {
                (), ("address",), ("nationalities",), ("nested",), ("nested", "deep", 0),
            }  # fmt: skip
            # array decoys stay behind as dropped elements
            assert set(made.processed.positions) == {("nationalities",)}

    def test_nothing_hidden(self) -> None:
        made = issue({"a": [{"b": 1}]}, sd_jwt_issue.frame([]), ISSUER, header=HEADER)
        assert made.disclosures == ()
        assert json.loads(made.jws.payload) == {"a": [{"b": 1}], "_sd_alg": "sha-256"}
        assert payload(made.prefix.decode()) == {"a": [{"b": 1}]}

    def test_digests_are_sorted_and_decoys_among_them(self) -> None:
        claims = {name: name for name in "abcdefgh"}
        frame = sd_jwt_issue.frame([(name,) for name in claims], decoys=5)
        made = issue(claims, frame, ISSUER, header=HEADER)
        body = json.loads(made.jws.payload)
        assert len(body["_sd"]) == len(claims) + 5
        assert body["_sd"] == sorted(body["_sd"])
        assert {len(text) for text in body["_sd"]} == {43}

    def test_sd_is_omitted_where_nothing_is_hidden(self) -> None:
        made = issue({"a": {}}, sd_jwt_issue.frame([("a", "b")]), ISSUER, header=HEADER)
        assert json.loads(made.jws.payload)["a"] == {}
        decoyed = issue({"a": {}}, sd_jwt_issue.frame([("a", "b")], decoys=1), ISSUER, header=HEADER)
        assert len(json.loads(decoyed.jws.payload)["a"]["_sd"]) == 1

    def test_a_padded_frame_gives_everybody_the_same_number_of_digests(self) -> None:
        paths = [("a",), ("b",), ("c", "d"), ("c", "e"), ("f",)]
        for decoys in (0, 2):
            frame = sd_jwt_issue.frame(paths, decoys=decoys, padded=True)
            for claims in ({"a": 1, "b": 2, "c": {"d": 1, "e": 2}, "f": 3}, {"b": 1, "c": {}}, {"c": {"e": 1}}):
                made = issue(claims, frame, ISSUER, header=HEADER)
                body = json.loads(made.jws.payload)
                assert (len(body["_sd"]), len(body["c"]["_sd"])) == (3 + decoys, 2 + decoys)
                assert body["_sd"] == sorted(body["_sd"])
                assert payload(made.prefix.decode()) == claims

    def test_decoys_of_arrays_follow_the_elements(self) -> None:
        frame = sd_jwt_issue.frame([("a", 1)], decoys=2)
        made = issue({"a": ["x", "y"]}, frame, ISSUER, header=HEADER)
        array = json.loads(made.jws.payload)["a"]
        assert array[0] == "x"
        assert [set(item) for item in array[1:]] == [{"..."}] * 3
        assert list(made.processed.hidden) == [("a", 1)]

    def test_decoys_inside_disclosures(self) -> None:
        frame = sd_jwt_issue.frame([("a",), ("a", "b")], decoys=3)
        made = issue({"a": {"b": 1}}, frame, ISSUER, header=HEADER)
        content = json.loads(_decoded(made.processed.hidden[("a",)].decode()))[2]
        assert len(content["_sd"]) == 4
        assert content["_sd"] == sorted(content["_sd"])

    def test_one_generation_inside_another(self) -> None:
        paths = [("a",), ("a", "b"), ("a", "b", "c"), ("a", "b", "c", None), ("z",)]
        claims = {"a": {"b": {"c": [1, 2]}}, "z": 0}
        made = issue(claims, sd_jwt_issue.frame(paths), ISSUER, header=HEADER)
        assert payload(made.prefix.decode()) == claims
        assert set(made.processed.hidden) == {*paths[:3], ("a", "b", "c", 0), ("a", "b", "c", 1), ("z",)}
        assert sd_jwt.select(made, [("a", "b", "c", 1)]).count(b"~") == 5
        assert sd_jwt.select(made, [("z",)]).count(b"~") == 2

    def test_frame_paths(self) -> None:
        for path in ((), (None,), (0,), ("_sd",), ("a", "..."), ("a", "_sd_alg"), ("a", -1), ("a", 1.5), ("a", True)):
            assert code(sd_jwt_issue.frame, [path]) == "sd_jwt.frame_path"
        for paths in ([("a", "b"), ("a", None)], [("a", 0), ("a", None)], [("a", "b"), ("a", 1)]):
            assert code(sd_jwt_issue.frame, paths) == "sd_jwt.frame_path"
        assert sd_jwt_issue.frame([("a", 0), ("a", 1)]).decoys == 0

    def test_frame_numbers_and_names(self) -> None:
        assert code(sd_jwt_issue.frame, [], decoys=-1) == "sd_jwt.frame_decoys"
        assert code(sd_jwt_issue.frame, [], decoys=limits.DIGESTS + 1) == "sd_jwt.frame_decoys"
        assert sd_jwt_issue.frame([], decoys=limits.DIGESTS).decoys == limits.DIGESTS
        assert code(sd_jwt_issue.frame, [], hash="SHA-256") == "sd_jwt.frame_hash"

    @pytest.mark.parametrize(
        ("claims", "expected"),
        [
            ({"a": 2**53}, "json.integer_too_large"),
            ({"a": -(2**53)}, "json.integer_too_large"),
            ({"h": float("nan")}, "json.not_finite"),
            ({"a": float("inf")}, "json.not_finite"),
            ({"h": "\ud800"}, "json.surrogate"),
            ({"a": "\ud800"}, "json.surrogate"),
            ({"a": (1, 2)}, "json.not_json"),
            ({"a": {"b": b"x"}}, "json.not_json"),
            ({"h": {1}}, "json.not_json"),
            ({1: 2}, "sd_jwt.claim_name"),
            ({"a": {None: 2}}, "sd_jwt.claim_name"),
        ],
    )
    def test_what_cannot_be_said_in_json(self, claims: dict[Any, Any], expected: str) -> None:
        assert not_issued(claims, sd_jwt_issue.frame([("h",)])) == expected

    @pytest.mark.parametrize("claims", [{"h": "\ud800"}, {"a": "\ud800"}, {"h": ["\ud800"]}, {"\udfff": 1}])
    def test_lone_surrogates(self, claims: dict[str, Any]) -> None:
        assert not_issued(claims, sd_jwt_issue.frame([("h",)])) == "json.surrogate"
        made = issue({"h": "\U00010000"}, sd_jwt_issue.frame([("h",)]), ISSUER, header=HEADER)
        assert made.payload == {"h": "\U00010000"}

    def test_disclosures_are_cut_apart_wherever_zeros_stand(self) -> None:
        claims = {name: value for number in range(6) for name, value in (
            (f"a{number}", "\0" * number), (f"b{number}", "A" * number + "AAAA"), (f"c{number}", "ä" * number),
        )}  # fmt: skip
        made = issue(claims, sd_jwt_issue.frame([(name,) for name in claims]), ISSUER, header=HEADER)
        assert made.payload == claims
        assert all(len(text) % 4 == 0 for text in made.disclosures)

    def test_the_greatest_integers(self) -> None:
        claims = {"a": 2**53 - 1, "h": -(2**53) + 1}
        made = issue(claims, sd_jwt_issue.frame([("h",)]), ISSUER, header=HEADER)
        assert payload(made.prefix.decode()) == claims

    def test_depth(self) -> None:
        def nest(levels: int, leaf: Any) -> Any:
            for level in range(levels):
                leaf = {"a": leaf} if level % 2 else [leaf]
            return leaf

        frame = sd_jwt_issue.frame([])
        leaves: list[Any] = [1, [], {}]
        for leaf in leaves:
            inside = limits.DEPTH - 1 - (leaf != 1)
            made = issue({"a": nest(inside, leaf)}, frame, ISSUER, header=HEADER)
            assert payload(made.prefix.decode()) == made.payload
            deeper = {"a": nest(inside + 1, leaf)}
            assert not_issued(deeper, frame) == "json.too_deep"

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (("a", "b"), "text"), (("a", "b"), 1), (("a", "b"), None), (("a", "b"), ["x"]), (("a", None), {"b": 1}),
            (("a", None), "text"), (("a", 0), True), (("a", "b", "c"), {"b": 1.5}), (("a", None, "c"), ["x"]),
        ],
    )  # fmt: skip
    def test_a_frame_that_does_not_fit_shows_nothing(self, path: tuple[Any, ...], value: Any) -> None:
        frame = sd_jwt_issue.frame([path])
        assert not_issued({"a": value}, frame) == "sd_jwt.frame_mismatch"

    def test_no_more_than_we_would_read(self) -> None:
        many = {"a": list(range(limits.DISCLOSURES))}
        frame = sd_jwt_issue.frame([("a", None)])
        made = issue(many, frame, ISSUER, header=HEADER)
        assert payload(made.prefix.decode()) == many
        more = {"a": list(range(limits.DISCLOSURES + 1))}
        assert not_issued(more, frame) == "sd_jwt.disclosures"

    def test_no_more_digests_than_we_would_read(self) -> None:
        for decoys, expected in ((limits.DIGESTS - 1, "jws.too_large"), (limits.DIGESTS, "sd_jwt.digest_count")):
            frame = sd_jwt_issue.frame([("a",)], decoys=decoys)
            assert not_issued({"a": 1}, frame) == expected

    def test_no_deeper_than_we_would_read(self) -> None:
        def chain(length: int) -> tuple[dict[str, Any], list[tuple[str, ...]]]:
            claims: dict[str, Any] = {"a": 1}
            for _ in range(length - 1):
                claims = {"a": claims}
            return claims, [("a",) * (n + 1) for n in range(length)]

        claims, paths = chain(limits.DISCLOSURE_DEPTH)
        made = issue(claims, sd_jwt_issue.frame(paths), ISSUER, header=HEADER)
        assert payload(made.prefix.decode()) == claims
        claims, paths = chain(limits.DISCLOSURE_DEPTH + 1)
        frame = sd_jwt_issue.frame(paths)
        assert not_issued(claims, frame) == "sd_jwt.disclosure_depth"

    def test_no_larger_than_we_would_read(self) -> None:
        frame = sd_jwt_issue.frame([("a",)])
        at = len(issue({"a": "x" * 600_000}, frame, ISSUER, header=HEADER).prefix)
        room = (limits.DOCUMENT - at) * 3 // 4 - 6
        made = issue({"a": "x" * (600_000 + room)}, frame, ISSUER, header=HEADER)
        assert limits.DOCUMENT - 16 < len(made.prefix) <= limits.DOCUMENT
        claims = {"a": "x" * (600_000 + room + 12)}
        assert not_issued(claims, frame) == "jws.too_large"


class TestSection43KeyBinding:
    def test_a_presentation(self) -> None:
        found = sd_jwt.read(WHOLE, typ=TYP)
        extra = {"transaction_data_hashes": ["x"]}
        kb = key_binding.bind(
            found.prefix, HOLDER, hash=found.processed.hash, audience=AUDIENCE, nonce=NONCE, at=NOW, extra=extra
        )
        read = sd_jwt.read(found.prefix + kb, typ=TYP)
        assert read.binding is not None
        assert read.binding.jws.header == {"alg": "ES256", "typ": "kb+jwt"}
        assert read.binding.claims == {
            "iat": int(NOW.timestamp()), "aud": AUDIENCE, "nonce": NONCE, "sd_hash": digest(WHOLE),
            **extra,
        }  # fmt: skip
        assert check((found.prefix + kb).decode())["a"] == 1

    def test_what_bind_refuses(self) -> None:
        named: dict[str, Any] = {"hash": digests.HASHES["sha-256"], "audience": AUDIENCE, "nonce": NONCE, "at": NOW}
        assert code(key_binding.bind, b"a.b.c", HOLDER, **named) == "binding.prefix"
        assert code(key_binding.bind, b"a.b.c~", HOLDER, **named, extra={"nonce": "x"}) == "binding.extra"
        assert key_binding.bind(b"a.b.c~", HOLDER, **named, extra={}).count(b".") == 2

    @pytest.mark.parametrize("name", ["aud", "nonce", "sd_hash"])
    @pytest.mark.parametrize("value", [None, 1, ["x"], {}, True])
    def test_required_strings(self, name: str, value: Any) -> None:
        with pytest.raises(Refused) as caught:
            check(bound(WHOLE, **{name: value}))
        assert caught.value.code == "binding.claim"
        found = "nothing" if value is None else kind(value)
        assert caught.value.problem.facts == {"name": name, "expected": "string", "found": found}

    @pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
    @pytest.mark.parametrize("value", ["1777887000", 1.5, True, []])
    def test_times_are_integers(self, name: str, value: Any) -> None:
        assert code(check, bound(WHOLE, **{name: value})) == "binding.claim"

    def test_iat_is_required(self) -> None:
        assert code(check, bound(WHOLE, iat=None)) == "binding.claim"

    def test_sd_hash_uses_the_hash_of_the_token(self) -> None:
        text = disclosure("salt", "a", 1)
        whole = token({"_sd": [digest(text, "sha512")], "_sd_alg": "sha-512", "cnf": CNF}, text)
        assert check(bound(whole, sd_hash=digest(whole, "sha512")))["a"] == 1
        assert code(check, bound(whole)) == "binding.sd_hash"

    def test_ed25519_holder(self) -> None:
        holder = signer(7, Algorithm.EDDSA)
        body = {**BODY, "cnf": {"jwk": jwk.write(holder.public_key)}}
        assert check(bound(token(body, TEXT), holder))["a"] == 1


class TestSection412Confirmation:
    def test_no_cnf(self) -> None:
        assert sd_jwt.holder_key({}) is None

    def test_jwk(self) -> None:
        assert sd_jwt.holder_key({"cnf": CNF}) == HOLDER.public_key

    @pytest.mark.parametrize("cnf", [None, "x", [], 1])
    def test_no_object(self, cnf: Any) -> None:
        assert code(sd_jwt.holder_key, {"cnf": cnf}) == "binding.cnf"

    @pytest.mark.parametrize("cnf", [{}, {"kid": "x"}, {"jku": "https://x"}, {"x5t#S256": "x"}, {**CNF, "kid": "x"}])
    def test_other_methods(self, cnf: dict[str, Any]) -> None:
        assert code(sd_jwt.holder_key, {"cnf": cnf}) == "binding.cnf_method"

    @pytest.mark.parametrize("name", ["jwe", "jku", "kid", "x5t#S256", "jkt", "osc"])
    def test_a_second_method(self, name: str) -> None:
        assert code(sd_jwt.holder_key, {"cnf": {**CNF, name: "x"}}) == "binding.cnf_method"

    @pytest.mark.parametrize("name", ["x", "JWK", "", "key_storage"])
    def test_members_that_are_no_method_are_ignored(self, name: str) -> None:
        """RFC 7800 §3.1."""
        assert sd_jwt.holder_key({"cnf": {**CNF, name: {"kid": "x"}}}) == HOLDER.public_key
        assert code(sd_jwt.holder_key, {"cnf": {name: "x"}}) == "binding.cnf_method"

    def test_a_jwk_that_is_none(self) -> None:
        assert code(sd_jwt.holder_key, {"cnf": {"jwk": "x"}}) == "json.wrong_type"


class TestSection71Processing:
    def test_a_disclosure_that_belongs_nowhere(self) -> None:
        body, text = one("salt", "a", 1)
        assert refusal(token(body, text, disclosure("salt", "admin", True))) == "sd_jwt.unreferenced"
        assert payload(token(body))  # undisclosed digests are no error

    def test_a_child_without_its_parent(self) -> None:
        child = disclosure("s1", "b", 1)
        parent = disclosure("s2", "a", {"_sd": [digest(child)]})
        body = {"_sd": [digest(parent)]}
        assert payload(token(body, parent, child)) == {"a": {"b": 1}}
        assert payload(token(body, parent)) == {"a": {}}
        assert refusal(token(body, child)) == "sd_jwt.unreferenced"

    def test_the_same_disclosure_twice(self) -> None:
        body, text = one("salt", "a", 1)
        assert refusal(token(body, text, text)) == "sd_jwt.disclosure_twice"

    def test_the_same_digest_twice(self) -> None:
        text, other = disclosure("s", "a", 1), disclosure("s", "FR")
        one_, two = digest(text), digest(other)
        for body in (
            {"_sd": [one_, one_]},
            {"_sd": [one_], "x": {"_sd": [one_]}},
            {"_sd": [one_], "x": [{"...": one_}]},
            {"x": [{"...": one_}, {"...": one_}]},
        ):
            assert refusal(token(body)) == "sd_jwt.digest_twice"
        # whether it was disclosed or not
        assert refusal(token({"_sd": [one_, one_]}, text)) == "sd_jwt.digest_twice"
        assert refusal(token({"x": [{"...": two}, {"...": two}]}, other)) == "sd_jwt.digest_twice"
        inside = disclosure("s", "b", {"_sd": [one_]})
        assert refusal(token({"_sd": [one_, digest(inside)]}, inside)) == "sd_jwt.digest_twice"

    def test_two_disclosures_of_one_name(self) -> None:
        first, second = disclosure("s1", "a", 1), disclosure("s2", "a", 2)
        body = {"_sd": [digest(first), digest(second)]}
        assert refusal(token(body, first, second)) == "sd_jwt.name_taken"
        assert payload(token(body, second)) == {"a": 2}

    def test_nothing_of_the_mechanism_is_left(self) -> None:
        text = disclosure("s", "b", {"_sd": ["decoy"], "c": [{"...": "decoy1"}]})
        body = {"_sd_alg": "sha-256", "_sd": [digest(text), "decoy2"], "a": {"_sd": ["decoy3"]}}
        assert payload(token(body, text)) == {"a": {}, "b": {"c": []}}

    def test_a_disclosure_is_read_strictly(self) -> None:
        for text, expected in (
            (b64('["s","a",{"b":1,"b":2}]'), "json.duplicate"),
            (b64('["s","a",NaN]'), "json.not_finite"),
            (b64('["s","a",1] x'), "json.trailing"),
            (b64(b"\xff"), "json.not_utf8"),
            (b64('["s","a",1]') + "=", "base64url.alphabet"),
            (b64('["s","a",11]') + "A", "base64url.length"),
            ("WyJzIiwiYSIsMTF+", "base64url.alphabet"),
            ("WyJzIiwiYSIsMV1", "base64url.tail"),
        ):
            assert refusal(token({"_sd": [digest(text)]}, text)) == expected

    def test_the_number_of_disclosures(self) -> None:
        texts = [disclosure("s", f"a{n}", n) for n in range(limits.DISCLOSURES + 1)]
        body = {"_sd": [digest(text) for text in texts]}
        assert len(payload(token(body, *texts[:-1]))) == limits.DISCLOSURES
        assert refusal(token(body, *texts)) == "sd_jwt.disclosures"
        assert len(sd_jwt.read(bound(token(body, *texts[:-1])), typ=TYP).payload) == limits.DISCLOSURES
        assert refusal(bound(token(body, *texts))) == "sd_jwt.disclosures"
        assert refusal(token(body, *texts, *texts, *texts)) == "sd_jwt.disclosures"

    def test_the_number_of_digests(self) -> None:
        found = [f"d{n}" for n in range(limits.DIGESTS)]
        assert payload(token({"a": 1, "_sd": found})) == {"a": 1}
        assert refusal(token({"_sd": [*found, "more"]})) == "sd_jwt.digest_count"
        assert refusal(token({"_sd": found, "a": [{"...": "more"}]})) == "sd_jwt.digest_count"
        items = [{"...": text} for text in found]
        assert payload(token({"a": items})) == {"a": []}
        assert refusal(token({"a": [*items, {"...": "more"}]})) == "sd_jwt.digest_count"

    def test_depth_counts_disclosed_values(self) -> None:
        def nest(levels: int) -> Any:
            value: Any = 1
            for _ in range(levels):
                value = [value]
            return value

        for levels, fits in ((limits.DEPTH - 1, True), (limits.DEPTH, False)):
            text = disclosure("s", "a", nest(levels))
            body = {"_sd": [digest(text)]}
            if fits:
                assert payload(token(body, text)) == {"a": nest(levels)}
            else:
                assert refusal(token(body, text)) == "json.too_deep"
        objects: Any = {}
        for _ in range(limits.DEPTH - 1):
            objects = {"a": objects}
        assert payload(token(objects)) == objects
        assert refusal(token({"a": objects})) == "json.too_deep"

    def test_values_are_counted_with_those_disclosed(self) -> None:
        half = [0] * (limits.NODES // 2)
        text = disclosure("s", "a", half)
        assert len(payload(token({"b": half[:-9], "_sd": [digest(text)]}, text))) == 2
        assert refusal(token({"b": half, "_sd": [digest(text)]}, text)) == "json.too_many_values"
        names = {str(number): 0 for number in range(limits.NODES)}
        assert refusal(token({"a": names})) == "json.too_many_values"
        names.popitem()
        assert len(payload(token({"a": names}))["a"]) == limits.NODES - 1

    def test_a_chain_of_disclosures(self) -> None:
        def chain(length: int) -> str:
            texts = [disclosure("s", "a", 1)]
            for _ in range(length - 1):
                texts.append(disclosure("s", "a", {"_sd": [digest(texts[-1])]}))
            return token({"_sd": [digest(texts[-1])]}, *texts)

        assert payload(chain(limits.DISCLOSURE_DEPTH))
        assert refusal(chain(limits.DISCLOSURE_DEPTH + 1)) == "sd_jwt.disclosure_depth"

    def test_a_chain_of_elements(self) -> None:
        def chain(length: int) -> str:
            texts = [disclosure("s", 1)]
            for _ in range(length - 1):
                texts.append(disclosure("s", [{"...": digest(texts[-1])}]))
            return token({"a": [{"...": digest(texts[-1])}]}, *texts)

        assert payload(chain(limits.DISCLOSURE_DEPTH))
        assert refusal(chain(limits.DISCLOSURE_DEPTH + 1)) == "sd_jwt.disclosure_depth"

    def test_what_a_log_shows_tells_no_claims(self) -> None:
        body, text = one("c2FsdA", "family_name", "Öztürk")
        read = sd_jwt.read(token(body | {"given_name": "Ada"}, text), typ=TYP)
        assert repr(read) == f"SdJwt({read.jws!r}, 1 disclosures)"
        assert repr(read.jws) == f"Jws(header={read.jws.header!r})"
        assert repr(read.processed) == "Processed(1 disclosed claims)"


class TestSection72Holder:
    def test_a_key_binding_from_the_issuer(self) -> None:
        body, text = one("s", "a", 1)
        assert sd_jwt.read_issued(token(body, text), typ=TYP).payload["a"] == 1
        assert code(sd_jwt.read_issued, bound(token(body, text)), typ=TYP) == "sd_jwt.bound_by_issuer"

    def _card(self) -> sd_jwt.SdJwt:
        claims = {
            "given_name": "Anna", "address": {"locality": "Lindau", "geo": {"lat": 1}}, "n": ["DE", "FR", "AT"],
            "list": [{"x": 1, "y": 2}, {"x": 3}], "open": {"a": 1},
        }  # fmt: skip
        paths: list[tuple[str | int | None, ...]] = [
            ("given_name",), ("address",), ("address", "locality"), ("address", "geo"), ("n", None), ("list",),
            ("list", None, "x"),
        ]  # fmt: skip
        made = issue(claims, sd_jwt_issue.frame(paths, decoys=1), ISSUER, header=HEADER)
        return sd_jwt.read_issued(made.prefix, typ=TYP)

    @pytest.mark.parametrize(
        ("paths", "expected"),
        [
            ([], {"n": [], "open": {"a": 1}}),
            ([("given_name",)], {"given_name": "Anna", "n": [], "open": {"a": 1}}),
            ([("address",)], {"address": {}, "n": [], "open": {"a": 1}}),
            ([("address", "locality")], {"address": {"locality": "Lindau"}, "n": [], "open": {"a": 1}}),
            ([("address", "geo", "lat")], {"address": {"geo": {"lat": 1}}, "n": [], "open": {"a": 1}}),
            ([("n", 1)], {"n": ["FR"], "open": {"a": 1}}),
            ([("n", None)], {"n": ["DE", "FR", "AT"], "open": {"a": 1}}),
            ([("n",), ("open", "a")], {"n": [], "open": {"a": 1}}),
            ([("list", 0, "y")], {"list": [{"y": 2}, {}], "n": [], "open": {"a": 1}}),
            ([("list", None, "x")], {"list": [{"x": 1, "y": 2}, {"x": 3}], "n": [], "open": {"a": 1}}),
        ],
    )
    def test_select(self, paths: list[tuple[Any, ...]], expected: dict[str, Any]) -> None:
        chosen = sd_jwt.select(self._card(), paths)
        assert payload(chosen.decode()) == expected

    def test_order_as_issued_and_nothing_twice(self) -> None:
        card = self._card()
        paths = [("address", "locality"), ("given_name",), ("address",), ("given_name",), ("address", "geo")]
        sent = sd_jwt.select(card, paths).split(b"~")[1:-1]
        assert sent == [text for text in card.disclosures if text in sent]
        assert len(sent) == 4

    def test_indices_count_what_is_hidden(self) -> None:
        card = sd_jwt.read(sd_jwt.select(self._card(), [("n", 0), ("n", 2)]), typ=TYP)
        assert card.payload["n"] == ["DE", "AT"]
        assert card.processed.positions[("n",)] == (0, 2)
        assert payload(sd_jwt.select(card, [("n", 2)]).decode())["n"] == ["AT"]
        assert code(sd_jwt.select, card, [("n", 1)]) == "sd_jwt.no_such_claim"

    @pytest.mark.parametrize(
        "path",
        [(), ("absent",), ("given_name", "x"), ("n", 4), ("n", "x"), ("address", None), ("list", 1, "y"), (None,)],
    )
    def test_what_is_not_there(self, path: tuple[Any, ...]) -> None:
        with pytest.raises(Misuse, match=r"sd_jwt\.no_such_claim"):
            sd_jwt.select(self._card(), [path])


class TestSection73Verifier:
    def test_accepted(self) -> None:
        assert check(bound(WHOLE))["a"] == 1

    def test_required_and_absent(self) -> None:
        assert code(check, WHOLE) == "binding.missing"

    def test_no_key_to_bind_to(self) -> None:
        assert code(check, bound(token(UNBOUND, TEXT))) == "binding.no_key"

    @pytest.mark.parametrize("typ", ["JWT", "KB+JWT", "application/kb+jwt", "kb+jwt ", 1])
    def test_typ(self, typ: Any) -> None:
        assert code(check, bound(WHOLE, header={"typ": typ})) == "binding.typ"
        assert code(check, bound(WHOLE, header={})) == "binding.typ"

    def test_audience_and_nonce_must_be_given(self) -> None:
        assert code(check, bound(WHOLE, aud=""), audience="") == "binding.no_audience"
        assert code(check, bound(WHOLE, nonce=""), nonce="") == "binding.no_nonce"

    def test_audience(self) -> None:
        assert code(check, bound(WHOLE, aud=AUDIENCE + "/")) == "binding.audience"

    def test_nonce(self) -> None:
        for nonce in ("", NONCE[:-1], NONCE + "x", NONCE.upper(), "ü"):
            assert code(check, bound(WHOLE, nonce=nonce)) == "binding.nonce"
        assert check(bound(WHOLE, nonce="ü"), nonce="ü")

    def test_sd_hash(self) -> None:
        for found in ("", digest(WHOLE[:-1]), digest(WHOLE)[:-1], digest(WHOLE) + "=", "ü"):
            assert code(check, bound(WHOLE, sd_hash=found)) == "binding.sd_hash"

    def test_age_to_the_second(self) -> None:
        now, age, ahead = int(NOW.timestamp()), limits.KB_AGE, limits.KB_AHEAD
        for seconds, expected in ((age.seconds, None), (age.seconds + 1, "binding.too_old")):
            self._at(now - seconds, expected)
        for seconds, expected in ((ahead.seconds, None), (ahead.seconds + 1, "binding.ahead")):
            self._at(now + seconds, expected)
        for iat in (0, -(10**20), now - 10 * 365 * 86400):
            self._at(iat, "binding.too_old")
        assert code(check, bound(WHOLE, iat=10**15)) == "binding.ahead"

    def _at(self, iat: int, expected: str | None) -> None:
        if abs(iat) > 2**53:
            assert code(check, bound(WHOLE, iat=iat)) == "json.integer_too_large"
        elif expected is None:
            assert check(bound(WHOLE, iat=iat))["a"] == 1
        else:
            assert code(check, bound(WHOLE, iat=iat)) == expected

    def test_age_of_the_callers_choice(self) -> None:
        found = sd_jwt.read(bound(WHOLE, iat=int(NOW.timestamp()) - 11), typ=TYP)
        named: dict[str, Any] = {"hash": found.processed.hash, "audience": AUDIENCE, "nonce": NONCE, "at": NOW}
        key = HOLDER.public_key
        key_binding.check(found.binding, found.prefix, key, **named, max_age=timedelta(seconds=11))
        named["max_age"] = timedelta(seconds=10)
        assert code(key_binding.check, found.binding, found.prefix, key, **named) == "binding.too_old"

    def test_exp_and_nbf_if_they_are_there(self) -> None:
        now, skew = int(NOW.timestamp()), limits.SKEW.seconds
        assert check(bound(WHOLE, exp=now - skew + 1, nbf=now + skew))["a"] == 1
        assert code(check, bound(WHOLE, exp=now - skew)) == "binding.expired"
        assert code(check, bound(WHOLE, nbf=now + skew + 1)) == "binding.not_yet"

    def test_signed_by_another(self) -> None:
        assert code(check, bound(WHOLE, ISSUER)) == "signature.invalid"
        assert code(check, bound(WHOLE, ISSUER, header={"typ": "kb+jwt", "jwk": jwk.write(ISSUER.public_key)})) == (
            "signature.invalid"
        )


class TestSection8Json:
    def _card(self) -> sd_jwt.SdJwt:
        return sd_jwt.read(WHOLE, typ=TYP)

    def test_both_forms_with_and_without_key_binding(self) -> None:
        card = self._card()
        named: dict[str, Any] = {"hash": card.processed.hash, "audience": AUDIENCE, "nonce": NONCE, "at": NOW}
        kb = key_binding.bind(card.prefix, HOLDER, **named)
        for write in (sd_jwt.flattened, sd_jwt.general):
            again = sd_jwt.read_json(json.dumps(write(card)), typ=TYP)
            assert (again.payload, again.prefix, again.binding) == (card.payload, card.prefix, None)
            shown = sd_jwt.read_json(write(card, kb), typ=TYP)
            key_binding.check(shown.binding, shown.prefix, HOLDER.public_key, **named)
            compact = sd_jwt.read(card.prefix + kb, typ=TYP)
            assert write(compact) == write(card, kb)
            assert shown.binding == compact.binding

    def test_without_disclosures(self) -> None:
        card = sd_jwt.read(token({"a": 1}), typ=TYP)
        document = jws.flattened(card.jws)
        assert sd_jwt.read_json(document, typ=TYP).prefix == card.prefix

    @pytest.mark.parametrize("name", ["disclosures", "kb_jwt"])
    def test_in_the_second_header(self, name: str) -> None:
        card = self._card()
        document = sd_jwt.general(card)
        second = {**jws.flattened(card.jws), "header": {"kid": "two"}}
        second.pop("payload")
        document["signatures"].append(second)
        assert sd_jwt.read_json(document, typ=TYP).payload == card.payload
        second["header"] = {name: []}
        assert code(sd_jwt.read_json, document, typ=TYP) == "sd_jwt.misplaced"

    def test_the_first_signature_is_the_one(self) -> None:
        card, other = self._card(), sd_jwt.read(token(BODY, TEXT, by=HOLDER), typ=TYP)
        first, second = sd_jwt.general(other), jws.general(card.jws)
        first["signatures"] += second["signatures"]
        found = sd_jwt.read_json(first, typ=TYP)
        assert code(jws.check, found.jws, ISSUER.public_key) == "signature.invalid"
        jws.check(found.jws, HOLDER.public_key)

    @pytest.mark.parametrize("name", ["disclosures", "kb_jwt"])
    def test_in_the_protected_header(self, name: str) -> None:
        found = jws.read_compact(raw_jws({"alg": "ES256", "typ": TYP, name: []}), typ=TYP)
        assert code(sd_jwt.read_json, jws.flattened(found), typ=TYP) == "sd_jwt.misplaced"

    @pytest.mark.parametrize("found", ["x", [1], {}, None])
    def test_disclosures_are_strings(self, found: Any) -> None:
        document = jws.flattened(self._card().jws, {"disclosures": found})
        assert code(sd_jwt.read_json, document, typ=TYP) == "json.wrong_type"
        document = jws.flattened(self._card().jws, {"kb_jwt": [found]})
        assert code(sd_jwt.read_json, document, typ=TYP) == "json.wrong_type"

    def test_number_and_form_of_disclosures(self) -> None:
        card = self._card()
        texts = [disclosure("s", f"a{n}", n) for n in range(limits.DISCLOSURES + 1)]
        full = sd_jwt.read(token({"_sd": [digest(text) for text in texts]}), typ=TYP)
        found = sd_jwt.read_json(jws.flattened(full.jws, {"disclosures": texts[1:]}), typ=TYP)
        assert len(found.payload) == limits.DISCLOSURES
        assert code(sd_jwt.read_json, jws.flattened(full.jws, {"disclosures": texts}), typ=TYP) == "sd_jwt.disclosures"
        for text, expected in (
            ("", "sd_jwt.empty_disclosure"),
            ("é", "sd_jwt.unreferenced"),
            ("a~b", "sd_jwt.unreferenced"),
        ):
            document = jws.flattened(card.jws, {"disclosures": [text]})
            assert code(sd_jwt.read_json, document, typ=TYP) == expected

    def test_an_element_that_is_no_object(self) -> None:
        document = sd_jwt.general(self._card())
        document["signatures"].append("x")
        assert code(sd_jwt.read_json, document, typ=TYP) == "json.not_an_object"

    @pytest.mark.parametrize("name", ["disclosures", "kb_jwt"])
    def test_the_place_that_drafts_gave(self, name: str) -> None:
        shown = sd_jwt.read(bound(WHOLE), typ=TYP)
        document = sd_jwt.flattened(shown)
        document[name] = document["header"].pop(name)
        assert sd_jwt.read_json(document, typ=TYP).payload == shown.payload
        assert sd_jwt.read_json(document, typ=TYP).binding == shown.binding
        document["header"][name] = document[name]
        assert code(sd_jwt.read_json, document, typ=TYP) == "sd_jwt.misplaced"

    def test_other_unprotected_members_decide_nothing(self) -> None:
        document = sd_jwt.flattened(self._card())
        document["header"]["kid"] = "https://evil.example"
        assert sd_jwt.read_json(document, typ=TYP).payload == self._card().payload


class TestSection9Security:
    @pytest.mark.parametrize("path", [("iss",), ("aud",), ("exp",), ("nbf",), ("cnf",), ("cnf", "jwk"), ("exp", "x")])
    def test_claims_that_are_never_hidden(self, path: tuple[str, ...]) -> None:
        assert code(sd_jwt_issue.frame, [path]) == "sd_jwt.unhideable"

    def test_entries_of_aud_may_be_hidden(self) -> None:
        made = issue({"aud": ["a", "b"]}, sd_jwt_issue.frame([("aud", None)]), ISSUER, header=HEADER)
        assert payload(made.prefix.decode()) == {"aud": ["a", "b"]}

    def test_formats_name_more(self) -> None:
        assert code(sd_jwt_issue.frame, [("vct",)], unhideable=("vct",)) == "sd_jwt.unhideable"
        assert sd_jwt_issue.frame([("vct",)]).decoys == 0

    def test_salts(self) -> None:
        made = issue({"a": ["x"] * 300}, sd_jwt_issue.frame([("a", None)]), ISSUER, header=HEADER)
        salts = [json.loads(_decoded(text.decode()))[0] for text in made.disclosures]
        assert len(set(salts)) == 300
        assert min(map(len, salts)) >= 22  # 132 bits

    @pytest.mark.parametrize("give", [bytes, lambda n: b"\x01" * (n - 1), lambda n: b""])
    def test_bad_entropy(self, give: Any) -> None:
        frame = sd_jwt_issue.frame([("a",), ("b",)])
        named: dict[str, Any] = {"header": HEADER, "entropy": give}
        assert code(issue, {"a": 1, "b": 1}, frame, ISSUER, **named) == "sd_jwt.entropy"

    def test_chance_comes_from_the_caller(self) -> None:
        drawn: list[int] = []

        def entropy(count: int) -> bytes:
            drawn.append(count)
            return bytes((index + len(drawn)) % 256 for index in range(count))

        frame = sd_jwt_issue.frame([("a",), ("b",)], decoys=1)
        first = issue({"a": 1, "b": 1}, frame, ISSUER, header=HEADER, entropy=entropy)
        drawn.clear()
        second = issue({"a": 1, "b": 1}, frame, ISSUER, header=HEADER, entropy=entropy)
        assert first.disclosures == second.disclosures
        assert first.jws.payload == second.jws.payload


EXAMPLES = {
    "flat.json": 1, "jws-json-flattened.json": 2, "main-example.json": 2, "sd-jwt-vc-pid.json": 2,
    "simple-structured.json": 1, "structured-one-open.json": 1, "structured.json": 1,
}  # fmt: skip
"""What each printed example is run as: serialisations, or (1) its payload and disclosures signed again by us."""


class TestPrintedExamples:
    """§5, §6, §8, appendix A; `section4-snippets.json` is run in TestSection42Disclosures."""

    @staticmethod
    def _key() -> PublicKey:
        return jwk.read(load(vectors("sd-jwt") / "issuer-public-key.jwk.json"))

    def test_every_file_is_here(self) -> None:
        files = {file.name for file in (vectors("sd-jwt") / "rfc9901").iterdir()}
        assert files == set(EXAMPLES) | {"section4-snippets.json"}

    @pytest.mark.parametrize("name", sorted(EXAMPLES))
    def test_example(self, name: str) -> None:
        case = load(vectors("sd-jwt") / "rfc9901" / name)
        run = 0
        for form in ("sdJwt", "presentation"):
            if form in case:
                run += 1
                found = sd_jwt.read(case[form], typ=("example+sd-jwt", "dc+sd-jwt"))
                jws.check(found.jws, self._key())
                if form == "presentation":
                    assert found.payload == case["processedPayload"]
                    self._check_binding(found, case.get("kbJwtPayload"))
                    damaged = case[form].replace("~", "~WyJzIiwiYWRtaW4iLHRydWVd~", 1)
                    assert code(sd_jwt.read, damaged, typ=None) == "sd_jwt.unreferenced"
        for form in ("sdJwtJson", "sdJwtKbJson"):
            if form in case:
                run += 1
                found = sd_jwt.read_json(json.dumps(case[form]), typ="example+sd-jwt")
                jws.check(found.jws, self._key())
                claims = found.binding.claims if found.binding is not None else None
                assert (claims is not None) is (form == "sdJwtKbJson")
                self._check_binding(found, claims)
        if "disclosures" in case:
            self._check_disclosures(case)
            # the payload and the disclosures as printed, signed by us: all of it reads back as what went in
            run = run or 1
            whole = token(case["sdJwtPayload"], *[item["disclosure"] for item in case["disclosures"]])
            found = sd_jwt.read(whole, typ=TYP)
            assert case["inputClaims"] == {name: found.payload[name] for name in case["inputClaims"]}
            assert len(found.processed.hidden) == len(case["disclosures"])
        assert run == EXAMPLES[name]

    @staticmethod
    def _check_disclosures(case: dict[str, Any]) -> None:
        for item in case["disclosures"]:
            assert digest(item["disclosure"]) == item["digest"]
            assert json.loads(_decoded(item["disclosure"])) == item["contents"]

    @staticmethod
    def _check_binding(found: sd_jwt.SdJwt, claims: Any) -> None:
        assert (found.binding is None) is (claims is None)
        if found.binding is None:
            return
        assert found.binding.claims == claims
        at = datetime.fromtimestamp(claims["iat"], UTC)
        named: dict[str, Any] = {"hash": found.processed.hash, "audience": claims["aud"], "at": at}
        key = sd_jwt.holder_key(found.payload)
        key_binding.check(found.binding, found.prefix, key, **named, nonce=claims["nonce"])
        assert code(key_binding.check, found.binding, found.prefix, key, **named, nonce="other") == "binding.nonce"
        more = found.prefix + b"WyJzIiwxXQ~"
        assert code(key_binding.check, found.binding, more, key, **named, nonce=claims["nonce"]) == "binding.sd_hash"


JSON_CASES = {"examples/json_serialization_flattened", "testcases/json_serialization_flattened"}
"""Cases that the reference implementation writes in the form of an older draft."""


def _texts(found: sd_jwt.SdJwt) -> list[str]:
    return [text.decode() for text in found.disclosures]


class _Sd:
    """A value or a member name marked `!sd` in a specification file."""

    def __init__(self, value: Any) -> None:
        self.value = value


class _Loader(yaml.SafeLoader):
    pass


def _construct(loader: _Loader, node: yaml.Node) -> _Sd:
    if isinstance(node, yaml.MappingNode):
        return _Sd(loader.construct_mapping(node, deep=True))
    if isinstance(node, yaml.SequenceNode):
        return _Sd(loader.construct_sequence(node, deep=True))
    return _Sd(node.value)


_Loader.add_constructor("!sd", _construct)


def _marked(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths marked `!sd`."""
    found: list[tuple[Any, ...]] = []
    if isinstance(value, _Sd):
        return [at, *_marked(value.value, at)]
    if isinstance(value, dict):
        for name, item in value.items():
            step = name.value if isinstance(name, _Sd) else name
            found += [(*at, str(step))] if isinstance(name, _Sd) else []
            found += _marked(item, (*at, str(step)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += _marked(item, (*at, index))
    return found


def _cases() -> list[str]:
    root = vectors("sd-jwt") / "sd-jwt-python-specs"
    return sorted(str(file.parent.relative_to(root)) for file in root.rglob("specification.yml"))


class TestReferenceImplementation:
    """Each case of sd-jwt-python: its own output is read and checked, then its claims are issued and shown by us."""

    @staticmethod
    def _generated(case: str) -> dict[str, Any]:
        made: dict[str, Any] = load(vectors("sd-jwt") / "reference-generated" / f"{case.replace('/', '-')}.json")
        return made

    @staticmethod
    def _read(text: str) -> sd_jwt.SdJwt:
        return sd_jwt.read_json(text, typ=None) if text.startswith("{") else sd_jwt.read(text, typ=None)

    def test_every_case_has_its_output(self) -> None:
        outputs = {file.stem for file in (vectors("sd-jwt") / "reference-generated").iterdir()}
        assert outputs == {case.replace("/", "-") for case in _cases()}
        assert len(outputs) == 21

    @pytest.mark.parametrize("case", _cases())
    def test_case(self, case: str) -> None:
        made = self._generated(case)
        settings = self._settings(case)
        issuer = jwk.read({n: v for n, v in settings["key_settings"]["issuer_keys"][0].items() if n != "d"})
        issued, shown = self._read(made["sd_jwt_issuance"]), self._read(made["sd_jwt_presentation"])
        for found in (issued, shown):
            jws.check(found.jws, issuer)
        assert made["user_claims"] == {name: issued.payload[name] for name in made["user_claims"]}
        assert shown.payload == made["verified_contents"]
        assert issued.processed.hidden.items() >= shown.processed.hidden.items()
        # theirs issued, we show the same
        chosen = sd_jwt.select(issued, tuple(shown.processed.hidden))
        assert sd_jwt.read(chosen, typ=None).payload == made["verified_contents"]
        if made["sd_jwt_presentation"].startswith("{"):
            # sd-jwt 0.10.4 hashes the issuance as JSON text; §8.1 hashes the compact form, so its binding is refused
            assert case in JSON_CASES
            claims = made["kb_jwt_payload"]
            assert claims["sd_hash"] == digest("~".join([made["sd_jwt_issuance"], *_texts(shown), ""]))
            named: dict[str, Any] = {"audience": claims["aud"], "nonce": claims["nonce"], "hash": shown.processed.hash}
            named["at"] = datetime.fromtimestamp(claims["iat"], UTC)
            key = sd_jwt.holder_key(shown.payload)
            assert code(key_binding.check, shown.binding, shown.prefix, key, **named) == "binding.sd_hash"
            kb = key_binding.bind(shown.prefix, HOLDER, **named)
            rebound = sd_jwt.read_json(sd_jwt.flattened(shown, kb), typ=None)
            key_binding.check(rebound.binding, rebound.prefix, HOLDER.public_key, **named)
        elif "kb_jwt_payload" in made:
            TestPrintedExamples._check_binding(shown, made["kb_jwt_payload"])
        else:
            assert shown.binding is None

    @staticmethod
    def _settings(case: str) -> dict[str, Any]:
        path: Path = vectors("sd-jwt") / "sd-jwt-python-specs" / case.split("/")[0] / "settings.yml"
        settings: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
        return settings

    @pytest.mark.parametrize("case", _cases())
    def test_the_same_case_issued_by_us(self, case: str) -> None:
        made = self._generated(case)
        folder = vectors("sd-jwt") / "sd-jwt-python-specs" / case
        specification = yaml.load((folder / "specification.yml").read_text("utf-8"), _Loader)
        paths = _marked(specification["user_claims"])
        decoys = 3 if specification.get("add_decoy_claims") else 0
        theirs = self._read(made["sd_jwt_issuance"])
        assert set(paths) == set(theirs.processed.hidden)
        ours = issue(theirs.payload, sd_jwt_issue.frame(paths, decoys=decoys), ISSUER, header=HEADER)
        assert set(ours.processed.hidden) == set(paths)
        again = sd_jwt.read_issued(ours.prefix, typ=TYP)
        assert again.payload == theirs.payload
        wanted = tuple(self._read(made["sd_jwt_presentation"]).processed.hidden)
        assert payload(sd_jwt.select(again, wanted).decode()) == made["verified_contents"]
        expected = specification.get("expect_verified_user_claims")
        if expected is not None:
            assert expected == {name: made["verified_contents"][name] for name in expected}
