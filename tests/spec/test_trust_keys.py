"""From where the key of a trusted issuer comes: its DID, its certificates, its metadata (SD-JWT VC §2.5)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from cityid import trust
from cityid.credential import DidUrl, KeyRef, Purpose, WebIssuer
from cityid.did import read_document
from cityid.edge.recorded import offline
from cityid.errors import Malformed, Misuse, Refused, Unavailable
from cityid.plan import Response
from cityid.trust import TrustList
from tests.credentials import DID, ISSUER, NOW, REF, WEB, Net, did_document, did_ref, jwks
from tests.sd_jwts import OTHER
from tests.spec.test_trust import LEAF, OTHER_ROOT, chain, entry, listed, root, web


class TestKey:
    """From a KeyRef to a key: what is pinned needs no network."""

    def test_pinned_document(self) -> None:
        trusted = listed(entry(document=read_document(did_document(ISSUER), DID)))
        assert trust.key(did_ref(), trusted).run(offline) == ISSUER.public_key
        assert trust.key(did_ref(""), trusted).run(offline) == ISSUER.public_key

    def test_a_pin_is_never_answered_from_elsewhere(self) -> None:
        trusted = listed(entry(document=read_document(did_document(ISSUER), DID)))
        with pytest.raises(Refused, match=r"did\.no_such_key"):
            trust.key(did_ref("issuer-2"), trusted).run(Net())

    def test_a_pinned_key_for_another_purpose(self) -> None:
        trusted = listed(entry(document=read_document(did_document(ISSUER), DID)))
        with pytest.raises(Refused, match=r"did\.wrong_purpose"):
            trust.key(KeyRef(DidUrl(DID, "issuer-1"), Purpose.AUTHENTICATION), trusted).run(offline)

    def test_a_document_may_hold_keys_that_are_none_of_ours(self) -> None:
        document = json.loads(did_document(ISSUER))
        strange = {"id": f"{DID}#x", "type": "Strange2099", "controller": DID}
        document["verificationMethod"].append(strange)
        document["assertionMethod"].append(strange["id"])
        trusted = listed(entry(document=read_document(json.dumps(document).encode(), DID)))
        assert trust.key(did_ref(), trusted).run(offline) == ISSUER.public_key
        with pytest.raises(Refused, match=r"did\.key_unsupported"):
            trust.key(did_ref("x"), trusted).run(offline)

    def test_pinned_keys(self) -> None:
        trusted = listed(web(keys={"issuer-1": ISSUER.public_key}))
        assert trust.key(REF, trusted).run(offline) == ISSUER.public_key
        assert trust.key(KeyRef(WebIssuer(WEB, "")), trusted).run(offline) == ISSUER.public_key
        with pytest.raises(Refused, match=r"trust\.no_such_key"):
            trust.key(KeyRef(WebIssuer(WEB, "issuer-2")), trusted).run(offline)

    def test_without_kid_there_must_be_one_key(self) -> None:
        two = listed(web(keys={"issuer-1": ISSUER.public_key, "issuer-2": OTHER.public_key}))
        with pytest.raises(Refused, match=r"trust\.no_kid"):
            trust.key(KeyRef(WebIssuer(WEB, "")), two).run(offline)
        assert trust.key(KeyRef(WebIssuer(WEB, "issuer-2")), two).run(offline) == OTHER.public_key

    def test_a_did_is_resolved_where_nothing_is_pinned(self) -> None:
        net = Net({"https://id.lindau.example/.well-known/did.json": did_document(ISSUER)})
        assert trust.key(did_ref(), listed(entry())).run(net) == ISSUER.public_key
        assert trust.key(did_ref()).run(net) == ISSUER.public_key

    def test_a_pin_of_another_issuer_does_not_answer(self) -> None:
        trusted = listed(entry(document=read_document(did_document(OTHER), DID)), web(keys={"k": OTHER.public_key}))
        other = "did:web:id.bregenz.example"
        net = Net({"https://id.bregenz.example/.well-known/did.json": did_document(ISSUER, other)})
        assert trust.key(did_ref(did=other), trusted).run(net) == ISSUER.public_key

    def test_chain(self) -> None:
        assert trust.key(chain(LEAF), listed(root()), NOW).run(offline) == ISSUER.public_key

    def test_no_key_of_a_chain_past_the_list(self) -> None:
        with pytest.raises(Refused, match=r"trust\.chain_unknown_root"):
            trust.key(chain(LEAF), listed(root(roots=(OTHER_ROOT,))), NOW).run(offline)
        with pytest.raises(Refused, match=r"trust\.chain_no_roots"):
            trust.key(chain(LEAF), listed(entry()), NOW).run(offline)
        with pytest.raises(Refused, match=r"trust\.chain_expired"):
            trust.key(chain(LEAF), listed(root()), NOW + timedelta(days=500)).run(offline)

    @pytest.mark.parametrize(("trusted", "at"), [(None, NOW), (listed(root()), None)])
    def test_a_chain_needs_a_list_and_a_time(self, trusted: TrustList | None, at: datetime | None) -> None:
        with pytest.raises(Misuse, match=r"trust\.chain_unjudged"):
            trust.key(chain(LEAF), trusted, at).run(offline)


METADATA = f"{WEB}/.well-known/jwt-vc-issuer"


def metadata(**changed: Any) -> bytes:
    made = {"issuer": WEB, "jwks": json.loads(jwks(ISSUER)), **changed}
    return json.dumps({name: value for name, value in made.items() if value is not None}).encode()


def found(net: Net, ref: KeyRef = REF) -> Any:
    return trust.key(ref, listed(web())).run(net)


class TestIssuerMetadata:
    """SD-JWT VC §4: JWT VC issuer metadata."""

    @pytest.mark.parametrize(
        ("issuer", "expected"),
        [
            ("https://example.com", "https://example.com/.well-known/jwt-vc-issuer"),
            ("https://example.com/", "https://example.com/.well-known/jwt-vc-issuer"),
            ("https://example.com/tenant/1234", "https://example.com/.well-known/jwt-vc-issuer/tenant/1234"),
            ("https://example.com/tenant/1234/", "https://example.com/.well-known/jwt-vc-issuer/tenant/1234"),
            ("https://example.com:8443/a", "https://example.com:8443/.well-known/jwt-vc-issuer/a"),
        ],
    )
    def test_address(self, issuer: str, expected: str) -> None:
        assert trust.metadata_url(issuer) == expected

    @pytest.mark.parametrize(
        "issuer",
        [
            "http://example.com", "https://example.com?x", "https://example.com/a?x=1", "https://example.com#f",
            "https://user@example.com", "https://example.com/a/../b", "https://example.com/./a", "https://", "https://-",
            "https://example.com/a b", "https://example.com:x/", "https://[::1]/", "HTTPS://example.com",
            "https://example.com\n", "ftp://example.com", "example.com",
        ],
    )  # fmt: skip
    def test_addresses_that_are_none(self, issuer: str) -> None:
        with pytest.raises(Refused, match=r"trust\.web_issuer"):
            trust.metadata_url(issuer)

    def test_keys_by_value(self) -> None:
        net = Net({METADATA: metadata()})
        assert found(net) == ISSUER.public_key
        (request,) = net.asked
        assert (request.method, request.url, request.redirects, request.limit) == ("GET", METADATA, 3, 1 << 20)
        assert request.headers["accept"] == "application/json"

    def test_keys_by_reference(self) -> None:
        url = "https://keys.lindau.example/issuer.jwks?v=1"
        net = Net({METADATA: metadata(jwks=None, jwks_uri=url), url: jwks(ISSUER)})
        assert found(net) == ISSUER.public_key
        assert [request.redirects for request in net.asked] == [3, 3]

    @pytest.mark.parametrize("issuer", [f"{WEB}/", "https://ID.lindau.example", "https://evil.example"])
    def test_the_document_must_be_the_issuers(self, issuer: str) -> None:
        with pytest.raises(Refused, match=r"trust\.metadata_issuer"):
            found(Net({METADATA: metadata(issuer=issuer)}))

    def test_exactly_one_of_jwks_and_jwks_uri(self) -> None:
        for changed in ({"jwks": None}, {"jwks_uri": "https://id.lindau.example/jwks"}):
            with pytest.raises(Refused, match=r"trust\.metadata_keys"):
                found(Net({METADATA: metadata(**changed)}))

    @pytest.mark.parametrize(
        "url",
        ["http://id.lindau.example/jwks", "https://a@id.lindau.example/", "https://x/#f", "data:,x", "https://x/\x00"],
    )
    def test_jwks_uri_is_plain_https(self, url: str) -> None:
        net = Net({METADATA: metadata(jwks=None, jwks_uri=url)})
        with pytest.raises(Refused, match=r"trust\.jwks_uri"):
            found(net)
        assert len(net.asked) == 1

    @pytest.mark.parametrize("status", [204, 301, 404, 500])
    def test_an_errors_body_is_never_used(self, status: int) -> None:
        with pytest.raises(Unavailable, match=r"trust\.metadata_status"):
            found(Net({METADATA: Response(status, {"content-type": "application/json"}, metadata(), NOW)}))

    @pytest.mark.parametrize(
        ("kind", "good"),
        [("application/json", True), ("Application/JSON; charset=utf-8", True), ("text/html", False), (None, False)],
    )
    def test_it_is_json(self, kind: str | None, good: bool) -> None:
        headers = {} if kind is None else {"content-type": kind}
        net = Net({METADATA: Response(200, headers, metadata(), NOW)})
        if good:
            assert found(net) == ISSUER.public_key
        else:
            with pytest.raises(Refused, match=r"trust\.metadata_type"):
                found(net)

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"[]", "json.not_an_object"), (b"{", "json.syntax"), (metadata(issuer=None), "json.missing"),
            (metadata(jwks=[]), "json.wrong_type"), (metadata(jwks={}), "json.missing"),
            (b'{"issuer":"a","issuer":"b"}', "json.duplicate"),
        ],
    )  # fmt: skip
    def test_it_is_read_strictly(self, body: bytes, code: str) -> None:
        with pytest.raises(Malformed) as caught:
            found(Net({METADATA: body}))
        assert caught.value.code == code

    def test_the_kid_picks_the_key(self) -> None:
        with pytest.raises(Refused, match=r"trust\.no_such_key"):
            found(Net({METADATA: metadata(jwks=json.loads(jwks(ISSUER, "issuer-2")))}))

    def test_without_a_list(self) -> None:
        assert trust.key(REF).run(Net({METADATA: metadata()})) == ISSUER.public_key
