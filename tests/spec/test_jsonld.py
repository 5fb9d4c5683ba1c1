"""JSON-LD 1.1 API: expansion and deserialisation to RDF, by the official cases; safe mode, by our own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cityid import limits
from cityid.encoding import jsonld, nquads, rdfc
from cityid.encoding.jsonld import iri
from cityid.encoding.nquads import Quad
from cityid.errors import Malformed
from tests.vectors import load, vectors

BASE = "https://w3c.github.io/json-ld-api/tests/"
LISTED = {
    "json-ld-1.0": "JSON-LD 1.0 is not offered: a credential's contexts say @version 1.1",
    "generalized": "blank nodes are no predicates in RDF 1.1; nothing signs such a dataset",
    "absent": "its input is not among the vectors",
}
VOCAB = "https://city.example/vocab#"


def listed(root: Path, entry: dict[str, Any]) -> str:
    option = entry.get("option") or {}
    if "json-ld-1.0" in (option.get("specVersion"), option.get("processingMode")):
        return "json-ld-1.0"
    if option.get("produceGeneralizedRdf"):
        return "generalized"
    return "" if (root / entry["input"]).exists() else "absent"


def entries(kind: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    root = vectors("jsonld")
    for entry in load(root / f"{kind}-manifest.jsonld")["sequence"]:
        yield root, entry


def cases(kind: str) -> list[Any]:
    return [pytest.param(root, entry, id=entry["@id"]) for root, entry in entries(kind) if not listed(root, entry)]


def loader(root: Path) -> jsonld.Loader:
    def find(url: str) -> Any:
        path = root / url.removeprefix(BASE)
        if not url.startswith(BASE) or not path.exists():
            raise Malformed("jsonld.error", spec="JSON-LD 1.1 API §9.4", error="loading remote context failed")
        return load(path)

    return find


def given(root: Path, entry: dict[str, Any]) -> dict[str, Any]:
    option = entry.get("option") or {}
    context = load(root / option["expandContext"]) if "expandContext" in option else None
    return {"load": loader(root), "base": option.get("base", BASE + entry["input"]), "context": context, "safe": False}


def unordered(value: Any, inside: str = "") -> Any:
    """Arrays are sets in JSON-LD, but for `@list` and JSON literals."""
    if isinstance(value, dict):
        if value.get("@type") == "@json":
            return value
        return {name: unordered(item, name) for name, item in value.items()}
    if isinstance(value, list):
        items = [unordered(item) for item in value]
        return items if inside == "@list" else sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
    return value


def error_of(run: Any) -> str:
    with pytest.raises(Malformed) as caught:
        run()
    assert caught.value.code == "jsonld.error"
    return str(caught.value.problem.facts["error"])


@pytest.mark.spec("JSON-LD 1.1 API §5")
class TestExpansion:
    @pytest.mark.parametrize(("root", "entry"), cases("expand"))
    def test_case(self, root: Path, entry: dict[str, Any]) -> None:
        document, options = load(root / entry["input"]), given(root, entry)
        if "expectErrorCode" in entry:
            assert error_of(lambda: jsonld.expand(document, **options)) == entry["expectErrorCode"]
            return
        found = jsonld.expand(document, **options)
        assert unordered(found) == unordered(load(root / entry["expect"]))


@pytest.mark.spec("JSON-LD 1.1 API §6")
class TestCompaction:
    @pytest.mark.parametrize(("root", "entry"), cases("compact"))
    def test_case(self, root: Path, entry: dict[str, Any]) -> None:
        option = entry.get("option") or {}

        def run() -> Any:
            return jsonld.compact(
                load(root / entry["input"]),
                load(root / entry["context"]),
                loader(root),
                base=option.get("base", BASE + entry["input"]),
                arrays=option.get("compactArrays", True),
                relative=option.get("compactToRelative", True),
                safe=False,
            )

        if "expectErrorCode" in entry:
            assert error_of(run) == entry["expectErrorCode"]
        else:
            assert unordered(run()) == unordered(load(root / entry["expect"]))

    def test_a_document_of_nothing(self) -> None:
        assert jsonld.compact({}, {}, nowhere, safe=False) == {}

    def test_several_nodes_are_a_graph(self) -> None:
        found = jsonld.compact([ADA, {**ADA, "id": "urn:grace"}], CONTEXT, nowhere)
        assert [node["id"] for node in found["@graph"]] == ["urn:ada", "urn:grace"]

    @pytest.mark.parametrize("expanded", [{"@id": "urn:x", "urn:p": [{"@id": "urn:y", "@index": "1"}]}])
    def test_an_index_that_its_term_has_no_place_for_stays(self, expanded: Any) -> None:
        found = jsonld.compact(expanded, {"p": {"@id": "urn:p", "@type": "@id"}}, nowhere)
        assert found["p"] == {"@id": "urn:y", "@index": "1"}

    def test_a_place_to_nest_in_that_is_none(self) -> None:
        def nested(place: Any) -> Any:
            return jsonld.compact(ADA, {"n": place, "name": {"@id": f"{VOCAB}name", "@nest": "n"}}, nowhere)

        assert nested("@nest")["n"] == {"name": "Ada"}
        assert error_of(lambda: nested("urn:n")) == "invalid @nest value"

    def test_there_and_back(self) -> None:
        found = jsonld.compact(jsonld.expand(ADA, nowhere), CONTEXT, nowhere)
        assert nquads.write(jsonld.to_rdf(found, nowhere)) == nquads.write(safe())


@pytest.mark.spec("JSON-LD 1.1 API §8")
class TestDatasets:
    @pytest.mark.parametrize(("root", "entry"), cases("toRdf"))
    def test_case(self, root: Path, entry: dict[str, Any]) -> None:
        document, options = load(root / entry["input"]), given(root, entry)
        options["direction"] = (entry.get("option") or {}).get("rdfDirection", "")
        if "expectErrorCode" in entry:
            assert error_of(lambda: jsonld.to_rdf(document, **options)) == entry["expectErrorCode"]
            return
        found = jsonld.to_rdf(document, **options)
        if "expect" not in entry:
            return  # a PositiveSyntaxTest: it is enough that it was read
        expected = nquads.read((root / entry["expect"]).read_text("utf-8"))
        # Two datasets are the same when their canonical forms are.
        assert rdfc.canonicalize(found).nquads == rdfc.canonicalize(expected).nquads

    @pytest.mark.parametrize("tag", ["de-CH", "DE-ch", "de-ch"])
    def test_a_language_has_one_tag(self, tag: str) -> None:
        """§5.1.2 leaves the case to the processor (decision 319)."""
        ways = [{"@value": "A", "@language": tag}, {"@set": [{"@value": "A", "@language": tag}]}]
        for value in ways:
            (quad,) = jsonld.to_rdf({"@id": "urn:x", f"{VOCAB}said": value}, nowhere)
            assert quad[2] == '"A"@de-ch'
        (expanded,) = jsonld.expand({"@id": "urn:x", f"{VOCAB}said": ways[0]}, nowhere)
        assert expanded[f"{VOCAB}said"] == [ways[0]]

    def test_a_base_direction_is_not_lost(self) -> None:
        """Data Integrity 1.0 §2.4.3 wants nothing lost (decision 320); elsewhere it is as §8.2 has it."""

        def said(**members: str) -> list[str]:
            document = {"@id": "urn:x", f"{VOCAB}said": {"@value": "A", **members}}
            return [
                quad[2] for quad in (*jsonld.to_rdf(document, nowhere), *jsonld.to_rdf(document, nowhere, safe=False))
            ]

        text = '"A"'
        typed = f"{text}^^<https://www.w3.org/ns/i18n#"
        assert said(**{"@language": "AR", "@direction": "rtl"}) == [f"{typed}ar_rtl>", f"{text}@ar"]
        assert said(**{"@language": "ar", "@direction": "ltr"}) == [f"{typed}ar_ltr>", f"{text}@ar"]
        assert said(**{"@direction": "rtl"}) == [f"{typed}_rtl>", text]
        assert said(**{"@language": "ar"}) == [f"{text}@ar"] * 2


@pytest.mark.parametrize(("kind", "total"), [("expand", 257), ("compact", 165), ("toRdf", 312)])
def test_run_and_listed_is_present(kind: str, total: int) -> None:
    why = Counter(listed(root, entry) for root, entry in entries(kind))
    assert why.total() == total
    assert set(why) - {""} <= set(LISTED)
    assert why["absent"] <= 1
    assert why[""] == len(cases(kind))


CONTEXT = {
    "@version": 1.1,
    "id": "@id",
    "type": "@type",
    "Person": f"{VOCAB}Person",
    "name": f"{VOCAB}name",
    "knows": {"@id": f"{VOCAB}knows", "@type": "@id"},
    "kind": {"@id": f"{VOCAB}kind", "@type": "@vocab"},
    "unsaid": None,
    "blank": "_:blank",
    "near": {"@id": f"{VOCAB}near", "@container": "@id"},
    "by": {"@id": f"{VOCAB}by", "@container": "@type"},
    "when": {"@id": f"{VOCAB}when", "@type": "urn:has space"},
}
ADA = {"@context": CONTEXT, "id": "urn:ada", "type": "Person", "name": "Ada"}


def nowhere(url: str) -> Any:
    raise Malformed("jsonld.error", where=url, spec="JSON-LD 1.1 API §9.4", error="loading remote context failed")


def safe(**members: Any) -> list[Quad]:
    return jsonld.to_rdf({**ADA, **members}, nowhere)


def refused(code: str, **members: Any) -> str:
    with pytest.raises(Malformed) as caught:
        safe(**members)
    assert caught.value.code == code
    jsonld.to_rdf({**ADA, **members}, nowhere, safe=False)  # what safe mode is there for: elsewhere it is read
    return str(caught.value.problem.facts["name"])


class TestSafeMode:
    """Nothing is dropped, nothing stays relative without a word."""

    def test_what_is_said_is_in_the_dataset(self) -> None:
        assert nquads.write(safe(knows=["urn:grace"], kind="Person", name=None)) == (
            f"<urn:ada> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <{VOCAB}Person> .\n"
            f"<urn:ada> <{VOCAB}kind> <{VOCAB}Person> .\n"
            f"<urn:ada> <{VOCAB}knows> <urn:grace> .\n"
        )

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("nickname", "A"),
            ("unsaid", "A"),
            ("@likeKeyword", "A"),
            ("_:blank", "A"),
            ("blank", "A"),
            ("@graph", "A"),
            ("@graph", [{"@value": "A"}]),
            ("@graph", [{"@id": "urn:alone"}]),
            ("@graph", [{"@list": ["A"]}]),
            ("name", {"@language": "de"}),
            ("name", {"@value": "A", "@language": "not a tag"}),
            ("name", {"@value": None}),
            ("name", {"@prefix": "A", "name": "A"}),
        ],
    )
    def test_dropped(self, name: str, value: Any) -> None:
        refused("jsonld.dropped", **{name: value})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("id", "ada"),
            ("id", "@likeKeyword"),
            ("type", "Persona"),
            ("type", ["Person", "@likeKeyword"]),
            ("knows", "grace"),
            ("knows", "https://city.example/a b"),
            ("kind", "persona"),
            ("near", {"grace": {"name": "Grace"}}),
            ("by", {"Persona": {"name": "Grace"}}),
        ],
    )
    def test_relative(self, name: str, value: Any) -> None:
        refused("jsonld.relative", **{name: value})

    def test_a_json_literal(self) -> None:
        found = safe(name={"@value": {"b": [1, True], "a": None}, "@type": "@json"})
        literal = '"{\\"a\\":null,\\"b\\":[1,true]}"^^<http://www.w3.org/1999/02/22-rdf-syntax-ns#JSON>'
        assert literal in {quad[2] for quad in found}

    def test_zero_has_no_sign(self) -> None:
        terms = {"double": {"@id": f"{VOCAB}double", "@type": "http://www.w3.org/2001/XMLSchema#double"}}
        for given in (0, 0.0, -0.0, [0, -0.0], [-0.0, 0]):
            (only,) = jsonld.to_rdf({"@context": terms, "double": given}, nowhere)
            assert only[2] == '"0.0E0"^^<http://www.w3.org/2001/XMLSchema#double>'

    def test_a_datatype_that_is_relative(self) -> None:
        with pytest.raises(Malformed) as caught:
            safe(name={"@value": "A", "@type": "word"})
        assert caught.value.code == "jsonld.relative"
        assert safe(name={"@value": "A", "@type": "Person"})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("knows", "urn:grace"),
            ("knows", "https://city.example/ab"),
            ("type", ["Person", "urn:other"]),
            ("near", {"urn:grace": {"name": "Grace"}}),
            ("near", {"@none": {"name": "Grace"}}),
            ("by", {"Person": {"name": "Grace"}}),
            ("name", {"@value": "A", "@language": "de-AT"}),
            ("name", []),
            ("@graph", [{"@id": "urn:grace", "name": "Grace"}]),
            ("name", {"@set": ["A", "B"]}),
            ("name", {"@list": ["A", None]}),
        ],
    )
    def test_twins(self, name: str, value: Any) -> None:
        assert safe(**{name: value})

    def test_a_datatype_that_is_no_iri(self) -> None:
        with pytest.raises(Malformed) as caught:
            safe(when="now")
        assert caught.value.code == "jsonld.relative"
        assert jsonld.to_rdf({**ADA, "when": "now"}, nowhere, safe=False)

    def test_a_context_that_nobody_knows(self) -> None:
        found = error_of(lambda: jsonld.expand({"@context": "https://city.example/context"}, nowhere))
        assert found == "loading remote context failed"

    def test_the_base_makes_references_whole(self) -> None:
        found = jsonld.to_rdf({**ADA, "id": "ada"}, nowhere, base="https://city.example/people/")
        assert {quad[0] for quad in found} == {"<https://city.example/people/ada>"}

    @pytest.mark.parametrize("value", ["x", 1, {"@value": "x"}, {"@list": ["x"]}, ["x", {"name": "y"}]])
    def test_a_value_where_a_graph_is(self, value: Any) -> None:
        terms = {"g": {"@id": f"{VOCAB}g", "@container": "@graph"}, "name": f"{VOCAB}name"}
        document = {"@context": terms, "g": value}
        with pytest.raises(Malformed) as error:
            jsonld.to_rdf(document, nowhere)
        assert error.value.code == "jsonld.dropped"
        kept = [quad for quad in jsonld.to_rdf(document, nowhere, safe=False) if quad[3]]
        assert len(kept) == isinstance(value, list)
        assert jsonld.to_rdf({**document, "g": {"name": "y"}}, nowhere)


def from_context(term: Any, name: str = "t", **more: Any) -> Any:
    return jsonld.expand({"@context": [{"ex": "urn:ex:", "at": "@type"}, {name: term, **more}], "ex:p": 1}, nowhere)


class TestErrorsOfContexts:
    """Those that no official case shows."""

    @pytest.mark.parametrize(
        ("error", "wrong", "right"),
        [
            ("invalid @protected value", {"@id": "ex:t", "@protected": 1}, {"@id": "ex:t", "@protected": True}),
            ("invalid type mapping", {"@id": "ex:t", "@type": 1}, {"@id": "ex:t", "@type": "ex:d"}),
            (
                "invalid type mapping",
                {"@id": "ex:t", "@container": "@type", "@type": "ex:d"},
                {"@id": "ex:t", "@container": "@type", "@type": "@vocab"},
            ),
            ("invalid term definition", {"@id": "ex:t", "@other": 1}, {"@id": "ex:t"}),
            ("invalid term definition", {"@reverse": "ex:t", "@other": 1}, {"@reverse": "ex:t"}),
            ("invalid IRI mapping", {"@id": 1}, {"@id": "ex:1"}),
            ("invalid IRI mapping", {"@id": "relative"}, {"@id": "ex:relative"}),
            ("invalid IRI mapping", {"@reverse": "relative"}, {"@reverse": "ex:relative"}),
            ("invalid IRI mapping", {"@reverse": 1}, {"@reverse": "ex:1"}),
            ("invalid container mapping", {"@id": "ex:t", "@container": []}, {"@id": "ex:t", "@container": ["@set"]}),
            (
                "invalid container mapping",
                {"@id": "ex:t", "@container": ["@set", "@set"]},
                {"@id": "ex:t", "@container": ["@set", "@index"]},
            ),
            (
                "invalid container mapping",
                {"@id": "ex:t", "@container": ["@id", "@index"]},
                {"@id": "ex:t", "@container": ["@graph", "@index", "@set"]},
            ),
            (
                "invalid container mapping",
                {"@id": "ex:t", "@container": ["@list", "@set"]},
                {"@id": "ex:t", "@container": ["@list"]},
            ),
            (
                "invalid term definition",
                {"@id": "ex:t", "@container": "@index", "@index": "relative"},
                {"@id": "ex:t", "@container": "@index", "@index": "ex:i"},
            ),
            ("invalid base direction", {"@id": "ex:t", "@direction": "up"}, {"@id": "ex:t", "@direction": "rtl"}),
            ("invalid language mapping", {"@id": "ex:t", "@language": 1}, {"@id": "ex:t", "@language": None}),
            ("invalid @nest value", {"@id": "ex:t", "@nest": 1}, {"@id": "ex:t", "@nest": "other"}),
            ("invalid @nest value", {"@id": "ex:t", "@nest": "@id"}, {"@id": "ex:t", "@nest": "@nest"}),
        ],
    )
    def test_terms(self, error: str, wrong: Any, right: Any) -> None:
        assert from_context(right)
        assert error_of(lambda: from_context(wrong)) == error

    @pytest.mark.parametrize(
        ("error", "name", "wrong", "right"),
        [
            ("keyword redefinition", "@type", {"@container": "@list"}, {"@container": "@set"}),
            ("keyword redefinition", "@type", {}, {"@protected": True}),
            ("keyword redefinition", "@type", {"@id": "ex:t"}, {"@container": ["@set"]}),
            ("invalid @protected value", "@protected", 1, False),
            ("invalid vocab mapping", "@vocab", "relative", "ex:relative#"),
            ("invalid vocab mapping", "@vocab", 1, None),
            ("invalid vocab mapping", "@vocab", "@likeKeyword", ""),
            ("invalid vocab mapping", "@vocab", "relative", "_:blank"),
            ("invalid @version value", "@version", "1.1", 1.1),
            ("invalid @version value", "@version", None, 1.1),
            ("invalid base IRI", "@base", "relative", "urn:whole"),
            ("invalid IRI mapping", "a:b", {"@id": "ex:t"}, {"@id": "a:b"}),
            ("invalid IRI mapping", "a/b", {"@type": "@id"}, {"@id": "a/b", "@reverse": "ex:t"}),
        ],
    )
    def test_contexts(self, error: str, name: str, wrong: Any, right: Any) -> None:
        if name != "a/b":
            assert from_context(right, name)
        assert error_of(lambda: from_context(wrong, name)) == error

    def test_keywords_are_not_redefined(self) -> None:
        assert error_of(lambda: from_context("ex:t", "@id")) == "keyword redefinition"
        assert from_context("@id", "id")

    def test_a_context_wrapped_as_a_document_is(self) -> None:
        inner = {"@vocab": VOCAB}
        bare, wrapped = ({"@context": [each], "a": "x"} for each in (inner, {"@context": inner}))
        assert jsonld.to_rdf(wrapped, nowhere) == jsonld.to_rdf(bare, nowhere)
        for wrong in ({"@context": inner, "a": VOCAB + "b"}, {"@context": [inner]}, {"@context": {"@context": inner}}):
            assert error_of(lambda wrong=wrong: jsonld.to_rdf({"@context": wrong, "a": "x"}, nowhere)) == (
                "keyword redefinition"
            )

    def test_a_relative_url_without_a_base(self) -> None:
        assert error_of(lambda: jsonld.expand({"@context": "context"}, nowhere)) == "loading document failed"

    @pytest.mark.parametrize(
        ("error", "found"),
        [
            ("invalid remote context", {"@context": ["urn:b"]}),
            ("invalid context entry", {"@context": {"@import": "a"}}),
        ],
    )
    def test_imports(self, error: str, found: Any) -> None:
        document = {"@context": {"@import": "urn:a", "name": "urn:name"}, "name": "A"}
        assert jsonld.expand(document, lambda url: {"@context": {}})
        assert error_of(lambda: jsonld.expand(document, lambda url: found)) == error

    @pytest.mark.parametrize("found", [{}, [], ["@context"], "@context", None])
    def test_a_document_without_a_context(self, found: Any) -> None:
        assert error_of(lambda: jsonld.expand({"@context": "urn:c"}, lambda url: found)) == "invalid remote context"

    @pytest.mark.parametrize(
        ("error", "wrong", "right"),
        [
            ("invalid type mapping", {"@id": "ex:t", "@type": "@likeKeyword"}, {"@id": "ex:t", "@type": "@json"}),
            ("invalid IRI mapping", {"@id": "gone"}, {"@id": "_:b"}),
            ("invalid IRI mapping", {"@reverse": "gone"}, {"@reverse": "_:b"}),
            ("invalid term definition", {"@id": "@type", "@prefix": True}, {"@id": "@type", "@prefix": False}),
            (
                "invalid term definition",
                {"@id": "ex:t", "@container": "@index", "@index": "gone"},
                {"@id": "ex:t", "@container": "@index", "@index": "ex:i"},
            ),
            (
                "invalid term definition",
                {"@id": "ex:t", "@container": "@index", "@index": "@id"},
                {"@id": "ex:t", "@container": "@index", "@index": "ex:id"},
            ),
        ],
    )
    def test_names_that_mean_nothing(self, error: str, wrong: Any, right: Any) -> None:
        assert from_context(right, gone=None)
        assert error_of(lambda: from_context(wrong, gone=None)) == error

    @pytest.mark.parametrize(
        ("error", "wrong", "right"),
        [
            ("invalid base direction", {"@value": "A", "@direction": "up"}, {"@value": "A", "@direction": "rtl"}),
            (
                "invalid value object",
                {"@value": "A", "@type": "urn:t", "@direction": "rtl"},
                {"@value": "A", "@language": "ar", "@direction": "rtl"},
            ),
        ],
    )
    def test_values(self, error: str, wrong: Any, right: Any) -> None:
        assert safe(name=right)
        assert error_of(lambda: safe(name=wrong)) == error

    @pytest.mark.parametrize("wrong", [{"@value": "A"}, {"@list": [{"@id": "urn:x"}]}])
    def test_what_nothing_points_back_from(self, wrong: Any) -> None:
        def by_keyword(value: Any) -> Any:
            return safe(**{"@reverse": {f"{VOCAB}knows": [value]}})

        def by_term(value: Any) -> Any:
            context = [CONTEXT, {"known": {"@reverse": f"{VOCAB}knows"}}]
            return safe(**{"@context": context, "known": [value]})

        for way in (by_keyword, by_term):
            assert way({"@id": "urn:x", "name": "X"})
            assert error_of(lambda way=way: way(wrong)) == "invalid reverse property value"

    def test_an_iri_that_looks_like_a_prefix_and_a_name(self) -> None:
        def compacted(name: str, tag: Any) -> Any:
            return jsonld.compact({"@id": name, "urn:p": "A"}, {"tag": tag}, nowhere)["@id"]

        simple, plain = "urn:tags:", {"@id": "urn:tags:"}
        assert error_of(lambda: compacted("tag:x", simple)) == "IRI confused with prefix"
        assert compacted("tag:x", plain) == "tag:x"
        assert compacted("tag://x", simple) == "tag://x"

    def test_a_blank_node_named_twice_is_one(self) -> None:
        found = safe(knows=[{"@id": "_:x", "name": "X"}, "_:x", {"@id": "_:y", "@type": ["_:x", "_:x"]}])
        assert len(found) == 6
        assert len({quad[2] for quad in found if quad[1] == f"<{VOCAB}knows>"}) == 2

    def test_two_indexes_of_one_node(self) -> None:
        def both(second: str) -> Any:
            nodes = [{"@id": "urn:x", "@index": "1"}, {"@id": "urn:x", "@index": second}]
            return safe(knows=nodes)

        assert both("1")
        assert error_of(lambda: both("2")) == "conflicting indexes"


class TestWork:
    def test_scoped_contexts_that_multiply(self) -> None:
        """Two hundred terms behind a type, that type on each node."""
        scoped = {f"t{number}": f"{VOCAB}{number}" for number in range(200)}
        context = {"T": {"@id": f"{VOCAB}T", "@context": scoped}, "c": f"{VOCAB}c"}

        def document(count: int) -> dict[str, Any]:
            return {"@context": context, "c": [{"@type": "T", "t1": "x"} for _ in range(count)]}

        assert len(jsonld.to_rdf(document(20), nowhere)) == 60
        with pytest.raises(Malformed) as caught:
            jsonld.to_rdf(document(100), nowhere)
        assert caught.value.code == "jsonld.work"
        assert caught.value.problem.facts["limit"] == limits.JSONLD_WORK

    def test_work_inside_a_scoped_context_keeps_its_code(self) -> None:
        inner = {f"t{number}": f"{VOCAB}{number}" for number in range(limits.JSONLD_WORK)}
        with pytest.raises(Malformed) as caught:
            jsonld.expand({"@context": {"T": {"@id": f"{VOCAB}T", "@context": inner}}}, nowhere)
        assert caught.value.code == "jsonld.work"

    def test_a_ceiling_on_statements(self) -> None:
        def document(count: int) -> dict[str, Any]:
            return {"@context": CONTEXT, "id": "urn:ada", "name": [f"{number}" for number in range(count)]}

        assert len(jsonld.to_rdf(document(limits.QUADS), nowhere)) == limits.QUADS
        with pytest.raises(Malformed) as caught:
            jsonld.to_rdf(document(limits.QUADS + 1), nowhere)
        assert (caught.value.code, caught.value.problem.facts["limit"]) == ("jsonld.work", limits.QUADS)

    def test_contexts_inside_contexts(self) -> None:
        def chain(url: str) -> Any:
            number = int(url.removeprefix("urn:c"))
            return {"@context": f"urn:c{number - 1}" if number else {"name": f"{VOCAB}name"}}

        assert jsonld.expand({"@context": "urn:c31", "name": "A"}, chain)
        assert error_of(lambda: jsonld.expand({"@context": "urn:c32", "name": "A"}, chain)) == "context overflow"

    def test_a_context_that_includes_itself(self) -> None:
        found = error_of(lambda: jsonld.expand({"@context": "urn:c"}, lambda url: {"@context": url}))
        assert found == "context overflow"


@pytest.mark.spec("RFC 3986 §5.4")
class TestReferences:
    """The examples of RFC 3986 §5.4.1 and §5.4.2."""

    @pytest.mark.parametrize(
        ("reference", "target"),
        [
            ("g:h", "g:h"), ("g", "http://a/b/c/g"), ("./g", "http://a/b/c/g"), ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"), ("//g", "http://g"), ("?y", "http://a/b/c/d;p?y"), ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q#s"), ("g#s", "http://a/b/c/g#s"), ("g?y#s", "http://a/b/c/g?y#s"),
            (";x", "http://a/b/c/;x"), ("g;x", "http://a/b/c/g;x"), ("g;x?y#s", "http://a/b/c/g;x?y#s"),
            ("", "http://a/b/c/d;p?q"), (".", "http://a/b/c/"), ("./", "http://a/b/c/"), ("..", "http://a/b/"),
            ("../", "http://a/b/"), ("../g", "http://a/b/g"), ("../..", "http://a/"), ("../../", "http://a/"),
            ("../../g", "http://a/g"), ("../../../g", "http://a/g"), ("../../../../g", "http://a/g"),
            ("/./g", "http://a/g"), ("/../g", "http://a/g"), ("g.", "http://a/b/c/g."), (".g", "http://a/b/c/.g"),
            ("g..", "http://a/b/c/g.."), ("..g", "http://a/b/c/..g"), ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"), ("g/./h", "http://a/b/c/g/h"), ("g/../h", "http://a/b/c/h"),
            ("g;x=1/./y", "http://a/b/c/g;x=1/y"), ("g;x=1/../y", "http://a/b/c/y"), ("g?y/./x", "http://a/b/c/g?y/./x"),
            ("g?y/../x", "http://a/b/c/g?y/../x"), ("g#s/./x", "http://a/b/c/g#s/./x"),
            ("g#s/../x", "http://a/b/c/g#s/../x"), ("http:g", "http:g"),
        ],
    )  # fmt: skip
    def test_resolved(self, reference: str, target: str) -> None:
        assert iri.resolve("http://a/b/c/d;p?q", reference) == target

    def test_other_bases(self) -> None:
        assert iri.resolve("", "g") == "g"
        assert iri.resolve("http://a", "g") == "http://a/g"
        assert iri.resolve("urn:a", "g") == "urn:g"

    @pytest.mark.parametrize(
        ("target", "reference"),
        [
            ("http://a/b/c/d;p?q", "d;p?q"), ("http://a/b/c/d;p?q#s", "#s"), ("http://a/b/c/d;p?y", "?y"),
            ("http://a/b/c/d;p", "d;p"), ("http://a/b/c/", "./"), ("http://a/b/c/g", "g"), ("http://a/b/", "../"),
            ("http://a/g?y", "../../g?y"), ("http://a/b/c/g:h", "./g:h"), ("http://a/b/c/e/f", "e/f"),
            ("http://b/b/c/g", "http://b/b/c/g"), ("https://a/b/c/g", "https://a/b/c/g"), ("urn:a", "urn:a"),
        ],
    )  # fmt: skip
    def test_relative(self, target: str, reference: str) -> None:
        assert iri.relative("http://a/b/c/d;p?q", target) == reference
        assert iri.resolve("http://a/b/c/d;p?q", reference) == target

    @pytest.mark.parametrize(
        ("text", "well_formed"),
        [("urn:a#b", True), ("urn:a#b#c", False), ("urn:a b", False), ("a", False), ("urn:<", False), ("urn:é", True)],
    )
    def test_well_formed(self, text: str, well_formed: bool) -> None:
        assert iri.is_well_formed(text) is well_formed
