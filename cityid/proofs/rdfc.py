"""The suites that sign canonical N-Quads: eddsa-rdfc-2022 (DI EdDSA 1.0 §3.2) and ecdsa-rdfc-2019 (DI ECDSA 1.0 §3.2).

The document is read in JSON-LD's safe mode: what would not get into the dataset is refused, not left unsigned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from cityid.encoding import jsonld, multibase, rdfc
from cityid.errors import Malformed, Refused
from cityid.keys import Algorithm, PublicKey, Signer
from cityid.proofs import members
from cityid.proofs.members import Hash, Proof

EDDSA: Final = "eddsa-rdfc-2022"
ECDSA: Final = "ecdsa-rdfc-2019"
SUITES: Final[members.Suites] = MappingProxyType(
    {
        EDDSA: MappingProxyType({Algorithm.EDDSA: hashlib.sha256}),
        ECDSA: MappingProxyType({Algorithm.ES256: hashlib.sha256, Algorithm.ES384: hashlib.sha384}),
    }
)
_SPEC: Final = "DI EdDSA 1.0 §3.2"


def create(
    document: Mapping[str, Any], options: Mapping[str, Any], signer: Signer, *, load: jsonld.Loader
) -> dict[str, Any]:
    """A proof over `document`, which is signed as it is. `options` are the proof less `proofValue`.

    Raises:
        Malformed: those of `jsonld.canonical`. Misuse: `di.key` for a key that the suite, if it
            is one of these, is not for. Unavailable: what the signer raises.
    """
    hashed = members.to_sign(SUITES, str(options.get("cryptosuite")), signer.public_key.algorithm)
    signed = signer.sign(hash_data(document, options, hashed, load))
    return {**options, "proofValue": multibase.encode(signed)}


def check(
    document: Mapping[str, Any],
    proof: Mapping[str, Any],
    read: Proof,
    key: PublicKey,
    *,
    load: jsonld.Loader,
    suites: members.Suites = SUITES,
) -> None:
    """Check `proof`, whose members were `read`, over `document` as it was signed.

    Raises:
        Malformed: `multibase.*`, those of `jsonld.canonical`.
        Refused: `di.key_of_other_suite`, `di.context`, `signature.invalid`.
    """
    hashed = members.to_check(suites, read, key.algorithm)
    signature = members.signature(read)
    if "@context" in proof and proof["@context"] != document.get("@context"):
        raise Refused("di.context", where=f"{read.where}['@context']", spec=_SPEC)
    options = dict(proof)
    del options["proofValue"]
    key.verify(signature, hash_data(document, options, hashed, load))


def hash_data(document: Mapping[str, Any], options: Mapping[str, Any], hashed: Hash, load: jsonld.Loader) -> bytes:
    """What is signed: the hash of the canonical proof options, which take the document's context, then that of the
    canonical document."""
    name: rdfc.HashName = "sha384" if hashed is hashlib.sha384 else "sha256"
    config = canonical({**options, "@context": document.get("@context")}, load, name)
    return bytes(hashed(config).digest() + hashed(canonical(document, load, name)).digest())


def canonical(document: Mapping[str, Any], load: jsonld.Loader, hash: rdfc.HashName = "sha256") -> bytes:
    """The document's dataset in canonical N-Quads.

    Raises:
        Malformed: `json.surrogate`; those of `jsonld.canonical`.
    """
    try:
        return jsonld.canonical(document, load, hash=hash).encode("utf-8")
    except UnicodeEncodeError:
        raise Malformed("json.surrogate", spec="RFC 7493 §2.1") from None
