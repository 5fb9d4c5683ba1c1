"""That each gap of a peer is still there, and is what `GAPS` says: beside it stands what differs in that alone."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cityid import contexts, proofs
from cityid.errors import Refused
from cityid.formats.data_integrity import suites
from cityid.keys import Algorithm
from cityid.proofs import sets
from tests.interop.peers import No, Node
from tests.interop.w3c_cells import (
    AT,
    CREDENTIAL,
    Case,
    changed,
    they_issue,
    they_present,
    they_verify,
    we_issue,
    we_present,
)
from tests.interop.w3c_documents import DOCUMENTS, document
from tests.interop.w3c_gaps import BAZAAR, GAPS, OPENVC
from tests.interop.w3c_peers import BBS, SD, Bazaar, Key, OpenVc

SHOWN: set[tuple[str, str]] = set()


def shows(peer: str, *names: str) -> Callable[[Any], Any]:
    """Marks a test of gaps; see `test_each_gap_is_shown`."""
    SHOWN.update((peer, name) for name in names)
    return pytest.mark.interop("npm" if peer == BAZAAR else "long")


@pytest.mark.interop
def test_each_gap_is_shown() -> None:
    assert set(GAPS) == SHOWN | {(OPENVC, "context of VP-JWT")}  # in test_openvc.py


@pytest.fixture(scope="module")
def bazaar() -> Iterator[Bazaar]:
    node = Node("data_integrity.mjs")
    yield Bazaar(node)
    node.close()


@pytest.fixture(scope="module")
def openvc() -> OpenVc:
    return OpenVc()


def signed(content: dict[str, Any], suite: str, key: Key) -> dict[str, Any]:
    """By us."""
    options = {
        "type": "DataIntegrityProof", "cryptosuite": suite, "verificationMethod": key.method,
        "proofPurpose": "assertionMethod",
    }  # fmt: skip
    whole = {**content, "issuer": key.did}
    return {**whole, "proof": suites.sign(whole, options, key.signer, [("issuer",)], secrets.token_bytes)}


def we_check(card: Any, key: Key, *, base: bool = False) -> None:
    (secured,) = sets.split(card)
    (suites.check_issued if base else suites.check_shown)(secured, key.signer.public_key)


ED, P256, P384 = Key.new(Algorithm.EDDSA), Key.new(Algorithm.ES256), Key.new(Algorithm.ES384)
SUBJECT = ["/credentialSubject"]


class TestBazaar:
    @shows(BAZAAR, "base of bbs-2023")
    def test_no_check_of_a_base(self, bazaar: Bazaar) -> None:
        with pytest.raises(No, match=r"\[use\] is not a function"):
            bazaar.confirm(we_issue(Case(BBS, Algorithm.BBS)), BBS, AT)

    @shows(BAZAAR, "base of ecdsa-sd-2023")
    def test_a_check_of_a_base_by_luck(self, bazaar: Bazaar) -> None:
        card = signed(DOCUMENTS["all nodes named"][0], SD, P256)
        bazaar.confirm(card, SD, AT)
        for name in ("signature", "issuer", "longer"):
            with pytest.raises(No, match=r"Invalid signature|Signature count"):
                bazaar.confirm(changed(card, CREDENTIAL[name]), SD, AT)
        found: set[str] = set()
        while found != {"taken", "refused"}:  # about as often as not
            made = Case(SD, Algorithm.ES256)
            card = they_issue(bazaar, made)
            we_check(card, made.issuer, base=True)
            try:
                bazaar.confirm(card, SD, AT)
                found.add("taken")
            except No:
                found.add("refused")

    @shows(BAZAAR, "small numbers")
    def test_small_numbers(self, bazaar: Bazaar) -> None:
        def numbered(number: float) -> dict[str, Any]:
            return document({"number": number})

        card = bazaar.issue({**numbered(1e-7), "issuer": ED.did}, "eddsa-rdfc-2022", ED, (), AT)
        for number in (1e-7, 5e-324, 0):
            card["credentialSubject"]["number"] = number
            bazaar.verify(card, "eddsa-rdfc-2022", AT)  # one number is as good as another
        we_check(card, ED)  # 0, for that is what was signed
        card["credentialSubject"]["number"] = 1e-7
        with pytest.raises(Refused, match=r"signature\.invalid"):
            we_check(card, ED)
        with pytest.raises(No, match="Invalid signature"):
            bazaar.verify(signed(numbered(1e-7), "eddsa-rdfc-2022", ED), "eddsa-rdfc-2022", AT)
        bazaar.verify(signed(numbered(1.5e-7), "eddsa-rdfc-2022", ED), "eddsa-rdfc-2022", AT)

    @shows(BAZAAR, "text like a label")
    def test_text_like_a_label(self, bazaar: Bazaar) -> None:
        for text in ("_:b0", "b0"):
            card = signed(document({"text": text}), SD, P256)
            we_check(card, P256, base=True)
            derived = bazaar.derive(card, SD, SUBJECT, b"")
            if text == "b0":
                bazaar.verify(derived, SD, AT)
                continue
            with pytest.raises(No, match="Invalid signature"):
                bazaar.verify(derived, SD, AT)

    @shows(BAZAAR, "lists in parts", "keywords in parts", "graphs in parts")
    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("lists", 'can have at most one other property that is "@index"'),
            ("turned around", "a keyword cannot be used as a @reverse property"),
            ("maps", '"labelMap" must be a Map'),
        ],
    )
    def test_what_cannot_be_taken_apart(self, bazaar: Bazaar, name: str, words: str) -> None:
        with pytest.raises(No, match=words):
            bazaar.derive(signed(DOCUMENTS[name][0], SD, P256), SD, SUBJECT, b"")

    @shows(BAZAAR, "proof sets")
    def test_proof_sets(self, bazaar: Bazaar) -> None:
        """Ours and theirs together, made by each in turn; and a chain."""
        suite = "eddsa-rdfc-2022"
        first = signed(document({"text": "x"}), suite, ED)
        options = {name: value for name, value in first["proof"].items() if name != "proofValue"}
        added = sets.add(first, {**options, "nonce": "second"}, ED.signer, load=contexts.load)
        named = {**first, "proof": {**first["proof"], "id": "urn:uuid:0d3f3c1a-2f0b-4c53-9a3e-5f1f9c8f0009"}}
        named["proof"] = proofs.create(
            {name: value for name, value in first.items() if name != "proof"},
            {name: value for name, value in named["proof"].items() if name != "proofValue"},
            ED.signer, load=contexts.load,
        )  # fmt: skip
        chain = sets.add(named, {**options, "previousProof": named["proof"]["id"]}, ED.signer, load=contexts.load)
        for card in (bazaar.issue(first, suite, ED, (), AT), added, chain):
            assert len(card["proof"]) == 2
            all_hold(card)
            bazaar.verify(card, suite, AT)
            for number in range(2):
                damaged = copy.deepcopy(card)
                damaged["proof"][number]["created"] = "2026-01-01T00:00:00Z"
                with pytest.raises(Refused, match=r"signature\.invalid"):
                    all_hold(damaged)
                if card is chain and number == 0:  # the second covers the first
                    with pytest.raises(No, match="Invalid signature"):
                        bazaar.verify(damaged, suite, AT)
                else:
                    bazaar.verify(damaged, suite, AT)  # the other one is good
            with pytest.raises(No, match="Invalid signature"):
                bazaar.verify({**card, "credentialSubject": {"text": "y"}}, suite, AT)


def all_hold(card: Any) -> None:
    for secured in sets.split(card):
        suites.check_shown(secured, ED.signer.public_key)


class TestOpenVc:
    @shows(OPENVC, "bbs-2023")
    def test_no_bbs(self, openvc: OpenVc) -> None:
        with pytest.raises(No, match="unsupported cryptosuite 'bbs-2023'"):
            openvc.verify(we_issue(Case(BBS, Algorithm.BBS, published=True)), "eddsa-rdfc-2022", AT)

    @shows(OPENVC, "arrays")
    def test_arrays(self, openvc: OpenVc) -> None:
        made = Case(SD, Algorithm.ES256, published=True)
        with pytest.raises(No, match="array-index JSON pointers are not yet supported"):
            they_present(openvc, made, we_issue(made))

    @shows(OPENVC, "nodes without names")
    def test_nodes_without_names(self, openvc: OpenVc) -> None:
        """Where all have names, what it derives is good here and there."""
        made = Case(SD, Algorithm.ES256, published=True)
        for card in (we_issue(made), they_issue(openvc, made)):
            with pytest.raises(No, match="no matching base signature"):
                openvc.derive(card, SD, ["/credentialSubject/given_name"], b"")
        content = {**DOCUMENTS["all nodes named"][0], "issuer": P256.did}
        for card in (signed(content, SD, P256), openvc.issue(content, SD, P256, ["/issuer"], AT)):
            derived = openvc.derive(card, SD, ["/credentialSubject/address/locality"], b"")
            openvc.verify(derived, SD, AT)
            we_check(derived, P256)
            assert "given_name" not in derived["credentialSubject"]
            derived["credentialSubject"]["address"]["locality"] = "Bregenz"
            with pytest.raises(Refused, match=r"signature\.invalid"):
                we_check(derived, P256)
            with pytest.raises(No, match="SignatureInvalid"):
                openvc.verify(derived, SD, AT)

    @shows(OPENVC, "issue by JCS")
    @pytest.mark.parametrize(
        ("suite", "key"), [("eddsa-jcs-2022", ED), ("ecdsa-jcs-2019", P256), ("ecdsa-jcs-2019", P384)]
    )
    def test_a_proof_without_its_context(self, openvc: OpenVc, suite: str, key: Key) -> None:
        card = openvc.issue({**document({"text": "x"}), "issuer": key.did}, suite, key, (), AT)
        with pytest.raises(Refused, match=r"signature\.invalid"):
            we_check(card, key)
        card["proof"]["@context"] = card["@context"]  # nothing else is wrong with it
        we_check(card, key)

    @shows(OPENVC, "P-384")
    def test_nodes_under_p_384(self, openvc: OpenVc) -> None:
        suite = "ecdsa-rdfc-2019"
        named = signed(DOCUMENTS["all nodes named"][0], suite, P384)
        openvc.verify(named, suite, AT)
        we_check(openvc.issue({**DOCUMENTS["all nodes named"][0], "issuer": P384.did}, suite, P384, (), AT), P384)
        many = document([{"knows": {"number": number}} for number in range(8)])  # in one order by chance: 1 in 16!
        for key, alike in ((P256, True), (P384, False)):
            ours = signed(many, suite, key)
            theirs = openvc.issue({**many, "issuer": key.did}, suite, key, (), AT)
            if alike:
                openvc.verify(ours, suite, AT)
                we_check(theirs, key)
                continue
            with pytest.raises(No, match="SignatureInvalid"):
                openvc.verify(ours, suite, AT)
            with pytest.raises(Refused, match=r"signature\.invalid"):
                we_check(theirs, key)

    @shows(OPENVC, "contexts inside")
    def test_contexts_inside(self, openvc: OpenVc) -> None:
        made = Case("eddsa-rdfc-2022", Algorithm.EDDSA)
        with pytest.raises(No, match="inline @context object may only carry @vocab"):
            they_verify(openvc, made, we_present(made, we_issue(made)))

    @shows(OPENVC, "control characters", "directions")
    @pytest.mark.parametrize("name", ["control characters", "many members"])
    def test_what_pyld_does_not_write(self, openvc: OpenVc, name: str) -> None:
        content = DOCUMENTS[name][0]
        ours = signed(content, "eddsa-rdfc-2022", ED)
        we_check(ours, ED)
        with pytest.raises(No, match="SignatureInvalid"):
            openvc.verify(ours, "eddsa-rdfc-2022", AT)
        plain = document({"text": "tab"}) if name == "control characters" else _undirected(content)
        openvc.verify(signed(plain, "eddsa-rdfc-2022", ED), "eddsa-rdfc-2022", AT)

    @shows(OPENVC, "line separators")
    def test_line_separators(self, openvc: OpenVc) -> None:
        for text in ("a b", "a\x85b", "a\u2028b"):
            content = {**document({"text": text}), "issuer": P256.did}
            openvc.verify(signed(content, "eddsa-rdfc-2022", ED), "eddsa-rdfc-2022", AT)
            if text == "a b":
                we_check(openvc.issue(content, SD, P256, ["/issuer"], AT), P256, base=True)
                continue
            with pytest.raises(No, match="Error while parsing N-Quads"):
                openvc.issue(content, SD, P256, ["/issuer"], AT)


def _undirected(content: dict[str, Any]) -> dict[str, Any]:
    name = [{key: value for key, value in one.items() if key != "@direction"} for one in content["name"]]
    return {**content, "name": name}
