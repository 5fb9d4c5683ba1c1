"""Any text as a DID, any JSON as a document; property 11: a did:web leads to https and to a name, never an address."""

from __future__ import annotations

import ipaddress
import socket
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityid.did import DidDocument, dereference, parse, parse_url, resolve, web
from cityid.did.document import RELATIONSHIPS, from_json, read_document
from cityid.edge.http import is_public, target
from cityid.encoding import json
from cityid.errors import Malformed, Refused, Unavailable
from cityid.plan import Request, Response

pytestmark = pytest.mark.property
CITY = "did:web:id.lindau.example"
P256 = "zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv"
AT = datetime(2026, 5, 1, tzinfo=UTC)

pieces = st.sampled_from(
    [
        "did:",
        "web:",
        "key:",
        "jwk:",
        "z6Mk",
        P256,
        "e30",
        "%",
        "%3A",
        "%2e",
        "%2F",
        "%25",
        "127.0.0.1",
        "0x7f",
        "localhost",
        "[::1]",
        ".",
        "..",
        ":",
        "#",
        "?",
        "/",
        "@",
        "\\",
        "xn--",
        "a",
        "example",
        "1",
        "٣",
        "。",
        "\x00",
    ]
)
texts = st.one_of(
    st.text(), st.lists(pieces).map("".join), st.lists(pieces).map(lambda parts: "did:web:" + "".join(parts))
)
bodies = st.sampled_from(["key", "jwk", "web"]).flatmap(lambda method: texts.map(lambda text: f"did:{method}:{text}"))


@given(st.one_of(texts, bodies), st.binary())
def test_any_text_gives_a_document_or_a_reason(text: str, body: bytes) -> None:
    def exchange(request: Request) -> Response:
        assert request.url.startswith("https://")
        return Response(200, {"content-type": "application/json"}, body, AT)

    for plan in (resolve(text), dereference(text)):
        try:
            found = plan.run(exchange)
        except (Malformed, Refused):
            continue
        assert found is not None
    for read in (parse, parse_url, web.url):
        try:
            read(text)
        except Malformed:
            continue


labels = st.one_of(
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True),
    st.integers(0, 2**32).map(str),
    st.integers(0, 255).map(hex),
    st.sampled_from(["localhost", "xn--mnchen-3ya", "A", "%31", "%2E", "0177", "0x", "1.1"]),
)
hosts = st.one_of(
    st.lists(labels, min_size=1, max_size=5).map(".".join),
    st.ip_addresses().map(str),
    st.ip_addresses(v=4).map(lambda address: str(int(address))),
    st.ip_addresses(v=6).map(lambda address: f"%5B{str(address).replace(':', '%3A')}%5D"),
    texts,
)
ports = st.one_of(
    st.just(""), st.integers(0, 70000).map(lambda port: f"%3A{port}"), texts.map(lambda text: f"%3A{text}")
)
paths = st.lists(texts.map(lambda text: f":{text}"), max_size=3).map("".join)


@given(hosts, ports, paths)
def test_p11_a_did_web_leads_to_https_and_a_name(host: str, port: str, path: str) -> None:
    try:
        url = web.url(f"did:web:{host}{port}{path}")
    except Malformed:
        return
    parts = urlsplit(url)
    assert parts.scheme == "https"
    assert parts.username is None
    assert not parts.query
    assert not parts.fragment
    assert parts.path.endswith("/did.json")
    assert "/../" not in parts.path
    name = parts.hostname
    assert name is not None
    assert name.isascii()
    with pytest.raises(ValueError, match="does not appear"):
        ipaddress.ip_address(name)
    with pytest.raises(OSError, match=r"illegal|not"):
        socket.inet_aton(name)  # the old C rules: 127.1, octal, hexadecimal
    # the fetcher reads the same host, and so does every other reader of URLs
    assert (target(url).host, target(url).port) == (name, parts.port or 443)


@given(st.text(), hosts)
def test_p11_whatever_the_fetcher_accepts_is_a_name(text: str, host: str) -> None:
    for url in (text, f"https://{text}", f"https://{host}/", f"https://a.example/{text}"):
        try:
            goal = target(url)
        except Unavailable:
            continue
        assert urlsplit(url).hostname == goal.host
        with pytest.raises(OSError, match=r"illegal|not"):
            socket.inet_aton(goal.host)


@given(st.ip_addresses())
def test_p11_public_is_never_more_than_the_interpreter_s_idea(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if is_public(str(address)):
        inside = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
        if str(address).startswith("64:ff9b::"):
            inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        assert inside.is_global
        assert not inside.is_multicast


values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from([CITY, f"{CITY}#a", "#a", "Multikey", P256, ""])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=2)),
    max_leaves=6,
)
methods = st.fixed_dictionaries(
    {},
    optional={
        name: st.one_of(values, st.just(usual))
        for name, usual in {
            "id": f"{CITY}#a",
            "type": "Multikey",
            "controller": CITY,
            "publicKeyMultibase": P256,
            "publicKeyJwk": {},
        }.items()
    },
)
documents = st.fixed_dictionaries(
    {"id": st.one_of(st.just(CITY), values)},
    optional={
        name: st.lists(st.one_of(methods, values), max_size=3) for name in ("verificationMethod", *RELATIONSHIPS)
    },
)


@given(st.one_of(documents, values), st.sampled_from(["", "a", "b"]))
def test_any_json_gives_a_document_or_a_reason(value: object, fragment: str) -> None:
    try:
        found = read_document(json.write(value), CITY)
    except (Malformed, Refused):
        return
    assert isinstance(found, DidDocument)
    assert found == from_json(found.raw, CITY)
    for purpose in RELATIONSHIPS:
        try:
            key = found.key(fragment, purpose)
        except (Malformed, Refused):
            continue
        assert key.algorithm.signs == (purpose != "keyAgreement")
