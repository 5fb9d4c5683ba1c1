"""Our cases of VC-JOSE-COSE (`vc+jwt`): a card issued, and one judged by the whole of `verify`, its nine checks.

The card is a type's of ours, with a context of its own in it, which is what such a card carries; nobody binds it to
a holder's key in these cases, because the floor checks one signature.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from benchlib import Fixtures, damage_b64, must_fail, rotate

import cityid
from cityid import credential_type
from cityid import policy as policies
from cityid.checks import Accepted, Step
from cityid.credential import Draft, KeyRef, Unbound, WebIssuer, Window
from cityid.edge.signers import load
from cityid.encoding import base64url
from cityid.formats import FORMATS
from cityid.formats.vc_jose import VC_JWT
from cityid.keys import Algorithm, Signer

FORM = "vc+jwt"
Made = tuple[Callable[[], Any], dict[str, Any]]


def _named(claims: dict[str, Any]) -> dict[str, Any]:
    """The shared credential's claims; a term of JSON-LD is no number, so that "18" has another name here."""
    ages = {f"over_{age}": old for age, old in claims["age_equal_or_over"].items()}
    return {**claims, "age_equal_or_over": ages}


class Office:
    """A city that issues residency cards, and who trusts it."""

    def __init__(self, fx: Fixtures) -> None:
        made = load(Algorithm.ES256, base64url.decode(fx.keys["issuer_p256"]["private"]["d"]))
        assert isinstance(made, Signer)
        self.signer, self.issuer = made, fx.cred["issuer"]
        self.at = datetime.fromtimestamp(fx.now, UTC)
        claims = _named(fx.cred["claims"])
        self.type = self._type(claims)
        self.public = fx.keys["issuer_p256"]["public"]
        self.people = [{**claims, "resident_id": f"AMS-2011-{90417 + number:07d}"} for number in range(16)]

    def _type(self, claims: dict[str, Any]) -> credential_type.CredentialType:
        rules: dict[str, Any] = {}

        def claim(path: str, kind: str) -> None:
            rules[path] = {"schema": {"type": kind}, "shown": "always", "labels": {"en": path}}

        for name, value in claims.items():
            claim(name, "object" if isinstance(value, dict) else "array" if isinstance(value, list) else "string")
            for inner, content in value.items() if isinstance(value, dict) else ():
                claim(f"{name}.{inner}", "boolean" if isinstance(content, bool) else "string")
            if isinstance(value, list):
                claim(f"{name}[]", "string")
        return credential_type.read(
            json.dumps(
                {
                    "id": "residency",
                    "title": {"en": "Residency"},
                    "lifetime": "1 year",
                    "copies": 1,
                    "status": "none",
                    "names": {FORM: {"type": ["VerifiableCredential", "ResidencyCredential"]}},
                    "claims": rules,
                }
            )
        )

    def issue(self, claims: dict[str, Any]) -> bytes:
        window = Window(self.at, self.at + timedelta(days=300))
        ref = KeyRef(WebIssuer(self.issuer, "issuer-1"))
        draft = Draft(self.type, self.issuer, ref, claims, None, window)
        return VC_JWT.issue_many([draft], self.signer, at=self.at, entropy=secrets.token_bytes)[0]

    def judge(self, wire: str) -> Callable[[bytes], cityid.Verdict]:
        paths = [["given_name"], ["age_equal_or_over", "over_18"], ["address", "locality"]]
        query = {
            "id": "card",
            "format": FORM,
            "meta": {"type_values": [[wire]]},
            "require_cryptographic_holder_binding": False,
            "claims": [{"path": ["credentialSubject", *path]} for path in paths],
        }
        trust = f"""
            [[issuer]]
            web = "{self.issuer}"
            mechanism = "web"
            types = ["{wire}"]
            keys = "city-jwks.json"
            status = "none"
            name = "City of Example"
            """
        files = {
            "query.json": json.dumps({"credentials": [query]}).encode(),
            "trust.toml": trust.encode(),
            "city-jwks.json": json.dumps({"keys": [{**self.public, "kid": "issuer-1"}]}).encode(),
        }
        text = b'purpose = "Library card"\ndcql = "query.json"\n[trust]\nlist = "trust.toml"\n'
        policy = policies.read(
            text, types={"residency": self.type}, load=files.__getitem__, formats=frozenset(FORMATS)
        )  # fmt: skip

        def check(raw: bytes) -> cityid.Verdict:
            return cityid.verify(raw, FORM, Unbound(), policy, self.at).run(_no_network)

        return check


def _no_network(request: Any) -> Any:
    raise AssertionError(f"asked the network for {request.url}")


def issue(fx: Fixtures) -> Made:
    office = Office(fx)
    following = rotate(office.people)
    assert VC_JWT.read(office.issue(office.people[0])).issuer == office.issuer
    return lambda: office.issue(following()), {"bytes": len(office.issue(office.people[0]))}


def verify(fx: Fixtures) -> Made:
    office = Office(fx)
    pool = [office.issue(claims) for claims in office.people]
    check = office.judge(VC_JWT.read(pool[0]).types[0])
    verdict = check(pool[0])
    assert isinstance(verdict, Accepted), verdict
    assert [one.step for one in verdict.checks] == list(Step)
    assert verdict.claims["credentialSubject"]["address"] == {"locality": "Amsterdam"}, verdict.claims
    for part in (0, 1, 2):
        must_fail(check, damage_b64(pool[0].decode(), part, ".").encode())
    following = rotate(pool)
    return lambda: check(following()), {"note": "nine checks; the card's own context is judged with it"}
