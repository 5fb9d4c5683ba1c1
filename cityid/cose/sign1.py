"""COSE_Sign1 (RFC 9052 §4.2): one signature over the bytes as received.

The algorithm is the key's, and the protected header must name it: an `alg` that nobody signed decides nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from cityid import limits
from cityid.encoding import cbor
from cityid.errors import Malformed, Misuse, Refused
from cityid.keys import PublicKey, Signer, cose_key

__all__ = ["ALG", "CONTENT_TYPE", "CRIT", "KID", "TYP", "X5CHAIN", "Sign1", "check", "read", "sign"]

ALG, CRIT, CONTENT_TYPE, KID, TYP, X5CHAIN = 1, 2, 3, 4, 16, 33
"""Header labels (RFC 9052 §3.1, 9596 §2, 9360 §2)."""
_UNDERSTOOD: Final = frozenset({ALG, CONTENT_TYPE, KID, TYP, X5CHAIN})
_TAG: Final = 18
_OTHERS: Final[Mapping[int, str]] = {
    16: "COSE_Encrypt0", 17: "COSE_Mac0", 61: "CWT tag", 96: "COSE_Encrypt", 97: "COSE_Mac", 98: "COSE_Sign",
}  # fmt: skip
_TAGS: Final = cbor.TAGS | _OTHERS.keys()
_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


class Sign1(NamedTuple):
    """One signature as read; reading it believes nothing. `protected` is read from `protected_bytes`, which are as
    received; `unprotected` is signed by nobody. `payload` is None where it is detached."""

    protected: Mapping[Any, Any]
    unprotected: Mapping[Any, Any]
    payload: bytes | None
    signature: bytes
    protected_bytes: bytes

    def __repr__(self) -> str:
        return f"Sign1(protected={self.protected!r})"

    def header(self, label: int | str) -> Any:
        """A header parameter from either bucket, such as `kid` or `x5chain`; None where it is in none."""
        return self.protected.get(label, self.unprotected.get(label))


def read(
    data: bytes,
    *,
    typ: str | int | Collection[str | int] | None = None,
    tagged: bool | None = None,
    where: str = "cose",
    limit: int = limits.DOCUMENT,
) -> Sign1:
    """The COSE_Sign1 in `data`. `typ` is what the protected header 16 must say (RFC 9596), or several that will do;
    `tagged` is whether tag 18 must or must not be there (None: either).

    Raises:
        Malformed: `cose.*`, `cbor.*`.
    """
    item = cbor.read(data, where=where, tags=_TAGS, limit=limit)
    has_tag = isinstance(item, cbor.Tag)
    if isinstance(item, cbor.Tag):
        if item.number != _TAG:
            found = _OTHERS.get(item.number, f"tag {item.number}")
            raise Malformed("cose.not_sign1", where=where, spec="RFC 9052 §2", found=found)
        item = item.value
    if tagged is not None and tagged is not has_tag:
        raise Malformed("cose.tag", where=where, spec="RFC 9052 §2", expected=18 if tagged else "none")
    if type(item) is not list or len(item) != 4:
        raise Malformed("cose.structure", where=where, spec="RFC 9052 §4.2")
    protected_bytes, unprotected, payload, signature = item
    if type(protected_bytes) is not bytes or type(unprotected) is not dict or type(signature) is not bytes:
        raise Malformed("cose.structure", where=where, spec="RFC 9052 §4.2")
    if payload is not None and type(payload) is not bytes:
        raise Malformed("cose.structure", where=where, spec="RFC 9052 §4.2")
    protected = _protected(protected_bytes, unprotected, f"{where}.protected")
    if typ is not None:
        _check_typ(protected.get(TYP), {typ} if isinstance(typ, str | int) else typ, where)
    return Sign1(protected, unprotected, payload, signature, protected_bytes)


def _protected(data: bytes, unprotected: Mapping[Any, Any], where: str) -> Mapping[Any, Any]:
    # §3: an empty map is written as a byte string of length zero; h'A0' is read as well.
    members = cbor.read(data, where=where) if data else {}
    if type(members) is not dict:
        raise Malformed("cose.structure", where=where, spec="RFC 9052 §3")
    for bucket in (members, unprotected):
        if len(bucket) > limits.HEADER_MEMBERS:
            raise Malformed("cose.header_members", where=where, limit=limits.HEADER_MEMBERS, found=len(bucket))
        if bytes in map(type, bucket):
            raise Malformed("cose.label", where=where, spec="RFC 9052 §1.5")
    for label in members:
        if label in unprotected:
            raise Malformed("cose.header_twice", where=where, spec="RFC 9052 §3", label=label)
    if CRIT in unprotected:
        raise Malformed("cose.crit_unprotected", where=where, spec="RFC 9052 §3.1")
    if CRIT in members:
        _check_crit(members, where)
    alg = members.get(ALG)
    if type(alg) is not int and type(alg) is not str:
        raise Malformed("cose.alg_missing", where=where, spec="RFC 9052 §3.1")
    return members


def _check_crit(members: Mapping[Any, Any], where: str) -> None:
    labels = members[CRIT]
    if type(labels) is not list or not labels:
        raise Malformed("cose.crit", where=where, spec="RFC 9052 §3.1", label="")
    for label in labels:
        # True is the integer 1 to a set.
        if type(label) is not int or label not in _UNDERSTOOD or label not in members:
            raise Malformed("cose.crit", where=where, spec="RFC 9052 §3.1", label=str(label)[:100])


def _check_typ(found: Any, typ: Collection[str | int], where: str) -> None:
    if type(found) not in (str, int) or found not in typ:
        expected, told = ", ".join(sorted(map(str, typ))), "" if found is None else str(found)[:100]
        raise Malformed("cose.typ", where=where, spec="RFC 9596 §2", expected=expected, found=told)


def _structure(protected_bytes: bytes, external: bytes, payload: bytes) -> bytes:
    """Sig_structure (§4.4). An empty protected header stands for itself as h'' however it was written."""
    protected = b"" if protected_bytes == b"\xa0" else protected_bytes
    return cbor.write(["Signature1", protected, external, payload])


def check(sign1: Sign1, key: PublicKey, *, external: bytes = b"", detached: bytes | None = None) -> None:
    """Is it signed by `key`? The algorithm is the key's; the protected header must name it.

    Raises:
        Refused: `cose.alg`, `signature.invalid`; `cose.detached`, when the payload is not where the caller expects it
            (inside, or handed in as `detached`).
        Misuse: `cose.no_key`.
    """
    if not isinstance(key, PublicKey):
        raise Misuse("cose.no_key")
    alg = sign1.protected[ALG]
    if alg not in cose_key.names(key):
        raise Refused("cose.alg", spec="RFC 9052 §3.1", expected=str(key.algorithm), found=alg)
    payload = sign1.payload if detached is None else detached
    if payload is None or None not in (sign1.payload, detached):
        raise Refused("cose.detached", spec="RFC 9052 §4.1")
    key.verify(sign1.signature, _structure(sign1.protected_bytes, external, payload))


def sign(
    payload: bytes,
    signer: Signer,
    protected: Mapping[int, Any] = _NOTHING,
    unprotected: Mapping[int, Any] = _NOTHING,
    *,
    external: bytes = b"",
    tagged: bool = True,
) -> bytes:
    """`payload` signed as COSE_Sign1; `protected` without `alg`, which the key knows.

    Raises:
        Misuse: `cose.header_member`, for `alg` and `crit`.
        Malformed: `cbor.not_cbor`.
        Unavailable: `keys.unavailable`.
    """
    for bucket in (protected, unprotected):
        for label in (ALG, CRIT):
            if label in bucket:
                raise Misuse("cose.header_member", label=label)
    header = cbor.write({ALG: cose_key.name(signer.public_key), **protected})
    signature = signer.sign(_structure(header, external, payload))
    item = [header, dict(unprotected), payload, signature]
    return cbor.write(cbor.Tag(_TAG, item) if tagged else item)
