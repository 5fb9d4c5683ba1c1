"""`POST /credentials/derive`: what a holder does with a credential whose suite can hide (DI ECDSA 1.0 §3.6.6,
DI BBS §3.3.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cityid import trust
from cityid.encoding.jsonld import Loader
from cityid.errors import Malformed
from cityid.formats.data_integrity.presentations import method_of
from cityid.plan import Steps
from cityid.proofs import sets
from cityid.vc_api import documents, hiding
from cityid.vc_api.model import HIDING, Entropy, Options


def derive(
    document: Mapping[str, Any],
    pointers: Sequence[str],
    options: Options,
    *,
    load: Loader,
    at: datetime,
    entropy: Entropy,
    where: str,
) -> Steps[dict[str, Any]]:
    """What `pointers` and the issuer's own choice show of `document`, with a proof that only this could be made of what
    was signed. The issuer's signature is checked first.

    Raises:
        Malformed: what is wrong with the document, its proof or a pointer; `vc_api.not_derivable` for a document
            without exactly one proof of a suite that can hide.
        Refused: `signature.invalid`, `di.*`, `did.*`. Unavailable: what finding the key raises.
    """
    documents.check_credential(document, options, load, where)
    found = [one for one in sets.split(document, where) if one.members.suite in HIDING]
    if len(found) != 1:
        raise Malformed("vc_api.not_derivable", where=f"{where}.proof", count=len(found))
    (base,) = found
    key = yield from trust.key(method_of(base.members), None, at)
    return hiding.derive(base, key, pointers, load=load, entropy=entropy)
