"""Group B of the catalogue where it strikes bbs-2023: features, headers, domains, indexes, splicing; and what an
observer can link. Each case has a twin that holds."""

from __future__ import annotations

import copy
import secrets
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import pytest

from cityid.bbs import keys
from cityid.encoding import base64url, cbor
from cityid.keys import Algorithm, PublicKey
from cityid.proofs import bbs2023, components, members, selective
from cityid.proofs.bbs2023 import AS_SHOWN, Feature, Holder
from cityid.proofs.bbs2023_values import Base, Derived, read_base, read_derived
from tests.proofs import contexts, signer
from tests.sd import CHOSEN, MANDATORY, BbsIssuer, card, code, given, options

pytest.importorskip("pyblst", reason="the extra `bbs` is not installed")

ISSUER = BbsIssuer()
KEY = ISSUER.public_key
PH = b"nonce of city.example"
DOMAIN = "https://poll.example/1"
SECRET = b"s" * 32
NYM = (12345).to_bytes(32, "big")
FEATURES = list(Feature)


class Card(NamedTuple):
    document: dict[str, Any]
    base: dict[str, Any]
    holder: Holder | None


@cache
def _signed(feature: Feature, family: str, nym: bytes, seed: int) -> Card:
    holder, commitment = None, b""
    if feature is not Feature.BASELINE:
        commitment, holder = bbs2023.commit(
            feature, secret=SECRET if feature.bound else b"", nym=nym if feature.named else b""
        )
    document = card(family_name=family)
    base = bbs2023.create_base(
        document,
        options("bbs-2023"),
        ISSUER,
        mandatory=MANDATORY,
        load=contexts,
        entropy=given(bytes([seed]) * 32, bytes([seed]) * 48),
        feature=feature,
        commitment=commitment,
        alike=False,
    )
    return Card(document, base, holder)


def signed(feature: Feature = Feature.BASELINE, family: str = "Byron", nym: bytes = NYM, seed: int = 1) -> Card:
    return copy.deepcopy(_signed(feature, family, nym, seed))


def show(one: Card, feature: Feature = Feature.BASELINE, *more: str, **named: Any) -> tuple[Any, Any]:
    given_here: dict[str, Any] = {
        "load": contexts,
        "presentation_header": PH,
        "feature": feature,
        "holder": one.holder,
        "nym_domain": DOMAIN if feature.named else "",
    }
    return bbs2023.derive(one.document, one.base, selective=[*CHOSEN, *more], **(given_here | named))


@cache
def _shown(feature: Feature) -> tuple[Any, Any]:
    return show(signed(feature), feature)


def shown(feature: Feature = Feature.BASELINE) -> tuple[Any, Any]:
    return copy.deepcopy(_shown(feature))


def check(document: Any, proof: Any, feature: Feature = Feature.BASELINE, key: PublicKey = KEY, **named: Any) -> str:
    given_here: dict[str, Any] = {
        "load": contexts,
        "presentation_header": PH,
        "feature": feature,
        "nym_domain": DOMAIN if feature.named else "",
    }
    return code(bbs2023.check, document, proof, key, **(given_here | named))


def check_base(one: Card, feature: Feature = Feature.BASELINE, key: PublicKey = KEY, **named: Any) -> str:
    given_here: dict[str, Any] = {"load": contexts, "feature": feature, "holder": one.holder}
    return code(bbs2023.check_base, one.document, one.base, key, **(given_here | named))


def derived(proof: dict[str, Any], feature: Feature = Feature.BASELINE) -> Derived:
    return read_derived(members.read(proof), feature)


def changed(shown_with: dict[str, Any], feature: Feature = Feature.BASELINE, **more: Any) -> dict[str, Any]:
    return {**shown_with, "proofValue": replace(derived(shown_with, feature), **more).write(feature)}


def base_of(one: Card, feature: Feature = Feature.BASELINE) -> Base:
    return read_base(members.read(one.base), feature)


def rebased(one: Card, feature: Feature = Feature.BASELINE, **more: Any) -> Card:
    return one._replace(base={**one.base, "proofValue": replace(base_of(one, feature), **more).write(feature)})


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.value)
class TestEveryFeature:
    def test_strict(self, feature: Feature) -> None:
        """The twin of all that follows."""
        assert check_base(signed(feature), feature) == ""
        assert check(*shown(feature), feature) == ""
        held = bbs2023.check_base(
            *signed(feature)[:2], KEY, load=contexts, feature=feature, holder=signed(feature).holder
        )
        assert check(*show(signed(feature), feature, held=held), feature) == ""
        assert (repr(signed(feature).holder), repr(base_of(signed(feature), feature)), repr(held)) == (
            "None" if feature is Feature.BASELINE else "Holder()",
            "Base()",
            "Held()",
        )

    def test_b14_other_features(self, feature: Feature) -> None:
        """No downgrade, and no upgrade: the caller says what it must be."""
        for other in FEATURES:
            expected = "" if other is feature else "bbs2023.feature"
            assert check(*shown(feature), other) == expected
            assert check_base(signed(feature), other, holder=signed(other).holder) == expected

    def test_b14_a_head_that_was_changed(self, feature: Feature) -> None:
        document, proof = shown(feature)
        raw = base64url.decode(proof["proofValue"][1:])
        for other in FEATURES:
            value = "u" + base64url.encode(other.derived + raw[3:])
            found = check(document, {**proof, "proofValue": value}, other)
            same = {feature.named, other.named} == {True}
            assert found == ("" if other is feature or same else "sd.components")

    def test_b14_a_base_proof_to_a_verifier(self, feature: Feature) -> None:
        one = signed(feature)
        assert check(one.document, one.base, feature) == "sd.base_proof"
        found = code(show, one._replace(base=shown(feature)[1]), feature)
        assert found == "sd.not_a_base_proof"

    def test_b07_another_occasion(self, feature: Feature) -> None:
        document, proof = shown(feature)
        assert check(document, proof, feature, presentation_header=b"another") == "bbs2023.presentation_header"
        assert check(document, proof, feature, presentation_header=b"") == "bbs2023.presentation_header"
        assert check(document, proof, feature, presentation_header=AS_SHOWN) == ""
        moved = changed(proof, feature, presentation_header=b"another")
        assert check(document, moved, feature, presentation_header=b"another") == "bbs.proof"
        assert check(document, moved, feature, presentation_header=AS_SHOWN) == "bbs.proof"

    def test_a_value_changed(self, feature: Feature) -> None:
        document, proof = shown(feature)
        document["credentialSubject"]["given_name"] = "Bob"
        assert check(document, proof, feature) == "bbs.proof"
        document, proof = shown(feature)
        document["validUntil"] = "2030-01-01T00:00:00Z"
        assert check(document, proof, feature) == "bbs.proof"

    def test_another_issuer(self, feature: Feature) -> None:
        other = BbsIssuer(keys.key_gen(b"o" * 32)).public_key
        assert check(*shown(feature), feature, other) == "bbs.proof"
        assert check_base(signed(feature), feature, other) == "bbs2023.public_key"

    def test_the_statements_that_are_counted(self, feature: Feature) -> None:
        if feature is Feature.BASELINE:
            return
        document, proof = shown(feature)
        length = derived(proof, feature).length
        for bad in (length - 1, length + 1):
            assert check(document, changed(proof, feature, length=bad), feature) in ("bbs.proof", "bbs.too_few")
        assert check(document, changed(proof, feature, length=2**24), feature) == "bbs.too_many"


class TestKeys:
    def test_l13_a_key_of_another_kind(self) -> None:
        key = signer(Algorithm.ES256).public_key
        assert check(*shown(), key=key) == "di.key_of_other_suite"
        assert check_base(signed(), key=key) == "di.key_of_other_suite"
        made = code(
            bbs2023.create_base, card(), options("bbs-2023"), signer(Algorithm.ES256), mandatory=[], load=contexts
        )
        assert made == "di.key"
        assert (
            code(bbs2023.create_base, card(), options("ecdsa-sd-2023"), ISSUER, mandatory=[], load=contexts) == "di.key"
        )

    def test_l10_l13_another_suite_or_purpose(self) -> None:
        document, proof = shown()
        assert check(document, {**proof, "cryptosuite": "ecdsa-sd-2023"}) == "di.suite"
        assert check(document, proof, purpose="authentication") == "di.purpose"
        assert check(document, {**proof, "@context": []}) == "di.context"
        assert check(document, {**proof, "@context": document["@context"]}) == ""

    def test_the_hint_in_a_base_proof(self) -> None:
        """Whoever believed the key that stands in the proof would take a card of Mallory's."""
        mallory = BbsIssuer(keys.key_gen(b"m" * 32))
        base = bbs2023.create_base(card(), options("bbs-2023"), mallory, mandatory=MANDATORY, load=contexts)
        one = Card(card(), base, None)
        assert check_base(one, key=mallory.public_key) == ""
        assert check_base(one) == "bbs2023.public_key"
        assert check(*show(one)) == "bbs.proof"
        relabelled = rebased(one, public_key=KEY.raw)
        assert check_base(relabelled) == "bbs.signature"


class TestB04B05:
    def test_b04_indexes(self) -> None:
        document, proof = shown()
        found = derived(proof)
        assert check(document, changed(proof, mandatory=found.mandatory[::-1])) == "sd.indexes"
        assert check(document, changed(proof, mandatory=(*found.mandatory, 99))) == "sd.indexes"
        assert check(document, changed(proof, selective=found.selective[::-1])) == "bbs.index"
        assert check(document, changed(proof, selective=(*found.selective[:-1], found.selective[-2]))) == "bbs.index"
        assert check(document, changed(proof, selective=(*found.selective[:-1], 99))) == "bbs.index"
        assert check(document, changed(proof, selective=found.selective[:-1])) == "bbs.index_count"
        shifted = tuple(index + 1 for index in found.selective)
        assert check(document, changed(proof, selective=shifted)) == "bbs.proof"

    def test_b05_moved_between_mandatory_and_selective(self) -> None:
        document, proof = shown()
        found = derived(proof)
        lines = selective.shown_lines(document, found.labels, contexts, "$")
        free = next(at for at in range(len(lines)) if at not in found.mandatory)
        moved = changed(proof, mandatory=tuple(sorted((*found.mandatory, free))), selective=found.selective[1:])
        assert check(document, moved) == "bbs.proof"

    def test_l27_label_maps(self) -> None:
        document, proof = shown()
        good = dict(derived(proof).labels)
        first, second, *_ = good
        for bad in (good | {second: good[first]}, good | {99: "b99"}, dict(list(good.items())[1:])):
            assert check(document, changed(proof, labels=bad)) == "sd.label_map"
        assert check(document, changed(proof, labels=good | {first: good[second], second: good[first]})) == "bbs.proof"
        assert check(document, changed(proof, labels=dict(reversed(good.items())))) == ""

    def test_two_credentials_mixed(self) -> None:
        one, first = show(signed())
        other, second = show(signed(family="King", seed=2), Feature.BASELINE, "/credentialSubject/family_name")
        assert (check(one, first), check(other, second)) == ("", "")
        assert check(other, first) == check(one, second) == "bbs.index_count"
        assert check(one, changed(first, proof=derived(second).proof)) == "bbs.proof"


class TestB06B15:
    def test_b06_the_header_of_another_credential(self) -> None:
        one, other = signed(), signed(family="King", seed=2)
        assert check_base(rebased(one, header=b"\0" * 64)) == "bbs2023.header"
        assert check_base(rebased(one, header=base_of(other).header)) == "bbs2023.header"
        assert check_base(rebased(one, signature=base_of(other).signature)) == "bbs.signature"

    def test_b15_pointers_changed(self) -> None:
        one = signed()
        for mandatory in (("/issuer",), (*MANDATORY, CHOSEN[0])):
            altered = rebased(one, mandatory=mandatory)
            assert check_base(altered) == "bbs2023.header"
            assert check(*show(altered)) == "bbs.proof"

    def test_b15_the_document_changed(self) -> None:
        one = signed()
        one.document["credentialSubject"]["family_name"] = "King"
        assert check_base(one) == "bbs.signature"
        one = signed()
        one.document["validUntil"] = "2030-01-01T00:00:00Z"
        assert check_base(one) == "bbs2023.header"


class TestB14:
    @pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.value)
    def test_l14_each_part_has_its_type(self, feature: Feature) -> None:
        document, proof = shown(feature)
        parts = cbor.read(base64url.decode(proof["proofValue"][1:])[3:])
        for place in range(len(parts)):
            for bad in (None, -1, [1, "a"], {"a": 1}, {1: b"x"}):
                broken = [bad if at == place else part for at, part in enumerate(parts)]
                value = components.write(feature.derived, broken)
                assert check(document, {**proof, "proofValue": value}, feature) == "sd.component"
            value = components.write(feature.derived, parts[:-1])
            assert check(document, {**proof, "proofValue": value}, feature) == "sd.components"

    @pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.value)
    def test_l14_each_part_of_a_base_proof_has_its_type(self, feature: Feature) -> None:
        one = signed(feature)
        parts = cbor.read(base64url.decode(one.base["proofValue"][1:])[3:])
        for place in range(len(parts)):
            for bad in (None, 7, b"short", [1]):
                broken = [bad if at == place else part for at, part in enumerate(parts)]
                value = components.write(feature.base, broken)
                assert check_base(one._replace(base={**one.base, "proofValue": value}), feature) == "sd.component"

    def test_b14_heads(self) -> None:
        document, proof = shown()
        raw = base64url.decode(proof["proofValue"][1:])
        for head in (b"\xd9\x5d\x00", b"\xd9\x5d\x01", b"\xd9\x5d\x0a", b"\xd9\x5d\x0b", b"\0\0\3"):
            value = "u" + base64url.encode(head + raw[3:])
            assert check(document, {**proof, "proofValue": value}) == "sd.not_derived"
        assert [(feature.base[2], feature.derived[2]) for feature in FEATURES] == [(2, 3), (4, 5), (6, 7), (8, 9)]

    def test_b03_the_proof_itself(self) -> None:
        document, proof = shown()
        good = derived(proof).proof
        assert check(document, changed(proof, proof=good[:-1])) == "bbs.length"
        assert check(document, changed(proof, proof=good[:-32])) == "bbs.proof"
        assert check(document, changed(proof, proof=b"\xc0" + bytes(47) + good[48:])) == "bbs.identity"
        assert check(document, changed(proof, proof=bytes(20_000 * 32))) == "bbs.length"


class TestPseudonyms:
    FEATURE = Feature.PSEUDONYM

    def nym(self, one: Card, domain: str = DOMAIN) -> bytes:
        document, proof = show(one, self.FEATURE, nym_domain=domain)
        return bbs2023.check(
            document, proof, KEY, load=contexts, presentation_header=PH, feature=self.FEATURE, nym_domain=domain
        )

    def test_the_same_in_one_domain_and_another_elsewhere(self) -> None:
        one, other = signed(self.FEATURE), signed(self.FEATURE, nym=(999).to_bytes(32, "big"), seed=2)
        assert self.nym(one) == self.nym(one)
        assert len({self.nym(one), self.nym(one, "https://poll.example/2"), self.nym(other)}) == 3

    def test_another_domain_than_was_asked_for(self) -> None:
        document, proof = shown(self.FEATURE)
        assert check(document, proof, self.FEATURE, nym_domain="https://poll.example/2") == "bbs2023.nym_domain"
        moved = changed(proof, self.FEATURE, nym_domain="https://poll.example/2")
        assert check(document, moved, self.FEATURE, nym_domain="https://poll.example/2") == "bbs.proof"

    def test_somebody_else_s_pseudonym(self) -> None:
        document, proof = shown(self.FEATURE)
        _, other = show(signed(self.FEATURE, nym=(999).to_bytes(32, "big"), seed=2), self.FEATURE)
        taken = derived(other, self.FEATURE).pseudonym
        assert check(document, changed(proof, self.FEATURE, pseudonym=taken), self.FEATURE) == "bbs.proof"
        identity = b"\xc0" + bytes(47)
        assert check(document, changed(proof, self.FEATURE, pseudonym=identity), self.FEATURE) == "bbs.identity"

    def test_another_nym_than_was_signed(self) -> None:
        one = signed(self.FEATURE)
        assert one.holder is not None
        liar = one._replace(holder=replace(one.holder, nym=(999).to_bytes(32, "big")))
        assert check_base(liar, self.FEATURE) == "bbs.signature"
        assert code(show, liar, self.FEATURE) == "bbs.signature"

    def test_a_nym_for_the_next_credential(self) -> None:
        """Re-issued with the issuer's earlier entropy, a holder has the pseudonyms of before."""
        one = signed(self.FEATURE)
        assert one.holder is not None
        commitment, holder = bbs2023.commit(self.FEATURE, nym=one.holder.nym)
        base = bbs2023.create_base(
            one.document,
            options("bbs-2023"),
            ISSUER,
            mandatory=MANDATORY,
            load=contexts,
            feature=self.FEATURE,
            commitment=commitment,
            nym_entropy=base_of(one, self.FEATURE).nym_entropy,
        )
        assert self.nym(Card(one.document, base, holder)) == self.nym(one)

    def test_b08_domains_and_features_that_do_not_go_together(self) -> None:
        assert check(*shown(), nym_domain=DOMAIN) == "bbs2023.no_domain"
        assert check(*shown(self.FEATURE), self.FEATURE, nym_domain="") == "bbs2023.no_domain"
        assert code(show, signed(self.FEATURE), self.FEATURE, nym_domain="") == "bbs2023.no_domain"
        assert code(show, signed(), nym_domain=DOMAIN) == "bbs2023.no_domain"


class TestHolders:
    @pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.value)
    def test_secrets_and_features_that_do_not_go_together(self, feature: Feature) -> None:
        one = signed(feature)
        for secret, nym in ((b"", b""), (SECRET, b""), (b"", NYM), (SECRET, NYM)):
            fits = feature is not Feature.BASELINE and (bool(secret), bool(nym)) == (feature.bound, feature.named)
            expected = "" if fits else "bbs2023.holder"
            assert code(bbs2023.commit, feature, secret=secret, nym=nym) == expected
            if not fits:
                holder = Holder(b"b" * 32, secret, nym)
                assert check_base(one, feature, holder=holder) == "bbs2023.holder"
                assert code(show, one, feature, holder=holder) == "bbs2023.holder"
        if feature is not Feature.BASELINE:
            assert check_base(one, feature, holder=None) == "bbs2023.holder"

    def test_another_secret_than_was_signed(self) -> None:
        feature = Feature.HOLDER_BINDING
        one = signed(feature)
        assert one.holder is not None
        for liar in (replace(one.holder, secret=b"x" * 32), replace(one.holder, blind=NYM)):
            assert check_base(one._replace(holder=liar), feature) == "bbs.signature"
            assert code(show, one._replace(holder=liar), feature) == "bbs.signature"

    def test_commitments_and_features_that_do_not_go_together(self) -> None:
        commitment, _ = bbs2023.commit(Feature.HOLDER_BINDING, secret=SECRET)
        for feature, sent, expected in (
            (Feature.BASELINE, commitment, "bbs2023.commitment"),
            (Feature.HOLDER_BINDING, b"", "bbs2023.commitment"),
            (Feature.PSEUDONYM, commitment, "bbs.commitment"),
            (Feature.HOLDER_BINDING, commitment, ""),
        ):
            made = code(
                bbs2023.create_base,
                card(),
                options("bbs-2023"),
                ISSUER,
                mandatory=MANDATORY,
                load=contexts,
                feature=feature,
                commitment=sent,
            )
            assert made == expected


class TestB11B13:
    def test_b11_too_little_randomness(self) -> None:
        made = code(
            bbs2023.create_base, card(), options("bbs-2023"), ISSUER, mandatory=[], load=contexts, entropy=given(b"k")
        )
        assert made == "keys.entropy"
        assert code(show, signed(), entropy=given(b"k")) == "bbs.entropy"
        assert code(show, signed(), entropy=given(b"k" * 48)) == "bbs.entropy"

    def test_b13_labels_do_not_tell_the_order_of_what_is_hidden(self) -> None:
        """Two cards that differ only in values which are not shown: labels and indexes come in every order."""
        documents = [
            card(permits=[{"zone": "A", "year": 1}, {"zone": "B", "year": 2}, {"zone": hidden, "year": 3}])
            for hidden in ("AA", "ZZ")
        ]
        seen: list[set[Any]] = []
        for document in documents:
            found = set()
            for seed in range(24):
                group = selective.group(
                    document,
                    [["/issuer"], ["/issuer", "/credentialSubject/permits/2/year"]],
                    selective.shuffled(bytes([seed]) * 32),
                    contexts,
                )
                _, labels = selective.reveal(
                    document, ["/issuer", "/credentialSubject/permits/2/year"], group, 1, contexts
                )
                found.add(tuple(labels.values()))
            seen.append(found)
        assert min(map(len, seen)) > 12
        assert {labels[-1] for labels in seen[0]} == {labels[-1] for labels in seen[1]} == {f"b{at}" for at in range(7)}


def ngrams(data: bytes, size: int) -> set[bytes]:
    return {data[start : start + size] for start in range(len(data) - size + 1)}


class TestUnlinkable:
    """What k presentations of one credential share is what those of all residents share: a type whose cards are all of
    one form, with a card for each of five residents, each issued with fresh randomness."""

    FAMILIES = ("Byron", "King", "Noel", "Milbanke", "Lamb")

    def residents(self, feature: Feature = Feature.BASELINE) -> list[Card]:
        found = []
        for number, family in enumerate(self.FAMILIES):
            document = card(family_name=family, nationalities=["NL"], permits=[{"zone": family, "year": number}])
            holder, commitment = None, b""
            if feature is not Feature.BASELINE:
                commitment, holder = bbs2023.commit(feature, nym=(number + 1).to_bytes(32, "big"))
            base = bbs2023.create_base(
                document,
                options("bbs-2023"),
                ISSUER,
                mandatory=MANDATORY,
                load=contexts,
                feature=feature,
                commitment=commitment,
            )
            found.append(Card(document, base, holder))
        return found

    def presented(self, one: Card, number: int, feature: Feature) -> tuple[Derived, dict[str, Any], dict[str, Any]]:
        named: dict[str, Any] = {"nym_domain": f"https://poll.example/{number}"} if feature.named else {}
        document, proof = show(one, feature, presentation_header=b"%d-th occasion" % number, **named)
        rest = {name: said for name, said in proof.items() if name != "proofValue"}
        return derived(proof, feature), rest, document

    @pytest.mark.parametrize("feature", [Feature.BASELINE, Feature.PSEUDONYM], ids=lambda feature: feature.value)
    def test_presentations_share_what_residents_share(self, feature: Feature) -> None:
        residents = self.residents(feature)
        mine = [self.presented(residents[0], number, feature) for number in range(5)]
        others = [self.presented(other, number, feature) for number, other in enumerate(residents)]
        # What is not chance: labels, indexes, options, the document. One for all, whoever shows it.
        said = [
            (list(value.labels.items()), value.mandatory, value.selective, value.length, len(value.proof), rest, shown_)
            for value, rest, shown_ in (*mine, *others)
        ]
        assert all(each == said[0] for each in said)
        # What is: no two have five bytes in common, of one resident or of several.
        for presented in (mine, others):
            seen: set[bytes] = set()
            for value, _, _ in presented:
                parts = ngrams(value.proof, 5) | ngrams(value.pseudonym, 5)
                assert not seen & parts
                seen |= parts

    def test_labels_by_chance_would_tell_cards_apart(self) -> None:
        """The twin: that the test above sees label maps."""
        orders = {tuple(derived(show(signed(seed=seed))[1]).labels.items()) for seed in range(1, 7)}
        assert len(orders) > 1

    def test_nothing_of_what_the_holder_has_is_shown(self) -> None:
        one = signed()
        base = base_of(one)
        _, proof = show(one)
        raw = base64url.decode(proof["proofValue"][1:])
        for part in (base.signature, base.hmac_key, base.public_key, base.header):
            assert not ngrams(raw, 5) & ngrams(part, 5)

    def test_a_key_for_the_order(self) -> None:
        """Labels by place, under keys that are fresh; and no endless search where chance is none."""
        located = selective.locate(card(permits=None), [[]], contexts)
        found = {selective.alike_key(located, secrets.token_bytes) for _ in range(3)}
        assert len(found) == 3
        for key in found:
            labels = selective.shuffled(key)(located.labels)
            assert [labels[node] for node in located.nodes()] == ["b0", "b1", "b2", "b3"]
        assert code(selective.alike_key, located, given(b"k" * 32)) == "keys.entropy"
        assert code(selective.alike_key, located, given(b"k" * 31)) == "keys.entropy"
        many = selective.locate(card(), [[]], contexts)
        assert selective.alike_key(many, given(b"k" * 32)) == b"k" * 32
        assert code(selective.alike_key, many, given(b"k" * 31)) == "keys.entropy"


def test_places_of_nodes() -> None:
    """From the top, by name; a node with an id is passed through, one that is above itself is not reached."""
    document = card(id="did:example:a", permits=None, knows={"id": "_:x", "knows": {"id": "_:x"}})
    found = selective.locate(document, [[]], contexts)
    labels = {node: place for place, node in enumerate(found.nodes())}
    assert len(labels) == 4
    address = next(quad[2][2:] for quad in found.quads if quad[1].endswith("#address>"))
    assert labels[address] == 1
    alone = {"@context": {"@vocab": "https://city.example/vocab#"}, "@id": "_:x", "knows": {"@id": "_:x"}}
    located = selective.locate(alone, [[]], contexts)
    assert (located.nodes(), len(located.labels)) == ([], 1)
    assert selective.alike_key(located, given(b"k" * 32)) == b"k" * 32
