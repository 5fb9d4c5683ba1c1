"""What lets an issuer follow a card: a status list, or a key, that nobody else has (Token Status List, issuer
tracking).

Whoever serves a status list sees when it is asked for. Where a list is one card's own, that is when the card is shown.
A wallet sees only its own cards, so a list that all copies of one card share with nobody else looks like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cityid.credential import Credential
from cityid.errors import Problem

__all__ = ["traces"]

ROLLING_OVER: Final = 2
"""Lists that the copies of one card may lie in: one that became full among them, and the next."""


def traces(copies: Sequence[Credential]) -> tuple[Problem, ...]:
    """What is remarkable about the copies of one card, which were made at one time: `trace.address`, a list whose
    address carries parameters; `trace.lists`, more lists than a full one explains; `trace.keys`, several keys of the
    issuer."""
    found = []
    lists = list(dict.fromkeys(ref.uri for copy in copies for ref in copy.status))
    found += [Problem("trace.address", {"uri": uri}) for uri in lists if "?" in uri or "#" in uri][:1]
    kinds = {ref.kind for copy in copies for ref in copy.status}
    if len(lists) > ROLLING_OVER * max(1, len(kinds)):
        found.append(Problem("trace.lists", {"lists": len(lists), "copies": len(copies)}))
    keys = {ref.at for copy in copies for ref in copy.signed_by}
    most = max((len(copy.signed_by) for copy in copies), default=0)
    if len(keys) > most:
        found.append(Problem("trace.keys", {"keys": len(keys), "copies": len(copies)}))
    return tuple(found)
