"""What attacks strike at: the town of the command line."""

from tests.cli.conftest import empty_town, town

__all__ = ["empty_town", "town"]
