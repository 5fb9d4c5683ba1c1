"""What a service may ask for a purpose: a catalogue, against which a wallet holds a request.

The purpose is the service's own word, and nobody proves it; but who says "parking inspection" is held to it.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cityid import limits
from cityid.credential import Path
from cityid.encoding import paths
from cityid.errors import Malformed, Misuse, Problem

__all__ = ["Purpose", "Purposes", "read"]

_MEMBERS: Final = frozenset({"names", "may"})


@dataclass(frozen=True, slots=True)
class Purpose:
    """One purpose: how it is called, and by credential type the claims that it may need. A claim covers what is inside
    it."""

    id: str
    names: tuple[str, ...]
    may: Mapping[str, tuple[Path, ...]]

    def excess(self, type: str, claims: Iterable[Path]) -> tuple[Problem, ...]:
        """What of `claims`, asked from a credential of this type, the purpose does not need: `query.over_purpose`."""
        allowed = self.may.get(type, ())
        return tuple(
            Problem("query.over_purpose", {"claim": paths.write(path), "purpose": self.names[0]})
            for path in claims
            if not any(_covers(one, path) for one in allowed)
        )


def _covers(allowed: Path, path: Path) -> bool:
    plain = tuple(None if isinstance(part, int) else part for part in path)
    return allowed in (path[: len(allowed)], plain[: len(allowed)])


@dataclass(frozen=True, slots=True)
class Purposes:
    """A catalogue of purposes."""

    entries: Mapping[str, Purpose]

    def find(self, words: str) -> Purpose | None:
        """The purpose that a service names with these words; case, accents' form and outer spaces do not matter."""
        wanted = _plain(words)
        for purpose in self.entries.values():
            if wanted in (purpose.id, *map(_plain, purpose.names)):
                return purpose
        return None


def _plain(words: str) -> str:
    return " ".join(unicodedata.normalize("NFC", words).casefold().split())


def read(text: bytes, base: Purposes | None = None) -> Purposes:
    """The catalogue in a TOML file; its entries stand over those of `base`.

    Raises:
        Misuse: `purposes.syntax`, `purposes.entry`.
    """
    if len(text) > limits.DOCUMENT:
        raise Misuse("purposes.syntax")
    try:
        found: dict[str, Any] = tomllib.loads(text.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        raise Misuse("purposes.syntax") from None
    entries = dict(base.entries) if base is not None else {}
    for name, entry in found.items():
        entries[name] = _entry(name, entry)
    return Purposes(entries)


def _entry(id: str, entry: Any) -> Purpose:
    wrong = Misuse("purposes.entry", purpose=id)
    if not isinstance(entry, dict) or not set(entry) <= _MEMBERS:
        raise wrong
    names: Any = entry.get("names")
    may: Any = entry.get("may")
    if not _texts(names) or not isinstance(may, dict) or not all(_texts(claims) for claims in may.values()):
        raise wrong
    try:
        allowed = {kind: tuple(paths.read(claim) for claim in claims) for kind, claims in may.items()}
    except Malformed:
        raise wrong from None
    return Purpose(id, tuple(names), allowed)


def _texts(found: Any) -> bool:
    return isinstance(found, list) and bool(found) and all(isinstance(text, str) and text for text in found)
