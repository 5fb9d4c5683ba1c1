"""The suites that sign canonical JSON: eddsa-jcs-2022 (DI EdDSA 1.0 §3.3) and ecdsa-jcs-2019 (DI ECDSA 1.0 §3.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from cityid.encoding import jcs, multibase
from cityid.errors import Refused
from cityid.keys import Algorithm, PublicKey, Signer
from cityid.proofs import members
from cityid.proofs.members import Hash, Proof

TYPE: Final = members.TYPE
EDDSA: Final = "eddsa-jcs-2022"
ECDSA: Final = "ecdsa-jcs-2019"
SUITES: Final[members.Suites] = MappingProxyType(
    {
        EDDSA: MappingProxyType({Algorithm.EDDSA: hashlib.sha256}),
        ECDSA: MappingProxyType({Algorithm.ES256: hashlib.sha256, Algorithm.ES384: hashlib.sha384}),
    }
)
_SPEC: Final = "DI EdDSA 1.0 §3.3"


def hash_data(document: bytes, options: bytes, hashed: Hash = hashlib.sha256) -> bytes:
    """What is signed: the hash of the canonical proof options, then that of the canonical document."""
    return bytes(hashed(options).digest() + hashed(document).digest())


def create(document: Mapping[str, Any], options: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """A proof over `document`, which has none itself. `options` are the proof less `proofValue`; the document's
    `@context`, where it has one, goes into them.

    Raises:
        Malformed: `json.*`. Misuse: `di.key` for a key that the suite, if it is one of these, is not for.
        Unavailable: what the signer raises.
    """
    made = dict(options)
    if "@context" in document:
        made["@context"] = document["@context"]
    hashed = members.to_sign(SUITES, str(made.get("cryptosuite")), signer.public_key.algorithm)
    signature = signer.sign(hash_data(jcs.canonical(dict(document)), jcs.canonical(made), hashed))
    return {**made, "proofValue": multibase.encode(signature)}


def check(
    document: Mapping[str, Any] | bytes,
    proof: Mapping[str, Any],
    key: PublicKey,
    *,
    suites: tuple[str, ...] = (EDDSA, ECDSA),
    purpose: str = "assertionMethod",
    where: str = "$.proof",
    plain: bool = False,
) -> None:
    """Check `proof` over `document` (without its proofs; or the canonical bytes of one that has no `@context`) with
    `key`. `plain` says that `jcs.is_plain` holds for the text that the proof was read from.

    Raises:
        Malformed: those of `members.read`, `di.suite`, `multibase.*`.
        Refused: `di.purpose`, `di.key_of_other_suite`, `di.context`, `signature.invalid`.
    """
    read = members.read(proof, where)
    members.check(read, suites, purpose)
    check_read(document, proof, read, key, plain=plain)


def check_read(
    document: Mapping[str, Any] | bytes, proof: Mapping[str, Any], read: Proof, key: PublicKey, *, plain: bool = False
) -> None:
    """`check` of a proof whose members were `read`."""
    hashed = members.to_check(SUITES, read, key.algorithm)
    signature = members.signature(read)
    options = dict(proof)
    del options["proofValue"]
    if isinstance(document, bytes):
        if "@context" in options:
            raise _no_context(read.where)
        signed = document
    else:
        signed = _canonical(document, options, read.where)
    written = jcs.plain(options) if plain else jcs.canonical(options)
    key.verify(signature, hash_data(signed, written, hashed))


def _canonical(document: Mapping[str, Any], options: Mapping[str, Any], where: str) -> bytes:
    """The document as it was signed: with the `@context` of the proof, which its own must begin with."""
    made = dict(document)
    if "@context" in options:
        own, signed = _listed(made.get("@context")), _listed(options["@context"])
        if own[: len(signed)] != signed:
            raise _no_context(where)
        made["@context"] = options["@context"]
    return jcs.canonical(made)


def _no_context(where: str) -> Refused:
    return Refused("di.context", where=f"{where}['@context']", spec=_SPEC)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
