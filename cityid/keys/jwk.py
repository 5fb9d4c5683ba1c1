"""JSON Web Keys, public half (RFC 7517, 7518 §6.2, 7638, 8037, 8812, 9864, 9964), read strictly.

A private or symmetric member in a place for public keys is refused by name and its value touched no further: whoever
sent it has burnt the key. `use`, `key_ops` and `alg` bind: a key is never used against its own word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from cityid import limits
from cityid.encoding import base64url
from cityid.encoding.json import Fields
from cityid.errors import Malformed, Misuse
from cityid.keys.algorithms import MEMO, RAW_LENGTH, Algorithm, PublicKey, members

PRIVATE: Final = ("d", "k", "priv", "p", "q", "dp", "dq", "qi", "oth")
"""Members that only a private or symmetric key has (RFC 7518 §6, RFC 9964 §3)."""

_SECRET: Final = frozenset(PRIVATE)
_WORDS: Final = frozenset({"use", "alg", "key_ops", "kid"})
"""What a key says of itself; most holders' keys say nothing."""
_SIGNATURE_CURVES: Final = {
    ("EC", "P-256"): Algorithm.ES256,
    ("EC", "P-384"): Algorithm.ES384,
    ("EC", "P-521"): Algorithm.ES512,
    ("EC", "secp256k1"): Algorithm.ES256K,
    ("OKP", "Ed25519"): Algorithm.EDDSA,
}
_AGREEMENT_CURVES: Final = {
    ("EC", "P-256"): Algorithm.ECDH_P256,
    ("OKP", "X25519"): Algorithm.X25519,
}
_ML_DSA: Final = {name.value: name for name in (Algorithm.ML_DSA_44, Algorithm.ML_DSA_65)}
_ECDH_NAMES: Final = ("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW")
_NAMES: Final[Mapping[Algorithm, tuple[str, ...]]] = MappingProxyType(
    {
        algorithm: ("EdDSA", "Ed25519") if algorithm is Algorithm.EDDSA else (algorithm.value,)
        for algorithm in Algorithm
        if algorithm.signs
    }
)


_P256_TEXT: Final = 43
"""Characters of 32 bytes."""


def names(key: PublicKey) -> tuple[str, ...]:
    """The `alg` values that a header may carry for this key: two for Ed25519 (RFC 9864 §2.2), none if it can't sign."""
    return _NAMES.get(key.algorithm, ())


def name(key: PublicKey) -> str:
    """The `alg` that we write: `EdDSA` for Ed25519, which older readers know too."""
    return key.algorithm.value


def thumbprint(key: PublicKey) -> str:
    """RFC 7638 thumbprint, SHA-256, base64url."""
    return key.thumbprint


def write(key: PublicKey) -> dict[str, str]:
    """The JWK with its required members and nothing else.

    Raises:
        Misuse: `keys.no_jwk` for a BBS key, for which no specification has one.
    """
    if key.algorithm is Algorithm.BBS:
        raise Misuse("keys.no_jwk", algorithm=key.algorithm.value)
    written = members(key)
    return {"kty": written.pop("kty"), **written}


def read(jwk: Mapping[str, Any], where: str = "$", *, agreement: bool | None = False) -> PublicKey:
    """The key behind a public JWK: one for signatures; with `agreement` one for key agreement (X25519, P-256); with
    `agreement=None` whichever it is (`use` or `alg` decides for P-256, which otherwise signs).

    Raises:
        Malformed: `key.private` (burnt: a secret member), `key.unsupported` (kty, curve or algorithm not offered),
            `key.use`, `key.operations`, `key.algorithm_mismatch`, `key.coordinate`, `key.*` of PublicKey, `json.*`,
            `base64url.*`.
    """
    if len(jwk) == 4 and agreement is False:
        kty, crv, x, y = jwk.get("kty"), jwk.get("crv"), jwk.get("x"), jwk.get("y")
        if type(kty) is type(crv) is type(x) is type(y) is str:
            return _curve_point(kty, crv, x, y, where)
    if not _SECRET.isdisjoint(jwk):
        member = next(member for member in PRIVATE if member in jwk)
        raise Malformed("key.private", where=where, spec="RFC 7517 §9.2", member=member)
    return read_members(jwk, where, agreement=agreement)


@lru_cache(maxsize=MEMO)
def _curve_point(kty: str, crv: str, x: str, y: str, where: str) -> PublicKey:
    """What nearly every holder's key is: four members and no word about itself. A pure function, remembered because
    the same resident comes again; what was refused is not remembered."""
    if crv == "P-256" and kty == "EC" and len(x) == len(y) == _P256_TEXT:
        raw = b"\x04" + base64url.decode(x, f"{where}.x") + base64url.decode(y, f"{where}.y")
        return made(Algorithm.ES256, raw, where)
    return read_members({"kty": kty, "crv": crv, "x": x, "y": y}, where, agreement=False)


def read_members(jwk: Mapping[str, Any], where: str, *, agreement: bool | None, private: bool = False) -> PublicKey:
    """`read` without the look for secret members: for those who import private keys (`private`: `key_ops` say sign)."""
    fields = Fields(jwk, where)
    use = wanted = None
    if not _WORDS.isdisjoint(jwk):
        use, wanted = fields.optional_text("use"), fields.optional_text("alg")
    kty = fields.text("kty")
    if agreement is None:
        agreement = use == "enc" or fields.optional_text("crv") == "X25519" or wanted in _ECDH_NAMES
    if not _WORDS.isdisjoint(jwk):
        _check_use(fields, use, agreement=agreement, private=private)
        fields.optional_text("kid")
    if kty == "AKP":
        algorithm = None if agreement else _ML_DSA.get(fields.text("alg"))
        if algorithm is None:
            raise Malformed("key.unsupported", where=fields.at("alg"), kind=f"AKP {wanted}")
        raw = base64url.decode(fields.text("pub"), fields.at("pub"))
    else:
        crv = fields.text("crv") if kty in ("EC", "OKP") else ""
        algorithm = (_AGREEMENT_CURVES if agreement else _SIGNATURE_CURVES).get((kty, crv))
        if algorithm is None:
            raise Malformed("key.unsupported", where=where, kind=f"{kty} {crv}".strip())
        allowed = _ECDH_NAMES if agreement else _NAMES[algorithm]
        if wanted is not None and wanted not in allowed:
            raise Malformed(
                "key.algorithm_mismatch", where=fields.at("alg"), spec="RFC 7517 §4.4", alg=wanted, kind=f"{kty} {crv}"
            )
        raw = _coordinates(fields, algorithm) if kty == "EC" else base64url.decode(fields.text("x"), fields.at("x"))
    return made(algorithm, raw, where)


def made(algorithm: Algorithm, raw: bytes, where: str) -> PublicKey:
    """`PublicKey(algorithm, raw)`, whose refusal points to `where`."""
    try:
        return PublicKey(algorithm, raw)
    except Malformed as refusal:
        raise Malformed(replace(refusal.problem, where=where)) from None


def _coordinates(fields: Fields, algorithm: Algorithm) -> bytes:
    size = RAW_LENGTH[algorithm] // 2
    raw = b"\x04"
    for member in ("x", "y"):
        coordinate = base64url.decode(fields.text(member), f"{fields.where}.{member}")
        if len(coordinate) != size:
            raise Malformed(
                "key.coordinate",
                where=fields.at(member),
                spec="RFC 7518 §6.2.1.2",
                expected=size,
                length=len(coordinate),
            )
        raw += coordinate
    return raw


def _check_use(fields: Fields, use: str | None, *, agreement: bool, private: bool) -> None:
    if use is not None and use != ("enc" if agreement else "sig"):
        raise Malformed("key.use", where=fields.at("use"), spec="RFC 7517 §4.2", use=use)
    operations = fields.optional_texts("key_ops")
    if operations is None:
        return
    # The public half of an agreement key has no operation of its own; WebCrypto exports it with an empty list.
    if agreement:
        fits = set(operations) <= {"deriveKey", "deriveBits"}
    else:
        fits = ("sign" if private else "verify") in operations and set(operations) <= {"sign", "verify"}
        fits = fits and (private or "sign" not in operations)
    if not fits or len(set(operations)) != len(operations):
        told = " ".join(operations)
        raise Malformed("key.operations", where=fields.at("key_ops"), spec="RFC 7517 §4.3", operations=told)


def read_set(jwks: Mapping[str, Any], where: str = "$", *, agreement: bool = False) -> Mapping[str, PublicKey]:
    """The keys of a JWK Set by `kid`, those that fit. Others (of other kinds, for other uses, broken) are passed over,
    as RFC 7517 §5 asks: one of them must not take the rest away. A key without a `kid` is found under "" if it is the
    only such key; of several each is as good as the next, and there is no trying of several keys.

    Raises:
        Malformed: `key.set_too_large`, `key.duplicate_kid`; `key.no_kid`, for several keys of which none has a `kid`;
            `key.private`: whoever published it has burnt it; `json.*`.
    """
    fields = Fields(jwks, where)
    listed = fields.array("keys")
    if len(listed) > limits.JWKS_KEYS:
        raise Malformed("key.set_too_large", where=fields.at("keys"), limit=limits.JWKS_KEYS, count=len(listed))
    found: dict[str, PublicKey] = {}
    nameless: list[PublicKey] = []
    seen: set[str] = set()
    for index, item in enumerate(listed):
        at = f"{fields.at('keys')}[{index}]"
        entry = Fields(item, at)
        named = entry.value.get("kid")
        # A name that is no text makes the key broken, which `read` says after its look for secret members.
        kid = named if type(named) is str else ""
        if kid and kid in seen:
            raise Malformed("key.duplicate_kid", where=at, spec="RFC 7517 §4.5", kid=kid)
        seen.add(kid)
        if entry.value.get("kty") == "oct":
            continue
        try:
            key = read(entry.value, at, agreement=agreement)
        except Malformed as refusal:
            if refusal.code == "key.private":
                raise
            continue
        if kid:
            found[kid] = key
        else:
            nameless.append(key)
    if len(nameless) == 1:
        found[""] = nameless[0]
    elif nameless and not found:
        raise Malformed("key.no_kid", where=fields.at("keys"), spec="RFC 7517 §4.5")
    return MappingProxyType(found)
