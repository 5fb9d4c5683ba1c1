"""RDF 1.1 N-Quads, read strictly and written canonically; RDF Dataset Canonicalization, RDFC-1.0. A class a section."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityid import limits
from cityid.encoding import nquads, rdfc
from cityid.encoding.nquads import Quad, literal
from cityid.encoding.rdfc import canonicalize
from cityid.errors import Malformed
from tests.vectors import load, vectors

P, Q = "<https://city.example/p>", "<https://city.example/q>"
S = "<https://city.example/s>"


def cases() -> list[Any]:
    root = vectors("rdfc10")
    return [pytest.param(root, entry, id=entry["id"]) for entry in load(root / "manifest.jsonld")["entries"]]


def refused(text: str) -> int:
    with pytest.raises(Malformed) as caught:
        nquads.read(text)
    assert caught.value.code == "nquads.syntax"
    line = caught.value.problem.facts["line"]
    assert isinstance(line, int)
    return line


def clique(size: int) -> list[Quad]:
    """Each of `size` blank nodes points at each other one."""
    names = [f"_:n{number}" for number in range(size)]
    return [(one, P, other, "") for one in names for other in names if one != other]


def work(quads: list[Quad]) -> tuple[str, int]:
    with pytest.raises(Malformed) as caught:
        canonicalize(quads)
    limit = caught.value.problem.facts["limit"]
    assert isinstance(limit, int)
    return caught.value.code, limit


class TestNQuads:
    """RDF 1.1 N-Quads §3."""

    def test_terms_of_each_kind(self) -> None:
        text = (
            f'{S} {P} "a" .\n_:b {P} _:c {S} .\r\n\r\n# nothing\n'
            f'{S}{P}"h\\u00e9\\t"@de-AT _:g.# more\n  {S} {P} "1"^^<http://www.w3.org/2001/XMLSchema#integer> .'
        )
        assert nquads.read(text) == [
            (S, P, '"a"', ""),
            ("_:b", P, "_:c", S),
            (S, P, '"hé\\t"@de-AT', "_:g"),
            (S, P, '"1"^^<http://www.w3.org/2001/XMLSchema#integer>', ""),
        ]

    def test_the_same_statement_written_twice_is_one(self) -> None:
        assert nquads.read(f'{S} {P} "\\u0061" .\n{S} {P} "a" .\n') == [(S, P, '"a"', "")]
        assert nquads.read(f'{S} {P} "a"^^<http://www.w3.org/2001/XMLSchema#string> .') == [(S, P, '"a"', "")]

    @pytest.mark.parametrize(
        ("wrong", "right"),
        [
            (f"{S} {P} _:b", f"{S} {P} _:b ."),
            (f'{S} {P} "a" . {S}', f'{S} {P} "a" . # {S}'),
            (f'"a" {P} {S} .', f'{S} {P} "a" .'),
            (f"{S} _:p {S} .", f"{S} {P} {S} ."),
            (f'{S} {P} {S} "g" .', f"{S} {P} {S} _:g ."),
            (f"<relative> {P} {S} .", f"<urn:relative> {P} {S} ."),
            (f"<urn:a b> {P} {S} .", f"<urn:ab> {P} {S} ."),
            (f"<urn:a\\u0020b> {P} {S} .", f"<urn:a\\u002Db> {P} {S} ."),
            (f"<urn:a\\tb> {P} {S} .", f"<urn:atb> {P} {S} ."),
            (f'{S} {P} "a"@1 .', f'{S} {P} "a"@en-1 .'),
            (f'{S} {P} "a\\x" .', f'{S} {P} "a\\t" .'),
            (f'{S} {P} "\\uD800" .', f'{S} {P} "\\uD7FF" .'),
            (f'{S} {P} "\\U00110000" .', f'{S} {P} "\\U0010FFFF" .'),
            (f'{S} {P} "a"^^"b" .', f'{S} {P} "a"^^<urn:b> .'),
            (f'{S} {P} "a"^^<b> .', f'{S} {P} "a"^^<urn:b> .'),
            (f"_:b. {P} {S} .", f"_:b.c {P} {S} ."),
            (f"_:-b {P} {S} .", f"_:b- {P} {S} ."),
            ('"', "# nothing"),
        ],
    )
    def test_what_the_grammar_does_not_have(self, wrong: str, right: str) -> None:
        nquads.read(right)
        assert refused(f"# one\n{wrong}") == 2

    def test_a_ceiling_on_statements(self) -> None:
        text = "".join(f"{S} {P} _:b{number} .\n" for number in range(limits.QUADS))
        assert len(nquads.read(text)) == limits.QUADS
        with pytest.raises(Malformed) as caught:
            nquads.read(text + f"{S} {P} _:more .\n")
        assert caught.value.code == "nquads.too_many"


class TestCanonicalForm:
    """RDFC-1.0 appendix A."""

    def test_echar(self) -> None:
        assert literal('\b\t\n\f\r"\\') == '"\\b\\t\\n\\f\\r\\"\\\\"'

    @pytest.mark.parametrize("code", [0, 1, 7, 0x0B, 0x0E, 0x1F, 0x7F, 0xFFFE, 0xFFFF])
    def test_uchar(self, code: int) -> None:
        assert literal(f"a{chr(code)}b") == f'"a\\u{code:04X}b"'

    @pytest.mark.parametrize("code", [0x20, 0x27, 0x7E, 0x80, 0x85, 0xA0, 0x2028, 0xE000, 0xFFFD, 0x1F600, 0x10FFFF])
    def test_native(self, code: int) -> None:
        assert literal(f"a{chr(code)}b") == f'"a{chr(code)}b"'

    def test_strings_have_no_datatype(self) -> None:
        assert literal("a", "http://www.w3.org/2001/XMLSchema#string") == '"a"'
        assert literal("a", "urn:b") == '"a"^^<urn:b>'
        assert literal("a", language="de") == '"a"@de'

    def test_lines_in_code_point_order_each_once(self) -> None:
        quads: list[Quad] = [("_:b", P, '"\U0001f600"', ""), ("_:b", P, '"\uffe0"', ""), ("_:a", P, S, S)]
        assert nquads.write([*quads, quads[0]]) == (f'_:a {P} {S} {S} .\n_:b {P} "\uffe0" .\n_:b {P} "\U0001f600" .\n')


@pytest.mark.spec("RDFC-1.0 §4.4")
class TestOfficial:
    @pytest.mark.parametrize(("root", "entry"), cases())
    def test_case(self, root: Path, entry: dict[str, Any]) -> None:
        function: rdfc.HashName = "sha384" if entry.get("hashAlgorithm") == "SHA384" else "sha256"
        quads = nquads.read((root / entry["action"]).read_text("utf-8"))
        if entry["type"] == "rdfc:RDFC10NegativeEvalTest":
            with pytest.raises(Malformed):
                canonicalize(quads, hash=function)
            return
        found = canonicalize(quads, hash=function)
        expected = root / entry["result"]
        if entry["type"] == "rdfc:RDFC10MapTest":
            assert found.labels == load(expected)
        else:
            assert entry["type"] == "rdfc:RDFC10EvalTest"
            assert found.nquads == expected.read_text("utf-8")

    def test_every_case_is_run(self) -> None:
        root = vectors("rdfc10")
        ran = {file for case in cases() for file in (case.values[1]["action"], case.values[1].get("result"))}
        assert {str(file.relative_to(root)) for file in (root / "rdfc10").iterdir()} <= ran


@pytest.mark.spec("RDFC-1.0 §7.1")
class TestPoisoning:
    @pytest.mark.parametrize("size", range(6, 13))
    def test_l08_a_clique(self, size: int) -> None:
        assert work(clique(size)) == ("rdf.work", limits.RDF_ORDERS)

    @pytest.mark.parametrize("size", range(2, 6))
    def test_l08_twin_a_smaller_clique(self, size: int) -> None:
        assert canonicalize(clique(size)).nquads.count("\n") == size * (size - 1)

    def test_like_nodes_between_two_hubs(self) -> None:
        """Every order costs a descent into each hub: calls run out before orders do."""
        assert work([(f"_:hub{hub}", P, f"_:n{n}", "") for hub in (0, 1) for n in range(9)])[1] == limits.RDF_CALLS

    def test_twin_like_nodes_around_one_hub(self) -> None:
        assert len(canonicalize([("_:hub", P, f"_:n{n}", "") for n in range(9)]).labels) == 10

    def test_a_ceiling_on_blank_nodes(self) -> None:
        quads: list[Quad] = [(f"_:n{n}", P, literal(str(n)), "") for n in range(limits.BLANK_NODES)]
        assert len(canonicalize(quads).labels) == limits.BLANK_NODES
        quads.append(("_:more", P, S, ""))
        with pytest.raises(Malformed) as caught:
            canonicalize(quads)
        assert caught.value.code == "rdf.blank_nodes"
        assert len(canonicalize(quads, nodes=1_000).labels) == limits.BLANK_NODES + 1


NODES = [f"_:n{number}" for number in range(5)]
QUADS = st.lists(
    st.tuples(
        st.sampled_from([*NODES, S]), st.sampled_from([P, Q]), st.sampled_from([*NODES, S, '"x"']),
        st.sampled_from(["", "", S, NODES[0]]),
    ),
    max_size=9,
)  # fmt: skip


def relabelled(quads: Iterable[Quad], names: dict[str, str]) -> list[Quad]:
    return [(names.get(s, s), p, names.get(o, o), names.get(g, g)) for s, p, o, g in quads]


@pytest.mark.property
class TestOneFormForAll:
    @given(quads=QUADS, order=st.permutations(range(5)), seed=st.randoms(use_true_random=False))
    def test_names_and_order_do_not_matter(self, quads: list[Quad], order: list[int], seed: Any) -> None:
        names = {node: f"_:x{order[number]}" for number, node in enumerate(NODES)}
        other = relabelled(quads, names)
        seed.shuffle(other)
        assert canonicalize(other).nquads == canonicalize(quads).nquads

    @given(quads=QUADS)
    def test_labels_lead_to_the_form_and_it_is_its_own(self, quads: list[Quad]) -> None:
        found = canonicalize(quads)
        renamed = relabelled(quads, {f"_:{old}": f"_:{new}" for old, new in found.labels.items()})
        assert nquads.write(renamed) == found.nquads
        assert canonicalize(nquads.read(found.nquads)).nquads == found.nquads

    @given(text=st.text())
    def test_nothing_but_malformed(self, text: str) -> None:
        with suppress(Malformed):
            nquads.read(text)

    @given(value=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
    def test_a_literal_comes_back(self, value: str) -> None:
        assert nquads.read(f"{S} {P} {literal(value)} .") == [(S, P, literal(value), "")]
