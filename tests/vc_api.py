"""A VC-API server in memory, driven as the public suites would from outside: requests go in, answers come out."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any

from cityid import contexts as pinned
from cityid import proofs
from cityid.did import key as did_key
from cityid.edge import vc_api_file
from cityid.edge.software_keys import MemoryKeyring
from cityid.errors import Unavailable
from cityid.keys import Algorithm
from cityid.plan import Exchange, Request, Response
from cityid.vc_api import Service

URL = "https://localhost:40443"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def entropy(seed: str = "vc-api") -> Any:
    """Chance that is the same in each run."""
    count = 0

    def draw(size: int) -> bytes:
        nonlocal count
        made = b""
        while len(made) < size:
            count += 1
            made += sha256(f"{seed} {count}".encode()).digest()
        return made[:size]

    return draw


def offline(request: Request) -> Response:
    raise Unavailable("net.offline")


@cache
def configuration() -> str:
    return vc_api_file.new(URL, entropy=entropy())


def configured(**options: str) -> str:
    """The configuration with other options."""
    text = configuration()
    for name, value in options.items():
        text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        assert count == 1, name
    return text


@dataclass
class Answer:
    """An answer that is JSON, or a test fails."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        return str(self.body["code"])


@dataclass
class Server:
    """A service with its configuration; requests by path."""

    text: str = field(default_factory=configuration)
    at: datetime = NOW
    exchange: Exchange = offline
    entropy: Any = field(default_factory=entropy)

    def __post_init__(self) -> None:
        self.service: Service = vc_api_file.read(self.text.encode(), contexts()).service

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {"content-type": "application/json"} if body is not None else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request(method, path, sent, data)
        found = self.service.handle(request, self.at, entropy=self.entropy).run(self.exchange)
        assert found.headers["content-type"].partition(";")[0] in KINDS, found.headers
        return Answer(found.status, json.loads(found.body), found.headers)

    def issue(self, name: str, credential: Any, **options: Any) -> Answer:
        body = {"credential": credential, **({"options": options} if options else {})}
        return self("POST", f"/issuers/{name}/credentials/issue", body)

    def issued(self, name: str, credential: Any, **options: Any) -> Any:
        answer = self.issue(name, credential, **options)
        assert answer.status == 201, answer.body
        return answer.body["verifiableCredential"]

    def verify(self, document: Any, **options: Any) -> Answer:
        body = {"verifiableCredential": document, **({"options": options} if options else {})}
        return self("POST", "/credentials/verify", body)

    def verify_presentation(self, document: Any, **options: Any) -> Answer:
        body = {"verifiablePresentation": document, **({"options": options} if options else {})}
        return self("POST", "/presentations/verify", body)

    def derive(self, document: Any, *pointers: str) -> Answer:
        options = {"selectivePointers": list(pointers)}
        return self("POST", "/credentials/derive", {"verifiableCredential": document, "options": options})

    def issuer(self, name: str) -> str:
        return self.service.issuers[name].id

    def resolve(self, did: str, accept: str = "application/did-resolution", query: str = "") -> Answer:
        return self("GET", f"/1.0/identifiers/{did}{query}", accept=accept)


KINDS = frozenset(
    {
        "application/json", "application/problem+json", "application/did-resolution", "application/did",
        "application/did-url-dereferencing", "application/ld+json", "application/did+json", "application/did+ld+json",
        "application/vc", "application/vc+ld+json",
    }
)  # fmt: skip

V1 = "https://www.w3.org/2018/credentials/v1"
V2 = "https://www.w3.org/ns/credentials/v2"


def names(text: str = "") -> list[str]:
    return [one["name"] for one in tomllib.loads(text or configuration())["issuer"]]


def suites() -> dict[str, str]:
    """The suite of each issuer."""
    return {one["name"]: one["suite"] for one in tomllib.loads(configuration())["issuer"]}


HIDING = [name for name, suite in suites().items() if suite in ("ecdsa-sd-2023", "bbs-2023")]
"""The issuers whose credentials are derived before they are shown."""
WHOLE = [name for name, suite in suites().items() if name not in HIDING]
"""The issuers whose credentials are shown as they are."""
INSIDE = [name for name in WHOLE if name != "jwt"]
"""Those whose proof is inside."""


def credential(by: str, **changed: Any) -> dict[str, Any]:
    """A small credential of VCDM 2.0; None leaves a member out."""
    made = {
        "@context": [V2],
        "type": ["VerifiableCredential"],
        "issuer": by,
        "credentialSubject": {"id": "did:example:subject"},
        **{name.replace("__", "@"): value for name, value in changed.items()},
    }
    return {name: value for name, value in made.items() if value is not None}


def contexts() -> Any:
    return pinned.load


# --- a holder ---------------------------------------------------------------------------------------------------------

_RING = MemoryKeyring(entropy=entropy("holder"))
HOLDER = _RING.signer(_RING.create(Algorithm.EDDSA))
HOLDER_DID = did_key.create(HOLDER.public_key)
HOLDER_METHOD = f"{HOLDER_DID}#{HOLDER_DID.removeprefix('did:key:')}"
CHALLENGE = "1235abcd6789"
DOMAIN = "verifier.example"


def presentation(*credentials: Any, **changed: Any) -> dict[str, Any]:
    """A presentation without proof; None leaves a member out."""
    made = {
        "@context": [V2],
        "type": ["VerifiablePresentation"],
        "holder": HOLDER_DID,
        "verifiableCredential": list(credentials),
        **changed,
    }
    return {name: value for name, value in made.items() if value is not None}


def signed(document: Mapping[str, Any], signer: Any = HOLDER, **changed: Any) -> dict[str, Any]:
    """`document` with a proof by the holder, for one occasion; None leaves a member out."""
    options = {
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-rdfc-2022",
        "created": "2026-11-23T12:00:00Z",
        "verificationMethod": HOLDER_METHOD,
        "proofPurpose": "authentication",
        "challenge": CHALLENGE,
        "domain": DOMAIN,
        **changed,
    }
    options = {name: value for name, value in options.items() if value is not None}
    return {**document, "proof": proofs.create(document, options, signer, load=contexts())}


def tampered(document: Mapping[str, Any]) -> dict[str, Any]:
    """`document` whose signature is another."""
    proof = dict(document["proof"])
    text = proof["proofValue"]
    proof["proofValue"] = text[:-4] + ("1111" if text[-4:] != "1111" else "2222")
    return {**document, "proof": proof}
