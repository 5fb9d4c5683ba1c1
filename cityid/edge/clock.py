"""The machine's clock: a capability of the edge, handed to whatever needs `at`. Nothing below asks for the time."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)  # noqa: TID251  # the one place that has it
