"""What was fetched lately, by URL: bounded, in memory, and never a failure (RFC 9111, the part that a client needs)."""

from __future__ import annotations

import re
from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from cityid.plan import Request, Response

_AGE: Final = re.compile(r"[0-9]{1,9}")
LONGEST: Final = timedelta(hours=1)
"""However long a server would like to be believed, it is asked again after this: keys are withdrawn."""


class Cache:
    """Keeps the answers to plain GET requests. An answer is used again while the server's `max-age` lasts (an hour at
    most, nothing without the header), or as long as `Request.max_age` says. There are no stale answers."""

    def __init__(self, *, entries: int = 256, size: int = 16 << 20) -> None:
        self._entries, self._size = entries, size
        self._kept: OrderedDict[tuple[str, str], Response] = OrderedDict()
        self._held = 0
        self._lock = Lock()

    def get(self, request: Request, at: datetime) -> Response | None:
        """The answer that will do at `at`, if there is one."""
        key = _key(request)
        with self._lock:
            response = self._kept.get(key) if key else None
            if response is None or key is None:
                return None
            self._kept.move_to_end(key)
        good_for = request.max_age if request.max_age is not None else _freshness(response)
        age = at - response.received
        return response if timedelta(0) <= age < good_for else None

    def put(self, request: Request, response: Response) -> None:
        """Keep `response`, if it may be kept. What an asker may still rely on (`Request.max_age`) is not driven out by
        an answer that is of no use."""
        key = _key(request)
        if key is None:
            return
        fit = len(response.body) <= self._size and fits(request, response)
        if not fit and request.max_age is not None:
            return
        with self._lock:
            old = self._kept.pop(key, None)
            if old is not None:
                self._held -= len(old.body)
            if not fit:
                return
            self._kept[key] = response
            self._held += len(response.body)
            while len(self._kept) > self._entries or self._held > self._size:
                _, dropped = self._kept.popitem(last=False)
                self._held -= len(dropped.body)


def fits(request: Request, response: Response) -> bool:
    """May `response` be kept? An asker with a `max_age` of its own has other means to tell how old an answer may be,
    and what it is then asked is only whether this is such an answer at all."""
    from cityid.status.lists import readable

    if response.status != 200:
        return False
    if request.max_age is None:
        return "no-store" not in _directives(response)
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return readable(request.headers.get("accept", ""), media_type, response.body)


def _key(request: Request) -> tuple[str, str] | None:
    headers = {name.lower(): value for name, value in request.headers.items()}
    # Whatever else a request says may change its answer.
    if request.method != "GET" or request.body or headers.keys() - {"accept"}:
        return None
    return request.url, headers.get("accept", "")


def _directives(response: Response) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in response.headers.get("cache-control", "").lower().split(","):
        name, _, value = part.strip().partition("=")
        found.setdefault(name.strip(), value.strip().strip('"'))
    return found


def _freshness(response: Response) -> timedelta:
    directives = _directives(response)
    wanted = directives.get("max-age", "")
    if "no-cache" in directives or not _AGE.fullmatch(wanted):
        return timedelta(0)
    already = response.headers.get("age", "").strip()
    spent = int(already) if _AGE.fullmatch(already) else 0
    return min(timedelta(seconds=int(wanted) - spent), LONGEST)
