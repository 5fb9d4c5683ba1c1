"""What the payload of an SD-JWT VC says, member by member (draft-ietf-oauth-sd-jwt-vc §2.2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from cityid import limits
from cityid.credential import CertificateChain, DidUrl, KeyPlace, StatusRef, WebIssuer, Window
from cityid.did import parse, parse_url
from cityid.encoding import base64url, json, times
from cityid.errors import Malformed
from cityid.keys import x509

__all__ = ["check_unregistered", "issuer_of", "statuses_of", "types_of", "window_of"]


def _wrong(name: str, expected: str, payload: Mapping[str, Any]) -> Malformed:
    return Malformed("json.wrong_type", where=f"$.{name}", expected=expected, found=json.kind(payload[name]))


def types_of(payload: Mapping[str, Any]) -> tuple[str, ...]:
    vct = payload.get("vct")
    if type(vct) is not str or not vct:
        if "vct" in payload and type(vct) is not str:
            raise _wrong("vct", "string", payload)
        raise Malformed("sd_jwt_vc.no_vct", where="$.vct", spec="SD-JWT VC §2.2.2.1")
    if "vct#integrity" in payload and type(payload["vct#integrity"]) is not str:
        raise _wrong("vct#integrity", "string", payload)
    if "aka_vcts" not in payload:
        return (vct,)
    also = payload["aka_vcts"]
    if type(also) is not list or not also or not all(type(name) is str and name for name in also) or vct in also:
        raise Malformed("sd_jwt_vc.aka_vcts", where="$.aka_vcts", spec="SD-JWT VC §2.2.2.2")
    return (vct, *also)


def check_unregistered(payload: Mapping[str, Any]) -> None:
    """JWT claims that this format leaves free. `aud` is a string or an array of strings (RFC 7519 §4.1.3); whether the
    asker is among them is for `verify` to say."""
    if "sub" in payload and type(payload["sub"]) is not str:
        raise _wrong("sub", "string", payload)
    given = payload.get("aud", "")
    if type(given) is not str and (type(given) is not list or not all(type(name) is str for name in given)):
        raise _wrong("aud", "string or array of strings", payload)


def issuer_of(header: Mapping[str, Any], payload: Mapping[str, Any]) -> tuple[str, KeyPlace]:
    """Who the credential says has issued it, and where it says the key is. Whether that mechanism is the one that this
    issuer uses is for the trust list to say (§2.5)."""
    issuer = payload.get("iss", "")
    if type(issuer) is not str or ("iss" in payload and not issuer):
        raise _wrong("iss", "string", payload)
    kid = header.get("kid", "")
    if type(kid) is not str:
        raise Malformed("json.wrong_type", where="$.kid", expected="string", found=json.kind(kid))
    if "x5c" in header:
        chain = _chain(header["x5c"])
        return issuer or x509.read(chain.certificates[0]).name, chain
    if issuer.startswith("https://"):
        return issuer, WebIssuer(issuer, kid)
    if issuer.startswith("did:"):
        return issuer, _did_url(issuer, kid)
    raise Malformed("sd_jwt_vc.no_key_mechanism", where="$.iss", spec="SD-JWT VC §2.5", issuer=issuer)


def _did_url(issuer: str, kid: str) -> DidUrl:
    """`kid` is a DID URL, a fragment with its `#`, or a bare fragment. A DID URL of another DID stays what it is: the
    trust list refuses it."""
    if kid.startswith("did:"):
        did, fragment = parse_url(kid)
        return DidUrl(str(did), fragment)
    parse(issuer)
    return DidUrl(issuer, kid.removeprefix("#"))


def _chain(x5c: Any) -> CertificateChain:
    if type(x5c) is not list or not 0 < len(x5c) <= limits.CHAIN or not all(type(text) is str for text in x5c):
        raise Malformed("sd_jwt_vc.x5c", where="$.x5c", spec="RFC 7515 §4.1.6", limit=limits.CHAIN)
    return CertificateChain(tuple(base64url.decode_standard(text, f"$.x5c[{n}]") for n, text in enumerate(x5c)))


def window_of(payload: Mapping[str, Any]) -> Window:
    """From the later of `nbf` and `iat` (nothing holds before it was issued) until `exp`."""
    start = end = None
    if "nbf" in payload:
        start = times.read_numeric(payload["nbf"], "$.nbf")
    if "iat" in payload and (start is None or type(payload["iat"]) is not int or payload["iat"] != payload["nbf"]):
        issued = times.read_numeric(payload["iat"], "$.iat")
        if start is None or issued > start:
            start = issued
    if "exp" in payload:
        end = times.read_numeric(payload["exp"], "$.exp")
    return Window(start, end)


def statuses_of(status: Any) -> tuple[StatusRef, ...]:
    """One reference for each mechanism that `status` names; the job decides what it can check."""
    fields = json.Fields(status, "$.status")
    found = []
    for kind, value in status.items():
        if kind == "status_list":
            inner = fields.fields(kind)
            uri, index = inner.text("uri"), inner.integer("idx")
            if index < 0:
                raise Malformed("sd_jwt_vc.status_index", where=inner.at("idx"), spec="Token Status List §6.2")
        else:
            # What a mechanism unknown here has in its member is its own affair.
            given = value.get("uri") if type(value) is dict else ""
            uri, index = given if type(given) is str else "", -1
        found.append(StatusRef(kind, uri, index, MappingProxyType(value if type(value) is dict else {})))
    return tuple(found)
