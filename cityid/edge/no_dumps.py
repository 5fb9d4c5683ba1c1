"""A process that holds secrets leaves no picture of its memory behind when it crashes."""

from __future__ import annotations

import sys
from contextlib import suppress

_SET_DUMPABLE = 4
"""PR_SET_DUMPABLE (prctl(2)): also for dumps that a program takes from the kernel by a pipe, whatever the limit."""


def forbid() -> None:
    """No core dumps of this process from now on, and no other user's debugger. Children that start another program
    begin anew. Where a system has no such thing, nothing happens."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    if sys.platform == "linux":
        with suppress(ImportError, OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)
