"""Issuing SD-JWTs (RFC 9901 §4): a frame says what can be hidden, once for a credential type; claims are poured in.

Disclosures are made from the leaves upward, a generation at a time, because a disclosure covers the digests inside it;
nearly all are of the first. Each has a salt of its own of at least 132 bits; digests are sorted, so their order says
nothing about the claims'.
"""

from __future__ import annotations

import binascii
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from cityid import limits
from cityid.encoding import json
from cityid.errors import Malformed, Misuse
from cityid.jose import digests, jws, sd_jwt_shape
from cityid.jose.digests import Hash
from cityid.jose.sd_jwt import RESERVED, Path, pointer
from cityid.keys import Signer

UNHIDEABLE: Final = frozenset({"iss", "aud", "exp", "nbf", "cnf"})
"""Claims that decide validity (RFC 9901 §9.7): neither they nor their parts are selectively disclosable, except entries
of an `aud` array. Credential formats name more."""

Step: TypeAlias = str | int | None
_quote: Final = encode_basestring
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_ONLY_TEXT: Final = frozenset({str})
SALT: Final = 18  # bytes: 24 characters, of which up to two are left out again
KEPT: Final = (22, 24, 23)
"""Characters of a salt, by the length (modulo 3) of all that follows it."""
DECOY: Final = 32
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Node:
    """What a frame says about one object or array: `hide` gives for each child that can be hidden what stands between
    salt and value in its disclosure, `inside` the nodes of children with more to hide."""

    array: bool
    hide: dict[Step, str]
    inside: dict[Step, _Node]


@dataclass(frozen=True, slots=True)
class Frame:
    """Which claims can be hidden. Compiled by `frame`, used for every credential of a type."""

    root: _Node
    decoys: int
    hash: Hash
    padded: bool = False
    shapes: dict[sd_jwt_shape.Key, sd_jwt_shape.Shape | None] = field(default_factory=dict, repr=False, compare=False)
    """A memo: the claims that came before are treated like them the next time."""


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
    hide: dict[Step, str] = {}
    below: dict[Step, set[tuple[Step, ...]]] = {}
    for step, *rest in paths:
        if rest:
            below.setdefault(step, set()).add(tuple(rest))
        else:
            hide[step] = f'",{json.write(step).decode()},' if isinstance(step, str) else '",'
    inside = {step: _compile(rest, (*at, step)) for step, rest in below.items()}
    return _Node(kinds.isdisjoint({str}) and bool(kinds), hide, inside)


@dataclass(frozen=True, slots=True)
class Issued:
    """An SD-JWT with all its disclosures: `text` is its compact form, `hidden` what its holder can leave out."""

    text: bytes = field(repr=False)
    hidden: frozenset[Path]


@dataclass(frozen=True, slots=True)
class Unsigned:
    """An SD-JWT but for its signature, which is over `input`."""

    input: bytes = field(repr=False)
    disclosures: list[bytes] = field(repr=False)
    hidden: frozenset[Path]

    def signed(self, signature: bytes) -> Issued:
        """Raises Malformed `jws.too_large`."""
        text = b"~".join([self.input + b"." + jws.segment(signature), *self.disclosures, b""])
        if len(text) > limits.DOCUMENT:
            raise Malformed("jws.too_large", limit=limits.DOCUMENT, size=len(text))
        return Issued(text, self.hidden)


_Later: TypeAlias = tuple[str, Any, list[str] | dict[str, str]]
"""A disclosure that waits for the digests inside its value: what stands between salt and value, the value, and where
its own digest goes: to an object's `_sd`, or into the place of an array's element."""


class _Pour:
    """One walk over the claims: builds the payload, with holes where digests will stand.

    A disclosure is kept as its tail: all of it that comes after the salt. `members` are those of the first generation
    in objects, of which each of `found` takes its share; `elements` those in arrays, which fill `holes` one by one.
    """

    __slots__ = ("decoys", "decoys_each", "elements", "found", "hidden", "holes", "later", "members", "padded")

    def __init__(self, decoys: int, padded: bool) -> None:
        self.members: list[str] = []
        self.found: list[tuple[list[str], int]] = []
        self.elements: list[str] = []
        self.holes: list[dict[str, str]] = []
        self.later: list[list[_Later]] = []
        self.hidden: list[Path] = []
        self.decoys_each = decoys
        self.padded = padded
        self.decoys: list[tuple[list[Any], bool]] = []

    def content(self, value: Any, node: _Node | None, path: Path) -> tuple[Any, int]:
        """`value` as it will be signed, and how many generations of disclosures must be done before it is complete."""
        kind = type(value)
        if kind is str:
            if node is None:
                return value, 0
        elif kind is dict:
            if node is None or not node.array:
                return self.object(value, node, path)
        elif kind is list:
            if node is None or node.array:
                return self.array(value, node, path)
        elif kind is int:
            if not -limits.INTEGER <= value <= limits.INTEGER:
                raise Malformed("json.integer_too_large", where=pointer(path), length=value.bit_length())
        elif value is not None and kind is not bool and kind is not float:
            raise Malformed("json.not_json", where=pointer(path))
        if node is not None:
            # What the frame wants hidden would otherwise be shown to everybody.
            raise Malformed("sd_jwt.frame_mismatch", where=pointer(path), found=json.kind(value))
        return value, 0

    def object(self, value: Mapping[str, Any], node: _Node | None, path: Path) -> tuple[dict[str, Any], int]:
        if len(path) >= limits.DEPTH:
            raise Malformed("json.too_deep", where=pointer(path[:4]), limit=limits.DEPTH)
        if not RESERVED.isdisjoint(value) or not _ONLY_TEXT.issuperset(map(type, value)):
            raise _bad_name(value, path)
        if node is None:
            return {name: self.content(item, None, (*path, name))[0] for name, item in value.items()}, 0
        hide, inside, hidden = node.hide, node.inside, self.hidden
        built: dict[str, Any] = {}
        own: list[str] = []
        found: list[str] = []
        height = hides = 0
        for name, item in value.items():
            middle = hide.get(name)
            at = (*path, name)
            kind = type(item)
            if middle is not None:
                hides += 1
                hidden.append(at)
                if kind is str and name not in inside:
                    # What nearly every claim is, without the detours below.
                    own.append(f"{middle}{_quote(item)}]")
                    continue
                if kind is bool and name not in inside:
                    own.append(f"{middle}true]" if item else f"{middle}false]")
                    continue
            content, inner = self.content(item, inside.get(name), at)
            if middle is None:
                built[name] = content
            else:
                if inner:
                    self._wait(inner, (middle, content, found))
                else:
                    own.append(_tail(middle, content))
                inner += 1
            if inner > height:
                height = inner
        if own:
            self.members += own
            height = height or 1
        if hide:
            absent = self.decoys_each + (len(hide) - hides if self.padded else 0)
            self.decoys += [(found, False)] * absent
            if hides or absent:
                built["_sd"] = found
                self.found.append((found, len(own)))
        return built, height

    def array(self, value: list[Any], node: _Node | None, path: Path) -> tuple[list[Any], int]:
        if len(path) >= limits.DEPTH:
            raise Malformed("json.too_deep", where=pointer(path[:4]), limit=limits.DEPTH)
        if node is None:
            return [self.content(item, None, (*path, index))[0] for index, item in enumerate(value)], 0
        built: list[Any] = []
        height = 0
        for index, item in enumerate(value):
            at = (*path, index)
            middle = node.hide.get(index) or node.hide.get(None)
            child = node.inside.get(index) or node.inside.get(None)
            if type(item) is str and child is None:
                content, inner = item, 0
            else:
                content, inner = self.content(item, child, at)
            if middle is None:
                built.append(content)
            else:
                hole: dict[str, str] = {}
                built.append(hole)
                self.hidden.append(at)
                if inner:
                    self._wait(inner, (middle, content, hole))
                else:
                    self.elements.append(_tail(middle, content))
                    self.holes.append(hole)
                inner += 1
            height = max(height, inner)
        if node.hide:
            self.decoys += [(built, True)] * self.decoys_each
        return built, height

    def _wait(self, generation: int, disclosure: _Later) -> None:
        while len(self.later) < generation:
            self.later.append([])
        self.later[generation - 1].append(disclosure)


def _bad_name(value: Mapping[Any, Any], path: Path) -> Malformed:
    name = next(name for name in value if type(name) is not str or name in RESERVED)
    return Malformed("sd_jwt.claim_name", where=pointer(path), spec="RFC 9901 §4.1", name=str(name))


def issue(
    claims: Mapping[str, Any],
    frame: Frame,
    signer: Signer,
    *,
    protected: bytes,
    registered: Mapping[str, Any] = _NOTHING,
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> Issued:
    """`claims` signed as an SD-JWT with all its disclosures: `prepare`, and the signature.

    Raises:
        As `prepare`. Unavailable: `keys.unavailable`.
    """
    made = prepare(claims, frame, protected=protected, registered=registered, entropy=entropy)
    return made.signed(signer.sign(made.input))


def prepare(
    claims: Mapping[str, Any],
    frame: Frame,
    *,
    protected: bytes,
    registered: Mapping[str, Any] = _NOTHING,
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> Unsigned:
    """`claims` as an SD-JWT with all its disclosures, to be signed. `protected` is the header segment that
    `jws.protected` made for the signer's key; `registered` are members that the caller made itself and that are never
    hidden.

    Raises:
        Malformed: `sd_jwt.claim_name`, for a claim called `_sd`, `_sd_alg` or `...`; `sd_jwt.frame_mismatch`, where the
            frame hides parts of a value that has none; `sd_jwt.disclosures` and others, for more than we would read
            ourselves; `json.*`, for what JSON cannot say.
        Misuse: `sd_jwt.entropy`.
    """
    if registered.keys().isdisjoint(claims) and (found := sd_jwt_shape.flat(claims)) is not None:
        key, values = found
        if (shape := shape_of(key, claims, frame)) is not None:
            written, disclosures = _shaped(shape, values, frame.hash, registered, entropy)
            return Unsigned(protected + b"." + jws.segment(written), disclosures, shape.hidden)
    pour = _Pour(frame.decoys, frame.padded)
    payload = {**registered, **pour.object(claims, frame.root, ())[0]}
    _check_limits(pour)
    _add_decoys(pour, frame.hash, entropy)
    count = len(pour.hidden)
    salts = salts_of(count, entropy)
    made = _first_generation(pour, salts, frame.hash)
    for generation in pour.later:
        _sort(pour)
        texts = _disclosures([_tail(middle, value) for middle, value, _ in generation], salts[len(made) :])
        for (_, _, target), digest in zip(generation, frame.hash.texts(texts), strict=True):
            if isinstance(target, dict):
                target["..."] = digest
            else:
                target.append(digest)
        made += texts
    _sort(pour)
    payload["_sd_alg"] = frame.hash.name
    return Unsigned(protected + b"." + jws.segment(json.write(payload)), made, frozenset(pour.hidden))


def shape_of(key: sd_jwt_shape.Key, claims: Mapping[str, Any], frame: Frame) -> sd_jwt_shape.Shape | None:
    """The shape that `key` names under a frame, made once; None where these claims have none."""
    if key not in frame.shapes:
        if len(frame.shapes) >= sd_jwt_shape.MOST:
            frame.shapes.clear()
        frame.shapes[key] = sd_jwt_shape.shape(claims, frame.root, frame.decoys, padded=frame.padded)
    return frame.shapes[key]


def _shaped(
    shape: sd_jwt_shape.Shape, values: list[Any], hash: Hash, registered: Mapping[str, Any],
    entropy: Callable[[int], bytes],
) -> tuple[bytes, list[bytes]]:  # fmt: skip
    """The payload and the disclosures of claims whose shape is known."""
    salts = salts_of(shape.disclosures, entropy)
    made = _disclosures(shape.first(values), salts)
    first = len(made)
    texts = hash.texts(made + drawn(shape.decoys, entropy)) if shape.decoys else hash.texts(made)
    decoys = texts[first:]
    found = [texts[one.own] + decoys[one.decoys] for one in shape.objects]
    for generation in shape.waits:
        tails = [f"{middle}{shape.whole(number, values, found)}]" for number, middle, _ in generation]
        later = _disclosures(tails, salts[len(made) :])
        for (_, _, parent), digest in zip(generation, hash.texts(later), strict=True):
            found[parent].append(digest)
        made += later
    head, body = json.write(dict(registered))[1:-1], shape.text(-1, values, found)[1:]
    try:
        parts = [part for part in (head, body.encode(), b'"_sd_alg":"%b"' % hash.name.encode()) if part]
    except UnicodeEncodeError:
        raise Malformed("json.surrogate", spec="RFC 7493 §2.1") from None
    return b"{%b}" % b",".join(parts), made


def drawn(count: int, entropy: Callable[[int], bytes]) -> list[bytes]:
    raw = entropy(DECOY * count)
    if len(raw) != DECOY * count:
        raise Misuse("sd_jwt.entropy", spec="RFC 9901 §9.3")
    return [raw[start : start + DECOY] for start in range(0, len(raw), DECOY)]


def _first_generation(pour: _Pour, salts: list[str], hash: Hash) -> list[bytes]:
    """The disclosures that wait for nothing; their digests are put in place."""
    made = _disclosures(pour.members + pour.elements, salts)
    texts = hash.texts(made)
    start = 0
    for found, count in pour.found:
        found.extend(texts[start : start + count])
        start += count
    for hole, digest in zip(pour.holes, texts[start:], strict=True):
        hole["..."] = digest
    return made


def _sort(pour: _Pour) -> None:
    for found, _ in pour.found:
        found.sort()


def _check_limits(pour: _Pour) -> None:
    """No more than we ourselves would read."""
    if len(pour.later) >= limits.DISCLOSURE_DEPTH:
        raise Malformed("sd_jwt.disclosure_depth", limit=limits.DISCLOSURE_DEPTH)
    if len(pour.hidden) > limits.DISCLOSURES:
        raise Malformed("sd_jwt.disclosures", limit=limits.DISCLOSURES)
    if len(pour.hidden) + len(pour.decoys) > limits.DIGESTS:
        raise Malformed("sd_jwt.digest_count", limit=limits.DIGESTS)


def salts_of(count: int, entropy: Callable[[int], bytes]) -> list[str]:
    """Salts of 24 characters each, all drawn at once.

    Raises:
        Misuse: `sd_jwt.entropy`: too few bytes, or one salt twice.
    """
    raw = entropy(SALT * count) if count else b""
    text = binascii.b2a_base64(raw, newline=False).translate(_TO_URL).decode("ascii")
    salts = [text[start : start + 24] for start in range(0, 24 * count, 24)]
    if len(raw) != SALT * count or len(set(salts)) != count:
        raise Misuse("sd_jwt.entropy", spec="RFC 9901 §9.3")
    return salts


def _tail(middle: str, value: Any) -> str:
    if type(value) is str:
        return f"{middle}{_quote(value)}]"
    return f"{middle}{json.write(value).decode()}]"


def _disclosures(tails: list[str], salts: list[str]) -> list[bytes]:
    """The disclosures in base64url. Salts are cut so that each is a multiple of three bytes; one base64 does all.

    Three NULs, which no JSON has and which are AAAA in base64, stand between them until they are cut apart again.
    """
    if not tails:
        return []
    try:
        lengths = [len(tail) if tail.isascii() else len(tail.encode()) for tail in tails]
    except UnicodeEncodeError:
        raise Malformed("json.surrogate", spec="RFC 7493 §2.1") from None
    written = [f'["{salt[: KEPT[length % 3]]}{tail}' for salt, length, tail in zip(salts, lengths, tails, strict=False)]
    joined = "\0\0\0".join(written).encode()
    return binascii.b2a_base64(joined, newline=False).translate(_TO_URL).split(b"AAAA")


def _add_decoys(pour: _Pour, hash: Hash, entropy: Callable[[int], bytes]) -> None:
    if not pour.decoys:
        return
    for (target, array), digest in zip(pour.decoys, hash.texts([entropy(DECOY) for _ in pour.decoys]), strict=True):
        target.append({"...": digest} if array else digest)
