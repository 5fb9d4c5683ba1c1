"""What a run over a table leaves: many small files at once, archives, and parts that become one file."""

from __future__ import annotations

import os
import secrets
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from cityid.edge import files
from cityid.edge.archives import join, pack
from cityid.edge.files import of_the_system
from cityid.errors import Unavailable

__all__ = ["archive", "join", "locked", "pack", "together", "unpacked", "write_all"]

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_COPY: Final = 1 << 20


def write_all(folder: Path, made: Iterable[tuple[str, bytes]]) -> None:
    """Write files that their owner alone can read, each whole; durable when this returns. What has a name already was
    made by the same run and is replaced.

    Raises:
        Misuse, Unavailable: `file.*`.
    """
    for name, data in made:
        temporary = folder / f".cityid-{secrets.token_hex(8)}.tmp"
        try:
            number = os.open(temporary, _FLAGS, 0o600)
            with os.fdopen(number, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(number)
            temporary.replace(folder / name)
        except OSError as error:
            raise of_the_system(error, folder / name) from None
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def archive(path: Path, made: Iterable[tuple[str, bytes]]) -> None:
    """A zip file with these entries.

    Raises:
        Misuse, Unavailable: `file.*`.
    """
    with files.writing(path, force=True, private=True) as file:
        pack(file, made)


def together(path: Path, parts: Iterable[Path]) -> None:
    """One file of many parts: archives become one archive, others one text.

    Raises:
        Misuse, Unavailable: `file.*`. Unavailable: `store.damaged`, for an archive that was touched.
    """
    with files.writing(path, force=True, private=True) as file:
        if path.suffix == ".zip":
            join(file, _opened(parts))
            return
        for part in _opened(parts):
            while chunk := part.read(_COPY):
                file.write(chunk)


def _opened(parts: Iterable[Path]) -> Iterator[BinaryIO]:
    for part in parts:
        with part.open("rb") as one:
            yield one


def unpacked(part: Path | BinaryIO) -> Iterator[tuple[str, bytes]]:
    """The entries of a zip file of ours."""
    with zipfile.ZipFile(part) as one:
        for name in one.namelist():
            yield name, one.read(name)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; a dead holder's lock is gone with it.

    Raises:
        Unavailable: `bulk.running`.
        Misuse: `file.*`.
    """
    import fcntl

    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise of_the_system(error, path) from None
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        raise Unavailable("bulk.running", folder=str(path.parent.parent)) from None
    try:
        yield
    finally:
        os.close(number)
