"""W3C credentials with software by others, in every pairing of roles; each cell with damaged twins that are refused.

    issues  presents  verifies
    they    we        we
    they    they      we
    we      they      we
    we      we        they
    we      they      they
    they    we        they

To present is to derive, where the suite can hide, and to sign for one question. What a peer cannot do stands in `GAPS`,
and is shown to be so.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from cityid.checks import Outcome
from cityid.encoding import json
from cityid.formats.data_integrity import LDP_VC
from cityid.keys import Algorithm
from tests.interop.peers import No, Node
from tests.interop.w3c_cells import (
    ASKED,
    AT,
    AUDIENCE,
    CREDENTIAL,
    EXPECTED,
    NONCE,
    PRESENTATION,
    Case,
    accepted,
    changed,
    signed_again,
    they_issue,
    they_present,
    they_verify,
    we_issue,
    we_present,
    we_verify,
)
from tests.interop.w3c_gaps import BAZAAR, GAPS, OPENVC
from tests.interop.w3c_peers import BBS, JCS, PACKAGES, SD, Bazaar, Key, OpenVc, Peer

SUITES = {
    "eddsa-rdfc-2022": ("eddsa-rdfc-2022", Algorithm.EDDSA),
    "ecdsa-rdfc-2019 P-256": ("ecdsa-rdfc-2019", Algorithm.ES256),
    "ecdsa-rdfc-2019 P-384": ("ecdsa-rdfc-2019", Algorithm.ES384),
    "ecdsa-sd-2023": (SD, Algorithm.ES256),
    "bbs-2023": (BBS, Algorithm.BBS),
    "eddsa-jcs-2022": (JCS[0], Algorithm.EDDSA),
    "ecdsa-jcs-2019 P-256": (JCS[1], Algorithm.ES256),
    "ecdsa-jcs-2019 P-384": (JCS[1], Algorithm.ES384),
}
HAS = {BAZAAR: list(SUITES)[:5], OPENVC: [name for name in SUITES if name != BBS]}
CELLS = ("they-we-we", "they-they-we", "we-they-we", "we-we-they", "we-they-they", "they-we-they")


@pytest.fixture(scope="module")
def peers(request: pytest.FixtureRequest) -> Iterator[Any]:
    nodes: list[Node] = []

    @cache
    def of(name: str) -> Peer:
        if name == OPENVC:
            return OpenVc()
        nodes.append(Node("data_integrity.mjs"))
        return Bazaar(nodes[0])

    yield of
    for node in nodes:
        node.close()


@cache
def case(name: str, *, published: bool) -> Case:
    return Case(*SUITES[name], published=published)


def gap(peer: str, suite: str, cell: str) -> str:
    """Why there is no such cell, or ""."""
    issues, presents, verifies = (role == "they" for role in cell.split("-"))
    if peer == BAZAAR:
        return ""
    if suite == SD and presents:
        return GAPS[OPENVC, "arrays"]
    if suite == "ecdsa-rdfc-2019 P-384":  # the holder's key is of that kind too
        return GAPS[OPENVC, "P-384"]
    if suite == "ecdsa-jcs-2019 P-384" and (presents or verifies):
        return GAPS[OPENVC, "P-384"]  # of what the holder signs, which is no JCS
    return GAPS[OPENVC, "issue by JCS"] if issues and suite.split()[0] in JCS else ""


def cells(*, wanted: str = "", gaps: bool = False) -> list[Any]:
    """Peer, suite and cell; of those where the last role is `wanted`."""
    made = []
    for peer, suites in HAS.items():
        mark = pytest.mark.interop("npm") if peer == BAZAAR else pytest.mark.interop("long")
        for suite in suites:
            for cell in CELLS:
                if cell.endswith(wanted) and bool(gap(peer, suite, cell)) is gaps:
                    made.append(pytest.param(peer, suite, cell, marks=mark, id=f"{peer} {suite} {cell}"))
    return made


_shown: dict[tuple[str, str, str], Any] = {}


def shown(peer: Peer, suite: str, cell: str) -> tuple[Case, Any]:
    """What the first two roles of a cell come to; made once."""
    issues, presents, _ = cell.split("-")
    made = case(suite, published=peer.name == OPENVC)
    key = (peer.name, suite, f"{issues}-{presents}")
    if key not in _shown:
        card = they_issue(peer, made) if issues == "they" else we_issue(made)
        _shown[key] = they_present(peer, made, card) if presents == "they" else we_present(made, card)
    return made, _shown[key]


# -- we verify --

OF_PROOF = {"signature.invalid", "bbs.proof", "bbs.index_count", "sd.label_map", "sd.signature_count"}
CODES: dict[str, set[str]] = {
    "issuer": {"trust.unknown_issuer"},
    "type": {"trust.type"},
    "purpose": {"di.purpose"},
    "method": {"trust.key_of_other"},
    "stripped": {"vcdm.self_asserted"},
    "another nonce": {"binding.nonce"},
    "another audience": {"binding.audience"},
    "too late": {"binding.too_old"},
    "too early": {"binding.ahead", "di.not_yet"},
}
"""Ours for damage; that of a proof where none is named."""
OF_HOLDER = {
    "signature": "binding.signature",
    "nonce": "binding.nonce",
    "domain": "binding.audience",
    "holder": "binding.other_holder",
    "created": "binding.signature",
    "purpose": "di.purpose",
    "stripped": "binding.missing",
}


@pytest.mark.parametrize(("name", "suite", "cell"), cells(wanted="we"))
def test_we_verify(peers: Any, name: str, suite: str, cell: str) -> None:
    made, token = shown(peers(name), suite, cell)
    accepted(made, we_verify(made, token))
    for damage, change in CREDENTIAL.items():
        verdict = we_verify(made, signed_again(made, token, change))
        assert not verdict, damage
        assert verdict.reason.code in CODES.get(damage, OF_PROOF), damage
    for damage, change in PRESENTATION.items():
        verdict = we_verify(made, changed(token, change))
        assert not verdict, damage
        assert verdict.reason.code == OF_HOLDER[damage], damage
    for expected, instead in EXPECTED.items():
        verdict = we_verify(made, token, **instead)
        assert not verdict, expected
        assert verdict.reason.code in CODES[expected], expected


# -- they verify --

WORDS: dict[str, dict[str, str]] = {
    BAZAAR: {
        "purpose": "insufficient proofs matched",
        "stripped": "No matching proofs",
        "another nonce": "challenge is not as expected",
        "another audience": "domain is not as expected",
        "too late": 'is after "validUntil"',
        "too early": 'is before "validFrom"',
        "": "Invalid signature|Signature count|Number of disclosed messages",
    },
    OPENVC: {
        "stripped": "no proof object",
        "another nonce": "PresentationBindingError: proof challenge",
        "another audience": "PresentationBindingError: proof domain",
        "too late": "CredentialExpired",
        "too early": "CredentialNotYetValid",
        "": "SignatureInvalid|does not accept a kty",
    },
}


def they_refuse(peer: Peer, made: Case, damage: str, token: Any, **instead: Any) -> None:
    words = WORDS[peer.name].get(damage) or WORDS[peer.name][""]
    with pytest.raises(No, match=words):
        they_verify(peer, made, token, **instead)


@pytest.mark.parametrize(("name", "suite", "cell"), cells(wanted="they"))
def test_they_verify(peers: Any, name: str, suite: str, cell: str) -> None:
    """With the damage that differs by who issued and who presented; the rest is below."""
    peer = peers(name)
    made, token = shown(peer, suite, cell)
    they_verify(peer, made, token)
    for damage in ("signature", "value"):
        they_refuse(peer, made, damage, signed_again(made, token, CREDENTIAL[damage]))
    they_refuse(peer, made, "nonce", changed(token, PRESENTATION["nonce"]))


def ours(kind: dict[str, Any]) -> list[Any]:
    """What we issued and presented, with each damage; what the holder signs is not another for each suite."""
    listed = (one for one in cells(wanted="we-we-they"))
    return [
        pytest.param(*one.values[:2], damage, marks=one.marks, id=f"{one.values[0]} {one.values[1]} {damage}")
        for one in listed
        for damage in kind
        if kind is CREDENTIAL or one.values[1] in ("eddsa-rdfc-2022", "ecdsa-rdfc-2019 P-384", "ecdsa-sd-2023")
    ]


@pytest.mark.parametrize(("name", "suite", "damage"), ours(CREDENTIAL))
def test_they_refuse_a_damaged_credential(peers: Any, name: str, suite: str, damage: str) -> None:
    made, token = shown(peers(name), suite, "we-we-they")
    they_refuse(peers(name), made, damage, signed_again(made, token, CREDENTIAL[damage]))


@pytest.mark.parametrize(("name", "suite", "damage"), ours(PRESENTATION))
def test_they_refuse_a_damaged_presentation(peers: Any, name: str, suite: str, damage: str) -> None:
    made, token = shown(peers(name), suite, "we-we-they")
    they_refuse(peers(name), made, damage, changed(token, PRESENTATION[damage]))


@pytest.mark.parametrize(("name", "suite", "expected"), ours(EXPECTED))
def test_they_expected_something_else(peers: Any, name: str, suite: str, expected: str) -> None:
    made, token = shown(peers(name), suite, "we-we-they")
    they_refuse(peers(name), made, expected, token, **EXPECTED[expected])


# -- of one suite --


@pytest.mark.interop("npm")
@pytest.mark.parametrize("suite", [SD, BBS])
def test_a_base_proof_is_not_shown(peers: Any, suite: str) -> None:
    """What city hall signed, shown as it is: neither side takes it for a derived proof."""
    made = case(suite, published=False)
    for card in (we_issue(made), they_issue(peers(BAZAAR), made)):
        with pytest.raises(No, match="proofValue"):
            peers(BAZAAR).verify(card, suite, AT)
        verdict = we_verify(made, signed_again(made, {"verifiableCredential": [card]}, lambda _: None))
        assert not verdict
        assert verdict.reason.code == "sd.base_proof"


@pytest.mark.interop("npm")
@pytest.mark.parametrize("presents", ["we", "they"])
def test_a_proof_for_another_question(peers: Any, presents: str) -> None:
    """bbs-2023: the presentation header is compared, and the proof is over it."""
    peer = peers(BAZAAR)
    made, token = shown(peer, BBS, f"we-{presents}-we")
    (credential,) = token["verifiableCredential"]
    other = bytes(32)
    peer.verify(credential, BBS, AT, made.header)
    with pytest.raises(No):
        peer.verify(credential, BBS, AT, other)
    card = we_issue(made)
    for header in (made.header, other):
        derived = peer.derive(card, BBS, ["/credentialSubject/given_name"], header)
        again = signed_again(made, {"verifiableCredential": [derived]}, lambda _: None)
        verdict = we_verify(made, again)
        assert not verdict
        # for this question it lacks only what was asked for
        code = "binding.presentation_header" if header == other else "query.claim_missing"
        assert verdict.reason.code == code


@pytest.mark.interop("npm")
def test_two_proofs_of_one_credential(peers: Any) -> None:
    """Shown twice by them: nothing of the proof is alike, and both are good."""
    made, _ = shown(peers(BAZAAR), BBS, "we-they-we")
    card = we_issue(made)
    first, second = (they_present(peers(BAZAAR), made, card)["verifiableCredential"][0] for _ in range(2))
    assert first["proof"].pop("proofValue") != second["proof"].pop("proofValue")
    assert first == second


@pytest.mark.interop("npm")
def test_several_credentials(peers: Any) -> None:
    """Theirs and ours in one presentation, each under another suite; each of them is found."""
    peer, holder = peers(BAZAAR), Key.new(Algorithm.EDDSA)
    names = ("eddsa-rdfc-2022", "ecdsa-rdfc-2019 P-256", "ecdsa-rdfc-2019 P-384")
    made = [case(name, published=False) for name in names]
    cards = [we_issue(made[0]), they_issue(peer, made[1]), we_issue(made[2])]
    token = peer.present_all(cards, "eddsa-rdfc-2022", holder, NONCE, AUDIENCE, AT)
    suites = ["eddsa-rdfc-2022", "ecdsa-rdfc-2019"]
    peer.verify_presentation(token, suites, NONCE, AUDIENCE, AT)
    for number, one in enumerate(LDP_VC.read_presentation(json.write(token))):
        key = made[number].issuer.signer.public_key
        (ref,) = one.credential.signed_by
        assert one.credential.issuer == made[number].issuer.did
        keys = {ref: key, one.shown_by[0]: holder.signer.public_key}
        outcomes = [check.problem and check.problem.code for check in LDP_VC.check(one, keys, ASKED, AT)]
        assert outcomes == [None, "binding.other_holder"]  # who presented them all holds none of them
    damaged = changed(token, lambda document: CREDENTIAL["value"](document["verifiableCredential"][1]))
    with pytest.raises(No, match="Invalid signature"):
        peer.verify_presentation(damaged, suites, NONCE, AUDIENCE, AT)
    checks = [
        LDP_VC.check(
            one,
            {
                **dict.fromkeys(one.credential.signed_by, made[number].issuer.signer.public_key),
                one.shown_by[0]: holder.signer.public_key,
            },
            ASKED,
            AT,
        )
        for number, one in enumerate(LDP_VC.read_presentation(json.write(damaged)))
    ]
    assert [next(iter(one)).outcome is Outcome.PASSED for one in checks] == [True, False, True]


@pytest.mark.interop("npm")
def test_the_peers_are_those_that_are_pinned(peers: Any) -> None:
    found = peers(BAZAAR).node.ask(op="versions", names=list(PACKAGES))
    assert found == PACKAGES
