"""The guarded fetcher against real servers, and the attacks D11 to D15, S31, S34 (their fetching) and U16 on it."""

from __future__ import annotations

import asyncio
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cityid import limits
from cityid.edge import http
from cityid.edge.http import Http, is_public, target
from cityid.edge.http_async import AsyncHttp
from cityid.edge.http_cache import Cache
from cityid.errors import Unavailable
from cityid.plan import Request, Response
from tests.edge.servers import NAME, Authority, Script, Server, answer, says
from tests.paths import TREE

AT = datetime(2026, 5, 1, tzinfo=UTC)
HERE = {NAME: ("127.0.0.1",), "other.example": ("127.0.0.1",), "wrong.example": ("127.0.0.1",)}


class Resolver:
    """Knows the names of the test network, and counts."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if self._answers:
            return self._answers.pop(0)
        if host not in HERE:
            raise OSError(host)
        return HERE[host]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.made(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def pem(authority: Authority) -> Path:
    return authority.server(NAME, "other.example")


Fetch = Callable[..., Response]


@pytest.fixture(params=["sync", "async"])
def fetch(request: pytest.FixtureRequest, authority: Authority) -> Fetch:
    """Fetches once, in both ways, with the test network allowed."""

    def fetched(ask: Request, **options: Any) -> Response:
        settings: dict[str, Any] = {
            "allow_private": True,
            "roots": authority.roots,
            "resolver": Resolver(),
            "clock": lambda: AT,
        } | options
        if request.param == "sync":
            return Http(**settings)(ask)

        async def run() -> Response:
            return await AsyncHttp(**settings)(ask)

        return asyncio.run(run())

    return fetched


@pytest.fixture
def serve(pem: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def started(*scripts: Script, pem: Path | None = pem, **options: Any) -> Server:
        server = Server(pem, *scripts, **options)
        servers.append(server)
        return server.__enter__()

    yield started
    for server in servers:
        server.__exit__(None, None, None)


Serve = Callable[..., Server]


def get(url: str, **members: Any) -> Request:
    return Request("GET", url, **members)


def failure(fetch: Fetch, ask: Request, **options: Any) -> str:
    with pytest.raises(Unavailable) as error:
        fetch(ask, **options)
    return error.value.code


def body_of(connection: Any, head: bytes) -> bytes:
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    body = head.partition(b"\r\n\r\n")[2]
    while len(body) < length:
        body += connection.recv(65536)
    return body


class TestOneFetch:
    def test_answer(self, fetch: Fetch, serve: Serve) -> None:
        server = serve(says(answer(b'{"a":1}', Set_Cookie="a=1", X_Twice="1")))
        got = fetch(get(server.url("/a/b?c=d"), headers={"Accept": "application/json"}))
        assert (got.status, got.body, got.received) == (200, b'{"a":1}', AT)
        assert got.headers["content-type"] == "application/json"
        head = server.requests[0].decode()
        assert head.startswith("GET /a/b?c=d HTTP/1.1\r\n")
        sent = {line.partition(":")[0].lower(): line.partition(": ")[2] for line in head.split("\r\n")[1:] if line}
        assert sent == {
            "host": f"{NAME}:{server.port}",
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": "cityid",
            "connection": "close",
        }
        assert server.names == [NAME]

    def test_body_is_sent(self, fetch: Fetch, serve: Serve) -> None:
        server = serve(lambda connection, head: connection.sendall(answer(body_of(connection, head))))
        assert fetch(Request("POST", server.url(), {}, b"question")).body == b"question"

    def test_errors_are_answers(self, fetch: Fetch, serve: Serve) -> None:
        assert fetch(get(serve(says(answer(b"no", "404 Not Found"))).url())).status == 404

    def test_repeated_headers_are_joined(self, fetch: Fetch, serve: Serve) -> None:
        server = serve(says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: 1\r\nx-a: 2\r\n\r\n"))
        assert fetch(get(server.url())).headers["x-a"] == "1, 2"

    def test_the_next_address_is_tried(self, fetch: Fetch, serve: Serve) -> None:
        server = serve(says(answer()))
        assert fetch(get(server.url()), resolver=Resolver(("127.0.0.9", "127.0.0.1"))).status == 200
        assert failure(fetch, get(server.url()), resolver=Resolver(("127.0.0.8", "127.0.0.9"))) == "net.connect"
        far = ("127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8", "127.0.0.1")
        assert failure(fetch, get(server.url()), resolver=Resolver(far)) == "net.connect"

    def test_no_such_name(self, fetch: Fetch) -> None:
        assert failure(fetch, get("https://nobody.example/")) == "net.name"
        assert failure(fetch, get("https://nobody.example/"), resolver=Resolver(())) == "net.name"

    def test_broken_connections(self, fetch: Fetch, serve: Serve) -> None:
        assert failure(fetch, get(serve(says(b"")).url())) == "net.protocol"
        assert failure(fetch, get(serve(says(b"SSH-2.0-x\r\n\r\n")).url())) == "net.protocol"
        assert failure(fetch, get(serve(says(answer(b"12345")[:-2])).url())) == "net.protocol"

    def test_reset_connection(self, fetch: Fetch, serve: Serve) -> None:
        def reset(connection: Any, _: bytes) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        assert failure(fetch, get(serve(reset).url())) in ("net.broken", "net.protocol")

    def test_without_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "httpcore2", None)
        for fetcher in (Http, AsyncHttp):
            with pytest.raises(Unavailable) as error:
                fetcher()
            assert error.value.code == "install.extra"
            assert error.value.problem.facts == {"extra": "net"}

    def test_the_system_s_authorities_are_the_default(self, serve: Serve) -> None:
        server = serve(says(answer()))
        with pytest.raises(Unavailable) as error:
            Http(allow_private=True, resolver=Resolver())(get(server.url()))
        assert error.value.code == "net.tls"

    def test_no_system_store(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import ssl

        nothing = ssl.DefaultVerifyPaths(None, None, "", "/nowhere", "", "/nowhere")  # type: ignore[arg-type]
        monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nothing)
        context = Http().tls()
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("https://a.example", ("a.example", 443, "/")),
            ("HTTPS://A.Example:8443/b?c", ("a.example", 8443, "/b?c")),
            ("https://a.example?x=[1]", ("a.example", 443, "/?x=[1]")),
            ("https://xn--mnchen-3ya.example/%C3%BC", ("xn--mnchen-3ya.example", 443, "/%C3%BC")),
            ("https://localhost:1/", ("localhost", 1, "/")),
            ("https://a.example:65535/", ("a.example", 65535, "/")),
        ],
    )
    def test_read(self, url: str, expected: tuple[str, int, str]) -> None:
        found = target(url)
        assert (found.host, found.port, found.path) == expected

    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("http://a.example/", "net.not_https"),
            ("http://[::1]/", "net.not_https"),
            ("file:///etc/passwd", "net.not_https"),
            ("", "net.not_https"),
            ("https:/a.example/", "net.not_https"),
            ("https://u@a.example/", "net.url"),
            ("https://a.example@evil.example/", "net.url"),
            ("https://a.example/#b", "net.url"),
            ("https://a.example/ b", "net.url"),
            ("https://a.example\\@evil.example/", "net.url"),
            ("https://a.example/\r\nx: y", "net.url"),
            ("https://münchen.example/", "net.url"),
            ("https://[::1]/", "net.url"),
            ("https://a.example:0/", "net.url"),
            ("https://a.example:65536/", "net.url"),
            ("https://a.example:/", "net.url"),
            ("https://a.example/" + "a" * limits.DID, "net.url"),
            ("https://127.0.0.1/", "net.not_a_name"),
            ("https://8.8.8.8/", "net.not_a_name"),
            ("https://2130706433/", "net.not_a_name"),
            ("https://0x7f.1/", "net.not_a_name"),
            ("https://a.0x7f/", "net.not_a_name"),
            ("https://a..example/", "net.not_a_name"),
            ("https://a.example./", "net.not_a_name"),
            ("https://-a.example/", "net.not_a_name"),
            (f"https://{'a.' * 127}example/", "net.not_a_name"),
        ],
    )
    def test_refused(self, url: str, expected: str) -> None:
        with pytest.raises(Unavailable) as error:
            target(url)
        assert error.value.code == expected


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            "8.8.8.8",
            "1.1.1.1",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "223.255.255.254",
            "2600::1",
            "2a00:1450::8",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ],
    )
    def test_public(self, address: str) -> None:
        assert is_public(address)

    @pytest.mark.parametrize(
        "address",
        [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:a00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fe80::1%eth0",
            "2600::1%eth0",
            "fec0::1",
            "ff02::1",
            "",
            "x",
            "8.8.8",
            "8.8.8.8/32",
        ],
    )
    def test_not_public(self, address: str) -> None:
        assert not is_public(address)

    def test_the_system_resolver(self) -> None:
        assert set(http.look_up("localhost", 443)) <= {"127.0.0.1", "::1"}
        with pytest.raises(socket.gaierror):
            http.look_up("nobody.invalid", 443)


class TestD11Rebinding:
    def test_d11_private_answers_are_not_connected_to(self, fetch: Fetch, serve: Serve) -> None:
        server = serve(says(answer()))
        ask = get(server.url())
        for addresses in (("127.0.0.1",), ("8.8.8.8", "127.0.0.1"), ("127.0.0.1", "8.8.8.8"), ("::ffff:127.0.0.1",)):
            assert failure(fetch, ask, allow_private=False, resolver=Resolver(addresses)) == "net.address"
        assert server.connections == 0
        assert fetch(ask).status == 200

    def test_d11_one_lookup_a_fetch(self, fetch: Fetch, serve: Serve) -> None:
        server = serve(says(answer()))
        resolver = Resolver(("127.0.0.1",), ("127.0.0.9",))
        assert fetch(get(server.url()), resolver=resolver).status == 200
        assert resolver.asked == [NAME]
        assert server.names == [NAME]

    def test_d11_an_address_that_was_not_judged_is_not_used(
        self, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The name first has a public address, then this machine's: the connection goes to the first, by number."""
        import httpcore2

        reached: list[str] = []

        def connect(_: object, host: str, *__: object, **___: object) -> None:
            reached.append(host)
            raise httpcore2.ConnectError

        async def connect_async(_: object, host: str, *__: object, **___: object) -> None:
            connect(_, host)

        monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", connect)
        monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", connect_async)
        resolver = Resolver(("8.8.8.8",), ("127.0.0.1",))
        assert failure(fetch, get(f"https://{NAME}/"), allow_private=False, resolver=resolver) == "net.connect"
        assert (reached, resolver.asked) == (["8.8.8.8"], [NAME])


def moved(place: str, status: str = "302 Found") -> Script:
    return says(answer(b"", status, location=place))


class TestD12Redirects:
    @pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
    def test_d12_none_without_leave(self, fetch: Fetch, serve: Serve, status: str) -> None:
        server = serve(moved("/other", status), says(answer()))
        assert failure(fetch, get(server.url())) == "net.redirect"
        assert server.connections == 1

    @pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
    def test_d12_with_leave(self, fetch: Fetch, serve: Serve, status: str) -> None:
        server = serve(moved("other?x", status), says(answer(b"here")))
        assert fetch(get(server.url("/a/b"), redirects=3)).body == b"here"
        assert server.requests[1].startswith(b"GET /a/other?x ")

    def test_d12_other_host(self, fetch: Fetch, serve: Serve) -> None:
        second = serve(says(answer(b"there")))
        first = serve(moved(second.url(name="other.example")))
        resolver = Resolver()
        headers = {"Accept": "text/x", "Authorization": "Bearer secret", "DPoP": "x"}
        assert fetch(get(first.url(), redirects=1, headers=headers), resolver=resolver).body == b"there"
        assert resolver.asked == [NAME, "other.example"]
        assert b"secret" in first.requests[0]
        assert b"secret" not in second.requests[0]
        assert b"accept: text/x" in second.requests[0].lower()

    def test_d12_s31_three_hops_and_no_fourth(self, fetch: Fetch, serve: Serve) -> None:
        server = serve(moved("/1"), moved("/2"), moved("/3"), says(answer(b"end")))
        assert fetch(get(server.url(), redirects=3)).body == b"end"
        server = serve(moved("/1"), moved("/2"), moved("/3"), moved("/4"), says(answer(b"end")))
        assert failure(fetch, get(server.url(), redirects=20)) == "net.too_many_redirects"
        assert server.connections == 4
        server = serve(moved("/1"), moved("/2"), says(answer(b"end")))
        assert failure(fetch, get(server.url(), redirects=1)) == "net.too_many_redirects"

    @pytest.mark.parametrize(
        ("place", "expected"),
        [
            ("http://city.example/", "net.not_https"),
            ("https://127.0.0.1/", "net.not_a_name"),
            ("https://[::1]/", "net.url"),
            ("https://[x/", "net.url"),
            ("https://nobody.example/", "net.name"),
            ("//u@other.example/", "net.url"),
        ],
    )
    def test_d12_s31_each_hop_is_guarded(self, fetch: Fetch, serve: Serve, place: str, expected: str) -> None:
        server = serve(moved(place))
        assert failure(fetch, get(server.url(), redirects=3)) == expected

    def test_d12_a_hop_to_a_private_address(self, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
        server = serve(moved("https://other.example/"))
        monkeypatch.setattr(http, "is_public", lambda address: address == "127.0.0.1")
        resolver = Resolver(("127.0.0.1",), ("10.0.0.1",))
        ask = get(server.url(), redirects=3)
        assert failure(fetch, ask, allow_private=False, resolver=resolver) == "net.address"

    def test_d12_loops_and_nowhere(self, fetch: Fetch, serve: Serve) -> None:
        assert failure(fetch, get(serve(moved("/")).url(), redirects=3)) == "net.too_many_redirects"
        assert failure(fetch, get(serve(says(answer(b"", "302 Found"))).url(), redirects=3)) == "net.redirect"

    def test_d12_only_get(self, fetch: Fetch, serve: Serve) -> None:
        def after_reading(connection: Any, head: bytes) -> None:
            body_of(connection, head)
            moved("/x")(connection, head)

        server = serve(after_reading)
        assert failure(fetch, Request("POST", server.url(), {}, b"x", redirects=3)) == "net.redirect"

    def test_s34_extends_to_this_machine(self, fetch: Fetch) -> None:
        assert failure(fetch, get("http://[::1]/", redirects=3)) == "net.not_https"
        assert failure(fetch, get("https://localhost/"), allow_private=False, resolver=http.look_up) == "net.address"


def drip(first: bytes, piece: bytes = b"x") -> Script:
    def script(connection: Any, __: bytes) -> None:
        connection.sendall(first)
        for _ in range(60):
            time.sleep(0.05)
            connection.sendall(piece)

    return script


def silence(connection: Any, _: bytes) -> None:
    """Listens until the other side gives up."""
    while connection.recv(65536):
        pass


class TestD13Slow:
    SHORT = timedelta(seconds=0.3)

    def timed(self, fetch: Fetch, ask: Request, **options: Any) -> str:
        start = time.monotonic()
        code = failure(fetch, ask, **{"total": self.SHORT} | options)
        assert time.monotonic() - start < 1.5
        return code

    @pytest.mark.parametrize(
        "script",
        [
            drip(b""),
            drip(b"HTTP/1.1 200 OK\r\nx-a: "),
            drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
            drip(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n"),
            drip(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
            silence,
        ],
        ids=["status", "header", "continue", "body", "chunks", "silence"],
    )
    def test_d13_drips(self, fetch: Fetch, serve: Serve, script: Script) -> None:
        assert self.timed(fetch, get(serve(script).url())) == "net.timeout"

    def test_d13_handshake_stall(self, fetch: Fetch, serve: Serve) -> None:
        server = serve(silence, pem=None)
        assert self.timed(fetch, get(server.url())) == "net.timeout"

    def test_d13_somebody_gives_up_first(self, serve: Serve, authority: Authority) -> None:
        """A cancelled fetch leaves no connection behind (an unclosed one would be a warning, and fail)."""
        silent = serve(silence, pem=None)

        async def run() -> None:
            fetcher = AsyncHttp(allow_private=True, roots=authority.roots, resolver=Resolver())
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await fetcher(get(silent.url()))

        asyncio.run(run())
        assert silent.connections == 1

    def test_d13_resolver_stall(self, fetch: Fetch) -> None:
        def slow(host: str, port: int) -> Sequence[str]:
            time.sleep(0.6)
            return ("127.0.0.1",)

        assert self.timed(fetch, get(f"https://{NAME}/"), resolver=slow) == "net.timeout"
        connect = timedelta(seconds=0.2)
        assert (
            self.timed(fetch, get(f"https://{NAME}/"), resolver=slow, total=limits.FETCH, connect=connect)
            == "net.timeout"
        )

    def test_d13_redirects_share_one_deadline(self, fetch: Fetch, serve: Serve) -> None:
        def late(connection: Any, _: bytes) -> None:
            time.sleep(0.15)
            connection.sendall(answer(b"", "302 Found", location="/"))

        assert self.timed(fetch, get(serve(late).url(), redirects=3)) == "net.timeout"

    def test_d13_a_deadline_that_passed(self) -> None:
        deadline = http.Deadline("a.example", timedelta(0))
        with pytest.raises(Unavailable) as error:
            deadline.left()
        assert error.value.problem.facts == {"host": "a.example", "seconds": "0"}

    def test_d13_bodies(self, fetch: Fetch, serve: Serve) -> None:
        exact = b"x" * limits.DOCUMENT
        assert fetch(get(serve(says(answer(exact))).url())).body == exact
        assert failure(fetch, get(serve(says(answer(exact + b"x"))).url())) == "net.too_large"
        assert fetch(get(serve(says(answer(b"12345"))).url(), limit=5)).body == b"12345"
        assert failure(fetch, get(serve(says(answer(b"123456"))).url(), limit=5)) == "net.too_large"
        assert fetch(get(serve(says(answer(exact + b"x"))).url(), limit=2 << 20)).body == exact + b"x"

    def test_d13_infinite_chunks(self, fetch: Fetch, serve: Serve) -> None:
        def endless(connection: Any, __: bytes) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in range(1000):
                connection.sendall(b"4000\r\n" + bytes(0x4000) + b"\r\n")

        assert failure(fetch, get(serve(endless).url())) == "net.too_large"

    def test_d13_more_than_announced(self, fetch: Fetch, serve: Serve) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n"
        assert fetch(get(serve(says(head + b"0123456789" + b"x" * 100_000)).url())).body == b"0123456789"

    def test_d13_encodings(self, fetch: Fetch, serve: Serve) -> None:
        import gzip

        bomb = gzip.compress(bytes(10_000_000))
        for name in ("gzip", "GZIP", "br", "deflate", "identity, gzip"):
            server = serve(says(answer(bomb, content_encoding=name)))
            assert failure(fetch, get(server.url())) == "net.encoding"
        for name in ("identity", " Identity", ""):
            assert fetch(get(serve(says(answer(b"x", content_encoding=name))).url())).body == b"x"

    def test_d13_headers(self, fetch: Fetch, serve: Serve) -> None:
        fits = "a" * (http.HEADER_BYTES - len("content-typeapplication/jsoncontent-length2x") - 12)
        assert fetch(get(serve(says(answer(x=fits))).url())).status == 200
        assert failure(fetch, get(serve(says(answer(x=fits + "a"))).url())) == "net.headers_too_large"
        assert failure(fetch, get(serve(says(answer(x="a" * 300_000))).url())) == "net.protocol"


class TestD14Tls:
    def reason(self, fetch: Fetch, ask: Request, **options: Any) -> str:
        with pytest.raises(Unavailable) as error:
            fetch(ask, **options)
        assert error.value.code == "net.tls"
        return str(error.value.problem.facts["reason"])

    def test_d14_expired(self, fetch: Fetch, serve: Serve, authority: Authority) -> None:
        server = serve(says(answer()), pem=authority.server(NAME, days=(-10, -1)))
        assert "expired" in self.reason(fetch, get(server.url()))
        assert server.requests == []

    def test_d14_wrong_host(self, fetch: Fetch, serve: Serve) -> None:
        server = serve(says(answer()))
        assert "wrong.example" in self.reason(fetch, get(server.url(name="wrong.example")))
        assert server.requests == []

    def test_d14_self_signed(self, fetch: Fetch, serve: Serve, authority: Authority) -> None:
        server = serve(says(answer()), pem=authority.server(NAME, own=True))
        assert "self-signed" in self.reason(fetch, get(server.url())).replace(" ", "-")

    def test_d14_unknown_authority(self, fetch: Fetch, serve: Serve, tmp_path: Path) -> None:
        server = serve(says(answer()), pem=Authority.made(tmp_path).server(NAME))
        assert self.reason(fetch, get(server.url()))

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_d14_old_tls(self, fetch: Fetch, serve: Serve) -> None:
        import ssl

        for latest in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            assert self.reason(fetch, get(serve(says(answer()), latest=latest).url()))
        assert fetch(get(serve(says(answer()), latest=ssl.TLSVersion.TLSv1_2).url())).status == 200

    def test_d14_plain_http(self, fetch: Fetch, serve: Serve) -> None:
        assert self.reason(fetch, get(serve(says(answer()), pem=None).url()))

    def test_d14_no_switch(
        self, fetch: Fetch, serve: Serve, authority: Authority, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        roots = authority.folder / "roots.pem"
        roots.write_text(authority.roots)
        for name, value in {
            "PYTHONHTTPSVERIFY": "0",
            "SSL_CERT_FILE": str(roots),
            "SSL_CERT_DIR": str(roots.parent),
        }.items():
            monkeypatch.setenv(name, value)
        server = serve(says(answer()))
        assert self.reason(fetch, get(server.url()), roots=None)
        assert fetch(get(server.url())).status == 200


class TestD15Environment:
    def test_d15_proxies_and_netrc(
        self, fetch: Fetch, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        proxy = serve(says(answer(b"proxied")))
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        (tmp_path / ".netrc").write_text(f"machine {NAME} login me password secret\n")
        (tmp_path / ".netrc").chmod(0o600)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        server = serve(says(answer(b"direct")))
        assert fetch(get(server.url())).body == b"direct"
        assert proxy.connections == 0
        assert b"authorization" not in server.requests[0].lower()

    def test_d15_no_cookies(self, authority: Authority, serve: Serve) -> None:
        server = serve(says(answer(set_cookie="a=1; Path=/; Secure")))
        fetcher = Http(allow_private=True, roots=authority.roots, resolver=Resolver())
        fetcher(get(server.url()))
        fetcher(get(server.url()))
        assert len(server.requests) == 2
        assert b"cookie" not in server.requests[1].lower()


class TestCache:
    URL = "https://a.example/"

    def kept(self, control: str = "max-age=60", *, at: int = 0, cache: Cache | None = None, **headers: str) -> Cache:
        cache = cache or Cache()
        known = {"cache-control": control} | headers
        cache.put(get(self.URL), Response(200, known, b"x", AT + timedelta(seconds=at)))
        return cache

    def hit(self, cache: Cache, seconds: int, ask: Request | None = None) -> bool:
        return cache.get(ask or get(self.URL), AT + timedelta(seconds=seconds)) is not None

    def test_the_fetcher_uses_it(self, fetch: Fetch, serve: Serve) -> None:
        server = serve(says(answer(b"1", cache_control="max-age=60")), says(answer(b"2")))
        cache = Cache()
        assert [fetch(get(server.url()), cache=cache).body for _ in range(2)] == [b"1", b"1"]
        assert fetch(get(server.url(), max_age=timedelta(0)), cache=cache).body == b"2"
        assert server.connections == 2

    def test_failures_are_not_kept(self, fetch: Fetch, serve: Serve) -> None:
        server = serve(says(answer(b"", "503 Busy", cache_control="max-age=60")), says(answer(b"2")))
        cache = Cache()
        assert fetch(get(server.url()), cache=cache).status == 503
        assert fetch(get(server.url()), cache=cache).status == 200

    @pytest.mark.parametrize(
        ("control", "fresh_for"),
        [
            ("max-age=60", 60),
            ("public, Max-Age=60", 60),
            ('max-age="60"', 60),
            ("max-age=0", 0),
            ("", 0),
            ("max-age=x", 0),
            ("max-age=-1", 0),
            ("no-cache, max-age=60", 0),
            ("max-age=999999999", 3600),
            ("max-age=9999999999", 0),
            ("max-age=5, max-age=60", 5),
        ],
    )
    def test_max_age(self, control: str, fresh_for: int) -> None:
        cache = self.kept(control)
        assert self.hit(cache, fresh_for - 1) == (fresh_for > 0)
        assert not self.hit(cache, fresh_for)

    def test_age(self) -> None:
        cache = self.kept(age="50")
        assert self.hit(cache, 9)
        assert not self.hit(cache, 10)
        assert self.hit(self.kept(age="x"), 59)

    def test_no_store(self) -> None:
        assert not self.hit(self.kept("no-store, max-age=60"), 1)
        assert not self.hit(self.kept("no-store", cache=self.kept()), 1)

    def test_the_request_decides(self) -> None:
        cache = self.kept("")
        assert self.hit(cache, 99, get(self.URL, max_age=timedelta(seconds=100)))
        assert not self.hit(cache, 100, get(self.URL, max_age=timedelta(seconds=100)))
        assert not self.hit(self.kept(), 1, get(self.URL, max_age=timedelta(0)))

    def test_nothing_from_the_future(self) -> None:
        assert not self.hit(self.kept(at=10), 9)
        assert self.hit(self.kept(at=10), 10)

    def test_only_plain_requests(self) -> None:
        cache = self.kept()
        assert self.hit(cache, 1)
        others = [
            get(self.URL + "x"), Request("POST", self.URL), get(self.URL, body=b"x"),
            get(self.URL, headers={"authorization": "x"}), get(self.URL, headers={"Accept": "x"}),
        ]  # fmt: skip
        for other in others:
            assert not self.hit(cache, 1, other)
        for other in (others[1], others[2], others[3]):
            cache.put(other, Response(200, {"cache-control": "max-age=60"}, b"y", AT))
            assert not self.hit(cache, 1, other)
        found = cache.get(get(self.URL), AT)
        assert found is not None
        assert found.body == b"x"

    def test_bounds(self) -> None:
        cache = Cache(entries=2, size=10)
        urls = [f"{self.URL}{index}" for index in range(4)]

        def put(index: int, size: int) -> None:
            cache.put(get(urls[index]), Response(200, {"cache-control": "max-age=60"}, b"x" * size, AT))

        def held() -> list[bool]:
            return [self.hit(cache, 1, get(url)) for url in urls]

        put(0, 1)
        put(1, 1)
        assert held()[:2] == [True, True]
        assert self.hit(cache, 1, get(urls[0]))  # used last, so the other one goes
        put(2, 1)
        assert held() == [True, False, True, False]
        put(3, 10)
        assert held() == [False, False, False, True]
        put(3, 11)
        assert held() == [False, False, False, False]
        put(0, 5)
        put(0, 5)
        put(1, 5)
        assert held() == [True, True, False, False]


def test_u16_nothing_but_a_fetch_touches_the_network() -> None:
    """Importing everything and resolving what carries its key opens no socket: no telemetry, no update notices."""
    program = """
import sys, importlib, pkgutil
touched = []
sys.addaudithook(lambda event, args: touched.append(event) if event.startswith("socket.") else None)
import cityid
for found in pkgutil.walk_packages(cityid.__path__, "cityid."):
    if "_cli" not in found.name:
        importlib.import_module(found.name)
from cityid.did import resolve
from cityid.edge.recorded import offline
resolve("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK").run(offline)
used = [event for event in touched if event in ("socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto")]
print(used)
import socket
touched.clear()
try:
    socket.create_connection(("127.0.0.1", 1), 1)
except OSError:
    pass
print("socket.connect" in touched)
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=TREE, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["[]", "True"]
