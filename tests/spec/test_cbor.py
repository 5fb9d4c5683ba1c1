"""RFC 8949: CBOR, read strictly and written deterministically. One class a section."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import pytest

from cityid import limits
from cityid.encoding import cbor
from cityid.encoding.cbor import UNDEFINED, Simple, Tag
from cityid.errors import Malformed
from tests.vectors import load, vectors

ALL_TAGS = cbor.TAGS | {1, 23, 32}


def read(hexed: str, **more: Any) -> Any:
    return cbor.read(bytes.fromhex(hexed), **more)


def code(hexed: str, **more: Any) -> str:
    with pytest.raises(Malformed) as caught:
        read(hexed, **more)
    return caught.value.code


class TestAppendixA:
    """The examples of appendix A, as `cbor/test-vectors` has them."""

    LISTED: ClassVar[dict[str, str]] = {
        "f818": "simple(24) in two bytes: RFC 7049 had it, RFC 8949 §3.3 made it not well-formed",
    }
    DIAGNOSTIC: ClassVar[dict[str, Any]] = {
        "Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan, "undefined": UNDEFINED,
        "simple(16)": Simple(16), "simple(255)": Simple(255), "simple(24)": Simple(24),
        '0("2013-03-21T20:04:00Z")': Tag(0, "2013-03-21T20:04:00Z"), "1(1363896240)": Tag(1, 1363896240),
        "1(1363896240.5)": Tag(1, 1363896240.5), "23(h'01020304')": Tag(23, b"\1\2\3\4"),
        "24(h'6449455446')": Tag(24, bytes.fromhex("6449455446")),
        '32("http://www.example.com")': Tag(32, "http://www.example.com"), "h''": b"", "h'01020304'": b"\1\2\3\4",
        "{1: 2, 3: 4}": {1: 2, 3: 4}, "(_ h'0102', h'030405')": bytes.fromhex("0102030405"),
    }  # fmt: skip

    def cases(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = load(vectors("cbor") / "appendix_a.json")
        return found

    def test_every_example_is_read_and_the_preferred_ones_are_written(self) -> None:
        run = 0
        for case in self.cases():
            if case["hex"] in self.LISTED:
                continue
            wanted = case["decoded"] if "decoded" in case else self.DIAGNOSTIC[case["diagnostic"]]
            found = read(case["hex"], tags=ALL_TAGS)
            if isinstance(wanted, float) and math.isnan(wanted):
                assert math.isnan(found)
            else:
                assert found == wanted, case["hex"]
                # -0.0 == 0.0, and True == 1
                assert type(found) is type(wanted), case["hex"]
                assert repr(found) == repr(wanted), case["hex"]
            if case["roundtrip"]:
                assert cbor.write(found).hex() == case["hex"]
            run += 1
        listed = [case["hex"] for case in self.cases() if case["hex"] in self.LISTED]
        assert run + len(listed) == len(self.cases())

    def test_listed(self) -> None:
        assert code("f818") == "cbor.syntax"
        assert read("f820") == Simple(32)


class TestWellFormed:
    """§3"""

    @pytest.mark.parametrize("argument", [0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1])
    def test_heads(self, argument: int) -> None:
        for value in (argument, -1 - argument):
            assert cbor.read(cbor.write(value)) == value
        assert len(cbor.write(argument)) == (
            1 if argument < 24 else 2 if argument < 2**8 else 3 if argument < 2**16 else 5 if argument < 2**32 else 9
        )

    def test_long_forms_of_numbers_are_read(self) -> None:
        assert read("1800") == read("190000") == read("1a00000000") == read("1b0000000000000000") == 0
        assert read("b8010102") == {1: 2}

    @pytest.mark.parametrize("info", [28, 29, 30])
    @pytest.mark.parametrize("major", range(8))
    def test_reserved_additional_information(self, major: int, info: int) -> None:
        assert code(f"{major << 5 | info:02x}00") == "cbor.syntax"

    @pytest.mark.parametrize("hexed", ["1f", "3f", "df00", "dfff"])
    def test_what_has_no_indefinite_form(self, hexed: str) -> None:
        assert code(hexed, tags=frozenset({0})) == "cbor.syntax"

    @pytest.mark.parametrize("hexed", ["", "18", "19ff", "41", "62c3", "8201", "a101", "c0", "9f", "bf", "5f41", "f9ff",
                                       "bf01", "9f01", "5f4100", "fb00000000000000"])  # fmt: skip
    def test_truncated(self, hexed: str) -> None:
        assert code(hexed) == "cbor.truncated"

    def test_the_offset_is_told(self) -> None:
        with pytest.raises(Malformed) as caught:
            cbor.read(bytes.fromhex("8201ff"), where="here")
        assert caught.value.problem.facts == {"offset": 2}
        assert caught.value.problem.where == "here"


class TestIndefinite:
    """§3.2"""

    def test_containers(self) -> None:
        assert read("9f0102ff") == read("820102") == [1, 2]
        assert read("bf0102ff") == read("a10102") == {1: 2}
        assert read("9f9fffbfffff") == [[], {}]

    def test_strings(self) -> None:
        assert read("5f4101420203ff") == b"\1\2\3"
        assert read("7f61616162ff") == "ab"
        assert read("5fff") == b""
        assert read("7fff") == ""

    @pytest.mark.parametrize("hexed", [
        "ff",            # a break alone
        "82ff01", "8201ff",  # in a definite array
        "a1ff01", "a101ff",  # in a definite map, for a key or a value
        "bf01ff",        # an odd number of items
        "5f6161ff", "7f4161ff",  # chunks of the other type
        "5f5f4101ffff",  # chunks of indefinite length (§3.2.3)
        "5f00ff",
        "c2ff",          # a break as the content of a tag
    ])  # fmt: skip
    def test_misplaced(self, hexed: str) -> None:
        assert code(hexed) == "cbor.syntax"

    def test_a_character_may_not_be_cut(self) -> None:
        assert read("7f62c3a4ff") == "ä"
        assert code("7f61c361a4ff") == "cbor.not_utf8"


class TestFloatsAndSimple:
    """§3.3"""

    def test_floats(self) -> None:
        assert read("f93c00") == read("fa3f800000") == read("fb3ff0000000000000") == 1.0
        assert math.isnan(read("f97e01"))
        for value in (0.5, 65504.0, 65505.0, 1e-8, 3.4028234663852886e38, 1e300, -0.0, math.inf):
            assert repr(cbor.read(cbor.write(value))) == repr(value)
        assert cbor.write(math.nan).hex() == cbor.write(-math.nan).hex() == "f97e00"
        assert [len(cbor.write(value)) for value in (1.5, 65505.0, 1e300)] == [3, 5, 9]

    def test_simple(self) -> None:
        assert [read(one) for one in ("f4", "f5", "f6", "f7")] == [False, True, None, UNDEFINED]
        assert read("f3") == Simple(19)
        assert cbor.write([False, True, None, UNDEFINED, Simple(255)]).hex() == "85f4f5f6f7f8ff"
        for second in (0, 20, 31):
            assert code(f"f8{second:02x}") == "cbor.syntax"


class TestTags:
    """§3.4"""

    def test_only_those_asked_for(self) -> None:
        assert read("d81c00", tags=frozenset({28})) == Tag(28, 0)
        assert code("d81c00") == "cbor.tag"
        assert read("c0617a") == Tag(0, "z")
        assert code("c0617a", tags=frozenset()) == "cbor.tag"

    def test_big_integers(self) -> None:
        assert read("c249010000000000000000") == 2**64
        assert read("c349010000000000000000") == -1 - 2**64
        assert read("c240") == 0
        assert read("c25f41014100ff") == 256
        assert code("c26101") == "cbor.big_integer"
        assert code("c201") == "cbor.big_integer"
        assert cbor.read(b"\xc2\x58\x40" + bytes(64)) == 0
        assert code("c25841" + 65 * "00") == "cbor.integer_too_large"
        for value in (2**64, -1 - 2**64, 2**200):
            assert cbor.read(cbor.write(value)) == value
        assert cbor.write(2**64 - 1).hex() == "1bffffffffffffffff"
        assert cbor.write(-(2**64)).hex() == "3bffffffffffffffff"


class TestMaps:
    """§5.6"""

    def test_duplicates(self) -> None:
        assert read("a201020304") == {1: 2, 3: 4}
        assert code("a201020104") == "cbor.duplicate"
        assert code("a20102180104") == "cbor.duplicate"
        assert code("a2616101616102") == "cbor.duplicate"
        assert code("bf01020103ff") == "cbor.duplicate"
        assert read("a2416101616102") == {b"a": 1, "a": 2}

    @pytest.mark.parametrize("key", ["f5", "f6", "f93c00", "80", "a0", "c0617a", "f7"])
    def test_keys(self, key: str) -> None:
        assert code(f"a1{key}00") == "cbor.key"


class TestValidity:
    """§5.1, §5.3.1 and our own ceilings"""

    def test_trailing(self) -> None:
        assert code("0000") == "cbor.trailing"
        assert read("00") == 0

    def test_text(self) -> None:
        assert read("62c3a4") == "ä"
        for wrong in ("61ff", "62c0af", "63eda080", "62c328"):
            assert code(wrong) == "cbor.not_utf8"

    def test_depth(self) -> None:
        deep = limits.DEPTH
        assert cbor.read(b"\x81" * deep + b"\0") is not None
        assert code("81" * (deep + 1) + "00") == "cbor.too_deep"
        assert code("c0" * (deep + 1) + "00") == "cbor.too_deep"
        assert code("9f" * (deep + 1) + "ff" * (deep + 1)) == "cbor.too_deep"

    def test_values(self) -> None:
        many = limits.NODES - 1
        assert len(cbor.read(cbor.write([0] * many))) == many
        assert code(cbor.write([0] * (many + 1)).hex()) == "cbor.too_many_values"

    def test_size(self) -> None:
        assert read("420000", limit=3) == b"\0\0"
        assert code("420000", limit=2) == "cbor.too_large"


class TestDeterministic:
    """§4.2.1"""

    def test_order_of_keys(self) -> None:
        value = {"aa": 1, "b": 2, 10: 3, 100: 4, -1: 5, b"x": 6}
        assert list(cbor.read(cbor.write(value))) == [10, 100, -1, b"x", "b", "aa"]
        assert cbor.write(value) == cbor.write(dict(reversed(value.items())))

    def test_a_tuple_is_an_array(self) -> None:
        assert cbor.write((1, Tag(24, b""))) == bytes.fromhex("8201d81840")

    @pytest.mark.parametrize("value", [object(), {1, 2}, "\ud800", Tag(2**64, 0), 1j])
    def test_what_has_no_form(self, value: Any) -> None:
        with pytest.raises(Malformed) as caught:
            cbor.write([value])
        assert caught.value.code == "cbor.not_cbor"

    def test_a_value_inside_itself(self) -> None:
        loop: list[Any] = []
        loop.append(loop)
        with pytest.raises(Malformed) as caught:
            cbor.write(loop)
        assert caught.value.code == "cbor.not_cbor"


class TestMember:
    def test_of_the_type_asked_for(self) -> None:
        assert cbor.member({1: b"x"}, 1, bytes, "$") == b"x"
        for value in (True, 1.0, "1", None, Simple(1)):
            with pytest.raises(Malformed) as caught:
                cbor.member({1: value}, 1, int, "$")
            assert caught.value.code == "cbor.wrong_type"
            assert caught.value.problem.where == "$.1"
        with pytest.raises(Malformed) as caught:
            cbor.member({}, "bits", int, "$")
        assert caught.value.code == "cbor.missing"


def test_half_floats() -> None:
    """Appendix D: every half-precision number, by the formula."""
    found: list[float] = []
    for first in range(0, 1 << 16, 4096):
        numbers = [b"\xf9" + number.to_bytes(2, "big") for number in range(first, first + 4096)]
        found += cbor.read(b"\x99\x10\x00" + b"".join(numbers))
    for number in range(1 << 16):
        exponent, mantissa = number >> 10 & 31, number & 1023
        if exponent == 31:
            wanted = math.nan if mantissa else math.inf
        else:
            wanted = math.ldexp(mantissa, -24) if exponent == 0 else math.ldexp(mantissa + 1024, exponent - 25)
        assert repr(found[number]) == repr(-wanted if number >> 15 and not math.isnan(wanted) else wanted)
