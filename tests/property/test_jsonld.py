"""What is remembered of JSON-LD changes nothing: the canonical form through templates and remembered contexts is that
of the whole algorithm, and so is each refusal."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cityid.encoding import jsonld, nquads, rdfc
from cityid.encoding.jsonld import alike, context, dataset, expansion
from cityid.errors import Malformed

pytestmark = pytest.mark.property

XSD = "http://www.w3.org/2001/XMLSchema#"
RICH = "https://contexts.example/rich"
TRAPS = "https://contexts.example/traps"
CONTEXTS: dict[str, Any] = {
    RICH: {
        "@context": {
            "@version": 1.1,
            "id": "@id",
            "type": "@type",
            "ex": "https://ex.example/",
            "name": "ex:name",
            "day": {"@id": "ex:day", "@type": f"{XSD}date"},
            "double": {"@id": "ex:double", "@type": f"{XSD}double"},
            "integer": {"@id": "ex:integer", "@type": f"{XSD}integer"},
            "flag": {"@id": "ex:flag", "@type": f"{XSD}boolean"},
            "text": {"@id": "ex:text", "@type": f"{XSD}string"},
            "link": {"@id": "ex:link", "@type": "@id"},
            "word": {"@id": "ex:word", "@type": "@vocab"},
            "json": {"@id": "ex:json", "@type": "@json"},
            "any": {"@id": "ex:any", "@type": "@none"},
            "german": {"@id": "ex:german", "@language": "de"},
            "right": {"@id": "ex:right", "@direction": "rtl"},
            "list": {"@id": "ex:list", "@container": "@list"},
            "links": {"@id": "ex:links", "@type": "@id", "@container": ["@set"]},
            "said": {"@id": "ex:said", "@container": "@language"},
            "graph": {"@id": "ex:graph", "@container": "@graph"},
            "by_id": {"@id": "ex:by_id", "@container": "@id"},
            "by_index": {"@id": "ex:by_index", "@container": "@index"},
            "by_type": {"@id": "ex:by_type", "@container": "@type"},
            "child_of": {"@reverse": "ex:child"},
            "inner": {"@id": "ex:inner", "@context": {"name": "ex:inner_name", "Red": "ex:Red", "day": "ex:inner_day"}},
            "A": {"@id": "ex:A", "@context": {"name": "ex:a_name", "extra": {"@id": "ex:extra", "@type": "@id"}}},
            "B": {"@id": "ex:B", "@context": {"@propagate": True, "day": "ex:b_day", "extra": "ex:b_extra"}},
            "inside": "@nest",
            "more": "@included",
            "silent": None,
        }
    },
    # Names that what looks like a whole IRI may begin with, or be.
    TRAPS: {
        "@context": {
            "did": {"@id": "https://did.example/", "@prefix": True},
            "https": {"@id": "https://https.example/", "@prefix": True},
            "urn:known": "urn:known",
            "Blue": "https://ex.example/Blue",
        }
    },
}
TEXTS = [
    "", "x", "Zoë", 'a "b" \\ c', "two\nlines\tand\r", "\x00\x1f\x7f", "\ufffe\uffff", "\U0001f600", "%s %d %%",
    "https://a.example/x", "https://a.example/y#z", "did:example:1", "urn:uuid:1", "urn:known", "mailto:a@b.example",
    "ex:thing", "leaf0:1", "leaf1:2", "_:b0", "_:c14n0", "_:b1", "@type", "@id", "@vocab", "@unknown", "relative", "/a",
    "A", "B", "Red", "Blue", "name", "en", "de-AT", "not a tag", "https://a.example/with space", "https://a.example/a#b#c",
    "http:", ":", "did:", f"{XSD}date", "@json", "rtl",
]  # fmt: skip
FIGURES: list[Any] = [0, 1, -7, 2**53 - 1, 0.5, 1.0, -0.0, 1e21, 1e-7, 123456.789, True, False]
texts = st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
figures = st.sampled_from(FIGURES)
leaves = texts | figures
whole = st.sampled_from([text for text in TEXTS if text.startswith(("https://a.example/x", "did:e", "urn:"))])
values = st.builds(
    lambda value, more: {"@value": value} | more,
    texts,
    st.fixed_dictionaries({}, optional={"@type": st.sampled_from([f"{XSD}date", "ex:t", "@json"])})
    | st.just({"@language": "en"}),
)


LITERALS = ("name", "day", "double", "integer", "flag", "text", "any", "german", "right", "list", "silent", "ex:other")
NODES = ("name", "link", "list", "graph", "child_of", "inner", "links", "inside", "more", "@graph", "extra")
MAPS = {"by_id": whole, "by_index": st.sampled_from(["i", "j"]), "by_type": st.sampled_from(["A", "B"])}
OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "link": whole,
    "links": st.lists(whole, max_size=3),
    "word": whole | st.just("Red"),
    "id": whole,
    "type": st.sampled_from(["A", "B", ["A", "B"], ["A"], "ex:C", "https://a.example/D"]),
    "json": st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "@id", "@value", "@type"]), inner)
        ),
        max_leaves=3,
    ),
    "said": st.dictionaries(st.sampled_from(["en", "de", "@none"]), texts, max_size=2),
    "@context": st.sampled_from([RICH, {"name": "https://ex.example/other_name"}, [RICH, TRAPS]]),
}


@st.composite
def node(draw: st.DrawFn, depth: int = 2) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from((*LITERALS, *OTHERS)), max_size=4)):
        if name in OTHERS:
            made[name] = draw(OTHERS[name])
        else:
            made[name] = draw((leaves | values) | st.lists(leaves | values, max_size=3))
    for name in draw(st.lists(st.sampled_from((*NODES, *MAPS)), max_size=2 if depth else 0)):
        if name in MAPS:
            made[name] = {draw(MAPS[name]): draw(node(depth - 1)) for _ in range(draw(st.integers(0, 2)))}
        else:
            inner = [draw(node(depth - 1)) for _ in range(draw(st.integers(1, 2)))]
            made[name] = inner[0] if len(inner) == 1 else inner
    return made


documents = st.builds(
    lambda contexts, made: {"name": "x", **made, "@context": contexts},
    st.sampled_from([RICH, [RICH], [RICH, TRAPS], [RICH, {"name": {"@id": "ex:named", "@language": "fr"}}]]),
    node(),
)


def load(url: str) -> Any:
    if url not in CONTEXTS:
        raise Malformed("jsonld.error", error="loading remote context failed")
    return CONTEXTS[url]


def forget() -> None:
    alike._shapes.clear()
    context._roots.clear()


def judged(run: Any) -> Any:
    try:
        return run()
    except Malformed as error:
        return error.code, dict(error.problem.facts)


def by_the_whole_algorithm(document: Any) -> Any:
    """With nothing remembered, contexts included."""
    kept = context._roots.copy()
    context._roots.clear()
    try:
        return rdfc.canonicalize(dataset.from_expanded(expansion.expand(document, load))).nquads
    finally:
        context._roots.clear()
        context._roots.update(kept)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to a document's leaves."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name != "@context":
                yield from places(item, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from places(item, (*path, number))
    elif value is not None:
        yield path


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    made = copy.deepcopy(document)
    holder = made
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return made


def same(document: Any) -> Any:
    expected = judged(lambda: by_the_whole_algorithm(document))
    assert judged(lambda: jsonld.canonical(document, load)) == expected
    return expected


@given(documents, st.data())
def test_a_document_and_others_like_it(document: Any, data: st.DataObject) -> None:
    """Each leaf is replaced by others of its kind, and of other kinds; one by one and together."""
    assume(isinstance(same(document), str))
    same(document)
    ways = list(places(document))
    assume(ways)
    together = document
    for _ in range(4):
        way = data.draw(st.sampled_from(ways))
        value = data.draw(leaves)
        same(changed(document, way, value))
        together = changed(together, way, value)
        same(together)


@given(documents, st.data())
def test_the_statements_are_the_same(document: Any, data: st.DataObject) -> None:
    assume(isinstance(judged(lambda: by_the_whole_algorithm(document)), str))
    ways = list(places(document))
    assume(ways)
    for _ in range(3):
        other = changed(document, data.draw(st.sampled_from(ways)), data.draw(leaves))
        expected = judged(lambda other=other: by_the_whole_algorithm(other))
        found = judged(lambda other=other: rdfc.canonicalize(jsonld.statements(other, load)).nquads)
        assert found == expected


@given(documents)
def test_with_every_memory_empty_and_full(document: Any) -> None:
    forget()
    first = judged(lambda: jsonld.canonical(document, load))
    assert judged(lambda: jsonld.canonical(document, load)) == first
    assert judged(lambda: by_the_whole_algorithm(document)) == first
    if isinstance(first, str):
        # Property 5: what is canonical is its own canonical form.
        assert rdfc.canonicalize(nquads.read(first)).nquads == first
