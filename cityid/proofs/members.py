"""The members of a Data Integrity proof, read strictly (Data Integrity 1.0 §2.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cityid import limits
from cityid.encoding import multibase, times
from cityid.encoding.json import Fields
from cityid.errors import Malformed, Misuse, Refused
from cityid.keys import Algorithm

TYPE: Final = "DataIntegrityProof"
VALUE: Final = 2 + 132
"""Characters of the longest `proofValue` of a suite that signs once: `z` and 96 bytes in base58."""
Hash = Callable[[bytes], Any]
Suites = Mapping[str, Mapping[Algorithm, Hash]]
"""What each suite hashes with, by the keys that it is for."""

_SPEC: Final = "Data Integrity 1.0 §2.1"
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:.")


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof's members, in their types. `previous` are the ids of the proofs that it is made over as well; `domain`
    is a set, None where there is none."""

    suite: str
    purpose: str
    method: str
    value: str
    id: str | None
    created: datetime | None
    expires: datetime | None
    domain: frozenset[str] | None
    challenge: str | None
    nonce: str | None
    previous: tuple[str, ...]
    where: str

    def check_time(self, at: datetime) -> None:
        """Judge `created` and `expires` with a skew of `limits.SKEW`.

        Raises:
            Refused: `di.not_yet`, `di.expired`; `di.never_valid` for a proof that expires before it is made.
        """
        if self.created is not None and self.expires is not None and self.expires < self.created:
            raise Refused("di.never_valid", where=f"{self.where}.expires", spec=_SPEC)
        if self.created is not None and at + limits.SKEW < self.created:
            raise Refused("di.not_yet", where=f"{self.where}.created", spec=_SPEC, created=times.stamp(self.created))
        if self.expires is not None and at - limits.SKEW >= self.expires:
            raise Refused("di.expired", where=f"{self.where}.expires", spec=_SPEC, expired=times.stamp(self.expires))

    def check_challenge(self, challenge: str, domain: frozenset[str]) -> None:
        """Was it made for this occasion: for this challenge, and for exactly these domains?

        Raises:
            Refused: `di.domain`, `di.challenge`.
        """
        if self.domain != domain:
            raise Refused("di.domain", where=f"{self.where}.domain", spec="Data Integrity 1.0 §4.4")
        if self.challenge != challenge:
            raise Refused("di.challenge", where=f"{self.where}.challenge", spec="Data Integrity 1.0 §4.4")


def read(proof: Any, where: str = "$.proof", *, kind: str = TYPE) -> Proof:
    """The members of `proof`, whose type must be `kind`. Whether its suite is known is not asked here.

    Raises:
        Malformed: `json.not_an_object`, `json.missing`, `json.wrong_type`, `time.not_a_stamp`; `di.type`; `di.url`
            for an id or verification method that is no URL; `di.empty` for an empty domain or list of previous proofs.
    """
    fields = Fields(proof, where)
    if fields.text("type") != kind:
        raise Malformed("di.type", where=fields.at("type"), spec=_SPEC, found=proof["type"])
    domain = texts(fields, "domain")
    return Proof(
        suite=fields.text("cryptosuite") if kind == TYPE else kind,
        purpose=fields.text("proofPurpose"),
        method=_url(fields, "verificationMethod"),
        value=fields.text("proofValue"),
        id=_url(fields, "id") if "id" in fields else None,
        created=_time(fields, "created"),
        expires=_time(fields, "expires"),
        domain=None if domain is None else frozenset(domain),
        challenge=fields.optional_text("challenge"),
        nonce=fields.optional_text("nonce"),
        previous=texts(fields, "previousProof") or (),
        where=where,
    )


def check(proof: Proof, suites: tuple[str, ...], purpose: str) -> None:
    """Is it of one of these suites, and for this purpose?

    Raises:
        Malformed: `di.suite`. Refused: `di.purpose`.
    """
    if proof.suite not in suites:
        raise Malformed("di.suite", where=f"{proof.where}.cryptosuite", spec=_SPEC, found=proof.suite)
    if proof.purpose != purpose:
        raise Refused(
            "di.purpose",
            where=f"{proof.where}.proofPurpose",
            spec="Data Integrity 1.0 §4.4",
            expected=purpose,
            found=proof.purpose,
        )


def to_sign(suites: Suites, suite: str, algorithm: Algorithm) -> Hash:
    """The hash with which our own key signs.

    Raises:
        Misuse: `di.key` for a suite that is not one of these, or is not for this key.
    """
    found = suites.get(suite, {}).get(algorithm)
    if found is None:
        raise Misuse("di.key", suite=suite, algorithm=algorithm.value)
    return found


def to_check(suites: Suites, proof: Proof, algorithm: Algorithm) -> Hash:
    """The hash of a proof's suite with a key.

    Raises:
        Refused: `di.key_of_other_suite`.
    """
    found = suites[proof.suite].get(algorithm)
    if found is None:
        raise Refused(
            "di.key_of_other_suite", where=proof.where, spec=_SPEC, suite=proof.suite, algorithm=algorithm.value
        )
    return found


def signature(proof: Proof) -> bytes:
    """The bytes of `proofValue`.

    Raises:
        Malformed: `multibase.*`.
    """
    return multibase.decode(proof.value, f"{proof.where}.proofValue", limit=VALUE)


def _time(fields: Fields, name: str) -> datetime | None:
    return times.read_stamp(fields.text(name), fields.at(name)) if name in fields else None


def _url(fields: Fields, name: str) -> str:
    found = fields.text(name)
    if not _URL.match(found):
        raise Malformed("di.url", where=fields.at(name), spec=_SPEC, name=name)
    return found


def texts(fields: Fields, name: str) -> tuple[str, ...] | None:
    """The one text, or those of a list; None where there is nothing."""
    if name not in fields:
        return None
    if not isinstance(fields.value[name], list):
        return (fields.text(name),)
    found = fields.texts(name)
    if not found:
        raise Malformed("di.empty", where=fields.at(name), spec=_SPEC, name=name)
    return tuple(found)
