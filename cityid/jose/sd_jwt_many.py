"""Many SD-JWTs of one frame at once: what `sd_jwt_issue.prepare` makes of each, a column at a time.

Claims of one shape differ in their values only, and a value that came before has been written already. Salts are drawn
in one go, and one base64 does for all disclosures of a generation, as does one for their digests.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any, Final, TypeAlias

from cityid.errors import Malformed
from cityid.jose import jws, sd_jwt_shape
from cityid.jose.digests import Hash
from cityid.jose.sd_jwt_issue import KEPT, Frame, drawn, salts_of, shape_of
from cityid.jose.sd_jwt_shape import Shape

__all__ = ["Card", "Made", "prepare_many"]

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_TEXTS: Final = frozenset({str})
_TRUTHS: Final = frozenset({bool})

Card: TypeAlias = tuple[Mapping[str, Any], bytes]
"""Claims, and the members that the caller made itself, as JSON without braces."""
Made: TypeAlias = tuple[bytes, list[bytes]]
"""What is to be signed, and the disclosures."""


def prepare_many(
    cards: Sequence[Card], frame: Frame, *, protected: bytes, entropy: Callable[[int], bytes]
) -> list[Made | None]:
    """Each of `cards` as an SD-JWT with all its disclosures, to be signed; None for one whose claims have no shape,
    which is for `sd_jwt_issue.prepare`. No claim may be called like a member that the caller made.

    Raises:
        Malformed: `json.surrogate`. Misuse: `sd_jwt.entropy`.
    """
    made: list[Made | None] = [None] * len(cards)
    alike: dict[int, tuple[Shape, list[int], list[list[Any]]]] = {}
    for place, (claims, _) in enumerate(cards):
        found = sd_jwt_shape.flat(claims)
        if found is None or (shape := shape_of(found[0], claims, frame)) is None:
            continue
        _, places, rows = alike.setdefault(id(shape), (shape, [], []))
        places.append(place)
        rows.append(found[1])
    for shape, places, rows in alike.values():
        payloads, disclosures = _alike(shape, rows, [cards[place][1] for place in places], frame.hash, entropy)
        for place, payload, own in zip(places, payloads, disclosures, strict=True):
            made[place] = protected + b"." + jws.segment(payload), own
    return made


class _Tails(dict[Any, tuple[int, str]]):
    """Of each value of a column: how much of a salt fits before it, and all of the disclosure that follows the salt."""

    __slots__ = ("middle", "say")

    def __init__(self, middle: str, say: Callable[[Any], str]) -> None:
        self.middle, self.say = middle, say

    def __missing__(self, value: Any) -> tuple[int, str]:
        found = self[value] = _tail(f"{self.middle}{self.say(value)}]")
        return found


def _tail(text: str) -> tuple[int, str]:
    try:
        length = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise Malformed("json.surrogate", spec="RFC 7493 §2.1") from None
    return KEPT[length % 3], text


def _column(middle: str, values: list[Any]) -> Iterable[tuple[int, str]]:
    kinds = set(map(type, values))
    if kinds == _TEXTS:
        return map(_Tails(middle, encode_basestring).__getitem__, values)
    if kinds == _TRUTHS:
        return map(_Tails(middle, sd_jwt_shape.say).__getitem__, values)
    # 1 and true are one to a memo.
    return [
        _tail(f"{middle}{encode_basestring(value) if type(value) is str else sd_jwt_shape.say(value)}]")
        for value in values
    ]


def _alike(
    shape: Shape, rows: list[list[Any]], heads: list[bytes], hash: Hash, entropy: Callable[[int], bytes]
) -> tuple[list[bytes], list[list[bytes]]]:
    """The payloads and the disclosures of claims of one shape."""
    count = len(rows)
    salts = salts_of(count * shape.disclosures, entropy)
    tails: list[tuple[int, str]] = []
    for number, middle in shape.tails:
        tails += _column(middle, [values[number] for values in rows])
    made = _disclosures(tails, salts)
    texts = hash.texts(made)
    decoys = hash.texts(drawn(shape.decoys * count, entropy)) if shape.decoys else []
    # Column by column: those of one row are `count` apart.
    found = [
        [
            texts[one.own.start * count + row : one.own.stop * count : count]
            + decoys[one.decoys.start * count + row : one.decoys.stop * count : count]
            for one in shape.objects
        ]
        for row in range(count)
    ]
    disclosures = [made[row::count] for row in range(count)]
    used = len(made)
    for generation in shape.waits:
        tails = [
            _tail(f"{middle}{shape.whole(number, values, own)}]")
            for number, middle, _ in generation
            for values, own in zip(rows, found, strict=True)
        ]
        made = _disclosures(tails, salts[used:])
        used += len(made)
        texts = hash.texts(made)
        for start, (_, _, parent) in zip(range(0, len(made), count), generation, strict=True):
            for own, digest in zip(found, texts[start : start + count], strict=True):
                own[parent].append(digest)
        for row, kept in enumerate(disclosures):
            kept.extend(made[row::count])
    alg = b'"_sd_alg":"%b"}' % hash.name.encode()
    try:
        payloads = [
            b"{%b,%b,%b" % (head, body, alg) if (body := shape.text(-1, values, own)[1:].encode()) else
            b"{%b,%b" % (head, alg)
            for head, values, own in zip(heads, rows, found, strict=True)
        ]  # fmt: skip
    except UnicodeEncodeError:
        raise Malformed("json.surrogate", spec="RFC 7493 §2.1") from None
    return payloads, disclosures


def _disclosures(tails: list[tuple[int, str]], salts: list[str]) -> list[bytes]:
    """As `sd_jwt_issue` has it: cut apart at three NULs, which no JSON has and which are AAAA in base64."""
    if not tails:
        return []
    written = [f'["{salt[:kept]}{tail}' for salt, (kept, tail) in zip(salts, tails, strict=False)]
    return binascii.b2a_base64("\0\0\0".join(written).encode(), newline=False).translate(_TO_URL).split(b"AAAA")
