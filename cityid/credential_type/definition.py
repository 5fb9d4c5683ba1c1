"""Reading a type's definition, strictly; `schemas/type.schema.json` says the same as JSON Schema.

Each part is read for itself, so that `check` can tell all that is wrong and `read` the first of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, Literal

from cityid.credential_type import schemas
from cityid.credential_type.model import ENROLMENT, ClaimRule, CredentialType, Path
from cityid.encoding import json, paths
from cityid.errors import Malformed, Problem

NEVER: Final = frozenset({"_sd", "...", "_sd_alg"})
"""Names that no object may hold: SD-JWT keeps them for itself (RFC 9901 §4.1)."""
RESERVED: Final = frozenset({
    "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf", "vct", "vct#integrity", "status", "id", "type", "issuer",
    "credentialSubject", "credentialStatus", "proof", "validFrom", "validUntil",
})  # fmt: skip
"""Names at the top that the formats give their own meaning to."""
BIDI: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that reorder the text around them; scripts written from the right do not need them."""

_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
_NAME: Final = re.compile(r"[^\s\"\\.\[\]\x00-\x1f\x7f]{1,100}")
_LOCALE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_LIFETIME: Final = re.compile(r"([1-9][0-9]{0,4}) (hour|day|week|year)s?")
_CONTROL: Final = re.compile(rf"[\x00-\x1f\x7f-\x9f{''.join(sorted(BIDI))}]")
_UNITS: Final = {
    "hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1), "year": timedelta(days=365),
}  # fmt: skip
LONGEST: Final = timedelta(days=3653)
COPIES: Final = 100
"""Greatest batch: `limits.PROOFS` key proofs fit one request."""
DECOYS: Final = 100
_TOP: Final = frozenset({
    "$schema", "id", "title", "lifetime", "copies", "status", "unlinkable", "decoys", "window", "names", "claims",
})  # fmt: skip
_CLAIM: Final = frozenset({"schema", "shown", "required", "derived", "plausible", "not_before", "labels"})
_BBS: Final = "ldp_vc"
_FACTS: Final = frozenset({"authority", "country", "jurisdiction"})
VERIFIABLE_CREDENTIAL: Final = "https://www.w3.org/2018/credentials#VerifiableCredential"
_TERM: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")
_IRI: Final = re.compile(r"[a-z][a-z0-9+.-]*:[!$&-;=?-Z_a-z~#@%]+")
_Found = list[Problem]


def read(definition: bytes | str) -> CredentialType:
    """The type that `definition` (JSON) describes.

    Raises:
        Malformed: `json.*`, `path.syntax`, `type.*`: the first problem; `check` tells all.
    """
    made, found = _read(definition)
    if made is None:
        raise Malformed(found[0])
    return made


def check(definition: bytes | str) -> tuple[Problem, ...]:
    """All that is wrong with a definition; empty where `read` would accept it."""
    return tuple(_read(definition)[1])


def new(id: str, title: str) -> bytes:
    """A definition to start from: one claim that is always shown, one that can be hidden.

    Raises:
        Malformed: `type.id`, `type.text`.
    """
    document = {
        "$schema": "../type.schema.json",
        "id": id,
        "title": {"en": title},
        "lifetime": "1 day",
        "copies": 10,
        "status": "none",
        "names": {"dc+sd-jwt": {"vct": f"urn:cityid:{id}:1"}},
        "claims": {
            "authority": {
                "schema": {"type": "string", "minLength": 1, "maxLength": 150}, "shown": "always",
                "derived": "city authority", "labels": {"en": "Issuing authority"},
            },
            "name": {
                "schema": {"type": "string", "minLength": 1, "maxLength": 150}, "shown": "choice", "required": True,
                "labels": {"en": "Name"},
            },
        },
    }  # fmt: skip
    import json as pretty  # indented for people; nothing foreign is read

    text = pretty.dumps(document, ensure_ascii=False, indent=2).encode("utf-8", "surrogatepass") + b"\n"
    read(text)
    return text


def _read(definition: bytes | str) -> tuple[CredentialType | None, _Found]:
    found: _Found = []
    try:
        fields = json.Fields(json.read(definition))
    except Malformed as error:
        return None, [error.problem]
    parts: dict[str, Any] = {}
    for name, reader in _PARTS.items():
        try:
            parts[name] = reader(fields, found)
        except Malformed as error:
            found.append(error.problem)
    for name in fields.value:
        if name not in _TOP:
            found.append(Problem("type.unknown_member", {"name": name}, fields.at(name)))
    if found:
        return None, found
    rules: dict[Path, ClaimRule] = parts["claims"]
    shown = {path: rule for path, rule in rules.items() if path not in parts["inputs"]}
    names = _names(fields, shown, found)
    window = _window(fields, rules, found)
    if parts["unlinkable"]:
        # What tells one card of a month from another would be shown each time.
        held = (("status", parts["status"] != "none"), ("window", window != (None, None)))
        found += [Problem("type.unlinkable", {"member": name}, fields.at(name)) for name, there in held if there]
    if any(rule.derived == ENROLMENT for rule in rules.values()) and not (parts["unlinkable"] and set(names) == {_BBS}):
        found.append(Problem("type.enrolment", {"format": _BBS}, fields.where))
    if found:
        return None, found
    return CredentialType(
        id=parts["id"], title=parts["title"], claims=MappingProxyType(shown), lifetime=parts["lifetime"],
        copies=parts["copies"], status=parts["status"], names=MappingProxyType(names),
        unlinkable=parts["unlinkable"], decoys=parts["decoys"], window=window,
        inputs=MappingProxyType({path: rule for path, rule in rules.items() if path in parts["inputs"]}),
    ), found  # fmt: skip


def _id(fields: json.Fields, found: _Found) -> str:
    if not _ID.fullmatch(value := fields.text("id")):
        raise Malformed("type.id", where=fields.at("id"), id=value)
    return value


def _lifetime(fields: json.Fields, found: _Found) -> timedelta:
    text = fields.text("lifetime")
    match = _LIFETIME.fullmatch(text)
    if match is None or (length := int(match[1]) * _UNITS[match[2]]) > LONGEST:
        raise Malformed("type.lifetime", where=fields.at("lifetime"), found=text)
    return length


def _copies(fields: json.Fields, found: _Found) -> int:
    if not 1 <= (value := fields.integer("copies")) <= COPIES:
        raise Malformed("type.copies", where=fields.at("copies"), found=value, limit=COPIES)
    return value


def _decoys(fields: json.Fields, found: _Found) -> int:
    value = fields.optional_integer("decoys") or 0
    if not 0 <= value <= DECOYS:
        raise Malformed("type.decoys", where=fields.at("decoys"), found=value, limit=DECOYS)
    return value


def _status(fields: json.Fields, found: _Found) -> Literal["required", "none"]:
    value = fields.text("status")
    if value == "required":
        return "required"
    if value == "none":
        return "none"
    raise Malformed("type.status", where=fields.at("status"), found=value)


def _texts(fields: json.Fields, name: str) -> Mapping[str, str]:
    """Texts by locale."""
    texts = fields.fields(name)
    if not texts.value:
        raise Malformed("type.no_text", where=texts.where)
    for locale in texts.value:
        text = texts.text(locale)
        if not _LOCALE.fullmatch(locale):
            raise Malformed("type.locale", where=texts.at(locale), locale=locale)
        if not text.strip() or len(text) > 200 or _CONTROL.search(text):
            raise Malformed("type.text", where=texts.at(locale))
    return MappingProxyType(dict(texts.value))


def _claims(fields: json.Fields, found: _Found) -> dict[Path, ClaimRule]:
    claims = fields.fields("claims")
    if not claims.value:
        raise Malformed("type.no_claims", where=claims.where)
    rules: dict[Path, ClaimRule] = {}
    for name in claims.value:
        try:
            rule = _claim(claims.fields(name), name)
        except Malformed as error:
            found.append(error.problem)
        else:
            rules[rule.path] = rule
    if len(rules) == len(claims.value):
        found.extend(_structure(rules))
    return rules


def _claim(fields: json.Fields, name: str) -> ClaimRule:
    path = paths.read(name, fields.where)
    if any(isinstance(part, int) for part in path) or None in path[:-1]:
        raise Malformed("path.syntax", where=fields.where, text=name)
    for part in path:
        if isinstance(part, str) and not _NAME.fullmatch(part):
            raise Malformed("path.syntax", where=fields.where, text=name)
        if part in NEVER or (isinstance(part, str) and part.startswith("@")):
            raise Malformed("type.reserved_claim", where=fields.where, spec="RFC 9901 §4.1", claim=name)
    if path[0] in RESERVED:
        raise Malformed("type.reserved_claim", where=fields.where, spec="RFC 9901 §4.1", claim=name)
    for member in fields.value:
        if member not in _CLAIM:
            raise Malformed("type.unknown_member", where=fields.at(member), name=member)
    shown = fields.text("shown")
    if shown not in ("always", "choice", "never"):
        raise Malformed("type.shown", where=fields.at("shown"), found=shown)
    plausible, after = fields.optional_text("plausible"), fields.optional_text("not_before")
    if plausible not in (None, "birth", "past", "future"):
        raise Malformed("type.plausible", where=fields.at("plausible"), found=plausible)
    schema = schemas.read(fields.fields("schema"))
    if (plausible or after) and schema.get("format") != "date":
        raise Malformed("type.needs_date", where=fields.where, claim=name)
    derived = fields.optional_text("derived")
    required = fields.optional_boolean("required") or False
    if derived is not None and (required or shown == "never"):
        raise Malformed("type.derived_required", where=fields.where, claim=name)
    return ClaimRule(
        path, MappingProxyType(schema), shown == "choice", required, _texts(fields, "labels"), derived, plausible,
        tuple(after.split(".")) if after else None,
    )  # fmt: skip


def _structure(rules: Mapping[Path, ClaimRule]) -> _Found:
    """What can only be judged when all claims are read: parents, sources of derived claims, dates compared."""
    found: _Found = []
    for path, rule in rules.items():
        name, where = paths.write(path), f"$.claims.{paths.write(path)}"
        for length in range(1, len(path)):
            parent = rules.get(path[:length])
            kind = "array" if path[length] is None else "object"
            if (parent is None and kind == "array") or (parent and parent.schema["type"] != kind):
                found.append(Problem("type.parent", {"claim": name, "parent": paths.write(path[:length])}, where))
        if rule.schema["type"] == "object" and not any(len(p) > len(path) and p[: len(path)] == path for p in rules):
            found.append(Problem("type.object_empty", {"claim": name}, where))
        if rule.derived is not None and not _derivable(rule, rules):
            found.append(Problem("type.derived", {"claim": name, "rule": rule.derived}, where))
        if rule.not_before is not None and not _is_date(rules.get(rule.not_before)):
            found.append(Problem("type.needs_date", {"claim": paths.write(rule.not_before)}, where))
    return found


def _is_date(rule: ClaimRule | None) -> bool:
    return rule is not None and rule.derived is None and rule.schema.get("format") == "date"


def _derivable(rule: ClaimRule, rules: Mapping[Path, ClaimRule]) -> bool:
    name, _, rest = (rule.derived or "").partition(" ")
    source, _, years = rest.partition(" ")
    kind = rule.schema["type"]
    if rule.derived == ENROLMENT:
        return kind == "string" and rule.schema.get("format") == "date"
    if name == "city":
        return not years and source in _FACTS and kind == "string"
    if not _is_date(rules.get(tuple(source.split(".")))):
        return False
    if name == "year":
        return not years and kind == "integer"
    # The name says the age (ISO/IEC 18013-5 §7.4), so it must not say another than the rule.
    named = name == "age_over" and re.fullmatch(r"[0-9]{2}", years) and rule.path[-1] == f"age_over_{years}"
    return bool(named) and kind == "boolean"


def _inputs(fields: json.Fields, found: _Found) -> frozenset[Path]:
    """The claims that are typed and never shown (a claim that could not be read has been told already)."""
    claims = fields.value.get("claims")
    if not isinstance(claims, dict):
        return frozenset()
    return frozenset(
        tuple(name.split("."))
        for name, rule in claims.items()
        if isinstance(rule, dict) and rule.get("shown") == "never"
    )


def _names(fields: json.Fields, rules: Mapping[Path, ClaimRule], found: _Found) -> dict[str, Mapping[str, Any]]:
    """The wire names by format, with an mdoc element for every value (flat, so that each can be shown alone), and for
    W3C formats what the type's names mean."""
    result: dict[str, Mapping[str, Any]] = {}
    try:
        names = fields.fields("names")
        if not names.value:
            raise Malformed("type.no_names", where=names.where)
        vct = names.fields("dc+sd-jwt").text("vct") if "dc+sd-jwt" in names else ""
        default = vct if ":" in vct else f"urn:cityid:{fields.text('id')}:1"
        for form in names.value:
            result[form] = MappingProxyType(_format_names(names.fields(form), form, rules, default))
    except Malformed as error:
        found.append(error.problem)
    return result


def _format_names(names: json.Fields, form: str, rules: Mapping[Path, ClaimRule], default: str) -> dict[str, Any]:
    w3c = {"type", "context", "iri", *({"suite"} if form == "ldp_vc" else ())}
    allowed = {"mso_mdoc": {"doctype", "namespace", "elements"}, "dc+sd-jwt": {"vct"}}.get(form, w3c)
    for member in names.value:
        if member not in allowed:
            raise Malformed("type.unknown_member", where=names.at(member), name=member)
    if form == "dc+sd-jwt":
        required = [names.text("vct")]
    elif form == "mso_mdoc":
        required = [names.text("doctype"), names.text("namespace")]
    else:
        iri = names.optional_text("iri")
        required = [*names.texts("type"), *(names.optional_texts("context") or ()), default if iri is None else iri]
    # PID names say that a member state vouches for the person; a city's own type must not wear them.
    for value in required or [""]:
        if not value or value != value.strip() or value.startswith(("urn:eudi:", "eu.europa.ec.")):
            raise Malformed("type.wire_name", where=names.where, format=form, found=value)
    if form == "dc+sd-jwt":
        return dict(names.value)
    if form != "mso_mdoc":
        return _w3c_names(names, required[-1])
    given = json.Fields(names.value.get("elements", {}), names.at("elements"))
    leaves = {
        paths.write(path): path for path, rule in rules.items() if rule.schema["type"] != "object" and None not in path
    }
    for name in given.value:
        if name not in leaves:
            raise Malformed("type.unknown_member", where=given.at(name), name=name)
    elements = {
        name: given.text(name) if name in given else "_".join(str(part) for part in path)
        for name, path in leaves.items()
    }
    if len(set(elements.values())) != len(elements):
        raise Malformed("type.element_twice", where=given.where)
    return {**names.value, "elements": MappingProxyType(elements)}


def _w3c_names(names: json.Fields, iri: str) -> dict[str, Any]:
    """With `types`, what the names in `type` mean, the type's own first, as a credential and a query name them."""
    terms = names.texts("type")
    if len(terms) != 2 or terms[0] != "VerifiableCredential" or not _TERM.fullmatch(terms[1]):
        raise Malformed("type.w3c_type", where=names.at("type"), spec="VCDM 2.0 §4.5")
    if not _IRI.fullmatch(iri):
        raise Malformed("type.wire_name", where=names.at("iri"), format="W3C", found=iri)
    names.optional_text("suite")
    return {**names.value, "iri": iri, "types": (iri, VERIFIABLE_CREDENTIAL)}


def _window(fields: json.Fields, rules: Mapping[Path, ClaimRule], found: _Found) -> tuple[Path | None, Path | None]:
    if "window" not in fields:
        return None, None
    ends: list[Path | None] = []
    try:
        window = fields.fields("window")
        for member in window.value:
            if member not in ("start", "end"):
                raise Malformed("type.unknown_member", where=window.at(member), name=member)
        for member in ("start", "end"):
            text = window.optional_text(member)
            path: Path | None = tuple(text.split(".")) if text is not None else None
            if path is not None and not _is_date(rules.get(path)):
                raise Malformed("type.needs_date", where=window.at(member), claim=paths.write(path))
            ends.append(path)
    except Malformed as error:
        found.append(error.problem)
        return None, None
    return ends[0], ends[1]


_PARTS: Final = {
    "id": _id,
    "title": lambda fields, found: _texts(fields, "title"),
    "lifetime": _lifetime,
    "copies": _copies,
    "status": _status,
    "decoys": _decoys,
    "unlinkable": lambda fields, found: fields.optional_boolean("unlinkable") or False,
    "claims": _claims,
    "inputs": _inputs,
}
