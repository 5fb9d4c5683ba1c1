"""Bitstring Status List 1.0 (W3C Recommendation, 15 May 2025): a credential whose subject is an array of small numbers,
for one purpose or several.

Entry 0 is at the left: `(bytes[i >> 3] >> (7 - (i & 7))) & 1`, the most significant bit first. The IETF's lists have it
the other way round; nothing here is shared with them.

    packed = build({94567: 1}, size=131_072)
    signed = issue(packed, uri, signer, signed_by=DidUrl(did, "issuer-1"), issuer=did, at=at, lifetime=..., ttl=...)
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from cityid import limits
from cityid.encoding import base64url, json, times
from cityid.errors import Malformed, Misuse, Refused
from cityid.status import names

__all__ = ["KIND", "LEAST", "Bitstring", "Entry", "Packed", "build", "credential", "decode", "encode", "read_entry"]

KIND: Final = names.BITSTRING
LIST: Final = "BitstringStatusListCredential"
SUBJECT: Final = "BitstringStatusList"
LEAST: Final = 131_072
"""Entries that a list has at least, so that nobody stands out in it (§3.1)."""
SIZES: Final = 16
"""Bits of an entry at most: each of its values has a message."""
V2: Final = "https://www.w3.org/ns/credentials/v2"
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,15}")
_HEX: Final = re.compile(r"0x(?:0|[1-9a-fA-F][0-9a-fA-F]{0,3})")
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
_GZIP: Final = 16 + zlib.MAX_WBITS
_SPEC: Final = "Bitstring Status List 1.0"


# -- the list --


@dataclass(frozen=True, slots=True)
class Bitstring:
    """A list as it is looked up: `bits` an entry, the most significant first. `purposes` is what its values are for,
    `messages` what they say, where the list says so; `bits` is None where the list leaves that to its entries."""

    data: bytes = field(repr=False)
    bits: int | None = None
    purposes: tuple[str, ...] = ()
    messages: Mapping[int, str] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        """How many entries of its own size there are."""
        return len(self.data) * 8 // (self.bits or 1)

    @property
    def nbytes(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> int:
        """The value of an entry of the list's own size. Raises as `value`."""
        return self.value(index, self.bits or 1)

    def value(self, index: int, bits: int) -> int:
        """The value of the entry `index`, where each has `bits` (§3.2).

        Raises:
            Refused: `status.index` for an entry that is not in the list.
        """
        place = index * bits
        if index < 0 or place + bits > len(self.data) << 3:
            raise Refused("status.index", spec=f"{_SPEC} §3.2", index=index, size=len(self.data) * 8 // bits)
        if bits == 1:
            return self.data[place >> 3] >> (7 - (place & 7)) & 1
        end = place + bits
        span = int.from_bytes(self.data[place >> 3 : (end + 7) >> 3], "big")
        return span >> (-end & 7) & ((1 << bits) - 1)


@dataclass(frozen=True, slots=True)
class Packed:
    """A list as it travels: `encoded` is multibase, base64url of its bytes as GZIP (§3.3)."""

    bits: int
    encoded: str = field(repr=False)


def build(values: Mapping[int, int], *, size: int, bits: int = 1, smallest: bool = False) -> Packed:
    """The list of `size` entries (131,072 at least) of which those in `values` are not 0. Runs are compressed and
    nothing else is looked for, unless the `smallest` is wanted.

    Raises:
        Misuse: `bitstring.bits`, `bitstring.size`, `bitstring.value`.
    """
    if not 1 <= bits <= SIZES:
        raise Misuse("bitstring.bits", spec=f"{_SPEC} §2.1", bits=bits, limit=SIZES)
    size = max(size, LEAST)
    if size * bits > limits.STATUS_LIST * 8:
        raise Misuse("bitstring.size", size=size, limit=limits.STATUS_LIST * 8 // bits)
    data = bytearray((size * bits + 7) // 8)
    if values and not (
        min(values) >= 0 and max(values) < size and min(values.values()) >= 0 and max(values.values()) < 1 << bits
    ):
        wrong = ((at, value) for at, value in values.items() if not 0 <= at < size or not 0 <= value < 1 << bits)
        index, value = next(wrong)
        raise Misuse("bitstring.value", index=index, value=value)
    if bits == 1:
        masks = _MASKS
        for index, value in values.items():
            if value:
                data[index >> 3] |= masks[index & 7]
    else:
        for index, value in values.items():
            _put(data, index * bits, bits, value)
    return Packed(bits, encode(bytes(data), smallest=smallest))


_MASKS: Final = (128, 64, 32, 16, 8, 4, 2, 1)


def _put(data: bytearray, place: int, bits: int, value: int) -> None:
    first, end = place >> 3, place + bits
    last = (end + 7) >> 3
    span = int.from_bytes(data[first:last], "big") | value << (-end & 7)
    data[first:last] = span.to_bytes(last - first, "big")


def encode(data: bytes, *, smallest: bool = False) -> str:
    """`encodedList` of a list's bytes (§3.3). The same bytes give the same text."""
    level, strategy = (9, zlib.Z_DEFAULT_STRATEGY) if smallest else (6, zlib.Z_RLE)
    packer = zlib.compressobj(level, zlib.DEFLATED, _GZIP, 9, strategy)
    return "u" + base64url.encode(packer.compress(data) + packer.flush())


def decode(encoded: str, where: str = "") -> bytes:
    """The bytes of an `encodedList` (§3.4): multibase `u`, and exactly one member of GZIP, in one pass that stops at
    the ceiling.

    Raises:
        Malformed: `bitstring.multibase`, `bitstring.not_gzip`, `bitstring.too_large`, `bitstring.truncated`,
            `bitstring.trailing`, `base64url.*`.
    """
    if encoded[:1] != "u":
        raise Malformed("bitstring.multibase", where=where, spec=f"{_SPEC} §2.2", base=encoded[:1])
    data = base64url.decode(encoded[1:], where)
    inflater = zlib.decompressobj(_GZIP)
    try:
        found = inflater.decompress(data, limits.STATUS_LIST + 1)
    except zlib.error:
        raise Malformed("bitstring.not_gzip", where=where, spec=f"{_SPEC} §3.4") from None
    if len(found) > limits.STATUS_LIST:
        raise Malformed("bitstring.too_large", where=where, limit=limits.STATUS_LIST)
    if not inflater.eof:
        raise Malformed("bitstring.truncated", where=where, spec="RFC 1952 §2.2")
    if inflater.unused_data:
        raise Malformed("bitstring.trailing", where=where, spec="RFC 1952 §2.2")
    return found


# -- an entry --


@dataclass(frozen=True, slots=True)
class Entry:
    """What `credentialStatus` says (§2.1). `messages` are by value; empty where there are none."""

    purpose: str
    index: int
    uri: str
    bits: int
    messages: Mapping[int, str]
    references: tuple[str, ...] = ()


def read_entry(entry: Mapping[str, Any], where: str = "$.credentialStatus") -> Entry:
    """One entry of `credentialStatus`.

    Raises:
        Malformed: `json.*`, `bitstring.entry_*`.
    """
    fields = json.Fields(dict(entry), where)
    kind = fields.value.get("type")
    if kind != KIND and kind != [KIND]:
        raise Malformed("bitstring.entry_type", where=fields.at("type"), spec=f"{_SPEC} §2.1")
    purpose, text, uri = (
        fields.text("statusPurpose"),
        fields.text("statusListIndex"),
        fields.text("statusListCredential"),
    )
    if not purpose:
        raise Malformed("bitstring.entry_purpose", where=fields.at("statusPurpose"), spec=f"{_SPEC} §2.1")
    # `int` reads much that is no decimal integer: white space, signs, underscores, the digits of every script.
    if not _INDEX.fullmatch(text):
        raise Malformed("bitstring.entry_index", where=fields.at("statusListIndex"), spec=f"{_SPEC} §2.1", found=text)
    if not _URL.fullmatch(uri):
        raise Malformed("bitstring.entry_url", where=fields.at("statusListCredential"), spec=f"{_SPEC} §2.1", found=uri)
    if fields.optional_text("id") == uri:
        raise Malformed("bitstring.entry_id", where=fields.at("id"), spec=f"{_SPEC} §2.1")
    bits = fields.optional_integer("statusSize")
    if bits is not None and not 1 <= bits <= SIZES:
        raise Malformed("bitstring.entry_size", where=fields.at("statusSize"), spec=f"{_SPEC} §2.1", bits=bits)
    messages = read_messages(fields, "statusMessage", bits or 1)
    if bits is not None and bits > 1 and not messages:
        raise Malformed(
            "bitstring.messages", where=fields.at("statusMessage"), spec=f"{_SPEC} §2.1", expected=1 << bits
        )
    return Entry(purpose, int(text), uri, bits or 1, messages, _references(fields))


def read_messages(fields: json.Fields, name: str, bits: int) -> Mapping[int, str]:
    """A message for each value that an entry of so many bits can have; none where there is no such member.

    Raises:
        Malformed: `json.*`, `bitstring.message_status`, `bitstring.messages`.
    """
    if name not in fields:
        return {}
    found: dict[int, str] = {}
    items = fields.array(name)
    for index, item in enumerate(items[: (1 << bits) + 1]):
        one = json.Fields(item, f"{fields.at(name)}[{index}]")
        text = one.text("status")
        if not _HEX.fullmatch(text):
            raise Malformed("bitstring.message_status", where=one.at("status"), spec=f"{_SPEC} §2.1", found=text)
        found[int(text, 16)] = one.text("message")
    if len(items) != 1 << bits or found.keys() != set(range(1 << bits)):
        raise Malformed("bitstring.messages", where=fields.at(name), spec=f"{_SPEC} §2.1", expected=1 << bits)
    return found


def _references(fields: json.Fields) -> tuple[str, ...]:
    found = fields.value.get("statusReference", [])
    urls = found if type(found) is list else [found]
    for url in urls:
        if type(url) is not str or not _URL.fullmatch(url):
            raise Malformed("bitstring.entry_reference", where=fields.at("statusReference"), spec=f"{_SPEC} §2.1")
    return tuple(urls)


# -- the credential around a list --


def credential(
    packed: Packed,
    uri: str,
    *,
    issuer: str,
    at: datetime,
    lifetime: timedelta,
    ttl: timedelta,
    purposes: Iterable[str] = ("revocation",),
    messages: Mapping[int, str] | None = None,
) -> dict[str, Any]:
    """The list as a credential (§2.2), to be secured: good from `at` on for `lifetime`, to be asked for again after
    `ttl` (milliseconds on the wire).

    Raises:
        Misuse: `bitstring.window`, unless 0 < ttl <= lifetime; `bitstring.no_purpose`.
    """
    named = list(purposes)
    if not named or "" in named:
        raise Misuse("bitstring.no_purpose")
    milliseconds = int(ttl.total_seconds() * 1000)
    if not 0 < milliseconds <= int(lifetime.total_seconds() * 1000):
        raise Misuse("bitstring.window", ttl=milliseconds, lifetime=int(lifetime.total_seconds() * 1000))
    subject: dict[str, Any] = {
        "id": f"{uri}#list",
        "type": SUBJECT,
        "statusPurpose": named[0] if len(named) == 1 else named,
        "encodedList": packed.encoded,
        "ttl": milliseconds,
    }
    if packed.bits > 1:
        subject["statusSize"] = packed.bits
    if messages:
        subject["statusMessages"] = [{"status": hex(value), "message": messages[value]} for value in sorted(messages)]
    return {
        "@context": [V2],
        "id": uri,
        "type": ["VerifiableCredential", LIST],
        "issuer": issuer,
        "validFrom": times.stamp(at),
        "validUntil": times.stamp(at + lifetime),
        "credentialSubject": subject,
    }
