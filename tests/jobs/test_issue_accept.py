"""City hall offers, the wallet proves its keys, city hall signs, the wallet looks hard and stores."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from cityid import accepting, limits
from cityid.cards import CardRequest, Cards, Offer, offer_id, prove
from cityid.credential import Credential, DidUrl, Draft, KeyRef, StatusRef, Window
from cityid.errors import CityIdError, Malformed, Refused, Unavailable
from cityid.formats import FORMATS
from cityid.keys import Algorithm
from cityid.register import State
from cityid.sessions import TRIES, Kind
from cityid.trust import TrustEntry, TrustList
from tests.jobs.offices import ADA, NOW, TYPES, WIRE, Office, changed, no_network, read
from tests.memory import MemoryWallet

LATER = NOW + timedelta(minutes=3)


def refusal(call: Any, *args: Any, **more: Any) -> str:
    with pytest.raises(CityIdError) as caught:
        call(*args, **more)
    return caught.value.code


class TestTheWholeWalk:
    @pytest.mark.parametrize("type", ["residency", "age", "resident-of"])
    def test_in_files(self, type: str) -> None:
        office, wallet = Office(), MemoryWallet()
        claims = {
            "residency": ADA, "age": {"birthdate": "1990-12-10"},
            "resident-of": {"municipality": ADA["municipality"], "resident_since": "2011-02-03"},
        }[type]  # fmt: skip
        offer = Offer.read(office.offer(type, claims).write())
        request = CardRequest.read(accepting.begin(offer, wallet, NOW).write())
        cards = Cards.read(office.issuer.answer(request, at=LATER).write())
        card = office.accept(cards, wallet, LATER)
        assert (card.type, card.issuer_name, card.copies_left) == (WIRE[type][0], "Stadt Lindau", TYPES[type].copies)
        assert not wallet.offers
        (row,) = office.register.issued.values()
        assert row.state is State.ISSUED
        assert set(row.holders) == {key.thumbprint for key in list(wallet.keyring.keys())}

    def test_each_copy_says_the_same_to_another_key(self) -> None:
        office, wallet = Office(), MemoryWallet()
        copies = read(office.cards(office.offer(), wallet))
        assert len({copy.holder for copy in copies}) == 10
        assert all(copy.claims == copies[0].claims and copy.window == copies[0].window for copy in copies)
        assert copies[0].claims["age_over_18"] is True

    def test_by_link(self) -> None:
        office = Office()
        offer = office.offer()
        assert Offer.read(offer.link().encode() + b"\n") == offer

    def test_fewer_keys_than_copies(self) -> None:
        office, wallet = Office(), MemoryWallet()
        request = accepting.begin(office.offer(), wallet, NOW)
        cards = office.issuer.answer(replace(request, proofs=request.proofs[:3]), at=NOW)
        assert office.accept(cards, wallet).copies_total == 3

    def test_a_key_of_another_kind(self) -> None:
        office, wallet = Office(), MemoryWallet()
        changed(office, algorithms=(Algorithm.EDDSA,))
        office.accept(office.cards(office.offer(), wallet), wallet)
        assert {key.algorithm for key in list(wallet.keyring.keys())} == {Algorithm.EDDSA}

    def test_nothing_personal_is_in_the_register_nor_in_the_offer(self) -> None:
        office = Office()
        offer = office.offer()
        told = repr(office.register) + offer.write().decode() + repr(offer)
        assert "Lovelace" not in told
        assert "1990" not in told
        assert offer.code not in repr(offer)


class TestOffering:
    def test_nothing_is_written_when_anything_is_wrong(self) -> None:
        office = Office()
        assert refusal(office.offer, claims={**ADA, "birthdate": "31.02.1985"}) == "claim.not_a_date"
        assert refusal(office.offer, "fishing-permit") == "issue.unknown_type"
        assert refusal(office.offer, "voice") == "issue.by_enrolment"
        assert refusal(office.offer, format="mso_mdoc") == "issue.unknown_format"
        assert refusal(office.offer, format="mso_mdoc") == "issue.unknown_format"
        assert not office.register.issued
        assert not office.register.batches
        assert not office.sessions.kept
        office.offer()
        assert len(office.register.issued) == len(office.sessions.kept) == 1

    def test_a_clerk_sees_the_card_first(self) -> None:
        office = Office()
        assert office.issuer.prepare("residency", ADA, at=NOW).claims["age_over_18"] is True
        assert not office.sessions.kept

    def test_the_same_piece_of_work_makes_one_card(self) -> None:
        office = Office()
        office.offer(key="monday.csv:2")
        assert refusal(office.offer, key="monday.csv:2") == "issue.repeated"
        office.offer(key="monday.csv:3")
        assert len(office.register.issued) == 2

    def test_the_offer_says_who_when_and_what(self) -> None:
        offer = Office().offer()
        assert offer.expires == NOW + limits.OFFER_AGE
        assert (offer.type, offer.wire_type, offer.copies) == ("residency", "urn:cityid:residency:1", 10)
        assert len(offer.code) == len(offer.nonce) == 24

    def test_a_type_with_status_needs_a_published_list(self) -> None:
        office = Office()
        changed(office, types={**TYPES, "residency": replace(TYPES["residency"], status="required")})
        with pytest.raises(Unavailable) as caught:
            office.offer()
        assert caught.value.code == "issue.status_not_published"
        assert office.register.allotted == 1
        changed(office, publishes_status=True)
        wallet = MemoryWallet()
        card = office.accept(office.cards(office.offer(), wallet), wallet)
        assert card.copies_total == 10
        (row,) = office.register.issued.values()
        assert len({ref.index for ref in row.status}) == 10

    def test_each_copy_has_a_status_entry_of_its_own(self) -> None:
        office, wallet = Office(), MemoryWallet()
        kind = replace(TYPES["residency"], status="required")
        changed(office, types={**TYPES, "residency": kind}, publishes_status=True)
        copies = read(office.cards(office.offer(), wallet))
        assert len({copy.status[0].index for copy in copies}) == 10

    def test_where_the_card_cannot_be_kept_nothing_was_offered(self) -> None:
        office = Office()
        office.sessions.broken = True
        with pytest.raises(Unavailable):
            office.offer()
        (row,) = office.register.issued.values()
        assert row.state is State.WITHDRAWN

    def test_where_nothing_can_be_recorded_no_code_exists(self) -> None:
        office = Office()
        office.register.broken = True
        with pytest.raises(Unavailable):
            office.offer()
        assert not office.sessions.kept


class TestAnswering:
    def test_the_code_is_taken_once(self) -> None:
        office, wallet = Office(), MemoryWallet()
        request = accepting.begin(office.offer(), wallet, NOW)
        office.issuer.answer(request, at=NOW)
        assert refusal(office.issuer.answer, request, at=NOW) == "offer.spent"

    def test_an_unknown_code_and_an_expired_one(self) -> None:
        office, wallet = Office(), MemoryWallet()
        request = accepting.begin(office.offer(), wallet, NOW)
        assert refusal(office.issuer.answer, replace(request, code="x" * 24), at=NOW) == "offer.unknown"
        assert refusal(office.issuer.answer, request, at=NOW + limits.OFFER_AGE) == "offer.expired"
        office.issuer.answer(request, at=NOW + limits.OFFER_AGE - timedelta(seconds=1))

    def test_for_another_city_hall_takes_nothing(self) -> None:
        office, wallet = Office(), MemoryWallet()
        request = accepting.begin(office.offer(), wallet, NOW)
        other = replace(request, issuer="did:web:id.bregenz.example")
        assert refusal(office.issuer.answer, other, at=NOW) == "offer.other_issuer"
        office.issuer.answer(request, at=NOW)

    def test_for_another_card(self) -> None:
        office, wallet = Office(), MemoryWallet()
        request = accepting.begin(office.offer(), wallet, NOW)
        other = replace(request, configuration="age.dc+sd-jwt")
        assert refusal(office.issuer.answer, other, at=NOW) == "request.other_card"
        office.issuer.answer(request, at=NOW)

    def test_a_wrong_request_burns_no_offer_but_many_do(self) -> None:
        office, wallet = Office(), MemoryWallet()
        request = accepting.begin(office.offer(), wallet, NOW)
        bad = replace(request, proofs=(request.proofs[0][:-4] + "AAAA",))
        for _ in range(TRIES):
            assert refusal(office.issuer.answer, bad, at=NOW) == "signature.invalid"
        assert refusal(office.issuer.answer, request, at=NOW) == "offer.spent"

    def test_one_wrong_request_fewer(self) -> None:
        office, wallet = Office(), MemoryWallet()
        request = accepting.begin(office.offer(), wallet, NOW)
        bad = replace(request, proofs=("junk",))
        for _ in range(TRIES - 1):
            assert refusal(office.issuer.answer, bad, at=NOW) == "jws.segments"
        office.issuer.answer(request, at=NOW)

    def test_a_signer_that_does_not_answer_burns_no_offer(self) -> None:
        class Gone:
            def __init__(self, key: Any) -> None:
                self.public_key = key

            def sign(self, message: bytes) -> bytes:
                raise Unavailable("keys.unavailable", store="token")

        office, wallet = Office(), MemoryWallet()
        request, good = accepting.begin(office.offer(), wallet, NOW), office.issuer.signer
        changed(office, signer=Gone(good.public_key))
        for _ in range(TRIES + 2):
            assert refusal(office.issuer.answer, request, at=NOW) == "keys.unavailable"
        changed(office, signer=good)
        office.issuer.answer(request, at=NOW)

    def test_a_register_that_does_not_answer_burns_no_offer(self) -> None:
        office, wallet = Office(), MemoryWallet()
        request = accepting.begin(office.offer(), wallet, NOW)
        office.register.broken = True
        assert refusal(office.issuer.answer, request, at=NOW) == "store.busy"
        office.register.broken = False
        office.issuer.answer(request, at=NOW)

    def test_what_was_withdrawn_is_not_signed(self) -> None:
        office, wallet = Office(), MemoryWallet()
        request = accepting.begin(office.offer(), wallet, NOW)
        with office.register.batch("clerk-1", "w", NOW) as batch:
            batch.withdraw("R-2026-000001", "wrong person")
        assert refusal(office.issuer.answer, request, at=NOW) == "register.wrong_state"

    def test_what_is_true_no_longer_is_not_signed(self) -> None:
        office, wallet = Office(), MemoryWallet()
        late = NOW.replace(hour=23, minute=55)
        offer = office.offer("age", {"birthdate": "2008-11-23"}, late)
        request = accepting.begin(offer, wallet, late)
        midnight = late + timedelta(minutes=5) - timedelta(seconds=12)
        assert refusal(office.issuer.answer, request, at=midnight) == "offer.outdated"
        office.issuer.answer(request, at=midnight - timedelta(seconds=1))

    def test_the_citys_own_key_holds_no_card(self) -> None:
        office = Office()
        offer = office.offer()
        proof = prove(office.issuer.signer, issuer=offer.issuer, nonce=offer.nonce, at=NOW)
        request = CardRequest(offer.issuer, "residency.dc+sd-jwt", offer.code, (proof,))
        assert refusal(office.issuer.answer, request, at=NOW) == "proof.issuer_key"

    def test_the_prepared_card_is_erased(self) -> None:
        office, wallet = Office(), MemoryWallet()
        offer = office.offer()
        kept = office.sessions.kept[Kind.OFFER, offer.code]
        assert b"Lovelace" in (kept.value or b"")
        office.cards(offer, wallet)
        assert kept.value is None


class TestBeginning:
    def test_the_same_offer_proves_the_same_keys_again(self) -> None:
        office, wallet = Office(), MemoryWallet()
        offer = office.offer()
        accepting.begin(offer, wallet, NOW)
        again = accepting.begin(offer, wallet, LATER)
        assert len(wallet.keyring.keys()) == 10
        office.accept(office.issuer.answer(again, at=LATER), wallet, LATER)

    def test_not_after_its_time_and_no_key_is_made(self) -> None:
        office, wallet = Office(), MemoryWallet()
        offer = office.offer()
        assert refusal(accepting.begin, offer, wallet, offer.expires) == "offer.expired"
        assert refusal(accepting.begin, replace(offer, format="mso_mdoc"), wallet, NOW) == "accept.format"
        assert refusal(accepting.begin, replace(offer, algorithms=()), wallet, NOW) == "accept.algorithm"
        assert not wallet.keyring.keys()
        assert not wallet.offers
        accepting.begin(offer, wallet, offer.expires - timedelta(seconds=1))


class Forger:
    """An issuer that the wallet trusts and that does one thing wrong."""

    def __init__(self) -> None:
        self.office, self.wallet = Office(), MemoryWallet()
        self.offer = self.office.offer()
        accepting.begin(self.offer, self.wallet, NOW)
        self.keys = self.wallet.keyring.keys()
        prepared = self.office.issuer.prepare("residency", ADA, at=NOW)
        self.window, self.claims = Window(prepared.start, prepared.end), prepared.claims

    def card(self, key: int = 0, type: str = "residency", **changes: Any) -> bytes:
        issuer = self.office.issuer
        draft = Draft(TYPES[type], issuer.id, issuer.signed_by, self.claims, self.keys[key], self.window)
        signer = changes.pop("signer", issuer.signer)
        drafted = replace(draft, **changes)
        return FORMATS["dc+sd-jwt"].issue(drafted, signer, at=NOW, entropy=secrets.token_bytes).raw

    def accepted(self, *raw: bytes, at: datetime = NOW, trusted: TrustList | None = None, **changes: Any) -> str:
        """The code of the refusal; "" where the cards were stored. Refused, the wallet is as it was."""
        issuer = self.office.issuer.id
        cards = replace(Cards(issuer, "residency.dc+sd-jwt", self.offer.id, raw), **changes)
        try:
            accepting.accept(cards, self.wallet, trusted or self.office.trusted, at).run(no_network)
        except (Refused, Malformed, Unavailable) as error:
            assert not self.wallet.cards
            assert list(self.wallet.offers) == [self.offer.id]
            return error.code
        assert not self.wallet.offers
        return ""


class TestAccepting:
    def test_a_good_batch(self) -> None:
        forger = Forger()
        assert forger.accepted(*(forger.card(key) for key in range(10))) == ""

    def test_only_what_was_asked_for(self) -> None:
        forger = Forger()
        assert forger.accepted(forger.card(), offer=offer_id("another")) == "accept.not_asked"
        assert forger.accepted(forger.card(), issuer="did:web:x.example") == "accept.other_issuer"
        assert forger.accepted(forger.card(), configuration="age.dc+sd-jwt") == "accept.other_type"
        assert forger.accepted(forger.card()) == ""

    def test_accepted_once(self) -> None:
        office, wallet = Office(), MemoryWallet()
        offer = office.offer()
        cards = office.cards(offer, wallet)
        card = office.accept(cards, wallet)
        keys = len(wallet.keyring.keys())
        assert refusal(office.accept, cards, wallet) == "accept.already"
        assert refusal(accepting.begin, offer, wallet, NOW) == "accept.already"
        assert len(wallet.keyring.keys()) == keys
        assert wallet.card(card.id).offer == offer.id
        accepting.begin(office.offer(), wallet, NOW)

    def test_not_more_cards_than_keys(self) -> None:
        forger = Forger()
        raw = [forger.card(key) for key in range(10)]
        assert forger.accepted(*raw, raw[0]) == "accept.too_many"

    def test_of_another_type(self) -> None:
        forger = Forger()
        forger.claims = {"age_over_18": True}
        assert forger.accepted(forger.card(type="age")) == "accept.other_type"

    def test_from_another_issuer(self) -> None:
        forger, other = Forger(), Office()
        issuer = other.issuer
        card = forger.card(issuer=issuer.id, signed_by=issuer.signed_by, signer=issuer.signer)
        assert forger.accepted(card) == "accept.other_issuer"

    def test_bound_to_a_key_that_is_not_mine(self) -> None:
        forger = Forger()
        stranger = MemoryWallet().keyring.create(Algorithm.ES256)
        assert forger.accepted(forger.card(holder=stranger)) == "accept.not_my_key"
        assert forger.accepted(forger.card(holder=None)) == "accept.not_my_key"

    def test_bound_to_a_key_of_mine_from_another_offer(self) -> None:
        forger = Forger()
        other = forger.wallet.keyring.create(Algorithm.ES256)
        assert forger.accepted(forger.card(holder=other)) == "accept.not_my_key"

    def test_two_cards_for_one_key(self) -> None:
        forger = Forger()
        assert forger.accepted(forger.card(), forger.card()) == "accept.same_key"

    def test_a_batch_that_can_be_told_apart(self) -> None:
        forger = Forger()
        first = forger.card()
        assert forger.accepted(first, forger.card(1, claims={**forger.claims, "given_name": "Adah"})) == (
            "accept.unequal_copies"
        )
        later = Window(forger.window.start, NOW + timedelta(hours=2))
        assert forger.accepted(first, forger.card(1, window=later)) == "accept.unequal_copies"
        shown = replace(TYPES["residency"], claims={
            path: replace(rule, hideable=rule.hideable and path != ("given_name",))
            for path, rule in TYPES["residency"].claims.items()
        })  # fmt: skip
        assert forger.accepted(first, forger.card(1), first) == "accept.same_key"
        draft = Draft(shown, forger.office.issuer.id, forger.office.issuer.signed_by, forger.claims, forger.keys[1],
                      forger.window)  # fmt: skip
        form = FORMATS["dc+sd-jwt"]
        raw = form.issue(draft, forger.office.issuer.signer, at=NOW, entropy=secrets.token_bytes).raw
        assert forger.accepted(first, raw) == "accept.unequal_copies"
        assert forger.accepted(first, forger.card(1)) == ""

    def test_one_status_entry_for_two(self) -> None:
        forger = Forger()
        refs = [(StatusRef("status_list", "https://id.lindau.example/status/1", index),) for index in (5, 6)]
        twice = [forger.card(key, status=refs[0]) for key in (0, 1)]
        assert forger.accepted(*twice) == "accept.same_status"
        assert forger.accepted(*(forger.card(key, status=refs[key]) for key in (0, 1))) == ""

    def test_windows(self) -> None:
        forger = Forger()
        assert forger.accepted(forger.card(), at=forger.window.end or NOW) == "accept.expired"
        upside_down = Window(NOW + timedelta(hours=3), NOW + timedelta(hours=2))
        assert forger.accepted(forger.card(window=upside_down)) in ("accept.expired", "sd_jwt_vc.window")
        assert forger.accepted(forger.card(window=Window(NOW, None))) == "accept.no_end"
        assert forger.accepted(forger.card(), at=(forger.window.end or NOW) - timedelta(seconds=1)) == ""

    def test_windows_open_on_one_side(self) -> None:
        assert (forger := Forger()).accepted(forger.card(window=Window(None, NOW + timedelta(hours=2)))) == ""
        assert (forger := Forger()).accepted(forger.card(window=Window(None, NOW))) == "accept.expired"
        refs = (StatusRef("status_list", "https://id.lindau.example/status/1", 5),)
        assert (forger := Forger()).accepted(forger.card(window=Window(NOW, None), status=refs)) == ""
        assert (forger := Forger()).accepted(forger.card(window=Window(NOW, None))) == "accept.no_end"

    def test_a_city_that_is_not_trusted_causes_no_traffic(self) -> None:
        forger = Forger()
        entry = TrustEntry(did="did:web:id.bregenz.example", mechanism="did", types=("residency",))
        assert forger.accepted(forger.card(), trusted=TrustList((entry,), WIRE)) == "trust.unknown_issuer"
        entry = TrustEntry(did=forger.office.issuer.id, mechanism="did", types=("age",))
        assert forger.accepted(forger.card(), trusted=TrustList((entry,), WIRE)) == "trust.type"

    def test_a_signature_by_somebody_else(self) -> None:
        forger, other = Forger(), Office()
        assert forger.accepted(forger.card(signer=other.issuer.signer)) == "signature.invalid"

    def test_a_card_that_nobody_signed(self) -> None:
        """A format of somebody else's might have such cards."""
        forger, form = Forger(), FORMATS["dc+sd-jwt"]

        class Unsigned:
            NAME = form.NAME

            def read(self, raw: bytes) -> Credential:
                return replace(form.read(raw), signed_by=())

        issuer = forger.office.issuer.id
        cards = Cards(issuer, "residency.dc+sd-jwt", forger.offer.id, (forger.card(),))
        formats: Any = {"dc+sd-jwt": Unsigned()}
        plan = accepting.accept(cards, forger.wallet, forger.office.trusted, NOW, formats=formats)
        assert refusal(plan.run, no_network) == "accept.unsigned"

    def test_one_bad_card_in_ten(self) -> None:
        forger = Forger()
        raw = [forger.card(key) for key in range(9)]
        assert forger.accepted(*raw, raw[0][:-9] + b"~") != ""
        assert forger.accepted(*raw, b"junk") == "jws.segments"
        assert forger.accepted(*raw, forger.card(9)) == ""

    def test_a_key_that_cannot_be_had_leaves_the_offer_open(self) -> None:
        forger = Forger()
        did = "did:web:id.lindau.example"
        fetched = Office()
        fetched.issuer = replace(fetched.issuer, id=did, signed_by=KeyRef(DidUrl(did, "issuer-1")))
        forger.office = fetched
        forger.wallet = MemoryWallet()
        forger.offer = fetched.offer()
        accepting.begin(forger.offer, forger.wallet, NOW)
        forger.keys = forger.wallet.keyring.keys()
        assert forger.accepted(forger.card()) == "net.offline"
