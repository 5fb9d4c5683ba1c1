"""W3C credentials on JOSE and COSE whose issuer's key is in a certificate (RFC 7515 §4.1.6, RFC 9360 §2)."""

from __future__ import annotations

from typing import Any

import pytest

from cityid.credential import CertificateChain, KeyRef
from cityid.errors import Malformed
from cityid.formats import FORMATS
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
