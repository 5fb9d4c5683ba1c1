"""Key binding of SD-JWT (RFC 9901 §4.3, §7.3): the holder's signature over one presentation, for one asker, once."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from cityid import limits
from cityid.encoding import json, times
from cityid.errors import Misuse, Refused
from cityid.jose import jws
from cityid.jose.digests import Hash
from cityid.jose.sd_jwt import KeyBinding
from cityid.keys import PublicKey, Signer, jwk

TYP: Final = "kb+jwt"
_SPEC: Final = "RFC 9901 §7.3"
_AHEAD: Final = int(limits.KB_AHEAD.total_seconds())
_SKEW: Final = int(limits.SKEW.total_seconds())
_OURS: Final = frozenset({"iat", "aud", "nonce", "sd_hash"})


@lru_cache(maxsize=16)
def _protected(key_name: str) -> bytes:
    return jws.segment(json.write({"alg": key_name, "typ": TYP}))


def bind(
    prefix: bytes,
    signer: Signer,
    *,
    hash: Hash,
    audience: str,
    nonce: str,
    at: datetime,
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """The KB-JWT for `prefix`, an SD-JWT up to and with its last tilde; the presentation is `prefix + bind(...)`.

    `hash` is the token's own (`token.processed.hash`); `extra` are claims that a protocol adds.

    Raises:
        Misuse: `binding.prefix`; `binding.extra`, for a claim that is not the protocol's to set.
        Unavailable: `keys.unavailable`.
    """
    if not prefix.endswith(b"~"):
        raise Misuse("binding.prefix")
    claims: dict[str, Any] = {
        "iat": times.numeric(at),
        "aud": audience,
        "nonce": nonce,
        "sd_hash": hash.text(prefix),
    }
    if extra:
        if not _OURS.isdisjoint(extra):
            raise Misuse("binding.extra", names=", ".join(sorted(_OURS & extra.keys())))
        claims.update(extra)
    return jws.sign_segments(_protected(jwk.name(signer.public_key)), json.write(claims), signer)


def check(
    binding: KeyBinding | None,
    prefix: bytes,
    key: PublicKey | None,
    *,
    hash: Hash,
    audience: str,
    nonce: str,
    at: datetime,
    max_age: timedelta = limits.KB_AGE,
) -> None:
    """Every rule of RFC 9901 §7.3 (5), the signature last. `key` is the one in the credential's `cnf`, nothing else.

    Raises:
        Refused: `binding.*`, `jws.alg`, `signature.invalid`.
        Misuse: `binding.no_audience`, `binding.no_nonce`: without them anybody could play the binding again.
    """
    if not audience:
        raise Misuse("binding.no_audience")
    if not nonce:
        raise Misuse("binding.no_nonce")
    if binding is None:
        raise Refused("binding.missing", spec=_SPEC)
    if key is None:
        raise Refused("binding.no_key", spec=_SPEC)
    typ = binding.jws.header.get("typ")
    if typ != TYP:
        raise Refused("binding.typ", spec="RFC 9901 §4.3", found=typ if isinstance(typ, str) else json.kind(typ))
    claims = binding.claims
    aud, given, sd_hash = claims.get("aud"), claims.get("nonce"), claims.get("sd_hash")
    if not (isinstance(aud, str) and isinstance(given, str) and isinstance(sd_hash, str)):
        raise _no_text(claims)
    if aud != audience:
        raise Refused("binding.audience", spec=_SPEC, expected=audience, found=aud)
    if not hmac.compare_digest(given.encode("utf-8"), nonce.encode("utf-8")):
        raise Refused("binding.nonce", spec=_SPEC)
    if not hmac.compare_digest(sd_hash.encode("utf-8"), hash.text(prefix).encode("ascii")):
        raise Refused("binding.sd_hash", spec="RFC 9901 §4.3.1")
    _check_times(claims, at, max_age)
    jws.check(binding.jws, key)


def check_unasked(binding: KeyBinding, prefix: bytes, key: PublicKey | None, *, hash: Hash) -> None:
    """A binding that nobody asked for, as far as it can be judged: its form, what it covers, and its signature.

    Raises:
        Refused: `binding.no_key`, `binding.typ`, `binding.sd_hash`, `jws.alg`, `signature.invalid`.
    """
    if key is None:
        raise Refused("binding.no_key", spec=_SPEC)
    typ = binding.jws.header.get("typ")
    if typ != TYP:
        raise Refused("binding.typ", spec="RFC 9901 §4.3", found=typ if isinstance(typ, str) else json.kind(typ))
    if binding.claims.get("sd_hash") != hash.text(prefix):
        raise Refused("binding.sd_hash", spec="RFC 9901 §4.3.1")
    jws.check(binding.jws, key)


def _no_text(claims: Mapping[str, Any]) -> Refused:
    name = next(name for name in ("aud", "nonce", "sd_hash") if not isinstance(claims.get(name), str))
    found = json.kind(claims[name]) if name in claims else "nothing"
    return Refused("binding.claim", spec="RFC 9901 §4.3", name=name, expected="string", found=found)


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int:
        found = json.kind(value) if name in claims else "nothing"
        raise Refused("binding.claim", spec="RFC 7519 §2", name=name, expected="integer", found=found)
    return value


def _check_times(claims: Mapping[str, Any], at: datetime, max_age: timedelta) -> None:
    now = at.timestamp()
    age = now - _seconds(claims, "iat")
    if age > max_age.total_seconds():
        raise Refused("binding.too_old", spec=_SPEC, seconds=int(age), limit=int(max_age.total_seconds()))
    if -age > _AHEAD:
        raise Refused("binding.ahead", spec=_SPEC, seconds=int(-age), limit=_AHEAD)
    if "exp" in claims and now - _SKEW >= _seconds(claims, "exp"):
        raise Refused("binding.expired", spec="RFC 7519 §4.1.4")
    if "nbf" in claims and now + _SKEW < _seconds(claims, "nbf"):
        raise Refused("binding.not_yet", spec="RFC 7519 §4.1.5")
