"""Selective Disclosure for JWTs (RFC 9901): reading, processing, choosing. The mechanism; no credential format.

Reading believes nothing: whoever holds an `SdJwt` still has to check the issuer's signature (`jws.check`) and the
holder's (`key_binding.check`). Digests are over the characters received, never over anything encoded again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from cityid import limits
from cityid.encoding import base64url, json
from cityid.errors import Malformed, Misuse, Problem
from cityid.jose import digests, jws
from cityid.jose.jws import Jws, Typ
from cityid.keys import PublicKey, jwk

Path: TypeAlias = tuple[str | int, ...]
"""Where a value stands in the ISSUED claims: member names, and indices that count hidden elements and decoys too."""

RESERVED: Final = frozenset({"_sd", "_sd_alg", "..."})
"""Names that belong to the mechanism (RFC 9901 §4.1)."""
_MEMBERS: Final = ("disclosures", "kb_jwt")
_ABSENT: Final = object()
_NO_POSITIONS: Final[Mapping[Path, tuple[int, ...]]] = MappingProxyType({})
_ONLY_TEXT: Final = frozenset({str})
_DEPTH: Final = limits.DEPTH
_NODES: Final = limits.NODES
_DIGESTS: Final = limits.DIGESTS
_INSIDE: Final = limits.DISCLOSURE_DEPTH
_INNER: Final = frozenset({dict, list})
_METHODS: Final = frozenset({"jwe", "jku", "kid", "x5t#S256", "jkt", "osc"})
"""The other JWT confirmation methods that IANA has registered."""


class KeyBinding(NamedTuple):
    """A KB-JWT as received: nothing in it is believed before `key_binding.check`."""

    jws: Jws
    claims: Mapping[str, Any]


class Processed(NamedTuple):
    """The claims after processing (RFC 9901 §7.1), and what the token's disclosures were.

    `payload` has no `_sd`, no `...`, no `_sd_alg` and nothing undisclosed. `hidden` gives the disclosure of each claim
    that came out of one; the one around it, where there is one, is that of its longest hidden prefix. `positions`
    gives, for each array from which undisclosed elements were dropped (by its issued path), the issued index of each
    element that remains. `carriers` are the objects and arrays that held a digest, known or not.
    """

    payload: dict[str, Any]
    hidden: Mapping[Path, bytes]
    positions: Mapping[Path, tuple[int, ...]]
    carriers: tuple[Path, ...]
    hash: digests.Hash

    def __repr__(self) -> str:
        return f"Processed({len(self.hidden)} disclosed claims)"


class SdJwt(NamedTuple):
    """An SD-JWT or SD-JWT+KB as read. `prefix` is all that `sd_hash` covers: the compact form up to its last tilde."""

    jws: Jws
    disclosures: tuple[bytes, ...]
    prefix: bytes
    binding: KeyBinding | None
    processed: Processed

    def __repr__(self) -> str:
        return f"SdJwt({self.jws!r}, {len(self.disclosures)} disclosures)"

    @property
    def payload(self) -> dict[str, Any]:
        return self.processed.payload


def read(token: bytes | str, *, typ: Typ, where: str = "sd_jwt", limit: int = limits.DOCUMENT) -> SdJwt:
    """An SD-JWT or SD-JWT+KB in its compact form (RFC 9901 §4), processed.

    Raises:
        Malformed: `sd_jwt.*`, `jws.*`, `base64url.*`, `json.*`.
    """
    if len(token) > limit:
        raise Malformed("jws.too_large", where=where, limit=limit, size=len(token))
    if isinstance(token, str):
        token = token.encode("utf-8", "surrogatepass")
    issued, *parts = token.split(b"~", limits.DISCLOSURES + 2)
    signed = jws.read_compact(issued, typ=typ, where=where)
    if not parts:
        raise Malformed("sd_jwt.no_tilde", where=where, spec="RFC 9901 §4")
    last = parts.pop()
    if len(parts) > limits.DISCLOSURES:
        raise Malformed("sd_jwt.disclosures", where=where, limit=limits.DISCLOSURES)
    binding = _read_binding(last, f"{where}.kb_jwt") if last else None
    prefix = token[: len(token) - len(last)]
    return SdJwt(signed, tuple(parts), prefix, binding, process(signed, parts, where))


def read_issued(token: bytes | str, *, typ: Typ, where: str = "sd_jwt") -> SdJwt:
    """`read`, for what an issuer hands out: there is no key binding on it (RFC 9901 §7.2).

    Raises:
        Malformed: `sd_jwt.bound_by_issuer`, and those of `read`.
    """
    found = read(token, typ=typ, where=where)
    if found.binding is not None:
        raise Malformed("sd_jwt.bound_by_issuer", where=where, spec="RFC 9901 §7.2")
    return found


def _read_binding(text: bytes, where: str) -> KeyBinding:
    signed = jws.read_compact(text, typ=None, where=where)
    return KeyBinding(signed, json.read_object(signed.payload, where=f"{where}.payload"))


def read_json(data: bytes | str | dict[str, Any], *, typ: Typ, where: str = "sd_jwt") -> SdJwt:
    """An SD-JWT or SD-JWT+KB in the flattened or general JSON serialisation (RFC 9901 §8), processed.

    With several signatures the first is the token's: it alone may carry disclosures, and it alone is judged. The place
    that drafts gave to `disclosures` and `kb_jwt`, beside `payload`, is read too, but not both places.

    Raises:
        Malformed: `sd_jwt.*`, `jws.*`, `base64url.*`, `json.*`.
    """
    document = data if isinstance(data, dict) else json.read_object(data, where=where)
    signed = jws.read_json(document, typ=typ, where=where, first_of_several=True)
    for index, other in enumerate(document.get("signatures", ())[1:], 1):
        place = f"{where}.signatures[{index}]"
        _refuse_disclosures(json.Fields(other, place).optional_object("header") or {}, f"{place}.header")
    _refuse_disclosures(signed.header, f"{where}.protected")
    members = dict(signed.unprotected)
    for name in _MEMBERS:
        if name in document:
            if name in members:
                raise Malformed("sd_jwt.misplaced", where=where, spec="RFC 9901 §8.1", name=name)
            members[name] = document[name]
    header = json.Fields(members, f"{where}.header")
    texts = header.optional_texts("disclosures") or []
    if len(texts) > limits.DISCLOSURES:
        raise Malformed("sd_jwt.disclosures", where=where, limit=limits.DISCLOSURES)
    parts = [text.encode("utf-8") for text in texts]
    kb_jwt = header.optional_text("kb_jwt")
    binding = None if kb_jwt is None else _read_binding(kb_jwt.encode("utf-8"), f"{where}.header.kb_jwt")
    prefix = b"~".join([signed.compact, *parts, b""])
    return SdJwt(signed, tuple(parts), prefix, binding, process(signed, parts, where))


def _refuse_disclosures(header: Mapping[str, Any], where: str) -> None:
    for name in _MEMBERS:
        if name in header:
            raise Malformed("sd_jwt.misplaced", where=where, spec="RFC 9901 §8.1", name=name)


def process(signed: Jws, disclosures: Collection[bytes], where: str = "sd_jwt") -> Processed:
    """RFC 9901 §7.1 (3) to (5): put each disclosed value in its place, then remove what belongs to the mechanism.

    Raises:
        Malformed: `sd_jwt.*`, `base64url.*`, `json.*`.
    """
    payload = json.read_object(signed.payload, where=f"{where}.payload", nodes=False)
    hash_ = digests.named(payload.pop("_sd_alg", digests.DEFAULT), where)
    if b"" in disclosures:
        raise Malformed("sd_jwt.empty_disclosure", where=where, spec="RFC 9901 §4")
    by_digest = dict(zip(hash_.texts(disclosures), disclosures, strict=True)) if disclosures else {}
    if len(by_digest) != len(disclosures):
        raise Malformed("sd_jwt.disclosure_twice", where=where, spec="RFC 9901 §7.1")
    walk = _Walk(by_digest, where)
    walk.object(payload, (), 1, 0)
    if len(set(walk.seen)) != len(walk.seen):
        raise Malformed("sd_jwt.digest_twice", where=where, spec="RFC 9901 §7.1")
    if by_digest:
        raise Malformed("sd_jwt.unreferenced", where=where, spec="RFC 9901 §7.1", count=len(by_digest))
    return Processed(
        payload,
        walk.hidden,
        MappingProxyType(walk.positions) if walk.positions else _NO_POSITIONS,
        tuple(walk.carriers),
        hash_,
    )


class _Walk:
    """One walk over payload and disclosed values, in place. Each disclosure is taken out of `by_digest` when its digest
    is met, so it can be used once, and what is left at the end was never referenced."""

    __slots__ = ("by_digest", "carriers", "hidden", "nodes", "positions", "seen", "where")

    def __init__(self, by_digest: dict[str, bytes], where: str) -> None:
        self.by_digest = by_digest
        self.where = where
        self.seen: list[str] = []
        self.hidden: dict[Path, bytes] = {}
        self.positions: dict[Path, tuple[int, ...]] = {}
        self.carriers: list[Path] = []
        self.nodes = 0

    def object(self, value: dict[str, Any], path: Path, depth: int, inside: int) -> None:
        self.nodes += len(value)
        if depth > _DEPTH or self.nodes > _NODES:
            raise self._too_much(depth)
        if "..." in value or "_sd_alg" in value:
            raise self._at("sd_jwt.reserved_name", path, name="..." if "..." in value else "_sd_alg")
        found = value.pop("_sd", _ABSENT)
        for name, item in value.items():
            if type(item) in _INNER:
                inner = self.object if type(item) is dict else self.array
                inner(item, (*path, name), depth + 1, inside)
        if found is not _ABSENT:
            self._disclose(value, found, path, depth, inside)

    def _disclose(self, value: dict[str, Any], found: Any, path: Path, depth: int, inside: int) -> None:
        if type(found) is not list or not _ONLY_TEXT.issuperset(map(type, found)):
            raise self._at("sd_jwt.digests", path)
        self.seen += found
        if len(self.seen) > _DIGESTS:
            raise self._too_many()
        self.carriers.append(path)
        by_digest, where = self.by_digest, self.where + ".disclosure"
        for digest in found:
            if digest not in by_digest:
                continue
            if inside >= _INSIDE:
                raise self._too_far_inside(path)
            text = by_digest.pop(digest)
            item = json.scan(base64url.decode(text, where), where)
            if type(item) is not list or len(item) != 3:
                raise self._misshapen(item, path, 3)
            salt, name, content = item
            if type(salt) is not str or type(name) is not str:
                raise self._at("sd_jwt.disclosure_types", path)
            if name in RESERVED:
                raise self._at("sd_jwt.reserved_name", path, name=name)
            if name in value:
                raise self._at("sd_jwt.name_taken", path, name=name)
            value[name] = content
            at = (*path, name)
            self.hidden[at] = text
            if type(content) in _INNER:
                inner = self.object if type(content) is dict else self.array
                inner(content, at, depth + 1, inside + 1)

    def array(self, value: list[Any], path: Path, depth: int, inside: int) -> None:
        self.nodes += len(value)
        if depth > _DEPTH or self.nodes > _NODES:
            raise self._too_much(depth)
        carries = False
        dropped: set[int] = set()
        for index, item in enumerate(value):
            if type(item) is list:
                self.array(item, (*path, index), depth + 1, inside)
            elif type(item) is not dict:
                continue
            elif "..." not in item:
                self.object(item, (*path, index), depth + 1, inside)
            else:
                digest = item["..."]
                if len(item) != 1 or type(digest) is not str:
                    raise self._at("sd_jwt.placeholder", (*path, index))
                carries = True
                self.seen.append(digest)
                if len(self.seen) > _DIGESTS:
                    raise self._too_many()
                text = self.by_digest.pop(digest, None)
                if text is None:
                    dropped.add(index)
                    continue
                if inside >= _INSIDE:
                    raise self._too_far_inside(path)
                where = self.where + ".disclosure"
                disclosed = json.scan(base64url.decode(text, where), where)
                if type(disclosed) is not list or len(disclosed) != 2:
                    raise self._misshapen(disclosed, path, 2)
                salt, content = disclosed
                if type(salt) is not str:
                    raise self._at("sd_jwt.disclosure_types", path)
                value[index] = content
                at = (*path, index)
                self.hidden[at] = text
                if type(content) in _INNER:
                    inner = self.object if type(content) is dict else self.array
                    inner(content, at, depth + 1, inside + 1)
        if carries:
            self.carriers.append(path)
        if dropped:
            kept = [index for index in range(len(value)) if index not in dropped]
            value[:] = [value[index] for index in kept]
            self.positions[path] = tuple(kept)

    def _too_far_inside(self, path: Path) -> Malformed:
        return self._at("sd_jwt.disclosure_depth", path, limit=limits.DISCLOSURE_DEPTH)

    def _misshapen(self, item: Any, path: Path, expected: int) -> Malformed:
        if type(item) is not list:
            return self._at("sd_jwt.disclosure_types", path)
        return self._at("sd_jwt.arity", path, expected=expected, found=len(item))

    def _too_much(self, depth: int) -> Malformed:
        if depth > limits.DEPTH:
            return Malformed("json.too_deep", where=self.where, limit=limits.DEPTH)
        return Malformed("json.too_many_values", where=self.where, limit=limits.NODES)

    def _too_many(self) -> Malformed:
        return Malformed("sd_jwt.digest_count", where=self.where, limit=limits.DIGESTS)

    def _at(self, code: str, path: Path, **facts: str | int) -> Malformed:
        return Malformed(Problem(code, facts, f"{self.where}.payload{pointer(path)}", "RFC 9901 §7.1"))


def pointer(path: Collection[str | int | None]) -> str:
    """`path` for people: `.address.locality`, `.nationalities[1]`, `.nationalities[*]`."""
    return "".join(f".{step}" if isinstance(step, str) else f"[{'*' if step is None else step}]" for step in path)


def select(token: SdJwt, paths: Collection[tuple[str | int | None, ...]]) -> bytes:
    """The presentation of `token` that shows what stands at `paths`, without key binding: ready to send where none is
    asked for, ready for `key_binding.bind` where it is.

    A path names a claim as issued, None every element of an array. The disclosures around it go along (RFC 9901 §7.2);
    those further inside do not, they have paths of their own. Order is as issued, and nothing goes twice.

    Raises:
        Misuse: `sd_jwt.no_such_claim`, for a path that leads to nothing in this token.
    """
    hidden = token.processed.hidden
    chosen: set[bytes] = set()
    for path in paths:
        for place in (path,) if path in hidden else _places(token.processed, path):
            for end in range(1, len(place) + 1):
                around = hidden.get(place[:end])  # type: ignore[arg-type]  # a place holds no None
                if around is not None:
                    chosen.add(around)
    issued = token.prefix[: token.prefix.index(b"~")]
    return b"~".join([issued, *[text for text in token.disclosures if text in chosen], b""])


def _places(processed: Processed, path: tuple[str | int | None, ...]) -> list[Path]:
    """Where the values stand that `path` names, when it is no hidden claim itself."""
    places: list[tuple[Any, Path]] = [(processed.payload, ())]
    for step in path:
        found: list[tuple[Any, Path]] = []
        for value, at in places:
            if type(value) is dict and isinstance(step, str) and step in value:
                found.append((value[step], (*at, step)))
            elif type(value) is list and not isinstance(step, str):
                numbers = processed.positions.get(at, range(len(value)))
                found += [(item, (*at, n)) for n, item in zip(numbers, value, strict=True) if step is None or step == n]
        places = found
    if not places or not path:
        raise Misuse("sd_jwt.no_such_claim", where=pointer(path), path=pointer(path))
    return [at for _, at in places]


def holder_key(payload: Mapping[str, Any], where: str = "cnf") -> PublicKey | None:
    """The key that the credential is bound to: `cnf.jwk` of the processed payload (RFC 7800 §3.2), None without `cnf`.

    Other confirmation methods are refused, also beside it: each would have to be fetched or guessed. Members that are
    no known method are ignored, as RFC 7800 §3.1 demands.

    Raises:
        Malformed: `binding.cnf`, `binding.cnf_method`, `jwk.*`, `key.*`.
    """
    cnf = payload.get("cnf", _ABSENT)
    if cnf is _ABSENT:
        return None
    if type(cnf) is not dict:
        raise Malformed("binding.cnf", where=where, spec="RFC 7800 §3.1", found=json.kind(cnf))
    if "jwk" not in cnf or not _METHODS.isdisjoint(cnf):
        raise Malformed("binding.cnf_method", where=where, spec="RFC 7800 §3", found=", ".join(sorted(cnf)) or "none")
    return jwk.read(json.Fields(cnf, where).object("jwk"), f"{where}.jwk")


def flattened(token: SdJwt, binding: bytes | None = None) -> dict[str, Any]:
    """`token` in the flattened JSON serialisation (RFC 9901 §8), with `binding` as its `kb_jwt`."""
    return jws.flattened(token.jws, _header(token, binding))


def general(token: SdJwt, binding: bytes | None = None) -> dict[str, Any]:
    """`token` in the general JSON serialisation, with one signature."""
    return jws.general(token.jws, _header(token, binding))


def _header(token: SdJwt, binding: bytes | None) -> dict[str, Any]:
    header: dict[str, Any] = {"disclosures": [text.decode("ascii") for text in token.disclosures]}
    if binding is not None:
        header["kb_jwt"] = binding.decode("ascii")
    elif token.binding is not None:
        header["kb_jwt"] = token.binding.jws.compact.decode("ascii")
    return header
