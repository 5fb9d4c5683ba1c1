"""Attack group W: what lies on a disk, and who else can write there.

Here: the wallet, and what all SQLite stores share. W12 (core dumps), W15 and W23 are in test_w_process.py, W14 in
test_x.py, test_u_secrets.py and tests/edge/test_pkcs11.py, W18 and W20 in test_w_backup.py, W07 and W08 are E1 and E5
of tests/soak; the keyring file has tests of its own (tests/edge/test_software_keys.py)."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random

import pytest

from cityid.edge import sealed
from cityid.edge.database import SqliteRegister, SqliteSessions
from cityid.edge.wallet_file import WalletFile
from cityid.edge.wallet_records import BLOCK
from cityid.encoding import json
from cityid.errors import CityIdError, Malformed, Misuse, Refused, Unavailable
from cityid.formats import FORMATS
from cityid.keys import Algorithm
from tests import credentials, sd_jwts

AT = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
PASSPHRASE = "correct horse battery"
SD_JWT_VC = FORMATS["dc+sd-jwt"]
# what is in the wallet and must not be in its file
CANARIES = ("Lindau", "residency", "given_name", "Ada", "library.example", "code-of-the-offer", PASSPHRASE, "dc+sd-jwt",
            "Stadtbibliothek", "library card", "Grandmother")  # fmt: skip

pytestmark = pytest.mark.kdf


def fill(wallet: WalletFile) -> None:
    """A card of two copies, one of them shown; a pending offer; a key without a card."""
    keys = [wallet.keyring.create(Algorithm.ES256) for _ in range(3)]
    copies = [
        SD_JWT_VC.read(
            SD_JWT_VC.issue(credentials.draft(holder=key), sd_jwts.ISSUER, at=AT, entropy=secrets.token_bytes).raw
        )
        for key in keys[:2]
    ]
    card = wallet.add(copies, AT, issuer_name="Stadt Lindau")
    copy = wallet.reserve(card.id, AT)
    wallet.shown(copy, "library.example", [("given_name",)], AT, name="Stadtbibliothek", purpose="library card")
    wallet.add_person("Grandmother", AT)
    wallet.remember_offer("code-of-the-offer", b"offer from Lindau", AT)


def everything(wallet: WalletFile) -> object:
    (card,) = wallet.held()
    return card, card.credential, wallet.history(), wallet.pending(), wallet.keyring.keys()


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A wallet with something of each sort. Its key is derived once for all tests of this module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed, "derive", cache(sealed.derive))
        path = tmp_path_factory.mktemp("full") / "wallet.db"
        with WalletFile.create(path, PASSPHRASE) as wallet:
            fill(wallet)
        yield path


@pytest.fixture
def path(full: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(full, tmp_path / "wallet.db"))


def refusal(path: Path, passphrase: str = PASSPHRASE) -> str:
    """The code with which the wallet is refused; its file is as it was."""
    before = path.read_bytes()
    with pytest.raises(CityIdError) as error:
        WalletFile.open(path, passphrase)
    assert path.read_bytes() == before
    return error.value.code


def opens(path: Path) -> None:
    with WalletFile.open(path, PASSPHRASE) as wallet:
        everything(wallet)


def change(path: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(path) as rows:
        rows.execute(statement, values)
    rows.close()


def header(path: Path) -> dict[str, object]:
    with sqlite3.connect(path) as rows:
        (found,) = rows.execute("SELECT header FROM header").fetchone()
    rows.close()
    return dict(json.read_object(found))


@pytest.mark.parametrize(
    ("memory", "passes", "kind", "wanted"),
    [
        (8 << 10, 1, Unavailable, "store.weak_kdf"),
        (sealed.MEMORY - 1024, 3, Unavailable, "store.weak_kdf"),
        (sealed.MEMORY, 2, Unavailable, "store.weak_kdf"),
        (64 << 30, 3, Malformed, "store.costly_kdf"),
        (sealed.MEMORY, 2**31, Malformed, "store.costly_kdf"),
    ],
)
def test_w01_w02_kdf_parameters_are_judged_before_anything_is_derived(
    path: Path, monkeypatch: pytest.MonkeyPatch, memory: int, passes: int, kind: type[CityIdError], wanted: str
) -> None:
    opens(path)
    with sqlite3.connect(path) as rows:
        (found,) = rows.execute("SELECT header FROM header").fetchone()
        good = sealed.read_header(found, "wallet")
        forged = sealed.Header("wallet", good.salt, good.wrapped, memory, passes)
        rows.execute("UPDATE header SET header = ?", (forged.write(),))
    rows.close()
    monkeypatch.setattr(sealed, "derive", lambda *_: pytest.fail("derived"))
    with pytest.raises(kind) as error:
        WalletFile.open(path, PASSPHRASE)
    assert error.value.code == wanted


def test_w05_every_changed_bit(full: Path, path: Path) -> None:
    """A wallet opens when all of its content is what was written, and otherwise not at all."""
    with WalletFile.open(full, PASSPHRASE) as wallet:
        good = everything(wallet)
    data = full.read_bytes()
    random, refused, codes = Random(5), 0, set()
    # the file header, and a sample of everything else
    bits = [*range(0, 100 * 8, 7), *(random.randrange(len(data) * 8) for _ in range(500))]
    for bit in bits:
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            with WalletFile.open(path, PASSPHRASE) as wallet:
                assert everything(wallet) == good
        except CityIdError as error:
            refused += 1
            codes.add(error.code)
            assert path.read_bytes() == changed
        for rest in path.parent.glob("wallet.db-*"):
            rest.unlink()
    assert refused > len(bits) // 4
    assert all(code.startswith("store.") for code in codes), codes


def test_w05_every_truncation(full: Path, path: Path) -> None:
    data = full.read_bytes()
    for length in [*range(0, 200, 9), *range(200, len(data), 1021), len(data) - 1]:
        path.write_bytes(data[:length])
        assert refusal(path).startswith("store."), length
        for rest in path.parent.glob("wallet.db-*"):
            rest.unlink()
    path.write_bytes(data)
    opens(path)
    path.write_bytes(b"")
    assert refusal(path) == "store.damaged"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE records SET state = 0 WHERE state = 1",
        "UPDATE records SET state = state + 1",
        "UPDATE records SET version = 7",
        "UPDATE records SET seq = seq + 100",
        "UPDATE records SET parent = zeroblob(16)",
        "UPDATE records SET state = 'x'",
        "DELETE FROM records WHERE sort = 5",
        "DELETE FROM records",
        "INSERT INTO records SELECT seq + 50, zeroblob(16), sort, parent, state, version, sealed FROM records LIMIT 1",
        "UPDATE header SET total = zeroblob(80)",
        "UPDATE header SET header = 'text'",
        "UPDATE header SET header = 7",
        "UPDATE header SET total = 7",
        "INSERT INTO records SELECT seq + 50, zeroblob(16), sort, parent, 'x', version, sealed FROM records LIMIT 1",
        "DELETE FROM header",
        "CREATE TRIGGER t AFTER UPDATE ON records BEGIN UPDATE records SET state = 0; END",
        "CREATE TABLE more (x)",
        "DROP INDEX records_sort",
    ],
)
def test_w05_rows_changed_behind_its_back(path: Path, statement: str) -> None:
    opens(path)
    change(path, statement)
    assert refusal(path) == "store.damaged"


def test_w05_a_row_put_back_as_it_was(path: Path) -> None:
    """The used copy, made unused again by whoever kept its older row: only the sum knows."""
    with WalletFile.open(path, PASSPHRASE) as wallet:
        (card,) = wallet.held()
    with sqlite3.connect(path) as rows:
        old = rows.execute("SELECT * FROM records WHERE sort = 3 AND state = 0").fetchall()
    rows.close()
    with WalletFile.open(path, PASSPHRASE) as wallet:
        wallet.reserve(card.id, AT)
    opens(path)
    for row in old:
        change(path, "REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?)", *row)
    assert refusal(path) == "store.damaged"


@pytest.mark.parametrize(("column", "wanted"), [("version", "store.damaged"), ("state", "")])
def test_w05_an_index_that_tells_other_rows_than_the_table(path: Path, column: str, wanted: str) -> None:
    """Every row is as it was written, and so is the sum: what is asked by the index would be answered otherwise."""
    with sqlite3.connect(path, isolation_level=None) as rows:
        sql = "CREATE INDEX records_sort ON records(sort, parent, state)"
        for told in (sql.replace("state", column), sql):
            rows.execute("PRAGMA writable_schema = ON")
            rows.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'records_sort'", (told,))
            rows.execute("PRAGMA writable_schema = RESET")
            if told != sql or not wanted:
                rows.execute("REINDEX records_sort")
    rows.close()
    if wanted:
        assert refusal(path) == wanted
    else:
        opens(path)


def test_w06_a_wrong_passphrase_is_told_from_damage(path: Path) -> None:
    assert refusal(path, PASSPHRASE + "x") == "passphrase.wrong"
    with pytest.raises(Refused):
        WalletFile.open(path, "correct horse batterz")
    found = header(path)
    found["salt"] = "A" * len(str(found["salt"]))
    change(path, "UPDATE header SET header = ?", json.write(found))
    assert refusal(path) == "store.damaged"


Maker = Callable[[Path], object]
STORES: list[Maker] = [
    lambda path: WalletFile.create(path, PASSPHRASE).close(),
    lambda path: SqliteRegister(path).close(),
    lambda path: SqliteSessions(path).close(),
]
OPENERS: list[Maker] = [lambda path: WalletFile.open(path, PASSPHRASE).close(), *STORES[1:]]
NAMES = ["wallet", "register", "sessions"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
@pytest.mark.parametrize("make", STORES, ids=NAMES)
def test_w10_created_for_the_owner_alone(full: Path, tmp_path: Path, make: Maker, umask: int) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    before = os.umask(umask)
    try:
        make(home / "store.db")
    finally:
        os.umask(before)
    assert stat.S_IMODE((home / "store.db").stat().st_mode) == 0o600
    assert [entry.name for entry in home.iterdir()] == ["store.db"]


def test_w10_missing_folders_are_made_private(tmp_path: Path) -> None:
    SqliteSessions(tmp_path / "new" / "s.db").close()
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


@pytest.mark.parametrize(("make", "open_"), list(zip(STORES, OPENERS, strict=True)), ids=NAMES)
def test_w10_weak_permissions_are_refused(full: Path, tmp_path: Path, make: Maker, open_: Maker) -> None:
    store = tmp_path / "home" / "store.db"
    store.parent.mkdir(mode=0o700)
    make(store)
    open_(store)
    for mode in (0o644, 0o660, 0o602):
        store.chmod(mode)
        with pytest.raises(Misuse) as error:
            open_(store)
        assert error.value.code == "store.permissions"
        assert error.value.problem.facts["mode"] == f"{mode:04o}"
    store.chmod(0o600)
    store.parent.chmod(0o777)
    with pytest.raises(Misuse) as error:
        open_(store)
    assert error.value.code == "store.permissions"
    store.parent.chmod(0o1777)  # as /tmp: nobody can swap what is not theirs
    open_(store)


def test_w10_somebody_elses_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opens(path)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    assert refusal(path) == "store.permissions"


@pytest.mark.parametrize(("make", "open_"), list(zip(STORES, OPENERS, strict=True)), ids=NAMES)
def test_w11_links_and_pipes_in_the_place_of_a_store(full: Path, tmp_path: Path, make: Maker, open_: Maker) -> None:
    victim, store = tmp_path / "authorized_keys", tmp_path / "store.db"
    victim.write_bytes(b"ssh-ed25519 AAAA")
    victim.chmod(0o600)
    for place in (store.symlink_to, store.hardlink_to):
        place(victim)
        for use in (make, open_):
            with pytest.raises((Unavailable, Misuse)) as error:
                use(store)
            assert error.value.code in {"store.not_a_file", "store.exists"}
        store.unlink()
    store.symlink_to(tmp_path / "nowhere")
    with pytest.raises((Unavailable, Misuse)):
        make(store)
    store.unlink()
    os.mkfifo(store, 0o600)
    with pytest.raises(Unavailable) as unavailable:
        open_(store)
    assert unavailable.value.code == "store.not_a_file"
    assert victim.read_bytes() == b"ssh-ed25519 AAAA"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize(("make", "open_"), list(zip(STORES, OPENERS, strict=True)), ids=NAMES)
def test_w11_links_beside_a_store(full: Path, tmp_path: Path, make: Maker, open_: Maker, end: str) -> None:
    victim, store = tmp_path / "victim", tmp_path / "store.db"
    make(store)
    victim.write_bytes(b"mine")
    beside = Path(f"{store}{end}")
    beside.symlink_to(victim)
    with pytest.raises(Unavailable) as error:
        open_(store)
    assert error.value.code == "store.not_a_file"
    assert victim.read_bytes() == b"mine"
    beside.unlink()
    open_(store)


def test_w12_w22_w26_nothing_in_clear(full: Path, tmp_path: Path) -> None:
    """Neither in the file nor in SQLite's files beside it, while it is open and after."""
    with WalletFile.create(tmp_path / "wallet.db", PASSPHRASE) as wallet:
        fill(wallet)
        (card,) = wallet.held()
        thumbprints = [key.thumbprint for key in wallet.keyring.keys()]  # noqa: SIM118  # a keyring's keys, no mapping's
        canaries = [*CANARIES, card.credential.raw.decode()[:40], *thumbprints]
        open_files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    closed = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(open_files) == {"wallet.db", "wallet.db-wal", "wallet.db-shm"}
    assert set(closed) == {"wallet.db"}
    for data in (*open_files.values(), *closed.values()):
        for canary in canaries:
            assert canary.encode() not in data
            assert canary.encode("utf-16-le") not in data


def test_w13_no_key_beside_the_data(tmp_path: Path) -> None:
    for passphrase in ("", b""):
        with pytest.raises(Misuse) as error:
            WalletFile.create(tmp_path / "wallet.db", passphrase)
        assert error.value.code == "passphrase.empty"
    with pytest.raises(Misuse) as error:
        WalletFile.create(tmp_path / "wallet.db", "seven77")
    assert error.value.code == "passphrase.too_short"
    assert list(tmp_path.iterdir()) == []


def test_w16_passphrases(full: Path, path: Path, tmp_path: Path) -> None:
    with pytest.raises(Misuse) as error:
        WalletFile.open(path, "x" * (1 << 20))
    assert error.value.code == "passphrase.too_long"
    WalletFile.create(tmp_path / "umlaut.db", "sch\u00f6ne gr\u00fc\u00dfe").close()
    WalletFile.open(tmp_path / "umlaut.db", "scho\u0308ne gru\u0308\u00dfe").close()
    assert refusal(tmp_path / "umlaut.db", "sch\u00f6ne gr\u00fc\u00dfe\n") == "passphrase.wrong"


def test_w19_two_clones_share_no_nonce(full: Path, tmp_path: Path) -> None:
    nonces = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir(mode=0o700)
        clone = Path(shutil.copy(full, tmp_path / name / "wallet.db"))
        with WalletFile.open(clone, PASSPHRASE) as wallet:
            (card,) = wallet.held()
            for number in range(20):
                wallet.reserve(card.id, AT, allow_reuse=True)
                wallet.remember_offer(str(number), b"v", AT)
                with wallet._records.database.read() as rows:
                    used = "SELECT sealed FROM records WHERE sort = 3 UNION ALL SELECT total FROM header"
                    nonces += [blob[:24] for (blob,) in rows.execute(used)]
    # unchanged records repeat themselves within a clone; between the clones only what both were copied with is equal
    ours, theirs = set(nonces[: len(nonces) // 2]), set(nonces[len(nonces) // 2 :])
    with sqlite3.connect(full) as rows:
        shared = {blob[:24] for (blob,) in rows.execute("SELECT sealed FROM records")}
    rows.close()
    assert not (ours & theirs) - shared
    assert len(ours) > 30


@pytest.mark.parametrize(("make", "open_"), list(zip(STORES, OPENERS, strict=True)), ids=NAMES)
def test_w21_a_future_version_and_another_kind(full: Path, tmp_path: Path, make: Maker, open_: Maker) -> None:
    store = tmp_path / "store.db"
    make(store)
    open_(store)
    for pragma, kind, wanted in (
        ("user_version = 99", Unavailable, "store.newer"), ("application_id = 7", Misuse, "store.wrong_kind"),
    ):  # fmt: skip
        change(store, f"PRAGMA {pragma}")
        before = store.read_bytes()
        with pytest.raises(kind) as error:
            open_(store)
        assert error.value.code == wanted
        assert store.read_bytes() == before
        change(store, "PRAGMA user_version = 1")
    with sqlite3.connect(tmp_path / "foreign.db") as rows:
        rows.execute("CREATE TABLE t (x)")
    rows.close()
    (tmp_path / "foreign.db").chmod(0o600)
    with pytest.raises(Misuse) as error:
        open_(tmp_path / "foreign.db")
    assert error.value.code == "store.wrong_kind"


def test_w22_ids_are_chance_and_lengths_are_padded(path: Path) -> None:
    with sqlite3.connect(path) as rows:
        found = rows.execute("SELECT id, length(sealed) FROM records").fetchall()
    rows.close()
    assert len({name for name, _ in found}) == len(found)
    assert all(len(name) == 16 for name, _ in found)
    assert all((length - 24 - 16) % BLOCK == 0 for _, length in found)


@pytest.mark.parametrize("years", [-10, 10])
def test_w24_clocks_that_are_wrong(path: Path, years: int) -> None:
    then = AT + timedelta(days=365 * years)
    with WalletFile.open(path, PASSPHRASE) as wallet:
        (card,) = wallet.held()
        copy = wallet.reserve(card.id, then)
        wallet.shown(copy, "library", [("given_name",)], then)
        wallet.remember_offer("later", b"v", then)
    with WalletFile.open(path, PASSPHRASE) as wallet:
        assert [shown.at for shown in wallet.history()] == [AT, then]
        assert len(wallet.pending()) == 2
        assert len(wallet.held()) == 1


def test_making_over_a_wallet(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(Misuse) as error:
        WalletFile.create(path, PASSPHRASE)
    assert error.value.code == "store.exists"
    assert path.read_bytes() == before
    with pytest.raises(Unavailable) as missing:
        WalletFile.open(path.with_name("none.db"), PASSPHRASE)
    assert missing.value.code == "store.missing"
