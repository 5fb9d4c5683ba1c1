"""Tables as city halls keep them: CSV (RFC 4180) and JSON Lines, read strictly and a row at a time."""

from __future__ import annotations

import io

import pytest

from cityid import limits
from cityid.encoding.table import Form, Place, Table
from cityid.errors import Malformed


def table(data: bytes, form: Form = "csv") -> Table:
    return Table(io.BytesIO(data), form)


def cells(data: bytes) -> list[object]:
    return [row.problem.code if row.problem else row.data for row in table(data).rows()]


class TestCsv:
    """RFC 4180 §2."""

    def test_rows_and_lines(self) -> None:
        rows = list(table(b'a,b\r\n1,"x\r\ny"\r\n\r\n"2","say ""no"""\r\n').rows())
        assert [(row.line, row.data) for row in rows] == [(3, ["1", "x\r\ny"]), (5, ["2", 'say "no"'])]

    def test_the_last_line_needs_no_end(self) -> None:
        assert cells(b"a,b\n1,2") == [["1", "2"]]

    def test_a_byte_order_mark_may_come_first_and_nowhere_else(self) -> None:
        assert table(b"\xef\xbb\xbfa,b\n").columns == ("a", "b")
        assert cells(b"\xef\xbb\xbfa\n1\n") == [["1"]]
        assert cells(b"a\n\xef\xbb\xbf1\n") == [["\ufeff1"]]

    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    def test_the_first_line_says_what_separates(self, separator: str) -> None:
        data = f"a{separator}b\n1{separator}2\n".encode()
        assert table(data).separator == separator
        assert cells(data) == [["1", "2"]]

    def test_a_comma_comes_before_others(self) -> None:
        assert cells(b"a,b\n1;2,3\n") == [["1;2", "3"]]

    def test_a_formula_is_text(self) -> None:
        assert cells(b"a\n=1+1\n@x\n") == [["=1+1"], ["@x"]]

    def test_a_row_of_another_width_is_told_and_the_next_is_read(self) -> None:
        assert cells(b"a,b\n1\n1,2,3\n1,2\n") == ["table.row", "table.row", ["1", "2"]]

    @pytest.mark.parametrize("head", [b"", b"\n", b"a,a\n", b"a,\n", b'"a\n', b'"a"b\n'])
    def test_columns_are_named_once(self, head: bytes) -> None:
        with pytest.raises(Malformed) as no:
            table(head)
        assert no.value.code == "table.columns"

    def test_columns_are_bounded(self) -> None:
        names = [f"c{number}" for number in range(limits.TABLE_COLUMNS)]
        assert len(table(",".join(names).encode()).columns) == limits.TABLE_COLUMNS
        with pytest.raises(Malformed) as no:
            table(",".join([*names, "more"]).encode())
        assert no.value.code == "table.columns"

    def test_after_a_wrong_quote_nothing_is_trusted(self) -> None:
        rows = table(b'a\n1\n"2\n3\n').rows()
        assert next(rows).data == ["1"]
        with pytest.raises(Malformed) as no:
            next(rows)
        assert (no.value.code, no.value.problem.where) == ("table.row", "line 3")
        assert cells(b'a\n1\n"2"\n3\n') == [["1"], ["2"], ["3"]]

    def test_another_encoding_is_told_by_its_line(self) -> None:
        with pytest.raises(Malformed) as no:
            cells("a\nZoë\n".encode("latin-1"))
        assert (no.value.code, no.value.problem.where) == ("table.not_utf8", "line 2")
        assert cells("a\nZoë\n".encode()) == [["Zoë"]]
        with pytest.raises(Malformed) as no:
            table("a\n".encode("utf-16"))
        assert no.value.code == "table.not_utf8"

    def test_a_row_is_bounded(self) -> None:
        fits = b"x" * (limits.TABLE_ROW // 100 - 1)
        wide = b",".join([fits] * 100)
        head = b",".join(b"c%d" % number for number in range(100)) + b"\n"
        assert len(cells(head + wide + b"\n")) == 1
        with pytest.raises(Malformed) as no:
            cells(head + wide + b"y" * 200)
        assert no.value.code == "table.row_too_long"


class TestJsonLines:
    def test_a_wrong_line_is_told_and_the_next_is_read(self) -> None:
        data = b'{"a": 1}\n\n{"a": 1, "a": 2}\n[1]\n{"a": "\xff"}\n\xef\xbb\xbf{}\n{"b": {"c": [2]}}'
        rows = list(table(data, "jsonl").rows())
        assert [(row.line, row.problem.code if row.problem else row.data) for row in rows] == [
            (1, {"a": 1}), (3, "json.duplicate"), (4, "json.not_an_object"), (5, "json.not_utf8"), (6, "json.syntax"),
            (7, {"b": {"c": [2]}}),
        ]  # fmt: skip

    def test_a_line_is_bounded(self) -> None:
        with pytest.raises(Malformed) as no:
            list(table(b"x" * (limits.TABLE_ROW + 1), "jsonl").rows())
        assert no.value.code == "table.row_too_long"


class TestPlaces:
    """A table can be read on from behind any row."""

    @pytest.mark.parametrize(
        ("form", "data"),
        [("csv", b'\xef\xbb\xbfa,b\n1,"2\n3"\n\n4,5\n6\n7,8'), ("jsonl", b'{"a": 1}\n\n{"a": 2}\nno\n{"a": 3}\n')],
    )
    def test_reading_on(self, form: Form, data: bytes) -> None:
        whole = list(table(data, form).rows())
        for count, row in enumerate(whole, 1):
            assert list(table(data, form).rows(row.end)) == whole[count:]
        assert whole[-1].end == Place(len(data), data.count(b"\n") + (not data.endswith(b"\n")))
