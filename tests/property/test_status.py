"""Status lists and CBOR: what is set is read and nothing else; what is read is whole; only our errors come out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityid import limits
from cityid.cose import sign1
from cityid.encoding import cbor
from cityid.encoding.cbor import Simple, Tag
from cityid.errors import Malformed, Refused
from cityid.status import token_status_list as lists
from tests.jobs.offices import Office
from tests.lists import URI, Host, code, forged, judge, ref, token

pytestmark = pytest.mark.property
OFFICE = Office()
GOOD = {form: token(OFFICE, form=form) for form in ("jwt", "cwt")}

KEYS = st.integers(-(2**64), 2**64 - 1) | st.text(max_size=4) | st.binary(max_size=4)
LEAVES = (
    st.integers(-(2**500), 2**500) | st.text(max_size=8) | st.binary(max_size=8) | st.booleans() | st.none()
    | st.floats(allow_nan=False) | st.sampled_from([Simple(0), Simple(23), Simple(255)])
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)
    | st.builds(Tag, st.sampled_from([0, 18, 24, 1004]), inner),
    max_leaves=20,
)  # fmt: skip
BITS = st.sampled_from([1, 2, 4, 8])


@st.composite
def filled(draw: st.DrawFn) -> tuple[int, int, dict[int, int]]:
    """Width, size and the entries that are set."""
    bits, size = draw(BITS), draw(st.integers(1, 3000))
    values = draw(st.dictionaries(st.integers(0, size - 1), st.integers(0, (1 << bits) - 1), max_size=60))
    return bits, size, values


@given(filled(), st.booleans())
def test_what_is_set_is_read(case: tuple[int, int, dict[int, int]], smallest: bool) -> None:
    """Property 6."""
    bits, size, values = case
    found = lists.build(values, bits=bits, size=size, smallest=smallest).unpack()
    assert size <= len(found) < size + 8
    assert [found[index] for index in range(len(found))] == [values.get(index, 0) for index in range(len(found))]
    by_hand = sum(value << (index * bits) for index, value in values.items())
    assert int.from_bytes(found.data, "little") == by_hand


@given(filled(), st.integers(0, 5000), st.sampled_from(["jwt", "cwt"]))
def test_a_verdict_is_the_entry_s(case: tuple[int, int, dict[int, int]], index: int, form: lists.Form) -> None:
    bits, size, values = case
    made = token(OFFICE, values, bits=bits, size=size, form=form)
    found = code(judge(Host({URI: made}), OFFICE, ref(index)))
    if index >= (size * bits + 7) // 8 * 8 // bits:
        assert found == "status.index"
    else:
        value = values.get(index, 0)
        wanted = {0: "passed", 1: "status.invalid", 2: "status.suspended"}
        assert found == wanted.get(
            value, "status.application" if value in (3, 12, 13, 14, 15) else "status.reserved"
        )  # fmt: skip


@given(st.sampled_from(["jwt", "cwt"]), st.data())
def test_any_changed_byte_is_refused(form: lists.Form, data: st.DataObject) -> None:
    good = GOOD[form]
    at = data.draw(st.integers(0, len(good) - 1))
    wrong = bytearray(good)
    wrong[at] ^= data.draw(st.integers(1, 255))
    with suppress(Malformed, Refused):
        found = lists.read(bytes(wrong), form)
        found.check(OFFICE.issuer.signer.public_key)
        # What nobody signed may still differ: how the outermost items are written.
        assert form == "cwt"
        assert found.signed[:5] == lists.read(good, form).signed[:5]


@given(
    st.binary(max_size=200) | st.builds(lambda a, b: a[:b], st.sampled_from(list(GOOD.values())), st.integers(0, 400))
)
def test_only_malformed_comes_out(data: bytes) -> None:
    for form in ("jwt", "cwt"):
        with suppress(Malformed):
            lists.read(data, form)
    for read in (cbor.read, sign1.read, lists.read_aggregation):
        with suppress(Malformed):
            read(data)


@given(st.binary(max_size=300), BITS)
def test_unpacking_is_bounded(data: bytes, bits: int) -> None:
    with suppress(Malformed):
        assert len(lists.Packed(bits, data).unpack().data) <= limits.STATUS_LIST


@given(
    st.dictionaries(st.sampled_from(["sub", "iat", "exp", "ttl", "status_list", "status", "iss"]), VALUES | st.none())
)
def test_strange_claims_are_malformed_or_read(claims: dict[str, Any]) -> None:
    made = forged(GOOD["cwt"], OFFICE.issuer.signer, "cwt", **claims)
    with suppress(Malformed):
        lists.read(made, "cwt")


@given(VALUES)
def test_cbor_written_is_read(value: Any) -> None:
    data = cbor.write(value)
    assert cbor.read(data) == value
    assert cbor.write(cbor.read(data)) == data


@given(VALUES)
def test_cbor_as_another_library_reads_it(value: Any) -> None:
    """Differential (E19): the same value for both."""
    if not _dates(value):
        assert _theirs(cbor2.loads(cbor.write(value))) == _plain(value)


@given(st.binary(max_size=60))
def test_cbor_is_never_more_lenient_than_another_library(data: bytes) -> None:
    """Differential (E19): what is read here is read there, alike."""
    with suppress(Malformed):
        found = cbor.read(data)
        if not _dates(found):
            assert repr(_theirs(cbor2.loads(data))) == repr(_plain(found))


def _plain(item: Any) -> Any:
    if isinstance(item, Tag):
        return ("tag", item.number, _plain(item.value))
    if isinstance(item, Simple):
        return "undefined" if item.number == 23 else ("simple", item.number)
    if isinstance(item, dict):
        return {key: _plain(inner) for key, inner in item.items()}
    return [_plain(inner) for inner in item] if isinstance(item, list) else item


def _theirs(item: Any) -> Any:
    if isinstance(item, cbor2.CBORTag):
        return ("tag", item.tag, _theirs(item.value))
    if isinstance(item, cbor2.CBORSimpleValue):
        return ("simple", item.value)
    if item is cbor2.undefined:
        return "undefined"
    if isinstance(item, Mapping):
        return {key: _theirs(inner) for key, inner in item.items()}
    return [_theirs(inner) for inner in item] if isinstance(item, list | tuple) else item


def _dates(item: Any) -> bool:
    """Is there a tag inside of which the other library makes an object?"""
    if isinstance(item, Tag):
        return item.number in (0, 1004) or _dates(item.value)
    inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return any(map(_dates, inner))
