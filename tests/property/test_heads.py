"""What is remembered of how payloads begin changes nothing: whatever a card says, and however it is bent, it is read,
or refused with the same words, as if no card had been read before."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cityid import limits
from cityid.encoding import base64url
from cityid.errors import Malformed
from cityid.formats import FORMATS
from cityid.formats.vc_jose import heads
from tests import w3c

pytestmark = pytest.mark.property
FORM = FORMATS["vc+jwt"]
CARD = w3c.issued("vc+jwt").raw
HEADER, SEGMENT, SIGNATURE = CARD.split(b".")
PAYLOAD = base64url.decode(SEGMENT)
END = PAYLOAD.index(b',"type":')
PIECES = (
    b",", b"}", b"{", b"[", b"]", b'"', b":", b" ", b"\\", b"\\u0040", b"\xff", b"\xc3\xbc", b"1.5", b"NaN", b"1e999",
    b'"@context":[],', b'"\\u0040context":[],', b'"issuer":"https://x.example",', b'"x":{"@context":[]},',
    b'"id":"urn:x:1",', b'"type":["VerifiableCredential"],', b"9007199254740993", b"[" * 70 + b"]" * 70, b"",
)  # fmt: skip


def known() -> heads.Head:
    """Nothing is remembered but the good card's head."""
    heads._known.clear()
    heads.learn(PAYLOAD)
    return heads._known[PAYLOAD[: heads._KEY]]


def judged(raw: bytes) -> Any:
    try:
        found = FORM.read(raw)
    except Malformed as error:
        return error.problem
    return found.claims, list(found.claims), found.types, found.issuer, found.window, found.status, found.signed_by


def same(raw: bytes) -> Any:
    heads._known.clear()
    expected = judged(raw)
    known()
    assert judged(raw) == expected
    return expected


def token(payload: bytes) -> bytes:
    return b".".join((HEADER, base64url.encode(payload).encode(), SIGNATURE))


@settings(max_examples=150)
@given(st.integers(0, len(PAYLOAD)), st.integers(0, 3), st.sampled_from(PIECES))
@example(END, 0, b",")
@example(END, 1, b"")
@example(END + 1, 0, b'"@context":[],')
@example(END + 1, 0, b'"\\u0040context":[],')
@example(len(PAYLOAD) - 1, 0, b",")
@example(END, len(PAYLOAD) - END - 1, b"")
@example(END, len(PAYLOAD) - END - 1, b",")
def test_bent_payloads(place: int, removed: int, piece: bytes) -> None:
    same(token(PAYLOAD[:place] + piece + PAYLOAD[place + removed :]))


@settings(max_examples=100)
@given(st.integers(0, len(SEGMENT)), st.integers(0, 2), st.sampled_from([b"", b"A", b"=", b"+", b"\xff", b"_-", b"."]))
def test_bent_segments(place: int, removed: int, piece: bytes) -> None:
    same(b".".join((HEADER, SEGMENT[:place] + piece + SEGMENT[place + removed :], SIGNATURE)))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8,
)  # fmt: skip


names = st.sampled_from(["id", "issuer", "credentialSubject", "validUntil", "cnf", "name", "x"])


@settings(max_examples=60)
@given(st.dictionaries(names, values), st.booleans())
def test_other_members(changed: dict[str, Any], ascii_only: bool) -> None:
    same(token(json.dumps({**json.loads(PAYLOAD), **changed}, ensure_ascii=ascii_only, separators=(",", ":")).encode()))


def test_the_good_card_is_read_by_its_head() -> None:
    head = known()
    assert heads.read(PAYLOAD) == (json.loads(PAYLOAD), head)
    assert heads.decode(SEGMENT, "vc") == PAYLOAD
    assert head.text == PAYLOAD[:END]
    assert isinstance(same(CARD), tuple)


def inside(value: Any) -> list[Any]:
    """Every object and array in it, itself first."""
    if type(value) is dict:
        return [value, *(found for item in value.values() for found in inside(item))]
    return [value, *(found for item in value for found in inside(item))] if type(value) is list else []


@given(st.lists(values, max_size=3) | st.dictionaries(texts, values, max_size=3))
def test_contexts_are_copied_whole(value: Any) -> None:
    made = heads._copy(heads._prepare(value))
    assert repr(made) == repr(value)
    assert {id(one) for one in inside(made)}.isdisjoint({id(one) for one in inside(value)})


def test_what_was_read_can_be_changed() -> None:
    known()
    first = FORM.read(CARD)
    first.claims["@context"][1].clear()
    first.claims["@context"].append("https://x.example")
    assert FORM.read(CARD).claims["@context"] == json.loads(PAYLOAD)["@context"]


@pytest.mark.parametrize("payload", [
    PAYLOAD[:END] + b"}", PAYLOAD[:END] + b',"@context":[]' + PAYLOAD[END:], PAYLOAD[:END] + b"  " + PAYLOAD[END:],
    PAYLOAD[:-1] + b',"\\u0040context":1}', PAYLOAD + b" " * limits.NODES, PAYLOAD[:-1], b" " + PAYLOAD,
])  # fmt: skip
def test_what_is_read_as_a_whole(payload: bytes) -> None:
    known()
    assert heads.read(payload) is None
    assert heads.read(PAYLOAD) is not None


@pytest.mark.parametrize("payload", [
    b" " + PAYLOAD, PAYLOAD.replace(b',"type":', b',"tpe":'), PAYLOAD.replace(b"@protected", b"\\u0040protected"),
    PAYLOAD[:END] + b',"a":1' + PAYLOAD[END:], PAYLOAD[: END - 1] + b"}" + PAYLOAD[END:],
    PAYLOAD.replace(b"ns/credentials/v2", b"ns/credentials/v3"), b'{"@context":[],"type":[]}',
])  # fmt: skip
def test_what_is_not_learned(payload: bytes) -> None:
    heads._known.clear()
    heads.learn(payload)
    assert not heads._known
    heads.learn(PAYLOAD)
    assert heads._known


def test_a_document_may_go_on_with_its_id() -> None:
    payload = PAYLOAD[:END] + b',"id":"urn:x:1"' + PAYLOAD[END:]
    heads._known.clear()
    heads.learn(payload)
    assert heads._known[payload[: heads._KEY]] == known()


def test_no_more_than_some_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "_MEMO", 1)
    known()
    other = PAYLOAD.replace(b"ResidencyCredential", b"PermissionCredential")
    heads.learn(other)
    assert set(heads._known) == {other[: heads._KEY], base64url.encode(other[: heads._KEY]).encode()}
