"""Homes: one folder a role, known by its file (`city.toml`, `wallet.toml`, `service.toml`).

Found by `--home`, `CITYID_HOME`, the current folder or its parents, else the person's data folder.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cityid.errors import Misuse

ROLES = ("city", "wallet", "service")


@dataclass(frozen=True, slots=True)
class Home:
    """An open home: its folder, its role and what its file says."""

    folder: Path
    role: str
    config: Mapping[str, Any]

    def path(self, *parts: str) -> Path:
        return self.folder.joinpath(*parts)

    @property
    def file(self) -> Path:
        return self.folder / f"{self.role}.toml"

    def text(self, name: str) -> str:
        """A member of the home's file that must be text.

        Raises:
            Misuse: `home.member`.
        """
        value = self.config.get(name)
        if not isinstance(value, str) or not value:
            raise Misuse("home.member", name=name, file=str(self.file))
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A member that is a text or a list of some; none where it is not there.

        Raises:
            Misuse: `home.member`.
        """
        value = self.config.get(name, [])
        found = tuple(value) if isinstance(value, list) else (value,)
        if not all(isinstance(one, str) and one for one in found):
            raise Misuse("home.member", name=name, file=str(self.file))
        return found


def find(given: Path | None, role: str | None = None) -> Home:
    """The home to work in; `role` is what the command needs.

    Raises:
        Misuse: `home.none`, `home.wrong_kind`, `home.syntax`, `home.several`, `home.not_yours`.
    """
    for folder in _candidates(given, role):
        present = [name for name in ROLES if (folder / f"{name}.toml").is_file()]
        if len(present) > 1:
            raise Misuse("home.several", folder=str(folder))
        if present:
            _ours(folder / f"{present[0]}.toml", given)
            return _open(folder, present[0], role)
    raise Misuse("home.none", role=role or "city, wallet or service", folder=str(given or Path.cwd()))


def maybe(given: Path | None) -> Home | None:
    """The home to work in, where there is one: for commands that also work without. One that was named must be there.

    Raises:
        Misuse: as `find`.
    """
    try:
        return find(given)
    except Misuse as error:
        if given is None and error.code == "home.none":
            return None
        raise


def _candidates(given: Path | None, role: str | None) -> list[Path]:
    if given is not None:
        return [given]
    if named := os.environ.get("CITYID_HOME"):
        return [Path(named)]
    here = Path.cwd()
    folders = [here, *here.parents]
    base = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return [*folders, Path(base) / "cityid" / (role or "wallet")]


def _ours(file: Path, given: Path | None) -> None:
    """A home that was found and not named must belong to whoever works in it: a stranger could have put one into a
    shared folder above."""
    if given is None and not os.environ.get("CITYID_HOME") and file.stat().st_uid not in (os.getuid(), 0):
        raise Misuse("home.not_yours", file=str(file))


def _open(folder: Path, found: str, role: str | None) -> Home:
    file = folder / f"{found}.toml"
    if role is not None and found != role:
        raise Misuse("home.wrong_kind", found=found, wanted=role, file=str(file))
    try:
        config = tomllib.loads(file.read_bytes().decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise Misuse("home.syntax", file=str(file)) from None
    return Home(folder, found, config)


def set_member(home: Home, name: str, value: str | None) -> None:
    """Write one member of the home's file anew: as `set_members`."""
    set_members(home, {name: value})


def set_members(home: Home, members: Mapping[str, str | None]) -> None:
    """Write members of the home's file anew, all at once, before its tables, and leave every other line as it is; None
    removes one."""
    import re

    from cityid.edge import files
    from cityid.encoding import json

    text = files.read_home_file(home.file).decode("utf-8")
    head, bracket, rest = text.partition("\n[")
    lines = head.splitlines()
    for name, value in members.items():
        lines = [line for line in lines if not re.match(rf"{name}\s*=", line)]
        if value is not None:
            lines.append(f"{name} = {json.write(value).decode('utf-8')}")
    files.write(home.file, ("\n".join(lines) + "\n" + (bracket + rest if bracket else "")).encode("utf-8"), force=True)
