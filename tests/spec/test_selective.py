"""What suites that can hide have in common (DI ECDSA 1.0 §3.4): pointers, parts, groups, labels, proof values."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cityid.encoding import base64url, cbor, rdfc
from cityid.errors import Malformed
from cityid.proofs import components, members, pointers, selective
from tests.proofs import contexts
from tests.sd import HMAC, card, code, options

KEYED = selective.keyed(HMAC)


def chosen(*asked: str, document: Any = None) -> Any:
    return pointers.select(card() if document is None else document, asked)


class TestPointers:
    """RFC 6901, and jsonPointerToPaths (§3.4.10)."""

    @pytest.mark.parametrize(
        ("text", "tokens"),
        [
            ("", ()),
            ("/a", ("a",)),
            ("/", ("",)),
            ("/a/0", ("a", "0")),
            ("/a~1b~0c", ("a/b~c",)),
            ("/~01", ("~1",)),
        ],
    )
    def test_tokens(self, text: str, tokens: tuple[str, ...]) -> None:
        assert pointers.parse(text) == tokens

    @pytest.mark.parametrize("text", ["a", "a/b", "/~", "/~2", "/a~", "/~~1", 1, None])
    def test_no_pointer(self, text: Any) -> None:
        assert code(pointers.parse, text) == "sd.pointer"

    @pytest.mark.parametrize(
        "pointer",
        [
            "/no",
            "/issuer/x",
            "/issuer/0",
            "/credentialSubject/permits/3",
            "/credentialSubject/permits/01",
            "/credentialSubject/permits/-",
            "/credentialSubject/permits/x",
            "/credentialSubject/nationalities/0/a",
        ],
    )
    def test_nowhere(self, pointer: str) -> None:
        assert code(chosen, pointer) == "sd.no_such_place"
        assert code(chosen, "", pointer) == "sd.no_such_place"
        assert code(chosen, "/credentialSubject/permits/2") == ""


class TestSelect:
    """selectJsonLd (§3.4.11)."""

    def test_nothing(self) -> None:
        assert chosen() is None

    def test_all(self) -> None:
        assert chosen("") == card() == chosen("/issuer", "", "/validFrom")

    def test_what_lies_above_comes_with_its_id_and_types(self) -> None:
        document = card(id="did:example:a", type="Person")
        found = chosen("/credentialSubject/address/locality", document=document)
        assert found == {
            "@context": document["@context"],
            "type": ["VerifiableCredential"],
            "credentialSubject": {"id": "did:example:a", "type": "Person", "address": {"locality": "Utrecht"}},
        }

    def test_without_a_context(self) -> None:
        assert chosen("/a", document={"a": 1, "b": 2}) == {"a": 1}

    def test_blank_nodes_have_no_id_to_show(self) -> None:
        for name in ("id", "@id"):
            found = chosen("/credentialSubject/given_name", document=card(**{name: "_:b0"}))
            assert found["credentialSubject"] == {"given_name": "Ada"}
            found = chosen("/credentialSubject/given_name", document=card(**{name: "urn:b0"}))
            assert found["credentialSubject"] == {name: "urn:b0", "given_name": "Ada"}

    def test_types_that_are_asked_for(self) -> None:
        assert chosen("/type/0", "/issuer")["type"] == ["VerifiableCredential"]

    def test_arrays_close_up(self) -> None:
        found = chosen("/credentialSubject/permits/2", "/credentialSubject/permits/0/zone")
        assert found["credentialSubject"] == {"permits": [{"zone": "A"}, {"zone": "C", "year": 2025.5}]}

    def test_whole_stays_whole(self) -> None:
        for asked in (["/credentialSubject", "/credentialSubject/permits/0"],
                      ["/credentialSubject/permits/0", "/credentialSubject"]):  # fmt: skip
            assert chosen(*asked)["credentialSubject"] == card()["credentialSubject"]

    def test_more_than_ten(self) -> None:
        document = card(permits=[{"zone": str(number)} for number in range(12)])
        found = chosen(*(f"/credentialSubject/permits/{number}" for number in (11, 2, 10)), document=document)
        assert [each["zone"] for each in found["credentialSubject"]["permits"]] == ["2", "10", "11"]

    def test_escapes_and_names_like_numbers(self) -> None:
        found = chosen("/credentialSubject/a~1b~0c", "/credentialSubject/over/16")
        assert found["credentialSubject"] == {"a/b~c": "odd", "over": {"16": True}}


def groups(document: Any, *asked: str) -> tuple[list[str], list[str]]:
    """What is selected, and what is not; by the template and by expanding each part."""
    found = selective.group(document, [asked], KEYED, contexts)
    again = selective.group(document, [asked], KEYED, contexts)
    assert found == again
    quads, (places,) = selective._plain(selective._told_apart(document), [asked], contexts, {})
    assert sorted(rdfc.canonicalize([quads[place] for place in places]).nquads) == sorted(
        rdfc.canonicalize(found.sets[0]).nquads
    )
    return [found.lines[at] for at in found.groups[0]], [found.lines[at] for at in found.rest(0)]


class TestGroups:
    """canonicalizeAndGroup (§3.4.15)."""

    def test_nothing(self) -> None:
        inside, outside = groups(card())
        assert (inside, len(outside)) == ([], 25)

    def test_all(self) -> None:
        inside, outside = groups(card(), "")
        assert (len(inside), outside) == (25, [])

    def test_a_value(self) -> None:
        inside, _ = groups(card(), "/credentialSubject/over/18")
        assert len(inside) == 4  # the type, the two links on the way, the value
        assert any('#18> "false"^^' in line for line in inside)

    def test_equal_values_are_told_apart_by_their_place(self) -> None:
        document = card(permits=[{"zone": "A"}, {"zone": "A"}])
        inside, outside = groups(document, "/credentialSubject/permits/1")
        assert sum('#zone> "A"' in line for line in inside) == 1 == sum('#zone> "A"' in line for line in outside)

    def test_the_same_value_twice_in_one_place(self) -> None:
        inside, _ = groups(card(nationalities=["NL", "NL"]), "/credentialSubject/nationalities/1")
        assert sum('#nationalities> "NL"' in line for line in inside) == 1

    def test_a_template_holds_for_other_values(self) -> None:
        for values in (["NL", "BE"], ["NL", "NL"], ["_:b0", ""]):
            inside, _ = groups(card(nationalities=values), "/credentialSubject/nationalities/0")
            assert sum("#nationalities>" in line for line in inside) == 1

    def test_no_object_is_another(self) -> None:
        """Not even where Python holds one for both."""
        permit = {"zone": "A", "year": 1}
        document = card(permits=[permit, permit])
        inside, outside = groups(document, "/credentialSubject/permits/0")
        assert sum("#zone>" in line for line in inside) == 1 == sum("#zone>" in line for line in outside)

    def test_an_ordered_list_is_shown_whole(self) -> None:
        document = card()
        document["@context"][1] |= {"permits": {"@id": "https://city.example/vocab#permits", "@container": "@list"}}
        inside, _ = groups(document, "/credentialSubject/permits")
        assert len(inside) == 1 + 1 + 1 + 6 + 6
        for part in ("/0", "/0/zone"):
            assert code(groups, document, f"/credentialSubject/permits{part}") == "sd.not_a_part"

    def test_lists_of_lists(self) -> None:
        document = card(permits=[["A", "B"], ["C"]])
        document["@context"][1] |= {"permits": {"@id": "https://city.example/vocab#permits", "@container": "@list"}}
        inside, _ = groups(document, "/credentialSubject/permits")
        assert len(inside) == 3 + 2 * 2 + 3 * 2
        assert code(groups, document, "/credentialSubject/permits/1") == "sd.not_a_part"

    def test_two_lists_of_one_name(self) -> None:
        """Their nodes cannot be told apart; nothing but they is hindered by it."""
        document = card(permits=[{"@list": ["A"]}, {"@list": ["B"]}])
        assert code(groups, document, "/credentialSubject/permits") == "sd.not_a_part"
        assert code(groups, document, "/credentialSubject/given_name") == ""

    def test_json_is_shown_whole(self) -> None:
        document = card()
        document["@context"][1] |= {"address": {"@id": "https://city.example/vocab#address", "@type": "@json"}}
        inside, _ = groups(document, "/credentialSubject/address")
        assert any("#JSON>" in line for line in inside)
        assert code(groups, document, "/credentialSubject/address/street") == "sd.not_a_part"

    def test_blank_nodes_with_names(self) -> None:
        """One node under two pointers is still one; the part says so, or is refused."""
        document = card(address={"id": "_:a", "locality": "Utrecht"}, permits=[{"id": "_:a", "zone": "A"}])
        inside, _ = groups(document, "/credentialSubject/address", "/credentialSubject/permits/0")
        assert sum("_:" in line.split("> ", 1)[1] for line in inside) == 3
        found = selective.group(document, [["/credentialSubject"]], KEYED, contexts)
        selective.reveal(document, ["/credentialSubject"], found, 0, contexts)
        asked = ["/credentialSubject/address/locality", "/credentialSubject/permits/0/zone"]
        found = selective.group(document, [asked], KEYED, contexts)
        assert code(selective.reveal, document, asked, found, 0, contexts) == "sd.not_a_part"

    def test_containers(self) -> None:
        """Objects that are no nodes: maps by language, by index and by id, graphs, reversed properties."""
        vocab = "https://city.example/vocab#"
        document = card(
            names={"nl": "Ada", "en": ["Ada", "Augusta"]},
            by_index={"one": {"zone": "A"}, "two": {"zone": "B"}},
            by_id={"urn:x:1": {"zone": "A"}, "urn:x:2": {"zone": "B"}},
            graph={"zone": "G"},
            of=[{"zone": "R"}],
            nested={"given": "N"},
            **{"@reverse": {"knows": {"zone": "K"}}, "@included": [{"zone": "I"}]},
        )
        document["@context"][1] |= {
            "names": {"@id": f"{vocab}names", "@container": "@language"},
            "by_index": {"@id": f"{vocab}byIndex", "@container": "@index"},
            "by_id": {"@id": f"{vocab}byId", "@container": "@id"},
            "graph": {"@id": f"{vocab}graph", "@container": "@graph"},
            "of": {"@reverse": f"{vocab}of"},
            "nested": "@nest",
        }
        assert code(selective.group, document, [[""]], KEYED, contexts) == ""
        for place, count in (("names", 5), ("names/en", 4), ("names/nl", 3), ("by_index/two", 4), ("by_id", 6),
                             ("by_id/urn:x:1", 4), ("graph", 4), ("of", 4), ("@reverse/knows", 4),
                             ("@included/0", 3), ("nested", 3)):  # fmt: skip
            inside, _ = groups(document, f"/credentialSubject/{place}")
            assert len(inside) == count, place

    def test_a_graph_on_top(self) -> None:
        document = {"@context": {"@vocab": "https://city.example/vocab#"}, "@graph": [{"zone": "A"}, {"zone": "B"}]}
        inside, outside = groups(document, "/@graph/1")
        assert (len(inside), len(outside)) == (1, 1)

    def test_a_context_below(self) -> None:
        """What a part leaves out must not change what the rest means."""
        document = card(address={"@context": {"locality": "https://other.example/l"}, "locality": "Utrecht"})
        assert code(groups, document, "/credentialSubject/address") == ""
        assert code(groups, document, "/credentialSubject/address/locality") == "sd.not_a_part"

    def test_safe_mode(self) -> None:
        document = card()
        document["@context"] = document["@context"][:1]
        assert code(groups, document, "/issuer") == "jsonld.dropped"

    def test_too_large_for_a_template(self) -> None:
        document = card(permits=[{"zone": f"Z{number}", "year": 1} for number in range(200)])
        with pytest.raises(Malformed, match=r"rdf\.blank_nodes"):
            selective.group(document, [["/issuer"]], KEYED, contexts)
        document = card(nationalities=[f"N{number}" for number in range(400)])
        inside, outside = groups(document, "/credentialSubject/nationalities/7")
        assert (len(inside), len(outside)) == (3, 420)

    def test_the_document_stays_as_it_is(self) -> None:
        document = card()
        before = copy.deepcopy(document)
        groups(document, "/credentialSubject/permits/0")
        assert document == before


class TestMemory:
    def test_is_bounded(self) -> None:
        for number in range(selective._KEPT + 20):
            selective.group(
                card(), [["/issuer", f"/credentialSubject/permits/{number % 3}"] * (number + 1)], KEYED, contexts
            )
        assert len(selective._known) <= selective._KEPT


class TestLabels:
    """§3.4.4 and DI BBS §3.3.1: the labels of the digest's worked example."""

    def test_keyed(self) -> None:
        assert KEYED({"x": "c14n1"}) == {"x": "u3Lv2QpFgo-YAegc1cQQKWJFW2sEjQF6FfuZ0VEoMKHg"}

    def test_shuffled(self) -> None:
        found = selective.shuffled(HMAC)({f"n{number}": f"c14n{number}" for number in range(12)})
        assert sorted(found.values(), key=lambda label: int(label[1:])) == [f"b{place}" for place in range(12)]
        keyed = KEYED({f"n{number}": f"c14n{number}" for number in range(12)})
        assert sorted(found, key=lambda node: int(found[node][1:])) == sorted(keyed, key=keyed.__getitem__)


class TestReveal:
    def test_nothing(self) -> None:
        found = selective.group(card(), [[]], KEYED, contexts)
        assert code(selective.reveal, card(), [], found, 0, contexts) == "sd.nothing"
        found = selective.group(card(), [["/issuer"]], KEYED, contexts)
        shown, labels = selective.reveal(card(), ["/issuer"], found, 0, contexts)
        assert (sorted(shown), len(labels)) == (["@context", "issuer", "type"], 1)

    def test_label_map(self) -> None:
        shown = chosen("/credentialSubject/address")
        good = {0: "b2", 1: "b0", 2: "b1"}
        assert len(selective.shown_lines(shown, good, contexts, "$")) == 5
        for bad in ({0: "b2", 1: "b0"}, good | {3: "b3"}, good | {2: "b0"}, {0: "b2", 1: "b0", 3: "b1"}):
            assert code(selective.shown_lines, shown, bad, contexts, "$") == "sd.label_map"

    def test_divide(self) -> None:
        assert selective.divide("abcd", [0, 3], "$") == (["a", "d"], ["b", "c"])
        assert selective.divide("abcd", [], "$") == ([], ["a", "b", "c", "d"])
        for bad in ([3, 0], [0, 0], [4], [-1]):
            assert code(selective.divide, "abcd", bad, "$") == "sd.indexes"

    def test_the_context_of_a_proof(self) -> None:
        assert code(selective.check_context, card(), {"@context": card()["@context"]}, "$") == ""
        assert code(selective.check_context, card(), {"@context": []}, "$") == "di.context"


def read(value: str) -> Any:
    return components.read(members.read({**options("ecdsa-sd-2023"), "proofValue": value}))


class TestProofValues:
    """§3.5: three bytes, then CBOR."""

    def test_round_trip(self) -> None:
        parts = [b"ab", {3: b"x", 1: b"y"}, [1, 2, 70000], "text"]
        head, data = read(components.write(b"\xd9\x5d\x00", parts))
        assert (head, components.parts(data, 4, "$")) == (b"\xd9\x5d\x00", parts)

    def test_encoding(self) -> None:
        assert code(read, "u2V0") == ""
        assert code(read, "z2V0") == "sd.encoding"
        assert code(read, "m2V0") == "sd.encoding"
        assert code(read, "u2V0=") == "base64url.alphabet"
        assert code(read, "u" + "A" * (1 << 20)) == "sd.encoding"
        assert code(read, "u" + "A" * ((1 << 20) - 4)) == "", "a length that is none"

    def test_count(self) -> None:
        assert components.parts(b"\x82\x01\x02", 2, "$") == [1, 2]
        for data in (b"\x81\x01", b"\x83\x01\x02\x03", b"\xa2\x01\x02\x03\x04", b"\x42\x01\x02"):
            assert code(components.parts, data, 2, "$") == "sd.components"

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            ("9f0102ff", "sd.not_canonical"),  # an array of indefinite length
            ("82011802", "sd.not_canonical"),  # a number in more bytes than it needs
            ("8201bf01ff", "cbor.syntax"),
            ("82015f4102ff", "sd.not_canonical"),
            ("8201bf0102ff", "sd.not_canonical"),
            ("98020102", "sd.not_canonical"),
            ("8201c24102", "cbor.tag"),
            ("8201d8404102", "cbor.tag"),
            ("82010200", "cbor.trailing"),
            ("8201", "cbor.truncated"),
            ("8201a201020103", "cbor.duplicate"),
        ],
    )
    def test_one_way_to_write(self, data: str, expected: str) -> None:
        assert code(components.parts, bytes.fromhex(data), 2, "$") == expected
        assert code(components.parts, cbor.write([1, 2]), 2, "$") == ""

    def test_types(self) -> None:
        good: list[tuple[Any, ...]] = [
            (components.octets, b"ab", "n", 2),
            (components.octets, b"ab", "n", None),
            (components.text, "a", "n"),
            (components.listed, [1, 2], "n", int),
            (components.number, 0, "n"),
            (components.label_map, {1: b"ab"}, bytes, 2),
            (components.label_map, {1: 2}, int, None),
        ]
        for act, *args in good:
            assert act(*args, "$") == args[0]
        bad: list[tuple[Any, ...]] = [
            (components.octets, "ab", "n", 2),
            (components.octets, b"abc", "n", 2),
            (components.text, b"a", "n"),
            (components.listed, [1, True], "n", int),
            (components.listed, {1: 2}, "n", int),
            (components.number, -1, "n"),
            (components.number, True, "n"),
            (components.label_map, {1: b"abc"}, bytes, 2),
            (components.label_map, {"1": b"ab"}, bytes, 2),
            (components.label_map, {1: 2}, bytes, 2),
            (components.label_map, [1], int, None),
        ]
        for act, *args in bad:
            assert code(act, *args, "$") == "sd.component"

    def test_strict_base64url(self) -> None:
        assert code(read, "u" + base64url.encode(b"\xd9\x5d\x00\x80")) == ""
        assert code(read, "u2V0AAB") == "base64url.tail"
