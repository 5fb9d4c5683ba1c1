"""Transaction data in SD-JWT (OpenID4VP §8.4, B.3.3.1): what the holder agreed to, covered by the key binding."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from cityid.encoding import base64url, json
from cityid.errors import Refused
from cityid.jose import digests


def _allowed(data: Collection[str]) -> tuple[list[str], bool]:
    """The hash functions that every entry allows, the request's first choice first; and whether it named any."""
    allowed = list(digests.HASHES)
    named = False
    for index, text in enumerate(data):
        where = f"$.transaction_data[{index}]"
        entry = json.Fields(json.read_object(base64url.decode(text, where), where=where), where)
        names = entry.optional_texts("transaction_data_hashes_alg")
        named = named or names is not None
        allowed = [name for name in ([digests.DEFAULT] if names is None else names) if name in allowed]
    return allowed, named


def digests_of(data: tuple[str, ...]) -> dict[str, Any]:
    """What the KB-JWT says of transaction data: digests of the strings as received, never of what they decode to."""
    allowed, named = _allowed(data)
    if not allowed:
        raise Refused("binding.transaction_data_alg", spec="OpenID4VP B.3.3.1", found="none in common")
    hash_ = digests.HASHES[allowed[0]]
    claims: dict[str, Any] = {"transaction_data_hashes": hash_.texts([text.encode("ascii") for text in data])}
    if named:
        claims["transaction_data_hashes_alg"] = hash_.name
    return claims


def check(claims: Mapping[str, Any], data: tuple[str, ...]) -> None:
    found = claims.get("transaction_data_hashes")
    if type(found) is not list or not all(type(text) is str for text in found):
        raise Refused("binding.transaction_data_missing", spec="OpenID4VP B.3.3.1")
    allowed, named = _allowed(data)
    name = claims.get("transaction_data_hashes_alg", "" if named else digests.DEFAULT)
    if name not in allowed:
        raise Refused("binding.transaction_data_alg", spec="OpenID4VP B.3.3.1", found=str(name))
    wanted = digests.HASHES[name].texts([text.encode("ascii") for text in data])
    if sorted(wanted) != sorted(found):
        raise Refused("binding.transaction_data", spec="OpenID4VP §8.4")
