"""A letter for each offer, as PDF: a QR code for a wallet's camera, and the same code to be typed (extra `print`).

Names are printed as they are or not at all. The fonts that every printer has know Latin-1; a line with anything else is
drawn by a font of the home or of the system, whole and shaped, and the PDF holds what it used of the font. A text that
no font at hand can print is told before anything is offered.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from cityid.edge import files
from cityid.errors import Misuse, Problem, Unavailable

__all__ = ["TEXT", "Letters"]

TEXT: Final = """Your digital card is ready: {type}

{city} has prepared this card for you. To take it, scan the code below with your wallet app, or give the letters under it to the clerk at city hall, or type them where our website asks for them.

The code works once, until {until}. Whoever has this letter can take the card: keep it safe, and tell us at once if you did not ask for it.

Reference: {number}"""  # noqa: E501  # as long as a paragraph is
"""What a letter says, unless the home has a `letter.txt`. A line is a paragraph, the first is the subject."""
FOLDERS: Final = ("/usr/share/fonts", "/usr/local/share/fonts", "/System/Library/Fonts", "/Library/Fonts")
FONTS: Final = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial Unicode.ttf",
    "NotoSansArabic-Regular.ttf", "NotoSansHebrew-Regular.ttf", "NotoSansArmenian-Regular.ttf",
    "NotoSansGeorgian-Regular.ttf", "NotoSansEthiopic-Regular.ttf", "NotoSansDevanagari-Regular.ttf",
    "NotoSansBengali-Regular.ttf", "NotoSansGurmukhi-Regular.ttf", "NotoSansGujarati-Regular.ttf",
    "NotoSansTamil-Regular.ttf", "NotoSansTelugu-Regular.ttf", "NotoSansKannada-Regular.ttf",
    "NotoSansMalayalam-Regular.ttf", "NotoSansSinhala-Regular.ttf", "NotoSansThai-Regular.ttf",
    "NotoSansLao-Regular.ttf", "NotoSansKhmer-Regular.ttf", "NotoSansMyanmar-Regular.ttf", "NotoSansCJK-Regular.ttc",
    "DroidSansFallbackFull.ttf", "wqy-zenhei.ttc",
)  # fmt: skip
"""Files of fonts that are looked for, in this order. Which of Han's forms a collection draws first is its own choice: a
city that minds names its font."""
_SHAPED: Final = frozenset(
    (
        "Arab", "Syrc", "Mong", "Nkoo", "Mand", "Adlm", "Rohg", "Deva", "Beng", "Guru", "Gujr", "Orya", "Taml", "Telu",
        "Knda", "Mlym", "Sinh", "Khmr", "Mymr", "Tibt", "Java", "Bali", "Sund", "Cham", "Lana", "Tale", "Limb", "Newa",
        "Sylo", "Mtei", "Cakm",
    )
)  # fmt: skip
"""Scripts whose letters change beside each other: a font that has the letters and no rules draws them wrong."""
_LATIN: Final = re.compile("[ -~\u00a0-\u00ff]*")
_ADDRESS: Final = 9
"""Lines that an address has room for."""
_WIDE: Final = 36
"""Characters that have room in a line, however wide they are."""
_BOTTOM: Final = 285.0
_LEFT, _TOP, _LINE, _WIDTH, _QR = 25.0, 50.0, 6.0, 160.0, 62.0
_MEMO: Final = 256
_BITS: Final = bytes.maketrans(b"\x00\x01", b"10")  # a stencil paints where its bit is 0
_SWAPPED: Final = bytes([1]) + bytes(255)


@dataclass(frozen=True, slots=True)
class _Face:
    """A font that is there: the characters that it draws."""

    name: str
    path: Path
    covered: frozenset[int]

    def lacks(self, line: str) -> int:
        """The place of the first character that it cannot draw; the line's length where there is none."""
        return next((place for place, char in enumerate(line) if ord(char) not in self.covered), len(line))


def find_fonts() -> tuple[Path, ...]:
    """Fonts of the system, those with many alphabets first."""
    found: dict[str, Path] = {}
    for folder in FOLDERS:
        for place, folders, names in os.walk(folder):
            folders.sort()
            for name in names:
                found.setdefault(name, Path(place, name))
    return tuple(found[name] for name in FONTS if name in found)


def _face(name: str, path: Path) -> _Face:
    """
    Raises:
        Misuse: `letter.font`.
    """
    from fontTools.ttLib import TTFont, TTLibError
    from fontTools.unicodedata import ot_tags_from_script, script

    try:
        with path.open("rb") as file, TTFont(file, fontNumber=0, lazy=True) as font:
            covered = set(font.getBestCmap() or ())
            rules = font["GSUB"].table.ScriptList if "GSUB" in font else None
            shaped = {record.ScriptTag for record in rules.ScriptRecord} if rules else set()
            drawable = "glyf" in font or "CFF " in font
    except (OSError, TTLibError):
        raise Misuse("letter.font", file=str(path)) from None
    if not covered or not drawable:
        raise Misuse("letter.font", file=str(path))
    without = {name for name in _SHAPED if shaped.isdisjoint(ot_tags_from_script(name))}
    return _Face(name, path, frozenset(char for char in covered if script(chr(char)) not in without))


class Letters:
    """Makes letters from `city`. `fonts` are TrueType or OpenType files, tried in this order; by default those of the
    system.

    Raises:
        Unavailable: `install.extra`.
    """

    def __init__(self, city: str, *, fonts: Sequence[Path] = (), text: str = TEXT) -> None:
        if not all(map(find_spec, ("fpdf", "segno", "uharfbuzz"))):
            raise Unavailable("install.extra", extra="print")
        self.city, self.text = city, text
        self._fonts = tuple(fonts)
        self._lines: dict[tuple[str, float, str], list[str]] = {}

    @cached_property
    def _faces(self) -> tuple[_Face, ...]:
        return tuple(_face(f"font{place}", path) for place, path in enumerate(self._fonts or find_fonts()))

    def _drawn_by(self, line: str) -> _Face | None:
        """The first font that has all of a line; None for one that every printer has. A line is drawn by one font,
        because letters of two do not join.

        Raises:
            Misuse: `letter.character`, `letter.font`.
        """
        if _LATIN.fullmatch(line):
            return None
        furthest = 0
        for face in self._faces:
            place = face.lacks(line)
            if place == len(line):
                return face
            furthest = max(furthest, place)
        if not self._faces:
            furthest = next(place for place, char in enumerate(line) if not _LATIN.fullmatch(char))
        raise Misuse("letter.character", character=f"U+{ord(line[furthest]):04X}")

    def refused(self, to: Sequence[str]) -> Problem | None:
        """Why no letter can go to this address, `letter.character` or `letter.address`; None where one can.

        Raises:
            Misuse: `letter.font`.
        """
        if sum(-(-len(line) // _WIDE) for line in to) > _ADDRESS:
            return Problem("letter.address", {"limit": _ADDRESS})
        try:
            for line in to:
                self._drawn_by(line)
        except Misuse as error:
            if error.code == "letter.character":
                return error.problem
            raise
        return None

    def check(self, facts: Mapping[str, str]) -> None:
        """That what all letters say can be printed, before there is anything to send.

        Raises:
            Misuse: as `pdf`.
        """
        self.pdf((), "cityid", "", facts)

    def _broken(self, pdf: Any, line: str) -> list[str]:
        """A paragraph in lines. Most are the same in each letter, and measuring takes longer than all the rest."""
        key = (pdf.font_family, pdf.font_size_pt, line)
        if key not in self._lines:
            if len(self._lines) >= _MEMO:
                self._lines.clear()
            self._lines[key] = _wrap(pdf, line)
        return self._lines[key]

    def pdf(self, to: Sequence[str], link: str, code: str, facts: Mapping[str, str]) -> bytes:
        """One letter: `to` is the address, a line each; `link` goes into the QR code, `code` is printed under it;
        `facts` fill the text's placeholders."""
        from fpdf import FPDF

        paragraphs = self.text.splitlines()
        for name, value in {**facts, "city": self.city}.items():
            paragraphs = [line.replace("{" + name + "}", value) for line in paragraphs]
        for line in (self.city, *to, *paragraphs):
            self._drawn_by(line)
        pdf = FPDF(format="A4")
        pdf.set_auto_page_break(auto=False)
        pdf.c_margin = 0.0
        pdf.add_page()
        self._draw_line(pdf, self.city, 30, 10)
        top = _TOP
        for line in to:
            top = self._draw_line(pdf, line, top, 11, 5)
        top = 100.0
        for place, line in enumerate(paragraphs):
            top = self._draw_line(pdf, line, top, 13 if place == 0 else 11)
        if top + _QR + 9 > _BOTTOM:
            raise Misuse("letter.too_long")
        _draw(pdf, matrix(link), _LEFT, top, _QR)
        pdf.set_font("Courier", size=13)
        pdf.text(_LEFT, top + _QR + 9, code)
        return bytes(pdf.output())

    def _draw_line(self, pdf: Any, line: str, top: float, size: float, height: float = _LINE) -> float:
        """Draws a paragraph, and says where the next one begins."""
        face = self._drawn_by(line)
        if face is None:
            pdf.set_font("Helvetica", size=size)
        else:
            if face.name not in pdf.fonts:
                pdf.add_font(face.name, fname=face.path)
            pdf.set_font(face.name, size=size)
            pdf.set_text_shaping(True)
        for part in self._broken(pdf, line) or [""]:
            if face is None:
                pdf.text(_LEFT, top, part)
            elif part:
                # A cell is shaped and put into the order in which it is read, which `text` is not. Its baseline lies
                # below its middle by 0.3 of the font's size.
                pdf.set_xy(_LEFT, top - 0.5 * height - 0.3 * pdf.font_size)
                pdf.cell(w=_WIDTH, h=height, text=part, align="L")
            top += height
        if face is not None:
            pdf.set_text_shaping(False)
        return top


def matrix(text: str) -> list[bytes]:
    """The modules of a QR code, a byte each (1 is dark), row by row, without the quiet zone; level L, because a letter
    is flat and clean. zxing-cpp makes it in a tenth of segno's time, where it is installed."""
    try:
        import zxingcpp
    except ImportError:
        import segno

        return [bytes(row) for row in segno.make(text, error="l", micro=False, boost_error=False).matrix]
    made = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="L")
    drawn: Any = zxingcpp.write_barcode_to_image(made, scale=1, add_quiet_zones=False)
    dark = memoryview(drawn).tobytes().translate(_SWAPPED)
    side = math.isqrt(len(dark))
    return [dark[start : start + side] for start in range(0, len(dark), side)]


def _wrap(pdf: Any, line: str) -> list[str]:
    space = pdf.get_string_width(" ")
    found: list[str] = []
    left = 0.0
    for word in line.split(" "):
        width = pdf.get_string_width(word)
        if found and space + width <= left:
            found[-1] += f" {word}"
            left -= space + width
            continue
        # Scripts without spaces, and words that are wider than the page, are broken where the line ends.
        rest = word
        while width > _WIDTH and len(rest) > 1:
            end = next(
                end for end in range(len(rest) - 1, 0, -1) if end == 1 or pdf.get_string_width(rest[:end]) <= _WIDTH
            )
            found.append(rest[:end])
            rest = rest[end:]
            width = pdf.get_string_width(rest)
        found.append(rest)
        left = _WIDTH - width
    return found


def _draw(pdf: Any, modules: Sequence[bytes], left: float, top: float, size: float) -> None:
    """The modules as a stencil inside the page: a bit each, which is exact however large it is printed."""
    scale = pdf.k
    width = (len(modules[0]) + 7) // 8
    rows = [int(row.translate(_BITS).ljust(8 * width, b"1"), 2).to_bytes(width, "big").hex() for row in modules]
    side, x, y = size * scale, left * scale, (pdf.h - top - size) * scale
    pdf._out(
        f"q 0 g {side:.2f} 0 0 {side:.2f} {x:.2f} {y:.2f} cm BI /W {len(modules[0])} /H {len(modules)} /IM true /BPC 1 "
        f"/F /AHx ID {''.join(rows)}> EI Q"
    )


def text_of(path: Path) -> str:
    """The letter of a home, or ours.

    Raises:
        Misuse: `letter.text`, `file.*`.
    """
    if not path.exists():
        return TEXT
    try:
        return files.read_home_file(path).decode("utf-8").strip()
    except UnicodeDecodeError:
        raise Misuse("letter.text", file=str(path)) from None
