"""One type in all formats: issued to one wallet, and one question that is answered by whichever fits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cityid.formats import FORMATS
from cityid.presenting import Options, options
from tests.city import Desk, Town
from tests.jobs.offices import NOW, TYPES

ALL = tuple(FORMATS)
W3C = tuple(name for name in ALL if name != "dc+sd-jwt")


def question(*formats: str) -> bytes:
    return f"""
purpose = "library card"
[ask]
type = "residency"
formats = {list(formats)}
claims = ["age_over_18", "address.locality"]
[accept]
"age_over_18" = true
"address.locality" = ["Lindau", "Bregenz"]
[trust]
list = "region.toml"
""".encode()


def holding(*formats: str) -> Town:
    made = Town()
    few = {**TYPES, "residency": replace(TYPES["residency"], copies=2)}
    made.office.issuer = replace(made.office.issuer, types=few)
    for name in formats:
        office, pocket = made.office, made.pocket
        office.accept(office.cards(office.offer(format=name), pocket), pocket)
    return made


@pytest.mark.parametrize("name", ALL)
def test_each_format_alone(name: str) -> None:
    made = holding(name)
    desk = made.desk(question(name))
    asked = desk.ask()
    verdict = desk.judge(made.shows(asked), asked)
    assert verdict, verdict
    (accepted,) = verdict.accepted["card"]
    shown = {"age_over_18": True, "address": {"locality": "Lindau"}}
    assert accepted.claims == (shown if name == "dc+sd-jwt" else {"credentialSubject": shown})


@pytest.mark.parametrize("held", [("dc+sd-jwt", "vc+jwt", "ldp_vc"), ("vc+jwt",), ("ldp_vc", "jwt_vc_json")])
def test_one_question_is_answered_by_whichever_fits(held: tuple[str, ...]) -> None:
    made = holding(*held)
    desk = made.desk(question(*ALL))
    asked = desk.ask()
    shown = made.shows(asked)
    assert len(shown) == 1
    verdict = desk.judge(shown, asked)
    assert verdict, verdict


def test_what_hides_most_comes_first() -> None:
    made = holding("vc+jwt", "ldp_vc", "dc+sd-jwt")
    found = options(made.pocket, made.desk(question(*ALL)).ask().query, NOW)
    assert isinstance(found, Options)
    (best,) = found.best
    assert best.card.format in ("dc+sd-jwt", "ldp_vc")  # vc+jwt would show the whole card
    names = {path for path, _ in best.shows}
    assert not any("given_name" in path for path in names)


@pytest.mark.parametrize("name", W3C)
def test_a_format_that_was_not_asked_for_is_no_answer(name: str) -> None:
    made = holding(name)
    desk: Desk = made.desk(question("dc+sd-jwt"))
    assert not isinstance(options(made.pocket, desk.ask().query, NOW), Options)


@pytest.mark.parametrize("name", ALL)
def test_a_card_of_another_city_is_refused_in_every_format(name: str) -> None:
    made, other = holding(name), Town()
    desk = replace(made.desk(question(name)), trusted=other.office.trusted)
    asked = desk.ask()
    verdict = desk.judge(made.shows(asked), asked)
    assert not verdict
    assert verdict.reason.code.startswith("trust.")
    ours = made.desk(question(name))
    asked = ours.ask()
    assert ours.judge(made.shows(asked), asked)


@pytest.mark.parametrize("name", ALL)
def test_an_answer_to_another_question_is_refused_in_every_format(name: str) -> None:
    made = holding(name)
    desk = made.desk(question(name))
    first, second = desk.ask(), desk.ask()
    shown = made.shows(first)
    verdict = desk.judge(shown, second)
    assert not verdict
    assert verdict.reason.code == "binding.nonce"
    assert desk.judge(shown, first)
