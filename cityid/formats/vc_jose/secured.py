"""Securing Verifiable Credentials using JOSE and COSE (W3C Recommendation, 15 May 2025) §3: a document of the data
model is signed as it is, as JWT, as SD-JWT or in COSE.

Here is the mechanism: what is around the document and what agrees with it. Which document is a good one is the data
model's word (`formats._vcdm`), who may sign it the trust list's.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from cityid import limits
from cityid.cose import sign1
from cityid.credential import CertificateChain
from cityid.encoding import base64url, json, times
from cityid.errors import Malformed, Misuse
from cityid.formats import _w3c
from cityid.formats.vc_jose import heads
from cityid.formats.vc_jose.heads import Head
from cityid.jose import jws, sd_jwt, sd_jwt_issue
from cityid.jose.sd_jwt import SdJwt
from cityid.keys import PublicKey, Signer, cose_key

__all__ = ["MEDIA", "Secured", "envelope", "opened", "read", "sign"]

MEDIA: Final = frozenset({"vc+jwt", "vp+jwt", "vc+sd-jwt", "vp+sd-jwt", "vc+cose", "vp+cose"})
"""The media types (less `application/`) of what is secured: `typ` says them (§3.1.1, §3.2.1, §3.3.1)."""
REGISTERED: Final = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf", "nonce", "status"})
"""Claims of a JWT that stand beside the members of the document (RFC 7519 §4.1, RFC 7800, Token Status List §6.2)."""
NEVER_HIDDEN: Final = frozenset({
    "@context", "type", "issuer", "validFrom", "validUntil", "credentialStatus", "credentialSchema", "relatedResource",
    "iss", "aud", "exp", "nbf", "cnf", "status",
})  # fmt: skip
"""What a holder must not be able to leave out of a credential: what it is, whose, and whether it still holds."""
CWT_CLAIMS: Final = 15
"""The header parameter with the claims of a CWT (RFC 9597)."""
_CWT: Final = {1: "iss", 2: "sub", 3: "aud", 4: "exp", 5: "nbf", 6: "iat", 7: "jti", 8: "cnf", 10: "nonce"}
_LABELS: Final = {name: label for label, name in _CWT.items()}
_COSE_KEY: Final = 1
_SAID_TWICE: Final = {
    "vc": (("iss", "issuer"), ("sub", "credentialSubject"), ("jti", "id")),
    "vp": (("iss", "holder"), ("sub", "credentialSubject"), ("jti", "id")),
}
_SPEC: Final = "VC-JOSE-COSE §3"
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

Signed: TypeAlias = jws.Jws | SdJwt | sign1.Sign1


class Secured(NamedTuple):
    """A document as secured; reading it believes nothing. `document` is without `claims`, the registered claims that
    stood beside its members (of COSE: in the header), and of an SD-JWT what was disclosed. `kid` and `chain` say where
    the key is said to be."""

    media: str
    document: dict[str, Any]
    claims: Mapping[str, Any]
    kid: str
    chain: CertificateChain | None
    signed: Signed
    head: Head | None = None

    def __repr__(self) -> str:
        return f"Secured({self.media})"

    def check(self, key: PublicKey) -> None:
        """Is it signed by `key`?

        Raises:
            Refused: `jws.alg`, `cose.alg`, `cose.detached`, `signature.invalid`.
        """
        signed = self.signed
        if isinstance(signed, sign1.Sign1):
            sign1.check(signed, key)
        else:
            jws.check(signed.jws if isinstance(signed, SdJwt) else signed, key)


# -- reading --


def read(data: bytes | str, *media: str, limit: int = limits.DOCUMENT) -> Secured:
    """What is secured in `data`, which must say itself that it is one of `media`, all of one kind of securing.

    Raises:
        Malformed: `vc_jose.*`, `jws.*`, `sd_jwt.*`, `cose.*`, `json.*`, `cbor.*`, `base64url.*`, `time.*`, `w3c.x5c`.
        Misuse: `vc_jose.media`.
    """
    kind = _kind(media[0])
    if kind == "cose":
        return _read_cose(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"), media)
    if kind == "jwt":
        signed = jws.read_compact(data, typ=media, where="vc", limit=limit, decode=heads.decode)
        document, head = heads.read(signed.payload) or (None, None)
        if document is None:
            document = json.read_object(signed.payload, where="$", limit=limit)
            heads.learn(signed.payload)
        return _of_payload(signed.header, document, signed, head)
    token = sd_jwt.read(data, typ=media, where="vc", limit=limit)
    if token.jws.header["typ"] == "vc+sd-jwt":
        for path in (*token.processed.hidden, *token.processed.carriers):
            if path and path[0] in NEVER_HIDDEN:
                raise Malformed("vc_jose.hidden", where="$", spec="VC-JOSE-COSE §3.2.1", name=str(path[0]))
    return _of_payload(token.jws.header, token.payload.copy(), token)


def _kind(media: str) -> str:
    if media not in MEDIA:
        raise Misuse("vc_jose.media", media=media)
    return media[3:]


def _of_payload(
    header: Mapping[str, Any], payload: dict[str, Any], signed: Signed, head: Head | None = None
) -> Secured:  # fmt: skip
    media: str = header["typ"]
    short = media[:2]
    if "cty" in header and header["cty"] != short:
        raise Malformed("vc_jose.cty", where="$.cty", spec=_SPEC, expected=short, found=_told(header["cty"]))
    claims = {name: payload.pop(name) for name in REGISTERED.intersection(payload)}
    # RFC 7519 §5.3: claims may be said again in the header.
    _agree(payload, claims, header, short)
    kid = header.get("kid", "")
    if type(kid) is not str:
        raise Malformed("json.wrong_type", where="$.kid", expected="string", found=json.kind(kid))
    chain = _w3c.chain_of(header["x5c"]) if "x5c" in header else None
    return Secured(media, payload, claims, kid, chain, signed, head)


def _told(value: Any) -> str:
    return value if type(value) is str else json.kind(value)


def _read_cose(data: bytes, wanted: tuple[str, ...]) -> Secured:
    signed = sign1.read(data, typ=[f"application/{one}" for one in wanted], where="vc")
    media = signed.protected[sign1.TYP].removeprefix("application/")
    short = media[:2]
    content = signed.protected.get(sign1.CONTENT_TYPE, f"application/{short}")
    if content != f"application/{short}":
        raise Malformed(
            "vc_jose.cty", where="$.3", spec=_SPEC, expected=f"application/{short}", found=str(content)[:100]
        )
    document = json.read_object(signed.payload or b"", where="$")
    claims = _cwt_claims(signed.protected.get(CWT_CLAIMS))
    _agree(document, claims, _NOTHING, short)
    kid = signed.header(sign1.KID)
    if kid is not None and type(kid) is not bytes:
        raise Malformed("vc_jose.kid", where="$.4", spec="RFC 9052 §3.1")
    return Secured(media, document, claims, (kid or b"").decode("utf-8", "replace"), _x5chain(signed), signed)


def _x5chain(signed: sign1.Sign1) -> CertificateChain | None:
    """RFC 9360 §2: one certificate as it is, several as an array."""
    found = signed.header(sign1.X5CHAIN)
    if found is None:
        return None
    chain = found if type(found) is list else [found]
    if not 0 < len(chain) <= limits.CHAIN or not all(type(der) is bytes for der in chain):
        raise Malformed("w3c.x5c", where="$.33", spec="RFC 9360 §2", limit=limits.CHAIN)
    return CertificateChain(tuple(chain))


def _cwt_claims(found: Any) -> dict[str, Any]:
    """The CWT claims that have names as JWT claims, under these; what is not known is not needed."""
    if found is None:
        return {}
    if type(found) is not dict:
        raise Malformed("vc_jose.cwt_claims", where="$.15", spec="RFC 9597 §2")
    claims = {name: found[label] for label, name in _CWT.items() if label in found}
    if "cnf" in claims:
        key = claims["cnf"].get(_COSE_KEY) if type(claims["cnf"]) is dict else None
        if type(key) is not dict:
            raise Malformed("vc_jose.cwt_claims", where="$.15.8", spec="RFC 8747 §3.1")
        try:
            claims["cnf"] = cose_key.read(key, "$.15.8")
        except Malformed as error:
            if error.code != "key.unsupported":
                raise
            claims["cnf"] = None
    return claims


def _agree(document: Mapping[str, Any], claims: Mapping[str, Any], header: Mapping[str, Any], short: str) -> None:
    """The document is the payload itself, and what is said twice is said alike (§3.1.3)."""
    for name in ("vc", "vp"):
        if name in document:
            raise Malformed("vc_jose.vc_claim", where=f"$.{name}", spec="VC-JOSE-COSE §3.1.3", name=name)
    for name, member in _SAID_TWICE[short]:
        if name in claims:
            said = [claims[name], header[name]] if name in header else [claims[name]]
        elif name in header:
            said = [header[name]]
        else:
            continue
        value = document.get(member)
        if type(value) is dict:
            value = value.get("id")
        # Several subjects have no one id, and a document need not have one.
        if type(value) is str or value is None:
            said.append(said[0] if value is None else value)
        if any(one != said[0] for one in said):
            raise _differs(name, member)
    for name in ("exp", "nbf"):
        if name in claims:
            times.read_numeric(claims[name], f"$.{name}")


def _differs(name: str, member: str) -> Malformed:
    return Malformed("vc_jose.differs", where=f"$.{name}", spec="VC-JOSE-COSE §3.1.3", name=name, member=member)


# -- signing --


def sign(
    document: Mapping[str, Any],
    media: str,
    signer: Signer,
    *,
    kid: str = "",
    chain: tuple[bytes, ...] = (),
    claims: Mapping[str, Any] = _NOTHING,
    hide: Iterable[tuple[str | int | None, ...]] = (),
    entropy: Callable[[int], bytes] = secrets.token_bytes,
    contexts: bytes = b"",
) -> bytes:
    """`document` secured as `media`; of an SD-JWT the members at `hide` can be left out later. `claims` are registered
    ones; of COSE, `cnf` is a public key. `contexts` is, for a JWT, the document's `@context` as JSON, if it has none.

    Raises:
        Misuse: `vc_jose.media`, `vc_jose.not_sd_jwt`, `sd_jwt.*`.
        Malformed: `vc_jose.vc_claim`, `vc_jose.differs`, `sd_jwt.*`, `json.*`, `cbor.*`.
        Unavailable: `keys.unavailable`.
    """
    kind, hidden = _kind(media), tuple(hide)
    if hidden and kind != "sd-jwt":
        raise Misuse("vc_jose.not_sd_jwt", media=media)
    _agree(document, claims, _NOTHING, media[:2])
    if kind == "cose":
        return sign1.sign(json.write(dict(document)), signer, _cose_header(media, kid, chain, claims))
    header = protected(media, kid, chain, signer.public_key)
    if kind == "jwt":
        payload = json.write({**document, **claims})
        if contexts:
            payload = b'{"@context":%b,%b' % (contexts, payload[1:])
        return jws.sign_segments(header, payload, signer)
    never = NEVER_HIDDEN if media == "vc+sd-jwt" else frozenset({"@context"})
    frame = sd_jwt_issue.frame(hidden, unhideable=sd_jwt_issue.UNHIDEABLE | never)
    return sd_jwt_issue.issue(document, frame, signer, protected=header, registered=claims, entropy=entropy).text


@lru_cache(maxsize=64)
def protected(media: str, kid: str, chain: tuple[bytes, ...], key: PublicKey) -> bytes:
    """The JOSE header that all documents of one signer share."""
    return _w3c.protected({"typ": media, "cty": media[:2]}, kid, chain, key)


def _cose_header(media: str, kid: str, chain: tuple[bytes, ...], claims: Mapping[str, Any]) -> dict[int, Any]:
    header: dict[int, Any] = {sign1.TYP: f"application/{media}", sign1.CONTENT_TYPE: f"application/{media[:2]}"}
    if chain:
        header[sign1.X5CHAIN] = chain[0] if len(chain) == 1 else list(chain)
    elif kid:
        header[sign1.KID] = kid.encode("utf-8")
    if claims:
        written = {_LABELS[name]: value for name, value in claims.items()}
        if isinstance(claims.get("cnf"), PublicKey):
            written[_LABELS["cnf"]] = {_COSE_KEY: cose_key.write(claims["cnf"])}
        header[CWT_CLAIMS] = written
    return header


# -- envelopes --

_ENVELOPES: Final = {"vc": "EnvelopedVerifiableCredential", "vp": "EnvelopedVerifiablePresentation"}


def envelope(data: bytes, media: str) -> dict[str, Any]:
    """`data`, which is secured as `media`, as an object of the data model (VCDM 2.0 §4.13.1, §4.13.3)."""
    body = f";base64,{base64.b64encode(data).decode('ascii')}" if media.endswith("cose") else f",{data.decode('ascii')}"
    return {"@context": _w3c.V2, "type": _ENVELOPES[media[:2]], "id": f"data:application/{media}{body}"}


def opened(document: Any, where: str = "$") -> tuple[str, bytes]:
    """What is in an envelope: its media type (less `application/`) and the secured data, of which nothing is read yet.

    Raises:
        Malformed: `json.*`, `vc_jose.envelope`, `base64.*`.
    """
    fields = json.Fields(document, where)
    kind, url = fields.value.get("type"), fields.text("id")
    if type(kind) is list and len(kind) == 1:
        kind = kind[0]
    media, _, body = url.removeprefix("data:application/").partition(",")
    media, _, base = media.partition(";")
    if not url.startswith("data:application/") or media not in MEDIA or kind != _ENVELOPES[media[:2]] or not body:
        raise Malformed("vc_jose.envelope", where=where, spec="VCDM 2.0 §4.13")
    if base != ("base64" if media.endswith("cose") else ""):
        raise Malformed("vc_jose.envelope", where=where, spec="VCDM 2.0 §4.13")
    if base:
        return media, base64url.decode_standard(body, f"{where}.id")
    return media, body.encode("utf-8", "surrogatepass")
