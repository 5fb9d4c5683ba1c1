"""Status lists for tests: one city's lists, forged ones, and a host that serves them or fails in every way there is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from cityid.checks import Check
from cityid.cose import sign1
from cityid.credential import KeyPlace, KeyRef, StatusRef
from cityid.edge.http_cache import Cache
from cityid.encoding import base64url, cbor
from cityid.errors import Unavailable
from cityid.jose import jws
from cityid.keys import Signer
from cityid.plan import Request, Response
from cityid.status import Freshness, check
from cityid.status.token_status_list import CWT, JWT, Form, build, issue
from cityid.trust import TrustList
from tests.jobs.offices import NOW, Office

URI = "https://id.lindau.example/status/3"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
MEDIA = {"jwt": JWT, "cwt": CWT}
VALUES = {1: 1, 2: 2, 3: 3}
"""Entry 1 is revoked, entry 2 suspended, entry 3 the application's own; all others are valid."""


def ref(index: int = 0, uri: str = URI, kind: str = "status_list") -> StatusRef:
    return StatusRef(kind, uri, index)


def token(
    office: Office,
    values: Mapping[int, int] = VALUES,
    *,
    at: datetime = NOW,
    uri: str = URI,
    bits: int = 2,
    size: int = 1024,
    form: Form = "jwt",
    signed_by: KeyPlace | None = None,
    signer: Signer | None = None,
    lifetime: timedelta = 24 * HOUR,
    ttl: timedelta = 15 * MINUTE,
    **more: Any,
) -> bytes:
    """A list of the city as the city publishes it."""
    issuer = office.issuer
    return issue(
        build(values, bits=bits, size=size), uri, signer or issuer.signer, signed_by=signed_by or issuer.signed_by.at,
        at=at, lifetime=lifetime, ttl=ttl, form=form, **more,
    )  # fmt: skip


def forged(good: bytes, signer: Signer, form: Form = "jwt", **changes: Any) -> bytes:
    """`good` with other claims, signed anew: None takes a claim away; `header` changes the protected header, `inside`
    the list. Claims of both forms go by their JWT names."""
    header, inside = changes.pop("header", {}), changes.pop("inside", {})
    if form == "jwt":
        parts = good.split(b".")
        head, claims = (json.loads(base64url.decode(part)) for part in parts[:2])
        head.pop("alg")
        head, claims = _changed(head, header), _changed(claims, changes)
        if isinstance(claims.get("status_list"), dict):
            claims["status_list"] = _changed(claims["status_list"], inside)
        return jws.sign(head, json.dumps(claims).encode(), signer).encode()
    labels = {"sub": 2, "iss": 1, "iat": 6, "nbf": 5, "exp": 4, "ttl": 65534, "status_list": 65533, "status": 65535}
    read = sign1.read(good)
    members = _changed(cbor.read(read.payload or b""), {labels[name]: value for name, value in changes.items()})
    if isinstance(members.get(65533), dict):
        members[65533] = _changed(members[65533], inside)
    head = _changed({label: value for label, value in read.protected.items() if label != 1}, header)
    return sign1.sign(cbor.write(members), signer, head)


def _changed(old: Mapping[Any, Any], changes: Mapping[Any, Any]) -> dict[Any, Any]:
    return {name: value for name, value in {**old, **changes}.items() if value is not None}


Answer = bytes | Response | Unavailable | Callable[[Request], Any]


@dataclass
class Host:
    """The network, with the cache that stands before it, at a time that tests move."""

    answers: dict[str, Answer] = field(default_factory=dict)
    now: datetime = NOW
    cache: Cache = field(default_factory=Cache)
    asked: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Response:
        kept = self.cache.get(request, self.now)
        if kept is not None:
            return kept
        if request.kept:
            raise Unavailable("net.not_kept", url=request.url)
        self.asked.append(request)
        answer = self.answers.get(request.url, Unavailable("net.connect", host="id.lindau.example"))
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Unavailable):
            raise answer
        if isinstance(answer, bytes):
            form: Form = "cwt" if answer[:1] == b"\xd2" else "jwt"
            answer = Response(200, {"content-type": MEDIA[form]}, answer, self.now)
        answer = replace(answer, received=self.now)
        self.cache.put(request, answer)
        return answer


def judge(
    host: Callable[[Request], Response],
    office: Office,
    *refs: StatusRef,
    trusted: TrustList | None = None,
    freshness: Freshness | None = None,
    at: datetime | None = None,
    issuer: KeyRef | None = None,
    required: bool = True,
) -> Check:
    moment: datetime = getattr(host, "now", NOW) if at is None else at
    return check(
        refs or (ref(),), issuer or office.issuer.signed_by, trusted or office.trusted, freshness or Freshness(),
        moment, required=required,
    ).run(host)  # fmt: skip


def code(check: Check) -> str:
    """The problem's code, or the outcome."""
    return check.problem.code if check.problem is not None else check.outcome.value


def of(answer: Answer, office: Office, *refs: StatusRef, **more: Any) -> str:
    """What is found where the host gives `answer` for the list."""
    return code(judge(Host({URI: answer}), office, *refs, **more))
