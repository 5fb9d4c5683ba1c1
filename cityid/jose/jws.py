"""JSON Web Signature (RFC 7515): reading, checking, signing. Asymmetric only; a JWE is refused by name.

Four rules: the algorithm comes from the key and the header must agree; a header is data, so `jwk`, `jku`, `x5u` and
`x5c` in it are never used here; no extension is understood, so any `crit` is refused; `typ` is compared character by
character with the short form that each specification gives (no `application/` prefix, no other case).
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from cityid import limits
from cityid.encoding import base64url, json
from cityid.errors import Malformed, Misuse, Refused
from cityid.keys import PublicKey, Signer, jwk

Typ: TypeAlias = str | Collection[str] | None
"""The `typ` that is expected: one, one of several, or None where the caller asks no question (or another one)."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_NEVER: Final = frozenset({"alg", "b64", "crit"})
_SHORT: Final = 512
"""Characters of a header that is worth remembering: one with a key's name in it, not with a chain of certificates."""


class Jws(NamedTuple):
    """One signature as read; reading it believes nothing. `header` is protected, `unprotected` (JSON serialisations
    only) is not and decides nothing. `signing_input` is `protected.payload` as received."""

    # A tuple, because making one costs a third of a frozen dataclass, and each verification makes several.
    header: Mapping[str, Any]
    payload: bytes
    signature: bytes
    signing_input: bytes
    unprotected: Mapping[str, Any] = _NOTHING

    def __repr__(self) -> str:
        return f"Jws(header={self.header!r})"

    @property
    def compact(self) -> bytes:
        """The compact serialisation."""
        return self.signing_input + b"." + segment(self.signature)


def segment(data: bytes) -> bytes:
    """`data` in base64url, as bytes."""
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").translate(_TO_URL)


def read_compact(
    token: bytes | str, *, typ: Typ, where: str = "jws", limit: int = limits.DOCUMENT,
    decode: Callable[[bytes, str], bytes] = base64url.decode,
) -> Jws:  # fmt: skip
    """The compact serialisation (RFC 7515 §7.1); `limit` is in characters. `decode` is `base64url.decode`, or does as
    that does in another way, for the payload.

    Raises:
        Malformed: `jws.*`, `base64url.*`, `json.*` (header).
    """
    if len(token) > limit:
        raise Malformed("jws.too_large", where=where, limit=limit, size=len(token))
    if isinstance(token, str):
        token = token.encode("utf-8", "surrogatepass")
    if token.startswith(b"{"):
        if b'"ciphertext"' in token:
            raise Malformed("jws.is_jwe", where=where)
        raise Malformed("jws.is_json", where=where, spec="RFC 7515 §7.1")
    # Searching is quicker than splitting, which looks at each character by itself.
    first = token.find(b".")
    second = token.find(b".", first + 1)
    if first < 0 or second < 0 or token.find(b".", second + 1) >= 0:
        found = token.count(b".") + 1
        if found == 5:
            raise Malformed("jws.is_jwe", where=where)
        raise Malformed("jws.segments", where=where, spec="RFC 7515 §7.1", found=found)
    protected, payload, signature = token[:first], token[first + 1 : second], token[second + 1 :]
    if len(protected) <= _SHORT and (typ is None or isinstance(typ, str | tuple)):
        header = _recurring(protected, typ, where)
    else:
        header = _read_header(protected, typ, where)
    return Jws(
        header,
        decode(payload, where),
        base64url.decode(signature, where),
        token[:second],
    )


@lru_cache(maxsize=64)
def _recurring(protected: bytes, typ: str | tuple[str, ...] | None, where: str) -> Mapping[str, Any]:
    """`_read_header`, remembered: an issuer has one header for all its cards, and wallets have one among them. A pure
    function of short texts, and what was refused is not remembered."""
    return MappingProxyType(_read_header(protected, typ, where))


def _read_header(protected: bytes | str, typ: Typ, where: str) -> Mapping[str, Any]:
    where = f"{where}.protected"
    if len(protected) > limits.JOSE_HEADER:
        raise Malformed("jws.header_too_large", where=where, limit=limits.JOSE_HEADER, size=len(protected))
    header = json.read_object(base64url.decode(protected, where), where=where)
    if len(header) > limits.HEADER_MEMBERS:
        raise Malformed("jws.header_members", where=where, limit=limits.HEADER_MEMBERS, found=len(header))
    if "b64" in header or "crit" in header:
        _refuse_extensions(header, where)
    alg = header.get("alg")
    if not isinstance(alg, str):
        raise Malformed("jws.alg_missing", where=where, spec="RFC 7515 §4.1.1")
    if not alg or alg.lower() == "none":
        raise Malformed("jws.alg_none", where=where, spec="RFC 8725 §3.2", found=alg)
    if typ is not None and header.get("typ") != typ:
        _check_typ(header.get("typ"), typ, where)
    return header


def _check_typ(found: Any, typ: str | Collection[str], where: str) -> None:
    if not isinstance(found, str):
        raise Malformed("jws.typ_missing", where=where, spec="RFC 8725 §3.11", expected=_told(typ))
    if isinstance(typ, str) or found not in typ:
        raise Malformed("jws.typ", where=where, spec="RFC 8725 §3.11", expected=_told(typ), found=found)


def _told(typ: str | Collection[str]) -> str:
    return typ if isinstance(typ, str) else ", ".join(sorted(typ))


def _refuse_extensions(header: Mapping[str, Any], where: str) -> None:
    # `b64` first: it always comes with `crit`, and says more.
    if "b64" in header:
        raise Malformed("jws.b64", where=where, spec="RFC 7797 §7")
    if "crit" in header:
        raise Malformed("jws.crit", where=where, spec="RFC 7515 §4.1.11")


def read_json(
    data: bytes | str | dict[str, Any], *, typ: Typ, where: str = "jws", first_of_several: bool = False
) -> Jws:
    """The flattened or general JSON serialisation (RFC 7515 §7.2), from text or from an object already read strictly.

    The general form must hold exactly one signature: "any of them is valid" is a rule for nobody. With
    `first_of_several` more are let through and only the first is read (RFC 9901 §8.1 gives it its meaning).

    Raises:
        Malformed: `jws.*`, `base64url.*`, `json.*`.
    """
    document = data if isinstance(data, dict) else json.read_object(data, where=where)
    if "ciphertext" in document:
        raise Malformed("jws.is_jwe", where=where)
    fields = json.Fields(document, where)
    payload = fields.text("payload")
    if "signatures" in fields:
        if not {"protected", "header", "signature"}.isdisjoint(document):
            raise Malformed("jws.both_forms", where=where, spec="RFC 7515 §7.2.2")
        signatures = fields.array("signatures")
        if len(signatures) != 1 and not (signatures and first_of_several):
            raise Malformed("jws.signatures", where=where, spec="RFC 7515 §7.2.1", found=len(signatures))
        fields = json.Fields(signatures[0], f"{where}.signatures[0]")
    protected = fields.text("protected")
    header = _read_header(protected, typ, fields.where)
    unprotected = fields.optional_object("header") or {}
    _refuse_extensions(unprotected, fields.at("header"))
    both = sorted(header.keys() & unprotected.keys())
    if both:
        raise Malformed("jws.header_twice", where=fields.where, spec="RFC 7515 §7.2.1", name=both[0])
    return Jws(
        header,
        base64url.decode(payload, f"{where}.payload"),
        base64url.decode(fields.text("signature"), fields.at("signature")),
        f"{protected}.{payload}".encode("ascii"),
        unprotected,
    )


def check(jws: Jws, key: PublicKey) -> None:
    """Is it signed by `key`? The algorithm is the key's; the header must name it (RFC 8725 §3.1).

    Raises:
        Refused: `jws.alg`, `signature.invalid`.
        Misuse: `jws.no_key`, when there is no key to check with.
    """
    if not isinstance(key, PublicKey):
        raise Misuse("jws.no_key")
    if jws.header["alg"] not in jwk.names(key):
        raise Refused("jws.alg", spec="RFC 8725 §3.1", expected=str(key.algorithm), found=jws.header["alg"])
    key.verify(jws.signature, jws.signing_input)


def protected(header: Mapping[str, Any], key: PublicKey) -> bytes:
    """The header segment for a signature by `key`: `alg` first, then the members as given. Same input, same bytes.

    Raises:
        Misuse: `jws.header_member`, for `alg` (the key knows it), `b64` and `crit`.
        Malformed: `json.*`.
    """
    for name in _NEVER:
        if name in header:
            raise Misuse("jws.header_member", name=name)
    return segment(json.write({"alg": jwk.name(key), **header}))


def sign_segments(header: bytes, payload: bytes, signer: Signer) -> bytes:
    """The compact serialisation, from a header segment that `protected` made for the signer's key."""
    signing_input = header + b"." + segment(payload)
    return signing_input + b"." + segment(signer.sign(signing_input))


def make(header: Mapping[str, Any], payload: bytes, signer: Signer) -> Jws:
    """`payload` signed; `header` without `alg`.

    Raises:
        Misuse: `jws.header_member`.
        Unavailable: `keys.unavailable`.
    """
    key = signer.public_key
    signing_input = protected(header, key) + b"." + segment(payload)
    return Jws({"alg": jwk.name(key), **header}, payload, signer.sign(signing_input), signing_input)


def sign(header: Mapping[str, Any], payload: bytes, signer: Signer) -> str:
    """The compact serialisation of `make`."""
    return make(header, payload, signer).compact.decode("ascii")


def flattened(jws: Jws, header: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """`jws` in the flattened JSON serialisation, with `header` as its unprotected header."""
    protected_, payload = jws.signing_input.decode("ascii").split(".")
    document: dict[str, Any] = {"payload": payload, "protected": protected_}
    if header:
        document["header"] = dict(header)
    document["signature"] = base64url.encode(jws.signature)
    return document


def general(jws: Jws, header: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """`jws` in the general JSON serialisation, with one signature."""
    document = flattened(jws, header)
    payload = document.pop("payload")
    return {"payload": payload, "signatures": [document]}
