"""JSON-LD expansion: every name becomes an IRI, every value says what it is (JSON-LD 1.1 API §5).

In safe mode nothing is lost without a word: what the algorithm would drop, or leave relative, is refused instead. A
signature over the dataset covers only what got into it.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias, cast

from cityid.encoding.jsonld import iri
from cityid.encoding.jsonld.context import Contexts, Loader
from cityid.encoding.jsonld.model import KEYWORDS, UNSET, Context, Term, Unset, error
from cityid.errors import Malformed

Node: TypeAlias = dict[str, Any]

_NO_TERM: Final = Term(None)
_VALUE: Final = frozenset({"@direction", "@index", "@language", "@type", "@value"})
_TEXTS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "@id": ((), "invalid @id value"),
    "@language": ((), "invalid language-tagged string"),
    "@direction": (("ltr", "rtl"), "invalid base direction"),
    "@index": ((), "invalid @index value"),
}
"""Keywords whose value is a text: one of which, if not any, and the error if it is not."""
_SPEC: Final = "JSON-LD 1.1 API §5.1"


def expand(document: Any, load: Loader, *, base: str = "", context: Any = None, safe: bool = True) -> list[Any]:
    """`document` in expanded form, its maps taken in code point order. `base` is the document's own IRI, `context` is
    processed before the document's own.

    Raises:
        Malformed: `jsonld.error`, `jsonld.work`; in safe mode `jsonld.dropped` and `jsonld.relative`; what `load`
            raises for a context that it does not know.
    """
    contexts = Contexts(load)
    active = Context.initial(base)
    if isinstance(context, dict) and "@context" in context:
        context = context["@context"]
    if context is not None:
        active = contexts.process(active, context, base)
    found = Expansion(contexts, base, safe).element(active, None, document)
    if isinstance(found, dict) and found.keys() == {"@graph"}:
        found = found["@graph"]
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


class Expansion:
    """The Expansion Algorithm (§5.1) with its contexts."""

    __slots__ = ("base_url", "contexts", "safe")

    def __init__(self, contexts: Contexts, base_url: str, safe: bool) -> None:
        self.contexts = contexts
        self.base_url = base_url
        self.safe = safe

    # -- safe mode --

    def dropped(self, what: str) -> None:
        if self.safe:
            raise Malformed("jsonld.dropped", spec=_SPEC, name=what)

    def absolute(self, value: str | None) -> str | None:
        """`value` as it is; in safe mode it must be an IRI, a blank node or a keyword."""
        if self.safe and (value is None or not (value in KEYWORDS or iri.is_absolute(value) or iri.is_blank(value))):
            raise Malformed("jsonld.relative", spec=_SPEC, name=value or "")
        return value

    # -- §5.1 --

    def element(self, active: Context, prop: str | None, element: Any, *, from_map: bool = False) -> Any:
        """The Expansion Algorithm (§5.1.2) for one element of the document."""
        self.contexts.spend()
        if element is None:
            return None
        term = active.terms.get(prop, _NO_TERM) if prop is not None else _NO_TERM
        if isinstance(element, list):
            return self.array(active, prop, element, term, from_map=from_map)
        if isinstance(element, dict):
            return self.map(active, prop, element, term, from_map=from_map)
        if prop is None or prop == "@graph":
            self.dropped(str(prop))
            return None
        if term.context is not UNSET:
            active = self.contexts.scoped(active, term)
        return self.value(active, prop, element)

    def array(self, active: Context, prop: str | None, element: list[Any], term: Term, *, from_map: bool) -> list[Any]:
        found: list[Any] = []
        listed = "@list" in term.container
        for item in element:
            expanded = self.element(active, prop, item, from_map=from_map)
            if listed and isinstance(expanded, list):
                expanded = {"@list": expanded}
            if isinstance(expanded, list):
                found += expanded
            elif expanded is not None:
                found.append(expanded)
        return found

    def map(self, active: Context, prop: str | None, element: Node, term: Term, *, from_map: bool) -> Any:
        if active.previous is not None and not from_map and not self._keeps_scope(active, element):
            active = active.previous
        if term.context is not UNSET:
            active = self.contexts.scoped(active, term, override=True)
        if "@context" in element:
            active = self.contexts.process(active, element["@context"], self.base_url)
        scope = active
        kind: str | None = None
        for key in sorted(element):
            if self.name(active, key) != "@type":
                continue
            types = element[key] if isinstance(element[key], list) else [element[key]]
            for each in sorted(each for each in types if isinstance(each, str)):
                scoped = scope.terms.get(each, _NO_TERM)
                if scoped.context is not UNSET:
                    active = self.contexts.scoped(active, scoped, propagate=False)
            if kind is None and types and isinstance(types[-1], str):
                kind = self.name(active, types[-1])
        result: Node = {}
        self.members(active, scope, prop, element, result, kind)
        return self.finished(result, prop)

    def _keeps_scope(self, active: Context, element: Node) -> bool:
        """A value object, or a reference: no node object whose type-scoped context would end here."""
        names = [self.name(active, key) for key in element]
        return "@value" in names or names == ["@id"]

    def name(self, active: Context, key: str) -> str | None:
        return self.contexts.expand_iri(active, key, vocab=True)

    def members(
        self, active: Context, scope: Context, prop: str | None, element: Node, result: Node, kind: str | None
    ) -> None:
        """Steps 13 and 14 of §5.1.2: the entries of a map, then those nested in it."""
        nests: list[str] = []
        for key in sorted(element):
            if key == "@context":
                continue
            expanded = self.name(active, key)
            if expanded is None or not (expanded in KEYWORDS or ":" in expanded):
                self.dropped(key)  # of a term that is declared to mean nothing too: what it says would not be signed
                continue
            value = element[key]
            if expanded in KEYWORDS:
                if expanded == "@nest":
                    nests.append(key)
                else:
                    self.keyword(active, scope, prop, expanded, value, result, kind)
            else:
                self.property(active, key, expanded, value, result)
        for key in nests:
            nested = element[key] if isinstance(element[key], list) else [element[key]]
            for each in nested:
                if not isinstance(each, dict) or any(self.name(active, name) == "@value" for name in each):
                    raise error("invalid @nest value")
                inner = active
                term = active.terms.get(key, _NO_TERM)
                if term.context is not UNSET:
                    inner = self.contexts.scoped(active, term, override=True)
                self.members(inner, scope, key, each, result, kind)

    # -- keywords --

    def keyword(
        self, active: Context, scope: Context, prop: str | None, name: str, value: Any, result: Node, kind: str | None
    ) -> None:
        if prop == "@reverse":
            raise error("invalid reverse property map")
        if name in result and name not in ("@included", "@type"):
            raise error("colliding keywords")
        if name in _TEXTS:
            expected, problem = _TEXTS[name]
            if not isinstance(value, str) or (expected and value not in expected):
                raise error(problem)
            if name == "@id":
                value = self.absolute(self.contexts.expand_iri(active, value, document_relative=True))
            result[name] = value
        elif name == "@type":
            self.types(scope, value, result)
        elif name == "@graph":
            result["@graph"] = _listed(self.element(active, "@graph", value))
        elif name == "@included":
            self.included(active, value, result)
        elif name == "@value":
            if kind != "@json" and isinstance(value, dict | list):
                raise error("invalid value object value")
            result["@value"] = value
        elif name == "@set":
            result["@set"] = _listed(self.element(active, prop, value))
        elif name == "@list" and prop is not None and prop != "@graph":
            result["@list"] = _listed(self.element(active, prop, value))
        elif name == "@reverse":
            self.reverse(active, value, result)
        else:
            self.dropped(name)

    def types(self, scope: Context, value: Any, result: Node) -> None:
        given = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str) for each in given):
            raise error("invalid type value")
        found = [
            self.absolute(self.contexts.expand_iri(scope, each, document_relative=True, vocab=True)) for each in given
        ]
        if "@type" in result:
            result["@type"] = [*_listed(result["@type"]), *found]
        else:
            result["@type"] = found if isinstance(value, list) else found[0]

    def included(self, active: Context, value: Any, result: Node) -> None:
        found = self.element(active, None, value)
        nodes = found if isinstance(found, list) else [found]
        if not all(map(_is_node, nodes)):
            raise error("invalid @included value")
        result["@included"] = [*result.get("@included", []), *nodes]

    def reverse(self, active: Context, value: Any, result: Node) -> None:
        if not isinstance(value, dict):
            raise error("invalid @reverse value")
        found = self.element(active, "@reverse", value) or {}
        for name, items in found.pop("@reverse", {}).items():
            for item in items:
                _add(result, name, item)
        if found:
            held = result.setdefault("@reverse", {})
            for name, items in found.items():
                for item in items:
                    if "@value" in item or "@list" in item:
                        raise error("invalid reverse property value")
                    _add(held, name, item)

    # -- properties --

    def property(self, active: Context, key: str, name: str, value: Any, result: Node) -> None:
        term = active.terms.get(key, _NO_TERM)
        container = term.container
        found: Any
        if term.type == "@json":
            found = {"@value": value, "@type": "@json"}
        elif "@language" in container and isinstance(value, dict):
            found = self.language_map(active, term, value)
        elif isinstance(value, dict) and not container.isdisjoint({"@index", "@type", "@id"}):
            found = self.index_map(active, key, term, value)
        else:
            found = self.element(active, key, value)
        if found is None:
            # JSON's null says nothing; anything else that became nothing has been dropped.
            if value is not None:
                self.dropped(key)
            return
        if "@list" in container and not (isinstance(found, dict) and "@list" in found):
            found = {"@list": _listed(found)}
        if "@graph" in container and container.isdisjoint({"@id", "@index"}):
            found = [{"@graph": _listed(each)} for each in _listed(found)]
        if term.reverse:
            held = result.setdefault("@reverse", {})
            for item in _listed(found):
                if "@value" in item or "@list" in item:
                    raise error("invalid reverse property value")
                _add(held, name, item)
        else:
            for item in _listed(found):
                _add(result, name, item)
            result.setdefault(name, [])

    def language_map(self, active: Context, term: Term, value: Node) -> list[Node]:
        direction = active.direction if isinstance(term.direction, Unset) else term.direction
        found: list[Node] = []
        for language in sorted(value):
            for item in _listed(value[language]):
                if item is None:
                    continue
                if not isinstance(item, str):
                    raise error("invalid language map value")
                made: Node = {"@value": item}
                if language != "@none" and self.name(active, language) != "@none":
                    made["@language"] = language
                if direction is not None:
                    made["@direction"] = direction
                found.append(made)
        return found

    def index_map(self, active: Context, key: str, term: Term, value: Node) -> list[Any]:
        container = term.container
        index_key = term.index or "@index"
        found: list[Any] = []
        for index in sorted(value):
            inner = active
            if "@id" in container or "@type" in container:
                inner = active.previous or active
            if "@type" in container:
                scoped = inner.terms.get(index, _NO_TERM)
                if scoped.context is not UNSET:
                    inner = self.contexts.scoped(inner, scoped)
            elif "@id" not in container:
                inner = active
            expanded_index = self.name(active, index)
            items = self.element(inner, key, _listed(value[index]), from_map=True)
            for item in items:
                own = {"@graph": [item]} if "@graph" in container and not _is_graph(item) else item
                self.indexed(active, container, index_key, index, expanded_index, own)
                found.append(own)
        return found

    def indexed(
        self, active: Context, container: frozenset[str], index_key: str, index: str, expanded: str | None, item: Node
    ) -> None:
        """Say on `item` under which key of the map it stood."""
        if expanded == "@none":
            return
        if "@index" in container and index_key != "@index":
            name = cast("str", self.name(active, index_key))  # an index mapping expands to an IRI, or there is none
            item[name] = [self.value(active, index_key, index), *item.get(name, [])]
            if "@value" in item:
                raise error("invalid value object")
        elif "@index" in container:
            item.setdefault("@index", index)
        elif "@id" in container:
            if "@id" not in item:
                item["@id"] = self.absolute(self.contexts.expand_iri(active, index, document_relative=True))
        else:
            item["@type"] = [self.absolute(expanded), *_listed(item.get("@type", []))]

    # -- §5.3 --

    def value(self, active: Context, prop: str, value: Any) -> Node:
        """Value Expansion (§5.3.2)."""
        term = active.terms.get(prop, _NO_TERM)
        kind = term.type
        if isinstance(value, str):
            if kind == "@id":
                return {"@id": self.absolute(self.contexts.expand_iri(active, value, document_relative=True))}
            if kind == "@vocab":
                found = self.contexts.expand_iri(active, value, document_relative=True, vocab=True)
                return {"@id": self.absolute(found)}
        made: Node = {"@value": value}
        if kind is not None and kind not in ("@id", "@vocab", "@none"):
            made["@type"] = kind
        elif isinstance(value, str):
            language = active.language if isinstance(term.language, Unset) else term.language
            direction = active.direction if isinstance(term.direction, Unset) else term.direction
            if language is not None:
                made["@language"] = language
            if direction is not None:
                made["@direction"] = direction
        return made

    # -- what came out --

    def finished(self, result: Node, prop: str | None) -> Any:
        """Steps 15 to 20 of §5.1.2."""
        found: Any = result
        if "@value" in result:
            if not self.value_object(result):
                return None
        elif "@type" in result and not isinstance(result["@type"], list):
            result["@type"] = [result["@type"]]
        elif "@set" in result or "@list" in result:
            if len(result) > 1 + ("@index" in result):
                raise error("invalid set or list object")
            if "@set" in result:
                found = result["@set"]
        if isinstance(found, dict) and found.keys() == {"@language"}:
            self.dropped("@language")
            return None
        if prop is None or prop == "@graph":
            lone = isinstance(found, dict) and (
                not found or "@value" in found or "@list" in found or found.keys() == {"@id"}
            )
            if lone:
                self.dropped(str(next(iter(found), "{}")))
                return None
        return found

    def value_object(self, result: Node) -> bool:
        """Whether it has a value."""
        if not result.keys() <= _VALUE:
            raise error("invalid value object")
        if "@type" in result and ("@language" in result or "@direction" in result):
            raise error("invalid value object")
        kind = result.get("@type")
        if kind == "@json":
            return True
        if result["@value"] is None:
            return False
        if not isinstance(result["@value"], str) and "@language" in result:
            raise error("invalid language-tagged value")
        if "@type" in result and not (isinstance(kind, str) and iri.is_well_formed(kind)):
            raise error("invalid typed value")
        return True


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _add(held: Node, name: str, item: Any) -> None:
    held.setdefault(name, []).append(item)


def _is_node(value: Any) -> bool:
    return isinstance(value, dict) and value.keys().isdisjoint({"@value", "@list", "@set"})


def _is_graph(value: Any) -> bool:
    return isinstance(value, dict) and "@graph" in value and value.keys() <= {"@graph", "@id", "@index"}
