"""What each suite does with a credential: sign it, hide in it, show some of it, and check what was shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from cityid import contexts, proofs
from cityid.credential import Path
from cityid.encoding import paths
from cityid.errors import Misuse
from cityid.keys import Algorithm, PublicKey, Signer
from cityid.proofs import ecdsa_sd
from cityid.proofs.sets import Secured

ECDSA_SD: Final = "ecdsa-sd-2023"
NAMES: Final = (*proofs.SUITES, ECDSA_SD)
"""The suites by which credentials are signed and checked here."""
_USUAL: Final = {
    Algorithm.ES256: ECDSA_SD,
    Algorithm.ES384: "ecdsa-rdfc-2019",
    Algorithm.EDDSA: "eddsa-rdfc-2022",
}
_SUBJECT: Final = "credentialSubject"


def usual(key: PublicKey) -> str:
    """The suite for a key where none is named: one that can hide, where there is one.

    Raises:
        Misuse: `ldp.no_suite`.
    """
    if key.algorithm not in _USUAL:
        raise Misuse("ldp.no_suite", algorithm=key.algorithm.value)
    return _USUAL[key.algorithm]


def sign(
    document: Mapping[str, Any],
    options: Mapping[str, Any],
    signer: Signer,
    mandatory: Collection[Path],
    entropy: Callable[[int], bytes],
) -> dict[str, Any]:
    """A proof over `document`. `mandatory` are the paths that no holder can hide, for suites that can hide at all.

    Raises:
        Misuse: `ldp.suite`, `di.key`. Malformed: `json.*`, `jsonld.*`. Unavailable: `keys.unavailable`.
    """
    suite = str(options["cryptosuite"])
    if suite not in NAMES:
        raise Misuse("ldp.suite", suite=suite, known=", ".join(NAMES))
    if suite == ECDSA_SD:
        pointers = [pointer(path) for path in mandatory]
        return ecdsa_sd.create_base(document, options, signer, mandatory=pointers, load=contexts.load, entropy=entropy)
    return proofs.create(document, options, signer, load=contexts.load)


def check_issued(secured: Secured, key: PublicKey) -> None:
    """Check a proof as city hall made it. Raises Malformed, Refused: those of the suite."""
    if secured.members.suite == ECDSA_SD:
        ecdsa_sd.check_base(secured.document, secured.proof, key, load=contexts.load)
    else:
        _check_whole(secured, key)


def check_shown(secured: Secured, key: PublicKey) -> None:
    """Check a proof as a holder shows it. Raises Malformed, Refused: those of the suite."""
    if secured.members.suite == ECDSA_SD:
        ecdsa_sd.check(secured.document, secured.proof, key, load=contexts.load)
    else:
        _check_whole(secured, key)


def _check_whole(secured: Secured, key: PublicKey) -> None:
    proofs.check(secured.document, secured.proof, key, load=contexts.load, where=secured.members.where)


# -- hiding --


def pointer(path: Path) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def is_leaf(document: Mapping[str, Any], path: Path) -> bool:
    """Is there a single value, or an array of some, at `path`?"""
    value: Any = document
    for part in path:
        if type(value) is not dict or part not in value:
            return False
        value = value[part]
    return type(value) is not dict


def hidden(document: Mapping[str, Any], secured: Collection[Secured]) -> frozenset[Path]:
    """The single values about the subject that a holder can hide: those that the one proof does not make mandatory."""
    if not _can_hide(secured):
        return frozenset()
    (one,) = secured
    mandatory = ecdsa_sd.mandatory_of(one.proof)
    return frozenset(
        path
        for path in _leaves(document[_SUBJECT], (_SUBJECT,))
        if not any(pointer(path[:length]) in mandatory for length in range(len(path) + 1))
    )


def _can_hide(secured: Collection[Secured]) -> bool:
    return [each.members.suite for each in secured] == [ECDSA_SD]


def _leaves(value: Any, path: Path) -> Iterator[Path]:
    if type(value) is dict:
        for name, inner in value.items():
            if name not in ("id", "type"):
                yield from _leaves(inner, (*path, name))
    elif type(value) is list:
        for index, inner in enumerate(value):
            yield from _leaves(inner, (*path, index))
    else:
        yield path


def shown(
    document: Mapping[str, Any],
    secured: Collection[Secured],
    hideable: Collection[Path],
    disclose: Collection[Path],
    entropy: Callable[[int], bytes],
) -> dict[str, Any]:
    """The credential as it is shown: whole, or with what is in `disclose` and what cannot be hidden.

    Raises:
        Misuse: `ldp.no_such_claim`. Malformed: those of the suite.
    """
    wanted = [path for path in disclose if path in hideable]
    if len(wanted) != len(disclose):
        missing = next(path for path in disclose if path not in hideable)
        raise Misuse("ldp.no_such_claim", path=paths.write(missing))
    if not _can_hide(secured):
        return dict(document)
    (one,) = secured
    revealed, proof = ecdsa_sd.derive(
        one.document, one.proof, selective=[pointer(path) for path in wanted], load=contexts.load
    )
    return {**revealed, "proof": proof}
