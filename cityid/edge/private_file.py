"""Files that hold secrets: 0600 in a directory of 0700, replaced atomically, never through a link, by one at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Final

from cityid.edge import atomic
from cityid.errors import Misuse, Unavailable

LIMIT: Final = 8 << 20
"""Bytes of a file that is read whole."""
ATTEMPTS: Final = 100
PAUSE: Final = 0.05
"""Seconds between attempts at a lock that another process holds: five seconds in all."""

_SAFE: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a FIFO in the file's place would block for ever


def read(path: Path) -> bytes:
    """The whole file.

    Raises:
        Unavailable: `store.missing`, `store.not_a_file` (a link, a pipe, a second name), `store.too_large`,
            `store.unreadable`.
        Misuse: `store.permissions`, when others may read or change it, or it is somebody else's.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _SAFE)
    except FileNotFoundError:
        raise Unavailable("store.missing", path=str(path)) from None
    except OSError as error:
        raise _trouble(error, path) from None
    try:
        _check(descriptor, path)
        _check_directory(path)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        raise _trouble(error, path) from None
    finally:
        os.close(descriptor)
    if len(data) > LIMIT:
        raise Unavailable("store.too_large", path=str(path), limit=LIMIT)
    return data


def write(path: Path, data: bytes) -> None:
    """Replace the file by `data`, whole or not at all: a fresh file beside it, fsync, rename, fsync of the directory.

    Raises:
        Unavailable: `store.write`; what was there stays.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with atomic.writing(path, beside, private=True, over=True) as file:
            file.write(data)
    except OSError as error:
        raise Unavailable("store.write", path=str(path), reason=_name(error)) from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of the file at `path`, in `<name>.lock` beside it. A dead holder's lock is gone with it. What a
    killed writer left half-written beside the file is removed.

    Raises:
        Unavailable: `store.locked`, `store.not_a_file`, `store.write`.
    """
    make_directory(path.parent)
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | _SAFE, 0o600)
    except OSError as error:
        raise _trouble(error, lock) from None
    try:
        _check(descriptor, lock)
        _wait(descriptor, path)
        for leftover in path.parent.glob(f".{escape(path.name)}.*.tmp"):
            with suppress(OSError):
                leftover.unlink()
        yield
    finally:
        os.close(descriptor)


def make_directory(folder: Path) -> None:
    """Create `folder` as 0700, whatever the umask; one that is there is left as it is.

    Raises:
        Unavailable: `store.write`.
    """
    try:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(mode=0o700, parents=True)
        folder.chmod(0o700)
        for each in missing:  # its name is an entry of the folder above, which a power cut may forget
            atomic.sync_directory(each.parent)
    except FileExistsError:
        pass
    except OSError as error:
        raise Unavailable("store.write", path=str(folder), reason=_name(error)) from None


def _wait(descriptor: int, path: Path) -> None:
    for _ in range(ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(PAUSE)
        except OSError as error:
            raise _trouble(error, path) from None
        else:
            return
    raise Unavailable("store.locked", path=str(path))


def _check(descriptor: int, path: Path) -> None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise Unavailable("store.not_a_file", path=str(path))
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise Misuse("store.permissions", path=str(path), mode=f"{stat.S_IMODE(found.st_mode):04o}")


def _check_directory(path: Path) -> None:
    mode = path.parent.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise Misuse("store.permissions", path=str(path.parent), mode=f"{stat.S_IMODE(mode):04o}")


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "EIO")


def _trouble(error: OSError, path: Path) -> Unavailable:
    if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
        return Unavailable("store.not_a_file", path=str(path))
    return Unavailable("store.unreadable", path=str(path), reason=_name(error))
