"""The hash functions of SD-JWT (`_sd_alg`, RFC 9901 §4.1.1), and digests as text, many at once."""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from cityid.errors import Malformed

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True)
class Hash:
    """One hash function under its name in the IANA Named Information registry; `size` is in bytes."""

    name: str
    function: Callable[[bytes], Any]
    size: int

    def texts(self, messages: Iterable[bytes]) -> list[str]:
        """The digest of each message, in base64url without padding."""
        # One base64 for all: each digest is filled up to a multiple of three bytes, and what that adds is cut away.
        function, fill = self.function, -self.size % 3
        joined = bytes(fill).join([function(message).digest() for message in messages]) + bytes(fill)
        text = binascii.b2a_base64(joined, newline=False).translate(_TO_URL).decode("ascii")
        step, length = (self.size + fill) // 3 * 4, (self.size * 8 + 5) // 6
        return [text[start : start + length] for start in range(0, len(joined) // 3 * 4, step)]


DEFAULT: Final = "sha-256"
HASHES: Final[Mapping[str, Hash]] = MappingProxyType(
    {
        name: Hash(name, function, size)
        for name, function, size in (
            ("sha-256", hashlib.sha256, 32),
            ("sha-384", hashlib.sha384, 48),
            ("sha-512", hashlib.sha512, 64),
            ("sha3-256", hashlib.sha3_256, 32),
            ("sha3-384", hashlib.sha3_384, 48),
            ("sha3-512", hashlib.sha3_512, 64),
        )
    }
)


def named(name: Any, where: str) -> Hash:
    """The hash function called `name`: case-sensitive, never a truncated one.

    Raises:
        Malformed: `sd_jwt.hash`.
    """
    found = HASHES.get(name) if isinstance(name, str) else None
    if found is None:
        raise Malformed("sd_jwt.hash", where=where, spec="RFC 9901 §4.1.1", found=str(name))
    return found
