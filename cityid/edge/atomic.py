"""A file that is written whole or not at all, and durable when that is done. What goes wrong is an OSError."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})


@contextmanager
def writing(path: Path, beside: Path, *, private: bool, over: bool) -> Iterator[BinaryIO]:
    """A fresh file `beside`, which has the name `path` when the block ends without an error: in the place of what is
    there, with `over`, and otherwise only where nothing is. `private` is for its owner alone, whatever the umask."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    number = os.open(beside, flags, 0o600 if private else 0o666)
    try:
        with os.fdopen(number, "wb") as file:
            if private:
                os.fchmod(number, 0o600)
            yield file
            file.flush()
            os.fsync(number)
        if over:
            os.replace(beside, path)
            sync_directory(path.parent)
        else:
            give_name(beside, path)
    finally:
        with suppress(OSError):
            os.unlink(beside)


def give_name(temporary: Path, path: Path) -> None:
    """Give a finished file its name, durably; FileExistsError when somebody took it in between. After any error the
    name is free, or somebody else's: it can be tried again. The temporary name may be left for the caller to remove."""
    try:
        os.link(temporary, path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A file system without hard links (a memory stick): claim the name first, then put the file in its place.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        with _or_free(path):
            os.replace(temporary, path)
    else:
        # A wallet that is made at the same time may have tidied it away, and what cannot be removed now harms nobody.
        with suppress(OSError):
            os.unlink(temporary)
    with _or_free(path):
        sync_directory(path.parent)


@contextmanager
def _or_free(path: Path) -> Iterator[None]:
    """What is told as not done leaves no file under the name, which would stand in the way of trying again."""
    try:
        yield
    except OSError:
        with suppress(OSError):
            os.unlink(path)
        raise


def sync_directory(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
