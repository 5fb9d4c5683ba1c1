"""Data Integrity 1.0, the mechanism: transform, hash, create and check one proof with a given key.

Nothing here resolves a verification method, and nothing here knows what the document says: whose key it is, and
whether that key may speak, is for the caller to know. `sets` does the same for several proofs of one document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cityid.keys import PublicKey, Signer
from cityid.proofs import jcs, members
from cityid.proofs.members import Proof as Proof
from cityid.proofs.members import read as read

if TYPE_CHECKING:
    from cityid.encoding.jsonld import Loader

SUITES: Final = ("eddsa-rdfc-2022", "ecdsa-rdfc-2019", jcs.EDDSA, jcs.ECDSA, "mldsa44-rdfc-2024", "mldsa44-jcs-2024")
"""The suites that sign a document as a whole; the last two by a Working Draft."""


def create(document: Mapping[str, Any], options: Mapping[str, Any], signer: Signer, *, load: Loader) -> dict[str, Any]:
    """A proof over `document` as it is: without proofs, or with those that the new one follows (`sets.add`). `options`
    are the proof less `proofValue`; `load` gives the contexts.

    Raises:
        Malformed: those of `members.read` for the options; `json.*`, `jsonld.*`, `rdf.*`, and what `load` raises.
        Misuse: `di.key` for a suite that is not one of these, or is not for the signer's key.
        Unavailable: what the signer raises.
    """
    suite = read({**options, "proofValue": "z"}, "$.options").suite
    if suite in jcs.SUITES:
        return jcs.create(document, options, signer)
    from cityid.proofs import mldsa, rdfc  # JSON-LD, which a resolver of DIDs does without

    if suite in mldsa.SUITES:
        return mldsa.create(document, options, signer, load=load)
    return rdfc.create(document, options, signer, load=load)


def check(
    document: Mapping[str, Any],
    proof: Mapping[str, Any],
    key: PublicKey,
    *,
    purpose: str = "assertionMethod",
    load: Loader,
    where: str = "$.proof",
) -> None:
    """Check `proof` over `document` as it was signed with `key`. Times, domain and challenge are `Proof`'s to judge.

    Raises:
        Malformed: those of `members.read`; `di.suite`, `multibase.*`, `json.*`, `jsonld.*`, `rdf.*`, and what `load`
            raises.
        Refused: `di.purpose`, `di.key_of_other_suite`, `di.context`, `signature.invalid`.
    """
    check_read(document, proof, read(proof, where), key, purpose=purpose, load=load)


def check_read(
    document: Mapping[str, Any],
    proof: Mapping[str, Any],
    found: Proof,
    key: PublicKey,
    *,
    purpose: str = "assertionMethod",
    load: Loader,
) -> None:
    """`check` of a proof whose members were `found`."""
    members.check(found, SUITES, purpose)
    if found.suite in jcs.SUITES:
        jcs.check_read(document, proof, found, key)
        return
    from cityid.proofs import mldsa, rdfc

    if found.suite in mldsa.SUITES:
        mldsa.check(document, proof, found, key, load=load)
    else:
        rdfc.check(document, proof, found, key, load=load)
