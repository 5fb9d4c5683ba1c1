"""What is known of a status list at a moment: fetched, or kept from an earlier fetch, checked, and how old it is.

A list is asked for only when somebody needs one of its entries. What was kept is asked for again as soon as it is older
than the list's own time to live or the policy's `max_age`; what cannot be had again counts for as long as the policy
says (`grace`, `offline`), never past the list's own end, and never silently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote

from cityid import limits, trust
from cityid.credential import CertificateChain, DidUrl, KeyRef, WebIssuer
from cityid.did import parse_url
from cityid.encoding import times
from cityid.errors import Malformed, Refused, Unavailable
from cityid.keys import PublicKey, x509
from cityid.plan import Request, Response, Steps
from cityid.status import names
from cityid.status.memo import Entries, Memo, Reading
from cityid.trust import TrustList

if TYPE_CHECKING:
    from cityid.status import token_status_list

_NOW: Final = timedelta(0)
EVER: Final = datetime.min.replace(tzinfo=UTC)
"""When a list begins that does not say so."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """The greatest age of a status that a policy accepts: ordinarily, when the list cannot be had, and with a list
    fetched ahead."""

    max_age: timedelta = timedelta(minutes=15)
    grace: timedelta = timedelta(0)
    offline: timedelta = timedelta(0)


class SignedList(Protocol):
    """A list as read, of whatever kind: whose it says it is, from when until when it holds, and its entries packed."""

    @property
    def uri(self) -> str | None: ...
    @property
    def iat(self) -> datetime: ...
    @property
    def exp(self) -> datetime | None: ...
    @property
    def ttl(self) -> timedelta | None: ...
    @property
    def iss(self) -> str: ...
    @property
    def kid(self) -> str: ...
    @property
    def chain(self) -> CertificateChain | None: ...
    @property
    def aggregation_uri(self) -> str: ...

    def check(self, key: PublicKey) -> None: ...

    def entries(self) -> Entries: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of status list: what is asked for, how an answer of each media type is read, and the parameter that asks
    for the list as it was at a time."""

    accept: str
    readers: Mapping[str, Callable[[bytes], SignedList]]
    then: Callable[[datetime], str]


def _token(form: token_status_list.Form, body: bytes) -> SignedList:
    from cityid.status import token_status_list  # what is imported here, most answers do without

    return token_status_list.read(body, form)


def _list_credential(media: str, body: bytes) -> SignedList:
    from cityid.status import list_credential

    return list_credential.READERS[media](body)


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        names.TOKEN: Kind(
            f"{names.JWT}, {names.CWT};q=0.9",
            {names.JWT: partial(_token, "jwt"), names.CWT: partial(_token, "cwt")},
            lambda moment: f"time={times.numeric(moment)}",
        ),
        names.BITSTRING: Kind(
            names.ACCEPT_CREDENTIALS,
            {media: partial(_list_credential, media) for media in names.CREDENTIALS},
            lambda moment: f"timestamp={quote(times.stamp(moment), safe='')}",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Known:
    """A list that may be relied on: `as_of` is when it was had, `until` how long it may be relied on, `bound` the
    greatest age accepted of it; `late` that it could not be had anew."""

    entries: Entries = field(repr=False)
    as_of: datetime
    until: datetime
    ttl: timedelta | None
    bound: timedelta
    late: bool


def readable(accept: str, form: str, body: bytes) -> bool:
    """Is this an answer to a request for `accept` that is worth keeping? Only of status lists is anything known here;
    an error page must never take the place of a list."""
    for kind in KINDS.values():
        if kind.accept == accept:
            try:
                kind.readers[form](body)
            except (KeyError, Malformed):
                return False
    return True


def known(kind: Kind, uri: str, issuer: KeyRef, trusted: TrustList, freshness: Freshness, at: datetime) -> Steps[Known]:
    """The list at `uri`, as somebody who trusts `issuer` may rely on it at `at`.

    Raises:
        Unavailable: `status.expired`, `status.not_yet`, `status.stale`, `status.http`, `status.media_type`, `net.*`,
            `trust.*`, `did.*`, when no usable list could be had in time.
        Refused: `status.subject`, `status.other_signer`, `status.other_iss`, `signature.invalid`, `jws.alg`,
            `cose.alg`, `did.*`, `trust.*`: somebody else's list.
        Malformed: whatever reading may raise.
    """
    try:
        response: Response | None = None
        try:
            response = yield request(kind, uri, freshness.max_age)
            return (yield from _fresh(kind, uri, response, issuer, trusted, freshness, at))
        except (Unavailable, Malformed, Refused):
            # An answer just fetched is the server's last word; one that was kept is not.
            if response is None or response.received >= at:
                raise
        response = yield request(kind, uri, _NOW)
        return (yield from _fresh(kind, uri, response, issuer, trusted, freshness, at))
    except (Unavailable, Malformed) as missing:
        if not max(freshness.grace, freshness.offline):
            raise
        return (yield from _late(kind, uri, issuer, trusted, freshness, at, missing))


def request(kind: Kind, uri: str, max_age: timedelta, *, kept: bool = False) -> Request:
    """What is asked for a list: its address and the forms that can be read, and nothing about a card."""
    return Request(
        "GET",
        uri,
        {"accept": kind.accept},
        max_age=max_age,
        redirects=limits.REDIRECTS,
        limit=limits.STATUS_TOKEN,
        kept=kept,
    )


def _fresh(
    kind: Kind, uri: str, response: Response, issuer: KeyRef, trusted: TrustList, freshness: Freshness, at: datetime
) -> Steps[Known]:
    found, entries = yield from checked(kind, uri, response, issuer, trusted, at)
    bound = freshness.max_age if found.ttl is None else min(freshness.max_age, _clamped(found.ttl))
    until = response.received + bound
    if until < at:
        raise _stale(uri, until)
    return Known(entries, response.received, _earlier(found.exp, until), found.ttl, bound, late=False)


def _late(
    kind: Kind,
    uri: str,
    issuer: KeyRef,
    trusted: TrustList,
    freshness: Freshness,
    at: datetime,
    missing: Unavailable | Malformed,
) -> Steps[Known]:
    """What was kept, where nothing better can be had: `missing` says why."""
    try:
        response = yield request(kind, uri, limits.STATUS_KEPT, kept=True)
    except Unavailable:
        raise missing from None
    bound = max(freshness.grace, freshness.offline) if response.ahead else freshness.grace
    until = response.received + bound
    if until < at:
        raise _stale(uri, until)
    found, entries = yield from checked(kind, uri, response, issuer, trusted, at)
    return Known(entries, response.received, _earlier(found.exp, until), found.ttl, bound, late=True)


def _stale(uri: str, until: datetime) -> Unavailable:
    return Unavailable("status.stale", spec="Token Status List §8.3", list=uri, until=_text(until))


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")


def _earlier(exp: datetime | None, until: datetime) -> datetime:
    return until if exp is None else min(exp, until)


def _clamped(ttl: timedelta) -> timedelta:
    return min(max(ttl, limits.STATUS_TTL_MIN), limits.STATUS_TTL_MAX)


def media_type(response: Response) -> str:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


def checked(
    kind: Kind, uri: str, response: Response, issuer: KeyRef, trusted: TrustList, at: datetime
) -> Steps[tuple[SignedList, Entries]]:
    """The list in `response`: well formed, about `uri`, in force at `at`, signed by whom the issuer may use (§8.3)."""
    reading = _reading(kind, uri, response, at)
    key = yield from trust.key(_signer(reading.signed, issuer, trusted, at), trusted, at)
    return reading.signed, reading.checked(key)


def read(kind: Kind, uri: str, response: Response, at: datetime) -> SignedList:
    """As `checked`, but for whose list it is."""
    return _reading(kind, uri, response, at).signed


def _reading(kind: Kind, uri: str, response: Response, at: datetime) -> Reading[SignedList]:
    if response.status != 200:
        raise Unavailable("status.http", spec="Token Status List §8.2", list=uri, status=response.status)
    form = media_type(response)
    reader = kind.readers.get(form)
    if reader is None:
        raise Unavailable("status.media_type", spec="Token Status List §8.2", list=uri, found=form)
    reading = _MEMO.read(response.body, form, reader)
    found = reading.signed
    # A W3C list need not say what it is called; one that does says the same.
    if found.uri is not None and found.uri != uri:
        raise Refused("status.subject", spec="Token Status List §8.3", list=uri, found=found.uri)
    if found.iat > at + limits.SKEW:
        raise Unavailable("status.not_yet", spec="Token Status List §8.3", list=uri, start=_text(found.iat))
    if found.exp is not None and found.exp <= at:
        raise Unavailable("status.expired", spec="Token Status List §8.3", list=uri, end=_text(found.exp))
    return reading


def _signer(found: SignedList, issuer: KeyRef, trusted: TrustList, at: datetime) -> KeyRef:
    """Whose key the list must be signed with (§11.3): one of the issuer's own, or one of those whom the trust entry
    names as the signer of its lists. A certificate must be for the very key that signed the credential, or be one that
    the trust list lets sign lists."""
    place = issuer.at
    if found.chain is not None:
        if not isinstance(place, CertificateChain):
            raise Refused("status.other_signer", spec="Token Status List §11.3", found="x5c")
        if _leaf(found.chain) != _leaf(place):
            trusted.check_status_chain(place, found.chain, at)
        return KeyRef(found.chain)
    did, fragment = _did_url(found.kid)
    if did and found.iss and found.iss != did:
        raise Refused("status.other_iss", spec="Token Status List §11.3", iss=found.iss, owner=did)
    named = did or found.iss
    own = "" if isinstance(place, CertificateChain) else place.did if isinstance(place, DidUrl) else place.issuer
    if named in trusted.status_issuers(issuer, at):
        return KeyRef(DidUrl(named, fragment) if named.startswith("did:") else WebIssuer(named, found.kid))
    if isinstance(place, CertificateChain):
        # §11.3 knows no other names beside a chain: one that the certificate does not bear is somebody else's.
        if named and not trust.is_named(trust.validated(place, trusted.roots, at), named):
            raise Refused("status.other_signer", spec="Token Status List §11.3", found=named)
        return issuer
    if named and named != own:
        raise Refused("status.other_signer", spec="Token Status List §11.3", found=named)
    if not found.kid:
        return issuer
    return KeyRef(DidUrl(own, fragment) if isinstance(place, DidUrl) else WebIssuer(own, found.kid))


def _did_url(kid: str) -> tuple[str, str]:
    """The DID and the fragment of a `kid`: a DID URL, or a fragment with or without its `#`."""
    if kid.startswith("did:"):
        did, fragment = parse_url(kid)
        return str(did), fragment
    return "", kid.removeprefix("#")


def _leaf(chain: CertificateChain) -> PublicKey:
    return x509.public_key(chain.certificates[0])


_MEMO: Final[Memo[SignedList]] = Memo(limits.STATUS_MEMO)


def historical(kind: Kind, uri: str, issuer: KeyRef, trusted: TrustList, moment: datetime) -> Steps[Known]:
    """The list as it was at `moment` (§8.4). A host that does not know the parameter answers with today's list, which
    says nothing of that time: the answer must have been in force then.

    Raises:
        Unavailable: `status.no_history`, and as `known`. Refused, Malformed: as `known`.
    """
    parameter = f"{'&' if '?' in uri else '?'}{kind.then(moment)}"
    response = yield request(kind, uri + parameter, limits.STATUS_KEPT)
    found, entries = yield from checked(kind, uri, response, issuer, trusted, moment)
    if found.exp is None or found.iat == EVER or not found.iat <= moment < found.exp:
        raise Unavailable("status.no_history", spec="Token Status List §8.4", list=uri, time=_text(moment))
    return Known(entries, moment, found.exp, found.ttl, _NOW, late=False)
