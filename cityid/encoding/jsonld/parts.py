"""The dataset of a document, and which of its statements parts of that document say.

Parts are JSON documents taken out of the whole (`proofs.pointers`). Blank nodes have no name of their own, so nodes are
known by the object that they come from: the parts hold the very objects of the whole, or copies that are told apart.
The expansion names them, and what a part says is then found again in the whole, text by text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from cityid.encoding.jsonld.compiling import filled
from cityid.encoding.jsonld.context import Contexts, Loader
from cityid.encoding.jsonld.dataset import from_expanded
from cityid.encoding.jsonld.expansion import Expansion
from cityid.encoding.jsonld.model import Context, Term
from cityid.encoding.nquads import Quad, is_blank
from cityid.errors import Malformed

_NO_NODE: Final = frozenset({"@value", "@list", "@set"})
_SPEC: Final = "DI ECDSA 1.0 §3.4"

Node = dict[str, Any]


class Naming:
    """Names for the nodes of one document: `objects` gives for the id of each object its number. They are IRIs that
    the document cannot contain, since they contain its hash."""

    def __init__(self, document: Any, objects: Mapping[int, int]) -> None:
        self._objects = objects
        digest = sha256(repr(document).encode("utf-8", "surrogatepass")).hexdigest()
        self.prefix = f"urn:{digest}:"
        self._values = f"urn:value-{digest}:"

    def of(self, element: Node) -> str:
        return f"{self.prefix}{self._objects[id(element)]}"

    def mark(self, leaf: int) -> str:
        """What stands for a value while it does not matter which."""
        return f"{self._values}{leaf}"

    def told(self, expanded: Any) -> Any:
        """An expanded document in which blank nodes that its author named are named as nodes are here."""
        if isinstance(expanded, list):
            return [self.told(item) for item in expanded]
        if not isinstance(expanded, dict):
            blank = isinstance(expanded, str) and is_blank(expanded)
            return f"{self.prefix}x{expanded.encode('utf-8', 'surrogatepass').hex()}" if blank else expanded
        return {name: item if name in ("@value", "@index") else self.told(item) for name, item in expanded.items()}

    def blank(self, quads: list[Quad]) -> list[Quad]:
        """Statements with the names as labels of blank nodes. Nodes without an object, of which lists are made, are
        named after what says them."""
        start, length = f"<{self.prefix}", len(self.prefix) + 1
        named = [tuple(f"_:n{term[length:-1]}" if term.startswith(start) else term for term in quad) for quad in quads]
        below: dict[str, list[tuple[str, str]]] = {}
        for subject, predicate, value, _ in named:
            if is_blank(value) and not value.startswith("_:n"):
                below.setdefault(subject, []).append((predicate, value))
        labels: dict[str, str] = {}
        waiting = [subject for subject in below if not is_blank(subject) or subject.startswith("_:n")]
        while waiting:
            subject = waiting.pop()
            known = labels.get(subject, subject)
            several = Counter(predicate for predicate, _ in below[subject])
            for predicate, value in below[subject]:
                if several[predicate] == 1:
                    labels[value] = f"_:n{sha256(f'{known} {predicate}'.encode()).hexdigest()}"
                    if value in below:
                        waiting.append(value)
        return [tuple(labels.get(term, term) for term in quad) for quad in named]  # type: ignore[misc]


class _Named(Expansion):
    """Expansion that gives each node without an `@id` the name of its object."""

    __slots__ = ("naming",)

    def __init__(self, contexts: Contexts, naming: Naming) -> None:
        super().__init__(contexts, "", True)
        self.naming = naming

    def map(self, active: Context, prop: str | None, element: Node, term: Term, *, from_map: bool) -> Any:
        found = super().map(active, prop, element, term, from_map=from_map)
        if (
            isinstance(found, dict)
            and "@id" not in found
            and prop != "@reverse"
            and found.keys().isdisjoint(_NO_NODE)
            and not (from_map and "@id" in term.container)
            and not (prop is None and found.keys() == {"@graph"})
        ):
            found["@id"] = self.naming.of(element)
        return found


def statements(document: Any, naming: Naming, load: Loader, marks: Mapping[int, str]) -> list[Quad]:
    """The dataset of a document or of a part, in safe mode, with blank nodes named by `naming`. `marks` are texts that
    stand for its leaves (`compiling.marked`).

    Raises:
        Malformed: those of `to_rdf`.
    """
    found = _Named(Contexts(load), naming).element(Context.initial(""), None, document)
    if isinstance(found, dict) and found.keys() == {"@graph"}:
        found = found["@graph"]
    expanded = found if isinstance(found, list) else [found]
    return naming.blank(from_expanded(naming.told(filled(expanded, marks))))


def within(whole: Sequence[Quad], part: Sequence[Quad]) -> None:
    """Does the part say only what the whole says?

    Raises:
        Malformed: `sd.not_a_part`.
    """
    if not frozenset(whole).issuperset(part) or any(
        is_blank(term) and not term.startswith("_:n") for quad in part for term in quad
    ):
        raise Malformed("sd.not_a_part", spec=_SPEC)
