"""Attack group T where a city keeps its lists: indexes tell no order (T22), and how long a card that was taken back is
believed all the same (T25)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from math import sqrt
from statistics import fmean

import pytest

from cityid.edge.database import SqliteRegister
from cityid.status.bitstring_status_list import LEAST
from cityid.vc_api import StatusList
from cityid.vc_api.lists import TTL
from tests.logs import AT, TYPE
from tests.vc_api import Server, credential, entropy

COUNT = 5_000


@pytest.fixture
def register() -> Iterator[SqliteRegister]:
    with SqliteRegister(None, status_base="https://x.example/status") as made:
        yield made


def by_register(register: SqliteRegister) -> list[int]:
    with register.batch("maria", "many", AT) as batch:
        return [ref.index for _ in range(COUNT // 1000) for ref in batch.allot(TYPE, 1000)]


def by_server() -> list[int]:
    found, draw = StatusList("https://x.example/status"), entropy("t22")
    return [int(found.allot(draw)["statusListIndex"]) for _ in range(COUNT)]


def unequal(indexes: list[int], size: int, bins: int = 16) -> float:
    """χ² of how many fall into each of so many equal parts."""
    counts = Counter(index * bins // size for index in indexes)
    expected = len(indexes) / bins
    return sum((counts[part] - expected) ** 2 / expected for part in range(bins))


def correlation(indexes: list[int]) -> float:
    """Between the place in time and the index."""
    times = range(len(indexes))
    mean, middle = fmean(indexes), fmean(times)
    over = sum((one - mean) * (at - middle) for at, one in zip(times, indexes, strict=True))
    return over / sqrt(sum((one - mean) ** 2 for one in indexes) * sum((at - middle) ** 2 for at in times))


@pytest.mark.parametrize("who", ["register", "server"])
def test_t22_indexes_tell_no_order(register: SqliteRegister, who: str) -> None:
    found = by_register(register) if who == "register" else by_server()
    assert len(set(found)) == COUNT
    size = LEAST if who == "server" else 1 << (max(found) - 1).bit_length()
    assert max(found) < size
    # 15 degrees of freedom: more than 60 comes once in three million times; a correlation of 0.08 is six deviations.
    assert unequal(found, size) < 60
    assert abs(correlation(found)) < 0.08
    assert sum(later == one + 1 for one, later in pairwise(found)) < 10
    # Twin: what is given out in order is found out.
    in_order = sorted(found)
    assert abs(correlation(in_order)) > 0.9
    assert unequal([one // 2 for one in found], size) > 60


def test_t25_how_long_what_was_taken_back_is_believed() -> None:
    """At most until the list's time to live is over, and from then on nowhere."""
    server = Server()
    made = server.issued("bitstring", credential(server.issuer("bitstring")))
    assert server.verify(made).status == 200
    revoked = server.at
    body = {"credentialStatus": made["credentialStatus"], "status": True}
    assert server("POST", "/credentials/status", body).status == 200
    answers = {}
    for after in (timedelta(0), TTL / 2, TTL, TTL + timedelta(seconds=1), timedelta(hours=1), timedelta(days=2)):
        server.at = revoked + after
        answers[after] = server.verify(made).status
    assert {answers[after] for after in answers if after >= TTL} == {400}
    # Another service that knows nothing of the list sees it at once.
    fresh = Server(at=revoked)
    fresh.service = server.service
    assert fresh.verify(made).code == "status.invalid"
