"""Our cases of Data Integrity: a proof made over a credential, and a secured credential whose proof is checked.

Both begin with the parsed document, as the peers' do. What is remembered between operations is what a server remembers:
the contexts, and how documents of this shape look in canonical form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchlib import Fixtures, must_fail, rotate

from cityid import contexts, proofs
from cityid.edge.signers import load
from cityid.encoding import base64url, jsonld
from cityid.keys import Algorithm
from cityid.proofs import sets

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


def canonize(fx: Fixtures) -> Made:
    known, pool = loader(fx), fx.json("vc.json")["pool"]
    following = rotate(pool)
    return lambda: jsonld.canonical(following(), known), {"statements": jsonld.canonical(pool[0], known).count("\n")}
