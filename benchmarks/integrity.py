"""Our cases of Data Integrity: a proof made over a credential, and a secured credential whose proof is checked.

Both begin with the parsed document, as the peers' do. What is remembered between operations is what a server remembers:
the contexts, and how documents of this shape look in canonical form.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from benchlib import Fixtures, must_fail, rotate

from cityid import contexts, proofs
from cityid.edge.signers import load, new_secret
from cityid.encoding import base64url, jsonld
from cityid.keys import Algorithm
from cityid.proofs import bbs2023, ecdsa_sd, sets

CITY = "https://city.example/contexts/residency/v1"
Made = tuple[Callable[[], Any], dict[str, Any]]


def loader(fx: Fixtures) -> jsonld.Loader:
    city = fx.city_context

    def find(url: str) -> Any:
        return city if url == CITY else contexts.load(url)

    return find


def options(fx: Fixtures, suite: str) -> dict[str, str]:
    vc = fx.json("vc.json")
    return {
        "type": "DataIntegrityProof",
        "cryptosuite": suite,
        "created": vc["pool"][0]["validFrom"],
        "verificationMethod": vc["vm"],
        "proofPurpose": "assertionMethod",
    }


def issue(suite: str) -> Callable[[Fixtures], Made]:
    def make(fx: Fixtures) -> Made:
        signer = load(Algorithm.EDDSA, base64url.decode(fx.keys["issuer_ed25519"]["private"]["d"]))
        known, given, following = loader(fx), options(fx, suite), rotate(fx.json("vc.json")["pool"])

        def op() -> Any:
            return sets.add(following(), given, signer, load=known)

        made = op()
        proof = made.pop("proof")
        proofs.check(made, proof, signer.public_key, load=known)
        return op, {}

    return make


def verify(suite: str) -> Callable[[Fixtures], Made]:
    def make(fx: Fixtures) -> Made:
        signer = load(Algorithm.EDDSA, base64url.decode(fx.keys["issuer_ed25519"]["private"]["d"]))
        known, given, key = loader(fx), options(fx, suite), signer.public_key
        pool = [sets.add(document, given, signer, load=known) for document in fx.json("vc.json")["pool"]]
        following = rotate(pool)

        def check(document: Any) -> Any:
            return sets.check(document, lambda _: key, load=known)

        assert check(pool[0])[0].suite == suite
        must_fail(check, {**pool[0], "id": "urn:uuid:00000000-0000-4000-8000-0000000000ff"})
        must_fail(check, {**pool[0], "proof": {**pool[0]["proof"], "created": "2020-01-01T00:00:00Z"}})
        return lambda: check(following()), {}

    return make


MANDATORY = ("/issuer", "/validFrom", "/validUntil")
CHOSEN = (
    "/credentialSubject/given_name", "/credentialSubject/age_equal_or_over/18", "/credentialSubject/address/locality",
)  # fmt: skip
HEADER = b"nonce and audience"


class Hiding:
    """A suite that can hide, with an issuer of its own. A wallet that shows a card has checked it when it took it: for
    bbs-2023 it holds what was done then (`held`)."""

    def __init__(self, fx: Fixtures, suite: str) -> None:
        self.known, self.given = loader(fx), options(fx, suite)
        self.module: Any = ecdsa_sd if suite == ecdsa_sd.SUITE else bbs2023
        algorithm = Algorithm.ES256 if suite == ecdsa_sd.SUITE else Algorithm.BBS
        self.signer: Any = load(algorithm, new_secret(algorithm, secrets.token_bytes))
        self.pool = fx.json("vc.json")["pool"]
        self.header = {} if suite == ecdsa_sd.SUITE else {"presentation_header": HEADER}

    def issue(self, document: Any) -> Any:
        return self.module.create_base(document, self.given, self.signer, mandatory=MANDATORY, load=self.known)

    def derive(self, document: Any, base: Any, **held: Any) -> Any:
        return self.module.derive(document, base, selective=CHOSEN, load=self.known, **self.header, **held)

    def check(self, shown: Any) -> None:
        document, proof = shown
        self.module.check(document, proof, self.signer.public_key, load=self.known, **self.header)

    def hold(self, document: Any, base: Any) -> dict[str, Any]:
        held = self.module.check_base(document, base, self.signer.public_key, load=self.known)
        return {} if held is None else {"held": held}

    def cards(self) -> list[tuple[Any, Any, dict[str, Any]]]:
        issued = [(document, self.issue(document)) for document in self.pool[:16]]
        return [(document, base, self.hold(document, base)) for document, base in issued]


def issue_hiding(suite: str) -> Callable[[Fixtures], Made]:
    def make(fx: Fixtures) -> Made:
        each = Hiding(fx, suite)
        following = rotate(each.pool)
        return lambda: each.issue(following()), {}

    return make


def derive(suite: str, *, held: bool = False) -> Callable[[Fixtures], Made]:
    def make(fx: Fixtures) -> Made:
        each = Hiding(fx, suite)
        following = rotate(each.cards())

        def op() -> Any:
            document, base, known = following()
            return each.derive(document, base, **(known if held else {}))

        each.check(op())
        return op, {}

    return make


def verify_hiding(suite: str) -> Callable[[Fixtures], Made]:
    def make(fx: Fixtures) -> Made:
        each = Hiding(fx, suite)
        pool = [each.derive(document, base) for document, base, _ in each.cards()]
        following = rotate(pool)
        document, proof = pool[0]
        must_fail(each.check, ({**document, "validUntil": "2050-01-01T00:00:00Z"}, proof))
        return lambda: each.check(following()), {}

    return make


def canonize(fx: Fixtures) -> Made:
    known, pool = loader(fx), fx.json("vc.json")["pool"]
    following = rotate(pool)
    return lambda: jsonld.canonical(following(), known), {"statements": jsonld.canonical(pool[0], known).count("\n")}
