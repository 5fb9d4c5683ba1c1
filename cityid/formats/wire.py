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
