"""What the entries of a log say about the log itself (did:webvh 1.0, DID Method Parameters)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from cityid import limits
from cityid.did.webvh.identifier import METHOD
from cityid.encoding.json import Fields
from cityid.errors import Malformed, Refused
from cityid.keys import Algorithm, PublicKey, multikey

_SPEC: Final = "did:webvh 1.0, DID Method Parameters"
_WITNESSES: Final = "did:webvh 1.0, The witness Parameter"
_NAMES: Final = frozenset(
    {
        "method", "scid", "updateKeys", "nextKeyHashes", "witness", "watchers", "portable", "deactivated", "ttl",
    }
)  # fmt: skip
_NULL: Final[Mapping[str, Any]] = {"updateKeys": [], "nextKeyHashes": [], "witness": {}, "watchers": [], "ttl": 3600}
"""What null stood for in early logs: resolvers should still take it so."""
_TTL: Final = 2**31


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Whose word a new entry needs: at least `threshold` of the did:key DIDs whose bodies are `keys`."""

    threshold: int
    keys: tuple[str, ...]

    def write(self) -> dict[str, Any]:
        return {"threshold": self.threshold, "witnesses": [{"id": f"did:key:{key}"} for key in self.keys]}


@dataclass(frozen=True, slots=True)
class Parameters:
    """What is in force after an entry. `update_keys` are Multikeys as written; `ttl` is in seconds."""

    method: str
    scid: str
    update_keys: tuple[str, ...]
    next_key_hashes: tuple[str, ...] = ()
    witness: Witnesses | None = None
    watchers: tuple[str, ...] = ()
    portable: bool = False
    deactivated: bool = False
    ttl: int = 3600


def first(value: Mapping[str, Any], where: str) -> Parameters:
    """The parameters of the first entry.

    Raises:
        Malformed, Refused: as `after`; `json.missing`.
    """
    fields = _fields(value, where)
    method, scid, keys = _method(fields), fields.text("scid"), _texts(fields, "updateKeys")
    portable = fields.boolean("portable") if "portable" in fields else False
    return Parameters(method, scid, keys, portable=portable, **_common(fields))


def after(before: Parameters, value: Mapping[str, Any], where: str) -> Parameters:
    """The parameters after a later entry: what it does not name stays in force.

    Raises:
        Malformed: `json.unknown_member`, `json.wrong_type`, `did.webvh_too_many`, `did.webvh_ttl`;
            `did.webvh_witness_*`.
        Refused: `did.webvh_method`, `did.webvh_scid_again`, `did.webvh_portable`, `did.webvh_not_committed`.
    """
    committed = before.next_key_hashes
    if not value and not committed:
        return before
    fields = _fields(value, where)
    if committed:
        for name in ("updateKeys", "nextKeyHashes"):
            if name not in fields:
                raise Refused("did.webvh_not_committed", where=fields.at(name), spec=_SPEC, name=name)
    if "scid" in fields:
        raise Refused("did.webvh_scid_again", where=fields.at("scid"), spec=_SPEC)
    if "method" in fields:
        _method(fields)
    changes: dict[str, Any] = {}
    if "updateKeys" in fields:
        changes["update_keys"] = _texts(fields, "updateKeys")
    if "portable" in fields:
        if fields.boolean("portable"):
            raise Refused("did.webvh_portable", where=fields.at("portable"), spec=_SPEC)
        changes["portable"] = False
    return replace(before, **changes, **_common(fields))


def _fields(value: Mapping[str, Any], where: str) -> Fields:
    if None in value.values():
        value = {name: _NULL[name] if item is None and name in _NULL else item for name, item in value.items()}
    fields = Fields(value, where)
    fields.only(_NAMES)
    return fields


def _common(fields: Fields) -> dict[str, Any]:
    """What may stand in any entry, by the names of `Parameters`."""
    made: dict[str, Any] = {}
    if "nextKeyHashes" in fields:
        made["next_key_hashes"] = _texts(fields, "nextKeyHashes")
    if "witness" in fields:
        made["witness"] = _witnesses(fields.fields("witness"))
    if "watchers" in fields:
        made["watchers"] = _texts(fields, "watchers")
    if "deactivated" in fields:
        made["deactivated"] = fields.boolean("deactivated")
    if "ttl" in fields:
        ttl = fields.integer("ttl")
        if not 0 <= ttl <= _TTL:
            raise Malformed("did.webvh_ttl", where=fields.at("ttl"), spec=_SPEC, found=ttl)
        made["ttl"] = ttl
    return made


def _method(fields: Fields) -> str:
    found = fields.text("method")
    if found != METHOD:
        raise Refused("did.webvh_method", where=fields.at("method"), spec=_SPEC, found=found)
    return found


def _texts(fields: Fields, name: str) -> tuple[str, ...]:
    found = fields.texts(name)
    if len(found) > limits.WEBVH_KEYS:
        raise Malformed("did.webvh_too_many", where=fields.at(name), limit=limits.WEBVH_KEYS)
    return tuple(found)


def _witnesses(fields: Fields) -> Witnesses | None:
    if not fields.value:
        return None
    fields.only(("threshold", "witnesses"))
    threshold, listed = fields.integer("threshold"), fields.array("witnesses")
    if len(listed) > limits.WEBVH_KEYS:
        raise Malformed("did.webvh_too_many", where=fields.at("witnesses"), limit=limits.WEBVH_KEYS)
    keys: dict[str, None] = {}
    for index, item in enumerate(listed):
        one = Fields(item, f"{fields.at('witnesses')}[{index}]")
        # Some writers leave `did:key:` out: the key is the same, and it is by keys that they are told apart.
        key = one.text("id").removeprefix("did:key:")
        update_key(key, one.at("id"))
        if key in keys:
            raise Malformed("did.webvh_witness_twice", where=one.at("id"), spec=_WITNESSES, found=key)
        keys[key] = None
    if not 1 <= threshold <= len(keys):
        raise Malformed(
            "did.webvh_witness_threshold",
            where=fields.at("threshold"),
            spec=_WITNESSES,
            found=threshold,
            count=len(keys),
        )
    return Witnesses(threshold, tuple(keys))


def update_key(text: str, where: str) -> PublicKey:
    """The Ed25519 key of a Multikey: the only kind that eddsa-jcs-2022 knows.

    Raises:
        Malformed: `did.webvh_key_kind`; what `multikey.read` finds wrong.
    """
    try:
        return _known(text)
    except Malformed:
        return _key(text, where)  # what is wrong with it, and where


@lru_cache(maxsize=256)
def _known(text: str) -> PublicKey:
    """A city's keys stand in each entry that they sign, and a witness's in many logs. Errors are not remembered."""
    return _key(text, "")


def _key(text: str, where: str) -> PublicKey:
    key = multikey.read(text, where)
    if key.algorithm is not Algorithm.EDDSA:
        raise Malformed("did.webvh_key_kind", where=where, spec=_SPEC, algorithm=key.algorithm.value)
    return key
