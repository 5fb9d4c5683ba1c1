"""Trust in issuers whose DID has a history: histories that a list pins, and what was seen of them (decision 0280)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from cityid import trust
from cityid.credential import DidUrl, KeyRef, Purpose
from cityid.did import webvh
from cityid.did.webvh import Log, identifier
from cityid.did.webvh.parameters import Witnesses
from cityid.errors import Misuse
from cityid.keys import PublicKey
from cityid.plan import Request, Response
from cityid.status.ahead import fetch_ahead
from cityid.trust import TrustEntry, TrustList
from tests.webvh import NOW, W1, B, C, created, day, later, refusal, served, word

MADE = created(witnesses=Witnesses(1, (W1.name,)))
LOG = later(MADE.log, 20, state=webvh.document(MADE.did, {"key-2": B.public_key}))
OTHER = later(MADE.log, 21)
PROOFS = word(LOG, W1, number=21)
FIRST, SECOND = (version.id for version in webvh.judged(LOG).versions)
FORK = webvh.judged(OTHER).last.id
PLACE = identifier.read(MADE.did)


def judged(log: bytes = LOG, proofs: bytes = PROOFS) -> Log:
    return webvh.judge(log, proofs, PLACE, NOW).whole()


def key(
    trusted: TrustList, fragment: str, signed: datetime | None = None, at: datetime | None = NOW, **files: bytes
) -> PublicKey:
    served_ = served({PLACE.log: files.get("log", LOG), PLACE.proofs: files.get("proofs", PROOFS)})

    def exchange(request: Request) -> Response:
        assert files, "nothing is to be fetched"
        return served_(request)

    return trust.key(KeyRef(DidUrl(MADE.did, fragment), Purpose.ASSERTION), trusted, at, signed).run(exchange)


def entry(**more: Any) -> TrustEntry:
    return TrustEntry("did", ("residency",), did=MADE.did, **more)


class TestPinned:
    def test_history_says_which_key_was_valid_when(self) -> None:
        trusted = TrustList((entry(history=judged()),))
        assert key(trusted, "key-2") == B.public_key
        assert key(trusted, "key-1", day(5)) == C.public_key
        assert refusal(key, trusted, "key-1") == "did.no_such_key"
        assert refusal(key, trusted, "key-1", day(21)) == "did.no_such_key"

    def test_what_is_of_a_later_time_does_not_count(self) -> None:
        trusted = TrustList((entry(history=judged()),))
        assert key(trusted, "key-2", at=day(20)) == B.public_key
        assert refusal(key, trusted, "key-1", at=day(10)) == "did.webvh_future"

    def test_it_needs_a_time(self) -> None:
        trusted = TrustList((entry(history=judged()),))
        assert refusal(key, trusted, "key-2", at=None) == "did.no_time"

    @pytest.mark.parametrize(
        ("seen", "expected"),
        [(FIRST, ""), (SECOND, ""), (FORK, "did.webvh_forked"), (f"3-{SECOND[2:]}", "did.webvh_truncated")],
    )
    @pytest.mark.parametrize("remembered", [False, True])
    def test_what_was_seen(self, seen: str, expected: str, remembered: bool) -> None:
        """In the file, or in the memory of the home; of a history that is pinned, or fetched."""
        memory = {PLACE.scid: seen} if remembered else {}
        pinned = TrustList((entry(history=judged(), seen="" if remembered else seen),), remembered=memory)
        fetched = TrustList((entry(seen="" if remembered else seen),), remembered=memory)
        cases: list[tuple[TrustList, dict[str, Any]]] = [(pinned, {}), (fetched, {"log": LOG})]
        for trusted, files in cases:
            if expected:
                assert refusal(key, trusted, "key-2", **files) == expected
            else:
                assert key(trusted, "key-2", **files) == B.public_key

    def test_both_memories_count(self) -> None:
        trusted = TrustList((entry(seen=FIRST),), remembered={PLACE.scid: FORK})
        assert trusted.seen(MADE.did) == (FIRST, FORK)
        assert refusal(key, trusted, "key-2", log=LOG) == "did.webvh_forked"
        assert TrustList((entry(seen=FIRST),), remembered={PLACE.scid: FIRST}).seen(MADE.did) == (FIRST,)

    def test_it_is_remembered_by_what_stays_when_a_did_moves(self) -> None:
        moved = f"did:webvh:{PLACE.scid}:id.bodensee.example"
        assert TrustList((), remembered={PLACE.scid: SECOND}).seen(moved) == (SECOND,)
        assert TrustList((entry(seen=SECOND),)).seen(moved) == (SECOND,)
        other = created(B).did
        assert TrustList((entry(seen=SECOND),), remembered={PLACE.scid: SECOND}).seen(other) == ()
        assert TrustList((entry(seen=SECOND),)).seen("did:web:id.lindau.example") == ()

    def test_a_history_that_is_not_pinned(self) -> None:
        trusted = TrustList((entry(),))
        assert trusted.history(MADE.did) is None
        assert TrustList((entry(history=judged()),)).history(MADE.did) == judged()


class TestEntries:
    @pytest.mark.parametrize("member", ["history", "seen"])
    def test_only_a_did_webvh_has_a_history(self, member: str) -> None:
        given: Any = {"history": judged(), "seen": SECOND}[member]
        with pytest.raises(Misuse) as error:
            TrustEntry("did", ("residency",), did="did:web:id.lindau.example", **{member: given})
        assert error.value.code == "trust_file.no_history"
        assert getattr(entry(**{member: given}), member) == given

    def test_one_pin(self) -> None:
        from cityid.did.document import from_json

        document = from_json(dict(judged().last.state), MADE.did)
        with pytest.raises(Misuse) as error:
            entry(history=judged(), document=document)
        assert error.value.code == "trust_file.one_of"
        assert entry(document=document).document == document


def read(**members: str) -> TrustList:
    text = trust.add("", {"did": MADE.did, "mechanism": "did", "types": ["residency"], **members})
    files = {"log": LOG, "proofs": PROOFS, "none": b"[]", "other": created(B).log, "torn": LOG[:-9]}
    return trust.read(text, files.__getitem__)


class TestFile:
    def test_a_history(self) -> None:
        (found,) = read(log="log", witness_proofs="proofs", seen=SECOND).entries
        assert found.history == judged()
        assert found.seen == SECOND

    @pytest.mark.parametrize(
        ("members", "code", "reason"),
        [
            ({"log": "log"}, "trust_file.pinned", "did.webvh_unwitnessed"),
            ({"log": "log", "witness_proofs": "none"}, "trust_file.pinned", "did.webvh_unwitnessed"),
            ({"log": "other"}, "trust_file.pinned", "did.webvh_other_scid"),
            ({"log": "torn", "witness_proofs": "proofs"}, "trust_file.pinned", "json.syntax"),
            ({"witness_proofs": "proofs"}, "trust_file.wrong_type", ""),
            ({"seen": "1"}, "trust_file.wrong_type", ""),
            ({"seen": "0-Qm"}, "trust_file.wrong_type", ""),
        ],
    )
    def test_refused(self, members: dict[str, str], code: str, reason: str) -> None:
        with pytest.raises(Misuse) as error:
            read(**members)
        assert error.value.code == code
        assert error.value.problem.facts.get("reason", "") == reason
        assert error.value.problem.where.startswith("issuer[0].")


class TestAhead:
    def test_a_history_is_fetched_and_judged(self) -> None:
        def found(log: bytes, **more: Any) -> str:
            trusted = TrustList((entry(**more),), remembered={PLACE.scid: SECOND})
            exchange = served({PLACE.log: log, PLACE.proofs: word(log, W1, number=21)})
            listed = fetch_ahead(trusted, NOW).run(exchange)
            return "".join(one.problem.code if one.problem else f"{one.what} " for one in listed)

        assert found(LOG) == "keys "
        assert found(LOG, history=judged()) == ""  # it is pinned
        assert found(MADE.log) == "did.webvh_truncated"
        assert found(OTHER) == "did.webvh_forked"
        assert found(LOG, status_issuer=MADE.did) == "keys keys "

    def test_what_is_torn_is_not_whole(self) -> None:
        trusted = TrustList((entry(),))
        exchange = served({PLACE.log: LOG + b'{"', PLACE.proofs: PROOFS})
        (one,) = fetch_ahead(trusted, NOW).run(exchange)
        assert one.problem is not None
        assert one.problem.code == "json.syntax"
