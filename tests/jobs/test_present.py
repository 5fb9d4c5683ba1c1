"""Presenting: exactly what was agreed to leaves, copies are reserved first, and requests are read strictly."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cityid import query
from cityid.credential import Challenge
from cityid.encoding import paths
from cityid.encoding.times import stamp
from cityid.errors import CityIdError, Misuse, Refused
from cityid.formats import FORMATS
from cityid.keys import Algorithm, jwk
from cityid.presenting import Consent, Nothing, Options, leaves, options, present, read_request, sent
from tests import sd_jwts
from tests.city import ADA, NOW, Town
from tests.credentials import VCT, payload, vc
from tests.memory import MemoryWallet
from tests.sd_jwts import digest, disclosure

POLICY = (
    b'purpose = "x"\n[ask]\ntype = "residency"\nclaims = ["age_over_18", "address.locality"]\n[trust]\nlist = "x"\n'
)


@pytest.fixture
def town() -> Town:
    town = Town()
    town.takes()
    return town


def names(pairs: Any) -> set[str]:
    return {paths.write(pair[0] if isinstance(pair[0], tuple) else pair) for pair in pairs}


class TestOptions:
    def test_exactly_what_leaves(self, town: Town) -> None:
        (option,) = town.options(town.desk(POLICY).ask()).best
        authority = {"issuing_authority", "issuing_country", "issuing_jurisdiction"}
        assert names(option.shows) == {"age_over_18", "address.locality"} | authority
        assert {"given_name", "family_name", "birthdate", "address.street_address"} <= names(option.hides)
        assert dict(option.shows)["address", "locality"] == "Lindau"
        assert option.single_use
        every = {paths.write(path): hideable for path, _, hideable in leaves(option.card.credential)}
        assert every.keys() == names(option.shows) | names(option.hides)
        assert not every["issuing_authority"]
        assert every["address.locality"]
        assert "iss" not in every

    def test_decoys_between_elements(self) -> None:
        """Other issuers put decoys anywhere into an array (RFC 9901 §4.2.5): what is told is what will be shown."""
        pocket = MemoryWallet()
        key = pocket.keyring.create(Algorithm.ES256)
        texts = [disclosure(f"salt-salt-salt-salt-{name}", name) for name in ("DE", "FR", "TR")]
        elements = [{"...": digest("decoy")}, *({"...": digest(text)} for text in texts), {"...": digest("another")}]
        raw = vc(payload(cnf={"jwk": jwk.write(key)}, nationalities=elements), *texts)
        card = FORMATS["dc+sd-jwt"].read(raw)
        assert [leaf for leaf in leaves(card) if leaf[0][0] == "nationalities"] == [
            (("nationalities", 1), "DE", True), (("nationalities", 2), "FR", True), (("nationalities", 3), "TR", True),
        ]  # fmt: skip
        pocket.add([card], NOW)
        claim = {"path": ["nationalities", None], "values": ["FR"]}
        asked = query.read({
            "credentials": [{"id": "c", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}, "claims": [claim]}]
        })  # fmt: skip
        found = options(pocket, asked, sd_jwts.NOW)
        assert isinstance(found, Options)
        (option,) = found.best
        assert option.shows == ((("nationalities", 2), "FR"),)
        assert option.hides == (("nationalities", 1), ("nationalities", 3))
        challenge = Challenge("https://x.example", "nonce-nonce-nonce")
        (group,) = present(Consent(found.best, sd_jwts.NOW), challenge, pocket, sd_jwts.NOW).vp_token.values()
        (shown,) = FORMATS["dc+sd-jwt"].read_presentation(group[0].encode())
        assert shown.credential.claims["nationalities"] == ["FR"]
        assert [leaf[:2] for leaf in leaves(shown.credential)] == list(option.shows)

    def test_nothing(self, town: Town) -> None:
        desk = town.desk(POLICY.replace(b"address.locality", b"address.region"))
        found = options(town.pocket, desk.policy.query, NOW)
        assert isinstance(found, Nothing)
        assert not found
        assert found.reasons["card"][0].code == "query.claim_missing"
        assert town.options(town.desk(POLICY).ask())

    def test_a_format_that_is_not_there(self, town: Town) -> None:
        assert isinstance(options(town.pocket, town.desk(POLICY).policy.query, NOW, formats={}), Nothing)

    def test_over_asking_is_marked(self, town: Town) -> None:
        """Attack X11."""
        more = POLICY.replace(b'"address.locality"', b'"birthdate"')
        assert [problem.code for problem in town.options(town.desk(more).ask()).warnings] == [
            "query.over_asking_birthdate"
        ]
        assert town.options(town.desk(POLICY).ask()).warnings == ()

    def test_an_unused_copy_comes_first(self, town: Town) -> None:
        asked = town.desk(POLICY).ask()
        (first,) = town.options(asked).best
        for _ in range(first.card.copies_total):
            town.shows(asked)
        (used,) = town.options(asked).best
        assert not used.single_use
        town.takes()
        (fresh,) = town.options(asked).best
        assert fresh.card.id != used.card.id
        assert [option.card.id for option in town.options(asked).by_id["card"]] == [fresh.card.id, used.card.id]


class TestPresent:
    def test_copies_are_used_once(self, town: Town) -> None:
        asked = town.desk(POLICY).ask()
        seen = set()
        (option,) = town.options(asked).best
        for _ in range(option.card.copies_total):
            (raw,) = town.shows(asked)["card"]
            seen.add(FORMATS["dc+sd-jwt"].read_presentation(raw.encode())[0].credential.holder)
        assert len(seen) == option.card.copies_total
        with pytest.raises(Refused) as refused:
            town.shows(asked)
        assert refused.value.code == "wallet.no_copy_left"

    def test_nothing_was_chosen(self, town: Town) -> None:
        with pytest.raises(Misuse) as wrong:
            present(Consent((), NOW), town.desk(POLICY).ask().challenge, town.pocket, NOW)
        assert wrong.value.code == "present.nothing"

    def test_a_copy_that_would_show_something_else(self, town: Town) -> None:
        asked = town.desk(POLICY).ask()
        (option,) = town.options(asked).best
        for wrong in ((), option.shows[:-1], (*option.shows[:-1], (("address", "locality"), "Bregenz"))):
            with pytest.raises(Refused) as refused:
                present(Consent((replace(option, shows=wrong),), NOW), asked.challenge, town.pocket, NOW)
            assert refused.value.code == "present.copy_differs"
        (same,) = town.options(asked).best
        assert present(Consent((same,), NOW), asked.challenge, town.pocket, NOW).vp_token

    def test_a_card_without_its_key(self, town: Town) -> None:
        """Must show 7: a card is copied to a second wallet without its key; presenting fails, and says why."""
        thief = MemoryWallet(cards=town.pocket.cards)
        asked = town.desk(POLICY).ask()
        found = options(thief, asked.query, NOW)
        assert found
        with pytest.raises(CityIdError) as refused:
            present(Consent(found.best, NOW), asked.challenge, thief, NOW)
        assert refused.value.code == "keys.unknown"
        assert town.shows(asked)

    def test_history(self, town: Town) -> None:
        asked = town.desk(POLICY).ask()
        found = town.options(asked)
        shown = present(Consent(found.best, NOW), asked.challenge, town.pocket, NOW)
        assert list(town.pocket.history()) == []
        sent(shown, asked.challenge.audience, town.pocket, NOW)
        (entry,) = town.pocket.history()
        assert entry.to == asked.challenge.audience
        assert ("address", "locality") in entry.claims
        assert ADA["address"]["locality"] not in repr(entry)


GOOD: dict[str, Any] = {
    "response_type": "vp_token",
    "client_id": "x509_san_dns:library.example",
    "nonce": "n-0S6_WzA2Mj-7f3c91d2",
    "state": "session-1",
    "dcql_query": {
        "credentials": [{"id": "card", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:cityid:residency:1"]}}]
    },
    "cityid": {"purpose": "library card", "by": "Stadtbibliothek"},
}


class TestRequests:
    """OpenID4VP §5, as far as it has a meaning in a file; attacks P06, P14, P28."""

    def test_read_and_answered(self, town: Town) -> None:
        asked = read_request(json.dumps(GOOD).encode())
        assert (asked.audience, asked.nonce, asked.state) == (GOOD["client_id"], GOOD["nonce"], "session-1")
        assert (asked.purpose, asked.name) == ("library card", "Stadtbibliothek")
        assert asked.challenge.audience == GOOD["client_id"]
        found = options(town.pocket, asked.query, NOW)
        assert found
        shown = present(Consent(found.best, NOW), asked.challenge, town.pocket, NOW)
        answer = json.loads(asked.answer(shown))
        assert answer == {"vp_token": dict(shown.vp_token), "state": "session-1"}
        assert "state" not in json.loads(replace(asked, state="").answer(shown))

    def test_read_as_a_wallet_reads(self, town: Town) -> None:
        """A claim asked twice is ignored, and an empty `meta` asks for any type (OpenID4VP §6.1)."""
        asked = {"id": "c", "format": "dc+sd-jwt", "meta": {}, "claims": [{"path": ["age_over_18"]}] * 2}
        request = {"response_type": "vp_token", "client_id": "x", "nonce": "n" * 16}
        read = read_request(json.dumps({**request, "dcql_query": {"credentials": [asked]}}).encode())
        found = options(town.pocket, read.query, NOW)
        assert isinstance(found, Options)
        assert "age_over_18" in names(found.best[0].shows)

    def test_the_least_there_can_be(self) -> None:
        least = {name: GOOD[name] for name in ("response_type", "client_id", "nonce", "dcql_query")}
        asked = read_request(json.dumps(least).encode())
        assert (asked.purpose, asked.name, asked.state) == ("", "", "")

    def test_expired(self) -> None:
        asked = read_request(json.dumps({**GOOD, "cityid": {"expires": stamp(NOW)}}).encode())
        asked.check(NOW - timedelta(seconds=1))
        for at in (NOW, NOW + timedelta(minutes=30)):
            with pytest.raises(Refused) as refused:
                asked.check(at)
            assert refused.value.code == "request.expired"
            assert refused.value.problem.facts == {"end": stamp(NOW)}
        read_request(json.dumps(GOOD).encode()).check(NOW)

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"response_type": "code"}, "request.response_type"),
            ({"client_id": ""}, "request.client_id"),
            ({"client_id": "origin:https://good.example"}, "request.origin"),
            ({"nonce": "short"}, "request.nonce"),
            ({"nonce": ""}, "request.nonce"),
            ({"nonce": "n" * 15}, "request.nonce"),
            ({"nonce": "n" * 513}, "request.nonce"),
            ({"nonce": "n" * 15 + "/"}, "request.nonce"),
            ({"nonce": 5}, "json.wrong_type"),
            ({"state": "a b"}, "request.state"),
            ({"scope": "x"}, "request.scope"),
            ({"transaction_data": ["x"]}, "request.transaction_data"),
            ({"dcql_query": {}}, "query."),
            ({"dcql_query": "x"}, "json.wrong_type"),
            ({"cityid": 1}, "json.wrong_type"),
            ({"cityid": {"expires": "2026-11-22 10:00"}}, "time.not_a_stamp"),
            ({"cityid": {"expires": "soon"}}, "time.not_a_stamp"),
            ({"cityid": {"expires": 1795341600}}, "json.wrong_type"),
        ],
    )
    def test_refused(self, changed: dict[str, Any], code: str) -> None:
        with pytest.raises(CityIdError) as refused:
            read_request(json.dumps({**GOOD, **changed}).encode())
        assert refused.value.code.startswith(code) or (code == "query." and refused.value.code.startswith("json."))
        read_request(json.dumps({**GOOD, "nonce": "n" * 16}).encode())
        read_request(json.dumps({**GOOD, "nonce": "n" * 512}).encode())
