"""Judging whole answers (OpenID4VP §8.6): sessions, credential sets, what is discarded and what poisons all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cityid import limits
from cityid.credential import StatusRef
from cityid.errors import Misuse, Refused
from cityid.plan import Request, Response
from cityid.policy import Policy
from cityid.presenting import Consent, present
from cityid.query import read as read_query
from cityid.verifying import AnswerAccepted, AnswerRejected, Asked
from tests.city import NOW, Town
from tests.jobs.test_verify import present_of

TWO = b"""
purpose = "resident parking"
any_of = [["home", "permit"], ["age"]]
[[ask]]
id = "home"
type = "residency"
claims = ["address.locality"]
[[ask]]
id = "permit"
type = "parking-permit"
claims = ["zone"]
[[ask]]
id = "age"
type = "age"
claims = ["age_over_18"]
[trust]
list = "x"
"""
MANY = b"""
purpose = "x"
[ask]
type = "residency"
claims = ["age_over_18"]
multiple = true
[trust]
list = "x"
"""
PERMIT = {
    "permit_type": "resident", "permit_number": "P-7Q4M-93KD", "zone": "A1", "valid_from": "2026-01-01",
    "valid_until": "2039-12-31", "vehicle": {"registration_number": "LI-AL 1815"},
}  # fmt: skip


@pytest.fixture(scope="module")
def town() -> Town:
    town = Town()
    for _ in range(4):
        town.takes()
    town.takes("parking-permit", PERMIT)
    town.takes("age", {"birthdate": "1990-12-10"})
    return town


def shown(town: Town, asked: Asked, *ids: str) -> dict[str, list[str]]:
    """A vp_token for the queries named, whatever is the least."""
    by_id = town.options(asked).by_id
    consent = Consent(tuple(by_id[name][0] for name in ids), NOW)
    return dict(present(consent, asked.challenge, town.pocket, NOW).vp_token)


def reason(verdict: Any) -> str:
    assert isinstance(verdict, AnswerRejected)
    return verdict.reason.code


class TestSessions:
    def test_an_answer_is_taken_once(self, town: Town) -> None:
        desk = town.desk()
        asked = desk.ask()
        token = town.shows(asked)
        verdict = desk.judge(token, asked)
        assert isinstance(verdict, AnswerAccepted)
        assert verdict.accepted["card"][0].claims == {"age_over_18": True, "address": {"locality": "Lindau"}}
        assert verdict.require() is verdict
        assert reason(desk.judge(token, asked)) == "binding.spent"

    def test_a_no_spends_it_too(self, town: Town) -> None:
        desk = town.desk()
        asked = desk.ask()
        token = town.shows(asked)
        assert reason(desk.judge({"card": ["x"]}, asked)).startswith(("sd_jwt.", "jws."))
        assert reason(desk.judge(token, asked)) == "binding.spent"

    def test_unknown_and_expired(self, town: Town) -> None:
        desk = town.desk()
        asked = desk.ask()
        assert reason(desk.judge({}, replace(asked, id="session-of-somebody"))) == "binding.session_unknown"
        assert reason(desk.judge({}, asked, NOW + limits.SESSION_AGE)) == "binding.session_expired"

    def test_no_answer_gives_it_back(self, town: Town) -> None:
        desk = town.desk()
        raw, asked = present_of(town, desk, status=(StatusRef("status_list", "https://id.lindau.example/s/1", 1),))
        token = {"card": [raw.decode()]}
        for _ in range(3):
            verdict = desk.judge(token, asked)
            assert isinstance(verdict, AnswerRejected)
            assert verdict.undecided
            assert verdict.reason.code == "net.offline"
            with pytest.raises(Refused) as refused:
                verdict.require()
            assert refused.value.code == "net.offline"

    def test_an_answer_of_no_use_gives_it_back(self, town: Town) -> None:
        desk = town.desk()
        raw, asked = present_of(town, desk, status=(StatusRef("status_list", "https://id.lindau.example/s/1", 1),))
        for _ in range(2):
            verdict = desk.judge({"card": [raw.decode()]}, asked, exchange=lambda _: Response(503, {}, b"", NOW))
            assert isinstance(verdict, AnswerRejected)
            assert verdict.undecided

    def test_a_fault_gives_it_back(self, town: Town) -> None:
        desk = town.desk(
            b'purpose = "x"\n[ask]\ntype = "residency"\nclaims = ["given_name"]\n'
            b'[accept]\ngiven_name = { given = "name" }\n[trust]\nlist = "x"\n'
        )
        asked = desk.ask()
        token = town.shows(asked)
        with pytest.raises(Misuse) as wrong:
            desk.judge(token, asked)
        assert wrong.value.code == "policy.not_given"
        ready = replace(asked, policy=desk.policy.with_given({"name": "Ada"}))
        assert desk.judge(token, ready)


class TestForm:
    """OpenID4VP §8.1; attack P20."""

    @pytest.mark.parametrize(
        ("token", "code"),
        [
            ([], "answer.not_an_object"),
            ("x", "answer.not_an_object"),
            ({"other": ["x"]}, "query.answer_unknown_id"),
            ({"card": "x"}, "answer.not_an_array"),
            ({"card": []}, "answer.not_an_array"),
            ({"card": ["x", "x"]}, "query.answer_several"),
            ({"card": [1]}, "answer.not_text"),
            ({"card": [None]}, "answer.not_text"),
            ({"card": [[]]}, "answer.not_text"),
            ({"card": [{}]}, "json.missing"),
            ({"card": [{"payload": "\ud800"}]}, "json.surrogate"),
        ],
    )
    def test_p20_refused(self, town: Town, token: Any, code: str) -> None:
        desk = town.desk()
        assert reason(desk.judge(token, desk.ask())) == code

    def test_p20_too_many(self, town: Town) -> None:
        desk = town.desk(MANY)
        asked = desk.ask()
        assert reason(desk.judge({"card": ["x"] * (limits.PRESENTATIONS + 1)}, asked)) == "answer.too_many"
        asked = desk.ask()
        assert reason(desk.judge({"card": ["x"] * limits.PRESENTATIONS}, asked)) != "answer.too_many"

    def test_surrogates_are_no_crash(self, town: Town) -> None:
        desk = town.desk()
        assert reason(desk.judge({"card": ["\ud800"]}, desk.ask())).startswith(("sd_jwt.", "jws."))

    def test_an_empty_answer(self, town: Town) -> None:
        desk = town.desk()
        assert reason(desk.judge({}, desk.ask())).startswith("query.")


class TestSets:
    @pytest.mark.parametrize(
        ("ids", "whole"),
        [(("home", "permit"), True), (("age",), True), (("home",), False), (("permit",), False), ((), False)],
    )
    def test_options(self, town: Town, ids: tuple[str, ...], whole: bool) -> None:
        desk = town.desk(TWO)
        asked = desk.ask()
        assert bool(desk.judge(shown(town, asked, *ids) if ids else {}, asked)) is whole

    def test_what_is_refused_and_not_needed_is_discarded(self, town: Town) -> None:
        desk = town.desk(
            b'purpose = "x"\n[ask]\ntype = "residency"\nclaims = ["age_over_18"]\nmultiple = true\n'
            b'[accept]\nage_over_18 = true\n[trust]\nlist = "x"\n'
        )
        asked = desk.ask()
        good = town.shows_one(asked)
        forged = good[:-8] + "AAAAAAAA"
        verdict = desk.judge({"card": [good, forged]}, asked)
        assert isinstance(verdict, AnswerAccepted)
        assert len(verdict.accepted["card"]) == 1
        assert len(verdict.discarded["card"]) == 1

    def test_a_wrong_nonce_anywhere_refuses_all(self, town: Town) -> None:
        """OpenID4VP §14.1.2; attack P19."""
        desk = town.desk(MANY)
        asked = desk.ask()
        good = town.shows_one(asked)
        stolen = town.shows_one(desk.ask())
        assert reason(desk.judge({"card": [good, stolen]}, asked)) == "binding.nonce"

    def test_an_answer_to_somebody_else_is_discarded(self, town: Town) -> None:
        """OpenID4VP §8.6: only a wrong nonce condemns the whole answer."""
        desk = town.desk(MANY)
        asked = desk.ask()
        good = town.shows_one(asked)
        other = replace(asked, challenge=replace(asked.challenge, audience="x509_san_dns:bar.lindau.example"))
        verdict = desk.judge({"card": [good, town.shows_one(other)]}, asked)
        assert isinstance(verdict, AnswerAccepted)
        ((checks,),) = verdict.discarded.values()
        assert "binding.audience" in {check.problem.code for check in checks if check.problem}

    def test_claims_of_a_refused_answer_are_nowhere(self, town: Town) -> None:
        desk = town.desk(TWO)
        asked = desk.ask()
        verdict = desk.judge(shown(town, asked, "home"), asked)
        assert isinstance(verdict, AnswerRejected)
        assert "Lindau" not in repr(verdict)
        assert verdict.reason == verdict.problems[0]

    def test_undecided_only_where_nothing_failed(self, town: Town) -> None:
        desk = town.desk(MANY)
        raw, asked = present_of(town, desk, status=(StatusRef("status_list", "https://id.lindau.example/s/1", 1),))
        verdict = desk.judge({"card": [raw.decode(), "x"]}, asked)
        assert isinstance(verdict, AnswerRejected)
        assert not verdict.undecided
        assert verdict.reason.code == "jws.segments"


class TestUnboundQueries:
    def test_a_query_that_wants_no_binding(self, town: Town) -> None:
        desk = town.desk()
        query = read_query({
            "credentials": [{
                "id": "card", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:cityid:residency:1"]},
                "claims": [{"path": ["age_over_18"]}], "require_cryptographic_holder_binding": False,
            }]
        })  # fmt: skip
        policy: Policy = replace(desk.policy, query=query, conditions={})
        asked = replace(desk.ask(), query=query, policy=policy)
        token = town.shows(asked)
        assert token["card"][0].endswith("~")
        assert desk.judge(token, asked)

        bound = replace(desk.ask(), policy=desk.policy)
        assert reason(desk.judge(token, bound)).startswith("binding.")


def test_a_service_may_ask_the_network(town: Town) -> None:
    """Whatever the exchange raises beyond our own four gives the session back and goes on up."""
    desk = town.desk()
    asked = desk.ask()
    calls: list[Request] = []

    def never(request: Request) -> Response:
        calls.append(request)
        raise AssertionError

    assert desk.judge(town.shows(asked), asked, exchange=never)
    assert not calls
