"""Fetching ahead: the keys and lists that a trust list needs, each for itself."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from cityid import limits
from cityid.credential import CertificateChain, DidUrl, WebIssuer
from cityid.did import web
from cityid.keys import Algorithm, certify, jwk
from cityid.plan import Request, Response
from cityid.status.ahead import ENDPOINT, Fetched, fetch_ahead
from cityid.status.token_status_list import write_aggregation
from cityid.trust import TrustEntry, TrustList
from tests.jobs.offices import NOW, Office
from tests.lists import HOUR, URI, Host, forged, token

OFFICE = Office()
SIGNER = OFFICE.issuer.signer
CITY = "did:web:id.lindau.example"
DOCUMENT = "https://id.lindau.example/.well-known/did.json"
ALL = "https://id.lindau.example/status"
ENTRY = TrustEntry(did=CITY, mechanism="did", types=("residency",))
PLACE = DidUrl(CITY, "issuer-1")


def as_json(value: Any) -> Response:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Response(200, {"content-type": "application/json; charset=utf-8"}, body, NOW)


def city(**more: Any) -> Host:
    document = web.document(CITY, {"issuer-1": SIGNER.public_key})
    return Host({DOCUMENT: as_json(document), URI: token(OFFICE, signed_by=PLACE), **more})


def fetched(host: Host, *entries: TrustEntry) -> list[tuple[str, str, str]]:
    """What was fetched, where, and the code of what went wrong."""
    return [
        (one.what, one.place, "" if one.problem is None else one.problem.code)
        for one in fetch_ahead(TrustList(entries), NOW).run(host)
    ]


def test_keys_and_lists() -> None:
    host = city()
    entry = replace(ENTRY, status_lists=(URI,))
    found = fetch_ahead(TrustList((entry,)), NOW).run(host)
    assert found == (Fetched(CITY, "keys", CITY), Fetched(CITY, "list", URI, NOW + 24 * HOUR))
    assert [request.url for request in host.asked] == [DOCUMENT, URI, DOCUMENT]


def test_what_is_pinned_is_not_fetched() -> None:
    own = OFFICE.issuer.id
    host = Host({URI: token(OFFICE)})
    entry = TrustEntry(did=own, mechanism="did", types=("residency",), status_lists=(URI,))
    assert fetched(host, entry) == [("keys", own, ""), ("list", URI, "")]  # did:key: nothing to fetch
    assert [request.url for request in host.asked] == [URI]
    keys = {"k": SIGNER.public_key}
    pinned = TrustEntry(web="https://id.wangen.example", mechanism="web", types=("x",), keys=keys)
    assert fetched(Host(), pinned) == []


def test_an_entry_that_is_over() -> None:
    assert fetched(city(), replace(ENTRY, until=NOW)) == []
    assert fetched(city(), replace(ENTRY, until=NOW + timedelta(seconds=1))) == [("keys", CITY, "")]


def test_lists_that_a_document_names() -> None:
    other = URI + "/other"
    host = city(
        **{ALL: as_json(write_aggregation([URI, other, URI])), other: token(OFFICE, signed_by=PLACE, uri=other)}
    )
    entry = replace(ENTRY, status_lists=(ALL, URI))
    assert fetched(host, entry) == [
        ("keys", CITY, ""), ("aggregation", ALL, ""), ("list", URI, ""), ("list", other, ""),
    ]  # fmt: skip


def test_a_host_that_minds_what_is_accepted() -> None:
    def strict(request: Request) -> Response:
        if request.headers["accept"] != "application/json":
            return Response(406, {}, b"", NOW)
        return as_json(write_aggregation([URI]))

    assert fetched(city(**{ALL: strict}), replace(ENTRY, status_lists=(ALL,)))[1:] == [
        ("aggregation", ALL, ""), ("list", URI, ""),
    ]  # fmt: skip

    def moody(request: Request) -> Response:
        if request.headers["accept"] != "application/json":
            return as_json(b"{}")
        return Response(404, {"content-type": "application/json"}, b"", NOW)

    assert fetched(city(**{ALL: moody}), replace(ENTRY, status_lists=(ALL,)))[1:] == [("list", ALL, "status.http")]
    html = Response(406, {"content-type": "text/html"}, b"", NOW)
    assert fetched(city(**{ALL: html}), replace(ENTRY, status_lists=(ALL,)))[1:] == [("list", ALL, "status.http")]

    def page(request: Request) -> Response:
        media = "application/json" if "statuslist" in request.headers["accept"] else "text/html"
        return Response(200, {"content-type": media}, b"{}", NOW)

    assert fetched(city(**{ALL: page}), replace(ENTRY, status_lists=(ALL,)))[1:] == [("list", ALL, "status.http")]


def test_a_list_names_all() -> None:
    """`aggregation_uri` leads from one list to its siblings, once."""
    other = URI + "/other"
    first = token(OFFICE, signed_by=PLACE, aggregation_uri=ALL)
    second = token(OFFICE, signed_by=PLACE, aggregation_uri=ALL, uri=other)
    host = city(**{URI: first, other: second, ALL: as_json(write_aggregation([URI, other]))})
    assert fetched(host, replace(ENTRY, status_lists=(URI,)))[1:] == [
        ("list", URI, ""), ("aggregation", ALL, ""), ("list", other, ""),
    ]  # fmt: skip


def test_one_fault_stands_in_the_way_of_nothing_else() -> None:
    """T26"""
    host = city(**{URI + "/gone": b"a.b", URI + "/strange": forged(token(OFFICE), Office().issuer.signer)})
    lists = (URI + "/gone", URI + "/strange", URI, URI + "/nowhere")
    assert fetched(host, replace(ENTRY, status_lists=lists)) == [
        ("keys", CITY, ""), ("list", lists[0], "jws.segments"), ("list", lists[1], "status.subject"),
        ("list", URI, ""), ("list", lists[3], "net.connect"),
    ]  # fmt: skip
    host = city(**{DOCUMENT: Response(500, {}, b"", NOW)})
    found = fetched(
        host, replace(ENTRY, status_lists=(URI,)), TrustEntry(did=OFFICE.issuer.id, mechanism="did", types=("x",))
    )
    assert [one[0] for one in found] == ["keys", "list", "keys"]
    assert found[0][2].startswith("did.")
    assert found[2][2] == ""


def test_somebody_else_s_list_is_told() -> None:
    host = city(**{URI: forged(token(OFFICE, signed_by=PLACE), Office().issuer.signer)})
    assert fetched(host, replace(ENTRY, status_lists=(URI,)))[1:] == [("list", URI, "signature.invalid")]


def test_an_https_issuer_and_its_endpoint() -> None:
    web_issuer = "https://id.wangen.example"
    url = "https://id.wangen.example/.well-known/jwt-vc-issuer"
    keys = {"keys": [{**jwk.write(SIGNER.public_key), "kid": "k"}]}
    metadata = {"issuer": web_issuer, "jwks": keys, ENDPOINT: ALL}
    host = Host({
        url: as_json(metadata), ALL: as_json(write_aggregation([URI])),
        URI: token(OFFICE, signed_by=WebIssuer(web_issuer, "k")),
    })  # fmt: skip
    entry = TrustEntry(web=web_issuer, mechanism="web", types=("x",))
    assert fetched(host, entry) == [("keys", web_issuer, ""), ("aggregation", ALL, ""), ("list", URI, "")]
    host.answers[url] = as_json({**metadata, ENDPOINT: 7})
    assert fetched(host, entry) == [("keys", web_issuer, "")]
    del host.answers[url]
    assert fetched(host, entry) == [("keys", web_issuer, "net.connect")]


def test_the_other_signer_s_keys() -> None:
    other = Office()
    made = token(OFFICE, signer=other.issuer.signer, signed_by=other.issuer.signed_by.at)
    entry = replace(ENTRY, status_issuer=other.issuer.id, status_lists=(URI,))
    assert fetched(city(**{URI: made}), entry) == [
        ("keys", CITY, ""), ("keys", other.issuer.id, ""), ("list", URI, ""),
    ]  # fmt: skip


def test_under_a_root() -> None:
    """Which certificate signs a list only a card says; that it is a list of this address is told now."""
    signer = OFFICE.keyring.signer(OFFICE.keyring.create(Algorithm.ES256))
    root = certify.certify_root(signer, certify.Name("Region"), at=NOW - HOUR)
    leaf = certify.certify_issuer(
        SIGNER.public_key, certify.Name("Issuer"), root=root, signer=signer, at=NOW - HOUR, uris=["https://id.example"]
    )
    entry = TrustEntry(roots=(root,), mechanism="x5c", types=("x",), status_lists=(URI,), source="root.pem")
    made = token(OFFICE, signed_by=CertificateChain((leaf,)))
    assert fetched(Host({URI: made}), entry) == [("list", URI, "")]
    assert fetched(Host({URI: token(OFFICE, uri=ALL)}), entry) == [("list", URI, "status.subject")]


def test_how_many() -> None:
    places = tuple(f"{ALL}/{number}" for number in range(limits.STATUS_LISTS + 5))
    found = fetched(Host(), TrustEntry(did=OFFICE.issuer.id, mechanism="did", types=("x",), status_lists=places))
    assert len(found) == 1 + limits.STATUS_LISTS
