"""The operating system's keyring, through the package `keyring`: a secret that opens a wallet without its passphrase.

Only keyrings of the system itself are used: the package also knows plain files, and finds others by its environment.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from cityid.edge.sealed import KEY, Entropy, Secret
from cityid.encoding import base64url
from cityid.errors import Malformed, Unavailable

_SERVICE: Final = "cityid"
_SAFE: Final = frozenset({"SecretService", "libsecret", "kwallet", "macOS", "Windows"})


def system() -> Any:
    """The system's own keyring.

    Raises:
        Unavailable: `install.extra`, `keyring.none`.
    """
    try:
        import keyring
    except ImportError:
        raise Unavailable("install.extra", extra="keyring") from None
    found = keyring.get_keyring()
    for backend in getattr(found, "backends", [found]):  # a chain of several
        package, _, name = type(backend).__module__.rpartition(".")
        if package == "keyring.backends" and name in _SAFE:
            return backend
    raise Unavailable("keyring.none")


def keep(name: str, *, keyring: Any = None, entropy: Entropy = secrets.token_bytes) -> bytes:
    """A fresh secret of 32 bytes, kept under `name`.

    Raises:
        Unavailable: `install.extra`, `keyring.none`, `keyring.failed`.
    """
    secret = Secret(entropy(KEY))
    write(name, base64url.encode(secret), keyring=keyring)
    return secret


def find(name: str, *, keyring: Any = None) -> bytes | None:
    """The secret that is kept under `name`. Raises as `keep`."""
    text = read(name, keyring=keyring)
    try:
        return None if text is None else Secret(base64url.decode(text))
    except Malformed:
        return None


def forget(name: str, *, keyring: Any = None) -> None:
    """Keep nothing under `name`. Raises as `keep`."""
    if read(name, keyring=keyring) is not None:
        _asked(lambda: (system() if keyring is None else keyring).delete_password(_SERVICE, name))


def read(name: str, *, keyring: Any = None) -> str | None:
    """The text that is kept under `name`. Raises as `keep`."""
    found = _asked(lambda: (system() if keyring is None else keyring).get_password(_SERVICE, name))
    return found if isinstance(found, str) else None


def write(name: str, text: str, *, keyring: Any = None) -> None:
    """Keep this text under `name`. Raises as `keep`."""
    _asked(lambda: (system() if keyring is None else keyring).set_password(_SERVICE, name, text))


def _asked(question: Any) -> Any:
    try:
        return question()
    except Unavailable:
        raise
    except Exception as error:  # every system's keyring has errors of its own
        raise Unavailable("keyring.failed", reason=type(error).__name__) from None
