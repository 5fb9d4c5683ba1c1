"""What is remembered of JSON-LD: contexts that were processed, and templates of documents; what they depend on, and how
much there is of them. That they change no result is in tests/property/test_jsonld.py."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from cityid import limits
from cityid.encoding import jsonld, rdfc
from cityid.encoding.jsonld import alike, compiling, context
from cityid.errors import Malformed

EX = "https://ex.example/"
URL = "https://contexts.example/v1"
DEFINED: dict[str, Any] = {
    "@version": 1.1,
    "id": "@id",
    "type": "@type",
    "name": f"{EX}name",
    "link": {"@id": f"{EX}link", "@type": "@id"},
    "word": {"@id": f"{EX}word", "@type": "@vocab"},
    "double": {"@id": f"{EX}double", "@type": "http://www.w3.org/2001/XMLSchema#double"},
    "json": {"@id": f"{EX}json", "@type": "@json"},
    "said": {"@id": f"{EX}said", "@container": "@language"},
    "known": {"@id": f"{EX}known/", "@prefix": True},
    "urn:all": "urn:all",
    "A": {"@id": f"{EX}A", "@context": {"name": f"{EX}a_name"}},
    "B": f"{EX}B",
}
DOCUMENT: dict[str, Any] = {
    "@context": URL,
    "id": "urn:x:1",
    "type": "A",
    "name": ["Zoë", "Zoe"],
    "link": "did:example:1",
    "double": 1,
    "said": {"en": "yes", "de": "ja"},
    f"{EX}more": {f"{EX}true": True, f"{EX}false": False, f"{EX}one": 1, f"{EX}half": 0.5},
    f"{EX}value": {"@value": "x", "@language": "en"},
}


LOADED: dict[str, Any] = {"@context": DEFINED}


def load(url: str) -> Any:
    assert url == URL
    return LOADED


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    alike._shapes.clear()
    context._roots.clear()
    yield
    alike._shapes.clear()
    context._roots.clear()


class Counted:
    """How often the whole algorithm ran."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0

        def counted(*given: Any, **more: Any) -> Any:
            self.count += 1
            return jsonld.to_rdf(*given, **more)

        monkeypatch.setattr(alike, "to_rdf", counted)

    def __call__(self, document: Any, loader: jsonld.Loader = load) -> bool:
        """Was it run for this document? What came out is what comes out of it."""
        before = self.count
        found = jsonld.canonical(document, loader)
        assert found == whole(document, loader)
        return self.count > before


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


def whole(document: Any, loader: jsonld.Loader = load) -> str:
    return rdfc.canonicalize(jsonld.to_rdf(document, loader)).nquads


def code(run: Any) -> str:
    with pytest.raises(Malformed) as error:
        run()
    return error.value.code


def but(**more: Any) -> dict[str, Any]:
    return copy.deepcopy(DOCUMENT) | more


class TestTemplates:
    @pytest.mark.parametrize(
        "more",
        [
            {},
            {"name": ["a", "b"]},
            {"name": ["same", "same"]},
            {"name": ['"quoted"\\', "two\nlines"]},
            {"id": "https://other.example/#x", "link": "mailto:a@b.example"},
            {"double": 70},
            {"said": {"en": "no", "de": "nein"}},
            {f"{EX}more": {f"{EX}true": False, f"{EX}false": True, f"{EX}one": -7, f"{EX}half": 1e30}},
            {f"{EX}value": {"@value": "%s", "@language": "en"}},
        ],
    )
    def test_values_that_are_handed_on(self, counted: Counted, more: dict[str, Any]) -> None:
        assert counted(DOCUMENT)
        assert not counted(but(**more))

    @pytest.mark.parametrize(
        "more",
        [
            {"type": "B"},
            {"type": ["A"]},
            {"name": ["a"]},
            {"name": "a"},
            {"name": ["a", 1]},
            {"name": ["a", None]},
            {"double": 1.0},
            {"double": True},
            {"said": {"en": "yes", "fr": "oui"}},
            {f"{EX}value": {"@value": "x", "@language": "de"}},
            {f"{EX}value": {"@value": "x", "@type": "en:x"}},
            {"@context": [URL]},
            {"@context": [URL, {"name": f"{EX}other"}]},
            {"name": None, "@context": [URL, {"other": None}]},
        ],
    )
    def test_what_belongs_to_the_key(self, counted: Counted, more: dict[str, Any]) -> None:
        assert counted(DOCUMENT)
        assert counted(but(**more))
        assert not counted(but(**more))
        assert not counted(DOCUMENT)

    @pytest.mark.parametrize("value", ["known:x", "known://x", "urn:all", "urn:all:y"])
    def test_iris_that_a_context_may_mean(self, counted: Counted, value: str) -> None:
        assert counted(DOCUMENT)
        assert counted(but(link=value)) == (value != "urn:all:y")
        assert not counted(DOCUMENT)

    @pytest.mark.parametrize("value", ["x", "_:b0", "@type", "https://a.example/ ", "#x", ""])
    def test_what_is_no_iri(self, counted: Counted, value: str) -> None:
        assert counted(DOCUMENT)
        if value == "_:b0":
            assert counted(but(link=value))
            assert not counted(but(link=value))
        else:
            assert code(lambda: jsonld.canonical(but(link=value), load)).startswith("jsonld.")
            assert code(lambda: whole(but(link=value))).startswith("jsonld.")
        assert not counted(but(link="https://a.example/"))

    def test_words(self, counted: Counted) -> None:
        for value in ("A", "B", "urn:x"):
            assert counted(but(word=value)), value
        assert not counted(but(word="urn:y"))
        assert not counted(but(word="A"))

    def test_json_is_its_own_key(self, counted: Counted) -> None:
        for value in ({"a": "x"}, {"a": "y"}, {"a": 1}, {"a": 1.0}, "x", "y", [True]):
            assert counted(but(json=value)), value
            assert not counted(but(json=value)), value

    @pytest.mark.parametrize(
        "value",
        [
            {"@id": 5}, {"@id": "urn:x"}, [{"@id": "x y"}], {"@value": "x", "a": 1}, {"a": {"@value": 1, "@type": "t"}},
            {"@type": "@json", "@value": [{"@id": 1}]}, {"@index": "i"}, {"@list": [{"@id": "urn:y"}]},
        ],
        ids=str,
    )  # fmt: skip
    def test_a_keyword_in_json_is_a_name_like_others(self, counted: Counted, value: Any) -> None:
        """What it says is a literal of JSON, whichever document of this shape came first."""
        assert counted(but(json=value))
        assert not counted(but(json=value))
        assert not counted(but(json=value, name=["Ada", "Zoe"]))

    def test_a_base_direction_is_part_of_the_form(self, counted: Counted) -> None:
        def said(text: str, direction: str) -> Any:
            return but(name={"@value": text, "@language": "ar", "@direction": direction})

        assert counted(said("a", "rtl"))
        assert not counted(said("b", "rtl"))
        assert counted(said("b", "ltr"))
        assert not counted(said("a", "ltr"))

    def test_a_strange_document_spoils_nothing_for_those_like_it(self, counted: Counted) -> None:
        assert counted(but(link="known:x"))
        assert counted(but(link="urn:y:1"))
        assert not counted(but(link="known:x"))
        assert counted(but(link="known:y"))
        assert not counted(but(link="urn:y:2"))

    def test_indexes_may_collide(self, counted: Counted) -> None:
        def indexed(first: str, second: str) -> dict[str, Any]:
            nodes = [{"id": first, "@index": "1"}, {"id": second, "@index": "2"}]
            return but(**{f"{EX}link": nodes})

        assert counted(indexed("urn:a", "urn:b"))
        assert counted(indexed("urn:a", "urn:b"))
        assert code(lambda: jsonld.canonical(indexed("urn:a", "urn:a"), load)) == "jsonld.error"

    def test_a_value_that_looks_like_a_mark(self, counted: Counted) -> None:
        """Were the marks not chosen so that the document has none, a kept value could be taken for another's."""
        document = but(json="leaf0:1", name=["leaf1:2", "x"], **{f"{EX}leaf2": "x"})
        assert counted(document)
        assert not counted(document | {"name": ["y", "leaf0:1"]})

    def test_nodes_that_look_alike(self, counted: Counted) -> None:
        def nodes(*names: str) -> dict[str, Any]:
            return {"@context": URL, "name": "x", f"{EX}of": [{"name": name} for name in names]}

        assert counted(nodes("a", "b", "c"))
        for names in ("xyz", "aab", "aaa"):
            assert not counted(nodes(*names))

    def test_nodes_that_say_something_twice(self, counted: Counted) -> None:
        def nodes(*names: str) -> dict[str, Any]:
            return {"@context": URL, "name": "x", f"{EX}of": [{"name": list(names)}, {"name": "b"}]}

        assert counted(nodes("a", "b"))
        for names in ("cd", "cc", "bb"):
            assert not counted(nodes(*names))

    def test_one_node_alone(self, counted: Counted) -> None:
        assert counted({"@context": URL, "name": "x"})
        assert not counted({"@context": URL, "name": "y"})

    def test_lists_and_graphs(self, counted: Counted) -> None:
        def inside(first: str, second: str) -> dict[str, Any]:
            return but(**{f"{EX}l": {"@list": [first, second]}, "@graph": [{"id": first, "name": second}]})

        assert counted(inside("urn:1", "x"))
        assert not counted(inside("urn:x:1", "urn:1"))

    def test_the_other_hash(self, counted: Counted) -> None:
        document = but(**{f"{EX}of": [{"name": name} for name in "abc"]})
        assert counted(document)
        expected = rdfc.canonicalize(jsonld.to_rdf(document, load), hash="sha384").nquads
        assert jsonld.canonical(document, load, hash="sha384") == expected != whole(document)

    def test_statements(self, counted: Counted) -> None:
        document = but(**{f"{EX}of": [{"name": name} for name in "abc"]})
        for _ in range(2):
            assert rdfc.canonicalize(jsonld.statements(document, load)).nquads == whole(document)
        assert counted.count == 1
        assert set(jsonld.statements({"@context": URL, "name": "y"}, load)) == set(
            jsonld.to_rdf({"@context": URL, "name": "y"}, load)
        )
        (only,) = jsonld.statements({"@context": URL, "name": "z"}, load)
        assert only[1:] == (f"<{EX}name>", '"z"', "")

    def test_a_text_of_a_class_of_its_own(self, counted: Counted) -> None:
        class Word(str):
            __slots__ = ()

        assert counted(DOCUMENT)
        assert not counted(but(link=Word("did:example:2"), double=7))


class TestContents:
    """By content, never by URL."""

    def test_other_content(self, counted: Counted) -> None:
        def other(url: str) -> Any:
            return {"@context": DEFINED | {"link": {"@id": f"{EX}link2", "@type": "@id"}}}

        assert counted(DOCUMENT)
        assert counted(DOCUMENT, other)
        assert not counted(DOCUMENT)
        assert not counted(DOCUMENT, other)
        assert whole(DOCUMENT, other) != whole(DOCUMENT)

    def test_true_is_not_one(self, counted: Counted) -> None:
        def almost(url: str) -> Any:
            return {"@context": DEFINED | {"link": {"@id": f"{EX}link", "@protected": 1}}}

        def right(url: str) -> Any:
            return {"@context": DEFINED | {"link": {"@id": f"{EX}link", "@protected": True}}}

        assert counted(DOCUMENT, right)
        assert code(lambda: jsonld.canonical(DOCUMENT, almost)) == "jsonld.error"

    def test_copies(self, counted: Counted) -> None:
        assert counted(DOCUMENT)
        assert not counted(DOCUMENT, lambda url: copy.deepcopy(load(url)))

    def test_a_context_that_is_no_longer_known(self) -> None:
        def gone(url: str) -> Any:
            raise Malformed("jsonld.error", error="loading remote context failed")

        jsonld.canonical(DOCUMENT, load)
        assert code(lambda: jsonld.canonical(DOCUMENT, gone)) == "jsonld.error"
        assert code(lambda: jsonld.expand(DOCUMENT, gone)) == "jsonld.error"


class TestBounds:
    def test_shapes(self) -> None:
        for number in range(alike._SHAPES + 5):
            jsonld.canonical({"@context": URL, f"{EX}{number}": "x"}, load)
        assert len(alike._shapes) == alike._SHAPES

    def test_those_in_use_stay(self, counted: Counted) -> None:
        assert counted(DOCUMENT)
        for number in range(alike._SHAPES + 5):
            jsonld.canonical({"@context": URL, f"{EX}{number}": "x"}, load)
            assert not counted(DOCUMENT)

    def test_templates_of_one_shape(self) -> None:
        for number in range(alike._EACH + 5):
            jsonld.canonical(but(type=f"{EX}{number}"), load)
        (only,) = alike._shapes.values()
        assert len(only) == alike._EACH

    @pytest.mark.parametrize(
        ("small", "large"),
        [
            ({"name": ["x"] * 200}, {"name": ["x"] * 301}),
            ({"name": "x" * 100_000}, {f"{EX}{'x' * 40_000}": "y"}),
            ({"type": f"{EX}{'x' * 2_000}"}, {"type": f"{EX}{'x' * 40_000}"}),
            ({"json": "x" * 2_000}, {"json": "x" * 33_000}),
            ({}, {f"{EX}{'x' * 3_000}{number}": "y" for number in range(10)} | {"id": "urn:" + "x" * 1_000}),
        ],
    )
    def test_what_is_too_large_is_not_kept(self, counted: Counted, small: Any, large: Any) -> None:
        if "name" not in small or small["name"] != "x" * 100_000:
            assert counted(but(**small))
            assert not counted(but(**small))
        assert counted(but(**large))
        assert counted(but(**large))


class TestJson:
    """What cannot be JSON is not signed, whatever JSON-LD would make of it."""

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (2**53, "json.integer_too_large"),
            (-(2**53), "json.integer_too_large"),
            (float("inf"), "json.not_finite"),
            (float("nan"), "json.not_finite"),
            (("a", "b"), "json.not_json"),
            (b"x", "json.not_json"),
        ],
    )
    def test_values(self, value: Any, expected: str) -> None:
        assert code(lambda: jsonld.canonical(but(name=value), load)) == expected
        assert jsonld.canonical(but(name=2**53 - 1), load)

    @pytest.mark.parametrize("wrap", [lambda inner: {f"{EX}in": inner}, lambda inner: [inner]])
    def test_depth(self, wrap: Any) -> None:
        def deep(levels: int) -> Any:
            made: Any = "x"
            for _ in range(levels):
                made = wrap(made)
            return {"@context": URL, f"{EX}top": made}

        assert jsonld.canonical(deep(limits.DEPTH), load)
        assert code(lambda: jsonld.canonical(deep(limits.DEPTH + 1), load)) == "json.too_deep"


class TestContexts:
    def test_processed_once(self) -> None:
        asked: list[str] = []

        def made(url: str) -> Any:
            asked.append(url)
            return LOADED

        first = jsonld.expand(DOCUMENT, made)
        (known,) = context._roots.values()
        assert jsonld.expand(DOCUMENT, made) == first
        assert list(context._roots.values()) == [known]
        assert known.result.known is not None
        assert len(known.result.known) == 1
        assert asked == [URL, URL]

    def test_as_much_work_as_before(self, monkeypatch: pytest.MonkeyPatch) -> None:
        jsonld.expand(DOCUMENT, load)
        needed = 0
        while not self.fits() or not needed:
            needed += 1
            monkeypatch.setattr(limits, "JSONLD_WORK", needed)
        context._roots.clear()
        assert self.fits()
        monkeypatch.setattr(limits, "JSONLD_WORK", needed - 1)
        context._roots.clear()
        assert not self.fits()
        assert needed > 20

    def fits(self) -> bool:
        try:
            jsonld.expand(DOCUMENT, load)
        except Malformed as error:
            return error.code != "jsonld.work"
        return True

    def test_other_content(self) -> None:
        def other(url: str) -> Any:
            return {"@context": DEFINED | {"link": {"@id": f"{EX}link2", "@type": "@id"}}}

        first = jsonld.expand(DOCUMENT, load)
        assert jsonld.expand(DOCUMENT, other) != first
        assert jsonld.expand(DOCUMENT, load) == first
        assert len(context._roots) == 1

    def test_what_strangers_write_is_not_remembered(self) -> None:
        for inline in ({"name": f"{EX}n"}, [URL, {"name": f"{EX}n"}], None, []):
            jsonld.expand({"@context": inline, f"{EX}x": "y"}, load)
        assert [key for key in context._roots if key[1]] == []  # type: ignore[index]
        jsonld.expand({"@context": URL, f"{EX}x": {"@context": {"name": f"{EX}n"}, "name": "x"}}, load)
        (known,) = (known for key, known in context._roots.items() if key[1])  # type: ignore[index]
        assert known.result.known == {}

    def test_bounds(self) -> None:
        for number in range(context._ROOTS + 5):
            jsonld.expand({"@context": [URL] * (number + 1), "name": "x"}, load)
        assert len(context._roots) == context._ROOTS

        def many(url: str) -> Any:
            return {"@context": {f"t{n}": {"@id": f"{EX}{n}", "@context": {"name": f"{EX}{n}n"}} for n in range(100)}}

        document = {"@context": "https://contexts.example/many", **{f"t{n}": {"name": "x"} for n in range(100)}}
        first = jsonld.expand(document, many)
        *_, known = context._roots.values()
        assert known.result.known is not None
        assert len(known.result.known) == context._SCOPED
        assert jsonld.expand(document, many) == first

    def test_a_base(self) -> None:
        for base in ("https://a.example/", "https://b.example/"):
            found = jsonld.expand({"@context": URL, "id": "x", "name": "y"}, load, base=base)
            assert found[0]["@id"] == f"{base}x"


class TestMaking:
    def test_of_a_document_with_indexes(self) -> None:
        assert compiling.make(but(**{f"{EX}link": {"id": "urn:a", "@index": "1"}}), ["urn:a", "1"], load) is None
