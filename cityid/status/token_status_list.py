"""Token Status List (draft-ietf-oauth-status-list-20): a signed array of small numbers, one a token; as JWT or as CWT.

Entry `i` is `(bytes[i * bits // 8] >> (i * bits % 8)) & (2**bits - 1)`: the least significant bit comes first (§4.1).
The W3C's lists have it the other way round; nothing here is shared with them.

    packed = build({88120: 2}, bits=2, size=131_072)
    token = issue(packed, uri, signer, signed_by=DidUrl(did, "issuer-1"), at=at, lifetime=..., ttl=...)
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from cityid import limits
from cityid.cose import sign1
from cityid.credential import CertificateChain, DidUrl, KeyPlace
from cityid.encoding import base64url, cbor, json, times
from cityid.errors import Malformed, Misuse, Refused
from cityid.jose import jws
from cityid.keys import PublicKey, Signer
from cityid.status import names
from cityid.status.names import CWT, JWT

__all__ = [
    "CWT",
    "JWT",
    "KIND",
    "Form",
    "Packed",
    "StatusList",
    "Token",
    "build",
    "issue",
    "read",
    "read_aggregation",
    "write_aggregation",
]  # fmt: skip

Form: TypeAlias = Literal["jwt", "cwt"]
KIND: Final = names.TOKEN
_JWT_TYP: Final = "statuslist+jwt"
_END: Final = 253402300799
"""The last second of the year 9999, after which no reader of ours knows a time."""
BITS: Final = (1, 2, 4, 8)
_ISS, _SUB, _EXP, _NBF, _IAT, _TTL, _STATUS_LIST, _STATUS = 1, 2, 4, 5, 6, 65534, 65533, 65535
"""Claims of a CWT (RFC 8392 §3.1, §14.4 here)."""


@dataclass(frozen=True, slots=True)
class StatusList:
    """A list as it is looked up: `bits` an entry (1, 2, 4 or 8), the least significant first."""

    bits: int
    data: bytes = field(repr=False)

    def __len__(self) -> int:
        """How many entries there are, those that only fill the last byte included."""
        return len(self.data) * 8 // self.bits

    @property
    def nbytes(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> int:
        """Raises Refused `status.index` for an entry that is not in the list (§8.3)."""
        bits = self.bits
        place = index * bits
        if place < 0 or place >= len(self.data) << 3:
            raise Refused("status.index", spec="Token Status List §8.3", index=index, size=len(self))
        return self.data[place >> 3] >> (place & 7) & ((1 << bits) - 1)

    def nonzero(self) -> dict[int, int]:
        """The entries that are not 0; bytes that are 0 are passed over quickly."""
        bits, mask = self.bits, (1 << self.bits) - 1
        return {
            (place << 3 | shift) // bits: value
            for run in re.finditer(rb"[^\0]+", self.data)
            for place in range(*run.span())
            for shift in range(0, 8, bits)
            if (value := self.data[place] >> shift & mask)
        }


@dataclass(frozen=True, slots=True)
class Packed:
    """A list as it travels: `lst` is its bytes compressed in the ZLIB format (§4.1)."""

    bits: int
    lst: bytes = field(repr=False)

    def unpack(self) -> StatusList:
        """Raises Malformed `status_list.*`."""
        return StatusList(self.bits, _inflate(self.lst))


# -- issuing --


def build(values: Mapping[int, int], *, bits: int, size: int, smallest: bool = False) -> Packed:
    """The list of `size` entries of which those in `values` are not 0 (`register.Bits` has both).

    Runs are compressed and nothing else is looked for, which takes a hundredth of the time of the highest level that
    §4.1 recommends and, where indices were drawn at random, at most 9 % more bytes; `smallest` takes that level, for a
    list that is fetched often.

    Raises:
        Misuse: `status_list.bits_unknown`, `status_list.size`, `status_list.entry`.
    """
    if bits not in BITS:
        raise Misuse("status_list.bits_unknown", spec="Token Status List §4.1", bits=bits)
    if not 0 < size * bits <= limits.STATUS_LIST * 8:
        raise Misuse("status_list.size", size=size, limit=limits.STATUS_LIST * 8 // bits)
    data = bytearray((size * bits + 7) // 8)
    if values:
        _fill(data, values, bits, size)
    # Runs only (RFC 1951 has no other name for it): `level` then changes nothing.
    level, strategy = (9, zlib.Z_DEFAULT_STRATEGY) if smallest else (6, zlib.Z_RLE)
    packer = zlib.compressobj(level, zlib.DEFLATED, zlib.MAX_WBITS, 9, strategy)
    return Packed(bits, packer.compress(data) + packer.flush())


def _fill(data: bytearray, values: Mapping[int, int], bits: int, size: int) -> None:
    # The common list, where most of the time goes: entries that are revoked, and nothing else.
    plain = bits == 1 and list(values.values()).count(1) == len(values)
    if not plain:
        for value in set(values.values()):
            if not 0 <= value < 1 << bits:
                index = next(index for index, each in values.items() if each == value)
                raise Misuse("status_list.entry", index=index, value=value)
    # That no index is too great is ordinarily seen by there being no such byte, which costs nothing.
    lowest, masks = min(values), _MASKS
    try:
        if plain:
            for index in values:
                data[index >> 3] |= masks[index & 7]
        else:
            for index, value in values.items():
                place = index * bits
                data[place >> 3] |= value << (place & 7)
        outside = bool(size * bits & 7) and max(values) >= size
    except IndexError:
        outside = True
    if lowest < 0 or outside:
        index = lowest if lowest < 0 else max(values)
        raise Misuse("status_list.entry", index=index, value=values[index])


_MASKS: Final = (1, 2, 4, 8, 16, 32, 64, 128)


def issue(
    packed: Packed,
    uri: str,
    signer: Signer,
    *,
    signed_by: KeyPlace,
    at: datetime,
    lifetime: timedelta,
    ttl: timedelta,
    form: Form = "jwt",
    aggregation_uri: str = "",
) -> bytes:
    """The status list token (§5): signed at `at`, to be asked for again after `ttl`, not to be relied on from `at +
    lifetime` on. `uri` is what the credentials name. Deterministic but for the signature.

    Raises:
        Misuse: `status_list.window`, unless 0 < ttl <= lifetime in whole seconds, all before the year 10000;
            `status_list.wrong_key`, for a certificate of another key.
        Unavailable: `keys.unavailable`.
    """
    iat, seconds = times.numeric(at), int(ttl.total_seconds())
    exp = iat + int(lifetime.total_seconds())
    if not 0 < seconds <= exp - iat or exp > _END:
        raise Misuse("status_list.window", ttl=seconds, lifetime=exp - iat)
    chain, kid, iss = _named(signed_by, signer.public_key)
    inside: dict[str, Any] = {"bits": packed.bits}
    if form == "cwt":
        header: dict[int, Any] = {sign1.TYP: CWT}
        if chain:
            header[sign1.X5CHAIN] = chain[0] if len(chain) == 1 else list(chain)
        elif kid:
            header[sign1.KID] = kid.encode("utf-8")
        inside["lst"] = packed.lst
        members: dict[int, Any] = {_SUB: uri, _IAT: iat, _EXP: exp, _TTL: seconds, _STATUS_LIST: inside}
        if iss:
            members[_ISS] = iss
        if aggregation_uri:
            inside["aggregation_uri"] = aggregation_uri
        return sign1.sign(cbor.write(members), signer, header)
    named: dict[str, Any] = {"typ": _JWT_TYP}
    if chain:
        named["x5c"] = [base64.b64encode(der).decode("ascii") for der in chain]
    elif kid:
        named["kid"] = kid
    inside["lst"] = base64url.encode(packed.lst)
    if aggregation_uri:
        inside["aggregation_uri"] = aggregation_uri
    claims: dict[str, Any] = {"iss": iss} if iss else {}
    claims |= {"sub": uri, "iat": iat, "exp": exp, "ttl": seconds, KIND: inside}
    return jws.sign_segments(jws.protected(named, signer.public_key), json.write(claims), signer)


def _named(place: KeyPlace, key: PublicKey) -> tuple[tuple[bytes, ...], str, str]:
    """How a token says whose key it is: certificates, or `kid`, and `iss` where a name stands beside the key."""
    if isinstance(place, CertificateChain):
        from cityid.keys import x509

        if not place.certificates or x509.public_key(place.certificates[0]) != key:
            raise Misuse("status_list.wrong_key", thumbprint=key.thumbprint)
        return place.certificates, "", ""
    if isinstance(place, DidUrl):
        return (), str(place) if place.fragment else "", place.did
    return (), place.kid, place.issuer


# -- reading --


@dataclass(frozen=True, slots=True)
class Token:
    """A status list token as read; reading it believes nothing. `iat` is when it begins: the later of its claims `iat`
    and `nbf`. `ttl` is None where the issuer gave none. `kid` and `chain` say where its key is said to be."""

    form: Form
    uri: str
    iat: datetime
    exp: datetime | None
    ttl: timedelta | None
    packed: Packed
    aggregation_uri: str
    iss: str
    kid: str
    chain: CertificateChain | None
    signed: jws.Jws | sign1.Sign1 = field(repr=False)

    def check(self, key: PublicKey) -> None:
        """Is it signed by `key`?

        Raises:
            Refused: `jws.alg`, `cose.alg`, `cose.detached`, `signature.invalid`.
        """
        if isinstance(self.signed, jws.Jws):
            jws.check(self.signed, key)
        else:
            sign1.check(self.signed, key)

    def entries(self) -> StatusList:
        """The list itself: for those who have checked the signature. Raises Malformed `status_list.*`."""
        return self.packed.unpack()


def read(body: bytes, form: Form) -> Token:
    """The token in `body` (§5); its list stays packed.

    Raises:
        Malformed: `jws.*`, `cose.*`, `json.*`, `cbor.*`, `base64url.*`, `time.*`, `status_list.*`.
    """
    return _read_jwt(body) if form == "jwt" else _read_cwt(body)


def _read_jwt(body: bytes) -> Token:
    signed = jws.read_compact(body, typ=_JWT_TYP, where="status_list", limit=limits.STATUS_TOKEN)
    header = json.Fields(dict(signed.header), "$")
    claims = json.Fields(json.read_object(signed.payload, where="$", limit=limits.STATUS_TOKEN))
    if "status" in claims:
        raise Malformed("status_list.own_status", where="$.status")
    inside = claims.fields(KIND)
    ttl = claims.number("ttl") if "ttl" in claims else None
    return Token(
        form="jwt",
        uri=claims.text("sub"),
        iat=_begin(claims.integer("iat"), claims.integer("nbf") if "nbf" in claims else 0, ("$.iat", "$.nbf")),
        exp=times.read_numeric(claims.integer("exp"), "$.exp") if "exp" in claims else None,
        ttl=None if ttl is None else _ttl(ttl),
        packed=Packed(_bits(inside.integer("bits")), base64url.decode(inside.text("lst"), inside.at("lst"))),
        aggregation_uri=inside.optional_text("aggregation_uri") or "",
        iss=claims.optional_text("iss") or "",
        kid=header.optional_text("kid") or "",
        chain=_x5c(header.texts("x5c")) if "x5c" in header else None,
        signed=signed,
    )


def _read_cwt(body: bytes) -> Token:
    # §5.2: tagged as COSE_Sign1, and not as CWT
    signed = sign1.read(body, typ=CWT, tagged=True, where="status_list", limit=limits.STATUS_TOKEN)
    claims = cbor.read(signed.payload or b"", where="$", limit=limits.STATUS_TOKEN)
    if type(claims) is not dict:
        raise Malformed("status_list.no_claims", where="$", spec="RFC 8392 §7.2")
    if _STATUS in claims:
        raise Malformed("status_list.own_status", where=f"$.{_STATUS}")
    inside = cbor.member(claims, _STATUS_LIST, dict, "$")
    where = f"$.{_STATUS_LIST}"
    kid = signed.header(sign1.KID)
    return Token(
        form="cwt",
        uri=cbor.member(claims, _SUB, str, "$"),
        iat=_begin(
            cbor.member(claims, _IAT, int, "$"),
            cbor.member(claims, _NBF, int, "$") if _NBF in claims else 0,
            ("$.6", "$.5"),
        ),
        exp=times.read_numeric(cbor.member(claims, _EXP, int, "$"), "$.4") if _EXP in claims else None,
        ttl=_ttl(cbor.member(claims, _TTL, int, "$")) if _TTL in claims else None,
        packed=Packed(_bits(cbor.member(inside, "bits", int, where)), cbor.member(inside, "lst", bytes, where)),
        aggregation_uri=cbor.member(inside, "aggregation_uri", str, where) if "aggregation_uri" in inside else "",
        iss=cbor.member(claims, _ISS, str, "$") if _ISS in claims else "",
        kid=kid.decode("utf-8", "replace") if type(kid) is bytes else "",
        chain=_x5chain(signed.header(sign1.X5CHAIN)),
        signed=signed,
    )


def _begin(iat: int, nbf: int, where: tuple[str, str]) -> datetime:
    """RFC 7519 §4.1.5: before `nbf` a token must not be accepted, whenever it was made."""
    return max(times.read_numeric(iat, where[0]), times.read_numeric(nbf, where[1]))


def _bits(bits: int) -> int:
    if bits not in BITS:
        raise Malformed("status_list.bits", spec="Token Status List §4.2", bits=bits)
    return bits


def _ttl(seconds: float) -> timedelta:
    """As the issuer would like it; who schedules by it clamps it first."""
    if seconds <= 0:
        raise Malformed("status_list.ttl", spec="Token Status List §5.1", ttl=str(seconds)[:40])
    return timedelta(seconds=min(seconds, 10**9))


def _x5c(texts: list[str]) -> CertificateChain:
    return _chain([base64url.decode_standard(text, f"$.x5c[{n}]") for n, text in enumerate(texts)])


def _x5chain(value: Any) -> CertificateChain | None:
    """RFC 9360 §2: one certificate as it is, several as an array."""
    if value is None:
        return None
    return _chain(value if type(value) is list else [value])


def _chain(certificates: list[Any]) -> CertificateChain:
    if not 0 < len(certificates) <= limits.CHAIN or not all(type(der) is bytes for der in certificates):
        raise Malformed("status_list.chain", spec="RFC 7515 §4.1.6", limit=limits.CHAIN)
    return CertificateChain(tuple(certificates))


def _inflate(data: bytes) -> bytes:
    """ZLIB (RFC 1950) and nothing else, in one pass that stops at the ceiling."""
    inflater = zlib.decompressobj()
    try:
        found = inflater.decompress(data, limits.STATUS_LIST + 1)
    except zlib.error:
        raise Malformed("status_list.not_zlib", spec="Token Status List §4.1") from None
    if len(found) > limits.STATUS_LIST:
        raise Malformed("status_list.too_large", limit=limits.STATUS_LIST)
    if not inflater.eof:
        raise Malformed("status_list.truncated", spec="RFC 1950 §2.3")
    if inflater.unused_data:
        raise Malformed("status_list.trailing", spec="RFC 1950 §2.3")
    return found


# -- aggregation --


def read_aggregation(body: bytes) -> tuple[str, ...]:
    """The lists that an issuer's aggregation names (§9.3), each once.

    Raises:
        Malformed: `json.*`, `status_list.aggregation_too_long`.
    """
    uris = json.Fields(json.read_object(body)).texts("status_lists")
    if len(uris) > limits.STATUS_LISTS:
        raise Malformed("status_list.aggregation_too_long", limit=limits.STATUS_LISTS, found=len(uris))
    return tuple(dict.fromkeys(uris))


def write_aggregation(uris: Iterable[str]) -> bytes:
    """The aggregation of an issuer's lists (§9.3), to be served as `application/json`."""
    return json.write({"status_lists": list(uris)})
