"""JSON-LD compaction: an expanded document in the words of a context (JSON-LD 1.1 API §6)."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from cityid.encoding.jsonld.context import Contexts, Loader
from cityid.encoding.jsonld.expansion import expand
from cityid.encoding.jsonld.model import UNSET, Context, Term, Unset, error
from cityid.encoding.jsonld.selection import Selection, is_graph, is_list

Node: TypeAlias = dict[str, Any]

_NO_TERM: Final = Term(None)
_AS_THEY_ARE: Final = frozenset({"@direction", "@index", "@language", "@value"})


def compact(
    document: Any,
    context: Any,
    load: Loader,
    *,
    base: str = "",
    arrays: bool = True,
    relative: bool = True,
    safe: bool = True,
) -> Node:
    """`document` in the words of `context`, which is put on top of it. `arrays` takes single values out of theirs,
    `relative` shortens IRIs against `base`.

    Raises:
        Malformed: those of `expand`; `jsonld.error`.
    """
    expanded = expand(document, load, base=base, safe=safe)
    if isinstance(context, dict) and "@context" in context:
        context = context["@context"]
    contexts = Contexts(load)
    active = contexts.process(Context.initial(base), context, base)
    writer = _Compaction(contexts, arrays=arrays, relative=relative)
    found = writer.element(active, None, expanded)
    if isinstance(found, list):
        found = {writer.words(active).compact_iri("@graph"): found} if found else {}
    if context not in (None, {}, []):
        found = {"@context": context, **found}
    made: Node = found
    return made


class _Compaction:
    __slots__ = ("_words", "arrays", "contexts", "relative")

    def __init__(self, contexts: Contexts, *, arrays: bool, relative: bool) -> None:
        self.contexts = contexts
        self.arrays = arrays
        self.relative = relative
        self._words: dict[int, tuple[Context, Selection]] = {}

    def words(self, active: Context) -> Selection:
        """The terms of `active` to choose among; kept with the context, whose id is its own as long."""
        found = self._words.get(id(active))
        if found is None:
            found = self._words[id(active)] = active, Selection(active, relative=self.relative)
        return found[1]

    def element(self, active: Context, prop: str | None, element: Any) -> Any:
        """The Compaction Algorithm (§6.1.2)."""
        self.contexts.spend()
        term = active.terms.get(prop, _NO_TERM) if prop is not None else _NO_TERM
        if isinstance(element, list):
            found = [self.element(active, prop, item) for item in element]
            found = [item for item in found if item is not None]
            if len(found) != 1 or not self.arrays or prop in ("@graph", "@set"):
                return found
            return found if not term.container.isdisjoint({"@list", "@set"}) else found[0]
        if not isinstance(element, dict):
            return element
        scope = active
        if active.previous is not None and "@value" not in element and element.keys() != {"@id"}:
            active = active.previous
        # The property's own definition is that of the context around it.
        if term.context is not UNSET:
            active = self.contexts.scoped(active, term, override=True)
        if "@value" in element or "@id" in element:
            value = self.value(active, prop, element)
            if not isinstance(value, dict | list) or _of(active, prop).type == "@json":
                return value
        if is_list(element) and "@list" in _of(active, prop).container:
            return self.element(active, prop, element["@list"])
        return self.node(active, scope, prop, element)

    def node(self, active: Context, scope: Context, prop: str | None, element: Node) -> Node:
        result: Node = {}
        types = element.get("@type", [])
        if types:
            scope = active
            names = [self.words(scope).compact_iri(each) for each in (types if isinstance(types, list) else [types])]
            for name in sorted(names):
                scoped = scope.terms.get(name, _NO_TERM)
                if scoped.context is not UNSET:
                    active = self.contexts.scoped(active, scoped, propagate=False)
        for key in sorted(element):
            self.entry(active, scope if types else active, prop, key, element[key], result)
        return result

    def entry(self, active: Context, scope: Context, prop: str | None, key: str, value: Any, result: Node) -> None:
        words = self.words(active)
        if key == "@id":
            result[words.compact_iri(key)] = words.compact_iri(value, vocab=False)
        elif key == "@type":
            self.types(active, scope, value, result)
        elif key == "@reverse":
            self.reversed(active, value, result)
        elif key == "@index" and "@index" in _of(active, prop).container:
            return
        elif key in _AS_THEY_ARE:
            result[words.compact_iri(key)] = value
        elif not value:
            name = words.compact_iri(key, value=value, reverse=prop == "@reverse")
            self.nest(active, name, result).setdefault(name, [])
        else:
            for item in value:
                self.item(active, prop, key, item, result)

    def types(self, active: Context, scope: Context, value: Any, result: Node) -> None:
        alias = self.words(active).compact_iri("@type")
        words = self.words(scope)
        found: Any = words.compact_iri(value) if isinstance(value, str) else [words.compact_iri(each) for each in value]
        _add(result, alias, found, as_array="@set" in _of(active, alias).container or not self.arrays)

    def reversed(self, active: Context, value: Any, result: Node) -> None:
        found = self.element(active, "@reverse", value)
        for name in list(found):
            term = _of(active, name)
            if term.reverse:
                _add(result, name, found.pop(name), as_array="@set" in term.container or not self.arrays)
        if found:
            result[self.words(active).compact_iri("@reverse")] = found

    def nest(self, active: Context, name: str, result: Node) -> Node:
        nest = _of(active, name).nest
        if nest is None:
            return result
        if nest != "@nest" and _of(active, nest).iri != "@nest":
            raise error("invalid @nest value")
        inner: Node = result.setdefault(nest, {})
        return inner

    def item(self, active: Context, prop: str | None, key: str, item: Any, result: Node) -> None:
        """One value of a property, put where its term wants it."""
        words = self.words(active)
        name = words.compact_iri(key, value=item, reverse=prop == "@reverse")
        into = self.nest(active, name, result)
        term = _of(active, name)
        container = term.container
        as_array = "@set" in container or name in ("@graph", "@list") or not self.arrays
        inside = item["@list"] if is_list(item) else item["@graph"] if is_graph(item) else item
        found = self.element(active, name, inside)
        if is_list(item):
            found = found if isinstance(found, list) else [found]
            if "@list" in container:
                into[name] = found
                return
            found = {words.compact_iri("@list"): found}
            if "@index" in item:
                found[words.compact_iri("@index")] = item["@index"]
            _add(into, name, found, as_array=as_array)
        elif is_graph(item):
            self.graph(active, name, item, found, into, as_array=as_array)
        elif container.isdisjoint({"@language", "@index", "@id", "@type"}) or "@graph" in container:
            _add(into, name, found, as_array=as_array)
        else:
            held = into.setdefault(name, {})
            place, found = self.place(active, name, item, found)
            _add(held, words.compact_iri("@none") if place is None else place, found, as_array=as_array)

    def graph(self, active: Context, name: str, item: Node, found: Any, into: Node, *, as_array: bool) -> None:
        words, container = self.words(active), _of(active, name).container
        simple = "@id" not in item
        if "@graph" in container and "@id" in container:
            place = words.compact_iri("@none") if simple else words.compact_iri(item["@id"], vocab=False)
            _add(into.setdefault(name, {}), place, found, as_array=as_array)
        elif "@graph" in container and "@index" in container and simple:
            place = item.get("@index") or words.compact_iri("@none")
            _add(into.setdefault(name, {}), place, found, as_array=as_array)
        elif "@graph" in container and simple:
            if isinstance(found, list) and len(found) > 1:
                found = {words.compact_iri("@included"): found}
            _add(into, name, found, as_array=as_array)
        else:
            found = {words.compact_iri("@graph"): found}
            if not simple:
                found[words.compact_iri("@id")] = words.compact_iri(item["@id"], vocab=False)
            if "@index" in item:
                found[words.compact_iri("@index")] = item["@index"]
            _add(into, name, found, as_array=as_array)

    def place(self, active: Context, name: str, item: Node, found: Any) -> tuple[str | None, Any]:
        """Under which key of its map an item goes, and what is left of it there."""
        words, term = self.words(active), _of(active, name)
        container = term.container
        if "@language" in container:
            return item.get("@language"), item.get("@value", found)
        if "@index" in container:
            if term.index is None:
                return item.get("@index"), found
            key = words.compact_iri(self.contexts.expand_iri(active, term.index, vocab=True) or term.index)
            return self._first(found, term.index if isinstance(found, dict) and term.index in found else key)
        if "@id" in container:
            return found.pop(words.compact_iri("@id"), None), found
        place, rest = self._first(found, words.compact_iri("@type"))
        if isinstance(rest, dict) and len(rest) == 1:
            (only,) = rest
            if self.contexts.expand_iri(active, only, vocab=True) == "@id":
                rest = self.element(active, name, {"@id": item["@id"]})
        return place, rest

    def _first(self, found: Any, key: str) -> tuple[str | None, Any]:
        """The first value of `key`, taken out of `found`."""
        if not isinstance(found, dict) or key not in found:
            return None, found
        values = found[key] if isinstance(found[key], list) else [found[key]]
        if not values or not isinstance(values[0], str):
            return None, found
        left = {other: value for other, value in found.items() if other != key}
        if len(values) > 1:
            left[key] = values[1] if len(values) == 2 else values[1:]
        return values[0], left

    def value(self, active: Context, prop: str | None, value: Node) -> Any:
        """Value Compaction (§6.3.2)."""
        words, term = self.words(active), _of(active, prop)
        indexed = "@index" not in value or "@index" in term.container
        if "@id" in value and value.keys() <= {"@id", "@index"}:
            if term.type == "@id" and indexed:
                return words.compact_iri(value["@id"], vocab=False)
            if term.type == "@vocab" and indexed:
                return words.compact_iri(value["@id"])
        elif "@value" in value and self.plain(active, term, value) and indexed:
            return value["@value"]
        result: Node = {}
        for key, said in value.items():
            typed = key == "@type" and "@value" in value
            result[words.compact_iri(key)] = words.compact_iri(said) if typed else said
        return result

    def plain(self, active: Context, term: Term, value: Node) -> bool:
        """May the value stand alone, because its property says the rest?"""
        if "@type" in value:
            return bool(value["@type"] == term.type)
        if term.type == "@none":
            return False
        if not isinstance(value["@value"], str):
            return True
        language = active.language if isinstance(term.language, Unset) else term.language
        direction = active.direction if isinstance(term.direction, Unset) else term.direction
        said = value.get("@language")
        return (said or "").lower() == (language or "").lower() and value.get("@direction") == direction


def _of(active: Context, prop: str | None) -> Term:
    return _NO_TERM if prop is None else active.terms.get(prop, _NO_TERM)


def _add(held: Node, name: str, value: Any, *, as_array: bool) -> None:
    """Add value (JSON-LD 1.1 API §12): a lone value stays alone unless it must not."""
    if isinstance(value, list):
        if as_array or not value:
            held.setdefault(name, [])
        for each in value:
            _add(held, name, each, as_array=as_array)
        if as_array and not isinstance(held[name], list):
            held[name] = [held[name]]
    elif name not in held:
        held[name] = [value] if as_array else value
    else:
        held[name] = [*held[name], value] if isinstance(held[name], list) else [held[name], value]
