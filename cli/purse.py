"""A wallet's home, opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from . import talk
from .home import Home
from .state import STATE

if TYPE_CHECKING:
    from cityid.edge.wallet_file import WalletFile


def opened(home: Home, passphrase_fd: int | None, *, typed: bool = False) -> WalletFile:
    """The wallet of a home, opened until the command ends: with its passphrase, or, where none is given and the home
    says so, by the operating system's keyring, unless it has to be `typed`.

    Raises:
        Misuse: `talk.*`. Refused: `passphrase.wrong`. Unavailable: `store.*`.
    """
    from cityid.edge.wallet_file import WalletFile

    path = home.path("wallet.sqlite")
    if not typed and passphrase_fd is None and home.config.get("unlock") == "keyring":
        wallet = _by_keyring(path)
        if wallet is not None:
            return STATE.opened.enter_context(wallet)
    passphrase = talk.secret("Passphrase of this wallet", passphrase_fd)
    return STATE.opened.enter_context(WalletFile.open(path, passphrase))


def kept_as(path: Path) -> str:
    """The name of a wallet in the operating system's keyring."""
    return f"wallet {path.resolve()}"


def _by_keyring(path: Path) -> WalletFile | None:
    from cityid.edge import os_keyring
    from cityid.edge.wallet_file import WalletFile
    from cityid.errors import Refused, Unavailable

    try:
        secret = os_keyring.find(kept_as(path))
    except Unavailable as error:
        talk.problem(error.problem)
        return None
    if secret is None:
        return None
    try:
        return WalletFile.open_with(path, secret)
    except Refused:  # the passphrase was changed elsewhere, or this is another wallet
        return None
