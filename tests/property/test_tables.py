"""Any bytes are a table or Malformed; and a compiled reader says what the rules say."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityid.credential_type import canonical, columns, from_row
from cityid.credential_type.reader import Reader, Taken
from cityid.encoding.table import Form, Table
from cityid.errors import Malformed
from tests.jobs.offices import NOW, TYPES

CITY = {"authority": "Stadt Lindau", "country": "DE", "jurisdiction": "DE-BY"}
BERLIN = ZoneInfo("Europe/Berlin")
pieces = st.lists(
    st.sampled_from([b"a", b",", b";", b"\t", b'"', b'""', b"\n", b"\r\n", b"\r", b"\x00", b"\xff", b"{}",
                     b'{"a":1', b"\xef\xbb\xbf"])
    | st.binary(max_size=4),
    max_size=30,
).map(b"".join)  # fmt: skip


@pytest.mark.property
@given(pieces, st.sampled_from(["csv", "jsonl"]))
def test_any_bytes_are_rows_or_malformed(data: bytes, form: Form) -> None:
    try:
        table = Table(io.BytesIO(data), form)
        for row in table.rows():
            assert row.problem or form == "jsonl" or len(row.data) == len(table.columns)
            assert 0 < row.end.offset <= len(data)
    except Malformed as error:
        code = error.code
    else:
        code = "table.row"
    assert code in ("table.columns", "table.row", "table.not_utf8", "table.row_too_long")


def outcome(work: Callable[[], list[tuple[int, int]]]) -> list[tuple[int, int]] | str:
    try:
        return work()
    except Malformed as error:
        return f"{error.code} {error.problem.where}"


@pytest.mark.property
@given(pieces, st.sampled_from(["csv", "jsonl"]), st.integers(1, 4))
def test_blocks_are_where_rows_are(data: bytes, form: Form, size: int) -> None:
    def one_by_one() -> list[tuple[int, int]]:
        table = Table(io.BytesIO(data), form)
        ends = [row.end for row in table.rows()]
        lasts = ends[size - 1 :: size] + ends[len(ends) // size * size :][-1:]
        return [(end.offset, end.line) for end in lasts]

    def in_blocks() -> list[tuple[int, int]]:
        table = Table(io.BytesIO(data), form)
        blocks = list(table.blocks(size))
        for begun, count, end in blocks:
            rows = [row.end for row in islice(table.rows(begun), count)]
            assert (len(rows), rows[-1]) == (count, end)
        assert all(count == size for _, count, _ in blocks[:-1])
        assert [begun for begun, _, _ in blocks[1:]] == [end for _, _, end in blocks[:-1]]
        return [(end.offset, end.line) for _, _, end in blocks]

    assert outcome(in_blocks) == outcome(one_by_one)


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=6)


@pytest.mark.property
@given(st.lists(st.lists(names, min_size=2, max_size=2), max_size=6), st.sampled_from([",", ";", "\t"]))
def test_what_is_written_is_read(rows: list[list[str]], separator: str) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerows([["a", "b"], *rows])
    head, rest = out.getvalue().split("\r\n", 1)
    table = Table(io.BytesIO((head.replace('"', "") + "\r\n" + rest).encode()), "csv")
    assert [row.data for row in table.rows()] == rows


days = st.dates(min_value=(NOW - timedelta(days=150 * 365)).date(), max_value=(NOW + timedelta(days=400)).date())
texts = (
    st.sampled_from(["", "", "Ada", " Lindau ", "DE", "09776116", "true", "7", "x;y", "İ", "e\u0301", "\u202e", "a\x07",
                     "LI-AB 1"])
    | days.map(str)
    | st.text(max_size=5)
)  # fmt: skip
GOOD = {"given_name": "Ada", "family_name": "Lovelace", "birthdate": "1990-12-10", "resident_since": "2011-02-03"}


@cache
def rows_of(header: tuple[str, ...]) -> st.SearchStrategy[list[tuple[str, ...]]]:
    """Four rows of a table. Building this takes longer than drawing from it."""
    cells = {name: st.just(GOOD.get(name, "")) | texts for name in header}
    return st.lists(st.tuples(*(cells[name] for name in header)), min_size=4, max_size=4)


@pytest.mark.property
@pytest.mark.parametrize("id", sorted(TYPES))
@given(st.data())
def test_a_compiled_reader_says_what_the_rules_say(id: str, data: st.DataObject) -> None:
    kind = TYPES[id]
    header = [*columns(kind), "plate", "no claim"]
    reader = Reader(kind, header, at=NOW, timezone=BERLIN, city=CITY, ignore={"plate"})
    for cells in data.draw(rows_of(tuple(header))):
        claims = from_row(kind, dict(zip(header, cells, strict=True)), ignore={"plate"})
        found = reader.row(cells)
        if not claims:
            assert found == ()
            continue
        try:
            prepared = kind.prepare(claims, at=NOW, timezone=BERLIN, city=CITY)
        except Malformed as error:
            prepared, wrong = None, [error.problem]
        else:
            wrong = []
        if prepared is None:
            assert isinstance(found, tuple)
            assert found[:1] == tuple(wrong)
            assert found in (kind.problems(claims, at=NOW, timezone=BERLIN), tuple(wrong))
        else:
            assert isinstance(found, Taken)
            assert found == Taken(prepared, canonical(claims))
            assert list(found.prepared.claims) == list(prepared.claims)
