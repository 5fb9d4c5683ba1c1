"""Documents of the data model as VC-JOSE-COSE secures them: good before they are signed, and when they are read."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from cityid import contexts, limits
from cityid.errors import Malformed
from cityid.formats import _vcdm, _w3c
from cityid.formats._vcdm import Facts
from cityid.formats.vc_jose import secured
from cityid.formats.vc_jose.heads import Head
from cityid.formats.vc_jose.secured import Secured
from cityid.jose.sd_jwt import SdJwt

__all__ = ["credential", "presentation", "secure", "unsecure"]

_SUBJECT: Final = "credentialSubject"
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def secure(
    document: Mapping[str, Any],
    media: str,
    signer: Any,
    *,
    kid: str = "",
    chain: tuple[bytes, ...] = (),
    claims: Mapping[str, Any] = _NOTHING,
    hide: Iterable[tuple[str | int | None, ...]] = (),
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> bytes:
    """`document`, whoever wrote it, secured as `media` if it is a good one. What the members mean: `secured.sign`.

    Raises:
        As `credential` or `presentation`, and as `secured.sign`.
    """
    if media.startswith("vc"):
        credential(document)
    else:
        presentation(document)
    return secured.sign(
        document, media, signer, kid=kid, chain=chain, claims=claims, hide=hide, entropy=entropy
    )  # fmt: skip


def unsecure(data: bytes | str, *media: str, limit: int = limits.DOCUMENT) -> Secured:
    """The good document that is secured in `data` as one of `media`. Whether it is signed, and by whom, is not asked.

    Raises:
        As `secured.read`, and as `credential` or `presentation`.
    """
    found = secured.read(data, *media, limit=limit)
    facts_of(found)
    return found


def facts_of(found: Secured, *, any_context: bool = False) -> Facts | _vcdm.Presented:
    """What a secured document says of itself. Raises as `credential` or `presentation`."""
    if found.media.startswith("vp"):
        return presentation(found.document, found.head, any_context=any_context)
    signed = found.signed
    if isinstance(signed, SdJwt) and found.document.get(_SUBJECT) == {} and (_SUBJECT,) in signed.processed.carriers:
        # Everything about the subject can be hidden; it said something when it was signed.
        return meant({**found.document, _SUBJECT: {"id": "urn:hidden"}}, any_context=any_context)[0]
    return meant(found.document, found.head, any_context=any_context)[0]


def credential(document: Mapping[str, Any]) -> Facts:
    """What a credential of VCDM 2.0 says of itself: its contexts are known ones, and each of its members is defined by
    name in one of them, not merely by `@vocab`.

    Raises:
        Malformed: `vcdm.*`, `json.*`, `time.*`, `context.*`, `jsonld.*`, `vc_jose.version`, `vc_jose.undefined`.
    """
    return meant(document)[0]


def meant(
    document: Mapping[str, Any], head: Head | None = None, *, any_context: bool = False
) -> tuple[Facts, _w3c.Meaning]:  # fmt: skip
    """`credential`, and what its names mean; `head` is how the text began, where that is known. With `any_context`
    contexts may also stand inside of the document."""
    facts = _vcdm.read_credential(document, version=None if head is None else head.version)
    if facts.version != 2:
        raise Malformed("vc_jose.version", where="$['@context'][0]", spec="VC-JOSE-COSE §1")
    return facts, _check_members(document, head, any_context=any_context)


def presentation(
    document: Mapping[str, Any], head: Head | None = None, *, any_context: bool = False
) -> _vcdm.Presented:  # fmt: skip
    """What a presentation of VCDM 2.0 says of itself; the credentials in it are all secured (VC-JOSE-COSE §3.1.2).

    Raises:
        Malformed: as `credential`; `vc_jose.envelope`, `vc_jose.unsecured`.
    """
    found = _vcdm.read_presentation(document)
    if found.version != 2:
        raise Malformed("vc_jose.version", where="$['@context'][0]", spec="VC-JOSE-COSE §1")
    _check_members(document, head, any_context=any_context)
    for index, one in enumerate(found.credentials):
        where = f"$.verifiableCredential[{index}]"
        if "proof" not in one:
            if _w3c.CREDENTIAL in (one["type"] if type(one["type"]) is list else [one["type"]]):
                raise Malformed("vc_jose.unsecured", where=where, spec="VC-JOSE-COSE §3.1.2")
            secured.opened(one, where)
    return found


def _check_members(
    document: Mapping[str, Any], head: Head | None = None, *, any_context: bool
) -> _w3c.Meaning:  # fmt: skip
    meaning = _w3c.meaning_of(document, None if head is None else head.written, any_context=any_context)
    defined = meaning.defined
    if not any_context:
        if not document.keys() <= defined:
            name = min(document.keys() - defined)
            raise Malformed("vc_jose.undefined", where=f"$.{name}"[:200], spec="VCDM 2.0 §4.3", name=name)
        if head is None:  # behind a head there is none
            contexts.check_nested({name: value for name, value in document.items() if name != "verifiableCredential"})
    return meaning
