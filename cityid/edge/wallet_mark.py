"""How many uses of copies a wallet had when it was last seen here, kept apart from its file.

A file that knows of fewer is an old copy of it that was put back: what it calls unused may have been shown since. A
mark is sealed by the wallet, and its name says nothing; whoever can remove it can only stop it from warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

from cityid.edge import os_keyring, private_file
from cityid.encoding import base64url
from cityid.errors import CityIdError, Malformed, Unavailable

__all__ = ["FolderMarks", "KeyringMarks", "Marks", "SeveralMarks"]

_LARGEST: Final = 256
"""Bytes of a mark."""


class Marks(Protocol):
    """Where marks are kept. Raises Unavailable or Misuse."""

    def read(self, name: str) -> Sequence[bytes]:
        """What is kept under `name`, in one place or several."""
        ...

    def write(self, name: str, data: bytes) -> None: ...


class FolderMarks:
    """Marks as files of a folder that is made when it is needed. Raises `store.*`, as `cityid.edge.private_file`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> Sequence[bytes]:
        try:
            found = private_file.read(self._folder / name)
        except Unavailable as error:
            if error.code == "store.missing":
                return ()
            raise
        return (found[:_LARGEST],)

    def write(self, name: str, data: bytes) -> None:
        private_file.make_directory(self._folder)
        private_file.write(self._folder / name, data)


class KeyringMarks:
    """Marks in the operating system's keyring. Raises as `os_keyring.keep`."""

    def __init__(self, keyring: Any = None) -> None:
        self._keyring = keyring

    def read(self, name: str) -> Sequence[bytes]:
        text = os_keyring.read(f"mark {name}", keyring=self._keyring)
        try:
            return () if text is None else (base64url.decode(text),)
        except Malformed:
            return ()

    def write(self, name: str, data: bytes) -> None:
        os_keyring.write(f"mark {name}", base64url.encode(data), keyring=self._keyring)


class SeveralMarks:
    """Several places, each of which will do: where one is lost or old, another may know better. Raises what the first
    raised when none can be used."""

    def __init__(self, places: Sequence[Marks]) -> None:
        self._places = places

    def read(self, name: str) -> Sequence[bytes]:
        found: list[bytes] = []
        for place in self._places:
            with suppress(CityIdError):
                found += place.read(name)
        return found

    def write(self, name: str, data: bytes) -> None:
        failed: list[CityIdError] = []
        for place in self._places:
            try:
                place.write(name, data)
            except CityIdError as error:
                failed.append(error)
        if failed and len(failed) == len(self._places):
            raise failed[0]
