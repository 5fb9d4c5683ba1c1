"""What is open between two messages: a service's question, a city's offer, a challenge. Each is taken once.

The key is the secret: whoever knows it can take the value, and nobody else can read it, because a store looks values up
by a hash of the key and seals them under another. So a key is drawn with `new_key`, never counted or chosen.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol, runtime_checkable

from cityid.encoding import base64url
from cityid.errors import Misuse

__all__ = ["KEY_BITS", "KEY_LENGTH", "TRIES", "Kind", "Sessions", "check_key", "new_key"]

KEY_BITS: Final = 144
"""Chance in a new key: 24 characters without a remainder."""
KEY_LENGTH: Final = 16
"""Fewest characters of a key. A store cannot measure chance, but it can refuse `offer-1`."""
KEY_LONGEST: Final = 512
TRIES: Final = 5
"""How often a value is given back after a fault of the taker."""


class Kind(StrEnum):
    """What a value is for. One key names different values in different kinds, so a code of one sort opens no other."""

    SESSION = "session"
    """A question that a service put (`cityid.verifying`)."""
    OFFER = "offer"
    """A card that city hall has prepared and not signed (`cityid.issuing`)."""
    CHALLENGE = "challenge"
    """A nonce that must be answered once."""
    WAITING = "waiting"
    """A card that waits for a second clerk's yes (`cityid.issuing`)."""


def new_key(entropy: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A new key: 144 bits of chance in 24 characters of base64url."""
    return base64url.encode(entropy(KEY_BITS // 8))


def check_key(key: str) -> bytes:
    """The bytes of a key that is fit to be put.

    Raises:
        Misuse: `session.weak_key`, when it has fewer than 16 or more than 512 characters.
    """
    if not KEY_LENGTH <= len(key) <= KEY_LONGEST:
        raise Misuse("session.weak_key", length=len(key), least=KEY_LENGTH, most=KEY_LONGEST)
    return key.encode("utf-8", "surrogatepass")


@runtime_checkable
class Sessions(Protocol):
    """Values that are taken once, atomically, across threads, processes and machines. Replay ends here.

        open --take--> taken --give_back--> open
                       taken --spend or the deadline--> spent: the value is erased, a tombstone stays

    A taker that dies leaves the value taken: losing one is better than taking it twice.
    Every method may raise Unavailable `store.*`.
    """

    def put(self, key: str, value: bytes, until: datetime, *, kind: Kind = Kind.SESSION, tries: int = TRIES) -> None:
        """Keep `value` under `key` until `until` (exclusive, to the second). `tries`: how often `give_back` after a
        fault opens it again.

        Raises:
            Misuse: `session.exists`, when the key was ever used in this kind; `session.weak_key`.
        """
        ...

    def take(self, key: str, at: datetime, *, kind: Kind = Kind.SESSION) -> bytes:
        """The value, and the right to act on it: exactly one of any number of takers gets it.

        Raises:
            Refused: `session.unknown`, `session.spent` (taken before), `session.expired`.
        """
        ...

    def give_back(self, key: str, *, kind: Kind = Kind.SESSION, fault: bool = False) -> bool:
        """Open a taken value again, until its own deadline; True when it is open now. `fault` says that the taker did
        wrong (a bad proof, a wrong transaction code) and uses up one of its tries; without tries left it is spent.
        Where nothing is taken under this key, nothing changes."""
        ...

    def spend(self, key: str, *, kind: Kind = Kind.SESSION) -> None:
        """Erase a value now, instead of at its deadline; a later `take` is refused with `session.spent`. Spending
        twice, or what is not there, changes nothing."""
        ...

    def forget(self, at: datetime) -> int:
        """Erase every value whose deadline has passed and say how many. `take` does it too."""
        ...
