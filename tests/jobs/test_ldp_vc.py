"""Whole walks with W3C credentials whose proof is inside them (VCDM 2.0, Data Integrity 1.0, OpenID4VP B.1.3.2)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cityid import contexts, proofs
from cityid.checks import Step
from cityid.credential import CertificateChain, Challenge, Draft, Unbound, Window
from cityid.edge.software_keys import MemoryKeyring
from cityid.encoding import json
from cityid.errors import Malformed, Misuse, Refused
from cityid.formats import _w3c
from cityid.formats.data_integrity import LDP_VC, presentations
from cityid.formats.data_integrity.presentations import did_of
from cityid.keys import Algorithm, PublicKey
from cityid.presenting import Options, options
from cityid.proofs import sets
from cityid.verifying import verify
from tests.city import Town, codes
from tests.jobs.offices import ADA, NOW, TYPES, Office, no_network

CHANCE = secrets.token_bytes
ENVELOPED = {
    "@context": "https://www.w3.org/ns/credentials/v2",
    "id": "data:application/vc+jwt,eyJ.eyJ.c2ln",
    "type": "EnvelopedVerifiableCredential",
}
BAR = b"""
purpose = "library card"
[ask]
type = "residency"
formats = ["ldp_vc"]
claims = ["age_over_18", "address.locality"]
[accept]
"age_over_18" = true
"address.locality" = ["Lindau", "Bregenz"]
[trust]
list = "region.toml"
"""
SUITES = [
    ("eddsa-rdfc-2022", Algorithm.EDDSA),
    ("eddsa-jcs-2022", Algorithm.EDDSA),
    ("ecdsa-rdfc-2019", Algorithm.ES256),
    ("ecdsa-rdfc-2019", Algorithm.ES384),
    ("ecdsa-jcs-2019", Algorithm.ES256),
    ("ecdsa-jcs-2019", Algorithm.ES384),
    ("ecdsa-sd-2023", Algorithm.ES256),
]


def town(suite: str = "", algorithm: Algorithm = Algorithm.ES256) -> Town:
    """A city whose residency cards are signed with this suite, and a pocket with Ada's."""
    made = Town(Office(algorithm=algorithm))
    kind = TYPES["residency"]
    named = {**kind.names["ldp_vc"], **({"suite": suite} if suite else {})}
    types = {**TYPES, "residency": replace(kind, copies=4, names={**kind.names, "ldp_vc": named})}
    made.office.issuer = replace(made.office.issuer, types=types)
    offer = made.office.offer(format="ldp_vc")
    made.office.accept(made.office.cards(offer, made.pocket), made.pocket)
    return made


def draft_of(made: Town, *, holder: PublicKey | str | None = "new", suite: str = "") -> Draft:
    """What the city would sign, for a fresh key of the pocket."""
    issuer = made.office.issuer
    prepared = issuer.prepare("residency", ADA, at=NOW)
    key = made.pocket.keyring.create(Algorithm.ES256) if isinstance(holder, str) else holder
    return Draft(
        TYPES["residency"], issuer.id, issuer.signed_by, prepared.claims, key, Window(prepared.start, prepared.end),
        suite=suite,
    )  # fmt: skip


def judged(made: Town, change: Callable[[dict[str, Any]], Any] = lambda token: token, **more: Any) -> dict[Step, str]:
    """The checks of what the pocket shows the bar, after somebody changed it."""
    desk = made.desk(BAR)
    asked = desk.ask()
    (token,) = made.shows(asked)["card"]
    found: Any = json.read_object(json.write(token))
    change(found)
    asked = replace(asked, challenge=replace(asked.challenge, **more))
    verdict = verify(json.write(found), "ldp_vc", asked.challenge, desk.policy, NOW).run(no_network)
    return codes(verdict)


class TestWalk:
    @pytest.mark.parametrize(("suite", "algorithm"), SUITES)
    def test_issued_held_shown_verified(self, suite: str, algorithm: Algorithm) -> None:
        made = town(suite, algorithm)
        (card,) = made.pocket.held()
        credential = card.credential
        assert credential.types[0] == "urn:cityid:residency:1"
        assert credential.claims["issuer"] == made.office.issuer.id
        desk = made.desk(BAR)
        asked = desk.ask()
        shown = made.shows(asked)
        verdict = desk.judge(shown, asked)
        assert verdict, verdict
        (accepted,) = verdict.accepted["card"]
        assert accepted.claims == {"credentialSubject": {"age_over_18": True, "address": {"locality": "Lindau"}}}
        (presentation,) = shown["card"]
        (inside,) = presentation["verifiableCredential"]
        assert inside["proof"]["cryptosuite"] == suite
        hides = suite == "ecdsa-sd-2023"
        assert ("given_name" in inside["credentialSubject"]) is not hides
        assert (("credentialSubject", "given_name") in credential.hidden) is hides

    @pytest.mark.parametrize(
        ("algorithm", "suite"),
        [
            (Algorithm.ES256, "ecdsa-sd-2023"),
            (Algorithm.ES384, "ecdsa-rdfc-2019"),
            (Algorithm.EDDSA, "eddsa-rdfc-2022"),
        ],
    )
    def test_the_usual_suite_of_a_key(self, algorithm: Algorithm, suite: str) -> None:
        made = town("", algorithm)
        (card,) = made.pocket.held()
        assert json.read_object(card.credential.raw)["proof"]["cryptosuite"] == suite

    def test_what_a_holder_is_told(self) -> None:
        """The person agrees to what is shown, and to nothing else: the names of claims are those of the subject."""
        made = town()
        found = options(made.pocket, made.desk(BAR).ask().query, NOW)
        assert isinstance(found, Options)
        (option,) = found.best
        shown = dict(option.shows)
        assert shown[("credentialSubject", "age_over_18")] is True
        assert ("credentialSubject", "given_name") not in shown
        assert all(path[0] == "credentialSubject" and path[1] != "id" for path in shown)
        assert ("credentialSubject", "given_name") in option.hides


class TestBinding:
    def test_for_this_asker_and_this_question(self) -> None:
        made = town("ecdsa-jcs-2019")
        assert judged(made)[Step.HOLDER_BINDING] == "passed"
        assert judged(made, audience="x509_san_dns:bar.example")[Step.HOLDER_BINDING] == "binding.audience"
        assert judged(made, nonce="nonce-of-another-day")[Step.HOLDER_BINDING] == "binding.nonce"

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (lambda token: token.pop("proof"), "binding.missing"),
            (lambda token: token["proof"].update(challenge="another-question"), "binding.nonce"),
            (lambda token: token["proof"].pop("challenge"), "binding.nonce"),
            (lambda token: token["proof"].update(domain="https://bar.example"), "binding.audience"),
            (lambda token: token["proof"].update(domain=[token["proof"]["domain"], "https://x"]), "binding.audience"),
            (lambda token: token["proof"].pop("domain"), "binding.audience"),
            (lambda token: token["proof"].update(proofPurpose="assertionMethod"), "di.purpose"),
            (lambda token: token["proof"].update(created="2026-11-22T09:30:11Z"), "binding.signature"),
            (lambda token: token["proof"].update(created="2026-11-22T09:00:00Z"), "binding.too_old"),
            (lambda token: token["proof"].update(created="2026-11-22T09:40:00Z"), "binding.ahead"),
            (lambda token: token["proof"].update(expires="2026-11-22T09:00:00Z"), "di.never_valid"),
            (lambda token: token["proof"].pop("created"), "binding.signature"),
            (lambda token: token.update(holder="did:key:zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv"),
             "binding.other_holder"),
            (lambda token: token.update(holder={"id": "did:web:x.example"}), "binding.other_holder"),
            (lambda token: token.pop("holder"), "binding.signature"),
            (lambda token: token.update(id="urn:uuid:7a8d3fc2-58c6-4b5b-9bcb-3a2b8a6e0a3b"), "binding.signature"),
        ],
    )  # fmt: skip
    def test_what_a_holder_did_not_sign(self, change: Callable[[dict[str, Any]], Any], code: str) -> None:
        assert judged(town("ecdsa-jcs-2019"), change)[Step.HOLDER_BINDING] == code

    def test_a_holder_may_be_named_as_an_object(self) -> None:
        made = town("ecdsa-jcs-2019")
        desk = made.desk(BAR)
        asked = desk.ask()
        (token,) = made.shows(asked)["card"]
        (credential,) = token["verifiableCredential"]
        held = made.pocket.keyring.keys()
        key = next(key for key in held if did_of(key) == credential["credentialSubject"]["id"])
        document = {name: value for name, value in token.items() if name != "proof"}
        options = {name: value for name, value in token["proof"].items() if name != "proofValue"}
        for holder, step in (({"id": did_of(key)}, "passed"), ({"id": made.office.issuer.id}, "binding.other_holder")):
            changed = {**document, "holder": holder}
            proof = proofs.create(changed, options, made.pocket.keyring.signer(key), load=contexts.load)
            raw = json.write({**changed, "proof": proof})
            verdict = verify(raw, "ldp_vc", asked.challenge, desk.policy, NOW).run(no_network)
            assert codes(verdict)[Step.HOLDER_BINDING] == step

    def test_a_card_of_somebody_else(self) -> None:
        """Whoever copies a card cannot show it: the key that signs must be the one that it was issued to."""
        made = town("ecdsa-jcs-2019")
        desk = made.desk(BAR)
        asked = desk.ask()
        (token,) = made.shows(asked)["card"]
        (credential,) = token["verifiableCredential"]
        thief = MemoryKeyring()
        raw = presentations.sign(credential, asked.challenge, thief.signer(thief.create(Algorithm.ES256)), NOW)
        found = codes(verify(raw, "ldp_vc", asked.challenge, desk.policy, NOW).run(no_network))
        assert found[Step.ISSUER_SIGNATURE] == "passed"
        assert found[Step.HOLDER_BINDING] == "binding.other_holder"

    @pytest.mark.parametrize("named", [True, False])
    def test_in_the_name_of_the_holder_or_of_nobody(self, named: bool) -> None:
        made = town("ecdsa-jcs-2019")
        desk = made.desk(BAR)
        asked = desk.ask()
        (token,) = made.shows(asked)["card"]
        owner = token["verifiableCredential"][0]["credentialSubject"]["id"]
        held = made.pocket.keyring.keys()
        key = next(key for key in held if did_of(key) == owner)
        document = {name: value for name, value in token.items() if name not in ("proof", "holder")}
        if named:
            document["holder"] = owner
        options = {name: value for name, value in token["proof"].items() if name != "proofValue"}
        thief = MemoryKeyring()
        other = thief.create(Algorithm.ES256)
        for signer, wanted in (
            (made.pocket.keyring.signer(key), "passed"), (thief.signer(other), "binding.other_holder")
        ):  # fmt: skip
            did = did_of(signer.public_key)
            method = f"{did}#{did.removeprefix('did:key:')}"
            proof = proofs.create(document, {**options, "verificationMethod": method}, signer, load=contexts.load)
            raw = json.write({**document, "proof": proof})
            found = codes(verify(raw, "ldp_vc", asked.challenge, desk.policy, NOW).run(no_network))
            assert found[Step.HOLDER_BINDING] == wanted

    def test_a_card_bound_to_nobody(self) -> None:
        made = Town()
        (raw,) = LDP_VC.issue_many([draft_of(made, holder=None)], made.office.issuer.signer, at=NOW, entropy=CHANCE)
        credential = LDP_VC.read(raw)
        assert credential.holder is None
        challenge = Challenge("https://bar.example", "n" * 22)
        keyring = MemoryKeyring()
        signer = keyring.signer(keyring.create(Algorithm.ES256))
        with pytest.raises(Refused) as refused:
            LDP_VC.present(credential, (), challenge, signer, at=NOW, entropy=CHANCE)
        assert refused.value.code == "binding.no_key"
        shown = LDP_VC.present(credential, (), Unbound(), None, at=NOW, entropy=CHANCE)
        signed = presentations.sign(json.read_object(shown), challenge, signer, NOW)
        (presentation,) = LDP_VC.read_presentation(signed)
        keys = dict.fromkeys(presentation.credential.signed_by, made.office.issuer.signer.public_key)
        keys |= dict.fromkeys(presentation.shown_by, signer.public_key)
        found = tuple(LDP_VC.check(presentation, keys, challenge, NOW))
        assert found[1].problem is not None
        assert found[1].problem.code == "binding.no_key"

    def test_no_binding_asked_for(self) -> None:
        """A credential by itself will do; a presentation around it is checked all the same."""
        made = town("ecdsa-jcs-2019")
        (card,) = made.pocket.held()
        copy = card.credential
        bare = LDP_VC.present(copy, (), Unbound(), None, at=NOW, entropy=CHANCE)
        assert bare == copy.raw
        (presentation,) = LDP_VC.read_presentation(bare)
        keys = dict.fromkeys(presentation.credential.signed_by, made.office.issuer.signer.public_key)
        found = tuple(LDP_VC.check(presentation, keys, Unbound(), NOW))
        assert [dict(check.facts) for check in found] == [{}, {"key_binding": "absent"}]
        assert copy.holder is not None
        signer = made.pocket.keyring.signer(copy.holder)
        raw = presentations.sign(json.read_object(bare), Challenge("https://x.example", "n" * 22), signer, NOW)
        (presentation,) = LDP_VC.read_presentation(raw)
        with pytest.raises(Misuse) as misuse:
            LDP_VC.check(presentation, keys, Unbound(), NOW)
        assert misuse.value.code == "keys.not_given"
        keys |= {presentation.shown_by[0]: copy.holder}
        found = tuple(LDP_VC.check(presentation, keys, Unbound(), NOW))
        assert [dict(check.facts) for check in found] == [{}, {"key_binding": "valid, not asked for"}]

    def test_transaction_data_has_no_place_here(self) -> None:
        made = town("ecdsa-jcs-2019")
        (card,) = made.pocket.held()
        assert card.credential.holder is not None
        signer = made.pocket.keyring.signer(card.credential.holder)
        challenge = Challenge("https://x.example", "n" * 22, transaction_data=("e30",))
        with pytest.raises(Refused) as refused:
            LDP_VC.present(card.credential, (), challenge, signer, at=NOW, entropy=CHANCE)
        assert refused.value.code == "binding.transaction_data_format"
        raw = LDP_VC.present(
            card.credential, (), replace(challenge, transaction_data=()), signer, at=NOW, entropy=CHANCE
        )
        (presentation,) = LDP_VC.read_presentation(raw)
        keys = dict.fromkeys(presentation.credential.signed_by, made.office.issuer.signer.public_key)
        keys |= {presentation.shown_by[0]: signer.public_key}
        found = tuple(LDP_VC.check(presentation, keys, challenge, NOW))
        assert found[1].problem is not None
        assert found[1].problem.code == "binding.transaction_data_format"


class TestIssuerSignature:
    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (lambda vc: vc["credentialSubject"].update(age_over_18=False), "signature.invalid"),
            (lambda vc: vc["credentialSubject"].update(nickname="x"), "jsonld.dropped"),
            (lambda vc: vc.update(validUntil="2030-01-01T00:00:00Z"), "signature.invalid"),
            (lambda vc: vc["proof"].update(proofPurpose="authentication"), "di.purpose"),
            (lambda vc: vc["proof"].update(expires="2026-11-22T08:00:00Z"), "di.expired"),
            (lambda vc: vc["proof"].update(cryptosuite="eddsa-rdfc-2022"), "di.key_of_other_suite"),
            (lambda vc: vc["proof"].update(cryptosuite="ecdsa-2019"), "di.suite"),
        ],
    )
    def test_what_city_hall_did_not_sign(self, change: Callable[[dict[str, Any]], Any], code: str) -> None:
        made = town("ecdsa-rdfc-2019")
        assert judged(made)[Step.ISSUER_SIGNATURE] == "passed"
        assert judged(made, lambda token: change(token["verifiableCredential"][0]))[Step.ISSUER_SIGNATURE] == code

    def test_another_city_signs(self) -> None:
        """The method that signs must be the issuer's own, whatever `issuer` says."""
        made, other = town("ecdsa-jcs-2019"), town("ecdsa-jcs-2019")

        def forged(token: dict[str, Any]) -> None:
            (card,) = other.pocket.held()
            foreign = json.read_object(card.credential.raw)
            token["verifiableCredential"] = [{**foreign, "issuer": made.office.issuer.id}]

        assert judged(made, forged)[Step.ISSUER_TRUSTED].startswith("trust.")

    def test_every_proof_of_a_set_must_hold(self) -> None:
        made = town("ecdsa-jcs-2019")
        signer = made.office.issuer.signer
        document = json.read_object(LDP_VC.issue(draft_of(made), signer, at=NOW, entropy=CHANCE).raw)
        options = {
            "type": "DataIntegrityProof", "cryptosuite": "ecdsa-rdfc-2019", "proofPurpose": "assertionMethod",
            "verificationMethod": str(made.office.issuer.signed_by.at),
        }  # fmt: skip
        both = sets.add(document, options, signer, load=contexts.load)
        credential = LDP_VC.read(json.write(both))
        assert len(credential.signed_by) == 2
        keys = dict.fromkeys(credential.signed_by, signer.public_key)
        (check,) = LDP_VC.check_issued(credential, keys, NOW)
        assert check.problem is None
        both["proof"][1]["created"] = "2026-01-01T00:00:00Z"
        (check,) = LDP_VC.check_issued(LDP_VC.read(json.write(both)), keys, NOW)
        assert check.problem is not None
        assert check.problem.code == "signature.invalid"

    def test_a_key_must_be_given(self) -> None:
        made = town("ecdsa-jcs-2019")
        (card,) = made.pocket.held()
        with pytest.raises(Misuse) as misuse:
            LDP_VC.check_issued(card.credential, {}, NOW)
        assert misuse.value.code == "keys.not_given"

    def test_bytes_are_read_again_where_only_they_were_kept(self) -> None:
        made = town()
        (card,) = made.pocket.held()
        bare = replace(card.credential, state=None)
        keys = dict.fromkeys(bare.signed_by, made.office.issuer.signer.public_key)
        (check,) = LDP_VC.check_issued(bare, keys, NOW)
        assert check.problem is None


class TestIssuing:
    def test_a_city_that_is_no_did(self) -> None:
        made = town()
        ref = replace(made.office.issuer.signed_by, at=CertificateChain((b"x",)))
        with pytest.raises(Misuse) as misuse:
            LDP_VC.issue(replace(draft_of(made), signed_by=ref), made.office.issuer.signer, at=NOW, entropy=CHANCE)
        assert misuse.value.code == "ldp.needs_did"

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"issuer": "did:web:other.example"}, "w3c.wrong_issuer"),
            ({"suite": "ecdsa-2019"}, "ldp.suite"),
            ({"suite": "eddsa-rdfc-2022"}, "di.key"),
        ],
    )
    def test_what_cannot_be_signed(self, changes: dict[str, Any], code: str) -> None:
        made = town()
        with pytest.raises(Misuse) as misuse:
            LDP_VC.issue(replace(draft_of(made), **changes), made.office.issuer.signer, at=NOW, entropy=CHANCE)
        assert misuse.value.code == code

    def test_a_key_that_no_suite_is_for(self) -> None:
        made = Town(Office(algorithm=Algorithm.ES256K))
        with pytest.raises(Misuse) as misuse:
            LDP_VC.issue(draft_of(made), made.office.issuer.signer, at=NOW, entropy=CHANCE)
        assert misuse.value.code == "ldp.no_suite"

    def test_without_a_window_or_a_holder(self) -> None:
        made = town()
        bare = replace(draft_of(made, holder=None), window=Window())
        document = json.read_object(LDP_VC.issue(bare, made.office.issuer.signer, at=NOW, entropy=CHANCE).raw)
        assert {"validFrom", "validUntil"}.isdisjoint(document)
        assert "id" not in document["credentialSubject"]

    def test_many_are_each_as_one(self) -> None:
        made = town()
        drafts = [draft_of(made), draft_of(made, suite="ecdsa-jcs-2019")]
        signer = made.office.issuer.signer
        raws = LDP_VC.issue_many(drafts, signer, at=NOW, entropy=CHANCE)
        suites = [json.read_object(raw)["proof"]["cryptosuite"] for raw in raws]
        assert suites == ["ecdsa-sd-2023", "ecdsa-jcs-2019"]

    def test_what_metadata_says(self) -> None:
        said = LDP_VC.describe(TYPES["residency"])
        definition = said["credential_definition"]
        assert definition["type"] == ["VerifiableCredential", "ResidencyCredential"]
        assert definition["@context"][0] == "https://www.w3.org/ns/credentials/v2"
        assert "ecdsa-sd-2023" in said["cryptosuite_values"]


class TestHiding:
    def test_what_is_not_hideable_cannot_be_named(self) -> None:
        made = town()
        (card,) = made.pocket.held()
        for path in (("credentialSubject", "id"), ("issuer",), ("credentialSubject", "nickname")):
            with pytest.raises(Misuse) as misuse:
                LDP_VC.present(card.credential, [path], Unbound(), None, at=NOW, entropy=CHANCE)
            assert misuse.value.code == "ldp.no_such_claim"

    def test_a_base_proof_is_for_the_holder_alone(self) -> None:
        made = town()
        (card,) = made.pocket.held()
        keys = dict.fromkeys(card.credential.signed_by, made.office.issuer.signer.public_key)
        (presentation,) = LDP_VC.read_presentation(card.credential.raw)
        (check,) = LDP_VC.check(presentation, keys, Unbound(), NOW)
        assert check.step is Step.ISSUER_SIGNATURE
        assert check.problem is not None
        shown = LDP_VC.present(card.credential, [], Unbound(), None, at=NOW, entropy=CHANCE)
        (presentation,) = LDP_VC.read_presentation(shown)
        assert all(check.problem is None for check in LDP_VC.check(presentation, keys, Unbound(), NOW))
        assert "given_name" not in presentation.credential.claims["credentialSubject"]


class TestForm:
    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (lambda token: token.update(proof=[token["proof"], token["proof"]]), "ldp.proofs"),
            (lambda token: token.update(verifiableCredential=[]), "ldp.empty"),
            (lambda token: token.pop("verifiableCredential"), "ldp.empty"),
            (lambda token: token["verifiableCredential"][0].pop("proof"), "vcdm.self_asserted"),
            (lambda token: token.update(verifiableCredential=[ENVELOPED]), "ldp.not_embedded"),
            (lambda token: token["verifiableCredential"].append(token["verifiableCredential"][0]),
             "presentation.several"),
            (lambda token: token["proof"].update(verificationMethod="https://x.example/#key"), "did.url_not_plain"),
            (lambda token: token["verifiableCredential"][0].update(issuer=7), "json.wrong_type"),
        ],
    )  # fmt: skip
    def test_what_is_no_presentation(self, change: Callable[[dict[str, Any]], Any], code: str) -> None:
        assert judged(town("ecdsa-jcs-2019"), change)[Step.STRUCTURE] == code

    @pytest.mark.parametrize("text", ["eyJ.proof.c2ln", "eyJ.eyJ.c2ln"])
    def test_tokens_in_a_presentation_of_version_1(self, text: str) -> None:
        """VCDM 1.1 lets a presentation hold tokens, which are no embedded credentials, whatever their letters spell."""
        made = {"@context": [_w3c.V1], "type": [_w3c.PRESENTATION], "verifiableCredential": [text]}
        with pytest.raises(Malformed) as no:
            LDP_VC.read_presentation(json.write(made))
        assert no.value.code == "ldp.not_embedded"
        walk = town("ecdsa-jcs-2019")
        (token,) = walk.shows(walk.desk(BAR).ask())["card"]
        assert len(LDP_VC.read_presentation(json.write(token))) == 1

    def test_one_proof_in_a_list(self) -> None:
        found = judged(town("ecdsa-jcs-2019"), lambda token: token.update(proof=[token["proof"]]))
        assert found[Step.HOLDER_BINDING] == "passed"

    def test_one_credential_without_a_list(self) -> None:
        """In JSON-LD a set of one is that one, so the same is signed."""
        found = judged(
            town("ecdsa-jcs-2019"), lambda token: token.update(verifiableCredential=token["verifiableCredential"][0])
        )
        assert found[Step.HOLDER_BINDING] == "passed"
