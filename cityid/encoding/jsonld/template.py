"""Canonical N-Quads without expansion, for documents whose shape was seen before.

Expansion looks at very few values: contexts, types, what is an IRI and how it begins. The others it hands on. So a
`Template` is made from what the whole algorithm makes of a document in which a mark stands for each value that it
handed on, and gives the dataset of every document that differs from it in those values alone. What is not seen to be
handed on exactly once belongs to the key under which a template is found (`alike`), as do all names, the kind of
each value and the contexts. The order of blank nodes depends on values, and is found anew each time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from operator import itemgetter
from typing import Any, Final, TypeAlias

from cityid.encoding import rdfc
from cityid.encoding.jsonld import iri
from cityid.encoding.jsonld.context import Loader
from cityid.encoding.jsonld.dataset import figure
from cityid.encoding.nquads import Quad, literal

Leaves: TypeAlias = Sequence[Any]
"""The texts, numbers and truth values of a document, in the order in which they stand there."""
Piece: TypeAlias = str | int
"""A part of a line: text, or which of the terms stands there."""

_PLAIN: Final = re.compile(r'[^\x00-\x1f"\\\x7f\ufffe\uffff]*')


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines of N-Quads as functions of the terms that stand in them."""

    fixed: tuple[str, ...]
    single: tuple[tuple[str, int, str], ...]
    several: tuple[tuple[str, Callable[[Sequence[str]], tuple[str, ...]]], ...]

    @classmethod
    def of(cls, quads: Iterable[Sequence[Piece]]) -> Lines:
        fixed: list[str] = []
        single: list[tuple[str, int, str]] = []
        several: list[tuple[str, Any]] = []
        for quad in quads:
            pieces = [each for piece in quad if piece != "" for each in (piece, " ")]
            pieces.append(".\n")
            places = [piece for piece in pieces if isinstance(piece, int)]
            if not places:
                fixed.append("".join(map(str, pieces)))
            elif len(places) == 1:
                at = pieces.index(places[0])
                single.append(("".join(map(str, pieces[:at])), places[0], "".join(map(str, pieces[at + 1 :]))))
            else:
                form = "".join("%s" if isinstance(piece, int) else piece.replace("%", "%%") for piece in pieces)
                several.append((form, itemgetter(*places)))
        return cls(tuple(fixed), tuple(single), tuple(several))

    def fill(self, terms: Sequence[str]) -> list[str]:
        lines = [before + terms[at] + after for before, at, after in self.single]
        lines += self.fixed
        lines += [form % pick(terms) for form, pick in self.several]
        return lines


@dataclass(frozen=True, slots=True)
class Template:
    """The dataset of all documents of one shape, contexts and types as a function of their other values.

    `iris`, `texts` and `figures` are the leaves that it takes and, beside a text, what follows it in its term, beside a
    figure its datatype. They become terms in this order; where there are several blank nodes, those follow.
    """

    loaded: tuple[tuple[str, Any, bytes], ...]
    kept: tuple[int, ...]
    """The leaves that were not seen to be handed on, and in `values` what they must be."""
    values: tuple[Any, ...]
    words: frozenset[str]
    iris: tuple[int, ...]
    texts: tuple[tuple[int, str], ...]
    figures: tuple[tuple[int, str | None], ...]
    quads: tuple[tuple[Piece, ...], ...]
    lines: Lines
    nodes: tuple[Lines, ...]
    """What each blank node is first known by (RDFC-1.0 §4.6); empty where there is at most one."""

    def fits(self, leaves: Leaves) -> bool:
        """Are the values the same that must be?"""
        return tuple([leaves[at] for at in self.kept]) == self.values

    def still(self, load: Loader) -> bool:
        """Has this loader the contexts that the template was made with?"""
        for url, document, content in self.loaded:
            found = load(url)
            if found is not document and digest(found) != content:
                return False
        return True

    def terms(self, leaves: Leaves) -> list[str] | None:
        """The terms of these values; None where one is not what the template was made for."""
        made: list[str] = []
        words = self.words
        for at in self.iris:
            value: str = leaves[at]
            if not is_handed_on(value, words):
                return None
            made.append(f"<{value}>")
        # All at once: a character that must be escaped is a rarity.
        if _PLAIN.fullmatch("".join([leaves[at] for at, _ in self.texts])):
            made += [f'"{leaves[at]}{after}' for at, after in self.texts]
        else:
            made += [literal(leaves[at])[:-1] + after for at, after in self.texts]
        made += [figure(leaves[at], datatype) for at, datatype in self.figures]
        return made

    def dataset(self, terms: Sequence[str]) -> list[Quad]:
        """The statements themselves."""
        named = [*terms, *(f"_:b{number}" for number in range(len(self.nodes)))]
        return [
            tuple(named[piece] if isinstance(piece, int) else piece for piece in quad)  # type: ignore[misc]
            for quad in self.quads
        ]

    def canonical(self, terms: list[str], hash: rdfc.HashName) -> str:
        """The canonical form (RDFC-1.0 §4.4), where no two blank nodes look alike; else by the whole algorithm."""
        labels: list[str] = []
        if self.nodes:
            hashed = rdfc.FUNCTIONS[hash]
            known: list[str] = []
            for node in self.nodes:
                seen = node.fill(terms)
                seen.sort()
                known.append(hashed("".join(seen).encode("utf-8")).hexdigest())
            order = {digest: f"_:c14n{place}" for place, digest in enumerate(sorted(known))}
            labels = [order[digest] for digest in known]
        lines = self.lines.fill(terms + labels)
        once = set(lines)
        if self.nodes and (len(set(labels)) < len(labels) or len(once) < len(lines)):
            return rdfc.canonicalize(self.dataset(terms), hash=hash).nquads
        return "".join(sorted(once))


def digest(document: Any) -> bytes:
    """What tells two JSON documents apart."""
    return sha256(repr(document).encode("utf-8", "surrogatepass")).digest()


def is_handed_on(value: str, words: Collection[str]) -> bool:
    """Is it an IRI that expansion leaves as it is, in contexts that define no more than `words`?"""
    return iri.is_well_formed(value) and value not in words and value[: value.index(":")] not in words
