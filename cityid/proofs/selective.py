"""What the suites that can hide have in common (DI ECDSA 1.0 §3.4): the statements of a document in an order and under
names that the issuer fixed, those of its parts among them, and the strict form of their proof values.

Of a document whose shape was seen before neither the whole nor a part is expanded: which statement of a template comes
from where does not depend on its values, and is remembered.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from threading import Lock
from typing import Any, Final, TypeAlias

from cityid.encoding import base64url, jsonld, rdfc
from cityid.encoding.jsonld import alike, compiling, parts
from cityid.encoding.jsonld.template import Template
from cityid.encoding.nquads import Quad, is_blank, line
from cityid.errors import Malformed, Refused, Unavailable
from cityid.keys import once
from cityid.proofs import pointers
from cityid.proofs.rdfc import canonical

Pointers: TypeAlias = Sequence[str]
Labels: TypeAlias = Callable[[Mapping[str, str]], Mapping[str, str]]
"""From the canonical labels of nodes to those that the issuer gives them."""
Places: TypeAlias = tuple[tuple[int, ...], ...]

_KEPT: Final = 256
_KEY: Final = 32
_ALIKE: Final = 5
_DRAWS: Final = 10_000
"""One key in 120 puts five nodes in their order; that none of so many does happens to nobody."""
_SPEC: Final = "DI ECDSA 1.0 §3.4"


@dataclass(frozen=True, slots=True)
class Grouped:
    """`lines` are the statements of a document under the issuer's labels, in their order; for each list of pointers
    `groups` has the indexes of what it selects, ascending, and `sets` the statements under the labels of `labels`,
    which gives for each the issuer's."""

    lines: tuple[str, ...] = field(repr=False)
    groups: Places
    sets: tuple[tuple[Quad, ...], ...] = field(repr=False)
    labels: Mapping[str, str] = field(repr=False)

    def rest(self, group: int) -> tuple[int, ...]:
        """The indexes that a group leaves out."""
        inside = frozenset(self.groups[group])
        return tuple(index for index in range(len(self.lines)) if index not in inside)


@dataclass(frozen=True, slots=True)
class Located:
    """The statements of a document, the places of those that each list of pointers selects, and the canonical label of
    each blank node."""

    quads: list[Quad] = field(repr=False)
    places: Places
    labels: Mapping[str, str] = field(repr=False)

    def nodes(self) -> list[str]:
        """The blank nodes as they are reached from the top, by the names of properties and not by what is said."""
        below: dict[str, list[tuple[str, str]]] = {}
        for subject, predicate, value, _ in self.quads:
            below.setdefault(subject, []).append((predicate, value))
        inside = {value for _, _, value, _ in self.quads}
        found = dict.fromkeys(subject for subject in below if subject not in inside)
        waiting = list(found)
        while waiting:
            for _, value in sorted(below.get(waiting.pop(0), ()), key=itemgetter(0)):
                if value not in found and (value in below or is_blank(value)):
                    found[value] = None
                    waiting.append(value)
        return [node[2:] for node in found if is_blank(node)]


def group(document: Mapping[str, Any], asked: Sequence[Pointers], relabel: Labels, load: jsonld.Loader) -> Grouped:
    """Canonicalize and group (§3.4.15).

    Raises:
        Malformed: those of `locate`.
    """
    return arrange(locate(document, asked, load), relabel)


def locate(document: Mapping[str, Any], asked: Sequence[Pointers], load: jsonld.Loader) -> Located:
    """All of `group` that needs no labels.

    Raises:
        Malformed: `sd.pointer`, `sd.no_such_place`; `sd.not_a_part` for a part of what is only understood whole, such
            as some items of an ordered list; `json.*`, `jsonld.*`, `rdf.*`, and what `load` raises.
    """
    quads, places = _remembered(document, asked, load) or _plain(_told_apart(dict(document)), asked, load, {})
    return Located(quads, places, rdfc.canonicalize(quads).labels)


def arrange(found: Located, relabel: Labels) -> Grouped:
    """The statements in the order that the issuer's labels give them."""
    labels = relabel(found.labels)
    named = {f"_:{node}": f"_:{label}" for node, label in labels.items()}
    lines = [line(tuple(named.get(term, term) for term in quad)) for quad in found.quads]  # type: ignore[arg-type]
    ordered = sorted(set(lines))
    at = {text: index for index, text in enumerate(ordered)}
    return Grouped(
        tuple(ordered),
        tuple(tuple(sorted({at[lines[place]] for place in group})) for group in found.places),
        tuple(tuple(found.quads[place] for place in group) for group in found.places),
        labels,
    )


# -- statements and where they come from --


def _plain(
    document: dict[str, Any], asked: Sequence[Pointers], load: jsonld.Loader, marks: Mapping[int, str]
) -> tuple[list[Quad], Places]:
    """The statements of a document, and for each list of pointers the places of those that it selects: by expanding
    the document, then each part. Its objects must be told apart by their ids."""
    numbers = {id(each): number for number, each in enumerate(_objects(document))}
    naming = parts.Naming(document, numbers)
    quads = list(dict.fromkeys(parts.statements(document, naming, load, marks)))
    at = {quad: place for place, quad in enumerate(quads)}
    found = []
    for each in asked:
        part = pointers.select(document, each, numbers)
        said = [] if part is None else parts.statements(part, naming, load, marks)
        parts.within(quads, said)
        found.append(tuple(sorted({at[quad] for quad in said})))
    return quads, tuple(found)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = value.values()
    elif not isinstance(value, list):
        return
    for item in value:
        yield from _objects(item)


def _told_apart(value: Any) -> Any:
    """A copy, in which no object stands twice."""
    if isinstance(value, Mapping):
        return {name: _told_apart(item) for name, item in value.items()}
    return [_told_apart(item) for item in value] if isinstance(value, list) else value


_known: Final[OrderedDict[tuple[int, tuple[str, ...]], tuple[Template, tuple[int, ...]]]] = OrderedDict()
_lock: Final = Lock()


def _remembered(
    document: Mapping[str, Any], asked: Sequence[Pointers], load: jsonld.Loader
) -> tuple[list[Quad], Places] | None:
    """What `_plain` finds, by the template of the document; None where it has none."""
    found = alike.template(document, load)
    if found is None:
        return None
    template, terms = found
    places = []
    for each in asked:
        key = (id(template), tuple(map(str, each)))
        known = _known.get(key)
        if known is None or known[0] is not template:
            known = template, _in_template(template, document, each, load)
        with _lock:
            _known[key] = known
            _known.move_to_end(key)
            if len(_known) > _KEPT:
                _known.popitem(last=False)
        places.append(known[1])
    return template.dataset(terms), tuple(places)


def _in_template(
    template: Template, document: Mapping[str, Any], asked: Pointers, load: jsonld.Loader
) -> tuple[int, ...]:
    """The statements of a template that `asked` selects in every document of it: found by a document with a mark for
    each value that may change, so that no two statements are the same by chance."""
    marked = compiling.marked(dict(document), itertools.count())
    naming = parts.Naming(marked, {})
    iris = [f"<{naming.mark(leaf)}>" for leaf in template.iris]
    texts = [f'"{naming.mark(leaf)}{after}' for leaf, after in template.texts]
    figures = [f'"{naming.mark(leaf)}"' for leaf, _ in template.figures]
    whole = template.dataset([*iris, *texts, *figures])
    taken = (*template.iris, *(leaf for leaf, _ in (*template.texts, *template.figures)))
    quads, (places,) = _plain(marked, [asked], load, {leaf: naming.mark(leaf) for leaf in taken})
    # The same statements under other labels: what both are in canonical form tells which is which.
    to_theirs = {label: node for node, label in rdfc.canonicalize(whole).labels.items()}
    theirs = {f"_:{ours}": f"_:{to_theirs[label]}" for ours, label in rdfc.canonicalize(quads).labels.items()}
    at = {quad: place for place, quad in enumerate(whole)}
    return tuple(sorted(at[tuple(theirs.get(term, term) for term in quads[place])] for place in places))  # type: ignore[index]


# -- labels --


def keyed(key: bytes) -> Labels:
    """Labels that tell nothing about the order of nodes (DI ECDSA 1.0 §3.4.4, createHmacIdLabelMapFunction)."""

    def relabel(labels: Mapping[str, str]) -> dict[str, str]:
        return {
            node: "u" + base64url.encode(hmac.digest(key, label.encode("ascii"), "sha256"))
            for node, label in labels.items()
        }

    return relabel


def shuffled(key: bytes) -> Labels:
    """b0, b1 and so on, in an order that only the key tells (DI BBS §3.3.1, createShuffledIdLabelMapFunction)."""

    def relabel(labels: Mapping[str, str]) -> dict[str, str]:
        found = keyed(key)(labels)
        order = {label: f"b{place}" for place, label in enumerate(sorted(found.values()))}
        return {node: order[label] for node, label in found.items()}

    return relabel


def alike_key(found: Located, entropy: Callable[[int], bytes]) -> bytes:
    """A fresh key for `shuffled` under which the labels follow the places of the nodes. Then all documents of one form
    have the same labels, which tell as little of what is hidden as an order by chance, and nothing of whose they are.
    For more than `_ALIKE` nodes any key: finding such a one would take too long.

    Raises:
        Unavailable: `keys.entropy`.
    """
    nodes = found.nodes()
    if len(nodes) > _ALIKE or len(nodes) != len(found.labels):
        return once.drawn(_KEY, entropy)
    labels = [found.labels[node].encode("ascii") for node in nodes]
    for _ in range(_DRAWS):
        key = once.drawn(_KEY, entropy)
        last = ""
        for label in labels:
            named = base64url.encode(hmac.digest(key, label, "sha256"))
            if named < last:
                break
            last = named
        else:
            return key
    raise Unavailable("keys.entropy", spec=_SPEC)


# -- showing and checking --


def config_hash(document: Mapping[str, Any], options: Mapping[str, Any], load: jsonld.Loader) -> bytes:
    """The hash of the proof options, which take the context of the document and have no `proofValue`."""
    config = {name: value for name, value in options.items() if name != "proofValue"}
    return hashlib.sha256(canonical({**config, "@context": document.get("@context")}, load)).digest()


def lines_hash(lines: Sequence[str]) -> bytes:
    return hashlib.sha256("".join(lines).encode("utf-8")).digest()


def check_context(document: Mapping[str, Any], proof: Mapping[str, Any], where: str) -> None:
    """A proof that says its context again must say the document's. Raises Refused `di.context`."""
    if "@context" in proof and proof["@context"] != document.get("@context"):
        raise Refused("di.context", where=f"{where}['@context']", spec=_SPEC)


def reveal(
    document: Mapping[str, Any], asked: Pointers, found: Grouped, combined: int, load: jsonld.Loader
) -> tuple[dict[str, Any], dict[int, str]]:
    """The part of `document` that is shown, and its label map: the issuer's label of each canonical one there.

    Raises:
        Malformed: `sd.nothing`; `sd.not_a_part` where the part says something else once it stands alone.
    """
    shown = pointers.select(dict(document), asked)
    if shown is None:
        raise Malformed("sd.nothing", spec=_SPEC)
    alone = rdfc.canonicalize(found.sets[combined])
    if alone.nquads != jsonld.canonical(shown, load):
        raise Malformed("sd.not_a_part", spec=_SPEC)
    return shown, {int(label[4:]): found.labels[node] for node, label in alone.labels.items()}


def shown_lines(
    document: Mapping[str, Any], labels: Mapping[int, str], load: jsonld.Loader, where: str
) -> tuple[str, ...]:
    """The statements of a part as it was shown, under the issuer's labels and in the order of those.

    Raises:
        Malformed: `sd.label_map`; `json.*`, `jsonld.*`, `rdf.*`, and what `load` raises.
    """
    quads = jsonld.statements(document, load)
    found = rdfc.canonicalize(quads).labels
    if {int(label[4:]) for label in found.values()} != labels.keys() or len(set(labels.values())) != len(labels):
        raise Malformed("sd.label_map", where=where, spec="DI ECDSA 1.0 §3.4.5")
    named = {f"_:{node}": f"_:{labels[int(label[4:])]}" for node, label in found.items()}
    lines = {line(tuple(named.get(term, term) for term in quad)) for quad in quads}  # type: ignore[arg-type]
    return tuple(sorted(lines))


def divide(lines: Sequence[str], mandatory: Sequence[int], where: str) -> tuple[list[str], list[str]]:
    """The statements at these indexes, and the others.

    Raises:
        Malformed: `sd.indexes`.
    """
    check_indexes(mandatory, len(lines), where)
    inside = frozenset(mandatory)
    return [lines[index] for index in mandatory], [text for index, text in enumerate(lines) if index not in inside]


def check_indexes(indexes: Sequence[int], count: int, where: str) -> None:
    """Ascending, each once, in range. Raises Malformed `sd.indexes`."""
    last = -1
    for index in indexes:
        if not last < index < count:
            raise Malformed("sd.indexes", where=where, spec="DI ECDSA 1.0 §3.6.7", index=index, count=count)
        last = index
