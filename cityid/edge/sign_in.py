"""How a clerk comes in: with a passphrase of their own, or with a key of their own, in a file or a token.

The register keeps what tells them: of a passphrase an Argon2id header that opens nothing, of a key its public half. A
key's clerk has no secret in common with city hall.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime

from cityid.clerks import Challenge
from cityid.edge import sealed
from cityid.encoding import json
from cityid.errors import Malformed, Unavailable
from cityid.keys import PublicKey, Signer, jwk

__all__ = ["check_key", "check_passphrase", "key_of", "of_key", "of_passphrase"]

_KIND = "clerk"


def of_passphrase(passphrase: str | bytes, *, entropy: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """What is kept of a new passphrase.

    Raises:
        Misuse: `passphrase.*`. Unavailable: `store.no_memory`.
    """
    header, _ = sealed.create(_KIND, passphrase, entropy=entropy)
    return header.write().decode("ascii")


def of_key(key: PublicKey) -> str:
    """What is kept of a key: its JWK."""
    return json.write(jwk.write(key)).decode("ascii")


def key_of(kept: str) -> PublicKey | None:
    """The key of a clerk who signs in with one; None for a passphrase.

    Raises:
        Unavailable: `store.damaged`.
    """
    try:
        found = json.read_object(kept.encode("utf-8"))
        return jwk.read(found) if "kty" in found else None
    except Malformed:
        raise Unavailable("store.damaged", kind=_KIND) from None


def check_passphrase(kept: str, passphrase: str | bytes) -> None:
    """Raises Refused `passphrase.wrong`; Misuse `passphrase.*`; Unavailable `store.*`; Malformed `store.costly_kdf`."""
    sealed.unlock(sealed.read_header(kept.encode("utf-8"), _KIND), passphrase)


def check_key(
    key: PublicKey,
    signer: Signer,
    register: bytes,
    clerk: str,
    clock: Callable[[], datetime],
    *,
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> None:
    """Have `signer` answer a fresh challenge, and see that it holds `key`, which the register has of `clerk`.

    Raises:
        Refused: `clerk.too_late`, `clerk.other_key`.
        Unavailable: `keys.unavailable`.
    """
    challenge = Challenge.new(register, clerk, clock(), entropy=entropy)
    challenge.check(signer.sign(challenge.message), key, clock())
