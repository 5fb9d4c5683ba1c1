"""What tests of the suites that can hide share: the keys of the published vectors, and issuers made of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from cityid.bbs import SecretKey, blind, core, keys, pseudonym
from cityid.encoding import multibase
from cityid.errors import CityIdError
from cityid.keys import Algorithm, PublicKey
from tests.proofs import Curve
from tests.vectors import load, vectors

HMAC = bytes.fromhex("00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF")


def secret(pair: str) -> int:
    """The scalar of a key pair of the ecdsa-sd-2023 vectors."""
    material = load(vectors("di-ecdsa") / "ecdsa-sd-2023" / "SDKeyMaterial.json")
    return int.from_bytes(multibase.decode(material[pair]["secretKeyMultibase"])[2:], "big")


def issuer(number: int | None = None) -> Curve:
    return Curve(Algorithm.ES256, secret("baseKeyPair") if number is None else number)


def given(*parts: bytes) -> Callable[[int], bytes]:
    """A source of randomness that gives these parts, and the last one for ever."""
    left = list(parts)

    def entropy(length: int) -> bytes:
        return left.pop(0) if len(left) > 1 else left[0]

    return entropy


def vector_entropy() -> Callable[[int], bytes]:
    """The HMAC key of the vectors, then what makes their proof-scoped key."""
    return given(HMAC, (secret("proofKeyPair") - 1).to_bytes(48, "big"))


class BbsIssuer:
    """Signs with a BBS key."""

    def __init__(self, key: SecretKey | None = None) -> None:
        self._key = key or keys.key_gen(b"k" * 32)

    @property
    def public_key(self) -> PublicKey:
        return PublicKey(Algorithm.BBS, self._key.public)

    def sign(self, header: bytes, messages: Sequence[bytes]) -> bytes:
        return core.sign(self._key, header, messages)

    def blind_sign(self, commitment: bytes, header: bytes, messages: Sequence[bytes]) -> bytes:
        return blind.sign(self._key, commitment, header, messages)

    def sign_with_nym(
        self, commitment: bytes, length: int, nym_entropy: bytes, header: bytes, messages: Sequence[bytes]
    ) -> bytes:
        return pseudonym.sign(self._key, commitment, length, nym_entropy, header, messages)


@cache
def bbs_issuer() -> BbsIssuer:
    """The issuer of the bbs-2023 vectors."""
    material = load(vectors("di-bbs") / "BBSKeyMaterial.json")
    return BbsIssuer(keys.secret_key(bytes.fromhex(material["privateKeyHex"])))


def code(act: Callable[..., Any], *args: Any, **named: Any) -> str:
    """The code of what `act` raises; "" for nothing."""
    try:
        act(*args, **named)
    except CityIdError as error:
        return error.code
    return ""


def as_map(value: Any) -> dict[Any, Any]:
    """A map as the vectors write it."""
    assert value["dataType"] == "Map"
    return dict(value["value"])


# -- a card of a city --

V2 = "https://www.w3.org/ns/credentials/v2"
MANDATORY = ["/issuer", "/validFrom", "/validUntil"]
CHOSEN = ["/credentialSubject/given_name", "/credentialSubject/address/locality"]


def card(**more: Any) -> dict[str, Any]:
    """A credential with several blank nodes, arrays and names that JSON pointers must escape."""
    subject = {
        "given_name": "Ada",
        "family_name": "Byron",
        "address": {"locality": "Utrecht", "street": "Singel 1"},
        "nationalities": ["NL", "BE"],
        "permits": [{"zone": "A", "year": 2024}, {"zone": "B", "year": 2025}, {"zone": "C", "year": 2025.5}],
        "over": {"16": True, "18": False},
        "a/b~c": "odd",
    }
    return {
        "@context": [V2, {"@vocab": "https://city.example/vocab#"}],
        "type": ["VerifiableCredential"],
        "issuer": "https://city.example",
        "validFrom": "2026-11-01T00:00:00Z",
        "validUntil": "2026-12-01T00:00:00Z",
        "credentialSubject": {name: value for name, value in (subject | more).items() if value is not None},
    }


def options(suite: str, **more: Any) -> dict[str, Any]:
    made = {
        "type": "DataIntegrityProof",
        "cryptosuite": suite,
        "created": "2026-11-01T08:00:00Z",
        "verificationMethod": "https://city.example/keys#1",
        "proofPurpose": "assertionMethod",
    }
    return made | more
