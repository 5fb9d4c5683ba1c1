"""The wallet in one file: copies that are used once, keys that are there before their proof leaves."""

from __future__ import annotations

import multiprocessing
import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from cityid.credential import Credential, Window
from cityid.edge import sealed, wallet_records
from cityid.edge.wallet_file import WalletFile
from cityid.errors import CityIdError, Misuse, Refused
from cityid.formats import FORMATS
from cityid.keys import Algorithm, Keyring, PublicKey
from cityid.wallet import ME, Card, Copy, Wallet, check_copies
from tests import credentials, sd_jwts
from tests.jobs.test_unlinkable import held, town

AT = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
PASSPHRASE = "correct horse battery"
SD_JWT_VC = FORMATS["dc+sd-jwt"]

pytestmark = pytest.mark.kdf


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty wallet, derived once: the tests copy it, and derive the same key no second time."""
    derive = cache(sealed.derive)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed, "derive", derive)
        path = tmp_path_factory.mktemp("wallet") / "wallet.db"
        WalletFile.create(path, PASSPHRASE).close()
        yield path


@pytest.fixture
def path(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(template, tmp_path / "wallet.db"))


@pytest.fixture
def wallet(path: Path) -> Iterator[WalletFile]:
    with WalletFile.open(path, PASSPHRASE) as opened:
        yield opened


def issued(holder: PublicKey | None, **changed: Any) -> Credential:
    made = SD_JWT_VC.issue(
        credentials.draft(holder=holder, **changed), sd_jwts.ISSUER, at=AT, entropy=secrets.token_bytes
    )
    return SD_JWT_VC.read(made.raw)


def add(wallet: WalletFile, copies: int = 2, **options: str) -> Card:
    keys = [wallet.keyring.create(Algorithm.ES256) for _ in range(copies)]
    return wallet.add([issued(key) for key in keys], AT, issuer_name="Stadt Lindau", **options)


def code(error: pytest.ExceptionInfo[CityIdError]) -> str:
    return error.value.code


def test_it_is_a_wallet(wallet: WalletFile) -> None:
    assert isinstance(wallet, Wallet)
    assert isinstance(wallet.keyring, Keyring)
    assert "Keyring()" in repr(wallet.keyring)
    assert repr(wallet) == "WalletFile()"


class TestCards:
    def test_what_was_added_is_held(self, wallet: WalletFile, path: Path) -> None:
        card = add(wallet)
        assert (card.type, card.issuer, card.issuer_name) == (credentials.VCT, credentials.WEB, "Stadt Lindau")
        assert (card.copies_left, card.copies_total, card.person, card.added) == (2, 2, ME, AT)
        assert card.window.end == credentials.END
        assert wallet.held() == (card,)
        assert wallet.card(card.id) == card
        assert card.credential.claims["given_name"] == "Ada"
        assert card.credential is wallet.card(card.id).credential  # read once
        with WalletFile.open(path, PASSPHRASE) as again:
            assert again.held() == (card,)
            assert again.held()[0].credential == card.credential

    def test_open_windows_and_other_people(self, wallet: WalletFile) -> None:
        mine = add(wallet)
        key = wallet.keyring.create(Algorithm.ES256)
        wallet.add_person("child", AT)
        theirs = wallet.add([replace(issued(key), window=Window())], AT, person="child")
        assert wallet.held() == (mine, theirs)
        assert wallet.held(person="child") == (theirs,)
        assert wallet.held(person=ME) == (mine,)
        assert wallet.held()[1].window == Window()

    def test_copies_make_one_card(self, wallet: WalletFile) -> None:
        one, two = (issued(wallet.keyring.create(Algorithm.ES256)) for _ in range(2))
        check_copies([one, two])
        for copies, wanted in (
            ([], "wallet.no_copies"),
            ([one, one], "wallet.unequal_copies"),
            ([one, replace(two, issuer="x")], "wallet.unequal_copies"),
            ([one, replace(two, types=("x",))], "wallet.unequal_copies"),
            ([one, replace(two, format="x")], "wallet.unequal_copies"),
            ([one, replace(two, window=Window())], "wallet.unequal_copies"),
        ):
            with pytest.raises(Misuse) as error:
                wallet.add(copies, AT)
            assert code(error) == wanted
        assert wallet.held() == ()

    def test_a_card_for_a_key_of_somebody_else(self, wallet: WalletFile) -> None:
        mine = issued(wallet.keyring.create(Algorithm.ES256))
        with pytest.raises(Refused) as error:
            wallet.add([mine, issued(sd_jwts.HOLDER.public_key)], AT)
        assert code(error) == "wallet.key_missing"
        assert wallet.held() == ()
        assert wallet.add([mine], AT).copies_total == 1

    def test_a_card_without_a_key(self, wallet: WalletFile) -> None:
        card = wallet.add([issued(None)], AT)
        copy = wallet.reserve(card.id, AT)
        with pytest.raises(Misuse) as error:
            _ = copy.key
        assert code(error) == "wallet.not_bound"

    def test_unknown_cards_and_formats(self, wallet: WalletFile, path: Path) -> None:
        card = add(wallet)
        for bad in ("00" * 16, "x", "", wallet._records.select("sort = ?", (3,))[0].id.hex()):
            with pytest.raises(Refused) as error:
                wallet.card(bad)
            assert code(error) == "wallet.unknown_card"
            with pytest.raises(Refused) as error:
                wallet.reserve(bad, AT)
            assert code(error) == "wallet.unknown_card"
        with WalletFile.open(path, PASSPHRASE, formats={}) as other, pytest.raises(Misuse) as misuse:
            other.reserve(card.id, AT)
        assert code(misuse) == "format.unknown"
        assert wallet.card(card.id).copies_left == 2


class TestReserve:
    def test_each_copy_once_then_never_without_a_yes(self, wallet: WalletFile, path: Path) -> None:
        card = add(wallet, 3)
        taken = [wallet.reserve(card.id, AT) for _ in range(3)]
        assert len({copy.id for copy in taken}) == len({copy.raw for copy in taken}) == 3
        assert not any(copy.again for copy in taken)
        assert wallet.card(card.id).copies_left == 0
        with WalletFile.open(path, PASSPHRASE) as again, pytest.raises(Refused) as error:
            again.reserve(card.id, AT)
        assert code(error) == "wallet.no_copy_left"
        reused = [wallet.reserve(card.id, AT, allow_reuse=True) for _ in range(3)]
        assert all(copy.again for copy in reused)
        assert {copy.id for copy in reused} == {copy.id for copy in taken}  # the least used first

    def test_the_copy_signs_with_its_own_key(self, wallet: WalletFile) -> None:
        copy = wallet.reserve(add(wallet).id, AT)
        signer = wallet.keyring.signer(copy.key)
        copy.key.verify(signer.sign(b"message"), b"message")
        assert copy.raw == copy.credential.raw

    def test_it_is_durable_before_it_returns(self, wallet: WalletFile, path: Path, tmp_path: Path) -> None:
        card = add(wallet)
        wallet.reserve(card.id, AT)
        # what a power cut would leave: the file and its log, as they are now
        elsewhere = tmp_path / "after"
        elsewhere.mkdir(mode=0o700)
        for file in path.parent.glob("wallet.db*"):
            shutil.copy(file, elsewhere / file.name)
        with WalletFile.open(elsewhere / "wallet.db", PASSPHRASE) as after:
            assert after.card(card.id).copies_left == 1

    def test_x04_threads_share_no_copy(self, wallet: WalletFile) -> None:
        card = add(wallet, 8)

        def take(_: int) -> str:
            try:
                return wallet.reserve(card.id, AT).id
            except Refused as error:
                return error.code

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(take, range(12)))
        assert len(set(found) - {"wallet.no_copy_left"}) == 8
        assert found.count("wallet.no_copy_left") == 4

    def test_x04_it_is_opened_while_another_writes(
        self, wallet: WalletFile, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Records and their sum are of one moment, although the sum is read last."""
        reading, others = wallet_records._header, [lambda: wallet.remember_offer("code-1", b"value", AT)]

        def late(rows: Any) -> tuple[bytes, bytes]:
            if others:
                others.pop()()
            return reading(rows)

        with monkeypatch.context() as patch:
            patch.setattr(wallet_records, "_header", late)
            records = wallet_records.Records.open(path, wallet._records._data_key, secrets.token_bytes)
        assert not others
        with WalletFile(records, FORMATS) as again:
            assert [offer.id for offer in again.pending()] == ["code-1"]

    @pytest.mark.slow
    def test_x04_w09_processes_share_no_copy(self, wallet: WalletFile, path: Path) -> None:
        card = add(wallet, 8)
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
            found = list(pool.map(partial(_reserve, path, card.id), range(2)))
        assert len({copy for part in found for copy in part}) == 6
        assert wallet.card(card.id).copies_left == 2


def _reserve(path: Path, card: str, worker: int) -> list[str]:
    with WalletFile.open(path, PASSPHRASE) as mine:
        for _ in range(3):
            mine.remember_offer(f"{worker}-{_}", b"value", AT)  # other writing in between
        return [mine.reserve(card, AT).id for _ in range(3)]


class TestOffersAndHistory:
    def test_an_offer_is_answered_once(self, wallet: WalletFile) -> None:
        wallet.remember_offer("code-1", b"value", AT)
        with pytest.raises(Refused) as error:
            wallet.remember_offer("code-1", b"other", AT)
        assert code(error) == "wallet.offer_begun"
        assert [(offer.id, offer.value, offer.at) for offer in wallet.pending()] == [("code-1", b"value", AT)]
        add(wallet, offer="code-1")
        assert wallet.pending() == ()
        with pytest.raises(Refused) as error:
            add(wallet, offer="code-1")
        assert code(error) == "wallet.unknown_offer"
        assert len(wallet.held()) == 1

    def test_forgetting(self, wallet: WalletFile) -> None:
        wallet.remember_offer("code-1", b"value", AT)
        wallet.forget_offer("code-1")
        with pytest.raises(Refused) as error:
            wallet.forget_offer("code-1")
        assert code(error) == "wallet.unknown_offer"

    def test_history_has_paths_and_no_values(self, wallet: WalletFile) -> None:
        copy: Copy = wallet.reserve(add(wallet).id, AT)
        paths = (("given_name",), ("nationalities", None), ("nationalities", 0))
        wallet.shown(copy, "x509_san_dns:library.example", paths, AT + timedelta(hours=1))
        (shown,) = wallet.history()
        assert (shown.card, shown.copy, shown.to) == (copy.card, copy.id, "x509_san_dns:library.example")
        assert (shown.claims, shown.at) == (paths, AT + timedelta(hours=1))


class TestKeyring:
    @pytest.mark.parametrize("algorithm", [name for name in Algorithm if name is not Algorithm.BBS])
    def test_keys_are_kept(self, wallet: WalletFile, path: Path, algorithm: Algorithm) -> None:
        key = wallet.keyring.create(algorithm)
        with WalletFile.open(path, PASSPHRASE) as again:
            assert again.keyring.keys() == (key,)
            if algorithm.signs:
                key.verify(again.keyring.signer(key).sign(b"m"), b"m")
                wrong = again.keyring.agreement
            else:
                assert again.keyring.agreement(key).public_key == key
                wrong = again.keyring.signer  # type: ignore[assignment]
            with pytest.raises(Misuse) as error:
                wrong(key)
            assert code(error) == "keys.wrong_kind"

    def test_keys_that_sign_lists_are_not_lent(self, wallet: WalletFile) -> None:
        """They are a city's; a resident signs and agrees."""
        key = wallet.keyring.create(Algorithm.BBS)
        for lend in (wallet.keyring.signer, wallet.keyring.agreement):
            with pytest.raises(Misuse) as error:
                lend(key)
            assert code(error) == "keys.wrong_kind"

    def test_unknown(self, wallet: WalletFile) -> None:
        with pytest.raises(Misuse) as error:
            wallet.keyring.signer(sd_jwts.HOLDER.public_key)
        assert code(error) == "keys.unknown"


def test_a_closed_wallet_gives_nothing(wallet: WalletFile) -> None:
    card = add(wallet)
    wallet.close()
    for use in (wallet.held, lambda: wallet.reserve(card.id, AT), lambda: wallet.keyring.create(Algorithm.ES256)):
        with pytest.raises(Misuse) as error:
            use()
        assert code(error) == "wallet.closed"


def test_a_card_that_proves_is_never_used_up(wallet: WalletFile) -> None:
    card = wallet.add([held(town())], AT)
    copies = [wallet.reserve(card.id, AT) for _ in range(2)]
    assert [copy.again for copy in copies] == [False, False]
    assert [copy.credential.proves for copy in copies] == [True, True]
    assert wallet.card(card.id).copies_left == 1
    assert wallet.forget(card.id) == 0
