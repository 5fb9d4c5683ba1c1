"""base64url without padding (RFC 4648 §5, RFC 7515 §2), strict: decoding then encoding gives the same characters."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from cityid.errors import Malformed

_TO_STANDARD: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
# The characters whose unused low bits are zero, by the number of characters past a multiple of four.
_LAST: Final = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")
_PADDING: Final = (b"", b"", b"==", b"=")
_decode: Final = binascii.a2b_base64


def encode(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").translate(_TO_URL).decode("ascii")


_TO_URL: Final = bytes.maketrans(b"+/", b"-_")


def decode(text: str | bytes, where: str = "") -> bytes:
    """The bytes behind `text`.

    Raises:
        Malformed: `base64url.alphabet`, `base64url.length`, `base64url.tail` (unused bits set, RFC 4648 §3.5).
    """
    if isinstance(text, str):
        try:
            text = text.encode("ascii")
        except UnicodeEncodeError:
            raise Malformed("base64url.alphabet", where=where, spec="RFC 4648 §5") from None
    over = len(text) & 3
    try:
        standard = text.translate(_TO_STANDARD)
        data = _decode(standard + _PADDING[over] if over else standard, strict_mode=True)
    except binascii.Error:
        if over == 1:
            raise Malformed("base64url.length", where=where, spec="RFC 4648 §5", length=len(text)) from None
        raise Malformed("base64url.alphabet", where=where, spec="RFC 4648 §5") from None
    if over and text[-1] not in _LAST[over]:
        raise Malformed("base64url.tail", where=where, spec="RFC 4648 §3.5")
    return data


def decode_standard(text: str, where: str = "") -> bytes:
    """Padded standard base64, as `x5c` has it (RFC 7515 §4.1.6), just as strictly."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise Malformed("base64.alphabet", where=where, spec="RFC 4648 §4") from None
    if base64.b64encode(data).decode("ascii") != text:
        raise Malformed("base64.not_canonical", where=where, spec="RFC 4648 §3.5")
    return data
