"""Cases that are wrong on purpose; E10 must notice each of them. Never collected with the tests."""

from __future__ import annotations

import gc
from pathlib import Path


def test_well() -> None:
    assert bytes(1 << 20)


def test_takes_too_much() -> None:
    assert bytearray(b"x") * (100 << 20)


def test_needs_more_than_there_is() -> None:
    assert bytearray(b"x") * (600 << 20)


def test_never_ends() -> None:
    while True:
        pass


def test_leaves_a_file_open() -> None:
    Path(__file__).open()  # noqa: SIM115
    gc.collect()


def test_fails_with_any_error() -> None:
    raise KeyError("x")
