"""The city's secret lies outside the database; without it pseudonyms and sealed claims say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from cityid.edge.city_secret import CitySecret
from cityid.errors import CityIdError, Misuse, Unavailable


def code(path: Path, kind: type[CityIdError] = Unavailable) -> str:
    with pytest.raises(kind) as error:
        CitySecret(path)
    return error.value.code


def test_made_once(tmp_path: Path) -> None:
    path = tmp_path / "register.key"
    one = CitySecret(path)
    assert path.stat().st_mode & 0o777 == 0o600
    again = CitySecret(path)
    assert one.pseudonym("4711") == again.pseudonym("4711")
    assert one.claims_key == again.claims_key
    assert len(one.claims_key) == 32
    assert "register" not in repr(one)
    assert len(list(tmp_path.iterdir())) == 1


def test_uses_are_apart(tmp_path: Path) -> None:
    one, other = CitySecret(tmp_path / "a"), CitySecret(tmp_path / "b")
    said = [
        one.pseudonym("x"), one.pseudonym("y"), one.waiting("x"), one.digest({"x": 1}), other.pseudonym("x"),
        other.waiting("x"), other.digest({"x": 1}),
    ]  # fmt: skip
    assert len(set(said)) == len(said)


def test_digests_are_of_claims(tmp_path: Path) -> None:
    secret = CitySecret(tmp_path / "a")
    assert secret.digest({"a": 1, "b": {"c": [1, 2], "d": "x"}}) == secret.digest(
        {"b": {"d": "x", "c": [1, 2]}, "a": 1}
    )
    assert secret.digest({"a": [1, 2]}) != secret.digest({"a": [2, 1]})


@pytest.mark.parametrize("text", [b"", b"A" * 42, b"A" * 44, b"\xff" * 43, b"A" * 43 + b"\n\n", b"=" * 43])
def test_damaged(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "register.key"
    path.write_bytes(text)
    path.chmod(0o600)
    assert code(path) == "store.damaged"
    path.write_bytes(b"A" * 43 + b"\n")
    assert CitySecret(path).claims_key


def test_open_to_others(tmp_path: Path) -> None:
    path = tmp_path / "register.key"
    CitySecret(path)
    path.chmod(0o640)
    assert code(path, Misuse) == "store.permissions"


def test_no_such_folder(tmp_path: Path) -> None:
    assert code(tmp_path / "no" / "register.key", Misuse) == "file.not_found"
