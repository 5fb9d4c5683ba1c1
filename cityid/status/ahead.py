"""Fetching ahead what verifying will need where there is no network: issuers' keys, and the lists of their cards.

Whole lists are fetched, as their issuers name them, so that nobody learns which card will be asked about. The exchange
that runs the plan keeps what passes through it; here it is only made sure that it is worth keeping.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cityid import did, limits, trust
from cityid.credential import DidUrl, KeyRef, WebIssuer
from cityid.errors import Malformed, Problem, Refused, Unavailable
from cityid.plan import Request, Steps, plan
from cityid.status import lists
from cityid.status.token_status_list import KIND, read_aggregation
from cityid.trust import TrustEntry, TrustList

ENDPOINT: Final = "status_list_aggregation_endpoint"
"""The member of an issuer's metadata that leads to its lists (Token Status List §9.1)."""
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one thing: `what` is `keys`, `list` or `aggregation`; `until` is a list's own end; `problem` says
    why it could not be had."""

    issuer: str
    what: str
    place: str
    until: datetime | None = None
    problem: Problem | None = None


@plan
def fetch_ahead(trusted: TrustList, at: datetime) -> Steps[tuple[Fetched, ...]]:
    """Fetch, for every entry that counts at `at` or later, the keys that it does not pin, and the lists that it or the
    issuer's metadata name. What cannot be had stands in the way of nothing else."""
    found: list[Fetched] = []
    for entry in trusted.entries:
        if entry.until is None or entry.until > at:
            yield from _entry(entry, trusted, at, found)
    return tuple(found)


def _entry(entry: TrustEntry, trusted: TrustList, at: datetime, found: list[Fetched]) -> Steps[None]:
    places = list(entry.status_lists)
    if entry.document is None and entry.keys is None and entry.history is None and entry.mechanism != "x5c":
        metadata = yield from _keys(entry.subject, entry.subject, found, at, trusted)
        endpoint = metadata.get(ENDPOINT)
        if isinstance(endpoint, str):
            places.append(endpoint)
    if entry.status_issuer:
        yield from _keys(entry.subject, entry.status_issuer, found, at, trusted)
    seen: set[str] = set()
    while places and len(seen) < limits.STATUS_LISTS:
        place = places.pop(0)
        if place in seen:
            continue
        seen.add(place)
        try:
            what, more, until = yield from _place(place, entry, trusted, at)
        except (Unavailable, Malformed, Refused) as error:
            found.append(Fetched(entry.subject, "list", place, problem=error.problem))
        else:
            places += more
            found.append(Fetched(entry.subject, what, place, until))


def _keys(issuer: str, owner: str, found: list[Fetched], at: datetime, trusted: TrustList) -> Steps[Mapping[str, Any]]:
    """The metadata of `owner`, whose keys were fetched; a DID's document has none."""
    metadata: Mapping[str, Any] = {}
    try:
        if owner.startswith("did:webvh:"):
            log = yield from did.history(owner, at, trusted.seen(owner))
            log.whole()
        elif owner.startswith("did:"):
            yield from did.resolve(owner, at)
        else:
            _, metadata = yield from trust.published(owner)
    except (Unavailable, Malformed, Refused) as error:
        found.append(Fetched(issuer, "keys", owner, problem=error.problem))
    else:
        found.append(Fetched(issuer, "keys", owner))
    return metadata


def _place(
    place: str, entry: TrustEntry, trusted: TrustList, at: datetime
) -> Steps[tuple[str, tuple[str, ...], datetime | None]]:
    """What is at `place`, a list or a document that names lists; where that leads; and when a list ends."""
    kind = lists.KINDS[KIND]
    response = yield lists.request(kind, place, timedelta(0))
    if response.status == 406 or lists.media_type(response) == _JSON:
        response = yield Request("GET", place, {"accept": _JSON}, max_age=timedelta(0), redirects=limits.REDIRECTS)
        if response.status != 200 or lists.media_type(response) != _JSON:
            raise Unavailable("status.http", spec="Token Status List §9.3", list=place, status=response.status)
        return "aggregation", read_aggregation(response.body), None
    if entry.mechanism == "x5c":
        # Only the card will say which certificate signs its list.
        listed = lists.read(kind, place, response, at)
    else:
        issuer = KeyRef(DidUrl(entry.did, "") if entry.did else WebIssuer(entry.web, ""))
        listed, _ = yield from lists.checked(kind, place, response, issuer, trusted, at)
    more = (listed.aggregation_uri,) if listed.aggregation_uri else ()
    return "list", more, listed.exp
