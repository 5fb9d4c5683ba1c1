"""RFC 4648 base64url, multibase and multicodec, times (XSD, RFC 3339, RFC 7519), claims paths, RFC 8785 JCS."""

from __future__ import annotations

import base64
import struct
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from cityid import limits
from cityid.encoding import base64url, jcs, json, multibase, paths, times
from cityid.errors import Malformed
from tests.vectors import vectors


def code(function: Any, *args: Any) -> str:
    with pytest.raises(Malformed) as refused:
        function(*args)
    return refused.value.code


class TestBase64url:
    """RFC 4648 §5, §3.5; RFC 7515 §2."""

    @given(st.binary(max_size=80))
    def test_round_trip(self, data: bytes) -> None:
        text = base64url.encode(data)
        assert base64url.decode(text) == base64url.decode(text.encode()) == data
        assert text == base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    @given(st.text(alphabet="AZaz09-_+/= \n!é", max_size=12))
    def test_decoding_is_the_inverse_of_encoding_or_refuses(self, text: str) -> None:
        try:
            data = base64url.decode(text)
        except Malformed:
            return
        assert base64url.encode(data) == text

    @pytest.mark.parametrize("text", ["QQ==", "Q Q", "QUI\n", "+w", "/w", "QUJ!", "é", "QQ=", "A=BC", "Q\x00"])
    def test_alphabet(self, text: str) -> None:
        assert code(base64url.decode, text) == "base64url.alphabet"

    def test_length(self) -> None:
        assert code(base64url.decode, "QUJDR") == "base64url.length"
        assert base64url.decode("QUJDRA") == b"ABCD"

    @pytest.mark.parametrize(("good", "bad"), [("aGU", "aGV"), ("QQ", "QR"), ("_w", "_x")])
    def test_unused_bits(self, good: str, bad: str) -> None:
        assert base64url.encode(base64url.decode(good)) == good
        assert code(base64url.decode, bad) == "base64url.tail"

    def test_standard(self) -> None:
        assert base64url.decode_standard("+/8=") == b"\xfb\xff"
        for bad in ("-_8=", "+/8", "+/8=\n", "é"):
            assert code(base64url.decode_standard, bad) == "base64.alphabet"
        assert code(base64url.decode_standard, "+/9=") == "base64.not_canonical"


class TestMultibase:
    """CID 1.0 §2.4: base58btc behind `z`."""

    @given(st.binary(max_size=40))
    def test_round_trip(self, data: bytes) -> None:
        if data:
            assert multibase.decode(multibase.encode(data)) == data

    def test_refused(self) -> None:
        assert multibase.decode("z6Mk") == multibase.decode("z6Mk")
        assert code(multibase.decode, "uAAAA") == "multibase.base"
        assert code(multibase.decode, "") == "multibase.base"
        for bad in ("z", "z0", "zI", "z6Mk\n", " z6Mk", "z6M k", "zé"):
            assert code(multibase.decode, bad) in {"multibase.alphabet", "multibase.base"}
        assert code(multibase.decode, "z" + "1" * limits.DID_KEY_MLDSA) == "multibase.too_long"
        assert multibase.decode(
            "z" + "1" * 8,
            "",
        ) == bytes(8)

    def test_varint(self) -> None:
        for number in (0, 1, 0x7F, 0x80, 0xED, 0x1200, 0x3FFF):
            assert multibase.read_varint(multibase.varint(number) + b"rest") == (number, b"rest")
        for bad in (b"", b"\x80", b"\xed\x00", b"\xed\x81\x80\x00", b"\xed\x81\x01"):
            assert code(multibase.read_varint, bad) == "multibase.varint"


class TestStamps:
    """XSD 1.1 §3.4.28 dateTimeStamp; attack J19."""

    @pytest.mark.parametrize(
        ("text", "at"),
        [
            ("2025-01-31T23:59:59Z", datetime(2025, 1, 31, 23, 59, 59, tzinfo=UTC)),
            ("2024-02-29T00:00:00.5Z", datetime(2024, 2, 29, 0, 0, 0, 500_000, tzinfo=UTC)),
            ("2025-01-01T01:30:00+01:30", datetime(2025, 1, 1, tzinfo=UTC)),
            ("2024-12-31T10:00:00-14:00", datetime(2025, 1, 1, tzinfo=UTC)),
            ("2025-01-01T00:00:00.123456789Z", datetime(2025, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC)),
        ],
    )
    def test_read(self, text: str, at: datetime) -> None:
        assert times.read_stamp(text) == at

    @pytest.mark.parametrize(
        "text",
        [
            "2025-W01-1",
            "20250101T000000Z",
            "2025-01-01 00:00:00Z",
            "2025-01-01T00:00:00",
            "2025-01-01T00:00:00,5Z",
            "2025-01-01T24:00:00Z",
            "2025-01-01T23:59:60Z",
            "0000-01-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "2025-01-01T00:00:00z",
            "2025-01-01T00:00:00+24:00",
            "2025-02-29T00:00:00Z",
            "2025-13-01T00:00:00Z",
            "2025-01-01T00:00:00+14:01",
            "2025-01-01T00:00:00+01:60",
            "２025-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "2025-01-01T00:00Z",
            "2025-01-01T00:00:00Z\n",
        ],
    )
    def test_refused(self, text: str) -> None:
        assert code(times.read_stamp, text) == "time.not_a_stamp"

    def test_written(self) -> None:
        at = datetime(2025, 3, 4, 5, 6, 7, 890, tzinfo=timezone(timedelta(hours=2)))
        assert times.stamp(at) == "2025-03-04T03:06:07Z"
        assert times.read_stamp(times.stamp(at)) == at.replace(microsecond=0)
        assert times.read_stamp(times.stamp(datetime(33, 4, 3, tzinfo=UTC))) == datetime(33, 4, 3, tzinfo=UTC)


class TestDates:
    """RFC 3339 §5.6 full-date."""

    def test_read(self) -> None:
        assert times.read_date("2000-02-29") == date(2000, 2, 29)
        for bad in ("1985-02-31", "31.02.1985", "1900-02-29", "2000-2-29", "20000229", "2000-02-29T", "", "٢000-02-29"):
            assert code(times.read_date, bad) == "time.not_a_date"


class TestNumericDate:
    """RFC 7519 §2; attack J20."""

    def test_read(self) -> None:
        assert times.read_numeric(0) == datetime(1970, 1, 1, tzinfo=UTC)
        assert times.read_numeric(253402300799) == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
        assert times.numeric(times.read_numeric(1_700_000_000)) == 1_700_000_000
        assert times.numeric(datetime(1970, 1, 1, 0, 0, 1, 999_999, tzinfo=UTC)) == 1

    @pytest.mark.parametrize(
        "value", [1e20, -62135596801, -1, "9999999999", [], {}, None, True, 9999999999.5, 1.0, 253402300800, 10**40]
    )
    def test_refused(self, value: Any) -> None:
        assert code(times.read_numeric, value) == "time.not_numeric"


class TestPaths:
    @pytest.mark.parametrize(
        ("text", "path"),
        [
            ("birthdate", ("birthdate",)),
            ("address.locality", ("address", "locality")),
            ("nationalities[]", ("nationalities", None)),
            ("a[0][12].b", ("a", 0, 12, "b")),
            ("vehicle.registration_number", ("vehicle", "registration_number")),
        ],
    )
    def test_round_trip(self, text: str, path: tuple[Any, ...]) -> None:
        assert paths.read(text) == path
        assert paths.write(path) == text

    @pytest.mark.parametrize(
        "text",
        ["", ".", "a.", ".a", "a..b", "a[", "a]", "[0]", "a[-1]", "a[x]", "a[1]b", "a[0].", "a[9999999999]", "a[]\n"],
    )
    def test_refused(self, text: str) -> None:
        assert code(paths.read, text) == "path.syntax"


class TestJcs:
    """RFC 8785."""

    def test_official_documents(self) -> None:
        folder = vectors("jcs")
        ran = 0
        for file in sorted((folder / "input").iterdir()):
            canonical = jcs.canonical(json.read(file.read_bytes()))
            assert canonical == (folder / "output" / file.name).read_bytes().rstrip(b"\n")
            octets = bytes.fromhex((folder / "outhex" / file.name.replace(".json", ".txt")).read_text())
            assert canonical == octets
            ran += 1
        assert ran == len(list((folder / "output").iterdir())) == len(list((folder / "outhex").iterdir())) > 0

    def test_official_numbers(self) -> None:
        lines = (vectors("jcs") / "es6-numbers-10000.txt").read_text().split()
        for line in lines:
            bits, expected = line.split(",")
            assert jcs.number(struct.unpack(">d", bytes.fromhex(bits.zfill(16)))[0]) == expected
        assert len(lines) == 10_000

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_numbers_as_another_implementation(self, value: float) -> None:
        assert jcs.canonical(value) == rfc8785.dumps(value)

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(2**53) + 1, 2**53 - 1)
            | st.text(st.characters(exclude_categories=["Cs"])),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
            ),
            max_leaves=12,
        )
    )
    def test_idempotent_and_as_another_implementation(self, value: Any) -> None:
        """Property 5: canonicalise after parse is idempotent."""
        canonical = jcs.canonical(value)
        assert canonical == rfc8785.dumps(value)
        assert jcs.canonical(json.read(canonical)) == canonical

    def test_refused(self) -> None:
        deep: Any = 1
        for _ in range(limits.DEPTH + 2):
            deep = [deep]
        for value, expected in (
            (float("inf"), "json.not_finite"),
            (2**53, "json.integer_too_large"),
            ("\ud800", "json.surrogate"),
            ({1: 2}, "json.not_json"),
            (b"x", "json.not_json"),
            (deep, "json.too_deep"),
        ):
            for inside in (value, [value], {"a": [value]}):
                assert code(jcs.canonical, inside) == expected
        assert jcs.canonical(2**53 - 1) == b"9007199254740991"
        assert jcs.canonical([2**53 - 1, -(2**53) + 1]) == b"[9007199254740991,-9007199254740991]"
        assert code(jcs.canonical, [-(2**53)]) == "json.integer_too_large"
        assert jcs.canonical(deep[0][0]) == b"[" * limits.DEPTH + b"1" + b"]" * limits.DEPTH
        assert code(jcs.canonical, deep[0]) == "json.too_deep"
        empty: Any = {}
        for _ in range(limits.DEPTH):
            empty = [empty]
        assert jcs.canonical(empty) == b"[" * limits.DEPTH + b"{}" + b"]" * limits.DEPTH
        assert jcs.canonical({"\uffff": 1, "\U00010000": 2, "a": {}}) == '{"a":{},"\U00010000":2,"\uffff":1}'.encode()
        assert jcs.canonical((1, 2)) == b"[1,2]"
