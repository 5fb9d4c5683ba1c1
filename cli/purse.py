"""A wallet's home, opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import talk
from .home import Home
from .state import STATE

if TYPE_CHECKING:
    from cityid.edge.wallet_file import WalletFile


def opened(home: Home, passphrase_fd: int | None) -> WalletFile:
    """The wallet of a home, opened with its passphrase until the command ends.

    Raises:
        Misuse: `talk.*`. Refused: `passphrase.wrong`. Unavailable: `store.*`.
    """
    from cityid.edge.wallet_file import WalletFile

    passphrase = talk.secret("Passphrase of this wallet", passphrase_fd)
    return STATE.opened.enter_context(WalletFile.open(home.path("wallet.sqlite"), passphrase))
