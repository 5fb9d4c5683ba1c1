"""Credentials and presentations in envelopes (VCDM 2.0 §4.13.1, §4.13.3): what is in one is read, and judged as what
is secured inside of itself would be."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from cityid import trust
from cityid.credential import CertificateChain, DidUrl, KeyRef, Purpose
from cityid.encoding import jsonld
from cityid.encoding.json import Fields
from cityid.encoding.jsonld import Loader
from cityid.errors import Refused
from cityid.formats import _vcdm, _w3c
from cityid.formats.vc_jose import documents as vc_jose
from cityid.formats.vc_jose import secured
from cityid.formats.vc_jose.secured import Secured
from cityid.plan import Steps
from cityid.vc_api import resources
from cityid.vc_api.model import Options

if TYPE_CHECKING:
    from cityid.vc_api.verifying import Occasion

CREDENTIAL: Final = "EnvelopedVerifiableCredential"
PRESENTATION: Final = "EnvelopedVerifiablePresentation"
_SPEC: Final = "VC-JOSE-COSE §3.1.2"


def is_one(document: Any, kind: str) -> bool:
    """Does a document say that it is an envelope of this kind?"""
    names = document.get("type") if isinstance(document, Mapping) else None
    return kind in (names if isinstance(names, list) else [names])


def bare(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a verdict is about: of an envelope the members that it has by definition, because nobody signed others; any
    other document as it is."""
    if not (is_one(document, CREDENTIAL) or is_one(document, PRESENTATION)):
        return dict(document)
    return {name: document[name] for name in ("@context", "type", "id")}


def opened(document: Mapping[str, Any], kind: str, where: str) -> tuple[str, bytes]:
    """The media type (less `application/`) and the data in an envelope of this kind; nothing of it is read yet.

    Raises:
        Malformed: `vcdm.*`, `vc_jose.envelope`, `json.*`, `base64.*`.
    """
    _vcdm.data_of(document, kind, where)
    return secured.opened(document, where)


def check_credential(data: bytes, media: str, options: Options, load: Loader, where: str) -> Secured:
    """A secured credential whose words are all defined, and whose resources are the known ones.

    Raises:
        Malformed: as `secured.read`; `vcdm.*`, `context.*`, `jsonld.*`, `vc_jose.*`. Refused: `vc_api.resource_digest`.
    """
    found = secured.read(data, media)
    facts = cast("_vcdm.Facts", vc_jose.facts_of(found, any_context=options.contexts == "inline"))
    resources.check(facts.resources, where)
    jsonld.expand(found.document, load)
    return found


def check_members(document: Mapping[str, Any], options: Options) -> None:
    """May a credential be secured in an envelope? (What our own verifier refuses is not issued.)

    Raises:
        Malformed: `vc_jose.version`, `vc_jose.undefined`, `context.*`.
    """
    vc_jose.meant(document, any_context=options.contexts == "inline")


def presentation(document: Mapping[str, Any], options: Options, where: str) -> Secured:
    """The presentation in an envelope; the credentials in it are all secured.

    Raises:
        Malformed: as `opened`, `secured.read`; `vcdm.*`, `context.*`, `vc_jose.*`.
    """
    media, data = opened(document, PRESENTATION, where)
    found = secured.read(data, media)
    vc_jose.facts_of(found, any_context=options.contexts == "inline")
    return found


def controller_of(found: Secured, member: str) -> str:
    """Whoever is said to control the key that signed: the DID in `kid`, else the issuer or holder (`member`)."""
    return found.kid.partition("#")[0] if found.kid.startswith("did:") else _owner(found, member)


def _owner(found: Secured, member: str) -> str:
    said = found.claims.get("iss") or found.document.get(member)
    named = said.get("id") if isinstance(said, Mapping) else said
    return named if isinstance(named, str) else ""


def signed(found: Secured, occasion: Occasion, options: Options, at: datetime, where: str) -> Steps[str]:
    """Who signed a presentation for this occasion.

    Raises:
        Malformed, Refused, Unavailable: whatever is wrong with it, or with finding its key.
    """
    _check_occasion(found, occasion)
    _w3c.check_times(found.claims, at)
    owner = _owner(found, "holder")
    place = _w3c.place_of(owner, found.kid, found.chain)
    if isinstance(place, CertificateChain):
        raise Refused("trust.unknown_issuer", where=where, issuer=owner)
    signer = place.did if isinstance(place, DidUrl) else place.issuer
    if options.controller == "issuer" and owner not in ("", signer):
        raise Refused("vc_api.holder", where=f"{where}.holder", spec="VCDM 2.0 §4.13", found=owner, signer=signer)
    key = yield from trust.key(KeyRef(place, Purpose.AUTHENTICATION), None, at)
    found.check(key)
    return signer


def _check_occasion(found: Secured, occasion: Occasion) -> None:
    """For whom, and in answer to what: the claims `aud` and `nonce` (VC-JOSE-COSE §3.1.3, OpenID4VP B.1.3.1).

    Raises:
        Refused: `binding.audience`, `binding.nonce`. Malformed: `json.wrong_type`.
    """
    claims = Fields(dict(found.claims), "$")
    if occasion.domain is not None:
        several = isinstance(found.claims.get("aud", []), list)
        listed = claims.optional_texts("aud") or [] if several else [claims.text("aud")]
        if frozenset(listed) != occasion.domain:
            expected = ", ".join(sorted(occasion.domain))
            raise Refused("binding.audience", spec=_SPEC, expected=expected, found=", ".join(listed))
    if occasion.challenge is not None:
        nonce = claims.optional_text("nonce")
        same = hmac.compare_digest((nonce or "").encode("utf-8", "surrogatepass"), occasion.challenge.encode())
        if nonce is None or not same:
            raise Refused("binding.nonce", spec=_SPEC)
