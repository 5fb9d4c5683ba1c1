"""What tests of Data Integrity share: the published contexts, keys made of numbers, a document of each kind."""

from __future__ import annotations

from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from cityid.edge.signers import load as software
from cityid.encoding import multibase
from cityid.errors import Malformed
from cityid.keys import Algorithm, PublicKey, Signer
from cityid.keys.algorithms import CURVES
from tests.vectors import load, vectors
from tests.webvh import Seeded

V2 = "https://www.w3.org/ns/credentials/v2"
EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
CITY = "https://city.example/contexts/test/v1"
VOCAB = "https://city.example/vocab#"
SUITES = {
    "eddsa-rdfc-2022": (Algorithm.EDDSA,),
    "ecdsa-rdfc-2019": (Algorithm.ES256, Algorithm.ES384),
    "eddsa-jcs-2022": (Algorithm.EDDSA,),
    "ecdsa-jcs-2019": (Algorithm.ES256, Algorithm.ES384),
    "mldsa44-rdfc-2024": (Algorithm.ML_DSA_44,),
    "mldsa44-jcs-2024": (Algorithm.ML_DSA_44,),
}
PAIRS = [(suite, algorithm) for suite, algorithms in SUITES.items() for algorithm in algorithms]


@cache
def _published(url: str) -> Any:
    root = vectors("contexts")
    entry = load(root / "index.json").get(url)
    return None if entry is None else load(root / entry["file"])


def contexts(url: str) -> Any:
    """A Loader over the published contexts."""
    found = _published(url)
    if found is None:
        raise Malformed("jsonld.error", error="loading remote context failed")
    return found


class Curve:
    """An ECDSA key made of one number."""

    def __init__(self, algorithm: Algorithm, number: int = 7) -> None:
        self._private = ec.derive_private_key(number, CURVES[algorithm])
        form = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        self._public = PublicKey(algorithm, self._private.public_key().public_bytes(*form))

    @property
    def public_key(self) -> PublicKey:
        return self._public

    def sign(self, message: bytes) -> bytes:
        size = len(self._public.raw) // 2
        r, s = utils.decode_dss_signature(self.der(message))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def der(self, message: bytes) -> bytes:
        hashed = hashes.SHA384() if self._public.algorithm is Algorithm.ES384 else hashes.SHA256()
        return self._private.sign(message, ec.ECDSA(hashed))


def signer(algorithm: Algorithm, number: int = 7) -> Signer:
    if algorithm is Algorithm.ML_DSA_44:
        made = software(algorithm, number.to_bytes(32, "big"))
        assert isinstance(made, Signer)
        return made
    return Seeded(number) if algorithm is Algorithm.EDDSA else Curve(algorithm, number)


def seeded(secret: str) -> Seeded:
    """The signer of an Ed25519 key in its secret Multikey form."""
    return Seeded(int.from_bytes(multibase.decode(secret)[2:], "big"))


def credential(**more: Any) -> dict[str, Any]:
    made = {
        "@context": [V2, EXAMPLES],
        "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
        "type": ["VerifiableCredential", "AlumniCredential"],
        "issuer": "https://vc.example/issuers/5678",
        "validFrom": "2023-01-01T00:00:00Z",
        "credentialSubject": {"id": "did:example:abcdefgh", "alumniOf": "The School of Examples"},
    }
    return {name: value for name, value in (made | more).items() if value is not None}


def options(suite: str = "eddsa-rdfc-2022", **more: Any) -> dict[str, Any]:
    made = {
        "type": "DataIntegrityProof",
        "cryptosuite": suite,
        "verificationMethod": "did:example:abcdefgh#key-1",
        "proofPurpose": "assertionMethod",
    }
    return {name: value for name, value in (made | more).items() if value is not None}
