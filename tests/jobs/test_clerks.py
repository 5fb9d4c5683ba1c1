"""Who may do what at city hall: rights, types, departments, the end of a clerk's time; and how clerks come in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cityid.clerks import ANSWER_TIME, Challenge, Clerk, Right, check, check_name
from cityid.edge import sign_in
from cityid.edge.database import SqliteRegister
from cityid.edge.software_keys import MemoryKeyring
from cityid.errors import Misuse, Refused, Unavailable
from cityid.keys import Algorithm, PublicKey
from cityid.register.sequencer import identity

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
MARIA = Clerk("maria", frozenset({Right.ISSUE, Right.READ}), frozenset({"residency"}), "registry", AT, AT)
CHIEF = Clerk("chief", frozenset(Right))
BEFORE = AT - timedelta(seconds=1)


def refusal(clerk: Clerk, right: Right, at: datetime, **about: str) -> str:
    with pytest.raises(Refused) as error:
        check(clerk, right, at, **about)
    return error.value.code


def test_rights() -> None:
    for right in Right:
        check(CHIEF, right, AT)
        if right in MARIA.rights:
            check(MARIA, right, BEFORE)
        else:
            assert refusal(MARIA, right, BEFORE) == "clerk.may_not"


def test_types() -> None:
    check(MARIA, Right.ISSUE, BEFORE, type="residency")
    assert refusal(MARIA, Right.ISSUE, BEFORE, type="age") == "clerk.other_type"
    check(CHIEF, Right.ISSUE, AT, type="age")


def test_departments() -> None:
    check(MARIA, Right.READ, BEFORE, department="registry")
    for other in ("parking", ""):
        assert refusal(MARIA, Right.READ, BEFORE, department=other) == "clerk.other_department"
        check(CHIEF, Right.READ, AT, department=other)


def test_the_end() -> None:
    check(MARIA, Right.ISSUE, BEFORE)
    assert refusal(MARIA, Right.ISSUE, AT) == "clerk.ended"


@pytest.mark.parametrize("name", ["m", "maria", "Jürgen", "m.k", "a@lindau.example", "x" * 64])
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "1", "-m", " m", "m ", "a b", "a\nb", "x" * 65, "a;b", "_a"])
def test_other_names(name: str) -> None:
    with pytest.raises(Misuse) as error:
        check_name(name)
    assert error.value.code == "clerk.name"


class TestSigningIn:
    """A clerk's key answers a fresh challenge, which is good for one register, one clerk and two minutes."""

    def challenge(self) -> tuple[Challenge, MemoryKeyring, PublicKey]:
        ring = MemoryKeyring()
        return Challenge.new(bytes(32), "maria", AT), ring, ring.create(Algorithm.ES256)

    def test_in_time(self) -> None:
        asked, ring, key = self.challenge()
        signature = ring.signer(key).sign(asked.message)
        for at in (AT, AT + ANSWER_TIME):
            asked.check(signature, key, at)
        for at in (AT - timedelta(seconds=1), AT + ANSWER_TIME + timedelta(seconds=1)):
            with pytest.raises(Refused) as error:
                asked.check(signature, key, at)
            assert error.value.code == "clerk.too_late"

    def test_for_nothing_else(self) -> None:
        asked, ring, key = self.challenge()
        signature = ring.signer(key).sign(asked.message)
        asked.check(signature, key, AT)
        others = (
            replace(asked, register=b"\1" + bytes(31)),
            replace(asked, clerk="jo"),
            replace(asked, at=AT - timedelta(seconds=1)),
            replace(asked, nonce=bytes(32)),
        )
        for other in others:
            with pytest.raises(Refused) as error:
                other.check(signature, key, AT)
            assert error.value.code == "clerk.other_key"
        with pytest.raises(Refused):
            asked.check(signature, ring.create(Algorithm.ES256), AT)

    def test_never_the_same(self) -> None:
        assert Challenge.new(bytes(32), "maria", AT).message != Challenge.new(bytes(32), "maria", AT).message


class TestWhatIsKept:
    def test_a_key(self) -> None:
        ring = MemoryKeyring()
        key = ring.create(Algorithm.EDDSA)
        kept = sign_in.of_key(key)
        assert sign_in.key_of(kept) == key
        sign_in.check_key(key, ring.signer(key), bytes(32), "maria", lambda: AT)
        other = ring.create(Algorithm.EDDSA)
        with pytest.raises(Refused) as error:
            sign_in.check_key(key, ring.signer(other), bytes(32), "maria", lambda: AT)
        assert error.value.code == "clerk.other_key"

    def test_slow(self) -> None:
        ring = MemoryKeyring()
        key = ring.create(Algorithm.EDDSA)
        times = iter((AT, AT + ANSWER_TIME + timedelta(seconds=1)))
        with pytest.raises(Refused) as error:
            sign_in.check_key(key, ring.signer(key), bytes(32), "maria", lambda: next(times))
        assert error.value.code == "clerk.too_late"

    @pytest.mark.kdf
    def test_a_passphrase(self) -> None:
        kept = sign_in.of_passphrase("correct horse battery staple")
        assert sign_in.key_of(kept) is None
        sign_in.check_passphrase(kept, "correct horse battery staple")
        with pytest.raises(Refused) as error:
            sign_in.check_passphrase(kept, "another word altogether")
        assert error.value.code == "passphrase.wrong"

    @pytest.mark.parametrize("kept", ["", "x", "[]", '{"kty":"EC"}'])
    def test_neither(self, kept: str) -> None:
        with pytest.raises(Unavailable) as error:
            sign_in.key_of(kept)
        assert error.value.code == "store.damaged"


def test_a_register_is_itself(tmp_path: Path) -> None:
    """Its name comes with its first action, stays when that is forgotten, and is another for any other register."""
    names = []
    for file in ("one", "two"):
        with SqliteRegister(tmp_path / file) as register:
            assert identity(register) == bytes(32)
            for count in range(2):
                with register.batch("maria", f"{count}", AT) as batch:
                    batch.event("key", {})
                names.append(identity(register))
            register.sequence()
            with register.batch("maria", "erase", AT + timedelta(days=1)) as batch:
                assert batch.erase_salts(AT + timedelta(days=1))
            names.append(identity(register))
    assert len(set(names)) == 2 == len(set(names[::3]))
