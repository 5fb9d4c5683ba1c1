"""Properties of the whole walk: issue, present, verify (numbers as in the attack catalogue's list of properties)."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityid import limits, query
from cityid.checks import Step
from cityid.encoding import base64url
from cityid.encoding import json as strict
from cityid.errors import CityIdError, Malformed, Refused
from cityid.formats import FORMATS
from cityid.presenting import leaves
from cityid.query import read as read_query
from cityid.trust import TrustList
from tests.city import NOW, TYPES, Desk, Town, codes, issued_with, no_network

pytestmark = pytest.mark.property
VC = FORMATS["dc+sd-jwt"]
WIRE = TYPES["residency"].names["dc+sd-jwt"]["vct"]
HIDEABLE = sorted(path for path, rule in TYPES["residency"].claims.items() if rule.hideable)


class Kept:
    """One town for all examples: making one costs more than judging."""

    def __init__(self) -> None:
        self.town = Town()
        self.desk: Desk = self.town.desk()

    def shown(self, asked: Any) -> str:
        if not any(card.copies_left for card in self.town.pocket.held()):
            self.town.takes()
        return self.town.shows_one(asked)

    def put(self) -> tuple[Any, str]:
        asked = self.desk.ask()
        return asked, self.shown(asked)


@pytest.fixture(scope="module")
def kept() -> Kept:
    return Kept()


@pytest.fixture(scope="module")
def held(kept: Kept) -> Any:
    kept.town.takes()
    return next(iter(kept.town.pocket.held())).credential


@given(st.data())
@settings(max_examples=25)
def test_property_1_exactly_what_was_asked(kept: Kept, held: Any, data: st.DataObject) -> None:
    here = [path for path, _, hideable in leaves(held) if hideable]
    wanted = data.draw(st.lists(st.sampled_from(here), min_size=1, max_size=len(here), unique=True))
    asking = read_query({"credentials": [{"id": "card", "format": "dc+sd-jwt", "meta": {"vct_values": [WIRE]},
                                          "claims": [{"path": list(path)} for path in wanted]}]})  # fmt: skip
    asked = kept.desk.ask()
    asked = replace(asked, query=asking, policy=replace(asked.policy, query=asking, conditions={}))
    raw = kept.shown(asked)
    verdict = kept.desk.judge({"card": [raw]}, asked)
    assert verdict
    (accepted,) = verdict.require().accepted["card"]
    assert {path for path, _ in _flat(accepted.claims)} == set(wanted)
    always = {path for path, _, hideable in leaves(held) if not hideable}
    shown = {path for path, _, _ in leaves(VC.read_presentation(raw.encode())[0].credential)}
    assert shown - {("municipality",)} == set(wanted) | always


def _flat(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict):
        return [found for name, inner in value.items() for found in _flat(inner, (*path, name))]
    return [(path, value)]


@given(st.data())
def test_property_2_any_changed_byte_is_refused(kept: Kept, data: st.DataObject) -> None:
    asked, raw = _once(kept)
    at = data.draw(st.integers(0, len(raw) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != raw[at]))
    changed = raw[:at] + bytes([byte]) + raw[at + 1 :]
    assert not kept.desk.judge_one(changed, asked)
    assert kept.desk.judge_one(raw, asked)


@given(st.data())
def test_property_3_disclosures_under_a_binding_stay(kept: Kept, data: st.DataObject) -> None:
    asked, raw = _once(kept)
    head, *disclosures, binding = raw.split(b"~")
    extra = data.draw(
        st.sampled_from([*disclosures, base64url.encode(b'["2GLC42sKQveCfGfryNRN9w","admin",true]').encode()])
    )
    changed = data.draw(st.sampled_from(["remove", "add", "reorder"]))
    index = data.draw(st.integers(0, len(disclosures) - 1))
    found = list(disclosures)
    if changed == "remove":
        del found[index]
    elif changed == "add":
        found.insert(index, extra)
    else:
        found.insert(index, found.pop((index + 1) % len(found)))
        if found == disclosures:
            found.reverse()
    assert found != disclosures
    assert not kept.desk.judge_one(b"~".join([head, *found, binding]), asked)


_ONCE: list[tuple[Any, bytes]] = []


def _once(kept: Kept) -> tuple[Any, bytes]:
    """One presentation, judged alone and so as often as one likes."""
    if not _ONCE:
        asked, raw = kept.put()
        _ONCE.append((asked, raw.encode()))
    return _ONCE[0]


@given(st.integers(0, 8), st.sampled_from([" ", "\n", "\t", "\r\n"]))
def test_property_4_whitespace_of_the_envelope_is_nothing(kept: Kept, indent: int, around: str) -> None:
    asked, raw = kept.put()
    text = around + json.dumps({"vp_token": {"card": [raw]}}, indent=indent) + around
    assert kept.desk.judge(strict.read_object(text)["vp_token"], asked)


def test_property_4_every_signed_part_counts(kept: Kept) -> None:
    asked, raw = _once(kept)
    head, *_, binding = raw.split(b"~")
    for part in (*head.split(b"."), *binding.split(b".")):
        at = raw.index(part)
        verdict = kept.desk.judge_one(raw[:at] + raw[at + 1 :], asked)
        assert not verdict


@given(st.data())
def test_property_12_answers_stay_inside_the_query(kept: Kept, held: Any, data: st.DataObject) -> None:
    here = [path for path, _, hideable in leaves(held) if hideable]
    paths = data.draw(st.lists(st.sampled_from(here), min_size=1, max_size=5, unique=True))
    asked = read_query({"credentials": [{"id": "card", "format": "dc+sd-jwt", "meta": {"vct_values": [WIRE]},
                                         "claims": [{"path": list(path)} for path in paths]}]})  # fmt: skip
    match = asked.credentials[0].match(held, answers=VC.answers)
    assert match is not None
    opened = {path for path in match.disclose if path in held.hidden}
    needed = {path[:length] for path in paths for length in range(1, len(path) + 1)} & held.hidden
    assert opened == needed  # all that is asked, and nothing that could be left out
    assert set(query.Query.__slots__) >= {"credentials"}


@pytest.mark.parametrize("threads", [2, 8])
def test_property_13_one_question_one_answer(tmp_path: Any, kept: Kept, threads: int) -> None:
    from cityid.edge.database import SqliteSessions

    asked, raw = kept.put()
    with SqliteSessions(tmp_path / "sessions.sqlite") as store:
        store.put(asked.id, b"asked", NOW + limits.SESSION_AGE)
    verdicts: list[Any] = []
    ready = threading.Barrier(threads)

    def judge() -> None:
        from cityid.verifying import verify_answer

        with SqliteSessions(tmp_path / "sessions.sqlite") as mine:
            ready.wait()
            verdicts.append(verify_answer({"card": [raw]}, asked, NOW, sessions=mine).run(no_network))

    workers = [threading.Thread(target=judge) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(bool(verdict) for verdict in verdicts) == 1
    assert {verdict.reason.code for verdict in verdicts if not verdict} == {"binding.spent"}


@given(st.binary(max_size=200), st.sampled_from(["offer", "answer", "cards", "begin"]))
@settings(max_examples=30)
def test_property_15_an_error_changes_nothing(data: bytes, job: str) -> None:
    town = Town()
    town.takes()
    before = _state(town)
    with pytest.raises((CityIdError, _Nothing)):
        _provoke(town, data, job)
    assert _state(town) == before


class _Nothing(Exception):
    pass


def _provoke(town: Town, data: bytes, job: str) -> None:
    from cityid.cards import CardRequest, Cards, Offer

    if job == "offer":
        town.office.offer("residency", {"given_name": data.decode("latin-1")})
    elif job == "answer":
        town.office.issuer.answer(CardRequest("x", "residency.dc+sd-jwt", data.hex() or "x", ("a.b.c",)), at=NOW)
    elif job == "cards":
        town.office.accept(Cards("x", "y", data.hex() or "x", (data or b"x",)), town.pocket)
    else:
        Offer.read(data)
        raise _Nothing


def _state(town: Town) -> Any:
    register, pocket = town.office.register, town.pocket
    return deepcopy((sorted(register.issued), register.log, register.allotted, sorted(register.batches),
                     {name: card.copies_left for name, card in ((c.id, c) for c in pocket.held())},
                     len(pocket.showings), sorted(pocket.offers), len(pocket.keyring.keys())))  # fmt: skip


READERS: dict[str, Callable[[int], Callable[[], Any]]] = {
    "json": lambda n: lambda: strict.read(b"[" + b"1," * n + b"1]"),
    "base64url": lambda n: lambda: base64url.decode("A" * 4 * n),
    "strings": lambda n: lambda: strict.read(b'["' + b"a" * n + b'"]'),
    "nesting": lambda n: lambda: _quietly(strict.read, b"[" * n),
    "dots": lambda n: lambda: _quietly(VC.read, b"a." * n),
    "tildes": lambda n: lambda: _quietly(VC.read, b"e30.e30.AA" + b"~a" * n),
}


def _quietly(call: Any, data: bytes) -> None:
    with pytest.raises((Malformed, Refused)):
        call(data)


@pytest.mark.parametrize("reader", READERS)
def test_property_18_cost_is_linear(reader: str) -> None:
    """Sixteen times the input costs not much more than sixteen times the work; quadratic would be 256 times."""
    small, large = 2_500, 40_000

    def cost(size: int) -> float:
        run = READERS[reader](size)
        best = 1e9
        for _ in range(5):
            start = time.process_time()
            run()
            best = min(best, time.process_time() - start)
        return best

    assert cost(large) <= 80 * max(cost(small), 0.0002)


@given(st.integers(-4, 4), st.sampled_from(["start", "end"]))
@settings(max_examples=20)
def test_property_19_valid_only_within_its_window(kept: Kept, seconds: int, edge: str) -> None:
    card = issued_with(kept.town.office.issuer, kept.town.pocket.keyring)
    window = card.window
    assert window.start is not None
    assert window.end is not None
    if edge == "start":
        at, inside = window.start - limits.SKEW + timedelta(seconds=seconds), seconds >= 0
    else:
        at, inside = window.end + limits.SKEW + timedelta(seconds=seconds), seconds < 0
    asked = kept.desk.ask(at)
    signer = kept.town.pocket.keyring.signer(card.holder) if card.holder is not None else None
    raw = VC.present(
        card,
        [("age_over_18",), ("address",), ("address", "locality")],
        asked.challenge,
        signer,
        at=at,
        entropy=secrets.token_bytes,
    )
    verdict = kept.desk.judge_one(raw, asked, at)
    assert bool(verdict) is inside
    if not inside:
        assert codes(verdict)[Step.VALIDITY] in ("validity.not_yet", "validity.expired")


@given(st.sampled_from(["empty", "other issuer", "other type"]))
@settings(max_examples=6)
def test_property_20_without_the_anchor_nothing_is_accepted(kept: Kept, how: str) -> None:
    asked, raw = _once(kept)
    assert kept.desk.judge_one(raw, asked)
    trusted = kept.town.office.trusted
    entry = trusted.entries[0]
    changed = {
        "empty": (),
        "other issuer": (replace(entry, did="did:web:nobody.example"),),
        "other type": (replace(entry, types=("age",)),),
    }[how]
    desk = kept.town.desk(trusted=TrustList(changed, trusted.names))
    verdict = desk.judge_one(raw, asked)
    assert not verdict
    assert codes(verdict)[Step.ISSUER_TRUSTED].startswith("trust.")
