"""The register over each database that it can live in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

if TYPE_CHECKING:
    from cityid.edge.database import StoredRegister

BASE = "https://id.lindau.example/status"
OpenRegister: TypeAlias = "Callable[..., StoredRegister]"


@pytest.fixture(params=["file", "memory", "postgres"])
def open_register(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenRegister]:
    """Opens the same register again, perhaps with other settings (in memory: another one); closed after the test."""
    from cityid.edge.database import PostgresRegister, SqliteRegister

    name: Any = request.getfixturevalue("postgres").name() if request.param == "postgres" else None
    with ExitStack() as opened:

        def open_(**more: Any) -> StoredRegister:
            settings = {"status_base": BASE, **more}
            if name is not None:
                return opened.enter_context(PostgresRegister(name, **settings))
            return opened.enter_context(
                SqliteRegister(tmp_path / "r.db" if request.param == "file" else None, **settings)
            )

        yield open_


@pytest.fixture
def register(open_register: OpenRegister) -> StoredRegister:
    return open_register(list_size=64)
