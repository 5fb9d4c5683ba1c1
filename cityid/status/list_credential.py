"""Bitstring status lists as they arrive: a W3C credential in whatever format, whose subject is the list.

The format says who signed and how that is checked; here is what a list's credential must say beside that (Bitstring
Status List 1.0 §2.2, §3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from cityid import limits
from cityid.credential import CertificateChain, Credential, DidUrl, KeyPlace, WebIssuer
from cityid.encoding import json, times
from cityid.errors import Malformed, Refused
from cityid.formats import FORMATS
from cityid.formats._w3c import named
from cityid.formats.vc_jose import VC_JWT as _JWT
from cityid.formats.vc_jose import secured
from cityid.keys import PublicKey, Signer
from cityid.status import bitstring_status_list as bitstring
from cityid.status import names
from cityid.status.bitstring_status_list import Bitstring
from cityid.status.lists import EVER

__all__ = ["READERS", "ListCredential", "issue", "read"]

_ENVELOPED: Final = "EnvelopedVerifiableCredential"
_SPEC: Final = "Bitstring Status List 1.0 §2.2"
_TTL: Final = 10**12


@dataclass(frozen=True, slots=True)
class ListCredential:
    """A list's credential as read; reading it believes nothing. `uri` is None where it has no `id`; `iat` is the
    beginning of time where it does not say from when it holds."""

    credential: Credential
    uri: str | None
    purposes: tuple[str, ...]
    bits: int | None
    messages: Mapping[int, str] = field(repr=False)
    ttl: timedelta | None
    encoded: str = field(repr=False)
    proved: datetime | None = None
    lapses: datetime | None = None
    """When its proof was made and when that ends, where the proof says so."""

    @property
    def iat(self) -> datetime:
        return max(self.credential.window.start or EVER, self.proved or EVER)

    @property
    def exp(self) -> datetime | None:
        ends = [end for end in (self.credential.window.end, self.lapses) if end is not None]
        return min(ends, default=None)

    @property
    def iss(self) -> str:
        return self.credential.issuer

    @property
    def kid(self) -> str:
        place = self.credential.signed_by[0].at
        if isinstance(place, DidUrl):
            return str(place)
        return place.kid if isinstance(place, WebIssuer) else ""

    @property
    def chain(self) -> CertificateChain | None:
        place = self.credential.signed_by[0].at
        return place if isinstance(place, CertificateChain) else None

    @property
    def aggregation_uri(self) -> str:
        return ""

    def check(self, key: PublicKey) -> None:
        """Is it signed by `key`?

        Raises:
            Refused: `signature.invalid`, `jws.alg`, `di.*`.
        """
        keys = dict.fromkeys(self.credential.signed_by, key)
        # When the list holds is judged by whoever asks; here, whether it was well signed when it was.
        for check in FORMATS[self.credential.format].check_issued(self.credential, keys, self.iat):
            if check.problem is not None:
                raise Refused(check.problem)

    def entries(self) -> Bitstring:
        """The list itself: for those who have checked the signature.

        Raises:
            Malformed: `bitstring.*`.
        """
        data = bitstring.decode(self.encoded, "$.credentialSubject.encodedList")
        return Bitstring(data, self.bits, self.purposes, self.messages)


def issue(document: Mapping[str, Any], signer: Signer, place: KeyPlace) -> bytes:
    """The list's credential (`bitstring_status_list.credential`) as `vc+jwt`, signed with the key that is found at
    `place`.

    Raises:
        Misuse: `w3c.wrong_issuer`, `w3c.wrong_certificate`. Unavailable: `keys.unavailable`.
    """
    issuer = str(document["issuer"])
    kid, chain = named(place, issuer, signer.public_key)
    return secured.sign(document, "vc+jwt", signer, kid=kid, chain=chain, claims={"iss": issuer})


def read(body: bytes, format: str) -> ListCredential:  # format: the field's own word
    """The list's credential in `body`, one of `format`; the list stays packed.

    Raises:
        Malformed: `bitstring.*`, `json.*`, and what the format's own reader finds wrong.
    """
    credential = _JWT.read(body, limit=limits.STATUS_TOKEN) if format == "vc+jwt" else FORMATS[format].read(body)
    document = json.Fields(dict(credential.claims))
    kinds = document.value.get("type")
    if bitstring.LIST not in (kinds if type(kinds) is list else [kinds]):
        raise Malformed("bitstring.not_a_list", where="$.type", spec=_SPEC)
    if credential.status:
        # A list that must itself be looked up leads to the next, or in a circle.
        raise Malformed("bitstring.own_status", where="$.credentialStatus", spec=_SPEC)
    if len(credential.signed_by) != 1:
        raise Malformed("bitstring.signers", where="$", spec=_SPEC, count=len(credential.signed_by))
    subject = document.fields("credentialSubject")
    if subject.value.get("type") not in (bitstring.SUBJECT, [bitstring.SUBJECT]):
        raise Malformed("bitstring.not_a_list", where=subject.at("type"), spec=_SPEC)
    purposes = subject.value.get("statusPurpose")
    listed = purposes if type(purposes) is list else [purposes]
    named = [one for one in listed if type(one) is str and one]
    if not named or len(named) != len(listed):
        raise Malformed("bitstring.no_purpose", where=subject.at("statusPurpose"), spec=_SPEC)
    bits = subject.optional_integer("statusSize")
    if bits is not None and not 1 <= bits <= bitstring.SIZES:
        raise Malformed("bitstring.entry_size", where=subject.at("statusSize"), spec=_SPEC, bits=bits)
    name = "statusMessages" if "statusMessages" in subject else "statusMessage"
    return ListCredential(
        credential,
        document.optional_text("id"),
        tuple(named),
        bits,
        MappingProxyType(dict(bitstring.read_messages(subject, name, bits or 1))),
        _ttl(subject),
        subject.text("encodedList"),
    )


def _ttl(subject: json.Fields) -> timedelta | None:
    """Milliseconds, as the issuer would like it; who schedules by it clamps it first."""
    if "ttl" not in subject:
        return None
    milliseconds = subject.number("ttl")
    if milliseconds <= 0:
        raise Malformed("bitstring.ttl", where=subject.at("ttl"), spec=_SPEC, ttl=str(milliseconds)[:40])
    return timedelta(milliseconds=min(milliseconds, _TTL))


def _with_proof(body: bytes) -> ListCredential:
    """A list with its proof inside; or another kind of credential in an envelope (VCDM 2.0 §4.13.1)."""
    document = json.read_object(body, where="$", limit=limits.STATUS_TOKEN)
    if document.get("type") in (_ENVELOPED, [_ENVELOPED]):
        media, data = secured.opened(document)
        return read(data, media)
    found, proof = read(body, "ldp_vc"), json.Fields(document, "$").fields("proof")
    return replace(found, proved=_stamp(proof, "created"), lapses=_stamp(proof, "expires"))


def _stamp(proof: json.Fields, name: str) -> datetime | None:
    return times.read_stamp(proof.text(name), proof.at(name)) if name in proof else None


READERS: Final[Mapping[str, Callable[[bytes], ListCredential]]] = MappingProxyType(
    {
        **dict.fromkeys(names.CREDENTIALS, _with_proof),
        "application/vc+jwt": lambda body: read(body, "vc+jwt"),
        "application/vc+cose": lambda body: read(body, "vc+cose"),
    }
)
"""How an answer of each media type is read."""
