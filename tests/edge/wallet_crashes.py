"""A wallet that is killed, or whose disk fails, at a chosen system call; run as a program under strace.

    strace -f -e inject=CALL:WHAT:when=N python -m tests.edge.wallet_crashes fork|thread FOLDER CALL-K-SKIP[-WRONG]...

For each CALL-K-SKIP, a forked child, or a thread, whose calls strace counts by themselves, takes the wallet in the
folder of that name through all steps, after it has made SKIP such calls on another file: N - K, so that the fault
strikes its Kth. A wallet of a child can be wrong in a known way (`seed`). A dot for each acknowledged step is written
to the file of that name, `.acks`. What each wallet holds is looked at from outside (`held`): it is what it was before
the step that was not acknowledged, or after it.
"""

from __future__ import annotations

import gc
import hashlib
import os
import secrets
import sys
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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


def live(folder: Path, job: str, key: bytes) -> int:
    """One wallet's life: 0, or 1 where it was not lived to its end."""
    call, _, skip, wrong = [*job.split("-"), ""][:4]
    acks = os.open(folder / f"{job}.acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        seed(wrong)
        spare = os.open(folder / "spare", os.O_RDWR | os.O_CREAT, 0o600)
        for _ in range(int(skip)):
            if call == "pwrite64":
                os.pwrite(spare, b"x", 0)
            elif call == "fdatasync":
                os.fdatasync(spare)
            elif call == "ftruncate":
                os.ftruncate(spare, 1)
        os.close(spare)
        work(folder / job / NAME, key, acks, wrong=wrong)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        os.close(acks)
    return 0


def main(how: str, folder: Path, jobs: Sequence[str]) -> None:
    prepare()
    key = bytes.fromhex((folder / "key").read_text())
    gc.freeze()  # what is loaded stays: it need not be looked through again and again
    for job in jobs:
        if how == "fork":
            child = os.fork()
            if child == 0:
                os._exit(live(folder, job, key))
            _, ended = os.waitpid(child, 0)
            status = os.waitstatus_to_exitcode(ended)
        else:
            with ThreadPoolExecutor(1) as thread:
                status = thread.submit(live, folder, job, key).result()
            gc.collect()  # nothing is left for the next one to close
        (folder / f"{job}.status").write_text(str(status))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
