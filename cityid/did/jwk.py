"""did:jwk: the DID is a JWK in base64url. Its characters are the identity and are never written anew."""

from __future__ import annotations

from typing import Any, Final

from cityid import limits
from cityid.did.document import DidDocument, from_json
from cityid.did.syntax import Did
from cityid.encoding import base64url, json
from cityid.keys import Algorithm, PublicKey, jwk

CONTEXTS: Final = ("https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1")
_ECDH: Final = frozenset({Algorithm.ES256, Algorithm.ES384, Algorithm.ES512})


def create(key: PublicKey) -> str:
    """The DID of `key`: its JWK with members in alphabetical order and no others than the key's own."""
    return f"did:jwk:{base64url.encode(json.write(dict(sorted(jwk.write(key).items()))))}"


def read(did: Did) -> DidDocument:
    """The document of a did:jwk, made from its JWK, with the one method `#0`.

    `use` decides: `sig` leaves keyAgreement out, `enc` leaves all else out. A key without `use` is for everything that
    its algorithm can do (ours: the specification lists keyAgreement for an Ed25519 key too).

    Raises:
        Malformed: `base64url.*`, `json.*`, and what `jwk.read` finds wrong (`key.private` above all).
    """
    value = json.read_object(base64url.decode(did.id, "$"), where="$", limit=limits.DID_JWK)
    key = jwk.read(value, "$", agreement=None)
    use = value.get("use")
    name = str(did)
    url = f"{name}#0"
    method = {"id": url, "type": "JsonWebKey2020", "controller": name, "publicKeyJwk": value}
    document: dict[str, Any] = {"@context": list(CONTEXTS), "id": name, "verificationMethod": [method]}
    if key.algorithm.signs:
        for purpose in ("assertionMethod", "authentication", "capabilityInvocation", "capabilityDelegation"):
            document[purpose] = [url]
    if use != "sig" and (key.algorithm in _ECDH or not key.algorithm.signs):
        document["keyAgreement"] = [url]
    return from_json(document, name)
