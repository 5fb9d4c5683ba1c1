"""What all tests share: the hypothesis profiles, and the tests that run only where they are asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.postgres import Server
from tests.registers import open_register, register

__all__ = ["open_register", "register"]

# `quick` is what `make test` runs; `fuzz` is `make fuzz`; `mutants` looks for a failure and does not polish it.
settings.register_profile("quick", max_examples=60, deadline=None, derandomize=True, database=None)
settings.register_profile("fuzz", max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile(
    "mutants", settings.get_profile("quick"), phases=[Phase.explicit, Phase.generate], max_examples=40
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("CITYID_INTEROP"):
        return
    # the PyPI peers are always there, but not every one of them is quick; npm peers are installed by `make interop`
    reasons = {"npm": "needs npm packages: make interop", "long": "takes long: make interop"}
    for item in items:
        for kind in marker.args if (marker := item.get_closest_marker("interop")) else ():
            item.add_marker(pytest.mark.skip(reason=reasons[kind]))


@pytest.fixture(scope="session", autouse=True)
def derive_once() -> Iterator[None]:
    """Nobody waits twice for the same key: what Argon2id gives for one passphrase and salt does not change."""
    from cityid.edge import sealed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed, "derive", cache(sealed.derive))
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server for this run."""
    server = Server.start()
    yield server
    server.end()
