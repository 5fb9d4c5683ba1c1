"""SD-JWT, RFC 9901, section by section; its printed examples; the cases of the reference implementation."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from cityid import limits
from cityid.errors import CityIdError, Malformed
from cityid.jose import digests, jws, sd_jwt, sd_jwt_issue
from tests.sd_jwts import (
    CNF,
    HOLDER,
    ISSUER,
    TYP,
    b64,
    bound,
    digest,
    disclosure,
    issue,
    one,
    signed,
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
        named = {f"a{number}": number for number in range(limits.DISCLOSURES + 1)}
        frame = sd_jwt_issue.frame([(name,) for name in named])
        assert not_issued(named, frame) == "sd_jwt.disclosures"
        del named["a0"]
        assert payload(issue(named, frame, ISSUER, header=HEADER).prefix.decode()) == named

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
