"""The table of the tutorial is the one that the demo brings along."""

from tests.paths import TREE


def test_one_table() -> None:
    shipped = (TREE / "schemas" / "examples" / "residents.csv").read_bytes()
    assert (TREE / "docs" / "tutorial" / "residents.csv").read_bytes() == shipped
