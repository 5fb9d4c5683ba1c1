"""A wallet's home, opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import talk
from .home import Home

if TYPE_CHECKING:
    from cityid.edge.wallet_file import WalletFile


def opened(home: Home, passphrase_fd: int | None) -> WalletFile:
    """The wallet of a home, opened with its passphrase.

    Raises:
        Misuse: `talk.*`. Refused: `passphrase.wrong`. Unavailable: `store.*`.
    """
    from cityid.edge.wallet_file import WalletFile

    return WalletFile.open(home.path("wallet.sqlite"), talk.secret("Passphrase of this wallet", passphrase_fd))
