"""Whole queries (OpenID4VP 1.0 §6.4.2): which credentials a wallet can answer with, and whether an answer is whole.

Credential queries are independent of each other, and credential sets only choose ids; so nothing is combined, and the
work is bounded by what the query says once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Final, Literal

from cityid.credential import Credential
from cityid.errors import Problem
from cityid.query.model import Answers, CredentialQuery, CredentialSet, Match, Query

_CLOSEST: Final = 20
"""Credentials of the right type that are asked why they do not match."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One credential set and its options that this wallet can meet, the least-disclosing first. `set` is its index in
    `Query.sets`."""

    set: int
    required: bool
    options: tuple[tuple[str, ...], ...]


class Answerable:
    """The query can be answered. What there is to choose from is put in order when it is asked for:

    candidates of one credential query by the number of single values shown, then by the verifier's order of claim sets,
    then by the wallet's order; options of a credential set by the number of values that their first candidates show,
    then by the verifier's order.
    """

    __slots__ = ("_choices", "_found", "_ids", "_ordered", "query")

    def __init__(self, query: Query, found: Mapping[str, list[Match]]) -> None:
        self.query: Final = query
        self._found: Final = found
        self._ordered: Mapping[str, tuple[Match, ...]] | None = None
        self._choices: tuple[Choice, ...] | None = None
        self._ids: tuple[str, ...] | None = None

    @property
    def candidates(self) -> Mapping[str, tuple[Match, ...]]:
        """For each credential query that something matches, its matches, the least-disclosing first."""
        if self._ordered is None:
            self._ordered = {
                name: tuple(sorted(found, key=_order) if len(found) > 1 else found)
                for name, found in self._found.items()
            }
        return self._ordered

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The credential sets that can be met, optional ones included."""
        if self._choices is None:
            self._choices = tuple(_choices(self.query.sets, self._cost()))
        return self._choices

    @property
    def ids(self) -> tuple[str, ...]:
        """The credential queries of the least-disclosing answer, in the query's order. None can be left out, and
        optional sets are not among them."""
        if self._ids is None:
            everything = tuple(known.id for known in self.query.credentials)
            self._ids = _irreducible(self.query, self.choices, self._cost()) if self.query.sets else everything
        return self._ids

    @property
    def best(self) -> tuple[Match, ...]:
        """The least-disclosing answer: one match for each of `ids`."""
        return tuple(self.candidates[name][0] for name in self.ids)

    def _cost(self) -> Mapping[str, int]:
        return {name: found[0].shown for name, found in self.candidates.items()}

    def __bool__(self) -> Literal[True]:
        return True

    def __repr__(self) -> str:
        return f"Answerable({', '.join(f'{name}: {len(found)}' for name, found in self._found.items())})"


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """The query cannot be answered, so nothing may be shown. `reasons` tells for each needed credential query that
    nothing matches why the closest credential does not; `sets` are the required credential sets that cannot be met."""

    reasons: Mapping[str, tuple[Problem, ...]]
    sets: tuple[int, ...]

    def __bool__(self) -> Literal[False]:
        return False


class Index:
    """A wallet's credentials by format and type, for many queries over the same wallet. Immutable."""

    __slots__ = ("_by_type", "_credentials")

    def __init__(self, credentials: Iterable[Credential]) -> None:
        self._credentials = tuple(credentials)
        by_type: dict[tuple[str, str], list[Credential]] = {}
        for credential in self._credentials:
            for name in dict.fromkeys(credential.types):
                by_type.setdefault((credential.format, name), []).append(credential)
        self._by_type = by_type

    def __iter__(self) -> Iterator[Credential]:
        return iter(self._credentials)

    def __len__(self) -> int:
        return len(self._credentials)

    def of(self, query: CredentialQuery) -> Iterable[Credential]:
        """The credentials whose type could match."""
        if query.any_type:
            return self._credentials
        if len(query.type_keys) == 1:
            (name,) = query.type_keys
            return self._by_type.get((query.format, name), ())
        lists = [self._by_type.get((query.format, name), ()) for name in query.type_keys]
        # One credential may have several of the types.
        return {id(known): known for known in chain.from_iterable(lists)}.values()


def options(
    query: Query, held: Iterable[Credential], *, answers: Answers | None = None, at: datetime | None = None
) -> Answerable | Unanswerable:
    """What the holder of `held` can answer to `query`: all candidates, or why there is no answer."""
    if not isinstance(held, Index):
        held = tuple(held)
    pools = _pools(query, held) if answers is None else dict.fromkeys((known.id for known in query.credentials), held)
    found: dict[str, list[Match]] = {}
    for known in query.credentials:
        matches = known.matches(pools[known.id], answers=answers, at=at)
        if matches:
            found[known.id] = matches
    if query.sets:
        unmet = tuple(
            place
            for place, known in enumerate(query.sets)
            if known.required and not any(found.keys() >= set(option) for option in known.options)
        )
        if not unmet:
            return Answerable(query, found)
        needed = {name for place in unmet for option in query.sets[place].options for name in option}
    else:
        if len(found) == len(query.credentials):
            return Answerable(query, found)
        unmet, needed = (), {known.id for known in query.credentials}
    lacking = [known for known in query.credentials if known.id in needed and known.id not in found]
    return Unanswerable({known.id: _reasons(known, held, answers, at) for known in lacking}, unmet)


def _pools(query: Query, held: Iterable[Credential]) -> Mapping[str, Iterable[Credential]]:
    """For each credential query the credentials worth a look: one pass over the wallet, or none over an index."""
    if isinstance(held, Index):
        return {known.id: held.of(known) for known in query.credentials}
    if any(known.any_type for known in query.credentials):
        return dict.fromkeys((known.id for known in query.credentials), held)
    far = frozenset(chain.from_iterable(known.type_keys for known in query.credentials)).isdisjoint
    near = [credential for credential in held if not far(credential.types)]
    return dict.fromkeys((known.id for known in query.credentials), near)


def _order(match: Match) -> tuple[int, int]:
    return match.shown, match.place


def _choices(sets: tuple[CredentialSet, ...], cost: Mapping[str, int]) -> Iterator[Choice]:
    for place, known in enumerate(sets):
        met = [option for option in known.options if cost.keys() >= set(option)]
        if met:
            met.sort(key=lambda option: sum(cost[name] for name in option))
            yield Choice(place, known.required, tuple(met))


def _irreducible(query: Query, choices: tuple[Choice, ...], cost: Mapping[str, int]) -> tuple[str, ...]:
    """The cheapest option of each required set, less what another set's choice made needless."""
    required = [[frozenset(option) for option in choice.options] for choice in choices if choice.required]
    chosen = {name for options in required for name in options[0]}
    for name in sorted(chosen, key=lambda name: (-cost[name], name)):
        rest = chosen - {name}
        if all(any(option <= rest for option in options) for options in required):
            chosen = rest
    return tuple(known.id for known in query.credentials if known.id in chosen)


def _reasons(
    query: CredentialQuery, held: Iterable[Credential], answers: Answers | None, at: datetime | None
) -> tuple[Problem, ...]:
    """Why the closest credential does not match."""
    closest: tuple[Problem, ...] = (Problem("query.nothing_held", {"id": query.id, "format": query.format}),)
    looked = 0
    for credential in held:
        why = query.why_not(credential, answers=answers, at=at)
        if why[0].code in _OTHER_KIND:
            continue
        if not looked or len(why) < len(closest):
            closest = why
        looked += 1
        if looked == _CLOSEST:
            break
    return closest


_OTHER_KIND: Final = frozenset({"query.wrong_format", "query.wrong_type"})


def judge(query: Query, presented: Mapping[str, int], accepted: Mapping[str, int]) -> Iterator[Problem]:
    """The rules for `vp_token` as a whole (OpenID4VP 1.0 §6.4.2, §8.1, §8.6)."""
    known = {asked.id: asked for asked in query.credentials}
    for name, count in presented.items():
        if name not in known:
            yield Problem("query.answer_unknown_id", {"id": name}, spec="OpenID4VP 1.0 §8.1")
        elif count < 1:
            yield Problem("query.answer_empty", {"id": name}, spec="OpenID4VP 1.0 §8.1")
        elif count > 1 and not known[name].multiple:
            yield Problem("query.answer_several", {"id": name, "count": count}, spec="OpenID4VP 1.0 §8.1")
    met = {name for name, count in accepted.items() if count > 0}
    if not query.sets:
        for name in known:
            if name not in met:
                yield Problem("query.answer_missing", {"id": name}, spec="OpenID4VP 1.0 §6.4.2")
        return
    for place, options in enumerate(query.sets):
        if options.required and not any(met.issuperset(option) for option in options.options):
            yield Problem("query.answer_set_unmet", {"set": place}, spec="OpenID4VP 1.0 §6.4.2")
    shown = presented.keys()
    complete = {name for options in query.sets for option in options.options if shown >= set(option) for name in option}
    for name in presented:
        if name in known and name not in complete:
            yield Problem("query.answer_unasked", {"id": name}, spec="OpenID4VP 1.0 §6.4.2")
