"""What each suite does with a credential: sign it, hide in it, show some of it, and check what was shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, cast

from cityid import contexts, proofs
from cityid.credential import Path
from cityid.encoding import paths
from cityid.errors import Misuse
from cityid.keys import Algorithm, BbsSigner, PublicKey, Signer
from cityid.proofs import bbs2023, ecdsa_sd
from cityid.proofs.bbs2023_values import read_derived
from cityid.proofs.sets import Secured

ECDSA_SD: Final = "ecdsa-sd-2023"
BBS: Final = bbs2023.SUITE
NAMES: Final = (*proofs.SUITES, ECDSA_SD, BBS)
"""The suites by which credentials are signed and checked here."""
_USUAL: Final = {
    Algorithm.ES256: ECDSA_SD,
    Algorithm.ES384: "ecdsa-rdfc-2019",
    Algorithm.EDDSA: "eddsa-rdfc-2022",
    Algorithm.BBS: BBS,
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
    signer: Signer | BbsSigner,
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
    pointers = [pointer(path) for path in mandatory]
    if suite == BBS:
        if not isinstance(signer, BbsSigner):
            raise Misuse("di.key", suite=suite, algorithm=signer.public_key.algorithm.value)
        return bbs2023.create_base(document, options, signer, mandatory=pointers, load=contexts.load, entropy=entropy)
    signer = cast("Signer", signer)  # a key of lists is refused by every other suite, by its algorithm
    if suite == ECDSA_SD:
        return ecdsa_sd.create_base(document, options, signer, mandatory=pointers, load=contexts.load, entropy=entropy)
    return proofs.create(document, options, signer, load=contexts.load)


def check_issued(secured: Secured, key: PublicKey) -> None:
    """Check a proof as city hall made it. Raises Malformed, Refused: those of the suite."""
    if secured.members.suite == ECDSA_SD:
        ecdsa_sd.check_base(secured.document, secured.proof, key, load=contexts.load)
    elif secured.members.suite == BBS:
        bbs2023.check_base(secured.document, secured.proof, key, load=contexts.load)
    else:
        _check_whole(secured, key)


def check_shown(secured: Secured, key: PublicKey) -> None:
    """Check a proof as a holder shows it. Raises Malformed, Refused: those of the suite."""
    if secured.members.suite == ECDSA_SD:
        ecdsa_sd.check(secured.document, secured.proof, key, load=contexts.load)
    elif secured.members.suite == BBS:
        # For which question it is, is the holder's binding and judged with it (`header_of`).
        header = bbs2023.AS_SHOWN
        bbs2023.check(secured.document, secured.proof, key, load=contexts.load, presentation_header=header)
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
    mandatory = bbs2023.mandatory_of(one.proof) if proves(secured) else ecdsa_sd.mandatory_of(one.proof)
    return frozenset(
        path
        for path in _leaves(document[_SUBJECT], (_SUBJECT,))
        if not any(pointer(path[:length]) in mandatory for length in range(len(path) + 1))
    )


def _can_hide(secured: Collection[Secured]) -> bool:
    return [each.members.suite for each in secured] in ([ECDSA_SD], [BBS])


def proves(secured: Collection[Secured]) -> bool:
    """Is each showing a proof of its own, made for one question?"""
    return [each.members.suite for each in secured] == [BBS]


def header_of(secured: Collection[Secured]) -> bytes:
    """For which question a derived proof was made. Raises Malformed, Refused: those of the suite."""
    (one,) = secured
    return read_derived(one.members, bbs2023.Feature.BASELINE).presentation_header


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
    header: bytes,
    entropy: Callable[[int], bytes],
) -> dict[str, Any]:
    """The credential as it is shown: whole, or with what is in `disclose` and what cannot be hidden. `header` says for
    which question, where the suite can say it.

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
    pointers = [pointer(path) for path in wanted]
    if proves(secured):
        revealed, proof = bbs2023.derive(
            one.document, one.proof, selective=pointers, load=contexts.load, presentation_header=header, entropy=entropy
        )
    else:
        revealed, proof = ecdsa_sd.derive(one.document, one.proof, selective=pointers, load=contexts.load)
    return {**revealed, "proof": proof}
