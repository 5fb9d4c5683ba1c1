"""What a VC-API server is made of: issuers with a suite each, and the named options in which it differs from the
library's own strictness. All of it is said in one configuration file (`cityid.edge.vc_api_file`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from cityid.keys import Algorithm, BbsSigner, Signer

Entropy: TypeAlias = Callable[[int], bytes]

ECDSA_SD: Final = "ecdsa-sd-2023"
BBS: Final = "bbs-2023"
JWT: Final = "vc+jwt"
SUITES: Final[Mapping[str, frozenset[Algorithm]]] = MappingProxyType(
    {
        "eddsa-rdfc-2022": frozenset({Algorithm.EDDSA}),
        "eddsa-jcs-2022": frozenset({Algorithm.EDDSA}),
        "ecdsa-rdfc-2019": frozenset({Algorithm.ES256, Algorithm.ES384}),
        "ecdsa-jcs-2019": frozenset({Algorithm.ES256, Algorithm.ES384}),
        ECDSA_SD: frozenset({Algorithm.ES256}),
        BBS: frozenset({Algorithm.BBS}),
        JWT: frozenset({Algorithm.ES256, Algorithm.ES384, Algorithm.EDDSA}),
    }
)
"""How credentials can be secured, and with which keys."""
HIDING: Final = frozenset({ECDSA_SD, BBS})
"""What they sign is for holders, who derive what a verifier may see."""


@dataclass(frozen=True, slots=True)
class IssuerOf:
    """One issuer, reached as `/issuers/NAME`. `method` is the DID URL of its key; `status` says that it gives a status
    entry to each credential that has none."""

    name: str
    suite: str
    id: str
    method: str
    signer: Signer | BbsSigner = field(repr=False)
    status: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """Where the server differs from `cityid verify`. The defaults are the strict ones.

    `controller`: must the issuer be the controller of the key that signed ("issuer"), or may it be anybody ("any")?
    `contexts`: are only known contexts acceptable ("known"), or also objects inside the document ("inline")?
    `answer`: is what was issued answered inside an object ("wrapped") or as it is ("bare")?
    `unknown_status`: is a status of an unknown type a *no* ("refuse") or passed over ("ignore")?
    `validity`: does a credential hold only at its time ("checked"), or is that not asked ("ignored")?
    `revealed`: must what a holder reveals still be a credential, with an issuer, a subject and, in VCDM 1.1, a date
    ("whole"), or may it be any part of one ("part")?
    `schemas`: is a credential whose JSON Schema is not at hand, or gives no answer, a yes with a warning ("warn") or a
    *no* ("refuse")?
    `unsecured_presentations`: may a presentation come without a proof, its credentials then being all that is judged?
    """

    controller: Literal["issuer", "any"] = "issuer"
    contexts: Literal["known", "inline"] = "known"
    answer: Literal["wrapped", "bare"] = "wrapped"
    unknown_status: Literal["refuse", "ignore"] = "refuse"
    validity: Literal["checked", "ignored"] = "checked"
    revealed: Literal["whole", "part"] = "whole"
    schemas: Literal["warn", "refuse"] = "warn"
    unsecured_presentations: bool = False
