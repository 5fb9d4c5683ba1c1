"""did:key (CCG draft v0.9): the DID is the key. Nothing is fetched, nothing can change."""

from __future__ import annotations

from typing import Any, Final

from cityid.did.document import DidDocument, from_json
from cityid.did.syntax import Did
from cityid.keys import Algorithm, PublicKey, multikey

CONTEXT: Final = "https://www.w3.org/ns/did/v1.1"
_P: Final = 2**255 - 19


def create(key: PublicKey) -> str:
    """The DID of `key`."""
    return f"did:key:{multikey.write(key)}"


def agreement(key: PublicKey) -> PublicKey | None:
    """The X25519 key that belongs to an Ed25519 key: the same point in Montgomery form, u = (1 + y) / (1 - y)
    (RFC 7748 §4.1). None for other keys."""
    if key.algorithm is not Algorithm.EDDSA:
        return None
    y = int.from_bytes(key.raw, "little") & (2**255 - 1)
    u = (1 + y) * pow(1 - y, -1, _P) % _P
    return PublicKey(Algorithm.X25519, u.to_bytes(32, "little"))


def read(did: Did) -> DidDocument:
    """The document of a did:key, made from its body. An Ed25519 key brings its X25519 key along for key agreement, as
    the specification's examples do.

    Raises:
        Malformed: what `multikey.read` finds wrong; `multibase.too_long` before base58 is touched.
    """
    body = did.id
    key = multikey.read(body, "$", agreement=None)
    name = str(did)
    method = _method(name, body)
    document: dict[str, Any] = {"@context": [CONTEXT], "id": name, "verificationMethod": [method]}
    if not key.algorithm.agrees:
        for purpose in ("authentication", "assertionMethod", "capabilityDelegation", "capabilityInvocation"):
            document[purpose] = [method["id"]]
        derived = agreement(key)
        if derived is not None:
            document["keyAgreement"] = [_method(name, multikey.write(derived))]
    else:
        document["keyAgreement"] = [method["id"]]
    return from_json(document, name)


def _method(did: str, body: str) -> dict[str, Any]:
    return {"id": f"{did}#{body}", "type": "Multikey", "controller": did, "publicKeyMultibase": body}
