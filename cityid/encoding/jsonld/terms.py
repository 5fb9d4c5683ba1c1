"""Definitions of terms: the Create Term Definition Algorithm (JSON-LD 1.1 API §4.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from cityid.encoding.jsonld import iri
from cityid.encoding.jsonld.model import KEYWORDS, UNSET, Context, Term, Unset, error, is_like_keyword
from cityid.errors import Malformed

if TYPE_CHECKING:
    from cityid.encoding.jsonld.context import Contexts

_GEN_DELIMS: Final = frozenset(":/?#[]@")
OF_CONTEXT: Final = frozenset(
    {"@base", "@direction", "@import", "@language", "@propagate", "@protected", "@version", "@vocab"}
)
"""Entries of a context that define no term."""
_OF_TERM: Final = frozenset(
    {
        "@id", "@reverse", "@container", "@context", "@direction", "@index", "@language", "@nest", "@prefix",
        "@protected", "@type",
    }
)  # fmt: skip
_CONTAINERS: Final = frozenset({"@graph", "@id", "@index", "@language", "@list", "@set", "@type"})


class Making:
    """The definitions of one local context, as they are made one after the other."""

    __slots__ = ("active", "base_url", "contexts", "defined", "local", "override", "protected", "remote", "validate")

    def __init__(
        self,
        contexts: Contexts,
        active: Context,
        local: dict[str, Any],
        base_url: str,
        remote: tuple[str, ...],
        protected: bool,
        override: bool,
        validate: bool,
    ) -> None:
        self.contexts = contexts
        self.active = active
        self.local = local
        self.base_url = base_url
        self.remote = remote
        self.protected = protected
        self.override = override
        self.validate = validate
        self.defined: dict[str, bool] = {}

    def need(self, term: str) -> None:
        """A definition on which another one stands."""
        if term in self.local and term not in OF_CONTEXT and not self.defined.get(term):
            self.define(term)

    def expand(self, value: str, *, vocab: bool = True) -> str | None:
        return self.contexts.expand_iri(self.active, value, vocab=vocab, making=self)

    def define(self, term: str) -> None:
        done = self.defined.get(term)
        if done:
            return
        if done is False:
            raise error("cyclic IRI mapping")
        if not term:
            raise error("invalid term definition")
        self.contexts.spend()
        self.defined[term] = False
        value = self.local[term]
        if term == "@type":
            if not isinstance(value, dict) or not value or not value.keys() <= {"@container", "@protected"}:
                raise error("keyword redefinition")
            if value.get("@container", "@set") not in ("@set", ["@set"]):
                raise error("keyword redefinition")
        elif term in KEYWORDS:
            raise error("keyword redefinition")
        elif is_like_keyword(term):
            return
        previous = self.active.terms.pop(term, None)
        simple = isinstance(value, str)
        if value is None or isinstance(value, str):
            value = {"@id": value}
        if not isinstance(value, dict):
            raise error("invalid term definition")
        made = self._read(term, value, simple=simple)
        if made is None:
            return
        if not self.override and previous is not None and previous.protected:
            if replace(made, protected=True) != previous:
                raise error("protected term redefinition")
            made = previous
        self.active.terms[term] = made
        self.defined[term] = True

    def _read(self, term: str, value: dict[str, Any], *, simple: bool) -> Term | None:
        protected = value.get("@protected", self.protected)
        if not isinstance(protected, bool):
            raise error("invalid @protected value")
        kind = self._type(value["@type"]) if "@type" in value else None
        if "@reverse" in value:
            return self._reverse(value, kind, protected=protected)
        found = self._iri(term, value)
        if isinstance(found, Unset):
            return None
        prefix = (
            simple
            and ":" not in term
            and "/" not in term
            and found is not None
            and (found[-1:] in _GEN_DELIMS or iri.is_blank(found))
        )
        container: frozenset[str] = frozenset()
        if "@container" in value:
            container = _container(value["@container"])
            if "@type" in container:
                kind = kind or "@id"
                if kind not in ("@id", "@vocab"):
                    raise error("invalid type mapping")
        index = self._index(value["@index"], container) if "@index" in value else None
        context: Any = UNSET
        if "@context" in value:
            context = value["@context"]
            self._try(context)
        if "@prefix" in value:
            if ":" in term or "/" in term:
                raise error("invalid term definition")
            if not isinstance(value["@prefix"], bool):
                raise error("invalid @prefix value")
            prefix = value["@prefix"]
            if prefix and found in KEYWORDS:
                raise error("invalid term definition")
        if not value.keys() <= _OF_TERM:
            raise error("invalid term definition")
        return Term(
            found,
            prefix,
            protected,
            base_url=self.base_url,
            context=context,
            container=container,
            direction=_direction(value) if "@type" not in value else UNSET,
            index=index,
            language=_language(value) if "@type" not in value else UNSET,
            nest=_nest(value["@nest"]) if "@nest" in value else None,
            type=kind,
        )

    def _type(self, value: Any) -> str:
        if not isinstance(value, str):
            raise error("invalid type mapping")
        found = self.expand(value)
        if found is None or not (found in ("@id", "@json", "@none", "@vocab") or iri.is_absolute(found)):
            raise error("invalid type mapping")
        return found

    def _reverse(self, value: dict[str, Any], kind: str | None, *, protected: bool) -> Term | None:
        if "@id" in value or "@nest" in value:
            raise error("invalid reverse property")
        name = value["@reverse"]
        if not isinstance(name, str):
            raise error("invalid IRI mapping")
        if is_like_keyword(name):
            return None
        found = self.expand(name)
        if found is None or not (iri.is_absolute(found) or iri.is_blank(found)):
            raise error("invalid IRI mapping")
        container = value.get("@container")
        if container not in (None, "@set", "@index", ["@set"], ["@index"]):
            raise error("invalid reverse property")
        if not value.keys() <= _OF_TERM:
            raise error("invalid term definition")
        held = frozenset() if container is None else _container(container)
        index = self._index(value["@index"], held) if "@index" in value else None
        return Term(
            found, protected=protected, reverse=True, base_url=self.base_url, container=held, index=index, type=kind
        )

    def _iri(self, term: str, value: dict[str, Any]) -> str | Unset | None:
        """The IRI mapping; UNSET where the definition is left out without a word (keyword-like names)."""
        if "@id" in value and value["@id"] != term:
            name = value["@id"]
            if name is None:
                return None
            if not isinstance(name, str):
                raise error("invalid IRI mapping")
            if name not in KEYWORDS and is_like_keyword(name):
                return UNSET
            found = self.expand(name)
            if found is None or not (found in KEYWORDS or iri.is_absolute(found) or iri.is_blank(found)):
                raise error("invalid IRI mapping")
            if found == "@context":
                raise error("invalid keyword alias")
            if ":" in term[1:-1] or "/" in term:
                self.defined[term] = True
                if self.expand(term) != found:
                    raise error("invalid IRI mapping")
            return found
        if ":" in term[1:]:
            prefix, suffix = term.split(":", 1)
            self.need(prefix)
            other = self.active.terms.get(prefix)
            return term if other is None or other.iri is None else other.iri + suffix
        if "/" in term:
            # No keyword has a slash, and the term's own definition is not made yet: there is an answer.
            found = cast("str", self.contexts.expand_iri(self.active, term, vocab=True))
            if not iri.is_absolute(found):
                raise error("invalid IRI mapping")
            return found
        if term == "@type":
            return "@type"
        if self.active.vocab is None:
            raise error("invalid IRI mapping")
        return self.active.vocab + term

    def _index(self, value: Any, container: frozenset[str]) -> str:
        if "@index" not in container or not isinstance(value, str):
            raise error("invalid term definition")
        found = self.expand(value)
        if found is None or not iri.is_absolute(found):
            raise error("invalid term definition")
        return value

    def _try(self, context: Any) -> None:
        """A scoped context is tried where it is defined, so that its errors do not wait for its first use."""
        try:
            self.contexts.make(self.active, context, self.base_url, remote=self.remote, override=True, validate=False)
        except Malformed as problem:
            if problem.code != "jsonld.error":
                raise
            raise error("invalid scoped context") from None


def _container(value: Any) -> frozenset[str]:
    given = value if isinstance(value, list) else [value]
    if not given or not all(isinstance(name, str) and name in _CONTAINERS for name in given):
        raise error("invalid container mapping")
    found = frozenset(given)
    if len(found) != len(given):
        raise error("invalid container mapping")
    rest = found - {"@set"}
    if len(rest) > 1 and rest not in ({"@graph", "@id"}, {"@graph", "@index"}):
        raise error("invalid container mapping")
    if "@list" in found and len(found) > 1:
        raise error("invalid container mapping")
    return found


def _direction(value: dict[str, Any]) -> str | Unset | None:
    if "@direction" not in value:
        return UNSET
    found = value["@direction"]
    if found not in (None, "ltr", "rtl"):
        raise error("invalid base direction")
    return found if found is None else str(found)


def _language(value: dict[str, Any]) -> str | Unset | None:
    if "@language" not in value:
        return UNSET
    found = value["@language"]
    if found is not None and not isinstance(found, str):
        raise error("invalid language mapping")
    return found


def _nest(value: Any) -> str:
    if not isinstance(value, str) or (value in KEYWORDS and value != "@nest"):
        raise error("invalid @nest value")
    return value
