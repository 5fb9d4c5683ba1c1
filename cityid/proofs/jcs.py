"""The suites that sign canonical JSON: eddsa-jcs-2022 (DI EdDSA 1.0 §3.3) and ecdsa-jcs-2019 (DI ECDSA 1.0 §3.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from cityid.encoding import jcs, multibase, times
from cityid.encoding.json import Fields
from cityid.errors import Malformed, Misuse, Refused
from cityid.keys import Algorithm, PublicKey, Signer

TYPE: Final = "DataIntegrityProof"
EDDSA: Final = "eddsa-jcs-2022"
ECDSA: Final = "ecdsa-jcs-2019"
_SUITES: Final[Mapping[str, Mapping[Algorithm, Callable[[bytes], Any]]]] = MappingProxyType(
    {
        EDDSA: MappingProxyType({Algorithm.EDDSA: hashlib.sha256}),
        ECDSA: MappingProxyType({Algorithm.ES256: hashlib.sha256, Algorithm.ES384: hashlib.sha384}),
    }
)
_VALUE: Final = 2 + 132
"""Characters of the longest `proofValue`: `z` and 96 bytes in base58."""
_SPEC: Final = "DI EdDSA 1.0 §3.3"


def hash_data(document: bytes, options: bytes, hashed: Callable[[bytes], Any] = hashlib.sha256) -> bytes:
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
    algorithm = signer.public_key.algorithm
    suite = str(made.get("cryptosuite"))
    hashed = _SUITES.get(suite, {}).get(algorithm)
    if hashed is None:
        raise Misuse("di.key", suite=suite, algorithm=algorithm.value)
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
        Malformed: `json.missing`, `json.wrong_type`, `di.type`, `di.suite`, `time.not_a_stamp`;
            `multibase.*`.
        Refused: `di.purpose`, `di.key_of_other_suite`, `di.context`, `signature.invalid`.
    """
    fields = Fields(proof, where)
    suite, value = fields.text("cryptosuite"), fields.text("proofValue")
    if fields.text("type") != TYPE:
        raise Malformed("di.type", where=fields.at("type"), spec="Data Integrity 1.0 §2.1", found=proof["type"])
    if suite not in suites:
        raise Malformed("di.suite", where=fields.at("cryptosuite"), spec="Data Integrity 1.0 §2.1", found=suite)
    if fields.text("proofPurpose") != purpose:
        raise Refused(
            "di.purpose",
            where=fields.at("proofPurpose"),
            spec="Data Integrity 1.0 §4.4",
            expected=purpose,
            found=proof["proofPurpose"],
        )
    hashed = _SUITES[suite].get(key.algorithm)
    if hashed is None:
        raise Refused("di.key_of_other_suite", where=where, spec=_SPEC, suite=suite, algorithm=key.algorithm.value)
    options = dict(proof)
    del options["proofValue"]
    for name in ("created", "expires"):
        if name in options:
            times.read_stamp(fields.text(name), fields.at(name))
    signature = multibase.decode(value, fields.at("proofValue"), limit=_VALUE)
    if isinstance(document, bytes):
        if "@context" in options:
            raise _no_context(where)
        signed = document
    else:
        signed = _canonical(document, options, where)
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
