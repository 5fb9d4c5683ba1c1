"""N-Quads (RDF 1.1 N-Quads) read strictly and written canonically (RDFC-1.0 appendix A).

A term is its canonical text: `<iri>`, `_:label`, `"literal"`, `"literal"@tag`, `"literal"^^<datatype>`. Two terms are
the same when their texts are, which is what hashing and sorting want; nothing else is ever asked of a term here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Final, TypeAlias

from cityid import limits
from cityid.errors import Malformed

Quad: TypeAlias = tuple[str, str, str, str]
"""Subject, predicate, object, graph; "" is the default graph."""

_SPEC: Final = "RDF 1.1 N-Quads §3.1"
_STRING: Final = "http://www.w3.org/2001/XMLSchema#string"
_ECHAR: Final = {
    "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\",
}  # fmt: skip
# Besides control characters those that are none of XML 1.1 (RDFC-1.0 appendix A).
_CANONICAL: Final = str.maketrans(
    {**{chr(code): f"\\u{code:04X}" for code in (*range(0x20), 0x7F, 0xFFFE, 0xFFFF)}, **_ECHAR},
)
_PLAIN: Final = re.compile(r'[^\x00-\x1f"\\\x7f\ufffe\uffff]*')
_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([tbnrf\"'\\]))")
_MEANS: Final = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f", '"': '"', "'": "'", "\\": "\\"}

_END: Final = re.compile(r"[ \t]*(?:#.*)?")
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")


@cache
def _line() -> re.Pattern[str]:
    """The grammar of a statement, compiled when one is first read: it takes as long as importing all else here."""
    uchar = r"\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}"
    iri = rf'<(?:[^\x00-\x20<>"{{}}|^`\\]|{uchar})*>'
    # PN_CHARS_U of the grammar, and ":" as N-Quads adds it.
    start = (
        "A-Za-z_:0-9\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d\u2070-\u218f"
        "\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
    )
    inside = rf"{start}\-\u00b7\u0300-\u036f\u203f-\u2040"
    blank = rf"_:[{start}](?:[{inside}.]*[{inside}])?"
    tag = r"@[a-zA-Z]+(?:-[a-zA-Z0-9]+)*"
    literal = rf'"(?:[^"\\\n\r]|\\[tbnrf"\'\\]|{uchar})*"(?:\^\^{iri}|{tag})?'
    node = rf"{iri}|{blank}"
    return re.compile(rf"[ \t]*({node})[ \t]*({iri})[ \t]*({node}|{literal})[ \t]*({node})?[ \t]*\.{_END.pattern}")


def literal(value: str, datatype: str = _STRING, language: str = "") -> str:
    """The term of a literal; `datatype` is an IRI without its brackets, ignored where there is a `language`."""
    text = value if _PLAIN.fullmatch(value) else value.translate(_CANONICAL)
    if language:
        return f'"{text}"@{language}'
    return f'"{text}"' if datatype == _STRING else f'"{text}"^^<{datatype}>'


def is_blank(term: str) -> bool:
    """Is it a blank node?"""
    return term[:2] == "_:"


def write(quads: Iterable[Quad]) -> str:
    """Canonical N-Quads: a line each, every line once, in code point order."""
    return "".join(sorted({line(quad) for quad in quads}))


def line(quad: Quad) -> str:
    """One statement and its line feed, in the canonical form."""
    subject, predicate, value, graph = quad
    if graph:
        return f"{subject} {predicate} {value} {graph} .\n"
    return f"{subject} {predicate} {value} .\n"


def read(text: str) -> list[Quad]:
    """The statements of an N-Quads document, each once, in the order in which they first stand there.

    Raises:
        Malformed: `nquads.syntax`, `nquads.too_many`.
    """
    found: dict[Quad, None] = {}
    grammar = _line()
    for number, each in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        matched = grammar.fullmatch(each)
        if matched is None:
            if _END.fullmatch(each):
                continue
            raise Malformed("nquads.syntax", where=f"line {number}", spec=_SPEC, line=number)
        subject, predicate, value, graph = matched.groups("")
        try:
            found[_term(subject), _iri(predicate), _term(value), _term(graph) if graph else ""] = None
        except ValueError:
            raise Malformed("nquads.syntax", where=f"line {number}", spec=_SPEC, line=number) from None
        if len(found) > limits.QUADS:
            raise Malformed("nquads.too_many", spec=_SPEC, limit=limits.QUADS)
    return list(found)


def _term(text: str) -> str:
    if text[0] == "_":
        return text
    if text[0] == "<":
        return _iri(text)
    end = text.rindex('"')
    value, suffix = _unescape(text[1:end]), text[end + 1 :]
    if suffix[:1] == "@":
        return literal(value, language=suffix[1:])
    return literal(value, _iri(suffix[2:])[1:-1]) if suffix else literal(value)


def _iri(text: str) -> str:
    iri = _unescape(text[1:-1]) if "\\" in text else text[1:-1]
    # What an escape stands for is held to the same characters, and N-Quads knows no relative IRIs.
    if not _ABSOLUTE.match(iri) or not re.fullmatch(r'[^\x00-\x20<>"{}|^`\\]*', iri):
        raise ValueError(text)
    return f"<{iri}>"


def _unescape(text: str) -> str:
    return _ESCAPE.sub(_meant, text) if "\\" in text else text


def _meant(found: re.Match[str]) -> str:
    short, long, letter = found.groups()
    if letter:
        return _MEANS[letter]
    code = int(short or long, 16)
    if 0xD800 <= code <= 0xDFFF:
        raise ValueError(found[0])
    return chr(code)
