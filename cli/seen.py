"""What a home has seen of the histories of did:webvh: by SCID, the last entry. A history that does not go on from there
is refused, whoever serves it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from .home import Home

if TYPE_CHECKING:
    from cityid.did.webvh import Log
    from cityid.plan import Exchange, Request, Response
    from cityid.trust import TrustList


def load(here: Home) -> Mapping[str, str]:
    """Raises Unavailable `store.damaged`."""
    return read(_file(here), "memory of histories")


def _file(here: Home) -> Path:
    return here.path("trust", "seen.json")


def read(file: Path, kind: str) -> dict[str, str]:
    """The versionIds in a file of a home, by SCID; none where there is no file yet.

    Raises:
        Unavailable: `store.damaged`.
    """
    from cityid.did import webvh
    from cityid.edge import files
    from cityid.encoding import json
    from cityid.errors import Malformed, Unavailable

    if not file.exists():
        return {}
    try:
        fields = json.Fields(json.read_object(files.read_home_file(file)))
        found = {scid: fields.text(scid) for scid in fields.value}
        for one in found.values():
            webvh.version_number(one)
    except Malformed:
        raise Unavailable("store.damaged", kind=kind) from None
    return found


def remember(here: Home, logs: Iterable[Log]) -> None:
    """Remember the last entries of logs that were found good. What was remembered never goes back.

    Raises:
        Unavailable: `store.damaged`. Misuse, Unavailable: `file.*`.
    """
    from cityid.did import webvh
    from cityid.edge import files
    from cityid.encoding import json

    known = dict(load(here))
    before = dict(known)
    for log in logs:
        last = known.get(log.scid)
        if last is None or webvh.version_number(last) < log.last.number:
            known[log.scid] = log.last.id
    if known != before:
        _file(here).parent.mkdir(parents=True, exist_ok=True)
        files.write(_file(here), json.write(known) + b"\n", force=True)


class Watch:
    """An exchange that keeps the histories that pass through it, until they are remembered."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._kept: dict[str, Response] = {}

    def __call__(self, request: Request) -> Response:
        response = self._exchange(request)
        if request.url.endswith(("/did.jsonl", "/did-witness.json")):
            self._kept[request.url] = response
        return response

    def remember(self, here: Home, trusted: TrustList, at: datetime) -> None:
        """Remember what came of the trusted issuers' histories, and was good. Raises as `remember`."""
        if self._kept:
            remember(here, [log for log in (self._judged(one, trusted, at) for one in self._asked(trusted)) if log])

    def _asked(self, trusted: TrustList) -> list[str]:
        named = (name for entry in trusted.entries for name in (entry.did, entry.status_issuer))
        return [name for name in dict.fromkeys(named) if name.startswith("did:webvh:")]

    def _judged(self, did: str, trusted: TrustList, at: datetime) -> Log | None:
        from cityid import did as dids
        from cityid.errors import Malformed, Refused, Unavailable

        try:
            return dids.history(did, at, trusted.seen(did)).run(self._again).whole()
        except (Malformed, Refused, Unavailable):  # the verdict says so already
            return None

    def _again(self, request: Request) -> Response:
        from cityid.errors import Unavailable

        if request.url not in self._kept:
            raise Unavailable("net.offline", url=request.url)
        return self._kept[request.url]
