"""How a `Template` is made: see there for why it holds."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from cityid.encoding.jsonld.context import Loader
from cityid.encoding.jsonld.dataset import from_expanded
from cityid.encoding.jsonld.expansion import expand
from cityid.encoding.jsonld.template import Leaves, Lines, Piece, Template, digest, is_handed_on
from cityid.encoding.nquads import Quad, is_blank

_TEXT: Final = 1 << 15
"""Characters of the statements of which a template is made, at most: it is remembered."""


class _Text(str):
    """A text of the document that remembers its place."""

    __slots__ = ("leaf", "value")
    leaf: int
    value: str


class _Figure(int):
    """A number or truth value of the document; expansion asks no more than that it is neither text nor null."""

    leaf: int
    value: Any


class _Use(NamedTuple):
    """Where a leaf came out of expansion: as the id of a node, or as a value with this datatype."""

    is_id: bool
    datatype: str | None


def make(document: Any, leaves: Leaves, load: Loader) -> Template | None:
    """A template of this document, which expansion accepts; None where none can be made, or it would be too large."""
    loaded: dict[str, Any] = {}

    def tracked(url: str) -> Any:
        found = loaded[url] = load(url)
        return found

    expanded = expand(marked(document, itertools.count()), tracked)
    plain = "".join(map("".join, from_expanded(filled(expanded, {}))))
    uses = _uses(expanded)
    if uses is None or len(plain) > _TEXT:
        return None
    words = frozenset(_words([document, *loaded.values()]))
    uses = {leaf: use for leaf, use in uses.items() if not use.is_id or is_handed_on(leaves[leaf], words)}
    mark = next(name for number in itertools.count() if (name := f"leaf{number}") not in plain)
    quads = from_expanded(filled(expanded, {leaf: f"{mark}:{leaf}" for leaf in uses}))
    found = _Statements(quads, mark, uses, leaves)
    kept = tuple(sorted(frozenset(range(len(leaves))) - found.taken()))
    return Template(
        loaded=tuple((url, document, digest(document)) for url, document in loaded.items()),
        kept=kept,
        values=tuple([leaves[at] for at in kept]),
        words=words,
        iris=tuple(found.iris),
        texts=tuple(found.texts),
        figures=tuple(found.figures),
        quads=tuple(found.quads),
        lines=Lines.of(found.quads),
        nodes=tuple(found.nodes()),
    )


def marked(value: Any, places: Iterator[int]) -> Any:
    """The document with leaves that remember their place, counted as `alike` counts them."""
    if isinstance(value, dict):
        return {name: item if name == "@context" else marked(item, places) for name, item in value.items()}
    if isinstance(value, list):
        return [marked(item, places) for item in value]
    if value is None:
        return None
    made: Any = _Text(value) if isinstance(value, str) else _Figure()
    made.leaf, made.value = next(places), value
    return made


def filled(expanded: Any, marks: Mapping[int, str]) -> Any:
    """An expanded document with a text for each leaf that has one here, and the others as they were."""
    if isinstance(expanded, list):
        return [filled(item, marks) for item in expanded]
    if isinstance(expanded, dict):
        value = expanded.get("@value")
        if isinstance(value, _Figure) and value.leaf in marks:
            return {"@value": marks[value.leaf]}
        return {name: filled(item, marks) for name, item in expanded.items()}
    if isinstance(expanded, _Text | _Figure):
        return marks.get(expanded.leaf, expanded.value)
    return expanded


def _uses(expanded: list[Any]) -> dict[int, _Use] | None:
    """The leaves that came out once and as they were. None for a document with indexes: whether two of them collide
    depends on ids."""
    seen: Counter[int] = Counter()
    found: dict[int, _Use] = {}
    waiting: list[tuple[str, Any, Any]] = [("", expanded, {})]
    while waiting:
        name, value, holder = waiting.pop()
        if isinstance(value, _Text | _Figure):
            seen[value.leaf] += 1
            if name == "@id":
                found[value.leaf] = _Use(True, None)
            elif name == "@value":
                found[value.leaf] = _Use(False, holder.get("@type"))
        elif isinstance(value, list):
            waiting += [("", item, {}) for item in value]
        elif isinstance(value, dict):
            if "@index" in value:
                return None
            # what stands in JSON is no keyword, whatever its name
            waiting += [
                (inner, item, value)
                for inner, item in value.items()
                if inner != "@value" or value.get("@type") != "@json"
            ]
    return {leaf: use for leaf, use in found.items() if seen[leaf] == 1}


def _words(documents: list[Any]) -> Iterator[str]:
    """Every name that a context could define; those of the document itself do no harm."""
    for each in documents:
        if isinstance(each, dict):
            yield from each
            yield from _words(list(each.values()))
        elif isinstance(each, list):
            yield from _words(each)


class _Statements:
    """Statements in which each marked term is a place among the terms of a template, in the order of `iris`, `texts`
    and `figures`; and so is each blank node, unless it is alone and its label known."""

    def __init__(self, quads: list[Quad], mark: str, uses: dict[int, _Use], leaves: Leaves) -> None:
        self.iris: list[int] = []
        self.texts: list[tuple[int, str]] = []
        self.figures: list[tuple[int, str | None]] = []
        marked: tuple[list[str], ...] = ([], [], [])
        for term in dict.fromkeys(term for quad in quads for term in quad):
            found = re.match(rf'[<"]{mark}:([0-9]+)', term)
            if found is None:
                continue
            leaf = int(found[1])
            if uses[leaf].is_id:
                self.iris.append(leaf)
                marked[0].append(term)
            elif isinstance(leaves[leaf], str):
                self.texts.append((leaf, term[found.end() :]))
                marked[1].append(term)
            else:
                self.figures.append((leaf, uses[leaf].datatype))
                marked[2].append(term)
        places: dict[str, Piece] = {term: place for place, term in enumerate(itertools.chain(*marked))}
        blanks = list(dict.fromkeys(term for quad in quads for term in quad if is_blank(term)))
        self._blanks = range(len(places), len(places) + len(blanks)) if len(blanks) > 1 else range(0)
        places |= zip(blanks, self._blanks or ("_:c14n0",), strict=False)
        self.quads = [tuple(places.get(term, term) for term in quad) for quad in quads]

    def taken(self) -> frozenset[int]:
        """The leaves whose values may change."""
        return frozenset(self.iris) | {leaf for leaf, _ in (*self.texts, *self.figures)}

    def nodes(self) -> Iterator[Lines]:
        """For each blank node its statements as they are first hashed (RDFC-1.0 §4.6)."""
        for node in self._blanks:
            named: dict[Piece, Piece] = {other: "_:a" if other == node else "_:z" for other in self._blanks}
            yield Lines.of([named.get(piece, piece) for piece in quad] for quad in self.quads if node in quad)
