"""Lists that were read and found signed, by the hash of their bytes: the same bytes give the same list, so the work is
spared. Bounded by bytes, the least recently used go first; what failed is not remembered."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, Protocol, TypeVar

from cityid.keys import PublicKey


class Entries(Protocol):
    """A list as it is looked up; `nbytes` is what it takes in memory."""

    @property
    def nbytes(self) -> int: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> int: ...


class Signed(Protocol):
    """A signed list as read."""

    def check(self, key: PublicKey) -> None: ...

    def entries(self) -> Entries: ...


S = TypeVar("S", bound=Signed)


class Memo(Generic[S]):
    """At most `size` bytes of lists. May serve many threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held = 0
        self._kept: OrderedDict[bytes, Reading[S]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def read(self, body: bytes, media_type: str, read: Callable[[bytes], S]) -> Reading[S]:
        """`body` as `read` reads it, or as it read it before."""
        name = hashlib.sha256(body).digest() + media_type.encode("utf-8")
        with self._lock:
            found = self._kept.get(name)
            if found is not None:
                self._kept.move_to_end(name)
                return found
        return Reading(self, name, read(body), len(body))

    def _keep(self, reading: Reading[S]) -> None:
        with self._lock:
            if reading.weight > self._size or reading.name in self._kept:
                return
            self._kept[reading.name] = reading
            self._held += reading.weight
            while self._held > self._size:
                _, dropped = self._kept.popitem(last=False)
                self._held -= dropped.weight


class Reading(Generic[S]):
    """One list as read, and what was found out about it since."""

    __slots__ = ("_entries", "_keys", "_memo", "_size", "name", "signed", "weight")

    def __init__(self, memo: Memo[S], name: bytes, signed: S, size: int) -> None:
        self._memo = memo
        self._size = size
        self._keys: frozenset[PublicKey] = frozenset()
        self._entries: Entries | None = None
        self.name = name
        self.signed = signed
        self.weight = 0

    def checked(self, key: PublicKey) -> Entries:
        """The entries, if the list is signed by `key`; unpacked only then.

        Raises:
            Refused: as `Signed.check`.
            Malformed: as `Signed.entries`.
        """
        if key not in self._keys:
            self.signed.check(key)
            self._keys |= {key}
        if self._entries is None:
            entries = self.signed.entries()
            # The bytes as received, their parts and what they were read from: nearly three times their length.
            self.weight = entries.nbytes + 3 * self._size
            self._entries = entries
            self._memo._keep(self)
        return self._entries
