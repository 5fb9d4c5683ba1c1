"""Our cases of Bitstring Status Lists: one published as `vc+jwt`, one that was fetched judged and looked into."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from benchlib import Fixtures, damage_b64, must_fail, rotate

from cityid.credential import WebIssuer
from cityid.edge.signers import load
from cityid.encoding import base64url
from cityid.keys import Algorithm, Signer
from cityid.status import bitstring_status_list as bitstring
from cityid.status import list_credential

FORM = "vc+jwt"
Made = tuple[Callable[[], Any], dict[str, Any]]


def _signer(fx: Fixtures) -> Signer:
    made = load(Algorithm.ES256, base64url.decode(fx.keys["issuer_p256"]["private"]["d"]))
    assert isinstance(made, Signer)
    return made


def build(fx: Fixtures) -> Made:
    """From the register's sparse entries to a signed credential: set one by one, checked, compressed as runs."""
    issuer, at, place = _signer(fx), datetime.fromtimestamp(fx.now, UTC), WebIssuer(fx.cred["issuer"], "issuer-1")
    revoked = dict.fromkeys(fx.json("statuslist.json")["revoked"], 1)

    def op() -> bytes:
        document = bitstring.credential(
            bitstring.build(revoked, size=1_000_000), "https://status.city.example/b1", issuer=fx.cred["issuer"], at=at,
            lifetime=timedelta(days=1), ttl=timedelta(hours=1),
        )  # fmt: skip
        return list_credential.issue(document, issuer, place)

    made = list_credential.read(op(), FORM)
    made.check(issuer.public_key)
    entries = made.entries()
    assert sum(entries[index] for index in revoked) == len(revoked)
    return op, {"bytes": len(op()), "note": "run-length strategy, where the floor compresses at level 6"}


def verify(fx: Fixtures) -> Made:
    """One fetched list, cold: read strictly, signature, subject, times, inflated, one entry."""
    fetched, at, key = fx.json("bsl.json"), datetime.fromtimestamp(fx.now, UTC), _signer(fx).public_key
    token, uri, statuses = fetched["token"].encode(), fetched["vc"]["id"], fx.json("statuslist.json")
    following, revoked = rotate(statuses["probe"]), set(statuses["revoked"])

    def check(raw: bytes, index: int) -> int:
        found = list_credential.read(raw, FORM)
        if found.uri != uri or found.purposes != ("revocation",) or found.iat > at:
            raise AssertionError("another list, or of another time")
        found.check(key)
        return found.entries()[index]

    assert all(check(token, index) == (index in revoked) for index in statuses["probe"][:3] + statuses["probe"][-3:])
    must_fail(check, damage_b64(token.decode()).encode(), 0)
    must_fail(check, damage_b64(token.decode(), 1).encode(), 0)
    must_fail(check, token, 1_000_001)
    return lambda: check(token, following()), {"note": "nothing remembered"}


def lookup(fx: Fixtures) -> Made:
    probe = fx.json("statuslist.json")["probe"]
    entries = list_credential.read(fx.json("bsl.json")["token"].encode(), FORM).entries()
    assert sum(entries[index] for index in probe) == 512

    def op() -> None:
        for index in probe:
            entries[index]

    return op, {"batch": len(probe)}
