"""Group L of the catalogue, and of group O what concerns signatures, where it strikes a Data Integrity proof itself.

What a document may say, whose key a proof names and what a verifier asked for is judged above: in the formats.
"""

from __future__ import annotations

import hashlib
import sys
import time
from typing import Any

import pytest

from cityid import limits, proofs
from cityid.encoding import base58, jsonld, multibase
from cityid.errors import Malformed, Refused
from cityid.keys import Algorithm, PublicKey
from cityid.keys.algorithms import ORDERS
from cityid.proofs import members, rdfc, sets
from tests.proofs import EXAMPLES, PAIRS, V2, Curve, contexts, options, signer

KEY = signer(Algorithm.EDDSA)
STRICT: dict[str, Any] = {
    "@context": [V2],
    "id": "urn:uuid:1",
    "type": ["VerifiableCredential"],
    "issuer": "https://vc.example/issuers/5678",
    "credentialSubject": {"id": "did:example:abcdefgh", "name": "Zoë"},
}
BUDGET = 0.25 if sys.gettrace() is None else 2
"""Seconds; more where coverage counts each line."""


def signed(document: dict[str, Any], suite: str = "eddsa-rdfc-2022", key: Any = KEY, **more: Any) -> dict[str, Any]:
    return sets.add(document, options(suite, **more), key, load=contexts)


def code(document: dict[str, Any], key: PublicKey = KEY.public_key, **more: Any) -> str:
    try:
        sets.check(document, lambda _: key, **({"load": contexts} | more))
    except (Malformed, Refused) as error:
        return error.code
    return ""


def test_strict() -> None:
    """The twin of all below."""
    for suite, algorithm in PAIRS:
        key = signer(algorithm)
        assert code(signed(STRICT, suite, key), key.public_key) == ""


class TestContexts:
    @pytest.mark.parametrize("name", ["admin", "encodedList", "over18"])
    def test_l02_l20_an_undefined_term_added_after_signing(self, name: str) -> None:
        made = signed(STRICT)
        assert code(made) == ""
        assert code({**made, name: True}) == "jsonld.dropped"
        assert code({**made, "credentialSubject": {**made["credentialSubject"], name: "x"}}) == "jsonld.dropped"
        assert code({**made, "proof": {**made["proof"], name: "x"}}) == "jsonld.dropped"

    @pytest.mark.parametrize("member", ["id", "type", "issuer"])
    def test_l03_relative_names(self, member: str) -> None:
        made = signed(STRICT)
        value = [*made["type"], "Unknown"] if member == "type" else "relative"
        assert code({**made, member: value}) == "jsonld.relative"
        with pytest.raises(Malformed) as error:
            signed({**STRICT, member: value})
        assert error.value.code == "jsonld.relative"

    @pytest.mark.parametrize(
        ("inner", "expected"),
        [
            ({"name": "https://evil.example/name"}, "jsonld.error"),
            (None, "jsonld.error"),
            ("https://evil.example/ctx", "jsonld.error"),
            ({"@vocab": "https://evil.example/"}, ""),
            ([], ""),
        ],
    )
    def test_l04_a_context_inside(self, inner: Any, expected: str) -> None:
        """It cannot change what protected terms mean. Where it changes nothing the proof holds: that there is none is
        for context validation (Data Integrity 1.0 §4.6). In a proof there is none but the document's."""
        made = signed(STRICT)
        assert code({**made, "credentialSubject": {**made["credentialSubject"], "@context": inner}}) == expected
        assert code({**made, "proof": {**made["proof"], "@context": inner}}) == "di.context"
        assert code({**made, "proof": {**made["proof"], "@context": [V2]}}) == ""

    @pytest.mark.parametrize("name", ["@reverse", "@included", "@graph", "@nest"])
    def test_l04_keywords(self, name: str) -> None:
        made = signed(STRICT)
        value: Any = {"https://evil.example/p": {"@id": "did:evil:1"}} if name == "@reverse" else {"name": "x"}
        assert code({**made, name: value}) in ("signature.invalid", "jsonld.error", "jsonld.dropped")

    @pytest.mark.parametrize(
        "url",
        ["https://evil.example/ctx", "http://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/v2#"],
    )
    def test_l05_another_context(self, url: str) -> None:
        made = signed(STRICT)
        assert code({**made, "@context": [V2, url]}) == "jsonld.error"
        assert code({**made, "@context": [url]}) == "jsonld.error"

    def test_l05_changed_content_under_a_known_url(self) -> None:
        """Nothing of what is remembered of the right content is used for it."""
        made = signed(STRICT)
        assert code(made) == ""

        def changed(url: str) -> Any:
            found = contexts(url)["@context"]
            kind = {**found["VerifiableCredential"], "@id": "https://evil.example/Credential"}
            return {"@context": {**found, "VerifiableCredential": kind}}

        assert code(made, load=changed) == "signature.invalid"
        assert code(made) == ""

    def test_l05_a_context_more(self) -> None:
        """One that changes nothing for this document leaves its dataset as it was. Whether its contexts are the ones
        that were agreed upon is for context validation (Data Integrity 1.0 §4.6)."""
        made = signed(STRICT)
        assert code({**made, "@context": [V2, EXAMPLES]}) == ""
        jcs = signed(STRICT, "eddsa-jcs-2022")
        assert code({**jcs, "@context": [EXAMPLES, V2]}) == "di.context"

    @pytest.mark.parametrize("term", ["VerifiableCredential", "id", "type"])
    def test_l07_a_protected_term(self, term: str) -> None:
        made = signed(STRICT)
        assert code({**made, "@context": [V2, {term: "https://evil.example/x"}]}) == "jsonld.error"

    @pytest.mark.parametrize("name", ["_:c14n0", "_:b0", "_:c14n1"])
    def test_l31_labels_of_the_document(self, name: str) -> None:
        """They are names inside the document and nothing more: canonical labels are given anew."""
        unnamed = {**STRICT, "id": None, "credentialSubject": [{"name": "a"}, {"name": "b"}]}
        bare = {key: value for key, value in unnamed.items() if value is not None}
        named = {**bare, "credentialSubject": [{"name": "a"}, {"id": name, "name": "b"}]}
        made = signed(bare)
        assert code({**named, "proof": made["proof"]}) == ""
        both = {**bare, "credentialSubject": [{"id": name, "name": "a"}, {"id": name, "name": "b"}]}
        assert code({**both, "proof": made["proof"]}) == "signature.invalid"


class TestPurposeAndSuite:
    @pytest.mark.parametrize("purpose", ["authentication", "capabilityInvocation", "keyAgreement", "AssertionMethod"])
    def test_l10_another_purpose(self, purpose: str) -> None:
        made = signed(STRICT)
        assert code({**made, "proof": {**made["proof"], "proofPurpose": purpose}}) == "di.purpose"
        assert code(made, purpose=purpose) == "di.purpose"
        assert code(made) == ""

    @pytest.mark.parametrize(("suite", "algorithm"), PAIRS)
    def test_l13_a_key_of_another_kind(self, suite: str, algorithm: Algorithm) -> None:
        key = signer(algorithm)
        made = signed(STRICT, suite, key)
        for other in {Algorithm.EDDSA, Algorithm.ES256, Algorithm.ES384} - {algorithm}:
            expected = "di.key_of_other_suite" if "eddsa" in (suite, other) or "eddsa" in suite else None
            found = code(made, signer(other).public_key)
            assert found in ((expected,) if expected else ("di.key_of_other_suite", "signature.invalid"))

    def test_l13_suites_exchanged(self) -> None:
        made = signed(STRICT)
        for suite in ("eddsa-jcs-2022", "ecdsa-rdfc-2019", "ecdsa-jcs-2019"):
            assert code({**made, "proof": {**made["proof"], "cryptosuite": suite}}) in (
                "signature.invalid",
                "di.key_of_other_suite",
            )

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"type": "Ed25519Signature2018"}, "di.type"),
            ({"type": "Ed25519Signature2020"}, "di.type"),
            ({"type": ["DataIntegrityProof"]}, "json.wrong_type"),
            ({"cryptosuite": "eddsa-2022"}, "di.suite"),
            ({"cryptosuite": "none"}, "di.suite"),
            ({"cryptosuite": ""}, "di.suite"),
        ],
    )
    def test_l13_unknown(self, change: dict[str, Any], expected: str) -> None:
        made = signed(STRICT)
        assert code({**made, "proof": {**made["proof"], **change}}) == expected

    def test_l13_no_suite(self) -> None:
        made = signed(STRICT)
        del made["proof"]["cryptosuite"]
        assert code(made) == "json.missing"


class TestValue:
    def with_value(self, made: dict[str, Any], value: Any, key: PublicKey = KEY.public_key) -> str:
        return code({**made, "proof": {**made["proof"], "proofValue": value}}, key)

    def test_l14_other_multibase(self) -> None:
        made = signed(STRICT)
        raw = multibase.decode(made["proof"]["proofValue"])
        for value, expected in (
            ("u" + base58.encode(raw), "multibase.base"),
            ("f" + raw.hex(), "multibase.base"),
            ("Z" + base58.encode(raw), "multibase.base"),
            (base58.encode(raw), "multibase.base"),
            ("", "multibase.base"),
            ("z", "multibase.alphabet"),
            ("z" + base58.encode(raw) + " ", "multibase.alphabet"),
            ("z0" + base58.encode(raw), "multibase.alphabet"),
        ):
            assert self.with_value(made, value) == expected, value
        assert self.with_value(made, multibase.encode(raw)) == ""

    def test_l14_lengths(self) -> None:
        made = signed(STRICT)
        raw = multibase.decode(made["proof"]["proofValue"])
        for wrong in (raw[:-1], raw + b"\0", b"\0" + raw, raw + raw[:32], b""):
            if wrong:
                assert self.with_value(made, multibase.encode(wrong)) == "signature.invalid"
        start = time.process_time()
        assert self.with_value(made, "z" + "2" * (1 << 20)) == "multibase.too_long"
        assert time.process_time() - start < BUDGET

    @pytest.mark.parametrize("suite", ["ecdsa-rdfc-2019", "ecdsa-jcs-2019"])
    @pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.ES384])
    def test_o13_der(self, suite: str, algorithm: Algorithm) -> None:
        key = Curve(algorithm)
        made = signed(STRICT, suite, key)

        class Der(Curve):
            def sign(self, message: bytes) -> bytes:
                return self.der(message)

        der = signed(STRICT, suite, Der(algorithm))
        assert code(made, key.public_key) == ""
        assert code(der, key.public_key) in ("signature.invalid", "multibase.too_long")

    @pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.ES384])
    def test_o13_outside_the_field(self, algorithm: Algorithm) -> None:
        key = Curve(algorithm)
        made = signed(STRICT, "ecdsa-rdfc-2019", key)
        raw = multibase.decode(made["proof"]["proofValue"])
        size, order = len(raw) // 2, ORDERS[algorithm]
        zero, most = bytes(size), order.to_bytes(size, "big")
        for r, s in ((zero, zero), (zero, raw[size:]), (raw[:size], zero), (most, raw[size:]), (raw[:size], most)):
            assert self.with_value(made, multibase.encode(r + s), key.public_key) == "signature.invalid"

    @pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.ES384])
    def test_o13_the_other_s(self, algorithm: Algorithm) -> None:
        """(r, n-s) is a signature as well (FIPS 186-5): a proof's bytes are no name for it, and nothing here uses them
        as one."""
        key = Curve(algorithm)
        made = signed(STRICT, "ecdsa-rdfc-2019", key)
        raw = multibase.decode(made["proof"]["proofValue"])
        size = len(raw) // 2
        other = (ORDERS[algorithm] - int.from_bytes(raw[size:], "big")).to_bytes(size, "big")
        assert self.with_value(made, multibase.encode(raw[:size] + other), key.public_key) == ""

    @pytest.mark.parametrize("suite", ["eddsa-rdfc-2022", "eddsa-jcs-2022"])
    def test_hashes_in_the_wrong_order(self, suite: str) -> None:
        """§9 of the suites: the proof's hash is first. And it is not left out, nor is either hashed once more."""
        made = signed(STRICT, suite)
        config = {name: value for name, value in made["proof"].items() if name != "proofValue"}
        if "jcs" in suite:
            from cityid.encoding import jcs

            first, second = (hashlib.sha256(jcs.canonical(each)).digest() for each in (config, STRICT))
        else:
            both = ({**config, "@context": STRICT["@context"]}, STRICT)
            first, second = (hashlib.sha256(rdfc.canonical(each, contexts)).digest() for each in both)
        assert self.with_value(made, multibase.encode(KEY.sign(first + second))) == ""
        for wrong in (second + first, second, first, hashlib.sha256(first + second).digest(), first + second + b"\0"):
            assert self.with_value(made, multibase.encode(KEY.sign(wrong))) == "signature.invalid"

    def test_l17_canonical_json(self) -> None:
        made = signed(STRICT, "eddsa-jcs-2022", created="2026-01-01T00:00:00Z")
        proof = made["proof"]
        assert code({**made, "proof": dict(reversed(proof.items()))}) == ""
        assert code({**made, "proof": {**proof, "@context": [V2, EXAMPLES]}}) == "di.context"
        assert code({**made, "@context": [V2, EXAMPLES]}) == ""
        assert code({**made, "proof": {**proof, "remark": "x"}}) == "signature.invalid"
        assert code({**made, "proof": {key: proof[key] for key in proof if key != "created"}}) == "signature.invalid"
        assert code({**made, "proof": {key: proof[key] for key in proof if key != "@context"}}) == "signature.invalid"

    def test_l29_numbers(self) -> None:
        """In a dataset 1 and 1.0 are one literal. What cannot be told apart after reading is refused before."""
        numbered = {**STRICT, "@context": [V2, {"n": "https://n.example/"}]}
        made = signed({**numbered, "n": 1})
        assert code({**made, "n": 1.0}) == ""
        assert code({**made, "n": 1.5}) == "signature.invalid"
        assert code({**made, "n": "1"}) == "signature.invalid"
        assert code({**made, "n": True}) == "signature.invalid"
        assert code({**made, "n": 2**53}) == "json.integer_too_large"
        precise = signed({**numbered, "n": 1}, "eddsa-jcs-2022")
        assert code({**precise, "n": True}) == "signature.invalid"


class TestSetsAndChains:
    def test_l15_one_valid_and_one_not(self) -> None:
        made = sets.add(signed(STRICT), options(), signer(Algorithm.EDDSA, 8), load=contexts)
        first, second = made["proof"]
        assert code({**made, "proof": [first]}) == ""
        assert code(made) == "signature.invalid"
        assert code({**made, "proof": [second, first]}) == "signature.invalid"
        assert code({**made, "proof": [first, {**first, "cryptosuite": "unknown-2030"}]}) == "di.suite"
        assert code({**made, "proof": [first, {**first, "type": "Unknown"}]}) == "di.type"
        assert code({**made, "proof": []}) == "di.empty"

    def test_l16_links(self) -> None:
        """Every case of a link is in tests/spec/test_proofs_sets.py; this is the one that matters: an endorsement is
        taken for one of something else."""
        council = sets.add(signed(STRICT, id="urn:proof:1"), options(previousProof="urn:proof:1"), KEY, load=contexts)
        assert code(council) == ""
        other = signed({**STRICT, "issuer": "https://evil.example"}, id="urn:proof:1")
        assert code(other) == ""
        assert code({**other, "proof": [other["proof"], council["proof"][1]]}) == "signature.invalid"
        alone = {name: value for name, value in council["proof"][1].items() if name != "previousProof"}
        assert code({**council, "proof": alone}) == "signature.invalid"
        assert code({**council, "proof": council["proof"][1]}) == "di.no_such_proof"

    def test_l18_l22_times_domains_and_challenges_are_signed(self) -> None:
        given = {"created": "2026-01-01T00:00:00Z", "expires": "2026-02-01T00:00:00Z", "domain": "a", "challenge": "c"}
        made = signed(STRICT, **given)
        assert code(made) == ""
        for name, value in (("expires", "2027-02-01T00:00:00Z"), ("domain", ["a", "b"]), ("challenge", "d")):
            assert code({**made, "proof": {**made["proof"], name: value}}) == "signature.invalid"
        assert code({**made, "proof": {**made["proof"], "challenge": ["c"]}}) == "json.wrong_type"
        assert members.read(made["proof"]).domain == frozenset("a")


class TestWork:
    """Everything ends within the budget, with a code."""

    @pytest.mark.parametrize("count", range(4, 13))
    def test_l08_cliques(self, count: int) -> None:
        nodes = [
            {"@id": f"_:n{one}", "p": [f"_:n{other}" for other in range(count) if other != one]} for one in range(count)
        ]
        document = {"@context": {"p": {"@id": "https://p.example/", "@type": "@id"}}, "@graph": nodes}
        assert self.end(document) == ("" if count < 6 else "rdf.work")

    def test_l08_many_nodes(self) -> None:
        def of(count: int) -> dict[str, Any]:
            return {"@context": {"p": "https://p.example/"}, "p": [{"p": str(number)} for number in range(count)]}

        assert self.end(of(limits.BLANK_NODES - 1)) == ""
        assert self.end(of(limits.BLANK_NODES)) == "rdf.blank_nodes"

    def test_l09_depth(self) -> None:
        def deep(levels: int) -> dict[str, Any]:
            made: Any = "x"
            for _ in range(levels):
                made = {"p": made}
            return {"@context": {"p": "https://p.example/"}, **made}

        assert self.end(deep(20)) == ""
        assert self.end(deep(300)) == "json.too_deep"

    def test_a_large_document(self) -> None:
        assert self.end({"@context": {"p": "https://p.example/"}, "p": ["x"] * 9_000}) == ""
        assert self.end({"@context": {"p": "https://p.example/"}, "p": ["x"] * 20_000}) == "jsonld.work"

    def end(self, document: dict[str, Any]) -> str:
        best, found = BUDGET * 4, ""
        for _ in range(3):  # a busy machine counts as ours
            start = time.process_time()
            try:
                jsonld.canonical(document, contexts)
                found = ""
            except Malformed as error:
                found = error.code
            best = min(best, time.process_time() - start)
            if best < BUDGET:
                break
        assert best < BUDGET
        return found


def test_nothing_but_our_errors() -> None:
    """Whatever stands where a proof should be."""
    made = signed(STRICT)
    anything: list[Any] = [None, True, 0, -1.5, "", "x", [], [[]], {}, {"@id": "x"}, ["x"]]
    for name in made["proof"]:
        for value in anything:
            assert code({**made, "proof": {**made["proof"], name: value}}) != ""
    for value in (*anything, [None], [{}]):
        assert code({**made, "proof": value}) != ""
    with pytest.raises(Malformed):
        proofs.check(STRICT, {}, KEY.public_key, load=contexts)
