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

Expected: TypeAlias = Mapping[type, frozenset[str | int | bool]]

OBJECT: Final = (dict, MappingProxyType)
ARRAY: Final = (list, tuple)
_CONTAINER: Final = OBJECT + ARRAY


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


FREE: Final = Budget(0)
"""For claims that cost nothing."""
PAID: Final = 1 << 62
"""For what was matched before, within a budget."""


def wanted(values: Iterable[str | int | bool]) -> Expected:
    """`values` by their type, because `True == 1` in Python and not in JSON."""
    expected: dict[type, set[str | int | bool]] = {}
    for value in values:
        expected.setdefault(type(value), set()).add(value)
    return {kind: frozenset(found) for kind, found in expected.items()}


def agrees(value: Any, expected: Expected) -> bool:
    """Type and value match exactly for one of the values asked for (OpenID4VP 1.0 §6.3)."""
    return type(value) in expected and value in expected[type(value)]


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


Test: TypeAlias = Callable[[Credential, Budget], bool]


class Probe:
    """One claim of a query, compiled. `holds` tells whether a credential has the claim; `costly` whether that takes
    more than following names, so that it must be paid from a budget."""

    __slots__ = ("costly", "expected", "holds", "named", "path", "prefixes")

    def __init__(self, path: Path, values: tuple[str | int | bool, ...] | None) -> None:
        self.path: Final = path
        self.expected: Final = None if values is None else wanted(values)
        self.prefixes: Final = tuple(path[:end] for end in range(1, len(path) + 1))
        names = tuple(part for part in path if isinstance(part, str))
        self.named: Final = len(names) == len(path)
        self.costly = False
        if self.named:
            self.holds: Test = _names(names, self.expected)
        elif values is None and len(path) == 2 and names and path[1] is None:
            self.holds = _elements(names[0])
        else:
            self.costly = True
            self.holds = self._found

    def find(self, claims: Mapping[str, Any], positions: Positions, budget: Budget) -> Selection:
        """What the claim selects, less elements whose value is not asked for: these count as absent (§6.4.1)."""
        found = select(claims, self.path, positions, budget)
        if self.expected is None:
            return found
        return [(where, value) for where, value in found if agrees(value, self.expected)]

    def there(self, claims: Mapping[str, Any]) -> bool:
        """Does a path of names select something? (`find`, for those paths, without a list.)"""
        value: Any = claims
        for part in self.path:
            if not isinstance(value, OBJECT) or part not in value:
                return False
            value = value[part]
        return self.expected is None or agrees(value, self.expected)

    def _found(self, credential: Credential, budget: Budget) -> bool:
        return bool(self.find(credential.claims, credential.positions, budget))


def _names(path: tuple[str, ...], expected: Expected | None) -> Test:
    """The short cut for paths of names only, which nearly all are; the commonest lengths are written out."""
    *outer, last = path
    first = path[0]
    if len(path) == 2 and expected is not None and len(expected) == 1:
        ((kind, allowed),) = expected.items()
        return _second(first, last, kind, allowed)

    def top(credential: Credential, budget: Budget) -> bool:
        claims = credential.claims
        return last in claims and (expected is None or agrees(claims[last], expected))

    def second(credential: Credential, budget: Budget) -> bool:
        value = credential.claims.get(first)
        if not isinstance(value, OBJECT) or last not in value:
            return False
        return expected is None or agrees(value[last], expected)

    def deep(credential: Credential, budget: Budget) -> bool:
        value: Any = credential.claims
        for part in outer:
            if not isinstance(value, OBJECT) or part not in value:
                return False
            value = value[part]
        if not isinstance(value, OBJECT) or last not in value:
            return False
        return expected is None or agrees(value[last], expected)

    return deep if len(path) > 2 else second if outer else top


def _second(first: str, last: str, kind: type, allowed: frozenset[str | int | bool]) -> Test:
    """The short cut for `["address", "locality"]` with values of one type."""

    def holds(credential: Credential, budget: Budget) -> bool:
        value = credential.claims.get(first)
        if not isinstance(value, OBJECT):
            return False
        found = value.get(last)
        return type(found) is kind and found in allowed

    return holds


def _elements(name: str) -> Test:
    """The short cut for `["nationalities", null]` with any value."""

    def some(credential: Credential, budget: Budget) -> bool:
        value = credential.claims.get(name)
        return isinstance(value, ARRAY) and len(value) > 0

    return some


def opened(credential: Credential, probes: Iterable[Probe]) -> frozenset[Path]:
    """The hidden paths that must be opened to show what `probes` select: those around a selected element, and those
    inside it, because a claim is selected together with its sub-claims (OpenID4VP 1.0 §7.3). `probes` must hold."""
    hidden, positions, budget = credential.hidden, credential.positions, Budget(PAID)
    shown: set[Path] = set()
    walked: set[Path] = set()
    for probe in probes:
        for where, value in probe.find(credential.claims, positions, budget):
            prefixes = probe.prefixes if probe.named else (where[:end] for end in range(1, len(where) + 1))
            shown.update(hidden.intersection(prefixes))
            todo: Selection = [(where, value)]
            while todo:
                around, container = todo.pop()
                if not isinstance(container, _CONTAINER) or around in walked:
                    continue
                walked.add(around)
                inside = [((*around, part), item) for part, item in _members(container, around, positions)]
                shown.update(path for path, _ in inside if path in hidden)
                todo.extend(inside)
    return frozenset(shown)


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


Names: TypeAlias = dict[str, "Names | None"]
"""Paths of names as a tree; None takes the whole value."""


def as_names(probes: Iterable[Probe]) -> Names | None:
    """The tree of the probes' paths; None where a path has more than names."""
    tree: Names = {}
    for probe in probes:
        if not probe.named:
            return None
        branch = tree
        for part in probe.path[:-1]:
            below = branch.setdefault(str(part), {})
            if below is None:
                break
            branch = below
        else:
            branch[str(probe.path[-1])] = None
    return tree


def keep_named(claims: Mapping[str, Any], tree: Names) -> dict[str, Any]:
    """`keep`, for paths of names that all select something."""
    return {
        name: value if (inner := tree[name]) is None else keep_named(value, inner)
        for name, value in claims.items()
        if name in tree
    }


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
