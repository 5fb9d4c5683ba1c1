"""Keys in a PKCS#11 token, tried with SoftHSM (PKCS#11 2.40, RFC 7512)."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cityid.edge import pkcs11
from cityid.edge.pkcs11 import Pkcs11Keyring, Uri, read_uri
from cityid.edge.software_keys import Use
from cityid.edge.wallet_file import WalletFile
from cityid.errors import CityIdError, Misuse, Refused, Unavailable
from cityid.keys import Algorithm, Keyring, Signer
from tests import hsm
from tests.jobs.test_wallet_care import add

AT = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)


def code(error: pytest.ExceptionInfo[CityIdError]) -> str:
    return error.value.code


class TestUri:
    def test_rfc_7512(self) -> None:
        assert read_uri("pkcs11:token=city-hall") == Uri(token="city-hall")
        assert read_uri("pkcs11:token=City%20Hall;serial=01;slot-id=7?module-path=/a/b.so") == Uri(
            token="City Hall", serial="01", slot=7, module="/a/b.so"
        )
        assert read_uri("pkcs11:model=m;manufacturer=x") == Uri(model="m", manufacturer="x")
        assert str(read_uri("pkcs11:token=a;serial=1")) == "pkcs11:token=a;serial=1"

    @pytest.mark.parametrize(
        "text",
        [
            "pkcs11:", "pkcs11:token", "pkcs11:token=", "pkcs11:token=a;token=b", "pkcs11:colour=a", "file:token=a",
            "pkcs11:token=a?colour=b", "pkcs11:token=a;slot-id=x", "pkcs11:token=a?module-path=", "",
            "pkcs11:slot-id=\u0661",
        ],
    )  # fmt: skip
    def test_what_names_no_token(self, text: str) -> None:
        with pytest.raises(Misuse) as error:
            read_uri(text)
        assert code(error) == "keys.token_uri"

    @pytest.mark.parametrize("text", ["pkcs11:token=a?pin-value=1234", "pkcs11:token=a?pin-source=/etc/pin"])
    def test_w14_no_pin_in_a_uri(self, text: str) -> None:
        read_uri(text.partition("?")[0])
        with pytest.raises(Misuse) as error:
            read_uri(text)
        assert code(error) == "keys.pin_in_uri"
        assert "1234" not in str(error.value.problem)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SoftHSM sees the tokens that are there when it is loaded, so all of them are made first."""
    hsm.configure(tmp_path_factory.mktemp("softhsm"))
    return iter([hsm.new_token(f"token-{number}") for number in range(15)])


@pytest.fixture
def uri(tokens: Iterator[str]) -> str:
    return next(tokens)


@pytest.fixture
def ring(uri: str) -> Iterator[Pkcs11Keyring]:
    opened = Pkcs11Keyring(uri, hsm.PIN)
    yield opened
    opened.close()


FORKS = """
import os, sys, threading
from cityid.edge.pkcs11 import Pkcs11Keyring
from cityid.errors import Unavailable
from cityid.keys import Algorithm
uri, pin = sys.argv[1:]
ring = Pkcs11Keyring(uri, pin)
key, other = ring.create(Algorithm.ES256), ring.create(Algorithm.EDDSA)
signer, gone = ring.signer(key), ring.signer(other)

def forked(work, name):
    if (child := os.fork()) == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0, name

def sign(name, ring=ring):
    def many():
        for _ in range(20):
            key.verify(ring.signer(key).sign(b"m"), b"m")
            rounds.append(1)
    rounds = []
    threads = [threading.Thread(target=many) for _ in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert len(rounds) == 60
    print(name, flush=True)

def child():
    sign("child:ok")
    forked(lambda: sign("grandchild:ok") if lost() else None, "grandchild")

def lost():
    try:
        gone.sign(b"m")
    except Unavailable:
        print("child:gone", flush=True)
        return True

ring._ids[other], before = ring._ids[key], ring._ids[other]
for each in list(ring._session.get_objects({ring._p11.Attribute.ID: before})):
    each.destroy()
forked(child, "child")
forked(lambda: sign("late:ok", Pkcs11Keyring(uri, pin)), "late")
sign("parent:ok")
ring.close()
"""
"""A program that forks, by itself: a test run may have threads."""


@hsm.needs_softhsm
class TestToken:
    @pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.ES384, Algorithm.EDDSA])
    def test_signs_and_stays_inside(self, ring: Pkcs11Keyring, uri: str, algorithm: Algorithm) -> None:
        assert isinstance(ring, Keyring)
        key = ring.create(algorithm, label="issuer-1", uses=(Use.ISSUER,), created=AT)
        signer = ring.signer(key)
        assert isinstance(signer, Signer)
        assert signer.public_key == key
        for message in (b"", b"message", b"m" * 5000):
            key.verify(signer.sign(message), message)
        import pkcs11 as p11

        private = ring._keys[key]
        assert private[p11.Attribute.SENSITIVE] is True
        assert private[p11.Attribute.EXTRACTABLE] is False
        with pytest.raises(p11.exceptions.PKCS11Error):
            _ = private[p11.Attribute.VALUE]
        records = ring.records()
        ring.close()  # a process logs into a token once
        again = Pkcs11Keyring(uri, hsm.PIN)
        assert again.keys() == (key,)
        assert again.records() == records
        assert again.find("issuer-1").uses == {Use.ISSUER}
        key.verify(again.signer_for(key, Use.ISSUER, AT).sign(b"m"), b"m")
        again.close()

    def test_keys_stand_in_the_order_in_which_they_were_made(self, ring: Pkcs11Keyring, uri: str) -> None:
        """A token hands its objects out in any order."""
        made = [
            ring.create(Algorithm.ES256, label=f"issuer-{n}", uses=(Use.ISSUER,), created=AT + timedelta(seconds=n))
            for n in (3, 1, 4, 2, 5)
        ]
        ring.close()
        again = Pkcs11Keyring(uri, hsm.PIN)
        assert again.keys() == tuple(made[n] for n in (1, 3, 0, 2, 4))
        again.close()

    def test_a_key_that_is_removed_is_in_no_object(self, ring: Pkcs11Keyring, uri: str) -> None:
        gone, kept = ring.create(Algorithm.ES256, label="a"), ring.create(Algorithm.ES256, label="b")
        ring.remove(gone)
        assert ring.keys() == (kept,)
        for ask in (ring.signer, ring.remove):
            with pytest.raises(Misuse) as error:
                ask(gone)
            assert code(error) == "keys.unknown"
        assert len(list(ring._session.get_objects())) == 3
        ring.close()
        with pytest.raises(Unavailable) as closed:
            ring.remove(kept)
        assert code(closed) == "keys.unavailable"
        again = Pkcs11Keyring(uri, hsm.PIN)
        assert again.keys() == (kept,)
        kept.verify(again.signer(kept).sign(b"m"), b"m")
        again.close()

    def test_a_wallet_forgets_its_keys_there(self, ring: Pkcs11Keyring, tmp_path: Path) -> None:
        with WalletFile.create(tmp_path / "wallet.db", "correct horse battery", token=ring) as wallet:
            card, other = add(wallet), add(wallet)
            assert len(ring.keys()) == 4
            assert wallet.forget(card.id) == 0
            assert set(ring.keys()) == set(wallet.keyring.keys())
            copy = wallet.reserve(other.id, AT)
            copy.key.verify(wallet.keyring.signer(copy.key).sign(b"m"), b"m")
        with WalletFile.open(tmp_path / "wallet.db", "correct horse battery") as without:
            assert without.forget(other.id) == 2  # the token is not here: they stay in it
            assert without.keyring.keys() == ()
        assert len(ring.keys()) == 2

    def test_one_use_and_an_end(self, ring: Pkcs11Keyring, uri: str) -> None:
        key = ring.create(Algorithm.ES256, label="a", uses=(Use.ISSUER,))
        with pytest.raises(Refused) as other:
            ring.signer_for(key, Use.STATUS, AT)
        assert code(other) == "key.other_use"
        ring.end(key, AT)
        ring.signer_for(key, Use.ISSUER, AT)
        with pytest.raises(Refused) as ended:
            ring.signer_for(key, Use.ISSUER, AT + timedelta(seconds=1))
        assert code(ended) == "key.ended"
        with pytest.raises(Refused) as several:
            ring.create(Algorithm.ES256, uses=(Use.ISSUER, Use.STATUS))
        assert code(several) == "key.several_uses"
        ring.create(Algorithm.ES256, uses=(Use.ISSUER, Use.STATUS), shared=True)
        ring.close()
        again = Pkcs11Keyring(uri, hsm.PIN)
        assert again.find("a").not_after == AT
        again.close()

    def test_what_it_has_not(self, ring: Pkcs11Keyring) -> None:
        key = ring.create(Algorithm.ES256, label="a")
        with pytest.raises(Misuse) as taken:
            ring.create(Algorithm.ES256, label="a")
        assert code(taken) == "keys.label_taken"
        with pytest.raises(Misuse) as kind:
            ring.create(Algorithm.ML_DSA_44)
        assert code(kind) == "keys.token_algorithm"
        with pytest.raises(Misuse) as label:
            ring.find("b")
        assert code(label) == "keys.unknown_label"
        from tests import sd_jwts

        stranger = sd_jwts.HOLDER.public_key
        for use in (lambda: ring.signer(stranger), lambda: ring.end(stranger, AT)):
            with pytest.raises(Misuse) as unknown:
                use()
            assert code(unknown) == "keys.unknown"
        assert ring.signer(key).public_key == key
        assert f"'{hsm.PIN}'" not in repr(ring) + repr(ring.signer(key)) + str(vars(ring))

    def test_a_wrong_pin_and_a_token_that_is_not_there(self, ring: Pkcs11Keyring, uri: str) -> None:
        ring.close()
        with pytest.raises(Refused) as wrong:
            Pkcs11Keyring(uri, "9999")
        assert code(wrong) == "keys.pin_wrong"
        with pytest.raises(Unavailable) as gone:
            Pkcs11Keyring(uri.replace("token=", "token=not-"), hsm.PIN)
        assert code(gone) == "keys.unavailable"
        for other in (";serial=77", ";model=other", ";manufacturer=other", ";slot-id=99"):
            with pytest.raises(Unavailable) as differs:
                Pkcs11Keyring(uri.replace("?", other + "?"), hsm.PIN)
            assert code(differs) == "keys.unavailable"
        Pkcs11Keyring(uri.replace("?", ";model=SoftHSM%20v2?"), hsm.PIN).close()

    def test_a_token_that_goes_away(self, ring: Pkcs11Keyring) -> None:
        key = ring.create(Algorithm.ES256)
        signer = ring.signer(key)
        signer.sign(b"m")
        ring._session.close()
        with pytest.raises(Unavailable) as error:
            signer.sign(b"m")
        assert code(error) == "keys.unavailable"
        ring.close()
        ring.close()

    def test_after_it_was_closed(self, ring: Pkcs11Keyring) -> None:
        key = ring.create(Algorithm.ES256)
        signer = ring.signer(key)
        ring.close()
        for use in (lambda: signer.sign(b"m"), lambda: ring.end(key, AT), lambda: ring.create(Algorithm.ES256)):
            with pytest.raises(Unavailable) as error:
                use()
            assert code(error) == "keys.unavailable"

    def test_a_token_that_answers_with_another_key(self, ring: Pkcs11Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
        ring.create(Algorithm.ES256, label="good")
        with monkeypatch.context() as patch:
            patch.setattr(ring, "_public", lambda found: None)
            with pytest.raises(Unavailable) as error:
                ring.create(Algorithm.ES256, label="bad")
        assert code(error) == "keys.unavailable"
        assert [record.label for record in ring.records()] == ["good"]

    def test_not_by_copy(self, ring: Pkcs11Keyring) -> None:
        with pytest.raises(Misuse) as copied:
            pickle.dumps(ring)
        assert code(copied) == "keys.not_copied"

    def test_across_a_fork(self, uri: str) -> None:
        """Each process initialises the module once and logs in for itself, with two keyrings and several threads; what
        the parent has open stays open. A key that is gone by then is not there."""
        # A thread that was joined may still be ending for the system, and 3.12 then warns of the fork.
        quiet = "ignore:This process:DeprecationWarning"
        command = [sys.executable, "-W", quiet, "-c", FORKS, uri, hsm.PIN]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout.split(), done.stderr) == (
            0, ["child:ok", "child:gone", "grandchild:ok", "late:ok", "parent:ok"], "",
        )  # fmt: skip

    def test_what_others_keep_in_the_token(self, ring: Pkcs11Keyring, uri: str) -> None:
        import pkcs11 as p11

        key = ring.create(Algorithm.ES256, label="ours")
        ring._session.generate_keypair(p11.KeyType.RSA, 2048, store=True, label="theirs", id=b"1")
        data = {
            p11.Attribute.CLASS: p11.ObjectClass.DATA,
            p11.Attribute.APPLICATION: "cityid",
            p11.Attribute.TOKEN: True,
        }
        ring._session.create_object({**data, p11.Attribute.VALUE: b"not JSON", p11.Attribute.LABEL: "x"})
        ring.close()
        again = Pkcs11Keyring(uri, hsm.PIN)
        assert again.keys() == (key,)
        again.close()


def test_without_the_extra_or_a_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(__import__("sys").modules, "pkcs11", None)
        with pytest.raises(Unavailable) as error:
            Pkcs11Keyring("pkcs11:token=a", "1")
        assert (code(error), error.value.problem.facts["extra"]) == ("install.extra", "hsm")
    pytest.importorskip("pkcs11")
    with pytest.raises(Unavailable) as none:
        Pkcs11Keyring(f"pkcs11:token=a?module-path={tmp_path}/none.so", "1")
    assert code(none) == "keys.unavailable"
    monkeypatch.setattr(pkcs11, "MODULES", ())
    with pytest.raises(Unavailable) as module:
        Pkcs11Keyring("pkcs11:token=a", "1")
    assert code(module) == "keys.no_module"


def test_a_locked_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    """SoftHSM locks no PIN; cards do."""
    p11 = pytest.importorskip("pkcs11")

    def locked(_: object) -> None:
        raise p11.exceptions.PinLocked

    monkeypatch.setattr(Pkcs11Keyring, "_token", locked)
    with pytest.raises(Refused) as error:
        Pkcs11Keyring("pkcs11:token=a", "1")
    assert code(error) == "keys.pin_locked"
