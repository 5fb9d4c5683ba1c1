"""The credential types that a home knows: the shipped ones, and over them those of its own `types/` folder."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from .home import Home

if TYPE_CHECKING:
    from cityid.credential import CredentialType


def known(home: Home | None) -> tuple[Mapping[str, CredentialType], Mapping[str, bytes]]:
    """Types by id, and their definitions as they were written.

    Raises:
        Misuse: `type.of_this_home`, for a definition of this home that is wrong; `file.*`.
    """
    from cityid import credential_type
    from cityid.edge import files
    from cityid.errors import Malformed, Misuse

    own = home.path("types") if home is not None else None
    shipped, written = _shipped()
    types, sources = dict(shipped), dict(written)
    for path in sorted(own.glob("*.json")) if own is not None and own.is_dir() else ():
        text = files.read_home_file(path)
        try:
            kind = credential_type.read(text)
        except Malformed:
            raise Misuse("type.of_this_home", file=str(path)) from None
        types[kind.id], sources[kind.id] = kind, text
    return dict(sorted(types.items())), sources


@cache
def _shipped() -> tuple[Mapping[str, CredentialType], Mapping[str, bytes]]:
    from cityid import credential_type
    from cityid.edge.resources import schemas

    texts = [entry.read_bytes() for entry in (schemas() / "types").iterdir() if entry.name.endswith(".json")]
    kinds = [credential_type.read(text) for text in texts]
    return {kind.id: kind for kind in kinds}, {kind.id: text for kind, text in zip(kinds, texts, strict=True)}


def label(types: Mapping[str, CredentialType], wire: str) -> str:
    """What people call a type that a card names by its wire name; the wire name where the type is not known."""
    for name, kind in types.items():
        if any(wire == kind.wire_name(form) for form in kind.names):
            return name
    return wire


def one(home: Home | None, name: str) -> CredentialType:
    """Raises Misuse `type.unknown`."""
    from cityid.errors import Misuse

    types, _ = known(home)
    if name not in types:
        raise Misuse("type.unknown", type=name, known=", ".join(types))
    return types[name]
