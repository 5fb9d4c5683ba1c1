"""The context of a credential type of ours, as it stands inside the credentials of that type.

It leaves no choice: each term means the type's IRI, `#` and the term's own path. So whoever reads it needs no list of
types to know that no name was exchanged for another, which a free context would allow: a proof over RDF covers what
the names mean, not the names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

_TERM: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")
_IRI: Final = re.compile(r"[a-z][a-z0-9+.-]*:[!$&-;=?-Z_a-z~%]+")
_LEVELS: Final = 8
_Path = tuple[str, ...]


@cache
def _taken() -> frozenset[str]:
    """Terms that the data model gives a meaning to, which are used with that meaning: `name`, `description`."""
    from cityid.contexts import V2, load

    return frozenset(load(V2)["@context"])


def of_claims(term: str, iri: str, claims: Iterable[tuple[_Path, bool]]) -> dict[str, Any]:
    """The context of the type that is called `term` and means `iri`. `claims` are the paths of its claims, and whether
    an array stands there."""
    tree: dict[str, Any] = {}
    arrays = set()
    for path, is_array in claims:
        node = tree
        for name in path:
            node = node.setdefault(name, {})
        if is_array:
            arrays.add(path)
    return {"@version": 1.1, "@protected": True, term: iri, **_terms(tree, (), iri, arrays)}


def _terms(tree: Mapping[str, Any], path: _Path, iri: str, arrays: set[_Path]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, inner in tree.items():
        here = (*path, name)
        if name in _taken():
            continue
        made[name] = definition = {"@id": f"{iri}#{'.'.join(here)}"}
        if here in arrays:
            definition["@container"] = "@set"
        if inner:
            definition["@context"] = {"@protected": True, **_terms(inner, here, iri, arrays)}  # type: ignore[assignment]
    return made


def is_own(context: Any) -> bool:
    """Has it exactly the form that `of_claims` gives?"""
    if type(context) is not dict or context.get("@version") != 1.1 or context.get("@protected") is not True:
        return False
    rest = {name: value for name, value in context.items() if name not in ("@version", "@protected")}
    types = [name for name, value in rest.items() if type(value) is str]
    if len(types) != 1:
        return False
    iri = rest.pop(types[0])
    return bool(_names(types[0]) and _IRI.fullmatch(iri)) and _are_terms(rest, (), iri)


def _names(term: str) -> bool:
    return _TERM.fullmatch(term) is not None and term not in _taken()


def _are_terms(terms: Mapping[str, Any], path: _Path, iri: str) -> bool:
    return len(path) < _LEVELS and all(_is_term(name, value, (*path, name), iri) for name, value in terms.items())


def _is_term(name: str, value: Any, path: _Path, iri: str) -> bool:
    if not _names(name) or type(value) is not dict or value.get("@id") != f"{iri}#{'.'.join(path)}":
        return False
    if not value.keys() <= {"@id", "@container", "@context"} or value.get("@container", "@set") != "@set":
        return False
    inner = value.get("@context")
    if "@context" not in value:
        return True
    if type(inner) is not dict or inner.get("@protected") is not True:
        return False
    return _are_terms({each: what for each, what in inner.items() if each != "@protected"}, path, iri)
