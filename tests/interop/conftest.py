from collections.abc import Iterator

import pytest

from tests.interop.peers import Node


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    made = Node()
    yield made
    made.close()
