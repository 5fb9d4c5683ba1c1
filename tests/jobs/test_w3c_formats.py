"""The whole way of a card in each W3C format on JOSE and COSE: issued, accepted, asked for, shown, judged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cityid import accepting, policy, verifying
from cityid.checks import Accepted, Step
from cityid.credential import Credential, Unbound
from cityid.encoding import json
from cityid.formats import FORMATS
from cityid.presenting import Consent, Options, options, present, read_request
from cityid.trust import TrustEntry, TrustList
from tests import w3c
from tests.city import AUDIENCE, LIBRARY, Desk, Town, codes
from tests.credentials import START, code_of, payload, vc
from tests.jobs.offices import NOW, TYPES, no_network
from tests.sd_jwts import ISSUER

ASKS = {name: LIBRARY.replace(b"claims =", f'formats = ["{name}"]\nclaims ='.encode()) for name in w3c.FORMS}


def trusted(town: Town) -> TrustList:
    names = {name: tuple(kind.wire_name(form) for form in kind.names) for name, kind in TYPES.items()}
    entry = TrustEntry("did", tuple(TYPES), did=town.office.issuer.id, name="Stadt Lindau", status="none")
    return TrustList((entry,), names)


def town_with(name: str) -> tuple[Town, Desk]:
    town = Town()
    offer = town.office.offer(format=name)
    cards = town.office.issuer.answer(accepting.begin(offer, town.pocket, NOW), at=NOW)
    accepting.accept(cards, town.pocket, trusted(town), NOW).run(no_network)
    return town, town.desk(ASKS[name], trusted=trusted(town))


@pytest.mark.parametrize("name", w3c.FORMS)
class TestWholeWay:
    def test_yes(self, name: str) -> None:
        town, desk = town_with(name)
        asked = desk.ask()
        found = town.options(asked)
        paths = {path for path, _ in found.best[0].shows}
        assert ("credentialSubject", "age_over_18") in paths
        # Only SD-JWT leaves something out.
        assert (("credentialSubject", "family_name") in paths) is (name != "vc+sd-jwt")
        verdict = desk.judge(town.shows(asked), asked)
        assert verdict, verdict
        ((one,),) = verdict.accepted.values()
        assert one.claims == {"credentialSubject": {"age_over_18": True, "address": {"locality": "Lindau"}}}

    def test_copies_are_equal(self, name: str) -> None:
        town, _ = town_with(name)
        (card,) = town.pocket.held()
        assert card.credential.format == name
        assert card.copies_left > 1

    def test_no(self, name: str) -> None:
        """The same answer, to another question."""
        town, desk = town_with(name)
        token = town.shows(desk.ask())
        verdict = desk.judge(token, desk.ask())
        assert not verdict
        assert verdict.reason.code == "binding.nonce"

    def test_names_on_the_wire(self, name: str) -> None:
        read = policy.read(ASKS[name], types=TYPES, load=lambda _: b"", formats=FORMATS)
        (asked,) = read.query.credentials
        assert (asked.format, asked.meta["type_values"]) == (name, [[w3c.IRI, w3c.VC]])
        assert [claim.path for claim in asked.claims] == [
            ("credentialSubject", "age_over_18"), ("credentialSubject", "address", "locality"),
        ]  # fmt: skip


class TestWhoseTypes:
    """A credential may have several types of its own, and a query may name any of them: the issuer must be trusted for
    the first and for those that are asked for."""

    def made(self, *terms: str) -> Credential:
        context = {"@version": 1.1, "@protected": True}
        kinds = [TYPES[name] for name in terms]
        contexts: list[Any] = []
        for kind in kinds:
            names = kind.names["vc+jwt"]
            contexts.append({**context, names["type"][1]: names["types"][0]})
        text = w3c.bound(
            __context=[w3c.V2, *contexts],
            type=["VerifiableCredential", *(kind.names["vc+jwt"]["type"][1] for kind in kinds)],
            credentialSubject={"id": "did:web:ada.example"},
        )
        return FORMATS["vc+jwt"].read(w3c.token(text))

    @pytest.mark.parametrize(("terms", "asks", "code"), [
        (("age",), "age", "passed"), (("age", "residency"), "age", "passed"),
        (("age", "residency"), "residency", "trust.type"), (("residency", "age"), "age", "trust.type"),
    ])  # fmt: skip
    def test_each(self, terms: tuple[str, ...], asks: str, code: str) -> None:
        card = self.made(*terms)
        names = {name: tuple(kind.wire_name(form) for form in kind.names) for name, kind in TYPES.items()}
        entry = TrustEntry("web", ("age",), web=w3c.WEB, keys={"issuer-1": ISSUER.public_key}, status="none")
        asked = {"id": "a", "format": "vc+jwt", "meta": {"type_values": [[f"urn:cityid:{asks}:1", w3c.VC]]},
                 "require_cryptographic_holder_binding": False}  # fmt: skip
        query = {"credentials": [asked]}
        read = policy.read(
            b'purpose = "x"\ndcql = "q"\n[trust]\nlist = "t"', types=TYPES, formats=FORMATS,
            load=lambda name: json.write(query) if name == "q" else b"",
        )  # fmt: skip
        judged = replace(read, trust=TrustList((entry,), names))
        verdict = verifying.verify(card.raw, "vc+jwt", Unbound(), judged, START).run(no_network)
        if code == "passed":
            assert isinstance(verdict, Accepted), codes(verdict)
        else:
            assert codes(verdict)[Step.ISSUER_TRUSTED] == code

    @pytest.mark.parametrize(("types", "code"), [(("age", "residency"), "passed"), (("age",), "trust.type")])
    def test_other_names_of_an_sd_jwt_vc(self, types: tuple[str, ...], code: str) -> None:
        """`aka_vcts` gives no authority either."""
        text = payload(vct="urn:cityid:age:1", aka_vcts=["urn:cityid:residency:1"])
        query = {"credentials": [{"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:cityid:residency:1"]},
                                  "require_cryptographic_holder_binding": False}]}  # fmt: skip
        read = policy.read(
            b'purpose = "x"\ndcql = "q"\n[trust]\nlist = "t"', types=TYPES, formats=FORMATS,
            load=lambda name: json.write(query) if name == "q" else b"",
        )  # fmt: skip
        names = {name: (f"urn:cityid:{name}:1",) for name in types}
        entry = TrustEntry("web", types, web=w3c.WEB, keys={"issuer-1": ISSUER.public_key}, status="none")
        judged = replace(read, trust=TrustList((entry,), names))
        verdict = verifying.verify(vc(text), "dc+sd-jwt", Unbound(), judged, START).run(no_network)
        assert codes(verdict)[Step.ISSUER_TRUSTED] == code


def test_a_wallet_answers_by_itself() -> None:
    """A request of the W3C formats, as it comes in a file."""
    town, _ = town_with("vc+cose")
    asked = {"response_type": "vp_token", "client_id": AUDIENCE, "nonce": "n-0S6_WzA2Mj-1234", "dcql_query": {
        "credentials": [{"id": "a", "format": "vc+cose", "meta": {"type_values": [[w3c.IRI]]}}]}}  # fmt: skip
    request = read_request(json.write(asked))
    found = options(town.pocket, request.query, NOW)
    assert isinstance(found, Options)
    shown = present(Consent(found.best, NOW), request.challenge, town.pocket, NOW)
    assert isinstance(shown.vp_token["a"][0], str)


def test_others_are_unknown() -> None:
    town = Town()
    assert code_of(lambda: town.office.offer(format="vc+jws")) == "issue.unknown_format"
