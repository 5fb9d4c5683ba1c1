"""Verifiable presentations with Data Integrity (OpenID4VP B.1.3.2): what the holder signs, for whom, and when."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from cityid import contexts, limits, proofs
from cityid.checks import PASSED, Check, Step, passed
from cityid.credential import Challenge, DidUrl, KeyRef, Purpose, Unbound
from cityid.did import key as did_key
from cityid.did import parse_url
from cityid.encoding import json, times
from cityid.errors import Malformed, Misuse, Refused
from cityid.formats import _w3c
from cityid.keys import Algorithm, PublicKey, Signer
from cityid.proofs import sets

SUITES: Final[Mapping[Algorithm, str]] = MappingProxyType(
    {
        Algorithm.ES256: "ecdsa-rdfc-2019",
        Algorithm.ES384: "ecdsa-rdfc-2019",
        Algorithm.EDDSA: "eddsa-rdfc-2022",
    }
)
"""What a holder signs with: a presentation shows all that it says, so that nothing in it needs hiding."""
PURPOSE: Final = "authentication"
_LABEL: Final = b"cityid presentation header 1"
_SPEC: Final = "OpenID4VP B.1.3.2"
_SECURITY: Final = "https://w3id.org/security/data-integrity/v2"
_BOTH: Final = (PASSED[Step.ISSUER_SIGNATURE], PASSED[Step.HOLDER_BINDING])
_UNBOUND: Final = (PASSED[Step.ISSUER_SIGNATURE], passed(Step.HOLDER_BINDING, key_binding="absent"))
_UNASKED: Final = (PASSED[Step.ISSUER_SIGNATURE], passed(Step.HOLDER_BINDING, key_binding="valid, not asked for"))


def did_of(key: PublicKey) -> str:
    """How a holder's key is named in `credentialSubject` and as the signer of a presentation: did:key."""
    return did_key.create(key)


def header_of(challenge: Challenge | Unbound) -> bytes:
    """The presentation header of a proof for one question: SHA-256 over a label, the audience and the nonce, each in
    UTF-8 after its length in 4 octets (big-endian). b"" where no binding is asked for."""
    if isinstance(challenge, Unbound):
        return b""
    parts = (_LABEL, challenge.audience.encode(), challenge.nonce.encode())
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


def sign(credential: Mapping[str, Any], challenge: Challenge, signer: Signer, at: datetime) -> bytes:
    """A presentation of one credential for one question.

    Raises:
        Misuse: `di.key` for a key that no suite is for.
        Refused: `binding.transaction_data_format`. Malformed: `json.*`, `jsonld.*`. Unavailable: `keys.unavailable`.
    """
    if challenge.transaction_data:
        raise Refused("binding.transaction_data_format", spec="OpenID4VP B.1")
    first = contexts_of(credential)[0]
    did = did_of(signer.public_key)
    document = {
        "@context": [first] if first == _w3c.V2 else [first, _SECURITY],
        "type": [_w3c.PRESENTATION],
        "holder": did,
        "verifiableCredential": [dict(credential)],
    }
    options = {
        "type": "DataIntegrityProof",
        "cryptosuite": SUITES.get(signer.public_key.algorithm, ""),
        "created": times.stamp(at),
        "verificationMethod": f"{did}#{did.removeprefix('did:key:')}",
        "proofPurpose": PURPOSE,
        "challenge": challenge.nonce,
        "domain": challenge.audience,
    }
    return json.write({**document, "proof": proofs.create(document, options, signer, load=contexts.load)})


def contexts_of(document: Mapping[str, Any]) -> list[Any]:
    """The entries of `@context`; [""] where there is none to speak of."""
    found = document.get("@context")
    return found if type(found) is list and found else [found if type(found) is str else ""]


class Shown:
    """A presentation as it was read: what its holder signed. `secured` is None where nobody did."""

    __slots__ = ("document", "secured")

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Raises Malformed: those of `sets.split`; `ldp.proofs` for more than one."""
        found = sets.split(document) if "proof" in document else ()
        if len(found) > 1:
            raise Malformed("ldp.proofs", where="$.proof", spec=_SPEC, count=len(found))
        self.document: Final = document
        self.secured: Final = found[0] if found else None

    @property
    def signed_by(self) -> tuple[KeyRef, ...]:
        """The key that must have signed.

        Raises:
            Malformed: `did.*` for a verification method that is not a DID URL.
        """
        return () if self.secured is None else (method_of(self.secured.members, Purpose.AUTHENTICATION),)


def method_of(proof: proofs.Proof, purpose: Purpose = Purpose.ASSERTION) -> KeyRef:
    """The key that made a proof, which it names by more than the DID (CID 1.0 §3.3).

    Raises:
        Malformed: `did.*`.
    """
    did, fragment = parse_url(proof.method)
    if not fragment:
        raise Malformed("did.url_fragment", where=f"{proof.where}.verificationMethod", spec="CID 1.0 §3.3", found="")
    return KeyRef(DidUrl(str(did), fragment), purpose)


def check(
    shown: Shown | None,
    holder: PublicKey | None,
    key: PublicKey | None,
    challenge: Challenge | Unbound,
    at: datetime,
    header: bytes | None = None,
) -> tuple[Check, ...]:
    """ISSUER_SIGNATURE passed, and HOLDER_BINDING as it is: signed by the `key` that its proof names, which is the
    `holder` of the credential, for this asker and this question, now. `shown` is None for a credential by itself.
    `header` is that of a credential which is itself a proof for one question: whoever made it signs, with any key."""
    secured = None if shown is None else shown.secured
    try:
        if shown is None or secured is None:
            if isinstance(challenge, Challenge):
                raise Refused("binding.missing", spec=_SPEC)
            return _UNBOUND
        if key is None:
            raise Misuse("keys.not_given", key=secured.members.method)
        if holder is None and header is not None:
            holder = key
        if holder is None:
            raise Refused("binding.no_key", spec=_SPEC)
        if key != holder:
            raise Refused("binding.other_holder", spec=_SPEC)
        _check_named(shown.document.get("holder"), holder)
        if isinstance(challenge, Challenge):
            _check_occasion(secured.members, challenge, at)
            if header is not None and not hmac.compare_digest(header, header_of(challenge)):
                raise Refused("binding.presentation_header", spec="DI BBS §3.4.3")
        secured.members.check_time(at)
        proofs.check(secured.document, secured.proof, key, purpose=PURPOSE, load=contexts.load)
    except (Refused, Malformed) as error:
        return _w3c.judged(Refused(error.problem))
    return _BOTH if isinstance(challenge, Challenge) else _UNASKED


def _check_named(name: Any, holder: PublicKey) -> None:
    """Whom the presentation names as its holder, where it names one, is the one who signed it."""
    if name is not None and _w3c.key_of(name.get("id") if isinstance(name, Mapping) else name) != holder:
        raise Refused("binding.other_holder", spec="VCDM 2.0 §4.13")


def _check_occasion(proof: proofs.Proof, challenge: Challenge, at: datetime) -> None:
    if challenge.transaction_data:
        raise Refused("binding.transaction_data_format", spec="OpenID4VP B.1")
    if proof.domain != frozenset((challenge.audience,)):
        found = ", ".join(sorted(proof.domain or ()))
        raise Refused("binding.audience", spec=_SPEC, expected=challenge.audience, found=found)
    if not hmac.compare_digest((proof.challenge or "").encode(), challenge.nonce.encode()):
        raise Refused("binding.nonce", spec=_SPEC)
    if proof.created is None:
        return
    age, limit = (at - proof.created).total_seconds(), challenge.max_age.total_seconds()
    if age > limit:
        raise Refused("binding.too_old", spec=_SPEC, seconds=int(age), limit=int(limit))
    if -age > limits.KB_AHEAD.total_seconds():
        ahead = int(limits.KB_AHEAD.total_seconds())
        raise Refused("binding.ahead", spec=_SPEC, seconds=int(-age), limit=ahead)
