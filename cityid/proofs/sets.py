"""Several proofs of one document: sets, whose proofs stand alone, and chains, whose proofs follow others by
`previousProof` (Data Integrity 1.0 §4.3, §4.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cityid import limits, proofs
from cityid.encoding.json import Fields
from cityid.errors import Malformed
from cityid.keys import PublicKey, Signer
from cityid.proofs.members import Proof, read, texts

if TYPE_CHECKING:
    from cityid.encoding.jsonld import Loader

_SPEC: Final = "Data Integrity 1.0 §4.5"


@dataclass(frozen=True, slots=True)
class Secured:
    """One proof of a document. `document` is what it was made over: without proofs, or with those that it follows."""

    members: Proof
    proof: Mapping[str, Any] = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)


def split(document: Mapping[str, Any], where: str = "$") -> tuple[Secured, ...]:
    """The proofs of a document in their order. None is checked yet; that each follows proofs which are there, and not
    itself, is.

    Raises:
        Malformed: those of `members.read`; `di.empty`; `di.too_many_proofs`; `di.duplicate_id`; `di.no_such_proof`;
            `di.cycle`.
    """
    fields = Fields(document, where)
    listed = isinstance(document.get("proof"), list)
    every: list[Any] = fields.array("proof") if listed else [fields.object("proof")]
    place = fields.at("proof")
    if not every:
        raise Malformed("di.empty", where=place, spec=_SPEC, name="proof")
    bare = {name: value for name, value in document.items() if name != "proof"}
    if len(every) > 1 and len(every) > (limit := _at_most(bare)):
        raise Malformed("di.too_many_proofs", where=place, spec=_SPEC, limit=limit, found=len(every))
    found = [read(proof, f"{place}[{number}]" if listed else place) for number, proof in enumerate(every)]
    if len(found) > 1 or found[0].previous:
        _judge_ids(found)
    return tuple(
        Secured(each, proof, _over(bare, every, each.previous)) for each, proof in zip(found, every, strict=True)
    )


def check(
    document: Mapping[str, Any],
    keys: Callable[[Proof], PublicKey],
    *,
    purpose: str = "assertionMethod",
    load: Loader,
    where: str = "$",
) -> tuple[Proof, ...]:
    """Check every proof of `document`; all must hold, each with the key that `keys` gives for it.

    Raises:
        Malformed, Refused: those of `split` and `proofs.check`, and what `keys` raises.
    """
    found = split(document, where)
    for each in found:
        proofs.check_read(each.document, each.proof, each.members, keys(each.members), purpose=purpose, load=load)
    return tuple(each.members for each in found)


def add(document: Mapping[str, Any], options: Mapping[str, Any], signer: Signer, *, load: Loader) -> dict[str, Any]:
    """`document` with one more proof, made over those of its proofs that `previousProof` of the options names.

    Raises:
        Malformed, Misuse, Unavailable: those of `proofs.create`; and of `split` for what would come out.
    """
    held = document.get("proof", [])
    every = list(held) if isinstance(held, list) else [held]
    bare = {name: value for name, value in document.items() if name != "proof"}
    over = _over(bare, every, texts(Fields(options, "$.options"), "previousProof") or ())
    made = proofs.create(over, options, signer, load=load)
    secured = {**bare, "proof": [*every, made] if every else made}
    split(secured)
    return secured


def _at_most(bare: dict[str, Any]) -> int:
    """How many proofs a document of this size may have: each is checked over all of it, and the work of all together is
    no more than one document may cause."""
    count, waiting = 0, [bare]
    while waiting:
        value: Any = waiting.pop()
        count += 1
        if isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value
    return min(limits.DATA_PROOFS, limits.JSONLD_WORK // count)


def _over(bare: dict[str, Any], every: list[Any], previous: tuple[str, ...]) -> dict[str, Any]:
    """What a proof that follows `previous` signs: the document with those proofs, in the document's order."""
    if not previous:
        return bare
    return {**bare, "proof": [proof for proof in every if isinstance(proof, dict) and proof.get("id") in previous]}


def _judge_ids(found: list[Proof]) -> None:
    by_id: dict[str, Proof] = {}
    for proof in found:
        if proof.id is not None and by_id.setdefault(proof.id, proof) is not proof:
            raise Malformed("di.duplicate_id", where=f"{proof.where}.id", spec="Data Integrity 1.0 §2.1", id=proof.id)
    for proof in found:
        for name in proof.previous:
            if name not in by_id:
                raise Malformed("di.no_such_proof", where=f"{proof.where}.previousProof", spec=_SPEC, id=name)
    # Proofs that follow only settled ones settle; what is left runs in a circle.
    waiting, settled = found, set[str]()
    while waiting:
        ready = [proof for proof in waiting if settled.issuperset(proof.previous)]
        if not ready:
            raise Malformed("di.cycle", where=f"{waiting[0].where}.previousProof", spec=_SPEC)
        settled |= {proof.id for proof in ready if proof.id is not None}
        waiting = [proof for proof in waiting if proof not in ready]
