"""The hash functions of SD-JWT (`_sd_alg`, RFC 9901 §4.1.1), and digests as text, many at once."""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import methodcaller
from types import MappingProxyType
from typing import Any, Final

from cityid.errors import Malformed

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_digest: Final = methodcaller("digest")


@dataclass(frozen=True, slots=True)
class Hash:
    """One hash function under its name in the IANA Named Information registry; `size` is in bytes."""

    name: str
    function: Callable[[bytes], Any]
    size: int
    _fill: bytes = field(init=False, repr=False, compare=False)
    """What fills a digest up to a multiple of three bytes, so that one base64 does for all of them."""
    _step: int = field(init=False, repr=False, compare=False)
    """Characters from one text to the next; the last of them may stand for the filling."""
    _length: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        fill = -self.size % 3
        object.__setattr__(self, "_fill", bytes(fill))
        object.__setattr__(self, "_step", (self.size + fill) // 3 * 4)
        object.__setattr__(self, "_length", (self.size * 8 + 5) // 6)

    def texts(self, messages: Iterable[bytes]) -> list[str]:
        """The digest of each message, in base64url without padding."""
        function, fill, length = self.function, self._fill, self._length
        joined = fill.join(map(_digest, map(function, messages))) + fill
        text = binascii.b2a_base64(joined, newline=False).translate(_TO_URL).decode("ascii")
        return [text[start : start + length] for start in range(0, len(joined) // 3 * 4, self._step)]

    def text(self, message: bytes) -> str:
        """The digest of one message, in base64url without padding."""
        whole = binascii.b2a_base64(self.function(message).digest(), newline=False)
        return whole[: self._length].translate(_TO_URL).decode("ascii")


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
