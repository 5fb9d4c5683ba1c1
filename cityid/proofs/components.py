"""The proof values of suites that can hide: a multibase text of three bytes that say what follows, and a CBOR array.

There is one way to write each: no tags, definite lengths, shortest forms, and no part too many.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cityid import limits
from cityid.encoding import base64url, cbor
from cityid.errors import Malformed
from cityid.proofs.members import Proof

_HEAD: Final = 3
_BASE64URL: Final = "u"
_SPEC: Final = "DI ECDSA 1.0 §3.5"


def write(head: bytes, components: Sequence[Any]) -> str:
    """A proof value."""
    return _BASE64URL + base64url.encode(head + _write(list(components)))


def read(proof: Proof) -> tuple[bytes, bytes]:
    """The first three bytes of a proof value, and the others.

    Raises:
        Malformed: `sd.encoding`; `base64url.*`.
    """
    place = f"{proof.where}.proofValue"
    if proof.value[:1] != _BASE64URL or len(proof.value) > limits.DOCUMENT:
        raise Malformed("sd.encoding", where=place, spec=_SPEC, limit=limits.DOCUMENT)
    data = base64url.decode(proof.value[1:], place)
    return data[:_HEAD], data[_HEAD:]


def parts(data: bytes, count: int, where: str) -> list[Any]:
    """The components of a proof value, of which there are `count`.

    Raises:
        Malformed: `sd.not_canonical`; `sd.components`; `cbor.*`.
    """
    found = cbor.read(data, where=where, tags=frozenset())
    if type(found) is not list or len(found) != count:
        raise Malformed(
            "sd.components", where=where, spec=_SPEC, expected=count, found=len(found) if type(found) is list else 0
        )
    if _write(found) != data:
        raise Malformed("sd.not_canonical", where=where, spec="RFC 8949 §4.2.1")
    return found


def octets(value: Any, name: str, length: int | None, where: str) -> bytes:
    """Raises Malformed `sd.component`."""
    if type(value) is not bytes or length not in (None, len(value)):
        raise _wrong(name, where)
    return value


def text(value: Any, name: str, where: str) -> str:
    """Raises Malformed `sd.component`."""
    if type(value) is not str:
        raise _wrong(name, where)
    return value


def listed(value: Any, name: str, kind: type, where: str) -> list[Any]:
    """Raises Malformed `sd.component`."""
    if type(value) is not list or not all(type(item) is kind for item in value):
        raise _wrong(name, where)
    return value


def number(value: Any, name: str, where: str) -> int:
    """Raises Malformed `sd.component`."""
    if type(value) is not int or value < 0:
        raise _wrong(name, where)
    return value


def label_map(value: Any, kind: type[Any], length: int | None, where: str) -> dict[int, Any]:
    """Numbers of canonical labels, and what each stands for. Raises Malformed `sd.component`."""
    if type(value) is not dict or not all(
        type(key) is int and type(item) is kind and (length is None or len(item) == length)
        for key, item in value.items()
    ):
        raise _wrong("labelMap", where)
    return value


def _wrong(name: str, where: str) -> Malformed:
    return Malformed("sd.component", where=where, spec=_SPEC, name=name)


def _write(value: Any) -> bytes:
    """CBOR, in which maps keep their order: other writers order label maps by canonical label, as text."""
    if type(value) is list:
        return cbor.head(4, len(value)) + b"".join(map(_write, value))
    if type(value) is dict:
        return cbor.head(5, len(value)) + b"".join(_write(key) + _write(item) for key, item in value.items())
    return cbor.write(value)
