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

    @pytest.mark.skipif(letters.find_font() is None, reason="no TrueType font with many alphabets on this system")
    def test_names_beyond_latin_1(self, offer: Offer) -> None:
        text, code = shown(Letters("Lindau").pdf(["Žofia Ivić", "Ωμέγα"], offer.link(), show_code(CODE), FACTS))
        assert code == offer.link()
        assert "Žofia Ivić" in text
        assert "Ωμέγα" in text

    def test_without_zxing_the_code_is_the_same_offer(self, offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "zxingcpp", None)
        pdf = Letters("Lindau").pdf(["Ada"], offer.link(), show_code(CODE), FACTS)
        monkeypatch.undo()
        assert shown(pdf)[1] == offer.link()

    def test_without_a_font_other_letters_are_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(letters, "FOLDERS", ())
        made = Letters("Lindau")
        assert made.missing("Ada Müller") == ""
        assert made.missing("Ivić") == "ć"
        with pytest.raises(Misuse) as no:
            made.pdf(["Ivić"], "x:", CODE, FACTS)
        assert no.value.code == "letter.font"

    def test_a_font_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "font.ttf").write_bytes(b"no font")
        with pytest.raises(Misuse) as no:
            Letters("Lindau", font=tmp_path / "font.ttf").missing("Ivić")
        assert no.value.code == "letter.font"

    @pytest.mark.parametrize("module", ["fpdf", "segno"])
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
