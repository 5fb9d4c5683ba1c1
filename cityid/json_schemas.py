"""Judging a credential by the JSON Schemas that it names (VC JSON Schema): drafts 2020-12, 2019-09, 07. Nothing is
fetched: who judges has them at hand, or there is no answer.

A schema is a stranger's: its patterns are refused where backtracking over this credential could take long, references
lead nowhere but into itself, and a schema in another language is no answer.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from cityid import contexts, trust
from cityid.checks import Check, Step, failed, passed, undecided
from cityid.credential import CertificateChain, KeyRef
from cityid.encoding import json, multibase
from cityid.encoding.json import Fields
from cityid.errors import Malformed, Problem, Refused, Unavailable
from cityid.keys import PublicKey
from cityid.plan import Request, Response

KINDS: Final = ("JsonSchema", "JsonSchemaCredential")
_PATTERN: Final = 1_000
TRIES: Final = 10_000_000
"""Attempts that the patterns of a schema may take over the longest text of a credential."""
_DRAFTS: Final = {
    "https://json-schema.org/draft/2020-12/schema": "Draft202012Validator",
    "https://json-schema.org/draft/2019-09/schema": "Draft201909Validator",
    "http://json-schema.org/draft-07/schema": "Draft7Validator",
}
_HASHES: Final = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
_SPEC: Final = "VC JSON Schema §2"
_NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
NO_ANSWER: Final = frozenset({"schema.version", "schema.reference", "schema.pattern"})
"""What is wrong with a schema, and says nothing about the credential."""


@dataclass(frozen=True, slots=True)
class Schemas:
    """The schemas that are at hand, by the URL by which credentials name them. `demanded`: a credential whose schema
    gives no answer is not accepted; otherwise the verdict says that it was not judged by it."""

    at_hand: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    demanded: bool = False

    def judge(self, document: Mapping[str, Any]) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        """By which of its schemas the unsecured credential is refused, and which give no answer."""
        wrong: list[Problem] = []
        unanswered: list[Problem] = []
        for entry in _entries(document, "$"):
            try:
                kind, url = _kind(entry), entry.text("id")
                if kind not in KINDS:
                    unanswered.append(Problem("schema.kind", {"kind": kind[:100]}, entry.at("type"), _SPEC))
                elif url not in self.at_hand:
                    unanswered.append(Problem("schema.not_at_hand", {"url": url[:200]}, entry.at("id"), _SPEC))
                else:
                    _check(kind, self.at_hand[url], dict(document), (entry,))
            except (Malformed, Refused) as error:
                (unanswered if error.code in NO_ANSWER else wrong).append(error.problem)
            except Unavailable as error:
                unanswered.append(error.problem)
        return tuple(wrong), tuple(unanswered)

    def check(self, document: Mapping[str, Any]) -> Check:
        """CONDITIONS of a W3C credential that names schemas."""
        wrong, unanswered = self.judge(document)
        if wrong:
            return failed(Step.CONDITIONS, wrong[0])
        if unanswered and self.demanded:
            return undecided(Step.CONDITIONS, unanswered[0])
        if unanswered:
            return passed(Step.CONDITIONS, schema="not judged", reason=unanswered[0].code)
        return passed(Step.CONDITIONS, schema="met")


def check(kind: str, schema: bytes, credential: bytes) -> None:
    """Does the credential meet the schema, which is one (`JsonSchema`) or is in a credential (`JsonSchemaCredential`)?

    Raises:
        Malformed: `json.*`, `schema.version`, `schema.not_a_schema`, `schema.reference`, `schema.pattern`.
        Refused: `schema.digest`, `schema.violated`.
    """
    document = json.read_object(credential, where="credential")
    _check(kind, schema, document, _entries(document, "credential"))


def _check(kind: str, schema: bytes, document: dict[str, Any], entries: Iterable[Fields]) -> None:
    for one in entries:
        _check_digest(one, schema)
    _validate(
        _schema_in(schema) if kind == "JsonSchemaCredential" else json.read_object(schema, where="schema"), document
    )


def _entries(document: Mapping[str, Any], where: str) -> list[Fields]:
    value = document.get("credentialSchema", [])
    listed = value if isinstance(value, list) else [value]
    return [Fields(one, f"{where}.credentialSchema[{index}]") for index, one in enumerate(listed)]


def _kind(entry: Fields) -> str:
    """Of the types of an entry the one that says what kind of schema it is; the first where there is none."""
    named = entry.texts("type") if isinstance(entry.value.get("type"), list) else [entry.text("type")]
    return next((name for name in named if name in KINDS), named[0] if named else "")


def _check_digest(entry: Fields, data: bytes) -> None:
    """The digests that the credential gives of its schema, over the very bytes (VCDM 2.0 §5.3)."""
    sri, multi = entry.optional_text("digestSRI"), entry.optional_text("digestMultibase")
    if sri is not None:
        name, _, text = sri.partition("-")
        made = _HASHES[name](data).digest() if name in _HASHES else b""
        if not made or base64.b64encode(made).decode("ascii") != text:
            raise Refused("schema.digest", where=entry.at("digestSRI"), spec=_SPEC)
    if multi is not None:
        digest = b"\x12\x20" + hashlib.sha256(data).digest()
        url = "u" + base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
        if multi not in (url, multibase.encode(digest)):
            raise Refused("schema.digest", where=entry.at("digestMultibase"), spec=_SPEC)


def _schema_in(data: bytes) -> dict[str, Any]:
    """The schema in a credential of the type JsonSchemaCredential: with proofs, which hold, or without; a JWT; or in an
    envelope.

    Raises:
        Malformed: `json.*`, `schema.not_a_schema`; what is wrong with a proof.
        Refused: `signature.invalid`, `di.*`, `did.*`. Unavailable: `net.offline`: only did:key and did:jwk are at hand.
    """
    from cityid import proofs
    from cityid.formats.data_integrity.presentations import method_of
    from cityid.proofs import sets

    document = _opened(data)
    types = document.get("type")
    subject = Fields(document, "schema").fields("credentialSubject")
    if not isinstance(types, list) or "JsonSchemaCredential" not in types or subject.text("type") != "JsonSchema":
        raise Malformed("schema.not_a_schema", where=subject.where, spec="VC JSON Schema §2.2")
    for one in sets.split(document, "schema") if "proof" in document else ():
        key = _key(method_of(one.members))
        proofs.check(one.document, one.proof, key, load=contexts.load, where=one.members.where)
    return subject.object("jsonSchema")


def _opened(data: bytes) -> dict[str, Any]:
    """The credential in `data`, whose signature holds where it is around it."""
    from cityid.formats import _w3c
    from cityid.formats.vc_jose import secured

    media, raw = "vc+jwt", data.strip()
    if not raw.startswith(b"eyJ"):
        document = json.read_object(data, where="schema")
        if "EnvelopedVerifiableCredential" not in (document.get("type"), *_listed(document.get("type"))):
            return document
        media, raw = secured.opened(document, "schema")
    found = secured.read(raw, media)
    issuer = found.document.get("issuer")
    named = issuer.get("id") if isinstance(issuer, Mapping) else issuer
    place = _w3c.place_of(named if isinstance(named, str) else "", found.kid, found.chain)
    if isinstance(place, CertificateChain):
        raise Refused("trust.unknown_issuer", where="schema", issuer=str(named))
    found.check(_key(KeyRef(place)))
    return found.document


def _key(ref: KeyRef) -> PublicKey:
    """A key that stands in its DID. Whatever else would have to be fetched, so that no time counts."""
    return trust.key(ref, None, _NO_TIME).run(_offline)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _offline(request: Request) -> Response:
    raise Unavailable("net.offline", url=request.url)


def _validate(schema: dict[str, Any], document: dict[str, Any]) -> None:
    import jsonschema
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    version = schema.get("$schema")
    name = _DRAFTS.get(version.removesuffix("#")) if isinstance(version, str) else None
    if name is None:
        raise Malformed("schema.version", where="schema.$schema", spec=_SPEC, found=str(version))
    kind = getattr(jsonschema, name)
    _check_patterns(schema, document)
    try:
        kind.check_schema(schema)
        registry: Registry[Any] = Registry()  # which fetches nothing
        errors = kind(schema, registry=registry, format_checker=kind.FORMAT_CHECKER).iter_errors(document)
        first = next(iter(errors), None)
    except jsonschema.SchemaError as error:
        place = ".".join(str(part) for part in error.absolute_path)
        raise Malformed("schema.not_a_schema", where=f"schema.{place}", spec=_SPEC) from None
    except Unresolvable as error:
        raise Malformed("schema.reference", where="schema", spec=_SPEC, url=str(error.ref)) from None
    except RecursionError:
        raise Malformed("schema.not_a_schema", where="schema", spec=_SPEC) from None
    if first is not None:
        place = ".".join(str(part) for part in first.absolute_path)
        raise Refused("schema.violated", where=f"credential.{place}", spec=_SPEC, keyword=str(first.validator))


def _check_patterns(schema: Any, document: Any) -> None:
    """Raises Malformed `schema.pattern` for one that is no expression, or could take more than TRIES attempts."""
    longest = max((len(text) for text in _texts(document)), default=0) + 1
    for pattern in _patterns(schema):
        loops = _loops(pattern)
        if loops is None or longest**loops > TRIES or len(pattern) > _PATTERN:
            raise Malformed("schema.pattern", where="schema", spec=_SPEC, pattern=pattern)


def _texts(value: Any) -> Iterator[str]:
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            yield from one
            todo += one.values()
        elif isinstance(one, list):
            todo += one


def _patterns(schema: Any) -> Iterator[str]:
    todo = [schema]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            if isinstance(one.get("pattern"), str):
                yield one["pattern"]
            if isinstance(one.get("patternProperties"), dict):
                yield from one["patternProperties"]
            todo += one.values()
        elif isinstance(one, list):
            todo += one


def _loops(pattern: str) -> int | None:
    """In how many places a search may stop and try again: the beginning, and each repetition of varying length. None
    for what is no expression, and for repetitions or choices within a repetition, which multiply."""
    import re
    from re import _parser  # type: ignore[attr-defined]  # the only reading of an expression there is

    try:
        tree = _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        return None
    return _counted(tree, inside=False, first=1)


def _counted(tree: Any, *, inside: bool, first: int) -> int | None:
    total = first
    for operation, value in tree:
        name = str(operation)
        inner: list[Any] = []
        varies = False
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            low, high, body = value
            varies = low != high
            inner = [body]
        elif name == "SUBPATTERN":
            inner = [value[3]]
        elif name == "BRANCH":
            varies = True
            inner = list(value[1])
        elif name in ("ASSERT", "ASSERT_NOT"):
            inner = [value[1]]
        elif name in ("GROUPREF", "GROUPREF_EXISTS", "ATOMIC_GROUP"):
            return None
        if varies and inside:
            return None
        total += varies
        for body in inner:
            found = _counted(body, inside=inside or "REPEAT" in name, first=0)
            if found is None:
                return None
            total += found
    return total
