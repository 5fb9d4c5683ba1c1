"""What JSON-LD contexts are made of: keywords, terms, active contexts, and the name of an error."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from cityid.errors import Malformed

KEYWORDS: Final = frozenset(
    {
        "@base", "@container", "@context", "@direction", "@graph", "@id", "@import", "@included", "@index", "@json",
        "@language", "@list", "@nest", "@none", "@prefix", "@propagate", "@protected", "@reverse", "@set", "@type",
        "@value", "@version", "@vocab",
    }
)  # fmt: skip
_LIKE_KEYWORD: Final = re.compile(r"@[A-Za-z]+")


class Unset:
    """What was not said, where None has been said."""


UNSET: Final = Unset()


def error(name: str, where: str = "") -> Malformed:
    """The refusal that JSON-LD calls `name` (JsonLdErrorCode)."""
    return Malformed("jsonld.error", where=where, spec="JSON-LD 1.1 API §10.5", error=name)


def is_like_keyword(text: str) -> bool:
    """Has it the form of a keyword, known or not? Such names are kept for later versions and mean nothing."""
    return text.startswith("@") and _LIKE_KEYWORD.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Term:
    """A term definition. `iri` is None for a term that was declared to mean nothing."""

    iri: str | None
    prefix: bool = False
    protected: bool = False
    reverse: bool = False
    base_url: str = field(default="", compare=False)
    context: Any = UNSET
    container: frozenset[str] = frozenset()
    direction: str | Unset | None = UNSET
    index: str | None = None
    language: str | Unset | None = UNSET
    nest: str | None = None
    type: str | None = None


@dataclass(slots=True)
class Context:
    """An active context. `base` is None where relative references stay as they are."""

    original_base: str = ""
    base: str | None = None
    vocab: str | None = None
    language: str | None = None
    direction: str | None = None
    terms: dict[str, Term] = field(default_factory=dict)
    previous: Context | None = None
    known: dict[Any, Any] | None = field(default=None, compare=False, repr=False)
    """What became of it together with a scoped context, where that is remembered (`context`)."""

    @classmethod
    def initial(cls, base: str) -> Context:
        return cls(base, base or None)

    def copy(self) -> Context:
        return Context(
            self.original_base, self.base, self.vocab, self.language, self.direction, self.terms.copy(), self.previous
        )
