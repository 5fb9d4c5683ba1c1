"""How payloads begin: the contexts of a type's cards are the same in all of them, and mostly longer than what differs.

What a payload that was read says in its `@context`, if it begins with that, is remembered by its letters. Of the next
one that begins alike only the rest is decoded and read, as strictly as ever. Whatever is written in another way, right
or wrong, is read as a whole.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

from cityid import limits
from cityid.encoding import base64url, json
from cityid.errors import Malformed
from cityid.formats import _vcdm

__all__ = ["Head", "decode", "learn", "read"]

_BEGINNING: Final = b'{"@context":'
_GOES_ON: Final = (b',"type":', b',"id":')
_KEY: Final = 192
"""Bytes by which a head is found again; what is shorter is not worth it. In base64 they are a third more."""
_LONGEST: Final = 16 << 10
_MEMO: Final = 64
_KINDS: Final = frozenset({dict, list})
_Copied: TypeAlias = "tuple[Any, tuple[Any, ...], tuple[dict[str, Any], ...], tuple[tuple[Any, _Copied], ...]]"


class Head(NamedTuple):
    """The first member of a payload: `text` with its brace, the contexts alone as `written` by us, the `version` of the
    data model that they ask for, and `begins`, as much of the text as ends with a whole character of base64, which is
    `segment`."""

    text: bytes
    written: bytes
    version: int
    begins: bytes
    segment: bytes
    entries: _Copied


_known: dict[bytes, Head] = {}


def decode(segment: bytes, where: str) -> bytes:
    """`base64url.decode`. Raises as it."""
    head = _known.get(segment[: _KEY // 3 * 4])
    if head is not None and segment.startswith(head.segment):
        try:
            return head.begins + base64url.decode(segment[len(head.segment) :])
        except Malformed:  # told of the whole
            pass
    return base64url.decode(segment, where)


def read(payload: bytes) -> tuple[dict[str, Any], Head] | None:
    """The object in `payload`, as `json.read_object` reads it, and its head: behind that stands no "@context", in
    letters or by number. None where only `json.read_object` can tell what is written there."""
    head = _known.get(payload[:_KEY])
    # What has no more bytes than that has no more values either.
    if head is None or not payload.startswith(head.text) or len(payload) > limits.NODES:
        return None
    rest = payload[len(head.text) :]
    if not rest.startswith(b',"') or b"@context" in rest or b"\\u" in rest:
        return None
    try:
        found = json.read_object(b"{" + rest[1:])
    except Malformed:  # told of the whole
        return None
    return {"@context": _copy(head.entries), **found}, head


def learn(payload: bytes) -> None:
    """Remember how `payload`, which has been read, begins, if that is worth it."""
    if not payload.startswith(_BEGINNING):
        return
    text = payload[: min((end for name in _GOES_ON if (end := payload.find(name, 0, _LONGEST)) > 0), default=0)]
    if len(text) < _KEY or b"\\" in text:
        return
    try:
        found = json.read_object(text + b"}")
        version = _vcdm.version_of(found)
    except Malformed:  # the name stands somewhere inside, or the contexts are no good ones
        return
    if len(found) > 1:
        return
    begins, entries = text[: len(text) // 3 * 3], found["@context"]
    head = Head(text, json.write(entries), version, begins, base64url.encode(begins).encode(), _prepare(entries))
    if len(_known) >= 2 * _MEMO:
        _known.clear()
    _known[text[:_KEY]] = _known[head.segment[: _KEY // 3 * 4]] = head


def _prepare(value: Any) -> _Copied:
    """An object or array, the objects in it that hold no others, and what else is in it."""
    items = list(value.items() if type(value) is dict else enumerate(value))
    flat = [(name, item) for name, item in items if type(item) is dict and _KINDS.isdisjoint(map(type, item.values()))]
    names = tuple(name for name, _ in flat)
    others = tuple((name, _prepare(item)) for name, item in items if type(item) in _KINDS and name not in names)
    return value, names, tuple(item for _, item in flat), others


def _copy(prepared: _Copied) -> Any:
    """The value anew: what was read of a card is its reader's to change."""
    value, names, flat, others = prepared
    made = value.copy()
    if type(made) is dict:
        made.update(zip(names, map(dict.copy, flat), strict=True))
    else:
        for name, item in zip(names, flat, strict=True):
            made[name] = item.copy()
    for name, inner in others:
        made[name] = _copy(inner)
    return made
