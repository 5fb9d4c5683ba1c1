"""How a credential or presentation of each format stands inside a JSON message (OpenID4VP §8.1 and Annex B, OpenID4VCI
§8.3 and Appendix A): an object as itself, a text as a string, bytes as base64url."""

from __future__ import annotations

from typing import Any, Final

from cityid.encoding import base64url, json
from cityid.errors import Malformed

BINARY: Final = frozenset({"mso_mdoc", "vc+cose"})


def write(raw: bytes, format: str) -> Any:  # format: the field's own word
    """The JSON value for `raw`, which a format of ours has made."""
    if format in BINARY:
        return base64url.encode(raw)
    return json.read_object(raw) if raw[:1] == b"{" else raw.decode("utf-8")


def read(value: Any, format: str, where: str) -> bytes:
    """The bytes for the format to read.

    Raises:
        Malformed: `json.wrong_type` unless `value` is a string or, for formats made of text, an object; `base64url.*`.
    """
    if isinstance(value, str):
        return base64url.decode(value, where) if format in BINARY else value.encode("utf-8", "surrogatepass")
    if isinstance(value, dict) and format not in BINARY:
        return json.write(value)
    raise Malformed("json.wrong_type", where=where, expected="string", found=json.kind(value))


_TYPS: Final = {
    "vc+jwt": "vc+jwt", "vp+jwt": "vc+jwt", "vc+sd-jwt": "vc+sd-jwt", "vp+sd-jwt": "vc+sd-jwt",
    "dc+sd-jwt": "dc+sd-jwt", "JWT": "jwt_vc_json",
}  # fmt: skip
_COSE_SIGN1: Final = b"\xd2\x84"


def recognise(raw: bytes) -> str:
    """The format that something looks as if it were in, for people who only want to look at it. Whoever judges has
    been told the format, and asks this never.

    Raises:
        Malformed: `wire.unrecognised`.
    """
    if raw[:2] == _COSE_SIGN1:
        return "vc+cose"
    try:
        if raw[:1] == b"{":
            return "ldp_vc" if "@context" in json.read_object(raw) else "dc+sd-jwt"
        header = json.read_object(base64url.decode(raw.partition(b".")[0].decode("ascii")))
    except (Malformed, UnicodeDecodeError):
        raise Malformed("wire.unrecognised") from None
    found = header.get("typ", "JWT")
    if b"~" in raw and found in ("JWT", "dc+sd-jwt"):
        return "dc+sd-jwt"
    if found not in _TYPS:
        raise Malformed("wire.unrecognised")
    return _TYPS[str(found)]
