"""Claims path pointers applied to a credential (OpenID4VP 1.0 §7), and what must be opened to show what they select.

A claim is present when its path selects something. Paths count issued array positions, so that a verifier who sees
fewer elements than the wallet means the same element by the same index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from cityid import limits
from cityid.credential import Credential, Path

Positions: TypeAlias = Mapping[Path, tuple[int, ...]]
NO_POSITIONS: Final[Positions] = MappingProxyType({})
Selection: TypeAlias = list[tuple[Path, Any]]
"""Selected elements: where each was issued, and its value."""
Probe: TypeAlias = Callable[[Credential, "Budget"], "list[Path] | None"]
"""Which hidden paths must be opened so that a claim is shown; None where the credential has no such claim."""

OBJECT: Final = (dict, MappingProxyType)
ARRAY: Final = (list, tuple)
_CONTAINER: Final = OBJECT + ARRAY
_SCALARS: Final = frozenset({str, int, bool})


class TooMuchWork(Exception):  # a signal inside cityid.query; it never leaves the package
    """The budget of one credential is spent."""


class Budget:
    """Counts the elements visited while one credential is matched against one credential query."""

    __slots__ = ("left",)

    def __init__(self, left: int = limits.DCQL_STEPS) -> None:
        self.left = left

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise TooMuchWork


def wanted(values: Iterable[str | int | bool]) -> frozenset[tuple[type, str | int | bool]]:
    """`values` with their types, because `True == 1` in Python and not in JSON."""
    return frozenset((type(value), value) for value in values)


def agrees(value: Any, values: frozenset[tuple[type, str | int | bool]]) -> bool:
    """Type and value match exactly for one of `values` (OpenID4VP 1.0 §6.3)."""
    return type(value) in _SCALARS and (type(value), value) in values


def select(claims: Mapping[str, Any], path: Path, positions: Positions, budget: Budget) -> Selection:
    """The elements that `path` selects, in document order; empty where processing is aborted (OpenID4VP 1.0 §7.1.1)."""
    selected: Selection = [((), claims)]
    for part in path:
        found: Selection = []
        for where, value in selected:
            budget.spend(1)
            if isinstance(part, str):
                if not isinstance(value, OBJECT):
                    return []
                if part in value:
                    found.append(((*where, part), value[part]))
                continue
            if not isinstance(value, ARRAY):
                return []
            if part is None:
                budget.spend(len(value))
                found.extend(((*where, issued), item) for issued, item in _members(value, where, positions))
            else:
                numbers = positions.get(where, range(len(value)))
                if part in numbers:
                    found.append(((*where, part), value[numbers.index(part)]))
        selected = found
    return selected


def _members(value: Any, where: Path, positions: Positions) -> Iterable[tuple[str | int, Any]]:
    """The members of an object, or the elements of an array with the index at which each was issued."""
    if isinstance(value, OBJECT):
        return value.items()
    return zip(positions.get(where, range(len(value))), value, strict=True)


def opened_below(where: Path, value: Any, hidden: frozenset[Path], positions: Positions, budget: Budget) -> list[Path]:
    """The hidden paths inside `value`: a claim is selected together with its sub-claims (OpenID4VP 1.0 §7.3)."""
    opened: list[Path] = []
    todo: Selection = [(where, value)]
    while todo:
        where, value = todo.pop()
        budget.spend(len(value))
        for part, item in _members(value, where, positions):
            inside = (*where, part)
            if inside in hidden:
                opened.append(inside)
            if isinstance(item, _CONTAINER):
                todo.append((inside, item))
    return opened


def probe(path: Path, values: tuple[str | int | bool, ...] | None) -> Probe:
    """A compiled claim: paths of names only (nearly all) take a short cut to the same answer."""
    expected = None if values is None else wanted(values)
    if all(isinstance(part, str) for part in path):
        return _probe_names(path, expected)

    def general(credential: Credential, budget: Budget) -> list[Path] | None:
        found = chosen(credential.claims, path, expected, credential.positions, budget)
        if not found:
            return None
        hidden = credential.hidden
        opened: set[Path] = set()
        for where, value in found:
            budget.spend(len(where))
            opened.update(prefix for end in range(1, len(where) + 1) if (prefix := where[:end]) in hidden)
            if isinstance(value, _CONTAINER):
                opened.update(opened_below(where, value, hidden, credential.positions, budget))
        return list(opened)

    return general


def chosen(
    claims: Mapping[str, Any],
    path: Path,
    expected: frozenset[tuple[type, str | int | bool]] | None,
    positions: Positions,
    budget: Budget,
) -> Selection:
    """`select`, less the elements whose value is not asked for: these count as absent (OpenID4VP 1.0 §6.4.1)."""
    found = select(claims, path, positions, budget)
    if expected is None:
        return found
    return [(where, value) for where, value in found if agrees(value, expected)]


def _probe_names(path: Path, expected: frozenset[tuple[type, str | int | bool]] | None) -> Probe:
    prefixes = tuple(path[:end] for end in range(1, len(path) + 1))

    def names(credential: Credential, budget: Budget) -> list[Path] | None:
        value: Any = credential.claims
        for part in path:
            if not isinstance(value, OBJECT) or part not in value:
                return None
            value = value[part]
        if expected is not None and not agrees(value, expected):
            return None
        hidden = credential.hidden
        opened = [prefix for prefix in prefixes if prefix in hidden]
        if isinstance(value, _CONTAINER):
            opened += opened_below(path, value, hidden, credential.positions, budget)
        return opened

    return names


def keep(claims: Mapping[str, Any], selections: Iterable[Selection], positions: Positions) -> dict[str, Any]:
    """`claims` with nothing but the selected elements: names keep their nesting, arrays close up."""
    tree: dict[Any, Any] = {}
    for selection in selections:
        for where, value in selection:
            branch: Any = tree
            for part in where[:-1]:
                branch = branch.setdefault(part, {})
                if isinstance(branch, _Whole):
                    break
            else:
                branch[where[-1]] = _Whole(value)
    kept: dict[str, Any] = _grow(tree, claims, (), positions)
    return kept


class _Whole:
    """An element that was selected itself, with everything in it."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def _grow(branch: Any, value: Any, where: Path, positions: Positions) -> Any:
    if isinstance(branch, _Whole):
        return branch.value
    grown = [
        (part, _grow(branch[part], item, (*where, part), positions))
        for part, item in _members(value, where, positions)
        if part in branch
    ]
    return dict(grown) if isinstance(value, OBJECT) else [item for _, item in grown]


def count_shown(claims: Mapping[str, Any], closed: frozenset[Path], positions: Positions) -> int:
    """How many single values are seen while the `closed` paths stay hidden."""
    count = 0
    todo: Selection = [((), claims)]
    while todo:
        where, value = todo.pop()
        for part, item in _members(value, where, positions):
            inside = (*where, part)
            if inside in closed:
                continue
            if isinstance(item, _CONTAINER):
                todo.append((inside, item))
            else:
                count += 1
    return count
