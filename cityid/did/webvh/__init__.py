"""did:webvh 1.0: a DID whose document has a history, each entry of which is signed, chained to the one before and,
where the city wants that, approved by witnesses.

`resolve` fetches a log and, where it names witnesses, their proofs; `judge` takes both as bytes. `create`, `append`,
`move`, `deactivate` and `approve` write. A version asked for, what is told of it, and which key was there when, are
`history`'s answers.
"""

from __future__ import annotations

from datetime import datetime

from cityid import limits
from cityid.did.syntax import Did
from cityid.did.webvh import history, identifier, witness
from cityid.did.webvh.history import Asked, Resolution, approved, asked, current, judge, key, resolution
from cityid.did.webvh.identifier import WebvhDid, template
from cityid.did.webvh.log import Log, Version, as_of, judged, version_number
from cityid.did.webvh.log import read as read_log
from cityid.did.webvh.parameters import Parameters, Witnesses
from cityid.did.webvh.witness import read as read_proofs
from cityid.did.webvh.witness import spoken
from cityid.did.webvh.writing import (
    Created,
    append,
    approve,
    create,
    deactivate,
    document,
    key_hash,
    move,
    with_keys,
    with_proof,
)
from cityid.errors import Unavailable
from cityid.plan import Request, Response, Steps

__all__ = [
    "Asked", "Created", "Log", "Parameters", "Resolution", "Version", "WebvhDid", "Witnesses", "append", "approve",
    "approved", "as_of", "asked", "create", "current", "deactivate", "document", "judge", "judged", "key", "key_hash",
    "move", "read_log", "read_proofs", "resolution", "resolve", "spoken", "template", "version_number", "with_keys",
    "with_proof",
]  # fmt: skip


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
