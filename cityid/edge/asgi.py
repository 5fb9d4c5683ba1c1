"""A service behind ASGI (Starlette): a body with a ceiling, one plan a request in a bounded pool of threads, an answer.

What a service answers, errors included, goes out as it is. What it raises is a fault of ours: logged by name, answered
without a word of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import quote

from cityid import limits
from cityid.edge.clock import now
from cityid.errors import Misuse, Problem, Unavailable
from cityid.plan import Exchange, Plan, Request, Response

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request as Incoming
    from starlette.responses import Response as Outgoing

THREADS: Final = 8
"""Requests that are answered at once; the others wait."""
CONNECTIONS: Final = 256
"""Connections at once; more are turned away."""
_LOG: Final = logging.getLogger("cityid")


class Service(Protocol):
    """What can be put behind ASGI."""

    def handle(self, request: Request, at: datetime) -> Plan[Response]: ...

    def no(self, problem: Problem, at: datetime) -> Response: ...


def application(
    service: Service,
    exchange: Exchange,
    *,
    clock: Callable[[], datetime] = now,
    limit: int = limits.DOCUMENT,
    threads: int = THREADS,
) -> Starlette:
    """The ASGI application of `service`. `limit` is the greatest body in bytes.

    Raises:
        Unavailable: `install.extra`.
    """
    try:
        from anyio import CapacityLimiter, to_thread
        from starlette.applications import Starlette
        from starlette.requests import Request as Incoming
        from starlette.responses import Response as Answer
        from starlette.routing import Route
    except ImportError:
        raise Unavailable("install.extra", extra="server") from None
    places = CapacityLimiter(threads)

    async def answer(incoming: Incoming) -> Outgoing:
        body = await _body(incoming, limit)
        if body is None:
            found = service.no(Problem("vc_api.too_large", {"limit": limit}), clock())
            # The rest of the body was not read, so the connection is of no more use.
            return Answer(found.body, found.status, {**found.headers, "connection": "close"})
        request = Request(incoming.method, _target(incoming), _headers(incoming), body)
        found = await to_thread.run_sync(_answered, service, request, exchange, clock(), limiter=places)
        return Answer(found.body, found.status, dict(found.headers))

    class Everything:
        """Every path and method: which of them is right is the service's to say."""

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await (await answer(Incoming(scope, receive)))(scope, receive, send)

    return Starlette(routes=[Route("/{path:path}", Everything())])


def _answered(service: Service, request: Request, exchange: Exchange, at: datetime) -> Response:
    try:
        return service.handle(request, at).run(exchange)
    except Exception as error:
        # By name only: its text may quote what somebody sent.
        _LOG.error("fault %s at %s", type(error).__name__, _place(error))
        return Response(500, {"content-type": "application/problem+json"}, _FAULT, at)


_FAULT: Final = b'{"type":"about:blank","title":"a fault of the server","status":500,"code":"talk.fault"}'


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"


async def _body(incoming: Incoming, limit: int) -> bytes | None:
    """The body; None where it is larger than `limit`, which is noticed before the rest is read."""
    said = incoming.headers.get("content-length", "")
    if said.isdecimal() and int(said[:20]) > limit:
        return None
    parts = bytearray()
    async for part in incoming.stream():
        parts += part
        if len(parts) > limit:
            return None
    return bytes(parts)


def _target(incoming: Incoming) -> str:
    """Path and query as they were asked for, not decoded. (`Host` is the client's word, and nothing is made of it.)"""
    raw: bytes = incoming.scope.get("raw_path") or quote(incoming.scope["path"]).encode("ascii")
    query: bytes = incoming.scope.get("query_string", b"")
    path = raw.partition(b"?")[0].decode("ascii", "backslashreplace")
    asked = query.decode("ascii", "backslashreplace")
    return f"{path}?{asked}" if asked else path


def _headers(incoming: Incoming) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, value in incoming.headers.items():
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def serve(
    application: Starlette,
    host: str,
    port: int,
    *,
    certificate: Path | None = None,
    key: Path | None = None,
    ready: Callable[[int], None] = lambda port: None,
) -> None:
    """Serve on `host` and `port` (0: any that is free) until interrupted; over TLS where a certificate chain and its
    key (PEM) are given. `ready` is told the port once requests are answered.

    Raises:
        Unavailable: `install.extra`, `serve.address`.
        Misuse: `serve.tls`.
    """
    import socket
    import ssl

    try:
        import uvicorn
    except ImportError:
        raise Unavailable("install.extra", extra="server") from None
    config = uvicorn.Config(
        application,
        ssl_certfile=None if certificate is None else str(certificate),
        ssl_keyfile=None if key is None else str(key),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=5,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError):
        raise Misuse("serve.tls") from None
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no such port"
        raise Unavailable("serve.address", host=host, port=port, reason=reason) from None

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready(listening.getsockname()[1])

    with listening:
        Server(config).run(sockets=[listening])
