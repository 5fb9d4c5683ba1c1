"""The dataset of a document, through what is remembered of documents like it (`template`)."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any, Final, TypeAlias

from cityid import limits
from cityid.encoding import rdfc
from cityid.encoding.jsonld import compiling
from cityid.encoding.jsonld.context import Loader
from cityid.encoding.jsonld.dataset import to_rdf
from cityid.encoding.jsonld.template import Template
from cityid.encoding.nquads import Quad
from cityid.errors import Malformed

_SHAPES: Final = 128
"""Shapes of documents that are remembered, those lately seen."""
_EACH: Final = 8
"""Templates of one shape: for other types, other languages."""
_LEAVES: Final = 300
"""Values of a document for which a template is made, at most."""
_NAMES: Final = 1 << 15
"""Characters of its names and contexts, and of the values that a template depends on."""

Shape: TypeAlias = tuple[Any, ...]
"""A document without most of its values, in preorder: for an object its names, for an array its length, for a value its
kind; a context as it is."""


_shapes: Final[OrderedDict[Shape, tuple[Template, ...]]] = OrderedDict()
_lock: Final = Lock()


def canonical(document: Mapping[str, Any], load: Loader, *, hash: rdfc.HashName = "sha256") -> str:
    """The dataset of `document`, read in safe mode, in canonical N-Quads: what `rdfc.canonicalize` makes of `to_rdf`.

    Raises:
        Malformed: `json.not_json`, `json.too_deep`, `json.integer_too_large`, `json.not_finite`; those of `to_rdf` and
            `rdfc.canonicalize`.
    """
    known, shape, leaves = _recall(document, load)
    if known is not None:
        template, terms = known
        return template.canonical(terms, hash)
    found = rdfc.canonicalize(to_rdf(document, load), hash=hash).nquads
    _remember(document, load, shape, leaves)
    return found


def statements(document: Mapping[str, Any], load: Loader) -> list[Quad]:
    """The dataset of `document`, read in safe mode: `to_rdf`, up to the labels of blank nodes.

    Raises:
        Malformed: those of `canonical`.
    """
    known, shape, leaves = _recall(document, load)
    if known is not None:
        template, terms = known
        return template.dataset(terms)
    found = to_rdf(document, load)
    _remember(document, load, shape, leaves)
    return found


def template(document: Mapping[str, Any], load: Loader) -> tuple[Template, list[str]] | None:
    """The template of a document and the terms that it takes from there; None for a document that has none.

    Raises:
        Malformed: those of `canonical`.
    """
    known, shape, leaves = _recall(document, load)
    if known is None:
        to_rdf(document, load)
        _remember(document, load, shape, leaves)
        known, _, _ = _recall(document, load)
    return known


def _recall(document: Mapping[str, Any], load: Loader) -> tuple[tuple[Template, list[str]] | None, Shape, list[Any]]:
    """The template of a document and its terms, if it has one; its shape and leaves."""
    parts: list[Any] = []
    leaves: list[Any] = []
    _read(dict(document), parts, leaves, 0)
    shape = tuple(parts)
    for template in _shapes.get(shape, ()):
        if template.fits(leaves) and template.still(load):
            terms = template.terms(leaves)
            if terms is not None:
                _keep(shape, template)
                return (template, terms), shape, leaves
    return None, shape, leaves


def _remember(document: Mapping[str, Any], load: Loader, shape: Shape, leaves: list[Any]) -> None:
    """Make a template of a document that was found good, and keep it."""
    if len(leaves) <= _LEAVES and len(repr(shape)) <= _NAMES:
        template = compiling.make(dict(document), leaves, load)
        if template is not None and sum(len(str(value)) for value in template.values) <= _NAMES:
            _keep(shape, template)


def _keep(shape: Shape, template: Template) -> None:
    """Put a template first among those of its shape, and its shape among those lately seen."""
    with _lock:
        alike = _shapes.get(shape, ())
        if not alike or alike[0] is not template:
            others = [each for each in alike if each is not template]
            _shapes[shape] = (template, *others[: _EACH - 1])
        _shapes.move_to_end(shape)
        if len(_shapes) > _SHAPES:
            _shapes.popitem(last=False)


def _read(value: Any, shape: list[Any], leaves: list[Any], depth: int) -> None:
    """Take a JSON value apart. The shape can be read back in one way only: what follows a name or a length is known by
    it, and kinds are none of these."""
    if isinstance(value, dict):
        if depth > limits.DEPTH:
            raise Malformed("json.too_deep", limit=limits.DEPTH)
        shape.append(tuple(value))
        for name, item in value.items():
            if name == "@context":
                shape.append(repr(item))
            elif type(item) is str:
                shape.append("s")
                leaves.append(item)
            else:
                _read(item, shape, leaves, depth + 1)
    elif isinstance(value, list):
        if depth > limits.DEPTH:
            raise Malformed("json.too_deep", limit=limits.DEPTH)
        shape.append(len(value))
        for item in value:
            _read(item, shape, leaves, depth + 1)
    elif value is None:
        shape.append(None)
    else:
        shape.append(_kind(value))
        leaves.append(value)


def _kind(value: Any) -> str:
    """`s`, `b`, `i` or `f`, for what JSON has a form for."""
    if isinstance(value, str):
        return "s"
    if isinstance(value, bool):
        return "b"
    if isinstance(value, int):
        if not -limits.INTEGER <= value <= limits.INTEGER:
            raise Malformed("json.integer_too_large", spec="RFC 7493 §2.2", length=value.bit_length())
        return "i"
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Malformed("json.not_finite", spec="RFC 8259 §6", value=str(value))
        return "f"
    raise Malformed("json.not_json")
