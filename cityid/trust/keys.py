"""From a KeyRef to a PublicKey: pinned, resolved, from the leaf of a valid chain, or from JWT VC issuer metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from cityid import did, limits
from cityid.credential import CertificateChain, DidUrl, KeyRef
from cityid.did import webvh
from cityid.encoding import json
from cityid.errors import Misuse, Refused, Unavailable
from cityid.keys import PublicKey, jwk
from cityid.plan import Request, Response, Steps, plan
from cityid.trust.entries import TrustList, pick, validated

_HOST: Final = r"https://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?)"
_ISSUER: Final = re.compile(_HOST + r"(?P<path>(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)*)")
_URL: Final = re.compile(_HOST + r"(?:[/?][!-\"$-~]*)?")
_JSON: Final = {"accept": "application/json"}


@plan
def key(
    ref: KeyRef, trust: TrustList | None = None, at: datetime | None = None, signed: datetime | None = None
) -> Steps[PublicKey]:
    """The key that `ref` names. What `trust` pins is taken from there and needs no network.

    A chain is validated against the roots of `trust` as of `at`, so that no key of a chain can be had past the trust
    list. A log of a did:webvh must go on from what `trust` has seen of it. `signed` is when a credential says that it
    begins: a DID with a history answers with the keys of then.

    Raises (when run):
        Misuse: `did.no_time`; `trust.chain_unjudged`, for a chain without `trust` and `at`.
        Refused: `did.*`, `trust.*`. Malformed: `did.*`, `json.*`, `key.*`, `x509.*`. Unavailable: `did.*`, `trust.*`,
            `net.*`.
    """
    place = ref.at
    if isinstance(place, CertificateChain):
        if trust is None or at is None:
            raise Misuse("trust.chain_unjudged")
        return validated(place, trust.roots, at).public_key
    pinned = None if trust is None else trust.pinned_key(place, ref.purpose)
    if pinned is not None:
        return pinned
    if isinstance(place, DidUrl):
        seen = () if trust is None else trust.seen(place.did)
        history = None if trust is None else trust.history(place.did)
        if history is not None:
            return pinned_history(place, history, seen, ref.purpose, at, signed)
        return (yield from did.key_at(place.did, place.fragment, ref.purpose, at, signed, seen))
    keys, _ = yield from published(place.issuer)
    return pick(keys, place)


def pinned_history(
    place: DidUrl, history: webvh.Log, seen: tuple[str, ...], purpose: str, at: datetime | None, signed: datetime | None
) -> PublicKey:
    """The key out of a log that the trust list pins, as of `at`.

    Raises:
        As `did.key_at`.
    """
    if at is None:
        raise Misuse("did.no_time", method="webvh")
    log = webvh.as_of(history, at)
    for one in seen:
        log.continues(one)
    return webvh.key(log, place.fragment, purpose, signed)


def metadata_url(issuer: str) -> str:
    """Where an https issuer publishes its JWT VC issuer metadata: the well-known part stands between host and path
    (SD-JWT VC §4.1).

    Raises:
        Refused: `trust.web_issuer`, unless it is https without query, fragment, user or dot segments.
    """
    found = _ISSUER.fullmatch(issuer)
    if found is None or not {".", ".."}.isdisjoint(found["path"].split("/")):
        raise Refused("trust.web_issuer", spec="SD-JWT VC §4.1", issuer=issuer)
    return f"https://{found['host']}/.well-known/jwt-vc-issuer{found['path'].removesuffix('/')}"


def published(issuer: str) -> Steps[tuple[Mapping[str, PublicKey], Mapping[str, Any]]]:
    """The keys that an https issuer publishes, and the JWT VC issuer metadata that lead to them (SD-JWT VC §4)."""
    response = yield _get(metadata_url(issuer))
    fields = json.Fields(json.read_object(_body(response, issuer), where="$"))
    found = fields.text("issuer")
    if found != issuer:
        raise Refused("trust.metadata_issuer", where="$.issuer", spec="SD-JWT VC §4.3", issuer=issuer, found=found)
    if ("jwks" in fields) is ("jwks_uri" in fields):
        raise Refused("trust.metadata_keys", spec="SD-JWT VC §4.2", issuer=issuer)
    if "jwks" in fields:
        return jwk.read_set(fields.object("jwks"), "$.jwks"), fields.value
    url = fields.text("jwks_uri")
    if _URL.fullmatch(url) is None:
        raise Refused("trust.jwks_uri", where="$.jwks_uri", spec="SD-JWT VC §4.2", issuer=issuer, url=url)
    response = yield _get(url)
    return jwk.read_set(json.read_object(_body(response, issuer), where="$"), "$"), fields.value


def _get(url: str) -> Request:
    return Request("GET", url, _JSON, redirects=limits.REDIRECTS, limit=limits.DOCUMENT)


def _body(response: Response, issuer: str) -> bytes:
    """The body of a good answer; an error's body is never used (SD-JWT VC §3)."""
    if response.status != 200:
        raise Unavailable("trust.metadata_status", spec="SD-JWT VC §4.2", issuer=issuer, status=response.status)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", "application/jwk-set+json"):
        raise Refused("trust.metadata_type", spec="SD-JWT VC §4.2", issuer=issuer, found=kind)
    return response.body
