"""Data Integrity 1.0: the members of a proof (§2.1), and creating and checking one (§4.2, §4.4) by its suite."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cityid import limits, proofs
from cityid.errors import CityIdError, Malformed, Misuse, Refused
from cityid.keys import Algorithm, PublicKey
from cityid.proofs import jcs, rdfc
from tests.proofs import EXAMPLES, PAIRS, SUITES, V2, contexts, credential, options, signer

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
KEY = signer(Algorithm.EDDSA)


def code(run: Callable[[], Any]) -> str:
    try:
        run()
    except (Malformed, Refused) as error:
        return error.code
    return ""


def checked(document: Any, proof: Any, key: PublicKey = KEY.public_key) -> str:
    return code(lambda: proofs.check(document, proof, key, load=contexts))


def read(**more: Any) -> proofs.Proof:
    return proofs.read(options(**({"proofValue": "z2"} | more)))


class TestMembers:
    """§2.1"""

    def test_all_of_them(self) -> None:
        found = read(
            id="urn:x:1",
            created="2026-05-01T14:00:00+02:00",
            expires="2026-06-01T00:00:00Z",
            domain=["a.example", "b.example"],
            challenge="c",
            nonce="n",
            previousProof=["urn:x:2", "urn:x:3"],
        )
        assert found == proofs.Proof(
            "eddsa-rdfc-2022",
            "assertionMethod",
            "did:example:abcdefgh#key-1",
            "z2",
            "urn:x:1",
            AT,
            datetime(2026, 6, 1, tzinfo=UTC),
            frozenset({"a.example", "b.example"}),
            "c",
            "n",
            ("urn:x:2", "urn:x:3"),
            "$.proof",
        )

    def test_only_those_that_must_be(self) -> None:
        found = read()
        assert (found.id, found.created, found.expires, found.domain, found.challenge, found.nonce) == (None,) * 6
        assert found.previous == ()

    def test_one_instead_of_a_list(self) -> None:
        found = read(domain="a.example", previousProof="urn:x:2")
        assert (found.domain, found.previous) == (frozenset({"a.example"}), ("urn:x:2",))

    @pytest.mark.parametrize("name", ["type", "cryptosuite", "proofPurpose", "verificationMethod", "proofValue"])
    def test_missing(self, name: str) -> None:
        assert code(read) == ""
        assert code(lambda: proofs.read({key: "" for key in options() if key != name})) in ("json.missing", "di.type")
        made = options(proofValue="z2")
        del made[name]
        assert code(lambda: proofs.read(made)) == "json.missing"

    @pytest.mark.parametrize(
        "name",
        [
            "type",
            "cryptosuite",
            "proofPurpose",
            "verificationMethod",
            "proofValue",
            "id",
            "created",
            "expires",
            "domain",
            "challenge",
            "nonce",
            "previousProof",
        ],
    )
    @pytest.mark.parametrize("value", [None, 1, True, {}, [1]])
    def test_of_another_type(self, name: str, value: Any) -> None:
        made = options(proofValue="z2")
        made[name] = value
        assert code(lambda: proofs.read(made)) == "json.wrong_type"

    @pytest.mark.parametrize(
        ("member", "good", "bad", "expected"),
        [
            ("type", "DataIntegrityProof", "Ed25519Signature2020", "di.type"),
            ("verificationMethod", "did:a:b#c", "#c", "di.url"),
            ("verificationMethod", "did:a:b#c", "did:", "di.url"),
            ("id", "urn:x", "456321", "di.url"),
            ("created", "2026-05-01T12:00:00Z", "2026-05-01T12:00:00", "time.not_a_stamp"),
            ("created", "2026-05-01T12:00:00Z", "2026-05-01", "time.not_a_stamp"),
            ("expires", "2026-05-01T12:00:00.5-01:00", "2026-05-01T25:00:00Z", "time.not_a_stamp"),
            ("domain", ["a"], [], "di.empty"),
            ("previousProof", ["urn:x"], [], "di.empty"),
            ("previousProof", ["urn:x"], ["urn:x", 456321], "json.wrong_type"),
        ],
    )
    def test_values(self, member: str, good: Any, bad: Any, expected: str) -> None:
        assert code(lambda: read(**{member: good})) == ""
        with pytest.raises(Malformed) as error:
            read(**{member: bad})
        assert error.value.code == expected
        assert error.value.problem.where.startswith(f"$.proof.{member}")

    @pytest.mark.parametrize("proof", [None, [], "x", [options()]])
    def test_no_object(self, proof: Any) -> None:
        assert code(lambda: proofs.read(proof)) == "json.not_an_object"


class TestTimes:
    """Our rule: a proof is neither from the future nor expired, give or take `limits.SKEW`."""

    def test_created(self) -> None:
        made = read(created="2026-05-01T12:00:00Z")
        assert code(lambda: made.check_time(AT - limits.SKEW)) == ""
        assert code(lambda: made.check_time(AT - limits.SKEW - timedelta(seconds=1))) == "di.not_yet"
        assert code(lambda: made.check_time(AT + timedelta(days=9999))) == ""

    def test_expires(self) -> None:
        made = read(expires="2026-05-01T12:00:00Z")
        assert code(lambda: made.check_time(AT + limits.SKEW - timedelta(seconds=1))) == ""
        assert code(lambda: made.check_time(AT + limits.SKEW)) == "di.expired"
        assert code(lambda: made.check_time(AT - timedelta(days=9999))) == ""

    def test_never(self) -> None:
        stamp = "2026-05-01T12:00:00Z"
        assert code(lambda: read(created=stamp, expires=stamp).check_time(AT)) == ""
        assert code(lambda: read(created="2026-05-01T12:00:01Z", expires=stamp).check_time(AT)) == "di.never_valid"

    def test_none(self) -> None:
        assert code(lambda: read().check_time(AT)) == ""


class TestChallenge:
    """§4.4: `domain` is compared as a set, `challenge` exactly."""

    def test_domain(self) -> None:
        made = read(domain=["b", "a", "a"], challenge="c")
        assert code(lambda: made.check_challenge("c", frozenset("ab"))) == ""
        for other in map(frozenset, ("a", "abc", "AB", "")):
            with pytest.raises(Refused) as error:
                made.check_challenge("c", other)
            assert error.value.code == "di.domain"
        assert code(lambda: read(challenge="c").check_challenge("c", frozenset("a"))) == "di.domain"

    def test_challenge(self) -> None:
        made = read(domain="a", challenge="c")
        assert code(lambda: made.check_challenge("c", frozenset("a"))) == ""
        assert code(lambda: made.check_challenge("C", frozenset("a"))) == "di.challenge"
        assert code(lambda: read(domain="a").check_challenge("c", frozenset("a"))) == "di.challenge"


@pytest.mark.parametrize(("suite", "algorithm"), PAIRS)
class TestCreateAndCheck:
    """§4.2 and §4.4"""

    def test_round(self, suite: str, algorithm: Algorithm) -> None:
        key = signer(algorithm)
        made = proofs.create(credential(), options(suite), key, load=contexts)
        assert made["proofValue"][0] == ("u" if "mldsa" in suite else "z")
        assert ("@context" in made) == (suite in jcs.SUITES)
        proofs.check(credential(), made, key.public_key, load=contexts)
        for changed in (credential(issuer="https://vc.example/issuers/5679"), credential(validFrom=None)):
            assert checked(changed, made, key.public_key) == "signature.invalid"

    def test_each_member_is_signed(self, suite: str, algorithm: Algorithm) -> None:
        key = signer(algorithm)
        full = options(
            suite,
            id="urn:x:1",
            created="2026-05-01T12:00:00Z",
            expires="2026-06-01T12:00:00Z",
            domain="a.example",
            challenge="c",
            nonce="n",
            previousProof="urn:x:2",
        )
        made = proofs.create(credential(), full, key, load=contexts)
        assert checked(credential(), made, key.public_key) == ""
        for name in ("id", "created", "expires", "domain", "challenge", "nonce", "previousProof"):
            without = {other: value for other, value in made.items() if other != name}
            changed = {**made, name: made[name].replace("2026", "2025") if made[name][-1] == "Z" else made[name] + "x"}
            for proof in (without, changed):
                assert checked(credential(), proof, key.public_key) == "signature.invalid", name
        other_method = {**made, "verificationMethod": "did:example:abcdefgh#key-2"}
        assert checked(credential(), other_method, key.public_key) == "signature.invalid"

    def test_another_key(self, suite: str, algorithm: Algorithm) -> None:
        made = proofs.create(credential(), options(suite), signer(algorithm), load=contexts)
        other = signer(algorithm, 8).public_key
        assert checked(credential(), made, other) == "signature.invalid"

    def test_a_key_of_another_suite(self, suite: str, algorithm: Algorithm) -> None:
        made = proofs.create(credential(), options(suite), signer(algorithm), load=contexts)
        kind = Algorithm.ES256 if algorithm is Algorithm.EDDSA else Algorithm.EDDSA
        other = signer(kind)
        assert checked(credential(), made, other.public_key) == "di.key_of_other_suite"
        with pytest.raises(Misuse) as error:
            proofs.create(credential(), options(suite), other, load=contexts)
        assert error.value.code == "di.key"

    def test_purpose(self, suite: str, algorithm: Algorithm) -> None:
        key = signer(algorithm)
        made = proofs.create(credential(), options(suite, proofPurpose="authentication"), key, load=contexts)
        proofs.check(credential(), made, key.public_key, purpose="authentication", load=contexts)
        assert checked(credential(), made, key.public_key) == "di.purpose"

    def test_where(self, suite: str, algorithm: Algorithm) -> None:
        key = signer(algorithm)
        made = proofs.create(credential(), options(suite), key, load=contexts) | {"proofValue": "f2"}
        with pytest.raises(CityIdError) as error:
            proofs.check(credential(), made, key.public_key, load=contexts, where="$.proof[1]")
        assert error.value.code == ("di.encoding" if "mldsa" in suite else "multibase.base")
        assert error.value.problem.where == "$.proof[1].proofValue"


class TestSuites:
    def test_names(self) -> None:
        assert set(proofs.SUITES) == set(SUITES)
        assert set(rdfc.SUITES) < set(SUITES)

    @pytest.mark.parametrize("name", ["eddsa-2022", "json-eddsa-2022", "ecdsa-sd-2023", "bbs-2023", "EDDSA-RDFC-2022"])
    def test_unknown(self, name: str) -> None:
        made = proofs.create(credential(), options(), KEY, load=contexts)
        changed = {**made, "cryptosuite": name}
        assert checked(credential(), made) == ""
        assert checked(credential(), changed) == "di.suite"
        with pytest.raises(Misuse) as error:
            proofs.create(credential(), options(name), KEY, load=contexts)
        assert error.value.code == "di.key"

    @pytest.mark.parametrize(
        ("member", "value", "expected"),
        [
            ("cryptosuite", None, "json.missing"),
            ("proofPurpose", None, "json.missing"),
            ("type", "Ed25519Signature2020", "di.type"),
            ("created", "today", "time.not_a_stamp"),
        ],
    )
    def test_our_own_options_are_read_as_strictly(self, member: str, value: Any, expected: str) -> None:
        given = options(**{member: value})
        with pytest.raises(Malformed) as error:
            proofs.create(credential(), given, KEY, load=contexts)
        assert error.value.code == expected
        assert error.value.problem.where == f"$.options.{member}"


class TestRdfc:
    """DI EdDSA 1.0 §3.2, DI ECDSA 1.0 §3.2"""

    def test_the_context_of_the_options_is_the_document_s(self) -> None:
        made = proofs.create(credential(), options(), KEY, load=contexts)
        said = {**made, "@context": [V2, EXAMPLES]}
        assert checked(credential(), said) == ""
        for other in ([V2], V2, None, [EXAMPLES, V2]):
            assert checked(credential(), {**made, "@context": other}) == "di.context"

    def test_a_proof_member_that_no_context_knows(self) -> None:
        strict = credential(**{"@context": [V2], "type": ["VerifiableCredential"], "credentialSubject": {"id": "a:b"}})
        made = proofs.create(strict, options(), KEY, load=contexts)
        assert checked(strict, made) == ""
        assert checked(strict, {**made, "remark": "x"}) == "jsonld.dropped"

    def test_a_document_without_contexts(self) -> None:
        bare = credential(**{"@context": None})
        with pytest.raises(Malformed) as error:
            proofs.create(bare, options(), KEY, load=contexts)
        assert error.value.code == "jsonld.dropped"

    def test_half_a_character(self) -> None:
        with pytest.raises(Malformed) as error:
            proofs.create(credential(name="\ud800"), options(), KEY, load=contexts)
        assert error.value.code == "json.surrogate"
        assert proofs.create(credential(name="\ud7ff"), options(), KEY, load=contexts)
