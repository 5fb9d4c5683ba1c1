"""Groups L and B of the catalogue where they strike proofs of suites that can hide: what a holder, or somebody who
found its proof, may change, splice and invent. Each has a twin that holds."""

from __future__ import annotations

import copy
import sys
import time
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from cityid.encoding import base64url, cbor
from cityid.keys import Algorithm, PublicKey, once
from cityid.proofs import components, ecdsa_sd, members, selective
from tests.proofs import Curve, contexts, signer
from tests.sd import CHOSEN, MANDATORY, card, code, given, issuer, options

KEY = issuer(77)
OTHER = issuer(78)
BUDGET = 0.25 if sys.gettrace() is None else 2
"""Seconds; more where coverage counts each line."""


@cache
def _signed(family: str = "Byron", seed: int = 1) -> tuple[dict[str, Any], dict[str, Any]]:
    document = card(family_name=family)
    entropy = given(bytes([seed]) * 32, bytes([seed]) * 48)
    return document, ecdsa_sd.create_base(
        document, options("ecdsa-sd-2023"), KEY, mandatory=MANDATORY, load=contexts, entropy=entropy
    )


def signed(family: str = "Byron", seed: int = 1) -> tuple[dict[str, Any], dict[str, Any]]:
    return copy.deepcopy(_signed(family, seed))


def shown(*more: str, family: str = "Byron", seed: int = 1) -> tuple[dict[str, Any], dict[str, Any]]:
    document, base = signed(family, seed)
    return ecdsa_sd.derive(document, base, selective=[*CHOSEN, *more], load=contexts)


def check(document: Any, proof: Any, key: PublicKey = KEY.public_key, **more: Any) -> str:
    return code(ecdsa_sd.check, document, proof, key, load=contexts, **more)


def derived(proof: dict[str, Any]) -> ecdsa_sd.Derived:
    return ecdsa_sd.read_derived(members.read(proof))


def changed(proof: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**proof, "proofValue": replace(derived(proof), **more).write()}


def test_strict() -> None:
    """The twin of all that follows."""
    assert check(*shown()) == ""
    document, base = signed()
    assert code(ecdsa_sd.check_base, document, base, KEY.public_key, load=contexts) == ""


class TestForged:
    def test_a_proof_under_a_key_of_ones_own(self) -> None:
        """§3.6.7 as printed checks the base signature with the key in the proof value: then this would hold."""
        document = card(family_name="Mallory")

        class Forger(Curve):
            """Signs whatever there is with the key that it says is that of the proof."""

        forger = Forger(Algorithm.ES256, 5)
        entropy = given(b"h" * 32, (5 - 1).to_bytes(48, "big"))
        base = ecdsa_sd.create_base(
            document, options("ecdsa-sd-2023"), forger, mandatory=MANDATORY, load=contexts, entropy=entropy
        )
        made, proof = ecdsa_sd.derive(document, base, selective=CHOSEN, load=contexts)
        assert derived(proof).key[2:] == once.Signer(given((5 - 1).to_bytes(48, "big"))).public
        assert check(made, proof, forger.public_key) == ""
        assert check(made, proof) == "signature.invalid"
        assert code(ecdsa_sd.check_base, document, base, KEY.public_key, load=contexts) == "signature.invalid"

    def test_another_key_for_the_statements(self) -> None:
        document, proof = shown()
        key = once.Signer(given(b"\1" * 48, b"\2" * 48))
        lines = selective.shown_lines(document, derived(proof).labels, contexts, "$")
        _, rest = selective.divide(lines, derived(proof).mandatory, "$")
        signatures = tuple(key.sign(line.encode()) for line in rest)
        forged = changed(proof, key=b"\x80\x24" + key.public, signatures=signatures)
        assert check(document, forged) == ("" if key.public == derived(proof).key[2:] else "signature.invalid")
        assert check(document, changed(proof, signatures=derived(proof).signatures)) == ""
        other = once.Signer(given(b"\7" * 48))
        forged = changed(
            proof,
            key=b"\x80\x24" + other.public,
            signatures=tuple(other.sign(line.encode()) for line in rest),
        )
        assert check(document, forged) == "signature.invalid"

    def test_another_issuer(self) -> None:
        assert check(*shown(), OTHER.public_key) == "signature.invalid"


class TestL13:
    @pytest.mark.parametrize("algorithm", [Algorithm.ES384, Algorithm.EDDSA])
    def test_l13_a_key_of_another_kind(self, algorithm: Algorithm) -> None:
        key = signer(algorithm)
        assert check(*shown(), key.public_key) == "di.key_of_other_suite"
        made = code(ecdsa_sd.create_base, card(), options("ecdsa-sd-2023"), key, mandatory=[], load=contexts)
        assert made == "di.key"

    def test_l13_another_suite(self) -> None:
        document, proof = shown()
        for suite in ("ecdsa-rdfc-2019", "bbs-2023", "ecdsa-sd-2024"):
            assert check(document, {**proof, "cryptosuite": suite}) == "di.suite"
            made = code(ecdsa_sd.create_base, card(), options(suite), KEY, mandatory=[], load=contexts)
            assert made == "di.key"

    def test_l10_another_purpose(self) -> None:
        document, proof = shown()
        assert check(document, proof, purpose="authentication") == "di.purpose"
        assert check(document, {**proof, "proofPurpose": "authentication"}, purpose="authentication") == (
            "signature.invalid"
        )


class TestB14:
    """What kind of proof value it is."""

    def test_b14_a_base_proof_shown_to_a_verifier(self) -> None:
        assert check(*signed()) == "sd.base_proof"

    def test_b14_a_derived_proof_taken_for_a_base_one(self) -> None:
        document, proof = shown()
        assert code(ecdsa_sd.derive, document, proof, selective=[], load=contexts) == "sd.not_a_base_proof"
        assert code(ecdsa_sd.mandatory_of, proof) == "sd.not_a_base_proof"

    @pytest.mark.parametrize("head", [b"\xd9\x5d\x02", b"\xd9\x5d\x03", b"\xd9\x5e\x01", b"\0\0\0"])
    def test_b14_other_heads(self, head: bytes) -> None:
        document, proof = shown()
        raw = base64url.decode(proof["proofValue"][1:])
        assert check(document, {**proof, "proofValue": "u" + base64url.encode(head + raw[3:])}) == "sd.not_derived"
        assert check(document, {**proof, "proofValue": "u" + base64url.encode(raw)}) == ""

    @pytest.mark.parametrize("place", range(5))
    def test_l14_each_part_has_its_type(self, place: int) -> None:
        document, proof = shown()
        parts = cbor.read(base64url.decode(proof["proofValue"][1:])[3:])
        for bad in (None, 7, "text", b"short", [1, "a"], {"a": 1}, {1: b"short"}):
            broken = [bad if at == place else part for at, part in enumerate(parts)]
            value = components.write(b"\xd9\x5d\x01", broken)
            assert check(document, {**proof, "proofValue": value}) == "sd.component"

    @pytest.mark.parametrize("place", range(5))
    def test_l14_each_part_of_a_base_proof_has_its_type(self, place: int) -> None:
        document, base = signed()
        parts = cbor.read(base64url.decode(base["proofValue"][1:])[3:])
        for bad in (None, 7, "text", b"short", [1, "a"], [b"short"], {1: 2}):
            broken = [bad if at == place else part for at, part in enumerate(parts)]
            value = components.write(b"\xd9\x5d\x00", broken)
            found = code(ecdsa_sd.check_base, document, {**base, "proofValue": value}, KEY.public_key, load=contexts)
            assert found == "sd.component"

    def test_l14_a_key_that_is_none(self) -> None:
        document, proof = shown()
        key = derived(proof).key
        assert check(document, changed(proof, key=b"\x81\x24" + key[2:])) == "sd.component"
        assert check(document, changed(proof, key=key)) == ""
        document, base = signed()
        off = b"\x80\x24\x02" + b"\xff" * 32
        found = ecdsa_sd.read_base(members.read(base))
        lines = selective.group(document, [found.mandatory], selective.keyed(found.hmac_key), contexts)
        data = ecdsa_sd._base_data(document, base, off, [lines.lines[at] for at in lines.groups[0]], contexts)
        broken = {**base, "proofValue": replace(found, key=off, signature=KEY.sign(data)).write()}
        assert code(ecdsa_sd.check_base, document, broken, KEY.public_key, load=contexts) == "key.not_on_curve"

    def test_l14_more_or_fewer_parts(self) -> None:
        document, proof = shown()
        parts = cbor.read(base64url.decode(proof["proofValue"][1:])[3:])
        for broken in (parts[:-1], [*parts, []]):
            value = components.write(b"\xd9\x5d\x01", broken)
            assert check(document, {**proof, "proofValue": value}) == "sd.components"

    def test_b14_a_million_labels(self) -> None:
        document, proof = shown()
        start = time.process_time()
        value = components.write(b"\xd9\x5d\x01", [b"", b"", [], dict.fromkeys(range(60_000), 0), []])
        assert check(document, {**proof, "proofValue": value}) == "cbor.too_many_values"
        assert time.process_time() - start < 4 * BUDGET  # most of it is writing


class TestL27:
    """Splicing."""

    def test_l27_a_value_changed(self) -> None:
        document, proof = shown()
        document["credentialSubject"]["given_name"] = "Bob"
        assert check(document, proof) == "signature.invalid"

    def test_l27_mandatory_content_removed_or_changed(self) -> None:
        for name in ("issuer", "validUntil"):
            document, proof = shown()
            document[name] = "https://other.example" if name == "issuer" else "2027-12-01T00:00:00Z"
            assert check(document, proof) == "signature.invalid"
            del document[name]
            assert check(document, proof) == "sd.indexes"

    def test_l27_a_statement_removed_and_all_made_to_fit(self) -> None:
        """A holder takes `validUntil` out, and its index with it."""
        document, proof = shown()
        lines = selective.shown_lines(document, derived(proof).labels, contexts, "$")
        gone = next(at for at, line in enumerate(lines) if "validUntil" in line)
        del document["validUntil"]
        indexes = tuple(at - (at > gone) for at in derived(proof).mandatory if at != gone)
        assert check(document, changed(proof, mandatory=indexes)) == "signature.invalid"

    def test_l27_a_statement_more(self) -> None:
        document, proof = shown()
        document["credentialSubject"]["family_name"] = "Byron"
        assert check(document, proof) == "signature.invalid"

    def test_l27_an_index_moved_between_the_two(self) -> None:
        document, proof = shown()
        found = derived(proof)
        lines = selective.shown_lines(document, found.labels, contexts, "$")
        free = next(at for at in range(len(lines)) if at not in found.mandatory)
        assert check(document, changed(proof, mandatory=tuple(sorted((*found.mandatory, free))))) == "signature.invalid"
        fewer = changed(proof, mandatory=found.mandatory[1:])
        assert check(document, fewer) == "signature.invalid"

    def test_l27_indexes(self) -> None:
        document, proof = shown()
        good = derived(proof).mandatory
        for bad in (good[::-1], (*good, good[-1]), (*good, 99), (-1, *good), (good[0], *good)):
            assert check(document, changed(proof, mandatory=bad)) == "sd.indexes"

    def test_l27_signatures(self) -> None:
        document, proof = shown()
        good = derived(proof).signatures
        assert check(document, changed(proof, signatures=good[:-1])) == "sd.signature_count"
        assert check(document, changed(proof, signatures=(*good, good[0]))) == "sd.signature_count"
        assert check(document, changed(proof, signatures=good[::-1])) == "signature.invalid"
        assert check(document, changed(proof, signatures=(good[0], *good[:-1]))) == "signature.invalid"
        zero = (bytes(64), *good[1:])
        assert check(document, changed(proof, signatures=zero)) == "signature.invalid"

    def test_l27_label_maps(self) -> None:
        document, proof = shown()
        good = dict(derived(proof).labels)
        first, second, *_ = good
        swapped = good | {first: good[second], second: good[first]}
        assert check(document, changed(proof, labels=swapped)) == "signature.invalid"
        for bad in (
            good | {second: good[first]},
            good | {99: "u" + base64url.encode(bytes(32))},
            {number: label for number, label in good.items() if number != first},
            {number + 1: label for number, label in good.items()},
        ):
            assert check(document, changed(proof, labels=bad)) == "sd.label_map"
        other = good | {first: "u" + base64url.encode(bytes(32))}
        assert check(document, changed(proof, labels=other)) == "signature.invalid"

    def test_l27_the_label_map_in_another_order(self) -> None:
        """Order says nothing, and other writers have another."""
        document, proof = shown()
        assert check(document, changed(proof, labels=dict(reversed(list(derived(proof).labels.items()))))) == ""

    @pytest.mark.parametrize(
        "change",
        [
            {"created": "2026-11-02T08:00:00Z"},
            {"verificationMethod": "https://city.example/keys#2"},
            {"expires": "2030-01-01T00:00:00Z"},
            {"nonce": "n"},
            {"domain": "other.example"},
        ],
    )
    def test_l17_options_of_the_proof(self, change: dict[str, Any]) -> None:
        document, proof = shown()
        assert check(document, proof | change) == "signature.invalid"

    def test_l01_another_context(self) -> None:
        document, proof = shown()
        document["@context"] = [document["@context"][0], {"@vocab": "https://evil.example/#"}]
        assert check(document, proof) == "signature.invalid"
        assert check(document, {**proof, "@context": card()["@context"]}) == "di.context"
        document, proof = shown()
        assert check(document, {**proof, "@context": card()["@context"]}) == ""

    def test_two_credentials_of_one_holder_mixed(self) -> None:
        """Parts of two credentials that the same issuer signed do not make one."""
        one, proof = shown("/credentialSubject/family_name")
        other, second = shown("/credentialSubject/family_name", family="King", seed=2)
        assert (check(one, proof), check(other, second)) == ("", "")
        assert check(other, proof) == check(one, second) == "signature.invalid"
        mixed = replace(derived(proof), signatures=derived(second).signatures)
        assert check(other, {**proof, "proofValue": mixed.write()}) == "signature.invalid"
        mixed = replace(derived(second), signature=derived(proof).signature)
        assert check(other, {**proof, "proofValue": mixed.write()}) == "signature.invalid"

    def test_two_proofs_of_one_credential_may_be_joined(self) -> None:
        """What this suite does not hinder: whoever has two proofs of one credential can show both at once."""
        _, first = shown()
        more, second = shown("/credentialSubject/family_name")
        assert check(more, second) == ""
        assert set(derived(first).signatures) < set(derived(second).signatures)
        assert derived(first).key == derived(second).key


class TestB15:
    def test_b15_pointers_changed_before_deriving(self) -> None:
        document, base = signed()
        found = ecdsa_sd.read_base(members.read(base))
        for mandatory in (("/issuer",), (*found.mandatory, "/credentialSubject/given_name")):
            altered = {**base, "proofValue": replace(found, mandatory=mandatory).write()}
            assert code(ecdsa_sd.check_base, document, altered, KEY.public_key, load=contexts) == "signature.invalid"
            assert code(ecdsa_sd.derive, document, altered, selective=CHOSEN, load=contexts) == "sd.signature_count"
        same_count = {**base, "proofValue": replace(found, mandatory=("/issuer", "/validFrom", CHOSEN[0])).write()}
        assert code(ecdsa_sd.check_base, document, same_count, KEY.public_key, load=contexts) == "signature.invalid"
        fitted = replace(
            found, mandatory=("/issuer", "/validFrom"), signatures=(found.signatures[0], *found.signatures)
        )
        altered = {**base, "proofValue": fitted.write()}
        made, proof = ecdsa_sd.derive(document, altered, selective=CHOSEN, load=contexts)
        assert check(made, proof) == "signature.invalid"

    def test_b15_a_pointer_of_the_base_proof_that_leads_nowhere(self) -> None:
        document, base = signed()
        found = ecdsa_sd.read_base(members.read(base))
        altered = {**base, "proofValue": replace(found, mandatory=("/nothing",)).write()}
        assert code(ecdsa_sd.check_base, document, altered, KEY.public_key, load=contexts) == "sd.no_such_place"

    def test_the_wallet_checks_every_statement(self) -> None:
        document, base = signed()
        found = ecdsa_sd.read_base(members.read(base))
        good = found.signatures
        for signatures, expected in (
            ((*good[:-1], bytes(63) + b"\1"), "signature.invalid"),
            (good[:-1], "sd.signature_count"),
        ):
            altered = {**base, "proofValue": replace(found, signatures=signatures).write()}
            assert code(ecdsa_sd.check_base, document, altered, KEY.public_key, load=contexts) == expected
        document["credentialSubject"]["family_name"] = "King"
        assert code(ecdsa_sd.check_base, document, base, KEY.public_key, load=contexts) == "signature.invalid"


class TestB13:
    def test_b13_each_credential_has_keys_of_its_own(self) -> None:
        made = [
            ecdsa_sd.read_base(
                members.read(
                    ecdsa_sd.create_base(card(), options("ecdsa-sd-2023"), KEY, mandatory=MANDATORY, load=contexts)
                )
            )
            for _ in range(3)
        ]
        assert len({base.hmac_key for base in made}) == len({base.key for base in made}) == 3
        assert len({signature for base in made for signature in base.signatures}) == 3 * len(made[0].signatures)

    def test_b11_too_little_randomness(self) -> None:
        for entropy in (given(b"h" * 31), given(b"h" * 32, b"k" * 47), given(b"")):
            made = code(
                ecdsa_sd.create_base,
                card(),
                options("ecdsa-sd-2023"),
                KEY,
                mandatory=MANDATORY,
                load=contexts,
                entropy=entropy,
            )
            assert made == "keys.entropy"


class TestWork:
    def test_statements_are_counted_before_signatures_are_checked(self) -> None:
        """A stranger's proof costs little until the issuer's own signature holds."""
        document, proof = shown()
        document["credentialSubject"]["nationalities"] = [f"N{number}" for number in range(2000)]
        start = time.process_time()
        assert check(document, proof) == "signature.invalid"
        assert time.process_time() - start < BUDGET

    def test_l08_a_poisoned_graph(self) -> None:
        document, proof = shown()
        document["credentialSubject"]["permits"] = [
            {"id": f"_:n{one}", "knows": [{"id": f"_:n{other}"} for other in range(9) if other != one]}
            for one in range(9)
        ]
        start = time.process_time()
        assert check(document, proof) == "rdf.work"
        assert time.process_time() - start < BUDGET
        found = code(selective.group, document, [["/issuer"]], selective.keyed(b"k" * 32), contexts)
        assert found == "rdf.work"
