"""Strict reading of a DCQL query (OpenID4VP 1.0 §6): unknown members are ignored, everything else is exact."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from cityid import limits
from cityid.credential import Path
from cityid.encoding import base64url, json, paths
from cityid.encoding.json import Fields
from cityid.errors import Malformed
from cityid.query.model import (
    MDOC,
    SD_JWT_VC,
    W3C,
    ClaimQuery,
    CredentialQuery,
    CredentialSet,
    Query,
    TrustedAuthority,
)

_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
_VALUES: Final = frozenset({str, int, bool})
_CLAIMS: Final = ("query.unknown_claim", limits.DCQL_CLAIMS)


def read(dcql: bytes | Mapping[str, Any], where: str = "$", *, answering: bool = False) -> Query:
    """The query in `dcql`, which is JSON text or an object that was read from it.

    A verifier must not ask one claim twice, and a wallet should ignore it; an empty `meta` asks for any type, though
    each format requires a member in it (§6.1, Annex B). With `answering` a query is read as a wallet reads it: what is
    asked again is left out, claim sets that name it mean the first, and `meta` may be empty.

    Raises:
        Malformed: `json.*`, `query.*`; `base64url.*` for the key identifiers of an authority.
    """
    value = json.read(dcql, where=where) if isinstance(dcql, bytes) else dcql
    value = dict(value) if isinstance(value, Mapping) else value
    fields = Fields(value, where)
    credentials: list[CredentialQuery] = []
    names: set[str] = set()
    for item, place in _items(fields, "credentials", limits.DCQL_CREDENTIALS):
        query = _credential(Fields(item, place), answering)
        _once(query.id, names, f"{place}.id")
        credentials.append(query)
    sets: tuple[CredentialSet, ...] = ()
    if "credential_sets" in fields:
        items = _items(fields, "credential_sets", limits.DCQL_SETS)
        sets = tuple(_set(Fields(item, place), names) for item, place in items)
    return Query(tuple(credentials), sets, MappingProxyType(value))


def _credential(fields: Fields, answering: bool) -> CredentialQuery:
    name = _id(fields, "id")
    form = fields.text("format")
    meta = _meta(fields.fields("meta"), form, answering)
    multiple = fields.optional_boolean("multiple")
    binding = fields.optional_boolean("require_cryptographic_holder_binding")
    claims: tuple[ClaimQuery, ...] = ()
    claim_sets: tuple[tuple[str, ...], ...] = ()
    ids: dict[str, str] = {}
    if "claims" in fields:
        claims = _claims(fields, form, ids, answering)
    if "claim_sets" in fields:
        if not claims:
            raise Malformed("query.claim_sets_alone", where=fields.at("claim_sets"), spec="OpenID4VP 1.0 §6.4.1")
        for number, claim in enumerate(claims):
            if not claim.id:
                raise Malformed(
                    "query.claim_without_id", where=f"{fields.at('claims')}[{number}]", spec="OpenID4VP 1.0 §6.3"
                )
        claim_sets = tuple(
            tuple(dict.fromkeys(ids[name] for name in _references(item, place, ids, *_CLAIMS)))
            for item, place in _items(fields, "claim_sets", limits.DCQL_OPTIONS)
        )
    authorities: tuple[TrustedAuthority, ...] = ()
    if "trusted_authorities" in fields:
        items = _items(fields, "trusted_authorities", limits.DCQL_VALUES)
        authorities = tuple(_authority(Fields(item, place)) for item, place in items)
    return CredentialQuery(
        name, form, meta, claims, claim_sets, bool(multiple), authorities, binding is None or binding
    )


def _meta(fields: Fields, format: str, answering: bool) -> Mapping[str, Any]:
    """OpenID4VP 1.0 Annex B.1.1, B.2.3, B.3.5: the member that each format requires."""
    if answering and not fields.value:
        return MappingProxyType({})
    if format == SD_JWT_VC:
        _texts(fields, "vct_values")
    elif format == MDOC:
        fields.text("doctype_value")
    elif format in W3C:
        for item, place in _items(fields, "type_values", limits.DCQL_VALUES):
            _texts(Fields({"type_values": item}, place), "type_values", place)
    return MappingProxyType(fields.value)


def _claims(fields: Fields, format: str, ids: dict[str, str], answering: bool) -> tuple[ClaimQuery, ...]:
    """The claims; `ids` is filled with each id and that of the claim that it means."""
    claims: dict[Path, ClaimQuery] = {}
    names: set[str] = set()
    for item, place in _items(fields, "claims", limits.DCQL_CLAIMS):
        claim = _claim(Fields(item, place), format)
        if claim.id:
            _once(claim.id, names, f"{place}.id")
        if claim.path in claims and not answering:
            raise Malformed(
                "query.claim_twice", where=f"{place}.path", spec="OpenID4VP 1.0 §6.1", path=paths.write(claim.path)
            )
        first = claims.setdefault(claim.path, claim)
        ids[claim.id] = first.id
    # A claim without an id is none that a claim set could name.
    ids.pop("", None)
    return tuple(claims.values())


def _claim(fields: Fields, format: str) -> ClaimQuery:
    name = _id(fields, "id") if "id" in fields else ""
    path: list[str | int | None] = []
    for part, place in _items(fields, "path", limits.DCQL_PATH):
        if not (part is None or isinstance(part, str) or (type(part) is int and part >= 0)):
            raise Malformed("query.path_part", where=place, spec="OpenID4VP 1.0 §7", found=json.kind(part))
        path.append(part)
    if format == MDOC and not (len(path) == 2 and all(isinstance(part, str) for part in path)):
        raise Malformed("query.path_not_mdoc", where=fields.at("path"), spec="OpenID4VP 1.0 §7.2")
    values: tuple[str | int | bool, ...] | None = None
    if "values" in fields:
        found = list(_items(fields, "values", limits.DCQL_VALUES))
        for value, place in found:
            if type(value) not in _VALUES:
                raise Malformed("query.value_type", where=place, spec="OpenID4VP 1.0 §6.3", found=json.kind(value))
        values = tuple(value for value, _ in found)
    return ClaimQuery(tuple(path), name, values, fields.optional_boolean("intent_to_retain"))


def _authority(fields: Fields) -> TrustedAuthority:
    kind = fields.text("type")
    values = _texts(fields, "values")
    if kind == "aki":
        for number, value in enumerate(values):
            base64url.decode(value, f"{fields.at('values')}[{number}]")
    return TrustedAuthority(kind, values)


def _set(fields: Fields, names: set[str]) -> CredentialSet:
    options = tuple(
        _references(item, place, names, "query.unknown_credential", limits.DCQL_CREDENTIALS)
        for item, place in _items(fields, "options", limits.DCQL_OPTIONS)
    )
    required = fields.optional_boolean("required")
    return CredentialSet(options, required is None or required)


def _references(item: Any, where: str, names: Collection[str], code: str, limit: int) -> tuple[str, ...]:
    """A non-empty array of ids that are all in `names`."""
    found = _texts(Fields({"": item}, where), "", where, limit)
    for number, name in enumerate(found):
        if name not in names:
            raise Malformed(code, where=f"{where}[{number}]", spec="OpenID4VP 1.0 §6", id=name)
    return tuple(dict.fromkeys(found))


def _items(fields: Fields, name: str, limit: int, where: str = "") -> Iterator[tuple[Any, str]]:
    """The elements of a non-empty array of at most `limit`, each with its place."""
    items = fields.array(name)
    where = where or fields.at(name)
    if not items:
        raise Malformed("query.empty", where=where, spec="OpenID4VP 1.0 §6")
    if len(items) > limit:
        raise Malformed("query.too_many", where=where, limit=limit, count=len(items))
    return ((item, f"{where}[{number}]") for number, item in enumerate(items))


def _texts(fields: Fields, name: str, where: str = "", limit: int = limits.DCQL_VALUES) -> tuple[str, ...]:
    found: Iterable[tuple[Any, str]] = _items(fields, name, limit, where)
    texts: list[str] = []
    for item, place in found:
        if not isinstance(item, str):
            raise Malformed("json.wrong_type", where=place, expected="string", found=json.kind(item))
        texts.append(item)
    return tuple(texts)


def _id(fields: Fields, name: str) -> str:
    text = fields.text(name)
    if _ID.fullmatch(text) is None:
        raise Malformed("query.id", where=fields.at(name), spec="OpenID4VP 1.0 §6.1", id=text)
    return text


def _once(name: str, seen: set[str], where: str) -> None:
    if name in seen:
        raise Malformed("query.id_twice", where=where, spec="OpenID4VP 1.0 §6.1", id=name)
    seen.add(name)
