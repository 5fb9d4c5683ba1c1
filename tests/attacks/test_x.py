"""Attack group X: privacy, linkability; and canaries over a whole session at the command line (U10, W14, W15).

X01 is with U16 (`test_u_files.py`), X04 with the wallet (`test_w.py`), what a request for a list says with T20
(`test_t.py`), X10 with the comparing of showings. X05 is about answers over a network: there is no such service here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cityid import accepting
from cityid.credential import StatusRef
from cityid.edge.database import SqliteSessions
from cityid.edge.software_keys import MemoryKeyring
from cityid.errors import Unavailable
from cityid.formats import FORMATS
from cityid.plan import Request, Response
from cityid.presenting import Options, options
from tests.city import ADA, NOW, TYPES, Town, issued_with
from tests.cli.towns import CLAIMS, PASSPHRASE, SHOW, WITH
from tests.cli.towns import Town as Typed
from tests.memory import MemoryWallet

VC = FORMATS["dc+sd-jwt"]


def payload(card: bytes) -> dict[str, Any]:
    part = card.split(b".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
    return found


def digests(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value.get("_sd", ())
        for inner in value.values():
            yield from digests(inner)
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict) and "..." in inner:
                yield inner["..."]
            yield from digests(inner)


def opened(card: bytes) -> list[list[Any]]:
    parts = card.split(b"~")[1:-1]
    return [json.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))) for part in parts]


def batch(claims: Any = ADA, kind: str = "residency") -> tuple[bytes, ...]:
    town = Town()
    offer = town.office.offer(kind, claims)
    return town.office.issuer.answer(accepting.begin(offer, MemoryWallet(), NOW), at=NOW).credentials


class TestX03NothingLinksABatch:
    def test_x03_nothing_is_equal_but_the_dates(self) -> None:
        cards = batch(kind="age", claims={"birthdate": "1990-12-10"})
        assert len(cards) == TYPES["age"].copies
        payloads = [payload(card) for card in cards]
        for member in ("jti", "sub", "status"):
            assert all(member not in one for one in payloads)
        assert len({one["cnf"]["jwk"]["x"] for one in payloads}) == len(cards)
        assert len({card.split(b".")[2].partition(b"~")[0] for card in cards}) == len(cards)
        salts = [entry[0] for card in cards for entry in opened(card)]
        assert len(set(salts)) == len(salts)
        every = [digest for one in payloads for digest in digests(one)]
        every += [digest for card in cards for entry in opened(card) for digest in digests(entry[-1])]
        assert len(set(every)) == len(every)

    def test_x03_dates_are_coarse_and_equal(self) -> None:
        for one in map(payload, batch()):
            assert {one[name] for name in ("iat", "nbf")} == {one["iat"]}
            assert one["iat"] % 3600 == 0
            assert one["exp"] % 3600 == 0
        assert len({(one["iat"], one["exp"]) for one in map(payload, batch())}) == 1

    def test_x03_the_order_of_digests_is_another_each_time(self) -> None:
        by_digest = []
        for card in batch():
            names = {base64.urlsafe_b64encode(hashlib.sha256(part).digest()).rstrip(b"=").decode(): entry[1]
                     for part, entry in zip(card.split(b"~")[1:-1], opened(card), strict=True)}  # fmt: skip
            by_digest.append(tuple(names.get(digest, "decoy") for digest in payload(card)["_sd"]))
        assert len(set(by_digest)) == len(by_digest)


def test_x06_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    town = Town()
    town.takes()
    desk = town.desk()
    asked = desk.ask()
    token = town.shows(asked)
    assert desk.judge(token, asked)
    assert not desk.judge(token, asked)
    assert caplog.records == []
    logging.getLogger("cityid").debug("the net is not torn")
    assert len(caplog.records) == 1


def test_x02_whom_each_job_asks() -> None:
    """Taking and showing a card ask nobody; judging asks for the status list and nothing else, whosever card it is."""
    asked: list[tuple[str, str]] = []

    def spy(request: Request) -> Response:
        asked.append((request.method, request.url))
        raise Unavailable("net.offline", url=request.url)

    lists = StatusRef("status_list", "https://id.lindau.example/status/1", 7)
    for index in (7, 900):
        town = Town()
        town.takes()
        assert asked == []
        question = town.desk().ask()
        town.shows(question)
        assert asked == []
        holder = MemoryKeyring()
        card = issued_with(town.office.issuer, holder, [replace(lists, index=index)])
        assert card.holder is not None
        signer = holder.signer(card.holder)
        desk = town.desk()
        question = desk.ask()
        shown = VC.present(card, [("age_over_18",), ("address", "locality")], question.challenge, signer, at=NOW,
                           entropy=os.urandom)  # fmt: skip
        verdict = desk.judge({"card": [shown.decode()]}, question, exchange=spy)
        assert not verdict
        assert asked == [("GET", lists.uri)]
        asked.clear()


def test_x07_what_a_service_keeps(tmp_path: Path) -> None:
    """Of an answer nothing; of a question its name until it is over, and then a mark that it was."""
    key, canary, until = "x" * 43, b"canary of a question", NOW + timedelta(hours=1)
    with SqliteSessions(tmp_path / "s.db") as sessions:
        sessions.put(key, canary, until)
        assert sessions.forget(NOW) == 0
        assert sessions.forget(until) == 1
    raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert canary not in raw
    with SqliteSessions(tmp_path / "t.db") as sessions:
        sessions.put(key, canary, until)
        assert sessions.take(key, NOW) == canary


class TestX09DigestsTellNothing:
    @staticmethod
    def count(claims: Any) -> set[tuple[int, int]]:
        return {(len(list(digests(payload(card)))), len(payload(card)["_sd"])) for card in batch(claims)}

    def test_x09_optional_claims_that_are_not_there_leave_no_gap(self) -> None:
        rich = {**ADA, "district": {"code": "0977611601", "name": "Insel"}}
        few = {name: value for name, value in ADA.items() if name != "address"}
        assert self.count(ADA) == self.count(few)
        assert len(self.count(ADA)) == 1
        if "district" in {path[0] for path in TYPES["residency"].claims}:
            assert self.count(rich) == self.count(ADA)

    def test_x09_twin_the_claims_themselves_differ(self) -> None:
        few = {name: value for name, value in ADA.items() if name != "address"}
        assert len(opened(batch(few)[0])) < len(opened(batch(ADA)[0]))


class TestX11LeastIsShown:
    POLICY = b"""
purpose = "library card"
[ask]
type = "residency"
claims = ["age_over_18", "birthdate"]
[accept]
"age_over_18" = true
[trust]
list = "region.toml"
"""

    def test_x11_a_birth_date_beside_an_age_is_marked(self) -> None:
        town = Town()
        town.takes()
        found = options(town.pocket, town.desk(self.POLICY).ask().query, NOW)
        assert isinstance(found, Options)
        assert [problem.code for problem in found.warnings] == ["query.over_asking_birthdate"]
        found = options(town.pocket, town.desk().ask().query, NOW)
        assert isinstance(found, Options)
        assert found.warnings == ()

    def test_x11_the_first_claim_set_that_is_enough(self) -> None:
        from cityid import query

        town = Town()
        town.takes()
        wire = TYPES["residency"].names["dc+sd-jwt"]["vct"]
        asked = {"id": "card", "format": "dc+sd-jwt", "meta": {"vct_values": [wire]},
                 "claims": [{"id": "b", "path": ["birthdate"]}, {"id": "a", "path": ["age_over_18"]}],
                 "claim_sets": [["a"], ["b"]]}  # fmt: skip
        found = options(town.pocket, query.read({"credentials": [asked]}), NOW)
        assert isinstance(found, Options)
        assert ("birthdate",) not in dict(found.best[0].shows)
        assert dict(found.best[0].shows)[("age_over_18",)] is True


CANARIES = ("Lovelace", "Maximilianstra", "1990-12-10", "2011-02-03")


@pytest.mark.kdf
def test_w14_w15_u10_no_canary_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session from founding to verdict: no passphrase, private key or claim lies in clear in any home, is talked
    about on stderr, or stands in an argument."""
    keys = listen(monkeypatch)
    town = Typed(tmp_path / "town").found()
    assert CLAIMS.count("Lovelace") == 1
    talked = []
    commands = [
        ("--home city issue residency --claims ada.json --yes -o ada.offer", True),
        ("--home ada accept ada.offer --yes -o ada.request", True),
        ("--home city issue --answer ada.request -o ada.cards", True),
        ("--home ada accept ada.cards", True),
        ("--home library request --policy library/policies/card.toml -o q.json", False),
        (f"--home ada present q.json {SHOW} -o q.answer", True),
        ("--home library verify q.answer --session q.json --record q.record", False),
    ]
    for command, secret in commands:
        out, err, status = town.apart(command, secret=secret)
        assert status == 0, err
        # the clerk is shown the card before it is offered: that is the one place where claims are talked about
        talked.append(out + ("" if "--claims" in command else err))
    assert len(keys) == 3 * (1 + TYPES["residency"].copies)  # the city's, and one for each copy
    hidden = [PASSPHRASE.encode(), *(canary.encode() for canary in CANARIES), *keys]
    for text in talked:
        for canary in hidden:
            assert canary not in text.encode()
    homes = [path for home in ("city", "ada", "library") for path in (town.here / home).rglob("*") if path.is_file()]
    assert len(homes) > 8
    for file in homes:
        data = file.read_bytes()
        for canary in hidden:
            assert canary not in data, file
            assert base64.b64encode(canary).rstrip(b"=")[:-2] not in data, file
        if file.suffix in {".sqlite", ".sealed"} or "sqlite-" in file.name:
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    # the net is not torn: what was asked for with -o does hold them
    assert all(part in b"".join(opened_text(town)) for part in (b"Lovelace", b"1990-12-10"))
    for name in ("ada.offer", "ada.request", "ada.cards", "q.answer", "q.record"):
        assert stat.S_IMODE((town.here / name).stat().st_mode) == 0o600
    assert PASSPHRASE.encode() not in Path("/proc/self/cmdline").read_bytes()


def opened_text(town: Typed) -> list[bytes]:
    cards = json.loads((town.here / "ada.cards").read_text())["credentials"]
    return [json.dumps(entry).encode() for card in cards for entry in opened(card["credential"].encode())]


def listen(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every private key that is made from now on, as it is and in base64url."""
    from cityid.edge import signers, software_keys, wallet_file

    made: list[bytes] = []
    real = signers.new_secret

    def new_secret(*arguments: Any, **more: Any) -> bytes:
        secret = real(*arguments, **more)
        made.extend((secret, base64.urlsafe_b64encode(secret).rstrip(b"="), secret.hex().encode()))
        return secret

    for module in (software_keys, wallet_file):
        if hasattr(module, "new_secret"):
            monkeypatch.setattr(module, "new_secret", new_secret)
    return made


def test_w15_children_get_no_passphrase(tmp_path: Path) -> None:
    """The passphrase comes through a descriptor: neither arguments nor environment carry it."""
    assert "--passphrase-fd 3 3<pass" in WITH
    assert not any(PASSPHRASE in value for value in os.environ.values())
