"""Archives of many files: entry after entry, in parts that become one, longer than a zip file of old could be."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

import pytest

from cityid.edge import archives, outputs
from cityid.errors import Unavailable

FILES = [(f"line-{n:06d}.offer" if n % 7 else f"zoë-{n}.pdf", bytes([n % 256]) * (n % 300)) for n in range(500)]


def packed(files: list[tuple[str, bytes]]) -> io.BytesIO:
    made = io.BytesIO()
    archives.pack(made, files)
    return made


def test_parts_become_what_would_have_been_made_at_once() -> None:
    whole = io.BytesIO()
    archives.join(whole, [packed(FILES[start : start + 100]) for start in range(0, 500, 100)])
    assert whole.getvalue() == packed(FILES).getvalue()
    with zipfile.ZipFile(whole) as read:
        assert read.testzip() is None
        assert [(name, read.read(name)) for name in read.namelist()] == FILES
        assert {entry.external_attr >> 16 & 0o777 for entry in read.infolist()} == {0o600}


def test_nothing_and_one() -> None:
    for files in ([], FILES[:1]):
        whole = io.BytesIO()
        archives.join(whole, [packed([]), packed(files)])
        assert zipfile.ZipFile(whole).namelist() == [name for name, _ in files]


@pytest.mark.slow
def test_more_entries_than_sixteen_bits_count() -> None:
    made = packed([(f"{number:x}", b"") for number in range(65_535)])
    assert len(zipfile.ZipFile(made).namelist()) == 65_535
    assert b"PK\6\6" in made.getvalue()
    assert b"PK\6\6" not in packed(FILES).getvalue()


@pytest.mark.parametrize("place", [0xFFFFFFFE, 0xFFFFFFFF, 5 << 30])
def test_further_than_thirty_two_bits_reach(place: int, tmp_path: Path) -> None:
    """A sparse file whose last entry begins there, as after many parts."""
    single = packed([("a", b"text")]).getvalue()
    entry = single[: single.index(b"PK\1\2")]
    path = tmp_path / "long.zip"
    with path.open("wb") as file:
        file.seek(place)
        file.write(entry)
        with archives._Directory() as directory:
            directory.add(b"a", 0, zlib.crc32(b"text"), 4, place)
            directory.write(file, place + len(entry))
    with zipfile.ZipFile(path) as read:
        assert read.read("a") == b"text"
        assert read.infolist()[0].header_offset == place


@pytest.mark.parametrize("where", [0, 12, 16, -1])
def test_a_part_that_was_touched(where: int) -> None:
    good = packed(FILES[:3]).getvalue()
    end = len(good) - 22
    whole = io.BytesIO()
    archives.join(whole, [io.BytesIO(good)])
    assert whole.getvalue() == good
    bad = bytearray(good) if where >= 0 else bytearray(good + b"x")
    if where >= 0:
        bad[end + where] ^= 0xFF
    with pytest.raises(Unavailable) as no:
        archives.join(io.BytesIO(), [io.BytesIO(bytes(bad))])
    assert no.value.code == "store.damaged"


def test_a_part_with_as_many_entries_as_cannot_be_counted() -> None:
    """65,535 says that the count stands elsewhere, which no part of ours does."""
    bad = bytearray(packed(FILES[:3]).getvalue())
    bad[-14:-10] = b"\xff" * 4
    with pytest.raises(Unavailable) as no:
        archives.join(io.BytesIO(), [io.BytesIO(bytes(bad))])
    assert no.value.code == "store.damaged"


def test_in_files(tmp_path: Path) -> None:
    for number in range(3):
        outputs.archive(tmp_path / f"part-{number}.zip", FILES[number * 10 : number * 10 + 10])
        (tmp_path / f"part-{number}.jsonl").write_bytes(b"%d\n" % number)
    outputs.together(tmp_path / "all.zip", (tmp_path / f"part-{number}.zip" for number in range(3)))
    outputs.together(tmp_path / "all.jsonl", (tmp_path / f"part-{number}.jsonl" for number in range(3)))
    assert list(outputs.unpacked(tmp_path / "all.zip")) == FILES[:30]
    assert (tmp_path / "all.jsonl").read_bytes() == b"0\n1\n2\n"
    assert (tmp_path / "all.zip").stat().st_mode & 0o777 == 0o600
