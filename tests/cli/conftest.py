"""The towns of the tests that type."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.towns import Town


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """One town for all tests that leave it as it was: a card in Ada's wallet, a library that asks."""
    made = Town(tmp_path_factory.mktemp("town")).found()
    made.takes()
    return made


@pytest.fixture
def empty_town(tmp_path: Path) -> Callable[[], Town]:
    return lambda: Town(tmp_path / "town")
