"""Decentralized identifiers: did:key, did:jwk, did:web and did:webvh, behind one `resolve` (DID Core 1.0, DID
Resolution v1).

A method is a module that knows nothing of the others; `resolution` has the shapes in which a resolver answers. did:key
and did:jwk are read where they stand; did:web is one Request of the plan, did:webvh one or two. Only did:webvh has a
history: `key_at` asks it which key was there when.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from cityid.did import jwk, web, webvh
from cityid.did import key as did_key
from cityid.did.document import DidDocument, VerificationMethod, read_document
from cityid.did.syntax import Did, parse, parse_url
from cityid.encoding.times import check_aware
from cityid.errors import Malformed, Misuse, Refused
from cityid.keys import PublicKey
from cityid.plan import Steps, plan

__all__ = [
    "Did", "DidDocument", "VerificationMethod", "dereference", "history", "key_at", "look_up", "parse",
    "parse_url", "read_document", "resolve",
]  # fmt: skip

_HERE: Final[Mapping[str, Callable[[Did], DidDocument]]] = MappingProxyType({"key": did_key.read, "jwk": jwk.read})
_FETCHED: Final[Mapping[str, Callable[[Did], Steps[DidDocument]]]] = MappingProxyType({"web": web.resolve})
METHODS: Final = (*_HERE, *_FETCHED, "webvh")


@plan
def resolve(did: str, at: datetime | None = None) -> Steps[DidDocument]:
    """The document of `did`, as it is now. What has a history needs `at`, the time of asking.

    Raises (when run):
        Malformed: `did.*` and what the method's own reader finds wrong.
        Refused: `did.method_not_supported`; `did.document_id`, `did.content_type`; `did.deactivated`, and what is wrong
            with a log.
        Misuse: `did.no_time`, `time.naive`.
        Unavailable: `did.not_found`, `did.http_status`; what the exchange raises (`net.*`).
    """
    parsed = parse(did)
    if parsed.method == "webvh":
        return webvh.current((yield from _log(parsed, at)))
    return (yield from _document(parsed))


@plan
def key_at(
    did: str,
    fragment: str,
    purpose: str,
    at: datetime | None = None,
    signed: datetime | None = None,
    seen: tuple[str, ...] = (),
) -> Steps[PublicKey]:
    """The key `#fragment` of `did` for `purpose` ("" asks for the only one), as of `at`; for what says that it was
    signed at `signed`, also a key that was there then and has gone since, where the method keeps a history. `seen` are
    versionIds that a log must have.

    Raises (when run):
        As `resolve`, and as `DidDocument.key`.
    """
    parsed = parse(did)
    if parsed.method == "webvh":
        log = yield from _log(parsed, at)
        for one in seen:
            log.continues(one)
        return webvh.key(log, fragment, purpose, signed)
    document = yield from _document(parsed)
    return document.key(fragment, purpose)


@plan
def look_up(url: str, at: datetime | None = None, seen: str = "") -> Steps[webvh.Resolution]:
    """What a DID, or a DID URL whose query asks for a version of a did:webvh, resolves to. `seen` is the versionId of
    its log that was seen last: a log that does not go on from there is refused.

    Raises (when run):
        As `resolve`, but a closed DID has a resolution. Malformed: `did.url_query`. Refused: `did.version_not_found`;
        `did.webvh_truncated`, `did.webvh_forked`.
    """
    text, mark, query = url.partition("?")
    parsed = parse(text)
    if parsed.method != "webvh":
        if mark:
            raise Malformed("did.url_not_plain", spec="DID Core §3.2", found=url)
        document = yield from _document(parsed)
        return webvh.Resolution(document.raw, {})
    asked = webvh.asked(query)
    log = yield from _log(parsed, at)
    if seen:
        log.continues(seen)
    return webvh.resolution(log, asked)


@plan
def history(did: str, at: datetime, seen: tuple[str, ...] = ()) -> Steps[webvh.Log]:
    """The log of a did:webvh, as of `at`; `seen` as in `key_at`.

    Raises (when run):
        Malformed: `did.method` for another method. Else as `look_up`, but for what is wrong with a later entry, which
        the log says itself.
    """
    log = yield from _log(parse(did), at)
    for one in seen:
        log.continues(one)
    return log


def _document(parsed: Did) -> Steps[DidDocument]:
    here = _HERE.get(parsed.method)
    if here is not None:
        return here(parsed)
    fetched = _FETCHED.get(parsed.method)
    if fetched is None:
        raise Refused("did.method_not_supported", spec="DID Resolution §4", method=parsed.method)
    return (yield from fetched(parsed))


def _log(parsed: Did, at: datetime | None) -> Steps[webvh.Log]:
    if at is None:
        raise Misuse("did.no_time", method=parsed.method)
    check_aware(at)
    return (yield from webvh.resolve(parsed, at))


@plan
def dereference(url: str, at: datetime | None = None) -> Steps[VerificationMethod]:
    """The verification method that a DID URL with a fragment names (DID Resolution §5.2).

    Raises (when run):
        Malformed: `did.url_not_plain`, `did.url_fragment`; as `resolve`.
        Refused: `did.no_such_key`; as `resolve`.
        Unavailable: as `resolve`.
    """
    did, fragment = parse_url(url)
    if not fragment:
        raise Malformed("did.url_fragment", spec="DID Core §3.2", found=fragment)
    document = yield from resolve(str(did), at)
    return document.method(fragment)
