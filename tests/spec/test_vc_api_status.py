"""VC-API: credentials with a status in a Bitstring Status List that somebody else serves (Bitstring Status List 1.0
§2.1, §3.2), and the problem types of §3.5."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import timedelta
from typing import Any

import pytest

from cityid.plan import Request, Response
from cityid.status import bitstring_status_list as bitstring
from tests.vc_api import HOLDER_DID, NOW, Server, credential, signed, tampered

URL = "https://lists.example/1"
LIST, VALUE = "https://www.w3.org/ns/credentials/status-list#", "https://www.w3.org/TR/vc-data-model#"
RETRIEVAL, WRONG, SHORT = (
    LIST + "STATUS_RETRIEVAL_ERROR",
    LIST + "STATUS_VERIFICATION_ERROR",
    LIST + "STATUS_LIST_LENGTH_ERROR",
)
RANGE, MALFORMED = VALUE + "RANGE_ERROR", VALUE + "MALFORMED_VALUE_ERROR"
MESSAGES = [{"status": "0x0", "message": "a"}, {"status": "0x1", "message": "b"}]


def bits(data: bytes) -> str:
    return "u" + base64.urlsafe_b64encode(gzip.compress(data)).decode().rstrip("=")


def served(**changed: Any) -> dict[str, Any]:
    """A signed list with other members: of its subject, or `top` of itself; None leaves one out."""
    made = bitstring.credential(
        bitstring.build({}, size=bitstring.LEAST), URL, issuer=HOLDER_DID, at=NOW, lifetime=timedelta(days=1),
        ttl=timedelta(minutes=5), purposes=("revocation",),
    )  # fmt: skip
    made = {**made, **changed.pop("top", {})}
    subject = {**made["credentialSubject"], **changed}
    made["credentialSubject"] = {name: value for name, value in subject.items() if value is not None}
    return signed(made, proofPurpose="assertionMethod", cryptosuite="eddsa-jcs-2022", challenge=None, domain=None)


def judged(found: Any, code: int = 200, kind: str = "application/vc", **changed: Any) -> tuple[str, str]:
    """Code and problem type of a credential whose status stands in the list `found`; "" for a yes."""
    entry = {
        "type": "BitstringStatusListEntry", "statusPurpose": "revocation", "statusListIndex": "94",
        "statusListCredential": URL, **changed,
    }  # fmt: skip
    entry = {name: value for name, value in entry.items() if value is not None}
    body = found if isinstance(found, bytes) else json.dumps(found).encode()

    def answer(request: Request) -> Response:
        assert request.url == URL
        return Response(code, {"content-type": kind}, body, NOW)

    made = signed(
        credential(HOLDER_DID, credentialStatus=entry), proofPurpose="assertionMethod", cryptosuite="eddsa-jcs-2022"
    )
    told = Server(exchange=answer).verify(made)
    return ("", "") if told.status == 200 else (told.code, told.body["type"])


@pytest.mark.parametrize("kind", ["application/vc", "application/json", "application/ld+json", "application/vc+ld+json",
                                  "application/vc; charset=utf-8"])  # fmt: skip
def test_media_types(kind: str) -> None:
    assert judged(served(), kind=kind) == ("", "")


@pytest.mark.parametrize(
    ("changed", "code", "type_"),
    [
        ({}, "", ""),
        ({"statusPurpose": ["suspension", "revocation"]}, "", ""),
        ({"encodedList": bits(b"\xff" * 16384)}, "status.invalid", WRONG),
        ({"encodedList": bits(bytes(8192))}, "bitstring.too_short", SHORT),
        ({"encodedList": "z" + bits(bytes(16384))[1:]}, "bitstring.multibase", MALFORMED),
        ({"encodedList": bits(bytes(16384))[1:]}, "bitstring.multibase", MALFORMED),
        ({"encodedList": None}, "json.missing", MALFORMED),
        ({"statusPurpose": "suspension"}, "bitstring.purpose", WRONG),
        ({"statusPurpose": None}, "bitstring.no_purpose", WRONG),
        ({"type": "Other"}, "bitstring.not_a_list", WRONG),
        ({"top": {"type": ["VerifiableCredential"]}}, "bitstring.not_a_list", WRONG),
        ({"top": {"id": "https://other.example/1"}}, "status.subject", WRONG),
        ({"top": {"validFrom": "2026-11-20T00:00:00Z", "validUntil": "2026-11-23T11:00:00Z"}}, "status.expired", WRONG),
    ],
)
def test_lists(changed: dict[str, Any], code: str, type_: str) -> None:
    assert judged(served(**changed)) == (code, type_)


def test_lists_that_cannot_be_believed() -> None:
    good = served()
    assert judged(tampered(good)) == ("signature.invalid", WRONG)
    assert judged({name: value for name, value in good.items() if name != "proof"}) == ("json.missing", WRONG)
    assert judged(good, code=404) == ("status.http", RETRIEVAL)
    assert judged(good, kind="text/html") == ("status.media_type", RETRIEVAL)
    assert judged(b"garbage") == ("json.syntax", MALFORMED)
    assert judged(good) == ("", "")


@pytest.mark.parametrize(
    ("changed", "code", "type_"),
    [
        ({"statusListIndex": "131072"}, "status.index", RANGE),
        ({"statusListIndex": 94}, "json.wrong_type", MALFORMED),
        ({"statusListIndex": "-1"}, "bitstring.entry_index", MALFORMED),
        ({"statusListIndex": None}, "json.missing", MALFORMED),
        ({"statusPurpose": None}, "json.missing", MALFORMED),
        ({"statusPurpose": "message"}, "bitstring.purpose", WRONG),
        ({"statusListCredential": None}, "json.missing", MALFORMED),
        ({"statusSize": 2}, "bitstring.messages", MALFORMED),
        ({"statusSize": 0}, "bitstring.entry_size", MALFORMED),
        ({"statusSize": "1"}, "json.wrong_type", MALFORMED),
        ({"id": URL}, "bitstring.entry_id", MALFORMED),
        ({"id": f"{URL}#94", "statusSize": 1}, "", ""),
    ],
)
def test_entries(changed: dict[str, Any], code: str, type_: str) -> None:
    assert judged(served(), **changed) == (code, type_)


def test_messages_and_refresh() -> None:
    said: dict[str, Any] = {"statusPurpose": "message", "statusSize": 1, "statusMessage": MESSAGES}
    set_ = bits(b"\xff" * 16384)
    assert judged(served(**said), **said) == ("", "")
    assert judged(served(**said, encodedList=set_), **said) == ("status.message", WRONG)
    assert judged(served(statusPurpose="refresh", encodedList=set_), statusPurpose="refresh") == ("", "")
