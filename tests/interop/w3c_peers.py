"""W3C credentials with proofs inside them, made and judged by others: npm `@digitalbazaar/vc` with its suites, and PyPI
`openvc-core`. What a peer refuses comes out as `No`."""

from __future__ import annotations

import copy
import secrets
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from cityid import contexts, did
from cityid.edge.recorded import offline
from cityid.edge.software_keys import SoftwareBbsSigner, SoftwareSigner, load
from cityid.encoding import base64url, multibase, times
from cityid.encoding import json as jsons
from cityid.keys import Algorithm, jwk, multikey
from tests.interop.peers import FOLDER, No, Node

EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
V1_DID = ["https://www.w3.org/ns/did/v1"]
_LISTED: dict[str, str] = jsons.read_object((FOLDER / "package.json").read_bytes())["dependencies"]
PACKAGES = {name: version for name, version in _LISTED.items() if name.startswith("@digitalbazaar/")}
SECRETS = {Algorithm.EDDSA: 0x1300, Algorithm.ES256: 0x1306, Algorithm.ES384: 0x1307, Algorithm.BBS: 0x130A}
"""Codes of private keys in the multicodec table."""
WHOLE = ("eddsa-rdfc-2022", "ecdsa-rdfc-2019")
JCS = ("eddsa-jcs-2022", "ecdsa-jcs-2019")
SD, BBS = "ecdsa-sd-2023", "bbs-2023"
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Key:
    """A fresh key with the did:key that it is."""

    algorithm: Algorithm
    secret: bytes = field(repr=False)
    signer: Any = field(repr=False)

    @classmethod
    def new(cls, algorithm: Algorithm) -> Key:
        size = 48 if algorithm is Algorithm.ES384 else 32
        secret = b"\0" + secrets.token_bytes(size - 1)  # below every order
        signer = load(algorithm, secret)
        assert isinstance(signer, SoftwareSigner | SoftwareBbsSigner)
        return cls(algorithm, secret, signer)

    @property
    def did(self) -> str:
        return did.key.create(self.signer.public_key)

    @property
    def method(self) -> str:
        return f"{self.did}#{self.did.removeprefix('did:key:')}"

    @property
    def public(self) -> dict[str, Any]:
        """The key as a verification method."""
        name = multikey.write(self.signer.public_key)
        return {"id": self.method, "type": "Multikey", "controller": self.did, "publicKeyMultibase": name}

    @property
    def private(self) -> dict[str, Any]:
        secret = multibase.encode(multibase.varint(SECRETS[self.algorithm]) + self.secret)
        return {**self.public, "secretKeyMultibase": secret}

    @property
    def jwk(self) -> dict[str, str]:
        return {**jwk.write(self.signer.public_key), "d": base64url.encode(self.secret)}


class Peer(Protocol):
    """`mandatory` and `selective` are JSON pointers; `header` is the presentation header of bbs-2023."""

    name: str

    def issue(self, document: Document, suite: str, key: Key, mandatory: Sequence[str], at: datetime) -> Any: ...
    def derive(self, document: Document, suite: str, selective: Sequence[str], header: bytes) -> Any: ...
    def verify(self, document: Document, suite: str, at: datetime, header: bytes | None = None) -> None: ...
    def present(self, document: Document, suite: str, holder: Key, nonce: str, audience: str, at: datetime) -> Any: ...
    def verify_presentation(
        self, document: Document, suites: Sequence[str], nonce: str, audience: str, at: datetime,
        header: bytes | None = None,
    ) -> None: ...  # fmt: skip


class Bazaar:
    """npm `@digitalbazaar/vc`. All that its document loader has are our contexts, as they are rendered here, and our
    documents for did:key."""

    name = "@digitalbazaar/vc"

    def __init__(self, node: Node) -> None:
        self.node = node
        self._given: set[str] = set()
        node.ask(op="give", documents={url: contexts.load(url) for url in contexts.DIGESTS})

    def _give(self, *dids: str) -> None:
        """What a resolver would find, in the form that the peer asks for: methods carry a context."""
        for name in set(dids) - self._given:
            found = did.look_up(name, datetime.now().astimezone()).run(offline).document
            assert found is not None
            document: dict[str, Any] = {**found, "@context": [*V1_DID, "https://w3id.org/security/multikey/v1"]}
            methods = {
                one["id"]: {"@context": "https://w3id.org/security/multikey/v1", **one}
                for one in document["verificationMethod"]
            }
            self.node.ask(op="give", documents={name: document, **methods})
            self._given.add(name)

    def _know(self, document: Document) -> None:
        waiting: list[Any] = [document]
        while waiting:
            one = waiting.pop()
            if isinstance(one, Mapping):
                method = one.get("verificationMethod")
                if isinstance(method, str) and method.startswith("did:key:"):
                    self._give(method.partition("#")[0])
                waiting += one.values()
            elif isinstance(one, list):
                waiting += one

    def issue(self, document: Document, suite: str, key: Key, mandatory: Sequence[str], at: datetime) -> Any:
        return self.node.ask(
            op="issue", document=document, suite=suite, key=key.private, mandatory=list(mandatory),
            created=times.stamp(at), now=times.stamp(at),
        )  # fmt: skip

    def confirm(self, document: Document, suite: str, at: datetime) -> None:
        """A base proof, as its holder checks it."""
        self._know(document)
        self.node.ask(op="confirm", document=document, suite=suite, now=times.stamp(at))

    def derive(self, document: Document, suite: str, selective: Sequence[str], header: bytes) -> Any:
        return self.node.ask(
            op="derive", document=document, suite=suite, selective=list(selective), header=header.hex()
        )

    def verify(self, document: Document, suite: str, at: datetime, header: bytes | None = None) -> None:
        self._know(document)
        more = {} if header is None else {"header": header.hex()}
        self.node.ask(op="verify", document=document, suites=[suite], now=times.stamp(at), **more)

    def present(self, document: Document, suite: str, holder: Key, nonce: str, audience: str, at: datetime) -> Any:
        return self.present_all([document], suite, holder, nonce, audience, at)

    def present_all(
        self, documents: Sequence[Document], suite: str, holder: Key, nonce: str, audience: str, at: datetime
    ) -> Any:
        return self.node.ask(
            op="present", credentials=documents, suite=suite, key=holder.private, holder=holder.did, challenge=nonce,
            domain=audience, created=times.stamp(at), now=times.stamp(at),
        )  # fmt: skip

    def verify_presentation(
        self, document: Document, suites: Sequence[str], nonce: str, audience: str, at: datetime,
        header: bytes | None = None,
    ) -> None:  # fmt: skip
        self._know(document)
        more = {} if header is None else {"header": header.hex()}
        self.node.ask(
            op="verify_presentation", document=document, suites=list(suites), challenge=nonce, domain=audience,
            now=times.stamp(at), **more,
        )  # fmt: skip


class OpenVc:
    """PyPI `openvc-core`. It has did:key of its own; contexts are ours."""

    name = "openvc-core"

    def __init__(self) -> None:
        with warnings.catch_warnings():  # what its own requirements do is theirs
            warnings.simplefilter("ignore")
            import openvc
            from openvc.proof import data_integrity, di_ecdsa_rdfc, di_jcs, ecdsa_sd

        self._signing = openvc.signing_key_from_jwk
        self._errors = openvc.OpenvcError
        self._suites: dict[str, Any] = {
            "eddsa-rdfc-2022": data_integrity.DataIntegrityProofSuite(leeway_s=0),
            "ecdsa-rdfc-2019": di_ecdsa_rdfc.EcdsaRdfcProofSuite(leeway_s=0),
            "eddsa-jcs-2022": di_jcs.EddsaJcsProofSuite(leeway_s=0),
            "ecdsa-jcs-2019": di_jcs.EcdsaJcsProofSuite(leeway_s=0),
            SD: ecdsa_sd.EcdsaSdProofSuite(leeway_s=0),
        }
        known = {url: contexts.load(url) for url in contexts.DIGESTS}
        # it indexes every context it is given, at each call
        self._contexts = {url: known[url] for url in (contexts.V2, EXAMPLES)}

    def _more(self, suite: str) -> dict[str, Any]:
        return {} if suite in JCS else {"extra_contexts": self._contexts}

    def issue(self, document: Document, suite: str, key: Key, mandatory: Sequence[str], at: datetime) -> Any:
        return self._signed(document, suite, key, at, {"mandatory_pointers": list(mandatory)} if suite == SD else {})

    def _signed(self, document: Document, suite: str, key: Key, at: datetime, more: Mapping[str, Any]) -> Any:
        by = self._signing(key.jwk, key.method)
        sign = self._suites[suite].add_base_proof if suite == SD else self._suites[suite].add_proof
        try:
            return sign(
                copy.deepcopy(dict(document)), signing_key=by, verification_method=key.method, created=at, **more,
                **self._more(suite),
            )  # fmt: skip
        except self._errors as error:
            raise No(f"{type(error).__name__}: {error}") from error

    def derive(self, document: Document, suite: str, selective: Sequence[str], header: bytes) -> Any:
        try:
            return self._suites[suite].derive_proof(
                copy.deepcopy(dict(document)), selective_pointers=list(selective), **self._more(suite)
            )
        except self._errors as error:
            raise No(f"{type(error).__name__}: {error}") from error

    def verify(self, document: Document, suite: str, at: datetime, header: bytes | None = None, **more: Any) -> None:
        try:
            self._suites[suite].verify(copy.deepcopy(dict(document)), now=at, **more, **self._more(suite))
        except self._errors as error:
            raise No(f"{type(error).__name__}: {error}") from error

    def present(self, document: Document, suite: str, holder: Key, nonce: str, audience: str, at: datetime) -> Any:
        made = {
            "@context": [contexts.V2], "type": ["VerifiablePresentation"], "holder": holder.did,
            "verifiableCredential": [document],
        }  # fmt: skip
        more = {"proof_purpose": "authentication", "challenge": nonce, "domain": audience}
        return self._signed(made, suite, holder, at, more)

    def verify_presentation(
        self, document: Document, suites: Sequence[str], nonce: str, audience: str, at: datetime,
        header: bytes | None = None,
    ) -> None:  # fmt: skip
        *inside, outside = suites
        for suite, credential in zip(inside, document["verifiableCredential"], strict=True):
            self.verify(credential, suite, at)
        self.verify(
            document, outside, at, expected_proof_purpose="authentication", expected_challenge=nonce,
            expected_domain=audience,
        )  # fmt: skip
