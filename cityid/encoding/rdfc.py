"""RDF Dataset Canonicalization, RDFC-1.0 (W3C Recommendation, 21 May 2024): one name for each blank node, whoever wrote
the dataset and in whatever order.

The work that a dataset can cause is counted and bounded (§7.1): a poisoned graph ends with a code, not with a wait.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from cityid import limits
from cityid.encoding.nquads import Quad, is_blank, line
from cityid.errors import Malformed

HashName: TypeAlias = Literal["sha256", "sha384"]

_SPEC: Final = "RDFC-1.0 §7.1"
FUNCTIONS: Final[Mapping[HashName, Callable[[bytes], Any]]] = {"sha256": hashlib.sha256, "sha384": hashlib.sha384}


@dataclass(frozen=True, slots=True)
class Canonical:
    """`nquads` is the canonical form (§5); `labels` gives for each blank node of the input, without its `_:`, the label
    that it has there (`c14n0`)."""

    nquads: str
    labels: Mapping[str, str] = field(repr=False)


class _Issuer:
    """An identifier issuer (§4.3): blank nodes get labels in the order in which they are asked for."""

    __slots__ = ("issued", "prefix")

    def __init__(self, prefix: str, issued: dict[str, str] | None = None) -> None:
        self.prefix = prefix
        self.issued: dict[str, str] = issued or {}

    def issue(self, node: str) -> str:
        found = self.issued.get(node)
        if found is None:
            found = self.issued[node] = f"{self.prefix}{len(self.issued)}"
        return found

    def copy(self) -> _Issuer:
        return _Issuer(self.prefix, self.issued.copy())


class _Result(NamedTuple):
    hash: str
    issuer: _Issuer


def canonicalize(quads: Collection[Quad], *, hash: HashName = "sha256", nodes: int = limits.BLANK_NODES) -> Canonical:
    """The canonical form of a dataset of at most `nodes` blank nodes.

    Raises:
        Malformed: `rdf.blank_nodes`; `rdf.work`: telling its blank nodes apart costs more than `limits` allows.
    """
    return _Dataset(quads, FUNCTIONS[hash], nodes).canonical()


class _Dataset:
    """The canonicalization state (§4.2)."""

    __slots__ = ("_calls", "_first", "_orders", "function", "issuer", "of_node", "quads")

    def __init__(self, quads: Collection[Quad], function: Callable[[bytes], Any], nodes: int) -> None:
        self.quads = list(dict.fromkeys(quads))
        self.function = function
        self.issuer = _Issuer("_:c14n")
        self._calls = self._orders = 0
        self._first: dict[str, str] = {}
        self.of_node: dict[str, list[Quad]] = {}
        for quad in self.quads:
            subject, _, value, graph = quad
            # A node that stands twice in one statement has that statement once.
            for node in {term for term in (subject, value, graph) if is_blank(term)}:
                self.of_node.setdefault(node, []).append(quad)
        if len(self.of_node) > nodes:
            raise Malformed("rdf.blank_nodes", spec=_SPEC, limit=nodes, found=len(self.of_node))

    def canonical(self) -> Canonical:
        """The steps of §4.4.3."""
        by_hash: dict[str, list[str]] = {}
        for node in self.of_node:
            by_hash.setdefault(self.first_degree(node), []).append(node)
        shared: list[list[str]] = []
        for _, nodes in sorted(by_hash.items()):
            if len(nodes) == 1:
                self.issuer.issue(nodes[0])
            else:
                shared.append(nodes)
        for alike in shared:
            self._tell_apart(alike)
        issued = self.issuer.issued
        named = {
            line((issued.get(subject, subject), predicate, issued.get(value, value), issued.get(graph, graph)))
            for subject, predicate, value, graph in self.quads
        }
        return Canonical("".join(sorted(named)), {node[2:]: label[2:] for node, label in issued.items()})

    def _tell_apart(self, alike: list[str]) -> None:
        """Nodes that their own statements do not tell apart (§4.4.3, step 5)."""
        found: list[_Result] = []
        for node in alike:
            if node not in self.issuer.issued:
                issuer = _Issuer("_:b")
                issuer.issue(node)
                found.append(self.n_degree(node, issuer))
        for result in sorted(found, key=lambda each: each.hash):
            for node in result.issuer.issued:
                self.issuer.issue(node)

    def hash(self, text: str) -> str:
        digest: str = self.function(text.encode("utf-8")).hexdigest()
        return digest

    def first_degree(self, node: str) -> str:
        """Hash First Degree Quads (§4.6)."""
        found = self._first.get(node)
        if found is None:
            seen = [
                line(
                    (
                        _seen_from(node, subject) if subject[0] == "_" else subject,
                        predicate,
                        _seen_from(node, value) if value[0] == "_" else value,
                        _seen_from(node, graph) if graph and graph[0] == "_" else graph,
                    )
                )
                for subject, predicate, value, graph in self.of_node[node]
            ]
            seen.sort()
            found = self._first[node] = self.hash("".join(seen))
        return found

    def related(self, node: str, quad: Quad, issuer: _Issuer, position: str) -> str:
        """Hash Related Blank Node (§4.7)."""
        predicate = "" if position == "g" else quad[1]
        name = self.issuer.issued.get(node) or issuer.issued.get(node) or self.first_degree(node)
        return self.hash(f"{position}{predicate}{name}")

    def n_degree(self, node: str, issuer: _Issuer) -> _Result:
        """Hash N-Degree Quads (§4.8)."""
        self._calls += 1
        if self._calls > limits.RDF_CALLS:
            raise Malformed("rdf.work", spec=_SPEC, limit=limits.RDF_CALLS)
        neighbours: dict[str, list[str]] = {}
        for quad in self.of_node[node]:
            for position, term in (("s", quad[0]), ("o", quad[2]), ("g", quad[3])):
                if is_blank(term) and term != node:
                    neighbours.setdefault(self.related(term, quad, issuer, position), []).append(term)
        data: list[str] = []
        for key in sorted(neighbours):
            path, issuer = self._shortest(neighbours[key], issuer)
            data += (key, path)
        return _Result(self.hash("".join(data)), issuer)

    def _shortest(self, nodes: list[str], issuer: _Issuer) -> tuple[str, _Issuer]:
        """Of all orders in which `nodes` could be named the one with the least path (§4.8.3, step 5.4)."""
        chosen = ""
        best = issuer
        for order in permutations(nodes):
            self._orders += 1
            if self._orders > limits.RDF_ORDERS:
                raise Malformed("rdf.work", spec=_SPEC, limit=limits.RDF_ORDERS)
            tried = self._path(order, issuer.copy(), chosen)
            if tried is not None and (not chosen or tried[0] < chosen):
                chosen, best = tried
        return chosen, best

    def _path(self, order: tuple[str, ...], issuer: _Issuer, chosen: str) -> tuple[str, _Issuer] | None:
        """The path of one order; None as soon as it can no longer be less than `chosen`."""
        path = ""
        deeper: list[str] = []
        for node in order:
            canonical = self.issuer.issued.get(node)
            if canonical:
                path += canonical
            else:
                if node not in issuer.issued:
                    deeper.append(node)
                path += issuer.issue(node)
            if chosen and len(path) >= len(chosen) and path > chosen:
                return None
        for node in deeper:
            result = self.n_degree(node, issuer)
            path += f"{issuer.issue(node)}<{result.hash}>"
            issuer = result.issuer
            if chosen and len(path) >= len(chosen) and path > chosen:
                return None
        return path, issuer


def _seen_from(node: str, term: str) -> str:
    return "_:a" if term == node else "_:z"
