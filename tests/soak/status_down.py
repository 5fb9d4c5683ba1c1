"""E7: the status endpoint is down in fourteen ways, under three policies, with a list at hand that is fresh, stale or
none: 126 cells, each with ages drawn within it. "Valid" is never said without evidence that the policy accepts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random

from cityid.checks import Check, Outcome
from cityid.plan import Request, Response
from cityid.status import Freshness
from cityid.status.token_status_list import CWT, JWT
from tests.attacks.test_t import FAULTS, KEPT, POLICIES
from tests.jobs.offices import NOW, Office
from tests.lists import HOUR, MINUTE, URI, Host, code, judge, ref, token
from tests.soak.core import Place, Tally

AGES = {"fresh": (0, 14 * 60), "stale": (16 * 60, 59 * 60)}
"""Seconds; the seconds at which one becomes the other have tests of their own."""
Judged = Callable[[Host, Office, int, Freshness], Check]


def ours(host: Host, office: Office, index: int, freshness: Freshness) -> Check:
    return judge(host, office, ref(index), freshness=freshness)


def run(tally: Tally, place: Place) -> None:
    rounds = 8 if place.long else 1
    tally.ask("cells", len(FAULTS) * len(POLICIES) * len(KEPT) * rounds)
    for _ in range(rounds):
        tally.wrong(*(f"seed {place.seed}: {found}" for found in cells(tally, place.chance, ours)))


def cells(tally: Tally, chance: Random, judged: Judged) -> list[str]:
    office, found = Office(), []
    for fault in FAULTS:
        for policy, freshness in POLICIES.items():
            for kept in KEPT:
                tally.did("cells")
                found += [f"{fault}, {policy}, {kept}: {one}" for one in cell(office, fault, policy, freshness, kept,
                                                                             chance, judged)]  # fmt: skip
    return found


def cell(
    office: Office, fault: str, policy: str, freshness: Freshness, kept: str, chance: Random, judged: Judged
) -> list[str]:
    host, found = Host(), []
    if kept != "none":
        age = timedelta(seconds=chance.randint(*AGES[kept]))
        made = Response(200, {"content-type": JWT}, token(office, at=NOW - age), NOW - age, ahead=policy == "offline")
        host.cache.put(Request("GET", URI, {"accept": f"{JWT}, {CWT};q=0.9"}, max_age=HOUR), made)
    host.answers[URI] = FAULTS[fault]
    wanted = {("fresh", policy): "fresh", ("stale", "grace"): "stale", ("stale", "offline"): "stale"}.get(
        (kept, policy)
    )
    good, bad = judged(host, office, 0, freshness), judged(host, office, 1, freshness)
    if wanted is None:
        if good.outcome is not Outcome.UNDECIDED or bad.outcome is not Outcome.UNDECIDED:
            found.append(f"without evidence: {code(good)}, {code(bad)}")
    elif (good.outcome, good.facts.get("freshness"), code(bad)) != (Outcome.PASSED, wanted, "status.invalid"):
        found.append(f"with evidence: {code(good)} {good.facts.get('freshness')}, {code(bad)}")
    host.answers[URI] = token(office, {0: 2})
    host.now += 15 * MINUTE + timedelta(seconds=1)
    if code(healed := judged(host, office, 0, freshness)) != "status.suspended":
        found.append(f"after one time to live: {code(healed)}")
    return found


def catches(place: Place) -> list[str]:
    """A service that never minds how old a list is, and one that remembers its last answer."""
    answers: dict[int, Check] = {}

    def trusting(host: Host, office: Office, index: int, freshness: Freshness) -> Check:
        return ours(host, office, index, Freshness(max_age=freshness.max_age, grace=timedelta(days=1)))

    def remembering(host: Host, office: Office, index: int, freshness: Freshness) -> Check:
        return answers.setdefault(index, ours(host, office, index, freshness))

    missed = []
    for name, judged in (("trusting", trusting), ("remembering", remembering)):
        if not cells(Tally("E7", 0), place.chance, judged):
            missed.append(f"a service that is {name}")
    return missed
