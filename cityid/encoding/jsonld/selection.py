"""Which term says an IRI best: inverse contexts, and IRIs in their shortest form (JSON-LD 1.1 API §4.3, §6.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from cityid.encoding.jsonld import iri
from cityid.encoding.jsonld.model import Context, Term, Unset, error, is_like_keyword

Node: TypeAlias = dict[str, Any]
_Inverse: TypeAlias = dict[str, dict[str, dict[str, dict[str, str]]]]
"""IRI, container, `@language`, `@type` or `@any`, and the wanted value of that: the term."""

_SETS: Final = ("@index", "@index@set")


def is_list(value: Any) -> bool:
    return isinstance(value, dict) and "@list" in value


def is_graph(value: Any) -> bool:
    return isinstance(value, dict) and "@graph" in value and value.keys() <= {"@graph", "@id", "@index"}


def _spoken(language: str | None, direction: str | None) -> str:
    """Language and base direction as one key; "" where there is neither."""
    return f"{language or ''}_{direction}".lower() if direction else (language or "").lower()


class Selection:
    """The terms of one context, to choose among."""

    __slots__ = ("active", "inverse", "relative")

    def __init__(self, active: Context, *, relative: bool) -> None:
        self.active = active
        self.relative = relative
        self.inverse = _inverse(active)

    def compact_iri(self, name: str, *, value: Any = None, vocab: bool = True, reverse: bool = False) -> str:
        """IRI Compaction (§6.2.2).

        Raises:
            Malformed: `jsonld.error` (IRI confused with prefix).
        """
        active = self.active
        if vocab and name in self.inverse:
            term = self._term(name, value, reverse=reverse)
            if term is not None:
                return term
        if vocab and active.vocab is not None and name.startswith(active.vocab) and len(name) > len(active.vocab):
            suffix = name[len(active.vocab) :]
            if suffix not in active.terms:
                return suffix
        found = self._prefixed(name, value)
        if found is not None:
            return found
        scheme, colon, rest = name.partition(":")
        used = active.terms.get(scheme) if colon else None
        if used is not None and used.prefix and not rest.startswith("//"):
            raise error("IRI confused with prefix")
        if not vocab and self.relative and active.base is not None:
            short = iri.relative(active.base, name)
            return f"./{short}" if is_like_keyword(short) else short
        return name

    def _prefixed(self, name: str, value: Any) -> str | None:
        best: str | None = None
        for key, term in self.active.terms.items():
            if not term.prefix or term.iri is None or term.iri == name or not name.startswith(term.iri):
                continue
            candidate = f"{key}:{name[len(term.iri) :]}"
            other = self.active.terms.get(candidate)
            if other is not None and (other.iri != name or value is not None):
                continue
            if best is None or (len(candidate), candidate) < (len(best), best):
                best = candidate
        return best

    def _term(self, name: str, value: Any, *, reverse: bool) -> str | None:
        containers: list[str] = []
        if isinstance(value, dict) and "@index" in value and not is_graph(value):
            containers += _SETS
        if reverse:
            kind, wanted = "@type", "@reverse"
            containers.append("@set")
        elif is_list(value):
            kind, wanted = self._of_list(value)
            if "@index" not in value:
                containers.append("@list")
        elif is_graph(value):
            kind, wanted = "@type", "@id"
            containers += _of_graph(value)
        else:
            kind, wanted = self._of_value(value, containers)
            containers.append("@set")
        containers.append("@none")
        if not isinstance(value, dict) or "@index" not in value:
            containers += _SETS
        if isinstance(value, dict) and value.keys() == {"@value"}:
            containers += ("@language", "@language@set")
        preferred = self._preferred(wanted, value)
        if is_list(value) and not value["@list"]:
            kind = "@any"
        for container in containers:
            by_kind = self.inverse[name].get(container, {}).get(kind, {})
            for each in preferred:
                if each in by_kind:
                    return by_kind[each]
        return None

    def _preferred(self, wanted: str, value: Any) -> list[str]:
        preferred = ["@reverse"] if wanted == "@reverse" else []
        if wanted in ("@id", "@reverse") and isinstance(value, dict) and "@id" in value:
            term = self.active.terms.get(self.compact_iri(value["@id"]))
            known = term is not None and term.iri == value["@id"]
            preferred += ["@vocab", "@id", "@none"] if known else ["@id", "@vocab", "@none"]
        else:
            preferred += [wanted, "@none"]
        preferred.append("@any")
        return preferred + [each[each.index("_") :] for each in preferred if "_" in each]

    def _of_list(self, value: Node) -> tuple[str, str]:
        """The most specific language or type that all items share."""
        items = value["@list"]
        if not items:
            return "@language", _spoken(self.active.language, self.active.direction) or "@none"
        languages: set[str] = set()
        types: set[str] = set()
        for item in items:
            language, kind = "@none", "@none"
            if "@value" not in item:
                kind = "@id"
            elif "@direction" in item or "@language" in item:
                language = _spoken(item.get("@language"), item.get("@direction"))
            elif "@type" in item:
                kind = item["@type"]
            else:
                language = "@null"
            if "@value" in item or not languages:
                languages.add(language)
            types.add(kind)
        kind = types.pop() if len(types) == 1 else "@none"
        if kind != "@none":
            return "@type", kind
        return "@language", languages.pop() if len(languages) == 1 else "@none"

    def _of_value(self, value: Any, containers: list[str]) -> tuple[str, str]:
        if not isinstance(value, dict) or "@value" not in value:
            containers += ("@id", "@id@set", "@type", "@set@type")
            return "@type", "@id"
        if ("@direction" in value or "@language" in value) and "@index" not in value:
            containers += ("@language", "@language@set")
            return "@language", _spoken(value.get("@language"), value.get("@direction"))
        if "@type" in value:
            return "@type", value["@type"]
        return "@language", "@null"


def _of_graph(value: Node) -> Iterable[str]:
    index, name = ("@graph@index", "@graph@index@set"), ("@graph@id", "@graph@id@set")
    found: list[str] = []
    if "@index" in value:
        found += index
    if "@id" in value:
        found += name
    found += ("@graph", "@graph@set", "@set")
    if "@index" not in value:
        found += index
    if "@id" not in value:
        found += name
    return [*found, *_SETS]


def _inverse(active: Context) -> _Inverse:
    """Inverse Context Creation (§4.3)."""
    default = _spoken(active.language, active.direction) or "@none"
    found: _Inverse = {}
    for name, term in sorted(active.terms.items(), key=lambda each: (len(each[0]), each[0])):
        if term.iri is None:
            continue
        container = "".join(sorted(term.container)) or "@none"
        kinds = found.setdefault(term.iri, {}).setdefault(
            container, {"@language": {}, "@type": {}, "@any": {"@none": name}}
        )
        for kind, wanted in _says(term, default):
            kinds[kind].setdefault(wanted, name)
    return found


def _says(term: Term, default: str) -> Iterable[tuple[str, str]]:
    if term.reverse:
        return [("@type", "@reverse")]
    if term.type == "@none":
        return [("@language", "@any"), ("@type", "@any")]
    if term.type is not None:
        return [("@type", term.type)]
    language, direction = term.language, term.direction
    if not isinstance(language, Unset) and not isinstance(direction, Unset):
        return [("@language", _spoken(language, direction) or "@null")]
    if not isinstance(language, Unset):
        return [("@language", (language or "@null").lower())]
    if not isinstance(direction, Unset):
        return [("@language", f"_{direction}" if direction else "@none")]
    return [("@language", default), ("@language", "@none"), ("@type", "@none")]
