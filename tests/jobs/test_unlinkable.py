"""Cards that nobody can link: bbs-2023 in ordinary questions (DI BBS §3.3, OpenID4VP B.1.3.2)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cityid import did
from cityid.checks import Step
from cityid.credential import Challenge, Credential, DidUrl, Draft, KeyRef, Unbound, Window
from cityid.credential_type import definition
from cityid.edge.resources import schemas
from cityid.encoding import json
from cityid.errors import Misuse, Refused
from cityid.formats.data_integrity import LDP_VC, presentations
from cityid.keys import Algorithm, once
from cityid.verifying import verify
from tests.city import Town, codes
from tests.jobs.offices import ADA, NOW, TYPES, Office, no_network

CHANCE = secrets.token_bytes
CLUB = b"""
purpose = "youth club"
[ask]
type = "residency"
formats = ["ldp_vc"]
claims = ["age_over_18", "address.locality"]
[accept]
"age_over_18" = true
[trust]
list = "region.toml"
"""
KIND = replace(TYPES["residency"], unlinkable=True, status="none", window=(None, None))
HOLDER = Step.HOLDER_BINDING


def town(*, holds: bool = True) -> Town:
    """A city that issues residency without a mark, and a pocket with Ada's."""
    made = Town(Office())
    key = made.office.keyring.create(Algorithm.BBS)
    own = did.key.create(key)
    ref = KeyRef(DidUrl(own, own.removeprefix("did:key:")))
    bbs = (ref, made.office.keyring.bbs_signer(key))
    types = {**TYPES, "residency": KIND}
    made.office.issuer = replace(made.office.issuer, id=own, signed_by=ref, types=types, bbs=bbs)
    if holds:
        made.office.accept(made.office.cards(made.office.offer(format="ldp_vc"), made.pocket), made.pocket)
    return made


def held(made: Town) -> Credential:
    (card,) = made.pocket.held()
    return card.credential


def judged(
    made: Town, change: Callable[[dict[str, Any]], Any] = lambda token: None, *, shown: Any = None, **more: Any
) -> dict[Step, str]:
    """The checks of what the pocket shows the club, after somebody changed it."""
    desk = made.desk(CLUB)
    asked = desk.ask()
    token = shown or made.shows(asked)["card"][0]
    found: Any = json.read_object(json.write(token))
    change(found)
    challenge = replace(asked.challenge, **more)
    return codes(verify(json.write(found), "ldp_vc", challenge, desk.policy, NOW).run(no_network))


class TestWalk:
    def test_issued_held_shown_twice_verified(self) -> None:
        made = town()
        card, credential = next(iter(made.pocket.held())), held(made)
        assert (card.copies_total, credential.holder, credential.proves) == (1, None, True)
        assert not credential.status
        assert "id" not in credential.claims["credentialSubject"]
        desk = made.desk(CLUB)
        for _ in range(2):
            asked = desk.ask()
            found = made.options(asked)
            assert found.best[0].single_use  # nobody is warned of a second time
            verdict = desk.judge(made.shows(asked), asked)
            assert verdict, verdict
            (accepted,) = verdict.accepted["card"]
            assert accepted.claims == {"credentialSubject": {"age_over_18": True, "address": {"locality": "Lindau"}}}
        assert next(iter(made.pocket.held())).copies_left == 1

    def test_two_showings_share_what_is_revealed(self) -> None:
        """Whoever compares them finds what all residents of this locality and age show, and nothing else."""
        made = town()
        desk = made.desk(CLUB)
        first, second = (made.shows(desk.ask())["card"][0] for _ in range(2))
        for name in ("holder", "proof"):
            assert first[name] != second[name]
        assert first["proof"]["verificationMethod"] != second["proof"]["verificationMethod"]
        (one,), (two,) = first["verifiableCredential"], second["verifiableCredential"]
        assert one["proof"].pop("proofValue") != two["proof"].pop("proofValue")
        assert one == two
        assert set(one) == {"@context", "type", "issuer", "validFrom", "validUntil", "credentialSubject", "proof"}
        assert (one["validFrom"], one["validUntil"]) == ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")

    def test_without_a_key_of_lists_nothing_is_offered(self) -> None:
        made = town(holds=False)
        assert made.office.offer(format="ldp_vc").copies == 1
        made.office.issuer = replace(made.office.issuer, bbs=None)
        with pytest.raises(Misuse) as caught:
            made.office.offer(format="ldp_vc")
        assert caught.value.code == "issue.no_bbs_key"
        assert made.office.offer().copies == KIND.copies  # other formats have copies and keys, as ever

    def test_the_suite_wants_its_key(self) -> None:
        made = town()
        issuer = made.office.issuer
        prepared = issuer.prepare("residency", ADA, at=NOW)
        assert issuer.bbs is not None
        draft = Draft(KIND, issuer.id, issuer.signed_by, prepared.claims, None, Window(prepared.start, prepared.end))
        assert LDP_VC.issue(draft, issuer.bbs[1], at=NOW, entropy=CHANCE).proves
        for suite, signer in (("bbs-2023", issuer.signer), ("ecdsa-sd-2023", issuer.bbs[1])):
            with pytest.raises(Misuse) as caught:
                LDP_VC.issue(replace(draft, suite=suite), signer, at=NOW, entropy=CHANCE)
            assert caught.value.code == "di.key"


class TestBinding:
    def test_for_this_asker_and_this_question(self) -> None:
        made = town()
        assert judged(made)[HOLDER] == "passed"
        assert judged(made, audience="x509_san_dns:bar.example")[HOLDER] == "binding.audience"
        assert judged(made, nonce="nonce-of-another-day")[HOLDER] == "binding.nonce"

    @pytest.mark.parametrize(
        ("audience", "nonce", "code"),
        [
            ("x509_san_dns:library.lindau.example", "nonce-0000000000000001", "passed"),
            ("x509_san_dns:library.lindau.example", "nonce-0000000000000002", "binding.presentation_header"),
            ("x509_san_dns:bar.example", "nonce-0000000000000001", "binding.presentation_header"),
            # One octet moved from the one to the other is another question.
            ("x509_san_dns:library.lindau.examplen", "once-0000000000000001", "binding.presentation_header"),
        ],
    )
    def test_a_proof_passed_on_in_another_presentation(self, audience: str, nonce: str, code: str) -> None:
        """Anybody can sign around what somebody showed them; the proof inside says for whom it was made."""
        made = town()
        credential = held(made)
        raw = LDP_VC.present(credential, (), Challenge(audience, nonce), None, at=NOW, entropy=CHANCE)
        (inside,) = json.read_object(raw)["verifiableCredential"]
        here = Challenge("x509_san_dns:library.lindau.example", "nonce-0000000000000001")
        again = presentations.sign(inside, here, once.Signer(CHANCE), NOW)
        assert judged(made, shown=json.read_object(again))[HOLDER] == code

    def test_the_signature_around_it(self) -> None:
        made = town()
        assert judged(made, lambda token: token.pop("proof"))[HOLDER] == "binding.missing"
        other = "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169"
        assert judged(made, lambda token: token.update(holder=other))[HOLDER] == "binding.other_holder"

    def test_the_base_proof_is_never_shown(self) -> None:
        made = town()
        base = json.read_object(held(made).raw)
        change = lambda token: token.update(verifiableCredential=[base])  # noqa: E731
        assert judged(made, change)[Step.ISSUER_SIGNATURE] == "sd.base_proof"
        assert judged(made)[Step.ISSUER_SIGNATURE] == "passed"

    def test_what_is_revealed_cannot_be_changed(self) -> None:
        made = town()

        def elsewhere(token: dict[str, Any]) -> None:
            token["verifiableCredential"][0]["credentialSubject"]["address"]["locality"] = "Bregenz"

        assert judged(made, elsewhere)[Step.ISSUER_SIGNATURE] == "bbs.proof"

    def test_alone_where_no_binding_is_asked_for(self) -> None:
        made = town()
        raw = LDP_VC.present(held(made), (), Unbound(), None, at=NOW, entropy=CHANCE)
        (shown,) = LDP_VC.read_presentation(raw)
        keys = _keys(made, shown.credential)
        assert [check.problem for check in LDP_VC.check(shown, keys, Unbound(), NOW)] == [None, None]
        checks = tuple(LDP_VC.check(shown, keys, Challenge("a", "b"), NOW))
        assert checks[-1].problem is not None
        assert checks[-1].problem.code == "binding.missing"


def _keys(made: Town, credential: Credential) -> dict[KeyRef, Any]:
    bbs = made.office.issuer.bbs
    assert bbs is not None
    return {credential.signed_by[0]: bbs[1].public_key}


class TestAccepting:
    def test_not_signed_by_this_key(self) -> None:
        made = town(holds=False)
        cards = made.office.cards(made.office.offer(format="ldp_vc"), made.pocket)
        (raw,) = cards.credentials
        document = json.read_object(raw)
        document["credentialSubject"]["given_name"] = "Eve"
        with pytest.raises(Refused) as caught:
            made.office.accept(replace(cards, credentials=(json.write(document),)), made.pocket)
        assert caught.value.code in ("bbs.signature", "bbs2023.header")
        made.office.accept(cards, made.pocket)


class TestMonth:
    def test_all_cards_of_a_month_hold_for_it(self) -> None:
        issuer = town(holds=False).office.issuer
        windows = {
            (made.start, made.end)
            for made in (issuer.prepare("residency", ADA, at=NOW + timedelta(days=days)) for days in (0, 3, 8))
        }
        assert len(windows) == 1
        later = issuer.prepare("residency", ADA, at=NOW + timedelta(days=9))
        assert (later.start.isoformat(), later.end.isoformat()) == (
            "2026-12-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00",
        )  # fmt: skip


class TestType:
    @pytest.mark.parametrize(
        ("changes", "codes"),
        [
            ({"status": "none"}, []),
            ({"status": "required"}, [("type.unlinkable", "$.status")]),
            (
                {"status": "none", "window": {"start": "resident_since"}},
                [("type.unlinkable", "$.window")],
            ),
        ],
    )
    def test_nothing_tells_one_card_from_another(self, changes: dict[str, Any], codes: list[tuple[str, str]]) -> None:
        text = json.read_object((schemas() / "types" / "residency.json").read_bytes())
        found = definition.check(json.write({**text, **changes, "unlinkable": True}))
        assert [(problem.code, problem.where) for problem in found] == codes
        assert definition.check(json.write({**text, **changes})) == ()
