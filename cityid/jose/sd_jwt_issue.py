"""Issuing SD-JWTs (RFC 9901 §4): a frame says what can be hidden, once for a credential type; claims are poured in.

Disclosures are made from the leaves upward, a generation at a time, because a disclosure covers the digests inside it.
Each has a salt of its own of at least 132 bits; digests are sorted, so their order says nothing about the claims'.
"""

from __future__ import annotations

import binascii
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from cityid import limits
from cityid.encoding import json
from cityid.errors import Malformed, Misuse
from cityid.jose import digests, jws
from cityid.jose.digests import Hash
from cityid.jose.sd_jwt import RESERVED, Path, Processed, SdJwt, pointer
from cityid.keys import Signer

UNHIDEABLE: Final = frozenset({"iss", "aud", "exp", "nbf", "cnf"})
"""Claims that decide validity (RFC 9901 §9.7): neither they nor their parts are selectively disclosable, except entries
of an `aud` array. Credential formats name more."""

Step: TypeAlias = str | int | None
_quote: Final = encode_basestring
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_SALT: Final = 18  # bytes: 24 characters, of which up to two are left out again
_DECOY: Final = 32
_NO_POSITIONS: Final[Mapping[Path, tuple[int, ...]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Node:
    """What a frame says about one object or array: `hide` gives for each child that can be hidden what stands between
    salt and value in its disclosure, `inside` the nodes of children with more to hide."""

    array: bool
    hide: Mapping[Step, bytes]
    inside: Mapping[Step, _Node]


@dataclass(frozen=True, slots=True)
class Frame:
    """Which claims can be hidden. Compiled by `frame`, used for every credential of a type."""

    root: _Node
    decoys: int
    hash: Hash
    padded: bool = False


def frame(
    paths: Iterable[tuple[Step, ...]],
    *,
    decoys: int = 0,
    hash: str = digests.DEFAULT,
    unhideable: Collection[str] = UNHIDEABLE,
    padded: bool = False,
) -> Frame:
    """A frame in which each of `paths` can be hidden on its own: `("address",)`, `("address", "locality")` (hidden
    inside the hidden address), `("nationalities", None)` (each element), `("degrees", 0)`.

    `decoys` are added to every object and array that hides something (RFC 9901 §4.2.5). With `padded`, a decoy also
    stands for each hideable member that an object does not have: the number of digests is the same for everybody.

    Raises:
        Misuse: `sd_jwt.unhideable`, `sd_jwt.frame_path`, `sd_jwt.frame_decoys`, `sd_jwt.frame_hash`.
    """
    if not 0 <= decoys <= limits.DIGESTS:
        raise Misuse("sd_jwt.frame_decoys", limit=limits.DIGESTS, found=decoys)
    if hash not in digests.HASHES:
        raise Misuse("sd_jwt.frame_hash", spec="RFC 9901 §4.1.1", name=hash)
    wanted = set(paths)
    for path in wanted:
        if not path or not isinstance(path[0], str) or not all(map(_is_step, path)):
            raise Misuse("sd_jwt.frame_path", path=pointer(path))
        if path[0] in unhideable and (path[0] != "aud" or len(path) == 1):
            raise Misuse("sd_jwt.unhideable", spec="RFC 9901 §9.7", path=pointer(path))
    return Frame(_compile(wanted, ()), decoys, digests.HASHES[hash], padded)


def _is_step(step: object) -> bool:
    if type(step) is str:
        return step not in RESERVED
    return step is None or (type(step) is int and step >= 0)


def _compile(paths: set[tuple[Step, ...]], at: tuple[Step, ...]) -> _Node:
    kinds = {type(path[0]) for path in paths}
    # One node is an object's, an array's for every element, or an array's for numbered ones.
    if len(kinds) > 1:
        raise Misuse("sd_jwt.frame_path", path=pointer(at))
    hide: dict[Step, bytes] = {}
    below: dict[Step, set[tuple[Step, ...]]] = {}
    for step, *rest in paths:
        if rest:
            below.setdefault(step, set()).add(tuple(rest))
        else:
            hide[step] = b'",' + json.write(step) + b"," if isinstance(step, str) else b'",'
    inside = {step: _compile(rest, (*at, step)) for step, rest in below.items()}
    return _Node(kinds.isdisjoint({str}) and bool(kinds), MappingProxyType(hide), MappingProxyType(inside))


_Pending: TypeAlias = tuple[bytes, Any, list[Any], int, Path, Path | None]
"""A disclosure that waits for the digests inside its value: what stands between salt and value, the value, the list for
its digest, the place there (-1: at the end), its path and that of the disclosure around it."""


class _Pour:
    """One walk over the claims: builds the payload, with holes where digests will stand."""

    __slots__ = ("carriers", "decoys", "decoys_each", "first", "generations", "padded", "sorted")

    def __init__(self, decoys: int, padded: bool) -> None:
        self.first: list[_Pending] = []
        self.generations: list[list[_Pending]] = [self.first]
        self.decoys_each = decoys
        self.padded = padded
        self.decoys: list[tuple[list[Any], bool]] = []
        self.sorted: list[list[str]] = []
        self.carriers: list[Path] = []

    def content(self, value: Any, node: _Node | None, path: Path, parent: Path | None) -> tuple[Any, int]:
        """`value` as it will be signed, and how many generations of disclosures must be done before it is complete."""
        kind = type(value)
        if kind is str:
            if node is None:
                return value, 0
        elif kind is dict:
            if node is None or not node.array:
                return self.object(value, node, path, parent)
        elif kind is list:
            if node is None or node.array:
                return self.array(value, node, path, parent)
        elif kind is int:
            if not -limits.INTEGER <= value <= limits.INTEGER:
                raise Malformed("json.integer_too_large", where=pointer(path), length=value.bit_length())
        elif value is not None and kind is not bool and kind is not float:
            raise Malformed("json.not_json", where=pointer(path))
        if node is not None:
            # What the frame wants hidden would otherwise be shown to everybody.
            raise Malformed("sd_jwt.frame_mismatch", where=pointer(path), found=json.kind(value))
        return value, 0

    def object(self, value: dict[str, Any], node: _Node | None, path: Path, parent: Path | None) -> tuple[Any, int]:
        if len(path) >= limits.DEPTH:
            raise Malformed("json.too_deep", where=pointer(path[:4]), limit=limits.DEPTH)
        built: dict[str, Any] = {}
        if node is None:
            for name, item in value.items():
                if name in RESERVED or type(name) is not str:
                    raise _bad_name(name, path)
                built[name] = self.content(item, None, (*path, name), parent)[0]
            return built, 0
        hide, inside, pend = node.hide, node.inside, self.first.append
        found: list[str] = []
        height = hides = 0
        for name, item in value.items():
            if name in RESERVED or type(name) is not str:
                raise _bad_name(name, path)
            at = (*path, name)
            middle = hide.get(name)
            kind = type(item)
            if (kind is str or kind is bool) and name not in inside:
                if middle is not None:
                    # What nearly every claim is, without the detours below.
                    pend((middle, item, found, -1, at, parent))
                    hides += 1
                    height = height or 1
                    continue
                content, inner = item, 0
            else:
                content, inner = self.content(item, inside.get(name), at, parent if middle is None else at)
            if middle is None:
                built[name] = content
            else:
                self._pend(inner, (middle, content, found, -1, at, parent))
                inner += 1
                hides += 1
            if inner > height:
                height = inner
        if hide:
            absent = self.decoys_each + (len(hide) - hides if self.padded else 0)
            self.decoys += [(found, False)] * absent
            if hides or absent:
                built["_sd"] = found
                self.sorted.append(found)
                self.carriers.append(path)
        return built, height

    def array(self, value: list[Any], node: _Node | None, path: Path, parent: Path | None) -> tuple[Any, int]:
        if len(path) >= limits.DEPTH:
            raise Malformed("json.too_deep", where=pointer(path[:4]), limit=limits.DEPTH)
        if node is None:
            return [self.content(item, None, (*path, index), parent)[0] for index, item in enumerate(value)], 0
        built: list[Any] = []
        height = 0
        for index, item in enumerate(value):
            at = (*path, index)
            middle = node.hide.get(index) or node.hide.get(None)
            child = node.inside.get(index) or node.inside.get(None)
            content, inner = self.content(item, child, at, parent if middle is None else at)
            built.append(content)
            if middle is not None:
                self._pend(inner, (middle, content, built, index, at, parent))
                inner += 1
            height = max(height, inner)
        if node.hide:
            self.decoys += [(built, True)] * self.decoys_each
            self.carriers.append(path)
        return built, height

    def _pend(self, generation: int, pending: _Pending) -> None:
        while len(self.generations) <= generation:
            self.generations.append([])
        self.generations[generation].append(pending)


def _bad_name(name: Any, path: Path) -> Malformed:
    return Malformed("sd_jwt.claim_name", where=pointer(path), spec="RFC 9901 §4.1", name=str(name))


def issue(
    claims: Mapping[str, Any],
    frame: Frame,
    signer: Signer,
    *,
    header: Mapping[str, Any],
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> SdJwt:
    """`claims` signed as an SD-JWT with all its disclosures; its text is `.prefix`. `header` is without `alg`.

    Raises:
        Malformed: `sd_jwt.claim_name`, for a claim called `_sd`, `_sd_alg` or `...`; `sd_jwt.frame_mismatch`, where the
            frame hides parts of a value that has none; `json.*`, for what JSON cannot say.
        Misuse: `sd_jwt.entropy`, `jws.header_member`.
        Unavailable: `keys.unavailable`.
    """
    pour = _Pour(frame.decoys, frame.padded)
    payload = pour.object(dict(claims), frame.root, (), None)[0]
    count = _count(pour)
    _add_decoys(pour, frame.hash, entropy)
    made: list[bytes] = []
    hidden: dict[Path, bytes] = {}
    parents: dict[Path, Path | None] = {}
    salts = _salts(count, entropy)
    for generation in pour.generations:
        texts = _disclosures(generation, salts[len(made) :])
        for (_, _, target, index, path, parent), text, digest in zip(
            generation, texts, frame.hash.texts(texts), strict=True
        ):
            if index < 0:
                target.append(digest)
            else:
                target[index] = {"...": digest}
            hidden[path] = text
            parents[path] = parent
        for found in pour.sorted:
            found.sort()
        made += texts
    payload["_sd_alg"] = frame.hash.name
    signed = jws.make(header, json.write(payload), signer)
    prefix = b"~".join([signed.compact, *made, b""])
    if len(prefix) > limits.DOCUMENT:
        raise Malformed("jws.too_large", limit=limits.DOCUMENT, size=len(prefix))
    processed = Processed(
        dict(claims),
        MappingProxyType(hidden),
        MappingProxyType(parents),
        _NO_POSITIONS,
        tuple(pour.carriers),
        frame.hash,
    )
    return SdJwt(signed, tuple(made), prefix, None, processed)


def _count(pour: _Pour) -> int:
    """The number of disclosures, within what we ourselves would read."""
    count = sum(map(len, pour.generations))
    if len(pour.generations) > limits.DISCLOSURE_DEPTH:
        raise Malformed("sd_jwt.disclosure_depth", limit=limits.DISCLOSURE_DEPTH)
    if count > limits.DISCLOSURES:
        raise Malformed("sd_jwt.disclosures", limit=limits.DISCLOSURES)
    if count + len(pour.decoys) > limits.DIGESTS:
        raise Malformed("sd_jwt.digest_count", limit=limits.DIGESTS)
    return count


def _salts(count: int, entropy: Callable[[int], bytes]) -> list[bytes]:
    raw = entropy(_SALT * count) if count else b""
    text = binascii.b2a_base64(raw, newline=False).translate(_TO_URL)
    salts = [text[start : start + 24] for start in range(0, 24 * count, 24)]
    if len(raw) != _SALT * count or len(set(salts)) != count:
        raise Misuse("sd_jwt.entropy", spec="RFC 9901 §9.3")
    return salts


def _disclosures(generation: list[_Pending], salts: list[bytes]) -> list[bytes]:
    """The disclosures in base64url: salts are cut so that each is a multiple of three bytes; one base64 does all."""
    parts: list[bytes] = []
    ends: list[int] = []
    end = 0
    for pending, salt in zip(generation, salts, strict=False):
        value = pending[1]
        plain = type(value) is str and value.isascii()
        tail = pending[0] + (_quote(value).encode("ascii") if plain else _value(value)) + b"]"
        length = 26 + len(tail)
        cut = length % 3
        parts += (b'["', salt[: 24 - cut], tail)
        end += (length - cut) // 3 * 4
        ends.append(end)
    text = binascii.b2a_base64(b"".join(parts), newline=False).translate(_TO_URL)
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _value(value: Any) -> bytes:
    if value is True:
        return b"true"
    if value is False:
        return b"false"
    return json.write(value)


def _add_decoys(pour: _Pour, hash: Hash, entropy: Callable[[int], bytes]) -> None:
    if not pour.decoys:
        return
    for (target, array), digest in zip(pour.decoys, hash.texts([entropy(_DECOY) for _ in pour.decoys]), strict=True):
        target.append({"...": digest} if array else digest)
    for found in pour.sorted:
        found.sort()
