"""A city's did:webvh for tests: keys from seeds, logs as they should be, and logs as they should not be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from cityid.did import webvh
from cityid.did.webvh import identifier
from cityid.did.webvh.log import Log
from cityid.did.webvh.parameters import Witnesses
from cityid.encoding import jcs, json, multibase, multihash
from cityid.errors import CityIdError
from cityid.keys import Algorithm, PublicKey, Signer, multikey
from cityid.keys.algorithms import CURVES
from cityid.plan import Request, Response
from cityid.proofs import jcs as suite

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 5, 1, tzinfo=UTC)
PLACE = "id.lindau.example"
Change = Callable[[dict[str, Any]], Any]


class Seeded(Signer):
    """An Ed25519 key made of one number."""

    def __init__(self, number: int) -> None:
        self._private = ed25519.Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))
        self._public = PublicKey(Algorithm.EDDSA, self._private.public_key().public_bytes_raw())

    @property
    def public_key(self) -> PublicKey:
        return self._public

    @property
    def name(self) -> str:
        return multikey.write(self._public)

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


A, B, C, THIEF = (Seeded(number) for number in (1, 2, 3, 99))
W1, W2, W3 = (Seeded(number) for number in (11, 12, 13))


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def created(signer: Signer = A, key: Signer = C, place: str = PLACE, **more: Any) -> webvh.Created:
    """A DID of one key, `#key-1`."""
    return webvh.create(webvh.document(webvh.template(place), {"key-1": key.public_key}), signer, day(1), **more)


def later(log: bytes, number: int = 2, signer: Signer = A, **more: Any) -> bytes:
    return webvh.append(log, signer, day(number), **more)


def entries(log: bytes) -> list[dict[str, Any]]:
    return [json.read_object(line) for line in log.splitlines()]


def lines(found: list[dict[str, Any]]) -> bytes:
    return b"".join(json.write(entry) + b"\n" for entry in found)


def signed(entry: dict[str, Any], signer: Seeded, **proof: Any) -> dict[str, Any]:
    """`entry`, its proof made anew; `proof` changes the options before they are signed."""
    bare = {name: value for name, value in entry.items() if name != "proof"}
    options = {
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-jcs-2022",
        "verificationMethod": f"did:key:{signer.name}#{signer.name}",
        "created": "2026-01-01T00:00:00Z",
        "proofPurpose": "assertionMethod",
    } | proof
    data = suite.hash_data(jcs.canonical(bare), jcs.canonical(options))
    return {**bare, "proof": [{**options, "proofValue": multibase.encode(signer.sign(data))}]}


def forged(log: bytes, change: Change, signer: Seeded = A, number: int = 0, **proof: Any) -> bytes:
    """`log` with its last entry changed, hashed and signed again as if that were allowed. `number` renumbers it."""
    found = entries(log)
    entry = found[-1]
    del entry["proof"]
    change(entry)
    if len(found) > 1:
        entry["versionId"] = found[-2]["versionId"]
        entry["versionId"] = f"{number or len(found)}-{multihash.sha256(jcs.canonical(entry))}"
    else:
        entry = rehashed(entry, number or 1)
    return lines([*found[:-1], signed(entry, signer, **proof)])


def rehashed(entry: dict[str, Any], number: int = 1) -> dict[str, Any]:
    """A first entry with its SCID and hash made anew."""
    entry = {name: value for name, value in entry.items() if name != "proof"}
    old = entry["parameters"].get("scid")
    text = json.write({**entry, "versionId": "{SCID}"}).decode().replace(old or "{SCID}", "{SCID}")
    scid = multihash.sha256(jcs.canonical(json.read(text)))
    made = json.read_object(text.replace("{SCID}", scid))
    made["versionId"] = scid
    made["versionId"] = f"{number}-{multihash.sha256(jcs.canonical(made))}"
    return made


def judge(log: bytes, proofs: bytes | None = None, did: str = "", at: datetime = NOW) -> Log:
    """The whole log, or what is wrong with it. Without `did`, for the DID of the last entry."""
    asked = did or entries(log)[-1]["state"]["id"]
    return webvh.judge(log, proofs, identifier.read(asked), at).whole()


def code(log: bytes, proofs: bytes | None = None, did: str = "", at: datetime = NOW) -> str:
    """What is wrong with a log; "" for one that holds."""
    try:
        judge(log, proofs, did, at)
    except CityIdError as error:
        return error.code
    return ""


def word(log: bytes, *witnesses: Seeded, proofs: bytes = b"", number: int = 0) -> bytes:
    """The file of witnesses after all of `witnesses` have approved of the last entry."""
    at = day(number or len(log.splitlines()))
    for one in witnesses:
        given = webvh.approve(log, one, at, seen="")
        proofs = webvh.with_proof(proofs, json.write(given), log, at)
    return proofs


def served(files: dict[str, bytes], asked: list[str] | None = None) -> Callable[[Request], Response]:
    """An exchange that knows these URLs."""

    def exchange(request: Request) -> Response:
        if asked is not None:
            asked.append(request.url)
        body = files.get(request.url)
        return Response(404 if body is None else 200, {}, body or b"", NOW)

    return exchange


TWO = Witnesses(2, (W1.name, W2.name, W3.name))


def refusal(function: Any, *arguments: Any, **more: Any) -> str:
    with pytest.raises(CityIdError) as error:
        function(*arguments, **more)
    return error.value.code


def p256() -> PublicKey:
    point = ec.derive_private_key(7, CURVES[Algorithm.ES256]).public_key()
    form = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return PublicKey(Algorithm.ES256, point.public_bytes(*form))
