"""A wallet's home, opened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from . import talk
from .home import Home
from .state import STATE

if TYPE_CHECKING:
    from cityid.edge.pkcs11 import Pkcs11Keyring
    from cityid.edge.wallet_file import WalletFile
    from cityid.edge.wallet_mark import Marks
    from cityid.keys import Algorithm, Keyring, PublicKey, Signer
    from cityid.wallet import Card


class _Token:
    """A token that is opened when a key of it is needed: to look into a wallet, nobody has to insert it."""

    def __init__(self, uri: str, pin_fd: int | None) -> None:
        self._uri = uri
        self._pin_fd = pin_fd
        self._ring: Pkcs11Keyring | None = None

    def _opened(self) -> Pkcs11Keyring:
        from . import keys

        if self._ring is None:
            self._ring = keys.token(self._uri, self._pin_fd)
        return self._ring

    def create(self, algorithm: Algorithm) -> PublicKey:
        return self._opened().create(algorithm)

    def signer(self, key: PublicKey) -> Signer:
        return self._opened().signer(key)

    def keys(self) -> tuple[PublicKey, ...]:
        return self._opened().keys()

    def remove(self, key: PublicKey) -> None:
        """Raises Unavailable `keys.in_token` where nobody can be asked for the PIN."""
        from cityid.errors import Unavailable

        if self._ring is None and self._pin_fd is None and not talk.on_terminal():
            raise Unavailable("keys.in_token", thumbprint=key.thumbprint)
        self._opened().remove(key)


def opened(home: Home, passphrase_fd: int | None, *, pin_fd: int | None = None, typed: bool = False) -> WalletFile:
    """The wallet of a home, opened until the command ends: with its passphrase, or, where none is given and the home
    says so, by the operating system's keyring, unless it has to be `typed`.

    Raises:
        Misuse: `talk.*`. Refused: `passphrase.wrong`. Unavailable: `store.*`.
    """
    from cityid.edge.wallet_file import WalletFile

    path = home.path("wallet.sqlite")
    token = _Token(home.text("keys"), pin_fd) if "keys" in home.config else None
    known = marks(home)
    wallet = None
    if not typed and passphrase_fd is None and home.config.get("unlock") == "keyring":
        wallet = _by_keyring(path, token, known)
    if wallet is None:
        passphrase = talk.secret("Passphrase of this wallet", passphrase_fd)
        wallet = WalletFile.open(path, passphrase, token=token, marks=known)
    _warn(STATE.opened.enter_context(wallet))
    return wallet


def copies(card: Card) -> str:
    """How often a card can be shown, in words."""
    if without_limit(card):
        return "can be shown without limit"
    return f"{card.copies_left} of {card.copies_total} copies left"


def without_limit(card: Card) -> bool:
    """Is each showing a proof of its own, so that the one copy is never used up?"""
    return card.format == "ldp_vc" and card.copies_total == 1 and card.credential.proves


def _warn(wallet: WalletFile) -> None:
    from cityid.edge.messages import explain
    from cityid.errors import Problem

    if wallet.lost_uses:
        told = explain(Problem("wallet.rolled_back", {"uses": wallet.lost_uses}))
        talk.say(f"warning: {talk.clean(told.text)}\nhint: {talk.clean(told.hint)}")
    if wallet.unmarked is not None:
        told = explain(Problem("wallet.unmarked", {"why": wallet.unmarked.code}))
        talk.say(f"note: {talk.clean(told.text)}")


def marks(home: Home) -> Marks:
    """Where it is kept how often copies of the wallet were used: two folders beside the person's data, because what is
    put back from a backup is seldom all of them, and the system's keyring where it opens the wallet."""
    from cityid.edge.wallet_mark import FolderMarks, KeyringMarks, SeveralMarks

    places: list[Marks] = []
    for name, default in (("XDG_STATE_HOME", "~/.local/state"), ("XDG_CACHE_HOME", "~/.cache")):
        given = os.environ.get(name, "")  # a relative one is to be ignored (XDG Base Directory 0.8)
        base = Path(given) if os.path.isabs(given) else Path(os.path.expanduser(default))
        places.append(FolderMarks(base / "cityid" / "marks"))
    if home.config.get("unlock") == "keyring":
        places.append(KeyringMarks())
    return SeveralMarks(places)


def kept_as(path: Path) -> str:
    """The name of a wallet in the operating system's keyring."""
    return f"wallet {path.resolve()}"


def _by_keyring(path: Path, token: Keyring | None, known: Marks) -> WalletFile | None:
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
        return WalletFile.open_with(path, secret, token=token, marks=known)
    except Refused:  # the passphrase was changed elsewhere, or this is another wallet
        return None
