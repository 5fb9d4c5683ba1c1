"""W3C credentials on JOSE and COSE whose issuer's key is in a certificate (RFC 7515 §4.1.6, RFC 9360 §2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cityid.credential import CertificateChain, KeyRef, StatusRef, Window
from cityid.encoding import base64url, json
from cityid.errors import Malformed
from cityid.formats import FORMATS, _w3c
from cityid.formats.data_integrity import ldp_vc, suites
from tests import credentials, w3c
from tests.sd_jwts import ISSUER, NOW
from tests.spec.test_sd_jwt_vc import LEAF, ROOT

CHAIN = CertificateChain((LEAF,))
TWO = CertificateChain((LEAF, ROOT))


@pytest.mark.parametrize("place", [CHAIN, TWO])
@pytest.mark.parametrize("name", w3c.FORMS)
def test_a_card_names_its_certificates(name: str, place: CertificateChain) -> None:
    credential = w3c.issued(name, signed_by=KeyRef(place))
    assert credential.signed_by == (KeyRef(place),)
    (check,) = FORMATS[name].check_issued(credential, {KeyRef(place): ISSUER.public_key}, NOW)
    assert check.problem is None


@pytest.mark.parametrize("name", w3c.FORMS)
def test_many_are_each_as_one(name: str) -> None:
    draft = credentials.draft(type=w3c.TYPE)
    made = FORMATS[name].issue_many([draft, draft], ISSUER, at=NOW, entropy=w3c.entropy)
    assert [FORMATS[name].read(raw).issuer for raw in made] == [draft.issuer] * 2


@pytest.mark.parametrize(("kid", "code"), [(7, "json.wrong_type"), ("issuer-1", "")])
def test_a_key_is_named_by_a_text(kid: Any, code: str) -> None:
    try:
        FORMATS["vc+jwt"].read(w3c.token(w3c.document(), kid=kid))
        found = ""
    except Malformed as error:
        found = error.code
    assert found == code


class TestParts:
    """What the formats share, asked by itself."""

    def test_where_a_key_is(self) -> None:
        with pytest.raises(Malformed) as caught:
            _w3c.place_of("did:web:id.lindau.example", 7, None)
        assert caught.value.code == "json.wrong_type"
        assert _w3c.place_of("did:web:id.lindau.example", "key", CHAIN) == CHAIN
        assert _w3c.chain_of(None) is None

    def test_what_is_a_single_value(self) -> None:
        document = {"a": {"b": 1, "c": [1, 2]}}
        paths = (("a", "b"), ("a", "c"), ("a",), ("a", "x"), ("a", "b", "x"))
        assert [suites.is_leaf(document, path) for path in paths] == [True, True, False, False, False]
        assert list(suites._leaves(document, ())) == [("a", "b"), ("a", "c", 0), ("a", "c", 1)]

    def test_without_dates(self) -> None:
        draft = credentials.draft(type=w3c.TYPE, window=Window())
        (raw,) = FORMATS["jwt_vc_json"].issue_many([draft], ISSUER, at=NOW, entropy=w3c.entropy)
        payload = json.read_object(base64url.decode(raw.split(b".")[1].decode()))
        assert {"nbf", "exp"}.isdisjoint(payload)

    def test_a_status_is_written_as_entries(self) -> None:
        names = {**w3c.TYPE.names, "ldp_vc": w3c.TYPE.names["vc+jwt"]}
        status = (StatusRef("status_list", "https://id.lindau.example/1", 7),)
        draft = credentials.draft(type=replace(w3c.TYPE, names=names), status=status)
        entries = ldp_vc.document_of(draft)["credentialStatus"]
        assert {entry["type"] for entry in entries} == {"BitstringStatusListEntry"}
        assert "credentialStatus" not in ldp_vc.document_of(replace(draft, status=()))
