"""RFC 8259 (JSON), RFC 7493 (I-JSON): what is read, what is refused, and with which code."""

from __future__ import annotations

import json as stdlib
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from cityid import limits
from cityid.encoding import json
from cityid.errors import Malformed


def code(data: bytes | str, **more: Any) -> str:
    with pytest.raises(Malformed) as refused:
        json.read(data, **more)
    return refused.value.code


class TestGrammar:
    """RFC 8259 §2-7."""

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            (b'{"a":[1,2.5,"x",true,false,null,{}]}', {"a": [1, 2.5, "x", True, False, None, {}]}),
            (b" \t\r\n[ ]\n ", []),
            (b'"caf\xc3\xa9 \\u00e9 \\ud83d\\ude00"', "café é 😀"),
            (b"-0", 0),
            (b"1e2", 100.0),
        ],
    )
    def test_values(self, text: bytes, value: Any) -> None:
        assert json.read(text) == value
        assert json.read(text.decode()) == value

    @pytest.mark.parametrize(
        "text", [b"", b"  ", b"tru", b"[1,]", b"{'a':1}", b"[01]", b'{"a"}', b"[-]", b'"a\x01"', b"'", b' {"a" 1}']
    )
    def test_syntax(self, text: bytes) -> None:
        assert code(text) == "json.syntax"

    @pytest.mark.parametrize("text", [b"1 2", b"{}x", b" [] []"])
    def test_trailing(self, text: bytes) -> None:
        assert code(text) == "json.trailing"

    def test_the_place_is_told(self) -> None:
        with pytest.raises(Malformed) as refused:
            json.read(b"[", where="$.payload")
        assert refused.value.problem.where == "$.payload"


class TestEncoding:
    """RFC 8259 §8.1: UTF-8, no byte order mark; RFC 7493 §2.1: no lone surrogates."""

    @pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-32"])
    def test_other_encodings(self, codec: str) -> None:
        assert code('{"alg":"ES256"}'.encode(codec)) in {"json.not_utf8", "json.syntax"}

    def test_byte_order_mark(self) -> None:
        assert code(b"\xef\xbb\xbf{}") == "json.syntax"
        assert json.read(b"{}") == {}

    def test_overlong_utf8(self) -> None:
        assert code(b'"\xc0\x80"') == "json.not_utf8"

    @pytest.mark.parametrize("text", [r'"\ud800"', r'{"\udc00":1}', r'["\ud800\ud800"]', r'{"a":{"b":["\uDFFF"]}}'])
    def test_lone_surrogates(self, text: str) -> None:
        assert code(text) == "json.surrogate"
        assert code(text.encode()) == "json.surrogate"

    def test_surrogates_in_text(self) -> None:
        assert code('"\ud800"') == "json.surrogate"

    def test_escaped_backslash_is_no_escape(self) -> None:
        assert json.read(rb'"\\ud800"') == "\\ud800"


class TestObjects:
    """RFC 7493 §2.3: no member twice."""

    @pytest.mark.parametrize(
        "text",
        [b'{"a":1,"a":1}', b'{"x":{"a":1,"\\u0061":2}}', b'[{"a":[{"b":0,"c":0,"b":0}]}]', b' {"a":1,"a":1} '],
    )
    def test_duplicates(self, text: bytes) -> None:
        assert code(text) == "json.duplicate"

    def test_same_name_in_other_objects(self) -> None:
        assert json.read(b'[{"a":1},{"a":{"a":2}}]') == [{"a": 1}, {"a": {"a": 2}}]

    def test_names_are_not_normalised(self) -> None:
        assert json.read('{"é":1,"e\u0301":2}') == {"é": 1, "e\u0301": 2}


class TestNumbers:
    """RFC 7493 §2.2."""

    @pytest.mark.parametrize("text", [b"NaN", b"[Infinity]", b'{"a":-Infinity}', b"1e400", b"-1e999", b" NaN"])
    def test_not_finite(self, text: bytes) -> None:
        assert code(text) == "json.not_finite"

    def test_integers(self) -> None:
        assert json.read(b"9007199254740991") == 2**53 - 1
        assert json.read(b"-9007199254740991") == -(2**53 - 1)
        assert code(b"9007199254740992") == "json.integer_too_large"
        assert code(b"-9007199254740992") == "json.integer_too_large"
        assert code(b"1" * 5_000) == "json.integer_too_large"
        assert code(b"[" + b"1" * 1_000_000 + b"]") == "json.integer_too_large"

    def test_long_floats(self) -> None:
        assert code(b"0." + b"1" * 1_000_000) == "json.number_too_long"
        assert json.read(b"0." + b"1" * (limits.NUMBER_CHARS - 2)) == pytest.approx(1 / 9)
        assert code(b"0." + b"1" * (limits.NUMBER_CHARS - 1)) == "json.number_too_long"


class TestCeilings:
    def test_depth(self) -> None:
        assert json.read(b"[" * 64 + b"]" * 64)
        assert code(b"[" * 66 + b"]" * 66) == "json.too_deep"
        assert code(b"[" * 100_000 + b"]" * 100_000) == "json.too_deep"
        assert code(b'{"a":' * 100_000 + b"1" + b"}" * 100_000) == "json.too_deep"
        assert code(b" " + b"[" * 100_000 + b"]" * 100_000) == "json.too_deep"
        assert code(b"[" * 66 + b"]" * 66 + b" ") == "json.too_deep"

    def test_size(self) -> None:
        assert json.read(b'"' + b"a" * (limits.DOCUMENT - 2) + b'"')
        assert code(b'"' + b"a" * (limits.DOCUMENT - 1) + b'"') == "json.too_large"
        assert code(b"[1]", limit=2) == "json.too_large"
        assert json.read(b"[1]", limit=3) == [1]

    def test_values(self) -> None:
        assert len(json.read(b"[" + b"1," * (limits.NODES - 2) + b"1]")) == limits.NODES - 1
        assert code(b"[" + b"1," * (limits.NODES - 1) + b"1]") == "json.too_many_values"
        assert len(json.read(b"[" + b"1," * (limits.NODES + 1) + b"1]", nodes=False)) > limits.NODES


class TestScanner:
    """`scan_once` of the standard decoder is undocumented: this pins what we rely on."""

    def test_it_stops_at_the_end_of_the_value(self) -> None:
        assert json._SCAN('{"a":1} rest', 0) == ({"a": 1}, 7)

    def test_it_raises_stop_iteration_where_no_value_begins(self) -> None:
        with pytest.raises(StopIteration):
            json._SCAN("x", 0)

    def test_it_is_the_fast_one(self) -> None:
        assert type(json._SCAN).__module__ in {"_json", "builtins"}

    @pytest.mark.parametrize(
        "value", [{}, [], 'é\n"\\', 0, -0.5, None, True, {"a": [{"b": "ü"}, 1e300]}, {"x": {"y": [[]]}}]
    )
    def test_the_encoder_that_is_made_once(self, value: Any) -> None:
        assert json.write(value) == json._ENCODER.encode(value).encode()


class TestObjectsOnly:
    def test_read_object(self) -> None:
        assert json.read_object(b'{"a":1}') == {"a": 1}
        for text, found in (
            (b"[]", "array"),
            (b"1", "number"),
            (b"null", "null"),
            (b'"x"', "string"),
            (b"true", "boolean"),
        ):
            with pytest.raises(Malformed) as refused:
                json.read_object(text)
            assert refused.value.code == "json.not_an_object"
            assert refused.value.problem.facts["found"] == found


class TestWriting:
    def test_round_trip(self) -> None:
        value = {"name": "Zoë 王 שלום", "n": [1, 2.5, None, True]}
        assert json.read(json.write(value)) == value
        assert json.write(value) == stdlib.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    @pytest.mark.parametrize(
        ("value", "expected"),
        [(float("nan"), "json.not_finite"), ("\ud800", "json.surrogate"), ({1, 2}, "json.not_json")],
    )
    def test_what_json_has_no_form_for(self, value: Any, expected: str) -> None:
        with pytest.raises(Malformed) as refused:
            json.write(value)
        assert refused.value.code == expected


class TestFields:
    document: ClassVar[dict[str, Any]] = {
        "text": "x",
        "integer": 1,
        "number": 1.5,
        "boolean": False,
        "object": {"a": 1},
        "array": [1],
        "texts": ["a", "b"],
    }

    def test_what_is_asked_for_is_given(self) -> None:
        fields = json.Fields(self.document)
        assert fields.text("text") == fields.optional_text("text") == "x"
        assert fields.integer("integer") == fields.optional_integer("integer") == 1
        assert fields.number("number") == 1.5
        assert fields.number("integer") == 1
        assert fields.boolean("boolean") is fields.optional_boolean("boolean") is False
        assert fields.object("object") == fields.optional_object("object") == {"a": 1}
        assert fields.array("array") == fields.optional_array("array") == [1]
        assert fields.texts("texts") == fields.optional_texts("texts") == ["a", "b"]
        assert fields.fields("object").where == "$.object"
        assert "text" in fields
        assert "other" not in fields

    def test_what_is_absent(self) -> None:
        fields = json.Fields({})
        for ask in (fields.optional_text, fields.optional_integer, fields.optional_boolean, fields.optional_object):
            assert ask("x") is None
        assert fields.optional_array("x") is None
        assert fields.optional_texts("x") is None
        for must in (
            fields.text,
            fields.integer,
            fields.number,
            fields.boolean,
            fields.object,
            fields.array,
            fields.texts,
        ):
            with pytest.raises(Malformed) as refused:
                must("x")
            assert (refused.value.code, refused.value.problem.where) == ("json.missing", "$.x")

    @pytest.mark.parametrize(
        ("ask", "value"),
        [
            ("text", 1),
            ("text", None),
            ("integer", 1.0),
            ("integer", True),
            ("integer", "1"),
            ("number", True),
            ("number", "1"),
            ("boolean", 1),
            ("boolean", "true"),
            ("object", []),
            ("array", {}),
            ("texts", "ab"),
            ("texts", ["a", 1]),
        ],
    )
    def test_other_types(self, ask: str, value: Any) -> None:
        with pytest.raises(Malformed) as refused:
            getattr(json.Fields({"x": value}), ask)("x")
        assert refused.value.code == "json.wrong_type"

    def test_not_an_object(self) -> None:
        with pytest.raises(Malformed) as refused:
            json.Fields([], "$.a")
        assert (refused.value.code, refused.value.problem.where) == ("json.not_an_object", "$.a")

    def test_only(self) -> None:
        json.Fields({"a": 1}).only(("a", "b"))
        with pytest.raises(Malformed) as refused:
            json.Fields({"a": 1, "c": 1}).only(("a", "b"))
        assert (refused.value.code, refused.value.problem.where) == ("json.unknown_member", "$.c")


class TestScan:
    """The short way for small texts says what the long way says."""

    @pytest.mark.parametrize(
        "text", [b'["s","n",1]', b' ["s"] ', b'"a\\u00e9"', b'"\\ud800"', b'{"a":1,"a":2}', b"[1]x", b"\xff", b"[", b""]
    )
    def test_the_same_as_read(self, text: bytes) -> None:
        def outcome(of: Callable[[], Any]) -> Any:
            try:
                return of()
            except Malformed as error:
                return error.problem

        long = outcome(lambda: json.read(text, where="here", nodes=False))
        assert outcome(lambda: json.scan(text, "here")) == long

    def test_too_deep(self) -> None:
        with pytest.raises(Malformed) as refusal:
            json.scan(b"[" * 100_000)
        assert refusal.value.code == "json.too_deep"


class TestPlain:
    """What `jcs.plain` may write is told of a text, and all else of it is as `read` says."""

    @pytest.mark.parametrize(("text", "plain"), [
        (b'{"b":[1,-2,true,null],"a":"1.5e3 ja"}', True), ('{"ä":1}'.encode(), True), (b"[1.0]", False),
        (b"[1e3]", False), (b" [1]", False), (b'["\\\\"]', False), ('["😀"]'.encode(), False),
        (b"[" * 32 + b"{}," * 32 + b"{}" + b"]" * 32, False), (b"[" * 32 + b"]" * 32, True),
    ])  # fmt: skip
    def test_plain(self, text: bytes, plain: bool) -> None:
        assert json.read_plain(text) == (json.read(text), plain)

    def test_long(self) -> None:
        long = b'["%b"]' % (b"x" * limits.NODES)
        assert json.read_plain(long) == (json.read(long), False)

    @pytest.mark.parametrize("text", [b'{"a":1,"a":2}', b"[NaN]", b"\xff", b"[", b"[1]x", b"", b"[" * 100_000])
    def test_wrong(self, text: bytes) -> None:
        with pytest.raises(Malformed) as refused:
            json.read_plain(text, "here")
        with pytest.raises(Malformed) as expected:
            json.read(text, where="here")
        assert refused.value.problem == expected.value.problem
