"""Group M, as far as it is about CBOR and COSE alone (M01, M03 to M08); mdoc comes later."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from cityid import limits
from cityid.cose import sign1
from cityid.edge.software_keys import MemoryKeyring
from cityid.encoding import cbor
from cityid.encoding.cbor import Tag
from cityid.errors import CityIdError
from cityid.keys import Algorithm, Signer
from cityid.status.token_status_list import read as read_list
from tests.jobs.offices import Office
from tests.lists import token

RING = MemoryKeyring()
SIGNER = RING.signer(RING.create(Algorithm.ES256))
OFFICE = Office()


def code(call: Callable[..., object], *args: Any, **named: Any) -> str:
    with pytest.raises(CityIdError) as caught:
        call(*args, **named)
    return caught.value.code


def signed(header: bytes, unprotected: Any = None, payload: bytes | None = b"x", signer: Signer = SIGNER) -> list[Any]:
    """The four parts, signed over `header` as it is written."""
    message = cbor.write(["Signature1", b"" if header == b"\xa0" else header, b"", payload or b""])
    return [header, unprotected or {}, payload, signer.sign(message)]


def judge(data: bytes) -> Any:
    found = sign1.read(data)
    sign1.check(found, SIGNER.public_key)
    return found.payload


GOOD = signed(b"\xa1\x01\x26")


def test_m01_nesting() -> None:
    for data in (b"\x81" * 100_000 + b"\0", b"\xc0" * 100_000 + b"\0", b"\x9f" * 100_000, b"\xbf\x00" * 100_000,
                 (b"\xa1\x00") * 100_000 + b"\0"):  # fmt: skip
        assert code(cbor.read, data) == "cbor.too_deep"
    for shallow in (b"\x81" * limits.DEPTH + b"\0", b"\x9f" * limits.DEPTH + b"\0" + b"\xff" * limits.DEPTH):
        assert cbor.read(shallow)


def test_m03_one_item_and_nothing_else() -> None:
    one = cbor.write(Tag(18, GOOD))
    assert judge(one) == b"x"
    for data, expected in ((one + b"\0", "cbor.trailing"), (one + one, "cbor.trailing"), (b"", "cbor.truncated")):
        assert code(judge, data) == expected
    header = b"\xa1\x01\x26\x00"
    assert code(judge, cbor.write(signed(header))) == "cbor.trailing"
    inside = token(OFFICE, form="cwt")
    assert read_list(inside, "cwt").form == "cwt"
    assert code(read_list, inside + b"\0", "cwt") == "cbor.trailing"


def test_m04_lengths_that_are_not_there() -> None:
    tracemalloc.start()
    try:
        for major in (2, 3, 4, 5):
            for length in (2**63 - 1, 2**64 - 1, 1 << 30):
                assert code(cbor.read, cbor.head(major, length) + b"\0") == "cbor.truncated"
        assert code(cbor.read, b"\xc2" + cbor.write(bytes(1 << 19))) == "cbor.integer_too_large"
        assert code(cbor.read, b"\xc3" + cbor.write(b"\xff" * 65)) == "cbor.integer_too_large"
        for number in (4, 5):
            assert code(cbor.read, cbor.write(Tag(number, [10**9, 1]))) == "cbor.tag"
        assert code(cbor.read, cbor.write([0] * limits.NODES)) == "cbor.too_many_values"
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert cbor.read(b"\xc2" + cbor.write(b"\xff" * 64)) == 2**512 - 1
    assert cbor.read(cbor.head(4, 1) + b"\0") == [0]


@pytest.mark.parametrize("number", [4, 5, 25, 28, 29, 35, 36, 256, 258, 260, 55799])
def test_m05_tags_that_make_objects(number: int) -> None:
    for data in (
        cbor.write(Tag(number, [b"x"])),
        cbor.write([Tag(number, 0), Tag(29, 0)]),
        bytes.fromhex("d81c81d81d00"),
    ):
        assert code(cbor.read, data) == "cbor.tag"
        assert code(sign1.read, data) == "cbor.tag"
    for allowed in (0, 18, 24, 1004):
        assert cbor.read(cbor.write(Tag(allowed, "x"))) == Tag(allowed, "x")


def test_m06_verified_over_the_bytes_as_received() -> None:
    """Long forms, indefinite lengths and NaN payloads: signed as they were written, and never written anew."""
    for header in (
        b"\xa1\x18\x01\x38\x06",          # {1: -7} with a long key and a long value
        b"\xbf\x01\x26\xff",              # of indefinite length
        b"\xa2\x01\x26\x64note\x7f\x61a\x61b\xff",
        b"\xa2\x01\x26\x64note" + b"\xfb" + struct.pack(">Q", 0x7FF8000000000001),
        b"\xa2\x64note\x00\x01\x26",      # not in the order of §4.2.1
    ):  # fmt: skip
        assert judge(cbor.write(Tag(18, signed(header)))) == b"x"
        # the same header in its shortest form was signed by nobody
        shortest = cbor.write(cbor.read(header))
        assert shortest != header
        moved = [shortest, *signed(header)[1:]]
        assert code(judge, cbor.write(Tag(18, moved))) == "signature.invalid"


def test_m07_where_the_algorithm_stands() -> None:
    assert judge(cbor.write(GOOD)) == b"x"
    assert code(judge, cbor.write(signed(b"", {1: -7}))) == "cose.alg_missing"
    assert code(judge, cbor.write(signed(b"\xa0", {1: -7}))) == "cose.alg_missing"
    assert code(judge, cbor.write(signed(b"\xa1\x01\x26", {1: -7}))) == "cose.header_twice"
    assert code(judge, cbor.write(signed(b"\xa1\x01\x26", {1: -8}))) == "cose.header_twice"
    assert code(judge, cbor.write(signed(cbor.write({1: -7, 2: [99], 99: 0})))) == "cose.crit"
    assert code(judge, cbor.write(signed(cbor.write({1: -7}), {2: [4], 4: b""}))) == "cose.crit_unprotected"
    assert judge(cbor.write(signed(cbor.write({1: -7, 2: [4], 4: b""})))) == b"x"
    for alg in (-8, -35, 5, -37, 0):
        assert code(judge, cbor.write(signed(cbor.write({1: alg})))) == "cose.alg"


def test_m08_other_structures() -> None:
    assert judge(cbor.write(Tag(18, GOOD))) == judge(cbor.write(GOOD)) == b"x"
    nothing = [GOOD[0], GOOD[1], None, GOOD[3]]
    assert code(judge, cbor.write(Tag(18, nothing))) == "cose.detached"
    found = sign1.read(cbor.write(nothing))
    sign1.check(found, SIGNER.public_key, detached=b"x")
    assert code(sign1.check, found, SIGNER.public_key, detached=b"y") == "signature.invalid"
    several = [GOOD[0], {}, b"x", [[GOOD[0], {}, GOOD[3]], [GOOD[0], {}, GOOD[3]]]]
    assert code(judge, cbor.write(Tag(98, several))) == "cose.not_sign1"
    assert code(judge, cbor.write(several)) == "cose.structure"
    for tag in (16, 17, 96, 97):
        assert code(judge, cbor.write(Tag(tag, GOOD))) == "cose.not_sign1"
    # a status list is tagged, with nothing around it
    inside = token(OFFICE, form="cwt")
    assert read_list(inside, "cwt").form == "cwt"
    assert code(read_list, inside[1:], "cwt") == "cose.tag"
    assert code(read_list, cbor.write(Tag(61, cbor.read(inside))), "cwt") == "cose.not_sign1"
    assert code(read_list, cbor.write(Tag(17, cbor.read(inside).value)), "cwt") == "cose.not_sign1"
