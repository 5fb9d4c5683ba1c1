"""The guarded fetcher for somebody's asyncio loop: the rules of `cityid.edge.http`, awaited."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

from cityid.edge.http import Body, Deadline, Rules, engine, explained, follow, target
from cityid.plan import Request, Response


class _Stream:
    """A connection on which no single wait is longer than what is left of the whole."""

    def __init__(self, stream: Any, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    async def read(self, max_bytes: int, **_: Any) -> bytes:
        return bytes(await self._stream.read(max_bytes, self._deadline.left()))

    async def write(self, buffer: bytes, **_: Any) -> None:
        await self._stream.write(buffer, self._deadline.left())

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(self, ssl_context: Any, server_hostname: str | None = None, **_: Any) -> _Stream:
        try:
            inside = await self._stream.start_tls(ssl_context, server_hostname, self._deadline.left())
        except asyncio.CancelledError:
            # The engine closes after errors, and this is none.
            await self._stream.aclose()
            raise
        return _Stream(inside, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Network:
    def __init__(self, rules: Rules, deadline: Deadline) -> None:
        self._rules, self._deadline = rules, deadline

    async def connect_tcp(self, host: str, port: int, **options: Any) -> Any:
        core = engine()
        rules, deadline = self._rules, self._deadline
        async with asyncio.timeout(deadline.left(rules.connect)):
            try:
                found = await asyncio.to_thread(rules.resolver, host, port)
            except OSError:
                found = ()
        addresses = rules.addresses(host, found)
        until = Deadline(host, timedelta(seconds=deadline.left(rules.connect)))
        for address in addresses[:-1]:
            try:
                return await self._connect(address, port, until.left())
            except core.NetworkError:
                continue
        return await self._connect(addresses[-1], port, until.left())

    async def _connect(self, address: str, port: int, seconds: float) -> _Stream:
        return _Stream(await engine().AnyIOBackend().connect_tcp(address, port, seconds), self._deadline)


class AsyncHttp(Rules):
    """The awaitable fetcher: an AsyncExchange, for `Plan.run_async`."""

    async def __call__(self, request: Request) -> Response:
        """The answer to `request`, perhaps from the cache.

        Raises:
            Unavailable: `net.*`.
        """
        kept = self.kept(request)
        if kept is not None:
            return kept
        deadline = Deadline("", self.total)
        response = await follow(request).run_async(partial(self._hop, deadline))
        self.cache.put(request, response)
        return response

    async def _hop(self, deadline: Deadline, request: Request) -> Response:
        core = engine()
        goal = target(request.url)
        deadline.host = goal.host
        body = Body(goal.host, self.limit(request))
        url = core.URL(scheme=b"https", host=goal.host.encode(), port=goal.port, target=goal.path.encode())
        headers, content = self.headers(request), request.body or None
        network = _Network(self, deadline)
        with explained(deadline):
            async with (
                core.AsyncConnectionPool(ssl_context=self.tls(), network_backend=network) as pool,
                pool.stream(request.method, url, headers=headers, content=content) as answer,
            ):
                head = self.head(goal.host, answer.headers)
                async for part in answer.aiter_stream():
                    body.add(part)
                return self.response(answer.status, head, bytes(body))
