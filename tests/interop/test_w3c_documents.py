"""Credentials of every shape, signed by us and checked by others, and the other way round: what counts here is that
both sides see the same statements. Each with a twin that is changed in one place."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from cityid import contexts
from cityid.errors import Malformed, Refused
from cityid.formats.data_integrity import suites
from cityid.keys import Algorithm
from cityid.proofs import sets
from tests.interop.peers import No, Node
from tests.interop.w3c_cells import AT, signature_damage
from tests.interop.w3c_documents import DOCUMENTS
from tests.interop.w3c_gaps import GAPS, OPENVC
from tests.interop.w3c_peers import BBS, SD, Bazaar, Key, OpenVc, Peer

KEYS = {
    "eddsa-rdfc-2022": Key.new(Algorithm.EDDSA),
    "ecdsa-rdfc-2019": Key.new(Algorithm.ES384),
    SD: Key.new(Algorithm.ES256),
    BBS: Key.new(Algorithm.BBS),
}
FEW = ("of the model of 2019", "languages", "JSON inside")
"""For the suite that takes its time."""
NOT_IN_PARTS = ("lists", "turned around", "maps")
"""What the peer cannot take apart, by `GAPS`."""
PLAIN = ("all nodes named", "two subjects", "numbers", "text", "equal nodes")
"""For a peer that takes no contexts but by their URLs."""


@pytest.fixture(scope="module")
def bazaar() -> Iterator[Bazaar]:
    node = Node("data_integrity.mjs")
    yield Bazaar(node)
    node.close()


def put(document: Any, pointer: str, value: Any) -> Any:
    made = copy.deepcopy(document)
    *path, last = (int(part) if part.isdigit() else part for part in pointer.split("/")[1:])
    place = made
    for part in path:
        place = place[part]
    place[last] = value
    return made


class Signed:
    """One document under one suite."""

    def __init__(self, suite: str, name: str) -> None:
        bare, self.pointer, self.other = DOCUMENTS[name]
        self.suite, self.key = suite, KEYS[suite]
        self.document = {**bare, "issuer": self.key.did}
        self.mandatory = [f"/{one}" for one in ("issuer", "validFrom", "issuanceDate") if one in self.document]
        self.selective = ["/credentialSubject", f"/{self.pointer.split('/')[1]}"]
        self.hides = suite in (SD, BBS)

    @property
    def options(self) -> dict[str, str]:
        made = {"type": "DataIntegrityProof", "cryptosuite": self.suite, "verificationMethod": self.key.method}
        return {**made, "proofPurpose": "assertionMethod"}

    def by_us(self) -> dict[str, Any]:
        paths = [(pointer[1:],) for pointer in self.mandatory]
        proof = suites.sign(self.document, self.options, self.key.signer, paths, secrets.token_bytes)
        return {**self.document, "proof": proof}

    def by_them(self, peer: Peer) -> Any:
        return peer.issue(self.document, self.suite, self.key, self.mandatory if self.hides else (), AT)

    def shown_by_us(self, card: Mapping[str, Any]) -> dict[str, Any]:
        secured = sets.split(card)
        paths = {(pointer[1:],) for pointer in self.selective}
        return suites.shown(card, secured, paths, paths, b"", secrets.token_bytes)

    def we_check(self, card: Mapping[str, Any]) -> None:
        (secured,) = sets.split(card)
        suites.check_shown(secured, self.key.signer.public_key)

    def both_check(self, peer: Peer, card: Any) -> None:
        """It holds here and there, and not when it is changed in one place."""
        self.we_check(card)
        peer.verify(card, self.suite, AT)
        for twin in (put(card, self.pointer, self.other), signature_damage(card)):
            with pytest.raises((Refused, Malformed), match=r"signature\.invalid|bbs\.|sd\."):
                self.we_check(twin)
            with pytest.raises(No, match=r"(?i)signature|number of disclosed"):
                peer.verify(twin, self.suite, AT)


CASES = [
    pytest.param(suite, name, id=f"{suite} {name}")
    for suite in KEYS
    for name in (FEW if suite == BBS else DOCUMENTS)
    if suite != SD or name not in NOT_IN_PARTS
]


@pytest.mark.interop("npm")
@pytest.mark.parametrize(("suite", "name"), CASES)
class TestBazaar:
    def test_we_issue(self, bazaar: Bazaar, suite: str, name: str) -> None:
        made = Signed(suite, name)
        card = made.by_us()
        if made.hides:
            card = bazaar.derive(card, suite, made.selective, b"")
        made.both_check(bazaar, card)

    def test_they_issue(self, bazaar: Bazaar, suite: str, name: str) -> None:
        made = Signed(suite, name)
        card = made.by_them(bazaar)
        made.both_check(bazaar, made.shown_by_us(card) if made.hides else card)


_TERM = {"@id": "urn:v:t"}
LOST: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    # contexts, members, our code; `fine` has nothing wrong with it
    "fine": ([{"t": _TERM}], {"credentialSubject": {"t": "x"}}, ""),
    "a term of no context": ([], {"credentialSubject": {"id": "urn:a", "t": "x"}}, "jsonld.dropped"),
    "a term that means nothing": ([{"t": None}], {"credentialSubject": {"t": "x"}}, "jsonld.dropped"),
    "a term for a node without a name": ([{"t": "_:t"}], {"credentialSubject": {"t": "x"}}, "jsonld.dropped"),
    "a name like a keyword": ([{"t": _TERM}], {"credentialSubject": {"t": "x", "@foo": "x"}}, "jsonld.dropped"),
    "a value by itself": ([{"t": _TERM}], {"credentialSubject": {"t": "x"}, "@graph": ["x"]}, "jsonld.dropped"),
    "a tag that is none": (
        [{"t": _TERM}],
        {"credentialSubject": {"t": {"@value": "x", "@language": "not a tag"}}},
        "jsonld.dropped",
    ),
    "a type of no context": ([], {"credentialSubject": {"type": "Nonsense"}}, "jsonld.relative"),
    "a relative id": ([{"t": _TERM}], {"credentialSubject": {"t": {"id": "b/c"}}}, "jsonld.relative"),
    "a relative datatype": (
        [{"t": _TERM}],
        {"credentialSubject": {"t": {"@value": "x", "@type": "relative"}}},
        "jsonld.relative",
    ),
    "a term defined anew": ([{"name": "urn:v:name"}], {"credentialSubject": {"name": "x"}}, "jsonld.error"),
    "a context that nobody has": (["https://city.example/c"], {"credentialSubject": {"name": "x"}}, "context.unknown"),
}


@pytest.mark.interop("npm")
@pytest.mark.parametrize("name", LOST)
def test_nobody_signs_what_would_be_lost(bazaar: Bazaar, name: str) -> None:
    more, members, code = LOST[name]
    key, suite = KEYS["eddsa-rdfc-2022"], "eddsa-rdfc-2022"
    content = {"@context": [contexts.V2, *more], "type": ["VerifiableCredential"], "issuer": key.did, **members}
    options = Signed(suite, "numbers").options

    def we_sign() -> Any:
        return suites.sign(content, options, key.signer, (), secrets.token_bytes)

    if not code:
        assert we_sign()
        assert bazaar.issue(content, suite, key, (), AT)
        return
    with pytest.raises(Malformed) as caught:
        we_sign()
    assert caught.value.code == code
    with pytest.raises(No, match=r"Safe mode validation error|protected term|Dereferencing a URL"):
        bazaar.issue(content, suite, key, (), AT)


@pytest.fixture(scope="module")
def openvc() -> OpenVc:
    return OpenVc()


@pytest.mark.interop("long")
@pytest.mark.parametrize("name", PLAIN)
class TestOpenVc:
    def test_in_both_directions(self, openvc: OpenVc, name: str) -> None:
        made = Signed("eddsa-rdfc-2022", name)
        for card in (made.by_us(), made.by_them(openvc)):
            made.both_check(openvc, card)

    def test_we_derive(self, openvc: OpenVc, name: str) -> None:
        if name == "text":
            pytest.skip(GAPS[OPENVC, "line separators"])
        made = Signed(SD, name)
        for card in (made.by_us(), made.by_them(openvc)):
            made.both_check(openvc, made.shown_by_us(card))
