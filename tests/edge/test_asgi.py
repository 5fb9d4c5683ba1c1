"""A service behind ASGI: bodies with a ceiling, answers as they are, faults without a word of them."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import httpx2
import pytest

from cityid.edge import asgi
from cityid.errors import Problem, Refused
from cityid.plan import Plan, Request, Response, Steps, plan
from tests.vc_api import NOW, Server, credential, offline

Handle = Callable[[Request], Response]


class Scripted:
    """A service that answers by a function."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def handle(self, request: Request, at: datetime) -> Plan[Response]:
        @plan
        def answered() -> Steps[Response]:
            yield from ()
            return self._handle(request)

        return answered()

    def no(self, problem: Problem, at: datetime) -> Response:
        return Response(413, {"content-type": "application/problem+json"}, problem.code.encode(), at)


def told(request: Request) -> Response:
    body = {"method": request.method, "url": request.url, "headers": dict(request.headers), "size": len(request.body)}
    return Response(200, {"content-type": "application/json"}, json.dumps(body).encode(), NOW)


def ask(service: Any, *asked: tuple[Any, ...], limit: int = 1000, **more: Any) -> list[httpx2.Response]:
    """The answers to requests that are all sent at once."""
    transport = httpx2.ASGITransport(asgi.application(service, offline, clock=lambda: NOW, limit=limit, **more))

    async def run() -> list[httpx2.Response]:
        async with httpx2.AsyncClient(transport=transport, base_url="http://city.example") as client:
            sent = (client.request(one[0], one[1], **(one[2] if len(one) > 2 else {})) for one in asked)
            return list(await asyncio.gather(*sent))

    return asyncio.run(run())


class TestRequests:
    @pytest.mark.parametrize("path", ["/", "/a/b%2Fc?d=%20e&d", "/%ff", "/a?"])
    def test_the_target_comes_as_it_was_asked_for(self, path: str) -> None:
        (found,) = ask(Scripted(told), ("GET", path))
        assert found.json()["url"] == path.removesuffix("?")

    def test_every_method(self) -> None:
        methods = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "STRANGE"]
        found = ask(Scripted(told), *((method, "/x") for method in methods))
        assert [one.json()["method"] for one in found] == methods

    def test_headers_of_one_name_are_joined(self) -> None:
        (found,) = ask(Scripted(told), ("GET", "/", {"headers": [("X-One", "a"), ("x-one", "b")]}))
        assert found.json()["headers"]["x-one"] == "a, b"

    def test_a_body_up_to_the_limit(self) -> None:
        for size in (0, 999, 1000):
            (found,) = ask(Scripted(told), ("POST", "/", {"content": b"x" * size}))
            assert found.json()["size"] == size

    def test_a_larger_body(self) -> None:
        (found,) = ask(Scripted(told), ("POST", "/", {"content": b"x" * 1001}))
        assert (found.status_code, found.text, found.headers["connection"]) == (413, "vc_api.too_large", "close")

    def test_a_larger_body_whose_length_is_not_said(self) -> None:
        given = 0

        async def parts() -> AsyncIterator[bytes]:
            nonlocal given
            for _ in range(100):
                given += 1
                yield b"x" * 100

        (found,) = ask(Scripted(told), ("POST", "/", {"content": parts()}))
        assert (found.status_code, given) == (413, 11)

    @pytest.mark.parametrize("length", ["9" * 5000, "-1", "x", "\u0663"])
    def test_a_length_that_is_none(self, length: str) -> None:
        headers = [(b"content-length", length.encode("utf-8"))]
        (found,) = ask(Scripted(told), ("POST", "/", {"content": b"{}", "headers": headers}))
        assert found.status_code in (200, 413)

    def test_no_more_than_so_many_at_once(self) -> None:
        running = most = 0
        lock, enough = threading.Lock(), threading.Event()

        def slow(request: Request) -> Response:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
                if running == 2:
                    enough.set()
            enough.wait(5)
            with lock:
                running -= 1
            return told(request)

        found = ask(Scripted(slow), *(("GET", "/") for _ in range(6)), threads=2)
        assert ([one.status_code for one in found], most) == ([200] * 6, 2)


class TestAnswers:
    def test_as_they_are(self) -> None:
        def answer(request: Request) -> Response:
            return Response(418, {"content-type": "application/did", "allow": "POST"}, b"{}", NOW)

        (found,) = ask(Scripted(answer), ("GET", "/"))
        assert (found.status_code, found.content) == (418, b"{}")
        assert (found.headers["content-type"], found.headers["allow"]) == ("application/did", "POST")

    def test_a_fault_is_logged_by_name_alone(self, caplog: pytest.LogCaptureFixture) -> None:
        def broken(request: Request) -> Response:
            raise ValueError("canary of " + request.url)

        with caplog.at_level(logging.DEBUG, "cityid"):
            (found,) = ask(Scripted(broken), ("GET", "/secret"))
        assert (found.status_code, found.json()["code"]) == (500, "talk.fault")
        assert "secret" not in found.text + caplog.text
        assert "canary" not in found.text + caplog.text
        assert "ValueError at broken" in caplog.text

    def test_a_refusal_that_a_service_lets_out_is_a_fault_too(self) -> None:
        def broken(request: Request) -> Response:
            raise Refused("vc_api.options")

        assert ask(Scripted(broken), ("GET", "/"))[0].status_code == 500


class TestTheServer:
    """The VC-API service itself, through the whole of it."""

    def test_issue_and_resolve(self) -> None:
        server = Server()
        name = "ecdsa-jcs-2019-p256"
        body = {"credential": credential(server.issuer(name))}
        issued, resolved, nothing, large = ask(
            server.service,
            ("POST", f"/issuers/{name}/credentials/issue", {"json": body}),
            ("GET", f"/1.0/identifiers/{server.issuer(name)}"),
            ("GET", "/nothing"),
            ("POST", "/", {"content": b"x" * 5000}),
            limit=4000,
        )
        assert (issued.status_code, issued.json()["verifiableCredential"]["issuer"]) == (201, server.issuer(name))
        assert resolved.json()["didDocument"]["id"] == server.issuer(name)
        assert (nothing.status_code, nothing.json()["code"]) == (404, "vc_api.not_found")
        assert (large.status_code, large.json()["code"]) == (413, "vc_api.too_large")
        assert large.headers["content-type"] == "application/problem+json"

    def test_x06_nothing_of_a_request_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        server, name = Server(), "eddsa-jcs-2022"
        good = server.issued(name, credential(server.issuer(name), name="Canary Lovelace"))
        with caplog.at_level(logging.DEBUG):
            found = ask(
                server.service,
                *(
                    ("POST", f"/credentials/verify?of={'canary'}", {"json": {"verifiableCredential": document}})
                    for document in (good, {**good, "name": "Canary Byron"}, {"name": "Canary"})
                ),
                ("POST", "/presentations/verify", {"json": {"verifiablePresentation": "canary"}}),
                limit=10_000,
            )
        assert [one.status_code for one in found] == [200, 400, 400, 400]
        ours = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx2")]
        assert "canary" not in " ".join(ours).lower()
