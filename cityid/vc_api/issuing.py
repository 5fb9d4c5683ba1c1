"""`POST /issuers/NAME/credentials/issue`: a credential as somebody else wrote it, checked as our own would be, and
secured with the issuer's key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from cityid import proofs
from cityid.encoding import times
from cityid.encoding.jsonld import Loader
from cityid.errors import Refused
from cityid.vc_api import documents
from cityid.vc_api.model import IssuerOf, Options

V1: Final = "https://www.w3.org/2018/credentials/v1"
DATA_INTEGRITY: Final = "https://w3id.org/security/data-integrity/v2"


def secure(
    credential: Mapping[str, Any], issuer: IssuerOf, options: Options, *, load: Loader, at: datetime
) -> dict[str, Any]:
    """`credential` with a proof by `issuer`, made at `at`.

    Raises:
        Malformed: what `documents.check_credential` finds wrong.
        Refused: `vc_api.secured`, `vc_api.issuer`.
        Unavailable: what the signer raises.
    """
    if "proof" in credential:
        raise Refused("vc_api.secured", where="$.credential.proof", spec="VC-API, Issue Credential")
    document = with_security_context(credential)
    documents.check_credential(document, options, load, "$.credential")
    found = documents.issuer_of(document)
    if options.controller == "issuer" and found != issuer.id:
        raise Refused("vc_api.issuer", where="$.credential.issuer", found=found, expected=issuer.id)
    made = {
        "type": "DataIntegrityProof",
        "cryptosuite": issuer.suite,
        "created": times.stamp(at),
        "verificationMethod": issuer.method,
        "proofPurpose": "assertionMethod",
    }
    return {**document, "proof": proofs.create(document, made, issuer.signer, load=load)}


def with_security_context(credential: Mapping[str, Any]) -> dict[str, Any]:
    """The credential; one of VCDM 1.1 with the context that its proof needs, which that of 2.0 has in itself
    (Data Integrity 1.0 §2.4)."""
    document = dict(credential)
    contexts = document.get("@context")
    if isinstance(contexts, list) and contexts[:1] == [V1] and DATA_INTEGRITY not in contexts:
        document["@context"] = [*contexts, DATA_INTEGRITY]
    return document
