"""Cards of a city whose DID has a history: old ones go on verifying after its keys were changed."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

import pytest

from cityid.checks import Accepted, Outcome, Step, Verdict
from cityid.credential import Challenge, DidUrl, KeyRef, Window
from cityid.did import webvh
from cityid.did.webvh import identifier
from cityid.did.webvh.parameters import Witnesses
from cityid.formats import FORMATS
from cityid.formats.sd_jwt_vc import SD_JWT_VC
from cityid.keys import Signer
from cityid.policy import Policy
from cityid.query import read as read_query
from cityid.trust import TrustEntry, TrustList
from cityid.verifying import verify
from tests.credentials import VCT, draft
from tests.sd_jwts import AUDIENCE, HOLDER, NONCE
from tests.webvh import THIEF, W1, W2, A, B, C, Seeded, created, day, entries, later, lines, served, word

ASKED = Challenge(AUDIENCE, NONCE)
LATE = day(100)
QUERY = {
    "credentials": [
        {"id": "card", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}, "claims": [{"path": ["age_over_18"]}]}
    ]
}


class City:
    """Its DID was made on day 1 with #key-1; #key-2 came on day 20 and #key-3 on day 40, each approved by witnesses."""

    def __init__(self) -> None:
        made = created(witnesses=Witnesses(2, (W1.name, W2.name)))
        self.did, self.log = made.did, made.log
        self.log = later(self.log, 20, state=webvh.document(self.did, {"key-2": B.public_key}))
        self.log = later(self.log, 40, state=webvh.document(self.did, {"key-3": A.public_key}))
        self.proofs = word(self.log, W1, W2, number=41)

    def shows(self, fragment: str, signer: Signer, dated: datetime) -> bytes:
        """A presentation, on day 100, of a card that says that it was signed with `#fragment` at `dated`."""
        window = Window(dated, LATE + timedelta(days=1))
        ref = KeyRef(DidUrl(self.did, fragment))
        made = draft(issuer=self.did, signed_by=ref, window=window)
        card = SD_JWT_VC.issue(made, signer, at=dated, entropy=secrets.token_bytes)
        return SD_JWT_VC.present(card, [("age_over_18",)], ASKED, HOLDER, at=LATE, entropy=secrets.token_bytes)

    def judge(self, raw: bytes, log: bytes | None = None, proofs: bytes | None = None) -> Verdict:
        place = identifier.read(self.did)
        files = {place.log: self.log if log is None else log, place.proofs: self.proofs if proofs is None else proofs}
        entry = TrustEntry("did", (VCT,), did=self.did, status="none")
        policy = Policy("test", read_query(QUERY), {}, {}, TrustList((entry,)))
        return verify(raw, "dc+sd-jwt", ASKED, policy, LATE, formats=FORMATS).run(served(files))


@pytest.fixture(scope="module")
def city() -> City:
    return City()


def refusal(verdict: Verdict) -> str:
    if isinstance(verdict, Accepted):
        return ""
    (check,) = (check for check in verdict.checks if check.outcome is Outcome.FAILED)
    assert check.step in (Step.ISSUER_KEY, Step.ISSUER_SIGNATURE)
    assert check.problem is not None
    return check.problem.code


@pytest.mark.parametrize(
    ("fragment", "signer", "dated", "expected"),
    [
        ("key-1", C, 5, ""),  # before the first rotation
        ("key-2", B, 30, ""),
        ("key-3", A, 50, ""),
        ("key-2", B, 20, ""),
        ("key-2", B, 19, ""),  # dated the midnight before
        ("key-1", C, 20, "did.no_such_key"),  # the key was taken out by then
        ("key-2", B, 41, "did.no_such_key"),
        ("key-1", THIEF, 5, "signature.invalid"),
        ("key-9", C, 5, "did.no_such_key"),
    ],
)
def test_history_says_which_key_was_valid_when(
    city: City, fragment: str, signer: Seeded, dated: int, expected: str
) -> None:
    assert refusal(city.judge(city.shows(fragment, signer, day(dated)))) == expected


def test_forged_and_shortened_logs(city: City) -> None:
    old, new = city.shows("key-1", C, day(5)), city.shows("key-3", A, day(50))
    assert refusal(city.judge(old)) == refusal(city.judge(new)) == ""
    shortened = lines(entries(city.log)[:2])
    assert refusal(city.judge(new, shortened)) == "did.webvh_unwitnessed"
    forked = later(shortened, 39, state=webvh.document(city.did, {"key-3": THIEF.public_key}))
    assert refusal(city.judge(city.shows("key-3", THIEF, day(50)), forked)) == "did.webvh_unwitnessed"
    changed = entries(city.log)
    changed[1]["state"] = webvh.document(city.did, {"key-2": THIEF.public_key})
    assert refusal(city.judge(city.shows("key-2", THIEF, day(30)), lines(changed))) == "did.webvh_entry_hash"
    assert refusal(city.judge(old, proofs=b"[]")) == "did.webvh_unwitnessed"


def test_a_closed_did(city: City) -> None:
    closed = webvh.deactivate(city.log, A, day(60))
    raw = city.shows("key-3", A, day(50))
    assert refusal(city.judge(raw)) == ""
    assert refusal(city.judge(raw, closed, word(closed, W1, W2, number=61))) == "did.deactivated"
