"""mldsa44-rdfc-2024 and mldsa44-jcs-2024: signatures that a quantum computer does not forge, by the W3C Working Draft
"Quantum-Resistant Cryptosuites v1.0" (16 June 2026) §3.3. A draft: names and encodings may change before it is final.

The other suites of the draft are for algorithms that no key here has; its ML-DSA-65 is not offered by it yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from cityid.encoding import base64url, jcs
from cityid.encoding.jsonld import Loader
from cityid.errors import Malformed, Refused
from cityid.keys import Algorithm, PublicKey, Signer
from cityid.proofs import members, rdfc
from cityid.proofs.members import Proof

RDFC: Final = "mldsa44-rdfc-2024"
JCS: Final = "mldsa44-jcs-2024"
SUITES: Final[members.Suites] = MappingProxyType(
    {name: MappingProxyType({Algorithm.ML_DSA_44: hashlib.sha256}) for name in (RDFC, JCS)}
)
_SPEC: Final = "Quantum-Resistant Cryptosuites 1.0 §3.3"


def create(document: Mapping[str, Any], options: Mapping[str, Any], signer: Signer, *, load: Loader) -> dict[str, Any]:
    """A proof over `document`, which is signed as it is. `options` are the proof less `proofValue`.

    Raises:
        Malformed: those of `rdfc.canonical` and `jcs.canonical`. Misuse: `di.key` for another key. Unavailable: what
            the signer raises.
    """
    members.to_sign(SUITES, str(options.get("cryptosuite")), signer.public_key.algorithm)
    signed = signer.sign(_hash_data(document, options, load))
    return {**options, "proofValue": f"u{base64url.encode(signed)}"}


def check(document: Mapping[str, Any], proof: Mapping[str, Any], read: Proof, key: PublicKey, *, load: Loader) -> None:
    """Check `proof`, whose members were `read`, over `document` as it was signed.

    Raises:
        Malformed: `di.encoding`, `base64url.*`; those of `rdfc.canonical` and `jcs.canonical`.
        Refused: `di.key_of_other_suite`, `di.context`, `signature.invalid`.
    """
    members.to_check(SUITES, read, key.algorithm)
    place = f"{read.where}.proofValue"
    if not read.value.startswith("u"):
        raise Malformed("di.encoding", where=place, spec=_SPEC, suite=read.suite)
    signature = base64url.decode(read.value[1:], place)
    if "@context" in proof and proof["@context"] != document.get("@context"):
        raise Refused("di.context", where=f"{read.where}['@context']", spec=_SPEC)
    options = dict(proof)
    del options["proofValue"]
    key.verify(signature, _hash_data(document, options, load))


def _hash_data(document: Mapping[str, Any], options: Mapping[str, Any], load: Loader) -> bytes:
    """As in the older suites; here the options of canonical JSON take the document's context, and do not keep it."""
    if options["cryptosuite"] == RDFC:
        return rdfc.hash_data(document, options, hashlib.sha256, load)
    config = dict(options)
    if "@context" in document:
        config["@context"] = document["@context"]
    first, second = (hashlib.sha256(jcs.canonical(each)).digest() for each in (config, dict(document)))
    return first + second
