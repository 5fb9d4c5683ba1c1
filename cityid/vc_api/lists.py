"""The status list of an issuer that gives a status entry to each credential: 131,072 entries in memory, as a signed
credential whenever somebody asks (Bitstring Status List 1.0 §2.2). A server that is started anew has forgotten it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final

from cityid.errors import Refused, Unavailable
from cityid.status import bitstring_status_list as bitstring
from cityid.vc_api.model import Entropy

PURPOSE: Final = "revocation"
LIFETIME: Final = timedelta(days=1)
TTL: Final = timedelta(minutes=5)
_FULL: Final = bitstring.LEAST // 2
"""Entries that are given out: among as many free ones, a random one is soon found."""


class StatusList:
    """One list. Indexes are drawn at random, each once, `most` of them."""

    def __init__(self, uri: str, most: int = _FULL) -> None:
        self.uri: Final = uri
        self._most: Final = most
        self._given: dict[int, int] = {}
        self._lock: Final = Lock()

    def allot(self, entropy: Entropy) -> dict[str, Any]:
        """An entry for one more credential.

        Raises:
            Unavailable: `vc_api.list_full`.
        """
        with self._lock:
            if len(self._given) >= self._most:
                raise Unavailable("vc_api.list_full", limit=self._most)
            index = _draw(entropy)
            while index in self._given:
                index = _draw(entropy)
            self._given[index] = 0
        return {
            "id": f"{self.uri}#{index}",
            "type": bitstring.KIND,
            "statusPurpose": PURPOSE,
            "statusListIndex": str(index),
            "statusListCredential": self.uri,
        }

    def set(self, entry: bitstring.Entry, *, revoked: bool) -> None:
        """Change what the list says of an entry.

        Raises:
            Refused: `vc_api.no_such_entry`.
        """
        with self._lock:
            if entry.index not in self._given or entry.purpose != PURPOSE:
                raise Refused("vc_api.no_such_entry", list=self.uri, index=entry.index)
            self._given[entry.index] = int(revoked)

    def credential(self, issuer: str, at: datetime) -> dict[str, Any]:
        """The list as a credential, to be secured."""
        with self._lock:
            packed = bitstring.build(self._given, size=bitstring.LEAST)
        return bitstring.credential(
            packed, self.uri, issuer=issuer, at=at, lifetime=LIFETIME, ttl=TTL, purposes=(PURPOSE,)
        )


def _draw(entropy: Entropy) -> int:
    return int.from_bytes(entropy(3), "big") % bitstring.LEAST
