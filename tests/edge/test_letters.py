"""Letters: what a camera reads from them is the offer, and names are printed as they are or not at all."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import pytest

from cityid.bulk import code_of, show_code
from cityid.cards import Offer
from cityid.edge import letters, outputs
from cityid.edge.letters import Letters
from cityid.errors import Misuse, Unavailable
from tests.jobs.offices import Office

FACTS = {"type": "Residency", "until": "1 Jan 2027", "number": "R-2026-000001"}
CODE = code_of(bytes(32), "row")


def shown(pdf: bytes) -> tuple[str, str]:
    """The text of the page, and what its QR code says."""
    import pypdfium2
    import zxingcpp

    with pypdfium2.PdfDocument(pdf) as document:
        page = document[0]
        text = page.get_textpage().get_text_bounded()
        (found,) = zxingcpp.read_barcodes(page.render(scale=3).to_pil())
        assert len(document) == 1
    return text, found.text


@pytest.fixture
def offer() -> Offer:
    return Office().offer()


class TestLetters:
    def test_a_camera_and_eyes_read_it(self, offer: Offer) -> None:
        pdf = Letters("Stadt Lindau").pdf(["Ada Müller", "Am Weg 7"], offer.link(), show_code(CODE), FACTS)
        text, code = shown(pdf)
        assert code == offer.link()
        for part in (
            "Stadt Lindau",
            "Ada Müller",
            "Am Weg 7",
            "Residency",
            "1 Jan 2027",
            "R-2026-000001",
            show_code(CODE),
        ):
            assert part in text
        assert "{" not in text

    def test_without_zxing_the_code_is_the_same_offer(self, offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "zxingcpp", None)
        pdf = Letters("Lindau").pdf(["Ada"], offer.link(), show_code(CODE), FACTS)
        monkeypatch.undo()
        assert shown(pdf)[1] == offer.link()

    @pytest.mark.parametrize("module", ["fpdf", "segno", "uharfbuzz"])
    def test_without_the_extra(self, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(Unavailable) as no:
            Letters("Lindau")
        assert no.value.code == "install.extra"

    def test_a_home_says_what_letters_say(self, tmp_path: Path, offer: Offer) -> None:
        path = tmp_path / "letter.txt"
        assert letters.text_of(path) == letters.TEXT
        path.write_text("Ihr Ausweis: {type}\n\nGültig bis {until}.\n", encoding="utf-8")
        pdf = Letters("Lindau", text=letters.text_of(path)).pdf([], offer.link(), CODE, FACTS)
        text, _ = shown(pdf)
        assert "Ihr Ausweis: Residency" in text
        assert "Gültig bis 1 Jan 2027." in text
        path.write_bytes(b"\xff")
        with pytest.raises(Misuse) as no:
            letters.text_of(path)
        assert no.value.code == "letter.text"


def font(path: Path, chars: str, *, rules: str = "") -> Path:
    """A font whose letters are all one box, with rules for shaping a script where `rules` names it."""
    from fontTools.feaLib.builder import addOpenTypeFeaturesFromString
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    chars = "".join(dict.fromkeys(chars))
    pen = TTGlyphPen(None)
    for step, point in enumerate(((0, 0), (0, 500), (500, 500), (500, 0))):
        (pen.lineTo if step else pen.moveTo)(point)
    pen.closePath()
    names = [".notdef", *(f"u{ord(char):04X}" for char in chars)]
    made = FontBuilder(1000, isTTF=True)
    made.setupGlyphOrder(names)
    made.setupCharacterMap({ord(char): f"u{ord(char):04X}" for char in chars})
    box = pen.glyph()
    made.setupGlyf(dict.fromkeys(names, box))
    made.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    made.setupHorizontalHeader(ascent=800, descent=-200)
    made.setupNameTable({"familyName": "Boxes", "styleName": "Regular"})
    made.setupOS2()
    made.setupPost()
    if rules:
        one = f"u{ord(chars[0]):04X}"
        addOpenTypeFeaturesFromString(
            made.font, f"languagesystem {rules} dflt; feature init {{ sub {one} by {one}; }} init;"
        )
    made.save(path)
    return path


ASCII = "".join(map(chr, range(32, 127)))
HAN, ARABIC, DEVANAGARI, GREEK = (
    "\u674e\u660e",
    "\u0645\u062d\u0645\u062f",
    "\u0930\u093e\u092e",
    "\u03a9\u03bc\u03ad\u03b3\u03b1",
)


class TestNames:
    """As they are, whole, or not at all."""

    @pytest.fixture(autouse=True)
    def bare(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(letters, "FOLDERS", ())

    def refused(self, made: Letters, *to: str) -> tuple[str, object]:
        problem = made.refused(to)
        return (problem.code, next(iter(problem.facts.values()))) if problem else ("", "")

    @pytest.mark.parametrize("name", ["\u017dofia Ivi\u0107", GREEK, "\u0418\u0432\u0430\u043d", HAN, "Ada\u0301"])
    def test_a_font_that_has_all_of_a_line(self, tmp_path: Path, offer: Offer, name: str) -> None:
        made = Letters("Lindau", fonts=[font(tmp_path / "a.ttf", name + ASCII)])
        assert self.refused(made, name, "Ada M\u00fcller") == ("", "")
        text, code = shown(made.pdf([name, "Ada M\u00fcller"], offer.link(), show_code(CODE), FACTS))
        assert code == offer.link()
        assert name in text
        assert "Ada M\u00fcller" in text

    @pytest.mark.parametrize("name", ["Ivi\u0107", GREEK, HAN, ARABIC, DEVANAGARI, "Ada\u0301", "A\u0085"])
    def test_without_a_font_it_is_told(self, name: str) -> None:
        made = Letters("Lindau")
        told = next(
            f"U+{ord(char):04X}" for char in name if not "\u00a0" <= char <= "\u00ff" and not " " <= char <= "~"
        )
        assert self.refused(made, name) == ("letter.character", told)
        with pytest.raises(Misuse) as no:
            made.pdf([name], "x:", CODE, FACTS)
        assert no.value.code == "letter.character"
        assert self.refused(made, "Ada M\u00fcller \u00fe") == ("", "")

    @pytest.mark.parametrize(("name", "script"), [(ARABIC, "arab"), (DEVANAGARI, "dev2"), (DEVANAGARI, "deva")])
    def test_letters_that_join_need_rules(self, tmp_path: Path, name: str, script: str) -> None:
        """Letters side by side, which nobody of that name would read as it, are not drawn."""
        chars = name + ASCII
        bare = Letters("Lindau", fonts=[font(tmp_path / "bare.ttf", chars)])
        assert self.refused(bare, name) == ("letter.character", f"U+{ord(name[0]):04X}")
        other = Letters("Lindau", fonts=[font(tmp_path / "other.ttf", chars, rules="grek")])
        assert self.refused(other, name) == ("letter.character", f"U+{ord(name[0]):04X}")
        with_rules = Letters("Lindau", fonts=[font(tmp_path / "rules.ttf", chars, rules=script)])
        assert self.refused(with_rules, name) == ("", "")

    def test_right_to_left(self, tmp_path: Path, offer: Offer) -> None:
        """The first letter of a Hebrew name stands to the right of its last."""
        import pypdfium2

        name = "\u05e9\u05dc\u05d5\u05dd"
        made = Letters("Lindau", fonts=[font(tmp_path / "a.ttf", name + ASCII)])
        for line, falling in ((name, True), (HAN, False)):
            if not falling:
                made = Letters("Lindau", fonts=[font(tmp_path / "b.ttf", HAN + ASCII)])
            with pypdfium2.PdfDocument(made.pdf([line], offer.link(), show_code(CODE), FACTS)) as document:
                page = document[0].get_textpage()
                whole = page.get_text_range()
                left = {char: page.get_charbox(whole.index(char))[0] for char in line}
            places = [left[char] for char in line]
            assert places == sorted(places, reverse=falling)
            assert len(set(places)) == len(line)

    def test_a_line_is_of_one_font(self, tmp_path: Path) -> None:
        first, second = font(tmp_path / "a.ttf", GREEK + ASCII), font(tmp_path / "b.ttf", HAN + ASCII)
        made = Letters("Lindau", fonts=[first, second])
        assert self.refused(made, GREEK, HAN) == ("", "")
        # Told is where the font that came furthest ends.
        assert self.refused(made, GREEK + HAN) == ("letter.character", f"U+{ord(HAN[0]):04X}")
        assert self.refused(made, HAN + GREEK) == ("letter.character", f"U+{ord(GREEK[0]):04X}")

    def test_fonts_of_the_system(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "deep").mkdir()
        font(tmp_path / "deep" / "NotoSans-Regular.ttf", GREEK)
        font(tmp_path / "DejaVuSans.ttf", HAN)
        font(tmp_path / "Fancy.ttf", ARABIC)
        monkeypatch.setattr(letters, "FOLDERS", (str(tmp_path), str(tmp_path / "none")))
        assert [path.name for path in letters.find_fonts()] == ["DejaVuSans.ttf", "NotoSans-Regular.ttf"]
        assert self.refused(Letters("Lindau"), GREEK, HAN) == ("", "")
        assert self.refused(Letters("Lindau", fonts=[tmp_path / "DejaVuSans.ttf"]), GREEK)[0] == "letter.character"

    def test_a_font_that_is_none(self, tmp_path: Path) -> None:
        from fontTools.ttLib import TTFont

        good = font(tmp_path / "good.ttf", GREEK)
        (tmp_path / "noise.ttf").write_bytes(b"no font")
        with TTFont(good) as whole:
            del whole["glyf"], whole["loca"]
            whole.save(tmp_path / "pictures.ttf")
        for name in ("noise.ttf", "pictures.ttf", "none.ttf"):
            with pytest.raises(Misuse) as no:
                Letters("Lindau", fonts=[tmp_path / name]).refused([GREEK])
            assert no.value.code == "letter.font"
        assert self.refused(Letters("Lindau", fonts=[good]), GREEK) == ("", "")

    def test_what_all_letters_say_is_looked_at_first(self, tmp_path: Path) -> None:
        for made, told in (
            (Letters(HAN), "letter.character"),
            (Letters("Lindau", text="{type}\n" + GREEK), "letter.character"),
            (Letters("Lindau", text="a\n" * 20), "letter.too_long"),
        ):
            with pytest.raises(Misuse) as no:
                made.check(FACTS)
            assert no.value.code == told
        Letters(HAN, fonts=[font(tmp_path / "a.ttf", HAN + ASCII)]).check(FACTS)
        Letters("Lindau", text="a\n" * 19).check(FACTS)

    def test_what_is_wider_than_the_page(self, tmp_path: Path, offer: Offer) -> None:
        """Every character stands on the page, in its order."""
        import pypdfium2

        for name, count in ((HAN[0], 150), ("W", 150)):
            made = Letters("Lindau", fonts=[font(tmp_path / "a.ttf", HAN + ASCII)])
            pdf = made.pdf([name * count], offer.link(), show_code(CODE), FACTS)
            with pypdfium2.PdfDocument(pdf) as document:
                page = document[0].get_textpage()
                whole = page.get_text_range()
                boxes = [page.get_charbox(place) for place, char in enumerate(whole) if char == name]
            assert len(boxes) >= count
            assert max(box[2] for box in boxes) < 595 - 60

    def test_an_address_has_nine_lines(self) -> None:
        made = Letters("Lindau")
        assert self.refused(made, *["a"] * 9) == ("", "")
        assert self.refused(made, *["a"] * 10) == ("letter.address", 9)
        assert self.refused(made, "a" * 324) == ("", "")
        assert self.refused(made, "a" * 325) == ("letter.address", 9)


class TestOutputs:
    def test_archives_become_one(self, tmp_path: Path) -> None:
        for number in range(2):
            outputs.archive(tmp_path / f"{number}.zip", [(f"line-{number}", bytes([number]))])
        outputs.together(tmp_path / "all.zip", [tmp_path / "0.zip", tmp_path / "1.zip"])
        data = (tmp_path / "all.zip").read_bytes()
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert {name: archive.read(name) for name in archive.namelist()} == {"line-0": b"\0", "line-1": b"\1"}
        outputs.together(tmp_path / "all.zip", [tmp_path / "0.zip", tmp_path / "1.zip"])
        assert (tmp_path / "all.zip").read_bytes() == data
        assert (tmp_path / "all.zip").stat().st_mode & 0o777 == 0o600

    def test_files_are_private_and_replaced_whole(self, tmp_path: Path) -> None:
        outputs.write_all(tmp_path, [("a", b"1"), ("b", b"2")])
        outputs.write_all(tmp_path, [("a", b"3")])
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"3", "b": b"2"}
        assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600

    def test_nothing_is_written_through_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "victim").write_bytes(b"mine")
        (tmp_path / "a").symlink_to("victim")
        outputs.write_all(tmp_path, [("a", b"1")])
        assert (tmp_path / "victim").read_bytes() == b"mine"
        assert (tmp_path / "a").read_bytes() == b"1"

    def test_where_nothing_can_be_written(self, tmp_path: Path) -> None:
        with pytest.raises(Misuse) as no:
            outputs.write_all(tmp_path / "none", [("a", b"1")])
        assert no.value.code == "file.not_found"
        with pytest.raises(Misuse), outputs.locked(tmp_path / "none" / "lock"):
            pass

    def test_one_at_a_time(self, tmp_path: Path) -> None:
        path = tmp_path / "run" / "lock"
        path.parent.mkdir()
        with outputs.locked(path), pytest.raises(Unavailable) as no, outputs.locked(path):
            pass
        assert no.value.code == "bulk.running"
        with outputs.locked(path):
            pass
