"""OpenID4VCI 1.0 by file: the credential offer (§4.1), request (§8.2) and response (§8.3)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cityid import accepting
from cityid.cards import CardRequest, Cards, Device, Offer
from cityid.errors import CityIdError, Misuse
from cityid.keys import Algorithm
from tests.jobs.offices import NOW, Office
from tests.memory import MemoryWallet


def refusal(call: Any, *args: Any) -> str:
    with pytest.raises(CityIdError) as caught:
        call(*args)
    return caught.value.code


class TestMessages:
    """Foreign bytes: exactly the form, or Malformed."""

    def offer(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(Office().offer().write())
        return document

    def test_an_offer_that_is_not_for_files(self) -> None:
        document = self.offer()
        grant = document["grants"].popitem()
        cases: list[tuple[dict[str, Any], str]] = [
            ({"cityid": None}, "offer.not_a_file"),
            ({"grants": {"authorization_code": {}}}, "offer.no_code"),
            ({"grants": {grant[0]: {**grant[1], "tx_code": {}}}}, "offer.transaction_code"),
            ({"credential_configuration_ids": ["residency.dc+sd-jwt", "age.dc+sd-jwt"]}, "offer.one_card"),
            ({"credential_configuration_ids": ["age.dc+sd-jwt"]}, "offer.contradiction"),
            ({"credential_issuer": ""}, "cards.text"),
            ({"credential_issuer": "x" * 501}, "cards.text"),
            ({"credential_issuer": "a\u202eb"}, "cards.text"),
            ({"credential_issuer": 5}, "json.wrong_type"),
            ({"cityid": {**document["cityid"], "copies": 101}}, "offer.copies"),
            ({"cityid": {**document["cityid"], "copies": 0}}, "offer.copies"),
            ({"cityid": {**document["cityid"], "nonce": "short"}}, "offer.nonce"),
            ({"cityid": {**document["cityid"], "expires": "soon"}}, "time.not_numeric"),
        ]
        for changes, code in cases:
            changed_ = {**document, "grants": dict([grant]), **changes}
            text = json.dumps({name: value for name, value in changed_.items() if value is not None}).encode()
            assert refusal(Offer.read, text) == code
        good = {**document, "grants": dict([grant]), "unknown": 1}
        assert Offer.read(json.dumps(good).encode()).copies == 10

    def test_algorithms_that_are_not_known_are_passed_over(self) -> None:
        document = self.offer()
        document["cityid"]["algorithms"] = ["HS256", "X25519", "EdDSA"]
        assert Offer.read(json.dumps(document).encode()).algorithms == (Algorithm.EDDSA,)

    def test_a_request_with_more_than_it_may(self) -> None:
        office = Office()
        request = json.loads(accepting.begin(office.offer(), MemoryWallet(), NOW).write())
        for member in ("credential_identifier", "credential_response_encryption", "proof"):
            assert refusal(CardRequest.read, json.dumps({**request, member: "x"}).encode()) == "request.unsupported"
        proofs = request["proofs"]["jwt"]
        for wrong, code in [
            ({"jwt": proofs, "attestation": ["x"]}, "request.proof_type"),
            ({"attestation": ["x"]}, "request.proof_type"),
            ({"jwt": []}, "request.proofs"),
            ({"jwt": proofs * 11}, "request.proofs"),
            ({"jwt": [5]}, "json.wrong_type"),
        ]:
            assert refusal(CardRequest.read, json.dumps({**request, "proofs": wrong}).encode()) == code
        assert CardRequest.read(json.dumps({**request, "proofs": {"jwt": proofs * 10}}).encode()).proofs

    def test_the_device_in_a_request(self) -> None:
        """It may be left out; what is there has a name that a person can read, and an id of 16 bytes."""
        office = Office()
        asked = accepting.begin(office.offer(), MemoryWallet(), NOW)
        request = json.loads(asked.write())
        good = request["cityid"]["device"]
        assert CardRequest.read(asked.write()).device == asked.device == Device("memory", good["id"])

        def with_device(**changes: object) -> bytes:
            return json.dumps({**request, "cityid": {**request["cityid"], "device": {**good, **changes}}}).encode()

        wrong: list[tuple[dict[str, object], str]] = [
            ({"name": ""}, "device.name"), ({"name": " phone"}, "device.name"), ({"name": "x" * 41}, "text.too_long"),
            ({"name": "pho\u202ene"}, "text.control"), ({"name": 1}, "json.wrong_type"),
            ({"id": good["id"][:-6]}, "device.id"), ({"id": "=="}, "base64url.alphabet"),
            ({"id": None}, "json.wrong_type"),
        ]  # fmt: skip
        for changes, code in wrong:
            assert refusal(CardRequest.read, with_device(**changes)) == code
        assert str(CardRequest.read(with_device(name="my old phone")).device) == f"my old phone {good['id']}"
        assert Device.of(f"my old phone {good['id']}") == Device("my old phone", good["id"])
        del request["cityid"]["device"]
        assert CardRequest.read(json.dumps(request).encode()).device is None

    def test_cards_in_any_other_form(self) -> None:
        cards = json.loads(Cards("did:web:x", "residency.dc+sd-jwt", "id", (b"a~",)).write())
        cases: list[tuple[list[Any], str]] = [
            ([], "cards.count"), (["a~"], "json.not_an_object"), ([{}], "json.missing"),
            ([{"credential": 5}], "json.wrong_type"), ([{"credential": "x"}] * 101, "cards.count"),
        ]  # fmt: skip
        for wrong, code in cases:
            assert refusal(Cards.read, json.dumps({**cards, "credentials": wrong}).encode()) == code
        assert len(Cards.read(json.dumps({**cards, "credentials": [{"credential": "x"}] * 100}).encode()).credentials)
        assert refusal(Cards.read, b" " * (4 << 20) + b"{}") == "json.too_large"

    def test_messages_are_what_openid4vci_says(self) -> None:
        """The names are the specification's, ours are in one member."""
        office, wallet = Office(), MemoryWallet()
        offer = office.offer()
        assert set(json.loads(offer.write())) == {
            "credential_issuer", "credential_configuration_ids", "grants", "cityid",
        }  # fmt: skip
        request = accepting.begin(offer, wallet, NOW)
        assert set(json.loads(request.write())) == {"credential_configuration_id", "proofs", "cityid"}
        assert set(json.loads(office.issuer.answer(request, at=NOW).write())) == {"credentials", "cityid"}

    def test_the_path_of_a_type_file_means_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(Misuse):
            Office().offer(str(tmp_path))
