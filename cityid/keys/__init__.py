"""Keys: a PublicKey is a value, a Signer is a capability, and the algorithm belongs to the key.

There is no class for a private key: it lives inside a Signer or a Keyring (`cityid.edge.software_keys` and others).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol, runtime_checkable

from cityid.keys.algorithms import Algorithm, PublicKey

__all__ = ["Algorithm", "BbsSigner", "KeyAgreement", "Keyring", "PublicKey", "Purpose", "Signer"]


class Purpose(StrEnum):
    """What a key may be used for: the verification relationships of DID Core §5.3 that we need."""

    ASSERTION = "assertionMethod"
    AUTHENTICATION = "authentication"


@runtime_checkable
class Signer(Protocol):
    """Can sign with one key. `repr` shows the thumbprint of its public key and nothing else."""

    @property
    def public_key(self) -> PublicKey: ...

    def sign(self, message: bytes) -> bytes:
        """The signature in its JOSE form (RFC 7518 §3.4: raw r||s for ECDSA).

        Raises:
            Unavailable: `keys.unavailable`, when the token or file that holds the key does not answer.
        """
        ...


@runtime_checkable
class BbsSigner(Protocol):
    """Can sign lists of messages with one BBS key (BLS12-381-SHA-256), and some that it does not see."""

    @property
    def public_key(self) -> PublicKey: ...

    def sign(self, header: bytes, messages: Sequence[bytes]) -> bytes: ...

    def blind_sign(self, commitment: bytes, header: bytes, messages: Sequence[bytes]) -> bytes:
        """Signs what is in `commitment` (`cityid.bbs.blind`) as well. Raises Refused `bbs.commitment`."""
        ...

    def sign_with_nym(
        self, commitment: bytes, length: int, nym_entropy: bytes, header: bytes, messages: Sequence[bytes]
    ) -> bytes:
        """Signs `length` nym secrets in `commitment` too (`cityid.bbs.pseudonym`). Raises Refused `bbs.commitment`."""
        ...


@runtime_checkable
class KeyAgreement(Protocol):
    """Can agree on a secret with one key."""

    @property
    def public_key(self) -> PublicKey: ...

    def shared(self, peer: PublicKey) -> bytes: ...


@runtime_checkable
class Keyring(Protocol):
    """Holds private keys and lends Signers."""

    def create(self, algorithm: Algorithm) -> PublicKey: ...

    def signer(self, key: PublicKey) -> Signer:
        """Raises Misuse `keys.unknown` for a key that is not held here."""
        ...

    def keys(self) -> tuple[PublicKey, ...]: ...
