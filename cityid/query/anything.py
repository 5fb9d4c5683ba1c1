"""ANYTHING: no question at all, under a name that can be looked for (compare `cityid.trust.anyone`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cityid.credential import Credential
from cityid.errors import Problem
from cityid.query.model import Answers, CredentialQuery, Query
from cityid.query.select import NO_POSITIONS, Positions


@dataclass(frozen=True, slots=True)
class _Anything(CredentialQuery):
    """Asks for any credential, of any format and type, with whatever claims it has, bound to nobody."""

    def satisfied(self, credential: Credential, *, answers: Answers | None = None) -> tuple[Problem, ...]:
        return ()

    def only(self, claims: Mapping[str, Any], positions: Positions = NO_POSITIONS) -> dict[str, Any]:
        return dict(claims)


ANYTHING: Final = Query((_Anything("anything", "", {}, holder_binding=False),))
