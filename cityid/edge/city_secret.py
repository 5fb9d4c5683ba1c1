"""The city's secret: 32 bytes in a file of the home, outside the register's database. Under it claims are sealed where
they are kept, people have pseudonyms, and what waits for approval is found. A copy of the database names nobody."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from cityid.credential_type import canonical
from cityid.edge import files, private_file
from cityid.encoding import base64url
from cityid.errors import Malformed, Misuse, Unavailable

__all__ = ["CitySecret"]

LENGTH: Final = 32


class CitySecret:
    """Opened from its file, which is made where there is none.

    Raises:
        Unavailable: `store.damaged`, `store.unreadable`, `store.not_a_file`, `file.disk_full`, `file.failed`.
        Misuse: `store.permissions`, `file.not_found`, `file.not_allowed`.
    """

    def __init__(self, path: Path, *, entropy: Callable[[int], bytes] = secrets.token_bytes) -> None:
        if not path.exists():
            # Whoever comes first makes it; all others read what was made.
            try:
                files.write(path, base64url.encode(entropy(LENGTH)).encode("ascii") + b"\n", private=True)
            except Misuse as error:
                if error.code != "file.exists":
                    raise
        try:
            self._secret = base64url.decode(private_file.read(path).removesuffix(b"\n"))
        except Malformed:
            self._secret = b""
        if len(self._secret) != LENGTH:
            raise Unavailable("store.damaged", kind="secret")

    def __repr__(self) -> str:
        return "CitySecret(...)"

    def _under(self, use: str, data: bytes = b"") -> bytes:
        return hmac.digest(self._secret, use.encode("ascii") + b"\0" + data, "sha256")

    @property
    def claims_key(self) -> bytes:
        """Seals claims that the register keeps."""
        return self._under("claims")

    def pseudonym(self, identifier: str) -> str:
        """The same for the same person, and nothing to anybody without the secret."""
        return base64url.encode(self._under("person", identifier.encode("utf-8", "surrogatepass"))[:18])

    def voter(self, identifier: str) -> str:
        """`pseudonym` on the roll of voices, which tells nobody which cards somebody has."""
        return base64url.encode(self._under("voter", identifier.encode("utf-8", "surrogatepass"))[:18])

    @property
    def voter_mark(self) -> str:
        """Tells under which secret a roll of voices was kept, and nothing else."""
        return base64url.encode(self._under("voter mark")[:9])

    def digest(self, claims: Mapping[str, Any]) -> str:
        """The same for the same claims, in whatever order they come."""
        return self.digest_of(canonical(claims))

    def digest_of(self, written: bytes) -> str:
        """`digest` of claims in canonical JSON (`cityid.credential_type.canonical`)."""
        return base64url.encode(self._under("values", written)[:18])

    def row(self, name: str) -> str:
        """The key of a row of a table that is issued from: what the register keeps of it tells nobody who it was."""
        return base64url.encode(self._under("row", name.encode("utf-8", "surrogatepass"))[:24])

    @property
    def work_key(self) -> bytes:
        """Seals what many machines work on."""
        return self._under("work")

    @property
    def work_mark(self) -> str:
        """Tells which secret sealed it, and nothing else."""
        return base64url.encode(self._under("work mark")[:9])

    def waiting(self, number: str) -> str:
        """The name under which a card waits for a second clerk."""
        return base64url.encode(self._under("waiting", number.encode("ascii", "replace")))
