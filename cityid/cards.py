"""What city hall and a wallet send each other, as files or pasted text: offer, request, cards, and the key proofs.

They are the objects of OpenID4VCI 1.0; what a file needs besides, because there is no server to ask, stands in one
member, `cityid`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

from cityid import limits
from cityid.encoding import base64url, json, texts, times
from cityid.errors import Malformed, Refused
from cityid.formats import wire
from cityid.jose import jws
from cityid.keys import Algorithm, PublicKey, Signer, jwk

__all__ = [
    "CardRequest",
    "Cards",
    "Device",
    "Offer",
    "check_proofs",
    "configuration",
    "device_name",
    "offer_id",
    "prove",
]

PRE_AUTHORIZED: Final = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
SCHEME: Final = "openid-credential-offer"
PROOF: Final = "openid4vci-proof+jwt"
OURS: Final = "cityid"
OFFER_SIZE: Final = 4_096
"""Characters of an offer: a QR code holds fewer."""
PROOF_SIZE: Final = 16 << 10
CARDS_SIZE: Final = 4 << 20
TEXT: Final = 500
DEVICE_NAME: Final = 40
DEVICE_ID: Final = 16
"""Bytes of a device's id."""


def configuration(type: str, form: str) -> str:
    """The credential configuration id of a type in a format."""
    return f"{type}.{form}"


def offer_id(code: str) -> str:
    """The name under which both sides remember an offer; its code stays a secret (SHA-256, base64url)."""
    return base64url.encode(hashlib.sha256(code.encode("utf-8", "surrogatepass")).digest())


@dataclass(frozen=True, slots=True)
class Offer:
    """A credential offer with a pre-authorized code (OpenID4VCI §4.1). Nothing in it is authentic: it says who to ask,
    and the cards are judged when they come. `wire_type` is the type's wire name in `format` (vct, doctype),
    `algorithms` what the holder's keys may be, best first; `expires` is to the second."""

    issuer: str
    issuer_name: str
    type: str
    format: str
    wire_type: str
    copies: int
    nonce: str = field(repr=False)
    code: str = field(repr=False)
    expires: datetime
    algorithms: tuple[Algorithm, ...] = (Algorithm.ES256,)

    @property
    def id(self) -> str:
        return offer_id(self.code)

    @classmethod
    def read(cls, data: bytes) -> Offer:
        """An offer as a file (JSON) or as a link (`openid-credential-offer://?credential_offer=...`).

        Raises:
            Malformed: `offer.*`, `json.*`, `time.*`.
        """
        text = data.strip(b" \t\r\n")
        if len(text) > OFFER_SIZE:
            raise Malformed("offer.too_large", limit=OFFER_SIZE, size=len(text))
        if not text.startswith(b"{"):
            text = _from_link(text)
        fields = json.Fields(json.read(text))
        configurations = fields.texts("credential_configuration_ids")
        if len(configurations) != 1:
            where = fields.at("credential_configuration_ids")
            raise Malformed("offer.one_card", where=where, spec="OpenID4VCI §4.1.1", count=len(configurations))
        grants = fields.fields("grants")
        if PRE_AUTHORIZED not in grants:
            raise Malformed("offer.no_code", where=grants.where, spec="OpenID4VCI §4.1.1")
        grant = grants.fields(PRE_AUTHORIZED)
        if "tx_code" in grant:
            raise Malformed("offer.transaction_code", where=grant.at("tx_code"), spec="OpenID4VCI §4.1.1")
        if OURS not in fields:
            raise Malformed("offer.not_a_file", where=fields.where)
        ours = fields.fields(OURS)
        made = cls(
            issuer=_text(fields, "credential_issuer"), issuer_name=_text(ours, "issuer_name"),
            type=_text(ours, "type"), format=_text(ours, "format"), wire_type=_text(ours, "wire_type"),
            copies=ours.integer("copies"), nonce=_text(ours, "nonce"), code=_text(grant, "pre-authorized_code"),
            expires=times.read_numeric(ours.value.get("expires"), ours.at("expires")),
            algorithms=_algorithms(ours),
        )  # fmt: skip
        if not 1 <= made.copies <= limits.PROOFS:
            raise Malformed("offer.copies", where=ours.at("copies"), found=made.copies, limit=limits.PROOFS)
        if not limits.NONCE_MIN <= len(made.nonce) <= limits.NONCE_MAX:
            raise Malformed("offer.nonce", where=ours.at("nonce"), length=len(made.nonce), least=limits.NONCE_MIN)
        if configurations[0] != configuration(made.type, made.format):
            raise Malformed("offer.contradiction", where=ours.at("type"), name=configurations[0])
        return made

    def write(self) -> bytes:
        return json.write({
            "credential_issuer": self.issuer,
            "credential_configuration_ids": [configuration(self.type, self.format)],
            "grants": {PRE_AUTHORIZED: {"pre-authorized_code": self.code}},
            OURS: {
                "type": self.type, "format": self.format, "wire_type": self.wire_type, "copies": self.copies,
                "nonce": self.nonce, "expires": times.numeric(self.expires), "issuer_name": self.issuer_name,
                "algorithms": [algorithm.value for algorithm in self.algorithms],
            },
        })  # fmt: skip

    def link(self) -> str:
        """The offer by value, for a QR code or a message (OpenID4VCI §4.1.2)."""
        return f"{SCHEME}://?credential_offer={quote(self.write(), safe='')}"


def device_name(text: str, where: str = "") -> str:
    """A name for a device. Raises Malformed: `text.*`, `device.name` (none, or spaces around it)."""
    texts.label(text, "device", DEVICE_NAME, where)
    if not text or text != text.strip():
        raise Malformed("device.name", where=where)
    return text


@dataclass(frozen=True, slots=True)
class Device:
    """The wallet that takes a card, as it calls itself to one issuer: a name that its owner chose (`phone`), and an id
    that means nothing to anybody else. So the cards on a lost device can be taken back, and no others."""

    name: str
    id: str

    @classmethod
    def of(cls, text: str) -> Device:
        """A device as a register keeps it (`str`)."""
        name, _, id_ = text.rpartition(" ")
        return cls(name, id_)

    @classmethod
    def read(cls, fields: json.Fields) -> Device:
        """Raises Malformed: `text.*`, `device.*`, `base64url.*`."""
        name, id_ = device_name(fields.text("name"), fields.at("name")), fields.text("id")
        if len(base64url.decode(id_, fields.at("id"))) != DEVICE_ID:
            raise Malformed("device.id", where=fields.at("id"), expected=DEVICE_ID)
        return cls(name, id_)

    def __str__(self) -> str:
        return f"{self.name} {self.id}"


@dataclass(frozen=True, slots=True)
class CardRequest:
    """A wallet's answer to an offer: the code, and a proof for each key (OpenID4VCI §8.2). `device` is said where the
    wallet wants its device to be known; nothing proves it."""

    issuer: str
    configuration: str
    code: str = field(repr=False)
    proofs: tuple[str, ...] = field(repr=False)
    device: Device | None = None

    @classmethod
    def read(cls, data: bytes) -> CardRequest:
        """Reading checks the form; `check_proofs` judges the proofs.

        Raises:
            Malformed: `request.*`, `device.*`, `text.*`, `base64url.*`, `json.*`.
        """
        fields = json.Fields(json.read(data))
        for member in ("credential_identifier", "credential_response_encryption", "proof"):
            if member in fields:
                raise Malformed("request.unsupported", where=fields.at(member), spec="OpenID4VCI §8.2", member=member)
        proofs = fields.fields("proofs")
        if list(proofs.value) != ["jwt"]:
            raise Malformed("request.proof_type", where=proofs.where, spec="OpenID4VCI §8.2")
        jwts = proofs.texts("jwt")
        if not 1 <= len(jwts) <= limits.PROOFS:
            raise Malformed("request.proofs", where=proofs.at("jwt"), count=len(jwts), limit=limits.PROOFS)
        ours = fields.fields(OURS)
        named = _text(fields, "credential_configuration_id")
        device = Device.read(ours.fields("device")) if "device" in ours else None
        return cls(_text(ours, "issuer"), named, _text(ours, "pre-authorized_code"), tuple(jwts), device)

    def write(self) -> bytes:
        device = self.device and {"device": {"name": self.device.name, "id": self.device.id}}
        return json.write({
            "credential_configuration_id": self.configuration,
            "proofs": {"jwt": list(self.proofs)},
            OURS: {"issuer": self.issuer, "pre-authorized_code": self.code, **(device or {})},
        })  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cards:
    """What city hall signed: equal credentials, one for each key (OpenID4VCI §8.3). `offer` is the offer's id."""

    issuer: str
    configuration: str
    offer: str
    credentials: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def read(cls, data: bytes) -> Cards:
        """Reading checks the form; `cityid.accepting` judges the credentials.

        Raises:
            Malformed: `cards.*`, `json.*`.
        """
        fields = json.Fields(json.read(data, limit=CARDS_SIZE))
        items = fields.array("credentials")
        if not 1 <= len(items) <= limits.PROOFS:
            raise Malformed("cards.count", where=fields.at("credentials"), count=len(items), limit=limits.PROOFS)
        ours = fields.fields(OURS)
        named = _text(ours, "credential_configuration_id")
        form = named.rpartition(".")[2]
        raw = tuple(_credential(item, f"$.credentials[{index}]", form) for index, item in enumerate(items))
        return cls(_text(ours, "issuer"), named, _text(ours, "offer"), raw)

    def write(self) -> bytes:
        form = self.configuration.rpartition(".")[2]
        return json.write({
            "credentials": [{"credential": wire.write(raw, form)} for raw in self.credentials],
            OURS: {"issuer": self.issuer, "credential_configuration_id": self.configuration, "offer": self.offer},
        })  # fmt: skip


def prove(signer: Signer, *, issuer: str, nonce: str, at: datetime) -> str:
    """A key proof: the wallet holds the private key of `signer`, now, for this issuer (OpenID4VCI Appendix F.1)."""
    payload = json.write({"aud": issuer, "iat": times.numeric(at), "nonce": nonce})
    return jws.sign({"typ": PROOF, "jwk": jwk.write(signer.public_key)}, payload, signer)


def check_proofs(
    proofs: Sequence[str], *, issuer: str, nonce: str, copies: int, algorithms: Collection[Algorithm], at: datetime
) -> tuple[PublicKey, ...]:
    """The keys that `proofs` prove, each another one, in their order (OpenID4VCI §8.2, Appendix F.4).

    Raises:
        Malformed: `jws.*`, `key.*` (`key.private`: burnt), `proof.key_members`, `json.*`, `time.not_numeric`.
        Refused: `proof.*`, `jws.alg`, `signature.invalid`.
    """
    if not 1 <= len(proofs) <= copies:
        raise Refused("proof.count", spec="OpenID4VCI §8.2", count=len(proofs), limit=copies)
    keys: dict[PublicKey, None] = {}
    for index, proof in enumerate(proofs):
        key = _check_proof(proof, f"$.proofs.jwt[{index}]", issuer, nonce, algorithms, at)
        if key in keys:
            raise Refused("proof.same_key", where=f"$.proofs.jwt[{index}]", spec="OpenID4VCI §8.2")
        keys[key] = None
    return tuple(keys)


def _check_proof(
    proof: str, where: str, issuer: str, nonce: str, algorithms: Collection[Algorithm], at: datetime
) -> PublicKey:
    spec = "OpenID4VCI Appendix F.1"
    token = jws.read_compact(proof, typ=PROOF, where=where, limit=PROOF_SIZE)
    header = json.Fields(dict(token.header), f"{where}.protected")
    named = [name for name in ("jwk", "kid", "x5c") if name in header]
    if named != ["jwk"]:
        raise Malformed("proof.key_members", where=header.where, spec=spec, found=", ".join(named))
    for member in ("key_attestation", "trust_chain"):
        if member in header:
            raise Refused("proof.unsupported", where=header.at(member), spec=spec, member=member)
    key = jwk.read(header.object("jwk"), header.at("jwk"))
    if key.algorithm not in algorithms:
        raise Refused("proof.algorithm", where=header.where, spec=spec, algorithm=key.algorithm.value)
    jws.check(token, key)
    payload = json.Fields(json.read(token.payload, where=f"{where}.payload"), f"{where}.payload")
    if payload.text("aud") != issuer:
        raise Refused("proof.audience", where=payload.at("aud"), spec=spec, found=payload.text("aud"), expected=issuer)
    if not hmac.compare_digest(payload.text("nonce").encode("utf-8"), nonce.encode("utf-8")):
        raise Refused("proof.nonce", where=payload.at("nonce"), spec=spec)
    if "iss" in payload:  # a client identifier, and whoever holds a pre-authorized code has none
        raise Refused("proof.client", where=payload.at("iss"), spec=spec)
    made = times.read_numeric(payload.value.get("iat"), payload.at("iat"))
    if not at - limits.OFFER_AGE <= made <= at + limits.KB_AHEAD:
        raise Refused("proof.time", where=payload.at("iat"), spec=spec, made=times.stamp(made))
    return key


def _from_link(text: bytes) -> bytes:
    try:
        link = text.decode("ascii")
        parts = urlsplit(link)
        members = parse_qsl(parts.query, strict_parsing=True, errors="strict", max_num_fields=8)
    except ValueError:
        raise Malformed("offer.not_an_offer", spec="OpenID4VCI §4.1.2") from None
    # urlsplit drops control characters; what a person sees must be what is read.
    if parts.scheme != SCHEME or any(char < "!" or char > "~" for char in link):
        raise Malformed("offer.not_an_offer", spec="OpenID4VCI §4.1.2")
    names = [name for name, _ in members]
    if names == ["credential_offer_uri"]:
        raise Malformed("offer.by_reference", spec="OpenID4VCI §4.1.3")
    if names != ["credential_offer"]:
        raise Malformed("offer.not_an_offer", spec="OpenID4VCI §4.1.2")
    return members[0][1].encode("utf-8")


def _credential(item: Any, where: str, form: str) -> bytes:
    fields = json.Fields(item, where)
    return wire.read(fields.text_or_object("credential"), form, fields.at("credential"))


def _text(fields: json.Fields, name: str) -> str:
    """A text that is there, of one line and bounded."""
    value = fields.text(name)
    if not value or len(value) > TEXT or not value.isprintable():
        raise Malformed("cards.text", where=fields.at(name), limit=TEXT)
    return value


def _algorithms(fields: json.Fields) -> tuple[Algorithm, ...]:
    """Those that are known here; an issuer may name others."""
    known: dict[str, Any] = {algorithm.value: algorithm for algorithm in Algorithm if algorithm.signs}
    return tuple(known[name] for name in fields.texts("algorithms") if name in known)
