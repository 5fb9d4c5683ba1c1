"""Many SD-JWT VCs at once: each is what it would be alone, whatever the others are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cityid.credential import Credential, Draft, StatusRef, Window
from cityid.errors import Malformed, Misuse
from cityid.formats.sd_jwt_vc import SD_JWT_VC
from tests.credentials import CLAIMS as ALL
from tests.credentials import END, NOW, START, draft
from tests.sd_jwts import ISSUER, signer
from tests.spec.test_sd_jwt_vc import entropy

CLAIMS = {name: value for name, value in ALL.items() if name != "nationalities"}
DRAFT = draft(CLAIMS)
STATUS = StatusRef("status_list", "https://x.example/s/1", 7, {})


def many(drafts: Sequence[Draft]) -> list[Credential]:
    return [SD_JWT_VC.read(raw) for raw in SD_JWT_VC.issue_many(drafts, ISSUER, at=NOW, entropy=entropy)]


def alone(one: Draft) -> Credential:
    return SD_JWT_VC.read(SD_JWT_VC.issue(one, ISSUER, at=NOW, entropy=entropy).raw)


def said(one: Credential) -> tuple[Any, ...]:
    return one.issuer, one.types, one.claims, one.hidden, one.holder, one.window, one.status, one.signed_by


OTHERS: list[dict[str, Any]] = [
    {}, {"window": Window(START, END - timedelta(days=1))}, {"window": Window()}, {"holder": None},
    {"holder": signer(77).public_key}, {"status": (STATUS,)}, {"claims": {**CLAIMS, "given_name": "Zoë"}},
    {"claims": ALL},
]  # fmt: skip


def test_each_is_what_it_is_alone() -> None:
    drafts = [replace(DRAFT, **other) for other in OTHERS]
    assert list(map(said, many(drafts))) == list(map(said, map(alone, drafts)))
    assert many([]) == []


@pytest.mark.parametrize(
    "other",
    [{"type": replace(DRAFT.type, decoys=3)}, {"signed_by": replace(DRAFT.signed_by)}, {"suite": "ES256"}],
    ids=lambda other: next(iter(other)),
)
def test_of_several_kinds(other: dict[str, Any]) -> None:
    drafts = [DRAFT, replace(DRAFT, **other), DRAFT]
    assert list(map(said, many(drafts))) == list(map(said, map(alone, drafts)))


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"issuer": "https://other.example"}, "sd_jwt_vc.wrong_issuer"),
        ({"suite": "EdDSA"}, "sd_jwt_vc.suite"),
        ({"claims": {**CLAIMS, "iss": "x"}}, "sd_jwt_vc.reserved_claim"),
        ({"claims": {**CLAIMS, "sub": 7}}, "json.wrong_type"),
        ({"claims": {**CLAIMS, "_sd": "x"}}, "sd_jwt.claim_name"),
        ({"status": (STATUS, STATUS)}, "sd_jwt_vc.two_statuses"),
    ],
)
def test_one_that_cannot_be_issued(other: dict[str, Any], code: str) -> None:
    with pytest.raises((Misuse, Malformed)) as error:
        many([DRAFT, replace(DRAFT, **other)])
    assert error.value.code == code
    assert len(many([DRAFT, DRAFT])) == 2
