"""Files: read only what is a regular file of a bearable size, written whole or not at all, never through a link."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, Final

from cityid import limits
from cityid.edge import atomic
from cityid.edge.resources import schemas
from cityid.errors import Malformed, Misuse, Unavailable

if TYPE_CHECKING:
    from cityid.credential_type import CredentialType
    from cityid.policy import Policy

__all__ = ["beside", "load_policy", "read", "read_home_file", "types", "write"]

_CHUNK: Final = 1 << 16
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NOT_ALLOWED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@contextmanager
def _told(path: str | Path) -> Iterator[None]:
    """Turn what the system says about `path` into one of the four errors."""
    try:
        yield
    except ValueError:  # a NUL in the name
        raise Misuse("file.not_found", file=str(path)) from None
    except OSError as error:
        raise of_the_system(error, path) from None


def of_the_system(error: OSError, path: str | Path) -> Misuse | Unavailable:
    """What the system says about `path` as one of ours: `file.*`."""
    number = error.errno or 0
    if number == errno.ENAMETOOLONG:  # most likely the contents themselves
        return Misuse("file.name_too_long", start=str(path)[:40], length=len(str(path)))
    if number in (errno.ENOENT, errno.ENOTDIR):
        return Misuse("file.not_found", file=str(path))
    if number in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
        return Misuse("file.not_regular", file=str(path))
    if number == errno.EEXIST:
        return Misuse("file.exists", file=str(path))
    if number in _NOT_ALLOWED:
        return Misuse("file.not_allowed", file=str(path))
    if number in _FULL:
        return Unavailable("file.disk_full", file=str(path))
    return Unavailable("file.failed", file=str(path), reason=errno.errorcode.get(number, "unknown"))


def read(path: str | Path, limit: int = limits.DOCUMENT, *, stdin: BinaryIO | None = None) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; `-` is the standard input.

    Raises:
        Misuse: `file.not_found`, `file.not_regular` (a folder, device or pipe), `file.not_allowed`, `file.no_input`.
        Malformed: `file.too_large`.
        Unavailable: `file.failed`.
    """
    with _told(path):
        if str(path) == "-":
            if stdin is None and sys.stdin is None:
                raise Misuse("file.no_input")
            return _all(stdin or sys.stdin.buffer, limit, "-")
        # Without O_NONBLOCK opening a pipe would wait for somebody to write into it.
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with os.fdopen(number, "rb") as file:
            found = os.fstat(number)
            if not stat.S_ISREG(found.st_mode):
                raise Misuse("file.not_regular", file=str(path))
            try:
                return _all(file, limit, path)
            except OSError as error:
                # A file of /proc calls itself regular, has no size, and may refuse to be read at all.
                if error.errno == errno.EIO and not found.st_size:
                    raise Misuse("file.not_regular", file=str(path)) from None
                raise


def _all(file: BinaryIO, limit: int, path: str | Path) -> bytes:
    data = bytearray()
    while chunk := file.read(min(_CHUNK, limit + 1 - len(data))):
        data += chunk
        if len(data) > limit:  # a file of /proc has no size, and any file may grow
            raise Malformed("file.too_large", file=str(path), limit=limit)
    return bytes(data)


def read_home_file(path: str | Path, limit: int = limits.DOCUMENT) -> bytes:
    """`read` for a file of this home: its owner's fault when it is too large.

    Raises:
        Misuse, Unavailable: as `read`.
    """
    try:
        return read(path, limit)
    except Malformed as error:
        raise Misuse(error.problem) from None


def write(path: str | Path, data: bytes, *, force: bool = False, private: bool = False) -> None:
    """Write a file whole, durably and atomically; nothing is written through a link, and nothing is overwritten
    without `force`. `private` makes it readable by its owner alone, whatever the umask.

    Raises:
        Misuse: `file.exists`, `file.not_regular`, `file.not_found` (no such folder), `file.not_allowed`.
        Unavailable: `file.disk_full`, `file.failed`.
    """
    with writing(path, force=force, private=private) as file:
        file.write(data)


@contextmanager
def writing(path: str | Path, *, force: bool = False, private: bool = False) -> Iterator[BinaryIO]:
    """As `write`, for what does not fit into memory: the file has its name when the block ends without an error."""
    path = Path(path)
    with _told(path):
        _check_target(path, force=force)
        temporary = path.parent / f".cityid-{secrets.token_hex(8)}.tmp"
        with atomic.writing(path, temporary, private=private, over=force) as file:
            yield file


def check_free(path: str | Path, *, force: bool = False) -> None:
    """Could `write` write here? Asked before something is done that cannot be undone.

    Raises:
        Misuse: `file.exists`, `file.not_regular`, `file.not_found`, `file.not_allowed`.
    """
    path = Path(path)
    with _told(path):
        _check_target(path, force=force)
        if not path.parent.is_dir():
            raise Misuse("file.not_found", file=str(path.parent))
        if not os.access(path.parent, os.W_OK):
            raise Misuse("file.not_allowed", file=str(path.parent))


def _check_target(path: Path, *, force: bool) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode):
        raise Misuse("file.not_regular", file=str(path))
    if not force:
        raise Misuse("file.exists", file=str(path))


def types(folder: Path | None = None) -> Mapping[str, CredentialType]:
    """The credential types by id: those that are shipped, and over them those of a home's own `folder`.

    Raises:
        Misuse: `type.*`, for a definition that is wrong.
    """
    from cityid import credential_type

    texts = [entry.read_bytes() for entry in (schemas() / "types").iterdir() if entry.name.endswith(".json")]
    if folder is not None and folder.is_dir():
        texts += [read_home_file(path) for path in sorted(folder.glob("*.json"))]
    try:
        kinds = [credential_type.read(text) for text in texts]
    except Malformed as error:
        raise Misuse(error.problem) from None
    return MappingProxyType({kind.id: kind for kind in sorted(kinds, key=lambda kind: kind.id)})


shipped: Final = types
"""`types`, under a name that a parameter does not hide."""


def beside(folder: str | Path) -> Callable[[str], bytes]:
    """A loader of the files that a file in `folder` names: they lie there, or in the folder above it (a home keeps
    `policies/` and `trust/` side by side)."""
    folder = Path(folder)

    def load(name: str) -> bytes:
        first = folder / name
        return read_home_file(first if first.exists() else folder.parent / name)

    return load


def load_policy(path: str | Path, types: Mapping[str, CredentialType] | None = None) -> Policy:
    """The policy in a TOML file. Files that it names lie beside it or above (`beside`); `types` are the shipped ones
    unless others are given.

    Raises:
        Misuse: `policy.*`, `trust_file.*`, `file.*`.
    """
    from cityid import policy
    from cityid.formats import FORMATS

    path = Path(path)
    kinds = shipped() if types is None else types
    return policy.read(read_home_file(path), types=kinds, load=beside(path.parent), formats=FORMATS)
