"""Token Status List, draft-ietf-oauth-status-list-20: what is kept, and for how long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cityid import limits
from cityid.checks import Outcome
from cityid.errors import Unavailable
from cityid.plan import Request, Response
from cityid.status import Freshness
from cityid.status import token_status_list as lists
from cityid.status.lists import readable
from cityid.status.memo import Memo
from cityid.status.token_status_list import CWT, JWT, read
from tests.jobs.offices import NOW, Office
from tests.lists import HOUR, MINUTE, URI, Host, code, forged, judge, of, ref, token
from tests.spec.test_token_status_list import OFFICE, SIGNER, raised


class TestCaching:
    """§13.7: three answers, fresh, stale and unknown; never silently an old one."""

    def host(self, **more: Any) -> Host:
        host = Host({URI: token(OFFICE, **more)})
        assert code(judge(host, OFFICE)) == "passed"
        return host

    def test_kept_while_it_is_fresh(self) -> None:
        host = self.host()
        host.now += 15 * MINUTE - timedelta(seconds=1)
        found = judge(host, OFFICE)
        assert len(host.asked) == 1
        assert found.facts["status_as_of"] == "2026-11-22T09:30:12Z"
        assert found.facts["known_until"] == "2026-11-22T09:45:12Z"

    def test_asked_again_past_its_time_to_live(self) -> None:
        host = self.host(ttl=5 * MINUTE)
        host.now += 5 * MINUTE
        assert code(judge(host, OFFICE)) == "passed"
        assert len(host.asked) == 1
        host.now += timedelta(seconds=1)
        host.answers[URI] = token(OFFICE, {0: 2}, at=host.now)
        found = judge(host, OFFICE)
        assert len(host.asked) == 2
        assert host.asked[1].max_age == timedelta(0)
        assert code(found) == "status.suspended"

    def test_asked_again_past_its_end(self) -> None:
        host = self.host(lifetime=5 * MINUTE, ttl=5 * MINUTE)
        host.now += 5 * MINUTE
        assert code(judge(host, OFFICE)) == "status.expired"
        assert len(host.asked) == 2
        host.now += timedelta(seconds=1)
        host.answers[URI] = token(OFFICE, at=host.now)
        assert code(judge(host, OFFICE)) == "passed"

    def test_the_policy_bounds_it_as_well(self) -> None:
        host = self.host(ttl=HOUR)
        host.now += 3 * MINUTE
        strict = Freshness(max_age=2 * MINUTE)
        found = judge(host, OFFICE, freshness=strict)
        assert len(host.asked) == 2
        assert (found.facts["ttl"], found.facts["bound"]) == (3600, 120)
        lax = Freshness(max_age=2 * HOUR)
        assert judge(host, OFFICE, freshness=lax).facts["bound"] == 3600

    def test_without_a_time_to_live(self) -> None:
        host = Host({URI: forged(token(OFFICE), SIGNER, ttl=None)})
        found = judge(host, OFFICE, freshness=Freshness(max_age=2 * HOUR))
        assert (found.facts["ttl"], found.facts["bound"]) == (0, 7200)
        assert found.facts["known_until"] == "2026-11-22T11:30:12Z"

    def test_clamped(self) -> None:
        """However an issuer would like it: at least a minute, at most a day."""
        lax = Freshness(max_age=timedelta(days=5))
        for ttl, bound in ((1, 60), (59, 60), (60, 60), (61, 61), (86_400, 86_400), (86_401, 86_400), (10**9, 86_400)):
            made = forged(token(OFFICE), SIGNER, ttl=ttl)
            assert judge(Host({URI: made}), OFFICE, freshness=lax).facts["bound"] == bound

    def test_known_no_longer_than_it_lives(self) -> None:
        host = Host({URI: token(OFFICE, lifetime=5 * MINUTE, ttl=5 * MINUTE)})
        assert judge(host, OFFICE).facts["known_until"] == "2026-11-22T09:35:12Z"

    def test_an_edge_that_gives_old_answers_is_not_believed(self) -> None:
        old = Response(200, {"content-type": JWT}, token(OFFICE), NOW)
        asked = []

        def edge(request: Request) -> Response:
            asked.append(request.max_age)
            return old

        found = judge(edge, OFFICE, at=NOW + HOUR)
        assert code(found) == "status.stale"
        assert found.outcome is Outcome.UNDECIDED
        assert found.problem is not None
        assert dict(found.problem.facts) == {"list": URI, "until": "2026-11-22 09:45 UTC"}
        assert asked == [Freshness().max_age, timedelta(0)]

    def test_a_kept_list_that_is_refused_is_asked_for_again(self) -> None:
        host = Host({URI: forged(token(OFFICE), Office().issuer.signer)})
        assert code(judge(host, OFFICE)) == "signature.invalid"
        assert len(host.asked) == 1
        host.now += MINUTE
        host.answers[URI] = token(OFFICE)
        assert code(judge(host, OFFICE)) == "passed"

    def test_grace(self) -> None:
        host = self.host(ttl=5 * MINUTE)
        del host.answers[URI]
        host.now += 10 * MINUTE
        assert code(judge(host, OFFICE)) == "net.connect"
        grace = Freshness(grace=HOUR)
        found = judge(host, OFFICE, freshness=grace)
        assert dict(found.facts) == {
            "status": "valid", "list": URI, "index": 0, "status_as_of": "2026-11-22T09:30:12Z",
            "known_until": "2026-11-22T10:30:12Z", "ttl": 300, "bound": 3600, "met": "yes", "freshness": "stale",
        }  # fmt: skip
        host.now = NOW + HOUR
        assert code(judge(host, OFFICE, freshness=grace)) == "passed"
        host.now += timedelta(seconds=1)
        late = judge(host, OFFICE, freshness=grace)
        assert (code(late), late.outcome) == ("status.stale", Outcome.UNDECIDED)
        assert late.problem is not None
        assert late.problem.facts["until"] == "2026-11-22 10:30 UTC"

    def test_grace_never_outlives_the_list(self) -> None:
        host = self.host(lifetime=30 * MINUTE)
        del host.answers[URI]
        grace = Freshness(grace=HOUR)
        host.now = NOW + 30 * MINUTE - timedelta(seconds=1)
        assert judge(host, OFFICE, freshness=grace).facts["known_until"] == "2026-11-22T10:00:12Z"
        host.now = NOW + 30 * MINUTE
        assert code(judge(host, OFFICE, freshness=grace)) == "status.expired"

    def test_what_is_kept_says_no_as_well(self) -> None:
        host = self.host()
        del host.answers[URI]
        host.now += 30 * MINUTE
        assert code(judge(host, OFFICE, ref(1), freshness=Freshness(grace=HOUR))) == "status.invalid"

    def test_a_refusal_is_no_outage(self) -> None:
        """Somebody else's list where the right one was is no reason for mercy."""
        host = self.host()
        host.now += 30 * MINUTE
        host.answers[URI] = forged(token(OFFICE), Office().issuer.signer)
        assert code(judge(host, OFFICE, freshness=Freshness(grace=HOUR))) == "signature.invalid"

    def test_offline_counts_only_for_what_was_fetched_ahead(self) -> None:
        offline = Freshness(grace=HOUR, offline=8 * HOUR)
        for ahead, hours, expected in (
            (True, 8, "passed"), (True, 9, "status.stale"), (False, 1, "passed"), (False, 2, "status.stale"),
        ):  # fmt: skip
            kept = Response(200, {"content-type": JWT}, token(OFFICE), NOW, ahead=ahead)

            def edge(request: Request, kept: Response = kept) -> Response:
                if not request.kept:
                    raise Unavailable("net.name", host="id.lindau.example")
                assert request.max_age == limits.STATUS_KEPT
                return kept

            found = judge(edge, OFFICE, freshness=offline, at=NOW + hours * HOUR)
            assert code(found) == expected
            if expected == "passed":
                assert found.facts["freshness"] == "stale"
                assert found.facts["bound"] == (8 if ahead else 1) * 3600

    def test_nothing_kept(self) -> None:
        host = Host()
        assert code(judge(host, OFFICE, freshness=Freshness(grace=HOUR))) == "net.connect"

    def test_what_is_worth_keeping(self) -> None:
        accept = f"{JWT}, {CWT};q=0.9"
        assert readable(accept, JWT, token(OFFICE))
        assert readable(accept, CWT, token(OFFICE, form="cwt"))
        assert not readable(accept, CWT, token(OFFICE))
        assert not readable(accept, "text/html", token(OFFICE))
        assert readable("application/json", "text/html", b"")


class TestMemo:
    """Decoded lists are remembered by the hash of their bytes, bounded by bytes."""

    def test_the_work_is_done_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        count: list[int] = []
        inflate = lists._inflate

        def counted(data: bytes) -> bytes:
            count.append(1)
            return inflate(data)

        monkeypatch.setattr(lists, "_inflate", counted)
        host = Host({URI: token(OFFICE, {7: 1})})
        for _ in range(3):
            assert code(judge(host, OFFICE)) == "passed"
        assert len(count) == 1

    def test_a_key_is_checked_for_itself(self) -> None:
        memo: Memo[lists.Token] = Memo(1 << 20)
        made = token(OFFICE)
        reading = memo.read(made, JWT, lambda body: read(body, "jwt"))
        assert len(memo) == 0
        reading.checked(SIGNER.public_key)
        again = memo.read(made, JWT, lambda body: read(body, "jwt"))
        assert again is reading
        assert raised(again.checked, Office().issuer.signer.public_key) == "signature.invalid"
        assert again.checked(SIGNER.public_key) is reading.checked(SIGNER.public_key)

    def test_bounded_by_bytes(self) -> None:
        bodies = [token(OFFICE, {n: 1}, size=1 << 16) for n in range(4)]
        weight = (1 << 14) + 3 * len(bodies[0])
        memo: Memo[lists.Token] = Memo(2 * weight + 200)

        def use(body: bytes) -> Any:
            reading = memo.read(body, JWT, lambda data: read(data, "jwt"))
            reading.checked(SIGNER.public_key)
            return reading

        first, second = use(bodies[0]), use(bodies[1])
        assert use(bodies[0]) is first  # used last, so the other goes
        use(bodies[2])
        assert len(memo) == 2
        assert use(bodies[0]) is first
        assert use(bodies[1]) is not second
        use(token(OFFICE, size=1 << 20))
        assert len(memo) == 2  # too large to be kept, and drives nothing out

    def test_two_readings_at_once(self) -> None:
        memo: Memo[lists.Token] = Memo(1 << 20)
        made = token(OFFICE)
        readings = [memo.read(made, JWT, lambda body: read(body, "jwt")) for _ in range(2)]
        for reading in readings:
            reading.checked(SIGNER.public_key)
        assert len(memo) == 1

    def test_the_media_type_is_part_of_the_name(self) -> None:
        host = Host({URI: token(OFFICE)})
        assert code(judge(host, OFFICE)) == "passed"
        wrong = Response(200, {"content-type": CWT}, token(OFFICE), NOW)
        assert of(wrong, OFFICE).startswith("cbor.")
