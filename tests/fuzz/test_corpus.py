"""Every target over its corpus: what once broke it does not break it again."""

from __future__ import annotations

from random import Random

import pytest

from tests.fuzz.__main__ import mutated
from tests.fuzz.targets import CORPUS, TARGETS


def test_every_target_has_a_corpus() -> None:
    assert sorted(folder.name for folder in CORPUS.iterdir()) == sorted(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_corpus(name: str) -> None:
    corpus = [file.read_bytes() for file in sorted((CORPUS / name).iterdir())]
    assert len(corpus) >= 5
    chance = Random(name)
    for data in [*corpus, *(mutated(corpus, chance) for _ in range(60)), b""]:
        TARGETS[name](data)
