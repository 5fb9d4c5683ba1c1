"""The guarded fetcher: the only way out of the house.

* https only, to names and never to addresses; a name is looked up once a fetch, every address that it has must be
  global unicast, and one of those looked at is the one connected to (so an answer that changes has no effect).
* TLS is always verified. Proxies, cookies, `.netrc`, credentials and environment variables do not exist here.
* Redirects only where a request allows them, three at most, each guarded like the first.
* A deadline over everything; ceilings on headers and body; no content encodings, so nothing can be blown up.

Each failure is Unavailable with a code `net.*`. `cityid.edge.http_async` keeps the same rules, which live here.
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import urljoin

from cityid import limits
from cityid.edge.clock import now
from cityid.edge.http_cache import Cache
from cityid.errors import Unavailable
from cityid.plan import Request, Response, Steps, plan

if TYPE_CHECKING:
    import ssl

Resolver: TypeAlias = Callable[[str, int], Sequence[str]]
"""(host, port) -> addresses, or OSError."""

HEADER_BYTES: Final = 32 << 10
ADDRESSES: Final = 4
"""How many of a host's addresses are tried."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_URL: Final = re.compile(
    r"(?i:https)://([A-Za-z0-9.-]+)(?::([0-9]{1,5}))?"
    r"(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?\[\]-]*)?"
)
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")

# IANA special-purpose registries. Written out, because the interpreter's own idea of "global" has changed over time.
_NOT_GLOBAL_4: Final = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
            "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
        ),
    )
)  # fmt: skip
_GLOBAL_6: Final = ipaddress.IPv6Network("2000::/3")
_NOT_GLOBAL_6: Final = tuple(
    map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20"))
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether `address` is global unicast. IPv4 inside IPv6 (mapped, NAT64, 6to4) is judged as the IPv4 it leads to."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        # Also an IPv6 address with a zone: link-local by definition. (ip_address takes the zone, the networks don't.)
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.scope_id is not None:
            return False
        inside = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            inside = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inside is None:
            return found in _GLOBAL_6 and not any(found in network for network in _NOT_GLOBAL_6)
        found = inside
    return not any(found in network for network in _NOT_GLOBAL_4)


def look_up(host: str, port: int) -> Sequence[str]:
    """The system's resolver."""
    import socket

    found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class Target:
    """Where one hop goes. `host` is an A-label name in lower case."""

    host: str
    port: int
    path: str


def target(url: str) -> Target:
    """The only reading of a URL there is: what it yields is what is connected to.

    Raises:
        Unavailable: `net.url`, `net.not_https`, `net.not_a_name`.
    """
    found = _URL.fullmatch(url) if len(url) <= limits.DID else None
    if found is None:
        if url[:8].lower() != "https://":
            raise Unavailable("net.not_https", url=url)
        raise Unavailable("net.url", url=url)
    host = found[1].lower()
    labels = host.split(".")
    if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)) or _NUMBER.fullmatch(labels[-1]):
        raise Unavailable("net.not_a_name", host=host)
    port = int(found[2] or 443)
    if not 0 < port < 65536:
        raise Unavailable("net.url", url=url)
    return Target(host, port, (found[3] or "/") + (found[4] or ""))


@plan
def follow(request: Request) -> Steps[Response]:
    """The answer to `request` after the redirects that it allows.

    Raises (when run):
        Unavailable: `net.redirect`, `net.too_many_redirects`; what a hop raises.
    """
    left = min(request.redirects, limits.REDIRECTS)
    while True:
        response = yield request
        if response.status not in _REDIRECTS:
            return response
        place = response.headers.get("location")
        if request.redirects <= 0 or request.method != "GET" or place is None:
            raise Unavailable("net.redirect", url=request.url)
        if not left:
            raise Unavailable("net.too_many_redirects", url=request.url, limit=limits.REDIRECTS)
        left -= 1
        try:
            url = urljoin(request.url, place)
        except ValueError:
            url = place
        # Only what the first server was told about our taste goes on to the next one.
        headers = {name: value for name, value in request.headers.items() if name.lower() == "accept"}
        request = replace(request, url=url, headers=headers)


class Deadline:
    """Counts down over a whole fetch."""

    def __init__(self, host: str, total: timedelta) -> None:
        self.host = host
        self.total = total
        self._end = time.monotonic() + total.total_seconds()

    def passed(self) -> Unavailable:
        return Unavailable("net.timeout", host=self.host, seconds=_seconds(self.total))

    def left(self, most: timedelta | None = None) -> float:
        """Seconds left, at most `most`.

        Raises:
            Unavailable: `net.timeout`.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.passed()
        return left if most is None else min(left, most.total_seconds())


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():g}"


class Rules:
    """What both fetchers agree on: how to be asked, whom to connect to, what of an answer to take.

    `allow_private` permits addresses that are not public: for a city's own test network, and nothing else. `roots`
    (PEM) replaces the system's certification authorities.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        roots: str | None = None,
        cache: Cache | None = None,
        resolver: Resolver = look_up,
        clock: Callable[[], datetime] = now,
        total: timedelta = limits.FETCH,
        connect: timedelta = limits.CONNECT,
    ) -> None:
        engine()
        self.allow_private = allow_private
        self.roots = roots
        self.cache = Cache() if cache is None else cache
        self.resolver = resolver
        self.clock = clock
        self.total = total
        self.connect = connect
        self._tls: ssl.SSLContext | None = None

    def tls(self) -> ssl.SSLContext:
        """TLS 1.2 or later; chain and host name verified; no way to turn that off."""
        if self._tls is None:
            self._tls = _tls(self.roots)
        return self._tls

    def addresses(self, host: str, found: Sequence[str]) -> Sequence[str]:
        """The addresses that may be connected to: those found, if all of them are public.

        Raises:
            Unavailable: `net.name` (none), `net.address`.
        """
        if not found:
            raise Unavailable("net.name", host=host)
        for address in found:
            if not self.allow_private and not is_public(address):
                raise Unavailable("net.address", host=host, address=address)
        return found[:ADDRESSES]

    def headers(self, request: Request) -> list[tuple[bytes, bytes]]:
        """Request headers as sent. No encodings: what is read is what was counted."""
        sent = {name.lower(): value for name, value in request.headers.items()}
        sent |= {"accept-encoding": "identity", "user-agent": "cityid", "connection": "close"}
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()]

    def head(self, host: str, headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
        """Response headers, names in lower case, repeated ones joined.

        Raises:
            Unavailable: `net.headers_too_large`, `net.encoding`.
        """
        found: dict[str, str] = {}
        size = 0
        for raw_name, raw_value in headers:
            size += len(raw_name) + len(raw_value) + 4
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            found[name] = f"{found[name]}, {value}" if name in found else value
        if size > HEADER_BYTES:
            raise Unavailable("net.headers_too_large", host=host, limit=HEADER_BYTES)
        encoding = found.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            raise Unavailable("net.encoding", host=host, encoding=encoding)
        return found

    def kept(self, request: Request) -> Response | None:
        """What the cache has for `request`.

        Raises:
            Unavailable: `net.not_kept`, where it has nothing and nothing else is asked for.
        """
        found = self.cache.get(request, self.clock())
        if found is None and request.kept:
            raise Unavailable("net.not_kept", url=request.url)
        return found

    def limit(self, request: Request) -> int:
        return limits.DOCUMENT if request.limit is None else request.limit

    def response(self, status: int, headers: Mapping[str, str], body: bytes) -> Response:
        return Response(status, headers, body, self.clock())


class Body:
    """Collects a body up to its ceiling."""

    def __init__(self, host: str, limit: int) -> None:
        self._host, self._limit = host, limit
        self._parts = bytearray()

    def add(self, part: bytes) -> None:
        """Raises Unavailable `net.too_large`."""
        self._parts += part
        if len(self._parts) > self._limit:
            raise Unavailable("net.too_large", host=self._host, limit=self._limit)

    def __bytes__(self) -> bytes:
        return bytes(self._parts)


def engine() -> Any:
    """The HTTP/1.1 engine of httpx2. It has no notion of proxies from the environment, cookies, credentials, redirects
    or decoding, and takes the guard as a public argument.

    Raises:
        Unavailable: `install.extra`.
    """
    try:
        import httpcore2
    except ImportError:
        raise Unavailable("install.extra", extra="net") from None
    return httpcore2


def _tls(roots: str | None) -> ssl.SSLContext:
    import os
    import ssl

    # The system's authorities from where OpenSSL was built to find them: SSL_CERT_FILE and SSL_CERT_DIR have no say.
    built = ssl.get_default_verify_paths()
    file = built.openssl_cafile if os.path.isfile(built.openssl_cafile) else None
    folder = built.openssl_capath if os.path.isdir(built.openssl_capath) else None
    if roots is not None:
        context = ssl.create_default_context(cadata=roots)
    elif file or folder:
        context = ssl.create_default_context(cafile=file, capath=folder)
    else:
        context = engine().default_ssl_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@contextmanager
def explained(deadline: Deadline) -> Iterator[None]:
    """Turn what the engine raises into `net.timeout`, `net.tls`, `net.connect`, `net.broken` and `net.protocol`."""
    import ssl

    core = engine()
    host = deadline.host
    try:
        yield
    except (core.TimeoutException, TimeoutError):
        raise deadline.passed() from None
    except (core.NetworkError, OSError) as error:
        # The engine wraps what the system raised, and drops it as __cause__.
        cause = error if isinstance(error, ssl.SSLError) else next(iter(error.args), None)
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "verify_message", None) or cause.reason or "handshake failed"
            raise Unavailable("net.tls", host=host, reason=str(reason)) from None
        if isinstance(error, core.ConnectError):
            raise Unavailable("net.connect", host=host) from None
        raise Unavailable("net.broken", host=host) from None
    except core.ProtocolError:
        raise Unavailable("net.protocol", host=host) from None


class _Stream:
    """A connection on which no single wait is longer than what is left of the whole."""

    def __init__(self, stream: Any, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return bytes(self._stream.read(max_bytes, self._deadline.left()))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: Any = None
    ) -> _Stream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, self._deadline.left()), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Network:
    """The engine's network for one hop: one lookup, all addresses judged, one of them connected to."""

    def __init__(self, rules: Rules, deadline: Deadline) -> None:
        self._rules, self._deadline = rules, deadline

    def connect_tcp(self, host: str, port: int, **options: Any) -> _Stream:
        core = engine()
        rules, deadline = self._rules, self._deadline
        addresses = rules.addresses(host, _in_time(partial(rules.resolver, host, port), deadline, rules.connect))
        until = Deadline(host, timedelta(seconds=deadline.left(rules.connect)))
        for address in addresses[:-1]:
            try:
                return self._connect(address, port, until.left())
            except core.NetworkError:
                continue
        return self._connect(addresses[-1], port, until.left())

    def _connect(self, address: str, port: int, seconds: float) -> _Stream:
        return _Stream(engine().SyncBackend().connect_tcp(address, port, seconds), self._deadline)


def _in_time(ask: Callable[[], Sequence[str]], deadline: Deadline, most: timedelta) -> Sequence[str]:
    """What `ask` says, if it says so in time: the system's resolver knows no deadline."""
    from queue import Empty, SimpleQueue
    from threading import Thread

    answer: SimpleQueue[Sequence[str]] = SimpleQueue()

    def work() -> None:
        try:
            answer.put(ask())
        except OSError:
            answer.put(())

    Thread(target=work, name="cityid-lookup", daemon=True).start()
    try:
        return answer.get(timeout=deadline.left(most))
    except Empty:
        raise deadline.passed() from None


class Http(Rules):
    """The synchronous fetcher: an Exchange. One may serve many threads."""

    def __call__(self, request: Request) -> Response:
        """The answer to `request`, perhaps from the cache.

        Raises:
            Unavailable: `net.*`.
        """
        kept = self.kept(request)
        if kept is not None:
            return kept
        deadline = Deadline("", self.total)
        response = follow(request).run(partial(self._hop, deadline))
        self.cache.put(request, response)
        return response

    def _hop(self, deadline: Deadline, request: Request) -> Response:
        core = engine()
        goal = target(request.url)
        deadline.host = goal.host
        body = Body(goal.host, self.limit(request))
        url = core.URL(scheme=b"https", host=goal.host.encode(), port=goal.port, target=goal.path.encode())
        headers, content = self.headers(request), request.body or None
        network = _Network(self, deadline)
        with (
            explained(deadline),
            core.ConnectionPool(ssl_context=self.tls(), network_backend=network) as pool,
            pool.stream(request.method, url, headers=headers, content=content) as answer,
        ):
            head = self.head(goal.host, answer.headers)
            for part in answer.iter_stream():
                body.add(part)
            return self.response(answer.status, head, bytes(body))
