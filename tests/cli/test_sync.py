"""A permit with a status, an inspector with and without a network, and `cityid trust sync`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cityid.edge import clock, http
from cityid.errors import Unavailable
from cityid.plan import Request, Response
from cityid.status.token_status_list import JWT
from tests.cli.towns import ALWAYS, Town
from tests.paths import TREE

pytestmark = pytest.mark.kdf
SHOWN = "--yes " + " ".join(f"--show {claim}" for claim in ("age_over_18", *ALWAYS))
BASE = "https://id.lindau.example/status"
ALL = f"{BASE}/aggregation.json"
POLICY = """purpose = "kerbside check"
[ask]
type = "permit"
claims = ["age_over_18"]
[trust]
list = "trust/issuers.toml"
[freshness]
max_age = "15m"
offline = "8h"
"""


class Street(Town):
    """The town with a permit that has a status, and a network that can be switched off."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder)
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.online = True
        self.asked: list[str] = []
        self.answers: dict[str, Response | bytes] = {}
        street = self

        class Fake(http.Http):
            def __init__(self, **more: Any) -> None:
                super().__init__(clock=lambda: street.now, **more)

            def _hop(self, deadline: Any, request: Request) -> Response:
                street.asked.append(request.url)
                if not street.online or request.url not in street.answers:
                    raise Unavailable("net.name", host="id.lindau.example")
                answer = street.answers[request.url]
                return self.response(200, {"content-type": JWT}, answer) if isinstance(answer, bytes) else answer

        monkeypatch.setattr(http, "Http", Fake)
        monkeypatch.setattr(clock, "now", lambda: street.now)
        kind = json.loads((TREE / "schemas/types/residency.json").read_text("utf-8"))
        kind |= {"id": "permit", "status": "required", "copies": 12}
        kind["names"] = {"dc+sd-jwt": {"vct": "urn:example:permit:1"}}
        city = "--did did:web:id.lindau.example --name 'Stadt Lindau' --country DE --jurisdiction DE-BY"
        self.must(f"init city city {city} --status-url {BASE}", secret=True)
        self.must("init wallet ada", secret=True)
        self.must("init service inspector --audience x509_san_dns:parking.example --name Parkaufsicht")
        entry = "--did did:web:id.lindau.example --document city/did.json --type permit"
        for home in ("city", "ada", "inspector"):
            (self.here / home / "types").mkdir(exist_ok=True)
            self.write(f"{home}/types/permit.json", json.dumps(kind))
        self.must(f"--home ada trust add {entry}")
        self.must(f"--home inspector trust add {entry} --status-list {ALL}")
        self.write("inspector/policies/card.toml", POLICY)
        self.must("--home city issue permit --claims ada.json --yes -o p.offer", secret=True)
        self.must("--home ada accept p.offer --yes -o p.request", secret=True)
        self.must("--home city issue --answer p.request -o p.cards", secret=True)
        self.must("--home ada accept p.cards", secret=True)
        self.publish()

    def publish(self) -> None:
        """What the city publishes is served under its status URL; the CWT forms beside it nobody asks for."""
        self.must("--home city register publish www", secret=True)
        for file in filter(Path.is_file, (self.here / "www").iterdir()):
            body = file.read_bytes()
            if file.name == "aggregation.json":
                self.answers[ALL] = Response(200, {"content-type": "application/json"}, body, self.now)
            elif "." not in file.name:
                self.answers[f"{BASE}/{file.name}"] = body

    def check(self, more: str = "") -> tuple[str, int]:
        self.questions += 1
        name = f"q{self.questions}"
        self.must(f"--home inspector request --policy inspector/policies/card.toml -o {name}.json")
        self.must(f"--home ada present {name}.json {SHOWN} -o {name}.answer", secret=True)
        return self.type(f"--home inspector verify {name}.answer --session {name}.json {more}".rstrip())

    def set(self, verb: str) -> None:
        self.must(f"--home city {verb} R-{self.now:%Y}-000001 --why 'phone mislaid' --yes")
        self.publish()

    def sync(self, more: str = "") -> tuple[str, int]:
        return self.type(f"--home inspector trust sync {more}".rstrip())

    def later(self, **span: int) -> datetime:
        self.now += timedelta(**span)
        return self.now


@pytest.fixture
def street(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Street]:
    clock_before = clock.now
    yield Street(tmp_path / "town", monkeypatch)
    assert clock.now is not clock_before


def test_suspended_at_the_counter(street: Street) -> None:
    """Refused by an inspector who synced before (the status was known until then) and after (suspended); accepted again
    after it was restored."""
    (uri,) = [place for place in street.answers if place != ALL]
    said, status = street.check()
    assert status == 0, said
    assert "fetched now" in said
    assert "of status/1, " in said
    assert street.asked == [uri]
    street.later(minutes=5)
    said, status = street.check()
    assert (status, street.asked) == (0, [uri])
    assert f"as of {street.now - timedelta(minutes=5):%H:%M} UTC" in said or "as of " in said

    synced = street.later(minutes=20)
    said, status = street.sync()
    assert status == 0, said
    assert [line.split()[:3] for line in said.splitlines()] == [["ok", "aggregation", ALL], ["ok", "list", uri]]
    assert f"holds until {street.now - timedelta(minutes=25) + timedelta(days=1):%d %b %Y %H:%M} UTC" in said

    street.online = False
    street.set("suspend")
    street.later(hours=2)
    said, status = street.check()
    assert status == 0, said
    assert "known until " in said
    assert f"{synced + timedelta(hours=8):%H:%M} UTC" in said

    street.later(hours=6, seconds=1)
    said, status = street.check()
    assert status == 3, said
    assert f"was known until {synced + timedelta(hours=8):%Y-%m-%d %H:%M} UTC" in said
    said, status = street.sync()
    assert status == 3
    assert said.splitlines()[0].split()[:2] == ["??", "list"]

    street.online = True
    said, status = street.check()
    assert status == 1, said
    assert "suspended: entry " in said
    street.later(minutes=16)
    assert street.sync()[1] == 0
    street.online = False
    street.later(hours=1)
    said, status = street.check()
    assert (status, "suspended: entry " in said) == (1, True), said

    street.online = True
    street.set("restore")
    said, status = street.check()
    assert status == 0, said
    assert "fetched now" in said


def test_offline_asks_nobody(street: Street) -> None:
    said, status = street.check("--offline")
    assert status == 3
    assert "this is offline" in said
    assert street.asked == []
    assert street.sync()[1] == 0
    asked = list(street.asked)
    street.later(hours=1)
    said, status = street.check("--offline")
    assert (status, "known until" in said) == (0, True), said
    assert street.asked == asked


def test_as_json(street: Street) -> None:
    said, status = street.sync("--json")
    assert status == 0
    found = json.loads(said)
    assert [one["what"] for one in found] == ["aggregation", "list"]
    assert "until" in found[1]
    said, status = street.check("--json")
    facts = {check["step"]: check.get("facts") for check in json.loads(said)["checks"]}["status"]
    assert facts["freshness"] == "fresh"
    assert (facts["ttl"], facts["bound"], facts["met"]) == (900, 900, "yes")
    street.answers.clear()
    said, status = street.sync("--json")
    assert status == 3
    assert json.loads(said)[0]["problem"]["code"] == "net.name"


def test_nothing_to_fetch(street: Street) -> None:
    said, status = street.type("--home ada trust sync")
    assert status == 0
    assert "pins all keys and names no status lists" in said
    assert street.asked == []


def test_documents_fetched_ahead(street: Street) -> None:
    """An issuer whose keys are not pinned: they are fetched ahead too, and serve for as long as the policy says."""
    street.must("--home inspector trust remove did:web:id.lindau.example")
    street.must(f"--home inspector trust add --did did:web:id.lindau.example --type permit --status-list {ALL}")
    document = (street.here / "city/did.json").read_bytes()
    url = "https://id.lindau.example/.well-known/did.json"
    street.answers[url] = Response(200, {"content-type": "application/did+json"}, document, street.now)
    assert street.sync()[1] == 0
    assert url in street.asked
    street.online = False
    street.later(hours=7)
    said, status = street.check()
    assert status == 0, said
    street.later(hours=1, seconds=1)
    said, status = street.check()
    assert status == 3
