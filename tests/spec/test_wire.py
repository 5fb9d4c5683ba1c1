"""How credentials and presentations stand in messages: OpenID4VP §8.1 and Annex B, OpenID4VCI §8.3 and Appendix A."""

from __future__ import annotations

from typing import Any

import pytest

from cityid.cards import Cards
from cityid.encoding import base64url, json
from cityid.errors import Malformed
from cityid.formats import wire

OBJECT = b'{"type":["VerifiableCredential"]}'


@pytest.mark.parametrize(
    ("format", "raw", "value"),
    [
        ("dc+sd-jwt", b"a.b.c~", "a.b.c~"),
        ("dc+sd-jwt", OBJECT, {"type": ["VerifiableCredential"]}),
        ("jwt_vc_json", b"a.b.c", "a.b.c"),
        ("ldp_vc", OBJECT, {"type": ["VerifiableCredential"]}),
        ("vc+cose", b"\xd2\x84", "0oQ"),
        ("mso_mdoc", b"{", "ew"),
    ],
)
def test_there_and_back(format: str, raw: bytes, value: Any) -> None:
    assert wire.write(raw, format) == value
    assert wire.read(value, format, "$") == raw
    cards = Cards("https://x.example", f"residency.{format}", "offer", (raw,))
    assert json.read(cards.write())["credentials"] == [{"credential": value}]
    assert Cards.read(cards.write()) == cards


@pytest.mark.parametrize(
    ("format", "value", "code"),
    [
        ("mso_mdoc", {}, "json.wrong_type"),
        ("vc+cose", {"a": 1}, "json.wrong_type"),
        ("vc+cose", "0oR", "base64url.tail"),
        ("ldp_vc", 1, "json.wrong_type"),
        ("ldp_vc", [], "json.wrong_type"),
        ("dc+sd-jwt", None, "json.wrong_type"),
    ],
)
def test_what_is_no_value_of_a_format(format: str, value: Any, code: str) -> None:
    with pytest.raises(Malformed) as caught:
        wire.read(value, format, "$.x")
    assert caught.value.code == code
    assert caught.value.problem.where == "$.x"
    cards = {
        "credentials": [{"credential": value}],
        "cityid": {"issuer": "https://x", "credential_configuration_id": f"r.{format}", "offer": "o"},
    }
    with pytest.raises(Malformed) as caught:
        Cards.read(json.write(cards))
    assert caught.value.code == code


def jwt(typ: str | None, tail: str = "") -> bytes:
    header = {"alg": "ES256"} | ({"typ": typ} if typ is not None else {})
    return f"{base64url.encode(json.write(header))}.e30.c2ln{tail}".encode()


@pytest.mark.parametrize(
    ("raw", "format"),
    [
        (b'{"@context": []}', "ldp_vc"),
        (b'{"payload": ""}', "dc+sd-jwt"),
        (jwt("vc+jwt"), "vc+jwt"),
        (jwt("vp+jwt"), "vc+jwt"),
        (jwt("vc+sd-jwt", "~"), "vc+sd-jwt"),
        (jwt("vp+sd-jwt", "~"), "vc+sd-jwt"),
        (jwt("dc+sd-jwt", "~"), "dc+sd-jwt"),
        (jwt(None, "~"), "dc+sd-jwt"),
        (jwt("JWT"), "jwt_vc_json"),
        (jwt(None), "jwt_vc_json"),
        (b"\xd2\x84\x40", "vc+cose"),
    ],
)
def test_what_something_looks_like(raw: bytes, format: str) -> None:
    assert wire.recognise(raw) == format


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"x.y.z", b"\xff.e30.x", jwt("at+jwt"), jwt("at+jwt", "~")])
def test_what_looks_like_nothing(raw: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        wire.recognise(raw)
    assert caught.value.code == "wire.unrecognised"
