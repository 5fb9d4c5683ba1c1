"""Three writers and readers of did:webvh: ours, npm `didwebvh-ts`, PyPI `did-webvh`. All write the same histories."""

from __future__ import annotations

import asyncio
import gc
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from cityid import did as dids
from cityid.did import webvh
from cityid.did.webvh import identifier
from cityid.did.webvh.parameters import Witnesses
from cityid.encoding import base64url, times
from cityid.encoding import json as jsons
from cityid.errors import CityIdError
from tests.interop.peers import No, Node
from tests.webvh import PLACE, Seeded, day, served

AT = datetime.now(UTC) + timedelta(minutes=1)  # a peer that closes a DID takes the time from the clock


@dataclass(frozen=True)
class Change:
    """One entry: by whom it is signed, on which day, and what it changes. None leaves a thing as it is."""

    signer: Seeded
    day: int
    key: Seeded | None = None
    """The key in the document, as #key-DAY."""
    update: Sequence[Seeded] | None = None
    following: Sequence[Seeded] | None = None
    """What is committed to."""
    witnesses: tuple[int, Sequence[Seeded]] | None = None
    portable: bool = False
    place: str = ""
    close: bool = False
    words: Sequence[Seeded] = ()
    """Who witnesses it."""

    @property
    def at(self) -> datetime:
        return day(self.day)


@dataclass
class Made:
    """A history as it stands, and what it is expected to resolve to."""

    log: list[dict[str, Any]] = field(default_factory=list)
    proofs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def did(self) -> str:
        return str(self.log[-1]["state"]["id"])

    def bytes(self) -> bytes:
        return b"".join(jsons.write(entry) + b"\n" for entry in self.log)


class Peer(Protocol):
    name: str

    def write(self, made: Made, change: Change) -> None:
        """One more entry and the words of its witnesses. Raises No."""

    def read(self, made: Made, did: str, number: int | None = None) -> dict[str, Any]:
        """`document` (None where it is closed), `versionId`, `deactivated`. Raises No."""


class Ours:
    name = "cityid"

    def write(self, made: Made, change: Change) -> None:
        more: dict[str, Any] = {}
        if change.witnesses is not None:
            threshold, keys = change.witnesses
            more["witnesses"] = Witnesses(threshold, tuple(key.name for key in keys)) if keys else None
            more["no_witnesses"] = not keys
        following = None if change.following is None else [key.public_key for key in change.following]
        update = None if change.update is None else [key.public_key for key in change.update]
        if not made.log:
            more.pop("no_witnesses", None)
            assert change.key is not None
            state = webvh.document(webvh.template(PLACE), {f"key-{change.day}": change.key.public_key})
            log = webvh.create(
                state, change.signer, change.at, next_keys=following or (), portable=change.portable, **more
            ).log
        elif change.place:
            log = webvh.move(made.bytes(), change.place, change.signer, change.at, update_keys=update,
                             next_keys=following)  # fmt: skip
        elif change.close:
            log = webvh.deactivate(made.bytes(), change.signer, change.at)
        else:
            if change.key is not None:
                more["state"] = webvh.document(made.did, {f"key-{change.day}": change.key.public_key})
            log = webvh.append(made.bytes(), change.signer, change.at, update_keys=update, next_keys=following, **more)
        made.log[:] = [jsons.read_object(line) for line in log.splitlines()]
        proofs = jsons.write(made.proofs) if made.proofs else b""
        for one in change.words:
            word = webvh.approve(log, one, change.at, seen="")
            proofs = webvh.with_proof(proofs, jsons.write(word), log, change.at)
        made.proofs[:] = jsons.read(proofs) if proofs else []

    def read(self, made: Made, did: str, number: int | None = None) -> dict[str, Any]:
        place = identifier.read(did)
        exchange = served({place.log: made.bytes(), place.proofs: jsons.write(made.proofs)})
        try:
            found = dids.look_up(f"{did}?versionNumber={number}" if number else did, AT).run(exchange)
        except CityIdError as error:
            raise No(error.code) from error
        return {"document": found.document, **{name: found.metadata[name] for name in ("versionId", "deactivated")}}


def _key(one: Seeded) -> dict[str, Any]:
    raw, public = one._private.private_bytes_raw(), one.public_key.raw
    jwk = {"kty": "OKP", "crv": "Ed25519", "d": base64url.encode(raw), "x": base64url.encode(public)}
    return {"jwk": jwk, "name": one.name}


def _listed(keys: Sequence[Seeded]) -> list[dict[str, str]]:
    return [{"id": f"did:key:{key.name}"} for key in keys]


class Npm:
    name = "didwebvh-ts"

    def __init__(self, node: Node) -> None:
        self.node = node

    def write(self, made: Made, change: Change) -> None:
        options: dict[str, Any] = {}
        if change.key is not None:
            options["verificationMethods"] = [
                {
                    "id": f"#key-{change.day}", "type": "Multikey", "publicKeyMultibase": change.key.name,
                    "purpose": "assertionMethod",
                }
            ]  # fmt: skip
        update = change.update if made.log else change.update or [change.signer]
        if update is not None:
            options["updateKeys"] = [key.name for key in update]
        if change.following is not None:
            options["nextKeyHashes"] = [webvh.key_hash(key.public_key) for key in change.following]
        if change.witnesses is not None:
            threshold, keys = change.witnesses
            options["witness"] = {"threshold": threshold, "witnesses": _listed(keys)} if keys else {}
        if not made.log:
            options |= {"domain": PLACE, "portable": change.portable, "created": times.stamp(change.at)}
            log = self.node.ask(op="create", key=_key(change.signer), options=options)
        else:
            options |= {"log": made.log, "witnessProofs": made.proofs, "updated": times.stamp(change.at)}
            if change.place:
                options["domain"] = change.place
            op = "deactivate" if change.close else "update"
            log = self.node.ask(op=op, key=_key(change.signer), options=options)
        made.log[:] = log
        if change.words:
            signing = [_key(one) for one in change.words]
            word = self.node.ask(
                op="witness", version=log[-1]["versionId"], keys=signing, created=times.stamp(change.at)
            )
            made.proofs.append(word)

    def read(self, made: Made, did: str, number: int | None = None) -> dict[str, Any]:
        options: dict[str, Any] = {"requestedDid": did, "scid": identifier.scid_of(did)}
        if number is not None:
            options["versionNumber"] = number
        found = self.node.ask(op="resolve", log=made.log, proofs=made.proofs, options=options)
        if found["meta"].get("error"):
            raise No(json.dumps(found["meta"]["problemDetails"]))
        document = found["document"]
        if document is not None:  # it writes out the services that every did:webvh has
            listed = [one for one in document.get("service", ()) if one["id"] not in ("#files", "#whois")]
            document = {name: value for name, value in document.items() if name != "service"}
            document |= {"service": listed} if listed else {}
        return {
            "document": document, "versionId": found["meta"]["versionId"], "deactivated": found["meta"]["deactivated"],
        }  # fmt: skip


class PyPi:
    name = "did-webvh"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with warnings.catch_warnings():  # what its own requirements do is theirs
            warnings.simplefilter("ignore")
            from did_webvh.askar import AskarSigningKey
            from did_webvh.core import proof, state
            from did_webvh.resolver import resolve_did

        self._keys, self._proof, self._state, self._resolve = AskarSigningKey, proof, state, resolve_did

    def _signer(self, one: Seeded) -> Any:
        return self._keys.from_secret_bytes("ed25519", one._private.private_bytes_raw())

    def write(self, made: Made, change: Change) -> None:
        given: dict[str, Any] = {}
        if change.update is not None or not made.log:
            given["updateKeys"] = [key.name for key in change.update or [change.signer]]
        if change.following is not None:
            given["nextKeyHashes"] = [webvh.key_hash(key.public_key) for key in change.following]
        if change.witnesses is not None:
            threshold, keys = change.witnesses
            given["witness"] = {"threshold": threshold, "witnesses": _listed(keys)} if keys else {}
        if change.close:
            given["deactivated"] = True
        state: Any = None
        document: dict[str, Any] | None = None
        if not made.log:
            given |= {"method": "did:webvh:1.0", "portable": change.portable}
            assert change.key is not None
            document = webvh.document(webvh.template(PLACE), {f"key-{change.day}": change.key.public_key})
            state = self._state.DocumentState.initial(given, document, times.stamp(change.at))
        else:
            before = None
            for entry in made.log:
                before = self._state.DocumentState.load_history_line(entry, before)
            if change.key is not None:
                document = webvh.document(made.did, {f"key-{change.day}": change.key.public_key})
            if change.place:
                new = f"did:webvh:{identifier.scid_of(made.did)}:{change.place}"
                document = json.loads(json.dumps(made.log[-1]["state"]).replace(made.did, new))
                document |= {"alsoKnownAs": [made.did]}
            assert before is not None
            state = before.create_next(document, given, times.stamp(change.at))
        state.proofs.append(state.create_proof(self._signer(change.signer), timestamp=times.stamp(change.at)))
        made.log.append(json.loads(state.history_json()))
        statement = {"versionId": made.log[-1]["versionId"]}
        words = [
            self._proof.di_jcs_sign(statement, self._signer(one), timestamp=times.stamp(change.at))
            for one in change.words
        ]
        if words:
            made.proofs.append({**statement, "proof": words})

    def read(self, made: Made, did: str, number: int | None = None) -> dict[str, Any]:
        (self.folder / "did.jsonl").write_bytes(made.bytes())
        (self.folder / "did-witness.json").write_bytes(jsons.write(made.proofs))
        asked = None if number is None else str(number)  # it leaves out a number that is one
        with warnings.catch_warnings():  # it leaves its files to the collector
            warnings.simplefilter("ignore", ResourceWarning)
            result = asyncio.run(
                self._resolve(did, local_history=self.folder, version_number=asked, add_implicit=False)
            ).serialize()
            gc.collect()
        if (result.get("didResolutionMetadata") or {}).get("error"):
            raise No(json.dumps(result["didResolutionMetadata"]))
        told = result["didDocumentMetadata"]
        return {
            "document": result["didDocument"], "versionId": told["versionId"], "deactivated": told["deactivated"],
        }  # fmt: skip


class OpenVc:
    """PyPI `openvc-core`: it reads, and does not write."""

    name = "openvc-core"

    def write(self, made: Made, change: Change) -> None:
        raise NotImplementedError

    def read(self, made: Made, did: str, number: int | None = None) -> dict[str, Any]:
        with warnings.catch_warnings():  # what its own requirements do is theirs
            warnings.simplefilter("ignore")
            from openvc.did.base import DidResolutionError
            from openvc.did.did_webvh import DidWebvhResolver
        log = b"".join(jsons.write(entry) + b"\n" for entry in made.log[:number])
        try:
            found = DidWebvhResolver(lambda _: log.decode()).resolve(did)
        except DidResolutionError as error:
            raise No(str(error)) from error
        version = made.log[: number or len(made.log)][-1]["versionId"]
        return {"document": found.raw, "versionId": version, "deactivated": False}
