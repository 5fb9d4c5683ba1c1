"""What somebody who sees several showings has to compare: every value in each, those inside proofs and tokens too.

Parts that are in all showings say nothing about who showed. A part that is in some and not in others tells a crowd
apart; a long one that is in two alone says that both are of one person. Nothing that is read here is believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from cityid.encoding import base64url, json
from cityid.errors import CityIdError
from cityid.proofs import bbs2023, members
from cityid.proofs.bbs2023_values import Derived, Feature, read_derived

__all__ = ["Part", "parts", "shared"]

_LONG: Final = 16
"""Characters of a value that is compared wherever it stands: a chance to meet in so many is none."""
_POINT, _SCALAR = 48, 32
_POINTS: Final = 3 * _POINT
"""Octets of the points that begin a BBS proof; scalars follow (BBS draft 9 §4.2.4.5)."""
_TOKEN: Final = re.compile(rb"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*){2}(~[A-Za-z0-9_.-]*)*")


class Part(NamedTuple):
    """A value, and where it stands; `[]` is any element of an array."""

    place: str
    value: str


def parts(shown: bytes) -> frozenset[Part]:
    """All that can be compared in an answer, presentation, credential, ballot or list: JSON or a compact token.

    Raises:
        Malformed: `json.*`.
    """
    found = _token("$", shown) if _TOKEN.fullmatch(shown) else _walk("$", json.read(shown))
    return frozenset(found)


def shared(showings: Sequence[bytes]) -> Mapping[tuple[int, ...], tuple[Part, ...]]:
    """The parts of several showings by the showings (their indices) that have them, most showings first. Raises as
    `parts`."""
    holders: dict[tuple[str, str], list[int]] = {}
    example: dict[tuple[str, str], Part] = {}
    for index, shown in enumerate(showings):
        for key, part in {_key(part): part for part in sorted(parts(shown))}.items():
            holders.setdefault(key, []).append(index)
            example.setdefault(key, part)
    groups: dict[tuple[int, ...], list[Part]] = {}
    for key, indices in holders.items():
        groups.setdefault(tuple(indices), []).append(example[key])
    ordered = sorted(groups.items(), key=lambda group: (-len(group[0]), group[0]))
    return {indices: tuple(sorted(found)) for indices, found in ordered}


def _key(part: Part) -> tuple[str, str]:
    return ("" if len(part.value) >= _LONG else part.place, part.value)


def _walk(place: str, value: Any) -> Iterator[Part]:
    if isinstance(value, dict):
        yield Part(f"{place} members", " ".join(sorted(value)))
        inside = _proof(place, value)
        for name, each in value.items():
            yield from inside if inside and name == "proofValue" else _walk(f"{place}.{name}", each)
    elif isinstance(value, list):
        yield Part(f"{place} length", str(len(value)))
        for each in value:
            yield from _walk(f"{place}[]", each)
    elif isinstance(value, str) and _TOKEN.fullmatch(value.encode("utf-8", "replace")):
        yield from _token(place, value.encode("ascii"))
    else:
        yield Part(place, value if isinstance(value, str) else json.write(value).decode("utf-8"))


def _token(place: str, token: bytes) -> Iterator[Part]:
    """The segments of a compact token, those that are JSON by their members."""
    for segment in re.split(rb"[.~]", token):
        try:
            value = json.read(base64url.decode(segment.decode("ascii")))
        except CityIdError:
            yield Part(place, segment.decode("ascii"))
        else:
            yield from _walk(f"{place}~", value)


def _proof(place: str, value: Mapping[str, Any]) -> list[Part]:
    """What is in the value of a derived proof by BBS; nothing where it is no such proof."""
    if value.get("cryptosuite") != bbs2023.SUITE:
        return []
    for feature in Feature:
        try:
            return list(_bbs(f"{place}.proofValue", read_derived(members.read(dict(value)), feature)))
        except CityIdError:
            continue
    return []


def _bbs(place: str, found: Derived) -> Iterator[Part]:
    points = (found.proof[at : at + _POINT] for at in range(0, _POINTS, _POINT))
    scalars = (found.proof[at : at + _SCALAR] for at in range(_POINTS, len(found.proof), _SCALAR))
    for piece in chain(points, scalars):
        yield Part(f"{place} proof", piece.hex())
    yield Part(f"{place} proof length", str(len(found.proof)))
    yield Part(f"{place} labels", " ".join(f"{number}={label}" for number, label in sorted(found.labels.items())))
    for name in ("mandatory", "selective", "length"):
        yield Part(f"{place} {name}", str(getattr(found, name)))
    yield Part(f"{place} presentation header", found.presentation_header.hex())
    if found.pseudonym:
        yield Part(f"{place} domain", found.nym_domain)
        yield Part(f"{place} pseudonym", found.pseudonym.hex())
