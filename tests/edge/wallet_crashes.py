"""A wallet that is killed, or whose disk fails, at a chosen system call; run as a program under strace.

    strace -f -e inject=CALL:WHAT:when=200 python -m tests.edge.wallet_crashes FOLDER K,K,... CALL WRONG

For each K, a forked child takes FOLDER/K through all steps after it has made 200 - K such calls on another
file, so that the fault strikes its Kth. It writes a dot for each acknowledged step into FOLDER/K.acks. What each wallet
holds is looked at from outside (`held`): it is what it was before the step that was not acknowledged, or after it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cityid.credential import Credential
from cityid.edge import sealed, sqlite, wallet_records
from cityid.edge.wallet_file import WalletFile
from cityid.edge.wallet_records import Record, Records, Sort
from cityid.encoding import json
from cityid.errors import CityIdError, Refused
from cityid.formats import FORMATS
from cityid.keys import Algorithm
from cityid.wallet import Copy
from tests import credentials, sd_jwts

AT = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
NAME = "wallet.db"
PASSPHRASE = "correct horse battery"
ANOTHER = "another passphrase"
SHIFT = 200
SD_JWT_VC = FORMATS["dc+sd-jwt"]


def cheap(passphrase: str | bytes, salt: bytes, memory: int = 0, passes: int = 0) -> bytes:
    """In the place of Argon2id: what is tried here is not the derivation."""
    return hashlib.blake2b(sealed.normalise(passphrase), salt=salt[:16], digest_size=32).digest()


def template(path: Path) -> bytes:
    """A wallet as the first version wrote it, with a card of two copies and a key; its data key."""
    now = wallet_records._MIGRATIONS
    wallet_records._MIGRATIONS = now[:1]  # type: ignore[assignment,misc]
    try:
        with WalletFile.create(path, PASSPHRASE) as wallet:
            wallet.add(copies(wallet), AT, issuer_name="Stadt Lindau")
            return wallet._records._data_key
    finally:
        wallet_records._MIGRATIONS = now  # type: ignore[misc]


def copies(wallet: WalletFile) -> list[Credential]:
    keys = [wallet.keyring.create(Algorithm.ES256) for _ in range(2)]
    drafts = [credentials.draft(holder=key) for key in keys]
    return [
        SD_JWT_VC.read(SD_JWT_VC.issue(draft, sd_jwts.ISSUER, at=AT, entropy=secrets.token_bytes).raw)
        for draft in drafts
    ]


def chance() -> Callable[[int], bytes]:
    """The same in every run, so that what is held can be compared."""
    count = iter(range(1 << 20))
    return lambda size: hashlib.shake_256(f"chance {next(count)}".encode()).digest(size)


def opened(path: Path, key: bytes) -> WalletFile:
    return WalletFile(Records.open(path, key, chance()), FORMATS)


def steps(path: Path, key: bytes) -> list[Callable[[], object]]:
    """What a wallet does in its life, one acknowledged action each."""
    held: list[WalletFile] = []
    taken: list[Copy] = []
    cards: list[str] = []

    def wallet() -> WalletFile:
        return held[0]

    def first() -> str:
        return next(iter(wallet().held())).id

    def begin() -> None:
        held.append(opened(path, key))
        cards.append(first())

    return [
        begin,
        lambda: wallet().keyring.create(Algorithm.EDDSA),
        lambda: wallet().add(FIXED, AT),
        lambda: wallet().reserve(cards[0], AT),
        lambda: taken.append(wallet().reserve(cards[0], AT)),
        lambda: wallet().shown(taken[0], "library.example", [("given_name",)], AT),
        lambda: wallet().add_person("Tom", AT),
        lambda: wallet().remember_offer("code", b"offer", AT),
        lambda: wallet().change_passphrase(ANOTHER),
        lambda: wallet().keep_for(bytes(32)),
        lambda: wallet().forget_offer("code"),
        lambda: wallet().forget(cards[0]),
        lambda: wallet().forget_history(AT.replace(year=2027)),
        lambda: wallet().close(),
    ]


FIXED: list[Credential] = []
"""Copies that are added; bound to no key, because keys come from chance outside our hands."""


def held(path: Path, key: bytes) -> Any:
    """All that a wallet's file holds, in a form to compare; ids are chance. Opening says whether it is whole."""
    records = Records.open(path, key, secrets.token_bytes)
    try:
        rows = sorted((r.sort, r.state, _content(records, r)) for r in records.select("1 = 1", ()))
        with records.database.read() as found:
            header = sealed.read_header(found.execute("SELECT header FROM header").fetchone()[0], "wallet")
            slots = found.execute("SELECT count(*) FROM slots").fetchone()[0]
    finally:
        records.close()
    try:
        sealed.unlock(header, PASSPHRASE)
    except Refused:
        sealed.unlock(header, ANOTHER)
        return rows, ANOTHER, slots
    return rows, PASSPHRASE, slots


def _content(records: Records, record: Record) -> bytes:
    content = records.content(record)
    if record.sort == Sort.KEY:
        return bytes(json.read_object(content)["algorithm"], "ascii")
    if record.sort == Sort.SHOWN:
        return json.write({**json.read_object(content), "copy": ""})
    return content


def work(path: Path, key: bytes, acks: int, *, wrong: str = "") -> None:
    """All steps, a dot to `acks` for each when it is done. One that fails is tried again: disks get room."""
    for step in steps(path, key):
        if wrong == "early":
            os.write(acks, b".")
        try:
            step()
        except CityIdError:
            with suppress(Refused):  # where it had been done, and only the tidying up behind it failed
                step()
        if wrong != "early":
            os.write(acks, b".")


def seed(wrong: str) -> None:
    """Make the wallet wrong in a known way, which the checker must notice."""
    if wrong == "torn":  # a card and its copies in two transactions

        def add(self: WalletFile, made: Sequence[Credential], at: datetime, **_: Any) -> None:
            with self._records.change() as change:
                card = change.add(Sort.CARD, json.write({"person": "me"}))
            with self._records.change() as change:
                for copy in made:
                    change.add(Sort.COPY, copy.raw, parent=card.id)

        WalletFile.add = add  # type: ignore[method-assign,assignment]
    if wrong == "clear":  # what a card is called stands in the file
        sealing = Records.seal

        def clear(self: Records, record: Record, content: bytes) -> Record:
            made = sealing(self, record, content)
            return replace(made, sealed=made.sealed + b"residency") if record.sort == Sort.CARD else made

        Records.seal = clear  # type: ignore[method-assign]
    if wrong == "lazy":  # no fsync at commit
        connect = sqlite.connect

        def lazy(uri: str) -> Any:
            connection = connect(uri)
            connection.execute("PRAGMA synchronous = NORMAL")
            return connection

        sqlite.connect = lazy


def prepare() -> None:
    """Everything that would make system calls of its own, before the children are forked."""
    sealed.derive = cheap
    draft = credentials.draft(holder=None)
    made = SD_JWT_VC.issue(draft, sd_jwts.ISSUER, at=AT, entropy=chance())
    FIXED[:] = [SD_JWT_VC.read(made.raw)]


def main(folder: Path, numbers: Sequence[int], call: str, wrong: str) -> None:
    prepare()
    seed(wrong)
    key = bytes.fromhex((folder / "key").read_text())
    for number in numbers:
        acks = os.open(folder / f"{number}.acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                spare = os.open(folder / "spare", os.O_RDWR | os.O_CREAT, 0o600)
                for _ in range(SHIFT - number):
                    if call == "pwrite64":
                        os.pwrite(spare, b"x", 0)
                    elif call == "fdatasync":
                        os.fdatasync(spare)
                    elif call == "ftruncate":
                        os.ftruncate(spare, 1)
                work(folder / str(number) / NAME, key, acks, wrong=wrong)
                status = 0
            finally:
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        os.close(acks)
        (folder / f"{number}.status").write_text(str(os.waitstatus_to_exitcode(ended)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(number) for number in sys.argv[2].split(",")], *sys.argv[3:5])
