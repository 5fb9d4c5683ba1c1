"""Which experiments there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from tests.soak.core import Place, Tally


@dataclass(frozen=True)
class Experiment:
    """A module of this package with `run(tally, place)` and `catches(place)`, loaded when it is needed."""

    title: str
    module: str
    whole: Mapping[str, int] = field(default_factory=dict[str, int])
    """How often each harm is done in a run that is whole, however many rounds that takes."""

    def _function(self, name: str) -> Callable[..., Any]:
        return getattr(import_module(f"tests.soak.{self.module}"), name)  # type: ignore[no-any-return]

    def run(self, tally: Tally, place: Place) -> None:
        self._function("run")(tally, place)

    def catches(self, place: Place) -> list[str]:
        """The seeded faults that the experiment's checker let through."""
        return self._function("catches")(place)  # type: ignore[no-any-return]


EXPERIMENTS = {
    "E1": Experiment("wallet: kill -9, power cuts", "wallet_kill", {"kills at random": 2_000}),
    "E2": Experiment(
        "register: kill -9, server stops",
        "register_kill",
        {"kills, sqlite": 1_000, "kills, postgresql": 1_000, "backends killed": 100, "immediate stops": 20},
    ),
    "E3": Experiment("publisher: kill -9 under polling", "publisher"),
    "E4": Experiment("1 to 64 clerks at once", "crowd"),
    "E5": Experiment("disk full, disk broken", "disk"),
    "E6": Experiment("clocks", "clocks"),
    "E7": Experiment("status endpoint down", "status_down"),
    "E10": Experiment("memory ceiling", "memory_ceiling"),
    "E15": Experiment("secrets in the open", "canaries"),
    "E18": Experiment("upgrade", "upgrade"),
}
