"""Secrets at rest: Argon2id (RFC 9106) over a passphrase opens a random key; XChaCha20-Poly1305 under it seals.

The passphrase's key wraps a random data key, so changing the passphrase rewrites the header and nothing else. Each seal
draws a fresh 192-bit nonce, which stays safe when a disk is cloned. There is one cost, and no cheaper profile of it.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from cityid import limits
from cityid.encoding import base64url, json
from cityid.encoding.json import Fields
from cityid.errors import Malformed, Misuse, Refused, Unavailable

MEMORY: Final = 64 << 20
PASSES: Final = 3
"""What we write, and the least that we open: 64 MiB and three passes (RFC 9106 §4, second choice)."""
MEMORY_CEILING: Final = 256 << 20
PASSES_CEILING: Final = 8
KEY: Final = 32
SALT: Final = 16
NONCE: Final = 24
VERSION: Final = 1
HEADER: Final = 4 << 10
"""Bytes of a header."""

Entropy = Callable[[int], bytes]


class Secret(bytes):
    """Bytes that a traceback with local variables does not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Secret({len(self)} bytes)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Header:
    """The part in clear: `kind` of store, Argon2id `memory` (bytes) and `passes`, `salt`, and the wrapped data key."""

    kind: str
    salt: bytes
    wrapped: bytes = b""
    memory: int = MEMORY
    passes: int = PASSES

    def authenticated(self) -> bytes:
        """What the wrapping of the data key authenticates: all of the header but itself."""
        return json.write(
            {
                "format": f"cityid-{self.kind}",
                "version": VERSION,
                "kdf": "argon2id13",
                "memory": self.memory,
                "passes": self.passes,
                "salt": base64url.encode(self.salt),
            }
        )

    def write(self) -> bytes:
        """The header as one JSON object in one line. `check` tells damage from a wrong passphrase; it is no secret."""
        wrapped = base64url.encode(self.wrapped)
        inside = self.authenticated()[:-1].decode("ascii")
        return f'{inside},"wrapped":"{wrapped}","check":"{_digest(self)}"}}'.encode("ascii")


def _digest(header: Header) -> str:
    return base64url.encode(hashlib.sha256(header.authenticated() + header.wrapped).digest()[:16])


def read_header(data: bytes, kind: str) -> Header:
    """The header behind `data`, judged before anything is derived from it.

    Raises:
        Unavailable: `store.damaged`; `store.other_version`; `store.weak_kdf` (less than 64 MiB or 3 passes).
        Malformed: `store.costly_kdf` (more than 256 MiB or 8 passes).
    """
    try:
        fields = Fields(json.read(data, limit=HEADER))
        form, version = fields.text("format"), fields.integer("version")
        if version != VERSION and form == f"cityid-{kind}":
            raise Unavailable("store.other_version", kind=kind, version=version)
        header = Header(
            kind=kind,
            salt=base64url.decode(fields.text("salt")),
            wrapped=base64url.decode(fields.text("wrapped")),
            memory=fields.integer("memory"),
            passes=fields.integer("passes"),
        )
    except Malformed:
        raise Unavailable("store.damaged", kind=kind) from None
    # Only one text stands for a header: this compares format, kdf, check and the order and spelling of all members.
    if data != header.write() or len(header.salt) != SALT or len(header.wrapped) != NONCE + KEY + 16:
        raise Unavailable("store.damaged", kind=kind)
    if header.memory < MEMORY or header.passes < PASSES:
        raise Unavailable("store.weak_kdf", kind=kind, memory=header.memory, passes=header.passes)
    if header.memory > MEMORY_CEILING or header.passes > PASSES_CEILING:
        raise Malformed("store.costly_kdf", kind=kind, memory=header.memory, passes=header.passes)
    return header


def create(kind: str, passphrase: str | bytes, *, entropy: Entropy = secrets.token_bytes) -> tuple[Header, bytes]:
    """A new header and its data key of 32 bytes.

    Raises:
        Misuse: `passphrase.*`, as `check_new`.
        Unavailable: `store.no_memory`.
    """
    key = Secret(entropy(KEY))
    return rewrap(kind, key, passphrase, entropy=entropy), key


def rewrap(kind: str, key: bytes, passphrase: str | bytes, *, entropy: Entropy = secrets.token_bytes) -> Header:
    """A header that opens the data key `key` with (another) `passphrase`. Raises as `create`."""
    check_new(passphrase)
    bare = Header(kind=kind, salt=entropy(SALT))
    return replace(bare, wrapped=seal(derive(passphrase, bare.salt), key, bare.authenticated(), entropy))


def unlock(header: Header, passphrase: str | bytes) -> bytes:
    """The data key. One derivation, whatever the outcome.

    Raises:
        Refused: `passphrase.wrong`.
        Misuse: `passphrase.empty`, `passphrase.too_long`, `passphrase.not_utf8`.
        Unavailable: `store.no_memory`.
    """
    derived = derive(passphrase, header.salt, header.memory, header.passes)
    try:
        return Secret(open_sealed(derived, header.wrapped, header.authenticated(), kind=header.kind))
    except Unavailable:
        raise Refused("passphrase.wrong") from None


def normalise(passphrase: str | bytes) -> bytes:
    """The passphrase as it is derived from: UTF-8 in normal form C, so that every keyboard types the same one.

    Raises:
        Misuse: `passphrase.empty`, `passphrase.too_long`, `passphrase.not_utf8`.
    """
    try:
        text = passphrase if isinstance(passphrase, str) else passphrase.decode("utf-8")
        if len(text) > limits.PASSPHRASE:
            raise Misuse("passphrase.too_long", limit=limits.PASSPHRASE)
        normal = Secret(unicodedata.normalize("NFC", text).encode("utf-8"))
    except UnicodeError:
        raise Misuse("passphrase.not_utf8") from None
    if not normal:
        raise Misuse("passphrase.empty")
    if len(normal) > limits.PASSPHRASE:
        raise Misuse("passphrase.too_long", limit=limits.PASSPHRASE)
    return normal


def check_new(passphrase: str | bytes) -> None:
    """May this become a passphrase? Only new ones are asked for a length: what was closed with less must still open.

    Raises:
        Misuse: `passphrase.empty`, `passphrase.too_long`, `passphrase.not_utf8`, `passphrase.too_short`.
    """
    if len(normalise(passphrase).decode("utf-8")) < limits.NEW_PASSPHRASE:
        raise Misuse("passphrase.too_short", least=limits.NEW_PASSPHRASE)


def derive(passphrase: str | bytes, salt: bytes, memory: int = MEMORY, passes: int = PASSES) -> bytes:
    """Argon2id v1.3, one lane: 32 bytes (RFC 9106). Costs some 80 ms and `memory` bytes.

    Raises:
        Misuse: `passphrase.*`.
        Unavailable: `store.no_memory`.
    """
    import nacl.exceptions
    from nacl.bindings import crypto_pwhash_alg, crypto_pwhash_ALG_ARGON2ID13

    normal = normalise(passphrase)
    try:
        derived: bytes = crypto_pwhash_alg(KEY, normal, salt, passes, memory, crypto_pwhash_ALG_ARGON2ID13)
    except (nacl.exceptions.CryptoError, MemoryError):
        raise Unavailable("store.no_memory", memory=memory) from None
    return Secret(derived)


def seal(key: bytes, plaintext: bytes, aad: bytes, entropy: Entropy = secrets.token_bytes) -> bytes:
    """Nonce (24 bytes) and ciphertext with its tag (16 bytes). `aad` says what and where this is."""
    from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt

    nonce = entropy(NONCE)
    sealed: bytes = crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, aad, nonce, key)
    return nonce + sealed


def open_sealed(key: bytes, sealed: bytes, aad: bytes, *, kind: str) -> bytes:
    """The plaintext of what `seal` made with the same `key` and `aad`.

    Raises:
        Unavailable: `store.damaged`.
    """
    from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt
    from nacl.exceptions import CryptoError

    try:
        plaintext: bytes = crypto_aead_xchacha20poly1305_ietf_decrypt(sealed[NONCE:], aad, sealed[:NONCE], key)
    except (CryptoError, ValueError):
        raise Unavailable("store.damaged", kind=kind) from None
    return plaintext
