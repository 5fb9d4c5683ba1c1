"""did:webvh 1.0: a DID whose document has a history, each entry of which is signed, chained to the one before and,
where the city wants that, approved by witnesses.

`resolve` fetches a log and, where it names witnesses, their proofs; `judge` takes both as bytes. `create`, `append`,
`move`, `deactivate` and `approve` write. A version asked for, what is told of it, and which key was there when, are
`history`'s answers.

Most cards name other DIDs: what is here is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cityid import lazily

if TYPE_CHECKING:
    from cityid.did.webvh.fetching import resolve
    from cityid.did.webvh.history import Asked, Resolution, approved, asked, current, judge, key, resolution
    from cityid.did.webvh.identifier import WebvhDid, scid_of, template
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

_PLACES = {
    "Asked": "history",
    "Created": "writing",
    "Log": "log",
    "Parameters": "parameters",
    "Resolution": "history",
    "Version": "log",
    "WebvhDid": "identifier",
    "Witnesses": "parameters",
    "append": "writing",
    "approve": "writing",
    "approved": "history",
    "as_of": "log",
    "asked": "history",
    "create": "writing",
    "current": "history",
    "deactivate": "writing",
    "document": "writing",
    "judge": "history",
    "judged": "log",
    "key": "history",
    "key_hash": "writing",
    "move": "writing",
    "read_log": "log:read",
    "read_proofs": "witness:read",
    "resolution": "history",
    "resolve": "fetching",
    "scid_of": "identifier",
    "spoken": "witness",
    "template": "identifier",
    "version_number": "log",
    "with_keys": "writing",
    "with_proof": "writing",
}

__all__ = [
    "Asked", "Created", "Log", "Parameters", "Resolution", "Version", "WebvhDid", "Witnesses", "append", "approve",
    "approved", "as_of", "asked", "create", "current", "deactivate", "document", "judge", "judged", "key", "key_hash",
    "move", "read_log", "read_proofs", "resolution", "resolve", "scid_of", "spoken", "template", "version_number",
    "with_keys", "with_proof",
]  # fmt: skip

if not TYPE_CHECKING:  # who checks types sees the names above, and no others
    __getattr__ = lazily.attributes(__name__, globals(), _PLACES)
