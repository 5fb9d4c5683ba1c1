"""What keeps a wallet through its life: its passphrase, its people, its history, what it warns of, its backup."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cityid.credential import Window
from cityid.edge import os_keyring, recovery_code, sealed, wallet_backup, wallet_records
from cityid.edge.software_keys import MemoryKeyring
from cityid.edge.wallet_file import WalletFile
from cityid.errors import CityIdError, Malformed, Misuse, Refused, Unavailable
from cityid.formats import FORMATS
from cityid.keys import Algorithm
from cityid.query import purposes
from cityid.wallet import ME, Card, hints
from tests import credentials, sd_jwts
from tests.edge.wallet_crashes import cheap

AT = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
PASSPHRASE = "correct horse battery"
NEW = "another horse battery"
SD_JWT_VC = FORMATS["dc+sd-jwt"]


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The derivation itself has tests of its own."""
    monkeypatch.setattr(sealed, "derive", cheap)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wallet.db"


@pytest.fixture
def wallet(path: Path) -> Iterator[WalletFile]:
    with WalletFile.create(path, PASSPHRASE) as made:
        yield made


def add(wallet: WalletFile, copies: int = 2, **options: str) -> Card:
    keys = [wallet.keyring.create(Algorithm.ES256) for _ in range(copies)]
    made = [
        SD_JWT_VC.read(
            SD_JWT_VC.issue(credentials.draft(holder=key), sd_jwts.ISSUER, at=AT, entropy=secrets.token_bytes).raw
        )
        for key in keys
    ]
    return wallet.add(made, AT, issuer_name="Stadt Lindau", **options)


def code(error: pytest.ExceptionInfo[CityIdError]) -> str:
    return error.value.code


class TestVoices:
    def test_one_secret_for_each_city_and_person_in_each_backup(
        self, wallet: WalletFile, path: Path, quick_age: Any
    ) -> None:
        with pytest.raises(CityIdError) as error:
            wallet.voice("did:web:a.example")
        assert code(error) == "polls.no_secret"
        assert wallet.voice("did:web:a.example", make=lambda: b"first") == b"first"
        assert wallet.voice("did:web:a.example", make=lambda: b"second") == b"first"
        assert wallet.voice("did:web:b.example", make=lambda: b"other") == b"other"
        with pytest.raises(CityIdError) as error:
            wallet.voice("did:web:a.example", "Leo", make=lambda: b"his")
        assert code(error) == "wallet.unknown_person"
        paper = recovery_code.new()
        data = wallet_backup.write(wallet, paper, AT)
        with wallet_backup.restore(path.parent / "new.db", NEW, data, paper).wallet as restored:
            assert restored.voice("did:web:a.example") == b"first"


class TestDevice:
    def test_one_for_each_issuer_and_person(self, wallet: WalletFile, path: Path) -> None:
        mine = wallet.device("did:web:lindau.example")
        assert mine.name == "wallet"
        others = {wallet.device("did:web:bregenz.example").id, wallet.device("did:web:lindau.example", "Tom").id}
        assert len({mine.id, *others}) == 3
        with WalletFile.open(path, PASSPHRASE) as again:
            assert again.device("did:web:lindau.example") == mine
        assert mine.id.encode() not in path.read_bytes()

    def test_its_owner_names_it(self, tmp_path: Path) -> None:
        with WalletFile.create(tmp_path / "named.db", PASSPHRASE, device="phone") as wallet:
            assert wallet.device("did:web:lindau.example").name == "phone"
        for name, wanted in (("", "device.name"), ("x" * 41, "text.too_long"), ("a\nb", "text.control")):
            with pytest.raises(Malformed) as error:
                WalletFile.create(tmp_path / "bad.db", PASSPHRASE, device=name)
            assert code(error) == wanted
        assert not (tmp_path / "bad.db").exists()

    def test_a_restored_wallet_is_another_device(self, wallet: WalletFile, path: Path, quick_age: Any) -> None:
        add(wallet)
        before, paper = wallet.device("did:web:lindau.example"), recovery_code.new()
        data = wallet_backup.write(wallet, paper, AT)
        with wallet_backup.restore(path.parent / "new.db", NEW, data, paper, device="laptop").wallet as restored:
            after = restored.device("did:web:lindau.example")
        assert (before.name, after.name) == ("wallet", "laptop")
        assert before.id != after.id

    def test_a_wallet_that_had_none(self, wallet: WalletFile) -> None:
        with wallet._records.change() as change:
            (old,) = change.select("sort = ?", (wallet_records.Sort.DEVICE,))
            change.remove(old)
        assert wallet.device("did:web:lindau.example") == wallet.device("did:web:lindau.example")


class TestVersions:
    def test_a_wallet_of_the_first_version(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(wallet_records, "_MIGRATIONS", wallet_records._MIGRATIONS[:1])
            with WalletFile.create(path, PASSPHRASE) as old:
                card = add(old)
                with pytest.raises(Refused) as error:
                    WalletFile.open_with(path, bytes(32))
                assert code(error) == "passphrase.wrong"
        with WalletFile.open(path, PASSPHRASE) as wallet:
            assert wallet.held() == (card,)
            wallet.keep_for(bytes(32))
        with monkeypatch.context() as patch:
            patch.setattr(wallet_records, "_MIGRATIONS", wallet_records._MIGRATIONS[:1])
            with pytest.raises(Unavailable) as newer:
                WalletFile.open(path, PASSPHRASE)
            assert code(newer) == "store.newer"
        with WalletFile.open_with(path, bytes(32)) as wallet:
            assert wallet.held() == (card,)

    def test_tables_of_an_older_version_are_judged_too(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import sqlite3

        with monkeypatch.context() as patch:
            patch.setattr(wallet_records, "_MIGRATIONS", wallet_records._MIGRATIONS[:1])
            WalletFile.create(path, PASSPHRASE).close()
        with sqlite3.connect(path) as rows:
            rows.execute("CREATE TRIGGER t AFTER UPDATE ON records BEGIN UPDATE records SET state = 0; END")
        rows.close()
        with pytest.raises(Unavailable) as error:
            WalletFile.open(path, PASSPHRASE)
        assert code(error) == "store.damaged"


class TestPassphrase:
    def test_changed_without_sealing_anything_anew(self, wallet: WalletFile, path: Path) -> None:
        card = add(wallet)
        records = wallet._records.select("1 = 1", ())
        other = WalletFile.open(path, PASSPHRASE)  # another program, which goes on
        wallet.change_passphrase(NEW)
        assert wallet._records.select("1 = 1", ()) == records
        assert other.reserve(card.id, AT).again is False
        other.close()
        with pytest.raises(Refused) as error:
            WalletFile.open(path, PASSPHRASE)
        assert code(error) == "passphrase.wrong"
        with WalletFile.open(path, NEW) as again:
            assert again.card(card.id).copies_left == 1
        with pytest.raises(Misuse) as short:
            wallet.change_passphrase("short")
        assert code(short) == "passphrase.too_short"

    def test_what_the_old_one_opened_is_overwritten(self, wallet: WalletFile, path: Path) -> None:
        with wallet._records.database.read() as rows:
            (old,) = rows.execute("SELECT header FROM header").fetchone()
        assert any(old in file.read_bytes() for file in path.parent.iterdir())
        wallet.change_passphrase(NEW)
        assert not any(old[-60:] in file.read_bytes() for file in path.parent.iterdir())

    def test_a_secret_beside_the_passphrase(self, wallet: WalletFile, path: Path) -> None:
        secret = secrets.token_bytes(32)
        with pytest.raises(Refused):
            WalletFile.open_with(path, secret)
        wallet.keep_for(secret)
        WalletFile.open_with(path, secret).close()
        WalletFile.open(path, PASSPHRASE).close()
        with pytest.raises(Refused) as error:
            WalletFile.open_with(path, bytes(32))
        assert code(error) == "passphrase.wrong"
        for passphrase in (None, NEW):
            wallet.keep_for(secret)
            if passphrase is None:
                wallet.keep_for(None)
            else:
                wallet.change_passphrase(passphrase)
            with pytest.raises(Refused):
                WalletFile.open_with(path, secret)

    def test_a_slot_that_holds_something_else(self, wallet: WalletFile, path: Path) -> None:
        secret = secrets.token_bytes(32)
        wallet.keep_for(secret)
        with wallet._records.database.write() as rows:
            (slot,) = rows.execute("SELECT wrapped FROM slots").fetchone()
        for kept, opens in ((7, False), ("text", False), (slot[:-1], False), (slot, True)):
            with wallet._records.database.write() as rows:
                rows.execute("UPDATE slots SET wrapped = ?", (kept,))
            if opens:
                WalletFile.open_with(path, secret).close()
                continue
            with pytest.raises(Refused) as error:
                WalletFile.open_with(path, secret)
            assert code(error) == "passphrase.wrong"


class Backend:
    """A keyring of the system, as the package `keyring` presents one."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def set_password(self, service: str, name: str, secret: str) -> None:
        self.kept[service, name] = secret

    def get_password(self, service: str, name: str) -> str | None:
        return self.kept.get((service, name))

    def delete_password(self, service: str, name: str) -> None:
        del self.kept[service, name]


class TestOsKeyring:
    def test_kept_found_forgotten(self) -> None:
        ring = Backend()
        assert os_keyring.find("a", keyring=ring) is None
        secret = os_keyring.keep("a", keyring=ring)
        assert len(secret) == 32
        assert os_keyring.find("a", keyring=ring) == secret
        os_keyring.forget("a", keyring=ring)
        os_keyring.forget("a", keyring=ring)
        assert os_keyring.find("a", keyring=ring) is None
        ring.set_password("cityid", "a", "\u00e9")
        assert os_keyring.find("a", keyring=ring) is None

    def test_only_the_systems_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        keyring = pytest.importorskip("keyring")
        for module, good in (("keyring.backends.SecretService", True), ("keyrings.alt.file", False)):
            found = type("Found", (Backend,), {"__module__": module})()
            monkeypatch.setattr(keyring, "get_keyring", lambda found=found: found)
            if good:
                assert os_keyring.system() is found
            else:
                with pytest.raises(Unavailable) as error:
                    os_keyring.system()
                assert code(error) == "keyring.none"

    def test_troubles(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Locked(Backend):
            def get_password(self, service: str, name: str) -> str | None:
                raise RuntimeError("locked")

        with pytest.raises(Unavailable) as error:
            os_keyring.find("a", keyring=Locked())
        assert (code(error), error.value.problem.facts["reason"]) == ("keyring.failed", "RuntimeError")
        monkeypatch.setitem(__import__("sys").modules, "keyring", None)
        with pytest.raises(Unavailable) as missing:
            os_keyring.find("a")
        assert (code(missing), missing.value.problem.facts["extra"]) == ("install.extra", "keyring")


class TestPersons:
    def test_kept_apart(self, wallet: WalletFile) -> None:
        assert wallet.persons() == (ME,)
        with pytest.raises(Refused) as error:
            add(wallet, person="Tom")
        assert code(error) == "wallet.unknown_person"
        wallet.add_person("Tom", AT)
        wallet.add_person("Grandmother", AT)
        assert wallet.persons() == (ME, "Tom", "Grandmother")
        for name in (ME, "Tom"):
            with pytest.raises(Refused) as known:
                wallet.add_person(name, AT)
            assert code(known) == "wallet.person_known"
        with pytest.raises(Malformed):
            wallet.add_person("T\x1bom", AT)
        card = add(wallet, person="Tom")
        assert wallet.held(person=ME) == ()
        assert wallet.held(person="Tom") == (card,)
        with pytest.raises(Refused) as has:
            wallet.remove_person("Tom")
        assert code(has) == "wallet.person_has_cards"
        wallet.forget(card.id)
        wallet.remove_person("Tom")
        assert wallet.persons() == (ME, "Grandmother")
        with pytest.raises(Refused) as gone:
            wallet.remove_person("Tom")
        assert code(gone) == "wallet.unknown_person"


class TestForgetting:
    def test_a_card_and_its_keys(self, wallet: WalletFile) -> None:
        kept, card = add(wallet), add(wallet)
        copy = wallet.reserve(card.id, AT)
        wallet.shown(copy, "library.example", [("given_name",)], AT, name="Library", purpose="card")
        wallet.forget(card.id)
        assert wallet.held() == (kept,)
        with pytest.raises(Misuse):
            wallet.keyring.signer(copy.key)
        wallet.keyring.signer(kept.credential.holder)  # type: ignore[arg-type]
        assert len(wallet.keyring.keys()) == 2
        (shown,) = wallet.history()
        assert (shown.type, shown.name, shown.purpose, shown.person, shown.again) == (
            credentials.VCT, "Library", "card", ME, False,
        )  # fmt: skip
        for unknown in (card.id, "", "zz"):
            with pytest.raises(Refused) as error:
                wallet.forget(unknown)
            assert code(error) == "wallet.unknown_card"

    def test_the_history(self, wallet: WalletFile) -> None:
        copy = wallet.reserve(add(wallet).id, AT)
        for day in range(3):
            wallet.shown(copy, f"{day}.example", [], AT + timedelta(days=day))
        assert wallet.forget_history(AT + timedelta(days=1)) == 1
        assert [shown.to for shown in wallet.history()] == ["1.example", "2.example"]
        wallet.forget_shown(wallet.history()[0].id)
        assert [shown.to for shown in wallet.history()] == ["2.example"]
        for unknown in ("", copy.card):
            with pytest.raises(Refused) as error:
                wallet.forget_shown(unknown)
            assert code(error) == "wallet.unknown_entry"


@pytest.mark.parametrize(
    ("left", "hours", "wanted"),
    [
        (10, 5, []),
        (3, 5, []),
        (2, 5, ["wallet.few_left"]),
        (0, 5, ["wallet.none_left"]),
        (10, 2.5, []),
        (10, 2.4, ["wallet.ends_soon"]),
        (10, 0, ["wallet.ended"]),
        (2, -1, ["wallet.ended", "wallet.few_left"]),
    ],
)
def test_hints(left: int, hours: float, wanted: list[str]) -> None:
    window = Window(AT, AT + timedelta(days=1))
    card = Card("1", "t", "i", "", "f", window, left, 10, ME, AT, lambda: None)  # type: ignore[arg-type,return-value]
    at = AT + timedelta(days=1) - timedelta(hours=hours)
    assert [problem.code for problem in hints(card, at)] == wanted
    endless = replace(card, window=Window(AT))
    assert [problem.code for problem in hints(endless, at)] == [code for code in wanted if "left" in code]


class TestRecoveryCode:
    def test_typed_as_people_type(self) -> None:
        made = recovery_code.new()
        assert len(made) == 39
        for typed in (made, made.lower(), made.replace("-", " "), f" {made} ".replace("0", "o").replace("1", "l")):
            assert recovery_code.read(typed) == made
        assert recovery_code.new(bytes) == "0000-0000-0000-0000-0000-0000-00KE-8N1F"

    def test_every_mistyped_character_and_exchanged_pair(self) -> None:
        made = recovery_code.new().replace("-", "")
        for place, char in enumerate(made):
            for other in "0123456789ABCDEFGHJKMNPQRSTVWXYZ":
                if other != char:
                    with pytest.raises(Malformed) as error:
                        recovery_code.read(made[:place] + other + made[place + 1 :])
                    assert code(error) == "recovery.mistyped"
        for place in range(31):
            swapped = made[:place] + made[place + 1] + made[place] + made[place + 2 :]
            if swapped != made:
                with pytest.raises(Malformed):
                    recovery_code.read(swapped)

    def test_what_is_no_code(self) -> None:
        made = recovery_code.new()
        for typed, wanted in (
            (made[:-1], "recovery.length"),
            ("", "recovery.length"),
            (made[:-1] + "U", "recovery.character"),
        ):
            with pytest.raises(Malformed) as error:
                recovery_code.read(typed)
            assert code(error) == wanted


class TestPurposes:
    def test_found_by_the_words_of_a_service(self) -> None:
        known = purposes.read(b'[p]\nnames = ["Parking  Inspection", "Kontrolle"]\nmay.permit = ["zone", "vehicle"]\n')
        purpose = known.find(" parking inspection ")
        assert purpose is known.find("KONTROLLE") is known.find("p") is not None
        assert known.find("library") is None
        asked = [("zone",), ("vehicle", "plate"), ("owner",), ("zones",)]
        found = purpose.excess("permit", asked)  # type: ignore[union-attr]
        assert [problem.facts["claim"] for problem in found] == ["owner", "zones"]
        assert {problem.code for problem in found} == {"query.over_purpose"}
        assert len(purpose.excess("other", asked)) == 4  # type: ignore[union-attr]
        more = purposes.read(b'[p]\nnames = ["x"]\nmay.permit = ["owner"]\n', known)
        assert more.find("Kontrolle") is None
        assert more.find("x").excess("permit", [("owner", 0)]) == ()  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            (b"[", "purposes.syntax"), (b"\xff", "purposes.syntax"), (b" " * (1 << 20) + b" ", "purposes.syntax"),
            (b"p = 1", "purposes.entry"), (b"[p]\nnames = []\nmay.a = ['b']", "purposes.entry"),
            (b"[p]\nnames = ['x']", "purposes.entry"), (b"[p]\nnames = ['x']\nmay.a = []", "purposes.entry"),
            (b"[p]\nnames = ['x']\nmay.a = ['b..']", "purposes.entry"),
            (b"[p]\nnames = ['x']\nmay.a = ['b']\nmust = 1", "purposes.entry"),
        ],
    )  # fmt: skip
    def test_what_is_no_catalogue(self, text: bytes, wanted: str) -> None:
        assert purposes.read(b"[p]\nnames = ['x']\nmay.a = ['b']").find("x") is not None
        with pytest.raises(Misuse) as error:
            purposes.read(text)
        assert code(error) == wanted


@pytest.fixture
def quick_age(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The age format without its second of scrypt, where it is not what is tried."""
    pyrage = pytest.importorskip("pyrage")
    import hashlib

    head = b"age-encryption.org/v1\n-> scrypt " + b"A" * 22 + b" 18\n"

    class Quick:
        DecryptError = pyrage.DecryptError

        class passphrase:  # noqa: N801  # stands in for a module of this name
            @staticmethod
            def encrypt(data: bytes, code: str) -> bytes:
                key = hashlib.sha256(code.encode()).digest()
                return head + sealed.seal(key, data, b"")

            @staticmethod
            def decrypt(data: bytes, code: str) -> bytes:
                key = hashlib.sha256(code.encode()).digest()
                try:
                    return sealed.open_sealed(key, data[len(head) :], b"", kind="x")
                except Unavailable:
                    raise pyrage.DecryptError from None

    monkeypatch.setattr(wallet_backup, "_age", lambda: Quick)
    return Quick


class TestBackup:
    def test_all_of_it_and_every_copy_counts_as_used(self, wallet: WalletFile, path: Path, quick_age: Any) -> None:
        wallet.add_person("Tom", AT)
        mine, toms = add(wallet, 3), add(wallet, person="Tom")
        wallet.shown(wallet.reserve(mine.id, AT), "library.example", [("given_name",)], AT)
        wallet.remember_offer("code", b"value", AT)
        paper = recovery_code.new()
        data = wallet_backup.write(wallet, paper, AT)
        done = wallet_backup.restore(path.parent / "new.db", NEW, data, paper.lower().replace("-", " "))
        with done.wallet as new:
            assert done.made == AT
            assert done.rebind == ()
            assert new.persons() == (ME, "Tom")
            assert [(card.id, card.copies_left, card.copies_total) for card in new.held()] == [
                (mine.id, 0, 3), (toms.id, 0, 2),
            ]  # fmt: skip
            assert new.history() == wallet.history()
            assert new.pending() == wallet.pending()
            assert set(new.keyring.keys()) == set(wallet.keyring.keys())
            with pytest.raises(Refused) as error:
                new.reserve(mine.id, AT)
            assert code(error) == "wallet.no_copy_left"
            copy = new.reserve(mine.id, AT, allow_reuse=True)
            assert copy.again
            copy.key.verify(new.keyring.signer(copy.key).sign(b"m"), b"m")
            new.forget_offer("code")
            new.forget(toms.id)
            new.remove_person("Tom")
        WalletFile.open(path.parent / "new.db", NEW).close()

    def test_keys_in_a_token_do_not_move(self, path: Path, quick_age: Any) -> None:
        token = MemoryKeyring()
        with WalletFile.create(path, PASSPHRASE, token=token) as wallet:
            card = add(wallet)
            copy = wallet.reserve(card.id, AT)
            copy.key.verify(wallet.keyring.signer(copy.key).sign(b"m"), b"m")
            assert [one.id for one in wallet.bound_elsewhere()] == [card.id]
            paper = recovery_code.new()
            data = wallet_backup.write(wallet, paper, AT)
        done = wallet_backup.restore(path.parent / "new.db", NEW, data, paper)
        with done.wallet as new:
            assert [one.id for one in done.rebind] == [card.id]
            with pytest.raises(Unavailable) as error:
                new.keyring.signer(copy.key)
            assert code(error) == "keys.in_token"
        with WalletFile.open(path, PASSPHRASE, token=MemoryKeyring()) as other, pytest.raises(Unavailable) as lost:
            other.keyring.signer(copy.key)  # another token than the one that has it
        assert code(lost) == "keys.in_token"

    def test_the_extra_is_named(self, wallet: WalletFile, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "pyrage", None)
        with pytest.raises(Unavailable) as error:
            wallet_backup.write(wallet, recovery_code.new(), AT)
        assert (code(error), error.value.problem.facts["extra"]) == ("install.extra", "backup")

    @pytest.mark.kdf
    def test_the_age_tool_opens_it(self, wallet: WalletFile, tmp_path: Path) -> None:
        """The format is age's own, and the recovery code is its passphrase."""
        pyrage = pytest.importorskip("pyrage")
        add(wallet)
        paper = recovery_code.new()
        data = wallet_backup.write(wallet, paper, AT)
        assert b'"cityid-wallet-backup"' in pyrage.passphrase.decrypt(data, paper)
        if shutil.which("age") is None:
            pytest.skip("the tool age is not installed; the library that it is tried with opened it")
        from tests.cli import age_tool

        assert b'"cityid-wallet-backup"' in age_tool.decrypt(data, paper, tmp_path)
