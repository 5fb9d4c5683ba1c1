"""A city that hears voices, and residents who have one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import pytest

from cityid import polls
from cityid.did import key as did_key
from cityid.edge import files
from cityid.edge.signers import SoftwareBbsSigner
from cityid.edge.software_keys import MemoryKeyring
from cityid.keys import Algorithm
from cityid.polls import Enrolment, Holder, Poll, Voice

pytest.importorskip("pyblst", reason="the extra `bbs` is not installed")

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CLAIMS: dict[str, Any] = {"municipality_code": "0344", "district_code": "07", "birthdate": "1990-12-10"}
CHILD, YOUNG = {"birthdate": "2012-01-31"}, {"birthdate": "2009-01-31"}
KIND = files.types()["voice"]


@cache
def city(number: int = 0) -> SoftwareBbsSigner:
    ring = MemoryKeyring(entropy=lambda length: bytes([number + 1]) * length)
    return ring.bbs_signer(ring.create(Algorithm.BBS))


def issuer(number: int = 0) -> tuple[str, str]:
    did = did_key.create(city(number).public_key)
    return did, f"{did}#{did.removeprefix('did:key:')}"


@cache
def secret(resident: int) -> tuple[bytes, Holder]:
    return polls.begin()


@cache
def enrolment(resident: int) -> Enrolment:
    return polls.enrol(None, secret(resident)[0], at=NOW)


def card(
    resident: int = 0, *, at: datetime = NOW, by: int = 0, since: date | None = None, **more: Any
) -> dict[str, Any]:
    did, method = issuer(by)
    kept = enrolment(resident) if since is None else replace(enrolment(resident), since=since)
    prepared = polls.prepare(KIND, {**CLAIMS, **more}, kept.since, at=at, timezone=UTC)
    return polls.issue(prepared, kept, city(by), issuer=did, method=method)


def voice(resident: int = 0, *, by: int = 0, **more: Any) -> Voice:
    return polls.accept(card(resident, by=by, **more), secret(resident)[1], city(by).public_key)


@cache
def usual(resident: int = 0) -> Voice:
    return voice(resident)


def poll(**more: Any) -> Poll:
    did, method = issuer()
    return Poll(**{
        "question": "A tree in every street?", "options": ("yes", "no"), "issuer": did, "municipality": "0344",
        "district": None, "age": 16, "roll_day": date(2026, 10, 1), "opens": datetime(2026, 11, 1, tzinfo=UTC),
        "closes": datetime(2026, 12, 15, tzinfo=UTC), "keys": {method: city().public_key}, **more,
    })  # fmt: skip


@cache
def ballot(resident: int = 0, choice: str = "yes") -> bytes:
    return polls.cast(poll(), usual(resident), choice, at=NOW)
