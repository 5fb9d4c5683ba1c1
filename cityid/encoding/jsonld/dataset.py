"""JSON-LD to RDF: the expanded document as a node map, the node map as a dataset (JSON-LD 1.1 API §7 and §8)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Final, TypeAlias, cast

from cityid import limits
from cityid.encoding import jcs
from cityid.encoding.jsonld import iri
from cityid.encoding.jsonld.context import Loader
from cityid.encoding.jsonld.expansion import expand
from cityid.encoding.jsonld.model import error
from cityid.encoding.nquads import Quad, literal
from cityid.errors import Malformed

Node: TypeAlias = dict[str, Any]
Graph: TypeAlias = dict[str, Node]

_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_TYPE: Final = f"<{_RDF}type>"
_FIRST: Final = f"<{_RDF}first>"
_REST: Final = f"<{_RDF}rest>"
_NIL: Final = f"<{_RDF}nil>"
_DEFAULT: Final = "@default"
_GREAT: Final = 10**21


def to_rdf(
    document: Any, load: Loader, *, base: str = "", context: Any = None, direction: str = "", safe: bool = True
) -> list[Quad]:
    """The dataset that `document` describes. `direction` is how base directions are written: `i18n-datatype` or
    `compound-literal`; "" is not at all, and in safe mode, which loses nothing, `i18n-datatype` (decision 320).

    Raises:
        Malformed: those of `expand`; in safe mode `jsonld.relative` and `jsonld.dropped` for what has no place in RDF.
    """
    return from_expanded(expand(document, load, base=base, context=context, safe=safe), direction=direction, safe=safe)


def from_expanded(expanded: list[Any], *, direction: str = "", safe: bool = True) -> list[Quad]:
    """The dataset of a document in expanded form."""
    names = _Names()
    nodes = _NodeMap(names, safe)
    nodes.add(expanded, _DEFAULT, None, None, None)
    return _Writer(names, direction or ("i18n-datatype" if safe else ""), safe).quads(nodes.graphs)


class _Names:
    """The Generate Blank Node Identifier Algorithm (§7.4)."""

    __slots__ = ("_count", "_known")

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._count = 0

    def fresh(self, name: str | None = None) -> str:
        if name is not None and name in self._known:
            return self._known[name]
        made = f"_:b{self._count}"
        self._count += 1
        if name is not None:
            self._known[name] = made
        return made


class _NodeMap:
    """The Node Map Generation Algorithm (§7.2)."""

    __slots__ = ("_safe", "_seen", "graphs", "names")

    def __init__(self, names: _Names, safe: bool) -> None:
        self.names = names
        self._safe = safe
        self._seen: set[tuple[str, str, str, Hashable]] = set()
        self.graphs: dict[str, Graph] = {_DEFAULT: {}}

    def named(self, name: str) -> str:
        return self.names.fresh(name) if iri.is_blank(name) else name

    def add(
        self, element: Any, graph: str, subject: str | Node | None, prop: str | None, into: list[Any] | None
    ) -> None:
        """`subject` is a node's name, or a reference to it where the property is a reversed one; `into` is the list
        that the element is an item of."""
        if isinstance(element, list):
            for item in element:
                self.add(item, graph, subject, prop, into)
            return
        if "@value" in element:
            value = dict(element)
            kind = value.get("@type")
            if isinstance(kind, str):
                value["@type"] = self.named(kind)
            self._put(value, graph, subject, prop, into, once=True)
        elif "@list" in element:
            made: Node = {"@list": []}
            self.add(element["@list"], graph, subject, prop, made["@list"])
            self._put(made, graph, subject, prop, into, once=False)
        else:
            self._node(element, graph, subject, prop, into)

    def _put(
        self, value: Node, graph: str, subject: str | Node | None, prop: str | None, into: list[Any] | None, *,
        once: bool,
    ) -> None:  # fmt: skip
        if into is not None:
            into.append(value)
            return
        if prop is None:
            # A value where a graph's nodes are: expansion leaves it there, and nothing is said of it.
            if self._safe:
                raise Malformed("jsonld.dropped", spec="JSON-LD 1.1 API §7.2", name=next(iter(value)))
            return
        self._hold(value, graph, cast("str", subject), prop, once=once)

    def _hold(self, value: Node, graph: str, subject: str, prop: str, *, once: bool) -> None:
        held = self.graphs[graph][subject].setdefault(prop, [])
        if once:
            key = (graph, subject, prop, _key(value))
            if key in self._seen:
                return
            self._seen.add(key)
        held.append(value)

    def _node(
        self, element: Node, graph: str, subject: str | Node | None, prop: str | None, into: list[Any] | None
    ) -> None:
        if "@id" not in element:
            name = self.names.fresh()
        elif element["@id"] is None:
            return  # a name that only looks like a keyword: nothing can be said of it
        else:
            name = self.named(element["@id"])
        node = self.graphs[graph].setdefault(name, {"@id": name})
        if isinstance(subject, dict):
            self._hold(subject, graph, name, cast("str", prop), once=True)
        elif prop is not None:
            self._put({"@id": name}, graph, subject, prop, into, once=True)
        for kind in element.get("@type", ()):
            if kind is None:
                continue  # as above
            renamed = self.named(kind)
            if (graph, name, "@type", renamed) not in self._seen:
                self._seen.add((graph, name, "@type", renamed))
                node.setdefault("@type", []).append(renamed)
        if "@index" in element and node.setdefault("@index", element["@index"]) != element["@index"]:
            raise error("conflicting indexes")
        self._inside(element, graph, name, node)

    def _inside(self, element: Node, graph: str, name: str, node: Node) -> None:
        """What the node object says of others and of itself."""
        for reverse, values in element.get("@reverse", {}).items():
            for value in values:
                self.add(value, graph, {"@id": name}, reverse, None)
        if "@graph" in element:
            self.graphs.setdefault(name, {})
            self.add(element["@graph"], name, None, None, None)
        if "@included" in element:
            self.add(element["@included"], graph, None, None, None)
        for key in sorted(element):
            if key[:1] != "@":
                renamed = self.named(key)
                node.setdefault(renamed, [])
                self.add(element[key], graph, name, renamed, None)


def _key(value: Node) -> Hashable:
    """What two values that are the same have in common: as JSON, where true is not 1 and 1 is 1.0."""
    if "@id" in value:
        return str(value["@id"])
    content = value["@value"]
    if isinstance(content, dict | list):
        content = jcs.canonical(content)
    rest = sorted((name, said) for name, said in value.items() if name != "@value")
    return (isinstance(content, bool), content, *rest)


class _Writer:
    """The Deserialize JSON-LD to RDF Algorithm (§8.1)."""

    __slots__ = ("direction", "names", "out", "safe")

    def __init__(self, names: _Names, direction: str, safe: bool) -> None:
        self.names = names
        self.direction = direction
        self.safe = safe
        self.out: list[Quad] = []

    def quads(self, graphs: dict[str, Graph]) -> list[Quad]:
        for graph in sorted(graphs):
            place = "" if graph == _DEFAULT else self.term(graph)
            if place is None:
                continue
            for subject in sorted(graphs[graph]):
                self._node(graphs[graph][subject], self.term(subject), place)
        return self.out

    def term(self, name: str) -> str | None:
        """An IRI or blank node as a term; None where it is not well-formed."""
        if iri.is_blank(name):
            return name
        if iri.is_well_formed(name):
            return f"<{name}>"
        if self.safe:
            raise Malformed("jsonld.relative", spec="JSON-LD 1.1 API §8.1", name=name)
        return None

    def emit(self, subject: str, predicate: str, value: str, graph: str) -> None:
        self.out.append((subject, predicate, value, graph))
        if len(self.out) > limits.QUADS:
            raise Malformed("jsonld.work", limit=limits.QUADS)

    def _node(self, node: Node, subject: str | None, graph: str) -> None:
        if subject is None:
            return
        for prop in sorted(node):
            if prop == "@type":
                for kind in node[prop]:
                    found = self.term(kind)
                    if found is not None:
                        self.emit(subject, _TYPE, found, graph)
                continue
            if prop[:1] == "@":
                continue
            if iri.is_blank(prop):
                if self.safe:
                    raise Malformed("jsonld.dropped", spec="JSON-LD 1.1 API §8.1", name=prop)
                continue
            predicate = self.term(prop)
            if predicate is not None:
                for item in node[prop]:
                    found = self.value(item, graph)
                    if found is not None:
                        self.emit(subject, predicate, found, graph)

    def value(self, item: Node, graph: str) -> str | None:
        """Object to RDF Conversion (§8.2)."""
        if "@list" in item:
            return self.list(item["@list"], graph)
        if "@value" not in item:
            return self.term(item["@id"])
        value, datatype = item["@value"], item.get("@type")
        if datatype is not None and datatype != "@json" and not iri.is_well_formed(datatype):
            return self.term(datatype) and None
        language = item.get("@language")
        if language is not None and not _is_tag(language):
            if self.safe:
                raise Malformed("jsonld.dropped", spec="JSON-LD 1.1 API §8.2", name=language)
            return None
        if datatype == "@json":
            return literal(jcs.canonical(value).decode("utf-8"), f"{_RDF}JSON")
        if isinstance(value, bool | int | float):
            return figure(value, datatype)
        if "@direction" in item and self.direction:
            return self.directed(value, language, item["@direction"], graph)
        if language:  # one tag in any case (BCP 47 §2.1.1), so one term, as most processors write it (decision 319)
            return literal(value, language=language.lower())
        return literal(value, datatype or f"{_XSD}string")

    def directed(self, value: str, language: str | None, direction: str, graph: str) -> str:
        tag = (language or "").lower()
        if self.direction == "i18n-datatype":
            return literal(value, f"https://www.w3.org/ns/i18n#{tag}_{direction}")
        node = self.names.fresh()
        self.emit(node, f"<{_RDF}value>", literal(value), graph)
        if language:
            self.emit(node, f"<{_RDF}language>", literal(tag), graph)
        self.emit(node, f"<{_RDF}direction>", literal(direction), graph)
        return node

    def list(self, items: Iterable[Node], graph: str) -> str:
        """List to RDF Conversion (§8.3)."""
        nodes = [(self.names.fresh(), item) for item in items]
        rest = _NIL
        for node, item in reversed(nodes):
            found = self.value(item, graph)
            if found is not None:
                self.emit(node, _FIRST, found, graph)
            self.emit(node, _REST, rest, graph)
            rest = node
        return rest


def figure(value: bool | float, datatype: str | None) -> str:
    """The term of a number or a truth value (JSON-LD 1.1 API §8.2.2)."""
    if value is True or value is False:
        text, usual = "true" if value else "false", "boolean"
    elif datatype == f"{_XSD}double" or abs(value) >= _GREAT or not float(value).is_integer():
        text, usual = _double(float(value)), "double"
    else:
        text, usual = str(int(value)), "integer"
    return literal(text, datatype) if datatype else f'"{text}"^^<{_XSD}{usual}>'


def _is_tag(language: str) -> bool:
    """A language tag that N-Quads can write (its LANGTAG; BCP 47 §2.2.9 well-formed tags are among them)."""
    first, *rest = language.split("-")
    return (
        first.isascii()
        and first.isalpha()
        and len(first) <= 8
        and all(part.isascii() and part.isalnum() and len(part) <= 8 for part in rest)
    )


def _double(value: float) -> str:
    """The canonical lexical form of an xsd:double: 15 digits after the point, no needless zeros. JSON's -0 is 0, as
    ECMAScript writes it, and as it is compared."""
    mantissa, exponent = f"{value + 0.0:.15E}".split("E")
    whole, fraction = mantissa.split(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}E{int(exponent)}"
