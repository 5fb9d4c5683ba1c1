"""Fetching a did:webvh: its log and, where it names witnesses, their proofs."""

from __future__ import annotations

from datetime import datetime

from cityid import limits
from cityid.did.syntax import Did
from cityid.did.webvh import history, identifier, witness
from cityid.did.webvh.identifier import WebvhDid
from cityid.did.webvh.log import Log
from cityid.did.webvh.log import read as read_log
from cityid.errors import Unavailable
from cityid.plan import Request, Response, Steps


def resolve(did: Did, at: datetime) -> Steps[Log]:
    """The log of a did:webvh as of `at`: one request, and a second one for the proofs of witnesses; no redirects.

    Raises:
        Malformed: as `identifier.read`. Malformed, Refused: as `judge`.
        Unavailable: `did.not_found`, `did.http_status`; what the exchange raises.
    """
    place = identifier.read(did)
    response = yield Request("GET", place.log, {"accept": "text/jsonl, */*"}, limit=limits.WEBVH_LOG)
    if response.status in (404, 410):
        raise Unavailable("did.not_found", did=place.text, status=response.status)
    log = read_log(_body(response, place), at)
    if witness.is_needed(log):
        response = yield Request("GET", place.proofs, {"accept": "application/json"}, limit=limits.WEBVH_LOG)
        # No file is a file without proofs: the entry is not approved, now or later.
        log = history.approved(log, b"[]" if response.status in (404, 410) else _body(response, place))
    return history.belonging(log, place)


def _body(response: Response, place: WebvhDid) -> bytes:
    if response.status != 200:
        raise Unavailable("did.http_status", did=place.text, status=response.status)
    return response.body
