"""A service's home: its policies, its open questions, and what a question keeps until it is answered."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cityid.errors import Malformed, Misuse, Refused, Unavailable
from cityid.sessions import TRIES, Kind, Sessions

from .home import Home
from .state import STATE

if TYPE_CHECKING:
    from cityid.edge.database import SqliteSessions
    from cityid.plan import Request, Response
    from cityid.policy import Policy
    from cityid.verifying import Asked


def sessions(home: Home) -> SqliteSessions:
    """The open questions of a service's home, open until the command ends."""
    from cityid.edge.database import SqliteSessions

    return STATE.opened.enter_context(SqliteSessions(home.path("sessions.sqlite"), must_exist=True))


@dataclass(frozen=True, slots=True)
class Question:
    """One question as it waits for its answer: all that judging needs, with the very policy that was asked by."""

    audience: str
    nonce: str
    policy: bytes
    files: Mapping[str, bytes]
    types: Mapping[str, bytes]

    def write(self) -> dict[str, Any]:
        return {
            "audience": self.audience,
            "nonce": self.nonce,
            "policy": b64encode(self.policy).decode("ascii"),
            "files": {name: b64encode(data).decode("ascii") for name, data in self.files.items()},
            "types": {name: b64encode(data).decode("ascii") for name, data in self.types.items()},
        }

    @classmethod
    def read(cls, value: dict[str, Any]) -> Question:
        from cityid.encoding import json

        fields = json.Fields(value)
        return cls(
            fields.text("audience"),
            fields.text("nonce"),
            b64decode(fields.text("policy")),
            {name: b64decode(data) for name, data in fields.object("files").items()},
            {name: b64decode(data) for name, data in fields.object("types").items()},
        )

    def judged_by(self) -> Policy:
        from cityid import credential_type, policy
        from cityid.formats import FORMATS

        def load(name: str) -> bytes:
            if name not in self.files:
                raise Misuse("file.not_found", file=name)
            return self.files[name]

        types = {name: credential_type.read(data) for name, data in self.types.items()}
        return policy.read(self.policy, types=types, load=load, formats=FORMATS)

    def asked(self, name: str, given: Mapping[str, str], seen: Mapping[str, str]) -> Asked:
        """`seen` is what is remembered of histories."""
        from cityid.credential import Challenge
        from cityid.verifying import Asked

        judge = self.judged_by()
        judge = replace(judge, trust=replace(judge.trust, remembered=seen))
        if given:
            judge = judge.with_given(given)
        return Asked(name, judge.query, Challenge(self.audience, self.nonce), judge)


def collecting(folder: Path, into: dict[str, bytes]) -> Callable[[str], bytes]:
    """A loader that also keeps what it read, so that a question is judged by what was asked."""
    from cityid.edge.files import beside

    load = beside(folder)

    def kept(name: str) -> bytes:
        into[name] = load(name)
        return into[name]

    return kept


class Taken:
    """A session that this command has taken already, as `verify_answer` wants to take it. What it spends is spent when
    the verdict was heard (`end`). Without a store it is a replay, which neither takes nor gives back."""

    def __init__(self, store: Sessions | None) -> None:
        self._store = store
        self._spent: list[tuple[str, Kind]] = []

    def put(self, key: str, value: bytes, until: datetime, *, kind: Kind = Kind.SESSION, tries: int = TRIES) -> None:
        raise AssertionError("a taken session asks nothing")

    def take(self, key: str, at: datetime, *, kind: Kind = Kind.SESSION) -> bytes:
        return b""

    def give_back(self, key: str, *, kind: Kind = Kind.SESSION, fault: bool = False) -> bool:
        return self._store is not None and self._store.give_back(key, kind=kind, fault=fault)

    def spend(self, key: str, *, kind: Kind = Kind.SESSION) -> None:
        self._spent.append((key, kind))

    def begin(self, key: str, at: datetime) -> bytes:
        """Take the session, and what it keeps. Raises as `Sessions.take`; Refused `session.unknown` in a replay."""
        if self._store is None:
            raise Refused("session.unknown")
        return self._store.take(key, at)

    def end(self, *, heard: bool) -> None:
        """Spend what the verdict spends, or give it back where nobody heard a word of it."""
        spent, self._spent = self._spent, []
        for key, kind in spent:
            if self._store is None:
                continue
            with suppress(Unavailable):  # what was taken stays taken
                if heard:
                    self._store.spend(key, kind=kind)
                else:
                    self._store.give_back(key, kind=kind)

    def forget(self, at: datetime) -> int:
        return 0


def kept(home: Home) -> Path:
    """Where a home keeps what was fetched."""
    return home.path("kept")


def network(
    home: Home | None = None, offline: timedelta = timedelta(0), *, away: bool = False
) -> Callable[[Request], Response]:
    """The guarded client, made when the first request is: most judgements need none. With a home, what was fetched is
    kept there; documents fetched ahead will do for `offline` where the network does not answer, and `away` sends
    nothing at all."""
    client: list[Callable[[Request], Response]] = []

    def made() -> Callable[[Request], Response]:
        from cityid.edge import clock, http_kept

        cache = None if home is None else http_kept.KeptFolder(kept(home))
        if away and cache is not None:
            return http_kept.with_kept_documents(http_kept.only_kept(cache, clock.now), cache, offline, clock.now)
        from cityid.edge.http import Http

        if cache is None:
            return Http()
        return http_kept.with_kept_documents(Http(cache=cache), cache, offline, clock.now)

    def exchange(request: Request) -> Response:
        if not client:
            client.append(made())
        return client[0](request)

    return exchange


def session_name(given: str) -> str:
    """The session that `--session` names: by a request file, a session file, or itself.

    Raises:
        Misuse: `session.not_named`.
    """
    from cityid.edge import files
    from cityid.encoding import json

    from . import papers

    path = Path(given)
    try:
        there = path.exists()
    except OSError:  # too long for a file's name, or in a folder that may not be read
        there = False
    if not there:
        return given
    data = files.read(path, 1 << 20)
    with papers.expected(data, "request", "session"):
        try:
            found = json.read_object(data)
        except Malformed:
            raise Misuse("session.not_named", path=given) from None
        name = found.get("session", found.get("state"))
        if not isinstance(name, str):
            raise Misuse("session.not_named", path=given)
    return name
