"""Verifying one credential: nine steps in order, each exactly once; no traffic before trust; claims only after yes."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cityid import did, limits
from cityid.checks import Accepted, Check, Outcome, Rejected, Step, passed
from cityid.credential import Challenge, DidUrl, KeyRef, StatusRef, Unbound, Window
from cityid.edge.software_keys import MemoryKeyring
from cityid.errors import Malformed, Misuse, Refused, Unavailable
from cityid.formats import FORMATS
from cityid.keys import Algorithm
from cityid.plan import Request, Response
from cityid.policy import Policy
from cityid.trust import TrustEntry, TrustList
from cityid.verifying import verify, verify_answer
from tests.city import AUDIENCE, NOW, TYPES, WIRE, Desk, Town, codes, issued_with, no_network

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def town() -> Town:
    town = Town()
    for _ in range(3):
        town.takes()
    return town


def present_of(town: Town, desk: Desk, **changed: Any) -> Any:
    """A card that city hall's own walk would not make, presented for a question of `desk`: (raw, asked)."""
    ring = MemoryKeyring()
    card = issued_with(town.office.issuer, ring, **changed)
    asked = desk.ask()
    match = asked.query.credentials[0].match(card)
    assert match is not None
    (key,) = ring.keys()
    raw = FORMATS["dc+sd-jwt"].present(
        card, match.disclose, asked.challenge, ring.signer(key), at=NOW, entropy=secrets.token_bytes
    )
    return raw, asked


def meant_for(aud: Any) -> Any:
    """The formats, with `aud` in every credential read."""
    real = FORMATS["dc+sd-jwt"]

    class Meant:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def read_presentation(self, raw: bytes) -> Any:
            (shown,) = real.read_presentation(raw)
            credential = shown.credential
            return (replace(shown, credential=replace(credential, claims={**credential.claims, "aud": aud})),)

    return {"dc+sd-jwt": Meant()}


def unbound(policy: Policy) -> Policy:
    """`policy` with a query that asks for no binding."""
    (asked,) = policy.query.credentials
    return replace(policy, query=replace(policy.query, credentials=(replace(asked, holder_binding=False),)))


class TestAccepted:
    def test_nine_steps_once_each_in_order(self, town: Town) -> None:
        desk = town.desk()
        asked = desk.ask()
        verdict = desk.judge_one(town.shows_one(asked), asked)
        assert isinstance(verdict, Accepted)
        assert [check.step for check in verdict.checks] == list(Step)
        assert {check.outcome for check in verdict.checks} == {Outcome.PASSED}
        assert verdict.claims == {"age_over_18": True, "address": {"locality": "Lindau"}}
        assert verdict.issuer == town.office.issuer.id

    def test_unasked_claims_are_dropped(self, town: Town) -> None:
        desk = town.desk()
        asked = desk.ask()
        generous = town.desk(
            b'purpose = "x"\n[ask]\ntype = "residency"\nclaims = ["age_over_18", "address.locality", "birthdate"]\n'
            b'[trust]\nlist = "x"\n'
        )
        more = replace(generous.ask(), challenge=asked.challenge)
        verdict = desk.judge_one(town.shows_one(more), asked)
        assert verdict.require().claims == {"age_over_18": True, "address": {"locality": "Lindau"}}


class TestStructure:
    @pytest.mark.parametrize("raw", [b"", b"~", b"x.y.z~", b"\xff", b"{", b"e30.e30.AA~"])
    def test_what_cannot_be_read(self, town: Town, raw: bytes) -> None:
        desk = town.desk()
        verdict = desk.judge_one(raw, desk.ask())
        assert isinstance(verdict, Rejected)
        assert verdict.checks[0].outcome is Outcome.FAILED
        assert {check.outcome for check in verdict.checks[1:]} == {Outcome.NOT_REACHED}
        assert [check.step for check in verdict.checks] == list(Step)

    def test_several_credentials(self, town: Town) -> None:
        desk = town.desk()
        asked = desk.ask()
        raw = town.shows_one(asked)
        real = FORMATS["dc+sd-jwt"]

        class Twice:
            def __getattr__(self, name: str) -> Any:
                return getattr(real, name)

            def read_presentation(self, raw: bytes) -> Any:
                return real.read_presentation(raw) * 2

        formats: Any = {"dc+sd-jwt": Twice()}
        assert codes(desk.judge_one(raw, asked, formats=formats))[Step.STRUCTURE] == "presentation.several"
        assert desk.judge_one(raw, asked)


class TestTrust:
    def test_no_packet_before_trust(self, town: Town) -> None:
        """HOUSE 6.3: an untrusted issuer causes no traffic, whatever it names; a trusted one is looked up."""
        ring = MemoryKeyring()
        key = ring.create(Algorithm.ES256)
        web = "did:web:id.elsewhere.example"
        asked_of: list[Request] = []

        def spy(request: Request) -> Response:
            asked_of.append(request)
            raise Unavailable("net.unreachable", host="id.elsewhere.example")

        issuer = replace(town.office.issuer, id=web, signed_by=KeyRef(DidUrl(web, "k")), signer=ring.signer(key))
        strangers = replace(town)
        strangers.office = replace(town.office)
        strangers.office.issuer = issuer
        desk = town.desk()
        raw, asked = present_of(strangers, desk)
        verdict = desk.judge_one(raw, asked, exchange=spy)
        assert codes(verdict)[Step.ISSUER_TRUSTED] == "trust.unknown_issuer"
        assert codes(verdict)[Step.ISSUER_KEY] == "not_reached"
        assert asked_of == []

        entry = TrustEntry(did=web, mechanism="did", types=tuple(TYPES), status="none")
        trusting = town.desk(trusted=TrustList((entry,), WIRE))
        verdict = trusting.judge_one(raw, asked, exchange=spy)
        assert [request.url for request in asked_of] == ["https://id.elsewhere.example/.well-known/did.json"]
        assert codes(verdict)[Step.ISSUER_KEY] == "net.unreachable"
        assert isinstance(verdict, Rejected)
        assert verdict.undecided

    def test_removing_the_anchor_flips_it(self, town: Town) -> None:
        """Property 20."""
        desk = town.desk()
        asked = desk.ask()
        raw = town.shows_one(asked)
        assert desk.judge_one(raw, asked)
        assert not town.desk(trusted=TrustList((), WIRE)).judge_one(raw, asked)

    def test_a_card_that_nobody_signed(self, town: Town) -> None:
        desk = town.desk()
        asked = desk.ask()
        raw = town.shows_one(asked)
        real = FORMATS["dc+sd-jwt"]

        class Unsigned:
            def __getattr__(self, name: str) -> Any:
                return getattr(real, name)

            def read_presentation(self, raw: bytes) -> Any:
                (shown,) = real.read_presentation(raw)
                return (replace(shown, credential=replace(shown.credential, signed_by=())),)

        formats: Any = {"dc+sd-jwt": Unsigned()}
        assert codes(desk.judge_one(raw, asked, formats=formats))[Step.ISSUER_TRUSTED] == "trust.unsigned"


class TestKey:
    @pytest.mark.parametrize("error", [Refused("did.no_such_key", fragment="k"), Malformed("did.not_a_did")])
    def test_a_key_that_is_not_there(self, town: Town, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
        desk = town.desk()
        asked = desk.ask()
        raw = town.shows_one(asked)

        def none(*_: object) -> Iterable[Any]:
            yield from ()
            raise error

        monkeypatch.setattr("cityid.verifying.trust", SimpleNamespace(key=none))
        verdict = desk.judge_one(raw, asked)
        assert codes(verdict)[Step.ISSUER_KEY] == str(error).split(" ")[0]
        assert isinstance(verdict, Rejected)
        assert not verdict.undecided

    def test_every_key_is_gathered(self, town: Town) -> None:
        """Keys outside the credential that signed the showing are gathered too, and one that is missing ends it."""
        desk = town.desk()
        asked = desk.ask()
        raw = town.shows_one(asked)
        real = FORMATS["dc+sd-jwt"]
        other = MemoryKeyring().create(Algorithm.ES256)
        shower = did.key.create(other)
        seen: list[Any] = []

        class Shown:
            def __init__(self, name: str) -> None:
                self.ref = KeyRef(DidUrl(name, name.removeprefix("did:key:")))

            def __getattr__(self, name: str) -> Any:
                return getattr(real, name)

            def read_presentation(self, raw: bytes) -> Any:
                (shown,) = real.read_presentation(raw)
                return (replace(shown, shown_by=(self.ref,)),)

            def check(self, presentation: Any, keys: Any, challenge: Any, at: Any) -> Iterable[Check]:
                seen.append(keys[self.ref])
                return real.check(presentation, keys, challenge, at)

        formats: Any = {"dc+sd-jwt": Shown(shower)}
        assert desk.judge_one(raw, asked, formats=formats)
        assert seen == [other]
        formats = {"dc+sd-jwt": Shown("did:key:z6Mk")}
        assert desk.judge_one(raw, asked, formats=formats).checks[2].outcome is Outcome.FAILED


class TestSignatureAndBinding:
    def test_failed_checks_end_it(self, town: Town) -> None:
        desk = town.desk()
        asked = desk.ask()
        raw = town.shows_one(asked)
        other = replace(asked, challenge=Challenge(AUDIENCE, "nonce-of-somebody-else"))
        verdict = desk.judge_one(raw, other)
        assert codes(verdict)[Step.HOLDER_BINDING] == "binding.nonce"
        assert codes(verdict)[Step.VALIDITY] == "not_reached"
        assert desk.judge_one(raw, asked)


class TestValidity:
    """RFC 7519 §4.1.4-5; attack O27, property 19: accepted means nbf <= t + skew and t - skew < exp."""

    @pytest.mark.parametrize(
        ("start", "end", "expected"),
        [
            (NOW - DAY, NOW + DAY, "passed"),
            (NOW + limits.SKEW, NOW + DAY, "passed"),
            (NOW + limits.SKEW + timedelta(seconds=1), NOW + DAY, "validity.not_yet"),
            (NOW - DAY, NOW - limits.SKEW + timedelta(seconds=1), "passed"),
            (NOW - DAY, NOW - limits.SKEW, "validity.expired"),
            (NOW + DAY, NOW + DAY, "validity.reversed"),
            (NOW + DAY, NOW - DAY, "validity.reversed"),
            (None, NOW + DAY, "passed"),
            (NOW - DAY, None, "validity.no_end"),
            (None, None, "validity.no_end"),
        ],
    )
    def test_window(self, town: Town, start: Any, end: Any, expected: str) -> None:
        desk = town.desk()
        verdict = self.judge(town, desk, Window(start, end))
        assert codes(verdict)[Step.VALIDITY] == expected
        assert bool(verdict) is (expected == "passed")

    def test_a_status_may_be_waived_for_what_ends(self, town: Town) -> None:
        """A service that waives the status does not get what nobody could ever take back."""
        trusted = TestStatus().entry(town, "required")
        policy = (
            b'waive = ["status"]\npurpose = "x"\n[ask]\ntype = "residency"\nclaims = ["age_over_18"]\n'
            b'[trust]\nlist = "x"\n'
        )
        assert self.judge(town, town.desk(policy, trusted=trusted), Window(None, NOW + DAY))
        verdict = self.judge(town, town.desk(policy, trusted=trusted), Window(None, None))
        assert codes(verdict)[Step.VALIDITY] == "validity.no_end"

    def judge(self, town: Town, desk: Any, window: Window) -> Any:
        """The verdict on a presentation whose card is valid in `window`."""
        raw, asked = present_of(town, desk)
        real = FORMATS["dc+sd-jwt"]

        class At:
            def __getattr__(self, name: str) -> Any:
                return getattr(real, name)

            def read_presentation(self, raw: bytes) -> Any:
                (shown,) = real.read_presentation(raw)
                return (replace(shown, credential=replace(shown.credential, window=window)),)

        formats: Any = {"dc+sd-jwt": At()}
        return desk.judge_one(raw, asked, formats=formats)

    @pytest.mark.parametrize(
        ("aud", "expected"),
        [
            (AUDIENCE, "passed"), ([AUDIENCE], "passed"), (["https://other.example", AUDIENCE], "passed"),
            ("https://other.example", "validity.audience"), (["https://other.example"], "validity.audience"),
            ([], "validity.audience"), ("", "validity.audience"), (AUDIENCE + "/", "validity.audience"),
            ([""], "validity.audience"),
        ],
    )  # fmt: skip
    def test_a_card_for_certain_services(self, town: Town, aud: Any, expected: str) -> None:
        """RFC 7519 §4.1.3, RFC 9901 §7.1 (6): whoever is not among them refuses it."""
        desk = town.desk()
        raw, asked = present_of(town, desk)
        assert asked.challenge.audience == AUDIENCE
        verdict = desk.judge_one(raw, asked, formats=meant_for(aud))
        assert codes(verdict)[Step.VALIDITY] == expected
        assert bool(verdict) is (expected == "passed")

    @pytest.mark.parametrize("aud", ["", [""], AUDIENCE, [AUDIENCE]])
    def test_a_card_for_certain_services_where_nobody_gives_a_name(self, town: Town, aud: Any) -> None:
        desk = town.desk()
        raw, asked = present_of(town, desk)
        policy = unbound(desk.policy)
        formats: Any
        for formats, expected in ((meant_for(aud), "validity.audience"), (FORMATS, "passed")):
            verdict = verify(raw, "dc+sd-jwt", Unbound(), policy, NOW, formats=formats).run(no_network)
            assert codes(verdict)[Step.VALIDITY] == expected
        # A whole answer has a challenge all the same, and in it our name.
        asked = replace(asked, query=policy.query, policy=policy)
        token = {policy.query.credentials[0].id: [raw.decode()]}
        answer = verify_answer(token, asked, NOW, sessions=desk.sessions, formats=meant_for(aud)).run(no_network)
        assert bool(answer) is (aud != "" and aud != [""])

    def test_without_end_but_with_status(self, town: Town) -> None:
        """A card with a status may be open-ended: its end is the status."""
        desk = town.desk()
        ref = StatusRef("status_list", "https://id.lindau.example/status/1", 7)
        raw, asked = present_of(town, desk, status=(ref,), window=Window(NOW - DAY, None))
        assert codes(desk.judge_one(raw, asked))[Step.VALIDITY] == "passed"


class TestQueryAndConditions:
    def test_all_three_are_told(self, town: Town) -> None:
        """VALIDITY, QUERY and CONDITIONS are all judged, so that nobody learns of their mistakes one by one."""
        desk = town.desk(
            b'purpose = "x"\n[ask]\ntype = "residency"\nclaims = ["age_over_18", "birthdate"]\n'
            b'[accept]\nage_over_18 = false\n[trust]\nlist = "x"\n'
        )
        less = town.desk(b'purpose = "x"\n[ask]\ntype = "residency"\nclaims = ["age_over_18"]\n[trust]\nlist = "x"\n')
        asked = desk.ask()
        raw = town.shows_one(replace(less.ask(), challenge=asked.challenge))
        found = codes(desk.judge_one(raw, asked))
        assert found[Step.VALIDITY] == "passed"
        assert found[Step.QUERY] == "query.claim_missing"
        assert found[Step.CONDITIONS] == "conditions.not_met"
        assert found[Step.STATUS] == "not_reached"

    def test_other_type(self, town: Town) -> None:
        desk = town.desk(b'purpose = "x"\n[ask]\ntype = "age"\nclaims = ["age_over_18"]\n[trust]\nlist = "x"\n')
        residency = town.desk(
            b'purpose = "x"\n[ask]\ntype = "residency"\nclaims = ["age_over_18"]\n[trust]\nlist = "x"\n'
        )
        asked = desk.ask()
        raw = town.shows_one(replace(residency.ask(), challenge=asked.challenge))
        assert codes(desk.judge_one(raw, asked))[Step.QUERY] == "query.wrong_type"


class TestStatus:
    REF = StatusRef("status_list", "https://id.lindau.example/status/1", 7)

    def entry(self, town: Town, status: Any) -> TrustList:
        issuer = town.office.issuer.id
        return TrustList((TrustEntry(did=issuer, mechanism="did", types=tuple(TYPES), status=status),), WIRE)

    def test_required_and_missing(self, town: Town) -> None:
        desk = town.desk(trusted=self.entry(town, "required"))
        asked = desk.ask()
        found = codes(desk.judge_one(town.shows_one(asked), asked))
        assert found[Step.STATUS] == "status.missing"

    def test_a_kind_that_is_not_built_is_undecided(self, town: Town) -> None:
        for rule in ("required", "none"):
            desk = town.desk(trusted=self.entry(town, rule))
            raw, asked = present_of(town, desk, status=(replace(self.REF, kind="identifier_list"),))
            verdict = desk.judge_one(raw, asked)
            assert codes(verdict)[Step.STATUS] == "status.kind_not_built"
            assert isinstance(verdict, Rejected)
            assert verdict.undecided

    def test_waived_by_policy(self, town: Town) -> None:
        desk = town.desk(
            b'waive = ["status"]\npurpose = "x"\n[ask]\ntype = "residency"\nclaims = ["age_over_18"]\n'
            b'[trust]\nlist = "x"\n',
            trusted=self.entry(town, "required"),
        )
        raw, asked = present_of(town, desk, status=(self.REF,))
        verdict = desk.judge_one(raw, asked)
        assert verdict
        assert verdict.checks[-1].outcome is Outcome.WAIVED


class TestMisuse:
    def test_a_format_that_is_not_there(self, town: Town) -> None:
        desk = town.desk()
        with pytest.raises(Misuse) as wrong:
            verify(b"", "mso_mdoc", desk.ask().challenge, desk.policy, NOW).run(no_network)
        assert wrong.value.code == "format.unknown"

    def test_unbound_against_a_query_that_wants_binding(self, town: Town) -> None:
        desk = town.desk()
        with pytest.raises(Misuse) as wrong:
            verify(b"", "dc+sd-jwt", Unbound(), desk.policy, NOW).run(no_network)
        assert wrong.value.code == "binding.wanted"

    def test_a_policy_for_several(self, town: Town) -> None:
        desk = town.desk()
        both = replace(desk.policy.query, credentials=desk.policy.query.credentials * 2)
        with pytest.raises(Misuse) as wrong:
            verify(b"", "dc+sd-jwt", desk.ask().challenge, replace(desk.policy, query=both), NOW).run(no_network)
        assert wrong.value.code == "policy.several_queries"

    @pytest.mark.parametrize(("audience", "nonce"), [("", "n" * 16), ("a", ""), (None, "n"), ("a", 5)])
    def test_s16_a_challenge_needs_both(self, audience: Any, nonce: Any) -> None:
        with pytest.raises(Misuse) as wrong:
            Challenge(audience, nonce)
        assert wrong.value.code == "challenge.empty"
        assert Challenge("a", "n").nonce == "n"


def test_passed_checks_are_constants() -> None:
    assert passed(Step.STATUS) is passed(Step.STATUS)
