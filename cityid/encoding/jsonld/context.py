"""JSON-LD contexts: what each term means where it stands (JSON-LD 1.1 API §4).

A `Context` is not changed once it was made; a new one begins as a copy. Documents that contexts refer to come from a
`Loader` that the caller hands in: nothing here fetches.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Final, NamedTuple, TypeAlias

from cityid import limits
from cityid.encoding.jsonld import iri
from cityid.encoding.jsonld.model import KEYWORDS, Context, Term, error, is_like_keyword
from cityid.encoding.jsonld.terms import OF_CONTEXT, Making
from cityid.errors import Malformed

Loader: TypeAlias = Callable[[str], Any]
"""The JSON document behind the URL of a context. Raises Malformed for one that is not known. What it has handed out is
not changed afterwards: the same object is taken for the same content."""

_REMOTE: Final = 32
"""Contexts inside contexts."""
_ROOTS: Final = 32
"""Lists of context URLs whose active context is remembered: those of others cost time, not memory."""
_SCOPED: Final = 64
"""Scoped contexts that are remembered with each."""


class _Known(NamedTuple):
    """A processed context: what it came to, what it cost, and from which documents it was made."""

    result: Context
    cost: int
    loaded: tuple[tuple[str, Any], ...]
    held: tuple[Any, ...]
    """What is named by its id in the key."""


_roots: Final[OrderedDict[Hashable, _Known]] = OrderedDict()
_lock: Final = Lock()


class Contexts:
    """Context processing for one document: the loader, and what it has cost so far."""

    __slots__ = ("_documents", "_left", "_load", "_loaded")

    def __init__(self, load: Loader) -> None:
        self._load = load
        self._documents: dict[str, Any] = {}
        self._loaded: dict[str, Any] = {}
        self._left = limits.JSONLD_WORK

    def spend(self, steps: int = 1) -> None:
        """Count work: definitions of terms, and values expanded.

        Raises:
            Malformed: `jsonld.work`.
        """
        self._left -= steps
        if self._left < 0:
            raise Malformed("jsonld.work", limit=limits.JSONLD_WORK)

    def process(self, active: Context, local: Any, base_url: str) -> Context:
        """`make` for a context that a document says, remembered where it is nothing but URLs on top of nothing: what
        they stand for is the loader's, so strangers fill no memory.

        Raises:
            Malformed: those of `make`.
        """
        if not _is_urls(local) or active != Context.initial(base_url):
            return self.make(active, local, base_url)
        key = (base_url, local if isinstance(local, str) else tuple(local))
        known = self._still(_roots.get(key))
        if known is None:
            known = self._known(active, local, base_url)
            known.result.known = {}
            with _lock:
                _roots[key] = known
                if len(_roots) > _ROOTS:
                    _roots.popitem(last=False)
        return known.result

    def scoped(self, active: Context, term: Term, *, override: bool = False, propagate: bool = True) -> Context:
        """`make` for the context of a term, remembered with the URLs that it came from.

        Raises:
            Malformed: those of `make`.
        """
        family = active.known
        if family is None:
            return self.make(active, term.context, term.base_url, override=override, propagate=propagate)
        key = (id(active), id(term), override, propagate)
        known = self._still(family.get(key))
        if known is None:
            known = self._known(active, term.context, term.base_url, held=term, override=override, propagate=propagate)
            if len(family) < _SCOPED:
                known.result.known = family
                family[key] = known
        return known.result

    def _still(self, known: _Known | None) -> _Known | None:
        """What is remembered, if this loader has the same contexts; it is counted as work as if it were made anew."""
        if known is None or not all(self._find(url) is document for url, document in known.loaded):
            return None
        self.spend(known.cost)
        return known

    def _known(
        self,
        active: Context,
        local: Any,
        base_url: str,
        *,
        held: Any = None,
        override: bool = False,
        propagate: bool = True,
    ) -> _Known:
        left = self._left
        self._loaded = {}
        result = self.make(active, local, base_url, override=override, propagate=propagate)
        return _Known(result, left - self._left, tuple(self._loaded.items()), (active, held))

    def make(
        self,
        active: Context,
        local: Any,
        base_url: str,
        *,
        remote: tuple[str, ...] = (),
        override: bool = False,
        propagate: bool = True,
        validate: bool = True,
    ) -> Context:
        """The Context Processing Algorithm (§4.1.2).

        Raises:
            Malformed: `jsonld.error`, `jsonld.work`, and what the loader raises.
        """
        if isinstance(local, dict) and isinstance(local.get("@propagate"), bool):
            propagate = local["@propagate"]
        result = active.copy()
        if not propagate and result.previous is None:
            result.previous = active
        for each in local if isinstance(local, list) else [local]:
            self.spend()
            if each is None:
                if not override and any(term.protected for term in active.terms.values()):
                    raise error("invalid context nullification")
                previous = result
                result = Context.initial(active.original_base)
                if not propagate:
                    result.previous = previous
            elif isinstance(each, str):
                result = self._remote(result, iri.resolve(base_url, each), remote, validate=validate)
            elif isinstance(each, dict):
                # A context wrapped as a document is, and in nothing else: other processors take it off, and documents
                # of others have it.
                bare = each["@context"] if each.keys() == {"@context"} and isinstance(each["@context"], dict) else each
                result = self._definition(result, bare, base_url, remote, override=override, validate=validate)
            else:
                raise error("invalid local context")
        return result

    def _find(self, url: str) -> Any:
        """The document behind a URL, asked for once."""
        if url not in self._documents:
            self._documents[url] = self._load(url)
        found = self._loaded[url] = self._documents[url]
        return found

    def _document(self, url: str) -> Any:
        found = self._find(url)
        if not isinstance(found, dict) or "@context" not in found:
            raise error("invalid remote context")
        return found["@context"]

    def _remote(self, result: Context, url: str, remote: tuple[str, ...], *, validate: bool) -> Context:
        if not iri.is_absolute(url):
            raise error("loading document failed")
        if not validate and url in remote:
            return result
        if len(remote) >= _REMOTE:
            raise error("context overflow")
        return self.make(result, self._document(url), url, remote=(*remote, url), validate=validate)

    def _definition(
        self,
        result: Context,
        local: dict[str, Any],
        base_url: str,
        remote: tuple[str, ...],
        *,
        override: bool,
        validate: bool,
    ) -> Context:
        if local.get("@version", 1.1) != 1.1:
            raise error("invalid @version value")
        if "@import" in local:
            local = self._imported(local, base_url)
        result = result.copy()
        if "@base" in local and not remote:
            self._base(result, local["@base"])
        if "@vocab" in local:
            self._vocab(result, local["@vocab"])
        if "@language" in local:
            if local["@language"] is not None and not isinstance(local["@language"], str):
                raise error("invalid default language")
            result.language = local["@language"]
        if "@direction" in local:
            if local["@direction"] not in (None, "ltr", "rtl"):
                raise error("invalid base direction")
            result.direction = local["@direction"]
        if "@propagate" in local and not isinstance(local["@propagate"], bool):
            raise error("invalid @propagate value")
        protected = local.get("@protected", False)
        if not isinstance(protected, bool):
            raise error("invalid @protected value")
        making = Making(self, result, local, base_url, remote, protected, override, validate)
        for term in local:
            if term not in OF_CONTEXT:
                making.define(term)
        return result

    def _imported(self, local: dict[str, Any], base_url: str) -> dict[str, Any]:
        if not isinstance(local["@import"], str):
            raise error("invalid @import value")
        imported = self._document(iri.resolve(base_url, local["@import"]))
        if not isinstance(imported, dict):
            raise error("invalid remote context")
        if "@import" in imported:
            raise error("invalid context entry")
        return {**imported, **local}

    def _vocab(self, result: Context, value: Any) -> None:
        if value is None:
            result.vocab = None
            return
        if not isinstance(value, str):
            raise error("invalid vocab mapping")
        found = self.expand_iri(result, value, document_relative=True, vocab=True)
        if found is None or not (iri.is_absolute(found) or iri.is_blank(found) or not found):
            raise error("invalid vocab mapping")
        result.vocab = found

    def _base(self, result: Context, value: Any) -> None:
        if value is None:
            result.base = None
        elif isinstance(value, str) and iri.is_absolute(value):
            result.base = value
        elif isinstance(value, str) and result.base is not None:
            result.base = iri.resolve(result.base, value)
        else:
            raise error("invalid base IRI")

    def expand_iri(
        self,
        active: Context,
        value: str,
        *,
        document_relative: bool = False,
        vocab: bool = False,
        making: Making | None = None,
    ) -> str | None:
        """IRI Expansion (§5.2.2); None for what means nothing."""
        if value in KEYWORDS:
            return value
        if is_like_keyword(value):
            return None
        if making is not None:
            making.need(value)
        term = active.terms.get(value)
        if term is not None and (vocab or term.iri in KEYWORDS):
            return term.iri
        if ":" in value[1:]:
            prefix, suffix = value.split(":", 1)
            if prefix == "_" or suffix.startswith("//"):
                return value
            if making is not None:
                making.need(prefix)
            term = active.terms.get(prefix)
            if term is not None and term.iri is not None and term.prefix:
                return term.iri + suffix
            if iri.is_absolute(value):
                return value
        if vocab and active.vocab is not None:
            return active.vocab + value
        if document_relative and active.base is not None:
            return iri.resolve(active.base, value)
        return value


def _is_urls(local: Any) -> bool:
    return isinstance(local, str) or (isinstance(local, list) and all(isinstance(each, str) for each in local))
