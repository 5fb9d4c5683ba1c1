"""The suites whose holders can hide: one door to ecdsa-sd-2023 and bbs-2023."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final

from cityid import proofs
from cityid.encoding.jsonld import Loader
from cityid.keys import PublicKey
from cityid.proofs.sets import Secured
from cityid.vc_api.model import BBS, ECDSA_SD, Entropy

_MODULES: Final = {ECDSA_SD: "cityid.proofs.ecdsa_sd", BBS: "cityid.proofs.bbs2023"}


def create(
    document: Mapping[str, Any],
    options: Mapping[str, Any],
    signer: Any,
    pointers: Sequence[str],
    *,
    load: Loader,
    entropy: Entropy,
) -> dict[str, Any]:
    """A base proof, in which what is at `pointers` is mandatory.

    Raises:
        Malformed: those of the suite, and what is wrong with a pointer: those come with the request.
    """
    suite = _module(options["cryptosuite"])
    made: dict[str, Any] = suite.create_base(document, options, signer, mandatory=pointers, load=load, entropy=entropy)
    return made


def derive(base: Secured, key: PublicKey, pointers: Sequence[str], *, load: Loader, entropy: Entropy) -> dict[str, Any]:
    """What a holder shows: the mandatory part, and what is at `pointers`, with its proof. The base proof is checked
    with the issuer's `key` first.

    Raises:
        Malformed, Refused: those of the suite, and what is wrong with a pointer.
    """
    suite = _module(base.members.suite)
    chance: dict[str, Any] = {} if base.members.suite == ECDSA_SD else {"entropy": entropy, "presentation_header": b""}
    suite.check_base(base.document, base.proof, key, load=load)
    revealed, proof = suite.derive(base.document, base.proof, selective=pointers, load=load, **chance)
    return {**revealed, "proof": proof}


def check(shown: Secured, key: PublicKey, *, load: Loader) -> None:
    """Check what a holder shows, apart from any occasion: a presentation header is taken as it is. Beside it in a set
    may stand a proof that hides nothing.

    Raises:
        Malformed, Refused: those of the suite.
    """
    if shown.members.suite not in _MODULES:
        proofs.check(shown.document, shown.proof, key, load=load, where=shown.members.where)
        return
    suite = _module(shown.members.suite)
    occasion = {} if shown.members.suite == ECDSA_SD else {"presentation_header": suite.AS_SHOWN}
    suite.check(shown.document, shown.proof, key, load=load, where=shown.members.where, **occasion)


def _module(suite: str) -> Any:
    """A suite when it is first asked for: one has an extra for its backend."""
    return import_module(_MODULES[suite])
