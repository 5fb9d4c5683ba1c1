"""`POST /issuers/NAME/credentials/issue`: a credential as somebody else wrote it, checked as our own would be, and
secured with the issuer's key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

from cityid import proofs
from cityid.encoding import times
from cityid.encoding.json import Fields
from cityid.encoding.jsonld import Loader
from cityid.errors import Refused
from cityid.formats.vc_jose import secured
from cityid.keys import Signer
from cityid.vc_api import documents, enveloped, hiding
from cityid.vc_api.lists import StatusList
from cityid.vc_api.model import HIDING, JWT, Entropy, IssuerOf, Options

V1: Final = "https://www.w3.org/2018/credentials/v1"
V2: Final = "https://www.w3.org/ns/credentials/v2"
DATA_INTEGRITY: Final = "https://w3id.org/security/data-integrity/v2"
STATUS: Final = "https://www.w3.org/ns/credentials/status/v1"


def issue(
    credential: Mapping[str, Any],
    pointers: Sequence[str],
    issuer: IssuerOf,
    status: StatusList | None,
    options: Options,
    *,
    load: Loader,
    at: datetime,
    entropy: Entropy,
) -> dict[str, Any]:
    """`credential` secured by `issuer` at `at`, beside the proofs that it has. `pointers` are what its holder cannot
    hide, where the suite can hide; one that has no status is given one of `status`.

    Raises:
        Malformed: what `documents.check_credential` finds wrong; `vc_jose.*`; `selective.*`.
        Refused: `vc_api.secured`, `vc_api.issuer`, `vc_api.context`.
        Unavailable: what the signer raises; `vc_api.list_full`.
    """
    if "proof" in credential and issuer.suite in (JWT, *HIDING):
        raise Refused("vc_api.secured", where="$.credential.proof", suite=issuer.suite)
    document = dict(credential) if issuer.suite == JWT else with_security_context(credential)
    documents.check_credential(document, options, load, "$.credential")
    if issuer.suite == JWT:
        enveloped.check_members(document, options)
    found = documents.issuer_of(document)
    if options.controller == "issuer" and found != issuer.id:
        raise Refused("vc_api.issuer", where="$.credential.issuer", found=found, expected=issuer.id)
    if status is not None and "credentialStatus" not in document:
        document["credentialStatus"] = status.allot(entropy)
        document = _with_context(document, STATUS)
    return secure(document, issuer, pointers, load=load, at=at, entropy=entropy)


def secure(
    document: Mapping[str, Any],
    issuer: IssuerOf,
    pointers: Sequence[str] = (),
    *,
    load: Loader,
    at: datetime,
    entropy: Entropy,
) -> dict[str, Any]:
    """A document with a proof, or in an envelope, by the issuer's suite.

    Raises:
        Malformed: `json.*`, `jsonld.*`. Unavailable: what the signer raises.
    """
    signer = cast("Signer", issuer.signer)
    if issuer.suite == JWT:
        return secured.envelope(secured.sign(document, JWT, signer, kid=issuer.method), JWT)
    made = {
        "type": "DataIntegrityProof",
        "cryptosuite": issuer.suite,
        "created": times.stamp(at),
        "verificationMethod": issuer.method,
        "proofPurpose": "assertionMethod",
    }
    if issuer.suite in HIDING:
        proof = hiding.create(document, made, issuer.signer, pointers, load=load, entropy=entropy)
        return {**document, "proof": proof}
    bare = {name: value for name, value in document.items() if name != "proof"}
    proof = proofs.create(bare, made, signer, load=load)
    return {**bare, "proof": [*_proofs(document), proof] if "proof" in document else proof}


def _proofs(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The proofs that are there: ours makes a set with them. Whether they hold is between their makers and verifiers.

    Raises:
        Malformed: `json.*`.
    """
    found = document["proof"]
    listed = found if isinstance(found, list) else [found]
    for index, one in enumerate(listed):
        Fields(one, f"$.credential.proof[{index}]").text("type")
    return listed


def with_security_context(credential: Mapping[str, Any]) -> dict[str, Any]:
    """The credential; one of VCDM 1.1 with the context that its proof needs, which that of 2.0 has in itself
    (Data Integrity 1.0 §2.4)."""
    return _with_context(credential, DATA_INTEGRITY)


def _with_context(credential: Mapping[str, Any], url: str) -> dict[str, Any]:
    contexts = credential.get("@context")
    if isinstance(contexts, list) and contexts[:1] == [V1] and url not in contexts:
        return {**credential, "@context": [*contexts, url]}
    return dict(credential)
