"""What was fetched, kept in a folder beside the memory: for services that start anew for each question, and for those
that have no network when it is asked.

A file that cannot be read, or is not what it should be, is as good as none. Nothing in it is believed for being there:
lists are signed, and how old they may be the policy says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cityid import limits
from cityid.edge import files
from cityid.edge.clock import now
from cityid.edge.http_cache import Cache, fits
from cityid.encoding import json, times
from cityid.errors import CityIdError, Unavailable
from cityid.plan import Exchange, Request, Response

FILES: Final = 2_000
_HEAD: Final = 64 << 10


class KeptFolder(Cache):
    """A Cache whose status lists outlive the process, and with `ahead` everything that is fetched: then each answer is
    marked as fetched ahead, and stays so when it is replaced by a newer one."""

    def __init__(self, folder: Path, *, ahead: bool = False) -> None:
        super().__init__()
        self._folder = folder
        self._ahead = ahead

    def get(self, request: Request, at: datetime) -> Response | None:
        found = super().get(request, at)
        if found is None and (kept := self._load(request)) is not None:
            super().put(request, kept)
            found = super().get(request, at)
        return found

    def put(self, request: Request, response: Response) -> None:
        keep = (self._ahead or request.max_age is not None) and request.method == "GET" and fits(request, response)
        before = self._load(request) if keep else None
        if self._ahead or (before is not None and before.ahead):
            response = replace(response, ahead=True)
        super().put(request, response)
        if keep:
            self._save(request, response)

    def _file(self, request: Request) -> Path:
        accept = request.headers.get("accept", "")
        return self._folder / hashlib.sha256(f"{request.url}\n{accept}".encode()).hexdigest()

    def _load(self, request: Request) -> Response | None:
        with suppress(CityIdError, OSError):
            head, _, body = files.read(self._file(request), limits.STATUS_TOKEN + _HEAD).partition(b"\n")
            fields = json.Fields(json.read_object(head, limit=_HEAD))
            headers = fields.fields("headers")
            if fields.text("url") == request.url:
                received = times.read_stamp(fields.text("received"))
                texts = {name: headers.text(name) for name in headers.value}
                return Response(200, texts, body, received, fields.boolean("ahead"))
        return None

    def _save(self, request: Request, response: Response) -> None:
        head = {
            "url": request.url, "received": response.received.isoformat(), "ahead": response.ahead,
            "headers": dict(response.headers),
        }  # fmt: skip
        # A full disk must not stand between a service and its verdict.
        with suppress(CityIdError, OSError):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            files.write(self._file(request), json.write(head) + b"\n" + response.body, force=True, private=True)
            self._tidy()

    def _tidy(self) -> None:
        kept = sorted(self._folder.iterdir(), key=lambda file: file.stat().st_mtime)
        for old in kept[:-FILES]:
            old.unlink()


def only_kept(cache: Cache, clock: Callable[[], datetime] = now) -> Exchange:
    """An exchange without a network: what `cache` has for a request, or Unavailable `net.offline`."""

    def ask(request: Request) -> Response:
        found = cache.get(request, clock())
        if found is None:
            raise Unavailable("net.offline", url=request.url)
        return found

    return ask


def with_kept_documents(
    exchange: Exchange, cache: Cache, offline: timedelta, clock: Callable[[], datetime] = now
) -> Exchange:
    """`exchange`, and where it fails to fetch a document (a DID document, an issuer's keys), the one fetched ahead, if
    that is not older than `offline`. Of status lists the plan asks for itself what was kept."""

    def ask(request: Request) -> Response:
        try:
            return exchange(request)
        except Unavailable:
            kept = None
            if request.max_age is None and offline:
                kept = cache.get(replace(request, max_age=offline), clock())
            if kept is None or not kept.ahead:
                raise
            return kept

    return ask
