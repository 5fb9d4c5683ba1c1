"""A letter for each offer, as PDF: a QR code for a wallet's camera, and the same code to be typed (extra `print`).

Names are printed as they are or not at all. The fonts that every printer has know Latin-1; for other letters a TrueType
font of the system is embedded, and a text that no font at hand can print is told before anything is offered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from cityid.edge import files
from cityid.errors import Misuse, Unavailable

__all__ = ["TEXT", "Letters"]

TEXT: Final = """Your digital card is ready: {type}

{city} has prepared this card for you. To take it, scan the code below with your wallet app, or give the letters under it to the clerk at city hall, or type them where our website asks for them.

The code works once, until {until}. Whoever has this letter can take the card: keep it safe, and tell us at once if you did not ask for it.

Reference: {number}"""  # noqa: E501  # as long as a paragraph is
"""What a letter says, unless the home has a `letter.txt`. A line is a paragraph, the first is the subject."""
FOLDERS: Final = ("/usr/share/fonts", "/usr/local/share/fonts", "/System/Library/Fonts", "/Library/Fonts")
FONTS: Final = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial Unicode.ttf")
_LEFT, _TOP, _LINE, _WIDTH, _QR = 25.0, 50.0, 6.0, 160.0, 62.0
_MEMO: Final = 256
_BITS: Final = bytes.maketrans(b"\x00\x01", b"10")  # a stencil paints where its bit is 0
_SWAPPED: Final = bytes([1]) + bytes(255)


def find_font() -> Path | None:
    """A font with many alphabets, where the system has one."""
    for folder in FOLDERS:
        for name in FONTS:
            found = next(iter(sorted(Path(folder).rglob(name))), None)
            if found is not None:
                return found
    return None


class Letters:
    """Makes letters from `city`. `font` is a TrueType file; by default one of the system.

    Raises:
        Unavailable: `install.extra`.
        Misuse: `letter.font`.
    """

    def __init__(self, city: str, *, font: Path | None = None, text: str = TEXT) -> None:
        if not all(map(find_spec, ("fpdf", "segno"))):
            raise Unavailable("install.extra", extra="print")
        self.city, self.text = city, text
        self._font = font or find_font()
        self._lines: dict[tuple[str, float, str], list[str]] = {}

    @cached_property
    def _covered(self) -> frozenset[int]:
        if self._font is None:
            return frozenset()
        from fontTools.ttLib import TTFont, TTLibError

        try:
            with TTFont(self._font, fontNumber=0) as font:
                return frozenset(font.getBestCmap() or ())
        except (OSError, TTLibError):
            raise Misuse("letter.font", file=str(self._font)) from None

    def missing(self, text: str) -> str:
        """The first character that cannot be printed; "" where all can."""
        if _latin(text):
            return ""
        # One font prints a whole letter.
        covered = self._covered or frozenset(range(256))
        return next((char for char in text if ord(char) not in covered), "")

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
        pdf = FPDF(format="A4")
        pdf.set_auto_page_break(auto=False)
        pdf.add_page()
        family = "Helvetica"
        if not _latin("".join([*to, *paragraphs])):
            family = "city"
            if self._font is None:
                raise Misuse("letter.font", file="none")
            pdf.add_font(family, fname=self._font)
        pdf.set_font(family, size=10)
        pdf.text(_LEFT, 30, self.city)
        pdf.set_font(family, size=11)
        for place, line in enumerate(to):
            pdf.text(_LEFT, _TOP + place * 5, line)
        top = 100.0
        for place, line in enumerate(paragraphs):
            pdf.set_font(family, size=13 if place == 0 else 11)
            for part in self._broken(pdf, line) or [""]:
                pdf.text(_LEFT, top, part)
                top += _LINE
        _draw(pdf, matrix(link), _LEFT, top, _QR)
        pdf.set_font("Courier", size=13)
        pdf.text(_LEFT, top + _QR + 9, code)
        return bytes(pdf.output())


def _latin(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


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
        else:
            found.append(word)
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
