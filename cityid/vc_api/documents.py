"""What both issuing and verifying demand of a document before any cryptography: the data model, acceptable contexts,
and that JSON-LD loses nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cityid import contexts, limits
from cityid.encoding import jsonld
from cityid.encoding.json import Fields
from cityid.encoding.jsonld import Loader
from cityid.errors import Malformed, Refused
from cityid.formats import _vcdm
from cityid.vc_api import resources
from cityid.vc_api.model import Options

_APART: Final = frozenset({"proof", "verifiableCredential"})


def check_credential(document: Mapping[str, Any], options: Options, load: Loader, where: str) -> None:
    """Is `document` a credential of VCDM 2.0 or 1.1, in acceptable contexts, with no term undefined?

    Raises:
        Malformed: `vcdm.*`, `jsonld.*`, `context.unknown`. Refused: `vc_api.context`, `vc_api.resource_digest`.
    """
    check_contexts(document, options, where)
    resources.check(_vcdm.read_credential(document, where).resources, where)
    # Proofs have their own readers, which know better what is wrong with one.
    jsonld.expand({name: value for name, value in document.items() if name != "proof"}, load)


def check_presentation(document: Any, options: Options, load: Loader, where: str) -> list[Any]:
    """Is `document` a presentation of VCDM 2.0 or 1.1? The credentials in it, each still to be judged.

    Raises:
        Malformed: as `check_credential`; `vc_api.too_many`. Refused: `vc_api.context`.
    """
    fields = Fields(document, where)
    _vcdm.read_presentation(fields.value, where)
    inside = fields.value.get("verifiableCredential", [])
    inside = inside if isinstance(inside, list) else [inside]
    if len(inside) > limits.PRESENTATIONS:
        raise Malformed("vc_api.too_many", where=fields.at("verifiableCredential"), limit=limits.PRESENTATIONS)
    bare = {name: value for name, value in fields.value.items() if name not in _APART}
    check_contexts(bare, options, where)
    jsonld.expand(bare, load)
    return inside


def check_contexts(value: Any, options: Options, where: str) -> None:
    """Are the contexts of a document acceptable, those inside of it included (Data Integrity 1.0 §4.6)?

    Raises:
        Refused: `vc_api.context`, for a context that is not named by a URL and is not the own one of a type.
    """
    if options.contexts == "inline":
        return
    todo = [(value, where)]
    while todo:
        one, place = todo.pop()
        if isinstance(one, Mapping):
            found = one.get("@context", "")
            listed = found if isinstance(found, list) else [found]
            if not all(isinstance(item, str) or (one is value and contexts.is_own(item)) for item in listed):
                raise Refused("vc_api.context", where=f"{place}['@context']", spec="Data Integrity 1.0 §4.6")
            todo.extend((inner, f"{place}.{name}") for name, inner in one.items() if name != "@context")
        elif isinstance(one, list):
            todo.extend((inner, f"{place}[{index}]") for index, inner in enumerate(one))


def issuer_of(document: Mapping[str, Any]) -> str:
    """The issuer's id, of a document that `check_credential` found good."""
    issuer = document.get("issuer")
    found = issuer.get("id") if isinstance(issuer, Mapping) else issuer
    return found if isinstance(found, str) else ""
