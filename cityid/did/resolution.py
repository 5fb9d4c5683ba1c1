"""What a DID resolver answers, in the shapes that others read (DID Resolution v1 §4, §5, §10, §12).

`resolve` and `dereference` never refuse: what is wrong comes out as the error of a `Result`. `respond` is the HTTPS
binding, without HTTP. Errors are written as objects, or for the older profile as words (`invalidDid`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from cityid import did as dids
from cityid.did import Did, webvh
from cityid.did.document import RELATIONSHIPS
from cityid.encoding import json
from cityid.errors import CityIdError, Malformed, Refused, Unavailable
from cityid.keys import Algorithm, jwk, multikey
from cityid.plan import Steps, plan

RESULT: Final = "application/did-resolution"
DEREFERENCED: Final = "application/did-url-dereferencing"
OLDER: Final = 'application/ld+json;profile="https://w3id.org/did-resolution"'
REPRESENTATIONS: Final = (
    "application/did", "application/did+ld+json", "application/did+json", "application/ld+json", "application/json",
)  # fmt: skip
"""Media types of a document; all are JSON, and a JSON-LD document stays one in each."""

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})
_TYPE: Final = "https://www.w3.org/ns/did#"
_VERSIONS: Final = ("versionId", "versionTime", "versionNumber")
_TRUTHS: Final = ("true", "false")
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "expandRelativeUrls": _TRUTHS,
        "noCache": _TRUTHS,  # whoever fetches for us decides; nothing is kept here
        "enableEncryptionKeyDerivation": _TRUTHS,
        "enableExperimentalPublicKeyTypes": _TRUTHS,
        "verificationRelationship": RELATIONSHIPS,
    }
)
_KEY_OPTIONS: Final = frozenset(
    {"publicKeyFormat", "enableEncryptionKeyDerivation", "enableExperimentalPublicKeyTypes"}
)
_FORMATS: Final = ("Multikey", "JsonWebKey", "JsonWebKey2020", "Ed25519VerificationKey2020")
_ERRORS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "did.syntax": "INVALID_DID",
        "did.too_long": "INVALID_DID",
        "did.method": "INVALID_DID",
        "did.web_host": "INVALID_DID",
        "did.web_port": "INVALID_DID",
        "did.web_path": "INVALID_DID",
        "did.url_not_plain": "INVALID_DID_URL",
        "did.url_fragment": "INVALID_DID_URL",
        "did.url_query": "INVALID_DID_URL",
        "did.method_not_supported": "METHOD_NOT_SUPPORTED",
        "did.not_found": "NOT_FOUND",
        "did.no_such_key": "NOT_FOUND",
        "did.version_not_found": "NOT_FOUND",
        "did.no_such_path": "NOT_FOUND",
        "did.content_type": "REPRESENTATION_NOT_SUPPORTED",
        "did.representation": "REPRESENTATION_NOT_SUPPORTED",
        "did.option_unknown": "FEATURE_NOT_SUPPORTED",
        "did.option_value": "INVALID_OPTIONS",
        "did.wrong_purpose": "INVALID_RELATIONSHIP_FOR_VERIFICATION_METHOD",
    }
)
_STATUS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "INVALID_DID": 400, "INVALID_DID_URL": 400, "INVALID_OPTIONS": 400, "NOT_FOUND": 404,
        "REPRESENTATION_NOT_SUPPORTED": 406, "METHOD_NOT_SUPPORTED": 501, "FEATURE_NOT_SUPPORTED": 501,
    }
)  # fmt: skip
_TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "INVALID_DID": "The DID is not valid",
        "INVALID_DID_DOCUMENT": "The DID document is malformed",
        "INVALID_DID_URL": "The DID URL is not valid",
        "INVALID_OPTIONS": "An option is not valid",
        "NOT_FOUND": "Nothing was found",
        "REPRESENTATION_NOT_SUPPORTED": "The representation that was asked for is not supported",
        "METHOD_NOT_SUPPORTED": "The DID method is not supported",
        "FEATURE_NOT_SUPPORTED": "The feature that was asked for is not supported",
        "INTERNAL_ERROR": "Resolving failed unexpectedly",
        "INVALID_RELATIONSHIP_FOR_VERIFICATION_METHOD": "The key is not for this purpose",
    }
)
_OF_CID: Final = frozenset({"INVALID_RELATIONSHIP_FOR_VERIFICATION_METHOD"})
_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "key.length": "invalidPublicKeyLength",
        "key.point_form": "invalidPublicKey",
        "key.not_on_curve": "invalidPublicKey",
        "key.not_canonical": "invalidPublicKey",
        "key.low_order": "invalidPublicKey",
        "did.key_format": "unsupportedPublicKeyType",
    }
)
"""Words of did:key v0.9, which the newer text does not have."""
_RANGE: Final = re.compile(r'\s*([a-z*]+/[a-z0-9.+*-]+)\s*((?:;\s*[a-z]+=(?:"[^"]*"|[^\s;,"]*)\s*)*)', re.IGNORECASE)
_PARAMETER: Final = re.compile(r';\s*([a-z]+)=(?:"([^"]*)"|([^\s;,"]*))', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong: the `name` that DID Resolution gives it, and our Problem's code and facts as one line."""

    name: str
    code: str
    detail: str = ""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _STATUS.get(self.name, 500)

    def write(self) -> dict[str, str]:
        """The error object (RFC 9457)."""
        base = "https://w3id.org/security#" if self.name in _OF_CID else _TYPE
        return {"type": base + self.name, "title": _TITLES[self.name], "detail": self.detail or self.code}

    def word(self) -> str:
        """The error of the older profile: `invalidDid`."""
        first, *rest = self.name.lower().split("_")
        return _KEYS.get(self.code) or first + "".join(part.capitalize() for part in rest)


@dataclass(frozen=True, slots=True)
class Result:
    """A resolution: `document` as written, None for a DID that is closed; `metadata` are those of the document."""

    document: Mapping[str, Any] | None = field(repr=False)
    metadata: Mapping[str, Any] = field(default_factory=lambda: _NONE)
    content_type: str = REPRESENTATIONS[0]
    fault: Fault | None = None

    @property
    def status(self) -> int:
        """The HTTP status (§12.1)."""
        return _status(self.fault, self.metadata)

    def write(self, *, older: bool = False) -> dict[str, Any]:
        """The DID resolution result; `older` has errors as words."""
        told = _told(self.fault, "" if self.document is None else self.content_type, older=older)
        document = None if self.document is None else dict(self.document)
        made = {"didResolutionMetadata": told, "didDocument": document, "didDocumentMetadata": dict(self.metadata)}
        return {"@context": "https://w3id.org/did-resolution/v1", **made} if older else made


@dataclass(frozen=True, slots=True)
class Dereferenced:
    """What a DID URL names: a document, or a key or service of one."""

    content: Mapping[str, Any] | None = field(repr=False)
    metadata: Mapping[str, Any] = field(default_factory=lambda: _NONE)
    content_type: str = REPRESENTATIONS[0]
    fault: Fault | None = None

    @property
    def status(self) -> int:
        """The HTTP status (§12.1)."""
        return _status(self.fault, self.metadata)

    def write(self, *, older: bool = False) -> dict[str, Any]:
        """The DID URL dereferencing result; `older` has the names of DID Core 1.0."""
        told = _told(self.fault, "" if self.content is None else self.content_type, older=older)
        content = None if self.content is None else dict(self.content)
        names = ("dereferencingMetadata", "contentStream") if older else ("didUrlDereferencingMetadata", "content")
        return {names[0]: told, names[1]: content, "contentMetadata": dict(self.metadata)}


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes over HTTP."""

    status: int
    content_type: str
    body: bytes = field(repr=False)


def _status(fault: Fault | None, metadata: Mapping[str, Any]) -> int:
    if fault is not None:
        return fault.status
    return 410 if metadata.get("deactivated") is True else 200


def _told(fault: Fault | None, content_type: str, *, older: bool) -> dict[str, Any]:
    if fault is not None:
        return {"error": fault.word() if older else fault.write()}
    return {"contentType": content_type} if content_type else {}


def fault_of(error: CityIdError, did: str) -> Fault:
    """What DID Resolution calls that which resolving `did` raised. Where the key or the hash of the log is in the DID,
    what is bad makes a bad DID; otherwise a bad document."""
    name = _ERRORS.get(error.code)
    if name is None and isinstance(error, Malformed | Refused):
        inside = did.startswith(("did:key:", "did:jwk:", "did:webvh:"))
        name = "INVALID_DID" if inside else "INVALID_DID_DOCUMENT"
    facts = ", ".join(f"{key}: {value}" for key, value in error.problem.facts.items())
    return Fault(name or "INTERNAL_ERROR", error.code, f"{error.code} ({facts})" if facts else error.code)


def of(did: str, outcome: webvh.Resolution | CityIdError) -> Result:
    """The result of `did.look_up`, or of what it raised."""
    if isinstance(outcome, CityIdError):
        return Result(None, fault=fault_of(outcome, did))
    return Result(outcome.document, outcome.metadata)


@plan
def resolve(did: str, options: Mapping[str, str] = _NONE, at: datetime | None = None, seen: str = "") -> Steps[Result]:
    """The DID resolution function. `options` are `accept`, `expandRelativeUrls`, `noCache`; for a did:webvh
    `versionId`, `versionTime`, `versionNumber`; for a did:key those of its text. `seen` as in `did.look_up`.

    Raises (when run):
        Misuse: `did.no_time`, `time.naive`.
    """
    try:
        return (yield from _resolved(did, options, at, seen))
    except (Malformed, Refused, Unavailable) as error:
        return Result(None, fault=fault_of(error, did))


def _resolved(did: str, options: Mapping[str, str], at: datetime | None, seen: str) -> Steps[Result]:
    parsed = dids.parse(did)
    if parsed.method not in dids.METHODS:
        raise Refused("did.method_not_supported", spec="DID Resolution §4", method=parsed.method)
    check_options(parsed.method, options)
    content_type = negotiate(options["accept"], REPRESENTATIONS) if "accept" in options else REPRESENTATIONS[0]
    query = urlencode([(name, options[name]) for name in _VERSIONS if name in options])
    found = yield from dids.look_up(f"{did}?{query}" if query else did, at, seen)
    document = found.document
    if document is not None and parsed.method == "key":
        document = _in_format(document, options)
    if document is not None and options.get("expandRelativeUrls") == "true":
        document = _expanded(document, str(document.get("id")))
    return Result(document, found.metadata, content_type)


def check_options(method: str, options: Mapping[str, str]) -> None:
    """Are `options` such as this resolver and this DID method know, and are they well-formed?

    Raises:
        Refused: `did.option_unknown`. Malformed: `did.option_value`.
    """
    known = {"accept", "expandRelativeUrls", "noCache"}
    known |= set(_VERSIONS) if method == "webvh" else _KEY_OPTIONS if method == "key" else set()
    for name, value in options.items():
        if name not in known:
            raise Refused("did.option_unknown", spec="DID Resolution §4.1", option=name)
        if name in _CHOICES and value not in _CHOICES[name]:
            raise _bad_option(name, value)
    if "versionId" in options and "versionTime" in options:  # mutually exclusive (DID Resolution, Versioning)
        raise _bad_option("versionTime", options["versionTime"])
    for name in _VERSIONS:
        if name in options:
            try:
                webvh.asked(urlencode([(name, options[name])]))
            except Malformed:
                raise _bad_option(name, options[name]) from None


def _bad_option(name: str, value: str) -> Malformed:
    return Malformed("did.option_value", spec="DID Resolution §4.1", option=name, found=value)


def negotiate(accept: str, offered: tuple[str, ...]) -> str:
    """Which of `offered` (the best first) an `Accept` header wants most (RFC 9110 §12.5.1).

    Raises:
        Refused: `did.representation`, where it wants none of them.
    """
    ranges = []
    for part in accept.split(","):
        found = _RANGE.fullmatch(part)
        if found is not None:
            given = _parameters(found[2])
            ranges.append((found[1].lower(), given.get("profile", ""), _quality(given.get("q", "1"))))
    best, most = "", 0.0
    for candidate in offered:
        kind, _, rest = candidate.partition(";")
        own = _parameters(";" + rest).get("profile", "")
        fitting = [
            (-wanted.count("*"), quality)
            for wanted, profile, quality in ranges
            # Without its profile, JSON-LD is the document.
            if (wanted == kind and profile == own) or wanted in ("*/*", f"{kind.partition('/')[0]}/*")
        ]
        quality = max(fitting)[1] if fitting else 0.0
        if quality > most:
            best, most = candidate, quality
    if not best:
        raise Refused("did.representation", spec="DID Resolution §4.1", accept=accept)
    return best


def _parameters(text: str) -> dict[str, str]:
    return {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(text)}


def _quality(text: str) -> float:
    return float(text) if re.fullmatch(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?", text) else 0.0


def _in_format(document: Mapping[str, Any], options: Mapping[str, str]) -> Mapping[str, Any]:
    """The document of a did:key with its keys in the format asked for (did:key v0.9 §3.1.2).

    Raises:
        Refused: `did.key_format`.
    """
    made = deepcopy(dict(document))
    if options.get("enableEncryptionKeyDerivation") == "false" and "authentication" in made:
        made.pop("keyAgreement", None)
    form = options.get("publicKeyFormat", "Multikey")
    if form == "Multikey":
        return made
    body = str(made["verificationMethod"][0]["publicKeyMultibase"])
    # No specification has a JWK for keys that sign with BBS.
    algorithm = multikey.read(body, agreement=None).algorithm
    other = (Algorithm.BBS,) if form.startswith("JsonWebKey") else tuple(set(Algorithm) - {Algorithm.EDDSA})
    if form not in _FORMATS or algorithm in other:
        raise Refused("did.key_format", spec="did:key v0.9 §3.1.2", found=form)
    embedded = [one for name in RELATIONSHIPS for one in made.get(name, ()) if isinstance(one, dict)]
    for method in (*made["verificationMethod"], *embedded):
        text = method["publicKeyMultibase"]
        if form.startswith("JsonWebKey"):
            method["type"] = form
            method["publicKeyJwk"] = jwk.write(multikey.read(text, agreement=None))
            del method["publicKeyMultibase"]
        elif text.startswith("z6Mk"):
            method["type"] = form
    return made


def _expanded(document: Mapping[str, Any], did: str) -> dict[str, Any]:
    """`document` with absolute DID URLs where an id, or a member of a relationship, is relative (DID Core §3.2.2)."""

    def absolute(value: Any) -> Any:
        return did + value if isinstance(value, str) and value.startswith(("#", "/", "?")) else value

    def walk(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: absolute(item) if name == "id" else walk(item) for name, item in value.items()}
        return [walk(item) for item in value] if isinstance(value, list) else value

    made: dict[str, Any] = walk(document)
    for name in RELATIONSHIPS:
        if isinstance(made.get(name), list):
            made[name] = [absolute(item) for item in made[name]]
    return made


@plan
def dereference(
    url: str, options: Mapping[str, str] = _NONE, at: datetime | None = None, seen: str = ""
) -> Steps[Dereferenced]:
    """The DID URL dereferencing function, for documents, versions of documents, and what a fragment names in one.
    `options` as in `resolve`, and `verificationRelationship`. Services are not followed: they lead where a stranger
    wants us to go.

    Raises (when run):
        Misuse: `did.no_time`, `time.naive`.
    """
    try:
        return (yield from _dereferenced(url, dict(options), at, seen))
    except (Malformed, Refused, Unavailable) as error:
        return Dereferenced(None, fault=fault_of(error, url))


def _dereferenced(url: str, options: dict[str, str], at: datetime | None, seen: str) -> Steps[Dereferenced]:
    text, parameters, path, fragment = split(url)
    if path:
        raise Refused("did.no_such_path", spec="DID Resolution §5.3", path=path)
    relationship = options.pop("verificationRelationship", "")
    if relationship and relationship not in RELATIONSHIPS:
        raise _bad_option("verificationRelationship", relationship)
    found = yield from _resolved(text, {**parameters, **options}, at, seen)
    if found.document is None or not (fragment or relationship):
        return Dereferenced(found.document, found.metadata, found.content_type)
    part = _part(found.document, str(found.document.get("id")), fragment)
    if relationship and not _stands_under(found.document, part, relationship):
        raise Refused("did.wrong_purpose", spec="DID Core §5.3", fragment=fragment, purpose=relationship)
    return Dereferenced(part, _NONE, found.content_type)


def split(url: str) -> tuple[str, dict[str, str], str, str]:
    """The DID, the parameters, the path and the fragment of a DID URL.

    Raises:
        Malformed: `did.url_query` for a parameter given twice, `did.url_fragment`; `did.syntax`, `did.too_long`.
    """
    rest, mark, fragment = url.partition("#")
    rest, _, query = rest.partition("?")
    text, slash, path = rest.partition("/")
    parsed: Did
    parsed, fragment = dids.parse_url(f"{text}{mark}{fragment}")
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in parameters:
            raise Malformed("did.url_query", spec="DID Resolution, Duplicate Parameter Handling", found=query)
        # In a query, + is a space.
        parameters[name] = value.replace(" ", "+") if name == "versionTime" else value
    return str(parsed), parameters, slash + path, fragment


def _part(document: Mapping[str, Any], did: str, fragment: str) -> dict[str, Any]:
    for name in ("verificationMethod", *RELATIONSHIPS, "service"):
        listed = document.get(name)
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, Mapping) and one.get("id") in (f"#{fragment}", f"{did}#{fragment}"):
                head = {"@context": document["@context"]} if "@context" in document else {}
                return {**head, **deepcopy(dict(one))}
    raise Refused("did.no_such_key", did=did, fragment=fragment)


def _stands_under(document: Mapping[str, Any], part: Mapping[str, Any], relationship: str) -> bool:
    listed = document.get(relationship)
    return isinstance(listed, list) and any(
        (one.get("id") if isinstance(one, Mapping) else one) == part["id"] for one in listed
    )


@plan
def respond(url: str, accept: str, options: Mapping[str, str] = _NONE, at: datetime | None = None) -> Steps[Answer]:
    """The HTTPS binding: `url` is the DID (or DID URL) after `/1.0/identifiers/`, decoded once; `options` are the
    query of the request. Errors are always whole results.

    Raises (when run):
        Misuse: `did.no_time`, `time.naive`.
    """
    is_did = not set(url) & set("?#/")
    whole = (RESULT, OLDER, DEREFERENCED) if is_did else (DEREFERENCED, RESULT, OLDER)
    try:
        wanted = negotiate(accept or "*/*", (*whole, *REPRESENTATIONS))
    except Refused as error:
        return _answer(Result(None, fault=fault_of(error, url)), RESULT)
    given = {**options, "accept": wanted} if wanted in REPRESENTATIONS else options
    if wanted == DEREFERENCED or (not is_did and wanted in REPRESENTATIONS):
        return _answer((yield from dereference(url, given, at)), wanted)
    return _answer((yield from resolve(url, given, at)), wanted)


def _answer(found: Result | Dereferenced, wanted: str) -> Answer:
    content = found.document if isinstance(found, Result) else found.content
    if wanted in REPRESENTATIONS and content is not None:
        return Answer(found.status, wanted, json.write(dict(content)))
    if wanted in REPRESENTATIONS:
        wanted = RESULT if isinstance(found, Result) else DEREFERENCED
    return Answer(found.status, wanted, json.write(found.write(older=wanted == OLDER)))
