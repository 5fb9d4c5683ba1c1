"""Ed25519Signature2020, for reading what was signed before Data Integrity had cryptosuites. It is checked only where a
caller names this module, and nothing is signed with it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from cityid.encoding.jsonld import Loader
from cityid.keys import Algorithm, PublicKey
from cityid.proofs import members, rdfc

TYPE: Final = "Ed25519Signature2020"
_SUITES: Final[members.Suites] = MappingProxyType({TYPE: MappingProxyType({Algorithm.EDDSA: hashlib.sha256})})


def check(
    document: Mapping[str, Any],
    proof: Mapping[str, Any],
    key: PublicKey,
    *,
    purpose: str = "assertionMethod",
    load: Loader,
    where: str = "$.proof",
) -> None:
    """Check `proof` over `document`, whose contexts must define the type of the proof (DI EdDSA 1.0 §A).

    Raises:
        Malformed: those of `members.read`; `multibase.*`, `jsonld.*`, `rdf.*`, and what `load` raises.
        Refused: `di.purpose`, `di.key_of_other_suite`, `di.context`, `signature.invalid`.
    """
    found = members.read(proof, where, kind=TYPE)
    members.check(found, (TYPE,), purpose)
    rdfc.check(document, proof, found, key, load=load, suites=_SUITES)
