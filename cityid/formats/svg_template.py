"""SVG templates of SD-JWT VC type metadata (§5.5.1.2): checked against a short list of what a card needs, written anew.

Nothing of the template is copied through: elements and attributes that are known are written again, everything that
could run, fetch or hide is refused, and values are put in as escaped text. The result is safe to open on its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from xml.parsers import expat

from cityid import limits
from cityid.errors import Malformed, Refused

_SPEC: Final = "SD-JWT VC §5.5.1.2"
_SVG: Final = "http://www.w3.org/2000/svg"
_XLINK: Final = "http://www.w3.org/1999/xlink href"
_XML_LANG: Final = "http://www.w3.org/XML/1998/namespace lang"
_DRAWING = (
    "svg g defs symbol use title desc text tspan textPath path rect circle ellipse line polyline polygon image "
    "linearGradient radialGradient stop clipPath mask pattern"
)
_LOOKS = (
    "id class role lang direction unicode-bidi x y x1 y1 x2 y2 dx dy cx cy r rx ry fx fy d points width height viewBox "
    "preserveAspectRatio transform gradientTransform gradientUnits spreadMethod offset patternUnits patternTransform "
    "patternContentUnits clipPathUnits maskUnits maskContentUnits clip-path clip-rule mask fill fill-opacity fill-rule "
    "stroke stroke-width stroke-opacity stroke-linecap stroke-linejoin stroke-dasharray stroke-dashoffset "
    "stroke-miterlimit opacity color stop-color stop-opacity visibility display overflow style font-family font-size "
    "font-style font-weight font-variant letter-spacing word-spacing text-anchor text-decoration dominant-baseline "
    "alignment-baseline baseline-shift textLength lengthAdjust startOffset rotate writing-mode version"
)
_ELEMENTS: Final = frozenset(_DRAWING.split())
_ATTRIBUTES: Final = frozenset(_LOOKS.split())
_PLACEHOLDER: Final = re.compile(r"\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}")
_INSIDE: Final = re.compile(r"url\(#[A-Za-z0-9_.-]+\)")
_REFERENCE: Final = re.compile(r"#[A-Za-z0-9_.-]+")
_PICTURE: Final = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+")
# What can fetch in an attribute or style, in any of CSS's ways to write it.
_FETCHES: Final = re.compile(
    r"//|\\|@|/\*|(?:url|image|image-set|src|cross-fade|element|expression|attr)\s*\(", re.IGNORECASE
)
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"})


def render(template: bytes, values: Mapping[str, str]) -> str:
    """The template with `values` (by svg_id) in it, as a document of its own.

    Raises:
        Malformed: `svg.too_large`, `svg.syntax`, `svg.too_deep`, `svg.not_svg`.
        Refused: `svg.doctype`, `svg.instruction`, `svg.element`, `svg.script`, `svg.external`,
            `svg.placeholder_place`, `svg.placeholder_unknown`, `svg.placeholder_form`.
    """
    if len(template) > limits.DOCUMENT:
        raise Malformed("svg.too_large", limit=limits.DOCUMENT, size=len(template))
    return _Rewriter(values).run(template)


class _Rewriter:
    __slots__ = ("depth", "out", "values")

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.out: list[str] = []
        self.depth = 0

    def run(self, template: bytes) -> str:
        parser = expat.ParserCreate("utf-8", " ")
        parser.buffer_text = True
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.text
        parser.CommentHandler = self.comment
        parser.StartDoctypeDeclHandler = self.doctype
        parser.ProcessingInstructionHandler = self.instruction
        try:
            parser.Parse(template.decode("utf-8"), True)
        except UnicodeDecodeError:
            raise Malformed("svg.syntax", spec=_SPEC, line=0) from None
        except expat.ExpatError as error:
            raise Malformed("svg.syntax", spec=_SPEC, line=error.lineno) from None
        return "".join(self.out)

    def doctype(self, *_: object) -> None:
        # With it go entities: external ones fetch, nested ones grow without end.
        raise Refused("svg.doctype", spec=_SPEC)

    def instruction(self, target: str, _: str) -> None:
        raise Refused("svg.instruction", spec=_SPEC, target=target)

    def comment(self, text: str) -> None:
        """Comments are left out; a placeholder in one is against the specification."""
        # Left out, it would also join a brace before it with one after it.
        if "{{" in text or "".join(self.out[-1:]).endswith("{"):
            raise Refused("svg.placeholder_place", spec=_SPEC, place="comment")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        if not self.out and (namespace, local) != (_SVG, "svg"):
            raise Malformed("svg.not_svg", spec=_SPEC, found=local)
        if namespace != _SVG or local not in _ELEMENTS:
            raise Refused("svg.element", spec=_SPEC, element=local)
        self.depth += 1
        if self.depth > limits.DEPTH:
            raise Malformed("svg.too_deep", limit=limits.DEPTH)
        xmlns = "" if self.out else f' xmlns="{_SVG}"'
        if "href" in attributes:
            attributes.pop(_XLINK, None)
        kept = "".join(self.attribute(local, given, value) for given, value in attributes.items())
        self.out.append(f"<{local}{xmlns}{kept}>")

    def attribute(self, element: str, name: str, value: str) -> str:
        """The attribute as it is written again; those that no card needs are left out."""
        if name.rpartition(" ")[2].lower().startswith("on"):
            raise Refused("svg.script", spec=_SPEC, name=name)
        if "{{" in value:
            raise Refused("svg.placeholder_place", spec=_SPEC, place=f"attribute {name}")
        if name in ("href", _XLINK):
            allowed = _REFERENCE.fullmatch(value) or (element == "image" and _PICTURE.fullmatch(value))
            if not allowed:
                raise Refused("svg.external", spec=_SPEC, name="href")
            return f' href="{_escape(value)}"'
        if _FETCHES.search(_INSIDE.sub("", value)):
            raise Refused("svg.external", spec=_SPEC, name=name)
        if name == _XML_LANG:
            return f' xml:lang="{_escape(value)}"'
        return f' {name}="{_escape(value)}"' if name in _ATTRIBUTES else ""

    def end(self, name: str) -> None:
        self.depth -= 1
        self.out.append(f"</{name.rpartition(' ')[2]}>")

    def text(self, text: str) -> None:
        if "{{" not in _PLACEHOLDER.sub("", text):
            self.out.append(_PLACEHOLDER.sub(self.fill, _escape(text)))
            return
        raise Refused("svg.placeholder_form", spec=_SPEC)

    def fill(self, found: re.Match[str]) -> str:
        value = self.values.get(found[1])
        if value is None:
            raise Refused("svg.placeholder_unknown", spec=_SPEC, svg_id=found[1])
        return _escape(value)


def _escape(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text).translate(_ESCAPES)
