"""The Verifiable Credentials Data Model, 2.0 and 1.1: what a credential and a presentation must be, however they are
secured. JSON-LD is not needed for any of it but `types_of`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from cityid import limits
from cityid.encoding import json, times
from cityid.encoding.json import Fields
from cityid.encoding.jsonld import Loader, expand
from cityid.errors import Malformed

V1: Final = "https://www.w3.org/2018/credentials/v1"
V2: Final = "https://www.w3.org/ns/credentials/v2"
CREDENTIAL: Final = "VerifiableCredential"
PRESENTATION: Final = "VerifiablePresentation"
ENVELOPED: Final = MappingProxyType(
    {"EnvelopedVerifiableCredential": "application/vc", "EnvelopedVerifiablePresentation": "application/vp"}
)
"""Types of objects that hold a secured document as a data URL, and what its media type begins with."""
_MEMO: Final = 256
_DAY: Final = timedelta(days=1)
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_EXPRESSION: Final = r"sha(?:256|384|512)-[A-Za-z0-9+/]+={0,2}(?:\?[!-~]*)?"
_DIGESTS: Final = MappingProxyType(
    {
        "digestSRI": re.compile(rf"{_EXPRESSION}(?: +{_EXPRESSION})*"),
        "digestMultibase": re.compile(r"z[1-9A-HJ-NP-Za-km-z]+|u[A-Za-z0-9_-]+"),
    }
)
"""hash-expressions of Subresource Integrity, and the two bases of multibase that CID 1.0 §2.4 has."""
_MIDNIGHT: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T)24(:00:00(?:\.0{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2}))")
_DATES: Final = MappingProxyType({1: ("issuanceDate", "expirationDate"), 2: ("validFrom", "validUntil")})
_TYPED: Final = ("credentialStatus", "refreshService", "termsOfUse", "evidence", "confidenceMethod", "renderMethod")
"""Members whose values are objects that say of which type they are; none of them is obeyed here."""
_RARE: Final = frozenset({*_TYPED, "credentialSchema", "relatedResource", "name", "description"})
"""Members that most cards have none of."""


class Facts(NamedTuple):
    """What a credential says of itself. `types` are its terms; `subjects`, `schemas` and `resources` its objects."""

    version: int
    id: str | None
    types: tuple[str, ...]
    issuer: str
    valid_from: datetime | None
    valid_until: datetime | None
    subjects: tuple[Mapping[str, Any], ...]
    schemas: tuple[Mapping[str, Any], ...]
    resources: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Presented:
    """What a presentation says of itself. `credentials` are the objects in it, enveloped ones included."""

    version: int
    id: str | None
    types: tuple[str, ...]
    holder: str | None
    credentials: tuple[Mapping[str, Any], ...]


def read_credential(document: Mapping[str, Any], where: str = "$", *, version: int | None = None) -> Facts:
    """Read a credential by the rules of its version; its proof is not looked at. `version` is what `version_of` said,
    where that was asked before.

    Raises:
        Malformed: `vcdm.*`, `json.*`, `time.not_a_stamp`.
    """
    fields = Fields(document, where)
    if version is None:
        version = _version(fields)
    types = _types(fields, CREDENTIAL)
    start, end = (_moment(fields, name) for name in _DATES[version])
    for name in _DATES[3 - version]:
        if name in document:
            raise _wrong("vcdm.other_version", fields.at(name), "§4.9", member=name, version=version)
    if version == 1 and start is None:
        raise _wrong("vcdm.missing", fields.at("issuanceDate"), "VCDM 1.1 §4.6", member="issuanceDate")
    if start is not None and end is not None and end < start:
        raise _wrong("vcdm.dates_reversed", fields.at(_DATES[version][1]), "§4.9")
    plain = _RARE.isdisjoint(document)
    facts = Facts(
        version, _id(fields), types, _named(fields, "issuer", texts=version == 2), start, end, _subjects(fields),
        () if plain else _schemas(fields), _resources(fields) if version == 2 and not plain else (),
    )  # fmt: skip
    if plain:
        return facts
    for name in _TYPED:
        _typed(fields, name)
    if version == 2:
        _human(fields)
        for entry in _objects(fields, "credentialStatus"):
            if "id" in entry:
                _url(entry, "id")
    return facts


def version_of(document: Mapping[str, Any]) -> int:
    """Which version's rules the `@context` of a document asks for.

    Raises:
        Malformed: `vcdm.context`, `vcdm.url`, `json.*`.
    """
    return _version(Fields(document))


def read_presentation(document: Mapping[str, Any], where: str = "$") -> Presented:
    """Read a presentation, and not yet the credentials in it. One that is not secured by itself was made by the holder,
    who must be named and be its issuer.

    Raises:
        Malformed: `vcdm.*`, `json.*`.
    """
    fields = Fields(document, where)
    version = _version(fields)
    types = _types(fields, PRESENTATION)
    holder = _named(fields, "holder", texts=False) if "holder" in fields else None
    found = []
    value = document.get("verifiableCredential", [])
    for index, one in enumerate(value if type(value) is list else [value]):
        place = f"{fields.at('verifiableCredential')}[{index}]"
        if version == 1 and type(one) is str:  # VCDM 1.1 §4.10 lets a presentation hold JWTs
            continue
        inner = Fields(one, place)
        names = _terms(inner)
        enveloped = next((name for name in names if name in ENVELOPED), None)
        if enveloped is not None:
            data_of(one, enveloped, place)
        elif CREDENTIAL not in names:
            raise _wrong("vcdm.type", inner.at("type"), "§4.5", expected=CREDENTIAL)
        elif "proof" not in inner and version == 2:
            _self_asserted(inner, holder)
        found.append(inner.value)
    for name in ("termsOfUse", "refreshService"):
        _typed(fields, name)
    return Presented(version, _id(fields), types, holder, tuple(found))


def data_of(document: Mapping[str, Any], kind: str, where: str = "$") -> tuple[str, str]:
    """Media type and data of an enveloped document (VCDM 2.0 §4.13.1), whose type is `kind`.

    Raises:
        Malformed: `vcdm.envelope`, `vcdm.context`, `json.*`.
    """
    fields = Fields(document, where)
    contexts = document.get("@context")
    listed = contexts if type(contexts) is list else [contexts]
    if listed[:1] != [V2] or not all(type(one) is str for one in listed):
        raise _wrong("vcdm.context", fields.at("@context"), "§4.13.1", expected=V2)
    scheme, _, rest = fields.text("id").partition(":")
    media, _, data = rest.partition(",")
    if scheme != "data" or not data or not media.startswith(ENVELOPED[kind] + "+"):
        raise _wrong("vcdm.envelope", fields.at("id"), "§4.13.1")
    return media, data


def types_of(document: Mapping[str, Any], load: Loader) -> tuple[str, ...]:
    """What the types of a document mean: IRIs, its own before `VerifiableCredential`.

    Raises:
        Malformed: `jsonld.*`, `json.*`, and what `load` raises.
    """
    key = json.write({"@context": document["@context"], "type": document["type"]})
    return _expanded(key, load)


@lru_cache(_MEMO)
def _expanded(key: bytes, load: Loader) -> tuple[str, ...]:
    """A pure function of contexts and types, because `load` gives the same context for the same URL for ever."""
    found = expand(json.read_object(key), load)
    names = found[0]["@type"] if found else []
    return (*(name for name in names if name not in _BASES), *(name for name in names if name in _BASES))


_BASES: Final = frozenset(f"https://www.w3.org/2018/credentials#{name}" for name in (CREDENTIAL, PRESENTATION))


# -- members --


def _wrong(code: str, where: str, section: str, **facts: Any) -> Malformed:
    return Malformed(code, where=where, spec=section if section[0] != "§" else f"VCDM 2.0 {section}", **facts)


def _version(fields: Fields) -> int:
    """By the first context, which must be that of a version; the other version's stands nowhere behind it."""
    entries = fields.array("@context")
    first = entries[0] if entries else None
    if first not in (V1, V2):
        raise _wrong("vcdm.context", fields.at("@context"), "§4.3", expected=V2)
    for index, entry in enumerate(entries[1:], 1):
        place = f"{fields.at('@context')}[{index}]"
        if type(entry) is str:
            if not _URL.fullmatch(entry):
                raise _wrong("vcdm.url", place, "§4.3", member="@context")
        elif type(entry) is not dict:
            raise _wrong("vcdm.context", place, "§4.3", expected="URL or object")
        if entry in (V1, V2):
            raise _wrong("vcdm.context", place, "§4.3", expected=str(first))
    return 1 if first == V1 else 2


def _terms(fields: Fields) -> tuple[str, ...]:
    """The names in `type`: one, or an array of some."""
    value = fields.value.get("type")
    return (value,) if type(value) is str else tuple(fields.texts("type"))


def _types(fields: Fields, expected: str) -> tuple[str, ...]:
    names = _terms(fields)
    if expected not in names:
        raise _wrong("vcdm.type", fields.at("type"), "§4.5", expected=expected)
    if "" in names:
        raise _wrong("vcdm.type", fields.at("type"), "§4.5", expected="a name")
    return names


def _url(fields: Fields, name: str) -> str:
    value = fields.text(name)
    if not _URL.fullmatch(value):
        raise _wrong("vcdm.url", fields.at(name), "§4.4", member=name)
    return value


def _id(fields: Fields) -> str | None:
    return _url(fields, "id") if "id" in fields else None


def _named(fields: Fields, name: str, *, texts: bool) -> str:
    """A URL, or an object whose `id` is one; with `texts` it may have a name and a description."""
    if name not in fields:
        raise _wrong("vcdm.missing", fields.at(name), "§4.7", member=name)
    if type(fields.value[name]) is not dict:
        return _url(fields, name)
    inner = fields.fields(name)
    if texts:
        _human(inner)
    return _url(inner, "id")


def _moment(fields: Fields, name: str) -> datetime | None:
    return _stamp(fields.text(name), fields.at(name)) if name in fields else None


@lru_cache(_MEMO)
def _stamp(text: str, where: str) -> datetime:
    """Remembered, because the dates of cards are coarse: those of one day's issuing have the same. XSD lets a day end
    at 24:00, which is the next day's beginning."""
    midnight = _MIDNIGHT.fullmatch(text)
    try:
        return (
            times.read_stamp(f"{midnight[1]}00{midnight[2]}", where) + _DAY
            if midnight
            else times.read_stamp(text, where)
        )
    except OverflowError:
        raise Malformed("time.not_a_stamp", where=where, spec="XSD 1.1 §3.4.28", found=text) from None


def _objects(fields: Fields, name: str) -> tuple[Fields, ...]:
    """The objects under a member that has one or an array of some; () where it is not there."""
    if name not in fields:
        return ()
    value = fields.value[name]
    if type(value) is not list:
        return (Fields(value, fields.at(name)),)
    if len(value) > limits.CREDENTIAL_OBJECTS:
        raise _wrong("vcdm.too_many", fields.at(name), "§4", member=name, limit=limits.CREDENTIAL_OBJECTS)
    return tuple(Fields(one, f"{fields.at(name)}[{index}]") for index, one in enumerate(value))


def _typed(fields: Fields, name: str) -> tuple[Fields, ...]:
    found = _objects(fields, name)
    for one in found:
        names = _terms(one)
        if not names or "" in names:
            raise _wrong("vcdm.type", one.at("type"), "§4.5", expected="a name")
    return found


def _subjects(fields: Fields) -> tuple[Mapping[str, Any], ...]:
    found = _objects(fields, "credentialSubject")
    if not found:
        raise _wrong("vcdm.missing", fields.at("credentialSubject"), "§4.8", member="credentialSubject")
    for one in found:
        if not one.value:
            raise _wrong("vcdm.empty_subject", one.where, "§4.8")
        _id(one)
    return tuple(one.value for one in found)


def _schemas(fields: Fields) -> tuple[Mapping[str, Any], ...]:
    found = _typed(fields, "credentialSchema")
    for one in found:
        _url(one, "id")
    return tuple(one.value for one in found)


def _resources(fields: Fields) -> tuple[Mapping[str, Any], ...]:
    found = _objects(fields, "relatedResource")
    seen = set()
    for one in found:
        name = _url(one, "id")
        if name in seen:
            raise _wrong("vcdm.resource_twice", one.at("id"), "§5.3")
        seen.add(name)
        if "digestSRI" not in one and "digestMultibase" not in one:
            raise _wrong("vcdm.no_digest", one.where, "§5.3")
        one.optional_text("mediaType")
        for member, form in _DIGESTS.items():
            if member in one and not form.fullmatch(one.text(member)):
                raise _wrong("vcdm.digest", one.at(member), "§5.3", member=member)
    return tuple(one.value for one in found)


def _human(fields: Fields) -> None:
    """`name` and `description`: a text, or texts with their languages (VCDM 2.0 §11.1)."""
    for name in ("name", "description"):
        value = fields.value.get(name, "")
        for one in value if type(value) is list else [value]:
            if type(one) is not str:
                _language(Fields(one, fields.at(name)))


def _language(fields: Fields) -> None:
    fields.text("@value")
    language, direction = fields.optional_text("@language"), fields.optional_text("@direction")
    known = fields.value.keys() <= {"@value", "@language", "@direction"}
    if not known or direction not in (None, "ltr", "rtl") or (language and not _LANGUAGE.fullmatch(language)):
        raise _wrong("vcdm.language", fields.where, "§11.1")


def _self_asserted(fields: Fields, holder: str | None) -> None:
    issuer = _named(fields, "issuer", texts=False)
    if issuer != holder:
        raise _wrong("vcdm.self_asserted", fields.at("issuer"), "§4.13.2", issuer=issuer, holder=holder or "")


# -- problem types --


_TYPES: Final = "https://www.w3.org/TR/vc-data-model#"
_RANGES: Final = frozenset({"vcdm.dates_reversed", "validity.reversed", "jsonld.work"})
_SIGNED: Final = ("signature.", "di.", "jws.", "cose.", "sd.", "bbs", "binding.")


def problem_type(code: str) -> str:
    """The problem type of VCDM 2.0 §7.2 for a code of ours: a URL."""
    if code.startswith("json."):
        known: Callable[[str], bool] = frozenset({"json.missing", "json.wrong_type", "json.not_an_object"}).__contains__
        return _TYPES + ("MALFORMED_VALUE_ERROR" if known(code) else "PARSING_ERROR")
    if code in _RANGES:
        return _TYPES + "RANGE_ERROR"
    return _TYPES + ("CRYPTOGRAPHIC_SECURITY_ERROR" if code.startswith(_SIGNED) else "MALFORMED_VALUE_ERROR")
